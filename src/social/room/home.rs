//! The home of one broadcast's chat: gives every message its place, decides who may speak and who sees it, sums reactions and people.
//!
//! ```text
//! InBatch of each node ─▶ handle_batch ─┐
//! roll of the living ─▶ handle_nodes ───┼─▶ poll ─▶ Flush { log, out, deeds … }       the shell appends, then publishes
//! time ────────────────────────────────┘   snapshot ─▶ saved ─▶ "safe" in the next out batch
//! ```
//! Pure. Invariants: ids only rise, within an epoch by number and between homes by epoch; an answer leaves with or after the event that it is
//! about; a batch is applied once, and what was applied since the last snapshot can be applied again by the next home without counting twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::held::{Fate, Held};
use super::sampler::{ALL_COHORTS, Candidate, Sampler, sample};
use super::snapshot::Snapshot;
use super::speakers::{Restraints, Speakers};
use super::transcript::Transcript;
use crate::ids::{NodeId, UserId};
use crate::limits::{
    CHAT_BATCHES_UNSAFE_MAX, CHAT_EDIT_WINDOW, CHAT_EXCERPT_MAX, CHAT_FLUSH_INTERVAL, CHAT_HEARTBEAT, CHAT_HELD_FOR, CHAT_LOG_KEPT,
    CHAT_MENTIONS_MAX, CHAT_NOTE_MAX, CHAT_SAMPLED_FLUSH_INTERVAL, CHAT_SLOW_MAX_S, CHAT_SNAPSHOT_INTERVAL, CHAT_TEXT_MAX,
    CHAT_TIME_OUT_MAX_S, CHAT_WORDS_MAX,
};
use crate::social::bus::LogId;
use crate::social::chat::{
    Answer, Ask, Audience, ChatAuthor, ChatEvent, ChatMessage, ChatRefusal, ChatRole, DeskEvent, FilterRule, HeldEntry, HeldMessage,
    InBatch, Logged, MessageId, OutBatch, Reach, ReplyTo, Reported, Request, Restraint, Ruling, Standing, Verdict,
};
use crate::social::clock::UnixMs;
use crate::social::moderation::{WordList, is_emote_only};
use crate::social::presence::HomePeople;
use crate::social::reactions::Sums;
use crate::store::{ModeratorAction, NamedUser};

/// What the shell does next, in this order: append `log`, publish `out`, and archive `log`, `deeds` and `complaints`.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) log: Vec<Logged>,
    pub(crate) out: OutBatch,
    pub(crate) deeds: Vec<Deed>,
    pub(crate) complaints: Vec<Complaint>,
    /// Of messages that waited, to be counted.
    pub(crate) fates: Vec<Fate>,
}

/// What a moderator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) at: UnixMs,
    pub(crate) by: NamedUser,
    pub(crate) action: ModeratorAction,
    pub(crate) on: Option<NamedUser>,
    /// The text that it was about.
    pub(crate) message: Option<String>,
    pub(crate) seconds: Option<u32>,
    pub(crate) note: Option<String>,
}

/// A message that somebody reports, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Complaint {
    pub(crate) message: ChatMessage,
    pub(crate) report: Reported,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Home {
    epoch: u64,
    seq: u64,
    transcript: Transcript,
    speakers: Speakers,
    restraints: Restraints,
    words: (Vec<String>, WordList),
    held: Held,
    sampler: Sampler,
    sums: Sums,
    /// Who sits in the chat, and who watches the broadcast.
    people: HomePeople,
    watchers: HomePeople,
    applied: BTreeMap<NodeId, u64>,
    /// Batches that came before the one that they follow.
    early: HashMap<NodeId, BTreeMap<u64, InBatch>>,
    /// Covered by the last snapshot that was saved.
    safe: BTreeMap<NodeId, u64>,
    newly_safe: BTreeMap<NodeId, u64>,
    interests: HashMap<NodeId, HashSet<UserId>>,
    recount: Vec<NodeId>,
    /// The last event that nodes were told of.
    told: MessageId,
    /// Events since the last flush; of messages that may be left out, whether it is their author's first.
    pending: Vec<(Logged, Option<bool>)>,
    answers: Vec<(NodeId, u64, Answer)>,
    deeds: Vec<Deed>,
    complaints: Vec<Complaint>,
    /// For moderators.
    desk: Vec<DeskEvent>,
    flushed_at: UnixMs,
    snapshot_at: UnixMs,
    is_unsaved: bool,
    /// The next snapshot is due at once.
    is_urgent: bool,
    /// The last urgent one could not be saved.
    owes_urgent: bool,
}

impl Home {
    /// Takes over with what earlier homes left.
    pub(crate) fn open(now: UnixMs, epoch: u64, kept: Option<Snapshot>, log: &[Logged]) -> Self {
        let Snapshot { applied, restraints, words, modes, pinned, sums, peak, watchers_peak, held, is_urgent: _ } =
            kept.unwrap_or_default();
        let mut transcript = Transcript::new(CHAT_LOG_KEPT);
        transcript.modes = modes;
        transcript.pinned = pinned;
        let mut speakers = Speakers::default();
        for logged in log {
            transcript.apply(logged);
            if let (ChatEvent::Said { message }, Some(nonce)) = (&logged.event, logged.nonce) {
                speakers.remember(message.sent_at_ms, message.sent_at_ms, message.author.id, nonce, message.id);
            }
        }
        Self {
            epoch,
            seq: 0,
            told: transcript.last,
            transcript,
            speakers,
            restraints,
            words: (words.clone(), WordList::new(words.iter().map(String::as_str))),
            held: Held::with(held),
            sampler: Sampler::default(),
            sums,
            people: HomePeople::with_peak(peak),
            watchers: HomePeople::with_peak(watchers_peak),
            safe: applied.clone(),
            newly_safe: applied.clone(),
            applied,
            early: HashMap::new(),
            interests: HashMap::new(),
            recount: Vec::new(),
            pending: Vec::new(),
            answers: Vec::new(),
            deeds: Vec::new(),
            complaints: Vec::new(),
            desk: Vec::new(),
            // The first flush is due at once: it tells the nodes that there is a new home.
            flushed_at: UnixMs::default(),
            snapshot_at: now,
            is_unsaved: false,
            is_urgent: false,
            owes_urgent: false,
        }
    }

    /// Applies a batch once, after those before it: what comes too early waits, what comes twice is nothing.
    pub(crate) fn handle_batch(&mut self, now: UnixMs, batch: InBatch) {
        let (node, number, oldest) = (batch.node, batch.number, batch.oldest);
        if let Some(&safe) = self.safe.get(&node).filter(|safe| **safe >= number) {
            // The node has not heard that.
            self.newly_safe.insert(node, safe);
        }
        let applied = self.applied.get(&node).copied().unwrap_or_default().max(oldest.saturating_sub(1));
        if number <= applied {
            return;
        }
        self.applied.insert(node, applied);
        let early = self.early.entry(node).or_default();
        early.retain(|number, _| *number > applied);
        if early.len() < CHAT_BATCHES_UNSAFE_MAX {
            early.insert(number, batch);
        }
        while let Some(next) = self.next_batch(node) {
            self.apply_batch(now, next);
        }
    }

    fn next_batch(&mut self, node: NodeId) -> Option<InBatch> {
        let next = self.applied.get(&node)? + 1;
        let early = self.early.get_mut(&node)?;
        let batch = early.remove(&next);
        if early.is_empty() {
            self.early.remove(&node);
        }
        batch
    }

    fn apply_batch(&mut self, now: UnixMs, batch: InBatch) {
        let InBatch { node, number, requests, taps, tapped_at_ms, people, watchers, interests, .. } = batch;
        self.applied.insert(node, number);
        self.is_unsaved = true;
        self.sums.apply(&taps, tapped_at_ms);
        let is_lost = people.is_some_and(|report| !self.people.apply(node, &report));
        if watchers.is_some_and(|report| !self.watchers.apply(node, &report)) || is_lost {
            self.recount.push(node);
        }
        if let Some(interests) = interests {
            self.interests.insert(node, interests.into_iter().collect());
        }
        for request in requests {
            let number = request.number;
            let answer = self.answer(now, request);
            self.answers.push((node, number, answer));
        }
    }

    /// Who is alive. Nodes that are not take their people, and what was expected of them, with them.
    pub(crate) fn handle_nodes(&mut self, alive: &[NodeId]) {
        self.people.keep_nodes(alive);
        self.watchers.keep_nodes(alive);
        self.interests.retain(|node, _| alive.contains(node));
        self.early.retain(|node, _| alive.contains(node));
        self.applied.retain(|node, _| alive.contains(node));
        self.safe.retain(|node, _| alive.contains(node));
    }

    fn answer(&mut self, now: UnixMs, request: Request) -> Answer {
        let Request { author, standing, ask, .. } = request;
        match ask {
            Ask::Say { nonce, text, reply_to, mentions, media_time_ms, found } => {
                if let Some(said) = self.speakers.said(now, author.id, nonce) {
                    return Ok(Some(said));
                }
                if let Some(HeldEntry { message, ruled }) = self.held.find(author.id, nonce) {
                    // Asked again by somebody who was away when it was decided.
                    return Err(match ruled {
                        Some((Ruling::Refused | Ruling::Expired, _)) => ChatRefusal::Filtered { rule: message.rule },
                        Some((Ruling::Approved, _)) | None => ChatRefusal::Held,
                    });
                }
                let text = self.admit(now, &author, standing, &text)?;
                if mentions.len() > CHAT_MENTIONS_MAX {
                    return Err(ChatRefusal::TooManyMentions);
                }
                let reply_to = reply_to.map(|id| self.reply_to(id)).transpose()?;
                let is_first = self.speakers.spend(now, &author, self.slow_s(&author))?;
                let id = self.next_id();
                if let Some(rule) = found.or_else(|| self.forbids(&author, &text)) {
                    let until_ms = now.after(CHAT_HELD_FOR);
                    let message =
                        HeldMessage { id, author, text, rule, nonce, held_at_ms: now, until_ms, media_time_ms, reply_to, mentions };
                    let is_held = self.transcript.modes.review && self.held.hold(message);
                    return Err(if is_held { ChatRefusal::Held } else { ChatRefusal::Filtered { rule } });
                }
                self.speakers.remember(now, now, author.id, nonce, id);
                let is_viewer = author.role == ChatRole::Viewer;
                let message = ChatMessage { id, author, text, sent_at_ms: now, media_time_ms, reply_to, mentions, edited: false };
                if is_viewer {
                    self.sampler.count(now);
                }
                let reach = if is_viewer { Reach::Cohorts(ALL_COHORTS) } else { Reach::Everyone };
                self.enter(Logged { id, event: ChatEvent::Said { message }, reach, nonce: Some(nonce) }, is_viewer.then_some(is_first));
                Ok(Some(id))
            }
            Ask::Edit { message: id, text } => {
                let message = self.transcript.get(id).ok_or(ChatRefusal::NoMessage)?;
                if message.author.id != author.id {
                    return Err(ChatRefusal::NotYours);
                }
                if now.since(message.sent_at_ms) > CHAT_EDIT_WINDOW {
                    return Err(ChatRefusal::EditedTooLate);
                }
                let text = self.admit(now, &author, standing, &text)?;
                if let Some(rule) = self.forbids(&author, &text) {
                    return Err(ChatRefusal::Filtered { rule });
                }
                self.speakers.spend(now, &author, 0)?;
                self.change(ChatEvent::Edited { message: id, text, author: Some(author.id) });
                Ok(None)
            }
            Ask::Delete { message: id, note } => {
                let note = checked_note(note)?;
                // Said to be gone twice is gone once.
                let message = self.transcript.get(id).ok_or(ChatRefusal::NoMessage)?;
                if message.author.id != author.id {
                    demand_power(&author, message.author.role)?;
                    let (on, text) = (named(&message.author), message.text.clone());
                    let about = Deed { on: Some(on), message: Some(text), note, ..Deed::new(now, &author, ModeratorAction::Delete) };
                    self.deeds.push(about);
                }
                self.change(ChatEvent::Deleted { message: id });
                Ok(None)
            }
            Ask::Pin { message } => {
                demand_moderator(&author)?;
                let message = message.map(|id| self.transcript.get(id).cloned().ok_or(ChatRefusal::NoMessage)).transpose()?;
                let action = if message.is_some() { ModeratorAction::Pin } else { ModeratorAction::Unpin };
                let on = message.as_ref().map(|message| named(&message.author));
                let text = message.as_ref().map(|message| message.text.clone());
                self.note(Deed { on, message: text, ..Deed::new(now, &author, action) });
                self.change(ChatEvent::Pinned { message });
                Ok(None)
            }
            Ask::SetModes { mut modes } => {
                demand_moderator(&author)?;
                modes.slow_s = modes.slow_s.min(CHAT_SLOW_MAX_S);
                self.note(Deed::new(now, &author, ModeratorAction::Modes));
                self.change(ChatEvent::Modes { modes });
                Ok(None)
            }
            Ask::Restrain { user, restraint, note } => {
                let note = checked_note(note)?;
                // What somebody is here is known from what they said; who has said nothing is a viewer.
                let last = self.transcript.messages().rev().find(|message| message.author.id == user);
                demand_power(&author, last.map_or(ChatRole::Viewer, |message| message.author.role))?;
                let known = last.map(|message| message.author.name.as_str()).or_else(|| self.restraints.name_of(user));
                let person = NamedUser { id: user, name: known.unwrap_or_default().to_owned() };
                let text = last.map(|message| message.text.clone());
                self.desk.push(match self.restraints.set(now, &person, &author, restraint)? {
                    Some(restrained) => DeskEvent::Restrained { restrained: restrained.clone() },
                    None => DeskEvent::Lifted { user },
                });
                let (action, seconds) = match restraint {
                    Restraint::TimeOut { seconds } => (ModeratorAction::TimeOut, Some(seconds.min(CHAT_TIME_OUT_MAX_S))),
                    Restraint::Ban => (ModeratorAction::Ban, None),
                    Restraint::Lift => (ModeratorAction::Lift, None),
                };
                self.note(Deed { on: Some(person), message: text, seconds, note, ..Deed::new(now, &author, action) });
                match restraint {
                    Restraint::TimeOut { .. } | Restraint::Ban => {
                        self.held.refuse_all_of(now, user);
                        self.change(ChatEvent::Cleared { user });
                    }
                    Restraint::Lift => {}
                }
                Ok(None)
            }
            Ask::Review { held, verdict, note } => {
                let note = checked_note(note)?;
                demand_moderator(&author)?;
                let (ruling, action) = match verdict {
                    Verdict::Approve => (Ruling::Approved, ModeratorAction::Approve),
                    Verdict::Refuse => (Ruling::Refused, ModeratorAction::Refuse),
                };
                let message = self.held.rule(now, held, ruling).ok_or(ChatRefusal::NoMessage)?;
                let (on, text) = (named(&message.author), message.text.clone());
                self.note(Deed { on: Some(on), message: Some(text), note, ..Deed::new(now, &author, action) });
                if ruling == Ruling::Approved {
                    self.say_approved(now, message);
                }
                Ok(None)
            }
            Ask::Report { message, reason, note } => {
                let note = checked_note(note)?;
                let message = self.transcript.get(message).ok_or(ChatRefusal::NoMessage)?.clone();
                // Reports cost moderators time, so they are as rare as messages.
                self.speakers.spend(now, &author, 0)?;
                let report = Reported { by: named(&author), reason, note, at_ms: now };
                self.desk.push(DeskEvent::Reported { message: message.clone(), report: report.clone() });
                self.complaints.push(Complaint { message, report });
                Ok(None)
            }
            Ask::SetWords { words } => {
                demand_moderator(&author)?;
                if words.len() > CHAT_WORDS_MAX || words.iter().any(|word| word.chars().count() > CHAT_EXCERPT_MAX) {
                    return Err(ChatRefusal::Full);
                }
                self.words = (words.clone(), WordList::new(words.iter().map(String::as_str)));
                self.desk.push(DeskEvent::Words { words });
                self.note(Deed::new(now, &author, ModeratorAction::Words));
                Ok(None)
            }
        }
    }

    /// Something that no crash may undo.
    fn note(&mut self, deed: Deed) {
        self.deeds.push(deed);
        self.is_urgent = true;
    }

    /// What waited is said now, in its author's name, and is shown to everybody: somebody has taken the trouble to read it.
    fn say_approved(&mut self, now: UnixMs, held: HeldMessage) {
        let HeldMessage { author, text, nonce, held_at_ms, media_time_ms, reply_to, mentions, .. } = held;
        // What it answers may be gone, or different.
        let reply_to = reply_to.and_then(|reply| self.reply_to(reply.id).ok());
        let id = self.next_id();
        self.speakers.remember(now, held_at_ms, author.id, nonce, id);
        let message = ChatMessage { id, author, text, sent_at_ms: now, media_time_ms, reply_to, mentions, edited: false };
        self.enter(Logged { id, event: ChatEvent::Said { message }, reach: Reach::Everyone, nonce: Some(nonce) }, None);
    }

    /// The rule of the broadcast's own that a text breaks.
    fn forbids(&self, author: &ChatAuthor, text: &str) -> Option<FilterRule> {
        (author.role == ChatRole::Viewer && self.words.1.finds(text)).then_some(FilterRule::Words)
    }

    /// The text as it will be shown, if this person may say it now. Moderators may say anything.
    fn admit(&self, now: UnixMs, author: &ChatAuthor, standing: Standing, text: &str) -> Result<String, ChatRefusal> {
        let text: String = text.trim().chars().filter(|symbol| !symbol.is_control()).collect();
        if text.is_empty() {
            return Err(ChatRefusal::Empty);
        }
        if text.chars().count() > CHAT_TEXT_MAX {
            return Err(ChatRefusal::TooLong);
        }
        if author.role > ChatRole::Viewer {
            return Ok(text);
        }
        self.restraints.check(now, author.id)?;
        let modes = self.transcript.modes;
        match modes.audience {
            Audience::Accounts if author.guest => return Err(ChatRefusal::AccountsOnly),
            Audience::Followers if !standing.follows => return Err(ChatRefusal::FollowersOnly),
            Audience::Friends if !standing.is_friend => return Err(ChatRefusal::FriendsOnly),
            Audience::Everyone | Audience::Accounts | Audience::Followers | Audience::Friends => {}
        }
        if modes.emote_only && !is_emote_only(&text) {
            return Err(ChatRefusal::EmoteOnly);
        }
        Ok(text)
    }

    fn slow_s(&self, author: &ChatAuthor) -> u32 {
        if author.role == ChatRole::Viewer { self.transcript.modes.slow_s } else { 0 }
    }

    fn reply_to(&self, id: MessageId) -> Result<ReplyTo, ChatRefusal> {
        let original = self.transcript.get(id).ok_or(ChatRefusal::NoMessage)?;
        let excerpt = original.text.chars().take(CHAT_EXCERPT_MAX).collect();
        Ok(ReplyTo { id, author: original.author.id, name: original.author.name.clone(), excerpt })
    }

    const fn next_id(&mut self) -> MessageId {
        self.seq += 1;
        LogId { epoch: self.epoch, seq: self.seq }
    }

    fn change(&mut self, event: ChatEvent) {
        let id = self.next_id();
        self.enter(Logged { id, event, reach: Reach::Everyone, nonce: None }, None);
    }

    fn enter(&mut self, logged: Logged, may_be_left_out: Option<bool>) {
        self.transcript.enter(&logged);
        self.pending.push((logged, may_be_left_out));
    }

    /// What nodes must be told now, if anything.
    pub(crate) fn poll(&mut self, now: UnixMs) -> Option<Flush> {
        if self.wake_at(now) > now {
            return None;
        }
        let is_beat = self.flushed_at.after(CHAT_HEARTBEAT) <= now;
        self.is_unsaved |= self.held.handle_timeout(now);
        let (reactions, reactions_at_ms) = self.sums.poll(now);
        let (log, hidden) = self.take_events(now);
        let out = OutBatch {
            epoch: self.epoch,
            previous: self.told,
            events: log.clone(),
            hidden,
            answers: std::mem::take(&mut self.answers),
            safe: std::mem::take(&mut self.newly_safe).into_iter().collect(),
            // What was lost on the way is in the next heartbeat.
            reactions: if is_beat && reactions.is_empty() { self.sums.totals() } else { reactions },
            viewers: self.people.poll(now).or(if is_beat { self.people.last_told() } else { None }),
            watchers: self.watchers.poll(now).or(if is_beat { self.watchers.last_told() } else { None }),
            recount: std::mem::take(&mut self.recount),
            held: self.held.poll(now),
            desk: std::mem::take(&mut self.desk),
            reactions_at_ms,
        };
        self.told = log.last().map_or(self.told, |logged| logged.id);
        self.flushed_at = now;
        self.speakers.forget_old(now);
        let (deeds, complaints) = (std::mem::take(&mut self.deeds), std::mem::take(&mut self.complaints));
        Some(Flush { log, out, deeds, complaints, fates: self.held.take_fates() })
    }

    /// Decides whose screens the pending messages are for. What is for nobody's is not logged, and is forgotten.
    fn take_events(&mut self, now: UnixMs) -> (Vec<Logged>, u32) {
        let mut pending = std::mem::take(&mut self.pending);
        if self.sampler.take(now) {
            let candidates: Vec<Candidate<'_>> = pending
                .iter()
                .filter_map(|(logged, is_first)| match (&logged.event, is_first) {
                    (ChatEvent::Said { message }, Some(is_first)) => Some(Candidate { message, is_first: *is_first }),
                    _ => None,
                })
                .collect();
            let mut cohorts = sample(&candidates).into_iter();
            for (logged, _) in pending.iter_mut().filter(|(_, may_be_left_out)| may_be_left_out.is_some()) {
                logged.reach = Reach::Cohorts(cohorts.next().unwrap_or(0));
            }
        }
        let is_hidden = |logged: &Logged| matches!(logged.reach, Reach::Cohorts(cohorts) if cohorts != ALL_COHORTS);
        let hidden = pending.iter().filter(|(logged, _)| is_hidden(logged)).count() as u32;
        let log: Vec<Logged> = pending.into_iter().map(|(logged, _)| logged).filter(|logged| self.is_wanted(logged)).collect();
        self.transcript.settle(self.told, |id| log.binary_search_by_key(&id, |logged| logged.id).is_ok());
        (log, hidden)
    }

    /// Whether anybody will be shown it.
    fn is_wanted(&self, logged: &Logged) -> bool {
        let ChatEvent::Said { message } = &logged.event else { return true };
        logged.reach != Reach::Cohorts(0)
            || !message.mentions.is_empty()
            || message.reply_to.is_some()
            || self.interests.values().any(|users| users.contains(&message.author.id))
    }

    /// What the next home must know, when it is time to save it. Never between a batch and the flush with its events and answers: the next home
    /// takes what is covered for done and does not do it again.
    pub(crate) fn snapshot(&mut self, now: UnixMs) -> Option<Snapshot> {
        let is_due = self.is_urgent || self.snapshot_at.after(CHAT_SNAPSHOT_INTERVAL) <= now;
        let is_flushed = self.pending.is_empty() && self.answers.is_empty() && self.deeds.is_empty() && self.complaints.is_empty();
        if !self.is_unsaved || !is_due || !is_flushed {
            return None;
        }
        self.snapshot_at = now;
        self.is_unsaved = false;
        self.restraints.forget_old(now);
        Some(Snapshot {
            applied: self.applied.clone(),
            restraints: self.restraints.clone(),
            words: self.words.0.clone(),
            modes: self.transcript.modes,
            pinned: self.transcript.pinned.clone(),
            sums: self.sums.clone(),
            peak: self.people.peak(),
            watchers_peak: self.watchers.peak(),
            held: self.held.entries().to_vec(),
            is_urgent: std::mem::take(&mut self.is_urgent) | std::mem::take(&mut self.owes_urgent),
        })
    }

    /// A snapshot has been saved: what it covers need not be sent again.
    pub(crate) fn handle_saved(&mut self, snapshot: &Snapshot) {
        for (&node, &number) in &snapshot.applied {
            if self.safe.insert(node, number) != Some(number) {
                self.newly_safe.insert(node, number);
            }
        }
    }

    /// A snapshot could not be saved: it is due again after the usual time, and as urgent for the archive as it was.
    pub(crate) const fn handle_unsaved(&mut self, snapshot: &Snapshot) {
        self.is_unsaved = true;
        self.owes_urgent |= snapshot.is_urgent;
    }

    /// When [`Self::poll`] has something.
    pub(crate) fn wake_at(&mut self, now: UnixMs) -> UnixMs {
        let is_sampling = self.sampler.is_sampling(now);
        let is_waiting = !self.pending.is_empty() || !self.answers.is_empty() || !self.newly_safe.is_empty() || !self.recount.is_empty();
        let interval = if is_sampling { CHAT_SAMPLED_FLUSH_INTERVAL } else { CHAT_FLUSH_INTERVAL };
        let events = is_waiting.then(|| self.flushed_at.after(interval));
        let beat = Some(self.flushed_at.after(CHAT_HEARTBEAT));
        [events, beat, self.sums.wake_at(), self.people.wake_at(), self.watchers.wake_at(), self.held.wake_at()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_default()
    }
}

impl Deed {
    fn new(at: UnixMs, by: &ChatAuthor, action: ModeratorAction) -> Self {
        Self { at, by: named(by), action, on: None, message: None, seconds: None, note: None }
    }
}

fn named(author: &ChatAuthor) -> NamedUser {
    NamedUser { id: author.id, name: author.name.clone() }
}

/// One line, if it is short enough; nothing, if it is empty.
fn checked_note(note: Option<String>) -> Result<Option<String>, ChatRefusal> {
    let Some(note) = note else { return Ok(None) };
    let note: String = note.trim().chars().filter(|symbol| !symbol.is_control()).collect();
    if note.chars().count() > CHAT_NOTE_MAX {
        return Err(ChatRefusal::NoteTooLong);
    }
    Ok(Some(note).filter(|note| !note.is_empty()))
}

fn demand_moderator(author: &ChatAuthor) -> Result<(), ChatRefusal> {
    if author.role >= ChatRole::Moderator { Ok(()) } else { Err(ChatRefusal::NotModerator) }
}

/// Moderators act on viewers, the broadcaster on everybody.
fn demand_power(author: &ChatAuthor, over: ChatRole) -> Result<(), ChatRefusal> {
    demand_moderator(author)?;
    if author.role > over || author.role == ChatRole::Broadcaster { Ok(()) } else { Err(ChatRefusal::Protected) }
}

#[cfg(test)]
#[path = "home_tests.rs"]
mod tests;
