//! The accept loop: TCP, perhaps TLS, then HTTP, each step with its bound and deadline. Knows no route.
//!
//! Invariant: whoever holds a connection (a request under way, a WebSocket made from it) holds its [`Seat`], so counts and the drain at
//! shutdown see it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

use crate::limits;
use crate::telemetry::{HTTP_CONNECTIONS, HTTP_CONNECTIONS_REFUSED};

/// What every connection needs.
pub(super) struct Connections {
    router: Router,
    tls: Option<TlsAcceptor>,
    addresses: Addresses,
    /// Cancelled: no new connections, finish the requests under way.
    closing: CancellationToken,
    /// Cancelled: drop what is still open.
    cutting: CancellationToken,
    tasks: TaskTracker,
    seats: TaskTracker,
}

impl Connections {
    pub(super) fn new(router: Router, tls: Option<TlsAcceptor>, addresses: Addresses) -> Arc<Self> {
        let (closing, cutting) = (CancellationToken::new(), CancellationToken::new());
        Arc::new(Self { router, tls, addresses, closing, cutting, tasks: TaskTracker::new(), seats: TaskTracker::new() })
    }

    /// Accepts until [`Self::stop_accepting`].
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    /// From now on nobody new; requests under way finish, idle connections close.
    pub(super) fn stop_accepting(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.seats.close();
    }

    /// Waits until every connection is gone, at most `patience`, then cuts the rest. Returns how many were cut.
    pub(super) async fn drain(&self, patience: Duration) -> usize {
        let all = async {
            self.seats.wait().await;
            self.tasks.wait().await;
        };
        if timeout(patience, all).await.is_ok() {
            return 0;
        }
        let left = self.seats.len();
        self.cutting.cancel();
        self.tasks.wait().await;
        left
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if self.seats.len() >= limits::HTTP_CONNECTIONS_MAX {
            return refused("total");
        }
        let Some(claim) = self.addresses.claim(peer.ip()) else { return refused("per_address") };
        let seat = Seat { _claim: claim, _token: self.seats.token() };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            metrics::gauge!(HTTP_CONNECTIONS).increment(1.0);
            let cutting = this.cutting.clone();
            tokio::select! {
                () = this.serve(stream, peer, seat) => {}
                () = cutting.cancelled() => {}
            }
            metrics::gauge!(HTTP_CONNECTIONS).decrement(1.0);
        });
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, seat: Seat) {
        // Signaling messages are small and must not wait for each other's acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let Some(acceptor) = &self.tls else { return self.serve_http(Seated::new(stream, seat), peer, Version::Http1).await };
        match timeout(limits::TLS_HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let version = if stream.get_ref().1.alpn_protocol() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
                self.serve_http(Seated::new(stream, seat), peer, version).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                refused("tls_failed");
            }
            Err(_) => refused("tls_timeout"),
        }
    }

    async fn serve_http<S>(&self, stream: Seated<S>, peer: SocketAddr, version: Version)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        // The version is chosen here, because guessing it from the first bytes would wait for them without a deadline.
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HTTP_HEADER_TIMEOUT)
            .max_buf_size(limits::HTTP_HEADER_BYTES_MAX)
            .max_headers(limits::HTTP_HEADERS_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits::HTTP2_PING_INTERVAL)
            .keep_alive_timeout(limits::HTTP2_PING_TIMEOUT)
            .max_concurrent_streams(limits::HTTP2_STREAMS_MAX)
            .max_header_list_size(limits::HTTP_HEADER_BYTES_MAX as u32);
        let silence = silence(Arc::clone(&stream.has_spoken));
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = silence => return,
            () = self.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended early");
        }
    }

    /// Out of descriptors or memory: give those in use a moment to go. Everything else concerns one connection that is gone already.
    async fn pause_after(&self, error: &io::Error) {
        tracing::warn!(%error, "cannot accept a connection");
        // The timeout always passes or shutdown comes first; both mean "go on".
        drop(timeout(limits::ACCEPT_PAUSE, self.closing.cancelled()).await);
    }
}

/// Ends when a client has said nothing for as long as a request head may take. hyper's own deadline begins with the first byte.
async fn silence(has_spoken: Arc<AtomicBool>) {
    // Nothing ever comes, so the timeout passes.
    drop(timeout(limits::HTTP_HEADER_TIMEOUT, std::future::pending::<()>()).await);
    if has_spoken.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

#[derive(Debug, Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

fn refused(reason: &'static str) {
    metrics::counter!(HTTP_CONNECTIONS_REFUSED, "reason" => reason).increment(1);
}

/// How many connections each address has. Bounded: an address is there only while it holds one, and connections are bounded in total. The
/// lock is held for one look-up, when a connection comes or goes.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    counts: Arc<Mutex<HashMap<IpAddr, u32>>>,
    most: u32,
    is_loopback_bound: bool,
}

impl Addresses {
    /// `most`: `None` for the default, which does not bind loopback (proxies and tools of this host speak for many).
    pub(super) fn new(most: Option<u32>) -> Self {
        let is_loopback_bound = most.is_some();
        Self { counts: Arc::default(), most: most.unwrap_or(limits::HTTP_CONNECTIONS_PER_ADDRESS), is_loopback_bound }
    }

    fn claim(&self, address: IpAddr) -> Option<Claim> {
        let who = group(address);
        if address.is_loopback() && !self.is_loopback_bound {
            return Some(Claim { counts: Arc::clone(&self.counts), who: None });
        }
        let mut counts = self.counts.lock().expect("never poisoned: no panic while held");
        let count = counts.entry(who).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Claim { counts: Arc::clone(&self.counts), who: Some(who) })
    }
}

/// One person has a whole /64 of IPv6 addresses.
fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// One connection's place in its address's count.
#[derive(Debug)]
struct Claim {
    counts: Arc<Mutex<HashMap<IpAddr, u32>>>,
    who: Option<IpAddr>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(who) = self.who else { return };
        let mut counts = self.counts.lock().expect("never poisoned: no panic while held");
        if let Some(count) = counts.get_mut(&who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&who);
            }
        }
    }
}

/// Held as long as the socket is open.
#[derive(Debug)]
struct Seat {
    _claim: Claim,
    _token: TaskTrackerToken,
}

/// A stream that keeps its seat, also after an upgrade to WebSocket.
struct Seated<S> {
    stream: S,
    /// The client has sent something.
    has_spoken: Arc<AtomicBool>,
    _seat: Seat,
}

impl<S> Seated<S> {
    fn new(stream: S, seat: Seat) -> Self {
        Self { stream, has_spoken: Arc::default(), _seat: seat }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seated<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.has_spoken.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seated<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bounded_and_gets_its_places_back() {
        let addresses = Addresses::new(Some(2));
        let here: IpAddr = [127, 0, 0, 1].into();
        let first = addresses.claim(here).unwrap();
        let _second = addresses.claim(here).unwrap();
        assert!(addresses.claim(here).is_none());
        assert!(addresses.claim([127, 0, 0, 2].into()).is_some());
        drop(first);
        assert!(addresses.claim(here).is_some());
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let addresses = Addresses::new(Some(1));
        let _held = addresses.claim("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert!(addresses.claim("2001:db8:0:1:ffff::2".parse().unwrap()).is_none());
        assert!(addresses.claim("2001:db8:0:2::1".parse().unwrap()).is_some());
    }

    #[test]
    fn loopback_is_unbounded_by_default_and_leaves_no_count() {
        let addresses = Addresses::new(None);
        let claims: Vec<_> = (0..limits::HTTP_CONNECTIONS_PER_ADDRESS + 1).map(|_| addresses.claim([127, 0, 0, 1].into())).collect();
        assert!(claims.iter().all(Option::is_some));
        assert!(addresses.counts.lock().unwrap().is_empty());
    }
}
