//! One client's conversation as a state machine: messages, outcomes and news in, actions out. No socket, clock, token or lock here.
//!
//! A session begins after `hello` ([`super::hello`]) and outlives its connection by `limits::RESUME_WINDOW`. The shell ([`super::ws`])
//! carries out each [`Command`] and hands its [`Outcome`] back. Invariant: every request is answered exactly once, by its result or by
//! an error with its id.

mod exchange;

use std::time::Instant;

pub(crate) use self::exchange::{Action, Command, Negotiated, Outcome};
use super::live::{CallDone, JoinAs, Joined, Told};
use super::now::Now;
use super::protocol::{
    ByeReason, CallAsk, ChatAuthor, ChatChange, ChatRole, ClientMessage, Grant, Intent, PeerState, QualityChoice, ReactionKind,
    ServerMessage, StatsView, UserView,
};
use super::rate::TokenBucket;
use super::refusal::Refusal;
use crate::accounts::{AccountRefusal, Claims};
use crate::ids::{BroadcastId, PeerId, SessionId};
use crate::limits::{
    CLIENT_MESSAGE_BURST, CLIENT_MESSAGE_INTERVAL, CLIENT_OFFENCE_FORGIVEN_AFTER, CLIENT_OFFENCES_MAX, MEDIA_TIME_FUTURE_MAX_MS,
    MEDIA_TIME_PAST_MAX_MS, PEERS_PER_SESSION_MAX, PING_TIMEOUT, REPORT_BURST, REPORT_INTERVAL, SDP_BYTES_MAX, STATS_INTERVAL,
};
use crate::sfu::handle::{LayerChoice, PeerStats, PublisherProblem, SfuEvent};
use crate::social::chat::{Answer, Ask};

#[derive(Debug)]
struct Place {
    broadcast: BroadcastId,
    grants: Vec<Grant>,
    /// In whose name this session acts here.
    claims: Claims,
}

#[derive(Debug)]
struct MediaPeer {
    id: PeerId,
    stats: Option<StatsWatch>,
}

#[derive(Debug)]
struct StatsWatch {
    due: Instant,
    last: Option<(Instant, PeerStats)>,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    identity: Claims,
    place: Option<Place>,
    peers: Vec<MediaPeer>,
    messages: TokenBucket,
    reports: TokenBucket,
    /// One is taken for each refused message; an empty one ends the connection.
    patience: TokenBucket,
    heard_at: Instant,
}

impl Session {
    pub(crate) fn new(now: Now, id: SessionId, identity: Claims) -> Self {
        let bucket = |most, refill| TokenBucket::new(now.instant, most, refill);
        Self {
            id,
            identity,
            place: None,
            peers: Vec::new(),
            messages: bucket(CLIENT_MESSAGE_BURST, CLIENT_MESSAGE_INTERVAL),
            reports: bucket(REPORT_BURST, REPORT_INTERVAL),
            patience: bucket(CLIENT_OFFENCES_MAX - 1, CLIENT_OFFENCE_FORGIVEN_AFTER),
            heard_at: now.instant,
        }
    }

    pub(crate) fn user(&self) -> UserView {
        UserView { id: self.identity.sub, name: self.identity.name.clone(), guest: self.identity.guest }
    }

    /// Who speaks, outside of any broadcast.
    pub(crate) const fn identity(&self) -> &Claims {
        &self.identity
    }

    /// Who speaks on the joined broadcast.
    pub(crate) fn claims(&self) -> &Claims {
        self.place.as_ref().map_or(&self.identity, |place| &place.claims)
    }

    /// The broadcast it has joined.
    pub(crate) fn broadcast(&self) -> Option<BroadcastId> {
        self.place.as_ref().map(|place| place.broadcast)
    }

    /// The same person says who they are now: a guest has signed up, a name was changed. On the joined broadcast too, unless the session joined
    /// with a token of its own.
    pub(crate) fn handle_identity(&mut self, claims: Claims) {
        debug_assert_eq!(claims.sub, self.identity.sub, "nobody resumes as somebody else");
        let before = std::mem::replace(&mut self.identity, claims);
        if let Some(place) = self.place.as_mut().filter(|place| place.claims == before) {
            place.claims = self.identity.clone();
        }
    }

    /// A client has come back to it. `alive` are the peers that the media plane still has, `grants` those on the joined broadcast, if that is still
    /// there.
    pub(crate) fn handle_resume(&mut self, now: Now, alive: &[PeerId], grants: Option<Vec<Grant>>) -> Vec<Action> {
        self.heard_at = now.instant;
        if let (Some(place), Some(grants)) = (&mut self.place, grants) {
            place.grants = grants;
        }
        let gone: Vec<PeerId> = self.peers.iter().map(|peer| peer.id).filter(|peer| !alive.contains(peer)).collect();
        self.peers.retain(|peer| alive.contains(&peer.id));
        for peer in &mut self.peers {
            // The client asks anew for what it wants to watch.
            peer.stats = None;
        }
        gone.into_iter().map(|peer| Action::Send(peer_gone(peer, "removed"))).collect()
    }

    /// A text frame that is no message.
    pub(crate) fn handle_malformed(&mut self, now: Now, refusal: &Refusal) -> Vec<Action> {
        self.heard_at = now.instant;
        self.offence(now, None, refusal)
    }

    /// A message of the client.
    pub(crate) fn handle_message(&mut self, now: Now, message: ClientMessage) -> Vec<Action> {
        self.heard_at = now.instant;
        let id = request_id(&message);
        let is_report = matches!(message, ClientMessage::Report { .. });
        if !self.messages.take(now.instant) || (is_report && !self.reports.take(now.instant)) {
            return self.offence(now, id, &Refusal::RateLimited);
        }
        self.react(now, message).unwrap_or_else(|refusal| vec![Action::Send(error(id, &refusal))])
    }

    fn react(&mut self, now: Now, message: ClientMessage) -> Result<Vec<Action>, Refusal> {
        let command = match message {
            ClientMessage::Hello { .. } => return Err(Refusal::HelloTwice),
            ClientMessage::Ping { id, client_time_ms } => {
                return Ok(vec![Action::Send(ServerMessage::Pong { id, client_time_ms, server_time_ms: now.unix_ms })]);
            }
            ClientMessage::Report { report } => return Ok(vec![Action::Report(report)]),
            // ICE-lite: addresses are learned from checks, so a candidate is only held against the session's peers.
            ClientMessage::Candidate { peer, .. } => return self.demand_peer(peer).map(|()| Vec::new()),
            ClientMessage::Join { id, broadcast, token, preview } => {
                let join_as = if preview { JoinAs::Preview } else { JoinAs::Viewer };
                Command::Join { id, broadcast, token, join_as }
            }
            ClientMessage::Leave { id } => {
                self.place.as_ref().ok_or(Refusal::NotJoined)?;
                self.place = None;
                self.peers.clear();
                Command::Leave { id }
            }
            ClientMessage::Offer { sdp, .. } if sdp.len() > SDP_BYTES_MAX => {
                return Err(Refusal::TooLarge { what: "SDP", max: SDP_BYTES_MAX });
            }
            ClientMessage::Offer { id, sdp, peer: Some(peer), intent: Intent::View | Intent::Publish } => {
                self.demand_peer(peer)?;
                Command::Renegotiate { id, peer, sdp }
            }
            ClientMessage::Offer { id, intent, sdp, peer: None } => {
                let broadcast = self.demand_grant(match intent {
                    Intent::View => Grant::View,
                    Intent::Publish => Grant::Publish,
                })?;
                if self.peers.len() >= PEERS_PER_SESSION_MAX {
                    return Err(Refusal::Full("media peers of this session"));
                }
                Command::AddPeer { id, broadcast, intent, sdp }
            }
            ClientMessage::ClosePeer { id, peer } => {
                self.demand_peer(peer)?;
                self.peers.retain(|other| other.id != peer);
                Command::ClosePeer { id, peer }
            }
            ClientMessage::Quality { id, peer, choice } => {
                self.demand_peer(peer)?;
                let choice = match choice {
                    QualityChoice::Auto => LayerChoice::Auto,
                    QualityChoice::Layer { spatial } => LayerChoice::Spatial(spatial),
                    QualityChoice::AudioOnly => LayerChoice::AudioOnly,
                };
                Command::ChooseLayer { id, peer, choice }
            }
            ClientMessage::ViewSize { peer, mid, height } => {
                self.demand_peer(peer)?;
                Command::DrawnAt { peer, mid, height }
            }
            ClientMessage::WatchStats { id, peer, on } => {
                let watched = self.peers.iter_mut().find(|other| other.id == peer).ok_or(Refusal::NotFound("peer"))?;
                watched.stats = on.then_some(StatsWatch { due: now.instant, last: None });
                return Ok(vec![Action::Send(ServerMessage::Done { id })]);
            }
            ClientMessage::UpdateBroadcast { id, changes } => {
                Command::Change { id, broadcast: self.demand_grant(Grant::Publish)?, changes }
            }
            ClientMessage::Mark { id, kind, label, media_time_ms } => {
                Command::Mark { id, broadcast: self.demand_grant(Grant::Publish)?, kind, label, media_time_ms }
            }
            ClientMessage::Unmark { id, marker } => Command::Unmark { id, broadcast: self.demand_grant(Grant::Publish)?, marker },
            ClientMessage::EndBroadcast { id } => Command::End { id, broadcast: self.demand_grant(Grant::Publish)? },
            ClientMessage::EnterChat { id, since } => {
                let broadcast = self.broadcast().ok_or(Refusal::NotJoined)?;
                Command::EnterChat { id, broadcast, role: self.chat_role(), since }
            }
            ClientMessage::LeaveChat { id } => Command::LeaveChat { id },
            ClientMessage::Say { id, nonce, text, reply_to, mentions, media_time_ms } => {
                let ask = Ask::Say { nonce, text, reply_to, mentions, media_time_ms: checked_media_time(now, media_time_ms)?, found: None };
                Command::AskChat { id, author: self.demand_author()?, ask }
            }
            ClientMessage::ChangeChat { id, change } => {
                let ask = match change {
                    ChatChange::View { view } => return Ok(vec![Action::Command(Command::ViewChat { id, view })]),
                    ChatChange::Edit { message, text } => Ask::Edit { message, text },
                    ChatChange::Delete { message, note } => Ask::Delete { message, note },
                    ChatChange::Pin { message } => Ask::Pin { message },
                    ChatChange::Modes { modes } => Ask::SetModes { modes },
                    ChatChange::Restrain { user, restraint, note } => Ask::Restrain { user, restraint, note },
                    ChatChange::Words { words } => Ask::SetWords { words },
                    ChatChange::Review { held, verdict, note } => Ask::Review { held, verdict, note },
                };
                Command::AskChat { id, author: self.demand_author()?, ask }
            }
            ClientMessage::ReportMessage { id, message, reason, note } => {
                Command::AskChat { id, author: self.demand_author()?, ask: Ask::Report { message, reason, note } }
            }
            ClientMessage::WatchFriends { id } if self.identity.is_account() => Command::WatchFriends { id },
            ClientMessage::WatchFriends { .. } => return Err(AccountRefusal::NoAccount.into()),
            ClientMessage::UnwatchFriends { id } => Command::UnwatchFriends { id },
            ClientMessage::Call { id, ask } => Command::Call { id, broadcast: self.call_place(&ask)?, ask },
            ClientMessage::CallPace { pace } => Command::ReportPace { pace },
            ClientMessage::OnAir { id, ask } => Command::OnAir { id, broadcast: self.broadcast().ok_or(Refusal::NotJoined)?, ask },
            ClientMessage::React { taps, media_time_ms } => {
                self.demand_author()?;
                if taps.len() > ReactionKind::ALL.len() {
                    return Err(Refusal::InvalidValue { field: "taps", rule: "at most one of each kind" });
                }
                Command::React { taps, media_time_ms: checked_media_time(now, media_time_ms)? }
            }
        };
        Ok(vec![Action::Command(command)])
    }

    /// A command has been carried out, or not.
    pub(crate) fn handle_outcome(&mut self, now: Now, outcome: Outcome) -> Vec<Action> {
        match outcome {
            Outcome::Joined { id, result: Ok((joined, claims)) } => {
                let Joined { id: broadcast, view, grants } = joined;
                self.peers.clear();
                self.place = Some(Place { broadcast, grants: grants.clone(), claims });
                let viewers = ServerMessage::Viewers { count: view.viewers, peak: view.viewers_peak };
                let layers = ServerMessage::Layers { layers: view.layers.clone() };
                [ServerMessage::Joined { id, broadcast: view, grants }, viewers, layers].into_iter().map(Action::Send).collect()
            }
            Outcome::Answered { id, intent, result: Ok(Negotiated { peer, sdp, slots }) } => {
                if self.place.is_none() {
                    // Left in the meantime: nobody wants this peer any more.
                    return vec![Action::Command(Command::DropPeer { peer }), Action::Send(error(Some(id), &Refusal::NotJoined))];
                }
                if intent.is_some() {
                    self.peers.push(MediaPeer { id: peer, stats: None });
                }
                let mut actions = vec![Action::Send(ServerMessage::Answer { id, peer, sdp })];
                if !slots.is_empty() {
                    actions.push(Action::Send(ServerMessage::Slots { peer, slots }));
                }
                actions
            }
            // The peer of a stats reader may just have gone: its `peer_state` says so.
            Outcome::Stats { peer, result } => result.map(|stats| self.stats(now, peer, stats)).unwrap_or_default(),
            Outcome::Done { id, result: Ok(()) } => vec![Action::Send(ServerMessage::Done { id })],
            Outcome::Call { id, result: Ok(done) } => vec![Action::Send(match done {
                CallDone::Entered { member, call } => ServerMessage::CallEntered { id, member, call },
                CallDone::Link { invitation, expires_at_ms } => ServerMessage::CallLink { id, invitation, expires_at_ms },
                CallDone::Done => ServerMessage::Done { id },
            })],
            Outcome::EnteredChat { id, role, result: Ok(history) } => vec![Action::Send(ServerMessage::ChatEntered { id, history, role })],
            Outcome::WatchesFriends { id, result: Ok(friends) } => vec![Action::Send(ServerMessage::FriendsOnline { id, friends })],
            Outcome::Joined { id, result: Err(refusal) }
            | Outcome::Call { id, result: Err(refusal) }
            | Outcome::WatchesFriends { id, result: Err(refusal) }
            | Outcome::EnteredChat { id, result: Err(refusal), .. }
            | Outcome::Answered { id, result: Err(refusal), .. }
            | Outcome::Done { id, result: Err(refusal) } => vec![Action::Send(error(Some(id), &refusal))],
        }
    }

    /// The chat has decided about a request.
    pub(crate) fn handle_chat_answer(id: u32, answer: Answer) -> ServerMessage {
        match answer {
            Ok(Some(message)) => ServerMessage::Said { id, message },
            Ok(None) => ServerMessage::Done { id },
            Err(refusal) => error(Some(id), &refusal.into()),
        }
    }

    /// What this person is in the chat of the joined broadcast; nothing when they may only read.
    fn chat_role(&self) -> Option<ChatRole> {
        let grants = &self.place.as_ref()?.grants;
        let has = |grant: Grant| grants.contains(&grant);
        match (has(Grant::Publish), has(Grant::Moderate), has(Grant::Chat)) {
            (true, true, _) => Some(ChatRole::Broadcaster),
            (_, true, _) => Some(ChatRole::Moderator),
            (_, false, true) => Some(ChatRole::Viewer),
            (_, false, false) => None,
        }
    }

    fn demand_author(&self) -> Result<ChatAuthor, Refusal> {
        self.place.as_ref().ok_or(Refusal::NotJoined)?;
        let role = self.chat_role().ok_or(Refusal::Forbidden(Grant::Chat))?;
        let claims = self.claims();
        Ok(ChatAuthor { id: claims.sub, name: claims.name.clone(), role, guest: claims.guest })
    }

    /// News of one of its peers.
    pub(crate) fn handle_told(&mut self, told: Told) -> Vec<Action> {
        let event = match told {
            Told::PublishedLayers(layers) => return vec![Action::Send(ServerMessage::Layers { layers })],
            Told::Message(message) => return vec![Action::Send(*message)],
            Told::Transport(to, reason) => return vec![Action::Send(ServerMessage::Transport { to, reason })],
            Told::Media(event) => event,
        };
        let message = match event {
            SfuEvent::PeerConnected { peer, .. } => ServerMessage::PeerState { peer, state: PeerState::Connected },
            SfuEvent::PeerGone { peer, reason, .. } => {
                let known = self.peers.len();
                self.peers.retain(|other| other.id != peer);
                if self.peers.len() == known {
                    // Closed by this client, which therefore knows.
                    return Vec::new();
                }
                peer_gone(peer, super::live::gone_word(reason))
            }
            SfuEvent::Playing { peer, .. } => ServerMessage::Playing { peer },
            SfuEvent::TrackClock { peer, mid, kind, clock, .. } => ServerMessage::TrackClock {
                peer,
                mid: mid.as_str().to_owned(),
                kind,
                rtp0: clock.rtp0,
                ntp0_ms: clock.ntp0_ms,
                rate: clock.rate_hz,
            },
            SfuEvent::Layer { peer, mid, current, target, .. } => {
                ServerMessage::Layer { peer, mid: mid.as_str().to_owned(), current, target }
            }
            SfuEvent::Unwatched { peer, rids, .. } => {
                ServerMessage::Unwatched { peer, rids: rids.iter().map(|rid| rid.as_str().to_owned()).collect() }
            }
            // A friend's picture that it cannot decode is missing, and nothing else.
            SfuEvent::CannotDecode { broadcast, .. } if self.broadcast() != Some(broadcast) => return Vec::new(),
            SfuEvent::CannotDecode { peer, codec, .. } => ServerMessage::CannotDecode { peer, codec },
            SfuEvent::PublisherRefused { peer, reason, .. } => publisher_refused(peer, reason),
            // The directory turns these into `PublishedLayers`. Who speaks matters where several may: a broadcast has one sound.
            SfuEvent::Tracks { .. } | SfuEvent::Speaking { .. } => return Vec::new(),
        };
        vec![Action::Send(message)]
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Now) -> Vec<Action> {
        if self.heard_at + PING_TIMEOUT <= now.instant {
            return vec![Action::Bye(ByeReason::PingTimeout)];
        }
        let mut actions = Vec::new();
        for peer in &mut self.peers {
            if let Some(watch) = peer.stats.as_mut().filter(|watch| watch.due <= now.instant) {
                watch.due = now.instant + STATS_INTERVAL;
                actions.push(Action::Command(Command::ReadStats { peer: peer.id }));
            }
        }
        actions
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn wake_at(&self) -> Instant {
        let stats = self.peers.iter().filter_map(|peer| peer.stats.as_ref()).map(|watch| watch.due);
        stats.chain([self.heard_at + PING_TIMEOUT]).min().expect("the chain is never empty")
    }

    fn stats(&mut self, now: Now, peer: PeerId, stats: PeerStats) -> Vec<Action> {
        let Some(watch) = self.peers.iter_mut().find(|other| other.id == peer).and_then(|other| other.stats.as_mut()) else {
            return Vec::new();
        };
        let view = stats_view(now.instant, &stats, watch.last.as_ref());
        watch.last = Some((now.instant, stats));
        vec![Action::Send(ServerMessage::Stats { peer, stats: view })]
    }

    fn offence(&mut self, now: Now, id: Option<u32>, refusal: &Refusal) -> Vec<Action> {
        let mut actions = vec![Action::Send(error(id, refusal))];
        if !self.patience.take(now.instant) {
            actions.push(Action::Bye(ByeReason::ProtocolError));
        }
        actions
    }

    /// Where a call is asked for. Who declines need be nowhere.
    fn call_place(&self, ask: &CallAsk) -> Result<Option<BroadcastId>, Refusal> {
        match ask {
            CallAsk::Decline { .. } => Ok(None),
            CallAsk::Start { .. } if !self.claims().is_account() => Err(AccountRefusal::NoAccount.into()),
            CallAsk::Start { .. } | CallAsk::Join { .. } => self.demand_grant(Grant::Call).map(Some),
            CallAsk::Ring { .. }
            | CallAsk::Link
            | CallAsk::Leave
            | CallAsk::Present { .. }
            | CallAsk::Remove { .. }
            | CallAsk::Mute { .. }
            | CallAsk::Say { .. }
            | CallAsk::React { .. }
            | CallAsk::InStep { .. }
            | CallAsk::Play { .. }
            | CallAsk::Pin { .. } => self.broadcast().map(Some).ok_or(Refusal::NotJoined),
        }
    }

    fn demand_peer(&self, peer: PeerId) -> Result<(), Refusal> {
        if self.peers.iter().any(|other| other.id == peer) { Ok(()) } else { Err(Refusal::NotFound("peer")) }
    }

    fn demand_grant(&self, grant: Grant) -> Result<BroadcastId, Refusal> {
        let place = self.place.as_ref().ok_or(Refusal::NotJoined)?;
        if place.grants.contains(&grant) { Ok(place.broadcast) } else { Err(Refusal::Forbidden(grant)) }
    }
}

/// Media times may be as far from the server's clock as anywhere else.
fn checked_media_time(now: Now, media_time_ms: Option<f64>) -> Result<Option<f64>, Refusal> {
    let is_near = |time: f64| time >= now.unix_ms - MEDIA_TIME_PAST_MAX_MS && time <= now.unix_ms + MEDIA_TIME_FUTURE_MAX_MS;
    match media_time_ms {
        Some(time) if !is_near(time) => Err(Refusal::InvalidValue { field: "media_time_ms", rule: "near the live edge" }),
        other => Ok(other),
    }
}

/// An error as a message.
pub(crate) fn error(id: Option<u32>, refusal: &Refusal) -> ServerMessage {
    ServerMessage::Error { id, error: refusal.to_view() }
}

fn peer_gone(peer: PeerId, reason: &str) -> ServerMessage {
    ServerMessage::PeerState { peer, state: PeerState::Gone { reason: reason.to_owned() } }
}

/// A stable code, and words for whoever runs the encoder.
pub(crate) const fn publisher_problem(reason: PublisherProblem) -> (&'static str, &'static str) {
    match reason {
        PublisherProblem::BFrames => {
            ("b_frames", "The encoder sends B-frames, which browsers cannot play in real time. Set B-frames (bf) to 0 in the encoder.")
        }
    }
}

fn publisher_refused(peer: PeerId, reason: PublisherProblem) -> ServerMessage {
    let (code, message) = publisher_problem(reason);
    ServerMessage::PublisherRefused { peer, code: code.to_owned(), message: message.to_owned() }
}

fn stats_view(now: Instant, stats: &PeerStats, last: Option<&(Instant, PeerStats)>) -> StatsView {
    let rate = |bytes: fn(&PeerStats) -> u64| {
        let (at, before) = last?;
        let seconds = now.saturating_duration_since(*at).as_secs_f64();
        (seconds > 0.0).then(|| (bytes(stats).saturating_sub(bytes(before)) as f64 * 8.0 / seconds) as u32)
    };
    StatsView {
        sent_bps: rate(|stats| stats.bytes_sent).unwrap_or(0),
        received_bps: rate(|stats| stats.bytes_received).unwrap_or(0),
        loss_down: stats.loss_down,
        loss_up: stats.loss_up,
        retransmitted: stats.retransmitted as f64,
        rtt_ms: stats.rtt_ms,
        estimate_bps: stats.estimate_bps,
        current_layer: stats.current_layer,
        target_layer: stats.target_layer,
    }
}

const fn request_id(message: &ClientMessage) -> Option<u32> {
    match message {
        ClientMessage::Hello { .. }
        | ClientMessage::Candidate { .. }
        | ClientMessage::ViewSize { .. }
        | ClientMessage::Report { .. }
        | ClientMessage::CallPace { .. }
        | ClientMessage::React { .. } => None,
        ClientMessage::Ping { id, .. }
        | ClientMessage::Join { id, .. }
        | ClientMessage::Leave { id }
        | ClientMessage::Offer { id, .. }
        | ClientMessage::ClosePeer { id, .. }
        | ClientMessage::Quality { id, .. }
        | ClientMessage::WatchStats { id, .. }
        | ClientMessage::UpdateBroadcast { id, .. }
        | ClientMessage::Mark { id, .. }
        | ClientMessage::Unmark { id, .. }
        | ClientMessage::EndBroadcast { id }
        | ClientMessage::EnterChat { id, .. }
        | ClientMessage::LeaveChat { id }
        | ClientMessage::Say { id, .. }
        | ClientMessage::ReportMessage { id, .. }
        | ClientMessage::WatchFriends { id }
        | ClientMessage::UnwatchFriends { id }
        | ClientMessage::Call { id, .. }
        | ClientMessage::OnAir { id, .. }
        | ClientMessage::ChangeChat { id, .. } => Some(*id),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
