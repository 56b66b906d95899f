//! One viewer: joins by WHEP, receives, answers as a browser does, and counts. It decrypts its first packet and a sample after that.

use std::cell::RefCell;
use std::io::IoSliceMut;
use std::time::{Duration, Instant};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::{Identity, Link};
use super::publisher;
use super::reception::{Arrivals, Continuity, Counts, Header, receiver_report};
use super::signaling::{Direction, EXTENSION_TWCC, Server, VIDEO_PAYLOAD_TYPE, offer};
use super::tally::Tally;
use crate::limits::{
    LOADGEN_CONSENT_INTERVAL, LOADGEN_DECRYPT_EVERY, LOADGEN_FEEDBACK_INTERVAL, LOADGEN_RECEIVE_BYTES, LOADGEN_REPORT_INTERVAL,
};

thread_local! {
    /// Room for one coalesced receive: shared by the viewers of a thread, because none holds it across an await.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; LOADGEN_RECEIVE_BYTES]);
}

/// What one viewer knows of its stream.
struct Viewer<'a> {
    link: Link,
    offload: UdpSocketState,
    tally: &'a Tally,
    own_ssrc: u32,
    source: Option<(u32, Continuity)>,
    reported: Counts,
    arrivals: Arrivals,
    asked_at: Instant,
    packets: u64,
}

/// Joins and watches until `stop`. Everything it finds goes into the tally.
pub(super) async fn watch(server: &Server, identity: &Identity, tally: &Tally, stop: &CancellationToken) {
    let asked_at = clock::now();
    let local = identity.local_side();
    let accepted = match server.post("whep", offer(&local, &Direction::Receive)).await {
        Ok(accepted) => accepted,
        Err(error) => return tally.failed(&error),
    };
    match Link::connect(identity, &local, &accepted.remote).await {
        Ok(link) => match UdpSocketState::new(UdpSockRef::from(&link.socket)) {
            Ok(offload) => {
                tally.connected();
                let mut viewer = Viewer {
                    link,
                    offload,
                    tally,
                    own_ssrc: rand::random(),
                    source: None,
                    reported: Counts::default(),
                    arrivals: Arrivals::default(),
                    asked_at,
                    packets: 0,
                };
                viewer.run(stop).await;
                if let Some((_, continuity)) = &viewer.source {
                    tally.stream(continuity.counts());
                }
                viewer.link.close().await;
            }
            Err(error) => tally.failed(&error.into()),
        },
        Err(error) => tally.failed(&error),
    }
    server.delete(accepted).await;
}

impl Viewer<'_> {
    async fn run(&mut self, stop: &CancellationToken) {
        // Spread over the interval, so that a thousand viewers do not report in one instant.
        let spread = |interval: Duration| clock::now() + interval.mul_f64(rand::random());
        let mut report_at = spread(LOADGEN_REPORT_INTERVAL);
        let mut feedback_at = spread(LOADGEN_FEEDBACK_INTERVAL);
        let mut consent_at = spread(LOADGEN_CONSENT_INTERVAL);
        loop {
            let due = report_at.min(feedback_at).min(consent_at);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {
                    let now = clock::now();
                    let sent = if now >= feedback_at {
                        feedback_at = now + LOADGEN_FEEDBACK_INTERVAL;
                        self.send_feedback().await
                    } else if now >= report_at {
                        report_at = now + LOADGEN_REPORT_INTERVAL;
                        self.send_report().await
                    } else {
                        consent_at = now + LOADGEN_CONSENT_INTERVAL;
                        self.link.renew_consent().await
                    };
                    if let Err(error) = sent {
                        tracing::debug!(%error, "a viewer's report");
                    }
                }
                ready = self.link.socket.readable() => {
                    if ready.is_err() {
                        return;
                    }
                    ROOM.with_borrow_mut(|room| self.drain(room));
                }
            }
        }
    }

    /// Reads all that is there.
    fn drain(&mut self, room: &mut [u8]) {
        loop {
            let mut meta = [RecvMeta::default()];
            let read = || self.offload.recv(UdpSockRef::from(&self.link.socket), &mut [IoSliceMut::new(room)], &mut meta);
            if self.link.socket.try_io(Interest::READABLE, read).is_err() {
                return;
            }
            let now = clock::now();
            for datagram in room[..meta[0].len].chunks(meta[0].stride.max(1)) {
                self.take(now, datagram);
            }
        }
    }

    fn take(&mut self, now: Instant, datagram: &[u8]) {
        let Some(header) = Header::read(datagram, EXTENSION_TWCC) else { return };
        if let Some(sequence) = header.transport_sequence {
            self.arrivals.note(sequence, now.duration_since(self.tally.epoch).as_micros() as u64);
        }
        if header.payload_type != VIDEO_PAYLOAD_TYPE {
            self.tally.retransmission();
            return;
        }
        match &mut self.source {
            Some((ssrc, continuity)) if *ssrc == header.ssrc => continuity.take(header.sequence),
            Some(_) => self.tally.stranger(),
            None => {
                self.source = Some((header.ssrc, Continuity::new(header.sequence)));
                self.tally.joined(now.duration_since(self.asked_at));
            }
        }
        self.tally.packet(datagram.len());
        if self.packets.is_multiple_of(LOADGEN_DECRYPT_EVERY) {
            self.inspect(datagram);
        }
        self.packets += 1;
    }

    /// Decrypts a packet of the sample and reads the time it was sent.
    fn inspect(&mut self, datagram: &[u8]) {
        match self.link.inbound.decrypt_rtp(datagram) {
            Ok(plain) => {
                self.tally.decrypted();
                if let Some(sent_ns) = publisher::sent_at(&plain) {
                    self.tally.latency(clock::machine_ns().saturating_sub(sent_ns));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "decrypting");
                self.tally.not_decrypted();
            }
        }
    }

    async fn send_report(&mut self) -> anyhow::Result<()> {
        let Some((ssrc, continuity)) = &self.source else { return Ok(()) };
        let report = receiver_report(self.own_ssrc, *ssrc, continuity, &mut self.reported);
        self.link.send_rtcp(&report).await
    }

    async fn send_feedback(&mut self) -> anyhow::Result<()> {
        let Some((ssrc, _)) = &self.source else { return Ok(()) };
        match self.arrivals.feedback(self.own_ssrc, *ssrc) {
            Some(feedback) => self.link.send_rtcp(&feedback).await,
            None => Ok(()),
        }
    }
}
