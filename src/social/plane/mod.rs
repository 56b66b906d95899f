//! The social plane of one node: rooms with people in them, each with its tasks.
//!
//! ```text
//! Seat (one connection) ──▶ room.rs: edge task ◀──▶ bus ◀──▶ home.rs: home task, where this node holds the lease
//! ```
//! Shell: reads the clock, calls the bus, encodes. Whatever is decided is decided in [`super::room`].

mod home;
mod room;
mod seat;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::room::Room;
pub use self::seat::{Seat, SeatNews};
use super::Text;
use super::archive::{Archive, Relations};
use super::bus::{Bus, BusError};
use super::chat::{ChatHistory, MessageId};
use super::room::edge::{ChatFrame, SeatId};
use crate::ids::{BroadcastId, NodeId, UserId};
use crate::limits::NODE_HEARTBEAT;
use crate::telemetry::SOCIAL_BUS_ERRORS;

/// What the plane is made of.
#[derive(Debug)]
pub struct SocialParts {
    pub bus: Arc<dyn Bus>,
    pub node: NodeId,
    pub archive: Arc<dyn Archive>,
    pub relations: Arc<dyn Relations>,
    /// Writes a frame as clients read it; called once for everybody who is shown it.
    pub encode: fn(&ChatFrame) -> Text,
}

/// See the file's head. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Social {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bus: Arc<dyn Bus>,
    node: NodeId,
    archive: Arc<dyn Archive>,
    relations: Arc<dyn Relations>,
    encode: fn(&ChatFrame) -> Text,
    rooms: Mutex<HashMap<BroadcastId, Arc<Room>>>,
    next_seat: AtomicU64,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Social {
    /// Starts the node's heartbeat; rooms open when somebody enters them.
    pub fn start(parts: SocialParts) -> Self {
        let SocialParts { bus, node, archive, relations, encode } = parts;
        let shared = Shared {
            bus,
            node,
            archive,
            relations,
            encode,
            rooms: Mutex::new(HashMap::new()),
            next_seat: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        let social = Self { shared: Arc::new(shared) };
        let beating = social.shared.stopping.clone().run_until_cancelled_owned(beat(Arc::clone(&social.shared.bus), node));
        social.shared.tasks.spawn(beating);
        social
    }

    /// A seat in the chat of a broadcast, and what somebody who has seen everything up to `since` has missed of it. Frames from then on are
    /// read from the seat.
    ///
    /// # Errors
    /// [`BusError`] when the chat was not open on this node and cannot be read.
    pub async fn enter(&self, broadcast: BroadcastId, user: UserId, since: Option<MessageId>) -> Result<(Seat, ChatHistory), BusError> {
        let friends = self.shared.relations.friends(user).await;
        let id = SeatId(self.shared.next_seat.fetch_add(1, Ordering::Relaxed));
        while !self.shared.stopping.is_cancelled() {
            // A room that is just being closed lets nobody in; then there is a new one.
            let room = self.room(broadcast).await?;
            if let Some(seated) = Seat::take(Arc::clone(&self.shared), room, id, user, friends.clone(), since) {
                return Ok(seated);
            }
        }
        Err(BusError::Unavailable("the node is stopping".to_owned()))
    }

    /// Ends every room and gives its leases back.
    pub async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    async fn room(&self, broadcast: BroadcastId) -> Result<Arc<Room>, BusError> {
        if let Some(room) = self.shared.find(broadcast) {
            return Ok(room);
        }
        let opened = Room::open(Arc::clone(&self.shared), broadcast).await?;
        let mut rooms = self.shared.lock_rooms();
        // Somebody else may have been quicker; then the second one is dropped before it has begun.
        if let Some(room) = rooms.get(&broadcast) {
            return Ok(Arc::clone(room));
        }
        let room = opened.begin(&self.shared);
        rooms.insert(broadcast, Arc::clone(&room));
        Ok(room)
    }
}

impl Shared {
    fn find(&self, broadcast: BroadcastId) -> Option<Arc<Room>> {
        self.lock_rooms().get(&broadcast).cloned()
    }

    fn lock_rooms(&self) -> std::sync::MutexGuard<'_, HashMap<BroadcastId, Arc<Room>>> {
        self.rooms.lock().expect("no panic happens while the lock is held: its sections only move values")
    }
}

async fn beat(bus: Arc<dyn Bus>, node: NodeId) {
    let mut ticks = interval(NODE_HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = bus.beat(node).await {
            failed("beat", &error);
        }
    }
}

/// Counts a call to the bus that failed. What is lost is mended by what comes next.
fn failed(operation: &'static str, error: &dyn std::fmt::Display) {
    counter!(SOCIAL_BUS_ERRORS, "operation" => operation).increment(1);
    tracing::debug!(operation, %error, "the bus failed");
}
