//! One connection in a chat: what it reads and what it may do. Leaves when it is dropped.

use std::sync::Arc;

use metrics::counter;
use tokio::sync::{mpsc, watch};

use super::Shared;
use super::room::{Reading, Room};
use crate::ids::UserId;
use crate::limits::{CHAT_RESYNC_WINDOW, CHAT_RESYNCS_MAX, REACTION_TAPS_MAX, STANDING_KEPT};
use crate::social::Text;
use crate::social::chat::{Answer, Ask, ChatAuthor, ChatHistory, ChatRefusal, ChatRole, MessageId, Standing};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::moderation::judge;
use crate::social::reactions::ReactionKind;
use crate::social::room::edge::{ChatView, SeatId};
use crate::social::room::ring::Cursor;
use crate::social::room::sight::{Hidden, Sight};
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

/// What is in a seat's mailbox. Small, because a channel keeps room for many from the start.
#[derive(Debug)]
pub(super) enum Mail {
    News(Box<SeatNews>),
    /// Others are hidden from this person now, and what they are to the broadcaster may be another thing.
    Hidden(Arc<Hidden>),
}

impl Mail {
    pub(super) fn of(news: SeatNews) -> Self {
        Self::News(Box::new(news))
    }
}

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
    hidden: Arc<Hidden>,
    /// What this person is to the broadcaster, and when that was asked.
    standing: Option<(UnixMs, Standing)>,
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
        sight: Sight,
        since: Option<MessageId>,
    ) -> Option<(Self, ChatHistory)> {
        let hidden = Arc::clone(&sight.hidden);
        let (cursor, frames, mail, history) = room.take_seat(id, user, sight, since)?;
        let (view, resynced) = (ChatView::default(), (UnixMs::default(), 0));
        Some((Self { shared, room, id, user, view, cursor, frames, mail, hidden, standing: None, resynced }, history))
    }

    /// The next thing; cancelling loses nothing.
    pub async fn next(&mut self) -> SeatNews {
        loop {
            match self.mail.try_recv() {
                Ok(Mail::News(news)) => return *news,
                Ok(Mail::Hidden(hidden)) => {
                    self.see(hidden);
                    continue;
                }
                Err(mpsc::error::TryRecvError::Disconnected) => return self.too_slow(),
                Err(mpsc::error::TryRecvError::Empty) => {}
            }
            // Before the ring is looked at, so that a frame that comes meanwhile wakes.
            self.frames.mark_unchanged();
            match self.room.read(&mut self.cursor, self.id, self.view, &self.hidden) {
                Some(Reading::Text(text)) => return SeatNews::Text(text),
                Some(Reading::Own(frame)) => return SeatNews::Text((self.shared.encode)(&frame)),
                Some(Reading::Nothing) => continue,
                Some(Reading::Missed) => return self.resync(),
                None => {}
            }
            tokio::select! {
                mail = self.mail.recv() => match mail {
                    Some(Mail::News(news)) => return *news,
                    Some(Mail::Hidden(hidden)) => self.see(hidden),
                    None => return self.too_slow(),
                },
                // The room outlives its seats, so the sender is there.
                _ = self.frames.changed() => {}
            }
        }
    }

    fn see(&mut self, hidden: Arc<Hidden>) {
        self.hidden = hidden;
        self.standing = None;
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
        let (cursor, history) = self.room.history(self.user, &self.hidden, None);
        self.cursor = cursor;
        SeatNews::Resync(Box::new(history))
    }

    fn too_slow(&self) -> SeatNews {
        counter!(SOCIAL_SLOW_SEATS).increment(1);
        SeatNews::TooSlow
    }

    /// Asks the chat for something; [`SeatNews::Answered`] with the same `id` says what became of it. What the filter refuses is refused here,
    /// or goes on with what it found, where such messages wait for a moderator.
    ///
    /// # Errors
    /// [`ChatRefusal::Filtered`]; [`ChatRefusal::Unavailable`] when it matters what this person is to the broadcaster and nobody can say it.
    pub async fn ask(&mut self, id: u32, author: ChatAuthor, mut ask: Ask) -> Result<(), ChatRefusal> {
        if let (Ask::Say { text, .. } | Ask::Edit { text, .. }, ChatRole::Viewer) = (&ask, author.role)
            && let Err(rule) = judge(text)
        {
            match &mut ask {
                Ask::Say { found, .. } if rule.may_be_held() && self.room.holds_for_review() => *found = Some(rule),
                _ => {
                    counter!(SOCIAL_REQUESTS, "result" => "filtered").increment(1);
                    return Err(ChatRefusal::Filtered { rule });
                }
            }
        }
        let standing = if author.role == ChatRole::Viewer && self.room.asks_for_standing() {
            self.current_standing(author.id).await?
        } else {
            Standing::default()
        };
        self.room.act(|now, edge| edge.ask(now, self.id, id, author, standing, ask));
        Ok(())
    }

    async fn current_standing(&mut self, user: UserId) -> Result<Standing, ChatRefusal> {
        let now = wall_clock();
        if let Some((asked_at, standing)) = self.standing
            && now.since(asked_at) < STANDING_KEPT
        {
            return Ok(standing);
        }
        let standing = self.shared.relations.standing(self.room.broadcast(), user).await.map_err(|error| {
            tracing::warn!(%user, %error, "nobody knows who may write");
            ChatRefusal::Unavailable
        })?;
        self.standing = Some((now, standing));
        Ok(standing)
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

#[cfg(test)]
impl Seat {
    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    pub(super) fn hides(&self, other: UserId) -> bool {
        self.hidden.contains(&other)
    }
}
