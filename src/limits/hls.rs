//! Bounds of the HLS fallback: the packager, its playlists, its HTTP requests and its helper program.

use std::time::Duration;

// ---- Packager: input ----

/// Packet runs of one broadcast waiting for its packager: half a second of three layers and sound. Full: the newest run is dropped and
/// counted, and its layer goes on with its next key frame.
pub const HLS_TAP_QUEUE: usize = 512;
/// Packagers of one broadcast: one, and another while the first is being stopped. More: refused.
pub const HLS_TAPS_MAX: usize = 2;
/// How long a packager waits for a missing packet. Retransmission brings it within one or two round trips; later, latency would grow.
pub const HLS_REPAIR_WAIT: Duration = Duration::from_millis(150);
/// Packets of one stream kept while one before them is missing: `HLS_REPAIR_WAIT` of 60 Mbit/s. Full: the missing one is given up.
pub const HLS_REORDER_PACKETS_MAX: usize = 1024;
/// Largest frame, bytes: a key frame of 2160p has about 1 MB. Larger: dropped up to the next key frame.
pub const HLS_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Picture parameter sets of one H.264 stream; encoders send one or two. More: the first ones are kept.
pub const HLS_PPS_MAX: usize = 8;
/// OBUs of one AV1 temporal unit. More: dropped up to the next key frame.
pub const HLS_OBUS_MAX: usize = 256;
/// Frames of one track that wait for the track which decides where segments end. Full: the oldest is packaged without waiting.
pub const HLS_FRAMES_WAITING_MAX: usize = 256;
/// The clocks of all tracks are waited for this long before the first segment; after that the arrival of packets stands in for a sender
/// report.
pub const HLS_CLOCK_WAIT: Duration = Duration::from_secs(3);
/// A layer's key frame this close to one of the leading layer is taken for the same picture; sender reports of one publisher agree to 4 ms.
pub const HLS_SNAP_MS: f64 = 12.0;
/// Without a frame for this long the leading layer leads no more.
pub const HLS_LEADER_SILENCE: Duration = Duration::from_millis(600);
/// Without a frame for this long a layer that does not lead has stopped: its segment is closed, and those that follow are gaps.
pub const HLS_LAYER_SILENCE: Duration = Duration::from_millis(1200);
/// A frame this far ahead of the leading track is on another line: everything begins anew with a discontinuity.
pub const HLS_STRAY_MS: f64 = 10_000.0;
/// Frames in a row that lie behind what is there, before the same is done: more than a late retransmission brings.
pub const HLS_BEHIND_MAX: u32 = 100;
/// Sound that is off its place by more than this is moved there at once; below, one tick a frame.
pub const HLS_SOUND_JUMP_MS: f64 = 80.0;

// ---- Packager: segments ----

/// `EXT-X-TARGETDURATION`, seconds: fixed for the life of a playlist (RFC 8216bis section 4.4.3.1).
pub const HLS_TARGET_DURATION_S: u32 = 3;
/// A key frame ends a segment that is at least this long; key frames are asked for every two seconds.
pub const HLS_SEGMENT_MIN_MS: f64 = 1500.0;
/// A segment of sound alone ends after this.
pub const HLS_SEGMENT_SOUND_MS: f64 = 2000.0;
/// Without a key frame a segment ends here all the same: rounded, it must not exceed the target duration.
pub const HLS_SEGMENT_MAX_MS: f64 = 2900.0;
/// Nothing at all came for so long that the segment would exceed the target duration: it ends where the last frame was, and a discontinuity follows.
pub const HLS_SEGMENT_LOST_MS: f64 = 3400.0;
/// How far a layer's key frame may be from where the leading layer ended its segment.
pub const HLS_BOUNDARY_SLACK_MS: f64 = 200.0;
/// What a part may be set to, ms.
pub const HLS_PART_MS_RANGE: std::ops::RangeInclusive<u32> = 100..=1000;
/// Segments in a live playlist: 40 s. Older: not listed.
pub const HLS_WINDOW_SEGMENTS: usize = 20;
/// Segments kept for those who read an older playlist. Older: 404.
pub const HLS_KEPT_SEGMENTS: usize = 26;
/// Bytes of media kept of one broadcast: 30 s of 25 Mbit/s. More: the window of the largest rendition is shorter.
pub const HLS_KEPT_BYTES_MAX: usize = 96 * 1024 * 1024;
/// Parts are listed of segments that end this close to the live edge: three target durations.
pub const HLS_PARTS_LISTED_S: f64 = 9.0;
/// `CAN-SKIP-UNTIL`: six target durations, the least that is allowed.
pub const HLS_SKIP_UNTIL_S: f64 = 18.0;

// ---- Requests ----

/// Broadcasts packaged at once. Full: 503.
pub const HLS_BROADCASTS_MAX: usize = 256;
/// A packager that nobody has asked anything of for this long stops.
pub const HLS_IDLE: Duration = Duration::from_secs(30);
/// A request waits this long for what it names: three target durations. Longer: 503.
pub const HLS_BLOCK_MAX: Duration = Duration::from_secs(9);
/// A first request waits this long for the first segment. Longer: 503.
pub const HLS_START_MAX: Duration = Duration::from_secs(9);
/// Once one rendition plays, the multivariant playlist waits this long for the others that have begun: until their next key frame, at least.
pub const HLS_SETTLE: Duration = Duration::from_millis(2500);
/// Requests that wait at once, over all broadcasts: 8000 viewers of picture and sound. Full: 503.
pub const HLS_WAITING_MAX: usize = 32_000;
/// A playlist may ask for at most this many segments ahead (RFC 8216bis section 6.2.5.2). More: 400.
pub const HLS_AHEAD_MAX: u64 = 2;

// ---- Tokens in paths ----

/// A path that opens a broadcast does so at least this long: a match with extra time, and the hour before it. Players that follow relative
/// addresses stay on the path they began with. Later: 403, and whoever may still watch asks for another.
pub const PATH_TOKEN_TTL: Duration = Duration::from_secs(6 * 3600);
/// Everybody who asks within one step is given the same path. Shorter: more paths at once, each with its own copy in caches that keep the path.
pub const PATH_TOKEN_STEP: Duration = Duration::from_secs(300);
/// Longest token of a path with the broadcast's name, bytes. Ours have about 85. Longer: invalid, unread.
pub const PATH_TOKEN_BYTES_MAX: usize = 256;
/// A cache in front may take a path for valid this long after it has asked: what revoking everything (a new key) waits for.
pub const PATH_CHECK_TTL_S: u64 = 60;

// ---- Encoders: sound for players without Opus, the ladder of a picture that has none ----

/// Bit rate of AAC, bits per second.
pub const HLS_AAC_BPS: u32 = 128_000;
/// Frames on their way to an encoder and back: 5 s of sound, 8 s of a picture. Full: the newest is dropped and counted.
pub const HLS_SOUND_QUEUE: usize = 256;
/// First and longest pause before an encoder that died is started again.
pub const HLS_ENCODER_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// An encoder that ran this long is sound: the next pause is the first again.
pub const HLS_ENCODER_PROVEN: Duration = Duration::from_secs(60);
/// An encoder that is fed and says nothing for this long hangs: it is ended and started again.
pub const HLS_ENCODER_SILENCE: Duration = Duration::from_secs(5);
/// One that is not fed for this long is ended until sound comes. Shorter, because its last word comes before the last that it is fed.
pub const HLS_ENCODER_PATIENCE: Duration = Duration::from_secs(4);
/// Last words of an encoder that are kept for the log, bytes.
pub const HLS_ENCODER_WORDS_MAX: usize = 2048;

/// Sizes that are made of one picture.
pub const HLS_LADDER_RUNGS_MAX: usize = 3;
/// Lines of the largest and of the smallest of them; a smaller source is made once, as it is.
pub const HLS_LADDER_HEIGHT_MAX: u16 = 1080;
pub const HLS_LADDER_RUNG_MIN: u16 = 160;
/// A source whose picture has had one layer alone for this long is taken not to be simulcast.
pub const HLS_LADDER_LONE: Duration = Duration::from_secs(6);

// ---- Guests on air: main picture and guest in one programme, both sounds in one ----

/// Where frames of a rendition begin to come from elsewhere, the one waits so long for the other. Longer: the change waits for another key frame, or
/// is made without the last frames.
pub const HLS_CHANGE_WAIT: Duration = Duration::from_secs(1);
/// A guest's picture that is silent for this long has stopped: the programme goes on without.
pub const HLS_GUEST_SILENCE: Duration = Duration::from_millis(300);
/// It is taken in once it has come without such a pause for so long.
pub const HLS_GUEST_STEADY: Duration = Duration::from_secs(1);
/// A guest's frames that arrive later than their clock says by more than the second figure, or earlier by more than the first, ms, are placed by
/// their arrival: clocks of two people need not agree, and the programme waits for the later of both.
pub const HLS_GUEST_OFF_MS: (f64, f64) = (500.0, 150.0);
/// A child that is further behind the picture than this does not keep up, and is ended.
pub const HLS_PROGRAMME_LAG_MS: f64 = 2000.0;
/// The main sound waits this long for a guest's, so that both are mixed as they were: what a guest may be late by (above), and what a lost packet's
/// second sending takes. Longer: silence in its place, and what comes after that is dropped and counted.
pub const HLS_GUEST_SOUND_WAIT: Duration = Duration::from_millis(350);
/// A guest whose sound is silent for this long has none: the main sound goes on as it is. Longer than pauses of senders that send no silence (400 ms).
pub const HLS_GUEST_SOUND_SILENCE: Duration = Duration::from_secs(2);
/// Bit rate of Opus with a guest's voice in it, bits per second: that of AAC, because it is encoded again as that is.
pub const HLS_MIX_OPUS_BPS: u32 = 128_000;
/// How often it is looked who is on air.
pub const HLS_GUEST_LOOK: Duration = Duration::from_millis(250);

// ---- Recording ----

/// What the window of a live broadcast may be set to, minutes: 12 h of four renditions are 30,000 records and about 6 MB of memory.
pub const DVR_WINDOW_MIN_RANGE: std::ops::RangeInclusive<u64> = 1..=720;
/// A segment that has left the window, and a sheet of preview pictures that was replaced, are kept so long (media time) for those who read an older
/// playlist or list. Longer: 404.
pub const DVR_GRACE: Duration = Duration::from_secs(60);
/// Segments of one broadcast that wait to be written: half a minute of four renditions. Full: the newest is a gap in the recording, counted.
pub const DVR_QUEUE: usize = 64;
/// What waits to be written over all broadcasts, KiB: two seconds of 500 Mbit/s. Full: as above.
pub const DVR_QUEUED_KIB_MAX: usize = 128 * 1024;
/// Segments that are written together, and then entered in the index with one write to disk.
pub const DVR_BATCH: usize = 16;
/// An answer of disk or bucket takes at most so long. Longer: it has failed.
pub const DVR_STORE_TIMEOUT: Duration = Duration::from_secs(10);
/// An index that has so many records more than twice what it needs is written anew.
pub const DVR_LOG_SLACK: usize = 1024;
/// Renditions of one recording: every layer and two kinds of sound, which is all that have names. More: left out.
pub const DVR_RENDITIONS_MAX: usize = 10;
/// Slots of time of which nothing came, in a row. More: what comes behind them is left out.
pub const DVR_HOLES_MAX: usize = 1024;
/// Slots by which a rendition may lag behind the others before what it lacks is a gap.
pub const DVR_LAG_SLOTS: usize = 3;
/// Recordings on this node, those of broadcasts on air included. More: the oldest replay goes.
pub const DVR_RECORDINGS_MAX: usize = 256;
/// Replays whose index is in memory, about 1 MB each for two hours. More: the one that nobody asked for longest is let go of.
pub const DVR_OPEN_MAX: usize = 16;
/// A replay that could not be deleted is tried again so much later; until it is gone its bytes count.
pub const DVR_DELETE_RETRY: Duration = Duration::from_secs(60);
/// Broadcasts on air, replays that expire and room on the disk are looked at this often; between two looks the bound in bytes may be exceeded by
/// what is recorded meanwhile.
pub const DVR_UPKEEP_INTERVAL: Duration = Duration::from_secs(1);
/// What a setting of days, hours and gigabytes may be.
pub const REPLAY_KEPT_HOURS_MAX: u64 = 24 * 365;
pub const DVR_MAX_GB_RANGE: std::ops::RangeInclusive<u64> = 1..=100_000;

// ---- Preview pictures ----

/// Media time between two pictures of the seek bar.
pub const THUMBS_EVERY_MS: f64 = 10_000.0;
/// Pictures of one sheet, across and down.
pub const THUMBS_GRID: (u16, u16) = (5, 5);
/// Width of one picture, pixels; its height follows from the video's.
pub const THUMBS_WIDTH: u16 = 160;
/// Children that decode at once, over all broadcasts. Full: the others wait, and pictures that come meanwhile are left out.
pub const THUMBS_CHILDREN_MAX: usize = 1;
/// A child that takes longer hangs: it is ended, and its sheet is tried again with the next picture.
pub const THUMBS_CHILD_TIMEOUT: Duration = Duration::from_secs(5);
/// Coded bytes of the pictures of one sheet. More: the sheet ends early.
pub const THUMBS_SHEET_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a sheet as JPEG. More: it is given up.
pub const THUMBS_JPEG_BYTES_MAX: usize = 1024 * 1024;
/// After so many failures in a row a recording goes on without pictures.
pub const THUMBS_FAILURES_MAX: u32 = 5;
