//! Everybody leaves, in every way, and nothing is left.

use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{Command, PeerGone};

use crate::support::client::Phase;
use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};

#[test]
fn whoever_leaves_in_whatever_way_leaves_nothing() {
    let mut sim = Sim::new(25, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewers: Vec<_> = (0..4).map(|_| sim.view(broadcast, &Viewer::default())).collect();
    sim.run_ms(2000);
    sim.hang_up(viewers[0]);
    sim.vanish(viewers[1]);
    sim.remove(viewers[2]);
    sim.run_ms(500);
    assert_eq!(sim.seats[viewers[0]].gone, Some(PeerGone::ClosedByPeer));
    assert_eq!(sim.seats[viewers[2]].gone, Some(PeerGone::Removed));
    assert_eq!(sim.seats[viewers[2]].client.phase, Phase::Closed);
    assert!(sim.receiver(viewers[3]).seen.len() > 20);
    sim.vanish(publisher);
    sim.vanish(viewers[3]);
    sim.run_ms(31_000);
    assert!(sim.seats.iter().all(|seat| seat.gone.is_some()));
    sim.finish();
}

#[test]
fn closing_a_broadcast_removes_everyone_of_it_and_no_one_else() {
    let mut sim = Sim::new(26, 1);
    let (ends, stays) = (sim.broadcast(), sim.broadcast());
    for broadcast in [ends, stays] {
        sim.publish(broadcast, Show::simulcast(Codec::H264));
        sim.view(broadcast, &Viewer::default());
    }
    sim.run_ms(2000);
    sim.tell(0, Command::CloseBroadcast { broadcast: ends });
    sim.run_ms(1000);
    for seat in &sim.seats {
        assert_eq!(seat.gone.is_some(), seat.broadcast == ends);
    }
    sim.finish();
}
