//! Holds `web-client/src/protocol.ts` to the Rust types it mirrors: generated here, compared by a test, written by the same test
//! under `UPDATE_GOLDEN=1`.

use ts_rs::TS;

use super::protocol::*;
use super::rest::accounts::*;
use super::rest::people::*;
use super::rest::{BroadcastList, CreatedBroadcast, HlsPath, Me, NewBroadcast, NewMarker, Problem};
use crate::limits::{CALL_MEMBERS_MAX, CALL_RING_MAX, CALL_TEXT_MAX, CALL_VIDEO_MAX, CHAT_TEXT_MAX, PRIVATE_TEXT_MAX};
use crate::sfu::codec::{Codec, MediaKind};
use crate::social::chat::Restrained;
use crate::social::reactions::HeatPoint;
use crate::store::{ModeratorAction, Relation, Role};

const HEAD: &str = "// Generated from src/signaling/{protocol,rest}.rs and src/social/; do not edit.\n\
    // Regenerate: UPDATE_GOLDEN=1 cargo test --lib signaling::typescript\n";

fn declare<T: TS>(out: &mut String) {
    out.push('\n');
    if let Some(docs) = T::docs() {
        out.push_str(&docs);
    }
    out.push_str("export ");
    out.push_str(&T::decl().replace(" } | { ", " }\n  | { ").replace(", \n/**", ",\n/**").replace(", }", " }"));
    out.push('\n');
}

fn generate() -> String {
    let mut out = String::from(HEAD);
    out.push_str(&format!("\nexport const PROTOCOL_VERSION = {PROTOCOL_VERSION};\n"));
    // What a page says before the server would refuse it.
    let told = [
        ("CALL_MEMBERS_MAX", CALL_MEMBERS_MAX),
        ("CALL_VIDEO_MAX", CALL_VIDEO_MAX),
        ("CALL_RING_MAX", CALL_RING_MAX),
        ("CALL_TEXT_MAX", CALL_TEXT_MAX),
        ("CHAT_TEXT_MAX", CHAT_TEXT_MAX),
        ("PRIVATE_TEXT_MAX", PRIVATE_TEXT_MAX),
    ];
    for (name, most) in told {
        out.push_str(&format!("export const {name} = {most};\n"));
    }
    declare::<ClientMessage>(&mut out);
    declare::<ServerMessage>(&mut out);
    declare::<Intent>(&mut out);
    declare::<Grant>(&mut out);
    declare::<QualityChoice>(&mut out);
    declare::<PeerState>(&mut out);
    declare::<Slot>(&mut out);
    declare::<UserView>(&mut out);
    declare::<IceServer>(&mut out);
    declare::<BroadcastState>(&mut out);
    declare::<Visibility>(&mut out);
    declare::<BroadcastView>(&mut out);
    declare::<LayerView>(&mut out);
    declare::<Teams>(&mut out);
    declare::<Team>(&mut out);
    declare::<Score>(&mut out);
    declare::<MatchClock>(&mut out);
    declare::<MarkerKind>(&mut out);
    declare::<Marker>(&mut out);
    declare::<DvrView>(&mut out);
    declare::<BroadcastChanges>(&mut out);
    declare::<ScoreChange>(&mut out);
    declare::<ClockChange>(&mut out);
    declare::<PlaybackReport>(&mut out);
    declare::<StatsView>(&mut out);
    declare::<ChatChange>(&mut out);
    declare::<ChatView>(&mut out);
    declare::<ChatHistory>(&mut out);
    declare::<ChatFrame>(&mut out);
    declare::<ChatEvent>(&mut out);
    declare::<ChatMessage>(&mut out);
    declare::<ChatAuthor>(&mut out);
    declare::<ChatRole>(&mut out);
    declare::<ReplyTo>(&mut out);
    declare::<ChatModes>(&mut out);
    declare::<Audience>(&mut out);
    declare::<HeldMessage>(&mut out);
    declare::<FilterRule>(&mut out);
    declare::<Ruling>(&mut out);
    declare::<Verdict>(&mut out);
    declare::<DeskEvent>(&mut out);
    declare::<Restrained>(&mut out);
    declare::<Restraint>(&mut out);
    declare::<Tap>(&mut out);
    declare::<ReactionKind>(&mut out);
    declare::<ReactionCount>(&mut out);
    declare::<ViewerCount>(&mut out);
    declare::<CallAsk>(&mut out);
    declare::<CallPlay>(&mut out);
    declare::<Pace>(&mut out);
    declare::<CallView>(&mut out);
    declare::<CallMember>(&mut out);
    declare::<LinkWord>(&mut out);
    declare::<Ringing>(&mut out);
    declare::<CallLine>(&mut out);
    declare::<CallOver>(&mut out);
    declare::<RingOver>(&mut out);
    declare::<MemberId>(&mut out);
    declare::<OnAirAsk>(&mut out);
    declare::<OnAirLayout>(&mut out);
    declare::<GuestView>(&mut out);
    declare::<RaisedHand>(&mut out);
    declare::<Transport>(&mut out);
    declare::<TransportReason>(&mut out);
    declare::<ErrorView>(&mut out);
    declare::<ErrorCode>(&mut out);
    declare::<ByeReason>(&mut out);
    declare::<Codec>(&mut out);
    declare::<NewBroadcast>(&mut out);
    declare::<CreatedBroadcast>(&mut out);
    declare::<HlsPath>(&mut out);
    declare::<BroadcastList>(&mut out);
    declare::<NewMarker>(&mut out);
    declare::<Me>(&mut out);
    declare::<Problem>(&mut out);
    declare::<MediaKind>(&mut out);
    declare::<Role>(&mut out);
    declare::<NewAccount>(&mut out);
    declare::<Credentials>(&mut out);
    declare::<SignedIn>(&mut out);
    declare::<Account>(&mut out);
    declare::<Person>(&mut out);
    declare::<AccountChanges>(&mut out);
    declare::<NewEmail>(&mut out);
    declare::<PasswordChange>(&mut out);
    declare::<Confirmation>(&mut out);
    declare::<EmailCode>(&mut out);
    declare::<ForgottenPassword>(&mut out);
    declare::<PasswordReset>(&mut out);
    declare::<Device>(&mut out);
    declare::<DeviceList>(&mut out);
    declare::<StreamKey>(&mut out);
    declare::<ModeratorList>(&mut out);
    declare::<Roles>(&mut out);
    declare::<AccountExport>(&mut out);
    declare::<ExportedPicture>(&mut out);
    declare::<ExportedBroadcast>(&mut out);
    declare::<ExportedChatMessage>(&mut out);
    declare::<Relation>(&mut out);
    declare::<Presence>(&mut out);
    declare::<Watching>(&mut out);
    declare::<FriendOnline>(&mut out);
    declare::<PrivateMessage>(&mut out);
    declare::<PeopleList>(&mut out);
    declare::<Friend>(&mut out);
    declare::<FriendRequest>(&mut out);
    declare::<FriendLists>(&mut out);
    declare::<RelationNow>(&mut out);
    declare::<Conversation>(&mut out);
    declare::<ConversationList>(&mut out);
    declare::<MessagePage>(&mut out);
    declare::<NewPrivateMessage>(&mut out);
    declare::<ReadMark>(&mut out);
    declare::<Named>(&mut out);
    declare::<ModeratorAction>(&mut out);
    declare::<AuditEntry>(&mut out);
    declare::<AuditPage>(&mut out);
    declare::<ReportReason>(&mut out);
    declare::<Report>(&mut out);
    declare::<ReportedMessage>(&mut out);
    declare::<ReportList>(&mut out);
    declare::<RestrainedPage>(&mut out);
    declare::<ForbiddenWords>(&mut out);
    declare::<HeatPoint>(&mut out);
    declare::<HeatLine>(&mut out);
    declare::<ReportOutcome>(&mut out);
    declare::<ReportResolution>(&mut out);
    out
}

#[test]
fn typescript_types_mirror_the_rust_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/web-client/src/protocol.ts");
    let generated = generate();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/web-client/src")).unwrap();
        std::fs::write(path, &generated).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap();
    assert!(stored == generated, "stale: UPDATE_GOLDEN=1 cargo test --lib signaling::typescript");
}
