//! The passive side of DTLS-SRTP for one peer (RFC 5763, RFC 5764): one `rtc-dtls` endpoint behind a placeholder address, and the node's
//! certificate.
//!
//! The address is a placeholder because the peer's real one may change in mid-handshake; the caller believes datagrams by ICE, not by
//! DTLS. Invariant: `Connected` is reported once, and only after the client proved to hold the key of the certificate whose fingerprint
//! its SDP announced.
//!
//! The SRTP profile is settled before the handshake begins: `rtc-dtls` would follow the client's order, and Chromium lists SHA1 first, so
//! the ClientHello is read first and GCM configured alone when it is offered.

use std::collections::VecDeque;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use ring::digest;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SecretVec, SignatureScheme, default_provider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::client_hello::{CLIENT_HELLO, CONTENT_HANDSHAKE, HelloReader, records};
use super::srtp::{SrtpKeys, SrtpProfile};
use crate::limits::{
    DTLS_HANDSHAKE_BYTES_MAX, DTLS_HANDSHAKE_DATAGRAMS_MAX, DTLS_HANDSHAKE_TIMEOUT, DTLS_HELLO_DATAGRAMS_MAX, DTLS_REPEATS_MAX,
    DTLS_RETRANSMIT_DOUBLINGS, DTLS_RETRANSMIT_FIRST, DTLS_SETTLED_AFTER,
};

/// Stands for the peer in `rtc-dtls`, which keeps one association per address.
const PLACEHOLDER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));

const CONTENT_CHANGE_CIPHER_SPEC: u8 = 20;
const CONTENT_ALERT: u8 = 21;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// Why DTLS of a peer failed. The peer is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// The handshake was refused: no cipher or SRTP profile in common, a wrong certificate, a fatal alert.
    #[error("the DTLS handshake failed: {0}")]
    Handshake(String),
    /// The certificate is not the one whose fingerprint the offer announced.
    #[error("the client's certificate does not match the fingerprint in its offer")]
    WrongFingerprint,
    /// Not complete within `limits::DTLS_HANDSHAKE_TIMEOUT`.
    #[error("the DTLS handshake was not complete in time")]
    TimedOut,
    /// More datagrams or bytes than any handshake needs.
    #[error("the DTLS handshake sent too much")]
    Flooded,
}

/// Why a certificate cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the DTLS certificate is unusable: {0}")]
pub struct CertificateError(String);

/// The hash functions of `a=fingerprint` that are accepted (RFC 8122 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintHash {
    Sha256,
    Sha384,
    Sha512,
}

impl FingerprintHash {
    /// By its name in SDP, which is case-insensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|hash| name.eq_ignore_ascii_case(hash.name()))
    }

    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    const fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// A certificate's hash as SDP carries it. Displays as `sha-256 AA:BB:..`, the value of `a=fingerprint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: FingerprintHash,
    digest: Vec<u8>,
}

impl Fingerprint {
    /// Reads the value of `a=fingerprint`. `None` for an unknown hash, a wrong length or anything but colon-separated hex pairs.
    pub fn parse(value: &str) -> Option<Self> {
        let (name, digest) = value.trim().split_once(' ')?;
        let hash = FingerprintHash::from_name(name)?;
        let digest = digest
            .trim()
            .split(':')
            .map(|pair| (pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())).then(|| u8::from_str_radix(pair, 16).ok())?)
            .collect::<Option<Vec<u8>>>()?;
        (digest.len() == hash.algorithm().output_len()).then_some(Self { hash, digest })
    }

    /// The SHA-256 fingerprint of a DER certificate.
    pub fn of_certificate(der: &[u8]) -> Self {
        let hash = FingerprintHash::Sha256;
        Self { hash, digest: digest::digest(hash.algorithm(), der).as_ref().to_vec() }
    }

    /// Whether this is the fingerprint of that DER certificate.
    pub fn matches(&self, der: &[u8]) -> bool {
        digest::digest(self.hash.algorithm(), der).as_ref() == self.digest
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        for (position, byte) in self.digest.iter().enumerate() {
            write!(f, "{}{byte:02X}", if position == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

/// The node's ECDSA P-256 certificate and everything of a handshake that is the same for all peers. Cheap to clone.
#[derive(Clone)]
pub struct NodeCertificate {
    shared: Arc<Shared>,
}

struct Shared {
    provider: Arc<dyn RTCCryptoProvider>,
    /// Complete but for the SRTP profile and the check of the client's certificate.
    config: ConfigBuilder,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl NodeCertificate {
    /// Makes a new self-signed certificate.
    ///
    /// # Errors
    /// When the key cannot be made (no randomness).
    pub fn generate() -> Result<Self, CertificateError> {
        let unusable = |error: rcgen::Error| CertificateError(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
        let certificate = rcgen::CertificateParams::new(Vec::new()).and_then(|params| params.self_signed(&key)).map_err(unusable)?;
        Self::new(certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()))
    }

    /// Reads what [`Self::to_pem`] wrote: a `CERTIFICATE` and a PKCS #8 `PRIVATE KEY` block, in any order.
    ///
    /// # Errors
    /// When a block is missing or the key is not ECDSA P-256.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let unusable = |error: rustls_pki_types::pem::Error| CertificateError(error.to_string());
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unusable)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(unusable)?;
        Self::new(certificate, key)
    }

    fn new(certificate: CertificateDer<'static>, key: PrivatePkcs8KeyDer<'static>) -> Result<Self, CertificateError> {
        let provider = default_provider().map_err(|error| CertificateError(error.to_string()))?;
        let signing_key = provider
            .crypto()
            .import_signing_key(SignatureScheme::EcdsaP256Sha256, key.secret_pkcs8_der())
            .map_err(|error| CertificateError(error.to_string()))?;
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![Certificate::from_signing_key(vec![certificate.clone()], signing_key)])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            // Chains are not checked in WebRTC: the fingerprint is (RFC 5763 section 5).
            .with_insecure_skip_verify(true);
        Ok(Self { shared: Arc::new(Shared { provider, config, certificate, key }) })
    }

    /// The certificate and its private key, as PEM. Keep it secret.
    pub fn to_pem(&self) -> String {
        let mut text = pem_block("CERTIFICATE", &self.shared.certificate);
        text.push_str(&pem_block("PRIVATE KEY", self.shared.key.secret_pkcs8_der()));
        text
    }

    /// Its SHA-256 fingerprint, for `a=fingerprint`.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_certificate(&self.shared.certificate)
    }

    fn handshake(&self, profile: SrtpProfile, expected: &Fingerprint) -> Result<HandshakeConfig, DtlsError> {
        let srtp = match profile {
            SrtpProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProfile::Aes128CmSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        let expected = expected.clone();
        self.shared
            .config
            .clone()
            .with_crypto_provider(self.shared.provider.clone())
            .with_srtp_protection_profiles(vec![srtp])
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
                Some(certificate) if expected.matches(certificate) => Ok(()),
                _ => Err(RtcError::ErrNoCertificates),
            })))
            .build(false, None)
            .map_err(|error| DtlsError::Handshake(error.to_string()))
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeCertificate({})", self.fingerprint())
    }
}

fn pem_block(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("base 64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// What a datagram brought about.
#[derive(Debug)]
pub enum DtlsEvent {
    /// Nothing to know; there may be something to send.
    None,
    /// The handshake is complete. Once.
    Connected(SrtpKeys),
    /// The client said goodbye (close_notify).
    Closed,
}

enum Phase {
    /// Until the ClientHello is complete: the datagrams so far.
    Hello {
        reader: HelloReader,
        kept: VecDeque<BytesMut>,
    },
    Handshake {
        profile: SrtpProfile,
    },
    Connected {
        profile: SrtpProfile,
        since: Instant,
    },
    /// The client has our last flight, so nothing but a goodbye is left to be said: all that is kept is what the endpoint can be made from
    /// again for that.
    Settled {
        profile: SrtpProfile,
        state: SecretVec,
    },
    Closed,
}

/// Our last flight, kept to be sent again. `rtc-dtls` cannot be relied on for that: it stops its timer for good when a repeated ClientHello
/// arrives, and Chromium repeats it after 50 ms, so that one lost flight would end the handshake (RFC 6347 section 4.2.4 wants it
/// answered). The same bytes will do: what the client has seen it drops as replayed, what it has not it takes.
#[derive(Default)]
struct Flight {
    datagrams: Vec<BytesMut>,
    sent_at: Option<Instant>,
    repeats: u32,
}

impl Flight {
    /// When to send it again of our own accord. A HelloVerifyRequest never: the server keeps no state for it (RFC 6347 section 4.2.1).
    fn due(&self) -> Option<Instant> {
        let first = records(self.datagrams.first()?).next()?;
        if first.0 == CONTENT_HANDSHAKE && first.2.first() == Some(&HELLO_VERIFY_REQUEST) {
            return None;
        }
        Some(self.sent_at? + DTLS_RETRANSMIT_FIRST * 2_u32.pow(self.repeats.min(DTLS_RETRANSMIT_DOUBLINGS)))
    }
}

/// DTLS of one peer. After `Connected` the endpoint is needed only to repeat our last flight when it was lost; [`Self::settle`] then frees
/// it, about 13 KiB, and leaves what hearing and saying goodbye takes.
pub struct DtlsServer {
    certificate: NodeCertificate,
    expected: Fingerprint,
    endpoint: Endpoint,
    phase: Phase,
    deadline: Option<Instant>,
    /// What is to be sent.
    outbox: VecDeque<BytesMut>,
    flight: Flight,
    datagrams: usize,
    bytes: usize,
    /// Datagrams read since the handshake was complete that anybody could have made up.
    repeats: usize,
}

impl DtlsServer {
    /// Waits for a client whose certificate has this fingerprint.
    pub fn new(certificate: &NodeCertificate, expected: Fingerprint) -> Self {
        Self {
            certificate: certificate.clone(),
            expected,
            endpoint: no_endpoint(),
            phase: Phase::Hello { reader: HelloReader::default(), kept: VecDeque::new() },
            deadline: None,
            outbox: VecDeque::new(),
            flight: Flight::default(),
            datagrams: 0,
            bytes: 0,
            repeats: 0,
        }
    }

    /// Starts the clock of the handshake; call it when ICE is up. The first datagram starts it as well.
    pub fn begin(&mut self, now: Instant) {
        self.deadline.get_or_insert(now + DTLS_HANDSHAKE_TIMEOUT);
    }

    /// Takes a datagram from a validated address.
    ///
    /// # Errors
    /// The peer is lost. [`Self::poll_transmit`] may still have an alert for it.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<DtlsEvent, DtlsError> {
        self.begin(now);
        // Under a key there is no ChangeCipherSpec in DTLS 1.2 without renegotiation. rtc-dtls believes one unauthenticated, and would
        // let anyone who can forge the client's address end the association.
        if records(datagram).any(|(content, epoch, _)| content == CONTENT_CHANGE_CIPHER_SPEC && epoch != 0) {
            return Ok(DtlsEvent::None);
        }
        match &mut self.phase {
            Phase::Closed => return Ok(DtlsEvent::None),
            Phase::Settled { .. } => return self.read_settled(now, datagram),
            Phase::Connected { .. } => {
                if records(datagram).any(|(_, epoch, _)| epoch == 0) {
                    self.repeats += 1;
                    if self.repeats > DTLS_REPEATS_MAX {
                        return Ok(DtlsEvent::None);
                    }
                }
                return self.read_or_repeat(now, datagram);
            }
            Phase::Hello { .. } | Phase::Handshake { .. } => {}
        }
        self.datagrams += 1;
        self.bytes += datagram.len();
        if self.datagrams > DTLS_HANDSHAKE_DATAGRAMS_MAX || self.bytes > DTLS_HANDSHAKE_BYTES_MAX {
            self.phase = Phase::Closed;
            return Err(DtlsError::Flooded);
        }
        let Phase::Hello { reader, kept } = &mut self.phase else { return self.read_or_repeat(now, datagram) };
        if kept.len() < DTLS_HELLO_DATAGRAMS_MAX {
            kept.push_back(BytesMut::from(datagram));
        }
        let Some(profile) = reader.read(datagram) else { return Ok(DtlsEvent::None) };
        let kept = std::mem::take(kept);
        let config = self.certificate.handshake(profile, &self.expected)?;
        self.endpoint.set_server_config(Some(Arc::new(config)));
        self.phase = Phase::Handshake { profile };
        let mut event = DtlsEvent::None;
        for datagram in kept {
            event = self.read(now, datagram)?;
        }
        Ok(event)
    }

    /// Reads a datagram; when it repeats a flight of the client's and moves nothing, ours was lost and is sent again.
    fn read_or_repeat(&mut self, now: Instant, datagram: &[u8]) -> Result<DtlsEvent, DtlsError> {
        let waiting = self.outbox.len();
        let event = self.read(now, BytesMut::from(datagram))?;
        let repeats = match self.phase {
            Phase::Handshake { .. } => {
                records(datagram).any(|(content, _, payload)| content == CONTENT_HANDSHAKE && payload.first() == Some(&CLIENT_HELLO))
            }
            Phase::Connected { .. } => records(datagram).any(|(content, epoch, _)| content == CONTENT_HANDSHAKE && epoch == 0),
            Phase::Hello { .. } | Phase::Settled { .. } | Phase::Closed => false,
        };
        if repeats && self.outbox.len() == waiting {
            self.outbox.extend(self.flight.datagrams.iter().cloned());
        }
        Ok(event)
    }

    fn read(&mut self, now: Instant, datagram: BytesMut) -> Result<DtlsEvent, DtlsError> {
        let result = self.endpoint.read(now, PLACEHOLDER, None, datagram);
        self.collect(now);
        let events = match result {
            Ok(events) => events,
            // After the handshake only what is authentic ends it: anything else that does not parse is dropped.
            Err(error) if matches!(self.phase, Phase::Connected { .. }) && !matches!(error, RtcError::ErrAlertFatalOrClose) => {
                return Ok(DtlsEvent::None);
            }
            Err(error) => {
                self.phase = Phase::Closed;
                return Err(match error {
                    RtcError::ErrNoCertificates => DtlsError::WrongFingerprint,
                    other => DtlsError::Handshake(other.to_string()),
                });
            }
        };
        let mut outcome = DtlsEvent::None;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    if let Phase::Handshake { profile } = self.phase {
                        let keys = self.export(profile)?;
                        self.phase = Phase::Connected { profile, since: now };
                        outcome = DtlsEvent::Connected(keys);
                    }
                }
                EndpointEvent::PeerClosed => {
                    self.phase = Phase::Closed;
                    return Ok(DtlsEvent::Closed);
                }
                // No data channel is negotiated, so there is no application data to read.
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn export(&self, profile: SrtpProfile) -> Result<SrtpKeys, DtlsError> {
        let state = self.endpoint.get_connection_state(PLACEHOLDER).ok_or_else(|| DtlsError::Handshake("no association".into()))?;
        // The handshake has checked it; a server that let an unchecked client in would be silent about it.
        if !state.peer_certificates.first().is_some_and(|certificate| self.expected.matches(certificate)) {
            return Err(DtlsError::WrongFingerprint);
        }
        let agreed = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(SrtpProfile::AeadAes128Gcm),
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(SrtpProfile::Aes128CmSha1_80),
            _ => None,
        };
        if agreed != Some(profile) {
            return Err(DtlsError::Handshake("the client does not offer SRTP".into()));
        }
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], profile.keying_material_len())
            .map_err(|error| DtlsError::Handshake(error.to_string()))?;
        Ok(SrtpKeys::of_server(profile, material.as_ref()).expect("exported as long as the profile needs"))
    }

    /// Takes what the endpoint has to send; it is one flight, since it is drained after every call.
    fn collect(&mut self, now: Instant) {
        let datagrams: Vec<BytesMut> = std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.message).collect();
        if !datagrams.is_empty() {
            self.outbox.extend(datagrams.iter().cloned());
            self.flight = Flight { datagrams, sent_at: Some(now), repeats: 0 };
        }
    }

    /// The next datagram to send to the selected address.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.outbox.pop_front()
    }

    /// When to call [`Self::handle_timeout`]: to send a flight again, or because the handshake took too long.
    pub fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Hello { .. } => self.deadline,
            Phase::Handshake { .. } => [self.deadline, self.flight.due()].into_iter().flatten().min(),
            Phase::Connected { .. } | Phase::Settled { .. } | Phase::Closed => None,
        }
    }

    /// Sends a lost flight again. After the handshake it does no more than settle a client that is silent.
    ///
    /// # Errors
    /// The handshake is given up.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        match self.phase {
            Phase::Connected { since, .. } => {
                if now >= since + DTLS_SETTLED_AFTER {
                    self.settle();
                }
                return Ok(());
            }
            Phase::Settled { .. } | Phase::Closed => return Ok(()),
            Phase::Hello { .. } | Phase::Handshake { .. } => {}
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.phase = Phase::Closed;
            return Err(DtlsError::TimedOut);
        }
        if matches!(self.phase, Phase::Handshake { .. }) && self.flight.due().is_some_and(|due| now >= due) {
            self.outbox.extend(self.flight.datagrams.iter().cloned());
            self.flight.sent_at = Some(now);
            self.flight.repeats += 1;
        }
        Ok(())
    }

    /// Queues a close_notify for [`Self::poll_transmit`]. Nothing is heard from the peer afterwards.
    pub fn close(&mut self, now: Instant) {
        if let Phase::Settled { profile, state } = &self.phase {
            let (profile, state) = (*profile, state.clone());
            self.wake(now, profile, &state);
        }
        if let Phase::Handshake { .. } | Phase::Connected { .. } = self.phase {
            // It fails for no association at all, and then there is nobody to tell.
            drop(self.endpoint.close(now));
            self.collect(now);
        }
        self.phase = Phase::Closed;
    }

    /// The client has our last flight: what it sent under the keys (SRTP or SRTCP) was authentic, or it has long been silent. Frees the
    /// endpoint. Nothing happens before the handshake is complete, or again.
    pub fn settle(&mut self) {
        let Phase::Connected { profile, .. } = self.phase else { return };
        let Some(state) = self.endpoint.get_connection_state(PLACEHOLDER).and_then(|state| self.remembered(state)) else { return };
        self.phase = Phase::Settled { profile, state };
        self.endpoint = no_endpoint();
        self.flight = Flight::default();
        self.outbox.shrink_to_fit();
    }

    /// What an endpoint can be made from again: keys and numbers, without the client's certificates, which have been checked.
    fn remembered(&self, state: &State) -> Option<SecretVec> {
        let whole = SecretVec::new(state.marshal_binary().ok()?);
        let mut copy = State::new(self.certificate.shared.provider.clone(), false);
        copy.unmarshal_binary(whole.as_ref()).ok()?;
        copy.peer_certificates.clear();
        copy.marshal_binary().ok().map(SecretVec::new)
    }

    /// Makes the endpoint of a settled association again. `connect` is how `rtc-dtls` takes up a state; which side it is says the state.
    fn wake(&mut self, now: Instant, profile: SrtpProfile, remembered: &SecretVec) {
        let mut state = State::new(self.certificate.shared.provider.clone(), false);
        let Ok(config) = self.certificate.handshake(profile, &self.expected) else { return };
        if state.unmarshal_binary(remembered.as_ref()).is_ok()
            && self.endpoint.connect(now, PLACEHOLDER, Arc::new(config), Some(state)).is_ok()
        {
            self.phase = Phase::Connected { profile, since: now };
        }
    }

    /// Only an alert under the keys means anything by now. Making the endpoint again costs microseconds, so there is a bound to it for those
    /// who forge the client's address; beyond it a goodbye is not heard, and the peer is missed by ICE.
    fn read_settled(&mut self, now: Instant, datagram: &[u8]) -> Result<DtlsEvent, DtlsError> {
        let Phase::Settled { profile, state } = &self.phase else { return Ok(DtlsEvent::None) };
        let is_alert = |(content, epoch, _): (u8, u16, &[u8])| content == CONTENT_ALERT && epoch == 1;
        if self.repeats >= DTLS_REPEATS_MAX || records(datagram).next().is_none() || !records(datagram).all(is_alert) {
            return Ok(DtlsEvent::None);
        }
        self.repeats += 1;
        let (profile, state) = (*profile, state.clone());
        self.wake(now, profile, &state);
        let event = self.read(now, BytesMut::from(datagram))?;
        if let Phase::Connected { .. } = self.phase {
            self.phase = Phase::Settled { profile, state };
            self.endpoint = no_endpoint();
        }
        Ok(event)
    }
}

fn no_endpoint() -> Endpoint {
    Endpoint::new(PLACEHOLDER, TransportProtocol::UDP, None)
}

#[cfg(test)]
mod tests;
