//! Databases for tests: SQLite in a folder of its own, and PostgreSQL on a private socket.
//!
//! One PostgreSQL serves all tests that run at the same time, each with a database of its own; it ends with the last of them, and by
//! `PDEATHSIG` when the test process dies before.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sqlx::{ConnectOptions, Connection, Executor};

use super::{Database, Store};

/// A database for one test, gone with it.
pub(crate) struct Place {
    pub(crate) database: Database,
    _cluster: Option<Arc<Cluster>>,
    _dir: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { database: Database::Sqlite(dir.path().join("courtside.db")), _cluster: None, _dir: Some(dir) }
    }

    pub(crate) async fn postgres() -> Self {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let Database::Postgres(options) = cluster.database("postgres") else { unreachable!("its URL says postgres") };
        let mut connection = options.connect().await.unwrap();
        connection.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
        connection.close().await.unwrap();
        Self { database: cluster.database(&name), _cluster: Some(cluster), _dir: None }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.database).await.unwrap()
    }
}

struct Cluster {
    dir: tempfile::TempDir,
    server: Child,
}

impl Cluster {
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    fn start() -> Self {
        let programs = programs();
        let dir = tempfile::tempdir().unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            run(Command::new("chown").arg("postgres:").arg(dir.path()));
        }
        let folder = dir.path().join("data");
        run(command(&programs.join("initdb"), is_root)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(&folder));
        let mut postgres = command(&programs.join("postgres"), is_root);
        postgres.arg("-D").arg(&folder).arg("-k").arg(dir.path());
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "lc_messages=C"]).stderr(Stdio::piped());
        // The server gets its signal when the thread that started it ends: one that lasts as long as the process.
        let (started, server) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            started.send(postgres.spawn()).unwrap();
            loop {
                std::thread::park();
            }
        });
        let mut server = server.recv().unwrap().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        let is_ready = lines.any(|line| {
            said.push_str(&line);
            line.contains("ready to accept connections")
        });
        assert!(is_ready, "PostgreSQL did not start: {said}");
        std::thread::spawn(move || lines.for_each(drop));
        Self { dir, server }
    }

    fn database(&self, name: &str) -> Database {
        Database::parse(&format!("postgres://postgres@localhost/{name}?host={}", self.dir.path().display())).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown; it is ours to kill, so neither call fails for a reason that matters here.
        if let Some(pid) = rustix::process::Pid::from_raw(self.server.id().cast_signed()) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap_or_default();
        }
        drop(self.server.wait());
    }
}

/// PostgreSQL does not run as root.
fn command(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=INT").stdin(Stdio::null()).stdout(Stdio::null());
    if is_root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where Debian has them, the newest version first; else what the path finds.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let debian = versions.map(|version| version.path().join("bin")).filter(|folder| folder.join("initdb").exists()).max();
    let on_path = || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).find(|folder| folder.join("initdb").exists());
    debian.or_else(on_path).expect("PostgreSQL is missing: apt-get install postgresql")
}
