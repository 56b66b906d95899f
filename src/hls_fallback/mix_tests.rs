//! The child as it is, with the mixer that tells it: `ffmpeg` on tones that it made itself, and what is heard when in both renditions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::hls_fallback::crew::Crew;
use crate::hls_fallback::duet::{Made, Order, Word};
use crate::hls_fallback::fmp4::{self, Sample};
use crate::hls_fallback::mixer::Mixer;
use crate::hls_fallback::seamless::Sound;
use crate::hls_fallback::segment::TrackId;
use crate::hls_fallback::sound::split_adts;
use crate::hls_fallback::test_support::{epoch, ffmpeg};
use crate::ids::BroadcastId;

/// Where the main sound begins on the line.
const BASE: i64 = 480_123;
const OPUS: i64 = FRAMES[1];
const MAIN_HZ: f64 = 440.0;
const GUEST_HZ: f64 = 1000.0;
const RATE_HZ: f64 = 48_000.0;
/// A child is waited for when it is so many frames behind what it was fed: a virtual second is shorter than a real one.
const BEHIND: i64 = 15;
/// By which a guest's frames arrive later than those of the main sound.
const LATE: i64 = 3;
const LOUDNESS: f64 = 0.25;
/// Of both tones and what their encoders add to them.
const ROUGHNESS_MAX: f64 = 0.03;

/// A tone as frames of Opus, each where `at` says.
fn tone(hz: f64, loudness: &str, seconds: f64, at: impl Fn(i64) -> i64) -> Vec<LineFrame> {
    let source = format!("aevalsrc=exprs='({loudness})*sin(2*PI*{hz}*t)|({loudness})*sin(2*PI*{hz}*t)':s=48000:d={seconds}");
    let file = ["-f", "mp4", "-movflags", "empty_moov+default_base_moof+frag_every_frame", "pipe:1"];
    let made = ffmpeg(&[&["-f", "lavfi", "-i", &source, "-c:a", "libopus", "-b:a", "96000"], &file[..]].concat(), None);
    let pieces = Reader::default().read(&mut BytesMut::from(&made.stdout[..])).expect("it is well formed");
    let frames = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Frame(frame) => Some(frame.data),
        Piece::Tracks(_) => None,
    });
    let format = Arc::new(Format::Opus);
    let place = |(index, data)| LineFrame { ticks: at(index), key: true, data, format: Some(Arc::clone(&format)), received: child::now() };
    (0..).zip(frames).map(place).collect()
}

fn file(format: &Format, frames: &[LineFrame]) -> Vec<u8> {
    let sample = |pair: &[LineFrame]| Sample { duration: (pair[1].ticks - pair[0].ticks) as u32, key: true, data: pair[0].data.clone() };
    let samples: Vec<Sample> = frames.windows(2).map(sample).collect();
    [&fmp4::init(format)[..], &fmp4::fragment(1, 0, &samples)].concat()
}

/// The samples of frames that follow each other, of one channel.
fn listen(frames: &[LineFrame]) -> Vec<f64> {
    let format = frames[0].format.clone().expect("every frame of sound says its format");
    let out = ["-af", "pan=mono|c0=c0", "-f", "f32le", "pipe:1"];
    let made = ffmpeg(&[&["-f", "mp4", "-i", "pipe:0"], &out[..]].concat(), Some(&file(&format, frames)));
    made.stdout.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
}

/// The AAC that the broadcast's own child makes of the main sound.
fn own_aac(main: &[LineFrame]) -> Vec<LineFrame> {
    let made =
        ffmpeg(&["-f", "mp4", "-i", "pipe:0", "-c:a", "aac", "-b:a", "128000", "-f", "adts", "pipe:1"], Some(&file(&Format::Opus, main)));
    let mut frames: VecDeque<Bytes> = VecDeque::new();
    split_adts(&mut BytesMut::from(&made.stdout[..]), &mut frames).expect("it is ADTS");
    let format = Arc::new(Format::Aac);
    let place = |(index, data): (i64, Bytes)| LineFrame {
        ticks: main[0].ticks + (index - 1) * FRAMES[0],
        key: true,
        data,
        format: Some(Arc::clone(&format)),
        received: child::now(),
    };
    (0..).zip(frames).map(place).skip(1).collect()
}

/// How loud a tone is in `samples`: its amplitude.
fn loudness(samples: &[f64], hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / RATE_HZ;
    let sum = |wave: fn(f64) -> f64| samples.iter().zip(0..).map(|(sample, index)| sample * wave(turn * f64::from(index))).sum::<f64>();
    2.0 * sum(f64::sin).hypot(sum(f64::cos)) / samples.len() as f64
}

/// A broadcast with a guest.
struct Air {
    main: Vec<LineFrame>,
    aac: VecDeque<LineFrame>,
    guest: VecDeque<LineFrame>,
    /// From which frame of the main sound to which they are on air.
    on_air: std::ops::Range<usize>,
    heard: [Vec<LineFrame>; SOUNDS],
    lost: u64,
}

impl Air {
    fn new(main: Vec<LineFrame>, guest: Vec<LineFrame>, on_air: std::ops::Range<usize>) -> Self {
        let aac = own_aac(&main).into();
        Self { main, aac, guest: guest.into(), on_air, heard: [Vec::new(), Vec::new()], lost: 0 }
    }

    async fn play(&mut self, kill_at: Option<usize>) {
        let broadcast = BroadcastId::from_bits(1);
        let mut crew = Crew::new(broadcast, Some(child::EncoderCommand { program: "ffmpeg".into() }), None);
        let (mut mixer, start) = (Mixer::default(), epoch());
        let mut made_ticks = None;
        for (index, frame) in self.main.clone().into_iter().enumerate() {
            let now = start + Duration::from_millis(index as u64 * 20);
            mixer.set_wanted(now, self.on_air.contains(&index));
            mixer.handle_own(Sound::Opus, TrackId(1), frame.clone());
            while self.aac.front().is_some_and(|aac| aac.ticks + 3 * FRAMES[0] <= frame.ticks)
                && let Some(aac) = self.aac.pop_front()
            {
                mixer.handle_own(Sound::Aac, TrackId(0), aac);
            }
            while self.guest.front().is_some_and(|guest| guest.ticks + LATE * OPUS <= frame.ticks)
                && let Some(guest) = self.guest.pop_front()
            {
                mixer.handle_guest(now, guest);
            }
            mixer.handle_main(now, &frame);
            mixer.handle_timeout(now);
            self.carry_out(&mut mixer, &mut crew, now, &mut made_ticks).await;
            if kill_at == Some(index) {
                crew.stop().await;
                crew = Crew::new(broadcast, Some(child::EncoderCommand { program: "ffmpeg".into() }), None);
                made_ticks = None;
                mixer.handle_ended(now, 1);
                self.carry_out(&mut mixer, &mut crew, now, &mut made_ticks).await;
            }
        }
        crew.stop().await;
        self.lost = mixer.take_lost();
    }

    async fn carry_out(&mut self, mixer: &mut Mixer, crew: &mut Crew, now: Instant, made_ticks: &mut Option<(i64, i64)>) {
        loop {
            for order in mixer.take_orders() {
                match &order {
                    Order::Begin { main, .. } => *made_ticks = Some((main.ticks, main.ticks)),
                    Order::Tell { word: Word::Main(main), .. } => {
                        *made_ticks = made_ticks.map(|(_, made)| (main.ticks, made));
                    }
                    Order::Tell { .. } => {}
                    Order::End { .. } => *made_ticks = None,
                }
                assert!(crew.carry_out(vec![order]).await.is_empty(), "it keeps up");
            }
            for (track, frame) in mixer.take_frames() {
                self.heard[track.0].push(frame);
            }
            let Some((fed, made)) = *made_ticks else { return };
            if fed - made <= BEHIND * OPUS {
                return;
            }
            match timeout(Duration::from_secs(30), crew.next()).await.expect("a frame comes") {
                (child, Made::Frame { rung, frame }) => {
                    if rung == 0 {
                        *made_ticks = Some((fed, made.max(frame.ticks)));
                    }
                    mixer.handle_made(now, child, Sound::ALL[rung], frame);
                }
                (_, Made::Ended(end)) => panic!("{end}"),
            }
        }
    }

    /// What is heard in each rendition, which has no hole and no step: from where the first frame begins.
    fn sounds(&self) -> [(i64, Vec<f64>); SOUNDS] {
        [0, 1].map(|sound| {
            let frames = &self.heard[sound];
            let steps: Vec<i64> = frames.windows(2).map(|pair| pair[1].ticks - pair[0].ticks).collect();
            assert!(steps.iter().all(|step| *step == FRAMES[sound]), "sound {sound}: {steps:?}");
            (frames[0].ticks, listen(frames))
        })
    }
}

/// The loudness of both tones from `from_s` on behind the beginning of the main sound.
fn tones((first, samples): &(i64, Vec<f64>), from_s: f64, long_s: f64) -> (f64, f64) {
    let from = (from_s * RATE_HZ) as usize - (first - BASE) as usize;
    let part = &samples[from..][..(long_s * RATE_HZ) as usize];
    (loudness(part, MAIN_HZ), loudness(part, GUEST_HZ))
}

/// The largest step of a sample away from where the two before it lead to: a click is one.
fn roughness(samples: &[f64]) -> f64 {
    // What a decoder begins with is no click.
    samples[4800..].windows(3).map(|three| (three[2] - 2.0 * three[1] + three[0]).abs()).fold(0.0, f64::max)
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < expected * 0.12
}

/// Where a tone begins behind `from_s`, seconds behind the beginning of the main sound.
fn onset(sound: &(i64, Vec<f64>), hz: f64, from_s: f64) -> f64 {
    const WINDOW_S: f64 = 0.01;
    let looks = (0..).map(|look| from_s + f64::from(look) * 0.0005);
    let begins = |at_s: &f64| {
        let (main, guest) = tones(sound, at_s - WINDOW_S / 2.0, WINDOW_S);
        (if hz == MAIN_HZ { main } else { guest }) > LOUDNESS / 2.0
    };
    looks.take(2000).find(begins).expect("it begins within a second")
}

#[tokio::test]
async fn both_are_heard_while_a_guest_is_on_air_and_the_main_sound_alone_before_and_after() {
    let main = tone(MAIN_HZ, &LOUDNESS.to_string(), 8.0, |index| BASE + index * OPUS);
    // Their frames lie between those of the main sound.
    let guest = tone(GUEST_HZ, &LOUDNESS.to_string(), 8.0, |index| BASE + 333 + index * OPUS);
    let mut air = Air::new(main, guest, 100..300);
    air.play(None).await;
    assert_eq!(air.lost, 0);
    let sounds = air.sounds();
    for (sound, name) in sounds.iter().zip(["aac", "opus"]) {
        for (from_s, has_guest) in [(1.0, false), (3.0, true), (4.5, true), (6.5, false)] {
            // So short that a tone which is played a little faster for a moment is itself.
            let (main, guest) = tones(sound, from_s, 0.05);
            assert!(near(main, LOUDNESS), "{name}: {main} at {from_s} s");
            assert!(if has_guest { near(guest, LOUDNESS) } else { guest < 0.003 }, "{name}: {guest} at {from_s} s");
        }
        // Half a second from their first frame on they are heard; 300 ms behind their last one they are not.
        for (from_s, has_guest) in [(2.6, true), (6.3, false)] {
            let (_, guest) = tones(sound, from_s, 0.05);
            assert!(if has_guest { guest > LOUDNESS * 0.8 } else { guest < 0.003 }, "{name}: {guest} at {from_s} s");
        }
        // A click would be as large as a sample.
        let rough = roughness(&sound.1);
        assert!(rough < ROUGHNESS_MAX, "{name}: {rough}");
    }
}

#[tokio::test]
async fn a_guest_whose_clock_runs_fast_and_of_whom_packets_are_missing_stays_in_step_with_the_main_sound() {
    /// Two seconds of a thousand: many times what clocks are off by.
    const FAST: f64 = 0.002;
    const OFF_TICKS: i64 = 333;
    let beeps = format!("{LOUDNESS}*between(mod(t,1),0.5,0.9)");
    let main = tone(MAIN_HZ, &beeps, 12.0, |index| BASE + index * OPUS);
    let place = |index: i64| BASE + OFF_TICKS + ((index * OPUS) as f64 * (1.0 - FAST)) as i64;
    let guest = (0..).zip(tone(GUEST_HZ, &beeps, 12.0, place)).filter(|(index, _)| index % 25 != 12).map(|(_, frame)| frame).collect();
    let mut air = Air::new(main, guest, 20..580);
    air.play(None).await;
    for (sound, name) in air.sounds().iter().zip(["aac", "opus"]) {
        for second in [2, 5, 10] {
            let second = f64::from(second);
            let (main, guest) = (onset(sound, MAIN_HZ, second + 0.3), onset(sound, GUEST_HZ, second + 0.3));
            let expected = OFF_TICKS as f64 / RATE_HZ - (second + 0.5) * FAST;
            let off_ms = (guest - main - expected) * 1000.0;
            println!("{name}: {off_ms:.1} ms off at {second} s");
            assert!(off_ms.abs() < 5.0, "{name}: {off_ms} ms at {second} s");
        }
    }
}

#[tokio::test]
async fn a_child_that_dies_leaves_no_hole_and_two_who_shout_are_not_clipped() {
    let main = tone(MAIN_HZ, "0.9", 8.0, |index| BASE + index * OPUS);
    let guest = tone(GUEST_HZ, "0.9", 8.0, |index| BASE + index * OPUS);
    let mut air = Air::new(main, guest, 20..390);
    air.play(Some(150)).await;
    for (sound, name) in air.sounds().iter().zip(["aac", "opus"]) {
        for (from_s, has_guest) in [(1.5, true), (3.4, false), (5.5, true)] {
            let (main, guest) = tones(sound, from_s, 0.3);
            assert!(main > 0.35 && (guest > 0.35) == has_guest, "{name}: {main} and {guest} at {from_s} s");
        }
        let (from, to) = ((1.5 * RATE_HZ) as usize, (2.8 * RATE_HZ) as usize);
        let loudest = sound.1[from..to].iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
        assert!((0.8..1.0).contains(&loudest), "{name}: {loudest}");
    }
}
