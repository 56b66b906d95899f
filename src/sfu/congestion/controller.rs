//! One viewer's congestion controller: estimator and prober, and what is known without them.

use std::time::{Duration, Instant};

use super::easing::Easing;
use super::estimator::Estimator;
use super::history::SentPackets;
use super::probe::{Cluster, Finished, Probe, Stage};
use super::reported::ReportedPath;
use super::shared_path::SharedPath;
use super::{Budget, Demand, UP_MARGIN};

/// After a probe that failed; doubled each time.
const PROBE_WAIT_MIN: Duration = Duration::from_secs(2);
const PROBE_WAIT_MAX: Duration = Duration::from_secs(4);
/// After a probe that told nothing, so many times in a row: on Wi-Fi packets come in heaps, and the next one may not.
const PROBE_WAIT_UNCLEAR: Duration = Duration::from_millis(500);
const UNCLEAR_MAX: u8 = 4;
/// After a proof, which is used or not within this time.
const PROBE_WAIT_PROVEN: Duration = Duration::from_millis(500);
/// Padding may be this part of what is sent, saved up to `PADDING_SAVED_MAX` bytes; a newcomer has `PADDING_AT_START`.
const PADDING_SHARE: f64 = 0.007;
/// While a picture that is wanted is not sent at all: its viewer sees nothing of somebody, perhaps for want of a few thousand bytes.
const PADDING_SHARE_LACKING: f64 = 0.03;
const PADDING_SAVED_MAX: f64 = 48_000.0;
const PADDING_AT_START: f64 = 16_000.0;
/// Whoever had to give way has at least this much: the way back should not take longer for the lower layer's lower rate.
const PADDING_AFTER_REDUCTION: f64 = 8_000.0;
/// A step of more than this is confirmed by a long cluster.
const BIG_STEP: f64 = 1.6;
/// So much more at once is a climb, not a layer whose rate varies.
const CLIMB_MIN: f64 = 1.5;
/// A long cluster that leaves a longer queue behind took more than there is.
const LONG_QUEUE_MAX_US: i64 = 8_000;

/// The state of the path in words for statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathReport {
    /// 0..1 over about the last second.
    pub loss: f32,
    pub standing_queue_ms: f32,
    /// What the allocator may use.
    pub estimate_bps: Option<u32>,
    pub rtt_ms: Option<f32>,
}

/// Congestion control of one viewer.
#[derive(Debug)]
pub struct Controller {
    estimator: Estimator,
    reported: ReportedPath,
    easing: Easing,
    /// More was asked for by hand since the demand was last set.
    presumed: bool,
    demand: Demand,
    probe: Option<Probe>,
    /// The step the probe tries, bits per second.
    probe_step_bps: f64,
    probe_at: Option<Instant>,
    probe_wait: Duration,
    long_next: bool,
    /// What the last probe found, when it was too little.
    found_bps: Option<f64>,
    /// Probes in a row that told nothing.
    unclear: u8,
    /// No probe has told anything yet: the first one goes for the top.
    is_new: bool,
    rtt_ms: Option<f32>,
    probes: u32,
    /// Bytes of padding we may send.
    padding: f64,
    /// Of the present probe: given back, a few times, when it tells nothing.
    probe_padding: f64,
    /// Bytes sent when that was last counted.
    counted: u64,
    /// What can fill up a probe is being sent.
    has_padding: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            estimator: Estimator::new(),
            reported: ReportedPath::default(),
            easing: Easing::new(),
            presumed: false,
            demand: Demand::default(),
            probe: None,
            probe_step_bps: 0.0,
            probe_at: None,
            probe_wait: PROBE_WAIT_MIN,
            long_next: false,
            found_bps: None,
            unclear: 0,
            is_new: true,
            rtt_ms: None,
            probes: 0,
            padding: PADDING_AT_START,
            probe_padding: 0.0,
            counted: 0,
            has_padding: true,
        }
    }
}

impl Controller {
    /// What may be sent now.
    pub fn budget(&self, now: Instant) -> Budget {
        if self.estimator.has_feedback() {
            let estimator = &self.estimator;
            let measured = Budget {
                estimate_bps: estimator.estimate_bps(),
                proven_bps: estimator.proven_bps(now),
                is_full: estimator.has_reduced_lately(now),
            };
            if self.has_padding || measured.estimate_bps < f64::from(self.demand.current_bps) {
                return measured;
            }
            // Nothing can be sent to find out what else would fit: that is tried, as where nothing is measured.
            let tried = self.reported.budget(now, &self.demand);
            Budget {
                estimate_bps: measured.estimate_bps.max(tried.estimate_bps),
                proven_bps: measured.proven_bps.max(tried.proven_bps),
                is_full: true,
            }
        } else {
            self.reported.budget(now, &self.demand)
        }
    }

    /// For statistics.
    pub fn report(&self) -> PathReport {
        let (measured, remb) = (self.estimator.has_feedback(), self.reported.remb_bps());
        PathReport {
            loss: if measured { self.estimator.loss() as f32 } else { self.reported.loss() as f32 },
            standing_queue_ms: self.estimator.standing_queue().as_secs_f32() * 1000.0,
            estimate_bps: if measured { Some(self.estimator.estimate_bps() as u32) } else { remb.map(|bps| bps as u32) },
            rtt_ms: self.rtt_ms,
        }
    }

    /// What the path is known to carry; `None` where it may well be more than anybody has asked of it.
    pub fn limit_bps(&self) -> Option<u32> {
        if !self.estimator.has_feedback() {
            return self.reported.remb_bps().map(|bps| bps as u32);
        }
        let estimate = self.estimator.estimate_bps();
        (!self.is_new && estimate < f64::from(self.demand.top_bps)).then_some(estimate as u32)
    }

    /// What is left of it beside everything that is sent; `None` as above.
    pub fn room_bps(&self) -> Option<u32> {
        self.limit_bps().map(|limit| limit.saturating_sub(self.demand.current_bps))
    }

    /// A cached group is being sent, faster than real time.
    pub fn handle_replay(&mut self, now: Instant) {
        self.easing.handle_replay(now);
    }

    /// How fast what is sent may leave, bits per second; zero: nothing is known yet.
    pub fn pacing_bps(&self) -> u32 {
        (f64::from(self.demand.current_bps) * self.easing.factor()) as u32
    }

    /// Everything wanted is sent and fits: until the estimate falls there is nothing to decide.
    pub fn is_settled(&self) -> bool {
        self.demand.next_bps.is_none() && self.estimator.estimate_bps() >= f64::from(self.demand.current_bps)
    }

    /// Probes begun so far.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    /// What the allocator made of the budget. `has_padding`: something of that can be sent again to fill up probes; sound alone would never prove room
    /// for a picture.
    pub fn set_demand(&mut self, now: Instant, demand: Demand, has_padding: bool, shared: &mut SharedPath) {
        if demand.current_bps != self.demand.current_bps {
            shared.handle_demand(self.demand.current_bps, demand.current_bps);
            let before = self.demand.current_bps;
            let [smaller, larger] = [before.min(demand.current_bps), before.max(demand.current_bps)].map(f64::from);
            if larger > smaller * CLIMB_MIN {
                self.reported.handle_change(now);
            }
            if !self.has_padding && before > 0 && demand.current_bps > before {
                // A try: what was measured so far is no argument against it.
                self.estimator.try_out(now, larger * UP_MARGIN);
            }
            if before == 0 && demand.next_bps.is_none() {
                self.easing.handle_all_at_once();
            }
            // Who asked for it by hand is not made to wait for it.
            if before > 0 && !self.presumed && f64::from(demand.current_bps) > f64::from(before) * CLIMB_MIN {
                self.easing.handle_climb(now);
            }
        }
        (self.demand, self.presumed, self.has_padding) = (demand, false, has_padding);
    }

    /// The viewer asks for as much as this: it is tried, unless it just failed.
    pub fn presume(&mut self, now: Instant, bps: f64) {
        self.presumed = true;
        self.estimator.presume(now, bps);
    }

    /// A report block (RFC 3550 section 6.4.1).
    pub fn handle_report_block(&mut self, now: Instant, fraction_lost: u8, rtt: Option<Duration>) {
        if let Some(rtt) = rtt {
            let sample = rtt.as_secs_f32() * 1000.0;
            self.rtt_ms = Some(self.rtt_ms.map_or(sample, |old| old * 0.8 + sample * 0.2));
        }
        self.reported.handle_loss(now, f64::from(fraction_lost) / 256.0);
    }

    pub fn handle_remb(&mut self, now: Instant, bitrate_bps: u64) {
        self.reported.handle_remb(now, bitrate_bps as f64);
    }

    /// Transport-wide feedback: for each packet its wire number and, if it arrived, the receiver's clock in units of 250 µs.
    pub fn handle_feedback(
        &mut self,
        now: Instant,
        sent: &mut SentPackets,
        packets: impl Iterator<Item = (u16, Option<i64>)>,
        shared: &mut SharedPath,
    ) {
        let mut newest = None;
        for (seq, arrival) in packets {
            let Some(ticks) = arrival else {
                if let Some(packet) = sent.take_missing(seq) {
                    self.estimator.handle_missing();
                    if let Some(probe) = self.probe.as_mut().filter(|probe| probe.contains(packet.number)) {
                        probe.handle_missing();
                    }
                }
                continue;
            };
            let Some(packet) = sent.take_received(seq) else { continue };
            // Modulo 2^32, of which the wrap of the 24-bit reference time (2^24 * 64 ms) is a multiple.
            let received_us = (ticks as u32).wrapping_mul(250);
            if let Some(probe) = &mut self.probe {
                probe.note_progress(packet.number);
            }
            let probe = self.probe.as_mut().filter(|probe| probe.contains(packet.number));
            let queue_us = self.estimator.handle_received(now, packet, received_us, probe.is_some());
            match probe {
                Some(probe) => probe.handle_received(packet, received_us, queue_us),
                None => self.easing.handle_received(queue_us),
            }
            newest = Some(packet.sent_us);
        }
        let delay = newest.map(|sent_us| sent.age(now, sent_us));
        let before = self.estimator.estimate_bps();
        self.estimator.handle_feedback(now, delay, &self.demand, self.probe.is_some());
        if self.estimator.estimate_bps() < before * 0.96 {
            self.handle_reduction(now, shared);
        }
        self.finish_probe(now, shared);
        let too_much = self.estimator.has_reduced() && self.estimator.estimate_bps() < f64::from(self.demand.current_bps);
        self.easing.handle_feedback(now, self.demand.next_bps.is_some() || too_much);
    }

    fn handle_reduction(&mut self, now: Instant, shared: &mut SharedPath) {
        self.long_next = false;
        self.padding = self.padding.max(PADDING_AFTER_REDUCTION);
        shared.handle_congestion(now, f64::from(self.demand.current_bps));
    }

    fn finish_probe(&mut self, now: Instant, shared: &mut SharedPath) {
        let Some(Finished { stage, measured }) = self.probe.as_ref().and_then(|probe| probe.finish(now)) else { return };
        let rate_bps = self.probe.take().map_or(0.0, |probe| probe.cluster.rate_bps);
        let wanted = self.demand.next_bps.map_or(f64::INFINITY, |next| f64::from(next) * UP_MARGIN);
        let first = self.is_new;
        self.is_new &= measured.is_none();
        self.long_next = false;
        self.unclear = if measured.is_some() { 0 } else { self.unclear.saturating_add(1) };
        let mut fits = None;
        match measured {
            Some(found) if let Stage::Feeler(before) = stage => {
                if found.bps > before * Stage::FELT || found.bps >= wanted {
                    self.found_bps = None;
                    self.probe_at = Some(now);
                } else {
                    fits = Some(false);
                    self.wait_longer(now);
                }
            }
            Some(found) if first => {
                fits = Some(found.bps >= wanted);
                self.estimator.handle_proof(now, found.bps);
                self.probe_at = Some(now + PROBE_WAIT_MIN);
            }
            Some(found) if found.bps >= wanted && !(stage == Stage::Long && found.queue_growth_us > LONG_QUEUE_MAX_US) => {
                fits = Some(true);
                if stage == Stage::Short && wanted > BIG_STEP * self.estimator.estimate_bps().max(self.estimator.delivered_bps()) {
                    self.long_next = true;
                    self.probe_at = Some(now);
                } else {
                    self.estimator.handle_proof(now, found.bps);
                    self.probe_wait = PROBE_WAIT_MIN;
                    self.found_bps = None;
                    self.probe_at = Some(now + PROBE_WAIT_PROVEN);
                }
            }
            Some(found) => {
                fits = Some(false);
                self.estimator.handle_shortfall(now, found, wanted);
                self.found_bps = Some(found.bps);
                self.wait_longer(now);
            }
            None if self.unclear < UNCLEAR_MAX => {
                self.probe_at = Some(now + PROBE_WAIT_UNCLEAR);
                self.padding += self.probe_padding;
            }
            None => self.probe_at = Some(now + self.probe_wait),
        }
        shared.handle_over(now, self.probe_step_bps, rate_bps, fits);
    }

    fn wait_longer(&mut self, now: Instant) {
        self.probe_at = Some(now + self.probe_wait);
        self.probe_wait = (self.probe_wait * 2).min(PROBE_WAIT_MAX);
    }

    /// Whether [`Self::handle_tick`] has anything to look after.
    pub fn needs_ticks(&self) -> bool {
        self.estimator.has_feedback() && (self.demand.next_bps.is_some() || self.probe.is_some())
    }

    /// What time alone brings: silence, old proofs, a new probe. Returns whether one begins: see [`Self::cluster`].
    pub fn handle_tick(&mut self, now: Instant, sent: &SentPackets, can_pad: bool, shared: &mut SharedPath) -> bool {
        let sending = sent.newest().is_some_and(|newest| now.saturating_duration_since(newest) < Duration::from_secs(1));
        if self.estimator.handle_tick(now, sending, &self.demand) {
            self.handle_reduction(now, shared);
        }
        self.finish_probe(now, shared);
        let Some(next) = self.demand.next_bps else { return false };
        let next = f64::from(next) * UP_MARGIN;
        let sent_bytes = sent.totals().1;
        let share = if self.demand.lacks { PADDING_SHARE_LACKING } else { PADDING_SHARE };
        self.padding = (self.padding + (sent_bytes - self.counted) as f64 * share).min(PADDING_SAVED_MAX);
        self.counted = sent_bytes;
        let due = self.probe_at.is_none_or(|at| at <= now) && (self.padding > 0.0 || self.long_next);
        if !can_pad || !due || self.probe.is_some() || self.estimator.proven_bps(now) >= next || !self.estimator.allows_probe(now) {
            return false;
        }
        let top = f64::from(self.demand.top_bps) * UP_MARGIN;
        let stage = if self.long_next { Stage::Long } else { self.found_bps.map_or(Stage::Short, Stage::Feeler) };
        // A newcomer asks at once for all it wants; where that was too much for a neighbour, for the next step.
        let found = [top, next]
            .into_iter()
            .skip(usize::from(!self.is_new))
            .map(|wanted| (wanted, Probe::new(now, wanted, stage, sent.totals())))
            .find(|(wanted, probe)| shared.allows(now, wanted - f64::from(self.demand.current_bps), probe.cluster.rate_bps));
        let Some((wanted, probe)) = found else { return false };
        let step_bps = wanted - f64::from(self.demand.current_bps);
        self.long_next = false;
        self.probe_step_bps = step_bps;
        self.probe_padding = 0.0;
        shared.handle_begun(probe.cluster.rate_bps);
        self.probes += 1;
        self.probe = Some(probe);
        true
    }

    /// The cluster being sent.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.probe.as_ref().filter(|probe| probe.is_sending()).map(|probe| &probe.cluster)
    }

    /// So much of it was padding.
    pub fn handle_padding_sent(&mut self, bytes: usize) {
        self.padding -= bytes as f64;
        self.probe_padding += bytes as f64;
    }

    /// All of the cluster has left.
    pub fn handle_cluster_sent(&mut self, sent: &SentPackets) {
        if let Some(probe) = &mut self.probe {
            probe.complete(sent.totals());
        }
    }

    /// The viewer is somewhere else: its new path is measured anew, from the rate it had.
    pub fn handle_path_change(&mut self) {
        self.estimator.handle_path_change();
        self.easing.handle_path_change();
        (self.is_new, self.found_bps, self.probe_at, self.probe_wait) = (true, None, None, PROBE_WAIT_MIN);
    }

    /// The viewer leaves its address.
    pub fn leave(&mut self, now: Instant, shared: &mut SharedPath) {
        shared.handle_demand(self.demand.current_bps, 0);
        self.demand = Demand::default();
        if let Some(probe) = self.probe.take() {
            shared.handle_over(now, self.probe_step_bps, probe.cluster.rate_bps, None);
        }
        shared.leave();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand { current_bps: 500_000, next_bps: Some(2_500_000), top_bps: 2_500_000, has_faces: false, lacks: false };

    #[test]
    fn feedback_takes_no_memory_and_a_viewer_little() {
        assert!(size_of::<Controller>() <= 1400, "{}", size_of::<Controller>());
        let mut now = Instant::now();
        let (mut controller, mut sent, mut shared) = (Controller::default(), SentPackets::default(), SharedPath::default());
        shared.join();
        sent.reserve(now, DEMAND.current_bps);
        controller.set_demand(now, DEMAND, true, &mut shared);
        let mut wire: u16 = 0;
        for round in 0..200 {
            let first = wire;
            for _ in 0..8 {
                now += Duration::from_millis(12);
                wire = sent.next(now).wrapping_add(1);
                sent.set_size(1000);
            }
            let packets = (0..8u16).map(|index| {
                let ticks = i64::from(round) * 384 + i64::from(index) * 48;
                (first.wrapping_add(index), (index != 3).then_some(ticks))
            });
            let measured = allocation_counter::measure(|| {
                controller.handle_feedback(now, &mut sent, packets, &mut shared);
                controller.handle_tick(now, &sent, true, &mut shared);
            });
            assert_eq!(measured.count_total, 0, "round {round}");
        }
        assert!(controller.report().loss > 0.1 && controller.probes() > 0);
    }

    #[test]
    fn what_cannot_be_probed_is_tried_after_a_clean_while_and_then_judged_by_its_own() {
        let sound = Demand { current_bps: 100_000, next_bps: Some(400_000), top_bps: 400_000, has_faces: false, lacks: false };
        let mut now = Instant::now();
        let (mut controller, mut sent, mut shared) = (Controller::default(), SentPackets::default(), SharedPath::default());
        shared.join();
        sent.reserve(now, sound.current_bps);
        controller.set_demand(now, sound, false, &mut shared);
        let mut step = |controller: &mut Controller, shared: &mut SharedPath, step: u16| {
            now += Duration::from_millis(20);
            let seq = sent.next(now);
            sent.set_size(250);
            controller.handle_feedback(now, &mut sent, [(seq, Some(i64::from(step) * 80))].into_iter(), shared);
            if step.is_multiple_of(50) {
                controller.handle_report_block(now, 0, None);
            }
            now
        };
        let wanted = 400_000.0 * UP_MARGIN;
        let begun = (0..400).find(|index| {
            let now = step(&mut controller, &mut shared, *index);
            controller.budget(now).proven_bps >= wanted
        });
        let begun = begun.expect("a try");
        assert!(begun >= 150, "not before three seconds: {begun}");
        let now = step(&mut controller, &mut shared, begun + 1);
        controller.set_demand(now, Demand { current_bps: 400_000, next_bps: None, ..sound }, true, &mut shared);
        let now = step(&mut controller, &mut shared, begun + 2);
        assert!(controller.budget(now).estimate_bps >= 400_000.0, "what was measured before is no argument against it");
    }

    #[test]
    fn whoever_lacks_a_picture_may_ask_for_it_again_sooner() {
        for lacks in [false, true] {
            let demand = Demand { current_bps: 350_000, next_bps: Some(410_000), top_bps: 1_000_000, has_faces: true, lacks };
            let now = Instant::now();
            let (mut controller, mut sent, mut shared) = (Controller::default(), SentPackets::default(), SharedPath::default());
            shared.join();
            sent.reserve(now, demand.current_bps);
            controller.set_demand(now, demand, true, &mut shared);
            // As after a probe that took a little more than was saved.
            controller.padding = -3_000.0;
            let probed = (1..600u16).find(|step| {
                let at = now + Duration::from_millis(u64::from(*step) * 20);
                let seq = sent.next(at);
                sent.set_size(875);
                controller.handle_feedback(at, &mut sent, [(seq, Some(i64::from(*step) * 80))].into_iter(), &mut shared);
                controller.handle_tick(at, &sent, true, &mut shared)
            });
            let after = probed.map(|step| Duration::from_millis(u64::from(step) * 20));
            assert_eq!(after.is_some_and(|after| after < Duration::from_secs(3)), lacks, "{after:?}");
        }
    }

    #[test]
    fn nothing_is_probed_without_retransmission_or_before_feedback() {
        let now = Instant::now();
        let (mut controller, mut sent, mut shared) = (Controller::default(), SentPackets::default(), SharedPath::default());
        shared.join();
        sent.reserve(now, DEMAND.current_bps);
        controller.set_demand(now, DEMAND, true, &mut shared);
        assert!(!controller.handle_tick(now, &sent, true, &mut shared), "nobody has answered yet");
        for step in 0..40u16 {
            let at = now + Duration::from_millis(u64::from(step) * 20);
            let seq = sent.next(at);
            sent.set_size(1000);
            controller.handle_feedback(at, &mut sent, [(seq, Some(i64::from(step) * 80))].into_iter(), &mut shared);
        }
        let at = now + Duration::from_millis(800);
        assert!(!controller.handle_tick(at, &sent, false, &mut shared), "padding would have to be empty packets");
        assert!(controller.handle_tick(at, &sent, true, &mut shared));
        let cluster = *controller.cluster().expect("being sent");
        assert!(cluster.rate_bps > 2_500_000.0 && !cluster.is_complete(sent.totals()) && cluster.due_bytes(at, sent.totals()) > 0);
        controller.leave(at, &mut shared);
        assert!(shared.is_empty() && controller.cluster().is_none());
    }
}
