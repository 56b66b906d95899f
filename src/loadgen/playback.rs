//! What a viewer would see: which frames are whole, in order, and when; what is asked for again; where the picture stands still. Pure.
//!
//! ```text
//! packets in order ─▶ a marker ends a frame ─▶ shown at once (no decoder, no jitter buffer)
//! a hole ─▶ asked for again (NACK), several times ─▶ given up: nothing is shown until a key frame (PLI)
//! ```
//! A freeze is what Chromium counts as one: an interval between frames of more than three times the mean, and of at least 150 ms more.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::limits::{
    LOADGEN_GIVE_UP_AFTER, LOADGEN_MISSING_MAX, LOADGEN_NACK_AFTER, LOADGEN_NACK_INTERVAL, LOADGEN_NACK_TRIES, LOADGEN_PLI_INTERVAL,
};

const FREEZE_FACTOR: u32 = 3;
const FREEZE_MORE: Duration = Duration::from_millis(150);
/// The mean is taken over about this many frames.
const MEAN_OVER: u32 = 30;
/// Before so many frames there is no mean.
const FRAMES_FOR_A_MEAN: u64 = 5;

/// What a viewer saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) frames: u64,
    pub(super) freezes: u64,
    /// Time in which the picture stood still.
    pub(super) frozen: Duration,
    /// The longest that it stood.
    pub(super) longest: Duration,
    /// From the first frame to the end, without pauses.
    pub(super) played: Duration,
    pub(super) repaired: u64,
    /// Holes that were never mended.
    pub(super) given_up: u64,
}

#[derive(Debug)]
struct Missing {
    number: u64,
    since: Instant,
    ask_at: Instant,
    tries: u32,
}

/// One viewer's video.
#[derive(Debug)]
pub(super) struct Playback {
    /// The first number that has not arrived.
    next: u64,
    highest: u64,
    /// Beyond the first hole: number and marker.
    ahead: BTreeMap<u64, bool>,
    missing: VecDeque<Missing>,
    /// A hole was given up; only a key frame helps.
    broken: Option<Instant>,
    shown: Option<(Instant, Instant)>,
    mean: Duration,
    seen: Seen,
}

impl Playback {
    /// `number` is the first packet's, extended.
    pub(super) fn new(number: u64) -> Self {
        Self {
            next: number,
            highest: number.saturating_sub(1),
            ahead: BTreeMap::new(),
            missing: VecDeque::new(),
            broken: None,
            shown: None,
            mean: Duration::ZERO,
            seen: Seen::default(),
        }
    }

    /// A packet of the stream, or one that was sent again.
    pub(super) fn take(&mut self, now: Instant, number: u64, marker: bool) {
        if number == self.next && self.missing.is_empty() && self.ahead.is_empty() {
            self.next += 1;
            self.highest = number;
            if marker {
                self.show(now);
            }
            return;
        }
        if number < self.next || self.ahead.insert(number, marker).is_some() {
            return;
        }
        if number > self.highest {
            let first = self.highest + 1;
            // A jump that nothing can fill is not asked for.
            if number - first <= LOADGEN_MISSING_MAX as u64 {
                self.missing.extend((first..number).map(|number| Missing {
                    number,
                    since: now,
                    ask_at: now + LOADGEN_NACK_AFTER,
                    tries: 0,
                }));
            }
            self.highest = number;
        } else if let Some(at) = self.missing.iter().position(|missing| missing.number == number) {
            self.missing.remove(at);
            self.seen.repaired += 1;
        }
        self.advance(now);
        if self.missing.len() > LOADGEN_MISSING_MAX || (self.missing.is_empty() && !self.ahead.is_empty()) {
            self.give_up(now);
        }
    }

    fn advance(&mut self, now: Instant) {
        while let Some(marker) = self.ahead.remove(&self.next) {
            self.next += 1;
            if marker {
                self.show(now);
            }
        }
    }

    fn show(&mut self, now: Instant) {
        if self.broken.is_some() {
            return;
        }
        self.seen.frames += 1;
        let Some((first, last)) = self.shown else {
            self.shown = Some((now, now));
            return;
        };
        self.interval(now - last);
        self.shown = Some((first, now));
    }

    fn interval(&mut self, interval: Duration) {
        if self.seen.frames > FRAMES_FOR_A_MEAN && interval > (self.mean * FREEZE_FACTOR).max(self.mean + FREEZE_MORE) {
            self.seen.freezes += 1;
            self.seen.frozen += interval;
            self.seen.longest = self.seen.longest.max(interval);
            return;
        }
        self.mean = if self.mean.is_zero() { interval } else { (self.mean * (MEAN_OVER - 1) + interval) / MEAN_OVER };
    }

    /// What follows is another picture, or none for a while: that it stands still now is no freeze.
    pub(super) fn pause(&mut self) {
        if let Some((first, last)) = self.shown.take() {
            self.seen.played += last - first;
        }
    }

    /// Only a key frame helps: its beginning must be told by [`Self::take_key_frame`].
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// A key frame begins with this packet, which was or will be taken as well.
    pub(super) fn take_key_frame(&mut self, now: Instant, number: u64) {
        if self.broken.take().is_some() {
            self.missing.retain(|missing| missing.number > number);
            self.ahead = self.ahead.split_off(&number);
            self.next = self.next.max(number);
            self.advance(now);
        }
    }

    /// The numbers to ask for now.
    pub(super) fn ask(&mut self, now: Instant) -> Vec<u16> {
        let mut asked = Vec::new();
        for missing in &mut self.missing {
            if missing.ask_at <= now && missing.tries < LOADGEN_NACK_TRIES {
                missing.tries += 1;
                missing.ask_at = now + LOADGEN_NACK_INTERVAL;
                asked.push(missing.number as u16);
            }
        }
        if self.missing.front().is_some_and(|oldest| oldest.since + LOADGEN_GIVE_UP_AFTER <= now) {
            self.give_up(now);
        }
        asked
    }

    /// Whether to ask for a key frame now.
    pub(super) fn ask_for_key_frame(&mut self, now: Instant) -> bool {
        match &mut self.broken {
            Some(due) if *due <= now => {
                *due = now + LOADGEN_PLI_INTERVAL;
                true
            }
            Some(_) | None => false,
        }
    }

    /// When [`Self::ask`] or [`Self::ask_for_key_frame`] has something to say.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let missing = self.missing.iter().map(|missing| {
            let give_up = missing.since + LOADGEN_GIVE_UP_AFTER;
            if missing.tries < LOADGEN_NACK_TRIES { missing.ask_at.min(give_up) } else { give_up }
        });
        missing.chain(self.broken).min()
    }

    fn give_up(&mut self, now: Instant) {
        self.seen.given_up += self.missing.len() as u64;
        self.missing.clear();
        self.ahead.clear();
        self.next = self.highest + 1;
        self.broken.get_or_insert(now);
    }

    /// What was seen until now, a picture that stands still included.
    pub(super) fn finish(mut self, now: Instant) -> Seen {
        if let Some((first, last)) = self.shown {
            self.interval(now - last);
            self.seen.played += now - first;
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Frames of two packets, one every 33 ms, without the numbers in `lost`; returns the playback and the time after the last.
    fn play(from: Instant, frames: u64, lost: &[u64]) -> (Playback, Instant) {
        let mut playback = Playback::new(100);
        for frame in 0..frames {
            for part in 0..2 {
                let number = 100 + 2 * frame + part;
                if !lost.contains(&number) {
                    playback.take(from + ms(33 * frame), number, part == 1);
                }
            }
        }
        (playback, from + ms(33 * frames))
    }

    #[test]
    fn an_even_stream_never_freezes() {
        let (playback, end) = play(start(), 90, &[]);
        let seen = playback.finish(end);
        assert_eq!((seen.frames, seen.freezes, seen.played), (90, 0, ms(33 * 90)));
    }

    #[test]
    fn a_hole_is_asked_for_and_a_quick_repair_is_no_freeze() {
        let begin = start();
        let (mut playback, _) = play(begin, 30, &[140]);
        // The hole shows with packet 141, in frame 20.
        let found = begin + ms(33 * 20);
        assert!(playback.ask(found).is_empty(), "it may only be late");
        assert_eq!(playback.ask(begin + ms(33 * 29)), [140]);
        assert!(playback.ask(begin + ms(33 * 29 + 1)).is_empty(), "not again at once");
        assert_eq!(playback.seen.frames, 20);
        playback.take(begin + ms(33 * 23), 140, false);
        assert_eq!((playback.seen.frames, playback.seen.freezes, playback.seen.repaired), (30, 0, 1));
    }

    #[test]
    fn a_late_repair_is_a_freeze_of_the_whole_interval() {
        let begin = start();
        let (mut playback, _) = play(begin, 40, &[140]);
        playback.take(begin + ms(33 * 19 + 600), 140, false);
        assert_eq!((playback.seen.freezes, playback.seen.frozen, playback.seen.longest), (1, ms(600), ms(600)));
    }

    #[test]
    fn a_hole_that_nobody_fills_ends_with_a_key_frame() {
        let begin = start();
        let (mut playback, end) = play(begin, 60, &[140]);
        let mut now = begin + ms(33 * 20);
        let mut asked = 0;
        while !playback.is_broken() {
            now = playback.wake_at().expect("there is a hole").max(now);
            asked += playback.ask(now).len();
        }
        assert_eq!((asked as u32, playback.seen.given_up), (LOADGEN_NACK_TRIES, 1));
        assert!(playback.ask_for_key_frame(now) && !playback.ask_for_key_frame(now));
        playback.take(end, 220, true);
        assert_eq!(playback.seen.frames, 20, "nothing is shown without a key frame");
        playback.take_key_frame(end, 221);
        playback.take(end, 221, true);
        assert_eq!((playback.seen.frames, playback.is_broken(), playback.seen.freezes), (21, false, 1));
    }

    #[test]
    fn a_pause_is_no_freeze() {
        let begin = start();
        let (mut playback, end) = play(begin, 60, &[]);
        playback.pause();
        for frame in 0..10 {
            playback.take(end + ms(3000 + 33 * frame), 220 + frame, true);
        }
        let seen = playback.finish(end + ms(3330));
        assert_eq!((seen.frames, seen.freezes, seen.played), (70, 0, ms(33 * 59 + 330)));
    }

    #[test]
    fn a_picture_that_stands_still_at_the_end_counts() {
        let (playback, end) = play(start(), 60, &[]);
        let seen = playback.finish(end + ms(2000));
        assert_eq!(seen.freezes, 1);
        assert!(seen.frozen > ms(2000));
    }
}
