//! The link relay's command line; everything else is in `courtside::linksim`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use courtside::limits::{LINKSIM_FLOW_IDLE, LINKSIM_FLOWS_MAX, WORKERS_MAX};
use courtside::linksim::model::Path;
use courtside::linksim::script::{Direction, Script, Step, parse_steps};
use courtside::linksim::spec::Settings;
use courtside::linksim::{DirectionCounts, Relay, RelayOptions, Snapshot, run};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
SETTINGS are words separated by spaces or commas; what is not named is as if the relay were not there:
  latency=20ms          one way
  jitter=5ms            up to this much more; order is kept
  rate=3M               bottleneck, bits per second (600k, 2.5M, none)
  queue=300ms           what would wait longer at the bottleneck is dropped
  loss=2%               each packet on its own (none: no loss)
  bursts=2%/30%/70%     chance to enter a bad time, chance to leave it, loss inside it (Gilbert-Elliott)
  reorder=1%            packets that are overtaken
  cut=yes               nothing passes

EXAMPLES
  A server with two workers behind the relay; browsers open http://127.0.0.1:7880 as usual:
    courtside serve --media-port 7900 --workers 2 --advertise 127.0.0.1:7950 --open-publish
    courtside-linksim --listen 127.0.0.1:7950 --to 127.0.0.1:7900 --ports 2 --both latency=20ms --down \"rate=3M loss=2%\"

  A way that narrows after 10 s and is free again after 30 s:
    courtside-linksim --to 127.0.0.1:7900 --down rate=3M --step \"at=10s down rate=600k\" --step \"at=30s down rate=3M\"

  Stalls of 300 ms every 5 s, as Wi-Fi has them, counted every second as JSON:
    courtside-linksim --to 127.0.0.1:7900 --step \"at=4.7s cut=yes\" --repeat 5s --report 1s --json

Counts are printed at the end and on SIGUSR1. The relay carries UDP only: pages and signaling go straight to the server.";

/// A bad network on purpose: a UDP relay with latency, loss, a bottleneck and a script, between real clients and a server.
#[derive(Debug, Parser)]
#[command(name = "courtside-linksim", version, after_help = EXAMPLES)]
struct Arguments {
    /// Where clients send to; with --ports the first of several ports in a row.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7950")]
    listen: SocketAddr,
    /// The server's (first) media port.
    #[arg(long, value_name = "ADDR:PORT")]
    to: SocketAddr,
    /// Ports in a row, one for each worker of the server.
    #[arg(long, value_name = "N", default_value_t = 1)]
    ports: u16,
    /// The way from clients to the server.
    #[arg(long, value_name = "SETTINGS", default_value = "", hide_default_value = true)]
    up: Settings,
    /// The way from the server to clients.
    #[arg(long, value_name = "SETTINGS", default_value = "", hide_default_value = true)]
    down: Settings,
    /// Both ways; --up and --down add to it.
    #[arg(long, value_name = "SETTINGS", default_value = "", hide_default_value = true)]
    both: Settings,
    /// A change by the clock: "at=TIME [up|down] SETTINGS". May be repeated.
    #[arg(long, value_name = "STEP")]
    step: Vec<Step>,
    /// A file of such steps, one a line; # begins a comment.
    #[arg(long, value_name = "FILE")]
    steps: Option<PathBuf>,
    /// Begin the steps again after this long.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    repeat: Option<Duration>,
    /// All clients share one link each way. Otherwise each has its own.
    #[arg(long)]
    shared: bool,
    /// The same seed, the same luck.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Clients at once.
    #[arg(long, value_name = "N", default_value_t = LINKSIM_FLOWS_MAX)]
    flows: usize,
    /// A client that is silent for this long is forgotten.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    idle: Option<Duration>,
    /// End after this long. Otherwise at Ctrl-C or SIGTERM.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    /// Print the counts this often.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    report: Option<Duration>,
    /// Counts as one JSON object a line.
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    courtside::linksim::spec::duration(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "it must be a time such as 20ms, 1.5s or 2m".to_owned())
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match start(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("courtside-linksim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let options = options(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(relay(arguments, &options))
}

fn options(arguments: &Arguments) -> anyhow::Result<RelayOptions> {
    ensure!((1..=WORKERS_MAX as u16).contains(&arguments.ports), "--ports: between 1 and {WORKERS_MAX}");
    for address in [arguments.listen, arguments.to] {
        ensure!(address.port().checked_add(arguments.ports - 1).is_some(), "{address}: there are no {} ports from there", arguments.ports);
    }
    ensure!(arguments.to.port() != 0, "--to: which port?");
    ensure!(arguments.listen.port() != 0 || arguments.ports == 1, "--listen: any free port goes with one port only");
    let mut steps = match &arguments.steps {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            parse_steps(&text).with_context(|| file.display().to_string())?
        }
        None => Vec::new(),
    };
    steps.extend_from_slice(&arguments.step);
    let script = |own: &Settings, direction| {
        let path = own.apply(arguments.both.apply(Path::CLEAR));
        Script::new(path, direction, &steps, arguments.repeat)
    };
    Ok(RelayOptions {
        listen: arguments.listen,
        to: arguments.to,
        ports: arguments.ports,
        up: script(&arguments.up, Direction::Up)?,
        down: script(&arguments.down, Direction::Down)?,
        shared: arguments.shared,
        flows_max: arguments.flows,
        idle: arguments.idle.unwrap_or(LINKSIM_FLOW_IDLE),
        seed: arguments.seed,
    })
}

async fn relay(arguments: &Arguments, options: &RelayOptions) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut asked = signal(SignalKind::user_defined1())?;
    let relay: Relay = run(options).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    eprintln!("relaying {} to {} ({} ports)", relay.listening()[0], options.to, options.ports);
    // Without an interval or an end: never, by a day that is too long to matter.
    let never = Duration::from_secs(10 * 365 * 86_400);
    let mut reports = tokio::time::interval(arguments.report.unwrap_or(never));
    reports.tick().await;
    let end = tokio::time::sleep_until(tokio::time::Instant::now() + arguments.lasts.unwrap_or(never));
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = terminate.recv() => break,
            () = &mut end => break,
            _ = asked.recv() => print(&relay.snapshot(), arguments.json),
            _ = reports.tick() => print(&relay.snapshot(), arguments.json),
        }
    }
    print(&relay.stop().await, arguments.json);
    Ok(())
}

fn print(snapshot: &Snapshot, as_json: bool) {
    if as_json {
        // Numbers only: it cannot fail.
        println!("{}", serde_json::to_string(snapshot).unwrap_or_default());
        return;
    }
    let Snapshot { elapsed_s, flows, flows_total, flows_refused, up, down } = snapshot;
    println!("after {elapsed_s:.1} s: {flows} clients ({flows_total} in all, {flows_refused} refused)");
    println!("        packets        bytes     lost  overflowed  delay mean / p95 / max");
    for (name, way) in [("up", up), ("down", down)] {
        let DirectionCounts { packets, bytes, lost, overflowed, delay_mean_ms, delay_p95_ms, delay_max_ms } = way;
        println!(
            "  {name:<4} {packets:>8} {bytes:>12} {lost:>8} {overflowed:>11}  {delay_mean_ms:.1} / {delay_p95_ms:.0} / {delay_max_ms:.1} ms"
        );
    }
}
