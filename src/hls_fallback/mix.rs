//! The child that mixes a guest's voice into the main sound: two streams of Opus in, their sum out as AAC and as Opus.
//!
//! Both are on one line, and `aresample` keeps each true to it: clocks that drift are met by a little speed, holes by silence. So what comes out is
//! counted: frame after frame from where the main sound began, the first of which is what its encoder puts before the sound.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::process::ChildStdout;
use tokio::sync::mpsc;

use super::child::{self, End};
use super::fmp4::reader::{Piece, Reader};
use super::format::Format;
use super::opus;
use super::seamless::AAC_TICKS;
use super::track::LineFrame;
use crate::limits::{HLS_AAC_BPS, HLS_MIX_OPUS_BPS};

/// The metrics' name of these children.
pub(super) const LABEL: &str = "mix";
/// What comes out, in the order of the file.
pub(super) const SOUNDS: usize = 2;
/// Samples of a frame of each.
pub(super) const FRAMES: [i64; SOUNDS] = [AAC_TICKS, opus::USUAL];
/// Samples by which the encoder of Opus is behind what it is given (libopus looks ahead so far); those of AAC it is a frame.
const OPUS_BEHIND: u32 = 312;
/// The sum of two may be louder than full scale (1): it is held below it by what encoders may add, a decibel.
const LOUDEST: f64 = 0.89;

/// See the file's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mix {
    /// Samples that are left out of AAC, so that its frames begin where those do that it takes the place of.
    pub(super) aac_skips: u32,
}

impl Mix {
    /// Arguments behind both inputs.
    pub(super) fn arguments(self) -> Vec<String> {
        // Four samples of a thousand faster or slower at most; a hole longer than 15 ms is one. It resamples from the beginning (`res`): where it must begin
        // to in the middle, it puts a second and more of silence there.
        let true_to_line = "aresample=async=200:min_hard_comp=0.015:first_pts=0:flags=res";
        let alike = "aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=stereo";
        let graph = format!(
            "[0:a]{true_to_line},{alike}[main];[1:a]{true_to_line},{alike}[guest];\
             [main][guest]amix=inputs=2:duration=first:dropout_transition=0:normalize=0,alimiter=limit={LOUDEST}:level=0:latency=1,\
             asplit[a][o];[a]atrim=start_sample={},asetpts=PTS-STARTPTS[aac];[o]atrim=start_sample={OPUS_BEHIND},asetpts=PTS-STARTPTS[opus]",
            self.aac_skips
        );
        let (aac_bps, opus_bps) = (HLS_AAC_BPS.to_string(), HLS_MIX_OPUS_BPS.to_string());
        let sounds = ["-filter_complex", &graph, "-map", "[aac]", "-map", "[opus]"];
        let encoders = ["-c:a:0", "aac", "-b:a:0", &aac_bps, "-c:a:1", "libopus", "-b:a:1", &opus_bps];
        let file = ["-f", "mp4", "-movflags", "empty_moov+default_base_moof+frag_every_frame+skip_trailer", "-flush_packets", "1"];
        [&sounds[..], &encoders, &file].concat().into_iter().map(str::to_owned).collect()
    }

    /// Where frame `index` of a sound begins, from where the main sound does.
    const fn ticks(self, sound: usize, index: i64) -> i64 {
        let skipped = if sound == 0 { self.aac_skips as i64 - FRAMES[0] } else { 0 };
        skipped + index * FRAMES[sound]
    }

    /// Reads what it makes of a main sound that begins at `base_ticks`.
    pub(super) async fn read<T>(
        self,
        mut output: ChildStdout,
        base_ticks: i64,
        out: &mpsc::Sender<T>,
        made: impl Fn(usize, LineFrame) -> T,
    ) -> End {
        let (mut reader, mut bytes) = (Reader::default(), BytesMut::with_capacity(16 * 1024));
        let (mut formats, mut counts) = (Vec::new(), [0; SOUNDS]);
        loop {
            if let Err(end) = child::read_more(&mut output, &mut bytes).await {
                return end;
            }
            let Ok(pieces) = reader.read(&mut bytes) else { return End::Malformed };
            for piece in pieces {
                let frame = match piece {
                    Piece::Tracks(tracks) if tracks == [Format::Aac, Format::Opus] => {
                        formats = tracks.into_iter().map(Arc::new).collect();
                        continue;
                    }
                    Piece::Tracks(_) => return End::Malformed,
                    Piece::Frame(frame) => frame,
                };
                let Some(format) = formats.get(frame.track) else { return End::Malformed };
                let ticks = base_ticks + self.ticks(frame.track, counts[frame.track]);
                counts[frame.track] += 1;
                let sound = LineFrame { ticks, key: true, data: frame.data, format: Some(Arc::clone(format)), received: child::now() };
                if ticks >= base_ticks && out.send(made(frame.track, sound)).await.is_err() {
                    return End::Unwanted;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "mix_tests.rs"]
mod tests;
