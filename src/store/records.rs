//! What the store keeps, as plain values.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, UserId};

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
    /// Milliseconds since the Unix epoch, here and below.
    pub created_at_ms: u64,
    pub started_at_ms: Option<u64>,
    pub ended_at_ms: Option<u64>,
    pub viewers_peak: u32,
    /// Teams, score, clock and markers; the store does not look inside.
    pub details_json: String,
}

/// What a user may do beyond what everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything on this installation.
    Operator,
}

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub id: UserId,
    pub name: String,
    pub roles: Vec<Role>,
    pub created_at_ms: u64,
}
