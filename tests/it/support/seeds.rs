//! Histories at random, each told by its seed. `SWARM_SEED=n` replays one, `SWARM_SEEDS=n` lives through so many.

use std::panic::{AssertUnwindSafe, catch_unwind};

const SEEDS: u64 = 200;
/// Then the rest are not lived through.
const FAILURES_MAX: usize = 20;

/// Lives through those seeds whose remainder by `parts` is `part`, as tests of one module that run side by side do; also through those `known` to have
/// found something once. Says which ones failed.
pub(crate) fn live_through(module: &str, known: &[u64], (part, parts): (u64, u64), live: impl Fn(u64)) {
    let given = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let seeds = match given("SWARM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("SWARM_SEEDS").unwrap_or(SEEDS),
    };
    let is_alone = seeds.end - seeds.start == 1;
    let known = known.iter().copied().filter(|seed| !is_alone && !seeds.contains(seed));
    let mut failed = Vec::new();
    for seed in seeds.clone().chain(known).filter(|seed| is_alone || seed % parts == part) {
        if catch_unwind(AssertUnwindSafe(|| live(seed))).is_err() {
            eprintln!("seed {seed}; replay: SWARM_SEED={seed} cargo test --test it {module}");
            failed.push(seed);
            if failed.len() == FAILURES_MAX {
                break;
            }
        }
    }
    assert!(failed.is_empty(), "failed: seeds {failed:?}");
}
