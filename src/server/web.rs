//! The web client out of the binary (in debug builds: out of `web-client/dist`), with cache headers and prepared compression.

use std::borrow::Cow;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web-client/dist"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";

/// Vite puts a digest into the names of everything below.
const HASHED: &str = "assets/";

/// Paths that belong to the program: never answered with a page.
const NOT_PAGES: [&str; 5] = ["/api/", "/v1/", "/whip/", "/whep/", "/hls/"];

const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Courtside</title>\
<h1>The web client is not built</h1>\
<p>The server runs. Build the pages with <code>npm ci --prefix web-client &amp;&amp; npm run build --prefix web-client</code>, \
then build the server again, or run <code>scripts/run.sh</code>, which does both.</p>";

/// Adds the pages: everything that no other route takes.
pub(super) fn with_pages(router: Router) -> Router {
    router.fallback(async |method: Method, uri: Uri, headers: HeaderMap| answer(&method, uri.path(), &headers))
}

fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if NOT_PAGES.iter().any(|prefix| path.starts_with(prefix)) {
        let body = r#"{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"there is nothing here"}"#;
        return respond(StatusCode::NOT_FOUND, "application/problem+json", body.as_bytes().into());
    }
    if method != Method::GET && method != Method::HEAD {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", b"use GET\n".as_slice().into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let name = path.trim_start_matches('/');
    if is_page(name) {
        return Dist::get(INDEX).map_or_else(
            || respond(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", NOT_BUILT.as_bytes().into()),
            |file| send(INDEX, file, headers),
        );
    }
    match Dist::get(name) {
        Some(file) => send(name, file, headers),
        None => respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", b"there is nothing here\n".as_slice().into()),
    }
}

/// The client routes these itself.
fn is_page(name: &str) -> bool {
    let place = name.split('/').next();
    matches!(place, Some("" | "watch" | "studio" | "sign-in" | "sign-up" | "forgot-password" | "account" | "friends")) || name == INDEX
}

fn send(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response<Body> {
    let etag: String = file.metadata.sha256_hash()[..12].iter().fold(String::from("\""), |tag, byte| tag + &format!("{byte:02x}")) + "\"";
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes());
    let mut response = if is_known {
        respond(StatusCode::NOT_MODIFIED, "", Cow::Borrowed(&[]))
    } else {
        let kind = mime_guess::from_path(name).first_or_octet_stream();
        let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
        let (encoding, bytes) = smallest(name, file, headers);
        let mut response = respond(StatusCode::OK, &kind, bytes);
        if let Some(encoding) = encoding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let cache = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let head = response.headers_mut();
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    head.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    head.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hexadecimal digits in quotes"));
    response
}

/// The build leaves `.br` and `.gz` beside what shrinks.
fn smallest(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> (Option<&'static str>, Cow<'static, [u8]>) {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    for (encoding, suffix) in [("br", "br"), ("gzip", "gz")] {
        if accepts(accepted, encoding)
            && let Some(packed) = Dist::get(&format!("{name}.{suffix}"))
        {
            return (Some(encoding), packed.data);
        }
    }
    (None, file.data)
}

/// Whether an Accept-Encoding field (RFC 9110 section 12.5.3) names a coding with a weight above zero.
fn accepts(field: &str, coding: &str) -> bool {
    field.split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let is_off = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(coding) && !is_off
    })
}

fn respond(status: StatusCode, kind: &str, body: Cow<'static, [u8]>) -> Response<Body> {
    let body = match body {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if !kind.is_empty() {
        let kind = HeaderValue::from_str(kind).expect("media types are plain ASCII");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_routes_its_places_and_nothing_else() {
        for page in ["", "watch/final", "watch", "studio", "studio/x", "index.html", "sign-in", "account", "account/verify", "friends/0ann"]
        {
            assert!(is_page(page), "{page}");
        }
        for other in ["assets/x.js", "favicon.svg", "watching", "api", "accounts", "sign-in.js"] {
            assert!(!is_page(other), "{other}");
        }
    }

    #[test]
    fn unknown_interface_paths_are_problems_and_unknown_files_are_missing() {
        let headers = HeaderMap::new();
        let response = answer(&Method::POST, "/api/v1/nothing", &headers);
        assert_eq!(
            (response.status(), &response.headers()[header::CONTENT_TYPE]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("application/problem+json"))
        );
        assert_eq!(answer(&Method::GET, "/assets/none.js", &headers).status(), StatusCode::NOT_FOUND);
        assert_eq!(answer(&Method::GET, "/../Cargo.toml", &headers).status(), StatusCode::NOT_FOUND);
        assert_eq!(answer(&Method::PUT, "/", &headers).status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn encodings_are_read_with_their_weights() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("GZIP;q=0.5", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("", "br"));
    }
}
