//! What can be played now: every rendition with its segments, parts and what comes next, as one immutable value.
//!
//! Invariant: a [`Shelf`] is never changed, only replaced, and all steps that come out of the packager together go into the same new one. So a
//! part, the segment it closes, the hint at what follows and the reports of other renditions are seen together or not at all. (A hint that is
//! seen before the segment is closed would name a part that never comes; players then stall.)

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

use super::format::Format;
use super::markers::Marked;
use super::playlist::{Packed, Variant};
use super::segment::{Opening, Part, Step, TrackId};
use super::{dash, playlist};
use crate::limits::{HLS_KEPT_BYTES_MAX, HLS_KEPT_SEGMENTS, HLS_WINDOW_SEGMENTS};
use crate::sfu::codec::MediaKind;

/// A segment of one rendition.
#[derive(Debug, Clone)]
pub struct Segment {
    pub opening: Opening,
    /// Of the initialisation segment that it needs.
    pub init: u64,
    pub parts: Vec<Part>,
    /// `None` while it is open.
    pub duration_s: Option<f64>,
    /// All parts joined, once it is closed.
    pub data: Bytes,
    /// Nothing came.
    pub is_gap: bool,
}

/// One rendition.
#[derive(Debug, Clone)]
pub struct Rendition {
    pub name: Arc<str>,
    pub kind: MediaKind,
    pub inits: VecDeque<Init>,
    /// For the next segment.
    next_init: Option<(Arc<Format>, Bytes)>,
    /// Closed ones, oldest first.
    pub segments: VecDeque<Arc<Segment>>,
    pub open: Option<Arc<Segment>>,
    /// Discontinuities before the first segment that is kept.
    pub discontinuities_gone: u64,
    /// Bits per second of the densest closed segment, and of all of them.
    pub peak_bps: f64,
    total_bytes: u64,
    total_s: f64,
    bytes_kept: usize,
    frames_per_second: f64,
    rendered: Arc<[OnceLock<Packed>; Variant::ALL.len()]>,
}

/// An initialisation segment.
#[derive(Debug, Clone)]
pub struct Init {
    /// That of the first segment which needs it: no other content is ever found under it, in whatever run.
    pub number: u64,
    pub format: Arc<Format>,
    pub data: Bytes,
}

/// A segment that was closed just now, with what it needs.
#[derive(Debug, Clone)]
pub struct Closed {
    pub rendition: Arc<str>,
    pub kind: MediaKind,
    pub segment: Arc<Segment>,
    /// `None` of a gap before anything came.
    pub init: Option<Init>,
    /// 0 of sound.
    pub frames_per_second: f64,
}

/// How far a rendition has come: the number of its newest segment, and how many parts that has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Progress {
    pub msn: u64,
    pub parts: usize,
}

/// All renditions at one moment.
#[derive(Debug)]
pub struct Shelf {
    pub renditions: Vec<Rendition>,
    pub part_ms: u32,
    /// Media time of the zero of all timestamps, ms since the Unix epoch.
    pub origin_ms: f64,
    /// There is a picture, or will be in a moment.
    pub expects_picture: bool,
    pub markers: Arc<[Marked]>,
    master: [OnceLock<Packed>; 2],
    manifest: OnceLock<Packed>,
}

impl Segment {
    pub fn end_media_ms(&self) -> f64 {
        let parts = || self.parts.iter().map(|part| part.duration_s).sum();
        self.opening.media_ms + self.duration_s.unwrap_or_else(parts) * 1000.0
    }
}

impl Rendition {
    fn new(name: Arc<str>, kind: MediaKind) -> Self {
        Self {
            name,
            kind,
            inits: VecDeque::new(),
            next_init: None,
            segments: VecDeque::new(),
            open: None,
            discontinuities_gone: 0,
            peak_bps: 0.0,
            total_bytes: 0,
            total_s: 0.0,
            bytes_kept: 0,
            frames_per_second: 0.0,
            rendered: Arc::default(),
        }
    }

    /// What its newest segments need.
    pub fn format(&self) -> Option<&Format> {
        self.inits.back().map(|init| &*init.format)
    }

    /// `None` before the first segment.
    pub fn progress(&self) -> Option<Progress> {
        match (&self.open, self.segments.back()) {
            (Some(open), _) => Some(Progress { msn: open.opening.msn, parts: open.parts.len() }),
            (None, Some(newest)) => Some(Progress { msn: newest.opening.msn + 1, parts: 0 }),
            (None, None) => None,
        }
    }

    /// Something can be played.
    pub fn is_ready(&self) -> bool {
        !self.segments.is_empty() || self.open.as_ref().is_some_and(|open| !open.parts.is_empty())
    }

    /// The segments that playlists name, and then the open one if it has a part.
    pub fn listed(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> {
        let skipped = self.segments.len().saturating_sub(HLS_WINDOW_SEGMENTS);
        let open = self.open.iter().filter(|open| !open.parts.is_empty());
        self.segments.iter().skip(skipped).chain(open)
    }

    pub fn segment(&self, msn: u64) -> Option<&Arc<Segment>> {
        self.segments.iter().chain(&self.open).find(|segment| segment.opening.msn == msn)
    }

    /// Bits per second to expect: measured, and of the open segment while there is nothing else.
    pub fn bandwidth_bps(&self) -> (f64, f64) {
        if self.total_s > 0.0 {
            return (self.peak_bps, self.total_bytes as f64 * 8.0 / self.total_s);
        }
        let (bytes, seconds) = self
            .open
            .iter()
            .flat_map(|open| &open.parts)
            .fold((0, 0.0), |(bytes, seconds), part| (bytes + part.data.len(), seconds + part.duration_s));
        let guess = if seconds > 0.0 { bytes as f64 * 8.0 / seconds } else { 0.0 };
        (guess, guess)
    }

    /// Of the newest segment; 0 before the first part.
    pub const fn frames_per_second(&self) -> f64 {
        self.frames_per_second
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Init { format, data } => {
                self.next_init = Some((format, data));
            }
            Step::Open(opening) => {
                if let Some((format, data)) = self.next_init.take() {
                    self.inits.push_back(Init { number: opening.msn, format, data });
                }
                self.open = Some(Arc::new(self.begin(opening)));
            }
            Step::Part(part) => {
                if part.duration_s > 0.0 {
                    self.frames_per_second = f64::from(part.frames) / part.duration_s;
                }
                if let Some(open) = &mut self.open {
                    Arc::make_mut(open).parts.push(part);
                }
            }
            Step::Close { duration_s } => {
                if let Some(open) = self.open.take() {
                    self.close(Arc::unwrap_or_clone(open), duration_s);
                }
            }
            Step::Gap { opening, duration_s } => {
                let segment = Segment { duration_s: Some(duration_s), is_gap: true, ..self.begin(opening) };
                self.segments.push_back(Arc::new(segment));
            }
        }
    }

    fn begin(&self, opening: Opening) -> Segment {
        let init = self.inits.back().map_or(0, |init| init.number);
        Segment { opening, init, parts: Vec::new(), duration_s: None, data: Bytes::new(), is_gap: false }
    }

    fn close(&mut self, mut segment: Segment, duration_s: f64) {
        let mut data = BytesMut::with_capacity(segment.parts.iter().map(|part| part.data.len()).sum());
        for part in &segment.parts {
            data.extend_from_slice(&part.data);
        }
        segment.data = data.freeze();
        // The parts become views of the whole, so that their bytes are kept once.
        let mut at = 0;
        for part in &mut segment.parts {
            part.data = segment.data.slice(at..at + part.data.len());
            at += part.data.len();
        }
        segment.duration_s = Some(duration_s);
        segment.is_gap = segment.parts.is_empty();
        let played_s: f64 = segment.parts.iter().map(|part| part.duration_s).sum();
        if played_s > 0.0 {
            self.peak_bps = self.peak_bps.max(segment.data.len() as f64 * 8.0 / played_s);
            self.total_bytes += segment.data.len() as u64;
            self.total_s += played_s;
        }
        self.bytes_kept += segment.data.len();
        self.segments.push_back(Arc::new(segment));
    }

    fn newest_closed(&self) -> Option<Closed> {
        let segment = Arc::clone(self.segments.back()?);
        let init = self.inits.iter().rev().find(|init| init.number == segment.init).cloned();
        let frames_per_second = if self.kind == MediaKind::Video { self.frames_per_second } else { 0.0 };
        Some(Closed { rendition: Arc::clone(&self.name), kind: self.kind, segment, init, frames_per_second })
    }

    fn forget_oldest(&mut self) {
        let Some(gone) = self.segments.pop_front() else { return };
        self.bytes_kept -= gone.data.len();
        self.discontinuities_gone += u64::from(gone.opening.discontinuity);
        self.rendered = Arc::default();
        let oldest = self.segments.iter().chain(&self.open).map(|segment| segment.init).min();
        // There are never more of them than segments: each came with one.
        while oldest.is_some_and(|oldest| self.inits.front().is_some_and(|init| init.number < oldest)) {
            self.inits.pop_front();
        }
    }
}

impl Shelf {
    fn empty(part_ms: u32) -> Self {
        let (master, manifest) = (Default::default(), OnceLock::new());
        Self { renditions: Vec::new(), part_ms, origin_ms: 0.0, expects_picture: false, markers: Arc::default(), master, manifest }
    }

    /// The one after `before`.
    fn new(before: &Self, renditions: Vec<Rendition>) -> Self {
        let Self { origin_ms, expects_picture, part_ms, .. } = *before;
        Self { renditions, origin_ms, expects_picture, markers: Arc::clone(&before.markers), ..Self::empty(part_ms) }
    }

    /// A player that begins now would take it for sound alone.
    pub fn lacks_picture(&self) -> bool {
        let has_picture = self.renditions.iter().any(|rendition| rendition.kind == MediaKind::Video && rendition.is_ready());
        self.expects_picture && !has_picture
    }

    pub fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| &*rendition.name == name)
    }

    /// A media playlist; rendered once, however many ask for it. `None` while there is nothing in it.
    pub fn playlist(&self, name: &str, variant: Variant) -> Option<Packed> {
        let rendition = self.rendition(name).filter(|rendition| rendition.is_ready())?;
        Some(rendition.rendered[variant as usize].get_or_init(|| Packed::new(playlist::media(self, rendition, variant))).clone())
    }

    /// The multivariant playlist.
    pub fn master(&self, is_plain: bool) -> Packed {
        self.master[usize::from(is_plain)].get_or_init(|| Packed::new(playlist::master(self, is_plain))).clone()
    }

    /// The DASH manifest.
    pub fn manifest(&self) -> Packed {
        self.manifest.get_or_init(|| Packed::new(dash::manifest(self))).clone()
    }
}

/// Where shelves are replaced and waited for.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    newest: Arc<Shelf>,
    /// One for each rendition: whoever waits for sound is not woken for each picture. None once nothing comes any more.
    watches: Vec<watch::Sender<Arc<Shelf>>>,
    any: Option<watch::Sender<Arc<Shelf>>>,
}

impl State {
    /// The receiver of one that is gone says so at once.
    fn receiver(&self, sender: Option<&watch::Sender<Arc<Shelf>>>) -> watch::Receiver<Arc<Shelf>> {
        sender.map_or_else(|| watch::channel(Arc::clone(&self.newest)).1, watch::Sender::subscribe)
    }
}

impl Store {
    pub fn new(part_ms: u32) -> Self {
        let newest = Arc::new(Shelf::empty(part_ms));
        let any = Some(watch::Sender::new(Arc::clone(&newest)));
        Self { state: Mutex::new(State { newest, watches: Vec::new(), any }) }
    }

    /// A further rendition. Its `TrackId` is the number of those before it.
    pub fn add_rendition(&self, name: &str, kind: MediaKind) {
        self.replace(|state, renditions| {
            renditions.push(Rendition::new(name.into(), kind));
            state.watches.push(watch::Sender::new(Arc::clone(&state.newest)));
            Vec::new()
        });
    }

    /// The zero of all timestamps is known.
    pub fn set_origin(&self, origin_ms: f64, expects_picture: bool) {
        let mut state = self.lock();
        let renditions = state.newest.renditions.clone();
        state.newest = Arc::new(Shelf { origin_ms, expects_picture, ..Shelf::new(&state.newest, renditions) });
    }

    /// Makes steps visible, all of them in one. Returns the segments that they closed.
    pub fn publish(&self, steps: Vec<(TrackId, Step)>) -> Vec<Closed> {
        let mut closed = Vec::new();
        if steps.is_empty() {
            return closed;
        }
        self.replace(|_, renditions| {
            let mut moved: Vec<usize> = Vec::new();
            for (TrackId(index), step) in steps {
                let Some(rendition) = renditions.get_mut(index) else { continue };
                let closes = matches!(step, Step::Close { .. } | Step::Gap { .. });
                rendition.take(step);
                closed.extend(rendition.newest_closed().filter(|_| closes));
                if !moved.contains(&index) {
                    moved.push(index);
                }
            }
            for index in &moved {
                let rendition = &mut renditions[*index];
                rendition.rendered = Arc::default();
                while rendition.segments.len() > HLS_KEPT_SEGMENTS {
                    rendition.forget_oldest();
                }
            }
            while renditions.iter().map(|rendition| rendition.bytes_kept).sum::<usize>() > HLS_KEPT_BYTES_MAX
                && let Some(largest) = renditions.iter_mut().filter(|one| one.segments.len() > 1).max_by_key(|one| one.bytes_kept)
            {
                largest.forget_oldest();
            }
            moved
        });
        closed
    }

    /// The moments that playlists mark.
    pub fn set_markers(&self, markers: Vec<Marked>) {
        let mut state = self.lock();
        if *state.newest.markers == *markers {
            return;
        }
        let mut renditions = state.newest.renditions.clone();
        for rendition in &mut renditions {
            rendition.rendered = Arc::default();
        }
        state.newest = Arc::new(Shelf { markers: markers.into(), ..Shelf::new(&state.newest, renditions) });
    }

    pub fn newest(&self) -> Arc<Shelf> {
        Arc::clone(&self.lock().newest)
    }

    /// Every new shelf in which this rendition has moved. `None`: there is no such rendition.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<Arc<Shelf>>> {
        let state = self.lock();
        let index = state.newest.renditions.iter().position(|rendition| &*rendition.name == name)?;
        Some(state.receiver(state.watches.get(index)))
    }

    /// Every new shelf.
    pub fn watch_any(&self) -> watch::Receiver<Arc<Shelf>> {
        let state = self.lock();
        state.receiver(state.any.as_ref())
    }

    /// Everybody who waits, or begins to, is told that nothing comes any more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.watches.clear();
        state.any = None;
    }

    fn replace(&self, change: impl FnOnce(&mut State, &mut Vec<Rendition>) -> Vec<usize>) {
        let mut state = self.lock();
        let mut renditions = state.newest.renditions.clone();
        let moved = change(&mut state, &mut renditions);
        let shelf = Arc::new(Shelf::new(&state.newest, renditions));
        state.newest = Arc::clone(&shelf);
        for index in moved {
            if let Some(watch) = state.watches.get(index) {
                watch.send_replace(Arc::clone(&shelf));
            }
        }
        if let Some(any) = &state.any {
            any.send_replace(shelf);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic happens while the lock is held: its sections only move values")
    }
}
