//! The tables `conversations` and `private_messages`.

use async_trait::async_trait;

use super::relationships::{not_hidden, person_columns, person_joins, read_person};
use super::{Columns, signed};
use crate::ids::UserId;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use crate::store::{ConversationPage, ConversationRecord, PrivateMessageDraft, PrivateMessageRecord, PrivateMessages, StoreError};

const ARE_FRIENDS: &str = "SELECT COUNT(*) AS n FROM friendships WHERE user_id = $1 AND other_id = $2 AND relation = 'friend'";
/// Also the lock: who writes at the same moment waits here, and then sees what the other one has written.
const NEXT_NUMBER: &str = "INSERT INTO conversations (low, high, last_number, last_at_ms) VALUES ($1, $2, 1, $3)
     ON CONFLICT (low, high) DO UPDATE SET last_number = conversations.last_number + 1, last_at_ms = excluded.last_at_ms
     RETURNING last_number";
const KNOWN: &str = "SELECT * FROM private_messages WHERE low = $1 AND high = $2 AND sender = $3 AND nonce = $4";
const ADD: &str = "INSERT INTO private_messages (low, high, number, sender, nonce, text, sent_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const KEEP: &str = "DELETE FROM private_messages WHERE low = $1 AND high = $2 AND number <= $3";
const CONVERSATIONS: &str = concat!(
    "SELECT ",
    person_columns!(),
    ", m.low, m.high, m.number, m.sender, m.nonce, m.text, m.sent_at_ms,
       (SELECT COUNT(*) FROM private_messages p WHERE p.low = c.low AND p.high = c.high AND p.sender <> $1
           AND p.number > CASE WHEN c.low = $1 THEN c.low_read ELSE c.high_read END) AS unread
     FROM conversations c
     JOIN users ON users.id = CASE WHEN c.low = $1 THEN c.high ELSE c.low END
     JOIN private_messages m ON m.low = c.low AND m.high = c.high AND m.number = c.last_number",
    person_joins!(),
    "WHERE (c.low = $1 OR c.high = $1) AND",
    not_hidden!(),
    "ORDER BY c.last_at_ms DESC, users.id LIMIT $2"
);
const PAGE: &str = "SELECT * FROM private_messages WHERE low = $1 AND high = $2 AND number < $3 ORDER BY number DESC LIMIT $4";
const MARKS: &str = "SELECT low_read, high_read FROM conversations WHERE low = $1 AND high = $2";
const READ_BY_LOW: &str = "UPDATE conversations SET low_read = $3 WHERE low = $1 AND high = $2 AND low_read < $3 AND last_number >= $3";
const READ_BY_HIGH: &str = "UPDATE conversations SET high_read = $3 WHERE low = $1 AND high = $2 AND high_read < $3 AND last_number >= $3";
const OF_USER: &str =
    "SELECT * FROM private_messages WHERE low = $1 OR high = $1 ORDER BY sent_at_ms DESC, low DESC, high DESC, number DESC LIMIT $2";

macro_rules! private_messages {
    ($Database:ty) => {
        #[async_trait]
        impl PrivateMessages for $Database {
            async fn add_private_message(
                &self,
                draft: PrivateMessageDraft<'_>,
                keep: u32,
            ) -> Result<Option<(PrivateMessageRecord, bool)>, StoreError> {
                let PrivateMessageDraft { from, to, nonce, text, sent_at_ms } = draft;
                let (low, high) = pair(from, to);
                let mut transaction = self.writer.begin().await?;
                let friends = sqlx::query(ARE_FRIENDS).bind(from.to_string()).bind(to.to_string()).fetch_one(&mut *transaction).await?;
                if friends.number("n")? == 0 {
                    return Ok(None);
                }
                let query = sqlx::query(NEXT_NUMBER).bind(&low).bind(&high).bind(signed(sent_at_ms));
                let number = query.fetch_one(&mut *transaction).await?.number("last_number")?;
                let query = sqlx::query(KNOWN).bind(&low).bind(&high).bind(from.to_string()).bind(signed(nonce));
                if let Some(known) = query.fetch_optional(&mut *transaction).await? {
                    // The number that was taken is given back.
                    transaction.rollback().await?;
                    return Ok(Some((read(&known)?, false)));
                }
                sqlx::query(ADD)
                    .bind(&low)
                    .bind(&high)
                    .bind(signed(number))
                    .bind(from.to_string())
                    .bind(signed(nonce))
                    .bind(text)
                    .bind(signed(sent_at_ms))
                    .execute(&mut *transaction)
                    .await?;
                if let Some(surplus) = number.checked_sub(u64::from(keep)).filter(|surplus| *surplus > 0) {
                    sqlx::query(KEEP).bind(&low).bind(&high).bind(signed(surplus)).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                let message = PrivateMessageRecord { number, from, to, nonce, text: text.to_owned(), sent_at_ms };
                Ok(Some((message, true)))
            }

            async fn conversations_of(&self, user: UserId, most: u32) -> Result<Vec<ConversationRecord>, StoreError> {
                let rows = sqlx::query(CONVERSATIONS).bind(user.to_string()).bind(i64::from(most)).fetch_all(&self.readers).await?;
                rows.iter().map(read_conversation).collect()
            }

            async fn conversation(
                &self,
                user: UserId,
                with: UserId,
                before: Option<u64>,
                most: u32,
            ) -> Result<ConversationPage, StoreError> {
                let (low, high) = pair(user, with);
                let marks = sqlx::query(MARKS).bind(&low).bind(&high).fetch_optional(&self.readers).await?;
                let Some(marks) = marks else { return Ok(ConversationPage::default()) };
                let marks = [marks.number("low_read")?, marks.number("high_read")?];
                let [read_up_to, seen_up_to] = if low == user.to_string() { marks } else { [marks[1], marks[0]] };
                let query = sqlx::query(PAGE).bind(&low).bind(&high).bind(before.map_or(i64::MAX, signed)).bind(i64::from(most) + 1);
                let rows = query.fetch_all(&self.readers).await?;
                let more = rows.len() > most as usize;
                let messages = rows.iter().take(most as usize).rev().map(read).collect::<Result<_, _>>()?;
                Ok(ConversationPage { messages, more, read_up_to, seen_up_to })
            }

            async fn read_conversation(&self, user: UserId, with: UserId, up_to: u64) -> Result<Option<u64>, StoreError> {
                let (low, high) = pair(user, with);
                let query = sqlx::query(if low == user.to_string() { READ_BY_LOW } else { READ_BY_HIGH });
                let done = query.bind(low).bind(high).bind(signed(up_to)).execute(&self.writer).await?;
                Ok((done.rows_affected() > 0).then_some(up_to))
            }

            async fn private_messages_of(&self, user: UserId, most: u32) -> Result<Vec<PrivateMessageRecord>, StoreError> {
                let rows = sqlx::query(OF_USER).bind(user.to_string()).bind(i64::from(most)).fetch_all(&self.readers).await?;
                rows.iter().rev().map(read).collect()
            }
        }
    };
}
private_messages!(Sqlite);
private_messages!(Postgres);

/// Of two people, the one with the smaller id first.
fn pair(one: UserId, other: UserId) -> (String, String) {
    let (one, other) = (one.to_string(), other.to_string());
    if one < other { (one, other) } else { (other, one) }
}

fn read(row: &impl Columns) -> Result<PrivateMessageRecord, StoreError> {
    let (low, high, from) = (row.id("low")?, row.id("high")?, row.id("sender")?);
    Ok(PrivateMessageRecord {
        number: row.number("number")?,
        from,
        to: if from == low { high } else { low },
        nonce: row.number("nonce")?,
        text: row.text("text")?,
        sent_at_ms: row.number("sent_at_ms")?,
    })
}

fn read_conversation(row: &impl Columns) -> Result<ConversationRecord, StoreError> {
    Ok(ConversationRecord { with: read_person(row)?, last: read(row)?, unread: row.count("unread")? })
}
