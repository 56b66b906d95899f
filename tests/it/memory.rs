//! What a viewer costs in memory: the difference between many and few, so that what all share does not count.

use std::time::Duration;

use courtside::limits::DTLS_SETTLED_AFTER;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::LayerChoice;

use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer};

/// What a worker may hold for a viewer, bytes. The aim for the whole process is 24 KiB; the rest is the allocator's and the control plane's.
const VIEWER_BYTES_MAX: i64 = 16 * 1024;

/// Bytes that a worker lets go of when it ends, after so many have watched.
fn held(viewers: usize, reports: Reports, watched: Duration) -> i64 {
    let mut sim = Sim::new(41, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    sim.run_ms(1000);
    for _ in 0..viewers {
        sim.view(broadcast, &Viewer { reports, ..Viewer::choosing(LayerChoice::Spatial(2)) });
    }
    sim.run_ms(watched.as_millis() as u64);
    let engines = std::mem::take(&mut sim.engines);
    -allocation_counter::measure(|| drop(engines)).bytes_current
}

/// Tables grow by doubling, so both counts are right below a power of two: with the publisher it is filled.
fn held_per_viewer(reports: Reports, watched: Duration) -> i64 {
    let (few, many) = (31, 127);
    (held(many, reports, watched) - held(few, reports, watched)) / (many - few) as i64
}

#[test]
fn a_viewer_costs_less_than_sixteen_kib_as_soon_as_it_watches() {
    let bytes = held_per_viewer(Reports::TransportFeedback, Duration::from_millis(1500));
    eprintln!("{bytes} bytes a viewer");
    assert!(bytes < VIEWER_BYTES_MAX, "{bytes} bytes a viewer");
}

#[test]
fn a_viewer_that_never_reports_costs_as_little_in_the_end() {
    let bytes = held_per_viewer(Reports::Silent, DTLS_SETTLED_AFTER + Duration::from_secs(2));
    assert!(bytes < VIEWER_BYTES_MAX, "{bytes} bytes a viewer");
}

#[test]
fn viewers_that_come_and_go_leave_nothing_behind() {
    let left = |rounds: usize| {
        let mut sim = Sim::new(42, 1);
        let broadcast = sim.broadcast();
        sim.publish(broadcast, Show::simulcast(Codec::Vp8));
        sim.run_ms(1000);
        for _ in 0..rounds {
            let viewers: Vec<_> = (0..10).map(|_| sim.view(broadcast, &Viewer::default())).collect();
            sim.run_ms(300);
            for viewer in viewers {
                sim.remove(viewer);
            }
        }
        // The publisher leaves as well, and takes the rings of its layers along.
        sim.finish();
        let engines = std::mem::take(&mut sim.engines);
        -allocation_counter::measure(|| drop(engines)).bytes_current
    };
    let (few, many) = (left(2), left(30));
    assert!((many - few).abs() < 1024, "{few} bytes after 20 viewers, {many} after 300");
}
