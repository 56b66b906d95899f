//! The child that puts a guest beside the main picture: two pictures in, the programme out in every size, with the main picture's times and key frames.
//!
//! The guest's comes by its standard error, one end of a pair of sockets: it reads pictures from it and writes its last words to it. When the guest
//! stops, that input ends and the child goes on with the main picture alone; with both in one file it would wait for the guest.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use metrics::counter;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::child::{self, EncoderCommand, End, Place};
use super::fmp4::{self, Sample};
use super::ladder::{AS_IT_COMES, Rung, encoding, read_sizes};
use super::track::LineFrame;
use crate::limits::{HLS_ENCODER_PATIENCE, HLS_SOUND_QUEUE};
use crate::telemetry::HLS_ENCODER_ENDS;

/// How main picture and guest share the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    SideBySide,
    /// The guest small, above the main picture.
    Inset,
    GuestOnly,
}

/// What a child is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programme {
    pub(super) layout: Layout,
    /// Of the main picture.
    pub(super) size: (u16, u16),
    /// Sizes to make of the programme.
    pub(super) rungs: Vec<Rung>,
}

/// What a child is told.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Main(LineFrame),
    Guest(LineFrame),
    /// It goes on with the main picture alone.
    GuestGone,
}

/// What comes of a child.
#[derive(Debug)]
pub(super) enum Made {
    Frame { rung: usize, frame: LineFrame },
    Ended(End),
}

/// The metrics' name of these children.
pub(super) const LABEL: &str = "programme";
/// Width of an inset, and its distance from the edges by the height of the picture, percent; it is as wide as high by 16:9.
const INSET_WIDTH: u32 = 26;
const INSET_EDGE: u32 = 4;

impl Programme {
    /// What is between the inputs and the sizes; its last output has no name yet. Where the guest's input ends, all that has it in it ends, and the
    /// main picture is what remains.
    fn graph(&self) -> String {
        let even = |size: u32| (size / 2 * 2).max(2);
        let (width, height) = (even(u32::from(self.size.0)), even(u32::from(self.size.1)));
        let within = |width: u32, height: u32| {
            format!(
                "scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear,format=yuv420p,setsar=1"
            )
        };
        match self.layout {
            Layout::SideBySide => {
                let half = even(width / 2);
                let (fit, below) = (within(half, height), "eof_action=endall[both];[full][both]overlay=x=0:y=0:eof_action=pass");
                format!(
                    "[0:v]split[full][main];[main]{fit},pad={width}:{height}:({half}-iw)/2:(oh-ih)/2[left];\
                     [1:v]{fit},pad={half}:{height}:(ow-iw)/2:(oh-ih)/2[right];[left][right]overlay=x={half}:y=0:{below},"
                )
            }
            Layout::Inset => {
                let inset = even(width * INSET_WIDTH / 100);
                let (lines, edge) = (even(inset * 9 / 16), even(height * INSET_EDGE / 100));
                let (x, y) = (width.saturating_sub(inset + edge), height.saturating_sub(lines + edge));
                format!(
                    "[1:v]scale={inset}:{lines}:force_original_aspect_ratio=increase:flags=bilinear,crop={inset}:{lines},format=yuv420p,setsar=1[guest];\
                     [0:v][guest]overlay=x={x}:y={y}:eof_action=pass,"
                )
            }
            Layout::GuestOnly => {
                let fit = within(width, height);
                format!("[1:v]{fit},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2[guest];[0:v][guest]overlay=x=0:y=0:eof_action=pass,")
            }
        }
    }

    /// Arguments before and behind the first input.
    fn arguments(&self) -> (Vec<String>, Vec<String>) {
        // Two inputs are read by a thread each; with their own times, which are on one line.
        let queue = HLS_SOUND_QUEUE.to_string();
        let input = [&AS_IT_COMES[..], &["-thread_queue_size", &queue]].concat();
        let before = [&["-copyts"][..], &input].concat();
        let second = [&["-threads", "1"][..], &input, &["-f", "mp4", "-i", "pipe:2"]].concat();
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<String>>();
        (owned(before), [owned(second), encoding(&self.graph(), &self.rungs)].concat())
    }
}

/// One child that runs, or has ended and said so.
#[derive(Debug)]
pub(super) struct Running {
    words: mpsc::Sender<Word>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What a child begins with.
pub(super) struct Beginning {
    pub(super) command: EncoderCommand,
    pub(super) place: Arc<Place>,
    pub(super) programme: Programme,
    /// A key frame with its format.
    pub(super) main: LineFrame,
    /// The first is a key frame with its format.
    pub(super) guest: Vec<LineFrame>,
}

impl Running {
    /// What it makes goes to `out` behind `number`; the last thing is that it has ended.
    pub(super) fn begin(number: u32, beginning: Beginning, out: mpsc::Sender<(u32, Made)>) -> Self {
        let (words, queue) = mpsc::channel(HLS_SOUND_QUEUE);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Cut off anywhere: a child that is dropped is killed.
            let Some(end) = stopped.run_until_cancelled_owned(run(number, &beginning, queue, &out)).await else { return };
            count(&end);
            // The packager may have gone meanwhile.
            drop(out.send((number, Made::Ended(end))).await);
        });
        Self { words, stop, task }
    }

    /// Returns whether it had room: one that has none does not keep up, and cannot go on.
    pub(super) fn tell(&self, word: Word) -> bool {
        self.words.try_send(word).is_ok()
    }

    /// Ends it and waits for its end.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        drop(self.task.await);
    }
}

pub(super) fn count(end: &End) {
    counter!(HLS_ENCODER_ENDS, "of" => LABEL, "reason" => end.label()).increment(1);
}

async fn run(number: u32, beginning: &Beginning, queue: mpsc::Receiver<Word>, out: &mpsc::Sender<(u32, Made)>) -> End {
    let Ok(_place) = beginning.place.take() else { return End::Full };
    let (before, after) = beginning.programme.arguments();
    let begun = pair().and_then(|(errors, ours)| {
        let spawned = child::spawn_with(&beginning.command.program, &child::texts(&before), &child::texts(&after), errors)?;
        Ok((spawned, ours))
    });
    let ((mut child, input, output), (words, guest)) = match begun {
        Ok(begun) => begun,
        Err(error) => return End::Start(error),
    };
    let end = tokio::select! {
        end = feed(beginning, input, guest, queue, HLS_ENCODER_PATIENCE) => end,
        end = read_sizes(output, beginning.main.ticks, out, |rung, frame| (number, Made::Frame { rung, frame })) => end,
    };
    let words = child::last_words_of(&mut child, Some(words)).await;
    match end {
        End::Died(reason) => End::Died(format!("{reason}; {words}")),
        other => other,
    }
}

/// The child's standard error, and our end of it.
fn pair() -> io::Result<(Stdio, (OwnedReadHalf, OwnedWriteHalf))> {
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    // A child expects to wait where there is nothing to read.
    theirs.set_nonblocking(false)?;
    Ok((Stdio::from(OwnedFd::from(theirs)), ours.into_split()))
}

/// One input: fragments of one frame each. Each frame lasts until the next one, so one is held.
struct Input<W> {
    pipe: W,
    held: LineFrame,
    sequence: u32,
    base_ticks: i64,
    bytes: BytesMut,
}

impl<W: AsyncWrite + Unpin> Input<W> {
    /// `first` is a key frame with its format.
    fn new(pipe: W, first: LineFrame, base_ticks: i64) -> Option<Self> {
        let format = first.format.clone()?;
        let bytes = BytesMut::from(&fmp4::init(&format)[..]);
        Some(Self { pipe, held: first, sequence: 0, base_ticks, bytes })
    }

    async fn write(&mut self, next: LineFrame, patience: Duration) -> Result<(), End> {
        let step = next.ticks - self.held.ticks;
        if step <= 0 {
            // A clock that was put right: what overlaps is left out.
            return Ok(());
        }
        let held = std::mem::replace(&mut self.held, next);
        let sample = Sample { duration: step.min(i64::from(u32::MAX)) as u32, key: held.key, data: held.data };
        self.sequence += 1;
        let base = (held.ticks - self.base_ticks).max(0) as u64;
        self.bytes.extend_from_slice(&fmp4::fragment(self.sequence, base, &[sample]));
        match timeout(patience, self.pipe.write_all(&self.bytes)).await {
            Ok(Ok(())) => self.bytes.clear(),
            Ok(Err(error)) => return Err(End::Died(error.to_string())),
            Err(_) => return Err(End::Hung),
        }
        Ok(())
    }
}

async fn feed(beginning: &Beginning, main: ChildStdin, guest: OwnedWriteHalf, mut queue: mpsc::Receiver<Word>, patience: Duration) -> End {
    let Some((first, rest)) = beginning.guest.split_first() else { return End::Malformed };
    let base_ticks = first.ticks.min(beginning.main.ticks);
    let main = Input::new(main, beginning.main.clone(), base_ticks);
    let (Some(mut main), mut guest) = (main, Input::new(guest, first.clone(), base_ticks)) else { return End::Malformed };
    for frame in rest {
        if let Some(guest) = &mut guest
            && let Err(end) = guest.write(frame.clone(), patience).await
        {
            return end;
        }
    }
    loop {
        let written = match timeout(patience, queue.recv()).await {
            Ok(Some(Word::Main(frame))) => main.write(frame, patience).await,
            Ok(Some(Word::Guest(frame))) => match &mut guest {
                Some(guest) => guest.write(frame, patience).await,
                None => Ok(()),
            },
            // Dropped, it ends.
            Ok(Some(Word::GuestGone)) => {
                guest = None;
                Ok(())
            }
            Ok(None) => return End::Unwanted,
            Err(_) => return End::Starved,
        };
        if let Err(end) = written {
            return end;
        }
    }
}

#[cfg(test)]
#[path = "programme_tests.rs"]
mod tests;
