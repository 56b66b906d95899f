//! What a person sees of what a decoder has: frames held back by a jitter buffer so that they come evenly, as browsers do. A frame that is
//! later than the buffer freezes the picture and makes the buffer larger; afterwards it shrinks slowly.

use std::time::{Duration, Instant};

use super::decoder::Decoded;

/// The buffer shrinks by this share of the time that passes.
const SHRINKS: f64 = 0.005;
/// The layer's own frames may come this much apart without anybody calling it a freeze.
const EVEN: Duration = Duration::from_millis(5);

/// How a stretch of playback looked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Looks {
    pub frames: usize,
    /// The longest time by which a frame stayed on the screen longer than it was meant to.
    pub longest_freeze: Duration,
    /// Of all freezes.
    pub frozen: Duration,
    pub freezes: usize,
    /// The largest that the buffer was: the lateness it had to hide.
    pub buffer_max: Duration,
}

/// Plays the frames that came to the decoder from `begin` on, and tells of those from `counted` on: until then the buffer finds its size.
pub(crate) fn watch(frames: &[Decoded], begin: Instant, counted: Instant) -> Looks {
    let mut looks = Looks { frames: 0, longest_freeze: Duration::ZERO, frozen: Duration::ZERO, freezes: 0, buffer_max: Duration::ZERO };
    let frames: Vec<&Decoded> = frames.iter().filter(|frame| frame.at >= begin).collect();
    let Some(first) = frames.first() else { return looks };
    let since_ms = |at: Instant| (at - first.at).as_secs_f64() * 1000.0;
    // How late a frame is against the earliest of them: what the buffer must hide.
    let lateness = |frame: &Decoded| since_ms(frame.at) - (frame.captured_unix_ms - first.captured_unix_ms);
    let floor = frames.iter().map(|frame| lateness(frame)).fold(f64::INFINITY, f64::min);
    let (mut buffer_ms, mut last) = (0.0_f64, None::<(f64, f64)>);
    for frame in &frames {
        let late = lateness(frame) - floor;
        let meant = frame.captured_unix_ms - first.captured_unix_ms;
        let shown = meant + late.max(buffer_ms);
        if let Some((last_meant, last_shown)) = last {
            let freeze = Duration::from_secs_f64(((shown - last_shown) - (meant - last_meant)).max(0.0) / 1000.0);
            if freeze > EVEN && frame.at >= counted {
                looks.freezes += 1;
                looks.frozen += freeze;
                looks.longest_freeze = looks.longest_freeze.max(freeze);
            }
            buffer_ms = (buffer_ms - (meant - last_meant) * SHRINKS).max(0.0);
        }
        buffer_ms = buffer_ms.max(late);
        looks.buffer_max = looks.buffer_max.max(Duration::from_secs_f64(buffer_ms / 1000.0));
        looks.frames += usize::from(frame.at >= counted);
        last = Some((meant, shown));
    }
    looks
}
