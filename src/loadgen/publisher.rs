//! The synthetic publisher: packets that look like H.264 to a forwarder (real parameter sets, key frames, FU-A) and carry the time
//! they were sent. Not decodable. Invariant: every fragment's payload holds `MARK` and the machine's clock behind its FU header.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rtc_rtp::header::Header;
use rtc_rtp::packet::Packet;
use rtc_shared::marshal::Marshal;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::{Identity, Link};
use super::signaling::{Direction, EXTENSION_MID, EXTENSION_RID, EXTENSION_TWCC, RIDS, Server, VIDEO_PAYLOAD_TYPE, offer};
use crate::limits::{LOADGEN_CONSENT_INTERVAL, LOADGEN_PAYLOAD_BYTES};

const FRAMES_PER_SECOND: u32 = 30;
const KEY_FRAME_EVERY: u32 = 2 * FRAMES_PER_SECOND;
const MARK: [u8; 4] = *b"load";
/// Bytes in front of the mark: RTP's fixed header is not counted here.
const FU_HEADER: usize = 2;
/// Baseline 3.1, 1280 x 720 (from x264), and its picture parameter set.
const SPS: [u8; 21] =
    [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe9, 0xb8, 0x08, 0x08, 0x0a, 0x00, 0x00, 0x07, 0xd0, 0x00, 0x01, 0xd4, 0xc0];
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

/// What the publisher sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Simulcast layers, one or three.
    pub(super) layers: usize,
    /// Packets per second of the highest layer; each lower one has a third.
    pub(super) packets_per_second: u32,
}

/// The time in a decrypted packet of ours, nanoseconds of the machine's clock.
pub(super) fn sent_at(packet: &[u8]) -> Option<u64> {
    let mut rest = packet;
    let header = <Header as rtc_shared::marshal::Unmarshal>::unmarshal(&mut rest).ok()?;
    let start = packet.len() - rest.len();
    let _ = header;
    let stamp = packet.get(start + FU_HEADER..start + FU_HEADER + 12)?;
    (stamp[..4] == MARK).then(|| u64::from_be_bytes(stamp[4..].try_into().expect("eight bytes")))
}

/// One layer's state.
struct Layer {
    ssrc: u32,
    rid: Option<&'static str>,
    sequence: u16,
    packets_per_frame: u32,
    sent: u32,
    octets: u32,
}

/// Publishes until `stop`. `ready` is cancelled (that is: released) once media flows.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub(super) async fn publish(
    server: &Server,
    identity: &Identity,
    rate: Rate,
    ready: &CancellationToken,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let local = identity.local_side();
    let ssrcs: Vec<u32> = (0..rate.layers).map(|_| rand::random()).collect();
    let accepted = server.post("whip", offer(&local, &Direction::Send { ssrcs: ssrcs.clone() })).await?;
    let mut link = Link::connect(identity, &local, &accepted.remote).await?;
    let mut layers: Vec<Layer> = ssrcs.iter().enumerate().map(|(index, &ssrc)| layer(index, ssrc, rate)).collect();
    send_all(&mut link, &mut layers, ready, stop).await?;
    link.close().await;
    server.delete(accepted).await;
    Ok(())
}

/// Packets of one frame at a rate of packets per second.
pub(super) fn packets_per_frame(packets_per_second: u32) -> usize {
    (packets_per_second / FRAMES_PER_SECOND).max(1) as usize
}

fn layer(index: usize, ssrc: u32, rate: Rate) -> Layer {
    let share = 3_u32.pow((rate.layers - 1 - index) as u32);
    let packets_per_frame = packets_per_frame(rate.packets_per_second / share) as u32;
    let rid = (rate.layers > 1).then(|| RIDS[index]);
    Layer { ssrc, rid, sequence: rand::random::<u16>() >> 1, packets_per_frame, sent: 0, octets: 0 }
}

async fn send_all(link: &mut Link, layers: &mut [Layer], ready: &CancellationToken, stop: &CancellationToken) -> anyhow::Result<()> {
    let started = clock::now();
    let own_base: u32 = rand::random();
    let mut transport_sequence = 0_u16;
    let mut consent_at = started;
    let mut key_wanted = true;
    let mut last_key = 0;
    for frame in 0_u32.. {
        let due = started + Duration::from_nanos(u64::from(frame) * 1_000_000_000 / u64::from(FRAMES_PER_SECOND));
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(due.into()) => break,
                asked = key_frame_asked(link) => key_wanted |= asked,
            }
        }
        // At most two key frames a second, whoever asks.
        let key = frame == 0 || frame - last_key >= KEY_FRAME_EVERY || (key_wanted && frame - last_key >= FRAMES_PER_SECOND / 2);
        if key {
            (last_key, key_wanted) = (frame, false);
        }
        let timestamp = own_base.wrapping_add(frame.wrapping_mul(90_000 / FRAMES_PER_SECOND));
        // Sealed first, sent then: the packets of a frame arrive together, as an encoder's do.
        let mut burst = Vec::new();
        for layer in layers.iter_mut() {
            for (index, payload) in payloads(layer.packets_per_frame, key).into_iter().enumerate() {
                let marker = index as u32 + 1 == layer.packets_per_frame + u32::from(key);
                let packet = layer.packet(timestamp, marker, transport_sequence, payload)?;
                transport_sequence = transport_sequence.wrapping_add(1);
                burst.push(link.outbound.encrypt_rtp(&packet)?);
            }
        }
        for sealed in &burst {
            link.send(sealed).await;
        }
        for layer in layers.iter() {
            if frame.is_multiple_of(FRAMES_PER_SECOND) {
                let report = layer.sender_report(timestamp);
                link.send_rtcp(&report).await?;
            }
        }
        if clock::now() >= consent_at {
            consent_at = clock::now() + LOADGEN_CONSENT_INTERVAL;
            link.renew_consent().await?;
        }
        if frame == FRAMES_PER_SECOND {
            ready.cancel();
        }
    }
    Ok(())
}

impl Layer {
    fn packet(&mut self, timestamp: u32, marker: bool, transport_sequence: u16, payload: Bytes) -> anyhow::Result<BytesMut> {
        let mut header = Header {
            version: 2,
            marker,
            payload_type: VIDEO_PAYLOAD_TYPE,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        header.set_extension(EXTENSION_MID, Bytes::from_static(b"0"))?;
        if let Some(rid) = self.rid {
            header.set_extension(EXTENSION_RID, Bytes::from_static(rid.as_bytes()))?;
        }
        header.set_extension(EXTENSION_TWCC, Bytes::copy_from_slice(&transport_sequence.to_be_bytes()))?;
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        Ok(Packet { header, payload }.marshal()?)
    }

    /// RFC 3550, section 6.4.1.
    fn sender_report(&self, timestamp: u32) -> Vec<u8> {
        let now = clock::machine_ns();
        let seconds = (now / 1_000_000_000 + 2_208_988_800) as u32;
        let fraction = ((now % 1_000_000_000) << 32) / 1_000_000_000;
        let mut report = vec![0x80, 200, 0, 6];
        for word in [self.ssrc, seconds, fraction as u32, timestamp, self.sent, self.octets] {
            report.extend_from_slice(&word.to_be_bytes());
        }
        report
    }
}

/// One frame: parameter sets before a key frame, then fragments of one slice, each with the time.
fn payloads(count: u32, key: bool) -> Vec<Bytes> {
    let mut out = Vec::with_capacity(count as usize + 1);
    if key {
        let mut sets = BytesMut::new();
        sets.put_u8(0x78);
        for set in [&SPS[..], &PPS[..]] {
            sets.put_u16(set.len() as u16);
            sets.put_slice(set);
        }
        out.push(sets.freeze());
    }
    let kind = if key { 5 } else { 1 };
    for index in 0..count {
        let mut payload = BytesMut::with_capacity(LOADGEN_PAYLOAD_BYTES);
        payload.put_u8(0x60 | 28);
        // A frame of one packet is a fragment with both edges, which a forwarder must take too.
        let edge = if index == 0 { 0x80 } else { 0 } | if index + 1 == count && count > 1 { 0x40 } else { 0 };
        payload.put_u8(edge | kind);
        payload.put_slice(&MARK);
        payload.put_u64(clock::machine_ns());
        // No byte of the filler is zero: nothing in it looks like a start code.
        payload.resize(LOADGEN_PAYLOAD_BYTES, 0xa5);
        out.push(payload.freeze());
    }
    out
}

/// Reads one datagram; whether it asks for a key frame (PLI or FIR).
async fn key_frame_asked(link: &mut Link) -> bool {
    let mut buffer = [0; 2048];
    let Ok(length) = link.socket.recv(&mut buffer).await else { return false };
    if length < 8 || !(192..=223).contains(&buffer[1]) || buffer[0] >> 6 != 2 {
        return false;
    }
    let Ok(plain) = link.inbound.decrypt_rtcp(&buffer[..length]) else { return false };
    let mut rest = &plain[..];
    while rest.len() >= 4 {
        let words = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] == 206 && matches!(rest[0] & 0x1f, 1 | 4) {
            return true;
        }
        rest = rest.get(4 * (words + 1)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_carry_their_time_and_parameter_sets() {
        let mut layer = layer(2, 5, Rate { layers: 3, packets_per_second: 300 });
        assert_eq!(layer.packets_per_frame, 10);
        let frame = payloads(10, true);
        assert_eq!(frame.len(), 11);
        assert_eq!(frame[0][0] & 0x1f, 24);
        let before = clock::machine_ns();
        let packet = layer.packet(1, true, 2, frame[3].clone()).expect("short extensions");
        let sent = sent_at(&packet).expect("our mark");
        assert!(sent <= before && before - sent < 60_000_000_000);
        let sets = layer.packet(1, false, 3, frame[0].clone()).expect("short extensions");
        assert_eq!(sent_at(&sets), None);
    }
}
