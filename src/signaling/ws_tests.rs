//! Whole conversations over real sockets on a fake media plane.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::ids::PeerId;
use crate::sfu::fake::Asked;
use crate::sfu::handle::SfuEvent;
use crate::signaling::test_support::{Node, OFFER, peer_of};

#[path = "call_tests.rs"]
mod calls;

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

struct Served {
    node: Node,
    url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        Self::of(Node::open().await).await
    }

    async fn of(node: Node) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
        let router = node.router.clone();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { node, url, serving }
    }

    async fn connect(&self) -> Client {
        Client { socket: tokio_tungstenite::connect_async(&self.url).await.unwrap().0 }
    }

    async fn greeted(&self, token: Option<&str>) -> (Client, Value) {
        let mut client = self.connect().await;
        let mut hello = json!({ "type": "hello", "protocol": 1, "client": "test" });
        if let Some(token) = token {
            hello["token"] = json!(token);
        }
        client.say(hello).await;
        let welcome = client.hear("welcome").await;
        (client, welcome)
    }

    async fn stop(self) {
        self.node.live.shutdown().await;
        self.serving.abort();
    }
}

impl Client {
    async fn say(&mut self, message: Value) {
        self.socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    /// The next message of this type; others on the way are passed over.
    async fn hear(&mut self, kind: &str) -> Value {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == kind {
                        return message;
                    }
                }
                Message::Close(frame) => panic!("closed with {frame:?} while waiting for {kind}"),
                _ => {}
            }
        }
    }

    async fn hear_close(&mut self) -> Option<u16> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

#[tokio::test]
async fn a_broadcaster_and_a_viewer_meet() {
    let served = Served::start().await;
    let made = served.node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", None, json!({ "slug": "derby" })).await.json();
    let (mut studio, _) = served.greeted(None).await;
    studio.say(json!({ "type": "join", "id": 1, "broadcast": "derby", "token": made["token"] })).await;
    assert!(studio.hear("joined").await["grants"].as_array().unwrap().contains(&json!("publish")));
    studio.say(json!({ "type": "offer", "id": 2, "intent": "publish", "sdp": OFFER })).await;
    let peer: PeerId = studio.hear("answer").await["peer"].as_str().unwrap().parse().unwrap();

    let (mut viewer, welcome) = served.greeted(None).await;
    assert_eq!((welcome["protocol"].clone(), welcome["resumed"].clone()), (json!(1), json!(false)));
    assert!(welcome["token"].is_string());
    viewer.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
    let joined = viewer.hear("joined").await;
    assert_eq!((joined["broadcast"]["state"].clone(), joined["grants"].clone()), (json!("idle"), json!(["view", "chat", "call"])));
    let broadcast = joined["broadcast"]["id"].as_str().unwrap().parse().unwrap();
    served.node.media(peer, broadcast).await;
    assert_eq!(viewer.hear("broadcast").await["broadcast"]["state"], "live");
    assert_eq!(viewer.hear("layers").await["layers"][0]["width"], 640);
    assert_eq!(studio.hear("layers").await["layers"][0]["height"], 360);

    viewer.say(json!({ "type": "offer", "id": 2, "intent": "view", "sdp": OFFER })).await;
    let watching = viewer.hear("answer").await["peer"].as_str().unwrap().to_owned();
    assert_eq!(viewer.hear("slots").await["slots"][1], json!({ "mid": "1", "kind": "video", "source": "main" }));
    served.node.sfu.events.send(SfuEvent::PeerConnected { peer: watching.parse().unwrap(), broadcast }).await.unwrap();
    assert_eq!(viewer.hear("peer_state").await["state"], json!({ "state": "connected" }));
    viewer.say(json!({ "type": "quality", "id": 3, "peer": watching, "choice": { "mode": "layer", "spatial": 1 } })).await;
    assert_eq!(viewer.hear("done").await["id"], 3);
    viewer.say(json!({ "type": "view_size", "peer": watching, "mid": "1", "height": 664 })).await;
    viewer.say(json!({ "type": "watch_stats", "id": 4, "peer": watching, "on": true })).await;
    assert_eq!(viewer.hear("stats").await["peer"], json!(watching));
    let drawn = |asked: &Asked| matches!(asked, Asked::DrawnAt(peer, mid, 664) if peer.to_string() == watching && mid.as_str() == "1");
    assert!(served.node.sfu.asked().iter().any(drawn));

    studio.say(json!({ "type": "mark", "id": 5, "kind": "goal", "label": "1:0" })).await;
    assert_eq!(viewer.hear("broadcast").await["broadcast"]["markers"][0]["label"], "1:0");
    studio.say(json!({ "type": "end_broadcast", "id": 6 })).await;
    assert_eq!(viewer.hear("broadcast").await["broadcast"]["state"], "ended");
    assert_eq!(viewer.hear("peer_state").await["state"], json!({ "state": "gone", "reason": "removed" }));
    served.stop().await;
}

#[tokio::test]
async fn a_session_resumes_with_its_peers_after_a_broken_connection() {
    let served = Served::start().await;
    let location = served.node.post_sdp("/whip/derby", None, OFFER).await.header("location").to_owned();
    let (mut client, welcome) = served.greeted(None).await;
    client.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
    let broadcast = client.hear("joined").await["broadcast"]["id"].as_str().unwrap().parse().unwrap();
    client.say(json!({ "type": "offer", "id": 2, "intent": "view", "sdp": OFFER })).await;
    let peer = client.hear("answer").await["peer"].as_str().unwrap().to_owned();
    // Cut without a word.
    drop(client);
    served.node.media(peer_of(&location), broadcast).await;
    served.node.sfu.events.send(SfuEvent::Playing { peer: peer.parse().unwrap(), broadcast }).await.unwrap();

    let mut client = served.connect().await;
    client.say(json!({ "type": "hello", "protocol": 1, "client": "test", "token": welcome["token"], "resume": welcome["resume"] })).await;
    let again = client.hear("welcome").await;
    assert_eq!((again["resumed"].clone(), again["session"].clone()), (json!(true), welcome["session"].clone()));
    assert_eq!(client.hear("broadcast").await["broadcast"]["state"], "live");
    assert_eq!(client.hear("playing").await["peer"], json!(peer), "what was told meanwhile");
    client.say(json!({ "type": "close_peer", "id": 3, "peer": peer })).await;
    assert_eq!(client.hear("done").await["id"], 3);
    assert!(!served.node.sfu.asked().iter().any(|asked| matches!(asked, Asked::Removed(other) if other.to_string() == location)));
    served.stop().await;
}

#[tokio::test]
async fn a_guest_who_signs_up_goes_on_as_the_account_with_the_same_media() {
    let served = Served::start().await;
    served.node.post_sdp("/whip/derby", None, OFFER).await;
    let (mut client, welcome) = served.greeted(None).await;
    client.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
    client.hear("joined").await;
    client.say(json!({ "type": "offer", "id": 2, "intent": "view", "sdp": OFFER })).await;
    let peer = client.hear("answer").await["peer"].clone();
    let (id, token) = signed_up(&served.node, "Ann", welcome["token"].as_str().expect("a stranger is given one")).await;
    assert_eq!(json!(id), welcome["user"]["id"]);

    let mut client = served.connect().await;
    client.say(json!({ "type": "hello", "protocol": 1, "client": "test", "token": token, "resume": welcome["resume"] })).await;
    let again = client.hear("welcome").await;
    assert_eq!((again["resumed"].clone(), again["user"].clone()), (json!(true), json!({ "id": id, "name": "Ann", "guest": false })));
    client.say(json!({ "type": "quality", "id": 3, "peer": peer, "choice": { "mode": "auto" } })).await;
    assert_eq!(client.hear("done").await["id"], 3, "the peer is there");
    assert!(!served.node.sfu.asked().iter().any(|asked| matches!(asked, Asked::Removed(_))));
    client.say(json!({ "type": "watch_friends", "id": 4 })).await;
    assert_eq!(client.hear("friends_online").await["id"], 4);
    client.say(json!({ "type": "enter_chat", "id": 5 })).await;
    client.hear("chat_entered").await;
    client.say(json!({ "type": "say", "id": 6, "nonce": 1, "text": "here I am" })).await;
    client.hear("said").await;
    let author = client.hear_event("said").await["message"]["author"].clone();
    assert_eq!((author["name"].clone(), author["id"].clone()), (json!("Ann"), json!(id)));
    assert!(author.get("guest").is_none_or(|guest| guest == false), "{author}");
    served.stop().await;
}

#[tokio::test]
async fn a_resume_takes_the_session_from_a_connection_that_still_lives() {
    let served = Served::start().await;
    let (mut old, welcome) = served.greeted(None).await;
    let mut new = served.connect().await;
    new.say(json!({ "type": "hello", "protocol": 1, "client": "test", "resume": welcome["resume"] })).await;
    assert_eq!(new.hear("welcome").await["resumed"], true);
    assert_eq!(old.hear("bye").await["reason"], "replaced");
    assert_eq!(old.hear_close().await, Some(4003));
    let stranger = served.node.token(77, &[], false);
    let mut other = served.connect().await;
    other.say(json!({ "type": "hello", "protocol": 1, "client": "test", "resume": welcome["resume"], "token": stranger })).await;
    assert_eq!(other.hear("welcome").await["resumed"], false, "nobody resumes as somebody else");
    served.stop().await;
}

#[tokio::test]
async fn a_page_that_goes_takes_its_session_along() {
    let served = Served::start().await;
    served.node.post_sdp("/whip/derby", None, OFFER).await;
    let (mut client, welcome) = served.greeted(None).await;
    client.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
    client.hear("joined").await;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1001.into(), reason: "".into() };
    client.socket.close(Some(frame)).await.unwrap();
    served.node.until(|node| node.live.sessions() == 0).await;
    assert_eq!(served.node.live.find("derby").unwrap().viewers, 0);
    let mut client = served.connect().await;
    client.say(json!({ "type": "hello", "protocol": 1, "client": "test", "resume": welcome["resume"] })).await;
    assert_eq!(client.hear("welcome").await["resumed"], false);
    served.stop().await;
}

#[tokio::test]
async fn wrong_words_are_answered_in_words() {
    let served = Served::start().await;
    let mut client = served.connect().await;
    client.say(json!({ "type": "leave", "id": 1 })).await;
    assert_eq!(client.hear("error").await["error"]["code"], "hello_first");
    client.say(json!({ "type": "hello", "protocol": 1, "client": "test", "token": "nonsense" })).await;
    assert_eq!(client.hear("error").await["error"]["code"], "invalid_token");
    client.say(json!({ "type": "hello", "protocol": 1, "client": "test" })).await;
    client.hear("welcome").await;
    client.say(json!({ "type": "sing", "id": 1 })).await;
    assert_eq!(client.hear("error").await["error"]["code"], "unknown_message");
    client.socket.send(Message::Text("{".into())).await.unwrap();
    assert_eq!(client.hear("error").await["error"]["code"], "malformed_message");
    client.socket.send(Message::Binary(vec![1, 2].into())).await.unwrap();
    assert_eq!(client.hear("error").await["error"]["code"], "malformed_message");
    client.say(json!({ "type": "join", "id": 3, "broadcast": "none" })).await;
    let error = client.hear("error").await;
    assert_eq!((error["id"].clone(), error["error"]["code"].clone()), (json!(3), json!("not_found")));

    let mut old = served.connect().await;
    old.say(json!({ "type": "hello", "protocol": 99, "client": "test" })).await;
    assert_eq!(old.hear("error").await["error"]["code"], "unsupported_protocol");
    assert_eq!(old.hear_close().await, Some(4000));
    served.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection_and_nothing_else() {
    let served = Served::start().await;
    let (mut other, _) = served.greeted(None).await;
    let (mut client, _) = served.greeted(None).await;
    // The server may have closed before all of it is written.
    drop(client.socket.send(Message::Text("x".repeat(crate::limits::CLIENT_MESSAGE_BYTES_MAX + 1).into())).await);
    client.hear_close().await;
    other.say(json!({ "type": "ping", "id": 1, "client_time_ms": 1.0 })).await;
    assert_eq!(other.hear("pong").await["id"], 1);
    served.stop().await;
}

#[tokio::test]
async fn shutdown_says_bye_and_closes_every_peer() {
    let served = Served::start().await;
    let peer = peer_of(served.node.post_sdp("/whip/derby", None, OFFER).await.header("location"));
    let (mut client, _) = served.greeted(None).await;
    served.node.live.shutdown().await;
    let bye = client.hear("bye").await;
    assert_eq!((bye["reason"].clone(), bye["reconnect_after_ms"].is_number()), (json!("shutting_down"), true));
    assert_eq!(client.hear_close().await, Some(1001));
    assert!(served.node.sfu.asked().contains(&Asked::Removed(peer)));
    assert_eq!(served.node.post_sdp("/whip/derby", None, OFFER).await.code(), "shutting_down");
    served.serving.abort();
}

/// Joined and seated in the chat.
async fn in_chat(served: &Served, broadcast: &str, token: Option<&str>) -> (Client, Value) {
    let (mut client, welcome) = served.greeted(token).await;
    client.say(json!({ "type": "join", "id": 1, "broadcast": broadcast })).await;
    client.hear("joined").await;
    client.say(json!({ "type": "enter_chat", "id": 2 })).await;
    let entered = client.hear("chat_entered").await;
    assert_eq!(entered["id"], 2);
    (client, if token.is_some() { entered } else { welcome })
}

impl Client {
    /// The next event of this kind in the chat.
    async fn hear_event(&mut self, kind: &str) -> Value {
        loop {
            let chat = self.hear("chat").await;
            let events = chat["frame"]["events"].as_array().cloned().unwrap_or_default();
            if let Some(event) = events.into_iter().find(|event| event["event"] == kind) {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn people_talk_react_reply_and_find_what_they_missed() {
    let served = Served::start().await;
    served.node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", None, json!({ "slug": "derby" })).await;
    let (mut ann, _) = in_chat(&served, "derby", None).await;
    let (mut ben, welcome) = in_chat(&served, "derby", None).await;
    ann.say(json!({ "type": "say", "id": 3, "nonce": 5, "text": "what a save" })).await;
    let said = ann.hear("said").await;
    let event = ben.hear_event("said").await;
    assert_eq!((event["message"]["id"].clone(), event["message"]["text"].clone()), (said["message"].clone(), json!("what a save")));
    // The same again is the same.
    ann.say(json!({ "type": "say", "id": 4, "nonce": 5, "text": "what a save" })).await;
    assert_eq!(ann.hear("said").await["message"], said["message"]);
    ben.say(json!({ "type": "say", "id": 5, "nonce": 1, "text": "indeed", "reply_to": said["message"] })).await;
    let reply = ben.hear("said").await;
    let event = ann.hear_event("said").await;
    let event = if event["message"]["id"] == reply["message"] { event } else { ann.hear_event("said").await };
    assert_eq!(event["message"]["reply_to"]["excerpt"], "what a save");
    ann.say(json!({ "type": "say", "id": 6, "nonce": 6, "text": "sh1t" })).await;
    assert_eq!(ann.hear("error").await["error"]["code"], "filtered");
    ben.say(json!({ "type": "react", "taps": [{ "kind": "goal", "count": 7 }] })).await;
    loop {
        let chat = ann.hear("chat").await;
        if chat["frame"]["reactions"] == json!([{ "kind": "goal", "count": 7 }]) {
            break;
        }
    }
    // Ben's connection breaks; he comes back and is told what was said meanwhile, and no more.
    drop(ben);
    ann.say(json!({ "type": "say", "id": 7, "nonce": 7, "text": "offside?" })).await;
    let missed = ann.hear("said").await;
    let mut ben = served.connect().await;
    ben.say(json!({ "type": "hello", "protocol": 1, "client": "test", "resume": welcome["resume"] })).await;
    assert_eq!(ben.hear("welcome").await["resumed"], true);
    ben.say(json!({ "type": "say", "id": 8, "nonce": 8, "text": "too early" })).await;
    assert_eq!(ben.hear("error").await["error"]["code"], "not_joined", "a seat is taken anew");
    ben.say(json!({ "type": "enter_chat", "id": 9, "since": reply["message"] })).await;
    let history = ben.hear("chat_entered").await["history"].clone();
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!((history["messages"][0]["id"].clone(), history["gap"].clone()), (missed["message"].clone(), json!(false)));
    served.stop().await;
}

#[tokio::test]
async fn moderators_moderate_and_others_do_not() {
    use crate::accounts::Grant;
    let served = Served::start().await;
    served.node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", None, json!({ "slug": "derby" })).await;
    let token = served.node.token(70, &[Grant::View, Grant::Chat, Grant::Moderate], false);
    let (mut moderator, entered) = in_chat(&served, "derby", Some(&token)).await;
    assert_eq!(entered["role"], "moderator");
    let (mut viewer, welcome) = in_chat(&served, "derby", None).await;
    viewer.say(json!({ "type": "say", "id": 3, "nonce": 1, "text": "hello" })).await;
    let said = viewer.hear("said").await;
    viewer.say(json!({ "type": "change_chat", "id": 4, "change": { "change": "pin", "message": said["message"] } })).await;
    assert_eq!(viewer.hear("error").await["error"]["code"], "forbidden");
    moderator.say(json!({ "type": "change_chat", "id": 5, "change": { "change": "pin", "message": said["message"] } })).await;
    assert_eq!(moderator.hear("done").await["id"], 5);
    assert_eq!(viewer.hear_event("pinned").await["message"]["text"], "hello");
    let time_out = json!({ "change": "restrain", "user": welcome["user"]["id"], "restraint": { "action": "time_out", "seconds": 60 } });
    moderator.say(json!({ "type": "change_chat", "id": 6, "change": time_out })).await;
    assert_eq!(viewer.hear_event("cleared").await["user"], welcome["user"]["id"]);
    viewer.say(json!({ "type": "say", "id": 7, "nonce": 2, "text": "hello?" })).await;
    let error = viewer.hear("error").await["error"].clone();
    assert_eq!((error["code"].clone(), error["retryable"].clone()), (json!("timed_out"), json!(true)));
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 60_000));
    served.stop().await;
}

#[tokio::test]
async fn where_viewing_is_closed_chat_needs_its_grant() {
    use crate::accounts::Grant;
    let served = Served::of(Node::start(true, false).await).await;
    served.node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", None, json!({ "slug": "derby" })).await;
    let token = served.node.token(71, &[Grant::View], false);
    let (mut reader, entered) = in_chat(&served, "derby", Some(&token)).await;
    assert_eq!(entered["role"], Value::Null);
    reader.say(json!({ "type": "say", "id": 3, "nonce": 1, "text": "hello" })).await;
    assert_eq!(reader.hear("error").await["error"]["code"], "forbidden");
    reader.say(json!({ "type": "leave_chat", "id": 4 })).await;
    assert_eq!(reader.hear("done").await["id"], 4);
    served.stop().await;
}

/// Somebody with an account, with their id and access token; with a guest's token, the guest becomes the account.
async fn signed_up(node: &Node, name: &str, guest: &str) -> (String, String) {
    let body = json!({ "name": name, "email": format!("{name}@example.org"), "password": "correct horse" });
    let bearer = format!("Bearer {guest}");
    let mut headers = vec![("x-courtside", "1"), ("content-type", "application/json")];
    headers.extend((!guest.is_empty()).then_some(("authorization", bearer.as_str())));
    let made = node.ask(axum::http::Method::POST, "/api/v1/auth/sign-up", &headers, body.to_string()).await.json();
    (made["account"]["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn friends_see_each_other_watch_and_hear_what_they_write_on_every_tab() {
    let served = Served::start().await;
    let node = &served.node;
    let ((ann, anns_token), (ben, bens_token)) = (signed_up(node, "Ann", "").await, signed_up(node, "Ben", "").await);
    let ask = async |method, path: String, token: &str, body| node.ask_json(method, &path, Some(token), body).await;
    let put = axum::http::Method::PUT;
    let (mut anns, _) = served.greeted(Some(&anns_token)).await;
    let (mut bens, _) = served.greeted(Some(&bens_token)).await;
    let (mut bens_second, _) = served.greeted(Some(&bens_token)).await;
    ask(put.clone(), format!("/api/v1/me/friends/{ben}"), &anns_token, Value::Null).await;
    let asked = bens.hear("friend_changed").await;
    assert_eq!((asked["person"]["name"].clone(), asked["person"]["relation"].clone()), (json!("Ann"), json!("incoming")));
    anns.say(json!({ "type": "watch_friends", "id": 1 })).await;
    assert_eq!(anns.hear("friends_online").await["friends"], json!([]), "not yet friends");
    ask(put.clone(), format!("/api/v1/me/friends/{ann}"), &bens_token, Value::Null).await;
    let presence = anns.hear("presence").await;
    assert_eq!((presence["user"].clone(), presence["presence"].clone()), (json!(ben), json!({ "online": true })));

    for (slug, visibility) in [("open", "public"), ("closed", "unlisted")] {
        let new = json!({ "slug": slug, "title": "Derby", "visibility": visibility });
        node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", None, new).await;
    }
    bens.say(json!({ "type": "join", "id": 1, "broadcast": "open" })).await;
    let watching = anns.hear("presence").await["presence"]["watching"].clone();
    assert_eq!((watching["slug"].clone(), watching["title"].clone()), (json!("open"), json!("Derby")));
    bens.say(json!({ "type": "join", "id": 2, "broadcast": "closed" })).await;
    assert_eq!(anns.hear("presence").await["presence"], json!({ "online": true }), "an unlisted one is its link's secret");
    bens.say(json!({ "type": "join", "id": 3, "broadcast": "open" })).await;
    assert!(anns.hear("presence").await["presence"]["watching"].is_object());
    ask(axum::http::Method::PATCH, "/api/v1/me/account".to_owned(), &bens_token, json!({ "hide_watching": true })).await;
    assert_eq!(anns.hear("presence").await["presence"], json!({ "online": true }));

    let path = format!("/api/v1/me/messages/{ben}");
    let written = ask(axum::http::Method::POST, path.clone(), &anns_token, json!({ "nonce": 1, "text": "coming over?" })).await;
    assert_eq!(written.status, axum::http::StatusCode::CREATED);
    for tab in [&mut bens, &mut bens_second, &mut anns] {
        let heard = tab.hear("private_message").await;
        assert_eq!((heard["message"]["text"].clone(), heard["message"]["number"].clone()), (json!("coming over?"), json!(1)));
    }
    let again = ask(axum::http::Method::POST, path, &anns_token, json!({ "nonce": 1, "text": "coming over?" })).await;
    assert_eq!((again.status, again.json()), (axum::http::StatusCode::OK, written.json()));
    ask(put.clone(), format!("/api/v1/me/messages/{ann}/read"), &bens_token, json!({ "up_to": 1 })).await;
    let read = anns.hear("messages_read").await;
    assert_eq!((read["user"].clone(), read["reader"].clone(), read["up_to"].clone()), (json!(ben), json!(ben), json!(1)));

    ask(put, format!("/api/v1/me/blocks/{ann}"), &bens_token, Value::Null).await;
    let over = anns.hear("friend_changed").await;
    assert_eq!(over["person"]["relation"], "none", "no more than that is told");
    assert_eq!(bens_second.hear("friend_changed").await["person"]["relation"], "blocked", "what came before was passed over");
    let (mut stranger, _) = served.greeted(None).await;
    stranger.say(json!({ "type": "watch_friends", "id": 9 })).await;
    assert_eq!(stranger.hear("error").await["error"]["code"], "forbidden");
    served.stop().await;
}

#[tokio::test]
async fn what_is_reported_is_put_before_moderators_and_what_they_do_is_in_the_audit_log() {
    let served = Served::start().await;
    let node = &served.node;
    let (_, token) = signed_up(node, "Ann", "").await;
    let made = node.ask_json(axum::http::Method::POST, "/api/v1/broadcasts", Some(&token), json!({ "slug": "derby" })).await;
    assert_eq!(made.status, axum::http::StatusCode::CREATED);
    let (mut owner, _) = served.greeted(Some(&token)).await;
    let (mut guest, _) = served.greeted(None).await;
    let mut user = Value::Null;
    for client in [&mut owner, &mut guest] {
        client.say(json!({ "type": "join", "id": 1, "broadcast": "derby" })).await;
        client.hear("joined").await;
        client.say(json!({ "type": "enter_chat", "id": 2 })).await;
        client.hear("chat_entered").await;
    }
    guest.say(json!({ "type": "say", "id": 3, "nonce": 1, "text": "you know nothing" })).await;
    let message = guest.hear("said").await["message"].clone();
    let shown = owner.hear("chat").await;
    for event in shown["frame"]["events"].as_array().into_iter().flatten().filter(|event| event["event"] == "said") {
        user = event["message"]["author"]["id"].clone();
    }
    while user.is_null() {
        user = owner.hear("chat").await["frame"]["events"][0]["message"]["author"]["id"].clone();
    }
    owner.say(json!({ "type": "report_message", "id": 4, "message": message, "reason": "abuse", "note": "rude" })).await;
    owner.hear("done").await;
    let ban = json!({ "change": "restrain", "user": user, "restraint": { "action": "ban" }, "note": "enough" });
    owner.say(json!({ "type": "change_chat", "id": 5, "change": ban })).await;
    owner.hear("done").await;
    let get = async |path: &str, token| node.ask_json(axum::http::Method::GET, path, token, Value::Null).await;
    let reports = loop {
        let reports = get("/api/v1/broadcasts/derby/reports", Some(token.as_str())).await.json();
        if reports["reports"].as_array().is_some_and(|list| !list.is_empty()) {
            break reports;
        }
        tokio::task::yield_now().await;
    };
    let report = &reports["reports"][0];
    assert_eq!((report["message"].clone(), report["text"].clone()), (message.clone(), json!("you know nothing")));
    assert_eq!((report["reports"][0]["reason"].clone(), report["reports"][0]["note"].clone()), (json!("abuse"), json!("rude")));
    assert_eq!(get("/api/v1/broadcasts/derby/reports", None).await.code(), "forbidden");
    let path = format!("/api/v1/broadcasts/derby/reports/{}", message.as_str().unwrap());
    let put = axum::http::Method::PUT;
    let resolved = node.ask_json(put.clone(), &path, Some(&token), json!({ "outcome": "upheld", "note": "banned" })).await;
    assert_eq!(resolved.status, axum::http::StatusCode::NO_CONTENT, "{resolved:?}");
    assert_eq!(node.ask_json(put, &path, Some(&token), json!({ "outcome": "upheld" })).await.code(), "not_found");
    let page = loop {
        let page = get("/api/v1/broadcasts/derby/audit", Some(token.as_str())).await.json();
        if page["actions"].as_array().is_some_and(|actions| actions.len() == 2) {
            break page;
        }
        tokio::task::yield_now().await;
    };
    let [resolve, ban] = [&page["actions"][0], &page["actions"][1]];
    assert_eq!((resolve["action"].clone(), resolve["note"].clone()), (json!("resolve"), json!("upheld: banned")));
    assert_eq!((ban["action"].clone(), ban["note"].clone(), ban["by"]["name"].clone()), (json!("ban"), json!("enough"), json!("Ann")));
    assert_eq!((ban["on"]["id"].clone(), ban["message"].clone()), (user, json!("you know nothing")));
    let before = format!("/api/v1/broadcasts/derby/audit?before={}", resolve["id"].as_str().unwrap());
    assert_eq!(get(&before, Some(token.as_str())).await.json()["actions"].as_array().unwrap().len(), 1);
    served.stop().await;
}
