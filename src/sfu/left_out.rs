//! Which packets of a stream were left out on purpose, one bit each: what their successors' numbers go down by.
//!
//! ```text
//!   source    10 11 12 13 14 15 16      d dropped on purpose, · has not come
//!              k  d  d  k  ·  d  k
//!   viewer     5        6  7     8      7 is kept for 14: it may still come, and may be wanted
//! ```
//! Only what came and was left out takes no number. What is missing keeps one, so that it can be filled in its place, and no number is ever
//! given to two packets. Both directions are exact over a window as long as the packet ring; what is older has no number any more.

use crate::limits::PACKET_RING;
use crate::sfu::rtp::seq::SeqNo;

const BITS: u64 = u64::BITS as u64;
const WORDS: usize = PACKET_RING / u64::BITS as usize;

/// The packets left out of one stretch of a stream.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// A ring of words; bit `n % 64` of word `n / 64` is source number `n`.
    words: [u64; WORDS],
    first_word: u64,
    /// Left out before the window, and altogether.
    before: u64,
    total: u64,
    newest: SeqNo,
}

impl LeftOut {
    /// Nothing is left out up to `newest`.
    pub fn new(newest: SeqNo) -> Self {
        Self { words: [0; WORDS], first_word: newest.0 / BITS, before: 0, total: 0, newest }
    }

    /// The highest source number that was forwarded or left out.
    pub fn newest(&self) -> SeqNo {
        self.newest
    }

    pub fn contains(&self, seq: SeqNo) -> bool {
        self.word(seq.0 / BITS) >> (seq.0 % BITS) & 1 == 1
    }

    /// A packet is forwarded, or left out: the window goes on to it.
    pub fn advance(&mut self, seq: SeqNo) {
        self.newest = self.newest.max(seq);
        let end = self.newest.0 / BITS + 1;
        if end.saturating_sub(self.first_word) > 2 * WORDS as u64 {
            (self.words, self.first_word, self.before) = ([0; WORDS], end - WORDS as u64, self.total);
        }
        while end - self.first_word > WORDS as u64 {
            let slot = &mut self.words[self.first_word as usize % WORDS];
            self.before += u64::from(std::mem::take(slot).count_ones());
            self.first_word += 1;
        }
    }

    /// Leaves a packet out. Not one that has a number after it which was used.
    pub fn insert(&mut self, seq: SeqNo) {
        self.advance(seq);
        if seq.0 / BITS >= self.first_word && !self.contains(seq) {
            self.words[(seq.0 / BITS) as usize % WORDS] |= 1 << (seq.0 % BITS);
            self.total += 1;
        }
    }

    /// How many were left out before this one. `None`: it is too old to tell.
    pub fn before(&self, seq: SeqNo) -> Option<u64> {
        if seq > self.newest {
            return Some(self.total);
        }
        let word = seq.0 / BITS;
        if word < self.first_word {
            return (self.before == 0).then_some(0);
        }
        let from_here = self.word(word) >> (seq.0 % BITS);
        let later = (word + 1..=self.newest.0 / BITS).map(|word| self.word(word).count_ones()).sum::<u32>();
        Some(self.total - u64::from(from_here.count_ones()) - u64::from(later))
    }

    /// The packet that was not left out, and would have this number had none before it existed. `None`: it is too old to tell.
    pub fn find(&self, number: u64) -> Option<SeqNo> {
        let mut start = self.first_word * BITS - self.before;
        if number < start {
            return (self.before == 0).then_some(SeqNo(number));
        }
        for word in self.first_word..self.first_word + WORDS as u64 {
            let kept = u64::from(self.word(word).count_zeros());
            if number < start + kept {
                let mut free = !self.word(word);
                for _ in 0..number - start {
                    free &= free - 1;
                }
                return Some(SeqNo(word * BITS + u64::from(free.trailing_zeros())));
            }
            start += kept;
        }
        Some(SeqNo(number + self.total))
    }

    fn word(&self, word: u64) -> u64 {
        let is_inside = (self.first_word..self.first_word + WORDS as u64).contains(&word);
        if is_inside { self.words[word as usize % WORDS] } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// The oracle counts one by one.
    #[test]
    fn numbers_and_packets_find_each_other_within_the_window() {
        for seed in 0..40 {
            let mut rng = StdRng::seed_from_u64(seed);
            let first: u64 = rng.random_range(1 << 16..1 << 20);
            let share = rng.random_range(0.0..1.0);
            let mut left_out = LeftOut::new(SeqNo(first));
            let mut all: Vec<bool> = vec![false];
            for seq in first + 1..first + 6000 {
                let dropped = rng.random_bool(share);
                all.push(dropped);
                if dropped {
                    left_out.insert(SeqNo(seq));
                } else {
                    left_out.advance(SeqNo(seq));
                }
                if rng.random_ratio(1, 50) {
                    let back = rng.random_range(0..(seq - first + 1).min(PACKET_RING as u64 - 64));
                    let asked = seq - back;
                    let before = all[..(asked - first) as usize].iter().filter(|dropped| **dropped).count() as u64;
                    assert_eq!(left_out.contains(SeqNo(asked)), all[(asked - first) as usize], "seed {seed}: {asked}");
                    assert_eq!(left_out.before(SeqNo(asked)), Some(before), "seed {seed}: {asked}");
                    if !all[(asked - first) as usize] {
                        assert_eq!(left_out.find(asked - before), Some(SeqNo(asked)), "seed {seed}: {asked}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_older_than_the_window_has_no_number_once_anything_before_it_counts() {
        let mut left_out = LeftOut::new(SeqNo(70_000));
        left_out.advance(SeqNo(70_000 + 10 * PACKET_RING as u64));
        assert_eq!((left_out.before(SeqNo(70_001)), left_out.find(70_001)), (Some(0), Some(SeqNo(70_001))), "nothing was left out");
        left_out.insert(SeqNo(95_000));
        left_out.advance(SeqNo(95_000 + 10 * PACKET_RING as u64));
        assert_eq!((left_out.before(SeqNo(95_001)), left_out.find(95_001)), (None, None));
        assert_eq!(left_out.before(SeqNo(95_002 + 10 * PACKET_RING as u64)), Some(1));
    }
}
