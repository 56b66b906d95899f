//! What the tests' publishers send and the judge of what arrives. Every payload is unique, so a packet out of place cannot pass.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

/// Pictures between two key frames.
const KEY_EVERY: u32 = 10;
/// Baseline, 1280x720.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x05, 0xba, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83,
    0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// One packet as it was given to the publisher's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) payload: Bytes,
    pub(super) marker: bool,
    /// Of its clock, since the publisher's start.
    pub(super) ticks: u32,
    /// Decoding can begin here.
    pub(super) is_key: bool,
}

/// One packet as it came out of the viewer's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) ssrc: u32,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Bytes,
}

/// The packets of one H.264 picture of the source `tag` (RFC 6184, packetization mode 1).
pub(super) fn video(tag: u8, picture: u32) -> Vec<Sent> {
    let is_key = picture.is_multiple_of(KEY_EVERY);
    let name = |piece: u8| [&[tag, piece][..], &picture.to_be_bytes()].concat();
    let filler = |piece: u8, len: usize| (0..len).map(|at| (at as u8).wrapping_mul(7) ^ piece ^ picture as u8).collect::<Vec<u8>>();
    let mut payloads = Vec::new();
    if is_key {
        let pps = [PPS, &name(0)].concat();
        payloads.push([&[0x78, 0, SPS.len() as u8][..], SPS, &[0, pps.len() as u8], &pps].concat());
        // An I slice from macroblock 0, in three FU-A fragments.
        payloads.push([&[0x7c, 0x85, 0x88, 0x84][..], &name(1), &filler(1, 1000)].concat());
        payloads.push([&[0x7c, 0x05][..], &name(2), &filler(2, 1000)].concat());
        payloads.push([&[0x7c, 0x45][..], &name(3), &filler(3, 700)].concat());
    } else {
        // A P slice from macroblock 0.
        payloads.push([&[0x41, 0x9a][..], &name(1), &filler(1, 600)].concat());
    }
    let last = payloads.len() - 1;
    let ticks = picture.wrapping_mul(3600);
    let packet = |(at, payload): (usize, Vec<u8>)| Sent { payload: payload.into(), marker: at == last, ticks, is_key: is_key && at == 0 };
    payloads.into_iter().enumerate().map(packet).collect()
}

/// Whether this is the first packet of a key frame: parameter sets in one aggregate (STAP-A).
pub(super) fn begins_keyframe(payload: &[u8]) -> bool {
    payload.first() == Some(&0x78)
}

/// An Opus packet of 20 ms.
pub(super) fn audio(tag: u8, index: u32) -> Sent {
    let payload = [&[0xfc, tag][..], &index.to_be_bytes(), &[0x5a; 60]].concat();
    Sent { payload: payload.into(), marker: false, ticks: index.wrapping_mul(960), is_key: true }
}

/// What the judge found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// The longest run of packets without a hole.
    pub(super) run: usize,
    /// Sources in order of first appearance.
    pub(super) sources: Vec<usize>,
    pub(super) holes: usize,
}

/// Holds what one viewer received on one track to what `sources` sent: every payload was sent, byte for byte, in the same order, with the
/// same markers and timestamp steps, and the run of every source begins where decoding can begin; on one SSRC, with sequence numbers that
/// rise by one per packet. A hole (a datagram that the machine lost) is counted; what follows it must still fit, or be a key frame: after a
/// silence the server sends the group again, or a later one, and presses its timestamps into the time that passes. From there on they need only rise.
pub(super) fn judge(received: &[Received], sources: &[Vec<Sent>]) -> Judged {
    let mut places = HashMap::new();
    for (source, packets) in sources.iter().enumerate() {
        for (at, packet) in packets.iter().enumerate() {
            assert!(places.insert(packet.payload.clone(), (source, at)).is_none(), "a payload was sent twice");
        }
    }
    let Some(first) = received.first() else { return Judged { run: 0, sources: Vec::new(), holes: 0 } };
    let mut by_seq = BTreeMap::new();
    let mut last = i64::from(first.seq) + (1 << 20);
    for packet in received {
        assert_eq!(packet.ssrc, first.ssrc, "one SSRC for life");
        last += i64::from(packet.seq.wrapping_sub(last as u16) as i16);
        if let Some(before) = by_seq.insert(last, packet) {
            assert_eq!(before, packet, "one sequence number, one packet");
        }
    }
    let mut judged = Judged { run: 0, sources: Vec::new(), holes: 0 };
    let (mut run, mut before) = (0, None);
    // Of the present source: place minus sequence number, and timestamp minus ticks while that is constant.
    let mut offsets: Option<(i64, Option<u32>)> = None;
    let mut previous: Option<(usize, u32)> = None;
    for (seq, packet) in by_seq {
        let &(source, at) = places.get(&packet.payload).unwrap_or_else(|| panic!("nobody sent the payload of {}", packet.seq));
        let sent = &sources[source][at];
        assert_eq!(packet.marker, sent.marker, "marker of {at}");
        let (place, shift) = (at as i64 - seq, packet.timestamp.wrapping_sub(sent.ticks));
        let follows = before.is_some_and(|before| before + 1 == seq);
        if judged.sources.last() != Some(&source) {
            assert!(!judged.sources.contains(&source), "a source that was left does not come back");
            assert!(sent.is_key || (before.is_some() && !follows), "source {source} begins in mid-picture, at {at}");
            judged.sources.push(source);
            offsets = None;
            previous = None;
        }
        if begins_keyframe(&packet.payload) && offsets.is_some_and(|(former, _)| former != place) {
            let repeats = previous.is_some_and(|(last, _)| at <= last);
            assert!(repeats || !follows, "source {source} jumps to {at} without a loss");
            offsets = Some((place, None));
        }
        let &mut (expected, constant) = offsets.get_or_insert((place, Some(shift)));
        assert_eq!(place, expected, "source {source} at {at}");
        match constant {
            Some(constant) => assert_eq!(shift, constant, "timestamp of source {source} at {at}"),
            None => assert!(
                previous.is_none_or(|(_, timestamp)| packet.timestamp.wrapping_sub(timestamp) < 1 << 31),
                "timestamps of source {source} run backwards at {at}"
            ),
        }
        previous = Some((at, packet.timestamp));
        run = if follows { run + 1 } else { 1 };
        judged.holes += usize::from(before.is_some() && !follows);
        judged.run = judged.run.max(run);
        before = Some(seq);
    }
    judged
}
