//! Parity packets by the letter of draft-ietf-payload-flexible-fec-scheme-03 section 4.2: what they cover, and what they bring back. On
//! purpose not the code under test.

use std::collections::BTreeMap;

use super::offer::{EXT_ABS_SEND_TIME, EXT_TRANSPORT_CC};
use super::wire::{self, Unwrapper};

/// Packets that are kept to be folded into a later parity.
const KEPT: usize = 300;
const FIXED: usize = 12;

/// What one parity packet says.
#[derive(Debug, Clone)]
pub(crate) struct Parity {
    pub ssrc: u32,
    /// The numbers that it covers.
    pub covers: Vec<u16>,
    head: [u8; 8],
    body: Vec<u8>,
}

impl Parity {
    pub(crate) fn parse(payload: &[u8]) -> Self {
        assert_eq!(payload[0] >> 6, 0, "flexible, not retransmitted");
        assert_eq!(payload[8..12], [1, 0, 0, 0], "one stream");
        let base = u16::from_be_bytes([payload[16], payload[17]]);
        let mask = u16::from_be_bytes([payload[18], payload[19]]);
        assert!(mask & 0x8000 != 0, "the mask ends here");
        assert!(mask & 0x4000 != 0, "the base itself is covered");
        let covers = (0..15).filter(|bit| mask & (0x4000 >> bit) != 0).map(|bit| base.wrapping_add(bit)).collect();
        Self { ssrc: wire::u32_at(payload, 12), covers, head: payload[..8].try_into().expect("eight"), body: payload[20..].to_vec() }
    }

    /// Takes a covered packet out of it.
    fn fold(&mut self, packet: &[u8]) {
        let length = ((packet.len() - FIXED) as u16).to_be_bytes();
        let head = [packet[0], packet[1], length[0], length[1], packet[4], packet[5], packet[6], packet[7]];
        self.head.iter_mut().zip(head).for_each(|(into, byte)| *into ^= byte);
        assert!(packet.len() - FIXED <= self.body.len(), "as long as the longest that it covers");
        self.body.iter_mut().zip(&packet[FIXED..]).for_each(|(into, byte)| *into ^= byte);
    }

    /// What is left when all but one are folded in is that one.
    fn packet(mut self, seq: u16) -> Vec<u8> {
        let length = usize::from(u16::from_be_bytes([self.head[2], self.head[3]]));
        assert!(length <= self.body.len(), "{length} of {}", self.body.len());
        self.body.truncate(length);
        let [first, second, _, _, time @ ..] = self.head;
        [&[0x80 | first & 0x3f, second][..], &seq.to_be_bytes(), &time, &self.ssrc.to_be_bytes(), &self.body].concat()
    }

    fn is_nothing(&self) -> bool {
        self.head[0] & 0x3f == 0 && self.head[1..] == [0; 7] && self.body.iter().all(|byte| *byte == 0)
    }
}

/// A packet with zeroes for what only its sender knew at the moment of sending.
fn knowable(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for (id, range) in wire::extension_ranges(&packet) {
        if id == EXT_TRANSPORT_CC || id == EXT_ABS_SEND_TIME {
            packet[range].fill(0);
        }
    }
    packet
}

/// The receiving end of a protected stream.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    unwrapper: Unwrapper,
    packets: BTreeMap<i64, Vec<u8>>,
    waiting: Vec<Parity>,
}

impl Recovery {
    pub(crate) fn handle_media(&mut self, packet: &[u8]) {
        let seq = self.unwrapper.unwrap(wire::parse_rtp(packet).seq);
        self.packets.insert(seq, knowable(packet));
        while self.packets.len() > KEPT {
            self.packets.pop_first();
        }
    }

    pub(crate) fn handle_parity(&mut self, payload: &[u8]) {
        self.waiting.push(Parity::parse(payload));
        if self.waiting.len() > KEPT / 10 {
            self.waiting.remove(0);
        }
    }

    /// A packet that can be brought back now. It counts as received from here on.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let got = |this: &Self, seq: u16| this.unwrapper.peek(seq).and_then(|seq| this.packets.get(&seq)).cloned();
        let found = self.waiting.iter().position(|parity| parity.covers.iter().filter(|seq| got(self, **seq).is_none()).count() == 1)?;
        let mut parity = self.waiting.remove(found);
        let missing = *parity.covers.iter().find(|seq| got(self, **seq).is_none()).expect("one is");
        for seq in parity.covers.clone() {
            if let Some(packet) = got(self, seq) {
                parity.fold(&packet);
            }
        }
        let packet = parity.packet(missing);
        let seq = self.unwrapper.peek(missing)?;
        self.packets.insert(seq, packet.clone());
        Some(packet)
    }

    /// For a judge, who has seen all that was sent: a parity packet is exactly the parity of what it says it covers.
    pub(crate) fn check(&self, media: u32, payload: &[u8]) {
        let mut parity = Parity::parse(payload);
        assert_eq!(parity.ssrc, media);
        for seq in parity.covers.clone() {
            let packet = self.unwrapper.peek(seq).and_then(|seq| self.packets.get(&seq));
            parity.fold(packet.unwrap_or_else(|| panic!("{seq} is covered and was not sent")));
        }
        assert!(parity.is_nothing(), "it covers something else: {parity:?}");
    }
}
