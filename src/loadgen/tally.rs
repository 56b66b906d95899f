//! What all viewers together found. Counters are atomic because viewers run on several threads; the samples have a bound.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::clock;
use super::reception::Counts;
use crate::limits::LOADGEN_SAMPLES_MAX;

/// Shared by all viewers of a run.
pub(super) struct Tally {
    /// Zero of the arrival times in feedback.
    pub(super) epoch: Instant,
    connected: AtomicU64,
    failed: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    retransmissions: AtomicU64,
    strangers: AtomicU64,
    decrypted: AtomicU64,
    not_decrypted: AtomicU64,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    joins: Vec<Duration>,
    latencies_ns: Vec<u64>,
    streams: Counts,
    first_failure: Option<String>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) connected: u64,
    pub(super) failed: u64,
    pub(super) retransmissions: u64,
    pub(super) strangers: u64,
    pub(super) decrypted: u64,
    pub(super) not_decrypted: u64,
    pub(super) joined: u64,
}

/// The lists at the end.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Ascending.
    pub(super) joins: Vec<Duration>,
    /// Ascending.
    pub(super) latencies_ns: Vec<u64>,
    pub(super) streams: Counts,
    pub(super) first_failure: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            epoch: clock::now(),
            connected: zero(),
            failed: zero(),
            packets: zero(),
            bytes: zero(),
            retransmissions: zero(),
            strangers: zero(),
            decrypted: zero(),
            not_decrypted: zero(),
            lists: Mutex::default(),
        }
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.lists.lock().expect("nothing panics while it holds the lists")
    }

    pub(super) fn connected(&self) {
        self.connected.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self, error: &anyhow::Error) {
        self.failed.fetch_add(1, Relaxed);
        self.lists().first_failure.get_or_insert_with(|| format!("{error:#}"));
    }

    pub(super) fn joined(&self, after: Duration) {
        self.lists().joins.push(after);
    }

    pub(super) fn packet(&self, bytes: usize) {
        self.packets.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn retransmission(&self) {
        self.retransmissions.fetch_add(1, Relaxed);
    }

    pub(super) fn stranger(&self) {
        self.strangers.fetch_add(1, Relaxed);
    }

    pub(super) fn decrypted(&self) {
        self.decrypted.fetch_add(1, Relaxed);
    }

    pub(super) fn not_decrypted(&self) {
        self.not_decrypted.fetch_add(1, Relaxed);
    }

    pub(super) fn latency(&self, ns: u64) {
        let mut lists = self.lists();
        if lists.latencies_ns.len() < LOADGEN_SAMPLES_MAX {
            lists.latencies_ns.push(ns);
        }
    }

    pub(super) fn stream(&self, counts: Counts) {
        let mut lists = self.lists();
        lists.streams.received += counts.received;
        lists.streams.lost += counts.lost;
        lists.streams.duplicated += counts.duplicated;
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            connected: self.connected.load(Relaxed),
            failed: self.failed.load(Relaxed),
            retransmissions: self.retransmissions.load(Relaxed),
            strangers: self.strangers.load(Relaxed),
            decrypted: self.decrypted.load(Relaxed),
            not_decrypted: self.not_decrypted.load(Relaxed),
            joined: self.lists().joins.len() as u64,
        }
    }

    /// Forgets the latencies of joining; what follows is the measurement.
    pub(super) fn begin_measurement(&self) {
        self.lists().latencies_ns.clear();
    }

    pub(super) fn findings(&self) -> Findings {
        let lists = std::mem::take(&mut *self.lists());
        let Lists { mut joins, mut latencies_ns, streams, first_failure } = lists;
        joins.sort_unstable();
        latencies_ns.sort_unstable();
        Findings { joins, latencies_ns, streams, first_failure }
    }
}

/// The value below which a share of a sorted list lies; `None` for an empty one.
pub(super) fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_small_lists() {
        assert_eq!(quantile::<u32>(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.99), Some(7));
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.5), Some(3));
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.99), Some(5));
    }
}
