//! One call: who is in it, what each shows and hears, and what they do together. Pure.
//!
//! ```text
//! door (who may come in) ──▶ members ──▶ seating (who fills whose m-lines)
//!                              │  └────▶ pacing (the same moment)
//!                              └───────▶ lane (its chat)
//! ```
//! Invariants: members are in the order in which they came; one person is in it once; the host is one of them; nobody is seated on their own m-lines.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::door::Door;
use super::effect::{CallEffect, CallNews};
use super::lane::{Lane, Saying};
use super::member::{Member, PeerPlace, Voice};
use super::pacing::Pacing;
use super::refusal::CallRefusal;
use super::seating::{Line, Seat, Seating};
use super::{CallOver, CallPlay, CallView, Callee, Caller, LinkWord, MemberId, Pace, Ring, RingOver};
use crate::ids::{BroadcastId, CallId, SessionId, SourceId, UserId};
use crate::limits::{
    CALL_LOST_AFTER, CALL_MEMBERS_MAX, CALL_NOTICE_AFTER, CALL_VIDEO_MAX, CALL_VIEW_INTERVAL, EXACT_INTEGER_MAX, MEDIA_TIME_FUTURE_MAX_MS,
    MEDIA_TIME_PAST_MAX_MS,
};
use crate::social::clock::UnixMs;
use crate::social::reactions::ReactionKind;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Call {
    id: CallId,
    pub(super) broadcast: BroadcastId,
    started_at: UnixMs,
    host: MemberId,
    members: Vec<Member>,
    last_member: u32,
    door: Door,
    lane: Lane,
    pacing: Pacing,
    play: CallPlay,
    speeches: u64,
    /// Somebody may have to be seated otherwise.
    is_unseated: bool,
    /// Its members have not been told of it as it is now.
    is_untold: bool,
    told_at: UnixMs,
    effects: Vec<CallEffect>,
}

impl Call {
    pub(super) fn begin(now: UnixMs, id: CallId, broadcast: BroadcastId, who: Caller) -> Self {
        let mut call = Self {
            id,
            broadcast,
            started_at: now,
            host: MemberId(1),
            members: Vec::new(),
            last_member: 0,
            door: Door::new(now),
            lane: Lane::default(),
            pacing: Pacing::default(),
            play: CallPlay::Live,
            speeches: 0,
            is_unseated: false,
            is_untold: false,
            told_at: UnixMs(0),
            effects: Vec::new(),
        };
        call.seat_newcomer(now, who);
        call
    }

    // ---- Coming and going ----

    /// Whether somebody may come in.
    pub(super) fn admit(&self, now: UnixMs, user: UserId, invitation: Option<&str>) -> Result<(), CallRefusal> {
        if self.members.iter().any(|member| member.who.user == user) {
            return Ok(());
        }
        self.door.admit(now, user, invitation)?;
        if self.members.len() >= CALL_MEMBERS_MAX { Err(CallRefusal::Full) } else { Ok(()) }
    }

    /// Somebody comes in whom [`Self::admit`] let. Their older membership ends, and its session's.
    pub(super) fn enter(&mut self, now: UnixMs, who: Caller) {
        let older = self.members.iter().find(|member| member.who.user == who.user).map(|member| member.id);
        let was_host = older == Some(self.host);
        let user = who.user;
        let id = self.seat_newcomer(now, who);
        if was_host {
            self.host = id;
        }
        if let Some(older) = older {
            self.put_out(now, older, CallOver::Elsewhere);
        }
        if self.door.entered(user) {
            self.effects.push(CallEffect::RingOver { user, call: self.id, reason: RingOver::Answered });
        }
    }

    fn seat_newcomer(&mut self, now: UnixMs, who: Caller) -> MemberId {
        self.last_member += 1;
        let id = MemberId(self.last_member);
        self.effects.push(CallEffect::Entered { session: who.session });
        self.members.push(Member::new(now, id, who));
        self.is_untold = true;
        id
    }

    /// A membership ends.
    pub(super) fn put_out(&mut self, now: UnixMs, id: MemberId, reason: CallOver) {
        let Some(at) = self.members.iter().position(|member| member.id == id) else { return };
        self.quieten(id);
        let mut gone = self.members.remove(at);
        let session = gone.who.session;
        match reason {
            CallOver::Removed => self.door.bar(gone.who.user),
            // Those who put them out have no say in whether they come back: the store is asked again.
            CallOver::Left | CallOver::Lost | CallOver::Blocked => self.door.left(now, gone.who.user),
            CallOver::Elsewhere | CallOver::ShuttingDown => {}
        }
        self.effects.push(CallEffect::Tell { session, news: CallNews::Over { call: self.id, reason } });
        let changes = gone.seating.seat(&[], &[]);
        self.effects.push(CallEffect::Seats { session, changes, slots: Vec::new() });
        if let Some(source) = gone.source.filter(|_| gone.silenced) {
            self.effects.push(CallEffect::Silence { source, silenced: false });
        }
        self.effects.push(CallEffect::Left { session });
        for member in self.members.iter_mut().filter(|member| member.pinned == Some(id)) {
            member.pinned = None;
        }
        if self.host == id
            && let Some(oldest) = self.members.first()
        {
            self.host = oldest.id;
        }
        (self.is_unseated, self.is_untold) = (true, true);
        self.look_at_paces(now);
        if self.members.is_empty() {
            for user in self.door.close() {
                self.effects.push(CallEffect::RingOver { user, call: self.id, reason: RingOver::Missed });
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn member_of(&self, session: SessionId) -> Option<MemberId> {
        self.members.iter().find(|member| member.who.session == session).map(|member| member.id)
    }

    pub(super) fn people(&self) -> impl Iterator<Item = (MemberId, UserId, SessionId)> {
        self.members.iter().map(|member| (member.id, member.who.user, member.who.session))
    }

    /// Of two who must not meet, the one who goes: not the host, else the later one.
    pub(super) fn who_goes(&self, one: UserId, other: UserId) -> Option<MemberId> {
        let find = |user: UserId| self.members.iter().find(|member| member.who.user == user).map(|member| member.id);
        let (one, other) = (find(one)?, find(other)?);
        Some(if one == self.host {
            other
        } else if other == self.host {
            one
        } else {
            one.max(other)
        })
    }

    // ---- Asking people in ----

    pub(super) fn ring(&mut self, now: UnixMs, by: MemberId, callees: Vec<Callee>) -> Result<(), CallRefusal> {
        let is_host = by == self.host;
        for Callee { user, name, from } in callees {
            if self.members.iter().any(|member| member.who.user == user) {
                continue;
            }
            if let Some(expires_at) = self.door.ring(now, user, name, is_host)? {
                let ring = Ring { call: self.id, broadcast: self.broadcast, from, expires_at_ms: expires_at.0 };
                self.effects.push(CallEffect::Ring { user, ring });
                self.is_untold = true;
            }
        }
        Ok(())
    }

    pub(super) fn decline(&mut self, user: UserId) {
        if self.door.decline(user) {
            self.effects.push(CallEffect::RingOver { user, call: self.id, reason: RingOver::Declined });
            self.is_untold = true;
        }
    }

    pub(super) fn invite(&mut self, now: UnixMs, secret: String) -> Result<UnixMs, CallRefusal> {
        self.door.invite(now, secret)
    }

    // ---- What members do ----

    fn member(&mut self, id: MemberId) -> Result<&mut Member, CallRefusal> {
        self.members.iter_mut().find(|member| member.id == id).ok_or(CallRefusal::NoMember)
    }

    fn demand_host(&self, by: MemberId) -> Result<(), CallRefusal> {
        if by == self.host { Ok(()) } else { Err(CallRefusal::NotHost) }
    }

    pub(super) fn present(&mut self, now: UnixMs, id: MemberId, [microphone, camera, screen]: [bool; 3]) -> Result<(), CallRefusal> {
        let others = self.members.iter().filter(|member| member.id != id && member.has_picture()).count();
        let member = self.member(id)?;
        member.acts.take(now)?;
        let is_full = (camera || screen) && !member.has_picture() && others >= CALL_VIDEO_MAX;
        let is_unmuted = member.silenced && microphone;
        // Who finds no room for a picture is heard all the same.
        (member.microphone, member.camera, member.screen) = (microphone, camera && !is_full, screen && !is_full);
        if is_unmuted {
            member.silenced = false;
            if let Some(source) = member.source {
                self.effects.push(CallEffect::Silence { source, silenced: false });
            }
        }
        if !microphone {
            self.quieten(id);
        }
        (self.is_unseated, self.is_untold) = (true, true);
        if is_full { Err(CallRefusal::VideoFull) } else { Ok(()) }
    }

    pub(super) fn remove(&mut self, now: UnixMs, by: MemberId, id: MemberId) -> Result<(), CallRefusal> {
        self.demand_host(by)?;
        self.member(id)?;
        if id == by {
            return Err(CallRefusal::InvalidValue { field: "member", rule: "somebody else" });
        }
        self.put_out(now, id, CallOver::Removed);
        Ok(())
    }

    pub(super) fn mute(&mut self, by: MemberId, id: MemberId) -> Result<(), CallRefusal> {
        self.demand_host(by)?;
        let member = self.member(id)?;
        (member.silenced, member.microphone) = (true, false);
        if let Some(source) = member.source {
            self.effects.push(CallEffect::Silence { source, silenced: true });
        }
        self.quieten(id);
        (self.is_unseated, self.is_untold) = (true, true);
        Ok(())
    }

    pub(super) fn say(&mut self, now: UnixMs, id: MemberId, nonce: u64, text: &str) -> Result<(), CallRefusal> {
        if nonce > EXACT_INTEGER_MAX {
            return Err(CallRefusal::InvalidValue { field: "nonce", rule: "at most 2^53" });
        }
        let member = self.member(id)?;
        let (user, name) = (member.who.user, member.who.name.clone());
        if self.lane.has(user, nonce) {
            return Ok(());
        }
        self.member(id)?.acts.take(now)?;
        let line = self.lane.say(now, Saying { member: id, user, name: &name, nonce, text })?;
        self.tell_all(&CallNews::Said(line));
        Ok(())
    }

    pub(super) fn react(&mut self, now: UnixMs, by: MemberId, to: Option<MemberId>, kind: ReactionKind) -> Result<(), CallRefusal> {
        let to = self.member(to.unwrap_or(by))?.id;
        self.member(by)?.acts.take(now)?;
        self.tell_all(&CallNews::Reacted { by, to, kind });
        Ok(())
    }

    pub(super) fn set_in_step(&mut self, now: UnixMs, id: MemberId, in_step: bool) -> Result<(), CallRefusal> {
        let member = self.member(id)?;
        member.acts.take(now)?;
        member.in_step = in_step;
        self.is_untold = true;
        self.look_at_paces(now);
        Ok(())
    }

    pub(super) fn play(&mut self, now: UnixMs, by: MemberId, play: CallPlay) -> Result<(), CallRefusal> {
        let is_sane = match play {
            CallPlay::Live => true,
            CallPlay::Behind { behind_ms } => (0.0..=MEDIA_TIME_PAST_MAX_MS).contains(&behind_ms),
            CallPlay::Paused { media_time_ms } => {
                let clock = now.0 as f64;
                (clock - MEDIA_TIME_PAST_MAX_MS..=clock + MEDIA_TIME_FUTURE_MAX_MS).contains(&media_time_ms)
            }
        };
        if !is_sane {
            return Err(CallRefusal::InvalidValue { field: "play", rule: "within the last day" });
        }
        let member = self.member(by)?;
        if !member.in_step {
            return Err(CallRefusal::NotInStep);
        }
        member.acts.take(now)?;
        self.play = play;
        self.tell_all(&CallNews::Played { by, play });
        Ok(())
    }

    pub(super) fn pin(&mut self, now: UnixMs, id: MemberId, pinned: Option<MemberId>) -> Result<(), CallRefusal> {
        if let Some(pinned) = pinned {
            self.member(pinned)?;
        }
        let member = self.member(id)?;
        member.acts.take(now)?;
        member.pinned = pinned;
        self.is_unseated = true;
        Ok(())
    }

    // ---- The same moment ----

    pub(super) fn report_pace(&mut self, now: UnixMs, id: MemberId, pace: Pace) {
        if let Ok(member) = self.member(id) {
            member.pace = Some((now, pace));
            self.look_at_paces(now);
        }
    }

    fn look_at_paces(&mut self, now: UnixMs) {
        let in_step = self.members.iter().filter(|member| member.in_step && member.is_here());
        let reports = in_step.filter_map(|member| member.pace).map(|(at, pace)| (at, pace.least_ms));
        self.pacing.handle_reports(now, reports);
    }

    // ---- Connections and media ----

    pub(super) fn set_connected(&mut self, now: UnixMs, id: MemberId, is_connected: bool) {
        if let Ok(member) = self.member(id) {
            member.is_connected = is_connected;
            self.look_for(now, id);
        }
    }

    /// A member has another peer, on which nobody is seated yet; or none any more.
    pub(super) fn set_peer(&mut self, now: UnixMs, id: MemberId, is_there: bool) {
        let Ok(member) = self.member(id) else { return };
        member.peer = if is_there { PeerPlace::There } else { PeerPlace::Gone };
        (member.source, member.is_silent) = (None, false);
        member.seating = Seating::default();
        self.quieten(id);
        self.is_unseated = true;
        self.look_for(now, id);
    }

    /// The peer has so many free m-lines, and is (or is not) a source. What it was sent is told anew.
    pub(super) fn set_lines(&mut self, id: MemberId, (sound, picture): (usize, usize), source: Option<SourceId>) {
        let Ok(member) = self.member(id) else { return };
        member.seating.resize(sound, picture);
        if member.source != source {
            member.source = source;
            if let Some(source) = source.filter(|_| member.silenced) {
                self.effects.push(CallEffect::Silence { source, silenced: true });
            }
        }
        self.is_unseated = true;
    }

    fn look_for(&mut self, now: UnixMs, id: MemberId) {
        let Ok(member) = self.member(id) else { return };
        member.away_since = if member.is_here() { None } else { Some(member.away_since.unwrap_or(now)) };
        self.is_untold = true;
        self.look_at_paces(now);
    }

    pub(super) fn set_link(&mut self, now: UnixMs, id: MemberId, link: LinkWord, is_silent: bool) {
        let Ok(member) = self.member(id) else { return };
        if (member.link, member.is_silent) == (link, is_silent) {
            return;
        }
        member.link = link;
        if std::mem::replace(&mut member.is_silent, is_silent) != is_silent {
            self.look_for(now, id);
        }
        self.is_untold = true;
    }

    pub(super) fn set_speaking(&mut self, now: UnixMs, id: MemberId, speaking: bool, level_dbov: u8) {
        let Ok(member) = self.member(id) else { return };
        if member.voice.speaks_since.is_some() == speaking || (speaking && !member.microphone) {
            return;
        }
        member.voice.speaks_since = speaking.then_some(now);
        member.voice.is_noticed = false;
        if speaking {
            self.speeches += 1;
            let began = self.speeches;
            if let Ok(member) = self.member(id) {
                member.voice.began = began;
            }
        }
        self.is_unseated = true;
        self.tell_all(&CallNews::Speaking { member: id, speaking, level_dbov });
    }

    /// Whoever cannot be heard any more does not speak either.
    fn quieten(&mut self, id: MemberId) {
        const SILENCE: u8 = 127;
        let was_speaking = self.member(id).is_ok_and(|member| std::mem::take(&mut member.voice.speaks_since).is_some());
        if was_speaking {
            self.is_unseated = true;
            self.tell_all(&CallNews::Speaking { member: id, speaking: false, level_dbov: SILENCE });
        }
    }

    // ---- Time and effects ----

    pub(super) fn handle_timeout(&mut self, now: UnixMs) {
        for user in self.door.take_missed(now) {
            self.effects.push(CallEffect::RingOver { user, call: self.id, reason: RingOver::Missed });
            self.is_untold = true;
        }
        let is_lost = |member: &&Member| member.away_since.is_some_and(|since| since.after(CALL_LOST_AFTER) <= now);
        let lost: Vec<MemberId> = self.members.iter().filter(is_lost).map(|member| member.id).collect();
        for id in lost {
            self.put_out(now, id, CallOver::Lost);
        }
        for voice in self.members.iter_mut().map(|member| &mut member.voice) {
            if !voice.is_noticed && voice.speaks_since.is_some_and(|since| since.after(CALL_NOTICE_AFTER) <= now) {
                (voice.is_noticed, voice.noticed) = (true, voice.began);
                self.is_unseated = true;
            }
        }
    }

    pub(super) fn wake_at(&self) -> Option<UnixMs> {
        let lost = self.members.iter().filter_map(|member| member.away_since).min().map(|since| since.after(CALL_LOST_AFTER));
        let heard = |voice: Voice| voice.speaks_since.filter(|_| !voice.is_noticed);
        let noticed = self.members.iter().filter_map(|member| heard(member.voice)).min().map(|since| since.after(CALL_NOTICE_AFTER));
        let told = self.is_untold.then(|| self.told_at.after(CALL_VIEW_INTERVAL));
        [lost, noticed, told, self.door.wake_at(), self.pacing.wake_at()].into_iter().flatten().min()
    }

    /// What must happen now, in order. To be called after every change.
    pub(super) fn poll_effects(&mut self, now: UnixMs) -> Vec<CallEffect> {
        if std::mem::take(&mut self.is_unseated) {
            self.seat_all();
        }
        if let Some(behind_ms) = self.pacing.take_due(now) {
            self.tell_all(&CallNews::Paced { behind_ms });
        }
        if self.is_untold && self.told_at.after(CALL_VIEW_INTERVAL) <= now {
            (self.is_untold, self.told_at) = (false, now);
            self.tell_all(&CallNews::View(self.to_view()));
        }
        std::mem::take(&mut self.effects)
    }

    fn tell_all(&mut self, news: &CallNews) {
        let sessions = self.members.iter().map(|member| member.who.session);
        self.effects.extend(sessions.map(|session| CallEffect::Tell { session, news: news.clone() }));
    }

    pub(super) fn to_view(&self) -> CallView {
        CallView {
            id: self.id,
            broadcast: self.broadcast,
            started_at_ms: self.started_at.0,
            host: self.host,
            members: self.members.iter().map(Member::to_view).collect(),
            ringing: self.door.ringing(),
            play: self.play,
            pace_ms: self.pacing.held_ms(),
            lines: Vec::new(),
        }
    }

    /// As a newcomer sees it.
    pub(super) fn to_whole_view(&self) -> CallView {
        CallView { lines: self.lane.lines(), ..self.to_view() }
    }

    /// Who is on which m-line of a member's peer.
    pub(super) fn slots_of(&self, id: MemberId) -> Vec<(Line, MemberId)> {
        self.members.iter().find(|member| member.id == id).map(|member| member.seating.slots()).unwrap_or_default()
    }

    fn seat_all(&mut self) {
        let mut ranks = Vec::with_capacity(self.members.len());
        for member in &self.members {
            ranks.push((self.heard_by(member), self.seen_by(member)));
        }
        for (member, (sound, picture)) in self.members.iter_mut().zip(ranks) {
            let changes = member.seating.seat(&sound, &picture);
            if !changes.is_empty() {
                let slots = member.seating.slots();
                self.effects.push(CallEffect::Seats { session: member.who.session, changes, slots });
            }
        }
    }

    /// Those who speak first, then those who spoke last, then those who are heard already, then the order of coming.
    fn heard_by(&self, listener: &Member) -> Vec<Seat> {
        let mut others: Vec<(usize, &Member)> = self.members.iter().enumerate().filter(|(_, other)| other.id != listener.id).collect();
        others.sort_by_key(|(at, other)| {
            let Voice { speaks_since, began, .. } = other.voice;
            (Reverse(speaks_since.is_some()), Reverse(began), !listener.seating.hears(other.id), *at)
        });
        others.into_iter().filter_map(|(_, other)| Some(Seat { member: other.id, source: other.source? })).collect()
    }

    /// Whom this member has pinned, then screens, then as for the sound, but only of speakers who went on for a while.
    fn seen_by(&self, looker: &Member) -> Vec<Seat> {
        let shows = |(_, other): &(usize, &Member)| other.id != looker.id && other.has_picture();
        let mut others: Vec<(usize, &Member)> = self.members.iter().enumerate().filter(shows).collect();
        others.sort_by_key(|(at, other)| {
            let Voice { is_noticed, noticed, speaks_since, .. } = other.voice;
            let speaks = is_noticed && speaks_since.is_some();
            let is_pinned = looker.pinned == Some(other.id);
            (Reverse(is_pinned), Reverse(other.screen), Reverse(speaks), Reverse(noticed), !looker.seating.sees(other.id), *at)
        });
        others.into_iter().filter_map(|(_, other)| Some(Seat { member: other.id, source: other.source? })).collect()
    }

    /// Members whose people are among these.
    pub(super) fn has_any(&self, users: &BTreeSet<UserId>) -> bool {
        self.members.iter().any(|member| users.contains(&member.who.user))
    }
}
