//! One thread: reads batches, runs the engine, sends what comes of it. Beside `udp.rs` the only place here that reads a clock.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::sfu::engine::Engine;
use crate::sfu::forward::{Route, Wire};
use crate::sfu::framing::datagrams;
use crate::sfu::handle::{Command, SfuEvent};
use crate::sfu::latency::{Arrival, LatencyClasses};
use crate::sfu::pool::Pool;
use crate::sfu::stats::{DropReason, WorkerSnapshot};
use crate::sfu::tap::Handover;
use crate::sfu::tcp::{TcpConnections, TcpEvent};
use crate::sfu::transport::Remote;
use crate::sfu::udp::{Batch, UdpSockets};

/// What a worker is connected to.
pub(super) struct Links {
    pub commands: mpsc::Receiver<Command>,
    pub events: mpsc::Sender<SfuEvent>,
    pub handovers_in: mpsc::Receiver<Handover>,
    /// By worker number; our own is there and unused.
    pub handovers_out: Vec<mpsc::Sender<Handover>>,
    pub pool: std::sync::Weak<Pool>,
    pub snapshot: watch::Sender<WorkerSnapshot>,
    pub stop: CancellationToken,
}

/// A worker's sockets.
pub(super) struct Sockets {
    pub udp: UdpSockets,
    pub tcp: TcpConnections,
}

impl Wire for &Sockets {
    fn send(&mut self, route: Route, segment: usize, contents: &[u8]) -> bool {
        match route.destination {
            Remote::Udp(destination) => self.udp.send(destination, route.source, segment, contents),
            Remote::Tcp { connection, .. } => self.tcp.send(connection, segment, contents),
        }
    }
}

/// Counters are shown to the rest of the program, and TCP connections that serve nobody are ended, this often.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until told to stop; then closes every peer's DTLS and every connection, and returns.
#[expect(clippy::disallowed_methods, reason = "the shell stamps what it hands to the core")]
pub(super) async fn run(mut engine: Engine, mut sockets: Sockets, mut links: Links) {
    let mut batch = Batch::default();
    let started = Instant::now();
    let mut snapshot_due = started + SNAPSHOT_INTERVAL;
    let mut slowest_turn = Duration::ZERO;
    let (mut arrival, mut latency) = (Arrival::new(started), LatencyClasses::default());
    loop {
        let wake = engine.wake_at().map_or(snapshot_due, |wake| wake.min(snapshot_due));
        let woken = tokio::select! {
            biased;
            () = links.stop.cancelled() => break,
            _ = sockets.udp.readable() => {
                let now = Instant::now();
                sockets.udp.receive(&mut batch, |datagram| {
                    engine.handle_datagram(now, datagram.source.into(), datagram.local, datagram.bytes, &mut &sockets);
                });
                engine.handle_batch_end(now, &mut &sockets);
                now
            }
            event = sockets.tcp.next() => {
                let now = Instant::now();
                let mut next = Some(event);
                for _ in 0..limits::TCP_EVENTS_PER_TURN {
                    let Some(event) = next.take() else { break };
                    handle_tcp(now, event, &mut engine, &sockets);
                    next = sockets.tcp.try_next();
                }
                if let Some(event) = next {
                    handle_tcp(now, event, &mut engine, &sockets);
                }
                engine.handle_batch_end(now, &mut &sockets);
                now
            }
            handover = links.handovers_in.recv() => {
                let now = Instant::now();
                let mut next = handover;
                for _ in 0..limits::HANDOVERS_PER_TURN {
                    let Some(handover) = next else { break };
                    engine.handle_handover(now, handover, &mut &sockets);
                    next = links.handovers_in.try_recv().ok();
                }
                if let Some(handover) = next {
                    engine.handle_handover(now, handover, &mut &sockets);
                }
                now
            }
            Some(command) = links.commands.recv() => {
                let now = Instant::now();
                engine.handle_command(now, command, &mut &sockets);
                now
            }
            () = sleep_until(TokioInstant::from_std(wake)) => Instant::now(),
        };
        let waited = arrival.begin(woken);
        let now = Instant::now();
        slowest_turn = slowest_turn.max(now.saturating_duration_since(woken));
        engine.handle_timeout(now, &mut &sockets);
        let sent = Instant::now();
        for run in engine.poll_forwarded() {
            latency.add(waited + sent.saturating_duration_since(run.received), run.packets);
        }
        drain(&mut engine, &links);
        if now >= snapshot_due {
            snapshot_due = now + SNAPSHOT_INTERVAL;
            sockets.tcp.sweep(now, |remote| engine.knows(remote));
            publish(&engine, &sockets.tcp, &links, now - started, std::mem::take(&mut slowest_turn), &latency);
        }
        arrival.end(Instant::now());
    }
    engine.handle_shutdown(Instant::now(), &mut &sockets);
    drain(&mut engine, &links);
    publish(&engine, &sockets.tcp, &links, started.elapsed(), slowest_turn, &latency);
    sockets.tcp.close().await;
}

fn handle_tcp(now: Instant, event: TcpEvent, engine: &mut Engine, sockets: &Sockets) {
    match event {
        TcpEvent::Arrived { remote, local, frames } => {
            for datagram in datagrams(&frames) {
                engine.handle_datagram(now, remote, local, datagram, &mut &*sockets);
            }
        }
        TcpEvent::Closed { remote, .. } => engine.handle_closed(now, remote),
    }
}

fn publish(engine: &Engine, tcp: &TcpConnections, links: &Links, up: Duration, slowest_turn: Duration, latency: &LatencyClasses) {
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let snapshot = WorkerSnapshot {
        counters: engine.counters.clone(),
        up,
        cpu: Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32),
        slowest_turn,
        latency: latency.clone(),
        peers: engine.peers(),
        broadcasts: engine.live_broadcasts(),
        tcp_connections: tcp.len(),
        tcp_ended: tcp.ended(),
    };
    links.snapshot.send_replace(snapshot);
}

/// Moves events and hand-overs on. Neither ever waits: events stay in the engine, media that finds no room is dropped and counted.
fn drain(engine: &mut Engine, links: &Links) {
    while let Some((worker, handover)) = engine.poll_handover() {
        let Some(sender) = links.handovers_out.get(usize::from(worker)) else { continue };
        if let Err(TrySendError::Full(Handover::Run(run))) = sender.try_send(handover) {
            engine.counters.dropped[DropReason::HandoverFull as usize] += run.packets.len() as u64;
        }
    }
    let mut lost = 0;
    for (tap, run) in engine.poll_tapped() {
        // One that is closed is taken off with the next tick.
        if let Err(TrySendError::Full(run)) = tap.try_send(run) {
            lost += run.packets.len() as u64;
        }
    }
    engine.counters.dropped[DropReason::TapFull as usize] += lost;
    while let Some(event) = engine.poll_event() {
        match links.events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(event)) => {
                engine.unpoll_event(event);
                break;
            }
            Err(TrySendError::Closed(_)) => break,
        }
    }
    if let Some(pool) = links.pool.upgrade() {
        for peer in engine.take_released() {
            pool.release(peer);
        }
    }
}
