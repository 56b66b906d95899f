//! Composition root: tests the host, binds, wires the rooms together, and takes them down in order.
//!
//! ```text
//! self-test ─▶ data dir: store, signing key, certificates ─▶ media workers ─▶ routes ─▶ accept
//! SIGTERM ─▶ not ready, accept no more ─▶ drain ─▶ close media ─▶ close store;   a second signal ends at once
//! ```

mod connections;
mod guard;
mod health;
mod shutdown;
mod tls;
mod web;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{KeyError, Tokens};
use crate::config::{Config, Tls};
use crate::limits;
use crate::selftest::{self, Finding};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use connections::{Addresses, Connections};
use health::Health;

pub use tls::TlsError;

/// The signing key in the data directory.
pub const TOKEN_KEY_FILE: &str = "token.key";
/// The database in the data directory.
pub const DATABASE_FILE: &str = "courtside.db";

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("this host cannot serve:{}", lines(.0))]
    Host(Vec<Finding>),
    #[error("the data directory {} cannot be used: {source}", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("listen: {address} cannot be bound: {source}")]
    Listen { address: SocketAddr, source: io::Error },
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {finding}")).collect()
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    is_tls: bool,
    accepting: JoinHandle<()>,
    parts: Parts,
}

struct Parts {
    connections: Arc<Connections>,
    stopping: Arc<AtomicBool>,
    background: TaskTracker,
    stop_background: CancellationToken,
    store: Store,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Server {
    /// Tests the host, opens the data directory, binds everything and accepts.
    ///
    /// # Errors
    /// [`ServerError`]; nothing keeps running then.
    pub async fn start(config: Config, metrics: Metrics) -> Result<Self, ServerError> {
        check_host(&config)?;
        let data_dir = &config.data_dir;
        std::fs::create_dir_all(data_dir).map_err(|source| ServerError::DataDir { path: data_dir.clone(), source })?;
        let store = Store::open(&data_dir.join(DATABASE_FILE)).await?;
        let _tokens = Tokens::load_or_make(&data_dir.join(TOKEN_KEY_FILE))?;
        let tls = tls::acceptor(&config.tls, data_dir)?;
        let is_tls = tls.is_some();
        // A browser that has once accepted a self-signed certificate must be able to go back to plain HTTP.
        let is_hsts = matches!(config.tls, Tls::Files { .. });

        let stopping = Arc::new(AtomicBool::new(false));
        let health = Health { store: store.clone(), metrics: metrics.clone(), media: Arc::new(|| true), stopping: Arc::clone(&stopping) };
        let router = guard::guarded(web::with_pages(Router::new().merge(health::routes(health))), is_hsts);

        let listen_failed = |source| ServerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let connections = Connections::new(router, tls, Addresses::new(config.connections_per_address));
        let accepting = tokio::spawn(Arc::clone(&connections).accept(listener));

        let (background, stop_background) = (TaskTracker::new(), CancellationToken::new());
        background.spawn(stop_background.clone().run_until_cancelled_owned(upkeep(metrics)));
        let parts = Parts { connections, stopping, background, stop_background, store };
        Ok(Self { address, is_tls, accepting, parts })
    }

    /// Where HTTP is served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// For people, e.g. `http://127.0.0.1:7880/`.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            ip if ip.is_ipv6() => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        format!("{scheme}://{host}:{}/", self.address.port())
    }

    /// Stops in order: not ready, accept no more, tell clients, drain, close media, close the store.
    pub async fn stop(self) {
        let Parts { connections, stopping, background, stop_background, store } = self.parts;
        stopping.store(true, Ordering::Relaxed);
        connections.stop_accepting();
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "the accept loop had failed");
        }
        let cut = connections.drain(limits::DRAIN_TIMEOUT).await;
        if cut > 0 {
            tracing::warn!(cut, "connections did not end by themselves");
        }
        stop_background.cancel();
        background.close();
        background.wait().await;
        store.close().await;
    }
}

/// Runs a server until SIGTERM or SIGINT.
///
/// # Errors
/// As [`Server::start`].
pub async fn run(config: Config, metrics: Metrics) -> Result<(), ServerError> {
    let server = Server::start(config, metrics).await?;
    tracing::info!(url = server.url(), "serving");
    shutdown::first_signal().await;
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        () = shutdown::first_signal() => tracing::warn!("ended at once"),
    }
    Ok(())
}

fn check_host(config: &Config) -> Result<(), ServerError> {
    let findings = selftest::judge(config, &selftest::probe(config));
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| matches!(finding, Finding::Error(_)));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if errors.is_empty() { Ok(()) } else { Err(ServerError::Host(errors)) }
}

async fn upkeep(metrics: Metrics) {
    let mut ticks = tokio::time::interval(limits::METRICS_UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.upkeep();
    }
}
