//! TLS from files, or from a certificate made here and kept in the data directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;
use crate::store::secret_file;

/// In every self-signed certificate.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what} {} cannot be read: {source}", path.display())]
    Pem { what: &'static str, path: PathBuf, source: pem::Error },
    #[error("there is no certificate in {}", path.display())]
    NoCertificate { path: PathBuf },
    #[error("certificate and key do not work together: {0}")]
    Mismatch(#[from] rustls::Error),
    #[error("no certificate can be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the certificate {} cannot be kept: {source}", path.display())]
    Keep { path: PathBuf, source: io::Error },
}

/// The acceptor that a configuration asks for, if any.
///
/// # Errors
/// [`TlsError`].
pub(super) fn acceptor(tls: &Tls, data_dir: &Path) -> Result<Option<TlsAcceptor>, TlsError> {
    let (cert, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::Files { cert, key } => (cert.clone(), key.clone()),
        Tls::SelfSigned { sans } => {
            let path = self_signed(sans, data_dir)?;
            (path.clone(), path)
        }
    };
    let chain = CertificateDer::pem_file_iter(&cert).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|source| TlsError::Pem {
        what: "the certificate",
        path: cert.clone(),
        source,
    })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: cert });
    }
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|source| TlsError::Pem { what: "the private key", path: key, source })?;
    // Named, because another crate of the program may bring a second provider.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// One PEM file with certificate and key per set of names, so that a browser's exception stays good across restarts and a changed set of
/// names gets a new certificate.
fn self_signed(sans: &[String], data_dir: &Path) -> Result<PathBuf, TlsError> {
    let mut names: Vec<String> = LOCAL_NAMES.iter().map(|&name| name.to_owned()).chain(sans.iter().cloned()).collect();
    names.sort();
    names.dedup();
    let digest = ring::digest::digest(&ring::digest::SHA256, names.join("\n").as_bytes());
    let short: String = digest.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = data_dir.join(format!("tls-self-signed-{short}.pem"));
    if !path.exists() {
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(rcgen::DnType::CommonName, "Courtside (self-signed)");
        let pem = params.self_signed(&pair)?.pem() + &pair.serialize_pem();
        secret_file::load_or_make(&path, || Ok(pem.into_bytes())).map_err(|source| TlsError::Keep { path: path.clone(), source })?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_is_kept_and_follows_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let tls = |sans: &[&str]| Tls::SelfSigned { sans: sans.iter().map(|&san| san.to_owned()).collect() };
        assert!(acceptor(&tls(&["example.org", "10.0.0.1"]), dir.path()).unwrap().is_some());
        let first = self_signed(&["example.org".into(), "10.0.0.1".into()], dir.path()).unwrap();
        let kept = std::fs::read(&first).unwrap();
        assert_eq!(self_signed(&["10.0.0.1".into(), "example.org".into()], dir.path()).unwrap(), first);
        assert_eq!(std::fs::read(&first).unwrap(), kept);
        assert_ne!(self_signed(&[], dir.path()).unwrap(), first);
    }

    #[test]
    fn files_are_named_when_they_are_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let good = self_signed(&[], dir.path()).unwrap();
        let files = |cert: &Path, key: &Path| acceptor(&Tls::Files { cert: cert.into(), key: key.into() }, dir.path()).map(|_| ());
        assert!(files(&good, &good).is_ok());
        let missing = dir.path().join("missing.pem");
        assert!(files(&missing, &good).unwrap_err().to_string().contains("missing.pem"));
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        assert!(matches!(files(&empty, &good), Err(TlsError::NoCertificate { .. })));
        assert!(matches!(files(&good, &empty), Err(TlsError::Pem { what: "the private key", .. })));
    }
}
