//! The server from outside, over real sockets: health, pages, bounds, TLS, shutdown.

use std::net::SocketAddr;
use std::sync::Arc;

use courtside::config::{Config, KEYS, Origin, Raw};
use courtside::server::Server;
use courtside::telemetry::Metrics;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

struct Running {
    server: Server,
    address: SocketAddr,
    data_dir: TempDir,
}

async fn start(settings: &[(&str, &str)]) -> Running {
    let data_dir = tempfile::tempdir().unwrap();
    let dir = data_dir.path().display().to_string();
    let mut raw = Raw::default();
    let ours = [("listen", "127.0.0.1:0"), ("media_ip", "127.0.0.1"), ("media_port", "0"), ("workers", "1"), ("data_dir", dir.as_str())];
    for &(name, value) in settings.iter().chain(&ours) {
        let key = KEYS.iter().find(|key| key.toml == name).unwrap();
        raw.offer(key, vec![value.to_owned()], Origin::Flag(key.flag));
    }
    let config = Config::resolve(&raw, Vec::new()).unwrap();
    let server = Server::start(config, Metrics::detached()).await.unwrap();
    let address = server.address();
    Running { server, address, data_dir }
}

/// Sends bytes and reads until the server closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    // A server that refuses may close before it has read everything.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    exchange(TcpStream::connect(address).await.unwrap(), request.as_bytes()).await
}

#[tokio::test]
async fn a_started_server_is_ready_and_says_so() {
    let running = start(&[]).await;
    assert!(get(running.address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    let ready = get(running.address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.contains(r#""ready":true"#), "{ready}");
    assert!(get(running.address, "/metrics").await.starts_with("HTTP/1.1 200 "));
    let nothing = get(running.address, "/api/v1/nothing").await;
    assert!(nothing.starts_with("HTTP/1.1 404 ") && nothing.contains("application/problem+json"), "{nothing}");
    assert!(nothing.contains("content-security-policy: default-src 'self'"), "{nothing}");
    running.server.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_disturbs_nobody() {
    let running = start(&[]).await;
    let connect = async || TcpStream::connect(running.address).await.unwrap();
    let head = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 100_000], b"\r\n\r\n"].concat();
    assert!(exchange(connect().await, &head).await.starts_with("HTTP/1.1 431 "));
    let announced = b"POST /whip/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n";
    assert!(exchange(connect().await, announced).await.starts_with("HTTP/1.1 413 "));
    let garbage = exchange(connect().await, b"\x16\x03\x01\x00\xff not HTTP at all\r\n\r\n").await;
    assert!(garbage.is_empty() || garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    assert!(get(running.address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    running.server.stop().await;
}

#[tokio::test]
async fn an_address_has_only_so_many_connections() {
    let running = start(&[("connections_per_address", "2")]).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // Answered, so it is counted.
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        held.push(stream);
    }
    assert_eq!(get(running.address, "/healthz").await, "", "the third is closed unread");
    drop(held);
    running.server.stop().await;
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_frees_the_port() {
    let running = start(&[]).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(idle.read_u8().await.unwrap(), b'H');
    running.server.stop().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"ok\n"));
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_restart_keeps_keys_and_certificate() {
    let running = start(&[]).await;
    let read = |name: &str| std::fs::read(running.data_dir.path().join(name)).unwrap();
    let before = (read("token.key"), read("dtls.pem"));
    let dir = running.data_dir.path().display().to_string();
    running.server.stop().await;
    let again = start(&[("data_dir", &dir)]).await;
    let read = |name: &str| std::fs::read(running.data_dir.path().join(name)).unwrap();
    assert_eq!((read("token.key"), read("dtls.pem")), before);
    again.server.stop().await;
}

#[tokio::test]
async fn a_self_signed_server_speaks_both_versions_of_http() {
    let running = start(&[("tls_self_signed", "true"), ("tls_san", "courtside.test")]).await;
    let made = std::fs::read_dir(running.data_dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let certificate = made.into_iter().find(|path| path.to_string_lossy().contains("tls-self-signed")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    for (offered, name) in [("h2", "courtside.test"), ("http/1.1", "localhost")] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![offered.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(running.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from(name).unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(offered.as_bytes()));
        if offered == "http/1.1" {
            let answer = exchange(stream, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    running.server.stop().await;
}
