//! What refusals and farewells are made of.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An error as clients see it, over WebSocket and (in the same words) as problem+json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ErrorView {
    /// Stable. See docs/protocol.md.
    pub code: ErrorCode,
    /// For people; may change.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Where it is known, when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub retry_after_ms: Option<u32>,
}

/// Stable error codes. Adding one is compatible, changing one is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    UnsupportedProtocol,
    UnknownMessage,
    MalformedMessage,
    HelloFirst,
    NotJoined,
    InvalidToken,
    TokenExpired,
    WrongCredentials,
    SignInEnded,
    Forbidden,
    /// Only friends can write to each other.
    NotFriends,
    /// The link into the call is too old.
    InvitationExpired,
    /// The host of the call has sent this person out.
    Removed,
    /// So many members of the call show their picture already; without one there is room.
    VideoFull,
    NotFound,
    Ended,
    Conflict,
    NameTaken,
    EmailTaken,
    PublisherPresent,
    MalformedSdp,
    UnacceptableSdp,
    InvalidValue,
    TooLarge,
    RateLimited,
    Full,
    ShuttingDown,
    Unavailable,
    Internal,
    /// Slow mode, or too many messages of one person.
    SlowDown,
    /// A moderator has silenced this person for a while.
    TimedOut,
    Banned,
    /// The chat is for others just now: accounts, followers, friends, emoji.
    ChatRestricted,
    /// The filter refuses the message.
    Filtered,
    /// The message waits for a moderator; a `ruled` says what becomes of it.
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    ShuttingDown,
    SlowConsumer,
    HelloTimeout,
    PingTimeout,
    ProtocolError,
    /// Another connection resumed this session.
    Replaced,
}
