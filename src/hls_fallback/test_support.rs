//! A publisher for tests: layers of H.264 and Opus as the tap hands them over, every byte the same in every run.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::pipeline::{Encoders, Pipeline};
use super::shelf::Store;
use crate::ids::BroadcastId;
use crate::sfu::codec::{Codec, inspect};
use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::sfu::tap::{TapRun, TrackSlot};
use crate::timeline::ClockMap;

pub(super) const MEDIA_MS: f64 = 1_795_230_000_250.0;
pub(super) const FIRST_MSN: u64 = 7000;
pub(super) const PART_MS: u32 = 334;
const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
/// x264, baseline, 1280 by 720.
const SPS_720: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc6, 0x0c,
    0xa8,
];
/// x264, baseline, 320 by 180.
const SPS_180: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x06, 0x7e, 0x7c, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc5, 0x0a,
    0xa8,
];

/// One layer of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    pub(super) first_rtp: u32,
    /// What its sender reports are off by.
    pub(super) report_error_ms: f64,
    pub(super) is_large: bool,
    pub(super) generation: u32,
}

/// A publisher, frame by frame.
pub(super) struct Publisher {
    pub(super) layers: Vec<Layer>,
    pub(super) source: u32,
    pub(super) sound_first_rtp: u32,
    /// What has been added to the timestamps of the picture, and to those in its reports.
    pub(super) jump: u32,
    pub(super) reported_jump: u32,
    epoch: Instant,
    seq: u64,
    sound: u32,
}

impl Publisher {
    /// Two layers with random bases and reports that differ by some ms.
    pub(super) fn new() -> Self {
        let layer = |first_rtp, report_error_ms, is_large| Layer { first_rtp, report_error_ms, is_large, generation: 0 };
        Self {
            layers: vec![layer(u32::MAX - 90_000, 3.0, false), layer(3_468_424_497, 0.0, true)],
            source: 1,
            sound_first_rtp: 55,
            jump: 0,
            reported_jump: 0,
            epoch: epoch(),
            seq: 1 << 16,
            sound: 0,
        }
    }

    /// When picture `frame` of 30 a second is drawn.
    pub(super) fn at(&self, frame: u32) -> Instant {
        self.epoch + Duration::from_micros(u64::from(frame) * 1_000_000 / 30)
    }

    /// Picture `frame` of one layer.
    pub(super) fn picture(&mut self, layer: u8, frame: u32, is_key: bool) -> TapRun {
        let what = self.layers[usize::from(layer)];
        let mark = [frame.to_be_bytes().as_slice(), &[layer; 40]].concat();
        let payloads: Vec<Vec<u8>> = if is_key {
            let sps = if what.is_large { SPS_720 } else { SPS_180 };
            let sets = [&[0x78, 0, sps.len() as u8][..], sps, &[0, PPS.len() as u8], PPS].concat();
            vec![sets, [&[0x7c, 0x85, 0x88][..], &mark].concat(), [&[0x7c, 0x45][..], &mark].concat()]
        } else {
            vec![[&[0x41, 0x9a][..], &mark].concat()]
        };
        let rtp0 = what.first_rtp.wrapping_add(self.reported_jump);
        let clock = ClockMap { rtp0, ntp0_ms: MEDIA_MS + what.report_error_ms, rate_hz: 90_000 };
        let time = what.first_rtp.wrapping_add(frame * 3000).wrapping_add(self.jump);
        let packets = self.packets(Codec::H264, time, self.at(frame), payloads);
        self.run(TrackSlot::MainVideo, layer, what.generation, clock, packets)
    }

    /// All sound up to the beginning of picture `frame`.
    pub(super) fn sound_until(&mut self, frame: u32) -> Vec<TapRun> {
        let mut runs = Vec::new();
        while self.sound * 20 < frame * 1000 / 30 {
            let clock = ClockMap { rtp0: self.sound_first_rtp, ntp0_ms: MEDIA_MS, rate_hz: 48_000 };
            let time = self.sound_first_rtp.wrapping_add(self.sound * 960);
            let at = self.epoch + Duration::from_millis(u64::from(self.sound) * 20);
            let payload = [&[0xfc][..], &self.sound.to_be_bytes(), &[0x5a; 20]].concat();
            let packets = self.packets(Codec::Opus, time, at, vec![payload]);
            runs.push(self.run(TrackSlot::MainAudio, 0, 0, clock, packets));
            self.sound += 1;
        }
        runs
    }

    fn packets(&mut self, codec: Codec, time: u32, at: Instant, payloads: Vec<Vec<u8>>) -> Arc<[Arc<RtpPacket>]> {
        let last = payloads.len() - 1;
        let packet = |(index, payload): (usize, Vec<u8>)| {
            self.seq += 1;
            Arc::new(RtpPacket {
                seq: SeqNo(self.seq),
                time: RtpTime(time),
                marker: index == last,
                codec,
                info: inspect(codec, &payload, None),
                received: at,
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: Bytes::from(payload),
            })
        };
        payloads.into_iter().enumerate().map(packet).collect()
    }

    fn run(&self, slot: TrackSlot, layer: u8, generation: u32, clock: ClockMap, packets: Arc<[Arc<RtpPacket>]>) -> TapRun {
        let (broadcast, source) = (BroadcastId::from_bits(1), self.source);
        TapRun { broadcast, home: 0, slot, layer, source, generation, clock: Some(clock), clock_is_real: true, packets }
    }
}

/// Renumbers a run so that each stream counts by itself, as streams do.
#[derive(Default)]
pub(super) struct Numbers(Vec<((usize, u8), u64)>);

impl Numbers {
    pub(super) fn renumbered(&mut self, run: TapRun) -> TapRun {
        let key = (run.slot.index(), run.layer);
        if !self.0.iter().any(|(known, _)| *known == key) {
            self.0.push((key, 1 << 16));
        }
        let next = &mut self.0.iter_mut().find(|(known, _)| *known == key).expect("just made if it was missing").1;
        let packets = run.packets.iter().map(|packet| {
            *next += 1;
            Arc::new(RtpPacket { seq: SeqNo(*next), payload: packet.payload.clone(), extensions: packet.extensions.clone(), ..**packet })
        });
        TapRun { packets: packets.collect(), ..run }
    }
}

/// A pipeline with its store, as the packager's task connects them.
pub(super) struct Rig {
    pub(super) publisher: Publisher,
    pub(super) pipeline: Pipeline,
    pub(super) store: Store,
    numbers: Numbers,
}

impl Rig {
    pub(super) fn new() -> Self {
        let (publisher, pipeline) =
            (Publisher::new(), Pipeline::new(FIRST_MSN, PART_MS, Encoders { sound: false, ladder: false, programme: false }));
        Self { publisher, pipeline, store: Store::new(PART_MS), numbers: Numbers::default() }
    }

    /// Hands a run over and publishes what came of it.
    pub(super) fn take(&mut self, now: Instant, run: TapRun) {
        self.hand_over(now, run);
        self.publish();
    }

    pub(super) fn hand_over(&mut self, now: Instant, run: TapRun) {
        let run = self.numbers.renumbered(run);
        self.pipeline.handle_run(now, &run);
    }

    pub(super) fn publish(&mut self) {
        self.announce();
        self.store.publish(self.pipeline.take_steps());
    }

    /// Renditions and the origin, without any step.
    pub(super) fn announce(&mut self) {
        for rendition in self.pipeline.take_renditions() {
            self.store.add_rendition(&rendition.name, rendition.kind);
        }
        if let Some(origin) = self.pipeline.origin_ms() {
            self.store.set_origin(origin, self.pipeline.expects_picture());
        }
    }

    /// Pictures `frames` of those layers, with sound. `key`: which are key frames.
    pub(super) fn play(&mut self, frames: std::ops::Range<u32>, layers: &[u8], key: impl Fn(u8, u32) -> bool) {
        for frame in frames {
            let now = self.publisher.at(frame);
            for run in self.publisher.sound_until(frame) {
                self.take(now, run);
            }
            for &layer in layers {
                let run = self.publisher.picture(layer, frame, key(layer, frame));
                self.take(now, run);
            }
            self.pipeline.handle_timeout(now);
            self.publish();
        }
    }
}

/// Key frames of every layer together, each two seconds.
pub(super) fn each_two_seconds(_layer: u8, frame: u32) -> bool {
    frame.is_multiple_of(60)
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
pub(super) fn epoch() -> Instant {
    Instant::now()
}

/// What `ffmpeg` makes of `input`.
pub(super) fn ffmpeg(arguments: &[&str], input: Option<&[u8]>) -> Output {
    use std::io::Write;
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("scripts/test.sh installs ffmpeg");
    let mut pipe = child.stdin.take().expect("it is piped");
    let input = input.unwrap_or_default().to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it writes");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}
