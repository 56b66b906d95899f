//! Layers within a stream: spatial and temporal layers of VP9 and AV1, temporal layers of simulcast streams. The decoder of the simulated
//! viewers holds every frame to its references, the judge every number to what was published.

use std::time::{Duration, Instant};

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;

use crate::support::decoder::Decoded;
use crate::support::layered::{T2, T3};
use crate::support::link::{Loss, Path};
use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer, Who};

const SVC: [(Codec, &[u8], bool); 4] = [(Codec::Vp9, T3, true), (Codec::Vp9, T3, false), (Codec::Av1, T2, true), (Codec::Av1, T2, false)];
const EVERY_CODEC: [Codec; 4] = [Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1];

fn viewer(choice: LayerChoice) -> Viewer {
    Viewer { choice, codecs: EVERY_CODEC.to_vec(), ..Viewer::default() }
}

fn frames_since(sim: &Sim, who: Who, since: Instant) -> Vec<Decoded> {
    sim.receiver(who).decoder.frames.iter().filter(|frame| frame.at > since).copied().collect()
}

/// The longest time between two frames on the screen.
fn longest_freeze(frames: &[Decoded]) -> Duration {
    frames.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

#[test]
fn a_size_within_a_stream_is_reached_down_with_the_next_picture_and_up_with_the_next_key_picture() {
    for (codec, pattern, key_only) in SVC {
        let mut sim = Sim::new(60, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::svc(codec, pattern, key_only));
        sim.run_ms(1500);
        let viewer = sim.view(broadcast, &viewer(LayerChoice::Spatial(2)));
        sim.run_until(4000, |sim| sim.receiver(viewer).decoder.frames.last().is_some_and(|frame| frame.spatial == 2));
        let begun = sim.now;
        for size in [0, 2, 1, 0, 1, 2] {
            let before = sim.receiver(viewer).decoder.frames.last().expect("it plays").spatial;
            sim.choose(viewer, LayerChoice::Spatial(size));
            let took = sim.run_until(1500, |sim| sim.receiver(viewer).decoder.frames.last().is_some_and(|frame| frame.spatial == size));
            let most = if size < before { 120 } else { 1000 };
            assert!(took <= Duration::from_millis(most), "{codec:?} {before} to {size}: {took:?}");
            let since = sim.now;
            sim.run_ms(700);
            assert!(frames_since(&sim, viewer, since).iter().all(|frame| frame.spatial == size), "{codec:?}: {size} stays");
            assert_eq!(sim.stats(viewer).expect("it is there").current_layer, Some(size), "{codec:?}");
        }
        let receiver = sim.receiver(viewer);
        assert_eq!((receiver.nacked, receiver.lost, receiver.plis), (0, 0, 0), "{codec:?}: what is left out is not missed");
        let frozen = longest_freeze(&frames_since(&sim, viewer, begun));
        assert!(frozen < Duration::from_millis(100), "{codec:?}: {frozen:?}");
        assert_eq!(sim.seats[viewer].judge.emptied, 0);
        sim.finish();
    }
}

#[test]
fn a_newcomer_is_replayed_only_the_layers_it_is_to_get() {
    for (codec, pattern, key_only) in SVC {
        let mut sim = Sim::new(61, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show { ignores_pli: true, key_every: Some(Duration::from_secs(2)), ..Show::svc(codec, pattern, key_only) });
        sim.run_ms(5200);
        for size in 0..3 {
            let newcomer = sim.view(broadcast, &viewer(LayerChoice::Spatial(size)));
            sim.run_ms(1000);
            let frames = &sim.receiver(newcomer).decoder.frames;
            assert!(frames.len() > 25, "{codec:?} {size}: {} frames", frames.len());
            assert!(frames.iter().all(|frame| frame.spatial == size), "{codec:?}: {size}");
            assert_eq!(sim.seats[newcomer].judge.replays, 1);
            assert_eq!(sim.receiver(newcomer).nacked, 0);
        }
        sim.finish();
    }
}

#[test]
fn a_path_too_narrow_for_the_smallest_picture_gets_half_its_frames_and_all_of_them_when_it_is_wide_again() {
    let shows = SVC.map(|(codec, pattern, key_only)| Show::svc(codec, pattern, key_only));
    for show in shows.into_iter().chain([Show::temporal(Codec::Vp8, T2), Show::temporal(Codec::Vp8, T3)]) {
        let codec = show.codec;
        let mut sim = Sim::new(62, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, show);
        let viewer = sim.view(broadcast, &Viewer { reports: Reports::Remb(1_000), ..viewer(LayerChoice::Spatial(0)) });
        let lowest_alone = |sim: &Sim| {
            let frames = &sim.receiver(viewer).decoder.frames;
            frames.len() > 20 && frames[frames.len() - 8..].iter().all(|frame| (frame.spatial, frame.temporal) == (0, 0))
        };
        sim.run_until(15_000, lowest_alone);
        let since = sim.now;
        sim.run_ms(4000);
        let few = frames_since(&sim, viewer, since);
        assert!(few.iter().all(|frame| frame.temporal == 0), "{codec:?}");
        let rate = few.len() as f64 / 4.0;
        assert!((5.0..=13.0).contains(&rate), "{codec:?}: {rate} frames a second");
        sim.receiver_mut(viewer).reports = Reports::Remb(10_000_000);
        sim.run_until(70_000, |sim| sim.receiver(viewer).decoder.frames.last().is_some_and(|frame| frame.temporal > 0));
        let since = sim.now;
        sim.run_ms(2000);
        assert!(frames_since(&sim, viewer, since).len() > 45, "{codec:?}: all frames");
        assert_eq!((sim.receiver(viewer).nacked, sim.receiver(viewer).plis), (0, 0), "{codec:?}");
        sim.finish();
    }
}

#[test]
fn a_smaller_stream_that_waits_for_its_key_frame_is_waited_for_with_fewer_frames() {
    let mut sim = Sim::new(63, 1);
    let broadcast = sim.broadcast();
    let show = Show { ignores_pli: true, key_every: Some(Duration::from_secs(3)), ..Show::temporal(Codec::Vp8, T2) };
    sim.publish(broadcast, show);
    let viewer = sim.view(broadcast, &viewer(LayerChoice::Spatial(2)));
    sim.run_ms(7500);
    assert_eq!(sim.receiver(viewer).decoder.frames.last().map(|frame| frame.layer), Some(2));
    sim.choose(viewer, LayerChoice::Spatial(0));
    let since = sim.now + Duration::from_millis(100);
    sim.run_until(3500, |sim| sim.receiver(viewer).decoder.frames.last().is_some_and(|frame| frame.layer == 0));
    let meanwhile: Vec<_> = frames_since(&sim, viewer, since).into_iter().filter(|frame| frame.layer == 2).collect();
    assert!(meanwhile.len() > 8 && meanwhile.iter().all(|frame| frame.temporal == 0), "{} frames", meanwhile.len());
    let since = sim.now;
    sim.run_ms(1000);
    assert!(frames_since(&sim, viewer, since).iter().any(|frame| frame.temporal == 1), "the smaller one has all its frames");
    assert_eq!((sim.receiver(viewer).nacked, sim.receiver(viewer).plis), (0, 0));
    sim.finish();
}

#[test]
fn loss_and_reordering_on_both_sides_leave_every_frame_decodable_and_no_number_used_twice() {
    let mut emptied = 0;
    for seed in 0..12 {
        let (codec, pattern, key_only) = SVC[seed as usize % SVC.len()];
        let mut sim = Sim::new(1000 + seed, 1);
        let broadcast = sim.broadcast();
        let publisher = sim.publish(broadcast, Show::svc(codec, pattern, key_only));
        let rough = Path { loss: Loss::Bernoulli(0.03), jitter: Duration::from_millis(6), reorder: 0.02, ..Path::default() };
        let viewers: Vec<Who> =
            (0..3).map(|size| sim.view(broadcast, &Viewer { down: rough, ..viewer(LayerChoice::Spatial(size)) })).collect();
        sim.run_ms(3000);
        sim.seats[publisher].up.path = rough;
        for round in 0..8_u8 {
            for (who, viewer) in viewers.iter().enumerate() {
                sim.choose(*viewer, LayerChoice::Spatial((round + who as u8 * 2) % 3));
            }
            sim.run_ms(1300);
        }
        sim.seats[publisher].up.path = Path::default();
        for viewer in &viewers {
            sim.seats[*viewer].down.path = Path::default();
            sim.choose(*viewer, LayerChoice::Spatial(1));
        }
        sim.run_ms(4000);
        for viewer in &viewers {
            let since = sim.now;
            sim.run_ms(1000);
            let frames = frames_since(&sim, *viewer, since);
            assert!(frames.len() >= 24 && frames.iter().all(|frame| frame.spatial == 1), "seed {seed}: {} frames", frames.len());
            emptied += sim.seats[*viewer].judge.emptied;
        }
        sim.finish();
    }
    assert!(emptied > 10, "numbers were kept for what turned out not to be wanted: {emptied}");
}

#[test]
fn a_viewer_on_another_worker_has_the_same_layers() {
    for (codec, pattern, key_only) in SVC {
        let mut sim = Sim::new(64, 2);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::svc(codec, pattern, key_only));
        sim.run_ms(1500);
        let viewer = sim.view(broadcast, &Viewer { worker: 1, ..viewer(LayerChoice::Spatial(1)) });
        sim.run_ms(3000);
        for size in [0, 2, 1] {
            sim.choose(viewer, LayerChoice::Spatial(size));
            sim.run_until(1500, |sim| sim.receiver(viewer).decoder.frames.last().is_some_and(|frame| frame.spatial == size));
            sim.run_ms(500);
        }
        assert_eq!((sim.receiver(viewer).nacked, sim.receiver(viewer).plis), (0, 0));
        sim.finish();
    }
}
