//! Friends in a call on top of a match, and guests on air: who sees and hears whom, over which worker, and what is left behind.

use std::time::Duration;

use courtside::ids::{BroadcastId, SourceId};
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::SfuEvent;

use crate::support::media::Show;
use crate::support::sim::calls::{FIRST_FACE, GUEST, Member};
use crate::support::sim::{Sim, Who};

/// A match that has been running for a while.
fn at_a_match(seed: u64, workers: u8) -> (Sim, BroadcastId, Who) {
    let mut sim = Sim::new(seed, workers);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    sim.run_ms(1500);
    (sim, broadcast, publisher)
}

/// Members on these workers, each of whom sees all others: in order, in the pairs from the first face on.
fn call(sim: &mut Sim, broadcast: BroadcastId, workers: &[u8]) -> Vec<(Who, SourceId)> {
    let members: Vec<(Who, SourceId)> = workers
        .iter()
        .map(|worker| {
            let source = sim.broadcast();
            (sim.join_call(broadcast, source, &Member::on(*worker)), source)
        })
        .collect();
    for (who, own) in &members {
        let friends = members.iter().map(|(_, source)| *source).filter(|source| source != own);
        let fills: Vec<_> = (FIRST_FACE..).zip(friends.map(Some)).collect();
        sim.fill(*who, &fills);
    }
    members
}

/// New frames and packets of sound on a pair over a second.
fn in_a_second(sim: &mut Sim, who: Who, pair: usize) -> (usize, u64) {
    let before = sim.seen_and_heard(who, pair);
    sim.run_ms(1000);
    let after = sim.seen_and_heard(who, pair);
    (after.0 - before.0, after.1 - before.1)
}

fn plays((frames, sound): (usize, u64)) -> bool {
    frames >= 20 && sound >= 45
}

#[test]
fn two_friends_see_and_hear_each_other_on_top_of_the_match_on_one_worker_and_on_two() {
    for workers in [&[0, 0][..], &[1, 1], &[0, 1], &[1, 2]] {
        let (mut sim, broadcast, publisher) = at_a_match(80, 3);
        let members = call(&mut sim, broadcast, workers);
        let begun = sim.now;
        sim.run_until(1200, |sim| {
            members.iter().all(|(who, _)| {
                let (frames, sound) = sim.seen_and_heard(*who, FIRST_FACE);
                frames > 0 && sound > 0
            })
        });
        println!("{workers:?}: seen and heard after {:?}", sim.now - begun);
        sim.run_ms(1000);
        for (who, source) in &members {
            assert!(plays(in_a_second(&mut sim, *who, FIRST_FACE)), "{workers:?}: the friend");
            assert!(plays(in_a_second(&mut sim, *who, 0)), "{workers:?}: the match");
            assert_eq!(sim.seen_and_heard(*who, FIRST_FACE + 1), (0, 0), "nothing comes where nothing was filled in");
            let peer = sim.seats[*who].peer;
            let tracks =
                |event: &SfuEvent| matches!(event, SfuEvent::Tracks { peer: told, broadcast, .. } if *told == peer && broadcast == source);
            assert!(sim.events.iter().any(|(_, event)| tracks(event)), "what a member sends is told as its source's");
        }
        assert!(sim.encoder(publisher).keyframe_requests.len() <= 6, "the match's publisher is asked as before");
        sim.finish();
    }
}
