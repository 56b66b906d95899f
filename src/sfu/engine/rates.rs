//! Congestion control at work: feedback goes in, rungs and probes come out. What is right is decided in [`crate::sfu::congestion`]; here it
//! happens.
//!
//! No timer per viewer: a viewer is looked at when its feedback comes, in its group's turn, and, while it may probe, with every tick.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Engine;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::{Allocator, Demand, PathKey, Picture, Rank, UP_MARGIN};
use crate::sfu::down_report::News;
use crate::sfu::down_track::DownTrack;
use crate::sfu::forward::{Sending, Wire, send_padding};
use crate::sfu::handle::LayerChoice;
use crate::sfu::ladder::{Offered, is_below};
use crate::sfu::peer::DownRef;
use crate::sfu::rtp::rtcp::TransportCcView;
use crate::sfu::selection::Target;

impl Engine {
    /// The peer receives media at this address: it shares the way there with whoever is near.
    pub(super) fn follow_path(&mut self, now: Instant, key: usize, address: IpAddr) {
        let peer = &self.peers[key];
        let id = PathKey::of(address);
        if peer.downs.is_empty() || peer.shared_path.is_some_and(|path| self.paths.key(path) == id) {
            return;
        }
        let moved = peer.shared_path.is_some();
        self.leave_path(now, key);
        let peer = &mut self.peers[key];
        peer.shared_path = Some(self.paths.join(id));
        if moved {
            peer.controller.handle_path_change();
        }
    }

    pub(super) fn leave_path(&mut self, now: Instant, key: usize) {
        let peer = &mut self.peers[key];
        if let Some(path) = peer.shared_path.take() {
            peer.controller.leave(now, self.paths.get_mut(path));
            self.paths.forget_if_empty(path);
        }
    }

    pub(super) fn handle_transport_feedback(&mut self, now: Instant, key: usize, feedback: &TransportCcView<'_>) {
        let peer = &mut self.peers[key];
        let Some(path) = peer.shared_path else { return };
        peer.controller.handle_feedback(now, &mut self.egress[key].sent, feedback.iter(), self.paths.get_mut(path));
        if peer.controller.is_settled() {
            self.egress[key].pace.set_rate(peer.controller.pacing_bps());
        } else {
            self.choose_layers(now, key);
        }
    }

    /// What time alone brings to a viewer's estimate; perhaps a probe.
    pub(super) fn tick_rates(&mut self, now: Instant, key: usize) {
        let can_pad = self.padding_source(key).is_some();
        let peer = &mut self.peers[key];
        let Some(path) = peer.shared_path else { return };
        if peer.controller.handle_tick(now, &self.egress[key].sent, can_pad, self.paths.get_mut(path)) {
            self.counters.probes += 1;
            self.turns.ask(key, now);
        }
    }

    /// Lets the allocator choose for one viewer; begins to send from the cache what it waits for, or registers the need for a key frame.
    pub(super) fn choose_layers(&mut self, now: Instant, key: usize) {
        let peer = &mut self.peers[key];
        let (true, Some(path)) = (peer.connected, peer.shared_path) else { return };
        let (mut audio_bps, mut sound_bps): (u32, u32) = (0, 0);
        let mut pictures = [Picture::NONE; limits::DOWN_TRACKS_PER_PEER_MAX];
        let mut count = 0;
        for (place, reference) in peer.downs.iter().enumerate() {
            let track = self.broadcasts[reference.source].track(reference.slot);
            let Some(down) = track.downs.get(reference.key) else { continue };
            match (reference.slot.kind(), pictures.get_mut(count)) {
                (MediaKind::Video, Some(picture)) => {
                    let rung = track.offered.iter().position(|offered| Some(offered.target()) == down.target());
                    let (choice, drawn_height) = (choice_for(peer.choice, reference.rank), reference.drawn_height);
                    let offered = track.worth_sending(drawn_height);
                    *picture = Picture { place, offered, choice, drawn_height, rank: reference.rank, rung };
                    count += 1;
                }
                (MediaKind::Audio, _) if down.target().is_some() => {
                    let bare: u32 = track.layers.iter().map(|layer| layer.bitrate_bps()).sum();
                    let all = bare * (1 + u32::from(down.redundancy.frames()));
                    audio_bps = audio_bps.saturating_add(all);
                    sound_bps = sound_bps.saturating_add(bare);
                }
                (MediaKind::Audio | MediaKind::Video, _) => {}
            }
        }
        peer.sound_bps = sound_bps;
        let pictures = &mut pictures[..count];
        if peer.allocator.has_just_chosen(now) {
            peer.controller.presume(now, f64::from(Allocator::wanted_bps(audio_bps, pictures)) * UP_MARGIN);
        }
        let (budget, loss) = (peer.controller.budget(now), peer.controller.report().loss);
        let demand: Demand = peer.allocator.allocate(now, audio_bps, pictures, budget, loss);
        let has_padding = pictures.iter().filter(|picture| picture.rung.is_some()).any(|picture| {
            let reference = &peer.downs[picture.place];
            let downs = &self.broadcasts[reference.source].track(reference.slot).downs;
            downs.get(reference.key).is_some_and(DownTrack::has_padding)
        });
        peer.controller.set_demand(now, demand, has_padding, self.paths.get_mut(path));
        let egress = &mut self.egress[key];
        egress.sent.reserve(now, demand.current_bps);
        egress.pace.set_rate(peer.controller.pacing_bps());
        let mut targets = [(0, None); limits::DOWN_TRACKS_PER_PEER_MAX];
        for (target, picture) in targets.iter_mut().zip(pictures.iter()) {
            *target = (picture.place, picture.rung.and_then(|rung| picture.offered.get(rung)).map(Offered::target));
        }
        for (place, target) in targets.into_iter().take(count) {
            self.aim(now, key, place, target);
        }
    }

    /// Makes a layer the target of a down-track. It comes from the cache or with its next key frame.
    fn aim(&mut self, now: Instant, key: usize, place: usize, target: Option<Target>) {
        let peer = &self.peers[key];
        let reference = peer.downs[place];
        let by_hand = matches!(choice_for(peer.choice, reference.rank), LayerChoice::Spatial(_));
        let track = self.broadcasts[reference.source].track_mut(reference.slot);
        let Some(down) = track.downs.get_mut(reference.key) else { return };
        down.set_target(target);
        let gives_way = down.target().zip(down.current()).is_some_and(|(target, current)| is_below(&track.offered, target, current));
        if gives_way {
            down.thin_until_switched();
        }
        track.news |= down.news != News::default();
        let Some(target) = down.target().filter(|_| down.awaits_keyframe() && !track.offered.is_empty()) else { return };
        // A step up waits for the cadence, or every viewer that climbs would cost all the others a key frame. Who sees nothing, must give
        // way or has asked for it does not wait.
        let hurries = by_hand || down.current().is_none() || gives_way;
        if self.start_replay(now, key, reference) && hurries {
            self.need_keyframe(now, reference.source, target.layer);
        }
    }

    /// Sends what is due of the peer's probe, if it has one.
    pub(super) fn send_probe(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let Some(cluster) = self.peers[key].controller.cluster().copied() else { return };
        let at = self.send_time(now);
        let source = self.padding_source(key);
        while !cluster.is_complete(self.egress[key].sent.totals()) {
            let totals = self.egress[key].sent.totals();
            if cluster.due_bytes(now, totals) == 0 {
                return self.turns.ask(key, cluster.wake_at(totals).max(now + Self::PROBE_STEP_MIN));
            }
            let track = source.map(|reference| (self.broadcasts[reference.source].track_mut(reference.slot), reference.key));
            let sending = Sending { at, egress: &mut self.egress, buffer: &mut self.buffer, wire, counters: &mut self.counters };
            let bytes = track.map_or(0, |(track, down)| send_padding(track, down, sending));
            if bytes == 0 {
                break;
            }
            self.peers[key].controller.handle_padding_sent(bytes);
        }
        self.peers[key].controller.handle_cluster_sent(&self.egress[key].sent);
    }

    /// Between two looks at a probe: finer than the timers of an operating system makes no sense.
    const PROBE_STEP_MIN: Duration = Duration::from_micros(500);

    /// The down-track whose packets can be sent again as padding.
    fn padding_source(&self, key: usize) -> Option<DownRef> {
        let peer = &self.peers[key];
        peer.downs.iter().copied().find(|reference| {
            let down = self.broadcasts[reference.source].track(reference.slot).downs.get(reference.key);
            reference.slot.kind() == MediaKind::Video && down.is_some_and(|down| down.can_pad())
        })
    }
}

/// What a viewer's choice means for one of its pictures. Layers are chosen of the broadcast alone, and who wants no picture of that wants none of
/// its guest either; friends are another matter.
pub(super) fn choice_for(choice: LayerChoice, rank: Rank) -> LayerChoice {
    match (choice, rank) {
        (_, Rank::Broadcast) | (LayerChoice::AudioOnly, Rank::Guest) => choice,
        (LayerChoice::Auto | LayerChoice::Spatial(_), Rank::Guest) | (_, Rank::Face) => LayerChoice::Auto,
    }
}
