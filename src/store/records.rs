//! What the store keeps, as plain values.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, SignInId, UserId};

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
