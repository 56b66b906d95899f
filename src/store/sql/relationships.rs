//! The tables `friendships`, `blocks` and `follows`.

use async_trait::async_trait;

use super::{Columns, folded, parsed, signed, word};
use crate::ids::{BroadcastId, UserId};
use crate::limits::RELATED_LISTED_MAX;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{PersonRecord, Relation, Relationships, StandingRecord, StoreError, Ties, Wish};

/// What [`read_person`] reads, of `users` as `$1` sees them.
macro_rules! person_columns {
    () => {
        "users.id, users.name, users.picture_version, f.relation, f.since_ms, w.followed"
    };
}
macro_rules! person_joins {
    () => {
        " LEFT JOIN friendships f ON f.user_id = $1 AND f.other_id = users.id
          LEFT JOIN follows w ON w.follower = $1 AND w.followed = users.id "
    };
}
macro_rules! not_hidden {
    () => {
        " users.password IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blocks
              WHERE (blocker = $1 AND blocked = users.id) OR (blocker = users.id AND blocked = $1)) "
    };
}
pub(super) use {not_hidden, person_columns, person_joins};

/// Whether `$2` is somebody else with an account, and neither of the two has blocked the other.
const IS_SEEN: &str = concat!("SELECT COUNT(*) AS n FROM users WHERE users.id = $2 AND users.id <> $1 AND", not_hidden!());
const RELATION: &str = "SELECT relation FROM friendships WHERE user_id = $1 AND other_id = $2";
const COUNT_FRIENDS: &str = "SELECT COUNT(*) AS n FROM friendships WHERE user_id = $1";
/// In the order of the ids, whoever asks: of two who ask each other at the same moment, one waits for the other.
const ASK: &str = "INSERT INTO friendships (user_id, other_id, relation, since_ms) VALUES ($1, $2, $3, $5), ($2, $1, $4, $5)
     ON CONFLICT (user_id, other_id) DO NOTHING";
const ACCEPT: &str = "UPDATE friendships SET relation = 'friend', since_ms = $3
     WHERE (user_id = $1 AND other_id = $2) OR (user_id = $2 AND other_id = $1)";
const END: &str = "DELETE FROM friendships WHERE (user_id = $1 AND other_id = $2) OR (user_id = $2 AND other_id = $1)";
const COUNT_BLOCKS: &str = "SELECT COUNT(*) AS n FROM blocks WHERE blocker = $1 AND blocked <> $2";
const BLOCK: &str = "INSERT INTO blocks (blocker, blocked, at_ms) VALUES ($1, $2, $3) ON CONFLICT (blocker, blocked) DO NOTHING";
const UNBLOCK: &str = "DELETE FROM blocks WHERE blocker = $1 AND blocked = $2";
const END_FOLLOWS: &str = "DELETE FROM follows WHERE (follower = $1 AND followed = $2) OR (follower = $2 AND followed = $1)";
const COUNT_FOLLOWS: &str = "SELECT COUNT(*) AS n FROM follows WHERE follower = $1 AND followed <> $2";
const FOLLOW: &str = "INSERT INTO follows (follower, followed, at_ms) VALUES ($1, $2, $3) ON CONFLICT (follower, followed) DO NOTHING";
const UNFOLLOW: &str = "DELETE FROM follows WHERE follower = $1 AND followed = $2";
const FRIENDS: &str = concat!(
    "SELECT ",
    person_columns!(),
    " FROM users",
    person_joins!(),
    "WHERE f.relation IS NOT NULL ORDER BY users.name_key, users.id LIMIT $2"
);
const BLOCKED: &str = "SELECT b.blocked AS id, users.name, users.picture_version, b.at_ms FROM blocks b
     LEFT JOIN users ON users.id = b.blocked AND users.password IS NOT NULL
     WHERE b.blocker = $1 ORDER BY users.name_key IS NULL, users.name_key, b.blocked LIMIT $2";
const FOLLOWED: &str = concat!(
    "SELECT ",
    person_columns!(),
    " FROM users",
    person_joins!(),
    "WHERE w.followed IS NOT NULL ORDER BY users.name_key, users.id LIMIT $2"
);
const FRIEND_IDS: &str = "SELECT other_id FROM friendships WHERE user_id = $1 AND relation = 'friend' ORDER BY other_id LIMIT $2";
const HIDDEN_IDS: &str = "SELECT blocked AS id FROM blocks WHERE blocker = $1 UNION SELECT id FROM
     (SELECT blocker AS id FROM blocks WHERE blocked = $1 ORDER BY at_ms DESC, blocker LIMIT $2) AS blockers";
const SEE: &str = concat!("SELECT ", person_columns!(), " FROM users", person_joins!(), "WHERE users.id = $2 AND", not_hidden!());
const SEARCH: &str = concat!(
    "SELECT ",
    person_columns!(),
    " FROM users",
    person_joins!(),
    "WHERE users.name_key >= $2 AND users.name_key < $3 AND users.id <> $1 AND",
    not_hidden!(),
    "ORDER BY users.name_key, users.id LIMIT $4"
);
const STANDING: &str = "SELECT
     (SELECT COUNT(*) FROM follows WHERE follower = $2 AND followed = owner) AS follows,
     (SELECT COUNT(*) FROM friendships WHERE user_id = $2 AND other_id = owner AND relation = 'friend') AS is_friend
     FROM broadcasts WHERE id = $1";

macro_rules! relationships {
    ($Database:ty) => {
        #[async_trait]
        impl Relationships for $Database {
            async fn wish_friendship(&self, from: UserId, to: UserId, now_ms: u64, most: u32) -> Result<Wish, StoreError> {
                let (from_id, to_id) = (from.to_string(), to.to_string());
                let mut transaction = self.writer.begin().await?;
                let seen = sqlx::query(IS_SEEN).bind(&from_id).bind(&to_id).fetch_one(&mut *transaction).await?;
                if seen.number("n")? == 0 {
                    return Ok(Wish::Nobody);
                }
                // A second look where the other one has asked in between.
                for _ in 0..2 {
                    let found = sqlx::query(RELATION).bind(&from_id).bind(&to_id).fetch_optional(&mut *transaction).await?;
                    match found.map(|row| read_relation(&row.text("relation")?)).transpose()? {
                        Some(Relation::Friend) => return Ok(Wish::Friends { is_new: false }),
                        Some(Relation::Outgoing) => return Ok(Wish::Asked { is_new: false }),
                        Some(Relation::Incoming) => {
                            let query = sqlx::query(ACCEPT).bind(&from_id).bind(&to_id).bind(signed(now_ms));
                            query.execute(&mut *transaction).await?;
                            transaction.commit().await?;
                            return Ok(Wish::Friends { is_new: true });
                        }
                        Some(Relation::None | Relation::Blocked) | None => {}
                    }
                    for one in [&from_id, &to_id] {
                        let count = sqlx::query(COUNT_FRIENDS).bind(one).fetch_one(&mut *transaction).await?;
                        if count.number("n")? >= u64::from(most) {
                            return Ok(Wish::Full);
                        }
                    }
                    let (low, high) = if from_id < to_id { (&from_id, &to_id) } else { (&to_id, &from_id) };
                    let is_low = *low == from_id;
                    let words = [Relation::Outgoing, Relation::Incoming].map(relation_word);
                    let (of_low, of_high) = if is_low { (words[0], words[1]) } else { (words[1], words[0]) };
                    let query = sqlx::query(ASK).bind(low).bind(high).bind(of_low).bind(of_high).bind(signed(now_ms));
                    if query.execute(&mut *transaction).await?.rows_affected() > 0 {
                        transaction.commit().await?;
                        return Ok(Wish::Asked { is_new: true });
                    }
                }
                Ok(Wish::Nobody)
            }

            async fn end_friendship(&self, one: UserId, other: UserId) -> Result<bool, StoreError> {
                let done = sqlx::query(END).bind(one.to_string()).bind(other.to_string()).execute(&self.writer).await?;
                Ok(done.rows_affected() > 0)
            }

            async fn block(&self, blocker: UserId, blocked: UserId, now_ms: u64, most: u32) -> Result<bool, StoreError> {
                let (blocker, blocked) = (blocker.to_string(), blocked.to_string());
                let mut transaction = self.writer.begin().await?;
                let count = sqlx::query(COUNT_BLOCKS).bind(&blocker).bind(&blocked).fetch_one(&mut *transaction).await?;
                if count.number("n")? >= u64::from(most) {
                    return Ok(false);
                }
                sqlx::query(BLOCK).bind(&blocker).bind(&blocked).bind(signed(now_ms)).execute(&mut *transaction).await?;
                for end in [END, END_FOLLOWS] {
                    sqlx::query(end).bind(&blocker).bind(&blocked).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(true)
            }

            async fn unblock(&self, blocker: UserId, blocked: UserId) -> Result<(), StoreError> {
                sqlx::query(UNBLOCK).bind(blocker.to_string()).bind(blocked.to_string()).execute(&self.writer).await?;
                Ok(())
            }

            async fn follow(&self, follower: UserId, followed: UserId, now_ms: u64, most: u32) -> Result<Option<bool>, StoreError> {
                let (follower, followed) = (follower.to_string(), followed.to_string());
                let mut transaction = self.writer.begin().await?;
                let seen = sqlx::query(IS_SEEN).bind(&follower).bind(&followed).fetch_one(&mut *transaction).await?;
                if seen.number("n")? == 0 {
                    return Ok(None);
                }
                let count = sqlx::query(COUNT_FOLLOWS).bind(&follower).bind(&followed).fetch_one(&mut *transaction).await?;
                if count.number("n")? >= u64::from(most) {
                    return Ok(Some(false));
                }
                sqlx::query(FOLLOW).bind(&follower).bind(&followed).bind(signed(now_ms)).execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(Some(true))
            }

            async fn unfollow(&self, follower: UserId, followed: UserId) -> Result<(), StoreError> {
                sqlx::query(UNFOLLOW).bind(follower.to_string()).bind(followed.to_string()).execute(&self.writer).await?;
                Ok(())
            }

            async fn friends_of(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError> {
                let query = sqlx::query(FRIENDS).bind(user.to_string()).bind(i64::from(RELATED_LISTED_MAX));
                query.fetch_all(&self.readers).await?.iter().map(read_person).collect()
            }

            async fn blocked_by(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError> {
                let query = sqlx::query(BLOCKED).bind(user.to_string()).bind(i64::from(RELATED_LISTED_MAX));
                query.fetch_all(&self.readers).await?.iter().map(read_blocked).collect()
            }

            async fn followed_by(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError> {
                let query = sqlx::query(FOLLOWED).bind(user.to_string()).bind(i64::from(RELATED_LISTED_MAX));
                query.fetch_all(&self.readers).await?.iter().map(read_person).collect()
            }

            async fn ties_of(&self, user: UserId, blockers: u32) -> Result<Ties, StoreError> {
                let query = sqlx::query(FRIEND_IDS).bind(user.to_string()).bind(i64::from(RELATED_LISTED_MAX));
                let friends = query.fetch_all(&self.readers).await?.iter().map(|row| row.id("other_id")).collect::<Result<_, _>>()?;
                let hidden = sqlx::query(HIDDEN_IDS).bind(user.to_string()).bind(i64::from(blockers)).fetch_all(&self.readers).await?;
                Ok(Ties { friends, hidden: hidden.iter().map(|row| row.id("id")).collect::<Result<_, _>>()? })
            }

            async fn see_person(&self, viewer: UserId, id: UserId) -> Result<Option<PersonRecord>, StoreError> {
                let row = sqlx::query(SEE).bind(viewer.to_string()).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read_person).transpose()
            }

            async fn search_people(&self, viewer: UserId, beginning: &str, most: u32) -> Result<Vec<PersonRecord>, StoreError> {
                let from = folded(beginning);
                // Above everything that begins so, below everything else.
                let to = format!("{from}\u{10ffff}");
                let query = sqlx::query(SEARCH).bind(viewer.to_string()).bind(from).bind(to).bind(i64::from(most));
                query.fetch_all(&self.readers).await?.iter().map(read_person).collect()
            }

            async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<StandingRecord, StoreError> {
                let query = sqlx::query(STANDING).bind(broadcast.to_string()).bind(user.to_string());
                let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(StandingRecord::default()) };
                Ok(StandingRecord { follows: row.number("follows")? > 0, is_friend: row.number("is_friend")? > 0 })
            }
        }
    };
}
relationships!(Sqlite);
relationships!(Postgres);

pub(super) fn read_person(row: &impl Columns) -> Result<PersonRecord, StoreError> {
    let relation = row.maybe_text("relation")?;
    Ok(PersonRecord {
        id: row.id("id")?,
        name: row.text("name")?,
        picture_version: row.count("picture_version")?,
        relation: relation.map_or(Ok(Relation::None), |relation| read_relation(&relation))?,
        since_ms: row.maybe_number("since_ms")?.unwrap_or(0),
        follows: row.maybe_text("followed")?.is_some(),
    })
}

fn read_blocked(row: &impl Columns) -> Result<PersonRecord, StoreError> {
    Ok(PersonRecord {
        id: parsed("blocked", &row.text("id")?)?,
        name: row.maybe_text("name")?.unwrap_or_default(),
        picture_version: row.maybe_number("picture_version")?.map_or(0, |version| u32::try_from(version).unwrap_or(u32::MAX)),
        relation: Relation::Blocked,
        since_ms: row.number("at_ms")?,
        follows: false,
    })
}

fn read_relation(text: &str) -> Result<Relation, StoreError> {
    word("relation", text, &[Relation::Outgoing, Relation::Incoming, Relation::Friend], relation_word)
}

const fn relation_word(relation: Relation) -> &'static str {
    match relation {
        Relation::None => "none",
        Relation::Outgoing => "outgoing",
        Relation::Incoming => "incoming",
        Relation::Friend => "friend",
        Relation::Blocked => "blocked",
    }
}
