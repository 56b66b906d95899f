//! What all viewers together found. Counters are atomic because viewers run on several threads; the samples have a bound.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::clock;
use super::playback::Seen;
use super::reception::Counts;
use super::timeline::Timeline;
use crate::limits::{LOADGEN_FAILURE_KINDS_MAX, LOADGEN_SAMPLES_MAX};

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
    asked_again: AtomicU64,
    key_frames_asked: AtomicU64,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    joins: Vec<Duration>,
    latencies_ns: Vec<u64>,
    finished: Vec<Finished>,
    failures: BTreeMap<String, u64>,
}

/// What one viewer found, at its end.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) counts: Counts,
    pub(super) seen: Seen,
    pub(super) bits_per_second: f64,
    /// Empty unless it was asked for.
    pub(super) timeline: Timeline,
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
    pub(super) asked_again: u64,
    pub(super) key_frames_asked: u64,
    pub(super) joined: u64,
}

/// The lists at the end.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Ascending.
    pub(super) joins: Vec<Duration>,
    /// Ascending.
    pub(super) latencies_ns: Vec<u64>,
    pub(super) finished: Vec<Finished>,
    /// Why viewers failed, and how many of each.
    pub(super) failures: BTreeMap<String, u64>,
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
            asked_again: zero(),
            key_frames_asked: zero(),
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
        // The first line says what; the rest, a description, is different each time.
        let reason = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
        let failures = &mut self.lists().failures;
        if failures.len() < LOADGEN_FAILURE_KINDS_MAX || failures.contains_key(&reason) {
            *failures.entry(reason).or_default() += 1;
        }
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

    pub(super) fn finished(&self, finished: Finished) {
        let mut lists = self.lists();
        if lists.finished.len() < LOADGEN_SAMPLES_MAX {
            lists.finished.push(finished);
        }
    }

    pub(super) fn asked_again(&self, packets: usize) {
        self.asked_again.fetch_add(packets as u64, Relaxed);
    }

    pub(super) fn asked_for_key_frame(&self) {
        self.key_frames_asked.fetch_add(1, Relaxed);
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
            asked_again: self.asked_again.load(Relaxed),
            key_frames_asked: self.key_frames_asked.load(Relaxed),
            joined: self.lists().joins.len() as u64,
        }
    }

    /// Forgets the latencies of joining; what follows is the measurement.
    pub(super) fn begin_measurement(&self) {
        self.lists().latencies_ns.clear();
    }

    pub(super) fn findings(&self) -> Findings {
        let lists = std::mem::take(&mut *self.lists());
        let Lists { mut joins, mut latencies_ns, finished, failures } = lists;
        joins.sort_unstable();
        latencies_ns.sort_unstable();
        Findings { joins, latencies_ns, finished, failures }
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
    fn failures_are_counted_by_their_reason() {
        let tally = Tally::new();
        for _ in 0..2 {
            tally.failed(&anyhow::anyhow!("ICE or DTLS took too long"));
        }
        tally.failed(&anyhow::anyhow!("404 Not Found: gone\nand more"));
        let failures = tally.findings().failures;
        assert_eq!(
            failures.into_iter().collect::<Vec<_>>(),
            [("404 Not Found: gone".to_owned(), 1), ("ICE or DTLS took too long".to_owned(), 2)]
        );
    }

    #[test]
    fn quantiles_of_small_lists() {
        assert_eq!(quantile::<u32>(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.99), Some(7));
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.5), Some(3));
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.99), Some(5));
    }
}
