//! WHIP (RFC 9725), WHEP and REST against the real router: every status a client acts on, and problem+json with its stable code.

use courtside::accounts::{Claims, Grant, Tokens};
use courtside::ids::UserId;
use courtside::limits::SDP_BYTES_MAX;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::client::{Publisher, Viewer, created, request};
use super::house::House;

pub(super) const PUBLISH_OFFER: &str = include_str!("../../golden/sdp/chromium-publish-h264.sdp");
pub(super) const VIEW_OFFER: &str = include_str!("../../golden/sdp/chromium-view.sdp");
const SDP: Option<&str> = Some("application/sdp");
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const JSON: Option<&str> = Some("application/json");

/// Asserts a refusal's status, form and code.
pub(super) async fn refused(response: Response, status: u16, code: &str) -> Value {
    let headers = response.headers().clone();
    let got = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    assert_eq!(problem["retryable"] == true, headers.contains_key(RETRY_AFTER), "{problem}");
    problem
}

async fn patch(house: &House, url: &str, token: Option<&str>, content_type: &str, if_match: Option<&str>, body: &str) -> Response {
    let mut request = house.http.patch(house.url(url)).header(CONTENT_TYPE, content_type).body(body.to_owned());
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(tag) = if_match {
        request = request.header(IF_MATCH, tag);
    }
    super::house::within(url, request.send()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_needs_a_good_token_where_it_is_closed() {
    let house = House::with(|config| config.open_publish = false).await;
    let whip = async |token: Option<&str>| request(&house, Method::POST, "/whip/derby", token, SDP, PUBLISH_OFFER).await;

    let response = whip(None).await;
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    refused(response, 401, "forbidden").await;
    let response = whip(Some("not.a.token")).await;
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    refused(response, 401, "invalid_token").await;
    refused(whip(Some(&house.token(1, &[Grant::Publish], Some("derby"), -1))).await, 401, "token_expired").await;
    let claims = Claims {
        sub: UserId::from_bits(1),
        name: "Eve".to_owned(),
        exp: u64::MAX / 2,
        broadcast: None,
        grants: vec![Grant::Publish],
        operator: true,
        broadcaster: false,
        guest: false,
    };
    let forged = Tokens::with_key(&[9; 32]).mint(&claims);
    refused(whip(Some(&forged)).await, 401, "invalid_token").await;
    refused(whip(Some(&house.token(1, &[Grant::Publish], Some("final"), 600))).await, 403, "forbidden").await;
    refused(whip(Some(&house.token(1, &[Grant::View], Some("derby"), 600))).await, 403, "forbidden").await;
    // None of them made a broadcast.
    refused(house.get("/api/v1/broadcasts/derby").await, 404, "not_found").await;

    let token = house.token(1, &[Grant::Publish], Some("derby"), 600);
    let owner = created(whip(Some(&token)).await, Some(&token)).await;
    assert!(owner.url.starts_with("/whip/derby/"), "{}", owner.url);
    let other = house.token(2, &[Grant::Publish], Some("derby"), 600);
    assert!(refused(whip(Some(&other)).await, 409, "publisher_present").await["retryable"] == true);
    // The session is its owner's alone.
    refused(request(&house, Method::DELETE, &owner.url, None, None, "").await, 401, "forbidden").await;
    refused(request(&house, Method::DELETE, &owner.url, Some(&other), None, "").await, 403, "forbidden").await;
    refused(patch(&house, &owner.url, Some(&other), FRAGMENT, Some("*"), "").await, 403, "forbidden").await;
    // The same credential takes over, and the session before is gone.
    let again = created(whip(Some(&token)).await, Some(&token)).await;
    refused(request(&house, Method::DELETE, &owner.url, Some(&token), None, "").await, 404, "not_found").await;
    house.peers_settle(1).await;
    assert_eq!(again.delete(&house).await, 200);
    assert_eq!(again.delete(&house).await, 404);
    house.peers_settle(0).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whip_session_follows_rfc_9725() {
    let house = House::with(|config| config.ice_servers = vec!["stun:stun.example.org:3478".to_owned()]).await;
    let whip = async |content_type, body: String| request(&house, Method::POST, "/whip/derby", None, content_type, body).await;
    refused(whip(Some("text/plain"), PUBLISH_OFFER.to_owned()).await, 415, "invalid_value").await;
    refused(whip(None, PUBLISH_OFFER.to_owned()).await, 415, "invalid_value").await;
    refused(whip(SDP, "x".repeat(SDP_BYTES_MAX + 1)).await, 413, "too_large").await;
    refused(whip(SDP, "v".repeat(600 * 1024)).await, 413, "too_large").await;
    refused(whip(SDP, "this is no SDP".to_owned()).await, 400, "malformed_sdp").await;
    refused(whip(SDP, String::new()).await, 400, "malformed_sdp").await;
    refused(whip(SDP, PUBLISH_OFFER.replace("H264", "H999").replace("a=group:BUNDLE 0 1\r\n", "")).await, 422, "unacceptable_sdp").await;
    // A refused offer leaves nothing behind.
    refused(house.get("/api/v1/broadcasts/derby").await, 404, "not_found").await;
    refused(request(&house, Method::POST, "/whip/Not%20a%20slug", None, SDP, PUBLISH_OFFER).await, 422, "invalid_value").await;

    let response = whip(Some("application/sdp; charset=utf-8"), PUBLISH_OFFER.to_owned()).await;
    let headers = response.headers().clone();
    assert_eq!(headers["link"], "<stun:stun.example.org:3478>; rel=\"ice-server\"");
    assert_eq!((&headers[CONTENT_TYPE], &headers["accept-patch"]), (&"application/sdp".parse().unwrap(), &FRAGMENT.parse().unwrap()));
    assert_eq!(headers["access-control-allow-origin"], "*");
    let session = created(response, None).await;
    assert!(session.answer.contains(&format!("a=ice-ufrag:{}\r\n", session.etag.trim_matches('"'))));

    let trickle = "a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:0\r\n\
                   a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let too_long = "a".repeat(17 * 1024);
    let session_patch = async |content_type, if_match, body| patch(&house, &session.url, None, content_type, if_match, body).await;
    assert_eq!(session_patch(FRAGMENT, Some(&session.etag), trickle).await.status(), 204);
    assert_eq!(session_patch(FRAGMENT, Some("*"), trickle).await.status(), 204);
    refused(session_patch(FRAGMENT, None, trickle).await, 428, "conflict").await;
    refused(session_patch(FRAGMENT, Some("\"stale\""), trickle).await, 412, "conflict").await;
    refused(session_patch("application/sdp", Some("*"), trickle).await, 415, "invalid_value").await;
    refused(session_patch(FRAGMENT, Some("*"), "not a fragment").await, 400, "malformed_sdp").await;
    refused(session_patch(FRAGMENT, Some("*"), "a=ice-ufrag:abcd\r\n").await, 400, "malformed_sdp").await;
    refused(session_patch(FRAGMENT, Some("*"), &too_long).await, 413, "too_large").await;
    // Some clients name the state that they replace instead of any.
    let restart = "a=ice-ufrag:early\r\na=ice-pwd:0123456789012345678901234\r\n";
    let response = session_patch(FRAGMENT, Some(&session.etag), restart).await;
    assert_eq!(response.status(), 200);
    let early = response.headers()["etag"].to_str().unwrap().to_owned();
    let either = format!("\"another\", {early}");
    assert_eq!(session_patch(FRAGMENT, Some(&early), restart).await.status(), 204, "these credentials are in force already");
    assert_eq!(session_patch(FRAGMENT, Some(&either), trickle).await.status(), 204);
    let restart = "a=ice-ufrag:fresh\r\na=ice-pwd:0123456789012345678901234\r\n";
    refused(session_patch(FRAGMENT, Some(&session.etag), restart).await, 412, "conflict").await;
    let response = session_patch(FRAGMENT, Some("*"), restart).await;
    assert_eq!(response.status(), 200);
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()[CONTENT_TYPE], FRAGMENT);
    let fragment = response.text().await.unwrap();
    assert_ne!(tag, session.etag);
    assert!(fragment.contains(&format!("a=ice-ufrag:{}\r\n", tag.trim_matches('"'))) && fragment.contains("a=candidate:"), "{fragment}");
    refused(session_patch(FRAGMENT, Some(&session.etag), trickle).await, 412, "conflict").await;
    assert_eq!(session_patch(FRAGMENT, Some(&tag), trickle).await.status(), 204);

    // An anonymous publisher is never taken over, not even by another anonymous one.
    refused(whip(SDP, PUBLISH_OFFER.to_owned()).await, 409, "publisher_present").await;
    refused(request(&house, Method::DELETE, &session.url.replace("/whip/", "/whep/"), None, None, "").await, 404, "not_found").await;
    refused(request(&house, Method::DELETE, "/whip/derby/nobody", None, None, "").await, 404, "not_found").await;
    assert_eq!(session.delete(&house).await, 200);
    refused(request(&house, Method::DELETE, &session.url, None, None, "").await, 404, "not_found").await;
    refused(session_patch(FRAGMENT, Some("*"), trickle).await, 404, "not_found").await;
    house.peers_settle(0).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whep_session_and_preflights_answer_any_page() {
    let house = House::open().await;
    let whep = async |slug: &str| request(&house, Method::POST, &format!("/whep/{slug}"), None, SDP, VIEW_OFFER).await;
    refused(whep("nobody").await, 404, "not_found").await;
    let made = request(&house, Method::POST, "/api/v1/broadcasts", None, JSON, r#"{"slug": "derby"}"#).await;
    assert_eq!(made.status(), 201);
    let token = made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    refused(whep("derby").await, 409, "conflict").await;

    let publisher = Publisher::go_live(&house, "derby", Some(&token), 1).await;
    let (viewer, resource) = Viewer::watch(&house, "derby", None).await;
    assert!(resource.url.starts_with("/whep/derby/"));
    let second = created(whep("derby").await, None).await;
    assert_eq!(patch(&house, &second.url, None, FRAGMENT, Some(&second.etag), "a=end-of-candidates\r\n").await.status(), 204);
    refused(patch(&house, &second.url, None, FRAGMENT, None, "").await, 428, "conflict").await;
    assert_eq!(second.delete(&house).await, 200);
    assert_eq!(second.delete(&house).await, 404);

    for (path, accepts, media_type) in [
        ("/whip/derby", "accept-post", "application/sdp"),
        ("/whep/derby", "accept-post", "application/sdp"),
        (resource.url.as_str(), "accept-patch", FRAGMENT),
    ] {
        let response = request(&house, Method::OPTIONS, path, None, None, "").await;
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(headers[accepts], media_type);
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
        assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    }
    // Refusals are readable across origins too.
    assert_eq!(whep("nobody").await.headers()["access-control-allow-origin"], "*");
    drop((viewer, publisher));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_a_resource_does_not_have_is_405_and_the_answer_names_those_it_has() {
    let house = House::open().await;
    let session = created(request(&house, Method::POST, "/whip/derby", None, SDP, PUBLISH_OFFER).await, None).await;
    let whep_session = session.url.replace("/whip/", "/whep/");
    let (get, put, post, patch) = (Method::GET, Method::PUT, Method::POST, Method::PATCH);
    for (path, methods, allowed) in [
        ("/whip/derby", [&get, &put, &patch], "POST"),
        ("/whep/derby", [&get, &put, &patch], "POST"),
        (session.url.as_str(), [&get, &put, &post], "PATCH"),
        (whep_session.as_str(), [&get, &put, &post], "DELETE"),
        ("/api/v1/broadcasts", [&put, &patch, &Method::DELETE], "GET"),
        ("/api/v1/broadcasts/derby", [&put, &post, &Method::TRACE], "PATCH"),
    ] {
        for method in methods {
            let response = request(&house, method.clone(), path, None, None, "").await;
            let allow = response.headers()["allow"].to_str().unwrap().to_owned();
            assert!(allow.contains(allowed) && !allow.contains(method.as_str()), "{method} {path}: {allow}");
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            refused(response, 405, "unknown_message").await;
        }
        let head = request(&house, Method::HEAD, path, None, None, "").await.status();
        assert!(head == 405 || path.starts_with("/api/"), "{head}");
    }
    // Nothing happened to the session.
    assert_eq!(session.delete(&house).await, 200);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_node_says_so_and_when_to_come_back() {
    let house = House::with(|config| config.max_viewers = 1).await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut viewer, resource) = Viewer::watch(&house, "derby", None).await;
    let whep = async || request(&house, Method::POST, "/whep/derby", None, SDP, VIEW_OFFER).await;
    let problem = refused(whep().await, 503, "full").await;
    assert_eq!((&problem["detail"], &problem["retryable"]), (&json!("full: viewers of this node"), &json!(true)));
    let (mut socket, _) = super::socket::Socket::greet(&house, None, None).await;
    assert_eq!(socket.ask(json!({"type": "join", "broadcast": "derby"})).await["type"], "joined", "looking is not watching");
    let answer = socket.ask(json!({"type": "offer", "intent": "view", "sdp": VIEW_OFFER})).await;
    assert_eq!(answer["error"], json!({"code": "full", "message": "full: viewers of this node", "retryable": true}));
    viewer.goes_on(20).await;
    assert_eq!(resource.delete(&house).await, 200);
    assert_eq!(created(whep().await, None).await.delete(&house).await, 200);
    drop(publisher);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewing_can_be_closed_too() {
    let house = House::with(|config| (config.open_publish, config.open_view) = (false, false)).await;
    let publish = house.token(1, &[Grant::Publish], Some("derby"), 600);
    let publisher = Publisher::go_live(&house, "derby", Some(&publish), 1).await;
    let whep = async |token: Option<&str>| request(&house, Method::POST, "/whep/derby", token, SDP, VIEW_OFFER).await;
    refused(whep(None).await, 401, "forbidden").await;
    refused(whep(Some(&house.token(2, &[Grant::View], Some("final"), 600))).await, 403, "forbidden").await;
    refused(whep(Some(&house.token(2, &[Grant::View], Some("derby"), -1))).await, 401, "token_expired").await;
    let view = house.token(2, &[Grant::View], Some("derby"), 600);
    let (mut viewer, resource) = Viewer::watch(&house, "derby", Some(&view)).await;
    viewer.goes_on(10).await;
    refused(request(&house, Method::DELETE, &resource.url, None, None, "").await, 401, "forbidden").await;
    assert_eq!(resource.delete(&house).await, StatusCode::OK);
    drop(publisher);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_made_changed_marked_and_ended_by_rest() {
    let house = House::with(|config| config.open_publish = false).await;
    let maker = house.token(1, &[Grant::Publish], None, 600);
    let api = async |method, path: &str, token: Option<&str>, body: &str| {
        request(&house, method, &format!("/api/v1/broadcasts{path}"), token, JSON, body.to_owned()).await
    };
    let new = r#"{"title": "The derby", "slug": "derby", "visibility": "unlisted"}"#;
    refused(api(Method::POST, "", None, new).await, 401, "forbidden").await;
    refused(api(Method::POST, "", Some(&maker), "{").await, 400, "malformed_message").await;
    refused(api(Method::POST, "", Some(&maker), r#"{"slug": "Not a slug"}"#).await, 422, "invalid_value").await;
    refused(request(&house, Method::POST, "/api/v1/broadcasts", Some(&maker), None, new).await, 415, "invalid_value").await;
    let response = api(Method::POST, "", Some(&maker), new).await;
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = response.json().await.unwrap();
    let (id, token) = (made["broadcast"]["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(location, format!("/api/v1/broadcasts/{id}"));
    assert_eq!(made["whip_url"], house.url("/whip/derby"));
    assert_eq!(house.json(&location).await, house.json("/api/v1/broadcasts/derby").await);
    assert_eq!(house.json("/api/v1/broadcasts").await["broadcasts"], json!([]), "unlisted");
    refused(api(Method::POST, "", Some(&maker), new).await, 409, "conflict").await;

    let stranger = house.token(2, &[Grant::Publish], Some("final"), 600);
    let changes = r##"{"visibility": "public", "teams": {"home": {"name": "Ravens", "short": "RAV", "color": "#102030"},
        "away": {"name": "Wolves", "short": "WOL", "color": "#405060"}}, "score": {"home": 1, "away": 0}}"##;
    refused(api(Method::PATCH, "/derby", None, changes).await, 401, "forbidden").await;
    refused(api(Method::PATCH, "/derby", Some(&stranger), changes).await, 403, "forbidden").await;
    refused(api(Method::PATCH, "/derby", Some(token), &json!({"title": "x".repeat(121)}).to_string()).await, 422, "invalid_value").await;
    let changed: Value = api(Method::PATCH, "/derby", Some(token), changes).await.json().await.unwrap();
    assert_eq!((&changed["score"]["home"], &changed["teams"]["home"]["short"]), (&json!(1), &json!("RAV")));
    let cleared: Value = api(Method::PATCH, "/derby", Some(token), r#"{"score": null}"#).await.json().await.unwrap();
    assert_eq!((cleared.get("score"), &cleared["title"]), (None, &json!("The derby")));
    assert_eq!(house.json("/api/v1/broadcasts").await["broadcasts"][0]["slug"], "derby");

    refused(api(Method::POST, "/derby/markers", None, r#"{"kind": "goal", "label": "1:0"}"#).await, 401, "forbidden").await;
    let marked = api(Method::POST, "/derby/markers", Some(token), r#"{"kind": "goal", "label": "1:0"}"#).await;
    assert_eq!(marked.status(), 201);
    let marker = marked.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(house.json("/api/v1/broadcasts/derby").await["markers"][0]["id"], *marker);
    assert_eq!(api(Method::DELETE, &format!("/derby/markers/{marker}"), Some(token), "").await.status(), 204);
    refused(api(Method::DELETE, &format!("/derby/markers/{marker}"), Some(token), "").await, 404, "not_found").await;

    let poster = "/api/v1/broadcasts/derby/poster";
    let jpeg = b"\xff\xd8\xff\xe0 a picture".to_vec();
    refused(house.get(poster).await, 404, "not_found").await;
    refused(request(&house, Method::PUT, poster, None, None, jpeg.clone()).await, 401, "forbidden").await;
    refused(request(&house, Method::PUT, poster, Some(token), Some("image/jpeg"), "<svg onload=alert(1)>").await, 415, "invalid_value")
        .await;
    refused(request(&house, Method::PUT, poster, Some(token), None, vec![0xff; 300 * 1024]).await, 413, "too_large").await;
    assert_eq!(request(&house, Method::PUT, poster, Some(token), None, jpeg.clone()).await.status(), 204);
    let response = house.get(&format!("{poster}?v=1")).await;
    let headers = response.headers().clone();
    assert_eq!((&headers[CONTENT_TYPE], &headers["x-content-type-options"]), (&"image/jpeg".parse().unwrap(), &"nosniff".parse().unwrap()));
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(response.bytes().await.unwrap(), jpeg);
    let known = house.http.get(house.url(poster)).header(IF_NONE_MATCH, &headers["etag"]).header(ACCEPT, "image/*").send().await.unwrap();
    assert_eq!(known.status(), 304);

    refused(api(Method::DELETE, "/derby", Some(&stranger), "").await, 403, "forbidden").await;
    let ended: Value = api(Method::DELETE, "/derby", Some(token), "").await.json().await.unwrap();
    assert_eq!(ended["state"], "ended");
    assert_eq!(api(Method::DELETE, "/derby", Some(token), "").await.status(), 200, "ending twice changes nothing");
    refused(request(&house, Method::POST, &format!("/whip/{id}"), Some(token), SDP, PUBLISH_OFFER).await, 410, "ended").await;
    refused(request(&house, Method::POST, "/whep/derby", None, SDP, VIEW_OFFER).await, 410, "ended").await;
    refused(house.get("/api/v1/nothing").await, 404, "not_found").await;
    house.stop().await;
}
