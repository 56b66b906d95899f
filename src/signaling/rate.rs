//! How many messages one client may send: a token bucket on explicit time.

use std::time::Instant;

use crate::limits::{CLIENT_MESSAGE_BURST, CLIENT_MESSAGES_PER_S};

/// Full at first; one token a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageRate {
    tokens: f64,
    at: Instant,
}

impl MessageRate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: f64::from(CLIENT_MESSAGE_BURST), at: now }
    }

    /// Takes a token; `false` when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let refill = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(CLIENT_MESSAGES_PER_S);
        self.tokens = (self.tokens + refill).min(f64::from(CLIENT_MESSAGE_BURST));
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
    use std::time::Duration;

    use super::*;
    use crate::signaling::now::Now;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let start = Now::read().instant;
        let mut rate = MessageRate::new(start);
        assert!((0..CLIENT_MESSAGE_BURST).all(|_| rate.take(start)));
        assert!(!rate.take(start));
        let second_later = start + Duration::from_secs(1);
        let passed = (0..100).filter(|_| rate.take(second_later)).count();
        assert_eq!(passed, CLIENT_MESSAGES_PER_S as usize);
    }
}
