//! Which layers anybody may be sent, here or on another worker, so that the publisher need not send the others.
//!
//! A layer is wanted as soon as one viewer *may* be moved to it: by what it chose and how large it draws the picture, not by what its path
//! carries at this moment, which may be more in the next. The smallest is always wanted, so that whoever comes sees something at once. What
//! is wanted again is told at once, what is not only after a while, so that a viewer's resizing makes no layer come and go.
//!
//! Only layers that have been seen are ever told: one that the publisher's browser has not found the bandwidth for yet must not be held back,
//! or its first viewer would have to wait for that.

use std::time::Instant;

use crate::limits::{LAYER_UNWATCHED_AFTER, LAYERS_MAX};
use crate::sfu::handle::LayerChoice;
use crate::sfu::ladder::{Offered, place_of, size_of};
use crate::sfu::up_track::Layer;

/// Layers by their index on the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerSet(u8);

impl LayerSet {
    pub const NONE: Self = Self(0);
    /// Those that are not known yet among them.
    pub const ALL: Self = Self(u8::MAX);

    pub fn contains(self, layer: u8) -> bool {
        self.0 & Self::bit(layer) != 0
    }

    #[must_use]
    pub fn with(self, layer: u8) -> Self {
        Self(self.0 | Self::bit(layer))
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn bit(layer: u8) -> u8 {
        1_u8.checked_shl(u32::from(layer)).unwrap_or(0)
    }
}

/// What one viewer may be sent of the layers offered (smallest first): all up to the largest it has a use for. Where that may be one that is
/// not known yet, [`LayerSet::ALL`].
pub fn wanted_by(choice: LayerChoice, drawn_height: Option<u16>, offered: &[Offered], layers: &[Layer]) -> LayerSet {
    let chosen = match choice {
        LayerChoice::AudioOnly => return LayerSet::NONE,
        LayerChoice::Auto => None,
        LayerChoice::Spatial(rank) => Some(place_of(offered, rank).unwrap_or(usize::MAX)),
    };
    let lines = |offered: &Offered| size_of(offered, layers).map(|(_, height)| height);
    let fills = match drawn_height {
        Some(0) => return LayerSet::NONE,
        Some(drawn) => offered.iter().position(|offered| !offered.is_fall_back() && lines(offered).is_some_and(|lines| lines >= drawn)),
        None => None,
    };
    let top = [chosen, fills].into_iter().flatten().min();
    match top {
        Some(top) if top < offered.len() => offered[..=top].iter().fold(LayerSet::NONE, |set, offered| set.with(offered.layer)),
        Some(_) | None => LayerSet::ALL,
    }
}

/// The demand for one broadcast's picture, on the worker of its publisher.
#[derive(Debug, Default)]
pub struct LayerDemand {
    /// What other workers want.
    elsewhere: Vec<(u8, LayerSet)>,
    unwatched_since: [Option<Instant>; LAYERS_MAX],
    told: LayerSet,
}

impl LayerDemand {
    /// What the viewers of another worker may be sent. Holds until it is said anew, or the worker is forgotten.
    pub fn handle_elsewhere(&mut self, worker: u8, wanted: LayerSet) {
        match self.elsewhere.iter_mut().find(|(other, _)| *other == worker) {
            Some((_, before)) => *before = wanted,
            None => self.elsewhere.push((worker, wanted)),
        }
    }

    /// Workers that no longer subscribe want nothing.
    pub fn keep_workers(&mut self, subscribed: impl Fn(u8) -> bool) {
        self.elsewhere.retain(|(worker, _)| subscribed(*worker));
    }

    /// A new source sends everything until it is told otherwise.
    pub fn handle_source_gone(&mut self) {
        (self.unwatched_since, self.told) = (Default::default(), LayerSet::NONE);
    }

    /// Layers that the publisher has been told nobody watches.
    pub fn unwatched(&self) -> LayerSet {
        self.told
    }

    /// Takes in what the viewers `here` may be sent. Returns what is to be told to the publisher, when it is something new: the layers that
    /// nobody watches.
    pub fn poll(&mut self, now: Instant, here: LayerSet, offered: &[Offered]) -> Option<LayerSet> {
        let wanted = self.elsewhere.iter().fold(here, |wanted, (_, there)| wanted.and(*there));
        let mut unwatched = LayerSet::NONE;
        let smallest = offered.first().map(|offered| offered.layer);
        for &Offered { layer, .. } in offered {
            let Some(since) = self.unwatched_since.get_mut(usize::from(layer)) else { continue };
            if Some(layer) == smallest || wanted.contains(layer) {
                *since = None;
            } else if now.saturating_duration_since(*since.get_or_insert(now)) >= LAYER_UNWATCHED_AFTER {
                unwatched = unwatched.with(layer);
            }
        }
        let is_news = unwatched != self.told;
        self.told = unwatched;
        is_news.then_some(unwatched)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sfu::selection::Limit;

    /// Index 1 is the smallest: encoders disagree on the order.
    const SIZES: [(u16, u16); 3] = [(640, 360), (320, 180), (1280, 720)];

    fn layers() -> Vec<Layer> {
        let layer = |size: &(u16, u16)| {
            let mut layer = Layer::default();
            layer.resolution = Some(*size);
            layer
        };
        SIZES.iter().map(layer).collect()
    }

    fn offered() -> Vec<Offered> {
        [1, 0, 2]
            .into_iter()
            .map(|layer| Offered { layer, limit: Limit::NONE, bitrate_bps: 100_000, active: true, is_new: false })
            .collect()
    }

    fn set(layers: &[u8]) -> LayerSet {
        layers.iter().fold(LayerSet::NONE, |set, layer| set.with(*layer))
    }

    #[test]
    fn a_viewer_wants_what_it_may_be_sent() {
        let (auto, all) = (LayerChoice::Auto, LayerSet::ALL);
        for (choice, drawn, wanted) in [
            (auto, None, all),
            (auto, Some(180), set(&[1])),
            (auto, Some(181), set(&[1, 0])),
            (auto, Some(720), set(&[1, 0, 2])),
            // Larger than anything known: there may be one that is not known yet.
            (auto, Some(721), all),
            (auto, Some(0), LayerSet::NONE),
            (LayerChoice::AudioOnly, Some(720), LayerSet::NONE),
            (LayerChoice::Spatial(0), None, set(&[1])),
            (LayerChoice::Spatial(2), Some(200), set(&[1, 0])),
            (LayerChoice::Spatial(3), None, all),
        ] {
            assert_eq!(wanted_by(choice, drawn, &offered(), &layers()), wanted, "{choice:?} {drawn:?}");
        }
        // A mirror that was made while only the smallest was sent knows of no other, and asks for it all the same.
        assert_eq!(wanted_by(auto, Some(720), &offered()[..1], &layers()), all);
    }

    #[test]
    fn what_nobody_wants_is_told_after_a_while_and_what_somebody_wants_at_once() {
        let (mut demand, start) = (LayerDemand::default(), Instant::now());
        let offered = offered();
        assert_eq!(demand.poll(start, set(&[1, 0]), &offered), None);
        let soon = start + LAYER_UNWATCHED_AFTER / 2;
        assert_eq!(demand.poll(soon, LayerSet::ALL, &offered), None, "somebody comes and goes");
        assert_eq!(demand.poll(soon + Duration::from_millis(20), set(&[1]), &offered), None);
        let late = soon + Duration::from_millis(20) + LAYER_UNWATCHED_AFTER;
        assert_eq!(demand.poll(late - Duration::from_millis(1), set(&[1]), &offered), None);
        assert_eq!(demand.poll(late, set(&[1]), &offered), Some(set(&[0, 2])));
        assert_eq!(demand.poll(late, set(&[1]), &offered), None, "told once");
        assert_eq!(demand.poll(late, set(&[1, 0]), &offered), Some(set(&[2])));
        assert_eq!(demand.poll(late, LayerSet::ALL, &offered), Some(LayerSet::NONE));
    }

    #[test]
    fn the_smallest_is_always_wanted_and_other_workers_are_heard() {
        let (mut demand, start) = (LayerDemand::default(), Instant::now());
        let offered = offered();
        demand.handle_elsewhere(3, set(&[1, 0]));
        demand.poll(start, LayerSet::NONE, &offered);
        let late = start + LAYER_UNWATCHED_AFTER;
        assert_eq!(demand.poll(late, LayerSet::NONE, &offered), Some(set(&[2])));
        demand.handle_elsewhere(3, LayerSet::ALL);
        assert_eq!(demand.poll(late, LayerSet::NONE, &offered), Some(LayerSet::NONE));
        demand.keep_workers(|worker| worker != 3);
        demand.poll(late, LayerSet::NONE, &offered);
        assert_eq!(demand.poll(late + LAYER_UNWATCHED_AFTER, LayerSet::NONE, &offered), Some(set(&[0, 2])));
        demand.handle_source_gone();
        assert_eq!(demand.unwatched(), LayerSet::NONE);
    }

    #[test]
    fn a_layer_that_was_never_seen_is_never_told() {
        let (mut demand, start) = (LayerDemand::default(), Instant::now());
        let known = &offered()[..1];
        demand.poll(start, LayerSet::NONE, known);
        assert_eq!(demand.poll(start + LAYER_UNWATCHED_AFTER * 10, LayerSet::NONE, known), None);
    }
}
