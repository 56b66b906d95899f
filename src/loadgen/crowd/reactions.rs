//! Everybody taps. What a newcomer is told once nobody taps any more must be what was sent, and so must what each viewer was shown last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::Rng as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::super::clock;
use super::fanout::until;
use super::options::CrowdOptions;
use super::run::{Aimed, Place, Spent, gated, open_all, plain};
use super::wire::{Frame, Member};
use crate::limits::{CROWD_DRAIN, CROWD_PING_INTERVAL, CROWD_REST, CROWD_TAPS_OF_ONE_MAX, LOADGEN_SETTLE};

const KINDS: [&str; 8] = ["heart", "clap", "laugh", "wow", "sad", "angry", "fire", "goal"];
/// The aims.
const FRAMES_PER_S_AIM: f64 = 4.0;
const SERVER_CPU_AIM: f64 = 0.4;

/// By kind.
type Sums = BTreeMap<String, u64>;

/// What one member has done and seen.
#[derive(Debug, Default)]
struct Outcome {
    sent: Sums,
    messages: u64,
    shown: Sums,
    /// Chat frames while it was measured.
    frames: u64,
}

/// What one member throws: so many taps each time, in whole ones.
#[derive(Debug)]
struct Tapper {
    /// Taps of each time.
    share: f64,
    owed: f64,
    kind: usize,
}

impl Tapper {
    /// What is sent this time: one kind, and others where that is more than a person manages of one.
    fn next(&mut self) -> Vec<(&'static str, u64)> {
        self.owed += self.share;
        let mut taps = Vec::new();
        while self.owed >= 1.0 && taps.len() < KINDS.len() {
            let count = self.owed.floor().min(f64::from(CROWD_TAPS_OF_ONE_MAX));
            self.owed -= count;
            self.kind = (self.kind + 1) % KINDS.len();
            taps.push((KINDS[self.kind], count as u64));
        }
        taps
    }
}

/// What all members share.
struct Stage {
    /// Tapping, then not any more.
    taps: watch::Sender<bool>,
    is_measuring: AtomicBool,
    outcomes: Mutex<Vec<Outcome>>,
    /// All taps have been read by the server.
    settled: Barrier,
}

#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
pub(super) async fn measure(place: &Place, options: &CrowdOptions) -> anyhow::Result<(Vec<Aimed>, String)> {
    ensure!(options.taps_per_s > 0.0 && options.reacts_per_s > 0.0, "somebody taps");
    let share = options.taps_per_s / options.reacts_per_s / options.sockets as f64;
    let most = f64::from(CROWD_TAPS_OF_ONE_MAX) * KINDS.len() as f64;
    ensure!(share <= most, "{share:.0} taps in a message are more than the {most} that count: more sockets, or more often");
    let before = newcomer(place, options.sockets).await?;
    let members = open_all(place, options.sockets, false, Vec::new()).await?;
    let stage = Arc::new(Stage {
        taps: watch::Sender::new(true),
        is_measuring: AtomicBool::new(false),
        outcomes: Mutex::default(),
        settled: Barrier::new(options.sockets + 1),
    });
    let pause = Duration::from_secs_f64(1.0 / options.reacts_per_s);
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for (index, member) in members.into_iter().enumerate() {
        let tapper = Tapper { share, owed: rand::rng().random(), kind: index % KINDS.len() };
        let stage = Arc::clone(&stage);
        tasks.spawn(async move { take_part(member, &stage, tapper, pause).await });
    }
    sleep(LOADGEN_SETTLE).await;
    stage.is_measuring.store(true, Ordering::Relaxed);
    let spent = Spent::from_now(options.server_pid);
    sleep(Duration::from_secs(options.seconds)).await;
    let (elapsed, (cores, own)) = (spent.seconds(), spent.cores());
    stage.is_measuring.store(false, Ordering::Relaxed);
    stage.taps.send_replace(false);
    let broken = tokio::select! {
        _ = stage.settled.wait() => None,
        broken = first_error(&mut tasks) => Some(broken),
        () = sleep(CROWD_DRAIN) => Some(anyhow::anyhow!("not all taps were read within {CROWD_DRAIN:?}")),
    };
    if let Some(error) = broken {
        return Err(error.context("a socket broke"));
    }
    // What is on its way comes to rest.
    sleep(CROWD_REST).await;
    stage.taps.send_modify(|_| {});
    while let Some(ended) = tasks.join_next().await {
        ended?.context("a socket broke")?;
    }
    let told = newcomer(place, options.sockets).await?;
    let outcomes = std::mem::take(&mut *stage.outcomes.lock().expect("nothing panics while it holds the outcomes"));
    let mut expected = before;
    for (kind, count) in outcomes.iter().flat_map(|outcome| &outcome.sent) {
        *expected.entry(kind.clone()).or_default() += count;
    }
    let wrong: u64 = KINDS.iter().map(|kind| of(&told, kind).abs_diff(of(&expected, kind))).sum();
    let misled = outcomes.iter().filter(|outcome| KINDS.iter().any(|kind| of(&outcome.shown, kind) != of(&expected, kind))).count();
    let sent: u64 = outcomes.iter().flat_map(|outcome| outcome.sent.values()).sum();
    let messages: u64 = outcomes.iter().map(|outcome| outcome.messages).sum();
    let most_frames = outcomes.iter().map(|outcome| outcome.frames).max().unwrap_or(0);
    // So many frames have one pause less between them.
    let frames_per_s = most_frames.saturating_sub(1) as f64 / elapsed;
    let tapped_for = elapsed + LOADGEN_SETTLE.as_secs_f64();
    let rows = vec![
        gated("crowd.taps_wrong", wrong as f64, "taps", 0.0),
        gated("crowd.viewers_misled", misled as f64, "viewers", 0.0),
        gated("crowd.reaction_frames", frames_per_s, "frames/s", FRAMES_PER_S_AIM),
        gated("crowd.server_cpu", cores, "cores", SERVER_CPU_AIM),
        plain("crowd.taps", sent as f64, "taps"),
        plain("crowd.taps_per_s", sent as f64 / tapped_for, "taps/s"),
        plain("crowd.reacts_per_s", messages as f64 / tapped_for, "messages/s"),
        plain("crowd.generator_cpu", own, "cores"),
    ];
    let conditions = format!(
        "{} sockets, {:.0} taps/s in {:.0} messages/s, {} s",
        options.sockets,
        options.taps_per_s,
        options.reacts_per_s * options.sockets as f64,
        options.seconds
    );
    Ok((rows, conditions))
}

fn of(sums: &Sums, kind: &str) -> u64 {
    sums.get(kind).copied().unwrap_or(0)
}

async fn first_error(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Error {
    match tasks.join_next().await {
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => error.into(),
        Some(Ok(Ok(()))) | None => anyhow::anyhow!("somebody left early"),
    }
}

/// What somebody is told who comes now.
async fn newcomer(place: &Place, index: usize) -> anyhow::Result<Sums> {
    let (_, entered) = Member::enter(place, index, None, None).await?;
    let reactions: Vec<Count> = serde_json::from_value(entered["history"]["reactions"].clone()).context("a history without reactions")?;
    Ok(reactions.into_iter().map(|Count { kind, count }| (kind, count)).collect())
}

#[derive(Debug, Deserialize)]
struct Count {
    kind: String,
    count: u64,
}

#[derive(Deserialize)]
struct Heard {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<u32>,
    #[serde(default)]
    frame: Option<Shown>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    reactions: Vec<Count>,
}

/// The ping whose answer says that everything before it was read.
const LAST_PING: u32 = 7;

/// Taps until it is told to stop, and listens until it is told to go.
async fn take_part(mut member: Member, stage: &Stage, mut tapper: Tapper, pause: Duration) -> anyhow::Result<()> {
    let mut outcome = Outcome::default();
    let mut phase = stage.taps.subscribe();
    let mut ping = interval(CROWD_PING_INTERVAL);
    let mut next = Some(clock::now() + pause.mul_f64(rand::rng().random()));
    let mut is_settled = false;
    loop {
        tokio::select! {
            read = member.wire.read() => {
                ensure!(read? > 0, "the connection is gone");
                while let Some(frame) = member.wire.next()? {
                    let Frame::Message(payload) = frame else { bail!("the connection was closed") };
                    let Heard { kind, id, frame, reason, error } = serde_json::from_slice(&payload)?;
                    match kind.as_str() {
                        "bye" => bail!("bye {}", reason.unwrap_or_default()),
                        "error" => bail!("refused: {}", error.unwrap_or_default()),
                        "pong" if id == Some(LAST_PING) => {
                            is_settled = true;
                            stage.settled.wait().await;
                        }
                        _ => {}
                    }
                    if let Some(Shown { reactions }) = frame {
                        outcome.frames += u64::from(stage.is_measuring.load(Ordering::Relaxed));
                        outcome.shown.extend(reactions.into_iter().map(|Count { kind, count }| (kind, count)));
                    }
                }
            }
            _ = ping.tick() => member.wire.say(&ping_of(9)).await?,
            () = until(next) => {
                next = next.map(|at| at + pause);
                let taps = tapper.next();
                if taps.is_empty() {
                    continue;
                }
                outcome.messages += 1;
                taps.iter().for_each(|(kind, count)| *outcome.sent.entry((*kind).to_owned()).or_default() += count);
                let taps: Vec<Value> = taps.into_iter().map(|(kind, count)| json!({ "kind": kind, "count": count })).collect();
                member.wire.say(&json!({ "type": "react", "taps": taps }).to_string()).await?;
            }
            changed = phase.changed() => {
                changed?;
                if is_settled {
                    break;
                }
                next = None;
                member.wire.say(&ping_of(LAST_PING)).await?;
            }
        }
    }
    stage.outcomes.lock().expect("nothing panics while it holds the outcomes").push(outcome);
    Ok(())
}

fn ping_of(id: u32) -> String {
    json!({ "type": "ping", "id": id, "client_time_ms": 1.0 }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tapper_owes_no_tap_for_long_and_no_kind_more_than_counts() {
        for share in [0.3, 8.33, 47.0, 160.0] {
            let mut tapper = Tapper { share, owed: 0.0, kind: 0 };
            let all: Vec<_> = (0..100).map(|_| tapper.next()).collect();
            let sum: u64 = all.iter().flatten().map(|(_, count)| count).sum();
            assert!((sum as f64 - share * 100.0).abs() <= 1.0, "{share}: {sum}");
            for taps in all {
                assert!(taps.iter().all(|(_, count)| (1..=u64::from(CROWD_TAPS_OF_ONE_MAX)).contains(count)));
                let mut kinds: Vec<_> = taps.iter().map(|(kind, _)| *kind).collect();
                kinds.sort_unstable();
                kinds.dedup();
                assert_eq!(kinds.len(), taps.len(), "each kind once");
            }
        }
    }
}
