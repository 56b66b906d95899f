//! Where a client is, and whether it is still there.

use std::time::Duration;

use courtside::limits;
use courtside::sfu::codec::Codec;
use courtside::sfu::handle::PeerGone;
use courtside::sfu::stats::ReplayCause;

use crate::support::client::Phase;
use crate::support::link::{Link, Path};
use crate::support::media::Show;
use crate::support::sim::{Sim, Viewer};

#[test]
fn a_viewer_that_changes_its_address_sees_the_picture_go_on() {
    let mut sim = Sim::new(12, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    for _ in 0..12 {
        sim.move_client(viewer);
        let moved = sim.now;
        let took = sim.run_until(2000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.at > moved));
        assert!(took < Duration::from_millis(200), "{took:?}");
        sim.run_ms(1500);
    }
    assert_eq!(sim.engines[0].counters.address_changes, 12);
    sim.finish();
}

#[test]
fn a_publisher_that_changes_its_address_goes_on_publishing() {
    let mut sim = Sim::new(13, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    sim.move_client(publisher);
    sim.run_ms(3000);
    let moved = sim.now - Duration::from_millis(3000);
    assert!(sim.receiver(viewer).longest_silence(moved, sim.now) < Duration::from_millis(500));
    assert_eq!((sim.receiver(viewer).holes(), sim.receiver(viewer).lost), (0, 0), "what the old path swallowed is mended");
    sim.finish();
}

#[test]
fn a_viewer_goes_over_to_tcp_and_back_when_the_connection_ends() {
    let mut sim = Sim::new(18, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    let udp = sim.seats[viewer].client.address;
    let begin = sim.now;
    let connection = sim.connect_tcp(viewer);
    assert_eq!(udp.address(), connection.address(), "only the transport tells them apart");
    sim.run_ms(2000);
    assert!(sim.engines[0].knows(udp) && sim.engines[0].knows(connection));
    // The client hears that its connection is gone; what the server sends before it checks again goes where the client was before.
    sim.seats[viewer].client.address = udp;
    sim.close_tcp(viewer, connection);
    assert!(!sim.engines[0].knows(connection));
    sim.run_ms(2000);
    assert_eq!(sim.engines[0].counters.address_changes, 2);
    let silence = sim.receiver(viewer).longest_silence(begin, sim.now);
    assert!(silence < Duration::from_millis(250), "{silence:?}");
    assert_eq!(sim.to_closed, 0, "nothing was sent into a closed connection");
    sim.finish();
}

#[test]
fn a_viewer_whose_only_connection_broke_comes_back_by_another() {
    let mut sim = Sim::new(19, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::Vp8));
    let viewer = sim.view(broadcast, &Viewer::default());
    // UDP never gets through.
    let first = sim.connect_tcp(viewer);
    sim.run_ms(3000);
    assert_eq!(sim.seats[viewer].client.phase, Phase::Connected);
    sim.close_tcp(viewer, first);
    sim.run_ms(1000);
    assert!(sim.seats[viewer].gone.is_none(), "it has its consent interval to come back");
    let broken = sim.now;
    let second = sim.connect_tcp(viewer);
    let took = sim.run_until(2000, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.at > broken));
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert!(sim.engines[0].knows(second) && !sim.engines[0].knows(first));
    sim.finish();
}

#[test]
fn a_viewer_found_elsewhere_after_silence_gets_its_picture_without_asking() {
    let mut sim = Sim::new(20, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    let cut = || Link::new(Path { cut: true, ..Path::default() });
    (sim.seats[viewer].up, sim.seats[viewer].down) = (cut(), cut());
    sim.run(limits::ICE_PATH_SILENCE + Duration::from_millis(500));
    // What the client sends is lost on the dead path still, but for its check over TCP.
    sim.connect_tcp(viewer);
    let check = sim.seats[viewer].client.binding_request();
    let connection = sim.seats[viewer].client.address;
    sim.seats[viewer].down = Link::new(Path::default());
    let (found, plis) = (sim.now, sim.receiver(viewer).plis);
    sim.inject(0, connection, &check);
    assert_eq!(sim.engines[0].counters.replays[ReplayCause::Wish as usize], 1);
    let took = sim.run_until(500, |sim| sim.receiver(viewer).last_video().is_some_and(|seen| seen.at > found));
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert_eq!(sim.receiver(viewer).plis, plis, "nobody asked");
    sim.finish();
}

#[test]
fn an_ice_restart_does_not_interrupt() {
    let mut sim = Sim::new(14, 1);
    let broadcast = sim.broadcast();
    let publisher = sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    let begin = sim.now;
    sim.restart_ice(viewer);
    sim.restart_ice(publisher);
    sim.run_ms(3000);
    sim.move_client(viewer);
    sim.run_ms(1000);
    assert!(sim.receiver(viewer).longest_silence(begin, sim.now) < Duration::from_millis(250));
    // Restarts that nobody completes leave nothing behind.
    for _ in 0..50 {
        sim.restart_ice(viewer);
    }
    sim.run_ms(5000);
    assert!(sim.receiver(viewer).last_video().is_some_and(|seen| sim.now - seen.at < Duration::from_millis(200)));
    sim.finish();
}

#[test]
fn who_sends_no_checks_is_gone_after_the_consent_interval() {
    let mut sim = Sim::new(15, 1);
    let broadcast = sim.broadcast();
    sim.publish(broadcast, Show::simulcast(Codec::H264));
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.run_ms(3000);
    sim.vanish(viewer);
    let took = sim.run_until(40_000, |sim| sim.seats[viewer].gone.is_some());
    assert_eq!(sim.seats[viewer].gone, Some(PeerGone::ConsentExpired));
    let most = limits::ICE_CONSENT_TIMEOUT + Duration::from_millis(300);
    assert!(took > limits::ICE_CONSENT_TIMEOUT - Duration::from_secs(3) && took <= most, "{took:?}");
    sim.finish();
}

#[test]
fn who_never_connects_is_given_up() {
    let mut sim = Sim::new(16, 1);
    let broadcast = sim.broadcast();
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.vanish(viewer);
    sim.run_until(30_000, |sim| sim.seats[viewer].gone.is_some());
    assert_eq!(sim.seats[viewer].gone, Some(PeerGone::ConnectTimeout));
    sim.finish();
}

#[test]
fn a_client_that_claims_to_be_controlled_is_told_487() {
    let mut sim = Sim::new(17, 1);
    let broadcast = sim.broadcast();
    let viewer = sim.view(broadcast, &Viewer::default());
    sim.seats[viewer].client.claims_controlled = true;
    sim.run_ms(500);
    assert!(sim.seats[viewer].client.stun_errors.contains(&487));
    assert_eq!(sim.seats[viewer].client.phase, Phase::Checking);
    sim.seats[viewer].client.claims_controlled = false;
    sim.run_ms(500);
    assert_eq!(sim.seats[viewer].client.phase, Phase::Connected);
    sim.finish();
}
