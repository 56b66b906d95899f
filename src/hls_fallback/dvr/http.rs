//! What is recorded, over HTTP: playlists that reach back, segments from the storage under the addresses that they had live, preview pictures.
//!
//! ```text
//! dvr.m3u8   thumbs.vtt   {rendition}/dvr.m3u8 ?_HLS_skip=YES   {rendition}/init-{n}.mp4  s{msn}.m4s   thumbs/t{first}-{count}.jpg
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::response::{IntoResponse, Response};

use super::Dvr;
use super::recording::{Recording, Text};
use super::storage::StorageError;
use super::texts;
use super::timeline::{SPRITES, Timeline};
use crate::hls_fallback::http::{File, JPEG, M3U8, PLAYLIST, Refused, VIDEO, dress, text};
use crate::hls_fallback::range::Plan;
use crate::hls_fallback::{Asked, Hls, Wanted};
use crate::ids::BroadcastId;

const VTT: &str = "text/vtt; charset=utf-8";
/// A playlist that never changes again may still be deleted.
const FINAL: &str = "max-age=60";

/// `None`: this file is not one of a recording.
pub(in crate::hls_fallback) async fn broadcast_file(hls: &Hls, asked: Asked<'_>, file: &str) -> Option<Result<Response, Refused>> {
    let (which, kind) = match file {
        texts::FILE => (Text::Master, M3U8),
        "thumbs.vtt" => (Text::Thumbs, VTT),
        _ => return None,
    };
    Some(answer(hls, asked, &which, kind).await)
}

/// `None`: this file is not one of a recording, or the live shelf has it.
pub(in crate::hls_fallback) async fn rendition_file(
    hls: &Hls,
    asked: Asked<'_>,
    (rendition, file): (&str, &str),
    query: &str,
) -> Option<Result<Response, Refused>> {
    if file == texts::FILE {
        let is_delta = query.split('&').any(|pair| matches!(pair, "_HLS_skip=YES" | "_HLS_skip=v2"));
        let which = Text::Media { rendition: rendition.to_owned(), is_delta };
        return Some(answer(hls, asked, &which, M3U8).await);
    }
    if rendition == SPRITES {
        return Some(stored(hls, asked, (rendition, file), JPEG, |timeline| timeline.sprite_bytes(file)).await);
    }
    let dvr = hls.dvr()?;
    let file_kind = File::parse(file)?;
    let id = match hls.admit(asked, Wanted::OnAirOrReplay) {
        Ok(id) => id,
        Err(refused) => return Some(Err(refused)),
    };
    if hls.is_on_shelf(id, rendition, file_kind) {
        return None;
    }
    let found = |timeline: &Timeline| match file_kind {
        File::Init(number) => timeline.init_bytes(rendition, number),
        File::Segment(number) => timeline.segment_bytes(rendition, number),
        File::Playlist { .. } | File::Part(..) => None,
    };
    match file_kind {
        File::Init(_) | File::Segment(_) => Some(read(hls, asked, (dvr, id), (rendition, file), VIDEO, found).await),
        File::Playlist { .. } | File::Part(..) => None,
    }
}

async fn answer(hls: &Hls, asked: Asked<'_>, which: &Text, kind: &'static str) -> Result<Response, Refused> {
    let dvr = hls.dvr().ok_or(Refused::NotFound)?;
    let id = hls.admit(asked, Wanted::OnAirOrReplay)?;
    let recording = recording(dvr, id).await?;
    recording.set_markers(hls.markers(id));
    let packed = recording.text(which).ok_or(Refused::NotFound)?;
    let cache = if recording.has_ended() { FINAL } else { PLAYLIST };
    Ok(text(hls, asked, &packed, kind, cache))
}

async fn stored(
    hls: &Hls,
    asked: Asked<'_>,
    file: (&str, &str),
    kind: &'static str,
    find: impl FnOnce(&Timeline) -> Option<u64>,
) -> Result<Response, Refused> {
    let dvr = hls.dvr().ok_or(Refused::NotFound)?;
    let id = hls.admit(asked, Wanted::OnAirOrReplay)?;
    read(hls, asked, (dvr, id), file, kind, find).await
}

/// A file whose length the index knows. It is sent as it is read: nobody holds all of it.
async fn read(
    hls: &Hls,
    asked: Asked<'_>,
    (dvr, id): (&Dvr, BroadcastId),
    (folder, file): (&str, &str),
    kind: &'static str,
    find: impl FnOnce(&Timeline) -> Option<u64>,
) -> Result<Response, Refused> {
    let len = recording(dvr, id).await?.with(find).ok_or(Refused::NotFound)?;
    let plan = Plan::new(len as usize, asked.headers);
    let body = match plan.range() {
        Some(range) => {
            let stream = dvr.storage().get(id, folder, file, range.start as u64..range.end as u64).await.map_err(|error| match error {
                StorageError::NotFound => Refused::NotFound,
                other => {
                    tracing::warn!(broadcast = %id, folder, file, error = %other, "a recorded file cannot be read");
                    Refused::Unreadable
                }
            })?;
            Body::from_stream(stream)
        }
        None => Body::empty(),
    };
    Ok(dress(hls, asked, plan, body.into_response(), kind))
}

async fn recording(dvr: &Dvr, id: BroadcastId) -> Result<std::sync::Arc<Recording>, Refused> {
    static ASKED: AtomicU64 = AtomicU64::new(1);
    dvr.recording(id, ASKED.fetch_add(1, Ordering::Relaxed)).await.ok_or(Refused::NotFound)
}
