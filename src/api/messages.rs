//! `/api/v1/me/messages`: what the bearer and others have written to each other.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::asker::PRIVATE;
use super::between::Between;
use super::page::{Page, read_before};
use crate::accounts::Asked;
use crate::signaling::Live;
use crate::signaling::http::{needed_bearer, read_json};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{ConversationList, NewPrivateMessage, ReadMark};

pub(super) async fn list(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let conversations = live.private_conversations(&who).await?;
    Ok(([PRIVATE], Json(ConversationList { conversations })).into_response())
}

pub(super) async fn read(between: Between, query: Result<Query<Page>, QueryRejection>) -> Result<Response, Refusal> {
    let before = read_before(query, "the number of a message")?;
    let page = between.live.private_messages(&between.who, between.other()?, before).await?;
    Ok(([PRIVATE], Json(page)).into_response())
}

/// 201, or 200 when the message is there already.
pub(super) async fn write(between: Between, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let new: NewPrivateMessage = read_json(&headers, body).await?;
    let answer = async |live: &Live, who: &_, other| {
        let (message, is_new) = live.write_to(who, other, new).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, [PRIVATE], Json(message)))
    };
    Ok(between.counted(Asked::PrivateMessage, answer).await)
}

pub(super) async fn mark_read(between: Between, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let ReadMark { up_to } = read_json(&headers, body).await?;
    let mark = async |live: &Live, who: &_, other| live.mark_read(who, other, up_to).await.map(|()| StatusCode::NO_CONTENT);
    Ok(between.counted(Asked::ReadMark, mark).await)
}
