//! The way of a picture: WHIP in; WHEP and WebSocket out, byte for byte.

use serde_json::{Value, json};

use super::client::{Publisher, Viewer, candidate};
use super::house::House;
use super::socket::Socket;

/// Packets that a look must show without a hole. The publisher passes the wrap of the sequence numbers within the first two seconds.
const RUN: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_on_different_workers_get_every_payload_unchanged_and_in_order() {
    let house = House::open().await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut first, first_resource) = Viewer::watch(&house, "derby", None).await;
    let (mut second, second_resource) = Viewer::watch(&house, "derby", None).await;
    assert_ne!(first_resource.peer().worker(), second_resource.peer().worker());
    assert_ne!(first_resource.media().port(), second_resource.media().port());
    let (video, audio) = (|| publisher.sent_video(), || publisher.sent_audio());
    for viewer in [&mut first, &mut second] {
        let seen = Viewer::sees(&mut viewer.video, RUN, &[&video]).await;
        let heard = Viewer::sees(&mut viewer.audio, RUN, &[&audio]).await;
        assert_eq!((seen.sources, heard.sources), (vec![0], vec![0]));
    }
    house.peers_settle(3).await;
    house.settles("courtside_signaling_viewers", 2.0).await;
    for resource in [&first_resource, &second_resource, &publisher.resource] {
        assert_eq!(resource.delete(&house).await, 200);
    }
    house.peers_settle(0).await;
    house.is_well().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_viewer_is_told_everything_and_keeps_its_picture_over_a_cut() {
    let house = House::open().await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut socket, welcome) = Socket::greet(&house, None, None).await;
    assert_eq!((&welcome["resumed"], &welcome["user"]["guest"]), (&Value::from(false), &Value::from(true)));
    let identity = welcome["token"].as_str().unwrap().to_owned();
    let joined = socket.ask(json!({"type": "join", "broadcast": "derby"})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    // Nobody owns this broadcast, and publishing is open here.
    assert_eq!(joined["grants"], json!(["view", "publish", "chat", "call"]));

    let (mut viewer, offer) = Viewer::new(&house).await;
    let answer = socket.ask(json!({"type": "offer", "intent": "view", "sdp": offer})).await;
    assert_eq!(answer["type"], "answer", "{answer}");
    let (peer, sdp) = (answer["peer"].clone(), answer["sdp"].as_str().unwrap().to_owned());
    assert!(candidate(&sdp).port() > 0);
    viewer.stack.accept(sdp).await;
    viewer.connected().await;
    let is_ours = |message: &Value, kind: &str| message["type"] == kind && message["peer"] == peer;
    let up = socket.hear_that("peer_state", |message| is_ours(message, "peer_state")).await;
    assert_eq!(up["state"]["state"], "connected");
    socket.hear_that("playing", |message| is_ours(message, "playing")).await;
    for (kind, rate) in [("video", 90_000), ("audio", 48_000)] {
        let clock = socket.hear_that("track_clock", |message| is_ours(message, "track_clock") && message["kind"] == kind).await;
        assert_eq!(clock["rate"], rate);
        assert!(clock["ntp0_ms"].as_f64().unwrap() > 1.0e12, "{clock}");
    }
    let layer = socket.hear_that("layer", |message| is_ours(message, "layer") && !message["current"].is_null()).await;
    assert_eq!(layer["current"], 0);
    let (video, audio) = (|| publisher.sent_video(), || publisher.sent_audio());
    Viewer::sees(&mut viewer.video, RUN, &[&video]).await;
    assert_eq!(socket.ask(json!({"type": "quality", "peer": peer, "choice": {"mode": "auto"}})).await["type"], "done");
    assert_eq!(socket.ask(json!({"type": "watch_stats", "peer": peer, "on": true})).await["type"], "done");
    let stats = socket.hear_that("stats", |message| is_ours(message, "stats") && message["stats"]["sent_bps"].as_u64() > Some(0)).await;
    assert!(stats["stats"]["loss_down"].as_f64().unwrap() <= 1.0);

    // The connection is cut without a word.
    drop(socket);
    viewer.goes_on(30).await;
    let (mut socket, welcome) = Socket::greet(&house, welcome["resume"].as_str(), Some(&identity)).await;
    assert_eq!(welcome["resumed"], true);
    assert_eq!(socket.hear("broadcast").await["broadcast"]["slug"], "derby");
    viewer.goes_on(30).await;
    // The peer still belongs to the session.
    assert_eq!(socket.ask(json!({"type": "quality", "peer": peer, "choice": {"mode": "layer", "spatial": 0}})).await["type"], "done");
    let seen = Viewer::sees(&mut viewer.video, 2 * RUN, &[&video]).await;
    Viewer::sees(&mut viewer.audio, RUN, &[&audio]).await;
    assert_eq!(seen.sources, [0]);

    assert_eq!(socket.ask(json!({"type": "close_peer", "peer": peer})).await["type"], "done");
    assert_eq!(socket.ask(json!({"type": "close_peer", "peer": peer})).await["error"]["code"], "not_found");
    house.peers_settle(1).await;
    drop(publisher);
    let (_, bye) = tokio::join!(house.stop(), socket.hear("bye"));
    assert_eq!(bye["reason"], "shutting_down");
    assert!(bye["reconnect_after_ms"].as_u64().is_some(), "{bye}");
    assert_eq!(socket.next().await, None);
}
