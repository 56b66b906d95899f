//! The directory on virtual time: names, members, peers, and what must happen elsewhere.

use std::time::Duration;

use super::*;
use crate::ids::MarkerId;
use crate::limits::{ENDED_KEPT, PUBLISHER_RETURN_WINDOW};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::handle::TrackInfo;
use crate::signaling::ice_servers::IceServers;
use crate::signaling::live::headroom::Usage;
use crate::signaling::protocol::Transport;
use crate::signaling::protocol::{BroadcastChanges, ClockChange, MarkerKind, ScoreChange};
use crate::signaling::rest::{NewBroadcast, NewMarker};

const PEER: PeerId = PeerId::from_bits(1);
const OTHER: PeerId = PeerId::from_bits(2);
const SESSION: SessionId = SessionId::from_bits(1);

fn claims(sub: u64) -> Claims {
    Claims {
        sub: UserId::from_bits(sub),
        name: "Ann".to_owned(),
        exp: u64::MAX,
        broadcast: None,
        grants: Vec::new(),
        operator: false,
        broadcaster: false,
        guest: true,
    }
}

fn settings() -> Settings {
    Settings {
        open_publish: true,
        open_view: true,
        max_viewers: None,
        egress_max_bps: None,
        has_hls: true,
        dvr_window_s: Some(7200),
        ice_servers: IceServers { fixed: Vec::new(), turn: None },
        public_base_url: String::new(),
    }
}

struct World {
    now: Now,
    directory: Directory,
    ids: u64,
}

impl World {
    fn new(viewers_max: Option<usize>) -> Self {
        Self::of(&Settings { max_viewers: viewers_max, ..settings() })
    }

    fn of(settings: &Settings) -> Self {
        Self { now: Now::read(), directory: Directory::new(settings), ids: 100 }
    }

    fn create(&mut self, slug: &str, owner: u64) -> Result<BroadcastId, Refusal> {
        self.ids += 1;
        let new = NewBroadcast { slug: Some(slug.to_owned()), ..NewBroadcast::default() };
        self.directory.create(self.now, BroadcastId::from_bits(self.ids), Some(&claims(owner)), &new).map(|view| view.id)
    }

    /// A WHIP POST that the media plane takes.
    fn whip(&mut self, slug: &str, who: Option<u64>, peer: PeerId) -> Result<Admission, Refusal> {
        self.ids += 1;
        let who = who.map(claims);
        let admission = self.directory.admit_publisher(self.now, slug, who.as_ref(), Some(BroadcastId::from_bits(self.ids)))?;
        self.directory.publisher_joined(self.now, &admission, peer, None, IceTags::default()).map(|()| admission)
    }

    fn media(&mut self, peer: PeerId, broadcast: BroadcastId) {
        let track =
            TrackInfo { kind: MediaKind::Audio, codec: Some(Codec::Opus), layers: vec![], loss_fraction: 0.0, clock: None, lag_ms: None };
        self.directory.handle_sfu_event(self.now, SfuEvent::Tracks { peer, broadcast, tracks: vec![track] });
    }

    fn gone(&mut self, peer: PeerId, broadcast: BroadcastId) {
        self.directory.handle_sfu_event(self.now, SfuEvent::PeerGone { peer, broadcast, reason: PeerGone::ConsentExpired });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.directory.wake_at().filter(|at| *at <= end.instant) {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            self.directory.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn state(&self, name: &str) -> Option<BroadcastState> {
        self.directory.find(name).ok().map(Broadcast::state)
    }
}

#[test]
fn a_free_slug_becomes_a_broadcast_and_an_ended_one_gives_its_slug_back() {
    let mut world = World::new(None);
    let first = world.whip("derby", None, PEER).unwrap().broadcast;
    world.media(PEER, first);
    assert_eq!(world.state("derby"), Some(BroadcastState::Live));
    assert_eq!(world.create("derby", 1), Err(Refusal::SlugTaken));
    assert_eq!(world.directory.end(world.now, "derby", None).map(|view| view.state), Ok(BroadcastState::Ended));
    assert!(world.directory.poll_effects().iter().any(|effect| matches!(effect, Effect::CloseBroadcast(id) if *id == first)));
    world.gone(PEER, first);
    let second = world.whip("derby", None, OTHER).unwrap().broadcast;
    assert_ne!(first, second);
    world.pass(2 * ENDED_KEPT);
    assert!(world.directory.find(&first.to_string()).is_err());
    assert_eq!(world.directory.find("derby").map(|broadcast| broadcast.id), Ok(second));
}

#[test]
fn an_offer_that_fails_takes_the_broadcast_it_made_with_it() {
    let mut world = World::new(None);
    let id = Some(BroadcastId::from_bits(1));
    let admission = world.directory.admit_publisher(world.now, "derby", None, id).unwrap();
    world.directory.publisher_failed(world.now, &admission);
    assert_eq!(world.state("derby"), None);
    assert!(!world.directory.poll_effects().iter().any(|effect| matches!(effect, Effect::Save(_))));
}

#[test]
fn the_same_credential_takes_over_and_the_old_session_is_told() {
    let mut world = World::new(None);
    world.create("derby", 1).unwrap();
    let joined = world.directory.join(world.now, SESSION, "derby", &claims(1), JoinAs::Viewer).unwrap();
    assert!(joined.grants.contains(&Grant::Publish));
    let admission = world.directory.admit_publisher(world.now, "derby", Some(&claims(1)), None).unwrap();
    world.directory.publisher_joined(world.now, &admission, PEER, Some(SESSION), IceTags::default()).unwrap();
    world.directory.poll_effects();
    assert_eq!(world.whip("derby", Some(2), OTHER).map(drop), Err(Refusal::Forbidden(Grant::Publish)));
    let admission = world.whip("derby", Some(1), OTHER).unwrap();
    assert_eq!(admission.evicted, Some(PEER));
    let told = world.directory.poll_effects();
    assert!(told.iter().any(|effect| matches!(effect, Effect::Tell { session: SESSION, told: Told::Media(SfuEvent::PeerGone { .. }) })));
}

#[test]
fn a_preview_is_nobodys_viewer_and_takes_a_place_on_the_node_like_any_other() {
    let mut world = World::new(Some(1));
    let id = world.create("derby", 1).unwrap();
    world.directory.join(world.now, SESSION, "derby", &claims(1), JoinAs::Preview).unwrap();
    assert_eq!(world.directory.admit_viewer(world.now, "derby", Some(&claims(1)), None, false), Ok(id));
    let entry = PeerEntry {
        broadcast: id,
        is_publisher: false,
        session: Some(SESSION),
        credential: access::credential(None),
        ice: IceTags::default(),
    };
    world.directory.viewer_joined(world.now, PEER, entry).unwrap();
    let count = |world: &World| world.directory.find("derby").map(|broadcast| (broadcast.viewers(), broadcast.viewers_peak()));
    assert_eq!(count(&world), Ok((0, 0)));
    assert_eq!(world.directory.admit_viewer(world.now, "derby", None, None, false), Err(Refusal::Full("viewers of this node")));
    // The same person watching in another tab is one viewer, whatever the preview does.
    world.directory.join(world.now, SessionId::from_bits(2), "derby", &claims(1), JoinAs::Viewer).unwrap();
    world.directory.leave(world.now, SESSION);
    assert_eq!(count(&world), Ok((1, 1)));
    // The same session may go on to watch.
    world.directory.join(world.now, SESSION, "derby", &claims(2), JoinAs::Preview).unwrap();
    world.directory.join(world.now, SESSION, "derby", &claims(2), JoinAs::Viewer).unwrap();
    assert_eq!(count(&world), Ok((2, 2)));
}

#[test]
fn a_session_counts_as_one_viewer_until_it_publishes_or_leaves() {
    let mut world = World::new(None);
    let id = world.create("derby", 1).unwrap();
    world.directory.join(world.now, SESSION, "derby", &claims(1), JoinAs::Viewer).unwrap();
    world.directory.join(world.now, SessionId::from_bits(2), "derby", &claims(2), JoinAs::Viewer).unwrap();
    world.directory.join(world.now, SessionId::from_bits(3), "derby", &claims(2), JoinAs::Viewer).unwrap();
    assert_eq!(world.directory.find("derby").unwrap().viewers(), 2);
    let admission = world.directory.admit_publisher(world.now, "derby", Some(&claims(1)), None).unwrap();
    world.directory.publisher_joined(world.now, &admission, PEER, Some(SESSION), IceTags::default()).unwrap();
    assert_eq!(world.directory.find("derby").unwrap().viewers(), 1);
    world.media(PEER, id);
    world.directory.poll_effects();
    world.directory.leave(world.now, SESSION);
    assert!(world.directory.poll_effects().iter().any(|effect| matches!(effect, Effect::RemovePeer(PEER))));
    assert_eq!(world.state("derby"), Some(BroadcastState::Reconnecting));
    world.pass(PUBLISHER_RETURN_WINDOW);
    assert_eq!(world.state("derby"), Some(BroadcastState::Ended));
}

#[test]
fn news_that_overtake_the_answer_reach_the_session_all_the_same() {
    let mut world = World::new(None);
    let id = world.create("derby", 1).unwrap();
    world.directory.join(world.now, SESSION, "derby", &claims(2), JoinAs::Viewer).unwrap();
    world.directory.admit_viewer(world.now, "derby", Some(&claims(2)), None, false).unwrap();
    world.directory.poll_effects();
    world.directory.handle_sfu_event(world.now, SfuEvent::CannotDecode { peer: PEER, broadcast: id, codec: Codec::Av1 });
    assert!(world.directory.poll_effects().is_empty());
    let entry = PeerEntry {
        broadcast: id,
        is_publisher: false,
        session: Some(SESSION),
        credential: Credential::Anonymous,
        ice: IceTags::default(),
    };
    world.directory.viewer_joined(world.now, PEER, entry).unwrap();
    assert!(matches!(&world.directory.poll_effects()[..], [Effect::Tell { told: Told::Media(SfuEvent::CannotDecode { .. }), .. }]));
}

#[test]
fn viewers_have_a_bound_and_whep_needs_somebody_on_air() {
    let mut world = World::new(Some(1));
    let id = world.create("derby", 1).unwrap();
    assert_eq!(world.directory.admit_viewer(world.now, "derby", None, None, true), Err(Refusal::NotLive));
    assert_eq!(world.directory.admit_viewer(world.now, "derby", None, None, false), Ok(id));
    assert_eq!(world.directory.admit_viewer(world.now, "derby", None, None, false), Err(Refusal::Full("viewers of this node")));
    world.directory.viewer_failed();
    assert_eq!(world.directory.admit_viewer(world.now, "derby", None, None, false), Ok(id));
    assert_eq!(world.directory.admit_viewer(world.now, "nowhere", None, None, false), Err(Refusal::NotFound("broadcast")));
}

#[test]
fn slugs_come_from_titles_and_stay_unique() {
    let mut world = World::new(None);
    let mut slugs = Vec::new();
    for (bits, title) in [(1, "Cup Final"), (2, "Cup Final"), (3, "日本")] {
        let new = NewBroadcast { title: Some(title.to_owned()), ..NewBroadcast::default() };
        slugs.push(world.directory.create(world.now, BroadcastId::from_bits(bits), None, &new).unwrap().slug);
    }
    assert_eq!(slugs, ["cup-final", "cup-final-0000002", "live-0000003"]);
}

#[test]
fn what_names_no_media_time_is_at_the_live_edge_and_not_at_the_servers_clock() {
    const LAG_MS: f64 = 180.0;
    let mut world = World::new(None);
    let id = world.whip("derby", None, PEER).unwrap().broadcast;
    let track = |kind, codec, lag_ms| TrackInfo { kind, codec: Some(codec), layers: vec![], loss_fraction: 0.0, clock: None, lag_ms };
    let tracks = vec![track(MediaKind::Audio, Codec::Opus, Some(90.0)), track(MediaKind::Video, Codec::H264, Some(LAG_MS))];
    world.directory.handle_sfu_event(world.now, SfuEvent::Tracks { peer: PEER, broadcast: id, tracks });
    world.now = world.now.after(Duration::from_millis(700));
    let goal = NewMarker { kind: MarkerKind::Goal, label: String::new(), media_time_ms: None };
    let marked = world.directory.mark(world.now, "derby", None, MarkerId::from_bits(1), &goal).unwrap();
    let score = ScoreChange { home: 1, away: 0, at_media_ms: None };
    let clock = ClockChange { running: true, elapsed_ms: 0.0, period: String::new(), at_media_ms: None };
    let changes = BroadcastChanges { score: Some(Some(score)), clock: Some(Some(clock)), ..BroadcastChanges::default() };
    let view = world.directory.change(world.now, "derby", None, &changes).unwrap();
    let edge_ms = world.now.unix_ms - LAG_MS;
    assert_eq!([marked.media_time_ms, view.score.unwrap().at_media_ms, view.clock.unwrap().at_media_ms], [edge_ms; 3]);
}

#[test]
fn everything_is_empty_when_everybody_has_left() {
    let mut world = World::new(None);
    let admission = world.whip("derby", None, PEER).unwrap();
    world.media(PEER, admission.broadcast);
    for (bits, session) in [(10, 1), (11, 2)] {
        let session = SessionId::from_bits(session);
        world.directory.join(world.now, session, "derby", &claims(bits), JoinAs::Viewer).unwrap();
        world.directory.admit_viewer(world.now, "derby", Some(&claims(bits)), None, false).unwrap();
        let entry = PeerEntry {
            broadcast: admission.broadcast,
            is_publisher: false,
            session: Some(session),
            credential: Credential::Anonymous,
            ice: IceTags::default(),
        };
        world.directory.viewer_joined(world.now, PeerId::from_bits(bits), entry).unwrap();
    }
    world.directory.leave(world.now, SessionId::from_bits(1));
    world.gone(PeerId::from_bits(11), admission.broadcast);
    world.directory.leave(world.now, SessionId::from_bits(2));
    world.gone(PEER, admission.broadcast);
    world.pass(PUBLISHER_RETURN_WINDOW + 2 * ENDED_KEPT);
    let Directory { broadcasts, slugs, peers, members, timers, deadlines, offers_open, early, view_peers, posters, .. } = world.directory;
    assert!(broadcasts.is_empty() && slugs.is_empty() && peers.is_empty() && members.is_empty() && timers.is_empty());
    assert!(deadlines.is_empty() && early.is_empty());
    assert_eq!((offers_open, view_peers, posters), (0, 0, 0));
}

/// What the media plane has done in the last second, of which each of `viewers` was sent 2 Mbit/s.
fn usage(viewers: usize) -> Usage {
    Usage { sent_bps: 2e6 * viewers as f64, busiest: 0.1, slowest_turn: Duration::from_millis(1) }
}

/// Sessions that were asked to change over since the last time, in order.
fn moved(world: &mut World) -> Vec<(u64, Transport)> {
    let effects = world.directory.poll_effects();
    let told = effects.into_iter().filter_map(|effect| match effect {
        Effect::Tell { session, told: Told::Transport(to, _) } => Some((session.to_bits(), to)),
        _ => None,
    });
    told.collect()
}

#[test]
fn when_the_node_is_full_the_newest_and_the_idle_make_room_and_come_back_in_order() {
    let mut world = World::of(&Settings { egress_max_bps: Some(20_000_000), ..settings() });
    let id = world.create("derby", 1).unwrap();
    world.whip("derby", Some(1), PeerId::from_bits(99)).unwrap();
    world.media(PeerId::from_bits(99), id);
    world.directory.handle_usage(world.now, usage(0));
    for number in 1..=10 {
        world.now = world.now.after(Duration::from_secs(10));
        let session = SessionId::from_bits(number);
        world.directory.join(world.now, session, "derby", &claims(number), JoinAs::Viewer).unwrap();
        let credential = Credential::Anonymous;
        let entry = PeerEntry { broadcast: id, is_publisher: false, session: Some(session), credential, ice: IceTags::default() };
        // The measure still says that nobody is sent anything.
        world.directory.admit_viewer(world.now, "derby", Some(&claims(number)), Some(session), true).unwrap();
        world.directory.viewer_joined(world.now, PeerId::from_bits(number), entry).unwrap();
    }
    world.directory.drawn(PeerId::from_bits(2), 0);
    assert_eq!(moved(&mut world), []);
    for _ in 0..=2 {
        world.now = world.now.after(Duration::from_secs(1));
        world.directory.handle_usage(world.now, usage(10));
    }
    assert_eq!(moved(&mut world), [(2, Transport::Hls), (10, Transport::Hls), (9, Transport::Hls)], "nobody looks at the second");

    let refused = world.directory.admit_viewer(world.now, "derby", Some(&claims(9)), Some(SessionId::from_bits(9)), true);
    assert_eq!(refused, Err(Refusal::Full("viewers of this node")));
    assert_eq!(moved(&mut world), [(9, Transport::Hls)], "once more, because it asked");
    assert!(world.directory.admit_viewer(world.now, "derby", None, None, true).is_err(), "players too");

    for bits in [2, 9, 10].map(PeerId::from_bits) {
        world.directory.remove_peer(world.now, bits);
    }
    let mut back = Vec::new();
    for second in 0..30 {
        world.now = world.now.after(Duration::from_secs(1));
        world.directory.handle_usage(world.now, usage(3));
        back.extend(moved(&mut world).into_iter().map(|(session, to)| (second, session, to)));
    }
    assert_eq!(
        back.iter().map(|(_, session, to)| (*session, *to)).collect::<Vec<_>>(),
        [2, 9, 10].map(|session| (session, Transport::Webrtc))
    );
    assert!(back.windows(2).all(|pair| pair[1].0 > pair[0].0), "one at a time: {back:?}");
}

#[test]
fn without_another_transport_nobody_is_asked_to_go_and_publishers_never_are() {
    for (has_hls, publishes) in [(false, false), (true, true)] {
        let mut world = World::of(&Settings { egress_max_bps: Some(1_000_000), has_hls, ..settings() });
        let id = world.create("derby", 1).unwrap();
        world.directory.join(world.now, SESSION, "derby", &claims(1), JoinAs::Viewer).unwrap();
        if publishes {
            let admission = world.directory.admit_publisher(world.now, "derby", Some(&claims(1)), None).unwrap();
            world.directory.publisher_joined(world.now, &admission, PEER, Some(SESSION), IceTags::default()).unwrap();
        } else {
            let credential = Credential::Anonymous;
            let entry = PeerEntry { broadcast: id, is_publisher: false, session: Some(SESSION), credential, ice: IceTags::default() };
            world.directory.offers_open += 1;
            world.directory.viewer_joined(world.now, PEER, entry).unwrap();
        }
        for _ in 0..=5 {
            world.now = world.now.after(Duration::from_secs(1));
            world.directory.handle_usage(world.now, usage(10));
        }
        assert_eq!(moved(&mut world), []);
    }
}

#[test]
fn who_is_in_a_call_is_neither_moved_nor_closed_with_the_broadcast() {
    let mut world = World::of(&Settings { egress_max_bps: Some(20_000_000), ..settings() });
    let id = world.create("derby", 1).unwrap();
    world.whip("derby", Some(1), PeerId::from_bits(99)).unwrap();
    world.media(PeerId::from_bits(99), id);
    world.directory.handle_usage(world.now, usage(0));
    for number in 1..=10 {
        let session = SessionId::from_bits(number);
        world.directory.join(world.now, session, "derby", &claims(number), JoinAs::Viewer).unwrap();
        world.directory.hold(session);
        let credential = Credential::Anonymous;
        let entry = PeerEntry { broadcast: id, is_publisher: false, session: Some(session), credential, ice: IceTags::default() };
        world.directory.admit_viewer(world.now, "derby", Some(&claims(number)), Some(session), true).unwrap();
        world.directory.viewer_joined(world.now, PeerId::from_bits(number), entry).unwrap();
    }
    for _ in 0..=5 {
        world.now = world.now.after(Duration::from_secs(1));
        world.directory.handle_usage(world.now, usage(10));
    }
    assert_eq!(moved(&mut world), []);

    world.directory.release(SessionId::from_bits(1));
    world.directory.end(world.now, "derby", Some(&claims(1))).unwrap();
    let removed = |effects: &[Effect]| -> Vec<u64> {
        let peer = |effect: &Effect| match effect {
            Effect::RemovePeer(peer) => Some(peer.to_bits()),
            _ => None,
        };
        let mut peers: Vec<u64> = effects.iter().filter_map(peer).collect();
        peers.sort_unstable();
        peers
    };
    let effects = world.directory.poll_effects();
    assert_eq!(removed(&effects), [1, 99], "those who are in no call, and the publisher");
    let is_closed = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::CloseBroadcast(_)));
    assert!(!is_closed(&effects));
    for number in 2..=10 {
        assert!(world.directory.admit_viewer(world.now, "derby", Some(&claims(number)), Some(SessionId::from_bits(number)), true).is_ok());
        world.directory.viewer_failed();
        world.directory.release(SessionId::from_bits(number));
        let effects = world.directory.poll_effects();
        assert_eq!(removed(&effects), [number]);
        assert_eq!(is_closed(&effects), number == 10, "with the last of them");
    }
}
