//! What people say about a broadcast: title, teams, score, clock, markers. Validated here, once, into values that cannot be wrong.

use serde::{Deserialize, Serialize};

use crate::ids::{MarkerId, UserId};
use crate::limits::{
    MARKER_LABEL_MAX, MARKERS_MAX, MATCH_CLOCK_MAX_MS, MEDIA_TIME_FUTURE_MAX_MS, MEDIA_TIME_PAST_MAX_MS, PERIOD_MAX, SCORE_MAX, SLUG_MAX,
    TEAM_NAME_MAX, TEAM_SHORT_MAX, TITLE_MAX,
};
use crate::signaling::protocol::{BroadcastChanges, ClockChange, Marker, MarkerKind, MatchClock, Score, ScoreChange, Team, Teams};
use crate::signaling::refusal::Refusal;

/// The part of a broadcast that travels on its timeline and is kept as one JSON text in the store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) teams: Option<Teams>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<Score>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<MatchClock>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) markers: Vec<Marker>,
    /// Who published last, so that the same person may return after a restart of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_publisher: Option<UserId>,
}

impl Details {
    /// Applies the changes that concern this part, all or none. `edge_ms` is the media time of the live edge.
    pub(crate) fn apply(&mut self, changes: &BroadcastChanges, edge_ms: f64) -> Result<(), Refusal> {
        let teams = changes.teams.as_ref().map(|teams| teams.as_ref().map(checked_teams).transpose()).transpose()?;
        let score = changes.score.map(|score| score.map(|score| checked_score(score, edge_ms)).transpose()).transpose()?;
        let clock =
            changes.clock.as_ref().map(|clock| clock.as_ref().map(|clock| checked_clock(clock, edge_ms)).transpose()).transpose()?;
        if let Some(teams) = teams {
            self.teams = teams;
        }
        if let Some(score) = score {
            self.score = score;
        }
        if let Some(clock) = clock {
            self.clock = clock;
        }
        Ok(())
    }

    /// Adds a marker and returns it; markers stay in order of media time.
    pub(crate) fn mark(
        &mut self,
        id: MarkerId,
        kind: MarkerKind,
        label: &str,
        media_time_ms: Option<f64>,
        edge_ms: f64,
    ) -> Result<Marker, Refusal> {
        if self.markers.len() >= MARKERS_MAX {
            return Err(Refusal::Full("markers of this broadcast"));
        }
        let label = line("label", "a line of at most 80 characters", label, 0, MARKER_LABEL_MAX)?;
        let media_time_ms = checked_media_time(media_time_ms, edge_ms)?;
        let marker = Marker { id, kind, label, media_time_ms };
        let at = self.markers.partition_point(|other| other.media_time_ms <= media_time_ms);
        self.markers.insert(at, marker.clone());
        Ok(marker)
    }

    /// Removes a marker.
    pub(crate) fn unmark(&mut self, id: MarkerId) -> Result<(), Refusal> {
        let at = self.markers.iter().position(|marker| marker.id == id).ok_or(Refusal::NotFound("marker"))?;
        self.markers.remove(at);
        Ok(())
    }
}

/// A title as it is kept.
pub(crate) fn checked_title(title: &str) -> Result<String, Refusal> {
    line("title", "a line of at most 120 characters", title, 0, TITLE_MAX)
}

/// A slug that a client chose: 1 to 64 of `a-z 0-9 -`, no hyphen at either end. Texts that could be an id are refused, so that
/// `{id or slug}` is never ambiguous.
pub(crate) fn checked_slug(slug: &str) -> Result<String, Refusal> {
    let rule = "1 to 64 of a-z, 0-9 and -, with no hyphen at either end, and not look like an id";
    let fits = (1..=SLUG_MAX).contains(&slug.len())
        && slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && slug.parse::<crate::ids::BroadcastId>().is_err();
    if fits { Ok(slug.to_owned()) } else { Err(Refusal::InvalidValue { field: "slug", rule }) }
}

/// A slug made from a title; empty when nothing of it can stand in one.
pub(crate) fn slug_of(title: &str) -> String {
    let mut slug = String::new();
    for symbol in title.chars().flat_map(char::to_lowercase) {
        if slug.len() >= SLUG_MAX - 8 {
            break;
        }
        if symbol.is_ascii_alphanumeric() {
            slug.push(symbol);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn checked_teams(teams: &Teams) -> Result<Teams, Refusal> {
    Ok(Teams { home: checked_team(&teams.home)?, away: checked_team(&teams.away)? })
}

fn checked_team(team: &Team) -> Result<Team, Refusal> {
    let color = &team.color;
    let is_color = color.len() == 7 && color.starts_with('#') && color.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
    if !is_color {
        return Err(Refusal::InvalidValue { field: "color", rule: "#rrggbb" });
    }
    Ok(Team {
        name: line("name", "a line of 1 to 40 characters", &team.name, 1, TEAM_NAME_MAX)?,
        short: line("short", "a line of 1 to 4 characters", &team.short, 1, TEAM_SHORT_MAX)?,
        color: color.to_ascii_lowercase(),
    })
}

fn checked_score(score: ScoreChange, edge_ms: f64) -> Result<Score, Refusal> {
    if score.home > SCORE_MAX || score.away > SCORE_MAX {
        return Err(Refusal::InvalidValue { field: "score", rule: "0 to 999 on each side" });
    }
    Ok(Score { home: score.home, away: score.away, at_media_ms: checked_media_time(score.at_media_ms, edge_ms)? })
}

fn checked_clock(clock: &ClockChange, edge_ms: f64) -> Result<MatchClock, Refusal> {
    if !(0.0..=MATCH_CLOCK_MAX_MS).contains(&clock.elapsed_ms) {
        return Err(Refusal::InvalidValue { field: "elapsed_ms", rule: "0 to ten hours" });
    }
    Ok(MatchClock {
        running: clock.running,
        elapsed_ms: clock.elapsed_ms,
        at_media_ms: checked_media_time(clock.at_media_ms, edge_ms)?,
        period: line("period", "a line of at most 16 characters", &clock.period, 0, PERIOD_MAX)?,
    })
}

fn checked_media_time(media_time_ms: Option<f64>, edge_ms: f64) -> Result<f64, Refusal> {
    let Some(media_time_ms) = media_time_ms else { return Ok(edge_ms) };
    // A NaN is in no range.
    if !(edge_ms - MEDIA_TIME_PAST_MAX_MS..=edge_ms + MEDIA_TIME_FUTURE_MAX_MS).contains(&media_time_ms) {
        return Err(Refusal::InvalidValue { field: "media time", rule: "within the last day, in ms since the Unix epoch" });
    }
    Ok(media_time_ms)
}

/// Text of one line without control characters, of at most `max` characters as it was sent; trimmed, of `min` at least.
pub(super) fn line(field: &'static str, rule: &'static str, text: &str, min: usize, max: usize) -> Result<String, Refusal> {
    let trimmed = text.trim();
    if text.chars().count() > max || trimmed.chars().count() < min || text.chars().any(char::is_control) {
        return Err(Refusal::InvalidValue { field, rule });
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: f64 = 1_800_000_000_000.0;

    fn teams(name: &str, color: &str) -> BroadcastChanges {
        let team = Team { name: name.to_owned(), short: "ABC".to_owned(), color: color.to_owned() };
        BroadcastChanges { teams: Some(Some(Teams { home: team.clone(), away: team })), ..BroadcastChanges::default() }
    }

    #[test]
    fn changes_apply_all_or_none() {
        let mut details = Details::default();
        let mut changes = teams("Ravens", "#FF0000");
        details.apply(&changes, EDGE).unwrap();
        assert_eq!(details.teams.as_ref().unwrap().home.color, "#ff0000");
        changes.teams = Some(None);
        changes.score = Some(Some(ScoreChange { home: 1000, away: 0, at_media_ms: None }));
        assert!(details.apply(&changes, EDGE).is_err());
        assert!(details.teams.is_some(), "a refused change changes nothing");
        changes.score = Some(Some(ScoreChange { home: 2, away: 1, at_media_ms: None }));
        details.apply(&changes, EDGE).unwrap();
        assert_eq!((details.teams, details.score), (None, Some(Score { home: 2, away: 1, at_media_ms: EDGE })));
    }

    #[test]
    fn odd_text_and_times_are_refused() {
        for changes in [
            teams("", "#ff0000"),
            teams("a\nb", "#ff0000"),
            teams(&"x".repeat(41), "#ff0000"),
            teams(" ", "#ff0000"),
            teams("Ravens", "red"),
        ] {
            assert!(Details::default().apply(&changes, EDGE).is_err(), "{changes:?}");
        }
        // Bounded as it was sent: what is trimmed away counts too.
        for title in [format!("{}   ", "x".repeat(118)), "two\nlines".to_owned(), "a line\n".to_owned()] {
            assert!(checked_title(&title).is_err(), "{title:?}");
        }
        assert_eq!(checked_title(&format!("{}  ", "x".repeat(118))).expect("as long as may be").len(), 118);
        for at in [f64::NAN, f64::INFINITY, 0.0, EDGE + 120_000.0] {
            let marked = Details::default().mark(MarkerId::from_bits(1), MarkerKind::Goal, "x", Some(at), EDGE);
            assert!(marked.is_err(), "{at}");
        }
    }

    #[test]
    fn markers_stay_in_order_of_media_time_and_are_bounded() {
        let mut details = Details::default();
        for (bits, at) in [(1, EDGE), (2, EDGE - 500.0), (3, EDGE - 100.0)] {
            details.mark(MarkerId::from_bits(bits), MarkerKind::Other, "", Some(at), EDGE).unwrap();
        }
        let order: Vec<u64> = details.markers.iter().map(|marker| marker.id.to_bits()).collect();
        assert_eq!(order, [2, 3, 1]);
        details.unmark(MarkerId::from_bits(3)).unwrap();
        assert_eq!(details.unmark(MarkerId::from_bits(3)), Err(Refusal::NotFound("marker")));
        for bits in 10..10 + MARKERS_MAX as u64 - 2 {
            details.mark(MarkerId::from_bits(bits), MarkerKind::Other, "", None, EDGE).unwrap();
        }
        assert!(matches!(details.mark(MarkerId::from_bits(9), MarkerKind::Other, "", None, EDGE), Err(Refusal::Full(_))));
    }

    #[test]
    fn slugs_are_plain_and_never_look_like_an_id() {
        for slug in ["final", "a", "cup-2026"] {
            assert_eq!(checked_slug(slug).as_deref(), Ok(slug));
        }
        for slug in ["", "-a", "a-", "A", "ä", "a b", "0123456789abc", &"x".repeat(65)] {
            assert!(checked_slug(slug).is_err(), "{slug}");
        }
        assert_eq!(slug_of("  Ravens v. Wolves: 2nd Half! "), "ravens-v-wolves-2nd-half");
        assert_eq!(slug_of("日本"), "");
    }
}
