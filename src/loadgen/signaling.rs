//! How a client comes to its session: WHIP and WHEP, which every server should speak, or Janus's own interface (`janus`).
//! Invariant: an address that is not this machine's is never contacted unless the operator said so.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail, ensure};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};

use super::janus::{self, Janus};
use super::sdp::{self, Direction, LocalSide, RemoteSide};
use crate::limits::LOADGEN_CONNECT_TIMEOUT;

/// Where the server is and what it speaks.
#[derive(Debug, Clone)]
pub(super) struct ServerOptions {
    pub(super) url: String,
    /// With `{broadcast}` in the place of the name; `None`: Courtside's own.
    pub(super) whip: Option<String>,
    pub(super) whep: Option<String>,
    pub(super) token: Option<String>,
    pub(super) janus: bool,
    /// Lifts the restriction to this machine.
    pub(super) anywhere: bool,
}

/// A server and what we may do there.
pub(super) struct Server {
    base: Url,
    http: reqwest::Client,
    whip: String,
    whep: String,
    token: Option<String>,
    janus: Option<Janus>,
    anywhere: bool,
    /// Our own address on the way to it, for servers that need a candidate.
    own_ip: IpAddr,
}

/// An accepted session.
pub(super) struct Accepted {
    pub(super) remote: RemoteSide,
    resource: Resource,
}

/// What ends the session.
enum Resource {
    /// The server named none.
    Nameless,
    Url(Url),
    Janus(janus::Session),
}

impl Server {
    /// # Errors
    /// The address is not one, or is not this machine's.
    pub(super) fn new(options: &ServerOptions) -> anyhow::Result<Self> {
        let base = Url::parse(&options.url).with_context(|| format!("{} is not an address", options.url))?;
        let endpoint = |given: &Option<String>, path: &str| -> anyhow::Result<String> {
            let base = base.as_str().trim_end_matches('/');
            let endpoint = given.clone().unwrap_or_else(|| format!("{base}/{path}/{{broadcast}}"));
            check_host(&Url::parse(&endpoint).with_context(|| format!("{endpoint} is not an address"))?, options.anywhere)?;
            Ok(endpoint)
        };
        let (whip, whep) = (endpoint(&options.whip, "whip")?, endpoint(&options.whep, "whep")?);
        let http = reqwest::Client::builder().timeout(LOADGEN_CONNECT_TIMEOUT).build().context("cannot set up HTTP")?;
        let janus = if options.janus {
            check_host(&base, options.anywhere)?;
            Some(Janus::new(&base)?)
        } else {
            None
        };
        let mut own_ip = own_ip(if options.janus { base.as_str() } else { &whep })?;
        // Janus takes no loopback candidate, and a viewer without one it only sometimes answers.
        if options.janus && own_ip.is_loopback() {
            let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
            own_ip = interfaces.iter().map(|interface| interface.ip()).find(|ip| ip.is_ipv4() && !ip.is_loopback()).unwrap_or(own_ip);
        }
        Ok(Self { base, http, whip, whep, token: options.token.clone(), janus, anywhere: options.anywhere, own_ip })
    }

    /// Our candidate for a socket bound to this port.
    pub(super) fn candidate(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.own_ip, port)
    }

    /// Publishes or views a broadcast.
    pub(super) async fn negotiate(&self, broadcast: &str, local: &LocalSide, direction: &Direction) -> anyhow::Result<Accepted> {
        let accepted = match &self.janus {
            Some(janus) => {
                let (remote, session) = janus.negotiate(broadcast, local, direction).await?;
                Accepted { remote, resource: Resource::Janus(session) }
            }
            None => self.post(broadcast, local, direction).await?,
        };
        self.check_media(&accepted.remote)?;
        Ok(accepted)
    }

    /// # Errors
    /// Media would go to another machine, and may not.
    pub(super) fn check_media(&self, remote: &RemoteSide) -> anyhow::Result<()> {
        for address in &remote.addresses {
            ensure!(self.anywhere || is_ours(address.ip()), "the server's media address {address} is not this machine's");
        }
        Ok(())
    }

    /// Where it is, for those who speak to it otherwise.
    ///
    /// # Errors
    /// It is not this machine's.
    pub(super) fn base(&self) -> anyhow::Result<&Url> {
        check_host(&self.base, self.anywhere)?;
        Ok(&self.base)
    }

    /// What we may show it.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    async fn post(&self, broadcast: &str, local: &LocalSide, direction: &Direction) -> anyhow::Result<Accepted> {
        let endpoint = match direction {
            Direction::Receive { .. } => &self.whep,
            Direction::Send { .. } => &self.whip,
        };
        let url = Url::parse(&endpoint.replace("{broadcast}", broadcast))?;
        let request = self.authorized(self.http.post(url.clone())).header(CONTENT_TYPE, "application/sdp");
        let response = request.body(sdp::offer(local, direction)).send().await.context("the server does not answer")?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|path| url.join(path).ok());
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{status}: {}", text.chars().take(200).collect::<String>());
        }
        let remote = sdp::read(&text).with_context(|| format!("the answer lacks credentials, a UDP candidate or H.264:\n{text}"))?;
        Ok(Accepted { remote, resource: location.map_or(Resource::Nameless, Resource::Url) })
    }

    /// Ends a session.
    pub(super) async fn delete(&self, accepted: Accepted) {
        match accepted.resource {
            Resource::Nameless => {}
            Resource::Url(url) => {
                if let Err(error) = self.authorized(self.http.delete(url)).send().await {
                    tracing::debug!(%error, "deleting a session");
                }
            }
            Resource::Janus(session) => session.destroy().await,
        }
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }
}

fn check_host(url: &Url, anywhere: bool) -> anyhow::Result<()> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse().is_ok_and(is_ours);
    ensure!(is_here || anywhere, "{host} is not this machine; load on others needs --i-know and their owner's consent");
    Ok(())
}

/// Whether an address belongs to this machine.
fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || if_addrs::get_if_addrs().is_ok_and(|interfaces| interfaces.iter().any(|interface| interface.ip() == ip))
}

/// Asks the routing table; nothing is sent.
fn own_ip(url: &str) -> anyhow::Result<IpAddr> {
    let url = Url::parse(url)?;
    let host = url.host_str().context("an address without a host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let server =
        (host.as_str(), port).to_socket_addrs()?.min_by_key(SocketAddr::is_ipv6).with_context(|| format!("{host} has no address"))?;
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let probe = std::net::UdpSocket::bind(any)?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> ServerOptions {
        ServerOptions { url: url.to_owned(), whip: None, whep: None, token: None, janus: false, anywhere: false }
    }

    #[test]
    fn other_machines_are_refused() {
        assert!(Server::new(&options("http://192.0.2.77:7880")).is_err());
        assert!(Server::new(&ServerOptions { whep: Some("http://192.0.2.77/x".to_owned()), ..options("http://127.0.0.1:7880") }).is_err());
        let here = Server::new(&options("http://127.0.0.1:7880/")).expect("this machine");
        assert_eq!(here.whep, "http://127.0.0.1:7880/whep/{broadcast}");
        assert!(here.own_ip.is_loopback());
    }
}
