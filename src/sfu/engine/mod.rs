//! One worker's media plane, without socket, clock or randomness of its own: datagrams, commands, hand-overs and time in; datagrams (to a
//! [`Wire`]), events and hand-overs out. The whole of it runs in a test at a thousand times real time.
//!
//! Call order, as for every core here: any number of `handle_*`, then [`Engine::handle_batch_end`], then `poll_*` until empty; again by
//! [`Engine::wake_at`] at the latest.
//!
//! ```text
//! handle_datagram ─▶ demux ─▶ STUN: ice.rs        (transport.rs)
//!                         ├─▶ DTLS: dtls.rs       (transport.rs)
//!                         └─▶ RTP:  publisher.rs ─▶ up_track.rs observe ─▶ pending run   (media.rs)
//! handle_closed ─▶ demux, ice.rs: a TCP connection ended                               (transport.rs)
//! handle_batch_end ─▶ forward.rs: every down-track here, one hand-over per worker        (media.rs)
//! handle_command ─▶ negotiate/ ─▶ peers                                                  (commands.rs) ─▶ their tracks (tracks.rs)
//!                ─▶ calls and guests: what is published, what fills which m-line          (sources.rs)
//! handle_timeout ─▶ paced sends: replays, large frames, probes                            (turns.rs)
//!                ─▶ feedback, key frames, sender reports, consent                        (timers.rs)
//! transport-wide feedback, time ─▶ congestion/ ─▶ layers, probes                          (rates.rs)
//! ```

mod commands;
mod media;
mod rates;
mod reports;
mod sources;
mod timers;
mod tracks;
mod transport;
mod turns;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use slab::Slab;

use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::limits;
use crate::sfu::broadcast::Broadcast;
use crate::sfu::congestion::SharedPaths;
use crate::sfu::forward::{Egress, SendTime};
use crate::sfu::handle::SfuEvent;
use crate::sfu::latency::{Forwarded, TurnLog};
use crate::sfu::pacer::TurnQueue;
use crate::sfu::peer::{Peer, PerSecond};
use crate::sfu::stats::Counters;
use crate::sfu::tap::{Handover, TapRun, TapSender};
use crate::sfu::transport::Remote;
use crate::sfu::transport::certificate::NodeCertificate;
use crate::timeline::{MediaTime, NtpTime};

/// What a worker's media plane is made with.
pub struct EngineConfig {
    /// This worker's number.
    pub worker: u8,
    pub certificate: NodeCertificate,
    /// `a=candidate` values that every answer carries.
    pub candidates: Vec<String>,
    /// A pair of the same moment on both clocks: `Instant`s become wall-clock time by it.
    pub epoch: (Instant, f64),
    /// Seed of the cryptographically secure generator for credentials and SSRCs. From the operating system, except in tests.
    pub seed: [u8; 32],
}

/// One worker's media plane.
pub struct Engine {
    config: EngineConfig,
    rng: StdRng,
    peers: Slab<Peer>,
    /// By peer key, so that the packet path finds it by index.
    egress: Vec<Egress>,
    by_peer: HashMap<PeerId, usize>,
    by_ufrag: HashMap<String, usize>,
    by_address: HashMap<Remote, usize>,
    broadcasts: Slab<Broadcast>,
    /// What viewers behind one address share.
    paths: SharedPaths,
    by_broadcast: HashMap<BroadcastId, usize>,
    /// Whom viewers of a broadcast see as its guest, with the home of that source; until the broadcast is closed.
    guests: HashMap<BroadcastId, (SourceId, u8)>,
    /// Broadcasts with packets gathered in this batch.
    pending: Vec<usize>,
    /// When the first of their runs has waited long enough.
    run_due: Option<Instant>,
    buffer: Vec<u8>,
    reply: Vec<u8>,
    /// New peers: each costs a DTLS handshake.
    joins: PerSecond,
    /// Peers with something to send later.
    turns: TurnQueue,
    events: VecDeque<SfuEvent>,
    handovers: VecDeque<(u8, Handover)>,
    /// For subscribers in this process; emptied after each turn.
    tapped: Vec<(TapSender, TapRun)>,
    forwarded: TurnLog,
    released: Vec<PeerId>,
    tick_at: Option<Instant>,
    ticks: u64,
    pub counters: Counters,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Self {
            rng: StdRng::from_seed(config.seed),
            config,
            peers: Slab::new(),
            egress: Vec::new(),
            by_peer: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            broadcasts: Slab::new(),
            paths: SharedPaths::default(),
            by_broadcast: HashMap::new(),
            guests: HashMap::new(),
            pending: Vec::new(),
            run_due: None,
            buffer: Vec::with_capacity(limits::SEND_BYTES_MAX + 4096),
            reply: Vec::new(),
            joins: PerSecond::default(),
            turns: TurnQueue::default(),
            events: VecDeque::new(),
            handovers: VecDeque::new(),
            tapped: Vec::new(),
            forwarded: TurnLog::default(),
            released: Vec::new(),
            tick_at: None,
            ticks: 0,
            counters: Counters::default(),
        }
    }

    /// The next event for the control plane.
    pub fn poll_event(&mut self) -> Option<SfuEvent> {
        self.events.pop_front()
    }

    /// Offers an event again that the control plane had no room for.
    pub fn unpoll_event(&mut self, event: SfuEvent) {
        self.events.push_front(event);
    }

    /// The next message for another worker.
    pub fn poll_handover(&mut self) -> Option<(u8, Handover)> {
        self.handovers.pop_front()
    }

    /// The next packets for a subscriber in this process.
    pub fn poll_tapped(&mut self) -> impl Iterator<Item = (TapSender, TapRun)> {
        self.tapped.drain(..)
    }

    /// What was forwarded since the last call.
    pub fn poll_forwarded(&mut self) -> impl Iterator<Item = Forwarded> {
        self.forwarded.drain()
    }

    /// Peers that are gone since the last call: the pool counts them.
    pub fn take_released(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.released)
    }

    /// When [`Self::handle_timeout`] is due; `None` while there is nothing to do.
    pub fn wake_at(&self) -> Option<Instant> {
        if self.peers.is_empty() && self.broadcasts.is_empty() {
            return None;
        }
        [self.tick_at, self.run_due, self.turns.wake_at()].into_iter().flatten().min()
    }

    /// Peers, broadcasts with other sources, and every index onto them: all zero once everybody has left.
    pub fn sizes(&self) -> [usize; 6] {
        [self.paths.len(), self.peers.len(), self.broadcasts.len(), self.by_peer.len(), self.by_ufrag.len(), self.by_address.len()]
    }

    /// Broadcasts that show a guest.
    pub fn guests(&self) -> usize {
        self.guests.len()
    }

    /// Broadcasts whose publisher is on this worker.
    pub fn live_broadcasts(&self) -> usize {
        let is_live = |(key, broadcast): &(usize, &Broadcast)| broadcast.publisher.is_some_and(|peer| self.peers[peer].broadcast == *key);
        self.broadcasts.iter().filter(is_live).count()
    }

    /// Peers on this worker.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    fn unix_ms(&self, now: Instant) -> f64 {
        let (instant, unix_ms) = self.config.epoch;
        unix_ms + now.saturating_duration_since(instant).as_secs_f64() * 1000.0
    }

    fn send_time(&self, now: Instant) -> SendTime {
        let ntp = NtpTime::from_media_time(MediaTime(self.unix_ms(now)));
        SendTime { now, abs_send_time: (ntp.0 >> 14) as u32 & 0x00ff_ffff }
    }

    /// Starts the clock when the first peer or broadcast appears.
    fn arm(&mut self, now: Instant) {
        self.tick_at.get_or_insert(now + limits::TICK);
    }

    /// Queues an event; statistics give way when the control plane is far behind.
    fn emit(&mut self, event: SfuEvent) {
        let life_cycle = match event {
            SfuEvent::PeerConnected { .. }
            | SfuEvent::PeerGone { .. }
            | SfuEvent::Playing { .. }
            | SfuEvent::CannotDecode { .. }
            | SfuEvent::Unwatched { .. }
            | SfuEvent::PublisherRefused { .. } => true,
            SfuEvent::Tracks { .. } | SfuEvent::TrackClock { .. } | SfuEvent::Layer { .. } | SfuEvent::Speaking { .. } => false,
        };
        if !life_cycle && self.events.len() >= limits::EVENT_QUEUE {
            self.counters.events_dropped += 1;
            return;
        }
        self.events.push_back(event);
    }
}
