//! `/api/v1/broadcasts/{broadcast}/audit`, `reports`, `restrained` and `words`: for those who moderate it; and `heat`, for everybody.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::asker::PRIVATE;
use super::page::{Page, read_before};
use crate::limits::HEAT_KEPT;
use crate::signaling::Live;
use crate::signaling::http::{bearer, read_json};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::ReportList;

pub(super) async fn audit(
    State(live): State<Live>,
    Path(name): Path<String>,
    query: Result<Query<Page>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let before = read_before(query, "the id of an action")?;
    let who = bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(live.audit(who.as_ref(), &name, before).await?)).into_response())
}

pub(super) async fn reports(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    let reports = live.reports(who.as_ref(), &name).await?;
    Ok(([PRIVATE], Json(ReportList { reports })).into_response())
}

pub(super) async fn restrained(
    State(live): State<Live>,
    Path(name): Path<String>,
    query: Result<Query<Page>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let before = read_before(query, "the id of a person")?;
    let who = bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(live.restrained(who.as_ref(), &name, before).await?)).into_response())
}

pub(super) async fn words(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(live.forbidden_words(who.as_ref(), &name).await?)).into_response())
}

pub(super) async fn heat(State(live): State<Live>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let caching = (header::CACHE_CONTROL, format!("public, max-age={}", HEAT_KEPT.as_secs()));
    Ok(([caching], Json(live.heat(&name).await?)).into_response())
}

pub(super) async fn resolve(
    State(live): State<Live>,
    Path((name, message)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let who = bearer(&live, &headers)?;
    let message = message.parse().map_err(|_| Refusal::NotFound("report"))?;
    let resolution = read_json(&headers, body).await?;
    live.resolve(who.as_ref(), &name, message, resolution).await?;
    Ok(StatusCode::NO_CONTENT)
}
