//! One thread: reads batches, runs the engine, sends what comes of it. Beside `udp.rs` the only place here that reads a clock.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::sfu::engine::Engine;
use crate::sfu::handle::{Command, SfuEvent};
use crate::sfu::pool::Pool;
use crate::sfu::stats::{DropReason, WorkerSnapshot};
use crate::sfu::tap::Handover;
use crate::sfu::udp::{Batch, WorkerSockets};

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

/// Counters are shown to the rest of the program this often.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until told to stop; then closes every peer's DTLS and returns.
#[expect(clippy::disallowed_methods, reason = "the shell stamps what it hands to the core")]
pub(super) async fn run(mut engine: Engine, sockets: WorkerSockets, mut links: Links) {
    let mut batch = Batch::default();
    let mut snapshot_due = Instant::now() + SNAPSHOT_INTERVAL;
    loop {
        let wake = engine.wake_at().map_or(snapshot_due, |wake| wake.min(snapshot_due));
        tokio::select! {
            biased;
            () = links.stop.cancelled() => break,
            _ = sockets.readable() => {
                let now = Instant::now();
                sockets.receive(&mut batch, |datagram| {
                    engine.handle_datagram(now, datagram.source, datagram.local, datagram.bytes, &mut &sockets);
                });
                engine.handle_batch_end(now, &mut &sockets);
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
            }
            Some(command) = links.commands.recv() => engine.handle_command(Instant::now(), command, &mut &sockets),
            () = sleep_until(TokioInstant::from_std(wake)) => {}
        }
        let now = Instant::now();
        engine.handle_timeout(now, &mut &sockets);
        drain(&mut engine, &links);
        if now >= snapshot_due {
            snapshot_due = now + SNAPSHOT_INTERVAL;
            publish(&engine, &links);
        }
    }
    engine.handle_shutdown(Instant::now(), &mut &sockets);
    drain(&mut engine, &links);
    publish(&engine, &links);
}

fn publish(engine: &Engine, links: &Links) {
    let snapshot = WorkerSnapshot { counters: engine.counters.clone(), peers: engine.peers(), broadcasts: engine.live_broadcasts() };
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
