//! A server of its own for a test: any free ports, a data directory of its own, and the HTTP client to speak to it.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use courtside::accounts::{Claims, Grant, Tokens};
use courtside::config::{Config, Raw};
use courtside::ids::UserId;
use courtside::server::{Server, TOKEN_KEY_FILE};
use courtside::telemetry::{self, Metrics};
use serde_json::Value;
use tempfile::TempDir;

/// Every wait of these tests. Far more than anything takes: the machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The outcome, or a failure that says what was waited for.
pub(super) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// The recorder is one per process.
fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::init_metrics().unwrap()).clone()
}

/// A running server.
pub(super) struct House {
    /// `None` where it is a process of its own.
    server: Option<Server>,
    address: SocketAddr,
    data_dir: Arc<TempDir>,
    pub(super) http: reqwest::Client,
}

impl House {
    /// Anybody may publish.
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), change).await
    }

    /// On a data directory that a server may have used before.
    pub(super) async fn on(data_dir: Arc<TempDir>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::resolve(&Raw::default(), Vec::new()).unwrap();
        config.listen.set_port(0);
        config.media_port = 0;
        config.media_v4 = Some([127, 0, 0, 1].into());
        config.media_v6 = None;
        config.workers = 2;
        config.open_publish = true;
        config.data_dir = data_dir.path().to_owned();
        change(&mut config);
        let server = Server::start(config, metrics()).await.unwrap();
        Self { address: server.address(), server: Some(server), data_dir, http: reqwest::Client::new() }
    }

    /// A server that somebody else runs.
    pub(super) fn at(address: SocketAddr, data_dir: Arc<TempDir>) -> Self {
        Self { server: None, address, data_dir, http: reqwest::Client::new() }
    }

    /// Where clients bind: the loopback address of the server's own family, any port.
    pub(super) fn client_address(&self) -> String {
        let ip: IpAddr = if self.address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        SocketAddr::new(ip, 0).to_string()
    }

    pub(super) fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its data directory, when its server is gone.
    pub(super) fn kept(self) -> Arc<TempDir> {
        self.data_dir
    }

    /// In order; returns the data directory.
    pub(super) async fn stop(self) -> Arc<TempDir> {
        if let Some(server) = self.server {
            within("an ordered stop", server.stop()).await;
        }
        self.data_dir
    }

    /// A token of this installation for `user`, good for `ttl_s` from now (negative: expired).
    pub(super) fn token(&self, user: u64, grants: &[Grant], broadcast: Option<&str>, ttl_s: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = Claims {
            sub: UserId::from_bits(user),
            name: "Ann".to_owned(),
            exp: now.saturating_add_signed(ttl_s),
            broadcast: broadcast.map(str::to_owned),
            grants: grants.to_vec(),
            operator: false,
            broadcaster: false,
            guest: false,
        };
        Tokens::load_or_make(&self.data_dir.path().join(TOKEN_KEY_FILE)).unwrap().mint(&claims)
    }

    pub(super) async fn get(&self, path: &str) -> reqwest::Response {
        within(path, self.http.get(self.url(path)).send()).await.unwrap()
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Waits until `/metrics` shows this value. Servers of other tests share the recorder and set the same gauges when they are asked,
    /// so one look proves nothing.
    pub(super) async fn settles(&self, metric: &str, value: f64) {
        let settled = async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            loop {
                looks.tick().await;
                if self.metric(metric).await == Some(value) {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            panic!("{metric} is {:?} and not {value}", self.metric(metric).await);
        }
    }

    /// Waits until this server has so many media peers.
    pub(super) async fn peers_settle(&self, peers: usize) {
        let settled = async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            while self.peers().await != Some(peers) {
                looks.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            panic!("there are {:?} peers and not {peers}", self.peers().await);
        }
    }

    async fn peers(&self) -> Option<usize> {
        match &self.server {
            Some(server) => Some(server.peers()),
            None => self.metric("courtside_sfu_peers").await.map(|peers| peers as usize),
        }
    }

    /// The sum over all labels.
    pub(super) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text().await.unwrap();
        let samples = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with(['{', ' ']) {
                return None;
            }
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        samples.reduce(|sum, sample| sum + sample)
    }

    /// Asserts that every part of the server is alive: each worker's thread, the store.
    pub(super) async fn is_well(&self) {
        let readiness = self.json("/readyz").await;
        assert_eq!(readiness["ready"], true, "{readiness}");
    }
}
