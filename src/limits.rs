//! Every bound of the system: its unit, its reason, and what happens when it is reached. One section per room of the house.

use std::time::Duration;

// ---- Media plane: peers and broadcasts ----

/// Longest SDP offer, bytes. A browser's offer with simulcast and all codecs is about 9 KB. Longer: refused.
pub const SDP_BYTES_MAX: usize = 64 * 1024;
/// M-lines in one offer. One broadcast and a full call need fewer than 32. More: refused.
pub const SDP_MEDIA_MAX: usize = 64;
/// Workers of one node; a `PeerId` has one byte for them.
pub const WORKERS_MAX: usize = 64;
/// Peers of one worker. Full: the newcomer is told so.
pub const PEERS_PER_WORKER_MAX: usize = 20_000;
/// Commands waiting for one worker. Full: the caller waits.
pub const COMMAND_QUEUE: usize = 1024;
/// Events waiting for the control plane. Full: statistics are dropped, life-cycle events are kept by the worker and offered again.
pub const EVENT_QUEUE: usize = 8192;
/// Packet runs from other workers waiting for one worker. Full: the newest run is dropped and counted.
pub const HANDOVER_QUEUE: usize = 4096;

// ---- Broadcasts ----

/// How long a broadcast waits for a publisher that vanished before it ends.
pub const PUBLISHER_RETURN_WINDOW: Duration = Duration::from_secs(15);
