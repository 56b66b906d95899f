//! One broadcast's room on this node: the edge behind a lock, its task, and the ring that everybody here reads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use metrics::{counter, gauge};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::row::{self, Place, Row};
use super::seat::SeatNews;
use super::{Shared, failed, home};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{CHAT_LOG_KEPT, CHAT_RING, CHAT_ROOM_KEPT};
use crate::social::Text;
use crate::social::bus::{BusError, Delivery, Entry, Lane, LogId, Subscription, Topic};
use crate::social::chat::{ChatHistory, ChatRefusal, DeskBatch, Logged, MessageId, OutBatch};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::room::edge::{ChatFrame, ChatView, Edge, EdgeOutput, Frames, SeatId};
use crate::social::room::ring::{Cursor, Read, Ring};
use crate::social::room::sight::{Hidden, Sight, without};
use crate::telemetry::{SOCIAL_FRAMES, SOCIAL_GAPS, SOCIAL_PERSONAL, SOCIAL_REQUESTS, SOCIAL_SEATS};
use crate::websocket::Line;

/// One frame as each kind of viewer is sent it; the texts are shared.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    cohorts: [Text; 4],
    all: Text,
    /// What the texts say, for those from whom somebody is hidden.
    frames: Arc<Frames>,
}

impl Encoded {
    pub(super) fn text(&self, seat: SeatId, view: ChatView) -> &Text {
        match view {
            ChatView::Top => &self.cohorts[usize::from(seat.cohort())],
            ChatView::All => &self.all,
        }
    }
}

/// What a seat reads.
#[derive(Debug)]
pub(super) enum Reading {
    Text(Text),
    /// For this seat alone: without those who are hidden from it.
    Own(ChatFrame),
    /// It was all by those; nothing is left.
    Nothing,
    /// Frames are no longer there.
    Missed,
}

#[derive(Debug)]
struct State {
    edge: Edge,
    places: HashMap<SeatId, Arc<Place>>,
    rows: Vec<Arc<Row>>,
    empty_since: Option<UnixMs>,
}

impl State {
    /// What one seat is told alone.
    fn post(&self, seat: SeatId, news: SeatNews) {
        if let Some(place) = self.places.get(&seat) {
            place.post(news);
        }
    }

    fn note_emptiness(&mut self) {
        match self.edge.is_empty() {
            true => drop(self.empty_since.get_or_insert_with(wall_clock)),
            false => self.empty_since = None,
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Room {
    broadcast: BroadcastId,
    state: Mutex<State>,
    ring: RwLock<Ring<Encoded>>,
    /// Counts the frames, so that rows wake up.
    news: watch::Sender<u64>,
    /// Somebody did something: the task has to look again.
    stirred: Notify,
    closing: CancellationToken,
}

/// Who takes a seat.
pub(super) struct Entering {
    pub(super) user: UserId,
    pub(super) sight: Sight,
    /// They have seen everything up to this.
    pub(super) since: Option<MessageId>,
    pub(super) line: Option<Line>,
}

/// A room that has been read and not begun.
pub(super) struct Opened {
    room: Room,
    subscription: Subscription,
}

impl Room {
    /// Follows the chat and reads what is kept of it, in this order, so that nothing falls in between.
    pub(super) async fn open(shared: Arc<Shared>, broadcast: BroadcastId) -> Result<Opened, BusError> {
        let subscription = shared.bus.subscribe(Topic::Chat { broadcast, lane: Lane::Out }).await?;
        let mut log = parse_log(&shared.bus.read(broadcast, LogId::default(), CHAT_LOG_KEPT).await?);
        if log.is_empty() {
            log = home::from_archive(&shared, broadcast).await;
        }
        let kept = home::kept_snapshot(&shared, broadcast).await?;
        let edge = Edge::open(shared.node, kept.as_ref(), &log);
        let state = State { edge, places: HashMap::new(), rows: Vec::new(), empty_since: Some(wall_clock()) };
        let room = Self {
            broadcast,
            state: Mutex::new(state),
            ring: RwLock::new(Ring::new(CHAT_RING)),
            news: watch::Sender::new(0),
            stirred: Notify::new(),
            closing: shared.stopping.child_token(),
        };
        Ok(Opened { room, subscription })
    }

    pub(super) const fn broadcast(&self) -> BroadcastId {
        self.broadcast
    }

    pub(super) const fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// Lets somebody in, unless the room is just being closed: where they read, and what was said before. What is said from
    /// now on is written to the `line`, once the seat has read what there was.
    pub(super) fn take_seat(self: &Arc<Self>, shared: &Arc<Shared>, seat: SeatId, entering: Entering) -> Option<(Arc<Place>, ChatHistory)> {
        let Entering { user, sight, since, line } = entering;
        let entered = self.with(|state| {
            if self.closing.is_cancelled() {
                return None;
            }
            let hidden = Arc::clone(&sight.hidden);
            state.edge.enter(seat, user, sight);
            state.empty_since = None;
            // Under the same lock: what is not in the history comes in a frame.
            let place = Arc::new(Place::new(seat, self.end(), Arc::clone(&hidden), line));
            state.places.insert(seat, Arc::clone(&place));
            if !state.rows.iter().any(|row| row.take(&place)) {
                let row = Arc::new(Row::default());
                row.take(&place);
                state.rows.push(Arc::clone(&row));
                // Subscribed here: the task begins when there may be a frame already.
                shared.tasks.spawn(row::serve(Arc::clone(shared), Arc::clone(self), row, self.news.subscribe()));
            }
            Some((place, state.edge.history(user, &hidden, since)))
        })?;
        gauge!(SOCIAL_SEATS).increment(1.0);
        self.stirred.notify_one();
        Some(entered)
    }

    pub(super) fn leave(&self, seat: SeatId) {
        self.with(|state| {
            state.edge.leave(seat);
            if let Some(place) = state.places.remove(&seat) {
                place.leave();
            }
            state.rows.iter().any(|row| row.leave(seat));
            state.note_emptiness();
        });
        gauge!(SOCIAL_SEATS).decrement(1.0);
        self.stirred.notify_one();
    }

    /// Who watches the broadcast on this node; `false`: the room is just being closed.
    pub(super) fn watch(&self, people: &HashSet<UserId>) -> bool {
        let is_open = self.with(|state| {
            if self.closing.is_cancelled() {
                return false;
            }
            state.edge.watch(people);
            state.note_emptiness();
            true
        });
        self.stirred.notify_one();
        is_open
    }

    /// Lets somebody act on the edge.
    pub(super) fn act(&self, act: impl FnOnce(UnixMs, &mut Edge)) {
        self.with(|state| act(wall_clock(), &mut state.edge));
        self.stirred.notify_one();
    }

    pub(super) fn history(&self, user: UserId, hidden: &Hidden, since: Option<MessageId>) -> (Cursor, ChatHistory) {
        self.with(|state| (self.end(), state.edge.history(user, hidden, since)))
    }

    /// Whether it matters just now what somebody is to the broadcaster.
    pub(super) fn asks_for_standing(&self) -> bool {
        self.with(|state| state.edge.asks_for_standing())
    }

    /// Whether what the filter finds waits for a moderator.
    pub(super) fn holds_for_review(&self) -> bool {
        self.with(|state| state.edge.holds_for_review())
    }

    /// A person's friends are others now, or others are hidden from them.
    pub(super) fn relate(&self, user: UserId, sight: &Sight) {
        self.with(|state| {
            for (seat, hidden) in state.edge.relate(user, sight) {
                if let Some(place) = state.places.get(&seat) {
                    place.relate(hidden);
                }
            }
        });
        self.stirred.notify_one();
    }

    /// Whether this person sits here.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.with(|state| state.edge.has(user))
    }

    /// A frame without a home.
    #[cfg(test)]
    pub(super) fn push_frame(&self, text: Text) {
        let frames = Arc::new(Frames::Same(ChatFrame::default()));
        let frame = Encoded { cohorts: std::array::from_fn(|_| text.clone()), all: text, frames };
        self.ring.write().unwrap().push(frame);
        self.news.send_modify(|frames| *frames += 1);
    }

    fn end(&self) -> Cursor {
        self.ring.read().expect("no panic happens while the lock is held: its sections only move values").end()
    }

    /// The next frame for a reader.
    pub(super) fn read(&self, cursor: &mut Cursor, seat: SeatId, view: ChatView, hidden: &Hidden) -> Option<Reading> {
        let ring = self.ring.read().expect("no panic happens while the lock is held: its sections only move values");
        let frame = match ring.read(cursor) {
            Read::Frame(frame) => frame,
            Read::Missed(_) => return Some(Reading::Missed),
            Read::UpToDate => return None,
        };
        let text = || Reading::Text(frame.text(seat, view).clone());
        if hidden.is_empty() {
            return Some(text());
        }
        let frames = Arc::clone(&frame.frames);
        let text = text();
        drop(ring);
        Some(match without(frames.of(seat, view), hidden) {
            None => text,
            Some(rest) if rest.is_empty() => Reading::Nothing,
            Some(rest) => Reading::Own(rest),
        })
    }
}

impl Opened {
    /// Starts the room's tasks.
    pub(super) fn begin(self, shared: &Arc<Shared>) -> Arc<Room> {
        let Self { room, subscription } = self;
        let room = Arc::new(room);
        shared.tasks.spawn(follow(Arc::clone(shared), Arc::clone(&room), subscription));
        shared.tasks.spawn(home::keep(Arc::clone(shared), room.broadcast, room.closing.clone()));
        room
    }
}

/// The edge's task.
async fn follow(shared: Arc<Shared>, room: Arc<Room>, mut subscription: Subscription) {
    loop {
        let wake_at = room.with(|state| {
            let closes = state.empty_since.map(|since| since.after(CHAT_ROOM_KEPT));
            [state.edge.wake_at(), closes].into_iter().flatten().min()
        });
        tokio::select! {
            delivery = subscription.next() => match delivery {
                Some(Delivery::Payload(payload)) => match read::<OutBatch>(&payload) {
                    Some(batch) => room.with(|state| state.edge.handle_out(wall_clock(), batch)),
                    None => match read::<DeskBatch>(&payload) {
                        Some(DeskBatch { desk }) => room.with(|state| state.edge.handle_desk(desk)),
                        None => failed("malformed", &"a batch of a home cannot be read"),
                    },
                },
                Some(Delivery::Missed(_)) => room.with(|state| state.edge.handle_missed()),
                None => return,
            },
            () = home::until(wake_at) => room.with(|state| state.edge.handle_timeout(wall_clock())),
            () = room.stirred.notified() => room.with(|state| state.edge.handle_timeout(wall_clock())),
            () = room.closing.cancelled() => return,
        }
        while carry_out(&shared, &room).await {}
        if close_if_empty(&shared, &room) {
            return;
        }
    }
}

/// Carries out what the edge wants; whether that has made it want more.
async fn carry_out(shared: &Shared, room: &Room) -> bool {
    // Frames and personal ones go out under the lock, so that nobody enters in between and misses them.
    let later: Vec<EdgeOutput> = room.with(|state| {
        let mut later = Vec::new();
        while let Some(output) = state.edge.poll_output() {
            match output {
                EdgeOutput::Frame(frames) => {
                    counter!(SOCIAL_FRAMES).increment(1);
                    let mut ring = room.ring.write().expect("no panic happens while the lock is held: its sections only move values");
                    ring.push(encode(shared.encode, frames));
                    drop(ring);
                    room.news.send_modify(|frames| *frames += 1);
                }
                EdgeOutput::Personal { seat, frame } => {
                    counter!(SOCIAL_PERSONAL).increment(1);
                    state.post(seat, SeatNews::Text((shared.encode)(&frame)));
                }
                EdgeOutput::Answered { seat, id, answer } => {
                    counter!(SOCIAL_REQUESTS, "result" => result_word(&answer)).increment(1);
                    state.post(seat, SeatNews::Answered { id, answer });
                }
                EdgeOutput::Watched(count) => shared.watchers.count(room.broadcast, Some(count)),
                EdgeOutput::Publish(_) | EdgeOutput::ReadLog { .. } => later.push(output),
            }
        }
        later
    });
    let mut has_read = false;
    for output in later {
        match output {
            EdgeOutput::Publish(batch) => {
                let topic = Topic::Chat { broadcast: room.broadcast, lane: Lane::In };
                if let Err(error) = shared.bus.publish(topic, written(&batch)).await {
                    // It is sent again until it is safe.
                    failed("publish", &error);
                }
            }
            EdgeOutput::ReadLog { after } => {
                counter!(SOCIAL_GAPS).increment(1);
                let log = shared.bus.read(room.broadcast, after, CHAT_LOG_KEPT).await.unwrap_or_else(|error| {
                    failed("read", &error);
                    Vec::new()
                });
                room.with(|state| state.edge.handle_log(parse_log(&log)));
                has_read = true;
            }
            EdgeOutput::Frame(_) | EdgeOutput::Personal { .. } | EdgeOutput::Answered { .. } | EdgeOutput::Watched(_) => {}
        }
    }
    has_read
}

fn close_if_empty(shared: &Shared, room: &Room) -> bool {
    let mut rooms = shared.lock_rooms();
    let is_over = room.with(|state| {
        let is_over = state.empty_since.is_some_and(|since| since.after(CHAT_ROOM_KEPT) <= wall_clock());
        if is_over {
            // Under the lock: from now on nobody is let in.
            room.closing.cancel();
        }
        is_over
    });
    if is_over {
        rooms.remove(&room.broadcast);
        shared.watchers.count(room.broadcast, None);
    }
    is_over
}

fn encode(encode: fn(&ChatFrame) -> Text, frames: Frames) -> Encoded {
    let (cohorts, all) = match &frames {
        Frames::Same(frame) => {
            let text = encode(frame);
            (std::array::from_fn(|_| text.clone()), text)
        }
        Frames::Sampled { cohorts, all } => (cohorts.each_ref().map(encode), encode(all)),
    };
    Encoded { cohorts, all, frames: Arc::new(frames) }
}

const fn result_word(answer: &crate::social::chat::Answer) -> &'static str {
    match answer {
        Ok(_) => "done",
        Err(ChatRefusal::Filtered { .. }) => "filtered",
        Err(ChatRefusal::Held) => "held",
        Err(ChatRefusal::Unavailable) => "unavailable",
        Err(_) => "refused",
    }
}

/// What nodes write for each other.
pub(super) fn written<T: serde::Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("batches are plain values with text keys: they always serialize").into()
}

/// What another node has written, if it is of our kind.
pub(super) fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// The entries of a log that can be read.
pub(super) fn parse_log(log: &[Entry]) -> Vec<Logged> {
    log.iter().filter_map(|entry| read(&entry.payload)).collect()
}
