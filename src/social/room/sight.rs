//! Who is hidden from whom in a chat: those whom somebody has blocked, and those who have blocked them. Pure.
//!
//! Frames are shared; only who has somebody hidden, and only when such a person speaks, is sent a frame of their own.

use std::collections::HashSet;
use std::sync::Arc;

use super::edge::ChatFrame;
use crate::ids::UserId;
use crate::social::chat::{ChatEvent, ChatHistory, ChatMessage};

/// People whose words somebody is not shown.
pub(crate) type Hidden = HashSet<UserId>;

/// What a person sees of the others in a chat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Whose messages they are never spared.
    pub(crate) friends: Vec<UserId>,
    /// Whose messages they never see.
    pub(crate) hidden: Arc<Hidden>,
    /// They moderate, and so nobody is hidden from them.
    sees_everybody: bool,
}

impl Sight {
    pub(crate) fn new(friends: Vec<UserId>, hidden: Vec<UserId>) -> Self {
        Self { friends, hidden: Arc::new(hidden.into_iter().collect()), sees_everybody: false }
    }

    /// For who moderates.
    #[must_use]
    pub(crate) fn of_everybody(self) -> Self {
        Self { hidden: Arc::default(), sees_everybody: true, ..self }
    }

    pub(crate) const fn moderates(&self) -> bool {
        self.sees_everybody
    }

    /// The same person's sight after their ties have changed.
    #[must_use]
    pub(crate) fn renewed(&self, new: &Self) -> Self {
        if self.sees_everybody { new.clone().of_everybody() } else { new.clone() }
    }
}

/// The frame without the hidden ones; `None`: there is nothing of theirs in it.
pub(crate) fn without(frame: &ChatFrame, hidden: &Hidden) -> Option<ChatFrame> {
    if !frame.events.iter().any(|event| concerns(event, hidden)) {
        return None;
    }
    let events = frame.events.iter().filter_map(|event| cleaned(event, hidden)).collect();
    Some(ChatFrame { events, ..frame.clone() })
}

/// The same for what a newcomer is told.
pub(crate) fn clean_history(history: &mut ChatHistory, hidden: &Hidden) {
    if hidden.is_empty() {
        return;
    }
    history.messages.retain(|message| !hidden.contains(&message.author.id));
    history.messages.iter_mut().for_each(|message| forget_quote(message, hidden));
    history.pinned.take_if(|pinned| hidden.contains(&pinned.author.id));
    history.pinned.iter_mut().for_each(|pinned| forget_quote(pinned, hidden));
}

fn concerns(event: &ChatEvent, hidden: &Hidden) -> bool {
    let is_theirs = |message: &ChatMessage| {
        hidden.contains(&message.author.id) || message.reply_to.as_ref().is_some_and(|reply| hidden.contains(&reply.author))
    };
    match event {
        ChatEvent::Said { message } | ChatEvent::Pinned { message: Some(message) } => is_theirs(message),
        ChatEvent::Edited { author, .. } => author.is_some_and(|author| hidden.contains(&author)),
        ChatEvent::Pinned { message: None } | ChatEvent::Deleted { .. } | ChatEvent::Modes { .. } | ChatEvent::Cleared { .. } => false,
    }
}

fn cleaned(event: &ChatEvent, hidden: &Hidden) -> Option<ChatEvent> {
    match event {
        ChatEvent::Said { message } => {
            let mut message = Some(message).filter(|message| !hidden.contains(&message.author.id))?.clone();
            forget_quote(&mut message, hidden);
            Some(ChatEvent::Said { message })
        }
        // What was pinned before is no longer.
        ChatEvent::Pinned { message } => {
            let mut message = message.clone().filter(|message| !hidden.contains(&message.author.id));
            message.iter_mut().for_each(|message| forget_quote(message, hidden));
            Some(ChatEvent::Pinned { message })
        }
        ChatEvent::Edited { author: Some(author), .. } if hidden.contains(author) => None,
        ChatEvent::Edited { .. } | ChatEvent::Deleted { .. } | ChatEvent::Modes { .. } | ChatEvent::Cleared { .. } => Some(event.clone()),
    }
}

/// A reply shows the beginning of what it answers.
fn forget_quote(message: &mut ChatMessage, hidden: &Hidden) {
    message.reply_to.take_if(|reply| hidden.contains(&reply.author));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::bus::LogId;
    use crate::social::chat::{ChatAuthor, ChatRole, ReplyTo};
    use crate::social::clock::UnixMs;

    fn message(author: u64, answers: Option<u64>) -> ChatMessage {
        let id = LogId { epoch: 1, seq: author };
        ChatMessage {
            id,
            author: ChatAuthor { id: UserId::from_bits(author), name: "X".to_owned(), role: ChatRole::Viewer, guest: false },
            text: "words".to_owned(),
            sent_at_ms: UnixMs(1),
            media_time_ms: None,
            reply_to: answers.map(|author| ReplyTo {
                id,
                author: UserId::from_bits(author),
                name: "Y".to_owned(),
                excerpt: "quoted".to_owned(),
            }),
            mentions: Vec::new(),
            edited: false,
        }
    }

    #[test]
    fn nothing_that_a_hidden_person_said_is_left() {
        let hidden = Hidden::from([UserId::from_bits(1)]);
        let edited = |author| ChatEvent::Edited {
            message: LogId { epoch: 1, seq: author },
            text: "other words".to_owned(),
            author: Some(UserId::from_bits(author)),
        };
        let frame = ChatFrame {
            events: vec![
                ChatEvent::Said { message: message(1, None) },
                ChatEvent::Said { message: message(2, Some(1)) },
                ChatEvent::Said { message: message(2, Some(3)) },
                edited(1),
                edited(2),
                ChatEvent::Pinned { message: Some(message(1, None)) },
            ],
            hidden: 3,
            ..ChatFrame::default()
        };
        let rest = without(&frame, &hidden).unwrap();
        let expected = vec![
            ChatEvent::Said { message: message(2, None) },
            ChatEvent::Said { message: message(2, Some(3)) },
            edited(2),
            ChatEvent::Pinned { message: None },
        ];
        assert_eq!((rest.events, rest.hidden), (expected, 3));
        assert_eq!(without(&frame, &Hidden::from([UserId::from_bits(9)])), None, "the shared frame will do");
    }

    #[test]
    fn a_newcomer_is_told_nothing_of_a_hidden_person() {
        let mut history =
            ChatHistory { messages: vec![message(1, None), message(2, Some(1))], pinned: Some(message(1, None)), ..ChatHistory::default() };
        clean_history(&mut history, &Hidden::from([UserId::from_bits(1)]));
        assert_eq!((history.messages, history.pinned), (vec![message(2, None)], None));
    }
}
