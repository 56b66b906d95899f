//! The table `broadcasts`.

use async_trait::async_trait;

use super::{Columns, list, parsed, signed, word};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{BROADCASTS_EXPORTED_MAX, BROADCASTS_LOADED_MAX};
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{BroadcastRecord, BroadcastState, Broadcasts, StoreError, Visibility};

const SAVE: &str =
    "INSERT INTO broadcasts (id, slug, title, visibility, state, owner, moderators, created_at_ms, started_at_ms, ended_at_ms,
                                            viewers_peak, details_json)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, title = excluded.title, visibility = excluded.visibility,
         state = excluded.state, owner = excluded.owner, moderators = excluded.moderators, started_at_ms = excluded.started_at_ms,
         ended_at_ms = excluded.ended_at_ms, viewers_peak = excluded.viewers_peak, details_json = excluded.details_json";
const LOAD: &str =
    "SELECT * FROM broadcasts WHERE state <> 'ended' OR ended_at_ms >= $1 ORDER BY state = 'ended', created_at_ms DESC, id LIMIT $2";
const FIND_BY_SLUG: &str = "SELECT * FROM broadcasts WHERE slug = $1 ORDER BY state = 'ended', created_at_ms DESC, id LIMIT 1";
const FIND: &str = "SELECT * FROM broadcasts WHERE id = $1";
const OF_OWNER: &str = "SELECT * FROM broadcasts WHERE owner = $1 ORDER BY created_at_ms DESC, id LIMIT $2";

macro_rules! broadcasts {
    ($Database:ty) => {
        #[async_trait]
        impl Broadcasts for $Database {
            async fn save_broadcast(&self, broadcast: &BroadcastRecord) -> Result<(), StoreError> {
                let result = sqlx::query(SAVE)
                    .bind(broadcast.id.to_string())
                    .bind(&broadcast.slug)
                    .bind(&broadcast.title)
                    .bind(visibility_word(broadcast.visibility))
                    .bind(state_word(broadcast.state))
                    .bind(broadcast.owner.map(|owner| owner.to_string()))
                    .bind(broadcast.moderators.iter().map(UserId::to_string).collect::<Vec<_>>().join(","))
                    .bind(signed(broadcast.created_at_ms))
                    .bind(broadcast.started_at_ms.map(signed))
                    .bind(broadcast.ended_at_ms.map(signed))
                    .bind(i64::from(broadcast.viewers_peak))
                    .bind(&broadcast.details_json)
                    .execute(&self.writer)
                    .await;
                match result {
                    Ok(_) => Ok(()),
                    Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                        Err(StoreError::SlugInUse { slug: broadcast.slug.clone() })
                    }
                    Err(error) => Err(error.into()),
                }
            }

            async fn load_broadcasts(&self, ended_since_ms: u64) -> Result<Vec<BroadcastRecord>, StoreError> {
                let most = i64::from(BROADCASTS_LOADED_MAX);
                let rows = sqlx::query(LOAD).bind(signed(ended_since_ms)).bind(most).fetch_all(&self.readers).await?;
                rows.iter().map(read).collect()
            }

            async fn find_broadcast_by_slug(&self, slug: &str) -> Result<Option<BroadcastRecord>, StoreError> {
                let row = sqlx::query(FIND_BY_SLUG).bind(slug).fetch_optional(&self.readers).await?;
                row.as_ref().map(read).transpose()
            }

            async fn find_broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRecord>, StoreError> {
                let row = sqlx::query(FIND).bind(id.to_string()).fetch_optional(&self.readers).await?;
                row.as_ref().map(read).transpose()
            }

            async fn broadcasts_of(&self, owner: UserId) -> Result<Vec<BroadcastRecord>, StoreError> {
                let most = i64::from(BROADCASTS_EXPORTED_MAX);
                let rows = sqlx::query(OF_OWNER).bind(owner.to_string()).bind(most).fetch_all(&self.readers).await?;
                rows.iter().map(read).collect()
            }
        }
    };
}
broadcasts!(Sqlite);
broadcasts!(Postgres);

fn read(row: &impl Columns) -> Result<BroadcastRecord, StoreError> {
    const STATES: [BroadcastState; 4] = [BroadcastState::Idle, BroadcastState::Live, BroadcastState::Reconnecting, BroadcastState::Ended];
    const VISIBILITIES: [Visibility; 2] = [Visibility::Public, Visibility::Unlisted];
    Ok(BroadcastRecord {
        id: row.id("id")?,
        slug: row.text("slug")?,
        title: row.text("title")?,
        visibility: word("visibility", &row.text("visibility")?, &VISIBILITIES, visibility_word)?,
        state: word("state", &row.text("state")?, &STATES, state_word)?,
        owner: row.maybe_text("owner")?.map(|owner| parsed("owner", &owner)).transpose()?,
        moderators: list(&row.text("moderators")?, |id| parsed("moderators", id))?,
        created_at_ms: row.number("created_at_ms")?,
        started_at_ms: row.maybe_number("started_at_ms")?,
        ended_at_ms: row.maybe_number("ended_at_ms")?,
        viewers_peak: row.count("viewers_peak")?,
        details_json: row.text("details_json")?,
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
