//! One direction of a path: delay, jitter, loss, a bottleneck with a drop-tail queue, reordering. Seeded, so that a run can be repeated.
//!
//! ```text
//! packet ─▶ lost? ─▶ bottleneck: waits for those before it, or finds the queue full ─▶ latency + jitter ─▶ arrival
//! ```
//! Pure: `now` and a packet in, its arrival out. A packet's fate is sealed when it enters: those in the queue when the rate changes still
//! leave at the old rate.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

/// How much later than in its turn a packet arrives that is overtaken.
const OVERTAKEN_BY: Duration = Duration::from_millis(15);
/// What a DTLS datagram counts for at the bottleneck: a handshake's signatures vary by a byte or two from run to run; timing must not.
const DTLS_BYTES: usize = 1200;

/// How packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    None,
    /// Each packet on its own.
    Bernoulli(f64),
    /// Two states: none is lost in the good one, `lost` of them in the bad one. The others are the chances, at each packet, to change.
    GilbertElliott {
        to_bad: f64,
        to_good: f64,
        lost: f64,
    },
}

/// A path in one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
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
    /// A wide path of 20 ms.
    fn default() -> Self {
        Self { latency: Duration::from_millis(20), ..Self::CLEAR }
    }
}

impl Path {
    /// As if it were not there.
    pub const CLEAR: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Loss::None,
        rate_bps: None,
        queue: Duration::from_millis(300),
        reorder: 0.0,
        cut: false,
    };

    /// The default path, losing this share of its packets.
    pub fn lossy(loss: f64) -> Self {
        Self { loss: Loss::Bernoulli(loss), ..Self::default() }
    }

    /// The default path with a bottleneck.
    pub fn narrow(rate_bps: u64) -> Self {
        Self { rate_bps: Some(rate_bps), ..Self::default() }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives(Instant),
    /// By the model of loss, or because the path is cut.
    Lost,
    /// No room in the queue.
    Overflowed,
}

/// A path with what is on it.
#[derive(Debug, Default)]
pub struct Link {
    pub path: Path,
    in_bad_state: bool,
    free_at: Option<Instant>,
    last_arrival: Option<Instant>,
    /// Packets that did not arrive, for whatever reason.
    pub lost: u64,
    /// Packets that arrived or will.
    pub passed: u64,
}

impl Link {
    /// Nothing on it yet.
    pub fn new(path: Path) -> Self {
        Self { path, ..Self::default() }
    }

    /// When the packet arrives; `None` when it does not.
    pub fn send(&mut self, now: Instant, packet: &[u8], rng: &mut StdRng) -> Option<Instant> {
        match self.pass(now, packet, rng) {
            Fate::Arrives(at) => Some(at),
            Fate::Lost | Fate::Overflowed => None,
        }
    }

    /// What becomes of the packet.
    pub fn pass(&mut self, now: Instant, packet: &[u8], rng: &mut StdRng) -> Fate {
        let fate = self.fate(now, packet, rng);
        match fate {
            Fate::Arrives(_) => self.passed += 1,
            Fate::Lost | Fate::Overflowed => self.lost += 1,
        }
        fate
    }

    fn fate(&mut self, now: Instant, packet: &[u8], rng: &mut StdRng) -> Fate {
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
            return Fate::Lost;
        }
        let mut leaves = now;
        if let Some(rate) = self.path.rate_bps {
            let bytes = if matches!(packet.first(), Some(20..=63)) { DTLS_BYTES } else { packet.len() };
            let begins = self.free_at.map_or(now, |free| free.max(now));
            if begins - now > self.path.queue {
                return Fate::Overflowed;
            }
            leaves = begins + Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / rate);
            self.free_at = Some(leaves);
        }
        let arrival = leaves + self.path.latency + self.path.jitter.mul_f64(jitter);
        if overtaken < self.path.reorder {
            return Fate::Arrives(arrival + OVERTAKEN_BY);
        }
        let arrival = self.last_arrival.map_or(arrival, |last| last.max(arrival));
        self.last_arrival = Some(arrival);
        Fate::Arrives(arrival)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    const PACKET: [u8; 1000] = [0x80; 1000];

    #[test]
    fn a_bottleneck_spaces_packets_and_drops_what_would_wait_too_long() {
        // A thousand bytes at 800 kbit/s: 10 ms each.
        let path = Path { rate_bps: Some(800_000), queue: Duration::from_millis(25), ..Path::default() };
        let (mut link, mut rng, now) = (Link::new(path), StdRng::seed_from_u64(1), start());
        let fates: Vec<Fate> = (0..5).map(|_| link.pass(now, &PACKET, &mut rng)).collect();
        let at = |ms| Fate::Arrives(now + Duration::from_millis(ms));
        assert_eq!(fates, [at(30), at(40), at(50), Fate::Overflowed, Fate::Overflowed]);
        assert_eq!((link.passed, link.lost), (3, 2));
        assert_eq!(link.pass(now + Duration::from_millis(30), &PACKET, &mut rng), at(60), "an empty queue is no delay");
    }

    #[test]
    fn bursts_lose_the_share_that_their_chances_give() {
        // In the bad state one packet in five, of which 60 % are lost.
        let loss = Loss::GilbertElliott { to_bad: 0.05, to_good: 0.2, lost: 0.6 };
        let (mut link, mut rng, now) = (Link::new(Path { loss, ..Path::default() }), StdRng::seed_from_u64(2), start());
        for _ in 0..100_000 {
            link.pass(now, &PACKET, &mut rng);
        }
        let share = link.lost as f64 / 100_000.0;
        assert!((0.11..0.13).contains(&share), "{share}");
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let now = start();
        let arrivals = |path: Path| -> Vec<Instant> {
            let (mut link, mut rng) = (Link::new(path), StdRng::seed_from_u64(3));
            (0..1000).filter_map(|ms| link.send(now + Duration::from_millis(ms), &PACKET, &mut rng)).collect()
        };
        let jittered = arrivals(Path { jitter: Duration::from_millis(30), ..Path::default() });
        assert!(jittered.is_sorted() && jittered.len() == 1000);
        let overtaken = arrivals(Path { reorder: 0.1, ..Path::default() });
        let late = overtaken.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((50..150).contains(&late), "{late}");
    }
}
