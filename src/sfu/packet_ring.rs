//! The recent packets of one layer, by sequence number: what retransmissions and replays are taken from. One ring per layer, shared by all
//! its viewers.
//!
//! ```text
//!   … · · o o d d d d d d d · d d d      o gone: older than anybody can use, or more than there is room for
//!         ^horizon ^tail        ^newest  · not there (yet)
//! ```
//! It holds seconds, not a number of packets: a voice of 50 packets a second would otherwise be kept for as long as a picture of 5 Mbit/s is not.

use std::sync::Arc;
use std::time::Instant;

use crate::limits;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::SeqNo;

/// Packets of the last `limits::PACKET_AGE_MAX`, and the last `limits::PACKETS_KEPT_MIN` of all; never more than `limits::PACKET_RING`. Storage grows
/// with use, so an idle layer costs nothing.
#[derive(Debug, Default)]
pub struct PacketRing {
    /// As many as a power of two; none before the first packet.
    slots: Vec<Option<Arc<RtpPacket>>>,
    newest: Option<SeqNo>,
    /// Nothing is held before this number.
    tail: SeqNo,
    /// What has a number below this was here, or can be here no more.
    horizon: SeqNo,
}

impl PacketRing {
    /// Remembers a packet. Returns `false` if this very packet is there already (a duplicate), or was.
    pub fn insert(&mut self, packet: &Arc<RtpPacket>) -> bool {
        let seq = packet.seq;
        if seq < self.horizon || self.get(seq).is_some() {
            return false;
        }
        let newest = self.newest.map_or(seq, |newest| newest.max(seq));
        self.tail = if self.newest.is_some() { self.tail.min(seq) } else { seq };
        self.forget_before(SeqNo((newest.0 + 1).saturating_sub(limits::PACKET_RING as u64)));
        if seq < self.horizon {
            return false;
        }
        self.make_room((newest.0 - self.tail.0 + 1) as usize);
        self.newest = Some(newest);
        let slot = self.slot(seq);
        self.slots[slot] = Some(Arc::clone(packet));
        if newest == seq {
            self.forget_old(packet.received);
        }
        true
    }

    /// Lets go of what is too old for anybody.
    pub fn forget_old(&mut self, now: Instant) {
        let Some(newest) = self.newest else { return };
        let kept = SeqNo((newest.0 + 1).saturating_sub(limits::PACKETS_KEPT_MIN as u64));
        while self.tail < kept {
            let slot = self.slot(self.tail);
            if let Some(packet) = &self.slots[slot] {
                if now.saturating_duration_since(packet.received) <= limits::PACKET_AGE_MAX {
                    return;
                }
                self.slots[slot] = None;
                self.horizon = self.tail.next();
            }
            self.tail = self.tail.next();
        }
    }

    /// The highest sequence number so far.
    pub fn newest(&self) -> Option<SeqNo> {
        self.newest
    }

    /// Whether a packet with this number, if it ever came, has been let go.
    pub fn is_overwritten(&self, seq: SeqNo) -> bool {
        self.newest.is_none() || seq < self.horizon
    }

    /// The packet with this sequence number, if it is still here.
    pub fn get(&self, seq: SeqNo) -> Option<&Arc<RtpPacket>> {
        self.slots.get(self.slot(seq))?.as_ref().filter(|packet| packet.seq == seq)
    }

    fn slot(&self, seq: SeqNo) -> usize {
        seq.0 as usize & self.slots.len().wrapping_sub(1)
    }

    fn forget_before(&mut self, horizon: SeqNo) {
        if horizon <= self.horizon {
            return;
        }
        // Beyond the newest there is nothing to let go of, however far the numbers jump.
        let end = self.newest.map_or(self.tail, |newest| horizon.min(newest.next()));
        for seq in self.tail.0..end.0 {
            let slot = self.slot(SeqNo(seq));
            self.slots[slot] = None;
        }
        (self.horizon, self.tail) = (horizon, self.tail.max(horizon));
    }

    /// For so many numbers in a row.
    fn make_room(&mut self, span: usize) {
        let length = span.next_power_of_two();
        if length <= self.slots.len() {
            return;
        }
        let former = std::mem::replace(&mut self.slots, vec![None; length]);
        for packet in former.into_iter().flatten() {
            let slot = self.slot(packet.seq);
            self.slots[slot] = Some(packet);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::limits::{PACKET_AGE_MAX, PACKET_RING, PACKETS_KEPT_MIN};
    use crate::sfu::codec::{Codec, PayloadInfo};
    use crate::sfu::packet::ForwardedExtensions;
    use crate::sfu::rtp::seq::RtpTime;

    fn packet(seq: u64, received: Instant) -> Arc<RtpPacket> {
        Arc::new(RtpPacket {
            seq: SeqNo(seq),
            time: RtpTime(0),
            marker: false,
            codec: Codec::Opus,
            info: PayloadInfo::default(),
            received,
            recovered: false,
            extensions: ForwardedExtensions::default(),
            payload: Bytes::from_static(b"x"),
        })
    }

    fn held(ring: &PacketRing) -> usize {
        ring.slots.iter().flatten().count()
    }

    const VOICE: Duration = Duration::from_millis(20);

    #[test]
    fn a_voice_is_kept_for_seconds_and_a_dense_picture_up_to_the_length_of_the_ring() {
        let (start, mut voice) = (Instant::now(), PacketRing::default());
        for seq in 0..5000 {
            assert!(voice.insert(&packet(1000 + seq, start + VOICE * seq as u32)));
        }
        let used = (PACKET_AGE_MAX.as_millis() / VOICE.as_millis()) as usize;
        assert_eq!(held(&voice), used + 1);
        assert!(voice.slots.len() <= used.next_power_of_two(), "{}", voice.slots.len());
        let mut picture = PacketRing::default();
        for seq in 0..5000 {
            assert!(picture.insert(&packet(1000 + seq, start + Duration::from_millis(seq))));
        }
        assert_eq!((held(&picture), picture.slots.len()), (PACKET_RING, PACKET_RING));
        let oldest = 6000 - PACKET_RING as u64;
        assert!(picture.get(SeqNo(oldest)).is_some() && picture.get(SeqNo(oldest - 1)).is_none());
        assert!(picture.is_overwritten(SeqNo(oldest - 1)) && !picture.is_overwritten(SeqNo(oldest)));
    }

    #[test]
    fn the_last_packets_are_kept_however_old_and_a_layer_that_rests_lets_go_of_the_others() {
        let (start, mut ring) = (Instant::now(), PacketRing::default());
        for seq in 0..200 {
            ring.insert(&packet(seq, start + Duration::from_millis(seq)));
        }
        ring.forget_old(start + PACKET_AGE_MAX);
        assert_eq!(held(&ring), 200);
        ring.forget_old(start + 10 * PACKET_AGE_MAX);
        assert_eq!(held(&ring), PACKETS_KEPT_MIN);
        // A hole that shows only now can still be mended.
        ring.insert(&packet(201, start + 20 * PACKET_AGE_MAX));
        assert!(ring.get(SeqNo(199)).is_some() && !ring.is_overwritten(SeqNo(200)));
        assert!(ring.insert(&packet(200, start + 20 * PACKET_AGE_MAX)) && ring.get(SeqNo(200)).is_some());
    }

    #[test]
    fn no_packet_is_taken_twice_and_late_ones_find_their_place() {
        let (start, mut ring) = (Instant::now(), PacketRing::default());
        assert!(ring.is_overwritten(SeqNo(7)), "nothing ever came");
        assert!(ring.insert(&packet(500, start)) && !ring.insert(&packet(500, start)));
        assert!(ring.insert(&packet(490, start)), "overtaken by the first");
        assert_eq!((ring.newest(), ring.get(SeqNo(490)).is_some(), ring.get(SeqNo(491)).is_some()), (Some(SeqNo(500)), true, false));
        for seq in 501..900 {
            ring.insert(&packet(seq, start + PACKET_AGE_MAX * 2));
        }
        assert!(ring.get(SeqNo(500)).is_none());
        assert!(!ring.insert(&packet(500, start + PACKET_AGE_MAX * 2)), "it was here");
    }

    #[test]
    fn a_jump_of_the_numbers_leaves_nothing_behind() {
        let (start, mut ring) = (Instant::now(), PacketRing::default());
        for seq in 0..100 {
            ring.insert(&packet(seq, start));
        }
        assert!(ring.insert(&packet(60_000, start)));
        assert_eq!((held(&ring), ring.newest()), (1, Some(SeqNo(60_000))));
        assert!(!ring.insert(&packet(99, start)));
        assert!(ring.insert(&packet(60_001 - PACKET_RING as u64, start)));
        assert_eq!(held(&ring), 2);
    }
}
