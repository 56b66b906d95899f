//! The mixer with a child that is imagined: it makes a frame of each sound of what it was told some frames ago. What is out must go on without a hole
//! or a step back whatever happens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::hls_fallback::format::Format;
use crate::hls_fallback::test_support::epoch;

const OPUS: i64 = FRAMES[1];
const AAC: i64 = FRAMES[0];
/// Frames of the main sound by which the child is behind.
const LATE: i64 = 6;
const OWN: &[u8] = &[0xfc, b'o', b'w', b'n'];
const VOICE: &[u8] = &[0xfc, b'v', b'o', b'x'];
const MIXED: &[u8] = &[0xfc, b'm', b'i', b'x'];

fn frame(now: Instant, ticks: i64, data: &'static [u8], format: Format) -> LineFrame {
    LineFrame { ticks, key: true, data: Bytes::from_static(data), format: Some(Arc::new(format)), received: now }
}

struct Child {
    id: u32,
    base: i64,
    aac_skips: i64,
    /// What it was told of the guest: where, how long, and whether it is a voice.
    guest: Vec<(i64, i64, bool)>,
    newest: i64,
    made: [i64; SOUNDS],
}

struct Desk {
    mixer: Mixer,
    start: Instant,
    /// Which frame of the main sound is next.
    at: i64,
    aac: i64,
    child: Option<Child>,
    ended: Vec<Why>,
    is_mute: bool,
    heard: [Vec<LineFrame>; SOUNDS],
}

/// Whether there is a guest at frame `.0`, and by how many frames they are late then.
type Voice = dyn Fn(i64) -> Option<i64>;

impl Desk {
    fn new() -> Self {
        Self {
            mixer: Mixer::default(),
            start: epoch(),
            at: 0,
            aac: 0,
            child: None,
            ended: Vec::new(),
            is_mute: false,
            heard: [Vec::new(), Vec::new()],
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.at as u64 * 20)
    }

    fn set_wanted(&mut self, is_wanted: bool) {
        self.mixer.set_wanted(self.now(), is_wanted);
        self.carry_out();
    }

    /// So many frames of the main sound; of the guest that which `voice` says arrives now.
    fn play(&mut self, frames: i64, voice: &Voice) {
        for _ in 0..frames {
            let (now, ticks) = (self.now(), self.at * OPUS);
            self.mixer.handle_own(Sound::Opus, TrackId(1), frame(now, ticks, OWN, Format::Opus));
            while self.aac + AAC <= ticks {
                self.mixer.handle_own(Sound::Aac, TrackId(0), frame(now, self.aac, OWN, Format::Aac));
                self.aac += AAC;
            }
            if let Some(late) = voice(self.at) {
                self.mixer.handle_guest(now, frame(now, (self.at - late) * OPUS + 333, VOICE, Format::Opus));
            }
            self.mixer.handle_main(now, &frame(now, ticks, OWN, Format::Opus));
            self.carry_out();
            self.make(now);
            if self.mixer.wake_at().is_some_and(|due| due <= now) {
                self.mixer.handle_timeout(now);
                self.carry_out();
                assert!(self.mixer.wake_at().is_none_or(|due| due > now), "it would not sleep");
            }
            self.at += 1;
        }
    }

    fn carry_out(&mut self) {
        for order in self.mixer.take_orders() {
            match order {
                Order::Begin { child, work, main, guest } => {
                    let Work::Sound(mix) = work else { panic!("{work:?}") };
                    let (base, aac_skips) = (main.ticks, i64::from(mix.aac_skips));
                    let guest = guest.iter().map(|first| (first.ticks, end_of(first) - first.ticks, false)).collect();
                    self.child = Some(Child { id: child, base, aac_skips, guest, newest: base, made: [0; SOUNDS] });
                }
                Order::Tell { child, word } => {
                    let told = self.child.as_mut().filter(|told| told.id == child).expect("it runs");
                    match word {
                        Word::Main(main) => {
                            let covered = told.guest.last().map(|(ticks, length, _)| ticks + length).expect("it began with something");
                            assert!(covered + opus::SILENCE_MIN > main.ticks + OPUS, "the guest is there first: {covered}, {}", main.ticks);
                            told.newest = main.ticks;
                        }
                        Word::Guest(guest) => told.guest.push((guest.ticks, end_of(&guest) - guest.ticks, guest.data == VOICE)),
                        Word::GuestGone => panic!("silence is what it is given"),
                    }
                }
                Order::End { child, why } => {
                    assert_eq!(self.child.take().map(|ended| ended.id), Some(child));
                    self.ended.push(why);
                }
            }
        }
        for (track, frame) in self.mixer.take_frames() {
            self.heard[track.0].push(frame);
        }
    }

    fn make(&mut self, now: Instant) {
        let Some(child) = self.child.as_mut().filter(|_| !self.is_mute) else { return };
        let mut made = Vec::new();
        for (sound, format) in [(0, Format::Aac), (1, Format::Opus)] {
            let skipped = if sound == 0 { child.aac_skips } else { 0 };
            loop {
                let ticks = child.base + skipped + child.made[sound] * FRAMES[sound];
                if ticks + LATE * OPUS > child.newest {
                    break;
                }
                child.made[sound] += 1;
                made.push((child.id, sound, frame(now, ticks, MIXED, format.clone())));
            }
        }
        for (child, sound, frame) in made {
            self.mixer.handle_made(now, child, Sound::ALL[sound], frame);
        }
        self.carry_out();
    }

    fn die(&mut self) {
        let child = self.child.take().expect("one runs");
        self.mixer.handle_ended(self.now(), child.id);
        self.carry_out();
    }

    /// In which frame of the main sound each rendition changes to the mix and back: nothing is missing in it.
    fn changes(&self) -> [Vec<i64>; SOUNDS] {
        [0, 1].map(|sound| {
            let steps: Vec<i64> = self.heard[sound].windows(2).map(|pair| pair[1].ticks - pair[0].ticks).collect();
            assert!(steps.iter().all(|step| *step == FRAMES[sound]), "sound {sound}: {steps:?}");
            let changes = self.heard[sound].windows(2).filter(|pair| pair[0].data != pair[1].data);
            changes.map(|pair| pair[1].ticks / OPUS).collect()
        })
    }
}

#[test]
fn a_guest_is_heard_from_soon_after_they_come_to_where_they_go_and_nothing_is_missing() {
    let mut desk = Desk::new();
    desk.play(50, &|_| None);
    desk.set_wanted(true);
    desk.play(200, &|_| Some(3));
    desk.set_wanted(false);
    desk.play(50, &|_| Some(3));
    let [aac, opus] = desk.changes();
    assert!(matches!(opus[..], [50..=65, 248..=250]), "{opus:?}");
    assert!(matches!(aac[..], [50..=65, 248..=250]), "{aac:?}");
    assert!(desk.child.is_none() && desk.ended == [Why::Done]);
    assert_eq!(desk.mixer.take_lost(), 0);
}

#[test]
fn a_guest_without_sound_costs_nothing_and_one_who_falls_silent_is_parted_with_and_taken_in_again() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.play(100, &|_| None);
    assert!(desk.child.is_none());
    desk.play(100, &|_| Some(3));
    assert!(desk.child.is_some());
    desk.play(200, &|_| None);
    assert!(desk.child.is_none() && desk.ended == [Why::Done]);
    desk.play(100, &|_| Some(3));
    let [aac, opus] = desk.changes();
    // The last of them came in 199, two seconds before 299.
    assert!(matches!(opus[..], [100..=115, 298..=302, 400..=415]), "{opus:?}");
    assert_eq!(aac.len(), 3, "{aac:?}");
}

#[test]
fn what_is_missing_of_a_guest_is_silence_of_its_length_in_its_place() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.play(100, &|at| (at % 7 > 1).then_some(3));
    let child = desk.child.as_ref().expect("it runs");
    let mut at = child.base;
    for (ticks, length, is_voice) in &child.guest {
        assert!((0..opus::SILENCE_MIN).contains(&(ticks - at)), "{ticks} behind {at}");
        if *is_voice {
            assert_eq!((ticks - 333).rem_euclid(OPUS), 0, "where it was said");
        }
        at = ticks + length;
    }
    let voices = child.guest.iter().filter(|(_, _, is_voice)| *is_voice).count();
    assert!((60..75).contains(&voices), "{voices}");
    assert_eq!(desk.mixer.take_lost(), 0);
    assert_eq!(desk.changes()[1].len(), 1);
}

#[test]
fn the_main_sound_waits_for_a_guest_and_not_for_long_and_what_comes_later_is_counted() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    // 15 frames are 300 ms: in time.
    desk.play(100, &|_| Some(15));
    assert_eq!(desk.mixer.take_lost(), 0);
    let waits = desk.mixer.child.as_ref().expect("it runs").waiting.len();
    assert!((14..=17).contains(&waits), "{waits}");
    desk.play(100, &|_| Some(30));
    let waits = desk.mixer.child.as_ref().expect("it runs").waiting.len();
    assert!((16..=18).contains(&waits), "350 ms: {waits}");
    assert!(desk.mixer.take_lost() > 60);
    assert_eq!(desk.changes()[1].len(), 1);
}

#[test]
fn a_child_that_dies_costs_nothing_but_the_voice_and_is_begun_again() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.play(150, &|_| Some(3));
    desk.die();
    desk.play(150, &|_| Some(3));
    let [aac, opus] = desk.changes();
    assert!(matches!(opus[..], [0..=15, 138..=150, 195..=215]), "{opus:?}");
    assert_eq!(aac.len(), 3, "{aac:?}");
}

#[test]
fn a_child_that_says_nothing_is_ended_and_the_next_waits_longer() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.is_mute = true;
    desk.play(1500, &|_| Some(3));
    assert!(desk.ended.iter().all(|why| *why == Why::Lags));
    assert!((4..=6).contains(&desk.ended.len()), "{:?}", desk.ended);
    assert!(desk.changes().iter().all(Vec::is_empty));
}

#[test]
fn a_child_that_falls_silent_in_the_middle_is_made_good_by_what_was_kept() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.play(150, &|_| Some(3));
    desk.is_mute = true;
    desk.play(150, &|_| Some(3));
    assert_eq!(desk.ended, [Why::Lags]);
    assert_eq!(desk.changes()[1].len(), 2);
    assert_eq!(desk.heard[1].last().map(|frame| frame.ticks), Some(299 * OPUS));
}

#[test]
fn a_line_that_begins_anew_takes_the_child_with_it() {
    let mut desk = Desk::new();
    desk.set_wanted(true);
    desk.play(100, &|_| Some(3));
    desk.mixer.restart();
    desk.carry_out();
    assert!(desk.child.is_none() && desk.ended == [Why::Done]);
    assert!(desk.mixer.wake_at().is_none());
}
