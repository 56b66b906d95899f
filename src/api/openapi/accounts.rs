//! The part of the description that concerns accounts.

use serde_json::{Value, json};

use super::schema::{all_of, email, list_of, name, one_of, or_null, plain, reference};
use super::{operation, path_parameter, pictures, problem, version_parameter};
use crate::limits::PASSWORD_CHARS;

/// Under `/api/v1/auth`, `/api/v1/me`, `/api/v1/users`, and moderators of broadcasts.
pub(super) fn paths() -> Value {
    let moderator = json!([{ "$ref": "#/components/parameters/broadcast" }, { "$ref": "#/components/parameters/user" }]);
    let user = json!([{ "$ref": "#/components/parameters/user" }]);
    json!({
        "/api/v1/auth/sign-up": {
            "post": own_page(limited(operation(
                "Make an account and sign this device in. With a guest's token the guest becomes the account and keeps their id.",
                Some("NewAccount"),
                &[("201", Some("SignedIn")), ("401", None), ("403", None), ("409", None), ("422", None), ("503", None)],
            )))
        },
        "/api/v1/auth/sign-in": {
            "post": own_page(limited(operation(
                "Sign this device in.",
                Some("Credentials"),
                &[("200", Some("SignedIn")), ("401", None), ("403", None), ("503", None)],
            )))
        },
        "/api/v1/auth/refresh": {
            "post": cookied(own_page(limited(operation(
                "The next access token. The refresh token in the cookie is replaced; one that comes again later signs the device out.",
                None,
                &[("200", Some("SignedIn")), ("401", None), ("403", None), ("503", None)],
            ))))
        },
        "/api/v1/auth/sign-out": {
            // Also without the cookie: then it is signed out already.
            "post": perhaps_cookied(own_page(limited(operation("Sign this device out.", None, &[("204", None), ("403", None), ("503", None)]))))
        },
        "/api/v1/auth/sign-out-everywhere": {
            "post": limited(operation("Sign every device of the bearer out.", None, &[("204", None), ("401", None), ("403", None), ("503", None)]))
        },
        "/api/v1/auth/verify-email": {
            "post": limited(operation(
                "Confirm an e-mail address with the code that was sent there.",
                Some("EmailCode"),
                &[("204", None), ("403", None), ("409", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/auth/forgot-password": {
            "post": limited(operation(
                "Send a code for a new password, if there is such an account. The answer is the same if there is none.",
                Some("ForgottenPassword"),
                &[("202", None), ("503", None)],
            ))
        },
        "/api/v1/auth/reset-password": {
            "post": limited(operation(
                "Choose a new password with the code that was sent. Every device is signed out.",
                Some("PasswordReset"),
                &[("204", None), ("401", None), ("403", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/me/account": {
            "get": operation("The bearer's account.", None, &[("200", Some("Account")), ("401", None), ("403", None), ("503", None)]),
            "patch": limited(operation(
                "Change the name (tokens carry the new one after the next refresh), or whether friends are shown what the person watches.",
                Some("AccountChanges"),
                &[("200", Some("Account")), ("401", None), ("403", None), ("409", None), ("422", None), ("503", None)],
            )),
            "delete": limited(operation(
                "Delete the account and all that hangs on it, and end its running broadcasts.",
                Some("Confirmation"),
                &[("204", None), ("401", None), ("403", None), ("503", None)],
            ))
        },
        "/api/v1/me/account/email": {
            "put": limited(operation(
                "Ask for another e-mail address: it is the account's once the code that is sent there has been redeemed.",
                Some("NewEmail"),
                &[("202", None), ("401", None), ("403", None), ("409", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/me/account/email/verification": {
            "post": limited(operation(
                "Send the confirmation of the address again.", None, &[("202", None), ("401", None), ("403", None), ("503", None)],
            ))
        },
        "/api/v1/me/account/password": {
            "put": limited(operation(
                "Change the password. Every other device is signed out; this one gets new tokens.",
                Some("PasswordChange"),
                &[("200", Some("SignedIn")), ("401", None), ("403", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/me/account/picture": {
            "put": limited(json!({
                "summary": "Replace the picture: JPEG or WebP, at most 128 KiB.",
                "requestBody": { "required": true, "content": pictures() },
                "responses": { "204": { "description": "Done." }, "401": problem(), "403": problem(), "413": problem(), "415": problem(), "503": problem() }
            })),
            "delete": limited(operation("Remove the picture.", None, &[("204", None), ("401", None), ("403", None), ("503", None)]))
        },
        "/api/v1/me/account/export": {
            "get": limited(operation(
                "Everything that is kept of the bearer.", None, &[("200", Some("AccountExport")), ("401", None), ("403", None), ("503", None)],
            ))
        },
        "/api/v1/me/devices": {
            "get": operation(
                "Where the bearer is signed in, the last seen first.", None,
                &[("200", Some("DeviceList")), ("401", None), ("403", None), ("503", None)],
            )
        },
        "/api/v1/me/devices/{device}": {
            "parameters": [path_parameter("device", "Id of a device.")],
            "delete": limited(operation("Sign a device out.", None, &[("204", None), ("401", None), ("403", None), ("404", None), ("503", None)]))
        },
        "/api/v1/me/stream-key": {
            "get": operation(
                "When the stream key was made and last used.", None,
                &[("200", Some("StreamKey")), ("401", None), ("403", None), ("404", None), ("503", None)],
            ),
            "post": limited(operation(
                "Make a stream key, in place of the one there was. It is shown in this answer alone; WHIP takes it as bearer token.",
                None,
                &[("201", Some("StreamKey")), ("401", None), ("403", None), ("503", None)],
            )),
            "delete": limited(operation("Make the key void.", None, &[("204", None), ("401", None), ("403", None), ("404", None), ("503", None)]))
        },
        "/api/v1/users/{user}": {
            "parameters": user,
            "get": operation(
                "What others see of a person with an account; for a bearer with one, what they are to each other.", None,
                &[("200", Some("Person")), ("401", None), ("404", None), ("503", None)],
            )
        },
        "/api/v1/users/{user}/picture": {
            "parameters": user,
            "get": {
                "summary": "A person's picture. With ?v= of their picture_version it may be cached for ever.",
                "parameters": [version_parameter()],
                "responses": {
                    "200": { "description": "The picture.", "content": pictures() },
                    "304": { "description": "Not modified." },
                    "404": problem(), "503": problem()
                }
            }
        },
        "/api/v1/users/{user}/roles": {
            "parameters": user,
            "put": operation(
                "Give a user these roles and no others. For operators.",
                Some("Roles"),
                &[("204", None), ("401", None), ("403", None), ("404", None), ("503", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/moderators": {
            "parameters": [{ "$ref": "#/components/parameters/broadcast" }],
            "get": operation(
                "Who moderates it besides its owner. For the owner and operators.", None,
                &[("200", Some("ModeratorList")), ("401", None), ("403", None), ("404", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/moderators/{user}": {
            "parameters": moderator,
            "put": operation(
                "Let a person with an account moderate it.", None,
                &[("204", None), ("401", None), ("403", None), ("404", None), ("410", None), ("503", None)],
            ),
            "delete": operation(
                "Let them no longer moderate it.", None, &[("204", None), ("401", None), ("403", None), ("404", None), ("410", None)],
            )
        }
    })
}

/// Also answers 429, and says how much is left.
pub(super) fn limited(mut operation: Value) -> Value {
    let header = |what: &str| super::header(what, "integer");
    let mut refused = problem();
    refused["headers"] = json!({
        "Retry-After": header("Seconds until one more is allowed."),
        "RateLimit-Limit": header("Requests at once."),
        "RateLimit-Remaining": header("How many are left."),
        "RateLimit-Reset": header("Seconds until all are back.")
    });
    operation["responses"]["429"] = refused;
    operation
}

/// Taken from pages of this server alone.
fn own_page(mut operation: Value) -> Value {
    operation["parameters"] = json!([{
        "name": "X-Courtside", "in": "header", "required": true, "schema": { "type": "string" },
        "description": "Anything. Pages of other origins cannot send it."
    }]);
    operation
}

/// Known by the cookie.
fn cookied(mut operation: Value) -> Value {
    operation["security"] = json!([{ "refresh": [] }, { "secure_refresh": [] }]);
    operation
}

/// As [`cookied`], and answered all the same where there is none.
fn perhaps_cookied(operation: Value) -> Value {
    let mut operation = cookied(operation);
    if let Some(ways) = operation["security"].as_array_mut() {
        ways.insert(0, json!({}));
    }
    operation
}

/// How `cookied` operations know the device.
pub(super) fn security_schemes() -> Value {
    json!({
        "refresh": { "type": "apiKey", "in": "cookie", "name": "courtside_refresh" },
        "secure_refresh": { "type": "apiKey", "in": "cookie", "name": "__Secure-courtside_refresh", "description": "Under HTTPS." }
    })
}

pub(super) fn schemas() -> Value {
    let [text, number, integer, boolean] = plain();
    let (least, most) = PASSWORD_CHARS;
    let password = json!({ "type": "string", "minLength": least, "maxLength": most });
    json!({
        "NewAccount": all_of(
            json!({ "name": name(), "email": email(), "password": password }),
            &["name", "email", "password"],
        ),
        "Credentials": all_of(json!({ "email": text, "password": text }), &["email", "password"]),
        "SignedIn": all_of(
            json!({ "account": reference("Account"), "token": text, "expires_at_ms": number }),
            &["account", "token", "expires_at_ms"],
        ),
        "Account": all_of(
            json!({
                "id": text, "name": text, "email": text, "email_verified": boolean, "roles": list_of("Role"),
                "picture_version": integer, "hide_watching": boolean, "created_at_ms": number
            }),
            &["id", "name", "email", "email_verified", "roles", "picture_version", "hide_watching", "created_at_ms"],
        ),
        "Role": one_of(&["broadcaster", "operator"]),
        "Roles": all_of(json!({ "roles": list_of("Role") }), &["roles"]),
        "AccountChanges": all_of(json!({ "name": or_null(name()), "hide_watching": or_null(boolean.clone()) }), &[]),
        "NewEmail": all_of(json!({ "email": email(), "password": text }), &["email", "password"]),
        "PasswordChange": all_of(json!({ "current": text, "new": password }), &["current", "new"]),
        "Confirmation": all_of(json!({ "password": text }), &["password"]),
        "EmailCode": all_of(json!({ "code": text }), &["code"]),
        "ForgottenPassword": all_of(json!({ "email": text }), &["email"]),
        "PasswordReset": all_of(json!({ "code": text, "password": password }), &["code", "password"]),
        "Device": all_of(
            json!({ "id": text, "name": text, "signed_in_at_ms": number, "seen_at_ms": number }),
            &["id", "name", "signed_in_at_ms", "seen_at_ms"],
        ),
        "DeviceList": all_of(json!({ "devices": list_of("Device") }), &["devices"]),
        "StreamKey": all_of(json!({ "key": text, "created_at_ms": number, "used_at_ms": number }), &["created_at_ms"]),
        "ModeratorList": all_of(json!({ "moderators": { "type": "array", "items": text } }), &["moderators"]),
        "AccountExport": all_of(
            json!({
                "account": reference("Account"), "picture": reference("ExportedPicture"), "devices": list_of("Device"),
                "stream_key": reference("StreamKey"), "broadcasts": list_of("ExportedBroadcast"),
                "people": list_of("Person"), "private_messages": list_of("PrivateMessage"),
                "chat_messages": list_of("ExportedChatMessage")
            }),
            &["account", "devices", "broadcasts", "people", "private_messages", "chat_messages"],
        ),
        "ExportedChatMessage": all_of(json!({ "broadcast": text, "at_ms": number, "text": text }), &["broadcast", "at_ms", "text"]),
        "ExportedPicture": all_of(json!({ "content_type": text, "base64": text }), &["content_type", "base64"]),
        "ExportedBroadcast": all_of(
            json!({
                "id": text, "slug": text, "title": text, "created_at_ms": number, "started_at_ms": number, "ended_at_ms": number,
                "viewers_peak": integer
            }),
            &["id", "slug", "title", "created_at_ms", "viewers_peak"],
        )
    })
}
