//! Where what was said is kept for longer than the bus keeps it, and who knows whom. Seams to the store.

pub mod kept;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::chat::{Logged, Standing};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{ARCHIVED_BROADCASTS_MAX, ARCHIVED_EVENTS_MAX};
use crate::store::{ActionRecord, ReportRecord, Ties};

/// An archive did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the chat archive does not answer: {0}")]
pub struct ArchiveError(pub String);

/// Keeps chats: what people were shown, in order, and what homes must know beyond that.
#[async_trait]
pub trait Archive: Send + Sync + fmt::Debug {
    /// Adds to a chat; what is there already stays as it is.
    ///
    /// # Errors
    /// [`ArchiveError`]; the events are then lost to the archive, not to the chat.
    async fn keep(&self, broadcast: BroadcastId, log: &[Logged]) -> Result<(), ArchiveError>;

    /// The newest events, oldest first, at most `max`.
    ///
    /// # Errors
    /// [`ArchiveError`].
    async fn newest(&self, broadcast: BroadcastId, max: usize) -> Result<Vec<Logged>, ArchiveError>;

    /// Replaces what the next home must know, unless a later epoch has.
    ///
    /// # Errors
    /// [`ArchiveError`]; the one before is still there.
    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), ArchiveError>;

    /// # Errors
    /// [`ArchiveError`].
    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, ArchiveError>;

    /// Notes what a moderator did.
    ///
    /// # Errors
    /// [`ArchiveError`].
    async fn note_action(&self, action: &ActionRecord) -> Result<(), ArchiveError>;

    /// Puts a message before the moderators; one person does it once.
    ///
    /// # Errors
    /// [`ArchiveError`].
    async fn note_report(&self, report: &ReportRecord) -> Result<(), ArchiveError>;
}

/// Who knows whom cannot be said just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("who knows whom cannot be read: {0}")]
pub struct RelationsError(pub String);

/// Who knows whom.
#[async_trait]
pub trait Relations: Send + Sync + fmt::Debug {
    /// A person's friends, and who is hidden from them.
    ///
    /// # Errors
    /// [`RelationsError`].
    async fn ties(&self, user: UserId) -> Result<Ties, RelationsError>;

    /// What a person is to the broadcaster of a broadcast.
    ///
    /// # Errors
    /// [`RelationsError`].
    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<Standing, RelationsError>;
}

#[derive(Debug, Default)]
struct Kept {
    log: VecDeque<Logged>,
    snapshot: Option<(u64, Bytes)>,
}

#[derive(Debug, Default)]
struct State {
    chats: HashMap<BroadcastId, Kept>,
    /// In the order of their first event.
    order: VecDeque<BroadcastId>,
    actions: VecDeque<ActionRecord>,
    reports: VecDeque<ReportRecord>,
}

impl State {
    fn chat(&mut self, broadcast: BroadcastId) -> &mut Kept {
        if !self.chats.contains_key(&broadcast) {
            self.order.push_back(broadcast);
            if self.order.len() > ARCHIVED_BROADCASTS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.chats.remove(&oldest);
            }
        }
        self.chats.entry(broadcast).or_default()
    }
}

/// The newest of the newest broadcasts, until the process ends.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    state: Mutex<State>,
}

impl MemoryArchive {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// What moderators did, in order.
    pub fn actions(&self) -> Vec<ActionRecord> {
        self.with(|state| state.actions.iter().cloned().collect())
    }

    /// What was reported, in order.
    pub fn reports(&self) -> Vec<ReportRecord> {
        self.with(|state| state.reports.iter().cloned().collect())
    }
}

/// The oldest go.
fn bound<T>(kept: &mut VecDeque<T>) {
    let surplus = kept.len().saturating_sub(ARCHIVED_EVENTS_MAX);
    kept.drain(..surplus);
}

#[async_trait]
impl Archive for MemoryArchive {
    async fn keep(&self, broadcast: BroadcastId, log: &[Logged]) -> Result<(), ArchiveError> {
        self.with(|state| {
            let kept = &mut state.chat(broadcast).log;
            let last = kept.back().map(|logged| logged.id).unwrap_or_default();
            kept.extend(log.iter().filter(|logged| logged.id > last).cloned());
            bound(kept);
        });
        Ok(())
    }

    async fn newest(&self, broadcast: BroadcastId, max: usize) -> Result<Vec<Logged>, ArchiveError> {
        Ok(self.with(|state| {
            let Some(Kept { log, .. }) = state.chats.get(&broadcast) else { return Vec::new() };
            log.range(log.len().saturating_sub(max)..).cloned().collect()
        }))
    }

    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), ArchiveError> {
        self.with(|state| {
            let kept = &mut state.chat(broadcast).snapshot;
            if kept.as_ref().is_none_or(|(before, _)| *before <= epoch) {
                *kept = Some((epoch, snapshot));
            }
        });
        Ok(())
    }

    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, ArchiveError> {
        Ok(self.with(|state| state.chats.get(&broadcast)?.snapshot.as_ref().map(|(_, snapshot)| snapshot.clone())))
    }

    async fn note_action(&self, action: &ActionRecord) -> Result<(), ArchiveError> {
        self.with(|state| {
            state.actions.push_back(action.clone());
            bound(&mut state.actions);
        });
        Ok(())
    }

    async fn note_report(&self, report: &ReportRecord) -> Result<(), ArchiveError> {
        self.with(|state| {
            state.reports.push_back(report.clone());
            bound(&mut state.reports);
        });
        Ok(())
    }
}

/// Nobody knows anybody, until it is told otherwise.
#[derive(Debug, Default)]
pub struct MemoryRelations {
    ties: Mutex<HashMap<UserId, Ties>>,
    standings: Mutex<HashMap<(BroadcastId, UserId), Standing>>,
}

impl MemoryRelations {
    fn with_ties<T>(&self, look: impl FnOnce(&mut HashMap<UserId, Ties>) -> T) -> T {
        look(&mut self.ties.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// Two people become friends.
    pub fn befriend(&self, one: UserId, other: UserId) {
        self.with_ties(|ties| {
            ties.entry(one).or_default().friends.push(other);
            ties.entry(other).or_default().friends.push(one);
        });
    }

    /// One of two people blocks the other.
    pub fn hide(&self, one: UserId, other: UserId) {
        self.with_ties(|ties| {
            for (one, other) in [(one, other), (other, one)] {
                let of_one = ties.entry(one).or_default();
                of_one.friends.retain(|friend| *friend != other);
                of_one.hidden.push(other);
            }
        });
    }

    pub fn set_standing(&self, broadcast: BroadcastId, user: UserId, standing: Standing) {
        let mut standings = self.standings.lock().expect("no panic happens while the lock is held: its sections only move values");
        standings.insert((broadcast, user), standing);
    }
}

#[async_trait]
impl Relations for MemoryRelations {
    async fn ties(&self, user: UserId) -> Result<Ties, RelationsError> {
        Ok(self.with_ties(|ties| ties.get(&user).cloned().unwrap_or_default()))
    }

    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<Standing, RelationsError> {
        let standings = self.standings.lock().expect("no panic happens while the lock is held: its sections only move values");
        Ok(standings.get(&(broadcast, user)).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::bus::LogId;
    use crate::social::chat::{ChatEvent, Reach};

    #[tokio::test]
    async fn the_newest_are_kept_once_and_in_order() {
        let archive = MemoryArchive::default();
        let broadcast = BroadcastId::from_bits(1);
        let event = |seq| Logged {
            id: LogId { epoch: 1, seq },
            event: ChatEvent::Cleared { user: UserId::from_bits(seq) },
            reach: Reach::Everyone,
            nonce: None,
        };
        let most = ARCHIVED_EVENTS_MAX as u64;
        let all: Vec<Logged> = (1..=most + 3).map(event).collect();
        archive.keep(broadcast, &all).await.unwrap();
        archive.keep(broadcast, &all[5..]).await.unwrap();
        assert_eq!(archive.newest(broadcast, 2).await.unwrap(), [event(most + 2), event(most + 3)]);
        assert_eq!(archive.newest(broadcast, usize::MAX).await.unwrap().len(), ARCHIVED_EVENTS_MAX);
        assert_eq!(archive.newest(BroadcastId::from_bits(2), 5).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_snapshot_of_an_older_epoch_is_not_taken() {
        let archive = MemoryArchive::default();
        let broadcast = BroadcastId::from_bits(1);
        for (epoch, text) in [(5, "five"), (7, "seven"), (6, "six")] {
            archive.save(broadcast, epoch, text.into()).await.unwrap();
        }
        assert_eq!(archive.load(broadcast).await.unwrap().unwrap(), "seven");
    }
}
