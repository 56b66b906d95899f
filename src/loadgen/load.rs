//! A run: publishers come on air, then each number of viewers (or of calls) joins, is measured, and leaves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::floor::{self, Floor, Pace};
use super::link::Identity;
use super::options::{LoadOptions, Publish, Speaks};
use super::report::{Figure, Measured, in_floors, print, report};
use super::signaling::{Server, ServerOptions};
use super::socket::Conditions;
use super::source::{self, Film, Source};
use super::tally::Tally;
use super::{call, clock, publisher, viewer, villain};
use crate::limits::LOADGEN_SETTLE;

/// CPU time that one floor is measured for: long enough that its noise is a few per cent.
const FLOOR_CPU: Duration = Duration::from_secs(2);
/// Time that the floor at the pace of a broadcast is measured for.
const PACED_FLOOR: Duration = Duration::from_secs(5);
/// The number of viewers for which the server's cost in floors is a gate.
const FLOORS_GATE_VIEWERS: usize = 300;

/// Runs what the options ask for and prints the figures. Builds its own runtime. Exits with an error when no viewer got media.
///
/// # Errors
/// Bad options, an unreachable server, too few files to open.
pub fn run(options: &LoadOptions) -> anyhow::Result<()> {
    options.check()?;
    let mut counts = if options.calls.is_empty() { options.viewers.clone() } else { options.calls.clone() };
    counts.sort_unstable();
    let mut missed = 0;
    if options.publish.is_some() || !options.floor {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads.max(1)).enable_all().build()?;
        missed += runtime.block_on(load(options, &counts))?;
    } else {
        for &count in &counts {
            print(&measure_floor(options, count)?, options.json);
        }
    }
    ensure!(missed == 0, "{missed} gates are not met");
    Ok(())
}

/// One figure for each length of run.
fn measure_floor(options: &LoadOptions, viewers: usize) -> anyhow::Result<Vec<Figure>> {
    let of_a_frame = [source::packets_per_frame(options.packets_per_second)];
    let runs = if options.run.is_empty() { &of_a_frame[..] } else { &options.run };
    let mut figures = Vec::new();
    for &run in runs {
        let paces = [
            ("tight_floor_cpu_per_packet", "a tight loop", Pace::Tight(FLOOR_CPU)),
            ("floor_cpu_per_packet", "30 rounds a second to sleeping receivers", Pace::Broadcast(PACED_FLOOR)),
        ];
        for (name, how, pace) in paces {
            let Floor { viewers, run, ns_per_packet, packets } = floor::measure(viewers, run, pace, options.floor_cpu)?;
            let conditions = format!("{viewers} viewers, runs of {run}, {how}, 1100-byte payloads, loopback, {packets} packets");
            figures.push(Figure { name, value: ns_per_packet, unit: "ns", aim: None, gate: false, conditions });
        }
    }
    Ok(figures)
}

/// What all clients of a run share.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) identity: Identity,
    pub(super) broadcasts: Vec<String>,
    audio: bool,
    sink: bool,
    timeline: bool,
}

/// Publishes if asked, then measures each number of viewers and prints its figures. Returns how many gates were missed.
async fn load(options: &LoadOptions, counts: &[usize]) -> anyhow::Result<usize> {
    let server = Server::new(&ServerOptions {
        url: options.url.clone(),
        whip: options.whip.clone(),
        whep: options.whep.clone(),
        token: options.token.clone(),
        janus: options.server == Speaks::Janus,
        anywhere: options.i_know,
    })?;
    let stage = Arc::new(Stage {
        server,
        identity: Identity::generate()?,
        broadcasts: options.names(),
        audio: options.audio,
        sink: options.sink,
        timeline: options.timeline.is_some(),
    });
    let stop = CancellationToken::new();
    let mut publishers = JoinSet::new();
    if let Some(publish) = &options.publish {
        let source = Arc::new(source(options, publish)?);
        for number in 0..stage.broadcasts.len() {
            go_live(&stage, number, &source, &mut publishers, &stop).await?;
        }
    }
    // Before the first viewer: later rounds reuse memory that earlier ones gave back, so theirs is counted from here too.
    let empty_rss = options.server_pid.map_or(0, clock::process_rss);
    let mut missed = 0;
    for &count in counts {
        let mut figures = match options.calls.is_empty() {
            true => round(options, count, &stage, empty_rss).await?,
            false => call::round(options, count, &stage, empty_rss).await?,
        };
        if options.floor {
            // Off this runtime: it has one of its own.
            let owned = options.clone();
            let floors =
                tokio::task::spawn_blocking(move || measure_floor(&owned, count)).await.context("measuring the floor panicked")??;
            figures.extend(floors);
            // The gate is judged where floor and server work under the same circumstances: the same runs at the same pace to receivers that
            // sleep in between. The tight loop has warm caches and wakes nobody; it is shown beside.
            let paced = in_floors(&figures, "server_cpu_in_floors", "floor_cpu_per_packet", count == FLOORS_GATE_VIEWERS);
            let tight = in_floors(&figures, "server_cpu_in_tight_floors", "tight_floor_cpu_per_packet", false);
            figures.extend(paced.into_iter().chain(tight));
        }
        missed += figures.iter().filter(|figure| figure.gate && figure.met() == Some(false)).count();
        print(&figures, options.json);
    }
    stop.cancel();
    while let Some(ended) = publishers.join_next().await {
        if let Err(error) = ended.context("a publisher panicked")? {
            eprintln!("a publisher failed: {error:#}");
        }
    }
    Ok(missed)
}

fn source(options: &LoadOptions, publish: &Publish) -> anyhow::Result<Source> {
    Ok(match publish {
        Publish::Synthetic => Source::Synthetic(source::Rate {
            layers: options.layers,
            packets_per_second: options.packets_per_second,
            has_sound: options.audio || !options.calls.is_empty(),
        }),
        Publish::File(video) => Source::Film(Film::read(video, options.sound.as_deref(), options.frames_per_second)?),
    })
}

/// One publisher; returns when its media has flowed for a second.
async fn go_live(
    stage: &Arc<Stage>,
    number: usize,
    source: &Arc<Source>,
    publishers: &mut JoinSet<anyhow::Result<()>>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let ready = CancellationToken::new();
    let (stage, source, started, stop) = (stage.clone(), source.clone(), ready.clone(), stop.clone());
    publishers.spawn(async move {
        let broadcast = &stage.broadcasts[number];
        publisher::publish(&stage.server, &stage.identity, broadcast, &source, &started, &stop).await
    });
    tokio::select! {
        () = ready.cancelled() => Ok(()),
        Some(ended) = publishers.join_next() => {
            ended.context("a publisher panicked")?.context("publishing")?;
            anyhow::bail!("a publisher stopped before it began");
        }
    }
}

/// The viewers of a round.
pub(super) struct Audience {
    stage: Arc<Stage>,
    tally: Arc<Tally>,
    conditions: Option<Arc<Conditions>>,
    tasks: JoinSet<()>,
    /// How to make each leave, the one who came first at the front.
    present: VecDeque<CancellationToken>,
    came: u64,
}

impl Audience {
    fn enter(&mut self) {
        let (number, leave) = (self.came, CancellationToken::new());
        self.came += 1;
        self.present.push_back(leave.clone());
        let (stage, tally, conditions) = (self.stage.clone(), self.tally.clone(), self.conditions.clone());
        self.tasks.spawn(async move {
            let broadcast = &stage.broadcasts[number as usize % stage.broadcasts.len()];
            let seat = viewer::Seat {
                server: &stage.server,
                identity: &stage.identity,
                tally: &tally,
                broadcast,
                audio: stage.audio,
                sink: stage.sink,
                timeline: stage.timeline,
                conditions: conditions.as_deref(),
                number,
            };
            viewer::watch(&seat, &leave).await;
        });
        // Those who have left are not kept.
        while self.tasks.try_join_next().is_some() {}
    }

    /// As many come as go, evenly, until `end`.
    async fn churn(&mut self, per_second: f64, end: Instant) {
        let begin = clock::now();
        for change in 1_u32.. {
            let due = begin + Duration::from_secs_f64(f64::from(change) / per_second);
            if due >= end {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            if let Some(leave) = self.present.pop_front() {
                leave.cancel();
            }
            self.enter();
        }
        tokio::time::sleep_until(end.into()).await;
    }

    async fn leave(mut self) {
        self.present.iter().for_each(CancellationToken::cancel);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// One number of viewers: join, settle, measure, leave.
async fn round(options: &LoadOptions, count: usize, stage: &Arc<Stage>, empty_rss: u64) -> anyhow::Result<Vec<Figure>> {
    let tally = Arc::new(Tally::new());
    let first = clock::now();
    let conditions = options.conditions(first)?.map(Arc::new);
    let (stage, present) = (stage.clone(), VecDeque::new());
    let mut audience = Audience { stage, tally: tally.clone(), conditions, tasks: JoinSet::new(), present, came: 0 };
    for number in 0..count {
        tokio::time::sleep_until((first + Duration::from_secs_f64(number as f64 / options.ramp.per_second())).into()).await;
        audience.enter();
    }
    let villains = villains(options, &audience);
    tokio::time::sleep_until((clock::now() + LOADGEN_SETTLE).into()).await;
    let measured = measure(options, &tally, empty_rss, Some(&mut audience)).await;
    villains.leave().await;
    audience.leave().await;
    report(options, (&format!("{count} viewers of"), count), &tally, &measured, Vec::new())
}

/// Those who mean no good.
struct Villains {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Villains {
    async fn leave(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn villains(options: &LoadOptions, audience: &Audience) -> Villains {
    let mut villains = Villains { tasks: JoinSet::new(), stop: CancellationToken::new() };
    let Some(attack) = options.attack else { return villains };
    for number in 0..options.villains {
        let (stage, stop, rate) = (audience.stage.clone(), villains.stop.clone(), options.attack_rate.per_second());
        // Its media counts for nobody.
        let tally = Tally::new();
        villains.tasks.spawn(async move {
            let seat = viewer::Seat {
                server: &stage.server,
                identity: &stage.identity,
                tally: &tally,
                broadcast: &stage.broadcasts[number % stage.broadcasts.len()],
                audio: false,
                sink: false,
                timeline: false,
                conditions: None,
                number: 0,
            };
            villain::attack(&seat, attack, rate, &stop).await;
        });
    }
    villains
}

/// The measured seconds, in which those of `audience` come and go if that is asked for.
pub(super) async fn measure(options: &LoadOptions, tally: &Tally, empty_rss: u64, audience: Option<&mut Audience>) -> Measured {
    let cpu = |pid: Option<u32>| pid.map_or(Duration::ZERO, clock::process_cpu);
    tally.begin_measurement();
    let (from, started) = (tally.moment(), clock::now());
    let (server_before, own_before) = (cpu(options.server_pid), clock::own_cpu());
    let end = started + Duration::from_secs(options.seconds);
    match options.churn.zip(audience) {
        Some((churn, audience)) => audience.churn(churn.per_second(), end).await,
        None => tokio::time::sleep_until(end.into()).await,
    }
    let (server_cpu, own_cpu) = (cpu(options.server_pid).saturating_sub(server_before), clock::own_cpu().saturating_sub(own_before));
    let server_rss = options.server_pid.map_or(0, clock::process_rss);
    Measured { from, to: tally.moment(), elapsed: started.elapsed(), server_cpu, own_cpu, server_rss, empty_rss }
}
