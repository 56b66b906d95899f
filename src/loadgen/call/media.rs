//! A member's media over its link, in both directions, until it is time to stop. What the conversation agreed on meanwhile comes in as [`Told`].

use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::camera::Camera;
use super::incoming::Incoming;
use super::offer::Received;
use crate::limits::{LOADGEN_CONSENT_INTERVAL, LOADGEN_FEEDBACK_INTERVAL, LOADGEN_REPORT_INTERVAL};
use crate::loadgen::clock;
use crate::loadgen::link::Link;

/// What the conversation tells the media.
pub(super) enum Told {
    /// Asked to come into the call.
    JoinsCall(std::time::Instant),
    /// An answer: what is sent to us from now on, and with the call what we send.
    Agreed(Vec<Received>, Option<Box<Camera>>),
    /// Who is on which m-line, by mid.
    Slots(HashMap<String, u64>),
    Unwatched(Vec<String>),
}

/// Sends and receives until `stop`. Faces that came are told by their mids.
///
/// # Errors
/// The socket or the keys are broken.
pub(super) async fn run(
    link: &mut Link,
    incoming: &mut Incoming<'_>,
    told: &mut mpsc::Receiver<Told>,
    faces: &mpsc::Sender<String>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    // Spread over the interval, so that all members do not report in one instant.
    let spread = |interval: Duration| clock::now() + interval.mul_f64(rand::random());
    let (mut report_at, mut feedback_at) = (spread(LOADGEN_REPORT_INTERVAL), spread(LOADGEN_FEEDBACK_INTERVAL));
    let mut consent_at = spread(LOADGEN_CONSENT_INTERVAL);
    let mut camera: Option<Box<Camera>> = None;
    loop {
        let sends_at = camera.as_ref().map(|camera| camera.due());
        let others = [sends_at, incoming.wake_at()].into_iter().flatten();
        let due = others.fold(report_at.min(feedback_at).min(consent_at), std::time::Instant::min);
        let Link { socket, inbound, checks, .. } = &mut *link;
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            Some(told) = told.recv() => match told {
                Told::JoinsCall(asked_at) => incoming.joins_call(asked_at),
                Told::Agreed(received, sends) => {
                    incoming.agree(received);
                    camera = sends.or(camera);
                }
                Told::Slots(members) => {
                    for face in incoming.seat(&members) {
                        // Full only when the conversation is gone.
                        let _full = faces.try_send(face);
                    }
                }
                Told::Unwatched(rids) => {
                    if let Some(camera) = &mut camera {
                        camera.unwatched(&rids);
                    }
                }
            },
            received = socket.receive(|now, datagram| incoming.take(now, datagram, inbound, checks)) => {
                received?;
                for reply in std::mem::take(&mut incoming.replies) {
                    link.send(&reply).await;
                }
                let asks = std::mem::take(&mut incoming.asks);
                if let Some(camera) = &mut camera {
                    for packet in camera.handle(&asks) {
                        link.send(&packet).await;
                    }
                }
            }
            () = tokio::time::sleep_until(due.into()) => {}
        }
        let now = clock::now();
        while let Some(camera) = camera.as_mut().filter(|camera| camera.due() <= now) {
            let outbound = &mut link.outbound;
            let burst = camera.next(&mut |packet: &[u8]| -> anyhow::Result<BytesMut> { Ok(outbound.encrypt_rtp(packet)?) })?;
            for packet in &burst {
                link.send(packet).await;
            }
        }
        for request in incoming.repairs(now) {
            link.send_rtcp(&request).await?;
        }
        if now >= feedback_at {
            feedback_at = now + LOADGEN_FEEDBACK_INTERVAL;
            if let Some(feedback) = incoming.feedback() {
                link.send_rtcp(&feedback).await?;
            }
        }
        if now >= report_at {
            report_at = now + LOADGEN_REPORT_INTERVAL;
            let sent = camera.iter().flat_map(|camera| camera.reports());
            for report in sent.chain([incoming.reports()].into_iter().filter(|reports| !reports.is_empty())) {
                link.send_rtcp(&report).await?;
            }
        }
        if now >= consent_at {
            consent_at = now + LOADGEN_CONSENT_INTERVAL;
            link.renew_consent().await?;
        }
    }
}
