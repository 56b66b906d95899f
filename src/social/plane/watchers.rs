//! Who watches broadcasts, counted over all nodes: what the registry knows of this node goes by the broadcast's room to its home, and what the
//! home has counted comes back.
//!
//! ```text
//! watch, unwatch ─▶ here ─▶ follow ─▶ Room::watch ─▶ … home … ─▶ EdgeOutput::Watched ─▶ counted ─▶ next_count
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::{Social, failed};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{NODE_HEARTBEAT, PRESENCE_INTERVAL};
use crate::social::bus::BusError;
use crate::social::presence::ViewerCount;

/// See the file's head. Bounded by what the registry lets in.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    here: Mutex<Here>,
    stirred: Notify,
    /// The newest of each; absent people: nobody counts any more.
    counted: Mutex<HashMap<BroadcastId, Option<ViewerCount>>>,
    has_counted: Notify,
}

#[derive(Debug, Default)]
struct Here {
    people: HashMap<BroadcastId, HashSet<UserId>>,
    /// Whose room has not been told.
    changed: HashSet<BroadcastId>,
}

impl Watchers {
    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().expect("no panic happens while the lock is held: its sections only move values")
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<BroadcastId, Option<ViewerCount>>> {
        self.counted.lock().expect("no panic happens while the lock is held: its sections only move values")
    }

    /// The home has counted, or (`None`) there is nobody here any more who would hear of it.
    pub(super) fn count(&self, broadcast: BroadcastId, count: Option<ViewerCount>) {
        self.counted().insert(broadcast, count);
        self.has_counted.notify_one();
    }
}

impl Social {
    /// Somebody watches a broadcast on this node.
    pub fn watch(&self, broadcast: BroadcastId, user: UserId) {
        let mut here = self.shared.watchers.here();
        here.people.entry(broadcast).or_default().insert(user);
        here.changed.insert(broadcast);
        drop(here);
        self.shared.watchers.stirred.notify_one();
    }

    /// They watch it no longer.
    pub fn unwatch(&self, broadcast: BroadcastId, user: UserId) {
        let mut here = self.shared.watchers.here();
        let Some(people) = here.people.get_mut(&broadcast) else { return };
        people.remove(&user);
        if people.is_empty() {
            here.people.remove(&broadcast);
        }
        here.changed.insert(broadcast);
        drop(here);
        self.shared.watchers.stirred.notify_one();
    }

    /// The next count of people who watch a broadcast over all nodes; `None`: this node takes no part in counting any more. For one reader;
    /// cancelling loses nothing.
    pub async fn next_count(&self) -> (BroadcastId, Option<ViewerCount>) {
        loop {
            let next = {
                let mut counted = self.shared.watchers.counted();
                let broadcast = counted.keys().next().copied();
                broadcast.and_then(|broadcast| counted.remove_entry(&broadcast))
            };
            match next {
                Some(next) => return next,
                None => self.shared.watchers.has_counted.notified().await,
            }
        }
    }
}

/// Tells the rooms who watches here, all of them each time: so at most so often, however many come. What cannot be told is told with a later
/// heartbeat.
pub(super) async fn follow(social: Social) {
    let mut ticks = interval(NODE_HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = interval(PRESENCE_INTERVAL);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = social.shared.watchers.stirred.notified() => {}
            _ = ticks.tick() => {}
        }
        pace.tick().await;
        let changed = std::mem::take(&mut social.shared.watchers.here().changed);
        for broadcast in changed {
            let people = social.shared.watchers.here().people.get(&broadcast).cloned().unwrap_or_default();
            let is_told = tell(&social, broadcast, &people).await.unwrap_or_else(|error| {
                failed("read", &error);
                false
            });
            if !is_told {
                social.shared.watchers.here().changed.insert(broadcast);
            }
        }
    }
}

/// `false`: the room is just being closed.
async fn tell(social: &Social, broadcast: BroadcastId, people: &HashSet<UserId>) -> Result<bool, BusError> {
    let room = match people.is_empty() {
        true => social.shared.find(broadcast),
        false => Some(social.room(broadcast).await?),
    };
    Ok(room.is_none_or(|room| room.watch(people)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::tests::{newcomer, node_on};
    use super::*;
    use crate::social::bus::Bus;
    use crate::social::bus::memory::MemoryBus;
    use crate::social::bus::redis::RedisBus;
    use crate::social::bus::redis_server::RedisServer;
    use crate::social::chat::ChatRole;

    async fn counts(social: &Social, wanted: (u32, u32)) {
        let counted = timeout(Duration::from_secs(10), async {
            loop {
                let (_, count) = social.next_count().await;
                if count == Some(ViewerCount { count: wanted.0, peak: wanted.1 }) {
                    return;
                }
            }
        });
        counted.await.unwrap_or_else(|_| panic!("{wanted:?} in time"));
    }

    async fn a_person_counts_once_over_nodes_and_the_peak_stays(buses: [Arc<dyn Bus>; 2]) {
        let [a, b] = buses;
        let (a, b) = (node_on(a, 1), node_on(b, 2));
        let broadcast = BroadcastId::random(&mut rand::rng());
        let [ann, ben] = [1, 2].map(UserId::from_bits);
        a.watch(broadcast, ann);
        b.watch(broadcast, ann);
        b.watch(broadcast, ben);
        tokio::join!(counts(&a, (2, 2)), counts(&b, (2, 2)));
        // Who only sits in the chat does not watch.
        let (_seat, _) = a.enter(broadcast, newcomer(UserId::from_bits(3), Some(ChatRole::Viewer), None)).await.unwrap();
        b.unwatch(broadcast, ben);
        tokio::join!(counts(&a, (1, 2)), counts(&b, (1, 2)));
        a.unwatch(broadcast, ann);
        b.watch(broadcast, ben);
        tokio::join!(counts(&a, (2, 2)), counts(&b, (2, 2)));
        a.shutdown().await;
        b.shutdown().await;
    }

    #[tokio::test]
    async fn viewers_are_counted_on_the_memory_bus() {
        let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
        a_person_counts_once_over_nodes_and_the_peak_stays([Arc::clone(&bus), bus]).await;
    }

    #[tokio::test]
    async fn viewers_are_counted_on_redis() {
        let server = RedisServer::start().await;
        let (one, other) = (RedisBus::connect(&[server.url()]).await.unwrap(), RedisBus::connect(&[server.url()]).await.unwrap());
        a_person_counts_once_over_nodes_and_the_peak_stays([Arc::new(one), Arc::new(other)]).await;
    }
}
