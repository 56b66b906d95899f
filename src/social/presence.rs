//! Who watches a broadcast, over tabs and nodes: a person counts once. Pure.
//!
//! Each node knows its own people and tells the home who came and who went; after a change of homes it tells all of them again. A node that
//! the roll of the living no longer has takes its people with it.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::clock::UnixMs;
use crate::ids::{NodeId, UserId};
use crate::limits::{VIEWERS_EXACT_MAX, VIEWERS_TOLD_INTERVAL};

/// People watching now over all nodes, and the most there were; large numbers rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct ViewerCount {
    pub count: u32,
    pub peak: u32,
}

/// From a node to the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether `came` are all that are here, whatever was said before.
    pub is_whole: bool,
    pub came: Vec<UserId>,
    pub went: Vec<UserId>,
}

/// The node's side.
#[derive(Debug, Default)]
pub struct EdgePeople {
    /// By number of connections.
    here: HashMap<UserId, u32>,
    /// Whose presence differs from what the home was told.
    changed: HashSet<UserId>,
    told: HashSet<UserId>,
    tell_all: bool,
}

impl EdgePeople {
    pub fn enter(&mut self, user: UserId) {
        let connections = self.here.entry(user).or_default();
        *connections += 1;
        if *connections == 1 {
            self.toggle(user);
        }
    }

    pub fn leave(&mut self, user: UserId) {
        let Some(connections) = self.here.get_mut(&user) else { return };
        *connections -= 1;
        if *connections == 0 {
            self.here.remove(&user);
            self.toggle(user);
        }
    }

    /// These are here, and nobody else.
    pub fn set(&mut self, people: &HashSet<UserId>) {
        let gone: Vec<UserId> = self.here.keys().copied().filter(|user| !people.contains(user)).collect();
        for user in gone {
            self.here.remove(&user);
            self.toggle(user);
        }
        for &user in people {
            if self.here.insert(user, 1).is_none() {
                self.toggle(user);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.here.is_empty()
    }

    fn toggle(&mut self, user: UserId) {
        if self.here.contains_key(&user) == self.told.contains(&user) {
            self.changed.remove(&user);
        } else {
            self.changed.insert(user);
        }
    }

    /// The home is a new one, or has lost count.
    pub const fn tell_all(&mut self) {
        self.tell_all = true;
    }

    pub fn has_news(&self) -> bool {
        self.tell_all || !self.changed.is_empty()
    }

    /// What the home must be told now.
    pub fn take(&mut self) -> Option<Report> {
        if !self.has_news() {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        if std::mem::take(&mut self.tell_all) {
            self.told = self.here.keys().copied().collect();
            return Some(Report { is_whole: true, came: sorted(&self.told), went: Vec::new() });
        }
        let (came, went): (HashSet<_>, HashSet<_>) = changed.into_iter().partition(|user| self.here.contains_key(user));
        self.told.extend(&came);
        self.told.retain(|user| !went.contains(user));
        Some(Report { is_whole: false, came: sorted(&came), went: sorted(&went) })
    }
}

fn sorted(users: &HashSet<UserId>) -> Vec<UserId> {
    let mut users: Vec<UserId> = users.iter().copied().collect();
    users.sort_unstable();
    users
}

/// The home's side.
#[derive(Debug, Default)]
pub struct HomePeople {
    nodes: HashMap<NodeId, HashSet<UserId>>,
    /// On how many nodes somebody is.
    people: HashMap<UserId, u32>,
    peak: u32,
    told: Option<(UnixMs, ViewerCount)>,
}

impl HomePeople {
    /// With the peak that an earlier home saw.
    pub fn with_peak(peak: u32) -> Self {
        Self { peak, ..Self::default() }
    }

    pub const fn peak(&self) -> u32 {
        self.peak
    }

    /// `false` when the node must tell everything: the home knows nothing that this could be a change of.
    pub fn apply(&mut self, node: NodeId, report: &Report) -> bool {
        if !report.is_whole && !self.nodes.contains_key(&node) {
            return false;
        }
        let here = self.nodes.entry(node).or_default();
        let before: Vec<UserId> = match report.is_whole {
            true => {
                let came: HashSet<UserId> = report.came.iter().copied().collect();
                here.iter().copied().filter(|user| !came.contains(user)).collect()
            }
            false => report.went.clone(),
        };
        for user in before {
            if here.remove(&user) {
                forget_one(&mut self.people, user);
            }
        }
        for &user in &report.came {
            if here.insert(user) {
                *self.people.entry(user).or_default() += 1;
            }
        }
        self.peak = self.peak.max(self.people.len() as u32);
        true
    }

    /// Nodes that are not alive take their people with them.
    pub fn keep_nodes(&mut self, alive: &[NodeId]) {
        let dead: Vec<NodeId> = self.nodes.keys().copied().filter(|node| !alive.contains(node)).collect();
        for node in dead {
            for user in self.nodes.remove(&node).unwrap_or_default() {
                forget_one(&mut self.people, user);
            }
        }
    }

    fn count(&self) -> ViewerCount {
        ViewerCount { count: rounded(self.people.len() as u32), peak: rounded(self.peak) }
    }

    /// When [`Self::poll`] has something.
    pub fn wake_at(&self) -> Option<UnixMs> {
        match self.told {
            None => Some(UnixMs::default()),
            Some((at, told)) => (told != self.count()).then(|| at.after(VIEWERS_TOLD_INTERVAL)),
        }
    }

    /// The count, when it has changed and it is time.
    pub fn poll(&mut self, now: UnixMs) -> Option<ViewerCount> {
        self.wake_at().filter(|due| *due <= now)?;
        let count = self.count();
        self.told = Some((now, count));
        Some(count)
    }

    /// The count as it was last told.
    pub fn last_told(&self) -> Option<ViewerCount> {
        self.told.map(|(_, count)| count)
    }
}

fn forget_one(people: &mut HashMap<UserId, u32>, user: UserId) {
    if let Some(nodes) = people.get_mut(&user) {
        *nodes -= 1;
        if *nodes == 0 {
            people.remove(&user);
        }
    }
}

/// Exact while people can see who comes; above that to three digits, so that a large number is not a flicker.
const fn rounded(count: u32) -> u32 {
    if count <= VIEWERS_EXACT_MAX {
        return count;
    }
    let mut step = 10;
    while count / step >= 1000 {
        step *= 10;
    }
    (count + step / 2) / step * step
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMs = UnixMs(1_795_230_000_000);

    fn user(bits: u64) -> UserId {
        UserId::from_bits(bits)
    }

    fn node(bits: u64) -> NodeId {
        NodeId::from_bits(bits)
    }

    fn at(ms: u64) -> UnixMs {
        UnixMs(START.0 + ms)
    }

    #[test]
    fn a_person_with_three_tabs_on_two_nodes_is_one() {
        let (mut a, mut b, mut home) = (EdgePeople::default(), EdgePeople::default(), HomePeople::default());
        a.tell_all();
        b.tell_all();
        a.enter(user(1));
        a.enter(user(1));
        b.enter(user(1));
        b.enter(user(2));
        assert!(home.apply(node(1), &a.take().unwrap()));
        assert!(home.apply(node(2), &b.take().unwrap()));
        assert_eq!(home.poll(START), Some(ViewerCount { count: 2, peak: 2 }));
        a.leave(user(1));
        assert!(a.take().is_none(), "another tab is open");
        a.leave(user(1));
        home.apply(node(1), &a.take().unwrap());
        assert_eq!(home.wake_at(), None, "still here on the other node");
        b.leave(user(1));
        home.apply(node(2), &b.take().unwrap());
        assert_eq!(home.poll(at(100)), None, "not so soon");
        assert_eq!(home.poll(START.after(VIEWERS_TOLD_INTERVAL)), Some(ViewerCount { count: 1, peak: 2 }));
    }

    #[test]
    fn a_whole_set_is_told_as_what_is_different() {
        let mut edge = EdgePeople::default();
        edge.set(&HashSet::from([user(1), user(2)]));
        edge.take().unwrap();
        edge.set(&HashSet::from([user(2), user(3)]));
        assert_eq!(edge.take(), Some(Report { is_whole: false, came: vec![user(3)], went: vec![user(1)] }));
        edge.set(&HashSet::from([user(2), user(3)]));
        assert_eq!((edge.take(), edge.is_empty()), (None, false));
    }

    #[test]
    fn who_comes_and_goes_between_two_reports_is_not_told() {
        let mut edge = EdgePeople::default();
        edge.enter(user(1));
        edge.leave(user(1));
        assert_eq!(edge.take(), None);
        edge.enter(user(2));
        edge.take().unwrap();
        edge.leave(user(2));
        edge.enter(user(2));
        assert_eq!(edge.take(), None);
    }

    #[test]
    fn a_home_that_knows_nothing_of_a_node_asks_and_then_counts_right() {
        let (mut edge, mut home) = (EdgePeople::default(), HomePeople::default());
        edge.enter(user(1));
        edge.take().unwrap();
        edge.enter(user(2));
        assert!(!home.apply(node(1), &edge.take().unwrap()));
        edge.tell_all();
        assert!(home.apply(node(1), &edge.take().unwrap()));
        assert_eq!(home.poll(START).map(|count| count.count), Some(2));
        // Whole again, with somebody gone meanwhile.
        edge.leave(user(1));
        edge.tell_all();
        assert!(home.apply(node(1), &edge.take().unwrap()));
        assert_eq!(home.poll(at(60_000)), Some(ViewerCount { count: 1, peak: 2 }));
    }

    #[test]
    fn a_dead_node_takes_its_people_with_it() {
        let mut home = HomePeople::with_peak(7);
        let all = |users: &[u64]| Report { is_whole: true, came: users.iter().copied().map(user).collect(), went: Vec::new() };
        home.apply(node(1), &all(&[1, 2]));
        home.apply(node(2), &all(&[2, 3]));
        home.keep_nodes(&[node(2)]);
        assert_eq!(home.poll(START), Some(ViewerCount { count: 2, peak: 7 }));
    }

    #[test]
    fn large_numbers_are_rounded_to_three_digits() {
        assert_eq!([999, 1000, 1004, 1005, 12_349, 99_950, 1_234_567].map(rounded), [999, 1000, 1000, 1010, 12_300, 100_000, 1_230_000]);
    }
}
