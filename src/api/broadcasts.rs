//! `/api/v1/broadcasts`: making, finding, changing and ending broadcasts, and their markers.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::ids::MarkerId;
use crate::signaling::Live;
use crate::signaling::http::{bearer, read_json};
use crate::signaling::protocol::BroadcastChanges;
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::{BroadcastList, NewBroadcast, NewMarker};

/// What changes every second is not for caches.
const NO_STORE: (header::HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

pub(super) async fn list(State(live): State<Live>) -> Response {
    ([NO_STORE], Json(BroadcastList { broadcasts: live.list() })).into_response()
}

pub(super) async fn create(State(live): State<Live>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    let new: NewBroadcast = read_json(&headers, body).await?;
    let created = live.create(who.as_ref(), &new)?;
    let location = [(header::LOCATION, format!("/api/v1/broadcasts/{}", created.broadcast.id))];
    Ok((StatusCode::CREATED, location, [NO_STORE], Json(created)).into_response())
}

pub(super) async fn find(State(live): State<Live>, Path(name): Path<String>) -> Result<Response, Refusal> {
    Ok(([NO_STORE], Json(live.find(&name)?)).into_response())
}

/// Not for caches: it is the capability of whoever asks.
pub(super) async fn hls(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([NO_STORE], Json(live.hls_path(who.as_ref(), &name)?)).into_response())
}

pub(super) async fn change(
    State(live): State<Live>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    let changes: BroadcastChanges = read_json(&headers, body).await?;
    Ok(([NO_STORE], Json(live.change(who.as_ref(), &name, &changes)?)).into_response())
}

/// Ends it for good.
pub(super) async fn end(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([NO_STORE], Json(live.end(who.as_ref(), &name)?)).into_response())
}

pub(super) async fn mark(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    let new: NewMarker = read_json(&headers, body).await?;
    Ok((StatusCode::CREATED, [NO_STORE], Json(live.mark(who.as_ref(), &name, &new)?)).into_response())
}

pub(super) async fn unmark(
    State(live): State<Live>,
    Path((name, marker)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let who = bearer(&live, &headers)?;
    let marker: MarkerId = marker.parse().map_err(|_| Refusal::NotFound("marker"))?;
    live.unmark(who.as_ref(), &name, marker)?;
    Ok(StatusCode::NO_CONTENT)
}
