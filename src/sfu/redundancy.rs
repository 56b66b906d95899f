//! How much redundancy one viewer's sound gets, by the loss that the viewer reports: none while nothing is lost, the frame before while some
//! is, the two before while much is. It comes with the first bad report and goes only after a calm while, because loss comes in spells.

use std::time::Instant;

use crate::limits;
use crate::sfu::packet::RtpPacket;
use crate::sfu::packet_ring::PacketRing;
use crate::sfu::rewrite::Segment;
use crate::sfu::rtp::red::{self, Block, Earlier};
use crate::sfu::rtp::seq::SeqNo;

/// The redundancy of one down-track.
#[derive(Debug, Default)]
pub struct Redundancy {
    frames: u8,
    /// The last report that asked for as many frames as are sent, or more.
    needed: Option<Instant>,
}

impl Redundancy {
    /// Earlier frames that each packet shall carry, 0 to 2.
    pub fn frames(&self) -> u8 {
        self.frames
    }

    /// What goes with a packet. Nothing with one that is late itself; and nothing of holes, or of what this viewer never had a number for.
    pub fn earlier<'a>(&self, packet: &RtpPacket, segment: &Segment, ring: &'a PacketRing) -> Option<Earlier<'a>> {
        let frames = usize::from(self.frames);
        if frames == 0 || packet.recovered {
            return None;
        }
        let mut blocks = [None; red::BLOCKS_MAX];
        for (back, block) in (1..).zip(blocks.iter_mut().take(frames)) {
            let Some(earlier) = packet.seq.0.checked_sub(back).and_then(|seq| ring.get(SeqNo(seq))) else { continue };
            let distance = packet.time.wrapping_sub(earlier.time);
            if segment.contains(earlier.seq) && red::fits(distance, earlier.payload.len()) {
                *block = Some(Block { distance, payload: &earlier.payload });
            }
        }
        blocks.iter().any(Option::is_some).then_some(blocks)
    }

    /// A receiver report: packets lost since the one before, of 256. `most`: frames that there is room for.
    pub fn handle_report(&mut self, now: Instant, fraction_lost: u8, most: u8) {
        let wanted = match u32::from(fraction_lost) * 1000 / 256 {
            lost if lost >= limits::REDUNDANCY_TWO_FROM_PERMILLE => 2,
            lost if lost >= limits::REDUNDANCY_ONE_FROM_PERMILLE => 1,
            _ => 0,
        }
        .min(most);
        self.frames = self.frames.min(most);
        if wanted >= self.frames {
            self.frames = wanted;
            self.needed = Some(now);
        } else if self.needed.is_none_or(|needed| now.saturating_duration_since(needed) >= limits::REDUNDANCY_KEPT) {
            self.frames -= 1;
            self.needed = Some(now);
        }
    }
}

/// How many earlier frames each sound of a viewer may repeat, of sounds of so many bits per second, where the path is full and carries so many
/// (`None`: it is not full). A path that is full loses what is too much for it: all of them together may take a small part of it, which is everything
/// for one sound and nothing for a dozen.
pub fn frames_max(sound_bps: u32, full_at_bps: Option<f64>) -> u8 {
    full_at_bps.map_or(u8::MAX, |path_bps| (path_bps * limits::REDUNDANCY_OF_FULL_PATH / f64::from(sound_bps.max(1))) as u8)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn comes_at_once_and_goes_by_and_by() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut redundancy = Redundancy::default();
        let kept = limits::REDUNDANCY_KEPT.as_secs();
        // Second, packets lost of 256, frames then.
        let rows = [(0, 0, 0), (1, 2, 0), (2, 6, 1), (3, 0, 1), (4, 40, 2), (5, 6, 2), (4 + kept, 6, 1), (5 + kept, 6, 1)];
        let rows = rows.into_iter().chain([(4 + 2 * kept, 0, 1), (5 + 2 * kept, 0, 0), (6 + 2 * kept, 0, 0)]);
        for (seconds, lost, frames) in rows {
            redundancy.handle_report(at(seconds), lost, 2);
            assert_eq!(redundancy.frames(), frames, "after {seconds} s");
        }
    }

    #[test]
    fn takes_no_more_room_than_there_is() {
        let start = Instant::now();
        let mut redundancy = Redundancy::default();
        for (most, frames) in [(2, 2), (1, 1), (0, 0), (2, 2)] {
            redundancy.handle_report(start, 40, most);
            assert_eq!(redundancy.frames(), frames, "room for {most}");
        }
        let rows = [
            (48_000, None, 2),
            (48_000, Some(1_500_000.0), 2),
            (150_000, Some(1_500_000.0), 1),
            (600_000, Some(1_500_000.0), 0),
            (0, Some(80_000.0), 2),
        ];
        for (sound_bps, full_at_bps, frames) in rows {
            assert_eq!(frames_max(sound_bps, full_at_bps).min(2), frames, "{sound_bps} of {full_at_bps:?}");
        }
    }
}
