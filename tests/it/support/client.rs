//! A simulated WebRTC client: the controlling ICE agent, a DTLS client, SRTP both ways, and on top an encoder, a receiver or both.
//! Sub-crates do the cryptography, so nothing of the code under test is on this side.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use courtside::sfu::transport::Remote;
use rand::Rng;
use rand::rngs::StdRng;
use ring::digest;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{SignatureScheme, default_provider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute};
use rtc_stun::error_code::ErrorCodeAttribute;
use rtc_stun::fingerprint::{FINGERPRINT, FingerprintAttr};
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Getter as _, Message, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;
use rtc_stun::xoraddr::XorMappedAddress;

use super::ledger::Ledger;
use super::media::Encoder;
use super::offer::{Answer, Transport};
use super::receiver::Receiver;
use super::wire::{self, Rtcp};

const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// As Chromium, which keeps checking the pair it uses.
const CONSENT_INTERVAL: Duration = Duration::from_millis(2500);
const REPEAT_FLIGHT: Duration = Duration::from_millis(250);

struct Identity {
    der: Vec<u8>,
    key: Vec<u8>,
    fingerprint: String,
}

/// One certificate for all clients: making one costs more than a handshake.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let certificate = rcgen::CertificateParams::new(Vec::new()).and_then(|params| params.self_signed(&key)).expect("a certificate");
        let der = certificate.der().to_vec();
        Identity { fingerprint: fingerprint(&der), der, key: key.serialize_der() }
    })
}

fn fingerprint(der: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, der);
    let pairs: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

/// Both directions' SRTP, and a second reader for the judge.
struct Crypto {
    out: Context,
    inbound: Context,
    judge: Context,
}

/// What the transport has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Checking,
    Handshake,
    Connected,
    Closed,
}

pub(crate) struct Client {
    pub name: String,
    pub address: Remote,
    pub server: SocketAddr,
    pub phase: Phase,
    pub connected_at: Option<Instant>,
    ufrag: String,
    pwd: String,
    remote: Option<Answer>,
    /// Lets the server begin DTLS, as pages do.
    pub waits: bool,
    /// Claims to be the controlled side, which no client of a lite server may.
    pub claims_controlled: bool,
    /// Error codes of STUN answers.
    pub stun_errors: Vec<u16>,
    pub checks_answered: u64,
    next_check: Instant,
    dtls: Endpoint,
    flight: Vec<BytesMut>,
    repeat_at: Option<Instant>,
    crypto: Option<Crypto>,
    /// What left for us before our keys were there, for the judge.
    early: Vec<(Instant, Vec<u8>)>,
    pub encoder: Option<Encoder>,
    pub receiver: Option<Receiver>,
    /// The guest's and friends' pairs.
    pub others: Vec<Receiver>,
    out: VecDeque<Vec<u8>>,
    rng: StdRng,
}

impl Client {
    pub(crate) fn new(now: Instant, name: String, address: Remote, server: SocketAddr, mut rng: StdRng) -> Self {
        let ufrag = format!("{:08x}", rng.random::<u32>());
        let pwd = format!("{:032x}", rng.random::<u128>());
        Self {
            name,
            address,
            server,
            phase: Phase::Checking,
            connected_at: None,
            ufrag,
            pwd,
            remote: None,
            waits: false,
            claims_controlled: false,
            stun_errors: Vec::new(),
            checks_answered: 0,
            next_check: now,
            dtls: Endpoint::new(address.address(), TransportProtocol::UDP, None),
            flight: Vec::new(),
            repeat_at: None,
            crypto: None,
            early: Vec::new(),
            encoder: None,
            receiver: None,
            others: Vec::new(),
            out: VecDeque::new(),
            rng,
        }
    }

    pub(crate) fn transport(&self) -> Transport<'_> {
        Transport { ufrag: &self.ufrag, pwd: &self.pwd, fingerprint: &identity().fingerprint, waits: self.waits }
    }

    pub(crate) fn handle_answer(&mut self, answer: Answer) {
        assert_eq!(answer.opens, self.waits, "who begins DTLS");
        self.remote = Some(answer);
        if self.waits {
            self.dtls.set_server_config(Some(Arc::new(self.dtls_config())));
        }
    }

    /// New credentials of our own for an ICE restart.
    pub(crate) fn renew_credentials(&mut self) -> (String, String) {
        self.ufrag = format!("{:08x}", self.rng.random::<u32>());
        self.pwd = format!("{:032x}", self.rng.random::<u128>());
        (self.ufrag.clone(), self.pwd.clone())
    }

    /// The server's new credentials: checks name them from now on.
    pub(crate) fn handle_restart(&mut self, now: Instant, ufrag: String, pwd: String) {
        let remote = self.remote.as_mut().expect("answered before");
        (remote.ufrag, remote.pwd) = (ufrag, pwd);
        self.next_check = now;
    }

    /// The network gave us another address (and tells us, as a system does).
    pub(crate) fn move_to(&mut self, now: Instant, address: Remote) {
        self.address = address;
        self.next_check = now;
    }

    /// Says goodbye by DTLS.
    pub(crate) fn close(&mut self, now: Instant) {
        self.dtls.close(now).expect("an association");
        self.drain_dtls();
        self.phase = Phase::Closed;
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let connected = self.phase == Phase::Connected;
        match self.phase {
            Phase::Closed => None,
            Phase::Checking | Phase::Handshake | Phase::Connected => [
                self.remote.is_some().then_some(self.next_check),
                self.repeat_at,
                self.encoder.as_ref().filter(|_| connected).map(Encoder::wake_at),
                self.receiver.iter().chain(&self.others).filter(|_| connected).map(Receiver::wake_at).min(),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, ledger: &mut Ledger) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.remote.is_some() && now >= self.next_check {
            self.next_check = now + if self.phase == Phase::Checking { CHECK_INTERVAL } else { CONSENT_INTERVAL };
            let check = self.binding_request();
            self.out.push_back(check);
        }
        if self.repeat_at.is_some_and(|at| now >= at) {
            self.repeat_at = Some(now + REPEAT_FLIGHT);
            self.out.extend(self.flight.iter().map(|datagram| datagram.to_vec()));
        }
        if self.phase != Phase::Connected {
            return;
        }
        if let Some(encoder) = &mut self.encoder {
            let (media, reports) = encoder.handle_timeout(now, ledger);
            media.iter().for_each(|packet| self.send_rtp(packet));
            for report in reports {
                self.send_rtcp(&report);
            }
        }
        let mut compounds = Vec::new();
        for receiver in self.receiver.iter_mut().chain(&mut self.others) {
            compounds.extend(receiver.handle_timeout(now));
        }
        for compound in compounds {
            self.send_rtcp(&compound);
        }
    }

    /// A datagram for us.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8], ledger: &mut Ledger) {
        match datagram.first() {
            _ if self.phase == Phase::Closed => {}
            Some(0..=3) => self.handle_stun(now, datagram),
            Some(20..=63) => self.handle_dtls(now, datagram),
            Some(128..=191) => self.handle_srtp(now, datagram, ledger),
            other => panic!("{}: a datagram that begins with {other:?}", self.name),
        }
    }

    pub(crate) fn binding_request(&mut self) -> Vec<u8> {
        let remote = self.remote.as_ref().expect("answered before");
        let provider = default_provider().expect("built in");
        let attribute = |typ, value: Vec<u8>| RawAttribute { typ, length: value.len() as u16, value };
        let role = if self.claims_controlled { ATTR_ICE_CONTROLLED } else { ATTR_ICE_CONTROLLING };
        let mut message = Message::new();
        let setters: [Box<dyn Setter + '_>; 8] = [
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId(self.rng.random())),
            Box::new(TextAttribute::new(ATTR_USERNAME, format!("{}:{}", remote.ufrag, self.ufrag))),
            Box::new(attribute(ATTR_PRIORITY, 0x6e7f_1eff_u32.to_be_bytes().to_vec())),
            Box::new(attribute(role, self.rng.random::<u64>().to_be_bytes().to_vec())),
            Box::new(attribute(ATTR_USE_CANDIDATE, Vec::new())),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(remote.pwd.clone(), provider.crypto())),
            Box::new(FINGERPRINT),
        ];
        message.build(&setters).expect("well-formed");
        message.raw
    }

    fn handle_stun(&mut self, now: Instant, datagram: &[u8]) {
        let mut message = Message::new();
        message.unmarshal_binary(datagram).expect("the server's STUN is well-formed");
        let provider = default_provider().expect("built in");
        let remote = self.remote.as_ref().expect("answered before");
        FingerprintAttr.check(&message).expect("a fingerprint that fits");
        if MessageIntegrity::check(&mut message, remote.pwd.as_bytes(), provider.crypto()).is_err() {
            // The answer to a check under the credentials before a restart.
            return;
        }
        if message.typ == BINDING_ERROR {
            let mut code = ErrorCodeAttribute::default();
            code.get_from(&message).expect("an error has a code");
            self.stun_errors.push(code.code.0);
            return;
        }
        assert_eq!(message.typ, BINDING_SUCCESS);
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&message).expect("a mapped address");
        self.checks_answered += 1;
        if SocketAddr::new(mapped.ip, mapped.port) == self.address.address() && self.phase == Phase::Checking {
            self.phase = Phase::Handshake;
            self.next_check = now + CONSENT_INTERVAL;
            if !self.waits {
                self.dtls.connect(now, self.server, Arc::new(self.dtls_config()), None).expect("a first flight");
            }
            self.repeat_at = Some(now + REPEAT_FLIGHT);
            self.drain_dtls();
        }
    }

    fn dtls_config(&self) -> HandshakeConfig {
        let provider = default_provider().expect("built in");
        let key = provider.crypto().import_signing_key(SignatureScheme::EcdsaP256Sha256, &identity().key).expect("our own key");
        let expected = self.remote.as_ref().expect("answered before").fingerprint.clone();
        ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![Certificate::from_signing_key(vec![identity().der.clone().into()], key)])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            // Chromium's order.
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            ])
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| {
                assert_eq!(fingerprint(chain.first().expect("a certificate")), expected, "the certificate is the answer's");
                Ok(())
            })))
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .build(!self.waits, None)
            .expect("a valid configuration")
    }

    fn drain_dtls(&mut self) {
        let flight: Vec<BytesMut> = std::iter::from_fn(|| self.dtls.poll_transmit()).map(|transmit| transmit.message).collect();
        if !flight.is_empty() {
            self.out.extend(flight.iter().map(|datagram| datagram.to_vec()));
            self.flight = flight;
        }
    }

    fn handle_dtls(&mut self, now: Instant, datagram: &[u8]) {
        let events = self.dtls.read(now, self.server, None, BytesMut::from(datagram)).unwrap_or_default();
        self.drain_dtls();
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.phase = Phase::Connected;
                    self.connected_at = Some(now);
                    self.repeat_at = None;
                    self.crypto = Some(self.export_keys());
                    if let Some(encoder) = &mut self.encoder {
                        encoder.start(now);
                    }
                }
                EndpointEvent::PeerClosed => self.phase = Phase::Closed,
                _ => {}
            }
        }
    }

    /// RFC 5764 section 4.2: client key, server key, client salt, server salt.
    fn export_keys(&self) -> Crypto {
        let state = self.dtls.get_connection_state(self.server).expect("connected");
        let (profile, salt) = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => (ProtectionProfile::AeadAes128Gcm, 12),
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => (ProtectionProfile::Aes128CmHmacSha1_80, 14),
            other => panic!("{other:?} was not offered"),
        };
        let material = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], 2 * (16 + salt)).expect("connected");
        let material: &[u8] = material.as_ref();
        let provider = default_provider().expect("built in");
        let context = |side: usize| {
            let key = &material[side * 16..side * 16 + 16];
            let salt = &material[32 + side * salt..32 + side * salt + salt];
            Context::new(key, salt, profile, None, None, provider.crypto()).expect("lengths fit")
        };
        let (ours, theirs) = if self.waits { (1, 0) } else { (0, 1) };
        Crypto { out: context(ours), inbound: context(theirs), judge: context(theirs) }
    }

    /// What left for us, opened for the judge: when, sealed and plain.
    pub(crate) fn open_for_judge(&mut self, now: Instant, datagram: &[u8]) -> Vec<(Instant, Vec<u8>, Vec<u8>)> {
        self.early.push((now, datagram.to_vec()));
        let Some(crypto) = &mut self.crypto else { return Vec::new() };
        let mut opened = Vec::new();
        for (at, sealed) in self.early.drain(..) {
            let plain = if wire::is_rtcp(&sealed) { crypto.judge.decrypt_rtcp(&sealed) } else { crypto.judge.decrypt_rtp(&sealed) };
            let plain = plain.unwrap_or_else(|error| panic!("{}: what left does not open: {error}", self.name)).to_vec();
            opened.push((at, sealed, plain));
        }
        opened
    }

    fn handle_srtp(&mut self, now: Instant, datagram: &[u8], ledger: &mut Ledger) {
        let Some(crypto) = &mut self.crypto else { return };
        if !wire::is_rtcp(datagram) {
            let plain = crypto.inbound.decrypt_rtp(datagram).expect("what is sent to us opens");
            if let Some(receiver) = &mut self.receiver
                && self.connected_at.is_some_and(|connected| now >= connected + receiver.deaf_for)
            {
                let rtp = wire::parse_rtp(&plain);
                receiver.note_arrival(now, &rtp);
                let whose = self.others.iter_mut().find(|other| other.knows(rtp.ssrc)).unwrap_or(receiver);
                whose.handle_rtp(now, &plain, ledger);
            }
            return;
        }
        let compound = crypto.inbound.decrypt_rtcp(datagram).expect("what is sent to us opens");
        let packets = wire::parse_rtcp(&compound);
        for receiver in self.receiver.iter_mut().chain(&mut self.others) {
            for packet in &packets {
                match packet {
                    Rtcp::SenderReport { ssrc, ntp, .. } => receiver.handle_sender_report(now, *ssrc, *ntp),
                    Rtcp::ReferenceAnswer { reference, delay } => receiver.handle_reference_answer(now, *reference, *delay),
                    Rtcp::ReceiverReport | Rtcp::Nack { .. } | Rtcp::Pli | Rtcp::Other => {}
                }
            }
        }
        let Some(encoder) = &mut self.encoder else { return };
        if packets.iter().any(|packet| matches!(packet, Rtcp::Pli)) {
            encoder.keyframe_requests.push(now);
        }
        let mut repairs = Vec::new();
        for packet in packets {
            match packet {
                Rtcp::Pli => encoder.handle_pli(),
                Rtcp::Nack { media, seqs } => repairs.extend(encoder.handle_nack(media, &seqs, ledger)),
                Rtcp::SenderReport { .. } | Rtcp::ReceiverReport | Rtcp::ReferenceAnswer { .. } | Rtcp::Other => {}
            }
        }
        repairs.iter().for_each(|packet| self.send_rtp(packet));
    }

    /// Seals and sends a packet.
    pub(crate) fn send_rtp(&mut self, plain: &[u8]) {
        let Some(crypto) = &mut self.crypto else { return };
        let sealed = crypto.out.encrypt_rtp(plain).expect("well-formed").to_vec();
        self.out.push_back(sealed);
    }

    /// Seals and sends a compound.
    pub(crate) fn send_rtcp(&mut self, compound: &[u8]) {
        let Some(crypto) = &mut self.crypto else { return };
        let sealed = crypto.out.encrypt_rtcp(compound).expect("well-formed").to_vec();
        self.out.push_back(sealed);
    }
}
