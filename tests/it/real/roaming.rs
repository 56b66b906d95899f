//! A viewer whose address changes: behind a NAT that gives it another one, and by an ICE restart over another path.

use std::time::{Duration, Instant};

use super::client::{Publisher, Viewer, led_to};
use super::house::House;
use super::relay::Relay;

/// The promise.
const PICTURE_BACK_MAX: Duration = Duration::from_secs(2);

/// The value of the first line `a={name}:`.
fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':')).unwrap().trim_end()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_whose_address_changes_keeps_its_picture() {
    let house = House::open().await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut viewer, _, relay) = Viewer::watch_through_relay(&house, "derby").await;
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;

    relay.rebind();
    let moved = Instant::now();
    let before = publisher.sent_video().len();
    // Packets that were under way may still come; these were sent after the move.
    let later = |packets: &Vec<super::picture::Received>| {
        let sent = publisher.sent_video();
        packets.last().is_some_and(|last| sent[before..].iter().any(|packet| packet.payload == last.payload))
    };
    super::house::within("the picture after the move", viewer.video.wait_for(later)).await.unwrap();
    let gap = moved.elapsed();
    eprintln!("the picture was back {} ms after the address changed", gap.as_millis());
    viewer.goes_on(60).await;
    let seen = Viewer::sees(&mut viewer.video, 60, &[&video]).await;
    assert_eq!(seen.sources, [0]);
    assert!(gap <= PICTURE_BACK_MAX, "the picture was away for {gap:?}");
    house.peers_settle(2).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ice_restart_by_whep_moves_a_viewer_to_another_path() {
    let house = House::open().await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut viewer, resource, relay) = Viewer::watch_through_relay(&house, "derby").await;
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;

    viewer.stack.connection.restart_ice().await.unwrap();
    let offer = viewer.stack.offer().await;
    let (ufrag, pwd) = (attribute(&offer, "ice-ufrag"), attribute(&offer, "ice-pwd"));
    let fragment = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n");
    let response = resource.restart(&house, &fragment).await;
    assert_eq!(response.status(), 200);
    assert_ne!(response.headers()["etag"].to_str().unwrap(), resource.etag);
    let restarted = response.text().await.unwrap();
    let answer = resource
        .answer
        .replace(attribute(&resource.answer, "ice-ufrag"), attribute(&restarted, "ice-ufrag"))
        .replace(attribute(&resource.answer, "ice-pwd"), attribute(&restarted, "ice-pwd"));
    let other = Relay::to(resource.media()).await;
    viewer.stack.accept(led_to(&answer, other.address())).await;
    // The old path is dead from here on: what arrives came the new way.
    drop(relay);
    let before = publisher.sent_video().len();
    let later = |packets: &Vec<super::picture::Received>| {
        let sent = publisher.sent_video();
        packets.last().is_some_and(|last| sent[before + 20..].iter().any(|packet| packet.payload == last.payload))
    };
    let on_the_other = async {
        loop {
            if viewer.video.wait_for(|packets| publisher.sent_video().len() > before + 20 && later(packets)).await.is_ok() {
                return;
            }
        }
    };
    super::house::within("the picture after the restart", on_the_other).await;
    viewer.goes_on(60).await;
    let seen = Viewer::sees(&mut viewer.video, 60, &[&video]).await;
    assert_eq!(seen.sources, [0]);
    assert_eq!(resource.delete(&house).await, 200);
    house.peers_settle(1).await;
    house.stop().await;
}
