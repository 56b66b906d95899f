//! The store as everybody holds it, and which database is behind it.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Records, StoreError};

/// Which database. Shown without its password.
#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    /// Parsed once; its own defaults (`PGHOST`, `PGPASSWORD`, `~/.pgpass` ...) apply to what the URL leaves out.
    Postgres(Box<PgConnectOptions>),
}

impl Database {
    /// `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// What would be right, in words that follow "must be".
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        if let Some(path) = url.strip_prefix("sqlite:") {
            return if path.is_empty() { Err(RIGHT) } else { Ok(Self::Sqlite(path.into())) };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(RIGHT);
        }
        url.parse().map(|options| Self::Postgres(Box::new(options))).map_err(|_| RIGHT)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(options) => {
                let name = options.get_database().unwrap_or_else(|| options.get_username());
                match options.get_socket() {
                    Some(socket) => write!(f, "postgres:{}/{name}", socket.display()),
                    None => write!(f, "postgres://{}:{}/{name}", options.get_host(), options.get_port()),
                }
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

/// A handle on the database; clones share its connections. What it can do is in [`Records`] and the groups below it.
#[derive(Debug, Clone)]
pub struct Store {
    records: Arc<dyn Records>,
}

impl Store {
    /// Opens the database (an SQLite file is made when there is none) and brings it up to date.
    ///
    /// # Errors
    /// `Open` and `Migrate`.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let records: Arc<dyn Records> = match database {
            Database::Sqlite(path) => Arc::new(Sqlite::open(path).await?),
            Database::Postgres(options) => Arc::new(Postgres::open(options, database.to_string()).await?),
        };
        Ok(Self { records })
    }

    /// Opens an SQLite file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_file(path: &Path) -> Result<Self, StoreError> {
        Self::open(&Database::Sqlite(path.to_owned())).await
    }
}

impl Deref for Store {
    type Target = dyn Records;

    fn deref(&self) -> &Self::Target {
        &*self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        let database = Database::parse("postgres://ann:hunter2@db.example.org:5433/sport").unwrap();
        assert_eq!(database.to_string(), "postgres://db.example.org:5433/sport");
        assert!(!format!("{database:?}").contains("hunter2"));
        assert_eq!(Database::parse("sqlite:/var/lib/x.db").unwrap().to_string(), "/var/lib/x.db");
    }

    #[test]
    fn other_databases_are_refused() {
        for wrong in ["", "sqlite:", "mysql://x/y", "/var/lib/x.db", "postgres:x", "postgres://[/x"] {
            assert!(Database::parse(wrong).is_err(), "{wrong}");
        }
    }
}
