//! Starts the workers and stops them again.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::Rng;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::sfu::engine::{Engine, EngineConfig};
use crate::sfu::handle::{SfuEvents, SfuHandle};
use crate::sfu::pool::{Pool, WorkerSlot};
use crate::sfu::stats::WorkerSnapshot;
use crate::sfu::tcp::{self, TcpConnections};
use crate::sfu::transport::certificate::NodeCertificate;
use crate::sfu::udp::{self, UdpSockets};
use crate::sfu::worker::{self, Links, Sockets};

const UDP: &str = "UDP";
const TCP: &str = "TCP";

/// How the media plane is set up.
#[derive(Debug, Clone)]
pub struct SfuConfig {
    /// 1 to `limits::WORKERS_MAX`.
    pub workers: u8,
    /// Worker `i` takes `first_port + i`. 0: the system chooses each port (tests).
    pub first_port: u16,
    /// Each worker listens on TCP too, at the same port number, and its candidates say so.
    pub tcp: bool,
    pub bind_v4: Option<Ipv4Addr>,
    pub bind_v6: Option<Ipv6Addr>,
    /// Addresses that candidates name: the public ones behind 1:1 NAT. Empty: this host's own.
    pub announce: Vec<IpAddr>,
    /// Where candidates name worker 0, and worker `i` at this port plus `i`: a relay, or a router that changes port numbers. When there are
    /// any, `announce` is not named.
    pub advertise: Vec<SocketAddr>,
    pub certificate: NodeCertificate,
}

/// Why the media plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("worker {worker} cannot bind {transport} {address}: {source}")]
    Bind { worker: u8, transport: &'static str, address: SocketAddr, source: io::Error },
    #[error("neither an IPv4 nor an IPv6 address to bind")]
    NoAddress,
    #[error("no thread for worker {worker}: {source}")]
    Thread { worker: u8, source: io::Error },
}

/// Stops the workers: each closes its peers' DTLS, then its thread ends.
#[derive(Debug)]
pub struct SfuShutdown {
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl SfuShutdown {
    /// Tells every worker to stop and waits for the threads.
    pub async fn stop(self) {
        self.stop.cancel();
        let join = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                if thread.join().is_err() {
                    tracing::error!("a media worker panicked");
                }
            }
        });
        drop(join.await);
    }

    /// Whether every worker thread still runs.
    pub fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }
}

/// Binds every worker's sockets and starts its thread.
///
/// # Errors
/// See [`StartError`]; nothing keeps running then.
#[expect(clippy::disallowed_methods, reason = "the shell pairs the two clocks once")]
pub fn start(config: &SfuConfig) -> Result<(SfuHandle, SfuEvents, SfuShutdown), StartError> {
    if config.bind_v4.is_none() && config.bind_v6.is_none() {
        return Err(StartError::NoAddress);
    }
    let announce = if config.announce.is_empty() { udp::local_addresses() } else { config.announce.clone() };
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0);
    let epoch = (Instant::now(), unix_ms);

    let mut bound = Vec::new();
    for worker in 0..config.workers {
        bound.push(bind_worker(config, worker)?);
    }
    let (events_in, events) = mpsc::channel(limits::EVENT_QUEUE);
    let (command_senders, command_receivers): (Vec<_>, Vec<_>) = bound.iter().map(|_| mpsc::channel(limits::COMMAND_QUEUE)).unzip();
    let (handover_senders, handover_receivers): (Vec<_>, Vec<_>) = bound.iter().map(|_| mpsc::channel(limits::HANDOVER_QUEUE)).unzip();
    let (snapshots, shown): (Vec<_>, Vec<_>) = bound.iter().map(|_| watch::channel(WorkerSnapshot::default())).unzip();
    let slots = command_senders.into_iter().zip(shown).map(|(commands, snapshot)| WorkerSlot::new(commands, snapshot));
    let pool = Arc::new(Pool::new(slots.collect()));
    let stop = CancellationToken::new();
    let mut threads = Vec::new();
    let inbound = command_receivers.into_iter().zip(handover_receivers).zip(snapshots);
    for (worker, (bound, ((commands, handovers_in), snapshot))) in bound.into_iter().zip(inbound).enumerate() {
        let worker = worker as u8;
        let engine = Engine::new(EngineConfig {
            worker,
            certificate: config.certificate.clone(),
            candidates: candidates(config, &announce, worker, bound.port),
            epoch,
            seed: rand::rng().random(),
        });
        let links = Links {
            commands,
            events: events_in.clone(),
            handovers_in,
            handovers_out: handover_senders.clone(),
            pool: Arc::downgrade(&pool),
            snapshot,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name(format!("sfu-{worker}")).spawn(move || thread_main(engine, bound, links));
        threads.push(thread.map_err(|source| StartError::Thread { worker, source })?);
    }
    Ok((SfuHandle { pool }, events, SfuShutdown { stop, threads }))
}

/// One worker's sockets, all on one port.
struct Bound {
    v4: Option<std::net::UdpSocket>,
    v6: Option<std::net::UdpSocket>,
    listeners: Vec<std::net::TcpListener>,
    port: u16,
}

fn bind_worker(config: &SfuConfig, worker: u8) -> Result<Bound, StartError> {
    if config.first_port != 0 {
        return bind_port(config, worker, config.first_port + u16::from(worker));
    }
    // A port that the system chooses is free for UDP and may be taken for TCP.
    let is_taken = |outcome: &Result<Bound, StartError>| matches!(outcome, Err(StartError::Bind { transport: TCP, source, .. }) if source.kind() == io::ErrorKind::AddrInUse);
    let mut outcome = bind_port(config, worker, 0);
    for _ in 1..limits::PORT_ATTEMPTS {
        if !is_taken(&outcome) {
            break;
        }
        outcome = bind_port(config, worker, 0);
    }
    outcome
}

fn bind_port(config: &SfuConfig, worker: u8, port: u16) -> Result<Bound, StartError> {
    let bind = |address: SocketAddr| udp::bind(address).map_err(|source| StartError::Bind { worker, transport: UDP, address, source });
    let v4 = config.bind_v4.map(|ip| bind((ip, port).into())).transpose()?;
    let port = v4.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(port, |address| address.port());
    let v6 = match config.bind_v6.map(|ip| bind((ip, port).into())) {
        // A host without IPv6 is served over IPv4.
        Some(Err(error)) if v4.is_some() => {
            tracing::warn!(%error, "no IPv6 for this worker");
            None
        }
        other => other.transpose()?,
    };
    let port = v6.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(port, |address| address.port());
    let addresses = [&v4, &v6].into_iter().flatten().filter_map(|socket| socket.local_addr().ok()).filter(|_| config.tcp);
    let listen = |address: SocketAddr| tcp::listen(address).map_err(|source| StartError::Bind { worker, transport: TCP, address, source });
    let listeners = addresses.map(listen).collect::<Result<_, _>>()?;
    Ok(Bound { v4, v6, listeners, port })
}

/// Host candidates (RFC 8839 section 5.1), the most useful first: UDP, and behind it the same addresses by TCP (RFC 6544 section 4.5), whose
/// priorities are below those of every UDP candidate. They are passive: the client connects.
fn candidates(config: &SfuConfig, announce: &[IpAddr], worker: u8, port: u16) -> Vec<String> {
    let advertised = config.advertise.iter().map(|first| SocketAddr::new(first.ip(), first.port().saturating_add(worker.into())));
    let usable = announce.iter().filter(|address| match address {
        IpAddr::V4(v4) => config.bind_v4.is_some_and(|bound| bound.is_unspecified() || bound == *v4 || !config.announce.is_empty()),
        IpAddr::V6(v6) => config.bind_v6.is_some_and(|bound| bound.is_unspecified() || bound == *v6 || !config.announce.is_empty()),
    });
    let own = usable.map(|address| SocketAddr::new(*address, port)).filter(|_| config.advertise.is_empty());
    let addresses: Vec<SocketAddr> = advertised.chain(own).take(limits::CANDIDATES_MAX).collect();
    let udp = addresses.iter().enumerate().map(|(index, address)| {
        // Type preference 126 (host), then by order (RFC 8445 section 5.1.2.1).
        let priority = (126u32 << 24) + ((65_535 - index as u32) << 8) + 255;
        format!("candidate:{} 1 udp {priority} {} {} typ host", index + 1, address.ip(), address.port())
    });
    let tcp = addresses.iter().enumerate().filter(|_| config.tcp).map(|(index, address)| {
        // Type preference 90, as browsers give host candidates by TCP; direction preference 4 (passive), then by order (RFC 6544 section 4.2).
        let priority = (90u32 << 24) + (((4 << 13) + 8191 - index as u32) << 8) + 255;
        let foundation = addresses.len() + index + 1;
        format!("candidate:{foundation} 1 tcp {priority} {} {} typ host tcptype passive", address.ip(), address.port())
    });
    udp.chain(tcp).collect()
}

fn thread_main(engine: Engine, bound: Bound, links: Links) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "no runtime for a media worker"),
    };
    runtime.block_on(async move {
        let udp = UdpSockets::new(bound.v4, bound.v6);
        match udp.and_then(|udp| Ok(Sockets { udp, tcp: TcpConnections::new(bound.listeners)? })) {
            Ok(sockets) => worker::run(engine, sockets, links).await,
            Err(error) => tracing::error!(%error, "a media worker cannot use its sockets"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_addresses_replace_all_others_and_count_with_the_workers() {
        let mut config = SfuConfig {
            workers: 2,
            first_port: 7900,
            tcp: false,
            bind_v4: Some(Ipv4Addr::UNSPECIFIED),
            bind_v6: None,
            announce: vec![IpAddr::from([203, 0, 113, 7])],
            advertise: Vec::new(),
            certificate: NodeCertificate::generate().unwrap(),
        };
        let named = |config: &SfuConfig| candidates(config, &config.announce, 1, 7901);
        assert_eq!(named(&config), ["candidate:1 1 udp 2130706431 203.0.113.7 7901 typ host"]);
        config.advertise = vec!["198.51.100.1:40000".parse().unwrap(), "[2001:db8::7]:40000".parse().unwrap()];
        assert_eq!(
            named(&config),
            ["candidate:1 1 udp 2130706431 198.51.100.1 40001 typ host", "candidate:2 1 udp 2130706175 2001:db8::7 40001 typ host"]
        );
        config.tcp = true;
        assert_eq!(
            named(&config)[2..],
            [
                "candidate:3 1 tcp 1520435199 198.51.100.1 40001 typ host tcptype passive",
                "candidate:4 1 tcp 1520434943 2001:db8::7 40001 typ host tcptype passive"
            ]
        );
    }
}
