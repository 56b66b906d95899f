//! Where what was said is kept for longer than the bus keeps it, and who knows whom. Seams to the store and the accounts.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;

use super::chat::{ChatEvent, Standing};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{ARCHIVED_BROADCASTS_MAX, ARCHIVED_EVENTS_MAX};

/// An archive did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the chat archive does not answer: {0}")]
pub struct ArchiveError(pub String);

/// Keeps every event of every chat, in order; those that nobody was shown because of sampling too.
#[async_trait]
pub trait Archive: Send + Sync + fmt::Debug {
    /// # Errors
    /// [`ArchiveError`]; the events are then lost to the archive, not to the chat.
    async fn keep(&self, broadcast: BroadcastId, events: Vec<ChatEvent>) -> Result<(), ArchiveError>;

    /// The newest events, oldest first, at most `max`.
    ///
    /// # Errors
    /// [`ArchiveError`].
    async fn newest(&self, broadcast: BroadcastId, max: usize) -> Result<Vec<ChatEvent>, ArchiveError>;
}

/// Who knows whom.
#[async_trait]
pub trait Relations: Send + Sync + fmt::Debug {
    /// Friends of a person.
    async fn friends(&self, user: UserId) -> Vec<UserId>;

    /// What a person is to the broadcaster of a broadcast.
    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Standing;
}

/// The newest events by broadcast, and the broadcasts in the order of their first.
type Kept = (HashMap<BroadcastId, VecDeque<ChatEvent>>, VecDeque<BroadcastId>);

/// The newest events of the newest broadcasts, until the process ends.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    state: Mutex<Kept>,
}

#[async_trait]
impl Archive for MemoryArchive {
    async fn keep(&self, broadcast: BroadcastId, events: Vec<ChatEvent>) -> Result<(), ArchiveError> {
        let mut state = self.state.lock().expect("no panic happens while the lock is held: its sections only move values");
        let (chats, order) = &mut *state;
        if !chats.contains_key(&broadcast) {
            order.push_back(broadcast);
            if order.len() > ARCHIVED_BROADCASTS_MAX
                && let Some(oldest) = order.pop_front()
            {
                chats.remove(&oldest);
            }
        }
        let kept = chats.entry(broadcast).or_default();
        kept.extend(events);
        let surplus = kept.len().saturating_sub(ARCHIVED_EVENTS_MAX);
        kept.drain(..surplus);
        Ok(())
    }

    async fn newest(&self, broadcast: BroadcastId, max: usize) -> Result<Vec<ChatEvent>, ArchiveError> {
        let state = self.state.lock().expect("no panic happens while the lock is held: its sections only move values");
        let Some(kept) = state.0.get(&broadcast) else { return Ok(Vec::new()) };
        Ok(kept.range(kept.len().saturating_sub(max)..).cloned().collect())
    }
}

/// Nobody knows anybody, until it is told otherwise.
#[derive(Debug, Default)]
pub struct MemoryRelations {
    friends: Mutex<HashMap<UserId, Vec<UserId>>>,
    standings: Mutex<HashMap<(BroadcastId, UserId), Standing>>,
}

impl MemoryRelations {
    /// Two people become friends.
    pub fn befriend(&self, one: UserId, other: UserId) {
        let mut friends = self.friends.lock().expect("no panic happens while the lock is held: its sections only move values");
        friends.entry(one).or_default().push(other);
        friends.entry(other).or_default().push(one);
    }

    pub fn set_standing(&self, broadcast: BroadcastId, user: UserId, standing: Standing) {
        let mut standings = self.standings.lock().expect("no panic happens while the lock is held: its sections only move values");
        standings.insert((broadcast, user), standing);
    }
}

#[async_trait]
impl Relations for MemoryRelations {
    async fn friends(&self, user: UserId) -> Vec<UserId> {
        let friends = self.friends.lock().expect("no panic happens while the lock is held: its sections only move values");
        friends.get(&user).cloned().unwrap_or_default()
    }

    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Standing {
        let standings = self.standings.lock().expect("no panic happens while the lock is held: its sections only move values");
        standings.get(&(broadcast, user)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_are_kept_in_order() {
        let archive = MemoryArchive::default();
        let broadcast = BroadcastId::from_bits(1);
        let event = |user| ChatEvent::Cleared { user: UserId::from_bits(user) };
        archive.keep(broadcast, (0..ARCHIVED_EVENTS_MAX as u64 + 3).map(event).collect()).await.unwrap();
        assert_eq!(
            archive.newest(broadcast, 2).await.unwrap(),
            [event(ARCHIVED_EVENTS_MAX as u64 + 1), event(ARCHIVED_EVENTS_MAX as u64 + 2)]
        );
        assert_eq!(archive.newest(broadcast, usize::MAX).await.unwrap().len(), ARCHIVED_EVENTS_MAX);
        assert_eq!(archive.newest(BroadcastId::from_bits(2), 5).await.unwrap(), []);
    }
}
