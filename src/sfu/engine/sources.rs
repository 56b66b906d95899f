//! Sources beside the broadcast: call members and guests. They are published, held, found on other workers and forgotten here, and fill the free
//! m-lines of whoever is to see them.
//!
//! ```text
//! Fill, ShowGuest ─▶ free m-line: its down-track moves  ─ out of the former source, or where it waits at the peer ─▶ into this one
//!                                                          │ which it holds: subscribes at its home worker while it is a mirror
//! AddPeer, Renegotiate with a source ─▶ publish (tracks.rs), SourceAt ─▶ mirrors elsewhere subscribe there
//! nothing holds it: forgotten, with its caches and subscriptions
//! ```

use std::time::Instant;

use rand::Rng;

use super::Engine;
use super::tracks::{down_track, slot_of};
use crate::ids::{BroadcastId, SourceId};
use crate::sfu::broadcast::Broadcast;
use crate::sfu::congestion::Rank;
use crate::sfu::down_report::News;
use crate::sfu::down_track::DownTrack;
use crate::sfu::handle::Fill;
use crate::sfu::peer::DownRef;
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::tap::Handover;

impl Engine {
    /// The peer ceases to publish a source of its own, whatever it sends: this one, and not one that it has published since.
    pub(super) fn withdraw(&mut self, key: usize, source: Option<SourceId>) {
        let present = self.peers[key].source;
        if present != self.peers[key].broadcast && source.is_none_or(|source| source == self.broadcasts[present].id) {
            self.drop_publisher(key);
        }
    }

    /// Fills or empties free m-lines, each with the home of its source. A guest's are not for this.
    pub(super) fn fill(&mut self, now: Instant, key: usize, fills: &[(Fill, u8)]) {
        for (Fill { mid, source }, home) in fills {
            let line = self.peers[key].free.iter().find(|free| free.mid == *mid && free.rank == Rank::Face);
            if let Some(ssrc) = line.map(|line| line.ssrc) {
                self.fill_line(now, key, ssrc, source.map(|source| (source, *home)));
            }
        }
        self.start_if_connected(now, key);
    }

    /// Everybody who watches the broadcast here, now or later, sees this guest.
    pub(super) fn show_guest(&mut self, now: Instant, broadcast: BroadcastId, guest: Option<(SourceId, u8)>) {
        match guest {
            Some(guest) => drop(self.guests.insert(broadcast, guest)),
            None => drop(self.guests.remove(&broadcast)),
        }
        let Some(&broadcast) = self.by_broadcast.get(&broadcast) else { return };
        let viewers: Vec<usize> = self.peers.iter().filter(|(_, peer)| peer.broadcast == broadcast).map(|(key, _)| key).collect();
        for key in viewers {
            if self.fill_guest(now, key) {
                self.start_if_connected(now, key);
            }
        }
    }

    /// Gives the peer's guest m-lines what they should have: a guest does not see or hear itself. Returns whether anything changed.
    pub(super) fn fill_guest(&mut self, now: Instant, key: usize) -> bool {
        let peer = &self.peers[key];
        let lines: Vec<Ssrc> = peer.free.iter().filter(|free| free.rank == Rank::Guest).map(|free| free.ssrc).collect();
        if lines.is_empty() {
            return false;
        }
        let (broadcast, own) = (self.broadcasts[peer.broadcast].id, self.broadcasts[peer.source].id);
        let guest = self.guests.get(&broadcast).copied().filter(|(guest, _)| *guest != own);
        let mut changed = false;
        for ssrc in lines {
            changed |= self.fill_line(now, key, ssrc, guest);
        }
        changed
    }

    /// Moves the down-track of a free m-line to another source, or to none. Returns whether that was any change.
    fn fill_line(&mut self, now: Instant, key: usize, ssrc: Ssrc, source: Option<(SourceId, u8)>) -> bool {
        let peer = &mut self.peers[key];
        let Some(place) = peer.free.iter().position(|free| free.ssrc == ssrc) else { return false };
        let wanted = source.map(|(source, _)| source);
        if std::mem::replace(&mut peer.free[place].fill, wanted) == wanted {
            return false;
        }
        let present = peer.downs.iter().position(|down| down.ssrc == ssrc).map(|down| peer.downs.remove(down));
        // Held before the former is let go: they may be held by one peer alone, or be subscribed to in one turn.
        let target = source.map(|(source, home)| {
            let target = self.broadcast_key(now, source, home);
            self.broadcasts[target].holds += 1;
            target
        });
        if let Some(reference) = present {
            let track = self.take_out(reference);
            self.peers[key].free[place].track = track;
        }
        let Some(target) = target else { return true };
        let start = self.rng.random_range(1..0x4000);
        let peer = &mut self.peers[key];
        let free = &mut peer.free[place];
        let media = peer.media.iter().find(|media| media.mid == free.mid);
        let Some(track) = free.track.take().or_else(|| media.map(|media| Box::new(down_track(key, media, start)))) else {
            self.let_go(target);
            return true;
        };
        let slot = slot_of(Some(free.kind));
        let place = self.broadcasts[target].track_mut(slot).downs.insert(*track);
        peer.downs.push(DownRef {
            source: target,
            slot,
            key: place,
            mid: free.mid,
            ssrc,
            rank: free.rank,
            drawn_height: free.drawn_height,
        });
        true
    }

    /// Takes a down-track out of its source, as if that had gone: nothing it was sent can be asked for again, and its numbers go on with what
    /// comes next.
    pub(super) fn take_out(&mut self, reference: DownRef) -> Option<Box<DownTrack>> {
        let source = &mut self.broadcasts[reference.source];
        source.demand_moved = true;
        let mut track = source.track_mut(reference.slot).downs.try_remove(reference.key).map(Box::new);
        if let Some(track) = &mut track {
            track.set_target(None);
            track.handle_source_gone();
            (track.news, track.report.due) = (News::default(), None);
        }
        if reference.rank != Rank::Broadcast {
            self.let_go(reference.source);
        }
        track
    }

    /// Whether the sound of a source that is published here goes further.
    pub(super) fn silence(&mut self, source: SourceId, silenced: bool) {
        if let Some(&key) = self.by_broadcast.get(&source) {
            self.broadcasts[key].silenced = silenced;
        }
    }

    /// A source is published on another worker than before.
    pub(super) fn follow_source(&mut self, source: SourceId, home: u8) {
        for (guest, its_home) in self.guests.values_mut() {
            if *guest == source {
                *its_home = home;
            }
        }
        if let Some(&key) = self.by_broadcast.get(&source) {
            // Held until all is done.
            self.broadcasts[key].holds += 1;
            if home != self.config.worker
                && let Some(publisher) = self.broadcasts[key].publisher
            {
                self.drop_publisher(publisher);
            }
            self.set_home(key, home);
            self.let_go(key);
        }
    }

    /// Where a source is published. What was known of it from elsewhere means nothing any more.
    pub(super) fn set_home(&mut self, key: usize, home: u8) {
        let worker = self.config.worker;
        let source = &mut self.broadcasts[key];
        let former = std::mem::replace(&mut source.home, home);
        if former == home {
            return;
        }
        let id = source.id;
        self.source_gone(key);
        if former == worker {
            self.broadcasts[key].subscribers.clear();
        } else {
            self.handovers.push_back((former, Handover::Unsubscribe { broadcast: id, worker }));
        }
        if home != worker {
            self.handovers.push_back((home, Handover::Subscribe { broadcast: id, worker }));
        }
    }

    /// The key of a broadcast or other source here; made when this is the first we hear of it. A mirror subscribes at home. Whoever makes one
    /// holds it.
    pub(super) fn broadcast_key(&mut self, now: Instant, id: BroadcastId, home: u8) -> usize {
        if let Some(&key) = self.by_broadcast.get(&id) {
            return key;
        }
        self.arm(now);
        let key = self.broadcasts.insert(Broadcast::new(id, home));
        self.by_broadcast.insert(id, key);
        if home != self.config.worker {
            self.handovers.push_back((home, Handover::Subscribe { broadcast: id, worker: self.config.worker }));
        }
        key
    }

    /// One that held it does so no more.
    pub(super) fn let_go(&mut self, key: usize) {
        self.broadcasts[key].holds -= 1;
        self.forget_if_abandoned(key);
    }

    pub(super) fn forget_if_abandoned(&mut self, key: usize) {
        let Some(broadcast) = self.broadcasts.get(key) else { return };
        if broadcast.is_abandoned() {
            let (id, home) = (broadcast.id, broadcast.home);
            self.broadcasts.remove(key);
            self.by_broadcast.remove(&id);
            self.pending.retain(|pending| *pending != key);
            if home != self.config.worker {
                self.handovers.push_back((home, Handover::Unsubscribe { broadcast: id, worker: self.config.worker }));
            }
        }
    }
}
