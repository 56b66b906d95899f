//! A guest on air, from packets to segments, with a child that is imagined: what comes of a change there and back, of a guest who falls silent, and of a
//! child that dies. Times must go on without a hole or a step back, under the same numbers in both renditions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::duet::{Order, Why, Word, Work};
use super::format::Format;
use super::pipeline::{Encoders, Pipeline};
use super::programme::Layout;
use super::segment::Step;
use super::test_support::{FIRST_MSN, Numbers, PART_MS, Publisher, each_two_seconds};
use super::track::LineFrame;
use crate::sfu::tap::TapRun;

const COMPOSED: &[u8] = b"main picture and guest";
/// Pictures by which the child is behind.
const LATE: u32 = 6;

struct Child {
    sizes: Vec<(u16, u16)>,
    guest: usize,
    has_guest: bool,
    /// With the number of the picture that was newest when it was told.
    waiting: VecDeque<(u32, LineFrame)>,
}

/// One part of a rendition.
#[derive(Debug)]
struct Seen {
    composed: bool,
    independent: bool,
    /// Where it begins on the line.
    start_s: f64,
    duration_s: f64,
}

struct Show {
    main: Publisher,
    guest: Publisher,
    numbers: (Numbers, Numbers),
    pipeline: Pipeline,
    children: BTreeMap<u32, Child>,
    ended: Vec<(u32, Why)>,
    steps: BTreeMap<usize, Vec<Step>>,
    is_mute: bool,
    /// The longest hole between two segments that is no fault.
    hole_s: f64,
}

impl Show {
    fn new() -> Self {
        let mut guest = Publisher::new();
        guest.source = 2;
        Self {
            main: Publisher::new(),
            guest,
            numbers: (Numbers::default(), Numbers::default()),
            pipeline: Pipeline::new(FIRST_MSN, PART_MS, Encoders { sound: false, ladder: true, programme: true }),
            children: BTreeMap::new(),
            ended: Vec::new(),
            steps: BTreeMap::new(),
            is_mute: false,
            hole_s: 0.001,
        }
    }

    fn set_guest(&mut self, frame: u32, layout: Option<Layout>) {
        let now = self.main.at(frame);
        self.pipeline.set_guest(now, layout);
        self.carry_out(frame);
    }

    fn play(&mut self, frames: std::ops::Range<u32>, with_guest: bool) {
        for frame in frames {
            let now = self.main.at(frame);
            let sound = self.main.sound_until(frame);
            let pictures: Vec<TapRun> = (0..2).map(|layer| self.main.picture(layer, frame, each_two_seconds(layer, frame))).collect();
            for run in sound.into_iter().chain(pictures) {
                let run = self.numbers.0.renumbered(run);
                self.pipeline.handle_run(now, &run);
                self.carry_out(frame);
            }
            if with_guest {
                // Its key frames are elsewhere.
                let run = self.guest.picture(1, frame, frame % 60 == 17);
                let run = self.numbers.1.renumbered(run);
                self.pipeline.handle_guest_run(now, &run);
            }
            self.pipeline.handle_timeout(now);
            self.carry_out(frame);
            self.make(now, frame);
        }
    }

    fn carry_out(&mut self, frame: u32) {
        for order in self.pipeline.take_orders() {
            match order {
                Order::Begin { child, work, main, guest } => {
                    let Work::Picture(programme) = work else { panic!("{work:?}") };
                    assert!(main.key && guest[0].key && guest[0].format.is_some());
                    let sizes = programme.rungs.iter().map(|rung| (rung.width, rung.height)).collect();
                    let made = Child { sizes, guest: guest.len(), has_guest: true, waiting: VecDeque::from([(frame, main)]) };
                    self.children.insert(child, made);
                }
                Order::Tell { child, word } => {
                    let child = self.children.get_mut(&child).expect("it was begun");
                    match word {
                        Word::Main(main) => child.waiting.push_back((frame, main)),
                        Word::Guest(_) => child.guest += 1,
                        Word::GuestGone => child.has_guest = false,
                    }
                }
                Order::End { child, why } => {
                    self.children.remove(&child);
                    self.ended.push((child, why));
                }
            }
        }
        for (track, step) in self.pipeline.take_steps() {
            self.steps.entry(track.0).or_default().push(step);
        }
    }

    /// What the children make of what they were told `LATE` pictures ago.
    fn make(&mut self, now: Instant, frame: u32) {
        let mut made = Vec::new();
        for (id, child) in &mut self.children {
            while !self.is_mute && child.waiting.front().is_some_and(|(told, _)| told + LATE <= frame) {
                let (_, source) = child.waiting.pop_front().expect("just seen");
                for (rung, (width, height)) in child.sizes.iter().enumerate() {
                    let format = Format::H264 { sps: Bytes::from_static(b"gMPQ"), pps: Vec::new(), width: *width, height: *height };
                    let format = source.key.then(|| Arc::new(format));
                    let data = Bytes::from_static(COMPOSED);
                    made.push((*id, rung, LineFrame { ticks: source.ticks, key: source.key, data, format, received: now }));
                }
            }
        }
        for (child, rung, frame) in made {
            self.pipeline.handle_made(now, child, rung, frame);
        }
        self.carry_out(frame);
    }

    fn die(&mut self, frame: u32) {
        let child = *self.children.keys().next_back().expect("one runs");
        self.children.remove(&child);
        self.pipeline.handle_ended(self.main.at(frame), child);
        self.carry_out(frame);
    }

    /// The parts of both renditions, which go on without a hole, a gap or a step back.
    fn pictures(&self) -> [Vec<Seen>; 2] {
        let mut starts: Vec<BTreeMap<u64, i64>> = Vec::new();
        let pictures = self.steps.values().filter(|steps| matches!(&steps[0], Step::Init { format, .. } if format.size().is_some()));
        let seen: Vec<Vec<Seen>> = pictures
            .map(|steps| {
                let (mut seen, mut at_s, mut begun) = (Vec::new(), None::<f64>, BTreeMap::new());
                for step in steps {
                    match step {
                        Step::Open(opening) => {
                            let start_s = opening.ticks as f64 / 90_000.0;
                            let hole_s = at_s.map_or(0.0, |at| start_s - at);
                            assert!((-0.001..=self.hole_s).contains(&hole_s), "{at_s:?} and then {start_s}");
                            at_s = Some(start_s);
                            begun.insert(opening.msn, opening.ticks);
                        }
                        Step::Part(part) => {
                            let start_s = at_s.expect("a segment is open");
                            at_s = Some(start_s + part.duration_s);
                            let composed = part.data.windows(COMPOSED.len()).any(|bytes| bytes == COMPOSED);
                            seen.push(Seen { composed, independent: part.independent, start_s, duration_s: part.duration_s });
                        }
                        Step::Init { .. } | Step::Close { .. } => {}
                        Step::Gap { .. } => panic!("a gap"),
                    }
                }
                starts.push(begun);
                seen
            })
            .collect();
        assert_eq!(starts[0], starts[1], "numbers are the same moments in both");
        seen.try_into().expect("two renditions")
    }

    /// Where hands change: the places of parts, and whose they are from there on. Each begins with a key frame.
    fn changes(&self) -> Vec<(bool, i64)> {
        let [small, large] = self.pictures().map(|parts| {
            let (first_s, mut changes, mut is_composed) = (parts[0].start_s, Vec::new(), false);
            for part in parts {
                if part.composed != is_composed {
                    assert!(part.independent);
                    is_composed = part.composed;
                    changes.push((is_composed, ((part.start_s - first_s) * 30.0).round() as i64));
                }
            }
            changes
        });
        assert_eq!(small, large);
        large
    }

    fn longest_part_s(&self) -> f64 {
        self.pictures().iter().flatten().map(|part| part.duration_s).fold(0.0, f64::max)
    }
}

#[test]
fn a_guest_comes_and_goes_at_key_frames_of_the_main_picture_without_a_hole() {
    let mut show = Show::new();
    show.play(0..70, false);
    show.set_guest(70, Some(Layout::Inset));
    show.play(70..400, true);
    assert_eq!(show.children.len(), 1);
    let child = show.children.values().next().expect("one child was begun");
    assert_eq!(child.sizes, [(320, 180), (1280, 720)]);
    assert!(child.guest > 200, "it is given the guest's picture: {}", child.guest);
    show.set_guest(400, None);
    assert!(!show.children.values().next().expect("one child was begun").has_guest, "nobody is shown any longer, at once");
    show.play(400..600, false);
    assert!(show.children.is_empty() && show.ended == [(1, Why::Done)]);
    // The guest's first key frame is picture 77; they have come steadily for a second at 120, and the child's key frame there is too late for that one.
    assert_eq!(show.changes(), [(true, 180), (false, 420)]);
    assert!(show.longest_part_s() < 0.335);
}

#[test]
fn another_layout_is_another_child_and_one_follows_the_other_without_a_hole() {
    let mut show = Show::new();
    show.set_guest(0, Some(Layout::SideBySide));
    show.play(0..250, true);
    show.set_guest(250, Some(Layout::GuestOnly));
    show.play(250..500, true);
    assert_eq!(show.ended, [(1, Why::Done)]);
    assert_eq!(show.children.keys().collect::<Vec<_>>(), [&2]);
    assert_eq!(show.changes().len(), 1, "never the main picture alone");
    assert!(show.longest_part_s() < 0.335);
}

#[test]
fn a_guest_who_falls_silent_is_left_out_at_once_and_taken_in_again() {
    let mut show = Show::new();
    show.set_guest(0, Some(Layout::Inset));
    show.play(0..250, true);
    show.play(250..262, false);
    assert!(!show.children[&1].has_guest, "after 300 ms");
    show.play(262..400, false);
    assert!(show.children.is_empty());
    show.play(400..700, true);
    assert_eq!(show.children.len(), 1);
    let changes = show.changes();
    assert_eq!(changes.iter().map(|(is_composed, _)| *is_composed).collect::<Vec<_>>(), [true, false, true], "{changes:?}");
    assert_eq!(changes[1].1, 300);
    assert!(show.longest_part_s() < 0.335);
}

#[test]
fn a_child_that_dies_costs_what_is_left_of_a_group_and_is_begun_again() {
    let mut show = Show::new();
    show.set_guest(0, Some(Layout::Inset));
    show.play(0..250, true);
    show.die(250);
    // Up to the next key frame, at most a segment.
    show.hole_s = 2.0;
    show.play(250..700, true);
    let changes = show.changes();
    assert_eq!(changes.iter().map(|(is_composed, _)| *is_composed).collect::<Vec<_>>(), [true, false, true], "{changes:?}");
    assert_eq!(changes[1].1, 300);
}

#[test]
fn a_child_that_says_nothing_is_ended_and_the_next_waits_longer() {
    let mut show = Show::new();
    show.set_guest(0, Some(Layout::Inset));
    show.is_mute = true;
    show.play(0..1000, true);
    assert!(show.ended.iter().all(|(_, why)| *why == Why::Lags));
    // At 120, and then behind 1, 2, 4 and 8 s, each with a key frame.
    assert!((3..=6).contains(&show.ended.len()), "{:?}", show.ended);
    assert!(show.changes().is_empty() && show.longest_part_s() < 0.335, "nobody notices");
}

#[test]
fn a_line_that_begins_anew_takes_the_child_with_it() {
    let mut show = Show::new();
    show.set_guest(0, Some(Layout::Inset));
    show.play(0..250, true);
    assert_eq!(show.children.len(), 1);
    show.main.source = 9;
    show.play(250..252, true);
    assert!(show.children.is_empty() && show.ended == [(1, Why::Done)]);
}
