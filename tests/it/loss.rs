//! Loss on either side of the server, and its repair.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;
use courtside::sfu::resend::NotResent;

use crate::support::link::{Loss, Path};
use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};
use crate::support::wire;

#[test]
fn five_percent_of_loss_towards_a_viewer_is_mended_to_the_last_packet() {
    let bursts = Loss::GilbertElliott { to_bad: 0.02, to_good: 0.3, lost: 0.7 };
    for (seed, codec, loss) in [(7, Codec::H264, Loss::Bernoulli(0.05)), (8, Codec::Vp8, Loss::Bernoulli(0.05)), (9, Codec::Vp8, bursts)] {
        let mut sim = Sim::new(seed, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::simulcast(codec));
        let down = Path { loss, jitter: Duration::from_millis(5), reorder: 0.01, ..Path::default() };
        let viewer = sim.view(broadcast, &Viewer { down, choice: LayerChoice::Spatial(2), ..Viewer::default() });
        sim.run_ms(12_000);
        // Let the last repairs arrive.
        sim.seats[viewer].down.path.loss = Loss::None;
        sim.run_ms(500);
        let receiver = sim.receiver(viewer);
        assert!(sim.seats[viewer].down.lost > 40, "there was loss");
        assert!(receiver.repaired > 20, "{}", receiver.repaired);
        assert_eq!((receiver.holes(), receiver.lost), (0, 0), "{codec:?}: every frame is complete");
        sim.finish();
    }
}

#[test]
fn what_is_asked_for_again_is_sent_again_at_once_with_the_same_bytes() {
    let mut sim = Sim::new(10, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer { down: Path::lossy(0.1), choice: LayerChoice::Spatial(1), ..Viewer::default() });
    sim.run_ms(5000);
    let receiver = sim.receiver(viewer);
    let [_, _, resent, ..] = sim.seats[viewer].judge.counts();
    assert!(resent > 10);
    // Requests travel a path without loss: each is answered, and the judge has compared the bytes.
    assert!(resent + 15 >= receiver.nacked, "{resent} of {}", receiver.nacked);
    sim.finish();
}

#[test]
fn loss_from_the_publisher_is_asked_for_once_and_no_viewer_notices() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut sim = Sim::new(11, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        let viewers: Vec<_> = (0..5).map(|_| sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)))).collect();
        sim.run_ms(3000);
        let nacked = sim.encoder(publisher).nacked;
        let lost = sim.seats[publisher].up.lost;
        sim.seats[publisher].up.path.loss = Loss::Bernoulli(0.03);
        sim.run_ms(8000);
        sim.seats[publisher].up.path.loss = Loss::None;
        sim.run_ms(1000);
        let (nacked, lost) = (sim.encoder(publisher).nacked - nacked, sim.seats[publisher].up.lost - lost);
        assert!(lost > 30);
        assert!(nacked <= 3 * lost, "{nacked} requests for {lost} lost packets, whatever the audience");
        for viewer in viewers {
            let receiver = sim.receiver(viewer);
            assert_eq!((receiver.holes(), receiver.lost), (0, 0), "{codec:?}: holes are filled in their place");
        }
        sim.finish();
    }
}

#[test]
fn viewers_start_and_switch_whole_while_the_publisher_loses_much() {
    for seed in 0..6 {
        let mut sim = Sim::new(100 + seed, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(if seed % 2 == 0 { Codec::H264 } else { Codec::Vp8 }));
        sim.run_ms(500);
        sim.seats[publisher].up.path = Path { loss: Loss::Bernoulli(0.12), reorder: 0.02, ..Path::default() };
        let viewers: Vec<_> = (0..4).map(|_| sim.view(broadcast, &Viewer::default())).collect();
        for round in 0..8u8 {
            sim.run_ms(700);
            for (index, viewer) in viewers.iter().enumerate() {
                sim.choose(*viewer, LayerChoice::Spatial((round + index as u8) % 3));
            }
        }
        sim.run_ms(2000);
        for viewer in viewers {
            assert!(sim.receiver(viewer).last_video().is_some_and(|seen| sim.now - seen.at < Duration::from_millis(500)));
        }
        sim.finish();
    }
}

#[test]
fn a_request_that_is_repeated_within_a_round_trip_is_answered_once() {
    let mut sim = Sim::new(12, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    sim.run_ms(4000);
    let media = sim.seats[viewer].judge.video_ssrc().unwrap();
    let seqs = sim.seats[viewer].judge.newest_numbers(10);
    let before = sim.engines[0].counters.retransmitted;
    for _ in 0..5 {
        sim.say(viewer, &wire::nack(1, media, &seqs));
        sim.run_ms(4);
    }
    sim.run_ms(100);
    assert_eq!(sim.engines[0].counters.retransmitted - before, 10);
    assert_eq!(sim.engines[0].counters.not_resent[NotResent::JustSent as usize], 40);
    // After the round trip it is a new request.
    sim.say(viewer, &wire::nack(1, media, &seqs));
    sim.run_ms(100);
    assert_eq!(sim.engines[0].counters.retransmitted - before, 20);
    sim.finish();
}

#[test]
fn what_the_publisher_lost_is_asked_for_upstream_alone_and_then_goes_to_everybody_in_its_place() {
    let mut sim = Sim::new(13, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    // A long way up: viewers notice the hole and ask long before the repair can be here.
    sim.seats[publisher].up.path.latency = Duration::from_millis(120);
    sim.seats[publisher].down.path.latency = Duration::from_millis(120);
    let viewers: Vec<_> = (0..4).map(|_| sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)))).collect();
    sim.run_ms(4000);
    let asked_upstream = sim.engines[0].counters.nacks_to_publishers;
    let lost = sim.seats[publisher].up.lost;
    sim.seats[publisher].up.path.loss = Loss::Bernoulli(0.02);
    sim.run_ms(5000);
    sim.seats[publisher].up.path.loss = Loss::None;
    sim.run_ms(1000);
    let counters = &sim.engines[0].counters;
    let lost = sim.seats[publisher].up.lost - lost;
    let (asked_upstream, refused) = (counters.nacks_to_publishers - asked_upstream, counters.not_resent[NotResent::NotReceived as usize]);
    let wishes: u64 = viewers.iter().map(|viewer| sim.receiver(*viewer).nacked).sum();
    assert!(lost > 20 && wishes > 100, "{lost} lost, {wishes} asked for by viewers");
    assert_eq!((counters.retransmitted, refused), (0, wishes), "no viewer's request was answered with anything");
    // A request is repeated while the repair is on its way: the round trip to a publisher is not known.
    assert!(asked_upstream <= 8 * lost, "{asked_upstream} requests upstream for {lost} lost packets");
    for viewer in viewers {
        let receiver = sim.receiver(viewer);
        assert_eq!((receiver.holes(), receiver.lost, receiver.repaired), (0, 0, 0), "the repair came as the packet itself");
    }
    sim.finish();
}

#[test]
fn a_key_frame_lost_whole_is_sent_again_at_the_pace_of_a_replay() {
    let mut sim = Sim::new(14, 1);
    let broadcast = sim.broadcast();
    let large = Show { layers: vec![(30, 1280, 720, None)], packet_bytes: 1100, ..Show::simulcast(Codec::H264) };
    sim.publish(broadcast, large);
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(4000);
    let media = sim.seats[viewer].judge.video_ssrc().unwrap();
    let seqs = sim.seats[viewer].judge.newest_numbers(100);
    let before = sim.engines[0].counters.retransmitted;
    sim.say(viewer, &wire::nack(1, media, &seqs));
    let took = sim.run_until(1000, |sim| sim.engines[0].counters.retransmitted == before + 100);
    // The request takes 20 ms; then 100 packets of 1100 bytes at five times 6.6 Mbit/s, less what may leave in one burst.
    assert!((Duration::from_millis(38)..Duration::from_millis(60)).contains(&took), "{took:?}");
    sim.finish();
}
