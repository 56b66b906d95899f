//! WHIP and WHEP over HTTP for the load generator: the least offer that a server must answer, and what matters of the answer.
//! Invariant: an address that is not loopback is never contacted unless the operator said so.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};

use crate::limits::LOADGEN_CONNECT_TIMEOUT;

pub(super) const VIDEO_PAYLOAD_TYPE: u8 = 102;
/// Header extension ids of our offers.
pub(super) const EXTENSION_MID: u8 = 1;
pub(super) const EXTENSION_RID: u8 = 2;
pub(super) const EXTENSION_TWCC: u8 = 4;
/// Layer names, lowest first.
pub(super) const RIDS: [&str; 3] = ["l", "m", "h"];

/// What of our side goes into an offer.
pub(super) struct LocalSide {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    /// Value of `a=fingerprint`.
    pub(super) fingerprint: String,
}

/// What of the answer a connection needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RemoteSide {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    pub(super) fingerprint: String,
    pub(super) address: SocketAddr,
}

/// Which way media flows.
pub(super) enum Direction {
    /// A viewer.
    Receive,
    /// A publisher with these SSRCs, lowest layer first; more than one are simulcast.
    Send { ssrcs: Vec<u32> },
}

/// One video m-line of H.264.
pub(super) fn offer(local: &LocalSide, direction: &Direction) -> String {
    let mut sdp = String::from("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n");
    let pt = VIDEO_PAYLOAD_TYPE;
    let rtx = pt + 1;
    let lines = [
        format!("m=video 9 UDP/TLS/RTP/SAVPF {pt} {rtx}"),
        "c=IN IP4 0.0.0.0".to_owned(),
        "a=rtcp:9 IN IP4 0.0.0.0".to_owned(),
        format!("a=ice-ufrag:{}", local.ufrag),
        format!("a=ice-pwd:{}", local.pwd),
        "a=ice-options:trickle".to_owned(),
        format!("a=fingerprint:{}", local.fingerprint),
        "a=setup:actpass".to_owned(),
        "a=mid:0".to_owned(),
        format!("a=extmap:{EXTENSION_MID} urn:ietf:params:rtp-hdrext:sdes:mid"),
        format!("a=extmap:{EXTENSION_RID} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"),
        format!("a=extmap:{EXTENSION_TWCC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"),
        "a=rtcp-mux".to_owned(),
        "a=rtcp-rsize".to_owned(),
        format!("a=rtpmap:{pt} H264/90000"),
        format!("a=rtcp-fb:{pt} nack"),
        format!("a=rtcp-fb:{pt} nack pli"),
        format!("a=rtcp-fb:{pt} ccm fir"),
        format!("a=rtcp-fb:{pt} transport-cc"),
        format!("a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        format!("a=rtpmap:{rtx} rtx/90000"),
        format!("a=fmtp:{rtx} apt={pt}"),
    ];
    for line in lines {
        sdp.push_str(&line);
        sdp.push_str("\r\n");
    }
    match direction {
        Direction::Receive => sdp.push_str("a=recvonly\r\n"),
        Direction::Send { ssrcs } => {
            sdp.push_str("a=sendonly\r\na=msid:load video\r\n");
            if ssrcs.len() > 1 {
                let rids = &RIDS[..ssrcs.len()];
                rids.iter().for_each(|rid| sdp.push_str(&format!("a=rid:{rid} send\r\n")));
                sdp.push_str(&format!("a=simulcast:send {}\r\n", rids.join(";")));
            } else {
                ssrcs.iter().for_each(|ssrc| sdp.push_str(&format!("a=ssrc:{ssrc} cname:load\r\n")));
            }
        }
    }
    sdp
}

/// Reads an answer; `None` where something we need is missing.
fn read_answer(sdp: &str) -> Option<RemoteSide> {
    let value = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'));
    let addresses = sdp.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim_end().strip_prefix("a=candidate:")?.split(' ').collect();
        (fields.len() >= 8 && fields[2].eq_ignore_ascii_case("udp")).then_some(())?;
        Some(SocketAddr::new(fields[4].parse().ok()?, fields[5].parse().ok()?))
    });
    // The load runs on one machine: its loopback address is the least disturbed way.
    let address = addresses.min_by_key(|address| (!address.ip().is_loopback(), address.is_ipv6()))?;
    Some(RemoteSide {
        ufrag: value("ice-ufrag")?.to_owned(),
        pwd: value("ice-pwd")?.to_owned(),
        fingerprint: value("fingerprint")?.to_owned(),
        address,
    })
}

/// A server and what we may do there.
#[derive(Clone)]
pub(super) struct Server {
    http: reqwest::Client,
    base: reqwest::Url,
    broadcast: String,
    token: Option<String>,
    anywhere: bool,
}

/// An accepted session.
pub(super) struct Accepted {
    pub(super) remote: RemoteSide,
    resource: Option<reqwest::Url>,
}

impl Server {
    /// `anywhere` lifts the restriction to loopback.
    ///
    /// # Errors
    /// The address is not one, or is not loopback.
    pub(super) fn new(url: &str, broadcast: &str, token: Option<String>, anywhere: bool) -> anyhow::Result<Self> {
        let base = reqwest::Url::parse(url).with_context(|| format!("{url} is not an address"))?;
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        ensure!(loopback || anywhere, "{host} is not this machine; load on others needs --i-know and their owner's consent");
        let http = reqwest::Client::builder().timeout(LOADGEN_CONNECT_TIMEOUT).build().context("cannot set up HTTP")?;
        Ok(Self { http, base, broadcast: broadcast.to_owned(), token, anywhere })
    }

    /// Posts an offer to `whip` or `whep`.
    pub(super) async fn post(&self, protocol: &str, offer: String) -> anyhow::Result<Accepted> {
        let url = self.base.join(&format!("/{protocol}/{}", self.broadcast))?;
        let request = self.authorized(self.http.post(url.clone())).header(CONTENT_TYPE, "application/sdp").body(offer);
        let response = request.send().await.context("the server does not answer")?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|path| url.join(path).ok());
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{status}: {}", text.chars().take(200).collect::<String>());
        }
        let remote = read_answer(&text).with_context(|| format!("the answer lacks credentials or a candidate:\n{text}"))?;
        ensure!(remote.address.ip().is_loopback() || self.anywhere, "the server's media address {} is not this machine's", remote.address);
        Ok(Accepted { remote, resource: location })
    }

    /// Ends a session.
    pub(super) async fn delete(&self, accepted: Accepted) {
        if let Some(resource) = accepted.resource
            && let Err(error) = self.authorized(self.http.delete(resource)).send().await
        {
            tracing::debug!(%error, "deleting a session");
        }
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_candidates_are_preferred() {
        let sdp = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:pass\r\na=fingerprint:sha-256 AA:BB\r\n\
                   a=candidate:1 1 udp 2130706431 192.0.2.4 7000 typ host\r\na=candidate:2 1 udp 1 127.0.0.1 7000 typ host\r\n";
        let remote = read_answer(sdp).expect("complete");
        assert_eq!(remote.address, SocketAddr::from(([127, 0, 0, 1], 7000)));
        assert_eq!((remote.ufrag.as_str(), remote.fingerprint.as_str()), ("abcd", "sha-256 AA:BB"));
        assert_eq!(read_answer("v=0\r\n"), None);
    }

    #[test]
    fn other_machines_are_refused() {
        assert!(Server::new("http://192.0.2.1:7880", "demo", None, false).is_err());
        assert!(Server::new("http://127.0.0.1:7880", "demo", None, false).is_ok());
    }
}
