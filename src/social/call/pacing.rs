//! The same moment: how far behind the server's clock those in step are held, so that the slowest of them can follow. Rises at once, falls slowly.

use crate::limits::{
    CALL_PACE_FALL_AFTER, CALL_PACE_FALL_MS_PER_S, CALL_PACE_FRESH, CALL_PACE_INTERVAL, CALL_PACE_MARGIN_MS, CALL_PACE_MAX_MS,
    CALL_PACE_STEP_MS,
};
use crate::social::clock::UnixMs;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    held_ms: Option<f64>,
    /// Since when it could have been lower.
    lower_since: Option<UnixMs>,
    looked_at: UnixMs,
    told_ms: Option<f64>,
    told_at: UnixMs,
}

impl Pacing {
    /// What those in step have told, each with its moment: whether the pace is to be told anew.
    pub(super) fn handle_reports(&mut self, now: UnixMs, reports: impl Iterator<Item = (UnixMs, f64)>) -> bool {
        let fresh = reports.filter(|(at, _)| now.since(*at) < CALL_PACE_FRESH).map(|(_, least_ms)| least_ms);
        let target = fresh.filter(|least_ms| (0.0..=CALL_PACE_MAX_MS).contains(least_ms)).reduce(f64::max);
        let passed_s = now.since(self.looked_at).as_secs_f64();
        self.looked_at = now;
        let Some(target) = target.map(|slowest| slowest + CALL_PACE_MARGIN_MS) else {
            (self.held_ms, self.lower_since, self.told_ms) = (None, None, None);
            return false;
        };
        self.held_ms = Some(match self.held_ms {
            Some(held) if target < held => {
                let since = *self.lower_since.get_or_insert(now);
                if now.since(since) < CALL_PACE_FALL_AFTER { held } else { (held - passed_s * CALL_PACE_FALL_MS_PER_S).max(target) }
            }
            Some(_) | None => {
                self.lower_since = None;
                target
            }
        });
        self.is_due(now)
    }

    fn has_moved(&self) -> bool {
        self.held_ms.is_some_and(|held| self.told_ms.is_none_or(|told| (held - told).abs() > CALL_PACE_STEP_MS))
    }

    fn is_due(&self, now: UnixMs) -> bool {
        self.has_moved() && self.told_at.after(CALL_PACE_INTERVAL) <= now
    }

    /// The pace, where it is to be told now.
    pub(super) fn take_due(&mut self, now: UnixMs) -> Option<f64> {
        let held = self.held_ms.filter(|_| self.is_due(now))?;
        (self.told_ms, self.told_at) = (Some(held), now);
        Some(held)
    }

    /// Once anybody has told theirs.
    pub(super) const fn held_ms(&self) -> Option<f64> {
        self.held_ms
    }

    /// When [`Self::take_due`] has something.
    pub(super) fn wake_at(&self) -> Option<UnixMs> {
        self.has_moved().then(|| self.told_at.after(CALL_PACE_INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pacing: &mut Pacing, at: u64, least: &[f64]) -> Option<f64> {
        let now = UnixMs(at);
        pacing.handle_reports(now, least.iter().map(|least| (now, *least)));
        pacing.take_due(now)
    }

    #[test]
    fn the_slowest_sets_the_pace_at_once_and_it_falls_slowly() {
        let mut pacing = Pacing::default();
        assert_eq!(told(&mut pacing, 10_000, &[120.0, 300.0]), Some(310.0));
        assert_eq!(told(&mut pacing, 11_000, &[120.0, 800.0]), Some(810.0));
        assert_eq!(told(&mut pacing, 12_000, &[120.0]), None, "not yet");
        assert_eq!(told(&mut pacing, 14_000, &[120.0]), None);
        let fallen = told(&mut pacing, 15_000, &[120.0]).unwrap();
        assert!((759.0..=761.0).contains(&fallen), "{fallen}");
        assert_eq!(told(&mut pacing, 16_000, &[900.0]), Some(910.0));
    }

    #[test]
    fn it_is_told_at_most_twice_a_second_and_only_when_it_moved() {
        let mut pacing = Pacing::default();
        assert_eq!(told(&mut pacing, 10_000, &[100.0]), Some(110.0));
        assert_eq!(told(&mut pacing, 10_900, &[115.0]), None, "15 ms are not seen");
        assert_eq!(told(&mut pacing, 11_000, &[200.0]), Some(210.0));
        assert_eq!(told(&mut pacing, 11_100, &[300.0]), None);
        assert_eq!(pacing.wake_at(), Some(UnixMs(11_500)));
        assert_eq!(pacing.take_due(UnixMs(11_500)), Some(310.0));
        assert_eq!(pacing.wake_at(), None);
    }

    #[test]
    fn who_is_too_slow_or_silent_holds_nobody() {
        let mut pacing = Pacing::default();
        for odd in [CALL_PACE_MAX_MS + 1.0, f64::NAN, -5.0, f64::INFINITY] {
            assert_eq!(told(&mut pacing, 10_000, &[odd]), None, "{odd}");
            assert_eq!(pacing.held_ms(), None);
        }
        pacing.handle_reports(UnixMs(20_000), [(UnixMs(15_000), 5_000.0), (UnixMs(19_000), 100.0)].into_iter());
        assert_eq!(pacing.held_ms(), Some(110.0));
        pacing.handle_reports(UnixMs(30_000), [(UnixMs(19_000), 100.0)].into_iter());
        assert_eq!(pacing.held_ms(), None);
    }
}
