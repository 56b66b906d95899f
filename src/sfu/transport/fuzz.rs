//! Bodies of the fuzz targets for STUN and DTLS. Whatever the bytes: no panic, no answer to what is not authenticated, and an answer that
//! an independent library reads.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::BytesMut;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{HmacAlgorithm, SignatureScheme, default_provider};
use rtc_dtls::endpoint::Endpoint;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_stun::fingerprint::fingerprint_value;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::Message;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::certificate::{Fingerprint, NodeCertificate};
use super::client_hello::{CLIENT_HELLO, CONTENT_HANDSHAKE, HelloReader};
use super::dtls::{DtlsAssociation, DtlsEvent};
use super::ice::{IceAgent, IceCredentials, IceDrop, IceVerdict};
use super::remote::Remote;
use super::stun::{DatagramKind, classify, is_stun, local_ufrag};
use crate::limits::DTLS_HELLO_BYTES_MAX;

const USERNAME: &[u8] = b"ourufrag:theirufrag!";
const PASSWORD: &str = "our+password+of+24+chars";
/// MESSAGE-INTEGRITY with its header.
const INTEGRITY: usize = 24;
/// FINGERPRINT with its header.
const FINGERPRINT: usize = 8;

fn agent(epoch: Instant) -> IceAgent {
    let local = IceCredentials { ufrag: "ourufrag".to_owned(), pwd: PASSWORD.to_owned() };
    let remote = IceCredentials { ufrag: "theirufrag!".to_owned(), pwd: "their+password+of+24+chr".to_owned() };
    IceAgent::new(epoch, local, remote)
}

/// Any bytes as a datagram, and then as the attributes of a request that is authentic.
pub fn fuzz_stun(epoch: Instant, bytes: &[u8]) {
    let source = Remote::Udp((Ipv4Addr::LOCALHOST, 5).into());
    let mut reply = Vec::new();
    if local_ufrag(bytes).is_some() {
        assert!(is_stun(bytes));
    }
    if is_stun(bytes) {
        assert_eq!(classify(bytes[0]), DatagramKind::Stun);
    }
    let mut strict = agent(epoch);
    let forged = strict.handle(epoch, source, bytes, &mut reply);
    assert!(matches!(forged, IceVerdict::Dropped(_)), "nobody can sign without the password");
    assert!(reply.is_empty() && strict.selected().is_none() && !strict.validated(source));

    let Some(request) = request(bytes) else { return };
    for source in [source, Remote::Udp((Ipv6Addr::LOCALHOST, 6).into())] {
        let verdict = strict.handle(epoch, source, &request, &mut reply);
        match verdict {
            // A second MESSAGE-INTEGRITY, another USERNAME or broken attributes among the bytes.
            IceVerdict::Dropped(reason) => assert_ne!(reason, IceDrop::Indication),
            IceVerdict::Reply | IceVerdict::Nominated { .. } => {
                let mut read = Message::new();
                read.unmarshal_binary(&reply).expect("an answer is STUN");
                let provider = default_provider().expect("a crypto provider");
                MessageIntegrity::check(&mut read, PASSWORD.as_bytes(), provider.crypto()).expect("an answer is signed");
                assert_eq!(&reply[8..20], &request[8..20], "an answer has the request's transaction");
            }
        }
        if let IceVerdict::Nominated { .. } = verdict {
            assert_eq!(strict.selected(), Some(source));
            assert!(strict.validated(source));
        }
    }
}

/// A binding request for our agent whose attributes behind USERNAME are `attributes`.
fn request(attributes: &[u8]) -> Option<Vec<u8>> {
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend_from_slice(b"transaction.");
    request.extend_from_slice(&[0, 6, 0, USERNAME.len() as u8]);
    request.extend_from_slice(USERNAME);
    request.extend_from_slice(attributes);
    request.resize(request.len().next_multiple_of(4), 0);
    let set_length = |request: &mut [u8], coming: usize| {
        let length = u16::try_from(request.len() - 20 + coming).ok()?;
        request[2..4].copy_from_slice(&length.to_be_bytes());
        Some(())
    };
    set_length(&mut request, INTEGRITY)?;
    let mut mac = default_provider().ok()?.crypto().new_hmac(HmacAlgorithm::Sha1, PASSWORD.as_bytes()).ok()?;
    let mut tag = [0; INTEGRITY - 4];
    mac.sign(&[&request], &mut tag).ok()?;
    request.extend_from_slice(&[0, 8, 0, tag.len() as u8]);
    request.extend_from_slice(&tag);
    set_length(&mut request, FINGERPRINT)?;
    let sum = fingerprint_value(&request);
    request.extend_from_slice(&[0x80, 0x28, 0, 4]);
    request.extend_from_slice(&sum.to_be_bytes());
    Some(request)
}

/// Any bytes as datagrams of up to 255 bytes, each behind its length; and as one ClientHello that is cut in pieces: in whichever order they
/// come, the same is read.
pub fn fuzz_client_hello(bytes: &[u8]) {
    let mut reader = HelloReader::default();
    let mut rest = bytes;
    while let Some((&length, behind)) = rest.split_first() {
        let (datagram, next) = behind.split_at(usize::from(length).min(behind.len()));
        reader.read(datagram);
        rest = next;
    }

    let Some((&piece, hello)) = bytes.split_first() else { return };
    if hello.is_empty() || hello.len() > DTLS_HELLO_BYTES_MAX {
        return;
    }
    let whole = HelloReader::default().read(&fragment(hello, 0, hello.len()));
    assert!(whole.is_some(), "a whole message is complete");
    let piece = usize::from(piece).max(hello.len().div_ceil(64)).max(1);
    let pieces: Vec<usize> = (0..hello.len()).step_by(piece).collect();
    let (mut forth, mut back) = (HelloReader::default(), HelloReader::default());
    let (mut read_forth, mut read_back) = (None, None);
    for (&from, &from_end) in pieces.iter().zip(pieces.iter().rev()) {
        assert!(read_forth.is_none() && read_back.is_none(), "complete before the last piece");
        read_forth = forth.read(&fragment(hello, from, piece));
        read_back = back.read(&fragment(hello, from_end, piece));
    }
    assert_eq!((read_forth, read_back), (whole, whole));
}

/// A record with a part of the message.
fn fragment(hello: &[u8], from: usize, most: usize) -> Vec<u8> {
    let part = &hello[from..(from + most).min(hello.len())];
    let u24 = |value: usize| [(value >> 16) as u8, (value >> 8) as u8, value as u8];
    let mut record = vec![CONTENT_HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend_from_slice(&((12 + part.len()) as u16).to_be_bytes());
    record.push(CLIENT_HELLO);
    record.extend_from_slice(&u24(hello.len()));
    record.extend_from_slice(&[0, 0]);
    record.extend_from_slice(&u24(from));
    record.extend_from_slice(&u24(part.len()));
    record.extend_from_slice(part);
    record
}

/// Both sides' certificates: made once, because making them is most of a run's cost.
struct Party {
    server: NodeCertificate,
    client: ConfigBuilder,
    fingerprint: Fingerprint,
}

fn party() -> &'static Party {
    static PARTY: OnceLock<Party> = OnceLock::new();
    PARTY.get_or_init(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let certificate = rcgen::CertificateParams::new(Vec::new()).and_then(|made| made.self_signed(&key)).expect("a certificate");
        let certificate: CertificateDer<'static> = certificate.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = default_provider().expect("a crypto provider");
        let signing = provider.crypto().import_signing_key(SignatureScheme::EcdsaP256Sha256, key.secret_pkcs8_der()).expect("a P-256 key");
        let fingerprint = Fingerprint::of_certificate(&certificate);
        let client = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![Certificate::from_signing_key(vec![certificate], signing)])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true);
        Party { server: NodeCertificate::generate().expect("a certificate"), client, fingerprint }
    })
}

/// A real handshake whose client's datagrams are treated by the bytes, three for each: let through, lost, doubled, cut, changed, or followed
/// by garbage. No panic; keys at most once; and keys for certain when nothing was done to it.
pub fn fuzz_handshake(epoch: Instant, bytes: &[u8]) {
    const DATAGRAMS_MAX: usize = 64;
    let party = party();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5));
    let mut server = DtlsAssociation::passive(&party.server, party.fingerprint.clone());
    let mut client = Endpoint::new(address, TransportProtocol::UDP, None);
    let config = party.client.clone().build(true, None).expect("a client's configuration");
    client.connect(epoch, address, Arc::new(config), None).expect("a first flight");
    let (mut connected, mut disturbed) = (0, false);
    let mut treatments = bytes.as_chunks::<3>().0.iter();
    for _ in 0..DATAGRAMS_MAX {
        let Some(sent) = client.poll_transmit() else { break };
        let whole = sent.message.to_vec();
        let &[what, place, value] = treatments.next().unwrap_or(&[0, 0, 0]);
        let at = usize::from(place) * whole.len() / 256;
        let mut changed = whole.clone();
        let arriving = match what % 8 {
            1 => Vec::new(),
            2 => vec![whole.clone(), whole],
            3 => vec![whole[..at].to_vec()],
            4 => {
                changed[at] ^= value;
                vec![changed]
            }
            // The fields that say how long and where: the head of the record and of the handshake message.
            5 => {
                let head = usize::from(place).min(24).min(whole.len() - 1);
                changed[head] = value;
                vec![changed]
            }
            6 => vec![whole, bytes.to_vec()],
            7 => vec![bytes.to_vec(), whole],
            _ => vec![whole],
        };
        disturbed |= what % 8 != 0;
        for datagram in arriving {
            match server.handle(epoch, &datagram) {
                Ok(DtlsEvent::Connected(_)) => connected += 1,
                Ok(DtlsEvent::None | DtlsEvent::Closed) => {}
                Err(_) => disturbed = true,
            }
        }
        while let Some(datagram) = server.poll_transmit() {
            if client.read(epoch, address, None, BytesMut::from(&datagram[..])).is_err() {
                return;
            }
        }
    }
    assert!(connected <= 1, "connected twice");
    assert!(disturbed || connected == 1, "an undisturbed handshake fails");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn hostile_stun_is_harmless() {
        let epoch = Instant::now();
        let nominating = vec![0, 0x25, 0, 0, 0, 0x24, 0, 4, 0x6e, 0x7f, 0x1e, 0xff];
        let whole = request(&nominating).unwrap();
        let unsigned = whole[..whole.len() - INTEGRITY - FINGERPRINT].to_vec();
        bombard(&[nominating, unsigned, vec![0x80, 0x29, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]], |bytes| fuzz_stun(epoch, bytes));
    }

    #[test]
    fn hostile_client_hellos_are_harmless() {
        let mut hello = vec![1, 0xfe, 0xfd];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 7, 0]);
        bombard(&[hello], fuzz_client_hello);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn disturbed_handshakes_are_harmless() {
        let epoch = Instant::now();
        fuzz_handshake(epoch, &[]);
        // Each treatment of each datagram of the client's, at a few places.
        for what in 1..8 {
            for datagram in 0..4 {
                for place in [0, 11, 13, 20, 100, 255] {
                    let mut bytes = vec![0; 3 * datagram];
                    bytes.extend_from_slice(&[what, place, 0xff]);
                    fuzz_handshake(epoch, &bytes);
                }
            }
        }
    }
}
