//! Nodes that tell each other who is online, on virtual time, over a bus that may lose.

use super::*;
use crate::social::people::Person;

const ANN: UserId = UserId::from_bits(1);
const BEN: UserId = UserId::from_bits(2);
const MATCH: BroadcastId = BroadcastId::from_bits(7);
const START: u64 = 1_000_000;

fn at(ms: u64) -> UnixMs {
    UnixMs(START + ms)
}

/// Rolls on one bus.
struct Bench {
    rolls: Vec<Roll>,
    now_ms: u64,
    /// Nodes that neither speak nor hear.
    cut: HashSet<usize>,
    /// What links were told, with the node.
    told: Vec<(usize, LinkId, PersonNews)>,
    ties: Vec<(usize, UserId)>,
    heard: Vec<(usize, PeopleWord)>,
    words: usize,
}

impl Bench {
    fn new(nodes: usize) -> Self {
        let rolls = (0..nodes).map(|node| Roll::new(NodeId::from_bits(node as u64))).collect();
        let mut bench = Self { rolls, now_ms: 0, cut: HashSet::new(), told: Vec::new(), ties: Vec::new(), heard: Vec::new(), words: 0 };
        bench.run(0);
        bench
    }

    /// Lets time pass in steps of 50 ms.
    fn run(&mut self, for_ms: u64) {
        for step in 0..=for_ms / 50 {
            self.now_ms += if step == 0 { 0 } else { 50 };
            let now = at(self.now_ms);
            for node in 0..self.rolls.len() {
                if self.rolls[node].wake_at() <= now {
                    self.rolls[node].handle_timeout(now);
                }
            }
            self.settle();
        }
    }

    fn settle(&mut self) {
        while let Some((from, output)) = (0..self.rolls.len()).find_map(|node| Some((node, self.rolls[node].poll_output()?))) {
            match output {
                RollOutput::Tell { link, news } => self.told.push((from, link, news)),
                RollOutput::TiesChanged(user) => self.ties.push((from, user)),
                RollOutput::Heard(word) => self.heard.push((from, word)),
                RollOutput::Publish(word) => {
                    self.words += 1;
                    for node in 0..self.rolls.len() {
                        if !self.cut.contains(&from) && !self.cut.contains(&node) {
                            self.rolls[node].handle_word(at(self.now_ms), word.clone());
                        }
                    }
                }
            }
        }
    }

    fn connect(&mut self, node: usize, link: u64, user: UserId) {
        self.rolls[node].connect(at(self.now_ms), LinkId(link), user, false);
    }

    fn presence(&mut self) -> Vec<(u64, UserId, Option<Option<BroadcastId>>)> {
        let told = std::mem::take(&mut self.told);
        let presence = told.into_iter().filter_map(|(_, link, news)| match news {
            PersonNews::Presence { user, whereabouts } => Some((link.0, user, whereabouts.map(|place| place.watching))),
            PersonNews::Note(_) | PersonNews::TooSlow => None,
        });
        presence.collect()
    }
}

#[test]
fn who_looks_is_told_of_coming_watching_and_going_once_over_tabs_and_nodes() {
    let mut bench = Bench::new(3);
    bench.connect(0, 1, ANN);
    assert_eq!(bench.rolls[0].look(LinkId(1), Some(vec![BEN])), []);
    bench.connect(1, 2, BEN);
    bench.run(1000);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))]);
    bench.connect(2, 3, BEN);
    bench.run(1000);
    assert_eq!(bench.presence(), [], "a second tab on a third node is no news");
    bench.rolls[2].watch(at(bench.now_ms), LinkId(3), Some(MATCH));
    bench.run(1000);
    assert_eq!(bench.presence(), [(1, BEN, Some(Some(MATCH)))]);
    bench.rolls[2].disconnect(at(bench.now_ms), LinkId(3));
    bench.run(5000);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))], "the first tab is still there");
    bench.rolls[1].disconnect(at(bench.now_ms), LinkId(2));
    bench.run(5000);
    assert_eq!(bench.presence(), [(1, BEN, None)]);
    assert!(bench.rolls.iter().all(|roll| roll.table.len() == 1), "nothing is left of who went");
}

#[test]
fn a_page_that_is_loaded_again_is_no_coming_and_going() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.connect(1, 2, BEN);
    bench.run(1000);
    assert_eq!(bench.rolls[0].look(LinkId(1), Some(vec![BEN])), [(BEN, Whereabouts { watching: None })]);
    bench.rolls[1].disconnect(at(bench.now_ms), LinkId(2));
    bench.run(1000);
    bench.connect(1, 3, BEN);
    bench.run(10_000);
    assert_eq!(bench.presence(), []);
}

#[test]
fn who_does_not_look_is_told_nothing() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.rolls[0].look(LinkId(1), Some(vec![BEN]));
    bench.rolls[0].look(LinkId(1), None);
    bench.connect(1, 2, BEN);
    bench.run(1000);
    assert_eq!(bench.presence(), []);
    assert!(bench.rolls[0].lookers.is_empty());
}

#[test]
fn a_dead_node_takes_its_people_with_it_within_fifteen_seconds() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.rolls[0].look(LinkId(1), Some(vec![BEN]));
    bench.connect(1, 2, BEN);
    bench.run(60_000);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))], "as long as it lives they stay");
    bench.cut.insert(1);
    bench.run(9_900);
    assert_eq!(bench.presence(), [], "two lost heartbeats are no death");
    bench.run(5_100);
    assert_eq!(bench.presence(), [(1, BEN, None)]);
    bench.cut.clear();
    bench.run(NODE_HEARTBEAT.as_millis() as u64 + 1000);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))], "it was only cut off");
}

#[test]
fn a_node_that_goes_says_so() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.rolls[0].look(LinkId(1), Some(vec![BEN]));
    bench.connect(1, 2, BEN);
    bench.run(1000);
    bench.rolls[1].close();
    bench.settle();
    assert_eq!(bench.presence(), [(1, BEN, Some(None)), (1, BEN, None)]);
}

#[test]
fn what_was_missed_is_told_again_whole_in_parts() {
    let mut bench = Bench::new(2);
    bench.cut.insert(0);
    let people = 2 * PRESENCE_BATCH_MAX as u64 + 5;
    for user in 10..10 + people {
        bench.connect(1, user, UserId::from_bits(user));
    }
    bench.run(1000);
    bench.cut.clear();
    bench.run(NODE_HEARTBEAT.as_millis() as u64 + 1000);
    assert_eq!(bench.rolls[0].table.len() as u64, people);
    // A change is lost on the way, the next one shows it.
    bench.cut.insert(0);
    bench.rolls[1].disconnect(at(bench.now_ms), LinkId(10));
    bench.run(4000);
    bench.cut.clear();
    bench.rolls[1].disconnect(at(bench.now_ms), LinkId(11));
    bench.run(6000);
    assert_eq!(bench.rolls[0].table.len() as u64, people - 2);
    assert_eq!(bench.rolls[0].find(UserId::from_bits(10)), None);
}

#[test]
fn a_late_node_learns_at_once_who_is_there() {
    let mut bench = Bench::new(1);
    bench.connect(0, 1, ANN);
    bench.run(1000);
    bench.rolls.push(Roll::new(NodeId::from_bits(1)));
    bench.run(100);
    assert_eq!(bench.rolls[1].find(ANN), Some(Whereabouts::default()));
}

#[test]
fn what_somebody_hides_is_shown_to_nobody() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.rolls[0].look(LinkId(1), Some(vec![BEN]));
    bench.rolls[1].connect(at(bench.now_ms), LinkId(2), BEN, true);
    bench.rolls[1].watch(at(bench.now_ms), LinkId(2), Some(MATCH));
    bench.run(1000);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))]);
    // Changed by a request that reached the other node.
    bench.rolls[0].note(at(bench.now_ms), BEN, Note::Hides { hide: false });
    bench.run(500);
    assert_eq!(bench.presence(), [(1, BEN, Some(Some(MATCH)))]);
    bench.rolls[0].note(at(bench.now_ms), BEN, Note::Hides { hide: true });
    bench.run(500);
    assert_eq!(bench.presence(), [(1, BEN, Some(None))]);
}

#[test]
fn notes_reach_every_tab_of_a_person_and_nobody_else() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.connect(1, 2, ANN);
    bench.connect(1, 3, BEN);
    bench.run(1000);
    let note = Note::MessagesRead { user: BEN, reader: ANN, up_to: 5 };
    bench.rolls[1].note(at(bench.now_ms), ANN, note.clone());
    bench.settle();
    let mut told: Vec<_> = bench.told.iter().map(|(node, link, news)| (*node, link.0, news.clone())).collect();
    told.sort_unstable_by_key(|(_, link, _)| *link);
    assert_eq!(told, [(0, 1, PersonNews::Note(note.clone())), (1, 2, PersonNews::Note(note))]);
}

#[test]
fn who_looks_at_friends_looks_at_new_ones_and_no_longer_at_lost_ones() {
    let mut bench = Bench::new(2);
    bench.connect(0, 1, ANN);
    bench.connect(1, 2, BEN);
    bench.rolls[0].look(LinkId(1), Some(vec![]));
    bench.run(1000);
    let ben = |relation| Note::FriendChanged {
        person: Person { id: BEN, name: "Ben".to_owned(), picture_version: 0, relation: Some(relation), follows: Some(false) },
    };
    bench.rolls[1].note(at(bench.now_ms), ANN, ben(Relation::Friend));
    bench.settle();
    assert_eq!(bench.presence(), [(1, BEN, Some(None))]);
    assert_eq!(bench.ties, [(1, ANN), (0, ANN)], "her chats are to look again");
    bench.rolls[1].note(at(bench.now_ms), ANN, ben(Relation::None));
    bench.rolls[1].disconnect(at(bench.now_ms), LinkId(2));
    bench.run(10_000);
    assert_eq!(bench.presence(), []);
    assert!(bench.rolls[0].lookers.is_empty());
}

#[test]
fn ties_that_could_not_be_read_are_read_again_once() {
    let mut bench = Bench::new(1);
    for wait in [1000, 3000] {
        bench.rolls[0].renew_ties(at(bench.now_ms + wait), ANN);
    }
    bench.run(950);
    assert_eq!(bench.ties, []);
    bench.run(5000);
    assert_eq!(bench.ties, [(0, ANN)]);
}

#[test]
fn what_waits_to_be_told_is_bounded_and_goes_on_when_it_is_told() {
    let mut bench = Bench::new(1);
    let now = at(bench.now_ms);
    let taken = (0..2 * PEOPLE_OUTPUTS_MAX).filter(|_| bench.rolls[0].note(now, ANN, Note::TiesChanged)).count();
    assert_eq!(taken, PEOPLE_OUTPUTS_MAX / 2, "each is told here and to the others");
    assert_eq!(bench.rolls[0].outputs.len(), PEOPLE_OUTPUTS_MAX);
    bench.settle();
    assert!(bench.rolls[0].note(now, ANN, Note::TiesChanged));
}

#[test]
fn an_idle_node_only_beats() {
    let mut bench = Bench::new(2);
    bench.run(10_000);
    bench.words = 0;
    bench.run(60_000);
    assert!((23..=25).contains(&bench.words), "{} words in a minute of two nodes", bench.words);
}

#[test]
fn that_somebody_does_not_come_is_heard_by_every_node() {
    let mut bench = Bench::new(2);
    let (user, call) = (UserId::from_bits(9), crate::ids::CallId::from_bits(1));
    bench.rolls[0].note(at(0), user, Note::CallRingOver { call, reason: RingOver::Declined });
    bench.rolls[0].note(at(0), user, Note::CallRingOver { call, reason: RingOver::Answered });
    bench.settle();
    let word = PeopleWord::Declined { user, call };
    assert_eq!(bench.heard, [(0, word), (1, word)]);
}
