//! What time alone brings: feedback to publishers, key frames, sender reports, layer choice, consent, and the news for the control plane.

use std::time::{Duration, Instant};

use super::Engine;
use super::rates::choice_for;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::Rank;
use crate::sfu::down_report::News;
use crate::sfu::forward::Wire;
use crate::sfu::handle::{PeerGone, SfuEvent, TrackInfo};
use crate::sfu::ladder::rank_of;
use crate::sfu::layer_demand::{LayerSet, wanted_by};
use crate::sfu::peer::DownRef;
use crate::sfu::rtp::rtcp_build::{self, SenderReport};
use crate::sfu::rtp::seq::RtpTime;
use crate::sfu::tap::{Handover, TrackSlot};
use crate::sfu::transport::ice::IceEvent;
use crate::timeline::{MediaTime, NtpTime};

/// Viewers are visited in this many groups, one a tick, so that a thousand of them make no burst.
const GROUPS: u64 = 8;
/// A worker repeats its subscriptions this often, and forgets one not repeated for three times as long.
const SUBSCRIPTION_INTERVAL: Duration = Duration::from_secs(1);

impl Engine {
    /// Does what is due. Cheap when nothing is.
    pub fn handle_timeout(&mut self, now: Instant, wire: &mut impl Wire) {
        if self.run_due.is_some_and(|due| due <= now) {
            self.handle_batch_end(now, wire);
        }
        self.take_turns(now, wire);
        if self.tick_at.is_none_or(|due| due > now) {
            return;
        }
        self.tick_at = Some(now + limits::TICK);
        self.ticks += 1;
        let keys: Vec<usize> = self.broadcasts.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.visit_broadcast(now, key, wire);
        }
        let group = self.ticks % GROUPS;
        let due = self.peers.iter().filter(|(key, peer)| {
            peer.dtls.in_handshake()
                || !peer.connected
                || peer.publisher.is_some()
                || peer.controller.needs_ticks()
                || *key as u64 % GROUPS == group
        });
        let due: Vec<usize> = due.map(|(key, _)| key).collect();
        for key in due {
            self.visit_peer(now, key, key as u64 % GROUPS == group, wire);
        }
        if self.peers.is_empty() && self.broadcasts.is_empty() {
            self.tick_at = None;
        }
        // What was found to be due in passing.
        self.take_turns(now, wire);
    }

    fn visit_peer(&mut self, now: Instant, key: usize, in_turn: bool, wire: &mut impl Wire) {
        if self.peers[key].dtls.handle_timeout(now).is_err() {
            self.counters.handshakes_failed += 1;
            return self.remove_peer(now, key, PeerGone::DtlsFailed, wire);
        }
        if let Some(route) = self.route(key) {
            self.drain_dtls(key, route, wire);
        }
        if let Some(event) = self.peers[key].ice.handle_timeout(now) {
            let reason = match event {
                IceEvent::ConnectTimeout => PeerGone::ConnectTimeout,
                IceEvent::ConsentExpired => PeerGone::ConsentExpired,
            };
            return self.remove_peer(now, key, reason, wire);
        }
        if !self.peers[key].connected {
            return;
        }
        self.send_feedback(now, key, wire);
        self.tick_rates(now, key);
        if in_turn && !self.peers[key].downs.is_empty() {
            self.choose_layers(now, key);
            self.send_sender_reports(now, key, wire);
        }
    }

    /// NACKs, transport-wide feedback and receiver reports to a publisher.
    fn send_feedback(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let peer = &mut self.peers[key];
        let Some(publisher) = &mut peer.publisher else { return };
        let mut compound = Vec::new();
        self.counters.nacks_to_publishers += publisher.poll_feedback(now, &mut compound);
        let damaged = publisher.take_damaged_layer();
        let source = peer.source;
        if !compound.is_empty() {
            self.send_rtcp(key, &compound, wire);
        }
        compound.clear();
        while self.peers[key].publisher.as_mut().is_some_and(|publisher| publisher.poll_transport_feedback(now, &mut compound)) {
            self.send_rtcp(key, &compound, wire);
            compound.clear();
        }
        if let Some(layer) = damaged {
            self.need_keyframe(now, source, layer);
        }
    }

    fn visit_broadcast(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let worker = self.config.worker;
        let broadcast = &mut self.broadcasts[key];
        let mut layers_changed = false;
        for (_, track) in broadcast.tracks_mut() {
            layers_changed |= track.handle_tick(now);
        }
        broadcast.subscribers.retain(|(_, seen)| now.saturating_duration_since(*seen) < SUBSCRIPTION_INTERVAL * 3);
        broadcast.look_at_taps();
        let is_home = broadcast.home == worker;
        let report_due = broadcast.report_due.is_none_or(|due| due <= now);
        if report_due {
            broadcast.report_due = Some(now + SUBSCRIPTION_INTERVAL);
        }
        let (id, home, publisher) = (broadcast.id, broadcast.home, broadcast.publisher);
        if is_home {
            let voice = &mut broadcast.track_mut(TrackSlot::MainAudio).voice;
            if let Some((speaking, publisher)) = voice.poll(now).zip(publisher) {
                let (peer, level_dbov) = (self.peers[publisher].id, voice.level_dbov());
                self.emit(SfuEvent::Speaking { peer, broadcast: id, speaking, level_dbov });
            }
            let broadcast = &mut self.broadcasts[key];
            if let Some(publisher) = publisher
                && broadcast.poll_keyframes(now)
            {
                self.request_keyframes(publisher, wire);
            }
            if (report_due || layers_changed)
                && let Some(publisher) = publisher
            {
                self.report_tracks(now, key, publisher);
            }
        } else if report_due && broadcast.holds > 0 {
            self.handovers.push_back((home, Handover::Subscribe { broadcast: id, worker }));
        }
        if layers_changed {
            let viewers: Vec<usize> = self.broadcasts[key].track(TrackSlot::MainVideo).downs.iter().map(|(_, down)| down.peer).collect();
            for viewer in viewers {
                self.choose_layers(now, viewer);
            }
        }
        if report_due || layers_changed || self.broadcasts[key].demand_moved {
            self.weigh_demand(now, key);
        }
        self.publish_news(now, key);
        self.forget_if_abandoned(key);
    }

    /// Which layers the viewers here may be sent: told to the home worker, or weighed there and told to the publisher.
    fn weigh_demand(&mut self, now: Instant, key: usize) {
        let worker = self.config.worker;
        let here = self.wanted_here(key);
        let broadcast = &mut self.broadcasts[key];
        broadcast.demand_moved = false;
        let (id, home) = (broadcast.id, broadcast.home);
        if home != worker {
            self.handovers.push_back((home, Handover::Wanted { broadcast: id, worker, layers: here }));
            return;
        }
        let unwatched = broadcast.weigh_demand(now, here);
        if let Some((rids, publisher)) = unwatched.zip(broadcast.publisher) {
            self.emit(SfuEvent::Unwatched { peer: self.peers[publisher].id, broadcast: id, rids });
        }
    }

    fn wanted_here(&self, key: usize) -> LayerSet {
        if self.broadcasts[key].taps_want_all {
            return LayerSet::ALL;
        }
        let track = self.broadcasts[key].track(TrackSlot::MainVideo);
        let mut wanted = LayerSet::NONE;
        for (_, down) in &track.downs {
            let Some(peer) = self.peers.get(down.peer).filter(|peer| peer.connected && down.can_decode()) else { continue };
            let Some(reference) = peer.downs.iter().find(|reference| reference.ssrc == down.ssrc) else { continue };
            let choice = choice_for(peer.choice, reference.rank);
            wanted = wanted.and(wanted_by(choice, reference.drawn_height, &track.offered, &track.layers));
            if wanted == LayerSet::ALL {
                break;
            }
        }
        wanted
    }

    fn request_keyframes(&mut self, publisher: usize, wire: &mut impl Wire) {
        let mut compound = Vec::new();
        if let Some(publisher) = &self.peers[publisher].publisher {
            publisher.request_keyframes(&mut compound);
        }
        if !compound.is_empty() {
            self.counters.keyframe_requests += 1;
            self.send_rtcp(publisher, &compound, wire);
        }
    }

    fn report_tracks(&mut self, now: Instant, key: usize, publisher: usize) {
        let Some(source) = &self.peers[publisher].publisher else { return };
        let broadcast = &self.broadcasts[key];
        let slots = source.media().iter().map(|media| media.slot);
        let tracks: Vec<_> = slots
            .filter(|slot| broadcast.track(*slot).codec.is_some())
            .map(|slot| {
                let track = broadcast.track(slot);
                let unwatched = if slot == TrackSlot::MainVideo { broadcast.demand.unwatched() } else { LayerSet::NONE };
                let lag_ms = track.newest().map(|(media_time, at)| self.unix_ms(at) - media_time.0);
                TrackInfo { lag_ms, ..track.info(now, source.loss_fraction(slot), unwatched) }
            })
            .collect();
        if !tracks.is_empty() {
            let event = SfuEvent::Tracks { peer: self.peers[publisher].id, broadcast: broadcast.id, tracks };
            self.emit(event);
        }
    }

    /// The reports of tracks that have just begun: without one, sound and picture cannot be put together.
    pub(super) fn send_first_reports(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let peer = &self.peers[key];
        let track_of = |reference: &DownRef| self.broadcasts[reference.source].track(reference.slot).downs.get(reference.key);
        let mut downs = peer.downs.iter().filter_map(track_of);
        if downs.any(|down| down.report.packets > 0 && down.report.due.is_none()) {
            self.send_sender_reports(now, key, wire);
        }
    }

    fn send_sender_reports(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let ntp_ms = self.unix_ms(now);
        let ntp = NtpTime::from_media_time(MediaTime(ntp_ms));
        let peer = &self.peers[key];
        let mut compound = Vec::new();
        let mut clocks_due = false;
        for reference in &peer.downs {
            let track = self.broadcasts[reference.source].track_mut(reference.slot);
            let Some(down) = track.downs.get_mut(reference.key) else { continue };
            let Some(clock) = down.clock(&track.layers) else { continue };
            if reference.rank == Rank::Broadcast && down.report.clock_due.is_some_and(|due| due <= now) {
                down.news.clock = true;
                clocks_due = true;
                track.news = true;
            }
            if down.report.packets == 0 || down.report.due.is_some_and(|due| due > now) {
                continue;
            }
            down.report.due = Some(now + limits::SENDER_REPORT_INTERVAL);
            down.report.newest = Some((ntp.middle(), now));
            let rtp = RtpTime(clock.rtp_time(MediaTime(ntp_ms)));
            let report = SenderReport { ssrc: down.ssrc, ntp, rtp, packets: down.report.packets, octets: down.report.octets };
            rtcp_build::sender_report(&mut compound, &report, "courtside");
        }
        let broadcast = peer.broadcast;
        if !compound.is_empty() {
            self.send_rtcp(key, &compound, wire);
        }
        if clocks_due {
            self.publish_news(now, broadcast);
        }
    }

    /// Tells the control plane what the packet path noted down.
    pub(super) fn publish_news(&mut self, now: Instant, key: usize) {
        let Some(broadcast) = self.broadcasts.get_mut(key) else { return };
        let id = broadcast.id;
        let has_video = broadcast.track(TrackSlot::MainVideo).codec.is_some();
        let mut events = Vec::new();
        for (_, track) in broadcast.tracks_mut() {
            if !std::mem::take(&mut track.news) {
                continue;
            }
            let (kind, layers, ranks) = (track.kind, &track.layers, &track.offered);
            for (_, down) in &mut track.downs {
                let news = std::mem::take(&mut down.news);
                if news == News::default() {
                    continue;
                }
                let Some(peer) = self.peers.get_mut(down.peer) else { continue };
                if news.playing {
                    down.report.due = None;
                    self.turns.ask(down.peer, now);
                }
                let own = peer.downs.iter().any(|reference| reference.ssrc == down.ssrc && reference.rank == Rank::Broadcast);
                if !own {
                    // Of a face nobody waits to hear: only that it cannot be shown is told, of the source itself.
                    let cannot = news.cannot_decode.map(|codec| SfuEvent::CannotDecode { peer: peer.id, broadcast: id, codec });
                    events.extend(cannot);
                    continue;
                }
                // The picture is what people wait for; sound alone counts only where there is no picture to come.
                let counts = kind == MediaKind::Video || !has_video;
                if news.playing && counts && !std::mem::replace(&mut peer.playing, true) {
                    events.push(SfuEvent::Playing { peer: peer.id, broadcast: id });
                }
                let peer = peer.id;
                if let Some(codec) = news.cannot_decode {
                    events.push(SfuEvent::CannotDecode { peer, broadcast: id, codec });
                }
                if news.switched && kind == MediaKind::Video {
                    let (current, target) = (rank_of(ranks, down.current()), rank_of(ranks, down.target()));
                    events.push(SfuEvent::Layer { peer, broadcast: id, mid: down.mid, current, target });
                }
                if news.switched || news.clock {
                    // A replay is decided on before its first packet leaves, and only that one says which clock it goes by: told then.
                    let clock = down.clock(layers);
                    down.report.clock_due = Some(if clock.is_some() { now + limits::TRACK_CLOCK_INTERVAL } else { now });
                    events.extend(clock.map(|clock| SfuEvent::TrackClock { peer, broadcast: id, mid: down.mid, kind, clock }));
                }
            }
        }
        for event in events {
            self.emit(event);
        }
    }
}
