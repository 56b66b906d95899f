//! The live registry: one [`Live`] for the whole node, shared by WebSocket sessions, WHIP, WHEP and REST.
//!
//! ```text
//! ws, whip, whep, api ──▶ Live (this file: short lock, never across await) ──▶ Directory (pure) ──▶ Broadcast (pure)
//!                          │  effects                                            ▲
//!                          ├─▶ news: one encoded text for all sessions           │ events, deadlines
//!                          ├─▶ mailboxes: one session                            │
//!                          └─▶ chores, records ──▶ tasks.rs ─────────────────────┘
//! ```
//! A mutex and not an actor: every operation is a few hash-map steps on memory, its callers need the answer at once, and the order of
//! announcements is the order of the lock. Whatever awaits (media plane, store) is done by the caller or by the tasks, without it.

mod access;
mod broadcast;
mod calls;
mod details;
mod directory;
mod headroom;
mod lines;
mod media;
mod moderation;
mod on_air;
mod people;
mod resources;
mod sessions;
mod stage;
mod tasks;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{Notify, broadcast as fanout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::directory::{Directory, Effect};
use self::lines::Lines;
use self::on_air::OnAir;
use self::sessions::SessionBook;
use super::now::Now;
use super::protocol::{BroadcastState, CallOver, Marker, OnAirLayout, ServerMessage};
use super::refusal::Refusal;
use super::settings::Settings;
use crate::accounts::{Accounts, Claims, Tokens};
use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::limits::NEWS_QUEUE;
use crate::sfu::handle::{Fill, SfuEvents, SfuHandle};
use crate::social::Social;
use crate::social::call::calls::Calls;
use crate::social::clock::UnixMs;
use crate::store::Store;
use crate::websocket::Frame;

pub(crate) use self::broadcast::{Credential, Poster};
pub(crate) use self::calls::CallDone;
pub(crate) use self::directory::{JoinAs, Joined, Told, gone_word};
pub(crate) use self::media::{Answered, HttpPeer, Who};
pub(crate) use self::resources::{picture_type, text_of_event};
pub(crate) use self::sessions::{Mail, Mailbox, Parked, Rejoined};
pub(crate) use self::tasks::until;

/// What [`Live`] is made of.
#[derive(Debug)]
pub struct LiveParts {
    pub sfu: SfuHandle,
    pub events: SfuEvents,
    pub tokens: Tokens,
    pub accounts: Accounts,
    pub store: Store,
    pub social: Social,
    pub settings: Settings,
    /// Broadcasts of which there is a recording: those that have ended are remembered too.
    pub recorded: Vec<BroadcastId>,
}

/// Announcements of one broadcast, each encoded once.
pub(crate) type News = fanout::Receiver<Frame>;

/// What waits for the media plane; see [`tasks`].
#[derive(Debug)]
enum Chore {
    RemovePeer(PeerId),
    CloseBroadcast(BroadcastId),
    Withdraw(PeerId, SourceId),
    Fill { peer: PeerId, fills: Vec<Fill> },
    ShowGuest { broadcast: BroadcastId, guest: Option<SourceId> },
    Silence { source: SourceId, silenced: bool },
}

#[derive(Debug)]
struct State {
    directory: Directory,
    news: HashMap<BroadcastId, fanout::Sender<Frame>>,
    sessions: SessionBook,
    calls: Calls,
    on_air: OnAir,
    lines: Lines,
    /// Bounded by what exists: of each kind a chore a peer, a broadcast, a source.
    chores: VecDeque<Chore>,
    /// Broadcasts to write, in the order in which they changed.
    unsaved: VecDeque<BroadcastId>,
    unsaved_set: HashSet<BroadcastId>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    sfu: SfuHandle,
    tokens: Tokens,
    accounts: Accounts,
    store: Store,
    social: Social,
    settings: Settings,
    /// The earliest deadline may have moved.
    deadline_moved: Notify,
    chores_waiting: Notify,
    records_waiting: Notify,
    tasks: TaskTracker,
    conversations: TaskTracker,
    /// No new work; set at the beginning of shutdown.
    closing: CancellationToken,
    /// The tasks end when their queues are empty.
    stopping: CancellationToken,
}

/// The registry of everything live on this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    shared: Arc<Shared>,
}

impl Live {
    /// Loads what the store keeps and starts the registry's tasks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(parts: LiveParts) -> Result<Self, crate::store::StoreError> {
        let LiveParts { sfu, events, tokens, accounts, store, social, settings, recorded } = parts;
        let now = Now::read();
        let mut records = store.load_broadcasts(now.unix_ms as u64).await?;
        for id in recorded {
            records.extend(store.find_broadcast(id).await?.filter(|record| record.state == BroadcastState::Ended));
        }
        let mut directory = Directory::new(&settings);
        directory.restore(now, records);
        let state = State {
            directory,
            news: HashMap::new(),
            sessions: SessionBook::default(),
            calls: Calls::default(),
            on_air: OnAir::default(),
            lines: Lines::default(),
            chores: VecDeque::new(),
            unsaved: VecDeque::new(),
            unsaved_set: HashSet::new(),
        };
        let shared = Shared {
            state: Mutex::new(state),
            sfu,
            tokens,
            accounts,
            store,
            social,
            settings,
            deadline_moved: Notify::new(),
            chores_waiting: Notify::new(),
            records_waiting: Notify::new(),
            tasks: TaskTracker::new(),
            conversations: TaskTracker::new(),
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
        };
        let live = Self { shared: Arc::new(shared) };
        live.spawn_tasks(events);
        Ok(live)
    }

    /// Ends every call, says `bye` to every session, closes every peer, writes what is unwritten, and ends the tasks. Broadcasts that are live stay so
    /// in the store: after a restart they wait for their publishers.
    pub async fn shutdown(&self) {
        let close_calls = || self.decide(|now, state| state.calls.close(now.unix()));
        close_calls();
        self.shared.closing.cancel();
        self.with_state(|state| state.sessions.close_all());
        self.shared.conversations.close();
        self.shared.conversations.wait().await;
        // Who came in meanwhile.
        close_calls();
        self.decide(|now, state| state.directory.remove_all_peers(now));
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Broadcasts that have begun and not ended, and whether somebody publishes them now.
    pub fn on_air(&self) -> Vec<(BroadcastId, bool)> {
        self.with_state(|state| state.directory.on_air())
    }

    /// Who is seen beside the main picture, and how.
    pub fn guest(&self, broadcast: BroadcastId) -> Option<(SourceId, OnAirLayout)> {
        self.with_state(|state| state.on_air.shown(broadcast))
    }

    /// The marked moments of a broadcast.
    pub fn markers(&self, broadcast: BroadcastId) -> Vec<Marker> {
        self.with_state(|state| state.directory.broadcast(broadcast).map(|found| found.markers().to_vec()).unwrap_or_default())
    }

    /// These broadcasts have a replay, and no others.
    pub fn set_replays(&self, replays: &BTreeSet<BroadcastId>) {
        self.decide(|now, state| state.directory.set_replays(now, replays));
    }

    /// Broadcasts in memory, of them on air, and people watching.
    pub fn census(&self) -> (usize, usize, usize) {
        self.with_state(|state| state.directory.census())
    }

    /// Sessions, detached ones included.
    pub fn sessions(&self) -> usize {
        self.with_state(|state| state.sessions.len())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn social(&self) -> &Social {
        &self.shared.social
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.shared.tokens
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.shared.accounts
    }

    /// Cancelled when shutdown begins.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }

    /// Connections, which shutdown says `bye` to and waits for.
    pub(crate) fn conversations(&self) -> &TaskTracker {
        &self.shared.conversations
    }

    /// Reads a bearer token.
    ///
    /// # Errors
    /// `InvalidToken`, `TokenExpired`.
    pub(crate) fn identify(&self, token: Option<&str>) -> Result<Option<Claims>, Refusal> {
        token.map(|token| self.shared.tokens.verify(token, Now::read().unix_s()).map_err(Refusal::from)).transpose()
    }

    fn refuse_when_closing(&self) -> Result<(), Refusal> {
        if self.shared.closing.is_cancelled() { Err(Refusal::ShuttingDown) } else { Ok(()) }
    }

    /// A short look at the state. Nothing in it may wait.
    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// Lets the directory decide and carries its effects out, in one section of the lock so that their order is everybody's order.
    fn decide<T>(&self, decide: impl FnOnce(Now, &mut State) -> T) -> T {
        let now = Now::read();
        self.with_state(|state| {
            let wake_at = state.wake_at(now);
            let decision = decide(now, state);
            self.settle(now, state);
            if state.wake_at(now) != wake_at {
                self.shared.deadline_moved.notify_one();
            }
            decision
        })
    }

    /// What one part of the state wants may change another one.
    fn settle(&self, now: Now, state: &mut State) {
        loop {
            let effects = (state.directory.poll_effects(), state.calls.poll_effects(), state.on_air.poll_effects());
            if effects.0.is_empty() && effects.1.is_empty() && effects.2.is_empty() {
                return;
            }
            effects.0.into_iter().for_each(|effect| self.carry_out(now, state, effect));
            effects.1.into_iter().for_each(|effect| self.carry_out_call(now, state, effect));
            effects.2.into_iter().for_each(|effect| self.carry_out_stage(now, state, effect));
        }
    }

    fn carry_out(&self, now: Now, state: &mut State, effect: Effect) {
        match effect {
            Effect::Announce { broadcast, message } => {
                if let Some(news) = state.news.get(&broadcast) {
                    // Nobody may be listening just now.
                    drop(news.send(encode(&message)));
                }
            }
            Effect::Tell { session, told } => state.sessions.tell(session, told),
            Effect::RemovePeer(peer) => self.chore(state, Chore::RemovePeer(peer)),
            Effect::CloseBroadcast(broadcast) => self.chore(state, Chore::CloseBroadcast(broadcast)),
            Effect::Save(broadcast) => {
                if state.unsaved_set.insert(broadcast) {
                    state.unsaved.push_back(broadcast);
                }
                self.shared.records_waiting.notify_one();
            }
            Effect::Watched { broadcast, by, is_here: true } => self.social().watch(broadcast, by),
            Effect::Watched { broadcast, by, is_here: false } => self.social().unwatch(broadcast, by),
            Effect::Ended(broadcast) => state.on_air.close(now, broadcast),
            Effect::Forgotten(broadcast) => {
                state.on_air.close(now, broadcast);
                state.news.remove(&broadcast);
            }
            Effect::Left { broadcast, session } => {
                state.calls.leave(now.unix(), session, CallOver::Left);
                state.on_air.leave(now, broadcast, session);
            }
            Effect::PeerForgotten(peer) => state.peer_forgotten(now, peer),
        }
    }

    /// The last of those that say the same of one thing counts; it is done when the first would have been.
    fn chore(&self, state: &mut State, chore: Chore) {
        // Those that are asked once come in thousands, and are not looked for.
        let is_repeated = !matches!(chore, Chore::RemovePeer(_) | Chore::CloseBroadcast(_));
        let waiting = state.chores.iter_mut().filter(|_| is_repeated).find(|waiting| waiting.is_replaced_by(&chore));
        match (waiting, chore) {
            (Some(Chore::Fill { fills, .. }), Chore::Fill { fills: newer, .. }) => {
                fills.retain(|fill| newer.iter().all(|other| other.mid != fill.mid));
                fills.extend(newer);
            }
            (Some(waiting), chore) => *waiting = chore,
            (None, chore) => state.chores.push_back(chore),
        }
        self.shared.chores_waiting.notify_one();
    }
}

impl Chore {
    fn is_replaced_by(&self, newer: &Self) -> bool {
        match self {
            Self::Fill { peer, .. } => matches!(newer, Self::Fill { peer: other, .. } if peer == other),
            Self::Withdraw(peer, source) => matches!(newer, Self::Withdraw(other, its) if (peer, source) == (other, its)),
            Self::ShowGuest { broadcast, .. } => matches!(newer, Self::ShowGuest { broadcast: other, .. } if broadcast == other),
            Self::Silence { source, .. } => matches!(newer, Self::Silence { source: other, .. } if source == other),
            // They are asked once.
            Self::RemovePeer(_) | Self::CloseBroadcast(_) => false,
        }
    }
}

impl State {
    /// When time alone changes something.
    fn wake_at(&self, now: Now) -> Option<Instant> {
        let at = |at: UnixMs| now.instant + at.since(now.unix());
        [self.directory.wake_at(), self.sessions.wake_at(), self.on_air.wake_at(), self.calls.wake_at().map(at)].into_iter().flatten().min()
    }

    fn subscribe(&mut self, broadcast: BroadcastId) -> News {
        self.news.entry(broadcast).or_insert_with(|| fanout::Sender::new(NEWS_QUEUE)).subscribe()
    }
}

/// The JSON text of a message.
pub(crate) fn text_of(message: &ServerMessage) -> String {
    serde_json::to_string(message).expect("messages are plain values with text keys: they always serialize")
}

/// A message for many, as all of them read it.
pub(crate) fn encode(message: &ServerMessage) -> Frame {
    Frame::shared_text(&text_of(message))
}
