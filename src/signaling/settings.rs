//! What the operator decides about the control plane.

use super::ice_servers::IceServers;

/// Resolved configuration of signaling and the REST interface.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Anybody may make broadcasts and publish those that nobody owns.
    pub open_publish: bool,
    /// Anybody may watch.
    pub open_view: bool,
    /// How far live broadcasts can be rewound; none: not at all.
    pub dvr_window_s: Option<u32>,
    /// Viewers' media peers of this node; none: as many as the workers take.
    pub max_viewers: Option<usize>,
    /// Bits per second that viewers' media may take; none: as much as the network takes.
    pub egress_max_bps: Option<u64>,
    /// Viewers for whom there is no room can watch by HLS.
    pub has_hls: bool,
    /// What clients are told to gather candidates with.
    pub ice_servers: IceServers,
    /// `https://host[:port]` under which people reach this server, without a slash at the end.
    pub public_base_url: String,
}
