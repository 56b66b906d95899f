//! The contract with clients: every message of `/v1/ws`, and the JSON shapes that the REST interface shares with it.
//!
//! One JSON object per text frame, told apart by `type`. Requests carry an `id` of the client's choice; the answer (or the error)
//! repeats it. Unknown fields are ignored in both directions, unknown message types get `unknown_message`. A change here also edits
//! `web-client/src/protocol.ts` (generated), `tests/golden/signaling/` and `docs/protocol.md`, in the same commit.

mod broadcast;
mod errors;
pub(crate) mod json;
mod media;
mod on_air;
mod people;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use self::broadcast::{
    BroadcastChanges, BroadcastView, ClockChange, DvrView, LayerView, Marker, MarkerKind, MatchClock, Score, ScoreChange, Team, Teams,
};
pub use self::errors::{ByeReason, ErrorCode, ErrorView};
pub use self::media::{IceServer, Intent, PeerState, PlaybackReport, QualityChoice, Slot, StatsView};
pub use self::on_air::{GuestView, OnAirAsk, OnAirLayout, RaisedHand};
pub use self::people::{FriendOnline, Presence, Watching};
pub use crate::accounts::Grant;
use crate::ids::{CallId, MarkerId, PeerId, SessionId, UserId};
use crate::sfu::codec::{Codec, MediaKind};
pub use crate::social::call::{CallAsk, CallLine, CallMember, CallOver, CallPlay, CallView, LinkWord, MemberId, Pace, RingOver, Ringing};
pub use crate::social::chat::{
    Audience, ChatAuthor, ChatEvent, ChatHistory, ChatMessage, ChatModes, ChatRole, DeskEvent, FilterRule, HeldMessage, MessageId, ReplyTo,
    ReportReason, Restraint, Ruling, Verdict,
};
pub use crate::social::people::{Person, PrivateMessage};
pub use crate::social::presence::ViewerCount;
pub use crate::social::reactions::{ReactionCount, ReactionKind};
pub use crate::social::{ChatFrame, ChatView};
pub use crate::store::{BroadcastState, Visibility};

/// Version of this protocol. A server refuses any other with `unsupported_protocol` and names the one it speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// From client to server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First message of every connection, within `limits::HELLO_TIMEOUT`.
    Hello {
        protocol: u32,
        /// Program and version, for logs. At most 64 bytes.
        client: String,
        /// Capability or identity token (JWT). Without one the client is a guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        token: Option<String>,
        /// The `resume` text of an earlier `welcome`: the session goes on, its media peers with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        resume: Option<String>,
    },
    /// Clock and liveness. Answered at once with `pong`.
    Ping { id: u32, client_time_ms: f64 },
    /// Enters a broadcast: its state, timeline and viewer count follow. Leaves the one before.
    Join {
        id: u32,
        /// Id or slug.
        broadcast: String,
        /// A token for this broadcast, when it needs another one than `hello` carried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        token: Option<String>,
        /// Looks without watching, as the moving picture in a list does: not counted as a viewer, yet takes a viewer's place on the node.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(optional, as = "Option<bool>")]
        preview: bool,
    },
    /// Leaves the broadcast; its media peers are closed.
    Leave { id: u32 },
    /// Offers a media peer on the joined broadcast, or, with `peer`, negotiates an existing one anew (ICE restart included).
    Offer {
        id: u32,
        intent: Intent,
        sdp: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        peer: Option<PeerId>,
    },
    /// A trickled candidate. The server is ICE-lite and learns addresses from checks, so this is accepted and not needed.
    Candidate {
        #[ts(type = "string")]
        peer: PeerId,
        candidate: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        mid: Option<String>,
    },
    /// Closes a media peer.
    ClosePeer {
        id: u32,
        #[ts(type = "string")]
        peer: PeerId,
    },
    /// Which layer this viewer wants.
    Quality {
        id: u32,
        #[ts(type = "string")]
        peer: PeerId,
        choice: QualityChoice,
    },
    /// How large this client draws a picture it receives, so that nobody is sent pixels that nobody sees. Holds for one m-line of one peer
    /// until it is said anew; never said, it limits nothing.
    ViewSize {
        #[ts(type = "string")]
        peer: PeerId,
        mid: String,
        /// Lines of the picture in device pixels; 0 while it is not drawn at all (a hidden page), and then none is sent.
        height: u16,
    },
    /// Starts or stops `stats` once a second for a peer of this session.
    WatchStats {
        id: u32,
        #[ts(type = "string")]
        peer: PeerId,
        on: bool,
    },
    /// What the client itself measured: for the server's metrics, at most every 5 s.
    Report { report: PlaybackReport },
    /// Changes the broadcast (needs the publish grant). Absent fields stay, `null` clears.
    UpdateBroadcast { id: u32, changes: BroadcastChanges },
    /// Marks a moment (needs the publish grant).
    Mark {
        id: u32,
        kind: MarkerKind,
        label: String,
        /// The media time that the sender saw; the server's live edge when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        media_time_ms: Option<f64>,
    },
    /// Removes a marker (needs the publish grant).
    Unmark {
        id: u32,
        #[ts(type = "string")]
        marker: MarkerId,
    },
    /// Ends the broadcast for good (needs the publish grant).
    EndBroadcast { id: u32 },
    /// Takes a seat in the chat of the joined broadcast (needs the chat grant to write, none to read).
    EnterChat {
        id: u32,
        /// The last message that this client has; without it, what is kept is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        since: Option<MessageId>,
    },
    /// Gives the seat back.
    LeaveChat { id: u32 },
    /// Says something in the chat.
    Say {
        id: u32,
        /// Drawn by the client for this message, at most 2^53; the same one when it is sent again, so that it is said once.
        #[ts(type = "number")]
        nonce: u64,
        /// At most 500 characters.
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        reply_to: Option<MessageId>,
        /// At most 5.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<String>>", optional)]
        mentions: Vec<UserId>,
        /// The media time on the sender's screen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        media_time_ms: Option<f64>,
    },
    /// Changes something in the chat.
    ChangeChat { id: u32, change: ChatChange },
    /// Puts a message before the moderators.
    ReportMessage {
        id: u32,
        #[ts(type = "string")]
        message: MessageId,
        reason: ReportReason,
        /// At most 200 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        note: Option<String>,
    },
    /// Looks at friends: those who are online, and `presence` when that changes (needs an account).
    WatchFriends { id: u32 },
    /// Looks away.
    UnwatchFriends { id: u32 },
    /// Throws reactions at the screen.
    React {
        taps: Vec<Tap>,
        /// The media time on the sender's screen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        media_time_ms: Option<f64>,
    },
    /// About a call (needs the call grant).
    Call { id: u32, ask: CallAsk },
    /// Once a second while in a call: how far behind this client's picture is.
    CallPace { pace: Pace },
    /// About guests on air.
    OnAir { id: u32, ask: OnAirAsk },
}

/// What somebody changes in the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ChatChange {
    /// One's own message, for five minutes.
    Edit {
        #[ts(type = "string")]
        message: MessageId,
        text: String,
    },
    /// One's own message; moderators anybody's.
    Delete {
        #[ts(type = "string")]
        message: MessageId,
        /// For the audit log, at most 200 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        note: Option<String>,
    },
    /// Moderators. Without a message nothing is pinned any more.
    Pin {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        message: Option<MessageId>,
    },
    /// Moderators.
    Modes { modes: ChatModes },
    /// Moderators.
    Restrain {
        #[ts(type = "string")]
        user: UserId,
        restraint: Restraint,
        /// For the audit log, at most 200 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        note: Option<String>,
    },
    /// Moderators: the whole list of words that may not be said; `word*` is every word that begins so.
    Words { words: Vec<String> },
    /// Moderators: rules on a message that waits for it.
    Review {
        #[ts(type = "string")]
        held: MessageId,
        verdict: Verdict,
        /// For the audit log, at most 200 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        note: Option<String>,
    },
    /// How much of a busy chat this client wants to see.
    View { view: ChatView },
}

/// Taps of one kind since the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Tap {
    pub kind: ReactionKind,
    /// At most 20; more are not counted.
    pub count: u32,
}

/// What carries the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Webrtc,
    Hls,
}

/// Why a node asks a viewer to change over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TransportReason {
    /// It sends nearly as much as it can.
    NodeFull,
    /// It has room again.
    RoomAgain,
}

/// From server to client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Answer to `hello`.
    Welcome {
        protocol: u32,
        /// Program and version.
        server: String,
        #[ts(type = "string")]
        session: SessionId,
        /// Opaque; hand it back in `hello` to resume within `resume_window_ms`.
        resume: String,
        resume_window_ms: u32,
        /// Whether an earlier session goes on (its peers are still there).
        resumed: bool,
        user: UserView,
        /// A fresh identity token when the client brought none (or one about to expire): keep it and send it next time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        token: Option<String>,
        server_time_ms: f64,
        /// For `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
        /// Send a `ping` at least this often.
        ping_interval_ms: u32,
    },
    Pong {
        id: u32,
        client_time_ms: f64,
        server_time_ms: f64,
    },
    /// Answer to `join`.
    Joined {
        id: u32,
        broadcast: BroadcastView,
        /// What this client may do here.
        grants: Vec<Grant>,
    },
    /// A request without a result of its own was carried out.
    Done {
        id: u32,
    },
    /// Answer to `offer`.
    Answer {
        id: u32,
        #[ts(type = "string")]
        peer: PeerId,
        sdp: String,
    },
    /// Which source fills which receiving m-line of the peer. Slots not named stay empty.
    Slots {
        #[ts(type = "string")]
        peer: PeerId,
        slots: Vec<Slot>,
    },
    /// The broadcast changed: state, title, teams, score, clock or markers. Always whole.
    Broadcast {
        broadcast: BroadcastView,
    },
    /// People watching now, and the most there were.
    Viewers {
        count: u32,
        peak: u32,
    },
    /// ICE and DTLS are up, or the peer is gone.
    PeerState {
        #[ts(type = "string")]
        peer: PeerId,
        state: PeerState,
    },
    /// First media left for this peer.
    Playing {
        #[ts(type = "string")]
        peer: PeerId,
    },
    /// The RTP clock of what this peer is sent on `mid`: `media_time_ms = ntp0_ms + int32(rtp - rtp0) * 1000 / rate`.
    TrackClock {
        #[ts(type = "string")]
        peer: PeerId,
        mid: String,
        kind: MediaKind,
        rtp0: u32,
        ntp0_ms: f64,
        rate: u32,
    },
    /// How this viewer is to watch from now on: the node makes room, or has it again. Close the peer and play the broadcast's HLS, or offer anew.
    Transport {
        to: Transport,
        reason: TransportReason,
    },
    /// The layers the broadcast has now, smallest first (for the quality menu), and for a publisher's own peer what arrives.
    Layers {
        layers: Vec<LayerView>,
    },
    /// The layer this peer is sent and the one it is moving to (index into the spatial layers; absent: none).
    Layer {
        #[ts(type = "string")]
        peer: PeerId,
        mid: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        current: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        target: Option<u8>,
    },
    /// This client did not offer the codec of the broadcast: there will be no picture on this peer.
    CannotDecode {
        #[ts(type = "string")]
        peer: PeerId,
        codec: Codec,
    },
    /// To a publisher: nobody can use these simulcast layers of its peer now, so it need not send them. Always the whole list; what is no
    /// longer in it is wanted at once. The smallest layer is never in it.
    Unwatched {
        #[ts(type = "string")]
        peer: PeerId,
        rids: Vec<String>,
    },
    /// The publisher's own stream is refused, in words.
    PublisherRefused {
        #[ts(type = "string")]
        peer: PeerId,
        code: String,
        message: String,
    },
    /// Once a second after `watch_stats`.
    Stats {
        #[ts(type = "string")]
        peer: PeerId,
        stats: StatsView,
    },
    /// Answer to `enter_chat`.
    ChatEntered {
        id: u32,
        history: ChatHistory,
        /// What this client is here; absent: it may read only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        role: Option<ChatRole>,
    },
    /// Answer to `say`: it is in the chat under this id. In a busy chat it may not come back in a `chat` message.
    Said {
        id: u32,
        #[ts(type = "string")]
        message: MessageId,
    },
    /// What happened in the chat. A message that you know already is to be ignored.
    Chat {
        frame: ChatFrame,
    },
    /// This client has read too slowly: the chat as it is now, instead of what it missed.
    ChatResync {
        history: ChatHistory,
    },
    /// Answer to `watch_friends`: the friends who are online; the others are not.
    FriendsOnline {
        id: u32,
        friends: Vec<FriendOnline>,
    },
    /// After `watch_friends`: a friend came, went, or watches something else.
    Presence {
        #[ts(type = "string")]
        user: UserId,
        presence: Presence,
    },
    /// What somebody is to this person has changed.
    FriendChanged {
        person: Person,
    },
    /// Written to this person, or by them elsewhere.
    PrivateMessage {
        /// The other one.
        person: Person,
        message: PrivateMessage,
    },
    /// Of a conversation, one of the two has read up to this number.
    MessagesRead {
        /// The other one.
        #[ts(type = "string")]
        user: UserId,
        #[ts(type = "string")]
        reader: UserId,
        #[ts(type = "number")]
        up_to: u64,
    },
    /// Answer to `call` with `start` or `join`: this client is in. Offers of its peer may send from now on.
    CallEntered {
        id: u32,
        member: MemberId,
        call: CallView,
    },
    /// Answer to `call` with `link`.
    CallLink {
        id: u32,
        /// Goes into the link: `/watch/{slug}?call={call}&invitation={invitation}`.
        invitation: String,
        /// Wall clock, ms since the Unix epoch.
        #[ts(type = "number")]
        expires_at_ms: u64,
    },
    /// The call changed.
    Call {
        call: CallView,
    },
    /// This client is no longer in the call; its peer sends and receives nothing of it any more.
    CallOver {
        #[ts(type = "string")]
        call: CallId,
        reason: CallOver,
    },
    /// Somebody asks this person into a call.
    CallRing {
        #[ts(type = "string")]
        call: CallId,
        from: Person,
        /// Where it is. Absent: this person may not watch it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        watching: Option<Watching>,
        /// Wall clock, ms since the Unix epoch.
        #[ts(type = "number")]
        expires_at_ms: u64,
    },
    CallRingOver {
        #[ts(type = "string")]
        call: CallId,
        reason: RingOver,
    },
    /// A member began or ceased to speak.
    CallSpeaking {
        member: MemberId,
        speaking: bool,
        /// How loud: 0 loudest, 127 silence.
        level_dbov: u8,
    },
    CallSaid {
        line: CallLine,
    },
    CallReacted {
        by: MemberId,
        to: MemberId,
        kind: ReactionKind,
    },
    /// Somebody moved everybody who is in step.
    CallPlayed {
        by: MemberId,
        play: CallPlay,
    },
    /// How far behind the server's clock those in step are held now.
    CallPaced {
        behind_ms: f64,
    },
    /// To the broadcaster: who wants to come on air. Always whole.
    Hands {
        hands: Vec<RaisedHand>,
    },
    /// The broadcaster asks this person to come on air.
    OnAirInvited {
        /// Wall clock, ms since the Unix epoch.
        #[ts(type = "number")]
        expires_at_ms: u64,
    },
    /// To the guest: they are asked no longer, or are off air.
    OnAirOver {
        /// By the broadcaster, and not because the time was over or they left.
        ended: bool,
    },
    /// A request failed, or (without `id`) the connection did something wrong.
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        id: Option<u32>,
        error: ErrorView,
    },
    /// The server is about to close this connection. The client reconnects after the delay, with jitter, unless it is absent.
    Bye {
        reason: ByeReason,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reconnect_after_ms: Option<u32>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UserView {
    #[ts(type = "string")]
    pub id: UserId,
    pub name: String,
    pub guest: bool,
}
