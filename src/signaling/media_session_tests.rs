//! WHIP and WHEP as RFC 9725 and its sibling ask for them, on a fake media plane.

use axum::http::{Method, StatusCode};

use crate::accounts::Grant;
use crate::sfu::fake::Asked;
use crate::signaling::protocol::{BroadcastState, IceServer};
use crate::signaling::test_support::{Node, OFFER, peer_of};

const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const RESTART: &str = "a=ice-ufrag:anew\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";

#[test]
fn ice_servers_are_named_as_rfc_9725_prints_them() {
    let stun = IceServer { urls: vec!["stun:stun.example:3478".to_owned()], username: None, credential: None };
    assert_eq!(super::links(&stun), ["<stun:stun.example:3478>; rel=\"ice-server\""]);
    let urls = vec!["turn:turn.example?transport=udp".to_owned(), "turns:turn.example?transport=tcp".to_owned()];
    let turn = IceServer { urls, username: Some("1700000000:a".to_owned()), credential: Some("c2Vj".to_owned()) };
    let credentials = "rel=\"ice-server\"; username=\"1700000000:a\"; credential=\"c2Vj\"; credential-type=\"password\"";
    let expected = ["turn:turn.example?transport=udp", "turns:turn.example?transport=tcp"].map(|url| format!("<{url}>; {credentials}"));
    assert_eq!(super::links(&turn), expected);
}

#[tokio::test]
async fn a_post_to_a_free_slug_publishes_and_delete_ends_it() {
    let node = Node::open().await;
    let answer = node.post_sdp("/whip/derby", None, OFFER).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!((answer.header("content-type"), answer.header("etag")), ("application/sdp", "\"first\""));
    assert_eq!(answer.header("accept-patch"), FRAGMENT);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("location"));
    let location = answer.header("location").to_owned();
    let peer = peer_of(&location);
    let view = node.live.find("derby").unwrap();
    assert_eq!(node.sfu.asked(), [Asked::Added { peer, broadcast: view.id, publish: true }]);
    node.media(peer, view.id).await;
    assert_eq!(node.live.find("derby").unwrap().state, BroadcastState::Live);

    let taken = node.post_sdp("/whip/derby", None, OFFER).await;
    assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "publisher_present"));

    assert_eq!(node.ask(Method::DELETE, &location, &[], "").await.status, StatusCode::OK);
    assert_eq!(node.live.find("derby").unwrap().state, BroadcastState::Reconnecting);
    node.until(|node| node.sfu.asked().contains(&Asked::Removed(peer))).await;
    assert_eq!(node.ask(Method::DELETE, &location, &[], "").await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}

#[tokio::test]
async fn the_same_credential_takes_over_and_the_old_peer_goes_first() {
    let node = Node::open().await;
    let (ann, bob) = (node.token(1, &[], false), node.token(2, &[], false));
    let first = peer_of(node.post_sdp("/whip/derby", Some(&ann), OFFER).await.header("location"));
    let stranger = node.post_sdp("/whip/derby", Some(&bob), OFFER).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let second = peer_of(node.post_sdp("/whip/derby", Some(&ann), OFFER).await.header("location"));
    let broadcast = node.live.find("derby").unwrap().id;
    let added = |peer| Asked::Added { peer, broadcast, publish: true };
    assert_eq!(node.sfu.asked(), [added(first), Asked::Removed(first), added(second)]);
    node.live.shutdown().await;
}

#[tokio::test]
async fn refusals_are_problems_with_the_status_the_texts_ask_for() {
    let node = Node::start(false, false).await;
    let publisher = node.token(1, &[Grant::Publish], false);
    let guest = node.token(2, &[], false);
    let rows = [
        ("no token", node.post_sdp("/whip/derby", None, OFFER).await, 401, "forbidden"),
        ("bad token", node.post_sdp("/whip/derby", Some("nonsense"), OFFER).await, 401, "invalid_token"),
        ("no grant", node.post_sdp("/whip/derby", Some(&guest), OFFER).await, 403, "forbidden"),
        ("malformed", node.post_sdp("/whip/derby", Some(&publisher), "malformed").await, 400, "malformed_sdp"),
        ("unacceptable", node.post_sdp("/whip/derby", Some(&publisher), "unacceptable").await, 422, "unacceptable_sdp"),
        ("not a slug", node.post_sdp("/whip/Derby!", Some(&publisher), OFFER).await, 422, "invalid_value"),
        (
            "too large",
            node.post_sdp("/whip/derby", Some(&publisher), &"x".repeat(crate::limits::SDP_BYTES_MAX + 1)).await,
            413,
            "too_large",
        ),
        ("not sdp", node.ask(Method::POST, "/whip/derby", &[("content-type", "text/plain")], OFFER).await, 415, "invalid_value"),
        ("unknown", node.post_sdp("/whep/derby", Some(&publisher), OFFER).await, 404, "not_found"),
    ];
    for (name, answer, status, code) in rows {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{name}");
        assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{name}");
    }
    assert!(node.live.find("derby").is_err(), "failed attempts leave nothing behind");
    assert!(!node.sfu.asked().iter().any(|asked| matches!(asked, Asked::Added { .. })));
    for (method, path) in [(Method::GET, "/whip/derby"), (Method::PUT, "/whip/derby"), (Method::GET, "/whep/derby/x")] {
        assert_eq!(node.ask(method, path, &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    node.live.shutdown().await;
}

#[tokio::test]
async fn preflights_name_what_is_accepted() {
    let node = Node::open().await;
    let endpoint = node.ask(Method::OPTIONS, "/whip/derby", &[], "").await;
    assert_eq!(endpoint.status, StatusCode::NO_CONTENT);
    assert_eq!(endpoint.header("accept-post"), "application/sdp");
    assert!(endpoint.header("access-control-allow-headers").contains("if-match"));
    let session = node.ask(Method::OPTIONS, "/whep/derby/x", &[], "").await;
    assert_eq!(session.header("accept-patch"), FRAGMENT);
    node.live.shutdown().await;
}

#[tokio::test]
async fn whep_waits_for_somebody_on_air_and_counts_each_player() {
    let node = Node::open().await;
    let location = node.post_sdp("/whip/derby", None, OFFER).await.header("location").to_owned();
    let early = node.post_sdp("/whep/derby", None, OFFER).await;
    assert_eq!((early.status, early.code().as_str(), early.header("retry-after")), (StatusCode::CONFLICT, "conflict", "5"));
    let broadcast = node.live.find("derby").unwrap().id;
    node.media(peer_of(&location), broadcast).await;
    let mut players = Vec::new();
    for _ in 0..4 {
        let answer = node.post_sdp("/whep/derby", None, OFFER).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        players.push(answer.header("location").to_owned());
    }
    assert_eq!(node.live.find("derby").unwrap().viewers, 4);
    let full = node.post_sdp("/whep/derby", None, OFFER).await;
    assert_eq!((full.status, full.code().as_str(), full.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "full", "5"));
    assert_eq!(node.ask(Method::DELETE, &players[0], &[], "").await.status, StatusCode::OK);
    assert_eq!(node.live.find("derby").unwrap().viewers, 3);
    assert_eq!(node.ask(Method::DELETE, &players[1].replace("whep", "whip"), &[], "").await.status, StatusCode::NOT_FOUND);
    node.live.shutdown().await;
}

#[tokio::test]
async fn patch_trickles_under_the_etag_and_restarts_under_the_wildcard() {
    let node = Node::open().await;
    let location = node.post_sdp("/whip/derby", None, OFFER).await.header("location").to_owned();
    let trickle = "a=ice-ufrag:them\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=candidate:1 1 udp 1 192.0.2.7 9 typ host\r\n";
    let patch = async |if_match: Option<&str>, kind: &str, body: &str| {
        let mut headers = vec![("content-type", kind)];
        headers.extend(if_match.map(|value| ("if-match", value)));
        node.ask(Method::PATCH, &location, &headers, body.to_owned()).await
    };
    let status = async |if_match, kind, body| patch(if_match, kind, body).await.status.as_u16();
    assert_eq!(status(None, FRAGMENT, trickle).await, 428);
    assert_eq!(status(Some("\"other\""), FRAGMENT, trickle).await, 412);
    assert_eq!(status(Some("\"first\""), "application/sdp", trickle).await, 415);
    assert_eq!(status(Some("\"first\""), FRAGMENT, "nonsense").await, 400);
    assert_eq!(status(Some("\"first\""), FRAGMENT, trickle).await, 204);
    assert_eq!(status(Some("*"), FRAGMENT, trickle).await, 204, "the credentials in force are no restart");

    let restarted = patch(Some("\"*\""), FRAGMENT, RESTART).await;
    assert_eq!((restarted.status, restarted.header("etag"), restarted.header("content-type")), (StatusCode::OK, "\"second\"", FRAGMENT));
    assert!(String::from_utf8(restarted.body).unwrap().contains("a=ice-ufrag:second\r\n"));
    assert_eq!(status(Some("\"first\""), FRAGMENT, trickle).await, 412, "the old generation is over");
    assert_eq!(status(Some("\"second\""), FRAGMENT, "a=end-of-candidates\r\n").await, 204);
    node.live.shutdown().await;
}

#[tokio::test]
async fn a_session_opened_with_a_token_is_closed_only_by_its_bearer() {
    let node = Node::open().await;
    let (ann, bob, operator) = (node.token(1, &[], false), node.token(2, &[], false), node.token(3, &[], true));
    let location = node.post_sdp("/whip/derby", Some(&ann), OFFER).await.header("location").to_owned();
    let delete = async |token: Option<&str>| {
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let headers: Vec<_> = token.iter().map(|_| ("authorization", bearer.as_str())).collect();
        node.ask(Method::DELETE, &location, &headers, "").await.status.as_u16()
    };
    assert_eq!(delete(None).await, 401);
    assert_eq!(delete(Some(&bob)).await, 403);
    assert_eq!(delete(Some(&operator)).await, 200);
    node.live.shutdown().await;
}
