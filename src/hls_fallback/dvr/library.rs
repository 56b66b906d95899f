//! All recordings of this node: those of broadcasts on air, and the replays of those that have ended, until they are old or room is needed.
//!
//! ```text
//!   begin ─▶ running ──(not on air any more)──▶ kept ──(retention, bytes, number)──▶ gone
//!              ▲ open: found without an end                ▲ open: found with its end
//! ```
//! Invariant: a recording has an index file before it has anything else, and loses it last (renamed first, so that a deletion that was cut
//! short is gone on with, after a minute or by the next run). Until then it is held, and its bytes count.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use super::alarm::{Alarm, Degraded};
use super::log::{self, Log};
use super::record::Read;
use super::recorder::Recorder;
use super::recording::Recording;
use super::storage::{Storage, StorageError};
use super::thumbs::Thumbs;
use super::timeline::Timeline;
use super::writer::{Job, Writer};
use crate::hls_fallback::EncoderCommand;
use crate::ids::BroadcastId;
use crate::limits::{DVR_DELETE_RETRY, DVR_OPEN_MAX, DVR_QUEUE, DVR_QUEUED_KIB_MAX, DVR_RECORDINGS_MAX, THUMBS_CHILDREN_MAX};

/// What recordings are made with.
#[derive(Debug, Clone)]
pub struct DvrParts {
    /// Where the indices are, on this host.
    pub indices: PathBuf,
    pub storage: Storage,
    /// How far a live broadcast can be rewound.
    pub window: Duration,
    /// How long a replay is kept.
    pub retention: Duration,
    /// All recordings together.
    pub bytes_max: u64,
    /// Makes preview pictures; `None`: there are none.
    pub pictures: Option<EncoderCommand>,
}

/// Why recordings cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum DvrError {
    #[error("recordings: {0}")]
    Storage(#[from] StorageError),
    #[error("recordings: the folder {} cannot be used: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

/// See the file's head. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dvr {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    parts: DvrParts,
    held: Mutex<HashMap<BroadcastId, Held>>,
    replays: watch::Sender<Arc<BTreeSet<BroadcastId>>>,
    degraded: Degraded,
    room: Arc<Semaphore>,
    children: Arc<Semaphore>,
    tasks: TaskTracker,
}

#[derive(Debug)]
enum Held {
    Running {
        recording: Arc<Recording>,
        jobs: mpsc::Sender<Job>,
        is_ending: bool,
    },
    Kept(Kept),
    Going(Going),
    /// Its index could not be read when the server started. It is left as it is, so that nothing of it is written over.
    Unreadable,
}

/// It is being deleted, and tried again until it is gone.
#[derive(Debug)]
struct Going {
    /// They count until they are gone.
    bytes: u64,
    /// It could not be deleted once: what it takes is not free soon.
    has_failed: bool,
    /// When it is tried next, wall clock; `None`: just now.
    due_ms: Option<u64>,
}

/// Why there is still something of a recording.
#[derive(Debug, thiserror::Error)]
enum Undeleted {
    #[error("its index: {0}")]
    Index(#[from] io::Error),
    #[error("its files: {0}")]
    Storage(#[from] StorageError),
    #[error("{0} of its files are still there")]
    Left(usize),
}

#[derive(Debug)]
struct Kept {
    ended_at_ms: u64,
    bytes: u64,
    /// Its index in memory, and when it was last asked for (a count).
    opened: Option<(Arc<Recording>, u64)>,
}

impl Dvr {
    /// Finds the recordings of earlier runs. Deletions that were cut short are gone on with by [`Self::upkeep`].
    ///
    /// # Errors
    /// `Folder`.
    pub async fn open(parts: DvrParts) -> Result<Self, DvrError> {
        let folder = parts.indices.clone();
        let failed = |source| DvrError::Folder { path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut names: Vec<PathBuf> = std::fs::read_dir(&folder).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
        let shared = Shared {
            parts,
            held: Mutex::default(),
            replays: watch::Sender::new(Arc::default()),
            degraded: Degraded::default(),
            room: Arc::new(Semaphore::new(DVR_QUEUED_KIB_MAX)),
            children: Arc::new(Semaphore::new(THUMBS_CHILDREN_MAX)),
            tasks: TaskTracker::new(),
        };
        let dvr = Self { shared: Arc::new(shared) };
        // An index comes before what is left of an older one with its name.
        names.sort_unstable_by(|one, other| other.cmp(one));
        for path in names {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<BroadcastId>().ok());
            match (stem, path.extension().and_then(|extension| extension.to_str())) {
                (Some(broadcast), Some("log")) => dvr.find(broadcast, path).await,
                (Some(broadcast), Some(GONE)) => dvr.find_going(broadcast, path).await,
                // An index that was being written anew.
                (Some(_), Some("new")) => drop(std::fs::remove_file(&path)),
                _ => tracing::warn!(file = %path.display(), "this file is no index of a recording"),
            }
        }
        dvr.tell_replays();
        let (recordings, bytes) = dvr.census();
        if recordings > 0 {
            tracing::info!(recordings, bytes, "recordings found");
        }
        Ok(dvr)
    }

    /// Broadcasts whose replay can be watched.
    pub fn replays(&self) -> watch::Receiver<Arc<BTreeSet<BroadcastId>>> {
        self.shared.replays.subscribe()
    }

    /// Broadcasts of which there is something, on air or not.
    pub fn recorded(&self) -> Vec<BroadcastId> {
        self.held().keys().copied().collect()
    }

    /// Recordings, and their bytes.
    pub fn census(&self) -> (usize, u64) {
        let held = self.held();
        (held.len(), held.values().map(Held::bytes).sum())
    }

    /// Recordings that do not work now.
    pub fn degraded(&self) -> usize {
        self.shared.degraded.count()
    }

    /// A packager begins, with this number. Never waits: the index is opened by the writer. `None`: it is not recorded, which the log says.
    pub(in crate::hls_fallback) fn begin(&self, broadcast: BroadcastId, mut first: u64) -> Option<Recorder> {
        let shared = &self.shared;
        let jobs = {
            let mut held = self.held();
            match held.get(&broadcast) {
                Some(Held::Running { recording, jobs, is_ending: false }) => {
                    first = first.max(recording.with(Timeline::next_number));
                    jobs.clone()
                }
                Some(Held::Running { .. } | Held::Kept(_) | Held::Going(_)) => {
                    tracing::error!(%broadcast, "the recording of this broadcast has ended: what comes now is not recorded");
                    return None;
                }
                Some(Held::Unreadable) => {
                    tracing::error!(%broadcast, "the index of this recording could not be read when the server started: this broadcast is not recorded");
                    return None;
                }
                None if held.len() >= DVR_RECORDINGS_MAX => {
                    tracing::error!(%broadcast, "there are too many recordings on this node: this broadcast is not recorded");
                    return None;
                }
                None => {
                    let (running, jobs) = self.start(broadcast, None, self.index(broadcast), Timeline::default());
                    held.insert(broadcast, running);
                    jobs
                }
            }
        };
        let children = &shared.children;
        let pictures = shared.parts.pictures.clone();
        let thumbs = pictures.map(|command| Thumbs::start(broadcast, command, Arc::clone(children), jobs.clone(), &shared.tasks));
        Some(Recorder::new(broadcast, first, jobs, Arc::clone(&shared.room), thumbs))
    }

    /// A recording, to read from. `asked` rises from one question to the next.
    pub(in crate::hls_fallback) async fn recording(&self, broadcast: BroadcastId, asked: u64) -> Option<Arc<Recording>> {
        match self.held().get_mut(&broadcast)? {
            Held::Running { recording, .. } => return Some(Arc::clone(recording)),
            Held::Kept(Kept { opened: Some((recording, last)), .. }) => {
                *last = asked;
                return Some(Arc::clone(recording));
            }
            Held::Kept(Kept { opened: None, .. }) => {}
            Held::Going(_) | Held::Unreadable => return None,
        }
        let timeline = match read_index(self.index(broadcast)).await {
            Ok(read) => Timeline::from_records(read.records),
            Err(error) => {
                tracing::error!(%broadcast, %error, "the index of a replay cannot be read");
                return None;
            }
        };
        let recording = Arc::new(Recording::new(broadcast, self.window_ms(), timeline));
        let mut held = self.held();
        if let Some(Held::Kept(kept)) = held.get_mut(&broadcast) {
            kept.opened = Some((Arc::clone(&recording), asked));
        }
        let opened = |held: &Held| if let Held::Kept(Kept { opened: Some((_, last)), .. }) = held { Some(*last) } else { None };
        while held.values().filter_map(opened).count() > DVR_OPEN_MAX
            && let Some(Held::Kept(oldest)) = held.values_mut().filter(|held| opened(held).is_some()).min_by_key(|held| opened(held))
        {
            oldest.opened = None;
        }
        Some(recording)
    }

    /// Ends what is not on air any more, and lets go of what is old or too much. `now_ms`: wall clock.
    pub(in crate::hls_fallback) async fn upkeep(&self, on_air: &HashSet<BroadcastId>, now_ms: u64) {
        let over: Vec<(BroadcastId, mpsc::Sender<Job>)> = {
            let mut held = self.held();
            let over = held.iter_mut().filter_map(|(id, held)| match held {
                Held::Running { jobs, is_ending, .. } if !*is_ending && !on_air.contains(id) => {
                    *is_ending = true;
                    Some((*id, jobs.clone()))
                }
                Held::Running { .. } | Held::Kept(_) | Held::Going(_) | Held::Unreadable => None,
            });
            over.collect()
        };
        for (broadcast, jobs) in over {
            self.shared.tasks.spawn(self.clone().end(broadcast, jobs, now_ms));
        }
        self.forget(&self.superfluous(now_ms));
        for broadcast in self.due(now_ms) {
            self.shared.tasks.spawn(self.clone().delete(broadcast, now_ms));
        }
        self.make_room().await;
    }

    /// Waits until everything that was taken is written.
    pub async fn shutdown(&self) {
        let jobs: Vec<mpsc::Sender<Job>> = {
            let mut held = self.held();
            let jobs = held.values().filter_map(|held| if let Held::Running { jobs, .. } = held { Some(jobs.clone()) } else { None });
            let jobs = jobs.collect();
            held.clear();
            jobs
        };
        for jobs in jobs {
            let (done, written) = oneshot::channel();
            if jobs.send(Job::Flush(done)).await.is_ok() {
                // A writer that is gone has nothing left to write.
                drop(written.await);
            }
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    // ---- Private ----

    /// Starts a writer. Without `log` it opens its index by itself.
    fn start(&self, broadcast: BroadcastId, log: Option<Log>, path: PathBuf, timeline: Timeline) -> (Held, mpsc::Sender<Job>) {
        let recording = Arc::new(Recording::new(broadcast, self.window_ms(), timeline));
        let (jobs, queue) = mpsc::channel(DVR_QUEUE);
        let alarm = Alarm::new(broadcast, self.shared.degraded.clone());
        let writer = Writer::new(Arc::clone(&recording), self.shared.parts.storage.clone(), log, path, self.window_ms(), alarm);
        self.shared.tasks.spawn(writer.run(queue));
        (Held::Running { recording, jobs: jobs.clone(), is_ending: false }, jobs)
    }

    /// A recording of an earlier run.
    async fn find(&self, broadcast: BroadcastId, path: PathBuf) {
        let read = match read_index(path.clone()).await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%broadcast, %error, "the index of a recording cannot be read; it is left as it is");
                self.held().insert(broadcast, Held::Unreadable);
                return;
            }
        };
        if read.damaged > 0 {
            tracing::error!(%broadcast, records = read.damaged, "records of a recording are damaged: its replay has gaps");
        }
        let timeline = Timeline::from_records(read.records);
        if let Some(ended_at_ms) = timeline.ended_at_ms() {
            let kept = Kept { ended_at_ms, bytes: timeline.bytes(), opened: None };
            self.held().insert(broadcast, Held::Kept(kept));
            return;
        }
        if let Err(error) = self.tidy(broadcast, &timeline).await {
            tracing::warn!(%broadcast, %error, "files that belong to no recording could not be removed");
        }
        let opened = path.clone();
        match blocking(move || Log::open(opened)).await {
            Ok((log, _)) => {
                let (running, _) = self.start(broadcast, Some(log), path, timeline);
                self.held().insert(broadcast, running);
            }
            Err(error) => {
                tracing::error!(%broadcast, %error, "a recording cannot be gone on with");
                self.held().insert(broadcast, Held::Unreadable);
            }
        }
    }

    /// One whose deletion was cut short.
    async fn find_going(&self, broadcast: BroadcastId, path: PathBuf) {
        let read = read_index(path.clone()).await.unwrap_or_else(|error| {
            tracing::warn!(%broadcast, %error, "how large a recording is that is to be removed cannot be read");
            Read::default()
        });
        let bytes = Timeline::from_records(read.records).bytes();
        match self.held().entry(broadcast) {
            Entry::Vacant(free) => {
                free.insert(Held::Going(Going { bytes, has_failed: false, due_ms: Some(0) }));
            }
            Entry::Occupied(_) => tracing::warn!(file = %path.display(), "there is a newer recording of this broadcast"),
        }
    }

    /// Deletes files that no record names: they were written just before a crash, or should have been deleted. Stops at what cannot be.
    async fn tidy(&self, broadcast: BroadcastId, timeline: &Timeline) -> Result<(), StorageError> {
        let storage = self.shared.parts.storage.clone();
        let swept = storage.clone();
        // A thread that panicked has swept less.
        drop(spawn_blocking(move || swept.sweep(broadcast)).await);
        let known: HashSet<(String, String)> = timeline.files().map(|(folder, file)| (folder.to_owned(), file)).collect();
        for (folder, file) in storage.list(broadcast).await?.into_iter().filter(|found| !known.contains(found)) {
            storage.delete(broadcast, &folder, &file).await?;
        }
        Ok(())
    }

    async fn end(self, broadcast: BroadcastId, jobs: mpsc::Sender<Job>, now_ms: u64) {
        // Its writer ends with this.
        if jobs.send(Job::End { at_ms: now_ms }).await.is_err() {
            tracing::error!(%broadcast, "the writer of a recording is gone");
        }
        jobs.closed().await;
        {
            let mut held = self.held();
            let Some(Held::Running { recording, .. }) = held.get(&broadcast) else { return };
            let recording = Arc::clone(recording);
            let (bytes, is_empty) = recording.with(|timeline| (timeline.bytes(), timeline.is_empty()));
            // Nothing was ever written of it: it goes with the next look.
            let ended_at_ms = if is_empty { 0 } else { now_ms };
            held.insert(broadcast, Held::Kept(Kept { ended_at_ms, bytes, opened: Some((recording, 0)) }));
        }
        tracing::info!(%broadcast, "the recording has become a replay");
        self.tell_replays();
    }

    /// Replays that are too old, too many or too large together, the oldest first.
    fn superfluous(&self, now_ms: u64) -> Vec<BroadcastId> {
        let parts = &self.shared.parts;
        let held = self.held();
        let mut kept: Vec<(u64, BroadcastId, u64)> = held
            .iter()
            .filter_map(|(id, held)| if let Held::Kept(kept) = held { Some((kept.ended_at_ms, *id, kept.bytes)) } else { None })
            .collect();
        kept.sort_unstable();
        let going = held.values().filter(|held| held.is_soon_gone()).count();
        let (mut number, mut bytes) = (held.len() - going, held.values().map(Held::lasting_bytes).sum::<u64>());
        let retention_ms = parts.retention.as_millis() as u64;
        let mut gone = Vec::new();
        for (ended_at_ms, id, its_bytes) in kept {
            let is_old = ended_at_ms.saturating_add(retention_ms) <= now_ms;
            if is_old || number >= DVR_RECORDINGS_MAX || bytes > parts.bytes_max {
                gone.push(id);
                number -= 1;
                bytes -= its_bytes;
            }
        }
        gone
    }

    /// When there are no replays left to let go of, the largest recording loses its oldest part.
    async fn make_room(&self) {
        let (excess, largest) = {
            let held = self.held();
            let going_too: u64 = held.values().map(|held| if let Held::Kept(kept) = held { kept.bytes } else { 0 }).sum();
            let bytes = held.values().map(Held::lasting_bytes).sum::<u64>() - going_too;
            let running = held.values().filter_map(|held| match held {
                Held::Running { recording, jobs, is_ending: false } => Some((recording.clone(), jobs.clone())),
                Held::Running { .. } | Held::Kept(_) | Held::Going(_) | Held::Unreadable => None,
            });
            let largest = running.max_by_key(|(recording, _)| recording.with(Timeline::bytes));
            (bytes.saturating_sub(self.shared.parts.bytes_max), largest)
        };
        if let (1.., Some((recording, jobs))) = (excess, largest) {
            let slot = recording.with(|timeline| timeline.after_oldest(excess));
            // A full queue is looked at again with the next look.
            if jobs.try_send(Job::Trim { slot }).is_ok() {
                tracing::warn!(broadcast = %recording.broadcast, bytes = excess, "recordings need more room than they may have: the oldest part of one goes");
            }
        }
    }

    /// They are no replays any more; what they take is deleted from now on.
    fn forget(&self, broadcasts: &[BroadcastId]) {
        {
            let mut held = self.held();
            for broadcast in broadcasts {
                if let Some(one) = held.get_mut(broadcast)
                    && let Held::Kept(Kept { bytes, .. }) = *one
                {
                    *one = Held::Going(Going { bytes, has_failed: false, due_ms: Some(0) });
                }
            }
        }
        self.tell_replays();
    }

    /// What is to be deleted now; it counts as begun.
    fn due(&self, now_ms: u64) -> Vec<BroadcastId> {
        let mut held = self.held();
        let due = held.iter_mut().filter_map(|(id, held)| match held {
            Held::Going(going) => going.due_ms.take_if(|due_ms| *due_ms <= now_ms).map(|_| *id),
            Held::Running { .. } | Held::Kept(_) | Held::Unreadable => None,
        });
        due.collect()
    }

    async fn delete(self, broadcast: BroadcastId, now_ms: u64) {
        let deleted = self.try_delete(broadcast).await;
        let mut held = self.held();
        match deleted {
            Ok(()) => {
                held.remove(&broadcast);
                tracing::info!(%broadcast, "the replay is gone");
            }
            Err(error) => {
                let retry_s = DVR_DELETE_RETRY.as_secs();
                tracing::error!(%broadcast, %error, retry_s, "a replay could not be removed: its bytes still count");
                // At shutdown it is held no more: the next start finds it.
                if let Some(Held::Going(going)) = held.get_mut(&broadcast) {
                    (going.has_failed, going.due_ms) = (true, Some(now_ms.saturating_add(DVR_DELETE_RETRY.as_millis() as u64)));
                }
            }
        }
    }

    /// Everything of a recording, then its index.
    async fn try_delete(&self, broadcast: BroadcastId) -> Result<(), Undeleted> {
        let path = self.index(broadcast);
        let gone = path.with_extension(GONE);
        let renamed = gone.clone();
        blocking(move || {
            if_there(std::fs::rename(&path, &renamed))?;
            log::sync_folder(&renamed)
        })
        .await?;
        self.tidy(broadcast, &Timeline::default()).await?;
        match self.shared.parts.storage.list(broadcast).await?.len() {
            0 => Ok(blocking(move || if_there(std::fs::remove_file(&gone))).await?),
            left => Err(Undeleted::Left(left)),
        }
    }

    fn index(&self, broadcast: BroadcastId) -> PathBuf {
        index_path(&self.shared.parts.indices, broadcast)
    }

    fn window_ms(&self) -> f64 {
        self.shared.parts.window.as_secs_f64() * 1000.0
    }

    pub(in crate::hls_fallback) fn storage(&self) -> &Storage {
        &self.shared.parts.storage
    }

    fn tell_replays(&self) {
        let replays: BTreeSet<BroadcastId> = {
            let held = self.held();
            let is_replay =
                |held: &Held| matches!(held, Held::Kept(kept) if kept.ended_at_ms > 0) && !self.shared.parts.retention.is_zero();
            held.iter().filter(|(_, held)| is_replay(held)).map(|(id, _)| *id).collect()
        };
        self.shared.replays.send_if_modified(|told| {
            let is_news = **told != replays;
            if is_news {
                *told = Arc::new(replays);
            }
            is_news
        });
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<BroadcastId, Held>> {
        self.shared.held.lock().expect("no panic happens while the lock is held: its sections only move values")
    }
}

impl Held {
    /// It is being deleted, and nothing speaks against it.
    const fn is_soon_gone(&self) -> bool {
        matches!(self, Self::Going(Going { has_failed: false, .. }))
    }

    /// Without those that are soon gone.
    fn lasting_bytes(&self) -> u64 {
        if self.is_soon_gone() { 0 } else { self.bytes() }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Running { recording, .. } => recording.with(Timeline::bytes),
            Self::Kept(kept) => kept.bytes,
            Self::Going(going) => going.bytes,
            Self::Unreadable => 0,
        }
    }
}

/// What is being deleted has its index under this extension.
const GONE: &str = "gone";

async fn read_index(path: PathBuf) -> io::Result<Read> {
    blocking(move || Log::read(&path)).await
}

/// On a thread for such things.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other).and_then(|worked| worked)
}

/// What an earlier attempt did already is no error.
fn if_there(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn index_path(indices: &Path, broadcast: BroadcastId) -> PathBuf {
    indices.join(format!("{broadcast}.log"))
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
