//! `/api/v1/broadcasts/{id}/poster`: one still picture, taken by the publisher's page.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::limits::POSTER_BYTES_MAX;
use crate::signaling::Live;
use crate::signaling::http::{bearer, read_body};
use crate::signaling::refusal::Refusal;

/// Each version is a picture of its own, so an address that names its version never goes stale.
pub(super) const FOREVER: &str = "public, max-age=31536000, immutable";
pub(super) const CHECK_FIRST: &str = "public, no-cache";

pub(super) async fn get(
    State(live): State<Live>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (poster, current) = live.poster(&name)?;
    let etag = format!("\"{current}\"");
    let caching = if query == Some(format!("v={current}")) { FOREVER } else { CHECK_FIRST };
    let is_known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| known.contains(&etag));
    let head = [(header::ETAG, etag), (header::CACHE_CONTROL, caching.to_owned())];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    // A picture that somebody uploaded is never anything else to a browser.
    let guard = [(header::CONTENT_TYPE, poster.content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((head, guard, poster.bytes).into_response())
}

pub(super) async fn put(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = bearer(&live, &headers)?;
    live.may_publish(who.as_ref(), &name)?;
    let bytes = read_body(body, "a poster", POSTER_BYTES_MAX).await?;
    let version = live.set_poster(who.as_ref(), &name, &bytes)?;
    Ok((StatusCode::NO_CONTENT, [(header::ETAG, format!("\"{version}\""))]).into_response())
}
