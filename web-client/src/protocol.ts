// Generated from src/signaling/{protocol,rest}.rs and src/social/; do not edit.
// Regenerate: UPDATE_GOLDEN=1 cargo test --lib signaling::typescript

export const PROTOCOL_VERSION = 1;
export const CALL_MEMBERS_MAX = 50;
export const CALL_VIDEO_MAX = 12;
export const CALL_RING_MAX = 20;
export const CALL_TEXT_MAX = 500;
export const CHAT_TEXT_MAX = 500;
export const PRIVATE_TEXT_MAX = 2000;

/**
 * From client to server.
 */
export type ClientMessage = { "type": "hello", protocol: number,
/**
 * Program and version, for logs. At most 64 bytes.
 */
client: string,
/**
 * Capability or identity token (JWT). Without one the client is a guest.
 */
token?: string,
/**
 * The `resume` text of an earlier `welcome`: the session goes on, its media peers with it.
 */
resume?: string }
  | { "type": "ping", id: number, client_time_ms: number }
  | { "type": "join", id: number,
/**
 * Id or slug.
 */
broadcast: string,
/**
 * A token for this broadcast, when it needs another one than `hello` carried.
 */
token?: string,
/**
 * Looks without watching, as the moving picture in a list does: not counted as a viewer, yet takes a viewer's place on the node.
 */
preview?: boolean }
  | { "type": "leave", id: number }
  | { "type": "offer", id: number, intent: Intent, sdp: string, peer?: string }
  | { "type": "candidate", peer: string, candidate: string, mid?: string }
  | { "type": "close_peer", id: number, peer: string }
  | { "type": "quality", id: number, peer: string, choice: QualityChoice }
  | { "type": "view_size", peer: string, mid: string,
/**
 * Lines of the picture in device pixels; 0 while it is not drawn at all (a hidden page), and then none is sent.
 */
height: number }
  | { "type": "watch_stats", id: number, peer: string, on: boolean }
  | { "type": "report", report: PlaybackReport }
  | { "type": "update_broadcast", id: number, changes: BroadcastChanges }
  | { "type": "mark", id: number, kind: MarkerKind, label: string,
/**
 * The media time that the sender saw; the server's live edge when absent.
 */
media_time_ms?: number }
  | { "type": "unmark", id: number, marker: string }
  | { "type": "end_broadcast", id: number }
  | { "type": "enter_chat", id: number,
/**
 * The last message that this client has; without it, what is kept is sent.
 */
since?: string }
  | { "type": "leave_chat", id: number }
  | { "type": "say", id: number,
/**
 * Drawn by the client for this message, at most 2^53; the same one when it is sent again, so that it is said once.
 */
nonce: number,
/**
 * At most 500 characters.
 */
text: string, reply_to?: string,
/**
 * At most 5.
 */
mentions?: Array<string>,
/**
 * The media time on the sender's screen.
 */
media_time_ms?: number }
  | { "type": "change_chat", id: number, change: ChatChange }
  | { "type": "report_message", id: number, message: string, reason: ReportReason,
/**
 * At most 200 characters.
 */
note?: string }
  | { "type": "watch_friends", id: number }
  | { "type": "unwatch_friends", id: number }
  | { "type": "react", taps: Array<Tap>,
/**
 * The media time on the sender's screen.
 */
media_time_ms?: number }
  | { "type": "call", id: number, ask: CallAsk }
  | { "type": "call_pace", pace: Pace }
  | { "type": "on_air", id: number, ask: OnAirAsk };

/**
 * From server to client.
 */
export type ServerMessage = { "type": "welcome", protocol: number,
/**
 * Program and version.
 */
server: string, session: string,
/**
 * Opaque; hand it back in `hello` to resume within `resume_window_ms`.
 */
resume: string, resume_window_ms: number,
/**
 * Whether an earlier session goes on (its peers are still there).
 */
resumed: boolean, user: UserView,
/**
 * A fresh identity token when the client brought none (or one about to expire): keep it and send it next time.
 */
token?: string, server_time_ms: number,
/**
 * For `RTCPeerConnection`.
 */
ice_servers: Array<IceServer>,
/**
 * Send a `ping` at least this often.
 */
ping_interval_ms: number }
  | { "type": "pong", id: number, client_time_ms: number, server_time_ms: number }
  | { "type": "joined", id: number, broadcast: BroadcastView,
/**
 * What this client may do here.
 */
grants: Array<Grant> }
  | { "type": "done", id: number }
  | { "type": "answer", id: number, peer: string, sdp: string }
  | { "type": "slots", peer: string, slots: Array<Slot> }
  | { "type": "broadcast", broadcast: BroadcastView }
  | { "type": "viewers", count: number, peak: number }
  | { "type": "peer_state", peer: string, state: PeerState }
  | { "type": "playing", peer: string }
  | { "type": "track_clock", peer: string, mid: string, kind: MediaKind, rtp0: number, ntp0_ms: number, rate: number }
  | { "type": "transport", to: Transport, reason: TransportReason }
  | { "type": "layers", layers: Array<LayerView> }
  | { "type": "layer", peer: string, mid: string, current?: number, target?: number }
  | { "type": "cannot_decode", peer: string, codec: Codec }
  | { "type": "unwatched", peer: string, rids: Array<string> }
  | { "type": "publisher_refused", peer: string, code: string, message: string }
  | { "type": "stats", peer: string, stats: StatsView }
  | { "type": "chat_entered", id: number, history: ChatHistory,
/**
 * What this client is here; absent: it may read only.
 */
role?: ChatRole }
  | { "type": "said", id: number, message: string }
  | { "type": "chat", frame: ChatFrame }
  | { "type": "chat_resync", history: ChatHistory }
  | { "type": "friends_online", id: number, friends: Array<FriendOnline> }
  | { "type": "presence", user: string, presence: Presence }
  | { "type": "friend_changed", person: Person }
  | { "type": "private_message",
/**
 * The other one.
 */
person: Person, message: PrivateMessage }
  | { "type": "messages_read",
/**
 * The other one.
 */
user: string, reader: string, up_to: number }
  | { "type": "call_entered", id: number, member: MemberId, call: CallView }
  | { "type": "call_link", id: number,
/**
 * Goes into the link: `/watch/{slug}?call={call}&invitation={invitation}`.
 */
invitation: string,
/**
 * Wall clock, ms since the Unix epoch.
 */
expires_at_ms: number }
  | { "type": "call", call: CallView }
  | { "type": "call_over", call: string, reason: CallOver }
  | { "type": "call_ring", call: string, from: Person,
/**
 * Where it is. Absent: this person may not watch it.
 */
watching?: Watching,
/**
 * Wall clock, ms since the Unix epoch.
 */
expires_at_ms: number }
  | { "type": "call_ring_over", call: string, reason: RingOver }
  | { "type": "call_speaking", member: MemberId, speaking: boolean,
/**
 * How loud: 0 loudest, 127 silence.
 */
level_dbov: number }
  | { "type": "call_said", line: CallLine }
  | { "type": "call_reacted", by: MemberId, to: MemberId, kind: ReactionKind }
  | { "type": "call_played", by: MemberId, play: CallPlay }
  | { "type": "call_paced", behind_ms: number }
  | { "type": "hands", hands: Array<RaisedHand> }
  | { "type": "on_air_invited",
/**
 * Wall clock, ms since the Unix epoch.
 */
expires_at_ms: number }
  | { "type": "on_air_over",
/**
 * By the broadcaster, and not because the time was over or they left.
 */
ended: boolean }
  | { "type": "error", id?: number, error: ErrorView }
  | { "type": "bye", reason: ByeReason, message: string, reconnect_after_ms?: number };

/**
 * What a media peer is for. The m-lines' directions say the rest.
 */
export type Intent = "view" | "publish";

/**
 * A capability, as tokens carry it.
 */
export type Grant = "view" | "publish" | "chat" | "call" | "moderate";

export type QualityChoice = { "mode": "auto" }
  | { "mode": "layer", spatial: number }
  | { "mode": "audio_only" };

export type PeerState = { "state": "connected" }
  | { "state": "gone",
/**
 * `removed`, `closed_by_peer`, `consent_expired`, `connect_timeout` or `dtls_failed`.
 */
reason: string };

/**
 * Which source fills a receiving m-line.
 */
export type Slot = { mid: string, kind: MediaKind,
/**
 * `main`: the broadcast itself; `guest`: who is on air beside it; `member:{id}`: a member of the call.
 */
source: string };

export type UserView = { id: string, name: string, guest: boolean };

export type IceServer = { urls: Array<string>, username?: string, credential?: string };

/**
 * Life of a broadcast.
 */
export type BroadcastState = "idle" | "live" | "reconnecting" | "ended";

/**
 * Who finds a broadcast.
 */
export type Visibility = "public" | "unlisted";

/**
 * A broadcast as everybody sees it: in REST answers and in `joined` / `broadcast`.
 */
export type BroadcastView = { id: string,
/**
 * The name in the URL: 1 to 64 of `a-z 0-9 -`.
 */
slug: string, title: string, visibility: Visibility, state: BroadcastState,
/**
 * Wall clock, ms since the Unix epoch.
 */
created_at_ms: number, started_at_ms?: number, ended_at_ms?: number, viewers: number, viewers_peak: number,
/**
 * The picture's codec once known.
 */
video_codec?: Codec, has_audio: boolean,
/**
 * `/api/v1/broadcasts/{id}/poster?v=N` exists when not 0; N changes with each new poster.
 */
poster_version: number, layers: Array<LayerView>, teams?: Teams, score?: Score, clock?: MatchClock, markers: Array<Marker>,
/**
 * It can be rewound now: `/hls/{id}/dvr.m3u8`.
 */
dvr?: DvrView,
/**
 * It has ended and can be watched again: `/hls/{id}/dvr.m3u8`.
 */
replay?: boolean,
/**
 * Who is on air beside the main picture.
 */
guest?: GuestView };

/**
 * One simulcast layer as it arrives at the server.
 */
export type LayerView = { 
/**
 * 0 = smallest.
 */
spatial: number,
/**
 * Pixels; 0 until known.
 */
width: number, height: number, bitrate_bps: number, frames_per_second: number, active: boolean };

export type Teams = { home: Team, away: Team };

export type Team = { 
/**
 * At most 40 characters.
 */
name: string,
/**
 * At most 4 characters, for the score graphic.
 */
short: string,
/**
 * `#rrggbb`, for the crest only.
 */
color: string };

/**
 * With the media time at which it became true, so that nobody learns of a goal before seeing it.
 */
export type Score = { home: number, away: number, at_media_ms: number };

/**
 * The match clock: `elapsed_ms` at media time `at_media_ms`, going on from there while `running`.
 */
export type MatchClock = { running: boolean, elapsed_ms: number, at_media_ms: number,
/**
 * "2nd half", "Q4" ... at most 16 characters.
 */
period: string };

export type MarkerKind = "goal" | "card" | "chance" | "period" | "other";

/**
 * A marked moment.
 */
export type Marker = { id: string, kind: MarkerKind,
/**
 * At most 80 characters.
 */
label: string, media_time_ms: number };

/**
 * How far a live broadcast can be rewound.
 */
export type DvrView = { 
/**
 * Seconds before the live edge, once that much has been recorded.
 */
window_s: number };

/**
 * Changes to a broadcast. An absent field stays as it is; `null` clears what can be cleared.
 */
export type BroadcastChanges = { title?: string, visibility?: Visibility, teams?: Teams | null, score?: ScoreChange | null, clock?: ClockChange | null };

/**
 * `at_media_ms` absent: now, at the live edge.
 */
export type ScoreChange = { home: number, away: number, at_media_ms?: number };

/**
 * `at_media_ms` absent: now, at the live edge.
 */
export type ClockChange = { running: boolean, elapsed_ms: number, period: string, at_media_ms?: number };

/**
 * What a client measured about its own playback.
 */
export type PlaybackReport = { 
/**
 * From the person's click (or page load) to the first frame on screen.
 */
first_frame_ms?: number,
/**
 * Server clock minus the media time on screen.
 */
latency_ms?: number,
/**
 * Since the last report.
 */
freezes: number, frozen_ms: number, frames_dropped: number };

/**
 * Server-side statistics of one peer.
 */
export type StatsView = { 
/**
 * Bits per second over the last second, media and retransmissions.
 */
sent_bps: number, received_bps: number,
/**
 * 0..1 over the last reports.
 */
loss_down: number, loss_up: number, retransmitted: number, rtt_ms?: number, estimate_bps?: number, current_layer?: number, target_layer?: number };

/**
 * What somebody changes in the chat.
 */
export type ChatChange = { "change": "edit", message: string, text: string }
  | { "change": "delete", message: string,
/**
 * For the audit log, at most 200 characters.
 */
note?: string }
  | { "change": "pin", message?: string }
  | { "change": "modes", modes: ChatModes }
  | { "change": "restrain", user: string, restraint: Restraint,
/**
 * For the audit log, at most 200 characters.
 */
note?: string }
  | { "change": "words", words: Array<string> }
  | { "change": "review", held: string, verdict: Verdict,
/**
 * For the audit log, at most 200 characters.
 */
note?: string }
  | { "change": "view", view: ChatView };

/**
 * How much of a busy chat somebody wants to see.
 */
export type ChatView = "top" | "all";

/**
 * A broadcast's chat as a newcomer finds it.
 */
export type ChatHistory = { 
/**
 * Oldest first; only those above the id that was asked from.
 */
messages: Array<ChatMessage>,
/**
 * Whether messages between the id that was asked from and the first one here are no longer kept.
 */
gap: boolean, modes: ChatModes, pinned?: ChatMessage,
/**
 * All reactions so far.
 */
reactions: Array<ReactionCount>,
/**
 * Messages that wait for a moderator: for moderators all of them, for others their own.
 */
held?: Array<HeldMessage> };

/**
 * What happened in the chat since the last frame.
 */
export type ChatFrame = { events?: Array<ChatEvent>,
/**
 * Further messages that others were shown.
 */
hidden?: number,
/**
 * Of the kinds that grew: all since the broadcast began.
 */
reactions?: Array<ReactionCount>,
/**
 * The moment that they are about, media time in ms: show them when it is on screen. Absent when they are told again.
 */
reactions_at_ms?: number,
/**
 * When it has changed: people in the chat over all nodes.
 */
viewers?: ViewerCount,
/**
 * For this person only: what moderators see beside the chat, and what became of an own message that waited.
 */
desk?: Array<DeskEvent> };

/**
 * One thing that happened in the chat, in the order of the ids.
 */
export type ChatEvent = { "event": "said", message: ChatMessage }
  | { "event": "edited", message: string, text: string,
/**
 * Whose message it is.
 */
author?: string }
  | { "event": "deleted", message: string }
  | { "event": "pinned", message?: ChatMessage }
  | { "event": "modes", modes: ChatModes }
  | { "event": "cleared", user: string };

/**
 * One message.
 */
export type ChatMessage = { 
/**
 * `epoch-number`; rises in the order of the chat.
 */
id: string, author: ChatAuthor, text: string,
/**
 * Wall clock, ms since the Unix epoch.
 */
sent_at_ms: number,
/**
 * The media time that its author saw; show it when that moment is on screen.
 */
media_time_ms?: number, reply_to?: ReplyTo,
/**
 * Who is addressed with `@name`.
 */
mentions?: Array<string>, edited?: boolean };

/**
 * Who said it, as everybody sees them.
 */
export type ChatAuthor = { id: string, name: string, role: ChatRole, guest: boolean };

/**
 * What somebody is in a broadcast.
 */
export type ChatRole = "viewer" | "moderator" | "broadcaster";

/**
 * What a message answers, so that it can be shown without the original.
 */
export type ReplyTo = { id: string, author: string, name: string,
/**
 * The beginning of what was said.
 */
excerpt: string };

/**
 * Who may say how much. All off: everybody, anything.
 */
export type ChatModes = { 
/**
 * Between two messages of one viewer; 0: as fast as the general limit allows.
 */
slow_s: number, audience: Audience, emote_only: boolean,
/**
 * What the filter finds in a message (language, links, words of the list) lets it wait for a moderator, instead of refusing it.
 */
review: boolean };

export type Audience = "everyone" | "accounts" | "followers" | "friends";

/**
 * A message that waits for a moderator.
 */
export type HeldMessage = { 
/**
 * Names it while it waits; approved, it is said under another one.
 */
id: string, author: ChatAuthor, text: string,
/**
 * What the filter found.
 */
rule: FilterRule,
/**
 * Of the one who said it.
 */
nonce: number, held_at_ms: number,
/**
 * It waits no longer than this.
 */
until_ms: number, media_time_ms?: number, reply_to?: ReplyTo, mentions?: Array<string> };

/**
 * Which rule of the filter spoke.
 */
export type FilterRule = "language" | "links" | "repeats" | "capitals" | "words";

/**
 * What becomes of a message that waits.
 */
export type Ruling = "approved" | "refused" | "expired";

/**
 * What a moderator thinks of it.
 */
export type Verdict = "approve" | "refuse";

/**
 * What is for some people in a chat only: moderators, and the author of a message that waits.
 */
export type DeskEvent = { "event": "held", message: HeldMessage }
  | { "event": "ruled", held: string, nonce: number, ruling: Ruling }
  | { "event": "reported", message: ChatMessage, report: Report }
  | { "event": "resolved", message: string }
  | { "event": "restrained", restrained: Restrained }
  | { "event": "lifted", user: string }
  | { "event": "words", words: Array<string> }
  | { "event": "missed" };

/**
 * Somebody who may not write in a chat.
 */
export type Restrained = { 
/**
 * As they were called then; the name is empty where it is not known.
 */
person: Named, since_ms: number,
/**
 * Absent: for good.
 */
until_ms?: number, by?: Named };

/**
 * What a moderator does about a person.
 */
export type Restraint = { "action": "time_out", seconds: number }
  | { "action": "ban" }
  | { "action": "lift" };

/**
 * Taps of one kind since the last message.
 */
export type Tap = { kind: ReactionKind,
/**
 * At most 20; more are not counted.
 */
count: number };

/**
 * What people throw at the screen.
 */
export type ReactionKind = "heart" | "clap" | "laugh" | "wow" | "sad" | "angry" | "fire" | "goal";

/**
 * How many of one kind. In frames and histories: all of them since the broadcast began.
 */
export type ReactionCount = { kind: ReactionKind, count: number };

/**
 * People watching now over all nodes, and the most there were; large numbers rounded.
 */
export type ViewerCount = { count: number, peak: number };

/**
 * What a client asks about calls.
 */
export type CallAsk = { "ask": "start",
/**
 * At most `limits::CALL_RING_MAX`.
 */
ring: Array<string> }
  | { "ask": "join", call: string, invitation?: string }
  | { "ask": "decline", call: string }
  | { "ask": "ring", users: Array<string> }
  | { "ask": "link" }
  | { "ask": "leave" }
  | { "ask": "present", microphone: boolean, camera: boolean, screen: boolean }
  | { "ask": "remove", member: MemberId }
  | { "ask": "mute", member: MemberId }
  | { "ask": "say",
/**
 * Drawn by the client for this message; the same one when it is sent again.
 */
nonce: number,
/**
 * At most `limits::CALL_TEXT_MAX` characters.
 */
text: string }
  | { "ask": "react", kind: ReactionKind, to?: MemberId }
  | { "ask": "in_step", on: boolean }
  | { "ask": "play", play: CallPlay }
  | { "ask": "pin", member?: MemberId };

/**
 * Where everybody who is in step is in the match.
 */
export type CallPlay = { "at": "live" }
  | { "at": "behind",
/**
 * Ms.
 */
behind_ms: number }
  | { "at": "paused",
/**
 * Media time, ms since the Unix epoch.
 */
media_time_ms: number };

/**
 * What a member of a call tells once a second of its own picture; nobody answers.
 */
export type Pace = { 
/**
 * Server clock minus the media time on screen, ms.
 */
behind_ms: number,
/**
 * How little that could be here if nothing held the picture back, ms.
 */
least_ms: number };

/**
 * A call as its members see it. Always whole.
 */
export type CallView = { id: string, broadcast: string,
/**
 * Wall clock, ms since the Unix epoch.
 */
started_at_ms: number,
/**
 * Who may remove and silence: whoever began it, then whoever has been in it longest.
 */
host: MemberId,
/**
 * In the order in which they came.
 */
members: Array<CallMember>,
/**
 * Rung, and neither here nor declined yet.
 */
ringing: Array<Ringing>,
/**
 * The part of the match that those in step watch.
 */
play: CallPlay,
/**
 * How far behind the server's clock those in step are held, ms; absent while nobody has told theirs.
 */
pace_ms?: number,
/**
 * The last `limits::CALL_LINES_KEPT` of the call's own chat, oldest first; only in `call_entered`.
 */
lines?: Array<CallLine> };

export type CallMember = { id: MemberId, user: string, name: string, guest: boolean, microphone: boolean, camera: boolean, screen: boolean,
/**
 * Silenced by the host, until they unmute themselves.
 */
silenced: boolean, in_step: boolean,
/**
 * `false`: nothing is heard of their client just now; they may come back.
 */
here: boolean, link: LinkWord };

/**
 * How well a member's connection carries, in a word.
 */
export type LinkWord = "good" | "weak" | "poor";

export type Ringing = { user: string, name: string };

/**
 * A line of a call's own chat.
 */
export type CallLine = { 
/**
 * From 1, rising.
 */
number: number, member: MemberId,
/**
 * As it was when they said it: they may have left.
 */
name: string, text: string, said_at_ms: number };

/**
 * Why a call is over for this client.
 */
export type CallOver = "left" | "removed" | "blocked" | "elsewhere" | "lost" | "shutting_down";

/**
 * Why it does not ring any more.
 */
export type RingOver = "answered" | "declined" | "missed";

/**
 * A member's number in one call, from 1; never used twice in it.
 */
export type MemberId = number;

/**
 * What a client asks about guests on the joined broadcast.
 */
export type OnAirAsk = { "ask": "raise_hand", raised: boolean }
  | { "ask": "invite", user: string }
  | { "ask": "answer", accept: boolean }
  | { "ask": "layout", layout: OnAirLayout }
  | { "ask": "end" };

/**
 * How the main picture and a guest's share the screen.
 */
export type OnAirLayout = "side_by_side" | "inset" | "guest_only";

/**
 * Who is on air beside the main picture.
 */
export type GuestView = { user: string, name: string, layout: OnAirLayout };

/**
 * Somebody who wants to come on air.
 */
export type RaisedHand = { user: string, name: string, guest: boolean,
/**
 * Wall clock, ms since the Unix epoch.
 */
raised_at_ms: number };

/**
 * What carries the picture.
 */
export type Transport = "webrtc" | "hls";

/**
 * Why a node asks a viewer to change over.
 */
export type TransportReason = "node_full" | "room_again";

/**
 * An error as clients see it, over WebSocket and (in the same words) as problem+json.
 */
export type ErrorView = { 
/**
 * Stable. See docs/protocol.md.
 */
code: ErrorCode,
/**
 * For people; may change.
 */
message: string,
/**
 * Whether the same request may succeed later.
 */
retryable: boolean,
/**
 * Where it is known, when.
 */
retry_after_ms?: number };

/**
 * Stable error codes. Adding one is compatible, changing one is not.
 */
export type ErrorCode = "unsupported_protocol" | "unknown_message" | "malformed_message" | "hello_first" | "not_joined" | "invalid_token" | "token_expired" | "wrong_credentials" | "sign_in_ended" | "forbidden" | "not_friends" | "invitation_expired" | "removed" | "video_full" | "not_found" | "ended" | "conflict" | "name_taken" | "email_taken" | "publisher_present" | "malformed_sdp" | "unacceptable_sdp" | "invalid_value" | "too_large" | "rate_limited" | "full" | "shutting_down" | "unavailable" | "internal" | "slow_down" | "timed_out" | "banned" | "chat_restricted" | "filtered" | "held";

export type ByeReason = "shutting_down" | "slow_consumer" | "hello_timeout" | "ping_timeout" | "protocol_error" | "replaced";

/**
 * A codec that is passed through.
 */
export type Codec = "h264" | "vp8" | "vp9" | "av1" | "opus";

/**
 * Body of `POST /api/v1/broadcasts`. Everything may be left out.
 */
export type NewBroadcast = { 
/**
 * At most 120 characters.
 */
title?: string,
/**
 * The name in the URL; made from the title when absent. 409 `conflict` when another broadcast has it.
 */
slug?: string,
/**
 * Public when absent.
 */
visibility?: Visibility };

/**
 * Answer to `POST /api/v1/broadcasts`.
 */
export type CreatedBroadcast = { broadcast: BroadcastView,
/**
 * Bearer of view, publish and moderate for this broadcast: for `join`, WHIP and the REST calls that change it.
 */
token: string,
/**
 * Where an encoder publishes, with `token` as bearer token.
 */
whip_url: string, whep_url: string,
/**
 * The page on which people watch.
 */
watch_url: string };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/hls`: where players that send no header find it.
 */
export type HlsPath = { 
/**
 * Before `/master.m3u8`, `/manifest.mpd` and the rest.
 */
path: string,
/**
 * From when on it opens nothing; ask again before. Absent where viewing is open.
 */
expires_at_ms?: number };

/**
 * Answer to `GET /api/v1/broadcasts`: public ones, live first.
 */
export type BroadcastList = { broadcasts: Array<BroadcastView> };

/**
 * Body of `POST /api/v1/broadcasts/{id}/markers`; the answer is the `Marker`.
 */
export type NewMarker = { kind: MarkerKind,
/**
 * At most 80 characters.
 */
label: string,
/**
 * The live edge when absent.
 */
media_time_ms?: number };

/**
 * Answer to `GET /api/v1/me`.
 */
export type Me = { user: UserView, operator: boolean,
/**
 * Whether this person may make broadcasts here.
 */
may_broadcast: boolean,
/**
 * A new identity token when the request carried none that is good: keep it and send it next time.
 */
token?: string };

/**
 * Every error answer: `application/problem+json` (RFC 9457).
 */
export type Problem = { 
/**
 * A URI that names the kind of problem: `about:blank` unless the code needs more.
 */
type: string,
/**
 * Short, the same for every occurrence.
 */
title: string,
/**
 * The HTTP status code.
 */
status: number,
/**
 * What was wrong this time.
 */
detail: string,
/**
 * As over WebSocket.
 */
code: ErrorCode, retryable: boolean };

/**
 * Audio or video.
 */
export type MediaKind = "audio" | "video";

/**
 * What a user may do on this installation beyond what everybody may; everybody is a viewer. Who moderates is said by each broadcast.
 */
export type Role = "broadcaster" | "operator";

/**
 * Body of `POST /api/v1/auth/sign-up`.
 */
export type NewAccount = { 
/**
 * 1 to 40 characters; no two accounts have the same.
 */
name: string, email: string,
/**
 * 8 to 256 characters.
 */
password: string };

/**
 * Body of `POST /api/v1/auth/sign-in`.
 */
export type Credentials = { email: string, password: string };

/**
 * A device is signed in; its refresh token is in the cookie that came with this.
 */
export type SignedIn = { account: Account,
/**
 * The access token, for `Authorization` and `hello`.
 */
token: string,
/**
 * When it expires, ms since the Unix epoch: refresh before.
 */
expires_at_ms: number };

/**
 * What a person sees of their own account.
 */
export type Account = { id: string, name: string, email: string, email_verified: boolean, roles: Array<Role>,
/**
 * 0: there has never been a picture.
 */
picture_version: number,
/**
 * Friends are not shown what this person watches.
 */
hide_watching: boolean, created_at_ms: number };

/**
 * Somebody with an account, as others see them.
 */
export type Person = { id: string, name: string, picture_version: number,
/**
 * What they are to whoever is told; absent where that person has no account, or is the same one.
 */
relation?: Relation,
/**
 * Whether whoever is told follows them.
 */
follows?: boolean };

/**
 * Body of `PATCH /api/v1/me/account`.
 */
export type AccountChanges = { name?: string, hide_watching?: boolean };

/**
 * Body of `PUT /api/v1/me/account/email`.
 */
export type NewEmail = { email: string, password: string };

/**
 * Body of `PUT /api/v1/me/account/password`.
 */
export type PasswordChange = { current: string, new: string };

/**
 * Body of `DELETE /api/v1/me/account`.
 */
export type Confirmation = { password: string };

/**
 * Body of `POST /api/v1/auth/verify-email`.
 */
export type EmailCode = { code: string };

/**
 * Body of `POST /api/v1/auth/forgot-password`.
 */
export type ForgottenPassword = { email: string };

/**
 * Body of `POST /api/v1/auth/reset-password`.
 */
export type PasswordReset = { code: string, password: string };

/**
 * A device on which the person is signed in.
 */
export type Device = { id: string,
/**
 * What its browser calls itself.
 */
name: string, signed_in_at_ms: number, seen_at_ms: number };

/**
 * Answer to `GET /api/v1/me/devices`: the last seen first.
 */
export type DeviceList = { devices: Array<Device> };

/**
 * The person's stream key. The key itself is only in the answer that made it.
 */
export type StreamKey = { key?: string, created_at_ms: number, used_at_ms?: number };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/moderators`.
 */
export type ModeratorList = { moderators: Array<string> };

/**
 * Body of `PUT /api/v1/users/{user}/roles`.
 */
export type Roles = { roles: Array<Role> };

/**
 * Answer to `GET /api/v1/me/account/export`: everything that is kept of a person.
 */
export type AccountExport = { account: Account, picture?: ExportedPicture, devices: Array<Device>, stream_key?: StreamKey, broadcasts: Array<ExportedBroadcast>,
/**
 * Friends, requests, and whom the person has blocked or follows; guests without a name.
 */
people: Array<Person>, private_messages: Array<PrivateMessage>, chat_messages: Array<ExportedChatMessage> };

/**
 * A picture in an export.
 */
export type ExportedPicture = { content_type: string, base64: string };

/**
 * A broadcast in its owner's export.
 */
export type ExportedBroadcast = { id: string, slug: string, title: string, created_at_ms: number, started_at_ms?: number, ended_at_ms?: number, viewers_peak: number };

/**
 * What a person said in a chat.
 */
export type ExportedChatMessage = { broadcast: string, at_ms: number, text: string };

/**
 * What somebody is to a person, as that person sees it.
 */
export type Relation = "none" | "outgoing" | "incoming" | "friend" | "blocked";

/**
 * Whether a friend is there, and where.
 */
export type Presence = { online: boolean,
/**
 * Absent also where they hide it, and where the broadcast is unlisted.
 */
watching?: Watching };

/**
 * The broadcast that somebody watches.
 */
export type Watching = { broadcast: string, slug: string, title: string };

/**
 * A friend who is online.
 */
export type FriendOnline = { user: string, watching?: Watching };

/**
 * A message from one person to another.
 */
export type PrivateMessage = { 
/**
 * From 1 in each conversation, rising.
 */
number: number, from: string, to: string, text: string,
/**
 * Wall clock, ms since the Unix epoch.
 */
sent_at_ms: number };

/**
 * Answer to `GET /api/v1/people` and `GET /api/v1/me/follows`.
 */
export type PeopleList = { people: Array<Person> };

/**
 * A friend.
 */
export type Friend = { person: Person, since_ms: number, presence: Presence };

/**
 * A request for friendship, of either side.
 */
export type FriendRequest = { person: Person, at_ms: number };

/**
 * Answer to `GET /api/v1/me/friends`, each list by name.
 */
export type FriendLists = { friends: Array<Friend>, incoming: Array<FriendRequest>, outgoing: Array<FriendRequest>, blocked: Array<Person> };

/**
 * Answer to `PUT /api/v1/me/friends/{user}`.
 */
export type RelationNow = { 
/**
 * `outgoing` or `friend`.
 */
relation: Relation };

/**
 * Two people who have written to each other, as one of them sees it.
 */
export type Conversation = { person: Person, last: PrivateMessage, unread: number };

/**
 * Answer to `GET /api/v1/me/messages`: the latest first.
 */
export type ConversationList = { conversations: Array<Conversation> };

/**
 * Answer to `GET /api/v1/me/messages/{user}`.
 */
export type MessagePage = { 
/**
 * Oldest first.
 */
messages: Array<PrivateMessage>,
/**
 * Whether there are earlier ones.
 */
more: boolean,
/**
 * The number up to which the asker has read ...
 */
read_up_to: number,
/**
 * ... and the other person.
 */
seen_up_to: number };

/**
 * Body of `POST /api/v1/me/messages/{user}`.
 */
export type NewPrivateMessage = { 
/**
 * Drawn by the client for this message, at most 2^53; the same one when it is sent again.
 */
nonce: number,
/**
 * 1 to 2000 characters.
 */
text: string };

/**
 * Body of `PUT /api/v1/me/messages/{user}/read`.
 */
export type ReadMark = { up_to: number };

/**
 * Somebody as they were called then; guests too.
 */
export type Named = { id: string,
/**
 * Empty where the account is gone.
 */
name: string };

/**
 * What a moderator did.
 */
export type ModeratorAction = "delete" | "time_out" | "ban" | "lift" | "pin" | "unpin" | "modes" | "words" | "resolve" | "approve" | "refuse";

/**
 * What a moderator did.
 */
export type AuditEntry = { id: string, at_ms: number, by: Named, action: ModeratorAction, on?: Named,
/**
 * The text that it was about.
 */
message?: string,
/**
 * Of a time-out.
 */
seconds?: number, note?: string };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/audit`: the latest first.
 */
export type AuditPage = { actions: Array<AuditEntry>,
/**
 * Whether there are earlier ones.
 */
more: boolean };

/**
 * Why somebody reports a message.
 */
export type ReportReason = "abuse" | "spam" | "spoiler" | "other";

/**
 * What one person reported.
 */
export type Report = { by: Named, reason: ReportReason, note?: string, at_ms: number };

/**
 * A message that was reported, as it was then.
 */
export type ReportedMessage = { message: string, author: Named, text: string, sent_at_ms: number,
/**
 * The first one first.
 */
reports: Array<Report> };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/reports`: the first reported first.
 */
export type ReportList = { reports: Array<ReportedMessage> };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/restrained`: the latest first.
 */
export type RestrainedPage = { restrained: Array<Restrained>,
/**
 * Whether there are earlier ones.
 */
more: boolean };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/words`.
 */
export type ForbiddenWords = { words: Array<string> };

/**
 * One step of the heat line: how much was thrown at the screen in ten seconds of media time.
 */
export type HeatPoint = { 
/**
 * Media time at which the step begins, ms since the Unix epoch.
 */
at_ms: number, count: number };

/**
 * Answer to `GET /api/v1/broadcasts/{broadcast}/heat`: what people threw at the screen, by media time.
 */
export type HeatLine = { 
/**
 * How long a step is, ms.
 */
step_ms: number,
/**
 * In order; steps without reactions are left out, and the first one has all that was before it as well.
 */
points: Array<HeatPoint> };

/**
 * What moderators think of a report.
 */
export type ReportOutcome = "dismissed" | "upheld";

/**
 * Body of `PUT /api/v1/broadcasts/{broadcast}/reports/{message}`.
 */
export type ReportResolution = { outcome: ReportOutcome,
/**
 * For the audit log, at most 200 characters.
 */
note?: string };
