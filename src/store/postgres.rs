//! PostgreSQL: one pool of connections. Several nodes may share a database; migrations are under its advisory lock.

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::sql::migrator;
use super::{Records, StoreError};
use crate::limits::{STORE_CONNECT_TIMEOUT, STORE_CONNECTIONS};

/// Every migration there ever was, in order, with the numbers of those for SQLite. Never edit one that has been released.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "users and broadcasts", include_str!("migrations/postgres/0001_users_and_broadcasts.sql")),
    (2, "accounts", include_str!("migrations/postgres/0002_accounts.sql")),
];

/// A PostgreSQL database. `writer` and `readers` are one pool: the SQL that both databases share names the one it needs.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) writer: PgPool,
    pub(super) readers: PgPool,
}

impl Postgres {
    /// Connects and brings the database up to date.
    ///
    /// # Errors
    /// `Open` and `Migrate`.
    pub(super) async fn open(options: &PgConnectOptions, database: String) -> Result<Self, StoreError> {
        let options = options.clone().application_name("courtside");
        let pool = PgPoolOptions::new().max_connections(STORE_CONNECTIONS).acquire_timeout(STORE_CONNECT_TIMEOUT);
        let writer = match pool.connect_with(options).await {
            Ok(pool) => pool,
            Err(source) => return Err(StoreError::Open { database, source }),
        };
        migrator(&MIGRATIONS).run(&writer).await.map_err(|source| StoreError::Migrate { database, source })?;
        Ok(Self { readers: writer.clone(), writer })
    }
}

#[async_trait]
impl Records for Postgres {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}
