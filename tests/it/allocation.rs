//! What a packet costs in memory must not depend on how many watch.

use std::time::Duration;

use courtside::sfu::codec::Codec;
use courtside::sfu::forward::{Route, Wire};
use courtside::sfu::handle::LayerChoice;

use crate::support::media::Show;
use crate::support::sim::{SERVER, Sim, Viewer};

/// Counts what is sent, keeps nothing.
#[derive(Default)]
struct Nowhere {
    datagrams: usize,
}

impl Wire for Nowhere {
    fn send(&mut self, _: Route, segment: usize, contents: &[u8]) -> bool {
        self.datagrams += contents.len().div_ceil(segment);
        true
    }
}

/// Allocations of the worker for two seconds of media, and datagrams that left.
fn forwarded_to(viewers: usize) -> (u64, usize) {
    let mut sim = Sim::new(39, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    for _ in 0..viewers {
        sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    }
    sim.run_ms(4500);
    let source = sim.seats[publisher].client.address;
    let end = sim.now + Duration::from_secs(2);
    let (mut allocations, mut wire) = (0, Nowhere::default());
    while sim.now < end {
        for datagram in sim.take_from(publisher) {
            let (now, engine) = (sim.now, &mut sim.engines[0]);
            let measured = allocation_counter::measure(|| {
                engine.handle_datagram(now, source, Some(SERVER), &datagram, &mut wire);
                engine.handle_batch_end(now, &mut wire);
            });
            allocations += measured.count_total;
        }
    }
    (allocations, wire.datagrams)
}

#[test]
fn a_packet_costs_as_many_allocations_for_two_hundred_viewers_as_for_one() {
    let ((for_one, to_one), (for_many, to_many)) = (forwarded_to(1), forwarded_to(200));
    assert!(to_one > 200 && to_many > 190 * to_one, "{to_one} and {to_many} datagrams left");
    assert_eq!(for_one, for_many);
}

/// Allocations and datagrams of the turns that a replay takes between two ticks of the worker's clock.
fn replayed_to(viewers: usize) -> (u64, usize) {
    let mut sim = Sim::new(40, 1);
    let broadcast = sim.broadcast();
    let every_4_s = Show { ignores_pli: true, key_every: Some(Duration::from_secs(4)), ..Show::simulcast(Codec::Vp8) };
    sim.publish(broadcast, every_4_s);
    sim.run_ms(3500);
    let viewers: Vec<_> = (0..viewers).map(|_| sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)))).collect();
    sim.run_until(500, |sim| viewers.iter().all(|viewer| sim.seats[*viewer].judge.first_report_at.is_some()));
    let engine = &mut sim.engines[0];
    let (mut allocations, mut wire, mut now) = (0, Nowhere::default(), sim.now);
    // The worker's own clock wakes it each 20 ms and does allocate; the turns between are the replay's.
    let tick = now + Duration::from_millis(20);
    engine.handle_timeout(tick, &mut Nowhere::default());
    now = now.max(tick);
    for _ in 0..19 {
        now += Duration::from_millis(1);
        let measured = allocation_counter::measure(|| engine.handle_timeout(now, &mut wire));
        allocations += measured.count_total;
    }
    (allocations, wire.datagrams)
}

#[test]
fn a_replay_to_two_hundred_viewers_allocates_nothing() {
    let (allocations, datagrams) = replayed_to(200);
    assert!(datagrams > 200 * 10, "{datagrams} datagrams left");
    assert_eq!(allocations, 0);
}
