//! What messages about media peers are made of.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::sfu::codec::MediaKind;

/// What a media peer is for. The m-lines' directions say the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    View,
    Publish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum QualityChoice {
    Auto,
    /// At most this spatial layer (0 = smallest).
    Layer {
        spatial: u8,
    },
    AudioOnly,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PeerState {
    Connected,
    Gone {
        /// `removed`, `closed_by_peer`, `consent_expired`, `connect_timeout` or `dtls_failed`.
        reason: String,
    },
}

/// Which source fills a receiving m-line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Slot {
    pub mid: String,
    pub kind: MediaKind,
    /// `main`: the broadcast itself; `guest`: who is on air beside it; `member:{id}`: a member of the call.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub credential: Option<String>,
}

/// What a client measured about its own playback.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct PlaybackReport {
    /// From the person's click (or page load) to the first frame on screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_frame_ms: Option<f64>,
    /// Server clock minus the media time on screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub latency_ms: Option<f64>,
    /// Since the last report.
    #[serde(default)]
    pub freezes: u32,
    #[serde(default)]
    pub frozen_ms: f64,
    #[serde(default)]
    pub frames_dropped: u32,
}

/// Server-side statistics of one peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct StatsView {
    /// Bits per second over the last second, media and retransmissions.
    pub sent_bps: u32,
    pub received_bps: u32,
    /// 0..1 over the last reports.
    pub loss_down: f32,
    pub loss_up: f32,
    pub retransmitted: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rtt_ms: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub estimate_bps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub current_layer: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub target_layer: Option<u8>,
}
