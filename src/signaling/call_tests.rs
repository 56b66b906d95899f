//! Friends' calls and guests on air, over real sockets on a fake media plane.

use axum::http::Method;

use super::*;
use crate::ids::{BroadcastId, SourceId};
use crate::sfu::handle::PeerGone;

/// Somebody with an account.
struct Friend {
    id: String,
    token: String,
}

async fn friends(node: &Node, names: &[&str]) -> Vec<Friend> {
    let mut people: Vec<Friend> = Vec::new();
    for name in names {
        let (id, token) = signed_up(node, name, "").await;
        people.push(Friend { id, token });
    }
    for one in &people {
        for other in people.iter().filter(|other| other.id != one.id) {
            node.ask_json(Method::PUT, &format!("/api/v1/me/friends/{}", other.id), Some(&one.token), Value::Null).await;
        }
    }
    people
}

/// With the token of whoever publishes it.
async fn match_of(served: &Served) -> (BroadcastId, String) {
    let made = served.node.ask_json(Method::POST, "/api/v1/broadcasts", None, json!({ "slug": "derby", "title": "Derby" })).await.json();
    (
        made["broadcast"]["id"].as_str().expect("an id is a text").parse().expect("the server prints ids that it reads"),
        made["token"].as_str().expect("it is a text").to_owned(),
    )
}

/// Watches the match; with the peer's id.
async fn watching(served: &Served, token: Option<&str>) -> (Client, Value, Value) {
    let (mut client, welcome) = served.greeted(token).await;
    client.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
    client.hear("joined").await;
    client.say(json!({ "type": "offer", "id": 2, "intent": "view", "sdp": OFFER })).await;
    let peer = client.hear("answer").await["peer"].clone();
    client.hear("slots").await;
    (client, peer, welcome)
}

impl Client {
    async fn ask(&mut self, id: u32, ask: Value) {
        self.say(json!({ "type": "call", "id": id, "ask": ask })).await;
    }

    async fn done(&mut self, id: u32) {
        assert_eq!(self.hear("done").await["id"], id);
    }

    async fn refused(&mut self, id: u32) -> String {
        let error = self.hear("error").await;
        assert_eq!(error["id"], id);
        error["error"]["code"].as_str().expect("it is a text").to_owned()
    }

    /// Offers its peer again, which may send by now.
    async fn send(&mut self, peer: &Value) {
        self.say(json!({ "type": "offer", "id": 90, "intent": "view", "sdp": OFFER, "peer": peer })).await;
        assert_eq!(self.hear("answer").await["id"], 90);
    }

    /// The call, once it is like this.
    async fn call_where(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let call = self.hear("call").await["call"].clone();
            if holds(&call) {
                return call;
            }
        }
    }

    /// Which members its m-lines show, once those are so many.
    async fn members_shown(&mut self, count: usize) -> Vec<(String, String)> {
        loop {
            let slots = self.hear("slots").await["slots"].as_array().expect("it is a list").clone();
            let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
            let all: Vec<(String, String)> = slots.iter().map(|slot| (text(&slot["mid"]), text(&slot["source"]))).collect();
            assert!(all.iter().filter(|(_, source)| source == "guest").count() == 2, "{all:?}");
            let shown: Vec<(String, String)> = all.into_iter().filter(|(_, source)| source.starts_with("member:")).collect();
            if shown.len() == count {
                return shown;
            }
        }
    }
}

fn source_of(served: &Served, peer: &Value) -> Option<SourceId> {
    let of = |asked: Asked| match asked {
        Asked::Sourced(other, source) if json!(other) == *peer => Some(source),
        _ => None,
    };
    served.node.sfu.asked().into_iter().rev().find_map(of)
}

/// What the media plane was told to show on a peer, and shows still.
fn filled(served: &Served, peer: &Value) -> std::collections::BTreeMap<String, SourceId> {
    let mut filled = std::collections::BTreeMap::new();
    for asked in served.node.sfu.asked() {
        let Asked::Filled(other, fills) = asked else { continue };
        for fill in fills.into_iter().filter(|_| json!(other) == *peer) {
            match fill.source {
                Some(source) => drop(filled.insert(fill.mid.as_str().to_owned(), source)),
                None => drop(filled.remove(fill.mid.as_str())),
            }
        }
    }
    filled
}

#[tokio::test]
async fn a_friend_is_rung_on_another_node_and_declines() {
    let served = Served::start().await;
    match_of(&served).await;
    let people = friends(&served.node, &["Ann", "Ben"]).await;
    let [ann, ben] = &people[..] else { unreachable!() };
    let elsewhere = Served::of(served.node.second().await).await;
    let (mut bens, _) = elsewhere.greeted(Some(&ben.token)).await;
    let (mut anns, _, _) = watching(&served, Some(&ann.token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [ben.id] })).await;
    let entered = anns.hear("call_entered").await;
    assert_eq!((entered["member"].clone(), entered["call"]["members"][0]["name"].clone()), (json!(1), json!("Ann")));
    assert_eq!(anns.call_where(|call| call["ringing"] != json!([])).await["ringing"][0]["name"], "Ben");
    let ring = bens.hear("call_ring").await;
    assert_eq!((ring["call"].clone(), ring["from"]["name"].clone()), (entered["call"]["id"].clone(), json!("Ann")));
    assert_eq!(ring["watching"]["slug"], "derby");
    bens.ask(1, json!({ "ask": "decline", "call": ring["call"] })).await;
    bens.done(1).await;
    assert_eq!(bens.hear("call_ring_over").await["reason"], "declined");
    anns.call_where(|call| call["ringing"] == json!([])).await;
    elsewhere.stop().await;
    served.stop().await;
}

#[tokio::test]
async fn friends_and_a_guest_meet_see_each_other_and_leave() {
    let served = Served::start().await;
    match_of(&served).await;
    let people = friends(&served.node, &["Ann", "Ben"]).await;
    let (mut anns, anns_peer, _) = watching(&served, Some(&people[0].token)).await;
    let (mut bens, bens_peer, _) = watching(&served, Some(&people[1].token)).await;
    let (mut bens_phone, _) = served.greeted(Some(&people[1].token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [people[1].id] })).await;
    let call = anns.hear("call_entered").await["call"]["id"].clone();
    bens_phone.hear("call_ring").await;
    bens.hear("call_ring").await;
    bens.ask(3, json!({ "ask": "join", "call": call })).await;
    assert_eq!(bens.hear("call_entered").await["member"], 2);
    assert_eq!(bens_phone.hear("call_ring_over").await["reason"], "answered");
    anns.send(&anns_peer).await;
    bens.send(&bens_peer).await;
    bens.ask(4, json!({ "ask": "present", "microphone": true, "camera": true, "screen": false })).await;
    bens.done(4).await;
    let shown = anns.members_shown(2).await;
    assert_eq!(shown, [("4".to_owned(), "member:2".to_owned()), ("5".to_owned(), "member:2".to_owned())]);
    let bens_source = source_of(&served, &bens_peer).expect("the peer was given a source");
    served.node.until(|_| filled(&served, &anns_peer).values().filter(|source| **source == bens_source).count() == 2).await;
    assert_eq!(filled(&served, &bens_peer).len(), 1, "Ann is heard and shows no picture");

    let (mut guest, _, _) = watching(&served, None).await;
    guest.ask(3, json!({ "ask": "start", "ring": [] })).await;
    assert_eq!(guest.refused(3).await, "forbidden");
    guest.ask(4, json!({ "ask": "join", "call": call, "invitation": "guess" })).await;
    assert_eq!(guest.refused(4).await, "forbidden");
    bens.ask(5, json!({ "ask": "link" })).await;
    let link = bens.hear("call_link").await;
    guest.ask(5, json!({ "ask": "join", "call": call, "invitation": link["invitation"] })).await;
    assert_eq!(guest.hear("call_entered").await["call"]["members"].as_array().expect("it is a list").len(), 3);
    guest.ask(6, json!({ "ask": "say", "nonce": 1, "text": "hello" })).await;
    assert_eq!(anns.hear("call_said").await["line"]["text"], "hello");
    guest.say(json!({ "type": "call_pace", "pace": { "behind_ms": 400.0, "least_ms": 380.0 } })).await;
    assert_eq!(bens.hear("call_paced").await["behind_ms"], 390.0);
    bens.ask(6, json!({ "ask": "play", "play": { "at": "behind", "behind_ms": 60000.0 } })).await;
    assert_eq!(guest.hear("call_played").await["by"], 2);

    guest.ask(7, json!({ "ask": "remove", "member": 1 })).await;
    assert_eq!(guest.refused(7).await, "forbidden", "only the host");
    anns.ask(7, json!({ "ask": "remove", "member": 3 })).await;
    assert_eq!(guest.hear("call_over").await["reason"], "removed");
    guest.ask(8, json!({ "ask": "join", "call": call, "invitation": link["invitation"] })).await;
    assert_eq!(guest.refused(8).await, "removed");

    bens.ask(8, json!({ "ask": "leave" })).await;
    assert_eq!(bens.hear("call_over").await["reason"], "left");
    anns.call_where(|call| call["members"].as_array().expect("it is a list").len() == 1).await;
    let withdrawn = |node: &Node| node.sfu.asked().iter().any(|asked| matches!(asked, Asked::Withdrawn(peer) if json!(peer) == bens_peer));
    served.node.until(withdrawn).await;
    served.node.until(|_| filled(&served, &anns_peer).is_empty() && filled(&served, &bens_peer).is_empty()).await;
    assert!(
        !served
            .node
            .sfu
            .asked()
            .contains(&Asked::Removed(bens_peer.as_str().expect("an id is a text").parse().expect("the server prints ids that it reads"))),
        "the match goes on"
    );
    anns.ask(9, json!({ "ask": "leave" })).await;
    anns.hear("call_over").await;
    bens.ask(9, json!({ "ask": "join", "call": call })).await;
    assert_eq!(bens.refused(9).await, "not_found", "nobody is in it any more");
    served.stop().await;
}

#[tokio::test]
async fn a_resumed_session_is_still_in_the_call_and_a_new_peer_is_a_new_source() {
    let served = Served::start().await;
    let (broadcast, _) = match_of(&served).await;
    let people = friends(&served.node, &["Ann", "Ben"]).await;
    let (mut anns, anns_peer, welcome) = watching(&served, Some(&people[0].token)).await;
    let (mut bens, _, _) = watching(&served, Some(&people[1].token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [people[1].id] })).await;
    let call = anns.hear("call_entered").await["call"]["id"].clone();
    bens.hear("call_ring").await;
    bens.ask(3, json!({ "ask": "join", "call": call })).await;
    bens.hear("call_entered").await;
    anns.send(&anns_peer).await;
    let first = source_of(&served, &anns_peer).expect("the peer was given a source");
    bens.members_shown(1).await;
    drop(anns);
    bens.call_where(|call| call["members"][0]["here"] == false).await;
    let mut anns = served.connect().await;
    let hello = json!({ "type": "hello", "protocol": 1, "client": "test", "token": people[0].token, "resume": welcome["resume"] });
    anns.say(hello).await;
    assert_eq!(anns.hear("welcome").await["resumed"], true);
    assert_eq!(anns.hear("call").await["call"]["id"], call);
    bens.call_where(|call| call["members"][0]["here"] == true).await;

    let gone = anns_peer.as_str().expect("an id is a text").parse().expect("the server prints ids that it reads");
    served
        .node
        .sfu
        .events
        .send(SfuEvent::PeerGone { peer: gone, broadcast, reason: PeerGone::ConsentExpired })
        .await
        .expect("the node listens");
    bens.call_where(|call| call["members"][0]["here"] == false).await;
    anns.say(json!({ "type": "offer", "id": 4, "intent": "view", "sdp": OFFER })).await;
    let again = anns.hear("answer").await["peer"].clone();
    bens.call_where(|call| call["members"][0]["here"] == true).await;
    let second = source_of(&served, &again).expect("the peer was given a source");
    assert_ne!(first, second);
    served.stop().await;
}

#[tokio::test]
async fn a_block_parts_two_who_are_in_one_call_and_keeps_them_apart() {
    let served = Served::start().await;
    match_of(&served).await;
    let people = friends(&served.node, &["Ann", "Ben"]).await;
    let (mut anns, _, _) = watching(&served, Some(&people[0].token)).await;
    let (mut bens, _, _) = watching(&served, Some(&people[1].token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [people[1].id] })).await;
    let call = anns.hear("call_entered").await["call"]["id"].clone();
    anns.ask(4, json!({ "ask": "link" })).await;
    let invitation = anns.hear("call_link").await["invitation"].clone();
    bens.ask(3, json!({ "ask": "join", "call": call })).await;
    bens.hear("call_entered").await;
    served.node.ask_json(Method::PUT, &format!("/api/v1/me/blocks/{}", people[0].id), Some(&people[1].token), Value::Null).await;
    assert_eq!(bens.hear("call_over").await["reason"], "blocked", "the host stays");
    bens.ask(4, json!({ "ask": "join", "call": call, "invitation": invitation })).await;
    assert_eq!(bens.refused(4).await, "forbidden");
    anns.ask(5, json!({ "ask": "ring", "users": [people[1].id] })).await;
    assert_eq!(anns.refused(5).await, "not_friends");
    served.stop().await;
}

#[tokio::test]
async fn a_node_that_goes_ends_its_calls_before_it_says_goodbye() {
    let served = Served::start().await;
    match_of(&served).await;
    let people = friends(&served.node, &["Ann"]).await;
    let (mut anns, _, _) = watching(&served, Some(&people[0].token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [] })).await;
    anns.hear("call_entered").await;
    served.node.live.shutdown().await;
    assert_eq!(anns.hear("call_over").await["reason"], "shutting_down");
    assert_eq!(anns.hear("bye").await["reason"], "shutting_down");
    served.serving.abort();
}

#[tokio::test]
async fn the_call_goes_on_after_the_match() {
    let served = Served::start().await;
    let (broadcast, token) = match_of(&served).await;
    let people = friends(&served.node, &["Ann", "Ben"]).await;
    let (mut anns, anns_peer, _) = watching(&served, Some(&people[0].token)).await;
    let (mut bens, bens_peer, _) = watching(&served, Some(&people[1].token)).await;
    anns.ask(3, json!({ "ask": "start", "ring": [] })).await;
    anns.hear("call_entered").await;
    let ended = served.node.ask_json(Method::DELETE, "/api/v1/broadcasts/derby", Some(&token), Value::Null).await;
    assert_eq!(ended.status, axum::http::StatusCode::OK, "{ended:?}");
    assert_eq!(bens.hear("peer_state").await["state"]["state"], "gone");
    assert!(!served.node.sfu.asked().contains(&Asked::Closed(broadcast)));
    let removed =
        |peer: &Value| Asked::Removed(peer.as_str().expect("an id is a text").parse().expect("the server prints ids that it reads"));
    assert!(served.node.sfu.asked().contains(&removed(&bens_peer)));
    assert!(!served.node.sfu.asked().contains(&removed(&anns_peer)));
    anns.send(&anns_peer).await;
    anns.say(json!({ "type": "offer", "id": 4, "intent": "view", "sdp": OFFER })).await;
    assert_eq!(anns.hear("answer").await["id"], 4, "a lost peer can be made anew");
    anns.ask(5, json!({ "ask": "leave" })).await;
    anns.hear("call_over").await;
    served.node.until(|node| node.sfu.asked().contains(&Asked::Closed(broadcast))).await;
    served.stop().await;
}

#[tokio::test]
async fn a_viewer_raises_a_hand_and_is_brought_on_air() {
    let served = Served::start().await;
    let (broadcast, token) = match_of(&served).await;
    let (mut studio, _) = served.greeted(None).await;
    studio.say(json!({ "type": "join", "id": 1, "broadcast": "derby", "token": token })).await;
    studio.hear("joined").await;
    assert_eq!(studio.hear("hands").await["hands"], json!([]));
    let (mut viewer, peer, welcome) = watching(&served, None).await;
    let (mut other, _, others_welcome) = watching(&served, None).await;
    let on_air = |id: u32, ask: Value| json!({ "type": "on_air", "id": id, "ask": ask });
    viewer.say(on_air(3, json!({ "ask": "raise_hand", "raised": true }))).await;
    viewer.done(3).await;
    assert_eq!(studio.hear("hands").await["hands"][0]["user"], welcome["user"]["id"]);
    other.say(on_air(3, json!({ "ask": "invite", "user": welcome["user"]["id"] }))).await;
    assert_eq!(other.refused(3).await, "forbidden");
    other.say(on_air(4, json!({ "ask": "answer", "accept": true }))).await;
    assert_eq!(other.refused(4).await, "forbidden", "not asked");
    studio.say(on_air(4, json!({ "ask": "invite", "user": welcome["user"]["id"] }))).await;
    studio.done(4).await;
    viewer.hear("on_air_invited").await;
    studio.say(on_air(5, json!({ "ask": "invite", "user": others_welcome["user"]["id"] }))).await;
    assert_eq!(studio.refused(5).await, "conflict");
    viewer.say(on_air(4, json!({ "ask": "answer", "accept": true }))).await;
    viewer.done(4).await;
    viewer.send(&peer).await;
    let source = source_of(&served, &peer).expect("the peer was given a source");
    served.node.until(|node| node.sfu.asked().contains(&Asked::ShownGuest(broadcast, Some(source)))).await;
    let guest = other.hear("broadcast").await["broadcast"]["guest"].clone();
    assert_eq!((guest["user"].clone(), guest["layout"].clone()), (welcome["user"]["id"].clone(), json!("inset")));
    studio.say(on_air(6, json!({ "ask": "layout", "layout": "side_by_side" }))).await;
    assert_eq!(other.hear("broadcast").await["broadcast"]["guest"]["layout"], "side_by_side");
    studio.say(on_air(7, json!({ "ask": "end" }))).await;
    assert_eq!(viewer.hear("on_air_over").await["ended"], true);
    assert_eq!(other.hear("broadcast").await["broadcast"]["guest"], Value::Null);
    let peer: PeerId = peer.as_str().expect("an id is a text").parse().expect("the server prints ids that it reads");
    served.node.until(|node| node.sfu.asked().contains(&Asked::Withdrawn(peer))).await;
    assert!(served.node.sfu.asked().contains(&Asked::ShownGuest(broadcast, None)));
    served.stop().await;
}
