//! The table `sign_ins`, and the end of what expires.

use async_trait::async_trait;

use super::{Columns, signed};
use crate::ids::{SignInId, UserId};
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{SignInRecord, SignIns, StoreError};

const ADD: &str = "INSERT INTO sign_ins (id, user_id, secret_hash, previous_hash, device, created_at_ms, rotated_at_ms, expires_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const KEEP: &str = "DELETE FROM sign_ins WHERE user_id = $1
     AND id NOT IN (SELECT id FROM sign_ins WHERE user_id = $1 ORDER BY rotated_at_ms DESC, id LIMIT $2)";
const FIND: &str = "SELECT * FROM sign_ins WHERE id = $1";
/// The comparison and the change are one statement, so that of two who come with the same secret one is too late.
const ROTATE: &str = "UPDATE sign_ins SET previous_hash = secret_hash, secret_hash = $3, rotated_at_ms = $4, expires_at_ms = $5
     WHERE id = $1 AND secret_hash = $2";
const OF_USER: &str = "SELECT * FROM sign_ins WHERE user_id = $1 AND expires_at_ms > $2 ORDER BY rotated_at_ms DESC, id";
const END: &str = "DELETE FROM sign_ins WHERE user_id = $1 AND id = $2";
const END_ALL: &str = "DELETE FROM sign_ins WHERE user_id = $1";
const FORGET_SIGN_INS: &str = "DELETE FROM sign_ins WHERE expires_at_ms <= $1";
const FORGET_CODES: &str = "DELETE FROM email_codes WHERE expires_at_ms <= $1";

macro_rules! sign_ins {
    ($Database:ty) => {
        #[async_trait]
        impl SignIns for $Database {
            async fn add_sign_in(&self, sign_in: &SignInRecord, keep: u32) -> Result<(), StoreError> {
                let mut transaction = self.writer.begin().await?;
                sqlx::query(ADD)
                    .bind(sign_in.id.to_string())
                    .bind(sign_in.user.to_string())
                    .bind(&sign_in.secret_hash)
                    .bind(&sign_in.previous_hash)
                    .bind(&sign_in.device)
                    .bind(signed(sign_in.created_at_ms))
                    .bind(signed(sign_in.rotated_at_ms))
                    .bind(signed(sign_in.expires_at_ms))
                    .execute(&mut *transaction)
                    .await?;
                sqlx::query(KEEP).bind(sign_in.user.to_string()).bind(i64::from(keep)).execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(())
            }

            async fn find_sign_in(&self, id: SignInId) -> Result<Option<SignInRecord>, StoreError> {
                let row = sqlx::query(FIND).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read).transpose()
            }

            async fn rotate_sign_in(
                &self,
                id: SignInId,
                old_hash: &[u8],
                new_hash: &[u8],
                now_ms: u64,
                expires_at_ms: u64,
            ) -> Result<bool, StoreError> {
                let query = sqlx::query(ROTATE).bind(id.to_string()).bind(old_hash).bind(new_hash);
                let done = query.bind(signed(now_ms)).bind(signed(expires_at_ms)).execute(&self.writer).await?;
                Ok(done.rows_affected() > 0)
            }

            async fn sign_ins_of(&self, user: UserId, now_ms: u64) -> Result<Vec<SignInRecord>, StoreError> {
                let rows = sqlx::query(OF_USER).bind(user.to_string()).bind(signed(now_ms)).fetch_all(&self.readers).await?;
                rows.iter().map(read).collect()
            }

            async fn end_sign_in(&self, user: UserId, id: SignInId) -> Result<bool, StoreError> {
                let done = sqlx::query(END).bind(user.to_string()).bind(id.to_string()).execute(&self.writer).await?;
                Ok(done.rows_affected() > 0)
            }

            async fn end_sign_ins(&self, user: UserId) -> Result<u64, StoreError> {
                Ok(sqlx::query(END_ALL).bind(user.to_string()).execute(&self.writer).await?.rows_affected())
            }

            async fn forget_expired(&self, now_ms: u64) -> Result<u64, StoreError> {
                let sign_ins = sqlx::query(FORGET_SIGN_INS).bind(signed(now_ms)).execute(&self.writer).await?;
                let codes = sqlx::query(FORGET_CODES).bind(signed(now_ms)).execute(&self.writer).await?;
                Ok(sign_ins.rows_affected() + codes.rows_affected())
            }
        }
    };
}
sign_ins!(Sqlite);
sign_ins!(Postgres);

fn read(row: &impl Columns) -> Result<SignInRecord, StoreError> {
    Ok(SignInRecord {
        id: row.id("id")?,
        user: row.id("user_id")?,
        secret_hash: row.bytes("secret_hash")?,
        previous_hash: row.maybe_bytes("previous_hash")?,
        device: row.text("device")?,
        created_at_ms: row.number("created_at_ms")?,
        rotated_at_ms: row.number("rotated_at_ms")?,
        expires_at_ms: row.number("expires_at_ms")?,
    })
}
