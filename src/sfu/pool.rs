//! Which worker holds what: places peers, remembers the home worker of each broadcast and other source, and routes commands. Not on the packet path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::{mpsc, watch};

use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::sfu::handle::{AddPeer, Command};
use crate::sfu::stats::WorkerSnapshot;

/// The workers of this node.
#[derive(Debug)]
pub(super) struct Pool {
    workers: Vec<WorkerSlot>,
    homes: Mutex<Homes>,
}

/// Where broadcasts and other sources are published. A broadcast's home is kept until it is closed, another source's as long as its publisher.
#[derive(Debug, Default)]
struct Homes {
    broadcasts: HashMap<BroadcastId, u8>,
    sources: HashMap<SourceId, PeerId>,
    /// By who publishes them.
    published: HashMap<PeerId, SourceId>,
}

impl Homes {
    fn home(&self, source: SourceId) -> Option<u8> {
        self.sources.get(&source).map(|peer| peer.worker()).or_else(|| self.broadcasts.get(&source).copied())
    }

    fn withdraw(&mut self, peer: PeerId) {
        // Somebody else may publish it by now.
        if let Some(source) = self.published.remove(&peer)
            && self.sources.get(&source) == Some(&peer)
        {
            self.sources.remove(&source);
        }
    }
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
        Self { workers, homes: Mutex::new(Homes::default()) }
    }

    /// Chooses a worker for a new peer and makes its id; returns it with the broadcast's home worker. A publisher always lands at home,
    /// so that its packets are decrypted where they are first fanned out; a viewer lands on the worker with the fewest peers.
    pub(super) fn place(&self, request: &AddPeer) -> (PeerId, u8) {
        let least = (0..self.workers()).min_by_key(|&worker| self.workers[usize::from(worker)].peers.load(Ordering::Relaxed)).unwrap_or(0);
        let home = *self.homes().broadcasts.entry(request.broadcast).or_insert(least);
        let worker = if request.permissions.publish { home } else { least };
        self.workers[usize::from(worker)].peers.fetch_add(1, Ordering::Relaxed);
        (PeerId::on_worker(worker, &mut rand::rng()), home)
    }

    /// A peer is gone (or never came to be), and what it published with it.
    pub(super) fn release(&self, peer: PeerId) {
        self.withdraw(peer);
        if let Some(slot) = self.workers.get(usize::from(peer.worker())) {
            slot.peers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The worker of a broadcast's or another source's publisher.
    pub(super) fn home(&self, source: SourceId) -> Option<u8> {
        self.homes().home(source)
    }

    /// A source is published by this peer from now on. Returns whether it may have to be looked for elsewhere than before.
    pub(super) fn publish(&self, source: SourceId, peer: PeerId) -> bool {
        let mut homes = self.homes();
        let before = homes.home(source);
        if homes.published.get(&peer).is_some_and(|published| *published != source) {
            homes.withdraw(peer);
        }
        homes.published.insert(peer, source);
        homes.sources.insert(source, peer);
        self.workers() > 1 && before != Some(peer.worker())
    }

    /// The peer publishes no source of its own any more.
    pub(super) fn withdraw(&self, peer: PeerId) {
        self.homes().withdraw(peer);
    }

    /// The peer publishes this one no more.
    pub(super) fn withdraw_source(&self, peer: PeerId, source: SourceId) {
        let mut homes = self.homes();
        if homes.published.get(&peer) == Some(&source) {
            homes.withdraw(peer);
        }
    }

    pub(super) fn forget(&self, broadcast: BroadcastId) {
        self.homes().broadcasts.remove(&broadcast);
    }

    fn homes(&self) -> MutexGuard<'_, Homes> {
        self.homes.lock().expect("never poisoned: no panic while held")
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

    /// Entries of the maps of homes.
    #[cfg(test)]
    fn entries(&self) -> [usize; 3] {
        let homes = self.homes();
        [homes.broadcasts.len(), homes.sources.len(), homes.published.len()]
    }

    pub(super) fn sender(&self, worker: u8) -> Option<&mpsc::Sender<Command>> {
        self.workers.get(usize::from(worker)).map(|slot| &slot.commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::handle::{LayerChoice, Permissions};

    fn pool() -> Pool {
        let slot = || WorkerSlot::new(mpsc::channel(1).0, watch::channel(WorkerSnapshot::default()).1);
        Pool::new(vec![slot(), slot()])
    }

    fn request(broadcast: BroadcastId, source: Option<SourceId>) -> AddPeer {
        let permissions = Permissions { publish: false, view: true };
        AddPeer { broadcast, permissions, offer: String::new(), choice: LayerChoice::Auto, source }
    }

    #[test]
    fn a_sources_home_goes_with_its_publisher_and_not_with_one_that_was_replaced() {
        let (pool, [broadcast, source, other]) = (pool(), [1, 2, 3].map(BroadcastId::from_bits));
        let (first, _) = pool.place(&request(broadcast, Some(source)));
        assert!(pool.publish(source, first), "whoever asked for it before has to look there");
        assert!(!pool.publish(source, first), "it is where it was");
        let (second, _) = pool.place(&request(broadcast, Some(source)));
        assert_ne!(first.worker(), second.worker(), "members are spread like viewers");
        assert!(pool.publish(source, second));
        pool.release(first);
        assert_eq!(pool.home(source), Some(second.worker()));
        pool.publish(other, second);
        assert_eq!((pool.home(source), pool.home(other)), (None, Some(second.worker())), "one source a peer");
        pool.withdraw(second);
        assert_eq!(pool.entries(), [1, 0, 0]);
        pool.publish(source, second);
        pool.release(second);
        pool.forget(broadcast);
        assert_eq!((pool.entries(), pool.peers()), ([0; 3], 0));
    }
}
