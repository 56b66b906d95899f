//! RTP and RTCP in bytes, by the letter of RFC 3550, 4585, 8285 and the transport-wide congestion control draft. On purpose not the code
//! under test.

use std::ops::Range;

/// A parsed RTP header.
#[derive(Debug, Clone)]
pub(crate) struct Rtp {
    pub pt: u8,
    pub marker: bool,
    pub seq: u16,
    pub time: u32,
    pub ssrc: u32,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub payload: Range<usize>,
}

pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() > 1 && (192..=223).contains(&datagram[1])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The header extensions of a packet, by where their values stand.
pub(crate) fn extension_ranges(packet: &[u8]) -> Vec<(u8, Range<usize>)> {
    let mut found = Vec::new();
    let start = 12 + 4 * usize::from(packet[0] & 15);
    if packet[0] & 0x10 == 0 {
        return found;
    }
    let profile = u16_at(packet, start);
    let mut at = start + 4;
    let end = at + 4 * usize::from(u16_at(packet, start + 2));
    while at < end {
        let (id, len, head) = match profile {
            _ if packet[at] == 0 => {
                at += 1;
                continue;
            }
            0xbede => (packet[at] >> 4, usize::from(packet[at] & 15) + 1, 1),
            0x1000..=0x100f => (packet[at], usize::from(packet[at + 1]), 2),
            other => panic!("extension profile {other:#x}"),
        };
        found.push((id, at + head..at + head + len));
        at += head + len;
    }
    assert!(at == end, "an element beyond its block");
    found
}

/// Reads a packet in clear; what we are sent must be well-formed, so anything else panics.
pub(crate) fn parse_rtp(packet: &[u8]) -> Rtp {
    assert_eq!(packet[0] >> 6, 2, "version");
    let mut at = 12 + 4 * usize::from(packet[0] & 15);
    if packet[0] & 0x10 != 0 {
        at += 4 + 4 * usize::from(u16_at(packet, at + 2));
    }
    let extensions = extension_ranges(packet).into_iter().map(|(id, range)| (id, packet[range].to_vec())).collect();
    let padding = if packet[0] & 0x20 != 0 { usize::from(packet[packet.len() - 1]) } else { 0 };
    Rtp {
        pt: packet[1] & 127,
        marker: packet[1] & 128 != 0,
        seq: u16_at(packet, 2),
        time: u32_at(packet, 4),
        ssrc: u32_at(packet, 8),
        extensions,
        payload: at..packet.len() - padding,
    }
}

/// Writes a packet with one-byte extensions, or two-byte ones where a value is long (RFC 8285 section 4.3).
pub(crate) fn write_rtp(pt: u8, marker: bool, seq: u16, time: u32, ssrc: u32, extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![if extensions.is_empty() { 0x80 } else { 0x90 }, pt | u8::from(marker) << 7];
    packet.extend(seq.to_be_bytes());
    packet.extend(time.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    if !extensions.is_empty() {
        let mut body = Vec::new();
        let is_long = extensions.iter().any(|(_, value)| value.len() > 16);
        for (id, value) in extensions {
            if is_long {
                body.extend([*id, value.len() as u8]);
            } else {
                body.push(id << 4 | (value.len() - 1) as u8);
            }
            body.extend(*value);
        }
        body.resize(body.len().next_multiple_of(4), 0);
        packet.extend(if is_long { [0x10, 0x00] } else { [0xbe, 0xde] });
        packet.extend(((body.len() / 4) as u16).to_be_bytes());
        packet.extend(body);
    }
    packet.extend(payload);
    packet
}

/// The frame of a packet of redundant audio (RFC 2198), and the earlier ones with their distances in ticks, oldest first.
pub(crate) fn parse_red(payload: &[u8], pt: u8) -> (&[u8], Vec<(u32, &[u8])>) {
    let (mut at, mut shapes) = (0, Vec::new());
    while payload[at] & 0x80 != 0 {
        assert_eq!(payload[at] & 0x7f, pt, "every block is of the one codec");
        let word = u32_at(payload, at);
        shapes.push((word >> 10 & 0x3fff, (word & 0x3ff) as usize));
        at += 4;
    }
    assert_eq!(payload[at], pt);
    at += 1;
    let mut earlier = Vec::new();
    for (distance, length) in shapes {
        earlier.push((distance, &payload[at..at + length]));
        at += length;
    }
    (&payload[at..], earlier)
}

/// A payload of redundant audio: a frame, and before it the one `distance` ticks earlier.
pub(crate) fn write_red(pt: u8, frame: &[u8], earlier: (u32, &[u8])) -> Vec<u8> {
    let word = u32::from(0x80 | pt) << 24 | earlier.0 << 10 | earlier.1.len() as u32;
    [&word.to_be_bytes()[..], &[pt], earlier.1, frame].concat()
}

/// Unwraps 16-bit sequence numbers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Unwrapper(Option<i64>);

impl Unwrapper {
    pub(crate) fn unwrap(&mut self, seq: u16) -> i64 {
        let newest = *self.0.get_or_insert(i64::from(seq) + 65_536);
        let value = newest + i64::from(seq.wrapping_sub(newest as u16) as i16);
        self.0 = Some(newest.max(value));
        value
    }

    /// Without taking note of it.
    pub(crate) fn peek(&self, seq: u16) -> Option<i64> {
        self.0.map(|newest| newest + i64::from(seq.wrapping_sub(newest as u16) as i16))
    }
}

/// One packet of an RTCP compound.
#[derive(Debug, Clone)]
pub(crate) enum Rtcp {
    SenderReport {
        ssrc: u32,
        ntp: u64,
        rtp: u32,
    },
    ReceiverReport,
    Nack {
        media: u32,
        seqs: Vec<u16>,
    },
    Pli,
    /// How long ago a receiver's reference time came, and which one: the middle of its NTP time.
    ReferenceAnswer {
        reference: u32,
        delay: u32,
    },
    Other,
}

pub(crate) fn parse_rtcp(mut compound: &[u8]) -> Vec<Rtcp> {
    let mut found = Vec::new();
    while compound.len() >= 4 {
        let len = 4 * (usize::from(u16_at(compound, 2)) + 1);
        let (packet, rest) = compound.split_at(len);
        compound = rest;
        found.push(match (packet[1], packet[0] & 31) {
            (200, _) => Rtcp::SenderReport {
                ssrc: u32_at(packet, 4),
                ntp: u64::from(u32_at(packet, 8)) << 32 | u64::from(u32_at(packet, 12)),
                rtp: u32_at(packet, 16),
            },
            (201, _) => Rtcp::ReceiverReport,
            (205, 1) => {
                let pairs = packet[12..].chunks(4).map(|pair| (u16_at(pair, 0), u16_at(pair, 2)));
                let seqs = pairs.flat_map(|(pid, blp)| {
                    std::iter::once(pid).chain((0..16).filter(move |bit| blp >> bit & 1 == 1).map(move |bit| pid.wrapping_add(bit + 1)))
                });
                Rtcp::Nack { media: u32_at(packet, 8), seqs: seqs.collect() }
            }
            (206, 1) => Rtcp::Pli,
            (207, _) if packet[8] == 5 => Rtcp::ReferenceAnswer { reference: u32_at(packet, 16), delay: u32_at(packet, 20) },
            _ => Rtcp::Other,
        });
    }
    assert!(compound.is_empty(), "a compound ends where its last packet ends");
    found
}

fn rtcp(kind: u8, count: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80 | count, kind];
    packet.extend(((body.len() / 4) as u16).to_be_bytes());
    packet.extend(body);
    packet
}

pub(crate) fn sender_report(ssrc: u32, ntp: u64, rtp: u32, packets: u32, octets: u32) -> Vec<u8> {
    let mut body = ssrc.to_be_bytes().to_vec();
    body.extend(ntp.to_be_bytes());
    for word in [rtp, packets, octets] {
        body.extend(word.to_be_bytes());
    }
    rtcp(200, 0, &body)
}

/// `last_report`: middle of the NTP time of the newest sender report, and how long ago it came, in 65,536ths of a second.
pub(crate) fn receiver_report(reporter: u32, media: u32, fraction_lost: u8, highest: u32, last_report: (u32, u32)) -> Vec<u8> {
    let words = [reporter, media, u32::from(fraction_lost) << 24, highest, 0, last_report.0, last_report.1];
    rtcp(201, 1, &words.map(u32::to_be_bytes).concat())
}

/// Asks for the round trip (RFC 3611 section 4.4).
pub(crate) fn reference_time(reporter: u32, ntp: u64) -> Vec<u8> {
    let mut body = [reporter, 4 << 24 | 2].map(u32::to_be_bytes).concat();
    body.extend(ntp.to_be_bytes());
    rtcp(207, 0, &body)
}

pub(crate) fn pli(reporter: u32, media: u32) -> Vec<u8> {
    rtcp(206, 1, &[reporter, media].map(u32::to_be_bytes).concat())
}

pub(crate) fn nack(reporter: u32, media: u32, seqs: &[u16]) -> Vec<u8> {
    let mut body = [reporter, media].map(u32::to_be_bytes).concat();
    for seq in seqs {
        body.extend(seq.to_be_bytes());
        body.extend([0, 0]);
    }
    rtcp(205, 1, &body)
}

pub(crate) fn remb(reporter: u32, bitrate_bps: u64) -> Vec<u8> {
    let mut exponent = 0;
    while bitrate_bps >> exponent > 0x3_ffff {
        exponent += 1;
    }
    let mantissa = (bitrate_bps >> exponent) as u32;
    let mut body = [reporter, 0].map(u32::to_be_bytes).concat();
    body.extend(b"REMB");
    body.extend((1 << 24 | exponent << 18 | mantissa).to_be_bytes());
    body.extend(0u32.to_be_bytes());
    rtcp(206, 15, &body)
}

/// Transport-wide feedback: for each number from `first` on, the arrival in microseconds of the receiver's clock.
pub(crate) fn transport_feedback(reporter: u32, media: u32, first: u16, arrivals: &[Option<u64>], count: u8) -> Vec<u8> {
    let reference = arrivals.iter().flatten().min().copied().unwrap_or(0) / 64_000;
    let mut body = [reporter, media].map(u32::to_be_bytes).concat();
    body.extend(first.to_be_bytes());
    body.extend((arrivals.len() as u16).to_be_bytes());
    body.extend(((reference as u32) << 8 | u32::from(count)).to_be_bytes());
    for chunk in arrivals.chunks(7) {
        let mut word = 0b11 << 14;
        for (place, arrival) in chunk.iter().enumerate() {
            word |= if arrival.is_some() { 2u16 } else { 0 } << (12 - 2 * place);
        }
        body.extend(word.to_be_bytes());
    }
    let mut last = reference as i64 * 256;
    for arrival in arrivals.iter().flatten() {
        let ticks = (arrival / 250) as i64;
        body.extend(((ticks - last) as i16).to_be_bytes());
        last = ticks;
    }
    body.resize(body.len().next_multiple_of(4), 0);
    rtcp(205, 15, &body)
}
