//! Every session of this node: how to reach it while it has a connection, and itself while it has none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use rand::Rng;
use tokio::sync::{mpsc, oneshot};

use super::{JoinAs, Live, News, Told};
use crate::accounts::{Claims, Grant};
use crate::ids::{BroadcastId, PeerId, SessionId};
use crate::limits::{RESUME_WINDOW, SESSION_MAILBOX, SESSIONS_MAX};
use crate::signaling::now::Now;
use crate::signaling::protocol::{BroadcastView, ServerMessage};
use crate::signaling::refusal::Refusal;
use crate::signaling::session::Session;

/// What a session's connection receives from the registry.
#[derive(Debug)]
pub(crate) enum Mail {
    // In a box, because a channel keeps room for many from the start.
    Told(Box<Told>),
    /// Another connection resumes the session: hand it over and say `bye replaced`.
    TakeOver(oneshot::Sender<Parked>),
}

pub(crate) type Mailbox = mpsc::Receiver<Mail>;

/// A session between two connections, with what was told to it meanwhile.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) session: Session,
    pub(crate) mailbox: Mailbox,
}

/// What a resumed session finds of its broadcast.
pub(crate) struct Rejoined {
    pub(crate) news: News,
    pub(crate) view: BroadcastView,
    pub(crate) grants: Vec<Grant>,
    pub(crate) alive: Vec<PeerId>,
    /// The call that it is in, whole, and what the m-lines of its peer carry; or what else it is told anew.
    pub(crate) present: Vec<ServerMessage>,
}

#[derive(Debug)]
struct Slot {
    mailbox: mpsc::Sender<Mail>,
    resume: ResumeKey,
    parked: Option<(Parked, Instant)>,
}

/// 128 random bits: who knows them is the client.
type ResumeKey = u128;

#[derive(Debug, Default)]
pub(super) struct SessionBook {
    slots: HashMap<SessionId, Slot>,
    by_key: HashMap<ResumeKey, SessionId>,
    expiries: BTreeSet<(Instant, SessionId)>,
    /// Sessions whose mailbox overflowed, for their connections to find.
    overflowed: HashSet<SessionId>,
    is_closed: bool,
}

impl SessionBook {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn tell(&mut self, session: SessionId, told: Told) {
        let Some(slot) = self.slots.get(&session) else { return };
        // Whoever comes back is told how everything is then.
        if slot.parked.is_some() && told.is_superseded() {
            return;
        }
        if slot.mailbox.try_send(Mail::Told(Box::new(told))).is_err() && slot.parked.is_none() {
            self.overflowed.insert(session);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes and returns the sessions nobody came back to.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(&(at, id)) = self.expiries.first().filter(|(at, _)| *at <= now) {
            self.expiries.remove(&(at, id));
            self.remove(id);
            expired.push(id);
        }
        expired
    }

    /// Forgets everybody who has no connection; the connections end by the closing token.
    pub(super) fn close_all(&mut self) {
        self.is_closed = true;
        self.expiries.clear();
        self.slots.retain(|_, slot| slot.parked.is_none());
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(slot) = self.slots.remove(&id) {
            self.by_key.remove(&slot.resume);
        }
        self.overflowed.remove(&id);
    }
}

impl Live {
    /// Opens a session: its id, its mailbox and the text to resume it with.
    pub(crate) fn open_session(&self) -> Result<(SessionId, Mailbox, String), Refusal> {
        self.refuse_when_closing()?;
        let mut rng = rand::rng();
        let (id, resume) = (SessionId::random(&mut rng), rng.random::<ResumeKey>());
        let (sender, mailbox) = mpsc::channel(SESSION_MAILBOX);
        self.with_state(|state| {
            let book = &mut state.sessions;
            if book.slots.len() >= SESSIONS_MAX {
                return Err(Refusal::Full("sessions of this node"));
            }
            book.slots.insert(id, Slot { mailbox: sender, resume, parked: None });
            book.by_key.insert(resume, id);
            Ok((id, mailbox, format!("{resume:032x}")))
        })
    }

    /// Finds the session behind a resume text, taking it from its old connection if that still lives. The text stays good.
    pub(crate) async fn resume_session(&self, resume: &str) -> Option<Parked> {
        let key = ResumeKey::from_str_radix(resume, 16).ok()?;
        let waiting = self.with_state(|state| {
            let book = &mut state.sessions;
            let id = *book.by_key.get(&key)?;
            let slot = book.slots.get_mut(&id)?;
            if let Some((parked, until)) = slot.parked.take() {
                book.expiries.remove(&(until, id));
                return Some(Err(parked));
            }
            let (sender, receiver) = oneshot::channel();
            // A full mailbox is a connection that is about to be closed as too slow: the client simply begins anew.
            slot.mailbox.try_send(Mail::TakeOver(sender)).ok()?;
            Some(Ok(receiver))
        })?;
        match waiting {
            Err(parked) => Some(parked),
            Ok(receiver) => receiver.await.ok(),
        }
    }

    /// Keeps a session whose connection is gone; somebody who is just taking it over gets it at once.
    pub(crate) fn park_session(&self, mut parked: Parked) {
        let id = parked.session.id;
        self.decide(|now, state| {
            if state.sessions.is_closed {
                state.sessions.remove(id);
                state.directory.leave(now, id);
                return;
            }
            let mut kept = Vec::new();
            let mut taker = None;
            while let Ok(mail) = parked.mailbox.try_recv() {
                match mail {
                    Mail::TakeOver(sender) => taker = Some(sender),
                    Mail::Told(ref told) if told.is_superseded() => {}
                    Mail::Told(_) => kept.push(mail),
                }
            }
            let Some(slot) = state.sessions.slots.get_mut(&id) else { return };
            for mail in kept {
                drop(slot.mailbox.try_send(mail));
            }
            let parked = match taker {
                None => parked,
                Some(taker) => match taker.send(parked) {
                    Ok(()) => return,
                    Err(parked) => parked,
                },
            };
            let until = now.instant + RESUME_WINDOW;
            slot.parked = Some((parked, until));
            state.sessions.expiries.insert((until, id));
            state.calls.set_connected(now.unix(), id, false);
            state.sessions.overflowed.remove(&id);
            self.shared.deadline_moved.notify_one();
        });
    }

    /// A session is over: its client said so, or speaks wrongly.
    pub(crate) fn end_session(&self, session: SessionId) {
        self.decide(|now, state| {
            state.sessions.remove(session);
            state.directory.leave(now, session);
        });
    }

    /// Whether the session missed something because it did not read its mail; asked once, then forgotten.
    pub(crate) fn take_overflow(&self, session: SessionId) -> bool {
        self.with_state(|state| state.sessions.overflowed.remove(&session))
    }

    /// For a resumed session: news from now on, the broadcast as it is, what `who` may do there, and those of its peers that still exist.
    pub(crate) fn rejoin(&self, session: SessionId, broadcast: BroadcastId, who: &Claims) -> Option<Rejoined> {
        self.decide(|now, state| {
            let found = state.directory.broadcast(broadcast)?;
            let (view, grants) = (found.to_view(), state.directory.grants_on(found, who));
            state.calls.set_connected(now.unix(), session, true);
            if grants.contains(&Grant::Publish) {
                state.on_air.direct(broadcast, session);
            }
            let present = state.present_call(session);
            Some(Rejoined { view, grants, alive: state.directory.peers_of(session), present, news: state.subscribe(broadcast) })
        })
    }

    /// The broadcast as it is now, for a session that missed announcements.
    pub(crate) fn snapshot(&self, broadcast: BroadcastId) -> Option<BroadcastView> {
        self.with_state(|state| state.directory.broadcast(broadcast).map(super::broadcast::Broadcast::to_view))
    }

    /// Enters a broadcast for a session.
    pub(crate) fn join(&self, session: SessionId, name: &str, who: &Claims, join_as: JoinAs) -> Result<(super::Joined, News), Refusal> {
        self.refuse_when_closing()?;
        self.decide(|now: Now, state| {
            let joined = state.directory.join(now, session, name, who, join_as)?;
            let news = state.subscribe(joined.id);
            // What it was on the broadcast before, which may be the same one, is over first.
            self.settle(now, state);
            if joined.grants.contains(&Grant::Publish) {
                state.on_air.direct(joined.id, session);
            }
            Ok((joined, news))
        })
    }

    /// Leaves whatever the session has joined.
    pub(crate) fn leave(&self, session: SessionId) {
        self.decide(|now, state| state.directory.leave(now, session));
    }
}
