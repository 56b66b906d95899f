//! Publishers and servers that go and come back.

use courtside::accounts::Grant;
use reqwest::Method;
use serde_json::json;

use super::client::{Publisher, Viewer, request};
use super::house::House;
use super::socket::Socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_returns_finds_its_viewers_and_their_streams_go_on() {
    let house = House::with(|config| config.open_publish = false).await;
    let token = house.token(7, &[Grant::Publish, Grant::View], Some("derby"), 600);
    let publisher = Publisher::go_live(&house, "derby", Some(&token), 1).await;
    let (mut viewer, _) = Viewer::watch(&house, "derby", None).await;
    let (mut socket, _) = Socket::greet(&house, None, None).await;
    assert_eq!(socket.ask(json!({"type": "join", "broadcast": "derby"})).await["broadcast"]["state"], "live");
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;

    let first = publisher.vanish().await;
    socket.hear_that("reconnecting", |message| message["broadcast"]["state"] == "reconnecting").await;
    // Somebody else does not get the place.
    let other = house.token(8, &[Grant::Publish], Some("derby"), 600);
    let offer = super::statuses::PUBLISH_OFFER;
    let refused = request(&house, Method::POST, "/whip/derby", Some(&other), Some("application/sdp"), offer).await;
    assert_eq!(refused.status(), 409);

    let publisher = Publisher::go_live(&house, "derby", Some(&token), 2).await;
    socket.hear_that("live", |message| message["broadcast"]["state"] == "live").await;
    let (before, now) = (|| first.clone(), || publisher.sent_video());
    // The judge holds both to one SSRC and to sequence numbers that go on.
    super::house::within("the second source", async {
        while Viewer::sees(&mut viewer.video, 60, &[&before, &now]).await.sources != [0, 1] {
            viewer.goes_on(1).await;
        }
    })
    .await;
    viewer.goes_on(60).await;
    let seen = Viewer::sees(&mut viewer.video, 60, &[&before, &now]).await;
    assert_eq!(seen.sources, [0, 1]);
    house.peers_settle(2).await;

    // A takeover while the first one still sends: the same credential wins.
    let third = Publisher::go_live(&house, "derby", Some(&token), 3).await;
    let (second, last) = (|| publisher.sent_video(), || third.sent_video());
    super::house::within("the third source", async {
        while Viewer::sees(&mut viewer.video, 60, &[&before, &second, &last]).await.sources != [0, 1, 2] {
            viewer.goes_on(1).await;
        }
    })
    .await;
    assert_eq!(publisher.resource.delete(&house).await, 404);
    house.peers_settle(2).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_knows_its_broadcasts_tokens_and_guests() {
    let closed = |config: &mut courtside::config::Config| config.open_publish = false;
    let house = House::with(closed).await;
    let token = house.token(7, &[Grant::Publish, Grant::View], Some("derby"), 600);
    let publisher = Publisher::go_live(&house, "derby", Some(&token), 1).await;
    let (viewer, _) = Viewer::watch(&house, "derby", None).await;
    let (socket, welcome) = Socket::greet(&house, None, None).await;
    let identity = welcome["token"].as_str().unwrap().to_owned();
    let before = house.json("/api/v1/broadcasts/derby").await;
    assert_eq!(before["state"], "live");
    drop((socket, viewer, publisher));
    let data_dir = house.stop().await;

    let house = House::on(data_dir, closed).await;
    let after = house.json("/api/v1/broadcasts/derby").await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["state"], "reconnecting");
    let (_socket, welcome) = Socket::greet(&house, welcome["resume"].as_str(), Some(&identity)).await;
    assert_eq!(welcome["resumed"], false, "sessions do not outlive the server");
    assert!(welcome.get("token").is_none(), "the guest's identity is still good: {welcome}");
    let publisher = Publisher::go_live(&house, "derby", Some(&token), 2).await;
    let (mut viewer, _) = Viewer::watch(&house, "derby", None).await;
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;
    assert_eq!(house.json("/api/v1/broadcasts/derby").await["state"], "live");
    house.stop().await;
}
