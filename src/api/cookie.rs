//! The one cookie: the refresh token of the device. Scripts never see it, other sites never send it, and it goes to `/api/v1/auth` alone.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::limits::SIGN_IN_TTL;
use crate::signaling::Live;

const NAME: &str = "courtside_refresh";
/// Browsers take a cookie of this name over HTTPS only (RFC 6265bis section 4.1.3).
const SECURE_NAME: &str = "__Secure-courtside_refresh";
const PATH: &str = "/api/v1/auth";

/// The header that keeps a refresh token in the browser.
pub(super) fn keep(live: &Live, refresh_token: &str) -> [(HeaderName, HeaderValue); 1] {
    set(live, refresh_token, SIGN_IN_TTL.as_secs())
}

/// The header that removes it.
pub(super) fn remove(live: &Live) -> [(HeaderName, HeaderValue); 1] {
    set(live, "", 0)
}

/// What the browser sent.
pub(super) fn read<'a>(live: &Live, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = name(live);
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn set(live: &Live, value: &str, max_age_s: u64) -> [(HeaderName, HeaderValue); 1] {
    let secure = if is_secure(live) { "; Secure" } else { "" };
    let text = format!("{}={value}; Path={PATH}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}", name(live));
    [(header::SET_COOKIE, HeaderValue::from_str(&text).expect("a refresh token is base 32, a dot and base 64: plain ASCII"))]
}

fn name(live: &Live) -> &'static str {
    if is_secure(live) { SECURE_NAME } else { NAME }
}

/// People reach this server by HTTPS, here or at a proxy before it.
fn is_secure(live: &Live) -> bool {
    live.settings().public_base_url.starts_with("https://")
}
