//! Bounds of the media plane: transport, ingest, forwarding, congestion control, sockets.

use std::time::Duration;

// ---- Media plane: peers and broadcasts ----

/// Longest SDP offer, bytes. A browser's pair with simulcast and all codecs is about 9 KB, and a broadcast with its guest, a full call and a camera
/// are fourteen. Longer: refused.
pub const SDP_BYTES_MAX: usize = 192 * 1024;
/// M-lines in one offer. One broadcast, its guest, a full call and a camera are 28. More: refused.
pub const SDP_MEDIA_MAX: usize = 64;
/// Attribute lines of one offer; a browser's video m-line has about 100. More: refused.
pub const SDP_ATTRIBUTES_MAX: usize = 4096;
/// Simulcast layers of one up-track; browsers send at most three. More: the last ones are not accepted, and the client stops sending them.
pub const SIMULCAST_LAYERS_MAX: usize = 4;
/// Workers of one node; a `PeerId` has one byte for them.
pub const WORKERS_MAX: usize = 64;
/// Peers of one worker. Full: the newcomer is told so.
pub const PEERS_PER_WORKER_MAX: usize = 20_000;
/// New peers of one worker per second. A handshake costs about 0.25 ms, so a storm of joins may take an eighth of the core from those
/// who watch. More: `full`, retryable.
pub const JOINS_PER_WORKER_PER_S: u32 = 500;
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

// ---- Transport: ICE, DTLS, SRTP of one peer ----

/// Characters of our ICE user fragment: 48 bits, enough that no two peers of a node share one.
pub const ICE_UFRAG_LEN: usize = 8;
/// Characters of our ICE password: 144 bits (RFC 8445 section 5.3 asks for 128).
pub const ICE_PASSWORD_LEN: usize = 24;
/// A peer that passed no check by then is given up. A client's own checks fail after about 15 s.
pub const ICE_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A peer without a valid check for this long is gone (RFC 7675 section 5.1).
pub const ICE_CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a check or media from the selected address for this long, a check from another address moves the peer there, nominated or not:
/// most clients nominate once, and do not know when their NAT gives them another address. Viewers of video send reports several times a
/// second; a wrong move would only lead to another path of the same client.
pub const ICE_PATH_SILENCE: Duration = Duration::from_secs(1);
/// Addresses of one peer that passed a check: its interfaces times two IP versions, by UDP and by TCP. Full: the one that is not selected and was
/// checked longest ago is forgotten.
pub const ICE_VALIDATED_MAX: usize = 16;
/// A DTLS handshake that is not complete by then fails: five retransmissions on a bad mobile link.
pub const DTLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// A flight of the handshake that nothing answers is sent again after this long, then after twice that, and so on: above most round trips,
/// and far below the 1 s of RFC 6347, because a viewer is waiting.
pub const DTLS_RETRANSMIT_FIRST: Duration = Duration::from_millis(150);
/// How often that wait doubles: it ends at 2.4 s.
pub const DTLS_RETRANSMIT_DOUBLINGS: u32 = 4;
/// Datagrams of one handshake; a clean one has 3 to 6. More: the handshake fails.
pub const DTLS_HANDSHAKE_DATAGRAMS_MAX: usize = 64;
/// Bytes of one handshake; a clean one has about 2 KB. More: the handshake fails.
pub const DTLS_HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// Datagrams kept while a fragmented ClientHello is incomplete (post-quantum key shares take two or three). Full: the newest is dropped.
pub const DTLS_HELLO_DATAGRAMS_MAX: usize = 8;
/// Longest ClientHello, bytes. Longer: not reassembled, the handshake times out.
pub const DTLS_HELLO_BYTES_MAX: usize = 8 * 1024;
/// Datagrams read after the handshake that anybody could have made up: a client repeats its last flight when ours was lost, and says
/// goodbye. More: dropped unread.
pub const DTLS_REPEATS_MAX: usize = 32;
/// A client that sent no media and no report in this time has our last flight all the same, or has given up: it would have repeated its own
/// several times. Its handshake is forgotten.
pub const DTLS_SETTLED_AFTER: Duration = Duration::from_secs(10);
/// RTP streams of one publishing peer: three layers with RTX on two videos, audio, screen share, and those of cameras that were on before. More: one
/// that has been silent gives way, else packets are dropped unread.
pub const SRTP_SSRCS_MAX: usize = 32;
/// A stream is silent when so many packets of the peer's other streams have come since its last: seconds of a camera and its sound.
pub const SRTP_IDLE_PACKETS: u64 = 1024;
/// SRTCP senders of one peer: one per stream it sends or receives. More: packets are dropped unread.
pub const SRTCP_SSRCS_MAX: usize = 64;
/// SRTP and SRTCP replay window, packets. RTX and reordering reach further back than the 64 of RFC 3711.
pub const SRTP_REPLAY_WINDOW: usize = 1024;

// ---- Media plane: forwarding ----

/// Packets kept per layer, for retransmission and for newcomers: the largest group and a second of 5 Mbit/s behind it, so that what was
/// replayed can still be resent. About 2.3 MB. Full: the oldest goes.
pub const PACKET_RING: usize = 2048;
/// How long a packet is kept, where there is room: the oldest group that is replayed and a second behind it. A voice is 280 packets by then, a friend's
/// small picture as many. Older: it goes.
pub const PACKET_AGE_MAX: Duration = Duration::from_millis(5500);
/// The last packets of a layer are kept however old they are: a viewer learns of a hole before a long rest only when the next packet comes.
pub const PACKETS_KEPT_MIN: usize = 64;
/// Packets and bytes of payload of a group that is replayed to newcomers: 2 s of 6 Mbit/s. Larger: only its key frame is.
pub const GROUP_PACKETS_MAX: usize = 1536;
pub const GROUP_BYTES_MAX: usize = 1_500_000;
/// Age of a group that is replayed: decoders take 2 to 7 ms a frame, so 4 s of them are half a second behind. Older: only its key frame is.
pub const GROUP_AGE_MAX: Duration = Duration::from_millis(4500);
/// Retransmission fills a hole in a group within this, or the group is taken as damaged: only its key frame is replayed.
pub const GROUP_HOLE_MAX: Duration = Duration::from_millis(500);
/// A key frame is shown by itself, while a new one is asked for, up to this age. Older: it would show another scene; nothing is shown.
pub const KEYFRAME_AGE_MAX: Duration = Duration::from_secs(10);
/// Packets of a key frame that is kept by itself, 600 KB. Larger: it is replayed with its group only.
pub const KEYFRAME_PACKETS_MAX: usize = 512;
/// A larger layer takes over from the middle of its group up to this age: the picture jumps back by as much. Older: it waits for a key frame.
pub const SWITCH_GROUP_AGE_MAX: Duration = Duration::from_millis(300);
/// Replays run at this many times real time ...
pub const REPLAY_SPEED: u32 = 10;
/// ... but, on a path that nothing is known of, at no more than this, or the next factor times real time if that is more: receive buffers
/// overflow at line rate (155 KB in Firefox, 1.2 MB in Chromium, measured).
pub const REPLAY_RATE_MAX_BPS: u32 = 25_000_000;
pub const REPLAY_SPEED_MIN: u32 = 5;
/// Share of what a path is known to carry that a replay may use, percent; but never so little that it falls behind.
pub const REPLAY_PATH_SHARE_PERCENT: u64 = 80;
/// A viewer that asks for a key frame gets its group again at most once in this time, or in a round trip if that is more. Sooner: the
/// replay under way is the answer.
pub const REPLAY_AGAIN_MIN: Duration = Duration::from_millis(150);
/// Replays in a row that did not help a viewer, before a key frame is asked from the publisher.
pub const REPLAYS_IN_ROW_MAX: u8 = 2;
/// A viewer that has not asked for this long was helped: the row is over.
pub const REPLAY_ROW_ENDS: Duration = Duration::from_secs(3);
/// How far paced sending may be behind its schedule and catch up by a burst. More: the schedule moves.
pub const PACE_CATCH_UP_MAX: Duration = Duration::from_millis(5);
/// A viewer's bucket: what may leave at once, as time at its pacing rate. Full: the rest of the frame is spread.
pub const PACE_BURST: Duration = Duration::from_millis(5);
/// Pieces of a frame that is spread, as time; and packets, so that a piece is worth a send.
pub const PACE_PIECE: Duration = Duration::from_millis(5);
pub const PACE_PIECE_PACKETS_MIN: u16 = 4;
/// What waits has left within this, whatever the rate was said to be: a layer may be faster now than it was.
pub const PACE_DRAINED_WITHIN: Duration = Duration::from_millis(250);
/// Packets that a viewer may be behind and still be sent all of them. More: it goes on with the next key frame.
pub const PACE_BEHIND_MAX: u64 = 256;
/// Key frames are asked for this often while anyone watches: the age a join cache and an HLS segment are built on.
pub const KEYFRAME_CADENCE: Duration = Duration::from_secs(2);
/// At most one key-frame request to a publisher in this time, whoever needs it: a key frame costs every viewer bandwidth.
pub const KEYFRAME_REQUEST_INTERVAL_MIN: Duration = Duration::from_millis(500);
/// A need for a key frame that is not repeated for this long has lost its viewer and is forgotten.
pub const KEYFRAME_NEED_KEPT: Duration = Duration::from_secs(1);
/// Switches of source or layer that a viewer's history remembers for retransmission. Full: older packets cannot be resent.
pub const REWRITE_HISTORY: usize = 32;
/// Numbers in a row that a viewer's stream leaves unused: of sound a second, of a picture what is taken for the same stream upstream. More: the
/// numbers go on without the hole. Receivers would take it for loss, and from 2^15 on for another roll-over counter: nothing would open any more.
pub const SOUND_HOLE_MAX: u64 = 50;
pub const PICTURE_HOLE_MAX: u64 = 3000;
/// A layer that nobody may be sent for this long need not be sent by its publisher either. Shorter, and a viewer who resizes a window would
/// make layers come and go.
pub const LAYER_UNWATCHED_AFTER: Duration = Duration::from_secs(2);
/// Simulcast layers of one track. More: the surplus is not accepted.
pub const LAYERS_MAX: usize = 4;
/// SSRCs that one publisher may bind (layers, their retransmissions, audio). More: dropped as `unknown_ssrc`.
pub const SSRCS_PER_PEER_MAX: usize = 24;
/// Down-tracks of one peer: a broadcast, a guest and a full call. More m-lines: rejected in the answer.
pub const DOWN_TRACKS_PER_PEER_MAX: usize = 32;
/// The beginning of a frame waits this long for its end, so that the frame leaves in one send per viewer.
pub const RUN_WAIT: Duration = Duration::from_millis(2);
/// Packets of one frame handed on together. More: the run is split.
pub const RUN_PACKETS_MAX: usize = 64;
/// Bytes of one UDP send with segmentation offload: the kernel's limit is 65,535 with headers.
pub const SEND_BYTES_MAX: usize = 60_000;
/// Segments of one UDP send with segmentation offload (kernel: UDP_MAX_SEGMENTS, 64 on older ones).
pub const SEND_SEGMENTS_MAX: usize = 60;
/// The core's clock tick: ingest feedback, handshakes, and one eighth of the viewers each time.
pub const TICK: Duration = Duration::from_millis(20);
/// Sender reports to each viewer, and the interval of layer statistics.
pub const SENDER_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Receiver reports to a publisher.
pub const RECEIVER_REPORT_INTERVAL: Duration = Duration::from_millis(500);
/// The RTP clock is told to viewers again this often, for drift.
pub const TRACK_CLOCK_INTERVAL: Duration = Duration::from_secs(10);
/// A layer without packets for this long is inactive; viewers move to another one.
pub const LAYER_SILENCE: Duration = Duration::from_millis(1500);
/// Retransmissions to one viewer, as a share of the media it is sent, percent of bytes: a tenth of the packets lost takes 11, each of them
/// lost once more 12. A path that loses more needs a smaller layer, and more repair would only feed the storm. More: ignored, counted.
pub const RESEND_SHARE_PERCENT: u64 = 25;
/// What a viewer may save up of that share, bytes: a large key frame that is lost whole. Full: nothing more is added.
pub const RESEND_BUDGET_BYTES_MAX: u64 = 256 * 1024;
/// Retransmissions to one viewer that are remembered, 16 bytes each: the packets of a round trip. Full: one is forgotten, and may be sent again
/// sooner than it should.
pub const RESENDS_REMEMBERED: usize = 128;
/// Retransmissions to one viewer that wait for their turn. Full: the newest is ignored, counted; it is asked for again.
pub const RESENDS_WAITING_MAX: usize = 128;
/// A packet is sent again at most once in a round trip, which is taken to be at least and at most this: nothing is known of it in the first
/// second, and an hour-old report must not stop repairs. Sooner: ignored, counted.
pub const RESEND_AGAIN_MIN: Duration = Duration::from_millis(10);
pub const RESEND_AGAIN_MAX: Duration = Duration::from_millis(400);
/// Retransmissions of one packet; as many as Chromium asks for. More: ignored, counted.
pub const RESENDS_OF_ONE_MAX: u16 = 10;
/// A retransmission this old says nothing of a request: receivers give up sooner, and wire numbers come round again.
pub const RESEND_FORGOTTEN_AFTER: Duration = Duration::from_secs(5);
/// Bytes that header, extensions and tag add to a payload, about: of a dozen voices they are half as much as the voices.
pub const PACKET_OVERHEAD: u32 = 40;
/// Speech outlasts its last loud packet by this: the gaps between words.
pub const VOICE_KEPT: Duration = Duration::from_millis(500);
/// Who speaks is shown until another one has been louder for this long: longer than an interjection.
pub const SPEAKER_KEPT: Duration = Duration::from_millis(1500);
/// Loss that a viewer reports from which on its sound carries the frame before, and the two before, in thousandths: below the first, what
/// decoders invent is not heard; from the second on, two in a row are lost often enough to be.
pub const REDUNDANCY_ONE_FROM_PERMILLE: u32 = 20;
pub const REDUNDANCY_TWO_FROM_PERMILLE: u32 = 80;
/// Video is protected by parity packets from this round trip on: on a shorter one what is asked for again comes before its frame is due. In
/// Chromium at 40 ms and 10 % of loss the picture stood still for 6.5 % of the time without, and not at all with it.
pub const FEC_ROUND_TRIP_MIN: Duration = Duration::from_millis(30);
/// Loss that a viewer reports from which on its video is protected, in thousandths.
pub const FEC_FROM_PERMILLE: f32 = 10.0;
/// A queue that stands for longer than this on the way to a viewer says that the path has no room for parity.
pub const FEC_QUEUE_MAX: Duration = Duration::from_millis(20);
/// Packets per parity packet at least: a quarter of the bytes. A path that loses more needs a smaller layer.
pub const FEC_GROUP_MIN: f32 = 3.0;
/// Share of a path that is full which repeated sound may take.
pub const REDUNDANCY_OF_FULL_PATH: f64 = 0.1;
/// Redundancy outlasts the last report that called for it by this: two intervals of the reports that browsers make of sound.
pub const REDUNDANCY_KEPT: Duration = Duration::from_secs(10);

// ---- Media plane: congestion control ----

/// Sent packets remembered per viewer for transport-wide feedback, 8 bytes each: as many as its layers make in `SENT_PACKETS_SPAN_MS`, rounded
/// up to a power of two within these bounds. Full: the oldest is forgotten (counts as unknown, not lost).
pub const SENT_PACKETS_MIN: usize = 128;
pub const SENT_PACKETS_MAX: usize = 1024;
/// The longest that feedback is useful: a round trip of 300 ms and a second of silence on the way back.
pub const SENT_PACKETS_SPAN_MS: u64 = 1500;
/// Of video. Smaller ones make the ring last shorter.
pub const SENT_PACKET_BYTES_TYPICAL: u64 = 1100;
/// A probe that only feels whether anything has changed.
pub const PROBE_PACKETS_FEELER: u64 = 4;
/// A probe has at least so many packets: fewer are measured badly, by receivers that read their socket in batches. For a small layer less
/// will do: its packets are further apart.
pub const PROBE_PACKETS_SMALL: u64 = 5;
pub const PROBE_PACKETS_SHORT: u64 = 8;
/// A probe that confirms a big step.
pub const PROBE_PACKETS_LONG: u64 = 20;
/// The answer to a probe is awaited this long: two feedback intervals and a slow path. Later: it told nothing.
pub const PROBE_ANSWER_MAX: Duration = Duration::from_millis(1500);

// ---- Media plane: sockets and threads ----

/// Asked of the kernel for each socket, both ways, bytes. 4 MB holds a key frame for a thousand viewers; the kernel may grant less.
pub const UDP_BUFFER_BYTES: usize = 4 << 20;
/// One receive buffer, bytes: GRO hands over up to 64 KiB at once.
pub const RECV_BUFFER_BYTES: usize = 64 * 1024;
/// Receive batches handled before timers get their turn.
pub const RECV_BATCHES_MAX: usize = 8;
/// Hand-overs handled before the sockets get their turn.
pub const HANDOVERS_PER_TURN: usize = 64;
/// Addresses that an answer's candidates name. A host with more names the first ones.
pub const CANDIDATES_MAX: usize = 6;

// ---- Media plane: ICE-TCP ----

/// Connections of one worker: one per peer. Browsers open one per candidate while they connect and close those they do not need. Full:
/// closed unread.
pub const TCP_CONNECTIONS_PER_WORKER_MAX: usize = PEERS_PER_WORKER_MAX;
/// Connections of one address (IPv6: one /64) to one worker, as for HTTP: a household behind one NAT. Full: closed unread. Loopback is not bound.
pub const TCP_CONNECTIONS_PER_ADDRESS: u32 = 512;
/// Clients that have connected and are not accepted yet. Full: the kernel lets them try again.
pub const TCP_LISTEN_BACKLOG: i32 = 1024;
/// A connection from which no check has passed by then is closed, and one whose peer is gone. Clients check as soon as they are connected.
pub const TCP_CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that says nothing for this long is closed. Clients check paths in reserve at least every 30 s.
pub const TCP_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest frame, bytes: more than any path's MTU, and less than the first two bytes of HTTP, TLS or SSH say. Longer: closed.
pub const TCP_FRAME_BYTES_MAX: usize = 4096;
/// One read, bytes. A publisher's frame of video is one or two.
pub const TCP_READ_BYTES: usize = 16 * 1024;
/// Reads of all connections that wait for the worker. Full: their tasks read no further, and TCP slows the clients down.
pub const TCP_INBOX: usize = 256;
/// Of those, handled before timers get their turn.
pub const TCP_EVENTS_PER_TURN: usize = 64;
/// Bytes of one connection that the socket has not taken: 1.3 s of 3 Mbit/s, enough for a join before TCP has found its speed. Full: what
/// comes next is dropped in whole bursts, as a narrow link would.
pub const TCP_BACKLOG_BYTES: usize = 512 * 1024;
/// A backlog that is empty again keeps this much room, bytes: a frame of video.
pub const TCP_BACKLOG_KEPT_BYTES: usize = 32 * 1024;
/// Bytes that the kernel may hold of one connection beyond what is on its way (TCP_NOTSENT_LOWAT). More stays in the backlog.
pub const TCP_UNSENT_BYTES: u32 = 32 * 1024;
/// Attempts to find a port that is free for UDP and TCP, when the system chooses it (tests). More: start-up fails.
pub const PORT_ATTEMPTS: usize = 16;
/// Upper bounds of the classes by which forwarding latency is counted, µs. What takes longer has a class of its own.
pub const FORWARDING_CLASSES_US: [u64; 14] = [100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 25_000, 50_000, 100_000];
