//! What was sent to one peer, by transport-wide sequence number: when, and how large. What comes back in feedback is looked up here.

use std::time::{Duration, Instant};

use crate::limits;

/// Set in [`Sent::size`] once feedback called the packet missing: it counts as lost once, and not at all when it turns up later.
const REPORTED_MISSING: u16 = 0x8000;

/// The packets sent to one peer. A ring: feedback that comes too late finds nothing, and what is in no feedback is unknown, never lost.
#[derive(Debug, Default)]
pub struct SentPackets {
    epoch: Option<Instant>,
    /// The number of the next packet, extended; its low 16 bits go on the wire.
    next: u64,
    /// By number modulo its length, a power of two.
    ring: Vec<Sent>,
    bytes: u64,
    newest: Option<Instant>,
}

/// Eight bytes, so that a viewer at a low layer needs 1 KiB for two seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// Since the epoch, wraps after 71 minutes.
    at_us: u32,
    /// Bytes on the wire; zero: nothing to report on any more.
    size: u16,
}

/// What feedback says of a packet that we remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    pub number: u64,
    /// Send time since the epoch, wraps.
    pub sent_us: u32,
    pub bytes: u16,
    /// Feedback called it missing before: it was counted as lost.
    pub was_missing: bool,
}

impl SentPackets {
    /// Takes memory for as many packets as `bitrate_bps` makes in the time feedback may take, so that the packet path never does. What is
    /// remembered stays.
    pub fn reserve(&mut self, now: Instant, bitrate_bps: u32) {
        self.epoch.get_or_insert(now);
        let packets = u64::from(bitrate_bps) / 8 / limits::SENT_PACKET_BYTES_TYPICAL;
        let wanted = (limits::SENT_PACKETS_MIN as u64 / 2 + packets * limits::SENT_PACKETS_SPAN_MS / 1000).next_power_of_two();
        let wanted = (wanted as usize).clamp(limits::SENT_PACKETS_MIN, limits::SENT_PACKETS_MAX);
        // Shrinks only by half of a half, so that a layer's varying rate does not move the ring about.
        if wanted > self.ring.len() || wanted * 4 <= self.ring.len() {
            self.resize(wanted);
        }
    }

    fn resize(&mut self, length: usize) {
        let mut ring = vec![Sent::default(); length];
        let kept = self.next.min(length.min(self.ring.len()) as u64);
        for number in self.next - kept..self.next {
            ring[number as usize % length] = self.ring[number as usize % self.ring.len()];
        }
        self.ring = ring;
    }

    /// The wire number of the packet being written.
    pub fn next(&mut self, now: Instant) -> u16 {
        let number = self.next;
        self.next += 1;
        self.newest = Some(now);
        if let (Some(epoch), false) = (self.epoch, self.ring.is_empty()) {
            let slot = number as usize & (self.ring.len() - 1);
            self.ring[slot] = Sent { at_us: micros(now.saturating_duration_since(epoch)), size: 0 };
        }
        number as u16
    }

    /// The size of the packet just numbered, bytes.
    pub fn set_size(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if !self.ring.is_empty() && self.next > 0 {
            let slot = (self.next - 1) as usize & (self.ring.len() - 1);
            // A packet without a number (sound, where only the picture is reported on) must not change the size of another.
            if self.ring[slot].size != 0 {
                return;
            }
            self.ring[slot].size = bytes.min(usize::from(REPORTED_MISSING - 1)) as u16;
        }
    }

    /// How many packets were numbered, and their bytes.
    pub fn totals(&self) -> (u64, u64) {
        (self.next, self.bytes)
    }

    /// When the newest packet was numbered.
    pub fn newest(&self) -> Option<Instant> {
        self.newest
    }

    /// Looks up a packet that feedback calls received, once: a second report of it finds nothing.
    pub fn take_received(&mut self, seq: u16) -> Option<Reported> {
        let (number, sent) = self.find(seq)?;
        let reported = reported(number, *sent);
        sent.size = 0;
        Some(reported)
    }

    /// Looks up a packet that feedback calls missing, once; it may still be received by a later feedback.
    pub fn take_missing(&mut self, seq: u16) -> Option<Reported> {
        let (number, sent) = self.find(seq)?;
        let reported = reported(number, *sent);
        sent.size |= REPORTED_MISSING;
        (!reported.was_missing).then_some(reported)
    }

    /// When a packet was sent, on the clock of `now`.
    pub fn age(&self, now: Instant, sent_us: u32) -> Duration {
        let Some(epoch) = self.epoch else { return Duration::ZERO };
        Duration::from_micros(u64::from(micros(now.saturating_duration_since(epoch)).wrapping_sub(sent_us)))
    }

    fn find(&mut self, seq: u16) -> Option<(u64, &mut Sent)> {
        let newest = self.next.checked_sub(1)?;
        let behind = u64::from((newest as u16).wrapping_sub(seq));
        // Beyond the ring, or a number not given out yet (which looks as old as can be).
        if behind >= self.ring.len() as u64 || behind > newest {
            return None;
        }
        let number = newest - behind;
        let slot = number as usize & (self.ring.len() - 1);
        let sent = &mut self.ring[slot];
        (sent.size != 0).then_some((number, sent))
    }
}

fn reported(number: u64, sent: Sent) -> Reported {
    let was_missing = sent.size & REPORTED_MISSING != 0;
    Reported { number, sent_us: sent.at_us, bytes: sent.size & !REPORTED_MISSING, was_missing }
}

/// Microseconds modulo 2^32.
fn micros(duration: Duration) -> u32 {
    (duration.as_secs() as u32).wrapping_mul(1_000_000).wrapping_add(duration.subsec_micros())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    fn send(sent: &mut SentPackets, now: Instant, packets: usize) {
        for size in 1..=packets {
            sent.next(now);
            sent.set_size(100 + size);
        }
    }

    #[test]
    fn a_packet_is_found_once_as_received_and_once_as_missing() {
        let now = Instant::now();
        let mut sent = SentPackets::default();
        sent.reserve(now, 100_000);
        send(&mut sent, now + Duration::from_millis(3), 3);
        let expected = Reported { number: 1, sent_us: 3000, bytes: 102, was_missing: false };
        assert_eq!(sent.take_missing(1), Some(expected));
        assert_eq!(sent.take_missing(1), None);
        assert_eq!(sent.take_received(1), Some(Reported { was_missing: true, ..expected }));
        assert_eq!(sent.take_received(1), None);
        assert_eq!(sent.take_received(3), None, "not sent yet");
        assert_eq!(sent.take_received(u16::MAX), None, "never sent");
        assert_eq!(sent.age(now + Duration::from_millis(10), 3000), Duration::from_millis(7));
    }

    #[test]
    fn numbers_and_times_go_on_past_their_wraps() {
        let start = Instant::now();
        let mut sent = SentPackets::default();
        sent.reserve(start, 100_000);
        send(&mut sent, start, 70_000);
        let late = start + Duration::from_secs(5000);
        assert_eq!(sent.next(late), 70_000_u32 as u16);
        sent.set_size(50);
        let found = sent.take_received(70_000_u32 as u16).expect("just sent");
        assert_eq!(found.number, 70_000);
        assert_eq!(sent.age(late + Duration::from_millis(5), found.sent_us), Duration::from_millis(5));
        assert_eq!(sent.take_received(60_000), None, "long overwritten");
    }

    #[test]
    fn a_growing_ring_forgets_nothing_and_a_small_layer_needs_little() {
        let now = Instant::now();
        let mut sent = SentPackets::default();
        sent.reserve(now, 150_000);
        assert!(sent.ring.len() * size_of::<Sent>() <= 1024, "{}", sent.ring.len());
        send(&mut sent, now, 100);
        sent.reserve(now, 2_500_000);
        assert!(sent.ring.len() > 400);
        assert!((0..100).all(|seq| sent.take_received(seq).is_some_and(|found| found.number == u64::from(seq))));
        sent.reserve(now, 1_500_000);
        assert!(sent.ring.len() > 400, "not for so little");
        sent.reserve(now, 0);
        assert_eq!(sent.ring.len(), limits::SENT_PACKETS_MIN);
    }
}
