//! A call of twelve beside its floor, in one process and on one thread: how much more than sealing and sending the same packets does it cost to send
//! everybody's picture and sound to everybody else? `cargo bench --bench call` runs it.
//!
//! A block is a tenth of a second: of each member three frames of a few packets, and five packets of sound, each to eleven others. Path and floor
//! make the same sends of as many bytes, each member under its own AES-128-GCM key. CPU time of the thread counts, not the wall's; the receivers
//! are emptied outside of it. `benches/forward.rs` is the same for a broadcast.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use courtside::sfu::codec::{Codec, MediaKind, PayloadInfo};
use courtside::sfu::down_track::DownTrack;
use courtside::sfu::forward::{Egress, ReadyEgress, Route, SendTime, Sending, Wire, forward_run};
use courtside::sfu::negotiate::{NegotiatedCodec, NegotiatedProfile};
use courtside::sfu::pacer::TurnQueue;
use courtside::sfu::packet::{ForwardedExtensions, RtpPacket};
use courtside::sfu::rtp::extensions::{ExtensionKind, ExtensionMap};
use courtside::sfu::rtp::id::{Mid, Pt, Ssrc};
use courtside::sfu::rtp::seq::{RtpTime, SeqNo};
use courtside::sfu::selection::{Limit, Target};
use courtside::sfu::stats::Counters;
use courtside::sfu::transport::Remote;
use courtside::sfu::transport::srtp::{SrtpKeys, SrtpOutbound, SrtpProfile};
use courtside::sfu::up_track::UpTrack;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::time::{ClockId, clock_gettime};

const MEMBERS: usize = 12;
/// Packets of a frame and bytes of their payloads: 30 frames a second, 0.5 Mbit/s. And of sound.
const VIDEO: (usize, usize) = (2, 1050);
const AUDIO: (usize, usize) = (1, 100);
/// What a member sends in a block: 'v' a frame, 'a' sound.
const BLOCK: &[u8] = b"vaavaava";
const TAG: usize = 16;
/// A fixed header, and the block with a transport-wide number and a send time.
const HEADER: usize = 12 + 12;
const BLOCKS: usize = 200;
const AIM: f64 = 1.35;

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut bench = Bench::new();
    // Caches, buffers and the clock of the CPU settle.
    for _ in 0..BLOCKS / 4 {
        bench.path();
        bench.floor();
    }
    let (mut path, mut floor, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        // Either may gain by coming second.
        let (one, other) = if block % 2 == 0 {
            let path = bench.path();
            (path, bench.floor())
        } else {
            let floor = bench.floor();
            (bench.path(), floor)
        };
        path.push(one);
        floor.push(other);
        ratios.push(one / other);
    }
    let ratio = at(&mut ratios, 0.5);
    let is_met = ratio <= AIM;
    let conditions = format!("{MEMBERS} members, frames of {} packets, sound each 20 ms, loopback, {BLOCKS} blocks of 0.1 s", VIDEO.0);
    let rows = [
        ("call_path_in_floors", ratio, "x", Some(AIM)),
        ("call_path_in_floors_p10", at(&mut ratios, 0.1), "x", None),
        ("call_path_in_floors_p90", at(&mut ratios, 0.9), "x", None),
        ("call_path_cpu_per_packet", at(&mut path, 0.5), "ns", None),
        ("call_floor_cpu_per_packet", at(&mut floor, 0.5), "ns", None),
    ];
    for (name, value, unit, aim) in rows {
        let met = aim.map(|_| is_met);
        if json {
            let row = serde_json::json!({
                "name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit, "aim": aim, "met": met, "gate": false, "conditions": conditions,
            });
            println!("{row}");
        } else {
            let verdict = aim.map_or(String::new(), |aim| format!("  (aim {aim}: {})", if is_met { "met" } else { "missed" }));
            println!("{name:32} {value:10.3} {unit}{verdict}");
        }
    }
}

/// The value at a share of a sorted row.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// CPU time of this thread.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Sends as a worker's socket does.
struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    refused: u64,
}

impl Socket {
    fn send_to(&mut self, destination: SocketAddr, segment: usize, contents: &[u8]) -> bool {
        let transmit = Transmit { destination, ecn: None, contents, segment_size: Some(segment), src_ip: None };
        let sent = self.state.try_send(UdpSockRef::from(&self.socket), &transmit).is_ok();
        self.refused += u64::from(!sent);
        sent
    }
}

impl Wire for Socket {
    fn send(&mut self, route: Route, segment: usize, contents: &[u8]) -> bool {
        match route.destination {
            Remote::Udp(destination) => self.send_to(destination, segment, contents),
            Remote::Tcp { .. } => false,
        }
    }
}

struct Member {
    socket: UdpSocket,
    address: SocketAddr,
    key: LessSafeKey,
    video: Track,
    audio: Track,
}

/// What one member sends of one kind, and all others receive.
struct Track {
    up: UpTrack,
    codec: Codec,
    run: (usize, usize),
    payload: Bytes,
    seq: u64,
    frame: u32,
}

impl Track {
    fn new(member: usize, codec: Codec, run: (usize, usize), extensions: ExtensionMap) -> Self {
        let kind = codec.kind();
        let mut up = UpTrack::new(kind);
        up.layer_mut(0);
        for peer in (0..MEMBERS).filter(|peer| *peer != member) {
            let agreed = NegotiatedCodec { codec, pt: Pt(102), rtx_pt: None, red_pt: None, profile: NegotiatedProfile::Unspecified };
            let number = 2 * (peer * MEMBERS + member) as u32 + u32::from(kind == MediaKind::Audio);
            let mid = Mid::new(number.to_string().as_bytes()).expect("short");
            let mut down = DownTrack::new(peer, mid, kind, Ssrc(number + 1), None, vec![agreed], extensions, 1);
            down.set_target(Some(Target { layer: 0, limit: Limit::NONE }));
            up.downs.insert(down);
        }
        Self { up, codec, run, payload: Bytes::from(vec![0x5a; run.1]), seq: 0, frame: 0 }
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark is a shell: its clock is the machine's")]
    fn next_run(&mut self) -> Vec<Arc<RtpPacket>> {
        self.frame += 1;
        let (first, now, packets) = (self.frame == 1, Instant::now(), self.run.0);
        let video = self.codec.kind() == MediaKind::Video;
        let packet = |index: usize| {
            let begins = video && first && index == 0;
            Arc::new(RtpPacket {
                seq: SeqNo(self.seq + index as u64 + 1),
                time: RtpTime(self.frame * 3000),
                marker: video && index + 1 == packets,
                codec: self.codec,
                info: PayloadInfo {
                    keyframe_start: begins,
                    frame_start: index == 0,
                    resolution: begins.then_some((640, 360)),
                    ..PayloadInfo::default()
                },
                received: now,
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: self.payload.clone(),
            })
        };
        let run = (0..packets).map(packet).collect();
        self.seq += packets as u64;
        run
    }
}

struct Bench {
    wire: Socket,
    members: Vec<Member>,
    egress: Vec<Egress>,
    turns: TurnQueue,
    buffer: Vec<u8>,
    counters: Counters,
    packet: Vec<u8>,
    index: u64,
}

impl Bench {
    fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
        let (mut egress, mut turns, mut members) = (Vec::new(), TurnQueue::default(), Vec::new());
        let mut extensions = ExtensionMap::default();
        extensions.set(4, ExtensionKind::TransportCc);
        extensions.set(2, ExtensionKind::AbsSendTime);
        for member in 0..MEMBERS {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
            socket.set_nonblocking(true).expect("its options");
            // Runs come whole: the kernel does not split them.
            UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
            let address = socket.local_addr().expect("bound");
            let secret: [u8; 16] = rand::random();
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &secret).expect("16 bytes"));
            let profile = SrtpProfile::AeadAes128Gcm;
            let material: Vec<u8> = (0..profile.keying_material_len()).map(|_| rand::random()).collect();
            let keys = SrtpKeys::of_server(profile, &material).expect("as long as it must be");
            let route = Route { destination: Remote::Udp(address), source: None };
            egress.push(Egress { ready: Some(ReadyEgress { route, sealer: SrtpOutbound::new(&keys) }), ..Egress::default() });
            turns.reserve(member);
            let video = Track::new(member, Codec::H264, VIDEO, extensions);
            let audio = Track::new(member, Codec::Opus, AUDIO, extensions);
            members.push(Member { socket, address, key, video, audio });
        }
        Self {
            wire: Socket { socket, state, refused: 0 },
            members,
            egress,
            turns,
            buffer: Vec::with_capacity(65_536),
            counters: Counters::default(),
            packet: vec![0x5a; HEADER + VIDEO.1.max(AUDIO.1)],
            index: 0,
        }
    }

    /// A block through the forward path. CPU time per packet, ns.
    fn path(&mut self) -> f64 {
        let (mut cpu, forwarded) = (Duration::ZERO, self.counters.packets_forwarded);
        for &kind in BLOCK {
            for member in 0..MEMBERS {
                let member = &mut self.members[member];
                let track = if kind == b'v' { &mut member.video } else { &mut member.audio };
                let run = track.next_run();
                let before = spent();
                let at = SendTime { now: run[0].received, abs_send_time: track.frame };
                for packet in &run {
                    track.up.observe(at.now, 0, packet);
                }
                let Self { egress, buffer, wire, counters, turns, .. } = self;
                forward_run(&mut track.up, 0, &run, turns, Sending { at, egress, buffer, wire, counters });
                cpu += spent() - before;
            }
            self.drain();
        }
        let packets = self.counters.packets_forwarded - forwarded;
        assert_eq!((packets, self.wire.refused), (Self::packets() as u64, 0), "everything leaves, and at once");
        cpu.as_nanos() as f64 / packets as f64
    }

    /// Seals and sends as many. CPU time per packet, ns.
    fn floor(&mut self) -> f64 {
        let mut cpu = Duration::ZERO;
        for &kind in BLOCK {
            let (packets, bytes) = if kind == b'v' { VIDEO } else { AUDIO };
            for sender in 0..MEMBERS {
                let before = spent();
                for (_, receiver) in self.members.iter().enumerate().filter(|(receiver, _)| *receiver != sender) {
                    self.buffer.clear();
                    for offset in 0..packets as u64 {
                        let start = self.buffer.len();
                        self.buffer.extend_from_slice(&self.packet[..HEADER + bytes]);
                        let mut nonce = [0; 12];
                        nonce[4..].copy_from_slice(&(self.index + offset).to_be_bytes());
                        let (header, payload) = self.buffer[start..].split_at_mut(HEADER);
                        let nonce = Nonce::assume_unique_for_key(nonce);
                        let tag = receiver.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).expect("short enough");
                        self.buffer.extend_from_slice(tag.as_ref());
                    }
                    self.wire.send_to(receiver.address, HEADER + bytes + TAG, &self.buffer);
                }
                self.index += packets as u64;
                cpu += spent() - before;
            }
            self.drain();
        }
        cpu.as_nanos() as f64 / Self::packets() as f64
    }

    /// Packets of a block, over all receivers.
    fn packets() -> usize {
        let sent: usize = BLOCK.iter().map(|kind| if *kind == b'v' { VIDEO.0 } else { AUDIO.0 }).sum();
        sent * MEMBERS * (MEMBERS - 1)
    }

    /// Empties the receivers.
    fn drain(&mut self) {
        let mut buffer = vec![0; 65_536];
        for member in &self.members {
            while member.socket.recv(&mut buffer).is_ok() {}
        }
    }
}
