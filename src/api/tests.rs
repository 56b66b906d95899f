//! The REST interface on a fake media plane.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::openapi;
use crate::sfu::fake::Asked;
use crate::signaling::test_support::{Node, OFFER, peer_of};

#[tokio::test]
async fn a_stranger_makes_a_broadcast_publishes_it_and_ends_it() {
    let node = Node::open().await;
    let made = node.ask_json(Method::POST, "/api/v1/broadcasts", None, json!({ "title": "Cup Final" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let made = made.json();
    assert_eq!(made["broadcast"]["slug"], "cup-final");
    assert_eq!(made["broadcast"]["state"], "idle");
    assert_eq!(made["whip_url"], "http://test/whip/cup-final");
    let token = made["token"].as_str().unwrap().to_owned();

    assert_eq!(node.post_sdp("/whip/cup-final", None, OFFER).await.status, StatusCode::UNAUTHORIZED);
    let peer = peer_of(node.post_sdp("/whip/cup-final", Some(&token), OFFER).await.header("location"));
    let broadcast = made["broadcast"]["id"].as_str().unwrap().parse().unwrap();
    node.media(peer, broadcast).await;
    let list = node.ask_json(Method::GET, "/api/v1/broadcasts", None, Value::Null).await;
    assert_eq!((list.json()["broadcasts"][0]["state"].clone(), list.header("cache-control")), (json!("live"), "no-store"));

    let path = "/api/v1/broadcasts/cup-final";
    assert_eq!(node.ask_json(Method::DELETE, path, None, Value::Null).await.status, StatusCode::UNAUTHORIZED);
    let ended = node.ask_json(Method::DELETE, path, Some(&token), Value::Null).await;
    assert_eq!((ended.status, ended.json()["state"].clone()), (StatusCode::OK, json!("ended")));
    node.until(|node| node.sfu.asked().contains(&Asked::Closed(broadcast))).await;
    let late = node.ask_json(Method::PATCH, path, Some(&token), json!({ "title": "x" })).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::GONE, "ended"));
    node.live.shutdown().await;
}

#[tokio::test]
async fn the_timeline_of_a_broadcast_is_changed_by_its_owner_alone() {
    let node = Node::open().await;
    let (ann, bob) = (node.token(1, &[], false), node.token(2, &[], false));
    node.ask_json(Method::POST, "/api/v1/broadcasts", Some(&ann), json!({ "slug": "derby" })).await;
    let path = "/api/v1/broadcasts/derby";
    let changes = json!({ "score": { "home": 1, "away": 0 }, "clock": { "running": true, "elapsed_ms": 60_000, "period": "1st half" } });
    assert_eq!(node.ask_json(Method::PATCH, path, Some(&bob), changes.clone()).await.status, StatusCode::FORBIDDEN);
    let view = node.ask_json(Method::PATCH, path, Some(&ann), changes).await.json();
    assert_eq!((view["score"]["home"].clone(), view["clock"]["period"].clone()), (json!(1), json!("1st half")));
    // Whole numbers may be written with a point; objects may not be written as lists, however deep.
    let pointed = node.ask_json(Method::PATCH, path, Some(&ann), json!({ "score": { "home": 2.0, "away": 1 } })).await.json();
    assert_eq!((pointed["score"]["home"].clone(), pointed["score"]["away"].clone()), (json!(2), json!(1)));
    let team = json!({ "name": "Ravens", "short": "RAV", "color": "#102030" });
    for list in [json!({ "score": [1, 0] }), json!({ "teams": { "home": ["Ravens", "RAV", "#102030"], "away": team } })] {
        let refused = node.ask_json(Method::PATCH, path, Some(&ann), list.clone()).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "malformed_message"), "{list}");
    }
    let cleared = node.ask_json(Method::PATCH, path, Some(&ann), json!({ "score": null })).await.json();
    assert!(cleared.get("score").is_none() && cleared.get("clock").is_some());

    let marker = node.ask_json(Method::POST, &format!("{path}/markers"), Some(&ann), json!({ "kind": "goal", "label": "1:0" })).await;
    assert_eq!(marker.status, StatusCode::CREATED);
    let marker = format!("{path}/markers/{}", marker.json()["id"].as_str().unwrap());
    assert_eq!(node.ask_json(Method::DELETE, &marker, Some(&ann), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(node.ask_json(Method::DELETE, &marker, Some(&ann), Value::Null).await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}

#[tokio::test]
async fn bad_input_is_a_problem_and_never_more() {
    let node = Node::open().await;
    let path = "/api/v1/broadcasts";
    let rows = [
        ("not json", node.ask(Method::POST, path, &[("content-type", "application/json")], "{").await, 400, "malformed_message"),
        ("a list of the values", node.ask_json(Method::POST, path, None, json!(["Title", "slug"])).await, 400, "malformed_message"),
        ("no type", node.ask(Method::POST, path, &[], "{}").await, 415, "invalid_value"),
        ("too large", node.ask(Method::POST, path, &[("content-type", "application/json")], "x".repeat(40_000)).await, 413, "too_large"),
        ("bad slug", node.ask_json(Method::POST, path, None, json!({ "slug": "No Slug" })).await, 422, "invalid_value"),
        ("long title", node.ask_json(Method::POST, path, None, json!({ "title": "x".repeat(121) })).await, 422, "invalid_value"),
        ("unknown broadcast", node.ask_json(Method::GET, "/api/v1/broadcasts/none", None, Value::Null).await, 404, "not_found"),
        ("unknown resource", node.ask_json(Method::GET, "/api/v1/none", None, Value::Null).await, 404, "not_found"),
        ("bad token", node.ask_json(Method::GET, "/api/v1/me", Some("x"), Value::Null).await, 401, "invalid_token"),
    ];
    for (name, answer, status, code) in rows {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{name}");
    }
    node.ask_json(Method::POST, path, None, json!({ "slug": "derby" })).await;
    let taken = node.ask_json(Method::POST, path, None, json!({ "slug": "derby" })).await;
    assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "conflict"));
    node.live.shutdown().await;
}

#[tokio::test]
async fn where_publishing_is_closed_strangers_make_nothing() {
    let node = Node::start(false, true).await;
    let refused = node.ask_json(Method::POST, "/api/v1/broadcasts", None, json!({})).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    let guest = node.token(1, &[], false);
    let refused = node.ask_json(Method::POST, "/api/v1/broadcasts", Some(&guest), json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let operator = node.token(2, &[], true);
    assert_eq!(node.ask_json(Method::POST, "/api/v1/broadcasts", Some(&operator), json!({})).await.status, StatusCode::CREATED);
    node.live.shutdown().await;
}

#[tokio::test]
async fn posters_are_pictures_with_a_version() {
    let node = Node::open().await;
    let ann = node.token(1, &[], false);
    let bearer = format!("Bearer {ann}");
    node.ask_json(Method::POST, "/api/v1/broadcasts", Some(&ann), json!({ "slug": "derby" })).await;
    let path = "/api/v1/broadcasts/derby/poster";
    let put = async |bytes: Vec<u8>, token: Option<&str>| {
        let headers: Vec<_> = token.iter().map(|token| ("authorization", *token)).collect();
        node.ask(Method::PUT, path, &headers, bytes).await.status.as_u16()
    };
    let jpeg = b"\xff\xd8\xff\xe0 a picture".to_vec();
    assert_eq!(node.ask(Method::GET, path, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(put(jpeg.clone(), None).await, 401);
    assert_eq!(put(b"<svg/>".to_vec(), Some(&bearer)).await, 415);
    assert_eq!(put(vec![0xff; 300 * 1024], Some(&bearer)).await, 413);
    assert_eq!(put(jpeg.clone(), Some(&bearer)).await, 204);
    let got = node.ask(Method::GET, &format!("{path}?v=1"), &[], "").await;
    assert_eq!((got.header("content-type"), got.header("etag"), got.body == jpeg), ("image/jpeg", "\"1\"", true));
    assert!(got.header("cache-control").contains("immutable"));
    let known = node.ask(Method::GET, path, &[("if-none-match", "\"1\"")], "").await;
    assert_eq!((known.status, known.header("cache-control")), (StatusCode::NOT_MODIFIED, "public, no-cache"));
    node.live.shutdown().await;
}

#[tokio::test]
async fn a_stranger_becomes_a_guest_and_stays_one() {
    let node = Node::open().await;
    let me = node.ask_json(Method::GET, "/api/v1/me", None, Value::Null).await.json();
    assert_eq!((me["user"]["guest"].clone(), me["may_broadcast"].clone()), (json!(true), json!(true)));
    let token = me["token"].as_str().unwrap();
    let again = node.ask_json(Method::GET, "/api/v1/me", Some(token), Value::Null).await.json();
    assert_eq!(again["user"], me["user"]);
    assert!(again.get("token").is_none());
    node.live.shutdown().await;
}

#[tokio::test]
async fn what_is_described_as_for_bearers_says_nothing_to_strangers() {
    let node = Node::open().await;
    let (document, mut seen) = (openapi::document(), 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let asked = ["{user}", "{device}"].iter().fold(path.clone(), |path, parameter| path.replace(parameter, "none"));
        for (method, operation) in
            item.as_object().unwrap().iter().filter(|(_, described)| described["security"] == json!([{ "bearer": [] }]))
        {
            let answer = node.ask(method.to_uppercase().parse().unwrap(), &asked, &[], "").await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"), "{method} {path}");
            assert!(operation["responses"]["401"]["headers"]["WWW-Authenticate"].is_object(), "{method} {path}");
            seen += 1;
        }
    }
    assert!(seen >= 25, "{seen}");
    node.live.shutdown().await;
}

#[tokio::test]
async fn every_described_route_exists_and_every_reference_leads_somewhere() {
    let node = Node::open().await;
    let document = openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = ["{broadcast}", "{session}", "{marker}", "{user}", "{device}", "{message}"];
        let path = parameters.iter().fold(path.clone(), |path, parameter| path.replace(parameter, "none"));
        for method in ["get", "post", "put", "patch", "delete"] {
            let is_described = item.get(method).is_some();
            let status = node.ask(method.to_uppercase().parse().unwrap(), &path, &[], "").await.status;
            assert_eq!(status != StatusCode::METHOD_NOT_ALLOWED, is_described, "{method} {path}: {status}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    assert_eq!(node.ask_json(Method::GET, "/api/v1/openapi.json", None, Value::Null).await.json(), document);
    node.live.shutdown().await;
}
