//! The table `stream_keys`.

use async_trait::async_trait;

use super::users::read_user;
use super::{Columns, signed};
use crate::ids::UserId;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{StoreError, StreamKeyRecord, StreamKeys, UserRecord};

const SAVE: &str = "INSERT INTO stream_keys (user_id, hash, created_at_ms, used_at_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, created_at_ms = excluded.created_at_ms, used_at_ms = excluded.used_at_ms";
const FIND: &str = "SELECT * FROM stream_keys WHERE user_id = $1";
const USE: &str = "UPDATE stream_keys SET used_at_ms = $2 WHERE hash = $1 RETURNING user_id";
const OWNER: &str = "SELECT id, name, roles, created_at_ms FROM users WHERE id = $1";
const DROP: &str = "DELETE FROM stream_keys WHERE user_id = $1";

macro_rules! stream_keys {
    ($Database:ty) => {
        #[async_trait]
        impl StreamKeys for $Database {
            async fn save_stream_key(&self, key: &StreamKeyRecord) -> Result<(), StoreError> {
                let query = sqlx::query(SAVE).bind(key.user.to_string()).bind(&key.hash);
                query.bind(signed(key.created_at_ms)).bind(key.used_at_ms.map(signed)).execute(&self.writer).await?;
                Ok(())
            }

            async fn stream_key_of(&self, user: UserId) -> Result<Option<StreamKeyRecord>, StoreError> {
                let row = sqlx::query(FIND).bind(user.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read).transpose()
            }

            async fn use_stream_key(&self, hash: &[u8], now_ms: u64) -> Result<Option<UserRecord>, StoreError> {
                let row = sqlx::query(USE).bind(hash).bind(signed(now_ms)).fetch_optional(&self.writer).await?;
                let Some(row) = row else { return Ok(None) };
                let row = sqlx::query(OWNER).bind(row.text("user_id")?).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_user).transpose()
            }

            async fn drop_stream_key(&self, user: UserId) -> Result<bool, StoreError> {
                Ok(sqlx::query(DROP).bind(user.to_string()).execute(&self.writer).await?.rows_affected() > 0)
            }
        }
    };
}
stream_keys!(Sqlite);
stream_keys!(Postgres);

fn read(row: &impl Columns) -> Result<StreamKeyRecord, StoreError> {
    Ok(StreamKeyRecord {
        user: row.id("user_id")?,
        hash: row.bytes("hash")?,
        created_at_ms: row.number("created_at_ms")?,
        used_at_ms: row.maybe_number("used_at_ms")?,
    })
}
