//! People and words for the tests of a room.

use crate::ids::{NodeId, UserId};
use crate::limits::CHAT_HELD_FOR;
use crate::social::bus::LogId;
use crate::social::chat::{Ask, ChatAuthor, ChatMessage, ChatRole, FilterRule, HeldMessage, InBatch, Request, Standing};
use crate::social::clock::UnixMs;
use crate::social::reactions::Taps;

pub(crate) const START: UnixMs = UnixMs(1_795_230_000_000);
pub(crate) const EPOCH: u64 = 7;

pub(crate) const fn at(ms: u64) -> UnixMs {
    UnixMs(START.0 + ms)
}

pub(crate) const fn user(bits: u64) -> UserId {
    UserId::from_bits(bits)
}

pub(crate) const fn node(bits: u64) -> NodeId {
    NodeId::from_bits(bits)
}

pub(crate) fn author(bits: u64, role: ChatRole) -> ChatAuthor {
    ChatAuthor { id: user(bits), name: format!("User {bits}"), role, guest: false }
}

pub(crate) fn message(seq: u64, by: u64, text: &str) -> ChatMessage {
    ChatMessage {
        id: LogId { epoch: EPOCH, seq },
        author: author(by, ChatRole::Viewer),
        text: text.to_owned(),
        sent_at_ms: START,
        media_time_ms: None,
        reply_to: None,
        mentions: Vec::new(),
        edited: false,
    }
}

pub(crate) fn held(seq: u64, by: u64) -> HeldMessage {
    HeldMessage {
        id: LogId { epoch: EPOCH, seq },
        author: author(by, ChatRole::Viewer),
        text: "look at this".to_owned(),
        rule: FilterRule::Links,
        nonce: seq,
        held_at_ms: START,
        until_ms: START.after(CHAT_HELD_FOR),
        media_time_ms: None,
        reply_to: None,
        mentions: Vec::new(),
    }
}

pub(crate) fn say(nonce: u64, text: &str) -> Ask {
    Ask::Say { nonce, text: text.to_owned(), reply_to: None, mentions: Vec::new(), media_time_ms: None, found: None }
}

pub(crate) fn request(number: u64, author: ChatAuthor, ask: Ask) -> Request {
    Request { number, author, standing: Standing::default(), ask }
}

/// A batch of requests and nothing else.
pub(crate) fn batch(from: u64, number: u64, requests: Vec<Request>) -> InBatch {
    InBatch {
        node: node(from),
        number,
        oldest: number,
        requests,
        taps: Taps::default(),
        tapped_at_ms: None,
        people: None,
        watchers: None,
        interests: None,
    }
}
