//! Capabilities, as tokens carry them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the bearer of a token may do on a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    View,
    Publish,
    Chat,
    Call,
    Moderate,
}
