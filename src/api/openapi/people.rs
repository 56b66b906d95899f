//! The part of the description that concerns friends, private messages, and what moderators see.

use serde_json::{Value, json};

use super::accounts::limited;
use super::schema::{all_of, id, line, list_of, one_of, or_null, plain, prose, reference, wanted, whole};
use super::{operation, path_parameter};
use crate::limits::{CHAT_NOTE_MAX, EXACT_INTEGER_MAX, PEOPLE_SEARCH_CHARS, PRIVATE_TEXT_MAX};

/// Under `/api/v1/people`, `/api/v1/me`, and what moderators see of broadcasts.
pub(super) fn paths() -> Value {
    let user = json!([{ "$ref": "#/components/parameters/user" }]);
    let broadcast = json!([{ "$ref": "#/components/parameters/broadcast" }]);
    let report = json!([
        { "$ref": "#/components/parameters/broadcast" },
        path_parameter("message", "Id of a message of the chat.")
    ]);
    let changed = |summary: &str| {
        let answers = [("204", None), ("401", None), ("403", None), ("404", None), ("503", None)];
        limited(operation(summary, None, &answers))
    };
    let unprocessable = |mut operation: Value| {
        operation["responses"]["422"] = super::problem();
        operation
    };
    let with_query = |mut operation: Value, name: &str, what: &str, schema: Value| {
        let is_required = name == "search";
        operation["parameters"] = json!([{ "name": name, "in": "query", "required": is_required, "description": what, "schema": schema }]);
        operation
    };
    let mine =
        |summary: &str, schema: &str| operation(summary, None, &[("200", Some(schema)), ("401", None), ("403", None), ("503", None)]);
    json!({
        "/api/v1/people": {
            "get": with_query(
                limited(operation(
                    "Find people by the beginning of their name.", None,
                    &[("200", Some("PeopleList")), ("401", None), ("403", None), ("422", None), ("503", None)],
                )),
                "search", "2 to 40 characters.", wanted(PEOPLE_SEARCH_CHARS.0, PEOPLE_SEARCH_CHARS.1),
            )
        },
        "/api/v1/me/friends": { "get": mine("Friends with their presence, requests, and whom the bearer has blocked.", "FriendLists") },
        "/api/v1/me/friends/{user}": {
            "parameters": user,
            "put": limited(operation(
                "Ask somebody for friendship, or accept when they have asked.", None,
                &[("200", Some("RelationNow")), ("401", None), ("403", None), ("404", None), ("422", None), ("503", None)],
            )),
            "delete": changed("End a friendship, refuse a request or withdraw one.")
        },
        "/api/v1/me/blocks/{user}": {
            "parameters": user,
            "put": unprocessable(changed("Block somebody: the two see nothing of each other any more.")),
            "delete": changed("Block them no longer.")
        },
        "/api/v1/me/follows": { "get": mine("Whom the bearer follows, by name.", "PeopleList") },
        "/api/v1/me/follows/{user}": {
            "parameters": user,
            "put": changed("Follow somebody."),
            "delete": changed("Follow them no longer.")
        },
        "/api/v1/me/messages": { "get": mine("Whom the bearer has written with, the latest first.", "ConversationList") },
        "/api/v1/me/messages/{user}": {
            "parameters": user,
            "get": with_query(
                operation(
                    "What was written, the newest or before a number, oldest first.", None,
                    &[("200", Some("MessagePage")), ("401", None), ("403", None), ("404", None), ("422", None), ("503", None)],
                ),
                "before", "The number of a message.", whole(0, EXACT_INTEGER_MAX),
            ),
            "post": limited(operation(
                "Write to a friend. 200: the message with this nonce is there already.",
                Some("NewPrivateMessage"),
                &[
                    ("200", Some("PrivateMessage")), ("201", Some("PrivateMessage")), ("401", None), ("403", None), ("404", None),
                    ("422", None), ("503", None),
                ],
            ))
        },
        "/api/v1/me/messages/{user}/read": {
            "parameters": user,
            "put": limited(operation(
                "The bearer has read up to a message.",
                Some("ReadMark"),
                &[("204", None), ("401", None), ("403", None), ("404", None), ("422", None), ("503", None)],
            ))
        },
        "/api/v1/broadcasts/{broadcast}/audit": {
            "parameters": broadcast,
            "get": with_query(
                operation(
                    "What moderators did, the latest first, before an id. For those who moderate it.", None,
                    &[("200", Some("AuditPage")), ("401", None), ("403", None), ("404", None), ("422", None), ("503", None)],
                ),
                "before", "The id of an action.", id(),
            )
        },
        "/api/v1/broadcasts/{broadcast}/reports": {
            "parameters": broadcast,
            "get": operation(
                "Messages that were reported and that nobody has resolved. For those who moderate it.", None,
                &[("200", Some("ReportList")), ("401", None), ("403", None), ("404", None), ("503", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/restrained": {
            "parameters": broadcast,
            "get": with_query(
                operation(
                    "Who may not write in the chat, the latest first, from behind a person on. For those who moderate it.", None,
                    &[("200", Some("RestrainedPage")), ("401", None), ("403", None), ("404", None), ("422", None), ("503", None)],
                ),
                "before", "The id of the last person of the page before.", id(),
            )
        },
        "/api/v1/broadcasts/{broadcast}/words": {
            "parameters": broadcast,
            "get": operation(
                "The words that may not be said in the chat. For those who moderate it.", None,
                &[("200", Some("ForbiddenWords")), ("401", None), ("403", None), ("404", None), ("503", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/heat": {
            "parameters": broadcast,
            "get": operation(
                "Reactions over the media time of the broadcast, as they were a few seconds ago.", None,
                &[("200", Some("HeatLine")), ("404", None), ("503", None)],
            )
        },
        "/api/v1/broadcasts/{broadcast}/reports/{message}": {
            "parameters": report,
            "put": operation(
                "Resolve what was reported of a message. For those who moderate it.",
                Some("ReportResolution"),
                &[
                    ("204", None), ("401", None), ("403", None), ("404", None), ("422", None),
                    ("503", None),
                ],
            )
        }
    })
}

pub(super) fn schemas() -> Value {
    let [text, number, integer, boolean] = plain();
    json!({
        "Relation": one_of(&["none", "outgoing", "incoming", "friend", "blocked"]),
        "Person": all_of(
            json!({ "id": text, "name": text, "picture_version": integer, "relation": reference("Relation"), "follows": boolean }),
            &["id", "name", "picture_version"],
        ),
        "PeopleList": all_of(json!({ "people": list_of("Person") }), &["people"]),
        "Watching": all_of(json!({ "broadcast": text, "slug": text, "title": text }), &["broadcast", "slug", "title"]),
        "Presence": all_of(json!({ "online": boolean, "watching": reference("Watching") }), &["online"]),
        "Friend": all_of(
            json!({ "person": reference("Person"), "since_ms": number, "presence": reference("Presence") }),
            &["person", "since_ms", "presence"],
        ),
        "FriendRequest": all_of(json!({ "person": reference("Person"), "at_ms": number }), &["person", "at_ms"]),
        "FriendLists": all_of(
            json!({
                "friends": list_of("Friend"), "incoming": list_of("FriendRequest"), "outgoing": list_of("FriendRequest"),
                "blocked": list_of("Person")
            }),
            &["friends", "incoming", "outgoing", "blocked"],
        ),
        "RelationNow": all_of(json!({ "relation": reference("Relation") }), &["relation"]),
        "PrivateMessage": all_of(
            json!({ "number": integer, "from": text, "to": text, "text": text, "sent_at_ms": number }),
            &["number", "from", "to", "text", "sent_at_ms"],
        ),
        "Conversation": all_of(
            json!({ "person": reference("Person"), "last": reference("PrivateMessage"), "unread": integer }),
            &["person", "last", "unread"],
        ),
        "ConversationList": all_of(json!({ "conversations": list_of("Conversation") }), &["conversations"]),
        "MessagePage": all_of(
            json!({ "messages": list_of("PrivateMessage"), "more": boolean, "read_up_to": integer, "seen_up_to": integer }),
            &["messages", "more", "read_up_to", "seen_up_to"],
        ),
        "NewPrivateMessage": all_of(
            json!({
                "nonce": whole(0, EXACT_INTEGER_MAX),
                "text": prose(PRIVATE_TEXT_MAX)
            }),
            &["nonce", "text"],
        ),
        "ReadMark": all_of(json!({ "up_to": whole(0, EXACT_INTEGER_MAX) }), &["up_to"]),
        "Named": all_of(json!({ "id": text, "name": text }), &["id", "name"]),
        "ModeratorAction": one_of(&["delete", "time_out", "ban", "lift", "pin", "unpin", "modes", "words", "resolve", "approve", "refuse"]),
        "AuditEntry": all_of(
            json!({
                "id": text, "at_ms": number, "by": reference("Named"), "action": reference("ModeratorAction"), "on": reference("Named"),
                "message": text, "seconds": integer, "note": text
            }),
            &["id", "at_ms", "by", "action"],
        ),
        "AuditPage": all_of(json!({ "actions": list_of("AuditEntry"), "more": boolean }), &["actions", "more"]),
        "ReportReason": one_of(&["abuse", "spam", "spoiler", "other"]),
        "Report": all_of(
            json!({ "by": reference("Named"), "reason": reference("ReportReason"), "note": text, "at_ms": number }),
            &["by", "reason", "at_ms"],
        ),
        "ReportedMessage": all_of(
            json!({ "message": text, "author": reference("Named"), "text": text, "sent_at_ms": number, "reports": list_of("Report") }),
            &["message", "author", "text", "sent_at_ms", "reports"],
        ),
        "ReportList": all_of(json!({ "reports": list_of("ReportedMessage") }), &["reports"]),
        "Restrained": all_of(
            json!({ "person": reference("Named"), "since_ms": number, "until_ms": number, "by": reference("Named") }),
            &["person", "since_ms"],
        ),
        "RestrainedPage": all_of(json!({ "restrained": list_of("Restrained"), "more": boolean }), &["restrained", "more"]),
        "ForbiddenWords": all_of(json!({ "words": { "type": "array", "items": text } }), &["words"]),
        "HeatPoint": all_of(json!({ "at_ms": number, "count": integer }), &["at_ms", "count"]),
        "HeatLine": all_of(json!({ "step_ms": number, "points": list_of("HeatPoint") }), &["step_ms", "points"]),
        "ReportOutcome": one_of(&["dismissed", "upheld"]),
        "ReportResolution": all_of(json!({ "outcome": reference("ReportOutcome"), "note": or_null(line(0, CHAT_NOTE_MAX)) }), &["outcome"])
    })
}
