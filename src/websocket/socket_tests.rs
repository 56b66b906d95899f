//! Sockets from their handshake on: a real HTTP server over a pipe of a few bytes, and a client that writes and reads bytes by hand.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::websocket::decoder::masked;
use crate::websocket::{Passed, Upgrade};

const MESSAGE_MAX: usize = 1000;
const QUEUE_MAX: usize = 4;
/// Bytes on their way in one direction: fewer than the queue may have.
const PIPE: usize = 512;
const PATIENCE: Duration = Duration::from_secs(10);
/// The key of RFC 6455 section 1.3.
const HANDSHAKE: [&str; 6] = [
    "GET / HTTP/1.1",
    "Host: localhost",
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// What the server answers to these lines, the client's end, and the sockets that came of it.
async fn ask(lines: &[&str]) -> (String, DuplexStream, mpsc::Receiver<Socket>) {
    let (sender, sockets) = mpsc::channel(1);
    let serve =
        async |upgrade: Upgrade| upgrade.on_upgrade(MESSAGE_MAX, QUEUE_MAX, move |socket| async move { drop(sender.send(socket).await) });
    let router = Router::new().route("/", get(serve));
    let (mut client, server) = duplex(PIPE);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), TowerToHyperService::new(router)).with_upgrades();
    tokio::spawn(connection);
    client.write_all((lines.join("\r\n") + "\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap().to_lowercase(), client, sockets)
}

async fn opened() -> (Socket, DuplexStream) {
    let (_, client, mut sockets) = ask(&HANDSHAKE).await;
    (sockets.recv().await.unwrap(), client)
}

/// The next bytes that the client gets.
async fn next(client: &mut DuplexStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    timeout(PATIENCE, client.read_exact(&mut bytes)).await.expect("it comes").unwrap();
    bytes
}

fn text(text: &str) -> Option<Message> {
    Some(Message::Text(text.to_owned()))
}

#[tokio::test]
async fn the_handshake_is_answered_as_the_rfc_has_it() {
    let (head, ..) = ask(&HANDSHAKE).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains(&"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".to_lowercase()), "{head}");
    assert!(!head.contains("sec-websocket-extensions"), "nobody asked for it");
    let (head, ..) = ask(&[&HANDSHAKE[..], &["Sec-WebSocket-Extensions: permessage-deflate"]].concat()).await;
    assert!(head.contains("sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"));
}

#[tokio::test]
async fn what_is_no_handshake_is_told_why() {
    for (left_out, status) in [("Upgrade", "426"), ("Connection", "426"), ("Sec-WebSocket-Version", "426"), ("Sec-WebSocket-Key", "400")] {
        let lines: Vec<&str> = HANDSHAKE.into_iter().filter(|line| !line.starts_with(left_out)).collect();
        let (head, ..) = ask(&lines).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "without {left_out}: {head}");
        assert!(head.contains("sec-websocket-version: 13\r\n"), "without {left_out}: {head}");
    }
}

#[tokio::test]
async fn messages_pass_in_both_directions_and_a_wait_that_is_cut_off_loses_none() {
    let (mut socket, mut client) = opened().await;
    socket.queue(&Frame::text("hello")).unwrap();
    let said = masked(0x81, b"good evening");
    client.write_all(&said[..7]).await.unwrap();
    {
        let mut wait = std::pin::pin!(socket.receive(QUEUE_MAX));
        let mut once = Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut once).is_pending(), "half a frame");
    }
    client.write_all(&[&said[7..], &masked(0x81, b"again")].concat()).await.unwrap();
    assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("good evening"));
    assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("again"));
    assert_eq!(next(&mut client, 7).await, b"\x81\x05hello");
    assert_eq!((socket.waiting(), socket.written()), (0, 7));
}

#[tokio::test]
async fn only_who_takes_deflated_texts_is_sent_them() {
    let shared = Frame::shared_text(&"goal! ".repeat(200));
    for (extensions, first) in [(&["Sec-WebSocket-Extensions: permessage-deflate"][..], 0xc1), (&[][..], 0x81)] {
        let (_, mut client, mut sockets) = ask(&[&HANDSHAKE[..], extensions].concat()).await;
        let mut socket = sockets.recv().await.unwrap();
        socket.queue(&shared).unwrap();
        socket.write_now().await.unwrap();
        assert_eq!(next(&mut client, 1).await, [first]);
    }
}

#[tokio::test]
async fn a_burst_of_pings_is_answered_once_with_the_newest() {
    let (mut socket, mut client) = opened().await;
    let pings = [b"a", b"b", b"c"].map(|payload| masked(0x89, payload)).concat();
    client.write_all(&[pings, masked(0x81, b"and")].concat()).await.unwrap();
    assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("and"));
    socket.queue(&Frame::text("now")).unwrap();
    socket.write_now().await.unwrap();
    assert_eq!(next(&mut client, 8).await, b"\x8a\x01c\x81\x03now", "and before what is queued");
}

#[tokio::test]
async fn pings_of_a_client_that_reads_nothing_take_no_room() {
    let (mut socket, mut client) = opened().await;
    let long = "x".repeat(PIPE);
    for _ in 0..QUEUE_MAX {
        socket.queue(&Frame::text(&long)).unwrap();
    }
    assert_eq!(socket.queue(&Frame::text("one more")), Err(QueueFull));
    for round in 0..100_u8 {
        client.write_all(&[masked(0x89, &[round]), masked(0x81, b"x")].concat()).await.unwrap();
        assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("x"));
    }
    assert_eq!(socket.waiting(), QUEUE_MAX, "the first of them is half written");
    assert_eq!(socket.queue(&Frame::text("one more")), Err(QueueFull));
    assert!(socket.written() <= PIPE as u64);
    socket.queue_last(&Frame::close(4008, ""));
    let finish = tokio::spawn(socket.finish());
    let frame = PIPE + 4;
    next(&mut client, frame).await;
    assert_eq!(next(&mut client, 3).await, [0x8a, 1, 99], "the newest, behind the frame that was begun");
    next(&mut client, frame * (QUEUE_MAX - 1)).await;
    assert_eq!(next(&mut client, 4).await, [0x88, 2, 0x0f, 0xa8]);
    drop(client);
    finish.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_line_writes_past_the_task_and_never_before_what_waits() {
    let (mut socket, mut client) = opened().await;
    let line = socket.line();
    assert_eq!(line.write(&Frame::text("first")), Passed::Written);
    socket.queue(&Frame::text("queued")).unwrap();
    assert_eq!(line.write(&Frame::text("early")), Passed::Refused);
    socket.write_now().await.unwrap();
    assert_eq!(line.write(&Frame::text("last")), Passed::Written);
    assert_eq!(next(&mut client, 7 + 8 + 6).await, b"\x81\x05first\x81\x06queued\x81\x04last");
}

#[tokio::test]
async fn what_a_line_cannot_finish_the_task_finishes() {
    let (mut socket, mut client) = opened().await;
    let line = socket.line();
    let long = "x".repeat(PIPE);
    assert_eq!(line.write(&Frame::text(&long)), Passed::Unfinished, "the header has no room any more");
    assert_eq!((line.write(&Frame::text("next")), socket.waiting()), (Passed::Refused, 1));
    client.write_all(&masked(0x81, b"hello")).await.unwrap();
    assert_eq!(socket.receive(0).await.unwrap(), text("hello"), "who does not read is heard");
    let reader = tokio::spawn(async move { next(&mut client, PIPE + 4).await });
    assert_eq!(timeout(PATIENCE, socket.receive(0)).await.expect("there is room").unwrap(), None);
    assert_eq!(reader.await.unwrap()[4..], *long.as_bytes());
    assert_eq!(line.write(&Frame::text("next")), Passed::Refused, "the client has hung up");
}

#[tokio::test]
async fn who_waits_for_room_is_told_when_there_is() {
    let (mut socket, mut client) = opened().await;
    let long = "x".repeat(PIPE);
    for _ in 0..3 {
        socket.queue(&Frame::text(&long)).unwrap();
    }
    let reader = tokio::spawn(async move {
        next(&mut client, 2 * (PIPE + 4)).await;
        client
    });
    assert_eq!(timeout(PATIENCE, socket.receive(1)).await.expect("there is room").unwrap(), None);
    assert_eq!(socket.waiting(), 1);
    let mut client = reader.await.unwrap();
    client.write_all(&masked(0x81, b"next")).await.unwrap();
    assert_eq!(socket.receive(1).await.unwrap(), text("next"), "said once");
}

#[tokio::test]
async fn what_a_client_said_before_it_went_is_heard() {
    let (mut socket, mut client) = opened().await;
    client.write_all(&masked(0x81, b"last")).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("last"));
    match socket.receive(QUEUE_MAX).await {
        Err(SocketError::Broken(error)) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    // Half closed: it can still be told something.
    socket.queue_last(&Frame::text("bye"));
    socket.finish().await.unwrap();
    assert_eq!(next(&mut client, 5).await, b"\x81\x03bye");
}

#[tokio::test]
async fn last_words_reach_a_client_that_goes_on_talking() {
    let (mut socket, mut client) = opened().await;
    client.write_all(&masked(0x82, &[0; 300])).await.unwrap();
    socket.queue_last(&Frame::close(1009, ""));
    let finish = tokio::spawn(socket.finish());
    for _ in 0..10 {
        timeout(PATIENCE, client.write_all(&masked(0x82, &[0; 300]))).await.expect("it is read").unwrap();
    }
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, [0x88, 2, 0x03, 0xf1], "and then nothing more comes");
    assert!(!finish.is_finished(), "it is closed when the client is through");
    drop(client);
    finish.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_offence_is_told_with_its_code() {
    let (mut socket, mut client) = opened().await;
    client.write_all(&[masked(0x81, b"fine"), masked(0x81, &[b'x'; MESSAGE_MAX + 1])[..8].to_vec()].concat()).await.unwrap();
    assert_eq!(socket.receive(QUEUE_MAX).await.unwrap(), text("fine"));
    match socket.receive(QUEUE_MAX).await {
        Err(SocketError::Protocol(offence)) => assert_eq!(offence.close_code(), 1009),
        other => panic!("{other:?}"),
    }
}
