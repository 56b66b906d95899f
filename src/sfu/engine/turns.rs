//! Paced sends: a peer's turn. What may be sent in it, in order of urgency, and when the next is due; see [`crate::sfu::pacer`].

use std::time::{Duration, Instant};

use super::Engine;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::{Controller, Rank};
use crate::sfu::down_track::DownTrack;
use crate::sfu::forward::{Sending, Wire, forward_piece, retransmit};
use crate::sfu::peer::DownRef;
use crate::sfu::replay::replay_rate_bps;
use crate::sfu::stats::ReplayCause;
use crate::sfu::verdict::{Answer, Started};

impl Engine {
    /// Gives everyone whose turn has come a turn.
    pub(super) fn take_turns(&mut self, now: Instant, wire: &mut impl Wire) {
        while let Some(key) = self.turns.next_due(now) {
            if self.peers.contains(key) {
                self.take_turn(now, key, wire);
            }
        }
    }

    fn take_turn(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        self.send_repairs(now, key, wire);
        let at = self.send_time(now);
        for index in 0..self.peers[key].downs.len() {
            let reference = self.peers[key].downs[index];
            let track = self.broadcasts[reference.source].track_mut(reference.slot);
            while let Some(replay) = track.downs.get_mut(reference.key).and_then(|down| down.replay.as_mut()) {
                let pace = &mut self.egress[key].pace;
                // Frames that are spread share one pace, however many pictures there are: the one that comes first among the tracks goes first, and
                // none waits for ever.
                let shares = replay.is_spread();
                if shares && replay.due <= now && pace.room(now) <= 0 {
                    let at_last = track.layers.get(usize::from(replay.layer)).map_or(now, |source| replay.leaves_by(now, source));
                    replay.put_off(pace.free_at(now).min(at_last));
                }
                if replay.due > now {
                    self.turns.ask(key, replay.due);
                    break;
                }
                let sending = Sending { at, egress: &mut self.egress, buffer: &mut self.buffer, wire, counters: &mut self.counters };
                let bytes = forward_piece(track, reference.key, sending);
                if shares {
                    self.egress[key].pace.spend(now, bytes);
                }
            }
        }
        self.send_probe(now, key, wire);
        self.send_first_reports(now, key, wire);
        for index in 0..self.peers[key].downs.len() {
            self.publish_news(now, self.peers[key].downs[index].source);
        }
    }

    /// Sends again what was asked for, as much of it as is due. A replay under way waits as much longer, so that both together keep its pace.
    pub(super) fn send_repairs(&mut self, now: Instant, key: usize, wire: &mut impl Wire) {
        let at = self.send_time(now);
        while let Some((ssrc, seq)) = self.peers[key].resends.next(now) {
            let peer = &mut self.peers[key];
            let Some(reference) = peer.downs.iter().find(|down| down.ssrc == ssrc) else { continue };
            let track = self.broadcasts[reference.source].track_mut(reference.slot);
            let sending = Sending { at, egress: &mut self.egress, buffer: &mut self.buffer, wire, counters: &mut self.counters };
            let Some(bytes) = retransmit(track, reference.key, seq, sending) else { continue };
            let Some(down) = track.downs.get_mut(reference.key) else { continue };
            let rate_bps = replay_rate_bps(Some(down.sent_bps(&track.layers)).filter(|bps| *bps > 0), peer.controller.limit_bps());
            peer.resends.handle_sent(now, ssrc, seq, bytes, rate_bps);
            // Live frames that are spread wait for the bucket that it was spent from, and for that no longer than they may: at their own rate, which is
            // about the layer's, a second's repairs would take the place of a second of picture.
            if let Some(replay) = down.replay.as_mut().filter(|replay| !replay.is_spread()) {
                replay.pace(now, bytes);
            }
        }
        if let Some(due) = self.peers[key].resends.due() {
            self.turns.ask(key, due);
        }
    }

    /// Begins to send what this viewer waits for, if the cache has it. Returns whether it still waits for a key frame.
    pub(super) fn start_replay(&mut self, now: Instant, key: usize, reference: DownRef) -> bool {
        let waits = self.waits_for_another(key, reference);
        let path_bps = replay_path_bps(&self.peers[key].controller, reference.rank);
        let track = self.broadcasts[reference.source].track_mut(reference.slot);
        let Some(down) = track.downs.get_mut(reference.key) else { return false };
        if waits && down.has_group(now, &track.layers) {
            return false;
        }
        let plays = down.current().is_some();
        match down.start_replay(now, &track.layers, path_bps) {
            Started::Group => {
                let cause = if plays { ReplayCause::Switch } else { ReplayCause::Join };
                self.counters.replays[cause as usize] += 1;
                self.peers[key].controller.handle_replay(now);
                self.turns.ask(key, now);
                false
            }
            Started::KeyFrame(why) => {
                self.counters.replay_fallbacks[why as usize] += 1;
                self.turns.ask(key, now);
                true
            }
            Started::No => down.awaits_keyframe(),
        }
    }

    /// A viewer asks for a key frame: it gets its group again, or the publisher is asked.
    pub(super) fn handle_wish(&mut self, now: Instant, key: usize, reference: DownRef) {
        self.counters.keyframe_wishes += 1;
        if self.waits_for_another(key, reference) {
            return;
        }
        let peer = &self.peers[key];
        let path_bps = replay_path_bps(&peer.controller, reference.rank);
        let round_trip =
            peer.controller.report().rtt_ms.map_or(Duration::ZERO, |ms| Duration::from_secs_f32(ms / 1000.0).min(limits::REPLAY_ROW_ENDS));
        let track = self.broadcasts[reference.source].track_mut(reference.slot);
        let Some(down) = track.downs.get_mut(reference.key) else { return };
        match down.handle_wish(now, &track.layers, path_bps, round_trip) {
            Answer::Replayed => {
                self.counters.replays[ReplayCause::Wish as usize] += 1;
                self.peers[key].controller.handle_replay(now);
                self.turns.ask(key, now);
            }
            Answer::NeedsKeyframe(layer) => self.need_keyframe(now, reference.source, layer),
            Answer::UnderWay | Answer::Nothing => {}
        }
    }

    /// Faces come by the dozen, beside a match that goes on: where the path is known to end somewhere one of them is sent its group at a time, and the
    /// others wait for that or for their next key frame.
    fn waits_for_another(&self, key: usize, reference: DownRef) -> bool {
        let peer = &self.peers[key];
        let is_face = |reference: &DownRef| reference.rank == Rank::Face && reference.slot.kind() == MediaKind::Video;
        let catches_up = |other: &DownRef| {
            let downs = &self.broadcasts[other.source].track(other.slot).downs;
            downs.get(other.key).is_some_and(DownTrack::catches_up)
        };
        is_face(&reference) && peer.controller.room_bps().is_some() && peer.downs.iter().any(|other| is_face(other) && catches_up(other))
    }
}

/// What of its path a viewer's replay may count on; `None`: nothing is known against it. A broadcast's picture is what it came for and has the path to
/// itself, a face has what is left.
fn replay_path_bps(controller: &Controller, rank: Rank) -> Option<u32> {
    match rank {
        Rank::Face => controller.room_bps(),
        Rank::Guest | Rank::Broadcast => controller.limit_bps(),
    }
}
