//! The JSON shapes of friends, private messages, the audit log and reports.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{ActionId, UserId};
use crate::signaling::protocol::json::whole;
use crate::signaling::protocol::{MessageId, Presence};
use crate::social::chat::Restrained;
use crate::social::people::{Person, PrivateMessage};
use crate::social::reactions::HeatPoint;
use crate::store::{ModeratorAction, Relation, ReportReason};

/// Answer to `GET /api/v1/people` and `GET /api/v1/me/follows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PeopleList {
    pub people: Vec<Person>,
}

/// A friend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Friend {
    pub person: Person,
    #[ts(type = "number")]
    pub since_ms: u64,
    pub presence: Presence,
}

/// A request for friendship, of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FriendRequest {
    pub person: Person,
    #[ts(type = "number")]
    pub at_ms: u64,
}

/// Answer to `GET /api/v1/me/friends`, each list by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FriendLists {
    pub friends: Vec<Friend>,
    pub incoming: Vec<FriendRequest>,
    pub outgoing: Vec<FriendRequest>,
    pub blocked: Vec<Person>,
}

/// Answer to `PUT /api/v1/me/friends/{user}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RelationNow {
    /// `outgoing` or `friend`.
    pub relation: Relation,
}

/// Two people who have written to each other, as one of them sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Conversation {
    pub person: Person,
    pub last: PrivateMessage,
    pub unread: u32,
}

/// Answer to `GET /api/v1/me/messages`: the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConversationList {
    pub conversations: Vec<Conversation>,
}

/// Answer to `GET /api/v1/me/messages/{user}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MessagePage {
    /// Oldest first.
    pub messages: Vec<PrivateMessage>,
    /// Whether there are earlier ones.
    pub more: bool,
    /// The number up to which the asker has read ...
    #[ts(type = "number")]
    pub read_up_to: u64,
    /// ... and the other person.
    #[ts(type = "number")]
    pub seen_up_to: u64,
}

/// Body of `POST /api/v1/me/messages/{user}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NewPrivateMessage {
    /// Drawn by the client for this message, at most 2^53; the same one when it is sent again.
    #[serde(deserialize_with = "whole")]
    #[ts(type = "number")]
    pub nonce: u64,
    /// 1 to 2000 characters.
    pub text: String,
}

/// Body of `PUT /api/v1/me/messages/{user}/read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReadMark {
    #[serde(deserialize_with = "whole")]
    #[ts(type = "number")]
    pub up_to: u64,
}

/// Somebody as they were called then; guests too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Named {
    #[ts(type = "string")]
    pub id: UserId,
    /// Empty where the account is gone.
    pub name: String,
}

/// What a moderator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditEntry {
    #[ts(type = "string")]
    pub id: ActionId,
    #[ts(type = "number")]
    pub at_ms: u64,
    pub by: Named,
    pub action: ModeratorAction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub on: Option<Named>,
    /// The text that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub message: Option<String>,
    /// Of a time-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/audit`: the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditPage {
    pub actions: Vec<AuditEntry>,
    /// Whether there are earlier ones.
    pub more: bool,
}

/// What one person reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Report {
    pub by: Named,
    pub reason: ReportReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
    #[ts(type = "number")]
    pub at_ms: u64,
}

/// A message that was reported, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReportedMessage {
    #[ts(type = "string")]
    pub message: MessageId,
    pub author: Named,
    pub text: String,
    #[ts(type = "number")]
    pub sent_at_ms: u64,
    /// The first one first.
    pub reports: Vec<Report>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/reports`: the first reported first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReportList {
    pub reports: Vec<ReportedMessage>,
}

/// What moderators think of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReportOutcome {
    Dismissed,
    Upheld,
}

/// Body of `PUT /api/v1/broadcasts/{broadcast}/reports/{message}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReportResolution {
    pub outcome: ReportOutcome,
    /// For the audit log, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/restrained`: the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestrainedPage {
    pub restrained: Vec<Restrained>,
    /// Whether there are earlier ones.
    pub more: bool,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/words`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ForbiddenWords {
    pub words: Vec<String>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/heat`: what people threw at the screen, by media time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct HeatLine {
    /// How long a step is, ms.
    pub step_ms: f64,
    /// In order; steps without reactions are left out, and the first one has all that was before it as well.
    pub points: Vec<HeatPoint>,
}
