//! The rungs that a track offers, smallest first, and the meters they come from.
//!
//! | Stream | Rungs |
//! |---|---|
//! | one spatial layer (simulcast, single) | the whole stream |
//! | several (SVC) | one per spatial layer, each with all below it |
//! | the smallest picture, where its lowest temporal layer costs clearly less than all | that layer alone: a *fall-back*, below everything |
//!
//! A fall-back is the same picture with fewer frames. It makes "never black" cheaper and is no choice of its own: people choose among the
//! others ([`place_of`], [`rank_of`]). Larger pictures have none, because a smaller picture with all its frames looks better than a large
//! one that jerks.

use std::time::{Duration, Instant};

use crate::limits;
use crate::sfu::codec::{PayloadInfo, SPATIAL_MAX, TEMPORAL_MAX};
use crate::sfu::packet::RtpPacket;
use crate::sfu::selection::{Limit, Target};
use crate::sfu::up_track::Layer;

/// A rung on offer: layers of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Offered {
    /// The stream's index on the track.
    pub layer: u8,
    /// How much of it.
    pub limit: Limit,
    /// All of that.
    pub bitrate_bps: u32,
    pub active: bool,
    /// It has begun so lately that its bit rate says little: encoders begin low.
    pub is_new: bool,
}

impl Offered {
    pub const fn target(&self) -> Target {
        Target { layer: self.layer, limit: self.limit }
    }

    /// The picture of the next rung with fewer frames.
    pub const fn is_fall_back(&self) -> bool {
        self.limit.temporal != u8::MAX
    }
}

/// A fall-back must save at least this share of the bit rate: less is not worth half the frames.
const FALL_BACK_SAVES_PERCENT: u64 = 20;

/// What arrives of one stream, by its layers: bit rates, as they are on the wire, over two intervals of a second, which is the cadence of key frames, so that what is
/// offered does not rise and fall with them; frame rates over one.
#[derive(Debug, Default)]
pub struct LayerMeter {
    since: Option<Instant>,
    bytes: [[u32; TEMPORAL_MAX]; SPATIAL_MAX],
    frames: u32,
    /// Over the last full interval, and over that and the one before.
    last_bps: [[u32; TEMPORAL_MAX]; SPATIAL_MAX],
    bitrate_bps: [[u32; TEMPORAL_MAX]; SPATIAL_MAX],
    frames_per_second: f32,
    /// Full intervals in a row in which anything came.
    intervals: u8,
    /// When each spatial layer last came.
    seen: [Option<Instant>; SPATIAL_MAX],
    sizes: [(u16, u16); SPATIAL_MAX],
}

impl LayerMeter {
    const INTERVAL: Duration = Duration::from_secs(1);

    pub fn add(&mut self, now: Instant, packet: &RtpPacket) {
        self.roll(now);
        let (spatial, temporal) = cell(&packet.info);
        let bytes = &mut self.bytes[spatial][temporal];
        *bytes = bytes.saturating_add(packet.payload.len() as u32 + limits::PACKET_OVERHEAD);
        self.frames += u32::from(packet.marker);
        self.seen[spatial] = Some(now);
        self.note_sizes(&packet.info);
    }

    pub fn roll(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= Self::INTERVAL {
            let seconds = elapsed.as_secs_f32();
            let before =
                std::mem::replace(&mut self.last_bps, self.bytes.map(|row| row.map(|bytes| (bytes as f32 * 8.0 / seconds) as u32)));
            for ((mean, last), before) in self.bitrate_bps.iter_mut().flatten().zip(self.last_bps.as_flattened()).zip(before.as_flattened())
            {
                // What did not come before, or does not come any more, has no mean.
                *mean = if *last == 0 || *before == 0 { *last } else { last / 2 + before / 2 };
            }
            let came = self.last_bps.as_flattened().iter().any(|bps| *bps > 0);
            self.intervals = if came { self.intervals.saturating_add(1) } else { 0 };
            self.frames_per_second = self.frames as f32 / seconds;
            (self.since, self.bytes, self.frames) = (Some(now), Default::default(), 0);
        }
    }

    /// What a packet of the past tells: not what comes now, but what there is.
    pub fn note_sizes(&mut self, info: &PayloadInfo) {
        for (known, told) in self.sizes.iter_mut().zip(info.spatial_sizes).filter(|(_, told)| *told != (0, 0)) {
            *known = told;
        }
    }

    /// Bits per second up to a limit, over the last two full intervals.
    pub fn bitrate_bps(&self, limit: Limit) -> u32 {
        let rows = self.bitrate_bps.iter().take(usize::from(limit.spatial) + 1);
        rows.flat_map(|row| row.iter().take(usize::from(limit.temporal) + 1)).sum()
    }

    /// Whether it has come for less than two full intervals.
    pub fn is_new(&self) -> bool {
        self.intervals < 2
    }

    pub fn frames_per_second(&self) -> f32 {
        self.frames_per_second
    }

    /// The highest spatial layer that ever came.
    fn top(&self) -> usize {
        self.seen.iter().rposition(Option::is_some).unwrap_or(0)
    }

    fn is_active(&self, now: Instant, spatial: usize) -> bool {
        self.seen[spatial].is_some_and(|seen| now.saturating_duration_since(seen) < limits::LAYER_SILENCE)
    }

    fn size(&self, spatial: usize) -> Option<(u16, u16)> {
        Some(self.sizes[spatial]).filter(|size| *size != (0, 0))
    }
}

fn cell(info: &PayloadInfo) -> (usize, usize) {
    (usize::from(info.spatial).min(SPATIAL_MAX - 1), usize::from(info.temporal).min(TEMPORAL_MAX - 1))
}

/// The picture's size on a rung, where it is known.
pub fn size_of(offered: &Offered, layers: &[Layer]) -> Option<(u16, u16)> {
    let layer = layers.get(usize::from(offered.layer))?;
    let spatial = usize::from(offered.limit.spatial);
    if spatial < layer.meter.top() { layer.meter.size(spatial) } else { layer.resolution }
}

/// The rungs of a track. Streams rank by what they are, picture size, then bit rate: encoders disagree on order and names.
pub fn ladder(now: Instant, layers: &[Layer]) -> Vec<Offered> {
    let known = layers.iter().enumerate().filter(|(_, layer)| layer.last_packet.is_some());
    let mut ladder: Vec<Offered> = known.flat_map(|(index, layer)| rungs(now, index as u8, layer)).collect();
    ladder.sort_by_key(|rung| {
        let pixels = size_of(rung, layers).map_or(0, |(width, height)| u32::from(width) * u32::from(height));
        (pixels, if pixels == 0 { rung.bitrate_bps } else { 0 }, rung.layer, rung.limit.spatial)
    });
    if let Some(fall_back) = ladder.first().and_then(|smallest| fall_back(smallest, layers)) {
        ladder.insert(0, fall_back);
    }
    ladder
}

fn rungs(now: Instant, index: u8, layer: &Layer) -> impl Iterator<Item = Offered> {
    let top = layer.meter.top();
    (0..=top).map(move |spatial| {
        let limit = if top == 0 { Limit::NONE } else { Limit { spatial: spatial as u8, ..Limit::NONE } };
        let active = layer.is_active(now) && (top == 0 || layer.meter.is_active(now, spatial));
        Offered { layer: index, limit, bitrate_bps: layer.meter.bitrate_bps(limit), active, is_new: layer.meter.is_new() }
    })
}

fn fall_back(smallest: &Offered, layers: &[Layer]) -> Option<Offered> {
    let limit = Limit { temporal: 0, ..smallest.limit };
    let bitrate_bps = layers.get(usize::from(smallest.layer))?.meter.bitrate_bps(limit);
    let saves = u64::from(smallest.bitrate_bps) * (100 - FALL_BACK_SAVES_PERCENT) >= u64::from(bitrate_bps) * 100;
    (bitrate_bps > 0 && saves).then_some(Offered { limit, bitrate_bps, ..*smallest })
}

/// Where the picture that a person chose stands on the ladder: `rank` counts pictures, smallest first. `None`: there are not so many.
pub fn place_of(offered: &[Offered], rank: u8) -> Option<usize> {
    let pictures = offered.iter().enumerate().filter(|(_, rung)| !rung.is_fall_back());
    pictures.map(|(place, _)| place).nth(usize::from(rank))
}

/// Which picture, counted smallest first, somebody is sent.
pub fn rank_of(offered: &[Offered], target: Option<Target>) -> Option<u8> {
    let target = target?;
    let pictures = offered.iter().filter(|rung| !rung.is_fall_back()).zip(0..);
    let at_or_below = |rung: &Offered| {
        let is_top = rung.limit.spatial == u8::MAX;
        rung.layer == target.layer && (is_top || rung.limit.spatial <= target.limit.spatial)
    };
    pictures.filter(|(rung, _)| at_or_below(rung)).map(|(_, rank)| rank).last()
}

/// Whether one target is below another.
pub fn is_below(offered: &[Offered], target: Target, current: Target) -> bool {
    match (rank_of(offered, Some(target)), rank_of(offered, Some(current))) {
        (Some(target), Some(current)) => target < current,
        (Some(_), None) | (None, _) => false,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::Codec;
    use crate::sfu::packet::ForwardedExtensions;
    use crate::sfu::rtp::seq::{RtpTime, SeqNo};

    /// A second of frames: bytes by layer (spatial, temporal), all sizes told.
    fn stream(start: Instant, cells: &[(u8, u8, usize)], sizes: &[(u16, u16)]) -> Layer {
        let mut layer = Layer::default();
        (layer.last_packet, layer.resolution) = (Some(start), sizes.last().copied());
        let mut spatial_sizes = [(0, 0); SPATIAL_MAX];
        spatial_sizes[..sizes.len()].copy_from_slice(sizes);
        for &(spatial, temporal, bytes) in cells {
            let packet = RtpPacket {
                seq: SeqNo(1),
                time: RtpTime(0),
                marker: false,
                codec: Codec::Vp9,
                info: PayloadInfo { spatial, temporal, spatial_sizes, ..PayloadInfo::default() },
                received: start,
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: Bytes::from(vec![0; bytes - limits::PACKET_OVERHEAD as usize]),
            };
            layer.meter.add(start, &packet);
        }
        layer.meter.roll(start + LayerMeter::INTERVAL);
        layer
    }

    #[test]
    fn a_stream_is_new_until_two_intervals_are_full_and_again_after_a_pause() {
        let start = Instant::now();
        let mut meter = stream(start, &[(0, 0, 1000)], &[(320, 180)]).meter;
        assert!(meter.is_new(), "its encoder may still be rising");
        for (interval, came, is_new) in [(2, true, false), (3, false, true), (4, true, true), (5, true, false)] {
            meter.bytes[0][0] = if came { 1000 } else { 0 };
            meter.roll(start + LayerMeter::INTERVAL * interval);
            assert_eq!(meter.is_new(), is_new, "after {interval} intervals");
        }
    }

    fn shape(ladder: &[Offered]) -> Vec<(u8, u8, u8, u32, bool)> {
        ladder.iter().map(|rung| (rung.layer, rung.limit.spatial, rung.limit.temporal, rung.bitrate_bps, rung.active)).collect()
    }

    const ALL: u8 = u8::MAX;

    #[test]
    fn spatial_layers_are_rungs_with_all_below_them() {
        let start = Instant::now();
        let cells = [(0, 0, 1000), (0, 1, 500), (1, 0, 3000), (1, 1, 1500), (2, 0, 10_000), (2, 1, 5000)];
        let layers = [stream(start, &cells, &[(320, 180), (640, 360), (1280, 720)])];
        let ladder = ladder(start + LayerMeter::INTERVAL, &layers);
        let expected = [(0, 0, 0, 8000, true), (0, 0, ALL, 12_000, true), (0, 1, ALL, 48_000, true), (0, 2, ALL, 168_000, true)];
        assert_eq!(shape(&ladder), expected);
        let heights: Vec<_> = ladder.iter().map(|rung| size_of(rung, &layers).map(|(_, height)| height)).collect();
        assert_eq!(heights, [Some(180), Some(180), Some(360), Some(720)]);
        assert_eq!([0, 1, 2, 3].map(|rank| place_of(&ladder, rank)), [Some(1), Some(2), Some(3), None]);
        let ranks = [ladder[0], ladder[1], ladder[3]].map(|rung| rank_of(&ladder, Some(rung.target())));
        assert_eq!(ranks, [Some(0), Some(0), Some(2)]);
    }

    #[test]
    fn simulcast_streams_rank_by_size_and_only_the_smallest_has_a_fall_back() {
        let start = Instant::now();
        let two = [(0, 0, 600), (0, 1, 400)];
        let layers = [stream(start, &two, &[(640, 360)]), stream(start, &two, &[(320, 180)])];
        let found = ladder(start + LayerMeter::INTERVAL, &layers);
        assert_eq!(shape(&found), [(1, ALL, 0, 4800, true), (1, ALL, ALL, 8000, true), (0, ALL, ALL, 8000, true)]);
        assert!(is_below(&found, found[0].target(), found[2].target()) && !is_below(&found, found[0].target(), found[1].target()));
        // Nothing to gain: upper layers are nearly empty, or there are none.
        for cells in [&[(0, 0, 900), (0, 1, 100)][..], &[(0, 0, 900)]] {
            let layers = [stream(start, cells, &[(640, 360)])];
            assert_eq!(ladder(start, &layers).len(), 1, "{cells:?}");
        }
    }
}
