//! Where segments begin and end, from packets to the shelf.

use super::shelf::{Rendition, Segment};
use super::test_support::{FIRST_MSN, MEDIA_MS, Rig, each_two_seconds};
use crate::limits::{HLS_CLOCK_WAIT, HLS_SEGMENT_MAX_MS, HLS_TARGET_DURATION_S};

/// Number, media time of the beginning, and length of each closed segment.
fn cuts(rendition: &Rendition) -> Vec<(u64, i64, i64)> {
    let cut = |segment: &Segment| {
        let begins = (segment.opening.media_ms - MEDIA_MS).round() as i64;
        (segment.opening.msn - FIRST_MSN, begins, (segment.duration_s.unwrap() * 1000.0).round() as i64)
    };
    rendition.segments.iter().map(|segment| cut(segment)).collect()
}

fn rendition(rig: &Rig, name: &str) -> Rendition {
    rig.store.newest().rendition(name).unwrap_or_else(|| panic!("there is no {name}")).clone()
}

#[test]
fn layers_are_cut_at_the_same_picture_under_the_same_number() {
    let mut rig = Rig::new();
    rig.play(0..250, &[0, 1], each_two_seconds);
    let expected = [(0, 0, 2000), (1, 2000, 2000), (2, 4000, 2000), (3, 6000, 2000)];
    // The layer whose key frame came first is 3 ms off, and the line goes over to the leader's clock.
    let found = cuts(&rendition(&rig, "v1"));
    for ((msn, begins, length), (expected_msn, expected_begins, expected_length)) in found.iter().zip(expected) {
        assert_eq!((*msn, *length), (expected_msn, expected_length));
        assert!((begins - expected_begins).abs() <= 3, "segment {msn} begins at {begins}");
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(cuts(&rendition(&rig, "v0")), found);
    let [low, high] =
        ["v0", "v1"].map(|name| rendition(&rig, name).segments.iter().map(|segment| segment.opening.ticks).collect::<Vec<_>>());
    assert_eq!(low, high, "to the tick");
    for ((sound_msn, sound_begins, _), (msn, begins, _)) in cuts(&rendition(&rig, "opus")).into_iter().zip(found) {
        assert_eq!(sound_msn, msn);
        assert!((sound_begins - begins).abs() <= 13, "sound begins {sound_begins}, the picture {begins}");
    }
}

#[test]
fn parts_are_as_long_as_they_may_be_and_begin_anew_at_key_frames() {
    let mut rig = Rig::new();
    // An encoder that adds a key frame at a change of scene.
    rig.play(0..200, &[1], |_, frame| frame.is_multiple_of(60) || frame == 85);
    let high = rendition(&rig, "v1");
    let parts = |segment: &Segment| segment.parts.iter().map(|part| (part.frames, part.independent)).collect::<Vec<_>>();
    assert_eq!(parts(&high.segments[0]), [(10, true), (10, false), (10, false), (10, false), (10, false), (10, false)]);
    assert_eq!(parts(&high.segments[1]), [(10, true), (10, false), (5, false), (10, true), (10, false), (10, false), (5, false)]);
    assert!(high.segments.iter().flat_map(|segment| &segment.parts).all(|part| part.duration_s <= 0.334));
}

#[test]
fn without_a_key_frame_a_segment_ends_before_the_target_duration_is_exceeded() {
    let mut rig = Rig::new();
    rig.play(0..200, &[0, 1], |_, frame| frame == 0 || frame == 130);
    let high = rendition(&rig, "v1");
    assert_eq!(high.segments[0].duration_s, Some(HLS_SEGMENT_MAX_MS / 1000.0));
    assert_eq!(high.segments.iter().map(|segment| segment.parts[0].independent).collect::<Vec<_>>(), [true, false]);
    for name in ["v0", "v1", "opus"] {
        let longest = rendition(&rig, name).segments.iter().filter_map(|segment| segment.duration_s).fold(0.0, f64::max);
        assert!(longest.round() <= f64::from(HLS_TARGET_DURATION_S), "{name}: {longest}");
    }
    assert_eq!(cuts(&rendition(&rig, "v0"))[..1], cuts(&high)[..1], "layers are cut there all the same");
}

#[test]
fn a_layer_that_lacks_its_key_frame_goes_on_under_the_next_number() {
    let mut rig = Rig::new();
    rig.play(0..250, &[0, 1], |layer, frame| each_two_seconds(layer, frame) && (layer, frame) != (0, 120));
    let low = rendition(&rig, "v0");
    let begins: Vec<_> = low.segments.iter().map(|segment| (segment.opening.msn - FIRST_MSN, segment.parts[0].independent)).collect();
    assert_eq!(begins, [(0, true), (1, true), (2, false), (3, true)]);
    assert_eq!(cuts(&low)[2].1 - cuts(&rendition(&rig, "v1"))[2].1, 200, "it was waited for");
}

#[test]
fn a_layer_that_pauses_leaves_gaps_and_comes_back_with_a_key_frame() {
    let mut rig = Rig::new();
    rig.play(0..90, &[0, 1], each_two_seconds);
    rig.play(90..310, &[0], each_two_seconds);
    let high = rendition(&rig, "v1");
    assert!(high.open.is_none(), "nothing is hinted at while it is away");
    rig.play(310..430, &[0, 1], each_two_seconds);
    let (low, high) = (rendition(&rig, "v0"), rendition(&rig, "v1"));
    let numbers = |rendition: &Rendition| rendition.segments.iter().map(|segment| segment.opening.msn - FIRST_MSN).collect::<Vec<_>>();
    assert_eq!(numbers(&low), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(&high), [0, 1, 2, 3, 4, 5, 6]);
    let gaps: Vec<bool> = high.segments.iter().map(|segment| segment.is_gap).collect();
    assert_eq!(gaps, [false, false, true, true, true, true, false]);
    for (paused, other) in high.segments.iter().zip(&low.segments) {
        assert!((paused.opening.media_ms - other.opening.media_ms).abs() < 1.0);
    }
}

#[test]
fn a_layer_that_joins_late_begins_with_a_segment_of_the_others() {
    let mut rig = Rig::new();
    rig.play(0..100, &[0], each_two_seconds);
    rig.play(100..300, &[0, 1], |layer, frame| each_two_seconds(layer, frame) || (layer, frame) == (1, 100));
    let high = rendition(&rig, "v1");
    assert_eq!(high.segments[0].opening.msn, FIRST_MSN + 2);
    assert_eq!(high.segments[0].opening.ticks, rendition(&rig, "v0").segments[2].opening.ticks);
}

#[test]
fn a_publisher_that_returns_begins_a_discontinuity_under_the_next_number_everywhere() {
    let mut rig = Rig::new();
    rig.play(0..130, &[0, 1], each_two_seconds);
    rig.publisher.source += 1;
    rig.publisher.layers.iter_mut().for_each(|layer| layer.first_rtp = layer.first_rtp.wrapping_add(777_777));
    rig.play(150..400, &[0, 1], |_, frame| frame % 60 == 30);
    let expected = [(0, false), (1, false), (2, false), (3, true), (4, false)];
    for name in ["v0", "v1", "opus"] {
        let found = rendition(&rig, name);
        let found: Vec<_> = found.segments.iter().map(|segment| (segment.opening.msn - FIRST_MSN, segment.opening.discontinuity)).collect();
        assert_eq!(found[..expected.len()], expected, "{name}");
    }
}

#[test]
fn a_layer_that_changes_its_size_gets_a_new_map_with_its_next_segment() {
    let mut rig = Rig::new();
    rig.play(0..150, &[1], each_two_seconds);
    rig.publisher.layers[1].is_large = false;
    rig.play(150..300, &[1], |_, frame| frame.is_multiple_of(60) || frame == 150);
    let high = rendition(&rig, "v1");
    let sizes: Vec<_> = high.inits.iter().map(|init| (init.number - FIRST_MSN, init.format.size().unwrap())).collect();
    assert_eq!(sizes, [(0, (1280, 720)), (3, (320, 180))]);
    assert_eq!(high.segments[3].init, FIRST_MSN + 3);
    assert_eq!(cuts(&high)[2..4], [(2, 4000, 1000), (3, 5000, 2900)], "the size begins where it changed");
    assert!(high.segments[3].opening.discontinuity);
}

#[test]
fn a_line_that_cannot_begin_yet_is_waited_for_and_not_asked_after() {
    let mut rig = Rig::new();
    let began = rig.publisher.at(0);
    let mut unknown = rig.publisher.picture(1, 0, true);
    (unknown.clock, unknown.clock_is_real) = (None, false);
    rig.take(began, unknown);
    assert_eq!(rig.pipeline.wake_at(began), Some(began + HLS_CLOCK_WAIT));
    let late = began + HLS_CLOCK_WAIT;
    rig.pipeline.handle_timeout(late);
    assert_eq!((rig.pipeline.origin_ms(), rig.pipeline.wake_at(late)), (None, None), "awake for nothing, the packager would spin");
    let mut known = rig.publisher.picture(1, 1, false);
    known.clock_is_real = false;
    rig.take(late, known);
    assert!(rig.pipeline.origin_ms().is_some(), "the first clock will do");
}

#[test]
fn sound_alone_is_cut_each_two_seconds() {
    let mut rig = Rig::new();
    for frame in 0..300 {
        let now = rig.publisher.at(frame);
        for run in rig.publisher.sound_until(frame) {
            rig.take(now, run);
        }
    }
    assert_eq!(cuts(&rendition(&rig, "opus")), [(0, 0, 2000), (1, 2000, 2000), (2, 4000, 2000), (3, 6000, 2000)]);
}

#[test]
fn a_publisher_that_freezes_and_goes_on_leaves_no_segment_longer_than_the_target() {
    let mut rig = Rig::new();
    rig.play(0..100, &[0, 1], each_two_seconds);
    // Five seconds of nothing, of sound neither.
    rig.publisher.sound_until(260);
    rig.play(260..420, &[0, 1], |_, frame| frame % 60 == 20);
    for name in ["v0", "v1", "opus"] {
        let found = rendition(&rig, name);
        let numbers: Vec<_> = found.segments.iter().map(|segment| segment.opening.msn - FIRST_MSN).collect();
        assert_eq!(numbers[..3], [0, 1, 2], "{name}");
        assert_eq!(found.segments.iter().filter(|segment| segment.opening.discontinuity).count(), 1, "{name}");
        let longest = found.segments.iter().filter_map(|segment| segment.duration_s).fold(0.0, f64::max);
        assert!(longest.round() <= f64::from(HLS_TARGET_DURATION_S), "{name}: {longest}");
    }
}

#[test]
fn a_clock_that_jumps_begins_another_line_and_stops_nothing() {
    for jump in [90_000 * 3600, 0_u32.wrapping_sub(90_000 * 3600)] {
        let mut rig = Rig::new();
        rig.play(0..130, &[1], each_two_seconds);
        // Timestamps jump, and the next sender report comes a second later.
        rig.publisher.jump = jump;
        rig.play(130..160, &[1], each_two_seconds);
        rig.publisher.reported_jump = jump;
        rig.play(160..600, &[1], each_two_seconds);
        let high = rendition(&rig, "v1");
        assert!(high.segments.len() >= 5, "{jump}: {}", high.segments.len());
        let longest = high.segments.iter().filter_map(|segment| segment.duration_s).fold(0.0, f64::max);
        assert!(longest.round() <= f64::from(HLS_TARGET_DURATION_S), "{jump}: {longest}");
    }
}
