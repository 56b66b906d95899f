//! The archive and the relations in the store.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Archive, ArchiveError, Relations, RelationsError};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{BLOCKERS_HIDDEN_MAX, REPORTS_OPEN_MAX};
use crate::social::bus::LogId;
use crate::social::chat::{ChatEvent, Logged, Standing};
use crate::social::clock::wall_clock;
use crate::store::{ActionRecord, ChatEventRecord, ReportRecord, StandingRecord, Store, StoreError, Ties};

/// Chats in the store.
#[derive(Debug, Clone)]
pub struct StoreArchive(pub Store);

/// Who knows whom, from the store.
#[derive(Debug, Clone)]
pub struct StoreRelations(pub Store);

impl From<StoreError> for ArchiveError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<StoreError> for RelationsError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl Archive for StoreArchive {
    async fn keep(&self, broadcast: BroadcastId, log: &[Logged]) -> Result<(), ArchiveError> {
        let now_ms = wall_clock().0;
        let records: Vec<ChatEventRecord> = log.iter().map(|logged| to_record(logged, now_ms)).collect();
        Ok(self.0.keep_chat_events(broadcast, &records).await?)
    }

    async fn newest(&self, broadcast: BroadcastId, max: usize) -> Result<Vec<Logged>, ArchiveError> {
        let records = self.0.newest_chat_events(broadcast, u32::try_from(max).unwrap_or(u32::MAX)).await?;
        // What an older program wrote in another way is left out rather than everything with it.
        Ok(records.iter().filter_map(|record| serde_json::from_str(&record.event_json).ok()).collect())
    }

    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), ArchiveError> {
        Ok(self.0.save_chat_snapshot(broadcast, epoch, &snapshot, wall_clock().0).await?)
    }

    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, ArchiveError> {
        Ok(self.0.chat_snapshot(broadcast).await?.map(Bytes::from))
    }

    async fn note_action(&self, action: &ActionRecord) -> Result<(), ArchiveError> {
        Ok(self.0.add_action(action).await?)
    }

    async fn note_report(&self, report: &ReportRecord) -> Result<(), ArchiveError> {
        if !self.0.add_report(report, REPORTS_OPEN_MAX).await? {
            tracing::debug!(broadcast = %report.broadcast, by = %report.by.id, "a report is known already, or there are too many");
        }
        Ok(())
    }
}

#[async_trait]
impl Relations for StoreRelations {
    async fn ties(&self, user: UserId) -> Result<Ties, RelationsError> {
        Ok(self.0.ties_of(user, BLOCKERS_HIDDEN_MAX).await?)
    }

    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<Standing, RelationsError> {
        let StandingRecord { follows, is_friend } = self.0.standing(broadcast, user).await?;
        Ok(Standing { follows, is_friend })
    }
}

fn to_record(logged: &Logged, now_ms: u64) -> ChatEventRecord {
    let LogId { epoch, seq } = logged.id;
    let (author, at_ms) = match &logged.event {
        ChatEvent::Said { message } => (Some(message.author.id), message.sent_at_ms.0),
        ChatEvent::Edited { author, .. } => (*author, now_ms),
        ChatEvent::Deleted { .. } | ChatEvent::Pinned { .. } | ChatEvent::Modes { .. } | ChatEvent::Cleared { .. } => (None, now_ms),
    };
    let event_json = serde_json::to_string(logged).expect("events are plain values with text keys: they always serialize");
    ChatEventRecord { place: (epoch, seq), author, at_ms, event_json }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::chat::{ChatAuthor, ChatMessage, ChatRole, Reach};
    use crate::social::clock::UnixMs;

    #[tokio::test]
    async fn what_was_said_comes_back_from_the_store_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let archive = StoreArchive(Store::open_file(&dir.path().join("test.db")).await.unwrap());
        let broadcast = BroadcastId::from_bits(1);
        let id = LogId { epoch: 1_795_230_000_000, seq: 1 };
        let message = ChatMessage {
            id,
            author: ChatAuthor { id: UserId::from_bits(4), name: "Ann".to_owned(), role: ChatRole::Viewer, guest: true },
            text: "what a 'save'".to_owned(),
            sent_at_ms: UnixMs(1_795_230_000_500),
            media_time_ms: Some(1.5),
            reply_to: None,
            mentions: vec![UserId::from_bits(5)],
            edited: false,
        };
        let said = Logged { id, event: ChatEvent::Said { message }, reach: Reach::Cohorts(3), nonce: Some(77) };
        let cleared = ChatEvent::Cleared { user: UserId::from_bits(4) };
        let cleared = Logged { id: LogId { seq: 2, ..id }, event: cleared, reach: Reach::Everyone, nonce: None };
        let log = [said, cleared];
        archive.keep(broadcast, &log).await.unwrap();
        archive.keep(broadcast, &log).await.unwrap();
        assert_eq!(archive.newest(broadcast, 9).await.unwrap(), log);
        archive.save(broadcast, 5, "x".into()).await.unwrap();
        assert_eq!(archive.load(broadcast).await.unwrap().unwrap(), "x");
        archive.0.delete_user(UserId::from_bits(4)).await.unwrap();
        assert_eq!(archive.newest(broadcast, 9).await.unwrap(), log[1..], "what somebody said goes with them");
    }
}
