//! A broadcast as clients see it and change it: the shapes that messages and the REST interface share.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::json::{object, whole};
use super::on_air::GuestView;
use crate::ids::{BroadcastId, MarkerId};
use crate::sfu::codec::Codec;
use crate::store::{BroadcastState, Visibility};

/// A broadcast as everybody sees it: in REST answers and in `joined` / `broadcast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct BroadcastView {
    #[ts(type = "string")]
    pub id: BroadcastId,
    /// The name in the URL: 1 to 64 of `a-z 0-9 -`.
    pub slug: String,
    pub title: String,
    pub visibility: Visibility,
    pub state: BroadcastState,
    /// Wall clock, ms since the Unix epoch.
    pub created_at_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub started_at_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ended_at_ms: Option<f64>,
    pub viewers: u32,
    pub viewers_peak: u32,
    /// The picture's codec once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub video_codec: Option<Codec>,
    pub has_audio: bool,
    /// `/api/v1/broadcasts/{id}/poster?v=N` exists when not 0; N changes with each new poster.
    pub poster_version: u32,
    pub layers: Vec<LayerView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub teams: Option<Teams>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub score: Option<Score>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub clock: Option<MatchClock>,
    pub markers: Vec<Marker>,
    /// It can be rewound now: `/hls/{id}/dvr.m3u8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub dvr: Option<DvrView>,
    /// It has ended and can be watched again: `/hls/{id}/dvr.m3u8`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub replay: bool,
    /// Who is on air beside the main picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub guest: Option<GuestView>,
}

/// How far a live broadcast can be rewound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DvrView {
    /// Seconds before the live edge, once that much has been recorded.
    pub window_s: u32,
}

/// One simulcast layer as it arrives at the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LayerView {
    /// 0 = smallest.
    pub spatial: u8,
    /// Pixels; 0 until known.
    pub width: u16,
    pub height: u16,
    pub bitrate_bps: u32,
    pub frames_per_second: f32,
    pub active: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Teams {
    #[serde(deserialize_with = "object")]
    pub home: Team,
    #[serde(deserialize_with = "object")]
    pub away: Team,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Team {
    /// At most 40 characters.
    pub name: String,
    /// At most 4 characters, for the score graphic.
    pub short: String,
    /// `#rrggbb`, for the crest only.
    pub color: String,
}

/// With the media time at which it became true, so that nobody learns of a goal before seeing it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Score {
    pub home: u16,
    pub away: u16,
    pub at_media_ms: f64,
}

/// The match clock: `elapsed_ms` at media time `at_media_ms`, going on from there while `running`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct MatchClock {
    pub running: bool,
    pub elapsed_ms: f64,
    pub at_media_ms: f64,
    /// "2nd half", "Q4" ... at most 16 characters.
    pub period: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MarkerKind {
    Goal,
    Card,
    Chance,
    Period,
    Other,
}

/// A marked moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Marker {
    #[ts(type = "string")]
    pub id: MarkerId,
    pub kind: MarkerKind,
    /// At most 80 characters.
    pub label: String,
    pub media_time_ms: f64,
}

/// Changes to a broadcast. An absent field stays as it is; `null` clears what can be cleared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct BroadcastChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub visibility: Option<Visibility>,
    #[serde(default, with = "double_option", skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "Teams | null")]
    pub teams: Option<Option<Teams>>,
    #[serde(default, with = "double_option", skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "ScoreChange | null")]
    pub score: Option<Option<ScoreChange>>,
    #[serde(default, with = "double_option", skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "ClockChange | null")]
    pub clock: Option<Option<ClockChange>>,
}

/// `at_media_ms` absent: now, at the live edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct ScoreChange {
    #[serde(deserialize_with = "whole")]
    pub home: u16,
    #[serde(deserialize_with = "whole")]
    pub away: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub at_media_ms: Option<f64>,
}

/// `at_media_ms` absent: now, at the live edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ClockChange {
    pub running: bool,
    pub elapsed_ms: f64,
    pub period: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub at_media_ms: Option<f64>,
}

/// `Option<Option<T>>`: absent, `null` or an object.
mod double_option {
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::json::Object;

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(inner) => inner.serialize(serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
        Option::<Object<T>>::deserialize(deserializer).map(|read| Some(read.map(|Object(inner)| inner)))
    }
}
