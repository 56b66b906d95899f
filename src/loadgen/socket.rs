//! One client's UDP socket, with a bad network in front of it when the operator asks for one. Receives with GRO.
//!
//! Invariant: without conditions a datagram costs nothing extra; with them, what is on its way is bounded by
//! `limits::LOADGEN_IN_FLIGHT_MAX`.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::clock;
use crate::limits::{LOADGEN_IN_FLIGHT_MAX, LOADGEN_RECEIVE_BYTES};
use crate::linksim::in_flight::InFlight;
use crate::linksim::model::Fate;
use crate::linksim::script::{Script, ScriptedLink};

thread_local! {
    /// Room for one coalesced receive: shared by the clients of a thread, because none holds it across an await.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; LOADGEN_RECEIVE_BYTES]);
}

/// The network that every viewer is given: its own two links, drawn from one seed.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) up: Script,
    pub(super) down: Script,
    /// Zero of the scripts.
    pub(super) start: Instant,
    pub(super) seed: u64,
}

/// What lies between one client and the server.
struct Network {
    up: ScriptedLink,
    down: ScriptedLink,
    in_flight: InFlight<Flight>,
}

/// A datagram on its way.
#[derive(Debug)]
struct Flight {
    to_server: bool,
    datagram: Vec<u8>,
}

impl Network {
    fn enter(&mut self, now: Instant, datagram: &[u8], to_server: bool) {
        let link = if to_server { &mut self.up } else { &mut self.down };
        if let Fate::Arrives(at) = link.pass(now, datagram)
            && self.in_flight.len() < LOADGEN_IN_FLIGHT_MAX
        {
            self.in_flight.push(at, Flight { to_server, datagram: datagram.to_vec() });
        }
    }
}

/// A socket for one server.
pub(super) struct Socket {
    udp: UdpSocket,
    offload: UdpSocketState,
    network: Option<Box<Network>>,
}

impl Socket {
    /// `client` numbers the clients of a run: each has luck of its own.
    ///
    /// # Errors
    /// No socket is to be had.
    pub(super) async fn open(conditions: Option<&Conditions>, client: u64) -> io::Result<Self> {
        let network = conditions.map(|Conditions { up, down, start, seed }| {
            let seed = seed.wrapping_add(client.wrapping_mul(2));
            Box::new(Network {
                up: ScriptedLink::new(*start, up.clone(), seed),
                down: ScriptedLink::new(*start, down.clone(), seed.wrapping_add(1)),
                in_flight: InFlight::default(),
            })
        });
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let offload = UdpSocketState::new(UdpSockRef::from(&udp))?;
        Ok(Self { udp, offload, network })
    }

    pub(super) fn local_port(&self) -> io::Result<u16> {
        Ok(self.udp.local_addr()?.port())
    }

    /// Only this server from now on.
    pub(super) async fn connect(&mut self, server: SocketAddr) -> io::Result<()> {
        if server.is_ipv6() && self.udp.local_addr()?.is_ipv4() {
            self.udp = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?;
            self.offload = UdpSocketState::new(UdpSockRef::from(&self.udp))?;
        }
        self.udp.connect(server).await
    }

    /// Sends a datagram; a full socket buffer or a closed port is the same as loss.
    pub(super) async fn send(&mut self, datagram: &[u8]) {
        match &mut self.network {
            Some(network) => network.enter(clock::now(), datagram, true),
            None => {
                if let Err(error) = self.udp.send(datagram).await {
                    tracing::trace!(%error, "sending");
                }
            }
        }
    }

    /// Waits until datagrams arrive (or something falls due) and hands over all that are there, perhaps none. May be dropped while it waits.
    ///
    /// # Errors
    /// The socket is broken.
    pub(super) async fn receive(&mut self, mut each: impl FnMut(Instant, &[u8])) -> io::Result<()> {
        let Some(network) = &mut self.network else {
            self.udp.readable().await?;
            drain(&self.udp, &self.offload, &mut each);
            return Ok(());
        };
        let due = network.in_flight.next_at();
        tokio::select! {
            ready = self.udp.readable() => {
                ready?;
                drain(&self.udp, &self.offload, &mut |now, datagram: &[u8]| network.enter(now, datagram, false));
            }
            () = at(due) => {}
        }
        let now = clock::now();
        while let Some(flight) = network.in_flight.pop_arrived(now) {
            if flight.to_server {
                if let Err(error) = self.udp.try_send(&flight.datagram) {
                    tracing::trace!(%error, "sending");
                }
            } else {
                each(now, &flight.datagram);
            }
        }
        Ok(())
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Reads all that is there.
fn drain(udp: &UdpSocket, offload: &UdpSocketState, each: &mut impl FnMut(Instant, &[u8])) {
    ROOM.with_borrow_mut(|room| {
        loop {
            let mut meta = [RecvMeta::default()];
            let read = || offload.recv(UdpSockRef::from(udp), &mut [IoSliceMut::new(room)], &mut meta);
            if udp.try_io(Interest::READABLE, read).is_err() {
                return;
            }
            let now = clock::now();
            for datagram in room[..meta[0].len].chunks(meta[0].stride.max(1)) {
                each(now, datagram);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::linksim::model::{Loss, Path};

    async fn server_and_client(up: Path, down: Path) -> (UdpSocket, Socket) {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback");
        let conditions = Conditions { up: Script::constant(up), down: Script::constant(down), start: clock::now(), seed: 1 };
        let mut client = Socket::open(Some(&conditions), 0).await.expect("a socket");
        client.connect(server.local_addr().expect("it is bound")).await.expect("loopback");
        (server, client)
    }

    #[tokio::test]
    async fn a_bad_network_holds_back_what_passes_through_it() {
        let slow = Path { latency: Duration::from_millis(20), ..Path::CLEAR };
        let (server, mut client) = server_and_client(slow, slow).await;
        let sent = clock::now();
        client.send(b"up").await;
        let mut buffer = [0; 16];
        let (length, source) = tokio::select! {
            received = server.recv_from(&mut buffer) => received.expect("it arrives"),
            // The socket's own time goes on while somebody receives.
            () = async { loop { client.receive(|_, _| ()).await.expect("the socket lives") } } => unreachable!("an endless loop"),
        };
        assert_eq!((&buffer[..length], sent.elapsed() >= Duration::from_millis(20)), (&b"up"[..], true));
        server.send_to(b"down", source).await.expect("loopback takes it");
        let mut arrived = Vec::new();
        while arrived.is_empty() {
            client.receive(|_, datagram| arrived.push(datagram.to_vec())).await.expect("the socket lives");
        }
        assert_eq!((arrived, sent.elapsed() >= Duration::from_millis(40)), (vec![b"down".to_vec()], true));
    }

    #[tokio::test]
    async fn what_is_lost_does_not_arrive() {
        let (server, mut client) = server_and_client(Path { loss: Loss::Bernoulli(1.0), ..Path::CLEAR }, Path::CLEAR).await;
        client.send(b"lost").await;
        assert_eq!(client.network.as_ref().map(|network| network.in_flight.len()), Some(0));
        assert_eq!(server.try_recv(&mut [0; 16]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
