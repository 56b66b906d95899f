//! The task that writes one recording: bytes to the storage, then records to the index, then both become visible. Nobody waits for it.
//! An index that can be opened comes before everything; one that refuses records later holds back neither what is seen nor what is deleted.
//!
//! ```text
//! packager ──try_send──▶ jobs ─▶ put (fsync) ─▶ append (fdatasync) ─▶ Recording ─▶ what left the window is deleted
//!             full: a gap          fails: a gap, and the alarm
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::alarm::Alarm;
use super::log::Log;
use super::record::{Init, Record, Sprite, Written};
use super::recording::Recording;
use super::storage::{Storage, StorageError};
use super::timeline::{Gone, SPRITES, init_file, segment_file};
use crate::hls_fallback::format::Format;
use crate::hls_fallback::shelf::{self, Closed};
use crate::limits::{DVR_BATCH, DVR_GRACE, DVR_LOG_SLACK, DVR_RENDITIONS_MAX, LAYERS_MAX};
use crate::telemetry::{HLS_DVR_BYTES_WRITTEN, HLS_DVR_LOST, HLS_DVR_SEGMENTS};

/// What a writer is told.
#[derive(Debug)]
pub(super) enum Job {
    /// A packager begins; its first segment has this number.
    Begin {
        first: u64,
    },
    /// The permit is its share of what may wait.
    Segment(Closed, OwnedSemaphorePermit),
    Sprite(Sprite, Bytes),
    /// Room is needed: slots before this one go.
    Trim {
        slot: u64,
    },
    /// Everything before it is written or lost.
    Flush(oneshot::Sender<()>),
    /// Nothing comes any more.
    End {
        at_ms: u64,
    },
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Writer {
    recording: Arc<Recording>,
    storage: Storage,
    /// `None` before it is opened, and while it is lent to a thread.
    log: Option<Log>,
    path: PathBuf,
    window_ms: f64,
    /// The index lacks something that is known here.
    is_behind: bool,
    alarm: Alarm,
}

impl Writer {
    pub(super) fn new(recording: Arc<Recording>, storage: Storage, log: Option<Log>, path: PathBuf, window_ms: f64, alarm: Alarm) -> Self {
        let window_ms = window_ms + DVR_GRACE.as_secs_f64() * 1000.0;
        Self { recording, storage, log, path, window_ms, is_behind: false, alarm }
    }

    /// Writes until the end, or until nobody can tell it anything any more.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(DVR_BATCH);
        while jobs.recv_many(&mut waiting, DVR_BATCH).await > 0 {
            let mut segments = Vec::new();
            for job in waiting.drain(..) {
                if !matches!(job, Job::Segment(..)) {
                    self.write(std::mem::take(&mut segments)).await;
                }
                match job {
                    Job::Segment(closed, permit) => segments.push((closed, permit)),
                    Job::Begin { first } => {
                        let slot = self.recording.with(|timeline| timeline.next_slot(first));
                        self.enter(vec![Record::Run { first, slot }]).await;
                    }
                    Job::Sprite(sprite, data) => self.write_sprite(sprite, data).await,
                    Job::Trim { slot } => self.trim(slot).await,
                    Job::Flush(done) => drop(done.send(())),
                    Job::End { at_ms } => {
                        self.enter(vec![Record::End { at_ms }]).await;
                        return;
                    }
                }
            }
            self.write(segments).await;
            let window_ms = self.window_ms;
            let slot = self.recording.with(|timeline| timeline.first_within(window_ms));
            self.trim(slot).await;
        }
    }

    async fn write(&mut self, segments: Vec<(Closed, OwnedSemaphorePermit)>) {
        if segments.is_empty() {
            return;
        }
        let has_index = self.has_index().await;
        if !has_index {
            counter!(HLS_DVR_LOST, "reason" => "index").increment(segments.len() as u64);
        }
        let mut records = Vec::new();
        for (closed, _) in &segments {
            records.extend(self.rendition_of(closed, &records));
            if has_index
                && let Some(init) = self.new_init(closed, &records)
                && let Some(record) = self.write_init(&closed.rendition, init).await
            {
                records.push(record);
            }
        }
        let put = |closed: &Closed| {
            let (storage, broadcast) = (self.storage.clone(), self.recording.broadcast);
            let (rendition, segment) = (Arc::clone(&closed.rendition), Arc::clone(&closed.segment));
            let has_init = self.has_init(&rendition, segment.init, &records);
            async move {
                if !has_index || segment.is_gap || segment.data.is_empty() || !has_init {
                    return Ok(0);
                }
                storage.put(broadcast, &rendition, &segment_file(segment.opening.msn), segment.data.clone()).await?;
                Ok(segment.data.len() as u64)
            }
        };
        let written = join_all(segments.iter().map(|(closed, _)| put(closed))).await;
        for ((closed, _), written) in segments.iter().zip(written) {
            let bytes = written.unwrap_or_else(|error: StorageError| {
                self.lost(&error);
                0
            });
            counter!(HLS_DVR_SEGMENTS).increment(u64::from(bytes > 0));
            counter!(HLS_DVR_BYTES_WRITTEN).increment(bytes);
            records.push(Record::Segment(written_of(closed, bytes)));
        }
        let wrote_some = records.iter().any(|record| matches!(record, Record::Segment(written) if written.bytes > 0));
        if self.enter(records).await && wrote_some {
            self.alarm.worked();
        }
    }

    /// The rendition's own record, the first time.
    fn rendition_of(&self, closed: &Closed, records: &[Record]) -> Option<Record> {
        let name = &*closed.rendition;
        let is_known = self.recording.with(|timeline| timeline.rendition(name).is_some());
        let is_told = records.iter().any(|record| matches!(record, Record::Rendition { name: told, .. } if told == name));
        (!is_known && !is_told).then(|| Record::Rendition { name: name.to_owned(), kind: closed.kind.into() })
    }

    fn has_init(&self, rendition: &str, number: u64, records: &[Record]) -> bool {
        let is_written = |record: &Record| matches!(record, Record::Init(init) if init.rendition == rendition && init.number == number);
        records.iter().any(is_written) || self.recording.with(|timeline| timeline.init_bytes(rendition, number).is_some())
    }

    fn new_init<'a>(&self, closed: &'a Closed, records: &[Record]) -> Option<&'a shelf::Init> {
        closed.init.as_ref().filter(|init| !self.has_init(&closed.rendition, init.number, records))
    }

    async fn write_init(&mut self, rendition: &str, init: &shelf::Init) -> Option<Record> {
        let bytes = init.data.len() as u64;
        let put = self.storage.put(self.recording.broadcast, rendition, &init_file(init.number), init.data.clone()).await;
        match put {
            Ok(()) => {
                let (codecs, size) = (init.format.codecs(), Format::size(&init.format));
                Some(Record::Init(Init { rendition: rendition.to_owned(), number: init.number, codecs, size, bytes }))
            }
            Err(error) => {
                self.lost(&error);
                None
            }
        }
    }

    async fn write_sprite(&mut self, sprite: Sprite, data: Bytes) {
        if !self.has_index().await {
            return;
        }
        match self.storage.put(self.recording.broadcast, SPRITES, &sprite.file(), data).await {
            Ok(()) => drop(self.enter(vec![Record::Sprite(sprite)]).await),
            Err(error) => self.lost(&error),
        }
    }

    fn lost(&mut self, error: &StorageError) {
        counter!(HLS_DVR_LOST, "reason" => "storage").increment(1);
        self.alarm.failed(error);
    }

    async fn trim(&mut self, slot: u64) {
        if self.recording.with(|timeline| slot > timeline.first_slot()) {
            self.enter(vec![Record::Trim { slot }]).await;
        }
    }

    /// Records into the index and then into the timeline. `false`: the index could not be written; it is made anew from the timeline as soon
    /// as it can. What is gone is deleted in either case: it may be the room that the index needs.
    async fn enter(&mut self, records: Vec<Record>) -> bool {
        if records.is_empty() {
            return true;
        }
        let is_entered = if self.is_behind {
            false
        } else {
            self.with_log({
                let records = records.clone();
                move |log| log.append(&records)
            })
            .await
        };
        let gone = self.recording.apply(records);
        let (needed, has_slack) = self.recording.with(|timeline| (timeline.len(), DVR_LOG_SLACK));
        let is_long = self.log.as_ref().is_some_and(|log| log.records() > 2 * needed + has_slack);
        let is_whole = if is_entered && !is_long {
            true
        } else {
            let whole = self.recording.with(|timeline| timeline.to_records());
            let is_rewritten = self.with_log(move |log| log.rewrite(&whole)).await;
            is_rewritten || is_entered
        };
        self.is_behind = !is_whole;
        self.delete(gone).await;
        is_whole
    }

    /// Opens it if it is not open. Bytes without an index would be nobody's after a crash.
    async fn has_index(&mut self) -> bool {
        self.log.is_some() || self.with_log(|_| Ok(())).await
    }

    /// On a thread for such things.
    async fn with_log(&mut self, work: impl FnOnce(&mut Log) -> std::io::Result<()> + Send + 'static) -> bool {
        let (lent, path) = (self.log.take(), self.path.clone());
        let worked = spawn_blocking(move || {
            let mut log = match lent {
                Some(log) => log,
                None => Log::open(path)?.0,
            };
            let result = work(&mut log);
            Ok::<_, std::io::Error>((log, result))
        });
        let result = match worked.await {
            Ok(Ok((log, result))) => {
                self.log = Some(log);
                result
            }
            Ok(Err(error)) => Err(error),
            Err(error) => Err(std::io::Error::other(error)),
        };
        if let Err(error) = &result {
            counter!(HLS_DVR_LOST, "reason" => "index").increment(1);
            self.alarm.failed(&format_args!("its index cannot be written: {error}"));
        }
        result.is_ok()
    }

    /// What cannot be deleted now is found by the next start if the recording goes on then, and else goes with the replay.
    async fn delete(&self, gone: Gone) {
        for (folder, file) in gone.files {
            if let Err(error) = self.storage.delete(self.recording.broadcast, &folder, &file).await {
                tracing::warn!(broadcast = %self.recording.broadcast, folder, file, %error, "an old file of a recording could not be removed");
            }
        }
    }
}

/// Layers, and the two kinds of sound: a rendition always finds its place.
const _: () = assert!(DVR_RENDITIONS_MAX >= LAYERS_MAX + 2);

fn written_of(closed: &Closed, bytes: u64) -> Written {
    let segment = &closed.segment;
    Written {
        rendition: closed.rendition.as_ref().to_owned(),
        number: segment.opening.msn,
        media_ms: segment.opening.media_ms,
        duration_s: segment.duration_s.unwrap_or(0.0),
        bytes,
        init: segment.init,
        frames_per_second: if bytes > 0 { (closed.frames_per_second * 1000.0).round() / 1000.0 } else { 0.0 },
        discontinuity: segment.opening.discontinuity,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::hls_fallback::dvr::alarm::Degraded;
    use crate::hls_fallback::dvr::test_support::{Moody, closed};
    use crate::hls_fallback::dvr::timeline::Timeline;
    use crate::ids::BroadcastId;

    const SHOW: BroadcastId = BroadcastId::from_bits(7);

    #[tokio::test]
    async fn an_index_that_finds_no_room_is_made_anew_as_soon_as_there_is() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.log");
        let (mut log, _) = Log::open(path.clone()).expect("the index can be read");
        log.fill_up();
        // A new one finds none either.
        let beside = path.with_extension("new");
        std::fs::create_dir(&beside).expect("the index can be read");
        let (recording, degraded) = (Arc::new(Recording::new(SHOW, 1e9, Timeline::default())), Degraded::default());
        let storage = Storage::over(Arc::new(Moody::default()));
        let writer = Writer::new(Arc::clone(&recording), storage, Some(log), path.clone(), 1e9, Alarm::new(SHOW, degraded.clone()));
        let (jobs, queue) = mpsc::channel(8);
        let task = tokio::spawn(writer.run(queue));
        let room = Arc::new(Semaphore::new(100));
        let hand_over = async |number| {
            let permit = Arc::clone(&room).acquire_owned().await.expect("never closed");
            jobs.send(Job::Segment(closed("aac", number), permit)).await.expect("the writer runs");
            let (done, written) = oneshot::channel();
            jobs.send(Job::Flush(done)).await.expect("the writer runs");
            written.await.expect("the writer answers");
        };
        jobs.send(Job::Begin { first: 1 }).await.expect("the writer runs");
        for number in 1..4 {
            hand_over(number).await;
        }
        assert_eq!((degraded.count(), Log::read(&path).expect("the index can be read").records.len()), (1, 0));
        assert_eq!(recording.with(|timeline| timeline.listed("aac", 0).len()), 3, "they can be watched all the same");
        std::fs::remove_dir(&beside).expect("the index can be read");
        hand_over(4).await;
        hand_over(5).await;
        assert_eq!(degraded.count(), 0);
        let read = Timeline::from_records(Log::read(&path).expect("the index can be read").records);
        assert_eq!(read.listed("aac", 0).len(), 5);
        drop(jobs);
        task.await.expect("the writer answers");
    }
}
