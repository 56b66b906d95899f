//! How often something may be done that others are told of: a burst, then one each interval.

use std::time::Duration;

use super::refusal::CallRefusal;
use crate::social::clock::UnixMs;

/// See the file's head. Kept as the moment at which it is full again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    full_at: UnixMs,
    burst: u32,
    interval: Duration,
}

impl Allowance {
    pub(super) const fn new(now: UnixMs, burst: u32, interval: Duration) -> Self {
        Self { full_at: now, burst, interval }
    }

    /// All of it may be used.
    pub(super) fn is_full(&self, now: UnixMs) -> bool {
        self.full_at <= now
    }

    pub(super) fn take(&mut self, now: UnixMs) -> Result<(), CallRefusal> {
        let full_at = self.full_at.max(now).after(self.interval);
        let over = full_at.since(now.after(self.interval * self.burst));
        if !over.is_zero() {
            return Err(CallRefusal::TooFast { wait_ms: over.as_millis() as u32 });
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let mut allowance = Allowance::new(UnixMs(1_000), 3, Duration::from_millis(100));
        assert!((0..3).all(|_| allowance.take(UnixMs(1_000)).is_ok()));
        assert_eq!(allowance.take(UnixMs(1_010)), Err(CallRefusal::TooFast { wait_ms: 90 }));
        assert_eq!(allowance.take(UnixMs(1_100)), Ok(()));
        assert!(allowance.take(UnixMs(1_100)).is_err());
        assert_eq!((0..10).filter(|_| allowance.take(UnixMs(9_000)).is_ok()).count(), 3);
    }
}
