//! How `ffmpeg` is run as a child: one thread, MP4 in by a pipe, what it makes out by another, nothing of our environment but the search path. It dies
//! with whoever holds it.
//!
//! [`Supervised`] keeps one running for as long as there is something to encode: it is fed over a bounded queue, watched, ended when it hangs,
//! and started again when it dies; the packager does not wait for it. What it encodes, and what comes out, is a [`Recipe`]'s business.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use metrics::counter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fmp4::{self, Sample};
use super::retry::Retry;
use super::track::LineFrame;
use crate::ids::BroadcastId;
use crate::limits::{HLS_ENCODER_PATIENCE, HLS_ENCODER_SILENCE, HLS_ENCODER_WORDS_MAX, HLS_SOUND_QUEUE};
use crate::telemetry::{HLS_ENCODER_DROPPED, HLS_ENCODER_ENDS};

/// Frames that jump by more than this are another line: the child is started again.
const LINE_JUMP_MS: f64 = 2000.0;

/// The program that encodes.
#[derive(Debug, Clone)]
pub struct EncoderCommand {
    /// A name that is looked up in `PATH`, or a path.
    pub program: Arc<str>,
}

/// A frame for a child.
#[derive(Debug, Clone)]
pub struct Fed {
    /// Which line: it counts those of one packager.
    pub line: u32,
    pub frame: LineFrame,
}

/// A permit for the children that make one broadcast's picture: those that run at the same time share it.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Semaphore>,
    held: Mutex<Weak<OwnedSemaphorePermit>>,
}

impl Place {
    pub(super) fn among(places: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { places, held: Mutex::new(Weak::new()) })
    }

    /// Held while a child runs.
    pub(super) fn take(&self) -> Result<Arc<OwnedSemaphorePermit>, TryAcquireError> {
        let mut held = self.held.lock().expect("never poisoned: no panic while held");
        if let Some(permit) = held.upgrade() {
            return Ok(permit);
        }
        let permit = Arc::new(Arc::clone(&self.places).try_acquire_owned()?);
        *held = Arc::downgrade(&permit);
        Ok(permit)
    }
}

/// What a child encodes.
pub(super) trait Recipe: Send + Sync + 'static {
    type Made: Send + 'static;

    /// For metrics.
    const LABEL: &'static str;
    /// For logs: who misses what while it is away.
    const MISSED: &'static str;

    /// Arguments before and behind the input. `first` is a key frame with its format.
    fn arguments(&self, first: &Fed) -> (Vec<String>, Vec<String>);

    /// Reads what comes out, until it ends. A child that says nothing for `HLS_ENCODER_SILENCE` hangs: one that is not fed has been ended by then.
    fn read(&self, output: ChildStdout, first: Fed, out: &mpsc::Sender<(u32, Self::Made)>) -> impl Future<Output = End> + Send;
}

/// Why a child ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("as many run as may")]
    Full,
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it died: {0}")]
    Died(String),
    #[error("it was fed and said nothing for {} s", HLS_ENCODER_SILENCE.as_secs())]
    Hung,
    #[error("it does not keep up")]
    Lags,
    #[error("what it wrote is not what was asked of it")]
    Malformed,
    #[error("nothing came for {} s", HLS_ENCODER_PATIENCE.as_secs())]
    Starved,
    /// The frames are on another line, or of another format.
    #[error("the source began anew")]
    Jumped(Box<Fed>),
    #[error("the packager is gone")]
    Unwanted,
}

impl End {
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Start(_) => "start",
            Self::Died(_) => "died",
            Self::Hung => "hung",
            Self::Lags => "lags",
            Self::Malformed => "malformed",
            Self::Starved => "starved",
            Self::Jumped(_) => "jumped",
            Self::Unwanted => "unwanted",
        }
    }
}

/// The packager's side of a child.
#[derive(Debug)]
pub(super) struct Supervised<Made> {
    frames: mpsc::Sender<Fed>,
    made: mpsc::Receiver<(u32, Made)>,
    /// A frame found no room: what follows makes no sense before the next key frame.
    awaits_key: bool,
    label: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<Made: Send + 'static> Supervised<Made> {
    /// `place`: a permit, without which no child runs; `None`: it needs none.
    pub(super) fn start<R: Recipe<Made = Made>>(
        broadcast: BroadcastId,
        command: EncoderCommand,
        recipe: R,
        place: Option<Arc<Place>>,
    ) -> Self {
        let (frames, queue) = mpsc::channel(HLS_SOUND_QUEUE);
        let (out, made) = mpsc::channel(HLS_SOUND_QUEUE);
        let stop = CancellationToken::new();
        let supervisor = Supervisor { broadcast, command, recipe, place, out };
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Cut off anywhere: a child that is dropped is killed.
            let _cut_off = stopped.run_until_cancelled_owned(supervisor.run(queue)).await;
        });
        Self { frames, made, awaits_key: false, label: R::LABEL, stop, task }
    }

    /// The next thing it made, with its line; never comes where there is no child.
    pub(super) async fn next(child: &mut Option<Self>) -> (u32, Made) {
        match child {
            Some(child) => match child.made.recv().await {
                Some(made) => made,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// What finds no room is dropped, and what builds on it: the packager does not wait.
    pub(super) fn feed(&mut self, frames: Vec<Fed>) {
        for frame in frames {
            let is_lost = self.awaits_key && !frame.frame.key || self.frames.try_send(frame).is_err();
            self.awaits_key = is_lost;
            if is_lost {
                counter!(HLS_ENCODER_DROPPED, "of" => self.label).increment(1);
            }
        }
    }

    /// Ends the child and waits for its end.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        drop(self.task.await);
    }
}

struct Supervisor<R: Recipe> {
    broadcast: BroadcastId,
    command: EncoderCommand,
    recipe: R,
    place: Option<Arc<Place>>,
    out: mpsc::Sender<(u32, R::Made)>,
}

impl<R: Recipe> Supervisor<R> {
    /// Keeps a child running while the packager lives.
    #[expect(clippy::disallowed_methods, reason = "a shell: it waits between attempts, and looks how long a child ran")]
    async fn run(self, mut queue: mpsc::Receiver<Fed>) {
        let mut retry = Retry::default();
        let mut first = None;
        loop {
            let frame = match first.take() {
                Some(frame) => frame,
                None => match queue.recv().await {
                    Some(frame) if frame.frame.key && frame.frame.format.is_some() => frame,
                    // It builds on what the last child was given.
                    Some(_) => continue,
                    None => return,
                },
            };
            let started = Instant::now();
            let end = self.encode(frame, &mut queue).await;
            counter!(HLS_ENCODER_ENDS, "of" => R::LABEL, "reason" => end.label()).increment(1);
            let pause = match end {
                End::Unwanted => return,
                // The next one begins with the source.
                End::Starved => continue,
                End::Jumped(frame) => {
                    first = Some(*frame).filter(|frame| frame.frame.key);
                    continue;
                }
                End::Full | End::Start(_) | End::Died(_) | End::Hung | End::Lags | End::Malformed => {
                    let (broadcast, program) = (self.broadcast, &*self.command.program);
                    let pause = retry.handle_end(Instant::now(), started);
                    tracing::warn!(%broadcast, program, of = R::LABEL, reason = %end, pause_s = pause.as_secs(), missed = R::MISSED, "the encoder ended");
                    pause
                }
            };
            // Old frames are worth nothing to the next one.
            let woken = sleep(pause);
            tokio::pin!(woken);
            loop {
                tokio::select! {
                    () = &mut woken => break,
                    frame = queue.recv() => if frame.is_none() { return },
                }
            }
        }
    }

    /// One child, from its start to its end.
    async fn encode(&self, first: Fed, queue: &mut mpsc::Receiver<Fed>) -> End {
        let Ok(_place) = self.place.as_ref().map(|place| place.take()).transpose() else { return End::Full };
        let (before, after) = self.recipe.arguments(&first);
        let spawned = spawn(&self.command.program, &texts(&before), &texts(&after));
        let (mut child, input, output) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => return End::Start(error),
        };
        let end = tokio::select! {
            end = feed(input, first.clone(), queue, HLS_ENCODER_PATIENCE) => end,
            end = self.recipe.read(output, first, &self.out) => end,
        };
        let words = last_words(&mut child).await;
        match end {
            End::Died(reason) => End::Died(format!("{reason}; {words}")),
            other => other,
        }
    }
}

pub(super) fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// So that it reads what comes as it comes.
pub(super) const AT_ONCE: [&str; 6] = ["-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "0"];

/// Begins one. `before` goes before its input and `after` behind it; the child keeps its standard error.
///
/// # Errors
/// When it cannot be started.
pub(super) fn spawn(program: &str, before: &[&str], after: &[&str]) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    spawn_with(program, before, after, Stdio::piped())
}

/// The same with another standard error.
pub(super) fn spawn_with(program: &str, before: &[&str], after: &[&str], errors: Stdio) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut child = Command::new(program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"])
        .args(before)
        .args(["-f", "mp4", "-i", "pipe:0"])
        .args(after)
        .arg("pipe:1")
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok((child, input, output)),
        _ => Err(io::Error::other("it has no standard streams")),
    }
}

/// Writes fragments of one frame each. A pipe that does not drain within `patience` is a child that hangs.
async fn feed(mut input: ChildStdin, first: Fed, queue: &mut mpsc::Receiver<Fed>, patience: Duration) -> End {
    let Some(format) = first.frame.format.clone() else { return End::Malformed };
    let jump_ticks = (LINE_JUMP_MS * f64::from(format.timescale()) / 1000.0) as i64;
    let base = first.frame.ticks;
    let mut sequence = 0;
    let mut bytes = BytesMut::from(&fmp4::init(&format)[..]);
    // Each frame lasts until the next one, so one is held.
    let mut held = first;
    loop {
        let next = match timeout(patience, queue.recv()).await {
            Ok(Some(next)) => next,
            Ok(None) => return End::Unwanted,
            Err(_) => return End::Starved,
        };
        let step = next.frame.ticks - held.frame.ticks;
        let is_other = next.frame.format.as_ref().is_some_and(|other| **other != *format);
        if next.line != held.line || step.abs() > jump_ticks || is_other {
            return End::Jumped(Box::new(next));
        }
        if step <= 0 {
            // A clock that was put right: what overlaps is left out.
            continue;
        }
        sequence += 1;
        let sample = Sample { duration: step as u32, key: held.frame.key, data: held.frame.data };
        bytes.extend_from_slice(&fmp4::fragment(sequence, (held.frame.ticks - base) as u64, &[sample]));
        held = next;
        match timeout(patience, input.write_all(&bytes)).await {
            Ok(Ok(())) => bytes.clear(),
            Ok(Err(error)) => return End::Died(error.to_string()),
            Err(_) => return End::Hung,
        }
    }
}

/// Reads what there is of a child's output behind `bytes`.
pub(super) async fn read_more(output: &mut ChildStdout, bytes: &mut BytesMut) -> Result<(), End> {
    match timeout(HLS_ENCODER_SILENCE, output.read_buf(bytes)).await {
        Ok(Ok(0)) => Err(End::Died("it closed its output".to_owned())),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(End::Died(error.to_string())),
        Err(_) => Err(End::Hung),
    }
}

/// What it wrote on standard error, and how it ended. It is killed if it has not.
async fn last_words(child: &mut Child) -> String {
    let errors = child.stderr.take();
    last_words_of(child, errors).await
}

/// The same where its standard error goes elsewhere.
pub(super) async fn last_words_of(child: &mut Child, errors: Option<impl AsyncRead + Unpin>) -> String {
    /// A child that was told to end is given this long to say why it already had.
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut words = Vec::new();
    if let Some(errors) = errors {
        // A child that goes on talking is cut off; what it said so far is enough.
        drop(timeout(PATIENCE, errors.take(HLS_ENCODER_WORDS_MAX as u64).read_to_end(&mut words)).await);
    }
    let status = match child.try_wait() {
        Ok(Some(status)) => status.to_string(),
        Ok(None) | Err(_) => "killed".to_owned(),
    };
    if let Err(error) = child.kill().await {
        tracing::debug!(%error, "the encoder was gone already");
    }
    format!("{status}: {}", String::from_utf8_lossy(&words).trim())
}

#[expect(clippy::disallowed_methods, reason = "the shell stamps what it hands to the core")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::hls_fallback::format::Format;

    #[tokio::test]
    async fn a_child_is_not_blamed_for_the_silence_of_its_publisher() {
        let (_child, input, _) = spawn("cat", &[], &[]).expect("it is on every machine");
        let (frames, mut queue) = mpsc::channel(1);
        let frame = LineFrame { ticks: 0, key: true, data: Bytes::new(), format: Some(Arc::new(Format::Opus)), received: now() };
        let end = feed(input, Fed { line: 1, frame }, &mut queue, Duration::from_millis(1)).await;
        assert!(matches!(end, End::Starved), "{end}");
        drop(frames);
    }
}
