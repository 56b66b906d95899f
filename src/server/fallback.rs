//! The HLS fallback and its recordings, connected to who is on air, who may watch, and what people have marked.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};

use crate::config::{Config, DvrConfig};
use crate::hls_fallback::dvr::{Dvr, DvrError, DvrParts, Storage};
use crate::hls_fallback::markers::Marked;
use crate::hls_fallback::{Asked, EncoderCommand, GuestOnAir, Hls, HlsParts, Layout, OnAir, Wanted};
use crate::ids::{BroadcastId, SourceId};
use crate::sfu::SfuHandle;
use crate::signaling::protocol::{Marker, MarkerKind, OnAirLayout};
use crate::signaling::{self, Live, Onlooker};

/// Recordings in the data directory, unless they are told another.
const RECORDINGS: &str = "recordings";
/// In their directory: what each consists of, and its media where there is no bucket.
const INDICES: &str = "index";
const MEDIA: &str = "media";

/// Finds earlier recordings, where broadcasts are recorded.
pub(super) async fn open_dvr(config: &Config) -> Result<Option<Dvr>, DvrError> {
    let Some((hls, dvr)) = config.hls.as_ref().and_then(|hls| Some((hls, hls.dvr.as_ref()?))) else { return Ok(None) };
    let dir = dvr.dir.clone().unwrap_or_else(|| config.data_dir.join(RECORDINGS));
    let parts = DvrParts {
        indices: dir.join(INDICES),
        storage: storage(dvr, &dir)?,
        window: dvr.window,
        retention: dvr.retention,
        bytes_max: dvr.bytes_max,
        pictures: encoder(hls.encoder.as_deref()),
    };
    Dvr::open(parts).await.map(Some)
}

fn storage(dvr: &DvrConfig, dir: &Path) -> Result<Storage, DvrError> {
    let storage = match &dvr.bucket {
        Some(url) => Storage::bucket(url),
        None => Storage::folder(&dir.join(MEDIA)),
    };
    Ok(storage?)
}

/// The fallback, if it is wanted. Without recordings it costs nothing before somebody asks for it.
pub(super) fn start_hls(config: &Config, sfu: SfuHandle, live: &Live, dvr: Option<Dvr>) -> Option<Hls> {
    let hls = config.hls.as_ref()?;
    let (admitting, unlocking, showing, marking) = (live.clone(), live.clone(), live.clone(), live.clone());
    let inviting = live.clone();
    Some(Hls::new(HlsParts {
        sfu,
        admit: Box::new(move |asked, wanted| admit(&admitting, asked, wanted).map_err(Box::new)),
        unlock: Box::new(move |token, broadcast| {
            Onlooker::of_path(&unlocking, token, broadcast).map(drop).map_err(|error| error.to_string())
        }),
        is_open: config.open_view,
        part_ms: hls.part_ms,
        encoder: encoder(hls.encoder.as_deref()),
        pictures: Arc::new(Semaphore::new(pictures())),
        makes_ladders: hls.ladder,
        on_air: Box::new(move || showing.on_air().into_iter().map(|(broadcast, is_live)| OnAir { broadcast, is_live }).collect()),
        guest: Box::new(move |broadcast| inviting.guest(broadcast).map(guest)),
        markers: Box::new(move |broadcast| marking.markers(broadcast).into_iter().map(marked).collect()),
        dvr,
    }))
}

/// Of how many broadcasts the picture is encoded at once. Each takes most of a core, and media comes first.
fn pictures() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

#[expect(clippy::result_large_err, reason = "it is sent as it is")]
fn admit(live: &Live, asked: Asked<'_>, wanted: Wanted) -> Result<BroadcastId, Response> {
    let onlooker = match asked.token {
        Some(token) => Onlooker::of_path(live, token, asked.broadcast).map_err(|_| StatusCode::FORBIDDEN.into_response())?,
        None => Onlooker::of_headers(live, asked.headers)?,
    };
    match wanted {
        Wanted::OnAir => signaling::watchable(live, asked.broadcast, &onlooker),
        Wanted::OnAirOrReplay => signaling::replayable(live, asked.broadcast, &onlooker),
    }
}

/// Which broadcasts have a replay, as they come and go.
pub(super) async fn tell_replays(live: Live, mut replays: watch::Receiver<Arc<BTreeSet<BroadcastId>>>) {
    while replays.changed().await.is_ok() {
        let newest = Arc::clone(&replays.borrow_and_update());
        live.set_replays(&newest);
    }
}

fn encoder(program: Option<&str>) -> Option<EncoderCommand> {
    program.map(|program| EncoderCommand { program: program.into() })
}

fn guest((source, layout): (SourceId, OnAirLayout)) -> GuestOnAir {
    let layout = match layout {
        OnAirLayout::SideBySide => Layout::SideBySide,
        OnAirLayout::Inset => Layout::Inset,
        OnAirLayout::GuestOnly => Layout::GuestOnly,
    };
    GuestOnAir { source, layout }
}

fn marked(marker: Marker) -> Marked {
    let kind = match marker.kind {
        MarkerKind::Goal => "goal",
        MarkerKind::Card => "card",
        MarkerKind::Chance => "chance",
        MarkerKind::Period => "period",
        MarkerKind::Other => "other",
    };
    Marked { id: marker.id.to_string(), kind: kind.to_owned(), label: marker.label, media_ms: marker.media_time_ms }
}
