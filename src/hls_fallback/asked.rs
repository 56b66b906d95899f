//! What a request asks for, and by what right: the viewer's own headers, or a token before the broadcast in the address itself.
//!
//! ```text
//! /hls/{broadcast}/{file}            /hls/{token}/{broadcast}/{file}
//! /hls/{broadcast}/{rendition}/{file}   /hls/{token}/{broadcast}/{rendition}/{file}
//! ```
//! A token has full stops, and a broadcast's id or slug has none. Relative addresses in playlists and manifests stay behind the token.

use axum::http::HeaderMap;

/// A broadcast as a request names it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Id or slug; behind a token the id alone.
    pub broadcast: &'a str,
    /// The token of the address. With one nothing in the headers counts, so that everybody with the same address gets the same answer.
    pub token: Option<&'a str>,
    pub headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    pub(super) const fn plainly(broadcast: &'a str, headers: &'a HeaderMap) -> Self {
        Self { broadcast, token: None, headers }
    }

    pub(super) const fn by_path(token: &'a str, broadcast: &'a str, headers: &'a HeaderMap) -> Self {
        Self { broadcast, token: Some(token), headers }
    }
}

/// Whether the first piece of an address is a token.
pub(super) fn is_token(piece: &str) -> bool {
    piece.contains('.')
}
