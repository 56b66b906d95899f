//! Friends' calls as sessions ask for them: what the store must say first, and how the effects of [`Calls`] reach sessions, people and the media
//! plane.
//!
//! Invariant: a session's peer publishes (a source is drawn for it) exactly while the session is in a call or on air; the effects of one change are
//! carried out in the section of the lock that made it.
//!
//! [`Calls`]: crate::social::call::calls::Calls

use std::collections::BTreeSet;

use metrics::{counter, gauge};
use rand::Rng;

use super::lines::Newness;
use super::{Chore, Live, State, Told};
use crate::accounts::{AccountRefusal, Claims};
use crate::ids::{BroadcastId, CallId, PeerId, SessionId, SourceId, UserId};
use crate::limits::{
    BLOCKERS_HIDDEN_MAX, CALL_LINK_INTERVAL, CALL_LINK_POOR, CALL_LINK_WEAK, CALL_RING_MAX, CALL_SILENT_AFTER, TIES_RETRY_INTERVAL,
};
use crate::sfu::handle::{PeerAnswer, PeerStats};
use crate::signaling::now::Now;
use crate::signaling::protocol::{CallAsk, CallView, LinkWord, MemberId, Pace, Person, RingOver, ServerMessage, Slot, Watching};
use crate::signaling::refusal::Refusal;
use crate::social::call::effect::{CallEffect, CallNews};
use crate::social::call::{CallRefusal, Callee, Caller, Ring};
use crate::social::people::{Note, PeopleWord};
use crate::store::Relation;
use crate::telemetry::{CALL_MEMBERS, CALL_REFUSALS, CALL_RINGS, CALLS};

/// What became of a request about calls.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallDone {
    Entered { member: MemberId, call: CallView },
    Link { invitation: String, expires_at_ms: u64 },
    Done,
}

impl Live {
    /// Does what a session asks about calls. `broadcast`: the one that it has joined.
    pub(crate) async fn ask_call(
        &self,
        session: SessionId,
        who: &Claims,
        broadcast: Option<BroadcastId>,
        ask: CallAsk,
    ) -> Result<CallDone, Refusal> {
        let done = self.ask_call_now(session, who, broadcast, ask).await;
        if let Err(Refusal::Call(refusal)) = &done {
            counter!(CALL_REFUSALS, "reason" => refusal.word()).increment(1);
        }
        done
    }

    async fn ask_call_now(
        &self,
        session: SessionId,
        who: &Claims,
        broadcast: Option<BroadcastId>,
        ask: CallAsk,
    ) -> Result<CallDone, Refusal> {
        let caller = Caller { session, user: who.sub, name: who.name.clone(), guest: who.guest };
        let done = match ask {
            CallAsk::Start { ring } => {
                let broadcast = broadcast.ok_or(Refusal::NotJoined)?;
                self.decide(|now, state| state.calls.take_rings(now.unix(), who.sub, ring.len()))?;
                let callees = self.callees(who, ring).await?;
                let id = CallId::random(&mut rand::rng());
                return self.enter(session, move |now, state| {
                    state.calls.start(now.unix(), id, broadcast, caller)?;
                    state.calls.ring(now.unix(), session, callees)
                });
            }
            CallAsk::Join { call, invitation } => {
                let broadcast = broadcast.ok_or(Refusal::NotJoined)?;
                return self.join_call(caller, (call, broadcast), invitation.as_deref()).await;
            }
            CallAsk::Decline { call } => {
                // Wherever the call is held, it is heard; and so do this person's other devices.
                let is_here = self.decide(|now, state| state.calls.decline(now.unix(), call, who.sub)).is_ok();
                if !is_here {
                    self.social().tell(who.sub, Note::CallRingOver { call, reason: RingOver::Declined });
                }
                Ok(())
            }
            CallAsk::Ring { users } => {
                self.decide(|now, state| state.calls.take_rings(now.unix(), who.sub, users.len()))?;
                let callees = self.callees(who, users).await?;
                self.decide(|now, state| state.calls.ring(now.unix(), session, callees))
            }
            CallAsk::Link => {
                let invitation = format!("{:032x}", rand::rng().random::<u128>());
                let expires_at = self.decide(|now, state| state.calls.invite(now.unix(), session, invitation.clone()))?;
                return Ok(CallDone::Link { invitation, expires_at_ms: expires_at.0 });
            }
            CallAsk::Leave => self.decide(|now, state| match state.calls.is_member(session) {
                true => {
                    state.calls.leave(now.unix(), session, crate::social::call::CallOver::Left);
                    Ok(())
                }
                false => Err(CallRefusal::NotInCall),
            }),
            CallAsk::Present { microphone, camera, screen } => {
                self.decide(|now, state| state.calls.present(now.unix(), session, [microphone, camera, screen]))
            }
            CallAsk::Remove { member } => self.decide(|now, state| state.calls.remove(now.unix(), session, member)),
            CallAsk::Mute { member } => self.decide(|now, state| state.calls.mute(now.unix(), session, member)),
            CallAsk::Say { nonce, text } => self.decide(|now, state| state.calls.say(now.unix(), session, nonce, &text)),
            CallAsk::React { kind, to } => self.decide(|now, state| state.calls.react(now.unix(), session, to, kind)),
            CallAsk::InStep { on } => self.decide(|now, state| state.calls.set_in_step(now.unix(), session, on)),
            CallAsk::Play { play } => self.decide(|now, state| state.calls.play(now.unix(), session, play)),
            CallAsk::Pin { member } => self.decide(|now, state| state.calls.pin(now.unix(), session, member)),
        };
        done?;
        Ok(CallDone::Done)
    }

    /// How far behind a member's picture is.
    pub(crate) fn report_pace(&self, session: SessionId, pace: Pace) {
        self.decide(|now, state| state.calls.report_pace(now.unix(), session, pace));
    }

    fn enter(&self, session: SessionId, enter: impl FnOnce(Now, &mut State) -> Result<(), CallRefusal>) -> Result<CallDone, Refusal> {
        self.refuse_when_closing()?;
        self.decide(|now, state| {
            enter(now, state)?;
            let (member, call) = state.calls.view(session).ok_or(CallRefusal::NoCall)?;
            Ok(CallDone::Entered { member, call })
        })
    }

    async fn join_call(&self, caller: Caller, call: (CallId, BroadcastId), invitation: Option<&str>) -> Result<CallDone, Refusal> {
        let (session, user) = (caller.session, caller.user);
        if !self.with_state(|state| state.calls.holds(call.0)) {
            return Err(CallRefusal::NoCall.into());
        }
        let changes = self.social().changes();
        let hidden = self.hidden_from(user).await?;
        let entered = self.enter(session, |now, state| state.calls.join(now.unix(), call, caller, invitation, &hidden))?;
        if self.social().changes() != changes {
            // A block that came meanwhile was heard before this person was in.
            let hidden = self.hidden_from(user).await?;
            self.decide(|now, state| state.calls.part(now.unix(), user, &hidden));
        }
        Ok(entered)
    }

    async fn hidden_from(&self, user: UserId) -> Result<BTreeSet<UserId>, Refusal> {
        Ok(self.shared.store.ties_of(user, BLOCKERS_HIDDEN_MAX).await?.hidden.into_iter().collect())
    }

    /// Friends who are to be rung, and who rings as each of them sees them.
    async fn callees(&self, who: &Claims, users: Vec<UserId>) -> Result<Vec<Callee>, Refusal> {
        if users.len() > CALL_RING_MAX {
            return Err(CallRefusal::InvalidValue { field: "ring", rule: "at most 20 people" }.into());
        }
        let users: BTreeSet<UserId> = users.into_iter().collect();
        let mut callees = Vec::with_capacity(users.len());
        for user in users {
            if !who.is_account() {
                return Err(AccountRefusal::NoAccount.into());
            }
            let theirs = self.shared.store.see_person(who.sub, user).await?;
            let theirs = theirs.filter(|record| record.relation == Relation::Friend).ok_or(CallRefusal::NotFriends)?;
            let from = self.shared.store.see_person(user, who.sub).await?.ok_or(CallRefusal::NotFriends)?;
            callees.push(Callee { user, name: theirs.name, from: Person::from(from) });
        }
        Ok(callees)
    }

    /// A ring as this person's connections are told of it.
    pub(super) async fn call_ring(&self, who: &Claims, ring: Ring) -> ServerMessage {
        let Ring { call, broadcast, from, expires_at_ms } = ring;
        let here = self.with_state(|state| {
            let found = state.directory.broadcast(broadcast)?;
            let view = found.to_view();
            let may_watch = state.directory.grants_on(found, who).contains(&crate::accounts::Grant::View);
            may_watch.then_some(Watching { broadcast, slug: view.slug, title: view.title })
        });
        let watching = match here {
            Some(watching) => Some(watching),
            None => self.name_watched(broadcast).await,
        };
        ServerMessage::CallRing { call, from, watching, expires_at_ms }
    }

    // ---- Effects ----

    pub(super) fn carry_out_call(&self, now: Now, state: &mut State, effect: CallEffect) {
        match effect {
            CallEffect::Tell { session, news } => state.sessions.tell(session, Told::Message(Box::new(message_of(news)))),
            CallEffect::Ring { user, ring } => {
                counter!(CALL_RINGS, "result" => "rung").increment(1);
                self.social().tell(user, Note::CallRing(ring));
            }
            CallEffect::RingOver { user, call, reason } => {
                let word = match reason {
                    RingOver::Answered => "answered",
                    RingOver::Declined => "declined",
                    RingOver::Missed => "missed",
                };
                counter!(CALL_RINGS, "result" => word).increment(1);
                self.social().tell(user, Note::CallRingOver { call, reason });
            }
            CallEffect::Seats { session, changes, slots } => {
                let Some(peer) = state.lines.peer_of(session) else { return };
                let fills = state.lines.fills(peer, &changes);
                let message = ServerMessage::Slots { peer, slots: state.lines.slots(peer, &slots) };
                self.chore(state, Chore::Fill { peer, fills });
                state.sessions.tell(session, Told::Message(Box::new(message)));
            }
            CallEffect::Silence { source, silenced } => self.chore(state, Chore::Silence { source, silenced }),
            CallEffect::Entered { session } => {
                state.directory.hold(session);
                if let Some(peer) = state.lines.peer_of(session) {
                    state.calls.set_peer(now.unix(), session, true);
                    let (lines, source) = (state.lines.count(peer), state.lines.source(peer));
                    state.calls.set_lines(now.unix(), session, lines, source);
                }
                count(state);
            }
            CallEffect::Left { session } => {
                self.let_go(state, session);
                count(state);
            }
        }
    }

    /// A session that is neither in a call nor on air publishes nothing, and is like any other viewer.
    pub(super) fn let_go(&self, state: &mut State, session: SessionId) {
        if state.may_send(session) {
            return;
        }
        state.directory.release(session);
        if let Some(peer) = state.lines.peer_of(session)
            && let Some(source) = state.lines.take_source(peer)
        {
            self.chore(state, Chore::Withdraw(peer, source));
        }
    }

    /// The media plane has answered an offer of a session's viewing peer: what its m-lines carry.
    pub(super) fn viewer_answered(
        &self,
        now: Now,
        state: &mut State,
        session: SessionId,
        answer: &PeerAnswer,
        source: Option<SourceId>,
    ) -> Vec<Slot> {
        let peer = answer.peer;
        let newness = state.lines.answered(session, answer, source);
        if let Some(source) = source.filter(|_| !state.may_send(session)) {
            // It has left meanwhile.
            state.lines.take_source(peer);
            self.chore(state, Chore::Withdraw(peer, source));
        }
        if let Newness::New { before } = newness {
            if let Some(before) = before {
                self.retire(state, before);
            }
            state.calls.set_peer(now.unix(), session, true);
        }
        if state.lines.session_of(peer).is_none() {
            return state.lines.slots(peer, &[]);
        }
        let source = state.lines.source(peer);
        state.calls.set_lines(now.unix(), session, state.lines.count(peer), source);
        state.on_air.set_source(now, session, source);
        state.lines.slots(peer, &state.calls.slots_of(session))
    }

    /// A session has a newer peer: this one carries the call no more.
    fn retire(&self, state: &mut State, peer: PeerId) {
        let fills = state.lines.emptied(peer);
        if !fills.is_empty() {
            self.chore(state, Chore::Fill { peer, fills });
        }
        if let Some(source) = state.lines.take_source(peer) {
            self.chore(state, Chore::Withdraw(peer, source));
        }
    }

    // ---- Tasks ----

    pub(super) async fn handle_people_words(self) {
        // Of whom the store could not be asked yet.
        let mut again = BTreeSet::new();
        loop {
            let retry = (!again.is_empty()).then(|| Now::read().after(TIES_RETRY_INTERVAL).instant);
            let users: Vec<UserId> = tokio::select! {
                word = self.social().next_word() => match word {
                    PeopleWord::TiesChanged(user) => vec![user],
                    PeopleWord::Declined { user, call } => {
                        // Most nodes do not hold the call.
                        self.decide(|now, state| state.calls.decline(now.unix(), call, user).ok());
                        continue;
                    }
                },
                () = super::until(retry) => std::mem::take(&mut again).into_iter().collect(),
                () = self.shared.stopping.cancelled() => return,
            };
            for user in users {
                if !self.with_state(|state| state.calls.has_person(user)) {
                    continue;
                }
                match self.hidden_from(user).await {
                    Ok(hidden) => self.decide(|now, state| state.calls.part(now.unix(), user, &hidden)),
                    Err(error) => {
                        tracing::warn!(%user, %error, "a block is not yet in force in the call that this person is in");
                        again.insert(user);
                    }
                }
            }
        }
    }

    /// How well the connections of members carry, in words.
    pub(super) async fn watch_links(self) {
        let mut ticks = tokio::time::interval(CALL_LINK_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.shared.stopping.cancelled() => return,
            }
            let peers: Vec<(SessionId, PeerId)> = self.with_state(|state| {
                let peer = |session: SessionId| Some((session, state.lines.peer_of(session)?));
                state.calls.members().into_iter().filter_map(peer).collect()
            });
            for (session, peer) in peers {
                // A peer that has just gone is told of by its own event.
                if let Ok(stats) = self.peer_stats(peer).await {
                    self.decide(|now, state| {
                        state.calls.set_link(now.unix(), session, link_word(&stats), stats.silent_for >= CALL_SILENT_AFTER)
                    });
                }
            }
        }
    }
}

impl State {
    /// Whether a session's peer may publish beside what it watches.
    pub(super) fn may_send(&self, session: SessionId) -> bool {
        self.calls.is_member(session) || self.on_air.is_guest(session)
    }

    /// For a new peer of a session.
    pub(super) fn new_source(&self, session: SessionId) -> Option<SourceId> {
        self.may_send(session).then(|| SourceId::random(&mut rand::rng()))
    }

    /// Whose viewing peer it is, and what it is to be a source of from its next offer on.
    pub(super) fn source_of(&self, peer: PeerId) -> Option<(Option<SessionId>, Option<SourceId>)> {
        let session = self.directory.peer(peer).filter(|entry| !entry.is_publisher)?.session?;
        let is_newest = self.lines.session_of(peer).is_some();
        let source = if is_newest { self.lines.source(peer).or_else(|| self.new_source(session)) } else { None };
        Some((Some(session), source))
    }

    pub(super) fn peer_forgotten(&mut self, now: Now, peer: PeerId) {
        if let Some(session) = self.lines.forget(peer) {
            self.calls.set_peer(now.unix(), session, false);
            self.on_air.set_source(now, session, None);
        }
    }

    pub(super) fn handle_speaking(&mut self, now: Now, peer: PeerId, speaking: bool, level_dbov: u8) {
        if let Some(session) = self.lines.session_of(peer) {
            self.calls.set_speaking(now.unix(), session, speaking, level_dbov);
        }
    }

    /// For a client that comes back: its call, whole, and what its m-lines carry.
    pub(super) fn present_call(&self, session: SessionId) -> Vec<ServerMessage> {
        let Some((_, call)) = self.calls.view(session) else { return Vec::new() };
        let slots = self.lines.peer_of(session).map(|peer| {
            let slots = self.lines.slots(peer, &self.calls.slots_of(session));
            ServerMessage::Slots { peer, slots }
        });
        [ServerMessage::Call { call }].into_iter().chain(slots).collect()
    }
}

fn count(state: &State) {
    let (calls, members) = state.calls.census();
    gauge!(CALLS).set(calls as f64);
    gauge!(CALL_MEMBERS).set(members as f64);
}

fn link_word(stats: &PeerStats) -> LinkWord {
    let loss = stats.loss_down.max(stats.loss_up);
    let rtt_ms = stats.rtt_ms.unwrap_or_default();
    let is_beyond = |(most_loss, most_rtt_ms): (f32, f32)| loss >= most_loss || rtt_ms >= most_rtt_ms;
    if is_beyond(CALL_LINK_POOR) {
        LinkWord::Poor
    } else if is_beyond(CALL_LINK_WEAK) {
        LinkWord::Weak
    } else {
        LinkWord::Good
    }
}

fn message_of(news: CallNews) -> ServerMessage {
    match news {
        CallNews::View(call) => ServerMessage::Call { call },
        CallNews::Over { call, reason } => ServerMessage::CallOver { call, reason },
        CallNews::Speaking { member, speaking, level_dbov } => ServerMessage::CallSpeaking { member, speaking, level_dbov },
        CallNews::Said(line) => ServerMessage::CallSaid { line },
        CallNews::Reacted { by, to, kind } => ServerMessage::CallReacted { by, to, kind },
        CallNews::Played { by, play } => ServerMessage::CallPlayed { by, play },
        CallNews::Paced { behind_ms } => ServerMessage::CallPaced { behind_ms },
    }
}
