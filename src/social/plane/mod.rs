//! The social plane of one node: rooms with people in them, each with its tasks.
//!
//! ```text
//! Seat (one connection) ──▶ room.rs: edge task ◀──▶ bus ◀──▶ home.rs: home task, where this node holds the lease ──▶ archiver.rs
//!      lines of 256 seats ◀── row.rs: a task
//! Link (one connection) ──▶ people.rs: one task ◀──▶ bus
//! ```
//! Shell: reads the clock, calls the bus, encodes. Whatever is decided is decided in [`super::room`].

mod archiver;
mod home;
mod kept;
mod people;
mod room;
mod row;
mod seat;
mod watchers;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::archiver::Archiver;
use self::kept::HeatLines;
pub use self::people::Link;
use self::people::People;
use self::room::{Entering, Room};
pub use self::seat::{Seat, SeatNews};
use self::watchers::Watchers;
use super::Text;
use super::archive::{Archive, Relations, RelationsError};
use super::bus::{Bus, BusError};
use super::chat::{ChatHistory, ChatRole, MessageId};
use super::people::{Note, PeopleWord, Whereabouts};
use super::room::edge::{ChatFrame, SeatId};
use super::room::sight::Sight;
use crate::ids::{BroadcastId, NodeId, UserId};
use crate::limits::NODE_HEARTBEAT;
use crate::store::Ties;
use crate::telemetry::SOCIAL_BUS_ERRORS;
use crate::websocket::Line;

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

/// Somebody who comes into a chat.
#[derive(Debug)]
pub struct Newcomer {
    pub user: UserId,
    pub role: Option<ChatRole>,
    /// They have seen everything up to this; only what came after it is told.
    pub since: Option<MessageId>,
    /// Frames are written to it while the client takes them at once, and need not be read from the seat.
    pub line: Option<Line>,
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
    archiver: Archiver,
    rooms: Mutex<HashMap<BroadcastId, Arc<Room>>>,
    people: People,
    heat: HeatLines,
    watchers: Watchers,
    next_seat: AtomicU64,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// After everything else has stopped.
    archived: (TaskTracker, CancellationToken),
}

impl Social {
    /// Starts the node's heartbeat; rooms open when somebody enters them.
    pub fn start(parts: SocialParts) -> Self {
        let SocialParts { bus, node, archive, relations, encode } = parts;
        let (archiver, to_archive) = Archiver::new();
        let shared = Shared {
            bus,
            node,
            archive,
            relations,
            encode,
            archiver,
            rooms: Mutex::new(HashMap::new()),
            people: People::new(node),
            heat: HeatLines::default(),
            watchers: Watchers::default(),
            next_seat: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            archived: (TaskTracker::new(), CancellationToken::new()),
        };
        let social = Self { shared: Arc::new(shared) };
        let beating = social.shared.stopping.clone().run_until_cancelled_owned(beat(Arc::clone(&social.shared.bus), node));
        social.shared.tasks.spawn(beating);
        social.shared.tasks.spawn(people::follow(Arc::clone(&social.shared)));
        social.shared.tasks.spawn(social.shared.stopping.clone().run_until_cancelled_owned(watchers::follow(social.clone())));
        let (archived, all_is_said) = &social.shared.archived;
        archived.spawn(archiver::run(Arc::clone(&social.shared.archive), to_archive, all_is_said.clone()));
        social
    }

    /// A seat in the chat of a broadcast, and what was said before. Frames from then on are read from the seat, or written to the newcomer's line.
    /// Who moderates sees everybody, blocked or not.
    ///
    /// # Errors
    /// [`BusError`] when the chat was not open on this node and cannot be read, or nobody can say who knows whom.
    pub async fn enter(&self, broadcast: BroadcastId, newcomer: Newcomer) -> Result<(Seat, ChatHistory), BusError> {
        let Newcomer { user, role, since, line } = newcomer;
        let sees_everybody = role.is_some_and(|role| role > ChatRole::Viewer);
        let changes = self.changes();
        let sight = self.shared.sight(user).await.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let sight = if sees_everybody { sight.of_everybody() } else { sight };
        let id = SeatId(self.shared.next_seat.fetch_add(1, Ordering::Relaxed));
        while !self.shared.stopping.is_cancelled() {
            // A room that is just being closed lets nobody in; then there is a new one.
            let room = self.room(broadcast).await?;
            let entering = Entering { user, sight: sight.clone(), since, line: line.clone() };
            if let Some(seated) = Seat::take(Arc::clone(&self.shared), room, id, entering) {
                // A block that came before the seat was there has not found it.
                if self.changes() != changes {
                    self.shared.people.renew_ties(user);
                }
                return Ok(seated);
            }
        }
        Err(BusError::Unavailable("the node is stopping".to_owned()))
    }

    /// A connection of somebody with an account: online while it is held. `hides`: others are not shown what they watch.
    pub fn connect(&self, user: UserId, hides: bool) -> Link {
        Link::open(Arc::clone(&self.shared), user, hides)
    }

    /// Where somebody is, if they are online on any node.
    pub fn find(&self, user: UserId) -> Option<Whereabouts> {
        self.shared.people.find(user)
    }

    /// Counts the changes of friends, of blocks and of what people hide that this node has heard of: who has read them before the last one reads
    /// them again.
    pub fn changes(&self) -> u64 {
        self.shared.people.changes()
    }

    /// Tells a person, on every connection of theirs; friends and blocks come into force in the chats that they are in.
    pub fn tell(&self, user: UserId, note: Note) {
        self.shared.people.note(user, note);
    }

    /// What nodes say about people that concerns the calls of this one. For one reader; cancelling loses nothing.
    pub async fn next_word(&self) -> PeopleWord {
        self.shared.people.next_word().await
    }

    /// Ends every room, gives its leases back, and writes what waits for the archive.
    pub async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        let (archived, all_is_said) = &self.shared.archived;
        all_is_said.cancel();
        archived.close();
        archived.wait().await;
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
    async fn sight(&self, user: UserId) -> Result<Sight, RelationsError> {
        let Ties { friends, hidden } = self.relations.ties(user).await?;
        Ok(Sight::new(friends, hidden))
    }

    /// A person's friends are others now, or others are hidden from them.
    async fn relate(&self, user: UserId) -> Result<(), RelationsError> {
        let rooms: Vec<Arc<Room>> = self.lock_rooms().values().filter(|room| room.has(user)).cloned().collect();
        if !rooms.is_empty() {
            let sight = self.sight(user).await?;
            rooms.iter().for_each(|room| room.relate(user, &sight));
        }
        Ok(())
    }

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
