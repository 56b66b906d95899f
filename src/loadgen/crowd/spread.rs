//! How latencies are spread, to the millisecond, in a memory that does not grow with their number; and the trend of a memory. Pure.

use std::time::Duration;

use crate::limits::CROWD_LATENCY_MAX;

/// Counts by the millisecond; what is above the bound counts as the bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread {
    counts: Vec<u64>,
    samples: u64,
}

impl Spread {
    pub(super) fn add(&mut self, latency: Duration) {
        let at = latency.min(CROWD_LATENCY_MAX).as_millis() as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.samples += 1;
    }

    pub(super) const fn samples(&self) -> u64 {
        self.samples
    }

    /// The end of the millisecond in which this share of the samples has come, ms; not a number without any.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.samples as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        at.map_or(f64::NAN, |at| (at + 1) as f64)
    }
}

/// What a trend through these values, one a second, adds up to; the first third is left out, in which things warm up.
pub(super) fn growth(values: &[f64]) -> f64 {
    let steady = &values[values.len() / 3..];
    let count = steady.len() as f64;
    if steady.len() < 2 {
        return 0.0;
    }
    let (x, y) = ((count - 1.0) / 2.0, steady.iter().sum::<f64>() / count);
    let (over, under) = steady.iter().enumerate().fold((0.0, 0.0), |(over, under), (at, value)| {
        let from_x = at as f64 - x;
        (from_x.mul_add(value - y, over), from_x.mul_add(from_x, under))
    });
    over / under * (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_to_the_millisecond_and_what_is_late_counts_as_the_bound() {
        let mut spread = Spread::default();
        (0..100).for_each(|ms| spread.add(Duration::from_millis(ms)));
        assert_eq!((spread.quantile(0.5), spread.quantile(0.99), spread.quantile(1.0)), (50.0, 99.0, 100.0));
        spread.add(Duration::from_secs(3600));
        assert_eq!(spread.quantile(1.0), CROWD_LATENCY_MAX.as_millis() as f64 + 1.0);
        assert_eq!(spread.samples(), 101);
        assert!(Spread::default().quantile(0.99).is_nan());
    }

    #[test]
    fn growth_is_that_of_the_steady_part() {
        let warming = [0.0, 500.0, 900.0];
        let steady: Vec<f64> = warming.into_iter().chain((0..6).map(|at| 1000.0 + f64::from(at) * 2.0)).collect();
        assert!((growth(&steady) - 10.0).abs() < 1e-9);
        assert!(growth(&[5.0; 9]).abs() < 1e-9);
        assert_eq!(growth(&[]), 0.0);
    }
}
