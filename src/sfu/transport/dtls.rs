//! DTLS-SRTP with one peer (RFC 5763, RFC 5764), on either side: one `rtc-dtls` endpoint behind a placeholder address.
//!
//! The address is a placeholder because the peer's real one may change in mid-handshake; the caller believes datagrams by ICE, not by
//! DTLS. Invariant: the keys are reported once, and only after the peer proved to hold the key of the certificate whose fingerprint
//! its SDP announced.
//!
//! **Passive**, the SRTP profile is settled before the handshake begins: `rtc-dtls` would follow the client's order, and Chromium lists
//! SHA1 first, so the ClientHello is read first and GCM configured alone when it is offered.
//!
//! **Active**, the keys are there when our last flight leaves, a round trip before the peer's Finished comes back, and media may follow that flight
//! at once (as TLS False Start, RFC 7918). That is safe here: the peer's signature over the key exchange has been checked by then, and the
//! extended master secret, which is required, makes the keys of anybody else's transcript of the hellos differ from ours (RFC 7627).
//! A client that waits is passive and so saves two round trips: `rtc-dtls` spends one on a HelloVerifyRequest besides.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rtc_dtls::crypto_provider::SecretVec;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;

use super::certificate::{Fingerprint, NodeCertificate};
use super::client_hello::{CLIENT_HELLO, CONTENT_HANDSHAKE, HelloReader, records};
use super::srtp::{SrtpKeys, SrtpProfile};
use crate::limits::{
    DTLS_HANDSHAKE_BYTES_MAX, DTLS_HANDSHAKE_DATAGRAMS_MAX, DTLS_HANDSHAKE_TIMEOUT, DTLS_HELLO_DATAGRAMS_MAX, DTLS_REPEATS_MAX,
    DTLS_RETRANSMIT_DOUBLINGS, DTLS_RETRANSMIT_FIRST, DTLS_SETTLED_AFTER,
};

/// Stands for the peer in `rtc-dtls`, which keeps one association per address.
const PLACEHOLDER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));

const ANY_PROFILE: &[SrtpProfile] = &[SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80];

const CONTENT_CHANGE_CIPHER_SPEC: u8 = 20;
const CONTENT_ALERT: u8 = 21;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// A ChangeCipherSpec of the peer's (RFC 6347 section 4.1), numbered beyond what a handshake uses.
const CHANGE_CIPHER_SPEC: [u8; 14] = [CONTENT_CHANGE_CIPHER_SPEC, 254, 253, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1];

/// Which side of DTLS we are (RFC 4145 section 4, RFC 5763 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsRole {
    /// We open: `a=setup:active`, the client of DTLS.
    Active,
    /// The peer opens: `a=setup:passive`, the server of DTLS.
    Passive,
}

/// Why DTLS with a peer failed. The peer is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// The handshake was refused: no cipher or SRTP profile in common, a wrong certificate, a fatal alert.
    #[error("the DTLS handshake failed: {0}")]
    Handshake(String),
    /// The certificate is not the one whose fingerprint the offer announced.
    #[error("the peer's certificate does not match the fingerprint in its offer")]
    WrongFingerprint,
    /// Not complete within `limits::DTLS_HANDSHAKE_TIMEOUT`.
    #[error("the DTLS handshake was not complete in time")]
    TimedOut,
    /// More datagrams or bytes than any handshake needs.
    #[error("the DTLS handshake sent too much")]
    Flooded,
}

/// What a datagram brought about.
#[derive(Debug)]
pub enum DtlsEvent {
    /// Nothing to know; there may be something to send.
    None,
    /// Media may flow. Once. What there is to send goes first.
    Connected(SrtpKeys),
    /// The peer said goodbye (close_notify).
    Closed,
}

enum Phase {
    /// Active, until [`DtlsAssociation::begin`].
    Idle {
        profiles: Vec<SrtpProfile>,
    },
    /// Passive, until the ClientHello is complete: the datagrams so far.
    Hello {
        reader: HelloReader,
        kept: VecDeque<BytesMut>,
    },
    /// `keyed`: active, our last flight is out and the peer's is awaited.
    Handshake {
        keyed: bool,
    },
    Connected {
        since: Instant,
    },
    /// The peer has our last flight, so nothing but a goodbye is left to be said: all that is kept is what the endpoint can be made from
    /// again for that.
    Settled {
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

/// DTLS with one peer. After `Connected` the endpoint is needed only to repeat our last flight when it was lost; [`Self::settle`] then frees
/// it, about 13 KiB, and leaves what hearing and saying goodbye takes.
pub struct DtlsAssociation {
    role: DtlsRole,
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

impl DtlsAssociation {
    /// Waits for a client whose certificate has this fingerprint.
    pub fn passive(certificate: &NodeCertificate, expected: Fingerprint) -> Self {
        Self::new(DtlsRole::Passive, certificate, expected, Phase::Hello { reader: HelloReader::default(), kept: VecDeque::new() })
    }

    /// Opens to a server whose certificate has this fingerprint, as soon as there is a way to it ([`Self::begin`]). It is offered these
    /// profiles; whoever prefers one should offer it alone, since servers follow their own order.
    pub fn active(certificate: &NodeCertificate, expected: Fingerprint, profiles: Vec<SrtpProfile>) -> Self {
        Self::new(DtlsRole::Active, certificate, expected, Phase::Idle { profiles })
    }

    fn new(role: DtlsRole, certificate: &NodeCertificate, expected: Fingerprint, phase: Phase) -> Self {
        Self {
            role,
            certificate: certificate.clone(),
            expected,
            endpoint: no_endpoint(),
            phase,
            deadline: None,
            outbox: VecDeque::new(),
            flight: Flight::default(),
            datagrams: 0,
            bytes: 0,
            repeats: 0,
        }
    }

    /// Which side we are.
    pub fn role(&self) -> DtlsRole {
        self.role
    }

    /// Whether the handshake goes on, so that [`Self::handle_timeout`] is needed often.
    pub fn in_handshake(&self) -> bool {
        matches!(self.phase, Phase::Idle { .. } | Phase::Hello { .. } | Phase::Handshake { .. })
    }

    /// Starts the clock of the handshake, and when we are active the handshake; call it when ICE is up. The first datagram starts it as well.
    pub fn begin(&mut self, now: Instant) {
        self.deadline.get_or_insert(now + DTLS_HANDSHAKE_TIMEOUT);
        let Phase::Idle { profiles } = &self.phase else { return };
        // The configuration is ours, so it is valid; were it not, the handshake would time out and be counted.
        if let Ok(config) = self.certificate.handshake(self.role, profiles, &self.expected) {
            drop(self.endpoint.connect(now, PLACEHOLDER, Arc::new(config), None));
            self.collect(now);
        }
        self.phase = Phase::Handshake { keyed: false };
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
            Phase::Idle { .. } | Phase::Hello { .. } | Phase::Handshake { .. } => {}
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
        let config = self.certificate.handshake(self.role, &[profile], &self.expected);
        let config = config.map_err(|error| DtlsError::Handshake(error.to_string()))?;
        self.endpoint.set_server_config(Some(Arc::new(config)));
        self.phase = Phase::Handshake { keyed: false };
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
            // Before that a server that answers has what we sent; the rest of its flight is on its way.
            Phase::Handshake { keyed } if self.role == DtlsRole::Active => keyed && repeats_flight_of(SERVER_HELLO, datagram),
            Phase::Handshake { .. } => repeats_flight_of(CLIENT_HELLO, datagram),
            Phase::Connected { .. } => records(datagram).any(|(content, epoch, _)| content == CONTENT_HANDSHAKE && epoch == 0),
            Phase::Idle { .. } | Phase::Hello { .. } | Phase::Settled { .. } | Phase::Closed => false,
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
                    let was_keyed = matches!(self.phase, Phase::Handshake { keyed: true });
                    let keys = self.export()?;
                    self.phase = Phase::Connected { since: now };
                    if !was_keyed {
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
        if self.role == DtlsRole::Active
            && matches!(self.phase, Phase::Handshake { keyed: false })
            && self.material(SrtpProfile::AeadAes128Gcm).is_some()
        {
            let keys = self.export()?;
            self.phase = Phase::Handshake { keyed: true };
            outcome = DtlsEvent::Connected(keys);
        }
        Ok(outcome)
    }

    /// `None` until our last flight is out when we are active, until the handshake is complete when we are passive.
    fn material(&self, profile: SrtpProfile) -> Option<SecretVec> {
        let state = self.endpoint.get_connection_state(PLACEHOLDER)?;
        state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], profile.keying_material_len()).ok()
    }

    fn export(&self) -> Result<SrtpKeys, DtlsError> {
        let state = self.endpoint.get_connection_state(PLACEHOLDER).ok_or_else(|| DtlsError::Handshake("no association".into()))?;
        // The handshake has checked it; an endpoint that let an unchecked peer in would be silent about it.
        if !state.peer_certificates.first().is_some_and(|certificate| self.expected.matches(certificate)) {
            return Err(DtlsError::WrongFingerprint);
        }
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => SrtpProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => SrtpProfile::Aes128CmSha1_80,
            _ => return Err(DtlsError::Handshake("the peer does not speak SRTP".into())),
        };
        let material = self.material(profile).ok_or_else(|| DtlsError::Handshake("no keys".into()))?;
        let keys = SrtpKeys::of_server(profile, material.as_ref()).expect("exported as long as the profile needs");
        Ok(if self.role == DtlsRole::Active { keys.mirrored() } else { keys })
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
            Phase::Idle { .. } | Phase::Hello { .. } => self.deadline,
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
            Phase::Connected { since } => {
                if now >= since + DTLS_SETTLED_AFTER {
                    self.settle(now);
                }
                return Ok(());
            }
            Phase::Settled { .. } | Phase::Closed => return Ok(()),
            Phase::Idle { .. } | Phase::Hello { .. } | Phase::Handshake { .. } => {}
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
        if let Phase::Handshake { keyed: true } = self.phase {
            // The endpoint would say it in the clear, which nobody who has keys believes; what it is made from again seals it.
            self.settle(now);
        }
        if let Phase::Settled { state } = &self.phase {
            let state = state.clone();
            self.wake(now, &state);
        }
        if let Phase::Handshake { .. } | Phase::Connected { .. } = self.phase {
            // It fails for no association at all, and then there is nobody to tell.
            drop(self.endpoint.close(now));
            self.collect(now);
        }
        self.phase = Phase::Closed;
    }

    /// The peer has our last flight: what it sent under the keys (SRTP or SRTCP) was authentic, or it has long been silent. Frees the
    /// endpoint. Nothing happens before there are keys, or again.
    pub fn settle(&mut self, now: Instant) {
        match self.phase {
            Phase::Connected { .. } => {}
            // Its last flight was lost and need not come any more. The endpoint is told that the peer seals from now on: it would not
            // open its goodbye otherwise.
            Phase::Handshake { keyed: true } => {
                drop(self.endpoint.read(now, PLACEHOLDER, None, BytesMut::from(&CHANGE_CIPHER_SPEC[..])));
            }
            _ => return,
        }
        let Some(state) = self.endpoint.get_connection_state(PLACEHOLDER).and_then(|state| self.remembered(state)) else { return };
        self.phase = Phase::Settled { state };
        self.endpoint = no_endpoint();
        self.flight = Flight::default();
        self.outbox.shrink_to_fit();
    }

    /// What an endpoint can be made from again: keys and numbers, without the peer's certificates, which have been checked.
    fn remembered(&self, state: &State) -> Option<SecretVec> {
        let whole = SecretVec::new(state.marshal_binary().ok()?);
        let mut copy = State::new(self.certificate.shared.provider.clone(), self.role == DtlsRole::Active);
        copy.unmarshal_binary(whole.as_ref()).ok()?;
        copy.peer_certificates.clear();
        copy.marshal_binary().ok().map(SecretVec::new)
    }

    /// Makes the endpoint of a settled association again. `connect` is how `rtc-dtls` takes up a state; which side it is says the state.
    fn wake(&mut self, now: Instant, remembered: &SecretVec) {
        let mut state = State::new(self.certificate.shared.provider.clone(), self.role == DtlsRole::Active);
        let Ok(config) = self.certificate.handshake(self.role, ANY_PROFILE, &self.expected) else { return };
        if state.unmarshal_binary(remembered.as_ref()).is_ok()
            && self.endpoint.connect(now, PLACEHOLDER, Arc::new(config), Some(state)).is_ok()
        {
            self.phase = Phase::Connected { since: now };
        }
    }

    /// Only an alert under the keys means anything by now. Making the endpoint again costs microseconds, so there is a bound to it for those
    /// who forge the peer's address; beyond it a goodbye is not heard, and the peer is missed by ICE.
    fn read_settled(&mut self, now: Instant, datagram: &[u8]) -> Result<DtlsEvent, DtlsError> {
        let Phase::Settled { state } = &self.phase else { return Ok(DtlsEvent::None) };
        let is_alert = |(content, epoch, _): (u8, u16, &[u8])| content == CONTENT_ALERT && epoch == 1;
        if self.repeats >= DTLS_REPEATS_MAX || records(datagram).next().is_none() || !records(datagram).all(is_alert) {
            return Ok(DtlsEvent::None);
        }
        self.repeats += 1;
        let state = state.clone();
        self.wake(now, &state);
        let event = self.read(now, BytesMut::from(datagram))?;
        if let Phase::Connected { .. } = self.phase {
            self.phase = Phase::Settled { state };
            self.endpoint = no_endpoint();
        }
        Ok(event)
    }
}

/// Whether a flight of the peer's that begins with this message begins here.
fn repeats_flight_of(first: u8, datagram: &[u8]) -> bool {
    records(datagram).any(|(content, _, payload)| content == CONTENT_HANDSHAKE && payload.first() == Some(&first))
}

fn no_endpoint() -> Endpoint {
    Endpoint::new(PLACEHOLDER, TransportProtocol::UDP, None)
}

#[cfg(test)]
mod tests;
