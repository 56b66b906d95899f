//! A child that makes one thing of main and guest: a programme of both pictures, or a mix of both sounds. What it is told, how it is fed, and its end.
//!
//! The guest's media come by its standard error, one end of a pair of sockets: it reads frames from it and writes its last words to it. When the
//! guest stops, that input ends and the child goes on with the main one alone; with both in one file it would wait for the guest.

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
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::child::{self, EncoderCommand, End, Place};
use super::fmp4::{self, Sample};
use super::ladder::{AS_IT_COMES, read_sizes};
use super::mix::{self, Mix};
use super::programme::Programme;
use super::track::LineFrame;
use crate::limits::{HLS_ENCODER_PATIENCE, HLS_SOUND_QUEUE};
use crate::telemetry::HLS_ENCODER_ENDS;

/// What a child is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    Picture(Programme),
    Sound(Mix),
}

impl Work {
    /// The metrics' name of these children.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Picture(_) => "programme",
            Self::Sound(_) => mix::LABEL,
        }
    }

    /// For logs: who misses what while it is away.
    pub(super) const fn missed(&self) -> &'static str {
        match self {
            Self::Picture(_) => "players see the main picture alone until it is back",
            Self::Sound(_) => "players hear the main sound alone until it is back",
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
        let made = match self {
            Self::Picture(programme) => programme.arguments(),
            Self::Sound(mix) => mix.arguments(),
        };
        (owned(before), [owned(second), made].concat())
    }

    /// Reads what it makes of a main input that begins at `base_ticks`.
    async fn read(&self, number: u32, output: ChildStdout, base_ticks: i64, out: &mpsc::Sender<(u32, Made)>) -> End {
        let made = |rung, frame| (number, Made::Frame { rung, frame });
        match self {
            Self::Picture(_) => read_sizes(output, base_ticks, out, made).await,
            Self::Sound(mix) => mix.read(output, base_ticks, out, made).await,
        }
    }
}

/// What is to be done with a child.
#[derive(Debug)]
pub(super) enum Order {
    /// `main` is a key frame; `guest` begins with one.
    Begin {
        child: u32,
        work: Work,
        main: LineFrame,
        guest: Vec<LineFrame>,
    },
    Tell {
        child: u32,
        word: Word,
    },
    End {
        child: u32,
        why: Why,
    },
}

/// Why a child is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It has done what it was for.
    Done,
    /// It is too slow.
    Lags,
}

/// What a child is told.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Main(LineFrame),
    Guest(LineFrame),
    /// It goes on with the main one alone.
    GuestGone,
}

/// What comes of a child.
#[derive(Debug)]
pub(super) enum Made {
    /// `rung`: which of the things that it makes.
    Frame {
        rung: usize,
        frame: LineFrame,
    },
    Ended(End),
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
    /// A permit, without which it does not run; `None`: it needs none.
    pub(super) place: Option<Arc<Place>>,
    pub(super) work: Work,
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
            count(beginning.work.label(), &end);
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

pub(super) fn count(label: &'static str, end: &End) {
    counter!(HLS_ENCODER_ENDS, "of" => label, "reason" => end.label()).increment(1);
}

async fn run(number: u32, beginning: &Beginning, queue: mpsc::Receiver<Word>, out: &mpsc::Sender<(u32, Made)>) -> End {
    let Ok(_place) = beginning.place.as_ref().map(|place| place.take()).transpose() else { return End::Full };
    let (before, after) = beginning.work.arguments();
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
        end = beginning.work.read(number, output, beginning.main.ticks, out) => end,
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
