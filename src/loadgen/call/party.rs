//! One number of calls: members come, settle, are measured, and leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::conversation::Front;
use super::found::CallTally;
use super::member::{Door, Place, take_part};
use crate::limits::{LOADGEN_CONNECT_TIMEOUT, LOADGEN_SETTLE};
use crate::loadgen::clock;
use crate::loadgen::load::{Stage, measure};
use crate::loadgen::options::LoadOptions;
use crate::loadgen::report::{Figure, report};
use crate::loadgen::tally::Tally;

/// Measures `calls` calls of as many members as the options say.
///
/// # Errors
/// A server that calls cannot be made on; nobody received media.
pub(in crate::loadgen) async fn round(
    options: &LoadOptions,
    calls: usize,
    stage: &Arc<Stage>,
    empty_rss: u64,
) -> anyhow::Result<Vec<Figure>> {
    let (tally, call_tally) = (Arc::new(Tally::new()), Arc::new(CallTally::default()));
    let front = Arc::new(Front::new(stage.server.base()?)?);
    let first = clock::now();
    let conditions = options.conditions(first)?.map(Arc::new);
    let (mut tasks, stop, members) = (JoinSet::new(), CancellationToken::new(), options.members);
    for call in 0..calls {
        let (open, opens) = watch::channel(None);
        let mut open = Some(open);
        for own in 0..members {
            let comes_at = first + Duration::from_secs_f64((call * members + own) as f64 / options.ramp.per_second());
            tokio::time::sleep_until(comes_at.into()).await;
            let door = open.take().map_or_else(|| Door::Follows(opens.clone()), Door::Begins);
            let (stage, front, tally, call_tally) = (stage.clone(), front.clone(), tally.clone(), call_tally.clone());
            let (conditions, stop) = (conditions.clone(), stop.clone());
            tasks.spawn(async move {
                let place = Place {
                    server: &stage.server,
                    front: &front,
                    identity: &stage.identity,
                    tally: &tally,
                    call_tally: &call_tally,
                    broadcast: &stage.broadcasts[call % stage.broadcasts.len()],
                    conditions: conditions.as_deref(),
                    call,
                    turn: (members, own),
                };
                take_part(&place, door, &stop).await;
            });
        }
    }
    // Whoever is not in by then is missing, and the figures say so.
    let _late = tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, call_tally.completed(calls * members)).await;
    tokio::time::sleep_until((clock::now() + LOADGEN_SETTLE).into()).await;
    call_tally.begin_measurement();
    let measured = measure(options, &tally, empty_rss, None).await;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    let who = format!("{calls} calls of {members} on");
    report(options, (&who, calls * members), &tally, &measured, call_tally.rows(calls, members))
}
