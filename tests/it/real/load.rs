//! The load generator against the server: what it publishes is served, and what it reports came over real sockets.

use clap::Parser;
use courtside::loadgen::{LoadOptions, run};

use super::house::{House, within};

/// Runs it to its end with these arguments behind the server's address. It fails by itself when no viewer gets media, or a member of a call
/// neither sees nor hears another.
async fn load(house: &House, arguments: &[&str]) {
    let url = house.url("");
    let common = ["loadgen", "--url", &url, "--seconds", "1", "--json"];
    let options = LoadOptions::try_parse_from([&common, arguments].concat()).unwrap();
    within("the load to end", tokio::task::spawn_blocking(move || run(&options))).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_several_broadcasts_come_and_go() {
    let house = House::open().await;
    load(&house, &["--publish", "synthetic", "--broadcasts", "2", "--viewers", "6", "--churn", "4/s", "--layers", "3"]).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_on_bad_lines_are_served() {
    let house = House::open().await;
    load(&house, &["--publish", "synthetic", "--viewers", "2", "--down", "latency=10ms loss=3%", "--up", "latency=10ms jitter=2ms"]).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn friends_in_calls_see_and_hear_each_other() {
    let house = House::open().await;
    load(&house, &["--publish", "synthetic", "--layers", "3", "--calls", "2", "--members", "3", "--ramp", "20/s"]).await;
    house.peers_settle(0).await;
    house.stop().await;
}
