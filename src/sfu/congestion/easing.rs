//! How fast a viewer's frames may leave: many times faster than real time while nothing speaks against it; at the layer's rate after a step up
//! or once there is a queue, until the path has shown that it takes more without one.
//!
//! On a path that hardly carries the layer, a key frame that leaves faster than the layer's rate stands before the bottleneck for half a
//! second and looks like too much traffic; spread, it waits here and harms nobody. On a path with room, spreading would only make every
//! key frame late and every frame several sends. Which of the two it is cannot be read off an estimate, which ends at what is wanted; but
//! faster frames can be tried, and a queue that comes of it is seen before it does harm.

use std::time::{Duration, Instant};

use super::PACING_MARGIN;
use super::estimator::elapsed;

/// At the layer's rate.
const STRICT: f32 = PACING_MARGIN as f32;
/// So much faster each time ...
const STEP: f32 = 2.0;
/// ... up to this: a frame of thirty a second is out in 4 ms.
const FACTOR_MAX: f32 = 8.0;
/// After so long without a queue: several frames and their feedback.
const CALM_MIN: Duration = Duration::from_millis(250);
/// The longest wait of any packet that still counts as none: receivers read their sockets in heaps.
const QUEUE_CALM_US: u32 = 8_000;
/// It queues: half as fast, at once.
const QUEUE_TOO_MUCH_US: u32 = 16_000;
/// A replay is meant to be faster than its path may like: what queues meanwhile says nothing.
const REPLAY_EXCUSED: Duration = Duration::from_secs(1);
/// And no further try for so long; doubled each time.
const WAIT_MIN: Duration = Duration::from_secs(10);
const WAIT_DOUBLINGS_MAX: u8 = 4;

/// The pacing rate of one viewer as a multiple of what it is sent.
#[derive(Debug)]
pub(super) struct Easing {
    factor: f32,
    /// The longest wait since the last step.
    peak_us: u32,
    since: Option<Instant>,
    failed_at: Option<Instant>,
    failures: u8,
    excused_until: Option<Instant>,
}

impl Easing {
    pub(super) fn new() -> Self {
        Self { factor: FACTOR_MAX, peak_us: 0, since: None, failed_at: None, failures: 0, excused_until: None }
    }

    pub(super) fn factor(&self) -> f64 {
        f64::from(self.factor)
    }

    /// A packet that was no probe had waited so long before the bottleneck.
    pub(super) fn handle_received(&mut self, queue_us: u32) {
        self.peak_us = self.peak_us.max(queue_us);
    }

    /// More is sent from now on than the path has shown to carry in this way.
    pub(super) fn handle_climb(&mut self, now: Instant) {
        (self.factor, self.peak_us, self.since) = (STRICT, 0, Some(now));
    }

    /// A cached group is being sent.
    pub(super) fn handle_replay(&mut self, now: Instant) {
        self.excused_until = Some(now + REPLAY_EXCUSED);
    }

    /// Feedback was taken in. `settled`: everything that is wanted is sent, and fits.
    pub(super) fn handle_feedback(&mut self, now: Instant, settled: bool) {
        let since = *self.since.get_or_insert(now);
        if self.excused_until.is_some_and(|until| until > now) {
            (self.peak_us, self.since) = (0, Some(now));
        } else if self.factor > STRICT && self.peak_us > QUEUE_TOO_MUCH_US {
            self.failed_at = Some(now);
            self.failures = (self.failures + 1).min(WAIT_DOUBLINGS_MAX);
            (self.factor, self.peak_us, self.since) = ((self.factor / STEP).max(STRICT), 0, Some(now));
        } else if now.saturating_duration_since(since) >= CALM_MIN {
            if settled && self.peak_us < QUEUE_CALM_US && elapsed(now, self.failed_at) > WAIT_MIN * (1 << self.failures) {
                self.factor = (self.factor * STEP).min(FACTOR_MAX);
            }
            (self.peak_us, self.since) = (0, Some(now));
        }
    }

    /// Another path, another speed.
    pub(super) fn handle_path_change(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    /// Feedback ten times a second, with a queue that depends on the factor.
    fn run(easing: &mut Easing, now: &mut Instant, seconds: u32, settled: bool, queue_us: impl Fn(f64) -> u32) {
        for _ in 0..seconds * 10 {
            *now += Duration::from_millis(100);
            easing.handle_received(queue_us(easing.factor()));
            easing.handle_feedback(*now, settled);
        }
    }

    #[test]
    fn a_path_with_room_gets_whole_frames_within_seconds_and_a_narrow_one_keeps_its_pace() {
        let (mut now, mut easing) = (Instant::now(), Easing::new());
        assert_eq!(easing.factor, FACTOR_MAX, "nobody is held up before there is a reason");
        easing.handle_climb(now);
        assert_eq!(easing.factor, STRICT);
        run(&mut easing, &mut now, 2, true, |_| 1_000);
        assert_eq!(easing.factor, FACTOR_MAX);
        run(&mut easing, &mut now, 1, true, |_| 20_000);
        assert_eq!(easing.factor, STRICT, "there is a queue now");
        run(&mut easing, &mut now, 10, true, |_| 0);
        assert_eq!(easing.factor, STRICT, "not at once again");
        run(&mut easing, &mut now, 200, true, |factor| if factor > 3.0 { 20_000 } else { 2_000 });
        assert_eq!(easing.factor, 2.0 * STRICT, "as much as goes without a queue");
        let mut replays = Easing::new();
        replays.handle_replay(now);
        run(&mut replays, &mut now, 1, true, |_| 50_000);
        assert_eq!(replays.factor, FACTOR_MAX);
        let mut narrow = Easing::new();
        let mut tried = 0;
        for _ in 0..300 {
            run(&mut narrow, &mut now, 1, true, |factor| if factor > 2.0 { 40_000 } else { 5_000 });
            tried += u32::from(narrow.factor > STRICT);
        }
        assert!(tried <= 12, "{tried}");
    }

    #[test]
    fn who_wants_more_than_fits_is_paced() {
        let (mut now, mut easing) = (Instant::now(), Easing::new());
        easing.handle_climb(now);
        run(&mut easing, &mut now, 9, false, |_| 0);
        assert_eq!(easing.factor, STRICT);
        run(&mut easing, &mut now, 3, true, |_| 0);
        assert_eq!(easing.factor, FACTOR_MAX, "no failure, no wait");
    }
}
