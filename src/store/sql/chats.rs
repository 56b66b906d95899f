//! The tables `chat_events` and `chat_snapshots`, and the end of what chats leave behind.

use async_trait::async_trait;
use sqlx::QueryBuilder;

use super::{Columns, parsed, signed};
use crate::ids::{BroadcastId, UserId};
use crate::limits::CHAT_ROWS_PER_STATEMENT;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{ChatEventRecord, Chats, StoreError};

const KEEP: &str = "INSERT INTO chat_events (broadcast, epoch, seq, author, at_ms, event) ";
const NEWEST: &str = "SELECT * FROM chat_events WHERE broadcast = $1 ORDER BY epoch DESC, seq DESC LIMIT $2";
const OF_AUTHOR: &str = "SELECT * FROM chat_events WHERE author = $1 ORDER BY at_ms DESC, epoch DESC, seq DESC LIMIT $2";
const SAVE_SNAPSHOT: &str = "INSERT INTO chat_snapshots (broadcast, epoch, snapshot, saved_at_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (broadcast) DO UPDATE SET epoch = excluded.epoch, snapshot = excluded.snapshot, saved_at_ms = excluded.saved_at_ms
     WHERE chat_snapshots.epoch <= excluded.epoch";
const SNAPSHOT: &str = "SELECT snapshot FROM chat_snapshots WHERE broadcast = $1";
const FORGET: [&str; 4] = [
    "DELETE FROM chat_events WHERE at_ms < $1",
    "DELETE FROM chat_snapshots WHERE saved_at_ms < $1",
    "DELETE FROM moderator_actions WHERE at_ms < $1",
    "DELETE FROM reports WHERE at_ms < $1",
];
const TOO_LONG: &str = "SELECT broadcast FROM chat_events GROUP BY broadcast HAVING COUNT(*) > $1";
const CUT: &str = "DELETE FROM chat_events WHERE broadcast = $1 AND (epoch, seq) <=
     (SELECT epoch, seq FROM chat_events WHERE broadcast = $1 ORDER BY epoch DESC, seq DESC LIMIT 1 OFFSET $2)";

macro_rules! chats {
    ($Database:ty, $Driver:ty) => {
        #[async_trait]
        impl Chats for $Database {
            async fn keep_chat_events(&self, broadcast: BroadcastId, events: &[ChatEventRecord]) -> Result<(), StoreError> {
                let id = broadcast.to_string();
                for some in events.chunks(CHAT_ROWS_PER_STATEMENT) {
                    let mut query = QueryBuilder::<$Driver>::new(KEEP);
                    query.push_values(some, |mut row, event| {
                        row.push_bind(&id)
                            .push_bind(signed(event.place.0))
                            .push_bind(signed(event.place.1))
                            .push_bind(event.author.map(|author| author.to_string()))
                            .push_bind(signed(event.at_ms))
                            .push_bind(&event.event_json);
                    });
                    query.push(" ON CONFLICT (broadcast, epoch, seq) DO NOTHING");
                    query.build().execute(&self.writer).await?;
                }
                Ok(())
            }

            async fn newest_chat_events(&self, broadcast: BroadcastId, most: u32) -> Result<Vec<ChatEventRecord>, StoreError> {
                let rows = sqlx::query(NEWEST).bind(broadcast.to_string()).bind(i64::from(most)).fetch_all(&self.readers).await?;
                rows.iter().rev().map(read).collect()
            }

            async fn chat_events_of(&self, author: UserId, most: u32) -> Result<Vec<(BroadcastId, ChatEventRecord)>, StoreError> {
                let rows = sqlx::query(OF_AUTHOR).bind(author.to_string()).bind(i64::from(most)).fetch_all(&self.readers).await?;
                rows.iter().rev().map(|row| Ok((row.id("broadcast")?, read(row)?))).collect()
            }

            async fn save_chat_snapshot(&self, broadcast: BroadcastId, epoch: u64, snapshot: &[u8], now_ms: u64) -> Result<(), StoreError> {
                let query = sqlx::query(SAVE_SNAPSHOT).bind(broadcast.to_string()).bind(signed(epoch)).bind(snapshot);
                query.bind(signed(now_ms)).execute(&self.writer).await?;
                Ok(())
            }

            async fn chat_snapshot(&self, broadcast: BroadcastId) -> Result<Option<Vec<u8>>, StoreError> {
                let row = sqlx::query(SNAPSHOT).bind(broadcast.to_string()).fetch_optional(&self.readers).await?;
                row.map(|row| row.bytes("snapshot")).transpose()
            }

            async fn forget_chats(&self, before_ms: u64, keep: u32) -> Result<u64, StoreError> {
                let mut rows = 0;
                for forget in FORGET {
                    rows += sqlx::query(forget).bind(signed(before_ms)).execute(&self.writer).await?.rows_affected();
                }
                for long in sqlx::query(TOO_LONG).bind(i64::from(keep)).fetch_all(&self.readers).await? {
                    let query = sqlx::query(CUT).bind(long.text("broadcast")?).bind(i64::from(keep));
                    rows += query.execute(&self.writer).await?.rows_affected();
                }
                Ok(rows)
            }
        }
    };
}
chats!(Sqlite, sqlx::Sqlite);
chats!(Postgres, sqlx::Postgres);

fn read(row: &impl Columns) -> Result<ChatEventRecord, StoreError> {
    Ok(ChatEventRecord {
        place: (row.number("epoch")?, row.number("seq")?),
        author: row.maybe_text("author")?.map(|author| parsed("author", &author)).transpose()?,
        at_ms: row.number("at_ms")?,
        event_json: row.text("event")?,
    })
}
