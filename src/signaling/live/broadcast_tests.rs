//! The life of a broadcast on virtual time.

use std::time::Duration;

use super::*;
use crate::sfu::handle::LayerInfo;

const PEER: PeerId = PeerId::from_bits(1);
const OTHER: PeerId = PeerId::from_bits(2);

const fn user(bits: u64) -> Credential {
    Credential::User(UserId::from_bits(bits))
}

fn picture(active: bool) -> Vec<TrackInfo> {
    let layer = LayerInfo { spatial: 0, rid: None, width: 640, height: 360, bitrate_bps: 500_000, frames_per_second: 30.0, active };
    vec![
        TrackInfo { kind: MediaKind::Video, codec: Some(Codec::H264), layers: vec![layer], loss_fraction: 0.0, clock: None, lag_ms: None },
        TrackInfo { kind: MediaKind::Audio, codec: Some(Codec::Opus), layers: vec![], loss_fraction: 0.0, clock: None, lag_ms: None },
    ]
}

struct Show {
    now: Now,
    broadcast: Broadcast,
    tickets: u64,
}

impl Show {
    fn new() -> Self {
        let now = Now::read();
        let id = BroadcastId::from_bits(5);
        let broadcast = Broadcast::new(now, id, "final".to_owned(), "Final".to_owned(), Visibility::Public, None);
        Self { now, broadcast, tickets: 0 }
    }

    fn live(credential: Credential) -> Self {
        let mut show = Self::new();
        show.publish(PEER, credential).unwrap();
        show.broadcast.tracks(show.now, PEER, &picture(true));
        assert_eq!(show.broadcast.state(), BroadcastState::Live);
        show
    }

    fn admit(&mut self, credential: Credential) -> Result<(Ticket, Option<PeerId>), Refusal> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.broadcast.admit_publisher(self.now, ticket, credential).map(|evicted| (ticket, evicted))
    }

    fn publish(&mut self, peer: PeerId, credential: Credential) -> Result<Option<PeerId>, Refusal> {
        let (ticket, evicted) = self.admit(credential)?;
        assert!(self.broadcast.publisher_joined(ticket, peer));
        Ok(evicted)
    }

    /// Passes time in steps of the machine's own deadlines.
    fn pass(&mut self, time: Duration) -> Vec<Expiry> {
        let end = self.now.after(time);
        let mut expiries = Vec::new();
        while let Some(at) = self.broadcast.wake_at().filter(|at| *at <= end.instant) {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            expiries.push(self.broadcast.handle_timeout(self.now));
            self.broadcast.poll(self.now);
            if expiries.last() == Some(&Expiry::Forget) {
                break;
            }
        }
        self.now = end;
        expiries
    }
}

#[test]
fn the_first_media_makes_it_live_and_an_empty_report_does_not() {
    let mut show = Show::new();
    show.publish(PEER, user(1)).unwrap();
    show.broadcast.tracks(show.now, PEER, &[]);
    assert_eq!(show.broadcast.state(), BroadcastState::Idle);
    show.broadcast.tracks(show.now, OTHER, &picture(true));
    assert_eq!(show.broadcast.state(), BroadcastState::Idle, "another peer's media");
    show.broadcast.tracks(show.now, PEER, &picture(true));
    let view = show.broadcast.to_view();
    assert_eq!((view.state, view.video_codec, view.has_audio), (BroadcastState::Live, Some(Codec::H264), true));
    assert!(view.started_at_ms.is_some());
}

#[test]
fn a_publisher_that_vanishes_has_a_window_to_return() {
    let mut show = Show::live(user(1));
    show.broadcast.peer_gone(show.now, PEER);
    assert_eq!(show.broadcast.state(), BroadcastState::Reconnecting);
    show.pass(PUBLISHER_RETURN_WINDOW - Duration::from_millis(1));
    assert_eq!(show.broadcast.state(), BroadcastState::Reconnecting);
    assert_eq!(show.publish(OTHER, user(1)), Ok(None));
    show.broadcast.tracks(show.now, OTHER, &picture(true));
    assert_eq!(show.broadcast.state(), BroadcastState::Live);
    show.broadcast.peer_gone(show.now, OTHER);
    assert_eq!(show.pass(PUBLISHER_RETURN_WINDOW), [Expiry::Ended]);
    assert_eq!(show.broadcast.state(), BroadcastState::Ended);
}

#[test]
fn nobody_but_the_publisher_returns_within_the_window() {
    let mut show = Show::live(user(1));
    show.broadcast.peer_gone(show.now, PEER);
    assert_eq!(show.admit(user(2)), Err(Refusal::PublisherPresent));
    assert_eq!(show.admit(Credential::Anonymous), Err(Refusal::PublisherPresent));
    assert!(show.admit(user(1)).is_ok());
    let mut show = Show::live(Credential::Anonymous);
    show.broadcast.peer_gone(show.now, PEER);
    assert!(show.admit(Credential::Anonymous).is_ok());
}

#[test]
fn a_second_publisher_is_refused_unless_it_has_the_same_credential() {
    let mut show = Show::live(user(1));
    assert_eq!(show.admit(user(2)), Err(Refusal::PublisherPresent));
    assert_eq!(show.broadcast.state(), BroadcastState::Live, "a refused attempt changes nothing");
    assert_eq!(show.publish(OTHER, user(1)), Ok(Some(PEER)));
    show.broadcast.peer_gone(show.now, PEER);
    show.broadcast.tracks(show.now, OTHER, &picture(true));
    assert_eq!(show.broadcast.state(), BroadcastState::Live, "the old peer's end is no news");
    let mut show = Show::live(Credential::Anonymous);
    assert_eq!(show.admit(Credential::Anonymous), Err(Refusal::PublisherPresent), "two strangers are not the same");
}

#[test]
fn a_superseded_attempt_never_gets_the_place_back() {
    let mut show = Show::new();
    let (first, _) = show.admit(user(1)).unwrap();
    assert_eq!(show.admit(user(2)), Err(Refusal::PublisherPresent), "the place is reserved");
    let (second, _) = show.admit(user(1)).unwrap();
    assert!(!show.broadcast.publisher_joined(first, PEER));
    show.broadcast.publisher_failed(first);
    assert!(show.broadcast.publisher_joined(second, OTHER));
    assert!(show.broadcast.end(show.now));
    assert!(!show.broadcast.end(show.now));
    assert_eq!(show.admit(user(1)), Err(Refusal::Ended));
}

#[test]
fn an_attempt_that_fails_frees_the_place() {
    let mut show = Show::new();
    let (ticket, _) = show.admit(user(1)).unwrap();
    show.broadcast.publisher_failed(ticket);
    assert!(show.admit(user(2)).is_ok());
}

#[test]
fn a_publisher_on_its_way_holds_the_end_off() {
    let mut show = Show::live(user(1));
    show.broadcast.peer_gone(show.now, PEER);
    show.publish(OTHER, user(1)).unwrap();
    assert!(show.pass(PUBLISHER_RETURN_WINDOW).iter().all(|expiry| *expiry == Expiry::Nothing));
    assert_eq!(show.broadcast.state(), BroadcastState::Reconnecting);
    show.broadcast.peer_gone(show.now, OTHER);
    assert!(show.pass(2 * PUBLISHER_RETURN_WINDOW).contains(&Expiry::Ended));
}

#[test]
fn an_unused_broadcast_ends_and_an_ended_one_is_forgotten_when_nobody_looks() {
    let mut show = Show::new();
    assert_eq!(show.pass(IDLE_KEPT), [Expiry::Ended]);
    let key = ViewerKey::Person(UserId::from_bits(1));
    show.broadcast.add_viewer(key);
    show.broadcast.poll(show.now);
    assert!(!show.pass(ENDED_KEPT).contains(&Expiry::Forget));
    show.broadcast.remove_viewer(key);
    show.now = show.now.after(VIEWERS_ANNOUNCE_INTERVAL);
    show.broadcast.poll(show.now);
    assert!(show.pass(2 * ENDED_KEPT).contains(&Expiry::Forget));
}

#[test]
fn a_person_counts_once_however_many_tabs_and_whep_players_count_each() {
    let mut show = Show::new();
    let person = ViewerKey::Person(UserId::from_bits(1));
    for key in [person, person, ViewerKey::Peer(PEER), ViewerKey::Peer(OTHER)] {
        show.broadcast.add_viewer(key);
    }
    assert_eq!(show.broadcast.viewers(), 3);
    show.broadcast.remove_viewer(person);
    show.broadcast.remove_viewer(ViewerKey::Peer(PEER));
    assert_eq!((show.broadcast.viewers(), show.broadcast.viewers_peak()), (2, 3));
    show.broadcast.remove_viewer(person);
    show.broadcast.remove_viewer(person);
    assert_eq!(show.broadcast.viewers(), 1);
}

#[test]
fn the_peak_is_kept_as_it_grows_and_only_then() {
    let mut show = Show::new();
    show.broadcast.poll(show.now);
    show.broadcast.add_viewer(ViewerKey::Peer(PEER));
    show.now = show.now.after(VIEWERS_ANNOUNCE_INTERVAL);
    assert!(show.broadcast.poll(show.now).record);
    assert_eq!(show.broadcast.to_record().viewers_peak, 1);
    show.broadcast.remove_viewer(ViewerKey::Peer(PEER));
    show.now = show.now.after(VIEWERS_ANNOUNCE_INTERVAL);
    assert!(!show.broadcast.poll(show.now).record);
    show.broadcast.add_viewer(ViewerKey::Peer(OTHER));
    show.now = show.now.after(VIEWERS_ANNOUNCE_INTERVAL);
    assert!(!show.broadcast.poll(show.now).record, "as many as before");
}

#[test]
fn the_viewer_count_goes_out_at_once_and_then_at_most_once_per_interval() {
    let mut show = Show::new();
    show.broadcast.add_viewer(ViewerKey::Peer(PEER));
    assert!(show.broadcast.poll(show.now).viewers);
    show.broadcast.add_viewer(ViewerKey::Peer(OTHER));
    assert!(!show.broadcast.poll(show.now).viewers);
    assert_eq!(show.broadcast.wake_at(), Some(show.now.instant + VIEWERS_ANNOUNCE_INTERVAL));
    show.now = show.now.after(VIEWERS_ANNOUNCE_INTERVAL);
    show.broadcast.handle_timeout(show.now);
    assert!(show.broadcast.poll(show.now).viewers);
    assert!(!show.broadcast.poll(show.now).viewers);
}

#[test]
fn layers_are_announced_when_their_shape_changes_and_now_and_then_for_their_bitrates() {
    let mut show = Show::live(user(1));
    assert!(show.broadcast.poll(show.now).layers);
    let mut tracks = picture(true);
    tracks[0].layers[0].bitrate_bps = 900_000;
    show.broadcast.tracks(show.now, PEER, &tracks);
    assert!(!show.broadcast.poll(show.now).layers, "too soon after the last one");
    assert_eq!(show.broadcast.layers()[0].bitrate_bps, 900_000);
    show.now = show.now.after(LAYER_RATES_ANNOUNCE_INTERVAL);
    show.broadcast.tracks(show.now, PEER, &tracks);
    assert!(show.broadcast.poll(show.now).layers);
    show.now = show.now.after(LAYER_RATES_ANNOUNCE_INTERVAL);
    tracks[0].layers[0].bitrate_bps = 1_300_000;
    show.broadcast.tracks(show.now, PEER, &tracks);
    assert!(!show.broadcast.poll(show.now).layers, "less than half more");
    show.broadcast.tracks(show.now, PEER, &picture(false));
    assert!(show.broadcast.poll(show.now).layers);
}

#[test]
fn a_restart_of_the_server_keeps_everything_and_lets_the_publisher_return() {
    let mut show = Show::live(user(1));
    let changes = BroadcastChanges { title: Some("Cup".to_owned()), ..Default::default() };
    show.broadcast.change(show.now, &changes).unwrap();
    let record = show.broadcast.to_record();
    let mut again = Broadcast::from_record(show.now, record.clone());
    assert_eq!(again.to_view().title, "Cup");
    assert_eq!(again.state(), BroadcastState::Reconnecting);
    assert_eq!(again.admit_publisher(show.now, Ticket(1), user(2)), Err(Refusal::PublisherPresent));
    assert_eq!(again.admit_publisher(show.now, Ticket(1), user(1)), Ok(None));
    let mut unreturned = Broadcast::from_record(show.now, record);
    assert_eq!(unreturned.handle_timeout(show.now.after(PUBLISHER_RETURN_AFTER_RESTART)), Expiry::Ended);
}

#[test]
fn people_on_other_nodes_count_and_so_does_the_most_there_were() {
    let mut show = Show::new();
    let [here, there] = [1, 2].map(|bits| ViewerKey::Person(UserId::from_bits(bits)));
    show.broadcast.add_viewer(here);
    show.broadcast.add_viewer(here);
    assert_eq!(show.broadcast.take_came_and_went(), [(here, true)]);
    show.broadcast.count_viewers(Some(ViewerCount { count: 7, peak: 9 }));
    assert_eq!((show.broadcast.viewers(), show.broadcast.viewers_peak(), show.broadcast.viewers_here()), (7, 9, 1));
    assert!(show.broadcast.poll(show.now).viewers);
    // What was counted before somebody came is not the last word.
    show.broadcast.count_viewers(Some(ViewerCount { count: 1, peak: 9 }));
    show.broadcast.add_viewer(there);
    assert_eq!(show.broadcast.viewers(), 2);
    show.broadcast.remove_viewer(there);
    show.broadcast.remove_viewer(here);
    assert_eq!(show.broadcast.take_came_and_went(), [(there, true), (there, false)]);
    show.broadcast.count_viewers(None);
    assert_eq!((show.broadcast.viewers(), show.broadcast.viewers_peak()), (1, 9), "nobody counts elsewhere");
}
