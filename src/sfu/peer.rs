//! One WebRTC transport and what hangs on it. A peer has no role: it has up-tracks (its [`Publisher`] half), down-tracks, or both.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::ids::PeerId;
use crate::sfu::congestion::{Allocator, Controller};
use crate::sfu::forward::Route;
use crate::sfu::handle::{LayerChoice, Permissions};
use crate::sfu::negotiate::NegotiatedMedia;
use crate::sfu::publisher::Publisher;
use crate::sfu::resend::Resends;
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::tap::TrackSlot;
use crate::sfu::transport::dtls::DtlsAssociation;
use crate::sfu::transport::ice::IceAgent;
use crate::sfu::transport::srtp::{SrtcpOutbound, SrtpInbound};

/// A peer on this worker. What sending to it takes lies apart, in [`crate::sfu::forward::Egress`].
pub struct Peer {
    pub id: PeerId,
    /// Key of its broadcast on this worker.
    pub broadcast: usize,
    pub permissions: Permissions,
    pub ice: IceAgent,
    pub dtls: DtlsAssociation,
    pub inbound: Option<SrtpInbound>,
    pub rtcp_out: Option<SrtcpOutbound>,
    /// ICE and DTLS are up and the control plane knows.
    pub connected: bool,
    /// The control plane was told that media left for it.
    pub playing: bool,
    pub publisher: Option<Publisher>,
    pub downs: Vec<DownRef>,
    pub choice: LayerChoice,
    pub allocator: Allocator,
    pub controller: Controller,
    /// Key of what it has in common with others behind its address; `None` until it receives media.
    pub shared_path: Option<usize>,
    /// Every m-line of the session as last agreed, in order.
    pub media: Vec<NegotiatedMedia>,
    /// Answers given so far: the version in their origin line.
    pub answers: u64,
    /// Our user fragments in the demultiplexer that lead here: one, or two during an ICE restart.
    pub ufrags: Vec<String>,
    /// Paths in the demultiplexer that lead here, each with the local address it was last used on.
    pub paths: Vec<Route>,
    /// The local address the selected pair uses.
    pub local: Option<IpAddr>,
    pub resends: Resends,
    pub packets_received: u64,
    pub bytes_received: u64,
}

/// Where one of the peer's down-tracks lies.
#[derive(Debug, Clone, Copy)]
pub struct DownRef {
    pub slot: TrackSlot,
    pub key: usize,
    pub ssrc: Ssrc,
    /// Lines of the picture that its client draws: nobody is sent a layer larger than the smallest that fills them, nor any for 0. `None`: the
    /// client never said.
    pub drawn_height: Option<u16>,
}

/// Counts something per second, against a bound.
#[derive(Debug, Default)]
pub struct PerSecond {
    since: Option<Instant>,
    used: u32,
}

impl PerSecond {
    /// Takes one; `false` when this second's are used up.
    pub fn take(&mut self, now: Instant, per_second: u32) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1)) {
            *self = Self { since: Some(now), used: 0 };
        }
        self.used += 1;
        self.used <= per_second
    }
}
