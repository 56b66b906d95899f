//! Who fills the free m-lines of one member's peer. A face that stays keeps its m-line.
//!
//! Invariants: nobody is on two m-lines of a kind; an m-line changes only when who was on it must go, or its source did.

use super::MemberId;
use crate::ids::SourceId;

/// A free m-line of a member's peer, by its place among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Line {
    Sound(u8),
    Picture(u8),
}

/// Somebody who is to be seen or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) member: MemberId,
    pub(super) source: SourceId,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Seating {
    sound: Vec<Option<Seat>>,
    picture: Vec<Option<Seat>>,
}

impl Seating {
    /// The peer has so many m-lines.
    pub(super) fn resize(&mut self, sound: usize, picture: usize) {
        self.sound.resize(sound, None);
        self.picture.resize(picture, None);
    }

    pub(super) fn hears(&self, member: MemberId) -> bool {
        self.sound.iter().flatten().any(|seat| seat.member == member)
    }

    pub(super) fn sees(&self, member: MemberId) -> bool {
        self.picture.iter().flatten().any(|seat| seat.member == member)
    }

    /// Seats the first of each rank as far as there are m-lines: what changed.
    pub(super) fn seat(&mut self, sound: &[Seat], picture: &[Seat]) -> Vec<(Line, Option<SourceId>)> {
        let sound = fill(&mut self.sound, sound).into_iter().map(|(at, source)| (Line::Sound(at), source));
        let picture = fill(&mut self.picture, picture).into_iter().map(|(at, source)| (Line::Picture(at), source));
        sound.chain(picture).collect()
    }

    /// Who is on which m-line.
    pub(super) fn slots(&self) -> Vec<(Line, MemberId)> {
        let sound = (0_u8..).zip(&self.sound).filter_map(|(at, seat)| Some((Line::Sound(at), seat.as_ref()?.member)));
        let picture = (0_u8..).zip(&self.picture).filter_map(|(at, seat)| Some((Line::Picture(at), seat.as_ref()?.member)));
        sound.chain(picture).collect()
    }
}

fn fill(lines: &mut [Option<Seat>], ranked: &[Seat]) -> Vec<(u8, Option<SourceId>)> {
    let before: Vec<Option<SourceId>> = lines.iter().map(|line| line.map(|seat| seat.source)).collect();
    let wanted = &ranked[..ranked.len().min(lines.len())];
    for line in lines.iter_mut() {
        // Who stays may come from another source by now.
        *line = line.and_then(|seat| wanted.iter().find(|other| other.member == seat.member).copied());
    }
    let newcomers: Vec<Seat> =
        wanted.iter().filter(|seat| !lines.iter().flatten().any(|seated| seated.member == seat.member)).copied().collect();
    for (line, seat) in lines.iter_mut().filter(|line| line.is_none()).zip(newcomers) {
        *line = Some(seat);
    }
    let after = lines.iter().map(|line| line.map(|seat| seat.source));
    (0_u8..).zip(before).zip(after).filter(|((_, before), after)| before != after).map(|((at, _), after)| (at, after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(members: &[u32]) -> Vec<Seat> {
        members.iter().map(|&member| Seat { member: MemberId(member), source: SourceId::from_bits(u64::from(member)) }).collect()
    }

    fn pictures(seating: &Seating) -> Vec<u32> {
        seating.picture.iter().map(|seat| seat.map_or(0, |seat| seat.member.0)).collect()
    }

    #[test]
    fn who_stays_keeps_their_m_line() {
        let mut seating = Seating::default();
        seating.resize(0, 3);
        seating.seat(&[], &seats(&[1, 2, 3, 4]));
        assert_eq!(pictures(&seating), [1, 2, 3]);
        let changes = seating.seat(&[], &seats(&[4, 3, 1, 2]));
        assert_eq!(pictures(&seating), [1, 4, 3], "the one who fell out gives its m-line to the newcomer");
        assert_eq!(changes, [(Line::Picture(1), Some(SourceId::from_bits(4)))]);
        let changes = seating.seat(&[], &seats(&[3]));
        assert_eq!((pictures(&seating), changes.len()), (vec![0, 0, 3], 2));
    }

    #[test]
    fn a_new_source_of_the_same_member_is_a_change_on_the_same_m_line() {
        let mut seating = Seating::default();
        seating.resize(2, 0);
        seating.seat(&seats(&[1, 2]), &[]);
        let moved = [Seat { member: MemberId(2), source: SourceId::from_bits(20) }, seats(&[1])[0]];
        assert_eq!(seating.seat(&moved, &[]), [(Line::Sound(1), Some(SourceId::from_bits(20)))]);
        seating.resize(3, 0);
        assert_eq!(seating.slots(), [(Line::Sound(0), MemberId(1)), (Line::Sound(1), MemberId(2))]);
    }
}
