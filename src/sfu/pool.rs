//! Which worker holds what: places peers, remembers each broadcast's home worker, and routes commands. Not on the packet path.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, watch};

use crate::ids::{BroadcastId, PeerId};
use crate::sfu::handle::{AddPeer, Command};
use crate::sfu::stats::WorkerSnapshot;

/// The workers of this node.
#[derive(Debug)]
pub(super) struct Pool {
    workers: Vec<WorkerSlot>,
    homes: Mutex<HashMap<BroadcastId, u8>>,
}

#[derive(Debug)]
pub(super) struct WorkerSlot {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<WorkerSnapshot>,
    peers: AtomicUsize,
}

impl WorkerSlot {
    pub(super) fn new(commands: mpsc::Sender<Command>, snapshot: watch::Receiver<WorkerSnapshot>) -> Self {
        Self { commands, snapshot, peers: AtomicUsize::new(0) }
    }
}

impl Pool {
    pub(super) fn new(workers: Vec<WorkerSlot>) -> Self {
        Self { workers, homes: Mutex::new(HashMap::new()) }
    }

    /// Chooses a worker for a new peer and makes its id; returns it with the broadcast's home worker. A publisher always lands at home,
    /// so that its packets are decrypted where they are first fanned out; a viewer lands on the worker with the fewest peers.
    pub(super) fn place(&self, request: &AddPeer) -> (PeerId, u8) {
        let least = (0..self.workers()).min_by_key(|&worker| self.workers[usize::from(worker)].peers.load(Ordering::Relaxed)).unwrap_or(0);
        let home = *self.homes.lock().expect("never poisoned: no panic while held").entry(request.broadcast).or_insert(least);
        let worker = if request.permissions.publish { home } else { least };
        if let Some(source) = request.source {
            self.set_home(source, worker);
        }
        self.workers[usize::from(worker)].peers.fetch_add(1, Ordering::Relaxed);
        (PeerId::on_worker(worker, &mut rand::rng()), home)
    }

    /// A peer is gone (or never came to be).
    pub(super) fn release(&self, peer: PeerId) {
        if let Some(slot) = self.workers.get(usize::from(peer.worker())) {
            slot.peers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The worker of a broadcast's publisher.
    pub(super) fn home(&self, broadcast: BroadcastId) -> Option<u8> {
        self.homes.lock().expect("never poisoned: no panic while held").get(&broadcast).copied()
    }

    /// A source is published by a peer on this worker from now on.
    pub(super) fn set_home(&self, source: BroadcastId, worker: u8) {
        self.homes.lock().expect("never poisoned: no panic while held").insert(source, worker);
    }

    pub(super) fn forget(&self, broadcast: BroadcastId) {
        self.homes.lock().expect("never poisoned: no panic while held").remove(&broadcast);
    }

    pub(super) fn workers(&self) -> u8 {
        self.workers.len() as u8
    }

    pub(super) fn peers(&self) -> usize {
        self.workers.iter().map(|slot| slot.peers.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn snapshots(&self) -> Vec<WorkerSnapshot> {
        self.workers.iter().map(|slot| slot.snapshot.borrow().clone()).collect()
    }

    pub(super) fn sender(&self, worker: u8) -> Option<&mpsc::Sender<Command>> {
        self.workers.get(usize::from(worker)).map(|slot| &slot.commands)
    }
}
