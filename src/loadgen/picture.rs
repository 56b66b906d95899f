//! One picture that is received: continuity, what would be seen of it, what is asked for again, and the sample that is decrypted.

use std::time::Instant;

use bytes::BytesMut;
use rtc_srtp::context::Context as SrtpContext;

use super::playback::{Playback, Seen};
use super::reception::{Continuity, Counts, Header, nack, payload, picture_loss, receiver_report};
use super::source;
use super::tally::Tally;
use crate::limits::LOADGEN_DECRYPT_EVERY;

/// Decrypts, and counts that.
pub(super) struct Opener<'a> {
    pub(super) inbound: &'a mut SrtpContext,
    pub(super) tally: &'a Tally,
}

impl Opener<'_> {
    pub(super) fn open(&mut self, datagram: &[u8]) -> Option<BytesMut> {
        match self.inbound.decrypt_rtp(datagram) {
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
}

/// See the file's head.
pub(super) struct Picture {
    pub(super) ssrc: u32,
    continuity: Continuity,
    playback: Playback,
    pub(super) began: Instant,
    pub(super) bytes: u64,
    /// The first key frame.
    pub(super) key_frame_at: Option<Instant>,
    reported: Counts,
    packets: u64,
    frames_begun: u64,
    /// The next packet begins a frame.
    at_frame_start: bool,
}

impl Picture {
    /// Of its first packet, which is then taken as the others are.
    pub(super) fn new(now: Instant, header: &Header) -> Self {
        let continuity = Continuity::new(header.sequence);
        let playback = Playback::new(continuity.extend(header.sequence));
        Self {
            ssrc: header.ssrc,
            continuity,
            playback,
            began: now,
            bytes: 0,
            key_frame_at: None,
            reported: Counts::default(),
            packets: 0,
            frames_begun: 0,
            at_frame_start: true,
        }
    }

    pub(super) fn take(&mut self, now: Instant, header: &Header, datagram: &[u8], opener: &mut Opener<'_>) {
        // The first packet of all is in the continuity already.
        let number = if self.packets == 0 { self.continuity.extend(header.sequence) } else { self.continuity.take(header.sequence) };
        self.bytes += datagram.len() as u64;
        let was_broken = self.playback.is_broken();
        self.playback.take(now, number, header.marker);
        opener.tally.packet(datagram.len());
        // Files carry their time in a frame's first packet only.
        let begins = std::mem::replace(&mut self.at_frame_start, header.marker);
        self.frames_begun += u64::from(begins);
        let is_sampled =
            self.packets.is_multiple_of(LOADGEN_DECRYPT_EVERY) || (begins && self.frames_begun.is_multiple_of(LOADGEN_DECRYPT_EVERY));
        self.packets += 1;
        let awaits_key_frame = was_broken || self.key_frame_at.is_none();
        if !is_sampled && !awaits_key_frame {
            return;
        }
        let Some(plain) = opener.open(datagram) else { return };
        if let Some(sent_ns) = source::sent_at(&plain) {
            opener.tally.latency(super::clock::machine_ns().saturating_sub(sent_ns));
        }
        if awaits_key_frame && payload(&plain).is_some_and(source::begins_key_frame) {
            self.key_frame_at.get_or_insert(now);
            self.playback.take_key_frame(now, number);
        }
    }

    /// A packet that was sent again (RFC 4588): its payload begins with the number it had. Padding to find out about the bandwidth comes
    /// the same way and has none.
    pub(super) fn take_again(&mut self, now: Instant, header: &Header, datagram: &[u8], opener: &mut Opener<'_>) {
        if self.playback.wake_at().is_none() {
            return;
        }
        let Some(plain) = opener.open(datagram) else { return };
        let Some(&[high, low, ..]) = payload(&plain) else { return };
        let number = self.continuity.take(u16::from_be_bytes([high, low]));
        self.playback.take(now, number, header.marker);
    }

    /// Another person's picture follows on this line, or none.
    pub(super) fn pause(&mut self) {
        self.playback.pause();
    }

    /// When [`Self::repairs`] has something to say.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.playback.wake_at()
    }

    /// Requests that are due now, as RTCP.
    pub(super) fn repairs(&mut self, now: Instant, own_ssrc: u32, tally: &Tally) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        let asked = self.playback.ask(now);
        if !asked.is_empty() {
            tally.asked_again(asked.len());
            requests.push(nack(own_ssrc, self.ssrc, &asked));
        }
        if self.playback.ask_for_key_frame(now) {
            tally.asked_for_key_frame();
            requests.push(picture_loss(own_ssrc, self.ssrc));
        }
        requests
    }

    pub(super) fn report(&mut self, own_ssrc: u32) -> Vec<u8> {
        receiver_report(own_ssrc, self.ssrc, &self.continuity, &mut self.reported)
    }

    /// What was seen and counted until now.
    pub(super) fn finish(self, now: Instant) -> (Counts, Seen) {
        (self.continuity.counts(), self.playback.finish(now))
    }

    /// Over its whole time.
    pub(super) fn bits_per_second(&self, now: Instant) -> f64 {
        self.bytes as f64 * 8.0 / now.duration_since(self.began).as_secs_f64().max(0.001)
    }
}
