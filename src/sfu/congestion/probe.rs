//! Probes: for a moment more is sent than the layer needs, to learn whether the next layer would fit. What is added are packets the viewer
//! has (retransmissions nobody asked for), so a probe costs bytes but never a frame.
//!
//! ```text
//! idle ──wanted, allowed, our turn──▶ short cluster (18 ms at 1.2x) ──feedback──▶ enough? ─▶ proof, or
//!   ▲                                                   │             a big step: long cluster (150 ms at 1.08x) ─▶ proof
//!   └──── back off 2 s, 4 s ... ◀── less than wanted ───┘
//! ```
//! After a failure a feeler goes first: a few packets at 1.5x what was found. While even that does not come through, nothing has changed,
//! and it has cost a third of a whole probe. Padding has a budget: a small part of what the viewer is sent anyway.

use std::time::{Duration, Instant};

use super::history::Reported;
use crate::limits;

/// A probe being sent: until it is complete, everything that leaves counts towards its rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    pub rate_bps: f64,
    /// Complete with this many bytes and packets.
    pub bytes: u64,
    pub packets: u64,
    /// Began.
    pub since: Instant,
    /// Numbers and bytes sent before.
    first: u64,
    bytes_before: u64,
}

impl Cluster {
    /// Bytes that should have left by now but have not; `totals` are the peer's numbers and bytes.
    pub fn due_bytes(&self, now: Instant, totals: (u64, u64)) -> u64 {
        let wanted = (self.rate_bps / 8.0 * now.saturating_duration_since(self.since).as_secs_f64()) as u64 + 1;
        wanted.saturating_sub(totals.1 - self.bytes_before)
    }

    /// Whether enough has left.
    pub fn is_complete(&self, totals: (u64, u64)) -> bool {
        totals.1 - self.bytes_before >= self.bytes && totals.0 - self.first >= self.packets
    }

    /// When the next packet is due, if nothing else is sent.
    pub fn wake_at(&self, totals: (u64, u64)) -> Instant {
        let sent = (totals.1 - self.bytes_before) as f64;
        self.since + Duration::from_secs_f64(sent * 8.0 / self.rate_bps)
    }
}

/// Short clusters find what fits; a long one confirms a big step before it is taken; a feeler finds out whether a short one is worth it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// With what was found last time.
    Feeler(f64),
    Short,
    Long,
}

impl Stage {
    /// A feeler that finds so much more than there was has felt something.
    pub(super) const FELT: f64 = 1.25;
    const FEELS_FOR: f64 = 1.5;
    const SHORT_FOR: f64 = 1.2;
}

/// What a probe measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub bps: f64,
    /// By how much the queue grew from its beginning to its end, µs.
    pub queue_growth_us: i64,
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Finished {
    pub stage: Stage,
    /// `None`: too much of it was lost, or it came through in heaps.
    pub measured: Option<Measured>,
}

/// A probe from its first packet to the feedback about its last.
#[derive(Debug)]
pub(super) struct Probe {
    pub cluster: Cluster,
    stage: Stage,
    /// One past its last packet, once complete.
    end: Option<u64>,
    received: u64,
    missing: u64,
    /// Feedback speaks of what was sent after it.
    passed: bool,
    bytes: u64,
    first: Option<Reported>,
    first_received_us: u32,
    last_sent_us: u32,
    last_received_us: u32,
    /// The longest time between two arrivals.
    longest_gap_us: u32,
    /// The least queue met by its first and by its second half: the least, because on Wi-Fi single packets wait for reasons of their own.
    least_queue_us: [u32; 2],
    last_bytes: u16,
}

impl Probe {
    pub(super) fn new(now: Instant, wanted_bps: f64, stage: Stage, totals: (u64, u64)) -> Self {
        let (factor, seconds, packets) = match stage {
            Stage::Feeler(found_bps) => {
                ((Stage::FEELS_FOR * found_bps / wanted_bps).min(Stage::SHORT_FOR), 0.018, limits::PROBE_PACKETS_FEELER)
            }
            // A small step is cheap to exceed, and the next one may fit as well.
            Stage::Short if wanted_bps < 1e6 => (1.6, 0.030, limits::PROBE_PACKETS_SMALL),
            Stage::Short => (Stage::SHORT_FOR, 0.018, limits::PROBE_PACKETS_SHORT),
            Stage::Long => (1.08, 0.150, limits::PROBE_PACKETS_LONG),
        };
        let rate_bps = wanted_bps * factor;
        let bytes = (rate_bps * seconds / 8.0) as u64;
        let cluster = Cluster { rate_bps, bytes, packets, since: now, first: totals.0, bytes_before: totals.1 };
        Self {
            cluster,
            stage,
            end: None,
            received: 0,
            missing: 0,
            passed: false,
            bytes: 0,
            first: None,
            first_received_us: 0,
            last_sent_us: 0,
            last_received_us: 0,
            longest_gap_us: 0,
            least_queue_us: [u32::MAX; 2],
            last_bytes: 0,
        }
    }

    /// Whether a packet belongs to it.
    pub(super) fn contains(&self, number: u64) -> bool {
        number >= self.cluster.first && self.end.is_none_or(|end| number < end)
    }

    /// Its last packet has left.
    pub(super) fn complete(&mut self, totals: (u64, u64)) {
        self.end = Some(totals.0);
    }

    pub(super) fn is_sending(&self) -> bool {
        self.end.is_none()
    }

    /// Feedback is about this packet: once it is a later one, feedback about the probe's own has come or is lost.
    pub(super) fn note_progress(&mut self, number: u64) {
        self.passed |= self.end.is_some_and(|end| number >= end);
    }

    pub(super) fn handle_missing(&mut self) {
        self.missing += 1;
    }

    pub(super) fn handle_received(&mut self, packet: Reported, received_us: u32, queue_us: u32) {
        if self.first.is_none() {
            self.first = Some(packet);
            self.first_received_us = received_us;
            (self.last_sent_us, self.last_received_us) = (packet.sent_us, received_us);
        }
        if packet.sent_us.wrapping_sub(self.last_sent_us) as i32 >= 0 {
            (self.last_sent_us, self.last_bytes) = (packet.sent_us, packet.bytes);
        }
        let half = usize::from(self.bytes * 2 >= self.cluster.bytes);
        self.least_queue_us[half] = self.least_queue_us[half].min(queue_us);
        let gap_us = received_us.wrapping_sub(self.last_received_us);
        if gap_us as i32 > 0 {
            self.longest_gap_us = self.longest_gap_us.max(gap_us);
            self.last_received_us = received_us;
        }
        self.bytes += u64::from(packet.bytes);
        self.received += 1;
    }

    /// The result, once all its packets are reported on or it has taken too long.
    pub(super) fn finish(&self, now: Instant) -> Option<Finished> {
        let sent = self.end.map(|end| end - self.cluster.first);
        let reported = sent.is_some_and(|sent| self.received + self.missing >= sent);
        let expired = now.saturating_duration_since(self.cluster.since) > limits::PROBE_ANSWER_MAX;
        (reported || self.passed || expired).then(|| Finished { stage: self.stage, measured: sent.and_then(|sent| self.measure(sent)) })
    }

    fn measure(&self, sent: u64) -> Option<Measured> {
        let first = self.first?;
        if self.received * 10 < sent * 7 || self.received * 2 <= self.cluster.packets {
            return None;
        }
        let sent_us = self.last_sent_us.wrapping_sub(first.sent_us);
        let received_us = self.last_received_us.wrapping_sub(self.first_received_us);
        if sent_us < 2_000 || received_us < 1_000 {
            return None;
        }
        // From the middle of one half to the middle of the other is half the way.
        let [before, after] = self.least_queue_us.map(i64::from);
        let queue_growth_us = if after < i64::from(u32::MAX) { 2 * (after - before) } else { 0 };
        // Without a queue, what is missing was lost on the way, not for want of room.
        let lost = if queue_growth_us < 15_000 { (self.received + self.missing) as f64 / self.received as f64 } else { 1.0 };
        let send_bps = lost * (self.bytes - u64::from(self.last_bytes)) as f64 * 8e6 / f64::from(sent_us);
        let receive_bps = lost * (self.bytes - u64::from(first.bytes)) as f64 * 8e6 / f64::from(received_us);
        // Whether the path was full is told by the times alone: sound and padding differ so much in size that a few packets' rates depend on which of them
        // comes first and which last.
        let kept_pace = f64::from(sent_us) / f64::from(received_us);
        let was_full = kept_pace < 0.9;
        // All in one heap, or two heaps with a stall between them: that is how Wi-Fi is, and says nothing of its rate.
        let stalled = was_full && self.longest_gap_us > 5_000 && self.longest_gap_us * 2 > received_us;
        if kept_pace > 2.0 || stalled {
            return None;
        }
        // A path that was full shows its own rate; one that was not, only that it carries what was sent.
        let bps = if was_full { 0.95 * receive_bps } else { send_bps * kept_pace.min(1.0) };
        Some(Measured { bps, queue_growth_us })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    /// A probe of packets with these sizes, each sent when the ones before have taken their time at its rate, over a path of `path_bps`.
    fn measured(sizes: &[u16], path_bps: f64) -> Option<Measured> {
        const WANTED_BPS: f64 = 400_000.0;
        let now = Instant::now();
        let mut probe = Probe::new(now, WANTED_BPS, Stage::Short, (0, 0));
        let us_at = |bytes: u64, bps: f64| (bytes as f64 * 8e6 / bps) as u32;
        let (mut bytes, mut free_us) = (0, 0);
        for (number, &size) in (0..).zip(sizes) {
            let sent_us = us_at(bytes, probe.cluster.rate_bps);
            let begun_us = free_us.max(sent_us);
            free_us = begun_us + us_at(u64::from(size), path_bps);
            // As delays are measured: beside the least, which is that of the smallest packet.
            let queue_us = begun_us - sent_us;
            probe.handle_received(Reported { number, sent_us, bytes: size, was_missing: false }, free_us, queue_us);
            bytes += u64::from(size);
        }
        probe.complete((sizes.len() as u64, bytes));
        probe.finish(now).and_then(|finished| finished.measured)
    }

    const EVEN: [u16; 8] = [700; 8];
    const LARGE_FIRST: [u16; 8] = [1200, 120, 120, 1200, 120, 120, 120, 120];
    const LARGE_LAST: [u16; 8] = [120, 120, 120, 120, 1200, 120, 120, 1200];

    #[test]
    fn what_a_path_with_room_carries_is_what_was_sent_whatever_the_sizes_of_the_packets() {
        for sizes in [EVEN, LARGE_FIRST, LARGE_LAST] {
            let found = measured(&sizes, 50e6).expect("nothing was lost").bps;
            assert!((found / 640_000.0 - 1.0).abs() < 0.05, "{sizes:?}: {found}");
        }
    }

    #[test]
    fn a_path_that_was_full_shows_its_own_rate() {
        let found = measured(&EVEN, 300_000.0).expect("nothing was lost").bps;
        assert!((found / 300_000.0 - 0.95).abs() < 0.01, "{found}");
        let found = measured(&LARGE_LAST, 300_000.0).expect("nothing was lost").bps;
        assert!(found < 400_000.0, "{found}");
    }
}
