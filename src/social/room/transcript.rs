//! What has been said, as far as it is kept: events of the log applied in order. Homes and nodes hold the same one. Pure.

use std::collections::VecDeque;

use crate::ids::UserId;
use crate::limits::CHAT_REPLAYED_MAX;
use crate::social::chat::{ChatEvent, ChatHistory, ChatMessage, ChatModes, Logged, MessageId, Reach};

/// The newest messages with their changes, and what holds for all of them.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    messages: VecDeque<(ChatMessage, Reach)>,
    keep: usize,
    /// Whether messages have been let go.
    is_cut: bool,
    pub(crate) modes: ChatModes,
    pub(crate) pinned: Option<ChatMessage>,
    /// The last event applied.
    pub(crate) last: MessageId,
}

impl Transcript {
    pub(crate) fn new(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Applies an event, unless it is known already.
    pub(crate) fn apply(&mut self, logged: &Logged) -> bool {
        let is_new = self.enter(logged);
        self.trim();
        is_new
    }

    /// The same where it is not decided yet who is shown it: nothing is let go for it before [`Self::settle`].
    pub(crate) fn enter(&mut self, logged: &Logged) -> bool {
        if logged.id <= self.last {
            return false;
        }
        self.last = logged.id;
        match &logged.event {
            ChatEvent::Said { message } => self.messages.push_back((message.clone(), logged.reach)),
            ChatEvent::Edited { message, text, author: _ } => {
                let found = self.position(*message).map(|at| &mut self.messages[at].0);
                for edited in found.into_iter().chain(self.pinned.as_mut().filter(|pinned| pinned.id == *message)) {
                    edited.text.clone_from(text);
                    edited.edited = true;
                }
            }
            ChatEvent::Deleted { message } => {
                if let Some(at) = self.position(*message) {
                    self.messages.remove(at);
                }
                self.pinned.take_if(|pinned| pinned.id == *message);
            }
            ChatEvent::Pinned { message } => self.pinned.clone_from(message),
            ChatEvent::Modes { modes } => self.modes = *modes,
            ChatEvent::Cleared { user } => {
                self.messages.retain(|(message, _)| message.author.id != *user);
                self.pinned.take_if(|pinned| pinned.author.id == *user);
            }
        }
        true
    }

    /// Of the messages above `after` only these are kept, so that what nobody is shown does not push out what can be answered, changed or deleted.
    pub(crate) fn settle(&mut self, after: MessageId, is_kept: impl Fn(MessageId) -> bool) {
        let from = self.messages.partition_point(|(message, _)| message.id <= after);
        let undecided = self.messages.split_off(from);
        self.messages.extend(undecided.into_iter().filter(|(message, _)| is_kept(message.id)));
        self.trim();
    }

    fn trim(&mut self) {
        let surplus = self.messages.len().saturating_sub(self.keep);
        self.is_cut |= surplus > 0;
        self.messages.drain(..surplus);
    }

    fn position(&self, id: MessageId) -> Option<usize> {
        self.messages.binary_search_by_key(&id, |(message, _)| message.id).ok()
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<&ChatMessage> {
        self.position(id).map(|at| &self.messages[at].0)
    }

    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &ChatMessage> {
        self.messages.iter().map(|(message, _)| message)
    }

    /// For somebody who has seen everything up to `since`: the newest messages above it. What was sampled away for everybody else is told
    /// to those whom it concerns only.
    pub(crate) fn history(&self, user: UserId, since: Option<MessageId>) -> ChatHistory {
        let since_id = since.unwrap_or_default();
        let from = self.messages.partition_point(|(message, _)| message.id <= since_id);
        let is_for_all = |reach: &Reach| !matches!(reach, Reach::Cohorts(0));
        let mut newest: Vec<ChatMessage> = self
            .messages
            .range(from..)
            .rev()
            .filter(|(message, reach)| is_for_all(reach) || concerns(message, user))
            .take(CHAT_REPLAYED_MAX + 1)
            .map(|(message, _)| message.clone())
            .collect();
        let is_too_many = newest.len() > CHAT_REPLAYED_MAX;
        newest.truncate(CHAT_REPLAYED_MAX);
        newest.reverse();
        let gap = since.is_some() && (is_too_many || (from == 0 && self.is_cut));
        ChatHistory { messages: newest, gap, modes: self.modes, pinned: self.pinned.clone(), reactions: Vec::new(), held: Vec::new() }
    }
}

/// Whether somebody must see a message whoever else does: it is theirs, or addressed to them.
pub(crate) fn concerns(message: &ChatMessage, user: UserId) -> bool {
    message.author.id == user || message.mentions.contains(&user) || message.reply_to.as_ref().is_some_and(|reply| reply.author == user)
}
