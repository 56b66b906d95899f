//! The control plane towards browsers and encoders: the WebSocket protocol, WHIP, WHEP, and the live registry behind them.
//!
//! ```text
//! browser ── /v1/ws ──▶ ws ─▶ hello ─▶ session (pure) ──commands──▶ live ─▶ sfu::handle
//!    ▲                  │                 ▲ outcomes, news            │
//!    └──── outbox ◀─────┘                 └───────────────────────────┘ announcements, encoded once
//! encoder ── /whip, /whep ──▶ whip, whep ─▶ live
//! ```
//! Knows no RTP and no HLS. Every refusal is a [`refusal::Refusal`], spoken alike over WebSocket and HTTP.

pub mod ice_servers;
pub mod live;
pub mod protocol;
pub mod refusal;
pub mod rest;
pub mod settings;

mod commands;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod hello;
pub(crate) mod http;
mod media_session;
pub(crate) mod now;
mod outbox;
mod rate;
mod sdpfrag;
mod session;
mod whep;
mod whip;
mod ws;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod typescript;

pub use live::{Live, LiveParts};
pub use settings::Settings;

/// A frame of a chat as clients read it, for the social plane's encoder.
pub fn encode_chat(frame: &protocol::ChatFrame) -> crate::social::Text {
    ws::encode_chat(frame)
}

/// Who asks for a broadcast by a transport that makes no peer.
pub struct Onlooker(Option<crate::accounts::Claims>);

impl Onlooker {
    /// Whoever sent these headers.
    ///
    /// # Errors
    /// The refusal, as a response.
    #[expect(clippy::result_large_err, reason = "it is sent as it is")]
    pub fn of_headers(live: &Live, headers: &axum::http::HeaderMap) -> Result<Self, axum::response::Response> {
        http::bearer(live, headers).map(Self).map_err(axum::response::IntoResponse::into_response)
    }

    /// Whoever was given an address with this token before `broadcast`.
    ///
    /// # Errors
    /// [`crate::accounts::PathTokenError`]
    pub fn of_path(live: &Live, token: &str, broadcast: &str) -> Result<Self, crate::accounts::PathTokenError> {
        live.path_bearer(token, broadcast).map(|claims| Self(Some(claims)))
    }
}

/// A broadcast on air that `onlooker` may watch; else the answer that says why not.
///
/// # Errors
/// The refusal, as a response.
#[expect(clippy::result_large_err, reason = "it is sent as it is")]
pub fn watchable(live: &Live, broadcast: &str, onlooker: &Onlooker) -> Result<crate::ids::BroadcastId, axum::response::Response> {
    live.watchable(onlooker.0.as_ref(), broadcast).map_err(axum::response::IntoResponse::into_response)
}

/// As [`watchable`], or one whose replay can be watched.
///
/// # Errors
/// The refusal, as a response.
#[expect(clippy::result_large_err, reason = "it is sent as it is")]
pub fn replayable(live: &Live, broadcast: &str, onlooker: &Onlooker) -> Result<crate::ids::BroadcastId, axum::response::Response> {
    live.replayable(onlooker.0.as_ref(), broadcast).map_err(axum::response::IntoResponse::into_response)
}

/// `/v1/ws`, `/whip` and `/whep`.
pub fn router(live: Live) -> axum::Router {
    let media = whip::router()
        .merge(whep::router())
        .method_not_allowed_fallback(http::method_not_allowed)
        .layer(axum::middleware::from_fn(http::allow_any_origin));
    axum::Router::new().route("/v1/ws", axum::routing::any(ws::upgrade)).merge(media).with_state(live)
}
