//! The JSON shapes of accounts: signing up and in, profiles, devices, stream keys, roles. What holds a password or a code has no `Debug`.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BroadcastId, SignInId, UserId};
use crate::social::people::{Person, PrivateMessage};
use crate::store::Role;

/// Body of `POST /api/v1/auth/sign-up`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewAccount {
    /// 1 to 40 characters; no two accounts have the same.
    pub name: String,
    pub email: String,
    /// 8 to 256 characters.
    pub password: String,
}

/// Body of `POST /api/v1/auth/sign-in`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Credentials {
    pub email: String,
    pub password: String,
}

/// A device is signed in; its refresh token is in the cookie that came with this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SignedIn {
    pub account: Account,
    /// The access token, for `Authorization` and `hello`.
    pub token: String,
    /// When it expires, ms since the Unix epoch: refresh before.
    #[ts(type = "number")]
    pub expires_at_ms: u64,
}

/// What a person sees of their own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Account {
    #[ts(type = "string")]
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub email_verified: bool,
    pub roles: Vec<Role>,
    /// 0: there has never been a picture.
    pub picture_version: u32,
    /// Friends are not shown what this person watches.
    pub hide_watching: bool,
    #[ts(type = "number")]
    pub created_at_ms: u64,
}

/// Body of `PATCH /api/v1/me/account`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct AccountChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hide_watching: Option<bool>,
}

/// Body of `PUT /api/v1/me/account/email`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewEmail {
    pub email: String,
    pub password: String,
}

/// Body of `PUT /api/v1/me/account/password`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct PasswordChange {
    pub current: String,
    pub new: String,
}

/// Body of `DELETE /api/v1/me/account`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Confirmation {
    pub password: String,
}

/// Body of `POST /api/v1/auth/verify-email`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct EmailCode {
    pub code: String,
}

/// Body of `POST /api/v1/auth/forgot-password`.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ForgottenPassword {
    pub email: String,
}

/// Body of `POST /api/v1/auth/reset-password`.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct PasswordReset {
    pub code: String,
    pub password: String,
}

/// A device on which the person is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Device {
    #[ts(type = "string")]
    pub id: SignInId,
    /// What its browser calls itself.
    pub name: String,
    #[ts(type = "number")]
    pub signed_in_at_ms: u64,
    #[ts(type = "number")]
    pub seen_at_ms: u64,
}

/// Answer to `GET /api/v1/me/devices`: the last seen first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceList {
    pub devices: Vec<Device>,
}

/// The person's stream key. The key itself is only in the answer that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StreamKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub key: Option<String>,
    #[ts(type = "number")]
    pub created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub used_at_ms: Option<u64>,
}

/// Answer to `GET /api/v1/broadcasts/{broadcast}/moderators`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ModeratorList {
    #[ts(type = "Array<string>")]
    pub moderators: Vec<UserId>,
}

/// Body of `PUT /api/v1/users/{user}/roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Roles {
    pub roles: Vec<Role>,
}

/// Answer to `GET /api/v1/me/account/export`: everything that is kept of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AccountExport {
    pub account: Account,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub picture: Option<ExportedPicture>,
    pub devices: Vec<Device>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub stream_key: Option<StreamKey>,
    pub broadcasts: Vec<ExportedBroadcast>,
    /// Friends, requests, and whom the person has blocked or follows; guests without a name.
    pub people: Vec<Person>,
    pub private_messages: Vec<PrivateMessage>,
    pub chat_messages: Vec<ExportedChatMessage>,
}

/// What a person said in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportedChatMessage {
    #[ts(type = "string")]
    pub broadcast: BroadcastId,
    #[ts(type = "number")]
    pub at_ms: u64,
    pub text: String,
}

/// A picture in an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportedPicture {
    pub content_type: String,
    pub base64: String,
}

/// A broadcast in its owner's export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportedBroadcast {
    #[ts(type = "string")]
    pub id: BroadcastId,
    pub slug: String,
    pub title: String,
    #[ts(type = "number")]
    pub created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub started_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub ended_at_ms: Option<u64>,
    pub viewers_peak: u32,
}
