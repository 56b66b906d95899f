//! The recent packets of one layer, by sequence number: what retransmissions and replays are taken from. One ring per layer, shared by all
//! its viewers; a slot is overwritten when its successor one ring length later arrives.

use std::sync::Arc;

use crate::limits;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::SeqNo;

/// Ring of `limits::PACKET_RING` packets. Storage grows with use, so an idle layer costs nothing.
#[derive(Debug, Default)]
pub struct PacketRing {
    slots: Vec<Option<Arc<RtpPacket>>>,
    newest: Option<SeqNo>,
}

impl PacketRing {
    /// Remembers a packet. Returns `false` if this very packet is there already (a duplicate).
    pub fn insert(&mut self, packet: &Arc<RtpPacket>) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(limits::PACKET_RING, None);
        }
        let slot = &mut self.slots[packet.seq.0 as usize % limits::PACKET_RING];
        if let Some(present) = slot
            && present.seq >= packet.seq
        {
            return false;
        }
        *slot = Some(Arc::clone(packet));
        self.newest = self.newest.max(Some(packet.seq));
        true
    }

    /// The highest sequence number so far.
    pub fn newest(&self) -> Option<SeqNo> {
        self.newest
    }

    /// Whether a packet with this number, if it ever came, has been overwritten by one ring length later.
    pub fn is_overwritten(&self, seq: SeqNo) -> bool {
        self.newest.is_none_or(|newest| newest.0 >= seq.0 + limits::PACKET_RING as u64)
    }

    /// The packet with this sequence number, if it is still here.
    pub fn get(&self, seq: SeqNo) -> Option<&Arc<RtpPacket>> {
        self.slots.get(seq.0 as usize % limits::PACKET_RING)?.as_ref().filter(|packet| packet.seq == seq)
    }
}
