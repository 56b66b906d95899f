//! Accounts of the whole program: the command line makes the first, letters are in the log, and a backup brings everything back.

use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::house::{House, within};
use super::program::{Program, courtside};
use super::socket::Socket;

const PASSWORD: &str = "correct horse";

fn auth(house: &House, path: &str) -> RequestBuilder {
    house.http.request(Method::POST, house.url(&format!("/api/v1/auth/{path}"))).header("x-courtside", "1")
}

async fn sign_in(house: &House, email: &str) -> Response {
    within("sign-in", auth(house, "sign-in").json(&json!({ "email": email, "password": PASSWORD })).send()).await.unwrap()
}

fn run(house: &House, args: &[&str], input: &str) -> Output {
    let mut command = courtside();
    command.args(args).arg("--data-dir").arg(house.data_dir());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_made_confirmed_backed_up_and_restored() {
    let (mut program, house) = Program::serve(&["--open-sign-up=false"]).await;
    let made = run(&house, &["user", "add", "Ann", "--operator", "--email", "ann@example.org"], "correct horse\n");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let refused = run(&house, &["user", "add", "Bob", "--email", "bob@example.org"], "short\n");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`password` must be"), "{refused:?}");

    let stranger = json!({ "name": "Eve", "email": "eve@example.org", "password": PASSWORD });
    assert_eq!(auth(&house, "sign-up").json(&stranger).send().await.unwrap().status(), 403);
    let signed_in = sign_in(&house, "ann@example.org").await;
    assert_eq!(signed_in.status(), 200);
    let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let signed_in: Value = signed_in.json().await.unwrap();
    let (_socket, welcome) = Socket::greet(&house, None, Some(signed_in["token"].as_str().unwrap())).await;
    assert_eq!(welcome["user"]["id"], signed_in["account"]["id"]);
    let refreshed = auth(&house, "refresh").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(refreshed.status(), 200);

    let forgot = auth(&house, "forgot-password").json(&json!({ "email": "ann@example.org" })).send().await.unwrap();
    assert_eq!(forgot.status(), 202);
    let letter = program.says("no mail server is configured").await;
    assert!(letter["message"].as_str().unwrap().contains("/account/reset#"), "{letter}");

    let copy = house.data_dir().join("monday.db");
    let copy = copy.to_str().unwrap();
    let copied = run(&house, &["backup", copy], "");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    assert!(run(&house, &["user", "add", "Bob", "--email", "bob@example.org"], "correct horse\n").status.success());
    assert_eq!(sign_in(&house, "bob@example.org").await.status(), 200);
    let in_use = run(&house, &["restore", copy], "");
    assert!(!in_use.status.success() && String::from_utf8_lossy(&in_use.stderr).contains("stop the server"), "{in_use:?}");

    program.signal();
    assert!(program.ended().await.success());
    let restored = run(&house, &["restore", copy], "");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let data_dir = house.stop().await;
    let (program, house) = Program::serve_on(data_dir, &[]).await;
    assert_eq!(sign_in(&house, "ann@example.org").await.status(), 200);
    assert_eq!(sign_in(&house, "bob@example.org").await.status(), 401, "he came after the backup");
    program.signal();
    assert!(program.ended().await.success());
}

/// What a storm of sign-ins costs is paid by those who sign in: some are sent away, and everybody else is served as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_sign_ins_is_bounded_and_moves_nobody_else() {
    let (program, house) = Program::serve(&["--connections-per-address", "1000"]).await;
    let house = Arc::new(house);
    let ping = async |socket: &mut Socket| {
        let asked = Instant::now();
        assert_eq!(socket.ask(json!({ "type": "ping", "client_time_ms": 0.0 })).await["type"], "pong");
        asked.elapsed()
    };
    let (mut socket, _) = Socket::greet(&house, None, None).await;
    let calm = ping(&mut socket).await;
    let storm: Vec<_> = (0..200)
        .map(|number: u32| {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let body = json!({ "email": format!("{number}@example.org"), "password": PASSWORD });
                // Each from an address of its own, as a proxy on this host would say.
                let from = format!("10.0.{}.{}", number / 200, number % 200);
                let answer = auth(&house, "sign-in").header("x-forwarded-for", from).json(&body).send().await.unwrap();
                (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
            })
        })
        .collect();
    let mut shaken = Duration::ZERO;
    // No faster than one client may say something.
    let mut ticks = tokio::time::interval(Duration::from_millis(60));
    while !storm.iter().all(tokio::task::JoinHandle::is_finished) {
        shaken = shaken.max(ping(&mut socket).await);
        ticks.tick().await;
    }
    let mut statuses = Vec::new();
    for one in storm {
        statuses.push(within("an answer", one).await.unwrap());
    }
    assert!(statuses.iter().all(|answer| matches!(answer, (401, false) | (503, true))), "{statuses:?}");
    assert!(statuses.iter().any(|(status, _)| *status == 503), "the queue has an end");
    assert!(statuses.iter().any(|(status, _)| *status == 401), "and it moves");
    // Far below what one password takes for each in the queue (2 s); a tester's machine has other things to do.
    assert!(shaken < Duration::from_millis(500), "a ping took {shaken:?}, {calm:?} before the storm");
    assert!(house.metric("courtside_accounts_passwords_refused_total").await.is_some_and(|refused| refused > 0.0));
    program.signal();
    drop(socket);
    assert!(program.ended().await.success());
}
