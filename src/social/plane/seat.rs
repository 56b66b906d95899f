//! One connection in a chat: what it reads and what it may do. Leaves when it is dropped.

use std::sync::Arc;

use metrics::counter;
use tokio::sync::{mpsc, watch};

use super::Shared;
use super::room::Room;
use crate::ids::UserId;
use crate::limits::{CHAT_RESYNC_WINDOW, CHAT_RESYNCS_MAX, REACTION_TAPS_MAX};
use crate::social::Text;
use crate::social::chat::{Answer, Ask, ChatAuthor, ChatHistory, ChatRefusal, ChatRole, MessageId};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::moderation::judge;
use crate::social::reactions::ReactionKind;
use crate::social::room::edge::{ChatView, SeatId};
use crate::social::room::ring::Cursor;
use crate::telemetry::{SOCIAL_REQUESTS, SOCIAL_RESYNCS, SOCIAL_SLOW_SEATS, SOCIAL_TAPS};

/// What a seat hears.
#[derive(Debug, Clone, PartialEq)]
pub enum SeatNews {
    /// A frame, encoded.
    Text(Text),
    /// What became of a request of this seat.
    Answered { id: u32, answer: Answer },
    /// The seat has fallen too far behind: this is the chat as it is now, frames go on from here.
    Resync(Box<ChatHistory>),
    /// The seat reads too slowly: it is over.
    TooSlow,
}

/// News in a seat's mailbox. In a box, because a channel keeps room for many from the start.
#[derive(Debug)]
pub(super) struct Mail(pub(super) Box<SeatNews>);

/// See the file's head.
#[derive(Debug)]
pub struct Seat {
    shared: Arc<Shared>,
    room: Arc<Room>,
    id: SeatId,
    user: UserId,
    view: ChatView,
    cursor: Cursor,
    frames: watch::Receiver<u64>,
    mail: mpsc::Receiver<Mail>,
    resynced: (UnixMs, u32),
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.leave(self.id);
    }
}

impl Seat {
    pub(super) fn take(
        shared: Arc<Shared>,
        room: Arc<Room>,
        id: SeatId,
        user: UserId,
        friends: Vec<UserId>,
        since: Option<MessageId>,
    ) -> Option<(Self, ChatHistory)> {
        let (cursor, frames, mail, history) = room.take_seat(id, user, friends, since)?;
        let seat = Self { shared, room, id, user, view: ChatView::default(), cursor, frames, mail, resynced: (UnixMs::default(), 0) };
        Some((seat, history))
    }

    /// The next thing; cancelling loses nothing.
    pub async fn next(&mut self) -> SeatNews {
        loop {
            match self.mail.try_recv() {
                Ok(Mail(news)) => return *news,
                Err(mpsc::error::TryRecvError::Disconnected) => return self.too_slow(),
                Err(mpsc::error::TryRecvError::Empty) => {}
            }
            // Before the ring is looked at, so that a frame that comes meanwhile wakes.
            self.frames.mark_unchanged();
            match self.room.read(&mut self.cursor, self.id, self.view) {
                Some(Ok(text)) => return SeatNews::Text(text),
                Some(Err(_)) => return self.resync(),
                None => {}
            }
            tokio::select! {
                mail = self.mail.recv() => match mail {
                    Some(Mail(news)) => return *news,
                    None => return self.too_slow(),
                },
                // The room outlives its seats, so the sender is there.
                _ = self.frames.changed() => {}
            }
        }
    }

    fn resync(&mut self) -> SeatNews {
        let now = wall_clock();
        if now.since(self.resynced.0) > CHAT_RESYNC_WINDOW {
            self.resynced = (now, 0);
        }
        self.resynced.1 += 1;
        if self.resynced.1 > CHAT_RESYNCS_MAX {
            return self.too_slow();
        }
        counter!(SOCIAL_RESYNCS).increment(1);
        let (cursor, history) = self.room.history(self.user, None);
        self.cursor = cursor;
        SeatNews::Resync(Box::new(history))
    }

    fn too_slow(&self) -> SeatNews {
        counter!(SOCIAL_SLOW_SEATS).increment(1);
        SeatNews::TooSlow
    }

    /// Asks the chat for something; [`SeatNews::Answered`] with the same `id` says what became of it. What the filter refuses is refused here.
    ///
    /// # Errors
    /// [`ChatRefusal::Filtered`].
    pub async fn ask(&self, id: u32, author: ChatAuthor, ask: Ask) -> Result<(), ChatRefusal> {
        if let (Ask::Say { text, .. } | Ask::Edit { text, .. }, ChatRole::Viewer) = (&ask, author.role)
            && let Err(rule) = judge(text)
        {
            counter!(SOCIAL_REQUESTS, "result" => "filtered").increment(1);
            return Err(ChatRefusal::Filtered { rule });
        }
        let standing = self.shared.relations.standing(self.room.broadcast(), author.id).await;
        self.room.act(|now, edge| edge.ask(now, self.id, id, author, standing, ask));
        Ok(())
    }

    /// Taps of one kind.
    pub fn react(&self, kind: ReactionKind, count: u32, media_time_ms: Option<f64>) {
        let count = count.min(REACTION_TAPS_MAX);
        counter!(SOCIAL_TAPS).increment(u64::from(count));
        self.room.act(|now, edge| edge.tap(now, kind, u64::from(count), media_time_ms));
    }

    /// How much of a busy chat to show.
    pub fn view(&mut self, view: ChatView) {
        self.view = view;
        self.room.act(|_, edge| edge.view(self.id, view));
    }
}
