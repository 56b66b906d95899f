//! One client transport on its own UDP socket: ICE (controlling, full), DTLS (client), SRTP keys. The counterpart of the server's
//! `sfu::transport`, written on the sub-crates so that it checks the server and not a shared mistake.
//! Invariant: `connect` returns only after a check was answered and the server's certificate matched its answer's fingerprint.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::BytesMut;
use rand::Rng;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SignatureScheme, default_provider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rtc_srtp::context::Context as SrtpContext;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::clock;
use super::sdp::{LocalSide, RemoteSide};
use super::socket::Socket;
use crate::limits::LOADGEN_CONNECT_TIMEOUT;

const PRIORITY: AttrType = AttrType(0x24);
const ICE_CONTROLLING: AttrType = AttrType(0x802a);
const STUN_REQUEST: [u8; 2] = [0x00, 0x01];
const STUN_SUCCESS: [u8; 2] = [0x01, 0x01];
/// Both profiles have keys of this length.
const KEY: usize = 16;
/// How long one of several addresses of the server is tried at first.
const TRY: Duration = Duration::from_secs(2);

/// One certificate for all clients of this process, and the crypto behind it.
pub(super) struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    config: ConfigBuilder,
    fingerprint: String,
}

impl Identity {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let certificate: CertificateDer<'static> = rcgen::CertificateParams::new(Vec::new())?.self_signed(&key)?.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = default_provider().context("no crypto provider")?;
        let signing = provider
            .crypto()
            .import_signing_key(SignatureScheme::EcdsaP256Sha256, key.secret_pkcs8_der())
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let fingerprint = fingerprint(&certificate);
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![Certificate::from_signing_key(vec![certificate], signing)])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true);
        Ok(Self { provider, config, fingerprint })
    }

    /// New ICE credentials with this certificate.
    pub(super) fn local_side(&self) -> LocalSide {
        let mut rng = rand::rng();
        let mut text = |length: usize| (0..length).map(|_| rng.sample(rand::distr::Alphanumeric) as char).collect::<String>();
        LocalSide { ufrag: text(8), pwd: text(24), fingerprint: self.fingerprint.clone(), candidate: None }
    }
}

fn fingerprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

/// A connected transport.
pub(super) struct Link {
    pub(super) socket: Socket,
    /// For packets from the server.
    pub(super) inbound: SrtpContext,
    /// For packets to the server.
    pub(super) outbound: SrtpContext,
    pub(super) checks: Checks,
    /// Kept for its answer to a repeated flight and for saying goodbye.
    dtls: Endpoint,
}

/// Builds connectivity checks, and answers those of a server that is not lite.
pub(super) struct Checks {
    provider: Arc<dyn RTCCryptoProvider>,
    username: String,
    pwd: String,
    own_pwd: String,
    server: SocketAddr,
    tie_breaker: u64,
}

impl Checks {
    fn request(&self) -> anyhow::Result<Vec<u8>> {
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        message.new_transaction_id()?;
        message.write_header();
        message.add(ATTR_USERNAME, self.username.as_bytes());
        message.add(PRIORITY, &0x6e7f_1eff_u32.to_be_bytes());
        message.add(ICE_CONTROLLING, &self.tie_breaker.to_be_bytes());
        message.add(ATTR_USE_CANDIDATE, &[]);
        MessageIntegrity::new_short_term_integrity_with_provider(self.pwd.clone(), self.provider.crypto()).add_to(&mut message)?;
        FINGERPRINT.add_to(&mut message)?;
        Ok(message.raw)
    }

    /// The answer to a check of the server's; `None` for anything else. Its integrity is not verified: it comes from where we send to.
    pub(super) fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        if datagram.len() < 20 || datagram[..2] != STUN_REQUEST {
            return None;
        }
        let mut message = Message::new();
        message.set_type(BINDING_SUCCESS);
        message.transaction_id = TransactionId(datagram[8..20].try_into().ok()?);
        message.write_header();
        XorMappedAddress { ip: self.server.ip(), port: self.server.port() }.add_to(&mut message).ok()?;
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(self.own_pwd.clone(), self.provider.crypto());
        integrity.add_to(&mut message).ok()?;
        FINGERPRINT.add_to(&mut message).ok()?;
        Some(message.raw)
    }
}

impl Link {
    /// Connects the socket to one of the server's media addresses.
    pub(super) async fn connect(identity: &Identity, socket: Socket, local: &LocalSide, remote: &RemoteSide) -> anyhow::Result<Self> {
        tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, Self::handshake(identity, socket, local, remote))
            .await
            .context("ICE or DTLS took too long")?
    }

    async fn handshake(identity: &Identity, mut socket: Socket, local: &LocalSide, remote: &RemoteSide) -> anyhow::Result<Self> {
        let first = *remote.addresses.first().context("the server names no address")?;
        let mut checks = Checks {
            provider: identity.provider.clone(),
            username: format!("{}:{}", remote.ufrag, local.ufrag),
            pwd: remote.pwd.clone(),
            own_pwd: local.pwd.clone(),
            server: first,
            // A server that offers is controlling as well, and the smaller one gives way (RFC 8445, section 7.3.1.1).
            tie_breaker: u64::MAX,
        };
        for &address in remote.addresses.iter().cycle() {
            checks.server = address;
            socket.connect(address).await?;
            match tokio::time::timeout(TRY, nominate(&mut socket, &checks)).await {
                Ok(nominated) => {
                    nominated?;
                    break;
                }
                Err(_) => tracing::debug!(%address, "no answer"),
            }
        }
        let (dtls, keys) = secure(identity, &mut socket, &checks, remote).await?;
        let context = |key: &[u8], salt: &[u8]| SrtpContext::new(key, salt, keys.profile, None, None, identity.provider.crypto());
        // Client key, server key, client salt, server salt (RFC 5764, section 4.2).
        let (key, salt) = keys.material.split_at(2 * KEY);
        let (client_salt, server_salt) = salt.split_at(salt.len() / 2);
        Ok(Self { socket, inbound: context(&key[KEY..], server_salt)?, outbound: context(&key[..KEY], client_salt)?, checks, dtls })
    }

    /// Renews consent (RFC 7675). The answer is not waited for.
    pub(super) async fn renew_consent(&mut self) -> anyhow::Result<()> {
        let request = self.checks.request()?;
        self.send(&request).await;
        Ok(())
    }

    /// Sends a datagram; a full socket buffer or a closed port is the same as loss.
    pub(super) async fn send(&mut self, datagram: &[u8]) {
        self.socket.send(datagram).await;
    }

    /// Seals and sends RTCP.
    pub(super) async fn send_rtcp(&mut self, compound: &[u8]) -> anyhow::Result<()> {
        let sealed = self.outbound.encrypt_rtcp(compound)?;
        self.send(&sealed).await;
        Ok(())
    }

    /// Says goodbye by DTLS close_notify.
    pub(super) async fn close(mut self) {
        if self.dtls.close(clock::now()).is_ok() {
            while let Some(transmit) = self.dtls.poll_transmit() {
                self.send(&transmit.message).await;
            }
        }
    }
}

/// Checks until one is answered.
async fn nominate(socket: &mut Socket, checks: &Checks) -> anyhow::Result<()> {
    let mut wait = Duration::from_millis(100);
    loop {
        let request = checks.request()?;
        socket.send(&request).await;
        let answered = async {
            loop {
                let mut found = None;
                for datagram in arrivals(socket).await {
                    if datagram.len() >= 20 && datagram[..2] == STUN_SUCCESS && datagram[8..20] == request[8..20] {
                        found = Some(datagram);
                    } else if let Some(answer) = checks.answer(&datagram) {
                        socket.send(&answer).await;
                    }
                }
                if let Some(found) = found {
                    return found;
                }
            }
        };
        if let Ok(answer) = tokio::time::timeout(wait, answered).await {
            let mut message = Message::new();
            message.unmarshal_binary(&answer)?;
            MessageIntegrity::check(&mut message, checks.pwd.as_bytes(), checks.provider.crypto())
                .context("the check's answer is forged")?;
            return Ok(());
        }
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}

/// The next datagrams; none when the socket reports a closed port, which is the same as silence.
async fn arrivals(socket: &mut Socket) -> Vec<Vec<u8>> {
    let mut arrived = Vec::new();
    if let Err(error) = socket.receive(|_, datagram| arrived.push(datagram.to_vec())).await {
        tracing::debug!(%error, "receiving");
    }
    arrived
}

/// What DTLS agreed on.
struct Keys {
    profile: ProtectionProfile,
    material: Vec<u8>,
}

/// The DTLS handshake.
async fn secure(identity: &Identity, socket: &mut Socket, checks: &Checks, remote: &RemoteSide) -> anyhow::Result<(Endpoint, Keys)> {
    let server = checks.server;
    let expected = remote.fingerprint.clone();
    let config = identity
        .config
        .clone()
        .with_crypto_provider(identity.provider.clone())
        .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
            Some(certificate) if fingerprint(certificate).eq_ignore_ascii_case(&expected) => Ok(()),
            _ => Err(RtcError::ErrNoCertificates),
        })))
        .build(true, None)?;
    let mut endpoint = Endpoint::new(server, TransportProtocol::UDP, None);
    endpoint.connect(clock::now(), server, Arc::new(config), None)?;
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            socket.send(&transmit.message).await;
        }
        let due = endpoint.poll_timeout(&server).unwrap_or_else(|| clock::now() + Duration::from_secs(1));
        let arrived = tokio::select! {
            arrived = arrivals(socket) => arrived,
            () = tokio::time::sleep_until(due.into()) => {
                endpoint.handle_timeout(server, clock::now())?;
                continue;
            }
        };
        for datagram in arrived {
            if let Some(answer) = checks.answer(&datagram) {
                socket.send(&answer).await;
            }
            if !matches!(datagram.first(), Some(20..=63)) {
                continue;
            }
            for event in endpoint.read(clock::now(), server, None, BytesMut::from(&datagram[..]))? {
                match event {
                    EndpointEvent::HandshakeComplete => {
                        while let Some(transmit) = endpoint.poll_transmit() {
                            socket.send(&transmit.message).await;
                        }
                        let keys = export(&endpoint, server)?;
                        return Ok((endpoint, keys));
                    }
                    EndpointEvent::PeerClosed => bail!("the server closed DTLS"),
                    _ => {}
                }
            }
        }
    }
}

fn export(endpoint: &Endpoint, server: SocketAddr) -> anyhow::Result<Keys> {
    let state = endpoint.get_connection_state(server).context("the handshake vanished")?;
    let (profile, salt) = match state.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => (ProtectionProfile::AeadAes128Gcm, 12),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => (ProtectionProfile::Aes128CmHmacSha1_80, 14),
        _ => bail!("the server agreed to no SRTP profile of ours"),
    };
    let material = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], 2 * (KEY + salt))?.as_ref().to_vec();
    ensure!(material.len() == 2 * (KEY + salt), "too little keying material");
    Ok(Keys { profile, material })
}
