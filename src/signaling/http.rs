//! What every HTTP handler of the control plane shares: the bearer, bounded bodies, and refusals as problem+json (RFC 9457).

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::live::Live;
use super::now::Now;
use super::protocol::json::Object;
use super::refusal::Refusal;
use super::rest::Problem;
use crate::accounts::{AccountError, Claims, STREAM_KEY_PREFIX};
use crate::limits::{JSON_BODY_BYTES_MAX, REFUSED_BODY_BYTES_MAX};

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.count();
        let status = self.status();
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            retryable: self.retryable(),
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750 section 3: a request without a token is told no more than that one is needed.
            let challenge = match self {
                Self::TokenNeeded | Self::Account(_) => "Bearer",
                _ => "Bearer error=\"invalid_token\"",
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// Who the request's bearer token says it is (RFC 6750 section 2.1); nobody without one.
///
/// # Errors
/// `InvalidToken`, `TokenExpired`.
pub(crate) fn bearer(live: &Live, headers: &HeaderMap) -> Result<Option<Claims>, Refusal> {
    live.identify(bearer_text(headers)?)
}

/// As [`bearer`], and needed.
///
/// # Errors
/// Also `TokenNeeded`.
pub(crate) fn needed_bearer(live: &Live, headers: &HeaderMap) -> Result<Claims, Refusal> {
    bearer(live, headers)?.ok_or(Refusal::TokenNeeded)
}

/// As [`bearer`], and stream keys too: for those who publish over WHIP.
///
/// # Errors
/// Also `StoreUnavailable`.
pub(crate) async fn publishing_bearer(live: &Live, headers: &HeaderMap) -> Result<Option<Claims>, Refusal> {
    match bearer_text(headers)? {
        Some(key) if key.starts_with(STREAM_KEY_PREFIX) => {
            let now_ms = Now::read().unix_ms as u64;
            let bearer = live.accounts().bearer_of_stream_key(key, now_ms).await;
            bearer.map(Some).map_err(|error| match error {
                AccountError::NotFound(_) => Refusal::InvalidToken,
                other => other.into(),
            })
        }
        token => live.identify(token),
    }
}

fn bearer_text(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::InvalidToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::InvalidToken);
    }
    Ok(Some(token.trim()))
}

/// What the part of a URL behind the question mark says.
///
/// # Errors
/// `InvalidValue`.
pub(crate) fn read_query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    match query {
        Ok(Query(read)) => Ok(read),
        Err(_) => Err(Refusal::InvalidValue { field: "query", rule: "names with values, each once" }),
    }
}

/// The media type of the body, lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The whole body, if it is not larger than `max` bytes. What is too large is read and thrown away, up to a bound: a client that is still
/// sending would find the connection broken and never read why.
///
/// # Errors
/// `TooLarge`, also when the connection breaks: nobody reads that answer.
pub(crate) async fn read_body(body: Body, what: &'static str, max: usize) -> Result<Bytes, Refusal> {
    let mut body = body.into_data_stream();
    let (mut taken, mut length) = (Vec::new(), 0);
    let refused = || Refusal::TooLarge { what, max };
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| refused())?;
        length += piece.len();
        if length <= max {
            taken.extend_from_slice(&piece);
        } else if length > REFUSED_BODY_BYTES_MAX {
            break;
        }
    }
    if length <= max { Ok(taken.into()) } else { Err(refused()) }
}

/// A JSON body: an object.
///
/// # Errors
/// `UnsupportedMediaType`, `TooLarge`, `MalformedMessage`.
pub(crate) async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    if !matches!(media_type(headers).as_str(), "application/json" | "application/merge-patch+json") {
        return Err(Refusal::UnsupportedMediaType("application/json"));
    }
    let bytes = read_body(body, "a JSON body", JSON_BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map(|Object(said)| said).map_err(|error| Refusal::MalformedMessage(error.to_string()))
}

/// Lets pages of any origin call: every capability is a bearer token. The one cookie is read only together with the header
/// `X-Courtside`, which is not among those allowed here.
pub(crate) async fn allow_any_origin(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    const EXPOSED: &str = "location, etag, link, retry-after, accept-post, accept-patch, www-authenticate, \
        ratelimit-limit, ratelimit-remaining, ratelimit-reset";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    if is_preflight {
        const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        const ALLOWED: &str = "authorization, content-type, if-match, if-none-match";
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

/// Any other method than a resource has: 405. axum adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Refusal {
    Refusal::MethodNotAllowed(method)
}

/// `OPTIONS`: what may be posted or patched here.
pub(crate) fn accepts(name: HeaderName, media_type: &'static str) -> Response {
    (StatusCode::NO_CONTENT, [(name, media_type)]).into_response()
}
