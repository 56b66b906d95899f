//! Whether recording works, told once when it stops and once when it works again. One for each recording; the node counts those that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::gauge;

use crate::ids::BroadcastId;
use crate::telemetry::HLS_DVR_DEGRADED;

/// Recordings of this node that do not work now.
#[derive(Debug, Clone, Default)]
pub(super) struct Degraded(Arc<AtomicUsize>);

impl Degraded {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn moved(&self) {
        gauge!(HLS_DVR_DEGRADED).set(self.count() as f64);
    }
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Alarm {
    broadcast: BroadcastId,
    degraded: Degraded,
    is_raised: bool,
}

impl Alarm {
    pub(super) fn new(broadcast: BroadcastId, degraded: Degraded) -> Self {
        Self { broadcast, degraded, is_raised: false }
    }

    pub(super) fn failed(&mut self, reason: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.is_raised, true) {
            self.degraded.0.fetch_add(1, Ordering::Relaxed);
            self.degraded.moved();
            tracing::error!(broadcast = %self.broadcast, %reason, "the recording does not work: the broadcast goes on live, and what is missed is a gap in its replay");
        }
    }

    pub(super) fn worked(&mut self) {
        if std::mem::take(&mut self.is_raised) {
            self.degraded.0.fetch_sub(1, Ordering::Relaxed);
            self.degraded.moved();
            tracing::info!(broadcast = %self.broadcast, "the recording works again");
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.is_raised {
            self.degraded.0.fetch_sub(1, Ordering::Relaxed);
            self.degraded.moved();
        }
    }
}
