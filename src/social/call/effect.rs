//! What a call wants to happen elsewhere.

use super::seating::Line;
use super::{CallLine, CallOver, CallPlay, CallView, MemberId, Ring, RingOver};
use crate::ids::{CallId, SessionId, SourceId, UserId};
use crate::social::reactions::ReactionKind;

/// To be carried out in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallEffect {
    /// One member is told something.
    Tell {
        session: SessionId,
        news: CallNews,
    },
    /// It rings for somebody, on every device of theirs.
    Ring {
        user: UserId,
        ring: Ring,
    },
    RingOver {
        user: UserId,
        call: CallId,
        reason: RingOver,
    },
    /// The free m-lines of a member's peer: what changed, and who is on which now.
    Seats {
        session: SessionId,
        changes: Vec<(Line, Option<SourceId>)>,
        slots: Vec<(Line, MemberId)>,
    },
    /// The sound of a source is forwarded no more, or again.
    Silence {
        source: SourceId,
        silenced: bool,
    },
    /// A session is in a call from now on, or no longer: its peer may publish, is kept and not moved; or not.
    Entered {
        session: SessionId,
    },
    Left {
        session: SessionId,
    },
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallNews {
    View(CallView),
    Over { call: CallId, reason: CallOver },
    Speaking { member: MemberId, speaking: bool, level_dbov: u8 },
    Said(CallLine),
    Reacted { by: MemberId, to: MemberId, kind: ReactionKind },
    Played { by: MemberId, play: CallPlay },
    Paced { behind_ms: f64 },
}
