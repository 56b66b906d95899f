//! `/api/v1/me/messages`: what the bearer and others have written to each other.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asker::{Asker, PRIVATE};
use super::users::parse;
use crate::accounts::Asked;
use crate::signaling::Live;
use crate::signaling::http::{needed_bearer, read_json, read_query};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{ConversationList, NewPrivateMessage, ReadMark};

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    before: Option<String>,
}

pub(super) async fn list(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let conversations = live.private_conversations(&who).await?;
    Ok(([PRIVATE], Json(ConversationList { conversations })).into_response())
}

pub(super) async fn read(
    State(live): State<Live>,
    Path(user): Path<String>,
    query: Result<Query<Page>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Page { before } = read_query(query)?;
    let who = needed_bearer(&live, &headers)?;
    let wrong = |_| Refusal::InvalidValue { field: "before", rule: "the number of a message" };
    let before = before.map(|before| before.parse()).transpose().map_err(wrong)?;
    Ok(([PRIVATE], Json(live.private_messages(&who, parse(&user)?, before).await?)).into_response())
}

/// 201, or 200 when the message is there already.
pub(super) async fn write(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let new: NewPrivateMessage = read_json(&headers, body).await?;
    let answer = async {
        let (message, is_new) = live.write_to(&who, parse(&user)?, new).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, [PRIVATE], Json(message)).into_response())
    };
    Ok(asker.counted_for(&live, Asked::PrivateMessage, who.sub, answer).await)
}

pub(super) async fn mark_read(
    State(live): State<Live>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let ReadMark { up_to } = read_json(&headers, body).await?;
    live.mark_read(&who, parse(&user)?, up_to).await?;
    Ok(StatusCode::NO_CONTENT)
}
