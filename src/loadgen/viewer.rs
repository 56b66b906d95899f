//! One viewer: joins, receives, answers as a browser does (reports, transport feedback, requests for what is missing), and counts. It
//! decrypts a sample, what was sent again, and everything while it waits for a key frame.

use std::time::{Duration, Instant};

use rtc_srtp::context::Context as SrtpContext;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::{Checks, Identity, Link};
use super::playback::Playback;
use super::reception::{Arrivals, Continuity, Counts, Header, nack, payload, picture_loss, receiver_report};
use super::sdp::{Direction, Video};
use super::signaling::Server;
use super::socket::{Conditions, Socket};
use super::source;
use super::tally::{Finished, Tally};
use super::timeline::Timeline;
use crate::limits::{LOADGEN_CONSENT_INTERVAL, LOADGEN_DECRYPT_EVERY, LOADGEN_FEEDBACK_INTERVAL, LOADGEN_REPORT_INTERVAL};

/// What a viewer is told.
pub(super) struct Seat<'a> {
    pub(super) server: &'a Server,
    pub(super) identity: &'a Identity,
    pub(super) tally: &'a Tally,
    pub(super) broadcast: &'a str,
    pub(super) audio: bool,
    /// Reads nothing more once it has joined.
    pub(super) sink: bool,
    /// Keeps a timeline.
    pub(super) timeline: bool,
    pub(super) conditions: Option<&'a Conditions>,
    /// Counts the viewers of a run.
    pub(super) number: u64,
}

/// What one viewer knows of its video.
struct Stream {
    ssrc: u32,
    continuity: Continuity,
    playback: Playback,
    began: Instant,
    bytes: u64,
    timeline: Timeline,
}

struct Viewer<'a> {
    tally: &'a Tally,
    sink: bool,
    keeps_timeline: bool,
    video: Video,
    own_ssrc: u32,
    stream: Option<Stream>,
    reported: Counts,
    arrivals: Arrivals,
    asked_at: Instant,
    packets: u64,
    frames_begun: u64,
    /// The next packet begins a frame.
    at_frame_start: bool,
    /// Answers to the server's checks, to be sent.
    replies: Vec<Vec<u8>>,
}

/// Joins and watches until `stop`. Everything it finds goes into the tally.
pub(super) async fn watch(seat: &Seat<'_>, stop: &CancellationToken) {
    let asked_at = clock::now();
    let outcome = join(seat).await;
    let (mut link, accepted) = match outcome {
        Ok(joined) => joined,
        Err(error) => return seat.tally.failed(&error),
    };
    seat.tally.connected();
    let mut viewer = Viewer {
        tally: seat.tally,
        sink: seat.sink,
        keeps_timeline: seat.timeline,
        video: accepted.remote.video,
        own_ssrc: rand::random(),
        stream: None,
        reported: Counts::default(),
        arrivals: Arrivals::default(),
        asked_at,
        packets: 0,
        frames_begun: 0,
        at_frame_start: true,
        replies: Vec::new(),
    };
    viewer.run(&mut link, stop).await;
    let now = clock::now();
    match viewer.stream.take() {
        Some(stream) => seat.tally.finished(Finished {
            counts: stream.continuity.counts(),
            seen: stream.playback.finish(now),
            bits_per_second: stream.bytes as f64 * 8.0 / now.duration_since(stream.began).as_secs_f64().max(0.001),
            timeline: stream.timeline,
        }),
        None if stop.is_cancelled() && now.duration_since(asked_at) < Duration::from_secs(1) => {}
        None => seat.tally.failed(&anyhow::anyhow!("connected, and no media came")),
    }
    link.close().await;
    seat.server.delete(accepted).await;
}

pub(super) async fn join(seat: &Seat<'_>) -> anyhow::Result<(Link, super::signaling::Accepted)> {
    let socket = Socket::open(seat.conditions, seat.number).await?;
    let mut local = seat.identity.local_side();
    local.candidate = Some(seat.server.candidate(socket.local_port()?));
    let accepted = seat.server.negotiate(seat.broadcast, &local, &Direction::Receive { audio: seat.audio }).await?;
    match Link::connect(seat.identity, socket, &local, &accepted.remote).await {
        Ok(link) => Ok((link, accepted)),
        Err(error) => {
            seat.server.delete(accepted).await;
            Err(error)
        }
    }
}

impl Viewer<'_> {
    async fn run(&mut self, link: &mut Link, stop: &CancellationToken) {
        // Spread over the interval, so that a thousand viewers do not report in one instant.
        let spread = |interval: Duration| clock::now() + interval.mul_f64(rand::random());
        let mut report_at = spread(LOADGEN_REPORT_INTERVAL);
        let mut feedback_at = spread(LOADGEN_FEEDBACK_INTERVAL);
        let mut consent_at = spread(LOADGEN_CONSENT_INTERVAL);
        loop {
            let repair_at = self.stream.as_ref().and_then(|stream| stream.playback.wake_at());
            let due = report_at.min(feedback_at).min(consent_at).min(repair_at.unwrap_or(report_at));
            let is_sink = self.sink && self.stream.is_some();
            let Link { socket, inbound, checks, .. } = &mut *link;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {
                    let now = clock::now();
                    let sent = if repair_at.is_some_and(|at| at <= now) {
                        self.repair(now, link).await
                    } else if now >= feedback_at {
                        feedback_at = now + LOADGEN_FEEDBACK_INTERVAL;
                        self.send_feedback(link).await
                    } else if now >= report_at {
                        report_at = now + LOADGEN_REPORT_INTERVAL;
                        self.send_report(link).await
                    } else {
                        consent_at = now + LOADGEN_CONSENT_INTERVAL;
                        link.renew_consent().await
                    };
                    if let Err(error) = sent {
                        tracing::debug!(%error, "a viewer's report");
                    }
                }
                received = socket.receive(|now, datagram| self.take(now, datagram, inbound, checks)), if !is_sink => {
                    if let Err(error) = received {
                        tracing::debug!(%error, "a viewer's socket");
                        return;
                    }
                    for reply in std::mem::take(&mut self.replies) {
                        link.send(&reply).await;
                    }
                }
            }
        }
    }

    fn take(&mut self, now: Instant, datagram: &[u8], inbound: &mut SrtpContext, checks: &Checks) {
        let Some(header) = Header::read(datagram, self.video.twcc_extension) else {
            self.replies.extend(checks.answer(datagram));
            return;
        };
        if let Some(sequence) = header.transport_sequence {
            self.arrivals.note(sequence, now.duration_since(self.tally.epoch).as_micros() as u64);
        }
        if Some(header.payload_type) == self.video.rtx_payload_type {
            return self.take_again(now, &header, datagram, inbound);
        }
        if header.payload_type != self.video.payload_type {
            // Sound.
            return self.tally.packet(datagram.len());
        }
        let stream = self.stream.get_or_insert_with(|| {
            self.tally.joined(now.duration_since(self.asked_at));
            let continuity = Continuity::new(header.sequence);
            let playback = Playback::new(continuity.extend(header.sequence));
            Stream { ssrc: header.ssrc, continuity, playback, began: now, bytes: 0, timeline: Timeline::default() }
        });
        if stream.ssrc != header.ssrc {
            return self.tally.stranger();
        }
        // The first packet of all is in the continuity already.
        let number = if self.packets == 0 { stream.continuity.extend(header.sequence) } else { stream.continuity.take(header.sequence) };
        stream.bytes += datagram.len() as u64;
        if self.keeps_timeline {
            stream.timeline.take(now.duration_since(self.tally.epoch), datagram.len());
        }
        let was_broken = stream.playback.is_broken();
        stream.playback.take(now, number, header.marker);
        self.tally.packet(datagram.len());
        // Files carry their time in a frame's first packet only.
        let begins = std::mem::replace(&mut self.at_frame_start, header.marker);
        self.frames_begun += u64::from(begins);
        let is_sampled =
            self.packets.is_multiple_of(LOADGEN_DECRYPT_EVERY) || (begins && self.frames_begun.is_multiple_of(LOADGEN_DECRYPT_EVERY));
        if (is_sampled || was_broken)
            && let Some(plain) = self.decrypt(datagram, inbound)
        {
            if let Some(sent_ns) = source::sent_at(&plain) {
                self.tally.latency(clock::machine_ns().saturating_sub(sent_ns));
            }
            if was_broken
                && payload(&plain).is_some_and(source::begins_key_frame)
                && let Some(stream) = &mut self.stream
            {
                stream.playback.take_key_frame(now, number);
            }
        }
        self.packets += 1;
    }

    /// A packet that was sent again (RFC 4588): its payload begins with the number it had. Padding to find out about the bandwidth comes
    /// the same way and has none.
    fn take_again(&mut self, now: Instant, header: &Header, datagram: &[u8], inbound: &mut SrtpContext) {
        self.tally.retransmission();
        let is_wanted = self.stream.as_ref().is_some_and(|stream| stream.playback.wake_at().is_some());
        if !is_wanted {
            return;
        }
        let Some(plain) = self.decrypt(datagram, inbound) else { return };
        let Some(&[high, low, ..]) = payload(&plain) else { return };
        if let Some(stream) = &mut self.stream {
            let number = stream.continuity.take(u16::from_be_bytes([high, low]));
            stream.playback.take(now, number, header.marker);
        }
    }

    fn decrypt(&self, datagram: &[u8], inbound: &mut SrtpContext) -> Option<bytes::BytesMut> {
        match inbound.decrypt_rtp(datagram) {
            Ok(plain) => {
                self.tally.decrypted();
                Some(plain)
            }
            Err(error) => {
                tracing::debug!(%error, "decrypting");
                self.tally.not_decrypted();
                None
            }
        }
    }

    async fn repair(&mut self, now: Instant, link: &mut Link) -> anyhow::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let asked = stream.playback.ask(now);
        if !asked.is_empty() {
            self.tally.asked_again(asked.len());
            link.send_rtcp(&nack(self.own_ssrc, stream.ssrc, &asked)).await?;
        }
        if stream.playback.ask_for_key_frame(now) {
            self.tally.asked_for_key_frame();
            link.send_rtcp(&picture_loss(self.own_ssrc, stream.ssrc)).await?;
        }
        Ok(())
    }

    async fn send_report(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let report = receiver_report(self.own_ssrc, stream.ssrc, &stream.continuity, &mut self.reported);
        link.send_rtcp(&report).await
    }

    async fn send_feedback(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        match self.arrivals.feedback(self.own_ssrc, stream.ssrc) {
            Some(feedback) => link.send_rtcp(&feedback).await,
            None => Ok(()),
        }
    }
}
