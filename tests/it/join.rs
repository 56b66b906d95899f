//! Viewers join.

use std::time::Duration;

use courtside::limits;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{LayerChoice, SfuEvent};

use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer};

#[test]
fn a_viewer_sees_the_picture_within_a_round_trip_and_a_key_frame() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut sim = Sim::new(1, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        sim.run_ms(2500);
        let viewer = sim.view(broadcast, &Viewer::default());
        // Check, handshake (two round trips), request, key frame: 40 ms each way and a frame.
        let took = sim.run_until(1000, |sim| sim.receiver(viewer).last_video().is_some());
        assert!(took <= Duration::from_millis(600), "{codec:?}: {took:?}");
        sim.run_ms(4000);
        assert!(sim.receiver(viewer).seen.len() > 150);
        assert!(sim.receiver(viewer).audio_packets > 150);
        assert!(sim.seats[viewer].judge.reports_checked >= 3, "sender reports came");
        let told = sim.events_of(viewer).filter(|(_, event)| matches!(event, SfuEvent::Playing { .. })).count();
        assert!(told >= 1, "playing");
        assert!(sim.encoder(publisher).keyframes >= 2);
        sim.finish();
    }
}

#[test]
fn fifty_viewers_at_once_cost_the_publisher_one_key_frame_per_interval() {
    let mut sim = Sim::new(2, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(2000);
    let joined = sim.now;
    let reports = Reports::TransportFeedback;
    let viewers: Vec<_> =
        (0..50).map(|_| sim.view(broadcast, &Viewer { reports, choice: LayerChoice::Spatial(0), ..Viewer::default() })).collect();
    sim.run_ms(2000);
    for viewer in viewers {
        let first = sim.receiver(viewer).seen.first().expect("a picture");
        assert!(first.at - joined < Duration::from_millis(1000), "{:?}", first.at - joined);
    }
    let requests = &sim.encoder(publisher).keyframe_requests;
    let closest = requests.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert!(closest.is_none_or(|closest| closest >= limits::KEYFRAME_REQUEST_INTERVAL_MIN - Duration::from_millis(1)), "{closest:?}");
    assert!(requests.iter().filter(|at| **at >= joined).count() <= 4);
    sim.finish();
}
