//! Who speaks, from the levels that clients measure and send with each packet of sound (RFC 6464). Nothing is decoded.
//!
//! A level is believed as it comes: a client that lies about it can only be louder than it is.

use std::time::Instant;

use crate::limits;
use crate::sfu::rtp::extensions::AudioLevel;

/// Silence, in decibels below the loudest there is (RFC 6464 section 3).
const SILENT_DBOV: f32 = 127.0;
/// Speech begins when it is louder than the first, and ends when it is no more than the second: between them lie breath and rooms.
const SPEAKS_ABOVE_DBOV: f32 = 45.0;
const SILENT_BELOW_DBOV: f32 = 55.0;
/// Share of a new level that counts when it is louder than the mean so far, and when it is quieter: syllables are caught, gaps between
/// them are not.
const ATTACK: f32 = 0.4;
const RELEASE: f32 = 0.1;

/// The voice of one track.
#[derive(Debug)]
pub struct VoiceMeter {
    mean_dbov: f32,
    speaking: bool,
    /// When it was last loud enough to be speech.
    loud_at: Option<Instant>,
}

impl Default for VoiceMeter {
    fn default() -> Self {
        Self { mean_dbov: SILENT_DBOV, speaking: false, loud_at: None }
    }
}

impl VoiceMeter {
    /// A packet's level.
    pub fn observe(&mut self, now: Instant, level: AudioLevel) {
        let level = f32::from(level.level_dbov);
        let share = if level < self.mean_dbov { ATTACK } else { RELEASE };
        self.mean_dbov += (level - self.mean_dbov) * share;
        let enough = if self.speaking { SILENT_BELOW_DBOV } else { SPEAKS_ABOVE_DBOV };
        if self.mean_dbov < enough {
            self.loud_at = Some(now);
        }
    }

    /// Brings the state up to date: packets may have ceased. Returns it when it changed.
    pub fn poll(&mut self, now: Instant) -> Option<bool> {
        let speaking = self.loud_at.is_some_and(|at| now.saturating_duration_since(at) < limits::VOICE_KEPT);
        if !speaking {
            self.loud_at = None;
        }
        (std::mem::replace(&mut self.speaking, speaking) != speaking).then_some(speaking)
    }

    /// As of the last [`Self::poll`].
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// The smoothed level, decibels below the loudest there is: 0 is loudest, 127 silence.
    pub fn level_dbov(&self) -> u8 {
        self.mean_dbov.round() as u8
    }
}

/// Whom to show of several who may speak: the loudest, but not another one with each word.
#[derive(Debug, Default)]
pub struct ActiveSpeaker<K> {
    current: Option<K>,
    /// Who has been louder, and since when without a break.
    challenger: Option<(K, Instant)>,
}

impl<K: Copy + Eq> ActiveSpeaker<K> {
    /// The active speaker now. One who falls silent stays until another speaks; one who is interrupted gives way when the other has been
    /// louder for `limits::SPEAKER_KEPT`; one who is gone gives way at once.
    pub fn choose<'a>(&mut self, now: Instant, voices: impl Iterator<Item = (K, &'a VoiceMeter)> + Clone) -> Option<K> {
        let voice = |key: K| voices.clone().find(|(other, _)| *other == key).map(|(_, voice)| voice);
        let loudest = voices.clone().filter(|(_, voice)| voice.is_speaking()).min_by_key(|(_, voice)| voice.level_dbov());
        let present = self.current.and_then(|key| Some((key, voice(key)?)));
        self.current = match (present, loudest) {
            (Some((current, _)), None) => {
                self.challenger = None;
                Some(current)
            }
            (None, loudest) => {
                self.challenger = None;
                loudest.map(|(key, _)| key)
            }
            (Some((current, _)), Some((key, _))) if key == current => {
                self.challenger = None;
                Some(current)
            }
            (Some((_, voice)), Some((key, _))) if !voice.is_speaking() => {
                self.challenger = None;
                Some(key)
            }
            (Some((current, _)), Some((key, _))) => {
                let since = self.challenger.filter(|(challenger, _)| *challenger == key).map_or(now, |(_, since)| since);
                if now.saturating_duration_since(since) >= limits::SPEAKER_KEPT {
                    self.challenger = None;
                    Some(key)
                } else {
                    self.challenger = Some((key, since));
                    Some(current)
                }
            }
        };
        self.current
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Duration;

    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// So many packets of this level; returns what changed, and when.
    fn hear(meter: &mut VoiceMeter, now: &mut Instant, packets: usize, level_dbov: u8) -> Vec<(usize, bool)> {
        let mut changes = Vec::new();
        for packet in 0..packets {
            *now += PACKET;
            meter.observe(*now, AudioLevel { voice: false, level_dbov });
            changes.extend(meter.poll(*now).map(|speaking| (packet, speaking)));
        }
        changes
    }

    #[test]
    fn speech_is_noticed_within_a_syllable_and_outlasts_its_gaps() {
        let (mut meter, mut now) = (VoiceMeter::default(), Instant::now());
        assert_eq!(hear(&mut meter, &mut now, 50, 70), []);
        let began = hear(&mut meter, &mut now, 20, 25);
        assert!(matches!(began[..], [(packet, true)] if packet < 5), "{began:?}");
        for _ in 0..10 {
            assert_eq!(hear(&mut meter, &mut now, 15, 80), [], "a gap of 0.3 s");
            assert_eq!(hear(&mut meter, &mut now, 10, 30), []);
        }
        let ended = hear(&mut meter, &mut now, 100, 80);
        assert!(matches!(ended[..], [(packet, false)] if (25..60).contains(&packet)), "{ended:?}");
    }

    #[test]
    fn one_click_is_no_speech_and_a_noisy_room_neither() {
        let (mut meter, mut now) = (VoiceMeter::default(), Instant::now());
        hear(&mut meter, &mut now, 50, 70);
        assert_eq!(hear(&mut meter, &mut now, 1, 20), []);
        assert_eq!(hear(&mut meter, &mut now, 500, 50), []);
    }

    #[test]
    fn who_sends_nothing_any_more_is_silent() {
        let (mut meter, mut now) = (VoiceMeter::default(), Instant::now());
        hear(&mut meter, &mut now, 20, 25);
        assert_eq!(meter.poll(now + limits::VOICE_KEPT - PACKET), None);
        assert_eq!(meter.poll(now + limits::VOICE_KEPT), Some(false));
        assert_eq!(meter.poll(now + limits::VOICE_KEPT * 2), None);
    }

    #[test]
    fn the_loudest_is_shown_and_nobody_for_a_word_only() {
        let start = Instant::now();
        let mut voices = [(1, VoiceMeter::default()), (2, VoiceMeter::default())];
        let mut speaker = ActiveSpeaker::default();
        let mut shown = Vec::new();
        // Seconds, and how loud each is then.
        let script = [(1, 90, 90), (2, 30, 90), (2, 90, 90), (2, 90, 40), (1, 30, 40), (2, 30, 80)];
        let (mut now, mut end) = (start, start);
        for (seconds, one, two) in script {
            end += Duration::from_secs(seconds);
            while now < end {
                now += PACKET;
                for ((_, voice), level_dbov) in voices.iter_mut().zip([one, two]) {
                    voice.observe(now, AudioLevel { voice: true, level_dbov });
                    voice.poll(now);
                }
                let chosen = speaker.choose(now, voices.iter().map(|(key, voice)| (*key, voice)));
                if shown.last() != Some(&chosen) {
                    shown.push(chosen);
                }
            }
        }
        // Nobody; the first; still she, while nobody speaks; the second; and the first again, who is louder for long enough.
        assert_eq!(shown, [None, Some(1), Some(2), Some(1)]);
        let gone = speaker.choose(now, voices[1..].iter().map(|(key, voice)| (*key, voice)));
        assert_eq!(gone, None, "who left is not shown, and the other is silent");
    }
}
