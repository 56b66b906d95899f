//! Marked moments as `EXT-X-DATERANGE` (RFC 8216bis section 4.4.5.1), in every kind of media playlist.

use std::fmt::Write as _;

use super::playlist::date_time;

/// A moment that a broadcaster has marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    /// Letters and digits.
    pub id: String,
    /// One word: goal, card ...
    pub kind: String,
    /// For people; may be empty.
    pub label: String,
    /// Media time, ms since the Unix epoch.
    pub media_ms: f64,
}

const CLASS: &str = "app.courtside.marker";

/// Writes those between two moments. One that is still to come is told when it has.
pub(super) fn write(out: &mut String, markers: &[Marked], from_ms: f64, to_ms: f64) {
    for marked in markers.iter().filter(|marked| (from_ms..=to_ms).contains(&marked.media_ms)) {
        let _ = write!(
            out,
            "#EXT-X-DATERANGE:ID=\"{}\",CLASS=\"{CLASS}\",START-DATE=\"{}\",X-COURTSIDE-KIND=\"{}\"",
            quotable(&marked.id),
            date_time(marked.media_ms),
            quotable(&marked.kind)
        );
        if !marked.label.is_empty() {
            let _ = write!(out, ",X-COURTSIDE-LABEL=\"{}\"", quotable(&marked.label));
        }
        out.push('\n');
    }
}

/// A quoted string has neither quotes nor line ends, and no way to write them.
fn quotable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).map(|letter| if letter == '"' { '\'' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_within_the_playlist_are_told_and_cannot_break_out_of_their_quotes() {
        let marked = |id: &str, media_ms, label: &str| Marked { id: id.into(), kind: "goal".into(), label: label.into(), media_ms };
        let markers = [
            marked("a", 999.0, "too early"),
            marked("b", 1000.0, "1:0 \"Kofi\"\n#EXTINF:1,"),
            marked("c", 3000.0, ""),
            marked("d", 3001.0, ""),
        ];
        let mut out = String::new();
        write(&mut out, &markers, 1000.0, 3000.0);
        assert_eq!(
            out,
            "#EXT-X-DATERANGE:ID=\"b\",CLASS=\"app.courtside.marker\",START-DATE=\"1970-01-01T00:00:01.000Z\",X-COURTSIDE-KIND=\"goal\",\
             X-COURTSIDE-LABEL=\"1:0 'Kofi'#EXTINF:1,\"\n\
             #EXT-X-DATERANGE:ID=\"c\",CLASS=\"app.courtside.marker\",START-DATE=\"1970-01-01T00:00:03.000Z\",X-COURTSIDE-KIND=\"goal\"\n"
        );
    }
}
