//! Bodies of the fuzz targets and of their short runs in `cargo test`.

use super::decoder::{Decoder, masked};

/// A client's bytes in pieces: no panic, no more than the bound, and the same messages however they are cut.
pub fn fuzz_frames(bytes: &[u8]) {
    const MAX: usize = 2000;
    let Some((&[flags, size], stream)) = bytes.split_first_chunk::<2>() else { return };
    // Either as it is, or as the payload of well-formed frames, which get further.
    let stream = match flags & 2 {
        0 => stream.to_vec(),
        _ => stream.chunks(usize::from(size) + 1).flat_map(|chunk| masked(chunk[0], &chunk[1..])).collect(),
    };
    let run = |piece: usize| {
        let mut decoder = Decoder::new(MAX, flags & 1 != 0);
        let mut messages = Vec::new();
        for piece in stream.chunks(piece.max(1)) {
            decoder.push(piece);
            loop {
                match decoder.next() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
        }
        (messages, None)
    };
    let (whole, pieces) = (run(stream.len()), run(usize::from(size)));
    assert_eq!(whole, pieces, "the cuts do not matter");
    for message in &whole.0 {
        if let super::Message::Text(text) = message {
            assert!(text.len() <= MAX, "a text beyond the bound");
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    #[test]
    fn hostile_frames_are_harmless() {
        for seed in 0..3000 {
            let mut rng = StdRng::seed_from_u64(seed);
            let bytes: Vec<u8> = (0..rng.random_range(0..400))
                .map(|_| if rng.random_bool(0.3) { [0, 1, 0x81, 0x80, 0xc1, 0x88][rng.random_range(0..6)] } else { rng.random() })
                .collect();
            super::fuzz_frames(&bytes);
        }
    }
}
