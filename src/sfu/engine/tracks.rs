//! What was negotiated becomes tracks: up-tracks of one source, down-tracks of the peer's broadcast, and free m-lines, which
//! [`super::sources`] fills. Tracks that stay are left alone.

use std::time::Instant;

use rand::Rng;

use super::Engine;
use crate::ids::SourceId;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::Rank;
use crate::sfu::down_track::DownTrack;
use crate::sfu::negotiate::{MediaRole, NegotiatedMedia};
use crate::sfu::peer::{DownRef, FreeLine};
use crate::sfu::protection::Protection;
use crate::sfu::publisher::{Publisher, UpMedia};
use crate::sfu::rtp::extensions::ExtensionMap;
use crate::sfu::rtp::id::{Pt, Ssrc};
use crate::sfu::selection::Target;
use crate::sfu::stats::DropReason;
use crate::sfu::tap::{Handover, TrackSlot};

impl Engine {
    /// Makes the peer's tracks what was negotiated. `source`: what it sends is this, not its broadcast.
    pub(super) fn apply(&mut self, now: Instant, key: usize, media: &[NegotiatedMedia], source: Option<SourceId>) {
        self.apply_ups(now, key, media, source);
        self.peers[key].media = media.to_vec();
        self.apply_downs(now, key, media);
    }

    fn apply_ups(&mut self, now: Instant, key: usize, media: &[NegotiatedMedia], source: Option<SourceId>) {
        let ups: Vec<&NegotiatedMedia> = first_of_each_kind(media);
        if ups.is_empty() {
            self.drop_publisher(key);
            return;
        }
        let source = source.map_or(self.peers[key].broadcast, |source| self.broadcast_key(now, source, self.config.worker));
        let peer = &self.peers[key];
        if let Some(publisher) = &peer.publisher
            && peer.source == source
            && publisher.media().iter().map(|media| media.mid).eq(ups.iter().map(|media| media.mid))
        {
            return;
        }
        let mut extensions = ExtensionMap::default();
        for (id, kind) in ups.iter().flat_map(|media| media.extensions.iter()) {
            extensions.set(id, kind);
        }
        let transport_cc = ups.iter().any(|media| media.feedback.transport_cc);
        let ups = ups
            .into_iter()
            .map(|media| UpMedia {
                mid: media.mid,
                slot: slot_of(media.kind),
                codecs: media.codecs.clone(),
                rids: media.rids.iter().take(limits::LAYERS_MAX).copied().collect(),
                declared: media.ssrcs.clone(),
                streams: Vec::new(),
            })
            .collect();
        let reporter = Ssrc(self.rng.random_range(1..u32::MAX));
        let epoch = self.config.epoch.0;
        let mut publisher = Publisher::new(ups, extensions, transport_cc.then_some(epoch), reporter);
        self.publish_as(key, source);
        let peer = &mut self.peers[key];
        let learned = peer.publisher.take().map_or_else(|| std::mem::take(&mut peer.learned), |former| former.learned());
        publisher.recall(&learned);
        peer.publisher = Some(publisher);
        self.source_gone(source);
    }

    /// The peer becomes the publisher of a source, and ceases to be that of another. Who was it before is replaced: a member who comes back over
    /// another connection is there before the old one is known to be lost.
    fn publish_as(&mut self, key: usize, source: usize) {
        // Held while the others let go of it.
        self.broadcasts[source].holds += 1;
        if let Some(former) = self.broadcasts[source].publisher.filter(|former| *former != key) {
            self.drop_publisher(former);
        }
        if self.peers[key].source != source {
            self.drop_publisher(key);
        }
        let peer = &mut self.peers[key];
        let is_new = peer.source != source;
        peer.source = source;
        self.broadcasts[source].publisher = Some(key);
        self.set_home(source, self.config.worker);
        if !is_new {
            self.broadcasts[source].holds -= 1;
        }
    }

    /// The peer publishes nothing any more.
    pub(super) fn drop_publisher(&mut self, key: usize) {
        let peer = &mut self.peers[key];
        if let Some(publisher) = peer.publisher.take() {
            peer.learned = publisher.learned();
        }
        let (source, broadcast) = (std::mem::replace(&mut peer.source, peer.broadcast), peer.broadcast);
        if self.broadcasts[source].publisher == Some(key) {
            self.broadcasts[source].publisher = None;
            self.source_gone(source);
        }
        if source != broadcast {
            self.let_go(source);
        }
    }

    /// Receivers here and on every subscribed worker start over with what is published next.
    pub(super) fn source_gone(&mut self, source: usize) {
        let (source, home) = (&mut self.broadcasts[source], self.config.worker);
        self.counters.dropped[DropReason::Late as usize] += source.handle_source_gone();
        for (worker, _) in &source.subscribers {
            self.handovers.push_back((*worker, Handover::SourceGone { broadcast: source.id, home }));
        }
    }

    fn apply_downs(&mut self, now: Instant, key: usize, media: &[NegotiatedMedia]) {
        let former_free = std::mem::take(&mut self.peers[key].free);
        let mut heights: Vec<_> = former_free.iter().map(|free| (free.ssrc, free.drawn_height)).collect();
        let fills: Vec<_> = former_free.iter().map(|free| (free.ssrc, free.fill)).collect();
        let mut loose: Vec<Box<DownTrack>> = former_free.into_iter().filter_map(|free| free.track).collect();
        let mut kept = Vec::new();
        for reference in std::mem::take(&mut self.peers[key].downs) {
            heights.push((reference.ssrc, reference.drawn_height));
            if ranked(media).any(|(media, rank)| ssrc_of(media) == Some(reference.ssrc) && rank == reference.rank) {
                kept.push(reference);
            } else {
                loose.extend(self.take_out(reference));
            }
        }
        for (media, rank) in ranked(media) {
            let MediaRole::Down { ssrc, .. } = media.role else { continue };
            let kind = media.kind.unwrap_or(MediaKind::Video);
            let height = heights.iter().find(|(of, _)| *of == ssrc).and_then(|(_, height)| *height);
            let present = kept.iter().find(|reference: &&DownRef| reference.ssrc == ssrc).copied();
            let mut track = loose.extract_if(.., |track| track.ssrc == ssrc).next();
            let start = self.rng.random_range(1..0x4000);
            let down = match present {
                Some(reference) => self.broadcasts[reference.source].track_mut(reference.slot).downs.get_mut(reference.key),
                None => track.as_deref_mut(),
            };
            if let Some(down) = down {
                down.renegotiated(media.codecs.clone(), media.extensions);
                Protection::renegotiate(&mut down.protection, parity_stream(media), start);
            }
            if rank != Rank::Broadcast {
                let fill = present.and_then(|_| fills.iter().find(|(of, _)| *of == ssrc)).and_then(|(_, fill)| *fill);
                self.peers[key].free.push(FreeLine { mid: media.mid, kind, ssrc, rank, fill, drawn_height: height, track });
            } else if present.is_none() {
                let track = track.map_or_else(|| down_track(key, media, start), |track| *track);
                let source = self.peers[key].broadcast;
                let slot = slot_of(media.kind);
                let place = self.broadcasts[source].track_mut(slot).downs.insert(track);
                kept.push(DownRef { source, slot, key: place, mid: media.mid, ssrc, rank, drawn_height: height });
            }
        }
        self.peers[key].downs = kept;
        self.fill_guest(now, key);
        self.start_if_connected(now, key);
    }

    /// What the peer's m-lines were filled with anew begins, if its transport is up; else it begins then.
    pub(super) fn start_if_connected(&mut self, now: Instant, key: usize) {
        if self.peers[key].connected {
            if let Some(route) = self.route(key) {
                self.follow_path(now, key, route.destination.address().ip());
            }
            self.start_down_tracks(now, key);
        }
    }

    /// The peer's transport is up: sound at once, and the picture from the cache. A receiver that is not up yet (Firefox, one time in seven)
    /// asks for a key frame with its first words and gets the replay again, so nobody is made to wait for it.
    pub(super) fn start_down_tracks(&mut self, now: Instant, key: usize) {
        for reference in &self.peers[key].downs {
            let source = &mut self.broadcasts[reference.source];
            source.demand_moved = true;
            if reference.slot == TrackSlot::MainAudio
                && let Some(down) = source.track_mut(reference.slot).downs.get_mut(reference.key)
            {
                down.set_target(Some(Target::whole(0)));
            }
        }
        self.choose_layers(now, key);
    }
}

/// A down-track of an m-line, empty.
pub(super) fn down_track(peer: usize, media: &NegotiatedMedia, start: u16) -> DownTrack {
    let MediaRole::Down { ssrc, rtx_ssrc, .. } = media.role else { unreachable!("only what receives is ranked") };
    let kind = media.kind.unwrap_or(MediaKind::Video);
    let mut down = DownTrack::new(peer, media.mid, kind, ssrc, rtx_ssrc, media.codecs.clone(), media.extensions, start);
    Protection::renegotiate(&mut down.protection, parity_stream(media), start);
    down
}

/// The receiving m-lines in the order of the offer, with what each is for: of each kind the first is the broadcast's, the second its guest's.
pub(super) fn ranked(media: &[NegotiatedMedia]) -> impl Iterator<Item = (&NegotiatedMedia, Rank)> {
    let mut seen = [0_usize; TrackSlot::ALL.len()];
    media.iter().filter(|media| ssrc_of(media).is_some()).map(move |media| {
        let before = &mut seen[slot_of(media.kind).index()];
        let rank = match *before {
            0 => Rank::Broadcast,
            1 => Rank::Guest,
            _ => Rank::Face,
        };
        *before += 1;
        (media, rank)
    })
}

fn ssrc_of(media: &NegotiatedMedia) -> Option<Ssrc> {
    let MediaRole::Down { ssrc, .. } = media.role else { return None };
    Some(ssrc)
}

/// The parity stream agreed beside a down-track.
fn parity_stream(media: &NegotiatedMedia) -> Option<(Ssrc, Pt)> {
    let MediaRole::Down { fec_ssrc, .. } = media.role else { return None };
    Some((fec_ssrc?, media.fec_pt?))
}

/// The first sending m-line of each kind: a source has one picture and one sound.
fn first_of_each_kind(media: &[NegotiatedMedia]) -> Vec<&NegotiatedMedia> {
    let first = |kind| media.iter().find(|media| media.kind == Some(kind) && media.role == MediaRole::Up);
    let mut found: Vec<_> = [MediaKind::Audio, MediaKind::Video].into_iter().filter_map(first).collect();
    found.sort_by_key(|found| media.iter().position(|media| media.mid == found.mid));
    found
}

pub(super) fn slot_of(kind: Option<MediaKind>) -> TrackSlot {
    match kind {
        Some(MediaKind::Audio) => TrackSlot::MainAudio,
        Some(MediaKind::Video) | None => TrackSlot::MainVideo,
    }
}
