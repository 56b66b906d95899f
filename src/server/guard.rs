//! Around every route: the size and time of request bodies, security headers, and the count of answers.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_BODY_THROWN_AWAY_MAX, HTTP_BODY_TIMEOUT};
use crate::telemetry::HTTP_REQUESTS;

/// Scripts, styles and connections from here only. `blob:` and `data:` are pictures drawn in the page; Preact sets styles through the
/// object model, but engines differ on `style` attributes, so inline styles stay allowed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' blob: mediastream:; connect-src 'self' ws: wss:; font-src 'self'; \
    worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Wraps all routes. `is_hsts`: browsers are told to come back by HTTPS only (RFC 6797).
pub(super) fn guarded(router: Router, is_hsts: bool) -> Router {
    router.layer(from_fn(bounded_body)).layer(from_fn_with_state(is_hsts, finish))
}

async fn finish(State(is_hsts): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add_headers(response.headers_mut(), is_hsts);
    metrics::counter!(HTTP_REQUESTS, "status" => class(response.status())).increment(1);
    response
}

fn add_headers(headers: &mut HeaderMap, is_hsts: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_hsts {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=31536000"));
    }
}

/// Takes the whole body in before a handler sees the request: a slow or endless sender costs one connection and a bounded buffer.
async fn bounded_body(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match timeout(HTTP_BODY_TIMEOUT, whole(body)).await {
        Ok(Some(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(None) => problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the request body is too large or was cut off"),
        Err(_) => problem(StatusCode::REQUEST_TIMEOUT, "rate_limited", "the request body came too slowly"),
    }
}

/// The whole body; `None`: it is too large, or was cut off. Of one that is too large some more is read and thrown away: most clients write all of it
/// before they read, and would meet a closed connection in place of the answer.
async fn whole(mut body: Body) -> Option<Vec<u8>> {
    let (mut bytes, mut thrown_away) = (Vec::new(), 0);
    let announced = body.size_hint().lower();
    if announced > HTTP_BODY_THROWN_AWAY_MAX as u64 {
        return None;
    }
    let is_too_large = announced > HTTP_BODY_BYTES_MAX as u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if is_too_large || thrown_away > 0 || bytes.len() + data.len() > HTTP_BODY_BYTES_MAX {
            thrown_away += data.len();
        } else {
            bytes.extend_from_slice(&data);
        }
        if thrown_away > HTTP_BODY_THROWN_AWAY_MAX {
            return None;
        }
    }
    (thrown_away == 0).then_some(bytes)
}

/// RFC 9457. hyper closes the connection, because the rest of the body is unread.
fn problem(status: StatusCode, code: &'static str, detail: &'static str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let retryable = status == StatusCode::REQUEST_TIMEOUT;
    let body = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail, "code": code, "retryable": retryable,
    });
    let head = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, head, body.to_string()).into_response()
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
