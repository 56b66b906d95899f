//! What messages about friends are made of; REST answers have the same shapes.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, UserId};

/// The broadcast that somebody watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Watching {
    #[ts(type = "string")]
    pub broadcast: BroadcastId,
    pub slug: String,
    pub title: String,
}

/// Whether a friend is there, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Presence {
    pub online: bool,
    /// Absent also where they hide it, and where the broadcast is unlisted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub watching: Option<Watching>,
}

/// A friend who is online.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FriendOnline {
    #[ts(type = "string")]
    pub user: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub watching: Option<Watching>,
}
