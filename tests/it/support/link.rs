//! One direction of a path: delay, jitter, loss, a bottleneck with a drop-tail queue, reordering. Seeded, so that a run can be repeated.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

/// How packets are lost.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    None,
    /// Each packet on its own.
    Bernoulli(f64),
    /// Two states: none is lost in the good one, `lost` of them in the bad one.
    GilbertElliott {
        to_bad: f64,
        to_good: f64,
        lost: f64,
    },
}

/// A path in one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub latency: Duration,
    /// Up to this much more; order is kept.
    pub jitter: Duration,
    pub loss: Loss,
    /// `None`: no bottleneck.
    pub rate_bps: Option<u64>,
    /// A packet that would wait longer than this at the bottleneck is dropped.
    pub queue: Duration,
    /// Share of packets that are overtaken by later ones.
    pub reorder: f64,
    /// Nothing passes.
    pub cut: bool,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: Loss::None,
            rate_bps: None,
            queue: Duration::from_millis(300),
            reorder: 0.0,
            cut: false,
        }
    }
}

impl Path {
    pub(crate) fn lossy(loss: f64) -> Self {
        Self { loss: Loss::Bernoulli(loss), ..Self::default() }
    }

    pub(crate) fn narrow(rate_bps: u64) -> Self {
        Self { rate_bps: Some(rate_bps), ..Self::default() }
    }
}

/// A path with what is on it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub path: Path,
    in_bad_state: bool,
    free_at: Option<Instant>,
    last_arrival: Option<Instant>,
    pub lost: u64,
    pub passed: u64,
}

impl Link {
    pub(crate) fn new(path: Path) -> Self {
        Self { path, ..Self::default() }
    }

    /// When the packet arrives; `None` when it does not.
    pub(crate) fn send(&mut self, now: Instant, packet: &[u8], rng: &mut StdRng) -> Option<Instant> {
        let arrival = self.arrival(now, packet, rng);
        match arrival {
            Some(_) => self.passed += 1,
            None => self.lost += 1,
        }
        arrival
    }

    fn arrival(&mut self, now: Instant, packet: &[u8], rng: &mut StdRng) -> Option<Instant> {
        // Every packet draws the same number of times, so that one packet's fate does not change another's.
        let (lost, jitter, overtaken) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<f64>());
        let loses = match self.path.loss {
            Loss::None => false,
            Loss::Bernoulli(share) => lost < share,
            Loss::GilbertElliott { to_bad, to_good, lost: share } => {
                let leave = if self.in_bad_state { to_good } else { to_bad };
                if jitter < leave {
                    self.in_bad_state = !self.in_bad_state;
                }
                self.in_bad_state && lost < share
            }
        };
        if loses || self.path.cut {
            return None;
        }
        let mut leaves = now;
        if let Some(rate) = self.path.rate_bps {
            // A handshake's signatures vary by a byte or two from run to run; timing must not.
            let bytes = if matches!(packet.first(), Some(20..=63)) { 1200 } else { packet.len() };
            let begins = self.free_at.map_or(now, |free| free.max(now));
            if begins - now > self.path.queue {
                return None;
            }
            leaves = begins + Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / rate);
            self.free_at = Some(leaves);
        }
        let arrival = leaves + self.path.latency + self.path.jitter.mul_f64(jitter);
        if overtaken < self.path.reorder {
            return Some(arrival + Duration::from_millis(15));
        }
        let arrival = self.last_arrival.map_or(arrival, |last| last.max(arrival));
        self.last_arrival = Some(arrival);
        Some(arrival)
    }
}
