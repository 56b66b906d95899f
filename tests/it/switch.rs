//! A viewer's layer changes: by choice, by what its path carries.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{LayerChoice, SfuEvent};

use crate::support::link::Path;
use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer};

#[test]
fn a_choice_is_followed_up_and_down_without_a_gap() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut sim = Sim::new(3, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::simulcast(codec));
        sim.run_ms(1000);
        let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(0)));
        sim.run_ms(1500);
        for layer in [2, 0, 1, 2, 0] {
            sim.choose(viewer, LayerChoice::Spatial(layer));
            let took = sim.run_until(1500, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == layer));
            assert!(took <= Duration::from_millis(1000), "{codec:?} to {layer}: {took:?}");
            let since = sim.now;
            sim.run_ms(700);
            assert_eq!(sim.receiver(viewer).layers_since(since), [layer]);
            assert_eq!(sim.stats(viewer).expect("it is there").current_layer, Some(layer));
        }
        let receiver = sim.receiver(viewer);
        assert_eq!((receiver.nacked, receiver.lost), (0, 0), "a switch leaves no hole");
        let begin = receiver.seen[0].at;
        assert!(receiver.longest_silence(begin, sim.now) < Duration::from_millis(120), "the old layer plays until the new one does");
        assert!(sim.seats[viewer].judge.switches >= 5);
        sim.finish();
    }
}

#[test]
fn sound_only_stops_the_picture_and_the_picture_comes_back_in_its_place() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut sim = Sim::new(4, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::simulcast(codec));
        let viewer = sim.view(broadcast, &Viewer::default());
        sim.run_ms(2000);
        sim.choose(viewer, LayerChoice::AudioOnly);
        sim.run_ms(200);
        let (video, audio) = (sim.receiver(viewer).seen.len(), sim.receiver(viewer).audio_packets);
        sim.run_ms(2000);
        assert_eq!(sim.receiver(viewer).seen.len(), video, "no picture");
        assert!(sim.receiver(viewer).audio_packets > audio + 90, "sound goes on");
        sim.choose(viewer, LayerChoice::Auto);
        sim.run_ms(1500);
        assert!(sim.receiver(viewer).seen.len() > video + 20);
        sim.finish();
    }
}

#[test]
fn a_narrow_path_gets_a_smaller_layer_and_a_wide_one_the_large_one_again() {
    for reports in [Reports::TransportFeedback, Reports::Remb(400_000)] {
        let mut sim = Sim::new(5, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::simulcast(Codec::H264));
        let viewer = sim.view(broadcast, &Viewer { reports, down: Path::default(), ..Viewer::default() });
        if reports == Reports::TransportFeedback {
            sim.run_ms(6000);
            assert_eq!(sim.receiver(viewer).last_video().expect("a picture").layer, 2, "a clean path carries the best");
            sim.seats[viewer].down.path = Path::narrow(400_000);
        }
        sim.run_ms(8000);
        let since = sim.now;
        sim.run_ms(4000);
        let layers = sim.receiver(viewer).layers_since(since);
        assert!(!layers.contains(&2), "{reports:?}: {layers:?}");
        sim.seats[viewer].down.path = Path::default();
        if reports != Reports::TransportFeedback {
            sim.receiver_mut(viewer).reports = Reports::Remb(5_000_000);
        }
        sim.run_until(90_000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == 2));
        sim.finish();
    }
}

#[test]
fn who_takes_no_retransmissions_climbs_by_trying_and_leaves_what_does_not_fit() {
    let mut sim = Sim::new(6, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer { rtx: false, fec: false, down: Path::narrow(400_000), ..Viewer::default() });
    let shows = |sim: &Sim, layer| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == layer);
    sim.run_ms(30_000);
    let since = sim.now;
    sim.run_ms(30_000);
    let seen = &sim.receiver(viewer).seen;
    let top = seen.iter().filter(|packet| packet.at > since && packet.layer == 2).count();
    let all = seen.iter().filter(|packet| packet.at > since).count();
    assert!(all > 500 && top * 5 < all, "{top} of {all}: tries that fail are rare and short");
    sim.seats[viewer].down.path = Path::default();
    let took = sim.run_until(90_000, |sim| shows(sim, 2));
    sim.run_ms(5000);
    assert!(shows(&sim, 2), "it stays, after {took:?}");
    let [_, _, resent, ..] = sim.seats[viewer].judge.counts();
    assert_eq!(resent, 0);
    sim.finish();
}

#[test]
fn a_layer_that_dies_is_replaced_and_taken_up_again() {
    let mut sim = Sim::new(6, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    sim.run_until(5000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == 2));
    sim.encoder_mut(publisher).pause_layer(2, true);
    let took = sim.run_until(4000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer < 2));
    assert!(took < Duration::from_millis(2500), "{took:?}");
    sim.encoder_mut(publisher).pause_layer(2, false);
    sim.run_until(10_000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == 2));
    let told = sim.events_of(viewer).filter(|(_, event)| matches!(event, SfuEvent::Layer { .. })).count();
    assert!(told >= 3, "the control plane heard of it");
    sim.finish();
}

#[test]
fn nobody_is_sent_pixels_that_nobody_sees() {
    let mut sim = Sim::new(7, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_until(8000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == 2));
    // The smallest layer that fills the lines drawn, however good the path; a choice by hand reaches no further.
    for (height, choice, layer) in [
        (360, LayerChoice::Auto, 1),
        (180, LayerChoice::Auto, 0),
        (181, LayerChoice::Auto, 1),
        (2160, LayerChoice::Auto, 2),
        (200, LayerChoice::Spatial(2), 1),
        (1, LayerChoice::Spatial(0), 0),
        (361, LayerChoice::Auto, 2),
    ] {
        sim.choose(viewer, choice);
        sim.draw(viewer, height);
        sim.run_until(8000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == layer));
        let since = sim.now;
        sim.run_ms(3000);
        assert_eq!(sim.receiver(viewer).layers_since(since), [layer], "{height} lines, {choice:?}");
    }
    sim.finish();
}

#[test]
fn a_picture_that_is_not_drawn_is_not_sent_and_comes_back_in_its_place() {
    let mut sim = Sim::new(8, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let (hidden, watching) = (sim.view(broadcast, &Viewer::default()), sim.view(broadcast, &Viewer::default()));
    sim.run_ms(2000);
    sim.draw(hidden, 0);
    sim.run_ms(200);
    let (video, audio) = (sim.receiver(hidden).seen.len(), sim.receiver(hidden).audio_packets);
    let others = sim.receiver(watching).seen.len();
    sim.run_ms(2000);
    assert_eq!(sim.receiver(hidden).seen.len(), video, "no picture");
    assert!(sim.receiver(hidden).audio_packets > audio + 90, "sound goes on");
    assert!(sim.receiver(watching).seen.len() > others + 100, "and so does everybody else's picture");
    sim.draw(hidden, 720);
    sim.run_until(1500, |sim| sim.receiver(hidden).seen.len() > video + 10);
    let receiver = sim.receiver(hidden);
    assert_eq!((receiver.nacked, receiver.lost), (0, 0), "nothing is missing in between");
    sim.finish();
}
