//! What a request asks for, and by what right: the viewer's own headers, or a token before the broadcast in the address itself.
//!
//! ```text
//! /hls/{broadcast}/{file}            /hls/{token}/{broadcast}/{file}
//! /hls/{broadcast}/{rendition}/{file}   /hls/{token}/{broadcast}/{rendition}/{file}
//! ```
//! A token has full stops, and a broadcast's id or slug has none. Relative addresses in playlists and manifests stay behind the token.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

/// What of a request is not its address.
#[derive(Debug)]
pub(super) struct Head {
    method: Method,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Head {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self { method: parts.method.clone(), headers: parts.headers.clone() })
    }
}

/// A broadcast as a request names it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Id or slug; behind a token the id alone.
    pub broadcast: &'a str,
    /// The token of the address. With one nothing in the headers counts, so that everybody with the same address gets the same answer.
    pub token: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// `HEAD`: it is to be there, but nothing of it is to be sent.
    pub is_look: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn plainly(broadcast: &'a str, head: &'a Head) -> Self {
        Self { broadcast, token: None, headers: &head.headers, is_look: head.method == Method::HEAD }
    }

    pub(super) fn by_path(token: &'a str, broadcast: &'a str, head: &'a Head) -> Self {
        Self { token: Some(token), ..Self::plainly(broadcast, head) }
    }
}

/// Whether the first piece of an address is a token.
pub(super) fn is_token(piece: &str) -> bool {
    piece.contains('.')
}
