//! The packager's end of a recording: takes what was closed and never waits.

use std::sync::Arc;

use metrics::counter;
use tokio::sync::{Semaphore, mpsc};

use super::thumbs::{Picture, Thumbs};
use super::writer::Job;
use crate::hls_fallback::format::Format;
use crate::hls_fallback::shelf::Closed;
use crate::ids::BroadcastId;
use crate::limits::{DVR_LAG_SLOTS, THUMBS_EVERY_MS};
use crate::sfu::codec::MediaKind;
use crate::telemetry::HLS_DVR_LOST;

/// See the file's head.
#[derive(Debug)]
pub(in crate::hls_fallback) struct Recorder {
    broadcast: BroadcastId,
    first: u64,
    /// The writer knows that this packager has begun; before, nothing of it can be written.
    is_begun: bool,
    jobs: mpsc::Sender<Job>,
    /// KiB that may wait on this node.
    room: Arc<Semaphore>,
    is_overrun: bool,
    thumbs: Option<Thumbs>,
    /// Pictures: rendition, pixels, newest number.
    pictures: Vec<(Arc<str>, u32, u64)>,
    next_picture_ms: f64,
}

impl Recorder {
    pub(super) fn new(broadcast: BroadcastId, first: u64, jobs: mpsc::Sender<Job>, room: Arc<Semaphore>, thumbs: Option<Thumbs>) -> Self {
        let (pictures, next_picture_ms) = (Vec::new(), f64::NEG_INFINITY);
        let mut recorder = Self { broadcast, first, is_begun: false, jobs, room, is_overrun: false, thumbs, pictures, next_picture_ms };
        recorder.tell_begin();
        recorder
    }

    /// The number that the first segment is to have.
    pub(in crate::hls_fallback) const fn first(&self) -> u64 {
        self.first
    }

    /// Takes segments. What finds no room is missing from the recording.
    pub(in crate::hls_fallback) fn take(&mut self, closed: Vec<Closed>) {
        for one in closed {
            self.take_picture(&one);
            if !self.tell_begin() {
                self.lost("queue");
                continue;
            }
            let kib = u32::try_from(one.segment.data.len() / 1024 + 1).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(kib) else {
                self.lost("bytes");
                continue;
            };
            match self.jobs.try_send(Job::Segment(one, permit)) {
                Ok(()) => self.is_overrun = false,
                Err(_) => self.lost("queue"),
            }
        }
    }

    /// `false`: the queue has no room for it yet.
    fn tell_begin(&mut self) -> bool {
        self.is_begun = self.is_begun || self.jobs.try_send(Job::Begin { first: self.first }).is_ok();
        self.is_begun
    }

    fn lost(&mut self, reason: &'static str) {
        counter!(HLS_DVR_LOST, "reason" => reason).increment(1);
        if !std::mem::replace(&mut self.is_overrun, true) {
            tracing::error!(broadcast = %self.broadcast, reason, "the storage of recordings is too slow: the broadcast goes on live, and what is missed is a gap in its replay");
        }
    }

    /// A key frame of the smallest picture, now and then.
    fn take_picture(&mut self, closed: &Closed) {
        let (Some(thumbs), Some(init)) = (&mut self.thumbs, &closed.init) else { return };
        let Some(part) = closed.segment.parts.first().filter(|part| part.independent && closed.kind == MediaKind::Video) else { return };
        let Some((width, height)) = Format::size(&init.format) else { return };
        let (number, pixels) = (closed.segment.opening.msn, u32::from(width) * u32::from(height));
        self.pictures.retain(|(name, _, newest)| *name != closed.rendition && newest + DVR_LAG_SLOTS as u64 >= number);
        self.pictures.push((Arc::clone(&closed.rendition), pixels, number));
        let is_smallest = self.pictures.iter().all(|(_, other, _)| pixels <= *other);
        let media_ms = closed.segment.opening.media_ms;
        if is_smallest && media_ms >= self.next_picture_ms {
            self.next_picture_ms = media_ms + THUMBS_EVERY_MS;
            thumbs.take(Picture { number, media_ms, size: (width, height), init: init.data.clone(), fragment: part.data.clone() });
        }
    }
}
