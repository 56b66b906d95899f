//! One client transport on its own UDP socket: ICE (controlling, full), DTLS (client), SRTP keys. The counterpart of the server's
//! `sfu::transport`, written on the sub-crates so that it checks the server and not a shared mistake.
//! Invariant: `connect` returns only after a check was answered and the server's certificate matched its answer's fingerprint.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
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
use rtc_stun::message::{BINDING_REQUEST, Message, Setter};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::UdpSocket;

use super::clock;
use super::signaling::{LocalSide, RemoteSide};
use crate::limits::LOADGEN_CONNECT_TIMEOUT;

const PRIORITY: AttrType = AttrType(0x24);
const ICE_CONTROLLING: AttrType = AttrType(0x802a);
const STUN_SUCCESS: [u8; 2] = [0x01, 0x01];
const KEY: usize = 16;
const SALT: usize = 12;

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
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true);
        Ok(Self { provider, config, fingerprint })
    }

    /// New ICE credentials with this certificate.
    pub(super) fn local_side(&self) -> LocalSide {
        let mut rng = rand::rng();
        let mut text = |length: usize| (0..length).map(|_| rng.sample(rand::distr::Alphanumeric) as char).collect::<String>();
        LocalSide { ufrag: text(8), pwd: text(24), fingerprint: self.fingerprint.clone() }
    }
}

fn fingerprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

/// A connected transport.
pub(super) struct Link {
    pub(super) socket: UdpSocket,
    /// For packets from the server.
    pub(super) inbound: SrtpContext,
    /// For packets to the server.
    pub(super) outbound: SrtpContext,
    checks: Checks,
    /// Kept for its answer to a repeated flight and for saying goodbye.
    dtls: Endpoint,
}

/// Builds connectivity checks.
struct Checks {
    provider: Arc<dyn RTCCryptoProvider>,
    username: String,
    pwd: String,
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
}

impl Link {
    /// Connects a fresh socket to the server's media address.
    pub(super) async fn connect(identity: &Identity, local: &LocalSide, remote: &RemoteSide) -> anyhow::Result<Self> {
        tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, Self::handshake(identity, local, remote))
            .await
            .context("ICE or DTLS took too long")?
    }

    async fn handshake(identity: &Identity, local: &LocalSide, remote: &RemoteSide) -> anyhow::Result<Self> {
        let any: SocketAddr = if remote.address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any).await.context("cannot open a socket (is the open-files limit high enough?)")?;
        socket.connect(remote.address).await?;
        let checks = Checks {
            provider: identity.provider.clone(),
            username: format!("{}:{}", remote.ufrag, local.ufrag),
            pwd: remote.pwd.clone(),
            tie_breaker: rand::random(),
        };
        nominate(&socket, &checks).await?;
        let (dtls, keys) = secure(identity, &socket, remote).await?;
        let context =
            |key: &[u8], salt: &[u8]| SrtpContext::new(key, salt, ProtectionProfile::AeadAes128Gcm, None, None, identity.provider.crypto());
        // Client key, server key, client salt, server salt (RFC 5764, section 4.2).
        let (client_key, server_key) = (&keys[..KEY], &keys[KEY..2 * KEY]);
        let (client_salt, server_salt) = (&keys[2 * KEY..2 * KEY + SALT], &keys[2 * KEY + SALT..]);
        Ok(Self { socket, inbound: context(server_key, server_salt)?, outbound: context(client_key, client_salt)?, checks, dtls })
    }

    /// Renews consent (RFC 7675). The answer is not waited for.
    pub(super) async fn renew_consent(&mut self) -> anyhow::Result<()> {
        let request = self.checks.request()?;
        self.send(&request).await;
        Ok(())
    }

    /// Sends a datagram; a full socket buffer or a closed port is the same as loss.
    pub(super) async fn send(&mut self, datagram: &[u8]) {
        if let Err(error) = self.socket.send(datagram).await {
            tracing::trace!(%error, "sending");
        }
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
async fn nominate(socket: &UdpSocket, checks: &Checks) -> anyhow::Result<()> {
    let mut buffer = [0; 2048];
    let mut wait = Duration::from_millis(100);
    loop {
        let request = checks.request()?;
        // A refused port is reported on the next call: the same as no answer.
        let _ = socket.send(&request).await;
        let answered = async {
            loop {
                let length = socket.recv(&mut buffer).await.unwrap_or(0);
                if length >= 20 && buffer[..2] == STUN_SUCCESS && buffer[8..20] == request[8..20] {
                    return buffer[..length].to_vec();
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

/// The DTLS handshake; returns the exported keying material.
async fn secure(identity: &Identity, socket: &UdpSocket, remote: &RemoteSide) -> anyhow::Result<(Endpoint, Vec<u8>)> {
    let server = remote.address;
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
    let mut endpoint = Endpoint::new(socket.local_addr()?, TransportProtocol::UDP, None);
    endpoint.connect(clock::now(), server, Arc::new(config), None)?;
    let mut buffer = vec![0; 4096];
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            let _ = socket.send(&transmit.message).await;
        }
        let due = endpoint.poll_timeout(&server).unwrap_or_else(|| clock::now() + Duration::from_secs(1));
        let length = tokio::select! {
            length = socket.recv(&mut buffer) => length.unwrap_or(0),
            () = tokio::time::sleep_until(due.into()) => {
                endpoint.handle_timeout(server, clock::now())?;
                continue;
            }
        };
        if length == 0 || !(20..64).contains(&buffer[0]) {
            continue;
        }
        for event in endpoint.read(clock::now(), server, None, BytesMut::from(&buffer[..length]))? {
            match event {
                EndpointEvent::HandshakeComplete => {
                    while let Some(transmit) = endpoint.poll_transmit() {
                        let _ = socket.send(&transmit.message).await;
                    }
                    let state = endpoint.get_connection_state(server).context("the handshake vanished")?;
                    let keys = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], 2 * (KEY + SALT))?.as_ref().to_vec();
                    ensure!(keys.len() == 2 * (KEY + SALT), "too little keying material");
                    return Ok((endpoint, keys));
                }
                EndpointEvent::PeerClosed => bail!("the server closed DTLS"),
                _ => {}
            }
        }
    }
}
