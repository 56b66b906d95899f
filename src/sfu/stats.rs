//! Plain counters of one worker. The core adds; the shell shows a copy to the rest of the program once a second.

use std::time::Duration;

use crate::sfu::group_cache::Unfit;
use crate::sfu::latency::LatencyClasses;
use crate::sfu::resend::NotResent;

/// Why a packet was not forwarded. Every packet that is not is counted under exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// From an address that belongs to no peer and carries no ICE user name of ours.
    UnknownPeer,
    /// From an address that passed no ICE check.
    UnvalidatedAddress,
    /// ICE: bad integrity, wrong user name, not STUN after all.
    Stun,
    /// Neither STUN, DTLS nor RTP by its first byte (RFC 7983).
    UnknownProtocol,
    /// DTLS that could not be processed.
    Dtls,
    /// SRTP or SRTCP before the keys are there.
    NoKeys,
    /// SRTP authentication failed or the packet was a replay.
    Srtp,
    /// Not RTP or RTCP by its header.
    Malformed,
    /// No m-line, RID or SSRC of the peer fits.
    UnknownSsrc,
    /// Payload type that was not negotiated.
    UnknownPayloadType,
    /// Padding only.
    EmptyPayload,
    /// This sequence number is there already.
    Duplicate,
    /// Another layer is being sent to this viewer.
    NotSelected,
    /// The viewer waits for a key frame of its layer.
    AwaitingKeyframe,
    /// Older than the viewer's last switch, or than its source's last restart.
    Late,
    /// The viewer did not negotiate this codec.
    CannotDecode,
    /// The viewer's transport is not up.
    NotConnected,
    /// The viewer asked for no picture.
    Muted,
    /// The socket would not take it, or the backlog of a TCP connection that does not drain.
    SocketFull,
    /// Another worker's queue was full.
    HandoverFull,
    /// A packager's queue was full.
    TapFull,
    /// Publisher sends B-frames.
    Refused,
    /// Sound of somebody whom a host has silenced.
    Silenced,
}

impl DropReason {
    pub const ALL: [Self; 23] = [
        Self::UnknownPeer,
        Self::UnvalidatedAddress,
        Self::Stun,
        Self::UnknownProtocol,
        Self::Dtls,
        Self::NoKeys,
        Self::Srtp,
        Self::Malformed,
        Self::UnknownSsrc,
        Self::UnknownPayloadType,
        Self::EmptyPayload,
        Self::Duplicate,
        Self::NotSelected,
        Self::AwaitingKeyframe,
        Self::Late,
        Self::CannotDecode,
        Self::NotConnected,
        Self::Muted,
        Self::SocketFull,
        Self::HandoverFull,
        Self::TapFull,
        Self::Refused,
        Self::Silenced,
    ];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UnknownPeer => "unknown_peer",
            Self::UnvalidatedAddress => "unvalidated_address",
            Self::Stun => "stun",
            Self::UnknownProtocol => "unknown_protocol",
            Self::Dtls => "dtls",
            Self::NoKeys => "no_keys",
            Self::Srtp => "srtp",
            Self::Malformed => "malformed",
            Self::UnknownSsrc => "unknown_ssrc",
            Self::UnknownPayloadType => "unknown_payload_type",
            Self::EmptyPayload => "empty_payload",
            Self::Duplicate => "duplicate",
            Self::NotSelected => "not_selected",
            Self::AwaitingKeyframe => "awaiting_keyframe",
            Self::Late => "late",
            Self::CannotDecode => "cannot_decode",
            Self::NotConnected => "not_connected",
            Self::Muted => "muted",
            Self::SocketFull => "socket_full",
            Self::HandoverFull => "handover_full",
            Self::TapFull => "tap_full",
            Self::Refused => "refused",
            Self::Silenced => "silenced",
        }
    }
}

/// How a TCP connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum TcpEnd {
    /// The client closed it, or it broke.
    ByClient,
    /// No check passed in time, or its peer is gone.
    Unchecked,
    /// Nothing came for too long.
    Idle,
    /// A frame longer than any of a WebRTC client.
    BadFrame,
    /// Not taken: the worker has as many as it may.
    Full,
    /// Not taken: its address has as many as it may.
    PerAddress,
}

impl TcpEnd {
    pub const ALL: [Self; 6] = [Self::ByClient, Self::Unchecked, Self::Idle, Self::BadFrame, Self::Full, Self::PerAddress];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ByClient => "by_client",
            Self::Unchecked => "unchecked",
            Self::Idle => "idle",
            Self::BadFrame => "bad_frame",
            Self::Full => "full",
            Self::PerAddress => "per_address",
        }
    }
}

/// Why a viewer was sent a cached group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum ReplayCause {
    /// It joined, or wants the picture again.
    Join,
    /// It asked for a key frame.
    Wish,
    /// It goes to another layer.
    Switch,
}

impl ReplayCause {
    pub const ALL: [Self; 3] = [Self::Join, Self::Wish, Self::Switch];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Wish => "wish",
            Self::Switch => "switch",
        }
    }
}

/// A worker as it was at most a second ago.
#[derive(Debug, Clone, Default)]
pub struct WorkerSnapshot {
    pub counters: Counters,
    /// When it was so, since the worker started, and what its thread has used of its core until then.
    pub up: Duration,
    pub cpu: Duration,
    /// The longest turn of the last second: from the arrival of a batch until every viewer had it.
    pub slowest_turn: Duration,
    /// Since the worker started.
    pub latency: LatencyClasses,
    pub peers: usize,
    /// With a publisher on this worker.
    pub broadcasts: usize,
    /// TCP connections open.
    pub tcp_connections: usize,
    pub tcp_ended: [u64; TcpEnd::ALL.len()],
}

/// Totals since the worker started.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_forwarded: u64,
    pub bytes_forwarded: u64,
    /// Calls to the socket that carried those packets.
    pub sends: u64,
    pub retransmitted: u64,
    /// Asked for by a viewer and no longer in the ring.
    pub retransmit_missed: u64,
    /// Of video, to viewers who lose much from afar.
    pub parity_packets: u64,
    /// Probes of what a path carries, and what was sent to fill them up.
    pub probes: u64,
    pub padding_packets: u64,
    pub padding_bytes: u64,
    /// Frames that were spread over time because they were large for their viewer.
    pub paced_frames: u64,
    /// Asked for by a viewer and not sent again, by why.
    pub not_resent: [u64; NotResent::ALL.len()],
    pub keyframe_requests: u64,
    /// Cached groups that began to be sent to a viewer.
    pub replays: [u64; ReplayCause::ALL.len()],
    /// Newcomers who were sent a key frame alone, because its group could not be.
    pub replay_fallbacks: [u64; Unfit::ALL.len()],
    /// Times that viewers asked for a key frame.
    pub keyframe_wishes: u64,
    pub nacks_to_publishers: u64,
    /// Packets of sound that a publisher's redundancy brought instead of themselves.
    pub mended_by_redundancy: u64,
    /// Packets of sound that were sent with earlier ones in them.
    pub redundant: u64,
    pub handshakes_completed: u64,
    pub handshakes_failed: u64,
    pub events_dropped: u64,
    pub address_changes: u64,
    pub dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// Counts one packet that goes no further.
    pub fn drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}
