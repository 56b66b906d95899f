//! The SQL that both databases speak, written once: each file has the statements of one group of records and a macro that makes the same
//! methods for [`Sqlite`](super::sqlite::Sqlite) and [`Postgres`](super::postgres::Postgres), with each driver's own types. (The driver
//! that sqlx has for any database would do without the macro, but loses the types.)
//!
//! What is shared: `$1` parameters, `ON CONFLICT`, `RETURNING`, texts, 64-bit integers and bytes. Nothing else is used.

mod broadcasts;
mod chats;
mod moderation;
mod private_messages;
mod relationships;
mod sign_ins;
mod stream_keys;
mod users;

use std::borrow::Cow;
use std::str::FromStr;

use sqlx::Row;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::StoreError;

/// The kinds of column that both databases have.
trait Columns {
    fn text(&self, column: &'static str) -> Result<String, StoreError>;
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError>;
    fn number(&self, column: &'static str) -> Result<u64, StoreError>;
    fn maybe_number(&self, column: &'static str) -> Result<Option<u64>, StoreError>;
    fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError>;
    fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError>;

    /// A text that is an id.
    fn id<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        parsed(column, &self.text(column)?)
    }

    /// A small count.
    fn count(&self, column: &'static str) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.number(column)?).unwrap_or(u32::MAX))
    }
}

macro_rules! columns {
    ($Row:ty) => {
        impl Columns for $Row {
            fn text(&self, column: &'static str) -> Result<String, StoreError> {
                Ok(self.try_get(column)?)
            }
            fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
                Ok(self.try_get(column)?)
            }
            fn number(&self, column: &'static str) -> Result<u64, StoreError> {
                Ok(unsigned(self.try_get(column)?))
            }
            fn maybe_number(&self, column: &'static str) -> Result<Option<u64>, StoreError> {
                Ok(self.try_get::<Option<i64>, _>(column)?.map(unsigned))
            }
            fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
                Ok(self.try_get(column)?)
            }
            fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
                Ok(self.try_get(column)?)
            }
        }
    };
}
columns!(SqliteRow);
columns!(PgRow);

/// Migrations from a list of number, name and SQL.
pub(super) fn migrator(list: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, what, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(what), MigrationType::Simple, Cow::Borrowed(sql), false)
    };
    Migrator { migrations: Cow::Owned(list.iter().map(migration).collect()), ..Migrator::DEFAULT }
}

/// The value that is spelt so.
fn word<T: Copy>(column: &'static str, value: &str, all: &[T], spell: fn(T) -> &'static str) -> Result<T, StoreError> {
    let known = all.iter().copied().find(|known| spell(*known) == value);
    known.ok_or_else(|| StoreError::Corrupt { column, value: value.to_owned() })
}

fn parsed<T: FromStr>(column: &'static str, value: &str) -> Result<T, StoreError> {
    value.parse().map_err(|_| StoreError::Corrupt { column, value: value.to_owned() })
}

/// Items that are kept as one text, between commas.
fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    text.split(',').filter(|item| !item.is_empty()).map(read).collect()
}

/// How texts that must be unique are compared: whatever their case.
fn folded(text: &str) -> String {
    text.to_lowercase()
}

/// Databases have signed integers; the times here stay far from either end.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
