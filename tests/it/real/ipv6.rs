//! IPv6 alone, end to end: pages, signaling, ICE and media.

use std::net::Ipv6Addr;

use courtside::accounts::Grant;
use serde_json::json;

use super::client::{Publisher, Viewer};
use super::house::House;
use super::socket::Socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_published_and_watched_over_ipv6_alone() {
    let house = House::with(|config| {
        config.listen.set_ip(Ipv6Addr::LOCALHOST.into());
        (config.media_v4, config.media_v6) = (None, Some(Ipv6Addr::LOCALHOST));
    })
    .await;
    let token = house.token(1, &[Grant::Publish], Some("derby"), 600);
    let publisher = Publisher::go_live(&house, "derby", Some(&token), 1).await;
    let (mut viewer, resource) = Viewer::watch(&house, "derby", None).await;
    assert!(publisher.resource.media().is_ipv6() && resource.media().is_ipv6(), "{}", resource.media());
    let (video, audio) = (|| publisher.sent_video(), || publisher.sent_audio());
    Viewer::sees(&mut viewer.video, 100, &[&video]).await;
    Viewer::sees(&mut viewer.audio, 50, &[&audio]).await;
    let (mut socket, _) = Socket::greet(&house, None, None).await;
    assert_eq!(socket.ask(json!({"type": "join", "broadcast": "derby"})).await["broadcast"]["state"], "live");
    assert_eq!(resource.delete(&house).await, 200);
    assert_eq!(publisher.resource.delete(&house).await, 200);
    house.peers_settle(0).await;
    house.stop().await;
}
