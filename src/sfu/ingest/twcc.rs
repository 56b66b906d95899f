//! Transport-wide feedback to a publisher (draft-holmer-rmcat-transport-wide-cc-extensions-01): when every numbered packet of a transport
//! arrived. Without it Chromium drops its upper layers within seconds.
//!
//! Arrivals are kept a while after they were reported, so that a late packet makes the feedback go back to it instead of staying lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{TWCC_STATUSES_MAX, TWCC_WINDOW_MAX};
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::rtp::rtcp::{FORMAT_TRANSPORT_CC, TYPE_TRANSPORT_FEEDBACK};
use crate::sfu::rtp::rtcp_build::{begin_feedback, finish};

/// Spacing of feedback while packets arrive. Chromium's own receiver uses 50 to 250 ms; the short end reacts soonest and costs 20 packets/s.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// Unit of receive deltas.
const TICK_US: u128 = 250;
/// Ticks per unit of reference time (64 ms).
const REFERENCE_TICKS: i64 = 256;

/// The arrivals of one transport.
#[derive(Debug)]
pub struct TwccRecorder {
    /// Receive times count from here; only differences mean anything.
    epoch: Instant,
    /// Ticks of every packet from `base`, `None` for those not received.
    arrivals: VecDeque<Option<i64>>,
    /// Extended number of `arrivals[0]`.
    base: u64,
    /// Extended number from which the next feedback speaks.
    next: u64,
    due: Option<Instant>,
    feedback_count: u8,
}

impl TwccRecorder {
    /// Nothing received yet.
    pub const fn new(epoch: Instant) -> Self {
        Self { epoch, arrivals: VecDeque::new(), base: 0, next: 0, due: None, feedback_count: 0 }
    }

    /// Takes note of a packet with this transport-wide number.
    pub fn on_packet(&mut self, now: Instant, seq: u16) {
        let ticks = (now.duration_since(self.epoch).as_micros() / TICK_US) as i64;
        self.due.get_or_insert(now + FEEDBACK_INTERVAL);
        let end = self.base + self.arrivals.len() as u64;
        if self.arrivals.is_empty() {
            self.restart(seq, ticks);
            return;
        }
        let number = (end - 1).wrapping_add_signed(i64::from(seq.wrapping_sub((end - 1) as u16) as i16));
        if number >= end + TWCC_WINDOW_MAX as u64 {
            self.restart(seq, ticks);
        } else if number >= end {
            self.arrivals.extend((end..number).map(|_| None).chain([Some(ticks)]));
            self.trim();
        } else if let Some(slot) = number.checked_sub(self.base).and_then(|at| self.arrivals.get_mut(at as usize))
            && slot.is_none()
        {
            *slot = Some(ticks);
            self.next = self.next.min(number);
        }
    }

    fn restart(&mut self, seq: u16, ticks: i64) {
        self.arrivals.clear();
        self.arrivals.push_back(Some(ticks));
        // One wrap up, so that numbers before the first one do not underflow.
        self.base = 1 << 16 | u64::from(seq);
        self.next = self.base;
    }

    fn trim(&mut self) {
        let surplus = self.arrivals.len().saturating_sub(TWCC_WINDOW_MAX);
        self.arrivals.drain(..surplus);
        self.base += surplus as u64;
        self.next = self.next.max(self.base);
    }

    /// Appends one feedback packet when one is due and says so; call again until it says no. `media` is any SSRC of the transport.
    pub fn poll_feedback(&mut self, now: Instant, sender: Ssrc, media: Ssrc, out: &mut Vec<u8>) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let unreported = self.arrivals.range((self.next - self.base) as usize..);
        let Some(first) = unreported.clone().flatten().next() else {
            self.due = None;
            return false;
        };
        let reference = first.div_euclid(REFERENCE_TICKS);
        let mut symbols = [0u8; TWCC_STATUSES_MAX];
        let mut count = 0;
        let mut time = reference * REFERENCE_TICKS;
        for (arrival, symbol) in unreported.clone().zip(&mut symbols) {
            if let Some(ticks) = arrival {
                match ticks - time {
                    0..=255 => *symbol = 1,
                    delta if i16::try_from(delta).is_ok() => *symbol = 2,
                    // A delta has 16 bits, 8 s. What comes after a longer gap needs a reference of its own.
                    _too_far => break,
                }
                time = *ticks;
            }
            count += 1;
        }
        let symbols = &symbols[..count];

        let start = begin_feedback(out, TYPE_TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC, sender, media);
        out.extend_from_slice(&(self.next as u16).to_be_bytes());
        out.extend_from_slice(&(count as u16).to_be_bytes());
        out.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
        out.push(self.feedback_count);
        write_chunks(symbols, out);
        let mut time = reference * REFERENCE_TICKS;
        for (ticks, symbol) in unreported.zip(symbols).filter_map(|(arrival, symbol)| Some(((*arrival)?, symbol))) {
            let delta = (ticks - time) as i16;
            match symbol {
                1 => out.push(delta as u8),
                _large => out.extend_from_slice(&delta.to_be_bytes()),
            }
            time = ticks;
        }
        pad(out, start);
        finish(out, start);

        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.next += count as u64;
        if self.next == self.base + self.arrivals.len() as u64 {
            self.due = None;
        }
        true
    }

    /// When [`Self::poll_feedback`] has something to say.
    pub const fn wake_at(&self) -> Option<Instant> {
        self.due
    }
}

/// Status chunks (sections 3.1.3 and 3.1.4), each the shortest that fits what comes next.
fn write_chunks(mut symbols: &[u8], out: &mut Vec<u8>) {
    while let [first, ..] = symbols {
        let run = symbols.iter().take_while(|symbol| *symbol == first).count();
        let one_bit = &symbols[..symbols.len().min(14)];
        let (chunk, len) = if run >= 14 || run == symbols.len() {
            (u16::from(*first) << 13 | run as u16, run)
        } else if one_bit.iter().all(|symbol| *symbol < 2) {
            let bits = (0..).zip(one_bit).fold(0, |bits, (at, symbol)| bits | u16::from(*symbol) << (13 - at));
            (0x8000 | bits, one_bit.len())
        } else if run >= 7 {
            (u16::from(*first) << 13 | run as u16, run)
        } else {
            let two_bit = &symbols[..symbols.len().min(7)];
            let bits = (0..).zip(two_bit).fold(0, |bits, (at, symbol)| bits | u16::from(*symbol) << (12 - 2 * at));
            (0xc000 | bits, two_bit.len())
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        symbols = &symbols[len..];
    }
}

/// RTCP padding to whole words, with its bit and count (RFC 3550 section 6.4.1), so that padding is never read as a delta.
fn pad(out: &mut Vec<u8>, start: usize) {
    let padding = (out.len() - start).next_multiple_of(4) - (out.len() - start);
    if padding > 0 {
        out.resize(out.len() + padding - 1, 0);
        out.push(padding as u8);
        out[start] |= 0x20;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    use rtc_shared::marshal::Unmarshal;

    use super::*;
    use crate::sfu::rtp::rtcp::{RtcpItem, parse_compound};

    /// Numbers and microseconds as our own reader sees them, after an independent reader agreed on the frame.
    fn report(recorder: &mut TwccRecorder, now: Instant) -> Vec<(u16, Option<i64>)> {
        let mut all = Vec::new();
        let mut out = Vec::new();
        while recorder.poll_feedback(now, Ssrc(1), Ssrc(2), &mut out) {
            assert!(out.len() < 1000 && out.len().is_multiple_of(4), "{}", out.len());
            let independent = TransportLayerCc::unmarshal(&mut &out[..]).expect("valid");
            parse_compound(&out, &mut |item| {
                let RtcpItem::TransportCc(view) = item else { panic!("{item:?}") };
                let statuses: Vec<_> = view.iter().collect();
                assert_eq!(statuses.len(), usize::from(view.status_count));
                assert_eq!((independent.base_sequence_number, independent.packet_status_count), (view.base_seq, view.status_count));
                let ours: Vec<i64> = statuses.iter().filter_map(|(_, ticks)| *ticks).collect();
                let mut time = i64::from(independent.reference_time) * 64_000;
                let theirs: Vec<i64> = independent
                    .recv_deltas
                    .iter()
                    .map(|delta| {
                        time += delta.delta;
                        time / 250
                    })
                    .collect();
                assert_eq!(ours, theirs);
                all.extend(statuses);
            });
            out.clear();
        }
        all
    }

    #[test]
    fn reports_random_arrivals_exactly() {
        for seed in 0..200u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let epoch = Instant::now();
            let mut recorder = TwccRecorder::new(epoch);
            let (mut now, mut expected) = (epoch + Duration::from_millis(rng.random_range(0..5000)), Vec::new());
            let loss = rng.random_range(0.0..0.7);
            let first: u16 = rng.random();
            let mut previous = None;
            for n in 0..rng.random_range(1..1500u16) {
                let seq = first.wrapping_add(n);
                if n > 0 && rng.random_bool(loss) {
                    expected.push((seq, None));
                    continue;
                }
                let longest = [100, 2_000, 90_000, 9_000_000][rng.random_range(0..4)];
                now += Duration::from_micros(rng.random_range(0..longest));
                recorder.on_packet(now, seq);
                expected.push((seq, Some((now - epoch).as_micros() as i64 / 250)));
                previous = Some(expected.len());
            }
            expected.truncate(previous.expect("the first is never lost"));
            let reported = report(&mut recorder, now + FEEDBACK_INTERVAL);
            // Packets after a long gap are alone in a feedback of their own; lost ones before them are still reported once.
            assert_eq!(reported, expected, "seed {seed}");
            assert_eq!(recorder.wake_at(), None, "seed {seed}");
        }
    }

    #[test]
    fn a_late_packet_takes_the_feedback_back_to_it() {
        let epoch = Instant::now();
        let at = |ms| epoch + Duration::from_millis(ms);
        let mut recorder = TwccRecorder::new(epoch);
        recorder.on_packet(at(0), 65_535);
        recorder.on_packet(at(1), 1);
        assert_eq!(recorder.wake_at(), Some(at(50)));
        assert_eq!(report(&mut recorder, at(49)), []);
        assert_eq!(report(&mut recorder, at(50)), [(65_535, Some(0)), (0, None), (1, Some(4))]);
        recorder.on_packet(at(60), 0);
        assert_eq!(report(&mut recorder, at(110)), [(0, Some(240)), (1, Some(4))], "goes back in time too");
        recorder.on_packet(at(111), 1);
        assert_eq!(report(&mut recorder, at(200)), [], "a duplicate is no news");
    }

    #[test]
    fn a_jump_starts_over() {
        let epoch = Instant::now();
        let mut recorder = TwccRecorder::new(epoch);
        recorder.on_packet(epoch, 10);
        recorder.on_packet(epoch, 10 + TWCC_WINDOW_MAX as u16 + 5);
        assert_eq!(report(&mut recorder, epoch + FEEDBACK_INTERVAL), [(10 + TWCC_WINDOW_MAX as u16 + 5, Some(0))]);
    }

    #[test]
    fn hostile_numbers_stay_bounded() {
        let mut rng = StdRng::seed_from_u64(1);
        let epoch = Instant::now();
        let mut recorder = TwccRecorder::new(epoch);
        for n in 0..20_000 {
            recorder.on_packet(epoch + Duration::from_micros(n * 100), rng.random());
            assert!(recorder.arrivals.len() <= TWCC_WINDOW_MAX);
            if n % 500 == 0 {
                report(&mut recorder, epoch + Duration::from_secs(10));
            }
        }
    }
}
