//! Forward error correction of video as browsers speak it: `flexfec-03`, draft-ietf-payload-flexible-fec-scheme-03 section 4.2, for one
//! stream and at most fifteen packets in a row.
//!
//! ```text
//!   R F|P|X|CC  M|PT   length     the exclusive or over the packets: of the fixed header's first two bytes (R = F = 0), of their lengths
//!   timestamp                     behind it, and of their timestamps
//!   1|reserved                    one stream
//!   SSRC
//!   first number      1|mask      which of the fifteen from there on are covered, highest bit first
//!   the exclusive or of all that follows their fixed headers
//! ```

use std::ops::Range;

use super::header::FIXED_HEADER_LEN;
use super::id::Ssrc;
use super::seq::WireSeq;

/// Packets in a row that one parity packet can cover: with the short mask, which is all we write.
pub const PACKETS_MAX: u16 = 15;
/// What a parity packet is longer than the longest packet that it covers, bytes.
pub const OVERHEAD: usize = 20;

/// The parity of a few packets. Allocates at the first of them, and then only for a longer one than ever before.
#[derive(Debug, Default)]
pub struct Parity {
    /// As the first eight bytes of the header.
    head: [u8; 8],
    body: Vec<u8>,
    /// How much of `body` counts.
    length: usize,
    base: u16,
    /// Bit 14: the base.
    mask: u16,
}

impl Parity {
    /// Packets covered.
    pub fn packets(&self) -> u32 {
        self.mask.count_ones()
    }

    /// Whether a packet can be covered as well: it follows the first one, and not too far away.
    pub fn reaches(&self, seq: WireSeq) -> bool {
        self.mask == 0 || seq.0.wrapping_sub(self.base) < PACKETS_MAX
    }

    /// Whether it comes before the first packet covered.
    pub fn is_behind(&self, seq: WireSeq) -> bool {
        self.mask != 0 && seq.0.wrapping_sub(self.base) >= 0x8000
    }

    /// Whether nothing that follows `seq` can be covered.
    pub fn ends_at(&self, seq: WireSeq) -> bool {
        self.mask != 0 && !self.reaches(WireSeq(seq.0.wrapping_add(1)))
    }

    /// Covers a packet, which must be within reach and new. `unknowable`: bytes behind the fixed header that count as zero.
    pub fn add(&mut self, seq: WireSeq, packet: &[u8], unknowable: impl Iterator<Item = Range<usize>>) {
        let Some((fixed, rest)) = packet.split_at_checked(FIXED_HEADER_LEN) else { return };
        if self.mask == 0 {
            self.base = seq.0;
        }
        let Some(bit) = 0x4000_u16.checked_shr(u32::from(seq.0.wrapping_sub(self.base))).filter(|bit| *bit > 0) else { return };
        self.mask |= bit;
        let [length_high, length_low] = (rest.len() as u16).to_be_bytes();
        let head = [fixed[0], fixed[1], length_high, length_low, fixed[4], fixed[5], fixed[6], fixed[7]];
        fold(&mut self.head, &head);
        if self.body.len() < rest.len() {
            self.body.resize(rest.len(), 0);
        }
        self.length = self.length.max(rest.len());
        fold(&mut self.body, rest);
        for range in unknowable {
            if let (Some(body), Some(bytes)) = (self.body.get_mut(range.clone()), rest.get(range)) {
                fold(body, bytes);
            }
        }
    }

    /// Appends the payload of a parity packet for packets of `media`, and begins anew.
    pub fn write(&mut self, media: Ssrc, out: &mut Vec<u8>) {
        self.head[0] &= 0x3f;
        out.extend(self.head);
        out.extend([1, 0, 0, 0]);
        out.extend(media.0.to_be_bytes());
        out.extend(self.base.to_be_bytes());
        out.extend((0x8000 | self.mask).to_be_bytes());
        out.extend(&self.body[..self.length]);
        self.clear();
    }

    pub fn clear(&mut self) {
        self.head = [0; 8];
        self.body[..self.length].fill(0);
        self.length = 0;
        self.mask = 0;
    }
}

fn fold(into: &mut [u8], bytes: &[u8]) {
    for (into, byte) in into.iter_mut().zip(bytes) {
        *into ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u8, time: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x80, 96, 0, seq, 0, 0, 0, time, 0, 0, 0, 7][..], payload].concat()
    }

    #[test]
    fn parity_of_two_packets_is_what_the_draft_draws() {
        let mut parity = Parity::default();
        parity.add(WireSeq(254), &packet(254, 3, &[1, 2, 3]), std::iter::empty());
        parity.add(WireSeq(257), &packet(1, 5, &[4]), std::iter::empty());
        assert_eq!(parity.packets(), 2);
        let mut out = Vec::new();
        parity.write(Ssrc(7), &mut out);
        // Lengths 3 and 1; the second is the fourth number from the base on.
        let expected = [&[0, 0, 0, 2, 0, 0, 0, 6][..], &[1, 0, 0, 0, 0, 0, 0, 7, 0, 254], &[0b1100_1000, 0], &[1 ^ 4, 2, 3]].concat();
        assert_eq!(out, expected);
        out.clear();
        parity.add(WireSeq(258), &packet(2, 5, &[9]), std::iter::empty());
        parity.write(Ssrc(7), &mut out);
        assert_eq!(out[OVERHEAD..], [9], "it begins anew");
    }

    #[test]
    fn one_missing_packet_is_what_is_left_when_the_others_are_folded_in() {
        let packets: Vec<Vec<u8>> =
            (0..10u8).map(|seq| packet(seq, seq * 3, &vec![seq.wrapping_mul(77); usize::from(seq) * 9 + 1])).collect();
        for missing in 0..packets.len() {
            let (mut parity, mut out) = (Parity::default(), Vec::new());
            for (seq, packet) in (0..).map(|index: u16| index.wrapping_add(65_530)).zip(&packets) {
                parity.add(WireSeq(seq), packet, std::iter::empty());
            }
            parity.write(Ssrc(7), &mut out);
            let length = packets
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != missing)
                .fold(usize::from(u16::from_be_bytes([out[2], out[3]])), |length, (_, packet)| length ^ (packet.len() - FIXED_HEADER_LEN));
            let mut body = out[OVERHEAD..].to_vec();
            for (_, packet) in packets.iter().enumerate().filter(|(index, _)| *index != missing) {
                fold(&mut body, &packet[FIXED_HEADER_LEN..]);
            }
            assert_eq!(body[..length], packets[missing][FIXED_HEADER_LEN..]);
        }
    }

    #[test]
    fn bytes_that_nobody_can_know_count_as_zero() {
        let (mut parity, mut out) = (Parity::default(), Vec::new());
        parity.add(WireSeq(1), &packet(1, 1, &[1, 2, 3, 4, 5]), [1..2, 3..9, 3..4].into_iter());
        parity.write(Ssrc(7), &mut out);
        assert_eq!(out[OVERHEAD..], [1, 0, 3, 0, 5], "and what is out of bounds is left alone");
    }

    #[test]
    fn reaches_fifteen_numbers_and_none_before() {
        let mut parity = Parity::default();
        assert!(parity.reaches(WireSeq(5)) && !parity.ends_at(WireSeq(5)));
        parity.add(WireSeq(65_535), &packet(0, 0, &[1]), std::iter::empty());
        assert!(parity.reaches(WireSeq(13)) && !parity.reaches(WireSeq(14)) && !parity.reaches(WireSeq(65_534)));
        assert!(parity.ends_at(WireSeq(13)) && !parity.ends_at(WireSeq(12)));
        parity.add(WireSeq(14), &packet(0, 0, &[1]), std::iter::empty());
        assert_eq!(parity.packets(), 1, "what is out of reach is not covered");
    }
}
