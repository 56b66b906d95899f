//! Preview pictures for the seek bar: key frames of the smallest rendition on sheets of five by five, made by a child. With each new picture the
//! sheet is made anew from all its key frames, so nothing but coded frames is kept between two of them.
//!
//! The child is fed a file of single frames and writes one JPEG. It is watched and bounded like the sound encoder's; a recording whose children
//! keep failing goes on without pictures.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use metrics::counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::record::Sprite;
use super::writer::Job;
use crate::hls_fallback::{EncoderCommand, child};
use crate::ids::BroadcastId;
use crate::limits::{
    HLS_ENCODER_WORDS_MAX, THUMBS_CHILD_TIMEOUT, THUMBS_FAILURES_MAX, THUMBS_GRID, THUMBS_JPEG_BYTES_MAX, THUMBS_SHEET_BYTES_MAX,
    THUMBS_WIDTH,
};
use crate::telemetry::HLS_THUMBS;

/// A key frame.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// Of the segment that it begins.
    pub(super) number: u64,
    pub(super) media_ms: f64,
    pub(super) size: (u16, u16),
    pub(super) init: Bytes,
    /// Begins with the key frame.
    pub(super) fragment: Bytes,
}

/// The recorder's end.
#[derive(Debug)]
pub(super) struct Thumbs {
    pictures: mpsc::Sender<Picture>,
}

impl Thumbs {
    /// The task ends with its [`Thumbs`].
    pub(super) fn start(
        broadcast: BroadcastId,
        command: EncoderCommand,
        children: Arc<Semaphore>,
        jobs: mpsc::Sender<Job>,
        tasks: &tokio_util::task::TaskTracker,
    ) -> Self {
        let (pictures, queue) = mpsc::channel(1);
        tasks.spawn(draw(broadcast, command, children, queue, jobs));
        Self { pictures }
    }

    pub(super) fn take(&mut self, picture: Picture) {
        if self.pictures.try_send(picture).is_err() {
            counter!(HLS_THUMBS, "result" => "left_out").increment(1);
        }
    }
}

/// Why a sheet was not made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it ended with {status}: {words}")]
    Died { status: String, words: String },
    #[error("it took longer than {} s", THUMBS_CHILD_TIMEOUT.as_secs())]
    Hung,
    #[error("what it wrote is no picture, or too large")]
    Malformed,
}

/// The pictures of the sheet that is being filled.
#[derive(Debug, Default)]
struct Sheet {
    pictures: Vec<Picture>,
}

impl Sheet {
    /// Whether another picture has a place on it.
    fn fits(&self, picture: &Picture) -> bool {
        let most = usize::from(THUMBS_GRID.0 * THUMBS_GRID.1);
        let bytes: usize = self.pictures.iter().map(|one| one.fragment.len()).sum();
        let is_alike = self.pictures.first().is_none_or(|first| first.init == picture.init && first.size == picture.size);
        self.pictures.len() < most && is_alike && bytes + picture.fragment.len() <= THUMBS_SHEET_BYTES_MAX
    }

    fn file(&self) -> Vec<u8> {
        let init = self.pictures.first().map(|first| &first.init).into_iter();
        init.chain(self.pictures.iter().map(|picture| &picture.fragment)).flat_map(|bytes| bytes.iter().copied()).collect()
    }
}

/// Size of one picture on a sheet: even numbers, as its pixels are stored in fours.
fn shown_size((width, height): (u16, u16)) -> (u16, u16) {
    let scaled = u32::from(THUMBS_WIDTH) * u32::from(height) / u32::from(width.max(1));
    (THUMBS_WIDTH, (scaled / 2 * 2).clamp(2, u32::from(THUMBS_WIDTH) * 2) as u16)
}

async fn draw(
    broadcast: BroadcastId,
    command: EncoderCommand,
    children: Arc<Semaphore>,
    mut queue: mpsc::Receiver<Picture>,
    jobs: mpsc::Sender<Job>,
) {
    let mut sheet = Sheet::default();
    let mut failures = 0;
    while let Some(picture) = queue.recv().await {
        if !sheet.fits(&picture) {
            sheet.pictures.clear();
        }
        let size = shown_size(picture.size);
        sheet.pictures.push(picture);
        let Ok(_permit) = children.acquire().await else { return };
        match make(&command, size, sheet.file()).await {
            Ok(jpeg) => {
                failures = 0;
                counter!(HLS_THUMBS, "result" => "made").increment(1);
                let (first, at) = (sheet.pictures[0].number, sheet.pictures.iter().map(|picture| picture.media_ms).collect());
                let sprite = Sprite { first, size, at, bytes: jpeg.len() as u64 };
                if jobs.try_send(Job::Sprite(sprite, jpeg.into())).is_err() {
                    counter!(HLS_THUMBS, "result" => "left_out").increment(1);
                }
            }
            Err(failure) => {
                failures += 1;
                counter!(HLS_THUMBS, "result" => "failed").increment(1);
                let is_last = failures >= THUMBS_FAILURES_MAX;
                tracing::warn!(%broadcast, program = &*command.program, reason = %failure, gives_up = is_last, "a preview picture could not be made");
                if is_last {
                    return;
                }
                // A frame that cannot be decoded would spoil every further attempt.
                sheet.pictures.clear();
            }
        }
    }
}

async fn make(command: &EncoderCommand, (width, height): (u16, u16), file: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let filter = format!("scale={width}:{height},tile={}x{}", THUMBS_GRID.0, THUMBS_GRID.1);
    let picture = ["-an", "-vf", &filter, "-frames:v", "1", "-q:v", "6", "-f", "mjpeg"];
    let (mut child, mut input, output) = child::spawn(&command.program, &["-skip_frame", "nokey"], &picture).map_err(Failure::Start)?;
    let Some(errors) = child.stderr.take() else { return Err(Failure::Start(io::Error::other("it has no standard error"))) };
    let work = async {
        let feed = async move {
            // One that has what it needs closes its input early.
            drop(input.write_all(&file).await);
        };
        let (mut jpeg, mut words) = (Vec::new(), Vec::new());
        let mut output = output.take(THUMBS_JPEG_BYTES_MAX as u64 + 1);
        let mut errors = errors.take(HLS_ENCODER_WORDS_MAX as u64);
        let ((), read, said) = tokio::join!(feed, output.read_to_end(&mut jpeg), errors.read_to_end(&mut words));
        drop((said, output, errors));
        read.map_err(Failure::Start)?;
        if jpeg.len() > THUMBS_JPEG_BYTES_MAX {
            return Err(Failure::Malformed);
        }
        let status = child.wait().await.map_err(Failure::Start)?;
        if !status.success() {
            return Err(Failure::Died { status: status.to_string(), words: String::from_utf8_lossy(&words).trim().to_owned() });
        }
        if jpeg.starts_with(&[0xff, 0xd8, 0xff]) { Ok(jpeg) } else { Err(Failure::Malformed) }
    };
    timeout(THUMBS_CHILD_TIMEOUT, work).await.unwrap_or(Err(Failure::Hung))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u64, size: (u16, u16), bytes: usize) -> Picture {
        Picture { number, media_ms: number as f64, size, init: Bytes::from_static(b"init"), fragment: vec![1; bytes].into() }
    }

    #[test]
    fn a_sheet_takes_what_is_alike_until_it_is_full() {
        let mut sheet = Sheet::default();
        for number in 0..25 {
            assert!(sheet.fits(&picture(number, (320, 180), 10)), "{number}");
            sheet.pictures.push(picture(number, (320, 180), 10));
        }
        assert!(!sheet.fits(&picture(25, (320, 180), 10)));
        sheet.pictures.truncate(2);
        assert!(sheet.fits(&picture(2, (320, 180), 10)));
        assert!(!sheet.fits(&picture(2, (640, 360), 10)));
        assert!(!sheet.fits(&picture(2, (320, 180), THUMBS_SHEET_BYTES_MAX)));
        assert_eq!(sheet.file().len(), 24);
    }

    #[test]
    fn pictures_keep_their_shape() {
        for (size, shown) in [((1280, 720), (160, 90)), ((320, 180), (160, 90)), ((640, 480), (160, 120)), ((720, 1280), (160, 284))] {
            assert_eq!(shown_size(size), shown);
        }
        assert_eq!(shown_size((16, 16_000)), (160, 320));
    }

    #[tokio::test]
    async fn a_child_that_fails_says_why() {
        let command = |program: &str| EncoderCommand { program: program.into() };
        let missing = make(&command("no-such-program"), (160, 90), Vec::new()).await.unwrap_err();
        assert!(matches!(missing, Failure::Start(_)), "{missing}");
        let failed = make(&command("false"), (160, 90), vec![0; 1 << 20]).await.unwrap_err();
        assert!(matches!(failed, Failure::Died { .. }), "{failed}");
        let silent = make(&command("true"), (160, 90), Vec::new()).await.unwrap_err();
        assert!(matches!(silent, Failure::Malformed), "{silent}");
    }
}
