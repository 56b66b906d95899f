//! The media plane. It knows RTP and peers; it knows no JSON, HTTP, Redis or chat.
//!
//! A packet's way, top to bottom:
//! ```text
//! udp.rs, tcp.rs    a batch of datagrams                               (framing.rs)
//! worker.rs         stamps `now`
//! engine/           demultiplexes by validated address, else by ICE user fragment
//!   transport/      STUN -> ICE-lite, DTLS -> keys, SRTP -> plain
//!   publisher.rs    SSRC -> layer; loss, reports, clock                (ingest/)
//!   up_track.rs     cache (packet_ring.rs, group_cache.rs), meters, ranks
//!   forward.rs      THE HOT PATH: select, rewrite, seal, send          (down_track.rs, selection.rs, rewrite.rs, left_out.rs)
//!   tap.rs          one hand-over per other worker
//! udp.rs, tcp.rs    one system call per viewer and frame
//! ```
//! A peer belongs to one broadcast; what it sends, and what fills its further m-lines, may be other sources: a call's members and guests
//! (engine/sources.rs). Each source is a `broadcast.rs` of its own, so all of the above works for them alike.
//! A newcomer's way: group_cache.rs -> replay.rs, a place in the ring, when its turn comes (pacer.rs), until it is live.
//! The way back: NACK -> resend.rs -> rewrite.rs -> packet_ring.rs; PLI -> wishes.rs -> replay.rs, then keyframe.rs; feedback -> congestion/ -> down_track.rs.
//!
//! Core and shell: `start.rs`, `worker.rs`, `udp.rs`, `tcp.rs`, `pool.rs` and `handle.rs` touch threads, sockets or clocks; nothing else does.

pub mod codec;
pub mod congestion;
pub mod handle;
pub mod ingest;
pub mod negotiate;
pub mod rtp;
pub mod transport;

pub mod audio_level;
pub mod broadcast;
pub mod down_report;
pub mod down_track;
pub mod engine;
pub mod forward;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod group_cache;
pub mod keyframe;
pub mod ladder;
pub mod latency;
pub mod layer_demand;
pub mod left_out;
pub mod line;
pub mod pacer;
pub mod packet;
pub mod packet_ring;
pub mod payload_map;
pub mod peer;
pub mod protection;
pub mod publisher;
pub mod redundancy;
pub mod replay;
pub mod resend;
pub mod rewrite;
pub mod selection;
pub mod stats;
pub mod tap;
pub mod up_track;
pub mod verdict;
pub mod wishes;

#[cfg(test)]
pub(crate) mod fake;
mod framing;
mod pool;
mod start;
mod tcp;
mod udp;
mod worker;

pub use handle::{SfuEvent, SfuEvents, SfuHandle};
pub use start::{SfuConfig, SfuShutdown, StartError, start};
pub use udp::local_addresses;
