//! Workers, clients and the network between them on one virtual clock. [`Sim::step`] goes to the earliest moment at which anything is
//! due; whatever a worker sends passes the judge before the network. What people in it do is in `acts` and `calls`.

mod acts;
pub(crate) mod calls;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use courtside::ids::{BroadcastId, PeerId, SourceId};
use courtside::limits;
use courtside::linksim::in_flight::InFlight;
use courtside::sfu::codec::{Codec, MediaKind};
use courtside::sfu::engine::{Engine, EngineConfig};
use courtside::sfu::forward::{Route, Wire};
use courtside::sfu::handle::{
    AddPeer, Command, Fill, IceRestarted, LayerChoice, PeerAnswer, PeerGone, PeerStats, Permissions, SfuError, SfuEvent,
};
use courtside::sfu::rtp::id::Mid;
use courtside::sfu::tap::Handover;
use courtside::sfu::transport::{ConnectionId, NodeCertificate, Remote};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;

use super::client::{Client, Phase};
use super::decoder::Decoded;
use super::ledger::Ledger;
use super::link::{Link, Path};
use super::media::{Encoder, Show};
use super::offer::{self, Answer, Pair};
use super::oracle::Judge;
use super::receiver::{Receiver, Reports};
use super::wire;

const EPOCH_UNIX_MS: f64 = 1_790_000_000_000.0;
/// Steps that time may stand still for: far more than datagrams arrive in one moment.
const STEPS_AT_ONCE_MAX: u32 = 100_000;
/// Between two workers of a node.
const HANDOVER_DELAY: Duration = Duration::from_micros(200);

/// Which client.
pub(crate) type Who = usize;

/// A client's place in the simulation.
pub(crate) struct Seat {
    pub client: Client,
    pub peer: PeerId,
    pub broadcast: BroadcastId,
    pub worker: u8,
    pub judge: Judge,
    /// Of the guest's and friends' pairs, as `others` of the client.
    pub others: Vec<Judge>,
    pub up: Link,
    pub down: Link,
    pub gone: Option<PeerGone>,
}

/// How a viewer joins.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub worker: u8,
    pub codecs: Vec<Codec>,
    pub choice: LayerChoice,
    pub reports: Reports,
    pub down: Path,
    pub up: Path,
    /// Takes retransmissions.
    pub rtx: bool,
    /// Takes parity packets, as Chromium.
    pub fec: bool,
    /// Lets the server begin DTLS.
    pub waits: bool,
    /// See [`Receiver::deaf_for`].
    pub deaf_for: Duration,
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            worker: 0,
            codecs: vec![Codec::Vp8, Codec::H264],
            choice: LayerChoice::Auto,
            reports: Reports::TransportFeedback,
            down: Path::default(),
            up: Path::default(),
            rtx: true,
            fec: true,
            waits: false,
            deaf_for: Duration::ZERO,
        }
    }
}

impl Viewer {
    pub(crate) fn choosing(choice: LayerChoice) -> Self {
        Self { choice, ..Self::default() }
    }
}

enum Parcel {
    ToEngine { worker: usize, source: Remote, datagram: Vec<u8> },
    ToClient { who: Who, address: Remote, datagram: Vec<u8> },
    Handover { worker: usize, handover: Handover },
}

/// Takes what an engine sends.
#[derive(Default)]
struct Outbox(VecDeque<(Remote, Vec<u8>)>);

impl Wire for Outbox {
    fn send(&mut self, route: Route, segment: usize, contents: &[u8]) -> bool {
        assert!(segment > 0 && contents.len().div_ceil(segment) <= limits::SEND_SEGMENTS_MAX && contents.len() <= 65_000);
        assert_eq!(route.source, Some(SERVER), "answers leave from the address that was asked");
        self.0.extend(contents.chunks(segment).map(|datagram| (route.destination, datagram.to_vec())));
        true
    }
}

/// Where every worker is, on a port of its own.
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(crate) struct Sim {
    pub now: Instant,
    steps_at_once: u32,
    pub start: Instant,
    pub engines: Vec<Engine>,
    pub seats: Vec<Seat>,
    pub events: Vec<(Instant, SfuEvent)>,
    pub ledger: Ledger,
    addresses: HashMap<Remote, Who>,
    flights: InFlight<Parcel>,
    handovers_in_flight: Vec<usize>,
    pub handovers_dropped: u64,
    homes: HashMap<BroadcastId, u8>,
    /// What m-lines were filled with, published or not.
    filled: HashSet<SourceId>,
    /// TCP connections made so far, and those that are closed.
    connections: u64,
    closed: HashSet<Remote>,
    /// Datagrams sent into closed connections.
    pub to_closed: u64,
    outboxes: Vec<Outbox>,
    pub rng: StdRng,
    /// Datagrams sent from addresses nobody has go nowhere; so many went there.
    pub to_nobody: u64,
}

/// One certificate for all engines of the test process: its key says nothing about what is tested.
fn certificate() -> NodeCertificate {
    static CERTIFICATE: OnceLock<NodeCertificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| NodeCertificate::generate().expect("a certificate")).clone()
}

impl Sim {
    #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start from")]
    pub(crate) fn new(seed: u64, workers: u8) -> Self {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(seed);
        let engines: Vec<Engine> = (0..workers)
            .map(|worker| {
                Engine::new(EngineConfig {
                    worker,
                    certificate: certificate(),
                    candidates: vec![format!("candidate:1 1 udp 2130706431 {SERVER} {} typ host", 7000 + u16::from(worker))],
                    epoch: (start, EPOCH_UNIX_MS),
                    seed: rng.random(),
                })
            })
            .collect();
        Self {
            now: start,
            steps_at_once: 0,
            start,
            handovers_in_flight: vec![0; engines.len()],
            outboxes: engines.iter().map(|_| Outbox::default()).collect(),
            engines,
            seats: Vec::new(),
            events: Vec::new(),
            ledger: Ledger::default(),
            addresses: HashMap::new(),
            flights: InFlight::default(),
            handovers_dropped: 0,
            homes: HashMap::new(),
            filled: HashSet::new(),
            connections: 0,
            closed: HashSet::new(),
            to_closed: 0,
            rng,
            to_nobody: 0,
        }
    }

    pub(crate) fn broadcast(&mut self) -> BroadcastId {
        BroadcastId::random(&mut self.rng)
    }

    pub(crate) fn unix_ms(&self) -> f64 {
        EPOCH_UNIX_MS + (self.now - self.start).as_secs_f64() * 1000.0
    }

    /// The age of what was on the screen when this frame came to it, ms.
    pub(crate) fn latency_ms(&self, frame: &Decoded) -> f64 {
        EPOCH_UNIX_MS + (frame.at - self.start).as_secs_f64() * 1000.0 - frame.captured_unix_ms
    }

    /// When the server had the keys of this peer.
    pub(crate) fn handshake_done(&self, who: Who) -> Instant {
        let told = self.events_of(who).find(|(_, event)| matches!(event, SfuEvent::PeerConnected { .. }));
        told.expect("connected").0
    }

    /// An address that nobody has had, for UDP.
    pub(crate) fn fresh_address(&mut self) -> Remote {
        loop {
            let address =
                SocketAddr::from(([10, self.rng.random(), self.rng.random(), self.rng.random()], self.rng.random_range(1024..=65535)));
            if !self.addresses.contains_key(&address.into()) {
                return address.into();
            }
        }
    }

    /// Another address of this client: what is sent there is judged, and does not arrive.
    pub(crate) fn another_address(&mut self, who: Who) -> Remote {
        let address = self.fresh_address();
        self.addresses.insert(address, who);
        address
    }

    fn server(worker: u8) -> SocketAddr {
        SocketAddr::new(SERVER, 7000 + u16::from(worker))
    }

    fn command<T>(&mut self, worker: u8, make: impl FnOnce(oneshot::Sender<Result<T, SfuError>>) -> Command) -> Result<T, SfuError> {
        let (reply, mut answer) = oneshot::channel();
        self.tell(worker, make(reply));
        answer.try_recv().expect("answered at once")
    }

    /// A command without an answer.
    pub(crate) fn tell(&mut self, worker: u8, command: Command) {
        let worker = usize::from(worker);
        self.engines[worker].handle_command(self.now, command, &mut self.outboxes[worker]);
        self.drain(worker);
    }

    fn client(&mut self, name: String, worker: u8) -> Client {
        let address = self.fresh_address();
        let seed = self.rng.random();
        self.addresses.insert(address, self.seats.len());
        Client::new(self.now, name, address, Self::server(worker), StdRng::seed_from_u64(seed))
    }

    fn seat(
        &mut self,
        mut client: Client,
        broadcast: BroadcastId,
        worker: u8,
        request: AddPeer,
        paths: (Path, Path),
    ) -> Result<Who, SfuError> {
        let home = *self.homes.entry(broadcast).or_insert(worker);
        let peer = PeerId::on_worker(worker, &mut self.rng);
        let answer: PeerAnswer = self.command(worker, |reply| Command::AddPeer { peer, home, request, reply })?;
        let answer = Answer::parse(&answer.sdp);
        let (main, others) = answer.pairs.split_first().map_or((Pair::default(), &[][..]), |(main, others)| (*main, others));
        let judge = Judge::new(client.name.clone(), worker, &main);
        let named = |(number, pair)| Judge::new(format!("{}, pair {number}", client.name), worker, pair);
        let judges = (1..).zip(others).map(named).collect();
        if !answer.pairs.is_empty() {
            client.receiver = Some(Receiver::new(self.now, &main, Reports::TransportFeedback));
            client.others = others.iter().map(|pair| Receiver::new(self.now, pair, Reports::Silent)).collect();
        }
        client.handle_answer(answer);
        self.seats.push(Seat {
            client,
            peer,
            broadcast,
            worker,
            judge,
            others: judges,
            up: Link::new(paths.0),
            down: Link::new(paths.1),
            gone: None,
        });
        Ok(self.seats.len() - 1)
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Until it holds; panics after `most_ms`. Returns how long it took.
    pub(crate) fn run_until(&mut self, most_ms: u64, mut holds: impl FnMut(&Self) -> bool) -> Duration {
        let (begin, end) = (self.now, self.now + Duration::from_millis(most_ms));
        while !holds(self) {
            assert!(self.next_at().is_some_and(|at| at <= end), "it does not come to pass within {most_ms} ms");
            self.step();
        }
        self.now - begin
    }

    fn next_at(&self) -> Option<Instant> {
        let engines = self.engines.iter().filter_map(Engine::wake_at);
        let clients = self.seats.iter().filter_map(|seat| seat.client.wake_at());
        let flight = self.flights.next_at();
        engines.chain(clients).chain(flight).min().map(|at| at.max(self.now))
    }

    /// To the next moment at which something is due, and through it.
    pub(crate) fn step(&mut self) {
        let Some(at) = self.next_at() else { return };
        self.steps_at_once = if at > self.now { 0 } else { self.steps_at_once + 1 };
        assert!(self.steps_at_once < STEPS_AT_ONCE_MAX, "somebody asks to be woken for nothing");
        self.now = at;
        self.deliver();
        for worker in 0..self.engines.len() {
            if self.engines[worker].wake_at().is_some_and(|wake| wake <= at) {
                self.engines[worker].handle_timeout(at, &mut self.outboxes[worker]);
                self.drain(worker);
            }
        }
        for who in 0..self.seats.len() {
            if self.seats[who].client.wake_at().is_some_and(|wake| wake <= at) {
                self.seats[who].client.handle_timeout(at, &mut self.ledger);
                self.transmit(who);
            }
        }
        self.check_bounds();
    }

    fn deliver(&mut self) {
        let mut arrived: Vec<Vec<Vec<u8>>> = vec![Vec::new(); self.engines.len()];
        while let Some(parcel) = self.flights.pop_arrived(self.now) {
            match parcel {
                Parcel::ToEngine { source: remote, .. } | Parcel::ToClient { address: remote, .. } if self.closed.contains(&remote) => {}
                Parcel::ToEngine { worker, source, datagram } => {
                    let dropped: u64 = self.engines[worker].counters.dropped.iter().sum();
                    self.engines[worker].handle_datagram(self.now, source, Some(SERVER), &datagram, &mut self.outboxes[worker]);
                    if dropped == self.engines[worker].counters.dropped.iter().sum::<u64>() {
                        arrived[worker].push(datagram);
                    }
                }
                Parcel::ToClient { who, address, datagram } => {
                    let seat = &mut self.seats[who];
                    if seat.client.address == address {
                        seat.client.handle(self.now, &datagram, &mut self.ledger);
                        self.transmit(who);
                    }
                }
                Parcel::Handover { worker, handover } => {
                    self.handovers_in_flight[worker] -= 1;
                    self.engines[worker].handle_handover(self.now, handover, &mut self.outboxes[worker]);
                    self.drain(worker);
                }
            }
        }
        for (worker, datagrams) in arrived.into_iter().enumerate() {
            for datagram in &datagrams {
                self.ledger.note_place(datagram);
            }
            self.engines[worker].handle_batch_end(self.now, &mut self.outboxes[worker]);
            self.drain(worker);
            for datagram in datagrams {
                self.ledger.handle_arrival(self.now, &datagram);
                if datagram.len() >= 8 && datagram[1] == 200 && wire::is_rtcp(&datagram) {
                    self.ledger.handle_report_arrival(self.now, wire::u32_at(&datagram, 4));
                }
            }
        }
    }

    /// Everything that an engine has to say: to clients by way of the judge, to other workers, to the control plane.
    fn drain(&mut self, worker: usize) {
        while let Some((address, datagram)) = self.outboxes[worker].0.pop_front() {
            let Some(&who) = self.addresses.get(&address) else {
                self.to_nobody += 1;
                continue;
            };
            let seat = &mut self.seats[who];
            if matches!(datagram.first(), Some(128..=191)) {
                for (left, sealed, plain) in seat.client.open_for_judge(self.now, &datagram) {
                    if wire::is_rtcp(&sealed) {
                        for judge in std::iter::once(&mut seat.judge).chain(&mut seat.others) {
                            judge.handle_rtcp(left, &plain, &self.ledger);
                        }
                    } else {
                        let ssrc = wire::u32_at(&plain, 8);
                        let judge = seat.others.iter_mut().find(|judge| judge.knows(ssrc)).unwrap_or(&mut seat.judge);
                        judge.handle_rtp(left, &sealed, &plain, &self.ledger);
                    }
                }
            }
            if self.closed.contains(&address) {
                self.to_closed += 1;
                continue;
            }
            if let Some(at) = seat.down.send(self.now, &datagram, &mut self.rng) {
                self.flights.push(at, Parcel::ToClient { who, address, datagram });
            }
        }
        while let Some((to, handover)) = self.engines[worker].poll_handover() {
            let to = usize::from(to);
            if self.handovers_in_flight[to] >= limits::HANDOVER_QUEUE {
                self.handovers_dropped += 1;
                continue;
            }
            self.handovers_in_flight[to] += 1;
            self.flights.push(self.now + HANDOVER_DELAY, Parcel::Handover { worker: to, handover });
        }
        for (tap, run) in self.engines[worker].poll_tapped() {
            // One that is closed is taken off with the next tick; a full one loses it, as in the worker.
            drop(tap.try_send(run));
        }
        while let Some(event) = self.engines[worker].poll_event() {
            if let SfuEvent::PeerGone { peer, reason, .. } = &event
                && let Some(seat) = self.seats.iter_mut().find(|seat| seat.peer == *peer)
            {
                assert!(seat.gone.replace(*reason).is_none(), "gone twice");
                seat.client.phase = Phase::Closed;
            }
            self.events.push((self.now, event));
        }
        self.engines[worker].take_released();
    }

    fn transmit(&mut self, who: Who) {
        let seat = &mut self.seats[who];
        let (worker, source) = (usize::from(seat.worker), seat.client.address);
        while let Some(datagram) = self.seats[who].client.poll_transmit() {
            if let Some(at) = self.seats[who].up.send(self.now, &datagram, &mut self.rng) {
                self.flights.push(at, Parcel::ToEngine { worker, source, datagram });
            }
        }
    }

    /// What must hold at any time.
    fn check_bounds(&self) {
        for (worker, engine) in self.engines.iter().enumerate() {
            let here = self.seats.iter().filter(|seat| usize::from(seat.worker) == worker && seat.gone.is_none()).count();
            let [paths, peers, broadcasts, by_peer, by_ufrag, by_address] = engine.sizes();
            assert_eq!((peers, by_peer), (here, here), "peers of worker {worker}");
            let known = self.homes.len() + self.filled.iter().filter(|source| !self.homes.contains_key(source)).count();
            assert!(broadcasts <= known && paths <= peers);
            assert!(by_ufrag <= 2 * peers, "user fragments: {by_ufrag} of {peers} peers");
            assert!(by_address <= limits::ICE_VALIDATED_MAX * peers);
        }
    }

    /// Everybody leaves; then nothing may be left.
    pub(crate) fn finish(&mut self) {
        self.check_clocks_told();
        for who in 0..self.seats.len() {
            if self.seats[who].gone.is_none() {
                self.remove(who);
            }
        }
        // Subscriptions of other workers end by message, or by themselves if it is lost.
        self.run_ms(5000);
        for engine in &self.engines {
            assert_eq!(engine.sizes(), [0; 6], "everybody left");
            assert_eq!(engine.guests(), 0, "no guest is shown for ever");
            assert_eq!(engine.wake_at(), None, "nothing is left to do");
        }
    }

    /// Whoever sees a picture for a while has been told its media time: what is said waits for it.
    fn check_clocks_told(&self) {
        const IN_TIME: Duration = Duration::from_secs(2);
        for (who, seat) in self.seats.iter().enumerate() {
            let Some(frames) = seat.client.receiver.as_ref().map(|receiver| &receiver.decoder.frames) else { continue };
            let (Some(first), Some(last)) = (frames.first(), frames.last()) else { continue };
            let is_clock = |event: &SfuEvent| matches!(event, SfuEvent::TrackClock { kind: MediaKind::Video, .. });
            let told = self.events_of(who).find(|(_, event)| is_clock(event)).map(|(at, _)| *at);
            let is_told = told.is_some_and(|at| at <= first.at + IN_TIME);
            assert!(
                is_told || last.at < first.at + IN_TIME,
                "{}: picture from {:?} on, its clock told {told:?}",
                seat.client.name,
                first.at
            );
        }
    }

    /// Events of one client, with when they came.
    pub(crate) fn events_of(&self, who: Who) -> impl Iterator<Item = &(Instant, SfuEvent)> {
        let peer = self.seats[who].peer;
        self.events.iter().filter(move |(_, event)| peer_of(event) == peer)
    }
}

fn peer_of(event: &SfuEvent) -> PeerId {
    match event {
        SfuEvent::PeerConnected { peer, .. }
        | SfuEvent::Unwatched { peer, .. }
        | SfuEvent::PeerGone { peer, .. }
        | SfuEvent::Tracks { peer, .. }
        | SfuEvent::Playing { peer, .. }
        | SfuEvent::TrackClock { peer, .. }
        | SfuEvent::Layer { peer, .. }
        | SfuEvent::CannotDecode { peer, .. }
        | SfuEvent::Speaking { peer, .. }
        | SfuEvent::PublisherRefused { peer, .. } => *peer,
    }
}

impl Drop for Sim {
    /// A failing test shows where everything stood.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for engine in &self.engines {
            eprintln!("{:?} {:?}", engine.sizes(), engine.counters);
        }
        for (who, seat) in self.seats.iter().enumerate() {
            let name = &seat.client.name;
            eprintln!("{who} {name}: {:?} {:?}, last event {:?}", seat.client.phase, seat.gone, self.events_of(who).last());
            eprintln!("   {:?} | up {}/{} down {}/{}", seat.judge.counts(), seat.up.passed, seat.up.lost, seat.down.passed, seat.down.lost);
        }
        eprintln!("at {:?}", self.now - self.start);
    }
}
