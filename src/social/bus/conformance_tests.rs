//! What every bus does. Each case runs against [`MemoryBus`] here and against real Redis servers in `redis_tests`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::memory::MemoryBus;
use super::{Bus, BusError, Delivery, Entry, Lane, Lease, LogId, Subscription, Topic};
use crate::ids::{BroadcastId, NodeId};
use crate::limits::LEASE_TTL;

const SOON: Duration = Duration::from_secs(5);

fn fresh() -> BroadcastId {
    BroadcastId::random(&mut rand::rng())
}

fn entry(epoch: u64, seq: u64, text: &str) -> Entry {
    Entry { id: LogId { epoch, seq }, payload: Bytes::copy_from_slice(text.as_bytes()) }
}

async fn payload(subscription: &mut Subscription) -> String {
    match timeout(SOON, subscription.next()).await.expect("a delivery in time") {
        Some(Delivery::Payload(payload)) => String::from_utf8(payload.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Every case, on one bus that `a` and `b` are two nodes of.
pub(super) async fn hold(a: Arc<dyn Bus>, b: Arc<dyn Bus>) {
    what_is_published_reaches_every_subscriber_in_order(&*a, &*b).await;
    topics_do_not_mix(&*a, &*b).await;
    a_log_keeps_the_newest_in_order(&*a, &*b).await;
    an_append_may_be_repeated_and_an_older_epoch_is_refused(&*a, &*b).await;
    a_snapshot_is_replaced_by_its_epoch_or_a_later_one(&*a, &*b).await;
    a_lease_has_one_holder_and_epochs_rise(&*a, &*b).await;
    who_beats_is_listed_once(&*a, &*b).await;
}

async fn what_is_published_reaches_every_subscriber_in_order(a: &dyn Bus, b: &dyn Bus) {
    let topic = Topic::Chat { broadcast: fresh(), lane: Lane::Out };
    a.publish(topic, "nobody hears this".into()).await.unwrap();
    let (mut on_a, mut on_b, mut second) =
        (a.subscribe(topic).await.unwrap(), b.subscribe(topic).await.unwrap(), b.subscribe(topic).await.unwrap());
    for number in 0..100 {
        b.publish(topic, format!("{number}").into()).await.unwrap();
    }
    for subscription in [&mut on_a, &mut on_b, &mut second] {
        for number in 0..100 {
            assert_eq!(payload(subscription).await, number.to_string());
        }
    }
    let binary = Bytes::from_static(&[0, 255, 13, 10, 128]);
    a.publish(topic, binary.clone()).await.unwrap();
    assert_eq!(timeout(SOON, on_b.next()).await.unwrap(), Some(Delivery::Payload(binary)));
}

async fn topics_do_not_mix(a: &dyn Bus, b: &dyn Bus) {
    let (one, other) = (fresh(), fresh());
    let mut subscription = a.subscribe(Topic::Chat { broadcast: one, lane: Lane::In }).await.unwrap();
    b.publish(Topic::Chat { broadcast: one, lane: Lane::Out }, "other lane".into()).await.unwrap();
    b.publish(Topic::Chat { broadcast: other, lane: Lane::In }, "other broadcast".into()).await.unwrap();
    b.publish(Topic::Chat { broadcast: one, lane: Lane::In }, "mine".into()).await.unwrap();
    assert_eq!(payload(&mut subscription).await, "mine");
}

async fn a_log_keeps_the_newest_in_order(a: &dyn Bus, b: &dyn Bus) {
    let broadcast = fresh();
    assert_eq!(a.read(broadcast, LogId::default(), 10).await.unwrap(), []);
    a.append(broadcast, Vec::new(), 4).await.unwrap();
    a.append(broadcast, (1..=3).map(|seq| entry(7, seq, "early")).collect(), 4).await.unwrap();
    a.append(broadcast, (4..=6).map(|seq| entry(7, seq, "late")).collect(), 4).await.unwrap();
    let seqs = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.id.seq).collect::<Vec<_>>();
    assert_eq!(seqs(b.read(broadcast, LogId::default(), 10).await.unwrap()), [3, 4, 5, 6]);
    assert_eq!(seqs(b.read(broadcast, LogId { epoch: 7, seq: 4 }, 10).await.unwrap()), [5, 6]);
    assert_eq!(seqs(b.read(broadcast, LogId::default(), 2).await.unwrap()), [5, 6], "the newest ones");
    assert_eq!(b.read(broadcast, LogId { epoch: 7, seq: 5 }, 10).await.unwrap(), [entry(7, 6, "late")]);
}

async fn an_append_may_be_repeated_and_an_older_epoch_is_refused(a: &dyn Bus, b: &dyn Bus) {
    let broadcast = fresh();
    a.append(broadcast, vec![entry(5, 1, "one"), entry(5, 2, "two")], 10).await.unwrap();
    a.append(broadcast, vec![entry(5, 2, "two"), entry(5, 3, "three")], 10).await.unwrap();
    assert_eq!(a.read(broadcast, LogId::default(), 10).await.unwrap(), [entry(5, 1, "one"), entry(5, 2, "two"), entry(5, 3, "three")]);
    b.append(broadcast, vec![entry(6, 1, "next home")], 10).await.unwrap();
    assert_eq!(a.append(broadcast, vec![entry(5, 4, "too late")], 10).await, Err(BusError::Superseded));
    assert_eq!(a.read(broadcast, LogId { epoch: 5, seq: 3 }, 10).await.unwrap(), [entry(6, 1, "next home")]);
}

async fn a_snapshot_is_replaced_by_its_epoch_or_a_later_one(a: &dyn Bus, b: &dyn Bus) {
    let broadcast = fresh();
    assert_eq!(a.load(broadcast).await.unwrap(), None);
    a.save(broadcast, 5, "first".into()).await.unwrap();
    a.save(broadcast, 5, "second".into()).await.unwrap();
    b.save(broadcast, 6, "third".into()).await.unwrap();
    assert_eq!(a.save(broadcast, 5, "too late".into()).await, Err(BusError::Superseded));
    assert_eq!(a.load(broadcast).await.unwrap(), Some("third".into()));
}

async fn a_lease_has_one_holder_and_epochs_rise(a: &dyn Bus, b: &dyn Bus) {
    let (broadcast, one, other) = (fresh(), NodeId::from_bits(1), NodeId::from_bits(2));
    let Lease::Held { epoch: first } = a.acquire(broadcast, one).await.unwrap() else { panic!("nobody held it") };
    assert_eq!(b.acquire(broadcast, other).await.unwrap(), Lease::Taken { by: one });
    assert_eq!(a.acquire(broadcast, one).await.unwrap(), Lease::Held { epoch: first }, "renewed");
    b.release(broadcast, other).await.unwrap();
    assert_eq!(b.acquire(broadcast, other).await.unwrap(), Lease::Taken { by: one }, "another's release is nothing");
    a.release(broadcast, one).await.unwrap();
    let Lease::Held { epoch: second } = b.acquire(broadcast, other).await.unwrap() else { panic!("it was given back") };
    assert!(second > first);
    // Nobody renews: it ends by itself.
    let third = timeout(LEASE_TTL + SOON, async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if let Lease::Held { epoch } = a.acquire(broadcast, one).await.unwrap() {
                return epoch;
            }
        }
    });
    assert!(third.await.unwrap() > second);
}

async fn who_beats_is_listed_once(a: &dyn Bus, b: &dyn Bus) {
    let (one, other) = (NodeId::random(&mut rand::rng()), NodeId::random(&mut rand::rng()));
    a.beat(one).await.unwrap();
    a.beat(one).await.unwrap();
    b.beat(other).await.unwrap();
    let nodes = b.nodes().await.unwrap();
    assert!(nodes.is_sorted());
    for node in [one, other] {
        assert_eq!(nodes.iter().filter(|listed| **listed == node).count(), 1, "{nodes:?}");
    }
}

#[tokio::test]
async fn the_memory_bus_conforms() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
    hold(Arc::clone(&bus), bus).await;
}

#[tokio::test]
async fn a_subscriber_that_lags_is_told_how_much_it_missed() {
    let bus = MemoryBus::default();
    let topic = Topic::Chat { broadcast: fresh(), lane: Lane::Out };
    let mut subscription = bus.subscribe(topic).await.unwrap();
    for _ in 0..crate::limits::BUS_TOPIC_QUEUE + 7 {
        bus.publish(topic, "x".into()).await.unwrap();
    }
    assert_eq!(subscription.next().await, Some(Delivery::Missed(7)));
    assert_eq!(payload(&mut subscription).await, "x");
}
