//! The judge. It reads everything that leaves for a viewer, before the network can lose it, and compares it with what was published.
//! Written from the rules, not from the code under test.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use courtside::limits;
use courtside::sfu::codec::MediaKind;
use courtside::timeline::NtpTime;

use super::flexfec::Recovery;
use super::ledger::{Ledger, Published, numbers_at, whole};
use super::offer::{FEC_PT, OPUS_PT, Pair, RED_PT};
use super::wire::{self, Rtcp, Rtp, Unwrapper};

/// A switch may move the timestamp by the time that passed and this much more.
const JUMP_MAX: Duration = Duration::from_secs(1);
/// A sender report may be this far from the truth, ms.
const REPORT_ERROR_MS: f64 = 1.0;

/// A stretch of packets whose sequence numbers have a constant offset.
#[derive(Debug, Clone)]
struct Stretch {
    begun: Instant,
    first: i64,
    stream: u32,
    offset: i64,
    /// Of the newest frame.
    time_offset: u32,
    /// Published timestamp of its first frame.
    first_time: u32,
    /// Began with a packet that had just come, not with one of the past.
    began_live: bool,
    /// Began with a picture that had been sent.
    begins_again: bool,
    /// Two frames in a row left as they came, under one offset: from then on it does not change.
    settled: bool,
    /// Sent timestamp by published one.
    times: HashMap<u32, u32>,
    /// Sent minus published.
    picture_offset: u16,
    tl0_offset: u8,
    /// Of a stream with layers, of which some may be left out: the newest packet's number at its source, and the numbers kept for what had
    /// not come when later packets left.
    newest_source: i64,
    kept: HashMap<i64, i64>,
}

impl Stretch {
    /// Whether a packet of a stream with layers goes on in this stretch: what came before it and was not sent took no number, what has not
    /// come keeps one. Live, what came first goes first; a queue is in the order of the source, of all that has come by now.
    fn take_layered(&mut self, seq: i64, highest: i64, published: &Published, ledger: &Ledger) -> bool {
        if published.seq <= self.newest_source || seq <= highest {
            return self.kept.get(&published.seq) == Some(&seq);
        }
        let before: Vec<(i64, &Published)> =
            (self.newest_source + 1..published.seq).filter_map(|source| Some((source, ledger.at(self.stream, source)?))).collect();
        let live = |other: &Published| other.place.is_none_or(|place| Some(place) > published.place);
        let queued = |other: &Published| other.place.is_none();
        let rules: [&dyn Fn(&Published) -> bool; 2] = [&live, &queued];
        for is_missing in rules {
            let missing = before.iter().filter(|(_, other)| is_missing(other)).map(|(source, _)| *source);
            let kept: Vec<(i64, i64)> = missing.zip(highest + 1..).collect();
            if highest + 1 + kept.len() as i64 == seq {
                self.kept.extend(kept);
                self.newest_source = published.seq;
                self.offset = seq - published.seq;
                return true;
            }
        }
        false
    }
}

/// One track as one viewer is sent it.
#[derive(Debug, Default)]
struct Track {
    ssrc: Option<u32>,
    rtx_ssrc: Option<u32>,
    fec_ssrc: Option<u32>,
    /// What was sent of it, to tell what its parity must be.
    recovery: Recovery,
    unwrapper: Unwrapper,
    stretches: Vec<Stretch>,
    highest: i64,
    newest_time: u32,
    newest_picture: Option<(u16, u8)>,
    sent_at: Option<Instant>,
    /// When the newest packet sent had come: in a replay, long before.
    newest_came_at: Option<Instant>,
    /// Of the newest frame, by its publisher's clock.
    newest_media_ms: Option<f64>,
    /// How far the viewer's timeline has come: a timestamp sent, and when its packet had come. In a replay whose timestamps shrink it is that of a
    /// packet before, which all that is live goes on from.
    reached: Option<(u32, Instant)>,
    /// Its m-line was filled anew, or its source published anew, since the newest stretch began: what comes next is placed by when it comes, be it
    /// of the same stream.
    filled_anew: bool,
    /// Time offset of the newest packet of this stretch that left as it came: sender reports must be true for it.
    line: Option<u32>,
    /// Whole payload, timestamp and marker by number.
    sent: HashMap<i64, (u64, u32, bool)>,
}

/// Reads what one viewer is sent.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    name: String,
    worker: u8,
    video: Track,
    audio: Track,
    /// Ciphertext by SSRC and index.
    sealed: HashMap<(u32, i64), u64>,
    indices: HashMap<u32, Unwrapper>,
    pub video_packets: u64,
    pub audio_packets: u64,
    pub rtx_packets: u64,
    pub parity_packets: u64,
    /// Packets of sound with earlier ones in them.
    pub redundant: u64,
    pub switches: u64,
    /// Numbers that left without a packet.
    pub emptied: u64,
    /// Stretches that began with packets of the past.
    pub replays: u64,
    /// When the first video packet and the first sender report on it left.
    pub first_video_at: Option<Instant>,
    pub first_report_at: Option<Instant>,
    pub reports_checked: u64,
    /// Rules are checked only where the engine's order of arrival is known (its own worker's).
    pub strict_holes: bool,
}

impl Judge {
    pub(crate) fn new(name: String, worker: u8, pair: &Pair) -> Self {
        let video = Track {
            ssrc: pair.video.map(|(ssrc, _)| ssrc),
            rtx_ssrc: pair.video.and_then(|(_, rtx)| rtx),
            fec_ssrc: pair.fec,
            ..Track::default()
        };
        let audio = Track { ssrc: pair.audio, ..Track::default() };
        Self { name, worker, video, audio, strict_holes: true, ..Self::default() }
    }

    /// The m-lines of this pair are filled, with what they had or with something else, or their source is published anew.
    pub(crate) fn handle_filled(&mut self) {
        (self.video.filled_anew, self.audio.filled_anew) = (true, true);
    }

    /// Whether it is one of the streams of this pair.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        [self.video.ssrc, self.video.rtx_ssrc, self.video.fec_ssrc, self.audio.ssrc].contains(&Some(ssrc))
    }

    /// An SRTP packet as it left, and its plaintext.
    pub(crate) fn handle_rtp(&mut self, now: Instant, sealed: &[u8], plain: &[u8], ledger: &Ledger) {
        let rtp = wire::parse_rtp(plain);
        let index = self.indices.entry(rtp.ssrc).or_default().unwrap(rtp.seq);
        let mut hasher = DefaultHasher::new();
        sealed.hash(&mut hasher);
        let twin = self.sealed.insert((rtp.ssrc, index), hasher.finish());
        assert!(twin.is_none(), "{}: two packets under one SRTP index ({}, {index})", self.name, rtp.ssrc);
        let payload = &plain[rtp.payload.clone()];
        if Some(rtp.ssrc) == self.video.rtx_ssrc {
            self.rtx_packets += 1;
            self.check_retransmission(&rtp, payload, ledger);
        } else if Some(rtp.ssrc) == self.video.ssrc {
            self.video_packets += 1;
            self.video.recovery.handle_media(plain);
            self.first_video_at.get_or_insert(now);
            self.check_media(now, &rtp, payload, MediaKind::Video, ledger);
        } else if Some(rtp.ssrc) == self.video.fec_ssrc {
            self.parity_packets += 1;
            assert_eq!(rtp.pt, FEC_PT);
            self.video.recovery.check(self.video.ssrc.expect("it protects something"), payload);
        } else if Some(rtp.ssrc) == self.audio.ssrc {
            self.audio_packets += 1;
            if rtp.pt == RED_PT {
                self.redundant += 1;
                let (frame, earlier) = wire::parse_red(payload, OPUS_PT);
                self.check_redundancy(&rtp, frame, &earlier, ledger);
                let plain = Rtp { pt: OPUS_PT, ..rtp };
                self.check_media(now, &plain, frame, MediaKind::Audio, ledger);
            } else {
                assert_eq!(rtp.pt, OPUS_PT);
                self.check_media(now, &rtp, payload, MediaKind::Audio, ledger);
            }
        } else {
            panic!("{}: SSRC {} was not announced", self.name, rtp.ssrc);
        }
    }

    /// What is repeated is what was published before it, at the right distance.
    fn check_redundancy(&self, rtp: &Rtp, frame: &[u8], earlier: &[(u32, &[u8])], ledger: &Ledger) {
        let name = &self.name;
        let frame = ledger.find(frame, OPUS_PT).unwrap_or_else(|| panic!("{name}: a frame that nobody published"));
        assert!(!earlier.is_empty() && earlier.len() <= 2, "{name}: {} earlier frames", earlier.len());
        for (distance, payload) in earlier {
            let found = ledger.find(payload, OPUS_PT).unwrap_or_else(|| panic!("{name}: an earlier frame that nobody published"));
            assert_eq!(found.stream, frame.stream, "{name}: of the same stream, at {}", rtp.seq);
            assert_eq!(frame.time.wrapping_sub(found.time), *distance, "{name}: at its distance");
        }
    }

    fn check_media(&mut self, now: Instant, rtp: &Rtp, payload: &[u8], kind: MediaKind, ledger: &Ledger) {
        let name = &self.name;
        if payload.is_empty() {
            return self.check_empty(rtp, ledger);
        }
        let published = ledger.find(payload, rtp.pt).unwrap_or_else(|| panic!("{name}: a payload that nobody published"));
        let stream = ledger.stream(published.stream);
        assert_eq!(stream.kind, kind, "{name}: kinds are not mixed");
        if published.layer_frame.is_none() {
            assert_eq!(rtp.marker, published.marker, "{name}: the marker");
        }
        let track = if kind == MediaKind::Video { &mut self.video } else { &mut self.audio };
        let seq = track.unwrapper.unwrap(rtp.seq);
        let picture = numbers_at(rtp.pt).map(|(id, tl0)| (u16::from_be_bytes([payload[id] & 0x7f, payload[id + 1]]), payload[tl0]));
        let time_offset = rtp.time.wrapping_sub(published.time);
        // On another worker it comes a little later, and the beginning of a frame waits for its end.
        let is_live = published.arrived.is_none_or(|at| at + limits::RUN_WAIT + Duration::from_millis(1) >= now);
        let is_layered = published.layer_frame.is_some();
        let continues = if is_layered {
            let highest = track.highest;
            let moved = |stretch: &Stretch| {
                let ids = picture.zip(published.picture).map(|((id, _), (source, _))| id.wrapping_sub(source) & 0x7fff);
                stretch.time_offset != time_offset || ids.is_some_and(|offset| offset != stretch.picture_offset)
            };
            // A key picture that continues nothing: a replay, or a group that began behind one.
            let begins = |stretch: &Stretch| published.key_first && seq == highest + 1 && moved(stretch);
            let stretch = track.stretches.last_mut().filter(|stretch| stretch.stream == published.stream && !begins(stretch));
            stretch.is_some_and(|stretch| stretch.take_layered(seq, highest, published, ledger))
        } else {
            // By chance it may go on under the very numbers.
            let begins = |stretch: &Stretch| {
                track.filled_anew && published.key_first && seq == track.highest + 1 && stretch.time_offset != time_offset
            };
            let stretch = track.stretches.last().filter(|stretch| stretch.stream == published.stream && !begins(stretch));
            stretch.is_some_and(|stretch| stretch.offset == seq - published.seq)
        };
        if is_layered && continues && seq == track.highest + 1 {
            let (_, last_time, last_marker) = track.sent[&track.highest];
            assert_eq!(last_marker, last_time != rtp.time, "{name}: the last packet of a picture has the marker: before {published:?}");
        }
        if !continues {
            // A switch or a replay: the next number, a key frame, a time that is later but not by much.
            assert!(
                published.key_first,
                "{name}: {kind:?} begins or switches in the middle: {published:?}, before {:?}",
                track.stretches.last()
            );
            if let Some(last) = track.stretches.last() {
                assert_eq!(seq, track.highest + 1, "{name}: a switch leaves no gap; {published:?} after {last:?}");
                let ticks = rtp.time.wrapping_sub(track.newest_time) as i32;
                // A replay that ended before it was live left the viewer in the past, while its line went on from what was live last.
                let (reached, at) = track.reached.expect("something was sent");
                let passed = now - at;
                let behind = f64::from(reached.wrapping_sub(track.newest_time) as i32);
                let most = (passed + JUMP_MAX).as_secs_f64() * f64::from(stream.rate_hz) + behind;
                assert!(
                    ticks > 0 && f64::from(ticks) <= most,
                    "{name}: a switch moves {kind:?} by {ticks} ticks after {passed:?}, {last:?}"
                );
                self.switches += 1;
            } else if kind == MediaKind::Video && !is_live {
                let ticks = time_offset as i32;
                assert!(ticks >= 0, "{name}: a replay begins before its own timestamps");
            }
            self.replays += u64::from(!is_live && kind == MediaKind::Video);
            (track.line, track.filled_anew) = (None, false);
            // A picture that the viewer has, in this layer or another, has no place of its own on the line any more.
            let media_ms = stream.media_ms(published.time);
            let is_again = track.newest_media_ms.is_some_and(|newest| stream.clock_is_right && media_ms < newest + REPORT_ERROR_MS);
            track.stretches.push(Stretch {
                begun: now,
                first: seq,
                stream: published.stream,
                offset: seq - published.seq,
                time_offset,
                first_time: published.time,
                began_live: is_live,
                begins_again: is_again,
                settled: false,
                times: HashMap::from([(published.time, rtp.time)]),
                picture_offset: picture.map_or(0, |(id, _)| id.wrapping_sub(published.picture.map_or(0, |p| p.0)) & 0x7fff),
                tl0_offset: picture.map_or(0, |(_, tl0)| tl0.wrapping_sub(published.picture.map_or(0, |p| p.1))),
                newest_source: published.seq,
                kept: HashMap::new(),
            });
            if let (Some((id, tl0)), Some((last_id, last_tl0))) = (picture, track.newest_picture) {
                assert_eq!(id, (last_id + 1) & 0x7fff, "{name}: picture ids go on over a switch");
                assert_eq!(tl0, last_tl0.wrapping_add(1), "{name}: TL0PICIDX goes on over a switch");
            }
        } else {
            let stretch = track.stretches.last_mut().expect("it continues one");
            assert!(seq >= stretch.first, "{name}: older than its stretch");
            let ticks = rtp.time.wrapping_sub(track.newest_time) as i32;
            // Its first packet came last, by retransmission: a replay all the same.
            stretch.began_live &= published.arrived.is_none_or(|at| at > stretch.begun) || published.time == stretch.first_time;
            match stretch.times.insert(published.time, rtp.time) {
                Some(before) => assert_eq!(before, rtp.time, "{name}: a frame has one timestamp"),
                // A new frame. Timestamps keep their distance; only in a replay may they shrink, and return once when it is live.
                None if time_offset == stretch.time_offset => stretch.settled |= is_live,
                // A frame that was missing altogether: between its neighbours.
                None if seq < track.highest => {
                    let behind = |time: u32, other: u32| (time.wrapping_sub(other) as i32).signum();
                    let in_place = |(&source, &sent): (&u32, &u32)| behind(source, published.time) == behind(sent, rtp.time);
                    assert!(stretch.times.iter().all(in_place), "{name}: a repaired frame is out of place: {published:?} in {stretch:?}");
                }
                None => {
                    assert!(!stretch.settled, "{name}: the timeline moves while live: {published:?} in {stretch:?}");
                    assert!(ticks > 0, "{name}: a replay goes back in time by {ticks} ticks");
                    // A viewer that was in the past may be live now.
                    let passed = track.newest_came_at.map_or(Duration::ZERO, |at| now - at) + limits::GROUP_AGE_MAX;
                    assert!(f64::from(ticks) <= (passed + JUMP_MAX).as_secs_f64() * f64::from(stream.rate_hz), "{name}: {ticks} ticks");
                    stretch.time_offset = time_offset;
                }
            }
            // A hole in what leaves is a hole in what came: nothing that was there may be left out. Only what overtook the first packet of
            // its key frame came too early; it can be asked for.
            if self.strict_holes && self.worker == stream.worker && !is_layered {
                for missing in track.highest + 1..seq {
                    let source = ledger.at(published.stream, missing - stretch.offset);
                    let too_early = |at: Instant| stretch.began_live && at <= stretch.begun;
                    let is_hole = source.is_some_and(|source| source.arrived.is_none_or(|at| too_early(at) || at >= now));
                    assert!(is_hole, "{name}: {missing} was left out although it came: {source:?}");
                }
            }
            if let (Some((id, tl0)), Some((source_id, source_tl0))) = (picture, published.picture) {
                // VP8 receivers take a gap for a loss, VP9 has references by distance.
                if is_layered && numbers_at(rtp.pt) == Some((2, 4)) {
                    let (last_id, _) = track.newest_picture.expect("it continues");
                    let is_next = seq == track.highest + 1 && rtp.time != track.newest_time;
                    assert!(!is_next || id == (last_id + 1) & 0x7fff, "{name}: a gap in the picture ids at {published:?}");
                } else {
                    assert_eq!(id.wrapping_sub(source_id) & 0x7fff, stretch.picture_offset, "{name}: picture ids keep their distance");
                }
                assert_eq!(tl0.wrapping_sub(source_tl0), stretch.tl0_offset, "{name}: TL0PICIDX keeps its distance");
            }
        }
        // The key frame that a replay begins with is not live, even when the last packet that was missing of it has just come.
        let begins_replay = track
            .stretches
            .last()
            .is_some_and(|stretch| (!stretch.began_live || stretch.begins_again) && published.time == stretch.first_time);
        if is_live && !begins_replay {
            track.line = Some(time_offset);
        }
        if track.stretches.len() == 1 && track.sent.is_empty() || seq > track.highest {
            track.highest = seq;
            track.newest_time = rtp.time;
            track.newest_picture = picture.or(track.newest_picture);
            track.sent_at = Some(now);
            let came_at = published.arrived.unwrap_or(now);
            track.newest_came_at = Some(came_at);
            track.newest_media_ms = stream.clock_is_right.then(|| stream.media_ms(published.time));
            let is_live = track.stretches.last().is_some_and(|stretch| stretch.began_live || stretch.settled);
            let is_further = track.reached.is_none_or(|(time, at)| {
                let passed = came_at.saturating_duration_since(at).as_secs_f64() - at.saturating_duration_since(came_at).as_secs_f64();
                f64::from(rtp.time.wrapping_sub(time) as i32) > passed * f64::from(stream.rate_hz)
            });
            if is_live || is_further {
                track.reached = Some((rtp.time, came_at));
            }
        }
        let twin = track.sent.insert(seq, (whole(payload), rtp.time, rtp.marker));
        assert!(twin.is_none(), "{name}: number {seq} twice");
    }

    /// A number that leaves empty: it was kept for a packet that came late, and is one to leave out.
    fn check_empty(&mut self, rtp: &Rtp, ledger: &Ledger) {
        let (name, track) = (&self.name, &mut self.video);
        assert_eq!(Some(rtp.ssrc), track.ssrc, "{name}: only a stream with layers has them");
        let seq = track.unwrapper.unwrap(rtp.seq);
        let stretch = track.stretches.last().unwrap_or_else(|| panic!("{name}: nothing was sent yet"));
        let source = stretch.kept.iter().find(|(_, number)| **number == seq).map(|(source, _)| *source);
        let source = source.unwrap_or_else(|| panic!("{name}: {seq} was not kept for anything"));
        let published = ledger.at(stretch.stream, source).expect("published");
        assert!(published.place.is_some(), "{name}: it leaves when its packet comes: {published:?}");
        assert!(!rtp.marker && seq < track.highest, "{name}");
        let twin = track.sent.insert(seq, (0, rtp.time, false));
        assert!(twin.is_none(), "{name}: number {seq} twice");
        self.emptied += 1;
    }

    fn check_retransmission(&mut self, rtp: &Rtp, payload: &[u8], ledger: &Ledger) {
        let (name, track) = (&self.name, &self.video);
        let original = u16::from_be_bytes([payload[0], payload[1]]);
        let seq = track.unwrapper.peek(original).unwrap_or_else(|| panic!("{name}: a retransmission before anything was sent"));
        let body = &payload[2..];
        match track.sent.get(&seq) {
            Some(sent) => {
                let resent = (whole(body), rtp.time, rtp.marker);
                assert_eq!(*sent, resent, "{name}: a retransmission of {seq} is what was sent under that number");
            }
            // Never sent, because the publisher's repair came after a switch: then it must be what would have been sent.
            None => {
                let published = ledger.find(body, rtp.pt).unwrap_or_else(|| panic!("{name}: a repair that nobody published"));
                let stretch = track.stretches.iter().rev().find(|stretch| stretch.first <= seq).expect("in some stretch");
                let number = stretch.kept.get(&published.seq).copied().unwrap_or(published.seq + stretch.offset);
                assert_eq!((published.stream, number), (stretch.stream, seq), "{name}: repair of {seq}");
                if let Some(time) = stretch.times.get(&published.time) {
                    assert_eq!(rtp.time, *time, "{name}: repair of {seq}");
                }
            }
        }
    }

    pub(crate) fn video_ssrc(&self) -> Option<u32> {
        self.video.ssrc
    }

    /// The newest numbers of the video, on the wire.
    pub(crate) fn newest_numbers(&self, count: i64) -> Vec<u16> {
        (self.video.highest - count..self.video.highest).map(|seq| seq as u16).collect()
    }

    /// Numbers of the sound, from its first to its newest, that nothing has left under.
    pub(crate) fn holes_in_sound(&self) -> i64 {
        let first = self.audio.stretches.first().map_or(0, |stretch| stretch.first);
        self.audio.highest + 1 - first - self.audio.sent.len() as i64
    }

    /// Video, audio and retransmitted packets, switches, reports checked.
    pub(crate) fn counts(&self) -> [u64; 5] {
        [self.video_packets, self.audio_packets, self.rtx_packets, self.switches, self.reports_checked]
    }

    /// An RTCP compound as it left, in clear. Reports on streams of other pairs are others' business.
    pub(crate) fn handle_rtcp(&mut self, now: Instant, compound: &[u8], ledger: &Ledger) {
        for packet in wire::parse_rtcp(compound) {
            let Rtcp::SenderReport { ssrc, ntp, rtp } = packet else { continue };
            if !self.knows(ssrc) {
                continue;
            }
            let track = if Some(ssrc) == self.video.ssrc { &self.video } else { &self.audio };
            let Some(stretch) = track.stretches.last() else { panic!("{}: a report before anything was sent", self.name) };
            if Some(ssrc) == self.video.ssrc {
                self.first_report_at.get_or_insert(now);
            }
            let stream = ledger.stream(stretch.stream);
            // On another worker the clock arrives with the media, so with the first packet after the publisher's report.
            let settled = |reported: Instant| track.sent_at.is_some_and(|sent| sent > reported + Duration::from_millis(50));
            let known = stream.reported_at.is_some_and(|at| now.saturating_duration_since(at) > Duration::from_millis(500) && settled(at));
            if !known || !stream.clock_is_right {
                continue;
            }
            // A replay has its line when it is live.
            let Some(line) = track.line else { continue };
            let error = NtpTime(ntp).to_media_time().0 - stream.media_ms(rtp.wrapping_sub(line));
            assert!(error.abs() <= REPORT_ERROR_MS, "{}: a sender report is off by {error} ms", self.name);
            self.reports_checked += 1;
        }
    }
}
