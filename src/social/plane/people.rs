//! The people of this node: the roll behind a lock, its task, and a mailbox for each connection.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use metrics::{counter, gauge};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval};

use super::home::until;
use super::room::{read, written};
use super::{Shared, failed};
use crate::ids::{BroadcastId, NodeId, UserId};
use crate::limits::{BUS_UPKEEP_INTERVAL, PEOPLE_MAILBOX, PEOPLE_WORDS, TIES_RETRY_INTERVAL};
use crate::social::bus::{Delivery, Subscription, Topic};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::people::roll::{LinkId, Roll, RollOutput};
use crate::social::people::{Note, PeopleWord, PersonNews, Says, Whereabouts};
use crate::telemetry::{SOCIAL_NOTES_LOST, SOCIAL_ONLINE};

#[derive(Debug)]
struct State {
    roll: Roll,
    mailboxes: HashMap<LinkId, mpsc::Sender<PersonNews>>,
    next_link: u64,
}

impl State {
    /// A full mailbox is a reader that does not read: it finds its mailbox closed.
    fn post(&mut self, link: LinkId, news: PersonNews) {
        let is_lost = self.mailboxes.get(&link).is_some_and(|mailbox| mailbox.try_send(news).is_err());
        if is_lost {
            self.mailboxes.remove(&link);
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct People {
    state: Mutex<State>,
    /// Somebody did something: the task has to look again.
    stirred: Notify,
    /// For whoever holds calls.
    words: Mutex<VecDeque<PeopleWord>>,
    has_words: Notify,
}

impl People {
    pub(super) fn new(node: NodeId) -> Self {
        let state = State { roll: Roll::new(node), mailboxes: HashMap::new(), next_link: 0 };
        Self { state: Mutex::new(state), stirred: Notify::new(), words: Mutex::new(VecDeque::new()), has_words: Notify::new() }
    }

    fn with<T>(&self, look: impl FnOnce(UnixMs, &mut State) -> T) -> T {
        let now = wall_clock();
        look(now, &mut self.state.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    pub(super) fn note(&self, user: UserId, note: Note) {
        if !self.with(|now, state| state.roll.note(now, user, note)) {
            counter!(SOCIAL_NOTES_LOST).increment(1);
        }
        self.stirred.notify_one();
    }

    /// See [`Roll::changes`].
    pub(super) fn changes(&self) -> u64 {
        self.with(|_, state| state.roll.changes())
    }

    /// Ties of somebody who sits in a chat have to be read again.
    pub(super) fn renew_ties(&self, user: UserId) {
        self.with(|now, state| state.roll.renew_ties(now, user));
        self.stirred.notify_one();
    }

    fn hear(&self, word: PeopleWord) {
        let mut words = self.words.lock().expect("no panic happens while the lock is held: its sections only move values");
        if words.len() < PEOPLE_WORDS {
            words.push_back(word);
        } else {
            counter!(SOCIAL_NOTES_LOST).increment(1);
        }
        self.has_words.notify_one();
    }

    /// For one reader; cancelling loses nothing.
    pub(super) async fn next_word(&self) -> PeopleWord {
        loop {
            let next = self.words.lock().expect("no panic happens while the lock is held: its sections only move values").pop_front();
            match next {
                Some(word) => return word,
                None => self.has_words.notified().await,
            }
        }
    }

    pub(super) fn find(&self, user: UserId) -> Option<Whereabouts> {
        self.with(|_, state| state.roll.find(user))
    }
}

/// One connection of somebody with an account: online while it is held.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    id: LinkId,
    mail: mpsc::Receiver<PersonNews>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.people.with(|now, state| {
            state.roll.disconnect(now, self.id);
            state.mailboxes.remove(&self.id);
            count(state);
        });
        self.shared.people.stirred.notify_one();
    }
}

fn count(state: &State) {
    gauge!(SOCIAL_ONLINE).set(state.roll.online_here() as f64);
}

impl Link {
    pub(super) fn open(shared: Arc<Shared>, user: UserId, hides: bool) -> Self {
        let (mailbox, mail) = mpsc::channel(PEOPLE_MAILBOX);
        let id = shared.people.with(|now, state| {
            let id = LinkId(state.next_link);
            state.next_link += 1;
            state.roll.connect(now, id, user, hides);
            state.mailboxes.insert(id, mailbox);
            count(state);
            id
        });
        shared.people.stirred.notify_one();
        Self { shared, id, mail }
    }

    /// The next thing; cancelling loses nothing.
    pub async fn next(&mut self) -> PersonNews {
        self.mail.recv().await.unwrap_or(PersonNews::TooSlow)
    }

    /// Which broadcast this connection watches now.
    pub fn watch(&self, watching: Option<BroadcastId>) {
        self.shared.people.with(|now, state| state.roll.watch(now, self.id, watching));
        self.shared.people.stirred.notify_one();
    }

    /// Looks at these people from now on: those of them who are online. What changes comes from [`Self::next`].
    pub fn look(&self, friends: Vec<UserId>) -> Vec<(UserId, Whereabouts)> {
        self.shared.people.with(|_, state| state.roll.look(self.id, Some(friends)))
    }

    pub fn look_away(&self) {
        self.shared.people.with(|_, state| state.roll.look(self.id, None));
    }
}

/// The task: until the plane stops.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut tries = interval(BUS_UPKEEP_INTERVAL);
    tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tries.tick() => {}
            () = shared.stopping.cancelled() => return,
        }
        match shared.bus.subscribe(Topic::People).await {
            Ok(subscription) => {
                follow_one(&shared, subscription).await;
                if shared.stopping.is_cancelled() {
                    shared.people.with(|_, state| state.roll.close());
                    carry_out(&shared).await;
                    return;
                }
            }
            Err(error) => {
                failed("read", &error);
                // Who is on this node hears of each other meanwhile, and nothing piles up.
                act(&shared).await;
            }
        }
    }
}

async fn follow_one(shared: &Shared, mut subscription: Subscription) {
    let people = &shared.people;
    carry_out(shared).await;
    loop {
        let wake_at = people.with(|_, state| state.roll.wake_at());
        tokio::select! {
            delivery = subscription.next() => match delivery {
                Some(Delivery::Payload(payload)) => match read(&payload) {
                    Some(word) => people.with(|now, state| state.roll.handle_word(now, word)),
                    None => failed("malformed", &"a word of a node about people cannot be read"),
                },
                Some(Delivery::Missed(missed)) => {
                    counter!(SOCIAL_NOTES_LOST).increment(missed.max(1));
                    people.with(|now, state| state.roll.handle_missed(now));
                }
                None => return,
            },
            () = until(Some(wake_at)) => {}
            () = people.stirred.notified() => {}
            () = shared.stopping.cancelled() => return,
        }
        act(shared).await;
    }
}

async fn act(shared: &Shared) {
    shared.people.with(|now, state| state.roll.handle_timeout(now));
    carry_out(shared).await;
}

async fn carry_out(shared: &Shared) {
    let later: Vec<RollOutput> = shared.people.with(|_, state| {
        let mut later = Vec::new();
        while let Some(output) = state.roll.poll_output() {
            match output {
                RollOutput::Tell { link, news } => state.post(link, news),
                RollOutput::Heard(word) => shared.people.hear(word),
                RollOutput::Publish(_) | RollOutput::TiesChanged(_) => later.push(output),
            }
        }
        later
    });
    let mut is_bus_away = false;
    for output in later {
        match output {
            RollOutput::Publish(word) => {
                // A bus that does not answer is waited for once, not once for each word. Changes that are lost show in the next beat.
                if !is_bus_away && let Err(error) = shared.bus.publish(Topic::People, written(&word)).await {
                    is_bus_away = true;
                    failed("publish", &error);
                }
                if is_bus_away && matches!(word.says, Says::Note { .. }) {
                    counter!(SOCIAL_NOTES_LOST).increment(1);
                }
            }
            RollOutput::TiesChanged(user) => {
                shared.people.hear(PeopleWord::TiesChanged(user));
                if let Err(error) = shared.relate(user).await {
                    tracing::warn!(%user, %error, "a block or friendship is not yet in force in the chats that this person is in");
                    shared.people.with(|now, state| state.roll.renew_ties(now.after(TIES_RETRY_INTERVAL), user));
                }
            }
            RollOutput::Tell { .. } | RollOutput::Heard(_) => {}
        }
    }
}
