//! Publishers come, go, come back, and are told when they cannot be served.

use std::time::Duration;

use courtside::limits;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{LayerChoice, PeerGone, PublisherProblem, SfuError, SfuEvent};
use courtside::sfu::stats::DropReason;

use crate::support::link::Path;
use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};

#[test]
fn a_publisher_that_returns_with_other_streams_and_another_codec_is_seen_on_the_same_track() {
    let codecs = [Codec::Vp8, Codec::Vp8, Codec::H264, Codec::Vp8];
    let mut sim = Sim::new(18, 1);
    let broadcast = sim.broadcast();
    let viewers: Vec<_> = (0..3).map(|_| sim.view(broadcast, &Viewer { down: Path::lossy(0.02), ..Viewer::default() })).collect();
    for codec in codecs {
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        let begin = sim.now;
        sim.run_ms(4000);
        for viewer in &viewers {
            let first = sim.receiver(*viewer).seen.iter().find(|seen| seen.at > begin).expect("a picture");
            assert!(first.at - begin < Duration::from_millis(800), "{codec:?}: {:?}", first.at - begin);
            assert!(sim.receiver(*viewer).last_video().is_some_and(|seen| sim.now - seen.at < Duration::from_millis(200)));
        }
        sim.hang_up(publisher);
        sim.run_ms(1500);
        assert_eq!(sim.seats[publisher].gone, Some(PeerGone::ClosedByPeer));
    }
    // The judge has seen one SSRC for life, numbers that go on, times and picture ids that do not jump.
    assert!(viewers.iter().all(|viewer| sim.seats[*viewer].judge.switches >= 3));
    sim.finish();
}

#[test]
fn repairs_after_a_return_are_never_packets_of_another_source() {
    let mut sim = Sim::new(19, 1);
    let broadcast = sim.broadcast();
    let viewer = sim.view(broadcast, &Viewer { down: Path::lossy(0.25), choice: LayerChoice::Spatial(1), ..Viewer::default() });
    for _ in 0..20 {
        // Every source numbers its packets alike.
        let publisher = sim.publish(broadcast, Show { first_seq: Some(1000), ..Show::simulcast(Codec::H264) });
        sim.run_ms(450);
        sim.remove(publisher);
    }
    assert!(sim.seats[viewer].judge.rtx_packets > 0);
    sim.finish();
}

#[test]
fn a_second_publisher_is_refused_while_there_is_one() {
    let mut sim = Sim::new(20, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(1000);
    let peer = sim.seats[publisher].peer;
    assert_eq!(sim.try_publish(broadcast, Show::simulcast(Codec::Vp8)).expect_err("refused"), SfuError::PublisherPresent { peer });
    sim.remove(publisher);
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    sim.run_ms(1000);
    sim.finish();
}

#[test]
fn a_further_offer_is_no_way_around_the_publisher_who_is_there() {
    let mut sim = Sim::new(38, 1);
    let broadcast = sim.broadcast();
    let first = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(1000);
    let guest = sim.view_with_right_to_publish(broadcast);
    sim.run_ms(500);
    let offer = sim.encoder(first).offer(&sim.seats[guest].client.transport());
    let peer = sim.seats[first].peer;
    assert_eq!(sim.renegotiate(guest, offer.clone()).expect_err("refused"), SfuError::PublisherPresent { peer });
    let begin = sim.now;
    sim.run_ms(1000);
    assert!(sim.receiver(viewer).longest_silence(begin, sim.now) < Duration::from_millis(120));
    sim.remove(first);
    sim.renegotiate(guest, offer).expect("the place is free");
    sim.finish();
}

#[test]
fn one_layer_that_begins_anew_is_followed_and_the_others_do_not_notice() {
    for codec in [Codec::Vp8, Codec::H264] {
        let mut sim = Sim::new(39, 2);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        // Some here, some on a worker that only hears of it by its tap.
        let viewers = [(0, 1), (0, 2), (1, 1), (1, 2)]
            .map(|(worker, layer)| sim.view(broadcast, &Viewer { worker, ..Viewer::choosing(LayerChoice::Spatial(layer)) }));
        sim.run_ms(3000);
        // More often than a publisher may have SSRCs bound at a time.
        for _ in 0..limits::SSRCS_PER_PEER_MAX {
            let switches: Vec<u64> = viewers.iter().map(|viewer| sim.seats[*viewer].judge.switches).collect();
            let begin = sim.now;
            sim.restart_layer(publisher, 2);
            sim.run_ms(400);
            for (viewer, before) in viewers.iter().zip(switches) {
                let layers = sim.receiver(*viewer).layers_since(begin);
                assert_eq!(layers.len(), 1, "nobody is moved to another layer");
                let switched = sim.seats[*viewer].judge.switches - before;
                assert_eq!(switched, u64::from(layers == [2]), "{codec:?}, viewers of {layers:?}");
                assert!(sim.receiver(*viewer).longest_silence(begin, sim.now) < Duration::from_millis(120));
            }
        }
        for viewer in viewers {
            assert_eq!((sim.receiver(viewer).nacked, sim.receiver(viewer).lost), (0, 0));
        }
        sim.finish();
    }
}

#[test]
fn stragglers_of_a_layers_former_stream_do_not_bring_it_back() {
    let mut sim = Sim::new(40, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    sim.run_ms(3000);
    let source = sim.seats[publisher].client.address;
    // On their way while the layer begins anew.
    let late: Vec<Vec<u8>> = (0..3).flat_map(|_| sim.take_from(publisher)).collect();
    sim.restart_layer(publisher, 2);
    sim.run_ms(200);
    let switches = sim.seats[viewer].judge.switches;
    for datagram in late {
        sim.inject(0, source, &datagram);
        sim.run_ms(40);
    }
    sim.run_ms(1000);
    assert_eq!(sim.seats[viewer].judge.switches, switches, "the layer stays what it is now");
    assert!(sim.receiver(viewer).last_video().is_some_and(|seen| sim.now - seen.at < Duration::from_millis(100)));
    sim.finish();
}

#[test]
fn the_live_edge_follows_the_publishers_clock() {
    // What is reported once a second: how far media time is behind. A clock two hours off is not believed.
    for (clock_error_ms, at_least, at_most) in [(0.0, -5.0, 60.0), (-300.0, 295.0, 360.0), (-7_200_000.0, -5.0, 60.0)] {
        let mut sim = Sim::new(41, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show { clock_error_ms, ..Show::simulcast(Codec::H264) });
        sim.view(broadcast, &Viewer::default());
        sim.run_ms(5000);
        let reported = sim.events_of(publisher).filter_map(|(_, event)| {
            let SfuEvent::Tracks { tracks, .. } = event else { return None };
            Some(tracks)
        });
        for track in reported.last().expect("it is on air") {
            let lag_ms = track.lag_ms.expect("packets came");
            assert!((at_least..=at_most).contains(&lag_ms), "{:?}: {lag_ms} behind with {clock_error_ms}", track.kind);
        }
        sim.finish();
    }
}

#[test]
fn an_encoder_box_with_one_layer_deaf_to_requests_is_watched() {
    let mut sim = Sim::new(21, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::encoder_box());
    sim.run_ms(700);
    let viewer = sim.view(broadcast, &Viewer::default());
    let took = sim.run_until(4000, |sim| sim.receiver(viewer).last_video().is_some());
    assert!(took <= Duration::from_millis(250), "from the cache: {took:?}");
    sim.run_ms(8000);
    assert!(sim.receiver(viewer).longest_silence(sim.now - Duration::from_secs(8), sim.now) < Duration::from_millis(150));
    assert!(sim.seats[viewer].judge.reports_checked >= 2, "once it reports, so do we");
    assert_eq!(sim.encoder(publisher).plis, 0, "its own key frames are enough");
    sim.finish();
}

#[test]
fn b_frames_are_refused_in_words_once() {
    let mut sim = Sim::new(22, 1);
    let broadcast = sim.broadcast();
    let viewer = sim.view(broadcast, &Viewer::default());
    let publisher = sim.publish(broadcast, Show { b_frames: true, ..Show::encoder_box() });
    sim.run_ms(4000);
    let refused: Vec<_> = sim.events_of(publisher).filter(|(_, event)| matches!(event, SfuEvent::PublisherRefused { .. })).collect();
    assert_eq!(refused.len(), 1);
    assert!(matches!(refused[0].1, SfuEvent::PublisherRefused { reason: PublisherProblem::BFrames, .. }));
    assert!(sim.receiver(viewer).audio_packets > 100, "sound is not to blame");
    let counters = &sim.engines[0].counters;
    let [refused, sound] = [counters.dropped[DropReason::Refused as usize], sim.receiver(viewer).audio_packets];
    assert!(refused > 100 && counters.packets_received >= refused + sound, "{refused} of {} refused", counters.packets_received);
    sim.finish();
}

#[test]
fn a_viewer_without_the_codec_is_told_and_hears_the_sound() {
    let mut sim = Sim::new(23, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer { codecs: vec![Codec::H264], ..Viewer::default() });
    sim.run_ms(3000);
    let told = sim.events_of(viewer).filter(|(_, event)| matches!(event, SfuEvent::CannotDecode { codec: Codec::Vp8, .. })).count();
    assert_eq!(told, 1);
    assert!(sim.receiver(viewer).seen.is_empty());
    assert!(sim.receiver(viewer).audio_packets > 100);
    // The next source may suit it.
    sim.remove(publisher);
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(1500);
    assert!(!sim.receiver(viewer).seen.is_empty());
    sim.finish();
}

#[test]
fn a_publisher_whose_clock_is_wrong_keeps_sound_and_picture_together() {
    let mut sim = Sim::new(24, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show { clock_error_ms: -7_200_000.0, ..Show::simulcast(Codec::H264) });
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(5000);
    let clocks: Vec<_> = sim.events_of(viewer).filter(|(_, event)| matches!(event, SfuEvent::TrackClock { .. })).collect();
    assert!(!clocks.is_empty());
    assert!(sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer == 2), "and layers switch by the same clock");
    sim.finish();
}
