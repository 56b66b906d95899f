//! Every broadcast of this node, found by id, slug, peer or session. Pure: `handle_*` and commands take `now`, what must happen
//! elsewhere is polled as [`Effect`]s, [`Directory::wake_at`] says when time alone changes something.
//!
//! Invariants: a peer and a member are entered and removed in one place each; a slug leads to the one broadcast that has not ended, else
//! to the last that did; every mutation is followed by `settle`, which keeps timers and effects true.

mod admission;
mod changes;
mod holding;
mod moderators;
mod moving;
mod told;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

pub(crate) use self::told::Told;
use super::access::{self, Policy};
use super::broadcast::{Broadcast, Changed, Credential, Expiry, Ticket, ViewerKey};
use super::details::{checked_slug, slug_of};
use super::headroom::Headroom;
use crate::accounts::{Claims, Grant};
use crate::ids::{BroadcastId, PeerId, SessionId, UserId};
use crate::limits::{BROADCASTS_MAX, BROADCASTS_PER_OWNER_MAX, EARLY_EVENTS, LIST_MAX};
use crate::sfu::handle::{PeerGone, SfuEvent};
use crate::signaling::now::Now;
use crate::signaling::protocol::{BroadcastState, BroadcastView, ServerMessage, ViewerCount, Visibility};
use crate::signaling::refusal::Refusal;
use crate::signaling::settings::Settings;
use crate::store::BroadcastRecord;

/// What must happen outside, in this order.
#[expect(clippy::large_enum_variant, reason = "values live for one step and are never kept in numbers")]
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// To every session that has joined the broadcast.
    Announce {
        broadcast: BroadcastId,
        message: ServerMessage,
    },
    /// To one session.
    Tell {
        session: SessionId,
        told: Told,
    },
    RemovePeer(PeerId),
    CloseBroadcast(BroadcastId),
    /// Somebody watches it on this node from now on, or no longer.
    Watched {
        broadcast: BroadcastId,
        by: UserId,
        is_here: bool,
    },
    /// Write its record.
    Save(BroadcastId),
    /// Nobody publishes or watches it any more.
    Ended(BroadcastId),
    /// It is no longer in memory.
    Forgotten(BroadcastId),
    /// A session has left the broadcast that it had joined.
    Left {
        broadcast: BroadcastId,
        session: SessionId,
    },
    /// A peer is gone.
    PeerForgotten(PeerId),
}

/// Whose peer it is and how its client proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerEntry {
    pub(crate) broadcast: BroadcastId,
    pub(crate) is_publisher: bool,
    pub(crate) session: Option<SessionId>,
    pub(crate) credential: Credential,
    pub(crate) ice: IceTags,
}

/// The ICE user fragments in force, by which PATCH requests name a session's state. Empty for peers of WebSocket sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IceTags {
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

#[derive(Debug)]
struct Member {
    broadcast: BroadcastId,
    key: ViewerKey,
    /// Publishers and previews do not count as viewers.
    is_counted: bool,
    peers: Vec<PeerId>,
    joined_at: Instant,
    /// It draws no picture just now.
    is_idle: bool,
    /// It was asked to watch by HLS, then.
    away_since: Option<Instant>,
    /// It is in a call or on air: neither moved nor closed with its broadcast.
    is_held: bool,
}

/// What a session joins for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinAs {
    /// To watch, or to publish; counted until it publishes.
    Viewer,
    /// To show a moving picture in a list: a peer like any other for the node, nobody for the broadcast.
    Preview,
}

/// What `join` found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Joined {
    pub(crate) id: BroadcastId,
    pub(crate) view: BroadcastView,
    pub(crate) grants: Vec<Grant>,
}

/// A publisher's attempt, before the media plane has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) broadcast: BroadcastId,
    pub(crate) ticket: Ticket,
    pub(crate) credential: Credential,
    /// Must be removed before the new peer is added.
    pub(crate) evicted: Option<PeerId>,
    /// The broadcast was made for this attempt and goes with it.
    pub(crate) is_new: bool,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Directory {
    policy: Policy,
    viewers_max: Option<usize>,
    headroom: Headroom,
    /// Viewers for whom there is no room have another transport.
    has_hls: bool,
    broadcasts: HashMap<BroadcastId, Broadcast>,
    slugs: HashMap<String, BroadcastId>,
    peers: HashMap<PeerId, PeerEntry>,
    members: HashMap<SessionId, Member>,
    /// The one deadline of each broadcast that has one.
    timers: BTreeSet<(Instant, BroadcastId)>,
    deadlines: HashMap<BroadcastId, Instant>,
    /// Offers that the media plane has not answered yet, and events of peers that may be theirs.
    offers_open: usize,
    early: VecDeque<SfuEvent>,
    view_peers: usize,
    posters: usize,
    /// Ended, with peers that are held.
    kept_open: BTreeSet<BroadcastId>,
    tickets: u64,
    effects: Vec<Effect>,
}

impl Directory {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            policy: Policy { open_publish: settings.open_publish, open_view: settings.open_view, dvr_window_s: settings.dvr_window_s },
            viewers_max: settings.max_viewers,
            headroom: Headroom::new(settings.egress_max_bps),
            has_hls: settings.has_hls,
            broadcasts: HashMap::new(),
            slugs: HashMap::new(),
            peers: HashMap::new(),
            members: HashMap::new(),
            timers: BTreeSet::new(),
            deadlines: HashMap::new(),
            offers_open: 0,
            early: VecDeque::new(),
            view_peers: 0,
            posters: 0,
            kept_open: BTreeSet::new(),
            tickets: 0,
            effects: Vec::new(),
        }
    }

    /// Takes over what the store kept, at start.
    pub(crate) fn restore(&mut self, now: Now, records: Vec<BroadcastRecord>) {
        // Those that have not ended last, so that they win their slug.
        let (ended, going): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.state == BroadcastState::Ended);
        for record in ended.into_iter().chain(going).take(BROADCASTS_MAX) {
            let broadcast = Broadcast::from_record(now, record);
            self.enter(now, broadcast);
        }
    }

    // ---- Finding ----

    /// By id or slug.
    pub(crate) fn find(&self, name: &str) -> Result<&Broadcast, Refusal> {
        let id = self.find_id(name)?;
        self.broadcasts.get(&id).ok_or(Refusal::NotFound("broadcast"))
    }

    fn find_id(&self, name: &str) -> Result<BroadcastId, Refusal> {
        let by_id = name.parse::<BroadcastId>().ok().filter(|id| self.broadcasts.contains_key(id));
        by_id.or_else(|| self.slugs.get(name).copied()).ok_or(Refusal::NotFound("broadcast"))
    }

    pub(crate) fn broadcast(&self, id: BroadcastId) -> Option<&Broadcast> {
        self.broadcasts.get(&id)
    }

    /// Public ones that have not ended: live first, then by viewers, then the newest. Only those listed are looked at closely.
    pub(crate) fn list(&self) -> Vec<BroadcastView> {
        let is_listed = |broadcast: &&Broadcast| broadcast.visibility == Visibility::Public && !broadcast.has_ended();
        let mut listed: Vec<&Broadcast> = self.broadcasts.values().filter(is_listed).collect();
        listed.sort_unstable_by_key(|broadcast| {
            let rank = match broadcast.state() {
                BroadcastState::Live => 0,
                BroadcastState::Reconnecting => 1,
                BroadcastState::Idle | BroadcastState::Ended => 2,
            };
            (rank, Reverse(broadcast.viewers()), Reverse(broadcast.created_at_ms() as u64), broadcast.id)
        });
        listed.into_iter().take(LIST_MAX).map(Broadcast::to_view).collect()
    }

    pub(crate) fn peer(&self, peer: PeerId) -> Option<&PeerEntry> {
        self.peers.get(&peer)
    }

    pub(crate) fn grants_on(&self, broadcast: &Broadcast, who: &Claims) -> Vec<Grant> {
        access::grants(self.policy, Some(who), broadcast)
    }

    /// The peers of a session.
    pub(crate) fn peers_of(&self, session: SessionId) -> Vec<PeerId> {
        self.members.get(&session).map(|member| member.peers.clone()).unwrap_or_default()
    }

    /// Broadcasts that have begun and not ended, and whether somebody publishes them now.
    pub(crate) fn on_air(&self) -> Vec<(BroadcastId, bool)> {
        let on_air = |broadcast: &Broadcast| match broadcast.state() {
            BroadcastState::Live => Some((broadcast.id, true)),
            BroadcastState::Reconnecting => Some((broadcast.id, false)),
            BroadcastState::Idle | BroadcastState::Ended => None,
        };
        self.broadcasts.values().filter_map(on_air).collect()
    }

    /// These broadcasts have a replay, and no others.
    pub(crate) fn set_replays(&mut self, now: Now, replays: &BTreeSet<BroadcastId>) {
        let moved = |broadcast: &&Broadcast| broadcast.has_replay() != replays.contains(&broadcast.id);
        let moved: Vec<BroadcastId> = self.broadcasts.values().filter(moved).map(|broadcast| broadcast.id).collect();
        for id in moved {
            self.touch(now, id, |broadcast| broadcast.set_replay(replays.contains(&id)));
        }
    }

    /// Broadcasts that are live or reconnecting, and people watching, for metrics.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        let live =
            self.broadcasts.values().filter(|broadcast| matches!(broadcast.state(), BroadcastState::Live | BroadcastState::Reconnecting));
        (self.broadcasts.len(), live.count(), self.broadcasts.values().map(|broadcast| broadcast.viewers_here() as usize).sum())
    }

    /// The broadcast, if `who` has `grant` on it.
    pub(crate) fn find_for(&self, name: &str, who: Option<&Claims>, grant: Grant) -> Result<BroadcastId, Refusal> {
        let broadcast = self.find(name)?;
        access::demand(self.policy, who, broadcast, grant)?;
        Ok(broadcast.id)
    }

    // ---- Sessions ----

    /// A session enters a broadcast as one more connection of its person; it leaves the one before.
    pub(crate) fn join(&mut self, now: Now, session: SessionId, name: &str, who: &Claims, join_as: JoinAs) -> Result<Joined, Refusal> {
        let broadcast = self.find(name)?;
        access::demand(self.policy, Some(who), broadcast, Grant::View)
            .or_else(|refusal| access::demand(self.policy, Some(who), broadcast, Grant::Publish).map_err(|_| refusal))?;
        let id = broadcast.id;
        let grants = self.grants_on(broadcast, who);
        self.leave(now, session);
        let key = ViewerKey::Person(who.sub);
        let is_counted = join_as == JoinAs::Viewer;
        let member = Member {
            broadcast: id,
            key,
            is_counted,
            peers: Vec::new(),
            joined_at: now.instant,
            is_idle: false,
            away_since: None,
            is_held: false,
        };
        self.members.insert(session, member);
        let view = self.edit(now, id, |broadcast| {
            if is_counted {
                broadcast.add_viewer(key);
            }
            Ok(broadcast.to_view())
        })?;
        Ok(Joined { id, view, grants })
    }

    /// A session leaves: its peers go, its person may still watch elsewhere. Nothing happens when it had not joined.
    pub(crate) fn leave(&mut self, now: Now, session: SessionId) {
        let Some(member) = self.members.remove(&session) else { return };
        for peer in member.peers {
            self.effects.push(Effect::RemovePeer(peer));
            self.forget_peer(now, peer);
        }
        if member.is_counted {
            self.touch(now, member.broadcast, |broadcast| broadcast.remove_viewer(member.key));
        }
        self.effects.push(Effect::Left { broadcast: member.broadcast, session });
        self.close_when_free(member.broadcast);
    }

    /// So many watch a broadcast over all nodes.
    pub(crate) fn count_viewers(&mut self, now: Now, id: BroadcastId, counted: Option<ViewerCount>) {
        self.touch(now, id, |broadcast| broadcast.count_viewers(counted));
    }

    /// The broadcast that a session watches; one that only looks at a preview watches none.
    pub(crate) fn watched_by(&self, session: SessionId) -> Option<BroadcastId> {
        self.members.get(&session).filter(|member| member.is_counted).map(|member| member.broadcast)
    }

    // ---- Peers ----

    /// A peer is being removed by its client's wish; its `PeerGone` will find nothing. Nothing happens when it is unknown.
    pub(crate) fn remove_peer(&mut self, now: Now, peer: PeerId) {
        if self.peers.contains_key(&peer) {
            self.effects.push(Effect::RemovePeer(peer));
            self.forget_peer(now, peer);
        }
    }

    /// Every peer of the node goes: it is shutting down.
    pub(crate) fn remove_all_peers(&mut self, now: Now) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.remove_peer(now, peer);
        }
    }

    fn enter_peer(&mut self, now: Now, peer: PeerId, entry: PeerEntry) {
        if let Some(member) = entry.session.and_then(|session| self.members.get_mut(&session)) {
            member.peers.push(peer);
            if entry.is_publisher && member.is_counted {
                member.is_counted = false;
                let (id, key) = (member.broadcast, member.key);
                self.touch(now, id, |broadcast| broadcast.remove_viewer(key));
            }
        }
        self.view_peers += usize::from(!entry.is_publisher);
        let id = entry.broadcast;
        self.peers.insert(peer, entry);
        let (theirs, others) = std::mem::take(&mut self.early).into_iter().partition(|event| peer_of(event) == peer);
        self.early = others;
        let theirs: VecDeque<SfuEvent> = theirs;
        for event in theirs {
            self.handle_sfu_event(now, event);
        }
        self.offer_closed();
        self.settle(now, id);
    }

    fn forget_peer(&mut self, now: Now, peer: PeerId) {
        let Some(entry) = self.peers.remove(&peer) else { return };
        self.effects.push(Effect::PeerForgotten(peer));
        self.view_peers -= usize::from(!entry.is_publisher);
        if let Some(member) = entry.session.and_then(|session| self.members.get_mut(&session)) {
            member.peers.retain(|other| *other != peer);
        }
        self.touch(now, entry.broadcast, |broadcast| {
            if entry.is_publisher {
                broadcast.peer_gone(now, peer);
            } else if entry.session.is_none() {
                broadcast.remove_viewer(ViewerKey::Peer(peer));
            }
        });
    }

    fn offer_closed(&mut self) {
        self.offers_open = self.offers_open.saturating_sub(1);
        if self.offers_open == 0 {
            // Nobody's answer is on its way any more: what is left belongs to peers that are gone.
            self.early.clear();
        }
    }

    // ---- Events ----

    /// The media plane reports.
    pub(crate) fn handle_sfu_event(&mut self, now: Now, event: SfuEvent) {
        let peer = peer_of(&event);
        let Some(entry) = self.peers.get(&peer).cloned() else {
            if self.offers_open > 0 {
                if self.early.len() >= EARLY_EVENTS {
                    self.early.pop_front();
                }
                self.early.push_back(event);
            }
            return;
        };
        if let SfuEvent::Tracks { tracks, .. } = &event {
            self.touch(now, entry.broadcast, |broadcast| broadcast.tracks(now, peer, tracks));
            // What a member of a call sends is no layer of the broadcast.
            let publishes = entry.session.filter(|_| entry.is_publisher);
            if let (Some(session), Some(broadcast)) = (publishes, self.broadcasts.get(&entry.broadcast)) {
                self.effects.push(Effect::Tell { session, told: Told::PublishedLayers(broadcast.layers().to_vec()) });
            }
            return;
        }
        let is_gone = matches!(event, SfuEvent::PeerGone { .. });
        if let Some(session) = entry.session {
            self.effects.push(Effect::Tell { session, told: Told::Media(event) });
        }
        if is_gone {
            self.forget_peer(now, peer);
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= now.instant) {
            self.timers.remove(&(at, id));
            self.deadlines.remove(&id);
            let Some(broadcast) = self.broadcasts.get_mut(&id) else { continue };
            match broadcast.handle_timeout(now) {
                Expiry::Nothing => self.settle(now, id),
                Expiry::Ended => {
                    self.settle(now, id);
                    self.close(id);
                }
                Expiry::Forget => self.forget(id),
            }
        }
    }

    /// When time alone changes something.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What must happen now, in order.
    pub(crate) fn poll_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    // ---- Private ----

    fn edit<T>(&mut self, now: Now, id: BroadcastId, edit: impl FnOnce(&mut Broadcast) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let broadcast = self.broadcasts.get_mut(&id).ok_or(Refusal::NotFound("broadcast"))?;
        let result = edit(broadcast);
        self.settle(now, id);
        result
    }

    fn touch(&mut self, now: Now, id: BroadcastId, edit: impl FnOnce(&mut Broadcast)) {
        if let Some(broadcast) = self.broadcasts.get_mut(&id) {
            edit(broadcast);
            self.settle(now, id);
        }
    }

    /// Turns what changed into effects and sets the broadcast's timer anew.
    fn settle(&mut self, now: Now, id: BroadcastId) {
        let Some(broadcast) = self.broadcasts.get_mut(&id) else { return };
        let Changed { view, viewers, layers, record } = broadcast.poll(now);
        let watched = |(key, is_here): (ViewerKey, bool)| Effect::Watched { broadcast: id, by: key.user(), is_here };
        self.effects.extend(broadcast.take_came_and_went().into_iter().map(watched));
        if view {
            self.effects.push(Effect::Announce { broadcast: id, message: ServerMessage::Broadcast { broadcast: broadcast.to_view() } });
        }
        if viewers {
            let message = ServerMessage::Viewers { count: broadcast.viewers(), peak: broadcast.viewers_peak() };
            self.effects.push(Effect::Announce { broadcast: id, message });
        }
        if layers {
            let message = ServerMessage::Layers { layers: broadcast.layers().to_vec() };
            self.effects.push(Effect::Announce { broadcast: id, message });
        }
        if record {
            self.effects.push(Effect::Save(id));
        }
        let wake_at = broadcast.wake_at();
        let armed = self.deadlines.get(&id).copied();
        if armed != wake_at {
            if let Some(at) = armed {
                self.timers.remove(&(at, id));
            }
            match wake_at {
                Some(at) => {
                    self.timers.insert((at, id));
                    self.deadlines.insert(id, at);
                }
                None => drop(self.deadlines.remove(&id)),
            }
        }
    }

    fn enter(&mut self, now: Now, mut broadcast: Broadcast) {
        broadcast.set_dvr_window(self.policy.dvr_window_s);
        let id = broadcast.id;
        self.slugs.insert(broadcast.slug.clone(), id);
        self.broadcasts.insert(id, broadcast);
        self.settle(now, id);
    }

    fn forget(&mut self, id: BroadcastId) {
        let Some(broadcast) = self.broadcasts.remove(&id) else { return };
        if let Some(at) = self.deadlines.remove(&id) {
            self.timers.remove(&(at, id));
        }
        if self.slugs.get(&broadcast.slug) == Some(&id) {
            self.slugs.remove(&broadcast.slug);
        }
        self.posters -= usize::from(broadcast.poster().is_some());
        if self.kept_open.remove(&id) {
            self.effects.push(Effect::CloseBroadcast(id));
        }
        self.effects.push(Effect::Forgotten(id));
    }

    fn is_taken(&self, slug: &str) -> bool {
        self.slugs.get(slug).and_then(|id| self.broadcasts.get(id)).is_some_and(|broadcast| !broadcast.has_ended())
    }

    /// From the title, made unique by the id's last characters where needed.
    fn free_slug(&self, title: &str, id: BroadcastId) -> String {
        let from_title = slug_of(title);
        if checked_slug(&from_title).is_ok() && !self.is_taken(&from_title) {
            return from_title;
        }
        let text = id.to_string();
        let suffix = &text[text.len() - 7..];
        let base = if from_title.is_empty() { "live" } else { &from_title };
        format!("{base}-{suffix}")
    }

    fn demand_room(&self, owner: Option<UserId>) -> Result<(), Refusal> {
        if self.broadcasts.len() >= BROADCASTS_MAX {
            return Err(Refusal::Full("broadcasts of this node"));
        }
        let theirs = |broadcast: &&Broadcast| owner.is_some() && broadcast.owner == owner && !broadcast.has_ended();
        if self.broadcasts.values().filter(theirs).count() >= BROADCASTS_PER_OWNER_MAX {
            return Err(Refusal::Full("your broadcasts: end one first"));
        }
        Ok(())
    }
}

/// The peer an event is about.
pub(crate) const fn peer_of(event: &SfuEvent) -> PeerId {
    match event {
        SfuEvent::PeerConnected { peer, .. }
        | SfuEvent::PeerGone { peer, .. }
        | SfuEvent::Tracks { peer, .. }
        | SfuEvent::Playing { peer, .. }
        | SfuEvent::TrackClock { peer, .. }
        | SfuEvent::Layer { peer, .. }
        | SfuEvent::CannotDecode { peer, .. }
        | SfuEvent::Unwatched { peer, .. }
        | SfuEvent::Speaking { peer, .. }
        | SfuEvent::PublisherRefused { peer, .. } => *peer,
    }
}

/// The word for it in `peer_state`.
pub(crate) const fn gone_word(reason: PeerGone) -> &'static str {
    match reason {
        PeerGone::Removed => "removed",
        PeerGone::ClosedByPeer => "closed_by_peer",
        PeerGone::ConsentExpired => "consent_expired",
        PeerGone::ConnectTimeout => "connect_timeout",
        PeerGone::DtlsFailed => "dtls_failed",
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
