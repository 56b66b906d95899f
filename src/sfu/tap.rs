//! In-process subscribers of an up-track. Other workers subscribe this way, and so will packagers and relays: decrypted packets, once per
//! subscriber whatever its audience, over a bounded queue. A full queue drops the newest run and counts it; media never waits.

use std::sync::Arc;

use tokio::sync::mpsc;

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
pub type Tap = mpsc::Receiver<TapRun>;

/// The engine's end of a [`Tap`].
pub type TapSender = mpsc::Sender<TapRun>;

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
