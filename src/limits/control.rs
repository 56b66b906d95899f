//! Bounds of the control plane: HTTP, sessions, broadcasts, and what the self-test asks of the host.

use std::time::Duration;

use super::media::SDP_BYTES_MAX;

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
/// Of a larger one so much is read for nothing, so that its sender hears the answer. More: the connection is closed.
pub const HTTP_BODY_THROWN_AWAY_MAX: usize = 4 * 1024 * 1024;
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

// ---- Broadcasts ----

/// How long a broadcast waits for a publisher that vanished before it ends.
pub const PUBLISHER_RETURN_WINDOW: Duration = Duration::from_secs(15);

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
/// Goals, points or runs of one side. More: refused.
pub const SCORE_MAX: u16 = 999;
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
/// How often it is looked at how much of the node is in use: workers show their counters once a second.
pub const USAGE_INTERVAL: Duration = Duration::from_secs(1);
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
