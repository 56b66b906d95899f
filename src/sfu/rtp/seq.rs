//! The number spaces of RTP, each its own type: sequence numbers on the wire, extended sequence numbers, timestamps.
//!
//! Wire numbers wrap and have no order of their own; [`SeqExtender`] is the only way from [`WireSeq`] to [`SeqNo`].

/// A sequence number as it stands in a packet: 16 bits, wraps (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireSeq(pub u16);

/// An extended sequence number: never wraps, so it orders and indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SeqNo(pub u64);

/// An RTP timestamp in ticks of the codec's clock: 32 bits, wraps (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl WireSeq {
    /// The number `n` later.
    pub const fn wrapping_add(self, n: u16) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// How far `self` is after `earlier`, modulo 2^16.
    pub const fn wrapping_sub(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether `self` comes after `other`, taking the shorter way around.
    pub const fn is_newer(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i16) > 0
    }
}

impl SeqNo {
    /// As it stands on the wire.
    pub const fn wire(self) -> WireSeq {
        WireSeq(self.0 as u16)
    }

    /// The following number.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Roll-over counter of SRTP (RFC 3711 section 3.3.1) for a stream whose numbers start below 2^16.
    pub const fn rollovers(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

impl RtpTime {
    /// The timestamp `ticks` later.
    pub const fn wrapping_add(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Ticks from `earlier` to `self`, modulo 2^32.
    pub const fn wrapping_sub(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Ticks from `earlier` to `self`, negative when `self` is the earlier one by the shorter way around.
    pub const fn signed_sub(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether `self` comes after `other`, taking the shorter way around.
    pub const fn is_newer(self, other: Self) -> bool {
        self.signed_sub(other) > 0
    }
}

/// A packet that does not continue its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discontinuity {
    /// Far from everything before it; not taken into account unless its successor follows. Drop it.
    Stray,
    /// The second packet of a row that is far from everything before: the sender restarted. Extended numbers go on above all earlier
    /// ones; nothing between may be asked for again.
    Restarted(SeqNo),
}

/// Extends the wire numbers of one received stream (RFC 3550 appendix A.1, without its probation).
#[derive(Debug, Clone, Copy)]
pub struct SeqExtender {
    highest: Option<SeqNo>,
    /// Multiple of 2^16 that the first number is counted from.
    base: u64,
    /// The successor of the last stray: seeing it means a restart.
    expected_after_stray: Option<WireSeq>,
}

impl Default for SeqExtender {
    fn default() -> Self {
        Self::new()
    }
}

impl SeqExtender {
    /// Packets by which one may be ahead or behind and still belong to the stream: `MAX_DROPOUT` of RFC 3550 appendix A.1, used both
    /// ways because retransmissions arrive late.
    pub const JUMP_MAX: u16 = 3000;

    /// Nothing received yet.
    pub const fn new() -> Self {
        Self::based_on(1 << 16)
    }

    /// For a stream that takes this one's place: all its numbers will be above all of this one's.
    pub const fn followed(&self) -> Self {
        match self.highest {
            // One epoch is left out, so that packets before its first one still have numbers of their own.
            Some(highest) => Self::based_on(((highest.0 >> 16) + 2) << 16),
            None => *self,
        }
    }

    const fn based_on(base: u64) -> Self {
        Self { highest: None, base, expected_after_stray: None }
    }

    /// The highest number so far.
    pub const fn highest(&self) -> Option<SeqNo> {
        self.highest
    }

    /// The extended number of a packet. The first of all maps to `2^16 + seq`, so that earlier ones that come late still have one.
    ///
    /// # Errors
    /// [`Discontinuity`], when the packet is more than [`Self::JUMP_MAX`] away from the highest.
    pub const fn extend(&mut self, wire: WireSeq) -> Result<SeqNo, Discontinuity> {
        let Some(highest) = self.highest else {
            let first = SeqNo(self.base | wire.0 as u64);
            self.highest = Some(first);
            return Ok(first);
        };
        let step = wire.wrapping_sub(highest.wire()) as i16;
        if step.unsigned_abs() > Self::JUMP_MAX {
            if let Some(expected) = self.expected_after_stray
                && expected.0 == wire.0
            {
                let restarted = SeqNo(((highest.0 >> 16) + 1) << 16 | wire.0 as u64);
                *self = Self { highest: Some(restarted), expected_after_stray: None, ..*self };
                return Err(Discontinuity::Restarted(restarted));
            }
            self.expected_after_stray = Some(wire.wrapping_add(1));
            return Err(Discontinuity::Stray);
        }
        self.expected_after_stray = None;
        // The first number is at least 2^16 and steps back are bounded by 3000 from the highest, so this stays positive.
        let seq = SeqNo(highest.0.wrapping_add_signed(step as i64));
        if seq.0 > highest.0 {
            self.highest = Some(seq);
        }
        Ok(seq)
    }

    /// The extended number nearest to the highest one, without changing anything: for the number inside a retransmission or a NACK.
    pub const fn nearest(&self, wire: WireSeq) -> Option<SeqNo> {
        match self.highest {
            Some(highest) => Some(SeqNo(highest.0.wrapping_add_signed(wire.wrapping_sub(highest.wire()) as i16 as i64))),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extends_over_the_wrap_and_back_for_late_packets() {
        let mut extender = SeqExtender::new();
        let wires = [65534u16, 65535, 0, 2, 1, 65533, 3];
        let base = 1u64 << 16;
        let expected = [base + 65534, base + 65535, base + 65536, base + 65538, base + 65537, base + 65533, base + 65539];
        for (wire, seq) in wires.into_iter().zip(expected) {
            assert_eq!(extender.extend(WireSeq(wire)), Ok(SeqNo(seq)), "{wire}");
        }
    }

    #[test]
    fn packets_before_the_first_one_do_not_underflow() {
        let mut extender = SeqExtender::new();
        assert_eq!(extender.extend(WireSeq(0)), Ok(SeqNo(65536)));
        assert_eq!(extender.extend(WireSeq(65535)), Ok(SeqNo(65535)));
        assert_eq!(extender.nearest(WireSeq(65000)), Some(SeqNo(65000)));
    }

    #[test]
    fn one_stray_is_forgotten_and_two_in_a_row_restart_above_all() {
        let mut extender = SeqExtender::new();
        assert_eq!(extender.extend(WireSeq(100)), Ok(SeqNo(65636)));
        assert_eq!(extender.extend(WireSeq(30_000)), Err(Discontinuity::Stray));
        assert_eq!(extender.extend(WireSeq(101)), Ok(SeqNo(65637)));
        assert_eq!(extender.extend(WireSeq(30_001)), Err(Discontinuity::Stray), "the row was broken");
        assert_eq!(extender.extend(WireSeq(30_002)), Err(Discontinuity::Restarted(SeqNo(2 * 65536 + 30_002))));
        assert_eq!(extender.extend(WireSeq(30_003)), Ok(SeqNo(2 * 65536 + 30_003)));
    }

    #[test]
    fn a_restart_below_goes_on_above() {
        let mut extender = SeqExtender::new();
        let before = extender.extend(WireSeq(60_000)).expect("first");
        let _stray = extender.extend(WireSeq(10));
        let Err(Discontinuity::Restarted(after)) = extender.extend(WireSeq(11)) else { panic!("restart expected") };
        assert!(after > before);
        assert_eq!(after.wire(), WireSeq(11));
    }

    #[test]
    fn a_stream_that_takes_anothers_place_is_numbered_above_it() {
        let mut before = SeqExtender::new();
        before.extend(WireSeq(65_000)).expect("first");
        let mut highest = before.extend(WireSeq(500)).expect("over the wrap");
        for first in [0, 1, 60_000] {
            let mut after = before.followed();
            let seq = after.extend(WireSeq(first)).expect("first");
            let earlier = after.extend(WireSeq(first).wrapping_add(u16::MAX - 1999)).expect("late");
            assert!(earlier > highest && earlier < seq && seq.wire() == WireSeq(first));
            (before, highest) = (after, seq);
        }
        assert_eq!(SeqExtender::new().followed().highest(), None);
    }

    #[test]
    fn newer_takes_the_shorter_way_around() {
        assert!(WireSeq(1).is_newer(WireSeq(65_000)));
        assert!(!WireSeq(65_000).is_newer(WireSeq(1)));
        assert!(!WireSeq(7).is_newer(WireSeq(7)));
        assert!(RtpTime(5).is_newer(RtpTime(u32::MAX - 5)));
        assert_eq!(RtpTime(5).signed_sub(RtpTime(10)), -5);
    }
}
