//! The fixed RTP header: read from hostile bytes, written for viewers (RFC 3550 section 5.1).
//!
//! A header is parsed once, before decryption; offsets in it stay valid because SRTP leaves the header in place. Padding lies inside the
//! encrypted part, so it is only looked at by [`RtpHeader::payload_range`].

use std::ops::Range;

use super::id::{Pt, Ssrc};
use super::seq::{RtpTime, WireSeq};

/// Length of the header without CSRCs and extensions, bytes.
pub const FIXED_HEADER_LEN: usize = 12;

/// Why bytes are not an RTP packet. Counted, never reported to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropHint {
    /// Shorter than a fixed header.
    TooShort,
    /// The version is not 2.
    BadVersion,
    /// CSRCs or the extension reach beyond the end.
    Truncated,
    /// The padding count is zero or larger than what follows the header.
    BadPadding,
}

/// Where the extension block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionBlock {
    /// "Defined by profile": `0xBEDE` one-byte form, `0x100X` two-byte form (RFC 8285).
    pub profile: u16,
    /// Offset of the first element, bytes from the start of the packet.
    pub start: usize,
    /// Length of all elements with their padding, bytes.
    pub len: usize,
}

/// A parsed RTP header. Offsets refer to the packet it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    pub marker: bool,
    pub pt: Pt,
    pub seq: WireSeq,
    pub time: RtpTime,
    pub ssrc: Ssrc,
    /// Offset of the payload: fixed header, CSRCs and extension, bytes.
    pub header_len: usize,
    pub has_padding: bool,
    pub extension: Option<ExtensionBlock>,
}

impl RtpHeader {
    /// Reads the header of a packet, encrypted or not.
    ///
    /// # Errors
    /// [`DropHint`], when the bytes are not RTP. Padding is not examined here.
    pub fn parse(packet: &[u8]) -> Result<Self, DropHint> {
        let fixed: &[u8; FIXED_HEADER_LEN] = packet.first_chunk().ok_or(DropHint::TooShort)?;
        let [b0, b1, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if b0 >> 6 != 2 {
            return Err(DropHint::BadVersion);
        }
        let mut header_len = FIXED_HEADER_LEN + 4 * usize::from(b0 & 0x0f);
        let mut extension = None;
        if b0 & 0x10 != 0 {
            let block: &[u8; 4] = packet.get(header_len..).and_then(<[u8]>::first_chunk).ok_or(DropHint::Truncated)?;
            let len = 4 * usize::from(u16::from_be_bytes([block[2], block[3]]));
            extension = Some(ExtensionBlock { profile: u16::from_be_bytes([block[0], block[1]]), start: header_len + 4, len });
            header_len += 4 + len;
        }
        if header_len > packet.len() {
            return Err(DropHint::Truncated);
        }
        Ok(Self {
            marker: b1 & 0x80 != 0,
            pt: Pt(b1 & 0x7f),
            seq: WireSeq(u16::from_be_bytes([s0, s1])),
            time: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: Ssrc(u32::from_be_bytes([r0, r1, r2, r3])),
            header_len,
            has_padding: b0 & 0x20 != 0,
            extension,
        })
    }

    /// Where the payload of the decrypted packet lies, padding removed; empty for a padding-only packet.
    ///
    /// # Errors
    /// `BadPadding`, and `Truncated` when `packet` is shorter than the one this header was parsed from.
    pub fn payload_range(&self, packet: &[u8]) -> Result<Range<usize>, DropHint> {
        let after_header = packet.get(self.header_len..).ok_or(DropHint::Truncated)?;
        if !self.has_padding {
            return Ok(self.header_len..packet.len());
        }
        let padding = usize::from(*after_header.last().ok_or(DropHint::BadPadding)?);
        if padding == 0 || padding > after_header.len() {
            return Err(DropHint::BadPadding);
        }
        Ok(self.header_len..packet.len() - padding)
    }

    /// The payload of the decrypted packet, padding removed.
    ///
    /// # Errors
    /// As [`Self::payload_range`].
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], DropHint> {
        self.payload_range(packet).map(|range| &packet[range])
    }
}

/// Whether a datagram that is neither STUN nor DTLS is RTCP rather than RTP, by its second byte (RFC 5761 section 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    // RTCP types 192 to 223 are what RTP payload types 64 to 95 with the marker bit would look like; those are not used with rtcp-mux.
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && (192..=223).contains(second))
}

/// What a viewer's packet begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    pub marker: bool,
    pub pt: Pt,
    pub seq: WireSeq,
    pub time: RtpTime,
    pub ssrc: Ssrc,
    /// An extension block follows the fixed header.
    pub has_extension: bool,
    /// The last byte of the packet counts padding bytes, itself included.
    pub has_padding: bool,
}

/// The twelve bytes of a header without CSRCs.
pub fn fixed_header_bytes(header: &FixedHeader) -> [u8; FIXED_HEADER_LEN] {
    let mut bytes = [0; FIXED_HEADER_LEN];
    bytes[0] = 0x80 | u8::from(header.has_padding) << 5 | u8::from(header.has_extension) << 4;
    bytes[1] = u8::from(header.marker) << 7 | header.pt.0 & 0x7f;
    bytes[2..4].copy_from_slice(&header.seq.0.to_be_bytes());
    bytes[4..8].copy_from_slice(&header.time.0.to_be_bytes());
    bytes[8..12].copy_from_slice(&header.ssrc.0.to_be_bytes());
    bytes
}

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz {
    use super::{RtpHeader, is_rtcp};

    /// Any bytes: no panic, and the payload lies behind the header inside the packet.
    pub fn fuzz_header(packet: &[u8]) {
        let _kind = is_rtcp(packet);
        let Ok(header) = RtpHeader::parse(packet) else { return };
        assert!(header.header_len <= packet.len());
        if let Some(block) = header.extension {
            assert_eq!(block.start + block.len, header.header_len);
        }
        if let Ok(range) = header.payload_range(packet) {
            assert!(range.start == header.header_len && range.start <= range.end && range.end <= packet.len());
        }
        let _shorter = header.payload(&packet[..packet.len() / 2]);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc_shared::marshal::{Marshal, Unmarshal};

    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    fn valid_packet() -> Vec<u8> {
        let packet = rtc_rtp::packet::Packet {
            header: rtc_rtp::header::Header {
                version: 2,
                marker: true,
                payload_type: 96,
                sequence_number: 65_535,
                timestamp: 0xdead_beef,
                ssrc: 0x1234_5678,
                csrc: vec![1, 2],
                extension: true,
                extension_profile: 0xBEDE,
                extensions: vec![rtc_rtp::header::Extension { id: 3, payload: Bytes::from_static(b"abc") }],
                ..Default::default()
            },
            payload: Bytes::from_static(&[9, 8, 7, 6, 5]),
        };
        packet.marshal().expect("marshals").to_vec()
    }

    #[test]
    fn reads_what_an_independent_writer_wrote() {
        let packet = valid_packet();
        let header = RtpHeader::parse(&packet).expect("valid");
        assert_eq!((header.marker, header.pt, header.seq), (true, Pt(96), WireSeq(65_535)));
        assert_eq!((header.time, header.ssrc), (RtpTime(0xdead_beef), Ssrc(0x1234_5678)));
        assert_eq!(header.payload(&packet), Ok(&[9, 8, 7, 6, 5][..]));
        let block = header.extension.expect("has one");
        assert_eq!((block.profile, block.start, block.len), (0xBEDE, 24, 4));
    }

    #[test]
    fn an_independent_reader_reads_what_we_wrote() {
        let mut packet = fixed_header_bytes(&FixedHeader {
            marker: true,
            pt: Pt(111),
            seq: WireSeq(4660),
            time: RtpTime(77),
            ssrc: Ssrc(42),
            has_extension: false,
            has_padding: false,
        })
        .to_vec();
        packet.extend_from_slice(b"payload");
        let read = rtc_rtp::packet::Packet::unmarshal(&mut &packet[..]).expect("valid");
        assert_eq!((read.header.marker, read.header.payload_type, read.header.sequence_number), (true, 111, 4660));
        assert_eq!((read.header.timestamp, read.header.ssrc, &read.payload[..]), (77, 42, &b"payload"[..]));
    }

    #[test]
    fn padding_is_removed_or_refused() {
        let base = [0xa0, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        let with = |tail: &[u8]| [&base[..], tail].concat();
        type Row = (&'static [u8], Result<&'static [u8], DropHint>);
        let rows: [Row; 6] = [
            (&[1, 2, 3, 0, 0, 3], Ok(&[1, 2, 3])),
            (&[1], Ok(&[])),
            (&[0, 0, 3], Ok(&[])),
            (&[0, 0, 4], Err(DropHint::BadPadding)),
            (&[7, 0], Err(DropHint::BadPadding)),
            (&[], Err(DropHint::BadPadding)),
        ];
        for (tail, expected) in rows {
            let packet = with(tail);
            let header = RtpHeader::parse(&packet).expect("header is fine");
            assert_eq!(header.payload(&packet), expected, "{tail:?}");
        }
    }

    #[test]
    fn tells_rtcp_from_rtp_by_the_second_byte() {
        assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x81, 205]) && is_rtcp(&[0x80, 192]) && is_rtcp(&[0x80, 223]));
        assert!(!is_rtcp(&[0x80, 96]) && !is_rtcp(&[0x80, 0x80 | 96]) && !is_rtcp(&[0x80, 0x80 | 127]) && !is_rtcp(&[0x80]));
    }

    #[test]
    fn survives_hostile_bytes() {
        bombard(&[valid_packet()], fuzz::fuzz_header);
    }
}
