//! Reception statistics of one received stream and the report block made of them (RFC 3550 appendices A.3 and A.8).
//!
//! Retransmitted packets travel on another stream (RFC 4588), so they are not counted as received here; they are counted apart, to tell
//! the loss that viewers feel from the loss the network has.

use std::time::Instant;

use crate::sfu::rtp::id::Ssrc;
use crate::sfu::rtp::rtcp::ReportBlock;
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::timeline::NtpTime;

/// What one received stream's reports are made of.
#[derive(Debug, Clone)]
pub struct Reception {
    rate_hz: u32,
    /// Nothing received yet: nothing to report.
    progress: Option<Progress>,
    last_sender_report: Option<(u32, Instant)>,
}

#[derive(Debug, Clone)]
struct Progress {
    epoch: Instant,
    base: SeqNo,
    highest: SeqNo,
    received: u64,
    mended: u64,
    /// Transit time of the last packet in RTP ticks, of no meaning but its differences.
    transit: u32,
    /// In RTP ticks, times 16.
    jitter_16: u32,
    last_report: Counts,
    last_unmended: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    expected: u64,
    arrived: u64,
}

impl Reception {
    /// Nothing received of a stream with this clock.
    pub const fn new(rate_hz: u32) -> Self {
        Self { rate_hz, progress: None, last_sender_report: None }
    }

    /// Takes note of a packet that came on the stream itself.
    pub fn on_packet(&mut self, now: Instant, seq: SeqNo, time: RtpTime) {
        let rate_hz = self.rate_hz;
        let Some(progress) = &mut self.progress else {
            self.progress = Some(Progress {
                epoch: now,
                base: seq,
                highest: seq,
                received: 1,
                mended: 0,
                transit: 0u32.wrapping_sub(time.0),
                jitter_16: 0,
                last_report: Counts::default(),
                last_unmended: Counts::default(),
            });
            return;
        };
        progress.received += 1;
        progress.highest = progress.highest.max(seq);
        let arrival = (now.duration_since(progress.epoch).as_micros() * u128::from(rate_hz) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(time.0);
        // Bounded so that hostile timestamps cannot overflow the sum, which settles at 16 differences.
        let difference = (transit.wrapping_sub(progress.transit) as i32).unsigned_abs().min(1 << 26);
        progress.transit = transit;
        progress.jitter_16 = (progress.jitter_16 - ((progress.jitter_16 + 8) >> 4)) + difference;
    }

    /// Takes note of a missing packet that a retransmission brought.
    pub fn on_mended(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.mended += 1;
        }
    }

    /// Takes note of a sender report, so that the sender can compute the round trip.
    pub fn on_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.last_sender_report = Some((ntp.middle(), now));
    }

    /// The block for the next receiver report; `None` before the first packet. Its loss fraction covers the time since the last call.
    pub fn report(&mut self, now: Instant, ssrc: Ssrc) -> Option<ReportBlock> {
        let progress = self.progress.as_mut()?;
        let counts = Counts { expected: progress.expected(), arrived: progress.received };
        let fraction_lost = lost_of_256(progress.last_report, counts);
        progress.last_report = counts;
        let lost = (counts.expected as i64 - counts.arrived as i64).clamp(-0x80_0000, 0x7f_ffff) as i32;
        let (lsr, dlsr) = match self.last_sender_report {
            Some((lsr, at)) => (lsr, (now.duration_since(at).as_micros() * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            lost,
            // Extended numbers start one wrap up; the report counts wraps from zero.
            highest_seq: progress.highest.0.wrapping_sub(1 << 16) as u32,
            jitter: progress.jitter_16 >> 4,
            lsr,
            dlsr,
        })
    }

    /// Packets lost that no retransmission mended, of those expected, since the last call; 0 to 1.
    pub fn take_unmended_loss(&mut self) -> f32 {
        let Some(progress) = &mut self.progress else { return 0.0 };
        let counts = Counts { expected: progress.expected(), arrived: progress.received + progress.mended };
        let (expected, arrived) = counts.since(progress.last_unmended);
        progress.last_unmended = counts;
        if expected <= 0 { 0.0 } else { ((expected - arrived).max(0) as f32) / expected as f32 }
    }

    /// Interarrival jitter in RTP ticks.
    pub fn jitter(&self) -> u32 {
        self.progress.as_ref().map_or(0, |progress| progress.jitter_16 >> 4)
    }

    /// Packets received on the stream itself.
    pub fn received(&self) -> u64 {
        self.progress.as_ref().map_or(0, |progress| progress.received)
    }
}

impl Progress {
    const fn expected(&self) -> u64 {
        self.highest.0 - self.base.0 + 1
    }
}

impl Counts {
    /// Expected and arrived since an earlier count.
    const fn since(self, earlier: Self) -> (i64, i64) {
        ((self.expected - earlier.expected) as i64, (self.arrived - earlier.arrived) as i64)
    }
}

fn lost_of_256(earlier: Counts, now: Counts) -> u8 {
    let (expected, arrived) = now.since(earlier);
    let lost = expected - arrived;
    if expected <= 0 || lost <= 0 { 0 } else { (lost * 256 / expected).min(255) as u8 }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn receive(reception: &mut Reception, now: Instant, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            reception.on_packet(now, SeqNo(65536 + seq), RtpTime(0));
        }
    }

    #[test]
    fn counts_loss_per_interval_and_in_total() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        assert_eq!(reception.report(now, Ssrc(1)), None);
        receive(&mut reception, now, [65_533, 65_534, 65_536, 65_536 + 1]);
        let block = reception.report(now, Ssrc(1)).expect("received");
        assert_eq!((block.fraction_lost, block.lost, block.highest_seq), (51, 1, 65_537));
        receive(&mut reception, now, [65_538, 65_539]);
        let block = reception.report(now, Ssrc(1)).expect("received");
        assert_eq!((block.fraction_lost, block.lost), (0, 1));
        receive(&mut reception, now, [65_539, 65_539]);
        assert_eq!(reception.report(now, Ssrc(1)).expect("received").lost, -1, "duplicates outweigh");
    }

    #[test]
    fn mended_packets_are_not_felt() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        receive(&mut reception, now, [0, 3]);
        reception.on_mended();
        assert_eq!(reception.take_unmended_loss(), 0.25);
        assert_eq!(reception.take_unmended_loss(), 0.0);
        assert_eq!(reception.report(now, Ssrc(1)).expect("received").lost, 2);
    }

    #[test]
    fn jitter_approaches_the_mean_difference_of_transit() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000);
        for n in 0..400u32 {
            // Every other packet is 10 ms late: |D| is 900 ticks each time.
            let late = if n % 2 == 0 { 0 } else { 10 };
            reception.on_packet(
                start + Duration::from_millis(u64::from(n * 20 + late)),
                SeqNo(65536 + u64::from(n)),
                RtpTime((u32::MAX - 1000).wrapping_add(n * 1800)),
            );
        }
        assert!((880..=900).contains(&reception.jitter()), "{}", reception.jitter());
    }

    #[test]
    fn answers_a_sender_report_with_its_middle_and_the_delay() {
        let start = Instant::now();
        let mut reception = Reception::new(48_000);
        receive(&mut reception, start, [0]);
        reception.on_sender_report(start, NtpTime(0xb44d_b705_2000_0000));
        // The example of RFC 3550 section 6.4.1: DLSR 5.250 s is 0x5_4000.
        let block = reception.report(start + Duration::from_millis(5250), Ssrc(1)).expect("received");
        assert_eq!((block.lsr, block.dlsr), (0xb705_2000, 0x0005_4000));
    }
}
