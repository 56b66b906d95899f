//! PostgreSQL: one pool of connections. Several nodes may share a database; migrations are under its advisory lock.

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::sql::migrator;
use super::{Records, StoreError};
use crate::limits::{STORE_CONNECT_TIMEOUT, STORE_CONNECTIONS, STORE_STATEMENT_TIMEOUT};

/// Every migration there ever was, in order, with the numbers of those for SQLite. Never edit one that has been released.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "users and broadcasts", include_str!("migrations/postgres/0001_users_and_broadcasts.sql")),
    (2, "accounts", include_str!("migrations/postgres/0002_accounts.sql")),
    (3, "people", include_str!("migrations/postgres/0003_people.sql")),
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
        let failed = |source| StoreError::Open { database: database.clone(), source };
        // A migration of a large table may take its time; what people wait for may not.
        let connecting = tokio::time::timeout(STORE_CONNECT_TIMEOUT, PgConnection::connect_with(&options));
        let mut first = connecting.await.map_err(|_| failed(sqlx::Error::PoolTimedOut))?.map_err(failed)?;
        let migrated = migrations().run(&mut first).await;
        migrated.map_err(|source| StoreError::Migrate { database: database.clone(), source })?;
        first.close().await.map_err(failed)?;
        let options = options.options([("statement_timeout", STORE_STATEMENT_TIMEOUT.as_millis().to_string())]);
        let pool = PgPoolOptions::new().max_connections(STORE_CONNECTIONS).acquire_timeout(STORE_CONNECT_TIMEOUT);
        let writer = pool.connect_with(options).await.map_err(failed)?;
        Ok(Self { readers: writer.clone(), writer })
    }
}

pub(super) fn migrations() -> Migrator {
    migrator(&MIGRATIONS)
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

#[cfg(test)]
mod tests {
    use crate::store::{Database, Store, StoreError};

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_without_the_password() {
        // Port 1 of loopback: nobody listens there.
        let database = Database::parse("postgres://ann:hunter2@127.0.0.1:1/sport").unwrap();
        let error = Store::open(&database).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }));
        let said = error.to_string();
        assert!(said.contains("postgres://127.0.0.1:1/sport") && !said.contains("hunter2"), "{said}");
    }
}
