//! The forward path beside its floor, in one process and on one thread, block by block: how much more than sealing and sending does it cost to
//! send a frame to every viewer? `scripts/bench.sh forward` runs it.
//!
//! Both send the same number of bytes to the same sockets of this machine, a frame of ten packets as one send (GSO), each viewer under its own
//! AES-128-GCM key. The path takes the packets where the receiving side of the worker hands them on: cache, meters, selection, numbers, headers,
//! extensions with transport-wide numbers, record of what was sent. The floor seals ready-made bytes. CPU time of the thread counts, not the
//! wall's; the receivers are emptied outside of it.

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

/// Packets of a frame, and of a send.
const RUN: usize = 10;
/// Bytes of their payloads: with 30 frames a second, 2.6 Mbit/s.
const PAYLOAD: usize = 1100;
const TAG: usize = 16;
/// A fixed header, and the block with a transport-wide number and a send time.
const HEADER: usize = 12 + 12;
/// Frames between two drains of the receivers: what their buffers hold.
const FRAMES: usize = 4;
/// Blocks of the path and of the floor that are compared with each other.
const BLOCKS: usize = 60;
const VIEWERS: usize = 300;
const AIM: f64 = 1.35;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let viewers = arguments.iter().find_map(|argument| argument.strip_prefix("--viewers=")?.parse().ok()).unwrap_or(VIEWERS);
    let mut bench = Bench::new(viewers);
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
    let conditions =
        format!("{viewers} viewers, frames of {RUN} packets of {PAYLOAD} bytes, loopback, {BLOCKS} blocks of {FRAMES} frames each");
    let rows = [
        ("forward_path_in_floors", ratio, "x", Some(AIM)),
        ("forward_path_in_floors_p10", at(&mut ratios, 0.1), "x", None),
        ("forward_path_in_floors_p90", at(&mut ratios, 0.9), "x", None),
        ("forward_path_cpu_per_packet", at(&mut path, 0.5), "ns", None),
        ("forward_floor_cpu_per_packet", at(&mut floor, 0.5), "ns", None),
        ("forward_packets_per_send", bench.counters.packets_forwarded as f64 / bench.counters.sends as f64, "packets", None),
    ];
    for (name, value, unit, aim) in rows {
        let met = aim.map(|_| is_met);
        if json {
            let row = serde_json::json!({
                "name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit, "aim": aim, "met": met, "gate": aim.is_some(), "conditions": conditions,
            });
            println!("{row}");
        } else {
            let verdict = aim.map_or(String::new(), |aim| format!("  (gate {aim}: {})", if is_met { "met" } else { "missed" }));
            println!("{name:32} {value:10.3} {unit}{verdict}");
        }
    }
    if !is_met {
        std::process::exit(1);
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

struct Receiver {
    socket: UdpSocket,
    address: SocketAddr,
    key: LessSafeKey,
}

struct Bench {
    wire: Socket,
    receivers: Vec<Receiver>,
    up: UpTrack,
    egress: Vec<Egress>,
    turns: TurnQueue,
    buffer: Vec<u8>,
    counters: Counters,
    payload: Bytes,
    packet: Vec<u8>,
    seq: u64,
    frame: u32,
    index: u64,
}

impl Bench {
    fn new(viewers: usize) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
        assert!(state.max_gso_segments() >= RUN, "this kernel does not segment");
        let (mut up, mut egress, mut turns, mut receivers) = (UpTrack::new(MediaKind::Video), Vec::new(), TurnQueue::default(), Vec::new());
        up.layer_mut(0);
        let mut extensions = ExtensionMap::default();
        extensions.set(4, ExtensionKind::TransportCc);
        extensions.set(2, ExtensionKind::AbsSendTime);
        for peer in 0..viewers {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("sockets: is the limit of open files high enough?");
            socket.set_nonblocking(true).expect("its options");
            // Runs come whole, as in the load generator: the kernel does not split them.
            UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
            let address = socket.local_addr().expect("bound");
            let secret: [u8; 16] = rand::random();
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &secret).expect("16 bytes"));
            receivers.push(Receiver { socket, address, key });

            let profile = SrtpProfile::AeadAes128Gcm;
            let material: Vec<u8> = (0..profile.keying_material_len()).map(|_| rand::random()).collect();
            let keys = SrtpKeys::of_server(profile, &material).expect("as long as it must be");
            let route = Route { destination: Remote::Udp(address), source: None };
            egress.push(Egress { ready: Some(ReadyEgress { route, sealer: SrtpOutbound::new(&keys) }), ..Egress::default() });
            let codec = NegotiatedCodec {
                codec: Codec::H264,
                pt: Pt(102),
                rtx_pt: Some(Pt(103)),
                red_pt: None,
                profile: NegotiatedProfile::Unspecified,
            };
            let mid = Mid::new(b"0").expect("short");
            let (ssrc, rtx_ssrc) = (Ssrc(2 * peer as u32 + 1), Some(Ssrc(2 * peer as u32 + 2)));
            let mut down = DownTrack::new(peer, mid, MediaKind::Video, ssrc, rtx_ssrc, vec![codec], extensions, 1);
            down.set_target(Some(Target { layer: 0, limit: Limit::NONE }));
            up.downs.insert(down);
            turns.reserve(peer);
        }
        Self {
            wire: Socket { socket, state, refused: 0 },
            receivers,
            up,
            egress,
            turns,
            buffer: Vec::with_capacity(65_536),
            counters: Counters::default(),
            payload: Bytes::from(vec![0x5a; PAYLOAD]),
            packet: vec![0x5a; HEADER + PAYLOAD],
            seq: 0,
            frame: 0,
            index: 0,
        }
    }

    /// Sends a few frames through the forward path. CPU time per packet, ns.
    fn path(&mut self) -> f64 {
        let frames: Vec<Vec<Arc<RtpPacket>>> = (0..FRAMES).map(|_| self.frame()).collect();
        let (before, forwarded) = (spent(), self.counters.packets_forwarded);
        for run in &frames {
            let now = run[0].received;
            for packet in run {
                self.up.observe(now, 0, packet);
            }
            let at = SendTime { now, abs_send_time: self.frame };
            let Self { egress, buffer, wire, counters, .. } = self;
            forward_run(&mut self.up, 0, run, &mut self.turns, Sending { at, egress, buffer, wire, counters });
        }
        let spent = spent() - before;
        let packets = self.counters.packets_forwarded - forwarded;
        self.drain(packets);
        spent.as_nanos() as f64 / packets as f64
    }

    /// Seals and sends as many. CPU time per packet, ns.
    fn floor(&mut self) -> f64 {
        let segment = self.packet.len() + TAG;
        let before = spent();
        for _ in 0..FRAMES {
            for receiver in &self.receivers {
                self.buffer.clear();
                for offset in 0..RUN as u64 {
                    let start = self.buffer.len();
                    self.buffer.extend_from_slice(&self.packet);
                    let mut nonce = [0; 12];
                    nonce[4..].copy_from_slice(&(self.index + offset).to_be_bytes());
                    let (header, payload) = self.buffer[start..].split_at_mut(HEADER);
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let tag = receiver.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).expect("short enough");
                    self.buffer.extend_from_slice(tag.as_ref());
                }
                self.wire.send_to(receiver.address, segment, &self.buffer);
            }
            self.index += RUN as u64;
        }
        let spent = spent() - before;
        let packets = FRAMES * RUN * self.receivers.len();
        self.drain(packets as u64);
        spent.as_nanos() as f64 / packets as f64
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark is a shell: its clock is the machine's")]
    fn frame(&mut self) -> Vec<Arc<RtpPacket>> {
        self.frame += 1;
        let (first, now) = (self.frame == 1, Instant::now());
        (0..RUN)
            .map(|index| {
                self.seq += 1;
                Arc::new(RtpPacket {
                    seq: SeqNo(self.seq),
                    time: RtpTime(self.frame * 3000),
                    marker: index == RUN - 1,
                    codec: Codec::H264,
                    info: PayloadInfo {
                        keyframe_start: first && index == 0,
                        frame_start: index == 0,
                        resolution: (first && index == 0).then_some((1280, 720)),
                        ..PayloadInfo::default()
                    },
                    received: now,
                    recovered: false,
                    extensions: ForwardedExtensions::default(),
                    payload: self.payload.clone(),
                })
            })
            .collect()
    }

    /// Empties the receivers, who must have all of it.
    fn drain(&mut self, packets: u64) {
        let (mut bytes, mut buffer) = (0, vec![0; 65_536]);
        for receiver in &self.receivers {
            while let Ok(read) = receiver.socket.recv(&mut buffer) {
                bytes += read as u64;
            }
        }
        assert_eq!((bytes, self.wire.refused), (packets * (HEADER + PAYLOAD + TAG) as u64, 0), "everything arrives, in equal bytes");
    }
}
