//! Who watches by which transport when the node is nearly full: newcomers for whom there is no room, and the tail of the audience that makes
//! some, are asked to watch by HLS, and asked back when there is room. Publishers never are, nor is who is in a call or on air.

use std::cmp::Reverse;

use metrics::{counter, gauge};

use super::{Directory, Effect, Member, Told};
use crate::ids::{BroadcastId, PeerId, SessionId};
use crate::signaling::live::headroom::{Audience, Usage, Wish};
use crate::signaling::now::Now;
use crate::signaling::protocol::{Transport, TransportReason};
use crate::signaling::refusal::Refusal;
use crate::telemetry::{NODE_IN_USE, VIEWERS_ASKED_TO_MOVE};

impl Directory {
    /// Room for the peer of one more viewer. A session for which there is none is asked to watch by HLS, and asked back later.
    pub(super) fn demand_headroom(&mut self, now: Now, broadcast: BroadcastId, session: Option<SessionId>) -> Result<(), Refusal> {
        if session.is_some_and(|session| self.is_held(session)) {
            // HLS carries no call.
            return Ok(());
        }
        let bps = self.top_bps(broadcast);
        let has_place = self.viewers_max.is_none_or(|max| self.view_peers + self.offers_open < max);
        if has_place && !self.headroom.is_full_for(now.instant, bps, self.view_peers) {
            self.headroom.admitted(now.instant);
            if let Some(member) = session.and_then(|session| self.members.get_mut(&session)) {
                member.away_since = None;
            }
            return Ok(());
        }
        if let Some(session) = session {
            self.send_away(now, session);
        }
        Err(Refusal::Full("viewers of this node"))
    }

    /// A viewer draws its picture at this height; 0: not at all.
    pub(crate) fn drawn(&mut self, peer: PeerId, height: u16) {
        let session = self.peers.get(&peer).and_then(|entry| entry.session);
        if let Some(member) = session.and_then(|session| self.members.get_mut(&session)) {
            member.is_idle = height == 0;
        }
    }

    /// What the media plane has done since the last time.
    pub(crate) fn handle_usage(&mut self, now: Now, usage: Usage) {
        let away = self.members.values().filter(|member| member.away_since.is_some()).count();
        let movable = if self.has_hls { self.movable().count() } else { 0 };
        // Of the broadcast that sends most, so that nobody is asked back for whom there is no room.
        let bps = self.members.values().filter(|member| member.away_since.is_some()).map(|member| self.top_bps(member.broadcast)).max();
        let audience = Audience { viewers: self.view_peers, movable, away, bps: bps.unwrap_or_default() };
        let wish = self.headroom.handle_usage(now.instant, usage, audience);
        gauge!(NODE_IN_USE).set(self.headroom.in_use());
        match wish {
            Some(Wish::Shed(count)) => self.shed(now, count),
            Some(Wish::Recall(count)) => self.recall(count),
            None => {}
        }
    }

    /// The newest go first, and before them those who look at no picture or at a preview.
    fn shed(&mut self, now: Now, count: usize) {
        let mut movable: Vec<_> =
            self.movable().map(|(session, member)| ((!member.is_idle && member.is_counted, Reverse(member.joined_at)), session)).collect();
        movable.sort_unstable();
        tracing::info!(count, in_use = self.headroom.in_use(), "the node is nearly full: viewers are asked to watch by HLS");
        for (_, session) in movable.into_iter().take(count) {
            self.send_away(now, session);
        }
    }

    /// Who has waited longest comes first, as far as there are places.
    fn recall(&mut self, count: usize) {
        let places = self.viewers_max.map_or(usize::MAX, |max| max.saturating_sub(self.view_peers + self.offers_open));
        let mut away: Vec<_> = self.members.iter().filter_map(|(session, member)| Some((member.away_since?, *session))).collect();
        away.sort_unstable();
        for (_, session) in away.into_iter().take(count.min(places)) {
            if let Some(member) = self.members.get_mut(&session) {
                member.away_since = None;
            }
            self.tell_transport(session, Transport::Webrtc, TransportReason::RoomAgain);
        }
    }

    /// Viewers by WebRTC that another transport can serve.
    fn movable(&self) -> impl Iterator<Item = (SessionId, &Member)> {
        let watches = |member: &Member| {
            !member.peers.is_empty() && member.peers.iter().all(|peer| self.peers.get(peer).is_some_and(|entry| !entry.is_publisher))
        };
        self.members
            .iter()
            .filter(move |(_, member)| member.away_since.is_none() && !member.is_held && watches(member))
            .map(|(session, member)| (*session, member))
    }

    fn send_away(&mut self, now: Now, session: SessionId) {
        if !self.has_hls {
            return;
        }
        let Some(member) = self.members.get_mut(&session) else { return };
        member.away_since.get_or_insert(now.instant);
        self.tell_transport(session, Transport::Hls, TransportReason::NodeFull);
    }

    fn tell_transport(&mut self, session: SessionId, to: Transport, reason: TransportReason) {
        let word = match to {
            Transport::Hls => "hls",
            Transport::Webrtc => "webrtc",
        };
        counter!(VIEWERS_ASKED_TO_MOVE, "to" => word).increment(1);
        self.effects.push(Effect::Tell { session, told: Told::Transport(to, reason) });
    }

    /// Bits per second of a broadcast's largest layer; 0: not known.
    fn top_bps(&self, broadcast: BroadcastId) -> u32 {
        self.broadcasts
            .get(&broadcast)
            .map_or(0, |broadcast| broadcast.layers().iter().map(|layer| layer.bitrate_bps).max().unwrap_or_default())
    }
}
