//! Commands of the control plane: peers come, change and go.

use std::time::Instant;

use rand::Rng;
use tokio::sync::oneshot;

use super::Engine;
use crate::ids::{BroadcastId, PeerId};
use crate::limits;
use crate::sfu::broadcast::Broadcast;
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::{Allocator, Controller};
use crate::sfu::down_track::DownTrack;
use crate::sfu::forward::{Egress, Wire};
use crate::sfu::handle::{AddPeer, Command, IceRestarted, LayerChoice, PeerAnswer, PeerGone, PeerStats, Permissions, SfuError, SfuEvent};
use crate::sfu::ladder::rank_of;
use crate::sfu::negotiate::{AnswerPolicy, MediaRole, Negotiated, NegotiatedMedia, Offer, Setup, negotiate};
use crate::sfu::peer::{DownRef, Peer};
use crate::sfu::protection::Protection;
use crate::sfu::publisher::{Publisher, UpMedia};
use crate::sfu::resend::Resends;
use crate::sfu::rtp::extensions::ExtensionMap;
use crate::sfu::rtp::id::{Mid, Pt, Ssrc};
use crate::sfu::selection::Target;
use crate::sfu::stats::DropReason;
use crate::sfu::tap::{Handover, TapSender, TrackSlot};
use crate::sfu::transport::dtls::{DtlsAssociation, DtlsRole};
use crate::sfu::transport::ice::{IceAgent, IceCredentials};

impl Engine {
    /// Carries out a command. A caller that has stopped waiting for the answer is no concern of ours.
    pub fn handle_command(&mut self, now: Instant, command: Command, wire: &mut impl Wire) {
        match command {
            Command::AddPeer { peer, home, request, reply } => {
                let result = self.add_peer(now, peer, home, &request);
                self.answer_new_peer(now, peer, result, reply, wire);
            }
            Command::Renegotiate { peer, offer, source: _, reply } => drop(reply.send(self.renegotiate(now, peer, &offer))),
            Command::RestartIce { peer, remote_ufrag, remote_pwd, reply } => {
                drop(reply.send(self.restart_ice(peer, IceCredentials { ufrag: remote_ufrag, pwd: remote_pwd })));
            }
            Command::RemovePeer { peer } => {
                if let Some(&key) = self.by_peer.get(&peer) {
                    self.remove_peer(now, key, PeerGone::Removed, wire);
                }
            }
            Command::ChooseLayer { peer, choice } => {
                if let Some(&key) = self.by_peer.get(&peer) {
                    self.choose(now, key, choice);
                }
            }
            Command::DrawnAt { peer, mid, height } => {
                if let Some(&key) = self.by_peer.get(&peer) {
                    self.drawn_at(now, key, mid, height);
                }
            }
            Command::Stats { peer, reply } => drop(reply.send(self.stats(peer))),
            Command::CloseBroadcast { broadcast } => self.close_broadcast(now, broadcast, wire),
            Command::AddTap { broadcast, tap } => self.add_tap(now, broadcast, tap),
            Command::Withdraw { .. } | Command::Fill { .. } | Command::ShowGuest { .. } | Command::Silence { .. } => {}
        }
    }

    /// The worker stops: every peer is told by DTLS.
    pub fn handle_shutdown(&mut self, now: Instant, wire: &mut impl Wire) {
        let keys: Vec<usize> = self.peers.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.remove_peer(now, key, PeerGone::Removed, wire);
        }
    }

    /// A caller that gave up (its HTTP request was cut) must not leave a peer behind.
    fn answer_new_peer(
        &mut self,
        now: Instant,
        peer: PeerId,
        result: Result<PeerAnswer, SfuError>,
        reply: oneshot::Sender<Result<PeerAnswer, SfuError>>,
        wire: &mut impl Wire,
    ) {
        let added = result.is_ok();
        if reply.send(result).is_err()
            && added
            && let Some(&key) = self.by_peer.get(&peer)
        {
            self.remove_peer(now, key, PeerGone::Removed, wire);
        }
    }

    /// Adds a peer from an offer.
    ///
    /// # Errors
    /// See [`SfuError`]; nothing is left behind then.
    pub fn add_peer(&mut self, now: Instant, id: PeerId, home: u8, request: &AddPeer) -> Result<PeerAnswer, SfuError> {
        if self.peers.len() >= limits::PEERS_PER_WORKER_MAX {
            return Err(SfuError::Full { what: "this worker has as many peers as it may" });
        }
        if !self.joins.take(now, limits::JOINS_PER_WORKER_PER_S) {
            return Err(SfuError::Full { what: "too many joins at this moment" });
        }
        let offer = Offer::parse(&request.offer)?;
        let local = IceCredentials::random(&mut self.rng);
        let negotiated = self.negotiate(id, &offer, &local, request.permissions, &[], 1)?;
        let publishes = negotiated.media.iter().any(|media| media.role == MediaRole::Up);
        if publishes
            && let Some(&key) = self.by_broadcast.get(&request.broadcast)
            && let Some(publisher) = self.broadcasts[key].publisher
        {
            return Err(SfuError::PublisherPresent { peer: self.peers[publisher].id });
        }
        self.arm(now);
        let broadcast = self.broadcast_key(now, request.broadcast, home);
        let key = self.peers.insert(Peer {
            id,
            broadcast,
            permissions: request.permissions,
            dtls: match offer.dtls_role() {
                DtlsRole::Passive => DtlsAssociation::passive(&self.config.certificate, offer.fingerprint.clone()),
                DtlsRole::Active => DtlsAssociation::active(&self.config.certificate, offer.fingerprint.clone(), offer.srtp_profiles()),
            },
            ice: IceAgent::new(now, local.clone(), offer.ice.clone()),
            inbound: None,
            rtcp_out: None,
            connected: false,
            playing: false,
            publisher: None,
            downs: Vec::new(),
            choice: request.choice,
            allocator: Allocator::new(request.choice),
            controller: Controller::default(),
            shared_path: None,
            media: Vec::new(),
            answers: 1,
            ufrags: Vec::new(),
            paths: Vec::new(),
            local: None,
            resends: Resends::default(),
            packets_received: 0,
            bytes_received: 0,
        });
        if self.egress.len() <= key {
            self.egress.resize_with(key + 1, Egress::default);
        }
        self.egress[key] = Egress::default();
        self.turns.reserve(key);
        self.by_peer.insert(id, key);
        self.remember_ufrag(key, local.ufrag.clone());
        self.broadcasts[broadcast].peers += 1;
        self.apply(now, key, &negotiated.media);
        Ok(self.answer(key, negotiated))
    }

    /// A further offer of a peer: ICE restart, other codecs, more or fewer m-lines.
    fn renegotiate(&mut self, now: Instant, id: PeerId, offer: &str) -> Result<PeerAnswer, SfuError> {
        let key = *self.by_peer.get(&id).ok_or(SfuError::UnknownPeer)?;
        let offer = Offer::parse(offer)?;
        let peer = &self.peers[key];
        if offer.setup != Setup::ActPass && offer.dtls_role() != peer.dtls.role() {
            return Err(SfuError::Unacceptable { reason: "the DTLS role cannot change within a peer".to_owned() });
        }
        let restarts = peer.ice.remote() != &offer.ice;
        let local = if restarts { IceCredentials::random(&mut self.rng) } else { peer.ice.local().clone() };
        let (permissions, previous, version) = (peer.permissions, peer.media.clone(), peer.answers + 1);
        let negotiated = self.negotiate(id, &offer, &local, permissions, &previous, version)?;
        let publisher = self.broadcasts[self.peers[key].broadcast].publisher.filter(|publisher| *publisher != key);
        if let Some(publisher) = publisher
            && negotiated.media.iter().any(|media| media.role == MediaRole::Up)
        {
            return Err(SfuError::PublisherPresent { peer: self.peers[publisher].id });
        }
        if restarts {
            self.remember_ufrag(key, local.ufrag.clone());
            self.peers[key].ice.restart(local, offer.ice.clone());
            self.forget_old_ufrags(key);
        }
        self.peers[key].answers = version;
        self.apply(now, key, &negotiated.media);
        Ok(self.answer(key, negotiated))
    }

    fn negotiate(
        &mut self,
        id: PeerId,
        offer: &Offer,
        local: &IceCredentials,
        permissions: Permissions,
        previous: &[NegotiatedMedia],
        version: u64,
    ) -> Result<Negotiated, SfuError> {
        let fingerprint = self.config.certificate.fingerprint();
        let policy = AnswerPolicy {
            local,
            fingerprint: &fingerprint,
            role: self.by_peer.get(&id).map_or_else(|| offer.dtls_role(), |key| self.peers[*key].dtls.role()),
            candidates: &self.config.candidates,
            permissions,
            down_slots_max: limits::DOWN_TRACKS_PER_PEER_MAX,
            session_id: id.to_bits() >> 2,
            session_version: version,
            previous,
        };
        // Zero is no SSRC for some stacks.
        let rng = &mut self.rng;
        negotiate(offer, &policy, &mut || Ssrc(rng.random_range(1..u32::MAX)))
    }

    fn answer(&self, key: usize, negotiated: Negotiated) -> PeerAnswer {
        let peer = &self.peers[key];
        PeerAnswer {
            peer: peer.id,
            sdp: negotiated.sdp,
            ice_ufrag: peer.ice.local().ufrag.clone(),
            up_tracks: peer.publisher.as_ref().map_or(0, |publisher| publisher.media().len()),
            down_tracks: peer.downs.len(),
            mids: peer.media.iter().map(|media| media.mid).collect(),
            free: Vec::new(),
            main: peer.downs.iter().filter_map(|down| self.main_slot(key, down)).collect(),
        }
    }

    fn main_slot(&self, key: usize, down: &DownRef) -> Option<(Mid, MediaKind)> {
        let track = self.broadcasts[self.peers[key].broadcast].track(down.slot);
        track.downs.get(down.key).map(|down| (down.mid, down.kind))
    }

    /// Makes the peer's tracks what was negotiated. Tracks that stay are left alone.
    fn apply(&mut self, now: Instant, key: usize, media: &[NegotiatedMedia]) {
        self.apply_ups(key, media);
        self.apply_downs(now, key, media);
        self.peers[key].media = media.to_vec();
    }

    fn apply_ups(&mut self, key: usize, media: &[NegotiatedMedia]) {
        let ups: Vec<&NegotiatedMedia> = first_of_each_kind(media, |role| role == MediaRole::Up);
        let broadcast = self.peers[key].broadcast;
        let present: Vec<_> = self.peers[key].publisher.iter().flat_map(|publisher| publisher.media()).map(|media| media.mid).collect();
        if present.iter().copied().eq(ups.iter().map(|media| media.mid)) {
            return;
        }
        if ups.is_empty() {
            self.drop_publisher(key);
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
        self.peers[key].publisher = Some(Publisher::new(ups, extensions, transport_cc.then_some(epoch), reporter));
        self.broadcasts[broadcast].publisher = Some(key);
        self.source_gone(broadcast);
    }

    fn apply_downs(&mut self, now: Instant, key: usize, media: &[NegotiatedMedia]) {
        let wanted = first_of_each_kind(media, |role| matches!(role, MediaRole::Down { .. }));
        let broadcast = self.peers[key].broadcast;
        let mut kept = Vec::new();
        for reference in std::mem::take(&mut self.peers[key].downs) {
            let track = self.broadcasts[broadcast].track_mut(reference.slot);
            let down = &mut track.downs[reference.key];
            match wanted.iter().find(|media| media.mid == down.mid) {
                Some(media) => {
                    down.renegotiated(media.codecs.clone(), media.extensions);
                    Protection::renegotiate(&mut down.protection, parity_stream(media), self.rng.random_range(1..0x4000));
                    kept.push(reference);
                }
                None => drop(track.downs.remove(reference.key)),
            }
        }
        for media in wanted {
            let MediaRole::Down { ssrc, rtx_ssrc, .. } = media.role else { continue };
            if kept.iter().any(|reference| reference.ssrc == ssrc) {
                continue;
            }
            let slot = slot_of(media.kind);
            let kind = media.kind.unwrap_or(MediaKind::Video);
            let start = self.rng.random_range(1..0x4000);
            let mut down = DownTrack::new(key, media.mid, kind, ssrc, rtx_ssrc, media.codecs.clone(), media.extensions, start);
            Protection::renegotiate(&mut down.protection, parity_stream(media), start);
            let down_key = self.broadcasts[broadcast].track_mut(slot).downs.insert(down);
            kept.push(DownRef { slot, key: down_key, ssrc, drawn_height: None });
        }
        self.peers[key].downs = kept;
        let has_padding = media.iter().any(|media| matches!(media.role, MediaRole::Down { rtx_ssrc: Some(_), .. }));
        self.peers[key].controller.set_has_padding(has_padding);
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
        let peer = &self.peers[key];
        self.broadcasts[peer.broadcast].demand_moved = true;
        for reference in &peer.downs {
            if reference.slot == TrackSlot::MainAudio {
                let track = self.broadcasts[peer.broadcast].track_mut(reference.slot);
                if let Some(down) = track.downs.get_mut(reference.key) {
                    down.set_target(Some(Target::whole(0)));
                }
            }
        }
        self.choose_layers(now, key);
    }

    fn choose(&mut self, now: Instant, key: usize, choice: LayerChoice) {
        let peer = &mut self.peers[key];
        peer.choice = choice;
        peer.allocator.handle_choice();
        let broadcast = peer.broadcast;
        self.broadcasts[broadcast].demand_moved = true;
        self.choose_layers(now, key);
        self.publish_news(now, broadcast);
    }

    fn drawn_at(&mut self, now: Instant, key: usize, mid: Mid, height: u16) {
        let peer = &mut self.peers[key];
        let track_of = |down: &DownRef| self.broadcasts[peer.broadcast].track(down.slot).downs.get(down.key);
        let Some(down) = peer.downs.iter().position(|down| track_of(down).is_some_and(|track| track.mid == mid)) else { return };
        peer.downs[down].drawn_height = Some(height);
        let broadcast = peer.broadcast;
        self.broadcasts[broadcast].demand_moved = true;
        self.choose_layers(now, key);
        self.publish_news(now, broadcast);
    }

    fn restart_ice(&mut self, id: PeerId, remote: IceCredentials) -> Result<IceRestarted, SfuError> {
        let key = *self.by_peer.get(&id).ok_or(SfuError::UnknownPeer)?;
        let local = IceCredentials::random(&mut self.rng);
        self.remember_ufrag(key, local.ufrag.clone());
        let peer = &mut self.peers[key];
        peer.ice.restart(local.clone(), remote);
        self.forget_old_ufrags(key);
        let peer = &self.peers[key];
        Ok(IceRestarted {
            ufrag: local.ufrag,
            pwd: local.pwd,
            candidates: self.config.candidates.clone(),
            mids: peer.media.iter().map(|media| media.mid).collect(),
        })
    }

    fn stats(&self, id: PeerId) -> Result<PeerStats, SfuError> {
        let key = *self.by_peer.get(&id).ok_or(SfuError::UnknownPeer)?;
        let (peer, egress) = (&self.peers[key], &self.egress[key]);
        let path = peer.controller.report();
        let video = peer.downs.iter().find(|down| down.slot == TrackSlot::MainVideo);
        let track = self.broadcasts[peer.broadcast].track(TrackSlot::MainVideo);
        let down = video.and_then(|reference| track.downs.get(reference.key));
        let rank = |target| rank_of(&track.offered, target);
        Ok(PeerStats {
            connected: peer.connected,
            packets_sent: egress.packets,
            bytes_sent: egress.bytes,
            packets_received: peer.packets_received,
            bytes_received: peer.bytes_received,
            retransmitted: egress.retransmitted,
            loss_down: path.loss,
            loss_up: peer.publisher.as_ref().map_or(0.0, |publisher| publisher.loss_fraction(TrackSlot::MainVideo)),
            rtt_ms: path.rtt_ms,
            estimate_bps: path.estimate_bps,
            current_layer: down.and_then(|down| rank(down.current())),
            target_layer: down.and_then(|down| rank(down.target())),
        })
    }

    fn close_broadcast(&mut self, now: Instant, id: BroadcastId, wire: &mut impl Wire) {
        let Some(&broadcast) = self.by_broadcast.get(&id) else { return };
        let peers: Vec<usize> = self.peers.iter().filter(|(_, peer)| peer.broadcast == broadcast).map(|(key, _)| key).collect();
        self.broadcasts[broadcast].taps.clear();
        for key in peers {
            self.remove_peer(now, key, PeerGone::Removed, wire);
        }
        self.forget_if_abandoned(broadcast);
    }

    /// A subscriber in this process. Too many: its channel closes at once.
    fn add_tap(&mut self, now: Instant, id: BroadcastId, tap: TapSender) {
        let key = self.broadcast_key(now, id, self.config.worker);
        let broadcast = &mut self.broadcasts[key];
        broadcast.taps.retain(|tap| !tap.is_closed());
        if broadcast.taps.len() >= limits::HLS_TAPS_MAX {
            return;
        }
        broadcast.demand_moved = true;
        self.tapped.extend(broadcast.past(now).into_iter().map(|run| (tap.clone(), run)));
        broadcast.taps.push(tap);
    }

    /// The broadcast's key here; made when this is the first we hear of it. A mirror subscribes at home.
    pub(super) fn broadcast_key(&mut self, now: Instant, id: BroadcastId, home: u8) -> usize {
        if let Some(&key) = self.by_broadcast.get(&id) {
            return key;
        }
        self.arm(now);
        let key = self.broadcasts.insert(Broadcast::new(id, home));
        self.by_broadcast.insert(id, key);
        if home != self.config.worker {
            self.handovers.push_back((home, Handover::Subscribe { broadcast: id, worker: self.config.worker }));
        }
        key
    }

    pub(super) fn forget_if_abandoned(&mut self, key: usize) {
        let Some(broadcast) = self.broadcasts.get(key) else { return };
        if broadcast.is_abandoned() {
            let (id, home) = (broadcast.id, broadcast.home);
            self.broadcasts.remove(key);
            self.by_broadcast.remove(&id);
            self.pending.retain(|pending| *pending != key);
            if home != self.config.worker {
                self.handovers.push_back((home, Handover::Unsubscribe { broadcast: id, worker: self.config.worker }));
            }
        }
    }

    /// Removes every trace of a peer, and says so.
    pub(super) fn remove_peer(&mut self, now: Instant, key: usize, reason: PeerGone, wire: &mut impl Wire) {
        self.peers[key].dtls.close(now);
        if let Some(route) = self.route(key) {
            self.drain_dtls(key, route, wire);
        }
        self.drop_publisher(key);
        self.leave_path(now, key);
        let peer = self.peers.remove(key);
        self.egress[key] = Egress::default();
        self.turns.forget(key);
        self.by_peer.remove(&peer.id);
        for ufrag in &peer.ufrags {
            self.by_ufrag.remove(ufrag);
        }
        for path in &peer.paths {
            self.by_address.remove(&path.destination);
        }
        let broadcast = &mut self.broadcasts[peer.broadcast];
        for reference in &peer.downs {
            broadcast.track_mut(reference.slot).downs.try_remove(reference.key);
        }
        broadcast.peers -= 1;
        let id = broadcast.id;
        self.released.push(peer.id);
        self.emit(SfuEvent::PeerGone { peer: peer.id, broadcast: id, reason });
        self.forget_if_abandoned(peer.broadcast);
    }

    fn drop_publisher(&mut self, key: usize) {
        let broadcast = self.peers[key].broadcast;
        self.peers[key].publisher = None;
        if self.broadcasts[broadcast].publisher == Some(key) {
            self.broadcasts[broadcast].publisher = None;
            self.source_gone(broadcast);
        }
    }

    /// Viewers here and on every subscribed worker start over with the next source.
    fn source_gone(&mut self, broadcast: usize) {
        let broadcast = &mut self.broadcasts[broadcast];
        self.counters.dropped[DropReason::Late as usize] += broadcast.handle_source_gone();
        for (worker, _) in &broadcast.subscribers {
            self.handovers.push_back((*worker, Handover::SourceGone { broadcast: broadcast.id }));
        }
    }
}

/// The parity stream agreed beside a down-track.
fn parity_stream(media: &NegotiatedMedia) -> Option<(Ssrc, Pt)> {
    let MediaRole::Down { fec_ssrc, .. } = media.role else { return None };
    Some((fec_ssrc?, media.fec_pt?))
}

/// The first m-line of each kind in a role: the main pair. Further ones wait for guests and calls.
fn first_of_each_kind(media: &[NegotiatedMedia], role: impl Fn(MediaRole) -> bool) -> Vec<&NegotiatedMedia> {
    let first = |kind| media.iter().find(|media| media.kind == Some(kind) && role(media.role));
    let mut found: Vec<_> = [MediaKind::Audio, MediaKind::Video].into_iter().filter_map(first).collect();
    found.sort_by_key(|found| media.iter().position(|media| media.mid == found.mid));
    found
}

fn slot_of(kind: Option<MediaKind>) -> TrackSlot {
    match kind {
        Some(MediaKind::Audio) => TrackSlot::MainAudio,
        Some(MediaKind::Video) | None => TrackSlot::MainVideo,
    }
}
