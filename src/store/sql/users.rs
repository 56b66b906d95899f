//! The tables `users`, `pictures` and `email_codes`.

use async_trait::async_trait;

use super::{Columns, folded, list, signed, word};
use crate::ids::UserId;
use crate::limits::CLAIMED_GUESTS_MAX;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{AccountRecord, CodePurpose, CodeRecord, PictureRecord, Role, StoreError, UserRecord, Users};

const SAVE: &str = "INSERT INTO users (id, name, roles, created_at_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, roles = excluded.roles";
const FIND: &str = "SELECT id, name, roles, created_at_ms FROM users WHERE id = $1";
/// A user who has an account already is left alone: no row is touched then.
const ADD_ACCOUNT: &str =
    "INSERT INTO users (id, name, roles, created_at_ms, name_key, email, email_key, email_verified_at_ms, password, claimed_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, roles = excluded.roles, name_key = excluded.name_key, email = excluded.email,
         email_key = excluded.email_key, email_verified_at_ms = excluded.email_verified_at_ms, password = excluded.password,
         claimed_at_ms = excluded.claimed_at_ms
     WHERE users.password IS NULL";
const FIND_ACCOUNT: &str = "SELECT * FROM users WHERE id = $1 AND password IS NOT NULL";
const FIND_ACCOUNT_BY_EMAIL: &str = "SELECT * FROM users WHERE email_key = $1 AND password IS NOT NULL";
const RENAME: &str = "UPDATE users SET name = $2, name_key = $3 WHERE id = $1 AND password IS NOT NULL";
const VERIFY_EMAIL: &str = "UPDATE users SET email = $2, email_key = $3, email_verified_at_ms = $4 WHERE id = $1 AND password IS NOT NULL";
const CHANGE_PASSWORD: &str = "UPDATE users SET password = $3 WHERE id = $1 AND password = $2";
const SET_HIDE_WATCHING: &str = "UPDATE users SET hide_watching = $2 WHERE id = $1 AND password IS NOT NULL";
const SET_ROLES: &str = "UPDATE users SET roles = $2 WHERE id = $1";
const COUNT_PICTURE: &str =
    "UPDATE users SET picture_version = picture_version + 1 WHERE id = $1 AND password IS NOT NULL RETURNING picture_version";
const SAVE_PICTURE: &str = "INSERT INTO pictures (user_id, content_type, bytes) VALUES ($1, $2, $3)
     ON CONFLICT (user_id) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes";
const DROP_PICTURE: &str = "DELETE FROM pictures WHERE user_id = $1";
const FIND_PICTURE: &str = "SELECT content_type, bytes, picture_version FROM pictures JOIN users ON users.id = user_id WHERE user_id = $1";
/// What hangs on no row of `users`, because guests have none.
const DELETE_TRACES: [&str; 6] = [
    "DELETE FROM blocks WHERE blocked = $1",
    "DELETE FROM chat_events WHERE author = $1",
    "DELETE FROM reports WHERE author = $1",
    "UPDATE reports SET reporter_name = '', note = NULL WHERE reporter = $1",
    "UPDATE moderator_actions SET by_name = '' WHERE by_id = $1",
    "UPDATE moderator_actions SET on_name = '', message = NULL, note = NULL WHERE on_id = $1",
];
/// What hangs on a user goes with them (`ON DELETE CASCADE`).
const DELETE: &str = "DELETE FROM users WHERE id = $1";
const CLAIMED: &str = "SELECT id, claimed_at_ms FROM users WHERE claimed_at_ms >= $1 ORDER BY claimed_at_ms DESC LIMIT $2";
const SAVE_CODE: &str = "INSERT INTO email_codes (hash, user_id, purpose, email, expires_at_ms) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (user_id, purpose) DO UPDATE SET hash = excluded.hash, email = excluded.email, expires_at_ms = excluded.expires_at_ms";
const TAKE_CODE: &str = "DELETE FROM email_codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3 RETURNING *";

macro_rules! users {
    ($Database:ty) => {
        #[async_trait]
        impl Users for $Database {
            async fn save_user(&self, user: &UserRecord) -> Result<(), StoreError> {
                let query = sqlx::query(SAVE).bind(user.id.to_string()).bind(&user.name);
                query.bind(role_words(&user.roles)).bind(signed(user.created_at_ms)).execute(&self.writer).await?;
                Ok(())
            }

            async fn find_user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
                let row = sqlx::query(FIND).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_user).transpose()
            }

            async fn add_account(&self, account: &AccountRecord) -> Result<(), StoreError> {
                let AccountRecord { user, email, email_verified_at_ms, password, claimed_at_ms, picture_version: _, hide_watching: _ } =
                    account;
                let result = sqlx::query(ADD_ACCOUNT)
                    .bind(user.id.to_string())
                    .bind(&user.name)
                    .bind(role_words(&user.roles))
                    .bind(signed(user.created_at_ms))
                    .bind(folded(&user.name))
                    .bind(email)
                    .bind(folded(email))
                    .bind(email_verified_at_ms.map(signed))
                    .bind(password)
                    .bind(claimed_at_ms.map(signed))
                    .execute(&self.writer)
                    .await;
                let touched = result.map_err(which_is_taken)?.rows_affected();
                if touched == 0 { Err(StoreError::AccountExists) } else { Ok(()) }
            }

            async fn find_account(&self, id: UserId) -> Result<Option<AccountRecord>, StoreError> {
                let row = sqlx::query(FIND_ACCOUNT).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_account).transpose()
            }

            async fn find_account_by_email(&self, email: &str) -> Result<Option<AccountRecord>, StoreError> {
                let row = sqlx::query(FIND_ACCOUNT_BY_EMAIL).bind(folded(email)).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_account).transpose()
            }

            async fn rename_account(&self, id: UserId, name: &str) -> Result<bool, StoreError> {
                let query = sqlx::query(RENAME).bind(id.to_string()).bind(name).bind(folded(name));
                Ok(query.execute(&self.writer).await.map_err(which_is_taken)?.rows_affected() > 0)
            }

            async fn verify_email(&self, id: UserId, email: &str, at_ms: u64) -> Result<bool, StoreError> {
                let query = sqlx::query(VERIFY_EMAIL).bind(id.to_string()).bind(email).bind(folded(email)).bind(signed(at_ms));
                Ok(query.execute(&self.writer).await.map_err(which_is_taken)?.rows_affected() > 0)
            }

            async fn change_password(&self, id: UserId, expected: &str, password: &str) -> Result<bool, StoreError> {
                let query = sqlx::query(CHANGE_PASSWORD).bind(id.to_string()).bind(expected).bind(password);
                Ok(query.execute(&self.writer).await?.rows_affected() > 0)
            }

            async fn set_hide_watching(&self, id: UserId, hide: bool) -> Result<bool, StoreError> {
                let query = sqlx::query(SET_HIDE_WATCHING).bind(id.to_string()).bind(i64::from(hide));
                Ok(query.execute(&self.writer).await?.rows_affected() > 0)
            }

            async fn set_roles(&self, id: UserId, roles: &[Role]) -> Result<bool, StoreError> {
                let query = sqlx::query(SET_ROLES).bind(id.to_string()).bind(role_words(roles));
                Ok(query.execute(&self.writer).await?.rows_affected() > 0)
            }

            async fn set_picture(&self, id: UserId, picture: Option<(&str, &[u8])>) -> Result<Option<u32>, StoreError> {
                let mut transaction = self.writer.begin().await?;
                let row = sqlx::query(COUNT_PICTURE).bind(id.to_string()).fetch_optional(&mut *transaction).await?;
                let Some(version) = row.map(|row| row.count("picture_version")).transpose()? else { return Ok(None) };
                let query = match picture {
                    Some((content_type, bytes)) => sqlx::query(SAVE_PICTURE).bind(id.to_string()).bind(content_type).bind(bytes),
                    None => sqlx::query(DROP_PICTURE).bind(id.to_string()),
                };
                query.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(Some(version))
            }

            async fn find_picture(&self, id: UserId) -> Result<Option<PictureRecord>, StoreError> {
                let row = sqlx::query(FIND_PICTURE).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_picture).transpose()
            }

            async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
                let mut transaction = self.writer.begin().await?;
                for traces in DELETE_TRACES {
                    sqlx::query(traces).bind(id.to_string()).execute(&mut *transaction).await?;
                }
                let done = sqlx::query(DELETE).bind(id.to_string()).execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(done.rows_affected() > 0)
            }

            async fn claimed_guests(&self, since_ms: u64) -> Result<Vec<(UserId, u64)>, StoreError> {
                let query = sqlx::query(CLAIMED).bind(signed(since_ms)).bind(i64::from(CLAIMED_GUESTS_MAX));
                let rows = query.fetch_all(&self.readers).await?;
                rows.iter().map(|row| Ok((row.id("id")?, row.number("claimed_at_ms")?))).collect()
            }

            async fn save_code(&self, code: &CodeRecord) -> Result<(), StoreError> {
                let query = sqlx::query(SAVE_CODE).bind(&code.hash).bind(code.user.to_string()).bind(purpose_word(code.purpose));
                query.bind(&code.email).bind(signed(code.expires_at_ms)).execute(&self.writer).await?;
                Ok(())
            }

            async fn take_code(&self, hash: &[u8], purpose: CodePurpose, now_ms: u64) -> Result<Option<CodeRecord>, StoreError> {
                let query = sqlx::query(TAKE_CODE).bind(hash).bind(purpose_word(purpose)).bind(signed(now_ms));
                let row = query.fetch_optional(&self.writer).await?;
                row.as_ref().map(read_code).transpose()
            }
        }
    };
}
users!(Sqlite);
users!(Postgres);

/// Both databases name the column or the index in their message.
fn which_is_taken(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => match database.message() {
            message if message.contains("name_key") => StoreError::NameTaken,
            message if message.contains("email_key") => StoreError::EmailTaken,
            _ => error.into(),
        },
        _ => error.into(),
    }
}

pub(super) fn read_user(row: &impl Columns) -> Result<UserRecord, StoreError> {
    const ROLES: [Role; 2] = [Role::Broadcaster, Role::Operator];
    Ok(UserRecord {
        id: row.id("id")?,
        name: row.text("name")?,
        roles: list(&row.text("roles")?, |role| word("roles", role, &ROLES, role_word))?,
        created_at_ms: row.number("created_at_ms")?,
    })
}

fn read_account(row: &impl Columns) -> Result<AccountRecord, StoreError> {
    Ok(AccountRecord {
        user: read_user(row)?,
        email: row.text("email")?,
        email_verified_at_ms: row.maybe_number("email_verified_at_ms")?,
        password: row.text("password")?,
        claimed_at_ms: row.maybe_number("claimed_at_ms")?,
        picture_version: row.count("picture_version")?,
        hide_watching: row.count("hide_watching")? > 0,
    })
}

fn read_picture(row: &impl Columns) -> Result<PictureRecord, StoreError> {
    Ok(PictureRecord { content_type: row.text("content_type")?, bytes: row.bytes("bytes")?, version: row.count("picture_version")? })
}

fn read_code(row: &impl Columns) -> Result<CodeRecord, StoreError> {
    const PURPOSES: [CodePurpose; 2] = [CodePurpose::VerifyEmail, CodePurpose::ResetPassword];
    Ok(CodeRecord {
        hash: row.bytes("hash")?,
        user: row.id("user_id")?,
        purpose: word("purpose", &row.text("purpose")?, &PURPOSES, purpose_word)?,
        email: row.text("email")?,
        expires_at_ms: row.number("expires_at_ms")?,
    })
}

fn role_words(roles: &[Role]) -> String {
    roles.iter().copied().map(role_word).collect::<Vec<_>>().join(",")
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Broadcaster => "broadcaster",
        Role::Operator => "operator",
    }
}

const fn purpose_word(purpose: CodePurpose) -> &'static str {
    match purpose {
        CodePurpose::VerifyEmail => "verify_email",
        CodePurpose::ResetPassword => "reset_password",
    }
}
