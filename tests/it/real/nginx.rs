//! `docs/nginx-hls.conf` in a real nginx, before a broadcast that not everybody may watch: requests for the same thing become one, what one viewer
//! was sent the next is sent from the cache whichever token they have, and a wrong token is sent nothing that the cache has.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use courtside::accounts::{AudienceClass, Tokens};
use courtside::server::TOKEN_KEY_FILE;
use reqwest::{Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::house::{House, within};
use super::signed_paths::Closed;
use crate::support::docs::repository;

const NGINX: &str = "nginx";
const VIEWERS: usize = 50;

struct Nginx {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// `text` with `line` in place of the one line that has `old`.
fn changed(text: &str, old: &str, line: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, line)
}

impl Nginx {
    /// With the very file that the documentation hands out, but for what it says must be changed.
    async fn before(house: &House) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let handed_out = std::fs::read_to_string(repository("docs/nginx-hls.conf")).unwrap();
        let cache = dir.path().join("cache");
        let handed_out = changed(&handed_out, "/var/cache/nginx/courtside", cache.to_str().unwrap());
        let handed_out = changed(&handed_out, "server 127.0.0.1:7880;", &format!("server {};", house.authority()));
        let handed_out = changed(&handed_out, "listen 80;", &format!("listen {address};"));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path {}/{kind};\n", dir.path().display()))
            .concat();
        let whole = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}{handed_out}}}\n",
            dir.path().display()
        );
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, whole).unwrap();
        let log = dir.path().join("error.log");
        let child =
            Command::new(NGINX).arg("-e").arg(&log).arg("-c").arg(&file).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut nginx = Self { child, address, _dir: dir };
        within("nginx", async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            while tokio::net::TcpStream::connect(address).await.is_err() {
                looks.tick().await;
                let ended = nginx.child.try_wait().unwrap();
                assert!(ended.is_none(), "{ended:?}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
        })
        .await;
        nginx
    }

    async fn get(&self, house: &House, path: &str) -> Response {
        within(path, house.http.get(format!("http://{}{path}", self.address)).send()).await.unwrap()
    }

    /// What so many viewers are sent who ask at once, and how many of them nginx had to ask the origin for.
    async fn crowd(&self, house: &House, path: &str) -> (Vec<u8>, usize) {
        let url = format!("http://{}{path}", self.address);
        let asking: Vec<_> = (0..VIEWERS).map(|_| tokio::spawn(house.http.get(&url).send())).collect();
        let (mut found, mut missed) = (Vec::new(), 0);
        for asked in asking {
            let answer = within("every viewer's answer", asked).await.unwrap().unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            missed += usize::from(cache(&answer) != "HIT");
            found.push(answer.bytes().await.unwrap().to_vec());
        }
        assert!(found.iter().all(|bytes| *bytes == found[0]), "all are sent the same");
        (found.swap_remove(0), missed)
    }
}

fn cache(answer: &Response) -> &str {
    answer.headers()["x-cache"].to_str().unwrap()
}

/// Requests for this kind of file that the origin has answered.
async fn answered(house: &House, file: &str) -> u64 {
    let metrics = house.get("/metrics").await.text().await.unwrap();
    let label = format!("file=\"{file}\"");
    let ours = metrics.lines().filter(|line| line.starts_with("courtside_hls_requests_total{") && line.contains(&label));
    ours.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_the_origin_is_asked_once_for_each_thing_and_never_for_a_wrong_token() {
    if Command::new(NGINX).arg("-v").stderr(Stdio::null()).status().is_err() {
        eprintln!("\n*** NOT TESTED: docs/nginx-hls.conf. There is no nginx here: apt-get install nginx ***\n");
        return;
    }
    let closed = Closed::on_air().await;
    let house = &closed.house;
    let nginx = Nginx::before(house).await;
    let path = closed.path("derby", Some(&closed.fan)).await.1["path"].as_str().unwrap().to_owned();
    let id = path.rsplit('/').next().unwrap();
    let tokens = Tokens::load_or_make(&house.data_dir().join(TOKEN_KEY_FILE)).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // As the one who came ten minutes before has.
    let earlier = tokens.mint_path(id.parse().unwrap(), AudienceClass::Viewers, now - 600).text;
    let earlier = format!("/hls/{earlier}/{id}");
    let expired = tokens.mint_path(id.parse().unwrap(), AudienceClass::Viewers, now - 7 * 3600).text;

    // The playlist that has what does not exist yet: everybody waits, and the origin knows of one.
    let playlist = within("a first segment", async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let text = nginx.get(house, &format!("{path}/opus/live.m3u8")).await.text().await.unwrap();
            if text.contains("PRELOAD-HINT") && text.contains("#EXTINF") {
                return text;
            }
        }
    })
    .await;
    let hinted = playlist.split_once("TYPE=PART,URI=\"s").unwrap().1;
    let msn: u64 = hinted.split_once('.').unwrap().0.parse().unwrap();
    let before = answered(house, "playlist").await;
    let next = format!("{path}/opus/live.m3u8?_HLS_msn={}&_HLS_part=0", msn + 1);
    let (newest, missed) = nginx.crowd(house, &next).await;
    assert_eq!((answered(house, "playlist").await - before, missed), (1, 1), "playlists");

    // The part that is hinted at, by two kinds of token.
    let newest = String::from_utf8(newest).unwrap();
    let part = newest.split_once("TYPE=PART,URI=\"").unwrap().1.split_once('"').unwrap().0;
    let before = answered(house, "part").await;
    let (bytes, missed) = nginx.crowd(house, &format!("{path}/opus/{part}")).await;
    assert_eq!((answered(house, "part").await - before, missed), (1, 1), "parts");
    assert_eq!(&bytes[4..8], b"moof");
    let second = nginx.get(house, &format!("{earlier}/opus/{part}")).await;
    assert_eq!((second.status(), cache(&second)), (StatusCode::OK, "HIT"), "another token of the class");
    let range = house.http.get(format!("http://{}{path}/opus/{part}?cmcd=1", nginx.address)).header("range", "bytes=4-7").send();
    let range = within("a range", range).await.unwrap();
    assert_eq!((range.status(), cache(&range)), (StatusCode::PARTIAL_CONTENT, "HIT"));
    assert_eq!(range.bytes().await.unwrap().as_ref(), b"moof");
    assert_eq!(answered(house, "part").await - before, 1);
    // One question a token, not one a request.
    assert!(answered(house, "check").await <= 4, "{}", answered(house, "check").await);

    // What the cache has is not for those whom the origin would refuse.
    for (what, wrong) in [
        ("expired", format!("/hls/{expired}/{id}")),
        ("forged", format!("{}A/{id}", path.rsplit_once('/').unwrap().0)),
        ("of nobody", format!("/hls/{id}")),
        ("of another broadcast", format!("{path}x")),
    ] {
        let refused = nginx.get(house, &format!("{wrong}/opus/{part}")).await;
        assert!(matches!(refused.status().as_u16(), 401 | 403), "{what}: {}", refused.status());
        assert_ne!(refused.headers().get("x-cache").and_then(|value| value.to_str().ok()), Some("HIT"), "{what}");
    }
    assert_eq!(answered(house, "part").await - before, 1);

    // Pages and the interfaces pass.
    let view = nginx.get(house, "/api/v1/broadcasts/derby").await;
    assert_eq!(view.status(), StatusCode::OK);
    drop(nginx);
    closed.end().await;
}
