//! Who gets which layer: decided off the packet path, from the layers there are, the viewer's choice and what its path carries.
//!
//! The simple automatic choice: start in the middle, climb while the path is clean, step down when it is not, and wait longer before each
//! new attempt that failed. The congestion controller of the next stage keeps this file's signature.

use std::time::{Duration, Instant};

use crate::sfu::bandwidth::PathReport;
use crate::sfu::handle::LayerChoice;
use crate::sfu::ladder::place_of;
use crate::sfu::selection::{Limit, Target};

/// A rung on offer: layers of one stream, see [`crate::sfu::ladder`].
#[derive(Debug, Clone, Copy)]
pub struct Offered {
    /// The stream's index on the track.
    pub layer: u8,
    /// How much of it.
    pub limit: Limit,
    /// All of that.
    pub bitrate_bps: u32,
    pub active: bool,
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

/// One viewer's climb and fall.
#[derive(Debug, Default)]
pub struct LayerAllocator {
    /// The automatic choice as a position among the layers, smallest first.
    position: Option<usize>,
    clean_since: Option<Instant>,
    bad_since: Option<Instant>,
    climbed_at: Option<Instant>,
    patience: Option<Duration>,
}

impl LayerAllocator {
    /// A clean path for this long allows the next step up; doubled after every climb that failed.
    const PATIENCE_MIN: Duration = Duration::from_secs(1);
    const PATIENCE_MAX: Duration = Duration::from_secs(60);
    /// A step down this soon after a climb means that the climb failed.
    const FAILED_CLIMB: Duration = Duration::from_secs(15);
    /// Trouble must last this long, so that one lost burst costs no layer.
    const TROUBLE_MIN: Duration = Duration::from_millis(300);
    const LOSS_BAD: f32 = 0.08;
    const LOSS_CLEAN: f32 = 0.02;
    const QUEUE_BAD_MS: f32 = 120.0;
    const QUEUE_CLEAN_MS: f32 = 30.0;

    /// What this viewer should get; `None` for no picture. `offered` is sorted smallest first.
    pub fn decide(&mut self, now: Instant, choice: LayerChoice, offered: &[Offered], path: PathReport) -> Option<Target> {
        let ceiling = match choice {
            LayerChoice::AudioOnly => return None,
            LayerChoice::Auto => usize::MAX,
            LayerChoice::Spatial(spatial) => place_of(offered, spatial).unwrap_or(usize::MAX),
        };
        let top = offered.len().checked_sub(1)?.min(ceiling);
        let position = match (self.position, choice) {
            (None, LayerChoice::Spatial(_)) => top,
            (None, LayerChoice::Auto | LayerChoice::AudioOnly) => offered.len() / 2,
            (Some(position), _) => position,
        }
        .min(top);
        let position = self.step(now, position, top, offered, path);
        self.position = Some(position);
        // An inactive layer cannot be sent: the next smaller one that is, else the smallest active above. A source that is silent
        // altogether (a still screen) changes nothing.
        let at_or_below = offered[..=position].iter().rev().find(|layer| layer.active);
        at_or_below.or_else(|| offered[position..].iter().find(|layer| layer.active)).or_else(|| offered.get(position)).map(Offered::target)
    }

    /// The viewer chose for itself: go there at once, and judge the path anew.
    pub fn handle_choice(&mut self) {
        *self = Self::default();
    }

    fn step(&mut self, now: Instant, position: usize, top: usize, offered: &[Offered], path: PathReport) -> usize {
        let current_bps = offered.get(position).map_or(0, |layer| layer.bitrate_bps);
        let next_bps = offered.get(position + 1).map_or(0, |layer| layer.bitrate_bps);
        let remb_short = path.remb_bps.is_some_and(|remb| f64::from(remb) < 0.85 * f64::from(current_bps));
        let bad = path.loss > Self::LOSS_BAD || path.standing_queue_ms > Self::QUEUE_BAD_MS || remb_short;
        let clean = path.loss < Self::LOSS_CLEAN && path.standing_queue_ms < Self::QUEUE_CLEAN_MS && !remb_short;
        if bad {
            self.clean_since = None;
            let since = *self.bad_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= Self::TROUBLE_MIN && position > 0 {
                self.bad_since = None;
                if self.climbed_at.is_some_and(|climbed| now.saturating_duration_since(climbed) < Self::FAILED_CLIMB) {
                    self.patience = Some((self.patience() * 2).clamp(Duration::from_secs(4), Self::PATIENCE_MAX));
                }
                return position - 1;
            }
            return position;
        }
        self.bad_since = None;
        if !clean {
            self.clean_since = None;
            return position;
        }
        let since = *self.clean_since.get_or_insert(now);
        let remb_allows = path.remb_bps.is_none_or(|remb| f64::from(remb) > 1.1 * f64::from(next_bps));
        if position < top && offered[position + 1].active && remb_allows && now.saturating_duration_since(since) >= self.patience() {
            self.clean_since = Some(now);
            self.climbed_at = Some(now);
            return position + 1;
        }
        position
    }

    fn patience(&self) -> Duration {
        self.patience.unwrap_or(Self::PATIENCE_MIN)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    const LAYERS: [Offered; 3] = [
        Offered { layer: 0, limit: Limit::NONE, bitrate_bps: 150_000, active: true },
        Offered { layer: 1, limit: Limit::NONE, bitrate_bps: 500_000, active: true },
        Offered { layer: 2, limit: Limit::NONE, bitrate_bps: 2_500_000, active: true },
    ];

    fn run(allocator: &mut LayerAllocator, from: Instant, ms: u64, choice: LayerChoice, path: PathReport) -> (Option<u8>, Instant) {
        let mut layer = None;
        for step in 0..=ms / 100 {
            layer = allocator.decide(from + Duration::from_millis(step * 100), choice, &LAYERS, path).map(|target| target.layer);
        }
        (layer, from + Duration::from_millis(ms))
    }

    #[test]
    fn a_clean_path_climbs_to_the_top_and_a_lossy_one_falls() {
        let mut allocator = LayerAllocator::default();
        let (layer, now) = run(&mut allocator, Instant::now(), 1500, LayerChoice::Auto, PathReport::default());
        assert_eq!(layer, Some(2));
        let lossy = PathReport { loss: 0.2, ..PathReport::default() };
        let (layer, now) = run(&mut allocator, now, 400, LayerChoice::Auto, lossy);
        assert_eq!(layer, Some(1));
        let (layer, now) = run(&mut allocator, now, 3000, LayerChoice::Auto, PathReport::default());
        assert_eq!(layer, Some(1), "a failed climb waits at least 4 s");
        let (layer, _) = run(&mut allocator, now, 3000, LayerChoice::Auto, PathReport::default());
        assert_eq!(layer, Some(2));
    }

    #[test]
    fn an_explicit_choice_is_reached_at_once_and_never_exceeded() {
        let mut allocator = LayerAllocator::default();
        let now = Instant::now();
        allocator.handle_choice();
        assert_eq!(allocator.decide(now, LayerChoice::Spatial(2), &LAYERS, PathReport::default()), Some(Target::whole(2)));
        allocator.handle_choice();
        let (layer, _) = run(&mut allocator, now, 5000, LayerChoice::Spatial(0), PathReport::default());
        assert_eq!(layer, Some(0));
    }

    #[test]
    fn sound_only_asks_for_no_picture_and_dead_layers_are_avoided() {
        let mut allocator = LayerAllocator::default();
        let now = Instant::now();
        assert_eq!(allocator.decide(now, LayerChoice::AudioOnly, &LAYERS, PathReport::default()), None);
        let mut layers = LAYERS;
        layers[1].active = false;
        assert_eq!(allocator.decide(now, LayerChoice::Auto, &layers, PathReport::default()), Some(Target::whole(0)));
        layers[0].active = false;
        assert_eq!(LayerAllocator::default().decide(now, LayerChoice::Auto, &layers, PathReport::default()), Some(Target::whole(2)));
    }
}
