//! Friends in a call on top of a match, and guests on air: who sees and hears whom, over which worker, and what is left behind.

use std::time::{Duration, Instant};

use courtside::ids::{BroadcastId, SourceId};
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::SfuEvent;
use courtside::sfu::stats::DropReason;

use crate::support::link::Path;
use crate::support::media::Show;
use crate::support::offer;
use crate::support::sim::calls::{FIRST_FACE, GUEST, Member};
use crate::support::sim::{Sim, Viewer, Who};

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

/// Broadcasts and other sources on every worker.
fn sources(sim: &Sim) -> Vec<usize> {
    sim.engines.iter().map(|engine| engine.sizes()[2]).collect()
}

#[test]
fn a_face_goes_from_friend_to_friend_and_back_under_numbers_that_only_grow() {
    for workers in [[0, 0, 0], [0, 1, 2]] {
        let (mut sim, broadcast, _) = at_a_match(81, 3);
        let [one, other] = [workers[1], workers[2]].map(|worker| {
            let source = sim.broadcast();
            sim.join_call(broadcast, source, &Member::on(worker));
            source
        });
        // One of them sends another codec than the other.
        let third = sim.broadcast();
        let show = Show { layers: vec![(1, 320, 180, Some("l"))], ..Show::simulcast(Codec::H264) };
        sim.join_call(broadcast, third, &Member { camera: Some(show), ..Member::on(workers[1]) });
        let watcher = sim.join_call(broadcast, broadcast, &Member::watching(workers[0]));
        sim.run_ms(1500);
        for source in [one, other, one, third, other, third, one] {
            sim.fill(watcher, &[(FIRST_FACE, Some(source))]);
            let before = sim.seen_and_heard(watcher, FIRST_FACE);
            sim.run_until(700, |sim| {
                let after = sim.seen_and_heard(watcher, FIRST_FACE);
                after.0 > before.0 && after.1 > before.1
            });
            assert!(plays(in_a_second(&mut sim, watcher, FIRST_FACE)), "{workers:?}");
        }
        // At once there and back, and filled with what it has.
        for source in [other, one, one, other] {
            sim.fill(watcher, &[(FIRST_FACE, Some(source))]);
        }
        assert!(plays(in_a_second(&mut sim, watcher, FIRST_FACE)));
        sim.fill(watcher, &[(FIRST_FACE, None)]);
        sim.run_ms(200);
        assert_eq!(in_a_second(&mut sim, watcher, FIRST_FACE), (0, 0), "emptied");
        // The broadcast's own m-lines and the guest's are not for this.
        sim.fill(watcher, &[(0, Some(one)), (GUEST, Some(one))]);
        assert_eq!(in_a_second(&mut sim, watcher, GUEST), (0, 0));
        assert!(plays(in_a_second(&mut sim, watcher, 0)));
        let judge = &sim.seats[watcher].others[FIRST_FACE - 1];
        assert!(judge.switches >= 12, "the judge saw {} switches", judge.switches);
        sim.finish();
    }
}

#[test]
fn whoever_leaves_withdraws_or_is_lost_leaves_nothing_behind() {
    let (mut sim, broadcast, _) = at_a_match(82, 3);
    let alone = sources(&sim);
    let members = call(&mut sim, broadcast, &[0, 1, 2, 1]);
    sim.run_ms(1500);
    assert_eq!(sources(&sim), [5, 5, 5], "the match and four friends, everywhere");
    // One withdraws, and goes on sending.
    let dropped = |sim: &Sim| sim.engines[1].counters.dropped.iter().sum::<u64>();
    sim.withdraw(members[1].0);
    let before = dropped(&sim);
    sim.run_ms(200);
    assert_eq!(in_a_second(&mut sim, members[0].0, FIRST_FACE), (0, 0), "at once, for everybody");
    assert!(dropped(&sim) > before + 50, "what is sent all the same is counted");
    assert!(plays(in_a_second(&mut sim, members[1].0, FIRST_FACE)), "it still sees the others");
    assert!(plays(in_a_second(&mut sim, members[0].0, FIRST_FACE + 1)));
    // One leaves, one is lost.
    sim.hang_up(members[2].0);
    sim.vanish(members[3].0);
    sim.run_ms(40_000);
    assert!(sim.seats[members[3].0].gone.is_some());
    // The first still waits for all of them; the withdrawn one too.
    for (who, _) in &members[..2] {
        let emptied: Vec<_> = (FIRST_FACE..FIRST_FACE + 3).map(|pair| (pair, None)).collect();
        sim.fill(*who, &emptied);
    }
    sim.run_ms(5_000);
    assert_eq!(sources(&sim), [2, 1, 0], "the match where it is watched, and the one camera that is left");
    sim.remove(members[0].0);
    sim.remove(members[1].0);
    sim.run_ms(100);
    assert_eq!(sources(&sim), alone);
    sim.finish();
}

#[test]
fn the_end_of_the_match_ends_its_calls_and_leaves_nothing_behind() {
    let (mut sim, broadcast, _) = at_a_match(83, 2);
    let members = call(&mut sim, broadcast, &[0, 1, 1]);
    sim.show_guest(broadcast, Some(members[0].1));
    sim.run_ms(1000);
    sim.close(broadcast);
    assert!(members.iter().all(|(who, _)| sim.seats[*who].gone.is_some()));
    sim.run_ms(5_000);
    assert_eq!(sources(&sim), [0, 0]);
    sim.finish();
}

#[test]
fn a_member_who_comes_back_by_another_worker_is_seen_again_where_it_was_filled_in() {
    for lost_first in [false, true] {
        let (mut sim, broadcast, _) = at_a_match(84, 3);
        let members = call(&mut sim, broadcast, &[0, 1]);
        let (watcher, source) = (members[0].0, members[1].1);
        sim.run_ms(1500);
        sim.vanish(members[1].0);
        // Before the server has noticed, and after.
        sim.run_ms(if lost_first { 40_000 } else { 3_000 });
        sim.join_call(broadcast, source, &Member::on(2));
        let before = sim.seen_and_heard(watcher, FIRST_FACE);
        let took = sim.run_until(1_200, |sim| {
            let after = sim.seen_and_heard(watcher, FIRST_FACE);
            after.0 > before.0 && after.1 > before.1
        });
        println!("seen and heard again after {took:?}");
        sim.run_ms(40_000);
        assert!(plays(in_a_second(&mut sim, watcher, FIRST_FACE)), "the old connection's end is not the new one's");
        sim.finish();
    }
}

#[test]
fn a_viewer_turns_the_camera_on_and_off_and_on_without_losing_the_match() {
    let (mut sim, broadcast, _) = at_a_match(85, 2);
    let source = sim.broadcast();
    let watcher = sim.join_call(broadcast, broadcast, &Member::watching(0));
    let friend = sim.join_call(broadcast, broadcast, &Member::watching(1));
    sim.run_ms(1000);
    // Filled before anything is published.
    sim.fill(watcher, &[(FIRST_FACE, Some(source))]);
    sim.run_ms(500);
    for _ in 0..8 {
        sim.turn_camera_on(friend, source, Member::default().camera.expect("it has one"));
        let before = sim.seen_and_heard(watcher, FIRST_FACE);
        sim.run_until(900, |sim| {
            let after = sim.seen_and_heard(watcher, FIRST_FACE);
            after.0 > before.0 && after.1 > before.1
        });
        assert!(plays(in_a_second(&mut sim, watcher, FIRST_FACE)));
        sim.withdraw(friend);
        sim.run_ms(100);
        assert_eq!(in_a_second(&mut sim, watcher, FIRST_FACE), (0, 0));
    }
    // Under another name, and with the same packets.
    let source = sim.broadcast();
    sim.fill(watcher, &[(FIRST_FACE, Some(source))]);
    sim.publish_again(friend, source);
    let before = sim.seen_and_heard(watcher, FIRST_FACE);
    sim.run_until(900, |sim| sim.seen_and_heard(watcher, FIRST_FACE).0 > before.0);
    sim.withdraw(friend);
    sim.run_ms(100);
    let receiver = sim.receiver(friend);
    assert!(receiver.longest_silence(receiver.seen[0].at, sim.now) < Duration::from_millis(150), "the match went on");
    // A further offer without the pairs of friends: what filled them is let go.
    let offer = offer::view(&sim.seats[watcher].client.transport(), &Viewer::default().codecs, true, true);
    let answer = sim.renegotiate(watcher, offer).expect("accepted");
    assert_eq!((answer.main.len(), answer.free.len(), answer.down_tracks), (2, 0, 2));
    sim.run_ms(5_000);
    assert_eq!(sources(&sim), [1, 1]);
    assert!(plays(in_a_second(&mut sim, watcher, 0)));
    sim.finish();
}

#[test]
fn a_guest_is_seen_by_those_who_watch_and_those_who_come_on_every_worker_until_taken_off() {
    let (mut sim, broadcast, _) = at_a_match(86, 2);
    let source = sim.broadcast();
    let guest = sim.join_call(broadcast, source, &Member { pairs: 2, ..Member::on(1) });
    let watching = |worker| Member { pairs: 2, ..Member::watching(worker) };
    let mut viewers: Vec<Who> = [0, 1, 0].map(|worker| sim.join_call(broadcast, broadcast, &watching(worker))).into();
    sim.run_ms(2000);
    sim.show_guest(broadcast, Some(source));
    let shown = sim.now;
    sim.run_until(1000, |sim| viewers.iter().all(|viewer| sim.seen_and_heard(*viewer, GUEST).0 > 0));
    println!("seen after {:?}", sim.now - shown);
    viewers.extend([1, 0].map(|worker| sim.join_call(broadcast, broadcast, &watching(worker))));
    sim.run_ms(2500);
    for viewer in &viewers {
        assert!(plays(in_a_second(&mut sim, *viewer, GUEST)), "the guest");
        let receiver = sim.receiver(*viewer);
        let frozen = receiver.decoder.frames.windows(2).map(|pair| pair[1].at - pair[0].at).max().expect("it plays");
        assert!(frozen < Duration::from_millis(200), "the match: {frozen:?}");
    }
    assert_eq!(sim.seen_and_heard(guest, GUEST), (0, 0), "a guest does not hear itself");
    assert!(plays(in_a_second(&mut sim, guest, 0)), "and still watches");
    sim.show_guest(broadcast, None);
    sim.run_ms(200);
    for viewer in &viewers {
        assert_eq!(in_a_second(&mut sim, *viewer, GUEST), (0, 0));
    }
    let late = sim.join_call(broadcast, broadcast, &watching(1));
    sim.run_ms(1000);
    assert_eq!(sim.seen_and_heard(late, GUEST), (0, 0));
    sim.finish();
}

/// Whether somebody is heard to speak, as it was told: when, of which source, and whether.
fn spoken(sim: &Sim, source: SourceId) -> Vec<(Instant, bool)> {
    let told = sim.events.iter().filter_map(|(at, event)| match event {
        SfuEvent::Speaking { broadcast, speaking, .. } if *broadcast == source => Some((*at, *speaking)),
        _ => None,
    });
    told.collect()
}

#[test]
fn speech_in_a_call_is_told_within_a_tenth_of_a_second_and_its_end_within_seven() {
    let (mut sim, broadcast, _) = at_a_match(87, 2);
    let members = call(&mut sim, broadcast, &[1, 0]);
    let (speaker, source) = members[0];
    sim.encoder_mut(speaker).level_dbov = Some(90);
    sim.run_ms(2000);
    assert_eq!(spoken(&sim, source), []);
    for round in 0..3 {
        let begun = sim.now;
        sim.encoder_mut(speaker).level_dbov = Some(25);
        sim.run_ms(1500);
        let ended = sim.now;
        sim.encoder_mut(speaker).level_dbov = Some(100);
        sim.run_ms(2000);
        let [(on, true), (off, false)] = spoken(&sim, source)[2 * round..] else { panic!("{:?}", spoken(&sim, source)) };
        // A packet of sound each 20 ms, 20 ms on its way.
        assert!(on - begun <= Duration::from_millis(140), "{:?}", on - begun);
        assert!(off - ended >= Duration::from_millis(450) && off - ended <= Duration::from_millis(700), "{:?}", off - ended);
    }
    // Silenced while it speaks.
    sim.encoder_mut(speaker).level_dbov = Some(25);
    sim.run_ms(1000);
    sim.silence(source, true);
    sim.run_ms(100);
    let (frames, sound) = in_a_second(&mut sim, members[1].0, FIRST_FACE);
    assert!(frames > 20 && sound == 0, "the picture stays: {frames} frames, {sound} packets of sound");
    assert!(matches!(spoken(&sim, source)[6..], [(_, true), (_, false)]));
    assert!(sim.engines[1].counters.dropped[DropReason::Silenced as usize] > 40);
    sim.silence(source, false);
    sim.run_ms(100);
    assert!(plays(in_a_second(&mut sim, members[1].0, FIRST_FACE)));
    assert!(matches!(spoken(&sim, source)[8..], [(_, true)]));
    assert_eq!(spoken(&sim, broadcast), [], "nobody speaks on the broadcast");
    sim.finish();
}

/// Packets of sound that neither came nor were carried by later ones.
fn lost_sound(sim: &Sim, who: Who, pair: usize) -> i64 {
    let heard = &sim.pair(who, pair).heard;
    let (first, last) = (heard.first().expect("sound"), heard.last().expect("sound"));
    last - first + 1 - heard.len() as i64
}

#[test]
fn a_silence_leaves_no_hole_in_the_numbers_of_the_sound() {
    let (mut sim, broadcast, _) = at_a_match(97, 2);
    let members = call(&mut sim, broadcast, &[1, 0]);
    sim.run_ms(1500);
    let ((speaker, source), listener) = (members[0], members[1].0);
    let after_silence = |sim: &mut Sim, ms| {
        sim.silence(source, true);
        sim.run_ms(ms);
        sim.silence(source, false);
        sim.run_ms(500);
        assert!(plays(in_a_second(sim, listener, FIRST_FACE)));
        sim.seats[listener].others[FIRST_FACE - 1].holes_in_sound()
    };
    assert_eq!(after_silence(&mut sim, 3000), 0, "a silence is no loss");
    // The camera begins anew, and what it sent before is still on its way: the sound begins anew in the middle of a silence.
    for on_the_way in [2, 6, 10, 14, 18] {
        sim.turn_camera_on(speaker, source, Member::default().camera.expect("on"));
        sim.run_ms(on_the_way);
        assert_eq!(after_silence(&mut sim, 500), 0, "{on_the_way}");
    }
    sim.finish();
}

#[test]
fn ten_faces_at_two_megabits_leave_the_match_its_second_layer() {
    let mut sim = Sim::new(88, 2);
    let broadcast = sim.broadcast();
    let layers = vec![(2, 320, 180, Some("l")), (6, 640, 360, Some("m")), (20, 1280, 720, Some("h"))];
    sim.publish(broadcast, Show { layers, ..Show::simulcast(Codec::H264) });
    // Of what the match's second layer and the sounds leave, a tenth of all kept free, each takes about a third.
    let camera = Show { layers: vec![(1, 320, 180, Some("l")), (4, 640, 360, Some("m"))], ..Show::simulcast(Codec::Vp8) };
    let friends: Vec<SourceId> = (0..10)
        .map(|number| {
            let source = sim.broadcast();
            sim.join_call(broadcast, source, &Member { pairs: 2, camera: Some(camera.clone()), ..Member::on(number % 2) });
            source
        })
        .collect();
    let mut member = Member { pairs: 12, camera: None, ..Member::on(0) };
    member.viewer.down = Path::narrow(2_000_000);
    let viewer = sim.join_call(broadcast, broadcast, &member);
    sim.run_ms(8_000);
    assert!(sim.receiver(viewer).last_video().is_some_and(|seen| seen.layer >= 1), "before the call");
    let fills: Vec<_> = (FIRST_FACE..).zip(friends.into_iter().map(Some)).collect();
    let begun = sim.now;
    sim.fill(viewer, &fills);
    sim.run_ms(30_000);
    let faces: Vec<usize> = (FIRST_FACE..FIRST_FACE + 10).map(|pair| sim.seen_and_heard(viewer, pair).0).collect();
    let frames: Vec<_> = sim.receiver(viewer).decoder.frames.iter().filter(|frame| frame.at > begun).collect();
    let least = frames.iter().map(|frame| frame.layer).min();
    let frozen = frames.windows(2).map(|pair| pair[1].at - pair[0].at).max().expect("it plays");
    let lost: Vec<i64> = (0..12).filter(|pair| *pair != GUEST).map(|pair| lost_sound(&sim, viewer, pair)).collect();
    println!("frames of faces {faces:?}, the match's smallest layer {least:?}, its longest freeze {frozen:?}, sound lost {lost:?}");
    assert!(faces.iter().filter(|frames| **frames > 100).count() >= 3, "as many as there is room for");
    assert!(least >= Some(1), "the match fell to layer {least:?}");
    assert!(frozen <= Duration::from_millis(500), "the match stood still for {frozen:?}");
    assert_eq!(lost, [0; 11], "sound was lost");
    sim.finish();
}

#[test]
fn friends_who_come_one_after_another_are_never_taken_away_where_there_is_room() {
    let mut sim = Sim::new(91, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let mut members: Vec<(Who, SourceId)> = Vec::new();
    for _ in 0..6 {
        let source = sim.broadcast();
        // Everybody comes to the match and into the call in one, before much is known of the way there.
        let who = sim.join_call(broadcast, source, &Member { pairs: FIRST_FACE + 5, ..Member::on(0) });
        members.push((who, source));
        for (who, own) in &members {
            let friends = members.iter().map(|(_, source)| *source).filter(|source| source != own);
            let fills: Vec<_> = (FIRST_FACE..).zip(friends.map(Some)).collect();
            sim.fill(*who, &fills);
        }
        sim.run_ms(300);
    }
    sim.run_ms(15_000);
    let longest = |who: Who, pair: usize| {
        let frames = &sim.pair(who, pair).decoder.frames;
        // At 20 a second, of 15 s or a little more.
        assert!(frames.len() > 280, "{who} saw {} frames on {pair}", frames.len());
        frames.windows(2).map(|two| two[1].at - two[0].at).max().expect("frames")
    };
    let stood = |(who, _): &(Who, SourceId)| (FIRST_FACE..FIRST_FACE + 5).map(|pair| longest(*who, pair)).max().expect("faces");
    let stood: Vec<Duration> = members.iter().map(stood).collect();
    assert!(stood.iter().all(|stood| *stood <= Duration::from_millis(500)), "faces stood still for {stood:?}");
    sim.finish();
}
