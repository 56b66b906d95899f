//! What nodes tell each other: topics that lose, logs that keep, leases that name one holder, and the roll of the living.
//!
//! ```text
//! publish ─▶ topic ─▶ subscribers          lossy: whoever lags or reconnects misses, and is told when that can be known
//! append ─▶ log of (epoch, seq) ─▶ read     keeps the newest N; an id that is not above the last one is refused
//! save ─▶ snapshot under an epoch ─▶ load   an older epoch is refused
//! acquire ─▶ lease ─▶ epoch                 one holder at a time; every change of hands raises the epoch
//! beat ─▶ nodes                             who has not beaten for a while is not listed
//! ```
//! Two implementations, [`memory`] for one node and [`redis`] for many, held by one conformance suite. What fences a holder that does not know
//! yet that it lost its lease is the log itself: its ids begin with the epoch, so those of the next holder are above all of its own.
//! Epochs begin at the clock of the bus in milliseconds, so that they rise even when the bus has lost its memory.

pub mod memory;
pub mod redis;

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
pub(crate) mod redis_server;
#[cfg(test)]
mod redis_tests;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast as fanout;
use tokio::sync::broadcast::error::RecvError;

use super::clock::UnixMs;
use crate::ids::{BroadcastId, NodeId};

/// What a message is about. Those of one broadcast live together (one slot of a cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    Chat {
        broadcast: BroadcastId,
        lane: Lane,
    },
    /// Who is online and where, and what is told to one person wherever they are.
    People,
}

/// Which of a broadcast's topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// From the nodes to the home.
    In,
    /// From the home to the nodes.
    Out,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat { broadcast, lane: Lane::In } => write!(f, "courtside:{{{broadcast}}}:in"),
            Self::Chat { broadcast, lane: Lane::Out } => write!(f, "courtside:{{{broadcast}}}:out"),
            Self::People => f.write_str("courtside:{people}"),
        }
    }
}

/// A place in a log: ordered by epoch, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogId {
    pub epoch: u64,
    /// From 1 in each epoch.
    pub seq: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// A text that is not a [`LogId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a message is two numbers with a hyphen between them")]
pub struct InvalidLogId;

impl std::str::FromStr for LogId {
    type Err = InvalidLogId;

    fn from_str(text: &str) -> Result<Self, InvalidLogId> {
        let (epoch, seq) = text.split_once('-').ok_or(InvalidLogId)?;
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| InvalidLogId),
            false => Err(InvalidLogId),
        };
        Ok(Self { epoch: number(epoch)?, seq: number(seq)? })
    }
}

impl serde::Serialize for LogId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for LogId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: LogId,
    pub payload: Bytes,
}

/// Who holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The asker. The same epoch as before: nobody held it in between.
    Held {
        epoch: u64,
    },
    Taken {
        by: NodeId,
    },
}

/// Why the bus did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Somebody with a later epoch has written: the caller is no longer the home.
    #[error("a later epoch has written")]
    Superseded,
    /// The bus cannot be reached, or not in time. The caller may try again; what it asked for may have happened.
    #[error("the bus does not answer: {0}")]
    Unavailable(String),
}

/// See the file's head. Every call is bounded in time by `limits::BUS_ANSWER_MAX`.
#[async_trait]
pub trait Bus: Send + Sync + fmt::Debug {
    /// To everybody who subscribes now.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn publish(&self, topic: Topic, payload: Bytes) -> Result<(), BusError>;

    /// What is published from now on, until the subscription is dropped.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn subscribe(&self, topic: Topic) -> Result<Subscription, BusError>;

    /// Adds entries of one epoch to the log of a broadcast, whose oldest go when there are more than `keep`. Ids must rise. Entries that are
    /// there already are left as they are, so that a call whose answer was lost may be repeated.
    ///
    /// # Errors
    /// [`BusError::Superseded`] when the log has an entry of a later epoch; [`BusError::Unavailable`].
    async fn append(&self, broadcast: BroadcastId, entries: Vec<Entry>, keep: usize) -> Result<(), BusError>;

    /// The newest entries above `after`, at most `max`, in their order.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn read(&self, broadcast: BroadcastId, after: LogId, max: usize) -> Result<Vec<Entry>, BusError>;

    /// Replaces the snapshot of a broadcast.
    ///
    /// # Errors
    /// [`BusError::Superseded`] when a later epoch has saved one; [`BusError::Unavailable`].
    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), BusError>;

    /// The snapshot of a broadcast.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, BusError>;

    /// Takes or renews the lease on a broadcast for `limits::LEASE_TTL`.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn acquire(&self, broadcast: BroadcastId, node: NodeId) -> Result<Lease, BusError>;

    /// Gives the lease back, if `node` holds it.
    ///
    /// # Errors
    /// [`BusError::Unavailable`]; the lease then ends by itself.
    async fn release(&self, broadcast: BroadcastId, node: NodeId) -> Result<(), BusError>;

    /// Says that `node` lives.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn beat(&self, node: NodeId) -> Result<(), BusError>;

    /// Who has beaten within `limits::NODE_EXPIRY`, in the order of their ids.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    async fn nodes(&self) -> Result<Vec<NodeId>, BusError>;
}

/// What a subscriber receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Payload(Bytes),
    /// Something was not received: this many messages where it is known, 0 where not.
    Missed(u64),
}

/// One subscriber's place in a topic.
#[derive(Debug)]
pub struct Subscription {
    receiver: fanout::Receiver<Delivery>,
}

impl Subscription {
    const fn new(receiver: fanout::Receiver<Delivery>) -> Self {
        Self { receiver }
    }

    /// The next message; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self.receiver.recv().await {
            Ok(delivery) => Some(delivery),
            Err(RecvError::Lagged(missed)) => Some(Delivery::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The first epoch of a new holder, above the last one and not below the clock.
const fn next_epoch(last: u64, now: UnixMs) -> u64 {
    if last + 1 > now.0 { last + 1 } else { now.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_and_survive_their_text() {
        let id = |epoch, seq| LogId { epoch, seq };
        assert!(id(1, 900) < id(2, 1));
        assert_eq!("1795230000000-17".parse(), Ok(id(1_795_230_000_000, 17)));
        assert_eq!(id(5, 6).to_string(), "5-6");
        for text in ["", "5", "5-", "-6", "5-6-7", "+5-6", "5-99999999999999999999"] {
            assert_eq!(text.parse::<LogId>(), Err(InvalidLogId), "{text}");
        }
    }

    #[test]
    fn epochs_rise_even_after_the_bus_forgot_them() {
        assert_eq!(next_epoch(0, UnixMs(1000)), 1000);
        assert_eq!(next_epoch(1000, UnixMs(1000)), 1001);
        assert_eq!(next_epoch(2000, UnixMs(1000)), 2001);
    }
}
