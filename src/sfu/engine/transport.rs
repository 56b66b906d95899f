//! Datagrams up to decryption: who is it from, ICE, DTLS, keys.

use std::net::IpAddr;
use std::time::Instant;

use super::Engine;
use crate::sfu::forward::{ReadyEgress, Route, Wire};
use crate::sfu::handle::{PeerGone, SfuEvent};
use crate::sfu::stats::DropReason;
use crate::sfu::tap::TrackSlot;
use crate::sfu::transport::dtls::DtlsEvent;
use crate::sfu::transport::ice::IceVerdict;
use crate::sfu::transport::srtp::{SrtcpOutbound, SrtpInbound, SrtpKeys, SrtpOutbound};
use crate::sfu::transport::{DatagramKind, Remote, classify, local_ufrag};

impl Engine {
    /// Takes one datagram. `local` is the address it was sent to, where the system tells.
    pub fn handle_datagram(&mut self, now: Instant, source: Remote, local: Option<IpAddr>, datagram: &[u8], wire: &mut impl Wire) {
        let Some(first) = datagram.first() else { return self.counters.drop(DropReason::UnknownProtocol) };
        match classify(*first) {
            DatagramKind::Stun => self.handle_stun(now, source, local, datagram, wire),
            DatagramKind::Dtls => match self.known_peer(source) {
                Ok(key) => self.handle_dtls(now, key, source, local, datagram, wire),
                Err(reason) => self.counters.drop(reason),
            },
            DatagramKind::RtpOrRtcp => match self.known_peer(source) {
                Ok(key) => {
                    self.peers[key].ice.handle_media(now, source);
                    self.handle_srtp(now, key, datagram, wire);
                }
                Err(reason) => self.counters.drop(reason),
            },
            DatagramKind::Other => self.counters.drop(DropReason::UnknownProtocol),
        }
    }

    /// A connection ended: nothing comes from it or goes there any more. When it carried the peer, the path that passed a check last does,
    /// if there is one; else the peer waits for its client to check again, until its consent expires.
    pub fn handle_closed(&mut self, now: Instant, remote: Remote) {
        let Some(key) = self.by_address.remove(&remote) else { return };
        let peer = &mut self.peers[key];
        let carried = peer.ice.selected() == Some(remote);
        peer.ice.handle_closed(now, remote);
        peer.paths.retain(|path| path.destination != remote);
        let Some(selected) = peer.ice.selected().filter(|_| carried) else { return };
        peer.local = peer.paths.iter().find(|path| path.destination == selected).and_then(|path| path.source);
        self.counters.address_changes += 1;
        if let (Some(route), Some(ready)) = (self.route(key), &mut self.egress[key].ready) {
            ready.route = route;
        }
    }

    /// Whether a check from there has passed, for a peer that is here still: a connection for which this does not hold serves nobody.
    pub fn knows(&self, remote: Remote) -> bool {
        self.known_peer(remote).is_ok()
    }

    /// The peer behind an address, if the address is one that passed a check.
    fn known_peer(&self, source: Remote) -> Result<usize, DropReason> {
        let key = *self.by_address.get(&source).ok_or(DropReason::UnknownPeer)?;
        if self.peers[key].ice.validated(source) { Ok(key) } else { Err(DropReason::UnvalidatedAddress) }
    }

    fn handle_stun(&mut self, now: Instant, source: Remote, local: Option<IpAddr>, datagram: &[u8], wire: &mut impl Wire) {
        let Some(&key) = local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag)) else {
            return self.counters.drop(DropReason::UnknownPeer);
        };
        let peer = &mut self.peers[key];
        let was_silent = peer.ice.is_silent(now);
        let verdict = peer.ice.handle(now, source, datagram, &mut self.reply);
        let route = Route { destination: source, source: local };
        match verdict {
            IceVerdict::Dropped(_) => return self.counters.drop(DropReason::Stun),
            IceVerdict::Reply => {
                wire.send(route, self.reply.len(), &self.reply);
            }
            IceVerdict::Nominated { previous } => {
                wire.send(route, self.reply.len(), &self.reply);
                let moved = previous.is_some_and(|previous| previous != source);
                self.counters.address_changes += u64::from(moved);
                self.handle_nominated(now, key, route);
                self.drain_dtls(key, route, wire);
                if moved && was_silent {
                    self.refresh(now, key);
                }
            }
        }
        self.remember_path(key, route);
    }

    /// The client chose this path (again): everything from now on goes there.
    fn handle_nominated(&mut self, now: Instant, key: usize, route: Route) {
        let peer = &mut self.peers[key];
        peer.dtls.begin(now);
        peer.local = route.source;
        if let Some(ready) = &mut self.egress[key].ready {
            ready.route = route;
        }
        self.forget_old_ufrags(key);
        if self.peers[key].connected {
            self.follow_path(now, key, route.destination.address().ip());
        }
    }

    /// A path died and took what was on it. The client may not be able to ask for it: browsers still send where nothing arrives, a second or
    /// more after we have found them elsewhere. So it gets its picture again unasked.
    fn refresh(&mut self, now: Instant, key: usize) {
        for index in 0..self.peers[key].downs.len() {
            let reference = self.peers[key].downs[index];
            if reference.slot == TrackSlot::MainVideo {
                self.handle_wish(now, key, reference);
            }
        }
    }

    /// After an ICE restart only the newest user fragments are valid: two until the client nominates with the new one, then one.
    pub(super) fn forget_old_ufrags(&mut self, key: usize) {
        let peer = &mut self.peers[key];
        for ufrag in peer.ufrags.extract_if(.., |ufrag| peer.ice.local_ufrags().all(|valid| valid != ufrag)) {
            self.by_ufrag.remove(&ufrag);
        }
    }

    /// Checks that name this user fragment of ours are for this peer.
    pub(super) fn remember_ufrag(&mut self, key: usize, ufrag: String) {
        self.peers[key].ufrags.push(ufrag.clone());
        self.by_ufrag.insert(ufrag, key);
    }

    fn remember_path(&mut self, key: usize, route: Route) {
        let source = route.destination;
        let peer = &mut self.peers[key];
        if !peer.ice.validated(source) {
            return;
        }
        if let Some(known) = peer.paths.iter_mut().find(|path| path.destination == source) {
            known.source = route.source;
            return;
        }
        if let Some(owner) = self.by_address.insert(source, key)
            && let Some(former) = self.peers.get_mut(owner)
        {
            former.paths.retain(|path| path.destination != source);
        }
        let peer = &mut self.peers[key];
        peer.paths.push(route);
        // ICE forgets addresses when there are many, never the selected one; the demultiplexer follows it.
        for path in peer.paths.extract_if(.., |path| !peer.ice.validated(path.destination)) {
            self.by_address.remove(&path.destination);
        }
    }

    fn handle_dtls(&mut self, now: Instant, key: usize, source: Remote, local: Option<IpAddr>, datagram: &[u8], wire: &mut impl Wire) {
        let peer = &mut self.peers[key];
        let result = peer.dtls.handle(now, datagram);
        self.drain_dtls(key, Route { destination: source, source: local }, wire);
        match result {
            Ok(DtlsEvent::None) => {}
            Ok(DtlsEvent::Connected(keys)) => self.handle_keys(now, key, &keys),
            Ok(DtlsEvent::Closed) => self.remove_peer(now, key, PeerGone::ClosedByPeer, wire),
            Err(error) => {
                self.counters.drop(DropReason::Dtls);
                self.counters.handshakes_failed += 1;
                tracing::info!(peer = %self.peers[key].id, %error, "DTLS failed");
                self.remove_peer(now, key, PeerGone::DtlsFailed, wire);
            }
        }
    }

    /// Sends what DTLS has queued.
    pub(super) fn drain_dtls(&mut self, key: usize, route: Route, wire: &mut impl Wire) {
        while let Some(datagram) = self.peers[key].dtls.poll_transmit() {
            wire.send(route, datagram.len(), &datagram);
        }
    }

    /// The path DTLS and reports take now.
    pub(super) fn route(&self, key: usize) -> Option<Route> {
        let peer = &self.peers[key];
        peer.ice.selected().map(|destination| Route { destination, source: peer.local })
    }

    fn handle_keys(&mut self, now: Instant, key: usize, keys: &SrtpKeys) {
        let Some(route) = self.route(key) else { return };
        let peer = &mut self.peers[key];
        peer.inbound = Some(SrtpInbound::new(keys));
        peer.rtcp_out = Some(SrtcpOutbound::new(keys));
        peer.connected = true;
        self.counters.handshakes_completed += 1;
        let egress = &mut self.egress[key];
        egress.ready = Some(ReadyEgress { route, sealer: SrtpOutbound::new(keys) });
        if !peer.downs.is_empty() {
            egress.sent.reserve(now, 0);
        }
        let (id, broadcast) = (peer.id, self.broadcasts[peer.broadcast].id);
        self.emit(SfuEvent::PeerConnected { peer: id, broadcast });
        self.follow_path(now, key, route.destination.address().ip());
        self.start_down_tracks(now, key);
    }

    /// Encrypts and sends the RTCP compound in `compound`.
    pub(super) fn send_rtcp(&mut self, key: usize, compound: &[u8], wire: &mut impl Wire) {
        let Some(route) = self.route(key) else { return };
        let peer = &mut self.peers[key];
        let Some(outbound) = &mut peer.rtcp_out else { return };
        if let Some(sealed) = outbound.encrypt_rtcp(compound) {
            wire.send(route, sealed.len(), &sealed);
        }
    }
}
