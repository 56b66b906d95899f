//! The newest frames of a broadcast, shared by everybody who reads them at their own pace. Pure.
//!
//! A reader has a cursor and nothing else, so that who reads slowly costs others nothing: when the ring has gone past a cursor, the reader is
//! told how much it missed and goes on from the newest frame.

use std::collections::VecDeque;

/// Frames and the number of the next one.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    frames: VecDeque<T>,
    keep: usize,
    next: u64,
}

/// A reader's place: the number of the frame that it reads next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(u64);

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'a, T> {
    Frame(&'a T),
    /// Everything has been read.
    UpToDate,
    /// So many frames are gone; the cursor now stands at the end.
    Missed(u64),
}

impl<T> Ring<T> {
    pub(crate) fn new(keep: usize) -> Self {
        Self { frames: VecDeque::with_capacity(keep), keep, next: 0 }
    }

    pub(crate) fn push(&mut self, frame: T) {
        if self.frames.len() == self.keep {
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
        self.next += 1;
    }

    /// Behind the newest frame.
    pub(crate) const fn end(&self) -> Cursor {
        Cursor(self.next)
    }

    /// Reads and moves on.
    pub(crate) fn read(&self, cursor: &mut Cursor) -> Read<'_, T> {
        let behind = self.next - cursor.0;
        if behind > self.frames.len() as u64 {
            *cursor = self.end();
            return Read::Missed(behind);
        }
        match self.frames.get(self.frames.len() - behind as usize) {
            Some(frame) => {
                cursor.0 += 1;
                Read::Frame(frame)
            }
            None => Read::UpToDate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_reads_the_same_frames_at_their_own_pace() {
        let mut ring = Ring::new(3);
        ring.push('a');
        let (mut quick, mut slow) = (ring.end(), ring.end());
        assert_eq!(ring.read(&mut quick), Read::UpToDate);
        ring.push('b');
        ring.push('c');
        assert_eq!(
            [ring.read(&mut quick), ring.read(&mut quick), ring.read(&mut quick)],
            [Read::Frame(&'b'), Read::Frame(&'c'), Read::UpToDate]
        );
        ring.push('d');
        assert_eq!(ring.read(&mut slow), Read::Frame(&'b'), "the last that is still there");
    }

    #[test]
    fn who_is_too_slow_is_told_how_much_and_goes_on_from_the_end() {
        let mut ring = Ring::new(3);
        let mut slow = ring.end();
        (0..4).for_each(|frame| ring.push(frame));
        assert_eq!(ring.read(&mut slow), Read::Missed(4));
        assert_eq!(ring.read(&mut slow), Read::UpToDate);
        ring.push(4);
        assert_eq!(ring.read(&mut slow), Read::Frame(&4));
    }
}
