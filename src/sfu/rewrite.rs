//! Continuity for one viewer: its own sequence numbers and timestamps across layer switches, source changes and joins.
//!
//! Within one segment (one stream of one source) both are the source's plus a constant, so a hole upstream stays a hole downstream and
//! can still be filled in its place. Packets left out on purpose (layers above the viewer's) leave no hole: numbers after them are lower by
//! their count ([`LeftOut`]). A switch opens a new segment right behind the highest number sent. The history of segments is what turns a
//! viewer's NACK back into a packet of the source.
//!
//! What had not come when its successors left keeps its number. When it comes after all and is one to be left out, its number leaves
//! empty ([`Rewriter::leave_out`]): receivers then stop asking for it.
//!
//! One exception: where a viewer that already has a timeline is sent a group again, the group's timestamps are pressed into the time that
//! passes meanwhile ([`TimeMap`]); they are then still a function of the source's, so that a retransmission finds them again.

use std::collections::VecDeque;

use crate::limits;
use crate::sfu::codec::picture_id::PictureIdRewriter;
use crate::sfu::codec::{Codec, PictureIds};
use crate::sfu::left_out::LeftOut;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::{RtpTime, SeqNo, WireSeq};
use crate::sfu::selection::{Limit, Selection};

/// How the source's timestamps become the viewer's: distances stay as they are, or shrink.
#[derive(Debug, Clone, Copy)]
pub struct TimeMap {
    source: RtpTime,
    out: RtpTime,
    divisor: i32,
    /// From this timestamp of the source on they keep their distance again, from this one of the viewer's.
    returned: Option<(RtpTime, RtpTime)>,
}

impl TimeMap {
    /// Distances are divided by this where they shrink: more than a replay is faster than real time, so that its end stays behind the live
    /// edge; little enough that two frames never get the same timestamp, at 240 a second and 90 kHz.
    const SHRUNK: i32 = 16;

    /// `source` becomes `out`, and everything else keeps its distance.
    pub const fn shifted(source: RtpTime, out: RtpTime) -> Self {
        Self { source, out, divisor: 1, returned: None }
    }

    /// `source` becomes `out`, and distances shrink.
    pub const fn shrunk(source: RtpTime, out: RtpTime) -> Self {
        Self { source, out, divisor: Self::SHRUNK, returned: None }
    }

    /// Distances shrink no more from `source` on, which becomes `out`.
    const fn returning(self, source: RtpTime, out: RtpTime) -> Self {
        Self { returned: Some((source, out)), ..self }
    }

    /// The viewer's timestamp.
    pub const fn out(&self, time: RtpTime) -> RtpTime {
        if self.divisor == 1 {
            return self.out.wrapping_add(time.wrapping_sub(self.source));
        }
        match self.returned {
            Some((source, out)) if time.signed_sub(source) >= 0 => out.wrapping_add(time.wrapping_sub(source)),
            Some(_) | None => self.out.wrapping_add(time.signed_sub(self.source).div_euclid(self.divisor) as u32),
        }
    }

    /// Distances shrink, and have not returned.
    pub const fn is_shrunk(&self) -> bool {
        self.divisor != 1 && self.returned.is_none()
    }
}

/// A stretch of packets that share one offset.
#[derive(Debug, Clone)]
pub struct Segment {
    /// First outgoing sequence number.
    first: SeqNo,
    /// Outgoing minus source sequence number, before anything was left out.
    seq_offset: i64,
    /// Made with the first packet left out.
    left_out: Option<Box<LeftOut>>,
    pub times: TimeMap,
    /// Index of the source layer.
    pub layer: u8,
    /// Picture ids of this stretch.
    pub picture_ids: PictureIdRewriter,
    /// Layers of this stretch.
    pub selection: Selection,
}

impl Segment {
    /// `None` for what is older than the segment or its memory.
    fn numbers(&self, packet: &RtpPacket) -> Option<Rewritten> {
        let before = self.left_out.as_ref().map_or(Some(0), |left_out| left_out.before(packet.seq))?;
        let seq = SeqNo(packet.seq.0.checked_add_signed(self.seq_offset)?.checked_sub(before)?);
        (seq >= self.first).then(|| Rewritten { seq, time: self.times.out(packet.time) })
    }

    /// The source's number for an outgoing one.
    fn source(&self, seq: SeqNo) -> Option<SeqNo> {
        let number = seq.0.checked_add_signed(-self.seq_offset)?;
        match &self.left_out {
            Some(left_out) => left_out.find(number),
            None => Some(SeqNo(number)),
        }
    }
}

impl Segment {
    /// Whether a packet of the source has a number in this stretch.
    pub fn contains(&self, source: SeqNo) -> bool {
        source.0.checked_add_signed(self.seq_offset).is_some_and(|seq| seq >= self.first.0)
    }
}

/// Maps the packets of changing sources onto one continuous stream. Nothing may be sent before the first [`Self::switch`].
#[derive(Debug)]
pub struct Rewriter {
    highest: SeqNo,
    newest_time: Option<RtpTime>,
    current: Option<Segment>,
    history: VecDeque<Segment>,
    /// Picture ids of the segment closed last: the next one goes on from them.
    closed_ids: PictureIdRewriter,
}

/// The numbers a packet leaves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// Extended: its upper bits are the SRTP rollover counter.
    pub seq: SeqNo,
    pub time: RtpTime,
}

impl Rewriter {
    /// `start` is the first outgoing sequence number; below 2^15, so that the receiver's guess of the rollover counter is right.
    pub fn new(start: u16) -> Self {
        Self {
            highest: SeqNo(u64::from(start & 0x7fff)),
            newest_time: None,
            current: None,
            history: VecDeque::new(),
            closed_ids: PictureIdRewriter::default(),
        }
    }

    /// The timestamp of the newest frame sent.
    pub fn newest_time(&self) -> Option<RtpTime> {
        self.newest_time
    }

    /// The highest number sent of the open segment.
    pub fn newest(&self) -> Option<SeqNo> {
        self.current.as_ref().filter(|segment| segment.first <= self.highest).map(|_| self.highest)
    }

    /// Nothing was left out of the open segment.
    pub fn is_whole(&self) -> bool {
        self.current.as_ref().is_some_and(|segment| segment.left_out.is_none())
    }

    /// And the source's number of that packet.
    pub fn newest_source(&self) -> Option<SeqNo> {
        let (newest, segment) = (self.newest()?, self.current.as_ref()?);
        segment.source(newest)
    }

    /// The open segment.
    pub fn segment(&self) -> Option<&Segment> {
        self.current.as_ref()
    }

    /// Opens a new segment with the layers up to `limit`: `packet` becomes the next number, and its timestamp what `times` says.
    pub fn switch(&mut self, layer: u8, packet: &RtpPacket, times: TimeMap, limit: Limit) {
        let first = self.highest.next();
        let mut picture_ids = self.current.as_ref().map_or_else(|| self.closed_ids.clone(), |segment| segment.picture_ids.clone());
        if let Some(ids) = &packet.info.picture {
            picture_ids.switch(ids);
        }
        let (seq_offset, selection) = (first.0 as i64 - packet.seq.0 as i64, Selection::new(limit, packet.time));
        let segment = Segment { first, seq_offset, left_out: None, times, layer, picture_ids, selection };
        if let Some(old) = self.current.replace(segment) {
            self.remember(old);
        }
    }

    /// Where distances shrink: they do so no more from the frame of `source` on, whose timestamp becomes `out`. Not for a frame of which
    /// anything was sent.
    pub fn return_to(&mut self, source: RtpTime, out: RtpTime) {
        if let Some(segment) = &mut self.current {
            segment.times = segment.times.returning(source, out);
        }
    }

    fn remember(&mut self, segment: Segment) {
        if self.history.len() == limits::REWRITE_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(segment);
    }

    /// Nothing more can be sent before the next switch; what was sent can still be resent.
    pub fn close_segment(&mut self) {
        if let Some(old) = self.current.take() {
            self.closed_ids = old.picture_ids.clone();
            self.remember(old);
        }
    }

    /// The source is gone and its packets with it: the numbers of the next one may be the same and mean other packets.
    pub fn close_source(&mut self) {
        self.close_segment();
        self.history.clear();
    }

    /// Whether a packet of the current layer would leave more than `most` numbers before it unused.
    pub fn skips_over(&self, packet: &RtpPacket, most: u64) -> bool {
        let numbers = self.current.as_ref().and_then(|segment| segment.numbers(packet));
        numbers.is_some_and(|numbers| numbers.seq.0 > self.highest.next().0 + most)
    }

    /// The outgoing numbers of a packet of the current layer; `None` when it is older than the segment, or has no number any more.
    pub fn rewrite(&mut self, packet: &RtpPacket) -> Option<Rewritten> {
        let segment = self.current.as_mut()?;
        if let Some(left_out) = &mut segment.left_out {
            if left_out.contains(packet.seq) {
                return None;
            }
            left_out.advance(packet.seq);
        }
        let rewritten = segment.numbers(packet)?;
        if rewritten.seq > self.highest {
            self.highest = rewritten.seq;
            self.newest_time = Some(rewritten.time);
        }
        Some(rewritten)
    }

    /// A packet of the current layer is not for this viewer. The answer is a number that was kept for it because it came late: it has to
    /// leave empty.
    pub fn leave_out(&mut self, packet: &RtpPacket) -> Option<Rewritten> {
        let segment = self.current.as_mut()?;
        let rewritten = segment.numbers(packet)?;
        if packet.codec == Codec::Vp8
            && let Some(ids) = &packet.info.picture
        {
            segment.picture_ids.leave_out(ids);
        }
        let newest = SeqNo(self.highest.0.checked_add_signed(-segment.seq_offset)?);
        let left_out = segment.left_out.get_or_insert_with(|| Box::new(LeftOut::new(newest)));
        if left_out.contains(packet.seq) {
            return None;
        }
        // Where nothing has left under a higher number, its own is not spent.
        if rewritten.seq > self.highest {
            left_out.insert(packet.seq);
            return None;
        }
        Some(rewritten)
    }

    /// Whether a packet of the current layer is sent, where the layers up to `wanted` should be, and whether that just changed what spatial
    /// layers are.
    pub fn admits(&mut self, packet: &RtpPacket, wanted: Limit) -> (bool, bool) {
        let Some(segment) = &mut self.current else { return (true, false) };
        let before = segment.selection.limit().spatial;
        let admitted = segment.selection.admits(packet, wanted);
        let limit = segment.selection.limit();
        // Of a lowest layer sent alone no other frame will be missed.
        if limit.temporal == 0
            && packet.codec == Codec::Vp8
            && let Some(ids) = &packet.info.picture
        {
            segment.picture_ids.close_gap(ids, packet.info.temporal == 0);
        }
        (admitted, before != limit.spatial)
    }

    /// Continuous picture ids for a packet of the current layer.
    pub fn rewrite_picture_ids(&mut self, ids: &PictureIds) -> PictureIds {
        match &mut self.current {
            Some(segment) => segment.picture_ids.rewrite(ids),
            None => *ids,
        }
    }

    /// Whether an outgoing number is of another layer than the present one: that began with a key frame, so nothing needs it any more.
    pub fn is_superseded(&self, wire: WireSeq) -> bool {
        self.current.as_ref().zip(self.locate(wire)).is_some_and(|(present, (segment, _))| segment.layer != present.layer)
    }

    /// Which packet of the source a viewer means by an outgoing sequence number.
    pub fn locate(&self, wire: WireSeq) -> Option<(&Segment, SeqNo)> {
        let behind = self.highest.wire().wrapping_sub(wire);
        let seq = self.highest.0.checked_sub(u64::from(behind))?;
        let segment = self.current.iter().chain(self.history.iter().rev()).find(|segment| segment.first.0 <= seq)?;
        Some((segment, segment.source(SeqNo(seq))?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::PayloadInfo;
    use crate::sfu::packet::ForwardedExtensions;

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn sound(seq: u64) -> RtpPacket {
        RtpPacket {
            seq: SeqNo(seq),
            time: RtpTime(seq as u32 * 960),
            marker: false,
            codec: Codec::Opus,
            info: PayloadInfo::default(),
            received: Instant::now(),
            recovered: false,
            extensions: ForwardedExtensions::default(),
            payload: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn a_hole_is_as_long_as_the_numbers_it_would_leave_unused() {
        let mut rewriter = Rewriter::new(100);
        assert!(!rewriter.skips_over(&sound(1 << 20), 0), "nothing is open");
        let first = sound(70_000);
        rewriter.switch(0, &first, TimeMap::shifted(first.time, first.time), Limit::NONE);
        assert_eq!(rewriter.rewrite(&first).map(|numbers| numbers.seq), Some(SeqNo(101)));
        for (seq, hole) in [(70_001, 0), (70_002, 1), (70_051, 50), (110_000, 39_999)] {
            let packet = sound(seq);
            assert!(!rewriter.skips_over(&packet, hole), "{seq}");
            assert!(hole == 0 || rewriter.skips_over(&packet, hole - 1), "{seq}");
        }
        assert!(!rewriter.skips_over(&sound(69_000), 0), "late");
        rewriter.close_segment();
        let beyond = sound(1 << 20);
        rewriter.switch(0, &beyond, TimeMap::shifted(beyond.time, beyond.time), Limit::NONE);
        assert_eq!(rewriter.rewrite(&beyond).map(|numbers| numbers.seq), Some(SeqNo(102)), "without the hole");
    }

    #[test]
    fn a_shrunk_timeline_rises_with_every_frame_and_returns_to_its_line() {
        let (begin, wrap) = (RtpTime(u32::MAX - 1000), RtpTime(5));
        let shrunk = TimeMap::shrunk(begin, wrap);
        assert_eq!(shrunk.out(begin), wrap);
        // 240 frames a second.
        let times: Vec<u32> = (0..480).map(|frame| shrunk.out(begin.wrapping_add(frame * 375)).wrapping_sub(wrap)).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]) && times[479] == 479 * 375 / 16);
        let turn = begin.wrapping_add(100 * 375);
        let returned = shrunk.returning(turn, RtpTime(90_000));
        assert!(shrunk.is_shrunk() && !returned.is_shrunk());
        assert_eq!(returned.out(begin.wrapping_add(99 * 375)), shrunk.out(begin.wrapping_add(99 * 375)), "what was sent stays as it was");
        assert_eq!(returned.out(turn.wrapping_add(7)), RtpTime(90_007));
    }
}
