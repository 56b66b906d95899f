//! What the store keeps, as plain values.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{ActionId, BroadcastId, SignInId, UserId};

/// Life of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// Made, nobody has published yet.
    Idle,
    Live,
    /// The publisher vanished; it has `limits::PUBLISHER_RETURN_WINDOW` to come back.
    Reconnecting,
    /// Final.
    Ended,
}

/// Who finds a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// On the home page.
    Public,
    /// For those who have the link.
    Unlisted,
}

/// A broadcast as it survives a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastRecord {
    pub id: BroadcastId,
    /// Unique among broadcasts that have not ended.
    pub slug: String,
    pub title: String,
    pub visibility: Visibility,
    pub state: BroadcastState,
    pub owner: Option<UserId>,
    /// Who may moderate it besides the owner, in the order of their ids.
    pub moderators: Vec<UserId>,
    /// Milliseconds since the Unix epoch, here and below.
    pub created_at_ms: u64,
    pub started_at_ms: Option<u64>,
    pub ended_at_ms: Option<u64>,
    pub viewers_peak: u32,
    /// Teams, score, clock and markers; the store does not look inside.
    pub details_json: String,
}

/// What a user may do on this installation beyond what everybody may; everybody is a viewer. Who moderates is said by each broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May make broadcasts also where not everybody may.
    Broadcaster,
    /// Everything on this installation.
    Operator,
}

/// Somebody whom the installation knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub id: UserId,
    pub name: String,
    pub roles: Vec<Role>,
    pub created_at_ms: u64,
}

/// A user who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// No two accounts have the same name, whatever its case.
    pub user: UserRecord,
    /// No two accounts have the same address, whatever its case.
    pub email: String,
    /// When somebody proved that they read mail to this address.
    pub email_verified_at_ms: Option<u64>,
    /// A PHC string.
    pub password: String,
    /// When a guest became this account.
    pub claimed_at_ms: Option<u64>,
    /// Counts up with every picture; 0: there has never been one.
    pub picture_version: u32,
    /// Friends are not shown what this person watches.
    pub hide_watching: bool,
}

impl std::fmt::Debug for AccountRecord {
    /// The password hash stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRecord").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A user's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRecord {
    pub content_type: String,
    pub bytes: Vec<u8>,
    pub version: u32,
}

/// One device that is signed in. Its refresh token changes with every use; the hashes of the newest two are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRecord {
    pub id: SignInId,
    pub user: UserId,
    pub secret_hash: Vec<u8>,
    pub previous_hash: Option<Vec<u8>>,
    /// What the browser calls itself.
    pub device: String,
    pub created_at_ms: u64,
    pub rotated_at_ms: u64,
    pub expires_at_ms: u64,
}

/// What a code in a letter is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// The address of the code becomes (or stays) the account's, verified.
    VerifyEmail,
    ResetPassword,
}

/// A code that was sent by e-mail. There is one a user and purpose: a new one makes the old one void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    pub hash: Vec<u8>,
    pub user: UserId,
    pub purpose: CodePurpose,
    /// Where it was sent.
    pub email: String,
    pub expires_at_ms: u64,
}

/// A user's stream key, of which only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKeyRecord {
    pub user: UserId,
    pub hash: Vec<u8>,
    pub created_at_ms: u64,
    pub used_at_ms: Option<u64>,
}

/// What somebody is to a person, as that person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    None,
    /// The person has asked them.
    Outgoing,
    /// They have asked the person.
    Incoming,
    Friend,
    /// The person has blocked them.
    Blocked,
}

/// Somebody with an account, as a certain person sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    pub id: UserId,
    pub name: String,
    pub picture_version: u32,
    /// What they are to that person; of a block only where blocks are asked for.
    pub relation: Relation,
    /// Since when `relation` is so; 0 while it is `None`.
    pub since_ms: u64,
    /// Whether that person follows them.
    pub follows: bool,
}

/// Whom a person is close to, and who is hidden from them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ties {
    pub friends: Vec<UserId>,
    /// Those they have blocked and those who have blocked them.
    pub hidden: Vec<UserId>,
}

/// What became of a wish for friendship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It waits for the other one's answer. `is_new`: it did not before.
    Asked { is_new: bool },
    /// They are friends. `is_new`: they were not before.
    Friends { is_new: bool },
    /// There is nobody with an account to be friends with, or one of the two has blocked the other.
    Nobody,
    /// One of the two has as many friends and requests as there may be.
    Full,
}

/// What a person is to the owner of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StandingRecord {
    pub follows: bool,
    pub is_friend: bool,
}

/// A private message that has no number yet.
#[derive(Debug, Clone, Copy)]
pub struct PrivateMessageDraft<'a> {
    pub from: UserId,
    pub to: UserId,
    /// Of the sender's choice, at most 2^53.
    pub nonce: u64,
    pub text: &'a str,
    pub sent_at_ms: u64,
}

/// A private message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateMessageRecord {
    /// From 1 in each conversation, without gaps.
    pub number: u64,
    pub from: UserId,
    pub to: UserId,
    /// Of the sender's choice, at most 2^53.
    pub nonce: u64,
    pub text: String,
    pub sent_at_ms: u64,
}

/// A conversation as one of the two sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRecord {
    pub with: PersonRecord,
    pub last: PrivateMessageRecord,
    /// Messages of the other one that this one has not read.
    pub unread: u32,
}

/// A stretch of a conversation, as one of the two sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationPage {
    /// Oldest first.
    pub messages: Vec<PrivateMessageRecord>,
    /// Whether there are earlier ones.
    pub more: bool,
    /// Up to which number this one has read ...
    pub read_up_to: u64,
    /// ... and the other one.
    pub seen_up_to: u64,
}

/// Where something is in a chat: epoch and number.
pub type ChatPlace = (u64, u64);

/// One thing that happened in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatEventRecord {
    pub place: ChatPlace,
    /// Who said it; guests too. Absent for changes.
    pub author: Option<UserId>,
    pub at_ms: u64,
    /// The store does not look inside.
    pub event_json: String,
}

/// A person as they were called when it happened; guests too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedUser {
    pub id: UserId,
    pub name: String,
}

/// What a moderator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ModeratorAction {
    Delete,
    TimeOut,
    Ban,
    Lift,
    Pin,
    Unpin,
    Modes,
    Words,
    Resolve,
    /// A message that waited is said.
    Approve,
    /// It is not.
    Refuse,
}

/// What a moderator did, to whom, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    pub id: ActionId,
    pub broadcast: BroadcastId,
    pub at_ms: u64,
    pub by: NamedUser,
    pub action: ModeratorAction,
    pub on: Option<NamedUser>,
    /// The text that it was about.
    pub message: Option<String>,
    /// Of a time-out.
    pub seconds: Option<u32>,
    pub note: Option<String>,
}

/// Why somebody reports a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReportReason {
    Abuse,
    Spam,
    Spoiler,
    Other,
}

/// A message that somebody has reported, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRecord {
    pub broadcast: BroadcastId,
    /// Of the message.
    pub place: ChatPlace,
    pub author: NamedUser,
    pub text: String,
    pub sent_at_ms: u64,
    pub by: NamedUser,
    pub reason: ReportReason,
    pub note: Option<String>,
    pub at_ms: u64,
}
