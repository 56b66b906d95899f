//! Where segments begin and end, for all renditions together: the same media sequence number is the same moment in each.
//!
//! One track leads: the largest picture that is alive, sound where there is none. Its key frames make the boundaries; every other track is
//! worked off only as far as the leader has come, so that each boundary is known before it is needed, and cuts there at its own key frame.
//! Pure: frames and time in, [`Step`]s out.
//!
//! ```text
//!  leader   K . . . . . K . . . . .      K opens msn n+1
//!  layer      K . . . . . K . . .        cuts at its own key frame, at most `HLS_BOUNDARY_SLACK_MS` away
//!  sound    | | | | | | | | | | | |      cuts at the first frame behind the boundary
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use super::clock::Line;
use super::segment::{Opening, Step, TrackId};
use super::track::{LineFrame, Track};
use crate::limits::{
    HLS_BEHIND_MAX, HLS_BOUNDARY_SLACK_MS, HLS_FRAMES_WAITING_MAX, HLS_KEPT_SEGMENTS, HLS_LAYER_SILENCE, HLS_LEADER_SILENCE,
    HLS_SEGMENT_LOST_MS, HLS_SEGMENT_MAX_MS, HLS_SEGMENT_MIN_MS, HLS_SEGMENT_SOUND_MS, HLS_STRAY_MS,
};
use crate::sfu::codec::MediaKind;

/// Places on the line that are closer than this are the same.
const SAME_MS: f64 = 0.05;
/// Half a frame of sound: it cuts at the frame that is nearest to the boundary.
const SOUND_SLACK_MS: f64 = 10.0;

/// The beginning of a segment in every rendition.
#[derive(Debug, Clone, Copy)]
struct Boundary {
    msn: u64,
    start_ms: f64,
    /// Media time of the line's origin here.
    media_offset_ms: f64,
    discontinuity: bool,
    /// No key frame came in time.
    is_forced: bool,
}

impl Boundary {
    fn opening(&self, ticks: i64, ms: f64) -> Opening {
        Opening { msn: self.msn, ticks, media_ms: self.media_offset_ms + ms, discontinuity: self.discontinuity }
    }
}

/// See the file's head.
#[derive(Debug)]
pub struct Segmenter {
    part_ms: u32,
    tracks: Vec<Track>,
    boundaries: VecDeque<Boundary>,
    next_msn: u64,
    /// The next boundary begins another line.
    discontinuity: bool,
    /// How far the leader has come, ms on the line.
    progress_ms: f64,
    /// Frames came from nowhere near the others.
    strayed: bool,
    /// Frames that had no place: before any boundary, out of order, or of another format than their segment.
    pub frames_left_out: u64,
}

impl Segmenter {
    pub fn new(first_msn: u64, part_ms: u32) -> Self {
        Self {
            part_ms,
            tracks: Vec::new(),
            boundaries: VecDeque::new(),
            next_msn: first_msn,
            discontinuity: false,
            progress_ms: f64::NEG_INFINITY,
            strayed: false,
            frames_left_out: 0,
        }
    }

    pub fn add_track(&mut self, kind: MediaKind) -> TrackId {
        self.tracks.push(Track::new(kind, self.part_ms));
        TrackId(self.tracks.len() - 1)
    }

    /// Whether this track decides where segments end.
    pub fn leads(&self, track: TrackId, now: Instant) -> bool {
        self.leader(now) == Some(track.0)
    }

    /// Takes a frame. `line` is where the line lies in media time.
    pub fn handle_frame(&mut self, now: Instant, id: TrackId, frame: LineFrame, line: &Line) {
        let track = &mut self.tracks[id.0];
        track.last_received = Some(now);
        let (is_ahead, ms) = (track.is_ahead(frame.ticks), track.ms(frame.ticks));
        track.behind = if is_ahead { 0 } else { track.behind + 1 };
        // Before the leader's first frame nobody is far from it.
        let is_stray = self.progress_ms.is_finite() && ms > self.progress_ms + HLS_STRAY_MS;
        self.strayed |= is_stray || track.behind >= HLS_BEHIND_MAX;
        if !is_ahead || is_stray {
            self.frames_left_out += 1;
            return;
        }
        track.queue.push_back(frame);
        if track.queue.len() > HLS_FRAMES_WAITING_MAX
            && let Some(frame) = track.queue.pop_front()
        {
            self.follow(id.0, frame);
        }
        self.advance(now, line);
    }

    /// Tracks that fell silent.
    pub fn handle_timeout(&mut self, now: Instant, line: &Line) {
        self.advance(now, line);
        for index in 0..self.tracks.len() {
            let silent = self.tracks[index].last_received.is_some_and(|last| now.saturating_duration_since(last) >= HLS_LAYER_SILENCE);
            if silent && self.leader(now) != Some(index) {
                self.stop_behind(index);
            }
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let due = |track: &Track| {
            let last = track.last_received?;
            [last + HLS_LEADER_SILENCE, last + HLS_LAYER_SILENCE].into_iter().find(|due| *due > now)
        };
        self.tracks.iter().filter_map(due).min()
    }

    /// The number that no segment has had.
    pub const fn next_msn(&self) -> u64 {
        self.next_msn
    }

    /// Whether a clock jumped so far that the line must begin anew; said once.
    pub fn take_strayed(&mut self) -> bool {
        std::mem::take(&mut self.strayed)
    }

    /// The source is another: what comes next begins a line of its own. Everything that is open ends.
    pub fn discontinue(&mut self) {
        for index in 0..self.tracks.len() {
            let frames: Vec<LineFrame> = self.tracks[index].queue.drain(..).collect();
            for frame in frames {
                self.follow(index, frame);
            }
        }
        self.end_all();
        self.progress_ms = f64::NEG_INFINITY;
    }

    /// Everything that is open ends where the leader was last, and the next boundary begins another line.
    fn end_all(&mut self) {
        for index in 0..self.tracks.len() {
            let end = self.tracks[index].open.map(|open| {
                let started = self.boundaries.iter().find(|boundary| boundary.msn == open.msn);
                let behind = self.progress_ms - started.map_or(self.progress_ms, |boundary| boundary.start_ms);
                open.ticks + (behind.max(0.0) * f64::from(self.tracks[index].timescale) / 1000.0) as i64
            });
            if let Some(end) = end {
                self.tracks[index].stop(end);
            }
            self.fill_gaps(index, self.next_msn);
        }
        self.boundaries.clear();
        self.discontinuity = true;
    }

    /// What happened since the last call, in order, to be published at once.
    pub fn take_steps(&mut self) -> Vec<(TrackId, Step)> {
        let steps = self.tracks.iter_mut().enumerate();
        steps.flat_map(|(index, track)| track.take_steps().into_iter().map(move |step| (TrackId(index), step))).collect()
    }

    fn leader(&self, now: Instant) -> Option<usize> {
        let is_alive = |track: &Track| track.last_received.is_some_and(|last| now.saturating_duration_since(last) < HLS_LEADER_SILENCE);
        let alive = || self.tracks.iter().enumerate().filter(|(_, track)| is_alive(track));
        let waiting_pixels = |track: &Track| {
            let size = track.queue.iter().find_map(|frame| frame.format.as_deref()?.size());
            track.pixels().max(size.map_or(0, |(width, height)| u32::from(width) * u32::from(height)))
        };
        // Of equals the first, so that the answer does not change from frame to frame.
        let picture = alive()
            .filter(|(_, track)| track.kind == MediaKind::Video)
            .max_by_key(|(index, track)| (waiting_pixels(track), usize::MAX - index));
        picture.or_else(|| alive().find(|(_, track)| track.kind == MediaKind::Audio)).map(|(index, _)| index)
    }

    fn advance(&mut self, now: Instant, line: &Line) {
        let Some(leader) = self.leader(now) else { return };
        loop {
            for index in 0..self.tracks.len() {
                self.work_off(index);
            }
            let Some(frame) = self.tracks[leader].queue.pop_front() else { return };
            self.decide(leader, &frame, line);
            self.progress_ms = self.progress_ms.max(self.tracks[leader].ms(frame.ticks));
            self.follow(leader, frame);
        }
    }

    /// Everything up to where the leader is.
    fn work_off(&mut self, index: usize) {
        while let Some(front) = self.tracks[index].queue.front()
            && self.tracks[index].ms(front.ticks) <= self.progress_ms + SAME_MS
            && let Some(frame) = self.tracks[index].queue.pop_front()
        {
            self.follow(index, frame);
        }
    }

    /// Whether a segment begins with this frame of the leader.
    fn decide(&mut self, leader: usize, frame: &LineFrame, line: &Line) {
        let ms = self.tracks[leader].ms(frame.ticks);
        if self.boundaries.back().is_some_and(|current| ms - current.start_ms > HLS_SEGMENT_LOST_MS) {
            self.end_all();
        }
        let track = &self.tracks[leader];
        let is_picture = track.kind == MediaKind::Video;
        let changes_format = track.open.is_some() && frame.format.is_some() && frame.format != track.format;
        let (begins, is_forced) = match self.boundaries.back() {
            None => (frame.key, false),
            Some(current) => {
                let elapsed = ms - current.start_ms;
                let least = if is_picture { HLS_SEGMENT_MIN_MS } else { HLS_SEGMENT_SOUND_MS };
                let by_key = frame.key && (elapsed >= least || changes_format && elapsed > SAME_MS);
                (by_key || elapsed >= HLS_SEGMENT_MAX_MS, !by_key)
            }
        };
        if !begins {
            return;
        }
        let discontinuity = std::mem::take(&mut self.discontinuity) || changes_format;
        let media_offset_ms = line.media_ms(ms) - ms;
        self.boundaries.push_back(Boundary { msn: self.next_msn, start_ms: ms, media_offset_ms, discontinuity, is_forced });
        self.next_msn += 1;
        if self.boundaries.len() > HLS_KEPT_SEGMENTS {
            self.boundaries.pop_front();
        }
        for index in 0..self.tracks.len() {
            if self.tracks[index].open.is_none() {
                self.fill_gaps(index, self.next_msn - 1);
            }
        }
    }

    /// A frame in its track: into the open segment, or the first of another.
    fn follow(&mut self, index: usize, frame: LineFrame) {
        let track = &self.tracks[index];
        let ms = track.ms(frame.ticks);
        let is_sound = track.kind == MediaKind::Audio;
        let reaches = |boundary: &&Boundary| {
            if is_sound || boundary.is_forced {
                let slack = if is_sound { SOUND_SLACK_MS } else { SAME_MS };
                ms + slack >= boundary.start_ms
            } else {
                ms >= boundary.start_ms + HLS_BOUNDARY_SLACK_MS || frame.key && ms + HLS_BOUNDARY_SLACK_MS >= boundary.start_ms
            }
        };
        let reached = self.boundaries.iter().rev().find(reaches).copied();
        let is_new_format = frame.format.is_some() && track.format.is_some() && frame.format != track.format;
        match (track.open, reached) {
            (Some(open), Some(boundary)) if boundary.msn > open.msn => self.cut(index, frame, boundary),
            (Some(_), _) if is_new_format => {
                // It cannot go on in this segment; it comes back with the next one.
                self.frames_left_out += 1;
                self.stop_behind(index);
                let track = &mut self.tracks[index];
                if let Some(open) = track.open {
                    track.stop(frame.ticks.max(open.ticks));
                }
            }
            (Some(_), _) => self.tracks[index].append(frame),
            // After a pause, or for the first time: sound begins anywhere, a picture where a segment begins.
            (None, Some(boundary))
                if track.newest_msn.is_none_or(|newest| boundary.msn > newest)
                    && frame.key
                    && (is_sound || ms <= boundary.start_ms + HLS_BOUNDARY_SLACK_MS) =>
            {
                self.cut(index, frame, boundary);
            }
            (None, _) => self.frames_left_out += 1,
        }
    }

    fn cut(&mut self, index: usize, frame: LineFrame, boundary: Boundary) {
        let skips = self.tracks[index].newest_msn.is_some_and(|newest| newest + 1 < boundary.msn);
        if skips {
            self.stop_behind(index);
            self.fill_gaps(index, boundary.msn);
        }
        let ms = self.tracks[index].ms(frame.ticks);
        let opening = boundary.opening(frame.ticks, ms);
        self.tracks[index].cut(frame, opening);
    }

    /// Ends the open segment of a track where the next one began, if it has begun, and fills in the gaps behind it.
    fn stop_behind(&mut self, index: usize) {
        let Some(open) = self.tracks[index].open else { return };
        let Some(next) = self.boundaries.iter().find(|boundary| boundary.msn == open.msn + 1) else { return };
        let ticks = (next.start_ms * f64::from(self.tracks[index].timescale) / 1000.0).round() as i64;
        self.tracks[index].stop(ticks.max(open.ticks));
        let newest = self.next_msn - 1;
        self.fill_gaps(index, newest);
    }

    /// Gaps for a track that is not open, up to segment `until`, which is not one of them.
    fn fill_gaps(&mut self, index: usize, until: u64) {
        let Some(newest) = self.tracks[index].newest_msn else { return };
        for msn in newest + 1..until {
            let mut around = self.boundaries.iter().skip_while(|boundary| boundary.msn < msn);
            let Some(boundary) = around.next().filter(|boundary| boundary.msn == msn).copied() else { continue };
            let end_ms = around.next().map_or(self.progress_ms, |next| next.start_ms);
            let track = &mut self.tracks[index];
            let ticks = (boundary.start_ms * f64::from(track.timescale) / 1000.0).round() as i64;
            track.gap(boundary.opening(ticks, boundary.start_ms), (end_ms - boundary.start_ms).max(0.0) / 1000.0);
        }
    }
}
