//! Why the control plane refuses something: one value, spoken as a WebSocket error and as problem+json in the same words.

use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::protocol::{ErrorCode, ErrorView, Grant};
use crate::accounts::{AccountError, AccountRefusal, TokenError};
use crate::sfu::handle::SfuError;
use crate::social::bus::BusError;
use crate::social::call::CallRefusal;
use crate::social::chat::ChatRefusal;
use crate::store::StoreError;

/// A refusal; a variant per thing that the client does differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this server speaks protocol {ours}, not {theirs}")]
    UnsupportedProtocol { ours: u32, theirs: u32 },
    #[error("no message of that type: {0}")]
    UnknownMessage(String),
    #[error("the message cannot be read: {0}")]
    MalformedMessage(String),
    #[error("the first message must be hello")]
    HelloFirst,
    #[error("hello was said already")]
    HelloTwice,
    #[error("join a broadcast first")]
    NotJoined,
    #[error("a bearer token is needed")]
    TokenNeeded,
    #[error("the token is not valid here")]
    InvalidToken,
    #[error("the token has expired")]
    TokenExpired,
    #[error("this needs the grant `{}`", grant_word(*.0))]
    Forbidden(Grant),
    #[error("you may not make broadcasts here")]
    MayNotBroadcast,
    #[error("only the owner of the broadcast may do this")]
    NotYours,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the broadcast has ended")]
    Ended,
    #[error("the broadcast is not live yet")]
    NotLive,
    #[error("another broadcast has this slug")]
    SlugTaken,
    #[error("somebody else is publishing this broadcast")]
    PublisherPresent,
    #[error("another publisher with the same credential took over")]
    Superseded,
    #[error("the SDP is malformed: {0}")]
    MalformedSdp(String),
    #[error("nothing in the offer can be served: {0}")]
    UnacceptableSdp(String),
    #[error("`{field}` must be {rule}")]
    InvalidValue { field: &'static str, rule: &'static str },
    #[error("too large: {what} has at most {max} bytes")]
    TooLarge { what: &'static str, max: usize },
    #[error("too many messages")]
    RateLimited,
    #[error("full: {0}")]
    Full(&'static str),
    #[error("the content type must be {0}")]
    UnsupportedMediaType(&'static str),
    #[error("this resource does not have the method {0}")]
    MethodNotAllowed(Method),
    #[error("send If-Match with the ETag of the session")]
    PreconditionRequired,
    #[error("the ETag of the session is another one")]
    PreconditionFailed,
    #[error(transparent)]
    Account(#[from] AccountRefusal),
    #[error("only friends can write to each other")]
    NotFriends,
    #[error("this is for pages of this server: send the header X-Courtside")]
    CrossSite,
    #[error("only operators may do this")]
    OperatorsOnly,
    #[error("the database does not answer")]
    StoreUnavailable,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the media plane does not answer")]
    Unavailable,
    #[error("enter the chat first")]
    NotInChat,
    #[error(transparent)]
    Chat(#[from] ChatRefusal),
    #[error(transparent)]
    Call(#[from] CallRefusal),
    #[error("somebody is on air, or is asked to be, already")]
    OnAirTaken,
    #[error("you are not asked on air")]
    NotAsked,
    #[error("nobody is on air")]
    NobodyOnAir,
}

const fn grant_word(grant: Grant) -> &'static str {
    match grant {
        Grant::View => "view",
        Grant::Publish => "publish",
        Grant::Chat => "chat",
        Grant::Call => "call",
        Grant::Moderate => "moderate",
    }
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnsupportedProtocol { .. } => ErrorCode::UnsupportedProtocol,
            Self::UnknownMessage(_) | Self::MethodNotAllowed(_) => ErrorCode::UnknownMessage,
            Self::MalformedMessage(_) | Self::HelloTwice => ErrorCode::MalformedMessage,
            Self::HelloFirst => ErrorCode::HelloFirst,
            Self::NotJoined | Self::NotInChat => ErrorCode::NotJoined,
            Self::Chat(refusal) => chat_code(*refusal),
            Self::Call(refusal) => call_code(*refusal),
            Self::OnAirTaken | Self::NobodyOnAir => ErrorCode::Conflict,
            Self::NotAsked => ErrorCode::Forbidden,
            Self::InvalidToken => ErrorCode::InvalidToken,
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::TokenNeeded | Self::Forbidden(_) | Self::MayNotBroadcast | Self::NotYours | Self::CrossSite | Self::OperatorsOnly => {
                ErrorCode::Forbidden
            }
            Self::Account(refusal) => account_code(*refusal),
            Self::NotFriends => ErrorCode::NotFriends,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Ended => ErrorCode::Ended,
            Self::NotLive | Self::SlugTaken | Self::Superseded | Self::PreconditionRequired | Self::PreconditionFailed => {
                ErrorCode::Conflict
            }
            Self::PublisherPresent => ErrorCode::PublisherPresent,
            Self::MalformedSdp(_) => ErrorCode::MalformedSdp,
            Self::UnacceptableSdp(_) => ErrorCode::UnacceptableSdp,
            Self::InvalidValue { .. } | Self::UnsupportedMediaType(_) => ErrorCode::InvalidValue,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::RateLimited => ErrorCode::RateLimited,
            Self::Full(_) => ErrorCode::Full,
            Self::ShuttingDown => ErrorCode::ShuttingDown,
            Self::Unavailable | Self::StoreUnavailable => ErrorCode::Unavailable,
        }
    }

    /// The HTTP status of the same refusal. RFC 9725 sections 4.2 to 4.5 name those of WHIP.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::UnsupportedProtocol { .. }
            | Self::UnknownMessage(_)
            | Self::MalformedMessage(_)
            | Self::HelloFirst
            | Self::HelloTwice
            | Self::NotJoined
            | Self::NotInChat
            | Self::MalformedSdp(_) => StatusCode::BAD_REQUEST,
            Self::TokenNeeded
            | Self::InvalidToken
            | Self::TokenExpired
            | Self::Account(AccountRefusal::WrongCredentials | AccountRefusal::SignInEnded) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_)
            | Self::MayNotBroadcast
            | Self::NotYours
            | Self::Account(AccountRefusal::SignUpClosed | AccountRefusal::NoAccount)
            | Self::NotFriends
            | Self::CrossSite
            | Self::OperatorsOnly => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Ended => StatusCode::GONE,
            Self::NotLive
            | Self::SlugTaken
            | Self::PublisherPresent
            | Self::Superseded
            | Self::Account(AccountRefusal::AccountExists | AccountRefusal::NameTaken | AccountRefusal::EmailTaken) => StatusCode::CONFLICT,
            Self::UnacceptableSdp(_) | Self::InvalidValue { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Full(_) | Self::ShuttingDown | Self::Unavailable | Self::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Chat(ChatRefusal::NoMessage) | Self::Call(CallRefusal::NoCall | CallRefusal::NoMember) => StatusCode::NOT_FOUND,
            Self::OnAirTaken | Self::NobodyOnAir => StatusCode::CONFLICT,
            Self::NotAsked => StatusCode::FORBIDDEN,
            Self::Call(refusal) => call_status(*refusal),
            Self::Chat(ChatRefusal::Slow { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Chat(ChatRefusal::Unavailable | ChatRefusal::Full) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Chat(
                ChatRefusal::Empty
                | ChatRefusal::TooLong
                | ChatRefusal::TooManyMentions
                | ChatRefusal::NoteTooLong
                | ChatRefusal::EditedTooLate
                | ChatRefusal::Filtered { .. }
                | ChatRefusal::Held,
            ) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Chat(
                ChatRefusal::AccountsOnly
                | ChatRefusal::FollowersOnly
                | ChatRefusal::FriendsOnly
                | ChatRefusal::EmoteOnly
                | ChatRefusal::TimedOut { .. }
                | ChatRefusal::Banned
                | ChatRefusal::NotYours
                | ChatRefusal::NotModerator
                | ChatRefusal::Protected,
            ) => StatusCode::FORBIDDEN,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn retryable(&self) -> bool {
        matches!(
            self,
            Self::NotLive
                | Self::PublisherPresent
                | Self::RateLimited
                | Self::Full(_)
                | Self::ShuttingDown
                | Self::Unavailable
                | Self::StoreUnavailable
                | Self::OnAirTaken
                | Self::Call(
                    CallRefusal::TooFast { .. }
                        | CallRefusal::Full
                        | CallRefusal::VideoFull
                        | CallRefusal::CallsFull
                        | CallRefusal::RingsFull
                )
                | Self::Chat(ChatRefusal::Slow { .. } | ChatRefusal::TimedOut { .. } | ChatRefusal::Unavailable)
        )
    }

    /// When to try again, for `Retry-After`.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.retryable() {
            true => Some(Duration::from_secs(5)),
            false => None,
        }
    }

    /// As clients see it over WebSocket, counted.
    pub fn to_view(&self) -> ErrorView {
        self.count();
        let retry_after_ms = match self {
            Self::Chat(ChatRefusal::Slow { wait_ms } | ChatRefusal::TimedOut { wait_ms }) => {
                Some(u32::try_from(*wait_ms).unwrap_or(u32::MAX))
            }
            Self::Call(CallRefusal::TooFast { wait_ms }) => Some(*wait_ms),
            _ => None,
        };
        ErrorView { code: self.code(), message: self.to_string(), retryable: self.retryable(), retry_after_ms }
    }
}

const fn account_code(refusal: AccountRefusal) -> ErrorCode {
    match refusal {
        AccountRefusal::SignUpClosed | AccountRefusal::NoAccount => ErrorCode::Forbidden,
        AccountRefusal::WrongCredentials => ErrorCode::WrongCredentials,
        AccountRefusal::SignInEnded => ErrorCode::SignInEnded,
        AccountRefusal::AccountExists => ErrorCode::Conflict,
        AccountRefusal::NameTaken => ErrorCode::NameTaken,
        AccountRefusal::EmailTaken => ErrorCode::EmailTaken,
    }
}

const fn chat_code(refusal: ChatRefusal) -> ErrorCode {
    match refusal {
        ChatRefusal::Empty
        | ChatRefusal::TooLong
        | ChatRefusal::TooManyMentions
        | ChatRefusal::NoteTooLong
        | ChatRefusal::EditedTooLate => ErrorCode::InvalidValue,
        ChatRefusal::Slow { .. } => ErrorCode::SlowDown,
        ChatRefusal::AccountsOnly | ChatRefusal::FollowersOnly | ChatRefusal::FriendsOnly | ChatRefusal::EmoteOnly => {
            ErrorCode::ChatRestricted
        }
        ChatRefusal::TimedOut { .. } => ErrorCode::TimedOut,
        ChatRefusal::Banned => ErrorCode::Banned,
        ChatRefusal::Filtered { .. } => ErrorCode::Filtered,
        ChatRefusal::Held => ErrorCode::Held,
        ChatRefusal::NoMessage => ErrorCode::NotFound,
        ChatRefusal::NotYours | ChatRefusal::NotModerator | ChatRefusal::Protected => ErrorCode::Forbidden,
        ChatRefusal::Full => ErrorCode::Full,
        ChatRefusal::Unavailable => ErrorCode::Unavailable,
    }
}

const fn call_code(refusal: CallRefusal) -> ErrorCode {
    match refusal {
        CallRefusal::NoCall | CallRefusal::NoMember => ErrorCode::NotFound,
        CallRefusal::NotInCall | CallRefusal::OtherBroadcast | CallRefusal::NotInStep => ErrorCode::NotJoined,
        CallRefusal::NotInvited | CallRefusal::Blocked | CallRefusal::NotHost => ErrorCode::Forbidden,
        CallRefusal::InvitationExpired => ErrorCode::InvitationExpired,
        CallRefusal::Removed => ErrorCode::Removed,
        CallRefusal::Full | CallRefusal::CallsFull | CallRefusal::LinksFull | CallRefusal::RingsFull => ErrorCode::Full,
        CallRefusal::VideoFull => ErrorCode::VideoFull,
        CallRefusal::TooFast { .. } => ErrorCode::SlowDown,
        CallRefusal::NotFriends => ErrorCode::NotFriends,
        CallRefusal::InvalidValue { .. } => ErrorCode::InvalidValue,
    }
}

const fn call_status(refusal: CallRefusal) -> StatusCode {
    match refusal {
        CallRefusal::NoCall | CallRefusal::NoMember => StatusCode::NOT_FOUND,
        CallRefusal::NotInCall | CallRefusal::OtherBroadcast | CallRefusal::NotInStep => StatusCode::BAD_REQUEST,
        CallRefusal::NotInvited
        | CallRefusal::Blocked
        | CallRefusal::NotHost
        | CallRefusal::InvitationExpired
        | CallRefusal::Removed
        | CallRefusal::NotFriends => StatusCode::FORBIDDEN,
        CallRefusal::Full | CallRefusal::CallsFull | CallRefusal::LinksFull | CallRefusal::RingsFull | CallRefusal::VideoFull => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        CallRefusal::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
        CallRefusal::InvalidValue { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::StoreUnavailable
    }
}

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Superseded | BusError::Unavailable(_) => Self::Chat(ChatRefusal::Unavailable),
        }
    }
}

impl Refusal {
    /// Counts it as told to a client.
    pub(crate) fn count(&self) {
        let code = serde_json::to_value(self.code()).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default();
        metrics::counter!(crate::telemetry::SIGNALING_ERRORS, "code" => code).increment(1);
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::InvalidToken,
            TokenError::Expired => Self::TokenExpired,
        }
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Refused(refusal) => Self::Account(refusal),
            AccountError::InvalidValue { field, rule } => Self::InvalidValue { field, rule },
            AccountError::NotFound(what) => Self::NotFound(what),
            AccountError::Busy(_) => Self::Full("too many passwords are being checked"),
            AccountError::Store(error) => {
                tracing::error!(%error, "an account could not be read or written");
                Self::StoreUnavailable
            }
        }
    }
}

impl From<SfuError> for Refusal {
    fn from(error: SfuError) -> Self {
        match error {
            SfuError::MalformedOffer { reason } => Self::MalformedSdp(reason),
            SfuError::Unacceptable { reason } => Self::UnacceptableSdp(reason),
            SfuError::PublisherPresent { .. } => Self::PublisherPresent,
            SfuError::UnknownPeer => Self::NotFound("peer"),
            SfuError::Full { what } => Self::Full(what),
            SfuError::Unavailable => Self::Unavailable,
        }
    }
}
