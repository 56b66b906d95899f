//! Sound without holes: frames go on where the one before them ends. Pure.
//!
//! Many players, Chromium's among them, play frames of sound one after the other and do not look at their times again: each hole would put all later
//! sound that much before its picture, until somebody seeks, and each overlap behind it. So silence stands in holes (a packet that never came, a clock that
//! was put right, a publisher that sends none), and frames that lie on what is there are left out. What clocks drift by is met in the same way, half a frame at a time.

use bytes::Bytes;

use super::opus::{self, PER_MS, USUAL};
use super::track::LineFrame;
use crate::limits::{HLS_BEHIND_MAX, HLS_STRAY_MS};

/// A longer hole is none: there, whoever plays begins anew.
const HOLE_MAX: i64 = HLS_STRAY_MS as i64 * PER_MS;
/// What lies further behind is handed on as it is: the segmenter finds out that the line must begin anew.
const BEHIND_MAX: i64 = HLS_BEHIND_MAX as i64 * USUAL;
/// Samples of one frame of AAC.
pub(super) const AAC_TICKS: i64 = 1024;
/// A frame of AAC without sound in it, two channels (ISO/IEC 14496-3), as the encoder writes it.
const AAC_SILENCE: [u8; 6] = [0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];

/// A rendition of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Aac,
    Opus,
}

impl Sound {
    /// In the order in which the child that mixes makes them.
    pub(super) const ALL: [Self; 2] = [Self::Aac, Self::Opus];

    /// Its place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// How long a frame lasts. `None`: there is no sound in it.
    fn ticks(self, data: &[u8]) -> Option<i64> {
        match self {
            Self::Aac => Some(AAC_TICKS),
            Self::Opus => opus::ticks(data),
        }
    }

    /// Silence to begin a hole of so many ticks with, and how long it is. `None`: there is none so short.
    fn silence(self, hole: i64) -> Option<(i64, Bytes)> {
        match self {
            // All are equally long: the last one lies over the end of the hole by half a frame at most.
            Self::Aac => (hole > AAC_TICKS / 2).then_some((AAC_TICKS, Bytes::from_static(&AAC_SILENCE))),
            Self::Opus => opus::silence(hole),
        }
    }
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Seamless {
    /// Where what is out ends.
    end: Option<i64>,
    /// Frames that lay on what was there.
    pub(super) left_out: u64,
}

impl Seamless {
    /// What comes next goes on from nothing.
    pub(super) fn restart(&mut self) {
        self.end = None;
    }

    /// Gives the frame its place, and `give` what is to be played: the silence before it and the frame, or nothing.
    pub(super) fn take(&mut self, sound: Sound, mut frame: LineFrame, mut give: impl FnMut(LineFrame)) {
        let length = match sound.ticks(&frame.data) {
            Some(length) => length,
            None => {
                let Some((length, data)) = sound.silence(USUAL) else { return };
                frame.data = data;
                length
            }
        };
        let mut end = self.end.filter(|end| frame.ticks - end <= HOLE_MAX).unwrap_or(frame.ticks);
        let hole = frame.ticks - end;
        if hole < -BEHIND_MAX {
            give(frame);
            return;
        }
        if hole < -length / 2 {
            self.left_out += 1;
            return;
        }
        if hole > length / 2 {
            while let Some((ticks, data)) = sound.silence(frame.ticks - end) {
                give(LineFrame { ticks: end, data, ..frame.clone() });
                end += ticks;
            }
        }
        give(LineFrame { ticks: end, ..frame });
        self.end = Some(end + length);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hls_fallback::format::Format;
    use crate::hls_fallback::test_support::{epoch, ffmpeg};

    const OPUS: &[u8] = &[0xfc, b'o', b'w', b'n'];
    const OPUS_TICKS: i64 = 960;

    fn frame(ticks: i64, data: &'static [u8]) -> LineFrame {
        LineFrame { ticks, key: true, data: Bytes::from_static(data), format: Some(Arc::new(Format::Opus)), received: epoch() }
    }

    /// Where what comes out begins, how long it is, and whether it is one of the frames; it never has a hole.
    fn played(sound: Sound, frames: impl IntoIterator<Item = LineFrame>) -> Vec<(i64, i64, bool)> {
        let (mut seamless, mut out) = (Seamless::default(), Vec::new());
        for frame in frames {
            let own = frame.data.clone();
            seamless.take(sound, frame, |given| {
                let length = sound.ticks(&given.data).expect("all of it can be played");
                out.push((given.ticks, length, given.data == own));
            });
        }
        out
    }

    fn assert_seamless(out: &[(i64, i64, bool)]) {
        for pair in out.windows(2) {
            assert_eq!(pair[0].0 + pair[0].1, pair[1].0, "{out:?}");
        }
    }

    #[test]
    fn frames_that_follow_each_other_are_left_as_they_are() {
        for (sound, length) in [(Sound::Opus, OPUS_TICKS), (Sound::Aac, AAC_TICKS)] {
            let out = played(sound, (0..50).map(|index| frame(77 + index * length, OPUS)));
            assert_eq!(out, (0..50).map(|index| (77 + index * length, length, true)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn silence_stands_for_packets_that_never_came_and_for_packets_without_sound() {
        let lost = played(Sound::Opus, (0..20).filter(|index| !(5..8).contains(index)).map(|index| frame(index * OPUS_TICKS, OPUS)));
        let silent =
            played(Sound::Opus, (0..20).map(|index| frame(index * OPUS_TICKS, if (5..8).contains(&index) { &[0xf8] } else { OPUS })));
        let expected: Vec<_> = (0..20).map(|index| (index * OPUS_TICKS, OPUS_TICKS, !(5..8).contains(&index))).collect();
        assert_eq!(lost, expected);
        assert_eq!(silent, expected);
        let aac = played(Sound::Aac, (0..20).filter(|index| index % 7 != 3).map(|index| frame(index * AAC_TICKS, OPUS)));
        assert_eq!(aac, (0..20).map(|index| (index * AAC_TICKS, AAC_TICKS, index % 7 != 3)).collect::<Vec<_>>());
    }

    #[test]
    fn a_clock_that_was_put_right_moves_sound_to_its_place_within_half_a_frame() {
        for (sound, length) in [(Sound::Opus, OPUS_TICKS), (Sound::Aac, AAC_TICKS)] {
            for jump_ms in [-90, -25, -9, 9, 25, 97, 416, 9_000] {
                let jump = jump_ms * PER_MS;
                let place = |index: i64| index * length + if index < 10 { 0 } else { jump };
                let out = played(sound, (0..40).map(|index| frame(place(index), OPUS)));
                assert_seamless(&out);
                let own: Vec<_> = out.iter().filter(|(_, _, is_own)| *is_own).collect();
                let off = place(39) - own.last().expect("most are played").0;
                assert!(off.abs() <= length / 2, "{sound:?}, {jump_ms} ms: {off} ticks off");
                assert!(own.len() as i64 >= 39 - jump.min(0).abs() / length - 1, "{sound:?}, {jump_ms} ms: {} are played", own.len());
            }
        }
    }

    #[test]
    fn clocks_that_drift_are_followed_for_hours() {
        // A thousandth; an hour.
        for drift in [-1, 1] {
            let place = |index: i64| index * OPUS_TICKS + index * drift;
            let out = played(Sound::Opus, (0..180_000).map(|index| frame(place(index), OPUS)));
            assert_seamless(&out);
            let (last, _, _) = out.last().expect("it is played");
            assert!((place(179_999) - last).abs() <= OPUS_TICKS, "{drift}: {last}");
        }
    }

    #[test]
    fn sound_that_lies_far_behind_is_handed_on_so_that_the_line_begins_anew() {
        let places = (0..200).map(|index| index * OPUS_TICKS + if index < 100 { 5 * HOLE_MAX } else { 0 });
        let out = played(Sound::Opus, places.clone().map(|ticks| frame(ticks, OPUS)));
        assert_eq!(out, places.map(|ticks| (ticks, OPUS_TICKS, true)).collect::<Vec<_>>());
    }

    #[test]
    fn where_sound_was_away_for_long_it_begins_anew() {
        let pause = HOLE_MAX + 1;
        let places = [0, OPUS_TICKS, OPUS_TICKS * 2 + pause, OPUS_TICKS * 3 + pause];
        let out = played(Sound::Opus, places.map(|ticks| frame(ticks, OPUS)));
        assert_eq!(out, places.map(|ticks| (ticks, OPUS_TICKS, true)));
    }

    #[test]
    fn silence_is_silent() {
        let header = |len: usize| [0xff, 0xf1, 0x4c, 0x80, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc];
        let adts: Vec<u8> = (0..5).flat_map(|_| [&header(AAC_SILENCE.len() + 7)[..], &AAC_SILENCE].concat()).collect();
        let made = ffmpeg(&["-f", "aac", "-i", "pipe:0", "-f", "f32le", "pipe:1"], Some(&adts));
        let samples: Vec<f32> = made.stdout.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(samples.len(), 5 * 2 * AAC_TICKS as usize);
        assert!(samples.iter().all(|sample| *sample == 0.0));
    }
}
