//! The choice on an imagined clock, and the child as it is: `ffmpeg` on a clip that it drew itself.

use std::process::Command;

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::hls_fallback::child::{EncoderCommand, Supervised};
use crate::ids::BroadcastId;

const FRAMES: usize = 40;
/// Between the key frames of the clip.
const KEY_EVERY: usize = 15;
const FRAME_TICKS: i64 = 3000;

fn h264(width: u16, height: u16) -> Format {
    Format::H264 { sps: Bytes::new(), pps: Vec::new(), width, height }
}

fn sizes(format: &Format) -> Vec<(u16, u16)> {
    rungs(format).iter().map(|rung| (rung.width, rung.height)).collect()
}

#[test]
fn what_players_take_as_it_is_is_not_made_again() {
    assert_eq!(sizes(&h264(1280, 720)), [(320, 180), (640, 360)]);
    assert_eq!(sizes(&Format::Vp8 { width: 1280, height: 720 }), [(320, 180), (640, 360), (1280, 720)]);
    assert_eq!(sizes(&Format::Vp8 { width: 3840, height: 2160 }), [(480, 270), (960, 540), (1920, 1080)]);
    assert_eq!(sizes(&Format::Vp8 { width: 161, height: 91 }), [(160, 90)], "a small one is made once");
    assert_eq!(sizes(&h264(320, 180)), []);
    assert_eq!(sizes(&h264(0, 0)), []);
    let rates: Vec<u32> = rungs(&Format::Vp8 { width: 1280, height: 720 }).iter().map(|rung| rung.bit_rate).collect();
    assert_eq!(rates, [350_000, 989_949, 2_800_000]);
}

#[test]
fn a_lone_layer_is_waited_for_and_vp8_is_not() {
    let start = child::now();
    let at = |ms| start + Duration::from_millis(ms);
    let (large, small, vp8) = (h264(1280, 720), h264(320, 180), Format::Vp8 { width: 640, height: 360 });
    let mut choice = Choice::default();
    assert!(!choice.takes(at(0), 0, Some(&large)));
    assert!(!choice.takes(at(2000), 1, Some(&small)), "a second layer");
    for ms in (2000..8000).step_by(500) {
        assert!(!choice.takes(at(ms), 0, Some(&large)) && !choice.takes(at(ms), 1, Some(&small)));
    }
    assert!(!choice.takes(at(10_000), 0, None), "never within a group");
    assert!(choice.takes(at(11_100), 0, Some(&large)), "the second layer has gone");
    assert!(choice.takes(at(11_200), 0, None));
    assert!(!choice.takes(at(11_300), 1, Some(&small)) && !choice.takes(at(11_400), 0, Some(&large)), "and is back");
    let middle = h264(640, 360);
    let mut choice = Choice::default();
    choice.takes(at(0), 0, Some(&large));
    for ms in (0..20_000).step_by(500) {
        assert!(!choice.takes(at(ms), 1, Some(&middle)), "its larger one rests");
    }
    let mut choice = Choice::default();
    assert!(choice.takes(at(0), 0, Some(&vp8)) && choice.takes(at(33), 0, None));
    let mut choice = Choice::default();
    choice.takes(at(0), 0, Some(&small));
    assert!(!choice.takes(at(9000), 0, Some(&small)), "there is nothing below it");
}

#[test]
fn a_key_picture_is_told_by_its_units() {
    let units = |types: &[u8]| types.iter().flat_map(|kind| [0, 0, 0, 2, *kind, 9]).collect::<Vec<u8>>();
    assert!(is_key(&units(&[6, 7, 8, 0x65])) && !is_key(&units(&[6, 0x41])) && !is_key(&[0, 0, 0, 9, 1]) && !is_key(&[]));
}

/// Frames of VP8 as IVF carries them: a head of 32 bytes, and 12 before each frame.
fn clip() -> Vec<Bytes> {
    let size = format!("testsrc2=size=640x360:rate=30:duration={}", FRAMES as f64 / 30.0);
    let key_every = KEY_EVERY.to_string();
    let vp8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "800k", "-auto-alt-ref", "0"];
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", &size])
        .args(vp8)
        .args(["-g", &key_every, "-keyint_min", &key_every, "-f", "ivf", "pipe:1"])
        .output()
        .expect("scripts/test.sh installs ffmpeg");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut rest = Bytes::from(made.stdout).slice(32..);
    let mut frames = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        frames.push(rest.slice(12..12 + length));
        rest = rest.slice(12 + length..);
    }
    frames
}

#[tokio::test]
async fn a_child_makes_each_size_frame_by_frame_with_the_times_and_key_frames_of_the_source() {
    let frames = clip();
    assert_eq!(frames.len(), FRAMES);
    let command = EncoderCommand { program: "ffmpeg".into() };
    let mut child = Some(Supervised::start(BroadcastId::from_bits(1), command, Rungs, None));
    let format = Arc::new(Format::Vp8 { width: 640, height: 360 });
    let base = 7_777;
    let fed: Vec<Fed> = (0..)
        .zip(&frames)
        .map(|(index, data)| {
            let key = index % KEY_EVERY as i64 == 0;
            let format = key.then(|| Arc::clone(&format));
            // One frame comes late: times are the source's, not a beat of the encoder's.
            let ticks = base + index * FRAME_TICKS + if index == 20 { 1234 } else { 0 };
            Fed { line: 3, frame: LineFrame { ticks, key, data: data.clone(), format, received: child::now() } }
        })
        .collect();
    child.as_mut().expect("just begun").feed(fed.clone());
    // The encoder holds the last frame back until it knows how long it lasts, and the file's writer one more.
    let whole = FRAMES - 3;
    let mut made = vec![Vec::new(); 2];
    while made.iter().any(|rung| rung.len() < whole) {
        let next = Supervised::next(&mut child);
        let (line, (rung, frame)) = timeout(Duration::from_secs(20), next).await.expect("a frame comes");
        assert_eq!(line, 3);
        made[rung].push(frame);
    }
    child.expect("it was begun").stop().await;
    for (rung, size) in made.iter().zip([(320, 180), (640, 360)]) {
        for (frame, source) in rung.iter().zip(&fed) {
            assert_eq!((frame.ticks, frame.key), (source.frame.ticks, source.frame.key));
        }
        assert_eq!(rung[0].format.as_deref().and_then(Format::size), Some(size));
    }
}
