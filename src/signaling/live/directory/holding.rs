//! Sessions in a call or on air: no other transport can serve them, and their peers outlive the broadcast.
//!
//! Invariant: the media plane closes a broadcast that has ended once nobody on it is held any more.

use super::{Directory, Effect};
use crate::ids::{BroadcastId, SessionId, UserId};
use crate::signaling::live::broadcast::{Broadcast, ViewerKey};
use crate::signaling::now::Now;
use crate::signaling::protocol::GuestView;

impl Directory {
    /// A session is in a call or on air from now on.
    pub(crate) fn hold(&mut self, session: SessionId) {
        if let Some(member) = self.members.get_mut(&session) {
            (member.is_held, member.away_since) = (true, None);
            let broadcast = member.broadcast;
            if self.broadcasts.get(&broadcast).is_some_and(Broadcast::has_ended) {
                self.kept_open.insert(broadcast);
            }
        }
    }

    /// It no longer is. After the end of its broadcast there is nothing left to send it.
    pub(crate) fn release(&mut self, session: SessionId) {
        let Some(member) = self.members.get_mut(&session) else { return };
        let was_held = std::mem::take(&mut member.is_held);
        let (id, peers) = (member.broadcast, member.peers.clone());
        if was_held && self.kept_open.contains(&id) {
            self.effects.extend(peers.into_iter().map(Effect::RemovePeer));
            self.close_when_free(id);
        }
    }

    pub(crate) fn is_held(&self, session: SessionId) -> bool {
        self.members.get(&session).is_some_and(|member| member.is_held)
    }

    /// The sessions by which somebody watches a broadcast.
    pub(crate) fn sessions_of(&self, broadcast: BroadcastId, user: UserId) -> Vec<SessionId> {
        let theirs = self.members.iter().filter(|(_, member)| member.broadcast == broadcast && member.key == ViewerKey::Person(user));
        theirs.filter(|(_, member)| member.is_counted).map(|(session, _)| *session).collect()
    }

    /// Who is on air beside the main picture.
    pub(crate) fn set_guest(&mut self, now: Now, broadcast: BroadcastId, guest: Option<GuestView>) {
        self.touch(now, broadcast, |broadcast| broadcast.set_guest(guest));
    }

    /// A broadcast has ended: all its peers go but those that are held.
    pub(super) fn close(&mut self, id: BroadcastId) {
        self.effects.push(Effect::Ended(id));
        if !self.has_held(id) {
            self.effects.push(Effect::CloseBroadcast(id));
            return;
        }
        self.kept_open.insert(id);
        let is_held = |session: Option<SessionId>| session.is_some_and(|session| self.is_held(session));
        let going = self.peers.iter().filter(|(_, entry)| entry.broadcast == id && (entry.is_publisher || !is_held(entry.session)));
        let going: Vec<Effect> = going.map(|(peer, _)| Effect::RemovePeer(*peer)).collect();
        self.effects.extend(going);
    }

    pub(super) fn close_when_free(&mut self, id: BroadcastId) {
        if self.kept_open.contains(&id) && !self.has_held(id) {
            self.kept_open.remove(&id);
            self.effects.push(Effect::CloseBroadcast(id));
        }
    }

    fn has_held(&self, id: BroadcastId) -> bool {
        self.members.values().any(|member| member.broadcast == id && member.is_held)
    }
}
