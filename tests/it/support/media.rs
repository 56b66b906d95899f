//! What a publisher sends: synthetic frames with real codec headers, in simulcast layers with retransmission, and Opus. Each packet is
//! entered into the ledger that the oracle judges by.

mod heads;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use courtside::sfu::codec::{Codec, MediaKind};
use courtside::timeline::{MediaTime, NtpTime};
use rand::rngs::StdRng;
use rand::{Rng, RngCore};

use self::heads::*;
use super::layered::{self, Frames, Layering, Place};
use super::ledger::{LayerFrame, Ledger, Published, StreamInfo};
use super::offer::{self, EXT_AUDIO_LEVEL, EXT_DEPENDENCY, EXT_MID, EXT_REPAIRED_RID, EXT_RID, EXT_TRANSPORT_CC, OPUS_PT, RED_PT};
use super::wire;

/// Packets a publisher can send again.
const HISTORY: usize = 600;
/// MID and RID are sent until the first receiver report, in browsers; here with this many packets of each stream.
const IDENTIFIED_PACKETS: u32 = 50;

/// What is published.
#[derive(Debug, Clone)]
pub(crate) struct Show {
    pub codec: Codec,
    /// Packets of a frame, width, height and RID of each layer. One layer without RID: its SSRCs are declared in the offer.
    pub layers: Vec<(usize, u16, u16, Option<&'static str>)>,
    pub frame_interval: Duration,
    /// Bytes of a full packet.
    pub packet_bytes: usize,
    pub ignores_pli: bool,
    /// An encoder that makes key frames by itself.
    pub key_every: Option<Duration>,
    /// No sender reports before this long after the first frame.
    pub reports_after: Duration,
    pub b_frames: bool,
    pub audio: bool,
    /// Each packet of sound carries the one before too.
    pub redundant_sound: bool,
    /// The publisher's clock is this wrong, ms.
    pub clock_error_ms: f64,
    /// First sequence number of every stream; random by default.
    pub first_seq: Option<u16>,
    /// Layers within streams.
    pub layering: Option<Layering>,
}

impl Show {
    pub(crate) fn simulcast(codec: Codec) -> Self {
        Self {
            codec,
            layers: vec![(1, 320, 180, Some("l")), (2, 640, 360, Some("m")), (5, 1280, 720, Some("h"))],
            frame_interval: Duration::from_millis(40),
            packet_bytes: 700,
            ignores_pli: false,
            key_every: None,
            reports_after: Duration::ZERO,
            b_frames: false,
            audio: true,
            redundant_sound: false,
            clock_error_ms: 0.0,
            first_seq: None,
            layering: None,
        }
    }

    /// All spatial layers in one stream.
    pub(crate) fn svc(codec: Codec, pattern: &'static [u8], key_only: bool) -> Self {
        let layers = vec![(1, 320, 180, None), (2, 640, 360, None), (4, 1280, 720, None)];
        Self { layers, layering: Some(Layering { pattern, key_only, svc: true }), ..Self::simulcast(codec) }
    }

    /// Simulcast streams with temporal layers.
    pub(crate) fn temporal(codec: Codec, pattern: &'static [u8]) -> Self {
        Self { layering: Some(Layering { pattern, key_only: false, svc: false }), ..Self::simulcast(codec) }
    }

    /// An encoder box: one layer, deaf to requests, key frames every two seconds, late with its reports.
    pub(crate) fn encoder_box() -> Self {
        Self {
            layers: vec![(4, 1280, 720, None)],
            ignores_pli: true,
            key_every: Some(Duration::from_secs(2)),
            reports_after: Duration::from_secs(3),
            ..Self::simulcast(Codec::H264)
        }
    }
}

struct Layer {
    packets: usize,
    width: u16,
    height: u16,
    rid: Option<&'static str>,
    stream: Outgoing,
    rtx_ssrc: u32,
    rtx_seq: u16,
    history: VecDeque<Resendable>,
    frames: Frames,
    picture: u16,
    tl0: u8,
    paused: bool,
    /// Begins anew: its next frame is a key frame.
    anew: bool,
}

/// A packet that can be sent again.
struct Resendable {
    seq: u16,
    time: u32,
    marker: bool,
    payload: Vec<u8>,
    descriptor: Vec<u8>,
}

struct Outgoing {
    id: u32,
    ssrc: u32,
    seq: u64,
    time_base: u32,
    rate_hz: u32,
    packets: u32,
    octets: u32,
}

/// A running encoder.
pub(crate) struct Encoder {
    pub show: Show,
    /// Of the picture's m-line.
    pub mid: String,
    /// How loud the sound is, by the header extension; 127: silence.
    pub level_dbov: Option<u8>,
    layers: Vec<Layer>,
    audio: Outgoing,
    /// Origin of the RTP clocks.
    origin: Instant,
    origin_unix_ms: f64,
    next_frame: Instant,
    next_audio: Instant,
    next_report: Instant,
    frame: u32,
    keyframe_wanted: bool,
    keyed_at: Option<Instant>,
    transport_seq: u16,
    filler: StdRng,
    sound_before: Option<(u32, Vec<u8>)>,
    pub nacked: u64,
    pub plis: u64,
    /// When each request for key frames came (one compound counts once).
    pub keyframe_requests: Vec<Instant>,
    pub keyframes: u64,
}

impl Encoder {
    pub(crate) fn new(now: Instant, unix_ms: f64, show: Show, mut filler: StdRng, worker: u8, ledger: &mut Ledger) -> Self {
        let mut outgoing = |layer: Option<u8>, kind: MediaKind, rate_hz: u32, ledger: &mut Ledger| {
            let stream = Outgoing {
                id: 0,
                ssrc: filler.random_range(1..u32::MAX),
                seq: u64::from(show.first_seq.unwrap_or_else(|| filler.random())),
                time_base: filler.random(),
                rate_hz,
                packets: 0,
                octets: 0,
            };
            let info = StreamInfo {
                ssrc: stream.ssrc,
                layer,
                kind,
                rate_hz,
                time_base: stream.time_base,
                origin_unix_ms: unix_ms,
                worker,
                clock_is_right: show.clock_error_ms.abs() < 0.001,
                arrived: false,
                reported_at: None,
                withdrawn: false,
            };
            Outgoing { id: ledger.add_stream(info), ..stream }
        };
        let audio = outgoing(None, MediaKind::Audio, 48_000, ledger);
        let streams: Vec<Outgoing> = (0..if show.layering.is_some_and(|layering| layering.svc) { 1 } else { show.layers.len() })
            .map(|layer| outgoing(Some(layer as u8), MediaKind::Video, 90_000, ledger))
            .collect();
        let layers = show
            .layers
            .iter()
            .zip(streams)
            .map(|(&(packets, width, height, rid), stream)| Layer {
                frames: Frames::new(stream.id << 24),
                packets,
                width,
                height,
                rid,
                stream,
                rtx_ssrc: filler.random_range(1..u32::MAX),
                rtx_seq: filler.random(),
                history: VecDeque::new(),
                picture: filler.random_range(0..0x8000),
                tl0: filler.random(),
                paused: false,
                anew: false,
            })
            .collect();
        Self {
            layers,
            audio,
            origin: now,
            origin_unix_ms: unix_ms,
            next_frame: now,
            next_audio: now,
            next_report: now + show.reports_after,
            frame: 0,
            keyframe_wanted: true,
            keyed_at: None,
            transport_seq: 0,
            filler,
            sound_before: None,
            show,
            mid: "0".into(),
            level_dbov: None,
            nacked: 0,
            plis: 0,
            keyframe_requests: Vec::new(),
            keyframes: 0,
        }
    }

    /// The ledger's numbers of its streams.
    pub(crate) fn streams(&self) -> impl Iterator<Item = u32> {
        self.layers.iter().map(|layer| layer.stream.id).chain([self.audio.id])
    }

    /// The offer that announces this encoder.
    pub(crate) fn offer(&self, transport: &offer::Transport<'_>) -> String {
        let offer::Camera { codec, streams, audio_ssrc } = self.camera();
        offer::publish(transport, codec, &streams, audio_ssrc)
    }

    pub(crate) fn camera(&self) -> offer::Camera {
        let rids: Vec<&'static str> = self.layers.iter().filter_map(|layer| layer.rid).collect();
        let streams = if rids.is_empty() {
            offer::Streams::Declared(self.layers[0].stream.ssrc, self.layers[0].rtx_ssrc)
        } else {
            offer::Streams::Simulcast(rids)
        };
        offer::Camera { codec: self.show.codec, streams, audio_ssrc: self.audio.ssrc }
    }

    /// The transport is up: the first frame now.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next_frame = now;
        self.next_audio = now;
        self.next_report = now + self.show.reports_after;
    }

    /// Browsers stop their upper layers when the way up is narrow, and begin again with a key frame.
    pub(crate) fn pause_layer(&mut self, layer: usize, paused: bool) {
        if let Some(layer) = self.layers.get_mut(layer) {
            self.keyframe_wanted |= layer.paused && !paused;
            layer.paused = paused;
        }
    }

    /// One layer begins anew under other SSRCs, numbers and timestamps, as its encoder alone does. The others do not notice. Returns its
    /// SSRC.
    pub(crate) fn restart_layer(&mut self, index: usize, ledger: &mut Ledger) -> u32 {
        let layer = &mut self.layers[index];
        let stream = Outgoing {
            ssrc: self.filler.random_range(1..u32::MAX),
            seq: self.filler.random_range(0..60_000),
            time_base: self.filler.random(),
            packets: 0,
            octets: 0,
            ..layer.stream
        };
        let info = StreamInfo {
            ssrc: stream.ssrc,
            time_base: stream.time_base,
            arrived: false,
            reported_at: None,
            ..ledger.stream(stream.id).clone()
        };
        layer.stream = Outgoing { id: ledger.add_stream(info), ..stream };
        (layer.rtx_ssrc, layer.rtx_seq) = (self.filler.random_range(1..u32::MAX), self.filler.random());
        layer.history.clear();
        layer.anew = true;
        layer.stream.ssrc
    }

    pub(crate) fn wake_at(&self) -> Instant {
        self.next_frame.min(self.next_audio).min(self.next_report)
    }

    pub(crate) fn handle_pli(&mut self) {
        self.plis += 1;
        self.keyframe_wanted |= !self.show.ignores_pli;
    }

    /// Packets on the retransmission stream.
    pub(crate) fn handle_nack(&mut self, media: u32, seqs: &[u16], ledger: &mut Ledger) -> Vec<Vec<u8>> {
        self.nacked += seqs.len() as u64;
        let rtx_pt = offer::payload_types(self.show.codec).1;
        let mid = self.mid.clone();
        let mut sent = Vec::new();
        let Some(index) = self.layers.iter().position(|layer| layer.stream.ssrc == media) else { return sent };
        for seq in seqs {
            let layer = &mut self.layers[index];
            let Some(kept) = layer.history.iter().rev().find(|kept| kept.seq == *seq) else { continue };
            let (time, marker, descriptor) = (kept.time, kept.marker, kept.descriptor.clone());
            let mut body = seq.to_be_bytes().to_vec();
            body.extend(&kept.payload);
            layer.rtx_seq = layer.rtx_seq.wrapping_add(1);
            ledger.note_rtx(layer.rtx_ssrc, layer.rtx_seq, media, *seq);
            let (rtx_ssrc, rtx_seq, rid) = (layer.rtx_ssrc, layer.rtx_seq, layer.rid);
            let transport = self.next_transport_seq();
            let mut extensions: Vec<(u8, &[u8])> = vec![(EXT_TRANSPORT_CC, &transport)];
            if let Some(rid) = rid {
                extensions.extend([(EXT_MID, mid.as_bytes()), (EXT_REPAIRED_RID, rid.as_bytes())]);
            }
            if !descriptor.is_empty() {
                extensions.push((EXT_DEPENDENCY, &descriptor));
            }
            sent.push(wire::write_rtp(rtx_pt, marker, rtx_seq, time, rtx_ssrc, &extensions, &body));
        }
        sent
    }

    /// What is due: media packets and sender reports.
    pub(crate) fn handle_timeout(&mut self, now: Instant, ledger: &mut Ledger) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (mut media, mut reports) = (Vec::new(), Vec::new());
        if now >= self.next_frame {
            self.next_frame += self.show.frame_interval;
            self.make_frame(now, ledger, &mut media);
        }
        if now >= self.next_audio {
            self.next_audio += Duration::from_millis(20);
            if self.show.audio {
                media.push(self.make_audio(now, ledger));
            }
        }
        if now >= self.next_report {
            self.next_report += Duration::from_secs(1);
            let unix_ms = self.origin_unix_ms + (now - self.origin).as_secs_f64() * 1000.0 + self.show.clock_error_ms;
            let ntp = NtpTime::from_media_time(MediaTime(unix_ms)).0;
            for stream in self.layers.iter().map(|layer| &layer.stream).chain([&self.audio]) {
                reports.push(wire::sender_report(stream.ssrc, ntp, stream.time(now - self.origin), stream.packets, stream.octets));
            }
        }
        (media, reports)
    }

    fn make_frame(&mut self, now: Instant, ledger: &mut Ledger, out: &mut Vec<Vec<u8>>) {
        let by_itself = self.show.key_every.is_some_and(|every| self.keyed_at.is_none_or(|at| now - at >= every));
        let key = by_itself || self.keyframe_wanted;
        if key {
            self.keyframe_wanted = false;
            self.keyed_at = Some(now);
            self.keyframes += 1;
        }
        self.frame += 1;
        for index in 0..self.layers.len() {
            let layer = &mut self.layers[index];
            if layer.paused {
                continue;
            }
            layer.picture = (layer.picture + 1) & 0x7fff;
            let key = key | std::mem::take(&mut layer.anew);
            if let Some(layering) = self.show.layering {
                self.make_layered(now, index, key, &layering, ledger, out);
                continue;
            }
            layer.tl0 = layer.tl0.wrapping_add(1);
            let count = if key { layer.packets * 3 + 1 } else { layer.packets };
            for packet in 0..count {
                let packet = self.make_packet(now, index, key, packet, count, ledger);
                out.push(packet);
            }
        }
    }

    /// One picture of a stream with layers.
    fn make_layered(&mut self, now: Instant, index: usize, key: bool, layering: &Layering, ledger: &mut Ledger, out: &mut Vec<Vec<u8>>) {
        let temporal = self.layers[index].frames.begin_picture(key, layering.pattern);
        if temporal == 0 {
            self.layers[index].tl0 = self.layers[index].tl0.wrapping_add(1);
        }
        let shown = if layering.svc { self.show.layers.clone() } else { vec![self.show.layers[index]] };
        let mut sizes = [(0, 0); 4];
        for (size, (_, width, height, _)) in sizes.iter_mut().zip(&shown) {
            *size = (*width, *height);
        }
        let temporals = layering.pattern.iter().max().map_or(1, |top| top + 1);
        for (spatial, &(packets, ..)) in shown.iter().enumerate() {
            let count = if key { packets * 3 + 1 } else { packets };
            let frame = self.layers[index].frames.make(key, spatial as u8, temporal, count, layering);
            for packet in 0..count {
                let (first, last) = (packet == 0, packet + 1 == count);
                let place = Place { key, first, last, sizes, spatial: shown.len() };
                let layer = &self.layers[index];
                let head = match self.show.codec {
                    Codec::Vp9 => layered::vp9_head(&frame, place, layer.picture, layer.tl0, layering.key_only),
                    Codec::Vp8 => vp8_layered_head(layer, key, first, temporal),
                    Codec::Av1 => av1_head(key && spatial == 0, first),
                    Codec::H264 | Codec::Opus => unreachable!("no layered source of it"),
                };
                let descriptor = if layered::has_descriptor(self.show.codec) {
                    layered::dependency_descriptor(&frame, place, temporals)
                } else {
                    Vec::new()
                };
                let is_end = last && spatial + 1 == shown.len();
                let key_first = key && first && spatial == 0;
                out.push(self.pack(now, index, (head, descriptor), (is_end, last, key_first), Some(Rc::clone(&frame)), ledger));
            }
        }
    }

    fn make_packet(&mut self, now: Instant, index: usize, key: bool, packet: usize, count: usize, ledger: &mut Ledger) -> Vec<u8> {
        let last = packet + 1 == count;
        let layer = &self.layers[index];
        let head = match self.show.codec {
            Codec::Vp8 => vp8_head(layer, key, packet == 0),
            Codec::Vp9 => vp9_head(layer, key, packet == 0, last),
            Codec::Av1 => av1_head(key, packet == 0),
            Codec::H264 | Codec::Opus => h264_head(layer, key, packet, last, self.show.b_frames && !self.frame.is_multiple_of(3)),
        };
        self.pack(now, index, (head, Vec::new()), (last, last, key && packet == 0), None, ledger)
    }

    /// Fills a packet up behind its head (and beside its descriptor), and enters it. The flags: last of its picture, last of its frame,
    /// first of a key picture.
    fn pack(
        &mut self,
        now: Instant,
        index: usize,
        (mut payload, descriptor): (Vec<u8>, Vec<u8>),
        (marker, last, key_first): (bool, bool, bool),
        layer_frame: Option<Rc<LayerFrame>>,
        ledger: &mut Ledger,
    ) -> Vec<u8> {
        let head = payload.len();
        // As in life: encoders cut a frame into packets that differ by some bytes, and the last is shorter.
        let full = self.show.packet_bytes;
        let bytes = if last { self.filler.random_range(60..full) } else { full - self.filler.random_range(0..8) };
        payload.resize(bytes.max(head + 24), 0);
        self.filler.fill_bytes(&mut payload[head..]);
        let (pt, _) = offer::payload_types(self.show.codec);
        let transport = self.next_transport_seq();
        let (origin, mid) = (self.origin, &self.mid);
        let layer = &mut self.layers[index];
        let stream = &mut layer.stream;
        stream.seq += 1;
        let (seq, time) = (stream.seq as u16, stream.time(now - origin));
        ledger.publish(
            pt,
            &payload,
            Published {
                stream: stream.id,
                frame: self.frame,
                seq: stream.seq as i64,
                time,
                marker,
                key_first,
                picture: matches!(self.show.codec, Codec::Vp8 | Codec::Vp9).then_some((layer.picture, layer.tl0)),
                layer_frame,
                arrived: None,
                place: None,
            },
        );
        let mut extensions: Vec<(u8, &[u8])> = vec![(EXT_TRANSPORT_CC, &transport)];
        if let Some(rid) = layer.rid
            && stream.packets < IDENTIFIED_PACKETS
        {
            extensions.extend([(EXT_MID, mid.as_bytes()), (EXT_RID, rid.as_bytes())]);
        }
        if !descriptor.is_empty() {
            extensions.push((EXT_DEPENDENCY, &descriptor));
        }
        stream.packets += 1;
        stream.octets += payload.len() as u32;
        let packet = wire::write_rtp(pt, marker, seq, time, stream.ssrc, &extensions, &payload);
        layer.history.push_back(Resendable { seq, time, marker, payload, descriptor });
        if layer.history.len() > HISTORY {
            layer.history.pop_front();
        }
        packet
    }

    fn make_audio(&mut self, now: Instant, ledger: &mut Ledger) -> Vec<u8> {
        let mut payload = vec![0; 80];
        self.filler.fill_bytes(&mut payload);
        let transport = self.next_transport_seq();
        let stream = &mut self.audio;
        stream.seq += 1;
        stream.packets += 1;
        stream.octets += payload.len() as u32;
        let time = stream.time(now - self.origin);
        let published = Published {
            stream: stream.id,
            frame: stream.packets,
            seq: stream.seq as i64,
            time,
            marker: false,
            key_first: true,
            picture: None,
            layer_frame: None,
            arrived: None,
            place: None,
        };
        ledger.publish(OPUS_PT, &payload, published);
        let before = self.sound_before.replace((time, payload.clone())).filter(|_| self.show.redundant_sound);
        let (pt, payload) = match before {
            Some((earlier, before)) => (RED_PT, wire::write_red(OPUS_PT, &payload, (time.wrapping_sub(earlier), &before))),
            None => (OPUS_PT, payload),
        };
        let level = self.level_dbov.map(|level| [level]);
        let mut extensions: Vec<(u8, &[u8])> = vec![(EXT_TRANSPORT_CC, &transport)];
        extensions.extend(level.iter().map(|level| (EXT_AUDIO_LEVEL, level as &[u8])));
        wire::write_rtp(pt, false, stream.seq as u16, time, stream.ssrc, &extensions, &payload)
    }

    fn next_transport_seq(&mut self) -> [u8; 2] {
        self.transport_seq = self.transport_seq.wrapping_add(1);
        self.transport_seq.to_be_bytes()
    }
}

impl Outgoing {
    fn time(&self, since: Duration) -> u32 {
        self.time_base.wrapping_add((since.as_micros() * u128::from(self.rate_hz) / 1_000_000) as u32)
    }
}
