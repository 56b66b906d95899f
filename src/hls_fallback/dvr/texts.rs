//! A recording as text: multivariant and media playlists, and the list of preview pictures. Pure.
//!
//! While a broadcast goes on its playlists slide: they reach back through the window, name whole segments alone and have delta updates. Once it
//! has ended they are `VOD` and never change again.

use std::fmt::Write as _;

use super::record::{Init, Kind};
use super::timeline::{Listed, Rendition, SPRITES, Timeline, init_file, segment_file};
use crate::hls_fallback::markers::{self, Marked};
use crate::hls_fallback::playlist::{BANDWIDTH_MARGIN, NO_CAPTIONS, date_time};
use crate::limits::{HLS_SKIP_UNTIL_S, HLS_TARGET_DURATION_S, THUMBS_EVERY_MS, THUMBS_GRID};

/// Moments that are closer than this are the same, ms.
const SAME_MS: f64 = 1.0;

/// The name of every playlist of a recording.
pub(super) const FILE: &str = "dvr.m3u8";

/// The multivariant playlist of what is there from slot `from` on; `None` while there is nothing.
pub(super) fn master(timeline: &Timeline, from: u64) -> Option<String> {
    let of_kind = |kind: Kind| {
        let mut found: Vec<Shown<'_>> =
            timeline.renditions().iter().filter(|one| one.kind == kind).filter_map(|one| Shown::new(timeline, one, from)).collect();
        found.sort_by_key(Shown::rank);
        found
    };
    let (pictures, sound) = (of_kind(Kind::Video), of_kind(Kind::Audio));
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    for one in &sound {
        let name = &one.rendition.name;
        let _ = writeln!(
            out,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{name}\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"{name}/{FILE}\""
        );
    }
    let groups: Vec<Option<&Shown<'_>>> = if sound.is_empty() { vec![None] } else { sound.iter().map(Some).collect() };
    for group in groups {
        for picture in &pictures {
            stream(&mut out, picture, group);
        }
        if let Some(group) = group.filter(|_| pictures.is_empty()) {
            stream(&mut out, group, None);
        }
    }
    (!pictures.is_empty() || !sound.is_empty()).then_some(out)
}

/// A rendition that has something to play.
struct Shown<'a> {
    rendition: &'a Rendition,
    init: &'a Init,
    peak_bps: f64,
    average_bps: f64,
}

impl<'a> Shown<'a> {
    fn new(timeline: &Timeline, rendition: &'a Rendition, from: u64) -> Option<Self> {
        let listed = timeline.listed(&rendition.name, from);
        let last = listed.iter().rev().find_map(|line| line.init)?;
        let init = rendition.inits.iter().find(|init| init.number == last)?;
        let played = || listed.iter().filter(|line| line.init.is_some() && line.duration_s > 0.0);
        let bits = |line: &Listed| line.bytes as f64 * 8.0;
        let peak_bps = played().map(|line| bits(line) / line.duration_s).fold(0.0, f64::max);
        let seconds: f64 = played().map(|line| line.duration_s).sum();
        let average_bps = if seconds > 0.0 { played().map(bits).sum::<f64>() / seconds } else { 0.0 };
        Some(Self { rendition, init, peak_bps, average_bps })
    }

    /// What all players take first; pictures from the largest down.
    fn rank(&self) -> u64 {
        match self.init.size {
            Some((width, height)) => u64::MAX - u64::from(width) * u64::from(height),
            None => u64::from(self.rendition.name != "aac"),
        }
    }
}

fn stream(out: &mut String, main: &Shown<'_>, sound: Option<&Shown<'_>>) {
    let (sound_peak, sound_average) = sound.map_or((0.0, 0.0), |sound| (sound.peak_bps, sound.average_bps));
    let codecs: Vec<&str> = [Some(main), sound].into_iter().flatten().map(|one| one.init.codecs.as_str()).collect();
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={:.0},AVERAGE-BANDWIDTH={:.0},CODECS=\"{}\"",
        (main.peak_bps + sound_peak) * BANDWIDTH_MARGIN,
        main.average_bps + sound_average,
        codecs.join(",")
    );
    if let Some((width, height)) = main.init.size {
        let _ = write!(out, ",RESOLUTION={width}x{height},FRAME-RATE={:.3}", main.rendition.frames_per_second);
    }
    if let Some(sound) = sound {
        let _ = write!(out, ",AUDIO=\"{}\"", sound.rendition.name);
    }
    let _ = writeln!(out, "{NO_CAPTIONS}\n{}/{FILE}", main.rendition.name);
}

/// A media playlist from slot `from` on; `None` where there is nothing to play. `is_delta`: without what whoever asks has already.
pub(super) fn media(timeline: &Timeline, rendition: &str, from: u64, is_delta: bool, markers: &[Marked]) -> Option<String> {
    let listed = timeline.listed(rendition, from);
    let first = listed.first()?;
    let end_ms = listed.last().map_or(0.0, end_of);
    let has_ended = timeline.ended_at_ms().is_some();
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    let _ = writeln!(out, "#EXT-X-TARGETDURATION:{HLS_TARGET_DURATION_S}");
    if has_ended {
        out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    } else {
        let _ = writeln!(
            out,
            "#EXT-X-SERVER-CONTROL:HOLD-BACK={:.1},CAN-SKIP-UNTIL={HLS_SKIP_UNTIL_S:.1}",
            f64::from(HLS_TARGET_DURATION_S) * 3.0
        );
    }
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", first.slot);
    let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", timeline.discontinuities_before(first.slot));
    let is_old = |line: &&Listed| end_ms - end_of(line) > HLS_SKIP_UNTIL_S * 1000.0;
    let skipped = if is_delta && !has_ended { listed.iter().take_while(is_old).count() } else { 0 };
    if skipped > 0 {
        let _ = writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
    }
    markers::write(&mut out, markers, first.media_ms, end_ms);
    let mut init = listed[..skipped].iter().rev().find_map(|line| line.init);
    for line in &listed[skipped..] {
        if line.discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(needed) = line.init.filter(|needed| init != Some(*needed)) {
            init = Some(needed);
            let _ = writeln!(out, "#EXT-X-MAP:URI=\"{}\"", init_file(needed));
        }
        let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(line.media_ms));
        if line.init.is_none() {
            out.push_str("#EXT-X-GAP\n");
        }
        let _ = writeln!(out, "#EXTINF:{:.5},\n{}", line.duration_s, segment_file(line.number));
    }
    if has_ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Some(out)
}

fn end_of(line: &Listed) -> f64 {
    line.media_ms + line.duration_s * 1000.0
}

/// The preview pictures as WebVTT: times count from the beginning of the playlist, as a player's do; each cue is named by its media time.
pub(super) fn thumbs(timeline: &Timeline, from: u64) -> Option<String> {
    let picture = timeline.renditions().iter().find(|one| one.kind == Kind::Video && !timeline.listed(&one.name, from).is_empty())?;
    let listed = timeline.listed(&picture.name, from);
    let mut pictures = timeline
        .sprites()
        .flat_map(|sprite| sprite.at.iter().enumerate().map(move |(index, at)| (sprite, index as u32, *at)))
        .skip_while(|(_, _, at)| listed.first().is_some_and(|first| *at < first.media_ms - SAME_MS))
        .peekable();
    let (mut cues, mut position_s) = (Vec::new(), 0.0);
    for line in &listed {
        while let Some((sprite, index, at)) = pictures.next_if(|(_, _, at)| *at < end_of(line) - SAME_MS) {
            cues.push((position_s + ((at - line.media_ms) / 1000.0).clamp(0.0, line.duration_s), sprite, index, at));
        }
        position_s += line.duration_s;
    }
    let mut out = String::from("WEBVTT\n");
    for (cue, (start_s, sprite, index, at)) in cues.iter().enumerate() {
        let longest_s = start_s + THUMBS_EVERY_MS * 1.5 / 1000.0;
        let end_s = cues.get(cue + 1).map_or(position_s, |(next_s, ..)| *next_s).min(longest_s);
        let (width, height) = sprite.size;
        let (column, row) = (index % u32::from(THUMBS_GRID.0), index / u32::from(THUMBS_GRID.0));
        let _ = write!(
            out,
            "\n{}\n{} --> {}\n{SPRITES}/{}#xywh={},{},{width},{height}\n",
            date_time(*at),
            clock(*start_s),
            clock(end_s),
            sprite.file(),
            column * u32::from(width),
            row * u32::from(height)
        );
    }
    Some(out)
}

/// `hh:mm:ss.ttt`.
fn clock(seconds: f64) -> String {
    let ms = (seconds * 1000.0).round().max(0.0) as u64;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}
