//! The receiving half of a client: asks again for what is missing, reports, and remembers what it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::decoder::Decoder;
use super::flexfec::Recovery;
use super::ledger::Ledger;
use super::offer::{EXT_TRANSPORT_CC, OPUS_PT, Pair, RED_PT};
use super::wire::{self, Rtp, Unwrapper};

const REPORTER: u32 = 0x00c0_ffee;
/// A hole is younger than this when reordering may still fill it.
const NACK_AFTER: Duration = Duration::from_millis(20);
const NACK_AGAIN: Duration = Duration::from_millis(80);
const NACK_TRIES: u8 = 10;
/// Browsers ask for a key frame this often while they can decode nothing.
const PLI_AGAIN: Duration = Duration::from_millis(200);

/// How the viewer reports on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reports {
    TransportFeedback,
    Remb(u64),
    Silent,
}

/// One video packet as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub at: Instant,
    pub layer: u8,
    /// When the server got it.
    pub arrived: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Receiver {
    pub reports: Reports,
    /// As Chromium: asks for its round trip, and again for a packet after it.
    pub learns_round_trip: bool,
    pub round_trip: Option<Duration>,
    /// How old a hole is when it is asked for.
    pub asks_after: Duration,
    /// Sends no NACK when false.
    pub repairs: bool,
    video_ssrc: Option<u32>,
    rtx_ssrc: Option<u32>,
    audio_ssrc: Option<u32>,
    fec_ssrc: Option<u32>,
    recovery: Recovery,
    /// Packets that parity brought back.
    pub recovered: u64,
    unwrapper: Unwrapper,
    highest: Option<i64>,
    first: Option<i64>,
    /// Missing numbers: since when, next request, requests so far.
    missing: BTreeMap<i64, (Instant, u8)>,
    got: BTreeSet<i64>,
    /// Given up.
    pub lost: u64,
    pub repaired: u64,
    pub nacked: u64,
    pub seen: Vec<Seen>,
    pub audio_packets: u64,
    pub last_audio: Option<Instant>,
    /// Numbers, at their publisher, of the sound that came, by itself or with later packets.
    pub heard: BTreeSet<i64>,
    pub plis: u64,
    pub decoder: Decoder,
    /// As Firefox: packets that come sooner after the handshake vanish, and are never missed.
    pub deaf_for: Duration,
    pli_due: Option<Instant>,
    pli_at: Option<Instant>,
    arrivals: BTreeMap<i64, u64>,
    transport: Unwrapper,
    next_transport: Option<i64>,
    feedback_count: u8,
    feedback_due: Instant,
    report_due: Instant,
    origin: Instant,
    expected_before: i64,
    received_before: u64,
    pub received: u64,
    /// Middle of the NTP time of the newest sender report of the video, and when it came.
    sender_report: Option<(u32, Instant)>,
}

impl Receiver {
    pub(crate) fn new(now: Instant, pair: &Pair, reports: Reports) -> Self {
        Self {
            reports,
            learns_round_trip: false,
            round_trip: None,
            asks_after: NACK_AFTER,
            repairs: true,
            video_ssrc: pair.video.map(|(ssrc, _)| ssrc),
            rtx_ssrc: pair.video.and_then(|(_, rtx)| rtx),
            audio_ssrc: pair.audio,
            fec_ssrc: pair.fec,
            recovery: Recovery::default(),
            recovered: 0,
            unwrapper: Unwrapper::default(),
            highest: None,
            first: None,
            missing: BTreeMap::new(),
            got: BTreeSet::new(),
            lost: 0,
            repaired: 0,
            nacked: 0,
            seen: Vec::new(),
            audio_packets: 0,
            last_audio: None,
            heard: BTreeSet::new(),
            plis: 0,
            decoder: Decoder::default(),
            deaf_for: Duration::ZERO,
            pli_due: None,
            pli_at: None,
            arrivals: BTreeMap::new(),
            transport: Unwrapper::default(),
            next_transport: None,
            feedback_count: 0,
            feedback_due: now + Duration::from_millis(100),
            report_due: now + Duration::from_secs(1),
            origin: now,
            expected_before: 0,
            received_before: 0,
            received: 0,
            sender_report: None,
        }
    }

    /// The newest video packet.
    pub(crate) fn last_video(&self) -> Option<Seen> {
        self.seen.last().copied()
    }

    /// Layers seen since, in the order of their first packet, repeats left out.
    pub(crate) fn layers_since(&self, since: Instant) -> Vec<u8> {
        let mut layers: Vec<u8> = self.seen.iter().filter(|seen| seen.at > since).map(|seen| seen.layer).collect();
        layers.dedup();
        layers
    }

    /// The longest time without a video packet within a span.
    pub(crate) fn longest_silence(&self, from: Instant, to: Instant) -> Duration {
        let times = self.seen.iter().map(|seen| seen.at).filter(|at| *at >= from && *at <= to);
        let mut last = from;
        let mut longest = Duration::ZERO;
        for at in times.chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = last.max(at);
        }
        longest
    }

    /// Numbers neither received nor given up.
    pub(crate) fn holes(&self) -> usize {
        self.missing.len()
    }

    /// Whether it is one of the streams of this pair.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        [self.video_ssrc, self.rtx_ssrc, self.fec_ssrc, self.audio_ssrc].contains(&Some(ssrc))
    }

    /// Notes the arrival of any packet of the connection, for feedback.
    pub(crate) fn note_arrival(&mut self, now: Instant, rtp: &Rtp) {
        if let Some((_, value)) = rtp.extensions.iter().find(|(id, _)| *id == EXT_TRANSPORT_CC) {
            let seq = self.transport.unwrap(u16::from_be_bytes([value[0], value[1]]));
            self.next_transport.get_or_insert(seq);
            self.arrivals.insert(seq, (now - self.origin).as_micros() as u64 + 1_000_000);
        }
    }

    pub(crate) fn handle_rtp(&mut self, now: Instant, plain: &[u8], ledger: &Ledger) {
        let rtp = wire::parse_rtp(plain);
        let payload = &plain[rtp.payload.clone()];
        if Some(rtp.ssrc) == self.video_ssrc {
            self.received += 1;
            self.recovery.handle_media(plain);
            self.handle_video(now, &rtp, payload, ledger);
            self.handle_recovered(now, ledger);
        } else if Some(rtp.ssrc) == self.fec_ssrc {
            self.recovery.handle_parity(payload);
            self.handle_recovered(now, ledger);
        } else if Some(rtp.ssrc) == self.rtx_ssrc {
            if let Some(seq) = self.unwrapper.peek(u16::from_be_bytes([payload[0], payload[1]]))
                && self.missing.remove(&seq).is_some()
            {
                self.repaired += 1;
                self.got.insert(seq);
                let published = ledger.find(&payload[2..], rtp.pt).expect("judged before");
                self.decoder.handle(now, seq, rtp.time, rtp.marker, published, ledger.stream(published.stream));
            }
        } else {
            self.audio_packets += 1;
            self.last_audio = Some(now);
            let (frame, earlier) = if rtp.pt == RED_PT { wire::parse_red(payload, OPUS_PT) } else { (payload, Vec::new()) };
            for heard in [frame].into_iter().chain(earlier.into_iter().map(|(_, payload)| payload)) {
                self.heard.insert(ledger.find(heard, OPUS_PT).expect("judged before").seq);
            }
        }
        if !self.decoder.is_blind() {
            self.pli_due = None;
        } else if self.pli_due.is_none() {
            self.pli_due = Some(self.pli_at.map_or(now, |at| now.max(at + PLI_AGAIN)));
        }
    }

    fn handle_video(&mut self, now: Instant, rtp: &Rtp, payload: &[u8], ledger: &Ledger) {
        let seq = self.unwrapper.unwrap(rtp.seq);
        self.handle_number(now, seq);
        if payload.is_empty() {
            return self.decoder.handle_empty(now, seq);
        }
        let published = ledger.find(payload, rtp.pt).expect("judged before");
        let stream = ledger.stream(published.stream);
        self.seen.push(Seen { at: now, layer: stream.layer.expect("video"), arrived: published.arrived });
        self.decoder.handle(now, seq, rtp.time, rtp.marker, published, stream);
    }

    fn handle_recovered(&mut self, now: Instant, ledger: &Ledger) {
        while let Some(packet) = self.recovery.next() {
            let rtp = wire::parse_rtp(&packet);
            // It may have been sent again and come by that way.
            if self.unwrapper.peek(rtp.seq).is_some_and(|seq| self.got.contains(&seq)) {
                continue;
            }
            self.recovered += 1;
            let payload = &packet[rtp.payload.clone()];
            assert!(payload.is_empty() || ledger.find(payload, rtp.pt).is_some(), "what is brought back was published");
            self.handle_video(now, &rtp, payload, ledger);
        }
    }

    fn handle_number(&mut self, now: Instant, seq: i64) {
        self.missing.remove(&seq);
        self.got.insert(seq);
        self.first.get_or_insert(seq);
        if let Some(highest) = self.highest {
            for hole in highest + 1..seq {
                self.missing.insert(hole, (now + self.asks_after, 0));
            }
        }
        self.highest = Some(self.highest.map_or(seq, |highest| highest.max(seq)));
    }

    /// A sender report of the video's came.
    pub(crate) fn handle_sender_report(&mut self, now: Instant, ssrc: u32, ntp: u64) {
        if Some(ssrc) == self.video_ssrc {
            self.sender_report = Some(((ntp >> 16) as u32, now));
        }
    }

    /// Our own clock as the middle of an NTP time.
    fn ntp(&self, now: Instant) -> u64 {
        ((now - self.origin).as_secs_f64() * 4_294_967_296.0) as u64 + (100 << 32)
    }

    pub(crate) fn handle_reference_answer(&mut self, now: Instant, reference: u32, delay: u32) {
        let passed = ((self.ntp(now) >> 16) as u32).wrapping_sub(reference).wrapping_sub(delay);
        self.round_trip = Some(Duration::from_secs_f64(f64::from(passed) / 65_536.0));
    }

    pub(crate) fn wake_at(&self) -> Instant {
        let nack = self.missing.values().map(|(due, _)| *due).min();
        [nack, self.pli_due, Some(self.feedback_due), Some(self.report_due)].into_iter().flatten().min().expect("two are there")
    }

    /// RTCP that is due, each a compound in clear.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.ask_again(now, &mut out);
        if self.pli_due.is_some_and(|due| due <= now) {
            self.ask_for_keyframe(now, &mut out);
            self.pli_due = Some(now + PLI_AGAIN);
        }
        if now >= self.feedback_due {
            self.feedback_due = now + Duration::from_millis(100);
            if self.reports == Reports::TransportFeedback {
                self.write_feedback(&mut out);
            }
        }
        if now >= self.report_due {
            self.report_due = now + Duration::from_secs(1);
            let Some(media) = self.video_ssrc else { return out };
            if self.learns_round_trip {
                out.push(wire::reference_time(REPORTER, self.ntp(now)));
            }
            if let Reports::Remb(bitrate_bps) = self.reports {
                out.push(wire::remb(REPORTER, bitrate_bps));
            }
            if let (Some(first), Some(highest)) = (self.first, self.highest) {
                let expected = highest + 1 - first;
                let (new, got) = (expected - self.expected_before, (self.received - self.received_before) as i64);
                self.expected_before = expected;
                self.received_before = self.received;
                let fraction = if new > 0 { ((new - got).max(0) * 256 / new).min(255) as u8 } else { 0 };
                let last_report = self.sender_report.map_or((0, 0), |(middle, at)| (middle, ((now - at).as_secs_f64() * 65_536.0) as u32));
                out.push(wire::receiver_report(REPORTER, media, fraction, highest as u32, last_report));
            }
        }
        out
    }

    fn ask_again(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let Some(media) = self.video_ssrc else { return };
        let again = self.round_trip.unwrap_or(NACK_AGAIN);
        let mut asked = Vec::new();
        let mut stuck = false;
        self.missing.retain(|seq, (due, tries)| {
            if now < *due {
                return true;
            }
            if *tries >= NACK_TRIES {
                stuck = true;
                self.lost += 1;
                return false;
            }
            *tries += 1;
            *due = now + again;
            asked.push(*seq as u16);
            true
        });
        if !asked.is_empty() && self.repairs {
            self.nacked += asked.len() as u64;
            out.push(wire::nack(REPORTER, media, &asked));
        }
        if stuck && self.pli_at.is_none_or(|at| now - at > Duration::from_millis(500)) {
            self.ask_for_keyframe(now, out);
        }
    }

    fn ask_for_keyframe(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let Some(media) = self.video_ssrc else { return };
        self.pli_at = Some(now);
        self.plis += 1;
        out.push(wire::pli(REPORTER, media));
    }

    /// The compound of a client that asks for a key frame whatever it sees.
    pub(crate) fn keyframe_wish(&self) -> Vec<u8> {
        wire::pli(REPORTER, self.video_ssrc.expect("it receives video"))
    }

    fn write_feedback(&mut self, out: &mut Vec<Vec<u8>>) {
        let (Some(first), Some((&last, _)), Some(media)) = (self.next_transport, self.arrivals.last_key_value(), self.video_ssrc) else {
            return;
        };
        if last < first {
            return;
        }
        let arrivals: Vec<Option<u64>> = (first..=last).map(|seq| self.arrivals.get(&seq).copied()).collect();
        for (index, part) in arrivals.chunks(350).enumerate() {
            self.feedback_count = self.feedback_count.wrapping_add(1);
            let begin = (first as u16).wrapping_add(index as u16 * 350);
            out.push(wire::transport_feedback(REPORTER, media, begin, part, self.feedback_count));
        }
        self.next_transport = Some(last + 1);
        self.arrivals.clear();
    }
}
