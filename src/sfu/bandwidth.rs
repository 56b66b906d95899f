//! What the path to one viewer carries, as far as its reports tell: loss, standing queue, acknowledged rate, REMB, round trip.
//!
//! Deliberately simple: enough to notice that a layer does not fit. The congestion controller proper (probes, pacing) takes this file's
//! place; the allocator only sees [`PathReport`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits;

/// Packets sent to one peer, by transport-wide sequence number.
#[derive(Debug, Default)]
pub struct SentPackets {
    base: Option<Instant>,
    next: u16,
    ring: Vec<Sent>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    at_us: u32,
    size: u16,
    seq: u16,
}

impl SentPackets {
    /// Takes the memory now, so that the packet path never does.
    pub fn reserve(&mut self, now: Instant) {
        self.base.get_or_insert(now);
        self.ring.resize(limits::TWCC_HISTORY, Sent::default());
    }

    /// The number of the packet being written.
    pub fn next(&mut self, now: Instant) -> u16 {
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        if let (Some(base), false) = (self.base, self.ring.is_empty()) {
            let at_us = now.saturating_duration_since(base).as_micros() as u32;
            self.ring[usize::from(seq) % limits::TWCC_HISTORY] = Sent { at_us, size: 0, seq };
        }
        seq
    }

    /// The size of the packet just numbered, bytes.
    pub fn set_size(&mut self, bytes: usize) {
        if !self.ring.is_empty() {
            let seq = self.next.wrapping_sub(1);
            self.ring[usize::from(seq) % limits::TWCC_HISTORY].size = bytes.min(usize::from(u16::MAX)) as u16;
        }
    }

    fn get(&self, seq: u16) -> Option<Sent> {
        self.ring.get(usize::from(seq) % limits::TWCC_HISTORY).copied().filter(|sent| sent.seq == seq && sent.size > 0)
    }
}

/// The state of the path as the allocator sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathReport {
    /// 0..1 over about the last second.
    pub loss: f32,
    /// The least queueing delay seen over the last half second, ms: a queue that does not drain.
    pub standing_queue_ms: f32,
    /// What arrived, bits per second.
    pub acknowledged_bps: Option<u32>,
    /// The receiver's own estimate (REMB).
    pub remb_bps: Option<u32>,
    pub rtt_ms: Option<f32>,
}

/// Gathers reports of one peer.
#[derive(Debug, Default)]
pub struct PathMonitor {
    report: PathReport,
    window: LossWindow,
    /// One-way delay floor, µs, over two buckets, so that clock drift and route changes are forgotten.
    floor: [Option<i64>; 2],
    floor_since: Option<Instant>,
    queue: VecDeque<(Instant, f32)>,
    acked_bytes: u32,
    acked_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct LossWindow {
    since: Option<Instant>,
    expected: u32,
    lost: u32,
}

impl PathMonitor {
    const FLOOR_BUCKET: Duration = Duration::from_secs(10);
    const QUEUE_WINDOW: Duration = Duration::from_millis(500);
    const LOSS_WINDOW: Duration = Duration::from_secs(1);
    /// Feedback comes at most about 20 times a second.
    const QUEUE_SAMPLES_MAX: usize = 64;

    pub fn report(&self) -> PathReport {
        self.report
    }

    /// A report block's loss fraction (RFC 3550 section 6.4.1): used when the peer sends no transport-wide feedback.
    pub fn handle_report_block(&mut self, now: Instant, fraction_lost: u8, rtt: Option<Duration>) {
        if let Some(rtt) = rtt {
            let sample = rtt.as_secs_f32() * 1000.0;
            self.report.rtt_ms = Some(self.report.rtt_ms.map_or(sample, |old| old * 0.8 + sample * 0.2));
        }
        if self.window.since.is_none_or(|since| now.saturating_duration_since(since) > Self::LOSS_WINDOW * 3) {
            self.report.loss = f32::from(fraction_lost) / 256.0;
        }
    }

    pub fn handle_remb(&mut self, bitrate_bps: u64) {
        self.report.remb_bps = Some(u32::try_from(bitrate_bps).unwrap_or(u32::MAX));
    }

    /// Transport-wide feedback: for each packet, its number and (if it arrived) the receiver's clock in units of 250 µs.
    pub fn handle_feedback(&mut self, now: Instant, sent: &SentPackets, packets: impl Iterator<Item = (u16, Option<i64>)>) {
        let mut least: Option<i64> = None;
        for (seq, arrival) in packets {
            let Some(packet) = sent.get(seq) else { continue };
            self.window.expected += 1;
            let Some(arrival) = arrival else {
                self.window.lost += 1;
                continue;
            };
            self.acked_bytes += u32::from(packet.size);
            let delay = arrival * 250 - i64::from(packet.at_us);
            least = Some(least.map_or(delay, |least| least.min(delay)));
        }
        if let Some(delay) = least {
            self.handle_delay(now, delay);
        }
        self.roll(now);
    }

    fn handle_delay(&mut self, now: Instant, delay_us: i64) {
        let since = *self.floor_since.get_or_insert(now);
        if now.saturating_duration_since(since) > Self::FLOOR_BUCKET {
            self.floor = [Some(delay_us), self.floor[0]];
            self.floor_since = Some(now);
        }
        // The receiver's clock may jump (its 24-bit reference time wraps, a suspended machine wakes): start over.
        if self.floor[0].is_some_and(|floor| (delay_us - floor).abs() > 5_000_000) {
            self.floor = [None, None];
            self.queue.clear();
        }
        self.floor[0] = Some(self.floor[0].map_or(delay_us, |floor| floor.min(delay_us)));
        let floor = self.floor.iter().flatten().min().copied().unwrap_or(delay_us);
        if self.queue.len() == Self::QUEUE_SAMPLES_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back((now, (delay_us - floor) as f32 / 1000.0));
        while self.queue.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > Self::QUEUE_WINDOW) {
            self.queue.pop_front();
        }
        self.report.standing_queue_ms = self.queue.iter().map(|(_, ms)| *ms).fold(f32::INFINITY, f32::min);
    }

    fn roll(&mut self, now: Instant) {
        let since = *self.window.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= Self::LOSS_WINDOW && self.window.expected >= 20 {
            self.report.loss = self.window.lost as f32 / self.window.expected as f32;
            self.window = LossWindow { since: Some(now), ..LossWindow::default() };
        }
        let since = *self.acked_since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= Self::LOSS_WINDOW {
            self.report.acknowledged_bps = Some((self.acked_bytes as f32 * 8.0 / elapsed.as_secs_f32()) as u32);
            self.acked_bytes = 0;
            self.acked_since = Some(now);
        }
    }
}
