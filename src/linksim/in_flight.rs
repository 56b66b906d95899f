//! What is on its way: soonest first, and what arrives in one instant in the order in which it set out. One queue for the relay, the load
//! generator and the tests on virtual time.

use std::collections::BTreeMap;
use std::time::Instant;

/// Things on their way, each with the moment of its arrival.
#[derive(Debug)]
pub struct InFlight<T> {
    by_arrival: BTreeMap<(Instant, u64), T>,
    /// Things that ever set out.
    order: u64,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { by_arrival: BTreeMap::new(), order: 0 }
    }
}

impl<T> InFlight<T> {
    /// `thing` sets out, to arrive `at`.
    pub fn push(&mut self, at: Instant, thing: T) {
        self.order += 1;
        self.by_arrival.insert((at, self.order), thing);
    }

    /// When the next thing arrives.
    pub fn next_at(&self) -> Option<Instant> {
        self.by_arrival.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing that has arrived by `now`.
    pub fn pop_arrived(&mut self, now: Instant) -> Option<T> {
        if self.next_at()? > now {
            return None;
        }
        self.by_arrival.pop_first().map(|(_, thing)| thing)
    }

    pub fn len(&self) -> usize {
        self.by_arrival.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_arrival.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn things_arrive_by_time_and_then_in_their_order() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut flights = InFlight::default();
        for (ms, name) in [(20, "late"), (10, "first"), (10, "second"), (30, "later")] {
            flights.push(at(ms), name);
        }
        assert_eq!((flights.next_at(), flights.pop_arrived(at(9))), (Some(at(10)), None));
        let arrived: Vec<_> = std::iter::from_fn(|| flights.pop_arrived(at(20))).collect();
        assert_eq!((arrived, flights.len()), (vec!["first", "second", "late"], 1));
    }
}
