//! A viewer's place in the past of a layer: an index into packets that all viewers share, never a copy of them.
//!
//! ```text
//!   shared ring   K K K d d d d d d d d d d d ← live packets are put in at this end
//!                       ^next: before it is sent, from it on is the viewer's queue
//! ```
//! While a viewer has a replay, live packets wait in their place in the same queue, because the queue is the ring; when `next` has
//! passed the newest packet that the others have ([`Layer::edge`]) the replay is over and packets pass straight through. What is replayed is whole frames, split only where one
//! is larger than a send. *When* the next piece leaves is the peer's pacing ([`crate::sfu::pacer`]).

use std::sync::Arc;
use std::time::Instant;

use crate::limits;
use crate::sfu::pacer::paced;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::sfu::up_track::Layer;

/// What a replay runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything from the key frame to the live edge, and what joins it meanwhile.
    Group,
    /// The key frame alone.
    KeyFrame,
}

/// A replay under way.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    pub layer: u8,
    pub extent: Extent,
    first: SeqNo,
    /// The first packet of the source that has not been sent.
    pub next: SeqNo,
    /// When its next piece may leave.
    pub due: Instant,
    pub rate_bps: u32,
    /// Packets that leave in one go at most.
    piece_max: u16,
    piece: Piece,
}

/// The part of a frame that leaves in one go.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    time: Option<RtpTime>,
    packets: u16,
}

impl Replay {
    pub fn new(now: Instant, layer: u8, extent: Extent, first: SeqNo, rate_bps: u32) -> Self {
        let piece_max = limits::RUN_PACKETS_MAX as u16;
        Self { layer, extent, first, next: first, due: now, rate_bps, piece_max, piece: Piece::default() }
    }

    /// The rest of a frame that is too large to leave at once, from `first` on: in small pieces, so that it is spread.
    pub fn paced(now: Instant, layer: u8, first: SeqNo, rate_bps: u32) -> Self {
        let piece_bytes = (f64::from(rate_bps) / 8.0 * limits::PACE_PIECE.as_secs_f64()) as u64;
        let packets = u16::try_from(piece_bytes / limits::SENT_PACKET_BYTES_TYPICAL).unwrap_or(u16::MAX);
        let piece_max = packets.clamp(limits::PACE_PIECE_PACKETS_MIN, limits::RUN_PACKETS_MAX as u16 - 1);
        Self { due: now + limits::PACE_PIECE, piece_max, ..Self::new(now, layer, Extent::Group, first, rate_bps) }
    }

    /// Where it began.
    pub fn first(&self) -> SeqNo {
        self.first
    }

    /// Goes on with the next piece.
    pub fn begin_piece(&mut self) {
        self.piece = Piece::default();
    }

    /// Whether a new group at `first` makes what is left before it superfluous: for a newcomer, who is behind, always; a frame that is
    /// spread is sent to its end, or its viewer would see a gap with every key frame.
    pub fn may_jump(&self, first: SeqNo) -> bool {
        !self.is_spread() || first.0 - self.next.0 > limits::PACE_BEHIND_MAX
    }

    /// A spread frame, and what waits behind it.
    pub fn is_spread(&self) -> bool {
        self.piece_max < limits::RUN_PACKETS_MAX as u16
    }

    /// What waits behind a spread frame must not grow, when the layer is faster now than its rate was.
    pub fn hurry(&mut self, edge: Option<SeqNo>) {
        if self.is_spread()
            && let Some(behind) = edge.and_then(|edge| edge.0.checked_sub(self.next.0))
        {
            let least = behind * limits::SENT_PACKET_BYTES_TYPICAL * 8000 / limits::PACE_DRAINED_WITHIN.as_millis() as u64;
            self.rate_bps = self.rate_bps.max(u32::try_from(least).unwrap_or(u32::MAX));
        }
    }

    /// The next packet of this piece. A hole is stepped over: what fills it later passes straight through.
    pub fn next_of_piece<'a>(&mut self, source: &'a Layer) -> Option<&'a Arc<RtpPacket>> {
        let packet = self.peek(source)?;
        if self.piece.time.is_some_and(|time| time != packet.time) || self.piece.packets == self.piece_max {
            return None;
        }
        self.piece = Piece { time: Some(packet.time), packets: self.piece.packets + 1 };
        self.next = packet.seq.next();
        Some(packet)
    }

    /// The next packet.
    pub fn peek<'a>(&self, source: &'a Layer) -> Option<&'a Arc<RtpPacket>> {
        match self.extent {
            Extent::KeyFrame if source.group.first() == Some(self.first) => {
                source.group.keyframe().iter().find(|packet| packet.seq >= self.next)
            }
            Extent::KeyFrame => None,
            Extent::Group => {
                let newest = source.edge?;
                let oldest = newest.0.saturating_sub(limits::PACKET_RING as u64 - 1);
                (self.next.0.max(oldest)..=newest.0).find_map(|seq| source.ring.get(SeqNo(seq)))
            }
        }
    }

    /// The ring has overwritten what was to be sent next: the path is far slower than the layer.
    pub fn has_been_overtaken(&self, source: &Layer) -> bool {
        self.extent == Extent::Group && source.ring.newest().is_some() && source.ring.is_overwritten(self.next)
    }

    /// Its next piece may not leave before `at`.
    pub fn put_off(&mut self, at: Instant) {
        self.due = self.due.max(at);
    }

    /// When its next piece leaves at the latest, whatever else is on the way: a live frame that is spread waits only so long.
    pub fn leaves_by(&self, now: Instant, source: &Layer) -> Instant {
        let waits_since = self.peek(source).filter(|_| self.is_spread()).map_or(now, |packet| packet.received);
        waits_since + limits::PACE_DRAINED_WITHIN
    }

    /// After a piece of `bytes` left: when the next may.
    pub fn pace(&mut self, now: Instant, bytes: usize) {
        self.due = paced(self.due, now, bytes, self.rate_bps);
    }
}

/// How fast to replay a layer of `layer_bps` over a path of which `path_bps` is known (`None`: nothing is).
pub fn replay_rate_bps(layer_bps: Option<u32>, path_bps: Option<u32>) -> u32 {
    let Some(layer_bps) = layer_bps else { return limits::REPLAY_RATE_MAX_BPS };
    let cap = limits::REPLAY_RATE_MAX_BPS.max(layer_bps.saturating_mul(limits::REPLAY_SPEED_MIN));
    let rate = layer_bps.saturating_mul(limits::REPLAY_SPEED).min(cap);
    let path_bps = path_bps.map_or(u64::MAX, |path| u64::from(path) * limits::REPLAY_PATH_SHARE_PERCENT / 100);
    // Half as fast again as the layer at least, or live packets would come in faster than the queue drains.
    let least = u64::from(layer_bps) * 3 / 2;
    u64::from(rate).min(path_bps.max(least)).try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_at_ten_times_real_time_within_what_buffers_and_paths_take() {
        let rows = [
            (Some(1_000_000), None, 10_000_000),
            (Some(4_000_000), None, 25_000_000),
            (Some(8_000_000), None, 40_000_000),
            (Some(1_000_000), Some(5_000_000), 4_000_000),
            (Some(1_000_000), Some(500_000), 1_500_000),
            (None, None, 25_000_000),
        ];
        for (layer, path, rate) in rows {
            assert_eq!(replay_rate_bps(layer, path), rate, "{layer:?} over {path:?}");
        }
    }
}
