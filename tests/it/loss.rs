//! Loss on either side of the server, and its repair.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;
use courtside::sfu::resend::NotResent;

use crate::support::decoder::Decoded;
use crate::support::link::{Loss, Path};
use crate::support::media::Show;
use crate::support::screen::watch;
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
        let viewer = sim.view(broadcast, &Viewer { down, choice: LayerChoice::Spatial(2), fec: false, ..Viewer::default() });
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
    let viewer = sim.view(broadcast, &Viewer { down: Path::lossy(0.1), choice: LayerChoice::Spatial(1), fec: false, ..Viewer::default() });
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
fn five_percent_lost_each_way_freezes_no_picture_for_a_tenth_of_a_second() {
    for seed in 0..6 {
        let mut sim = Sim::new(200 + seed, 1);
        let broadcast = sim.broadcast();
        // One layer, so that nothing but repair is measured.
        let codec = if seed % 2 == 0 { Codec::H264 } else { Codec::Vp8 };
        sim.publish(broadcast, Show { layers: vec![(5, 1280, 720, None)], ..Show::simulcast(codec) });
        // A round trip of 40 ms that loses requests and reports as well as media and repairs.
        let path = Path::lossy(0.05);
        let viewer = sim.view(broadcast, &Viewer { down: path, up: path, ..Viewer::default() });
        // As Chromium, while nothing comes out of order.
        sim.receiver_mut(viewer).asks_after = Duration::ZERO;
        sim.receiver_mut(viewer).learns_round_trip = true;
        sim.run_ms(3000);
        let begin = sim.now;
        sim.run_ms(40_000);
        let looks = watch(&sim.receiver(viewer).decoder.frames, begin, begin + Duration::from_secs(10));
        assert!(looks.frames > 740, "{looks:?}");
        assert!(looks.longest_freeze < Duration::from_millis(100), "seed {seed}: {looks:?}");
        assert!(looks.buffer_max < Duration::from_millis(400), "seed {seed}: {looks:?}");
        assert_eq!(sim.receiver(viewer).plis, 0, "repairs did it, no key frame");
        let round_trip = sim.receiver(viewer).round_trip.unwrap();
        assert!((Duration::from_millis(39)..Duration::from_millis(42)).contains(&round_trip), "{round_trip:?}");
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
    // After the round trip it is a new request: what was lost twice goes twice, and once more for each further one.
    for all in [30, 40] {
        sim.say(viewer, &wire::nack(1, media, &seqs));
        sim.run_ms(100);
        assert_eq!(sim.engines[0].counters.retransmitted - before, all);
    }
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

/// Share of the sound that did not come to a viewer in any form, over ten seconds.
fn unheard(sim: &mut Sim, viewer: usize) -> f64 {
    let first = *sim.receiver(viewer).heard.last().unwrap();
    sim.run_ms(10_000);
    let heard = &sim.receiver(viewer).heard;
    let count = heard.range(first + 1..).count();
    1.0 - count as f64 / (heard.last().unwrap() - first) as f64
}

#[test]
fn sound_is_sent_twice_only_to_those_who_lose_some_and_only_while_they_do() {
    let mut sim = Sim::new(15, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let calm = sim.view(broadcast, &Viewer::default());
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(5000);
    assert_eq!(sim.seats[viewer].judge.redundant, 0);
    sim.seats[viewer].down.path.loss = Loss::Bernoulli(0.1);
    sim.run_ms(2500);
    let missing = unheard(&mut sim, viewer);
    assert!(missing < 0.03, "{missing} of a sound of which a tenth was lost");
    let sent = (sim.seats[viewer].judge.redundant, sim.seats[viewer].judge.audio_packets);
    assert!(sent.0 > 400 && sent.0 < sent.1, "{sent:?}");
    sim.seats[viewer].down.path.loss = Loss::None;
    sim.run_ms(25_000);
    let redundant = sim.seats[viewer].judge.redundant;
    sim.run_ms(2000);
    assert_eq!(sim.seats[viewer].judge.redundant, redundant, "the path is well again");
    assert_eq!(sim.seats[calm].judge.redundant, 0, "somebody else's loss is no concern of hers");
    sim.finish();
}

#[test]
fn sound_that_its_publisher_lost_is_mended_from_the_packet_behind_it_for_everybody() {
    let mut sim = Sim::new(16, 2);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show { redundant_sound: true, ..Show::simulcast(Codec::H264) });
    let viewers = [0, 0, 1].map(|worker| sim.view(broadcast, &Viewer { worker, ..Viewer::default() }));
    sim.run_ms(3000);
    sim.seats[publisher].up.path.loss = Loss::Bernoulli(0.1);
    let missing = unheard(&mut sim, viewers[0]);
    assert!(missing < 0.03, "{missing} of a sound of which a tenth was lost");
    assert!(sim.engines[0].counters.mended_by_redundancy > 25);
    sim.seats[publisher].up.path.loss = Loss::None;
    // Not to the moment at which a packet is on its way between workers.
    sim.run_ms(510);
    let heard = viewers.map(|viewer| sim.receiver(viewer).heard.clone());
    let since = *heard.iter().map(|heard| heard.first().unwrap()).max().unwrap();
    let heard = heard.map(|heard| heard.range(since..).copied().collect::<Vec<_>>());
    assert!(heard[0] == heard[1] && heard[1] == heard[2], "everybody hears the same");
    sim.finish();
}

#[test]
fn what_a_far_viewer_loses_is_brought_back_by_parity_before_it_could_be_asked_for() {
    for percent in [3.0, 8.0] {
        let [mut with, mut without] = [Far::default(), Far::default()];
        for seed in 300..304 {
            with.play(seed, percent, true);
            without.play(seed, percent, false);
        }
        let both = format!("{percent} %: {with:?}, {without:?} without");
        assert_eq!((without.recovered, without.parity), (0, 0), "who did not ask for parity gets none");
        // Of all that was lost, the first seconds among them.
        assert!(with.recovered * 5 > with.lost * 2, "{both}");
        assert!(with.parity * 3 < with.media, "{both}");
        assert!(with.nacked * 5 < without.nacked * 3, "{both}");
        assert!(with.late * 5 < without.late * 3, "{both}");
    }
}

/// What came of playing to viewers 150 ms away.
#[derive(Debug, Default)]
struct Far {
    recovered: u64,
    lost: u64,
    media: u64,
    parity: u64,
    nacked: u64,
    frames: usize,
    /// Frames that were whole 100 ms later than the soonest.
    late: usize,
}

impl Far {
    fn play(&mut self, seed: u64, percent: f64, fec: bool) {
        let mut sim = Sim::new(seed, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show { layers: vec![(5, 1280, 720, None)], ..Show::simulcast(Codec::Vp8) });
        let down = Path { latency: Duration::from_millis(150), ..Path::lossy(percent / 100.0) };
        let viewer = sim.view(broadcast, &Viewer { down, up: Path { loss: Loss::None, ..down }, fec, ..Viewer::default() });
        sim.receiver_mut(viewer).learns_round_trip = true;
        sim.run_ms(20_000);
        let (receiver, judge) = (sim.receiver(viewer), &sim.seats[viewer].judge);
        let age = |frame: &Decoded| (frame.at - sim.start).as_secs_f64() * 1000.0 - frame.captured_unix_ms;
        let floor = receiver.decoder.frames.iter().map(age).fold(f64::INFINITY, f64::min);
        self.frames += receiver.decoder.frames.len();
        self.late += receiver.decoder.frames.iter().filter(|frame| age(frame) > floor + 100.0).count();
        self.recovered += receiver.recovered;
        self.nacked += receiver.nacked;
        self.media += judge.video_packets;
        self.parity += judge.parity_packets;
        self.lost += judge.video_packets - receiver.received;
        sim.finish();
    }
}

#[test]
fn nobody_near_and_nobody_without_room_is_sent_parity() {
    let near = Path { latency: Duration::from_millis(5), ..Path::lossy(0.05) };
    let far = Path { latency: Duration::from_millis(100), rate_bps: Some(760_000), ..near };
    for down in [near, far] {
        let mut sim = Sim::new(301, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show { layers: vec![(5, 1280, 720, None)], ..Show::simulcast(Codec::Vp8) });
        let viewer = sim.view(broadcast, &Viewer { down, ..Viewer::default() });
        sim.run_ms(10_000);
        assert_eq!(sim.seats[viewer].judge.parity_packets, 0, "{down:?}");
        sim.finish();
    }
}

#[test]
fn what_is_repaired_after_a_break_does_not_keep_the_live_picture_waiting() {
    for seed in 0..4 {
        let mut sim = Sim::new(260 + seed, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show { frame_interval: Duration::from_millis(66), ..Show::encoder_box() });
        let viewer = sim.view(broadcast, &Viewer { fec: false, ..Viewer::default() });
        sim.run_ms(5_000);
        // Nothing is heard of what is sent: the estimate falls below the only layer there is, and its frames are spread.
        sim.seats[viewer].down.path.cut = true;
        sim.run_ms(2_000 + 300 * seed);
        sim.seats[viewer].down.path.cut = false;
        let back = sim.now;
        sim.run_ms(3_000);
        let [_, _, resent, ..] = sim.seats[viewer].judge.counts();
        assert!(resent > 20, "much was asked for again: {resent}");
        let came = sim.receiver(viewer).seen.iter().map(|seen| seen.at).filter(|at| *at > back);
        let longest = came.clone().zip(came.skip(1)).map(|(at, next)| next - at).max().expect("a picture");
        assert!(longest < Duration::from_millis(500), "the picture stood still for {longest:?}");
        sim.finish();
    }
}
