//! What is said in a broadcast's chat: the words that clients, nodes and the log share.
//!
//! Types that clients see are generated for TypeScript; those that only nodes see are at the end.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::bus::LogId;
use super::clock::UnixMs;
use super::reactions::{ReactionCount, Taps};
use crate::ids::{NodeId, UserId};
use crate::store::NamedUser;
pub use crate::store::ReportReason;

/// The id of a message: `epoch-number`, rising in the order of the chat, never given twice.
pub type MessageId = LogId;

/// What somebody is in a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    Viewer,
    Moderator,
    Broadcaster,
}

/// Who said it, as everybody sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatAuthor {
    #[ts(type = "string")]
    pub id: UserId,
    pub name: String,
    pub role: ChatRole,
    pub guest: bool,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ChatMessage {
    /// `epoch-number`; rises in the order of the chat.
    #[ts(type = "string")]
    pub id: MessageId,
    pub author: ChatAuthor,
    pub text: String,
    /// Wall clock, ms since the Unix epoch.
    #[ts(type = "number")]
    pub sent_at_ms: UnixMs,
    /// The media time that its author saw; show it when that moment is on screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub media_time_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reply_to: Option<ReplyTo>,
    /// Who is addressed with `@name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub mentions: Vec<UserId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub edited: bool,
}

/// What a message answers, so that it can be shown without the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReplyTo {
    #[ts(type = "string")]
    pub id: MessageId,
    #[ts(type = "string")]
    pub author: UserId,
    pub name: String,
    /// The beginning of what was said.
    pub excerpt: String,
}

/// Who may say how much. All off: everybody, anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct ChatModes {
    /// Between two messages of one viewer; 0: as fast as the general limit allows.
    pub slow_s: u32,
    pub audience: Audience,
    pub emote_only: bool,
    /// What the filter finds in a message (language, links, words of the list) lets it wait for a moderator, instead of refusing it.
    #[serde(default)]
    pub review: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    #[default]
    Everyone,
    /// People with an account.
    Accounts,
    /// Those who follow the broadcaster.
    Followers,
    /// Friends of the broadcaster.
    Friends,
}

/// One thing that happened in the chat, in the order of the ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ChatEvent {
    Said {
        message: ChatMessage,
    },
    Edited {
        #[ts(type = "string")]
        message: MessageId,
        text: String,
        /// Whose message it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        author: Option<UserId>,
    },
    Deleted {
        #[ts(type = "string")]
        message: MessageId,
    },
    /// Absent: nothing is pinned any more.
    Pinned {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        message: Option<ChatMessage>,
    },
    Modes {
        modes: ChatModes,
    },
    /// Everything that this person said is gone.
    Cleared {
        #[ts(type = "string")]
        user: UserId,
    },
}

/// What a moderator does about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Restraint {
    /// Silent for a while; what they said is cleared.
    TimeOut { seconds: u32 },
    /// Silent for good; what they said is cleared.
    Ban,
    /// May speak again.
    Lift,
}

/// A message that waits for a moderator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct HeldMessage {
    /// Names it while it waits; approved, it is said under another one.
    #[ts(type = "string")]
    pub id: MessageId,
    pub author: ChatAuthor,
    pub text: String,
    /// What the filter found.
    pub rule: FilterRule,
    /// Of the one who said it.
    #[ts(type = "number")]
    pub nonce: u64,
    #[ts(type = "number")]
    pub held_at_ms: UnixMs,
    /// It waits no longer than this.
    #[ts(type = "number")]
    pub until_ms: UnixMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub media_time_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reply_to: Option<ReplyTo>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub mentions: Vec<UserId>,
}

/// What becomes of a message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It is said, now, in its author's name.
    Approved,
    Refused,
    /// Nobody looked at it in time.
    Expired,
}

/// What a moderator thinks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    Refuse,
}

/// What is for some people in a chat only: moderators, and the author of a message that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeskEvent {
    /// To moderators.
    Held { message: HeldMessage },
    /// To moderators, and to its author.
    Ruled {
        #[ts(type = "string")]
        held: MessageId,
        #[ts(type = "number")]
        nonce: u64,
        ruling: Ruling,
    },
    /// To moderators, as all below: somebody reports a message, which is sent as it was then.
    Reported {
        message: ChatMessage,
        #[ts(type = "Report")]
        report: Reported,
    },
    /// Somebody has resolved what was reported of a message.
    Resolved {
        #[ts(type = "string")]
        message: MessageId,
    },
    /// Somebody may not write, or for another time than before.
    Restrained { restrained: Restrained },
    /// They may again.
    Lifted {
        #[ts(type = "string")]
        user: UserId,
    },
    /// The words that may not be said are others now.
    Words { words: Vec<String> },
    /// Something of this may have been lost: read the lists again.
    Missed,
}

/// What one person reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub by: NamedUser,
    pub reason: ReportReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub at_ms: UnixMs,
}

/// Somebody who may not write in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Restrained {
    /// As they were called then; the name is empty where it is not known.
    #[ts(type = "Named")]
    pub person: NamedUser,
    #[ts(type = "number")]
    pub since_ms: UnixMs,
    /// Absent: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub until_ms: Option<UnixMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "Named")]
    pub by: Option<NamedUser>,
}

/// A broadcast's chat as a newcomer finds it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, TS)]
pub struct ChatHistory {
    /// Oldest first; only those above the id that was asked from.
    pub messages: Vec<ChatMessage>,
    /// Whether messages between the id that was asked from and the first one here are no longer kept.
    pub gap: bool,
    pub modes: ChatModes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pinned: Option<ChatMessage>,
    /// All reactions so far.
    pub reactions: Vec<ReactionCount>,
    /// Messages that wait for a moderator: for moderators all of them, for others their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<HeldMessage>>", optional)]
    pub held: Vec<HeldMessage>,
}

/// Why something was not said or done. Each is a stable word for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ChatRefusal {
    #[error("say something")]
    Empty,
    #[error("a message has at most {} characters", crate::limits::CHAT_TEXT_MAX)]
    TooLong,
    #[error("at most {} people can be addressed at once", crate::limits::CHAT_MENTIONS_MAX)]
    TooManyMentions,
    #[error("wait {wait_ms} ms before the next message")]
    Slow { wait_ms: u64 },
    #[error("only people with an account may write here")]
    AccountsOnly,
    #[error("only followers may write here")]
    FollowersOnly,
    #[error("only friends may write here")]
    FriendsOnly,
    #[error("only emoji may be written here")]
    EmoteOnly,
    #[error("you may not write here for another {wait_ms} ms")]
    TimedOut { wait_ms: u64 },
    #[error("you may not write here")]
    Banned,
    #[error("the filter of this chat refuses that: {rule}")]
    Filtered { rule: FilterRule },
    #[error("a moderator looks at this message before anybody else sees it")]
    Held,
    #[error("there is no such message")]
    NoMessage,
    #[error("only its author may change this message")]
    NotYours,
    #[error("this message is too old to be changed")]
    EditedTooLate,
    #[error("this needs a moderator")]
    NotModerator,
    #[error("a moderator cannot do this to them")]
    Protected,
    #[error("the list is full")]
    Full,
    #[error("a note has at most {} characters", crate::limits::CHAT_NOTE_MAX)]
    NoteTooLong,
    #[error("the chat does not answer just now")]
    Unavailable,
}

/// Which rule of the filter spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FilterRule {
    Language,
    Links,
    Repeats,
    Capitals,
    Words,
}

impl FilterRule {
    /// Whether a moderator can judge better than the rule. Shouting and repetition their author can mend at once.
    pub const fn may_be_held(self) -> bool {
        match self {
            Self::Language | Self::Links | Self::Words => true,
            Self::Repeats | Self::Capitals => false,
        }
    }
}

impl std::fmt::Display for FilterRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Language => "language",
            Self::Links => "links",
            Self::Repeats => "repeats",
            Self::Capitals => "capitals",
            Self::Words => "words",
        })
    }
}

/// What somebody asks of the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    Say {
        nonce: u64,
        text: String,
        reply_to: Option<MessageId>,
        mentions: Vec<UserId>,
        media_time_ms: Option<f64>,
        /// What the filter of the node found in it, where the chat lets such messages wait.
        #[serde(default)]
        found: Option<FilterRule>,
    },
    Edit {
        message: MessageId,
        text: String,
    },
    Delete {
        message: MessageId,
        note: Option<String>,
    },
    Pin {
        message: Option<MessageId>,
    },
    SetModes {
        modes: ChatModes,
    },
    Restrain {
        user: UserId,
        restraint: Restraint,
        note: Option<String>,
    },
    SetWords {
        words: Vec<String>,
    },
    Review {
        held: MessageId,
        verdict: Verdict,
        note: Option<String>,
    },
    Report {
        message: MessageId,
        reason: ReportReason,
        note: Option<String>,
    },
}

/// What is known of somebody beyond their role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    pub follows: bool,
    pub is_friend: bool,
}

/// One ask on its way from a node to the home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Of the node's choice; names the answer.
    pub number: u64,
    pub author: ChatAuthor,
    pub standing: Standing,
    pub ask: Ask,
}

/// What became of a request: of one that says something, the id of the message.
pub type Answer = Result<Option<MessageId>, ChatRefusal>;

/// Whose screens an event is for, decided once for everybody by the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Never left out: broadcaster, moderators, changes.
    Everyone,
    /// Bit k: cohort k sees it. Those it concerns (its author, friends, people addressed) see it in any case.
    Cohorts(u8),
}

/// An event as it is logged: with what deduplication needs after a change of homes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Of a message that was said: its own id.
    pub id: MessageId,
    pub event: ChatEvent,
    pub reach: Reach,
    /// Of the one who said it; absent for changes.
    pub nonce: Option<u64>,
}

/// From a node to the home: numbered, sent again until the home says that it is safe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InBatch {
    pub node: NodeId,
    /// From 1, without gaps.
    pub number: u64,
    /// The first one that the node has not been told is safe: it has no earlier ones any more.
    pub oldest: u64,
    pub requests: Vec<Request>,
    pub taps: Taps,
    /// The latest media time that anybody saw who tapped, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tapped_at_ms: Option<f64>,
    pub people: Option<super::presence::Report>,
    /// Who watches the broadcast here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchers: Option<super::presence::Report>,
    /// Users whose messages somebody here must see whatever is sampled: friends of local viewers.
    pub interests: Option<Vec<UserId>>,
}

/// From the home to the nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutBatch {
    pub epoch: u64,
    /// The last event before these: whoever has another one has missed something and reads the log.
    pub previous: MessageId,
    pub events: Vec<Logged>,
    /// Messages that only some or nobody beyond those concerned will see.
    pub hidden: u32,
    pub answers: Vec<(NodeId, u64, Answer)>,
    /// Batches of a node up to this number are safe.
    pub safe: Vec<(NodeId, u64)>,
    pub reactions: Vec<ReactionCount>,
    pub viewers: Option<super::presence::ViewerCount>,
    /// Of the broadcast, whether they sit in its chat or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchers: Option<super::presence::ViewerCount>,
    /// Nodes that must tell again who watches there.
    pub recount: Vec<NodeId>,
    /// All messages that wait for a moderator, and those that have just been ruled on; absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<HeldEntry>>,
    /// What moderators are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub desk: Vec<DeskEvent>,
    /// The latest media time that anybody saw who sent one of these reactions, ms; absent when they are told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactions_at_ms: Option<f64>,
}

/// What another node than the home tells the moderators of a chat, on the same topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeskBatch {
    pub desk: Vec<DeskEvent>,
}

/// A message that waits, or has just been ruled on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldEntry {
    pub message: HeldMessage,
    /// What became of it, and when.
    pub ruled: Option<(Ruling, UnixMs)>,
}
