//! How a peer comes in: a place is reserved before the media plane is asked, and filled or given back by what it answers.
//!
//! Invariant: every `admit_*` that succeeds is followed by exactly one `*_joined` or `*_failed`.

use super::{Admission, Directory, Effect, IceTags, PeerEntry, Told};
use crate::accounts::{Claims, Grant};
use crate::ids::{BroadcastId, PeerId, SessionId};
use crate::sfu::handle::{PeerGone, SfuEvent};
use crate::signaling::live::access;
use crate::signaling::live::broadcast::{Broadcast, Ticket, ViewerKey};
use crate::signaling::now::Now;
use crate::signaling::protocol::BroadcastState;
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::NewBroadcast;

impl Directory {
    /// Reserves the publisher's place on a broadcast, which is made when `may_create` and the slug is free.
    pub(crate) fn admit_publisher(
        &mut self,
        now: Now,
        name: &str,
        who: Option<&Claims>,
        may_create: Option<BroadcastId>,
    ) -> Result<Admission, Refusal> {
        let (id, is_new) = match (self.find(name).map(Broadcast::has_ended), may_create) {
            (Ok(false), _) | (Ok(true), None) => (self.find_for(name, who, Grant::Publish)?, false),
            (Err(refusal), None) => return Err(refusal),
            // By id it can only be found, never made.
            (Ok(true), Some(_)) if name.parse::<BroadcastId>().is_ok() => return Err(Refusal::Ended),
            (Ok(true) | Err(_), Some(id)) => {
                let new = NewBroadcast { slug: Some(name.to_owned()), title: Some(name.to_owned()), visibility: None };
                self.create(now, id, who, &new)?;
                (id, true)
            }
        };
        self.tickets += 1;
        let (ticket, credential) = (Ticket(self.tickets), access::credential(who));
        let evicted = self.edit(now, id, |broadcast| broadcast.admit_publisher(now, ticket, credential))?;
        if let Some(peer) = evicted {
            if let Some(session) = self.peers.get(&peer).and_then(|entry| entry.session) {
                let event = SfuEvent::PeerGone { peer, broadcast: id, reason: PeerGone::Removed };
                self.effects.push(Effect::Tell { session, told: Told::Media(event) });
            }
            self.forget_peer(now, peer);
        }
        self.offers_open += 1;
        Ok(Admission { broadcast: id, ticket, credential, evicted, is_new })
    }

    /// The media plane took a publisher's offer. An error means that the peer must be removed.
    pub(crate) fn publisher_joined(
        &mut self,
        now: Now,
        admission: &Admission,
        peer: PeerId,
        session: Option<SessionId>,
        ice: IceTags,
    ) -> Result<(), Refusal> {
        let id = admission.broadcast;
        let is_valid = self.broadcasts.get_mut(&id).is_some_and(|broadcast| broadcast.publisher_joined(admission.ticket, peer));
        let is_valid = is_valid && session.is_none_or(|session| self.members.get(&session).is_some_and(|member| member.broadcast == id));
        if !is_valid {
            self.touch(now, id, |broadcast| broadcast.peer_gone(now, peer));
            self.offer_closed();
            return Err(Refusal::Superseded);
        }
        let entry = PeerEntry { broadcast: id, is_publisher: true, session, credential: admission.credential, ice };
        self.enter_peer(now, peer, entry);
        Ok(())
    }

    /// The media plane refused a publisher's offer.
    pub(crate) fn publisher_failed(&mut self, now: Now, admission: &Admission) {
        let id = admission.broadcast;
        self.touch(now, id, |broadcast| broadcast.publisher_failed(admission.ticket));
        let is_unused = self
            .broadcasts
            .get(&id)
            .is_some_and(|broadcast| broadcast.state() == BroadcastState::Idle && broadcast.viewers() == 0 && !broadcast.has_publisher());
        if admission.is_new && is_unused {
            self.effects.retain(|effect| !matches!(effect, Effect::Save(saved) if *saved == id));
            self.forget(id);
            // The media plane may have given it a home already.
            self.effects.push(Effect::CloseBroadcast(id));
        }
        self.offer_closed();
    }

    /// A broadcast on air that `who` may watch, for a transport that makes no peer.
    pub(crate) fn watchable(&self, name: &str, who: Option<&Claims>) -> Result<BroadcastId, Refusal> {
        let id = self.find_for(name, who, Grant::View)?;
        match self.broadcasts[&id].state() {
            BroadcastState::Ended => Err(Refusal::Ended),
            BroadcastState::Idle => Err(Refusal::NotLive),
            BroadcastState::Live | BroadcastState::Reconnecting => Ok(id),
        }
    }

    /// As [`Self::watchable`], or one whose replay can be watched.
    pub(crate) fn replayable(&self, name: &str, who: Option<&Claims>) -> Result<BroadcastId, Refusal> {
        let id = self.find_for(name, who, Grant::View)?;
        if self.broadcasts[&id].has_replay() { Ok(id) } else { self.watchable(name, who) }
    }

    /// Room for one more viewer's peer on a broadcast.
    pub(crate) fn admit_viewer(
        &mut self,
        now: Now,
        name: &str,
        who: Option<&Claims>,
        session: Option<SessionId>,
        needs_live: bool,
    ) -> Result<BroadcastId, Refusal> {
        let id = self.find_for(name, who, Grant::View)?;
        match self.broadcasts[&id].state() {
            // The match is over, and the call goes on.
            BroadcastState::Ended if !session.is_some_and(|session| self.is_held(session)) => return Err(Refusal::Ended),
            BroadcastState::Idle if needs_live => return Err(Refusal::NotLive),
            BroadcastState::Idle | BroadcastState::Live | BroadcastState::Reconnecting | BroadcastState::Ended => {}
        }
        self.demand_headroom(now, id, session)?;
        self.offers_open += 1;
        Ok(id)
    }

    /// The media plane took a viewer's offer. An error means that the peer must be removed.
    pub(crate) fn viewer_joined(&mut self, now: Now, peer: PeerId, entry: PeerEntry) -> Result<(), Refusal> {
        let PeerEntry { broadcast: id, session, .. } = entry;
        let is_held = session.is_some_and(|session| self.is_held(session));
        let is_there = self.broadcasts.get(&id).is_some_and(|broadcast| is_held || !broadcast.has_ended());
        let is_member = session.is_none_or(|session| self.members.get(&session).is_some_and(|member| member.broadcast == id));
        if !is_there || !is_member {
            self.offer_closed();
            return Err(if is_there { Refusal::NotJoined } else { Refusal::Ended });
        }
        if session.is_none() {
            self.touch(now, id, |broadcast| broadcast.add_viewer(ViewerKey::Peer(peer)));
        }
        self.enter_peer(now, peer, entry);
        Ok(())
    }

    /// A peer has new ICE credentials.
    pub(crate) fn ice_restarted(&mut self, peer: PeerId, ice: IceTags) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.ice = ice;
        }
    }

    /// The media plane refused a viewer's offer.
    pub(crate) fn viewer_failed(&mut self) {
        self.offer_closed();
    }
}
