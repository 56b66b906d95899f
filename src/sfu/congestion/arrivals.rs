//! The last half second of arrivals at one receiver, in bins of about 8 ms by the receiver's clock: how much, and how long it had queued.
//!
//! Bins instead of packets: the same 800 bytes for any bit rate, and every question is answered in one walk.

/// A bin is 2^13 µs, so that its number is a part of the (wrapping) receive time.
const BIN_BITS: u32 = 13;
const BIN_US: u32 = 1 << BIN_BITS;
const BINS: usize = 64;
/// A longer gap between packets is a pause of the sender's (or of the path's), not a low rate.
const PAUSE_BINS: u32 = 125_000 / BIN_US;
/// Queueing delay is kept in this unit, µs: finer than the receiver's clock of 250 µs.
const QUEUE_UNIT_US: u32 = 100;

/// Arrivals by receive time.
#[derive(Debug)]
pub(super) struct Arrivals {
    bins: [Bin; BINS],
    /// The newest receive time, µs, wraps.
    newest_us: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    bytes: u32,
    /// Of packets that are no probe, whose own queue says nothing about the traffic's.
    least_queue: u16,
    most_queue: u16,
    /// Packets that are no probe.
    plain: u8,
}

const EMPTY: Bin = Bin { bytes: 0, least_queue: u16::MAX, most_queue: 0, plain: 0 };

/// The queue that did not drain within some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The least queueing delay seen, µs.
    pub queue_us: u32,
    /// Packets that is based on.
    pub packets: u32,
}

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self { bins: [EMPTY; BINS], newest_us: None }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Takes note of a packet received at `received_us` after `queue_us` of queueing.
    pub(super) fn add(&mut self, received_us: u32, bytes: u16, queue_us: u32, is_probe: bool) {
        let newest = *self.newest_us.get_or_insert(received_us);
        let ahead = received_us.wrapping_sub(newest) as i32;
        if ahead > 0 {
            let passed = bins_between(newest, received_us);
            for step in 1..=passed.min(BINS as u32) {
                self.bins[slot(newest.wrapping_add(step << BIN_BITS))] = EMPTY;
            }
            self.newest_us = Some(received_us);
        } else if bins_between(received_us, newest) >= BINS as u32 {
            return;
        }
        let queue = (queue_us / QUEUE_UNIT_US).min(u32::from(u16::MAX - 1)) as u16;
        let bin = &mut self.bins[slot(received_us)];
        bin.bytes += u32::from(bytes);
        bin.most_queue = bin.most_queue.max(queue);
        if !is_probe {
            bin.least_queue = bin.least_queue.min(queue);
            bin.plain = bin.plain.saturating_add(1);
        }
    }

    /// The queue that stood throughout the last `span_ms`; `None` without packets.
    pub(super) fn standing(&self, span_ms: u32) -> Option<Standing> {
        let (mut least, mut packets) = (u16::MAX, 0);
        for (_, bin) in self.newest_first(span_ms) {
            least = least.min(bin.least_queue);
            packets += u32::from(bin.plain);
        }
        (packets > 0).then_some(Standing { queue_us: u32::from(least) * QUEUE_UNIT_US, packets })
    }

    /// By how much the queue rose and fell within the last `span_ms`, µs; `None` without packets.
    pub(super) fn queue_varies_by(&self, span_ms: u32) -> Option<u32> {
        let bins = || self.newest_first(span_ms).map(|(_, bin)| bin).filter(|bin| bin.plain > 0);
        let least = bins().map(|bin| bin.least_queue).min()?;
        let most = bins().map(|bin| bin.most_queue).max()?;
        Some(u32::from(most.saturating_sub(least)) * QUEUE_UNIT_US)
    }

    /// What arrived, bits per second over the time in which something was under way; `None` with less than a quarter of a second of it.
    pub(super) fn delivered_bps(&self) -> Option<f64> {
        let newest = self.newest_us?;
        let (mut covered_us, mut bytes) = (0, 0);
        // Walking back in time: a bin's bytes count when the one before it is near.
        let mut later: Option<(u32, u32)> = None;
        for (age, bin) in self.newest_first(u32::MAX) {
            if bin.bytes == 0 {
                continue;
            }
            if let Some((later_age, later_bytes)) = later
                && age - later_age <= PAUSE_BINS
            {
                // The newest bin is not over yet.
                covered_us += (age - later_age - u32::from(later_age == 0)) * BIN_US;
                covered_us += if later_age == 0 { newest % BIN_US } else { 0 };
                bytes += u64::from(later_bytes);
            }
            later = Some((age, bin.bytes));
        }
        (covered_us >= 250_000).then(|| bytes as f64 * 8e6 / f64::from(covered_us))
    }

    /// What arrived while there was a queue, bits per second: the rate of the bottleneck as far as it was ours. `None` when there was too
    /// little of a queue within the last 400 ms.
    pub(super) fn busy_bps(&self) -> Option<f64> {
        const SPAN_MS: u32 = 400;
        let most = self.newest_first(SPAN_MS).map(|(_, bin)| bin.most_queue).max()?;
        let queued = (most / 3).max(8_000 / QUEUE_UNIT_US as u16);
        let (mut us, mut bytes) = (0, 0);
        // Walking back in time: a bin's bytes count when there was a queue in the one before it as well. Between two bursts the bottleneck idles.
        let mut later: Option<(u32, u32)> = None;
        for (age, bin) in self.newest_first(SPAN_MS).filter(|(_, bin)| bin.bytes > 0) {
            let is_busy = bin.most_queue >= queued;
            if let Some((later_age, later_bytes)) = later.filter(|_| is_busy) {
                let open_us = if later_age == 0 { BIN_US - self.newest_us? % BIN_US } else { 0 };
                us += ((age - later_age) * BIN_US).saturating_sub(open_us);
                bytes += u64::from(later_bytes);
            }
            later = is_busy.then_some((age, bin.bytes));
        }
        (us >= 60_000).then(|| bytes as f64 * 8e6 / f64::from(us))
    }

    fn newest_first(&self, span_ms: u32) -> impl Iterator<Item = (u32, &Bin)> {
        let count = (span_ms.saturating_mul(1000) / BIN_US).min(BINS as u32 - 1) + 1;
        let newest = self.newest_us.unwrap_or(0);
        let count = if self.newest_us.is_some() { count } else { 0 };
        (0..count).map(move |age| (age, &self.bins[slot(newest.wrapping_sub(age << BIN_BITS))]))
    }
}

fn slot(received_us: u32) -> usize {
    (received_us >> BIN_BITS) as usize % BINS
}

/// Bin borders between two times, the second not before the first.
fn bins_between(earlier_us: u32, later_us: u32) -> u32 {
    (later_us >> BIN_BITS).wrapping_sub(earlier_us >> BIN_BITS) & (u32::MAX >> BIN_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `packets` of 1000 bytes every `gap_us`, the first at `start_us`, all with this queue.
    fn fill(arrivals: &mut Arrivals, start_us: u32, packets: u32, gap_us: u32, queue_us: u32) -> u32 {
        for index in 0..packets {
            arrivals.add(start_us.wrapping_add(index * gap_us), 1000, queue_us, false);
        }
        start_us.wrapping_add(packets * gap_us)
    }

    #[test]
    fn an_even_flow_is_measured_to_a_few_percent_across_the_wrap_of_time() {
        for start in [0, 12_345, u32::MAX - 300_000] {
            let mut arrivals = Arrivals::new();
            fill(&mut arrivals, start, 600, 3_200, 30_000);
            let rate = arrivals.delivered_bps().expect("half a second of packets");
            assert!((rate / 2_500_000.0 - 1.0).abs() < 0.03, "{rate}");
            let busy = arrivals.busy_bps().expect("a queue");
            assert!((busy / 2_500_000.0 - 1.0).abs() < 0.04, "{busy}");
            assert_eq!(arrivals.standing(300).map(|standing| standing.queue_us), Some(30_000));
        }
    }

    #[test]
    fn a_pause_is_not_a_low_rate_and_an_empty_queue_is_not_busy() {
        let mut arrivals = Arrivals::new();
        let end = fill(&mut arrivals, 0, 60, 3_200, 0);
        fill(&mut arrivals, end + 130_000, 60, 3_200, 0);
        let rate = arrivals.delivered_bps().expect("enough");
        assert!((rate / 2_500_000.0 - 1.0).abs() < 0.06, "{rate}");
        assert_eq!(arrivals.busy_bps(), None);
    }

    #[test]
    fn between_two_bursts_the_bottleneck_idles_and_that_is_not_its_rate() {
        let mut arrivals = Arrivals::new();
        let mut now = 1_000_000;
        // 2.5 Mbit/s behind a queue, then a trickle that finds none, then 2.5 Mbit/s again.
        now = fill(&mut arrivals, now, 30, 3_200, 60_000);
        now = fill(&mut arrivals, now, 9, 20_000, 0);
        fill(&mut arrivals, now, 30, 3_200, 60_000);
        let busy = arrivals.busy_bps().expect("two queues");
        assert!((busy / 2_500_000.0 - 1.0).abs() < 0.08, "{busy}");
    }

    #[test]
    fn one_empty_moment_ends_a_standing_queue_and_probes_do_not_count() {
        let mut arrivals = Arrivals::new();
        let end = fill(&mut arrivals, 0, 100, 3_200, 50_000);
        arrivals.add(end, 1000, 3_000, true);
        assert_eq!(arrivals.standing(300).map(|standing| standing.queue_us), Some(50_000));
        arrivals.add(end + 100, 1000, 2_000, false);
        assert_eq!(arrivals.standing(300).map(|standing| standing.queue_us), Some(2_000));
        arrivals.add(end + 700_000, 1000, 40_000, false);
        assert_eq!(arrivals.standing(300), Some(Standing { queue_us: 40_000, packets: 1 }), "what was before is over");
        arrivals.add(end, 1000, 0, false);
        assert_eq!(arrivals.standing(500).map(|standing| standing.queue_us), Some(40_000), "too late to count");
        assert_eq!(arrivals.queue_varies_by(300), Some(0));
        arrivals.add(end + 720_000, 1000, 47_000, false);
        assert_eq!(arrivals.queue_varies_by(300), Some(7_000));
    }
}
