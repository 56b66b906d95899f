//! What a publisher sends: a synthetic picture, or a film from files. Either carries the time it was sent, for a viewer to read.
//!
//! The synthetic one looks like H.264 to a forwarder (real parameter sets, key frames, FU-A) and is noise to a decoder; every fragment holds
//! `MARK` and the machine's clock behind its FU header. A film is real and carries the time in an SEI message of each frame.

use std::path::Path;

use anyhow::{Context, ensure};
use bytes::{BufMut, Bytes, BytesMut};

use super::clock;
use super::reception::payload;
use crate::elementary::{annexb, ogg};
use crate::limits::LOADGEN_PAYLOAD_BYTES;

/// Frames per second of the synthetic picture.
pub(super) const FRAMES_PER_SECOND: u32 = 30;
const MARK: [u8; 4] = *b"load";
/// Indicator and header of a fragment.
const FU_HEADER: usize = 2;
const FU_A: u8 = 28;
const STAP_A: u8 = 24;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
/// Names our SEI message among those of others (user_data_unregistered, H.264 D.1.7).
const SEI_NAME: [u8; 16] = *b"courtside-load\x01\x01";
/// Baseline (from x264), 1280 x 720, 640 x 360 and 320 x 180, and a picture parameter set.
const SPS_720P: [u8; 21] =
    [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe9, 0xb8, 0x08, 0x08, 0x0a, 0x00, 0x00, 0x07, 0xd0, 0x00, 0x01, 0xd4, 0xc0];
const SPS_360P: [u8; 25] = [
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f,
    0x16, 0x2e, 0x48,
];
const SPS_180P: [u8; 25] = [
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x01, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1,
    0x62, 0xe4, 0x80,
];
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];
/// Ticks of the RTP clock of Opus per millisecond.
const OPUS_TICKS_PER_MS: u32 = 48;
/// Of a packet of synthetic sound: 20 ms, hybrid (RFC 6716, section 3.1), at 40 kbit/s.
pub(super) const VOICE_TICKS: u32 = 20 * OPUS_TICKS_PER_MS;
const VOICE_TOC: u8 = 0x78;
const VOICE_BYTES: usize = 100;
/// The layers of a synthetic face: 160 and 650 kbit/s, as the page encodes them (`web-client/src/lib/encodings.ts`).
pub(super) const FACE: [Cut; 2] =
    [Cut { packets: 1, bytes: 667, parameters: &SPS_180P }, Cut { packets: 3, bytes: 903, parameters: &SPS_360P }];

/// How each frame of a synthetic layer is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    packets: u32,
    /// Of each.
    bytes: usize,
    /// Its sequence parameter set.
    parameters: &'static [u8],
}

/// The synthetic picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Simulcast layers, one or three.
    pub(super) layers: usize,
    /// Packets per second of the highest layer; each lower one has a third.
    pub(super) packets_per_second: u32,
    pub(super) has_sound: bool,
}

/// A film in memory, cut into RTP payloads once.
#[derive(Debug)]
pub(super) struct Film {
    frames: Vec<Vec<Bytes>>,
    frames_per_second: u32,
    /// Opus packets and their lengths in ticks; none: silent.
    sound: Vec<(Bytes, u32)>,
}

/// What to publish.
#[derive(Debug)]
pub(super) enum Source {
    Synthetic(Rate),
    Film(Film),
}

impl Source {
    pub(super) fn layers(&self) -> usize {
        match self {
            Self::Synthetic(rate) => rate.layers,
            Self::Film(_) => 1,
        }
    }

    pub(super) fn frames_per_second(&self) -> u32 {
        match self {
            Self::Synthetic(_) => FRAMES_PER_SECOND,
            Self::Film(film) => film.frames_per_second,
        }
    }

    pub(super) fn has_sound(&self) -> bool {
        match self {
            Self::Synthetic(rate) => rate.has_sound,
            Self::Film(film) => !film.sound.is_empty(),
        }
    }

    /// The payloads of one frame. A film has its key frames where they are.
    pub(super) fn frame(&self, number: u32, layer: usize, wants_key: bool) -> Vec<Bytes> {
        match self {
            Self::Synthetic(rate) => synthetic(rate.cut(layer), wants_key),
            Self::Film(film) => {
                let mut payloads = film.frames[number as usize % film.frames.len()].clone();
                let behind_parameter_sets =
                    usize::from(payloads.first().is_some_and(|first| begins_key_frame(first)) && payloads.len() > 1);
                payloads.insert(behind_parameter_sets, sei(clock::machine_ns()));
                payloads
            }
        }
    }

    /// One packet of sound and its length in ticks of 48 kHz.
    pub(super) fn sound(&self, number: u64) -> Option<(Bytes, u32)> {
        match self {
            Self::Synthetic(rate) => rate.has_sound.then(|| (voice(), VOICE_TICKS)),
            Self::Film(film) => film.sound.get(number as usize % film.sound.len().max(1)).cloned(),
        }
    }
}

impl Film {
    /// Reads an Annex B byte stream of H.264 without B frames, and an Ogg Opus file.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what it should be.
    pub(super) fn read(video: &Path, sound: Option<&Path>, frames_per_second: u32) -> anyhow::Result<Self> {
        let bytes = |path: &Path| std::fs::read(path).map(Bytes::from).with_context(|| path.display().to_string());
        let units = annexb::access_units(&bytes(video)?);
        ensure!(
            !units.is_empty(),
            "{} has no pictures: it must be an H.264 byte stream (Annex B), such as ffmpeg -f h264 writes",
            video.display()
        );
        ensure!(units[0].is_key(), "{} does not begin with a key frame", video.display());
        let frames = units.iter().map(|unit| annexb::payloads(unit, LOADGEN_PAYLOAD_BYTES)).collect();
        let sound = match sound {
            Some(path) => {
                let packets = ogg::packets(&bytes(path)?).with_context(|| format!("{} is not an Ogg Opus file", path.display()))?;
                packets.into_iter().map(|packet| (opus_ticks(&packet), packet)).map(|(ticks, packet)| (packet, ticks)).collect()
            }
            None => Vec::new(),
        };
        Ok(Self { frames, frames_per_second, sound })
    }
}

/// Length of an Opus packet (RFC 6716, section 3.1), in ticks of 48 kHz.
fn opus_ticks(packet: &[u8]) -> u32 {
    let Some(&toc) = packet.first() else { return 20 * OPUS_TICKS_PER_MS };
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(1, |count| u32::from(count & 0x3f)),
    };
    frame * frames.max(1)
}

impl Rate {
    fn cut(self, layer: usize) -> Cut {
        let share = 3_u32.pow((self.layers - 1 - layer) as u32);
        let packets = packets_per_frame(self.packets_per_second / share) as u32;
        Cut { packets, bytes: LOADGEN_PAYLOAD_BYTES, parameters: &SPS_720P }
    }
}

/// Packets of one frame at a rate of packets per second.
pub(super) fn packets_per_frame(packets_per_second: u32) -> usize {
    (packets_per_second / FRAMES_PER_SECOND).max(1) as usize
}

/// One frame: parameter sets before a key frame, then fragments of one slice, each with the time.
pub(super) fn synthetic(cut: Cut, key: bool) -> Vec<Bytes> {
    let count = cut.packets;
    let mut out = Vec::with_capacity(count as usize + 1);
    if key {
        let mut sets = BytesMut::new();
        sets.put_u8(0x60 | STAP_A);
        for set in [cut.parameters, &PPS[..]] {
            sets.put_u16(set.len() as u16);
            sets.put_slice(set);
        }
        out.push(sets.freeze());
    }
    let kind = if key { IDR } else { 1 };
    for index in 0..count {
        let mut payload = BytesMut::with_capacity(cut.bytes);
        payload.put_u8(0x60 | FU_A);
        // A frame of one packet is a fragment with both edges, which a forwarder must take too.
        let edge = if index == 0 { 0x80 } else { 0 } | if index + 1 == count && count > 1 { 0x40 } else { 0 };
        payload.put_u8(edge | kind);
        payload.put_slice(&MARK);
        payload.put_u64(clock::machine_ns());
        // No byte of the filler is zero: nothing in it looks like a start code.
        payload.resize(cut.bytes, 0xa5);
        out.push(payload.freeze());
    }
    out
}

/// A packet of synthetic sound, with the time where a fragment of a picture has it.
pub(super) fn voice() -> Bytes {
    let mut payload = BytesMut::with_capacity(VOICE_BYTES);
    payload.put_slice(&[VOICE_TOC, 0]);
    payload.put_slice(&MARK);
    payload.put_u64(clock::machine_ns());
    payload.resize(VOICE_BYTES, 0xa5);
    payload.freeze()
}

/// The time as an SEI message. In hexadecimal digits: no byte of it needs emulation prevention.
fn sei(now_ns: u64) -> Bytes {
    let mut nal = BytesMut::with_capacity(40);
    nal.put_slice(&[SEI, 5, (SEI_NAME.len() + 16) as u8]);
    nal.put_slice(&SEI_NAME);
    nal.put_slice(format!("{now_ns:016x}").as_bytes());
    nal.put_u8(0x80);
    nal.freeze()
}

/// The time in a decrypted packet of ours, nanoseconds of the machine's clock.
pub(super) fn sent_at(packet: &[u8]) -> Option<u64> {
    let payload = payload(packet)?;
    if let Some(named) = payload.strip_prefix(&[SEI, 5, (SEI_NAME.len() + 16) as u8]) {
        let digits = named.strip_prefix(&SEI_NAME)?.get(..16)?;
        return u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    }
    let stamp = payload.get(FU_HEADER..FU_HEADER + 12)?;
    (stamp[..4] == MARK).then(|| u64::from_be_bytes(stamp[4..].try_into().expect("eight bytes")))
}

/// Whether an H.264 payload (RFC 6184) begins a key frame: parameter sets, or the first piece of an IDR slice.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    let kind = |byte: &u8| byte & 0x1f;
    match payload.first().map(kind) {
        Some(IDR | SPS) => true,
        Some(STAP_A) => payload.get(3).map(kind) == Some(SPS),
        Some(FU_A) => payload.get(1).is_some_and(|header| header & 0x80 != 0 && kind(header) == IDR),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a packet without extensions.
    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 102, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        packet.extend_from_slice(payload);
        packet
    }

    #[test]
    fn a_synthetic_frame_carries_its_time_and_parameter_sets() {
        let source = Source::Synthetic(Rate { layers: 3, packets_per_second: 300, has_sound: false });
        assert_eq!((source.frame(0, 0, false).len(), source.frame(0, 2, false).len()), (1, 10));
        let frame = source.frame(0, 2, true);
        assert_eq!(frame.len(), 11);
        assert!(begins_key_frame(&frame[0]) && begins_key_frame(&frame[1]) && !begins_key_frame(&frame[2]));
        assert_eq!(sent_at(&packet(&frame[0])), None);
        let sent = sent_at(&packet(&frame[3])).expect("our mark");
        assert!(clock::machine_ns() - sent < 60_000_000_000);
    }

    #[test]
    fn a_film_is_sent_with_its_time_behind_the_parameter_sets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("film.h264");
        let mut stream = Vec::new();
        for nal in [&SPS_720P[..], &PPS[..], &[0x65, 0x88, 1, 2], &[0x41, 0x9a, 1, 2]] {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(nal);
        }
        std::fs::write(&path, stream).expect("a file");
        let source = Source::Film(Film::read(&path, None, 25).expect("a film"));
        let key = source.frame(0, 0, false);
        assert!(begins_key_frame(&key[0]) && begins_key_frame(&key[2]));
        assert!(sent_at(&packet(&key[1])).is_some());
        let delta = source.frame(1, 0, true);
        assert_eq!((delta.len(), sent_at(&packet(&delta[0])).is_some()), (2, true));
        assert_eq!(source.frame(2, 0, false).len(), key.len(), "it begins again");
        assert!(Film::read(folder.path(), None, 25).is_err());
    }

    #[test]
    fn synthetic_sound_and_faces_carry_their_time() {
        let packets = [voice(), synthetic(FACE[0], false).remove(0), synthetic(FACE[1], true).remove(3)];
        assert!(packets.iter().all(|payload| sent_at(&packet(payload)).is_some()));
        assert_eq!(packets.map(|payload| payload.len()), [VOICE_BYTES, 667, 903]);
        assert_eq!(opus_ticks(&voice()), VOICE_TICKS);
        let source = Source::Synthetic(Rate { layers: 1, packets_per_second: 30, has_sound: true });
        assert!(source.has_sound() && source.sound(7).is_some_and(|(_, ticks)| ticks == VOICE_TICKS));
    }

    #[test]
    fn opus_packets_tell_their_length() {
        assert_eq!(opus_ticks(&[0x78]), 960, "hybrid, 20 ms");
        assert_eq!(opus_ticks(&[0xfc]), 960, "CELT, 20 ms");
        assert_eq!(opus_ticks(&[0xf1, 0]), 2 * 480, "two of 10 ms");
        assert_eq!(opus_ticks(&[0x03, 3]), 3 * 480, "SILK, three of 10 ms");
    }
}
