//! Datagrams that nobody should send. Nothing panics, nothing grows, and those who watch keep watching.

use std::time::Duration;

use courtside::limits;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::{LayerChoice, SfuError};
use courtside::sfu::stats::DropReason;
use rand::{Rng, RngCore};

use crate::support::client::Phase;
use crate::support::media::Show;
use crate::support::receiver::Reports;
use crate::support::sim::{Sim, Viewer, Who};
use crate::support::wire;

struct Scene {
    sim: Sim,
    publisher: Who,
    viewer: Who,
    villain: Who,
}

/// A show, someone who watches, and a viewer with valid credentials who means no good.
fn scene(seed: u64) -> Scene {
    let mut sim = Sim::new(seed, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer::choosing(LayerChoice::Spatial(2)));
    let villain = sim.view(broadcast, &Viewer { reports: Reports::Silent, ..Viewer::default() });
    sim.run_ms(3000);
    Scene { sim, publisher, viewer, villain }
}

impl Scene {
    /// The picture went on all the while, and nothing stayed behind.
    fn all_is_well(mut self, begin: std::time::Instant) {
        self.sim.run_ms(1000);
        let silence = self.sim.receiver(self.viewer).longest_silence(begin, self.sim.now);
        assert!(silence < Duration::from_millis(250), "the viewer saw nothing for {silence:?}");
        assert_eq!(self.sim.receiver(self.viewer).lost, 0);
        self.sim.finish();
    }

    /// A client's media packet reaches the server at once, sealed as it should be.
    fn says_rtp(&mut self, who: Who, packet: &[u8]) {
        self.sim.seats[who].client.send_rtp(packet);
        self.deliver(who);
    }

    /// Likewise a compound of reports.
    fn says_rtcp(&mut self, who: Who, compound: &[u8]) {
        self.sim.seats[who].client.send_rtcp(compound);
        self.deliver(who);
    }

    fn deliver(&mut self, who: Who) {
        let client = &mut self.sim.seats[who].client;
        let (source, sealed) = (client.address, client.poll_transmit().expect("sealed"));
        self.sim.inject(0, source, &sealed);
    }

    /// A datagram as one of ours would send it, changed a little.
    fn mutate(&mut self, datagram: &[u8]) -> Vec<u8> {
        let rng = &mut self.sim.rng;
        let mut datagram = datagram.to_vec();
        match rng.random_range(0..4) {
            0 => datagram.truncate(rng.random_range(0..=datagram.len())),
            1 => {
                for _ in 0..rng.random_range(1..6) {
                    if !datagram.is_empty() {
                        let at = rng.random_range(0..datagram.len());
                        datagram[at] = rng.random();
                    }
                }
            }
            2 => datagram.extend((0..rng.random_range(0..64)).map(|_| rng.random::<u8>())),
            _ => {
                let at = rng.random_range(0..=datagram.len());
                datagram.drain(at..(at + 8).min(datagram.len()));
            }
        }
        datagram
    }
}

#[test]
fn noise_from_anywhere_is_dropped() {
    let mut scene = scene(30);
    let begin = scene.sim.now;
    let known = [scene.villain, scene.viewer, scene.publisher].map(|who| scene.sim.seats[who].client.address);
    for round in 0..4000 {
        let source = if round % 2 == 0 { scene.sim.fresh_address() } else { known[round % 3] };
        let mut datagram = vec![0; scene.sim.rng.random_range(0..1500)];
        scene.sim.rng.fill_bytes(&mut datagram);
        if let Some(first) = datagram.first_mut() {
            // Mostly what gets past the first look, but no DTLS alerts: those before authentication belong to the handshake.
            *first = [0, 1, 0x80, 0x90, 0xb0, 23, 22, 70][scene.sim.rng.random_range(0..8)];
        }
        scene.sim.inject(0, source, &datagram);
        if round % 100 == 0 {
            scene.sim.run_ms(20);
        }
    }
    scene.all_is_well(begin);
}

#[test]
fn mutated_checks_neither_move_nor_add_anyone() {
    let mut scene = scene(31);
    let begin = scene.sim.now;
    for round in 0..2000 {
        let check = scene.sim.seats[scene.viewer].client.binding_request();
        let mutated = scene.mutate(&check);
        // The last eight bytes are FINGERPRINT, which the integrity does not cover: without it a check is as authentic as with it.
        let covered = check.len() - 8;
        if mutated.len() == check.len() && mutated[..covered] == check[..covered] {
            continue;
        }
        let source = scene.sim.fresh_address();
        scene.sim.inject(0, source, &mutated);
        if round % 100 == 0 {
            scene.sim.run_ms(20);
        }
    }
    assert_eq!(scene.sim.engines[0].counters.address_changes, 0);
    scene.all_is_well(begin);
}

#[test]
fn one_who_checks_from_a_thousand_addresses_harms_only_itself() {
    let mut scene = scene(32);
    let begin = scene.sim.now;
    for _ in 0..1000 {
        let check = scene.sim.seats[scene.villain].client.binding_request();
        let source = scene.sim.another_address(scene.villain);
        scene.sim.inject(0, source, &check);
    }
    scene.sim.run_ms(3000);
    let [.., addresses] = scene.sim.engines[0].sizes();
    // Its own, and one of each of the two others.
    assert!(addresses <= limits::ICE_VALIDATED_MAX + 2, "{addresses}");
    // Its own picture follows it home.
    assert!(scene.sim.receiver(scene.villain).last_video().is_some_and(|seen| scene.sim.now - seen.at < Duration::from_millis(300)));
    scene.all_is_well(begin);
}

#[test]
fn replayed_media_of_the_publisher_is_seen_once() {
    let mut scene = scene(38);
    let begin = scene.sim.now;
    let source = scene.sim.seats[scene.publisher].client.address;
    let mut old: Vec<Vec<u8>> = Vec::new();
    let mut replayed = 0;
    let dropped = |scene: &Scene| scene.sim.engines[0].counters.dropped[DropReason::Srtp as usize];
    let before = dropped(&scene);
    for _ in 0..80 {
        let sent = scene.sim.take_from(scene.publisher);
        let sealed: Vec<Vec<u8>> = sent.into_iter().filter(|datagram| matches!(datagram.first(), Some(128..=191))).collect();
        for datagram in &sealed {
            scene.sim.inject(0, source, datagram);
        }
        // At once, and again much later.
        for datagram in sealed.iter().chain(old.iter().step_by(7)) {
            scene.sim.inject(0, source, datagram);
            replayed += 1;
        }
        old.extend(sealed);
        scene.sim.run_ms(5);
    }
    assert!(replayed > 1000, "{replayed}");
    assert_eq!(dropped(&scene) - before, replayed, "each replay is seen through");
    scene.all_is_well(begin);
}

#[test]
fn mutated_and_replayed_media_is_dropped() {
    let mut scene = scene(33);
    let begin = scene.sim.now;
    let source = scene.sim.seats[scene.publisher].client.address;
    let mut captured: Vec<Vec<u8>> = Vec::new();
    for round in 0..1500 {
        if round % 10 == 0 {
            // A packet that the publisher really sends now, and later once more.
            let now = scene.sim.now;
            let report = wire::receiver_report(7, 9, 0, round, (0, 0));
            let client = &mut scene.sim.seats[scene.publisher].client;
            client.send_rtcp(&report);
            let sealed = client.poll_transmit().expect("sealed");
            scene.sim.inject(0, source, &sealed);
            captured.push(sealed);
            assert_eq!(now, scene.sim.now);
        }
        let old = captured[round as usize % captured.len()].clone();
        scene.sim.inject(0, source, &old);
        let mutated = scene.mutate(&old);
        if matches!(mutated.first(), Some(128..=191)) {
            scene.sim.inject(0, source, &mutated);
        }
        if round % 50 == 0 {
            scene.sim.run_ms(20);
        }
    }
    assert!(scene.sim.engines[0].counters.dropped[DropReason::Srtp as usize] > 1400, "replays are seen through");
    scene.all_is_well(begin);
}

#[test]
fn ten_thousand_streams_of_a_publisher_are_not_all_taken_up() {
    let mut scene = scene(34);
    let begin = scene.sim.now;
    for ssrc in 0..10_000u32 {
        let rid: &[u8] = [b"l" as &[u8], b"m", b"h", b"x"][ssrc as usize % 4];
        // Stray payload types and foreign RIDs, all properly sealed.
        let packet = wire::write_rtp(33, false, 1, 1, 0x1000_0000 + ssrc, &[(9, b"0"), (10, rid)], &[0x90, 0x80, 0, 0, 1, 2, 3, 4]);
        scene.says_rtp(scene.publisher, &packet);
    }
    // A viewer has no business sending media at all.
    for ssrc in 0..10_000u32 {
        let packet = wire::write_rtp(96, true, 1, 1, ssrc, &[], &[0x90, 0x80, 0, 0, 1, 2, 3, 4]);
        scene.says_rtp(scene.villain, &packet);
    }
    // Nor may it report under as many names: beyond the first few they are not even opened.
    let dropped = scene.sim.engines[0].counters.dropped[DropReason::Srtp as usize];
    for ssrc in 0..10_000u32 {
        scene.says_rtcp(scene.villain, &wire::receiver_report(ssrc, 9, 0, 1, (0, 0)));
    }
    let dropped = scene.sim.engines[0].counters.dropped[DropReason::Srtp as usize] - dropped;
    assert!(dropped > 9900, "{dropped}");
    scene.all_is_well(begin);
}

#[test]
fn a_storm_of_requests_is_answered_within_its_budget_and_key_frames_stay_rare() {
    let mut scene = scene(35);
    let begin = scene.sim.now;
    let requests = scene.sim.encoder(scene.publisher).keyframe_requests.len();
    let resent = scene.sim.engines[0].counters.retransmitted;
    let media = scene.sim.seats[scene.villain].judge.video_ssrc().expect("a video");
    for round in 0..200u16 {
        let seqs: Vec<u16> = (0..100).map(|seq| seq * 3 + round).collect();
        let newest: Vec<u16> = scene.sim.seats[scene.villain].judge.newest_numbers(100);
        for compound in [wire::nack(1, media, &seqs), wire::nack(1, media, &newest), wire::pli(1, media)] {
            scene.says_rtcp(scene.villain, &compound);
        }
        scene.sim.run_ms(10);
    }
    let resent = scene.sim.engines[0].counters.retransmitted - resent;
    // What is saved up, a quarter of what it is sent meanwhile, and packets have 640 bytes on average.
    let most = limits::RESEND_BUDGET_BYTES_MAX / 400;
    assert!(resent > most / 4 && resent <= most, "{resent} in two seconds");
    let requests = scene.sim.encoder(scene.publisher).keyframe_requests.len() - requests;
    assert!(requests <= 5, "{requests} key frames in two seconds");
    scene.all_is_well(begin);
}

#[test]
fn mutated_control_packets_from_a_valid_viewer_do_no_harm() {
    let mut scene = scene(36);
    let begin = scene.sim.now;
    let media = scene.sim.seats[scene.villain].judge.video_ssrc().expect("a video");
    let arrivals: Vec<Option<u64>> = (0..40).map(|at| (at % 3 != 0).then_some(1_000_000 + at * 5_000)).collect();
    let samples = [
        wire::nack(1, media, &[1, 2, 3, 500]),
        wire::pli(1, media),
        wire::remb(1, 1_000_000),
        wire::receiver_report(1, media, 10, 1000, (0, 0)),
        wire::transport_feedback(1, media, 7, &arrivals, 1),
        wire::sender_report(1, 0x1234_5678_9abc_def0, 9, 1, 1),
    ];
    for round in 0..3000 {
        let mut compound = scene.mutate(&samples[round % samples.len()]);
        // What the sealing library takes for RTCP at all.
        compound.resize(compound.len().max(8), 0);
        compound[0] = 0x80 | compound[0] & 0x3f;
        compound[1] = 200 + compound[1] % 8;
        let client = &mut scene.sim.seats[scene.villain].client;
        client.send_rtcp(&compound);
        let Some(sealed) = client.poll_transmit() else { continue };
        let source = scene.sim.seats[scene.villain].client.address;
        scene.sim.inject(0, source, &sealed);
        if round % 100 == 0 {
            scene.sim.run_ms(20);
        }
    }
    scene.all_is_well(begin);
}

#[test]
fn a_storm_of_joins_is_taken_in_by_the_second_and_those_who_watch_do_not_notice() {
    let mut scene = scene(42);
    let begin = scene.sim.now;
    let broadcast = scene.sim.seats[scene.viewer].broadcast;
    let most = limits::JOINS_PER_WORKER_PER_S;
    for _ in 0..2 {
        let mut taken = 0;
        for _ in 0..most + 50 {
            match scene.sim.try_view(broadcast, &Viewer::default()) {
                Ok(who) => {
                    taken += 1;
                    scene.sim.vanish(who);
                }
                Err(refused) => assert!(matches!(refused, SfuError::Full { .. }), "{refused}"),
            }
        }
        assert_eq!(taken, most);
        scene.sim.run_ms(1000);
    }
    scene.all_is_well(begin);
}

#[test]
fn handshakes_that_are_garbled_fail_alone() {
    let mut scene = scene(37);
    let begin = scene.sim.now;
    let broadcast = scene.sim.seats[scene.viewer].broadcast;
    for _ in 0..40 {
        let victim = scene.sim.view(broadcast, &Viewer::default());
        let source = scene.sim.seats[victim].client.address;
        scene.sim.run_ms(70);
        for _ in 0..20 {
            let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48];
            let mut rest = vec![0; 60];
            scene.sim.rng.fill_bytes(&mut rest);
            record.extend(rest);
            let record = scene.mutate(&record);
            scene.sim.inject(0, source, &record);
        }
        scene.sim.run_ms(30);
    }
    scene.sim.run_ms(500);
    scene.all_is_well(begin);
}

#[test]
fn feedback_that_lies_about_the_bandwidth_brings_the_liar_no_more_than_the_top_layer() {
    let mut scene = scene(43);
    let begin = scene.sim.now;
    let media = scene.sim.seats[scene.villain].judge.video_ssrc().expect("a video");
    let passed = |scene: &Scene| [scene.villain, scene.viewer].map(|who| scene.sim.seats[who].down.passed);
    let before = passed(&scene);
    for round in 0..300u16 {
        let rng = &mut scene.sim.rng;
        // All numbers there are, in turn, as if each had arrived; at impossible times, too.
        let first: u16 = rng.random();
        let arrivals: Vec<Option<u64>> = (0..200).map(|at| Some(rng.random_range(0..10_000_000) + at)).collect();
        let at_once: Vec<Option<u64>> = (0..200).map(|_| Some(1_000_000)).collect();
        let none: Vec<Option<u64>> = vec![None; 200];
        let compounds = [
            wire::transport_feedback(1, media, first, &arrivals, round as u8),
            wire::transport_feedback(1, media, round.wrapping_mul(100), &at_once, round as u8),
            wire::transport_feedback(1, media, round.wrapping_mul(200), &none, round as u8),
            wire::remb(1, if round % 2 == 0 { 100_000_000_000 } else { 0 }),
            wire::receiver_report(
                1,
                media,
                if round % 3 == 0 { 255 } else { 0 },
                u32::from(round) * 77_777,
                (u32::from(round) * 7_777_777, u32::from(round)),
            ),
        ];
        for compound in compounds {
            scene.says_rtcp(scene.villain, &compound);
        }
        scene.sim.run_ms(10);
    }
    let [to_liar, to_viewer] = [0, 1].map(|of| passed(&scene)[of] - before[of]);
    assert!(to_liar <= to_viewer + to_viewer / 4, "{to_liar} datagrams to the liar, {to_viewer} to an honest viewer of the top layer");
    scene.all_is_well(begin);
}

#[test]
fn whoever_takes_over_an_address_that_a_viewer_left_is_not_that_viewer() {
    let mut scene = scene(44);
    let stale = scene.sim.seats[scene.viewer].client.address;
    let report = wire::receiver_report(1, 9, 0, 1, (0, 0));
    let client = &mut scene.sim.seats[scene.viewer].client;
    let recorded: Vec<Vec<u8>> = (0..20)
        .filter_map(|_| {
            client.send_rtcp(&report);
            client.poll_transmit()
        })
        .collect();
    scene.sim.move_client(scene.viewer);
    scene.sim.run_ms(1000);
    let begin = scene.sim.now;
    let moved = scene.sim.engines[0].counters.address_changes;
    for round in 0..2000 {
        // What was recorded there, whole and changed, and what only looks like it.
        let datagram = recorded[round % recorded.len()].clone();
        let changed = scene.mutate(&datagram);
        scene.sim.inject(0, stale, &datagram);
        if !matches!(changed.first(), Some(20..=63)) {
            scene.sim.inject(0, stale, &changed);
        }
        // As an alert and as a repeated flight, in clear and as if sealed.
        for (content, epoch) in [(21, 0), (21, 1), (22, 0), (22, 1), (20, 1)] {
            let mut record = vec![content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, round as u8, 0, 2, 1, 0];
            record[11..13].copy_from_slice(&2_u16.to_be_bytes());
            scene.sim.inject(0, stale, &record);
        }
        if round % 100 == 0 {
            scene.sim.run_ms(20);
        }
    }
    assert_eq!(scene.sim.engines[0].counters.address_changes, moved, "nobody moved back");
    assert!(scene.sim.seats[scene.viewer].gone.is_none(), "nobody was sent away");
    scene.all_is_well(begin);
}

#[test]
fn a_thousand_half_open_handshakes_are_given_up_and_nobody_notices() {
    let mut scene = scene(45);
    let begin = scene.sim.now;
    let broadcast = scene.sim.seats[scene.viewer].broadcast;
    let before = scene.sim.engines[0].sizes();
    let mut half_open = 0;
    for _ in 0..50 {
        let batch: Vec<Who> = (0..20).map(|_| scene.sim.view(broadcast, &Viewer::default())).collect();
        // Each is up to its ClientHello, and then says nothing more.
        scene.sim.run_until(500, |sim| batch.iter().all(|who| sim.seats[*who].client.phase != Phase::Checking));
        for who in batch {
            half_open += usize::from(scene.sim.seats[who].client.phase == Phase::Handshake);
            scene.sim.vanish(who);
        }
        scene.sim.run_ms(50);
    }
    assert!(half_open > 900, "{half_open}");
    let peers = scene.sim.engines[0].peers();
    assert!(peers > 900, "{peers} peers wait");
    scene.sim.run_ms(limits::ICE_CONSENT_TIMEOUT.as_millis() as u64 + 1000);
    assert_eq!(scene.sim.engines[0].sizes(), before, "none is left");
    scene.all_is_well(begin);
}
