//! A guest on air: the streams of their source, placed on the broadcast's line. Pure.
//!
//! A guest's frames lie where their clock says, or where they arrive if clocks of two people disagree. Of each layer the frames since its key frame
//! are kept, so that a child can begin at any moment.

use std::time::Instant;

use super::clock::Line;
use super::depay::{Losses, TimedFrame};
use super::format::Format;
use super::stream::Stream;
use super::track::LineFrame;
use crate::limits::{HLS_FRAMES_WAITING_MAX, HLS_GUEST_OFF_MS, HLS_GUEST_SILENCE, HLS_GUEST_STEADY};
use crate::sfu::tap::TapRun;

/// Where the main picture is: what was newest on the line, ms, and when it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    pub(super) line_ms: f64,
    pub(super) received: Instant,
}

/// Frames of one run.
#[derive(Debug, Default)]
pub(super) struct GuestFrames {
    /// With the layer that they are of.
    pub(super) pictures: Vec<(usize, LineFrame)>,
    pub(super) sound: Vec<LineFrame>,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Guest {
    streams: Vec<GuestStream>,
    source: Option<u32>,
    /// What is added to where their clock says, ms.
    shift_ms: Option<f64>,
    former_losses: Losses,
}

#[derive(Debug)]
struct GuestStream {
    stream: Stream,
    /// Since the newest key frame.
    group: Vec<LineFrame>,
    /// The first and the newest frame of those that came without a pause.
    flows: Option<(Instant, Instant)>,
}

impl GuestStream {
    fn is_flowing(&self, now: Instant) -> bool {
        self.flows.is_some_and(|(_, last)| now.saturating_duration_since(last) < HLS_GUEST_SILENCE)
    }

    fn format(&self) -> Option<&Format> {
        self.group.first()?.format.as_deref()
    }
}

impl Guest {
    /// Takes packets. Before there is a line and a main picture on it their frames are nowhere.
    pub(super) fn handle_run(&mut self, now: Instant, run: &TapRun, line: Option<&Line>, main: Option<Newest>) -> GuestFrames {
        if self.source.replace(run.source).is_some_and(|former| former != run.source) {
            for layer in &mut self.streams {
                layer.stream.restart(&mut self.former_losses);
            }
            self.forget();
        }
        let found = self.streams.iter().position(|layer| layer.stream.is_of(run));
        let index = match (found, Stream::of(run)) {
            (Some(index), _) => index,
            (None, Some(stream)) => {
                self.streams.push(GuestStream { stream, group: Vec::new(), flows: None });
                self.streams.len() - 1
            }
            (None, None) => return GuestFrames::default(),
        };
        let frames = self.streams[index].stream.handle_run(now, run, &mut self.former_losses);
        self.place_all(index, frames, line, main)
    }

    /// What time alone brings.
    pub(super) fn handle_timeout(&mut self, now: Instant, line: Option<&Line>, main: Option<Newest>) -> GuestFrames {
        let mut all = GuestFrames::default();
        for index in 0..self.streams.len() {
            let mut frames = Vec::new();
            self.streams[index].stream.depacketizer.handle_timeout(now, &mut frames);
            let placed = self.place_all(index, frames, line, main);
            all.pictures.extend(placed.pictures);
            all.sound.extend(placed.sound);
        }
        all
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.streams.iter().filter_map(|layer| layer.stream.depacketizer.wake_at()).min()
    }

    /// The line, or the guest, begins anew.
    pub(super) fn forget(&mut self) {
        for layer in &mut self.streams {
            layer.stream.clock.restart();
            layer.group.clear();
            layer.flows = None;
        }
        self.shift_ms = None;
    }

    /// The largest layer that can be taken in.
    pub(super) fn best(&self, now: Instant) -> Option<usize> {
        let is_steady = |layer: &GuestStream| {
            layer.is_flowing(now) && layer.flows.is_some_and(|(first, last)| last.saturating_duration_since(first) >= HLS_GUEST_STEADY)
        };
        let pixels =
            |layer: &GuestStream| layer.format().and_then(Format::size).map(|(width, height)| u32::from(width) * u32::from(height));
        let steady = self.streams.iter().enumerate().filter(|(_, layer)| is_steady(layer));
        steady.filter_map(|(index, layer)| Some((pixels(layer)?, index))).max().map(|(_, index)| index)
    }

    pub(super) fn is_flowing(&self, now: Instant, layer: usize) -> bool {
        self.streams.get(layer).is_some_and(|layer| layer.is_flowing(now))
    }

    /// When the layer will have fallen silent if nothing comes.
    pub(super) fn silent_at(&self, layer: usize) -> Option<Instant> {
        Some(self.streams.get(layer)?.flows?.1 + HLS_GUEST_SILENCE)
    }

    /// The frames of a layer since its key frame.
    pub(super) fn group(&self, layer: usize) -> Vec<LineFrame> {
        self.streams.get(layer).map(|layer| layer.group.clone()).unwrap_or_default()
    }

    fn place_all(&mut self, index: usize, frames: Vec<TimedFrame>, line: Option<&Line>, main: Option<Newest>) -> GuestFrames {
        let mut placed = GuestFrames::default();
        for frame in frames {
            let Some(frame) = self.place(index, frame, line, main) else { continue };
            let layer = &mut self.streams[index];
            if !layer.stream.is_picture() {
                placed.sound.push(frame);
                continue;
            }
            let received = frame.received;
            layer.flows = match layer.flows {
                Some((first, last)) if received.saturating_duration_since(last) < HLS_GUEST_SILENCE => Some((first, last.max(received))),
                Some(_) | None => Some((received, received)),
            };
            if frame.key || layer.group.len() >= HLS_FRAMES_WAITING_MAX {
                layer.group.clear();
            }
            if frame.key || !layer.group.is_empty() {
                layer.group.push(frame.clone());
            }
            placed.pictures.push((index, frame));
        }
        placed
    }

    fn place(&mut self, index: usize, frame: TimedFrame, line: Option<&Line>, main: Option<Newest>) -> Option<LineFrame> {
        let (line, main) = (line?, main?);
        let stream = &mut self.streams[index].stream;
        let map = stream.map?;
        if !stream.clock.is_solved() {
            stream.clock.solve(line, &map, frame.time);
        }
        stream.clock.follow(line, &map, frame.time);
        let ticks = stream.clock.ticks(frame.time)?;
        let per_ms = f64::from(stream.codec.clock_rate_hz()) / 1000.0;
        let shift_ms = *self.shift_ms.get_or_insert_with(|| {
            let later = frame.received.saturating_duration_since(main.received).as_secs_f64();
            let earlier = main.received.saturating_duration_since(frame.received).as_secs_f64();
            let lag_ms = main.line_ms + (later - earlier) * 1000.0 - ticks as f64 / per_ms;
            let (ahead, behind) = HLS_GUEST_OFF_MS;
            if (-ahead..=behind).contains(&lag_ms) { 0.0 } else { lag_ms }
        });
        let TimedFrame { time: _, key, data, format, received } = frame;
        Some(LineFrame { ticks: ticks + (shift_ms * per_ms) as i64, key, data, format, received })
    }
}
