//! AAC for players without Opus, made by a child: `ffmpeg` reads fragments of Opus and writes ADTS. The child is fed over a bounded queue,
//! watched, ended when it hangs, and started again when it dies; the rest of the packager does not wait for it.
//!
//! `aresample=async` keeps its samples true to the timestamps, so that frame `n` of a child is exactly 1024 `n` ticks behind its first one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use metrics::counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::child;
use super::fmp4::{self, Sample};
use super::format::Format;
use super::pipeline::SoundFrame;
use super::track::LineFrame;
use crate::ids::BroadcastId;
use crate::limits::{
    HLS_AAC_BPS, HLS_ENCODER_PATIENCE, HLS_ENCODER_PROVEN, HLS_ENCODER_RETRY, HLS_ENCODER_SILENCE, HLS_ENCODER_WORDS_MAX, HLS_SOUND_QUEUE,
};
use crate::telemetry::{HLS_ENCODER_ENDS, HLS_SOUND_DROPPED};

/// Samples of one AAC frame; also what its encoder puts before the first sample that it is given.
const FRAME: i64 = 1024;
/// Bytes of an ADTS header without a checksum.
const ADTS_HEADER: usize = 7;
/// Sound that jumps by more than this is another line: the child is started again.
const LINE_JUMP_TICKS: i64 = 48_000 * 2;

/// The program that encodes.
#[derive(Debug, Clone)]
pub struct EncoderCommand {
    /// A name that is looked up in `PATH`, or a path.
    pub program: Arc<str>,
}

/// The packager's side of it.
#[derive(Debug)]
pub(super) struct Encoder {
    frames: mpsc::Sender<SoundFrame>,
    encoded: mpsc::Receiver<(u32, LineFrame)>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Encoder {
    pub(super) fn start(broadcast: BroadcastId, command: EncoderCommand) -> Self {
        let (frames, queue) = mpsc::channel(HLS_SOUND_QUEUE);
        let (out, encoded) = mpsc::channel(HLS_SOUND_QUEUE);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Cut off anywhere: a child that is dropped is killed.
            let _cut_off = stopped.run_until_cancelled_owned(supervise(broadcast, command, queue, out)).await;
        });
        Self { frames, encoded, stop, task }
    }

    /// The next frame it made, with its line; never comes where there is no encoder.
    pub(super) async fn next(encoder: &mut Option<Self>) -> (u32, LineFrame) {
        match encoder {
            Some(encoder) => match encoder.encoded.recv().await {
                Some(frame) => frame,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// What finds no room is dropped: the packager does not wait.
    pub(super) fn feed(&mut self, frames: Vec<SoundFrame>) {
        for frame in frames {
            if self.frames.try_send(frame).is_err() {
                counter!(HLS_SOUND_DROPPED).increment(1);
            }
        }
    }

    /// Ends the child and waits for its end.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        drop(self.task.await);
    }
}

/// Why a child ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it died: {0}")]
    Died(String),
    #[error("it was fed and said nothing for {} s", HLS_ENCODER_SILENCE.as_secs())]
    Hung,
    #[error("what it wrote is not ADTS")]
    Malformed,
    #[error("no sound came for {} s", HLS_ENCODER_SILENCE.as_secs())]
    Starved,
    /// The sound is on another line.
    #[error("the sound began anew")]
    Jumped(SoundFrame),
    #[error("the packager is gone")]
    Unwanted,
}

impl End {
    const fn label(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Died(_) => "died",
            Self::Hung => "hung",
            Self::Malformed => "malformed",
            Self::Starved => "starved",
            Self::Jumped(_) => "jumped",
            Self::Unwanted => "unwanted",
        }
    }
}

/// Keeps a child running while the packager lives.
#[expect(clippy::disallowed_methods, reason = "a shell: it waits between attempts, and looks how long a child ran")]
async fn supervise(
    broadcast: BroadcastId,
    command: EncoderCommand,
    mut queue: mpsc::Receiver<SoundFrame>,
    out: mpsc::Sender<(u32, LineFrame)>,
) {
    let (first_pause, longest_pause) = HLS_ENCODER_RETRY;
    let mut pause = first_pause;
    let mut first = None;
    loop {
        let Some(frame) = (match first.take() {
            Some(frame) => Some(frame),
            None => queue.recv().await,
        }) else {
            return;
        };
        let started = Instant::now();
        let end = encode(&command, frame, &mut queue, &out).await;
        counter!(HLS_ENCODER_ENDS, "reason" => end.label()).increment(1);
        match end {
            End::Unwanted => return,
            // The next one begins with the sound.
            End::Starved => continue,
            End::Jumped(frame) => {
                first = Some(frame);
                continue;
            }
            End::Start(_) | End::Died(_) | End::Hung | End::Malformed => {
                tracing::warn!(%broadcast, program = &*command.program, reason = %end, pause_s = pause.as_secs(), "the sound encoder ended; players without Opus have no sound until it is back");
            }
        }
        if started.elapsed() >= HLS_ENCODER_PROVEN {
            pause = first_pause;
        }
        // Old sound is worth nothing to the next one.
        let woken = sleep(pause);
        tokio::pin!(woken);
        loop {
            tokio::select! {
                () = &mut woken => break,
                frame = queue.recv() => if frame.is_none() { return },
            }
        }
        pause = (pause * 2).min(longest_pause);
    }
}

/// One child, from its start to its end.
async fn encode(
    command: &EncoderCommand,
    first: SoundFrame,
    queue: &mut mpsc::Receiver<SoundFrame>,
    out: &mpsc::Sender<(u32, LineFrame)>,
) -> End {
    let (mut child, input, output) = match spawn(&command.program) {
        Ok(spawned) => spawned,
        Err(error) => return End::Start(error),
    };
    let (line, base) = (first.line, first.ticks);
    let end = tokio::select! {
        end = feed(input, first, queue, HLS_ENCODER_PATIENCE) => end,
        end = read(output, line, base, out) => end,
    };
    let words = last_words(&mut child).await;
    match end {
        End::Died(reason) => End::Died(format!("{reason}; {words}")),
        other => other,
    }
}

fn spawn(program: &str) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let bit_rate = HLS_AAC_BPS.to_string();
    let read_at_once = ["-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "0"];
    let sound = ["-vn", "-af", "aresample=async=1:min_hard_comp=0.05:first_pts=0", "-ac", "2", "-ar", "48000"];
    let aac = ["-c:a", "aac", "-b:a", &bit_rate, "-flush_packets", "1", "-f", "adts"];
    child::spawn(program, &read_at_once, &[&sound[..], &aac].concat())
}

/// Writes fragments of one frame each. A pipe that does not drain within `patience` is a child that hangs.
async fn feed(mut input: ChildStdin, first: SoundFrame, queue: &mut mpsc::Receiver<SoundFrame>, patience: Duration) -> End {
    let base = first.ticks;
    let mut sequence = 0;
    let mut bytes = BytesMut::from(&fmp4::init(&Format::Opus)[..]);
    // Each frame lasts until the next one, so one is held.
    let mut held = first;
    loop {
        let next = match timeout(patience, queue.recv()).await {
            Ok(Some(next)) => next,
            Ok(None) => return End::Unwanted,
            Err(_) => return End::Starved,
        };
        let step = next.ticks - held.ticks;
        if next.line != held.line || step.abs() > LINE_JUMP_TICKS {
            return End::Jumped(next);
        }
        if step <= 0 {
            // A clock that was put right: what overlaps is left out.
            counter!(HLS_SOUND_DROPPED).increment(1);
            continue;
        }
        sequence += 1;
        let sample = Sample { duration: step as u32, key: true, data: held.data };
        bytes.extend_from_slice(&fmp4::fragment(sequence, (held.ticks - base) as u64, &[sample]));
        held = next;
        match timeout(patience, input.write_all(&bytes)).await {
            Ok(Ok(())) => bytes.clear(),
            Ok(Err(error)) => return End::Died(error.to_string()),
            Err(_) => return End::Hung,
        }
    }
}

/// Reads frames of AAC. A child that is silent hangs: one that is not fed has been ended by then.
async fn read(mut output: ChildStdout, line: u32, base: i64, out: &mpsc::Sender<(u32, LineFrame)>) -> End {
    let format = Arc::new(Format::Aac);
    let mut bytes = BytesMut::with_capacity(16 * 1024);
    let mut frames = VecDeque::new();
    let mut count = 0;
    loop {
        match timeout(HLS_ENCODER_SILENCE, output.read_buf(&mut bytes)).await {
            Ok(Ok(0)) => return End::Died("it closed its output".to_owned()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return End::Died(error.to_string()),
            Err(_) => return End::Hung,
        }
        if split_adts(&mut bytes, &mut frames).is_none() {
            return End::Malformed;
        }
        for data in frames.drain(..) {
            // The first frame is what the encoder puts before the sound.
            let ticks = base + (count - 1) * FRAME;
            count += 1;
            let frame = LineFrame { ticks, key: true, data, format: Some(Arc::clone(&format)), received: now() };
            if ticks >= 0 && out.send((line, frame)).await.is_err() {
                return End::Unwanted;
            }
        }
    }
}

/// Takes whole frames off the front (ISO/IEC 13818-7 section 6.2), without their headers. `None`: it is something else.
fn split_adts(bytes: &mut BytesMut, frames: &mut VecDeque<Bytes>) -> Option<()> {
    while let Some(header) = bytes.first_chunk::<ADTS_HEADER>() {
        if header[0] != 0xff || header[1] & 0xf6 != 0xf0 {
            return None;
        }
        let has_checksum = header[1] & 1 == 0;
        let len = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
        let head = if has_checksum { ADTS_HEADER + 2 } else { ADTS_HEADER };
        if len <= head {
            return None;
        }
        if bytes.len() < len {
            return Some(());
        }
        let mut frame = bytes.split_to(len);
        frame.advance(head);
        frames.push_back(frame.freeze());
    }
    Some(())
}

/// What it wrote on standard error, and how it ended. It is killed if it has not.
async fn last_words(child: &mut Child) -> String {
    /// A child that was told to end is given this long to say why it already had.
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut words = Vec::new();
    if let Some(errors) = child.stderr.take() {
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
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adts(len: usize) -> Vec<u8> {
        let whole = len + ADTS_HEADER;
        let mut out = vec![0xff, 0xf1, 0x4c, 0x80 | (whole >> 11) as u8, (whole >> 3) as u8, (whole << 5) as u8 | 0x1f, 0xfc];
        out.extend(std::iter::repeat_n(len as u8, len));
        out
    }

    #[test]
    fn frames_are_taken_off_as_they_become_whole() {
        let stream = [adts(3), adts(300), adts(1)].concat();
        for step in [1, 2, 7, 100, stream.len()] {
            let (mut bytes, mut frames) = (BytesMut::new(), VecDeque::new());
            for piece in stream.chunks(step) {
                bytes.extend_from_slice(piece);
                split_adts(&mut bytes, &mut frames).expect("they are whole");
            }
            let lengths: Vec<usize> = frames.iter().map(Bytes::len).collect();
            assert_eq!((lengths, bytes.len()), (vec![3, 300, 1], 0), "{step}");
        }
    }

    #[tokio::test]
    async fn a_child_is_not_blamed_for_the_silence_of_its_publisher() {
        let (_child, input, _) = spawn("cat").expect("it is on every machine");
        let (frames, mut queue) = mpsc::channel(1);
        let first = SoundFrame { line: 1, ticks: 0, data: Bytes::new() };
        let end = feed(input, first, &mut queue, Duration::from_millis(1)).await;
        assert!(matches!(end, End::Starved), "{end}");
        drop(frames);
    }

    #[test]
    fn other_streams_are_refused() {
        for bad in [&b"ID3 and then some"[..], &[0xff, 0xf1, 0x4c, 0x80, 0, 0x1f, 0xfc]] {
            assert!(split_adts(&mut BytesMut::from(bad), &mut VecDeque::new()).is_none());
        }
    }
}
