//! What one viewer is sent again, and when: the discipline of retransmissions. It keeps numbers, never packets; the packets are taken from
//! the shared ring when their turn comes ([`crate::sfu::forward::retransmit`]).
//!
//! ```text
//!   NACK ─▶ ask: not within a round trip, not too often, within the budget ─▶ waiting ─▶ next: as fast as is paced ─▶ sent
//! ```
//! A storm of requests costs no more than its share of the media: the budget fills with the media that leaves and with nothing else, so it
//! needs no clock. Nothing is allocated before the first loss.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits;
use crate::sfu::pacer::paced;
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::rtp::seq::WireSeq;

/// Why a packet that was asked for is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum NotResent {
    /// It was, so lately that the request cannot be the answer to that.
    JustSent,
    /// So often that it is not going to arrive.
    TooOften,
    /// Repairs have used up their share of what the viewer is sent.
    OverBudget,
    /// Too many others wait for their turn.
    QueueFull,
    /// The publisher's packet has not come: it is asked for upstream, once, and goes to everybody in its place.
    NotReceived,
    /// A key frame has begun the picture anew since.
    Superseded,
}

impl NotResent {
    pub const ALL: [Self; 6] = [Self::JustSent, Self::TooOften, Self::OverBudget, Self::QueueFull, Self::NotReceived, Self::Superseded];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::JustSent => "just_sent",
            Self::TooOften => "too_often",
            Self::OverBudget => "over_budget",
            Self::QueueFull => "queue_full",
            Self::NotReceived => "not_received",
            Self::Superseded => "superseded",
        }
    }
}

/// A packet that was sent again.
#[derive(Debug, Clone, Copy)]
struct Resent {
    ssrc: Ssrc,
    seq: WireSeq,
    times: u16,
    /// Since the first one to this viewer.
    at_ms: u32,
}

/// Retransmissions to one viewer.
#[derive(Debug, Default)]
pub struct Resends {
    epoch: Option<Instant>,
    /// By sequence number, modulo its length; a newcomer overwrites whom it meets. Empty until the first loss.
    recent: Vec<Option<Resent>>,
    waiting: VecDeque<(Ssrc, WireSeq)>,
    /// When the next may leave.
    due: Option<Instant>,
    /// Below zero when the last one took more than was left: the next waits until that is paid.
    budget_bytes: i64,
    media_bytes: u64,
    resent_bytes: u64,
}

impl Resends {
    /// The viewer asks for a packet. `round_trip`: what is known of it. `sent_bytes`: everything it was ever sent.
    ///
    /// # Errors
    /// Why it is not sent again.
    pub fn ask(&mut self, now: Instant, ssrc: Ssrc, seq: WireSeq, round_trip: Duration, sent_bytes: u64) -> Result<(), NotResent> {
        self.check(now, ssrc, seq, round_trip)?;
        self.fill(sent_bytes);
        if self.budget_bytes <= 0 {
            return Err(NotResent::OverBudget);
        }
        if self.waiting.contains(&(ssrc, seq)) {
            return Err(NotResent::JustSent);
        }
        if self.waiting.len() >= limits::RESENDS_WAITING_MAX {
            return Err(NotResent::QueueFull);
        }
        self.waiting.push_back((ssrc, seq));
        Ok(())
    }

    /// The next packet whose turn has come.
    pub fn next(&mut self, now: Instant) -> Option<(Ssrc, WireSeq)> {
        if self.due.is_some_and(|due| due > now) {
            return None;
        }
        self.waiting.pop_front()
    }

    /// When [`Self::next`] has something; `None` while nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front()?;
        self.due
    }

    /// A packet left again, `bytes` long, at a pace of `rate_bps`.
    pub fn handle_sent(&mut self, now: Instant, ssrc: Ssrc, seq: WireSeq, bytes: usize, rate_bps: u32) {
        let epoch = *self.epoch.get_or_insert(now);
        if self.recent.is_empty() {
            self.recent.resize(limits::RESENDS_REMEMBERED, None);
        }
        let slot = &mut self.recent[usize::from(seq.0) % limits::RESENDS_REMEMBERED];
        let times = slot.filter(|resent| (resent.ssrc, resent.seq) == (ssrc, seq)).map_or(1, |resent| resent.times + 1);
        *slot = Some(Resent { ssrc, seq, times, at_ms: now.saturating_duration_since(epoch).as_millis() as u32 });
        self.budget_bytes -= bytes as i64;
        self.resent_bytes += bytes as u64;
        self.due = Some(paced(self.due.unwrap_or(now), now, bytes, rate_bps));
        // It was lost twice: a third round trip would be seen, so it goes twice.
        if times == 2 && self.waiting.len() < limits::RESENDS_WAITING_MAX {
            self.waiting.push_back((ssrc, seq));
        }
    }

    fn check(&self, now: Instant, ssrc: Ssrc, seq: WireSeq, round_trip: Duration) -> Result<(), NotResent> {
        let (Some(epoch), Some(slot)) = (self.epoch, self.recent.get(usize::from(seq.0) % limits::RESENDS_REMEMBERED)) else {
            return Ok(());
        };
        let Some(resent) = slot.filter(|resent| (resent.ssrc, resent.seq) == (ssrc, seq)) else { return Ok(()) };
        let passed = now.saturating_duration_since(epoch + Duration::from_millis(resent.at_ms.into()));
        // Wire numbers come round again.
        if passed > limits::RESEND_FORGOTTEN_AFTER {
            return Ok(());
        }
        // Three quarters, because round trips vary and a repair that comes late is worth less than one that comes twice.
        let apart = (round_trip * 3 / 4).clamp(limits::RESEND_AGAIN_MIN, limits::RESEND_AGAIN_MAX);
        if passed < apart {
            Err(NotResent::JustSent)
        } else if resent.times >= limits::RESENDS_OF_ONE_MAX {
            Err(NotResent::TooOften)
        } else {
            Ok(())
        }
    }

    /// The media that has left since the last call adds its share.
    fn fill(&mut self, sent_bytes: u64) {
        let media_bytes = sent_bytes.saturating_sub(self.resent_bytes);
        let share = if self.epoch.is_none() && self.media_bytes == 0 {
            limits::RESEND_BUDGET_BYTES_MAX
        } else {
            media_bytes.saturating_sub(self.media_bytes) * limits::RESEND_SHARE_PERCENT / 100
        };
        self.media_bytes = media_bytes;
        self.budget_bytes = (self.budget_bytes + share as i64).min(limits::RESEND_BUDGET_BYTES_MAX as i64);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);
    const SSRC: Ssrc = Ssrc(7);
    const RATE: u32 = 8_000_000;

    /// Asks, and sends what may be sent.
    fn asked(resends: &mut Resends, now: Instant, seq: u16, sent_bytes: u64) -> Result<(), NotResent> {
        resends.ask(now, SSRC, WireSeq(seq), RTT, sent_bytes)?;
        while let Some((ssrc, seq)) = resends.next(now) {
            resends.handle_sent(now, ssrc, seq, 1000, RATE);
        }
        Ok(())
    }

    #[test]
    fn a_packet_is_sent_again_once_a_round_trip_and_not_for_ever() {
        let start = Instant::now();
        let mut resends = Resends::default();
        let (mut sent, mut refused) = (0, 0);
        for ms in (0..1000).step_by(5) {
            match asked(&mut resends, start + Duration::from_millis(ms), 65_535, 0) {
                Ok(()) => sent += 1,
                Err(NotResent::JustSent) => refused += 1,
                Err(other) => assert_eq!((other, sent), (NotResent::TooOften, limits::RESENDS_OF_ONE_MAX - 1)),
            }
        }
        // The second request was answered twice.
        assert_eq!(sent, limits::RESENDS_OF_ONE_MAX - 1);
        assert_eq!(refused, 5 * sent, "between two of them, and after the last");
        let round = start + limits::RESEND_FORGOTTEN_AFTER + Duration::from_secs(2);
        assert_eq!(asked(&mut resends, round, 65_535, 0), Ok(()), "the number means another packet now");
    }

    #[test]
    fn another_track_has_numbers_of_its_own() {
        let now = Instant::now();
        let mut resends = Resends::default();
        assert_eq!(asked(&mut resends, now, 5, 0), Ok(()));
        assert_eq!(resends.ask(now, SSRC, WireSeq(5), RTT, 0), Err(NotResent::JustSent));
        assert_eq!(resends.ask(now, Ssrc(8), WireSeq(5), RTT, 0), Ok(()));
    }

    #[test]
    fn repairs_take_no_more_than_their_share_of_the_media() {
        let mut now = Instant::now();
        let mut resends = Resends::default();
        let mut sent_bytes = 0;
        let (mut media, mut over) = (0, 0);
        // 8 Mbit/s, of which everything is asked for.
        for seq in 0..10_000u16 {
            now += Duration::from_millis(1);
            media += 1000;
            sent_bytes += 1000;
            let before = resends.resent_bytes;
            over += u64::from(asked(&mut resends, now, seq, sent_bytes) == Err(NotResent::OverBudget));
            sent_bytes += resends.resent_bytes - before;
        }
        let most = limits::RESEND_BUDGET_BYTES_MAX + media * limits::RESEND_SHARE_PERCENT / 100;
        assert!(resends.resent_bytes <= most && resends.resent_bytes > most * 9 / 10, "{} of {most}", resends.resent_bytes);
        assert!(over > 5000);
    }

    #[test]
    fn many_at_once_leave_at_the_pace_given() {
        let start = Instant::now();
        let mut resends = Resends::default();
        let mut refused = 0;
        for seq in 0..200 {
            match resends.ask(start, SSRC, WireSeq(seq), RTT, 0) {
                Ok(()) => {}
                Err(why) => {
                    assert_eq!(why, NotResent::QueueFull);
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 200 - limits::RESENDS_WAITING_MAX);
        let (mut now, mut left) = (start, Vec::new());
        loop {
            while let Some((ssrc, seq)) = resends.next(now) {
                resends.handle_sent(now, ssrc, seq, 1000, RATE);
                left.push(now - start);
            }
            let Some(due) = resends.due() else { break };
            now = due;
        }
        // A millisecond each at this rate; a burst of what the pace may catch up.
        assert_eq!(left.len(), limits::RESENDS_WAITING_MAX);
        for (index, at) in left.iter().enumerate() {
            assert!(*at + limits::PACE_CATCH_UP_MAX >= Duration::from_millis(index as u64), "{index} at {at:?}");
        }
    }
}
