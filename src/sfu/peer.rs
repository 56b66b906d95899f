//! One WebRTC transport and what hangs on it. A peer has no role: it has up-tracks (its [`Publisher`] half), down-tracks, or both.
//!
//! It belongs to one broadcast. What it sends may be another source (a call member's camera), and so may be what fills its free m-lines.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::ids::{PeerId, SourceId};
use crate::sfu::codec::MediaKind;
use crate::sfu::congestion::{Allocator, Controller, Rank};
use crate::sfu::down_track::DownTrack;
use crate::sfu::forward::Route;
use crate::sfu::handle::{LayerChoice, Permissions};
use crate::sfu::negotiate::NegotiatedMedia;
use crate::sfu::publisher::{Learned, Publisher};
use crate::sfu::resend::Resends;
use crate::sfu::rtp::id::{Mid, Ssrc};
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
    /// What its last publisher knew of its SSRCs.
    pub learned: Vec<Learned>,
    /// Key of what its publisher half is the publisher of: its broadcast, or a source of its own. Its broadcast's while it publishes nothing.
    pub source: usize,
    /// Its m-lines that something fills.
    pub downs: Vec<DownRef>,
    /// Its receiving m-lines that are not the broadcast's own, filled or not, in the order of the offer.
    pub free: Vec<FreeLine>,
    pub choice: LayerChoice,
    pub allocator: Allocator,
    /// Of all sounds it is sent, once each, bits per second.
    pub sound_bps: u32,
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
    /// Key of the source that fills it; it holds that one where it is a free m-line's.
    pub source: usize,
    pub slot: TrackSlot,
    pub key: usize,
    pub mid: Mid,
    pub ssrc: Ssrc,
    pub rank: Rank,
    /// Lines of the picture that its client draws: nobody is sent a layer larger than the smallest that fills them, nor any for 0. `None`: the
    /// client never said.
    pub drawn_height: Option<u16>,
}

/// A receiving m-line that changes its source: a guest's, or a friend's. It has one down-track for life, which moves, so that its numbers only ever
/// grow.
#[derive(Debug)]
pub struct FreeLine {
    pub mid: Mid,
    pub kind: MediaKind,
    pub ssrc: Ssrc,
    pub rank: Rank,
    /// What it was filled with.
    pub fill: Option<SourceId>,
    /// See [`DownRef::drawn_height`], which has it while something fills the m-line.
    pub drawn_height: Option<u16>,
    /// Its down-track while nothing fills it; made when it is filled for the first time.
    pub track: Option<Box<DownTrack>>,
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
