//! Where viewing is not open: addresses of HLS with a token in them. What has the right token is for every cache; what has not is refused on every
//! route alike.

use std::time::Duration;

use courtside::accounts::{AudienceClass, Tokens};
use courtside::server::TOKEN_KEY_FILE;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::client::{Publisher, request};
use super::house::{House, within};
use super::program::{Program, printed};

const ARGS: [&str; 5] = ["--open-publish", "--dvr", "--hls-encoder", "", "--closed-view"];

/// A broadcast that only bearers may watch, on air, with sound that is recorded.
pub(super) struct Closed {
    pub(super) program: Program,
    pub(super) house: House,
    /// May watch.
    pub(super) fan: String,
    pub(super) publisher: Publisher,
}

impl Closed {
    pub(super) async fn on_air() -> Self {
        let (program, house) = Program::serve(&ARGS).await;
        let fan = printed(&house, &["token", "--broadcast", "derby", "--view"]);
        let camera = printed(&house, &["token", "--broadcast", "derby", "--publish"]);
        let publisher = Publisher::go_live(&house, "derby", Some(&camera), 1).await;
        Self { program, house, fan, publisher }
    }

    /// What the server tells the bearer of `token`.
    pub(super) async fn path(&self, broadcast: &str, token: Option<&str>) -> (StatusCode, Value) {
        let answer = request(&self.house, Method::GET, &format!("/api/v1/broadcasts/{broadcast}/hls"), token, None, "").await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status(), answer.json().await.unwrap())
    }

    pub(super) async fn end(self) {
        drop(self.publisher);
        self.program.signal();
        assert!(self.program.ended().await.success());
    }
}

/// The text of a playlist as soon as it has `mark`.
async fn playlist(house: &House, path: &str, mark: &str) -> String {
    within(path, async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let text = house.get(path).await.text().await.unwrap();
            if text.contains(mark) {
                return text;
            }
        }
    })
    .await
}

fn named<'a>(playlist: &'a str, before: &str, after: &str) -> &'a str {
    let rest = playlist.split_once(before).unwrap_or_else(|| panic!("no {before} in {playlist}")).1;
    rest.split_once(after).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_with_a_token_opens_every_file_of_its_broadcast_and_any_other_token_opens_none() {
    let closed = Closed::on_air().await;
    let house = &closed.house;
    let (status, given) = closed.path("derby", Some(&closed.fan)).await;
    assert_eq!(status, StatusCode::OK, "{given}");
    let path = given["path"].as_str().unwrap();
    let (token, id) = path.strip_prefix("/hls/").unwrap().split_once('/').unwrap();
    let elsewhere = printed(house, &["token", "--broadcast", "final", "--view"]);
    assert_eq!(closed.path("derby", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(closed.path("derby", Some(&elsewhere)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(closed.path("none", Some(&closed.fan)).await.0, StatusCode::NOT_FOUND);

    let recorded = playlist(house, &format!("{path}/opus/dvr.m3u8"), ".m4s").await;
    let live = playlist(house, &format!("{path}/opus/live.m3u8"), "PRELOAD-HINT").await;
    let segment = recorded.lines().find(|line| line.ends_with(".m4s")).unwrap();
    let init = named(&live, "#EXT-X-MAP:URI=\"", "\"");
    let part = named(&live, "#EXT-X-PART:", "\n").split('"').nth(1).unwrap().to_owned();
    let msn: u64 = part.trim_start_matches('s').split('.').next().unwrap().parse().unwrap();
    let hinted = named(&live, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", "\"");
    let of = |file: &str| format!("opus/{file}");
    // `None`: there is no such file, and whether there is shall not be told by a wrong token either.
    let table: Vec<(String, Option<&str>)> = vec![
        ("check".into(), Some("public, max-age=60")),
        ("master.m3u8".into(), Some("public, max-age=1")),
        ("plain.m3u8".into(), Some("public, max-age=1")),
        ("manifest.mpd".into(), Some("public, max-age=1")),
        ("dvr.m3u8".into(), Some("public, max-age=1")),
        ("thumbs.vtt".into(), Some("public, max-age=1")),
        ("thumbs/t1-1.jpg".into(), None),
        (of("live.m3u8"), Some("public, max-age=1")),
        (of(&format!("live.m3u8?_HLS_msn={msn}&_HLS_part=0")), Some("public, max-age=18")),
        (of("live.m3u8?_HLS_skip=YES"), Some("public, max-age=1")),
        (of("plain.m3u8"), Some("public, max-age=1")),
        (of("dvr.m3u8"), Some("public, max-age=1")),
        (of("dvr.m3u8?_HLS_skip=YES"), Some("public, max-age=1")),
        (of(init), Some("public, max-age=3600, immutable")),
        (of(segment), Some("public, max-age=3600, immutable")),
        (of(hinted), Some("public, max-age=3600, immutable")),
        (of("s1.m4s"), None),
        (of("nothing.txt"), None),
        ("nothing.txt".into(), None),
    ];
    let tokens = Tokens::load_or_make(&house.data_dir().join(TOKEN_KEY_FILE)).unwrap();
    let broadcast = id.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let other = courtside::ids::BroadcastId::from_bits(1);
    let (head, mac) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}{}", if mac.starts_with('A') { 'B' } else { 'A' }, &mac[1..]);
    let exp = head.split('.').nth(1).unwrap();
    let prolonged = token.replace(exp, &(exp.parse::<u64>().unwrap() + 300).to_string());
    let wrong = [
        ("forged", format!("/hls/{forged}/{id}")),
        ("prolonged", format!("/hls/{prolonged}/{id}")),
        ("expired", format!("/hls/{}/{id}", tokens.mint_path(broadcast, AudienceClass::Viewers, now - 7 * 3600).text)),
        ("of another broadcast", format!("/hls/{}/{id}", tokens.mint_path(other, AudienceClass::Viewers, now).text)),
        (
            "of another installation",
            format!("/hls/{}/{id}", Tokens::with_key(&[3; 32]).mint_path(broadcast, AudienceClass::Viewers, now).text),
        ),
        ("before a slug", format!("/hls/{token}/derby")),
        ("before another broadcast", format!("/hls/{token}/{other}")),
        ("a bearer's token", format!("/hls/{}/{id}", closed.fan)),
        ("no token at all", format!("/hls/v.0/{id}")),
    ];
    for (file, cache) in &table {
        let right = house.get(&format!("{path}/{file}")).await;
        match cache {
            Some(cache) => {
                assert!(right.status().is_success(), "{file}: {}", right.status());
                assert_eq!(right.headers()["cache-control"], cache, "{file}");
                assert_eq!(right.headers()["access-control-allow-origin"], "*", "{file}");
            }
            None => assert_eq!(right.status(), StatusCode::NOT_FOUND, "{file}"),
        }
        for (what, wrong) in &wrong {
            // Nothing in the headers helps.
            let address = format!("{wrong}/{file}");
            let refused = request(house, Method::GET, &address, Some(&closed.fan), None, "").await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{what}: {file}");
            assert_eq!(refused.headers()["cache-control"], "no-store", "{what}: {file}");
            let problem: Value = refused.json().await.unwrap();
            assert_eq!(problem["code"], "forbidden", "{what}: {file}");
        }
        if file != "check" {
            let without = house.get(&format!("/hls/derby/{file}")).await;
            let expected = if cache.is_some() || file.starts_with("thumbs") || file.contains(".m4s") { 401 } else { 404 };
            assert_eq!(without.status().as_u16(), expected, "without a token: {file}");
        }
    }
    // A bearer's own answers stay the bearer's.
    let own = request(house, Method::GET, "/hls/derby/master.m3u8", Some(&closed.fan), None, "").await;
    assert_eq!(own.headers()["cache-control"], "private, max-age=1");
    closed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_may_watch_is_given_the_same_path_and_none_is_signed_where_viewing_is_open() {
    let closed = Closed::on_air().await;
    let other = printed(&closed.house, &["token", "--broadcast", "derby", "--view", "--name", "Other"]);
    let both = (closed.path("derby", Some(&closed.fan)).await.1, closed.path("derby", Some(&other)).await.1);
    // Unless a step ended between the two.
    if both.0["expires_at_ms"] == both.1["expires_at_ms"] {
        assert_eq!(both.0["path"], both.1["path"]);
    }
    closed.end().await;
    let house = House::open().await;
    let made = request(&house, Method::POST, "/api/v1/broadcasts", None, Some("application/json"), r#"{"slug":"cup"}"#).await;
    let made: Value = made.json().await.unwrap();
    let given = house.json("/api/v1/broadcasts/cup/hls").await;
    assert_eq!(given, serde_json::json!({ "path": format!("/hls/{}", made["broadcast"]["id"].as_str().unwrap()) }));
    house.stop().await;
}
