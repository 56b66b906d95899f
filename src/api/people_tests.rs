//! Friends, blocks, follows and private messages over HTTP.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::account_tests::Browser;
use crate::limits;
use crate::signaling::test_support::{Answer, Node};

/// A person with their browser.
struct Someone {
    browser: Browser,
    id: String,
}

impl Someone {
    async fn new(node: &Node, name: &str) -> Self {
        let mut browser = Browser::sign_up(node, name).await;
        let id = browser.id(node).await;
        Self { browser, id }
    }

    async fn get(&mut self, node: &Node, path: &str) -> Answer {
        self.browser.ask(node, Method::GET, path, Value::Null).await
    }

    async fn put(&mut self, node: &Node, path: &str, body: Value) -> Answer {
        self.browser.ask(node, Method::PUT, path, body).await
    }

    async fn delete(&mut self, node: &Node, path: &str) -> Answer {
        self.browser.ask(node, Method::DELETE, path, Value::Null).await
    }

    async fn write(&mut self, node: &Node, to: &str, nonce: u64, text: &str) -> Answer {
        self.browser.ask(node, Method::POST, &format!("/me/messages/{to}"), json!({ "nonce": nonce, "text": text })).await
    }

    async fn befriend(&mut self, node: &Node, other: &str) -> Value {
        self.put(node, &format!("/me/friends/{other}"), Value::Null).await.json()["relation"].clone()
    }

    async fn found(&mut self, node: &Node, text: &str) -> Vec<String> {
        let people = self.get(node, &format!("/people?search={text}")).await.json();
        let names = people["people"].as_array().expect("a search is answered with people").iter();
        names.map(|person| person["name"].as_str().expect("a person has a name").to_owned()).collect()
    }
}

#[tokio::test]
async fn people_find_each_other_ask_accept_and_part() {
    let node = Node::open().await;
    let (mut ann, mut ben) = (Someone::new(&node, "Ann").await, Someone::new(&node, "Ben").await);
    assert_eq!(ann.found(&node, "be").await, ["Ben"]);
    for wrong in ["/people?search=b", "/people", "/people?search=be&search=en"] {
        assert_eq!(ann.get(&node, wrong).await.code(), "invalid_value", "{wrong}");
    }
    assert_eq!(ann.befriend(&node, &ben.id).await, "outgoing");
    let lists = ben.get(&node, "/me/friends").await.json();
    assert_eq!(lists["incoming"][0]["person"]["name"], "Ann");
    assert_eq!(ben.get(&node, &format!("/users/{}", ann.id)).await.json()["relation"], "incoming");
    assert_eq!(ben.befriend(&node, &ann.id).await, "friend");
    let lists = ann.get(&node, "/me/friends").await.json();
    assert_eq!(lists["friends"][0]["person"]["id"], ben.id.as_str());
    assert_eq!((lists["friends"][0]["presence"].clone(), lists["outgoing"].clone()), (json!({ "online": false }), json!([])));
    let own = format!("/me/friends/{}", ann.id);
    assert_eq!(ann.put(&node, &own, Value::Null).await.code(), "invalid_value");
    assert_eq!(ann.put(&node, "/me/friends/0000000000042", Value::Null).await.code(), "not_found");
    assert_eq!(ann.put(&node, "/me/friends/nobody", Value::Null).await.code(), "not_found");
    for _ in 0..2 {
        assert_eq!(ann.delete(&node, &format!("/me/friends/{}", ben.id)).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(ben.get(&node, "/me/friends").await.json()["friends"], json!([]));
}

#[tokio::test]
async fn a_block_makes_two_people_strangers_who_do_not_exist_for_each_other() {
    let node = Node::open().await;
    let (mut ann, mut ben) = (Someone::new(&node, "Ann").await, Someone::new(&node, "Ben").await);
    ann.befriend(&node, &ben.id).await;
    ben.befriend(&node, &ann.id).await;
    assert_eq!(ann.write(&node, &ben.id, 1, "hello").await.status, StatusCode::CREATED);
    assert_eq!(ann.put(&node, &format!("/me/blocks/{}", ben.id), Value::Null).await.status, StatusCode::NO_CONTENT);
    let (anns_id, bens_id) = (ann.id.clone(), ben.id.clone());
    for (one, other) in [(&mut ann, bens_id), (&mut ben, anns_id)] {
        assert_eq!(one.get(&node, &format!("/users/{other}")).await.code(), "not_found");
        assert_eq!(one.get(&node, &format!("/me/messages/{other}")).await.code(), "not_found");
        assert_eq!(one.write(&node, &other, 2, "still there?").await.code(), "not_found");
        assert_eq!(one.put(&node, &format!("/me/friends/{other}"), Value::Null).await.code(), "not_found");
        assert_eq!(one.put(&node, &format!("/me/follows/{other}"), Value::Null).await.code(), "not_found");
        assert_eq!(one.get(&node, "/me/messages").await.json()["conversations"], json!([]));
    }
    assert_eq!((ann.found(&node, "ben").await, ben.found(&node, "ann").await), (Vec::new(), Vec::new()));
    assert_eq!(ann.get(&node, "/me/friends").await.json()["blocked"][0]["name"], "Ben");
    assert_eq!(ben.get(&node, "/me/friends").await.json()["blocked"], json!([]));
    let guest = node.ask_json(Method::GET, "/api/v1/me", None, Value::Null).await.json();
    let guest = guest["user"]["id"].as_str().expect("a stranger is given an id").to_owned();
    assert_eq!(ann.put(&node, &format!("/me/blocks/{guest}"), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.get(&node, "/me/friends").await.json()["blocked"][1]["name"], "Guest");
    assert_eq!(ann.delete(&node, &format!("/me/blocks/{}", ben.id)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ben.found(&node, "ann").await, ["Ann"]);
}

#[tokio::test]
async fn friends_write_to_each_other_and_see_what_is_read() {
    let node = Node::open().await;
    let (mut ann, mut ben) = (Someone::new(&node, "Ann").await, Someone::new(&node, "Ben").await);
    assert_eq!(ann.write(&node, &ben.id, 1, "hello").await.code(), "not_friends");
    ann.befriend(&node, &ben.id).await;
    ben.befriend(&node, &ann.id).await;
    for (text, status) in [("", 422), (" \u{7} ", 422), ("one", 201), ("one", 200), (&"x".repeat(limits::PRIVATE_TEXT_MAX + 1), 422)] {
        assert_eq!(ann.write(&node, &ben.id, 1, text).await.status.as_u16(), status, "{text}");
    }
    assert_eq!(ann.write(&node, &ben.id, limits::EXACT_INTEGER_MAX + 1, "x").await.code(), "invalid_value");
    assert_eq!(ben.write(&node, &ann.id, 1, "two\nlines").await.json()["number"], 2);
    let listed = ben.get(&node, "/me/messages").await.json();
    let conversation = &listed["conversations"][0];
    assert_eq!((conversation["unread"].clone(), conversation["last"]["text"].clone()), (json!(1), json!("two\nlines")));
    let beyond = limits::EXACT_INTEGER_MAX + 1;
    assert_eq!(ben.put(&node, &format!("/me/messages/{}/read", ann.id), json!({ "up_to": beyond })).await.code(), "invalid_value");
    assert_eq!(ben.get(&node, &format!("/me/messages/{}?before={beyond}", ann.id)).await.code(), "invalid_value");
    let read = ben.put(&node, &format!("/me/messages/{}/read", ann.id), json!({ "up_to": 1.0 })).await;
    assert_eq!(read.status, StatusCode::NO_CONTENT);
    let page = ann.get(&node, &format!("/me/messages/{}", ben.id)).await.json();
    assert_eq!((page["read_up_to"].clone(), page["seen_up_to"].clone(), page["more"].clone()), (json!(0), json!(1), json!(false)));
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(2));
    let page = ann.get(&node, &format!("/me/messages/{}?before=2", ben.id)).await.json();
    assert_eq!(page["messages"][0]["text"], "one");
    assert_eq!(ann.get(&node, &format!("/me/messages/{}?before=x", ben.id)).await.code(), "invalid_value");
    let export = ann.get(&node, "/me/account/export").await.json();
    assert_eq!(export["private_messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(export["people"][0]["relation"], "friend");
    let marked = ann.put(&node, &format!("/me/messages/{}/read", ben.id), json!({ "up_to": 2 })).await;
    assert_eq!(marked.header("ratelimit-limit"), limits::RATE_READ_MARK.0.to_string());
    let mut last = StatusCode::CREATED;
    for nonce in 10..10_000 {
        last = ann.write(&node, &ben.id, nonce, "x").await.status;
        if last != StatusCode::CREATED {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn people_follow_and_guests_know_nobody() {
    let node = Node::open().await;
    let (mut ann, ben) = (Someone::new(&node, "Ann").await, Someone::new(&node, "Ben").await);
    let path = format!("/me/follows/{}", ben.id);
    assert_eq!(ann.put(&node, &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.get(&node, "/me/follows").await.json()["people"][0]["follows"], true);
    assert_eq!(ann.delete(&node, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.get(&node, "/me/follows").await.json()["people"], json!([]));
    let me = node.ask_json(Method::GET, "/api/v1/me", None, Value::Null).await.json();
    let token = me["token"].as_str().expect("a stranger is given a token");
    for path in ["/me/friends", "/me/follows", "/me/messages", "/people?search=an"] {
        let path = format!("/api/v1{path}");
        assert_eq!(node.ask_json(Method::GET, &path, Some(token), Value::Null).await.code(), "forbidden", "{path}");
        assert_eq!(node.ask_json(Method::GET, &path, None, Value::Null).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let seen = node.ask_json(Method::GET, &format!("/api/v1/users/{}", ben.id), None, Value::Null).await.json();
    assert_eq!(seen, json!({ "id": ben.id, "name": "Ben", "picture_version": 0 }), "a stranger is told no more");
}
