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
