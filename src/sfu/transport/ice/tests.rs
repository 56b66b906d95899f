//! The client is `rtc-stun`, which builds and checks messages independently of ours.

use std::net::SocketAddr;
use std::time::Duration;

use rtc_stun::attributes::{ATTR_ERROR_CODE, ATTR_UNKNOWN_ATTRIBUTES, ATTR_USERNAME, AttrType};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, CLASS_ERROR_RESPONSE, CLASS_INDICATION, Getter, METHOD_BINDING, Message, MessageType, Setter};
use rtc_stun::xoraddr::XorMappedAddress;

use super::super::remote::ConnectionId;
use super::super::stun::{DatagramKind, classify, is_stun, local_ufrag};
use super::*;

const USE_CANDIDATE: AttrType = AttrType(0x25);
const PRIORITY: AttrType = AttrType(0x24);
const ICE_CONTROLLED: AttrType = AttrType(0x8029);

#[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn credentials(name: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("uf{name}"), pwd: format!("password-of-{name}-with-24-letters") }
}

fn agent(now: Instant) -> IceAgent {
    IceAgent::new(now, credentials("server"), credentials("client"))
}

fn address(port: u16) -> Remote {
    Remote::Udp(([192, 0, 2, 7], port).into())
}

/// A check to `local` from `remote`, with extra attributes.
fn check(local: &IceCredentials, remote: &IceCredentials, extra: &[(AttrType, &[u8])]) -> Vec<u8> {
    let provider = default_provider().unwrap();
    let mut message = Message::new();
    message.set_type(BINDING_REQUEST);
    message.new_transaction_id().unwrap();
    message.write_header();
    message.add(ATTR_USERNAME, format!("{}:{}", local.ufrag, remote.ufrag).as_bytes());
    message.add(PRIORITY, &[0x6e, 0, 1, 0xff]);
    for (kind, value) in extra {
        message.add(*kind, value);
    }
    MessageIntegrity::new_short_term_integrity_with_provider(local.pwd.clone(), provider.crypto()).add_to(&mut message).unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

fn plain_check(extra: &[(AttrType, &[u8])]) -> Vec<u8> {
    check(&credentials("server"), &credentials("client"), extra)
}

/// The answer, checked as a client checks it.
fn read_answer(reply: &[u8], request: &[u8], server: &IceCredentials) -> Message {
    let provider = default_provider().unwrap();
    let mut message = Message::new();
    message.unmarshal_binary(reply).unwrap();
    MessageIntegrity::check(&mut message, server.pwd.as_bytes(), provider.crypto()).unwrap();
    FINGERPRINT.check(&message).unwrap();
    assert_eq!(message.transaction_id.0, request[8..20]);
    message
}

#[test]
fn a_client_behind_a_new_nat_address_is_followed_once_the_old_one_is_silent() {
    let mut now = start();
    let mut agent = agent(now);
    let mut reply = Vec::new();
    let nominated = agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    assert_eq!(nominated, IceVerdict::Nominated { previous: None });
    now += ICE_PATH_SILENCE - Duration::from_millis(1);
    agent.handle_media(now, address(1));
    now += ICE_PATH_SILENCE - Duration::from_millis(1);
    assert_eq!(agent.handle(now, address(2), &plain_check(&[]), &mut reply), IceVerdict::Reply, "media comes from the selected address");
    agent.handle_media(now, address(2));
    now += Duration::from_millis(1);
    let moved = agent.handle(now, address(2), &plain_check(&[]), &mut reply);
    assert_eq!(moved, IceVerdict::Nominated { previous: Some(address(1)) });
    assert_eq!(agent.handle(now, address(1), &plain_check(&[]), &mut reply), IceVerdict::Reply);
    assert_eq!(
        agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply),
        IceVerdict::Nominated { previous: Some(address(2)) }
    );
}

#[test]
fn every_valid_check_is_answered_and_the_first_selects() {
    let now = start();
    let mut agent = agent(now);
    let mut reply = b"left over".to_vec();
    let request = plain_check(&[]);
    assert_eq!(agent.handle(now, address(1), &request, &mut reply), IceVerdict::Nominated { previous: None });
    let answer = read_answer(&reply, &request, &credentials("server"));
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&answer).unwrap();
    assert_eq!(Remote::Udp(SocketAddr::new(mapped.ip, mapped.port)), address(1));
    assert_eq!(agent.handle(now, address(2), &plain_check(&[]), &mut reply), IceVerdict::Reply);
    assert_eq!(agent.selected(), Some(address(1)), "a check without nomination moves nothing");
    assert!(agent.validated(address(1)) && agent.validated(address(2)) && !agent.validated(address(3)));
}

#[test]
fn out_of_silence_a_check_under_new_credentials_is_followed_and_the_old_ones_stay_valid() {
    let mut now = start();
    let (mut agent, mut reply) = (agent(now), Vec::new());
    agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    let (local, remote) = (credentials("server2"), credentials("client2"));
    agent.restart(local.clone(), remote.clone());
    assert_eq!(agent.handle(now, connection(1), &check(&local, &remote, &[]), &mut reply), IceVerdict::Reply);
    now += ICE_PATH_SILENCE;
    let followed = agent.handle(now, connection(1), &check(&local, &remote, &[]), &mut reply);
    assert_eq!(followed, IceVerdict::Nominated { previous: Some(address(1)) });
    assert_eq!(agent.local_ufrags().count(), 2);
    // The client keeps to its old path, which lives again.
    let back = agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    assert_eq!(back, IceVerdict::Nominated { previous: Some(connection(1)) });
}

/// The connection number `serial` from `address(1)`.
fn connection(serial: u64) -> Remote {
    let connection = ConnectionId { slot: 0, serial };
    Remote::Tcp { address: address(1).address(), connection }
}

#[test]
fn udp_and_tcp_from_one_address_and_port_are_two_paths() {
    let now = start();
    let (mut agent, mut reply) = (agent(now), Vec::new());
    agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    assert!(agent.validated(address(1)) && !agent.validated(connection(1)));
    let moved = agent.handle(now, connection(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    assert_eq!(moved, IceVerdict::Nominated { previous: Some(address(1)) });
    assert!(agent.validated(connection(1)) && !agent.validated(connection(2)), "a later connection has proved nothing");
}

#[test]
fn when_its_connection_closes_a_peer_goes_on_over_the_path_that_was_checked_last() {
    let mut now = start();
    let (mut agent, mut reply) = (agent(now), Vec::new());
    for remote in [address(1), address(2), connection(1)] {
        agent.handle(now, remote, &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    }
    now += Duration::from_secs(5);
    agent.handle(now, address(1), &plain_check(&[]), &mut reply);
    agent.handle(now, connection(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    agent.handle_closed(now, address(2));
    assert_eq!(agent.selected(), Some(connection(1)), "another path ended");
    agent.handle_closed(now, connection(1));
    assert_eq!(agent.selected(), Some(address(1)));
    assert!(!agent.validated(connection(1)));
}

#[test]
fn without_another_path_the_next_valid_check_brings_one() {
    let mut now = start();
    let (mut agent, mut reply) = (agent(now), Vec::new());
    agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    now += ICE_CONSENT_TIMEOUT;
    agent.handle(now, connection(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
    agent.handle_closed(now, connection(1));
    assert_eq!(agent.selected(), None, "the consent of the former path is too old");
    assert_eq!(agent.handle(now, connection(2), &plain_check(&[]), &mut reply), IceVerdict::Nominated { previous: None });
}

#[test]
fn the_source_is_told_in_its_own_address_family() {
    let now = start();
    let mut agent = agent(now);
    for (source, expected) in [("[2001:db8::5]:700", "[2001:db8::5]:700"), ("[::ffff:192.0.2.9]:700", "192.0.2.9:700")] {
        let (mut reply, request) = (Vec::new(), plain_check(&[]));
        agent.handle(now, Remote::Udp(source.parse().unwrap()), &request, &mut reply);
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&read_answer(&reply, &request, &credentials("server"))).unwrap();
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), expected.parse::<SocketAddr>().unwrap());
    }
}

#[test]
fn a_client_is_followed_wherever_it_nominates_from() {
    let now = start();
    let mut agent = agent(now);
    let mut reply = Vec::new();
    let mut previous = None;
    for port in [1, 2, 3, 1] {
        let verdict = agent.handle(now, address(port), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply);
        assert_eq!(verdict, IceVerdict::Nominated { previous });
        assert_eq!(agent.handle(now, address(port), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply), IceVerdict::Reply);
        previous = Some(address(port));
        assert_eq!(agent.selected(), previous);
    }
}

#[test]
fn what_is_not_authentic_is_dropped_without_an_answer() {
    let now = start();
    let mut agent = agent(now);
    let stranger = credentials("stranger");
    let good = plain_check(&[]);
    let mut wrong_password = credentials("server");
    wrong_password.pwd = "another-password-of-24-chars".into();
    let mut broken_sum = good.clone();
    *broken_sum.last_mut().unwrap() ^= 1;
    let mut bare = Message::new();
    bare.set_type(BINDING_REQUEST);
    bare.write_header();
    let mut indication = Message::new();
    indication.set_type(MessageType::new(METHOD_BINDING, CLASS_INDICATION));
    indication.write_header();
    let mut response = Message::new();
    response.set_type(MessageType::new(METHOD_BINDING, CLASS_ERROR_RESPONSE));
    response.write_header();
    let cases: [(Vec<u8>, IceDrop); 9] = [
        (check(&stranger, &credentials("client"), &[]), IceDrop::UnknownUsername),
        (check(&credentials("server"), &stranger, &[]), IceDrop::UnknownUsername),
        (check(&wrong_password, &credentials("client"), &[]), IceDrop::BadIntegrity),
        (broken_sum, IceDrop::BadFingerprint),
        (bare.raw, IceDrop::MissingCredentials),
        (indication.raw, IceDrop::Indication),
        (response.raw, IceDrop::NotARequest),
        (good[..good.len() - 4].to_vec(), IceDrop::Malformed),
        (Vec::new(), IceDrop::Malformed),
    ];
    for (packet, reason) in cases {
        let mut reply = Vec::new();
        assert_eq!(agent.handle(now, address(1), &packet, &mut reply), IceVerdict::Dropped(reason));
        assert!(reply.is_empty() && agent.selected().is_none() && !agent.validated(address(1)));
    }
}

#[test]
fn no_changed_byte_passes_for_a_valid_check() {
    let now = start();
    let good = plain_check(&[(USE_CANDIDATE, &[])]);
    // Type and length of FINGERPRINT, four bytes from the eighth last on, are not covered by anything and say nothing.
    for at in (0..good.len() - 8).chain(good.len() - 4..good.len()) {
        for bit in 0..8 {
            let mut packet = good.clone();
            packet[at] ^= 1 << bit;
            let mut agent = agent(now);
            let verdict = agent.handle(now, address(1), &packet, &mut Vec::new());
            assert!(matches!(verdict, IceVerdict::Dropped(_)), "byte {at} bit {bit}: {verdict:?}");
        }
    }
}

#[test]
fn a_client_that_believes_to_be_controlled_is_told_of_the_conflict() {
    let now = start();
    let mut agent = agent(now);
    let (mut reply, request) = (Vec::new(), plain_check(&[(ICE_CONTROLLED, &[0; 8])]));
    assert_eq!(agent.handle(now, address(1), &request, &mut reply), IceVerdict::Reply);
    let answer = read_answer(&reply, &request, &credentials("server"));
    assert_eq!(answer.get(ATTR_ERROR_CODE).unwrap()[..4], [0, 0, 4, 87]);
    assert_eq!(agent.selected(), None);
}

#[test]
fn unknown_attributes_are_refused_when_they_must_be_understood() {
    let now = start();
    let mut agent = agent(now);
    let (mut reply, request) = (Vec::new(), plain_check(&[(AttrType(0x7001), b"four"), (AttrType(0xC057), b"four")]));
    assert_eq!(agent.handle(now, address(1), &request, &mut reply), IceVerdict::Reply);
    let answer = read_answer(&reply, &request, &credentials("server"));
    assert_eq!(answer.get(ATTR_ERROR_CODE).unwrap()[..4], [0, 0, 4, 20]);
    assert_eq!(answer.get(ATTR_UNKNOWN_ATTRIBUTES).unwrap(), [0x70, 1]);
    let optional = plain_check(&[(AttrType(0xC057), b"four")]);
    assert!(matches!(agent.handle(now, address(1), &optional, &mut reply), IceVerdict::Nominated { .. }));
}

#[test]
fn a_restart_keeps_the_old_credentials_until_the_new_ones_nominate() {
    let now = start();
    let mut agent = agent(now);
    let mut reply = Vec::new();
    agent.handle(now, address(1), &plain_check(&[]), &mut reply);
    let (local, remote) = (credentials("new-server"), credentials("new-client"));
    agent.restart(local.clone(), remote.clone());
    assert_eq!(agent.local(), &local);
    assert_eq!(agent.local_ufrags().collect::<Vec<_>>(), ["ufserver", "ufnew-server"]);
    assert_eq!(agent.handle(now, address(1), &plain_check(&[(USE_CANDIDATE, &[])]), &mut reply), IceVerdict::Reply);
    assert_eq!(agent.handle(now, address(1), &check(&local, &remote, &[]), &mut reply), IceVerdict::Reply);
    assert_eq!(agent.local_ufrags().count(), 2, "a check that does not nominate ends nothing");
    let request = check(&local, &remote, &[(USE_CANDIDATE, &[])]);
    assert_eq!(agent.handle(now, address(1), &request, &mut reply), IceVerdict::Nominated { previous: Some(address(1)) });
    read_answer(&reply, &request, &local);
    assert_eq!(agent.local_ufrags().collect::<Vec<_>>(), ["ufnew-server"]);
    let old = agent.handle(now, address(1), &plain_check(&[]), &mut reply);
    assert_eq!(old, IceVerdict::Dropped(IceDrop::UnknownUsername));
}

#[test]
fn silence_ends_a_peer_once() {
    let now = start();
    let mut agent = agent(now);
    assert_eq!(agent.wake_at(), Some(now + ICE_CONNECT_TIMEOUT));
    assert_eq!(agent.handle_timeout(now + ICE_CONNECT_TIMEOUT - Duration::from_millis(1)), None);
    let checked = now + Duration::from_secs(1);
    agent.handle(checked, address(1), &plain_check(&[]), &mut Vec::new());
    assert_eq!(agent.wake_at(), Some(checked + ICE_CONSENT_TIMEOUT));
    agent.handle(checked + ICE_CONSENT_TIMEOUT / 2, address(1), b"garbage", &mut Vec::new());
    assert_eq!(agent.wake_at(), Some(checked + ICE_CONSENT_TIMEOUT), "only a valid check renews consent");
    assert_eq!(agent.handle_timeout(checked + ICE_CONSENT_TIMEOUT), Some(IceEvent::ConsentExpired));
    assert_eq!(agent.handle_timeout(checked + ICE_CONSENT_TIMEOUT), None);
    assert_eq!(agent.wake_at(), None);
    let mut unheard = IceAgent::new(now, credentials("server"), credentials("client"));
    assert_eq!(unheard.handle_timeout(now + ICE_CONNECT_TIMEOUT), Some(IceEvent::ConnectTimeout));
}

#[test]
fn the_oldest_address_is_forgotten_but_never_the_selected_one() {
    let now = start();
    let mut agent = agent(now);
    for port in 1..=ICE_VALIDATED_MAX as u16 + 3 {
        agent.handle(now, address(port), &plain_check(&[]), &mut Vec::new());
    }
    assert_eq!(agent.validated.len(), ICE_VALIDATED_MAX);
    assert_eq!(agent.selected(), Some(address(1)));
    assert!(agent.validated(address(1)) && !agent.validated(address(2)) && !agent.validated(address(4)) && agent.validated(address(5)));
}

#[test]
fn the_peer_is_found_by_our_half_of_the_username() {
    let packet = plain_check(&[]);
    assert!(is_stun(&packet));
    assert_eq!(local_ufrag(&packet), Some("ufserver"));
    assert_eq!(local_ufrag(&packet[..30]), None);
    assert_eq!(local_ufrag(&[]), None);
    let kinds = [0, 3, 4, 19, 20, 63, 64, 127, 128, 191, 192, 255].map(classify);
    use DatagramKind::{Dtls, Other, RtpOrRtcp, Stun};
    assert_eq!(kinds, [Stun, Stun, Other, Other, Dtls, Dtls, Other, Other, RtpOrRtcp, RtpOrRtcp, Other, Other]);
}

#[test]
fn drawn_credentials_are_long_enough_and_of_the_ice_alphabet() {
    let drawn = IceCredentials::random(&mut rand::rng());
    assert!(drawn.ufrag.len() >= 8 && drawn.pwd.len() >= 24);
    assert!(drawn.ufrag.bytes().chain(drawn.pwd.bytes()).all(|byte| ICE_CHARS.contains(&byte)));
    assert_ne!(drawn, IceCredentials::random(&mut rand::rng()));
}

#[test]
fn random_messages_never_panic() {
    use rand::{Rng as _, SeedableRng as _};
    let now = start();
    let good = plain_check(&[(USE_CANDIDATE, &[])]);
    for seed in 0..20_000 {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let mut packet = good.clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..packet.len());
            packet[at] = rng.random();
        }
        packet.truncate(rng.random_range(0..=packet.len()));
        // A length that fits, so that the attributes are read.
        if packet.len() >= 20 {
            let len = (packet.len() - 20) as u16;
            packet[2..4].copy_from_slice(&len.to_be_bytes());
        }
        let outcome = std::panic::catch_unwind(|| {
            let _ = local_ufrag(&packet);
            agent(now).handle(now, address(1), &packet, &mut Vec::new())
        });
        assert!(outcome.is_ok(), "seed {seed}: {packet:02x?}");
    }
}
