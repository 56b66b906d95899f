//! When each frame and each audio packet is due: absolute times from one start, so nothing drifts, and timestamps that go on across
//! the seam of the loop. Pure: the clock is handed in. Invariant: timestamps advance by exactly 3000 and 960 for ever (modulo 2^32).

use std::time::Duration;

use super::choreography::{FRAME_RATE, FRAMES};

/// RTP ticks of the video clock per frame (90 kHz, 30 frames a second).
pub(super) const VIDEO_TICKS: u32 = 90_000 / FRAME_RATE as u32;
/// RTP ticks of an Opus packet of 20 ms (48 kHz).
pub(super) const AUDIO_TICKS: u32 = 960;
/// Audio packets of the loop.
pub(super) const AUDIO_PACKETS: usize = FRAMES / FRAME_RATE * 50;

/// A publisher that falls further behind than this (a suspended laptop) starts again at the present instead of sending the past in one burst.
const LATE_MAX: Duration = crate::limits::DEMO_LATE_MAX;

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// This frame of the loop, on every layer, with this many ticks since the start.
    Frame { index: usize, ticks: u32 },
    /// This audio packet of the loop.
    Audio { index: usize, ticks: u32 },
}

/// The publisher's score. Times are since its start.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    frames: u64,
    audio: u64,
}

impl Schedule {
    fn frame_at(&self) -> Duration {
        Duration::from_nanos(self.frames * 1_000_000_000 / FRAME_RATE as u64)
    }

    fn audio_at(&self) -> Duration {
        Duration::from_millis(self.audio * 20)
    }

    /// When the next piece is due.
    pub(super) fn wake_at(&self) -> Duration {
        self.frame_at().min(self.audio_at())
    }

    /// The next piece that is due at `now`, if any. Call until `None`.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Due> {
        if now > self.wake_at() + LATE_MAX {
            self.skip_to(now);
        }
        if self.wake_at() > now {
            return None;
        }
        if self.frame_at() <= self.audio_at() {
            let due = Due::Frame { index: (self.frames % FRAMES as u64) as usize, ticks: (self.frames as u32).wrapping_mul(VIDEO_TICKS) };
            self.frames += 1;
            Some(due)
        } else {
            let due =
                Due::Audio { index: (self.audio % AUDIO_PACKETS as u64) as usize, ticks: (self.audio as u32).wrapping_mul(AUDIO_TICKS) };
            self.audio += 1;
            Some(due)
        }
    }

    /// Goes on with the first key frame that is not in the past; the timestamps jump with it.
    fn skip_to(&mut self, now: Duration) {
        let whole_seconds = now.as_secs() + 1;
        let even = whole_seconds.next_multiple_of(2);
        self.frames = even * FRAME_RATE as u64;
        self.audio = even * 50;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_drifts_by_nothing() {
        let day = Duration::from_secs(24 * 3600);
        let mut schedule = Schedule { frames: 24 * 3600 * 30, audio: 24 * 3600 * 50 };
        assert_eq!(schedule.wake_at(), day);
        assert_eq!(schedule.poll(day), Some(Due::Frame { index: 0, ticks: (24_u32 * 3600 * 30).wrapping_mul(3000) }));
    }

    #[test]
    fn timestamps_go_on_across_the_seam() {
        let mut schedule = Schedule::default();
        let (mut frames, mut audio) = (Vec::new(), Vec::new());
        for tick in 0..52_000 {
            while let Some(due) = schedule.poll(Duration::from_millis(tick)) {
                match due {
                    Due::Frame { index, ticks } => frames.push((index, ticks)),
                    Due::Audio { index, ticks } => audio.push((index, ticks)),
                }
            }
        }
        assert_eq!((frames.len(), audio.len()), (1560, 2600));
        assert!(frames.windows(2).all(|pair| pair[1].1 - pair[0].1 == 3000));
        assert!(audio.windows(2).all(|pair| pair[1].1 - pair[0].1 == 960));
        assert_eq!((frames[1499].0, frames[1500].0), (1499, 0));
        assert_eq!((audio[2499].0, audio[2500].0), (2499, 0));
    }

    #[test]
    fn after_a_long_sleep_it_goes_on_at_a_key_frame_in_step() {
        let mut schedule = Schedule::default();
        let late = Duration::from_secs(101);
        assert_eq!(schedule.poll(late), None);
        assert_eq!(schedule.wake_at(), Duration::from_secs(102));
        let due = schedule.poll(Duration::from_secs(102));
        assert!(matches!(due, Some(Due::Frame { index, .. }) if index % 60 == 0), "{due:?}");
        assert!(matches!(schedule.poll(Duration::from_secs(102)), Some(Due::Audio { index, .. }) if index == 100));
    }
}
