//! The node's certificate, and fingerprints as SDP carries them (RFC 8122): in WebRTC no chain is checked, the fingerprint is (RFC 5763
//! section 5).

use std::fmt;
use std::sync::Arc;

use ring::digest;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SignatureScheme, default_provider};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::error::Error as RtcError;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::dtls::DtlsRole;
use super::srtp::SrtpProfile;

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
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    /// Complete but for the SRTP profiles and the check of the other side's certificate.
    pub(super) config: ConfigBuilder,
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

    /// The configuration of one handshake: our side, the profiles that we offer or take, best first, and whose certificate is expected.
    pub(super) fn handshake(&self, role: DtlsRole, profiles: &[SrtpProfile], expected: &Fingerprint) -> Result<HandshakeConfig, RtcError> {
        let profiles = profiles.iter().map(|profile| match profile {
            SrtpProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProfile::Aes128CmSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        });
        let expected = expected.clone();
        self.shared
            .config
            .clone()
            .with_crypto_provider(self.shared.provider.clone())
            .with_srtp_protection_profiles(profiles.collect())
            .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
                Some(certificate) if expected.matches(certificate) => Ok(()),
                _ => Err(RtcError::ErrNoCertificates),
            })))
            .build(role == DtlsRole::Active, None)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_survives_its_pem() {
        let certificate = NodeCertificate::generate().unwrap();
        let read = NodeCertificate::from_pem(&certificate.to_pem()).unwrap();
        assert_eq!(read.fingerprint(), certificate.fingerprint());
        assert!(NodeCertificate::from_pem("").is_err());
        assert!(NodeCertificate::from_pem(&certificate.to_pem().replace("PRIVATE KEY", "PUBLIC KEY")).is_err());
    }

    #[test]
    fn fingerprints_are_read_as_sdp_writes_them() {
        let fingerprint = NodeCertificate::generate().unwrap().fingerprint();
        let text = fingerprint.to_string();
        assert!(text.starts_with("sha-256 ") && text.len() == 8 + 32 * 3 - 1);
        assert_eq!(Fingerprint::parse(&text), Some(fingerprint.clone()));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()), Some(fingerprint));
        let sha512 = format!("SHA-512 {}", ["0a"; 64].join(":"));
        assert!(Fingerprint::parse(&sha512).is_some());
        for wrong in ["", "sha-256", "sha-256 AA", "sha-1 AA:BB", &text[..text.len() - 1], &format!("{text}:00"), "sha-256 +1:+2"] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
