//! The client is an `rtc-dtls` endpoint that lists SRTP profiles as Chromium does. Time is virtual, loss is by rule.

use std::cell::RefCell;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;

const SERVER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5));
const CHROMIUM: &[SrtpProtectionProfile] = &[
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
];
const SHA1_ONLY: &[SrtpProtectionProfile] = &[SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80];

#[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
fn start() -> Instant {
    Instant::now()
}

/// `rtc-dtls` with the retransmission of a browser on top: its last flight again whenever nothing moved for a while.
struct Client {
    endpoint: Endpoint,
    flight: Vec<BytesMut>,
    certificate: NodeCertificate,
    connected: bool,
    closed: bool,
}

impl Client {
    fn new(now: Instant, server: &NodeCertificate, profiles: &[SrtpProtectionProfile], mtu: usize) -> Self {
        let certificate = NodeCertificate::generate().unwrap();
        let expected = server.fingerprint();
        let config = certificate
            .shared
            .config
            .clone()
            .with_mtu(mtu)
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| {
                assert!(expected.matches(&chain[0]));
                Ok(())
            })))
            .build(true, None)
            .unwrap();
        let mut endpoint = Endpoint::new(PLACEHOLDER, TransportProtocol::UDP, None);
        endpoint.connect(now, SERVER, Arc::new(config), None).unwrap();
        Self { endpoint, flight: Vec::new(), certificate, connected: false, closed: false }
    }

    fn keys(&self, profile: SrtpProfile) -> SrtpKeys {
        let state = self.endpoint.get_connection_state(SERVER).unwrap();
        let material = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], profile.keying_material_len()).unwrap();
        SrtpKeys::of_server(profile, material.as_ref()).unwrap().mirrored()
    }

    fn handle(&mut self, now: Instant, datagram: BytesMut) {
        for event in self.endpoint.read(now, SERVER, None, datagram).unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => self.connected = true,
                EndpointEvent::PeerClosed => self.closed = true,
                _ => {}
            }
        }
    }
}

/// Both ends and a clock. `lose(n)` says whether the n-th datagram, in either direction, is lost.
struct Pair {
    now: Instant,
    client: Client,
    server: DtlsAssociation,
    datagrams: usize,
    keys: Option<SrtpKeys>,
    closed: bool,
}

impl Pair {
    fn new(profiles: &[SrtpProtectionProfile], mtu: usize) -> Self {
        let now = start();
        let certificate = NodeCertificate::generate().unwrap();
        let client = Client::new(now, &certificate, profiles, mtu);
        let server = DtlsAssociation::passive(&certificate, client.certificate.fingerprint());
        Self { now, client, server, datagrams: 0, keys: None, closed: false }
    }

    /// Delivers until both are silent.
    fn exchange(&mut self, lose: &dyn Fn(usize) -> bool) -> Result<(), DtlsError> {
        loop {
            let mut moved = false;
            let flight: Vec<BytesMut> = std::iter::from_fn(|| self.client.endpoint.poll_transmit()).map(|sent| sent.message).collect();
            if !flight.is_empty() {
                moved = true;
                self.client.flight = flight.clone();
                self.deliver(&flight, lose)?;
            }
            while let Some(datagram) = self.server.poll_transmit() {
                moved = true;
                self.datagrams += 1;
                if !lose(self.datagrams) {
                    self.client.handle(self.now, datagram);
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn deliver(&mut self, flight: &[BytesMut], lose: &dyn Fn(usize) -> bool) -> Result<(), DtlsError> {
        for datagram in flight {
            self.datagrams += 1;
            if !lose(self.datagrams) {
                match self.server.handle(self.now, datagram)? {
                    DtlsEvent::None => {}
                    DtlsEvent::Connected(keys) => assert!(self.keys.replace(keys).is_none(), "connected twice"),
                    DtlsEvent::Closed => self.closed = true,
                }
            }
        }
        Ok(())
    }

    /// Lets timers run until both are connected.
    fn connect(&mut self, lose: &dyn Fn(usize) -> bool) -> Result<(), DtlsError> {
        for _ in 0..200 {
            self.exchange(lose)?;
            if self.keys.is_some() && self.client.connected {
                return Ok(());
            }
            self.now += Duration::from_millis(100);
            let flight = self.client.flight.clone();
            self.deliver(&flight, lose)?;
            self.server.handle_timeout(self.now)?;
        }
        Err(DtlsError::TimedOut)
    }
}

#[test]
fn gcm_is_agreed_although_the_client_lists_sha1_first() {
    for (profiles, expected) in [(CHROMIUM, SrtpProfile::AeadAes128Gcm), (SHA1_ONLY, SrtpProfile::Aes128CmSha1_80)] {
        let mut pair = Pair::new(profiles, 1200);
        pair.connect(&|_| false).unwrap();
        let (server, client) = (pair.keys.unwrap(), pair.client.keys(expected));
        assert_eq!(server.profile, expected);
        assert_eq!(server.local_key.as_ref(), client.remote_key.as_ref());
        assert_eq!(server.remote_key.as_ref(), client.local_key.as_ref());
        assert_eq!(server.local_salt.as_ref(), client.remote_salt.as_ref());
        assert_eq!(server.remote_salt.as_ref(), client.local_salt.as_ref());
        assert_eq!(pair.server.wake_at(), None);
    }
}

#[test]
fn a_fragmented_client_hello_is_read_as_a_whole() {
    for mtu in [40, 64, 100] {
        let mut pair = Pair::new(CHROMIUM, mtu);
        pair.connect(&|_| false).unwrap();
        assert_eq!(pair.keys.unwrap().profile, SrtpProfile::AeadAes128Gcm, "mtu {mtu}");
    }
}

#[test]
fn the_handshake_survives_the_loss_of_any_one_datagram() {
    for lost in 1..12 {
        let mut pair = Pair::new(CHROMIUM, 1200);
        pair.connect(&|datagram| datagram == lost).unwrap_or_else(|error| panic!("datagram {lost} lost: {error}"));
        assert_eq!(pair.keys.unwrap().profile, SrtpProfile::AeadAes128Gcm);
    }
}

#[test]
fn the_handshake_survives_random_loss() {
    for seed in 0..300 {
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let outcome = Pair::new(CHROMIUM, 1200).connect(&|_| rng.borrow_mut().random_bool(0.2));
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_repeated_client_hello_does_not_silence_our_flight() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    // ClientHello, HelloVerifyRequest, ClientHello with cookie; then our flight is lost and the client repeats itself at once.
    pair.exchange(&|datagram| datagram > 3).unwrap();
    let hello = pair.client.flight.clone();
    let answered = |pair: &mut Pair| std::iter::from_fn(|| pair.server.poll_transmit()).count();
    assert_eq!(answered(&mut pair), 0);
    pair.server.handle(pair.now, &hello[0]).unwrap();
    assert_eq!(answered(&mut pair), 1, "the repeated ClientHello is answered");
    let due = pair.server.wake_at().unwrap();
    assert_eq!(due, pair.now + DTLS_RETRANSMIT_FIRST);
    pair.server.handle_timeout(due).unwrap();
    assert_eq!(answered(&mut pair), 1, "and the timer still runs");
    assert_eq!(pair.server.wake_at(), Some(due + 2 * DTLS_RETRANSMIT_FIRST));
}

#[test]
fn a_certificate_with_another_fingerprint_is_refused() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    pair.server.expected = NodeCertificate::generate().unwrap().fingerprint();
    assert_eq!(pair.connect(&|_| false), Err(DtlsError::WrongFingerprint));
    assert!(pair.keys.is_none());
    assert!(pair.server.poll_transmit().is_some(), "the client is told by an alert");
}

#[test]
fn a_client_without_srtp_is_refused() {
    let mut pair = Pair::new(&[], 1200);
    assert!(matches!(pair.connect(&|_| false), Err(DtlsError::Handshake(_))));
}

#[test]
fn either_side_may_say_goodbye() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    pair.connect(&|_| false).unwrap();
    pair.client.endpoint.close(pair.now).unwrap();
    pair.exchange(&|_| false).unwrap();
    assert!(pair.closed);

    let mut pair = Pair::new(CHROMIUM, 1200);
    pair.connect(&|_| false).unwrap();
    pair.server.close(pair.now);
    pair.exchange(&|_| false).unwrap();
    assert!(pair.client.closed);
}

/// A record as the client's endpoint would have sealed it, but for the seal.
fn record(content: u8, epoch: u8, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![content, 254, 253, 0, epoch, 0, 0, 0, 0, 9, 9, 0, payload.len() as u8];
    record.extend_from_slice(payload);
    record
}

#[test]
fn either_side_may_say_goodbye_when_the_handshake_is_forgotten() {
    for profiles in [CHROMIUM, SHA1_ONLY] {
        let settled = || {
            let mut pair = Pair::new(profiles, 1200);
            pair.connect(&|_| false).unwrap();
            pair.server.settle(pair.now);
            assert!(matches!(pair.server.phase, Phase::Settled { .. }));
            pair
        };
        let mut pair = settled();
        for forged in 1..DTLS_REPEATS_MAX as u8 {
            pair.server.handle(pair.now, &record(21, 1, &[forged; 40])).unwrap();
        }
        pair.client.endpoint.close(pair.now).unwrap();
        pair.exchange(&|_| false).unwrap();
        assert!(pair.closed, "forged goodbyes do not silence the true one");

        let mut pair = settled();
        pair.server.close(pair.now);
        pair.exchange(&|_| false).unwrap();
        assert!(pair.client.closed);
    }
}

#[test]
fn a_silent_client_is_settled_in_time_and_garbage_does_it_no_harm() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    pair.connect(&|_| false).unwrap();
    pair.server.handle_timeout(pair.now + DTLS_SETTLED_AFTER / 2).unwrap();
    assert!(matches!(pair.server.phase, Phase::Connected { .. }), "its last flight may still come again");
    pair.now += DTLS_SETTLED_AFTER;
    pair.server.handle_timeout(pair.now).unwrap();
    assert!(matches!(pair.server.phase, Phase::Settled { .. }));
    for _ in 0..200 {
        for content in [20, 21, 22, 23, 24, 63] {
            for epoch in [0, 1, 2] {
                for payload in [&[][..], &[1, 0], &[2, 40], &[7; 40]] {
                    let event = pair.server.handle(pair.now, &record(content, epoch, payload)).unwrap();
                    assert!(matches!(event, DtlsEvent::None), "content {content} epoch {epoch}");
                }
            }
        }
    }
    assert!(pair.server.poll_transmit().is_none());
    pair.client.endpoint.close(pair.now).unwrap();
    pair.exchange(&|_| false).unwrap();
    assert!(!pair.closed, "beyond the bound nothing is read: ICE will miss it");
    pair.server.close(pair.now);
    assert!(pair.server.poll_transmit().is_some(), "but it is still told");
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    assert_eq!(pair.server.wake_at(), None);
    pair.server.begin(pair.now);
    assert_eq!(pair.server.wake_at(), Some(pair.now + DTLS_HANDSHAKE_TIMEOUT));
    assert_eq!(pair.server.handle_timeout(pair.now + DTLS_HANDSHAKE_TIMEOUT), Err(DtlsError::TimedOut));
    assert_eq!(pair.server.wake_at(), None);
}

#[test]
fn a_flood_of_handshake_datagrams_ends_it() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    let mut outcome = Ok(DtlsEvent::None);
    for _ in 0..=DTLS_HANDSHAKE_DATAGRAMS_MAX {
        outcome = pair.server.handle(pair.now, &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert!(matches!(outcome, Err(DtlsError::Flooded)));
}

#[test]
fn garbage_after_the_handshake_does_no_harm() {
    let mut pair = Pair::new(CHROMIUM, 1200);
    pair.connect(&|_| false).unwrap();
    for round in 0..200u8 {
        for content in [20, 21, 22, 23, 24, 63] {
            for epoch in [0, 1, 2] {
                for payload in [&[][..], &[1], &[2, 40], &[round; 30]] {
                    let event = pair.server.handle(pair.now, &record(content, epoch, payload)).unwrap();
                    assert!(matches!(event, DtlsEvent::None), "content {content} epoch {epoch}");
                }
            }
        }
        let mut answers = 0;
        while pair.server.poll_transmit().is_some() {
            answers += 1;
        }
        assert!(answers <= 8);
    }
    pair.client.endpoint.close(pair.now).unwrap();
    pair.exchange(&|_| false).unwrap();
    assert!(pair.closed, "the association still lives");
}

/// Our two sides against each other: the active one as towards a client that waits.
struct Opposites {
    now: Instant,
    active: DtlsAssociation,
    passive: DtlsAssociation,
    datagrams: usize,
    keys: [Option<SrtpKeys>; 2],
    closed: [bool; 2],
}

impl Opposites {
    fn new(profiles: &[SrtpProfile]) -> Self {
        let (ours, theirs) = (NodeCertificate::generate().unwrap(), NodeCertificate::generate().unwrap());
        Self {
            now: start(),
            active: DtlsAssociation::active(&ours, theirs.fingerprint(), profiles.to_vec()),
            passive: DtlsAssociation::passive(&theirs, ours.fingerprint()),
            datagrams: 0,
            keys: [None, None],
            closed: [false, false],
        }
    }

    /// Delivers until both are silent.
    fn exchange(&mut self, lose: &dyn Fn(usize) -> bool) -> Result<(), DtlsError> {
        loop {
            let (sent, to) = match (self.active.poll_transmit(), self.passive.poll_transmit()) {
                (None, None) => return Ok(()),
                (sent, back) => ([sent, back], [1, 0]),
            };
            for (datagram, to) in sent.into_iter().zip(to) {
                let Some(datagram) = datagram else { continue };
                self.datagrams += 1;
                if lose(self.datagrams) {
                    continue;
                }
                let side = if to == 0 { &mut self.active } else { &mut self.passive };
                match side.handle(self.now, &datagram)? {
                    DtlsEvent::None => {}
                    DtlsEvent::Connected(keys) => assert!(self.keys[to].replace(keys).is_none(), "connected twice"),
                    DtlsEvent::Closed => self.closed[to] = true,
                }
            }
        }
    }

    /// Lets timers run until both have keys and the active side knows that the passive one has.
    fn connect(&mut self, lose: &dyn Fn(usize) -> bool) -> Result<(), DtlsError> {
        self.active.begin(self.now);
        for _ in 0..200 {
            self.exchange(lose)?;
            if self.keys.iter().all(Option::is_some) {
                return Ok(());
            }
            self.now += Duration::from_millis(50);
            self.active.handle_timeout(self.now)?;
            self.passive.handle_timeout(self.now)?;
        }
        Err(DtlsError::TimedOut)
    }
}

#[test]
fn the_active_side_has_keys_as_soon_as_its_last_flight_is_out() {
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80] {
        let mut pair = Opposites::new(&[profile]);
        assert_eq!((pair.active.role(), pair.passive.role()), (DtlsRole::Active, DtlsRole::Passive));
        assert!(pair.active.poll_transmit().is_none(), "nothing is sent before there is a way");
        pair.active.begin(pair.now);
        // ClientHello, HelloVerifyRequest, ClientHello, their flight; ours is lost.
        pair.exchange(&|datagram| datagram > 4).unwrap();
        let keys = pair.keys[0].clone().expect("keys");
        assert_eq!((keys.profile, pair.keys[1].is_none()), (profile, true));
        assert!(pair.active.in_handshake() && pair.active.wake_at().is_some(), "its last flight may have to be sent again");
        pair.connect(&|_| false).unwrap();
        let theirs = pair.keys[1].clone().unwrap();
        assert_eq!(keys.local_key.as_ref(), theirs.remote_key.as_ref());
        assert_eq!(keys.remote_key.as_ref(), theirs.local_key.as_ref());
        assert_eq!(keys.local_salt.as_ref(), theirs.remote_salt.as_ref());
        pair.exchange(&|_| false).unwrap();
        assert!(!pair.active.in_handshake() && pair.active.wake_at().is_none());
    }
}

#[test]
fn the_active_handshake_survives_loss() {
    for lost in 1..8 {
        let mut pair = Opposites::new(ANY_PROFILE);
        pair.connect(&|datagram| datagram == lost).unwrap_or_else(|error| panic!("datagram {lost} lost: {error}"));
        assert_eq!(pair.keys[0].as_ref().unwrap().profile, SrtpProfile::AeadAes128Gcm);
    }
    for seed in 0..300 {
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let outcome = Opposites::new(ANY_PROFILE).connect(&|_| rng.borrow_mut().random_bool(0.2));
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn the_active_side_needs_no_last_flight_of_the_peer_who_sends_media() {
    for speaks_first in [0, 1] {
        let mut pair = Opposites::new(ANY_PROFILE);
        // The last of the six datagrams is the passive side's Finished.
        pair.connect(&|datagram| datagram == 6).unwrap();
        assert!(pair.active.in_handshake());
        pair.active.settle(pair.now);
        pair.passive.settle(pair.now);
        assert!(matches!(pair.active.phase, Phase::Settled { .. }) && matches!(pair.passive.phase, Phase::Settled { .. }));
        let goodbye = if speaks_first == 0 { &mut pair.active } else { &mut pair.passive };
        goodbye.close(pair.now);
        pair.exchange(&|_| false).unwrap();
        assert!(pair.closed[1 - speaks_first], "the goodbye of side {speaks_first} is heard");
    }
}

#[test]
fn the_active_side_is_heard_when_it_goes_before_the_last_flight_of_the_peer() {
    let mut pair = Opposites::new(ANY_PROFILE);
    pair.connect(&|datagram| datagram == 6).unwrap();
    assert!(pair.active.in_handshake());
    pair.active.close(pair.now);
    pair.exchange(&|_| false).unwrap();
    assert!(pair.closed[1]);
}

#[test]
fn the_active_side_does_not_repeat_itself_to_a_server_whose_flight_is_in_pieces() {
    let mut pair = Opposites::new(ANY_PROFILE);
    pair.active.begin(pair.now);
    // ClientHello, HelloVerifyRequest, ClientHello; the flight that answers is held.
    pair.exchange(&|datagram| datagram > 3).unwrap();
    let flight = pair.passive.flight.datagrams.concat();
    let hello = records(&flight).next().expect("a ServerHello").2.len() + 13;
    for (piece, answers) in [(&flight[..hello], 0), (&flight[hello..], 1)] {
        drop(pair.active.handle(pair.now, piece).unwrap());
        assert_eq!(std::iter::from_fn(|| pair.active.poll_transmit()).count(), answers);
    }
    assert!(matches!(pair.active.phase, Phase::Handshake { keyed: true }));
    drop(pair.active.handle(pair.now, &flight).unwrap());
    assert_eq!(std::iter::from_fn(|| pair.active.poll_transmit()).count(), 1, "the server repeats its flight: it has not got our last one");
}

#[test]
fn the_active_side_refuses_another_certificate_and_a_peer_that_never_answers() {
    let mut pair = Opposites::new(ANY_PROFILE);
    pair.active.expected = NodeCertificate::generate().unwrap().fingerprint();
    assert_eq!(pair.connect(&|_| false), Err(DtlsError::WrongFingerprint));
    assert!(pair.keys[0].is_none());

    let mut pair = Opposites::new(ANY_PROFILE);
    pair.active.begin(pair.now);
    let mut flights = 0;
    let refused = loop {
        flights += usize::from(pair.active.poll_transmit().is_some());
        pair.now = pair.active.wake_at().expect("it waits for something");
        if let Err(error) = pair.active.handle_timeout(pair.now) {
            break error;
        }
    };
    assert_eq!(refused, DtlsError::TimedOut);
    assert!((8..16).contains(&flights), "{flights} times the same ClientHello");
}

#[test]
fn changed_datagrams_never_panic() {
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let outcome = std::panic::catch_unwind(move || {
            let mut pair = Pair::new(CHROMIUM, if seed % 2 == 0 { 1200 } else { 100 });
            for _ in 0..12 {
                let flight: Vec<BytesMut> = std::iter::from_fn(|| pair.client.endpoint.poll_transmit()).map(|sent| sent.message).collect();
                let flight = if flight.is_empty() { pair.client.flight.clone() } else { flight };
                pair.client.flight = flight.clone();
                for mut datagram in flight {
                    for _ in 0..rng.random_range(0..3) {
                        // Near the front, where lengths and types stand, or anywhere.
                        let at = if rng.random_bool(0.6) {
                            rng.random_range(0..datagram.len().min(40))
                        } else {
                            rng.random_range(0..datagram.len())
                        };
                        datagram[at] = rng.random();
                    }
                    if rng.random_bool(0.1) {
                        datagram.truncate(rng.random_range(1..=datagram.len()));
                    }
                    drop(pair.server.handle(pair.now, &datagram));
                }
                while let Some(datagram) = pair.server.poll_transmit() {
                    pair.client.handle(pair.now, datagram);
                }
            }
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
