//! The bus of one process: maps behind a lock. Nothing here awaits, so no call fails.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast as fanout;

use super::{Bus, BusError, Delivery, Entry, Lease, LogId, Subscription, Topic, next_epoch};
use crate::ids::{BroadcastId, NodeId};
use crate::limits::{BUS_KEPT, BUS_TOPIC_QUEUE, LEASE_TTL, NODE_EXPIRY};
use crate::social::clock::{UnixMs, wall_clock};

/// Every node of a process shares one; one node is the common case.
#[derive(Debug, Default)]
pub struct MemoryBus {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    topics: HashMap<Topic, fanout::Sender<Delivery>>,
    logs: HashMap<BroadcastId, Log>,
    snapshots: HashMap<BroadcastId, (u64, Bytes)>,
    leases: HashMap<BroadcastId, Holding>,
    nodes: BTreeMap<NodeId, UnixMs>,
}

#[derive(Debug, Default)]
struct Log {
    last: LogId,
    written_at: UnixMs,
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Holding {
    by: Option<NodeId>,
    epoch: u64,
    until: UnixMs,
}

impl State {
    /// Lets go of broadcasts that nobody has held or written to for long.
    fn forget_old(&mut self, now: UnixMs) {
        self.leases.retain(|_, holding| now.since(holding.until) < BUS_KEPT);
        self.logs.retain(|broadcast, log| self.leases.contains_key(broadcast) || now.since(log.written_at) < BUS_KEPT);
        self.snapshots.retain(|broadcast, _| self.leases.contains_key(broadcast));
    }
}

impl MemoryBus {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, topic: Topic, payload: Bytes) -> Result<(), BusError> {
        self.with(|state| {
            let Some(sender) = state.topics.get(&topic) else { return };
            if sender.send(Delivery::Payload(payload)).is_err() {
                // The last subscriber is gone.
                state.topics.remove(&topic);
            }
        });
        Ok(())
    }

    async fn subscribe(&self, topic: Topic) -> Result<Subscription, BusError> {
        let receiver = self.with(|state| {
            // Those that nobody publishes to any more go here.
            state.topics.retain(|_, sender| sender.receiver_count() > 0);
            state.topics.entry(topic).or_insert_with(|| fanout::Sender::new(BUS_TOPIC_QUEUE)).subscribe()
        });
        Ok(Subscription::new(receiver))
    }

    async fn append(&self, broadcast: BroadcastId, entries: Vec<Entry>, keep: usize) -> Result<(), BusError> {
        let Some(epoch) = entries.first().map(|entry| entry.id.epoch) else { return Ok(()) };
        let now = wall_clock();
        self.with(|state| {
            let log = state.logs.entry(broadcast).or_default();
            if log.last.epoch > epoch {
                return Err(BusError::Superseded);
            }
            log.written_at = now;
            for entry in entries {
                if entry.id > log.last {
                    log.last = entry.id;
                    log.entries.push_back(entry);
                }
            }
            let surplus = log.entries.len().saturating_sub(keep);
            log.entries.drain(..surplus);
            Ok(())
        })
    }

    async fn read(&self, broadcast: BroadcastId, after: LogId, max: usize) -> Result<Vec<Entry>, BusError> {
        Ok(self.with(|state| {
            let Some(log) = state.logs.get(&broadcast) else { return Vec::new() };
            let from = log.entries.partition_point(|entry| entry.id <= after).max(log.entries.len().saturating_sub(max));
            log.entries.range(from..).cloned().collect()
        }))
    }

    async fn save(&self, broadcast: BroadcastId, epoch: u64, snapshot: Bytes) -> Result<(), BusError> {
        self.with(|state| {
            if state.snapshots.get(&broadcast).is_some_and(|(saved, _)| *saved > epoch) {
                return Err(BusError::Superseded);
            }
            state.snapshots.insert(broadcast, (epoch, snapshot));
            Ok(())
        })
    }

    async fn load(&self, broadcast: BroadcastId) -> Result<Option<Bytes>, BusError> {
        Ok(self.with(|state| state.snapshots.get(&broadcast).map(|(_, snapshot)| snapshot.clone())))
    }

    async fn acquire(&self, broadcast: BroadcastId, node: NodeId) -> Result<Lease, BusError> {
        let now = wall_clock();
        Ok(self.with(|state| {
            if !state.leases.contains_key(&broadcast) {
                state.forget_old(now);
            }
            let holding = state.leases.entry(broadcast).or_insert(Holding { by: None, epoch: 0, until: now });
            let until = now.after(LEASE_TTL);
            match holding.by.filter(|_| holding.until > now) {
                Some(by) if by == node => holding.until = until,
                Some(by) => return Lease::Taken { by },
                None => *holding = Holding { by: Some(node), epoch: next_epoch(holding.epoch, now), until },
            }
            Lease::Held { epoch: holding.epoch }
        }))
    }

    async fn release(&self, broadcast: BroadcastId, node: NodeId) -> Result<(), BusError> {
        self.with(|state| {
            if let Some(holding) = state.leases.get_mut(&broadcast).filter(|holding| holding.by == Some(node)) {
                holding.by = None;
            }
        });
        Ok(())
    }

    async fn beat(&self, node: NodeId) -> Result<(), BusError> {
        let now = wall_clock();
        self.with(|state| {
            state.nodes.retain(|_, until| *until > now);
            state.nodes.insert(node, now.after(NODE_EXPIRY));
        });
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeId>, BusError> {
        let now = wall_clock();
        Ok(self.with(|state| state.nodes.iter().filter(|(_, until)| **until > now).map(|(node, _)| *node).collect()))
    }
}
