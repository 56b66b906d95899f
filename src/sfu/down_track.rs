//! One track as it is sent to one viewer: which layer, under which numbers, in which of the viewer's payload types.
//!
//! It has one SSRC for life. Deciding which layer it *should* get is the allocator's business; here a wish becomes true with the cached
//! group of the wanted stream ([`crate::sfu::replay`]) or at its next key frame, while the old one plays on; layers within a stream come
//! and go as [`crate::sfu::selection`] has it.
//!
//! A viewer's timeline is one line: the source's timestamps plus a constant. Two things leave it and come back: a group that is sent again
//! to a viewer whose line is already beyond it has its timestamps shrunk, and a key frame shown by itself is stamped with the live time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits;
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::down_report::{News, SendReport};
use crate::sfu::group_cache::{Playable, begins_frame};
use crate::sfu::line::Line;
use crate::sfu::negotiate::NegotiatedCodec;
use crate::sfu::packet::RtpPacket;
use crate::sfu::payload_map::{PayloadMap, PayloadTypes};
use crate::sfu::protection::Protection;
use crate::sfu::redundancy::Redundancy;
use crate::sfu::replay::{Extent, Replay, replay_rate_bps};
use crate::sfu::rewrite::{Rewriter, Rewritten, TimeMap};
use crate::sfu::rtp::extensions::ExtensionMap;
use crate::sfu::rtp::id::{Mid, Pt, Ssrc};
use crate::sfu::rtp::red::Earlier;
use crate::sfu::rtp::seq::{RtpTime, SeqNo, WireSeq};
use crate::sfu::selection::{Limit, Target};
use crate::sfu::stats::DropReason;
use crate::sfu::up_track::Layer;
use crate::sfu::verdict::{Answer, Started, Verdict};
use crate::sfu::wishes::{Wish, Wishes};
use crate::timeline::ClockMap;

/// A viewer's end of an up-track.
#[derive(Debug)]
pub struct DownTrack {
    /// Key of the peer (and of its egress) on this worker.
    pub peer: usize,
    pub mid: Mid,
    pub kind: MediaKind,
    pub ssrc: Ssrc,
    pub rtx_ssrc: Option<Ssrc>,
    pub extensions: ExtensionMap,
    payloads: PayloadMap,
    /// The stream being sent.
    current: Option<u8>,
    /// How much of it is wanted.
    wanted: Limit,
    /// What is wanted; `None`: no picture.
    target: Option<Target>,
    /// A smaller stream is wanted and waits for its key frame: until then only the lowest temporal layer of this one.
    thinned: bool,
    pub rewriter: Rewriter,
    line: Option<Line>,
    /// Its queue, when it has one.
    pub replay: Option<Replay>,
    /// Where the last replay of this segment began, how far it went and when its last piece left: what had come by then and lies between has been
    /// sent.
    swept: Option<(SeqNo, SeqNo, Instant)>,
    wishes: Wishes,
    /// The viewer has reported on this track, so it has received some of it.
    heard: bool,
    rtx_seq: u64,
    pub redundancy: Redundancy,
    /// Of video, where the viewer negotiated it.
    pub protection: Option<Box<Protection>>,
    pub report: SendReport,
    pub news: News,
}

impl DownTrack {
    /// `start`: see [`Rewriter::new`].
    #[expect(clippy::too_many_arguments, reason = "each is one negotiated value; a struct would only repeat them")]
    pub fn new(
        peer: usize,
        mid: Mid,
        kind: MediaKind,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
        codecs: Vec<NegotiatedCodec>,
        extensions: ExtensionMap,
        start: u16,
    ) -> Self {
        Self {
            peer,
            mid,
            kind,
            ssrc,
            rtx_ssrc,
            extensions,
            payloads: PayloadMap::new(codecs),
            current: None,
            wanted: Limit::NONE,
            target: None,
            thinned: false,
            rewriter: Rewriter::new(start),
            line: None,
            replay: None,
            swept: None,
            wishes: Wishes::default(),
            heard: false,
            rtx_seq: u64::from(start & 0x7fff),
            redundancy: Redundancy::default(),
            protection: None,
            report: SendReport::default(),
            news: News::default(),
        }
    }

    /// What is being sent. A stream thinned for a while is still itself.
    pub fn current(&self) -> Option<Target> {
        self.current.map(|layer| Target { layer, limit: self.limit() })
    }

    pub fn target(&self) -> Option<Target> {
        self.target
    }

    /// Wants other layers. Down within a stream comes with the next picture, up at the next place where that can be, another stream with
    /// its group or key frame.
    pub fn set_target(&mut self, target: Option<Target>) {
        self.thinned &= self.target == target;
        if self.target == target {
            return;
        }
        self.target = target;
        if let Some(target) = target
            && Some(target.layer) == self.current
        {
            self.wanted = target.limit;
        }
        if target.is_none() {
            self.current = None;
            self.replay = None;
            self.rewriter.close_segment();
        }
        self.news.switched = true;
    }

    /// The stream wanted is smaller than the one being sent: until it comes, this one is sent with the fewest frames it has.
    pub fn thin_until_switched(&mut self) {
        self.thinned = self.awaits_stream();
    }

    /// Waiting for a key frame: nothing is sent, or a switch is pending.
    pub fn awaits_keyframe(&self) -> bool {
        self.awaits_stream() || self.current.is_some() && self.wanted.spatial > self.limit().spatial && self.can_decode()
    }

    /// Another stream is wanted than the one being sent.
    fn awaits_stream(&self) -> bool {
        self.kind == MediaKind::Video && self.target.is_some_and(|target| Some(target.layer) != self.current) && self.can_decode()
    }

    /// The layers sent of the present stream.
    fn limit(&self) -> Limit {
        self.rewriter.segment().map_or(Limit::NONE, |segment| segment.selection.limit())
    }

    /// The layers of a stream to begin with.
    fn limit_for(&self, layer: u8) -> Limit {
        self.target.filter(|target| target.layer == layer).map_or(self.wanted, |target| target.limit)
    }

    /// Whether a packet of the present stream is among the layers sent.
    fn admits(&mut self, packet: &RtpPacket) -> bool {
        let wanted = if self.thinned { Limit { temporal: 0, ..self.wanted } } else { self.wanted };
        let (admitted, changed) = self.rewriter.admits(packet, wanted);
        self.news.switched |= changed;
        admitted
    }

    pub fn can_decode(&self) -> bool {
        self.payloads.can_decode()
    }

    /// The marker of a packet that leaves now.
    pub fn marker(&self, packet: &RtpPacket) -> bool {
        self.rewriter.segment().map_or(packet.marker, |segment| segment.selection.marker(packet))
    }

    /// For the codec being sent.
    pub fn payload_types(&self) -> PayloadTypes {
        self.payloads.types()
    }

    /// Whether its packets can be sent again as padding at all: it takes retransmissions.
    pub fn has_padding(&self) -> bool {
        self.rtx_ssrc.is_some() && self.payload_types().rtx.is_some()
    }

    /// Whether they can now: it plays, and is not sent a group. Frames that are spread wait all the time where a probe is wanted most.
    pub fn can_pad(&self) -> bool {
        self.has_padding() && self.current.is_some() && !self.catches_up()
    }

    /// A packet to send again as padding: one of the newest, in turn.
    pub fn padding(&self) -> Option<WireSeq> {
        let newest = self.can_pad().then(|| self.rewriter.newest()).flatten()?;
        Some(SeqNo(newest.0.saturating_sub(self.rtx_seq % Self::PADDING_OF)).wire())
    }

    /// As many packets as one frame of a small layer has; older ones may be of another layer.
    const PADDING_OF: u64 = 4;

    /// The earlier packets that go with this one, and the payload type of such a packet: to viewers of sound that reported loss.
    pub fn redundant<'a>(&self, packet: &RtpPacket, layers: &'a [Layer]) -> Option<(Pt, Earlier<'a>)> {
        let (red_pt, segment) = (self.payload_types().red?, self.rewriter.segment()?);
        let source = layers.get(usize::from(segment.layer))?;
        Some((red_pt, self.redundancy.earlier(packet, segment, &source.ring)?))
    }

    /// The next number on the retransmission stream.
    pub fn next_rtx_seq(&mut self) -> u64 {
        self.rtx_seq += 1;
        self.rtx_seq
    }

    pub fn handle_source_gone(&mut self) {
        self.current = None;
        self.payloads.forget_source();
        self.replay = None;
        self.wishes = Wishes::default();
        if let Some(line) = &mut self.line {
            line.layer = None;
        }
        self.rewriter.close_source();
    }

    /// A layer began anew: its next key frame opens a new segment. What was sent can still be resent.
    pub fn handle_layer_restarted(&mut self, layer: u8) {
        if let Some(line) = &mut self.line
            && line.layer == Some(layer)
        {
            line.layer = None;
        }
        if self.current == Some(layer) || self.replay.is_some_and(|replay| replay.layer == layer) {
            self.current = None;
            self.replay = None;
            self.rewriter.close_segment();
        }
    }

    /// The viewer reported on this track.
    pub fn handle_report(&mut self) {
        self.heard = true;
    }

    /// The codecs changed by a new offer.
    pub fn renegotiated(&mut self, codecs: Vec<NegotiatedCodec>, extensions: ExtensionMap) {
        self.payloads = PayloadMap::new(codecs);
        self.extensions = extensions;
    }

    /// Does this packet of `layer` go to this viewer, and under which numbers?
    pub fn select(&mut self, layer: u8, packet: &RtpPacket, layers: &[Layer]) -> Verdict {
        if !self.follow_codec(packet.codec) {
            return Verdict::Drop(DropReason::CannotDecode);
        }
        let Some(target) = self.target else { return Verdict::Drop(DropReason::Muted) };
        self.end_at_hole(layer, packet);
        if self.current != Some(layer) {
            if layer != target.layer {
                return Verdict::Drop(DropReason::NotSelected);
            }
            let can_start = self.kind == MediaKind::Audio || packet.info.keyframe_start && self.begins_frame(packet, layers);
            if !can_start || packet.recovered {
                return Verdict::Drop(if self.current.is_none() { DropReason::AwaitingKeyframe } else { DropReason::NotSelected });
            }
            self.switch(layer, packet, layers);
        } else if self.replay.is_some_and(|replay| packet.seq >= replay.next) {
            return Verdict::Queued;
        } else if self.swept.is_some_and(|(first, next, at)| packet.seq >= first && packet.seq < next && packet.received <= at) {
            // It was held back until its frame was whole, and a replay has met it in the ring: never twice under one number. If it came
            // too late even for that, it can be asked for.
            return Verdict::Drop(DropReason::Late);
        }
        if !self.admits(packet) {
            return self.rewriter.leave_out(packet).map_or(Verdict::Drop(DropReason::NotSelected), Verdict::Empty);
        }
        match self.rewriter.rewrite(packet) {
            Some(rewritten) => {
                self.note_sent(layer, packet, rewritten.time);
                Verdict::Forward(rewritten)
            }
            None => Verdict::Drop(DropReason::Late),
        }
    }

    /// Numbers are not left unused by the thousand: what comes behind such a hole begins anew, as on another layer. Silenced sound makes one.
    fn end_at_hole(&mut self, layer: u8, packet: &RtpPacket) {
        let most = if self.kind == MediaKind::Audio { limits::SOUND_HOLE_MAX } else { limits::PICTURE_HOLE_MAX };
        if self.current == Some(layer) && self.replay.is_none() && self.rewriter.skips_over(packet, most) {
            self.current = None;
            self.rewriter.close_segment();
        }
    }

    /// Sends the wanted layer from its cache, when it can be. While another layer plays, only a group so young that the picture hardly jumps.
    /// `path_bps`: what the path is known to carry.
    pub fn start_replay(&mut self, now: Instant, layers: &[Layer], path_bps: Option<u32>) -> Started {
        let Some(target) = self.target.filter(|_| self.awaits_stream() && self.replay.is_none()) else { return Started::No };
        let target = target.layer;
        let Some(source) = layers.get(usize::from(target)) else { return Started::No };
        match source.group.playable(now) {
            Playable::Group { began, .. }
                if self.current.is_some() && now.saturating_duration_since(began) > limits::SWITCH_GROUP_AGE_MAX =>
            {
                Started::No
            }
            Playable::Group { first, .. } if self.begin_group(now, target, first, layers, path_bps, false) => Started::Group,
            Playable::KeyFrame { first, why } if self.current.is_none() && self.wishes.shown != Some(first) => {
                if self.show_keyframe(now, target, first, layers, path_bps) { Started::KeyFrame(why) } else { Started::No }
            }
            Playable::Group { .. } | Playable::KeyFrame { .. } | Playable::Nothing => Started::No,
        }
    }

    /// The viewer asks for a key frame. `round_trip`: what is known of it.
    pub fn handle_wish(&mut self, now: Instant, layers: &[Layer], path_bps: Option<u32>, round_trip: Duration) -> Answer {
        let Some(layer) = self.current.or(self.target.map(|target| target.layer)).filter(|_| self.kind == MediaKind::Video) else {
            return Answer::Nothing;
        };
        let unseen = match self.wishes.handle_wish(now, self.heard, round_trip) {
            Wish::UnderWay => return Answer::UnderWay,
            Wish::KeyFrame => return Answer::NeedsKeyframe(layer),
            Wish::Group { unseen } => unseen,
        };
        let playable = layers.get(usize::from(layer)).map(|source| source.group.playable(now));
        if let Some(Playable::Group { first, .. }) = playable
            && self.begin_group(now, layer, first, layers, path_bps, unseen)
        {
            self.wishes.handle_answered();
            return Answer::Replayed;
        }
        Answer::NeedsKeyframe(layer)
    }

    /// What follows `seen`, the packets that have been decided on, waits in the queue, and leaves at `rate_bps`. Returns when the first piece
    /// of it does.
    pub fn queue_behind(&mut self, now: Instant, seen: &[Arc<RtpPacket>], rate_bps: u32) -> Option<Instant> {
        // Where layers are left out of a stream its frames are not spread: a late packet's place among those left out is known in order only.
        let layer = self.current.filter(|_| self.replay.is_none() && self.rewriter.is_whole())?;
        // A packet that was mended late may be the newest of these, and its successors may have left long ago.
        let newest = self.rewriter.newest_source().max(seen.iter().map(|packet| packet.seq).max())?;
        let replay = Replay::paced(now, layer, newest.next(), rate_bps);
        self.replay = Some(replay);
        Some(replay.due)
    }

    /// Whether there is a group of what is wanted.
    pub fn has_group(&self, now: Instant, layers: &[Layer]) -> bool {
        let wanted = self.target.and_then(|target| layers.get(usize::from(target.layer)));
        wanted.is_some_and(|source| matches!(source.group.playable(now), Playable::Group { .. }))
    }

    /// Whether it is being sent a group of the past.
    pub fn catches_up(&self) -> bool {
        self.replay.is_some_and(|replay| !replay.is_spread())
    }

    /// Before a piece of the queue leaves. Returns `false` when there is nothing to send now.
    pub fn begin_piece(&mut self, now: Instant, layers: &[Layer]) -> bool {
        let Some(mut replay) = self.replay else { return false };
        let Some(source) = layers.get(usize::from(replay.layer)) else {
            self.replay = None;
            return false;
        };
        if replay.extent == Extent::Group
            && let Playable::Group { first, .. } = source.group.playable(now)
            && first > replay.next
            && replay.may_jump(first)
            && let Some(packet) = source.ring.get(first)
        {
            // A new group began behind the queue: what is left of the old one is not needed to be live.
            let times = self.times_from(replay.layer, packet, layers, false);
            self.rewriter.switch(replay.layer, packet, times, self.wanted);
            replay.next = first;
        } else if replay.has_been_overtaken(source) {
            self.current = None;
            self.replay = None;
            self.rewriter.close_segment();
            return false;
        }
        replay.begin_piece();
        self.replay = Some(replay);
        match replay.peek(source).map(Arc::as_ref) {
            // A renegotiation may have taken its codec away.
            Some(packet) if !self.follow_codec(packet.codec) => {
                self.current = None;
                self.end_replay();
                self.rewriter.close_segment();
                false
            }
            Some(packet) => {
                self.return_to_line(replay.layer, packet, layers);
                true
            }
            // Only on its own line may a viewer go on without a queue.
            None if replay.extent == Extent::Group && self.is_shrunk() => {
                replay.due = now + limits::PACE_CATCH_UP_MAX;
                self.replay = Some(replay);
                false
            }
            None => {
                self.end_replay();
                false
            }
        }
    }

    /// The next packet of this piece, and the numbers it leaves with. Layers that are not for this viewer are stepped over.
    pub fn next_of_piece<'a>(&mut self, layers: &'a [Layer]) -> Option<(&'a RtpPacket, Rewritten)> {
        loop {
            let replay = self.replay.as_mut()?;
            let source = layers.get(usize::from(replay.layer))?;
            let packet = replay.next_of_piece(source)?;
            let (layer, extent) = (replay.layer, replay.extent);
            if !self.admits(packet) {
                // In a queue packets go in order: no number was kept for one.
                self.rewriter.leave_out(packet);
                continue;
            }
            if let Some(rewritten) = self.rewriter.rewrite(packet) {
                if extent == Extent::Group {
                    self.note_sent(layer, packet, rewritten.time);
                }
                return Some((packet, rewritten));
            }
        }
    }

    /// A piece of `bytes` left.
    pub fn end_piece(&mut self, now: Instant, bytes: usize, layers: &[Layer]) {
        let Some(replay) = &mut self.replay else { return };
        self.swept = Some((replay.first(), replay.next, now));
        replay.hurry(layers.get(usize::from(replay.layer)).and_then(|source| source.edge));
        replay.pace(now, bytes);
        let drained = layers.get(usize::from(replay.layer)).is_none_or(|source| replay.peek(source).is_none());
        if drained && (replay.extent == Extent::KeyFrame || !self.is_shrunk()) {
            self.end_replay();
        }
    }

    /// Bits per second of what this viewer is sent; zero while that is nothing or not known.
    pub fn sent_bps(&self, layers: &[Layer]) -> u32 {
        let shown = self.current.and_then(|layer| layers.get(usize::from(layer)));
        shown.map_or(0, |layer| layer.meter.bitrate_bps(self.limit()))
    }

    /// The clock of what this viewer is sent, in its own timestamps.
    pub fn clock(&self, layers: &[Layer]) -> Option<ClockMap> {
        self.target?;
        let line = self.line?;
        let clock = layers.get(usize::from(line.layer?))?.clock?;
        Some(clock.shifted(line.out.wrapping_sub(line.source)))
    }

    fn begins_frame(&self, packet: &RtpPacket, layers: &[Layer]) -> bool {
        self.target.and_then(|target| layers.get(usize::from(target.layer))).is_some_and(|layer| begins_frame(packet, &layer.ring))
    }

    /// Returns whether this viewer decodes it, and tells once when it does not.
    fn follow_codec(&mut self, codec: Codec) -> bool {
        let is_news = self.payloads.follow(codec);
        let can_decode = self.payloads.can_decode();
        if is_news && !can_decode {
            self.news.cannot_decode = Some(codec);
        }
        can_decode
    }

    fn switch(&mut self, layer: u8, packet: &RtpPacket, layers: &[Layer]) {
        self.begin_on(layer);
        let time = match (self.time_on_line(layer, packet, layers), self.rewriter.newest_time()) {
            (Some(time), Some(newest)) if !time.is_newer(newest) => newest.wrapping_add(1),
            (Some(time), _) => time,
            (None, _) => packet.time,
        };
        self.rewriter.switch(layer, packet, TimeMap::shifted(packet.time, time), self.wanted);
    }

    fn begin_on(&mut self, layer: u8) {
        self.news.playing |= self.line.is_none();
        self.news.switched = true;
        self.wanted = self.limit_for(layer);
        self.thinned = false;
        self.current = Some(layer);
        self.replay = None;
        self.swept = None;
    }

    /// `unseen`: the viewer has seen nothing of what it was sent.
    fn begin_group(&mut self, now: Instant, layer: u8, first: SeqNo, layers: &[Layer], path_bps: Option<u32>, unseen: bool) -> bool {
        let Some(source) = layers.get(usize::from(layer)) else { return false };
        let Some(packet) = source.ring.get(first) else { return false };
        if !self.follow_codec(packet.codec) {
            return false;
        }
        let times = self.times_from(layer, packet, layers, unseen);
        self.begin_on(layer);
        self.rewriter.switch(layer, packet, times, self.wanted);
        self.wishes.handle_replay(now);
        self.report.due = None;
        self.replay = Some(Replay::new(now, layer, Extent::Group, first, replay_rate_bps(source.replay_bps(now, self.wanted), path_bps)));
        true
    }

    /// Shows a key frame by itself, stamped with the live time: the next one goes on from there.
    fn show_keyframe(&mut self, now: Instant, layer: u8, first: SeqNo, layers: &[Layer], path_bps: Option<u32>) -> bool {
        let Some(source) = layers.get(usize::from(layer)) else { return false };
        let Some(live) = source.edge.and_then(|edge| source.ring.get(edge)) else { return false };
        let Some(packet) = source.group.get(first) else { return false };
        if !self.follow_codec(packet.codec) {
            return false;
        }
        let out = match (self.time_on_line(layer, live, layers), self.rewriter.newest_time()) {
            (Some(time), Some(newest)) if !time.is_newer(newest) => newest.wrapping_add(1),
            (Some(time), _) => time,
            (None, _) => live.time,
        };
        self.begin_on(layer);
        self.current = None;
        self.rewriter.switch(layer, packet, TimeMap::shifted(packet.time, out), self.wanted);
        self.line = Some(Line { layer: Some(layer), source: live.time, out, received: live.received });
        self.wishes.shown = Some(first);
        self.replay =
            Some(Replay::new(now, layer, Extent::KeyFrame, first, replay_rate_bps(source.replay_bps(now, self.wanted), path_bps)));
        true
    }

    fn end_replay(&mut self) {
        if self.replay.take().is_some_and(|replay| replay.extent == Extent::KeyFrame) {
            // What follows the key frame in the source needs what lies between.
            self.rewriter.close_segment();
        }
    }

    fn is_shrunk(&self) -> bool {
        self.rewriter.segment().is_some_and(|segment| segment.times.is_shrunk())
    }

    /// A packet left: the line goes on from it, if it is on it.
    fn note_sent(&mut self, layer: u8, packet: &RtpPacket, out: RtpTime) {
        if !self.is_shrunk() {
            self.line = Some(Line { layer: Some(layer), source: packet.time, out, received: packet.received });
        }
    }

    fn time_on_line(&self, layer: u8, packet: &RtpPacket, layers: &[Layer]) -> Option<RtpTime> {
        Some(self.line?.time_of(layer, packet, layers))
    }

    /// The timestamps of a group that begins with `packet`. Nobody has seen anything yet: its own. Its place on the line is still ahead: there.
    /// Otherwise shrunk, from where the viewer is.
    fn times_from(&self, layer: u8, packet: &RtpPacket, layers: &[Layer], unseen: bool) -> TimeMap {
        let (Some(time), Some(newest)) = (self.time_on_line(layer, packet, layers), self.rewriter.newest_time()) else {
            return TimeMap::shifted(packet.time, packet.time);
        };
        let next = newest.wrapping_add(Self::FRAME_STEP);
        if time.is_newer(newest) {
            TimeMap::shifted(packet.time, time)
        } else if unseen && self.line.is_some_and(|line| line.layer == Some(layer)) {
            TimeMap::shifted(packet.time, next)
        } else {
            TimeMap::shrunk(packet.time, next)
        }
    }

    /// With the newest frame of a shrunk group, the viewer is live: from here on its own line again.
    fn return_to_line(&mut self, layer: u8, packet: &RtpPacket, layers: &[Layer]) {
        if !self.is_shrunk() {
            return;
        }
        let newest_frame = layers.get(usize::from(layer)).and_then(|source| source.ring.get(source.edge?));
        if newest_frame.is_none_or(|newest| newest.time != packet.time) {
            return;
        }
        let shrunk = self.rewriter.segment().map(|segment| segment.times.out(packet.time));
        if let (Some(time), Some(newest)) = (self.time_on_line(layer, packet, layers), self.rewriter.newest_time())
            && time.is_newer(newest)
            // A frame has one timestamp, and this one has begun.
            && shrunk != Some(newest)
        {
            self.rewriter.return_to(packet.time, time);
        }
    }

    /// A millisecond at 90 kHz: from the last timestamp sent to the first of a group that is sent again.
    const FRAME_STEP: u32 = 90;
}
