//! The relay: sockets and time around the model. It forwards datagrams between clients and a server, each client from a source port of its
//! own, and lets each direction be as bad as its script says.
//!
//! It understands nothing of what it carries. Invariant: what waits in it is bounded (`limits::LINKSIM_*`); what finds no room is dropped
//! and counted as overflowed. Delays are kept to the millisecond.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use super::model::Fate;
use super::script::{Direction, Script, ScriptedLink};
use crate::limits::{LINKSIM_DATAGRAM_BYTES, LINKSIM_DELAY_BUCKETS, LINKSIM_IN_FLIGHT_MAX, LINKSIM_INBOX};

/// What to relay, and how badly.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Where clients send to: the first of `ports` ports. Port 0: any free one (only with one port).
    pub listen: SocketAddr,
    /// The server's first port.
    pub to: SocketAddr,
    /// Ports in a row: one for each worker of the server.
    pub ports: u16,
    pub up: Script,
    pub down: Script,
    /// All clients share one link each way, instead of having their own.
    pub shared: bool,
    /// Clients at once; further ones are not served.
    pub flows_max: usize,
    /// A client that is silent for this long is forgotten, as a NAT does.
    pub idle: Duration,
    pub seed: u64,
}

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    listening: Vec<SocketAddr>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// The counts of one direction, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DirectionCounts {
    pub packets: u64,
    pub bytes: u64,
    /// By the model of loss, or because the path was cut.
    pub lost: u64,
    /// No room in the queue.
    pub overflowed: u64,
    /// From entering to leaving the link, of what passed.
    pub delay_mean_ms: f64,
    pub delay_p95_ms: f64,
    pub delay_max_ms: f64,
}

/// All counts, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Snapshot {
    pub elapsed_s: f64,
    /// Clients now.
    pub flows: u64,
    pub flows_total: u64,
    /// For want of room.
    pub flows_refused: u64,
    pub up: DirectionCounts,
    pub down: DirectionCounts,
}

#[derive(Debug)]
struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
    passed: AtomicU64,
    delay_us: AtomicU64,
    delay_us_max: AtomicU64,
    /// How many took so many milliseconds.
    delays_ms: Box<[AtomicU64; LINKSIM_DELAY_BUCKETS]>,
}

impl Counters {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            packets: zero(),
            bytes: zero(),
            lost: zero(),
            overflowed: zero(),
            passed: zero(),
            delay_us: zero(),
            delay_us_max: zero(),
            delays_ms: Box::new([const { AtomicU64::new(0) }; LINKSIM_DELAY_BUCKETS]),
        }
    }

    fn delayed(&self, delay_us: u64) {
        self.passed.fetch_add(1, Relaxed);
        self.delay_us.fetch_add(delay_us, Relaxed);
        self.delay_us_max.fetch_max(delay_us, Relaxed);
        self.delays_ms[(delay_us / 1000).min(LINKSIM_DELAY_BUCKETS as u64 - 1) as usize].fetch_add(1, Relaxed);
    }

    /// The delay, to the millisecond, that this share of what passed did not exceed.
    fn delay_quantile_ms(&self, share: f64) -> f64 {
        let counts: Vec<u64> = self.delays_ms.iter().map(|count| count.load(Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut below = 0;
        let bucket = counts.iter().position(|count| {
            below += count;
            below >= wanted.max(1)
        });
        bucket.map_or(0.0, |ms| ms as f64)
    }

    fn read(&self) -> DirectionCounts {
        let passed = self.passed.load(Relaxed).max(1);
        DirectionCounts {
            delay_p95_ms: self.delay_quantile_ms(0.95),
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            lost: self.lost.load(Relaxed),
            overflowed: self.overflowed.load(Relaxed),
            delay_mean_ms: (self.delay_us.load(Relaxed) / passed) as f64 / 1e3,
            delay_max_ms: self.delay_us_max.load(Relaxed) as f64 / 1e3,
        }
    }
}

/// What every flow needs.
#[derive(Debug)]
struct Shared {
    options: RelayOptions,
    start: Instant,
    seeds: Mutex<StdRng>,
    /// The one pair of links when all clients share it.
    common: Option<[Arc<Mutex<ScriptedLink>>; 2]>,
    up: Counters,
    down: Counters,
    flows: AtomicU64,
    flows_total: AtomicU64,
    flows_refused: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "the relay works in real time")]
fn now() -> Instant {
    Instant::now()
}

impl Shared {
    fn new_links(options: &RelayOptions, start: Instant, rng: &mut StdRng) -> [Arc<Mutex<ScriptedLink>>; 2] {
        [&options.up, &options.down].map(|script| Arc::new(Mutex::new(ScriptedLink::new(start, script.clone(), rng.random()))))
    }

    /// The links of a new client: up, down.
    fn links(&self) -> [Arc<Mutex<ScriptedLink>>; 2] {
        self.common.clone().unwrap_or_else(|| {
            let mut rng = self.seeds.lock().expect("nothing panics while it draws");
            Self::new_links(&self.options, self.start, &mut rng)
        })
    }

    fn counters(&self, direction: Direction) -> &Counters {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

/// Binds the ports and begins to relay.
///
/// # Errors
/// A port is taken.
pub async fn run(options: &RelayOptions) -> io::Result<Relay> {
    let start = now();
    let mut rng = StdRng::seed_from_u64(options.seed);
    let common = options.shared.then(|| Shared::new_links(options, start, &mut rng));
    let shared = Arc::new(Shared {
        options: options.clone(),
        start,
        seeds: Mutex::new(rng),
        common,
        up: Counters::new(),
        down: Counters::new(),
        flows: AtomicU64::new(0),
        flows_total: AtomicU64::new(0),
        flows_refused: AtomicU64::new(0),
    });
    let mut relay = Relay { listening: Vec::new(), shared, stop: CancellationToken::new(), tasks: JoinSet::new() };
    for index in 0..options.ports {
        let at = |base: SocketAddr| SocketAddr::new(base.ip(), if base.port() == 0 { 0 } else { base.port().saturating_add(index) });
        let socket = Arc::new(UdpSocket::bind(at(options.listen)).await?);
        relay.listening.push(socket.local_addr()?);
        relay.tasks.spawn(accept(relay.shared.clone(), socket, at(options.to), relay.stop.clone()));
    }
    Ok(relay)
}

impl Relay {
    /// The ports that clients send to.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// The counts so far.
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.shared;
        Snapshot {
            elapsed_s: shared.start.elapsed().as_secs_f64(),
            flows: shared.flows.load(Relaxed),
            flows_total: shared.flows_total.load(Relaxed),
            flows_refused: shared.flows_refused.load(Relaxed),
            up: shared.up.read(),
            down: shared.down.read(),
        }
    }

    /// Stops relaying; what is on its way is lost.
    pub async fn stop(mut self) -> Snapshot {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.snapshot()
    }
}

/// One media port: hands each datagram to its client's flow.
async fn accept(shared: Arc<Shared>, front: Arc<UdpSocket>, to: SocketAddr, stop: CancellationToken) {
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut buffer = vec![0; LINKSIM_DATAGRAM_BYTES];
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => flows.retain(|_, inbox| !inbox.is_closed()),
            received = front.recv_from(&mut buffer) => {
                let Ok((length, client)) = received else { continue };
                let mut datagram = buffer[..length].to_vec();
                if let Some(inbox) = flows.get(&client) {
                    match inbox.try_send(datagram) {
                        Ok(()) => continue,
                        Err(mpsc::error::TrySendError::Full(_)) => {
                            shared.up.overflowed.fetch_add(1, Relaxed);
                            continue;
                        }
                        // It had fallen silent, and now it speaks again.
                        Err(mpsc::error::TrySendError::Closed(back)) => datagram = back,
                    }
                }
                if shared.flows.load(Relaxed) >= shared.options.flows_max as u64 {
                    shared.flows_refused.fetch_add(1, Relaxed);
                    continue;
                }
                match dial(to).await {
                    Ok(back) => {
                        let (inbox, outlet) = mpsc::channel(LINKSIM_INBOX);
                        let _ = inbox.try_send(datagram);
                        flows.insert(client, inbox);
                        shared.flows.fetch_add(1, Relaxed);
                        shared.flows_total.fetch_add(1, Relaxed);
                        let flow = Flow::new(shared.clone(), front.clone(), client, back);
                        tasks.spawn(flow.run(outlet, stop.clone()));
                    }
                    Err(error) => tracing::warn!(%client, %error, "no socket for a client"),
                }
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// A socket towards the server.
async fn dial(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// One client.
struct Flow {
    shared: Arc<Shared>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    back: UdpSocket,
    links: [Arc<Mutex<ScriptedLink>>; 2],
    in_flight: InFlight<(Direction, Vec<u8>)>,
}

impl Flow {
    fn new(shared: Arc<Shared>, front: Arc<UdpSocket>, client: SocketAddr, back: UdpSocket) -> Self {
        let links = shared.links();
        Self { shared, front, client, back, links, in_flight: InFlight::default() }
    }

    async fn run(mut self, mut outlet: mpsc::Receiver<Vec<u8>>, stop: CancellationToken) {
        tracing::info!(client = %self.client, "a client comes");
        let mut buffer = vec![0; LINKSIM_DATAGRAM_BYTES];
        let mut idle_at = now() + self.shared.options.idle;
        loop {
            let due = self.in_flight.next_at().map_or(idle_at, |at| at.min(idle_at));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(due.into()) => {
                    self.deliver().await;
                    if now() >= idle_at {
                        break;
                    }
                }
                datagram = outlet.recv() => {
                    let Some(datagram) = datagram else { break };
                    idle_at = now() + self.shared.options.idle;
                    self.enter(Direction::Up, datagram);
                }
                received = self.back.recv(&mut buffer) => {
                    // A refused port is reported here: the same as silence.
                    if let Ok(length) = received {
                        self.enter(Direction::Down, buffer[..length].to_vec());
                    }
                }
            }
        }
        self.shared.flows.fetch_sub(1, Relaxed);
        tracing::info!(client = %self.client, "a client is gone");
    }

    fn enter(&mut self, direction: Direction, datagram: Vec<u8>) {
        let counters = self.shared.counters(direction);
        counters.packets.fetch_add(1, Relaxed);
        counters.bytes.fetch_add(datagram.len() as u64, Relaxed);
        let now = now();
        let link = match direction {
            Direction::Up => &self.links[0],
            Direction::Down => &self.links[1],
        };
        let fate = link.lock().expect("the model does not panic").pass(now, &datagram);
        match fate {
            Fate::Lost => drop(counters.lost.fetch_add(1, Relaxed)),
            Fate::Arrives(at) if self.in_flight.len() < LINKSIM_IN_FLIGHT_MAX => {
                let delay_us = (at - now).as_micros() as u64;
                counters.delayed(delay_us);
                self.in_flight.push(at, (direction, datagram));
            }
            Fate::Overflowed | Fate::Arrives(_) => drop(counters.overflowed.fetch_add(1, Relaxed)),
        }
    }

    /// Sends what has arrived by now.
    async fn deliver(&mut self) {
        let now = now();
        while let Some((direction, datagram)) = self.in_flight.pop_arrived(now) {
            let sent = match direction {
                Direction::Up => self.back.send(&datagram).await,
                Direction::Down => self.front.send_to(&datagram, self.client).await,
            };
            if let Err(error) = sent {
                tracing::debug!(client = %self.client, %error, "a datagram is not sent");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linksim::model::{Loss, Path};

    fn options(to: SocketAddr, up: Path, down: Path) -> RelayOptions {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (up, down) = (Script::constant(up), Script::constant(down));
        RelayOptions { listen, to, ports: 1, up, down, shared: false, flows_max: 2, idle: Duration::from_secs(60), seed: 1 }
    }

    async fn socket() -> UdpSocket {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback")
    }

    #[test]
    fn quantiles_of_the_delay_are_told_to_the_millisecond() {
        let counters = Counters::new();
        assert_eq!(counters.delay_quantile_ms(0.95), 0.0);
        (1..=100).for_each(|ms| counters.delayed(ms * 1000 + 7));
        counters.delayed(60_000_000);
        let counts = counters.read();
        assert_eq!((counts.delay_p95_ms, counts.delay_max_ms), (96.0, 60_000.0));
    }

    #[tokio::test]
    async fn every_client_has_a_source_of_its_own_and_gets_its_own_answers() {
        let server = socket().await;
        let relay = run(&options(server.local_addr().expect("it is bound"), Path::CLEAR, Path::CLEAR)).await.expect("the relay starts");
        let clients = [socket().await, socket().await];
        let mut sources = Vec::new();
        let mut buffer = [0; 64];
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&[number as u8; 9], relay.listening()[0]).await.expect("loopback takes it");
            let (length, source) = server.recv_from(&mut buffer).await.expect("it arrives");
            assert_eq!(buffer[..length], [number as u8; 9]);
            sources.push(source);
        }
        assert_ne!(sources[0], sources[1]);
        for (number, client) in clients.iter().enumerate() {
            server.send_to(&[7 + number as u8; 3], sources[number]).await.expect("loopback takes it");
            let (length, from) = client.recv_from(&mut buffer).await.expect("it arrives");
            assert_eq!((&buffer[..length], from), (&[7 + number as u8; 3][..], relay.listening()[0]));
        }
        // A third one finds no room.
        socket().await.send_to(&[9], relay.listening()[0]).await.expect("loopback takes it");
        while relay.snapshot().flows_refused == 0 {
            tokio::task::yield_now().await;
        }
        let counts = relay.stop().await;
        assert_eq!((counts.flows_total, counts.up.packets, counts.down.packets), (2, 2, 2));
    }

    #[tokio::test]
    async fn a_bad_path_delays_and_loses() {
        let server = socket().await;
        let up = Path { latency: Duration::from_millis(30), ..Path::CLEAR };
        let down = Path { loss: Loss::Bernoulli(1.0), ..Path::CLEAR };
        let relay = run(&options(server.local_addr().expect("it is bound"), up, down)).await.expect("the relay starts");
        let client = socket().await;
        let asked = now();
        client.send_to(&[1], relay.listening()[0]).await.expect("loopback takes it");
        let (_, source) = server.recv_from(&mut [0; 64]).await.expect("it arrives");
        assert!(asked.elapsed() >= Duration::from_millis(30), "at least its latency");
        server.send_to(&[2], source).await.expect("loopback takes it");
        while relay.snapshot().down.lost == 0 {
            tokio::task::yield_now().await;
        }
        let counts = relay.stop().await;
        assert!((30.0..31.0).contains(&counts.up.delay_max_ms), "{counts:?}");
    }
}
