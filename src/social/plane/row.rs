//! Seats in rows. What is said to a whole room is written to the sockets of a row by the row's task, one after the other: waking a task for each
//! of them would cost half as much again as the writing. A seat whose client does not take it at once reads by itself until it has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use metrics::counter;
use tokio::sync::{Notify, watch};
use tokio::task::{unconstrained, yield_now};

use super::Shared;
use super::room::{Reading, Room};
use super::seat::SeatNews;
use crate::limits::{CHAT_MAILBOX, CHAT_ROW_SEATS, CHAT_ROW_TURN};
use crate::social::room::edge::{ChatView, SeatId};
use crate::social::room::ring::Cursor;
use crate::social::room::sight::Hidden;
use crate::telemetry::SIGNALING_MESSAGES_SENT;
use crate::websocket::{Line, Passed};

/// Where one seat reads: shared by the seat, which reads while it is behind, and its row, which reads for it otherwise.
#[derive(Debug)]
pub(super) struct Place {
    seat: SeatId,
    state: Mutex<State>,
    /// There is something to read that the row could not pass on.
    stirred: Notify,
}

#[derive(Debug)]
struct State {
    cursor: Cursor,
    view: ChatView,
    hidden: Arc<Hidden>,
    /// Counts the changes of what this person is to others.
    relations: u32,
    /// What the seat is told alone.
    mail: VecDeque<SeatNews>,
    /// There was more of it than may wait.
    is_flooded: bool,
    /// The seat reads by itself. It does so from the start, so that its client is told of the room before what is said there.
    is_behind: bool,
    /// `None`: nobody else can write to this client; or the seat is left.
    line: Option<Line>,
}

/// What a seat that reads by itself finds.
#[derive(Debug)]
pub(super) enum Found {
    News(SeatNews),
    Missed,
    /// Too much waited for this seat alone.
    Flooded,
    /// Nothing that is not passed on.
    UpToDate,
}

impl Place {
    pub(super) fn new(seat: SeatId, cursor: Cursor, hidden: Arc<Hidden>, line: Option<Line>) -> Self {
        let (view, mail) = (ChatView::default(), VecDeque::new());
        let state = State { cursor, view, hidden, relations: 0, mail, is_flooded: false, is_behind: true, line };
        Self { seat, state: Mutex::new(state), stirred: Notify::new() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("no panic happens while the lock is held: its sections move values and write without waiting"))
    }

    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    pub(super) fn view(&self, view: ChatView) {
        self.with(|state| state.view = view);
    }

    /// Others are hidden from this person now, and what they are to the broadcaster may be another thing.
    pub(super) fn relate(&self, hidden: Arc<Hidden>) {
        self.with(|state| (state.hidden, state.relations) = (hidden, state.relations.wrapping_add(1)));
    }

    pub(super) fn relations(&self) -> u32 {
        self.with(|state| state.relations)
    }

    pub(super) fn hidden(&self) -> Arc<Hidden> {
        self.with(|state| Arc::clone(&state.hidden))
    }

    pub(super) fn go_on_from(&self, cursor: Cursor) {
        self.with(|state| state.cursor = cursor);
    }

    /// What the seat is told alone. It comes before the frames that follow, so the seat reads those by itself until it has caught up.
    pub(super) fn post(&self, news: SeatNews) {
        self.with(|state| {
            state.is_behind = true;
            if state.mail.len() < CHAT_MAILBOX {
                state.mail.push_back(news);
            } else {
                state.is_flooded = true;
            }
        });
        self.stirred.notify_one();
    }

    /// After this the row writes nothing more to the client.
    pub(super) fn leave(&self) {
        self.with(|state| state.line = None);
    }

    /// What the seat reads next by itself; once it has read everything the row goes on for it.
    pub(super) fn read(&self, shared: &Shared, room: &Room) -> Found {
        self.with(|state| {
            if state.is_flooded {
                return Found::Flooded;
            }
            if let Some(news) = state.mail.pop_front() {
                return Found::News(news);
            }
            // With nothing in it, it would still keep its place.
            state.mail = VecDeque::new();
            while state.is_behind {
                match room.read(&mut state.cursor, self.seat, state.view, &state.hidden) {
                    Some(Reading::Text(text)) => return Found::News(SeatNews::Text(text)),
                    Some(Reading::Own(frame)) => return Found::News(SeatNews::Text((shared.encode)(&frame))),
                    Some(Reading::Nothing) => {}
                    Some(Reading::Missed) => return Found::Missed,
                    None if state.line.is_some() => state.is_behind = false,
                    None => break,
                }
            }
            Found::UpToDate
        })
    }

    /// Passes on what the seat has not read, if it is not behind. The number of frames.
    fn pass_on(&self, shared: &Shared, room: &Room) -> u64 {
        self.with(|state| {
            let mut passed = 0;
            let State { cursor, view, hidden, is_behind, line: Some(line), .. } = state else {
                self.stirred.notify_one();
                return passed;
            };
            while !*is_behind {
                let before = *cursor;
                let text = match room.read(cursor, self.seat, *view, hidden) {
                    Some(Reading::Text(text)) => text,
                    Some(Reading::Own(frame)) => (shared.encode)(&frame),
                    Some(Reading::Nothing) => continue,
                    Some(Reading::Missed) => {
                        *cursor = before;
                        *is_behind = true;
                        break;
                    }
                    None => return passed,
                };
                match line.write(&text) {
                    Passed::Written => passed += 1,
                    Passed::Unfinished => {
                        passed += 1;
                        *is_behind = true;
                    }
                    Passed::Refused => {
                        *cursor = before;
                        *is_behind = true;
                    }
                }
            }
            self.stirred.notify_one();
            passed
        })
    }
}

/// Up to [`CHAT_ROW_SEATS`] seats.
#[derive(Debug, Default)]
pub(super) struct Row(Mutex<Vec<Arc<Place>>>);

impl Row {
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Arc<Place>>) -> T) -> T {
        look(&mut self.0.lock().expect("no panic happens while the lock is held: its sections only move values"))
    }

    /// Whether there was room.
    pub(super) fn take(&self, place: &Arc<Place>) -> bool {
        self.with(|places| {
            let has_room = places.len() < CHAT_ROW_SEATS;
            if has_room {
                places.push(Arc::clone(place));
            }
            has_room
        })
    }

    /// Whether it sat here.
    pub(super) fn leave(&self, seat: SeatId) -> bool {
        self.with(|places| {
            let at = places.iter().position(|place| place.seat == seat);
            at.map(|at| places.swap_remove(at)).is_some()
        })
    }
}

/// The row's task, until the room closes.
pub(super) async fn serve(shared: Arc<Shared>, room: Arc<Room>, row: Arc<Row>, mut news: watch::Receiver<u64>) {
    let closing = room.closing().clone();
    // A budget that runs out would look like sockets that take nothing; turns are kept short by hand.
    let serving = unconstrained(async {
        let sent = counter!(SIGNALING_MESSAGES_SENT);
        let mut places = Vec::new();
        // The room outlives its rows.
        while news.changed().await.is_ok() {
            row.with(|seated| places.clone_from(seated));
            for turn in places.chunks(CHAT_ROW_TURN) {
                sent.increment(turn.iter().map(|place| place.pass_on(&shared, &room)).sum());
                yield_now().await;
            }
            // Who left is not kept.
            places.clear();
        }
    });
    closing.run_until_cancelled(serving).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::chat::ChatRefusal;
    use crate::social::room::ring::Ring;

    #[test]
    fn what_waits_for_one_seat_is_bounded_and_that_there_was_more_is_remembered() {
        let place = Place::new(SeatId(1), Ring::<()>::new(1).end(), Arc::default(), None);
        for id in 0..=CHAT_MAILBOX as u32 {
            assert!(!place.with(|state| state.is_flooded), "{id}");
            place.post(SeatNews::Answered { id, answer: Err(ChatRefusal::Unavailable) });
        }
        assert_eq!(place.with(|state| (state.mail.len(), state.is_flooded)), (CHAT_MAILBOX, true));
    }
}
