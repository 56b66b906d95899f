//! Composition root: tests the host, binds, wires the rooms together, and takes them down in order.
//!
//! ```text
//! self-test ─▶ data dir: store, signing key, certificates ─▶ media workers ─▶ routes ─▶ accept
//! SIGTERM ─▶ not ready, accept no more ─▶ drain ─▶ close media ─▶ close store;   a second signal ends at once
//! ```

mod connections;
mod fallback;
mod guard;
mod health;
mod media;
mod shutdown;
mod tls;
mod web;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{AccountSettings, Accounts, AccountsStartError, KeyError, MailSettings, Tokens};
use crate::api;
use crate::config::{Config, Secret, Tls};
use crate::hls_fallback::Hls;
use crate::hls_fallback::dvr::{Dvr, DvrError};
use crate::ids::NodeId;
use crate::limits;
use crate::selftest::{self, Finding};
use crate::signaling::ice_servers::{IceServers, TurnRest};
use crate::signaling::protocol::IceServer;
use crate::signaling::{self, Live, LiveParts, Settings};
use crate::social::archive::kept::{StoreArchive, StoreRelations};
use crate::social::bus::memory::MemoryBus;
use crate::social::bus::redis::RedisBus;
use crate::social::bus::{Bus, BusError};
use crate::social::{Social, SocialParts};
use crate::store::{Database, Store, StoreError};
use crate::telemetry::Metrics;
use connections::{Addresses, Connections};
use health::Health;
use media::MediaPlane;

pub use media::MediaError;
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
    Accounts(#[from] AccountsStartError),
    #[error("database_url must be {0}")]
    DatabaseUrl(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Dvr(#[from] DvrError),
    #[error("redis: {0}")]
    Bus(#[from] BusError),
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
    live: Live,
    hls: Option<Hls>,
    social: Social,
    media: MediaPlane,
    accounts: Accounts,
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
        let store = Store::open(&database(config.database_url.as_ref().map(Secret::expose), data_dir)?).await?;
        let tokens = Tokens::load_or_make(&data_dir.join(TOKEN_KEY_FILE))?;
        let tls = tls::acceptor(&config.tls, data_dir)?;
        let is_tls = tls.is_some();
        // A browser that has once accepted a self-signed certificate must be able to go back to plain HTTP.
        let is_hsts = matches!(config.tls, Tls::Files { .. });

        let listen_failed = |source| ServerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let (media, sfu, events) = MediaPlane::start(&config)?;
        let settings = settings(&config, address, is_tls);
        let desk = account_settings(&config, &settings);
        let accounts = Accounts::start(store.clone(), tokens.clone(), desk, unix_ms()).await?;
        let social = start_social(&config, &store).await?;
        let packaged = sfu.clone();
        let dvr = fallback::open_dvr(&config).await?;
        let replays = dvr.as_ref().map(Dvr::replays);
        let live = Live::start(LiveParts {
            sfu,
            events,
            tokens,
            accounts: accounts.clone(),
            store: store.clone(),
            social: social.clone(),
            settings,
            recorded: dvr.as_ref().map(Dvr::recorded).unwrap_or_default(),
        })
        .await?;
        if let Some(replays) = &replays {
            live.set_replays(&replays.borrow());
        }
        let hls = fallback::start_hls(&config, packaged, &live, dvr);

        let stopping = Arc::new(AtomicBool::new(false));
        let health = Health {
            store: store.clone(),
            metrics: metrics.clone(),
            media: media.clone(),
            live: live.clone(),
            hls: hls.clone(),
            stopping: Arc::clone(&stopping),
        };
        let routes = Router::new().merge(signaling::router(live.clone())).merge(api::router(live.clone())).merge(health::routes(health));
        let routes = hls.as_ref().map_or_else(Router::new, Hls::router).merge(routes);
        let router = guard::guarded(web::with_pages(routes), is_hsts);

        let connections = Connections::new(router, tls, Addresses::new(config.connections_per_address));
        let accepting = tokio::spawn(Arc::clone(&connections).accept(listener));

        let (background, stop_background) = (TaskTracker::new(), CancellationToken::new());
        background.spawn(stop_background.clone().run_until_cancelled_owned(upkeep(metrics)));
        background.spawn(stop_background.clone().run_until_cancelled_owned(accounts_upkeep(accounts.clone())));
        let chats = chats_upkeep(store.clone(), config.chat_kept_days);
        background.spawn(stop_background.clone().run_until_cancelled_owned(chats));
        if let Some(replays) = replays {
            background.spawn(stop_background.clone().run_until_cancelled_owned(fallback::tell_replays(live.clone(), replays)));
        }
        let parts = Parts { connections, stopping, background, stop_background, live, hls, social, media, accounts, store };
        Ok(Self { address, is_tls, accepting, parts })
    }

    /// Where HTTP is served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Media peers now, publishers included.
    pub fn peers(&self) -> usize {
        self.parts.media.peers()
    }

    /// For people, e.g. `http://127.0.0.1:7880/`.
    pub fn url(&self) -> String {
        base_url(self.address, self.is_tls) + "/"
    }

    /// Stops in order: not ready, accept no more, tell clients, drain, close media, close the store.
    pub async fn stop(self) {
        let Parts { connections, stopping, background, stop_background, live, hls, social, media, accounts, store } = self.parts;
        stopping.store(true, Ordering::Relaxed);
        connections.stop_accepting();
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "the accept loop had failed");
        }
        if timeout(limits::DRAIN_TIMEOUT, live.shutdown()).await.is_err() {
            tracing::warn!("some sessions did not end by themselves");
        }
        if let Some(hls) = hls
            && timeout(limits::DRAIN_TIMEOUT, hls.shutdown()).await.is_err()
        {
            tracing::warn!("some packagers did not end by themselves");
        }
        // Gives its leases back, so that another node takes its chats over at once.
        if timeout(limits::DRAIN_TIMEOUT, social.shutdown()).await.is_err() {
            tracing::warn!("some chats did not end by themselves");
        }
        let cut = connections.drain(limits::DRAIN_TIMEOUT).await;
        if cut > 0 {
            tracing::warn!(cut, "connections did not end by themselves");
        }
        media.stop().await;
        stop_background.cancel();
        background.close();
        background.wait().await;
        accounts.shutdown().await;
        store.close().await;
    }
}

/// Runs a server until SIGTERM or SIGINT.
///
/// # Errors
/// As [`Server::start`].
pub async fn run(config: Config, metrics: Metrics) -> Result<(), ServerError> {
    // Before anybody is told that it runs, and may end it.
    let mut signals = shutdown::Signals::new();
    let server = Server::start(config, metrics).await?;
    tracing::info!(url = server.url(), "serving");
    signals.next().await;
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        () = signals.next() => tracing::warn!("ended at once"),
    }
    Ok(())
}

/// The database that a URL names; without one SQLite in the data directory.
///
/// # Errors
/// `DatabaseUrl`.
pub fn database(url: Option<&str>, data_dir: &Path) -> Result<Database, ServerError> {
    match url {
        Some(url) => Database::parse(url).map_err(ServerError::DatabaseUrl),
        None => Ok(Database::Sqlite(data_dir.join(DATABASE_FILE))),
    }
}

/// On Redis where it is configured, else by itself.
async fn start_social(config: &Config, store: &Store) -> Result<Social, BusError> {
    let urls: Vec<String> = config.redis.iter().map(|url| url.expose().to_owned()).collect();
    let bus: Arc<dyn Bus> = if urls.is_empty() { Arc::new(MemoryBus::default()) } else { Arc::new(RedisBus::connect(&urls).await?) };
    Ok(Social::start(SocialParts {
        bus,
        node: NodeId::random(&mut rand::rng()),
        archive: Arc::new(StoreArchive(store.clone())),
        relations: Arc::new(StoreRelations(store.clone())),
        encode: signaling::encode_chat,
    }))
}

fn base_url(address: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    format!("{scheme}://{host}:{}", address.port())
}

fn settings(config: &Config, address: SocketAddr, is_tls: bool) -> Settings {
    let (turn, fixed): (Vec<_>, Vec<_>) = config.ice_servers.iter().cloned().partition(|url| url.starts_with("turn"));
    let fixed = if fixed.is_empty() { Vec::new() } else { vec![IceServer { urls: fixed, username: None, credential: None }] };
    let secret = config.turn_secret.as_ref().map(|secret| secret.expose().to_owned());
    Settings {
        open_publish: config.open_publish,
        open_view: config.open_view,
        dvr_window_s: config.hls.as_ref().and_then(|hls| hls.dvr.as_ref()).map(|dvr| dvr.window.as_secs() as u32),
        max_viewers: Some(config.max_viewers as usize),
        egress_max_bps: config.max_egress_mbps.map(|max| u64::from(max) * 1_000_000),
        has_hls: config.hls.is_some(),
        ice_servers: IceServers { fixed, turn: secret.filter(|_| !turn.is_empty()).map(|secret| TurnRest { urls: turn, secret }) },
        public_base_url: config.public_url.clone().unwrap_or_else(|| base_url(address, is_tls)),
    }
}

fn account_settings(config: &Config, settings: &Settings) -> AccountSettings {
    let mail = config.mail.as_ref();
    AccountSettings {
        open_sign_up: config.open_sign_up,
        public_base_url: settings.public_base_url.clone(),
        mail: mail.map(|mail| MailSettings { smtp_url: mail.smtp_url.expose().to_owned(), from: mail.from.clone() }),
    }
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

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "a shell: the account desk is told the time")]
fn unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

async fn accounts_upkeep(accounts: Accounts) {
    let mut ticks = tokio::time::interval(limits::ACCOUNTS_UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = accounts.upkeep(unix_ms()).await {
            tracing::warn!(%error, "what has expired could not be removed; another attempt follows");
        }
    }
}

/// Lets go of what was said too long ago.
async fn chats_upkeep(store: Store, kept_days: u32) {
    let kept_ms = u64::from(kept_days) * 24 * 3600 * 1000;
    let mut ticks = tokio::time::interval(limits::CHATS_UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match store.forget_chats(unix_ms().saturating_sub(kept_ms), limits::CHAT_KEPT_MAX).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old chats are gone"),
            Err(error) => tracing::warn!(%error, "old chats could not be removed; another attempt follows"),
        }
    }
}
