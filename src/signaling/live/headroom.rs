//! How much of the node is in use, and how many viewers must make room or may come back. Pure: once a second it is told what the media plane
//! did, and says what to do.
//!
//! In use is the largest of three: bytes sent against what the operator allows, the busiest worker's core, and, when that worker has much to
//! do, how long its viewers wait for a batch. Above [`HIGH`] for [`HIGH_FOR`] the tail of the audience goes to the other transport, so many that
//! [`AIM`] is left; below [`LOW`] for [`LOW_FOR`] they come back, a few at a time. In between nothing happens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::sfu::handle::WorkerSnapshot;

/// Of everything, in use: viewers make room.
const HIGH: f64 = 0.85;
/// What making room aims at, and what coming back does not exceed.
const AIM: f64 = 0.75;
const LOW: f64 = 0.65;
/// A key frame of every broadcast at once is not too much for the node; two seconds of it are.
const HIGH_FOR: Duration = Duration::from_secs(2);
const LOW_FOR: Duration = Duration::from_secs(5);
/// Who was asked to go has gone by then, and what came of it shows.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// A newcomer is sent what it will be sent by then, so that it shows in what is measured.
const ADMITTED_SHOWS_AFTER: Duration = Duration::from_secs(5);
/// Between two groups that come back.
const RECALL_INTERVAL: Duration = Duration::from_secs(2);
/// Of those away, at once.
const RECALL_SHARE: usize = 10;
/// A batch that takes this long is the most that viewers shall wait for.
const TURN_MAX: Duration = Duration::from_millis(50);
/// A worker that does less is not what they wait for: something else has the core.
const BUSY: f64 = 0.5;
/// Of the viewers, who go at once where only their waiting says that there are too many.
const SHED_WHILE_WAITING: f64 = 0.25;
/// What a viewer is thought to need while nothing is known, bit/s.
const VIEWER_BPS: f64 = 2_500_000.0;

/// What the media plane has done in a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    pub(crate) sent_bps: f64,
    /// Of the busiest worker's core, 0..=1.
    pub(crate) busiest: f64,
    /// The longest that a batch took, from its arrival until all viewers had it.
    pub(crate) slowest_turn: Duration,
}

impl Usage {
    /// What all workers did between two looks; `None` while no worker has anything new to show.
    pub(crate) fn between(before: &[WorkerSnapshot], after: &[WorkerSnapshot]) -> Option<Self> {
        let mut usage = Self { sent_bps: 0.0, busiest: 0.0, slowest_turn: Duration::ZERO };
        let mut is_new = false;
        for (before, after) in before.iter().zip(after) {
            let took = after.up.saturating_sub(before.up).as_secs_f64();
            if took > 0.0 {
                is_new = true;
                let sent = |snapshot: &WorkerSnapshot| snapshot.counters.bytes_forwarded + snapshot.counters.padding_bytes;
                usage.sent_bps += sent(after).saturating_sub(sent(before)) as f64 * 8.0 / took;
                usage.busiest = usage.busiest.max(after.cpu.saturating_sub(before.cpu).as_secs_f64() / took);
                usage.slowest_turn = usage.slowest_turn.max(after.slowest_turn);
            }
        }
        is_new.then_some(usage)
    }
}

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Audience {
    /// Whom the node sends media, players without a session among them.
    pub(crate) viewers: usize,
    /// Of them, those who can make room.
    pub(crate) movable: usize,
    /// Those who were asked to go and have not been asked back.
    pub(crate) away: usize,
    /// What one of these would be sent; 0: not known.
    pub(crate) bps: u32,
}

/// What to do about the audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// So many viewers shall go to the other transport.
    Shed(usize),
    /// So many who were sent away may come back.
    Recall(usize),
}

/// What a broadcast sends each viewer, as far as that is known.
fn known(bps: u32) -> f64 {
    if bps == 0 { VIEWER_BPS } else { f64::from(bps) }
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Headroom {
    egress_max_bps: Option<f64>,
    usage: Option<Usage>,
    /// Of newcomers that do not show yet.
    admitted: VecDeque<Instant>,
    high_since: Option<Instant>,
    low_since: Option<Instant>,
    quiet_until: Option<Instant>,
}

impl Headroom {
    pub(crate) fn new(egress_max_bps: Option<u64>) -> Self {
        Self {
            egress_max_bps: egress_max_bps.map(|max| max as f64),
            usage: None,
            admitted: VecDeque::new(),
            high_since: None,
            low_since: None,
            quiet_until: None,
        }
    }

    /// In use as last measured, 0..; 1 is everything.
    pub(crate) fn in_use(&self) -> f64 {
        self.taken_with(0, 0, 0).max(self.waits())
    }

    /// What viewers take, and would take if there were so many more of them, each sent up to `bps` or as much as the `viewers` who are there. A core
    /// that does little does it for others: publishers, handshakes, the room itself.
    fn taken_with(&self, more: usize, bps: u32, viewers: usize) -> f64 {
        let Some(Usage { sent_bps, busiest, .. }) = self.usage else {
            return self.egress_max_bps.map_or(0.0, |max| more as f64 * known(bps) / max);
        };
        let share = |of: f64| if viewers == 0 { 0.0 } else { of / viewers as f64 };
        let egress = self.egress_max_bps.map_or(0.0, |max| (sent_bps + more as f64 * known(bps).max(share(sent_bps))) / max);
        let core = if busiest < BUSY { busiest } else { busiest + more as f64 * share(busiest) };
        egress.max(core)
    }

    /// How long viewers wait, of what they may.
    fn waits(&self) -> f64 {
        let busy = self.usage.filter(|usage| usage.busiest >= BUSY);
        busy.map_or(0.0, |usage| usage.slowest_turn.as_secs_f64() / TURN_MAX.as_secs_f64())
    }

    /// Whether one more viewer, who is sent up to `bps`, is one too many. `viewers` are those there now.
    pub(crate) fn is_full_for(&mut self, now: Instant, bps: u32, viewers: usize) -> bool {
        while self.admitted.front().is_some_and(|at| now.saturating_duration_since(*at) > ADMITTED_SHOWS_AFTER) {
            self.admitted.pop_front();
        }
        let shown = viewers.saturating_sub(self.admitted.len());
        self.taken_with(self.admitted.len() + 1, bps, shown).max(self.waits()) > HIGH
    }

    /// One more viewer was let in.
    pub(crate) fn admitted(&mut self, now: Instant) {
        self.admitted.push_back(now);
    }

    /// Told once a second what `audience` took.
    pub(crate) fn handle_usage(&mut self, now: Instant, usage: Usage, audience: Audience) -> Option<Wish> {
        let Audience { viewers, movable, away, bps } = audience;
        self.usage = Some(usage);
        let in_use = self.in_use();
        self.high_since = (in_use > HIGH).then(|| self.high_since.unwrap_or(now));
        self.low_since = (in_use < LOW).then(|| self.low_since.unwrap_or(now));
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let lasts = |since: Option<Instant>, long: Duration| since.is_some_and(|since| now.saturating_duration_since(since) >= long);
        if lasts(self.high_since, HIGH_FOR) && movable > 0 {
            self.quiet_until = Some(now + SETTLED_AFTER);
            // How long they wait does not tell how many are too many.
            let taken = self.taken_with(0, 0, 0);
            let share = if taken > HIGH { 1.0 - AIM / taken } else { SHED_WHILE_WAITING };
            let too_many = (viewers as f64 * share).ceil() as usize;
            return Some(Wish::Shed(too_many.clamp(1, movable)));
        }
        if lasts(self.low_since, LOW_FOR) && away > 0 {
            let come = (1..=away.div_ceil(RECALL_SHARE)).take_while(|come| self.taken_with(*come, bps, viewers) <= AIM).count();
            if come > 0 {
                self.quiet_until = Some(now + RECALL_INTERVAL);
                return Some(Wish::Recall(come));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBPS: f64 = 1e6;

    fn sending(mbps: f64) -> Usage {
        Usage { sent_bps: mbps * MBPS, busiest: 0.1, slowest_turn: Duration::ZERO }
    }

    fn audience(viewers: usize, away: usize) -> Audience {
        Audience { viewers, movable: viewers, away, bps: 2_500_000 }
    }

    /// A node that may send 50 Mbit/s, and its clock.
    fn node() -> (Headroom, Instant) {
        (Headroom::new(Some(50_000_000)), crate::signaling::now::Now::read().instant)
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_tail_goes_once_it_is_too_much_for_a_while_and_no_more_until_that_shows() {
        let (mut node, start) = node();
        assert_eq!(node.handle_usage(at(start, 0), sending(49.0), audience(20, 0)), None, "a moment is nothing");
        assert_eq!(node.handle_usage(at(start, 1), sending(30.0), audience(20, 0)), None);
        assert_eq!(node.handle_usage(at(start, 2), sending(50.0), audience(20, 0)), None);
        assert_eq!(node.handle_usage(at(start, 3), sending(50.0), audience(20, 0)), None);
        assert_eq!(node.handle_usage(at(start, 4), sending(50.0), audience(20, 0)), Some(Wish::Shed(5)), "three quarters are left");
        for second in 5..9 {
            assert_eq!(node.handle_usage(at(start, second), sending(50.0), audience(15, 5)), None, "they are on their way");
        }
        assert!(matches!(node.handle_usage(at(start, 9), sending(50.0), audience(15, 5)), Some(Wish::Shed(_))));
    }

    #[test]
    fn they_come_back_a_few_at_a_time_and_only_as_many_as_fit() {
        let (mut node, start) = node();
        let mut viewers = 6;
        let mut away = 24;
        let mut came = Vec::new();
        for second in 0..60 {
            let usage = sending(2.5 * viewers as f64);
            match node.handle_usage(at(start, second), usage, audience(viewers, away)) {
                Some(Wish::Recall(count)) => {
                    came.push((second, count));
                    viewers += count;
                    away -= count;
                }
                None => {}
                Some(wish) => panic!("{wish:?}"),
            }
        }
        assert_eq!(came.first(), Some(&(5, 3)));
        assert!(viewers as f64 * 2.5 <= 50.0 * AIM, "{viewers}");
        assert!(viewers >= 13, "{viewers}");
    }

    #[test]
    fn newcomers_count_before_they_show() {
        let (mut node, start) = node();
        node.handle_usage(start, sending(0.1), audience(0, 0));
        let mut viewers = 0;
        while !node.is_full_for(start, 2_500_000, viewers) {
            node.admitted(start);
            viewers += 1;
            assert!(viewers < 30);
        }
        assert_eq!(viewers, 16, "of thirty who come at once, as many as fit");
        assert!(!node.is_full_for(at(start, 6), 2_500_000, viewers), "later the measure counts");
    }

    #[test]
    fn a_busy_core_counts_and_a_slow_one_only_when_it_is_ours_that_is_busy() {
        let (mut node, _) = node();
        let in_use = |node: &mut Headroom, busiest, turn_ms| {
            node.usage = Some(Usage { sent_bps: 0.0, busiest, slowest_turn: Duration::from_millis(turn_ms) });
            node.in_use()
        };
        assert!(in_use(&mut node, 0.9, 1) > HIGH);
        assert!(in_use(&mut node, 0.6, 60) > HIGH);
        assert!(in_use(&mut node, 0.1, 400) < LOW, "others have the core");
    }

    #[test]
    fn what_a_core_does_for_others_is_not_put_down_to_the_first_viewers() {
        let (_, start) = node();
        let mut node = Headroom::new(None);
        let usage = |busiest, turn_ms| Usage { sent_bps: 1e6, busiest, slowest_turn: Duration::from_millis(turn_ms) };
        node.handle_usage(start, usage(0.3, 1), audience(1, 0));
        for viewers in 1..11 {
            assert!(!node.is_full_for(start, 2_500_000, viewers), "{viewers}");
            node.admitted(start);
        }
        node.handle_usage(start, usage(0.8, 1), audience(80, 0));
        assert!(node.is_full_for(at(start, 6), 2_500_000, 8), "each of them a tenth of a core");
    }

    #[test]
    fn waiting_alone_sends_a_part_away_and_not_nearly_all() {
        let (mut node, start) = node();
        let slow = Usage { sent_bps: 0.0, busiest: 0.6, slowest_turn: Duration::from_millis(500) };
        node.handle_usage(start, slow, audience(100, 0));
        assert_eq!(node.handle_usage(at(start, 2), slow, audience(100, 0)), Some(Wish::Shed(25)));
        let few = Audience { movable: 7, ..audience(100, 0) };
        assert_eq!(node.handle_usage(at(start, 8), slow, few), Some(Wish::Shed(7)), "of those who can");
    }

    #[test]
    fn without_a_bound_the_core_alone_decides() {
        let (_, start) = node();
        let mut node = Headroom::new(None);
        assert!(!node.is_full_for(start, 2_500_000, 5000));
        assert_eq!(node.handle_usage(start, sending(9000.0), audience(1000, 0)), None);
        assert!(!node.is_full_for(start, 2_500_000, 1000));
    }
}
