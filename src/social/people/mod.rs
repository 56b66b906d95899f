//! People who know each other: who is online and where, over tabs and nodes, and what is told to one person wherever they are.
//!
//! ```text
//! Link (one connection) ─▶ Roll (pure) ──Word──▶ bus, topic `people` ──▶ Roll of every other node ─▶ links that look
//! REST, what somebody did to somebody ─▶ Note ─┘
//! ```
//! Each node knows its own people, tells the others what changes, beats, and forgets a node that it has not heard for a while. Nothing here is
//! kept: friendships and messages are the store's.

pub(crate) mod roll;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, CallId, NodeId, UserId};
use crate::social::call::{Ring, RingOver};
use crate::store::{PersonRecord, PrivateMessageRecord, Relation};

/// Somebody with an account, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Person {
    #[ts(type = "string")]
    pub id: UserId,
    pub name: String,
    pub picture_version: u32,
    /// What they are to whoever is told; absent where that person has no account, or is the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub relation: Option<Relation>,
    /// Whether whoever is told follows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub follows: Option<bool>,
}

impl From<PersonRecord> for Person {
    fn from(record: PersonRecord) -> Self {
        let PersonRecord { id, name, picture_version, relation, since_ms: _, follows } = record;
        Self { id, name, picture_version, relation: Some(relation), follows: Some(follows) }
    }
}

/// A message from one person to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PrivateMessage {
    /// From 1 in each conversation, rising.
    #[ts(type = "number")]
    pub number: u64,
    #[ts(type = "string")]
    pub from: UserId,
    #[ts(type = "string")]
    pub to: UserId,
    pub text: String,
    /// Wall clock, ms since the Unix epoch.
    #[ts(type = "number")]
    pub sent_at_ms: u64,
}

impl From<PrivateMessageRecord> for PrivateMessage {
    fn from(record: PrivateMessageRecord) -> Self {
        let PrivateMessageRecord { number, from, to, nonce: _, text, sent_at_ms } = record;
        Self { number, from, to, text, sent_at_ms }
    }
}

/// Where somebody who is online is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The broadcast that they have joined, unless they hide it.
    pub watching: Option<BroadcastId>,
}

/// What one person is told, on every connection of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// What this person is to them now.
    FriendChanged { person: Person },
    /// Who is hidden from them has changed, of which they are not told.
    TiesChanged,
    /// With the other one of the conversation.
    PrivateMessage { person: Person, message: PrivateMessage },
    /// In the conversation with `user`.
    MessagesRead { user: UserId, reader: UserId, up_to: u64 },
    /// Whether they hide what they watch.
    Hides { hide: bool },
    /// Somebody asks them into a call.
    CallRing(Ring),
    /// It does not ring any more.
    CallRingOver { call: CallId, reason: RingOver },
}

/// What a node hears about people that the calls it holds must know, on whichever node it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleWord {
    /// Who is hidden from this person may have changed.
    TiesChanged(UserId),
    /// This person does not come.
    Declined { user: UserId, call: CallId },
}

/// What a connection hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonNews {
    /// Of a friend; `None`: offline.
    Presence {
        user: UserId,
        whereabouts: Option<Whereabouts>,
    },
    Note(Note),
    /// It reads too slowly: it is over.
    TooSlow,
}

/// What nodes tell each other about people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) node: NodeId,
    pub(crate) says: Says,
}

/// Changes are numbered from 1; who misses one asks for the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Says {
    /// The node lives; its last change had this number.
    Beat {
        number: u64,
    },
    /// `None`: offline.
    Changed {
        number: u64,
        people: Vec<(UserId, Option<Whereabouts>)>,
    },
    /// All people of the node as they were after this number, in parts that follow each other.
    Whole {
        number: u64,
        part: u32,
        parts: u32,
        people: Vec<(UserId, Whereabouts)>,
    },
    /// That node, or everybody, please tell the whole.
    TellAll {
        of: Option<NodeId>,
    },
    /// The node goes, and its people with it.
    Bye,
    Note {
        user: UserId,
        note: Note,
    },
}
