//! The JSON shapes that only the REST interface (`/api/v1`) has; those it shares with the WebSocket are in [`super::protocol`].

pub mod accounts;
pub mod people;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::signaling::protocol::{BroadcastView, ErrorCode, MarkerKind, UserView, Visibility};

/// Body of `POST /api/v1/broadcasts`. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NewBroadcast {
    /// At most 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub title: Option<String>,
    /// The name in the URL; made from the title when absent. 409 `conflict` when another broadcast has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub slug: Option<String>,
    /// Public when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub visibility: Option<Visibility>,
}

/// Answer to `POST /api/v1/broadcasts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CreatedBroadcast {
    pub broadcast: BroadcastView,
    /// Bearer of view, publish and moderate for this broadcast: for `join`, WHIP and the REST calls that change it.
    pub token: String,
    /// Where an encoder publishes, with `token` as bearer token.
    pub whip_url: String,
    pub whep_url: String,
    /// The page on which people watch.
    pub watch_url: String,
}

/// Answer to `GET /api/v1/broadcasts`: public ones, live first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct BroadcastList {
    pub broadcasts: Vec<BroadcastView>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/hls`: where players that send no header find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HlsPath {
    /// Before `/master.m3u8`, `/manifest.mpd` and the rest.
    pub path: String,
    /// From when on it opens nothing; ask again before. Absent where viewing is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at_ms: Option<u64>,
}

/// Body of `POST /api/v1/broadcasts/{id}/markers`; the answer is the `Marker`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct NewMarker {
    pub kind: MarkerKind,
    /// At most 80 characters.
    pub label: String,
    /// The live edge when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub media_time_ms: Option<f64>,
}

/// Answer to `GET /api/v1/me`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Me {
    pub user: UserView,
    pub operator: bool,
    /// Whether this person may make broadcasts here.
    pub may_broadcast: bool,
    /// A new identity token when the request carried none that is good: keep it and send it next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub token: Option<String>,
}

/// Every error answer: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Problem {
    /// A URI that names the kind of problem: `about:blank` unless the code needs more.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short, the same for every occurrence.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
    /// As over WebSocket.
    pub code: ErrorCode,
    pub retryable: bool,
}
