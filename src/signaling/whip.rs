//! WHIP, RFC 9725: an encoder publishes with one POST.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use axum::routing::post;

use super::http::{accepts, publishing_bearer};
use super::live::{Live, Who};
use super::media_session::{self, SDP, SDP_FRAGMENT};
use super::protocol::Intent;
use super::refusal::Refusal;

/// `/whip/{broadcast}` and the sessions below it.
pub(super) fn router() -> Router<Live> {
    Router::new().route("/whip/{broadcast}", post(publish).options(async || accepts(HeaderName::from_static("accept-post"), SDP))).route(
        "/whip/{broadcast}/{session}",
        axum::routing::patch(patch).delete(delete).options(async || accepts(HeaderName::from_static("accept-patch"), SDP_FRAGMENT)),
    )
}

async fn publish(State(live): State<Live>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = Who { claims: publishing_bearer(&live, &headers).await?, session: None };
    let offer = media_session::read_offer(&headers, body).await?;
    let answered = live.publish(who, name.clone(), offer, true).await?;
    Ok(media_session::created(&live, "whip", &name, answered))
}

async fn patch(
    State(live): State<Live>,
    Path((_, peer)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    media_session::patch(&live, Intent::Publish, &peer, &headers, body).await
}

async fn delete(State(live): State<Live>, Path((_, peer)): Path<(String, String)>, headers: HeaderMap) -> Result<Response, Refusal> {
    media_session::delete(&live, Intent::Publish, &peer, &headers).await
}
