//! What the benchmarks of the forward path share: packets as the receiving side of a worker hands them on, viewers on sockets of this machine, the
//! floor (AES-128-GCM under each viewer's own key, and the send), and the comparison of both, block by block.
//!
//! Both sides run in one process and on one thread. CPU time of the thread counts, not the wall's; the receivers are emptied outside of it. Time is
//! virtual but for that: a frame is as far from the next as it would be.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use courtside::sfu::codec::{Codec, MediaKind, PayloadInfo};
use courtside::sfu::down_track::DownTrack;
use courtside::sfu::forward::{Egress, ReadyEgress, Route, SendTime, Wire};
use courtside::sfu::negotiate::{NegotiatedCodec, NegotiatedProfile};
use courtside::sfu::packet::{ForwardedExtensions, RtpPacket};
use courtside::sfu::rtp::extensions::{AudioLevel, ExtensionKind, ExtensionMap};
use courtside::sfu::rtp::id::{Mid, Pt, Ssrc};
use courtside::sfu::rtp::seq::{RtpTime, SeqNo};
use courtside::sfu::selection::{Limit, Target};
use courtside::sfu::transport::Remote;
use courtside::sfu::transport::srtp::{SrtpKeys, SrtpOutbound, SrtpProfile};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::time::{ClockId, clock_gettime};

/// Bytes that AES-GCM adds.
pub(crate) const TAG: usize = 16;
/// Fixed header, and the block with a transport-wide number and a send time: of a picture. Sound tells how loud it is besides.
pub(crate) const PICTURE_HEADER: usize = 12 + 12;
const SOUND_HEADER: usize = 12 + 16;
/// Enough for everything that a receiver may find at once.
const RECEIVE_BYTES: usize = 65_536;

/// CPU time of this thread.
pub(crate) fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Where virtual time starts.
#[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Does the same work in two ways; each returns CPU time per packet, ns.
pub(crate) trait Beside {
    fn path(&mut self) -> f64;
    fn floor(&mut self) -> f64;
}

/// Medians over the blocks, ns, and how the ratios of path to floor spread.
pub(crate) struct Compared {
    pub(crate) path: f64,
    pub(crate) floor: f64,
    pub(crate) ratio: f64,
    pub(crate) ratio_p10: f64,
    pub(crate) ratio_p90: f64,
}

/// Runs so many blocks of each, in turn.
pub(crate) fn compare(bench: &mut impl Beside, blocks: usize) -> Compared {
    // Caches, buffers and the clock of the CPU settle.
    for _ in 0..blocks / 4 {
        bench.path();
        bench.floor();
    }
    let (mut paths, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..blocks {
        // Either may gain by coming second.
        let (path, floor) = if block % 2 == 0 {
            let path = bench.path();
            (path, bench.floor())
        } else {
            let floor = bench.floor();
            (bench.path(), floor)
        };
        paths.push(path);
        floors.push(floor);
        ratios.push(path / floor);
    }
    Compared {
        path: at(&mut paths, 0.5),
        floor: at(&mut floors, 0.5),
        ratio: at(&mut ratios, 0.5),
        ratio_p10: at(&mut ratios, 0.1),
        ratio_p90: at(&mut ratios, 0.9),
    }
}

/// The value at a share of a row, which is sorted for it.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// A figure, as docs/benchmarks.md has it. One with an aim is a gate.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) aim: Option<f64>,
}

impl Row {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, aim: None }
    }
}

/// Prints the figures, with `--json` an object a line, and ends the process with a failure where a gate is missed.
pub(crate) fn finish(rows: &[Row], conditions: &str) {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut missed = false;
    for Row { name, value, unit, aim } in rows {
        let met = aim.map(|aim| *value <= aim);
        missed |= met == Some(false);
        if json {
            let value = (value * 1000.0).round() / 1000.0;
            let row = serde_json::json!({
                "name": name, "value": value, "unit": unit, "aim": aim, "met": met, "gate": aim.is_some(), "conditions": conditions,
            });
            println!("{row}");
        } else {
            let verdict = aim.map_or(String::new(), |aim| format!("  (gate {aim}: {})", if met == Some(true) { "met" } else { "missed" }));
            println!("{name:36} {value:10.3} {unit}{verdict}");
        }
    }
    if missed {
        std::process::exit(1);
    }
}

/// Sends as a worker's socket does.
pub(crate) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    pub(crate) refused: u64,
}

impl Socket {
    /// # Panics
    /// This kernel cannot send runs of `packets` at once.
    pub(crate) fn open(packets: usize) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
        assert!(state.max_gso_segments() >= packets, "this kernel does not segment");
        Self { socket, state, refused: 0 }
    }

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

/// Who is sent to, by path and by floor.
pub(crate) struct Receiver {
    socket: UdpSocket,
    address: SocketAddr,
    key: LessSafeKey,
}

impl Receiver {
    pub(crate) fn open() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("sockets: is the limit of open files high enough?");
        socket.set_nonblocking(true).expect("its options");
        // Runs come whole, as in the load generator: the kernel does not split them.
        UdpSocketState::new(UdpSockRef::from(&socket)).expect("its options");
        let address = socket.local_addr().expect("bound");
        let secret: [u8; 16] = rand::random();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &secret).expect("16 bytes"));
        Self { socket, address, key }
    }

    /// What the path sends to it with, under keys of its own.
    pub(crate) fn egress(&self) -> Egress {
        let route = Route { destination: Remote::Udp(self.address), source: None };
        Egress { ready: Some(ReadyEgress { route, sealer: SrtpOutbound::new(&keys()) }), ..Egress::default() }
    }

    /// The floor: seals and sends a run of ready-made packets, numbered from `first` on. Returns its bytes.
    pub(crate) fn send_sealed(&self, run: &Run, first: u64, buffer: &mut Vec<u8>, wire: &mut Socket) -> usize {
        let header_len = run.header();
        buffer.clear();
        for number in first..first + run.packets as u64 {
            let start = buffer.len();
            buffer.resize(start + header_len, 0x5a);
            buffer.extend_from_slice(&run.payload);
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            let (header, payload) = buffer[start..].split_at_mut(header_len);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).expect("short enough");
            buffer.extend_from_slice(tag.as_ref());
        }
        wire.send_to(self.address, run.packet_bytes(), buffer);
        buffer.len()
    }

    /// Empties it. Returns the bytes that were there.
    pub(crate) fn drain(&self) -> usize {
        let (mut bytes, mut buffer) = (0, vec![0; RECEIVE_BYTES]);
        while let Ok(read) = self.socket.recv(&mut buffer) {
            bytes += read;
        }
        bytes
    }
}

pub(crate) fn keys() -> SrtpKeys {
    let profile = SrtpProfile::AeadAes128Gcm;
    let material: Vec<u8> = (0..profile.keying_material_len()).map(|_| rand::random()).collect();
    SrtpKeys::of_server(profile, &material).expect("as long as it must be")
}

pub(crate) fn send_time(now: Instant) -> SendTime {
    SendTime { now, abs_send_time: 0x00ab_cdef }
}

/// Packets that arrive together, of equal length: a frame of a picture, or one of sound.
pub(crate) struct Run {
    pub(crate) codec: Codec,
    pub(crate) packets: usize,
    pub(crate) payload: Bytes,
}

impl Run {
    pub(crate) fn new(codec: Codec, packets: usize, payload: usize) -> Self {
        Self { codec, packets, payload: Bytes::from(vec![0x5a; payload]) }
    }

    fn header(&self) -> usize {
        if self.codec.kind() == MediaKind::Video { PICTURE_HEADER } else { SOUND_HEADER }
    }

    /// Of each as it is sent.
    pub(crate) fn packet_bytes(&self) -> usize {
        self.header() + self.payload.len() + TAG
    }
}

/// One layer of one publisher: a run after the other.
pub(crate) struct Stream {
    pub(crate) run: Run,
    lines: u16,
    seq: u64,
    frame: u32,
}

impl Stream {
    pub(crate) fn new(run: Run, lines: u16) -> Self {
        Self { run, lines, seq: 0, frame: 0 }
    }

    /// The first of all begins with a key frame.
    pub(crate) fn next_run(&mut self, now: Instant) -> Vec<Arc<RtpPacket>> {
        self.frame += 1;
        let Run { codec, packets, .. } = self.run;
        let picture = codec.kind() == MediaKind::Video;
        let (first, audio_level) = (self.frame == 1, (!picture).then_some(AudioLevel { voice: true, level_dbov: 30 }));
        let packet = |index: usize| {
            let begins = picture && first && index == 0;
            Arc::new(RtpPacket {
                seq: SeqNo(self.seq + index as u64 + 1),
                time: RtpTime(self.frame * 3000),
                marker: picture && index + 1 == packets,
                codec,
                info: PayloadInfo {
                    keyframe_start: begins,
                    frame_start: index == 0,
                    resolution: begins.then_some((self.lines / 9 * 16, self.lines)),
                    ..PayloadInfo::default()
                },
                received: now,
                recovered: false,
                extensions: ForwardedExtensions { audio_level, ..ForwardedExtensions::default() },
                payload: self.run.payload.clone(),
            })
        };
        let run = (0..packets).map(packet).collect();
        self.seq += packets as u64;
        run
    }
}

/// A viewer's end of a track. `m_line` numbers those of all viewers.
pub(crate) fn down_track(peer: usize, m_line: u32, codec: Codec, layer: u8) -> DownTrack {
    let mut extensions = ExtensionMap::default();
    for (id, kind) in [(4, ExtensionKind::TransportCc), (2, ExtensionKind::AbsSendTime), (1, ExtensionKind::AudioLevel)] {
        extensions.set(id, kind);
    }
    let picture = codec.kind() == MediaKind::Video;
    let agreed = NegotiatedCodec {
        codec,
        pt: Pt(102),
        rtx_pt: picture.then_some(Pt(103)),
        red_pt: (!picture).then_some(Pt(104)),
        profile: NegotiatedProfile::Unspecified,
    };
    let mid = Mid::new(m_line.to_string().as_bytes()).expect("short");
    let (ssrc, rtx_ssrc) = (Ssrc(2 * m_line + 1), picture.then_some(Ssrc(2 * m_line + 2)));
    let mut down = DownTrack::new(peer, mid, codec.kind(), ssrc, rtx_ssrc, vec![agreed], extensions, 1);
    down.set_target(Some(Target { layer, limit: Limit::NONE }));
    down
}
