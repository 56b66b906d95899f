//! The program as people run it: a process, its command line, its signals, its log.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::client::{Publisher, Viewer, request};
use super::house::{House, within};
use super::socket::Socket;
use super::statuses::{VIEW_OFFER, refused};

/// Without what the tester's own environment says.
pub(super) fn courtside() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_courtside"));
    command.env_clear();
    command
}

/// What `courtside ...` prints on standard output; it must succeed.
pub(super) fn printed(house: &House, args: &[&str]) -> String {
    let output = courtside().args(args).arg("--data-dir").arg(house.data_dir()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// `courtside serve`.
pub(super) struct Program {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
}

impl Program {
    pub(super) async fn serve(args: &[&str]) -> (Self, House) {
        let data_dir = Arc::new(tempfile::tempdir().unwrap());
        Self::serve_on(data_dir, args).await
    }

    pub(super) async fn serve_on(data_dir: Arc<TempDir>, args: &[&str]) -> (Self, House) {
        let ours = ["serve", "--listen", "127.0.0.1:0", "--media-ip", "127.0.0.1", "--media-port", "0", "--workers", "1"];
        let mut command = courtside();
        command.args(ours).args(["--log-format", "json", "--data-dir"]).arg(data_dir.path()).args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (said, log) = mpsc::unbounded_channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut program = Self { child, log };
        let serving = program.says("serving").await;
        let url = serving["url"].as_str().unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        (program, House::at(address, data_dir))
    }

    /// Waits for the line of the log with this message.
    pub(super) async fn says(&mut self, message: &str) -> Value {
        within(message, async {
            loop {
                let line = self.log.recv().await.unwrap_or_else(|| panic!("it ended before it said {message:?}"));
                let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                if line["message"].as_str().is_some_and(|said| said.starts_with(message)) {
                    return line;
                }
            }
        })
        .await
    }

    pub(super) fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// The plug is pulled; what is on the disk stays.
    pub(super) async fn killed(self, house: House) -> Arc<TempDir> {
        kill_process(Pid::from_child(&self.child), Signal::KILL).unwrap();
        let status = self.ended().await;
        assert!(!status.success());
        house.kept()
    }

    pub(super) async fn ended(mut self) -> ExitStatus {
        within("its end", tokio::task::spawn_blocking(move || self.child.wait())).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_the_command_line_publish_and_watch_where_both_are_closed() {
    let (mut program, house) = Program::serve(&["--closed-view"]).await;
    let camera = printed(&house, &["token", "--broadcast", "derby", "--publish", "--ttl", "3h", "--name", "Camera 1"]);
    let fan = printed(&house, &["token", "--broadcast", "derby", "--view"]);
    let elsewhere = printed(&house, &["token", "--broadcast", "final", "--view", "--publish"]);

    let publisher = Publisher::go_live(&house, "derby", Some(&camera), 1).await;
    let whep = async |token: Option<&str>| request(&house, Method::POST, "/whep/derby", token, Some("application/sdp"), VIEW_OFFER).await;
    refused(whep(None).await, 401, "forbidden").await;
    refused(whep(Some(&elsewhere)).await, 403, "forbidden").await;
    let (mut viewer, resource) = Viewer::watch(&house, "derby", Some(&fan)).await;
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;

    let (mut socket, welcome) = Socket::greet(&house, None, Some(&fan)).await;
    assert_eq!((&welcome["user"]["name"], &welcome["user"]["guest"]), (&json!("Token"), &json!(false)));
    assert_eq!(socket.ask(json!({"type": "join", "broadcast": "derby"})).await["grants"], json!(["view"]));
    let refusal = socket.ask(json!({"type": "end_broadcast"})).await;
    assert_eq!(refusal["error"]["code"], "forbidden");
    let (mut stranger, _) = Socket::greet(&house, None, None).await;
    assert_eq!(stranger.ask(json!({"type": "join", "broadcast": "derby"})).await["error"]["code"], "forbidden");

    // This process serves nobody else, so its counters are of what happened here.
    let counted = async |name: &str| {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while house.metric(name).await.is_none_or(|value| value < 1.0) {
            looks.tick().await;
        }
    };
    for name in ["courtside_sfu_packets_forwarded_total", "courtside_sfu_handshakes_total", "courtside_sfu_sends_total"] {
        within(name, counted(name)).await;
    }

    program.signal();
    let bye = socket.hear("bye").await;
    assert_eq!((&bye["reason"], bye["reconnect_after_ms"].is_u64()), (&json!("shutting_down"), true));
    program.says("stopped").await;
    assert!(program.ended().await.success());
    drop((viewer, resource));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_made_on_the_command_line_may_do_everything() {
    let (program, house) = Program::serve(&[]).await;
    let operator = printed(&house, &["user", "add", "Ann", "--operator"]);
    let other = printed(&house, &["user", "add", "Bob"]);
    let camera = printed(&house, &["token", "--broadcast", "derby", "--publish"]);
    let ask = async |method, path: &str, token: &str, body: &str| {
        request(&house, method, path, Some(token), Some("application/json"), body.to_owned()).await
    };
    for (token, name, is_operator) in [(&operator, "Ann", true), (&other, "Bob", false)] {
        let me: Value = ask(Method::GET, "/api/v1/me", token, "").await.json().await.unwrap();
        assert_eq!((&me["user"]["name"], &me["user"]["guest"]), (&json!(name), &json!(false)), "{me}");
        assert_eq!((&me["operator"], &me["may_broadcast"]), (&json!(is_operator), &json!(is_operator)), "{me}");
    }
    refused(ask(Method::POST, "/api/v1/broadcasts", &other, r#"{"slug": "cup"}"#).await, 403, "forbidden").await;
    assert_eq!(ask(Method::POST, "/api/v1/broadcasts", &operator, r#"{"slug": "cup"}"#).await.status(), 201);

    // Somebody else's broadcast.
    let publisher = Publisher::go_live(&house, "derby", Some(&camera), 1).await;
    let derby = "/api/v1/broadcasts/derby";
    refused(ask(Method::PATCH, derby, &other, r#"{"title": "Mine"}"#).await, 403, "forbidden").await;
    let changed: Value = ask(Method::PATCH, derby, &operator, r#"{"title": "The derby"}"#).await.json().await.unwrap();
    assert_eq!(changed["title"], "The derby");
    let marked = ask(Method::POST, "/api/v1/broadcasts/derby/markers", &operator, r#"{"kind": "goal", "label": "1-0"}"#).await;
    assert_eq!(marked.status(), 201);
    let (mut socket, welcome) = Socket::greet(&house, None, Some(&operator)).await;
    assert_eq!(welcome["user"]["name"], "Ann");
    let joined = socket.ask(json!({"type": "join", "broadcast": "derby"})).await;
    assert_eq!(joined["grants"], json!(["view", "publish", "chat", "call", "moderate"]));
    assert_eq!(request(&house, Method::DELETE, &publisher.resource.url, Some(&operator), None, "").await.status(), 200);
    let ended: Value = ask(Method::DELETE, derby, &operator, "").await.json().await.unwrap();
    assert_eq!(ended["state"], "ended");
    program.signal();
    assert!(program.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait_for_a_request_under_way() {
    let (mut program, house) = Program::serve(&["--open-publish"]).await;
    let mut stream = TcpStream::connect(house.authority()).await.unwrap();
    let head = "POST /api/v1/broadcasts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 12];
    within("100 Continue", stream.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    program.signal();
    program.says("stopping").await;
    program.signal();
    program.says("ended at once").await;
    assert!(program.ended().await.success());
}

#[test]
fn every_mistake_of_a_configuration_is_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("courtside.toml");
    std::fs::write(&file, "listne = \"x\"\nworkers = 0\ntls_san = [\"two words\"]\n").unwrap();
    let mut serve = courtside();
    serve
        .args(["serve", "--listen", "nonsense", "--max-viewers", "-3", "--media-ip", "here", "--tls-cert", "alone.pem", "--config"])
        .arg(&file);
    let output = serve.env("COURTSIDE_LOG_FORMAT", "xml").env("COURTSIDE_PUBLIC_IP", "0.0.0.0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for key in ["listne (", "listen (--listen)", "max_viewers (--max-viewers)", "media_ip (--media-ip)", "tls_key", "workers ("] {
        assert!(said.contains(&format!("\n  {key}")), "{key} in {said}");
    }
    for key in ["log_format (COURTSIDE_LOG_FORMAT)", "public_ip (COURTSIDE_PUBLIC_IP)"] {
        assert!(said.contains(&format!("\n  {key}")), "{key} in {said}");
    }
    assert!(said.contains("did you mean `listen`?"), "{said}");
}
