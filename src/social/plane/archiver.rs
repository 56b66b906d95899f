//! The task that writes into the archive, so that no chat waits for a disk. What finds no room in its queue is lost to the archive and counted.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::home::until;
use crate::ids::BroadcastId;
use crate::limits::{ARCHIVE_QUEUE, ARCHIVE_SNAPSHOT_INTERVAL};
use crate::social::archive::{Archive, ArchiveError};
use crate::social::chat::Logged;
use crate::social::clock::{UnixMs, wall_clock};
use crate::store::{ActionRecord, ReportRecord};
use crate::telemetry::SOCIAL_ARCHIVE_LOST;

/// What is to be written.
#[derive(Debug)]
pub(super) enum ToArchive {
    Events { broadcast: BroadcastId, log: Vec<Logged> },
    Snapshot { broadcast: BroadcastId, epoch: u64, bytes: Bytes, is_urgent: bool },
    Action(ActionRecord),
    Report(ReportRecord),
}

/// Where homes put it.
#[derive(Debug)]
pub(super) struct Archiver {
    queue: mpsc::Sender<ToArchive>,
}

impl Archiver {
    pub(super) fn new() -> (Self, mpsc::Receiver<ToArchive>) {
        let (queue, waiting) = mpsc::channel(ARCHIVE_QUEUE);
        (Self { queue }, waiting)
    }

    pub(super) fn put(&self, what: ToArchive) {
        if self.queue.try_send(what).is_err() {
            lost(&ArchiveError("too much is waiting".to_owned()));
        }
    }
}

fn lost(error: &ArchiveError) {
    counter!(SOCIAL_ARCHIVE_LOST).increment(1);
    tracing::warn!(%error, "something of a chat is not in the archive");
}

/// A snapshot that waits for its time; the newest of a chat is enough.
struct Waiting {
    epoch: u64,
    bytes: Bytes,
    due: UnixMs,
}

/// Until `closing`; then what waits is written.
pub(super) async fn run(archive: Arc<dyn Archive>, mut queue: mpsc::Receiver<ToArchive>, closing: CancellationToken) {
    let mut snapshots: HashMap<BroadcastId, Waiting> = HashMap::new();
    loop {
        let due = snapshots.values().map(|waiting| waiting.due).min();
        tokio::select! {
            Some(what) = queue.recv() => write(&*archive, what, &mut snapshots).await,
            () = until(due) => save_due(&*archive, &mut snapshots, wall_clock()).await,
            () = closing.cancelled() => break,
        }
    }
    while let Ok(what) = queue.try_recv() {
        write(&*archive, what, &mut snapshots).await;
    }
    save_due(&*archive, &mut snapshots, UnixMs(u64::MAX)).await;
}

async fn write(archive: &dyn Archive, what: ToArchive, snapshots: &mut HashMap<BroadcastId, Waiting>) {
    let written = match what {
        ToArchive::Events { broadcast, log } => archive.keep(broadcast, &log).await,
        ToArchive::Action(action) => archive.note_action(&action).await,
        ToArchive::Report(report) => archive.note_report(&report).await,
        ToArchive::Snapshot { broadcast, epoch, bytes, is_urgent: true } => {
            snapshots.remove(&broadcast);
            save(archive, snapshots, broadcast, epoch, bytes).await;
            Ok(())
        }
        ToArchive::Snapshot { broadcast, epoch, bytes, is_urgent: false } => {
            let first = wall_clock().after(ARCHIVE_SNAPSHOT_INTERVAL);
            let due = snapshots.get(&broadcast).map_or(first, |waiting| waiting.due);
            snapshots.insert(broadcast, Waiting { epoch, bytes, due });
            Ok(())
        }
    };
    written.unwrap_or_else(|error| lost(&error));
}

async fn save_due(archive: &dyn Archive, snapshots: &mut HashMap<BroadcastId, Waiting>, now: UnixMs) {
    let due: Vec<BroadcastId> = snapshots.iter().filter(|(_, waiting)| waiting.due <= now).map(|(broadcast, _)| *broadcast).collect();
    for broadcast in due {
        let Some(Waiting { epoch, bytes, .. }) = snapshots.remove(&broadcast) else { continue };
        save(archive, snapshots, broadcast, epoch, bytes).await;
    }
}

/// What was decided about people must not be lost to a database that is away for a moment: what cannot be saved is tried again.
async fn save(archive: &dyn Archive, snapshots: &mut HashMap<BroadcastId, Waiting>, broadcast: BroadcastId, epoch: u64, bytes: Bytes) {
    if let Err(error) = archive.save(broadcast, epoch, bytes.clone()).await {
        lost(&error);
        snapshots.insert(broadcast, Waiting { epoch, bytes, due: wall_clock().after(ARCHIVE_SNAPSHOT_INTERVAL) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::archive::MemoryArchive;

    #[tokio::test]
    async fn what_waits_is_written_before_the_end_and_an_urgent_snapshot_at_once() {
        let archive = Arc::new(MemoryArchive::default());
        let (archiver, queue) = Archiver::new();
        let closing = CancellationToken::new();
        let task = tokio::spawn(run(Arc::<MemoryArchive>::clone(&archive), queue, closing.clone()));
        let [hurried, patient] = [1, 2].map(BroadcastId::from_bits);
        archiver.put(ToArchive::Snapshot { broadcast: patient, epoch: 1, bytes: "old".into(), is_urgent: false });
        archiver.put(ToArchive::Snapshot { broadcast: patient, epoch: 1, bytes: "new".into(), is_urgent: false });
        archiver.put(ToArchive::Snapshot { broadcast: hurried, epoch: 1, bytes: "ban".into(), is_urgent: true });
        while archive.load(hurried).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(archive.load(patient).await.unwrap(), None, "its time has not come");
        closing.cancel();
        task.await.unwrap();
        assert_eq!(archive.load(patient).await.unwrap().unwrap(), "new");
    }
}
