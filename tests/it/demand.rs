//! Publishers send only what somebody can use.

use std::time::Duration;

use courtside::limits::LAYER_UNWATCHED_AFTER;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{LayerChoice, SfuEvent};

use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer, Who};

const RIDS: [&str; 3] = ["l", "m", "h"];

/// What a publisher was told last, and how often it was told anything.
fn told(sim: &Sim, publisher: Who) -> (usize, Vec<String>) {
    let words = sim.events_of(publisher).filter_map(|(_, event)| {
        let SfuEvent::Unwatched { rids, .. } = event else { return None };
        Some(rids.iter().map(|rid| rid.as_str().to_owned()).collect())
    });
    let words: Vec<Vec<String>> = words.collect();
    (words.len(), words.last().cloned().unwrap_or_default())
}

/// Runs in small steps, the publisher doing at once what it is told, as our Studio does.
fn run_obedient(sim: &mut Sim, publisher: Who, ms: u64) {
    for _ in 0..ms / 20 {
        sim.run_ms(20);
        let (_, unwatched) = told(sim, publisher);
        for (index, rid) in RIDS.into_iter().enumerate() {
            sim.encoder_mut(publisher).pause_layer(index, unwatched.iter().any(|named| named == rid));
        }
    }
}

fn sees(sim: &Sim, viewer: Who, layer: u8) -> bool {
    sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == layer)
}

const PATIENCE_MS: u64 = LAYER_UNWATCHED_AFTER.as_millis() as u64 + 1_500;

#[test]
fn only_the_smallest_layer_is_sent_for_nobody_and_all_of_them_for_whoever_comes() {
    for workers in [1, 2] {
        let mut sim = Sim::new(40, workers);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
        run_obedient(&mut sim, publisher, PATIENCE_MS);
        assert_eq!(told(&sim, publisher).1, ["m", "h"]);
        // On another worker the newcomer's mirror knows of no layer but the smallest, and wants what there may be.
        let viewer = sim.view(broadcast, &Viewer { worker: workers - 1, ..Viewer::default() });
        run_obedient(&mut sim, publisher, 4_000);
        assert_eq!(told(&sim, publisher).1, [""; 0]);
        assert!(sees(&sim, viewer, 2), "{workers} workers");
        let silence = sim.receiver(viewer).longest_silence(sim.receiver(viewer).seen[0].at, sim.now);
        assert!(silence < Duration::from_millis(200), "a picture all the while: {silence:?}");
        sim.finish();
    }
}

#[test]
fn the_largest_picture_drawn_decides_and_a_layer_is_back_as_soon_as_it_is_wanted() {
    let mut sim = Sim::new(41, 2);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let (small, large) = (sim.view(broadcast, &Viewer::default()), sim.view(broadcast, &Viewer { worker: 1, ..Viewer::default() }));
    run_obedient(&mut sim, publisher, 4_000);
    sim.draw(small, 180);
    sim.draw(large, 360);
    run_obedient(&mut sim, publisher, PATIENCE_MS);
    assert_eq!(told(&sim, publisher).1, ["h"]);
    assert!(sees(&sim, small, 0) && sees(&sim, large, 1));
    sim.draw(large, 180);
    run_obedient(&mut sim, publisher, PATIENCE_MS);
    assert_eq!(told(&sim, publisher).1, ["m", "h"]);
    let before = sim.now;
    sim.draw(large, 1080);
    sim.choose(large, LayerChoice::Spatial(2));
    run_obedient(&mut sim, publisher, 100);
    assert_eq!(told(&sim, publisher).1, [""; 0], "told at once, across workers");
    run_obedient(&mut sim, publisher, 1_900);
    assert!(sees(&sim, large, 2));
    let silence = sim.receiver(large).longest_silence(before, sim.now);
    assert!(silence < Duration::from_millis(200), "the smaller layer plays until then: {silence:?}");
    assert!(sees(&sim, small, 0));
    sim.finish();
}

#[test]
fn someone_who_resizes_a_window_makes_no_layer_come_and_go() {
    let mut sim = Sim::new(42, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    run_obedient(&mut sim, publisher, 4_000);
    let before = told(&sim, publisher).0;
    for height in [180, 720, 0, 720, 100, 1080] {
        sim.draw(viewer, height);
        run_obedient(&mut sim, publisher, 1_000);
    }
    assert_eq!(told(&sim, publisher).0, before);
    sim.finish();
}

#[test]
fn a_paused_layer_is_still_on_offer_and_a_publisher_that_takes_no_notice_does_no_harm() {
    let mut sim = Sim::new(43, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    run_obedient(&mut sim, publisher, PATIENCE_MS + 3_000);
    let layers = sim.events_of(publisher).filter_map(|(_, event)| {
        let SfuEvent::Tracks { tracks, .. } = event else { return None };
        tracks.iter().find(|track| !track.layers.is_empty()).map(|track| track.layers.clone())
    });
    let layers = layers.last().expect("they were reported");
    assert_eq!(layers.iter().map(|layer| layer.active).collect::<Vec<_>>(), [true; 3]);
    assert_eq!(layers.iter().map(|layer| layer.bitrate_bps > 0).collect::<Vec<_>>(), [true, false, false]);
    // From here on nobody tells the encoder anything: it goes on with one layer, and the viewer has that.
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3_000);
    assert!(sees(&sim, viewer, 0));
    sim.finish();
}
