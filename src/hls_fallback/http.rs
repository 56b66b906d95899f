//! `/hls/{broadcast}/...`: what players and caches ask for, answered from the newest shelf, or as soon as it is there.
//!
//! ```text
//! master.m3u8, plain.m3u8            multivariant playlists           manifest.mpd    DASH
//! {rendition}/live.m3u8              low latency; ?_HLS_msn, _HLS_part wait, ?_HLS_skip=YES leaves out what the player has
//! {rendition}/plain.m3u8             whole segments only
//! {rendition}/init-{n}.mp4  s{msn}.m4s  s{msn}.p{part}.m4s      media; the part that was hinted at waits
//! ```
//! Where viewing is not open a token stands before the broadcast ([`super::asked`]); `/hls/{token}/{broadcast}/check` says whether it is valid.
//! Every viewer of a broadcast is sent the same bytes from the same addresses, so any cache with request collapsing can stand in front.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use metrics::counter;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::asked::{Asked, Head, is_token};
use super::packager::Channel;
use super::playlist::{Packed, Variant};
use super::range::Plan;
use super::shelf::{Progress, Rendition, Shelf};
use super::{Hls, Need, NoChannel, Wanted, dvr};
use crate::ids::BroadcastId;
use crate::limits::{HLS_AHEAD_MAX, HLS_BLOCK_MAX, HLS_SETTLE, HLS_START_MAX, PATH_CHECK_TTL_S};
use crate::telemetry::HLS_REQUESTS;

pub(super) const M3U8: &str = "application/vnd.apple.mpegurl";
const MPD: &str = "application/dash+xml";
pub(super) const VIDEO: &str = "video/mp4";
pub(super) const JPEG: &str = "image/jpeg";
/// Never another content under this address.
const FOREVER: &str = "max-age=3600, immutable";
/// Named by number, and nothing newer will be in it for whoever asks for that number.
const BLOCKING: &str = "max-age=18";
pub(super) const PLAYLIST: &str = "max-age=1";
/// It may come yet.
const MISSING: &str = "max-age=1";
/// Below a token alone, for caches that ask before they serve.
const CHECK: &str = "check";

pub(super) fn router(hls: Hls) -> Router {
    Router::new()
        .route("/hls/{first}/{second}", with_preflight(get(two)))
        .route("/hls/{first}/{second}/{third}", with_preflight(get(three)))
        .route("/hls/{token}/{broadcast}/{rendition}/{file}", with_preflight(get(four)))
        .with_state(hls)
}

fn with_preflight(router: MethodRouter<Hls>) -> MethodRouter<Hls> {
    router.options(async || allow_any_origin(StatusCode::NO_CONTENT.into_response()))
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no such file")]
    NotFound,
    #[error("it cannot be read just now")]
    Unreadable,
    #[error("{0}")]
    BadQuery(&'static str),
    #[error("it did not come in time")]
    Late,
    #[error("too many requests wait")]
    Busy,
    #[error(transparent)]
    NoChannel(#[from] NoChannel),
    #[error("{0}: ask for another at /api/v1/broadcasts/{{broadcast}}/hls")]
    Locked(String),
    #[error("the broadcast may not be watched like this")]
    NotAdmitted(Box<Response>),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, cache) = match &self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", MISSING),
            Self::BadQuery(_) => (StatusCode::BAD_REQUEST, "bad_request", "no-store"),
            Self::Late | Self::Busy | Self::Unreadable | Self::NoChannel(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "no-store"),
            Self::Locked(_) | Self::NotAdmitted(_) => (StatusCode::FORBIDDEN, "forbidden", "no-store"),
        };
        let detail = self.to_string();
        if let Self::NotAdmitted(response) = self {
            return allow_any_origin(*response);
        }
        let retryable = status == StatusCode::SERVICE_UNAVAILABLE;
        let title = status.canonical_reason().unwrap_or("Error");
        let problem = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail, "code": code, "retryable": retryable,
        });
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, cache)], problem.to_string())
                .into_response();
        if retryable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        allow_any_origin(response)
    }
}

async fn two(State(hls): State<Hls>, Path((broadcast, file)): Path<(String, String)>, head: Head) -> Response {
    broadcast_file(&hls, Asked::plainly(&broadcast, &head), &file).await
}

async fn three(
    State(hls): State<Hls>,
    Path((first, second, file)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    head: Head,
) -> Response {
    if !is_token(&first) {
        return rendition_file(&hls, Asked::plainly(&first, &head), (&second, &file), query.as_deref()).await;
    }
    let asked = Asked::by_path(&first, &second, &head);
    match hls.unlock(asked) {
        Err(refused) => finish("none", Err(refused)),
        Ok(()) if file == CHECK => finish(CHECK, Ok(checked())),
        Ok(()) => broadcast_file(&hls, asked, &file).await,
    }
}

async fn four(
    State(hls): State<Hls>,
    Path((token, broadcast, rendition, file)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    head: Head,
) -> Response {
    let asked = Asked::by_path(&token, &broadcast, &head);
    match hls.unlock(asked) {
        Err(refused) => finish("none", Err(refused)),
        Ok(()) => rendition_file(&hls, asked, (&rendition, &file), query.as_deref()).await,
    }
}

fn checked() -> Response {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, format!("public, max-age={PATH_CHECK_TTL_S}"))]).into_response()
}

async fn broadcast_file(hls: &Hls, asked: Asked<'_>, file: &str) -> Response {
    if let Some(answer) = dvr::broadcast_file(hls, asked, file).await {
        return finish("recorded", answer);
    }
    let answer = async {
        let kind = match file {
            "master.m3u8" | "plain.m3u8" => M3U8,
            "manifest.mpd" => MPD,
            _ => return Err(Refused::NotFound),
        };
        let channel = hls.open(asked)?;
        let shelf = hls.settled(&channel, kind == MPD).await?;
        let packed = if kind == MPD { shelf.manifest() } else { shelf.master(file == "plain.m3u8") };
        Ok(text(hls, asked, &packed, kind, PLAYLIST))
    };
    finish("playlist", answer.await)
}

async fn rendition_file(hls: &Hls, asked: Asked<'_>, (rendition, name): (&str, &str), query: Option<&str>) -> Response {
    let query = query.unwrap_or("");
    if let Some(answer) = dvr::rendition_file(hls, asked, (rendition, name), query).await {
        return finish("recorded", answer);
    }
    let Some(file) = File::parse(name) else { return finish("none", Err(Refused::NotFound)) };
    let answer = async {
        let channel = hls.open(asked)?;
        match file {
            File::Playlist { is_plain } => {
                let query = if is_plain { Query::default() } else { Query::parse(query)? };
                let variant = if is_plain {
                    Variant::Plain
                } else if query.skips {
                    Variant::Delta
                } else {
                    Variant::LowLatency
                };
                let packed = hls.playlist(&channel, rendition, query, variant).await?;
                Ok(text(hls, asked, &packed, M3U8, if query.waits_for.is_some() { BLOCKING } else { PLAYLIST }))
            }
            File::Init(number) => {
                let shelf = channel.store.newest();
                let init = shelf.rendition(rendition).and_then(|found| found.inits.iter().find(|init| init.number == number));
                Ok(media(hls, asked, init.map(|init| init.data.clone()).ok_or(Refused::NotFound)?))
            }
            File::Segment(msn) => {
                let shelf = channel.store.newest();
                let segment = shelf.rendition(rendition).and_then(|found| found.segment(msn));
                let whole = segment.filter(|segment| segment.duration_s.is_some() && !segment.is_gap);
                Ok(media(hls, asked, whole.map(|segment| segment.data.clone()).ok_or(Refused::NotFound)?))
            }
            File::Part(msn, part) => Ok(media(hls, asked, hls.part(&channel, rendition, msn, part).await?)),
        }
    };
    finish(file.label(), answer.await)
}

/// What a path below a rendition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Playlist { is_plain: bool },
    Init(u64),
    Segment(u64),
    Part(u64, usize),
}

impl File {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "live.m3u8" => return Some(Self::Playlist { is_plain: false }),
            "plain.m3u8" => return Some(Self::Playlist { is_plain: true }),
            _ => {}
        }
        if let Some(number) = name.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")) {
            return Some(Self::Init(digits(number)?));
        }
        let inner = name.strip_prefix('s')?.strip_suffix(".m4s")?;
        match inner.split_once(".p") {
            Some((msn, part)) => Some(Self::Part(digits(msn)?, usize::try_from(digits(part)?).ok()?)),
            None => Some(Self::Segment(digits(inner)?)),
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Playlist { .. } => "playlist",
            Self::Init(_) => "init",
            Self::Segment(_) => "segment",
            Self::Part(..) => "part",
        }
    }
}

/// One spelling for each number, so that a cache keeps it once.
fn digits(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Delivery directives (RFC 8216bis section 6.2.5). Others are ignored, as it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Query {
    /// A segment, or a part of it.
    waits_for: Option<(u64, Option<u64>)>,
    skips: bool,
}

impl Query {
    fn parse(query: &str) -> Result<Self, Refused> {
        let (mut msn, mut part, mut skips) = (None, None, false);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "_HLS_msn" => msn = Some(digits(value).ok_or(Refused::BadQuery("_HLS_msn must be a number"))?),
                "_HLS_part" => part = Some(digits(value).ok_or(Refused::BadQuery("_HLS_part must be a number"))?),
                "_HLS_skip" => skips = matches!(value, "YES" | "v2"),
                _ => {}
            }
        }
        match (msn, part) {
            (None, Some(_)) => Err(Refused::BadQuery("_HLS_part needs _HLS_msn")),
            (Some(msn), part) => Ok(Self { waits_for: Some((msn, part)), skips }),
            (None, None) => Ok(Self { waits_for: None, skips }),
        }
    }
}

/// Whether a rendition has what a blocking request waits for, or something later. A part behind the end of its segment is the first of the
/// next one.
fn has(rendition: &Rendition, (msn, part): (u64, Option<u64>)) -> bool {
    let Some(Progress { msn: newest, parts }) = rendition.progress() else { return false };
    let Some(part) = part else { return msn < newest };
    if msn < newest {
        let ended_with = rendition.segment(msn).map_or(u64::MAX, |segment| segment.parts.len() as u64);
        return part < ended_with || msn + 1 < newest || parts > 0;
    }
    msn == newest && part < parts as u64
}

impl Hls {
    fn open(&self, asked: Asked<'_>) -> Result<Arc<Channel>, Refused> {
        let id = self.admit(asked, Wanted::OnAir)?;
        Ok(self.channel(id, if asked.is_look { Need::Ready } else { Need::Play })?)
    }

    /// Before anything else is said of an address with a token.
    fn unlock(&self, asked: Asked<'_>) -> Result<(), Refused> {
        asked.token.map_or(Ok(()), |token| (self.shared.parts.unlock)(token, asked.broadcast).map_err(Refused::Locked))
    }

    pub(super) fn admit(&self, asked: Asked<'_>, wanted: Wanted) -> Result<BroadcastId, Refused> {
        (self.shared.parts.admit)(asked, wanted).map_err(Refused::NotAdmitted)
    }

    /// Whether the packager that runs has this file.
    pub(super) fn is_on_shelf(&self, id: BroadcastId, rendition: &str, file: File) -> bool {
        let Some(channel) = self.running(id) else { return false };
        let shelf = channel.store.newest();
        let Some(found) = shelf.rendition(rendition) else { return false };
        match file {
            File::Playlist { .. } | File::Part(..) => true,
            File::Init(number) => found.inits.iter().any(|init| init.number == number),
            File::Segment(msn) => found.segment(msn).is_some_and(|segment| segment.duration_s.is_some()),
        }
    }

    /// A shelf that a player can begin with: something plays, and what else there is has had its time to come.
    async fn settled(&self, channel: &Channel, needs_segments: bool) -> Result<Arc<Shelf>, Refused> {
        let is_ready = move |rendition: &Rendition| if needs_segments { !rendition.segments.is_empty() } else { rendition.is_ready() };
        let deadline = Instant::now() + HLS_START_MAX;
        let first = self
            .wait(channel.store.watch_any(), deadline, |shelf| shelf.renditions.iter().any(is_ready).then(|| Arc::clone(shelf)))
            .await?;
        if first.renditions.iter().all(|rendition| !rendition.segments.is_empty()) && !first.lacks_picture() {
            return Ok(first);
        }
        // Layers begin one after the other, and the encoder of sound needs a moment.
        let expects_sound = self.shared.parts.encoder.is_some();
        let is_whole = move |shelf: &Arc<Shelf>| {
            let has_sound = shelf.renditions.iter().any(|rendition| &*rendition.name == "opus");
            let has_encoded = shelf.renditions.iter().any(|rendition| &*rendition.name == "aac");
            let is_whole = shelf.renditions.iter().all(is_ready) && has_sound && (has_encoded || !expects_sound) && !shelf.lacks_picture();
            is_whole.then(|| Arc::clone(shelf))
        };
        match self.wait(channel.store.watch_any(), Instant::now() + HLS_SETTLE, is_whole).await {
            Err(Refused::Late) => Ok(channel.store.newest()),
            whole => whole,
        }
    }

    async fn playlist(&self, channel: &Channel, name: &str, query: Query, variant: Variant) -> Result<Packed, Refused> {
        let watch = match channel.store.watch(name) {
            Some(watch) => watch,
            // A player that comes back before the packager has begun anew.
            None => {
                self.settled(channel, false).await?;
                channel.store.watch(name).ok_or(Refused::NotFound)?
            }
        };
        if let Some((msn, _)) = query.waits_for {
            let newest = channel.store.newest();
            let newest = newest.rendition(name).and_then(Rendition::progress);
            if newest.is_some_and(|newest| msn > newest.msn + HLS_AHEAD_MAX) {
                return Err(Refused::BadQuery("_HLS_msn is too far ahead"));
            }
        }
        let ready = |shelf: &Arc<Shelf>| {
            let rendition = shelf.rendition(name)?;
            let has_it = match query.waits_for {
                Some(wanted) => has(rendition, wanted),
                // Players that know nothing of parts give up on a list without segments.
                None => !rendition.segments.is_empty(),
            };
            if has_it { shelf.playlist(name, variant) } else { None }
        };
        self.wait(watch, Instant::now() + HLS_BLOCK_MAX, ready).await
    }

    /// A part; the one that was hinted at is waited for.
    async fn part(&self, channel: &Channel, name: &str, msn: u64, part: usize) -> Result<Bytes, Refused> {
        let watch = channel.store.watch(name).ok_or(Refused::NotFound)?;
        let ready = |shelf: &Arc<Shelf>| {
            let rendition = shelf.rendition(name)?;
            if let Some(found) = rendition.segment(msn).and_then(|segment| segment.parts.get(part)) {
                return Some(Ok(found.data.clone()));
            }
            let is_hinted = rendition.open.as_ref().is_some_and(|open| open.opening.msn == msn && open.parts.len() == part);
            (!is_hinted).then_some(Err(Refused::NotFound))
        };
        self.wait(watch, Instant::now() + HLS_BLOCK_MAX, ready).await?
    }

    /// Waits for a shelf that has it.
    async fn wait<T>(
        &self,
        mut watch: watch::Receiver<Arc<Shelf>>,
        deadline: Instant,
        ready: impl Fn(&Arc<Shelf>) -> Option<T>,
    ) -> Result<T, Refused> {
        if let Some(found) = ready(&watch.borrow_and_update()) {
            return Ok(found);
        }
        let _permit = self.shared.waiting.try_acquire().map_err(|_| Refused::Busy)?;
        loop {
            match timeout_at(deadline, watch.changed()).await {
                Ok(Ok(())) => {}
                // The packager has ended.
                Ok(Err(_)) | Err(_) => return Err(Refused::Late),
            }
            if let Some(found) = ready(&watch.borrow_and_update()) {
                return Ok(found);
            }
        }
    }

    /// What has the right to it in its address may be kept for whoever knows the address.
    fn cached(&self, asked: Asked<'_>, rule: &'static str) -> HeaderValue {
        let scope = if self.shared.parts.is_open || asked.token.is_some() { "public" } else { "private" };
        HeaderValue::from_str(&format!("{scope}, {rule}")).expect("both are plain ASCII")
    }
}

pub(super) fn text(hls: &Hls, asked: Asked<'_>, packed: &Packed, kind: &'static str, cache: &'static str) -> Response {
    let takes_gzip = asked.headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(accepts_gzip);
    let body = if takes_gzip { packed.gzip.clone() } else { packed.text.clone() };
    let mut response = ([(header::CONTENT_TYPE, kind), (header::VARY, "accept-encoding")], body).into_response();
    if takes_gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, hls.cached(asked, cache));
    response
}

/// Whether an Accept-Encoding field (RFC 9110 section 12.5.3) names gzip with a weight above zero.
fn accepts_gzip(field: &str) -> bool {
    field.split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let is_off = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !is_off
    })
}

fn media(hls: &Hls, asked: Asked<'_>, data: Bytes) -> Response {
    let plan = Plan::new(data.len(), asked.headers);
    let body = plan.range().map_or_else(Bytes::new, |range| data.slice(range));
    dress(hls, asked, plan, body.into_response(), VIDEO)
}

/// An answer that has the bytes of a plan.
pub(super) fn dress(hls: &Hls, asked: Asked<'_>, plan: Plan, mut response: Response, kind: &'static str) -> Response {
    plan.dress(&mut response);
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    head.insert(header::CACHE_CONTROL, hls.cached(asked, FOREVER));
    response
}

fn finish(label: &'static str, answer: Result<Response, Refused>) -> Response {
    let response = allow_any_origin(answer.unwrap_or_else(Refused::into_response));
    counter!(HLS_REQUESTS, "file" => label, "status" => status_class(response.status())).increment(1);
    response
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Players live on other sites too. No cookie or token is ever read from them by itself, so nothing is given away.
fn allow_any_origin(mut response: Response) -> Response {
    const LIFE: Duration = Duration::from_secs(86_400);
    let head = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "range, authorization"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "content-length, content-range, date, etag"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        head.insert(name, HeaderValue::from_static(value));
    }
    head.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(LIFE.as_secs()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_one_name() {
        for (name, file) in [
            ("live.m3u8", Some(File::Playlist { is_plain: false })),
            ("plain.m3u8", Some(File::Playlist { is_plain: true })),
            ("init-7.mp4", Some(File::Init(7))),
            ("s12.m4s", Some(File::Segment(12))),
            ("s12.p0.m4s", Some(File::Part(12, 0))),
            ("s012.m4s", None),
            ("s+1.m4s", None),
            ("s12.p.m4s", None),
            ("s.m4s", None),
            ("init-.mp4", None),
            ("s99999999999999999999.m4s", None),
        ] {
            assert_eq!(File::parse(name), file, "{name}");
        }
    }

    #[test]
    fn delivery_directives_are_read_and_others_ignored() {
        let parsed = |query: &str| Query::parse(query).ok();
        assert_eq!(parsed(""), Some(Query::default()));
        assert_eq!(parsed("_HLS_msn=5&_HLS_part=2&x=y"), Some(Query { waits_for: Some((5, Some(2))), skips: false }));
        assert_eq!(parsed("_HLS_msn=5&_HLS_skip=YES"), Some(Query { waits_for: Some((5, None)), skips: true }));
        for bad in ["_HLS_part=2", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_msn=5&_HLS_part=a"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
