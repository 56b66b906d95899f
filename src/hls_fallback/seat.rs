//! Who fills a rendition of the picture, and how that changes without a hole or a step back: to its own frames or a child's, and from one child's to
//! another's. Pure.
//!
//! ```text
//!  from   . . . K . . .            its frames from K on wait until the other's are there, and are left out then
//!  to           K . . . . . .      its frames from K on wait until the former has come as far as K
//! ```
//! K is a key frame of both: children have theirs where the source has its own. What is waited for and does not come in
//! `HLS_CHANGE_WAIT` is not waited for any longer. Invariant: what comes out has rising times, and begins with a key frame after each change.

use std::time::Instant;

use super::track::LineFrame;
use crate::limits::{HLS_CHANGE_WAIT, HLS_FRAMES_WAITING_MAX};

/// Whose frames they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// The layer's, or the ladder's.
    Own,
    /// Of the child with this number.
    Child(u32),
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Seat {
    from: Feed,
    /// What was there before has ended: only a key frame can follow.
    awaits_key: bool,
    change: Option<Change>,
    last_ticks: i64,
}

#[derive(Debug)]
struct Change {
    to: Feed,
    /// Frames of it have come: its key frame can be waited for.
    is_flowing: bool,
    /// Frames of the former feed, from a key frame on.
    former: Vec<LineFrame>,
    /// Frames of the next one, from a key frame on.
    next: Vec<LineFrame>,
    /// When it will have been waited for long enough.
    due: Option<Instant>,
}

impl Seat {
    pub(super) const fn new() -> Self {
        Self { from: Feed::Own, awaits_key: false, change: None, last_ticks: i64::MIN }
    }

    /// Whether frames of this feed come out, or will.
    pub(super) fn wants(&self, feed: Feed) -> bool {
        self.from == feed || self.change.as_ref().is_some_and(|change| change.to == feed)
    }

    /// Whether nothing else comes out.
    pub(super) fn is_settled_on(&self, feed: Feed) -> bool {
        self.from == feed && self.change.is_none()
    }

    /// From the next key frame on that can be: frames of this feed.
    pub(super) fn aim(&mut self, to: Feed, out: &mut Vec<LineFrame>) {
        let aims_at = self.change.as_ref().map_or(self.from, |change| change.to);
        if aims_at == to {
            return;
        }
        if let Some(change) = self.change.take() {
            change.former.into_iter().for_each(|frame| self.give(frame, out));
        }
        if self.from != to {
            self.change = Some(Change { to, is_flowing: false, former: Vec::new(), next: Vec::new(), due: None });
        }
    }

    pub(super) fn take(&mut self, now: Instant, feed: Feed, frame: LineFrame, out: &mut Vec<LineFrame>) {
        let is_former = self.from == feed;
        if is_former {
            if self.awaits_key && !frame.key {
                return;
            }
            self.awaits_key = false;
        }
        let Some(change) = &mut self.change else {
            if is_former {
                self.give(frame, out);
            }
            return;
        };
        let due = now + HLS_CHANGE_WAIT;
        if change.to == feed {
            change.is_flowing = true;
            if frame.ticks <= self.last_ticks || change.next.is_empty() && !frame.key {
                return;
            }
            change.next.push(frame);
            let [key] = &change.next[..] else {
                if change.next.len() >= HLS_FRAMES_WAITING_MAX {
                    self.finish(out);
                }
                return;
            };
            let ticks = key.ticks;
            change.due = Some(due);
            let is_reached = change.former.last().is_some_and(|last| last.ticks >= ticks);
            let before = std::mem::take(&mut change.former).into_iter().filter(|frame| frame.ticks < ticks);
            before.for_each(|frame| self.give(frame, out));
            if is_reached || self.awaits_key {
                self.finish(out);
            }
        } else if is_former {
            match change.next.first() {
                Some(key) if frame.ticks >= key.ticks => self.finish(out),
                Some(_) => self.give(frame, out),
                None if change.is_flowing && (frame.key || !change.former.is_empty()) => {
                    change.due = change.due.filter(|_| !change.former.is_empty()).or(Some(due));
                    change.former.push(frame);
                    if change.former.len() >= HLS_FRAMES_WAITING_MAX {
                        self.go_on(out);
                    }
                }
                None => self.give(frame, out),
            }
        }
    }

    /// No more frames of this child come: its own frames are next, if nothing else is at hand.
    pub(super) fn end(&mut self, feed: Feed, out: &mut Vec<LineFrame>) {
        if self.from == feed {
            self.go_on(out);
            if self.change.as_ref().is_some_and(|change| !change.next.is_empty()) {
                self.finish(out);
            } else {
                (self.from, self.awaits_key) = (Feed::Own, true);
                self.change.take_if(|change| change.to == Feed::Own);
            }
        } else if self.change.as_ref().is_some_and(|change| change.to == feed) {
            self.go_on(out);
            self.change = None;
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<LineFrame>) {
        let Some(change) = self.change.as_ref().filter(|change| change.due.is_some_and(|due| due <= now)) else { return };
        if change.next.is_empty() { self.go_on(out) } else { self.finish(out) }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.change.as_ref()?.due
    }

    /// The former feed goes on: the other may come in with a later key frame.
    fn go_on(&mut self, out: &mut Vec<LineFrame>) {
        let Some(change) = &mut self.change else { return };
        if change.next.is_empty() {
            change.due = None;
        }
        let former = std::mem::take(&mut change.former);
        former.into_iter().for_each(|frame| self.give(frame, out));
    }

    /// The next feed takes over.
    fn finish(&mut self, out: &mut Vec<LineFrame>) {
        let Some(change) = self.change.take() else { return };
        (self.from, self.awaits_key) = (change.to, false);
        change.next.into_iter().for_each(|frame| self.give(frame, out));
    }

    fn give(&mut self, frame: LineFrame, out: &mut Vec<LineFrame>) {
        self.last_ticks = self.last_ticks.max(frame.ticks);
        out.push(frame);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::hls_fallback::test_support::epoch;

    const KEY_EVERY: i64 = 60;

    /// Whose frame it is stands in its bytes.
    fn frame(now: Instant, feed: Feed, ticks: i64) -> LineFrame {
        let data = if feed == Feed::Own { Bytes::from_static(b"own") } else { Bytes::from_static(b"child") };
        LineFrame { ticks, key: ticks % KEY_EVERY == 0, data, format: None, received: now }
    }

    struct Desk {
        seat: Seat,
        start: Instant,
        out: Vec<LineFrame>,
    }

    impl Desk {
        fn new() -> Self {
            Self { seat: Seat::new(), start: epoch(), out: Vec::new() }
        }

        fn at(&self, step: i64) -> Instant {
            self.start + Duration::from_millis(step as u64 * 33)
        }

        /// One frame a step of own and child, the child's `late` steps behind; it began with frame `began`.
        fn play(&mut self, steps: std::ops::Range<i64>, child: Option<(u32, i64, i64)>) {
            for step in steps {
                let now = self.at(step);
                self.seat.handle_timeout(now, &mut self.out);
                self.seat.take(now, Feed::Own, frame(now, Feed::Own, step), &mut self.out);
                if let Some((child, began, late)) = child
                    && step - late >= began
                {
                    let feed = Feed::Child(child);
                    self.seat.take(now, feed, frame(now, feed, step - late), &mut self.out);
                }
            }
        }

        fn aim(&mut self, feed: Feed) {
            self.seat.aim(feed, &mut self.out);
        }

        /// Each change of hands: where, and to whom. Times rise, and each begins with a key frame.
        fn changes(&self) -> Vec<(i64, &[u8])> {
            assert!(self.out.windows(2).all(|pair| pair[0].ticks < pair[1].ticks), "times rise");
            let changes = self.out.windows(2).filter(|pair| pair[0].data != pair[1].data);
            changes
                .map(|pair| {
                    assert!(pair[1].key, "{}", pair[1].ticks);
                    (pair[1].ticks, &pair[1].data[..])
                })
                .collect()
        }

        fn is_whole(&self) -> bool {
            self.out.windows(2).all(|pair| pair[0].ticks + 1 == pair[1].ticks)
        }
    }

    #[test]
    fn a_child_comes_and_goes_at_key_frames_and_nothing_is_missing() {
        let mut desk = Desk::new();
        desk.play(0..60, None);
        desk.aim(Feed::Child(1));
        desk.play(60..200, Some((1, 60, 7)));
        desk.aim(Feed::Own);
        desk.play(200..400, Some((1, 60, 7)));
        assert_eq!(desk.changes(), [(120, &b"child"[..]), (240, b"own")]);
        assert!(desk.is_whole());
        assert!(desk.seat.is_settled_on(Feed::Own) && !desk.seat.wants(Feed::Child(1)));
    }

    #[test]
    fn own_frames_are_not_held_before_the_child_flows_and_not_for_long() {
        let mut desk = Desk::new();
        desk.aim(Feed::Child(1));
        desk.play(0..61, None);
        assert_eq!(desk.out.len(), 61, "nothing of it has come yet");
        // It is two seconds behind: each key frame waits in vain.
        desk.play(61..400, Some((1, 60, 70)));
        assert!(desk.changes().is_empty() && desk.is_whole());
    }

    #[test]
    fn one_child_follows_another() {
        let mut desk = Desk::new();
        desk.aim(Feed::Child(1));
        desk.play(0..130, Some((1, 0, 5)));
        desk.aim(Feed::Child(2));
        for step in 130..400 {
            let now = desk.at(step);
            for (child, late) in [(1, 5), (2, 9)] {
                let feed = Feed::Child(child);
                desk.seat.take(now, feed, frame(now, feed, step - late), &mut desk.out);
            }
        }
        assert!(desk.seat.is_settled_on(Feed::Child(2)) && desk.is_whole());
    }

    #[test]
    fn a_child_that_dies_leaves_a_hole_up_to_the_next_key_frame() {
        let mut desk = Desk::new();
        desk.aim(Feed::Child(1));
        desk.play(0..100, Some((1, 0, 5)));
        desk.seat.end(Feed::Child(1), &mut desk.out);
        desk.aim(Feed::Own);
        desk.play(100..200, None);
        assert_eq!(desk.changes(), [(60, &b"child"[..]), (120, b"own")]);
        assert!(!desk.is_whole());
    }

    #[test]
    fn a_child_that_falls_silent_at_the_change_is_waited_for_a_second() {
        let mut desk = Desk::new();
        desk.aim(Feed::Child(1));
        desk.play(0..100, Some((1, 0, 5)));
        desk.aim(Feed::Own);
        desk.play(100..150, None);
        assert_eq!(desk.out.last().map(|frame| frame.ticks), Some(94), "its last ones may come");
        desk.play(150..200, None);
        assert_eq!(desk.changes(), [(60, &b"child"[..]), (120, b"own")]);
    }

    #[test]
    fn a_change_of_mind_costs_nothing() {
        let mut desk = Desk::new();
        desk.aim(Feed::Child(1));
        desk.play(0..65, Some((1, 0, 8)));
        desk.aim(Feed::Own);
        desk.play(65..100, None);
        assert!(desk.is_whole() && desk.changes().is_empty());
        desk.aim(Feed::Child(2));
        desk.play(100..123, Some((2, 60, 30)));
        desk.seat.end(Feed::Child(2), &mut desk.out);
        assert!(desk.is_whole() && desk.seat.is_settled_on(Feed::Own));
    }
}
