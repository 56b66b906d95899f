//! All calls of a node, found by id or by a member's session. Pure: `handle`-like calls take `now`, what must happen elsewhere is polled as
//! [`CallEffect`]s, [`Calls::wake_at`] says when time alone changes something.
//!
//! Invariants: a session is in at most one call; a call without members is over and forgotten; every change is followed by `settle`.

use std::collections::{BTreeSet, HashMap};

use super::allowance::Allowance;
use super::effect::CallEffect;
use super::party::Call;
use super::refusal::CallRefusal;
use super::seating::Line;
use super::{CallOver, CallPlay, CallView, Callee, Caller, LinkWord, MemberId, Pace};
use crate::ids::{BroadcastId, CallId, SessionId, SourceId, UserId};
use crate::limits::{CALL_RING_MAX, CALL_RINGS_BURST, CALL_RINGS_INTERVAL, CALLS_MAX};
use crate::social::clock::UnixMs;
use crate::social::reactions::ReactionKind;

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: HashMap<CallId, Call>,
    sessions: HashMap<SessionId, CallId>,
    /// The one deadline of each call that has one.
    timers: BTreeSet<(UnixMs, CallId)>,
    deadlines: HashMap<CallId, UnixMs>,
    effects: Vec<CallEffect>,
    /// How often each person may still ring others, over all calls; without those who have not rung for long.
    ringers: HashMap<UserId, Allowance>,
}

impl Calls {
    /// Somebody is about to ring so many people.
    pub(crate) fn take_rings(&mut self, now: UnixMs, user: UserId, count: usize) -> Result<(), CallRefusal> {
        self.ringers.retain(|_, allowance| !allowance.is_full(now));
        let fresh = || Allowance::new(now, CALL_RINGS_BURST, CALL_RINGS_INTERVAL);
        let mut allowance = self.ringers.get(&user).copied().unwrap_or_else(fresh);
        for _ in 0..count.min(CALL_RING_MAX + 1) {
            allowance.take(now)?;
        }
        self.ringers.insert(user, allowance);
        Ok(())
    }

    /// Begins a call; a session that was in another one leaves that.
    pub(crate) fn start(&mut self, now: UnixMs, id: CallId, broadcast: BroadcastId, who: Caller) -> Result<(), CallRefusal> {
        if self.calls.len() >= CALLS_MAX {
            return Err(CallRefusal::CallsFull);
        }
        let session = who.session;
        self.leave(now, session, CallOver::Left);
        self.calls.insert(id, Call::begin(now, id, broadcast, who));
        self.sessions.insert(session, id);
        self.settle(now, id);
        Ok(())
    }

    /// Comes into a call beside the broadcast that the session has joined. `hidden`: whom this person has blocked, and who has blocked them.
    pub(crate) fn join(
        &mut self,
        now: UnixMs,
        (id, broadcast): (CallId, BroadcastId),
        who: Caller,
        invitation: Option<&str>,
        hidden: &BTreeSet<UserId>,
    ) -> Result<(), CallRefusal> {
        let call = self.calls.get(&id).ok_or(CallRefusal::NoCall)?;
        if call.broadcast != broadcast {
            return Err(CallRefusal::OtherBroadcast);
        }
        call.admit(now, who.user, invitation)?;
        if call.has_any(hidden) {
            return Err(CallRefusal::Blocked);
        }
        let session = who.session;
        if self.sessions.get(&session) == Some(&id) {
            // It is in already: a request that was sent again.
            return Ok(());
        }
        self.leave(now, session, CallOver::Left);
        if let Some(call) = self.calls.get_mut(&id) {
            call.enter(now, who);
            self.sessions.insert(session, id);
        }
        self.settle(now, id);
        Ok(())
    }

    /// A session leaves its call; nothing happens where it is in none.
    pub(crate) fn leave(&mut self, now: UnixMs, session: SessionId, reason: CallOver) {
        self.with_member(now, session, |call, member| call.put_out(now, member, reason));
    }

    /// Two people must not be in one call any more.
    pub(crate) fn part(&mut self, now: UnixMs, user: UserId, hidden: &BTreeSet<UserId>) {
        let together = self.calls.iter().filter(|(_, call)| call.people().any(|(_, other, _)| other == user));
        let ids: Vec<CallId> = together.map(|(id, _)| *id).collect();
        for id in ids {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            let others: Vec<UserId> = call.people().map(|(_, other, _)| other).filter(|other| hidden.contains(other)).collect();
            for other in others {
                if let Some(member) = call.who_goes(user, other) {
                    call.put_out(now, member, CallOver::Blocked);
                }
            }
            self.settle(now, id);
        }
    }

    /// Whether somebody is in a call of this node.
    pub(crate) fn has_person(&self, user: UserId) -> bool {
        self.calls.values().any(|call| call.people().any(|(_, other, _)| other == user))
    }

    pub(crate) fn decline(&mut self, now: UnixMs, id: CallId, user: UserId) -> Result<(), CallRefusal> {
        self.calls.get_mut(&id).ok_or(CallRefusal::NoCall)?.decline(user);
        self.settle(now, id);
        Ok(())
    }

    pub(crate) fn ring(&mut self, now: UnixMs, session: SessionId, callees: Vec<Callee>) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.ring(now, member, callees))
    }

    pub(crate) fn invite(&mut self, now: UnixMs, session: SessionId, secret: String) -> Result<UnixMs, CallRefusal> {
        self.act(now, session, |call, _| call.invite(now, secret))
    }

    /// `shows`: microphone, camera, screen.
    pub(crate) fn present(&mut self, now: UnixMs, session: SessionId, shows: [bool; 3]) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.present(now, member, shows))
    }

    pub(crate) fn remove(&mut self, now: UnixMs, session: SessionId, other: MemberId) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.remove(now, member, other))
    }

    pub(crate) fn mute(&mut self, now: UnixMs, session: SessionId, other: MemberId) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.mute(member, other))
    }

    pub(crate) fn say(&mut self, now: UnixMs, session: SessionId, nonce: u64, text: &str) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.say(now, member, nonce, text))
    }

    pub(crate) fn react(&mut self, now: UnixMs, session: SessionId, to: Option<MemberId>, kind: ReactionKind) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.react(now, member, to, kind))
    }

    pub(crate) fn set_in_step(&mut self, now: UnixMs, session: SessionId, in_step: bool) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.set_in_step(now, member, in_step))
    }

    pub(crate) fn play(&mut self, now: UnixMs, session: SessionId, play: CallPlay) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.play(now, member, play))
    }

    pub(crate) fn pin(&mut self, now: UnixMs, session: SessionId, pinned: Option<MemberId>) -> Result<(), CallRefusal> {
        self.act(now, session, |call, member| call.pin(now, member, pinned))
    }

    pub(crate) fn report_pace(&mut self, now: UnixMs, session: SessionId, pace: Pace) {
        self.with_member(now, session, |call, member| call.report_pace(now, member, pace));
    }

    // ---- Connections and media ----

    /// A session has a connection, or has none just now.
    pub(crate) fn set_connected(&mut self, now: UnixMs, session: SessionId, is_connected: bool) {
        self.with_member(now, session, |call, member| call.set_connected(now, member, is_connected));
    }

    /// A session has another media peer, or none any more.
    pub(crate) fn set_peer(&mut self, now: UnixMs, session: SessionId, is_there: bool) {
        self.with_member(now, session, |call, member| call.set_peer(now, member, is_there));
    }

    /// The peer has so many free m-lines for sound and for pictures, and is a source or not.
    pub(crate) fn set_lines(&mut self, now: UnixMs, session: SessionId, lines: (usize, usize), source: Option<SourceId>) {
        self.with_member(now, session, |call, member| call.set_lines(member, lines, source));
    }

    pub(crate) fn set_link(&mut self, now: UnixMs, session: SessionId, link: LinkWord, is_silent: bool) {
        self.with_member(now, session, |call, member| call.set_link(now, member, link, is_silent));
    }

    pub(crate) fn set_speaking(&mut self, now: UnixMs, session: SessionId, speaking: bool, level_dbov: u8) {
        self.with_member(now, session, |call, member| call.set_speaking(now, member, speaking, level_dbov));
    }

    // ---- Looking ----

    pub(crate) fn is_member(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Whether the node holds this call.
    pub(crate) fn holds(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    /// The call of a session, whole, and who the session is in it.
    pub(crate) fn view(&self, session: SessionId) -> Option<(MemberId, CallView)> {
        let call = self.calls.get(self.sessions.get(&session)?)?;
        Some((call.member_of(session)?, call.to_whole_view()))
    }

    /// Who is on which m-line of a session's peer.
    pub(crate) fn slots_of(&self, session: SessionId) -> Vec<(Line, MemberId)> {
        let call = self.sessions.get(&session).and_then(|id| self.calls.get(id));
        call.and_then(|call| Some(call.slots_of(call.member_of(session)?))).unwrap_or_default()
    }

    /// Sessions that are in calls.
    pub(crate) fn members(&self) -> Vec<SessionId> {
        self.sessions.keys().copied().collect()
    }

    /// Calls, and people in them.
    pub(crate) fn census(&self) -> (usize, usize) {
        (self.calls.len(), self.sessions.len())
    }

    // ---- Time and effects ----

    pub(crate) fn handle_timeout(&mut self, now: UnixMs) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, id));
            self.deadlines.remove(&id);
            if let Some(call) = self.calls.get_mut(&id) {
                call.handle_timeout(now);
                self.settle(now, id);
            }
        }
    }

    pub(crate) fn wake_at(&self) -> Option<UnixMs> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub(crate) fn poll_effects(&mut self) -> Vec<CallEffect> {
        std::mem::take(&mut self.effects)
    }

    /// The node goes: everybody is told.
    pub(crate) fn close(&mut self, now: UnixMs) {
        for session in self.members() {
            self.leave(now, session, CallOver::ShuttingDown);
        }
    }

    fn act<T>(
        &mut self,
        now: UnixMs,
        session: SessionId,
        act: impl FnOnce(&mut Call, MemberId) -> Result<T, CallRefusal>,
    ) -> Result<T, CallRefusal> {
        self.with_member(now, session, act).unwrap_or(Err(CallRefusal::NotInCall))
    }

    fn with_member<T>(&mut self, now: UnixMs, session: SessionId, act: impl FnOnce(&mut Call, MemberId) -> T) -> Option<T> {
        let id = *self.sessions.get(&session)?;
        let call = self.calls.get_mut(&id)?;
        let result = act(call, call.member_of(session)?);
        self.settle(now, id);
        Some(result)
    }

    fn settle(&mut self, now: UnixMs, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let effects = call.poll_effects(now);
        for effect in &effects {
            if let CallEffect::Left { session } = effect
                && self.sessions.get(session) == Some(&id)
            {
                self.sessions.remove(session);
            }
        }
        self.effects.extend(effects);
        let wake_at = if call.is_over() { None } else { call.wake_at() };
        if call.is_over() {
            self.calls.remove(&id);
        }
        let armed = self.deadlines.get(&id).copied();
        if armed != wake_at {
            if let Some(at) = armed {
                self.timers.remove(&(at, id));
            }
            match wake_at {
                Some(at) => {
                    self.timers.insert((at, id));
                    self.deadlines.insert(id, at);
                }
                None => drop(self.deadlines.remove(&id)),
            }
        }
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
