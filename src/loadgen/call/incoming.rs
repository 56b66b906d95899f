//! What a member is sent, sorted by m-line: the match, faces, voices, and what the server asks of its camera. Pure but for the clock that stamps latency.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rtc_srtp::context::Context as SrtpContext;

use super::found::{CallTally, MemberFound, VoiceFound};
use super::offer::{Kind, Received};
use crate::limits::{LOADGEN_DECRYPT_EVERY, LOADGEN_VOICE_GAP};
use crate::loadgen::clock;
use crate::loadgen::link::Checks;
use crate::loadgen::outgoing::{Ask, asked, is_rtcp};
use crate::loadgen::picture::{Opener, Picture};
use crate::loadgen::reception::{Arrivals, Continuity, Counts, Header, receiver_report};
use crate::loadgen::sdp::EXTENSION_TWCC;
use crate::loadgen::source;
use crate::loadgen::tally::{Finished, Tally};
use crate::loadgen::timeline::Timeline;

/// M-lines that are not friends': the match's and a guest's.
const MATCH_PICTURE: &str = "0";
const NOT_FRIENDS: [&str; 4] = [MATCH_PICTURE, "1", "2", "3"];

/// One sound that is received.
struct Sound {
    ssrc: u32,
    continuity: Continuity,
    reported: Counts,
    packets: u64,
    bytes: u64,
    began: Instant,
    /// `None`: nobody is heard here now.
    last: Option<Instant>,
    gaps: u64,
    longest: Duration,
}

impl Sound {
    fn new(now: Instant, header: &Header) -> Self {
        let continuity = Continuity::new(header.sequence);
        let (reported, longest) = (Counts::default(), Duration::ZERO);
        Self { ssrc: header.ssrc, continuity, reported, packets: 0, bytes: 0, began: now, last: None, gaps: 0, longest }
    }

    /// Returns whether this packet is one of the sample that is decrypted.
    fn take(&mut self, now: Instant, header: &Header, bytes: usize) -> bool {
        if self.packets > 0 {
            self.continuity.take(header.sequence);
        }
        self.packets += 1;
        self.bytes += bytes as u64;
        if let Some(last) = self.last.replace(now) {
            self.interval(now - last);
        }
        self.packets.is_multiple_of(LOADGEN_DECRYPT_EVERY)
    }

    fn interval(&mut self, interval: Duration) {
        self.gaps += u64::from(interval > LOADGEN_VOICE_GAP);
        self.longest = self.longest.max(interval);
    }

    fn finish(mut self, now: Instant) -> VoiceFound {
        if let Some(last) = self.last {
            self.interval(now - last);
        }
        let seconds = now.duration_since(self.began).as_secs_f64().max(0.001);
        let bits_per_second = self.bytes as f64 * 8.0 / seconds;
        VoiceFound { counts: self.continuity.counts(), gaps: self.gaps, longest: self.longest, bits_per_second }
    }
}

enum Part {
    Picture(Option<Picture>),
    Sound(Option<Sound>),
}

struct Line {
    received: Received,
    /// The member on it.
    who: Option<u64>,
    part: Part,
}

impl Line {
    fn is_friend(&self) -> bool {
        !NOT_FRIENDS.contains(&self.received.mid.as_str())
    }
}

/// See the file's head.
pub(super) struct Incoming<'a> {
    tally: &'a Tally,
    call: &'a CallTally,
    own_ssrc: u32,
    lines: Vec<Line>,
    /// Place of the m-line, and whether it is its retransmissions.
    by_ssrc: HashMap<u32, (usize, bool)>,
    arrivals: Arrivals,
    watch_asked_at: Instant,
    /// When the call was asked for by one who joins it.
    call_asked_at: Option<Instant>,
    heard_at: Option<Instant>,
    seen_at: Option<Instant>,
    is_complete: bool,
    /// Answers to checks, to be sent.
    pub(super) replies: Vec<Vec<u8>>,
    /// For the camera.
    pub(super) asks: Vec<Ask>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(tally: &'a Tally, call: &'a CallTally, watch_asked_at: Instant) -> Self {
        Self {
            tally,
            call,
            own_ssrc: rand::random(),
            lines: Vec::new(),
            by_ssrc: HashMap::new(),
            arrivals: Arrivals::default(),
            watch_asked_at,
            call_asked_at: None,
            heard_at: None,
            seen_at: None,
            is_complete: false,
            replies: Vec::new(),
            asks: Vec::new(),
        }
    }

    pub(super) fn joins_call(&mut self, asked_at: Instant) {
        self.call_asked_at = Some(asked_at);
    }

    /// What an answer agreed on: m-lines that are known stay.
    pub(super) fn agree(&mut self, received: Vec<Received>) {
        for received in received {
            if self.lines.iter().any(|line| line.received.mid == received.mid) {
                continue;
            }
            let place = self.lines.len();
            self.by_ssrc.insert(received.ssrc, (place, false));
            self.by_ssrc.extend(received.rtx_ssrc.map(|rtx| (rtx, (place, true))));
            let part = match received.kind {
                Kind::Picture => Part::Picture(None),
                Kind::Sound => Part::Sound(None),
            };
            self.lines.push(Line { received, who: None, part });
        }
    }

    /// Who is on which m-line now. Returns the faces that came, by mid, for their size to be told.
    pub(super) fn seat(&mut self, members: &HashMap<String, u64>) -> Vec<String> {
        let mut came = Vec::new();
        for line in self.lines.iter_mut().filter(|line| line.is_friend()) {
            let who = members.get(&line.received.mid).copied();
            if who == line.who {
                continue;
            }
            line.who = who;
            match &mut line.part {
                Part::Picture(picture) => {
                    if let Some(picture) = picture {
                        picture.pause();
                    }
                    came.extend(who.map(|_| line.received.mid.clone()));
                }
                Part::Sound(Some(sound)) => sound.last = None,
                Part::Sound(None) => {}
            }
        }
        came
    }

    pub(super) fn take(&mut self, now: Instant, datagram: &[u8], inbound: &mut SrtpContext, checks: &Checks) {
        let Some(header) = Header::read(datagram, Some(EXTENSION_TWCC)) else {
            if is_rtcp(datagram) {
                self.asks.extend(inbound.decrypt_rtcp(datagram).map(|plain| asked(&plain)).unwrap_or_default());
            } else {
                self.replies.extend(checks.answer(datagram));
            }
            return;
        };
        if let Some(sequence) = header.transport_sequence {
            self.arrivals.note(sequence, now.duration_since(self.tally.epoch).as_micros() as u64);
        }
        let Some(&(place, is_again)) = self.by_ssrc.get(&header.ssrc) else { return self.tally.stranger() };
        let mut opener = Opener { inbound, tally: self.tally };
        let line = &mut self.lines[place];
        let is_friend = line.is_friend();
        match &mut line.part {
            Part::Picture(picture) if is_again => {
                self.tally.retransmission();
                if let Some(picture) = picture {
                    picture.take_again(now, &header, datagram, &mut opener);
                }
            }
            Part::Picture(picture) => {
                let picture = picture.get_or_insert_with(|| {
                    if line.received.mid == MATCH_PICTURE {
                        self.tally.joined(now.duration_since(self.watch_asked_at));
                    }
                    Picture::new(now, &header)
                });
                picture.take(now, &header, datagram, &mut opener);
                if is_friend {
                    self.seen_at = self.seen_at.or(picture.key_frame_at);
                }
            }
            Part::Sound(sound) => {
                if is_friend {
                    self.heard_at.get_or_insert(now);
                }
                self.tally.packet(datagram.len());
                let sound = sound.get_or_insert_with(|| Sound::new(now, &header));
                let is_sampled = sound.take(now, &header, datagram.len());
                if is_sampled
                    && let Some(plain) = opener.open(datagram)
                    && let Some(sent_ns) = source::sent_at(&plain)
                {
                    self.call.voice_latency(clock::machine_ns().saturating_sub(sent_ns));
                }
            }
        }
        if !self.is_complete && self.seen_at.is_some() && self.heard_at.is_some() {
            self.is_complete = true;
            self.call.complete();
        }
    }

    /// When [`Self::repairs`] has something to say.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.lines.iter().filter_map(|line| if let Part::Picture(Some(picture)) = &line.part { picture.wake_at() } else { None }).min()
    }

    /// Requests that are due now, as RTCP.
    pub(super) fn repairs(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        for line in &mut self.lines {
            if let Part::Picture(Some(picture)) = &mut line.part {
                requests.extend(picture.repairs(now, self.own_ssrc, self.tally));
            }
        }
        requests
    }

    /// Receiver reports about everything, in one compound.
    pub(super) fn reports(&mut self) -> Vec<u8> {
        let mut compound = Vec::new();
        for line in &mut self.lines {
            match &mut line.part {
                Part::Picture(Some(picture)) => compound.extend(picture.report(self.own_ssrc)),
                Part::Sound(Some(sound)) => {
                    compound.extend(receiver_report(self.own_ssrc, sound.ssrc, &sound.continuity, &mut sound.reported));
                }
                Part::Picture(None) | Part::Sound(None) => {}
            }
        }
        compound
    }

    /// Transport-wide feedback, if anything arrived.
    pub(super) fn feedback(&mut self) -> Option<Vec<u8>> {
        let media = self.lines.first().map_or(0, |line| line.received.ssrc);
        self.arrivals.feedback(self.own_ssrc, media)
    }

    /// What came of it, until now.
    pub(super) fn finish(self, now: Instant) -> MemberFound {
        let mut found = MemberFound::default();
        let since = |at: Instant| self.call_asked_at.map(|asked| at.saturating_duration_since(asked));
        found.joined = self.seen_at.and_then(since).zip(self.heard_at.and_then(since));
        found.has_friends = self.is_complete;
        for line in self.lines {
            let is_friend = line.is_friend();
            match line.part {
                Part::Picture(Some(picture)) => {
                    let bits_per_second = picture.bits_per_second(now);
                    let (counts, seen) = picture.finish(now);
                    let finished = Finished { counts, seen, bits_per_second, timeline: Timeline::default() };
                    if is_friend {
                        found.faces.push(finished);
                    } else if line.received.mid == MATCH_PICTURE {
                        found.the_match = Some(finished);
                    }
                }
                Part::Sound(Some(sound)) if is_friend => found.voices.push(sound.finish(now)),
                Part::Sound(_) | Part::Picture(None) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn header(sequence: u16) -> Header {
        Header { payload_type: 111, marker: false, sequence, ssrc: 9, transport_sequence: None }
    }

    #[test]
    fn a_voice_that_stops_is_a_gap_and_one_that_is_gone_is_none() {
        let begin = clock::now();
        let mut sound = Sound::new(begin, &header(0));
        for packet in 0..50_u16 {
            // Two are lost, and the sound stands for a while.
            let late = if packet > 30 { ms(400) } else { ms(0) };
            if !(10..12).contains(&packet) {
                sound.take(begin + ms(20) * u32::from(packet) + late, &header(packet), 140);
            }
        }
        // The line is empty for a second, and somebody else comes.
        sound.last = None;
        sound.take(begin + ms(3000), &header(50), 140);
        let found = sound.finish(begin + ms(3020));
        assert_eq!((found.counts.received, found.counts.lost, found.gaps, found.longest), (49, 2, 1, ms(420)));
    }

    #[test]
    fn lines_are_kept_and_whoever_comes_to_one_is_told() {
        let (tally, call) = (Tally::new(), CallTally::default());
        let mut incoming = Incoming::new(&tally, &call, clock::now());
        let line = |mid: &str, kind, ssrc| Received { mid: mid.to_owned(), kind, ssrc, rtx_ssrc: None };
        incoming.agree(vec![line("0", Kind::Picture, 1), line("1", Kind::Sound, 2)]);
        incoming.agree(vec![line("0", Kind::Picture, 1), line("6", Kind::Picture, 3), line("10", Kind::Sound, 4)]);
        assert_eq!(incoming.lines.len(), 4);
        let members = |who| HashMap::from([("0".to_owned(), who), ("6".to_owned(), who), ("10".to_owned(), who)]);
        assert_eq!(incoming.seat(&members(2)), ["6"]);
        assert!(incoming.seat(&members(2)).is_empty(), "nothing changed");
        assert_eq!(incoming.seat(&members(3)), ["6"]);
        assert!(incoming.seat(&HashMap::new()).is_empty(), "nobody is drawn there any more");
        let found = incoming.finish(clock::now());
        assert!(!found.has_friends && found.joined.is_none() && found.the_match.is_none());
    }
}
