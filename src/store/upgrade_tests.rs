//! A database of an earlier version is brought up to date with everything in it.

use sqlx::{ConnectOptions, Connection, Executor};

use super::test_support::Place;
use super::*;
use crate::ids::{BroadcastId, UserId};

/// As the version before accounts left it: its schema by its own migration, noted as its driver noted it.
async fn before_accounts(path: &std::path::Path) {
    let mut connection = sqlite::options(path).create_if_missing(true).connect().await.unwrap();
    let first = sqlite::migrations().iter().next().unwrap().clone();
    let migrator = sqlx::migrate::Migrator { migrations: vec![first].into(), ..sqlx::migrate::Migrator::DEFAULT };
    migrator.run_direct(&mut connection).await.unwrap();
    for row in [
        "INSERT INTO users (id, name, roles, created_at_ms) VALUES ('0000000000004', 'Ann', 'operator', 77)",
        "INSERT INTO users (id, name, roles, created_at_ms) VALUES ('0000000000005', 'Ann', '', 78)",
        "INSERT INTO broadcasts (id, slug, title, visibility, state, owner, created_at_ms, viewers_peak, details_json)
         VALUES ('0000000000001', 'final', 'Cup Final', 'public', 'live', '0000000000009', 5, 12, '{}')",
    ] {
        connection.execute(row).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_upgrade_keeps_users_and_broadcasts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("courtside.db");
    before_accounts(&path).await;
    let store = Store::open_file(&path).await.unwrap();
    let operator = store.find_user(UserId::from_bits(4)).await.unwrap().unwrap();
    assert_eq!((operator.name.as_str(), operator.roles.as_slice(), operator.created_at_ms), ("Ann", [Role::Operator].as_slice(), 77));
    assert!(store.find_user(UserId::from_bits(5)).await.unwrap().is_some(), "two of one name were allowed then");
    assert_eq!(store.find_account(UserId::from_bits(4)).await.unwrap(), None);
    let broadcast = store.find_broadcast(BroadcastId::from_bits(1)).await.unwrap().unwrap();
    assert_eq!((broadcast.slug.as_str(), broadcast.state, broadcast.viewers_peak), ("final", BroadcastState::Live, 12));
    assert_eq!((broadcast.owner, broadcast.moderators), (Some(UserId::from_bits(9)), Vec::new()));
    store.close().await;
    Store::open_file(&path).await.unwrap().close().await;
}

/// What the version before friends kept.
const BEFORE_PEOPLE: [&str; 2] = [
    "INSERT INTO users (id, name, roles, created_at_ms, email, email_key, name_key, password, picture_version)
         VALUES ('0000000000004', 'Ann', 'operator', 77, 'a@x.org', 'a@x.org', 'ann', '$argon2id$x', 3),
                ('0000000000005', 'Ben', '', 78, 'b@x.org', 'b@x.org', 'ben', '$argon2id$y', 0)",
    "INSERT INTO pictures (user_id, content_type, bytes) VALUES ('0000000000004', 'image/webp', 'x')",
];

fn first_two(all: &sqlx::migrate::Migrator) -> sqlx::migrate::Migrator {
    let earlier: Vec<_> = all.iter().take(2).cloned().collect();
    sqlx::migrate::Migrator { migrations: earlier.into(), ..sqlx::migrate::Migrator::DEFAULT }
}

async fn keeps_accounts_which_then_have_friends(place: &Place) {
    let store = place.open().await;
    let (ann, ben) = (UserId::from_bits(4), UserId::from_bits(5));
    let account = store.find_account(ann).await.unwrap().unwrap();
    assert_eq!((account.email.as_str(), account.picture_version, account.hide_watching), ("a@x.org", 3, false));
    assert_eq!(store.find_picture(ann).await.unwrap().unwrap().bytes, b"x");
    assert_eq!(store.search_people(ann, "be", 9).await.unwrap()[0].id, ben);
    assert_eq!(store.wish_friendship(ann, ben, 1, 9).await.unwrap(), Wish::Asked { is_new: true });
    store.close().await;
}

#[tokio::test]
async fn an_upgrade_of_sqlite_keeps_accounts_which_then_have_friends() {
    let place = Place::sqlite().await;
    let Database::Sqlite(path) = &place.database else { unreachable!("it is SQLite") };
    let mut connection = sqlite::options(path).create_if_missing(true).connect().await.unwrap();
    first_two(&sqlite::migrations()).run_direct(&mut connection).await.unwrap();
    connection.execute(BEFORE_PEOPLE[0]).await.unwrap();
    connection.execute(BEFORE_PEOPLE[1].replace("'x')", "x'78')").as_str()).await.unwrap();
    connection.close().await.unwrap();
    keeps_accounts_which_then_have_friends(&place).await;
}

#[tokio::test]
async fn an_upgrade_of_postgresql_keeps_accounts_which_then_have_friends() {
    let place = Place::postgres().await;
    let Database::Postgres(options) = &place.database else { unreachable!("it is PostgreSQL") };
    let mut connection = options.connect().await.unwrap();
    first_two(&postgres::migrations()).run_direct(&mut connection).await.unwrap();
    for row in BEFORE_PEOPLE {
        connection.execute(row).await.unwrap();
    }
    connection.close().await.unwrap();
    keeps_accounts_which_then_have_friends(&place).await;
}

#[tokio::test]
async fn a_backup_of_an_earlier_version_is_restored_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let (old, path) = (dir.path().join("old.db"), dir.path().join("courtside.db"));
    before_accounts(&old).await;
    let database = Database::Sqlite(path.clone());
    assert_eq!(restore(&database, &old).await.unwrap(), None);
    let store = Store::open(&database).await.unwrap();
    assert!(store.find_user(UserId::from_bits(4)).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("courtside.db");
    Store::open_file(&path).await.unwrap().close().await;
    let mut connection = sqlite::options(&path).connect().await.unwrap();
    let note = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)";
    connection.execute(note).await.unwrap();
    connection.close().await.unwrap();
    assert!(matches!(Store::open_file(&path).await, Err(StoreError::Migrate { .. })));
}
