//! Every metric: its name as a constant, its kind, unit, labels and meaning. `docs/operations.md` is held to this list by a test.
//!
//! Names are `courtside_<area>_<what>_<unit>`, counters end in `_total`. Label values come from closed sets, never from ids, addresses or
//! anything a client chooses.

use crate::limits::FORWARDING_CLASSES_US;

/// What a metric is, for `# TYPE`, the documentation and its test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    /// With these bucket bounds.
    Histogram(Buckets),
}

/// Bounds of histogram buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// 10 ms to 20 s.
    Milliseconds,
    /// `limits::FORWARDING_CLASSES_US`, in seconds.
    Forwarding,
}

const FORWARDING_S: [f64; FORWARDING_CLASSES_US.len()] = {
    let (mut seconds, mut at) = ([0.0; FORWARDING_CLASSES_US.len()], 0);
    while at < seconds.len() {
        seconds[at] = FORWARDING_CLASSES_US[at] as f64 / 1e6;
        at += 1;
    }
    seconds
};

impl Buckets {
    /// Upper bounds, ascending.
    pub const fn bounds(self) -> &'static [f64] {
        match self {
            Self::Milliseconds => {
                &[10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 750.0, 1000.0, 1500.0, 2500.0, 5000.0, 10_000.0, 20_000.0]
            }
            Self::Forwarding => &FORWARDING_S,
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub unit: metrics::Unit,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

macro_rules! metric_names {
    ($($constant:ident $name:literal $kind:expr, $unit:ident [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*
        /// Every metric, by area.
        pub const METRICS: &[Metric] =
            &[$(Metric { name: $name, kind: $kind, unit: metrics::Unit::$unit, labels: &[$($label),*], help: $help }),*];
    };
}

use Buckets::{Forwarding, Milliseconds};
use MetricKind::{Counter, Gauge, Histogram};

metric_names! {
    // Media plane
    SFU_PEERS "courtside_sfu_peers" Gauge, Count ["worker"] "WebRTC peers now, publishers included.";
    SFU_BROADCASTS "courtside_sfu_broadcasts" Gauge, Count ["worker"] "Broadcasts whose publisher is on this worker.";
    SFU_HANDSHAKES "courtside_sfu_handshakes_total" Counter, Count ["worker", "result"] "DTLS handshakes by result: ok, failed.";
    SFU_PACKETS_RECEIVED "courtside_sfu_packets_received_total" Counter, Count ["worker"] "RTP packets of publishers that were accepted.";
    SFU_BYTES_RECEIVED "courtside_sfu_received_bytes_total" Counter, Bytes ["worker"] "Their bytes.";
    SFU_FORWARDING "courtside_sfu_forwarding_seconds" Histogram(Forwarding), Seconds ["worker"] "Time in the server of packets sent to viewers, at most: each counts with its bucket's bound.";
    SFU_PACKETS_FORWARDED "courtside_sfu_packets_forwarded_total" Counter, Count ["worker"] "RTP packets sent to viewers.";
    SFU_BYTES_FORWARDED "courtside_sfu_forwarded_bytes_total" Counter, Bytes ["worker"] "Their bytes.";
    SFU_SENDS "courtside_sfu_sends_total" Counter, Count ["worker"]
        "Calls to the socket that carried them; packets forwarded per send is the batch that segmentation offload reaches.";
    SFU_PACKETS_DROPPED "courtside_sfu_packets_dropped_total" Counter, Count ["worker", "reason"] "Packets not forwarded, by reason.";
    SFU_PACKETS_RETRANSMITTED "courtside_sfu_packets_retransmitted_total" Counter, Count ["worker"] "Packets sent again because a viewer asked.";
    SFU_RETRANSMITS_MISSED "courtside_sfu_retransmits_missed_total" Counter, Count ["worker"] "Packets a viewer asked for again that were no longer kept.";
    SFU_PARITY "courtside_sfu_parity_packets_total" Counter, Count ["worker"] "Parity packets (FlexFEC) sent beside video, to viewers who report loss from afar.";
    SFU_PROBES "courtside_sfu_probes_total" Counter, Count ["worker"] "Probes of what a viewer's path carries.";
    SFU_PADDING_PACKETS "courtside_sfu_padding_packets_total" Counter, Count ["worker"] "Packets sent again to fill up a probe.";
    SFU_PADDING_BYTES "courtside_sfu_padding_bytes_total" Counter, Bytes ["worker"] "Bytes of those packets.";
    SFU_FRAMES_PACED "courtside_sfu_frames_paced_total" Counter, Count ["worker"] "Frames spread over time because they were large for their viewer.";
    SFU_NOT_RESENT "courtside_sfu_retransmits_refused_total" Counter, Count ["worker", "reason"]
        "Packets a viewer asked for again that were not sent: just_sent, too_often, over_budget, queue_full, not_received (from the publisher yet), superseded (by a key frame of another layer).";
    SFU_NACKS_SENT "courtside_sfu_nacks_sent_total" Counter, Count ["worker"] "Packets asked for again from publishers.";
    SFU_MENDED_BY_REDUNDANCY "courtside_sfu_sound_mended_total" Counter, Count ["worker"]
        "Packets of sound lost on the way from a publisher that a later one carried too.";
    SFU_REDUNDANT "courtside_sfu_sound_redundant_total" Counter, Count ["worker"]
        "Packets of sound sent with earlier ones in them, to viewers who report loss.";
    SFU_KEYFRAME_REQUESTS "courtside_sfu_keyframe_requests_total" Counter, Count ["worker"] "Key frames asked from publishers.";
    SFU_KEYFRAME_WISHES "courtside_sfu_keyframe_wishes_total" Counter, Count ["worker"] "Times that viewers asked for a key frame (PLI, FIR).";
    SFU_REPLAYS "courtside_sfu_replays_total" Counter, Count ["worker", "cause"]
        "Cached groups of pictures sent to a viewer, by cause: join, wish (it asked for a key frame), switch (of layer).";
    SFU_REPLAY_FALLBACKS "courtside_sfu_replay_fallbacks_total" Counter, Count ["worker", "reason"]
        "Newcomers sent a key frame alone, with a new one asked for, because the group was: too_old, too_large, damaged.";
    SFU_ADDRESS_CHANGES "courtside_sfu_address_changes_total" Counter, Count ["worker"] "Peers that moved to another network address and were followed.";
    SFU_TCP_CONNECTIONS "courtside_sfu_tcp_connections" Gauge, Count ["worker"] "Media connections over TCP (ICE-TCP) open now.";
    SFU_TCP_ENDED "courtside_sfu_tcp_ended_total" Counter, Count ["worker", "reason"]
        "Media connections over TCP that ended, by reason: by_client, unchecked (no check passed, or its peer is gone), idle, bad_frame, full and per_address (not taken).";
    SFU_EVENTS_DROPPED "courtside_sfu_events_dropped_total" Counter, Count ["worker"] "Statistics events dropped because the control plane was slow.";
    // Signaling
    SIGNALING_CONNECTIONS "courtside_signaling_connections" Gauge, Count [] "WebSocket connections open now.";
    SIGNALING_SESSIONS "courtside_signaling_sessions" Gauge, Count [] "Sessions now, those between two connections included.";
    SIGNALING_SESSIONS_RESUMED "courtside_signaling_sessions_resumed_total" Counter, Count [] "Sessions taken up again by a new connection.";
    SIGNALING_MESSAGES_RECEIVED "courtside_signaling_messages_received_total" Counter, Count ["type"] "Messages from clients, by type.";
    SIGNALING_MESSAGES_SENT "courtside_signaling_messages_sent_total" Counter, Count [] "Messages to clients.";
    SIGNALING_ERRORS "courtside_signaling_errors_total" Counter, Count ["code"] "Errors told to clients over WebSocket and HTTP, by stable code.";
    SIGNALING_BYES "courtside_signaling_byes_total" Counter, Count ["reason"] "Connections closed by the server, by reason.";
    NODE_IN_USE "courtside_node_in_use" Gauge, Count [] "How much of the node is in use: the largest of bytes sent against `max_egress_mbps`, the busiest worker's core, and how long its viewers wait. From 0.85 on viewers are asked to watch by HLS.";
    VIEWERS_ASKED_TO_MOVE "courtside_viewers_asked_to_move_total" Counter, Count ["to"] "Viewers asked to change their transport: hls (to make room), webrtc (there is room again).";
    SIGNALING_BROADCASTS "courtside_signaling_broadcasts" Gauge, Count [] "Broadcasts in memory, those that ended recently included.";
    SIGNALING_ON_AIR "courtside_signaling_broadcasts_on_air" Gauge, Count [] "Broadcasts that are live or wait for their publisher's return.";
    SIGNALING_VIEWERS "courtside_signaling_viewers" Gauge, Count [] "People watching now, over all broadcasts.";
    // Accounts
    ACCOUNTS_SIGN_INS "courtside_accounts_sign_ins_total" Counter, Count ["result"] "Attempts to sign in, by result: ok, wrong.";
    ACCOUNTS_SIGN_UPS "courtside_accounts_sign_ups_total" Counter, Count [] "Accounts made.";
    ACCOUNTS_TOKENS_REUSED "courtside_accounts_refresh_tokens_reused_total" Counter, Count []
        "Refresh tokens that came a second time; the device they belong to was signed out.";
    ACCOUNTS_PASSWORDS_REFUSED "courtside_accounts_passwords_refused_total" Counter, Count [] "Passwords not checked because too many were waiting.";
    ACCOUNTS_RATE_LIMITED "courtside_accounts_rate_limited_total" Counter, Count ["kind"]
        "Requests refused for their rate: sign_up, sign_in, refresh, letter, code, confirmed, change, search, private_message, read_mark, friend_request.";
    ACCOUNTS_LETTERS "courtside_accounts_letters_total" Counter, Count ["result"] "Letters, by result: sent, logged, failed, dropped.";
    // Social plane
    SOCIAL_HOMES "courtside_social_homes" Gauge, Count [] "Broadcasts whose chat is ordered by this node.";
    SOCIAL_TAKEOVERS "courtside_social_takeovers_total" Counter, Count [] "Times that this node became the home of a chat.";
    SOCIAL_SEATS "courtside_social_seats" Gauge, Count [] "Connections in a chat on this node.";
    SOCIAL_REQUESTS "courtside_social_requests_total" Counter, Count ["result"] "Messages and other requests to chats, by result: done, refused, filtered, held, unavailable.";
    SOCIAL_HELD "courtside_social_held_messages_total" Counter, Count ["result"]
        "Messages that the filter lets wait for a moderator, by result: held, approved, refused, expired, full.";
    SOCIAL_TAPS "courtside_social_taps_total" Counter, Count [] "Reactions of people on this node.";
    SOCIAL_FRAMES "courtside_social_frames_total" Counter, Count [] "Frames made for everybody in a chat, each encoded once or once a cohort.";
    SOCIAL_PERSONAL "courtside_social_personal_frames_total" Counter, Count [] "Frames for one person alone, because a sampled frame lacks what concerns them.";
    SOCIAL_RESYNCS "courtside_social_resyncs_total" Counter, Count [] "Times that a reader fell so far behind that it was sent the present state instead.";
    SOCIAL_SLOW_SEATS "courtside_social_slow_seats_total" Counter, Count [] "Readers that were given up because they read too slowly.";
    SOCIAL_GAPS "courtside_social_gaps_total" Counter, Count [] "Times that this node missed something of a chat and read the log.";
    SOCIAL_BUS_ERRORS "courtside_social_bus_errors_total" Counter, Count ["operation"]
        "Calls to the bus that failed: publish, append, read, save, lease, beat, nodes, malformed.";
    SOCIAL_ARCHIVE_LOST "courtside_social_archive_lost_total" Counter, Count []
        "Batches of events, snapshots, actions and reports of chats that could not be written into the archive.";
    SOCIAL_ONLINE "courtside_social_people_online" Gauge, Count [] "People with an account who are connected to this node.";
    SOCIAL_NOTES_LOST "courtside_social_notes_lost_total" Counter, Count []
        "Things for one person that could not be told to other nodes, or were missed; clients find them by REST.";
    CALLS "courtside_calls" Gauge, Count [] "Friends' calls that this node holds.";
    CALL_MEMBERS "courtside_call_members" Gauge, Count [] "People in them.";
    CALL_RINGS "courtside_call_rings_total" Counter, Count ["result"] "Rings of people into calls, by what became of them: rung, answered, declined, missed.";
    CALL_REFUSALS "courtside_call_refusals_total" Counter, Count ["reason"]
        "Requests about calls that were refused, by reason: not_found, not_joined, not_invited, expired, removed, blocked, full, video_full, too_fast, not_host, not_friends, invalid.";
    ON_AIR_GUESTS "courtside_on_air_guests_total" Counter, Count [] "Times that a viewer was brought on air.";
    // HLS fallback
    HLS_PACKAGERS "courtside_hls_packagers" Gauge, Count [] "Broadcasts that are packaged now.";
    HLS_WAITING "courtside_hls_requests_waiting" Gauge, Count [] "Requests that wait for what they name.";
    HLS_REQUESTS "courtside_hls_requests_total" Counter, Count ["file", "status"]
        "Requests answered, by kind of file (playlist, init, segment, part, recorded, check, none) and class of status.";
    HLS_PARTS "courtside_hls_parts_total" Counter, Count [] "Parts published, over all renditions.";
    HLS_LOSSES "courtside_hls_losses_total" Counter, Count ["kind"]
        "What was lost before it could be packaged, by kind: late (packets that came after they were given up, or twice), gap (holes that nothing filled), frame (not whole, or behind such a one).";
    HLS_FRAMES_LEFT_OUT "courtside_hls_frames_left_out_total" Counter, Count []
        "Whole frames that had no place in a segment: before the first boundary of their layer, out of order, or of another format.";
    HLS_ENCODER_DROPPED "courtside_hls_encoder_dropped_total" Counter, Count ["of"]
        "Frames that an encoder (sound, picture) did not take in time, and those that build on them; frames of a guest's sound that came too late for it (mix).";
    HLS_ENCODER_ENDS "courtside_hls_encoder_ends_total" Counter, Count ["of", "reason"]
        "Encoders (of sound, of the ladder of a picture, of the programme with a guest, of the mix with their voice) that ended, by reason: full (as many run as may), start (it could not be started), died, hung, lags (it does not keep up), malformed, starved (nothing came), jumped (the source began anew), unwanted.";
    HLS_DVR_RECORDINGS "courtside_hls_recordings" Gauge, Count [] "Recordings on this node: of broadcasts on air, and replays.";
    HLS_DVR_BYTES "courtside_hls_recordings_bytes" Gauge, Bytes [] "What they have stored.";
    HLS_DVR_DEGRADED "courtside_hls_recordings_degraded" Gauge, Count []
        "Recordings that do not work now, because disk or bucket refuse them; their broadcasts go on live.";
    HLS_DVR_SEGMENTS "courtside_hls_segments_recorded_total" Counter, Count [] "Segments written, over all renditions.";
    HLS_DVR_BYTES_WRITTEN "courtside_hls_recorded_bytes_total" Counter, Bytes [] "Bytes of segments written.";
    HLS_DVR_LOST "courtside_hls_recording_losses_total" Counter, Count ["reason"]
        "What is missing from recordings, by reason: queue and bytes (the storage is too slow), storage (it refused a file), index (it refused records).";
    HLS_THUMBS "courtside_hls_preview_pictures_total" Counter, Count ["result"]
        "Preview pictures, by result: made, failed, left_out (others were being made).";
    // What clients report about themselves
    CLIENT_FIRST_FRAME "courtside_client_first_frame_milliseconds" Histogram(Milliseconds), Milliseconds [] "From click to first frame, as clients report.";
    CLIENT_LATENCY "courtside_client_latency_milliseconds" Histogram(Milliseconds), Milliseconds [] "Server clock minus media time on screen, as clients report.";
    CLIENT_FREEZES "courtside_client_freezes_total" Counter, Count [] "Freezes clients report.";
    CLIENT_FROZEN "courtside_client_frozen_milliseconds" Histogram(Milliseconds), Milliseconds [] "Frozen time per report that had any.";
    CLIENT_FRAMES_DROPPED "courtside_client_frames_dropped_total" Counter, Count [] "Frames clients decoded and did not show.";
    // HTTP
    HTTP_CONNECTIONS "courtside_http_connections" Gauge, Count [] "HTTP connections open now, upgraded ones not included.";
    HTTP_CONNECTIONS_REFUSED "courtside_http_connections_refused_total" Counter, Count ["reason"]
        "Connections closed before a request: per_address, total, tls_failed, tls_timeout.";
    HTTP_REQUESTS "courtside_http_requests_total" Counter, Count ["status"] "Requests answered, by class of status: 1xx to 5xx.";
    // Process
    PROCESS_START_TIME "courtside_process_start_time_seconds" Gauge, Seconds [] "When the process started, seconds since the Unix epoch.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_and_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for metric in METRICS {
            let name = metric.name;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with("courtside_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Counter, "{name}");
            for unit in ["_bytes", "_seconds", "_milliseconds"] {
                if name.trim_end_matches("_total").ends_with(unit) {
                    assert_eq!(metric.unit.as_str(), &unit[1..], "{name}");
                }
            }
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }
}
