//! A call of twelve on top of a match beside its floor: how much more than sealing and sending the same packets does it cost to send everybody
//! the match, four faces and everybody's voice? `scripts/bench.sh calls` and `cargo bench --bench call` run it.
//!
//! ```text
//! the match   three layers come; the largest goes to all twelve, with its sound                    12 + 12
//! faces       the first four of who spoke last, other than oneself: four are seen by eleven,
//!             the fifth by those four, nobody else by anybody. The first of each is drawn large      48
//! voices      everybody's to everybody else, with levels, each 20 ms                                132
//! ```
//! A layer that nobody is shown still comes where a page would send it: a camera's smallest always, the larger while somebody draws it.
//! Path and floor make the same sends of as many bytes: a run for each receiver, each member under its own key. Beside the path: what opening costs
//! that comes in (header and AES-GCM), for each packet that goes out. `benches/forward.rs` is the same for a broadcast.

mod beside_floor;

use std::time::{Duration, Instant};

use beside_floor::{Beside, Receiver, Row, Run, Socket, Stream, compare, down_track, finish, keys, send_time, spent, start};
use bytes::BytesMut;
use courtside::sfu::codec::{Codec, MediaKind};
use courtside::sfu::forward::{Egress, Sending, forward_run};
use courtside::sfu::pacer::TurnQueue;
use courtside::sfu::packet::RtpPacket;
use courtside::sfu::rtp::header::{FIXED_HEADER_LEN, FixedHeader, RtpHeader, fixed_header_bytes};
use courtside::sfu::rtp::id::{Pt, Ssrc};
use courtside::sfu::stats::Counters;
use courtside::sfu::transport::srtp::{SrtpInbound, SrtpOutbound};
use courtside::sfu::up_track::UpTrack;

const MEMBERS: usize = 12;
/// That a page receives, unless every one is wished (`web-client/src/call/call_media.ts`).
const FACES: usize = 4;
/// Packets of a frame, bytes of each, lines: at 30 frames a second 0.2, 0.7 and 2.6 Mbit/s.
const MATCH: [(usize, usize, u16); 3] = [(1, 900, 180), (3, 1000, 360), (10, 1100, 720)];
/// At 30 frames a second 0.16 and 0.65 Mbit/s, as the page encodes faces (`web-client/src/lib/encodings.ts`).
const FACE: [(usize, usize, u16); 2] = [(1, 667, 180), (3, 903, 360)];
/// Bytes of 20 ms of a voice at 40 kbit/s.
const VOICE: usize = 100;
/// What comes in a block, from everybody: a frame each 33 ms, sound each 20 ms.
const BLOCK: &[(u64, MediaKind)] = &[
    (0, MediaKind::Video),
    (0, MediaKind::Audio),
    (20, MediaKind::Audio),
    (33, MediaKind::Video),
    (40, MediaKind::Audio),
    (60, MediaKind::Audio),
    (67, MediaKind::Video),
    (80, MediaKind::Audio),
];
const BLOCK_MS: u64 = 100;
const BLOCKS: usize = 200;
const AIM: f64 = 1.35;

fn main() {
    let mut bench = Bench::new();
    let compared = compare(&mut bench, BLOCKS);
    let (sends, forwarded) = (bench.counters.sends, bench.counters.packets_forwarded);
    let opening = bench.opening.as_nanos() as f64 / forwarded as f64;
    let rows = [
        Row { aim: Some(AIM), ..Row::new("call_path_in_floors", compared.ratio, "x") },
        Row::new("call_path_in_floors_p10", compared.ratio_p10, "x"),
        Row::new("call_path_in_floors_p90", compared.ratio_p90, "x"),
        Row::new("call_path_cpu_per_packet", compared.path, "ns"),
        Row::new("call_floor_cpu_per_packet", compared.floor, "ns"),
        Row::new("call_opening_cpu_per_packet", opening, "ns"),
        Row { aim: Some(AIM), ..Row::new("call_path_and_opening_in_floors", compared.ratio + opening / compared.floor, "x") },
        Row::new("call_packets_per_send", forwarded as f64 / sends as f64, "packets"),
    ];
    let conditions =
        format!("{MEMBERS} members, {FACES} faces each, everybody's voice, a match beside it, loopback, {BLOCKS} blocks of {BLOCK_MS} ms");
    finish(&rows, &conditions);
}

/// A camera, a microphone, or one of the match's: what comes of it, and who is sent what.
struct Source {
    up: UpTrack,
    /// Smallest first, as many as come.
    layers: Vec<Layer>,
}

struct Layer {
    stream: Stream,
    /// Who is sent it.
    receivers: Vec<usize>,
    ssrc: u32,
    /// The floor's numbers.
    sealed: u64,
}

impl Source {
    /// `shown`: each who is sent it, with the layer.
    fn new(number: usize, layers: Vec<Stream>, shown: &[(usize, usize)]) -> Self {
        let codec = layers[0].run.codec;
        let mut up = UpTrack::new(codec.kind());
        let layers = (0_u8..).zip(layers).map(|(at, stream)| {
            up.layer_mut(at);
            let receivers = shown.iter().filter(|(_, layer)| *layer == usize::from(at)).map(|(receiver, _)| *receiver).collect();
            Layer { stream, receivers, ssrc: (number * 4 + usize::from(at) + 1) as u32, sealed: 0 }
        });
        let layers = layers.collect();
        for &(receiver, layer) in shown {
            up.downs.insert(down_track(receiver, (number * MEMBERS + receiver) as u32, codec, layer as u8));
        }
        Self { up, layers }
    }
}

fn streams(layers: &[(usize, usize, u16)]) -> Vec<Stream> {
    layers.iter().map(|&(packets, payload, lines)| Stream::new(Run::new(Codec::H264, packets, payload), lines)).collect()
}

/// What everybody sends, and to whom it goes.
fn sources() -> Vec<Source> {
    let everybody: Vec<usize> = (0..MEMBERS).collect();
    let voice = || vec![Stream::new(Run::new(Codec::Opus, 1, VOICE), 0)];
    let mut sources = vec![
        Source::new(0, streams(&MATCH), &everybody.iter().map(|receiver| (*receiver, MATCH.len() - 1)).collect::<Vec<_>>()),
        Source::new(1, voice(), &everybody.iter().map(|receiver| (*receiver, 0)).collect::<Vec<_>>()),
    ];
    for member in 0..MEMBERS {
        // Members are numbered by who spoke last.
        let faces_of = |viewer: usize| everybody.iter().copied().filter(move |other| *other != viewer).take(FACES);
        let place = |viewer| faces_of(viewer).position(|face| face == member);
        let shown: Vec<(usize, usize)> = everybody.iter().filter_map(|viewer| Some((*viewer, usize::from(place(*viewer)? == 0)))).collect();
        let comes = 1 + shown.iter().map(|(_, layer)| *layer).max().unwrap_or(0);
        sources.push(Source::new(sources.len(), streams(&FACE[..comes]), &shown));
        let heard: Vec<(usize, usize)> = everybody.iter().filter(|other| **other != member).map(|other| (*other, 0)).collect();
        sources.push(Source::new(sources.len(), voice(), &heard));
    }
    sources
}

struct Bench {
    now: Instant,
    wire: Socket,
    receivers: Vec<Receiver>,
    sources: Vec<Source>,
    egress: Vec<Egress>,
    turns: TurnQueue,
    buffer: Vec<u8>,
    counters: Counters,
    sealer: SrtpOutbound,
    opener: SrtpInbound,
    opening: Duration,
}

impl Bench {
    fn new() -> Self {
        let receivers: Vec<Receiver> = (0..MEMBERS).map(|_| Receiver::open()).collect();
        let mut turns = TurnQueue::default();
        (0..MEMBERS).for_each(|member| turns.reserve(member));
        let keys = keys();
        Self {
            now: start(),
            wire: Socket::open(MATCH[MATCH.len() - 1].0),
            egress: receivers.iter().map(Receiver::egress).collect(),
            receivers,
            sources: sources(),
            turns,
            buffer: Vec::with_capacity(65_536),
            counters: Counters::default(),
            sealer: SrtpOutbound::new(&keys.mirrored()),
            opener: SrtpInbound::new(&keys),
            opening: Duration::ZERO,
        }
    }

    /// Empties the receivers. Returns the bytes that were there.
    fn drain(&self) -> usize {
        self.receivers.iter().map(Receiver::drain).sum()
    }

    /// Opens the packet as it came. Counts the CPU time.
    fn open(&mut self, ssrc: u32, packet: &RtpPacket) {
        let (seq, mut sealed) = (packet.seq.wire(), Vec::with_capacity(FIXED_HEADER_LEN + packet.payload.len() + beside_floor::TAG));
        let header = FixedHeader {
            marker: packet.marker,
            pt: Pt(102),
            seq,
            time: packet.time,
            ssrc: Ssrc(ssrc),
            has_extension: false,
            has_padding: false,
        };
        sealed.extend_from_slice(&fixed_header_bytes(&header));
        sealed.extend_from_slice(&packet.payload);
        self.sealer.seal_in_place(&mut sealed, 0, FIXED_HEADER_LEN, ssrc, packet.seq.0);
        let before = spent();
        let header = RtpHeader::parse(&sealed).expect("RTP");
        let opened = self.opener.decrypt_rtp(&sealed, header.header_len, header.ssrc.0, header.seq.0).map(BytesMut::freeze);
        self.opening += spent() - before;
        assert_eq!(opened.expect("sealed for us").len(), FIXED_HEADER_LEN + packet.payload.len());
    }
}

impl Beside for Bench {
    /// A block through the forward path.
    fn path(&mut self) -> f64 {
        let mut cpu = Duration::ZERO;
        let (packets, bytes, sends) = (self.counters.packets_forwarded, self.counters.bytes_forwarded, self.counters.sends);
        let mut arrived = 0;
        for &(at_ms, kind) in BLOCK {
            let at = send_time(self.now + Duration::from_millis(at_ms));
            for source in 0..self.sources.len() {
                for layer in 0..self.sources[source].layers.len() {
                    let Source { up, layers } = &mut self.sources[source];
                    if up.kind != kind {
                        continue;
                    }
                    let (run, ssrc) = (layers[layer].stream.next_run(at.now), layers[layer].ssrc);
                    run.iter().for_each(|packet| self.open(ssrc, packet));
                    let Self { sources, egress, buffer, wire, counters, turns, .. } = self;
                    let (up, layer) = (&mut sources[source].up, layer as u8);
                    let before = spent();
                    for packet in &run {
                        up.observe(at.now, layer, packet);
                        if let Some(level) = packet.extensions.audio_level {
                            up.voice.observe(at.now, level);
                        }
                    }
                    forward_run(up, layer, &run, turns, Sending { at, egress, buffer, wire, counters });
                    cpu += spent() - before;
                }
            }
            arrived += self.drain();
        }
        self.now += Duration::from_millis(BLOCK_MS);
        let packets = self.counters.packets_forwarded - packets;
        let made = (packets, (self.counters.bytes_forwarded - bytes) as usize, self.counters.sends - sends, self.wire.refused);
        let expected = expected(&self.sources);
        assert_eq!((made, arrived), ((expected.packets, expected.bytes, expected.sends, 0), expected.bytes), "as much as the floor sends");
        cpu.as_nanos() as f64 / packets as f64
    }

    /// Seals and sends as many.
    fn floor(&mut self) -> f64 {
        let (mut cpu, mut arrived) = (Duration::ZERO, 0);
        for &(_, kind) in BLOCK {
            let Self { sources, receivers, buffer, wire, .. } = self;
            for layer in sources.iter_mut().filter(|source| source.up.kind == kind).flat_map(|source| &mut source.layers) {
                let before = spent();
                for receiver in &layer.receivers {
                    receivers[*receiver].send_sealed(&layer.stream.run, layer.sealed, buffer, wire);
                }
                cpu += spent() - before;
                layer.sealed += layer.stream.run.packets as u64;
            }
            arrived += self.drain();
        }
        let expected = expected(&self.sources);
        assert_eq!((arrived, self.wire.refused), (expected.bytes, 0), "everything arrives");
        cpu.as_nanos() as f64 / expected.packets as f64
    }
}

/// What is sent in a block, over all receivers.
#[derive(Default)]
struct Expected {
    packets: u64,
    bytes: usize,
    sends: u64,
}

fn expected(sources: &[Source]) -> Expected {
    let mut expected = Expected::default();
    for source in sources {
        let times = BLOCK.iter().filter(|(_, kind)| *kind == source.up.kind).count();
        for Layer { stream, receivers, .. } in &source.layers {
            let sends = times * receivers.len();
            expected.sends += sends as u64;
            expected.packets += (sends * stream.run.packets) as u64;
            expected.bytes += sends * stream.run.packets * stream.run.packet_bytes();
        }
    }
    expected
}
