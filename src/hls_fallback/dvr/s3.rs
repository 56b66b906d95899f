//! HTTP for buckets: `object_store` brings its own client only together with a second TLS library, so it is lent ours.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http;
use http_body_util::BodyExt;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService};
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use rustls::ClientConfig;

use super::storage::StorageError;
use crate::limits::DVR_STORE_TIMEOUT;

/// A bucket by the usual `AWS_*` variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`.
pub(super) fn connect(bucket: &str) -> Result<Arc<dyn ObjectStore>, StorageError> {
    build(AmazonS3Builder::from_env().with_bucket_name(bucket), DVR_STORE_TIMEOUT)
}

/// `patience`: how long a connection, an answer's head and each piece of its body may take.
fn build(builder: AmazonS3Builder, patience: Duration) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let retry = RetryConfig { max_retries: 2, retry_timeout: patience, ..RetryConfig::default() };
    Ok(Arc::new(builder.with_retry(retry).with_http_connector(Lent(client(patience)?)).build()?))
}

fn client(patience: Duration) -> Result<reqwest::Client, StorageError> {
    let tls = |error: &dyn std::fmt::Display| StorageError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| tls(&error))?;
    let mut roots = rustls::RootCertStore::empty();
    // A host without certificates still reaches buckets that speak plain HTTP.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let client = reqwest::Client::builder().use_preconfigured_tls(config).connect_timeout(patience).read_timeout(patience);
    client.build().map_err(|error| tls(&error))
}

#[derive(Debug, Clone)]
struct Lent(reqwest::Client);

impl HttpConnector for Lent {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Lent {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = match body.as_bytes() {
            Some(bytes) => bytes.clone(),
            None => body.collect().await.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?.to_bytes(),
        };
        let request = http::Request::from_parts(head, reqwest::Body::from(body));
        let request = reqwest::Request::try_from(request).map_err(told)?;
        let response: http::Response<reqwest::Body> = self.0.execute(request).await.map_err(told)?.into();
        let (head, body) = response.into_parts();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body.map_err(told))))
    }
}

/// What may be tried again is told by its kind.
fn told(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_body() || error.is_request() {
        HttpErrorKind::Interrupted
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Unknown
    };
    HttpError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use axum::body::{Body, Bytes};
    use axum::extract::{Path, State};
    use axum::http::{HeaderMap, StatusCode, header};
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use futures_util::{StreamExt, TryStreamExt, stream};

    use super::*;
    use crate::hls_fallback::dvr::storage::Storage;
    use crate::ids::BroadcastId;

    /// A bucket of this test: it holds what the test puts.
    type Objects = Arc<Mutex<HashMap<String, Bytes>>>;

    /// Who does not sign is refused.
    fn is_signed(headers: &HeaderMap) -> bool {
        headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 Credential=key/"))
    }

    async fn put(State(objects): State<Objects>, Path(path): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
        if !is_signed(&headers) {
            return StatusCode::FORBIDDEN.into_response();
        }
        objects.lock().expect("never poisoned: no panic while held").insert(path, body);
        [(header::ETAG, "\"1\"")].into_response()
    }

    async fn read(State(objects): State<Objects>, Path(path): Path<String>, headers: HeaderMap) -> Response {
        let Some(body) = objects.lock().expect("never poisoned: no panic while held").get(&path).filter(|_| is_signed(&headers)).cloned()
        else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let range = headers[header::RANGE].to_str().expect("it is text").strip_prefix("bytes=").expect("a range of bytes");
        let (first, last) = range.split_once('-').expect("a range has two ends");
        let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
        let content_range = format!("bytes {first}-{last}/{}", body.len());
        let head = [(header::CONTENT_RANGE, content_range), (header::ETAG, "\"1\"".to_owned())];
        (StatusCode::PARTIAL_CONTENT, head, body.slice(first..=last)).into_response()
    }

    fn bucket_at(endpoint: &str) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_bucket_name("match")
            .with_region("eu-central-1")
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_access_key_id("key")
            .with_secret_access_key("secret")
    }

    #[tokio::test]
    async fn a_bucket_is_written_and_read_with_signed_requests() {
        let objects = Objects::default();
        let router = axum::Router::new().route("/match/{*path}", get(read).put(put)).with_state(Arc::clone(&objects));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("the storage works");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let storage = Storage::over(build(bucket_at(&endpoint), DVR_STORE_TIMEOUT).expect("it is complete"));
        let show = BroadcastId::from_bits(3);
        storage.put(show, "v0", "s1.m4s", Bytes::from_static(b"0123456789")).await.expect("the storage works");
        assert!(objects.lock().expect("never poisoned: no panic while held").contains_key(&format!("{show}/v0/s1.m4s")));
        let read: Vec<Bytes> =
            storage.get(show, "v0", "s1.m4s", 2..6).await.expect("the storage works").try_collect().await.expect("the storage works");
        assert_eq!(read.concat(), b"2345");
        assert!(matches!(storage.get(show, "v0", "s2.m4s", 0..1).await.err(), Some(StorageError::NotFound)));
        serving.abort();
        drop(serving.await);
        assert!(matches!(storage.put(show, "v0", "s3.m4s", Bytes::new()).await, Err(StorageError::Store(_) | StorageError::Late)));
    }

    /// Half of what it promises, then silence.
    async fn half() -> Response {
        let silent = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"01234"))]).chain(stream::pending());
        let head = [(header::CONTENT_RANGE, "bytes 0-9/10"), (header::CONTENT_LENGTH, "10"), (header::ETAG, "\"1\"")];
        (StatusCode::PARTIAL_CONTENT, head, Body::from_stream(silent)).into_response()
    }

    #[tokio::test]
    async fn an_answer_that_stops_in_the_middle_fails_in_time() {
        let router = axum::Router::new().route("/match/{*path}", get(half));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("the storage works");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let storage = Storage::over(build(bucket_at(&endpoint), Duration::from_millis(100)).expect("it is complete"));
        let body = storage.get(BroadcastId::from_bits(3), "v0", "s1.m4s", 0..10).await.expect("its head comes");
        let read = tokio::time::timeout(DVR_STORE_TIMEOUT / 2, body.try_collect::<Vec<Bytes>>()).await;
        assert!(read.expect("it ends long before the limit of pieces").is_err());
        serving.abort();
    }
}
