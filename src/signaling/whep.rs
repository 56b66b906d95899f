//! WHEP, draft-ietf-wish-whep: a player watches with one POST. The client offers; nothing to watch yet is 409 with `Retry-After`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use axum::routing::post;

use super::http::{accepts, bearer};
use super::live::{Live, Who};
use super::media_session::{self, SDP, SDP_FRAGMENT};
use super::protocol::Intent;
use super::refusal::Refusal;

/// `/whep/{broadcast}` and the sessions below it.
pub(super) fn router() -> Router<Live> {
    Router::new().route("/whep/{broadcast}", post(watch).options(async || accepts(HeaderName::from_static("accept-post"), SDP))).route(
        "/whep/{broadcast}/{session}",
        axum::routing::patch(patch).delete(delete).options(async || accepts(HeaderName::from_static("accept-patch"), SDP_FRAGMENT)),
    )
}

async fn watch(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = Who { claims: bearer(&live, &headers)?, session: None };
    let offer = media_session::read_offer(&headers, body).await?;
    let answered = live.view(who, name.clone(), offer, true).await?;
    Ok(media_session::created(&live, "whep", &name, answered))
}

async fn patch(
    State(live): State<Live>,
    Path((_, peer)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    media_session::patch(&live, Intent::View, &peer, &headers, body).await
}

async fn delete(State(live): State<Live>, Path((_, peer)): Path<(String, String)>, headers: HeaderMap) -> Result<Response, Refusal> {
    media_session::delete(&live, Intent::View, &peer, &headers).await
}
