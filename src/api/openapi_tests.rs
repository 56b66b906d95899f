//! The description says what the shapes are: every schema has the fields of the Rust type that handlers read or write, and needs the same.

use std::collections::BTreeSet;

use serde_json::Value;
use ts_rs::TS;

use super::openapi;
use crate::signaling::protocol::{
    BroadcastView, DvrView, GuestView, LayerView, Marker, MatchClock, Person, Presence, PrivateMessage, Score, Team, Teams, UserView,
    Watching,
};
use crate::signaling::rest::accounts::*;
use crate::signaling::rest::people::*;
use crate::signaling::rest::{BroadcastList, CreatedBroadcast, HlsPath, Me, NewBroadcast, NewMarker, Problem};
use crate::social::chat::Restrained;
use crate::social::reactions::HeatPoint;

/// All fields of a TypeScript object type, and those without a question mark.
fn fields(declaration: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut text = String::new();
    for piece in declaration.split("/**") {
        text += piece.split_once("*/").map_or(piece, |(_, rest)| rest);
    }
    let inside = &text[text.find('{').unwrap() + 1..text.rfind('}').unwrap()];
    let (mut all, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for field in inside.split(',').filter_map(|field| field.split_once(':')) {
        let name = field.0.trim();
        let plain = name.trim_end_matches('?').trim_matches('"').to_owned();
        if !name.ends_with('?') {
            needed.insert(plain.clone());
        }
        all.insert(plain);
    }
    (all, needed)
}

fn described(schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = schema["properties"].as_object().unwrap().keys().cloned().collect();
    let needed = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    (all, needed)
}

#[test]
fn schemas_have_the_fields_of_the_shapes() {
    let document = openapi::document();
    let mut seen = BTreeSet::new();
    macro_rules! hold {
        ($($name:literal $Shape:ty),* $(,)?) => {
            $(
                assert_eq!(described(&document["components"]["schemas"][$name]), fields(&<$Shape as TS>::decl()), $name);
                seen.insert($name.to_owned());
            )*
        };
    }
    hold! {
        "Broadcast" BroadcastView, "Layer" LayerView, "Team" Team, "Teams" Teams, "Score" Score, "MatchClock" MatchClock, "Marker" Marker,
        "NewMarker" NewMarker, "NewBroadcast" NewBroadcast, "CreatedBroadcast" CreatedBroadcast, "BroadcastList" BroadcastList,
        "HlsPath" HlsPath, "Dvr" DvrView, "Guest" GuestView,
        "User" UserView, "Me" Me, "Problem" Problem,
        "NewAccount" NewAccount, "Credentials" Credentials, "SignedIn" SignedIn, "Account" Account, "Person" Person,
        "AccountChanges" AccountChanges, "NewEmail" NewEmail, "PasswordChange" PasswordChange, "Confirmation" Confirmation,
        "EmailCode" EmailCode, "ForgottenPassword" ForgottenPassword, "PasswordReset" PasswordReset, "Device" Device,
        "DeviceList" DeviceList, "StreamKey" StreamKey, "ModeratorList" ModeratorList, "Roles" Roles, "AccountExport" AccountExport,
        "ExportedPicture" ExportedPicture, "ExportedBroadcast" ExportedBroadcast, "ExportedChatMessage" ExportedChatMessage,
        "PeopleList" PeopleList, "Friend" Friend, "FriendRequest" FriendRequest, "FriendLists" FriendLists, "RelationNow" RelationNow,
        "Watching" Watching, "Presence" Presence, "PrivateMessage" PrivateMessage, "Conversation" Conversation,
        "ConversationList" ConversationList, "MessagePage" MessagePage, "NewPrivateMessage" NewPrivateMessage, "ReadMark" ReadMark,
        "Named" Named, "AuditEntry" AuditEntry, "AuditPage" AuditPage, "Report" Report, "ReportedMessage" ReportedMessage,
        "ReportList" ReportList, "ReportResolution" ReportResolution, "Restrained" Restrained, "RestrainedPage" RestrainedPage,
        "ForbiddenWords" ForbiddenWords, "HeatPoint" HeatPoint, "HeatLine" HeatLine,
    }
    let words = ["Visibility", "MarkerKind", "Role", "Relation", "ModeratorAction", "ReportReason", "ReportOutcome"];
    // Its fields may be absent or null, which the type says in another way than the description.
    let tri_state = ["BroadcastChanges"];
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let is_known = seen.contains(name) || words.contains(&name.as_str()) || tri_state.contains(&name.as_str());
        assert!(is_known, "{name} is held to no shape");
    }
}
