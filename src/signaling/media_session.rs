//! What WHIP and WHEP have in common: a POST that becomes a media session, and that session's PATCH and DELETE.
//!
//! The session's URL is unguessable (56 random bits) and, for sessions that were opened with a token, of no use without that token's
//! bearer: authorization as for POST (RFC 9725 section 4.5). The ETag is our ICE user fragment.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::http::{bearer, media_type, publishing_bearer, read_body};
use super::live::{Answered, Credential, HttpPeer, Live};
use super::now::Now;
use super::protocol::{IceServer, Intent};
use super::refusal::Refusal;
use super::sdpfrag;
use crate::ids::PeerId;
use crate::limits::{SDP_BYTES_MAX, SDP_FRAGMENT_BYTES_MAX};

pub(super) const SDP: &str = "application/sdp";
pub(super) const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The offer of a POST.
pub(super) async fn read_offer(headers: &HeaderMap, body: Body) -> Result<String, Refusal> {
    if media_type(headers) != SDP {
        return Err(Refusal::UnsupportedMediaType(SDP));
    }
    let bytes = read_body(body, "SDP", SDP_BYTES_MAX).await?;
    String::from_utf8(bytes.into()).map_err(|_| Refusal::MalformedSdp("it is not UTF-8".to_owned()))
}

/// `201 Created`, RFC 9725 section 4.2.
pub(super) fn created(live: &Live, endpoint: &'static str, name: &str, answered: Answered) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("accept-patch", HeaderValue::from_static(SDP_FRAGMENT));
    // A name that was found or made is a slug or an id, and both are plain ASCII; so is what the media plane draws.
    let values = [(header::LOCATION, format!("/{endpoint}/{name}/{}", answered.peer)), (header::ETAG, etag(&answered.ice_ufrag))];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    for server in live.settings().ice_servers.for_user(None, Now::read().unix_s()) {
        for link in links(&server) {
            headers.append(header::LINK, link);
        }
    }
    (StatusCode::CREATED, headers, answered.sdp).into_response()
}

/// PATCH: trickle, or an ICE restart.
pub(super) async fn patch(live: &Live, intent: Intent, peer: &str, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let (peer, entry) = authorized(live, intent, peer, headers).await?;
    if media_type(headers) != SDP_FRAGMENT {
        return Err(Refusal::UnsupportedMediaType(SDP_FRAGMENT));
    }
    let condition = headers.get(header::IF_MATCH).ok_or(Refusal::PreconditionRequired)?;
    let condition = condition.to_str().map_err(|_| Refusal::PreconditionFailed)?.trim();
    // RFC 9725 prints the wildcard in quotes, RFC 9110 without: both are in use.
    let is_any = matches!(condition, "*" | "\"*\"");
    if !is_any && condition.split(',').all(|tag| tag.trim() != etag(&entry.ours)) {
        return Err(Refusal::PreconditionFailed);
    }
    let bytes = read_body(body, "an SDP fragment", SDP_FRAGMENT_BYTES_MAX).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Refusal::MalformedSdp("it is not UTF-8".to_owned()))?;
    match sdpfrag::parse(text)?.credentials {
        // Credentials other than those in force ask for a restart, whichever way the state they replace was named.
        Some((ufrag, pwd)) if ufrag != entry.theirs => {
            let restarted = live.restart_ice(peer, ufrag.clone(), pwd).await?;
            live.ice_restarted(peer, restarted.ufrag.clone(), ufrag);
            let tag = HeaderValue::from_str(&etag(&restarted.ufrag)).map_err(|_| Refusal::Unavailable)?;
            let kind = HeaderValue::from_static(SDP_FRAGMENT);
            Ok((StatusCode::OK, [(header::ETAG, tag), (header::CONTENT_TYPE, kind)], sdpfrag::write(&restarted)).into_response())
        }
        // Trickled candidates: accepted, and not needed by an ICE-lite server.
        Some(_) | None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// DELETE: the peer goes.
pub(super) async fn delete(live: &Live, intent: Intent, peer: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let (peer, _) = authorized(live, intent, peer, headers).await?;
    live.remove_peer(peer);
    Ok(StatusCode::OK.into_response())
}

async fn authorized(live: &Live, intent: Intent, peer: &str, headers: &HeaderMap) -> Result<(PeerId, HttpPeer), Refusal> {
    let unknown = || Refusal::NotFound("media session");
    let peer = peer.parse::<PeerId>().map_err(|_| unknown())?;
    let claims = match intent {
        Intent::Publish => publishing_bearer(live, headers).await?,
        Intent::View => bearer(live, headers)?,
    };
    let entry = live.http_peer(peer, intent).ok_or_else(unknown)?;
    match (entry.credential, claims) {
        (Credential::Anonymous, _) => Ok((peer, entry)),
        (Credential::User(_), None) => Err(Refusal::TokenNeeded),
        (Credential::User(user), Some(claims)) if claims.operator || claims.sub == user => Ok((peer, entry)),
        (Credential::User(_), Some(_)) => Err(Refusal::NotYours),
    }
}

fn etag(ice_ufrag: &str) -> String {
    format!("\"{ice_ufrag}\"")
}

/// RFC 9725 section 4.6.
fn links(server: &IceServer) -> Vec<HeaderValue> {
    let credentials = match (&server.username, &server.credential) {
        (Some(username), Some(credential)) => {
            format!("; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\"")
        }
        (Some(_) | None, _) => String::new(),
    };
    server.urls.iter().filter_map(|url| HeaderValue::from_str(&format!("<{url}>; rel=\"ice-server\"{credentials}")).ok()).collect()
}

#[cfg(test)]
#[path = "media_session_tests.rs"]
mod tests;
