//! Starts and stops the media plane for the server: its certificate, its addresses, and whether it lives.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::config::Config;
use crate::sfu::transport::dtls::{CertificateError, NodeCertificate};
use crate::sfu::{self, SfuConfig, SfuEvents, SfuHandle, SfuShutdown, StartError};
use crate::store::secret_file;

/// The node's DTLS certificate in the data directory: kept, so that browsers that come back meet the same node.
const CERTIFICATE_FILE: &str = "dtls.pem";

/// Why there is no media plane.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("the DTLS certificate {} cannot be read or written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the DTLS certificate {} cannot be used (remove it and a new one is made): {source}", path.display())]
    Certificate { path: PathBuf, source: CertificateError },
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The running workers.
#[derive(Debug, Clone)]
pub(super) struct MediaPlane {
    handle: SfuHandle,
    /// Empty once stopped.
    workers: Arc<Mutex<Option<SfuShutdown>>>,
}

impl MediaPlane {
    pub(super) fn start(config: &Config) -> Result<(Self, SfuHandle, SfuEvents), MediaError> {
        let certificate = certificate(config)?;
        let (handle, events, workers) = sfu::start(&SfuConfig {
            workers: config.workers,
            first_port: config.media_port,
            bind_v4: config.media_v4,
            bind_v6: config.media_v6,
            announce: announced(config),
            certificate,
        })?;
        Ok((Self { handle: handle.clone(), workers: Arc::new(Mutex::new(Some(workers))) }, handle, events))
    }

    pub(super) fn is_alive(&self) -> bool {
        self.workers.lock().expect("never poisoned: no panic while held").as_ref().is_some_and(SfuShutdown::is_alive)
    }

    pub(super) fn peers(&self) -> usize {
        self.handle.peers()
    }

    /// Closes every peer and waits for the workers' threads.
    pub(super) async fn stop(&self) {
        let workers = self.workers.lock().expect("never poisoned: no panic while held").take();
        if let Some(workers) = workers {
            workers.stop().await;
        }
    }
}

fn certificate(config: &Config) -> Result<NodeCertificate, MediaError> {
    let path = config.data_dir.join(CERTIFICATE_FILE);
    let make = || NodeCertificate::generate().map(|made| made.to_pem().into_bytes()).map_err(io::Error::other);
    let pem = secret_file::load_or_make(&path, make).map_err(|source| MediaError::File { path: path.clone(), source })?;
    NodeCertificate::from_pem(&String::from_utf8_lossy(&pem)).map_err(|source| MediaError::Certificate { path, source })
}

/// What candidates name: the public addresses, else those bound where they are particular ones, else (empty) all of this host's.
fn announced(config: &Config) -> Vec<IpAddr> {
    if !config.public_ips.is_empty() {
        return config.public_ips.clone();
    }
    let bound = [config.media_v4.map(IpAddr::V4), config.media_v6.map(IpAddr::V6)];
    if bound.iter().flatten().any(IpAddr::is_unspecified) { Vec::new() } else { bound.into_iter().flatten().collect() }
}
