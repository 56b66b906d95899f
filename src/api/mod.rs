//! The REST interface under `/api/v1`: one file a resource, every error as problem+json (RFC 9457), described by
//! [`openapi`](openapi.rs) at `/api/v1/openapi.json`.
//!
//! Handlers read, ask [`Live`] and write; they decide nothing.

mod broadcasts;
mod me;
mod openapi;
mod posters;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, delete, get, post};

use crate::signaling::Live;
use crate::signaling::http::{allow_any_origin, method_not_allowed};
use crate::signaling::refusal::Refusal;

/// Everything under `/api`.
pub fn router(live: Live) -> Router {
    let broadcasts = Router::new()
        .route("/", get(broadcasts::list).post(broadcasts::create))
        .route("/{broadcast}", get(broadcasts::find).patch(broadcasts::change).delete(broadcasts::end))
        .route("/{broadcast}/markers", post(broadcasts::mark))
        .route("/{broadcast}/markers/{marker}", delete(broadcasts::unmark))
        .route("/{broadcast}/poster", get(posters::get).put(posters::put));
    Router::new()
        .nest("/api/v1/broadcasts", broadcasts)
        .route("/api/v1/me", get(me::get))
        .route("/api/v1/openapi.json", get(openapi::get))
        .route("/api/{*anything}", any(async || Refusal::NotFound("resource")))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(allow_any_origin))
        .with_state(live)
}

#[cfg(test)]
mod tests;
