//! Guests on air as sessions ask for them, and how the effects of [`OnAir`](super::on_air::OnAir) reach everybody.

use metrics::counter;

use super::on_air::{Ends, StageEffect};
use super::{Chore, Live, State, Told};
use crate::accounts::{Claims, Grant};
use crate::ids::{BroadcastId, SessionId};
use crate::signaling::now::Now;
use crate::signaling::protocol::{OnAirAsk, UserView};
use crate::signaling::refusal::Refusal;
use crate::telemetry::ON_AIR_GUESTS;

impl Live {
    /// Does what a session that has joined `broadcast` asks about guests on it.
    pub(crate) fn ask_on_air(&self, session: SessionId, who: &Claims, broadcast: BroadcastId, ask: OnAirAsk) -> Result<(), Refusal> {
        let person = UserView { id: who.sub, name: who.name.clone(), guest: who.guest };
        self.decide(|now, state| {
            let found = state.directory.broadcast(broadcast).ok_or(Refusal::NotFound("broadcast"))?;
            if found.has_ended() && ask != OnAirAsk::End {
                return Err(Refusal::Ended);
            }
            let may_direct = state.directory.grants_on(found, who).contains(&Grant::Publish);
            let demand_director = || if may_direct { Ok(()) } else { Err(Refusal::Forbidden(Grant::Publish)) };
            match ask {
                OnAirAsk::RaiseHand { raised } => state.on_air.raise(now, broadcast, session, person, raised),
                OnAirAsk::Invite { user } => {
                    demand_director()?;
                    let sessions = state.directory.sessions_of(broadcast, user);
                    state.on_air.invite(now, broadcast, user, sessions)
                }
                OnAirAsk::Answer { accept } => {
                    let source = state.lines.peer_of(session).and_then(|peer| state.lines.source(peer));
                    state.on_air.answer(now, broadcast, session, &person, accept.then_some(source))
                }
                OnAirAsk::Layout { layout } => {
                    demand_director()?;
                    state.on_air.set_layout(broadcast, layout);
                    Ok(())
                }
                OnAirAsk::End => state.on_air.end(now, broadcast, session, if may_direct { Ends::Director } else { Ends::Viewer }),
            }
        })
    }

    pub(super) fn carry_out_stage(&self, now: Now, state: &mut State, effect: StageEffect) {
        match effect {
            StageEffect::Tell { session, message } => state.sessions.tell(session, Told::Message(Box::new(message))),
            StageEffect::Show { broadcast, guest } => {
                let (view, source) = guest.unzip();
                self.chore(state, Chore::ShowGuest { broadcast, guest: source });
                state.directory.set_guest(now, broadcast, view);
            }
            StageEffect::On(session) => {
                counter!(ON_AIR_GUESTS).increment(1);
                state.directory.hold(session);
            }
            StageEffect::Off(session) => self.let_go(state, session),
        }
    }
}
