//! One rendition on its way from frames to parts. It does what the segmenter says: append, cut, stop.
//!
//! Invariant: while a segment is open, at least one frame is held back. Therefore there is always something to make the next part of, and a
//! part that was announced always comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::fmp4::{self, Sample};
use super::format::Format;
use super::segment::{Opening, Part, Step};
use crate::sfu::codec::MediaKind;

/// A frame with its place on the line.
#[derive(Debug, Clone)]
pub struct LineFrame {
    pub ticks: i64,
    pub key: bool,
    pub data: Bytes,
    /// What it needs; of key frames.
    pub format: Option<Arc<Format>>,
    pub received: Instant,
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) kind: MediaKind,
    pub(super) timescale: u32,
    /// Frames that wait for the leading track.
    pub(super) queue: VecDeque<LineFrame>,
    pub(super) last_received: Option<Instant>,
    /// Frames in a row that lay behind what is there.
    pub(super) behind: u32,
    pub(super) format: Option<Arc<Format>>,
    /// The segment that is open.
    pub(super) open: Option<Opening>,
    /// The number of the newest segment, open or not.
    pub(super) newest_msn: Option<u64>,
    part_ticks_max: i64,
    held: Option<LineFrame>,
    /// Ticks of the last frame whose length was seen.
    usual_ticks: i64,
    part: Vec<Sample>,
    part_start: i64,
    part_ticks: i64,
    sequence: u32,
    steps: Vec<Step>,
}

impl Track {
    pub(super) fn new(kind: MediaKind, part_ms: u32) -> Self {
        let timescale = if kind == MediaKind::Video { 90_000 } else { 48_000 };
        Self {
            kind,
            timescale,
            queue: VecDeque::new(),
            last_received: None,
            behind: 0,
            format: None,
            open: None,
            newest_msn: None,
            part_ticks_max: i64::from(part_ms) * i64::from(timescale) / 1000,
            held: None,
            // Until a second frame has come: 30 pictures a second, or 20 ms of sound.
            usual_ticks: if kind == MediaKind::Video { 3000 } else { 960 },
            part: Vec::new(),
            part_start: 0,
            part_ticks: 0,
            sequence: 0,
            steps: Vec::new(),
        }
    }

    pub(super) fn ms(&self, ticks: i64) -> f64 {
        ticks as f64 * 1000.0 / f64::from(self.timescale)
    }

    /// Pixels of the picture; 0 for sound and before the first key frame.
    pub(super) fn pixels(&self) -> u32 {
        self.format.as_deref().and_then(Format::size).map_or(0, |(width, height)| u32::from(width) * u32::from(height))
    }

    /// Whether a frame comes after everything that is there.
    pub(super) fn is_ahead(&self, ticks: i64) -> bool {
        let newest = self.queue.back().or(self.held.as_ref());
        newest.is_none_or(|newest| ticks > newest.ticks)
    }

    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// The frame belongs to the segment that is open.
    pub(super) fn append(&mut self, frame: LineFrame) {
        let begins_part = frame.key && self.kind == MediaKind::Video;
        self.finish_held(Some(frame.ticks));
        if begins_part {
            self.flush();
        }
        self.held = Some(frame);
    }

    /// The frame is the first of a segment. What is open ends at `frame`.
    pub(super) fn cut(&mut self, frame: LineFrame, opening: Opening) {
        self.end(frame.ticks, Some(frame.ticks));
        if let Some(format) = &frame.format
            && self.format.as_ref() != Some(format)
        {
            self.format = Some(Arc::clone(format));
            self.steps.push(Step::Init { format: Arc::clone(format), data: fmp4::init(format) });
        }
        self.open = Some(opening);
        self.newest_msn = Some(opening.msn);
        self.steps.push(Step::Open(opening));
        self.held = Some(frame);
    }

    /// Nothing more comes for the segment that is open; it ends at `ticks`.
    pub(super) fn stop(&mut self, ticks: i64) {
        self.end(ticks, None);
    }

    /// Nothing came of a segment.
    pub(super) fn gap(&mut self, opening: Opening, duration_s: f64) {
        self.newest_msn = Some(opening.msn);
        self.steps.push(Step::Gap { opening, duration_s });
    }

    fn end(&mut self, ticks: i64, next: Option<i64>) {
        let Some(open) = self.open.take() else {
            self.held = None;
            return;
        };
        self.finish_held(next);
        self.flush();
        self.steps.push(Step::Close { duration_s: (ticks - open.ticks).max(0) as f64 / f64::from(self.timescale) });
    }

    /// The held frame has its length when the next one is there, and lasts as long as the one before it otherwise.
    fn finish_held(&mut self, next: Option<i64>) {
        let Some(held) = self.held.take() else { return };
        if let Some(next) = next {
            self.usual_ticks = (next - held.ticks).max(1);
        }
        let ticks = self.usual_ticks;
        if !self.part.is_empty() && self.part_ticks + ticks > self.part_ticks_max {
            self.flush();
        }
        if self.part.is_empty() {
            (self.part_start, self.part_ticks) = (held.ticks, 0);
        }
        self.part_ticks += ticks;
        self.part.push(Sample { duration: u32::try_from(ticks).unwrap_or(u32::MAX), key: held.key, data: held.data });
        if self.part_ticks + ticks > self.part_ticks_max {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let samples = std::mem::take(&mut self.part);
        let Some(first) = samples.first() else { return };
        self.sequence = self.sequence.wrapping_add(1);
        let data = fmp4::fragment(self.sequence, u64::try_from(self.part_start).unwrap_or(0), &samples);
        let duration_s = self.part_ticks as f64 / f64::from(self.timescale);
        self.steps.push(Step::Part(Part { data, duration_s, independent: first.key, frames: samples.len() as u32 }));
    }
}
