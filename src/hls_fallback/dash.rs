//! The MPEG-DASH manifest (ISO/IEC 23009-1) over the same segments: one period, a timeline a rendition, `$Number$` the media sequence number.
//! Pure.

use std::fmt::Write as _;

use super::format::Format;
use super::playlist::date_time;
use super::shelf::{Rendition, Segment, Shelf};
use crate::limits::{HLS_TARGET_DURATION_S, HLS_WINDOW_SEGMENTS};
use crate::sfu::codec::MediaKind;

/// Of a dynamic presentation, updated each segment.
pub fn manifest(shelf: &Shelf) -> String {
    let newest =
        shelf.renditions.iter().filter_map(|rendition| rendition.segments.back()).map(|segment| segment.end_media_ms()).fold(0.0, f64::max);
    let start = date_time(shelf.origin_ms);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019\" \
         type=\"dynamic\" availabilityStartTime=\"{start}\" publishTime=\"{}\" minimumUpdatePeriod=\"PT2S\" minBufferTime=\"PT2S\" \
         timeShiftBufferDepth=\"PT{}S\" suggestedPresentationDelay=\"PT6S\" maxSegmentDuration=\"PT{HLS_TARGET_DURATION_S}S\">",
        date_time(newest),
        HLS_WINDOW_SEGMENTS * 2,
    );
    out.push_str("<Period id=\"0\" start=\"PT0S\">\n");
    for kind in [MediaKind::Video, MediaKind::Audio] {
        adaptation_sets(&mut out, shelf, kind);
    }
    out.push_str("</Period>\n</MPD>\n");
    out
}

/// One for all pictures, one for each kind of sound: players switch within a set only.
fn adaptation_sets(out: &mut String, shelf: &Shelf, kind: MediaKind) {
    let found = || shelf.renditions.iter().filter(|rendition| rendition.kind == kind && whole(rendition).next().is_some());
    let mut codecs: Vec<String> = Vec::new();
    for rendition in found() {
        let set = set_of(rendition);
        if codecs.contains(&set) {
            continue;
        }
        let (name, mime) = match kind {
            MediaKind::Video => ("video", "video/mp4"),
            MediaKind::Audio => ("audio", "audio/mp4"),
        };
        let _ = writeln!(out, "<AdaptationSet contentType=\"{name}\" mimeType=\"{mime}\" segmentAlignment=\"true\" startWithSAP=\"1\">");
        for member in found().filter(|member| set_of(member) == set) {
            representation(out, member);
        }
        out.push_str("</AdaptationSet>\n");
        codecs.push(set);
    }
}

fn set_of(rendition: &Rendition) -> String {
    match rendition.kind {
        MediaKind::Video => String::new(),
        MediaKind::Audio => rendition.format().map(Format::codecs).unwrap_or_default(),
    }
}

fn whole(rendition: &Rendition) -> impl Iterator<Item = &Segment> {
    let newest = rendition.inits.back().map(|init| init.number);
    // A set of players' buffers has one configuration in a period: those of an earlier one are left out.
    let listed = rendition.listed().map(|segment| &**segment);
    listed.filter(move |segment| segment.duration_s.is_some() && !segment.is_gap && Some(segment.init) == newest)
}

fn representation(out: &mut String, rendition: &Rendition) {
    let (Some(format), Some(init), Some(first)) = (rendition.format(), rendition.inits.back(), whole(rendition).next()) else { return };
    let (peak, _) = rendition.bandwidth_bps();
    let _ = write!(out, "<Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{:.0}\"", rendition.name, format.codecs(), peak.max(1.0));
    match format.size() {
        Some((width, height)) => {
            let _ = writeln!(out, " width=\"{width}\" height=\"{height}\">");
        }
        None => {
            let _ = writeln!(out, " audioSamplingRate=\"{}\">", format.timescale());
        }
    }
    let _ = writeln!(
        out,
        "<SegmentTemplate timescale=\"{}\" startNumber=\"{}\" initialization=\"$RepresentationID$/init-{}.mp4\" \
         media=\"$RepresentationID$/s$Number$.m4s\">\n<SegmentTimeline>",
        format.timescale(),
        first.opening.msn,
        init.number
    );
    for segment in whole(rendition) {
        let ticks = (segment.duration_s.unwrap_or(0.0) * f64::from(format.timescale())).round();
        let _ = writeln!(out, "<S t=\"{}\" d=\"{ticks:.0}\"/>", segment.opening.ticks);
    }
    out.push_str("</SegmentTimeline>\n</SegmentTemplate>\n</Representation>\n");
}
