//! Packets of one stream back in order. Waits a little for what is missing, because retransmission brings most of it; then says that there
//! is a gap and goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{HLS_REORDER_PACKETS_MAX, HLS_REPAIR_WAIT};
use crate::sfu::packet::RtpPacket;

/// What comes out.
#[derive(Debug)]
pub(super) enum Released {
    Packet(Arc<RtpPacket>),
    /// What was between the last packet and the next one is lost.
    Gap,
}

/// One stream's packets on their way.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    /// The number that comes next; `None` before the first packet.
    next: Option<u64>,
    waiting: BTreeMap<u64, Arc<RtpPacket>>,
    /// Since when the next number is missed.
    missed_since: Option<Instant>,
}

impl Reorder {
    /// Takes a packet. `false`: it comes too late, or is there already.
    pub(super) fn insert(&mut self, packet: &Arc<RtpPacket>) -> bool {
        let seq = packet.seq.0;
        if self.next.is_some_and(|next| seq < next) || self.waiting.contains_key(&seq) {
            return false;
        }
        self.next.get_or_insert(seq);
        self.waiting.insert(seq, Arc::clone(packet));
        if self.next != self.waiting.first_key_value().map(|(first, _)| *first) {
            self.missed_since.get_or_insert(packet.received);
        }
        true
    }

    /// The next packet in order, if it is there or no longer waited for.
    pub(super) fn release(&mut self, now: Instant) -> Option<Released> {
        let next = self.next?;
        let first = *self.waiting.first_key_value()?.0;
        if first == next {
            self.next = Some(next + 1);
            let packet = self.waiting.pop_first().map(|(_, packet)| packet)?;
            self.missed_since = self.waiting.first_key_value().filter(|(first, _)| **first != next + 1).map(|(_, packet)| packet.received);
            return Some(Released::Packet(packet));
        }
        if self.wake_at().is_some_and(|due| due <= now) || self.waiting.len() >= HLS_REORDER_PACKETS_MAX {
            self.next = Some(first);
            self.missed_since = None;
            return Some(Released::Gap);
        }
        None
    }

    /// When what is missing is given up.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.missed_since.map(|since| since + HLS_REPAIR_WAIT)
    }
}
