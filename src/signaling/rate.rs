//! How often one client may do something: a token bucket on explicit time.

use std::time::{Duration, Instant};

/// Full at first; one token each time, one more every `refill`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenBucket {
    tokens: f64,
    most: f64,
    refill: Duration,
    at: Instant,
}

impl TokenBucket {
    pub(crate) fn new(now: Instant, most: u32, refill: Duration) -> Self {
        Self { tokens: f64::from(most), most: f64::from(most), refill, at: now }
    }

    /// Takes a token; `false` when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() / self.refill.as_secs_f64();
        self.tokens = (self.tokens + refilled).min(self.most);
        self.at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signaling::now::Now;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let start = Now::read().instant;
        let mut bucket = TokenBucket::new(start, 60, Duration::from_millis(50));
        assert!((0..60).all(|_| bucket.take(start)));
        assert!(!bucket.take(start));
        let second_later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| bucket.take(second_later)).count(), 20);
    }
}
