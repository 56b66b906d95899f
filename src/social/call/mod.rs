//! Calls: friends who watch a broadcast together, as they see each other. Who is in, who is rung, who is held to which moment.
//!
//! What carries their pictures is the media plane's; here a member's camera is only a [`SourceId`](crate::ids::SourceId).
//!
//! ```text
//! calls (all of a node) ──▶ party (one call) ──▶ door: who may come in
//!                                            ├─▶ seating: who fills whose m-lines
//!                                            ├─▶ pacing: the same moment
//!                                            └─▶ lane: its chat
//! ```
//! Pure: time, ids and secrets come in, [`effect::CallEffect`]s go out.

mod allowance;
pub(crate) mod calls;
mod door;
pub(crate) mod effect;
mod lane;
mod member;
mod pacing;
mod party;
mod refusal;
pub(crate) mod seating;

pub use refusal::CallRefusal;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, CallId, SessionId, UserId};
use crate::social::people::Person;
use crate::social::reactions::ReactionKind;

/// A member's number in one call, from 1; never used twice in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
pub struct MemberId(pub u32);

/// What a client asks about calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum CallAsk {
    /// Begins a call on the joined broadcast, and rings these friends. Needs an account.
    Start {
        /// At most `limits::CALL_RING_MAX`.
        #[ts(type = "Array<string>")]
        ring: Vec<UserId>,
    },
    /// Enters a call: by having been rung, by the invitation of a link, or as somebody who was in it a moment ago.
    Join {
        #[ts(type = "string")]
        call: CallId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        invitation: Option<String>,
    },
    /// Does not come. The others are told.
    Decline {
        #[ts(type = "string")]
        call: CallId,
    },
    /// Rings further friends.
    Ring {
        #[ts(type = "Array<string>")]
        users: Vec<UserId>,
    },
    /// A link that lets in who has it, for `limits::CALL_INVITATION_LIFETIME`. Answered with `call_link`.
    Link,
    /// Leaves the call; the match goes on.
    Leave,
    /// What this member sends, for the others to show.
    Present { microphone: bool, camera: bool, screen: bool },
    /// The host sends somebody out, who cannot come back by the same link.
    Remove { member: MemberId },
    /// The host silences somebody, who may unmute themselves.
    Mute { member: MemberId },
    /// The call's own chat lane.
    Say {
        /// Drawn by the client for this message; the same one when it is sent again.
        #[ts(type = "number")]
        nonce: u64,
        /// At most `limits::CALL_TEXT_MAX` characters.
        text: String,
    },
    /// A reaction that rises over a member's face (over one's own where there is no `to`).
    React {
        kind: ReactionKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        to: Option<MemberId>,
    },
    /// Holds this member to the moment of the others, or lets them go their own way.
    InStep { on: bool },
    /// Moves everybody who is in step.
    Play { play: CallPlay },
    /// Whose face this member wants to see whoever speaks.
    Pin {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        member: Option<MemberId>,
    },
}

/// Where everybody who is in step is in the match.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum CallPlay {
    /// At the live edge, as far behind it as the slowest of them.
    Live,
    /// This far behind the server's clock, in the recording.
    Behind {
        /// Ms.
        behind_ms: f64,
    },
    /// Standing on this picture.
    Paused {
        /// Media time, ms since the Unix epoch.
        media_time_ms: f64,
    },
}

/// What a member of a call tells once a second of its own picture; nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Pace {
    /// Server clock minus the media time on screen, ms.
    pub behind_ms: f64,
    /// How little that could be here if nothing held the picture back, ms.
    pub least_ms: f64,
}

/// A call as its members see it. Always whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CallView {
    #[ts(type = "string")]
    pub id: CallId,
    #[ts(type = "string")]
    pub broadcast: BroadcastId,
    /// Wall clock, ms since the Unix epoch.
    #[ts(type = "number")]
    pub started_at_ms: u64,
    /// Who may remove and silence: whoever began it, then whoever has been in it longest.
    pub host: MemberId,
    /// In the order in which they came.
    pub members: Vec<CallMember>,
    /// Rung, and neither here nor declined yet.
    pub ringing: Vec<Ringing>,
    /// The part of the match that those in step watch.
    pub play: CallPlay,
    /// How far behind the server's clock those in step are held, ms; absent while nobody has told theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pace_ms: Option<f64>,
    /// The last `limits::CALL_LINES_KEPT` of the call's own chat, oldest first; only in `call_entered`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<CallLine>>", optional)]
    pub lines: Vec<CallLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CallMember {
    pub id: MemberId,
    #[ts(type = "string")]
    pub user: UserId,
    pub name: String,
    pub guest: bool,
    pub microphone: bool,
    pub camera: bool,
    pub screen: bool,
    /// Silenced by the host, until they unmute themselves.
    pub silenced: bool,
    pub in_step: bool,
    /// `false`: nothing is heard of their client just now; they may come back.
    pub here: bool,
    pub link: LinkWord,
}

/// How well a member's connection carries, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkWord {
    #[default]
    Good,
    /// Some of it is lost or late.
    Weak,
    /// Much of it is.
    Poor,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Ringing {
    #[ts(type = "string")]
    pub user: UserId,
    pub name: String,
}

/// A line of a call's own chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CallLine {
    /// From 1, rising.
    pub number: u32,
    pub member: MemberId,
    /// As it was when they said it: they may have left.
    pub name: String,
    pub text: String,
    #[ts(type = "number")]
    pub said_at_ms: u64,
}

/// Why a call is over for this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallOver {
    Left,
    /// By the host.
    Removed,
    /// Somebody in it has blocked them, or they somebody.
    Blocked,
    /// The same person has entered it elsewhere.
    Elsewhere,
    /// Gone for longer than anybody waits.
    Lost,
    ShuttingDown,
}

/// Why it does not ring any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RingOver {
    /// On this or another device.
    Answered,
    Declined,
    /// Nobody answered, or the call is over.
    Missed,
}

/// Somebody is asked into a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    pub call: CallId,
    pub broadcast: BroadcastId,
    pub from: Person,
    /// Wall clock, ms since the Unix epoch.
    pub expires_at_ms: u64,
}

/// Who comes into a call, by which session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) guest: bool,
}

/// Somebody who is rung, and who rings as they see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Callee {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) from: Person,
}
