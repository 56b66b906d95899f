//! Every bound of the system: its unit, its reason, and what happens when it is reached. One section per room of the house.

use std::time::Duration;

// ---- Accounts and store ----

/// Longest token, bytes. Ours have about 400. Longer: invalid, unread.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// How long a statement waits for another process's lock on the database file. Longer: the statement fails.
pub const STORE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read the database (one more writes). More at once: they wait.
pub const STORE_READERS: u32 = 4;
/// Connections to PostgreSQL. More statements at once: they wait.
pub const STORE_CONNECTIONS: u32 = 16;
/// How long a statement waits for one of them, and the start for the first. Longer: it fails.
pub const STORE_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL works on one statement. Longer: it is cancelled and fails.
pub const STORE_STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Broadcasts in one person's export, the most recent first. More: left out.
pub const BROADCASTS_EXPORTED_MAX: u32 = 10_000;
/// Guests who have become accounts within the life of a guest token: their old tokens are refused from memory, 16 bytes each. More: the
/// oldest are not, and name an identity that owns nothing new.
pub const CLAIMED_GUESTS_MAX: u32 = 1_000_000;
/// Broadcasts loaded at start, the most recent first. More: the oldest are reachable through the store only.
pub const BROADCASTS_LOADED_MAX: u32 = 10_000;

/// Memory (KiB) and passes of argon2id over one password, as OWASP asks: about 30 ms of one core.
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1024;
pub const PASSWORD_PASSES: u32 = 2;
/// Threads that do it, at most half of the cores: 19 MiB each.
pub const PASSWORD_THREADS_MAX: usize = 4;
/// Their niceness: beside work of normal priority they get about a tenth of a core.
pub const PASSWORD_NICENESS: i32 = 10;
/// Passwords waiting for them, about two seconds of work for one thread. Full: `full` with `Retry-After`.
pub const PASSWORD_QUEUE: usize = 64;
/// Characters of a password. NIST SP 800-63B section 5.1.1 asks for at least 8, and to take at least 64. Others: refused.
pub const PASSWORD_CHARS: (usize, usize) = (8, 256);
/// Characters of a person's name. Longer: refused.
pub const USER_NAME_MAX: usize = 40;
/// Bytes of an e-mail address (RFC 5321 section 4.5.3.1.3). Longer: refused.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Bytes of a person's picture. Larger: refused.
pub const PICTURE_BYTES_MAX: usize = 128 * 1024;
/// An access token of an account: what was taken from a person (a role, the account itself) is gone after this long.
pub const ACCESS_TOKEN_TTL: Duration = Duration::from_secs(5 * 60);
/// A device that does not come back for this long is signed out.
pub const SIGN_IN_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
/// The refresh token before the present one is still answered this long: tabs that share the cookie refresh at once, and answers get lost.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// Devices on which one person is signed in. More: the one used longest ago is signed out.
pub const SIGN_INS_PER_USER_MAX: u32 = 20;
/// Characters kept of what a browser calls itself.
pub const DEVICE_CHARS_MAX: usize = 200;
/// Codes in letters are good for this long.
pub const VERIFY_CODE_TTL: Duration = Duration::from_secs(24 * 3600);
pub const RESET_CODE_TTL: Duration = Duration::from_secs(3600);
/// Letters waiting to be sent. Full: the newest is dropped and counted.
pub const MAIL_QUEUE: usize = 256;
/// One attempt to send a letter may take this long.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(20);
/// Attempts, and the first pause between them, which doubles. Then the letter is given up and counted.
pub const MAIL_TRIES: u32 = 3;
pub const MAIL_PAUSE: Duration = Duration::from_secs(5);
/// How often what has expired is removed from the store, and guests who have become accounts on another node are learnt of.
pub const ACCOUNTS_UPKEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often one address, person or mailbox may ask: a burst, then one each interval. More: 429 with `Retry-After`.
pub const RATE_SIGN_UP: (u32, Duration) = (10, Duration::from_secs(60));
pub const RATE_SIGN_IN: (u32, Duration) = (20, Duration::from_secs(3));
/// Guesses at one account, from anywhere: about 4300 a day at most.
pub const RATE_SIGN_IN_PER_MAILBOX: (u32, Duration) = (30, Duration::from_secs(20));
pub const RATE_REFRESH: (u32, Duration) = (120, Duration::from_secs(1));
pub const RATE_LETTER: (u32, Duration) = (10, Duration::from_secs(60));
pub const RATE_LETTER_PER_MAILBOX: (u32, Duration) = (3, Duration::from_secs(600));
pub const RATE_CODE: (u32, Duration) = (10, Duration::from_secs(6));
pub const RATE_CONFIRMED: (u32, Duration) = (10, Duration::from_secs(20));
pub const RATE_CHANGE: (u32, Duration) = (30, Duration::from_secs(2));
/// A client that is told to come back is told to wait at least this long.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// Addresses, people and mailboxes counted at once, 16 bytes each. Full: newcomers are refused until somebody's allowance is whole again.
pub const RATE_KEYS_MAX: usize = 100_000;

// ---- HTTP ----

/// Connections of one address (IPv6: one /64), WebSockets included: a household behind one NAT. Full: closed unread. Loopback is not bound
/// unless `connections_per_address` is set.
pub const HTTP_CONNECTIONS_PER_ADDRESS: u32 = 512;
/// Connections of the node, WebSockets included. Full: closed unread.
pub const HTTP_CONNECTIONS_MAX: usize = 100_000;
/// From the first byte a client may send to the end of its request head. Longer (slow loris) or idle: closed.
pub const HTTP_HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Request head, bytes. Tokens have at most 4 KiB. Larger: 431.
pub const HTTP_HEADER_BYTES_MAX: usize = 32 * 1024;
/// Header fields of one request. More: 431.
pub const HTTP_HEADERS_MAX: usize = 100;
/// Request body, bytes; posters are the largest. Handlers bound theirs further. Larger: 413.
pub const HTTP_BODY_BYTES_MAX: usize = 512 * 1024;
/// From head to end of body. Longer: 408.
pub const HTTP_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests under way on one HTTP/2 connection. More: refused by the protocol.
pub const HTTP2_STREAMS_MAX: u32 = 64;
/// Idle HTTP/2 connections are asked this often whether they live ...
pub const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// ... and closed without an answer after this long.
pub const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// TLS handshake. Longer: closed.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Rest after an accept that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The database answers a readiness check within this, or the node is not ready.
pub const READY_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long shutdown waits for requests and WebSockets to end by themselves. Longer: cut.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
/// Histogram samples are folded together this often.
pub const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

// ---- What the self-test asks of the host ----

/// `net.core.rmem_max` and `wmem_max`, bytes: 20 ms of 1 Gbit/s. Smaller: a warning.
pub const UDP_BUFFER_WANTED: u64 = 2_500_000;
/// Descriptors beside those of viewers (one each, two with media over TCP): listeners, media sockets, database, log. Fewer: a warning.
pub const OPEN_FILES_RESERVE: u64 = 512;
/// A loopback datagram comes back within this, or UDP is taken as refused.
pub const UDP_ECHO_TIMEOUT: Duration = Duration::from_secs(1);

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
/// New peers of one worker per second. A handshake costs about 0.25 ms, so a storm of joins may take an eighth of the core from those
/// who watch. More: `full`, retryable.
pub const JOINS_PER_WORKER_PER_S: u32 = 500;
/// Commands waiting for one worker. Full: the caller waits.
pub const COMMAND_QUEUE: usize = 1024;
/// Events waiting for the control plane. Full: statistics are dropped, life-cycle events are kept by the worker and offered again.
pub const EVENT_QUEUE: usize = 8192;
/// Packet runs from other workers waiting for one worker. Full: the newest run is dropped and counted.
pub const HANDOVER_QUEUE: usize = 4096;

// ---- Demo publisher ----

/// Largest RTP payload the demo sends, bytes: with headers, extensions and the SRTP tag it stays below a 1200-byte datagram.
pub const DEMO_PAYLOAD_MAX: usize = 1100;
/// How far the demo may fall behind its schedule before it skips ahead to the next key frame instead of sending a burst.
pub const DEMO_LATE_MAX: Duration = Duration::from_secs(1);
/// Threads that draw the demo's recording; the encoder beside them needs the rest of the machine.
pub const DEMO_DRAWING_THREADS_MAX: usize = 8;
/// First and longest pause before the demo connects again, jittered downwards by up to half. It never gives up.
pub const DEMO_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// How long the demo waits for an HTTP answer and for a connection to come up before it starts over.
pub const DEMO_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the demo's peer connection may take to close. Longer: dropped.
pub const DEMO_CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

// ---- Load generator ----

/// Clients of one link relay at once. More: their datagrams are dropped and counted.
pub const LINKSIM_FLOWS_MAX: usize = 1024;
/// A client of the link relay that is silent for this long is forgotten: what many home routers give UDP.
pub const LINKSIM_FLOW_IDLE: Duration = Duration::from_secs(120);
/// Datagrams between the relay's port and a client's flow. Full: the newest is dropped, counted as overflowed.
pub const LINKSIM_INBOX: usize = 1024;
/// Datagrams of one client on their way, both directions: 10 s of 20 Mbit/s. Full: the newest is dropped, counted as overflowed.
pub const LINKSIM_IN_FLIGHT_MAX: usize = 20_000;
/// The longest datagram that the relay carries, bytes: whatever UDP does.
pub const LINKSIM_DATAGRAM_BYTES: usize = 65_535;
/// Delays of the link relay are counted to the millisecond up to this, ms, for their quantiles. Longer: counted as this.
pub const LINKSIM_DELAY_BUCKETS: usize = 2000;
/// Steps of one script: each packet walks through those that have passed.
pub const LINKSIM_STEPS_MAX: usize = 1000;

/// Viewers of one load generator: each has a socket, and a machine has about 28,000 ephemeral ports.
pub const LOADGEN_VIEWERS_MAX: usize = 20_000;
/// How long a viewer of the load generator waits for an HTTP answer, and for ICE and DTLS together, before it counts as failed.
pub const LOADGEN_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// One packet in this many is decrypted, so that the viewers are cheaper than the server.
pub const LOADGEN_DECRYPT_EVERY: u64 = 50;
/// Payload of a synthetic packet, bytes: the size that every figure of ours is quoted for.
pub const LOADGEN_PAYLOAD_BYTES: usize = 1100;
/// Broadcasts of one load generator: each has a publisher of its own.
pub const LOADGEN_BROADCASTS_MAX: usize = 1000;
/// Datagrams of one viewer on their way through a network of ours. Full: the newest is dropped.
pub const LOADGEN_IN_FLIGHT_MAX: usize = 5_000;
/// Missing packets of one viewer that are asked for. More: given up, with a request for a key frame.
pub const LOADGEN_MISSING_MAX: usize = 500;
/// A missing packet may only be late: it is asked for after this long.
pub const LOADGEN_NACK_AFTER: Duration = Duration::from_millis(10);
/// Between two requests for one packet: more than the round trip of most networks that are tried.
pub const LOADGEN_NACK_INTERVAL: Duration = Duration::from_millis(80);
/// Requests for one packet; as many as Chromium makes.
pub const LOADGEN_NACK_TRIES: u32 = 10;
/// A packet that is missing for this long is given up.
pub const LOADGEN_GIVE_UP_AFTER: Duration = Duration::from_millis(1000);
/// Between two requests for a key frame.
pub const LOADGEN_PLI_INTERVAL: Duration = Duration::from_millis(500);
/// Kinds of failures told apart. More: not recorded.
pub const LOADGEN_FAILURE_KINDS_MAX: usize = 20;
/// Between two signs of life to Janus, which forgets a silent session after 60 s.
pub const LOADGEN_JANUS_KEEPALIVE: Duration = Duration::from_secs(25);
/// Sequence numbers among which duplicates and late packets are told apart. Older: not counted.
pub const LOADGEN_REORDER_WINDOW: usize = 1024;
/// Arrivals in one transport-wide feedback message. More: reported as lost.
pub const LOADGEN_FEEDBACK_PACKETS_MAX: usize = 512;
/// Between two transport-wide feedback messages of one viewer; a browser's are 50 to 250 ms apart.
pub const LOADGEN_FEEDBACK_INTERVAL: Duration = Duration::from_millis(250);
/// Between two receiver reports of one viewer, as browsers send them for video.
pub const LOADGEN_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two consent checks (RFC 7675, section 5.1).
pub const LOADGEN_CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// Room for one coalesced receive, bytes: the longest that UDP GRO hands out.
pub const LOADGEN_RECEIVE_BYTES: usize = 65_536;
/// Windows of one viewer's timeline (`--timeline`), and the length of one. An hour; later ones are not recorded.
pub const LOADGEN_WINDOWS_MAX: usize = 7200;
pub const LOADGEN_WINDOW: Duration = Duration::from_millis(500);
/// Latency samples kept, 8 bytes each. More: not recorded.
pub const LOADGEN_SAMPLES_MAX: usize = 2_000_000;
/// Between the last viewer's start and the measurement: time to join and to fall quiet.
pub const LOADGEN_SETTLE: Duration = Duration::from_secs(3);

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
pub const DTLS_RETRANSMIT_FIRST: Duration = Duration::from_millis(250);
/// How often that wait doubles: it ends at 4 s.
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
/// RTP streams of one publishing peer: three layers with RTX on two videos, audio, screen share. More: packets are dropped unread.
pub const SRTP_SSRCS_MAX: usize = 32;
/// SRTCP senders of one peer: one per stream it sends or receives. More: packets are dropped unread.
pub const SRTCP_SSRCS_MAX: usize = 64;
/// SRTP and SRTCP replay window, packets. RTX and reordering reach further back than the 64 of RFC 3711.
pub const SRTP_REPLAY_WINDOW: usize = 1024;
// ---- Control plane: broadcasts, sessions, WHIP and WHEP ----

/// Broadcasts in memory, ended ones that are still remembered included. Full: no new ones (`full`).
pub const BROADCASTS_MAX: usize = 20_000;
/// Broadcasts one person may have that have not ended. More: `full`.
pub const BROADCASTS_PER_OWNER_MAX: usize = 20;
/// An ended broadcast stays readable in memory this long, so that its viewers can load its page; the store keeps it.
pub const ENDED_KEPT: Duration = Duration::from_secs(600);
/// A broadcast that nobody has ever published ends after this long: long enough to prepare a show days ahead.
pub const IDLE_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// How long a broadcast that was live when the server stopped waits for its publisher, who reconnects with back-off and jitter.
pub const PUBLISHER_RETURN_AFTER_RESTART: Duration = Duration::from_secs(45);
/// Moderators of one broadcast. Full: refused.
pub const MODERATORS_MAX: usize = 100;
/// Characters of a slug.
pub const SLUG_MAX: usize = 64;
/// Characters of a title. Longer: refused.
pub const TITLE_MAX: usize = 120;
/// Characters of a team's name, of its short form, of a period and of a marker's label. Longer: refused.
pub const TEAM_NAME_MAX: usize = 40;
pub const TEAM_SHORT_MAX: usize = 4;
pub const PERIOD_MAX: usize = 16;
pub const MARKER_LABEL_MAX: usize = 80;
/// Markers of one broadcast; they travel in every whole view. Full: refused.
pub const MARKERS_MAX: usize = 200;
/// A match clock shows at most this, ms (ten hours).
pub const MATCH_CLOCK_MAX_MS: f64 = 36_000_000.0;
/// A media time that a client names may differ from the live edge by this, ms (a day back, a minute ahead for clocks that disagree).
pub const MEDIA_TIME_PAST_MAX_MS: f64 = 86_400_000.0;
pub const MEDIA_TIME_FUTURE_MAX_MS: f64 = 60_000.0;
/// Bytes of a poster. Larger: refused.
pub const POSTER_BYTES_MAX: usize = 256 * 1024;
/// Posters in memory (at most 128 MiB). Full: new ones are refused, replacing is not.
pub const POSTERS_MAX: usize = 512;
/// At most one `viewers` message a broadcast in this time; with 100,000 viewers each one costs 100,000 sends.
pub const VIEWERS_ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);
/// Layers that keep their shape are announced again for their bit rates alone at most once in this time, and only when one has moved by
/// half: a quality menu shows what it costs, not a meter.
pub const LAYER_RATES_ANNOUNCE_INTERVAL: Duration = Duration::from_secs(5);
/// Announcements of one broadcast that a session may lag behind. More: it is sent the present state instead of what it missed.
pub const NEWS_QUEUE: usize = 32;
/// Publish tokens that `POST /api/v1/broadcasts` hands out are good for this long.
pub const PUBLISH_TOKEN_TTL: Duration = Duration::from_secs(14 * 24 * 3600);
/// An identity token with less than this left is renewed in `welcome`.
pub const IDENTITY_RENEWED_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Events of peers whose answer is still on its way to the control plane. Full: the oldest is dropped.
pub const EARLY_EVENTS: usize = 256;
/// Broadcasts changed but not yet written: a set, so at most `BROADCASTS_MAX`. Retry of a failed write after this long.
pub const STORE_RETRY: Duration = Duration::from_secs(5);
/// The media plane answers an offer within this, or the client is told `unavailable`.
pub const SFU_ANSWER_MAX: Duration = Duration::from_secs(5);

/// Sessions of this node, detached ones included. Full: `full`, and the connection is closed.
pub const SESSIONS_MAX: usize = 200_000;
/// The first message must be here by then. Later: `bye hello_timeout`.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts at `hello` on one connection: a stale token and a stale session leave one more. More: `bye protocol_error`.
pub const HELLO_ATTEMPTS_MAX: usize = 4;
/// Durations (ms) and counts that clients report about themselves: beyond these they are not believed, or cut.
pub const REPORTED_MAX_MS: f64 = 600_000.0;
pub const REPORTED_COUNT_MAX: u32 = 10_000;
/// Clients send a `ping` at least this often.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Silence (of any kind of message) after which a connection is given up: two pings lost and a slow network.
pub const PING_TIMEOUT: Duration = Duration::from_secs(45);
/// A session without a connection is kept this long, its media peers with it.
pub const RESUME_WINDOW: Duration = Duration::from_secs(30);
/// Largest message from a client, bytes: an SDP offer escaped as JSON.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 2 * SDP_BYTES_MAX;
/// Read buffer of a WebSocket, bytes. The library's default of 128 KiB is 137 KB per idle connection.
pub const WS_READ_BUFFER: usize = 2 * 1024;
/// Messages waiting to be written to one client. Full: `bye slow_consumer`.
pub const OUTBOX_MESSAGES: usize = 128;
/// One write may take this long. Longer: the connection is dropped.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Last words to a client that is being closed may take this long.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Media-plane events waiting for one session. Full: the session is closed as a slow consumer.
pub const SESSION_MAILBOX: usize = 64;
/// Messages from one client: a burst, then one each interval. More: `rate_limited`.
pub const CLIENT_MESSAGE_BURST: u32 = 60;
pub const CLIENT_MESSAGE_INTERVAL: Duration = Duration::from_millis(50);
/// Between two `report`s of one client. The burst lets one through that the network has brought too close to the one before. More:
/// `rate_limited`, not counted.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);
pub const REPORT_BURST: u32 = 2;
/// Refused messages (rate, form) of one session after which its connection is closed with `protocol_error`. One is forgiven each interval,
/// and by nothing else: a flood with good messages in it is a flood.
pub const CLIENT_OFFENCES_MAX: u32 = 100;
pub const CLIENT_OFFENCE_FORGIVEN_AFTER: Duration = Duration::from_secs(1);
/// Media peers of one session: the broadcast, a screen and a call. More: `full`.
pub const PEERS_PER_SESSION_MAX: usize = 8;
/// How often `stats` are sent after `watch_stats`.
pub const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// Characters of the `client` text in `hello`. Longer: cut.
pub const CLIENT_NAME_MAX: usize = 64;
/// Clients told to come back do so no sooner than this, ms; they add jitter of their own.
pub const RECONNECT_AFTER_MS: u32 = 1_000;
/// Trickle fragment of a PATCH, bytes. Longer: 413.
pub const SDP_FRAGMENT_BYTES_MAX: usize = 16 * 1024;
/// JSON body of a REST call, bytes. Longer: 413.
pub const JSON_BODY_BYTES_MAX: usize = 32 * 1024;
/// Of a body that is too large, so much is read and thrown away before the refusal, so that its sender can read that. More: the connection is
/// cut.
pub const REFUSED_BODY_BYTES_MAX: usize = 1 << 20;
/// Broadcasts in one list answer. More: the ones with the most viewers.
pub const LIST_MAX: usize = 200;
/// TURN REST credentials are good for this long.
pub const TURN_CREDENTIAL_TTL: Duration = Duration::from_secs(6 * 3600);

// ---- Social plane: the bus ----

/// Messages of one topic that a subscriber may lag behind: a second of fifty nodes' batches. More: the oldest are missed, and the log mends it.
pub const BUS_TOPIC_QUEUE: usize = 1024;
/// One call to the bus takes at most this. Longer: unavailable.
pub const BUS_ANSWER_MAX: Duration = Duration::from_millis(1500);
/// A lease ends this long after it was last renewed ...
pub const LEASE_TTL: Duration = Duration::from_secs(3);
/// ... and is renewed, or tried for, this often: with a second for the new home to read what is kept, chat is back within 5 s.
pub const LEASE_RENEW_INTERVAL: Duration = Duration::from_millis(750);
/// A node says this often that it lives ...
pub const NODE_HEARTBEAT: Duration = Duration::from_secs(5);
/// ... and is taken for dead after this long: three heartbeats.
pub const NODE_EXPIRY: Duration = Duration::from_secs(15);
/// Logs, snapshots and epochs of a broadcast that nobody touches are kept this long, so that chat survives a restart of everything.
pub const BUS_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often the Redis bus looks for topics that nobody follows any more, and mends subscriptions after a disconnection ...
pub const BUS_UPKEEP_INTERVAL: Duration = Duration::from_millis(500);
/// ... for this long: a cluster needs some seconds to agree on who has a slot.
pub const BUS_MENDING: Duration = Duration::from_secs(15);

// ---- Social plane: chat ----

/// Characters of a message. Longer: refused.
pub const CHAT_TEXT_MAX: usize = 500;
/// People addressed by one message. More: refused.
pub const CHAT_MENTIONS_MAX: usize = 5;
/// Characters of the message that a reply shows; also the longest word of a broadcast's list.
pub const CHAT_EXCERPT_MAX: usize = 80;
/// Words that the moderators of a broadcast may forbid. More: refused.
pub const CHAT_WORDS_MAX: usize = 500;
/// Messages replayed to a newcomer and after a gap. More are not shown.
pub const CHAT_REPLAYED_MAX: usize = 500;
/// Events kept in the log: the messages that are replayed, with the changes to them and enough to recognise what is sent twice. Older: gone.
pub const CHAT_LOG_KEPT: usize = 2000;
/// A message sent again within this is recognised by its nonce and answered with the first one's id.
pub const CHAT_DEDUPE_WINDOW: Duration = Duration::from_secs(60);
/// Messages of one person that can be recognised: as many as the general limit lets them say in the window. Older: forgotten.
pub const CHAT_NONCES_MAX: usize = 64;
/// Messages of one viewer: a burst, then one each interval. More: refused with the time to wait.
pub const CHAT_BURST: u32 = 5;
pub const CHAT_INTERVAL: Duration = Duration::from_millis(1500);
/// Slow mode goes up to this, seconds; longer than people stay would be a ban.
pub const CHAT_SLOW_MAX_S: u32 = 120;
/// Its author may change a message for this long.
pub const CHAT_EDIT_WINDOW: Duration = Duration::from_secs(300);
/// The longest time-out, seconds: two weeks. Longer: cut.
pub const CHAT_TIME_OUT_MAX_S: u32 = 14 * 24 * 3600;
/// People timed out or banned in one broadcast. Full: refused until some are lifted.
pub const CHAT_RESTRAINED_MAX: usize = 50_000;
/// A node's batch to the home leaves this often, with at most so many requests. More: in the next one, at once.
pub const CHAT_BATCH_INTERVAL: Duration = Duration::from_millis(50);
pub const CHAT_BATCH_REQUESTS_MAX: usize = 1000;
/// Requests of one node that wait for their answers: three seconds of 5000 a second. Full: refused as unavailable.
pub const CHAT_REQUESTS_PENDING_MAX: usize = 16_384;
/// The home's answer is here by then, or the client is told to try again: longer than a change of homes takes.
pub const CHAT_ANSWER_MAX: Duration = Duration::from_secs(8);
/// Batches that the home has not declared safe are sent again after this long: it does so each second.
pub const CHAT_RESEND_AFTER: Duration = Duration::from_millis(2500);
/// Batches of one node that are not safe: six seconds of them. Full: no new ones are made until some are safe.
pub const CHAT_BATCHES_UNSAFE_MAX: usize = 128;
/// The home tells the nodes this often at most, and when it samples this often, so that a window has something to choose from ...
pub const CHAT_FLUSH_INTERVAL: Duration = Duration::from_millis(100);
pub const CHAT_SAMPLED_FLUSH_INTERVAL: Duration = Duration::from_millis(250);
/// ... and when nothing happens this often, so that who missed the last thing learns of it.
pub const CHAT_HEARTBEAT: Duration = Duration::from_secs(1);
/// What the next home must know is saved this often while it changes.
pub const CHAT_SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);
/// Batches of the home that wait while a node reads the log. Full: the oldest goes, and the log is read again.
pub const CHAT_WAITING_FOR_LOG_MAX: usize = 64;
/// Messages a second that somebody can follow. More for `CHAT_SAMPLING_AFTER`: the chat is sampled ...
pub const CHAT_VISIBLE_PER_S: usize = 20;
pub const CHAT_SAMPLING_AFTER: Duration = Duration::from_secs(2);
/// ... and each viewer is shown this many of each window of `CHAT_SAMPLED_FLUSH_INTERVAL`.
pub const CHAT_VISIBLE_PER_WINDOW: usize = 5;
/// Frames of one broadcast that a reader may lag behind: six seconds at the home's rate. More: it is sent what is kept instead.
pub const CHAT_RING: usize = 64;
/// Frames for one seat alone that wait to be read. Full: the seat is closed as too slow.
pub const CHAT_MAILBOX: usize = 64;
/// How often a reader may fall out of the ring within the window. More: closed as too slow.
pub const CHAT_RESYNCS_MAX: u32 = 3;
pub const CHAT_RESYNC_WINDOW: Duration = Duration::from_secs(60);
/// Chat texts waiting in one client's outbox beside its other messages. More: it reads the ring later, and others are not disturbed.
pub const CHAT_OUTBOX_MAX: usize = 8;
/// Events of one chat that the archive in memory keeps, and chats. More: the oldest go.
pub const ARCHIVED_EVENTS_MAX: usize = 5000;
pub const ARCHIVED_BROADCASTS_MAX: usize = 200;
/// A chat without anybody on this node is closed here after this long.
pub const CHAT_ROOM_KEPT: Duration = Duration::from_secs(30);

// ---- Social plane: reactions, presence, filter ----

/// Taps of a node are summed for this long before they leave.
pub const REACTION_EDGE_INTERVAL: Duration = Duration::from_millis(100);
/// Viewers are shown new sums at most this often.
pub const REACTION_SHOW_INTERVAL: Duration = Duration::from_millis(250);
/// Taps of one kind in one message: what a person manages in a second. More: cut.
pub const REACTION_TAPS_MAX: u32 = 20;
/// One step of the heat line, ms of media time, and how many are kept: twelve hours. Older: merged into the oldest.
pub const REACTION_BUCKET_MS: f64 = 10_000.0;
pub const REACTION_BUCKETS_MAX: usize = 4320;
/// A change of the viewer count is told at most this often.
pub const VIEWERS_TOLD_INTERVAL: Duration = Duration::from_secs(2);
/// Viewer counts up to this are exact, above that they are rounded to three digits.
pub const VIEWERS_EXACT_MAX: u32 = 1000;
/// The same letter more often than this in a row: refused.
pub const FILTER_REPEATED_LETTERS_MAX: usize = 20;
/// The same word more often than this in a row: refused.
pub const FILTER_REPEATED_WORDS_MAX: usize = 5;
/// From this many letters on, at most this share of them may be capitals, percent.
pub const FILTER_CAPITALS_FROM: usize = 16;
pub const FILTER_CAPITALS_PERCENT: usize = 70;
/// A word split in two by a space is put together from this many letters on: shorter ones are too often two words.
pub const FILTER_SPLIT_WORD_FROM: usize = 6;
/// Where only a part of what is put together is looked for, the halves have so many letters: others touch by chance.
pub const FILTER_SPLIT_HALF: std::ops::RangeInclusive<usize> = 3..=4;

// ---- Media plane: forwarding ----

/// Packets kept per layer, for retransmission and for newcomers: the largest group and a second of 5 Mbit/s behind it, so that what was
/// replayed can still be resent. About 2.3 MB. Full: the oldest goes.
pub const PACKET_RING: usize = 2048;
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
/// Speech outlasts its last loud packet by this: the gaps between words.
pub const VOICE_KEPT: Duration = Duration::from_millis(500);
/// Who speaks is shown until another one has been louder for this long: longer than an interjection.
pub const SPEAKER_KEPT: Duration = Duration::from_millis(1500);
/// Loss that a viewer reports from which on its sound carries the frame before, and the two before, in thousandths: below the first, what
/// decoders invent is not heard; from the second on, two in a row are lost often enough to be.
pub const REDUNDANCY_ONE_FROM_PERMILLE: u32 = 20;
pub const REDUNDANCY_TWO_FROM_PERMILLE: u32 = 80;
/// Video is protected by parity packets from this round trip on: on a shorter one what is asked for again comes before its frame is due.
pub const FEC_ROUND_TRIP_MIN: Duration = Duration::from_millis(100);
/// Loss that a viewer reports from which on its video is protected, in thousandths.
pub const FEC_FROM_PERMILLE: f32 = 10.0;
/// A queue that stands for longer than this on the way to a viewer says that the path has no room for parity.
pub const FEC_QUEUE_MAX: Duration = Duration::from_millis(20);
/// Packets per parity packet at least: a quarter of the bytes. A path that loses more needs a smaller layer.
pub const FEC_GROUP_MIN: f32 = 3.0;
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
