//! `/api/v1/broadcasts/{broadcast}/moderators`: who moderates it, said by its owner or an operator.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::asker::PRIVATE;
use super::users::parse;
use crate::signaling::Live;
use crate::signaling::http::bearer;
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::accounts::ModeratorList;

pub(super) async fn list(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(ModeratorList { moderators: live.moderators(who.as_ref(), &name)? })).into_response())
}

/// Only somebody with an account moderates: a guest is whoever has the browser.
pub(super) async fn add(
    State(live): State<Live>,
    Path((name, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let who = bearer(&live, &headers)?;
    // First whether they may ask, so that strangers learn nothing of who there is.
    live.moderators(who.as_ref(), &name)?;
    let (user, _) = live.accounts().person(parse(&user)?).await?;
    live.add_moderator(who.as_ref(), &name, user.id)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(live): State<Live>,
    Path((name, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let who = bearer(&live, &headers)?;
    live.remove_moderator(who.as_ref(), &name, parse(&user)?)?;
    Ok(StatusCode::NO_CONTENT)
}
