//! Recordings of a whole server: rewinding, replays, and what a kill leaves. The publisher's picture is made of arbitrary bytes, so that only its
//! sound is looked at; pictures are recorded by the browser tests.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Publisher, request};
use super::house::{House, within};
use super::program::Program;

const PLAYLIST: &str = "/hls/derby/opus/dvr.m3u8";
const ARGS: [&str; 5] = ["--open-publish", "--dvr", "--hls-encoder", "", "--dvr-window-min=5"];

async fn text(house: &House, path: &str) -> Option<String> {
    let response = house.get(path).await;
    (response.status() == StatusCode::OK).then_some(response.text().await.unwrap())
}

/// Segments of a playlist that are no gaps, in order.
fn segments(playlist: &str) -> Vec<String> {
    let mut is_gap = false;
    let mut found = Vec::new();
    for line in playlist.lines() {
        is_gap |= line == "#EXT-X-GAP";
        if line.ends_with(".m4s") && !std::mem::take(&mut is_gap) {
            found.push(line.to_owned());
        }
    }
    found
}

/// The playlist as soon as it is as wanted.
async fn playlist(house: &House, what: &str, is_right: impl Fn(&str) -> bool) -> String {
    within(what, async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            if let Some(text) = text(house, PLAYLIST).await.filter(|text| is_right(text)) {
                return text;
            }
        }
    })
    .await
}

async fn bytes_of(house: &House, files: &[String]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for file in files {
        let response = house.get(&format!("/hls/derby/opus/{file}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        found.insert(file.clone(), response.bytes().await.unwrap().to_vec());
    }
    found
}

async fn view(house: &House) -> Value {
    house.json("/api/v1/broadcasts/derby").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_keeps_every_segment_that_it_listed_and_makes_a_replay_of_them() {
    let (program, house) = Program::serve(&ARGS).await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let before = playlist(&house, "three segments", |text| segments(text).len() >= 3).await;
    assert!(!before.contains("ENDLIST") && !before.contains("PLAYLIST-TYPE"), "{before}");
    assert_eq!(view(&house).await["dvr"], json!({"window_s": 300}));
    let marker = json!({"kind": "goal", "label": "1:0"}).to_string();
    let marked = request(&house, Method::POST, "/api/v1/broadcasts/derby/markers", None, Some("application/json"), marker).await;
    assert_eq!(marked.status(), StatusCode::CREATED);
    playlist(&house, "the marker", |text| text.contains("X-COURTSIDE-LABEL=\"1:0\"")).await;
    let listed = segments(&before);
    let saved = bytes_of(&house, &listed).await;
    let data_dir = program.killed(house).await;
    drop(publisher);

    let (program, house) = Program::serve_on(data_dir, &ARGS).await;
    assert_eq!(view(&house).await["state"], "reconnecting");
    let found = text(&house, PLAYLIST).await.unwrap();
    assert!(segments(&found).starts_with(&listed), "{found}");
    assert_eq!(bytes_of(&house, &listed).await, saved);
    // Its publisher comes back: the same recording goes on behind a discontinuity.
    let publisher = Publisher::go_live(&house, "derby", None, 2).await;
    let count = segments(&found).len();
    let after = playlist(&house, "two more", |text| segments(text).len() >= count + 2).await;
    let (_, behind) = after.split_once(&segments(&found)[count - 1]).unwrap();
    assert!(behind.starts_with("\n#EXT-X-DISCONTINUITY\n"), "{after}");
    // This source runs faster than the clock, and so do the numbers of its segments; none is given twice.
    assert_eq!(segments(&after).iter().collect::<HashSet<_>>().len(), segments(&after).len(), "{after}");
    let ended = request(&house, Method::DELETE, "/api/v1/broadcasts/derby", None, None, "").await;
    assert_eq!(ended.status(), StatusCode::OK);
    let replay = playlist(&house, "the replay", |text| text.ends_with("#EXT-X-ENDLIST\n")).await;
    assert!(replay.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && replay.contains("X-COURTSIDE-LABEL"), "{replay}");
    assert!(segments(&replay).starts_with(&segments(&after)), "{replay}");
    within("the replay to be told", async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while view(&house).await["replay"] != true {
            looks.tick().await;
        }
    })
    .await;
    let shown = view(&house).await;
    assert_eq!((&shown["state"], shown.get("dvr")), (&json!("ended"), None), "{shown}");
    assert_ne!(house.get("/hls/derby/master.m3u8").await.status(), StatusCode::OK, "it is not on air");
    let master = text(&house, "/hls/derby/dvr.m3u8").await.unwrap();
    assert!(master.contains("URI=\"opus/dvr.m3u8\""), "{master}");
    drop(publisher);
    let data_dir = program.killed(house).await;

    // Nothing but the disk knows of it now.
    let (program, house) = Program::serve_on(data_dir, &ARGS).await;
    assert_eq!((view(&house).await["replay"].clone(), text(&house, PLAYLIST).await), (json!(true), Some(replay.clone())));
    assert_eq!(bytes_of(&house, &listed).await, saved);
    let file = format!("/hls/derby/opus/{}", listed[0]);
    let part = house.http.get(house.url(&file)).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!(
        (part.status(), part.headers()["cache-control"].to_str().unwrap()),
        (StatusCode::PARTIAL_CONTENT, "public, max-age=3600, immutable")
    );
    assert_eq!(part.bytes().await.unwrap().as_ref(), b"moof");
    let etag = house.get(&file).await.headers()["etag"].clone();
    let known = house.http.get(house.url(&file)).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(house.get("/hls/derby/opus/s1.m4s").await.status(), StatusCode::NOT_FOUND);
    program.signal();
    assert!(program.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_for_those_who_may_watch() {
    let mut args = ARGS.to_vec();
    args.push("--closed-view");
    let (program, house) = Program::serve(&args).await;
    let camera = super::program::printed(&house, &["token", "--broadcast", "derby", "--publish", "--view"]);
    let elsewhere = super::program::printed(&house, &["token", "--broadcast", "final", "--view"]);
    let publisher = Publisher::go_live(&house, "derby", Some(&camera), 1).await;
    let ask = async |path: &str, token: Option<&str>| request(&house, Method::GET, path, token, None, "").await;
    let listed = within("a segment", async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let response = ask(PLAYLIST, Some(&camera)).await;
            if response.status() == StatusCode::OK {
                return segments(&response.text().await.unwrap());
            }
        }
    })
    .await;
    let ended = request(&house, Method::DELETE, "/api/v1/broadcasts/derby", Some(&camera), None, "").await;
    assert_eq!(ended.status(), StatusCode::OK);
    within("the replay", async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        while !ask(PLAYLIST, Some(&camera)).await.text().await.unwrap().ends_with("#EXT-X-ENDLIST\n") {
            looks.tick().await;
        }
    })
    .await;
    let segment = format!("/hls/derby/opus/{}", listed[0]);
    for path in ["/hls/derby/dvr.m3u8", "/hls/derby/thumbs.vtt", PLAYLIST, &segment, "/hls/derby/thumbs/t1-1.jpg"] {
        assert_eq!(ask(path, None).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(ask(path, Some(&elsewhere)).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let response = ask(&segment, Some(&camera)).await;
    assert!(response.headers()["cache-control"].to_str().unwrap().starts_with("private, "));
    drop(publisher);
    program.signal();
    assert!(program.ended().await.success());
}
