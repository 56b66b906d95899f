//! What a member sends: a synthetic camera with simulcast and a microphone that tells how loud it is, on time. Pure but for luck and the stamps
//! inside of packets.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::offer::{OWN_AUDIO_MID, OWN_VIDEO_MID, Own};
use crate::limits::{LOADGEN_CALL_TURN, LOADGEN_RESEND_PACKETS};
use crate::loadgen::outgoing::{Ask, Stamp, Stream};
use crate::loadgen::sdp::{AUDIO_PAYLOAD_TYPE, RIDS, VIDEO_PAYLOAD_TYPE};
use crate::loadgen::source::{FACE, FRAMES_PER_SECOND, VOICE_TICKS, synthetic, voice};

const VIDEO_TICKS: u32 = 90_000 / FRAMES_PER_SECOND;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / FRAMES_PER_SECOND as u64);
const PACKET: Duration = Duration::from_millis(20);
/// Frames between two key frames of a layer, whoever asks.
const KEY_FRAME_AFTER: u32 = FRAMES_PER_SECOND / 2;
/// Of somebody who speaks, with the bit for voice, and of a quiet room, -dBov.
const SPEAKS: u8 = 0x80 | 30;
const QUIET: u8 = 90;

struct Layer {
    stream: Stream,
    /// Somebody is shown it.
    is_watched: bool,
    wants_key: bool,
    key_frame: Option<u32>,
}

/// See the file's head.
pub(super) struct Camera {
    started: Instant,
    /// Lowest first.
    layers: Vec<Layer>,
    sound: Stream,
    /// Of all members, and which of them this is: they speak in turns.
    turn: (usize, usize),
    frame: u32,
    packet: u32,
    bases: (u32, u32),
    transport_sequence: u16,
    /// Sealed, newest last.
    recent: VecDeque<(u32, u16, Bytes)>,
}

impl Camera {
    /// `turn`: the number of members, and which of them this is.
    pub(super) fn new(now: Instant, turn: (usize, usize)) -> Self {
        let layer = |rid| Layer {
            stream: Stream::new(rand::random(), VIDEO_PAYLOAD_TYPE, OWN_VIDEO_MID, Some(rid)),
            is_watched: true,
            wants_key: true,
            key_frame: None,
        };
        Self {
            // Cameras of different people do not tick together.
            started: now + FRAME.mul_f64(rand::random()),
            layers: RIDS[..FACE.len()].iter().copied().map(layer).collect(),
            sound: Stream::new(rand::random(), AUDIO_PAYLOAD_TYPE, OWN_AUDIO_MID, None),
            turn,
            frame: 0,
            packet: 0,
            bases: (rand::random(), rand::random()),
            transport_sequence: 0,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn own(&self) -> Own {
        Own { ssrcs: self.layers.iter().map(|layer| layer.stream.ssrc).collect(), audio_ssrc: self.sound.ssrc }
    }

    /// When [`Self::next`] has something.
    pub(super) fn due(&self) -> Instant {
        (self.started + FRAME * self.frame).min(self.started + PACKET * self.packet)
    }

    /// The packets that are due next, sealed: a frame of each layer that is watched, or a packet of sound.
    ///
    /// # Errors
    /// They cannot be sealed.
    pub(super) fn next(&mut self, seal: &mut impl FnMut(&[u8]) -> anyhow::Result<BytesMut>) -> anyhow::Result<Vec<Bytes>> {
        let mut burst = Vec::new();
        if self.started + PACKET * self.packet <= self.started + FRAME * self.frame {
            let level = Some(if self.speaks() { SPEAKS } else { QUIET });
            let timestamp = self.bases.1.wrapping_add(self.packet.wrapping_mul(VOICE_TICKS));
            let stamp = Stamp { timestamp, marker: false, transport_sequence: self.transport_sequence, level };
            let sealed = seal(&self.sound.packet(stamp, voice())?)?.freeze();
            self.sent(self.sound.ssrc, sealed.clone());
            burst.push(sealed);
            self.packet += 1;
            return Ok(burst);
        }
        for (at, cut) in FACE.into_iter().enumerate() {
            let layer = &mut self.layers[at];
            if !layer.is_watched {
                continue;
            }
            let may = layer.key_frame.is_none_or(|last| self.frame - last >= KEY_FRAME_AFTER);
            let key = layer.wants_key && may;
            if key {
                (layer.wants_key, layer.key_frame) = (false, Some(self.frame));
            }
            let payloads = synthetic(cut, key);
            let (last, ssrc) = (payloads.len() - 1, layer.stream.ssrc);
            for (index, payload) in payloads.into_iter().enumerate() {
                let timestamp = self.bases.0.wrapping_add(self.frame.wrapping_mul(VIDEO_TICKS));
                let stamp = Stamp { timestamp, marker: index == last, transport_sequence: self.transport_sequence, level: None };
                let sealed = seal(&self.layers[at].stream.packet(stamp, payload)?)?.freeze();
                self.sent(ssrc, sealed.clone());
                burst.push(sealed);
            }
        }
        self.frame += 1;
        Ok(burst)
    }

    /// Whether it is this member's turn to speak.
    fn speaks(&self) -> bool {
        let (members, own) = self.turn;
        let turn = (PACKET * self.packet).as_millis() / LOADGEN_CALL_TURN.as_millis();
        turn as usize % members.max(1) == own
    }

    fn sent(&mut self, ssrc: u32, sealed: Bytes) {
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        if self.recent.len() >= LOADGEN_RESEND_PACKETS {
            self.recent.pop_front();
        }
        self.recent.push_back((ssrc, u16::from_be_bytes([sealed[2], sealed[3]]), sealed));
    }

    /// Does what the server asks for; returns packets that are to be sent again, as they were.
    pub(super) fn handle(&mut self, asks: &[Ask]) -> Vec<Bytes> {
        let mut again = Vec::new();
        for ask in asks {
            match ask {
                Ask::KeyFrame { ssrc } => {
                    self.layers.iter_mut().filter(|layer| layer.stream.ssrc == *ssrc).for_each(|layer| layer.wants_key = true);
                }
                Ask::Again { ssrc, numbers } => {
                    let wanted = self.recent.iter().filter(|(of, number, _)| of == ssrc && numbers.contains(number));
                    again.extend(wanted.map(|(_, _, sealed)| sealed.clone()));
                }
            }
        }
        again
    }

    /// Nobody is shown the layers of these names. Who is watched again begins with a key frame.
    pub(super) fn unwatched(&mut self, rids: &[String]) {
        for (layer, rid) in self.layers.iter_mut().zip(RIDS) {
            let is_watched = !rids.iter().any(|unwatched| unwatched == rid);
            layer.wants_key |= is_watched && !layer.is_watched;
            layer.is_watched = is_watched;
        }
    }

    pub(super) fn reports(&self) -> Vec<Vec<u8>> {
        let video = self.bases.0.wrapping_add(self.frame.wrapping_mul(VIDEO_TICKS));
        let sound = self.bases.1.wrapping_add(self.packet.wrapping_mul(VOICE_TICKS));
        let layers = self.layers.iter().map(|layer| layer.stream.sender_report(video));
        layers.chain([self.sound.sender_report(sound)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::reception::{Header, payload};
    use crate::loadgen::sdp::EXTENSION_TWCC;
    use crate::loadgen::source::begins_key_frame;

    fn camera(turn: (usize, usize)) -> Camera {
        Camera::new(crate::loadgen::clock::now(), turn)
    }

    fn clear(packet: &[u8]) -> anyhow::Result<BytesMut> {
        Ok(BytesMut::from(packet))
    }

    /// A second of it, by SSRC. A third of a frame short, so that it holds no thirty-first.
    fn second(camera: &mut Camera) -> Vec<(u32, Bytes)> {
        let end = camera.due() + Duration::from_millis(990);
        let mut sent = Vec::new();
        while camera.due() < end {
            let burst = camera.next(&mut clear).expect("nothing is sealed");
            sent.extend(burst.into_iter().map(|packet| (Header::read(&packet, None).expect("RTP").ssrc, packet)));
        }
        sent
    }

    fn of(sent: &[(u32, Bytes)], ssrc: u32) -> Vec<&Bytes> {
        sent.iter().filter(|(of, _)| *of == ssrc).map(|(_, packet)| packet).collect()
    }

    #[test]
    fn a_second_holds_fifty_packets_of_sound_and_thirty_frames_of_each_layer_under_rising_numbers() {
        let mut camera = camera((2, 0));
        let own = camera.own();
        let sent = second(&mut camera);
        assert_eq!(of(&sent, own.audio_ssrc).len(), 50);
        // One packet a frame and three, and parameter sets before the key frame.
        assert_eq!((of(&sent, own.ssrcs[0]).len(), of(&sent, own.ssrcs[1]).len()), (31, 91));
        let numbers: Vec<u16> =
            sent.iter().filter_map(|(_, packet)| Header::read(packet, Some(EXTENSION_TWCC))?.transport_sequence).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }

    #[test]
    fn a_layer_that_nobody_watches_rests_and_comes_back_with_a_key_frame() {
        let mut camera = camera((2, 0));
        let own = camera.own();
        second(&mut camera);
        camera.unwatched(&["m".to_owned()]);
        let sent = second(&mut camera);
        assert_eq!((of(&sent, own.ssrcs[0]).len(), of(&sent, own.ssrcs[1]).len()), (30, 0));
        camera.unwatched(&[]);
        let sent = second(&mut camera);
        let back = of(&sent, own.ssrcs[1]);
        assert!(payload(back[0]).is_some_and(begins_key_frame), "{}", back.len());
    }

    #[test]
    fn what_is_asked_for_is_sent_again_and_a_key_frame_comes_at_most_twice_a_second() {
        let mut camera = camera((2, 0));
        let own = camera.own();
        let sent = second(&mut camera);
        let packet = of(&sent, own.ssrcs[1])[80];
        let number = Header::read(packet, None).expect("RTP").sequence;
        assert_eq!(camera.handle(&[Ask::Again { ssrc: own.ssrcs[1], numbers: vec![number, number.wrapping_add(1000)] }]), [packet]);
        let mut keys = 0;
        for _ in 0..60 {
            camera.handle(&[Ask::KeyFrame { ssrc: own.ssrcs[0] }]);
            let burst = camera.next(&mut clear).expect("nothing is sealed");
            keys += burst
                .iter()
                .filter(|packet| packet[1] & 0x7f == VIDEO_PAYLOAD_TYPE && payload(packet).is_some_and(begins_key_frame))
                .count();
        }
        // Parameter sets and the first piece.
        assert!((2..=6).contains(&keys), "{keys}");
    }

    #[test]
    fn members_speak_in_turns() {
        let speakers = |seconds: u64| -> Vec<bool> {
            (0..3)
                .map(|own| {
                    let mut camera = camera((3, own));
                    camera.packet = (seconds * 50) as u32;
                    camera.speaks()
                })
                .collect()
        };
        let turn = LOADGEN_CALL_TURN.as_secs();
        assert_eq!(speakers(0), [true, false, false]);
        assert_eq!(speakers(turn), [false, true, false]);
        assert_eq!(speakers(3 * turn + 1), [true, false, false]);
    }
}
