//! A publisher: one WHIP session that sends a [`Source`] on time until it is stopped.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_srtp::context::Context as SrtpContext;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::{Checks, Identity, Link};
use super::outgoing::{Ask, Stamp, Stream, asked, is_rtcp};
use super::sdp::{AUDIO_PAYLOAD_TYPE, Direction, RIDS, VIDEO_PAYLOAD_TYPE};
use super::signaling::Server;
use super::socket::Socket;
use super::source::Source;
use crate::limits::LOADGEN_CONSENT_INTERVAL;

const VIDEO_CLOCK_HZ: u32 = 90_000;
/// Seconds between key frames of the synthetic picture when nobody asks.
const KEY_FRAME_EVERY_S: u32 = 2;

/// Publishes until `stop`. `ready` is cancelled (that is: released) once media has flowed for a second.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub(super) async fn publish(
    server: &Server,
    identity: &Identity,
    broadcast: &str,
    source: &Source,
    ready: &CancellationToken,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let socket = Socket::open(None, 0).await?;
    let mut local = identity.local_side();
    local.candidate = Some(server.candidate(socket.local_port()?));
    let ssrcs: Vec<u32> = (0..source.layers()).map(|_| rand::random()).collect();
    let audio_ssrc = source.has_sound().then(rand::random);
    let accepted = server.negotiate(broadcast, &local, &Direction::Send { ssrcs: ssrcs.clone(), audio_ssrc }).await?;
    let link = Link::connect(identity, socket, &local, &accepted.remote).await?;
    let video = ssrcs.iter().enumerate().map(|(index, &ssrc)| {
        let rid = (ssrcs.len() > 1).then(|| RIDS[index]);
        Stream::new(ssrc, VIDEO_PAYLOAD_TYPE, b"0", rid)
    });
    let sound = audio_ssrc.map(|ssrc| Stream::new(ssrc, AUDIO_PAYLOAD_TYPE, b"1", None));
    let mut sending = Sending { link, source, video: video.collect(), sound, transport_sequence: 0, replies: Vec::new(), key_wanted: true };
    let sent = sending.run(ready, stop).await;
    sending.link.close().await;
    server.delete(accepted).await;
    sent
}

struct Sending<'a> {
    link: Link,
    source: &'a Source,
    /// Lowest layer first.
    video: Vec<Stream>,
    sound: Option<Stream>,
    transport_sequence: u16,
    /// Answers to the server's checks, to be sent.
    replies: Vec<Vec<u8>>,
    key_wanted: bool,
}

impl Sending<'_> {
    async fn run(&mut self, ready: &CancellationToken, stop: &CancellationToken) -> anyhow::Result<()> {
        let started = clock::now();
        let rate = self.source.frames_per_second();
        let (video_base, sound_base): (u32, u32) = (rand::random(), rand::random());
        let mut consent_at = started;
        let (mut frame, mut last_key) = (0_u32, 0);
        // Ticks of sound sent.
        let (mut packet, mut ticks) = (0_u64, 0_u64);
        loop {
            let video_at = started + Duration::from_nanos(u64::from(frame) * 1_000_000_000 / u64::from(rate));
            let sound_at = self.sound.as_ref().map(|_| started + Duration::from_micros(ticks * 1000 / 48));
            let due = sound_at.map_or(video_at, |at| at.min(video_at));
            if !self.until(due, stop).await {
                return Ok(());
            }
            if sound_at.is_some_and(|at| at <= video_at) {
                let Some((payload, length)) = self.source.sound(packet) else { continue };
                self.send_sound(sound_base.wrapping_add(ticks as u32), payload).await?;
                (packet, ticks) = (packet + 1, ticks + u64::from(length));
                continue;
            }
            // At most two key frames a second, whoever asks.
            let is_due = frame - last_key >= KEY_FRAME_EVERY_S * rate || (self.key_wanted && frame - last_key >= rate / 2);
            let key = frame == 0 || is_due;
            if key {
                (last_key, self.key_wanted) = (frame, false);
            }
            let timestamp = video_base.wrapping_add((u64::from(frame) * u64::from(VIDEO_CLOCK_HZ) / u64::from(rate)) as u32);
            self.send_frame(frame, timestamp, key).await?;
            if frame.is_multiple_of(rate) {
                self.report(timestamp, sound_base.wrapping_add(ticks as u32)).await?;
            }
            if clock::now() >= consent_at {
                consent_at = clock::now() + LOADGEN_CONSENT_INTERVAL;
                self.link.renew_consent().await?;
            }
            if frame == rate {
                ready.cancel();
            }
            frame = frame.wrapping_add(1);
        }
    }

    /// Listens until `due`; false when it is time to stop.
    async fn until(&mut self, due: Instant, stop: &CancellationToken) -> bool {
        loop {
            let Link { socket, inbound, checks, .. } = &mut self.link;
            let (replies, key_wanted) = (&mut self.replies, &mut self.key_wanted);
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep_until(due.into()) => return true,
                received = socket.receive(|_, datagram| hear(datagram, inbound, checks, replies, key_wanted)) => {
                    if let Err(error) = received {
                        tracing::debug!(%error, "a publisher's socket");
                    }
                }
            }
            for reply in std::mem::take(&mut self.replies) {
                self.link.send(&reply).await;
            }
        }
    }

    async fn send_frame(&mut self, frame: u32, timestamp: u32, key: bool) -> anyhow::Result<()> {
        // Sealed first, sent then: the packets of a frame arrive together, as an encoder's do.
        let mut burst = Vec::new();
        for (layer, stream) in self.video.iter_mut().enumerate() {
            let payloads = self.source.frame(frame, layer, key);
            let last = payloads.len() - 1;
            for (index, payload) in payloads.into_iter().enumerate() {
                let stamp = Stamp { timestamp, marker: index == last, transport_sequence: self.transport_sequence, level: None };
                let packet = stream.packet(stamp, payload)?;
                self.transport_sequence = self.transport_sequence.wrapping_add(1);
                burst.push(self.link.outbound.encrypt_rtp(&packet)?);
            }
        }
        for sealed in &burst {
            self.link.send(sealed).await;
        }
        Ok(())
    }

    async fn send_sound(&mut self, timestamp: u32, payload: Bytes) -> anyhow::Result<()> {
        let Some(stream) = &mut self.sound else { return Ok(()) };
        let stamp = Stamp { timestamp, marker: false, transport_sequence: self.transport_sequence, level: None };
        let packet = stream.packet(stamp, payload)?;
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let sealed = self.link.outbound.encrypt_rtp(&packet)?;
        self.link.send(&sealed).await;
        Ok(())
    }

    async fn report(&mut self, video_timestamp: u32, sound_timestamp: u32) -> anyhow::Result<()> {
        let video = self.video.iter().map(|stream| stream.sender_report(video_timestamp));
        let reports: Vec<Vec<u8>> = video.chain(self.sound.iter().map(|stream| stream.sender_report(sound_timestamp))).collect();
        for report in reports {
            self.link.send_rtcp(&report).await?;
        }
        Ok(())
    }
}

/// One datagram of the server's: a check to answer, or a request for a key frame.
fn hear(datagram: &[u8], inbound: &mut SrtpContext, checks: &Checks, replies: &mut Vec<Vec<u8>>, key_wanted: &mut bool) {
    if let Some(answer) = checks.answer(datagram) {
        return replies.push(answer);
    }
    if !is_rtcp(datagram) {
        return;
    }
    if let Ok(plain) = inbound.decrypt_rtcp(datagram) {
        *key_wanted |= asked(&plain).iter().any(|ask| matches!(ask, Ask::KeyFrame { .. }));
    }
}
