//! Why the store did not do what it was asked.

use std::io;
use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// A variant per thing that the caller does differently. Databases are named without passwords.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened, made or reached.
    #[error("the database {database} cannot be opened: {source}")]
    Open { database: String, source: sqlx::Error },
    /// The database is newer than this program, or was altered.
    #[error("the database {database} cannot be brought to this version: {source}")]
    Migrate { database: String, source: MigrateError },
    /// Another broadcast that has not ended has this slug.
    #[error("the slug `{slug}` is in use")]
    SlugInUse { slug: String },
    /// Another account has this name, whatever its case.
    #[error("another account has this name")]
    NameTaken,
    /// Another account has this e-mail address, whatever its case.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// The user has an account already.
    #[error("this user has an account already")]
    AccountExists,
    /// A row that this program cannot have written.
    #[error("the database holds an unreadable {column}: `{value}`")]
    Corrupt { column: &'static str, value: String },
    /// A backup cannot be written, or is not one.
    #[error("{}: {what}", path.display())]
    Backup { path: PathBuf, what: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// Backups of PostgreSQL are PostgreSQL's own business.
    #[error("{database} is PostgreSQL, which has its own tools: {tool}")]
    UseTool { database: String, tool: &'static str },
    /// Anything else: disk full, file locked by another process for longer than the busy timeout, server gone ...
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}
