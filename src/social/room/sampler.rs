//! Who sees which messages when there are more than anybody reads. Pure.
//!
//! Above `CHAT_VISIBLE_PER_S` for a while, or above `CHAT_UNSAMPLED_MAX` at once, a broadcast is sampled: from each window every cohort gets a few messages, each cohort others, so that
//! frames stay shared and most messages are seen by somebody. Whose messages are never left out is decided before they come here.

use std::collections::{HashSet, VecDeque};

use super::super::clock::UnixMs;
use super::super::moderation::skeleton;
use crate::ids::UserId;
use crate::limits::{CHAT_SAMPLING_AFTER, CHAT_UNSAMPLED_MAX, CHAT_VISIBLE_PER_S, CHAT_VISIBLE_PER_WINDOW};
use crate::social::chat::ChatMessage;

/// Cohorts of viewers.
pub(crate) const COHORTS: u8 = 4;
/// Every cohort.
pub(crate) const ALL_COHORTS: u8 = (1 << COHORTS) - 1;
/// The cohorts whose messages a viewer who asked for "all" is shown: twice as many as anybody can follow.
pub(crate) const SHOWN_AS_ALL: u8 = 0b0011;

/// Measures how much is said and chooses.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// When the messages of the last second came, bounded by what makes a second busy.
    recent: VecDeque<UnixMs>,
    /// Messages that are waiting to be shown.
    waiting: usize,
    busy_since: Option<UnixMs>,
    calm_since: Option<UnixMs>,
    is_sampling: bool,
}

impl Sampler {
    /// A message that may be left out was said.
    pub(crate) fn count(&mut self, now: UnixMs) {
        self.waiting += 1;
        self.recent.push_back(now);
        if self.recent.len() > CHAT_VISIBLE_PER_S + 1 {
            self.recent.pop_front();
        }
        self.update(now);
    }

    /// What waits is shown now: whether it is to be chosen from.
    pub(crate) fn take(&mut self, now: UnixMs) -> bool {
        self.is_sampling |= std::mem::take(&mut self.waiting) > CHAT_UNSAMPLED_MAX;
        self.is_sampling(now)
    }

    pub(crate) fn is_sampling(&mut self, now: UnixMs) -> bool {
        self.update(now);
        self.is_sampling
    }

    fn update(&mut self, now: UnixMs) {
        let is_busy =
            self.recent.len() > CHAT_VISIBLE_PER_S && self.recent.front().is_some_and(|first| now.since(*first).as_millis() < 1000);
        if is_busy {
            self.calm_since = None;
            let since = *self.busy_since.get_or_insert(now);
            self.is_sampling |= now.since(since) >= CHAT_SAMPLING_AFTER;
        } else {
            self.busy_since = None;
            let since = *self.calm_since.get_or_insert(now);
            self.is_sampling &= now.since(since) < CHAT_SAMPLING_AFTER;
        }
    }
}

/// A message and how much it deserves to be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) message: &'a ChatMessage,
    /// Its author has said nothing before.
    pub(crate) is_first: bool,
}

/// The cohorts of each candidate of one window, in their order.
pub(crate) fn sample(candidates: &[Candidate<'_>]) -> Vec<u8> {
    let mut distinct: Vec<(usize, u32)> = Vec::new();
    let (mut authors, mut texts) = (HashSet::<UserId>::new(), HashSet::<String>::new());
    for (index, candidate) in candidates.iter().enumerate() {
        // One of each author and one of each text: a hundred times "GOAL" is one message.
        if authors.insert(candidate.message.author.id) && texts.insert(skeleton(&candidate.message.text)) {
            distinct.push((index, score(candidate)));
        }
    }
    let mut cohorts = vec![0; candidates.len()];
    for cohort in 0..COHORTS {
        let mut order = distinct.clone();
        order.sort_unstable_by_key(|&(index, score)| (std::cmp::Reverse(score), lot(candidates[index].message, cohort)));
        for &(index, _) in order.iter().take(CHAT_VISIBLE_PER_WINDOW) {
            cohorts[index] |= 1 << cohort;
        }
    }
    cohorts
}

fn score(candidate: &Candidate<'_>) -> u32 {
    let says_something = (8..=200).contains(&candidate.message.text.chars().count());
    u32::from(says_something) + u32::from(candidate.is_first) + u32::from(candidate.message.reply_to.is_some())
}

/// A different order for each cohort, the same on every run (SplitMix64).
const fn lot(message: &ChatMessage, cohort: u8) -> u64 {
    let mut mixed = message.id.seq.wrapping_add((cohort as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::room::test_support::message;

    #[test]
    fn sampling_begins_when_it_stays_busy_and_ends_when_it_stays_calm() {
        let mut sampler = Sampler::default();
        let at = |ms: u64| UnixMs(1_795_230_000_000 + ms);
        // 25 a second for one second is a goal, not a flood.
        for ms in (0..1000).step_by(40) {
            sampler.count(at(ms));
        }
        assert!(!sampler.is_sampling(at(1000)));
        assert!(!sampler.is_sampling(at(8000)));
        for ms in (10_000..14_000).step_by(40) {
            sampler.count(at(ms));
        }
        assert!(sampler.is_sampling(at(14_000)));
        assert!(sampler.is_sampling(at(15_500)));
        assert!(!sampler.is_sampling(at(18_000)));
    }

    #[test]
    fn each_cohort_sees_a_few_and_all_together_many_more() {
        let messages: Vec<_> = (1..=100).map(|seq| message(seq, seq, &format!("what a match, number {seq}"))).collect();
        let candidates: Vec<_> = messages.iter().map(|message| Candidate { message, is_first: false }).collect();
        let chosen = sample(&candidates);
        for cohort in 0..COHORTS {
            assert_eq!(chosen.iter().filter(|cohorts| *cohorts & 1 << cohort != 0).count(), CHAT_VISIBLE_PER_WINDOW);
        }
        let seen = chosen.iter().filter(|cohorts| **cohorts != 0).count();
        assert!(seen > 2 * CHAT_VISIBLE_PER_WINDOW, "{seen} of 100 are seen by somebody");
        assert_eq!(chosen, sample(&candidates), "the same for the same messages");
    }

    #[test]
    fn the_same_words_and_the_same_person_are_shown_once() {
        let mut messages: Vec<_> = (1..=50).map(|seq| message(seq, seq, "GOOOAL!!")).collect();
        messages.extend((51..=60).map(|seq| message(seq, 7777, &format!("my word number {seq}"))));
        let candidates: Vec<_> = messages.iter().map(|message| Candidate { message, is_first: false }).collect();
        assert_eq!(sample(&candidates).iter().filter(|cohorts| **cohorts != 0).count(), 2);
    }
}
