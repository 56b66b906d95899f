//! One broadcast as a state machine: who publishes, who watches, what is known of the picture. Pure: time comes in, decisions go out.
//!
//! ```text
//!            media                publisher gone
//!   idle ──────────────▶ live ──────────────────▶ reconnecting ── window over ──▶ ended
//!    │  ◀── (never back)   ▲                          │                            ▲
//!    │                     └────────── media ─────────┘                            │
//!    └────────────── nobody published for `IDLE_KEPT`, or ended by command ────────┘
//! ```
//! Invariants: `ended` is final; at most one publisher holds the place, joining or present; a publisher that was superseded never
//! gets it back by a late answer.

mod forms;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use axum::body::Bytes;

use super::details::Details;
use crate::ids::{BroadcastId, PeerId, UserId};
use crate::limits::{
    ENDED_KEPT, IDLE_KEPT, LAYER_RATES_ANNOUNCE_INTERVAL, MODERATORS_MAX, PUBLISHER_RETURN_AFTER_RESTART, PUBLISHER_RETURN_WINDOW,
    VIEWERS_ANNOUNCE_INTERVAL,
};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::handle::TrackInfo;
use crate::signaling::now::Now;
use crate::signaling::protocol::{
    BroadcastChanges, BroadcastState, BroadcastView, DvrView, GuestView, LayerView, Marker, ViewerCount, Visibility,
};
use crate::signaling::refusal::Refusal;
use crate::store::BroadcastRecord;

/// Whose publisher it is. Two anonymous publishers are never known to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    User(UserId),
    Anonymous,
}

/// One person in the viewer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ViewerKey {
    /// However many tabs they have open.
    Person(UserId),
    /// A WHEP player without a session.
    Peer(PeerId),
}

impl ViewerKey {
    /// As whom they count among the viewers of all nodes: a peer's id is drawn at random as a person's is.
    pub(crate) const fn user(self) -> UserId {
        match self {
            Self::Person(user) => user,
            Self::Peer(peer) => UserId::from_bits(peer.to_bits()),
        }
    }
}

/// One attempt to publish; a later attempt makes an earlier one void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle { until: Instant },
    Live,
    Reconnecting { until: Instant },
    Ended { forget_at: Instant },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publisher {
    None,
    /// Its offer is with the media plane.
    Joining {
        ticket: Ticket,
        credential: Credential,
    },
    Present {
        peer: PeerId,
        credential: Credential,
    },
}

/// A poster picture.
#[derive(Debug, Clone)]
pub(crate) struct Poster {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: &'static str,
}

/// What changed since the last [`Broadcast::poll`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// State, title, teams, score, clock, markers, visibility, poster.
    pub(crate) view: bool,
    pub(crate) viewers: bool,
    /// Layers appeared, went or changed size, or their rates are no longer what was announced.
    pub(crate) layers: bool,
    /// The stored record is stale.
    pub(crate) record: bool,
}

/// What a deadline led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Nothing,
    /// It has ended now: its peers must go.
    Ended,
    /// It may be forgotten.
    Forget,
}

/// One live show.
#[derive(Debug)]
pub(crate) struct Broadcast {
    pub(crate) id: BroadcastId,
    pub(crate) slug: String,
    pub(crate) owner: Option<UserId>,
    /// Who moderates it besides the owner.
    moderators: BTreeSet<UserId>,
    title: String,
    pub(crate) visibility: Visibility,
    created_at_ms: f64,
    started_at_ms: Option<f64>,
    ended_at_ms: Option<f64>,
    phase: Phase,
    publisher: Publisher,
    last_publisher: Option<Credential>,
    viewers: HashMap<ViewerKey, u32>,
    /// Who came (`true`) and went since that was last asked.
    came_and_went: Vec<(ViewerKey, bool)>,
    /// Over all nodes, where somebody counts them.
    counted: Option<ViewerCount>,
    viewers_peak: u32,
    /// As the record has it.
    peak_kept: u32,
    viewers_announced_at: Option<Instant>,
    details: Details,
    video_codec: Option<Codec>,
    has_audio: bool,
    layers: Vec<LayerView>,
    /// As last announced, and when.
    layers_told: (Vec<LayerView>, Option<Instant>),
    /// How far media time is behind the server's clock, ms.
    lag_ms: f64,
    poster: Option<Poster>,
    poster_version: u32,
    dvr_window_s: Option<u32>,
    has_replay: bool,
    /// On air beside the main picture.
    guest: Option<GuestView>,
    changed: Changed,
}

impl Broadcast {
    /// A new broadcast that nobody publishes yet.
    pub(crate) fn new(now: Now, id: BroadcastId, slug: String, title: String, visibility: Visibility, owner: Option<UserId>) -> Self {
        Self {
            id,
            slug,
            owner,
            moderators: BTreeSet::new(),
            title,
            visibility,
            created_at_ms: now.unix_ms.floor(),
            started_at_ms: None,
            ended_at_ms: None,
            phase: Phase::Idle { until: now.instant + IDLE_KEPT },
            publisher: Publisher::None,
            last_publisher: None,
            viewers: HashMap::new(),
            came_and_went: Vec::new(),
            counted: None,
            viewers_peak: 0,
            peak_kept: 0,
            viewers_announced_at: None,
            details: Details::default(),
            video_codec: None,
            has_audio: false,
            layers: Vec::new(),
            layers_told: (Vec::new(), None),
            lag_ms: 0.0,
            poster: None,
            poster_version: 0,
            dvr_window_s: None,
            has_replay: false,
            guest: None,
            changed: Changed { record: true, ..Changed::default() },
        }
    }

    pub(crate) const fn state(&self) -> BroadcastState {
        match self.phase {
            Phase::Idle { .. } => BroadcastState::Idle,
            Phase::Live => BroadcastState::Live,
            Phase::Reconnecting { .. } => BroadcastState::Reconnecting,
            Phase::Ended { .. } => BroadcastState::Ended,
        }
    }

    pub(crate) const fn created_at_ms(&self) -> f64 {
        self.created_at_ms
    }

    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// It has ended and can be watched from its recording.
    pub(crate) const fn has_replay(&self) -> bool {
        self.has_ended() && self.has_replay
    }

    pub(crate) const fn set_replay(&mut self, has_replay: bool) {
        self.has_replay = has_replay;
        self.changed.view = true;
    }

    pub(crate) fn set_guest(&mut self, guest: Option<GuestView>) {
        self.guest = guest;
        self.changed.view = true;
    }

    pub(crate) const fn set_dvr_window(&mut self, window_s: Option<u32>) {
        self.dvr_window_s = window_s;
    }

    pub(crate) fn markers(&self) -> &[Marker] {
        &self.details.markers
    }

    pub(crate) const fn has_publisher(&self) -> bool {
        !matches!(self.publisher, Publisher::None)
    }

    /// People watching now: those of this node at once, those of others as soon as they are counted.
    pub(crate) fn viewers(&self) -> u32 {
        self.viewers_here().max(self.counted.map_or(0, |counted| counted.count))
    }

    /// Those of this node.
    pub(crate) fn viewers_here(&self) -> u32 {
        self.viewers.len() as u32
    }

    pub(crate) const fn viewers_peak(&self) -> u32 {
        self.viewers_peak
    }

    pub(crate) fn layers(&self) -> &[LayerView] {
        &self.layers
    }

    /// Media time of what arrives from the publisher now, ms since the Unix epoch; the server's clock before anything has come.
    pub(crate) const fn live_edge_ms(&self, now: Now) -> f64 {
        now.unix_ms - self.lag_ms
    }

    pub(crate) const fn poster(&self) -> Option<&Poster> {
        self.poster.as_ref()
    }

    pub(crate) const fn poster_version(&self) -> u32 {
        self.poster_version
    }

    pub(crate) const fn moderators(&self) -> &BTreeSet<UserId> {
        &self.moderators
    }

    pub(crate) fn add_moderator(&mut self, user: UserId) -> Result<(), Refusal> {
        if self.moderators.len() >= MODERATORS_MAX && !self.moderators.contains(&user) {
            return Err(Refusal::Full("moderators of this broadcast"));
        }
        self.changed.record |= self.moderators.insert(user);
        Ok(())
    }

    /// `false`: they were none.
    pub(crate) fn remove_moderator(&mut self, user: UserId) -> bool {
        let was_one = self.moderators.remove(&user);
        self.changed.record |= was_one;
        was_one
    }

    /// Reserves the publisher's place for one attempt. The peer that must be removed first is returned: the same credential takes over.
    pub(crate) fn admit_publisher(&mut self, now: Now, ticket: Ticket, credential: Credential) -> Result<Option<PeerId>, Refusal> {
        let is_same = |other: Credential| other == credential && credential != Credential::Anonymous;
        let evicted = match (self.phase, self.publisher) {
            (Phase::Ended { .. }, _) => return Err(Refusal::Ended),
            (_, Publisher::Joining { credential: other, .. }) if is_same(other) => None,
            (_, Publisher::Present { credential: other, peer }) if is_same(other) => Some(peer),
            (_, Publisher::Joining { .. } | Publisher::Present { .. }) => return Err(Refusal::PublisherPresent),
            // The place is kept for whoever had it. Anonymous publishers cannot be told apart, and come back as one.
            (Phase::Reconnecting { .. }, Publisher::None) if self.last_publisher.is_some_and(|last| last != credential) => {
                return Err(Refusal::PublisherPresent);
            }
            (Phase::Idle { .. } | Phase::Live | Phase::Reconnecting { .. }, Publisher::None) => None,
        };
        if evicted.is_some() {
            self.publisher_lost(now);
        }
        self.publisher = Publisher::Joining { ticket, credential };
        Ok(evicted)
    }

    /// The media plane took the offer. `false`: the attempt is void (superseded or ended), remove the peer.
    #[must_use]
    pub(crate) fn publisher_joined(&mut self, ticket: Ticket, peer: PeerId) -> bool {
        match self.publisher {
            Publisher::Joining { ticket: current, credential } if current == ticket => {
                self.publisher = Publisher::Present { peer, credential };
                true
            }
            Publisher::None | Publisher::Joining { .. } | Publisher::Present { .. } => false,
        }
    }

    /// The media plane refused the offer.
    pub(crate) fn publisher_failed(&mut self, ticket: Ticket) {
        if matches!(self.publisher, Publisher::Joining { ticket: current, .. } if current == ticket) {
            self.publisher = Publisher::None;
        }
    }

    /// A peer of this broadcast is gone; matters when it is the publisher's.
    pub(crate) fn peer_gone(&mut self, now: Now, peer: PeerId) {
        if matches!(self.publisher, Publisher::Present { peer: current, .. } if current == peer) {
            self.publisher_lost(now);
        }
    }

    fn publisher_lost(&mut self, now: Now) {
        self.publisher = Publisher::None;
        match self.phase {
            Phase::Live => {
                self.phase = Phase::Reconnecting { until: now.instant + PUBLISHER_RETURN_WINDOW };
                self.changed.view = true;
                self.changed.record = true;
            }
            Phase::Reconnecting { until } => {
                self.phase = Phase::Reconnecting { until: until.max(now.instant + PUBLISHER_RETURN_WINDOW) };
            }
            Phase::Idle { .. } | Phase::Ended { .. } => {}
        }
    }

    /// What the publisher sends now. The first of it makes the broadcast live.
    pub(crate) fn tracks(&mut self, now: Now, peer: PeerId, tracks: &[TrackInfo]) {
        let Publisher::Present { peer: current, credential } = self.publisher else { return };
        if current != peer || tracks.iter().all(|track| track.codec.is_none()) {
            return;
        }
        let video = tracks.iter().find(|track| track.kind == MediaKind::Video);
        let layers: Vec<LayerView> = video.map(|track| track.layers.iter().map(layer_view).collect()).unwrap_or_default();
        let shape = |layers: &[LayerView]| -> Vec<_> {
            layers.iter().map(|layer| (layer.spatial, layer.width, layer.height, layer.active)).collect()
        };
        let (told, told_at) = &self.layers_told;
        let may_tell_rates = told_at.is_none_or(|at| at + LAYER_RATES_ANNOUNCE_INTERVAL <= now.instant);
        if shape(&layers) != shape(&self.layers) || may_tell_rates && rates_moved(told, &layers) {
            self.layers_told = (layers.clone(), Some(now.instant));
            self.changed.layers = true;
        }
        self.layers = layers;
        let sound = tracks.iter().find(|track| track.kind == MediaKind::Audio);
        self.lag_ms = [video, sound].into_iter().flatten().find_map(|track| track.lag_ms).unwrap_or(self.lag_ms);
        let video_codec = video.and_then(|track| track.codec);
        let has_audio = sound.is_some_and(|track| track.codec.is_some());
        self.changed.view |= (video_codec, has_audio) != (self.video_codec, self.has_audio);
        (self.video_codec, self.has_audio) = (video_codec, has_audio);
        if matches!(self.phase, Phase::Idle { .. } | Phase::Reconnecting { .. }) {
            self.phase = Phase::Live;
            self.started_at_ms.get_or_insert(now.unix_ms.floor());
            self.last_publisher = Some(credential);
            self.details.last_publisher = match credential {
                Credential::User(user) => Some(user),
                Credential::Anonymous => None,
            };
            self.changed.view = true;
            self.changed.record = true;
        }
    }

    /// Ends it for good; `false` when it had ended already.
    pub(crate) fn end(&mut self, now: Now) -> bool {
        if self.has_ended() {
            return false;
        }
        self.phase = Phase::Ended { forget_at: now.instant + ENDED_KEPT };
        self.publisher = Publisher::None;
        self.ended_at_ms = Some(now.unix_ms.floor());
        self.changed = Changed { view: true, layers: !self.layers.is_empty(), record: true, ..self.changed };
        self.layers.clear();
        true
    }

    /// One more connection of a viewer.
    pub(crate) fn add_viewer(&mut self, key: ViewerKey) {
        let connections = self.viewers.entry(key).or_insert(0);
        *connections += 1;
        if *connections == 1 {
            self.changed.viewers = true;
            self.came_and_went.push((key, true));
            if self.viewers() > self.viewers_peak {
                self.viewers_peak = self.viewers();
            }
        }
    }

    /// One connection of a viewer less.
    pub(crate) fn remove_viewer(&mut self, key: ViewerKey) {
        let Some(connections) = self.viewers.get_mut(&key) else { return };
        *connections -= 1;
        if *connections == 0 {
            self.viewers.remove(&key);
            self.changed.viewers = true;
            self.came_and_went.push((key, false));
        }
    }

    /// So many watch it over all nodes; `None`: nobody counts them any more.
    pub(crate) fn count_viewers(&mut self, counted: Option<ViewerCount>) {
        let before = (self.viewers(), self.viewers_peak);
        self.counted = counted;
        self.viewers_peak = self.viewers_peak.max(self.viewers()).max(counted.map_or(0, |counted| counted.peak));
        self.changed.viewers |= before != (self.viewers(), self.viewers_peak);
    }

    /// Who came (`true`) and went on this node since this was last asked.
    pub(crate) fn take_came_and_went(&mut self) -> Vec<(ViewerKey, bool)> {
        std::mem::take(&mut self.came_and_went)
    }

    /// Changes what is said about it. All or nothing.
    pub(crate) fn change(&mut self, now: Now, changes: &BroadcastChanges) -> Result<(), Refusal> {
        let edge_ms = self.live_edge_ms(now);
        self.refuse_when_ended()?;
        let title = changes.title.as_deref().map(super::details::checked_title).transpose()?;
        self.details.apply(changes, edge_ms)?;
        if let Some(title) = title {
            self.title = title;
        }
        if let Some(visibility) = changes.visibility {
            self.visibility = visibility;
        }
        self.details_changed();
        Ok(())
    }

    /// Lets `edit` change the details.
    pub(crate) fn edit_details<T>(&mut self, edit: impl FnOnce(&mut Details) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.refuse_when_ended()?;
        let result = edit(&mut self.details)?;
        self.details_changed();
        Ok(result)
    }

    pub(crate) fn set_poster(&mut self, poster: Poster) {
        self.poster = Some(poster);
        self.poster_version += 1;
        self.changed.view = true;
    }

    fn details_changed(&mut self) {
        self.changed.view = true;
        self.changed.record = true;
    }

    const fn refuse_when_ended(&self) -> Result<(), Refusal> {
        if self.has_ended() { Err(Refusal::Ended) } else { Ok(()) }
    }

    /// Acts on a deadline that has passed.
    pub(crate) fn handle_timeout(&mut self, now: Now) -> Expiry {
        match self.phase {
            Phase::Idle { until } if until <= now.instant => self.expire(now, |until| Phase::Idle { until }),
            Phase::Reconnecting { until } if until <= now.instant => self.expire(now, |until| Phase::Reconnecting { until }),
            Phase::Ended { forget_at } if forget_at <= now.instant && self.viewers.is_empty() && !self.has_replay => Expiry::Forget,
            Phase::Ended { forget_at } if forget_at <= now.instant => {
                self.phase = Phase::Ended { forget_at: now.instant + ENDED_KEPT };
                Expiry::Nothing
            }
            Phase::Idle { .. } | Phase::Live | Phase::Reconnecting { .. } | Phase::Ended { .. } => Expiry::Nothing,
        }
    }

    /// A window is over: the end, unless a publisher is on its way (the media plane bounds how long that lasts).
    fn expire(&mut self, now: Now, again: impl FnOnce(Instant) -> Phase) -> Expiry {
        match self.publisher {
            Publisher::None => {
                self.end(now);
                Expiry::Ended
            }
            Publisher::Joining { .. } | Publisher::Present { .. } => {
                self.phase = again(now.instant + PUBLISHER_RETURN_WINDOW);
                Expiry::Nothing
            }
        }
    }

    /// What must be announced or stored now. The viewer count is held back so that it goes out at most once per interval.
    pub(crate) fn poll(&mut self, now: Now) -> Changed {
        let mut due = self.changed;
        if due.viewers {
            let is_due = self.viewers_announced_at.is_none_or(|at| at + VIEWERS_ANNOUNCE_INTERVAL <= now.instant);
            due.viewers = is_due;
            if is_due {
                self.viewers_announced_at = Some(now.instant);
                // With the announcement and no more often: a crash costs a second of it.
                due.record |= self.viewers_peak > self.peak_kept;
                self.peak_kept = self.viewers_peak;
            }
        }
        self.changed = Changed { viewers: self.changed.viewers && !due.viewers, ..Changed::default() };
        due
    }

    /// When [`Self::handle_timeout`] or [`Self::poll`] has something to do without further input.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Idle { until } | Phase::Reconnecting { until } => Some(until),
            Phase::Ended { forget_at } => Some(forget_at),
            Phase::Live => None,
        };
        let viewers = self.viewers_announced_at.filter(|_| self.changed.viewers).map(|at| at + VIEWERS_ANNOUNCE_INTERVAL);
        [phase, viewers].into_iter().flatten().min()
    }
}

/// Whether a rate became known, or differs by half from the one before.
fn rates_moved(before: &[LayerView], now: &[LayerView]) -> bool {
    let moved = |(before, now): (&LayerView, &LayerView)| {
        let (before, now) = (u64::from(before.bitrate_bps), u64::from(now.bitrate_bps));
        2 * now.max(before) > 3 * now.min(before)
    };
    before.len() != now.len() || before.iter().zip(now).any(moved)
}

fn layer_view(layer: &crate::sfu::handle::LayerInfo) -> LayerView {
    LayerView {
        spatial: layer.spatial,
        width: layer.width,
        height: layer.height,
        bitrate_bps: layer.bitrate_bps,
        frames_per_second: layer.frames_per_second,
        active: layer.active,
    }
}

#[cfg(test)]
#[path = "broadcast_tests.rs"]
mod tests;
