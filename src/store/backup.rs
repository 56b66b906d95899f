//! Backups of an SQLite database: a consistent copy while the server runs, and the way back while it does not.
//!
//! A backup is itself an SQLite file of the version that wrote it; restoring brings it up to date. Nothing is replaced before the copy has
//! been found whole, and what was there before stays beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteLockingMode};
use sqlx::{ConnectOptions, Connection, Row};

use super::sqlite::{self, Sqlite};
use super::{Database, StoreError};

/// What is said about PostgreSQL instead.
const DUMP: &str = "make the backup with `pg_dump --format=custom --file=FILE DATABASE`";
const RESTORE: &str = "restore it with `pg_restore --clean --if-exists --dbname=DATABASE FILE`";

/// Writes a copy of the database to `file`, which must not exist. The server may be running: the copy is of one moment.
///
/// # Errors
/// `UseTool` for PostgreSQL; `Backup`, `File`, `Open`, `Database`.
pub async fn backup(database: &Database, file: &Path) -> Result<(), StoreError> {
    let path = file_of(database, DUMP)?;
    let draft = beside(file, "draft");
    if file.exists() {
        return Err(StoreError::Backup { path: file.to_owned(), what: "there is such a file already".to_owned() });
    }
    remove_if_there(&draft)?;
    let mut connection = connect(sqlite::options(path).create_if_missing(false), path).await?;
    let target = draft.to_str().ok_or_else(|| StoreError::Backup { path: file.to_owned(), what: "the path must be UTF-8".to_owned() })?;
    // Made first, so that nobody else reads it at any moment; SQLite writes into a file that is empty.
    private_file(&draft)?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await?;
    connection.close().await?;
    sync(&draft)?;
    // A hard link, unlike a rename, fails where a file already is.
    let linked = fs::hard_link(&draft, file).map_err(|source| StoreError::File { path: file.to_owned(), source });
    remove_if_there(&draft)?;
    linked
}

/// Puts a backup in the place of the database; returns where what was there before has been left, if anything was there.
///
/// # Errors
/// `UseTool` for PostgreSQL; `Backup` when the file is no whole backup or a server is using the database; `Migrate` when it is from a newer
/// version; `File`, `Open`, `Database`.
pub async fn restore(database: &Database, file: &Path) -> Result<Option<PathBuf>, StoreError> {
    let path = file_of(database, RESTORE)?;
    check(file).await?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| StoreError::File { path: folder.to_owned(), source })?;
    }
    let draft = beside(path, "restoring");
    remove_with_companions(&draft)?;
    fs::copy(file, &draft).map_err(|source| StoreError::File { path: draft.clone(), source })?;
    // Opening brings it up to date; closing the last connection folds the write-ahead log in.
    super::Records::close(&Sqlite::open(&draft).await?).await;
    sync(&draft)?;
    let replaced = beside(path, "replaced");
    let has_old = path.exists();
    if has_old {
        let in_use = |_| StoreError::Backup { path: path.to_owned(), what: "the database is in use: stop the server first".to_owned() };
        let alone = sqlite::options(path).create_if_missing(false).locking_mode(SqliteLockingMode::Exclusive);
        // Under write-ahead logging every connection holds a shared lock, so an exclusive one is had only when there is nobody else.
        let mut connection = alone.busy_timeout(std::time::Duration::ZERO).connect().await.map_err(in_use)?;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.map_err(in_use)?;
        sqlx::query("ROLLBACK").execute(&mut connection).await?;
        connection.close().await?;
        remove_with_companions(&replaced)?;
        rename(path, &replaced)?;
        remove_companions(path)?;
    }
    rename(&draft, path)?;
    remove_companions(&draft)?;
    Ok(has_old.then_some(replaced))
}

fn file_of<'a>(database: &'a Database, tool: &'static str) -> Result<&'a Path, StoreError> {
    match database {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(_) => Err(StoreError::UseTool { database: database.to_string(), tool }),
    }
}

/// Refuses what is not a whole database of ours.
async fn check(file: &Path) -> Result<(), StoreError> {
    let wrong = |what: String| StoreError::Backup { path: file.to_owned(), what };
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).read_only(true);
    let mut connection = connect(options, file).await?;
    let verdict = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    let verdict: String = verdict.and_then(|row| row.try_get(0)).map_err(|error| wrong(format!("this is no backup: {error}")))?;
    if verdict != "ok" {
        return Err(wrong(format!("the backup is damaged: {verdict}")));
    }
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('_sqlx_migrations', 'users', 'broadcasts') AND type = 'table'";
    let known: i64 = sqlx::query(known).fetch_one(&mut connection).await?.try_get(0)?;
    connection.close().await?;
    if known == 3 { Ok(()) } else { Err(wrong("this is a database of another program".to_owned())) }
}

async fn connect(options: SqliteConnectOptions, path: &Path) -> Result<SqliteConnection, StoreError> {
    options.connect().await.map_err(|source| StoreError::Open { database: path.display().to_string(), source })
}

/// `name.EXTENSION` in the same folder, so that a rename is one step.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

fn private_file(path: &Path) -> Result<(), StoreError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| StoreError::File { path: path.to_owned(), source })
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|source| StoreError::File { path: path.to_owned(), source })
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::File { path: to.to_owned(), source })
}

fn remove_with_companions(path: &Path) -> Result<(), StoreError> {
    remove_if_there(path)?;
    remove_companions(path)
}

/// The write-ahead log and its index, which must never meet another database.
fn remove_companions(path: &Path) -> Result<(), StoreError> {
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        remove_if_there(Path::new(&name))?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::File { path: path.to_owned(), source: error }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::store::{Store, UserRecord};

    async fn with_user(path: &Path, name: &str) -> Store {
        let store = Store::open_file(path).await.unwrap();
        let user = UserRecord { id: UserId::from_bits(7), name: name.to_owned(), roles: Vec::new(), created_at_ms: 1 };
        store.save_user(&user).await.unwrap();
        store
    }

    async fn name_in(path: &Path) -> String {
        let store = Store::open_file(path).await.unwrap();
        let name = store.find_user(UserId::from_bits(7)).await.unwrap().unwrap().name;
        store.close().await;
        name
    }

    #[tokio::test]
    async fn a_backup_is_of_the_moment_it_was_made_and_brings_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("courtside.db"), dir.path().join("monday.db"));
        let database = Database::Sqlite(path.clone());
        let store = with_user(&path, "Ann").await;
        // While the server has it open.
        backup(&database, &copy).await.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        drop(with_user(&path, "Bob").await);
        let refused = restore(&database, &copy).await.unwrap_err();
        assert!(refused.to_string().contains("stop the server"), "{refused}");
        store.close().await;

        let old = loop {
            // The pools of the dropped handle close in the background.
            match restore(&database, &copy).await {
                Ok(old) => break old.unwrap(),
                Err(StoreError::Backup { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(name_in(&path).await, "Ann");
        assert_eq!(name_in(&old).await, "Bob");
    }

    #[tokio::test]
    async fn what_is_no_whole_backup_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("courtside.db"), dir.path().join("copy.db"));
        let database = Database::Sqlite(path.clone());
        with_user(&path, "Ann").await.close().await;
        backup(&database, &copy).await.unwrap();
        let exists = backup(&database, &copy).await.unwrap_err();
        assert!(exists.to_string().contains("already"), "{exists}");

        let mut bytes = fs::read(&copy).unwrap();
        let middle = bytes.len() / 2;
        bytes.truncate(middle);
        fs::write(&copy, &bytes).unwrap();
        assert!(restore(&database, &copy).await.is_err());
        fs::write(&copy, b"anything").unwrap();
        assert!(restore(&database, &copy).await.is_err());
        assert!(restore(&database, &dir.path().join("nowhere.db")).await.is_err());
        assert_eq!(name_in(&path).await, "Ann");
    }

    #[tokio::test]
    async fn postgres_is_left_to_its_own_tools() {
        let database = Database::parse("postgres://ann:secret@localhost/sport").unwrap();
        let error = backup(&database, Path::new("x")).await.unwrap_err().to_string();
        assert!(error.contains("pg_dump") && !error.contains("secret"), "{error}");
        assert!(restore(&database, Path::new("x")).await.unwrap_err().to_string().contains("pg_restore"));
    }
}
