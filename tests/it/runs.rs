//! How many sends a frame takes: its packets leave together, whatever their sizes, and however they trickle in.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;

use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};

/// Packets per send to a viewer of the highest layer (five packets a frame, and sound by itself), over two seconds.
fn packets_per_send(uplink_bps: Option<u64>) -> f64 {
    let mut sim = Sim::new(61, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show { audio: false, ..Show::simulcast(Codec::H264) });
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    sim.run_ms(3000);
    sim.seats[publisher].up.path.rate_bps = uplink_bps;
    sim.run_ms(500);
    let before = (sim.engines[0].counters.packets_forwarded, sim.engines[0].counters.sends);
    sim.run_ms(2000);
    let counters = &sim.engines[0].counters;
    let per_send = (counters.packets_forwarded - before.0) as f64 / (counters.sends - before.1) as f64;
    assert_eq!((sim.receiver(viewer).lost, sim.receiver(viewer).nacked), (0, 0));
    sim.finish();
    per_send
}

#[test]
fn a_frame_is_one_send_though_its_packets_differ_in_size() {
    let per_send = packets_per_send(None);
    assert!(per_send > 4.5, "{per_send}");
}

#[test]
fn a_frame_that_trickles_in_is_gathered_for_two_milliseconds() {
    // 700 bytes take 0.7 ms of this uplink, and the lower layers' packets come between.
    let per_send = packets_per_send(Some(8_000_000));
    assert!(per_send > 2.0, "{per_send}");
}

#[test]
fn waiting_for_a_frames_end_costs_no_latency() {
    let mut sim = Sim::new(62, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(0)));
    sim.run_ms(3000);
    let since = sim.now;
    sim.run_ms(1000);
    // One packet a frame: each leaves in the instant it arrives, and the way down takes 20 ms.
    let seen: Vec<_> = sim.receiver(viewer).seen.iter().filter(|seen| seen.at > since).collect();
    let waited = seen.iter().filter(|seen| seen.arrived.is_none_or(|arrived| seen.at - arrived > Duration::from_millis(20))).count();
    assert!(seen.len() > 20 && waited == 0, "{waited} of {}", seen.len());
    sim.finish();
}
