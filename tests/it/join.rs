//! Viewers join: from the cache, at once, and at nobody's cost. What is sent is judged as everywhere; what can be shown is the decoder's word.

use std::time::{Duration, Instant};

use courtside::limits;
use courtside::sfu::codec::Codec;
use courtside::sfu::group_cache::Unfit;
use courtside::sfu::handle::{LayerChoice, PeerGone, SfuEvent};
use courtside::sfu::stats::ReplayCause;

use crate::support::link::{Loss, Path};
use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer, Who};

const VIDEO: [Codec; 4] = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1];
/// Between two workers, and the cadence of 25 frames a second.
const FRAME: Duration = Duration::from_millis(40);
/// The picture is at the live edge when it is no older than both ways and a frame.
const LIVE_MS: f64 = 90.0;

fn everything(choice: LayerChoice) -> Viewer {
    Viewer { codecs: VIDEO.to_vec(), choice, ..Viewer::default() }
}

/// An encoder whose groups last `seconds`, whatever anybody asks.
fn groups_of(seconds: u64, codec: Codec) -> Show {
    Show { ignores_pli: true, key_every: Some(Duration::from_secs(seconds)), ..Show::simulcast(codec) }
}

/// Until the publisher has sent this much of a group.
fn run_into_group(sim: &mut Sim, publisher: Who, age_ms: u64) {
    let keyframes = sim.encoder(publisher).keyframes;
    sim.run_until(30_000, |sim| sim.encoder(publisher).keyframes > keyframes);
    sim.run_ms(age_ms);
}

/// How long after the handshake the first packet left.
fn first_packet_after(sim: &Sim, viewer: Who) -> Duration {
    sim.seats[viewer].judge.first_video_at.expect("a picture") - sim.handshake_done(viewer)
}

/// When the picture on the screen was live for the first time.
fn live_at(sim: &Sim, viewer: Who) -> Option<Instant> {
    sim.receiver(viewer).decoder.frames.iter().find(|frame| sim.latency_ms(frame) <= LIVE_MS).map(|frame| frame.at)
}

fn replays(sim: &Sim, cause: ReplayCause) -> u64 {
    sim.engines.iter().map(|engine| engine.counters.replays[cause as usize]).sum()
}

fn fallbacks(sim: &Sim, why: Unfit) -> u64 {
    sim.engines.iter().map(|engine| engine.counters.replay_fallbacks[why as usize]).sum()
}

/// Sends a wish for a key frame, as decoders in trouble do.
fn wish(sim: &mut Sim, viewer: Who) {
    let wish = sim.receiver(viewer).keyframe_wish();
    sim.say(viewer, &wish);
}

#[test]
fn a_client_that_lets_the_server_begin_has_its_picture_sent_before_its_own_handshake_ends() {
    for lossy in [false, true] {
        for seed in 0..8 {
            let mut sim = Sim::new(260 + seed, 1);
            let broadcast = sim.broadcast();
            let publisher = sim.publish(broadcast, groups_of(2, Codec::H264));
            sim.run_ms(1000);
            run_into_group(&mut sim, publisher, 400);
            let path = if lossy { Path { loss: Loss::Bernoulli(0.1), ..Path::default() } } else { Path::default() };
            let viewer = sim.view(broadcast, &Viewer { waits: true, up: path, down: path, ..everything(LayerChoice::Spatial(1)) });
            sim.run_until(8_000, |sim| sim.receiver(viewer).decoder.frames.len() > 20);
            let (first, connected) = (sim.seats[viewer].judge.first_video_at.expect("a picture"), sim.seats[viewer].client.connected_at);
            assert!(lossy || first <= connected.expect("connected"), "seed {seed}: media left {:?} after", first - connected.unwrap());
            // Neither the restart nor the settled handshake forgets who began.
            sim.run_ms(1000);
            sim.restart_ice(viewer);
            sim.run_ms(1000);
            sim.hang_up(viewer);
            sim.run_ms(1000);
            assert!(lossy || sim.seats[viewer].gone == Some(PeerGone::ClosedByPeer), "seed {seed}: {:?}", sim.seats[viewer].gone);
            sim.finish();
        }
    }
}

#[test]
fn the_picture_leaves_with_the_handshake_and_is_live_within_a_second() {
    for (seed, codec) in VIDEO.into_iter().enumerate() {
        for age_ms in [60, 700, 1900] {
            let mut sim = Sim::new(200 + seed as u64, 1);
            let broadcast = sim.broadcast();
            let publisher = sim.publish(broadcast, groups_of(2, codec));
            sim.run_ms(1000);
            // A group of about 2 s when the handshake is through.
            run_into_group(&mut sim, publisher, age_ms.max(140) - 140);
            let viewer = sim.view(broadcast, &everything(LayerChoice::Spatial(2)));
            sim.run_until(500, |sim| sim.seats[viewer].judge.first_report_at.is_some());
            sim.run_ms(1500);
            let name = format!("{codec:?}, group of {age_ms} ms");
            let first = first_packet_after(&sim, viewer);
            assert!(first <= Duration::from_millis(10), "{name}: first packet after {first:?}");
            let report = sim.seats[viewer].judge.first_report_at.expect("a report") - sim.handshake_done(viewer);
            assert!(report <= Duration::from_millis(20), "{name}: sender report after {report:?}");
            let shown = sim.receiver(viewer).decoder.frames[0].at - sim.handshake_done(viewer);
            assert!(shown <= Duration::from_millis(30), "{name}: shown after {shown:?}");
            let live = live_at(&sim, viewer).expect("live") - sim.handshake_done(viewer);
            assert!(live <= Duration::from_millis(400), "{name}: live after {live:?}");
            assert_eq!((sim.receiver(viewer).plis, sim.receiver(viewer).nacked, replays(&sim, ReplayCause::Join)), (0, 0, 1), "{name}");
            sim.run_ms(3000);
            let receiver = sim.receiver(viewer);
            assert!(receiver.longest_silence(receiver.seen[0].at, sim.now) <= FRAME + Duration::from_millis(20), "{name}");
            assert!(sim.seats[viewer].judge.reports_checked >= 3, "sender reports came");
            assert!(receiver.audio_packets > 100);
            let told = sim.events_of(viewer).filter(|(_, event)| matches!(event, SfuEvent::Playing { .. })).count();
            assert_eq!(told, 1, "playing");
            sim.finish();
        }
    }
}

#[test]
fn a_link_five_times_the_layer_is_enough_to_be_live_within_a_second() {
    for codec in [Codec::H264, Codec::Vp9] {
        for loss in [Loss::None, Loss::Bernoulli(0.03)] {
            let mut sim = Sim::new(210, 1);
            let broadcast = sim.broadcast();
            let publisher = sim.publish(broadcast, groups_of(2, codec));
            sim.run_ms(1000);
            run_into_group(&mut sim, publisher, 1750);
            // 700 bytes, four times and a half, each 40 ms, with headers.
            let down = Path { loss, ..Path::narrow(5 * 660_000) };
            let viewer = sim.view(broadcast, &Viewer { down, reports: Reports::Silent, ..everything(LayerChoice::Spatial(2)) });
            sim.run_ms(3000);
            let live = live_at(&sim, viewer).expect("live") - sim.handshake_done(viewer);
            assert!(live <= Duration::from_millis(1000), "{codec:?}: live after {live:?}");
            assert_eq!(sim.receiver(viewer).plis, 0);
            sim.finish();
        }
    }
}

#[test]
fn joins_cost_the_publisher_nothing_beyond_the_cadence() {
    for workers in [1, 3] {
        let mut sim = Sim::new(2, workers);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
        // One who watches all the time, so that the cadence runs.
        sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(0)));
        sim.run_ms(5000);
        let (begin, before) = (sim.now, replays(&sim, ReplayCause::Join));
        let mut viewers = Vec::new();
        for n in 0..40u8 {
            let worker = n % workers;
            viewers.push(sim.view(broadcast, &Viewer { worker, ..Viewer::choosing(LayerChoice::Spatial(n % 3)) }));
            let pause = rand::Rng::random_range(&mut sim.rng, 20..500);
            sim.run_ms(pause);
        }
        sim.run_ms(500);
        for viewer in &viewers {
            let first = first_packet_after(&sim, *viewer);
            assert!(first <= Duration::from_millis(10), "{first:?}");
            assert_eq!(sim.receiver(*viewer).plis, 0);
        }
        let requests: Vec<Instant> = sim.encoder(publisher).keyframe_requests.iter().copied().filter(|at| *at >= begin).collect();
        let closest = requests.windows(2).map(|pair| pair[1] - pair[0]).min().expect("the cadence went on");
        assert!(closest >= limits::KEYFRAME_CADENCE, "{closest:?} between requests");
        assert_eq!(replays(&sim, ReplayCause::Join) - before, viewers.len() as u64);
        // The metric of the same name counts what the encoder heard, each compound once; one may still be on its way.
        let asked = sim.encoder(publisher).keyframe_requests.len() as u64;
        assert!((asked..=asked + 1).contains(&sim.engines[0].counters.keyframe_requests));
        sim.finish();
    }
}

#[test]
fn a_broadcast_that_nobody_watched_is_asked_once_and_shown_as_soon_as_it_answers() {
    let mut sim = Sim::new(3, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    sim.run_ms(20_000);
    let begin = sim.now;
    let viewers: Vec<_> = (0..50).map(|_| sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(1)))).collect();
    sim.run_ms(1500);
    for viewer in viewers {
        // The request leaves with the offer, so the key frame is there when the handshake is through.
        let first = first_packet_after(&sim, viewer);
        assert!(first <= Duration::from_millis(10), "{first:?}");
    }
    assert_eq!(sim.encoder(publisher).keyframe_requests.iter().filter(|at| **at >= begin).count(), 1);
    sim.finish();
}

#[test]
fn loss_in_a_replay_is_mended_from_the_cache() {
    let bursts = Loss::GilbertElliott { to_bad: 0.02, to_good: 0.3, lost: 0.7 };
    for (seed, codec, loss) in [(4, Codec::H264, Loss::Bernoulli(0.1)), (5, Codec::Vp8, Loss::Bernoulli(0.1)), (6, Codec::Av1, bursts)] {
        let mut sim = Sim::new(seed, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, groups_of(4, codec));
        sim.run_ms(1000);
        run_into_group(&mut sim, publisher, 3000);
        let viewer = sim.view(broadcast, &Viewer { down: Path { loss, ..Path::default() }, ..everything(LayerChoice::Spatial(2)) });
        sim.run_ms(1500);
        sim.seats[viewer].down.path.loss = Loss::None;
        sim.run_ms(1000);
        let receiver = sim.receiver(viewer);
        assert!(receiver.repaired > 20, "{codec:?}: {}", receiver.repaired);
        assert_eq!((receiver.holes(), receiver.lost), (0, 0), "{codec:?}: every frame is complete");
        assert!(live_at(&sim, viewer).is_some());
        assert_eq!(sim.engines[0].counters.retransmit_missed, 0, "what was replayed can be resent");
        sim.finish();
    }
}

#[test]
fn holes_in_the_cache_are_filled_for_those_who_joined_over_them() {
    for (seed, codec) in VIDEO.into_iter().enumerate() {
        let mut sim = Sim::new(220 + seed as u64, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        sim.run_ms(1000);
        sim.seats[publisher].up.path.loss = Loss::Bernoulli(0.05);
        let mut viewers = Vec::new();
        for n in 0..30 {
            viewers.push(sim.view(broadcast, &everything(LayerChoice::Spatial(n % 3))));
            sim.run_ms(170);
        }
        sim.seats[publisher].up.path.loss = Loss::None;
        sim.run_ms(2500);
        for viewer in viewers {
            let receiver = sim.receiver(viewer);
            assert_eq!((receiver.holes(), receiver.lost), (0, 0), "{codec:?}");
            let newest = receiver.decoder.frames.last().expect("a picture");
            assert!(sim.now - newest.at <= FRAME * 2 && sim.latency_ms(newest) <= LIVE_MS, "{codec:?}: {newest:?}");
        }
        sim.finish();
    }
}

#[test]
fn a_group_too_old_or_too_large_shows_its_key_frame_until_the_next_one() {
    // 25 frames a second of 80 packets: 1.5 MB in less than 1.1 s.
    let large = Show { layers: vec![(80, 1920, 1080, None)], ..groups_of(5, Codec::H264) };
    let old = Show { layers: vec![(4, 1280, 720, None)], ..groups_of(9, Codec::Vp8) };
    for (show, age_ms, why) in [(large, 2500, Unfit::TooLarge), (old, 6000, Unfit::TooOld)] {
        let mut sim = Sim::new(7, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, show);
        sim.run_ms(200);
        run_into_group(&mut sim, publisher, age_ms);
        let begin = sim.now;
        let viewer = sim.view(broadcast, &Viewer::default());
        sim.run_ms(1000);
        assert!(first_packet_after(&sim, viewer) <= Duration::from_millis(10));
        assert_eq!(sim.receiver(viewer).decoder.frames.len(), 1, "{why:?}: one picture, and no more until it can go on");
        assert_eq!(fallbacks(&sim, why), 1);
        assert!(sim.encoder(publisher).keyframe_requests.iter().any(|at| *at >= begin), "a key frame was asked for");
        run_into_group(&mut sim, publisher, 600);
        let newest = *sim.receiver(viewer).decoder.frames.last().expect("a picture");
        assert!(sim.latency_ms(&newest) <= LIVE_MS && sim.receiver(viewer).decoder.frames.len() >= 8, "{why:?}: live again");
        assert_eq!(sim.receiver(viewer).lost, 0);
        sim.finish();
    }
}

#[test]
fn a_publisher_that_answers_cuts_the_wait_behind_a_large_group_to_a_round_trip() {
    let mut sim = Sim::new(8, 1);
    let broadcast = sim.broadcast();
    let show = Show { layers: vec![(80, 1920, 1080, None)], ..Show::simulcast(Codec::H264) };
    let publisher = sim.publish(broadcast, show);
    sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    run_into_group(&mut sim, publisher, 1500);
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(1000);
    let live = live_at(&sim, viewer).expect("live") - sim.handshake_done(viewer);
    // Both ways of the request, a tick, a frame, and the way of a key frame of 170 KB.
    assert!(live <= Duration::from_millis(200), "{live:?}");
    sim.finish();
}

#[test]
fn a_receiver_that_was_not_up_yet_gets_the_replay_again_at_once() {
    for (seed, deaf_ms) in [(9, 15), (10, 45), (11, 120), (12, 400)] {
        let mut sim = Sim::new(seed, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, groups_of(4, Codec::Vp8));
        sim.run_ms(500);
        run_into_group(&mut sim, publisher, 800);
        let viewer = sim.view(broadcast, &Viewer { deaf_for: Duration::from_millis(deaf_ms), ..everything(LayerChoice::Spatial(1)) });
        sim.run_ms(1500);
        let connected = sim.seats[viewer].client.connected_at.expect("connected");
        let shown = sim.receiver(viewer).decoder.frames[0].at - connected;
        // Its first packet in the middle, its wish and the answer: a frame and a round trip after it is up.
        assert!(shown <= Duration::from_millis(deaf_ms) + FRAME * 2 + Duration::from_millis(45), "deaf for {deaf_ms} ms: {shown:?}");
        assert!(live_at(&sim, viewer).expect("live") - connected <= Duration::from_millis(deaf_ms + 600));
        assert_eq!((sim.receiver(viewer).plis, replays(&sim, ReplayCause::Wish)), (1, 1), "deaf for {deaf_ms} ms");
        sim.finish();
    }
}

#[test]
fn a_viewer_in_trouble_gets_its_group_again_and_only_then_the_publisher_is_asked() {
    for codec in VIDEO {
        let mut sim = Sim::new(13, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        let viewer = sim.view(broadcast, &everything(LayerChoice::Spatial(2)));
        sim.run_ms(3000);
        run_into_group(&mut sim, publisher, 700);
        let (begin, before) = (sim.now, sim.encoder(publisher).keyframe_requests.len());
        wish(&mut sim, viewer);
        sim.run_ms(200);
        assert_eq!(replays(&sim, ReplayCause::Wish), 1);
        wish(&mut sim, viewer);
        sim.run_ms(200);
        assert_eq!(replays(&sim, ReplayCause::Wish), 2);
        assert_eq!(sim.encoder(publisher).keyframe_requests.len(), before, "{codec:?}: the cache answered");
        wish(&mut sim, viewer);
        sim.run_ms(100);
        assert_eq!(replays(&sim, ReplayCause::Wish), 2);
        assert_eq!(sim.encoder(publisher).keyframe_requests.len(), before + 1, "{codec:?}: the cache did not help");
        sim.run_ms(1500);
        let receiver = sim.receiver(viewer);
        let newest = receiver.decoder.frames.last().expect("a picture");
        assert!(sim.latency_ms(newest) <= LIVE_MS, "{codec:?}");
        assert_eq!((receiver.holes(), receiver.lost), (0, 0));
        assert!(receiver.longest_silence(begin, sim.now) <= FRAME + Duration::from_millis(20), "{codec:?}");
        sim.finish();
    }
}

#[test]
fn a_storm_of_wishes_is_answered_without_a_storm() {
    let mut sim = Sim::new(14, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let control = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    sim.run_ms(3000);
    let begin = sim.now;
    let sent = |sim: &mut Sim, who| sim.stats(who).expect("it is there").bytes_sent;
    let before = [control, viewer].map(|who| sent(&mut sim, who));
    for _ in 0..500 {
        wish(&mut sim, viewer);
        sim.run_ms(10);
    }
    let [calm, stormy] = [(control, before[0]), (viewer, before[1])].map(|(who, before)| sent(&mut sim, who) - before);
    assert!(stormy < calm * 2, "{stormy} bytes instead of {calm}");
    assert!(replays(&sim, ReplayCause::Wish) <= 2);
    let requests: Vec<Instant> = sim.encoder(publisher).keyframe_requests.iter().copied().filter(|at| *at >= begin).collect();
    let closest = requests.windows(2).map(|pair| pair[1] - pair[0]).min().expect("asked");
    assert!(closest >= limits::KEYFRAME_REQUEST_INTERVAL_MIN - Duration::from_millis(1), "{closest:?}");
    sim.finish();
}

#[test]
fn a_newcomer_on_another_worker_gets_the_group_that_its_worker_was_handed() {
    for codec in VIDEO {
        let mut sim = Sim::new(15, 3);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, groups_of(4, codec));
        sim.run_ms(500);
        run_into_group(&mut sim, publisher, 2000);
        let before = sim.encoder(publisher).keyframe_requests.len();
        let viewers: Vec<_> = [1, 2, 1].map(|worker| sim.view(broadcast, &Viewer { worker, ..everything(LayerChoice::Spatial(2)) })).into();
        sim.run_ms(1500);
        for viewer in viewers {
            let first = first_packet_after(&sim, viewer);
            assert!(first <= Duration::from_millis(10), "{codec:?}: {first:?}");
            let live = live_at(&sim, viewer).expect("live") - sim.handshake_done(viewer);
            assert!(live <= Duration::from_millis(500), "{codec:?}: {live:?}");
            assert_eq!(sim.receiver(viewer).plis, 0);
        }
        // The cadence begins with the first of them.
        assert_eq!(sim.encoder(publisher).keyframe_requests.len() - before, 1);
        sim.finish();
    }
}

#[test]
fn a_layer_may_change_in_the_middle_of_a_replay() {
    for (seed, codec) in VIDEO.into_iter().enumerate() {
        let mut sim = Sim::new(230 + seed as u64, 1 + (seed % 2) as u8);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        sim.view(broadcast, &everything(LayerChoice::Spatial(0)));
        sim.run_ms(1500);
        for (index, offset_ms) in [1500, 1850, 1980, 20, 150].into_iter().enumerate() {
            run_into_group(&mut sim, publisher, offset_ms);
            let worker = (index % sim.engines.len()) as u8;
            let down = Path::narrow(2_000_000);
            let viewer = sim.view(broadcast, &Viewer { worker, down, ..everything(LayerChoice::Spatial(2)) });
            sim.run_until(500, |sim| sim.seats[viewer].judge.first_video_at.is_some());
            sim.run_ms(offset_ms % 60);
            sim.choose(viewer, LayerChoice::Spatial(1));
            sim.run_ms(30);
            sim.choose(viewer, LayerChoice::AudioOnly);
            sim.run_ms(30);
            sim.choose(viewer, LayerChoice::Spatial(1));
            sim.run_ms(2600);
            let receiver = sim.receiver(viewer);
            let newest = receiver.decoder.frames.last().expect("a picture");
            assert!(newest.layer == 1 && sim.now - newest.at <= FRAME * 2 && sim.latency_ms(newest) <= LIVE_MS, "{codec:?}: {newest:?}");
            assert_eq!((receiver.holes(), receiver.lost), (0, 0), "{codec:?}");
        }
        sim.finish();
    }
}

#[test]
fn a_larger_layer_takes_over_from_a_young_group_without_waiting() {
    for codec in VIDEO {
        let mut sim = Sim::new(16, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::simulcast(codec));
        let viewer = sim.view(broadcast, &everything(LayerChoice::Spatial(0)));
        sim.run_ms(4000);
        run_into_group(&mut sim, publisher, 200);
        let (begin, before) = (sim.now, sim.encoder(publisher).keyframe_requests.len());
        sim.choose(viewer, LayerChoice::Spatial(2));
        sim.run_ms(300);
        let frames = &sim.receiver(viewer).decoder.frames;
        let first = frames.iter().find(|frame| frame.layer == 2).expect("the larger layer");
        assert!(first.at - begin <= Duration::from_millis(30), "{codec:?}: {:?}", first.at - begin);
        assert!(sim.latency_ms(frames.last().expect("frames")) <= LIVE_MS, "{codec:?}");
        assert_eq!((replays(&sim, ReplayCause::Switch), sim.encoder(publisher).keyframe_requests.len()), (1, before));
        sim.finish();
    }
}

#[test]
fn a_publisher_may_go_in_the_middle_of_a_replay_and_come_back() {
    for codec in VIDEO {
        let mut sim = Sim::new(17, 2);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, groups_of(4, codec));
        sim.run_ms(500);
        run_into_group(&mut sim, publisher, 2500);
        let viewers: Vec<_> = [0, 1]
            .map(|worker| sim.view(broadcast, &Viewer { worker, down: Path::narrow(2_000_000), ..everything(LayerChoice::Spatial(2)) }))
            .into();
        sim.run_until(500, |sim| viewers.iter().all(|viewer| sim.seats[*viewer].judge.first_video_at.is_some()));
        sim.run_ms(30);
        sim.remove(publisher);
        sim.run_ms(1000);
        sim.publish(broadcast, Show::simulcast(codec));
        sim.run_ms(2500);
        for viewer in viewers {
            let newest = sim.receiver(viewer).decoder.frames.last().expect("a picture");
            assert!(sim.now - newest.at <= FRAME * 2 && sim.latency_ms(newest) <= LIVE_MS, "{codec:?}: {newest:?}");
        }
        sim.finish();
    }
}

#[test]
fn a_replay_over_a_narrow_path_goes_on_with_the_next_group() {
    let mut sim = Sim::new(18, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show { layers: vec![(20, 1280, 720, None)], ..groups_of(2, Codec::H264) });
    // 2.8 Mbit/s of media, and the receiver says that there is room for no more: half as fast again must do.
    let viewer = sim.view(broadcast, &Viewer { reports: Reports::Remb(2_800_000), ..Viewer::default() });
    sim.run_ms(2500);
    run_into_group(&mut sim, publisher, 1500);
    let behind_ms = |sim: &Sim| sim.latency_ms(sim.receiver(viewer).decoder.frames.last().expect("a picture"));
    wish(&mut sim, viewer);
    sim.run_ms(400);
    assert!(behind_ms(&sim) > 500.0, "{}", behind_ms(&sim));
    sim.run_ms(400);
    assert!(behind_ms(&sim) <= LIVE_MS, "{}", behind_ms(&sim));
    assert_eq!(sim.receiver(viewer).lost, 0);
    sim.finish();
}
