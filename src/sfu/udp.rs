//! One worker's UDP sockets: batches in (GRO), bursts out (GSO), through `quinn-udp`. No protocol here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::limits;

/// The IPv4 and the IPv6 socket of one worker, on the same port.
pub(super) struct UdpSockets {
    v4: Option<BoundSocket>,
    v6: Option<BoundSocket>,
}

struct BoundSocket {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Receive buffers of one worker, reused for every batch.
pub(super) struct Batch {
    buffers: Vec<Vec<u8>>,
    meta: Vec<RecvMeta>,
}

/// A datagram of a batch.
pub(super) struct Received<'a> {
    pub(super) source: SocketAddr,
    /// The address it was sent to.
    pub(super) local: Option<IpAddr>,
    pub(super) bytes: &'a [u8],
}

/// Binds a worker's port on the given addresses. Not yet tied to a runtime, so that start-up can report every failure at once.
///
/// # Errors
/// The system's, as it came: port taken, address not ours, no permission.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // The kernel grants what `rmem_max` and `wmem_max` allow; the start-up self-test says when that is little.
    drop(socket.set_recv_buffer_size(limits::UDP_BUFFER_BYTES));
    drop(socket.set_send_buffer_size(limits::UDP_BUFFER_BYTES));
    Ok(socket.into())
}

impl UdpSockets {
    /// Ties bound sockets to the running runtime.
    ///
    /// # Errors
    /// When the runtime or the socket options refuse them.
    pub(super) fn new(v4: Option<std::net::UdpSocket>, v6: Option<std::net::UdpSocket>) -> io::Result<Self> {
        Ok(Self { v4: v4.map(BoundSocket::new).transpose()?, v6: v6.map(BoundSocket::new).transpose()? })
    }

    /// Waits until either socket has something.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match (&self.v4, &self.v6) {
            (Some(v4), Some(v6)) => tokio::select! {
                ready = v4.socket.readable() => ready,
                ready = v6.socket.readable() => ready,
            },
            (Some(one), None) | (None, Some(one)) => one.socket.readable().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Reads what is there, up to `limits::RECV_BATCHES_MAX` batches, and hands on each datagram.
    pub(super) fn receive(&self, batch: &mut Batch, mut handle: impl FnMut(Received<'_>)) {
        for bound in self.v4.iter().chain(&self.v6) {
            for _ in 0..limits::RECV_BATCHES_MAX {
                let Some(count) = bound.receive(batch) else { break };
                for (buffer, meta) in batch.buffers.iter().zip(&batch.meta).take(count) {
                    for bytes in buffer[..meta.len].chunks(meta.stride.max(1)) {
                        handle(Received { source: meta.addr, local: meta.dst_ip, bytes });
                    }
                }
                if count < BATCH_SIZE {
                    break;
                }
            }
        }
    }

    /// See [`crate::sfu::forward::Wire`]. `source`: the local address to send from.
    pub(super) fn send(&self, destination: SocketAddr, source: Option<IpAddr>, segment: usize, contents: &[u8]) -> bool {
        let Some(bound) = self.for_destination(destination) else { return false };
        let transmit = |contents| Transmit { destination, ecn: None, contents, segment_size: Some(segment), src_ip: source };
        let socket = UdpSockRef::from(&bound.socket);
        let most = segment * bound.state.max_gso_segments();
        if contents.len() <= most {
            return bound.state.try_send(socket, &transmit(contents)).is_ok();
        }
        // A path without segmentation offload, or with fewer segments than we gathered.
        contents.chunks(most.max(1)).all(|chunk| bound.state.try_send(UdpSockRef::from(&bound.socket), &transmit(chunk)).is_ok())
    }

    fn for_destination(&self, destination: SocketAddr) -> Option<&BoundSocket> {
        if destination.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

impl BoundSocket {
    fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket, state })
    }

    /// One batch; `None` when there is nothing (more).
    fn receive(&self, batch: &mut Batch) -> Option<usize> {
        let Batch { buffers, meta } = batch;
        let mut slices: Vec<io::IoSliceMut<'_>> = buffers.iter_mut().map(|buffer| io::IoSliceMut::new(buffer)).collect();
        let mut read = None;
        // A batch that is not full emptied the queue. Saying so here spares a call that would only hear it from the kernel again.
        let outcome = self.socket.try_io(Interest::READABLE, || {
            let count = self.state.recv(UdpSockRef::from(&self.socket), &mut slices, meta)?;
            read = Some(count);
            if count < BATCH_SIZE { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        drop(outcome);
        read
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { buffers: vec![vec![0; limits::RECV_BUFFER_BYTES]; BATCH_SIZE], meta: vec![RecvMeta::default(); BATCH_SIZE] }
    }
}

/// The addresses of this host that a client could reach, loopback last. For a server without a configured public address.
pub fn local_addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip()).collect();
    addresses.retain(|address| match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified(),
    });
    addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6()));
    addresses.dedup();
    addresses
}
