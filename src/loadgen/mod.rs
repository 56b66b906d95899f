//! The load generator: many real viewers (ICE, DTLS, SRTP, feedback) cheaper than the server they load, and a synthetic publisher.
//!
//! ```text
//! signaling (WHIP, WHEP) -> link (ICE, DTLS, SRTP) -> viewer -> reception -> tally -> report
//!                                                  -> publisher            floor ->
//! ```
//! Not a browser: it decodes nothing and decrypts one packet in fifty. Shares no protocol code with the server, so that it can find
//! its mistakes. Invariant: nothing but loopback is contacted unless `--i-know` is given.

mod clock;
mod floor;
mod link;
mod publisher;
mod reception;
mod signaling;
mod tally;
mod viewer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::limits::{LOADGEN_SETTLE, LOADGEN_VIEWERS_MAX};
use floor::{Floor, Pace};
use link::Identity;
use publisher::Rate;
use signaling::Server;
use tally::{Moment, Tally, quantile};

/// What the load generator can be told.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "loadgen", about = "Loads a Courtside server with real WebRTC viewers")]
pub struct LoadOptions {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:7880")]
    pub url: String,
    /// Slug of the broadcast.
    #[arg(long, default_value = "load")]
    pub broadcast: String,
    /// Bearer token for both publishing and viewing.
    #[arg(long, env = "COURTSIDE_LOAD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Publish a synthetic picture too; without it the broadcast must be live.
    #[arg(long, value_enum)]
    pub publish: Option<Publish>,
    /// Packets of 1100 bytes per second in the highest layer.
    #[arg(long, default_value_t = 300)]
    pub packets_per_second: u32,
    /// Simulcast layers of the synthetic picture: 1 or 3.
    #[arg(long, default_value_t = 1)]
    pub layers: usize,
    /// Viewers; several numbers are measured one after the other, in ascending order.
    #[arg(long, value_delimiter = ',', default_value = "100,300,1000")]
    pub viewers: Vec<usize>,
    /// Viewers that join per second, as `100/s` or `100`.
    #[arg(long, default_value = "100/s")]
    pub ramp: String,
    /// Seconds of measurement, after all have joined.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// The server's process, to measure its CPU time and memory.
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Measure the floor (seal and send alone) for this number of viewers: after the load with `--publish`, instead of it without.
    #[arg(long)]
    pub floor: bool,
    /// Packets of one send, for the floor; several measure several. Those of one frame when absent.
    #[arg(long, value_delimiter = ',')]
    pub run: Vec<usize>,
    /// Measure the floor on this CPU, the one the server was pinned to, so that both send from the same place.
    #[arg(long)]
    pub floor_cpu: Option<usize>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Allow a server on another machine.
    #[arg(long)]
    pub i_know: bool,
}

/// What to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Publish {
    /// H.264 to a forwarder, noise to a decoder.
    Synthetic,
}

/// CPU time that one floor is measured for: long enough that its noise is a few per cent.
const FLOOR_CPU: Duration = Duration::from_secs(2);
/// Time that the floor at the pace of a broadcast is measured for.
const PACED_FLOOR: Duration = Duration::from_secs(5);

/// Server CPU per packet, in floors: the issue's aim.
const FLOORS_AIM: f64 = 2.0;
/// The number of viewers for which that aim is a gate.
const FLOORS_GATE_VIEWERS: usize = 300;
/// Memory per viewer, bytes: aim and gate.
const MEMORY_AIM_BYTES: f64 = 65_536.0;

/// One figure.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// The largest value that counts as met.
    aim: Option<f64>,
    /// Whether the run fails when it is not met.
    gate: bool,
    conditions: String,
}

impl Figure {
    fn met(&self) -> Option<bool> {
        self.aim.map(|aim| self.value <= aim)
    }
}

/// Runs what the options ask for and prints the figures. Builds its own runtime. Exits with an error when no viewer got media.
///
/// # Errors
/// Bad options, an unreachable server, too few files to open.
pub fn run(options: &LoadOptions) -> anyhow::Result<()> {
    ensure!(!options.viewers.is_empty(), "some viewers");
    ensure!(options.viewers.iter().all(|count| (1..=LOADGEN_VIEWERS_MAX).contains(count)), "between 1 and {LOADGEN_VIEWERS_MAX} viewers");
    ensure!(matches!(options.layers, 1 | 3), "one layer or three");
    let mut counts = options.viewers.clone();
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
    let of_a_frame = [publisher::packets_per_frame(options.packets_per_second)];
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

fn per_second(ramp: &str) -> anyhow::Result<f64> {
    let number: f64 = ramp.trim_end_matches("/s").parse().with_context(|| format!("{ramp} is not a rate such as 100/s"))?;
    ensure!(number > 0.0 && number <= 10_000.0, "a rate between 0 and 10000 a second");
    Ok(number)
}

/// Publishes if asked, then measures each number of viewers and prints its figures. Returns how many gates were missed.
async fn load(options: &LoadOptions, counts: &[usize]) -> anyhow::Result<usize> {
    let server = Arc::new(Server::new(&options.url, &options.broadcast, options.token.clone(), options.i_know)?);
    let identity = Arc::new(Identity::generate()?);
    let stop = CancellationToken::new();
    let mut publisher = JoinSet::new();
    if options.publish.is_some() {
        let rate = Rate { layers: options.layers, packets_per_second: options.packets_per_second };
        let ready = CancellationToken::new();
        let (server, identity, started, stop) = (server.clone(), identity.clone(), ready.clone(), stop.clone());
        publisher.spawn(async move { publisher::publish(&server, &identity, rate, &started, &stop).await });
        tokio::select! {
            () = ready.cancelled() => {}
            Some(ended) = publisher.join_next() => {
                ended.context("the publisher panicked")?.context("publishing")?;
                anyhow::bail!("the publisher stopped before it began");
            }
        }
    }
    // Before the first viewer: later rounds reuse memory that earlier ones gave back, so theirs is counted from here too.
    let empty_rss = options.server_pid.map_or(0, clock::process_rss);
    let mut missed = 0;
    for &count in counts {
        let mut figures = round(options, count, &server, &identity, empty_rss).await?;
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
    while let Some(ended) = publisher.join_next().await {
        if let Err(error) = ended.context("the publisher panicked")? {
            eprintln!("the publisher failed: {error:#}");
        }
    }
    Ok(missed)
}

/// One number of viewers: join, settle, measure, leave.
async fn round(
    options: &LoadOptions,
    count: usize,
    server: &Arc<Server>,
    identity: &Arc<Identity>,
    empty_rss: u64,
) -> anyhow::Result<Vec<Figure>> {
    let tally = Arc::new(Tally::new());
    let ramp = per_second(&options.ramp)?;
    let stop = CancellationToken::new();
    let mut viewers = JoinSet::new();
    let first = clock::now();
    for number in 0..count {
        tokio::time::sleep_until((first + Duration::from_secs_f64(number as f64 / ramp)).into()).await;
        let (server, identity, tally, stop) = (server.clone(), identity.clone(), tally.clone(), stop.clone());
        viewers.spawn(async move { viewer::watch(&server, &identity, &tally, &stop).await });
    }
    wait(LOADGEN_SETTLE).await;
    let measured = measure(options, &tally, empty_rss).await;
    stop.cancel();
    while viewers.join_next().await.is_some() {}
    report(options, count, &tally, &measured)
}

/// The server's CPU per packet as a multiple of the floor, where both are known.
fn in_floors(figures: &[Figure], name: &'static str, floor: &str, gate: bool) -> Option<Figure> {
    let of = |name: &str| figures.iter().find(|figure| figure.name == name);
    let (server, floor) = (of("server_cpu_per_packet")?, of(floor)?);
    Some(Figure {
        name,
        value: server.value / floor.value.max(1.0),
        unit: "x",
        aim: Some(FLOORS_AIM),
        gate,
        conditions: server.conditions.clone(),
    })
}

/// What the measured seconds gave.
struct Measured {
    from: Moment,
    to: Moment,
    elapsed: Duration,
    server_cpu: Duration,
    own_cpu: Duration,
    server_rss: u64,
    empty_rss: u64,
}

async fn measure(options: &LoadOptions, tally: &Tally, empty_rss: u64) -> Measured {
    let cpu = |pid: Option<u32>| pid.map_or(Duration::ZERO, clock::process_cpu);
    tally.begin_measurement();
    let (from, started) = (tally.moment(), clock::now());
    let (server_before, own_before) = (cpu(options.server_pid), clock::own_cpu());
    wait(Duration::from_secs(options.seconds)).await;
    let (server_cpu, own_cpu) = (cpu(options.server_pid).saturating_sub(server_before), clock::own_cpu().saturating_sub(own_before));
    let server_rss = options.server_pid.map_or(0, clock::process_rss);
    Measured { from, to: tally.moment(), elapsed: started.elapsed(), server_cpu, own_cpu, server_rss, empty_rss }
}

#[expect(clippy::disallowed_methods, reason = "a measurement lasts as long as it lasts")]
async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn report(options: &LoadOptions, count: usize, tally: &Tally, measured: &Measured) -> anyhow::Result<Vec<Figure>> {
    let findings = tally.findings();
    let now = measured.to;
    if let Some(failure) = &findings.first_failure {
        eprintln!("{} viewers failed; the first: {failure}", now.failed);
    }
    ensure!(!findings.joins.is_empty(), "no viewer received media ({} connected, {} failed)", now.connected, now.failed);
    let conditions = format!(
        "{} viewers, {} packets/s in the top layer, {} layers, {} s, ramp {}, loopback",
        count, options.packets_per_second, options.layers, options.seconds, options.ramp
    );
    let packets = now.packets - measured.from.packets;
    let mut figures = Vec::new();
    let mut add =
        |name, value: f64, unit| figures.push(Figure { name, value, unit, aim: None, gate: false, conditions: conditions.clone() });
    add("viewers_connected", now.connected as f64, "viewers");
    add("viewers_with_media", now.joined as f64, "viewers");
    add("viewers_failed", now.failed as f64, "viewers");
    for (name, share) in [("join_p50", 0.5), ("join_p95", 0.95)] {
        add(name, quantile(&findings.joins, share).unwrap_or_default().as_secs_f64() * 1e3, "ms");
    }
    add("packets_received", packets as f64, "packets");
    add("packets_per_second", packets as f64 / measured.elapsed.as_secs_f64(), "packets/s");
    add("megabits_per_second", (now.bytes - measured.from.bytes) as f64 * 8e-6 / measured.elapsed.as_secs_f64(), "Mbit/s");
    add("packets_lost", findings.streams.lost as f64, "packets");
    add("packets_duplicated", findings.streams.duplicated as f64, "packets");
    add("retransmissions_received", now.retransmissions as f64, "packets");
    add("packets_of_unknown_ssrc", now.strangers as f64, "packets");
    add("packets_decrypted", now.decrypted as f64, "packets");
    add("decrypt_failures", now.not_decrypted as f64, "packets");
    for (name, share) in [("forward_latency_p50", 0.5), ("forward_latency_p99", 0.99)] {
        if let Some(ns) = quantile(&findings.latencies_ns, share) {
            add(name, ns as f64 / 1e3, "us");
        }
    }
    add("loadgen_cpu_per_packet", measured.own_cpu.as_nanos() as f64 / packets.max(1) as f64, "ns");
    if options.server_pid.is_some() {
        add("server_cpu_per_packet", measured.server_cpu.as_nanos() as f64 / packets.max(1) as f64, "ns");
        add("server_cores", measured.server_cpu.as_secs_f64() / measured.elapsed.as_secs_f64(), "cores");
        let grown = measured.server_rss.saturating_sub(measured.empty_rss);
        add("server_memory", measured.server_rss as f64, "bytes");
        figures.push(Figure {
            name: "server_memory_per_viewer",
            value: grown as f64 / now.connected.max(1) as f64,
            unit: "bytes",
            aim: Some(MEMORY_AIM_BYTES),
            gate: true,
            conditions,
        });
    }
    Ok(figures)
}

fn print(figures: &[Figure], as_json: bool) {
    if !as_json && let Some(first) = figures.first() {
        println!("{}", first.conditions);
    }
    for figure in figures {
        let value = (figure.value * 1000.0).round() / 1000.0;
        let Figure { name, unit, aim, gate, conditions, .. } = figure;
        let met = figure.met();
        if as_json {
            println!(
                "{}",
                json!({ "name": name, "value": value, "unit": unit, "aim": aim, "met": met, "gate": gate, "conditions": conditions })
            );
        } else {
            let verdict = match (aim, met) {
                (Some(aim), Some(true)) => format!("  (aim {aim}: met)"),
                (Some(aim), _) => format!("  (aim {aim}: missed)"),
                (None, _) => String::new(),
            };
            println!("  {name:<28} {value:>14} {unit}{verdict}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &'static str, value: f64) -> Figure {
        Figure { name, value, unit: "ns", aim: None, gate: false, conditions: String::new() }
    }

    #[test]
    fn a_server_is_judged_in_floors() {
        let figures = [figure("server_cpu_per_packet", 900.0), figure("floor_cpu_per_packet", 400.0)];
        let judged = in_floors(&figures, "server_cpu_in_floors", "floor_cpu_per_packet", true).expect("both are known");
        assert_eq!((judged.gate, judged.met()), (true, Some(false)));
        assert!(in_floors(&figures[..1], "server_cpu_in_floors", "floor_cpu_per_packet", true).is_none());
    }

    #[test]
    fn ramps_are_rates() {
        assert!((per_second("100/s").expect("a rate") - 100.0).abs() < f64::EPSILON);
        assert!((per_second("7.5").expect("a rate") - 7.5).abs() < f64::EPSILON);
        assert!(per_second("0").is_err() && per_second("fast").is_err());
    }
}
