//! Why something about a call is refused.

use crate::limits::{CALL_MEMBERS_MAX, CALL_VIDEO_MAX};

/// A variant per thing that the client does differently, or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallRefusal {
    #[error("there is no such call")]
    NoCall,
    #[error("enter the call first")]
    NotInCall,
    #[error("the call is beside another broadcast: join that one first")]
    OtherBroadcast,
    #[error("nobody has asked you into this call")]
    NotInvited,
    #[error("the invitation has expired: ask for a new link")]
    InvitationExpired,
    #[error("the host has sent this person out of the call: only the host can ask them in again")]
    Removed,
    #[error("you cannot be in this call together with somebody in it")]
    Blocked,
    #[error("full: the call has as many members as it can hold ({})", CALL_MEMBERS_MAX)]
    Full,
    #[error("full: {} members show their picture already; you can be heard", CALL_VIDEO_MAX)]
    VideoFull,
    #[error("full: this server holds no more calls just now")]
    CallsFull,
    #[error("full: the call has as many links as it can; use one of them")]
    LinksFull,
    #[error("full: too many people are rung at once")]
    RingsFull,
    #[error("too fast")]
    TooFast { wait_ms: u32 },
    #[error("only the host of the call may do this")]
    NotHost,
    #[error("there is no such member of the call")]
    NoMember,
    #[error("only friends can be rung")]
    NotFriends,
    #[error("get in step with the others first")]
    NotInStep,
    #[error("`{field}` must be {rule}")]
    InvalidValue { field: &'static str, rule: &'static str },
}

impl CallRefusal {
    /// The word for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoCall | Self::NoMember => "not_found",
            Self::NotInCall | Self::OtherBroadcast | Self::NotInStep => "not_joined",
            Self::NotInvited => "not_invited",
            Self::InvitationExpired => "expired",
            Self::Removed => "removed",
            Self::Blocked => "blocked",
            Self::Full | Self::CallsFull | Self::LinksFull | Self::RingsFull => "full",
            Self::VideoFull => "video_full",
            Self::TooFast { .. } => "too_fast",
            Self::NotHost => "not_host",
            Self::NotFriends => "not_friends",
            Self::InvalidValue { .. } => "invalid",
        }
    }
}
