//! The path as a client without transport-wide feedback describes it: once a second, in two numbers.
//!
//! Loss and REMB tell when a layer is too much, not whether the next one would fit: REMB follows what is sent. So steps up are tries, after
//! a clean while; the allocator waits longer after each that failed.

use std::time::{Duration, Instant};

use super::estimator::elapsed;
use super::{Budget, Demand, UP_MARGIN};

const LOSS_BAD: f64 = 0.10;
const LOSS_CLEAN: f64 = 0.02;
/// A clean path for this long is worth a try.
const CLEAN_MIN: Duration = Duration::from_secs(3);
const TRY_MARGIN: f64 = 1.1;
/// Believed this long without a new one.
const REMB_KEPT: Duration = Duration::from_secs(5);

/// Estimates from receiver reports.
#[derive(Debug, Default)]
pub(super) struct ReportedPath {
    loss: f64,
    reported_at: Option<Instant>,
    clean_since: Option<Instant>,
    remb: Option<(Instant, f64)>,
}

impl ReportedPath {
    pub(super) fn loss(&self) -> f64 {
        self.loss
    }

    pub(super) fn remb_bps(&self) -> Option<f64> {
        self.remb.map(|(_, bps)| bps)
    }

    pub(super) fn handle_loss(&mut self, now: Instant, loss: f64) {
        self.loss = loss;
        self.reported_at = Some(now);
        self.clean_since = if loss < LOSS_CLEAN { self.clean_since.or(Some(now)) } else { None };
    }

    pub(super) fn handle_remb(&mut self, now: Instant, bps: f64) {
        self.remb = Some((now, bps));
    }

    /// The viewer's layers changed: what was clean before says nothing about them.
    pub(super) fn handle_change(&mut self, now: Instant) {
        self.clean_since = self.clean_since.map(|_| now);
    }

    pub(super) fn budget(&self, now: Instant, demand: &Demand) -> Budget {
        let current = f64::from(demand.current_bps);
        // A little more, because layers' rates vary from one look to the next, and a try is a try.
        let next = demand.next_bps.map_or(current, f64::from) * UP_MARGIN * TRY_MARGIN;
        let clean = self.clean_since.is_some_and(|since| now.saturating_duration_since(since) >= CLEAN_MIN);
        let remb = self.remb.filter(|(at, _)| elapsed(now, Some(*at)) < REMB_KEPT).map(|(_, bps)| bps);
        let bps = match remb {
            _ if self.loss > LOSS_BAD => current * (0.9 - self.loss / 2.0),
            // Far above what is sent: the receiver's own opinion, not an echo of our traffic.
            Some(remb) if remb >= 2.0 * current || remb < 1.2 * current => remb,
            Some(remb) => {
                if clean {
                    next
                } else {
                    remb
                }
            }
            None if self.reported_at.is_some() => {
                if clean {
                    next
                } else {
                    current
                }
            }
            None => current,
        };
        Budget { estimate_bps: bps, proven_bps: bps, is_full: true }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand { current_bps: 500_000, next_bps: Some(2_500_000), top_bps: 2_500_000, has_faces: false, lacks: false };

    fn after(seconds: u64, loss: f64, remb: Option<f64>) -> f64 {
        let start = Instant::now();
        let mut path = ReportedPath::default();
        for second in 0..=seconds {
            let now = start + Duration::from_secs(second);
            path.handle_loss(now, loss);
            if let Some(remb) = remb {
                path.handle_remb(now, remb);
            }
        }
        path.budget(start + Duration::from_secs(seconds), &DEMAND).estimate_bps
    }

    #[test]
    fn a_clean_path_is_tried_a_lossy_one_left_and_a_silent_one_kept() {
        assert_eq!(after(1, 0.0, None), 500_000.0);
        assert!(after(4, 0.0, None) >= 2_500_000.0 * UP_MARGIN);
        assert_eq!(after(9, 0.05, None), 500_000.0);
        assert!(after(1, 0.2, None) < 0.95 * 500_000.0);
        assert_eq!(ReportedPath::default().budget(Instant::now(), &DEMAND).estimate_bps, 500_000.0);
    }

    #[test]
    fn an_estimate_is_believed_when_it_speaks_of_the_path_and_not_of_our_traffic() {
        assert_eq!(after(9, 0.0, Some(1_200_000.0)), 1_200_000.0, "far above what is sent, and still too little");
        assert_eq!(after(9, 0.0, Some(400_000.0)), 400_000.0);
        assert!(after(9, 0.0, Some(750_000.0)) >= 2_500_000.0 * UP_MARGIN, "an echo of our traffic: tried");
        assert_eq!(after(1, 0.0, Some(750_000.0)), 750_000.0);
        assert_eq!(after(9, 0.0, Some(5_000_000.0)), 5_000_000.0);
    }
}
