//! HTTP for buckets: `object_store` brings its own client only together with a second TLS library, so it is lent ours.

use std::sync::Arc;

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
    let retry = RetryConfig { max_retries: 2, retry_timeout: DVR_STORE_TIMEOUT, ..RetryConfig::default() };
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_http_connector(Lent(client()?));
    Ok(Arc::new(builder.build()?))
}

fn client() -> Result<reqwest::Client, StorageError> {
    let tls = |error: &dyn std::fmt::Display| StorageError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| tls(&error))?;
    let mut roots = rustls::RootCertStore::empty();
    // A host without certificates still reaches buckets that speak plain HTTP.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    reqwest::Client::builder().use_preconfigured_tls(config).connect_timeout(DVR_STORE_TIMEOUT).build().map_err(|error| tls(&error))
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
