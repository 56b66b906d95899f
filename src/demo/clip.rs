//! The recording in memory, cut into RTP payloads once, so that sending a frame is a handful of reference counts.
//! Invariant: every layer has [`FRAMES`] frames with key frames at the same numbers, and the sound has [`AUDIO_PACKETS`] packets.

use anyhow::{Context, ensure};
use bytes::Bytes;

use super::choreography::FRAMES;
use super::encode::{KEY_FRAME_EVERY, LAYERS, Recording};
use super::schedule::AUDIO_PACKETS;
use crate::elementary::{annexb, ogg};
use crate::limits::DEMO_PAYLOAD_MAX;

/// The RTP payloads of one frame.
pub(super) type Frame = Vec<Bytes>;

/// All that is sent, ready for sending.
pub(super) struct Clip {
    /// Per layer of [`LAYERS`], per frame.
    pub(super) video: Vec<Vec<Frame>>,
    pub(super) audio: Vec<Bytes>,
    /// A JPEG.
    pub(super) poster: Bytes,
}

impl Clip {
    /// Reads a complete recording, about 20 MB.
    pub(super) fn read(recording: &Recording) -> anyhow::Result<Self> {
        let mut video = Vec::new();
        for layer in &LAYERS {
            let path = recording.video(layer);
            let stream = Bytes::from(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
            let units = annexb::access_units(&stream);
            ensure!(units.len() == FRAMES, "{} has {} frames instead of {FRAMES}", path.display(), units.len());
            let in_step = units.iter().enumerate().all(|(frame, unit)| unit.is_key() == (frame % KEY_FRAME_EVERY == 0));
            ensure!(in_step, "{} has key frames in unexpected places", path.display());
            video.push(units.iter().map(|unit| annexb::payloads(unit, DEMO_PAYLOAD_MAX)).collect());
        }
        let path = recording.audio();
        let file = Bytes::from(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        let mut audio = ogg::packets(&file).with_context(|| format!("{} is not a sound file of ours", path.display()))?;
        ensure!(audio.len() >= 2 * AUDIO_PACKETS, "{} is too short", path.display());
        // The second round: its beginning was encoded after its end.
        audio = audio[AUDIO_PACKETS..2 * AUDIO_PACKETS].to_vec();
        let poster = Bytes::from(std::fs::read(recording.poster()).context("cannot read the poster")?);
        Ok(Self { video, audio, poster })
    }
}
