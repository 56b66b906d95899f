//! The session machine: a row is an input in a state and the actions that must follow.

use std::time::Duration;

use super::*;
use crate::ids::UserId;
use crate::limits::PING_INTERVAL;
use crate::sfu::codec::MediaKind;
use crate::sfu::handle::PeerGone;
use crate::signaling::protocol::{BroadcastState, BroadcastView, ErrorCode, MessageId, PlaybackReport, Slot, Tap, Visibility};

const BROADCAST: BroadcastId = BroadcastId::from_bits(7);
const SDP: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=sendonly\r\n";

fn claims() -> Claims {
    Claims {
        sub: UserId::from_bits(1),
        name: "Ann".to_owned(),
        exp: u64::MAX,
        broadcast: None,
        grants: Vec::new(),
        operator: false,
        broadcaster: false,
        guest: true,
    }
}

fn view() -> BroadcastView {
    BroadcastView {
        id: BROADCAST,
        slug: "final".to_owned(),
        title: String::new(),
        visibility: Visibility::Public,
        state: BroadcastState::Live,
        created_at_ms: 0.0,
        started_at_ms: None,
        ended_at_ms: None,
        viewers: 1,
        viewers_peak: 1,
        video_codec: None,
        has_audio: false,
        poster_version: 0,
        layers: Vec::new(),
        teams: None,
        score: None,
        clock: None,
        markers: Vec::new(),
        dvr: None,
        replay: false,
        guest: None,
    }
}

struct Talk {
    session: Session,
    now: Now,
}

impl Talk {
    fn new() -> Self {
        let now = Now::read();
        Self { session: Session::new(now, SessionId::from_bits(1), claims()), now }
    }

    fn joined(grants: &[Grant]) -> Self {
        let mut talk = Self::new();
        let joined = Joined { id: BROADCAST, view: view(), grants: grants.to_vec() };
        let actions = talk.session.handle_outcome(talk.now, Outcome::Joined { id: 1, result: Ok((joined, claims())) });
        assert!(matches!(&actions[0], Action::Send(ServerMessage::Joined { id: 1, .. })));
        talk
    }

    fn watching() -> Self {
        let mut talk = Self::joined(&[Grant::View]);
        talk.answer(2, Intent::View, 9);
        talk
    }

    fn say(&mut self, message: ClientMessage) -> Vec<Action> {
        self.session.handle_message(self.now, message)
    }

    fn answer(&mut self, id: u32, intent: Intent, peer: u64) -> Vec<Action> {
        let slots = vec![Slot { mid: "v".to_owned(), kind: MediaKind::Video, source: "main".to_owned() }];
        let result = Ok(Negotiated { peer: PeerId::from_bits(peer), sdp: SDP.to_owned(), slots });
        self.session.handle_outcome(self.now, Outcome::Answered { id, intent: Some(intent), result })
    }

    fn told(&mut self, event: SfuEvent) -> Vec<Action> {
        self.session.handle_told(Told::Media(event))
    }
}

fn offer(id: u32, intent: Intent, peer: Option<u64>) -> ClientMessage {
    ClientMessage::Offer { id, intent, sdp: SDP.to_owned(), peer: peer.map(PeerId::from_bits) }
}

fn error_code(actions: &[Action]) -> Option<(Option<u32>, ErrorCode)> {
    match actions {
        [Action::Send(ServerMessage::Error { id, error })] => Some((*id, error.code)),
        _ => None,
    }
}

#[test]
fn requests_out_of_place_are_refused_with_their_id() {
    let peer = PeerId::from_bits(99);
    let in_place = |grants: &[Grant]| Talk::joined(grants);
    let rows: Vec<(&str, Talk, ClientMessage, Option<u32>, ErrorCode)> = vec![
        ("offer before join", Talk::new(), offer(5, Intent::View, None), Some(5), ErrorCode::NotJoined),
        ("leave before join", Talk::new(), ClientMessage::Leave { id: 5 }, Some(5), ErrorCode::NotJoined),
        ("end before join", Talk::new(), ClientMessage::EndBroadcast { id: 5 }, Some(5), ErrorCode::NotJoined),
        ("publish without grant", in_place(&[Grant::View]), offer(5, Intent::Publish, None), Some(5), ErrorCode::Forbidden),
        ("view without grant", in_place(&[Grant::Publish]), offer(5, Intent::View, None), Some(5), ErrorCode::Forbidden),
        ("another's peer", in_place(&[Grant::View]), offer(5, Intent::View, Some(99)), Some(5), ErrorCode::NotFound),
        ("close another's peer", in_place(&[Grant::View]), ClientMessage::ClosePeer { id: 5, peer }, Some(5), ErrorCode::NotFound),
        ("stats of nobody", in_place(&[Grant::View]), ClientMessage::WatchStats { id: 5, peer, on: true }, Some(5), ErrorCode::NotFound),
        (
            "candidate for nobody",
            in_place(&[Grant::View]),
            ClientMessage::Candidate { peer, candidate: String::new(), mid: None },
            None,
            ErrorCode::NotFound,
        ),
        (
            "size of another's picture",
            in_place(&[Grant::View]),
            ClientMessage::ViewSize { peer, mid: "0".to_owned(), height: 360 },
            None,
            ErrorCode::NotFound,
        ),
        (
            "hello twice",
            Talk::new(),
            ClientMessage::Hello { protocol: 1, client: String::new(), token: None, resume: None },
            None,
            ErrorCode::MalformedMessage,
        ),
        (
            "sdp too large",
            in_place(&[Grant::View]),
            ClientMessage::Offer { id: 5, intent: Intent::View, sdp: "x".repeat(SDP_BYTES_MAX + 1), peer: None },
            Some(5),
            ErrorCode::TooLarge,
        ),
    ];
    for (name, mut talk, message, id, code) in rows {
        assert_eq!(error_code(&talk.say(message)), Some((id, code)), "{name}");
    }
}

#[test]
fn an_offer_is_answered_with_its_slots_and_the_peer_may_be_negotiated_anew() {
    let mut talk = Talk::joined(&[Grant::View]);
    let actions = talk.say(offer(2, Intent::View, None));
    let wanted = Command::AddPeer { id: 2, broadcast: BROADCAST, intent: Intent::View, sdp: SDP.to_owned() };
    assert_eq!(actions, [Action::Command(wanted)]);
    let actions = talk.answer(2, Intent::View, 9);
    assert!(matches!(&actions[0], Action::Send(ServerMessage::Answer { id: 2, .. })));
    assert!(matches!(&actions[1], Action::Send(ServerMessage::Slots { slots, .. }) if slots[0].mid == "v" && slots[0].source == "main"));
    assert!(matches!(&talk.say(offer(3, Intent::View, Some(9)))[..], [Action::Command(Command::Renegotiate { id: 3, .. })]));
}

#[test]
fn two_offers_make_two_peers_up_to_the_bound() {
    let mut talk = Talk::joined(&[Grant::View]);
    for peer in 0..PEERS_PER_SESSION_MAX as u64 {
        assert!(matches!(&talk.say(offer(2, Intent::View, None))[..], [Action::Command(Command::AddPeer { .. })]));
        talk.answer(2, Intent::View, peer);
    }
    assert_eq!(error_code(&talk.say(offer(3, Intent::View, None))), Some((Some(3), ErrorCode::Full)));
}

#[test]
fn a_refused_token_answers_the_join_and_leaves_the_session_where_it_was() {
    let mut talk = Talk::joined(&[Grant::View]);
    let actions = talk.session.handle_outcome(talk.now, Outcome::Joined { id: 4, result: Err(Refusal::TokenExpired) });
    assert_eq!(error_code(&actions), Some((Some(4), ErrorCode::TokenExpired)));
    assert_eq!(talk.session.broadcast(), Some(BROADCAST));
}

#[test]
fn an_answer_that_comes_after_leaving_is_dropped_with_its_peer() {
    let mut talk = Talk::joined(&[Grant::View]);
    talk.say(offer(2, Intent::View, None));
    assert_eq!(talk.say(ClientMessage::Leave { id: 3 }), [Action::Command(Command::Leave { id: 3 })]);
    let actions = talk.answer(2, Intent::View, 9);
    assert_eq!(actions[0], Action::Command(Command::DropPeer { peer: PeerId::from_bits(9) }));
    assert_eq!(error_code(&actions[1..]), Some((Some(2), ErrorCode::NotJoined)));
}

#[test]
fn every_command_that_ends_is_answered_once() {
    let mut talk = Talk::new();
    assert_eq!(
        talk.session.handle_outcome(talk.now, Outcome::Done { id: 8, result: Ok(()) }),
        [Action::Send(ServerMessage::Done { id: 8 })]
    );
    let actions = talk.session.handle_outcome(talk.now, Outcome::Done { id: 8, result: Err(Refusal::Ended) });
    assert_eq!(error_code(&actions), Some((Some(8), ErrorCode::Ended)));
    let failed = Outcome::Answered { id: 8, intent: Some(Intent::View), result: Err(Refusal::Unavailable) };
    assert_eq!(error_code(&talk.session.handle_outcome(talk.now, failed)), Some((Some(8), ErrorCode::Unavailable)));
}

#[test]
fn a_ping_is_answered_at_once_and_silence_ends_the_connection() {
    let mut talk = Talk::new();
    let actions = talk.say(ClientMessage::Ping { id: 3, client_time_ms: 5.0 });
    let pong = ServerMessage::Pong { id: 3, client_time_ms: 5.0, server_time_ms: talk.now.unix_ms };
    assert_eq!(actions, [Action::Send(pong)]);
    talk.now = talk.now.after(PING_INTERVAL);
    assert_eq!(talk.session.handle_timeout(talk.now), []);
    talk.say(ClientMessage::Ping { id: 4, client_time_ms: 6.0 });
    assert_eq!(talk.session.wake_at(), talk.now.instant + PING_TIMEOUT);
    talk.now = talk.now.after(PING_TIMEOUT);
    assert_eq!(talk.session.handle_timeout(talk.now), [Action::Bye(ByeReason::PingTimeout)]);
}

#[test]
fn stats_come_once_a_second_as_rates_while_they_are_watched() {
    let mut talk = Talk::watching();
    let peer = PeerId::from_bits(9);
    assert_eq!(talk.say(ClientMessage::WatchStats { id: 5, peer, on: true }), [Action::Send(ServerMessage::Done { id: 5 })]);
    let read = [Action::Command(Command::ReadStats { peer })];
    assert_eq!(talk.session.handle_timeout(talk.now), read);
    let mut rates = Vec::new();
    for bytes_sent in [0, 125_000] {
        let result = Ok(PeerStats { bytes_sent, ..PeerStats::default() });
        for action in talk.session.handle_outcome(talk.now, Outcome::Stats { peer, result }) {
            if let Action::Send(ServerMessage::Stats { stats, .. }) = action {
                rates.push(stats.sent_bps);
            }
        }
        talk.now = talk.now.after(STATS_INTERVAL);
    }
    assert_eq!(rates, [0, 1_000_000]);
    talk.say(ClientMessage::WatchStats { id: 6, peer, on: false });
    assert_eq!(talk.session.handle_timeout(talk.now), []);
}

#[test]
fn news_of_peers_become_messages_and_a_peer_is_gone_once() {
    let mut talk = Talk::watching();
    let peer = PeerId::from_bits(9);
    let connected = talk.told(SfuEvent::PeerConnected { peer, broadcast: BROADCAST });
    assert_eq!(connected, [Action::Send(ServerMessage::PeerState { peer, state: PeerState::Connected })]);
    let gone = || SfuEvent::PeerGone { peer, broadcast: BROADCAST, reason: PeerGone::ConsentExpired };
    let reason = "consent_expired".to_owned();
    assert_eq!(talk.told(gone()), [Action::Send(ServerMessage::PeerState { peer, state: PeerState::Gone { reason } })]);
    assert_eq!(talk.told(gone()), []);
}

#[test]
fn too_many_messages_are_refused_and_in_the_end_the_connection_closes() {
    let mut talk = Talk::new();
    let ping = || ClientMessage::Ping { id: 1, client_time_ms: 0.0 };
    for _ in 0..CLIENT_MESSAGE_BURST {
        assert_eq!(error_code(&talk.say(ping())), None);
    }
    assert_eq!(error_code(&talk.say(ping())), Some((Some(1), ErrorCode::RateLimited)));
    let ended = (0..CLIENT_OFFENCES_MAX).any(|_| talk.say(ping()).contains(&Action::Bye(ByeReason::ProtocolError)));
    assert!(ended);
    let mut talk = Talk::new();
    talk.now = talk.now.after(Duration::from_secs(1));
    let malformed = |talk: &mut Talk| talk.session.handle_malformed(talk.now, &Refusal::MalformedMessage(String::new()));
    let ended = (0..CLIENT_OFFENCES_MAX).any(|_| malformed(&mut talk).contains(&Action::Bye(ByeReason::ProtocolError)));
    assert!(ended);
}

#[test]
fn good_messages_in_a_flood_do_not_excuse_it() {
    let mut talk = Talk::new();
    let mut answered = 0;
    // Twice as many as may be sent, for as long as it takes.
    for round in 1..100_000u32 {
        talk.now = talk.now.after(CLIENT_MESSAGE_INTERVAL / 2);
        let actions = talk.say(ClientMessage::Ping { id: round, client_time_ms: 0.0 });
        answered += u32::from(matches!(&actions[..], [Action::Send(ServerMessage::Pong { .. })]));
        if actions.contains(&Action::Bye(ByeReason::ProtocolError)) {
            assert!((100..1000).contains(&answered), "{answered}");
            return;
        }
    }
    panic!("a flood is never ended");
}

#[test]
fn a_slip_now_and_then_is_forgiven() {
    let mut talk = Talk::new();
    for _ in 0..10 * CLIENT_OFFENCES_MAX {
        talk.now = talk.now.after(CLIENT_OFFENCE_FORGIVEN_AFTER);
        let actions = talk.session.handle_malformed(talk.now, &Refusal::MalformedMessage(String::new()));
        assert_eq!(error_code(&actions), Some((None, ErrorCode::MalformedMessage)));
    }
}

#[test]
fn reports_count_once_in_five_seconds() {
    let mut talk = Talk::new();
    let report = || PlaybackReport { first_frame_ms: None, latency_ms: Some(100.0), freezes: 0, frozen_ms: 0.0, frames_dropped: 0 };
    let mut counted = 0;
    for _ in 0..60 {
        match &talk.say(ClientMessage::Report { report: report() })[..] {
            [Action::Report(_)] => counted += 1,
            actions => assert_eq!(error_code(actions), Some((None, ErrorCode::RateLimited))),
        }
        talk.now = talk.now.after(Duration::from_secs(1));
    }
    assert_eq!(counted, 60 / REPORT_INTERVAL.as_secs() + u64::from(REPORT_BURST) - 1);
    // One that comes early because the one before came late is welcome.
    let mut talk = Talk::new();
    for ms in [0, 5400, 4600, 5000, 5000] {
        talk.now = talk.now.after(Duration::from_millis(ms));
        assert!(matches!(&talk.say(ClientMessage::Report { report: report() })[..], [Action::Report(_)]));
    }
}

#[test]
fn resuming_tells_of_the_peers_that_did_not_survive() {
    let mut talk = Talk::watching();
    talk.answer(3, Intent::View, 10);
    let later = talk.now.after(Duration::from_secs(20));
    let actions = talk.session.handle_resume(later, &[PeerId::from_bits(10)], None);
    assert!(matches!(&actions[..], [Action::Send(ServerMessage::PeerState { peer, .. })] if peer.to_bits() == 9));
    assert!(talk.session.wake_at() > later.instant);
}

#[test]
fn who_comes_back_as_an_account_is_one_everywhere_but_where_they_joined_with_another_token() {
    let account = Claims { name: "Ann Lee".to_owned(), guest: false, ..claims() };
    let capability = Claims { broadcast: Some("final".to_owned()), ..claims() };
    for (joined_as, name) in [(claims(), "Ann Lee"), (capability, "Ann")] {
        let mut talk = Talk::joined(&[Grant::View]);
        talk.answer(2, Intent::View, 9);
        talk.session.place.as_mut().expect("it has joined").claims = joined_as;
        talk.session.handle_identity(account.clone());
        let grants = Some(vec![Grant::View, Grant::Chat, Grant::Moderate]);
        assert_eq!(talk.session.handle_resume(talk.now, &[PeerId::from_bits(9)], grants), [], "the media goes on");
        assert_eq!((talk.session.user().name.as_str(), talk.session.user().guest), ("Ann Lee", false));
        let author = talk.session.demand_author().expect("there is a grant to chat");
        assert_eq!((author.name.as_str(), author.role), (name, ChatRole::Moderator));
    }
}

#[test]
fn what_somebody_is_in_the_chat_follows_from_their_grants() {
    let role = |grants: &[Grant]| {
        let mut talk = Talk::joined(grants);
        match talk.say(ClientMessage::EnterChat { id: 5, since: None }).as_slice() {
            [Action::Command(Command::EnterChat { id: 5, broadcast: BROADCAST, role, since: None })] => *role,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(role(&[Grant::View]), None);
    assert_eq!(role(&[Grant::View, Grant::Chat]), Some(ChatRole::Viewer));
    assert_eq!(role(&[Grant::View, Grant::Publish, Grant::Chat]), Some(ChatRole::Viewer), "where anybody publishes nobody is special");
    assert_eq!(role(&[Grant::View, Grant::Moderate]), Some(ChatRole::Moderator));
    assert_eq!(role(&[Grant::View, Grant::Publish, Grant::Moderate]), Some(ChatRole::Broadcaster));
    let outside = Talk::new().say(ClientMessage::EnterChat { id: 5, since: None });
    assert_eq!(error_code(&outside), Some((Some(5), ErrorCode::NotJoined)));
}

#[test]
fn who_says_something_is_named_by_their_token_and_the_moment_must_be_near() {
    let mut talk = Talk::joined(&[Grant::View, Grant::Chat]);
    let now_ms = talk.now.unix_ms;
    let say = |media_time_ms| ClientMessage::Say {
        id: 6,
        nonce: 1,
        text: "goal".to_owned(),
        reply_to: None,
        mentions: Vec::new(),
        media_time_ms,
    };
    match talk.say(say(Some(now_ms - 500.0))).as_slice() {
        [Action::Command(Command::AskChat { id: 6, author, ask: Ask::Say { media_time_ms: Some(_), .. } })] => {
            assert_eq!((author.id, author.name.as_str(), author.role, author.guest), (UserId::from_bits(1), "Ann", ChatRole::Viewer, true));
        }
        other => panic!("{other:?}"),
    }
    for wrong in [0.0, f64::NAN, f64::INFINITY, now_ms + 3_600_000.0] {
        assert_eq!(error_code(&talk.say(say(Some(wrong)))), Some((Some(6), ErrorCode::InvalidValue)), "{wrong}");
    }
    let reaction = ClientMessage::React { taps: vec![Tap { kind: ReactionKind::Goal, count: 1 }; 9], media_time_ms: None };
    assert_eq!(error_code(&talk.say(reaction)), Some((None, ErrorCode::InvalidValue)));
}

#[test]
fn the_chat_answers_a_message_by_its_id_and_a_change_by_done() {
    let id = MessageId { epoch: 5, seq: 6 };
    assert_eq!(Session::handle_chat_answer(7, Ok(Some(id))), ServerMessage::Said { id: 7, message: id });
    assert_eq!(Session::handle_chat_answer(8, Ok(None)), ServerMessage::Done { id: 8 });
    let slow = Session::handle_chat_answer(9, Err(crate::social::chat::ChatRefusal::Slow { wait_ms: 1200 }));
    assert!(
        matches!(slow, ServerMessage::Error { id: Some(9), error } if error.code == ErrorCode::SlowDown && error.retry_after_ms == Some(1200))
    );
}

#[test]
fn friends_are_for_people_with_an_account() {
    let mut talk = Talk::new();
    let actions = talk.session.handle_message(talk.now, ClientMessage::WatchFriends { id: 3 });
    assert_eq!(actions, [Action::Send(error(Some(3), &AccountRefusal::NoAccount.into()))]);
    talk.session.identity.guest = false;
    let actions = talk.session.handle_message(talk.now, ClientMessage::WatchFriends { id: 4 });
    assert_eq!(actions, [Action::Command(Command::WatchFriends { id: 4 })]);
    let actions = talk.session.handle_outcome(talk.now, Outcome::WatchesFriends { id: 4, result: Ok(Vec::new()) });
    assert_eq!(actions, [Action::Send(ServerMessage::FriendsOnline { id: 4, friends: Vec::new() })]);
}
