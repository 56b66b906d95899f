//! The tables `moderator_actions` and `reports`.

use async_trait::async_trait;

use super::{Columns, parsed, signed, word};
use crate::ids::{ActionId, BroadcastId};
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{ActionRecord, ChatPlace, Moderation, ModeratorAction, NamedUser, ReportReason, ReportRecord, StoreError};

const ADD_ACTION: &str =
    "INSERT INTO moderator_actions (id, broadcast, at_ms, by_id, by_name, action, on_id, on_name, message, seconds, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING";
const ACTIONS: &str = "SELECT * FROM moderator_actions WHERE broadcast = $1 ORDER BY at_ms DESC, id DESC LIMIT $2";
const ACTIONS_BEFORE: &str = "SELECT * FROM moderator_actions WHERE broadcast = $1
     AND (at_ms, id) < (SELECT at_ms, id FROM moderator_actions WHERE id = $3) ORDER BY at_ms DESC, id DESC LIMIT $2";
const COUNT_OPEN: &str = "SELECT COUNT(*) AS n FROM reports WHERE broadcast = $1 AND resolved_at_ms IS NULL";
const ADD_REPORT: &str = "INSERT INTO reports
         (broadcast, epoch, seq, reporter, reporter_name, reason, note, at_ms, author, author_name, text, sent_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (broadcast, epoch, seq, reporter) DO NOTHING";
const OPEN: &str = "SELECT r.*, (SELECT MIN(f.at_ms) FROM reports f
         WHERE f.broadcast = r.broadcast AND f.epoch = r.epoch AND f.seq = r.seq AND f.resolved_at_ms IS NULL) AS first_at_ms
     FROM reports r WHERE r.broadcast = $1 AND r.resolved_at_ms IS NULL
     ORDER BY first_at_ms, r.epoch, r.seq, r.at_ms, r.reporter LIMIT $2";
const RESOLVE: &str = "UPDATE reports SET resolved_at_ms = $4
     WHERE broadcast = $1 AND epoch = $2 AND seq = $3 AND resolved_at_ms IS NULL RETURNING *";

macro_rules! moderation {
    ($Database:ty) => {
        #[async_trait]
        impl Moderation for $Database {
            async fn add_action(&self, action: &ActionRecord) -> Result<(), StoreError> {
                sqlx::query(ADD_ACTION)
                    .bind(action.id.to_string())
                    .bind(action.broadcast.to_string())
                    .bind(signed(action.at_ms))
                    .bind(action.by.id.to_string())
                    .bind(&action.by.name)
                    .bind(action_word(action.action))
                    .bind(action.on.as_ref().map(|on| on.id.to_string()))
                    .bind(action.on.as_ref().map(|on| &on.name))
                    .bind(&action.message)
                    .bind(action.seconds.map(i64::from))
                    .bind(&action.note)
                    .execute(&self.writer)
                    .await?;
                Ok(())
            }

            async fn actions_on(
                &self,
                broadcast: BroadcastId,
                before: Option<ActionId>,
                most: u32,
            ) -> Result<Vec<ActionRecord>, StoreError> {
                let query = sqlx::query(if before.is_some() { ACTIONS_BEFORE } else { ACTIONS });
                let query = query.bind(broadcast.to_string()).bind(i64::from(most));
                let query = match before {
                    Some(before) => query.bind(before.to_string()),
                    None => query,
                };
                query.fetch_all(&self.readers).await?.iter().map(read_action).collect()
            }

            async fn add_report(&self, report: &ReportRecord, most: u32) -> Result<bool, StoreError> {
                let broadcast = report.broadcast.to_string();
                let open = sqlx::query(COUNT_OPEN).bind(&broadcast).fetch_one(&self.writer).await?;
                if open.number("n")? >= u64::from(most) {
                    return Ok(false);
                }
                let done = sqlx::query(ADD_REPORT)
                    .bind(broadcast)
                    .bind(signed(report.place.0))
                    .bind(signed(report.place.1))
                    .bind(report.by.id.to_string())
                    .bind(&report.by.name)
                    .bind(reason_word(report.reason))
                    .bind(&report.note)
                    .bind(signed(report.at_ms))
                    .bind(report.author.id.to_string())
                    .bind(&report.author.name)
                    .bind(&report.text)
                    .bind(signed(report.sent_at_ms))
                    .execute(&self.writer)
                    .await?;
                Ok(done.rows_affected() > 0)
            }

            async fn open_reports(&self, broadcast: BroadcastId, most: u32) -> Result<Vec<ReportRecord>, StoreError> {
                let rows = sqlx::query(OPEN).bind(broadcast.to_string()).bind(i64::from(most)).fetch_all(&self.readers).await?;
                rows.iter().map(read_report).collect()
            }

            async fn resolve_reports(
                &self,
                broadcast: BroadcastId,
                place: ChatPlace,
                now_ms: u64,
            ) -> Result<Option<ReportRecord>, StoreError> {
                let query = sqlx::query(RESOLVE).bind(broadcast.to_string()).bind(signed(place.0)).bind(signed(place.1));
                let rows = query.bind(signed(now_ms)).fetch_all(&self.writer).await?;
                rows.first().map(read_report).transpose()
            }
        }
    };
}
moderation!(Sqlite);
moderation!(Postgres);

fn read_action(row: &impl Columns) -> Result<ActionRecord, StoreError> {
    const ACTIONS: [ModeratorAction; 11] = [
        ModeratorAction::Delete,
        ModeratorAction::TimeOut,
        ModeratorAction::Ban,
        ModeratorAction::Lift,
        ModeratorAction::Pin,
        ModeratorAction::Unpin,
        ModeratorAction::Modes,
        ModeratorAction::Words,
        ModeratorAction::Resolve,
        ModeratorAction::Approve,
        ModeratorAction::Refuse,
    ];
    let on = row.maybe_text("on_id")?.map(|id| parsed("on_id", &id)).transpose()?;
    let on_name = row.maybe_text("on_name")?.unwrap_or_default();
    Ok(ActionRecord {
        id: row.id("id")?,
        broadcast: row.id("broadcast")?,
        at_ms: row.number("at_ms")?,
        by: NamedUser { id: row.id("by_id")?, name: row.text("by_name")? },
        action: word("action", &row.text("action")?, &ACTIONS, action_word)?,
        on: on.map(|id| NamedUser { id, name: on_name }),
        message: row.maybe_text("message")?,
        seconds: row.maybe_number("seconds")?.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        note: row.maybe_text("note")?,
    })
}

fn read_report(row: &impl Columns) -> Result<ReportRecord, StoreError> {
    const REASONS: [ReportReason; 4] = [ReportReason::Abuse, ReportReason::Spam, ReportReason::Spoiler, ReportReason::Other];
    Ok(ReportRecord {
        broadcast: row.id("broadcast")?,
        place: (row.number("epoch")?, row.number("seq")?),
        author: NamedUser { id: row.id("author")?, name: row.text("author_name")? },
        text: row.text("text")?,
        sent_at_ms: row.number("sent_at_ms")?,
        by: NamedUser { id: row.id("reporter")?, name: row.text("reporter_name")? },
        reason: word("reason", &row.text("reason")?, &REASONS, reason_word)?,
        note: row.maybe_text("note")?,
        at_ms: row.number("at_ms")?,
    })
}

const fn action_word(action: ModeratorAction) -> &'static str {
    match action {
        ModeratorAction::Delete => "delete",
        ModeratorAction::TimeOut => "time_out",
        ModeratorAction::Ban => "ban",
        ModeratorAction::Lift => "lift",
        ModeratorAction::Pin => "pin",
        ModeratorAction::Unpin => "unpin",
        ModeratorAction::Modes => "modes",
        ModeratorAction::Words => "words",
        ModeratorAction::Resolve => "resolve",
        ModeratorAction::Approve => "approve",
        ModeratorAction::Refuse => "refuse",
    }
}

const fn reason_word(reason: ReportReason) -> &'static str {
    match reason {
        ReportReason::Abuse => "abuse",
        ReportReason::Spam => "spam",
        ReportReason::Spoiler => "spoiler",
        ReportReason::Other => "other",
    }
}
