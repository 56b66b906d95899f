//! Reading RTCP: one pass over a decrypted compound, each fact handed out as an [`RtcpItem`]. Nothing is built, so hostile bytes can
//! neither allocate nor panic.
//!
//! Reduced-size RTCP (RFC 5506) is accepted; a broken packet ends the compound, what came before it counts.

use super::id::Ssrc;
use super::seq::RtpTime;
use crate::timeline::NtpTime;

pub(super) const TYPE_SENDER_REPORT: u8 = 200;
pub(super) const TYPE_RECEIVER_REPORT: u8 = 201;
pub(super) const TYPE_SOURCE_DESCRIPTION: u8 = 202;
pub(super) const TYPE_BYE: u8 = 203;
/// Transport layer feedback (RFC 4585 section 6.2).
pub(in crate::sfu) const TYPE_TRANSPORT_FEEDBACK: u8 = 205;
/// Payload-specific feedback (RFC 4585 section 6.3).
pub(super) const TYPE_PAYLOAD_FEEDBACK: u8 = 206;
pub(super) const TYPE_EXTENDED_REPORT: u8 = 207;
/// Blocks of extended reports (RFC 3611 sections 4.4 and 4.5).
const BLOCK_REFERENCE_TIME: u8 = 4;
pub(super) const BLOCK_DELAY_SINCE_REFERENCE: u8 = 5;
pub(super) const FORMAT_NACK: u8 = 1;
pub(in crate::sfu) const FORMAT_TRANSPORT_CC: u8 = 15;
pub(super) const FORMAT_PLI: u8 = 1;
pub(super) const FORMAT_FIR: u8 = 4;
pub(super) const FORMAT_APPLICATION: u8 = 15;

/// Reception as its receiver reports it (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: Ssrc,
    /// Lost since the previous report, of 256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative when duplicates outweigh. 24 bits on the wire.
    pub lost: i32,
    /// Highest sequence number received, extended by the count of wraps.
    pub highest_seq: u32,
    /// Interarrival jitter in RTP ticks.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; 0 when none.
    pub lsr: u32,
    /// Delay since that report, 1/65536 s.
    pub dlsr: u32,
}

/// One fact of a compound.
#[derive(Debug, Clone, Copy)]
pub enum RtcpItem<'a> {
    SenderReport {
        ssrc: Ssrc,
        ntp: NtpTime,
        rtp: RtpTime,
        packets: u32,
        octets: u32,
    },
    ReportBlock {
        reporter: Ssrc,
        block: ReportBlock,
    },
    /// RFC 4585 section 6.2.1: `pid` and, for each set bit i of `blp`, `pid + i + 1` are missing. [`nacked`] spells them out.
    Nack {
        media: Ssrc,
        pid: u16,
        blp: u16,
    },
    Pli {
        media: Ssrc,
    },
    /// RFC 5104 section 4.3.1. A repeated `seq` is the same request.
    Fir {
        media: Ssrc,
        seq: u8,
    },
    Remb {
        bitrate_bps: u64,
    },
    TransportCc(TransportCcView<'a>),
    /// A receiver that sends nothing asks for its round trip (RFC 3611 section 4.4).
    ReferenceTime {
        reporter: Ssrc,
        ntp: NtpTime,
    },
    Bye {
        ssrc: Ssrc,
    },
    /// A packet we have no use for.
    Other {
        packet_type: u8,
    },
}

/// The sequence numbers one NACK entry asks for, in order.
pub fn nacked(pid: u16, blp: u16) -> impl Iterator<Item = u16> {
    std::iter::once(pid).chain((0..16).filter(move |bit| blp >> bit & 1 == 1).map(move |bit| pid.wrapping_add(bit + 1)))
}

/// Hands every fact of a decrypted compound to `sink`, in order.
pub fn parse_compound<'a>(mut rest: &'a [u8], sink: &mut impl FnMut(RtcpItem<'a>)) {
    while let [b0, packet_type, l0, l1, ..] = *rest {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        if b0 >> 6 != 2 || len > rest.len() {
            return;
        }
        let (packet, next) = rest.split_at(len);
        rest = next;
        let mut body = &packet[4..];
        if b0 & 0x20 != 0 {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            if padding == 0 || padding > body.len() {
                return;
            }
            body = &body[..body.len() - padding];
        }
        let count = b0 & 0x1f;
        match packet_type {
            TYPE_SENDER_REPORT => sender_report(body, count, sink),
            TYPE_RECEIVER_REPORT => receiver_report(body, count, sink),
            TYPE_BYE => words(body).take(usize::from(count)).for_each(|ssrc| sink(RtcpItem::Bye { ssrc: Ssrc(ssrc) })),
            TYPE_TRANSPORT_FEEDBACK => transport_feedback(body, count, sink),
            TYPE_EXTENDED_REPORT => extended_report(body, sink),
            TYPE_PAYLOAD_FEEDBACK => payload_feedback(body, count, sink),
            packet_type => sink(RtcpItem::Other { packet_type }),
        }
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
}

fn sender_report<'a>(body: &'a [u8], count: u8, sink: &mut impl FnMut(RtcpItem<'a>)) {
    let Some((fixed, blocks)) = body.split_first_chunk::<24>() else { return };
    let mut words = words(fixed);
    let mut word = || words.next().expect("24 bytes are six words");
    let ssrc = Ssrc(word());
    let ntp = NtpTime(u64::from(word()) << 32 | u64::from(word()));
    sink(RtcpItem::SenderReport { ssrc, ntp, rtp: RtpTime(word()), packets: word(), octets: word() });
    report_blocks(ssrc, blocks, count, sink);
}

fn receiver_report<'a>(body: &'a [u8], count: u8, sink: &mut impl FnMut(RtcpItem<'a>)) {
    let Some((ssrc, blocks)) = body.split_first_chunk::<4>() else { return };
    report_blocks(Ssrc(u32::from_be_bytes(*ssrc)), blocks, count, sink);
}

/// RFC 3611 section 2: blocks of a type, a byte of its own and a length in words.
fn extended_report<'a>(body: &'a [u8], sink: &mut impl FnMut(RtcpItem<'a>)) {
    let Some((ssrc, mut rest)) = body.split_first_chunk::<4>() else { return };
    let reporter = Ssrc(u32::from_be_bytes(*ssrc));
    while let [kind, _, l0, l1, after @ ..] = rest {
        let Some((block, next)) = after.split_at_checked(4 * usize::from(u16::from_be_bytes([*l0, *l1]))) else { return };
        if *kind == BLOCK_REFERENCE_TIME
            && let Some(ntp) = block.first_chunk::<8>()
        {
            sink(RtcpItem::ReferenceTime { reporter, ntp: NtpTime(u64::from_be_bytes(*ntp)) });
        }
        rest = next;
    }
}

fn report_blocks<'a>(reporter: Ssrc, blocks: &'a [u8], count: u8, sink: &mut impl FnMut(RtcpItem<'a>)) {
    for block in blocks.as_chunks::<24>().0.iter().take(usize::from(count)) {
        let mut words = words(block);
        let mut word = || words.next().expect("24 bytes are six words");
        let ssrc = Ssrc(word());
        let losses = word();
        let block = ReportBlock {
            ssrc,
            fraction_lost: (losses >> 24) as u8,
            // Sign extension of 24 bits.
            lost: (losses << 8) as i32 >> 8,
            highest_seq: word(),
            jitter: word(),
            lsr: word(),
            dlsr: word(),
        };
        sink(RtcpItem::ReportBlock { reporter, block });
    }
}

fn transport_feedback<'a>(body: &'a [u8], format: u8, sink: &mut impl FnMut(RtcpItem<'a>)) {
    let Some((head, fci)) = body.split_first_chunk::<8>() else { return };
    let media = Ssrc(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
    match format {
        FORMAT_NACK => {
            for entry in words(fci) {
                sink(RtcpItem::Nack { media, pid: (entry >> 16) as u16, blp: entry as u16 });
            }
        }
        FORMAT_TRANSPORT_CC => {
            if let Some(view) = TransportCcView::parse(media, fci) {
                sink(RtcpItem::TransportCc(view));
            }
        }
        _other_format => sink(RtcpItem::Other { packet_type: TYPE_TRANSPORT_FEEDBACK }),
    }
}

fn payload_feedback<'a>(body: &'a [u8], format: u8, sink: &mut impl FnMut(RtcpItem<'a>)) {
    let Some((head, fci)) = body.split_first_chunk::<8>() else { return };
    match format {
        FORMAT_PLI => sink(RtcpItem::Pli { media: Ssrc(u32::from_be_bytes([head[4], head[5], head[6], head[7]])) }),
        FORMAT_FIR => {
            for &[a, b, c, d, seq, _, _, _] in fci.as_chunks::<8>().0 {
                sink(RtcpItem::Fir { media: Ssrc(u32::from_be_bytes([a, b, c, d])), seq });
            }
        }
        FORMAT_APPLICATION if fci.starts_with(b"REMB") => {
            // draft-alvestrand-rmcat-remb-03 section 2.2: count of SSRCs, then 6 bits of exponent and 18 of mantissa.
            if let &[_, _, _, _, _count, a, b, c, ..] = fci {
                let mantissa = u64::from(a & 3) << 16 | u64::from(b) << 8 | u64::from(c);
                let exponent = u32::from(a >> 2);
                let bitrate_bps = if mantissa.leading_zeros() >= exponent { mantissa << exponent } else { u64::MAX };
                sink(RtcpItem::Remb { bitrate_bps });
            }
        }
        _other_format => sink(RtcpItem::Other { packet_type: TYPE_PAYLOAD_FEEDBACK }),
    }
}

/// Transport-wide feedback, read in place (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
#[derive(Debug, Clone, Copy)]
pub struct TransportCcView<'a> {
    /// SSRC of some stream of the transport; without meaning.
    pub media: Ssrc,
    pub base_seq: u16,
    /// Packets the feedback speaks of, received or not.
    pub status_count: u16,
    /// Start of the receive times, units of 64 ms, 24 bits signed.
    pub reference_time: i32,
    /// Counts feedback packets, wraps: a gap is lost feedback.
    pub feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportCcView<'a> {
    fn parse(media: Ssrc, fci: &'a [u8]) -> Option<Self> {
        let (&[s0, s1, c0, c1, r0, r1, r2, feedback_count], rest) = fci.split_first_chunk::<8>()?;
        let status_count = u16::from_be_bytes([c0, c1]);
        let mut covered = 0;
        let mut chunk_len = 0;
        while covered < u32::from(status_count) {
            let chunk = rest.get(chunk_len..)?.first_chunk::<2>()?;
            covered += u32::from(Chunk::parse(*chunk).len());
            chunk_len += 2;
        }
        let (chunks, deltas) = rest.split_at(chunk_len);
        Some(Self {
            media,
            base_seq: u16::from_be_bytes([s0, s1]),
            status_count,
            reference_time: i32::from_be_bytes([r0, r1, r2, 0]) >> 8,
            feedback_count,
            chunks,
            deltas,
        })
    }

    /// Every packet the feedback speaks of: its transport-wide number and, when received, its receive time in ticks of 250 µs by the
    /// receiver's clock. Ends early when the deltas are cut off.
    pub fn iter(&self) -> TransportCcIter<'a> {
        TransportCcIter {
            seq: self.base_seq,
            left: self.status_count,
            time: i64::from(self.reference_time) * 256,
            chunk: Chunk::Run { symbol: 0, len: 0 },
            chunks: self.chunks,
            deltas: self.deltas,
        }
    }
}

/// One packet status chunk (sections 3.1.3 and 3.1.4).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Run {
        symbol: u8,
        len: u16,
    },
    /// One symbol per `width` bits, the first in the highest bits of 16.
    Vector {
        bits: u16,
        width: u8,
        len: u16,
    },
}

impl Chunk {
    const fn parse(bytes: [u8; 2]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        match bits >> 14 {
            0 | 1 => Self::Run { symbol: (bits >> 13 & 3) as u8, len: bits & 0x1fff },
            2 => Self::Vector { bits: bits << 2, width: 1, len: 14 },
            _two_bit_symbols => Self::Vector { bits: bits << 2, width: 2, len: 7 },
        }
    }

    const fn len(self) -> u16 {
        match self {
            Self::Run { len, .. } | Self::Vector { len, .. } => len,
        }
    }

    fn next_symbol(&mut self) -> Option<u8> {
        match self {
            Self::Run { len: 0, .. } | Self::Vector { len: 0, .. } => None,
            Self::Run { symbol, len } => {
                *len -= 1;
                Some(*symbol)
            }
            Self::Vector { bits, width, len } => {
                let symbol = *bits >> (16 - *width);
                *bits <<= *width;
                *len -= 1;
                Some(symbol as u8)
            }
        }
    }
}

/// See [`TransportCcView::iter`].
#[derive(Debug, Clone)]
pub struct TransportCcIter<'a> {
    seq: u16,
    left: u16,
    time: i64,
    chunk: Chunk,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl Iterator for TransportCcIter<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let symbol = loop {
            if let Some(symbol) = self.chunk.next_symbol() {
                break symbol;
            }
            let (chunk, chunks) = self.chunks.split_first_chunk()?;
            self.chunk = Chunk::parse(*chunk);
            self.chunks = chunks;
        };
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        let delta = match symbol {
            1 => {
                let (&delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                i64::from(delta)
            }
            2 => {
                let (&delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i64::from(i16::from_be_bytes(delta))
            }
            // 0: not received; 3 is reserved and has no delta we could know of.
            _not_received => return Some((seq, None)),
        };
        self.time += delta;
        Some((seq, Some(self.time)))
    }
}

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz {
    use super::{RtcpItem, nacked, parse_compound};

    /// Any bytes: no panic, and no more facts than bytes (transport-wide feedback: than it announces).
    pub fn fuzz_compound(bytes: &[u8]) {
        let mut items = 0;
        parse_compound(bytes, &mut |item| {
            items += 1;
            match item {
                RtcpItem::TransportCc(view) => assert!(view.iter().count() <= usize::from(view.status_count)),
                RtcpItem::Nack { pid, blp, .. } => assert_eq!(nacked(pid, blp).count() as u32, 1 + blp.count_ones()),
                RtcpItem::ReportBlock { block, .. } => assert!((-0x80_0000..0x80_0000).contains(&block.lost)),
                RtcpItem::SenderReport { .. }
                | RtcpItem::Pli { .. }
                | RtcpItem::Fir { .. }
                | RtcpItem::Remb { .. }
                | RtcpItem::ReferenceTime { .. }
                | RtcpItem::Bye { .. }
                | RtcpItem::Other { .. } => {}
            }
        });
        assert!(items <= bytes.len() / 4);
    }
}
