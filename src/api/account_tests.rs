//! Accounts over HTTP: cookies, headers, refusals, and who may do what.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::accounts::Grant;
use crate::limits;
use crate::signaling::test_support::{Answer, Node, OFFER, peer_of};

const OURS: (&str, &str) = ("x-courtside", "1");
const JSON: (&str, &str) = ("content-type", "application/json");
const PASSWORD: &str = "correct horse";

/// A browser: its cookie and its access token.
#[derive(Default)]
pub(super) struct Browser {
    cookie: String,
    token: String,
}

impl Browser {
    async fn post(&mut self, node: &Node, path: &str, body: Value) -> Answer {
        self.ask(node, Method::POST, path, body).await
    }

    pub(super) async fn ask(&mut self, node: &Node, method: Method, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![OURS, JSON, ("cookie", self.cookie.as_str()), ("user-agent", "Test/1")];
        if !self.token.is_empty() {
            headers.push(("authorization", &bearer));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let answer = node.ask(method, &format!("/api/v1{path}"), &headers, body).await;
        let set = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        if !set.is_empty() {
            self.cookie = set;
        }
        if answer.status.is_success() && answer.header("content-type") == "application/json" {
            let signed_in = answer.json();
            if let (Some(token), Some(_)) = (signed_in["token"].as_str(), signed_in.get("account")) {
                self.token = token.to_owned();
            }
        }
        answer
    }

    pub(super) async fn sign_up(node: &Node, name: &str) -> Self {
        let mut browser = Self::default();
        let answer = browser.post(node, "/auth/sign-up", new(name)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        browser
    }

    pub(super) async fn id(&mut self, node: &Node) -> String {
        self.ask(node, Method::GET, "/me/account", Value::Null).await.json()["id"].as_str().unwrap().to_owned()
    }
}

fn new(name: &str) -> Value {
    json!({ "name": name, "email": format!("{}@example.org", name.to_lowercase()), "password": PASSWORD })
}

fn code_in(node: &mut Node) -> String {
    let letters = std::iter::from_fn(|| node.letters.try_recv().ok()).filter(|letter| letter.text.contains('#'));
    let text = letters.last().unwrap().text;
    text.split_once('#').unwrap().1.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_guest_signs_up_stays_signed_in_and_signs_out() {
    let node = Node::open().await;
    let guest = node.ask_json(Method::GET, "/api/v1/me", None, Value::Null).await.json();
    let mut browser = Browser { token: guest["token"].as_str().unwrap().to_owned(), ..Browser::default() };
    let made = browser.post(&node, "/auth/sign-up", new("Ann")).await;
    assert_eq!(made.json()["account"]["id"], guest["user"]["id"], "the same person");
    let cookie = made.header("set-cookie");
    for part in ["courtside_refresh=", "Path=/api/v1/auth", "HttpOnly", "SameSite=Strict", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    assert!(!cookie.contains("Secure"), "http has no secure cookies");
    assert!(!String::from_utf8_lossy(&made.body).contains(browser.cookie.split_once('=').unwrap().1), "the secret is in the cookie alone");
    assert_eq!(made.header("cache-control"), "no-store");
    let stale = node.ask_json(Method::GET, "/api/v1/me", Some(guest["token"].as_str().unwrap()), Value::Null).await;
    assert_eq!((stale.status, stale.code().as_str()), (StatusCode::UNAUTHORIZED, "invalid_token"));

    let me = browser.ask(&node, Method::GET, "/me", Value::Null).await.json();
    assert_eq!((me["user"]["name"].clone(), me["user"]["guest"].clone()), (json!("Ann"), json!(false)));
    let before = browser.cookie.clone();
    assert_eq!(browser.post(&node, "/auth/refresh", Value::Null).await.status, StatusCode::OK);
    assert_ne!(browser.cookie, before, "rotated");
    let devices = browser.ask(&node, Method::GET, "/me/devices", Value::Null).await.json();
    assert_eq!(devices["devices"][0]["name"], "Test/1");

    let left = browser.post(&node, "/auth/sign-out", Value::Null).await;
    assert_eq!((left.status, browser.cookie.as_str()), (StatusCode::NO_CONTENT, "courtside_refresh="));
    let gone = browser.post(&node, "/auth/refresh", Value::Null).await;
    assert_eq!((gone.status, gone.code().as_str(), gone.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "sign_in_ended", "Bearer"));

    let wrong = browser.post(&node, "/auth/sign-in", json!({ "email": "ann@example.org", "password": "wrong horse" })).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::UNAUTHORIZED, "wrong_credentials"));
    let back = browser.post(&node, "/auth/sign-in", json!({ "email": "ann@example.org", "password": PASSWORD })).await;
    assert_eq!((back.status, back.json()["account"]["id"].clone()), (StatusCode::OK, guest["user"]["id"].clone()));
    let mut elsewhere = Browser::default();
    elsewhere.post(&node, "/auth/sign-in", json!({ "email": "ann@example.org", "password": PASSWORD })).await;
    assert_eq!(browser.post(&node, "/auth/sign-out-everywhere", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(elsewhere.post(&node, "/auth/refresh", Value::Null).await.status, StatusCode::UNAUTHORIZED);
    node.live.shutdown().await;
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() {
    let node = Node::open().await;
    let browser = Browser::sign_up(&node, "Ann").await;
    let cookie = ("cookie", browser.cookie.as_str());
    let refresh = async |headers: &[(&str, &str)]| node.ask(Method::POST, "/api/v1/auth/refresh", headers, "").await.status;
    assert_eq!(refresh(&[cookie]).await, StatusCode::FORBIDDEN, "a form of another site");
    assert_eq!(refresh(&[cookie, OURS, ("origin", "https://evil.example")]).await, StatusCode::FORBIDDEN);
    assert_eq!(refresh(&[cookie, OURS, ("origin", "null"), ("host", "sport.example.org")]).await, StatusCode::FORBIDDEN);
    assert_eq!(refresh(&[cookie, OURS, ("origin", "http://test")]).await, StatusCode::OK, "the public URL");
    assert_eq!(refresh(&[cookie, OURS, ("origin", "http://10.0.0.1:7880"), ("host", "10.0.0.1:7880")]).await, StatusCode::OK);
    let preflight = node.ask(Method::OPTIONS, "/api/v1/auth/refresh", &[("origin", "https://evil.example")], "").await;
    assert!(!preflight.header("access-control-allow-headers").contains("courtside"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    for path in ["sign-up", "sign-in", "sign-out"] {
        let answer = node.ask(Method::POST, &format!("/api/v1/auth/{path}"), &[JSON], new("Eve").to_string()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"), "{path}");
    }
    node.live.shutdown().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let node = Node::open().await;
    let ask = async |address: [u8; 4]| {
        let request = Request::post("/api/v1/auth/sign-in").header(OURS.0, OURS.1).header(JSON.0, JSON.1);
        let mut request = request.body(Body::from(json!({ "email": "x@example.org", "password": "y" }).to_string())).unwrap();
        request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from((address, 9))));
        let answer = node.router.clone().oneshot(request).await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
        (
            answer.status().as_u16(),
            header("ratelimit-limit"),
            header("ratelimit-remaining"),
            header("ratelimit-reset"),
            header("retry-after"),
        )
    };
    let burst = u64::from(limits::RATE_SIGN_IN.0);
    for remaining in (0..burst).rev() {
        let (status, limit, left, reset, retry) = ask([192, 0, 2, 1]).await;
        assert_eq!((status, limit, left, retry), (401, Some(burst), Some(remaining), None));
        assert!(reset.is_some_and(|reset| reset > 0));
    }
    let (status, limit, left, _, retry) = ask([192, 0, 2, 1]).await;
    assert_eq!((status, limit, left), (429, Some(burst), Some(0)));
    assert!(retry.is_some_and(|wait| (1..=limits::RATE_SIGN_IN.1.as_secs()).contains(&wait)), "{retry:?}");
    // What a client may ask of us in the name of others is counted by mailbox: letters, wherever they are asked for.
    let mut ann = Browser::sign_up(&node, "Ann").await;
    let change = json!({ "email": "victim@example.org", "password": PASSWORD });
    for _ in 0..limits::RATE_LETTER_PER_MAILBOX.0 {
        assert_eq!(ann.ask(&node, Method::PUT, "/me/account/email", change.clone()).await.status, StatusCode::ACCEPTED);
    }
    let refused = ann.ask(&node, Method::PUT, "/me/account/email", change).await;
    assert_eq!((refused.status, refused.header("ratelimit-remaining")), (StatusCode::TOO_MANY_REQUESTS, "0"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > limits::RATE_CONFIRMED.1.as_secs());
    // From elsewhere it goes on, until the mailbox itself has none left.
    let (status, limit, ..) = ask([192, 0, 2, 2]).await;
    assert_eq!((status, limit), (401, Some(u64::from(limits::RATE_SIGN_IN_PER_MAILBOX.0))));
    node.live.shutdown().await;
}

#[tokio::test]
async fn people_change_what_is_theirs() {
    let mut node = Node::open().await;
    let mut ann = Browser::sign_up(&node, "Ann").await;
    let mut bob = Browser::sign_up(&node, "Bob").await;
    let id = ann.id(&node).await;

    let taken = ann.ask(&node, Method::PATCH, "/me/account", json!({ "name": "bob" })).await;
    assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "name_taken"));
    assert_eq!(ann.ask(&node, Method::PATCH, "/me/account", json!({ "name": "Anna" })).await.json()["name"], "Anna");
    assert_eq!(bob.ask(&node, Method::GET, &format!("/users/{id}"), Value::Null).await.json()["name"], "Anna");

    std::iter::from_fn(|| node.letters.try_recv().ok()).for_each(drop);
    let change = json!({ "email": "anna@example.org", "password": PASSWORD });
    assert_eq!(ann.ask(&node, Method::PUT, "/me/account/email", change).await.status, StatusCode::ACCEPTED);
    let code = code_in(&mut node);
    assert_eq!(Browser::default().post(&node, "/auth/verify-email", json!({ "code": code })).await.status, StatusCode::NO_CONTENT);
    let account = ann.ask(&node, Method::GET, "/me/account", Value::Null).await.json();
    assert_eq!((account["email"].clone(), account["email_verified"].clone()), (json!("anna@example.org"), json!(true)));

    let changed = ann.ask(&node, Method::PUT, "/me/account/password", json!({ "current": PASSWORD, "new": "battery staple" })).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(ann.post(&node, "/auth/refresh", Value::Null).await.status, StatusCode::OK, "this device goes on");

    let forgot = Browser::default().post(&node, "/auth/forgot-password", json!({ "email": "anna@example.org" })).await;
    let nobody = Browser::default().post(&node, "/auth/forgot-password", json!({ "email": "nobody@example.org" })).await;
    assert_eq!((forgot.status, nobody.status, &forgot.body), (StatusCode::ACCEPTED, StatusCode::ACCEPTED, &nobody.body));
    let reset = json!({ "code": code_in(&mut node), "password": "third of its kind" });
    assert_eq!(Browser::default().post(&node, "/auth/reset-password", reset.clone()).await.status, StatusCode::NO_CONTENT);
    let again = Browser::default().post(&node, "/auth/reset-password", reset).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_value"));

    let export = ann.ask(&node, Method::GET, "/me/account/export", Value::Null).await;
    assert!(export.header("content-disposition").starts_with("attachment"));
    assert_eq!(export.json()["account"]["name"], "Anna");
    let refused = ann.ask(&node, Method::DELETE, "/me/account", json!({ "password": PASSWORD })).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    ann.post(&node, "/broadcasts", json!({ "slug": "derby" })).await;
    let gone = ann.ask(&node, Method::DELETE, "/me/account", json!({ "password": "third of its kind" })).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(bob.ask(&node, Method::GET, "/broadcasts/derby", Value::Null).await.json()["state"], "ended");
    assert_eq!(bob.ask(&node, Method::GET, &format!("/users/{id}"), Value::Null).await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}

#[tokio::test]
async fn a_guest_and_a_link_that_was_handed_on_have_no_account() {
    let node = Node::open().await;
    let (guest, capability) = (node.token(1, &[], false), node.token(2, &[Grant::Publish], true));
    for path in ["account", "devices", "stream-key", "account/export"] {
        let path = format!("/api/v1/me/{path}");
        assert_eq!(node.ask_json(Method::GET, &path, None, Value::Null).await.status, StatusCode::UNAUTHORIZED, "{path}");
        for token in [&guest, &capability] {
            let answer = node.ask_json(Method::GET, &path, Some(token), Value::Null).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"), "{path}");
        }
    }
    node.live.shutdown().await;
}

#[tokio::test]
async fn a_picture_of_a_person_is_a_picture_with_a_version() {
    let node = Node::open().await;
    let mut ann = Browser::sign_up(&node, "Ann").await;
    let (id, bearer) = (ann.id(&node).await, format!("Bearer {}", ann.token));
    let put = async |bytes: &[u8]| {
        node.ask(Method::PUT, "/api/v1/me/account/picture", &[("authorization", bearer.as_str())], bytes.to_vec()).await.status.as_u16()
    };
    let jpeg = b"\xff\xd8\xff\xe0 a picture";
    assert_eq!((put(b"<svg/>").await, put(&vec![0xff; limits::PICTURE_BYTES_MAX + 1]).await, put(jpeg).await), (415, 413, 204));
    let path = format!("/api/v1/users/{id}/picture");
    let got = node.ask(Method::GET, &format!("{path}?v=1"), &[], "").await;
    assert_eq!((got.header("content-type"), got.header("etag"), got.body == jpeg), ("image/jpeg", "\"1\"", true));
    assert!(got.header("cache-control").contains("immutable"));
    assert_eq!(node.ask(Method::GET, &path, &[("if-none-match", "\"1\"")], "").await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(ann.ask(&node, Method::DELETE, "/me/account/picture", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(node.ask(Method::GET, &path, &[], "").await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}

#[tokio::test]
async fn an_encoder_publishes_with_a_stream_key_until_there_is_another() {
    let node = Node::open().await;
    let mut ann = Browser::sign_up(&node, "Ann").await;
    assert_eq!(ann.ask(&node, Method::GET, "/me/stream-key", Value::Null).await.status, StatusCode::NOT_FOUND);
    let made = ann.post(&node, "/me/stream-key", Value::Null).await;
    assert_eq!((made.status, made.header("cache-control")), (StatusCode::CREATED, "no-store"));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    ann.post(&node, "/broadcasts", json!({ "slug": "derby" })).await;
    let mut bob = Browser::sign_up(&node, "Bob").await;
    bob.post(&node, "/broadcasts", json!({ "slug": "cup" })).await;

    let published = node.post_sdp("/whip/derby", Some(&key), OFFER).await;
    assert_eq!(published.status, StatusCode::CREATED, "{published:?}");
    let kept = ann.ask(&node, Method::GET, "/me/stream-key", Value::Null).await.json();
    assert!(kept.get("key").is_none() && kept["used_at_ms"].as_u64().is_some_and(|used| used > 0), "{kept}");
    assert_eq!(node.post_sdp("/whip/cup", Some(&key), OFFER).await.status, StatusCode::FORBIDDEN, "somebody else's");
    let bearer = format!("Bearer {key}");
    let elsewhere = node.ask(Method::GET, "/api/v1/me/account", &[("authorization", &bearer)], "").await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED, "it publishes and does nothing else");
    assert_eq!(node.post_sdp("/whep/derby", Some(&key), OFFER).await.status, StatusCode::UNAUTHORIZED);

    let new = ann.post(&node, "/me/stream-key", Value::Null).await.json()["key"].as_str().unwrap().to_owned();
    let old = node.post_sdp("/whip/derby", Some(&key), OFFER).await;
    assert_eq!((old.status, old.code().as_str()), (StatusCode::UNAUTHORIZED, "invalid_token"));
    let location = node.post_sdp("/whip/derby", Some(&new), OFFER).await.header("location").to_owned();
    let bearer = format!("Bearer {new}");
    assert_eq!(node.ask(Method::DELETE, &location, &[("authorization", &bearer)], "").await.status, StatusCode::OK);
    assert!(location.ends_with(&peer_of(&location).to_string()));
    assert_eq!(ann.ask(&node, Method::DELETE, "/me/stream-key", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(node.post_sdp("/whip/derby", Some(&new), OFFER).await.status, StatusCode::UNAUTHORIZED);
    node.live.shutdown().await;
}

#[tokio::test]
async fn roles_are_given_by_operators_and_moderators_by_the_owner() {
    let node = Node::start(false, true).await;
    let mut ann = Browser::sign_up(&node, "Ann").await;
    let mut bob = Browser::sign_up(&node, "Bob").await;
    let (ann_id, bob_id) = (ann.id(&node).await, bob.id(&node).await);
    let roles = format!("/api/v1/users/{ann_id}/roles");
    assert_eq!(ann.post(&node, "/broadcasts", json!({ "slug": "derby" })).await.status, StatusCode::FORBIDDEN);
    let give = json!({ "roles": ["broadcaster"] });
    assert_eq!(node.ask_json(Method::PUT, &roles, Some(&ann.token), give.clone()).await.status, StatusCode::FORBIDDEN);
    let operator = node.token(9, &[], true);
    assert_eq!(node.ask_json(Method::PUT, &roles, Some(&operator), give).await.status, StatusCode::NO_CONTENT);
    assert_eq!(node.ask_json(Method::PUT, &roles, Some(&operator), json!({ "roles": ["king"] })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ann.post(&node, "/auth/refresh", Value::Null).await.json()["account"]["roles"], json!(["broadcaster"]));
    assert_eq!(ann.ask(&node, Method::GET, "/me", Value::Null).await.json()["may_broadcast"], true);
    assert_eq!(ann.post(&node, "/broadcasts", json!({ "slug": "derby" })).await.status, StatusCode::CREATED);

    let moderators = "/broadcasts/derby/moderators";
    let bob_moderates = format!("{moderators}/{bob_id}");
    assert_eq!(bob.ask(&node, Method::PUT, &bob_moderates, Value::Null).await.status, StatusCode::FORBIDDEN, "nobody appoints themselves");
    assert_eq!(bob.ask(&node, Method::GET, moderators, Value::Null).await.status, StatusCode::FORBIDDEN);
    let guest = format!("{moderators}/0000000000001");
    assert_eq!(ann.ask(&node, Method::PUT, &guest, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.ask(&node, Method::PUT, &bob_moderates, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.ask(&node, Method::GET, moderators, Value::Null).await.json(), json!({ "moderators": [bob_id] }));
    assert_eq!(bob.ask(&node, Method::PATCH, "/broadcasts/derby", json!({ "title": "x" })).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.ask(&node, Method::DELETE, &bob_moderates, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.ask(&node, Method::DELETE, &bob_moderates, Value::Null).await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}
