//! Bounds of the social plane: the bus, chat, reactions, presence, the filter.

use std::time::Duration;

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
/// Messages of one chat that wait for a moderator, and of one person. Full: the filter refuses them, as if nobody could look at them.
pub const CHAT_HELD_MAX: usize = 100;
pub const CHAT_HELD_OF_ONE_MAX: usize = 3;
/// Nobody has ruled on it by then: it is refused, because it would be about another moment of the match.
pub const CHAT_HELD_FOR: Duration = Duration::from_secs(600);
/// Nodes are told of new ones at most this often, and of all of them again after the second, for those who missed it.
pub const CHAT_HELD_TOLD_INTERVAL: Duration = Duration::from_secs(1);
pub const CHAT_HELD_RETOLD_INTERVAL: Duration = Duration::from_secs(5);
/// A ruling is told for this long: twice, at least.
pub const CHAT_RULING_TOLD_FOR: Duration = Duration::from_secs(12);
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
/// ... or so many come in one batch, which then nobody could read and everybody would be sent ...
pub const CHAT_UNSAMPLED_MAX: usize = 200;
/// ... and each viewer is shown this many of each window of `CHAT_SAMPLED_FLUSH_INTERVAL`.
pub const CHAT_VISIBLE_PER_WINDOW: usize = 5;
/// Frames of one broadcast that a reader may lag behind: six seconds at the home's rate. More: it is sent what is kept instead.
pub const CHAT_RING: usize = 64;
/// Seats whose sockets one task writes to. More: another task, so that a large room is served by all cores.
pub const CHAT_ROW_SEATS: usize = 256;
/// Sockets that are written to before other tasks of the core have their turn: half a millisecond.
pub const CHAT_ROW_TURN: usize = 64;
/// Frames for one seat alone that wait to be read. Full: the seat is closed as too slow.
pub const CHAT_MAILBOX: usize = 64;
/// How often a reader may fall out of the ring within the window. More: closed as too slow.
pub const CHAT_RESYNCS_MAX: u32 = 3;
pub const CHAT_RESYNC_WINDOW: Duration = Duration::from_secs(60);
/// Chat texts waiting in one client's outbox beside its other messages. More: it reads the ring later, and others are not disturbed.
pub const CHAT_OUTBOX_MAX: usize = 8;
/// Events of one chat that the archive in memory keeps, chats, and other things of a kind. More: the oldest go.
pub const ARCHIVED_EVENTS_MAX: usize = 5000;
pub const ARCHIVED_BROADCASTS_MAX: usize = 200;
/// Events of one chat that the store keeps, the newest, however many its days of keeping would allow. More: the oldest go at the next upkeep.
pub const CHAT_KEPT_MAX: u32 = 100_000;
/// How often what is too old is removed from there.
pub const CHATS_UPKEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Events in one statement: six values each, of which SQLite takes 32,766.
pub const CHAT_ROWS_PER_STATEMENT: usize = 500;
/// What waits to be written into the archive: batches of events, snapshots, actions, reports. Full: what comes is lost to the archive and counted.
pub const ARCHIVE_QUEUE: usize = 4096;
/// The snapshot of a chat is written into the archive this long after the last one; at once when moderators have changed something.
pub const ARCHIVE_SNAPSHOT_INTERVAL: Duration = Duration::from_secs(10);
/// Characters of a note of a moderator, or of a report. Longer: refused.
pub const CHAT_NOTE_MAX: usize = 200;
/// Reports of one broadcast that nobody has resolved. More: not kept.
pub const REPORTS_OPEN_MAX: u32 = 5000;
/// Messages in one list of reports, and actions in one page of the audit log.
pub const REPORTS_LISTED_MAX: u32 = 100;
pub const ACTIONS_PAGE_MAX: u32 = 50;
/// What a person is to the broadcaster is asked for again after this long, where it decides who may write.
pub const STANDING_KEPT: Duration = Duration::from_secs(10);
/// A chat without anybody on this node is closed here after this long.
pub const CHAT_ROOM_KEPT: Duration = Duration::from_secs(30);

/// People in one list of those who may not write. More: in the next page.
pub const RESTRAINED_LISTED_MAX: usize = 200;

// ---- Social plane: reactions, presence, filter ----

/// A heat line that was read is answered again for this long; at most so many are kept. More: they are read each time.
pub const HEAT_KEPT: Duration = Duration::from_secs(10);
pub const HEAT_CACHED_MAX: usize = 64;

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

// ---- Social plane: people ----

/// Changes of who is online and where are told to other nodes this often.
pub const PRESENCE_INTERVAL: Duration = Duration::from_millis(250);
/// Who goes offline is told of after this long, so that a page that is loaded again is no coming and going.
pub const PRESENCE_GRACE: Duration = Duration::from_secs(3);
/// A node tells everything of its people at most this often, and asks another one for it as often.
pub const PRESENCE_WHOLE_INTERVAL: Duration = Duration::from_secs(1);
/// People in one message between nodes. More: in further ones.
pub const PRESENCE_BATCH_MAX: usize = 1000;
/// Things that wait for the task that tells people and nodes, when something new is to be told to one person. More: it is lost and counted.
pub const PEOPLE_OUTPUTS_MAX: usize = 16_384;
/// Friends and blocks that could not be read for the chats that somebody is in are read again after this long.
pub const TIES_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Times that friends and what somebody hides are read where such things change meanwhile. More: the next change mends it.
pub const TIES_READS_MAX: u32 = 3;
/// What waits for one connection: presence of friends, private messages. Full: the connection is closed as too slow.
pub const PEOPLE_MAILBOX: usize = 256;
