//! What arrives from publishers, and what must be said back to them so that they keep sending well. Pure: `now` comes in, RTCP goes out.
//!
//! ```text
//! packet ─┬─▶ nack::NackGenerator     ─▶ sequence numbers to ask for again, or the need of a key frame
//!         ├─▶ twcc::TwccRecorder      ─▶ transport-wide feedback (one per transport)
//!         └─▶ reception::Reception    ─▶ report block (one per stream)
//! ```

pub mod nack;
pub mod reception;
pub mod twcc;

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz {
    use std::time::{Duration, Instant};

    use super::nack::NackGenerator;
    use super::reception::Reception;
    use super::twcc::TwccRecorder;
    use crate::limits::{NACK_MISSING_MAX, NACK_TRIES_MAX};
    use crate::sfu::rtp::id::Ssrc;
    use crate::sfu::rtp::rtcp::fuzz::fuzz_compound;
    use crate::sfu::rtp::seq::{Discontinuity, RtpTime, SeqExtender, WireSeq};

    /// Any bytes as a row of arrivals, five each (sequence number, timestamp step, waiting time): no panic, bounded lists, an end to asking.
    pub fn fuzz_arrivals(epoch: Instant, bytes: &[u8]) {
        let (mut extender, mut nack) = (SeqExtender::new(), NackGenerator::new());
        let (mut twcc, mut reception) = (TwccRecorder::new(epoch), Reception::new(90_000));
        let (mut now, mut time, mut wanted, mut feedback) = (epoch, RtpTime(0), Vec::new(), Vec::new());
        for &[s0, s1, t0, t1, wait] in bytes.as_chunks::<5>().0 {
            let wire = WireSeq(u16::from_be_bytes([s0, s1]));
            time = time.wrapping_add(u32::from_be_bytes([t0, t1, s0, s1]));
            now += Duration::from_micros(u64::from(wait) * u64::from(wait) * 100);
            twcc.on_packet(now, wire.0);
            match extender.extend(wire) {
                Ok(seq) => {
                    nack.on_packet(now, seq);
                    reception.on_packet(now, seq, time);
                }
                Err(Discontinuity::Stray) => {}
                Err(Discontinuity::Restarted(seq)) => {
                    nack.reset();
                    reception = Reception::new(90_000);
                    reception.on_packet(now, seq, time);
                }
            }
            nack.poll(now, Duration::ZERO, &mut wanted);
            assert!(nack.missing() <= NACK_MISSING_MAX);
            while twcc.poll_feedback(now, Ssrc(1), Ssrc(2), &mut feedback) {
                fuzz_compound(&feedback);
                feedback.clear();
            }
            reception.report(now, Ssrc(1));
        }
        for _ in 0..=NACK_MISSING_MAX * usize::from(NACK_TRIES_MAX) {
            let Some(wake) = nack.wake_at() else { break };
            now = now.max(wake);
            nack.poll(now, Duration::ZERO, &mut wanted);
        }
        assert_eq!(nack.wake_at(), None, "asking comes to an end");
    }
}

#[cfg(test)]
mod tests {
    use super::fuzz::fuzz_arrivals;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
    fn survives_hostile_arrivals() {
        let orderly: Vec<u8> = (0..40u8).flat_map(|n| [0, 3 * n, 0, 1, 20 * (n % 3)]).collect();
        let epoch = std::time::Instant::now();
        bombard(&[orderly], |bytes| fuzz_arrivals(epoch, bytes));
    }
}
