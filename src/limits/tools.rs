//! Bounds of the demo publisher and of the load generator.

use std::time::Duration;

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
/// Calls of one load generator: each has an account and an address of its own.
pub const LOADGEN_CALLS_MAX: usize = 2_000;
/// How long a member of a call speaks before the next one does.
pub const LOADGEN_CALL_TURN: Duration = Duration::from_secs(3);
/// A voice that is not there for longer is heard to be gone: what a jitter buffer conceals is less.
pub const LOADGEN_VOICE_GAP: Duration = Duration::from_millis(200);
/// Packets that a member can send again: two seconds of camera and microphone. Older: not sent again.
pub const LOADGEN_RESEND_PACKETS: usize = 350;
/// Pushes of a conversation that wait while it waits for an answer, and between conversation and media. Full: the oldest is forgotten, or it waits.
pub const LOADGEN_PUSHES_MAX: usize = 256;
/// The longest message of a server: a call of fifty, or a full answer, is a tenth of it.
pub const LOADGEN_MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Between two signs of life of a conversation; a third of what the server waits for.
pub const LOADGEN_PING_INTERVAL: Duration = Duration::from_secs(15);
/// How often a member tells where its picture is.
pub const LOADGEN_CALL_PACE_INTERVAL: Duration = Duration::from_secs(1);
/// Between the last viewer's start and the measurement: time to join and to fall quiet.
pub const LOADGEN_SETTLE: Duration = Duration::from_secs(3);

/// Sockets of one crowd: what the ports and addresses of a loopback and the open files of a process allow.
pub const CROWD_MAX: usize = 20_000;
/// Sockets of a crowd that open at once.
pub const CROWD_CONNECTING_MAX: usize = 64;
/// Between two messages of one speaker of a crowd: what the chat lets a person say.
pub const CROWD_SPEAKER_PAUSE: Duration = Duration::from_secs(2);
/// Between two messages of a crowd's broadcaster, and of its moderator.
pub const CROWD_LEADER_PAUSE: Duration = Duration::from_secs(1);
/// Between two signs of life of a crowd's socket; a quarter of what the server waits for.
pub const CROWD_PING_INTERVAL: Duration = Duration::from_secs(10);
/// Bytes that a crowd's socket reads at once.
pub const CROWD_READ_BYTES: usize = 4096;
/// Pairs of friends in a flood: their accounts, with two more, are fewer than one address may sign up at once.
pub const CROWD_FRIENDS: usize = 3;
/// Members of a flood who mention somebody, and as many who reply.
pub const CROWD_ADDRESSING: usize = 20;
/// A flood before it is measured: the chat takes two seconds to believe in it.
pub const CROWD_FLOOD_WARMING: Duration = Duration::from_secs(5);
/// After it, what is on its way may take this long: more than the chat's own patience. Not answered by then: counts as lost.
pub const CROWD_DRAIN: Duration = Duration::from_secs(10);
/// Messages of one member that wait for their answers: ten seconds of what a connection may send. More: the connection counts as broken.
pub const CROWD_PENDING_MAX: usize = 256;
/// After it, sums are at rest and everything said is heard.
pub const CROWD_REST: Duration = Duration::from_secs(3);
/// Taps of one kind in one message of a crowd: more do not count.
pub const CROWD_TAPS_OF_ONE_MAX: u32 = 20;
/// What the kernel keeps for a slow reader, bytes, and how often it reads a part of its second's worth.
pub const CROWD_SLOW_BUFFER_BYTES: u32 = 4096;
pub const CROWD_SLOW_STEP: Duration = Duration::from_millis(250);
/// Latencies are counted up to this. Longer: as this.
pub const CROWD_LATENCY_MAX: Duration = Duration::from_secs(20);
