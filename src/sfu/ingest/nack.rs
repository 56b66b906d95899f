//! Which packets of one received stream are missing, and when to ask for them again (RFC 4585 section 6.2.1).
//!
//! It only names sequence numbers; the caller writes the NACK. Every missing packet leaves the list by arriving, by age, by tries or by
//! the list running over, and the last three raise the need of a key frame.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{NACK_AGE_MAX, NACK_MISSING_MAX, NACK_TRIES_MAX};
use crate::sfu::rtp::seq::SeqNo;

/// Reordering is given this long before the first request; it almost never exceeds it on a publisher's path.
const REORDER_WAIT: Duration = Duration::from_millis(10);
/// Packets after the gap, the one that revealed it included, that make reordering unlikely before the wait is over.
const REORDER_PACKETS: u64 = 2;
/// Shortest spacing of requests for the same packet, for round trips that are shorter than the sender's own scheduling.
const SPACING_MIN: Duration = Duration::from_millis(20);

/// What a packet is to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far.
    Newest,
    /// Fills a hole, late or retransmitted.
    Filled,
    /// Neither: received before, or from before the first one, or given up.
    Unexpected,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    seq: SeqNo,
    noticed: Instant,
    /// Value of the arrival counter when the gap was seen.
    noticed_at: u64,
    tries: u8,
    due: Instant,
}

/// The missing packets of one received stream.
#[derive(Debug, Default)]
pub struct NackGenerator {
    highest: Option<SeqNo>,
    arrivals: u64,
    /// Ascending by sequence number.
    missing: VecDeque<Missing>,
    needs_keyframe: bool,
}

impl NackGenerator {
    /// Nothing received, nothing allocated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a packet, received or recovered from a retransmission.
    pub fn on_packet(&mut self, now: Instant, seq: SeqNo) -> Arrival {
        self.arrivals += 1;
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return Arrival::Newest;
        };
        let arrival = if seq > highest {
            self.highest = Some(seq);
            self.note_gap(now, highest.next().0..seq.0);
            Arrival::Newest
        } else if let Ok(at) = self.missing.binary_search_by_key(&seq, |missing| missing.seq) {
            self.missing.remove(at);
            Arrival::Filled
        } else {
            Arrival::Unexpected
        };
        for missing in self.missing.iter_mut().rev().take_while(|missing| missing.tries == 0) {
            if self.arrivals - missing.noticed_at >= REORDER_PACKETS {
                missing.due = missing.due.min(now);
            }
        }
        arrival
    }

    fn note_gap(&mut self, now: Instant, gap: std::ops::Range<u64>) {
        let gap_len = (gap.end - gap.start) as usize;
        if gap_len + self.missing.len() > NACK_MISSING_MAX {
            self.missing.clear();
            self.needs_keyframe = true;
            return;
        }
        let noticed_at = self.arrivals - 1;
        self.missing.extend(gap.map(|seq| Missing { seq: SeqNo(seq), noticed: now, noticed_at, tries: 0, due: now + REORDER_WAIT }));
    }

    /// Appends the wire numbers to ask for now, ascending. `rtt` is that to the sender, zero when unknown.
    pub fn poll(&mut self, now: Instant, rtt: Duration, out: &mut Vec<u16>) {
        if self.missing.is_empty() {
            return;
        }
        let before = self.missing.len();
        self.missing.retain(|missing| {
            let tried_out = missing.tries >= NACK_TRIES_MAX && missing.due <= now;
            !tried_out && now.duration_since(missing.noticed) < NACK_AGE_MAX
        });
        self.needs_keyframe |= self.missing.len() < before;
        for missing in self.missing.iter_mut().filter(|missing| missing.due <= now && missing.tries < NACK_TRIES_MAX) {
            out.push(missing.seq.wire().0);
            missing.tries += 1;
            missing.due = now + rtt.max(SPACING_MIN);
        }
    }

    /// When [`Self::poll`] has something to do.
    pub fn wake_at(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.due.min(missing.noticed + NACK_AGE_MAX)).min()
    }

    /// Whether packets were given up since the last call: the picture cannot be mended without a key frame.
    pub fn take_needs_keyframe(&mut self) -> bool {
        std::mem::take(&mut self.needs_keyframe)
    }

    /// Packets that are still missing and asked for.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Nothing before `seq` matters any more: a key frame began there.
    pub fn forget_before(&mut self, seq: SeqNo) {
        while self.missing.front().is_some_and(|missing| missing.seq < seq) {
            self.missing.pop_front();
        }
    }

    /// Begins anew after a discontinuity.
    pub fn reset(&mut self) {
        *self = Self { missing: std::mem::take(&mut self.missing), ..Self::default() };
        self.missing.clear();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn polled(nack: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        nack.poll(now, RTT, &mut out);
        out
    }

    #[test]
    fn waits_for_reordering_then_asks_and_asks_again_after_a_round_trip() {
        let start = Instant::now();
        let mut nack = NackGenerator::new();
        nack.on_packet(start, SeqNo(65536 + 10));
        nack.on_packet(start, SeqNo(65536 + 13));
        assert_eq!(nack.wake_at(), Some(start + ms(10)));
        assert_eq!(polled(&mut nack, start + ms(9)), [0u16; 0]);
        assert_eq!(polled(&mut nack, start + ms(10)), [11, 12]);
        assert_eq!(polled(&mut nack, start + ms(59)), [0u16; 0]);
        assert_eq!(nack.on_packet(start + ms(59), SeqNo(65536 + 11)), Arrival::Filled);
        assert_eq!(polled(&mut nack, start + ms(60)), [12]);
        assert!(!nack.take_needs_keyframe());
    }

    #[test]
    fn a_second_later_packet_ends_the_wait() {
        let start = Instant::now();
        let mut nack = NackGenerator::new();
        for seq in [1, 3, 4] {
            nack.on_packet(start, SeqNo(65536 + seq));
        }
        assert_eq!(nack.wake_at(), Some(start));
        assert_eq!(polled(&mut nack, start), [2]);
    }

    #[test]
    fn gives_up_after_its_age_and_wants_a_key_frame_once() {
        let start = Instant::now();
        let mut nack = NackGenerator::new();
        nack.on_packet(start, SeqNo(1));
        nack.on_packet(start, SeqNo(3));
        let (mut now, mut requests) = (start, 0);
        while let Some(wake) = nack.wake_at() {
            now = now.max(wake);
            requests += polled(&mut nack, now).len();
        }
        assert!(requests >= 5 && requests <= usize::from(NACK_TRIES_MAX), "{requests}");
        assert!(now <= start + NACK_AGE_MAX);
        assert!(nack.take_needs_keyframe() && !nack.take_needs_keyframe());
    }

    #[test]
    fn a_burst_too_long_to_mend_is_given_up_at_once() {
        let now = Instant::now();
        let mut nack = NackGenerator::new();
        nack.on_packet(now, SeqNo(1));
        nack.on_packet(now, SeqNo(2 + NACK_MISSING_MAX as u64 + 1));
        assert!(nack.take_needs_keyframe());
        assert_eq!((nack.missing(), nack.wake_at()), (0, None));
    }

    #[test]
    fn duplicates_and_packets_before_the_first_are_unexpected() {
        let now = Instant::now();
        let mut nack = NackGenerator::new();
        assert_eq!(nack.on_packet(now, SeqNo(10)), Arrival::Newest);
        assert_eq!(nack.on_packet(now, SeqNo(10)), Arrival::Unexpected);
        assert_eq!(nack.on_packet(now, SeqNo(9)), Arrival::Unexpected);
    }

    #[test]
    fn a_key_frame_settles_everything_before_it() {
        let now = Instant::now();
        let mut nack = NackGenerator::new();
        for seq in [1, 3, 5] {
            nack.on_packet(now, SeqNo(seq));
        }
        nack.forget_before(SeqNo(3));
        assert_eq!(polled(&mut nack, now + ms(20)), [4]);
    }
}
