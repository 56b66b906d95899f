//! Paced sending: which peers have something to send later, soonest first. One queue of moments per worker, no timer per viewer.
//!
//! It holds *when*, not *what*. A peer that has something to send asks for a turn ([`TurnQueue::ask`]); when the turn comes, the engine
//! (`engine/turns.rs`) asks each of the peer's sources in order of urgency what is due, sends one piece of it, and asks for the next
//! turn if anything is left:
//! ```text
//!   ask(peer, at) ─▶ heap ─▶ next_due(now) ─▶ take_turn(peer): first report · repairs · replays · (padding, by the same rule)
//!        ▲                                         │
//!        └─────────── soonest of what is left ─────┘
//! ```
//! A source is anything that keeps its own position and the moment its next piece is due, like [`crate::sfu::replay::Replay`]; packets are
//! not copied in. Retransmissions that must wait keep sequence numbers ([`crate::sfu::resend::Resends`]), padding probes a count of bytes:
//! they are further sources, asked in the same turn, and nothing here changes for them. A peer has at most one live entry: an earlier turn replaces a later one, which is
//! skipped when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::limits;

/// What may leave to one peer at once: a bucket that fills at the pacing rate (`congestion/easing.rs`), for media and repairs alike.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Zero: not known, nothing is spread.
    rate_bps: u32,
    /// When all that has left would have left at this rate.
    spent_until: Option<Instant>,
}

impl Pace {
    pub fn set_rate(&mut self, bps: u32) {
        self.rate_bps = bps;
    }

    /// Bytes that may leave now; not positive: none.
    pub fn room(&self, now: Instant) -> i64 {
        if self.rate_bps == 0 {
            return i64::MAX;
        }
        self.bytes_in(limits::PACE_BURST)
            - self.bytes_in(self.spent_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }

    /// When there is room again.
    pub fn free_at(&self, now: Instant) -> Instant {
        let full = self.spent_until.and_then(|until| until.checked_sub(limits::PACE_BURST)).filter(|_| self.rate_bps > 0);
        // A moment later: at that one there is none yet.
        full.map_or(now, |at| at.max(now) + Duration::from_micros(100))
    }

    /// So many bytes left.
    pub fn spend(&mut self, now: Instant, bytes: usize) {
        if self.rate_bps > 0 {
            let takes = Duration::from_nanos(bytes as u64 * 8_000_000_000 / u64::from(self.rate_bps));
            self.spent_until = Some(self.spent_until.map_or(now, |until| until.max(now)) + takes);
        }
    }

    /// Bits per second.
    pub fn rate_bps(&self) -> u32 {
        self.rate_bps
    }

    fn bytes_in(&self, time: Duration) -> i64 {
        (u64::from(self.rate_bps) * time.as_micros() as u64 / 8_000_000) as i64
    }
}

/// When the next may leave after `bytes` left now that were due at `due`. A little lateness is caught up by a burst, more moves the schedule.
pub fn paced(due: Instant, now: Instant, bytes: usize, rate_bps: u32) -> Instant {
    let takes = Duration::from_secs_f64(bytes as f64 * 8.0 / f64::from(rate_bps.max(1)));
    due.max(now.checked_sub(limits::PACE_CATCH_UP_MAX).unwrap_or(now)) + takes
}

/// The turns of one worker's peers.
#[derive(Debug, Default)]
pub struct TurnQueue {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// By peer key: the turn that counts.
    asked: Vec<Option<Instant>>,
}

impl TurnQueue {
    /// Makes room for a peer, so that asking allocates nothing.
    pub fn reserve(&mut self, peer: usize) {
        if self.asked.len() <= peer {
            self.asked.resize(peer + 1, None);
        }
        self.heap.reserve(self.asked.len().saturating_sub(self.heap.len()));
    }

    /// The peer has something to send at `at`.
    pub fn ask(&mut self, peer: usize, at: Instant) {
        let Some(asked) = self.asked.get_mut(peer) else { return };
        if asked.is_none_or(|present| at < present) {
            *asked = Some(at);
            self.heap.push(Reverse((at, peer)));
        }
    }

    /// The next peer whose turn has come; its turn is then over.
    pub fn next_due(&mut self, now: Instant) -> Option<usize> {
        while let Some(&Reverse((at, peer))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            // A turn that an earlier one replaced, or whose peer is gone.
            if self.asked.get(peer).copied().flatten() == Some(at) {
                self.asked[peer] = None;
                return Some(peer);
            }
        }
        None
    }

    /// When the next turn is due; perhaps sooner than it need be, by a turn that no longer counts.
    pub fn wake_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The peer is gone.
    pub fn forget(&mut self, peer: usize) {
        if let Some(asked) = self.asked.get_mut(peer) {
            *asked = None;
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_at_once_and_a_larger_one_is_spread() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace::default();
        assert_eq!(pace.room(now), i64::MAX, "nothing is known yet");
        pace.set_rate(20_000_000);
        assert_eq!(pace.room(now), 12_500);
        pace.spend(now, 10_417);
        assert!((pace.room(now) - 2_083).abs() < 10, "an ordinary frame: {}", pace.room(now));
        assert_eq!(pace.room(now + ms(33)), 12_500, "and by the next one it is forgotten");
        pace.spend(now + ms(33), 40_000);
        assert!(pace.room(now + ms(40)) < 0);
        assert_eq!(pace.room(now + ms(49)), 12_500);
        let full = now + ms(40);
        let free = pace.free_at(full);
        assert!(
            free > full && pace.room(free) > 0 && pace.room(free - Duration::from_micros(200)) <= 0,
            "the moment when there is room again"
        );
    }

    #[test]
    fn turns_come_soonest_first_and_each_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut turns = TurnQueue::default();
        (0..4).for_each(|peer| turns.reserve(peer));
        turns.ask(0, at(30));
        turns.ask(1, at(10));
        turns.ask(2, at(20));
        turns.ask(0, at(5));
        turns.ask(1, at(40));
        turns.forget(2);
        assert_eq!(turns.next_due(at(4)), None);
        assert_eq!(turns.wake_at(), Some(at(5)));
        assert_eq!(turns.next_due(at(50)), Some(0));
        assert_eq!(turns.next_due(at(50)), Some(1));
        assert_eq!(turns.next_due(at(50)), None);
        assert_eq!(turns.wake_at(), None);
    }

    #[test]
    fn peers_that_ask_again_and_again_leave_nothing_behind() {
        let start = Instant::now();
        let mut turns = TurnQueue::default();
        turns.reserve(0);
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            turns.ask(0, now + Duration::from_millis(50));
            turns.ask(0, now + Duration::from_millis(1));
            turns.next_due(now);
        }
        assert!(turns.heap.len() <= 100, "{}", turns.heap.len());
    }
}
