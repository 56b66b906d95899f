//! The store on SQLite: one writer connection, a few readers, write-ahead log. All of the program's SQL is here.
//!
//! Invariant: a method that returned `Ok` is on disk as far as SQLite's `synchronous = NORMAL` under WAL goes: a crash of the program
//! loses nothing, a power cut at most the last moments.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sqlx::Row;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};

use crate::ids::{BroadcastId, UserId};
use crate::limits::{BROADCASTS_LOADED_MAX, STORE_BUSY_TIMEOUT, STORE_READERS};
use crate::store::{BroadcastRecord, BroadcastState, Role, UserRecord, Visibility};

/// Every migration there ever was, in order. Never edit one that has been released.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "users and broadcasts", include_str!("migrations/0001_users_and_broadcasts.sql"))];

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file cannot be opened or made.
    #[error("the database {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: sqlx::Error },
    /// The database is newer than this program, or was altered.
    #[error("the database {} cannot be brought to this version: {source}", path.display())]
    Migrate { path: PathBuf, source: MigrateError },
    /// Another broadcast that has not ended has this slug.
    #[error("the slug `{slug}` is in use")]
    SlugInUse { slug: String },
    /// A row that this program cannot have written.
    #[error("the database holds an unreadable {column}: `{value}`")]
    Corrupt { column: &'static str, value: String },
    /// Anything else: disk full, file locked by another process for longer than the busy timeout ...
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// A handle on the database; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens (and makes, and brings up to date) the database in `path`.
    ///
    /// # Errors
    /// `Open` and `Migrate`.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(STORE_BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(failed)?;
        migrator().run(&writer).await.map_err(|source| StoreError::Migrate { path: path.to_owned(), source })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(STORE_READERS)
            .connect_with(options.create_if_missing(false).read_only(true))
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Database`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Waits for statements under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Adds a user, or gives an existing one this name and these roles.
    ///
    /// # Errors
    /// `Database`.
    pub async fn save_user(&self, user: &UserRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO users (id, name, roles, created_at_ms) VALUES (?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, roles = excluded.roles",
        )
        .bind(user.id.to_string())
        .bind(&user.name)
        .bind(user.roles.iter().copied().map(role_word).collect::<Vec<_>>().join(","))
        .bind(signed(user.created_at_ms))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// # Errors
    /// `Database`, `Corrupt`.
    pub async fn find_user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        let row = sqlx::query("SELECT id, name, roles, created_at_ms FROM users WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_user).transpose()
    }

    /// Adds a broadcast, or replaces what is stored of it.
    ///
    /// # Errors
    /// `SlugInUse` when another broadcast that has not ended has the slug; `Database`.
    pub async fn save_broadcast(&self, broadcast: &BroadcastRecord) -> Result<(), StoreError> {
        let result = sqlx::query(
            "INSERT INTO broadcasts (id, slug, title, visibility, state, owner, created_at_ms, started_at_ms, ended_at_ms, viewers_peak,
                                     details_json)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, title = excluded.title, visibility = excluded.visibility,
                 state = excluded.state, owner = excluded.owner, started_at_ms = excluded.started_at_ms,
                 ended_at_ms = excluded.ended_at_ms, viewers_peak = excluded.viewers_peak, details_json = excluded.details_json",
        )
        .bind(broadcast.id.to_string())
        .bind(&broadcast.slug)
        .bind(&broadcast.title)
        .bind(visibility_word(broadcast.visibility))
        .bind(state_word(broadcast.state))
        .bind(broadcast.owner.map(|owner| owner.to_string()))
        .bind(signed(broadcast.created_at_ms))
        .bind(broadcast.started_at_ms.map(signed))
        .bind(broadcast.ended_at_ms.map(signed))
        .bind(i64::from(broadcast.viewers_peak))
        .bind(&broadcast.details_json)
        .execute(&self.writer)
        .await;
        match result {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::SlugInUse { slug: broadcast.slug.clone() }),
            Err(error) => Err(error.into()),
        }
    }

    /// Every broadcast that has not ended, and those that ended at or after `ended_since_ms`; newest first, at most
    /// `limits::BROADCASTS_LOADED_MAX`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    pub async fn load_broadcasts(&self, ended_since_ms: u64) -> Result<Vec<BroadcastRecord>, StoreError> {
        let sql = select_broadcasts("WHERE state <> 'ended' OR ended_at_ms >= ? ORDER BY state = 'ended', created_at_ms DESC, id LIMIT ?");
        let rows = sqlx::query(&sql).bind(signed(ended_since_ms)).bind(i64::from(BROADCASTS_LOADED_MAX)).fetch_all(&self.readers).await?;
        rows.iter().map(read_broadcast).collect()
    }

    /// The broadcast that has this slug now; if none has, the one that had it last.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    pub async fn find_broadcast_by_slug(&self, slug: &str) -> Result<Option<BroadcastRecord>, StoreError> {
        let sql = select_broadcasts("WHERE slug = ? ORDER BY state = 'ended', created_at_ms DESC, id LIMIT 1");
        let row = sqlx::query(&sql).bind(slug).fetch_optional(&self.readers).await?;
        row.as_ref().map(read_broadcast).transpose()
    }

    /// # Errors
    /// `Database`, `Corrupt`.
    pub async fn find_broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRecord>, StoreError> {
        let row = sqlx::query(&select_broadcasts("WHERE id = ?")).bind(id.to_string()).fetch_optional(&self.readers).await?;
        row.as_ref().map(read_broadcast).transpose()
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS
        .map(|(version, what, sql)| Migration::new(version, Cow::Borrowed(what), MigrationType::Simple, Cow::Borrowed(sql), false))
        .to_vec();
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

fn select_broadcasts(rest: &'static str) -> String {
    format!(
        "SELECT id, slug, title, visibility, state, owner, created_at_ms, started_at_ms, ended_at_ms, viewers_peak, details_json
         FROM broadcasts {rest}"
    )
}

fn read_broadcast(row: &SqliteRow) -> Result<BroadcastRecord, StoreError> {
    Ok(BroadcastRecord {
        id: parsed("id", row.try_get("id")?)?,
        slug: row.try_get("slug")?,
        title: row.try_get("title")?,
        visibility: word("visibility", row.try_get("visibility")?, &[Visibility::Public, Visibility::Unlisted], visibility_word)?,
        state: word(
            "state",
            row.try_get("state")?,
            &[BroadcastState::Idle, BroadcastState::Live, BroadcastState::Reconnecting, BroadcastState::Ended],
            state_word,
        )?,
        owner: row.try_get::<Option<String>, _>("owner")?.map(|owner| parsed("owner", owner)).transpose()?,
        created_at_ms: unsigned(row.try_get("created_at_ms")?),
        started_at_ms: row.try_get::<Option<i64>, _>("started_at_ms")?.map(unsigned),
        ended_at_ms: row.try_get::<Option<i64>, _>("ended_at_ms")?.map(unsigned),
        viewers_peak: u32::try_from(row.try_get::<i64, _>("viewers_peak")?).unwrap_or(u32::MAX),
        details_json: row.try_get("details_json")?,
    })
}

fn read_user(row: &SqliteRow) -> Result<UserRecord, StoreError> {
    let roles: String = row.try_get("roles")?;
    Ok(UserRecord {
        id: parsed("id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        roles: roles
            .split(',')
            .filter(|role| !role.is_empty())
            .map(|role| word("roles", role.to_owned(), &[Role::Operator], role_word))
            .collect::<Result<_, _>>()?,
        created_at_ms: unsigned(row.try_get("created_at_ms")?),
    })
}

const fn state_word(state: BroadcastState) -> &'static str {
    match state {
        BroadcastState::Idle => "idle",
        BroadcastState::Live => "live",
        BroadcastState::Reconnecting => "reconnecting",
        BroadcastState::Ended => "ended",
    }
}

const fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Unlisted => "unlisted",
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
    }
}

fn word<T: Copy>(column: &'static str, value: String, all: &[T], spell: fn(T) -> &'static str) -> Result<T, StoreError> {
    all.iter().copied().find(|&one| spell(one) == value).ok_or(StoreError::Corrupt { column, value })
}

fn parsed<T: std::str::FromStr>(column: &'static str, value: String) -> Result<T, StoreError> {
    value.parse().map_err(|_| StoreError::Corrupt { column, value })
}

/// SQLite integers are signed; the times here stay far from either end.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broadcast(bits: u64, slug: &str, state: BroadcastState) -> BroadcastRecord {
        BroadcastRecord {
            id: BroadcastId::from_bits(bits),
            slug: slug.to_owned(),
            title: format!("Match {bits}"),
            visibility: Visibility::Unlisted,
            state,
            owner: Some(UserId::from_bits(9)),
            created_at_ms: 1_000 + bits,
            started_at_ms: Some(2_000),
            ended_at_ms: (state == BroadcastState::Ended).then_some(3_000 + bits),
            viewers_peak: 12,
            details_json: r#"{"score":null}"#.to_owned(),
        }
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("courtside.db")).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn broadcasts_survive_a_restart_whole() {
        let (dir, store) = store().await;
        let live = broadcast(1, "final", BroadcastState::Live);
        store.save_broadcast(&live).await.unwrap();
        store.close().await;
        let store = Store::open(&dir.path().join("courtside.db")).await.unwrap();
        assert_eq!(store.load_broadcasts(0).await.unwrap(), std::slice::from_ref(&live));
        assert_eq!(store.find_broadcast(live.id).await.unwrap(), Some(live));
        assert_eq!(store.find_broadcast(BroadcastId::from_bits(2)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn saving_again_replaces() {
        let (_dir, store) = store().await;
        let mut record = broadcast(1, "final", BroadcastState::Idle);
        store.save_broadcast(&record).await.unwrap();
        record.state = BroadcastState::Reconnecting;
        record.title = "Renamed".to_owned();
        record.viewers_peak = 99;
        store.save_broadcast(&record).await.unwrap();
        assert_eq!(store.load_broadcasts(0).await.unwrap(), [record]);
    }

    #[tokio::test]
    async fn ended_broadcasts_are_loaded_only_when_recent_and_come_last() {
        let (_dir, store) = store().await;
        for record in [
            broadcast(1, "old", BroadcastState::Ended),
            broadcast(2, "recent", BroadcastState::Ended),
            broadcast(3, "now", BroadcastState::Live),
        ] {
            store.save_broadcast(&record).await.unwrap();
        }
        let slugs: Vec<_> = store.load_broadcasts(3_002).await.unwrap().into_iter().map(|record| record.slug).collect();
        assert_eq!(slugs, ["now", "recent"]);
    }

    #[tokio::test]
    async fn a_slug_is_taken_until_its_broadcast_has_ended() {
        let (_dir, store) = store().await;
        let mut first = broadcast(1, "derby", BroadcastState::Live);
        let second = broadcast(2, "derby", BroadcastState::Idle);
        store.save_broadcast(&first).await.unwrap();
        assert!(matches!(store.save_broadcast(&second).await, Err(StoreError::SlugInUse { slug }) if slug == "derby"));
        first.state = BroadcastState::Ended;
        first.ended_at_ms = Some(5_000);
        store.save_broadcast(&first).await.unwrap();
        assert_eq!(store.find_broadcast_by_slug("derby").await.unwrap(), Some(first));
        store.save_broadcast(&second).await.unwrap();
        assert_eq!(store.find_broadcast_by_slug("derby").await.unwrap(), Some(second));
        assert_eq!(store.find_broadcast_by_slug("nobody").await.unwrap(), None);
    }

    #[tokio::test]
    async fn users_keep_their_roles() {
        let (_dir, store) = store().await;
        let mut user = UserRecord { id: UserId::from_bits(4), name: "Ann".to_owned(), roles: vec![Role::Operator], created_at_ms: 77 };
        store.save_user(&user).await.unwrap();
        assert_eq!(store.find_user(user.id).await.unwrap(), Some(user.clone()));
        user.roles.clear();
        store.save_user(&user).await.unwrap();
        assert_eq!(store.find_user(user.id).await.unwrap(), Some(user));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("courtside.db");
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        let error = Store::open(&path).await.unwrap_err();
        assert!(error.to_string().contains("courtside.db"), "{error}");
    }
}
