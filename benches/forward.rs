//! The forward path beside its floor: how much more than sealing and sending does it cost to send a frame to every viewer?
//! `scripts/bench.sh forward` runs it.
//!
//! Both send the same number of bytes to the same sockets of this machine, a frame of ten packets as one send (GSO), each viewer under its own
//! AES-128-GCM key. The path takes the packets where the receiving side of the worker hands them on: cache, meters, selection, numbers, headers,
//! extensions with transport-wide numbers, record of what was sent. The floor seals ready-made bytes.

mod beside_floor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use beside_floor::{Beside, PICTURE_HEADER, Receiver, Row, Run, Socket, Stream, TAG, compare, down_track, finish, send_time, spent, start};
use courtside::sfu::codec::{Codec, MediaKind};
use courtside::sfu::forward::{Egress, Sending, forward_run};
use courtside::sfu::pacer::TurnQueue;
use courtside::sfu::packet::RtpPacket;
use courtside::sfu::stats::Counters;
use courtside::sfu::up_track::UpTrack;

/// Packets of a frame, and of a send.
const RUN: usize = 10;
/// Bytes of their payloads: with 30 frames a second, 2.6 Mbit/s.
const PAYLOAD: usize = 1100;
const FRAME_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);
/// Frames between two drains of the receivers: what their buffers hold.
const FRAMES: usize = 4;
/// Blocks of the path and of the floor that are compared with each other.
const BLOCKS: usize = 60;
const VIEWERS: usize = 300;
const AIM: f64 = 1.35;

fn main() {
    let viewers = std::env::args().find_map(|argument| argument.strip_prefix("--viewers=")?.parse().ok()).unwrap_or(VIEWERS);
    let mut bench = Bench::new(viewers);
    let compared = compare(&mut bench, BLOCKS);
    let rows = [
        Row { aim: Some(AIM), ..Row::new("forward_path_in_floors", compared.ratio, "x") },
        Row::new("forward_path_in_floors_p10", compared.ratio_p10, "x"),
        Row::new("forward_path_in_floors_p90", compared.ratio_p90, "x"),
        Row::new("forward_path_cpu_per_packet", compared.path, "ns"),
        Row::new("forward_floor_cpu_per_packet", compared.floor, "ns"),
        Row::new("forward_packets_per_send", bench.counters.packets_forwarded as f64 / bench.counters.sends as f64, "packets"),
    ];
    let conditions =
        format!("{viewers} viewers, frames of {RUN} packets of {PAYLOAD} bytes, loopback, {BLOCKS} blocks of {FRAMES} frames each");
    finish(&rows, &conditions);
}

struct Bench {
    now: Instant,
    wire: Socket,
    receivers: Vec<Receiver>,
    stream: Stream,
    up: UpTrack,
    egress: Vec<Egress>,
    turns: TurnQueue,
    buffer: Vec<u8>,
    counters: Counters,
    /// The number of the next packet of the floor.
    index: u64,
}

impl Bench {
    fn new(viewers: usize) -> Self {
        let (mut up, mut turns) = (UpTrack::new(MediaKind::Video), TurnQueue::default());
        up.layer_mut(0);
        let receivers: Vec<Receiver> = (0..viewers).map(|_| Receiver::open()).collect();
        for peer in 0..viewers {
            up.downs.insert(down_track(peer, peer as u32, Codec::H264, 0));
            turns.reserve(peer);
        }
        Self {
            now: start(),
            wire: Socket::open(RUN),
            egress: receivers.iter().map(Receiver::egress).collect(),
            receivers,
            stream: Stream::new(Run::new(Codec::H264, RUN, PAYLOAD), 720),
            up,
            turns,
            buffer: Vec::with_capacity(65_536),
            counters: Counters::default(),
            index: 0,
        }
    }

    /// Empties the receivers, who must have all of it.
    fn drain(&self, packets: u64) {
        let bytes: usize = self.receivers.iter().map(Receiver::drain).sum();
        let expected = packets as usize * (PICTURE_HEADER + PAYLOAD + TAG);
        assert_eq!((bytes, self.wire.refused), (expected, 0), "everything arrives, in equal bytes");
    }
}

impl Beside for Bench {
    /// Sends a few frames through the forward path.
    fn path(&mut self) -> f64 {
        let frames: Vec<Vec<Arc<RtpPacket>>> =
            (0..FRAMES as u32).map(|frame| self.stream.next_run(self.now + FRAME_INTERVAL * frame)).collect();
        self.now += FRAME_INTERVAL * FRAMES as u32;
        let (before, forwarded) = (spent(), self.counters.packets_forwarded);
        for run in &frames {
            let now = run[0].received;
            for packet in run {
                self.up.observe(now, 0, packet);
            }
            let Self { egress, buffer, wire, counters, .. } = self;
            forward_run(&mut self.up, 0, run, &mut self.turns, Sending { at: send_time(now), egress, buffer, wire, counters });
        }
        let spent = spent() - before;
        let packets = self.counters.packets_forwarded - forwarded;
        self.drain(packets);
        spent.as_nanos() as f64 / packets as f64
    }

    /// Seals and sends as many.
    fn floor(&mut self) -> f64 {
        let before = spent();
        for _ in 0..FRAMES {
            for receiver in &self.receivers {
                receiver.send_sealed(&self.stream.run, self.index, &mut self.buffer, &mut self.wire);
            }
            self.index += RUN as u64;
        }
        let spent = spent() - before;
        let packets = FRAMES * RUN * self.receivers.len();
        self.drain(packets as u64);
        spent.as_nanos() as f64 / packets as f64
    }
}
