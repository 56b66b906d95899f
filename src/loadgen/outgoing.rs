//! One outgoing RTP stream, and what a server asks of whoever sends it. Pure.

use bytes::{Bytes, BytesMut};
use rtc_rtp::header::Header;
use rtc_rtp::packet::Packet;
use rtc_shared::marshal::Marshal;

use super::clock;
use super::sdp::{EXTENSION_LEVEL, EXTENSION_MID, EXTENSION_RID, EXTENSION_TWCC};

/// See the file's head.
pub(super) struct Stream {
    pub(super) ssrc: u32,
    payload_type: u8,
    mid: &'static [u8],
    rid: Option<&'static str>,
    sequence: u16,
    sent: u32,
    octets: u32,
}

/// What a packet is stamped with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) transport_sequence: u16,
    /// How loud it is, where that is told (RFC 6464, section 3).
    pub(super) level: Option<u8>,
}

impl Stream {
    pub(super) fn new(ssrc: u32, payload_type: u8, mid: &'static [u8], rid: Option<&'static str>) -> Self {
        Self { ssrc, payload_type, mid, rid, sequence: rand::random::<u16>() >> 1, sent: 0, octets: 0 }
    }

    pub(super) fn packet(&mut self, stamp: Stamp, payload: Bytes) -> anyhow::Result<BytesMut> {
        let mut header = Header {
            version: 2,
            marker: stamp.marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: stamp.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        header.set_extension(EXTENSION_MID, Bytes::from_static(self.mid))?;
        if let Some(rid) = self.rid {
            header.set_extension(EXTENSION_RID, Bytes::from_static(rid.as_bytes()))?;
        }
        header.set_extension(EXTENSION_TWCC, Bytes::copy_from_slice(&stamp.transport_sequence.to_be_bytes()))?;
        if let Some(level) = stamp.level {
            header.set_extension(EXTENSION_LEVEL, Bytes::copy_from_slice(&[level]))?;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        Ok(Packet { header, payload }.marshal()?)
    }

    /// RFC 3550, section 6.4.1.
    pub(super) fn sender_report(&self, timestamp: u32) -> Vec<u8> {
        let now = clock::machine_ns();
        let seconds = (now / 1_000_000_000 + 2_208_988_800) as u32;
        let fraction = ((now % 1_000_000_000) << 32) / 1_000_000_000;
        let mut report = vec![0x80, 200, 0, 6];
        for word in [self.ssrc, seconds, fraction as u32, timestamp, self.sent, self.octets] {
            report.extend_from_slice(&word.to_be_bytes());
        }
        report
    }
}

/// Whether a sealed datagram is RTCP (RFC 5761, section 4).
pub(super) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 8 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

/// What a receiver asks of a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// PLI or FIR (RFC 4585, section 6.3.1; RFC 5104, section 4.3.1).
    KeyFrame { ssrc: u32 },
    /// NACK (RFC 4585, section 6.2.1).
    Again { ssrc: u32, numbers: Vec<u16> },
}

/// What a decrypted compound asks for.
pub(super) fn asked(compound: &[u8]) -> Vec<Ask> {
    let word = |part: &[u8], at: usize| part.get(at..at + 4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut asks = Vec::new();
    let mut rest = compound;
    while rest.len() >= 4 {
        let length = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
        let Some(part) = rest.get(..length) else { return asks };
        match (part[1], part[0] & 0x1f) {
            (206, 1) => asks.extend(word(part, 8).map(|ssrc| Ask::KeyFrame { ssrc })),
            (206, 4) => asks.extend((12..length).step_by(8).filter_map(|at| word(part, at)).map(|ssrc| Ask::KeyFrame { ssrc })),
            (205, 1) => {
                let pairs = (12..length).step_by(4).filter_map(|at| word(part, at));
                let numbers = pairs.flat_map(|pair| {
                    let (first, mask) = ((pair >> 16) as u16, pair as u16);
                    std::iter::once(first)
                        .chain((0..16).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| first.wrapping_add(bit + 1)))
                });
                asks.extend(word(part, 8).map(|ssrc| Ask::Again { ssrc, numbers: numbers.collect() }));
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    asks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::reception::{Header as Read, nack, payload, picture_loss};
    use crate::loadgen::sdp::VIDEO_PAYLOAD_TYPE;

    #[test]
    fn packets_are_numbered_and_say_where_they_belong() {
        let mut stream = Stream::new(5, VIDEO_PAYLOAD_TYPE, b"0", Some("h"));
        let stamp = |marker, transport_sequence| Stamp { timestamp: 1, marker, transport_sequence, level: None };
        let first = stream.packet(stamp(false, 2), Bytes::from_static(&[0x41, 1])).expect("short extensions");
        let second = stream.packet(stamp(true, 3), Bytes::from_static(&[0x41, 2])).expect("short extensions");
        let read = |packet: &[u8]| Read::read(packet, Some(EXTENSION_TWCC)).expect("RTP");
        assert_eq!(read(&second).sequence, read(&first).sequence.wrapping_add(1));
        assert_eq!((read(&second).marker, read(&second).transport_sequence, payload(&second)), (true, Some(3), Some(&[0x41, 2][..])));
        assert_eq!((stream.sent, stream.octets), (2, 4));
    }

    #[test]
    fn what_is_asked_for_is_read_out_of_a_compound() {
        let mut compound = picture_loss(1, 2);
        compound.extend(nack(1, 3, &[65_534, 65_535, 14]));
        // A full intra request of two streams.
        compound.extend([0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 7, 0, 0, 0, 0, 0, 0, 5, 7, 0, 0, 0]);
        let again = Ask::Again { ssrc: 3, numbers: vec![65_534, 65_535, 14] };
        let key_frame = |ssrc| Ask::KeyFrame { ssrc };
        assert_eq!(asked(&compound), [key_frame(2), again, key_frame(4), key_frame(5)]);
        for cut in 0..compound.len() {
            let _ = asked(&compound[..cut]);
        }
    }
}
