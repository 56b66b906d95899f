//! `/api/v1/me`: who the bearer is. A stranger becomes a guest and is given the token that says so.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::signaling::Live;
use crate::signaling::http::bearer;
use crate::signaling::refusal::Refusal;

pub(super) async fn get(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(live.me(who))).into_response())
}
