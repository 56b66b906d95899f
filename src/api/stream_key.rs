//! `/api/v1/me/stream-key`: the key with which the person's encoder publishes over WHIP.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::asker::{Asker, PRIVATE};
use crate::accounts::Asked;
use crate::signaling::Live;
use crate::signaling::http::needed_bearer;
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::accounts::StreamKey;
use crate::store::StreamKeyRecord;

pub(super) async fn get(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let record = live.accounts().stream_key(&who).await?;
    Ok(([PRIVATE], Json(to_stream_key(&record, None))).into_response())
}

/// Makes a new one, in place of the old one. The answer shows it, and nothing ever does again.
pub(super) async fn make(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        let (key, record) = live.accounts().new_stream_key(&who, asker.now_ms).await?;
        Ok((StatusCode::CREATED, [PRIVATE], Json(to_stream_key(&record, Some(key)))).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn drop_key(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.accounts().drop_stream_key(&who).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) fn to_stream_key(record: &StreamKeyRecord, key: Option<String>) -> StreamKey {
    StreamKey { key, created_at_ms: record.created_at_ms, used_at_ms: record.used_at_ms }
}
