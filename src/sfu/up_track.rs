//! One published track as this worker forwards it: its layers, its viewers, its taps. The same type on the publisher's own worker and on
//! every other worker that has viewers (a mirror); only who fills it differs.

use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use crate::limits;
use crate::sfu::audio_level::VoiceMeter;
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::down_track::DownTrack;
use crate::sfu::group_cache::GroupCache;
use crate::sfu::handle::{LayerInfo, TrackInfo};
use crate::sfu::ladder::{LayerMeter, Offered, ladder, size_of};
use crate::sfu::layer_demand::LayerSet;
use crate::sfu::packet::RtpPacket;
use crate::sfu::packet_ring::PacketRing;
use crate::sfu::rtp::id::Rid;
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::sfu::selection::Limit;
use crate::timeline::{ClockMap, MediaTime};

/// A published track and those who receive it.
#[derive(Debug)]
pub struct UpTrack {
    pub kind: MediaKind,
    /// Smallest first; one for audio and for single-layer video.
    pub layers: Vec<Layer>,
    /// Dense enough to walk for every packet; keys stay valid while tracks come and go.
    pub downs: Slab<DownTrack>,
    /// The codec of the newest packet.
    pub codec: Option<Codec>,
    /// Some down-track switched, started or lost its codec since [`crate::sfu::engine`] last looked.
    pub news: bool,
    /// Whether somebody speaks; of sound, and on its publisher's own worker alone.
    pub voice: VoiceMeter,
    /// What it offers, smallest picture first. Brought up to date each tick.
    pub offered: Vec<Offered>,
}

/// One RTP stream: a simulcast layer, or all layers of an SVC encoder.
#[derive(Debug, Default)]
pub struct Layer {
    pub rid: Option<Rid>,
    pub ring: PacketRing,
    /// Where a newcomer can start.
    pub group: GroupCache,
    /// The newest packet that went out to those who are live. Packets behind it in the ring are held until their frame is whole: queues end
    /// here, or those packets would leave twice.
    pub edge: Option<SeqNo>,
    /// Media time of its timestamps; provisional until the first sender report.
    pub clock: Option<ClockMap>,
    pub clock_is_real: bool,
    pub resolution: Option<(u16, u16)>,
    pub last_packet: Option<Instant>,
    /// RTP timestamp of the newest frame and when it began to arrive.
    newest: Option<(RtpTime, Instant)>,
    /// Rises when the layer alone begins anew, under other numbers.
    pub generation: u32,
    pub meter: LayerMeter,
}

impl Layer {
    /// Packets arrived lately.
    pub fn is_active(&self, now: Instant) -> bool {
        self.last_packet.is_some_and(|last| now.saturating_duration_since(last) < limits::LAYER_SILENCE)
    }

    /// A packet that can still be sent again.
    pub fn packet(&self, seq: SeqNo) -> Option<&Arc<RtpPacket>> {
        self.ring.get(seq).or_else(|| self.group.get(seq))
    }

    /// Bits per second over the last two full intervals.
    pub fn bitrate_bps(&self) -> u32 {
        self.meter.bitrate_bps(Limit::NONE)
    }

    /// Bits per second of what a viewer up to `limit` is sent of the group. `None`: not known.
    pub fn replay_bps(&self, now: Instant, limit: Limit) -> Option<u32> {
        let group = self.group.bitrate_bps(now)?;
        let (part, all) = (self.meter.bitrate_bps(limit), self.meter.bitrate_bps(Limit::NONE));
        if part == all { Some(group) } else { u32::try_from(u64::from(group) * u64::from(part) / u64::from(all)).ok() }
    }
}

impl UpTrack {
    pub fn new(kind: MediaKind) -> Self {
        Self { kind, layers: Vec::new(), downs: Slab::new(), codec: None, news: false, voice: VoiceMeter::default(), offered: Vec::new() }
    }

    /// The layer at `index`, made if it is new; `None` beyond `limits::LAYERS_MAX`.
    pub fn layer_mut(&mut self, index: u8) -> Option<&mut Layer> {
        let index = usize::from(index);
        if index >= limits::LAYERS_MAX {
            return None;
        }
        if self.layers.len() <= index {
            self.layers.resize_with(index + 1, Layer::default);
        }
        self.layers.get_mut(index)
    }

    /// Takes note of a packet before it is forwarded. Returns `false` for a duplicate.
    pub fn observe(&mut self, now: Instant, layer: u8, packet: &Arc<RtpPacket>) -> bool {
        let is_new = self.remember(now, layer, packet);
        if is_new && let Some(layer) = self.layer_mut(layer) {
            layer.last_packet = Some(now);
            if layer.newest.is_none_or(|(newest, _)| packet.time.is_newer(newest)) {
                layer.newest = Some((packet.time, now));
            }
            layer.meter.add(now, packet);
        }
        is_new
    }

    /// Takes note of a packet of the past, which another worker had before us: it is there for newcomers and says nothing of the present.
    /// Returns `false` for a duplicate.
    pub fn remember(&mut self, now: Instant, layer: u8, packet: &Arc<RtpPacket>) -> bool {
        let kind = self.kind;
        self.codec = Some(packet.codec);
        let Some(layer) = self.layer_mut(layer) else { return false };
        if !layer.ring.insert(packet) {
            return false;
        }
        if kind == MediaKind::Video {
            layer.group.observe(now, packet, &layer.ring);
        }
        layer.last_packet = layer.last_packet.max(Some(packet.received));
        if packet.info.resolution.is_some() {
            layer.resolution = packet.info.resolution;
            layer.meter.note_sizes(&packet.info);
        }
        true
    }

    /// The source changed or restarted: caches are void, viewers wait for the next key frame and keep their numbers going.
    pub fn handle_source_gone(&mut self) {
        self.layers.clear();
        self.offered.clear();
        self.codec = None;
        self.voice = VoiceMeter::default();
        for (_, down) in &mut self.downs {
            down.handle_source_gone();
        }
        self.news = true;
    }

    /// One layer began anew: numbers and clock are others, the picture is still its picture.
    pub fn handle_layer_restarted(&mut self, index: u8) {
        let Some(layer) = self.layers.get_mut(usize::from(index)) else { return };
        layer.generation += 1;
        layer.clock = None;
        layer.clock_is_real = false;
        layer.newest = None;
        layer.group = GroupCache::default();
        for (_, down) in &mut self.downs {
            down.handle_layer_restarted(index);
        }
        self.news = true;
    }

    /// Media time of the newest frame and when it began to arrive, by the clock that [`Self::info`] names.
    pub fn newest(&self) -> Option<(MediaTime, Instant)> {
        self.layers.iter().find_map(|layer| {
            let (clock, (time, at)) = (layer.clock?, layer.newest?);
            Some((clock.media_time(time.0), at))
        })
    }

    /// Brings meters and ranks up to date. Returns whether a layer came, went, or changed its rank.
    pub fn handle_tick(&mut self, now: Instant) -> bool {
        for layer in &mut self.layers {
            layer.meter.roll(now);
            layer.ring.forget_old(now);
        }
        let ladder = ladder(now, &self.layers);
        let identity = |offered: &Offered| (offered.target(), offered.active);
        let changed = !ladder.iter().map(identity).eq(self.offered.iter().map(identity));
        self.offered = ladder;
        changed
    }

    /// The layers that are worth sending to a viewer who draws `height` lines: up to the smallest that fills them. All of them where the
    /// viewer never said, or a size is not known yet.
    pub fn worth_sending(&self, height: Option<u16>) -> &[Offered] {
        let offered = &self.offered[..];
        let Some(drawn) = height else { return offered };
        let lines = |offered: &Offered| size_of(offered, &self.layers).map(|(_, height)| height);
        let fills = offered.iter().position(|offered| !offered.is_fall_back() && lines(offered).is_none_or(|lines| lines >= drawn));
        match fills {
            Some(rank) if offered.iter().all(|offered| lines(offered).is_some()) => &offered[..=rank],
            Some(_) | None => offered,
        }
    }

    /// Viewers should hear of the clock again: it became real, or it changed.
    pub fn announce_clock(&mut self, now: Instant) {
        for (_, down) in &mut self.downs {
            down.report.clock_due = Some(now);
        }
    }

    /// The track as the control plane sees it. `unwatched` layers may be paused by their publisher, and come when they are wanted.
    pub fn info(&self, now: Instant, loss_fraction: f32, unwatched: LayerSet) -> TrackInfo {
        let layers = if self.kind == MediaKind::Audio { &[][..] } else { &self.offered[..] };
        TrackInfo {
            kind: self.kind,
            codec: self.codec,
            layers: layers
                .iter()
                .filter(|offered| !offered.is_fall_back())
                .zip(0..)
                .filter_map(|(offered, spatial)| {
                    let layer = self.layers.get(usize::from(offered.layer))?;
                    let (width, height) = size_of(offered, &self.layers).unwrap_or_default();
                    Some(LayerInfo {
                        spatial,
                        rid: layer.rid,
                        width,
                        height,
                        bitrate_bps: layer.meter.bitrate_bps(offered.limit),
                        frames_per_second: layer.meter.frames_per_second(),
                        active: offered.active && layer.is_active(now) || unwatched.contains(offered.layer),
                    })
                })
                .collect(),
            loss_fraction,
            clock: self.layers.iter().find_map(|layer| layer.clock),
            lag_ms: None,
        }
    }
}
