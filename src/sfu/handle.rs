//! The media plane as the rest of the program sees it: commands in, events out, both bounded.
//!
//! Every peer and broadcast lives on workers; this handle only routes. It knows no user, token or JSON. Commands are answered through
//! oneshots; events of all workers arrive on the one receiver that [`crate::sfu::start`] returns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::rtp::id::{Mid, Rid};
pub use crate::sfu::stats::WorkerSnapshot;
use crate::sfu::tap::{Tap, TapSender, tap};
use crate::timeline::ClockMap;

/// What a peer may do on its broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// May bind up-tracks (client m-lines that send).
    pub publish: bool,
    /// May bind down-tracks (client m-lines that receive).
    pub view: bool,
}

/// Adds a peer from a client's SDP offer.
#[derive(Debug)]
pub struct AddPeer {
    /// The broadcast whose tracks the peer sends or receives.
    pub broadcast: BroadcastId,
    /// What the offer may ask for; an m-line beyond it is rejected in the answer.
    pub permissions: Permissions,
    /// The SDP offer, at most `limits::SDP_BYTES_MAX`.
    pub offer: String,
    /// The layer the peer starts with.
    pub choice: LayerChoice,
    /// What its up-tracks are a source of, beside what it watches: a call member's camera. `None`: it may only send what `permissions` say.
    pub source: Option<SourceId>,
}

/// What fills a receiving m-line that is not the broadcast's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    pub mid: Mid,
    /// Its track of the m-line's kind; `None` empties the m-line.
    pub source: Option<SourceId>,
}

/// The answer to an offer.
#[derive(Debug, Clone)]
pub struct PeerAnswer {
    /// The new (or restarted) peer.
    pub peer: PeerId,
    /// The SDP answer, complete with candidates.
    pub sdp: String,
    /// Our ICE user fragment: changes with every ICE restart, so it makes a good ETag.
    pub ice_ufrag: String,
    /// Whether the peer has up-tracks / down-tracks.
    pub up_tracks: usize,
    pub down_tracks: usize,
    /// Every m-line of the session in order.
    pub mids: Vec<Mid>,
    /// The receiving m-lines that the broadcast itself fills.
    pub main: Vec<(Mid, MediaKind)>,
    /// The other receiving m-lines, in the order of the offer. The first of each kind are a guest's ([`SfuHandle::show_guest`]).
    pub free: Vec<(Mid, MediaKind)>,
}

/// Fresh ICE credentials for an existing peer (ICE restart by SDP fragment, RFC 9725 section 4.3.2).
#[derive(Debug, Clone)]
pub struct IceRestarted {
    pub ufrag: String,
    pub pwd: String,
    /// `a=candidate:` values without the `a=` prefix, e.g. `candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host`.
    pub candidates: Vec<String>,
    /// Every `a=mid` of the session in order: the fragment repeats the first one.
    pub mids: Vec<Mid>,
}

/// Which layer of the video a viewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerChoice {
    /// The allocator chooses by what the network carries.
    Auto,
    /// At most this spatial layer (0 = smallest); the allocator may still go below when the network demands it.
    Spatial(u8),
    /// Sound only.
    AudioOnly,
}

/// Why an offer or a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SfuError {
    /// The SDP cannot be parsed or breaks a rule; `line` names the offending line where known.
    #[error("the SDP offer is malformed: {reason}")]
    MalformedOffer { reason: String },
    /// The SDP is well-formed but nothing in it can be served (no BUNDLE, no DTLS, no codec in common ...).
    #[error("nothing in the offer can be served: {reason}")]
    Unacceptable { reason: String },
    /// The broadcast already has a publisher.
    #[error("the broadcast already has a publisher")]
    PublisherPresent { peer: PeerId },
    /// No such peer (any more).
    #[error("no such peer")]
    UnknownPeer,
    /// A bound of `limits` is reached.
    #[error("full: {what}")]
    Full { what: &'static str },
    /// The media plane is shutting down or its queue is full.
    #[error("the media plane does not answer")]
    Unavailable,
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerGone {
    /// By command.
    Removed,
    /// The client closed DTLS.
    ClosedByPeer,
    /// No ICE check for the consent interval.
    ConsentExpired,
    /// ICE or DTLS was not up in time.
    ConnectTimeout,
    /// The DTLS handshake failed or the certificate did not match the fingerprint.
    DtlsFailed,
}

/// One layer as the publisher sends it now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerInfo {
    /// 0 = smallest.
    pub spatial: u8,
    pub rid: Option<Rid>,
    /// Pixels; 0 until the first key frame told.
    pub width: u16,
    pub height: u16,
    /// Measured over the last second.
    pub bitrate_bps: u32,
    pub frames_per_second: f32,
    /// Packets arrive, or would if anybody wanted them.
    pub active: bool,
}

/// A published track.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackInfo {
    pub kind: MediaKind,
    /// `None` until the first packet told.
    pub codec: Option<Codec>,
    /// Empty for audio.
    pub layers: Vec<LayerInfo>,
    /// Packets lost between publisher and server that no retransmission mended, of those expected, over the last second.
    pub loss_fraction: f32,
    /// The RTP clock of the lowest active layer.
    pub clock: Option<ClockMap>,
    /// By how much the media time of the newest frame was behind the server's clock when it arrived, ms: the live edge is that far back.
    pub lag_ms: Option<f64>,
}

/// What happened on the media plane. `peer` and `broadcast` are always both known, so a consumer needs no map to route. What is said of something that
/// is published (`Tracks`, `Unwatched`, `Speaking`, `PublisherRefused`) has the id of the source, which may be one of the peer's own; everything else has
/// that of the broadcast that the peer belongs to, and is about its m-lines for that. Of its free m-lines nothing is said but `CannotDecode`, with the id of
/// the source that fills it.
#[derive(Debug, Clone)]
pub enum SfuEvent {
    /// ICE and DTLS are up.
    PeerConnected { peer: PeerId, broadcast: BroadcastId },
    /// The peer and all its tracks are gone.
    PeerGone { peer: PeerId, broadcast: BroadcastId, reason: PeerGone },
    /// The first media of a publisher arrived, or its tracks, codecs or layers changed (also once a second while live, for bitrates).
    Tracks { peer: PeerId, broadcast: BroadcastId, tracks: Vec<TrackInfo> },
    /// The first video packet (or audio, where there is no video) left for this viewer.
    Playing { peer: PeerId, broadcast: BroadcastId },
    /// The RTP clock of what this viewer is sent; on start, on every source or layer switch and every 10 s.
    TrackClock { peer: PeerId, broadcast: BroadcastId, mid: Mid, kind: MediaKind, clock: ClockMap },
    /// The layer this viewer is sent (`None`: nothing yet, or sound only) and the one it is moving to.
    Layer { peer: PeerId, broadcast: BroadcastId, mid: Mid, current: Option<u8>, target: Option<u8> },
    /// The viewer did not negotiate the codec of the broadcast.
    CannotDecode { peer: PeerId, broadcast: BroadcastId, codec: Codec },
    /// Nobody may be sent these layers of the publisher now, all of them named: it need not send them. An empty list wants everything.
    Unwatched { peer: PeerId, broadcast: BroadcastId, rids: Vec<Rid> },
    /// Somebody began or ceased to speak on the publisher's sound. `level_dbov`: how loud, 0 loudest, 127 silence.
    Speaking { peer: PeerId, broadcast: BroadcastId, speaking: bool, level_dbov: u8 },
    /// The publisher sends what cannot be forwarded in real time (B-frames).
    PublisherRefused { peer: PeerId, broadcast: BroadcastId, reason: PublisherProblem },
}

/// What a publisher sends that is refused, in words for its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublisherProblem {
    /// B-frames reorder the picture; browsers do not decode them over WebRTC.
    BFrames,
}

/// Counters of one peer since it joined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PeerStats {
    pub connected: bool,
    /// For how long nothing at all has come from it.
    pub silent_for: Duration,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub retransmitted: u64,
    /// Loss the peer reports, 0..1, of what we send; and what we see of what it sends.
    pub loss_down: f32,
    pub loss_up: f32,
    pub rtt_ms: Option<f32>,
    /// What the allocator believes the path to the peer carries.
    pub estimate_bps: Option<u32>,
    pub current_layer: Option<u8>,
    pub target_layer: Option<u8>,
}

/// What a worker is told. One answer each, through the oneshot.
#[derive(Debug)]
pub enum Command {
    AddPeer {
        peer: PeerId,
        home: u8,
        request: AddPeer,
        reply: oneshot::Sender<Result<PeerAnswer, SfuError>>,
    },
    Renegotiate {
        peer: PeerId,
        offer: String,
        source: Option<SourceId>,
        reply: oneshot::Sender<Result<PeerAnswer, SfuError>>,
    },
    RestartIce {
        peer: PeerId,
        remote_ufrag: String,
        remote_pwd: String,
        reply: oneshot::Sender<Result<IceRestarted, SfuError>>,
    },
    RemovePeer {
        peer: PeerId,
    },
    ChooseLayer {
        peer: PeerId,
        choice: LayerChoice,
    },
    DrawnAt {
        peer: PeerId,
        mid: Mid,
        height: u16,
    },
    Stats {
        peer: PeerId,
        reply: oneshot::Sender<Result<PeerStats, SfuError>>,
    },
    CloseBroadcast {
        broadcast: BroadcastId,
    },
    AddTap {
        broadcast: BroadcastId,
        tap: TapSender,
    },
    /// `None`: whatever it publishes.
    Withdraw {
        peer: PeerId,
        source: Option<SourceId>,
    },
    /// Each fill with the home worker of its source.
    Fill {
        peer: PeerId,
        fills: Vec<(Fill, u8)>,
    },
    ShowGuest {
        broadcast: BroadcastId,
        guest: Option<(SourceId, u8)>,
    },
    Silence {
        source: SourceId,
        silenced: bool,
    },
    /// A source is published on this worker from now on: whoever follows it follows it there.
    SourceAt {
        source: SourceId,
        home: u8,
    },
}

/// Cheap to clone; every clone talks to the same workers.
#[derive(Debug, Clone)]
pub struct SfuHandle {
    pub(super) pool: Arc<super::pool::Pool>,
}

impl SfuHandle {
    /// Adds a peer from an offer and returns the answer. Publishers land on the broadcast's home worker, viewers where there is room.
    ///
    /// # Errors
    /// Every variant of [`SfuError`] but `UnknownPeer`.
    pub async fn add_peer(&self, request: AddPeer) -> Result<PeerAnswer, SfuError> {
        let (peer, home) = self.pool.place(&request);
        if let Some(source) = request.source {
            self.tell_home(source, peer).await;
        }
        let (reply, answer) = oneshot::channel();
        let result = self.ask(peer, Command::AddPeer { peer, home, request, reply }, answer).await;
        if result.is_err() {
            self.pool.release(peer);
        }
        result
    }

    /// Answers a further offer on an existing peer: an ICE restart, a codec change or further m-lines. `source`: see [`AddPeer::source`].
    ///
    /// # Errors
    /// As [`Self::add_peer`], and `UnknownPeer`.
    pub async fn renegotiate(&self, peer: PeerId, offer: String, source: Option<SourceId>) -> Result<PeerAnswer, SfuError> {
        match source {
            Some(source) => self.tell_home(source, peer).await,
            None => self.pool.withdraw(peer),
        }
        let (reply, answer) = oneshot::channel();
        self.ask(peer, Command::Renegotiate { peer, offer, source, reply }, answer).await
    }

    /// A peer publishes this source no more, whatever it sends. Unknown peers, and those that publish another one by now, are ignored.
    pub async fn withdraw(&self, peer: PeerId, source: SourceId) {
        self.pool.withdraw_source(peer, source);
        self.tell(peer.worker(), Command::Withdraw { peer, source: Some(source) }).await;
    }

    /// Fills receiving m-lines of a peer with tracks of sources, wherever on this node those are published, or empties them. M-lines that are not named
    /// stay as they are; unknown peers, m-lines and sources are ignored, and so are the broadcast's own m-lines. A source that is not
    /// published yet fills its m-lines once it is.
    pub async fn fill(&self, peer: PeerId, fills: Vec<Fill>) {
        let fills =
            fills.into_iter().map(|fill| (fill, fill.source.and_then(|source| self.pool.home(source)).unwrap_or(peer.worker()))).collect();
        self.tell(peer.worker(), Command::Fill { peer, fills }).await;
    }

    /// Fills the guest m-lines of everybody who watches a broadcast, now or later, or empties them. A guest does not see or hear itself. Holds until it is
    /// said anew or the broadcast is closed. A source that nobody publishes is nobody.
    pub async fn show_guest(&self, broadcast: BroadcastId, guest: Option<SourceId>) {
        let guest = guest.and_then(|source| Some((source, self.pool.home(source)?)));
        for worker in 0..self.pool.workers() {
            self.tell(worker, Command::ShowGuest { broadcast, guest }).await;
        }
    }

    /// Forwards the sound of a source no more, or again. Unknown sources are ignored.
    pub async fn silence(&self, source: SourceId, silenced: bool) {
        if let Some(worker) = self.pool.home(source) {
            self.tell(worker, Command::Silence { source, silenced }).await;
        }
    }

    /// Gives a peer second ICE credentials; media flows on until the client nominates with them.
    ///
    /// # Errors
    /// `UnknownPeer`, `Unavailable`.
    pub async fn restart_ice(&self, peer: PeerId, remote_ufrag: String, remote_pwd: String) -> Result<IceRestarted, SfuError> {
        let (reply, answer) = oneshot::channel();
        self.ask(peer, Command::RestartIce { peer, remote_ufrag, remote_pwd, reply }, answer).await
    }

    /// Removes a peer: DTLS is closed towards the client, then `PeerGone { Removed }` follows. Unknown peers are ignored.
    pub async fn remove_peer(&self, peer: PeerId) {
        self.tell(peer.worker(), Command::RemovePeer { peer }).await;
    }

    /// Changes a viewer's layer choice. Unknown peers are ignored.
    pub async fn choose_layer(&self, peer: PeerId, choice: LayerChoice) {
        self.tell(peer.worker(), Command::ChooseLayer { peer, choice }).await;
    }

    /// How many lines a viewer's client draws of the picture on `mid`; 0: it draws none, and is sent none. Unknown peers and m-lines are
    /// ignored.
    pub async fn drawn_at(&self, peer: PeerId, mid: &str, height: u16) {
        if let Some(mid) = Mid::new(mid.as_bytes()) {
            self.tell(peer.worker(), Command::DrawnAt { peer, mid, height }).await;
        }
    }

    /// The counters of one peer.
    ///
    /// # Errors
    /// `UnknownPeer`, `Unavailable`.
    pub async fn peer_stats(&self, peer: PeerId) -> Result<PeerStats, SfuError> {
        let (reply, answer) = oneshot::channel();
        self.ask(peer, Command::Stats { peer, reply }, answer).await
    }

    /// Ends a broadcast on every worker: all its peers are removed.
    pub async fn close_broadcast(&self, broadcast: BroadcastId) {
        for worker in 0..self.pool.workers() {
            self.tell(worker, Command::CloseBroadcast { broadcast }).await;
        }
        self.pool.forget(broadcast);
    }

    /// Subscribes to all tracks of a broadcast: first what is needed of the past, then everything that arrives. Packets that find no room are
    /// dropped and counted. `None`: nobody has published or watched it here, or the media plane is shutting down.
    pub async fn tap(&self, broadcast: BroadcastId) -> Option<Tap> {
        let worker = self.pool.home(broadcast)?;
        let (tap, receiver) = tap(crate::limits::HLS_TAP_QUEUE);
        self.pool.sender(worker)?.send(Command::AddTap { broadcast, tap }).await.ok()?;
        Some(receiver)
    }

    /// Peers now on the node, publishers included.
    pub fn peers(&self) -> usize {
        self.pool.peers()
    }

    /// Counters of every worker, at most a second old.
    pub fn snapshots(&self) -> Vec<WorkerSnapshot> {
        self.pool.snapshots()
    }

    /// The peer publishes the source, on its worker. Where it was published on another one before, all of them hear of it.
    async fn tell_home(&self, source: SourceId, peer: PeerId) {
        if !self.pool.publish(source, peer) {
            return;
        }
        for worker in 0..self.pool.workers() {
            self.tell(worker, Command::SourceAt { source, home: peer.worker() }).await;
        }
    }

    async fn ask<T>(&self, peer: PeerId, command: Command, answer: oneshot::Receiver<Result<T, SfuError>>) -> Result<T, SfuError> {
        let worker = self.pool.sender(peer.worker()).ok_or(SfuError::UnknownPeer)?;
        worker.send(command).await.map_err(|_| SfuError::Unavailable)?;
        answer.await.map_err(|_| SfuError::Unavailable)?
    }

    async fn tell(&self, worker: u8, command: Command) {
        if let Some(sender) = self.pool.sender(worker) {
            // A closed worker has no peers left to tell anything about.
            drop(sender.send(command).await);
        }
    }
}

/// Events of all workers, in the order in which each worker saw them.
pub type SfuEvents = mpsc::Receiver<SfuEvent>;
