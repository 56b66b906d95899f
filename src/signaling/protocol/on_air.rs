//! What messages about guests on air are made of: viewers who raise a hand, and the one whom the broadcaster brings on.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::UserId;

/// What a client asks about guests on the joined broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum OnAirAsk {
    /// A viewer wants to come on air, or no longer.
    RaiseHand { raised: bool },
    /// The broadcaster asks somebody who watches to come on air.
    Invite {
        #[ts(type = "string")]
        user: UserId,
    },
    /// Whom the broadcaster asked says yes or no. Yes: the next offer of their peer may send.
    Answer { accept: bool },
    /// The broadcaster says how main picture and guest share the screen.
    Layout { layout: OnAirLayout },
    /// The broadcaster takes the guest off air, or the guest goes.
    End,
}

/// How the main picture and a guest's share the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OnAirLayout {
    SideBySide,
    #[default]
    Inset,
    GuestOnly,
}

/// Who is on air beside the main picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuestView {
    #[ts(type = "string")]
    pub user: UserId,
    pub name: String,
    pub layout: OnAirLayout,
}

/// Somebody who wants to come on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaisedHand {
    #[ts(type = "string")]
    pub user: UserId,
    pub name: String,
    pub guest: bool,
    /// Wall clock, ms since the Unix epoch.
    #[ts(type = "number")]
    pub raised_at_ms: u64,
}
