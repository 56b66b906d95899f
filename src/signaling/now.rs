//! The moment at which something is handled: read once by a shell, handed down to everything that decides.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::social::clock::UnixMs;

/// One moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Now {
    /// For deadlines.
    pub(crate) instant: Instant,
    /// Wall clock, ms since the Unix epoch, for people and tokens.
    pub(crate) unix_ms: f64,
}

impl Now {
    /// Reads both clocks. Only shells call this.
    #[expect(clippy::disallowed_methods, reason = "the one place where the control plane reads a clock")]
    pub(crate) fn read() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix_ms: since_epoch.as_secs_f64() * 1000.0 }
    }

    /// For the social plane.
    pub(crate) const fn unix(self) -> UnixMs {
        UnixMs(self.unix_ms as u64)
    }

    /// For tokens.
    pub(crate) const fn unix_s(self) -> u64 {
        (self.unix_ms / 1000.0) as u64
    }

    /// The moment `later` after this one.
    #[must_use]
    pub(crate) fn after(self, later: Duration) -> Self {
        Self { instant: self.instant + later, unix_ms: self.unix_ms + later.as_secs_f64() * 1000.0 }
    }
}
