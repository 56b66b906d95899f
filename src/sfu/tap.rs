//! In-process subscribers of an up-track. Other workers subscribe this way, and so will packagers and relays: decrypted packets, once per
//! subscriber whatever its audience, over a bounded queue. A full queue drops the newest run and counts it; media never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use crate::ids::BroadcastId;
use crate::sfu::codec::MediaKind;
use crate::sfu::layer_demand::LayerSet;
use crate::sfu::packet::RtpPacket;
use crate::timeline::ClockMap;

/// Which track of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackSlot {
    MainVideo,
    MainAudio,
}

impl TrackSlot {
    pub const ALL: [Self; 2] = [Self::MainVideo, Self::MainAudio];

    pub const fn kind(self) -> MediaKind {
        match self {
            Self::MainVideo => MediaKind::Video,
            Self::MainAudio => MediaKind::Audio,
        }
    }

    pub const fn index(self) -> usize {
        match self {
            Self::MainVideo => 0,
            Self::MainAudio => 1,
        }
    }
}

/// Packets of one layer that arrived together.
#[derive(Debug, Clone)]
pub struct TapRun {
    pub broadcast: BroadcastId,
    /// The worker that it was published on: after a move what its former home has handed over may still be on its way.
    pub home: u8,
    pub slot: TrackSlot,
    /// Index of the layer on its track.
    pub layer: u8,
    /// Rises with every change or restart of the source: whoever sees a new one starts over.
    pub source: u32,
    /// Rises with every restart of this layer alone; see [`crate::sfu::up_track::Layer::generation`].
    pub generation: u32,
    pub clock: Option<ClockMap>,
    /// A sender report told `clock`, not merely the arrival of the first packet.
    pub clock_is_real: bool,
    pub packets: Arc<[Arc<RtpPacket>]>,
}

/// A subscriber in this process, of all tracks of one broadcast, on its home worker. Dropping it ends the subscription; it ends by itself
/// when the broadcast is closed.
#[derive(Debug)]
pub struct Tap {
    runs: mpsc::Receiver<TapRun>,
    wants_all: Arc<AtomicBool>,
}

/// The engine's end of a [`Tap`].
#[derive(Debug, Clone)]
pub struct TapSender {
    runs: mpsc::Sender<TapRun>,
    wants_all: Arc<AtomicBool>,
}

/// Both ends of a subscription; at most `queue` runs wait.
pub fn tap(queue: usize) -> (TapSender, Tap) {
    let (sender, runs) = mpsc::channel(queue);
    let wants_all = Arc::new(AtomicBool::new(true));
    (TapSender { runs: sender, wants_all: Arc::clone(&wants_all) }, Tap { runs, wants_all })
}

impl Tap {
    /// The next run; `None`: the subscription has ended.
    pub async fn recv(&mut self) -> Option<TapRun> {
        self.runs.recv().await
    }

    /// The next run, if there is one already.
    ///
    /// # Errors
    /// There is none yet, or the subscription has ended.
    pub fn try_recv(&mut self) -> Result<TapRun, TryRecvError> {
        self.runs.try_recv()
    }

    /// Whether it has a use for every layer, as it has at first; else for whatever is sent for others. The engine looks with its next tick.
    pub fn set_wants_all(&self, wants_all: bool) {
        // Nothing else is read by it.
        self.wants_all.store(wants_all, Ordering::Relaxed);
    }
}

impl TapSender {
    /// Hands a run over; never waits.
    ///
    /// # Errors
    /// There is no room, or nobody there any more.
    pub fn try_send(&self, run: TapRun) -> Result<(), TrySendError<TapRun>> {
        self.runs.try_send(run)
    }

    pub fn is_closed(&self) -> bool {
        self.runs.is_closed()
    }

    pub fn wants_all(&self) -> bool {
        self.wants_all.load(Ordering::Relaxed)
    }
}

/// Between workers. Everything but the media is a statement of how things are and is repeated, so a lost one does no harm.
#[derive(Debug, Clone)]
pub enum Handover {
    /// `worker` has viewers of this broadcast (repeated once a second).
    Subscribe {
        broadcast: BroadcastId,
        worker: u8,
    },
    /// Which layers its viewers may be sent (repeated with the subscription).
    Wanted {
        broadcast: BroadcastId,
        worker: u8,
        layers: LayerSet,
    },
    /// It has none any more.
    Unsubscribe {
        broadcast: BroadcastId,
        worker: u8,
    },
    /// One of its viewers cannot go on without a key frame (repeated while that is so).
    NeedKeyframe {
        broadcast: BroadcastId,
        layer: u8,
    },
    Run(TapRun),
    /// What a worker that has just subscribed needs of the past: the group of one layer, so that its newcomers can start as those at home
    /// do. At most `limits::GROUP_PACKETS_MAX` packets, shared like all others. Lost: they wait for the next key frame.
    Group(TapRun),
    /// The publisher is gone that it had on this worker.
    SourceGone {
        broadcast: BroadcastId,
        home: u8,
    },
}
