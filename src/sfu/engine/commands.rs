//! Commands of the control plane: peers come, change and go.

use std::time::Instant;

use rand::Rng;
use tokio::sync::oneshot;

use super::Engine;
use super::tracks::ranked;
use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::limits;
use crate::sfu::congestion::{Allocator, Controller, Rank};
use crate::sfu::forward::{Egress, Wire};
use crate::sfu::handle::{AddPeer, Command, IceRestarted, LayerChoice, PeerAnswer, PeerGone, PeerStats, Permissions, SfuError, SfuEvent};
use crate::sfu::ladder::rank_of;
use crate::sfu::negotiate::{AnswerPolicy, MediaRole, Negotiated, NegotiatedMedia, Offer, Setup, negotiate};
use crate::sfu::peer::Peer;
use crate::sfu::resend::Resends;
use crate::sfu::rtp::id::{Mid, Ssrc};
use crate::sfu::tap::{TapSender, TrackSlot};
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
            Command::Renegotiate { peer, offer, source, reply } => drop(reply.send(self.renegotiate(now, peer, &offer, source))),
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
            Command::Stats { peer, reply } => drop(reply.send(self.stats(now, peer))),
            Command::CloseBroadcast { broadcast } => self.close_broadcast(now, broadcast, wire),
            Command::AddTap { broadcast, tap } => self.add_tap(now, broadcast, tap),
            Command::Withdraw { peer, source } => {
                if let Some(&key) = self.by_peer.get(&peer) {
                    self.withdraw(key, source);
                }
            }
            Command::Fill { peer, fills } => {
                if let Some(&key) = self.by_peer.get(&peer) {
                    self.fill(now, key, &fills);
                }
            }
            Command::ShowGuest { broadcast, guest } => self.show_guest(now, broadcast, guest),
            Command::Silence { source, silenced } => self.silence(source, silenced),
            Command::SourceAt { source, home } => self.follow_source(source, home),
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
        let negotiated = self.negotiate(id, &offer, &local, with_source(request.permissions, request.source), &[], 1)?;
        let publishes = negotiated.media.iter().any(|media| media.role == MediaRole::Up);
        if publishes
            && request.source.is_none()
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
            learned: Vec::new(),
            source: broadcast,
            downs: Vec::new(),
            free: Vec::new(),
            choice: request.choice,
            allocator: Allocator::new(request.choice),
            sound_bps: 0,
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
        self.broadcasts[broadcast].holds += 1;
        self.apply(now, key, &negotiated.media, request.source);
        Ok(self.answer(key, negotiated))
    }

    /// A further offer of a peer: ICE restart, other codecs, more or fewer m-lines.
    fn renegotiate(&mut self, now: Instant, id: PeerId, offer: &str, source: Option<SourceId>) -> Result<PeerAnswer, SfuError> {
        let key = *self.by_peer.get(&id).ok_or(SfuError::UnknownPeer)?;
        let offer = Offer::parse(offer)?;
        let peer = &self.peers[key];
        if offer.setup != Setup::ActPass && offer.dtls_role() != peer.dtls.role() {
            return Err(SfuError::Unacceptable { reason: "the DTLS role cannot change within a peer".to_owned() });
        }
        let restarts = peer.ice.remote() != &offer.ice;
        let local = if restarts { IceCredentials::random(&mut self.rng) } else { peer.ice.local().clone() };
        let (permissions, previous, version) = (with_source(peer.permissions, source), peer.media.clone(), peer.answers + 1);
        let negotiated = self.negotiate(id, &offer, &local, permissions, &previous, version)?;
        let publisher = self.broadcasts[self.peers[key].broadcast].publisher.filter(|publisher| *publisher != key);
        if let Some(publisher) = publisher
            && source.is_none()
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
        self.apply(now, key, &negotiated.media, source);
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
        let (main, free): (Vec<_>, Vec<_>) = ranked(&peer.media).partition(|(_, rank)| *rank == Rank::Broadcast);
        let named = |lines: Vec<(&NegotiatedMedia, Rank)>| lines.iter().filter_map(|(media, _)| Some((media.mid, media.kind?))).collect();
        PeerAnswer {
            peer: peer.id,
            sdp: negotiated.sdp,
            ice_ufrag: peer.ice.local().ufrag.clone(),
            up_tracks: peer.publisher.as_ref().map_or(0, |publisher| publisher.media().len()),
            down_tracks: main.len() + free.len(),
            mids: peer.media.iter().map(|media| media.mid).collect(),
            free: named(free),
            main: named(main),
        }
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
        if let Some(free) = peer.free.iter_mut().find(|free| free.mid == mid) {
            free.drawn_height = Some(height);
        }
        let Some(down) = peer.downs.iter_mut().find(|down| down.mid == mid) else { return };
        down.drawn_height = Some(height);
        let source = down.source;
        self.broadcasts[source].demand_moved = true;
        self.choose_layers(now, key);
        self.publish_news(now, source);
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

    fn stats(&self, now: Instant, id: PeerId) -> Result<PeerStats, SfuError> {
        let key = *self.by_peer.get(&id).ok_or(SfuError::UnknownPeer)?;
        let (peer, egress) = (&self.peers[key], &self.egress[key]);
        let path = peer.controller.report();
        let video = peer.downs.iter().find(|down| down.slot == TrackSlot::MainVideo && down.rank == Rank::Broadcast);
        let track = self.broadcasts[peer.broadcast].track(TrackSlot::MainVideo);
        let down = video.and_then(|reference| track.downs.get(reference.key));
        let rank = |target| rank_of(&track.offered, target);
        Ok(PeerStats {
            connected: peer.connected,
            silent_for: peer.ice.silent_for(now),
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
        self.guests.remove(&id);
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
        broadcast.look_at_taps();
        if broadcast.taps.len() >= limits::HLS_TAPS_MAX {
            return;
        }
        self.tapped.extend(broadcast.past(now).into_iter().map(|run| (tap.clone(), run)));
        broadcast.taps.push(tap);
        broadcast.look_at_taps();
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
        for reference in &peer.downs {
            self.broadcasts[reference.source].track_mut(reference.slot).downs.try_remove(reference.key);
            if reference.rank != Rank::Broadcast {
                self.let_go(reference.source);
            }
        }
        let id = self.broadcasts[peer.broadcast].id;
        self.released.push(peer.id);
        self.emit(SfuEvent::PeerGone { peer: peer.id, broadcast: id, reason });
        self.let_go(peer.broadcast);
    }
}

/// Who may publish a source of its own may send.
const fn with_source(permissions: Permissions, source: Option<SourceId>) -> Permissions {
    Permissions { publish: permissions.publish || source.is_some(), ..permissions }
}
