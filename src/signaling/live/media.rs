//! Media peers, as WebSocket sessions, WHIP and WHEP ask for them: admission by the directory, answers by the media plane.
//!
//! Invariant: a peer that the media plane made is either entered in the directory or removed again, whatever becomes of the client that
//! asked. Therefore adding runs in a task of its own, which a client that hangs up does not cancel.

use super::directory::{IceTags, PeerEntry};
use super::{Chore, Credential, Live};
use crate::accounts::{AudienceClass, Claims, Grant, PathTokenError};
use crate::ids::{BroadcastId, PeerId, SessionId, UserId};
use crate::limits::SFU_ANSWER_MAX;
use crate::sfu::codec::MediaKind;
use crate::sfu::handle::{AddPeer, IceRestarted, LayerChoice, PeerAnswer, PeerStats, Permissions};
use crate::sfu::rtp::id::Mid;
use crate::signaling::now::Now;
use crate::signaling::protocol::{Intent, Slot};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::HlsPath;
use crate::signaling::sdpfrag::offered_ufrag;

/// Who asks for a peer.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) claims: Option<Claims>,
    pub(crate) session: Option<SessionId>,
}

/// A peer of WHIP or WHEP, for those who come back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpPeer {
    /// Who opened it.
    pub(crate) credential: Credential,
    /// ICE user fragments in force.
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// A new peer and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) peer: PeerId,
    pub(crate) sdp: String,
    pub(crate) ice_ufrag: String,
    /// Which receiving m-line carries the broadcast.
    pub(crate) slots: Vec<Slot>,
}

impl Live {
    /// Adds a publisher's peer. `may_create`: a free slug becomes a broadcast (WHIP).
    pub(crate) async fn publish(&self, who: Who, broadcast: String, offer: String, may_create: bool) -> Result<Answered, Refusal> {
        let live = self.clone();
        self.detached(async move { live.publish_now(who, &broadcast, offer, may_create).await }).await
    }

    /// Adds a viewer's peer. `needs_live`: refused while nobody has published yet (WHEP).
    pub(crate) async fn view(&self, who: Who, broadcast: String, offer: String, needs_live: bool) -> Result<Answered, Refusal> {
        let live = self.clone();
        self.detached(async move { live.view_now(who, &broadcast, offer, needs_live).await }).await
    }

    /// A broadcast on air that `who` may watch, for a transport that makes no peer.
    pub(crate) fn watchable(&self, who: Option<&Claims>, broadcast: &str) -> Result<BroadcastId, Refusal> {
        self.with_state(|state| state.directory.watchable(broadcast, who))
    }

    /// As [`Self::watchable`], or one whose replay can be watched.
    pub(crate) fn replayable(&self, who: Option<&Claims>, broadcast: &str) -> Result<BroadcastId, Refusal> {
        self.with_state(|state| state.directory.replayable(broadcast, who))
    }

    /// Where players that send no header find a broadcast that `who` may watch. It need not be on air yet.
    pub(crate) fn hls_path(&self, who: Option<&Claims>, broadcast: &str) -> Result<HlsPath, Refusal> {
        if !self.settings().has_hls {
            return Err(Refusal::NotFound("HLS"));
        }
        let id = self.with_state(|state| state.directory.find_for(broadcast, who, Grant::View))?;
        if self.settings().open_view {
            return Ok(HlsPath { path: format!("/hls/{id}"), expires_at_ms: None });
        }
        let token = self.tokens().mint_path(id, AudienceClass::Viewers, Now::read().unix_s());
        Ok(HlsPath { path: format!("/hls/{}/{id}", token.text), expires_at_ms: Some(token.exp * 1000) })
    }

    /// What the bearer of a path that names `broadcast` may do: watch it, as nobody in particular.
    pub(crate) fn path_bearer(&self, token: &str, broadcast: &str) -> Result<Claims, PathTokenError> {
        let now = Now::read().unix_s();
        let AudienceClass::Viewers = self.tokens().verify_path(token, broadcast, now)?;
        Ok(Claims {
            sub: UserId::from_bits(0),
            name: String::new(),
            exp: now,
            broadcast: Some(broadcast.to_owned()),
            grants: vec![Grant::View],
            operator: false,
            broadcaster: false,
            guest: true,
        })
    }

    /// Answers a further offer of a peer.
    pub(crate) async fn renegotiate(&self, peer: PeerId, offer: String) -> Result<Answered, Refusal> {
        let (session, source) = self.with_state(|state| state.source_of(peer)).unwrap_or_default();
        let answer = in_time(self.shared.sfu.renegotiate(peer, offer, source)).await?;
        let slots = session.map(|session| {
            self.decide(|now, state| match state.directory.peer(peer) {
                Some(_) => self.viewer_answered(now, state, session, &answer, source),
                // It has gone while it was answered.
                None => Vec::new(),
            })
        });
        Ok(answered(answer, slots))
    }

    /// New ICE credentials for a peer.
    pub(crate) async fn restart_ice(&self, peer: PeerId, ufrag: String, pwd: String) -> Result<IceRestarted, Refusal> {
        in_time(self.shared.sfu.restart_ice(peer, ufrag, pwd)).await
    }

    /// Removes a peer by its client's wish.
    pub(crate) fn remove_peer(&self, peer: PeerId) {
        self.decide(|now, state| state.directory.remove_peer(now, peer));
    }

    pub(crate) async fn choose_layer(&self, peer: PeerId, choice: LayerChoice) {
        self.shared.sfu.choose_layer(peer, choice).await;
    }

    pub(crate) async fn drawn_at(&self, peer: PeerId, mid: &str, height: u16) {
        self.with_state(|state| state.directory.drawn(peer, height));
        self.shared.sfu.drawn_at(peer, mid, height).await;
    }

    pub(crate) async fn peer_stats(&self, peer: PeerId) -> Result<PeerStats, Refusal> {
        in_time(self.shared.sfu.peer_stats(peer)).await
    }

    /// A peer that was made by WHIP (`Publish`) or WHEP (`View`).
    pub(crate) fn http_peer(&self, peer: PeerId, intent: Intent) -> Option<HttpPeer> {
        self.with_state(|state| {
            let entry = state.directory.peer(peer)?;
            let is_such = entry.session.is_none() && entry.is_publisher == (intent == Intent::Publish);
            is_such.then(|| HttpPeer { credential: entry.credential, ours: entry.ice.ours.clone(), theirs: entry.ice.theirs.clone() })
        })
    }

    /// A peer has new ICE credentials.
    pub(crate) fn ice_restarted(&self, peer: PeerId, ours: String, theirs: String) {
        self.with_state(|state| state.directory.ice_restarted(peer, IceTags { ours, theirs }));
    }

    async fn publish_now(&self, who: Who, name: &str, offer: String, may_create: bool) -> Result<Answered, Refusal> {
        let new_id = may_create.then(|| BroadcastId::random(&mut rand::rng()));
        let admission = self.decide(|now, state| state.directory.admit_publisher(now, name, who.claims.as_ref(), new_id))?;
        if let Some(old) = admission.evicted {
            // Both peers are at the broadcast's home worker, whose queue keeps this order.
            self.shared.sfu.remove_peer(old).await;
        }
        let ufrag = offered_ufrag(&offer);
        let permissions = Permissions { publish: true, view: who.session.is_some() };
        let request = AddPeer { broadcast: admission.broadcast, permissions, offer, choice: LayerChoice::Auto, source: None };
        let added = self.add(request).await;
        match added {
            Ok(answer) => {
                let ice = IceTags { ours: answer.ice_ufrag.clone(), theirs: ufrag };
                let joined = self.decide(|now, state| {
                    let joined = state.directory.publisher_joined(now, &admission, answer.peer, who.session, ice);
                    if joined.is_err() {
                        self.chore(state, Chore::RemovePeer(answer.peer));
                    }
                    joined
                });
                joined?;
                tracing::info!(broadcast = %admission.broadcast, peer = %answer.peer, "publisher joined");
                Ok(answered(answer, None))
            }
            Err(refusal) => {
                self.decide(|now, state| state.directory.publisher_failed(now, &admission));
                Err(refusal)
            }
        }
    }

    async fn view_now(&self, who: Who, name: &str, offer: String, needs_live: bool) -> Result<Answered, Refusal> {
        let (broadcast, source) = self.decide(|now, state| {
            let broadcast = state.directory.admit_viewer(now, name, who.claims.as_ref(), who.session, needs_live)?;
            Ok::<_, Refusal>((broadcast, who.session.and_then(|session| state.new_source(session))))
        })?;
        let ufrag = offered_ufrag(&offer);
        let permissions = Permissions { publish: false, view: true };
        let request = AddPeer { broadcast, permissions, offer, choice: LayerChoice::Auto, source };
        match self.add(request).await {
            Ok(answer) => {
                let credential = super::access::credential(who.claims.as_ref());
                let ice = IceTags { ours: answer.ice_ufrag.clone(), theirs: ufrag };
                let entry = PeerEntry { broadcast, is_publisher: false, session: who.session, credential, ice };
                let joined = self.decide(|now, state| {
                    let joined = state.directory.viewer_joined(now, answer.peer, entry);
                    match (&joined, who.session) {
                        (Ok(()), Some(session)) => return Ok(Some(self.viewer_answered(now, state, session, &answer, source))),
                        (Ok(()), None) => {}
                        (Err(_), _) => self.chore(state, Chore::RemovePeer(answer.peer)),
                    }
                    joined.map(|()| None)
                });
                let slots = joined?;
                Ok(answered(answer, slots))
            }
            Err(refusal) => {
                self.decide(|_, state| state.directory.viewer_failed());
                Err(refusal)
            }
        }
    }

    /// Waits for the media plane in a task, so that a late answer still finds somebody who removes the peer.
    async fn add(&self, request: AddPeer) -> Result<PeerAnswer, Refusal> {
        let live = self.clone();
        let mut adding = self.shared.tasks.spawn(async move { live.shared.sfu.add_peer(request).await });
        if let Ok(joined) = tokio::time::timeout(SFU_ANSWER_MAX, &mut adding).await {
            return joined.map_err(|_| Refusal::Unavailable)?.map_err(Refusal::from);
        }
        let live = self.clone();
        self.shared.tasks.spawn(async move {
            if let Ok(Ok(late)) = adding.await {
                live.with_state(|state| live.chore(state, Chore::RemovePeer(late.peer)));
            }
        });
        Err(Refusal::Unavailable)
    }

    async fn detached<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Refusal>> + Send + 'static) -> Result<T, Refusal> {
        self.refuse_when_closing()?;
        self.shared.tasks.spawn(work).await.map_err(|_| Refusal::Unavailable)?
    }
}

/// `slots`: of a session's viewing peer; of any other one only the broadcast itself is told.
fn answered(answer: PeerAnswer, slots: Option<Vec<Slot>>) -> Answered {
    let PeerAnswer { peer, sdp, ice_ufrag, main, .. } = answer;
    let slot = |(mid, kind): (Mid, MediaKind)| Slot { mid: mid.as_str().to_owned(), kind, source: "main".to_owned() };
    let slots = slots.unwrap_or_else(|| main.into_iter().map(slot).collect());
    Answered { peer, sdp, ice_ufrag, slots }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, crate::sfu::handle::SfuError>>) -> Result<T, Refusal> {
    tokio::time::timeout(SFU_ANSWER_MAX, answer).await.map_err(|_| Refusal::Unavailable)?.map_err(Refusal::from)
}
