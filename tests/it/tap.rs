//! What a subscriber in this process gets of a broadcast, and what the broadcast does for it.

use std::collections::BTreeMap;

use courtside::limits::{HLS_TAPS_MAX, KEYFRAME_CADENCE, LAYER_UNWATCHED_AFTER};
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{Command, SfuEvent};
use courtside::sfu::tap::{self, Tap, TapRun, TrackSlot};
use tokio::sync::mpsc::error::TryRecvError;

use crate::support::media::Show;
use crate::support::sim::Sim;

/// More than any of these tests lets wait.
const QUEUE: usize = 8192;

fn taken(tap: &mut Tap) -> Vec<TapRun> {
    std::iter::from_fn(|| tap.try_recv().ok()).collect()
}

/// Numbers of the packets of each stream, in the order in which they came.
fn numbers(runs: &[TapRun]) -> BTreeMap<(usize, u8), Vec<u64>> {
    let mut streams: BTreeMap<(usize, u8), Vec<u64>> = BTreeMap::new();
    for run in runs {
        streams.entry((run.slot.index(), run.layer)).or_default().extend(run.packets.iter().map(|packet| packet.seq.0));
    }
    streams
}

fn key_frames(runs: &[TapRun], layer: u8) -> usize {
    let of_layer = runs.iter().filter(|run| run.slot == TrackSlot::MainVideo && run.layer == layer);
    of_layer.flat_map(|run| run.packets.iter()).filter(|packet| packet.info.keyframe_start && packet.info.resolution.is_some()).count()
}

#[test]
fn a_tap_gets_the_past_and_then_every_packet_of_every_stream() {
    let mut sim = Sim::new(60, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(2_500);
    let (sender, mut tap) = tap::tap(QUEUE);
    sim.tell(0, Command::AddTap { broadcast, tap: sender });
    let past = taken(&mut tap);
    let streams = numbers(&past);
    assert_eq!(streams.keys().copied().collect::<Vec<_>>(), [(0, 0), (0, 1), (0, 2), (1, 0)], "three layers and sound");
    for layer in 0..3 {
        assert_eq!(key_frames(&past, layer), 1, "from the last key frame on");
    }
    sim.run_ms(3_000);
    let all = [past, taken(&mut tap)].concat();
    for (stream, numbers) in numbers(&all) {
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{stream:?}: nothing twice, nothing missing");
        assert!(numbers.len() > 60, "{stream:?}: {}", numbers.len());
    }
    assert!(all.last().is_some_and(|run| run.clock_is_real && run.clock.is_some()));
    drop(tap);
    sim.finish();
}

#[test]
fn while_somebody_taps_key_frames_come_and_every_layer_is_wanted() {
    let mut sim = Sim::new(61, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let told = |sim: &Sim| {
        let words = sim
            .events_of(publisher)
            .filter_map(|(_, event)| if let SfuEvent::Unwatched { rids, .. } = event { Some(rids.len()) } else { None });
        words.last()
    };
    let patience = LAYER_UNWATCHED_AFTER.as_millis() as u64 + 1_500;
    sim.run_ms(patience);
    assert_eq!(told(&sim), Some(2), "nobody watches");
    let (sender, mut tap) = tap::tap(QUEUE);
    sim.tell(0, Command::AddTap { broadcast, tap: sender });
    sim.run_ms(200);
    assert_eq!(told(&sim), Some(0));
    tap.set_wants_all(false);
    sim.run_ms(patience);
    assert_eq!(told(&sim), Some(2), "it keeps itself ready, no more");
    tap.set_wants_all(true);
    sim.run_ms(200);
    assert_eq!(told(&sim), Some(0));
    taken(&mut tap);
    let (seconds, cadence) = (12, KEYFRAME_CADENCE.as_secs());
    sim.run_ms(seconds * 1000);
    let runs = taken(&mut tap);
    for layer in 0..3 {
        let found = key_frames(&runs, layer) as u64;
        assert!((seconds / cadence - 1..=seconds / cadence + 1).contains(&found), "layer {layer}: {found} key frames");
    }
    drop(tap);
    let asked = sim.encoder(publisher).keyframe_requests.len();
    sim.run_ms(patience);
    assert_eq!(told(&sim), Some(2), "and nobody again");
    assert!(sim.encoder(publisher).keyframe_requests.len() <= asked + 1, "nobody needs key frames any more");
    sim.finish();
}

#[test]
fn a_tap_outlives_its_publisher_and_ends_with_the_broadcast() {
    let mut sim = Sim::new(62, 1);
    let broadcast = sim.broadcast();
    let first = sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(1_000);
    let (sender, mut tap) = tap::tap(QUEUE);
    sim.tell(0, Command::AddTap { broadcast, tap: sender });
    sim.run_ms(1_000);
    let before = taken(&mut tap);
    sim.remove(first);
    sim.run_ms(500);
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(2_000);
    let after = taken(&mut tap);
    assert!(after.last().is_some_and(|run| run.source > before[0].source), "another source");
    sim.tell(0, Command::CloseBroadcast { broadcast });
    taken(&mut tap);
    assert_eq!(tap.try_recv().err(), Some(TryRecvError::Disconnected));
    sim.finish();
}

#[test]
fn a_broadcast_has_only_so_many_taps() {
    let mut sim = Sim::new(63, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(500);
    let mut taps: Vec<Tap> = Vec::new();
    for _ in 0..=HLS_TAPS_MAX {
        let (sender, tap) = tap::tap(QUEUE);
        sim.tell(0, Command::AddTap { broadcast, tap: sender });
        taps.push(tap);
    }
    sim.run_ms(200);
    let ended: Vec<bool> = taps
        .iter_mut()
        .map(|tap| {
            taken(tap);
            tap.try_recv().err() == Some(TryRecvError::Disconnected)
        })
        .collect();
    assert_eq!(ended, [false, false, true]);
    drop(taps);
    sim.finish();
}
