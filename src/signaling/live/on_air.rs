//! Guests on air, of all broadcasts: who raises a hand, who is asked, who is on. Pure.
//!
//! ```text
//! nobody ── invite ──▶ asked ── yes ──▶ on air (seen once their source is there) ── end, or gone for a while ──▶ nobody
//!                        └── no, or too late ──▶ nobody
//! ```
//! Invariants: at most one person of a broadcast is asked or on air; a hand is raised once a session.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::ids::{BroadcastId, SessionId, SourceId, UserId};
use crate::limits::{HANDS_INTERVAL, HANDS_MAX, ON_AIR_INVITED_FOR, ON_AIR_LOST_AFTER};
use crate::signaling::now::Now;
use crate::signaling::protocol::{GuestView, OnAirLayout, RaisedHand, ServerMessage, UserView};
use crate::signaling::refusal::Refusal;

/// What must happen elsewhere, in this order.
#[expect(clippy::large_enum_variant, reason = "values live for one step and are never kept in numbers")]
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StageEffect {
    Tell {
        session: SessionId,
        message: ServerMessage,
    },
    /// Everybody sees this guest from now on, or none.
    Show {
        broadcast: BroadcastId,
        guest: Option<(GuestView, SourceId)>,
    },
    /// A session's peer may publish from now on, or no longer.
    On(SessionId),
    Off(SessionId),
}

#[derive(Debug)]
struct Asked {
    user: UserId,
    sessions: Vec<SessionId>,
    until: Instant,
}

#[derive(Debug)]
struct Guest {
    session: SessionId,
    user: UserId,
    name: String,
    source: Option<SourceId>,
    /// Since when there is no source.
    lost_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Stage {
    /// Sessions that may invite, and are told of hands.
    directors: BTreeSet<SessionId>,
    hands: Vec<(SessionId, RaisedHand)>,
    has_news: bool,
    told_at: Option<Instant>,
    asked: Option<Asked>,
    guest: Option<Guest>,
    layout: OnAirLayout,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct OnAir {
    stages: HashMap<BroadcastId, Stage>,
    guests: HashMap<SessionId, BroadcastId>,
    /// Those where time alone changes something.
    waiting: BTreeSet<BroadcastId>,
    effects: Vec<StageEffect>,
}

impl OnAir {
    /// A session that may publish has joined, or come back.
    pub(super) fn direct(&mut self, broadcast: BroadcastId, session: SessionId) {
        let stage = self.stages.entry(broadcast).or_default();
        stage.directors.insert(session);
        let message = ServerMessage::Hands { hands: stage.hands() };
        self.effects.push(StageEffect::Tell { session, message });
    }

    /// A viewer wants to come on air, or no longer.
    pub(super) fn raise(
        &mut self,
        now: Now,
        broadcast: BroadcastId,
        session: SessionId,
        who: UserView,
        raised: bool,
    ) -> Result<(), Refusal> {
        let stage = self.stages.entry(broadcast).or_default();
        let is_up = stage.hands.iter().any(|(other, _)| *other == session);
        if raised == is_up {
            return Ok(());
        }
        if !raised {
            stage.hands.retain(|(other, _)| *other != session);
        } else if stage.hands.len() >= HANDS_MAX {
            return Err(Refusal::Full("raised hands"));
        } else {
            let UserView { id, name, guest } = who;
            stage.hands.push((session, RaisedHand { user: id, name, guest, raised_at_ms: now.unix_ms as u64 }));
        }
        stage.has_news = true;
        self.settle(now, broadcast);
        Ok(())
    }

    /// Asks somebody, who watches by these sessions.
    pub(super) fn invite(&mut self, now: Now, broadcast: BroadcastId, user: UserId, sessions: Vec<SessionId>) -> Result<(), Refusal> {
        if sessions.is_empty() {
            return Err(Refusal::NotFound("viewer"));
        }
        let stage = self.stages.entry(broadcast).or_default();
        let is_taken = stage.guest.is_some() || stage.asked.as_ref().is_some_and(|asked| asked.user != user);
        if is_taken {
            return Err(Refusal::OnAirTaken);
        }
        let until = now.after(ON_AIR_INVITED_FOR);
        let message = ServerMessage::OnAirInvited { expires_at_ms: until.unix_ms as u64 };
        self.effects.extend(sessions.iter().map(|&session| StageEffect::Tell { session, message: message.clone() }));
        stage.asked = Some(Asked { user, sessions, until: until.instant });
        self.settle(now, broadcast);
        Ok(())
    }

    /// Who was asked says yes or no. `source`: what their peer publishes already, in a call.
    pub(super) fn answer(
        &mut self,
        now: Now,
        broadcast: BroadcastId,
        session: SessionId,
        who: &UserView,
        accept: Option<Option<SourceId>>,
    ) -> Result<(), Refusal> {
        let stage = self.stages.get_mut(&broadcast).ok_or(Refusal::NotAsked)?;
        let asked = stage.asked.take_if(|asked| asked.user == who.id && asked.sessions.contains(&session)).ok_or(Refusal::NotAsked)?;
        // Their other devices ask no longer.
        let others = asked.sessions.into_iter().filter(|other| *other != session);
        self.effects.extend(others.map(|session| StageEffect::Tell { session, message: ServerMessage::OnAirOver { ended: false } }));
        let Some(source) = accept else { return Ok(()) };
        let lost_since = source.is_none().then_some(now.instant);
        stage.guest = Some(Guest { session, user: who.id, name: who.name.clone(), source, lost_since });
        stage.has_news |= stage.lower(session);
        self.guests.insert(session, broadcast);
        self.effects.push(StageEffect::On(session));
        if source.is_some() {
            self.show(broadcast);
        }
        self.settle(now, broadcast);
        Ok(())
    }

    pub(super) fn set_layout(&mut self, broadcast: BroadcastId, layout: OnAirLayout) {
        self.stages.entry(broadcast).or_default().layout = layout;
        if self.stages[&broadcast].guest.as_ref().is_some_and(|guest| guest.source.is_some()) {
            self.show(broadcast);
        }
    }

    /// The broadcaster takes the guest off air, or asks no longer; or the guest goes. `by_director`: who ends it may publish.
    pub(super) fn end(&mut self, now: Now, broadcast: BroadcastId, session: SessionId, who: Ends) -> Result<(), Refusal> {
        let stage = self.stages.get_mut(&broadcast).ok_or(Refusal::NobodyOnAir)?;
        let is_own = stage.guest.as_ref().is_some_and(|guest| guest.session == session);
        match who {
            Ends::Viewer if !is_own => Err(Refusal::NotAsked),
            Ends::Viewer => {
                self.take_off(now, broadcast, Ends::Viewer);
                Ok(())
            }
            Ends::Director if stage.guest.is_none() && stage.asked.is_none() => Err(Refusal::NobodyOnAir),
            Ends::Director => {
                self.take_off(now, broadcast, Ends::Director);
                Ok(())
            }
        }
    }

    /// A guest's peer publishes this now, or nothing.
    pub(super) fn set_source(&mut self, now: Now, session: SessionId, source: Option<SourceId>) {
        let Some(&broadcast) = self.guests.get(&session) else { return };
        let Some(guest) = self.stages.get_mut(&broadcast).and_then(|stage| stage.guest.as_mut()) else { return };
        if guest.source == source {
            return;
        }
        guest.source = source;
        guest.lost_since = source.is_none().then_some(now.instant);
        self.show(broadcast);
        self.settle(now, broadcast);
    }

    /// A session has left its broadcast.
    pub(super) fn leave(&mut self, now: Now, broadcast: BroadcastId, session: SessionId) {
        if self.guests.contains_key(&session) {
            self.take_off(now, broadcast, Ends::Viewer);
        }
        let Some(stage) = self.stages.get_mut(&broadcast) else { return };
        stage.directors.remove(&session);
        stage.has_news |= stage.lower(session);
        if let Some(asked) = &mut stage.asked {
            asked.sessions.retain(|other| *other != session);
        }
        stage.asked.take_if(|asked| asked.sessions.is_empty());
        self.settle(now, broadcast);
    }

    /// Who is seen beside the main picture now.
    pub(super) fn shown(&self, broadcast: BroadcastId) -> Option<(SourceId, OnAirLayout)> {
        let stage = self.stages.get(&broadcast)?;
        Some((stage.guest.as_ref()?.source?, stage.layout))
    }

    pub(super) fn is_guest(&self, session: SessionId) -> bool {
        self.guests.contains_key(&session)
    }

    /// A broadcast is forgotten or has ended.
    pub(super) fn close(&mut self, now: Now, broadcast: BroadcastId) {
        if self.stages.contains_key(&broadcast) {
            self.take_off(now, broadcast, Ends::Director);
            if let Some(stage) = self.stages.get_mut(&broadcast) {
                stage.hands.clear();
                stage.has_news = true;
            }
            self.settle(now, broadcast);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        let is_due = |stage: &Stage| stage.wake_at().is_some_and(|at| at <= now.instant);
        let due: Vec<BroadcastId> = self.waiting.iter().filter(|id| self.stages.get(id).is_some_and(is_due)).copied().collect();
        for id in due {
            let Some(stage) = self.stages.get_mut(&id) else { continue };
            let is_too_late = stage.asked.as_ref().is_some_and(|asked| asked.until <= now.instant);
            let is_lost = stage.guest.as_ref().and_then(Guest::lost_at).is_some_and(|at| at <= now.instant);
            if is_too_late || is_lost {
                self.take_off(now, id, Ends::Viewer);
            }
            self.settle(now, id);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|id| self.stages.get(id)?.wake_at()).min()
    }

    pub(super) fn poll_effects(&mut self) -> Vec<StageEffect> {
        std::mem::take(&mut self.effects)
    }

    fn take_off(&mut self, now: Now, broadcast: BroadcastId, who: Ends) {
        let Some(stage) = self.stages.get_mut(&broadcast) else { return };
        let message = ServerMessage::OnAirOver { ended: who == Ends::Director };
        for session in stage.asked.take().into_iter().flat_map(|asked| asked.sessions) {
            self.effects.push(StageEffect::Tell { session, message: message.clone() });
        }
        if let Some(Guest { session, source, .. }) = stage.guest.take() {
            self.guests.remove(&session);
            if source.is_some() {
                self.effects.push(StageEffect::Show { broadcast, guest: None });
            }
            self.effects.extend([StageEffect::Tell { session, message }, StageEffect::Off(session)]);
        }
        self.settle(now, broadcast);
    }

    fn show(&mut self, broadcast: BroadcastId) {
        let Some(Stage { guest: Some(guest), layout, .. }) = self.stages.get(&broadcast) else { return };
        let view = GuestView { user: guest.user, name: guest.name.clone(), layout: *layout };
        let shown = guest.source.map(|source| (view, source));
        // Nothing was shown before the first source.
        self.effects.push(StageEffect::Show { broadcast, guest: shown });
    }

    /// Tells directors of hands where that is due, and forgets a stage with nobody on it.
    fn settle(&mut self, now: Now, broadcast: BroadcastId) {
        let Some(stage) = self.stages.get_mut(&broadcast) else { return };
        if stage.has_news && stage.told_at.is_none_or(|at| at + HANDS_INTERVAL <= now.instant) {
            (stage.has_news, stage.told_at) = (false, Some(now.instant));
            let message = ServerMessage::Hands { hands: stage.hands() };
            self.effects.extend(stage.directors.iter().map(|&session| StageEffect::Tell { session, message: message.clone() }));
        }
        let is_empty = stage.directors.is_empty() && stage.hands.is_empty() && stage.asked.is_none() && stage.guest.is_none();
        if stage.wake_at().is_some() {
            self.waiting.insert(broadcast);
        } else {
            self.waiting.remove(&broadcast);
        }
        if is_empty {
            self.stages.remove(&broadcast);
            self.waiting.remove(&broadcast);
        }
    }
}

/// Who ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Director,
    Viewer,
}

impl Guest {
    fn lost_at(&self) -> Option<Instant> {
        self.lost_since.map(|since| since + ON_AIR_LOST_AFTER)
    }
}

impl Stage {
    fn hands(&self) -> Vec<RaisedHand> {
        self.hands.iter().map(|(_, hand)| hand.clone()).collect()
    }

    /// Whether a hand was up.
    fn lower(&mut self, session: SessionId) -> bool {
        let before = self.hands.len();
        self.hands.retain(|(other, _)| *other != session);
        self.hands.len() != before
    }

    fn wake_at(&self) -> Option<Instant> {
        let told = self.told_at.filter(|_| self.has_news).map(|at| at + HANDS_INTERVAL);
        let asked = self.asked.as_ref().map(|asked| asked.until);
        [told, asked, self.guest.as_ref().and_then(Guest::lost_at)].into_iter().flatten().min()
    }
}

#[cfg(test)]
#[path = "on_air_tests.rs"]
mod tests;
