//! One track as it is sent to one viewer: which layer, under which numbers, in which of the viewer's payload types.
//!
//! It has one SSRC for life. Deciding which layer it *should* get is the allocator's business; here a wish becomes true at the next key
//! frame of the wanted layer, while the old layer plays on.

use std::time::Instant;

use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::negotiate::NegotiatedCodec;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rewrite::{Rewriter, Rewritten};
use crate::sfu::rtp::extensions::ExtensionMap;
use crate::sfu::rtp::id::{Mid, Pt, Ssrc};
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::sfu::stats::DropReason;
use crate::sfu::up_track::Layer;
use crate::timeline::ClockMap;

/// What to do with a packet for this viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Forward(Rewritten),
    Drop(DropReason),
}

/// A viewer's end of an up-track.
#[derive(Debug)]
pub struct DownTrack {
    /// Key of the peer (and of its egress) on this worker.
    pub peer: usize,
    pub mid: Mid,
    pub kind: MediaKind,
    pub ssrc: Ssrc,
    pub rtx_ssrc: Option<Ssrc>,
    pub extensions: ExtensionMap,
    codecs: Vec<NegotiatedCodec>,
    mapped: Option<Mapping>,
    /// The layer being sent.
    current: Option<u8>,
    /// The layer wanted; `None`: no picture wanted.
    target: Option<u8>,
    pub rewriter: Rewriter,
    last: Option<LastSent>,
    rtx_seq: u64,
    pub report: SendReport,
    pub news: News,
}

/// The source's codec in this viewer's payload types.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    codec: Codec,
    pt: Option<Pt>,
    rtx_pt: Option<Pt>,
}

/// The newest packet sent, for carrying the timestamp over a switch and for sender reports.
#[derive(Debug, Clone, Copy)]
struct LastSent {
    layer: u8,
    time: RtpTime,
    received: Instant,
}

/// What sender reports need.
#[derive(Debug, Default)]
pub struct SendReport {
    pub packets: u32,
    pub octets: u32,
    pub due: Option<Instant>,
    /// Middle 32 bits of the newest report's NTP time, and when it left: a report block that names it gives the round trip.
    pub newest: Option<(u32, Instant)>,
    pub clock_due: Option<Instant>,
}

/// What the control plane should hear about this track. Set on the packet path, read off it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// The first packet ever left.
    pub playing: bool,
    /// A new segment began: layer, and with it the clock.
    pub switched: bool,
    /// The codec is not among those negotiated.
    pub cannot_decode: Option<Codec>,
    /// The clock should be told again.
    pub clock: bool,
}

/// Whether the packet is the first of its frame: a key frame entered behind its parameter sets cannot be decoded. When the packet before
/// it is missing, only one that tells the picture's size is surely the first; in H.264 it may follow a delimiter.
fn begins_frame(packet: &RtpPacket, layer: u8, layers: &[Layer]) -> bool {
    let before = SeqNo(packet.seq.0.saturating_sub(1));
    let previous = layers.get(usize::from(layer)).and_then(|layer| layer.ring.get(before));
    let tells_size = packet.info.resolution.is_some();
    previous.map_or(tells_size, |previous| previous.time != packet.time || (tells_size && packet.codec == Codec::H264))
}

impl DownTrack {
    /// `start`: see [`Rewriter::new`].
    #[expect(clippy::too_many_arguments, reason = "each is one negotiated value; a struct would only repeat them")]
    pub fn new(
        peer: usize,
        mid: Mid,
        kind: MediaKind,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
        codecs: Vec<NegotiatedCodec>,
        extensions: ExtensionMap,
        start: u16,
    ) -> Self {
        Self {
            peer,
            mid,
            kind,
            ssrc,
            rtx_ssrc,
            extensions,
            codecs,
            mapped: None,
            current: None,
            target: None,
            rewriter: Rewriter::new(start),
            last: None,
            rtx_seq: u64::from(start & 0x7fff),
            report: SendReport::default(),
            news: News::default(),
        }
    }

    pub fn current(&self) -> Option<u8> {
        self.current
    }

    pub fn target(&self) -> Option<u8> {
        self.target
    }

    /// Wants another layer. It comes with that layer's next key frame.
    pub fn set_target(&mut self, target: Option<u8>) {
        if self.target == target {
            return;
        }
        self.target = target;
        if target.is_none() {
            self.current = None;
            self.rewriter.close_segment();
        }
        self.news.switched = true;
    }

    /// Waiting for a key frame: nothing is sent, or a switch is pending.
    pub fn awaits_keyframe(&self) -> bool {
        self.kind == MediaKind::Video && self.target.is_some() && self.target != self.current && self.can_decode()
    }

    pub fn can_decode(&self) -> bool {
        self.mapped.is_none_or(|mapping| mapping.pt.is_some())
    }

    /// Payload type and retransmission payload type for the codec being sent.
    pub fn payload_types(&self) -> (Option<Pt>, Option<Pt>) {
        self.mapped.map_or((None, None), |mapping| (mapping.pt, mapping.rtx_pt))
    }

    /// The next number on the retransmission stream.
    pub fn next_rtx_seq(&mut self) -> u64 {
        self.rtx_seq += 1;
        self.rtx_seq
    }

    pub fn handle_source_gone(&mut self) {
        self.current = None;
        self.mapped = None;
        self.rewriter.close_source();
    }

    /// A layer began anew: its next key frame opens a new segment. What was sent can still be resent.
    pub fn handle_layer_restarted(&mut self, layer: u8) {
        if self.current == Some(layer) {
            self.current = None;
            self.rewriter.close_segment();
        }
    }

    /// The codecs changed by a new offer.
    pub fn renegotiated(&mut self, codecs: Vec<NegotiatedCodec>, extensions: ExtensionMap) {
        self.codecs = codecs;
        self.extensions = extensions;
        self.mapped = None;
    }

    /// Does this packet of `layer` go to this viewer, and under which numbers?
    pub fn select(&mut self, layer: u8, packet: &RtpPacket, layers: &[Layer]) -> Verdict {
        let mapping = match self.mapped {
            Some(mapping) if mapping.codec == packet.codec => mapping,
            Some(_) | None => self.map_codec(packet.codec),
        };
        if mapping.pt.is_none() {
            return Verdict::Drop(DropReason::CannotDecode);
        }
        let Some(target) = self.target else { return Verdict::Drop(DropReason::Muted) };
        if self.current != Some(layer) {
            if layer != target {
                return Verdict::Drop(DropReason::NotSelected);
            }
            let can_start = self.kind == MediaKind::Audio || packet.info.keyframe_start && begins_frame(packet, layer, layers);
            if !can_start || packet.recovered {
                return Verdict::Drop(if self.current.is_none() { DropReason::AwaitingKeyframe } else { DropReason::NotSelected });
            }
            self.switch(layer, packet, layers);
        }
        match self.rewriter.rewrite(packet) {
            Some(rewritten) => {
                self.last = Some(LastSent { layer, time: packet.time, received: packet.received });
                Verdict::Forward(rewritten)
            }
            None => Verdict::Drop(DropReason::Late),
        }
    }

    /// The clock of what this viewer is sent, in its own timestamps.
    pub fn clock(&self, layers: &[Layer]) -> Option<ClockMap> {
        let segment = self.rewriter.segment()?;
        let clock = layers.get(usize::from(segment.layer))?.clock?;
        Some(clock.shifted(segment.time_offset))
    }

    fn map_codec(&mut self, codec: Codec) -> Mapping {
        let negotiated = self.codecs.iter().find(|negotiated| negotiated.codec == codec);
        let mapping = Mapping { codec, pt: negotiated.map(|n| n.pt), rtx_pt: negotiated.and_then(|n| n.rtx_pt) };
        self.mapped = Some(mapping);
        if mapping.pt.is_none() {
            self.news.cannot_decode = Some(codec);
        }
        mapping
    }

    fn switch(&mut self, layer: u8, packet: &RtpPacket, layers: &[Layer]) {
        self.news.playing |= self.last.is_none();
        self.news.switched = true;
        self.current = Some(layer);
        let time = self.time_after_switch(layer, packet, layers);
        self.rewriter.switch(layer, packet, time);
    }

    /// The timestamp the first packet of a new segment leaves with: as far behind the last one as its media time is, and never not later.
    /// The very first segment keeps the source's timestamps.
    fn time_after_switch(&self, layer: u8, packet: &RtpPacket, layers: &[Layer]) -> RtpTime {
        let (Some(last), Some(newest)) = (self.last, self.rewriter.newest_time()) else { return packet.time };
        let rate = f64::from(packet.codec.clock_rate_hz());
        let by_arrival = packet.received.saturating_duration_since(last.received).as_secs_f64();
        let media_time = |layer: u8, time: RtpTime| Some(layers.get(usize::from(layer))?.clock?.media_time(time.0).0);
        let by_clock = match (media_time(layer, packet.time), media_time(last.layer, last.time)) {
            (Some(new), Some(old)) => Some((new - old) / 1000.0),
            (Some(_), None) | (None, Some(_)) | (None, None) => None,
        };
        // Clocks of different sources may lie; then arrival times are the better guess.
        let seconds = by_clock.filter(|by_clock| (by_clock - by_arrival).abs() < 1.0).unwrap_or(by_arrival);
        newest.wrapping_add(((seconds * rate).round() as i64).max(1) as u32)
    }
}
