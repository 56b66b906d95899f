//! The load generator's command line.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, ensure};

use super::socket::Conditions;
use super::villain::Attack;
use crate::limits::{CALL_VIDEO_MAX, LOADGEN_BROADCASTS_MAX, LOADGEN_CALLS_MAX, LOADGEN_VIEWERS_MAX};
use crate::linksim::model::Path;
use crate::linksim::script::{Direction, Script, Step};
use crate::linksim::spec::Settings;

const EXAMPLES: &str = "\
EXAMPLES
  A synthetic broadcast and 300 viewers of it, on this machine's Courtside, with the server's CPU time and memory:
    courtside-loadgen --publish synthetic --viewers 300 --server-pid $(pidof courtside)

  A film with sound, 50 viewers each on a line of its own that loses 5 % and narrows after 20 s, results as JSON:
    courtside-loadgen --publish match.h264 --sound match.ogg --viewers 50 --seconds 60 \\
      --down \"rate=3M latency=20ms loss=5%\" --up latency=20ms --step \"at=20s down rate=600k\" --json

  A thousand viewers of four broadcasts, of whom 20 a second leave and are replaced:
    courtside-loadgen --publish synthetic --broadcasts 4 --viewers 1000 --churn 20/s --seconds 600

  Ten calls of six friends on top of a match with three layers, five people coming a second:
    courtside-loadgen --publish synthetic --layers 3 --calls 10 --ramp 5/s --server-pid $(pidof courtside)

  Any other WHIP and WHEP server; {broadcast} stands for the name:
    courtside-loadgen --whip http://127.0.0.1:8889/{broadcast}/whip --whep http://127.0.0.1:8889/{broadcast}/whep --publish synthetic

  Files for --publish and --sound (no B frames):
    ffmpeg -i match.mp4 -an -c:v libx264 -profile:v baseline -g 60 -bsf:v h264_mp4toannexb -f h264 match.h264
    ffmpeg -i match.mp4 -vn -c:a libopus match.ogg

Settings of --up, --down and --step are those of courtside-linksim --help. Viewers do ICE, DTLS, SRTP, reports, transport
feedback and requests for lost packets as browsers do; they decode nothing and decrypt a sample. Joining counts from the
request to the first packet; a freeze is what Chromium counts as one; latency is from sending to receiving, on one clock.

Of calls one member has an account, which is made for it, and begins; the others are guests who follow its link. Joining a call
counts from asking until another member was seen (a key frame) and heard. Where the server is on loopback, each call comes from
an address of its own (127.16.0.1 and following), so that no limit per address is in the way.";

/// Loads a WebRTC server with publishers and thousands of real viewers, and says what they got.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "courtside-loadgen", version, after_help = EXAMPLES)]
pub struct LoadOptions {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:7880", help_heading = "Server")]
    pub url: String,
    /// The WHIP endpoint, when it is not URL/whip/{broadcast}.
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub whip: Option<String>,
    /// The WHEP endpoint, when it is not URL/whep/{broadcast}.
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub whep: Option<String>,
    /// What the server speaks.
    #[arg(long, value_enum, default_value_t = Speaks::Whip, help_heading = "Server")]
    pub server: Speaks,
    /// Bearer token for both publishing and viewing.
    #[arg(long, env = "COURTSIDE_LOAD_TOKEN", hide_env_values = true, help_heading = "Server")]
    pub token: Option<String>,
    /// The server's process, to measure its CPU time and memory.
    #[arg(long, value_name = "PID", help_heading = "Server")]
    pub server_pid: Option<u32>,
    /// Allow a server on another machine. Its owner should know.
    #[arg(long, help_heading = "Server")]
    pub i_know: bool,

    /// Slug of the broadcast; with --broadcasts, NAME-1, NAME-2, ...
    #[arg(long, value_name = "NAME", default_value = "load", help_heading = "Broadcasts")]
    pub broadcast: String,
    /// Broadcasts, each with a publisher of its own; the viewers spread over them.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Broadcasts")]
    pub broadcasts: usize,
    /// `synthetic`, or a file of H.264 in Annex B. Without it the broadcasts must be live.
    #[arg(long, value_name = "synthetic|FILE", help_heading = "Broadcasts")]
    pub publish: Option<Publish>,
    /// Sound for a published file: Ogg Opus.
    #[arg(long, value_name = "FILE", help_heading = "Broadcasts")]
    pub sound: Option<PathBuf>,
    /// Frames per second of a published file.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120), help_heading = "Broadcasts")]
    pub frames_per_second: u32,
    /// Packets of 1100 bytes per second in the highest layer of the synthetic picture.
    #[arg(long, value_name = "N", default_value_t = 300, help_heading = "Broadcasts")]
    pub packets_per_second: u32,
    /// Simulcast layers of the synthetic picture: 1 or 3.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Broadcasts")]
    pub layers: usize,

    /// Viewers; several numbers are measured one after the other, in ascending order.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "100,300,1000", help_heading = "Viewers")]
    pub viewers: Vec<usize>,
    /// Viewers (or members of calls) that join per second.
    #[arg(long, value_name = "N/s", default_value = "100/s", help_heading = "Viewers")]
    pub ramp: Rate,
    /// Viewers that leave per second while it is measured, each replaced by a new one.
    #[arg(long, value_name = "N/s", help_heading = "Viewers")]
    pub churn: Option<Rate>,
    /// Villains who are there while it is measured: each joins and then does this, beside the viewers.
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Viewers")]
    pub attack: Option<Attack>,
    /// How many villains.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Viewers")]
    pub villains: usize,
    /// What each does per second.
    #[arg(long, value_name = "N/s", default_value = "1000/s", help_heading = "Viewers")]
    pub attack_rate: Rate,
    /// Ask for sound too.
    #[arg(long, help_heading = "Viewers")]
    pub audio: bool,

    /// Calls on top of the broadcast instead of viewers; several numbers are measured one after the other, in ascending order.
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        conflicts_with_all = ["viewers", "churn", "attack", "audio", "floor", "sink", "timeline"],
        help_heading = "Calls"
    )]
    pub calls: Vec<usize>,
    /// Members of each call, all with camera and microphone. They come as --ramp says.
    #[arg(long, value_name = "N", default_value_t = 6, requires = "calls", help_heading = "Calls")]
    pub members: usize,

    /// Each viewer's way to the server.
    #[arg(long, value_name = "SETTINGS", help_heading = "Network of each viewer")]
    pub up: Option<Settings>,
    /// Each viewer's way from the server.
    #[arg(long, value_name = "SETTINGS", help_heading = "Network of each viewer")]
    pub down: Option<Settings>,
    /// A change by the clock, which starts with the first viewer: "at=TIME [up|down] SETTINGS". May be repeated.
    #[arg(long, value_name = "STEP", help_heading = "Network of each viewer")]
    pub step: Vec<Step>,
    /// The same seed, the same luck.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Network of each viewer")]
    pub seed: u64,

    /// Seconds of measurement, after all have joined.
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Measurement")]
    pub seconds: u64,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Measurement")]
    pub threads: usize,
    /// Measure the floor (seal and send alone) for this number of viewers: after the load with --publish, instead of it without. With
    /// the load, the server is judged by it and the command fails when a gate is missed.
    #[arg(long, help_heading = "Measurement")]
    pub floor: bool,
    /// Packets of one send, for the floor; several measure several. Those of one frame when absent.
    #[arg(long, value_name = "N,...", value_delimiter = ',', help_heading = "Measurement")]
    pub run: Vec<usize>,
    /// Measure the floor on this CPU, the one the server was pinned to, so that both send from the same place.
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    pub floor_cpu: Option<usize>,
    /// Viewers stop reading once they have joined: what they are sent ends in a full socket, and nobody is woken for it.
    #[arg(long, help_heading = "Measurement")]
    pub sink: bool,
    /// What each viewer received, in bits per second for each half second: one JSON object a line into this file.
    #[arg(long, value_name = "FILE", help_heading = "Measurement")]
    pub timeline: Option<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long, help_heading = "Measurement")]
    pub json: bool,
}

/// How clients come to their sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Speaks {
    /// WHIP (RFC 9725) and WHEP.
    Whip,
    /// Janus's VideoRoom over HTTP at URL/janus.
    Janus,
}

/// What to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publish {
    /// H.264 to a forwarder, noise to a decoder.
    Synthetic,
    File(PathBuf),
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "synthetic" => Ok(Self::Synthetic),
            path if std::path::Path::new(path).is_file() => Ok(Self::File(path.into())),
            path => Err(format!("{path} is neither `synthetic` nor a file")),
        }
    }
}

/// Events per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(f64);

impl Rate {
    pub(super) fn per_second(self) -> f64 {
        self.0
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    /// `100/s` or `100`.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let rate = text.trim_end_matches("/s").parse::<f64>().map(Self);
        rate.ok().filter(|rate| rate.0 > 0.0 && rate.0 <= 10_000.0).ok_or("a rate between 0 and 10000 a second, such as 100/s")
    }
}

impl LoadOptions {
    /// # Errors
    /// What goes beyond a bound, or does not go together.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.viewers.is_empty(), "--viewers: some");
        let is_bounded = self.viewers.iter().all(|count| (1..=LOADGEN_VIEWERS_MAX).contains(count));
        ensure!(is_bounded, "--viewers: between 1 and {LOADGEN_VIEWERS_MAX}");
        ensure!((1..=LOADGEN_BROADCASTS_MAX).contains(&self.broadcasts), "--broadcasts: between 1 and {LOADGEN_BROADCASTS_MAX}");
        ensure!(self.villains <= LOADGEN_VIEWERS_MAX, "--villains: at most {LOADGEN_VIEWERS_MAX}");
        let has_bounds = self.calls.iter().all(|count| (1..=LOADGEN_CALLS_MAX).contains(count));
        ensure!(has_bounds, "--calls: between 1 and {LOADGEN_CALLS_MAX}");
        ensure!((2..=CALL_VIDEO_MAX).contains(&self.members), "--members: between 2 and {CALL_VIDEO_MAX}");
        ensure!(self.server == Speaks::Whip || self.calls.is_empty(), "--calls: Janus has none");
        ensure!(matches!(self.layers, 1 | 3), "--layers: one or three");
        ensure!(self.sound.is_none() || matches!(self.publish, Some(Publish::File(_))), "--sound goes with a file to --publish");
        ensure!(self.server == Speaks::Whip || !self.audio, "--audio: Janus's viewers are measured without sound");
        Ok(())
    }

    /// The names of the broadcasts.
    pub(super) fn names(&self) -> Vec<String> {
        match self.broadcasts {
            1 => vec![self.broadcast.clone()],
            count => (1..=count).map(|number| format!("{}-{number}", self.broadcast)).collect(),
        }
    }

    /// The network of the viewers; `None` when they have the machine's own.
    pub(super) fn conditions(&self, start: std::time::Instant) -> anyhow::Result<Option<Conditions>> {
        if self.up.is_none() && self.down.is_none() && self.step.is_empty() {
            return Ok(None);
        }
        let script = |settings: &Option<Settings>, direction| {
            let path = settings.unwrap_or_default().apply(Path::CLEAR);
            Script::new(path, direction, &self.step, None).context("--step")
        };
        let (up, down) = (script(&self.up, Direction::Up)?, script(&self.down, Direction::Down)?);
        Ok(Some(Conditions { up, down, start, seed: self.seed }))
    }

    /// The network in words, for the conditions of a figure.
    pub(super) fn network(&self) -> String {
        let arguments: Vec<String> = std::env::args().collect();
        let given =
            arguments.iter().zip(arguments.iter().skip(1)).filter(|(name, _)| matches!(name.as_str(), "--up" | "--down" | "--step"));
        let words: Vec<String> = given.map(|(name, value)| format!("{} {value}", name.trim_start_matches('-'))).collect();
        if words.is_empty() { "this machine's network".to_owned() } else { words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn rates_are_rates() {
        assert_eq!("100/s".parse(), Ok(Rate(100.0)));
        assert_eq!("7.5".parse(), Ok(Rate(7.5)));
        assert!("0".parse::<Rate>().is_err() && "fast".parse::<Rate>().is_err());
        assert_eq!(Rate(100.0).to_string(), "100/s");
    }

    #[test]
    fn options_are_checked_together() {
        let parse = |arguments: &[&str]| LoadOptions::try_parse_from([&["loadgen"], arguments].concat());
        assert!(parse(&["--publish", "synthetic"]).expect("it parses").check().is_ok());
        assert!(parse(&["--publish", "/no/such/file"]).is_err());
        assert!(parse(&["--publish", "synthetic", "--sound", "x.ogg"]).expect("it parses").check().is_err());
        assert!(parse(&["--layers", "2"]).expect("it parses").check().is_err());
        assert!(parse(&["--down", "speed=1"]).is_err());
        assert!(parse(&["--calls", "10,20", "--members", "12"]).expect("it parses").check().is_ok());
        assert!(parse(&["--calls", "10", "--members", "13"]).expect("it parses").check().is_err());
        assert!(parse(&["--calls", "0"]).expect("it parses").check().is_err());
        assert!(parse(&["--calls", "10", "--viewers", "5"]).is_err() && parse(&["--members", "5"]).is_err());
        assert_eq!(parse(&["--broadcasts", "2"]).expect("it parses").names(), ["load-1", "load-2"]);
    }

    #[test]
    fn a_network_is_only_there_when_it_is_asked_for() {
        let parse = |arguments: &[&str]| LoadOptions::try_parse_from([&["loadgen"], arguments].concat()).expect("it parses");
        #[expect(clippy::disallowed_methods, reason = "an arbitrary start")]
        let now = std::time::Instant::now();
        assert!(parse(&[]).conditions(now).expect("they fit").is_none());
        let conditions = parse(&["--down", "loss=5%", "--step", "at=1s rate=1M"]).conditions(now).expect("they fit").expect("two settings");
        assert_eq!(conditions.down.path_at(std::time::Duration::from_secs(2)).rate_bps, Some(1_000_000));
    }
}
