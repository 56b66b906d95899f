//! Carries a session's commands out on the live registry. Each gives at most one outcome.

use super::live::{Answered, Live, News, Who};
use super::protocol::{Intent, Tap};
use super::refusal::Refusal;
use super::rest::NewMarker;
use super::session::{Command, Negotiated, Outcome, Session};
use crate::accounts::AccountRefusal;
use crate::ids::SessionId;
use crate::social::{Link, Newcomer, Seat};
use crate::websocket::Line;

/// What a connection follows.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// Of the joined broadcast.
    pub(crate) news: Option<News>,
    /// In its chat.
    pub(crate) seat: Option<Seat>,
    /// Of a person with an account.
    pub(crate) link: Option<Link>,
    /// The connection's own, for the seat.
    pub(crate) line: Option<Line>,
}

impl Followed {
    /// Friends see what this session watches; a preview is not watching.
    pub(crate) fn show_place(&self, live: &Live, session: SessionId) {
        if let Some(link) = &self.link {
            link.watch(live.watched_by(session));
        }
    }
}

/// Does what the session asked for.
pub(crate) async fn execute(live: &Live, session: &Session, followed: &mut Followed, command: Command) -> Option<Outcome> {
    let done = |id: u32, result: Result<(), Refusal>| Some(Outcome::Done { id, result });
    let who = Some(session.claims());
    match command {
        Command::Join { id, broadcast, token, join_as } => {
            let result = live.identify(token.as_deref()).and_then(|claims| {
                let claims = claims.unwrap_or_else(|| session.identity().clone());
                let (joined, receiver) = live.join(session.id, &broadcast, &claims, join_as)?;
                (followed.news, followed.seat) = (Some(receiver), None);
                followed.show_place(live, session.id);
                Ok((joined, claims))
            });
            Some(Outcome::Joined { id, result })
        }
        Command::Leave { id } => {
            (followed.news, followed.seat) = (None, None);
            live.leave(session.id);
            followed.show_place(live, session.id);
            done(id, Ok(()))
        }
        Command::AddPeer { id, broadcast, intent, sdp } => {
            let who = Who { claims: Some(session.claims().clone()), session: Some(session.id) };
            let answered = match intent {
                Intent::Publish => live.publish(who, broadcast.to_string(), sdp, false).await,
                Intent::View => live.view(who, broadcast.to_string(), sdp, false).await,
            };
            let result = answered.map(|Answered { peer, sdp, slots, .. }| Negotiated { peer, sdp, slots });
            Some(Outcome::Answered { id, intent: Some(intent), result })
        }
        Command::Renegotiate { id, peer, sdp } => {
            let result = live.renegotiate(peer, sdp).await.map(|Answered { peer, sdp, slots, .. }| Negotiated { peer, sdp, slots });
            Some(Outcome::Answered { id, intent: None, result })
        }
        Command::ClosePeer { id, peer } => {
            live.remove_peer(peer);
            done(id, Ok(()))
        }
        Command::DropPeer { peer } => {
            live.remove_peer(peer);
            None
        }
        Command::ChooseLayer { id, peer, choice } => {
            live.choose_layer(peer, choice).await;
            done(id, Ok(()))
        }
        Command::DrawnAt { peer, mid, height } => {
            live.drawn_at(peer, &mid, height).await;
            None
        }
        Command::ReadStats { peer } => Some(Outcome::Stats { peer, result: live.peer_stats(peer).await }),
        Command::Change { id, broadcast, changes } => done(id, live.change(who, &broadcast.to_string(), &changes).map(drop)),
        Command::Mark { id, broadcast, kind, label, media_time_ms } => {
            let new = NewMarker { kind, label, media_time_ms };
            done(id, live.mark(who, &broadcast.to_string(), &new).map(drop))
        }
        Command::Unmark { id, broadcast, marker } => done(id, live.unmark(who, &broadcast.to_string(), marker)),
        Command::End { id, broadcast } => done(id, live.end(who, &broadcast.to_string()).map(drop)),
        Command::EnterChat { id, broadcast, role, since } => {
            // The seat before this one first, so that nobody sits twice.
            followed.seat = None;
            let newcomer = Newcomer { user: session.claims().sub, role, since, line: followed.line.clone() };
            let result = live.social().enter(broadcast, newcomer).await.map_err(Refusal::from).map(|(seat, history)| {
                followed.seat = Some(seat);
                history
            });
            Some(Outcome::EnteredChat { id, role, result })
        }
        Command::LeaveChat { id } => {
            followed.seat = None;
            done(id, Ok(()))
        }
        Command::AskChat { id, author, ask } => match &mut followed.seat {
            None => done(id, Err(Refusal::NotInChat)),
            Some(seat) => seat.ask(id, author, ask).await.err().and_then(|refusal| done(id, Err(refusal.into()))),
        },
        Command::ViewChat { id, view } => match &mut followed.seat {
            None => done(id, Err(Refusal::NotInChat)),
            Some(seat) => {
                seat.view(view);
                done(id, Ok(()))
            }
        },
        Command::WatchFriends { id } => {
            let result = match &followed.link {
                Some(link) => live.watch_friends(session.identity(), link).await,
                None => Err(AccountRefusal::NoAccount.into()),
            };
            Some(Outcome::WatchesFriends { id, result })
        }
        Command::UnwatchFriends { id } => {
            followed.link.iter().for_each(Link::look_away);
            done(id, Ok(()))
        }
        Command::Call { id, broadcast, ask } => {
            Some(Outcome::Call { id, result: live.ask_call(session.id, session.claims(), broadcast, ask).await })
        }
        Command::ReportPace { pace } => {
            live.report_pace(session.id, pace);
            None
        }
        Command::OnAir { id, broadcast, ask } => done(id, live.ask_on_air(session.id, session.claims(), broadcast, ask)),
        Command::React { taps, media_time_ms } => {
            if let Some(seat) = &followed.seat {
                taps.into_iter().for_each(|Tap { kind, count }| seat.react(kind, count, media_time_ms));
            }
            None
        }
    }
}
