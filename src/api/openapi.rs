//! The OpenAPI 3.1 description of `/api/v1`, WHIP and WHEP, written by hand; a test holds it to the routes.

mod accounts;
mod people;
mod schema;

use axum::Json;
use serde_json::{Value, json};

use self::schema::{all_of, line, list_of, one_of, or_null, plain, reference, slug, whole};
use crate::limits::{MARKER_LABEL_MAX, MATCH_CLOCK_MAX_MS, PERIOD_MAX, SCORE_MAX, TEAM_NAME_MAX, TEAM_SHORT_MAX, TITLE_MAX};

pub(super) async fn get() -> Json<Value> {
    Json(document())
}

/// The description.
pub(super) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Courtside",
            "version": "1",
            "description": "Live sport in the browser. The WebSocket protocol at /v1/ws is described in docs/protocol.md.",
            "license": { "name": "MIT OR Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "paths": finished(joined(joined(paths(), accounts::paths()), people::paths())),
        "components": {
            "securitySchemes": joined(
                json!({ "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } }),
                accounts::security_schemes(),
            ),
            "parameters": {
                "broadcast": path_parameter("broadcast", "Id or slug of a broadcast."),
                "session": path_parameter("session", "Id of a media session."),
                "user": path_parameter("user", "Id of a person.")
            },
            "schemas": joined(joined(schemas(), accounts::schemas()), people::schemas())
        }
    })
}

/// Two objects as one; neither has a key of the other.
fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// What holds wherever the same is described: who must have a token, and that a refusal for want of one says how to come by it.
fn finished(mut paths: Value) -> Value {
    for (path, item) in paths.as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten().filter(|(key, _)| *key != "parameters") {
            if is_for_bearers(path) {
                operation["security"] = json!([{ "bearer": [] }]);
            }
            if let Some(refused) = operation["responses"].get_mut("401") {
                refused["headers"]["WWW-Authenticate"] = header("`Bearer`, and what is wrong with the token (RFC 6750).", "string");
            }
        }
    }
    paths
}

/// Whether nothing is answered there without a token, whatever the settings of the server.
fn is_for_bearers(path: &str) -> bool {
    path.starts_with("/api/v1/me/") || path.ends_with("/roles") || matches!(path, "/api/v1/people" | "/api/v1/auth/sign-out-everywhere")
}

/// A header that the answer always has.
fn header(description: &str, kind: &str) -> Value {
    json!({ "description": description, "required": true, "schema": { "type": kind } })
}

fn paths() -> Value {
    let broadcast = json!([{ "$ref": "#/components/parameters/broadcast" }]);
    let marker = json!([
        { "$ref": "#/components/parameters/broadcast" },
        path_parameter("marker", "Id of a marker.")
    ]);
    json!({
        "/api/v1/broadcasts": {
            "get": operation("List public broadcasts that have not ended, live ones first.", None, &[("200", Some("BroadcastList"))]),
            "post": located(operation(
                "Make a broadcast. Open to everybody where the server says so, else for tokens with the publish grant.",
                Some("NewBroadcast"),
                &[("201", Some("CreatedBroadcast")), ("401", None), ("403", None), ("409", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/broadcasts/{broadcast}": {
            "parameters": broadcast,
            "get": operation("One broadcast.", None, &[("200", Some("Broadcast")), ("404", None)]),
            "patch": operation(
                "Change title, visibility, teams, score or clock. Absent fields stay, null clears.",
                Some("BroadcastChanges"),
                &[("200", Some("Broadcast")), ("401", None), ("403", None), ("404", None), ("410", None), ("422", None)],
            ),
            "delete": operation("End it for good.", None, &[("200", Some("Broadcast")), ("401", None), ("403", None), ("404", None)])
        },
        "/api/v1/broadcasts/{broadcast}/markers": {
            "parameters": broadcast,
            "post": operation(
                "Mark a moment.",
                Some("NewMarker"),
                &[("201", Some("Marker")), ("401", None), ("403", None), ("404", None), ("410", None), ("422", None), ("503", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/markers/{marker}": {
            "parameters": marker,
            "delete": operation("Remove a marker.", None, &[("204", None), ("401", None), ("403", None), ("404", None), ("410", None)])
        },
        "/api/v1/broadcasts/{broadcast}/hls": {
            "parameters": broadcast,
            "get": operation(
                "Under which path players that send no header find its HLS and DASH; signed where viewing is not open.", None,
                &[("200", Some("HlsPath")), ("401", None), ("403", None), ("404", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/poster": {
            "parameters": broadcast,
            "get": {
                "summary": "The poster. With ?v= of the broadcast's poster_version it may be cached for ever.",
                "parameters": [version_parameter()],
                "responses": {
                    "200": { "description": "The picture.", "content": pictures() },
                    "304": { "description": "Not modified." },
                    "404": problem()
                }
            },
            "put": {
                "summary": "Replace the poster: JPEG or WebP, at most 256 KiB.",
                "requestBody": { "required": true, "content": pictures() },
                "responses": { "204": { "description": "Done." }, "401": problem(), "403": problem(), "404": problem(), "410": problem(), "413": problem(), "415": problem(), "503": problem() }
            }
        },
        "/api/v1/me": {
            "get": operation("Who the bearer is. A stranger becomes a guest.", None, &[("200", Some("Me")), ("401", None)])
        },
        "/api/v1/openapi.json": {
            "get": { "summary": "This document.", "responses": { "200": { "description": "OpenAPI 3.1.", "content": { "application/json": {} } } } }
        },
        "/whip/{broadcast}": {
            "parameters": broadcast,
            "post": sdp_offer("Publish (WHIP, RFC 9725), with a token or a stream key. A free slug becomes a broadcast where the bearer may make one.")
        },
        "/whip/{broadcast}/{session}": sdp_session(),
        "/whep/{broadcast}": {
            "parameters": broadcast,
            "post": sdp_offer("Watch (WHEP). 409 with Retry-After while nobody has published yet.")
        },
        "/whep/{broadcast}/{session}": sdp_session()
    })
}

fn operation(summary: &str, body: Option<&str>, responses: &[(&str, Option<&str>)]) -> Value {
    let mut operation = json!({ "summary": summary, "responses": {} });
    for (status, schema) in responses {
        let is_error = status.starts_with('4') || status.starts_with('5');
        operation["responses"][*status] = match schema {
            Some(schema) => json!({ "description": "Done.", "content": json_content(schema) }),
            None if is_error => problem(),
            None => json!({ "description": "Done." }),
        };
    }
    if let Some(schema) = body {
        operation["requestBody"] = json!({ "required": true, "content": json_content(schema) });
        for status in ["400", "413", "415"] {
            operation["responses"][status] = problem();
        }
    }
    operation
}

/// 201 says where what was made is found.
fn located(mut operation: Value) -> Value {
    operation["responses"]["201"]["headers"] = json!({ "Location": header("What was made.", "string") });
    operation
}

fn sdp_offer(summary: &str) -> Value {
    json!({
        "summary": summary,
        "requestBody": { "required": true, "content": { "application/sdp": { "schema": { "type": "string" } } } },
        "responses": {
            "201": {
                "description": "The answer. Location is the media session, ETag its ICE generation, Link its ICE servers.",
                "headers": {
                    "Location": header("The media session.", "string"),
                    "ETag": header("Its ICE generation.", "string"),
                    "Accept-Patch": header("What PATCH takes.", "string")
                },
                "content": { "application/sdp": { "schema": { "type": "string" } } }
            },
            "400": problem(), "401": problem(), "403": problem(), "404": problem(), "409": problem(), "410": problem(), "413": problem(),
            "415": problem(), "422": problem(), "429": problem(), "503": problem()
        }
    })
}

fn sdp_session() -> Value {
    json!({
        "parameters": [{ "$ref": "#/components/parameters/broadcast" }, { "$ref": "#/components/parameters/session" }],
        "patch": {
            "summary": "Trickle candidates (If-Match: ETag) or restart ICE (If-Match: *).",
            "parameters": [{ "name": "If-Match", "in": "header", "required": true, "schema": { "type": "string" } }],
            "requestBody": { "required": true, "content": { "application/trickle-ice-sdpfrag": { "schema": { "type": "string" } } } },
            "responses": {
                "200": {
                    "description": "ICE restarted: the new credentials and candidates.",
                    "headers": { "ETag": header("The new ICE generation.", "string") },
                    "content": { "application/trickle-ice-sdpfrag": { "schema": { "type": "string" } } }
                },
                "204": { "description": "Accepted." },
                "400": problem(), "401": problem(), "403": problem(), "404": problem(), "412": problem(), "415": problem(), "428": problem()
            }
        },
        "delete": {
            "summary": "End the media session.",
            "responses": { "200": { "description": "Done." }, "401": problem(), "403": problem(), "404": problem() }
        }
    })
}

fn path_parameter(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
}

/// For caches: the server answers whatever it says.
fn version_parameter() -> Value {
    json!({ "name": "v", "in": "query", "description": "The current version. Anything else is answered too, not to be kept.", "schema": { "type": "string" } })
}

fn json_content(schema: &str) -> Value {
    json!({ "application/json": { "schema": reference(schema) } })
}

fn problem() -> Value {
    json!({ "description": "Refused.", "content": { "application/problem+json": { "schema": reference("Problem") } } })
}

fn pictures() -> Value {
    json!({ "image/jpeg": {}, "image/webp": {} })
}

fn schemas() -> Value {
    let [text, number, integer, boolean] = plain();
    json!({
        "Broadcast": all_of(json!({
            "id": text, "slug": text, "title": text, "visibility": reference("Visibility"),
            "state": one_of(&["idle", "live", "reconnecting", "ended"]),
            "created_at_ms": number, "started_at_ms": number, "ended_at_ms": number, "viewers": integer, "viewers_peak": integer,
            "video_codec": one_of(&["h264", "vp8", "vp9", "av1"]), "has_audio": boolean, "poster_version": integer,
            "layers": list_of("Layer"), "teams": reference("Teams"), "score": reference("Score"), "clock": reference("MatchClock"),
            "markers": list_of("Marker"), "dvr": reference("Dvr"), "replay": boolean, "guest": reference("Guest")
        }), &["id", "slug", "title", "visibility", "state", "created_at_ms", "viewers", "viewers_peak", "has_audio", "poster_version", "layers", "markers"]),
        "Layer": all_of(json!({
            "spatial": integer, "width": integer, "height": integer, "bitrate_bps": integer, "frames_per_second": number, "active": boolean
        }), &["spatial", "width", "height", "bitrate_bps", "frames_per_second", "active"]),
        "Guest": all_of(json!({
            "user": text, "name": text, "layout": one_of(&["side_by_side", "inset", "guest_only"])
        }), &["user", "name", "layout"]),
        "Dvr": all_of(json!({ "window_s": integer }), &["window_s"]),
        "Visibility": one_of(&["public", "unlisted"]),
        "Team": all_of(
            json!({
                "name": line(1, TEAM_NAME_MAX), "short": line(1, TEAM_SHORT_MAX),
                "color": { "type": "string", "pattern": "^#[0-9a-fA-F]{6}$" }
            }),
            &["name", "short", "color"],
        ),
        "Teams": all_of(json!({ "home": reference("Team"), "away": reference("Team") }), &["home", "away"]),
        "Score": all_of(json!({ "home": integer, "away": integer, "at_media_ms": number }), &["home", "away", "at_media_ms"]),
        "MatchClock": all_of(
            json!({ "running": boolean, "elapsed_ms": number, "at_media_ms": number, "period": text }),
            &["running", "elapsed_ms", "at_media_ms", "period"],
        ),
        "MarkerKind": one_of(&["goal", "card", "chance", "period", "other"]),
        "Marker": all_of(
            json!({ "id": text, "kind": reference("MarkerKind"), "label": text, "media_time_ms": number }),
            &["id", "kind", "label", "media_time_ms"],
        ),
        "NewMarker": all_of(
            json!({ "kind": reference("MarkerKind"), "label": line(0, MARKER_LABEL_MAX), "media_time_ms": or_null(number.clone()) }),
            &["kind", "label"],
        ),
        "NewBroadcast": all_of(
            json!({ "title": or_null(line(0, TITLE_MAX)), "slug": or_null(slug()), "visibility": or_null(reference("Visibility")) }), &[],
        ),
        "CreatedBroadcast": all_of(
            json!({ "broadcast": reference("Broadcast"), "token": text, "whip_url": text, "whep_url": text, "watch_url": text }),
            &["broadcast", "token", "whip_url", "whep_url", "watch_url"],
        ),
        "HlsPath": all_of(json!({ "path": text, "expires_at_ms": integer }), &["path"]),
        "BroadcastList": all_of(json!({ "broadcasts": list_of("Broadcast") }), &["broadcasts"]),
        "BroadcastChanges": all_of(json!({
            "title": or_null(line(0, TITLE_MAX)), "visibility": or_null(reference("Visibility")),
            "teams": or_null(reference("Teams")),
            "score": or_null(all_of(
                json!({ "home": whole(0, SCORE_MAX.into()), "away": whole(0, SCORE_MAX.into()), "at_media_ms": or_null(number.clone()) }),
                &["home", "away"],
            )),
            "clock": or_null(all_of(
                json!({
                    "running": boolean, "elapsed_ms": { "type": "number", "minimum": 0, "maximum": MATCH_CLOCK_MAX_MS },
                    "period": line(0, PERIOD_MAX), "at_media_ms": or_null(number.clone())
                }),
                &["running", "elapsed_ms", "period"],
            ))
        }), &[]),
        "User": all_of(json!({ "id": text, "name": text, "guest": boolean }), &["id", "name", "guest"]),
        "Me": all_of(
            json!({ "user": reference("User"), "operator": boolean, "may_broadcast": boolean, "token": text }),
            &["user", "operator", "may_broadcast"],
        ),
        "Problem": all_of(
            json!({ "type": text, "title": text, "status": integer, "detail": text, "code": text, "retryable": boolean }),
            &["type", "title", "status", "detail", "code", "retryable"],
        )
    })
}
