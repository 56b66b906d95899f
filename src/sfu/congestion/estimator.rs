//! What the path to one viewer carries, from transport-wide feedback.
//!
//! The question is not "does the delay grow" but "does a queue **stand**": over 300 ms the queue behind a bottleneck that can keep up is
//! empty at least once (the idea of CoDel, RFC 8289 section 3). When it stands, the estimate becomes a little less than what came through
//! while the queue was there, which is the rate of the bottleneck, not the rate that happened to be sent. Loss counts only together with a
//! queue: wireless links lose packets at any rate. Growth is bounded by what was delivered; more than that must be proved by a probe
//! (`probe.rs`).
//!
//! ```text
//!             queue stands longer than we are patient            drained, 1 s later
//!   growing ──────────────────────────────────────────▶ reduced ───────────────────▶ growing
//!      ▲                                                   │ does not drain although we gave way
//!      └──────────────── patience grown ◀──────────────────┘ (somebody else's queue)
//! ```

use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::history::Reported;
use super::probe::Measured;
use super::{Demand, UP_MARGIN};

/// Before anything is known: enough for the smallest layer and sound.
const START_BPS: f64 = 300_000.0;
/// Never less: sound alone must stay possible.
const FLOOR_BPS: f64 = 80_000.0;
/// A queue that stands longer than this is ours to drain, when we send the top layer ...
const QUEUE_TOP_US: u32 = 25_000;
/// ... and so much more when we send next to nothing of it: of viewers that share a bottleneck the one with the most gives way first. Who is sent
/// faces has much to give, however little that is of all the faces there are: taken for small, it would fill the path to the brim with them and
/// wait there for others.
const QUEUE_LOW_EXTRA_US: f64 = 40_000.0;
/// So patient we become at most beside somebody who keeps the queue full.
const QUEUE_PATIENT_MAX_US: u32 = 400_000;
/// A queue this long is acted upon after a third of the time.
const QUEUE_ALARMING_US: u32 = 80_000;
/// Below this, nothing is waiting that matters.
const QUEUE_SMALL_US: u32 = 10_000;
/// A queue of anybody's rises and falls by more than this within the time it takes to be called standing.
const QUEUE_STILL_US: u32 = 4_000;
const STANDING_MS: u32 = 300;
const STANDING_SHORT_MS: u32 = 100;
/// What came through while a queue stood, times this, drains it.
const BACK_OFF: f64 = 0.87;
const BACK_OFF_LOSS: f64 = 0.9;
/// Growth a second, while nothing speaks against it.
const GROWTH_PER_S: f64 = 0.08;
/// Growth ends at this multiple of what was delivered.
const GROWTH_OF_DELIVERED: f64 = 1.5;
/// What a probe proved holds this long without being used.
const PROOF_KEPT: Duration = Duration::from_secs(3);
/// After giving way, nothing grows and nothing is probed for this long.
const AFTER_REDUCTION: Duration = Duration::from_secs(1);
/// A path that was full is taken to be so for this long.
const FULL_FOR: Duration = Duration::from_secs(10);
/// A one-way delay that jumps by more than this is a clock that was set.
const CLOCK_STEP_US: i32 = 5_000_000;
/// A small flow that gets through leaves it to others for this long to give way.
const OTHERS_TIME: Duration = Duration::from_secs(6);
/// The least delay is forgotten after one to two of these: routes change, clocks drift.
const BASELINE_KEPT: Duration = Duration::from_secs(10);
/// Without feedback for this long while sending, the estimate is halved each second.
const SILENCE: Duration = Duration::from_secs(2);

/// Estimates from arrivals. Rates are bits per second on the wire, without UDP and IP headers.
#[derive(Debug)]
pub(super) struct Estimator {
    estimate_bps: f64,
    arrivals: Arrivals,
    baseline: Baseline,
    loss: LossWindow,
    delivered_bps: f64,
    /// The most delivered lately, and since when that is remembered.
    peak: (f64, Option<Instant>),
    standing_us: u32,
    /// The queue of the last 100 ms at the previous feedback: whether it drains.
    short_us: u32,
    /// Standing queue that is tolerated.
    patience_us: u32,
    congested_since: Option<Instant>,
    reduced_at: Option<Instant>,
    /// The queue at the last reduction, and by what factor the estimate fell.
    reduction: (u32, f64),
    proven: Option<(Instant, f64)>,
    feedback_at: Option<Instant>,
    /// From sending a packet to reading about it.
    feedback_delay: Duration,
}

/// The least one-way delay seen: the path without a queue. Its absolute value means nothing.
#[derive(Debug, Default)]
struct Baseline {
    /// All delays are kept relative to the first one, so that they never wrap.
    origin: Option<u32>,
    /// Of the present period and the one before.
    least: [Option<i32>; 2],
    since: Option<Instant>,
}

/// Loss over at least a second and forty packets.
#[derive(Debug, Default)]
struct LossWindow {
    since: Option<Instant>,
    received: u32,
    missing: u32,
    fraction: f64,
}

impl Estimator {
    pub(super) fn new() -> Self {
        Self {
            estimate_bps: START_BPS,
            arrivals: Arrivals::new(),
            baseline: Baseline::default(),
            loss: LossWindow::default(),
            delivered_bps: 0.0,
            peak: (0.0, None),
            standing_us: 0,
            short_us: 0,
            patience_us: QUEUE_TOP_US,
            congested_since: None,
            reduced_at: None,
            reduction: (0, 1.0),
            proven: None,
            feedback_at: None,
            feedback_delay: Duration::from_millis(100),
        }
    }

    pub(super) fn estimate_bps(&self) -> f64 {
        self.estimate_bps
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss.fraction
    }

    pub(super) fn standing_queue(&self) -> Duration {
        Duration::from_micros(u64::from(self.standing_us))
    }

    /// It has had to give way at least once.
    pub(super) fn has_reduced(&self) -> bool {
        self.reduced_at.is_some()
    }

    /// It has had to give way within the last [`FULL_FOR`].
    pub(super) fn has_reduced_lately(&self, now: Instant) -> bool {
        elapsed(now, self.reduced_at) < FULL_FOR
    }

    /// What arrived lately.
    pub(super) fn delivered_bps(&self) -> f64 {
        self.delivered_bps
    }

    pub(super) fn has_feedback(&self) -> bool {
        self.feedback_at.is_some()
    }

    /// What may be climbed to: proved by a recent probe, or delivered as it is.
    pub(super) fn proven_bps(&self, now: Instant) -> f64 {
        let proven = self.proven.filter(|(at, _)| now.saturating_duration_since(*at) < PROOF_KEPT).map_or(0.0, |(_, bps)| bps);
        proven.max(self.delivered_bps).min(self.estimate_bps)
    }

    /// Whether more traffic now would tell something and harm nobody. A delay that does not vary is a route that has become longer, not a queue.
    pub(super) fn allows_probe(&self, now: Instant) -> bool {
        let is_still = self.arrivals.queue_varies_by(STANDING_MS).is_some_and(|us| us < QUEUE_STILL_US);
        let queue_max_us = if is_still { self.patience_us } else { QUEUE_SMALL_US.max(self.patience_us / 2) };
        let heard = self.feedback_at.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_millis(300));
        heard && self.standing_us < queue_max_us && elapsed(now, self.reduced_at) > AFTER_REDUCTION && self.loss.fraction < 0.25
    }

    /// Gives a rate the benefit of the doubt, because the viewer asked for it; not where it just failed.
    pub(super) fn presume(&mut self, now: Instant, bps: f64) {
        if !self.has_reduced_lately(now) {
            self.try_out(now, bps);
        }
    }

    /// Gives a rate the benefit of the doubt: where nothing can be probed there is no other way to learn.
    pub(super) fn try_out(&mut self, now: Instant, bps: f64) {
        if self.estimate_bps < bps {
            self.estimate_bps = bps;
            self.proven = Some((now, bps));
        }
    }

    /// Delays of another path mean nothing any more.
    pub(super) fn handle_path_change(&mut self) {
        self.arrivals.clear();
        self.baseline = Baseline::default();
        (self.standing_us, self.short_us, self.congested_since) = (0, 0, None);
    }

    /// A packet was received. Returns its queueing delay, µs.
    pub(super) fn handle_received(&mut self, now: Instant, packet: Reported, received_us: u32, is_probe: bool) -> u32 {
        if packet.was_missing {
            self.loss.missing = self.loss.missing.saturating_sub(1);
        }
        self.loss.received += 1;
        let delay = received_us.wrapping_sub(packet.sent_us);
        let queue_us = self.baseline.queue_us(now, delay).unwrap_or_else(|| {
            self.arrivals.clear();
            0
        });
        self.arrivals.add(received_us, packet.bytes, queue_us, is_probe);
        queue_us
    }

    pub(super) fn handle_missing(&mut self) {
        self.loss.missing += 1;
    }

    /// A whole feedback was taken in; `delay` is the age of the newest packet it called received, `None` when it had none.
    pub(super) fn handle_feedback(&mut self, now: Instant, delay: Option<Duration>, demand: &Demand, probing: bool) {
        let Some(delay) = delay else { return };
        let since_last = self.feedback_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)).min(Duration::from_secs(1));
        self.feedback_at = Some(now);
        // What we begin with is believed for as long as a proof is.
        self.proven.get_or_insert((now, self.estimate_bps));
        self.feedback_delay = delay;
        if let Some(delivered) = self.arrivals.delivered_bps() {
            self.delivered_bps = delivered;
        }
        if self.delivered_bps > self.peak.0 || elapsed(now, self.peak.1) > Duration::from_secs(2) {
            self.peak = (self.delivered_bps, Some(now));
        }
        self.loss.roll(now);
        let Some(standing) = self.arrivals.standing(STANDING_MS) else { return };
        // So few packets say little.
        self.standing_us = if standing.packets < 3 { standing.queue_us.min(self.standing_us) } else { standing.queue_us };
        let short = self.arrivals.standing(STANDING_SHORT_MS);
        let short_us = short.map_or(self.standing_us, |short| short.queue_us);
        let drains = short_us.saturating_add(2_000) < self.short_us;
        self.short_us = short_us;

        let patience_us = self.renew_patience(demand);
        let alarming = short.is_some_and(|short| short.packets >= 2 && short.queue_us > QUEUE_ALARMING_US.max(2 * self.patience_us));
        if self.standing_us > self.patience_us || alarming {
            let queue_us = if alarming { short_us.max(self.standing_us) } else { self.standing_us };
            self.handle_congestion(now, queue_us, drains, demand, probing);
        } else {
            self.congested_since = None;
            self.grow(now, since_last, patience_us, demand);
        }
        let queued_loss = self.loss.fraction > 0.03 && self.standing_us > QUEUE_SMALL_US;
        if (queued_loss || self.loss.fraction > 0.25) && elapsed(now, self.reduced_at) > Duration::from_millis(500) {
            self.reduce(now, BACK_OFF_LOSS, self.standing_us);
            self.loss.fraction = 0.0;
        }
    }

    /// The patience we come back to at this layer, µs.
    fn renew_patience(&mut self, demand: &Demand) -> u32 {
        let share = if demand.has_faces { 1.0 } else { (f64::from(demand.current_bps) / f64::from(demand.top_bps.max(1))).min(1.0) };
        let patience_us = QUEUE_TOP_US + (QUEUE_LOW_EXTRA_US * (1.0 - share)) as u32;
        if self.patience_us < patience_us * 3 / 2 {
            self.patience_us = patience_us;
        }
        patience_us
    }

    fn handle_congestion(&mut self, now: Instant, queue_us: u32, drains: bool, demand: &Demand, probing: bool) {
        let since = *self.congested_since.get_or_insert(now);
        let lasted = now.saturating_duration_since(since);
        let since_reduction = elapsed(now, self.reduced_at);
        if since_reduction <= self.feedback_delay.max(Duration::from_millis(100)) + Duration::from_millis(100) {
            return;
        }
        let gets_through = self.gets_through(demand);
        // At a low layer: whoever sends more gives way first.
        if gets_through.is_some_and(|through| lasted < Duration::from_millis(700) && through > 0.8) {
            return;
        }
        let unhindered = gets_through.is_some_and(|through| through > 0.9 && self.loss.fraction < 0.05);
        if unhindered && lasted < OTHERS_TIME {
            return;
        }
        // We gave way, and the queue is still there; or we are small, come through, and nobody else gave way: it is not ours. Being the
        // only one to retreat would be no use to anybody.
        let no_use = !drains && lasted > Duration::from_millis(2500) && since_reduction < Duration::from_secs(5);
        let gave_much = self.reduction.1 > 1.7
            && since_reduction > Duration::from_secs(1)
            && since_reduction < Duration::from_secs(3)
            && self.short_us > self.reduction.0 / 10 * 8;
        if no_use || gave_much || unhindered {
            self.patience_us = (queue_us / 10 * 13).clamp(QUEUE_TOP_US, QUEUE_PATIENT_MAX_US);
            self.congested_since = None;
            self.reduction.1 = 1.0;
        } else if (!drains || since_reduction > Duration::from_millis(2500)) && !(probing && queue_us < 40_000) {
            self.reduce(now, BACK_OFF, queue_us);
        }
    }

    /// The part of what is sent that comes through; `None` for who has much to give.
    fn gets_through(&self, demand: &Demand) -> Option<f64> {
        let current = f64::from(demand.current_bps);
        let through = self.arrivals.busy_bps().unwrap_or(self.delivered_bps);
        (!demand.has_faces && current < 0.5 * f64::from(demand.top_bps)).then(|| through / current.max(1.0))
    }

    fn reduce(&mut self, now: Instant, factor: f64, queue_us: u32) {
        let before = self.estimate_bps;
        let through = self.arrivals.busy_bps().unwrap_or(self.delivered_bps).max(FLOOR_BPS);
        self.estimate_bps = (through * factor).min(before * 0.97).max(FLOOR_BPS);
        self.reduced_at = Some(now);
        self.reduction = (queue_us, before / self.estimate_bps);
        self.proven = self.proven.map(|(at, bps)| (at, bps.min(self.estimate_bps)));
    }

    fn grow(&mut self, now: Instant, since_last: Duration, patience_us: u32, demand: &Demand) {
        if self.standing_us < self.patience_us / 2 {
            let surplus = f64::from(self.patience_us.saturating_sub(patience_us));
            self.patience_us -= (surplus * 0.15 * since_last.as_secs_f64()) as u32;
        }
        // What arrives without a queue is the least that the path carries.
        if self.standing_us < QUEUE_SMALL_US {
            self.estimate_bps = self.estimate_bps.max(self.delivered_bps * 0.95);
        }
        if elapsed(now, self.reduced_at) > AFTER_REDUCTION {
            let grown = self.estimate_bps * (1.0 + GROWTH_PER_S * since_last.as_secs_f64());
            let bound = (self.peak.0 * GROWTH_OF_DELIVERED).min(f64::from(demand.top_bps) * UP_MARGIN);
            if grown < bound {
                self.estimate_bps = grown;
            }
        }
    }

    /// A probe that found at least this much.
    pub(super) fn handle_proof(&mut self, now: Instant, bps: f64) {
        self.estimate_bps = self.estimate_bps.max(bps);
        self.proven = Some((now, bps));
    }

    /// A probe that found less than what was wanted.
    pub(super) fn handle_shortfall(&mut self, now: Instant, measured: Measured, wanted_bps: f64) {
        let found = measured.bps.min(wanted_bps * 0.98);
        self.estimate_bps = self.estimate_bps.max(found).min(measured.bps.max(self.delivered_bps)).max(FLOOR_BPS);
        self.proven = Some((now, found));
    }

    /// What time alone changes: silence and old proofs. `sending` says whether packets left within the last second. Returns whether the
    /// estimate was reduced for want of feedback.
    pub(super) fn handle_tick(&mut self, now: Instant, sending: bool, demand: &Demand) -> bool {
        let Some(heard) = self.feedback_at else { return false };
        let silent = now.saturating_duration_since(heard);
        let given_up = silent > SILENCE && sending && elapsed(now, self.reduced_at) > Duration::from_secs(1);
        if given_up {
            self.estimate_bps = (self.estimate_bps * 0.5).max(FLOOR_BPS);
            self.reduced_at = Some(now);
        }
        let proof_is_old = self.proven.is_none_or(|(at, _)| now.saturating_duration_since(at) > PROOF_KEPT);
        let bound = GROWTH_OF_DELIVERED * self.peak.0 + 30_000.0;
        if proof_is_old && self.estimate_bps > bound && silent < Duration::from_millis(400) {
            self.estimate_bps = bound.max(f64::from(demand.current_bps).min(self.estimate_bps));
        }
        given_up
    }
}

impl Baseline {
    /// How long a packet with this one-way delay had queued; `None` when the clock was set, and everything begins anew.
    fn queue_us(&mut self, now: Instant, delay: u32) -> Option<u32> {
        let origin = *self.origin.get_or_insert(delay);
        let delay_us = delay.wrapping_sub(origin) as i32;
        if elapsed(now, self.since) > BASELINE_KEPT {
            self.least = [None, self.least[0]];
            self.since = Some(now);
        }
        if self.least.iter().flatten().any(|least| (delay_us.wrapping_sub(*least)).abs() > CLOCK_STEP_US) {
            *self = Self { origin: Some(delay), least: [Some(0), None], since: Some(now) };
            return None;
        }
        let least = self.least[0].map_or(delay_us, |least| least.min(delay_us));
        self.least[0] = Some(least);
        Some(delay_us.wrapping_sub(self.least[1].map_or(least, |before| before.min(least))) as u32)
    }
}

impl LossWindow {
    const SPAN: Duration = Duration::from_secs(1);
    const PACKETS_MIN: u32 = 40;

    fn roll(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let packets = self.received + self.missing;
        if now.saturating_duration_since(since) > Self::SPAN && packets >= Self::PACKETS_MIN {
            *self = Self { since: Some(now), fraction: f64::from(self.missing) / f64::from(packets), ..Self::default() };
        }
    }
}

/// Since a moment; very long when it never was.
pub(super) fn elapsed(now: Instant, since: Option<Instant>) -> Duration {
    since.map_or(Duration::MAX, |since| now.saturating_duration_since(since))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    /// The estimate before and after 2 s in which everything comes through behind a queue of 100 ms that does not drain, when 2 Mbit/s are sent.
    fn behind_a_standing_queue(demand: &Demand) -> [f64; 2] {
        let (begun, mut estimator) = (Instant::now(), Estimator::new());
        let mut before = 0.0;
        for number in 0..750_u64 {
            let sent_us = number as u32 * 4_000;
            let delay_us = if number < 250 { 20_000 } else { 120_000 };
            let now = begun + Duration::from_micros(u64::from(sent_us + delay_us));
            let packet = Reported { number, sent_us, bytes: 1_000, was_missing: false };
            estimator.handle_received(now, packet, sent_us + delay_us, false);
            if number % 12 == 0 {
                estimator.handle_feedback(now, Some(Duration::from_micros(delay_us.into())), demand, false);
            }
            if number == 249 {
                before = estimator.estimate_bps();
            }
        }
        [before, estimator.estimate_bps()]
    }

    #[test]
    fn who_sends_a_small_part_of_what_is_wanted_leaves_it_to_others_to_drain_a_queue_but_not_with_faces_to_give() {
        let alone = Demand { current_bps: 2_000_000, next_bps: None, top_bps: 10_000_000, has_faces: false, lacks: false };
        let [before, after] = behind_a_standing_queue(&alone);
        assert!(before > 1_800_000.0 && after >= before * 0.95, "{before} then {after}");
        let [before, after] = behind_a_standing_queue(&Demand { has_faces: true, ..alone });
        assert!(before > 1_800_000.0 && after < before * 0.9, "{before} then {after}");
    }
}
