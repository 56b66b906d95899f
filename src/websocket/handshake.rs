//! The opening handshake (RFC 6455 section 4.2) as an extractor, and what it agrees about permessage-deflate (RFC 7692 section 7.1).

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::socket::Socket;

const VERSION: &str = "13";
/// What we agree to. Neither side keeps a window between messages.
const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Why a request is no WebSocket handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    #[error("this address speaks WebSocket: a GET over HTTP/1.1 with Upgrade: websocket")]
    NotWebSocket,
    #[error("the Sec-WebSocket-Key is missing or malformed")]
    NoKey,
    #[error("only version 13 of WebSocket is spoken here")]
    WrongVersion,
}

impl IntoResponse for HandshakeError {
    fn into_response(self) -> axum::response::Response {
        let status = match self {
            Self::NoKey => StatusCode::BAD_REQUEST,
            Self::NotWebSocket | Self::WrongVersion => StatusCode::UPGRADE_REQUIRED,
        };
        let mut response = (status, self.to_string()).into_response();
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        if status == StatusCode::UPGRADE_REQUIRED {
            response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}

/// A request that asks to become a WebSocket.
#[derive(Debug)]
pub struct Upgrade {
    accept: String,
    deflates: bool,
    upgrade: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = HandshakeError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, HandshakeError> {
        let headers = &parts.headers;
        let is_handshake = parts.method == Method::GET
            && parts.version == Version::HTTP_11
            && names(headers, &header::CONNECTION, "upgrade")
            && names(headers, &header::UPGRADE, "websocket");
        if !is_handshake {
            return Err(HandshakeError::NotWebSocket);
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
            return Err(HandshakeError::WrongVersion);
        }
        // Sixteen bytes in base 64.
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24).ok_or(HandshakeError::NoKey)?;
        let accept = derive_accept_key(key.as_bytes());
        let deflates = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|value| value.to_str().ok()).any(offers_deflate);
        let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(HandshakeError::NotWebSocket)?;
        Ok(Self { accept, deflates, upgrade })
    }
}

impl Upgrade {
    /// Agrees, and serves the socket in a task of its own once the connection has changed over. Messages of more than `message_max` bytes end it.
    pub fn on_upgrade<F>(self, message_max: usize, queue_max: usize, serve: impl FnOnce(Socket) -> F + Send + 'static) -> Response<Body>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { accept, deflates, upgrade } = self;
        tokio::spawn(async move {
            // It fails when the client is gone already: then there is nobody to serve.
            if let Ok(upgraded) = upgrade.await {
                serve(Socket::new(TokioIo::new(upgraded), message_max, queue_max, deflates)).await;
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).expect("base 64 is a header value"));
        if deflates {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(DEFLATE));
        }
        response
    }
}

/// Whether a list header names this token, in whatever case.
fn names(headers: &HeaderMap, header: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

/// Whether one of these offers is one that we can keep: our window is always the largest, so an offer that asks for a smaller one is not.
fn offers_deflate(value: &str) -> bool {
    value.split(',').any(|offer| {
        let mut words = offer.split(';').map(|word| word.split('=').next().unwrap_or_default().trim());
        words.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate"))
            && words.all(|name| matches!(name, "server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_that_can_be_kept_is_found_among_others() {
        for kept in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "x-webkit-deflate-frame, Permessage-Deflate ; server_no_context_takeover; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ] {
            assert!(offers_deflate(kept), "{kept}");
        }
        for declined in ["", "permessage-deflate; server_max_window_bits=10", "permessage-deflate; unknown", "deflate"] {
            assert!(!offers_deflate(declined), "{declined}");
        }
    }
}
