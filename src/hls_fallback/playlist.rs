//! Playlists as text: multivariant, low-latency media with delta updates, and plain media (RFC 8216bis). Pure.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::Format;
use super::markers;
use super::shelf::{Rendition, Segment, Shelf};
use crate::limits::{HLS_PARTS_LISTED_S, HLS_SKIP_UNTIL_S, HLS_TARGET_DURATION_S};
use crate::sfu::codec::MediaKind;

/// Head-room over the densest segment: RTP sources burst.
pub(super) const BANDWIDTH_MARGIN: f64 = 1.2;

/// Of each variant. Unsaid, players look for captions in the picture before they play: Apple's authoring rules forbid it, and shaka-player 5.2 asks
/// for segments that are only hinted at, and fails.
pub(super) const NO_CAPTIONS: &str = ",CLOSED-CAPTIONS=NONE";

/// Which text of a media playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Variant {
    LowLatency,
    /// Without the segments that whoever asks has already.
    Delta,
    /// For players that know nothing of parts.
    Plain,
}

impl Variant {
    pub const ALL: [Self; 3] = [Self::LowLatency, Self::Delta, Self::Plain];
}

/// A text as it is sent, plain and packed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Packed {
    pub text: Bytes,
    pub gzip: Bytes,
}

impl Packed {
    pub fn new(text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        let gzip = packed.expect("a vector takes everything").into();
        Self { text: text.into(), gzip }
    }
}

/// The multivariant playlist. `is_plain`: of the plain media playlists.
pub fn master(shelf: &Shelf, is_plain: bool) -> String {
    let file = file_of(is_plain);
    let mut out = String::from("#EXTM3U\n");
    let _ = writeln!(out, "#EXT-X-VERSION:{}", if is_plain { 7 } else { 9 });
    let sound: Vec<&Rendition> = of_kind(shelf, MediaKind::Audio);
    for rendition in &sound {
        let name = &rendition.name;
        let _ = writeln!(
            out,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{name}\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"{name}/{file}\""
        );
    }
    let pictures = of_kind(shelf, MediaKind::Video);
    // Every picture once with each kind of sound, the one that all players take first.
    let groups: Vec<Option<&&Rendition>> = if sound.is_empty() { vec![None] } else { sound.iter().map(Some).collect() };
    for group in groups {
        for picture in &pictures {
            stream(&mut out, picture, group.copied(), file);
        }
        if let Some(group) = group.filter(|_| pictures.is_empty()) {
            stream(&mut out, group, None, file);
        }
    }
    out
}

fn stream(out: &mut String, main: &Rendition, sound: Option<&Rendition>, file: &str) {
    let (peak, average) = main.bandwidth_bps();
    let (sound_peak, sound_average) = sound.map_or((0.0, 0.0), Rendition::bandwidth_bps);
    let codecs: Vec<String> =
        [Some(main), sound].into_iter().flatten().filter_map(|rendition| Some(rendition.format()?.codecs())).collect();
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={:.0},AVERAGE-BANDWIDTH={:.0},CODECS=\"{}\"",
        (peak + sound_peak) * BANDWIDTH_MARGIN,
        average + sound_average,
        codecs.join(",")
    );
    if let Some((width, height)) = main.format().and_then(Format::size) {
        let _ = write!(out, ",RESOLUTION={width}x{height},FRAME-RATE={:.3}", main.frames_per_second());
    }
    if let Some(sound) = sound {
        let _ = write!(out, ",AUDIO=\"{}\"", sound.name);
    }
    let _ = writeln!(out, "{NO_CAPTIONS}\n{}/{file}", main.name);
}

const fn file_of(is_plain: bool) -> &'static str {
    if is_plain { "plain.m3u8" } else { "live.m3u8" }
}

/// Those of a kind that can be played: sound as the operator prefers it, pictures from the largest down.
fn of_kind(shelf: &Shelf, kind: MediaKind) -> Vec<&Rendition> {
    let mut found: Vec<&Rendition> = shelf
        .renditions
        .iter()
        .filter(|rendition| rendition.kind == kind && rendition.is_ready() && rendition.format().is_some())
        .collect();
    let rank = |rendition: &&Rendition| match rendition.format() {
        Some(Format::Aac) => 0,
        Some(format) => u64::MAX - format.size().map_or(0, |(width, height)| u64::from(width) * u64::from(height)),
        None => u64::MAX,
    };
    found.sort_by_key(rank);
    found
}

/// A media playlist.
pub fn media(shelf: &Shelf, rendition: &Rendition, variant: Variant) -> String {
    let is_plain = variant == Variant::Plain;
    let listed: Vec<&Segment> =
        rendition.listed().map(|segment| &**segment).filter(|segment| !is_plain || segment.duration_s.is_some()).collect();
    let end_ms = listed.last().map_or(0.0, |last| last.end_media_ms());
    let mut out = String::from("#EXTM3U\n");
    let _ = writeln!(out, "#EXT-X-VERSION:{}", if is_plain { 7 } else { 9 });
    let _ = writeln!(out, "#EXT-X-TARGETDURATION:{HLS_TARGET_DURATION_S}");
    let part_s = f64::from(shelf.part_ms) / 1000.0;
    if !is_plain {
        let _ = writeln!(
            out,
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3},HOLD-BACK={:.1},CAN-SKIP-UNTIL={HLS_SKIP_UNTIL_S:.1}",
            part_s * 3.0,
            f64::from(HLS_TARGET_DURATION_S) * 3.0
        );
        let _ = writeln!(out, "#EXT-X-PART-INF:PART-TARGET={part_s:.3}");
    }
    let first = listed.first().map_or(0, |first| first.opening.msn);
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}");
    let unlisted = rendition.segments.iter().take_while(|segment| segment.opening.msn < first);
    let discontinuities = rendition.discontinuities_gone + unlisted.filter(|segment| segment.opening.discontinuity).count() as u64;
    let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
    let skipped = if variant == Variant::Delta { skippable(&listed, end_ms) } else { 0 };
    if skipped > 0 {
        let _ = writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
    }
    markers::write(&mut out, &shelf.markers, listed.first().map_or(0.0, |first| first.opening.media_ms), end_ms);
    let mut init = skipped.checked_sub(1).and_then(|last| listed.get(last)).map(|segment| segment.init);
    for segment in listed.iter().skip(skipped) {
        // Also on the first one: the sequence number does not count it before it is gone.
        if segment.opening.discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if init != Some(segment.init) {
            init = Some(segment.init);
            let _ = writeln!(out, "#EXT-X-MAP:URI=\"init-{}.mp4\"", segment.init);
        }
        write_segment(&mut out, segment, !is_plain && end_ms - segment.end_media_ms() <= HLS_PARTS_LISTED_S * 1000.0);
    }
    if !is_plain {
        if let Some(open) = &rendition.open {
            let _ = writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s{}.p{}.m4s\"", open.opening.msn, open.parts.len());
        }
        for other in shelf.renditions.iter().filter(|other| other.name != rendition.name) {
            report(&mut out, other);
        }
    }
    out
}

fn write_segment(out: &mut String, segment: &Segment, with_parts: bool) {
    let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(segment.opening.media_ms));
    if segment.is_gap {
        out.push_str("#EXT-X-GAP\n");
    }
    let msn = segment.opening.msn;
    if with_parts {
        for (index, part) in segment.parts.iter().enumerate() {
            let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
            let _ = writeln!(out, "#EXT-X-PART:DURATION={:.5},URI=\"s{msn}.p{index}.m4s\"{independent}", part.duration_s);
        }
    }
    if let Some(duration_s) = segment.duration_s {
        let _ = writeln!(out, "#EXTINF:{duration_s:.5},\ns{msn}.m4s");
    }
}

/// Segments that end earlier than `CAN-SKIP-UNTIL` before the end.
fn skippable(listed: &[&Segment], end_ms: f64) -> usize {
    listed.iter().take_while(|segment| end_ms - segment.end_media_ms() > HLS_SKIP_UNTIL_S * 1000.0).count()
}

/// The newest part of another rendition.
fn report(out: &mut String, other: &Rendition) {
    let newest = other.listed().next_back();
    let Some(newest) = newest else { return };
    let (name, msn) = (&other.name, newest.opening.msn);
    let _ = write!(out, "#EXT-X-RENDITION-REPORT:URI=\"../{name}/live.m3u8\",LAST-MSN={msn}");
    if let Some(last) = newest.parts.len().checked_sub(1) {
        let _ = write!(out, ",LAST-PART={last}");
    }
    out.push('\n');
}

/// RFC 3339 with milliseconds, UTC. Years 1970 to 9999.
pub(super) fn date_time(unix_ms: f64) -> String {
    let unix_ms = unix_ms.round().max(0.0) as i64;
    let (days, rest) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Days since 1970 as a date of the Gregorian calendar; years begin in March here, so that the leap day is their last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
