//! Holds the lease on a broadcast's chat where it can, and runs the home while it does.
//!
//! Every node with somebody in the room tries; who holds the lease is the home. A home that cannot renew its lease ends before the lease does;
//! one that does not notice is refused by the log.

use std::sync::Arc;

use metrics::{counter, gauge};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::archiver::ToArchive;
use super::room::{parse_log, read, written};
use super::{Shared, failed};
use crate::ids::{ActionId, BroadcastId};
use crate::limits::{CHAT_LOG_KEPT, LEASE_RENEW_INTERVAL, LEASE_TTL, NODE_HEARTBEAT};
use crate::social::bus::{BusError, Delivery, Entry, Lane, Lease, LogId, Topic};
use crate::social::chat::{InBatch, Logged, Reported, Ruling};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::room::held::Fate;
use crate::social::room::home::{Complaint, Deed, Flush, Home};
use crate::social::room::snapshot::Snapshot;
use crate::store::{ActionRecord, NamedUser, ReportRecord};
use crate::telemetry::{SOCIAL_HELD, SOCIAL_HOMES, SOCIAL_TAKEOVERS};

/// A home that runs.
struct Running {
    epoch: u64,
    /// The lease ends then, unless it is renewed.
    until: Instant,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Until `closing`.
pub(super) async fn keep(shared: Arc<Shared>, broadcast: BroadcastId, closing: CancellationToken) {
    let mut ticks = interval(LEASE_RENEW_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running: Option<Running> = None;
    loop {
        let ends_at = running.as_ref().map(|running| running.until);
        tokio::select! {
            _ = ticks.tick() => {}
            () = until_instant(ends_at) => {
                tracing::warn!(%broadcast, "the lease on a chat could not be renewed in time");
                running = None;
                continue;
            }
            () = closing.cancelled() => break,
        }
        let asked_at = now();
        match shared.bus.acquire(broadcast, shared.node).await {
            Ok(Lease::Held { epoch }) => {
                let until = asked_at + LEASE_TTL;
                match &mut running {
                    Some(running) if running.epoch == epoch && !running.stop.is_cancelled() => running.until = until,
                    _ => running = Some(begin(&shared, broadcast, epoch, until, &closing)),
                }
            }
            Ok(Lease::Taken { .. }) => running = None,
            Err(error) => failed("lease", &error),
        }
    }
    let was_home = running.take().is_some();
    if was_home && let Err(error) = shared.bus.release(broadcast, shared.node).await {
        // It ends by itself.
        failed("lease", &error);
    }
}

fn begin(shared: &Arc<Shared>, broadcast: BroadcastId, epoch: u64, until: Instant, closing: &CancellationToken) -> Running {
    tracing::info!(%broadcast, epoch, "home of the chat");
    counter!(SOCIAL_TAKEOVERS).increment(1);
    let stop = closing.child_token();
    let (of_home, stopped, shared_home) = (Arc::clone(shared), stop.clone(), stop.clone());
    shared.tasks.spawn(async move {
        gauge!(SOCIAL_HOMES).increment(1.0);
        match stopped.run_until_cancelled_owned(run(&of_home, broadcast, epoch)).await {
            None | Some(Ok(())) => {}
            Some(Err(BusError::Superseded)) => tracing::warn!(%broadcast, epoch, "another node is the home of this chat"),
            // The next renewal begins anew.
            Some(Err(error @ BusError::Unavailable(_))) => failed("read", &error),
        }
        shared_home.cancel();
        gauge!(SOCIAL_HOMES).decrement(1.0);
    });
    Running { epoch, until, stop }
}

/// The home's task: until the log says that there is another one.
async fn run(shared: &Shared, broadcast: BroadcastId, epoch: u64) -> Result<(), BusError> {
    let mut subscription = shared.bus.subscribe(Topic::Chat { broadcast, lane: Lane::In }).await?;
    let kept = kept_snapshot(shared, broadcast).await?;
    let mut log = parse_log(&shared.bus.read(broadcast, LogId::default(), CHAT_LOG_KEPT).await?);
    if log.is_empty() {
        log = from_archive(shared, broadcast).await;
        log.retain(|logged| logged.id.epoch < epoch);
        // One call an epoch: a log takes entries of one at a time.
        for of_epoch in log.chunk_by(|a, b| a.id.epoch == b.id.epoch) {
            let entries = of_epoch.iter().map(|logged| Entry { id: logged.id, payload: written(logged) }).collect();
            shared.bus.append(broadcast, entries, CHAT_LOG_KEPT).await?;
        }
    }
    let mut home = Home::open(wall_clock(), epoch, kept, &log);
    let mut roll = interval(NODE_HEARTBEAT);
    roll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first roll may not have every node yet.
    roll.tick().await;
    loop {
        let wake_at = home.wake_at(wall_clock());
        tokio::select! {
            delivery = subscription.next() => match delivery {
                Some(Delivery::Payload(payload)) => match read::<InBatch>(&payload) {
                    Some(batch) => home.handle_batch(wall_clock(), batch),
                    None => failed("malformed", &"a batch of a node cannot be read"),
                },
                // Nodes send again what is not safe.
                Some(Delivery::Missed(_)) => {}
                None => return Ok(()),
            },
            () = until(Some(wake_at)) => {}
            _ = roll.tick() => match shared.bus.nodes().await {
                // Who is not on the roll although it is the one that reads it has not been able to sign it: then it says nothing.
                Ok(nodes) if nodes.contains(&shared.node) => home.handle_nodes(&nodes),
                Ok(_) => {}
                Err(error) => failed("nodes", &error),
            },
        }
        if let Some(flush) = home.poll(wall_clock()) {
            tell(shared, broadcast, flush).await?;
        }
        if let Some(snapshot) = home.snapshot(wall_clock()) {
            let bytes = written(&snapshot);
            match shared.bus.save(broadcast, epoch, bytes.clone()).await {
                Ok(()) => {
                    home.handle_saved(&snapshot);
                    shared.archiver.put(ToArchive::Snapshot { broadcast, epoch, bytes, is_urgent: snapshot.is_urgent });
                }
                Err(BusError::Superseded) => return Err(BusError::Superseded),
                Err(error) => {
                    failed("save", &error);
                    home.handle_unsaved(&snapshot);
                }
            }
        }
    }
}

/// Logs, then tells: what nodes hear of can be read again.
async fn tell(shared: &Shared, broadcast: BroadcastId, flush: Flush) -> Result<(), BusError> {
    let Flush { log, out, deeds, complaints, fates } = flush;
    fates.into_iter().for_each(|fate| counter!(SOCIAL_HELD, "result" => fate_word(fate)).increment(1));
    let entries: Vec<Entry> = log.iter().map(|logged| Entry { id: logged.id, payload: written(logged) }).collect();
    let mut ticks = interval(LEASE_RENEW_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match shared.bus.append(broadcast, entries.clone(), CHAT_LOG_KEPT).await {
            Ok(()) => break,
            Err(BusError::Superseded) => return Err(BusError::Superseded),
            // Until the lease ends, and this task with it.
            Err(error) => failed("append", &error),
        }
    }
    if let Err(error) = shared.bus.publish(Topic::Chat { broadcast, lane: Lane::Out }, written(&out)).await {
        failed("publish", &error);
    }
    if !log.is_empty() {
        shared.archiver.put(ToArchive::Events { broadcast, log });
    }
    deeds.into_iter().for_each(|deed| shared.archiver.put(ToArchive::Action(to_action(broadcast, deed))));
    complaints.into_iter().for_each(|complaint| shared.archiver.put(ToArchive::Report(to_report(broadcast, complaint))));
    Ok(())
}

const fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Held => "held",
        Fate::Full => "full",
        Fate::Ruled(Ruling::Approved) => "approved",
        Fate::Ruled(Ruling::Refused) => "refused",
        Fate::Ruled(Ruling::Expired) => "expired",
    }
}

fn to_action(broadcast: BroadcastId, deed: Deed) -> ActionRecord {
    let Deed { at, by, action, on, message, seconds, note } = deed;
    let id = ActionId::random(&mut rand::rng());
    ActionRecord { id, broadcast, at_ms: at.0, by, action, on, message, seconds, note }
}

fn to_report(broadcast: BroadcastId, complaint: Complaint) -> ReportRecord {
    let Complaint { message, report: Reported { by, reason, note, at_ms } } = complaint;
    ReportRecord {
        broadcast,
        place: (message.id.epoch, message.id.seq),
        author: NamedUser { id: message.author.id, name: message.author.name },
        text: message.text,
        sent_at_ms: message.sent_at_ms.0,
        by,
        reason,
        note,
        at_ms: at_ms.0,
    }
}

/// What the home before this one knew; from the archive, where the bus has lost its memory or never had it.
pub(super) async fn kept_snapshot(shared: &Shared, broadcast: BroadcastId) -> Result<Option<Snapshot>, BusError> {
    let kept = match shared.bus.load(broadcast).await? {
        Some(bytes) => Some(bytes),
        // Rather no chat than one in which whoever was banned may speak.
        None => shared.archive.load(broadcast).await.map_err(|error| BusError::Unavailable(error.to_string()))?,
    };
    Ok(kept.and_then(|bytes| read::<Snapshot>(&bytes)))
}

/// What the archive has of a chat.
pub(super) async fn from_archive(shared: &Shared, broadcast: BroadcastId) -> Vec<Logged> {
    shared.archive.newest(broadcast, CHAT_LOG_KEPT).await.unwrap_or_else(|error| {
        tracing::warn!(%broadcast, %error, "the chat begins without what was said before");
        Vec::new()
    })
}

fn now() -> Instant {
    Instant::now()
}

async fn until_instant(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// At a moment of the wall clock, or never.
pub(super) async fn until(deadline: Option<UnixMs>) {
    let wait = deadline.map(|at| now() + at.since(wall_clock()));
    until_instant(wait).await;
}
