//! SQLite: one writer connection, a few readers, write-ahead log.
//!
//! Invariant: a method that returned `Ok` is on disk as far as SQLite's `synchronous = NORMAL` under WAL goes: a crash of the program
//! loses nothing, a power cut at most the last moments.

use std::path::Path;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::sql::migrator;
use super::{Records, StoreError};
use crate::limits::{STORE_BUSY_TIMEOUT, STORE_READERS};

/// Every migration there ever was, in order. Never edit one that has been released.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "users and broadcasts", include_str!("migrations/sqlite/0001_users_and_broadcasts.sql")),
    (2, "accounts", include_str!("migrations/sqlite/0002_accounts.sql")),
    (3, "people", include_str!("migrations/sqlite/0003_people.sql")),
];

/// An open SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Sqlite {
    /// Opens (and makes, and brings up to date) the database in `path`.
    ///
    /// # Errors
    /// `Open` and `Migrate`.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { database: path.display().to_string(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let options = options(path).create_if_missing(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(failed)?;
        let database = || path.display().to_string();
        migrations().run(&writer).await.map_err(|source| StoreError::Migrate { database: database(), source })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(STORE_READERS)
            .connect_with(options.create_if_missing(false).read_only(true))
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers })
    }
}

/// How every connection to a file is made.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(STORE_BUSY_TIMEOUT)
}

pub(super) fn migrations() -> Migrator {
    migrator(&MIGRATIONS)
}

#[async_trait]
impl Records for Sqlite {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("courtside.db");
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        let error = Sqlite::open(&path).await.unwrap_err();
        assert!(error.to_string().contains("courtside.db"), "{error}");
    }
}
