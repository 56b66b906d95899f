//! One viewer: joins, receives, answers as a browser does (reports, transport feedback, requests for what is missing), and counts. It
//! decrypts a sample, what was sent again, and everything while it waits for a key frame.

use std::time::{Duration, Instant};

use rtc_srtp::context::Context as SrtpContext;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::{Checks, Identity, Link};
use super::picture::{Opener, Picture};
use super::reception::{Arrivals, Header};
use super::sdp::{Direction, Video};
use super::signaling::Server;
use super::socket::{Conditions, Socket};
use super::tally::{Finished, Tally};
use super::timeline::Timeline;
use crate::limits::{LOADGEN_CONSENT_INTERVAL, LOADGEN_FEEDBACK_INTERVAL, LOADGEN_REPORT_INTERVAL};

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

struct Viewer<'a> {
    tally: &'a Tally,
    sink: bool,
    keeps_timeline: bool,
    video: Video,
    own_ssrc: u32,
    picture: Option<Picture>,
    timeline: Timeline,
    arrivals: Arrivals,
    asked_at: Instant,
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
        picture: None,
        timeline: Timeline::default(),
        arrivals: Arrivals::default(),
        asked_at,
        replies: Vec::new(),
    };
    viewer.run(&mut link, stop).await;
    let now = clock::now();
    match viewer.picture.take() {
        Some(picture) => {
            let bits_per_second = picture.bits_per_second(now);
            let (counts, seen) = picture.finish(now);
            seat.tally.finished(Finished { counts, seen, bits_per_second, timeline: viewer.timeline });
        }
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
            let repair_at = self.picture.as_ref().and_then(Picture::wake_at);
            let due = report_at.min(feedback_at).min(consent_at).min(repair_at.unwrap_or(report_at));
            let is_sink = self.sink && self.picture.is_some();
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
        let mut opener = Opener { inbound, tally: self.tally };
        if Some(header.payload_type) == self.video.rtx_payload_type {
            self.tally.retransmission();
            if let Some(picture) = &mut self.picture {
                picture.take_again(now, &header, datagram, &mut opener);
            }
            return;
        }
        if header.payload_type != self.video.payload_type {
            // Sound.
            return self.tally.packet(datagram.len());
        }
        let picture = self.picture.get_or_insert_with(|| {
            self.tally.joined(now.duration_since(self.asked_at));
            Picture::new(now, &header)
        });
        if picture.ssrc != header.ssrc {
            return self.tally.stranger();
        }
        if self.keeps_timeline {
            self.timeline.take(now.duration_since(self.tally.epoch), datagram.len());
        }
        picture.take(now, &header, datagram, &mut opener);
    }

    async fn repair(&mut self, now: Instant, link: &mut Link) -> anyhow::Result<()> {
        let Some(picture) = &mut self.picture else { return Ok(()) };
        for request in picture.repairs(now, self.own_ssrc, self.tally) {
            link.send_rtcp(&request).await?;
        }
        Ok(())
    }

    async fn send_report(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let Some(picture) = &mut self.picture else { return Ok(()) };
        let report = picture.report(self.own_ssrc);
        link.send_rtcp(&report).await
    }

    async fn send_feedback(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let Some(picture) = &self.picture else { return Ok(()) };
        match self.arrivals.feedback(self.own_ssrc, picture.ssrc) {
            Some(feedback) => link.send_rtcp(&feedback).await,
            None => Ok(()),
        }
    }
}
