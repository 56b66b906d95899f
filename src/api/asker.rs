//! Who asks, for the routes of accounts: from where, on which device, how often, and whether from a page of ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Extension;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::accounts::{Asked, Quota, RateKey};
use crate::ids::UserId;
use crate::limits::RETRY_AFTER_MIN;
use crate::signaling::Live;
use crate::signaling::now::Now;
use crate::signaling::refusal::Refusal;

/// A header that no page of another origin can send: it is not among those that CORS allows.
const OURS: HeaderName = HeaderName::from_static("x-courtside");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a request.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    address: IpAddr,
    /// What the browser calls itself.
    pub(super) device: String,
    pub(super) now_ms: u64,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let peer = Option::<Extension<ConnectInfo<SocketAddr>>>::from_request_parts(parts, state).await.ok().flatten();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |Extension(ConnectInfo(peer))| peer.ip().to_canonical());
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        Ok(Self {
            address: behind_proxy(peer, &parts.headers),
            device: text(header::USER_AGENT).to_owned(),
            now_ms: Now::read().unix_ms as u64,
        })
    }
}

impl Asker {
    pub(super) fn key(&self) -> RateKey {
        RateKey::address(self.address)
    }

    /// Counts a request by its address and by whom it is about, and does it if there is allowance left. `RateLimit-*` say how much
    /// (draft-ietf-httpapi-ratelimit-headers-07).
    pub(super) async fn counted(
        &self,
        live: &Live,
        asked: Asked,
        about: Option<RateKey>,
        answer: impl Future<Output = Result<Response, Refusal>>,
    ) -> Response {
        let keys: Vec<_> = std::iter::once(self.key()).chain(about).collect();
        self.counted_by(live, asked, &keys, answer).await
    }

    /// As [`Self::counted`], by person alone.
    pub(super) async fn counted_for(
        &self,
        live: &Live,
        asked: Asked,
        user: UserId,
        answer: impl Future<Output = Result<Response, Refusal>>,
    ) -> Response {
        self.counted_by(live, asked, &[RateKey::User(user)], answer).await
    }

    async fn counted_by(
        &self,
        live: &Live,
        asked: Asked,
        keys: &[RateKey],
        answer: impl Future<Output = Result<Response, Refusal>>,
    ) -> Response {
        let (quota, mut response) = match live.accounts().allow(asked, keys, self.now_ms) {
            Ok(quota) => (quota, answer.await.into_response()),
            Err(quota) => (quota, Refusal::RateLimited.into_response()),
        };
        tell(quota, response.headers_mut());
        response
    }
}

/// Counts nest where a request costs two things; the inner one, which was asked last, has the word.
fn tell(quota: Quota, headers: &mut HeaderMap) {
    if headers.contains_key("ratelimit-limit") {
        return;
    }
    let whole_seconds = |time: std::time::Duration| time.as_millis().div_ceil(1000) as u64;
    headers.insert(HeaderName::from_static("ratelimit-limit"), quota.limit.into());
    headers.insert(HeaderName::from_static("ratelimit-remaining"), quota.remaining.into());
    headers.insert(HeaderName::from_static("ratelimit-reset"), whole_seconds(quota.reset).into());
    if let Some(wait) = quota.retry_after {
        headers.insert(header::RETRY_AFTER, whole_seconds(wait.max(RETRY_AFTER_MIN)).into());
    }
}

/// A proxy on this host speaks for others and says for whom; nobody else is believed. The last entry is the one that it wrote itself.
fn behind_proxy(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !peer.is_loopback() {
        return peer;
    }
    let mut lists = headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
    lists.next_back().and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse().ok()).unwrap_or(peer)
}

/// Refuses what another site made somebody's browser send (CSRF). Two locks besides the cookie's `SameSite=Strict`: a header that other
/// origins cannot send, and the `Origin` where there is one.
pub(super) fn demand_own_page(live: &Live, headers: &HeaderMap) -> Result<(), Refusal> {
    if !headers.contains_key(&OURS) {
        return Err(Refusal::CrossSite);
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_host = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host)));
    if is_host || origin.eq_ignore_ascii_case(&live.settings().public_base_url) { Ok(()) } else { Err(Refusal::CrossSite) }
}

/// What is somebody's alone is for no cache.
pub(super) const PRIVATE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_this_host_is_believed_and_nobody_else() {
        let mut headers = HeaderMap::new();
        let (proxy, stranger): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [198, 51, 100, 7].into());
        assert_eq!(behind_proxy(proxy, &headers), proxy);
        headers.append(FORWARDED_FOR, HeaderValue::from_static("203.0.113.1, 192.0.2.9"));
        assert_eq!(behind_proxy(proxy, &headers), IpAddr::from([192, 0, 2, 9]));
        assert_eq!(behind_proxy(stranger, &headers), stranger);
        headers.append(FORWARDED_FOR, HeaderValue::from_static("nonsense"));
        assert_eq!(behind_proxy(proxy, &headers), proxy);
    }
}
