//! One connection in a chat: what it reads and what it may do. Leaves when it is dropped.

use std::sync::Arc;

use metrics::counter;

use super::Shared;
use super::room::{Entering, Room};
use super::row::{Found, Place};
use crate::ids::UserId;
use crate::limits::{CHAT_RESYNC_WINDOW, CHAT_RESYNCS_MAX, REACTION_TAPS_MAX, STANDING_KEPT};
use crate::social::Text;
use crate::social::chat::{Answer, Ask, ChatAuthor, ChatHistory, ChatRefusal, ChatRole, Standing};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::moderation::judge;
use crate::social::reactions::ReactionKind;
use crate::social::room::edge::{ChatView, SeatId};
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

/// See the file's head.
#[derive(Debug)]
pub struct Seat {
    shared: Arc<Shared>,
    room: Arc<Room>,
    id: SeatId,
    user: UserId,
    place: Arc<Place>,
    /// What this person is to the broadcaster, when that was asked, and after how many changes.
    standing: Option<(UnixMs, u32, Standing)>,
    resynced: (UnixMs, u32),
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.leave(self.id);
    }
}

impl Seat {
    pub(super) fn take(shared: Arc<Shared>, room: Arc<Room>, id: SeatId, entering: Entering) -> Option<(Self, ChatHistory)> {
        let user = entering.user;
        let (place, history) = room.take_seat(&shared, id, entering)?;
        Some((Self { shared, room, id, user, place, standing: None, resynced: (UnixMs::default(), 0) }, history))
    }

    /// The next thing, but for frames that the room has written to the seat's line itself. Cancelling loses nothing.
    pub async fn next(&mut self) -> SeatNews {
        loop {
            match self.place.read(&self.shared, &self.room) {
                Found::News(news) => return news,
                Found::Missed => return self.resync(),
                Found::Flooded => return self.too_slow(),
                Found::UpToDate => self.place.stirred().await,
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
        let (cursor, history) = self.room.history(self.user, &self.place.hidden(), None);
        self.place.go_on_from(cursor);
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
        let (now, relations) = (wall_clock(), self.place.relations());
        if let Some((asked_at, of, standing)) = self.standing
            && now.since(asked_at) < STANDING_KEPT
            && of == relations
        {
            return Ok(standing);
        }
        let standing = self.shared.relations.standing(self.room.broadcast(), user).await.map_err(|error| {
            tracing::warn!(%user, %error, "nobody knows who may write");
            ChatRefusal::Unavailable
        })?;
        self.standing = Some((now, relations, standing));
        Ok(standing)
    }

    /// Taps of one kind.
    pub fn react(&self, kind: ReactionKind, count: u32, media_time_ms: Option<f64>) {
        let count = count.min(REACTION_TAPS_MAX);
        counter!(SOCIAL_TAPS).increment(u64::from(count));
        self.room.act(|now, edge| edge.tap(now, kind, u64::from(count), media_time_ms));
    }

    /// How much of a busy chat to show.
    pub fn view(&self, view: ChatView) {
        self.place.view(view);
        self.room.act(|_, edge| edge.view(self.id, view));
    }
}

#[cfg(test)]
impl Seat {
    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    pub(super) fn hides(&self, other: UserId) -> bool {
        self.place.hidden().contains(&other)
    }
}
