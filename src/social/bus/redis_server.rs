//! Real `redis-server` processes for tests, each in a folder of its own on a private loopback port; they end with their value.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{interval, timeout};

const START_MAX: Duration = Duration::from_secs(20);
const SLOTS: u16 = 16_384;

/// One server.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    is_cluster: bool,
    dir: tempfile::TempDir,
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl RedisServer {
    /// A server by itself, when it answers.
    pub(crate) async fn start() -> Self {
        Self::launch(false).await
    }

    async fn launch(is_cluster: bool) -> Self {
        // Another program may take the port in between: then the server ends, and another port is tried.
        for _ in 0..10 {
            let port = free_port();
            let dir = tempfile::tempdir().unwrap();
            let process = spawn(port, is_cluster, dir.path());
            let mut server = Self { process, port, is_cluster, dir };
            if server.answers().await {
                return server;
            }
        }
        panic!("redis-server does not start; is the package redis-server installed?");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same server again, on its port and with what its folder kept.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.port, self.is_cluster, self.dir.path());
        assert!(self.answers().await, "redis-server does not come back");
    }

    async fn answers(&mut self) -> bool {
        let mut ticks = interval(Duration::from_millis(20));
        let ready = timeout(START_MAX, async {
            loop {
                ticks.tick().await;
                if self.process.try_wait().unwrap().is_some() {
                    return false;
                }
                if self.ask(&["PING"]).await.is_ok_and(|answer: String| answer == "PONG") {
                    return true;
                }
            }
        });
        ready.await.unwrap_or(false)
    }

    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut connection).await
    }
}

/// A cluster of three masters that goes on with the slots it still has.
pub(crate) async fn start_cluster() -> Vec<RedisServer> {
    let mut servers = Vec::new();
    for index in 0..3_u16 {
        let server = RedisServer::launch(true).await;
        let (from, to) = (index * (SLOTS / 3), if index == 2 { SLOTS - 1 } else { (index + 1) * (SLOTS / 3) - 1 });
        server.ask::<String>(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await.unwrap();
        server.ask::<String>(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await.unwrap();
        servers.push(server);
    }
    for server in &servers[1..] {
        servers[0].ask::<String>(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string()]).await.unwrap();
    }
    let mut ticks = interval(Duration::from_millis(50));
    let met = timeout(START_MAX, async {
        loop {
            ticks.tick().await;
            let mut ready = 0;
            for server in &servers {
                let told: String = server.ask(&["CLUSTER", "INFO"]).await.unwrap();
                ready += usize::from(told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:3"));
            }
            if ready == servers.len() {
                return;
            }
        }
    });
    met.await.expect("the three nodes agree in time");
    servers
}

/// A free port whose cluster port (10,000 above) is free too.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bus = port.checked_add(10_000).or_else(|| port.checked_sub(20_000));
        if port < 55_000 && bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

fn spawn(port: u16, is_cluster: bool, dir: &Path) -> Child {
    let mut command = Command::new("redis-server");
    command.current_dir(dir).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    if is_cluster {
        let rules = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"];
        command.args(rules).args(["--cluster-allow-pubsubshard-when-down", "yes"]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed (Debian package redis-server)")
}
