//! The child as it is: `ffmpeg` on clips that it drew itself, a red main picture and a blue guest, and what is seen where.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::interval;

use super::*;
use crate::hls_fallback::child::{self, EncoderCommand, End, Place};
use crate::hls_fallback::duet::{Beginning, Made, Running, Word, Work};
use crate::hls_fallback::fmp4::reader::{Piece, Reader};
use crate::hls_fallback::fmp4::{self, Sample};
use crate::hls_fallback::format::Format;
use crate::hls_fallback::test_support::ffmpeg;
use crate::hls_fallback::track::LineFrame;
use crate::limits::HLS_SOUND_QUEUE;

/// Of the main picture; the guest's is 4:3.
const SIZE: (u16, u16) = (640, 360);
const FRAMES: usize = 60;
const KEY_EVERY: usize = 15;
const FRAME_TICKS: i64 = 3000;
/// Where the main picture begins on the line.
const BASE_TICKS: i64 = 777_777;
/// Its encoder, its writer and the two who put it together each hold frames back until they know more.
const HELD: usize = 5;

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const BLACK: [u8; 3] = [0, 0, 0];

/// A clip of one colour as frames on the line, a key frame each half second.
fn clip(colour: &str, (width, height): (u16, u16), base_ticks: i64, codec: &[&str]) -> Vec<LineFrame> {
    let source = format!("color={colour}:size={width}x{height}:rate=30:duration={}", FRAMES as f64 / 30.0);
    let key_every = KEY_EVERY.to_string();
    let keys = ["-g", &key_every, "-keyint_min", &key_every, "pipe:1"];
    let made = ffmpeg(&[&["-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"], codec, &keys].concat(), None);
    let (frames, format) = if codec.contains(&"libvpx") { ivf(made.stdout, width, height) } else { mp4(&made.stdout) };
    assert_eq!(frames.len(), FRAMES);
    let format = Arc::new(format);
    let placed = (0..).zip(frames).map(|(index, data)| {
        let key = index % KEY_EVERY as i64 == 0;
        let format = key.then(|| Arc::clone(&format));
        LineFrame { ticks: base_ticks + index * FRAME_TICKS, key, data, format, received: child::now() }
    });
    placed.collect()
}

const H264: [&str; 8] = ["-c:v", "libx264", "-bf", "0", "-f", "mp4", "-movflags", "empty_moov+default_base_moof+frag_every_frame"];
const VP8: [&str; 6] = ["-c:v", "libvpx", "-deadline", "realtime", "-f", "ivf"];

fn red() -> Vec<LineFrame> {
    clip("red", SIZE, BASE_TICKS, &H264)
}

/// It began a little earlier and runs between the main picture's frames.
fn blue(codec: &[&str]) -> Vec<LineFrame> {
    clip("blue", (320, 240), BASE_TICKS - 10 * FRAME_TICKS + 1111, codec)
}

/// A head of 32 bytes, and 12 before each frame.
fn ivf(file: Vec<u8>, width: u16, height: u16) -> (Vec<Bytes>, Format) {
    let mut rest = Bytes::from(file).slice(32..);
    let mut frames = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        frames.push(rest.slice(12..12 + length));
        rest = rest.slice(12 + length..);
    }
    (frames, Format::Vp8 { width, height })
}

fn mp4(file: &[u8]) -> (Vec<Bytes>, Format) {
    let pieces = Reader::default().read(&mut BytesMut::from(file)).expect("it is ours");
    let (mut frames, mut format) = (Vec::new(), None);
    for piece in pieces {
        match piece {
            Piece::Tracks(mut tracks) => format = tracks.pop(),
            Piece::Frame(frame) => frames.push(frame.data),
        }
    }
    (frames, format.expect("it has a track"))
}

/// What a child makes of both, when the guest's picture stops after `guest_frames`. In each size.
async fn programme(layout: Layout, guest: &[LineFrame], guest_frames: usize) -> Vec<Vec<LineFrame>> {
    let main = red();
    let rungs = vec![Rung::of(320, 180), Rung::of(SIZE.0, SIZE.1)];
    let (out, mut made) = mpsc::channel(HLS_SOUND_QUEUE);
    let beginning = Beginning {
        command: EncoderCommand { program: "ffmpeg".into() },
        place: Some(Place::among(Arc::new(Semaphore::new(1)))),
        work: Work::Picture(Programme { layout, size: SIZE, rungs }),
        main: main[0].clone(),
        guest: guest[..KEY_EVERY].to_vec(),
    };
    let running = Running::begin(7, beginning, out);
    for (index, frame) in main.iter().enumerate().skip(1) {
        assert!(running.tell(Word::Main(frame.clone())));
        let of_guest = KEY_EVERY + index - 1;
        if of_guest < guest_frames {
            assert!(running.tell(Word::Guest(guest[of_guest].clone())));
        } else if of_guest == guest_frames {
            assert!(running.tell(Word::GuestGone));
        }
    }
    let mut sizes = vec![Vec::new(); 2];
    // On a busy machine a child takes longer than one that is fed nothing is left alone for. A frame that repeats a time is left out.
    let mut waits = interval(Duration::from_secs(1));
    let mut seconds = 0;
    while sizes.iter().any(|size| size.len() < FRAMES - HELD) {
        tokio::select! {
            _ = waits.tick() => {
                seconds += 1;
                assert!(seconds < 120, "frames come: {:?}", sizes.iter().map(Vec::len).collect::<Vec<_>>());
                running.tell(Word::Main(main[main.len() - 1].clone()));
            }
            next = made.recv() => match next {
                Some((7, Made::Frame { rung, frame })) => sizes[rung].push(frame),
                other => panic!("{other:?}"),
            },
        }
    }
    running.stop().await;
    for size in &sizes {
        for (frame, source) in size.iter().zip(&main) {
            assert_eq!((frame.ticks, frame.key), (source.ticks, source.key));
        }
    }
    sizes
}

/// The colours of frame `index` of the large size at those places.
fn colours(frames: &[LineFrame], index: usize, places: &[(usize, usize)]) -> Vec<[u8; 3]> {
    let format = frames[0].format.clone().expect("it begins with a key frame");
    let sample = |frame: &LineFrame| Sample { duration: FRAME_TICKS as u32, key: frame.key, data: frame.data.clone() };
    let samples: Vec<Sample> = frames[..=index].iter().map(sample).collect();
    let file = [&fmp4::init(&format)[..], &fmp4::fragment(1, 0, &samples)].concat();
    let pictures = ffmpeg(&["-f", "mp4", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"], Some(&file)).stdout;
    let (width, height) = (usize::from(SIZE.0), usize::from(SIZE.1));
    let picture = pictures.rchunks(width * height * 3).next().expect("there is one");
    places.iter().map(|(x, y)| picture[(y * width + x) * 3..][..3].try_into().expect("three")).collect()
}

fn look(seen: &[[u8; 3]], expected: &[[u8; 3]]) {
    let near = |seen: &[u8; 3], expected: &[u8; 3]| seen.iter().zip(expected).all(|(left, right)| left.abs_diff(*right) < 12);
    assert!(seen.len() == expected.len() && seen.iter().zip(expected).all(|(seen, expected)| near(seen, expected)), "{seen:?}");
}

#[tokio::test]
async fn both_pictures_are_seen_where_the_layout_puts_them() {
    const LATE: usize = 40;
    let guest = blue(&VP8);
    let large = &programme(Layout::SideBySide, &guest, FRAMES).await[1];
    // Halves are 320 wide: red keeps 16:9 and is 180 lines high, blue keeps 4:3 and has 240.
    let places = [(160, 180), (160, 60), (480, 180), (480, 80), (480, 30), (318, 180), (322, 180)];
    look(&colours(large, LATE, &places), &[RED, BLACK, BLUE, BLUE, BLACK, RED, BLUE]);
    let large = &programme(Layout::Inset, &guest, FRAMES).await[1];
    // 166 by 92 pixels, 14 from the edges.
    let places = [(320, 180), (20, 20), (540, 300), (470, 260), (620, 340), (450, 300), (635, 355)];
    look(&colours(large, LATE, &places), &[RED, RED, BLUE, BLUE, BLUE, RED, RED]);
    let large = &programme(Layout::GuestOnly, &guest, FRAMES).await[1];
    look(&colours(large, LATE, &[(320, 180), (90, 10), (550, 350), (40, 180), (600, 180)]), &[BLUE, BLUE, BLUE, BLACK, BLACK]);
}

#[tokio::test]
async fn the_main_picture_goes_on_alone_at_once_when_the_guest_stops() {
    let guest = blue(&H264);
    for layout in [Layout::SideBySide, Layout::Inset, Layout::GuestOnly] {
        let large = &programme(layout, &guest, 30).await[1];
        // Frame 30 of the guest lies between the main picture's frames 20 and 21.
        look(&colours(large, 15, &[(540, 310)]), &[if layout == Layout::SideBySide { BLACK } else { BLUE }]);
        look(&colours(large, 15, &[(480, 180)]), &[if layout == Layout::Inset { RED } else { BLUE }]);
        look(&colours(large, 40, &[(10, 10), (160, 180), (480, 180), (540, 300), (600, 30)]), &[RED; 5]);
    }
}

#[tokio::test]
async fn no_permit_is_said_and_a_broadcast_needs_one_for_all_its_children() {
    let places = Arc::new(Semaphore::new(1));
    let place = Place::among(Arc::clone(&places));
    let (first, second) = (place.take().expect("there is one"), place.take().expect("it is shared"));
    assert!(Place::among(Arc::clone(&places)).take().is_err());
    drop((first, second));
    let _other = Place::among(places).take().expect("it was given back");
    let (out, mut made) = mpsc::channel(1);
    let main = red();
    let beginning = Beginning {
        command: EncoderCommand { program: "ffmpeg".into() },
        place: Some(place),
        work: Work::Picture(Programme { layout: Layout::Inset, size: SIZE, rungs: vec![Rung::of(320, 180)] }),
        main: main[0].clone(),
        guest: main[..1].to_vec(),
    };
    let running = Running::begin(1, beginning, out);
    assert!(matches!(made.recv().await, Some((1, Made::Ended(End::Full)))));
    running.stop().await;
}
