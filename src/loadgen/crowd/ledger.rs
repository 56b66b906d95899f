//! A flood's books: what was said by whom, what became of it, and who has heard what must reach them. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

use super::spread::Spread;

/// Whose words are never left out of whose screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Everybody hears these two.
    Broadcaster,
    Moderator,
    /// One person hears these.
    Friend,
    Mention,
    Reply,
}

impl Lane {
    pub(super) const ALL: [Self; 5] = [Self::Broadcaster, Self::Moderator, Self::Friend, Self::Mention, Self::Reply];

    /// Its place among those that everybody hears.
    const fn for_all(self) -> Option<usize> {
        match self {
            Self::Broadcaster => Some(0),
            Self::Moderator => Some(1),
            Self::Friend | Self::Mention | Self::Reply => None,
        }
    }
}

/// What became of what somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Said,
    /// The code of the error.
    Refused(String),
}

/// Something that was said and must be heard.
#[derive(Debug)]
struct Mark {
    lane: Lane,
    /// Who must hear it; `None`: everybody.
    to: Option<usize>,
    sent_at: Instant,
    is_measured: bool,
    /// The chat has taken it.
    is_said: bool,
    heard: u64,
}

/// What one member has heard of the lanes that everybody hears: numbers rise.
#[derive(Debug, Default)]
pub(super) struct Ears {
    last: [Option<u32>; 2],
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    marks: Vec<Mark>,
    latencies: BTreeMap<Lane, Spread>,
    is_measuring: bool,
    /// Sent while measuring, answered or not.
    offered: u64,
    answered: u64,
    admitted: u64,
    own: Spread,
    refused: BTreeMap<String, u64>,
    lane_refused: BTreeMap<String, u64>,
    twice: u64,
    broken: BTreeMap<String, u64>,
}

/// A say under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    sent_at: Instant,
    mark: Option<u32>,
    is_measured: bool,
}

/// What a lane came to.
#[derive(Debug, Default)]
pub(super) struct LaneResult {
    pub(super) expected: u64,
    pub(super) heard: u64,
    pub(super) latencies: Spread,
}

/// What all of it came to.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) offered: u64,
    pub(super) answered: u64,
    pub(super) admitted: u64,
    pub(super) own: Spread,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) lane_refused: BTreeMap<String, u64>,
    pub(super) twice: u64,
    pub(super) broken: BTreeMap<String, u64>,
    pub(super) lanes: BTreeMap<Lane, LaneResult>,
}

impl Ledger {
    /// What is sent from now on counts, or no longer.
    pub(super) const fn measure(&mut self, is_measuring: bool) {
        self.is_measuring = is_measuring;
    }

    /// The number of what is now said on a lane.
    pub(super) fn mark(&mut self, now: Instant, lane: Lane, to: Option<usize>) -> u32 {
        let is_measured = self.is_measuring;
        self.marks.push(Mark { lane, to, sent_at: now, is_measured, is_said: false, heard: 0 });
        (self.marks.len() - 1) as u32
    }

    /// Something is sent.
    pub(super) fn sent(&mut self, now: Instant, mark: Option<u32>) -> Pending {
        self.offered += u64::from(self.is_measuring);
        Pending { sent_at: now, mark, is_measured: self.is_measuring }
    }

    pub(super) fn answered(&mut self, now: Instant, pending: Pending, fate: Fate) {
        let Pending { sent_at, mark, is_measured } = pending;
        let mark = mark.and_then(|mark| self.marks.get_mut(mark as usize));
        match (fate, mark) {
            (Fate::Said, mark) => {
                mark.into_iter().for_each(|mark| mark.is_said = true);
                if is_measured {
                    self.admitted += 1;
                    self.own.add(now.duration_since(sent_at));
                }
            }
            (Fate::Refused(code), Some(_)) if is_measured => *self.lane_refused.entry(code).or_default() += 1,
            (Fate::Refused(code), None) if is_measured => *self.refused.entry(code).or_default() += 1,
            (Fate::Refused(_), _) => {}
        }
        self.answered += u64::from(is_measured);
    }

    /// A member has been shown a marked message. Who is shown what was for another is no matter.
    pub(super) fn heard(&mut self, now: Instant, number: u32, member: usize, ears: &mut Ears) {
        let Some(mark) = self.marks.get_mut(number as usize) else { return };
        let is_again = match (mark.lane.for_all(), mark.to) {
            (Some(lane), _) => {
                let is_again = ears.last[lane].is_some_and(|last| last >= number);
                ears.last[lane] = ears.last[lane].max(Some(number));
                is_again
            }
            (None, Some(to)) if to == member => mark.heard > 0,
            (None, _) => return,
        };
        if is_again {
            self.twice += 1;
            return;
        }
        mark.heard += 1;
        if mark.is_measured {
            self.latencies.entry(mark.lane).or_default().add(now.duration_since(mark.sent_at));
        }
    }

    /// A connection has ended, for this reason.
    pub(super) fn broke(&mut self, why: String) {
        *self.broken.entry(why).or_default() += 1;
    }

    /// Everything, with so many members.
    pub(super) fn into_totals(mut self, members: usize) -> Totals {
        let mut lanes: BTreeMap<Lane, LaneResult> = BTreeMap::new();
        for lane in Lane::ALL {
            lanes.entry(lane).or_default().latencies = self.latencies.remove(&lane).unwrap_or_default();
        }
        for mark in self.marks.iter().filter(|mark| mark.is_measured && mark.is_said) {
            let lane = lanes.entry(mark.lane).or_default();
            lane.expected += if mark.to.is_some() { 1 } else { members as u64 };
            lane.heard += mark.heard;
        }
        let Self { offered, answered, admitted, own, refused, lane_refused, twice, broken, .. } = self;
        Totals { offered, answered, admitted, own, refused, lane_refused, twice, broken, lanes }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::clock;
    use super::*;

    fn said(ledger: &mut Ledger, now: Instant, mark: u32) {
        let pending = ledger.sent(now, Some(mark));
        ledger.answered(now + Duration::from_millis(70), pending, Fate::Said);
    }

    #[test]
    fn what_is_for_all_is_expected_of_everybody_once() {
        let (start, mut ledger) = (clock::now(), Ledger::default());
        let warming = ledger.mark(start, Lane::Broadcaster, None);
        said(&mut ledger, start, warming);
        ledger.measure(true);
        let mark = ledger.mark(start, Lane::Broadcaster, None);
        said(&mut ledger, start, mark);
        let mut ears = [Ears::default(), Ears::default()];
        for member in [0, 1, 1] {
            ledger.heard(start + Duration::from_millis(120), mark, member, &mut ears[member]);
        }
        let totals = ledger.into_totals(3);
        let lane = &totals.lanes[&Lane::Broadcaster];
        assert_eq!((lane.expected, lane.heard, totals.twice), (3, 2, 1), "one has not heard it, one twice");
        assert_eq!(lane.latencies.quantile(0.99), 121.0);
        assert_eq!((totals.offered, totals.answered, totals.admitted), (1, 1, 1));
    }

    #[test]
    fn what_is_for_one_counts_only_with_them_and_what_is_refused_is_not_expected() {
        let (start, mut ledger) = (clock::now(), Ledger::default());
        ledger.measure(true);
        let (taken, refused) = (ledger.mark(start, Lane::Mention, Some(7)), ledger.mark(start, Lane::Reply, Some(7)));
        said(&mut ledger, start, taken);
        let pending = ledger.sent(start, Some(refused));
        ledger.answered(start, pending, Fate::Refused("not_found".to_owned()));
        let mut ears = Ears::default();
        ledger.heard(start, taken, 3, &mut ears);
        ledger.heard(start, taken, 7, &mut ears);
        ledger.heard(start, 99, 7, &mut ears);
        let totals = ledger.into_totals(10);
        assert_eq!((totals.lanes[&Lane::Mention].expected, totals.lanes[&Lane::Mention].heard), (1, 1));
        assert_eq!((totals.lanes[&Lane::Reply].expected, totals.lane_refused["not_found"]), (0, 1));
        assert!(totals.refused.is_empty());
    }

    #[test]
    fn what_nobody_answers_shows_in_the_counts() {
        let (start, mut ledger) = (clock::now(), Ledger::default());
        ledger.measure(true);
        let _lost = ledger.sent(start, None);
        let slowed = ledger.sent(start, None);
        ledger.measure(false);
        let _drained = ledger.sent(start, None);
        ledger.answered(start, slowed, Fate::Refused("slow_down".to_owned()));
        let totals = ledger.into_totals(1);
        assert_eq!((totals.offered, totals.answered, totals.admitted, totals.refused["slow_down"]), (2, 1, 0, 1));
    }
}
