//! Forwarding latency inside the server, as a distribution: from when a packet may have reached our socket until the last of the viewers that
//! are sent its run at once was sent it. The wait for the rest of a frame (`limits::RUN_WAIT`) and the way to another worker count; frames that
//! are spread over time for their viewer on purpose do not.

use std::time::{Duration, Instant};

use crate::limits::FORWARDING_CLASSES_US;

/// Packets forwarded, by how long they took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencyClasses([u64; FORWARDING_CLASSES_US.len() + 1]);

impl LatencyClasses {
    pub fn add(&mut self, latency: Duration, packets: u64) {
        let class = FORWARDING_CLASSES_US.partition_point(|bound| u128::from(*bound) < latency.as_micros());
        self.0[class] += packets;
    }

    /// Each class's upper bound with its packets beyond those of `before`; the slowest class has the last bound's double.
    pub fn since(&self, before: &Self) -> impl Iterator<Item = (Duration, u64)> {
        let last = FORWARDING_CLASSES_US[FORWARDING_CLASSES_US.len() - 1];
        let bounds = FORWARDING_CLASSES_US.into_iter().chain([2 * last]).map(Duration::from_micros);
        let packets = self.0.into_iter().zip(before.0).map(|(now, before)| now.saturating_sub(before));
        bounds.zip(packets)
    }
}

/// Packets of one run that went out in this turn, counted once for each viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// When the first of them was read from the socket.
    pub received: Instant,
    pub packets: u64,
}

/// What went out in a turn, until the turn is over. Keeps its memory.
#[derive(Debug, Default)]
pub struct TurnLog {
    runs: Vec<Forwarded>,
}

impl TurnLog {
    /// More than a turn of a busy worker has; those beyond count as old as the oldest of them.
    const RUNS: usize = 64;

    pub fn push(&mut self, run: Forwarded) {
        if run.packets == 0 {
            return;
        }
        let is_full = self.runs.len() == Self::RUNS;
        match self.runs.last_mut().filter(|_| is_full) {
            Some(last) => *last = Forwarded { received: last.received.min(run.received), packets: last.packets + run.packets },
            None => self.runs.push(run),
        }
    }

    /// Empties it.
    pub fn drain(&mut self) -> impl Iterator<Item = Forwarded> {
        self.runs.drain(..)
    }
}

/// When what a turn reads may have arrived: the end of a sleep wakes at once, but what comes while a turn is at work waits for the next one.
#[derive(Debug)]
pub struct Arrival {
    /// When the last turn began to read, and when it was over.
    began: Instant,
    ended: Instant,
}

impl Arrival {
    /// A worker that found nothing to do for this long was asleep.
    const ASLEEP: Duration = Duration::from_micros(50);

    pub const fn new(now: Instant) -> Self {
        Self { began: now, ended: now }
    }

    /// A turn begins. Returns how long what it reads may have waited already.
    pub fn begin(&mut self, now: Instant) -> Duration {
        let was_asleep = now.saturating_duration_since(self.ended) >= Self::ASLEEP;
        let waited = if was_asleep { Duration::ZERO } else { now.saturating_duration_since(self.began) };
        self.began = now;
        waited
    }

    pub fn end(&mut self, now: Instant) {
        self.ended = now;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    const fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn each_latency_has_a_class_whose_bound_it_does_not_pass() {
        let mut classes = LatencyClasses::default();
        let before = classes.clone();
        for (latency, packets) in [(0, 1), (100, 2), (101, 4), (2_999, 8), (3_000, 16), (100_001, 32)] {
            classes.add(us(latency), packets);
        }
        let found: Vec<_> = classes.since(&before).filter(|(_, packets)| *packets > 0).collect();
        assert_eq!(found, [(us(100), 3), (us(200), 4), (us(3_000), 24), (us(200_000), 32)]);
        assert_eq!(classes.since(&classes).map(|(_, packets)| packets).sum::<u64>(), 0);
    }

    #[test]
    fn a_turn_with_more_runs_than_are_kept_loses_no_packet_and_makes_none_younger() {
        let (mut log, start) = (TurnLog::default(), Instant::now());
        let runs = TurnLog::RUNS as u64;
        for index in 0..runs + 2 {
            log.push(Forwarded { received: start + us(1_000 - index), packets: 3 });
        }
        log.push(Forwarded { received: start, packets: 0 });
        let found: Vec<_> = log.drain().collect();
        assert_eq!(found.len() as u64, runs);
        assert_eq!(found.iter().map(|run| run.packets).sum::<u64>(), 3 * (runs + 2));
        assert_eq!(found.last().map(|run| run.received), Some(start + us(1_000 - runs - 1)));
        assert_eq!(log.drain().count(), 0);
    }

    #[test]
    fn what_comes_while_a_turn_works_has_waited_since_that_turn_read() {
        let start = Instant::now();
        let mut arrival = Arrival::new(start);
        assert_eq!(arrival.begin(start + us(5_000)), us(0), "it slept");
        arrival.end(start + us(5_800));
        assert_eq!(arrival.begin(start + us(5_810)), us(810));
        arrival.end(start + us(5_900));
        assert_eq!(arrival.begin(start + us(5_950)), us(0));
    }
}
