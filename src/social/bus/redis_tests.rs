//! The Redis bus against real servers: one by itself and a cluster of three, and what happens when one of them is killed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{interval, timeout};

use super::redis::RedisBus;
use super::redis_server::{RedisServer, start_cluster};
use super::{Bus, BusError, Delivery, Entry, Lane, Lease, LogId, Subscription, Topic, conformance_tests};
use crate::ids::{BroadcastId, NodeId};

const BACK_WITHIN: Duration = Duration::from_secs(20);

async fn connect(servers: &[RedisServer]) -> Arc<dyn Bus> {
    let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
    Arc::new(RedisBus::connect(&urls).await.unwrap())
}

/// Publishes until it arrives.
async fn hears_again(bus: &dyn Bus, topic: Topic, subscription: &mut Subscription) {
    let mut ticks = interval(Duration::from_millis(50));
    let heard = timeout(BACK_WITHIN, async {
        loop {
            tokio::select! {
                _ = ticks.tick() => drop(bus.publish(topic, "again".into()).await),
                delivery = subscription.next() => match delivery {
                    Some(Delivery::Payload(payload)) if payload == "again" => return,
                    Some(_) => {}
                    None => panic!("the subscription ended"),
                },
            }
        }
    });
    heard.await.expect("the subscription works again");
}

#[tokio::test]
async fn one_server_conforms() {
    let servers = [RedisServer::start().await];
    conformance_tests::hold(connect(&servers).await, connect(&servers).await).await;
}

#[tokio::test]
async fn a_cluster_of_three_conforms() {
    let servers = start_cluster().await;
    conformance_tests::hold(connect(&servers).await, connect(&servers).await).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_in_words() {
    let mut server = RedisServer::start().await;
    let url = server.url();
    server.kill();
    assert!(matches!(RedisBus::connect(&[url]).await, Err(BusError::Unavailable(_))));
}

#[tokio::test]
async fn a_restarted_server_that_lost_everything_is_used_again_with_higher_epochs() {
    let mut servers = [RedisServer::start().await];
    let bus = connect(&servers).await;
    let (broadcast, node) = (BroadcastId::from_bits(1), NodeId::from_bits(1));
    let topic = Topic::Chat { broadcast, lane: Lane::Out };
    let mut subscription = bus.subscribe(topic).await.unwrap();
    let Lease::Held { epoch: before } = bus.acquire(broadcast, node).await.unwrap() else { panic!("nobody held it") };
    servers[0].kill();
    assert!(matches!(bus.acquire(broadcast, node).await, Err(BusError::Unavailable(_))));
    servers[0].restart().await;
    hears_again(&*bus, topic, &mut subscription).await;
    let Ok(Lease::Held { epoch: after }) = bus.acquire(broadcast, node).await else { panic!("the server is back and empty") };
    assert!(after > before, "{after} after {before}");
}

#[tokio::test]
async fn a_killed_node_of_the_cluster_takes_only_its_slots_and_comes_back() {
    let mut servers = start_cluster().await;
    let bus = connect(&servers).await;
    let entry = |seq| Entry { id: LogId { epoch: 1, seq }, payload: Bytes::from_static(b"x") };
    // Broadcasts until there is one on the node that dies (the last: slots from 10,922) and one elsewhere.
    let broadcasts: Vec<BroadcastId> = (0..64).map(BroadcastId::from_bits).collect();
    for broadcast in &broadcasts {
        bus.append(*broadcast, vec![entry(1)], 10).await.unwrap();
    }
    servers[2].kill();
    let mut alive = Vec::new();
    let mut dead = Vec::new();
    let reads = broadcasts.iter().map(|broadcast| bus.read(*broadcast, LogId::default(), 10));
    for (broadcast, read) in broadcasts.iter().zip(futures_util::future::join_all(reads).await) {
        match read {
            Ok(entries) => {
                assert_eq!(entries, [entry(1)]);
                alive.push(*broadcast);
            }
            Err(BusError::Unavailable(_)) => dead.push(*broadcast),
            Err(BusError::Superseded) => panic!("a read is never superseded"),
        }
    }
    assert!(alive.len() > dead.len() && !dead.is_empty(), "{} alive, {} dead", alive.len(), dead.len());
    // What lives goes on, topics too.
    bus.append(alive[0], vec![entry(2)], 10).await.unwrap();
    let topic = Topic::Chat { broadcast: alive[0], lane: Lane::In };
    let mut subscription = bus.subscribe(topic).await.unwrap();
    hears_again(&*bus, topic, &mut subscription).await;
    // What died comes back, empty, and is used again.
    servers[2].restart().await;
    let mut ticks = interval(Duration::from_millis(100));
    let back = timeout(BACK_WITHIN, async {
        loop {
            ticks.tick().await;
            if bus.append(dead[0], vec![entry(1)], 10).await.is_ok() {
                return;
            }
        }
    });
    back.await.expect("the node is used again");
    let topic = Topic::Chat { broadcast: dead[0], lane: Lane::In };
    let mut subscription = timeout(BACK_WITHIN, async {
        loop {
            match bus.subscribe(topic).await {
                Ok(subscription) => return subscription,
                Err(_) => drop(ticks.tick().await),
            }
        }
    })
    .await
    .expect("its topics can be followed again");
    hears_again(&*bus, topic, &mut subscription).await;
}
