//! A publisher on one worker, viewers on others.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;

use crate::support::link::Path;
use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};

#[test]
fn a_viewer_on_another_worker_sees_the_picture_as_fast_and_its_worker_unsubscribes() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut sim = Sim::new(27, 3);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        sim.run_ms(1500);
        let viewers: Vec<_> = [1, 2, 1].map(|worker| sim.view(broadcast, &Viewer { worker, ..Viewer::default() })).into();
        let begin = sim.now;
        sim.run_ms(1000);
        for viewer in &viewers {
            let first = sim.receiver(*viewer).seen.first().expect("a picture").at - begin;
            assert!(first < Duration::from_millis(700), "{first:?}");
        }
        for layer in [0, 2, 1] {
            for viewer in &viewers {
                sim.choose(*viewer, LayerChoice::Spatial(layer));
            }
            sim.run_ms(1200);
            assert!(viewers.iter().all(|viewer| sim.receiver(*viewer).last_video().is_some_and(|seen| seen.layer == layer)));
        }
        assert!(sim.seats[viewers[0]].judge.reports_checked >= 2, "the clock came along");
        for viewer in &viewers {
            sim.remove(*viewer);
        }
        sim.run_ms(100);
        assert_eq!(sim.engines[1].sizes(), [0; 6]);
        let forwarded: Vec<u64> = sim.engines.iter().map(|engine| engine.counters.packets_forwarded).collect();
        sim.run_ms(1000);
        assert_eq!(forwarded, sim.engines.iter().map(|engine| engine.counters.packets_forwarded).collect::<Vec<_>>());
        assert!(sim.encoder(publisher).keyframe_requests.iter().all(|at| *at < sim.now - Duration::from_millis(900)), "nobody watches");
        sim.finish();
    }
}

#[test]
fn viewers_elsewhere_follow_a_publisher_that_returns_and_mend_their_losses_there() {
    let mut sim = Sim::new(28, 2);
    let broadcast = sim.broadcast();
    let first = sim.publish(broadcast, Show { first_seq: Some(7), ..Show::simulcast(Codec::Vp8) });
    let viewers: Vec<_> =
        [0, 1, 1].map(|worker| sim.view(broadcast, &Viewer { worker, down: Path::lossy(0.05), ..Viewer::default() })).into();
    sim.run_ms(3000);
    sim.remove(first);
    sim.run_ms(600);
    let second = sim.publish(broadcast, Show { first_seq: Some(7), ..Show::simulcast(Codec::Vp8) });
    sim.run_ms(3000);
    sim.vanish(second);
    sim.run_ms(31_000);
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(3000);
    for viewer in viewers {
        assert!(sim.receiver(viewer).last_video().is_some_and(|seen| sim.now - seen.at < Duration::from_millis(300)));
        assert!(sim.receiver(viewer).repaired > 3);
    }
    sim.finish();
}

#[test]
fn viewers_who_are_there_before_the_publisher_get_its_first_picture_on_every_worker() {
    let mut sim = Sim::new(29, 2);
    let broadcast = sim.broadcast();
    // Its home is where it is first asked for.
    let viewers: Vec<_> = [0, 1].map(|worker| sim.view(broadcast, &Viewer { worker, ..Viewer::default() })).into();
    sim.run_ms(5000);
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let begin = sim.now;
    sim.run_ms(1500);
    for viewer in viewers {
        let first = sim.receiver(viewer).seen.first().expect("a picture").at - begin;
        assert!(first < Duration::from_millis(700), "{first:?}");
    }
    sim.finish();
}
