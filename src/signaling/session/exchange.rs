//! What a session asks its shell to do, and what the shell tells it of that.

use crate::accounts::Claims;
use crate::ids::{BroadcastId, MarkerId, PeerId};
use crate::sfu::handle::{LayerChoice, PeerStats};
use crate::signaling::live::{CallDone, JoinAs, Joined};
use crate::signaling::protocol::{
    BroadcastChanges, ByeReason, CallAsk, ChatAuthor, ChatHistory, ChatRole, ChatView, FriendOnline, Intent, MarkerKind, MessageId,
    OnAirAsk, Pace, PlaybackReport, ServerMessage, Slot, Tap,
};
use crate::signaling::refusal::Refusal;
use crate::social::chat::Ask;

/// What the shell must do, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Send(ServerMessage),
    Command(Command),
    /// Count what the client measured.
    Report(PlaybackReport),
    /// Say `bye` and close the connection.
    Bye(ByeReason),
}

/// What the rest of the control plane is asked to do for this session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Join {
        id: u32,
        broadcast: String,
        token: Option<String>,
        join_as: JoinAs,
    },
    Leave {
        id: u32,
    },
    AddPeer {
        id: u32,
        broadcast: BroadcastId,
        intent: Intent,
        sdp: String,
    },
    Renegotiate {
        id: u32,
        peer: PeerId,
        sdp: String,
    },
    ClosePeer {
        id: u32,
        peer: PeerId,
    },
    /// A peer whose answer came too late; nobody waits for this.
    DropPeer {
        peer: PeerId,
    },
    ChooseLayer {
        id: u32,
        peer: PeerId,
        choice: LayerChoice,
    },
    /// Nobody waits for this.
    DrawnAt {
        peer: PeerId,
        mid: String,
        height: u16,
    },
    ReadStats {
        peer: PeerId,
    },
    Change {
        id: u32,
        broadcast: BroadcastId,
        changes: BroadcastChanges,
    },
    Mark {
        id: u32,
        broadcast: BroadcastId,
        kind: MarkerKind,
        label: String,
        media_time_ms: Option<f64>,
    },
    Unmark {
        id: u32,
        broadcast: BroadcastId,
        marker: MarkerId,
    },
    End {
        id: u32,
        broadcast: BroadcastId,
    },
    EnterChat {
        id: u32,
        broadcast: BroadcastId,
        role: Option<ChatRole>,
        since: Option<MessageId>,
    },
    LeaveChat {
        id: u32,
    },
    /// Answered later, by [`Session::handle_chat_answer`].
    AskChat {
        id: u32,
        author: ChatAuthor,
        ask: Ask,
    },
    ViewChat {
        id: u32,
        view: ChatView,
    },
    WatchFriends {
        id: u32,
    },
    UnwatchFriends {
        id: u32,
    },
    Call {
        id: u32,
        /// `None` where none need be joined.
        broadcast: Option<BroadcastId>,
        ask: CallAsk,
    },
    /// Nobody waits for this.
    ReportPace {
        pace: Pace,
    },
    OnAir {
        id: u32,
        broadcast: BroadcastId,
        ask: OnAirAsk,
    },
    /// Nobody waits for this.
    React {
        taps: Vec<Tap>,
        media_time_ms: Option<f64>,
    },
}

/// An answer and what its receiving m-lines carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) peer: PeerId,
    pub(crate) sdp: String,
    pub(crate) slots: Vec<Slot>,
}

/// What became of a [`Command`].
#[expect(clippy::large_enum_variant, reason = "values live for one step and are never kept in numbers")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Joined {
        id: u32,
        result: Result<(Joined, Claims), Refusal>,
    },
    /// Of `AddPeer` and `Renegotiate`.
    Answered {
        id: u32,
        intent: Option<Intent>,
        result: Result<Negotiated, Refusal>,
    },
    /// Of every command without a result of its own.
    Done {
        id: u32,
        result: Result<(), Refusal>,
    },
    Stats {
        peer: PeerId,
        result: Result<PeerStats, Refusal>,
    },
    EnteredChat {
        id: u32,
        role: Option<ChatRole>,
        result: Result<ChatHistory, Refusal>,
    },
    Call {
        id: u32,
        result: Result<CallDone, Refusal>,
    },
    WatchesFriends {
        id: u32,
        result: Result<Vec<FriendOnline>, Refusal>,
    },
}
