//! What one home leaves to the next, beside the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::speakers::Restraints;
use crate::ids::NodeId;
use crate::social::chat::{ChatMessage, ChatModes, HeldEntry, Restrained};
use crate::social::clock::UnixMs;
use crate::social::reactions::{HeatPoint, Sums};

/// What the next home must know that the log does not say.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The last batch of each node that this covers.
    pub(super) applied: BTreeMap<NodeId, u64>,
    pub(super) restraints: Restraints,
    pub(super) words: Vec<String>,
    pub(super) modes: ChatModes,
    pub(super) pinned: Option<ChatMessage>,
    pub(super) sums: Sums,
    pub(super) peak: u32,
    #[serde(default)]
    pub(super) watchers_peak: u32,
    #[serde(default)]
    pub(super) held: Vec<HeldEntry>,
    /// Moderators have changed something: no crash may undo it.
    #[serde(skip)]
    pub(crate) is_urgent: bool,
}

impl Snapshot {
    /// Who may not write, the latest first.
    pub(crate) fn restrained(&self, now: UnixMs) -> Vec<Restrained> {
        self.restraints.list(now)
    }

    /// The words that may not be said.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// Reactions over the media time of the broadcast.
    pub(crate) fn heat(&self) -> Vec<HeatPoint> {
        self.sums.heat()
    }
}
