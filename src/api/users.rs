//! `/api/v1/users/{user}`: what everybody sees of a person, and the roles that operators give.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::asker::PRIVATE;
use super::posters::{CHECK_FIRST, FOREVER};
use crate::ids::UserId;
use crate::signaling::Live;
use crate::signaling::http::{bearer, needed_bearer, read_json};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::accounts::Roles;

pub(super) async fn get(State(live): State<Live>, Path(user): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(live.person(who.as_ref(), parse(&user)?).await?)).into_response())
}

pub(super) async fn picture(
    State(live): State<Live>,
    Path(user): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let picture = live.accounts().picture(parse(&user)?).await?;
    let etag = format!("\"{}\"", picture.version);
    let caching = if query == Some(format!("v={}", picture.version)) { FOREVER } else { CHECK_FIRST };
    let is_known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| known.contains(&etag));
    let head = [(header::ETAG, etag), (header::CACHE_CONTROL, caching.to_owned())];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    // A picture that somebody uploaded is never anything else to a browser.
    let guard = [(header::CONTENT_TYPE, picture.content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned())];
    Ok((head, guard, picture.bytes).into_response())
}

pub(super) async fn set_roles(
    State(live): State<Live>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    if !who.operator {
        return Err(Refusal::OperatorsOnly);
    }
    let Roles { roles } = read_json(&headers, body).await?;
    live.accounts().set_roles(parse(&user)?, &roles).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn parse(user: &str) -> Result<UserId, Refusal> {
    user.parse().map_err(|_| Refusal::NotFound("person"))
}
