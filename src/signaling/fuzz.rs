//! Bodies of the fuzz targets for what clients say: any bytes as a conversation, and as an SDP fragment.

use std::time::Instant;

use super::hello::read_hello;
use super::live::Joined;
use super::now::Now;
use super::protocol::{ClientMessage, Grant, ServerMessage};
use super::sdpfrag;
use super::session::{Action, Command, Negotiated, Outcome, Session};
use crate::accounts::{Claims, Tokens};
use crate::ids::{PeerId, SessionId, UserId};
use crate::limits::CLIENT_NAME_MAX;

/// A message with a broadcast in it.
const BROADCAST: &str = include_str!("../../tests/golden/signaling/server/broadcast.json");

/// Any bytes, a message on each line: no panic, what is read can be written and read again, and every request has one answer at most.
pub fn fuzz_conversation(epoch: Instant, bytes: &[u8]) {
    let now = Now { instant: epoch, unix_ms: 1_790_000_000_000.0 };
    let claims = Claims {
        sub: UserId::from_bits(1),
        name: "Ann".to_owned(),
        exp: u64::MAX,
        broadcast: None,
        grants: vec![Grant::View, Grant::Publish],
        operator: false,
        broadcaster: false,
        guest: true,
    };
    let tokens = Tokens::with_key(&[3; 32]);
    let Ok(ServerMessage::Broadcast { broadcast: view }) = serde_json::from_str(BROADCAST) else { panic!("the golden file is read") };
    let mut session = Session::new(now, SessionId::from_bits(1), claims.clone());
    let mut peers = 0;
    for line in bytes.split(|&byte| byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<ClientMessage>(line) else { continue };
        let written = serde_json::to_string(&message).expect("what was read can be written");
        let again: ClientMessage = serde_json::from_str(&written).expect("and read again");
        if let Ok(greeting) = read_hello(again, &tokens, 1_790_000_000) {
            assert!(greeting.client.chars().count() <= CLIENT_NAME_MAX && greeting.claims.is_none());
        }
        let actions = session.handle_message(now, message);
        let answers = actions.iter().filter(|action| matches!(action, Action::Send(_) | Action::Command(_))).count();
        assert!(answers <= 1, "{actions:?}");
        for action in actions {
            write(&action);
            let outcome = match action {
                Action::Command(Command::Join { id, .. }) => {
                    let joined = Joined { id: view.id, view: view.clone(), grants: claims.grants.clone() };
                    Outcome::Joined { id, result: Ok((joined, claims.clone())) }
                }
                Action::Command(Command::AddPeer { id, intent, .. }) => {
                    peers += 1;
                    let negotiated = Negotiated { peer: PeerId::from_bits(peers), sdp: "v=0\r\n".to_owned(), slots: Vec::new() };
                    Outcome::Answered { id, intent: Some(intent), result: Ok(negotiated) }
                }
                Action::Command(_) | Action::Send(_) | Action::Report(_) | Action::Bye(_) => continue,
            };
            session.handle_outcome(now, outcome).iter().for_each(write);
        }
        assert!(session.wake_at() >= epoch);
    }
}

fn write(action: &Action) {
    if let Action::Send(message) = action {
        let written = serde_json::to_string(message).expect("an answer can be written");
        serde_json::from_str::<ServerMessage>(&written).expect("and read by a client");
    }
}

/// Any bytes as the body of a PATCH: no panic, and credentials only of the alphabet that SDP allows.
pub fn fuzz_fragment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(fragment) = sdpfrag::parse(&text)
        && let Some((ufrag, pwd)) = fragment.credentials
    {
        assert!((4..=256).contains(&ufrag.len()) && (22..=256).contains(&pwd.len()));
        assert!(ufrag.bytes().chain(pwd.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn hostile_conversations_are_harmless() {
        let epoch = Instant::now();
        let peer = PeerId::from_bits(1);
        let spoken = format!(
            "{}\n{}\n{}\n{}",
            r#"{"type":"join","id":1,"broadcast":"final"}"#,
            r#"{"type":"offer","id":2,"intent":"view","sdp":"v=0"}"#,
            format_args!(r#"{{"type":"watch_stats","id":3,"peer":"{peer}","on":true}}"#),
            format_args!(r#"{{"type":"close_peer","id":4,"peer":"{peer}"}}"#),
        );
        bombard(&[spoken.into_bytes()], |bytes| fuzz_conversation(epoch, bytes));
    }

    #[test]
    fn hostile_fragments_are_harmless() {
        bombard(&[b"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n".to_vec()], fuzz_fragment);
    }
}
