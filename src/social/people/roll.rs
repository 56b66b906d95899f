//! One node's list of who is online and where, over all nodes. Pure.
//!
//! Invariants: what is told of a person is what all nodes together say (online anywhere is online); a node that has not been heard for
//! `limits::NODE_EXPIRY` has nobody; a link is told only of those whom it looks at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::{Note, PeopleWord, PersonNews, Says, Whereabouts, Word};
use crate::ids::{BroadcastId, NodeId, UserId};
use crate::limits::{
    NODE_EXPIRY, NODE_HEARTBEAT, PEOPLE_OUTPUTS_MAX, PRESENCE_BATCH_MAX, PRESENCE_GRACE, PRESENCE_INTERVAL, PRESENCE_WHOLE_INTERVAL,
};
use crate::social::call::RingOver;
use crate::social::clock::UnixMs;
use crate::store::Relation;

/// One connection of somebody with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u64);

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RollOutput {
    Publish(Word),
    Tell {
        link: LinkId,
        news: PersonNews,
    },
    /// Who is hidden from this person, or who their friends are, has changed.
    TiesChanged(UserId),
    Heard(PeopleWord),
}

#[derive(Debug)]
struct Link {
    user: UserId,
    watching: Option<BroadcastId>,
    /// At whom this connection looks; `None`: at nobody.
    looks: Option<HashSet<UserId>>,
}

/// Another node.
#[derive(Debug)]
struct Peer {
    /// Of its last change that is known here; `None`: nothing is.
    number: Option<u64>,
    heard_at: UnixMs,
    asked_at: Option<UnixMs>,
    people: HashSet<UserId>,
    parts: Option<Parts>,
}

/// A whole that is not complete yet.
#[derive(Debug)]
struct Parts {
    number: u64,
    next: u32,
    people: Vec<(UserId, Whereabouts)>,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Roll {
    node: NodeId,
    links: BTreeMap<LinkId, Link>,
    /// In the order in which they came.
    by_user: HashMap<UserId, Vec<LinkId>>,
    hides: HashSet<UserId>,
    /// When the last link of somebody went, of which nobody has been told yet.
    left: HashMap<UserId, UnixMs>,
    lookers: HashMap<UserId, BTreeSet<LinkId>>,
    /// What the other nodes know of the people here.
    told: HashMap<UserId, Whereabouts>,
    due: BTreeSet<(UnixMs, UserId)>,
    due_of: HashMap<UserId, UnixMs>,
    /// Whose ties are to be read again, and when; of people who sit in a chat of this node.
    untied: BTreeMap<UserId, UnixMs>,
    changes: u64,
    number: u64,
    beaten_at: Option<UnixMs>,
    is_whole_wanted: bool,
    whole_told_at: Option<UnixMs>,
    peers: HashMap<NodeId, Peer>,
    table: HashMap<UserId, BTreeMap<NodeId, Whereabouts>>,
    outputs: VecDeque<RollOutput>,
}

impl Roll {
    pub(crate) fn new(node: NodeId) -> Self {
        let mut roll = Self {
            node,
            links: BTreeMap::new(),
            by_user: HashMap::new(),
            hides: HashSet::new(),
            left: HashMap::new(),
            lookers: HashMap::new(),
            told: HashMap::new(),
            due: BTreeSet::new(),
            due_of: HashMap::new(),
            untied: BTreeMap::new(),
            changes: 0,
            number: 0,
            beaten_at: None,
            is_whole_wanted: false,
            whole_told_at: None,
            peers: HashMap::new(),
            table: HashMap::new(),
            outputs: VecDeque::new(),
        };
        roll.say(Says::TellAll { of: None });
        roll
    }

    // ---- The people of this node ----

    pub(crate) fn connect(&mut self, now: UnixMs, link: LinkId, user: UserId, hides: bool) {
        self.links.insert(link, Link { user, watching: None, looks: None });
        self.by_user.entry(user).or_default().push(link);
        self.left.remove(&user);
        if hides {
            self.hides.insert(user);
        } else {
            self.hides.remove(&user);
        }
        self.touch(user, now.after(PRESENCE_INTERVAL));
    }

    pub(crate) fn disconnect(&mut self, now: UnixMs, link: LinkId) {
        self.look(link, None);
        let Some(Link { user, .. }) = self.links.remove(&link) else { return };
        let Some(links) = self.by_user.get_mut(&user) else { return };
        links.retain(|other| *other != link);
        if links.is_empty() {
            self.by_user.remove(&user);
            self.hides.remove(&user);
            self.left.insert(user, now);
        }
        self.touch(user, now.after(PRESENCE_INTERVAL));
    }

    /// What a connection watches now.
    pub(crate) fn watch(&mut self, now: UnixMs, link: LinkId, watching: Option<BroadcastId>) {
        let Some(found) = self.links.get_mut(&link) else { return };
        found.watching = watching;
        let user = found.user;
        self.touch(user, now.after(PRESENCE_INTERVAL));
    }

    /// A connection looks at these people from now on: those of them who are online. `None`: at nobody any more.
    pub(crate) fn look(&mut self, link: LinkId, at: Option<Vec<UserId>>) -> Vec<(UserId, Whereabouts)> {
        let Some(found) = self.links.get_mut(&link) else { return Vec::new() };
        let before = std::mem::replace(&mut found.looks, at.as_ref().map(|at| at.iter().copied().collect()));
        for user in before.into_iter().flatten() {
            self.drop_looker(user, link);
        }
        let at = at.unwrap_or_default();
        for &user in &at {
            self.lookers.entry(user).or_default().insert(link);
        }
        at.into_iter().filter_map(|user| Some((user, self.find(user)?))).collect()
    }

    fn drop_looker(&mut self, user: UserId, link: LinkId) {
        if let Some(links) = self.lookers.get_mut(&user) {
            links.remove(&link);
            if links.is_empty() {
                self.lookers.remove(&user);
            }
        }
    }

    /// Something happened that concerns a person: it is told here and to every other node; `false`: too much waits already, it is lost.
    pub(crate) fn note(&mut self, now: UnixMs, user: UserId, note: Note) -> bool {
        if self.outputs.len() >= PEOPLE_OUTPUTS_MAX {
            return false;
        }
        self.deliver(now, user, &note);
        self.say(Says::Note { user, note });
        true
    }

    /// Counts the changes of friends, of blocks and of what people hide that this node has heard of: who has read them before the last one reads
    /// them again.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// The ties of a person who sits in a chat are to be read again then.
    pub(crate) fn renew_ties(&mut self, at: UnixMs, user: UserId) {
        let due = self.untied.entry(user).or_insert(at);
        *due = at.min(*due);
    }

    pub(crate) fn online_here(&self) -> usize {
        self.by_user.len()
    }

    /// Where somebody is, if they are online anywhere.
    pub(crate) fn find(&self, user: UserId) -> Option<Whereabouts> {
        let places = self.table.get(&user)?;
        Some(Whereabouts { watching: places.values().find_map(|place| place.watching) })
    }

    /// The node goes.
    pub(crate) fn close(&mut self) {
        self.say(Says::Bye);
    }

    // ---- What other nodes say ----

    pub(crate) fn handle_word(&mut self, now: UnixMs, word: Word) {
        let Word { node, says } = word;
        if node == self.node {
            return;
        }
        if says == Says::Bye {
            self.forget(node);
            return;
        }
        let fresh = Peer { number: None, heard_at: now, asked_at: None, people: HashSet::new(), parts: None };
        let peer = self.peers.entry(node).or_insert(fresh);
        peer.heard_at = now;
        match says {
            Says::Beat { number } if peer.number == Some(number) => {}
            Says::Beat { .. } => self.ask(now, node),
            Says::Changed { number, people } => match peer.number {
                Some(known) if number <= known => {}
                Some(known) if number == known + 1 => {
                    peer.number = Some(number);
                    people.into_iter().for_each(|(user, place)| self.apply(node, user, place));
                }
                Some(_) | None => self.ask(now, node),
            },
            Says::Whole { number, part, parts, people } => self.take_part(node, number, (part, parts), people),
            Says::TellAll { of } => self.is_whole_wanted |= of.is_none_or(|of| of == self.node),
            Says::Note { user, note } => self.deliver(now, user, &note),
            Says::Bye => {}
        }
    }

    /// The bus has lost something.
    pub(crate) fn handle_missed(&mut self, now: UnixMs) {
        let nodes: Vec<NodeId> = self.peers.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.ask(now, node));
    }

    fn ask(&mut self, now: UnixMs, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.asked_at.is_some_and(|asked| asked.after(PRESENCE_WHOLE_INTERVAL) > now) {
            // Its next beat asks again.
            return;
        }
        peer.asked_at = Some(now);
        self.say(Says::TellAll { of: Some(node) });
    }

    fn take_part(&mut self, node: NodeId, number: u64, (part, parts): (u32, u32), people: Vec<(UserId, Whereabouts)>) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let mut taken = match peer.parts.take() {
            _ if part == 0 => Parts { number, next: 0, people: Vec::new() },
            Some(taken) if taken.number == number && taken.next == part => taken,
            // One before it is lost: the next beat asks again.
            Some(_) | None => return,
        };
        taken.next += 1;
        taken.people.extend(people);
        if taken.next < parts {
            peer.parts = Some(taken);
            return;
        }
        peer.number = Some(number);
        let new: HashMap<UserId, Whereabouts> = taken.people.into_iter().collect();
        let gone: Vec<UserId> = peer.people.iter().copied().filter(|user| !new.contains_key(user)).collect();
        gone.into_iter().for_each(|user| self.apply(node, user, None));
        new.into_iter().for_each(|(user, place)| self.apply(node, user, Some(place)));
    }

    /// A node says where somebody is; whoever looks at them is told what has changed by it.
    fn apply(&mut self, node: NodeId, user: UserId, place: Option<Whereabouts>) {
        let before = self.find(user);
        if let Some(peer) = self.peers.get_mut(&node) {
            if place.is_some() {
                peer.people.insert(user)
            } else {
                peer.people.remove(&user)
            };
        }
        let places = self.table.entry(user).or_default();
        match place {
            Some(place) => drop(places.insert(node, place)),
            None => drop(places.remove(&node)),
        }
        if places.is_empty() {
            self.table.remove(&user);
        }
        let whereabouts = self.find(user);
        if whereabouts != before {
            for &link in self.lookers.get(&user).into_iter().flatten() {
                self.outputs.push_back(RollOutput::Tell { link, news: PersonNews::Presence { user, whereabouts } });
            }
        }
    }

    fn forget(&mut self, node: NodeId) {
        for user in self.peers.remove(&node).map(|peer| peer.people).unwrap_or_default() {
            self.apply(node, user, None);
        }
    }

    fn deliver(&mut self, now: UnixMs, user: UserId, note: &Note) {
        let links = self.by_user.get(&user).cloned().unwrap_or_default();
        match note {
            Note::FriendChanged { person } => {
                self.change_ties(user);
                for &link in &links {
                    self.tell(link, PersonNews::Note(note.clone()));
                    self.look_also(link, person.id, person.relation == Some(Relation::Friend));
                }
            }
            Note::TiesChanged => self.change_ties(user),
            Note::PrivateMessage { .. } | Note::MessagesRead { .. } | Note::CallRing(_) | Note::CallRingOver { .. } => {
                if let Note::CallRingOver { call, reason: RingOver::Declined } = note {
                    self.outputs.push_back(RollOutput::Heard(PeopleWord::Declined { user, call: *call }));
                }
                links.into_iter().for_each(|link| self.tell(link, PersonNews::Note(note.clone())));
            }
            Note::Hides { hide } => {
                self.changes += 1;
                if links.is_empty() {
                    return;
                }
                if *hide {
                    self.hides.insert(user)
                } else {
                    self.hides.remove(&user)
                };
                self.touch(user, now);
            }
        }
    }

    fn change_ties(&mut self, user: UserId) {
        self.changes += 1;
        self.outputs.push_back(RollOutput::TiesChanged(user));
    }

    fn tell(&mut self, link: LinkId, news: PersonNews) {
        self.outputs.push_back(RollOutput::Tell { link, news });
    }

    /// A connection that looks at its friends has one more, or one less.
    fn look_also(&mut self, link: LinkId, friend: UserId, is_friend: bool) {
        let Some(looks) = self.links.get_mut(&link).and_then(|found| found.looks.as_mut()) else { return };
        if is_friend && looks.insert(friend) {
            self.lookers.entry(friend).or_default().insert(link);
            if let Some(whereabouts) = self.find(friend) {
                self.tell(link, PersonNews::Presence { user: friend, whereabouts: Some(whereabouts) });
            }
        } else if !is_friend && looks.remove(&friend) {
            self.drop_looker(friend, link);
        }
    }

    // ---- Towards other nodes ----

    fn say(&mut self, says: Says) {
        self.outputs.push_back(RollOutput::Publish(Word { node: self.node, says }));
    }

    fn touch(&mut self, user: UserId, at: UnixMs) {
        match self.due_of.get(&user) {
            Some(&earlier) if earlier <= at => return,
            Some(&later) => drop(self.due.remove(&(later, user))),
            None => {}
        }
        self.due_of.insert(user, at);
        self.due.insert((at, user));
    }

    /// Where somebody is, as far as this node knows by itself.
    fn here(&self, user: UserId) -> Option<Whereabouts> {
        let links = self.by_user.get(&user)?;
        let newest = links.iter().rev().find_map(|link| self.links.get(link)?.watching);
        Some(Whereabouts { watching: newest.filter(|_| !self.hides.contains(&user)) })
    }

    /// Acts on what is due.
    pub(crate) fn handle_timeout(&mut self, now: UnixMs) {
        let mut changes = Vec::new();
        while let Some(&(at, user)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, user));
            self.due_of.remove(&user);
            let here = self.here(user);
            if let (None, Some(&left)) = (here, self.left.get(&user)) {
                let patient = left.after(PRESENCE_GRACE);
                if self.told.contains_key(&user) && patient > now {
                    self.touch(user, patient);
                    continue;
                }
                self.left.remove(&user);
            }
            if here != self.told.get(&user).copied() {
                match here {
                    Some(here) => drop(self.told.insert(user, here)),
                    None => drop(self.told.remove(&user)),
                }
                self.apply(self.node, user, here);
                changes.push((user, here));
            }
        }
        for some in changes.chunks(PRESENCE_BATCH_MAX) {
            self.number += 1;
            self.say(Says::Changed { number: self.number, people: some.to_vec() });
        }
        let untied: Vec<UserId> = self.untied.iter().filter(|(_, due)| **due <= now).map(|(user, _)| *user).collect();
        for user in untied {
            self.untied.remove(&user);
            self.outputs.push_back(RollOutput::TiesChanged(user));
        }
        if self.whole_due().is_some_and(|due| due <= now) {
            self.tell_whole(now);
        }
        if self.beat_due() <= now {
            self.beaten_at = Some(now);
            self.say(Says::Beat { number: self.number });
        }
        let silent: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.heard_at.after(NODE_EXPIRY) <= now).map(|(node, _)| *node).collect();
        silent.into_iter().for_each(|node| self.forget(node));
    }

    fn tell_whole(&mut self, now: UnixMs) {
        self.is_whole_wanted = false;
        self.whole_told_at = Some(now);
        let mut people: Vec<(UserId, Whereabouts)> = self.told.iter().map(|(user, place)| (*user, *place)).collect();
        people.sort_unstable_by_key(|(user, _)| *user);
        let parts = people.len().div_ceil(PRESENCE_BATCH_MAX).max(1) as u32;
        let mut some = people.chunks(PRESENCE_BATCH_MAX);
        for part in 0..parts {
            let people = some.next().unwrap_or_default().to_vec();
            self.say(Says::Whole { number: self.number, part, parts, people });
        }
    }

    fn whole_due(&self) -> Option<UnixMs> {
        self.is_whole_wanted.then(|| self.whole_told_at.map_or(UnixMs::default(), |told| told.after(PRESENCE_WHOLE_INTERVAL)))
    }

    fn beat_due(&self) -> UnixMs {
        self.beaten_at.map_or(UnixMs::default(), |beaten| beaten.after(NODE_HEARTBEAT))
    }

    pub(crate) fn poll_output(&mut self) -> Option<RollOutput> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn wake_at(&self) -> UnixMs {
        let change = self.due.first().map(|(at, _)| *at);
        let silent = self.peers.values().map(|peer| peer.heard_at.after(NODE_EXPIRY)).min();
        let untied = self.untied.values().min().copied();
        [change, silent, untied, self.whole_due()].into_iter().flatten().fold(self.beat_due(), UnixMs::min)
    }
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
