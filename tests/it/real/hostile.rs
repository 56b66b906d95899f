//! Bad input while somebody watches: nothing panics, nothing grows, and the viewer does not notice.

use std::net::SocketAddr;
use std::time::Duration;

use courtside::limits::SDP_BYTES_MAX;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::client::{Publisher, Resource, Viewer, request};
use super::house::{House, within};
use super::relay::Relay;
use super::socket::Socket;
use super::statuses::PUBLISH_OFFER;

/// A live broadcast with one viewer behind a relay.
struct Scene {
    house: House,
    publisher: Publisher,
    viewer: Viewer,
    resource: Resource,
    relay: Relay,
}

impl Scene {
    async fn open() -> Self {
        let house = House::open().await;
        let publisher = Publisher::go_live(&house, "derby", None, 1).await;
        let (viewer, resource, relay) = Viewer::watch_through_relay(&house, "derby").await;
        let mut scene = Self { house, publisher, viewer, resource, relay };
        scene.viewer.goes_on(30).await;
        scene
    }

    /// The picture goes on, all that ever came was right, and the server has no more peers than before.
    async fn is_unharmed(&mut self) {
        self.viewer.goes_on(40).await;
        let video = || self.publisher.sent_video();
        let seen = Viewer::sees(&mut self.viewer.video, 40, &[&video]).await;
        assert_eq!(seen.sources, [0]);
        self.house.peers_settle(2).await;
        self.house.settles("courtside_signaling_broadcasts", 1.0).await;
        self.house.is_well().await;
    }

    async fn close(self) {
        assert_eq!(self.resource.delete(&self.house).await, 200);
        assert_eq!(self.publisher.resource.delete(&self.house).await, 200);
        self.house.peers_settle(0).await;
        self.house.stop().await;
    }
}

/// Datagrams that look like every protocol of the port (RFC 7983), random otherwise.
fn noise(rng: &mut StdRng) -> Vec<u8> {
    let mut datagram = vec![0; rng.random_range(0..1400)];
    rng.fill(&mut datagram[..]);
    if let Some(first) = datagram.first_mut() {
        *first = [0, 1, 2, 20, 22, 23, 63, 64, 79, 128, 144, 191, 200, 255][rng.random_range(0..14)];
    }
    if datagram.len() > 8 && rng.random_bool(0.3) {
        // The magic cookie of STUN.
        datagram[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    }
    datagram
}

/// DTLS records of every type and version, whole by their length fields and nonsense within.
fn dtls_garbage(rng: &mut StdRng) -> Vec<u8> {
    let len: u16 = rng.random_range(0..300);
    let content = rng.random_range(20..=25);
    let epoch: u16 = rng.random_range(0..3);
    let mut record = vec![content, 0xfe, [0xff, 0xfd, 0xfc][rng.random_range(0..3)]];
    record.extend(epoch.to_be_bytes());
    record.extend((0..6).map(|_| rng.random::<u8>()));
    record.extend(len.to_be_bytes());
    record.extend((0..len).map(|_| rng.random::<u8>()));
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_of_strangers_and_forgeries_change_nothing() {
    let mut scene = Scene::open().await;
    let seed = 20_261_121;
    let mut rng = StdRng::seed_from_u64(seed);
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let ports: [SocketAddr; 2] = [scene.resource.media(), scene.publisher.resource.media()];
    // From an address that no peer has: whatever it says.
    for port in ports {
        for _ in 0..400 {
            stranger.send_to(&noise(&mut rng), port).await.unwrap();
            stranger.send_to(&dtls_garbage(&mut rng), port).await.unwrap();
        }
    }
    scene.is_unharmed().await;

    // As if the viewer's own address were forged: garbage, what it sent itself (again, cut, changed).
    let recorded = [scene.relay.heard_media(), scene.relay.heard_dtls()].concat();
    assert!(recorded.len() > 5, "the viewer sends reports");
    for datagram in recorded.iter().take(200) {
        scene.relay.inject(datagram.clone());
        scene.relay.inject(datagram[..rng.random_range(0..datagram.len())].to_vec());
        let mut changed = datagram.clone();
        let at = rng.random_range(0..changed.len());
        changed[at] ^= 1 << rng.random_range(0..8);
        scene.relay.inject(changed);
    }
    for _ in 0..300 {
        scene.relay.inject(noise(&mut rng));
        scene.relay.inject(dtls_garbage(&mut rng));
    }
    scene.is_unharmed().await;

    // And what the viewer sent, from another address: it moves nobody.
    for datagram in scene.relay.heard_media().iter().take(200) {
        stranger.send_to(datagram, ports[0]).await.unwrap();
        stranger.send_to(datagram, ports[1]).await.unwrap();
    }
    scene.is_unharmed().await;
    let mut answer = [0; 2048];
    assert!(stranger.try_recv(&mut answer).is_err(), "an unauthenticated datagram is never answered (seed {seed})");
    scene.close().await;
}

/// An otherwise good offer with `count` short m-lines: a hundred of them stay below the bound on bytes.
fn many_m_lines(count: usize) -> String {
    const KEPT: [&str; 9] =
        ["c=", "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=sendonly", "a=rtcp-mux", "a=rtpmap:102", "a=fmtp:102"];
    let (head, rest) = PUBLISH_OFFER.split_at(PUBLISH_OFFER.find("m=").unwrap());
    let first = &rest[..rest[2..].find("m=").unwrap() + 2];
    let lines: Vec<&str> = first.lines().filter(|line| KEPT.iter().any(|kept| line.starts_with(kept))).collect();
    let mids: Vec<String> = (0..count).map(|mid| mid.to_string()).collect();
    let head = head.replace("a=group:BUNDLE 0 1", &format!("a=group:BUNDLE {}", mids.join(" ")));
    let m_line = |mid: &String| format!("m=video 9 UDP/TLS/RTP/SAVPF 102\r\n{}\r\na=mid:{mid}\r\n", lines.join("\r\n"));
    let offer = mids.iter().fold(head, |sdp, mid| sdp + &m_line(mid));
    assert!(offer.len() < SDP_BYTES_MAX, "{}", offer.len());
    offer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_and_nonsensical_requests_are_refused_in_words() {
    let mut scene = Scene::open().await;
    let house = &scene.house;
    let sdp = Some("application/sdp");
    for offer in
        [many_m_lines(100), many_m_lines(100).chars().take(30_000).collect(), format!("v=0\r\n{}", "m=video 9 RTP 0\r\n".repeat(100))]
    {
        for path in ["/whip/other", "/whep/derby"] {
            let response = request(house, Method::POST, path, None, sdp, offer.clone()).await;
            let status = response.status();
            let problem: Value = response.json().await.unwrap();
            assert!(matches!(status.as_u16(), 400 | 413 | 422), "{status} {problem}");
            assert!(problem["code"].is_string());
        }
    }
    // Cut at every 97th byte, and with one byte changed.
    let mut rng = StdRng::seed_from_u64(7);
    for at in (0..PUBLISH_OFFER.len()).step_by(97) {
        let mut changed = PUBLISH_OFFER.as_bytes().to_vec();
        changed[at] = rng.random();
        for body in [PUBLISH_OFFER.as_bytes()[..at].to_vec(), changed] {
            let response = request(house, Method::POST, "/whip/other", None, sdp, body).await;
            let status = response.status();
            assert!(status.is_success() || status.is_client_error(), "{status} at {at}");
            if status == StatusCode::CREATED {
                let url = response.headers()["location"].to_str().unwrap().to_owned();
                assert_eq!(request(house, Method::DELETE, &url, None, None, "").await.status(), 200);
            }
        }
    }
    // Changed offers that were still good made a broadcast that nobody published.
    let other = house.get("/api/v1/broadcasts/other").await;
    if other.status() == StatusCode::OK {
        assert_eq!(request(house, Method::DELETE, "/api/v1/broadcasts/other", None, None, "").await.status(), 200);
    }

    let json_kind = Some("application/json");
    let huge = format!("{{\"title\": \"{}\"}}", "x".repeat(10 << 20));
    // The server may answer and close before it has read everything: then the client may see either.
    let sent = within(
        "ten megabytes",
        house.http.post(house.url("/api/v1/broadcasts")).header("content-type", "application/json").body(huge).send(),
    );
    if let Ok(response) = sent.await {
        assert_eq!(response.status(), 413);
    }
    for body in ["[".repeat(30_000), "{\"title\":".repeat(3_000), format!("{{\"title\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000))] {
        let response = request(house, Method::POST, "/api/v1/broadcasts", None, json_kind, body).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "malformed_message");
    }
    // Wrong tokens, by the hundred and at length.
    for index in 0..300 {
        let token = match index % 3 {
            0 => format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.{index}"),
            1 => house.token(index, &[], None, 60).replace('.', "_"),
            _ => "x".repeat(5000 + index as usize),
        };
        let response = request(house, Method::POST, "/whip/derby", Some(&token), sdp, PUBLISH_OFFER).await;
        assert_eq!(response.status(), 401);
    }
    house.peers_settle(2).await;
    scene.viewer.goes_on(40).await;
    scene.house.is_well().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_silent_connections_are_closed_in_time_and_bounded() {
    const BOUND: u32 = 8;
    let house = House::with(|config| config.connections_per_address = Some(BOUND)).await;
    let address = house.authority();
    let slow = async {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nx-slow: {}", "z".repeat(10_000));
        let drip = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            for byte in request.bytes() {
                ticks.tick().await;
                if writer.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        };
        let closed = async {
            let mut answer = Vec::new();
            // A reset is an end as well.
            let _ = reader.read_to_end(&mut answer).await;
            answer
        };
        tokio::pin!(closed);
        let answer = tokio::select! {
            answer = &mut closed => answer,
            () = drip => closed.await,
        };
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    };
    let silent = async {
        let mut socket = Socket::connect(&house).await;
        let bye = socket.hear("bye").await;
        assert_eq!(bye["reason"], "hello_timeout");
        assert_eq!(socket.next().await, None);
    };
    let wordy = async {
        let mut socket = Socket::connect(&house).await;
        socket.say(&json!({"type": "join", "id": 1, "broadcast": "derby"})).await;
        assert_eq!(socket.hear("error").await["error"]["code"], "hello_first");
    };
    within("slow and silent clients", async { tokio::join!(slow, silent, wordy) }).await;

    // Too many from one address: the surplus is closed unread, the others live.
    let mut held = Vec::new();
    let full = async {
        loop {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            // A connection within the bound answers; one beyond it is closed.
            let asked = stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await;
            let mut answer = [0; 12];
            match asked {
                Ok(()) if stream.read_exact(&mut answer).await.is_ok() => held.push(stream),
                Ok(()) | Err(_) => return,
            }
        }
    };
    within("the bound", full).await;
    assert!((1..=BOUND as usize).contains(&held.len()), "{} connections", held.len());
    drop(held);
    let again = async {
        let mut tries = tokio::time::interval(Duration::from_millis(50));
        loop {
            tries.tick().await;
            if house.http.get(house.url("/healthz")).send().await.is_ok_and(|response| response.status() == 200) {
                return;
            }
        }
    };
    within("a free place", again).await;
    house.is_well().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_slow_clients_do_not_disturb_a_viewer() {
    let mut scene = Scene::open().await;
    let address = scene.house.authority();
    let beginnings = [
        format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nx-slow: "),
        format!("POST /whep/derby HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/sdp\r\ncontent-length: 60000\r\n\r\nv=0"),
        format!(
            "POST /api/v1/broadcasts HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1"
        ),
        "G".to_owned(),
    ];
    let mut slow = Vec::new();
    for index in 0..200 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(beginnings[index % beginnings.len()].as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..10 {
        for stream in &mut slow {
            // The server may have lost its patience.
            let _ = stream.write_all(b"0").await;
        }
        scene.viewer.goes_on(8).await;
    }
    scene.is_unharmed().await;
    drop(slow);
    scene.is_unharmed().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_websocket_is_told_off_and_closed() {
    let mut scene = Scene::open().await;
    let (mut flooder, _) = Socket::greet(&scene.house, None, None).await;
    for id in 0..150 {
        assert!(flooder.shout(&json!({"type": "ping", "id": id, "client_time_ms": 0}).to_string()).await);
    }
    let limited = flooder.hear("error").await;
    assert_eq!((&limited["error"]["code"], &limited["error"]["retryable"]), (&json!("rate_limited"), &json!(true)));
    // Whoever goes on all the same is cut; what was still under way in both directions is lost then, perhaps the farewell too.
    let mut more = 0;
    while more < 2000 && flooder.shout("{").await {
        more += 1;
    }
    let ended = async {
        while let Some(message) = flooder.next().await {
            if message["type"] == "bye" {
                assert!(matches!(message["reason"].as_str(), Some("protocol_error" | "slow_consumer")), "{message}");
            }
        }
    };
    within("the end of the flood", ended).await;

    // Nonsense of every kind is answered in words, until it is too much.
    let (mut talker, _) = Socket::greet(&scene.house, None, None).await;
    let nested = format!("{{\"type\":\"join\",\"id\":1,\"broadcast\":{}", "[".repeat(5000));
    for (text, code) in [
        ("{", "malformed_message"),
        ("[]", "malformed_message"),
        ("{\"type\": \"dance\"}", "unknown_message"),
        ("{\"type\": \"join\", \"id\": \"one\"}", "malformed_message"),
        ("{\"type\": \"leave\", \"id\": 1}", "not_joined"),
        ("{\"type\": \"offer\", \"id\": 2, \"intent\": \"view\", \"sdp\": \"\"}", "not_joined"),
        ("{\"type\": \"join\", \"id\": 3, \"broadcast\": \"nobody\"}", "not_found"),
        (nested.as_str(), "malformed_message"),
    ] {
        assert!(talker.shout(text).await);
        assert_eq!(talker.hear("error").await["error"]["code"], code, "{text}");
    }
    assert_eq!(talker.ask(json!({"type": "join", "broadcast": "derby"})).await["type"], "joined");
    for (sdp, code) in
        [(many_m_lines(100), "malformed_sdp"), ("x".repeat(SDP_BYTES_MAX + 1), "too_large"), ("no sdp".to_owned(), "malformed_sdp")]
    {
        let refused = talker.ask(json!({"type": "offer", "intent": "view", "sdp": sdp})).await;
        let got = refused["error"]["code"].as_str().unwrap().to_owned();
        assert_eq!(got, code);
    }
    // Publishing is not a viewer's: the broadcast is somebody's place already.
    let refused = talker.ask(json!({"type": "offer", "intent": "publish", "sdp": PUBLISH_OFFER})).await;
    assert_eq!(refused["type"], "error", "{refused}");
    // A message beyond every bound ends the connection, unread.
    talker.shout(&"y".repeat(1 << 20)).await;
    within("the end of the connection", async { while talker.next().await.is_some() {} }).await;
    scene.is_unharmed().await;
    scene.close().await;
}
