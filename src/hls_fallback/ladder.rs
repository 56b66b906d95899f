//! The ladder of a picture that has none: VP8, which no player takes in MP4, and a source of one layer. A child decodes it and makes H.264 in several
//! sizes, with its key frames where the source has its own, so that segments are cut at the same moments in all of them.
//!
//! [`Choice`] (pure) says which stream needs it; [`Rungs`] is the recipe of the child.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::process::ChildStdout;
use tokio::sync::mpsc;

use super::child::{self, End, Fed, Recipe};
use super::fmp4::reader::{Piece, ReadFrame, Reader};
use super::format::Format;
use super::track::LineFrame;
use crate::limits::{HLS_LADDER_HEIGHT_MAX, HLS_LADDER_LONE, HLS_LADDER_RUNG_MIN, HLS_LADDER_RUNGS_MAX};

/// One size of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    pub(super) width: u16,
    pub(super) height: u16,
    bit_rate: u32,
}

impl Rung {
    pub(super) fn of(width: u16, height: u16) -> Self {
        Self { width, height, bit_rate: bit_rate(width, height) }
    }
}

/// The sizes to make of a picture, smallest first. What players can take as it is need not be made again.
pub(super) fn rungs(format: &Format) -> Vec<Rung> {
    let Some((width, height)) = format.size().filter(|(width, height)| *width > 0 && *height > 0) else { return Vec::new() };
    let mut rungs = Vec::new();
    let mut divisor = if is_playable(format) { 2 } else { 1 };
    while u32::from(height) / divisor > u32::from(HLS_LADDER_HEIGHT_MAX) {
        divisor *= 2;
    }
    while rungs.len() < HLS_LADDER_RUNGS_MAX {
        // Even, as 4:2:0 wants it.
        let even = |size: u16| (u32::from(size) / divisor / 2 * 2) as u16;
        let (width, height) = (even(width), even(height));
        if height < HLS_LADDER_RUNG_MIN && !rungs.is_empty() || width < 2 || height < 2 {
            break;
        }
        if height < HLS_LADDER_RUNG_MIN && is_playable(format) {
            break;
        }
        rungs.push(Rung::of(width, height));
        divisor *= 2;
    }
    rungs.reverse();
    rungs
}

/// Sport at 30 pictures a second wants about this of H.264: 2.8 Mbit/s at 720 lines, 1 at 360, 0.35 at 180.
fn bit_rate(width: u16, height: u16) -> u32 {
    const BITS_OF_720: f64 = 2_800_000.0;
    const PIXELS_OF_720: f64 = 1280.0 * 720.0;
    (BITS_OF_720 * (f64::from(width) * f64::from(height) / PIXELS_OF_720).powf(0.75)) as u32
}

/// Whether players take it in MP4.
pub(super) const fn is_playable(format: &Format) -> bool {
    !matches!(format, Format::Vp8 { .. })
}

/// Which stream of the picture is made a ladder of.
#[derive(Debug, Default)]
pub(super) struct Choice {
    streams: Vec<Seen>,
    source: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    stream: usize,
    since: Instant,
    last: Instant,
    pixels: u32,
    is_playable: bool,
    /// There is something to make of it.
    has_rungs: bool,
}

impl Seen {
    /// A stream that was silent for this long is gone, or rests.
    const SILENT: Duration = Duration::from_secs(3);

    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= Self::SILENT
    }
}

impl Choice {
    /// A frame of a stream of the picture; `format` of key frames. Returns whether it goes into the ladder.
    pub(super) fn takes(&mut self, now: Instant, stream: usize, format: Option<&Format>) -> bool {
        let found = self.streams.iter().position(|seen| seen.stream == stream);
        let seen = match found {
            Some(place) => &mut self.streams[place],
            None => {
                self.streams.push(Seen { stream, since: now, last: now, pixels: 0, is_playable: true, has_rungs: false });
                self.streams.last_mut().expect("just pushed")
            }
        };
        if seen.is_silent(now) {
            seen.since = now;
        }
        seen.last = now;
        if let Some(format) = format {
            seen.pixels = format.size().map_or(0, |(width, height)| u32::from(width) * u32::from(height));
            seen.is_playable = is_playable(format);
            seen.has_rungs = !rungs(format).is_empty();
            self.choose(now);
        }
        self.source == Some(stream)
    }

    /// The source began anew.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Changes come with key frames only: a child begins and ends with one.
    fn choose(&mut self, now: Instant) {
        let (heard, silent): (Vec<&Seen>, Vec<&Seen>) = self.streams.iter().partition(|seen| !seen.is_silent(now));
        let largest = heard.iter().max_by_key(|seen| seen.pixels).filter(|largest| largest.has_rungs);
        // Simulcast whose larger layers nobody wants just now is no lone layer.
        let is_lone = |one: &Seen| heard.len() == 1 && silent.iter().all(|other| other.pixels < one.pixels);
        self.source = match largest {
            Some(largest) if !largest.is_playable => Some(largest.stream),
            // Simulcast layers do not all begin at once.
            Some(lone) if is_lone(lone) && now.saturating_duration_since(lone.since) >= HLS_LADDER_LONE => Some(lone.stream),
            Some(_) | None => None,
        };
    }
}

/// The recipe of the child.
#[derive(Debug)]
pub(super) struct Rungs;

impl Recipe for Rungs {
    /// The place of the rung, smallest first, and a frame of it.
    type Made = (usize, LineFrame);

    const LABEL: &'static str = "picture";
    const MISSED: &'static str = "players have the source's own layer alone, or no picture where they cannot take it";

    fn arguments(&self, first: &Fed) -> (Vec<String>, Vec<String>) {
        let rungs = first.frame.format.as_deref().map(rungs).unwrap_or_default();
        (AS_IT_COMES.map(str::to_owned).to_vec(), encoding("[0:v]", &rungs))
    }

    async fn read(&self, output: ChildStdout, first: Fed, out: &mpsc::Sender<(u32, Self::Made)>) -> End {
        read_sizes(output, first.frame.ticks, out, |rung, frame| (first.line, (rung, frame))).await
    }
}

/// Reads what a child makes of a picture whose first frame lies at `base_ticks`.
pub(super) async fn read_sizes<T>(
    mut output: ChildStdout,
    base_ticks: i64,
    out: &mpsc::Sender<T>,
    made: impl Fn(usize, LineFrame) -> T,
) -> End {
    let (mut reader, mut formats) = (Reader::default(), Vec::new());
    let mut bytes = BytesMut::with_capacity(256 * 1024);
    loop {
        if let Err(end) = child::read_more(&mut output, &mut bytes).await {
            return end;
        }
        let Ok(pieces) = reader.read(&mut bytes) else { return End::Malformed };
        for piece in pieces {
            match piece {
                Piece::Tracks(tracks) => formats = tracks.into_iter().map(Arc::new).collect(),
                Piece::Frame(ReadFrame { track, ticks, data }) => {
                    let Some(format) = formats.get(track) else { return End::Malformed };
                    let key = is_key(&data);
                    let format = key.then(|| Arc::clone(format));
                    let frame = LineFrame { ticks: base_ticks + ticks, key, data, format, received: child::now() };
                    if out.send(made(track, frame)).await.is_err() {
                        return End::Unwanted;
                    }
                }
            }
        }
    }
}

/// So that it reads what comes as it comes. Not "nobuffer": that forgets the frames by which the input is known.
pub(super) const AS_IT_COMES: [&str; 6] = ["-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0"];

/// Arguments that make H.264 of every size of what comes out of the graph `source`.
pub(super) fn encoding(source: &str, rungs: &[Rung]) -> Vec<String> {
    let names = (0..rungs.len()).map(|index| format!("[s{index}]")).collect::<String>();
    let scales = rungs.iter().enumerate().map(|(index, rung)| {
        let Rung { width, height, .. } = rung;
        format!(";[s{index}]scale={width}:{height}:flags=bilinear,format=yuv420p[r{index}]")
    });
    let graph = format!("{source}split={}{names}{}", rungs.len(), scales.collect::<String>());
    let mut after: Vec<String> = vec!["-filter_complex".into(), graph];
    for index in 0..rungs.len() {
        after.extend(["-map".into(), format!("[r{index}]")]);
    }
    for (index, rung) in rungs.iter().enumerate() {
        let Rung { bit_rate, .. } = rung;
        after.extend([format!("-b:v:{index}"), bit_rate.to_string(), format!("-maxrate:v:{index}"), bit_rate.to_string()]);
        after.extend([format!("-bufsize:v:{index}"), bit_rate.to_string()]);
    }
    // Timestamps pass through as they are: frame by frame what came in comes out.
    let times = ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-video_track_timescale", "90000"];
    let x264 = ["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "main"];
    let keys = ["-bf", "0", "-g", "600", "-sc_threshold", "0", "-force_key_frames", "source"];
    let flags = "empty_moov+default_base_moof+frag_every_frame+skip_trailer";
    let file = ["-f", "mp4", "-movflags", flags, "-flush_packets", "1"];
    after.extend([&times[..], &x264, &keys, &file].concat().into_iter().map(str::to_owned));
    after
}

/// Whether a picture of H.264 (NAL units behind their lengths) is one to begin with: an IDR picture, NAL unit type 5.
fn is_key(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        match behind.first() {
            Some(header) if header & 0x1f == 5 => return true,
            Some(_) if length <= behind.len() => rest = &behind[length..],
            Some(_) | None => return false,
        }
    }
    false
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
