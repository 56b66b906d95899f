//! The far end of a network path, as the sockets tell it apart.

use std::fmt;
use std::net::SocketAddr;

/// Where datagrams come from and go to. A client's UDP socket and its TCP connection may have the same address and port and are two paths;
/// so are two connections that followed each other from one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remote {
    Udp(SocketAddr),
    /// An accepted ICE-TCP connection (RFC 6544), which carries datagrams in frames (RFC 4571).
    Tcp {
        address: SocketAddr,
        connection: ConnectionId,
    },
}

/// One accepted connection of a worker. Never given to two connections in a worker's life, so that what is said of one that is closed cannot
/// reach its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Its place among the connections that are open, so that the packet path finds it by index.
    pub slot: u32,
    pub serial: u64,
}

impl Remote {
    /// What the client's side of the path looks like from here: the mapped address of its checks.
    pub const fn address(self) -> SocketAddr {
        match self {
            Self::Udp(address) | Self::Tcp { address, .. } => address,
        }
    }

    pub const fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp { .. })
    }
}

impl From<SocketAddr> for Remote {
    /// Over UDP.
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp {address}"),
            Self::Tcp { address, .. } => write!(f, "tcp {address}"),
        }
    }
}
