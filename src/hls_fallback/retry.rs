//! When a child that ended may begin again: later each time, unless it had proven itself. Pure.

use std::time::{Duration, Instant};

use crate::limits::{HLS_ENCODER_PROVEN, HLS_ENCODER_RETRY};

/// See the file's head.
#[derive(Debug)]
pub(super) struct Retry {
    /// What the next child that ends waits for.
    pause: Duration,
    until: Option<Instant>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { pause: HLS_ENCODER_RETRY.0, until: None }
    }
}

impl Retry {
    /// A child that began at `began` has ended: how long the next one waits.
    pub(super) fn handle_end(&mut self, now: Instant, began: Instant) -> Duration {
        let has_proven = now.saturating_duration_since(began) >= HLS_ENCODER_PROVEN;
        let pause = if has_proven { HLS_ENCODER_RETRY.0 } else { self.pause };
        self.until = Some(now + pause);
        self.pause = (pause * 2).min(HLS_ENCODER_RETRY.1);
        pause
    }

    /// Whether a child may begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls_fallback::test_support::epoch;

    #[test]
    fn each_child_that_dies_young_makes_the_next_one_wait_longer_and_one_that_lived_none() {
        let (first, longest) = HLS_ENCODER_RETRY;
        let (mut now, mut retry) = (epoch(), Retry::default());
        assert!(retry.is_due(now));
        let mut expected = first;
        for _ in 0..12 {
            assert_eq!(retry.handle_end(now, now), expected);
            assert!(!retry.is_due(now) && retry.is_due(now + expected));
            now += expected;
            expected = (expected * 2).min(longest);
        }
        assert_eq!(expected, longest);
        assert_eq!(retry.handle_end(now + HLS_ENCODER_PROVEN, now), first);
        assert_eq!(retry.handle_end(now, now), first * 2);
    }
}
