//! Reactions: merged by the client, summed by the node each 100 ms, summed over nodes by the home, told to viewers at most four times a second.
//!
//! What travels up are differences in batches that are sent again until they are safe, each applied once; what travels down are totals, so that
//! a lost frame is mended by the next. Hence the sums are exact once nobody taps any more. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::clock::UnixMs;
use crate::limits::{REACTION_BUCKET_MS, REACTION_BUCKETS_MAX, REACTION_EDGE_INTERVAL, REACTION_SHOW_INTERVAL};

/// What people throw at the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReactionKind {
    Heart,
    Clap,
    Laugh,
    Wow,
    Sad,
    Angry,
    Fire,
    Goal,
}

impl ReactionKind {
    pub const ALL: [Self; 8] = [Self::Heart, Self::Clap, Self::Laugh, Self::Wow, Self::Sad, Self::Angry, Self::Fire, Self::Goal];
}

/// How many of one kind. In frames and histories: all of them since the broadcast began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReactionCount {
    pub kind: ReactionKind,
    #[ts(type = "number")]
    pub count: u64,
}

/// Ten seconds of media time: their number since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket(pub u64);

impl Bucket {
    /// The bucket of a media time (ms since the Unix epoch).
    pub const fn of(media_time_ms: f64) -> Self {
        Self((media_time_ms / REACTION_BUCKET_MS) as u64)
    }
}

/// Differences on their way to the home.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Taps(pub Vec<(Bucket, ReactionKind, u64)>);

/// The node's side: counts until the next batch.
#[derive(Debug, Default)]
pub struct EdgeTaps {
    counts: BTreeMap<(Bucket, ReactionKind), u64>,
    /// The latest media time among them, ms.
    latest_ms: Option<f64>,
    taken_at: UnixMs,
}

impl EdgeTaps {
    /// So many more of a kind, at the media time that the person saw (the wall clock where there is none).
    pub fn add(&mut self, now: UnixMs, kind: ReactionKind, count: u64, media_time_ms: Option<f64>) {
        let at_ms = media_time_ms.unwrap_or(now.0 as f64);
        let bucket = Bucket::of(at_ms);
        self.latest_ms = later(self.latest_ms, Some(at_ms));
        *self.counts.entry((bucket, kind)).or_default() += count;
    }

    /// When [`Self::take`] has something.
    pub fn wake_at(&self) -> Option<UnixMs> {
        (!self.counts.is_empty()).then(|| self.taken_at.after(REACTION_EDGE_INTERVAL))
    }

    /// What has come together, and the latest media time among it, if it is time.
    pub fn take(&mut self, now: UnixMs) -> (Taps, Option<f64>) {
        if self.wake_at().is_none_or(|due| due > now) {
            return (Taps::default(), None);
        }
        self.taken_at = now;
        let taps = std::mem::take(&mut self.counts).into_iter().map(|((bucket, kind), count)| (bucket, kind, count));
        (Taps(taps.collect()), self.latest_ms.take())
    }
}

/// The later of two media times.
fn later(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

/// The home's side: totals, and totals per bucket for the heat line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sums {
    totals: BTreeMap<ReactionKind, u64>,
    /// Those of the oldest bucket include all before it.
    buckets: Vec<(Bucket, BTreeMap<ReactionKind, u64>)>,
    #[serde(skip)]
    shown: BTreeMap<ReactionKind, u64>,
    #[serde(skip)]
    shown_at: UnixMs,
    /// The latest media time among those that are not shown yet, ms.
    #[serde(skip)]
    latest_ms: Option<f64>,
}

/// One step of the heat line: how much was thrown at the screen in ten seconds of media time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct HeatPoint {
    /// Media time at which the step begins, ms since the Unix epoch.
    pub at_ms: f64,
    #[ts(type = "number")]
    pub count: u64,
}

impl Sums {
    /// `latest_ms`: the latest media time among them.
    pub fn apply(&mut self, taps: &Taps, latest_ms: Option<f64>) {
        self.latest_ms = later(self.latest_ms, latest_ms);
        for &(bucket, kind, count) in &taps.0 {
            *self.totals.entry(kind).or_default() += count;
            let at = match self.buckets.binary_search_by_key(&bucket, |(at, _)| *at) {
                Ok(at) => at,
                // Older than everything that is kept: it counts where the rest of that time does.
                Err(0) if self.buckets.len() >= REACTION_BUCKETS_MAX => 0,
                Err(at) => {
                    self.buckets.insert(at, (bucket, BTreeMap::new()));
                    at
                }
            };
            *self.buckets[at].1.entry(kind).or_default() += count;
        }
        while self.buckets.len() > REACTION_BUCKETS_MAX {
            let (_, oldest) = self.buckets.remove(0);
            for (kind, count) in oldest {
                *self.buckets[0].1.entry(kind).or_default() += count;
            }
        }
    }

    /// All so far, kinds that nobody used left out.
    pub fn totals(&self) -> Vec<ReactionCount> {
        self.totals.iter().map(|(&kind, &count)| ReactionCount { kind, count }).collect()
    }

    /// The heat line: per bucket, in order of media time.
    pub fn buckets(&self) -> impl Iterator<Item = (Bucket, Vec<ReactionCount>)> + '_ {
        self.buckets.iter().map(|(bucket, counts)| (*bucket, counts.iter().map(|(&kind, &count)| ReactionCount { kind, count }).collect()))
    }

    /// The heat line, all kinds together.
    pub fn heat(&self) -> Vec<HeatPoint> {
        let point = |(bucket, counts): (Bucket, Vec<ReactionCount>)| HeatPoint {
            at_ms: bucket.0 as f64 * REACTION_BUCKET_MS,
            count: counts.iter().map(|count| count.count).sum(),
        };
        self.buckets().map(point).collect()
    }

    /// When [`Self::poll`] has something.
    pub fn wake_at(&self) -> Option<UnixMs> {
        (self.shown != self.totals).then(|| self.shown_at.after(REACTION_SHOW_INTERVAL))
    }

    /// Totals of the kinds that grew since the last time, if it is time to show them, and the moment that they are about: nobody who has not
    /// seen it is shown them.
    pub fn poll(&mut self, now: UnixMs) -> (Vec<ReactionCount>, Option<f64>) {
        if self.wake_at().is_none_or(|due| due > now) {
            return (Vec::new(), None);
        }
        self.shown_at = now;
        let grown: Vec<_> = self.totals().into_iter().filter(|total| self.shown.get(&total.kind) != Some(&total.count)).collect();
        self.shown.clone_from(&self.totals);
        (grown, self.latest_ms.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMs = UnixMs(1_795_230_000_000);

    fn at(ms: u64) -> UnixMs {
        UnixMs(START.0 + ms)
    }

    #[test]
    fn taps_of_a_hundred_milliseconds_are_one_batch() {
        let mut taps = EdgeTaps::default();
        taps.add(START, ReactionKind::Heart, 1, None);
        assert_eq!(taps.take(START).0.0.len(), 1, "the first goes at once");
        for ms in 0..100 {
            taps.add(at(ms), ReactionKind::Heart, 3, None);
            assert_eq!(taps.take(at(ms)), (Taps::default(), None));
        }
        assert_eq!(taps.take(at(100)).0.0, [(Bucket(179_523_000), ReactionKind::Heart, 300)]);
        assert_eq!(taps.wake_at(), None);
    }

    #[test]
    fn a_hundred_thousand_taps_a_second_are_exact_and_shown_four_times_a_second() {
        let mut nodes: Vec<EdgeTaps> = (0..5).map(|_| EdgeTaps::default()).collect();
        let mut sums = Sums::default();
        let (mut frames, mut last) = (0, Vec::new());
        for ms in 0..3000_u64 {
            for (index, node) in nodes.iter_mut().enumerate() {
                let kind = ReactionKind::ALL[(ms as usize + index) % 8];
                if ms < 2000 {
                    node.add(at(ms), kind, 20, Some((START.0 + ms) as f64));
                }
                let (taps, latest) = node.take(at(ms));
                sums.apply(&taps, latest);
            }
            let (shown, moment) = sums.poll(at(ms));
            assert_eq!(moment.is_some(), !shown.is_empty());
            if !shown.is_empty() {
                frames += 1;
                last.push((ms, shown));
            }
        }
        assert!(frames <= 10, "{frames} frames in 2.2 s");
        let total: u64 = sums.totals().iter().map(|total| total.count).sum();
        assert_eq!(total, 5 * 20 * 2000);
        assert_eq!(sums.totals().len(), 8);
        // What viewers have last been shown of each kind is the sum.
        for total in sums.totals() {
            let shown = last.iter().rev().find_map(|(_, shown)| shown.iter().find(|count| count.kind == total.kind)).unwrap();
            assert_eq!(shown.count, total.count);
        }
        assert_eq!(sums.wake_at(), None, "quiet");
    }

    #[test]
    fn what_is_shown_together_is_about_the_latest_moment_of_those_who_tapped() {
        let (mut ahead, mut behind, mut sums) = (EdgeTaps::default(), EdgeTaps::default(), Sums::default());
        behind.add(START, ReactionKind::Clap, 1, Some(START.0 as f64 - 9_000.0));
        ahead.add(START, ReactionKind::Clap, 1, Some(START.0 as f64 - 200.0));
        ahead.add(START, ReactionKind::Clap, 1, Some(START.0 as f64 - 300.0));
        for node in [&mut ahead, &mut behind] {
            let (taps, latest) = node.take(START);
            sums.apply(&taps, latest);
        }
        assert_eq!(sums.poll(START), (vec![ReactionCount { kind: ReactionKind::Clap, count: 3 }], Some(START.0 as f64 - 200.0)));
        // The next ones are about their own.
        behind.add(at(400), ReactionKind::Clap, 1, Some(START.0 as f64 - 8_000.0));
        let (taps, latest) = behind.take(at(400));
        sums.apply(&taps, latest);
        assert_eq!(sums.poll(at(400)).1, Some(START.0 as f64 - 8_000.0));
    }

    #[test]
    fn the_heat_line_is_by_media_time_and_bounded() {
        let mut sums = Sums::default();
        let late = Bucket::of(START.0 as f64);
        sums.apply(
            &Taps(vec![(late, ReactionKind::Goal, 5), (Bucket(late.0 - 1), ReactionKind::Clap, 2), (late, ReactionKind::Goal, 1)]),
            None,
        );
        let count = |kind, count| ReactionCount { kind, count };
        let line: Vec<_> = sums.buckets().collect();
        assert_eq!(line, [(Bucket(late.0 - 1), vec![count(ReactionKind::Clap, 2)]), (late, vec![count(ReactionKind::Goal, 6)])]);
        for bucket in 1..=REACTION_BUCKETS_MAX as u64 + 50 {
            sums.apply(&Taps(vec![(Bucket(late.0 + bucket), ReactionKind::Fire, 1)]), None);
        }
        assert_eq!(sums.buckets().count(), REACTION_BUCKETS_MAX);
        let in_line: u64 = sums.buckets().flat_map(|(_, counts)| counts).map(|count| count.count).sum();
        assert_eq!(in_line, sums.totals().iter().map(|total| total.count).sum::<u64>(), "nothing is lost, old time is merged");
    }

    #[test]
    fn a_new_home_goes_on_with_the_totals_and_shows_them() {
        let mut sums = Sums::default();
        sums.apply(&Taps(vec![(Bucket(7), ReactionKind::Wow, 9)]), None);
        let mut restored: Sums = serde_json::from_str(&serde_json::to_string(&sums).unwrap()).unwrap();
        assert_eq!(restored.poll(START).0, [ReactionCount { kind: ReactionKind::Wow, count: 9 }]);
        assert_eq!(restored.heat(), [HeatPoint { at_ms: 70_000.0, count: 9 }]);
    }
}
