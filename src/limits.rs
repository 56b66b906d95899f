//! Every bound of the system: its unit, its reason, and what happens when it is reached. One section per room of the house.

use std::time::Duration;

// ---- Accounts and store ----

/// Longest token, bytes. Ours have about 400. Longer: invalid, unread.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// How long a statement waits for another process's lock on the database file. Longer: the statement fails.
pub const STORE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read the database (one more writes). More at once: they wait.
pub const STORE_READERS: u32 = 4;
/// Broadcasts loaded at start, the most recent first. More: the oldest are reachable through the store only.
pub const BROADCASTS_LOADED_MAX: u32 = 10_000;

// ---- Media plane: peers and broadcasts ----

/// Longest SDP offer, bytes. A browser's offer with simulcast and all codecs is about 9 KB. Longer: refused.
pub const SDP_BYTES_MAX: usize = 64 * 1024;
/// M-lines in one offer. One broadcast and a full call need fewer than 32. More: refused.
pub const SDP_MEDIA_MAX: usize = 64;
/// Attribute lines of one offer; a browser's video m-line has about 100. More: refused.
pub const SDP_ATTRIBUTES_MAX: usize = 4096;
/// Simulcast layers of one up-track; browsers send at most three. More: the last ones are not accepted, and the client stops sending them.
pub const SIMULCAST_LAYERS_MAX: usize = 4;
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

// ---- Media plane: ingest reports ----

/// Missing packets remembered per received stream. More: a burst that retransmission cannot mend in time; all are forgotten and a key
/// frame is needed.
pub const NACK_MISSING_MAX: usize = 512;
/// Requests for one missing packet. Reached: given up, a key frame is needed.
pub const NACK_TRIES_MAX: u8 = 10;
/// How long a missing packet is asked for. Later it would miss every viewer's jitter buffer.
pub const NACK_AGE_MAX: Duration = Duration::from_secs(1);
/// Packets whose arrival is kept for transport-wide feedback, reported ones included, so that late ones can still be reported. A second
/// of 16 Mbit/s. Full: the oldest are forgotten unreported.
pub const TWCC_WINDOW_MAX: usize = 2048;
/// Packets one transport-wide feedback speaks of, so that it stays below 1000 bytes. More: a further feedback follows at once.
pub const TWCC_STATUSES_MAX: usize = 400;

// ---- Broadcasts ----

/// How long a broadcast waits for a publisher that vanished before it ends.
pub const PUBLISHER_RETURN_WINDOW: Duration = Duration::from_secs(15);

// ---- Transport: ICE, DTLS, SRTP of one peer ----

/// Characters of our ICE user fragment: 48 bits, enough that no two peers of a node share one.
pub const ICE_UFRAG_LEN: usize = 8;
/// Characters of our ICE password: 144 bits (RFC 8445 section 5.3 asks for 128).
pub const ICE_PASSWORD_LEN: usize = 24;
/// A peer that passed no check by then is given up. A client's own checks fail after about 15 s.
pub const ICE_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A peer without a valid check for this long is gone (RFC 7675 section 5.1).
pub const ICE_CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Addresses of one peer that passed a check: its interfaces times two IP versions. Full: the oldest that is not selected is forgotten.
pub const ICE_VALIDATED_MAX: usize = 8;
/// A DTLS handshake that is not complete by then fails: five retransmissions on a bad mobile link.
pub const DTLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Datagrams of one handshake; a clean one has 3 to 6. More: the handshake fails.
pub const DTLS_HANDSHAKE_DATAGRAMS_MAX: usize = 64;
/// Bytes of one handshake; a clean one has about 2 KB. More: the handshake fails.
pub const DTLS_HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// Datagrams kept while a fragmented ClientHello is incomplete (post-quantum key shares take two or three). Full: the newest is dropped.
pub const DTLS_HELLO_DATAGRAMS_MAX: usize = 8;
/// Longest ClientHello, bytes. Longer: not reassembled, the handshake times out.
pub const DTLS_HELLO_BYTES_MAX: usize = 8 * 1024;
/// Plaintext datagrams answered after the handshake: a client repeats its last flight when ours was lost. More: dropped unread.
pub const DTLS_REPEATS_MAX: usize = 32;
/// RTP streams of one publishing peer: three layers with RTX on two videos, audio, screen share. More: packets are dropped unread.
pub const SRTP_SSRCS_MAX: usize = 32;
/// SRTCP senders of one peer: one per stream it sends or receives. More: packets are dropped unread.
pub const SRTCP_SSRCS_MAX: usize = 64;
/// SRTP and SRTCP replay window, packets. RTX and reordering reach further back than the 64 of RFC 3711.
pub const SRTP_REPLAY_WINDOW: usize = 1024;
