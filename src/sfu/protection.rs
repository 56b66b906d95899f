//! How much forward error correction one viewer's video gets: none while its losses can be mended by asking again in time, more the more is
//! lost, none where its bits do not fit.
//!
//! Behind every so many packets goes their parity (`rtp/flexfec.rs`), which brings back one of them: with a loss of 5 % behind five, so that three
//! of four lost packets are back before a request for them could have been answered.

use std::time::Duration;

use crate::limits;
use crate::sfu::rtp::extensions::{ExtensionMap, sending_values};
use crate::sfu::rtp::flexfec::{PACKETS_MAX, Parity};
use crate::sfu::rtp::header::FIXED_HEADER_LEN;
use crate::sfu::rtp::id::{Pt, Ssrc};
use crate::sfu::rtp::seq::SeqNo;

/// What decides about it, from a viewer's report.
#[derive(Debug, Clone, Copy)]
pub struct PathNews {
    /// Packets lost since the report before, of 256.
    pub fraction_lost: u8,
    /// `None`: not known.
    pub round_trip: Option<Duration>,
    /// What the path carries, of what is sent: 1 is just that, 0 not known.
    pub room: f32,
}

/// The parity stream beside one down-track, for viewers who negotiated one.
#[derive(Debug)]
pub struct Protection {
    pub ssrc: Ssrc,
    pub pt: Pt,
    seq: u64,
    /// Packets per parity packet; `None`: it is off.
    group: Option<u32>,
    /// By the viewer's reports, smoothed over about four of them.
    lost_permille: Option<f32>,
    parity: Parity,
    is_due: bool,
}

impl Protection {
    /// `start`: the first number of its stream is the next one.
    fn new(ssrc: Ssrc, pt: Pt, start: u16) -> Self {
        Self { ssrc, pt, seq: u64::from(start & 0x7fff), group: None, lost_permille: None, parity: Parity::default(), is_due: false }
    }

    /// What was agreed: its stream and payload type. A stream that goes on keeps its numbers, because none may be used twice under one key.
    pub fn renegotiate(this: &mut Option<Box<Self>>, agreed: Option<(Ssrc, Pt)>, start: u16) {
        match (this.as_mut(), agreed) {
            (Some(present), Some((ssrc, pt))) if present.ssrc == ssrc => present.pt = pt,
            (_, Some((ssrc, pt))) => *this = Some(Box::new(Self::new(ssrc, pt, start))),
            (_, None) => *this = None,
        }
    }

    pub fn handle_report(&mut self, news: PathNews) {
        let lost = f32::from(news.fraction_lost) * 1000.0 / 256.0;
        let smooth = self.lost_permille.map_or(lost, |smooth| smooth * 0.75 + lost * 0.25);
        self.lost_permille = Some(smooth);
        let is_far = news.round_trip.is_some_and(|round_trip| round_trip >= limits::FEC_ROUND_TRIP_MIN);
        // Where it is on it stays on through half the loss: it shall not come and go.
        let from = if self.is_on() { limits::FEC_FROM_PERMILLE / 2.0 } else { limits::FEC_FROM_PERMILLE };
        // A tenth for what varies.
        let spare = (news.room - 1.1).max(0.0);
        let group = (250.0 / smooth.max(1.0)).max(limits::FEC_GROUP_MIN).max(1.0 / spare);
        if is_far && smooth >= from && 1.0 / spare <= f32::from(PACKETS_MAX) {
            self.group = Some((group.ceil() as u32).min(u32::from(PACKETS_MAX)));
        } else {
            self.group = None;
            self.parity.clear();
            self.is_due = false;
        }
    }

    pub fn is_on(&self) -> bool {
        self.group.is_some()
    }

    /// A packet is about to leave: whole, and not yet sealed. `ends_frame`: nothing of its frame follows.
    pub fn cover(&mut self, seq: SeqNo, packet: &[u8], extensions: &ExtensionMap, ends_frame: bool) {
        let Some(group) = self.group else { return };
        let wire = seq.wire();
        if !self.parity.reaches(wire) {
            if self.parity.is_behind(wire) {
                return;
            }
            // Holes upstream: what was gathered covers too little to be worth a packet.
            self.parity.clear();
        }
        let block = packet.get(FIXED_HEADER_LEN..).unwrap_or_default();
        let has_extensions = packet.first().is_some_and(|first| first & 0x10 != 0);
        self.parity.add(wire, packet, sending_values(extensions, if has_extensions { block } else { &[] }));
        let packets = self.parity.packets();
        // Waiting for the next frame would make it come too late; half a group must do.
        self.is_due = packets >= group || self.parity.ends_at(wire) || ends_frame && packets * 2 >= group;
    }

    /// The number of a parity packet that should leave now.
    pub fn due(&mut self) -> Option<SeqNo> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        self.seq += 1;
        Some(SeqNo(self.seq))
    }

    /// Appends the payload of that packet.
    pub fn write(&mut self, media: Ssrc, out: &mut Vec<u8>) {
        self.parity.write(media, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Option<Duration> = Some(Duration::from_millis(200));

    fn protection() -> Protection {
        Protection::new(Ssrc(9), Pt(49), 1)
    }

    fn news(percent: u32, round_trip: Option<Duration>, room: f32) -> PathNews {
        PathNews { fraction_lost: (percent * 256 / 100) as u8, round_trip, room }
    }

    /// How many packets it takes until parity is due.
    fn group_of(protection: &mut Protection) -> Option<u64> {
        (0..100).find(|seq| {
            protection.cover(SeqNo(*seq), &[0x80; 40], &ExtensionMap::default(), false);
            protection.due().is_some_and(|_| {
                protection.write(Ssrc(1), &mut Vec::new());
                true
            })
        })
    }

    #[test]
    fn more_is_protected_the_more_is_lost_and_nothing_where_asking_again_is_soon_enough() {
        let near = Some(limits::FEC_ROUND_TRIP_MIN - Duration::from_millis(1));
        let rows = [
            (news(0, FAR, 2.0), None),
            (news(5, near, 2.0), None),
            (news(5, None, 2.0), None),
            (news(5, FAR, 1.1), None),
            (news(2, FAR, 2.0), Some(12)),
            (news(5, FAR, 2.0), Some(5)),
            (news(5, FAR, f32::INFINITY), Some(5)),
            (news(5, FAR, 1.2), Some(9)),
            (news(5, FAR, 1.15), None),
            (news(60, FAR, 2.0), Some(2)),
        ];
        for (news, last) in rows {
            let mut protection = protection();
            protection.handle_report(news);
            assert_eq!(group_of(&mut protection), last, "{news:?}");
        }
    }

    #[test]
    fn outlasts_calm_reports_and_ends_at_once_where_there_is_no_room() {
        let mut protection = protection();
        protection.handle_report(news(10, FAR, 2.0));
        protection.handle_report(news(0, FAR, 2.0));
        assert!(protection.is_on());
        protection.handle_report(news(10, FAR, 1.0));
        assert!(!protection.is_on());
        protection.handle_report(news(10, FAR, 2.0));
        assert!(protection.is_on());
        let calm = (0..100).position(|_| {
            protection.handle_report(news(0, FAR, 2.0));
            !protection.is_on()
        });
        assert_eq!(calm, Some(9), "it takes a while to believe it");
    }

    #[test]
    fn a_frame_of_half_a_group_is_protected_by_itself_and_late_packets_are_left_alone() {
        let mut protection = protection();
        protection.handle_report(news(5, FAR, 2.0));
        let mut cover = |seq, ends_frame| {
            protection.cover(SeqNo(seq), &[0x80; 40], &ExtensionMap::default(), ends_frame);
            let covered = protection.parity.packets();
            protection.due().map(|_| {
                protection.write(Ssrc(1), &mut Vec::new());
                covered
            })
        };
        assert_eq!([cover(100, false), cover(101, true)], [None, None], "two are too few");
        assert_eq!(cover(90, true), None, "a repair of long ago");
        assert_eq!(cover(102, true), Some(3));
        assert_eq!(cover(103, false), None);
        assert_eq!(cover(200, false), None, "after a gap it begins anew");
        assert_eq!((201..=204).find_map(|seq| cover(seq, false)), None);
        assert_eq!(cover(205, false), Some(6));
    }
}
