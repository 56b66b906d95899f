//! Continuity for one viewer: its own sequence numbers and timestamps across layer switches, source changes and joins.
//!
//! Within one segment (one layer of one source) both are the source's plus a constant, so a hole upstream stays a hole downstream and
//! can still be filled in its place. A switch opens a new segment right behind the highest number sent. The history of segments is what
//! turns a viewer's NACK back into a packet of the source.

use std::collections::VecDeque;

use crate::limits;
use crate::sfu::codec::PictureIds;
use crate::sfu::codec::picture_id::PictureIdRewriter;
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::{RtpTime, SeqNo, WireSeq};

/// A stretch of packets that share one constant offset.
#[derive(Debug, Clone)]
pub struct Segment {
    /// First outgoing sequence number.
    first: SeqNo,
    /// Outgoing minus source sequence number.
    seq_offset: i64,
    /// Outgoing minus source timestamp, modulo 2^32.
    pub time_offset: u32,
    /// Index of the source layer.
    pub layer: u8,
    /// Picture ids of this stretch.
    pub picture_ids: PictureIdRewriter,
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

    /// The open segment.
    pub fn segment(&self) -> Option<&Segment> {
        self.current.as_ref()
    }

    /// Opens a new segment: `packet` becomes the next number, and its timestamp becomes `time`.
    pub fn switch(&mut self, layer: u8, packet: &RtpPacket, time: RtpTime) {
        let first = self.highest.next();
        let mut picture_ids = self.current.as_ref().map_or_else(|| self.closed_ids.clone(), |segment| segment.picture_ids.clone());
        if let Some(ids) = &packet.info.picture {
            picture_ids.switch(ids);
        }
        let segment = Segment {
            first,
            seq_offset: first.0 as i64 - packet.seq.0 as i64,
            time_offset: time.wrapping_sub(packet.time),
            layer,
            picture_ids,
        };
        if let Some(old) = self.current.replace(segment) {
            if self.history.len() == limits::REWRITE_HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(old);
        }
    }

    /// Nothing more can be sent before the next switch; what was sent can still be resent.
    pub fn close_segment(&mut self) {
        if let Some(old) = self.current.take() {
            self.closed_ids = old.picture_ids.clone();
            if self.history.len() == limits::REWRITE_HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(old);
        }
    }

    /// The source is gone and its packets with it: the numbers of the next one may be the same and mean other packets.
    pub fn close_source(&mut self) {
        self.close_segment();
        self.history.clear();
    }

    /// The outgoing numbers of a packet of the current layer; `None` when it is older than the segment.
    pub fn rewrite(&mut self, packet: &RtpPacket) -> Option<Rewritten> {
        let segment = self.current.as_ref()?;
        let seq = SeqNo(packet.seq.0.checked_add_signed(segment.seq_offset)?);
        if seq < segment.first {
            return None;
        }
        let time = RtpTime(packet.time.0.wrapping_add(segment.time_offset));
        if seq > self.highest {
            self.highest = seq;
            self.newest_time = Some(time);
        }
        Some(Rewritten { seq, time })
    }

    /// Continuous picture ids for a packet of the current layer.
    pub fn rewrite_picture_ids(&mut self, ids: &PictureIds) -> PictureIds {
        match &mut self.current {
            Some(segment) => segment.picture_ids.rewrite(ids),
            None => *ids,
        }
    }

    /// Which packet of the source a viewer means by an outgoing sequence number.
    pub fn locate(&self, wire: WireSeq) -> Option<(&Segment, SeqNo)> {
        let behind = self.highest.wire().wrapping_sub(wire);
        let seq = self.highest.0.checked_sub(u64::from(behind))?;
        let segment = self.current.iter().chain(self.history.iter().rev()).find(|segment| segment.first.0 <= seq)?;
        Some((segment, SeqNo(seq.checked_add_signed(-segment.seq_offset)?)))
    }
}
