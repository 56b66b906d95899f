//! From a tap's packets to steps of renditions: one per layer of the picture and one per kind of sound. Pure: `handle_*(now, ..)` in, steps
//! and sound for the encoder out.
//!
//! ```text
//! TapRun ─▶ stream ─▶ depay ─▶ clock (line) ─▶ segmenter ─▶ steps
//!                                  ├─ Opus ─▶ take_sound ─▶ (encoder) ─▶ handle_encoded ─▶ segmenter
//!                                  └─ VP8, or a lone layer ─▶ take_pictures ─▶ (encoder) ─▶ handle_rung ─▶ segmenter
//! ```
//! While a guest is on air every picture passes the composer on its last step, which puts frames of the programme in its place
//! (`take_orders` ─▶ (children) ─▶ `handle_made`), and every sound the mixer, which puts both voices in its place (`take_mixes` ─▶ (child) ─▶
//! `handle_mixed`).

use std::collections::VecDeque;
use std::time::Instant;

use super::child::Fed;
use super::clock::Line;
use super::composer::{Composer, Made};
use super::depay::{Losses, TimedFrame};
use super::duet::Order;
use super::guest::{Guest, GuestFrames, Newest};
use super::ladder::Choice;
use super::mixer::Mixer;
use super::programme::Layout;
use super::seamless::Sound;
use super::segment::{Step, TrackId};
use super::segmenter::Segmenter;
use super::stream::Stream;
use super::track::LineFrame;
use crate::limits::{HLS_CLOCK_WAIT, HLS_FRAMES_WAITING_MAX, HLS_LADDER_RUNGS_MAX, LAYERS_MAX};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::tap::TapRun;

/// The line begins this long before the first frame, so that no timestamp is negative; whole seconds read better.
const LEAD_IN_MS: f64 = 1000.0;
/// Key frames of the layers that agree, by which another is moved to agree.
const ANCHORS: usize = 16;

/// A rendition that was not there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRendition {
    pub name: String,
    pub kind: MediaKind,
}

/// What there are encoders for: whose frames they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoders {
    /// [`Pipeline::take_sound`] and [`Pipeline::take_mixes`].
    pub sound: bool,
    /// [`Pipeline::take_pictures`].
    pub ladder: bool,
    /// [`Pipeline::take_orders`].
    pub programme: bool,
}

/// See the file's head.
#[derive(Debug)]
pub struct Pipeline {
    segmenter: Segmenter,
    streams: Vec<Stream>,
    line: Option<Line>,
    /// Lines so far.
    lines: u32,
    source: Option<u32>,
    began: Option<Instant>,
    /// Frames that came before the line was known, with their stream.
    waiting: VecDeque<(usize, TimedFrame)>,
    anchors: VecDeque<i64>,
    renditions: Vec<NewRendition>,
    encoders: Encoders,
    sound: Vec<Fed>,
    pictures: Vec<Fed>,
    ladder: Choice,
    encoded: Option<TrackId>,
    /// Of the ladder, smallest first.
    rungs: [Option<TrackId>; HLS_LADDER_RUNGS_MAX],
    guest: Guest,
    composer: Composer,
    mixer: Mixer,
    /// Where the main picture is, or where there is none the main sound.
    newest: Option<Newest>,
    former_losses: Losses,
    /// A codec that cannot be packaged, once.
    unfit: Option<Codec>,
}

impl Pipeline {
    /// The number that no segment has had.
    pub const fn next_msn(&self) -> u64 {
        self.segmenter.next_msn()
    }

    pub fn new(first_msn: u64, part_ms: u32, encoders: Encoders) -> Self {
        Self {
            segmenter: Segmenter::new(first_msn, part_ms),
            streams: Vec::new(),
            line: None,
            lines: 0,
            source: None,
            began: None,
            waiting: VecDeque::new(),
            anchors: VecDeque::new(),
            renditions: Vec::new(),
            encoders,
            sound: Vec::new(),
            pictures: Vec::new(),
            ladder: Choice::default(),
            encoded: None,
            rungs: [None; HLS_LADDER_RUNGS_MAX],
            guest: Guest::default(),
            composer: Composer::new(),
            mixer: Mixer::default(),
            newest: None,
            former_losses: Losses::default(),
            unfit: None,
        }
    }

    /// Takes packets.
    pub fn handle_run(&mut self, now: Instant, run: &TapRun) {
        self.began.get_or_insert(now);
        let former = self.source.replace(run.source);
        if former.is_some_and(|former| former != run.source) {
            self.handle_new_source(now);
        }
        let Some(index) = self.stream(run) else { return };
        if !self.encoders.ladder && run.packets.iter().any(|packet| packet.codec == Codec::Vp8) {
            self.unfit = Some(Codec::Vp8);
        }
        let frames = self.streams[index].handle_run(now, run, &mut self.former_losses);
        self.take(now, index, frames);
        if self.segmenter.take_strayed() {
            self.handle_new_source(now);
        }
    }

    /// Who is on air beside the main picture from now on: how they share the screen. What is known of a former guest is forgotten.
    pub fn set_guest(&mut self, now: Instant, layout: Option<Layout>) {
        if layout.is_none() {
            self.guest = Guest::default();
        }
        self.composer.set_wanted(layout.filter(|_| self.encoders.programme));
        self.mixer.set_wanted(now, layout.is_some() && self.encoders.sound);
        self.hand_on(now);
    }

    /// Takes packets of the guest.
    pub fn handle_guest_run(&mut self, now: Instant, run: &TapRun) {
        let frames = self.guest.handle_run(now, run, self.line.as_ref(), self.newest);
        self.take_guest(now, frames);
    }

    /// Takes a frame that a child made of main picture and guest. `rung`: the place of its size in the order that began the child.
    pub fn handle_made(&mut self, now: Instant, child: u32, rung: usize, frame: LineFrame) {
        self.composer.handle_made(now, child, rung, frame);
        self.hand_on(now);
    }

    /// A child ended by itself.
    pub fn handle_ended(&mut self, now: Instant, child: u32) {
        self.composer.handle_ended(now, child);
        self.hand_on(now);
    }

    /// Takes a frame that a child made of main sound and guest.
    pub(super) fn handle_mixed(&mut self, now: Instant, child: u32, sound: Sound, frame: LineFrame) {
        self.mixer.handle_made(now, child, sound, frame);
        self.hand_on(now);
    }

    /// A child that mixes ended by itself.
    pub fn handle_mix_ended(&mut self, now: Instant, child: u32) {
        self.mixer.handle_ended(now, child);
        self.hand_on(now);
    }

    /// Takes a frame of AAC that the encoder made of sound on line `line`.
    pub fn handle_encoded(&mut self, now: Instant, line: u32, frame: LineFrame) {
        if self.line.is_none() || line != self.lines {
            return;
        }
        let track = match self.encoded {
            Some(track) => track,
            None => {
                let track = self.add_rendition("aac".to_owned(), MediaKind::Audio);
                self.encoded = Some(track);
                track
            }
        };
        self.mixer.handle_own(Sound::Aac, track, frame);
        self.hand_on(now);
    }

    /// Takes a frame of the ladder that the encoder made of the picture on line `line`. `rung`: which size, smallest first.
    pub fn handle_rung(&mut self, now: Instant, line: u32, rung: usize, frame: LineFrame) {
        if self.line.is_none() || line != self.lines {
            return;
        }
        let track = match self.rungs.get(rung) {
            Some(Some(track)) => *track,
            Some(None) => {
                let track = self.add_rendition(format!("t{rung}"), MediaKind::Video);
                self.composer.add_rendition(track, Made::Ladder);
                self.rungs[rung] = Some(track);
                track
            }
            None => return,
        };
        self.composer.handle_own(now, track, frame);
        self.hand_on(now);
    }

    /// What time alone brings.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.streams.len() {
            let mut frames = Vec::new();
            self.streams[index].depacketizer.handle_timeout(now, &mut frames);
            self.take(now, index, frames);
        }
        self.begin_line(now);
        let frames = self.guest.handle_timeout(now, self.line.as_ref(), self.newest);
        self.take_guest(now, frames);
        self.composer.handle_timeout(now, &self.guest);
        self.mixer.handle_timeout(now);
        self.hand_on(now);
        if let Some(line) = self.line {
            self.segmenter.handle_timeout(now, &line);
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let repairs = self.streams.iter().filter_map(|stream| stream.depacketizer.wake_at());
        // Once it has passed, the line begins with whatever packet makes it possible.
        let clocks = self.began.filter(|_| self.line.is_none()).map(|began| began + HLS_CLOCK_WAIT).filter(|due| *due > now);
        let guest = self.guest.wake_at().into_iter().chain(self.composer.wake_at(&self.guest)).chain(self.mixer.wake_at());
        repairs.chain(clocks).chain(guest).chain(self.segmenter.wake_at(now)).min()
    }

    /// Renditions since the last call; their `TrackId`s count on.
    pub fn take_renditions(&mut self) -> Vec<NewRendition> {
        std::mem::take(&mut self.renditions)
    }

    /// What happened since the last call, to be published at once.
    pub fn take_steps(&mut self) -> Vec<(TrackId, Step)> {
        self.segmenter.take_steps()
    }

    /// Sound since the last call, for the encoder.
    pub fn take_sound(&mut self) -> Vec<Fed> {
        std::mem::take(&mut self.sound)
    }

    /// Pictures since the last call of which a ladder is to be made.
    pub fn take_pictures(&mut self) -> Vec<Fed> {
        std::mem::take(&mut self.pictures)
    }

    /// What is to be done with children that put a guest beside the main picture.
    pub(super) fn take_orders(&mut self) -> Vec<Order> {
        self.composer.take_orders()
    }

    /// What is to be done with the child that mixes a guest's voice into the main sound.
    pub(super) fn take_mixes(&mut self) -> Vec<Order> {
        self.mixer.take_orders()
    }

    /// Frames of guests' sound that came too late to be mixed, since the last call.
    pub fn take_unmixed(&mut self) -> u64 {
        self.mixer.take_lost()
    }

    /// Media time of the zero of all timestamps, once it is known.
    pub fn origin_ms(&self) -> Option<f64> {
        self.line.map(|line| line.origin_ms)
    }

    /// Whether there is a picture that is packaged, or encoded so that it can be.
    pub fn expects_picture(&self) -> bool {
        let mut pictures = self.streams.iter().filter(|stream| stream.is_picture());
        pictures.any(|stream| stream.codec != Codec::Vp8 || self.encoders.ladder)
    }

    /// A codec that cannot be packaged; told once.
    pub fn take_unfit(&mut self) -> Option<Codec> {
        self.unfit.take()
    }

    /// Of all streams, and frames that had no place in a segment.
    pub fn losses(&self) -> (Losses, u64) {
        let streams = self.streams.iter().map(|stream| stream.depacketizer.losses);
        (streams.fold(self.former_losses, Losses::and), self.segmenter.frames_left_out + self.mixer.left_out())
    }

    /// The publisher came back, or changed its codec: nothing goes on.
    fn handle_new_source(&mut self, now: Instant) {
        self.segmenter.discontinue();
        for stream in &mut self.streams {
            stream.restart(&mut self.former_losses);
        }
        self.anchors.clear();
        self.ladder.restart();
        self.composer.restart();
        self.mixer.restart();
        self.guest.forget();
        self.newest = None;
        self.waiting.clear();
        self.line = None;
        self.began = Some(now);
    }

    /// The stream of a run, made if it is new.
    fn stream(&mut self, run: &TapRun) -> Option<usize> {
        if let Some(index) = self.streams.iter().position(|stream| stream.is_of(run)) {
            return Some(index);
        }
        self.streams.push(Stream::of(run)?);
        Some(self.streams.len() - 1)
    }

    fn take(&mut self, now: Instant, index: usize, frames: Vec<TimedFrame>) {
        if self.line.is_some() {
            frames.into_iter().for_each(|frame| self.place(now, index, frame));
            return;
        }
        for frame in frames {
            if self.waiting.len() >= HLS_FRAMES_WAITING_MAX * LAYERS_MAX {
                self.waiting.pop_front();
            }
            self.waiting.push_back((index, frame));
        }
        self.begin_line(now);
    }

    /// The line begins when every stream that arrives has a real clock, or has been waited for long enough.
    fn begin_line(&mut self, now: Instant) {
        let Some(began) = self.began.filter(|_| self.line.is_none() && !self.waiting.is_empty()) else { return };
        let is_late = now.saturating_duration_since(began) >= HLS_CLOCK_WAIT;
        if !is_late && !self.streams.iter().all(|stream| stream.map_is_real) {
            return;
        }
        let media = |(index, frame): &(usize, TimedFrame)| Some(self.streams[*index].map?.media_time(frame.time.0).0);
        let Some(first) = self.waiting.iter().filter_map(media).min_by(f64::total_cmp) else { return };
        self.lines += 1;
        self.line = Some(Line::new(((first - LEAD_IN_MS) / 1000.0).floor() * 1000.0));
        for (index, frame) in std::mem::take(&mut self.waiting) {
            self.place(now, index, frame);
        }
    }

    /// Gives a frame its place on the line, and the segmenter the frame.
    fn place(&mut self, now: Instant, index: usize, frame: TimedFrame) {
        let (Some(mut line), Some(map)) = (self.line, self.streams[index].map) else { return };
        let stream = &mut self.streams[index];
        let is_picture = stream.is_picture();
        if !stream.clock.is_solved() {
            stream.clock.solve(&line, &map, frame.time);
        }
        if !is_picture {
            stream.clock.follow(&line, &map, frame.time);
        }
        let Some(mut ticks) = stream.clock.ticks(frame.time) else { return };
        if is_picture && frame.key {
            ticks = self.anchor(index, ticks);
        }
        if ticks < 0 {
            // From before the beginning: a clock that jumped back.
            return;
        }
        let TimedFrame { time, key, data, format, received } = frame;
        let frame = LineFrame { ticks, key, data, format, received };
        if is_picture || !self.streams.iter().any(Stream::is_picture) {
            self.note_newest(index, &frame);
        }
        if is_picture && self.encoders.programme {
            self.composer.handle_main(now, index, &frame, &self.guest);
        }
        let in_ladder = is_picture && self.encoders.ladder && self.ladder.takes(now, index, frame.format.as_deref());
        if in_ladder && self.composer.feeds_ladder(frame.key) {
            self.pictures.push(Fed { line: self.lines, frame: frame.clone() });
        }
        let is_packaged = self.streams[index].codec != Codec::Vp8;
        let track = is_packaged.then(|| self.track(index));
        if !is_picture && self.encoders.sound {
            self.sound.push(Fed { line: self.lines, frame: frame.clone() });
            self.mixer.handle_main(now, &frame);
        }
        // Where all renditions are made of this stream, they run at its pace.
        let leads = track.map_or(in_ladder, |track| self.segmenter.leads(track, now));
        if leads {
            let rate_hz = f64::from(self.streams[index].codec.clock_rate_hz());
            line.follow(ticks as f64 * 1000.0 / rate_hz, map.media_time(time.0).0);
            self.line = Some(line);
        }
        match track {
            Some(track) if is_picture => self.composer.handle_own(now, track, frame),
            Some(track) => self.mixer.handle_own(Sound::Opus, track, frame),
            None => {}
        }
        self.hand_on(now);
    }

    /// A frame by which a guest is placed.
    fn note_newest(&mut self, index: usize, frame: &LineFrame) {
        let line_ms = frame.ticks as f64 * 1000.0 / f64::from(self.streams[index].codec.clock_rate_hz());
        if self.newest.is_none_or(|newest| newest.line_ms < line_ms) {
            self.newest = Some(Newest { line_ms, received: frame.received });
        }
    }

    fn take_guest(&mut self, now: Instant, frames: GuestFrames) {
        for (layer, frame) in &frames.pictures {
            self.composer.handle_guest(*layer, frame);
        }
        for frame in frames.sound {
            self.mixer.handle_guest(now, frame);
        }
        self.hand_on(now);
    }

    /// What composer and mixer give out goes into renditions.
    fn hand_on(&mut self, now: Instant) {
        let Some(line) = self.line else { return };
        for (track, frame) in self.composer.take_frames().into_iter().chain(self.mixer.take_frames()) {
            self.segmenter.handle_frame(now, track, frame, &line);
        }
    }

    /// The rendition of a stream, added with its first frame.
    fn track(&mut self, index: usize) -> TrackId {
        let stream = &self.streams[index];
        if let Some(track) = stream.track {
            return track;
        }
        let kind = stream.slot.kind();
        let name = if kind == MediaKind::Video { format!("v{}", stream.layer) } else { "opus".to_owned() };
        let track = self.add_rendition(name, kind);
        if kind == MediaKind::Video {
            self.composer.add_rendition(track, Made::Layer);
        }
        self.streams[index].track = Some(track);
        track
    }

    /// A key frame of the picture: moves its layer to agree with the others, if it does not yet. Returns where it is then.
    fn anchor(&mut self, index: usize, ticks: i64) -> i64 {
        let nearest = self.anchors.iter().copied().min_by_key(|anchor| (anchor - ticks).abs());
        let clock = &mut self.streams[index].clock;
        let mut ticks = ticks;
        match nearest {
            Some(nearest) if clock.snap(ticks, nearest) => ticks = nearest,
            // The first one is where the others go.
            None => clock.is_snapped = true,
            Some(_) => {}
        }
        if clock.is_snapped && nearest != Some(ticks) {
            if self.anchors.len() == ANCHORS {
                self.anchors.pop_front();
            }
            self.anchors.push_back(ticks);
        }
        ticks
    }

    fn add_rendition(&mut self, name: String, kind: MediaKind) -> TrackId {
        self.renditions.push(NewRendition { name, kind });
        self.segmenter.add_track(kind)
    }
}
