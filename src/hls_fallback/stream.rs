//! One RTP stream of a source: its packets become whole frames, its clock says where they lie on the broadcast's line.

use std::time::Instant;

use super::clock::StreamClock;
use super::depay::{Depacketizer, Losses, TimedFrame};
use super::segment::TrackId;
use crate::limits::LAYERS_MAX;
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::tap::{TapRun, TrackSlot};
use crate::timeline::ClockMap;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) slot: TrackSlot,
    pub(super) layer: u8,
    generation: u32,
    pub(super) depacketizer: Depacketizer,
    pub(super) codec: Codec,
    pub(super) clock: StreamClock,
    pub(super) map: Option<ClockMap>,
    pub(super) map_is_real: bool,
    pub(super) track: Option<TrackId>,
}

impl Stream {
    /// The stream of a run; `None`: there is nothing of it, or it is a layer too many.
    pub(super) fn of(run: &TapRun) -> Option<Self> {
        let codec = run.packets.first()?.codec;
        (usize::from(run.layer) < LAYERS_MAX).then(|| Self {
            slot: run.slot,
            layer: run.layer,
            generation: run.generation,
            depacketizer: Depacketizer::new(codec),
            codec,
            clock: StreamClock::new(codec.clock_rate_hz()),
            map: None,
            map_is_real: false,
            track: None,
        })
    }

    pub(super) fn is_of(&self, run: &TapRun) -> bool {
        (self.slot, self.layer) == (run.slot, run.layer)
    }

    pub(super) const fn is_picture(&self) -> bool {
        matches!(self.slot.kind(), MediaKind::Video)
    }

    /// Takes packets, and gives out the frames that they complete. What its depacketizers lost before it was replaced is added to `losses`.
    pub(super) fn handle_run(&mut self, now: Instant, run: &TapRun, losses: &mut Losses) -> Vec<TimedFrame> {
        if self.generation != run.generation {
            self.generation = run.generation;
            self.clock.restart();
            self.renew(self.codec, losses);
        }
        if run.clock.is_some() {
            (self.map, self.map_is_real) = (run.clock, run.clock_is_real);
        }
        let mut frames = Vec::new();
        for packet in run.packets.iter() {
            if self.codec != packet.codec {
                self.renew(packet.codec, losses);
            }
            self.depacketizer.handle_packet(now, packet, &mut frames);
        }
        frames
    }

    /// The source began anew: nothing goes on.
    pub(super) fn restart(&mut self, losses: &mut Losses) {
        self.clock.restart();
        (self.map, self.map_is_real) = (None, false);
        self.renew(self.codec, losses);
    }

    /// Forgets what has arrived and is not whole.
    fn renew(&mut self, codec: Codec, losses: &mut Losses) {
        *losses = losses.and(self.depacketizer.losses);
        self.codec = codec;
        self.depacketizer = Depacketizer::new(codec);
    }
}
