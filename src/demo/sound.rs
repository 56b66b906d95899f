//! The sound of the match: a crowd that murmurs and swells with the play, and a short tone each five seconds that begins exactly
//! with a frame, so that lip synchronism can be measured. Not music. Invariant: the sound is periodic over the loop.

use std::f32::consts::TAU;

use super::arena::Dice;
use super::choreography::{FRAME_RATE, FRAMES};

/// Samples per second and channel.
pub(super) const SAMPLE_RATE: usize = 48_000;
/// Frames between two tones; one begins with frame 0. 1 kHz for 80 ms.
pub const TONE_EVERY_FRAMES: usize = 5 * FRAME_RATE;

const SAMPLES: usize = FRAMES / FRAME_RATE * SAMPLE_RATE;
const TONE_S: f32 = 0.08;

/// One loop of sound, stereo, interleaved, 16 bits. `mood` gives the crowd's excitement, 0 to 1, for a frame.
pub(super) fn one_loop(mood: impl Fn(usize) -> f32) -> Vec<i16> {
    let per_frame = SAMPLE_RATE / FRAME_RATE;
    let moods: Vec<f32> = (0..FRAMES).map(mood).collect();
    let channels: [Vec<f32>; 2] = [channel(&moods, 11), channel(&moods, 23)];
    let mut out = Vec::with_capacity(SAMPLES * 2);
    for at in 0..SAMPLES {
        let since_tone = at % (TONE_EVERY_FRAMES * per_frame);
        let t = since_tone as f32 / SAMPLE_RATE as f32;
        let tone = if t < TONE_S { 0.10 * (TAU * 1000.0 * t).sin() * (t / 0.004).min(1.0) * ((TONE_S - t) / 0.01).min(1.0) } else { 0.0 };
        for channel in &channels {
            out.push(((channel[at] + tone).clamp(-0.98, 0.98) * 32767.0) as i16);
        }
    }
    out
}

/// Noise through two resonances, a low one for the mass and a higher one for the voices of an excited crowd.
fn channel(moods: &[f32], seed: u32) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let noise: Vec<f32> = (0..SAMPLES).map(|_| dice.roll() * 2.0 - 1.0).collect();
    let (mut low, mut mid, mut high) = (Resonance::new(240.0, 0.7), Resonance::new(620.0, 1.1), Resonance::new(1450.0, 1.6));
    let mut out = vec![0.0; SAMPLES];
    // The second time around the filters' memories hold the loop's end, so its beginning follows without a click.
    for round in 0..2 {
        for (at, &sample) in noise.iter().enumerate() {
            let parts = [low.pass(sample), mid.pass(sample), high.pass(sample)];
            if round == 0 {
                continue;
            }
            let place = at as f32 / SAMPLES as f32;
            let position = place * FRAMES as f32;
            let (frame, share) = (position as usize, position.fract());
            let mood = moods[frame % FRAMES] * (1.0 - share) + moods[(frame + 1) % FRAMES] * share;
            // Waves of voices: whole cycles per loop.
            let breath = 1.0 + 0.16 * (TAU * place * 17.0 + seed as f32).sin() + 0.10 * (TAU * place * 41.0 + 1.7 * seed as f32).sin();
            let loudness = (0.10 + 0.55 * mood.powf(1.4)) * breath;
            out[at] = loudness * (parts[0] * 0.9 + parts[1] * (0.8 + mood) + parts[2] * (0.12 + 1.1 * mood));
        }
    }
    out
}

/// A state-variable band-pass filter.
struct Resonance {
    step: f32,
    damping: f32,
    low: f32,
    band: f32,
}

impl Resonance {
    fn new(frequency_hz: f32, quality: f32) -> Self {
        Self { step: 2.0 * (std::f32::consts::PI * frequency_hz / SAMPLE_RATE as f32).sin(), damping: 1.0 / quality, low: 0.0, band: 0.0 }
    }

    fn pass(&mut self, input: f32) -> f32 {
        self.low += self.step * self.band;
        let high = input - self.low - self.damping * self.band;
        self.band += self.step * high;
        self.band
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crowd_is_louder_at_the_save_and_the_loop_does_not_click() {
        let loud_at = 1140;
        let sound = one_loop(|frame| if frame.abs_diff(loud_at) < 30 { 1.0 } else { 0.1 });
        assert_eq!(sound.len(), SAMPLES * 2);
        let power = |frame: usize| {
            let from = (frame * SAMPLE_RATE / FRAME_RATE + 8000) * 2;
            sound[from..from + 20_000].iter().map(|&s| f64::from(s).powi(2)).sum::<f64>()
        };
        assert!(power(1130) > 4.0 * power(300));
        let step = |at: usize| i32::from(sound[at % sound.len()]).abs_diff(i32::from(sound[(at + 2) % sound.len()]));
        let usual = (0..20_000).map(|i| step(600_000 + 2 * i)).max().expect("samples");
        assert!(step(sound.len() - 2) < 2 * usual + 200);
    }
}
