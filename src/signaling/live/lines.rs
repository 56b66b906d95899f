//! The receiving m-lines of sessions' viewing peers: which the broadcast fills, which are a guest's, and which are free for a call. Pure.
//!
//! Invariant: a session's newest peer is the one that its call and its guest appearance use.

use std::collections::HashMap;

use crate::ids::{PeerId, SessionId, SourceId};
use crate::sfu::codec::MediaKind;
use crate::sfu::handle::{Fill, PeerAnswer};
use crate::sfu::rtp::id::Mid;
use crate::signaling::protocol::{MemberId, Slot};
use crate::social::call::seating::Line;

/// Of one peer.
#[derive(Debug)]
struct PeerLines {
    session: SessionId,
    main: Vec<(Mid, MediaKind)>,
    guest: Vec<(Mid, MediaKind)>,
    sound: Vec<Mid>,
    picture: Vec<Mid>,
    source: Option<SourceId>,
}

/// See the file's head. Bounded by the peers of the directory.
#[derive(Debug, Default)]
pub(super) struct Lines {
    peers: HashMap<PeerId, PeerLines>,
    newest: HashMap<SessionId, PeerId>,
}

impl Lines {
    /// The media plane has answered an offer of a session. Where the peer is new: the one before, if there was one.
    pub(super) fn answered(&mut self, session: SessionId, answer: &PeerAnswer, source: Option<SourceId>) -> Newness {
        let of_kind = |wanted: MediaKind| answer.free.iter().filter(move |(_, kind)| *kind == wanted).map(|(mid, _)| *mid);
        // The first pair is kept for a guest on air.
        let free = |wanted: MediaKind| of_kind(wanted).skip(1).take(usize::from(u8::MAX)).collect();
        let guest = [MediaKind::Audio, MediaKind::Video].into_iter().filter_map(|kind| Some((of_kind(kind).next()?, kind))).collect();
        let (sound, picture) = (free(MediaKind::Audio), free(MediaKind::Video));
        let lines = PeerLines { session, main: answer.main.clone(), guest, sound, picture, source };
        if self.peers.insert(answer.peer, lines).is_some() {
            return Newness::Known;
        }
        Newness::New { before: self.newest.insert(session, answer.peer) }
    }

    /// A peer is gone: the session whose newest it was.
    pub(super) fn forget(&mut self, peer: PeerId) -> Option<SessionId> {
        let lines = self.peers.remove(&peer)?;
        let is_newest = self.newest.get(&lines.session) == Some(&peer);
        is_newest.then(|| {
            self.newest.remove(&lines.session);
            lines.session
        })
    }

    /// The peer of a session that its call uses.
    pub(super) fn peer_of(&self, session: SessionId) -> Option<PeerId> {
        self.newest.get(&session).copied()
    }

    /// The session whose newest peer this is.
    pub(super) fn session_of(&self, peer: PeerId) -> Option<SessionId> {
        let session = self.peers.get(&peer)?.session;
        (self.newest.get(&session) == Some(&peer)).then_some(session)
    }

    pub(super) fn source(&self, peer: PeerId) -> Option<SourceId> {
        self.peers.get(&peer)?.source
    }

    /// The peer publishes nothing any more: what it was the source of.
    pub(super) fn take_source(&mut self, peer: PeerId) -> Option<SourceId> {
        self.peers.get_mut(&peer)?.source.take()
    }

    /// How many m-lines for sound and for pictures are free.
    pub(super) fn count(&self, peer: PeerId) -> (usize, usize) {
        self.peers.get(&peer).map(|lines| (lines.sound.len(), lines.picture.len())).unwrap_or_default()
    }

    /// What is told of a peer's m-lines.
    pub(super) fn slots(&self, peer: PeerId, members: &[(Line, MemberId)]) -> Vec<Slot> {
        let Some(lines) = self.peers.get(&peer) else { return Vec::new() };
        let slot = |mid: Mid, kind: MediaKind, source: String| Slot { mid: mid.as_str().to_owned(), kind, source };
        let main = lines.main.iter().map(|(mid, kind)| slot(*mid, *kind, "main".to_owned()));
        let guest = lines.guest.iter().map(|(mid, kind)| slot(*mid, *kind, "guest".to_owned()));
        let member = |(line, member): &(Line, MemberId)| {
            let (mid, kind) = lines.mid(*line)?;
            Some(slot(mid, kind, format!("member:{}", member.0)))
        };
        main.chain(guest).chain(members.iter().filter_map(member)).collect()
    }

    /// What the media plane is to do on a peer.
    pub(super) fn fills(&self, peer: PeerId, changes: &[(Line, Option<SourceId>)]) -> Vec<Fill> {
        let Some(lines) = self.peers.get(&peer) else { return Vec::new() };
        changes.iter().filter_map(|(line, source)| Some(Fill { mid: lines.mid(*line)?.0, source: *source })).collect()
    }

    /// Every free m-line of a peer, emptied.
    pub(super) fn emptied(&self, peer: PeerId) -> Vec<Fill> {
        let Some(lines) = self.peers.get(&peer) else { return Vec::new() };
        lines.sound.iter().chain(&lines.picture).map(|mid| Fill { mid: *mid, source: None }).collect()
    }
}

/// Whether an answer was a peer's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newness {
    New { before: Option<PeerId> },
    Known,
}

impl PeerLines {
    fn mid(&self, line: Line) -> Option<(Mid, MediaKind)> {
        let (mids, at, kind) = match line {
            Line::Sound(at) => (&self.sound, at, MediaKind::Audio),
            Line::Picture(at) => (&self.picture, at, MediaKind::Video),
        };
        Some((*mids.get(usize::from(at))?, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId::from_bits(7);

    fn answer(peer: u64) -> PeerAnswer {
        let mid = |text: &str| Mid::new(text.as_bytes()).unwrap();
        let (sound, picture) = (MediaKind::Audio, MediaKind::Video);
        PeerAnswer {
            peer: PeerId::from_bits(peer),
            sdp: String::new(),
            ice_ufrag: String::new(),
            up_tracks: 0,
            down_tracks: 2,
            mids: Vec::new(),
            main: vec![(mid("0"), sound), (mid("1"), picture)],
            free: vec![(mid("2"), sound), (mid("3"), picture), (mid("4"), sound), (mid("5"), picture), (mid("6"), picture)],
        }
    }

    #[test]
    fn the_first_pair_is_the_guests_and_the_rest_is_free() {
        let mut lines = Lines::default();
        assert_eq!(lines.answered(SESSION, &answer(1), None), Newness::New { before: None });
        let peer = PeerId::from_bits(1);
        assert_eq!(lines.count(peer), (1, 2));
        let told = lines.slots(peer, &[(Line::Picture(1), MemberId(3)), (Line::Picture(9), MemberId(4))]);
        let told: Vec<(&str, &str)> = told.iter().map(|slot| (slot.mid.as_str(), slot.source.as_str())).collect();
        assert_eq!(told, [("0", "main"), ("1", "main"), ("2", "guest"), ("3", "guest"), ("6", "member:3")]);
        assert_eq!(lines.emptied(peer).len(), 3);
        assert_eq!(lines.answered(SESSION, &answer(1), Some(SourceId::from_bits(9))), Newness::Known);
        assert_eq!(lines.take_source(peer), Some(SourceId::from_bits(9)));
    }

    #[test]
    fn the_newest_peer_of_a_session_counts() {
        let mut lines = Lines::default();
        lines.answered(SESSION, &answer(1), None);
        assert_eq!(lines.answered(SESSION, &answer(2), None), Newness::New { before: Some(PeerId::from_bits(1)) });
        assert_eq!(lines.session_of(PeerId::from_bits(1)), None);
        assert_eq!(lines.forget(PeerId::from_bits(1)), None);
        assert_eq!(lines.forget(PeerId::from_bits(2)), Some(SESSION));
        assert_eq!(lines.peer_of(SESSION), None);
    }
}
