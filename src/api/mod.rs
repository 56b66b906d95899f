//! The REST interface under `/api/v1`: one file a resource, every error as problem+json (RFC 9457), described by
//! [`openapi`](openapi.rs) at `/api/v1/openapi.json`.
//!
//! Handlers read, ask [`Live`] and write; they decide nothing.

mod account;
mod asker;
mod auth;
mod between;
mod broadcasts;
mod cookie;
mod me;
mod messages;
mod moderation;
mod moderators;
mod openapi;
mod page;
mod people;
mod posters;
mod stream_key;
mod users;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, delete, get, post, put};

use crate::signaling::Live;
use crate::signaling::http::{allow_any_origin, method_not_allowed};
use crate::signaling::refusal::Refusal;

/// Everything under `/api`. Reading one's own and what everybody may see is not counted; what costs (passwords, letters, changes) is.
pub fn router(live: Live) -> Router {
    let broadcasts = Router::new()
        .route("/", get(broadcasts::list).post(broadcasts::create))
        .route("/{broadcast}", get(broadcasts::find).patch(broadcasts::change).delete(broadcasts::end))
        .route("/{broadcast}/markers", post(broadcasts::mark))
        .route("/{broadcast}/markers/{marker}", delete(broadcasts::unmark))
        .route("/{broadcast}/hls", get(broadcasts::hls))
        .route("/{broadcast}/poster", get(posters::get).put(posters::put));
    let broadcasts = broadcasts
        .route("/{broadcast}/audit", get(moderation::audit))
        .route("/{broadcast}/reports", get(moderation::reports))
        .route("/{broadcast}/reports/{message}", put(moderation::resolve))
        .route("/{broadcast}/restrained", get(moderation::restrained))
        .route("/{broadcast}/words", get(moderation::words))
        .route("/{broadcast}/heat", get(moderation::heat))
        .route("/{broadcast}/moderators", get(moderators::list))
        .route("/{broadcast}/moderators/{user}", put(moderators::add).delete(moderators::remove));
    let auth = Router::new()
        .route("/sign-up", post(auth::sign_up))
        .route("/sign-in", post(auth::sign_in))
        .route("/refresh", post(auth::refresh))
        .route("/sign-out", post(auth::sign_out))
        .route("/sign-out-everywhere", post(auth::sign_out_everywhere))
        .route("/verify-email", post(auth::verify_email))
        .route("/forgot-password", post(auth::forgot_password))
        .route("/reset-password", post(auth::reset_password));
    let me = Router::new()
        .route("/", get(me::get))
        .route("/account", get(account::get).patch(account::change).delete(account::delete))
        .route("/account/email", put(account::change_email))
        .route("/account/email/verification", post(account::resend_verification))
        .route("/account/password", put(account::change_password))
        .route("/account/picture", put(account::set_picture).delete(account::remove_picture))
        .route("/account/export", get(account::export))
        .route("/devices", get(account::devices))
        .route("/devices/{device}", delete(account::sign_device_out))
        .route("/stream-key", get(stream_key::get).post(stream_key::make).delete(stream_key::drop_key));
    let me = me
        .route("/friends", get(people::friends))
        .route("/friends/{user}", put(people::befriend).delete(people::unfriend))
        .route("/blocks/{user}", put(people::block).delete(people::unblock))
        .route("/follows", get(people::follows))
        .route("/follows/{user}", put(people::follow).delete(people::unfollow))
        .route("/messages", get(messages::list))
        .route("/messages/{user}", get(messages::read).post(messages::write))
        .route("/messages/{user}/read", put(messages::mark_read));
    let users = Router::new()
        .route("/{user}", get(users::get))
        .route("/{user}/picture", get(users::picture))
        .route("/{user}/roles", put(users::set_roles));
    Router::new()
        .nest("/api/v1/broadcasts", broadcasts)
        .nest("/api/v1/auth", auth)
        .nest("/api/v1/me", me)
        .nest("/api/v1/users", users)
        .route("/api/v1/people", get(people::search))
        .route("/api/v1/openapi.json", get(openapi::get))
        .route("/api/{*anything}", any(async || Refusal::NotFound("resource")))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(allow_any_origin))
        .with_state(live)
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod openapi_tests;
#[cfg(test)]
mod people_tests;
#[cfg(test)]
mod tests;
