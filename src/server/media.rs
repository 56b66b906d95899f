//! Starts and stops the media plane for the server: its certificate, its addresses, and whether it lives.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use metrics::{counter, gauge, histogram};

use crate::config::Config;
use crate::sfu::group_cache::Unfit;
use crate::sfu::latency::LatencyClasses;
use crate::sfu::resend::NotResent;
use crate::sfu::stats::{DropReason, ReplayCause, TcpEnd, WorkerSnapshot};
use crate::sfu::transport::certificate::{CertificateError, NodeCertificate};
use crate::sfu::{self, SfuConfig, SfuEvents, SfuHandle, SfuShutdown, StartError};
use crate::store::secret_file;
use crate::telemetry::{
    SFU_ADDRESS_CHANGES, SFU_BROADCASTS, SFU_BYTES_FORWARDED, SFU_BYTES_RECEIVED, SFU_EVENTS_DROPPED, SFU_FORWARDING, SFU_FRAMES_PACED,
    SFU_HANDSHAKES, SFU_KEYFRAME_REQUESTS, SFU_KEYFRAME_WISHES, SFU_MENDED_BY_REDUNDANCY, SFU_NACKS_SENT, SFU_NOT_RESENT,
    SFU_PACKETS_DROPPED, SFU_PACKETS_FORWARDED, SFU_PACKETS_RECEIVED, SFU_PACKETS_RETRANSMITTED, SFU_PADDING_BYTES, SFU_PADDING_PACKETS,
    SFU_PARITY, SFU_PEERS, SFU_PROBES, SFU_REDUNDANT, SFU_REPLAY_FALLBACKS, SFU_REPLAYS, SFU_RETRANSMITS_MISSED, SFU_SENDS,
    SFU_TCP_CONNECTIONS, SFU_TCP_ENDED,
};

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
    /// What the metrics know already of each worker's latencies.
    shown: Arc<Mutex<Vec<LatencyClasses>>>,
}

impl MediaPlane {
    pub(super) fn start(config: &Config) -> Result<(Self, SfuHandle, SfuEvents), MediaError> {
        let certificate = certificate(config)?;
        let (handle, events, workers) = sfu::start(&SfuConfig {
            workers: config.workers,
            first_port: config.media_port,
            tcp: config.media_tcp,
            bind_v4: config.media_v4,
            bind_v6: config.media_v6,
            announce: announced(config),
            advertise: config.advertise.clone(),
            certificate,
        })?;
        Ok((Self { handle: handle.clone(), workers: Arc::new(Mutex::new(Some(workers))), shown: Arc::default() }, handle, events))
    }

    /// Peers now, on all workers.
    pub(super) fn peers(&self) -> usize {
        self.handle.peers()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.workers.lock().expect("never poisoned: no panic while held").as_ref().is_some_and(SfuShutdown::is_alive)
    }

    /// Brings the metrics up to the workers' last snapshots, at most a second old.
    pub(super) fn show_counters(&self) {
        let mut shown = self.shown.lock().expect("never poisoned: no panic while held");
        let snapshots = self.handle.snapshots();
        shown.resize_with(snapshots.len(), LatencyClasses::default);
        for (worker, (snapshot, shown)) in snapshots.into_iter().zip(&mut *shown).enumerate() {
            show(worker.to_string(), &snapshot);
            let forwarding = histogram!(SFU_FORWARDING, "worker" => worker.to_string());
            for (bound, packets) in snapshot.latency.since(shown) {
                forwarding.record_many(bound.as_secs_f64(), packets as usize);
            }
            *shown = snapshot.latency;
        }
    }

    /// Closes every peer and waits for the workers' threads.
    pub(super) async fn stop(&self) {
        let workers = self.workers.lock().expect("never poisoned: no panic while held").take();
        if let Some(workers) = workers {
            workers.stop().await;
        }
    }
}

fn show(worker: String, snapshot: &WorkerSnapshot) {
    let counters = &snapshot.counters;
    gauge!(SFU_PEERS, "worker" => worker.clone()).set(snapshot.peers as f64);
    gauge!(SFU_BROADCASTS, "worker" => worker.clone()).set(snapshot.broadcasts as f64);
    gauge!(SFU_TCP_CONNECTIONS, "worker" => worker.clone()).set(snapshot.tcp_connections as f64);
    for (name, value) in [
        (SFU_PACKETS_RECEIVED, counters.packets_received),
        (SFU_BYTES_RECEIVED, counters.bytes_received),
        (SFU_PACKETS_FORWARDED, counters.packets_forwarded),
        (SFU_BYTES_FORWARDED, counters.bytes_forwarded),
        (SFU_SENDS, counters.sends),
        (SFU_PACKETS_RETRANSMITTED, counters.retransmitted),
        (SFU_RETRANSMITS_MISSED, counters.retransmit_missed),
        (SFU_PARITY, counters.parity_packets),
        (SFU_PROBES, counters.probes),
        (SFU_PADDING_PACKETS, counters.padding_packets),
        (SFU_PADDING_BYTES, counters.padding_bytes),
        (SFU_FRAMES_PACED, counters.paced_frames),
        (SFU_NACKS_SENT, counters.nacks_to_publishers),
        (SFU_MENDED_BY_REDUNDANCY, counters.mended_by_redundancy),
        (SFU_REDUNDANT, counters.redundant),
        (SFU_KEYFRAME_REQUESTS, counters.keyframe_requests),
        (SFU_KEYFRAME_WISHES, counters.keyframe_wishes),
        (SFU_ADDRESS_CHANGES, counters.address_changes),
        (SFU_EVENTS_DROPPED, counters.events_dropped),
    ] {
        counter!(name, "worker" => worker.clone()).absolute(value);
    }
    for (result, value) in [("ok", counters.handshakes_completed), ("failed", counters.handshakes_failed)] {
        counter!(SFU_HANDSHAKES, "worker" => worker.clone(), "result" => result).absolute(value);
    }
    for why in NotResent::ALL {
        counter!(SFU_NOT_RESENT, "worker" => worker.clone(), "reason" => why.label()).absolute(counters.not_resent[why as usize]);
    }
    for cause in ReplayCause::ALL {
        counter!(SFU_REPLAYS, "worker" => worker.clone(), "cause" => cause.label()).absolute(counters.replays[cause as usize]);
    }
    for why in Unfit::ALL {
        counter!(SFU_REPLAY_FALLBACKS, "worker" => worker.clone(), "reason" => why.label())
            .absolute(counters.replay_fallbacks[why as usize]);
    }
    for end in TcpEnd::ALL {
        counter!(SFU_TCP_ENDED, "worker" => worker.clone(), "reason" => end.label()).absolute(snapshot.tcp_ended[end as usize]);
    }
    for reason in DropReason::ALL {
        counter!(SFU_PACKETS_DROPPED, "worker" => worker.clone(), "reason" => reason.label()).absolute(counters.dropped[reason as usize]);
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
