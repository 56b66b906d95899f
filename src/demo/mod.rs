//! `courtside demo`: a synthetic football match that is always on, published like any encoder's picture.
//!
//! ```text
//! choreography -> picture -> encode (once, ffmpeg) -> clip -> schedule -> publisher (WHIP, three layers and sound)
//!                    |                                                        |
//!                 barcode (frame counter in the picture)                   billing (title, teams, clock, poster)
//! ```
//!
//! The picture carries a machine-readable frame counter (see [`barcode`]) that counts from 0 to [`FRAMES`] - 1 and begins again,
//! and the sound has a tone every [`TONE_EVERY_FRAMES`] frames, the first with frame 0.
//!
//! Not a test source for the core's tests, which make their own packets. Invariant: a running demo draws and encodes nothing.

mod arena;
pub mod barcode;
mod billing;
mod camera;
mod canvas;
mod choreography;
mod clip;
mod encode;
mod figure;
mod lettering;
mod picture;
mod publisher;
mod schedule;
mod sound;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use tokio_util::sync::CancellationToken;

use billing::Billing;
pub use choreography::{FRAME_RATE, FRAMES};
use clip::Clip;
use publisher::{Ended, Target};
pub use sound::TONE_EVERY_FRAMES;

use crate::limits::{DEMO_CONNECT_TIMEOUT, DEMO_RETRY};

/// What `courtside demo` can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Where to publish (WHIP). The last part of the path is the broadcast's slug.
    #[arg(long, env = "COURTSIDE_DEMO_WHIP_URL", default_value = "http://127.0.0.1:7880/whip/demo")]
    pub whip_url: String,
    /// Where the recorded match is kept.
    #[arg(long, env = "COURTSIDE_DATA_DIR", default_value = ".data")]
    pub data_dir: PathBuf,
    /// Bearer token with the publish grant. Without one the demo makes the broadcast itself, where the server lets it.
    #[arg(long, env = "COURTSIDE_DEMO_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Title of the broadcast.
    #[arg(long, env = "COURTSIDE_DEMO_TITLE", default_value = "Harbour League, matchday 14")]
    pub title: String,
    /// Record the match if need be, then exit without publishing.
    #[arg(long)]
    pub record_only: bool,
}

/// Records the match if need be, then publishes it until SIGTERM or ctrl-c, through every restart of the server.
///
/// # Errors
/// The address is not one, or the match cannot be recorded (no `ffmpeg`, disk full). A server that is away is not an error.
pub async fn run(options: DemoOptions) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let outcome = run_until(options, stop).await;
    signals.abort();
    outcome
}

/// As [`run`], until `stop` is cancelled.
///
/// # Errors
/// See [`run`].
pub async fn run_until(options: DemoOptions, stop: CancellationToken) -> anyhow::Result<()> {
    let whip_url = reqwest::Url::parse(&options.whip_url).with_context(|| format!("{} is not an address", options.whip_url))?;
    let data_dir = options.data_dir.clone();
    let reading = tokio::task::spawn_blocking(move || Clip::read(&encode::recording(&data_dir, &|line| println!("{line}"))?));
    let clip = tokio::select! {
        clip = reading => clip.context("reading the recording panicked")??,
        () = stop.cancelled() => return Ok(()),
    };
    if options.record_only {
        return Ok(());
    }
    let http = reqwest::Client::builder().timeout(DEMO_CONNECT_TIMEOUT).build().context("cannot set up HTTP")?;
    let mut demo = Demo::new(&options, whip_url, http)?;
    let mut failures = 0;
    while !stop.is_cancelled() {
        let started = tokio::time::Instant::now();
        let reason = match demo.session(&clip, &stop).await {
            Ok(Ended::Stopped) => break,
            Ok(Ended::Lost(reason)) => reason,
            Ok(Ended::Refused { status, text }) => {
                demo.refused(status);
                format!("the server refused ({status}): {}", text.trim())
            }
            Err(error) => format!("{error:#}"),
        };
        failures = if started.elapsed() > DEMO_CONNECT_TIMEOUT { 0 } else { failures + 1 };
        let pause = pause(failures, &mut rand::rng());
        if failures <= 1 || failures % 20 == 0 {
            println!("Demo: {reason}; connecting again.");
        }
        tracing::debug!(%reason, ?pause, "demo session over");
        tokio::select! {
            () = tokio::time::sleep_until(tokio::time::Instant::now() + pause) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

/// The pause before the attempt after `failures` failures in a row: doubling, capped, jittered downwards by up to half.
fn pause(failures: u32, rng: &mut impl Rng) -> Duration {
    let (first, longest) = DEMO_RETRY;
    let full = first.saturating_mul(1 << failures.min(10)).min(longest);
    full.mul_f64(rng.random_range(0.5..=1.0))
}

async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.cancel();
}

/// What lasts from one session to the next.
struct Demo {
    http: reqwest::Client,
    whip_url: reqwest::Url,
    origin: reqwest::Url,
    slug: String,
    title: String,
    token_file: PathBuf,
    /// Given by the operator: never replaced.
    fixed_token: Option<String>,
    token: Option<String>,
}

impl Demo {
    fn new(options: &DemoOptions, whip_url: reqwest::Url, http: reqwest::Client) -> anyhow::Result<Self> {
        let slug = whip_url.path_segments().and_then(|mut parts| parts.next_back()).filter(|slug| !slug.is_empty());
        let slug = slug.with_context(|| format!("{whip_url} names no broadcast"))?.to_owned();
        let origin = whip_url.join("/").context("the address has no origin")?;
        let token_file = options.data_dir.join("demo").join(format!("token-{slug}"));
        let token = options.token.clone().or_else(|| std::fs::read_to_string(&token_file).ok().map(|text| text.trim().to_owned()));
        Ok(Self { http, whip_url, origin, slug, title: options.title.clone(), token_file, fixed_token: options.token.clone(), token })
    }

    /// One session, from finding out who we are to the end of the connection.
    async fn session(&mut self, clip: &Clip, stop: &CancellationToken) -> anyhow::Result<Ended> {
        if self.token.is_none() {
            match billing::create(&self.http, &self.origin, &self.slug, &self.title).await {
                Ok(Some(token)) => self.keep(token),
                Ok(None) => tracing::info!(slug = %self.slug, "the broadcast exists already; publishing without its token"),
                Err(error) => tracing::debug!(%error, "the server did not make the broadcast; trying to publish all the same"),
            }
        }
        let billing = self.token.clone().map(|token| Billing::new(self.http.clone(), self.origin.clone(), self.slug.clone(), token));
        let target = Target { http: &self.http, whip_url: &self.whip_url, token: self.token.as_deref() };
        let tasks = tokio_util::task::TaskTracker::new();
        let (title, poster) = (self.title.clone(), clip.poster.clone());
        let ended = publisher::publish(target, clip, stop, |loops| {
            if loops == 0 {
                println!("The demo match is on: {}", self.slug);
            }
            if let Some(billing) = billing.clone() {
                tasks.spawn(tell(billing, loops, title.clone(), poster.clone()));
            }
        })
        .await;
        tasks.close();
        tasks.wait().await;
        ended
    }

    /// Remembers the token for the next run, readable by nobody else.
    fn keep(&mut self, token: String) {
        if let Err(error) = write_secret(&self.token_file, &token) {
            tracing::warn!(%error, "cannot keep the demo's token; the next run will not own its broadcast");
        }
        self.token = Some(token);
    }

    /// A token that the server does not take (another data directory, an ended broadcast) is forgotten.
    fn refused(&mut self, status: u16) {
        if matches!(status, 401 | 403 | 404 | 409 | 410) && self.fixed_token.is_none() {
            self.token = None;
        }
    }
}

/// Tells the server what a loop's beginning has to tell: everything the first time, the clock each time.
async fn tell(billing: Billing, loops: u32, title: String, poster: bytes::Bytes) {
    if loops == 0 {
        if let Err(error) = billing.announce(&title).await {
            tracing::debug!(%error, "announcing the demo");
        }
        if let Err(error) = billing.poster(poster).await {
            tracing::debug!(%error, "uploading the demo's poster");
        }
    }
    if let Err(error) = billing.start_clock().await {
        tracing::debug!(%error, "setting the demo's clock");
    }
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pauses_grow_to_their_cap_and_differ() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        assert!(pause(0, &mut rng) <= DEMO_RETRY.0);
        let long: Vec<Duration> = (0..8).map(|_| pause(30, &mut rng)).collect();
        assert!(long.iter().all(|&pause| pause <= DEMO_RETRY.1 && pause >= DEMO_RETRY.1 / 2));
        assert!(long.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
