//! Hostile bytes for the parser tests: seeded noise and mutations of valid packets. Not a fuzzer; that one calls the same targets.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Runs `target` on random bytes of every small length and on mutations of each sample. A failure prints the seed by its message.
pub(crate) fn bombard(samples: &[Vec<u8>], target: impl Fn(&[u8])) {
    for seed in 0..4u64 {
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..1500 {
            let mut noise = vec![0; rng.random_range(0..120)];
            rng.fill(&mut noise[..]);
            target(&noise);
        }
        for sample in samples {
            for cut in 0..=sample.len() {
                target(&sample[..cut]);
            }
            for _ in 0..1500 {
                let mut bytes = sample.clone();
                for _ in 0..rng.random_range(1..4) {
                    mutate(&mut rng, &mut bytes);
                }
                target(&bytes);
            }
        }
    }
}

fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..5) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes[at] = [0, 0x7f, 0x80, 0xff][rng.random_range(0..4)],
        3 => bytes.truncate(at),
        _ => bytes.insert(at, rng.random()),
    }
}
