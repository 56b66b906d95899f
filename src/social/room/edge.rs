//! A node's side of one broadcast's chat: collects what its people say and do, and turns what the home tells into frames that are shared.
//!
//! ```text
//! ask, tap, enter, leave ─▶ ┐                               ┌▶ Publish(InBatch): each 50 ms, again until it is safe
//! OutBatch ─▶ handle_out ─▶ ├─▶ poll_output ────────────────┼▶ Frame: one text for all, or one a cohort
//! log ─▶ handle_log ──────▶ ┘                               ├▶ Personal, Answered: one seat
//!                                                           └▶ ReadLog: something was missed
//! ```
//! Pure. Invariant: a seat is given each event at most once, by a shared frame (those are in the order of the ids) or by a personal one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::desk::{Desk, DeskNews};
use super::sampler::{ALL_COHORTS, COHORTS, SHOWN_AS_ALL};
use super::sight::{Hidden, Sight, clean_history};
use super::snapshot::Snapshot;
use super::transcript::{Transcript, concerns};
use crate::ids::{NodeId, UserId};
use crate::limits::{
    CHAT_ANSWER_MAX, CHAT_BATCH_INTERVAL, CHAT_BATCH_REQUESTS_MAX, CHAT_BATCHES_UNSAFE_MAX, CHAT_REPLAYED_MAX, CHAT_REQUESTS_PENDING_MAX,
    CHAT_RESEND_AFTER, CHAT_WAITING_FOR_LOG_MAX,
};
use crate::social::bus::LogId;
use crate::social::chat::{
    Answer, Ask, Audience, ChatAuthor, ChatEvent, ChatHistory, ChatRefusal, DeskEvent, InBatch, Logged, MessageId, OutBatch, Reach,
    Request, Standing,
};
use crate::social::clock::UnixMs;
use crate::social::presence::{EdgePeople, ViewerCount};
use crate::social::reactions::{EdgeTaps, ReactionCount, ReactionKind};

/// What happened in the chat since the last frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, TS)]
pub struct ChatFrame {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ChatEvent>>", optional)]
    pub events: Vec<ChatEvent>,
    /// Further messages that others were shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub hidden: u32,
    /// Of the kinds that grew: all since the broadcast began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ReactionCount>>", optional)]
    pub reactions: Vec<ReactionCount>,
    /// The moment that they are about, media time in ms: show them when it is on screen. Absent when they are told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reactions_at_ms: Option<f64>,
    /// When it has changed: people in the chat over all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub viewers: Option<ViewerCount>,
    /// For this person only: what moderators see beside the chat, and what became of an own message that waited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<DeskEvent>>", optional)]
    pub desk: Vec<DeskEvent>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl ChatFrame {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How much of a busy chat somebody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ChatView {
    /// At most about 20 messages a second.
    #[default]
    Top,
    /// Twice as many.
    All,
}

/// One frame for everybody, or one for each kind of viewer.
#[expect(clippy::large_enum_variant, reason = "values live for one step and are never kept in numbers")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frames {
    Same(ChatFrame),
    Sampled { cohorts: [ChatFrame; COHORTS as usize], all: ChatFrame },
}

impl Frames {
    /// What a seat is shown.
    pub(crate) const fn of(&self, seat: SeatId, view: ChatView) -> &ChatFrame {
        match (self, view) {
            (Self::Same(frame), _) => frame,
            (Self::Sampled { cohorts, .. }, ChatView::Top) => &cohorts[seat.cohort() as usize],
            (Self::Sampled { all, .. }, ChatView::All) => all,
        }
    }
}

/// One connection in the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeatId(pub(crate) u64);

impl SeatId {
    pub(crate) const fn cohort(self) -> u8 {
        (self.0 % COHORTS as u64) as u8
    }
}

/// What the shell must do, in this order.
#[expect(clippy::large_enum_variant, reason = "values live for one step and are never kept in numbers")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EdgeOutput {
    Publish(InBatch),
    Frame(Frames),
    Personal {
        seat: SeatId,
        frame: ChatFrame,
    },
    Answered {
        seat: SeatId,
        id: u32,
        answer: Answer,
    },
    ReadLog {
        after: LogId,
    },
    /// So many watch the broadcast, over all nodes.
    Watched(ViewerCount),
}

#[derive(Debug)]
struct Sitting {
    user: UserId,
    view: ChatView,
    sight: Sight,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Edge {
    node: NodeId,
    epoch: u64,
    transcript: Transcript,
    seats: BTreeMap<SeatId, Sitting>,
    by_user: HashMap<UserId, Vec<SeatId>>,
    /// Local seats whose friend this user is.
    fans: HashMap<UserId, Vec<SeatId>>,
    interests_changed: bool,
    requests: Vec<Request>,
    /// Who waits for the answer to a request; in the order of their deadlines, which is that of their numbers.
    waiting: BTreeMap<u64, (SeatId, u32, UnixMs)>,
    next_request: u64,
    batched_at: UnixMs,
    next_batch: u64,
    not_safe: VecDeque<(UnixMs, InBatch)>,
    taps: EdgeTaps,
    people: EdgePeople,
    watchers: EdgePeople,
    watched: Option<ViewerCount>,
    reactions: BTreeMap<ReactionKind, u64>,
    viewers: Option<ViewerCount>,
    desk: Desk,
    /// Batches that came while the log is being read.
    held: Option<VecDeque<OutBatch>>,
    outputs: VecDeque<EdgeOutput>,
}

impl Edge {
    /// With what is kept of the chat.
    pub(crate) fn open(node: NodeId, kept: Option<&Snapshot>, log: &[Logged]) -> Self {
        let mut transcript = Transcript::new(2 * CHAT_REPLAYED_MAX);
        let (mut reactions, mut desk) = (BTreeMap::new(), Desk::default());
        if let Some(kept) = kept {
            transcript.modes = kept.modes;
            transcript.pinned.clone_from(&kept.pinned);
            desk = Desk::with(kept.held.clone());
            reactions = kept.sums.totals().into_iter().map(|total| (total.kind, total.count)).collect();
        }
        for logged in log {
            transcript.apply(logged);
        }
        Self {
            node,
            epoch: 0,
            transcript,
            seats: BTreeMap::new(),
            by_user: HashMap::new(),
            fans: HashMap::new(),
            interests_changed: false,
            requests: Vec::new(),
            waiting: BTreeMap::new(),
            next_request: 1,
            batched_at: UnixMs::default(),
            next_batch: 1,
            not_safe: VecDeque::new(),
            taps: EdgeTaps::default(),
            people: EdgePeople::default(),
            watchers: EdgePeople::default(),
            watched: None,
            reactions,
            viewers: None,
            desk,
            held: None,
            outputs: VecDeque::new(),
        }
    }

    // ---- People ----

    /// Somebody takes a seat.
    pub(crate) fn enter(&mut self, seat: SeatId, user: UserId, sight: Sight) {
        self.people.enter(user);
        self.by_user.entry(user).or_default().push(seat);
        self.add_fan(seat, &sight.friends);
        self.seats.insert(seat, Sitting { user, view: ChatView::default(), sight });
    }

    fn add_fan(&mut self, seat: SeatId, friends: &[UserId]) {
        for friend in friends {
            let fans = self.fans.entry(*friend).or_default();
            self.interests_changed |= fans.is_empty();
            fans.push(seat);
        }
    }

    fn drop_fan(&mut self, seat: SeatId, friends: &[UserId]) {
        for friend in friends {
            self.interests_changed |= remove(&mut self.fans, *friend, seat);
        }
    }

    /// A person's friends are others now, or others are hidden from them: their seats, and who is hidden from each.
    pub(crate) fn relate(&mut self, user: UserId, sight: &Sight) -> Vec<(SeatId, Arc<Hidden>)> {
        let seats = self.by_user.get(&user).cloned().unwrap_or_default();
        let mut related = Vec::new();
        for seat in seats {
            let Some(sitting) = self.seats.get_mut(&seat) else { continue };
            let renewed = sitting.sight.renewed(sight);
            related.push((seat, Arc::clone(&renewed.hidden)));
            let before = std::mem::replace(&mut sitting.sight, renewed);
            self.drop_fan(seat, &before.friends);
            self.add_fan(seat, &sight.friends);
        }
        related
    }

    pub(crate) fn has(&self, user: UserId) -> bool {
        self.by_user.contains_key(&user)
    }

    /// Whether it matters just now what somebody is to the broadcaster.
    pub(crate) const fn asks_for_standing(&self) -> bool {
        match self.transcript.modes.audience {
            Audience::Followers | Audience::Friends => true,
            Audience::Everyone | Audience::Accounts => false,
        }
    }

    /// Whether what the filter finds waits for a moderator.
    pub(crate) const fn holds_for_review(&self) -> bool {
        self.transcript.modes.review
    }

    pub(crate) fn leave(&mut self, seat: SeatId) {
        let Some(sitting) = self.seats.remove(&seat) else { return };
        self.people.leave(sitting.user);
        remove(&mut self.by_user, sitting.user, seat);
        self.drop_fan(seat, &sitting.sight.friends);
    }

    /// Who watches the broadcast on this node, all of them.
    pub(crate) fn watch(&mut self, people: &HashSet<UserId>) {
        self.watchers.set(people);
    }

    /// Whether nobody sits here and nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.watchers.is_empty()
    }

    pub(crate) fn view(&mut self, seat: SeatId, view: ChatView) {
        if let Some(sitting) = self.seats.get_mut(&seat) {
            sitting.view = view;
        }
    }

    /// The chat as a newcomer finds it, or as somebody who has seen everything up to `since` has missed it.
    pub(crate) fn history(&self, user: UserId, hidden: &Hidden, since: Option<MessageId>) -> ChatHistory {
        let reactions = self.reactions.iter().map(|(&kind, &count)| ReactionCount { kind, count }).collect();
        let moderates = self.by_user.get(&user).into_iter().flatten().any(|seat| self.moderates(*seat));
        let held = self.desk.waiting((!moderates).then_some(user));
        let mut history = ChatHistory { reactions, held, ..self.transcript.history(user, since) };
        clean_history(&mut history, hidden);
        history
    }

    // ---- What people do ----

    /// On its way to the home; answered by [`EdgeOutput::Answered`].
    pub(crate) fn ask(&mut self, now: UnixMs, seat: SeatId, id: u32, author: ChatAuthor, standing: Standing, ask: Ask) {
        if self.waiting.len() >= CHAT_REQUESTS_PENDING_MAX {
            self.outputs.push_back(EdgeOutput::Answered { seat, id, answer: Err(ChatRefusal::Unavailable) });
            return;
        }
        let number = self.next_request;
        self.next_request += 1;
        self.waiting.insert(number, (seat, id, now.after(CHAT_ANSWER_MAX)));
        self.requests.push(Request { number, author, standing, ask });
    }

    pub(crate) fn tap(&mut self, now: UnixMs, kind: ReactionKind, count: u64, media_time_ms: Option<f64>) {
        self.taps.add(now, kind, count, media_time_ms);
    }

    // ---- What the home tells ----

    pub(crate) fn handle_out(&mut self, now: UnixMs, batch: OutBatch) {
        if batch.epoch < self.epoch {
            // A home that does not know yet that it is none any more.
            return;
        }
        if batch.epoch > self.epoch {
            self.epoch = batch.epoch;
            self.people.tell_all();
            self.watchers.tell_all();
            self.interests_changed = true;
            self.send_again(now);
        }
        match &mut self.held {
            Some(held) => {
                held.push_back(batch);
                if held.len() > CHAT_WAITING_FOR_LOG_MAX {
                    held.pop_front();
                }
            }
            None if batch.previous > self.transcript.last => {
                self.held = Some(VecDeque::from([batch]));
                self.outputs.push_back(EdgeOutput::ReadLog { after: self.transcript.last });
            }
            None => self.apply(batch),
        }
    }

    /// The bus has lost something: the log says what.
    pub(crate) fn handle_missed(&mut self) {
        if self.held.is_none() {
            self.held = Some(VecDeque::new());
            self.outputs.push_back(EdgeOutput::ReadLog { after: self.transcript.last });
        }
    }

    /// What [`EdgeOutput::ReadLog`] asked for; as much of it as is still kept.
    pub(crate) fn handle_log(&mut self, log: Vec<Logged>) {
        let hidden = OutBatch {
            epoch: self.epoch,
            previous: self.transcript.last,
            events: log,
            hidden: 0,
            answers: Vec::new(),
            safe: Vec::new(),
            reactions: Vec::new(),
            viewers: None,
            watchers: None,
            recount: Vec::new(),
            held: None,
            desk: Vec::new(),
            reactions_at_ms: None,
        };
        self.apply(hidden);
        // Only what was said is in the log.
        self.tell_desk(vec![DeskNews::Moderators(DeskEvent::Missed)]);
        // What the log does not have is lost; what follows is not.
        for batch in self.held.take().unwrap_or_default() {
            self.apply(batch);
        }
    }

    fn apply(&mut self, batch: OutBatch) {
        let OutBatch { events, hidden, answers, safe, reactions, viewers, watchers, recount, held, desk, reactions_at_ms, .. } = batch;
        let news: Vec<Logged> = events.into_iter().filter(|logged| self.transcript.apply(logged)).collect();
        let mut rest = ChatFrame { hidden, ..ChatFrame::default() };
        for total in reactions {
            if self.reactions.insert(total.kind, total.count) != Some(total.count) {
                rest.reactions.push(total);
            }
        }
        rest.reactions_at_ms = reactions_at_ms.filter(|_| !rest.reactions.is_empty());
        if viewers.is_some() && viewers != self.viewers {
            self.viewers = viewers;
            rest.viewers = viewers;
        }
        if let Some(count) = watchers.filter(|count| self.watched != Some(*count)) {
            self.watched = Some(count);
            self.outputs.push_back(EdgeOutput::Watched(count));
        }
        self.frame(news, rest);
        let mut news = held.map(|held| self.desk.renew(held)).unwrap_or_default();
        news.extend(desk.into_iter().map(DeskNews::Moderators));
        self.tell_desk(news);
        for (node, number, answer) in answers {
            if node == self.node
                && let Some((seat, id, _)) = self.waiting.remove(&number)
            {
                self.outputs.push_back(EdgeOutput::Answered { seat, id, answer });
            }
        }
        for (_, number) in safe.into_iter().filter(|(node, _)| *node == self.node) {
            while self.not_safe.front().is_some_and(|(_, batch)| batch.number <= number) {
                self.not_safe.pop_front();
            }
        }
        if recount.contains(&self.node) {
            self.people.tell_all();
            self.watchers.tell_all();
        }
    }

    fn moderates(&self, seat: SeatId) -> bool {
        self.seats.get(&seat).is_some_and(|sitting| sitting.sight.moderates())
    }

    /// Another node than the home tells the moderators something.
    pub(crate) fn handle_desk(&mut self, desk: Vec<DeskEvent>) {
        self.tell_desk(desk.into_iter().map(DeskNews::Moderators).collect());
    }

    /// What is for some people alone.
    fn tell_desk(&mut self, news: Vec<DeskNews>) {
        if news.is_empty() {
            return;
        }
        let authors = news.iter().filter_map(DeskNews::author).filter_map(|author| self.by_user.get(&author)).flatten();
        let moderators = self.seats.iter().filter(|(_, sitting)| sitting.sight.moderates()).map(|(seat, _)| seat);
        let seats: BTreeSet<SeatId> = authors.chain(moderators).copied().collect();
        for seat in seats {
            let Some(sitting) = self.seats.get(&seat) else { continue };
            let is_for = |news: &&DeskNews| sitting.sight.moderates() || news.author() == Some(sitting.user);
            let desk = news.iter().filter(is_for).map(|news| news.event().clone()).collect();
            self.outputs.push_back(EdgeOutput::Personal { seat, frame: ChatFrame { desk, ..ChatFrame::default() } });
        }
    }

    /// Who is shown what. What concerns somebody and is not in their frame goes to them alone, before it, because frames are read later.
    fn frame(&mut self, news: Vec<Logged>, rest: ChatFrame) {
        let is_same = |logged: &Logged| matches!(logged.reach, Reach::Everyone | Reach::Cohorts(ALL_COHORTS));
        if news.iter().all(is_same) {
            let frame = ChatFrame { events: news.into_iter().map(|logged| logged.event).collect(), ..rest };
            if !frame.is_empty() {
                self.outputs.push_back(EdgeOutput::Frame(Frames::Same(frame)));
            }
            return;
        }
        for logged in &news {
            let (Reach::Cohorts(cohorts), ChatEvent::Said { message }) = (logged.reach, &logged.event) else { continue };
            let addressed = std::iter::once(message.author.id)
                .chain(message.mentions.iter().copied())
                .chain(message.reply_to.as_ref().map(|reply| reply.author));
            let mut seats: HashSet<SeatId> = addressed.filter_map(|user| self.by_user.get(&user)).flatten().copied().collect();
            seats.extend(self.fans.get(&message.author.id).into_iter().flatten());
            let may_see = |seat: &SeatId| self.seats.get(seat).is_some_and(|sitting| !sitting.sight.hidden.contains(&message.author.id));
            let mut seats: Vec<SeatId> = seats.into_iter().filter(|seat| !self.is_shown(*seat, cohorts) && may_see(seat)).collect();
            seats.sort_unstable();
            for seat in seats {
                debug_assert!(
                    self.seats
                        .get(&seat)
                        .is_some_and(|sitting| { concerns(message, sitting.user) || sitting.sight.friends.contains(&message.author.id) })
                );
                let frame = ChatFrame { events: vec![logged.event.clone()], ..ChatFrame::default() };
                self.outputs.push_back(EdgeOutput::Personal { seat, frame });
            }
        }
        let of = |wanted: u8| {
            let is_shown = |logged: &&Logged| match logged.reach {
                Reach::Everyone => true,
                Reach::Cohorts(cohorts) => cohorts & wanted != 0,
            };
            ChatFrame { events: news.iter().filter(is_shown).map(|logged| logged.event.clone()).collect(), ..rest.clone() }
        };
        let cohorts = std::array::from_fn(|cohort| of(1 << cohort));
        self.outputs.push_back(EdgeOutput::Frame(Frames::Sampled { cohorts, all: of(SHOWN_AS_ALL) }));
    }

    fn is_shown(&self, seat: SeatId, cohorts: u8) -> bool {
        let view = self.seats.get(&seat).map_or(ChatView::Top, |sitting| sitting.view);
        cohorts & wanted(seat, view) != 0
    }

    // ---- Towards the home ----

    fn send_again(&mut self, now: UnixMs) {
        let oldest = self.not_safe.front().map_or(self.next_batch, |(_, batch)| batch.number);
        for (sent_at, batch) in &mut self.not_safe {
            *sent_at = now;
            batch.oldest = oldest;
            self.outputs.push_back(EdgeOutput::Publish(batch.clone()));
        }
    }

    fn has_words(&self) -> bool {
        !self.requests.is_empty() || self.people.has_news() || self.watchers.has_news() || self.interests_changed
    }

    fn has_news(&self, now: UnixMs) -> bool {
        self.has_words() || self.taps.wake_at().is_some_and(|due| due <= now)
    }

    /// Acts on what is due.
    pub(crate) fn handle_timeout(&mut self, now: UnixMs) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.get().2 <= now) {
            let (seat, id, _) = entry.remove();
            self.outputs.push_back(EdgeOutput::Answered { seat, id, answer: Err(ChatRefusal::Unavailable) });
        }
        if self.not_safe.front().is_some_and(|(sent_at, _)| sent_at.after(CHAT_RESEND_AFTER) <= now) {
            self.send_again(now);
        }
        while self.has_news(now) && self.batched_at.after(CHAT_BATCH_INTERVAL) <= now && self.not_safe.len() < CHAT_BATCHES_UNSAFE_MAX {
            let taken = self.requests.len().min(CHAT_BATCH_REQUESTS_MAX);
            let rest = self.requests.split_off(taken);
            let number = self.next_batch;
            self.next_batch += 1;
            let (taps, tapped_at_ms) = self.taps.take(now);
            let batch = InBatch {
                node: self.node,
                number,
                oldest: self.not_safe.front().map_or(number, |(_, batch)| batch.number),
                requests: std::mem::replace(&mut self.requests, rest),
                taps,
                tapped_at_ms,
                people: self.people.take(),
                watchers: self.watchers.take(),
                interests: std::mem::take(&mut self.interests_changed).then(|| self.fans.keys().copied().collect()),
            };
            if self.requests.is_empty() {
                self.batched_at = now;
            }
            self.not_safe.push_back((now, batch.clone()));
            self.outputs.push_back(EdgeOutput::Publish(batch));
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<EdgeOutput> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn wake_at(&self) -> Option<UnixMs> {
        let batch = self.batched_at.after(CHAT_BATCH_INTERVAL);
        let has_room = self.not_safe.len() < CHAT_BATCHES_UNSAFE_MAX;
        let news = self.has_words().then_some(batch);
        let taps = self.taps.wake_at().map(|due| due.max(batch));
        let again = self.not_safe.front().map(|(sent_at, _)| sent_at.after(CHAT_RESEND_AFTER));
        let answer = self.waiting.first_key_value().map(|(_, (_, _, due))| *due);
        [news.filter(|_| has_room), taps.filter(|_| has_room), again, answer].into_iter().flatten().min()
    }
}

/// The cohorts that are shown to a seat.
pub(crate) const fn wanted(seat: SeatId, view: ChatView) -> u8 {
    match view {
        ChatView::Top => 1 << seat.cohort(),
        ChatView::All => SHOWN_AS_ALL,
    }
}

/// Removes one; whether it was the last.
fn remove(lists: &mut HashMap<UserId, Vec<SeatId>>, user: UserId, seat: SeatId) -> bool {
    let Some(seats) = lists.get_mut(&user) else { return false };
    seats.retain(|other| *other != seat);
    let is_last = seats.is_empty();
    if is_last {
        lists.remove(&user);
    }
    is_last
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
