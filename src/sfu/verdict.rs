//! What a down-track answers: to a packet, to an attempt to begin from the cache, to a viewer's wish.

use crate::sfu::group_cache::Unfit;
use crate::sfu::rewrite::Rewritten;
use crate::sfu::stats::DropReason;

/// What to do with a packet for this viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Forward(Rewritten),
    /// It is not for this viewer, but a number was kept for it: that leaves empty.
    Empty(Rewritten),
    /// It is in this viewer's queue, and leaves when its turn comes.
    Queued,
    Drop(DropReason),
}

/// What came of an attempt to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    Group,
    /// Only the key frame: the viewer still waits for another.
    KeyFrame(Unfit),
    No,
}

/// The answer to a viewer that asks for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The group begins again.
    Replayed,
    /// It has just begun; that is the answer.
    UnderWay,
    /// Only a new key frame of this layer helps.
    NeedsKeyframe(u8),
    /// No picture is wanted.
    Nothing,
}
