//! `/api/v1/me/account` and `/api/v1/me/devices`: what people see and change of themselves.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::asker::{Asker, PRIVATE};
use super::auth::session;
use super::cookie;
use super::stream_key::to_stream_key;
use crate::accounts::{AccountError, Asked, Export, RateKey};
use crate::ids::BroadcastId;
use crate::limits::PICTURE_BYTES_MAX;
use crate::signaling::Live;
use crate::signaling::http::{needed_bearer, read_body, read_json};
use crate::signaling::live::{picture_type, text_of_event};
use crate::signaling::protocol::{Person, PrivateMessage};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::accounts::{
    Account, AccountChanges, AccountExport, Confirmation, Device, DeviceList, ExportedBroadcast, ExportedChatMessage, ExportedPicture,
    NewEmail, PasswordChange,
};
use crate::store::{AccountRecord, BroadcastRecord, ChatEventRecord, SignInRecord};

pub(super) async fn get(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let account = live.accounts().account(&who).await?;
    Ok(([PRIVATE], Json(to_account(&account))).into_response())
}

pub(super) async fn change(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let AccountChanges { name, hide_watching } = read_json(&headers, body).await?;
    let answer = async {
        if let Some(hide) = hide_watching {
            live.hide_watching(&who, hide).await?;
        }
        let account = match name {
            Some(name) => live.accounts().rename(&who, &name).await?,
            None => live.accounts().account(&who).await?,
        };
        Ok(([PRIVATE], Json(to_account(&account))).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

/// 202: the address is the account's once the letter that was sent there has been answered.
pub(super) async fn change_email(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let NewEmail { email, password } = read_json(&headers, body).await?;
    let answer = async {
        let answer = async {
            live.accounts().change_email(&who, &email, password, asker.now_ms).await?;
            Ok(StatusCode::ACCEPTED.into_response())
        };
        Ok(asker.counted(&live, Asked::Letter, Some(RateKey::mailbox(&email)), answer).await)
    };
    Ok(asker.counted_for(&live, Asked::Confirmed, who.sub, answer).await)
}

pub(super) async fn resend_verification(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let account = live.accounts().account(&who).await?;
    let answer = async {
        live.accounts().resend_verification(&who, asker.now_ms).await?;
        Ok(StatusCode::ACCEPTED.into_response())
    };
    Ok(asker.counted(&live, Asked::Letter, Some(RateKey::mailbox(&account.email)), answer).await)
}

pub(super) async fn change_password(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let PasswordChange { current, new } = read_json(&headers, body).await?;
    let answer = async {
        let signed_in = live.accounts().change_password(&who, current, new, &asker.device, asker.now_ms).await?;
        Ok(session(&live, StatusCode::OK, signed_in))
    };
    Ok(asker.counted_for(&live, Asked::Confirmed, who.sub, answer).await)
}

pub(super) async fn set_picture(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    live.accounts().account(&who).await?;
    let bytes = read_body(body, "a picture", PICTURE_BYTES_MAX).await?;
    let answer = async {
        let content_type = picture_type(&bytes).ok_or(Refusal::UnsupportedMediaType("image/jpeg or image/webp"))?;
        let version = live.accounts().set_picture(&who, Some((content_type, &bytes))).await?;
        Ok((StatusCode::NO_CONTENT, [(header::ETAG, format!("\"{version}\""))]).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn remove_picture(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.accounts().set_picture(&who, None).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

/// Everything that is kept of the person, as a file.
pub(super) async fn export(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        let export = live.accounts().export(&who, asker.now_ms).await?;
        let as_file = (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"courtside-account.json\""));
        Ok(([PRIVATE, as_file], Json(to_export(&export))).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

/// The account goes for good; broadcasts that it runs end.
pub(super) async fn delete(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let Confirmation { password } = read_json(&headers, body).await?;
    let answer = async {
        live.accounts().delete(&who, password).await?;
        live.end_all_of(&who);
        Ok((StatusCode::NO_CONTENT, cookie::remove(&live)).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Confirmed, who.sub, answer).await)
}

pub(super) async fn devices(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let sign_ins = live.accounts().sign_ins(&who, asker.now_ms).await?;
    Ok(([PRIVATE], Json(DeviceList { devices: sign_ins.iter().map(to_device).collect() })).into_response())
}

pub(super) async fn sign_device_out(
    State(live): State<Live>,
    Path(device): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        let device = device.parse().map_err(|_| AccountError::NotFound("device"))?;
        live.accounts().end_sign_in(&who, device).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) fn to_account(account: &AccountRecord) -> Account {
    Account {
        id: account.user.id,
        name: account.user.name.clone(),
        email: account.email.clone(),
        email_verified: account.email_verified_at_ms.is_some(),
        roles: account.user.roles.clone(),
        picture_version: account.picture_version,
        hide_watching: account.hide_watching,
        created_at_ms: account.user.created_at_ms,
    }
}

fn to_device(sign_in: &SignInRecord) -> Device {
    Device { id: sign_in.id, name: sign_in.device.clone(), signed_in_at_ms: sign_in.created_at_ms, seen_at_ms: sign_in.rotated_at_ms }
}

fn to_export(export: &Export) -> AccountExport {
    let to_broadcast = |record: &BroadcastRecord| ExportedBroadcast {
        id: record.id,
        slug: record.slug.clone(),
        title: record.title.clone(),
        created_at_ms: record.created_at_ms,
        started_at_ms: record.started_at_ms,
        ended_at_ms: record.ended_at_ms,
        viewers_peak: record.viewers_peak,
    };
    let picture = export.picture.as_ref();
    // A person who is followed and a friend is listed once.
    let others = export.followed.iter().filter(|one| export.people.iter().all(|known| known.id != one.id));
    let people = export.people.iter().chain(others).cloned().map(Person::from).collect();
    AccountExport {
        account: to_account(&export.account),
        picture: picture.map(|one| ExportedPicture { content_type: one.content_type.clone(), base64: STANDARD.encode(&one.bytes) }),
        devices: export.sign_ins.iter().map(to_device).collect(),
        stream_key: export.stream_key.as_ref().map(|key| to_stream_key(key, None)),
        broadcasts: export.broadcasts.iter().map(to_broadcast).collect(),
        people,
        private_messages: export.private_messages.iter().cloned().map(PrivateMessage::from).collect(),
        chat_messages: export.chat_events.iter().filter_map(|(broadcast, event)| to_chat_message(*broadcast, event)).collect(),
    }
}

/// Of a message, not of a change to one.
fn to_chat_message(broadcast: BroadcastId, event: &ChatEventRecord) -> Option<ExportedChatMessage> {
    let text = text_of_event(&event.event_json)?;
    Some(ExportedChatMessage { broadcast, at_ms: event.at_ms, text })
}
