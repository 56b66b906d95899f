//! One golden file a message, under `tests/golden/signaling/`: what is on the wire, read by the Rust and the TypeScript tests alike.
//! `UPDATE_GOLDEN=1 cargo test --lib signaling::golden` writes them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::*;
use super::ws::CLIENT_MESSAGE_TYPES;
use crate::ids::{BroadcastId, CallId, MarkerId, PeerId, SessionId, UserId};
use crate::sfu::codec::{Codec, MediaKind};
use crate::social::chat::{Reported, Restrained};
use crate::social::clock::UnixMs;
use crate::store::NamedUser;

const PEER: PeerId = PeerId::from_bits(0x0123_4567_89ab_cdef);
const MARKER: MarkerId = MarkerId::from_bits(0x1122_3344_5566_7788);
const MEDIA_MS: f64 = 1_795_230_000_250.0;

const CALL: CallId = CallId::from_bits(0x0a0b_0c0d_0e0f_0102);
const SAID: MessageId = MessageId { epoch: 1_795_230_000_000, seq: 17 };

fn text(text: &str) -> String {
    text.to_owned()
}

fn client_messages() -> Vec<ClientMessage> {
    let team = |name: &str, short: &str, color: &str| Team { name: text(name), short: text(short), color: text(color) };
    let teams = Teams { home: team("Ravens", "RAV", "#1f6feb"), away: team("Wolves", "WOL", "#d29922") };
    let changes = BroadcastChanges {
        title: Some(text("Cup final")),
        visibility: Some(Visibility::Unlisted),
        teams: Some(Some(teams)),
        score: Some(Some(ScoreChange { home: 1, away: 0, at_media_ms: Some(MEDIA_MS) })),
        clock: Some(None),
    };
    let report = PlaybackReport { first_frame_ms: Some(312.5), latency_ms: Some(148.0), freezes: 1, frozen_ms: 220.0, frames_dropped: 3 };
    vec![
        ClientMessage::Hello {
            protocol: 1,
            client: text("courtside-web/0.1.0"),
            token: Some(text("eyJ.e30.sig")),
            resume: Some(text("00ff")),
        },
        ClientMessage::Ping { id: 1, client_time_ms: 1234.5 },
        ClientMessage::Join { id: 2, broadcast: text("cup-final"), token: Some(text("eyJ.e30.sig")), preview: true },
        ClientMessage::Leave { id: 3 },
        ClientMessage::Offer { id: 4, intent: Intent::View, sdp: text("v=0\r\n"), peer: Some(PEER) },
        ClientMessage::Candidate { peer: PEER, candidate: text("candidate:1 1 udp 1 192.0.2.7 9 typ host"), mid: Some(text("0")) },
        ClientMessage::ClosePeer { id: 5, peer: PEER },
        ClientMessage::Quality { id: 6, peer: PEER, choice: QualityChoice::Layer { spatial: 1 } },
        ClientMessage::ViewSize { peer: PEER, mid: text("0"), height: 664 },
        ClientMessage::WatchStats { id: 7, peer: PEER, on: true },
        ClientMessage::Report { report },
        ClientMessage::UpdateBroadcast { id: 8, changes },
        ClientMessage::Mark { id: 9, kind: MarkerKind::Goal, label: text("1:0 Kofi"), media_time_ms: Some(MEDIA_MS) },
        ClientMessage::Unmark { id: 10, marker: MARKER },
        ClientMessage::EndBroadcast { id: 11 },
        ClientMessage::EnterChat { id: 12, since: Some(SAID) },
        ClientMessage::LeaveChat { id: 13 },
        ClientMessage::Say {
            id: 14,
            nonce: 4_503_599_627_370_497,
            text: text("what a save, @Ann"),
            reply_to: Some(SAID),
            mentions: vec![UserId::from_bits(9)],
            media_time_ms: Some(MEDIA_MS),
        },
        ClientMessage::ChangeChat {
            id: 15,
            change: ChatChange::Restrain {
                user: UserId::from_bits(9),
                restraint: Restraint::TimeOut { seconds: 600 },
                note: Some(text("again")),
            },
        },
        ClientMessage::ReportMessage { id: 16, message: SAID, reason: ReportReason::Abuse, note: Some(text("third time today")) },
        ClientMessage::WatchFriends { id: 17 },
        ClientMessage::UnwatchFriends { id: 18 },
        ClientMessage::React { taps: vec![Tap { kind: ReactionKind::Goal, count: 7 }], media_time_ms: Some(MEDIA_MS) },
        ClientMessage::Call { id: 19, ask: CallAsk::Join { call: CALL, invitation: Some(text("b2theQ")) } },
        ClientMessage::CallPace { pace: Pace { behind_ms: 412.0, least_ms: 180.0 } },
        ClientMessage::OnAir { id: 20, ask: OnAirAsk::Invite { user: UserId::from_bits(9) } },
    ]
}

fn chat_message() -> ChatMessage {
    let author = ChatAuthor { id: UserId::from_bits(9), name: text("Quiet Otter 42"), role: ChatRole::Viewer, guest: true };
    ChatMessage {
        id: SAID,
        author,
        text: text("what a save"),
        sent_at_ms: UnixMs(1_795_230_000_900),
        media_time_ms: Some(MEDIA_MS),
        reply_to: Some(ReplyTo {
            id: MessageId { seq: 16, ..SAID },
            author: UserId::from_bits(8),
            name: text("Ann"),
            excerpt: text("who plays?"),
        }),
        mentions: vec![UserId::from_bits(8)],
        edited: true,
    }
}

fn chat_history() -> ChatHistory {
    ChatHistory {
        messages: vec![chat_message()],
        gap: true,
        modes: ChatModes { slow_s: 30, audience: Audience::Accounts, emote_only: false, review: true },
        pinned: Some(chat_message()),
        reactions: vec![ReactionCount { kind: ReactionKind::Heart, count: 1234 }],
        held: vec![held_message()],
    }
}

fn held_message() -> HeldMessage {
    let ChatMessage { id, author, text, media_time_ms, reply_to, mentions, .. } = chat_message();
    let (held_at_ms, until_ms) = (UnixMs(1_795_230_000_000), UnixMs(1_795_230_600_000));
    HeldMessage {
        id,
        author,
        text,
        rule: FilterRule::Links,
        nonce: 4_503_599_627_370_497,
        held_at_ms,
        until_ms,
        media_time_ms,
        reply_to,
        mentions,
    }
}

fn chat_frame() -> ChatFrame {
    let by = NamedUser { id: UserId::from_bits(8), name: text("Ben") };
    let at_ms = UnixMs(1_795_230_000_000);
    let report = Reported { by: by.clone(), reason: ReportReason::Spoiler, note: Some(text("before the goal")), at_ms };
    let person = NamedUser { id: UserId::from_bits(9), name: text("Ann") };
    let restrained = Restrained { person, since_ms: at_ms, until_ms: Some(UnixMs(1_795_230_600_000)), by: Some(by) };
    ChatFrame {
        events: vec![
            ChatEvent::Said { message: chat_message() },
            ChatEvent::Edited { message: SAID, text: text("what a save!"), author: Some(UserId::from_bits(9)) },
            ChatEvent::Deleted { message: SAID },
            ChatEvent::Pinned { message: None },
            ChatEvent::Modes { modes: ChatModes::default() },
            ChatEvent::Cleared { user: UserId::from_bits(9) },
        ],
        hidden: 12,
        reactions: vec![ReactionCount { kind: ReactionKind::Goal, count: 70 }],
        reactions_at_ms: Some(MEDIA_MS),
        viewers: Some(ViewerCount { count: 1230, peak: 1450 }),
        desk: vec![
            DeskEvent::Held { message: held_message() },
            DeskEvent::Ruled { held: SAID, nonce: 4_503_599_627_370_497, ruling: Ruling::Approved },
            DeskEvent::Reported { message: chat_message(), report },
            DeskEvent::Resolved { message: SAID },
            DeskEvent::Restrained { restrained },
            DeskEvent::Lifted { user: UserId::from_bits(9) },
            DeskEvent::Words { words: vec![text("spoiler*")] },
            DeskEvent::Missed,
        ],
    }
}

fn person() -> Person {
    let relation = Some(crate::store::Relation::Friend);
    Person { id: UserId::from_bits(9), name: text("Ann"), picture_version: 2, relation, follows: Some(true) }
}

fn watching() -> Watching {
    Watching { broadcast: BroadcastId::from_bits(0x0fed_cba9_8765_4321), slug: text("cup-final"), title: text("Cup final") }
}

fn layer() -> LayerView {
    LayerView { spatial: 0, width: 320, height: 180, bitrate_bps: 150_000, frames_per_second: 30.0, active: true }
}

fn broadcast() -> BroadcastView {
    let team = |name: &str, short: &str, color: &str| Team { name: text(name), short: text(short), color: text(color) };
    BroadcastView {
        id: BroadcastId::from_bits(0x0fed_cba9_8765_4321),
        slug: text("cup-final"),
        title: text("Cup final"),
        visibility: Visibility::Public,
        state: BroadcastState::Live,
        created_at_ms: 1_795_229_000_000.0,
        started_at_ms: Some(1_795_229_900_000.0),
        ended_at_ms: None,
        viewers: 3,
        viewers_peak: 5,
        video_codec: Some(Codec::H264),
        has_audio: true,
        poster_version: 2,
        layers: vec![layer()],
        teams: Some(Teams { home: team("Ravens", "RAV", "#1f6feb"), away: team("Wolves", "WOL", "#d29922") }),
        score: Some(Score { home: 1, away: 0, at_media_ms: MEDIA_MS }),
        clock: Some(MatchClock { running: true, elapsed_ms: 61_000.0, at_media_ms: MEDIA_MS, period: text("1st half") }),
        markers: vec![Marker { id: MARKER, kind: MarkerKind::Goal, label: text("1:0 Kofi"), media_time_ms: MEDIA_MS }],
        dvr: Some(DvrView { window_s: 7200 }),
        replay: false,
        guest: Some(GuestView { user: UserId::from_bits(9), name: text("Ann"), layout: OnAirLayout::SideBySide }),
    }
}

fn call_line() -> CallLine {
    CallLine { number: 4, member: MemberId(2), name: text("Ann"), text: text("offside!"), said_at_ms: 1_795_230_000_000 }
}

fn call() -> CallView {
    let member = CallMember {
        id: MemberId(2),
        user: UserId::from_bits(9),
        name: text("Ann"),
        guest: false,
        microphone: true,
        camera: true,
        screen: false,
        silenced: false,
        in_step: true,
        here: true,
        link: LinkWord::Weak,
    };
    CallView {
        id: CALL,
        broadcast: BroadcastId::from_bits(0x0fed_cba9_8765_4321),
        started_at_ms: 1_795_229_990_000,
        host: MemberId(2),
        members: vec![member],
        ringing: vec![Ringing { user: UserId::from_bits(8), name: text("Ben") }],
        play: CallPlay::Behind { behind_ms: 45_000.0 },
        pace_ms: Some(420.0),
        lines: vec![call_line()],
    }
}

fn server_messages() -> Vec<ServerMessage> {
    let ice_server =
        IceServer { urls: vec![text("turn:turn.example:3478")], username: Some(text("1:a")), credential: Some(text("c2VjcmV0")) };
    let stats = StatsView {
        sent_bps: 1_200_000,
        received_bps: 24_000,
        loss_down: 0.25,
        loss_up: 0.0,
        retransmitted: 12.0,
        rtt_ms: Some(18.5),
        estimate_bps: Some(2_500_000),
        current_layer: Some(1),
        target_layer: Some(2),
    };
    vec![
        ServerMessage::Welcome {
            protocol: 1,
            server: text("courtside/0.1.0"),
            session: SessionId::from_bits(7),
            resume: text("00112233445566778899aabbccddeeff"),
            resume_window_ms: 30_000,
            resumed: false,
            user: UserView { id: UserId::from_bits(9), name: text("Quiet Otter 42"), guest: true },
            token: Some(text("eyJ.e30.sig")),
            server_time_ms: 1_795_230_000_000.5,
            ice_servers: vec![ice_server],
            ping_interval_ms: 15_000,
        },
        ServerMessage::Pong { id: 1, client_time_ms: 1234.5, server_time_ms: 1_795_230_000_001.25 },
        ServerMessage::Joined { id: 2, broadcast: broadcast(), grants: vec![Grant::View, Grant::Publish] },
        ServerMessage::Done { id: 3 },
        ServerMessage::Answer { id: 4, peer: PEER, sdp: text("v=0\r\n") },
        ServerMessage::Slots { peer: PEER, slots: vec![Slot { mid: text("0"), kind: MediaKind::Video, source: text("main") }] },
        ServerMessage::Broadcast { broadcast: broadcast() },
        ServerMessage::Viewers { count: 3, peak: 5 },
        ServerMessage::PeerState { peer: PEER, state: PeerState::Gone { reason: text("consent_expired") } },
        ServerMessage::Playing { peer: PEER },
        ServerMessage::TrackClock { peer: PEER, mid: text("0"), kind: MediaKind::Video, rtp0: 90_000, ntp0_ms: MEDIA_MS, rate: 90_000 },
        ServerMessage::Transport { to: Transport::Hls, reason: TransportReason::NodeFull },
        ServerMessage::Layers { layers: vec![layer()] },
        ServerMessage::Layer { peer: PEER, mid: text("0"), current: Some(1), target: Some(2) },
        ServerMessage::CannotDecode { peer: PEER, codec: Codec::Av1 },
        ServerMessage::Unwatched { peer: PEER, rids: vec![text("m"), text("h")] },
        ServerMessage::PublisherRefused { peer: PEER, code: text("b_frames"), message: text("Set B-frames to 0.") },
        ServerMessage::Stats { peer: PEER, stats },
        ServerMessage::ChatEntered { id: 12, history: chat_history(), role: Some(ChatRole::Moderator) },
        ServerMessage::Said { id: 14, message: SAID },
        ServerMessage::Chat { frame: chat_frame() },
        ServerMessage::ChatResync { history: chat_history() },
        ServerMessage::FriendsOnline { id: 17, friends: vec![FriendOnline { user: UserId::from_bits(9), watching: Some(watching()) }] },
        ServerMessage::Presence { user: UserId::from_bits(9), presence: Presence { online: true, watching: Some(watching()) } },
        ServerMessage::FriendChanged { person: person() },
        ServerMessage::PrivateMessage {
            person: person(),
            message: PrivateMessage {
                number: 5,
                from: UserId::from_bits(9),
                to: UserId::from_bits(8),
                text: text("goal!"),
                sent_at_ms: 1_795_230_000_000,
            },
        },
        ServerMessage::MessagesRead { user: UserId::from_bits(9), reader: UserId::from_bits(8), up_to: 5 },
        ServerMessage::CallEntered { id: 19, member: MemberId(2), call: call() },
        ServerMessage::CallLink { id: 21, invitation: text("b2theQ"), expires_at_ms: 1_795_316_400_000 },
        ServerMessage::Call { call: CallView { lines: Vec::new(), ..call() } },
        ServerMessage::CallOver { call: CALL, reason: CallOver::Removed },
        ServerMessage::CallRing { call: CALL, from: person(), watching: Some(watching()), expires_at_ms: 1_795_230_045_000 },
        ServerMessage::CallRingOver { call: CALL, reason: RingOver::Missed },
        ServerMessage::CallSpeaking { member: MemberId(2), speaking: true, level_dbov: 24 },
        ServerMessage::CallSaid { line: call_line() },
        ServerMessage::CallReacted { by: MemberId(1), to: MemberId(2), kind: ReactionKind::Goal },
        ServerMessage::CallPlayed { by: MemberId(2), play: CallPlay::Paused { media_time_ms: MEDIA_MS } },
        ServerMessage::CallPaced { behind_ms: 420.0 },
        ServerMessage::Hands {
            hands: vec![RaisedHand { user: UserId::from_bits(9), name: text("Ann"), guest: false, raised_at_ms: 1_795_230_000_000 }],
        },
        ServerMessage::OnAirInvited { expires_at_ms: 1_795_230_030_000 },
        ServerMessage::OnAirOver { ended: true },
        ServerMessage::Error {
            id: Some(4),
            error: ErrorView {
                code: ErrorCode::NotJoined,
                message: text("join a broadcast first"),
                retryable: false,
                retry_after_ms: None,
            },
        },
        ServerMessage::Bye {
            reason: ByeReason::ShuttingDown,
            message: text("the server is shutting down"),
            reconnect_after_ms: Some(1_000),
        },
    ]
}

fn folder(side: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/signaling").join(side)
}

/// Every message against its file; returns the types that there are.
fn hold<T: Serialize + DeserializeOwned + PartialEq + Debug>(side: &str, messages: &[T]) -> BTreeSet<String> {
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut kinds = BTreeSet::new();
    for message in messages {
        let value = serde_json::to_value(message).unwrap();
        let kind = value["type"].as_str().unwrap().to_owned();
        let path = folder(side).join(format!("{kind}.json"));
        let written = serde_json::to_string_pretty(message).unwrap() + "\n";
        if is_update {
            std::fs::create_dir_all(folder(side)).unwrap();
            std::fs::write(&path, &written).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(stored, written, "{}", path.display());
        assert_eq!(&serde_json::from_str::<T>(&stored).unwrap(), message);
        assert!(kinds.insert(kind), "one file a type");
    }
    let stored: BTreeSet<String> = std::fs::read_dir(folder(side))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(stored, kinds, "a file without a message, or the other way round");
    kinds
}

#[test]
fn client_messages_are_on_the_wire_as_in_the_golden_files() {
    let kinds = hold("client", &client_messages());
    assert_eq!(kinds, CLIENT_MESSAGE_TYPES.map(str::to_owned).into());
}

#[test]
fn server_messages_are_on_the_wire_as_in_the_golden_files() {
    hold("server", &server_messages());
}

#[test]
fn there_is_a_golden_message_for_every_variant_and_the_document_has_it() {
    let source = include_str!("protocol.rs");
    let document = include_str!("../../docs/protocol.md");
    let variants = |head: &str| -> usize {
        let body = source.split(head).nth(1).unwrap().split("\n}\n").next().unwrap();
        body.lines().filter(|line| line.starts_with("    ") && line.as_bytes().get(4).is_some_and(u8::is_ascii_uppercase)).count()
    };
    assert_eq!(variants("pub enum ClientMessage {"), client_messages().len());
    assert_eq!(variants("pub enum ServerMessage {"), server_messages().len());
    let kind = |value: serde_json::Value| value["type"].as_str().unwrap().to_owned();
    let client = client_messages().into_iter().map(|message| kind(serde_json::to_value(message).unwrap()));
    let server = server_messages().into_iter().map(|message| kind(serde_json::to_value(message).unwrap()));
    for kind in client.chain(server) {
        assert!(document.contains(&format!("`{kind}`")), "docs/protocol.md does not mention `{kind}`");
    }
    let source = include_str!("protocol/errors.rs");
    let codes = source.split("pub enum ErrorCode {").nth(1).unwrap().split('}').next().unwrap();
    let byes = source.split("pub enum ByeReason {").nth(1).unwrap().split('}').next().unwrap();
    for name in codes.lines().chain(byes.lines()).map(str::trim).filter(|line| line.ends_with(',')) {
        let word = snake(name.trim_end_matches(','));
        assert!(document.contains(&format!("`{word}`")), "docs/protocol.md does not mention `{word}`");
    }
}

fn snake(name: &str) -> String {
    let mut word = String::new();
    for symbol in name.chars() {
        if symbol.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(symbol.to_ascii_lowercase());
    }
    word
}
