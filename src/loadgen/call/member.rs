//! One member: watches the match, comes into the call on the same peer, sends and receives, and counts.
//!
//! ```text
//! (account) ─▶ hello ─▶ join ─▶ offer: watch ─▶ ICE, DTLS ─▶ media ─────────────────────────────────────▶ stop
//!                                                 └─▶ start and link, or join by it ─▶ offer: send, friends ─▶ present ─▶ slots, ...
//! ```

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::camera::Camera;
use super::conversation::{Conversation, Front};
use super::found::CallTally;
use super::incoming::Incoming;
use super::media::{self, Told};
use super::offer::{FIRST_FACE_MID, Received, offer, received};
use crate::limits::{LOADGEN_CALL_PACE_INTERVAL, LOADGEN_PING_INTERVAL, LOADGEN_PUSHES_MAX};
use crate::loadgen::clock;
use crate::loadgen::link::{Identity, Link};
use crate::loadgen::sdp::{self, LocalSide};
use crate::loadgen::signaling::Server;
use crate::loadgen::socket::{Conditions, Socket};
use crate::loadgen::tally::Tally;

/// Lines of a face as it is drawn: the first one large.
const DRAWN: (u16, u16) = (360, 180);
/// What a member tells of its picture: how far behind, and how little that could be, ms.
const PACE: (f64, f64) = (300.0, 200.0);

/// What lets others into a call.
#[derive(Debug, Clone)]
pub(super) struct Invitation {
    call: String,
    secret: String,
}

/// How a member comes into its call.
pub(super) enum Door {
    Begins(watch::Sender<Option<Invitation>>),
    Follows(watch::Receiver<Option<Invitation>>),
}

/// What a member is told.
pub(super) struct Place<'a> {
    pub(super) server: &'a Server,
    pub(super) front: &'a Front,
    pub(super) identity: &'a Identity,
    pub(super) tally: &'a Tally,
    pub(super) call_tally: &'a CallTally,
    pub(super) broadcast: &'a str,
    pub(super) conditions: Option<&'a Conditions>,
    /// Counts the calls of a run.
    pub(super) call: usize,
    /// Members of the call, and which of them this is.
    pub(super) turn: (usize, usize),
}

/// Takes part until `stop`. Everything that it finds goes into the tallies.
pub(super) async fn take_part(place: &Place<'_>, door: Door, stop: &CancellationToken) {
    if let Err(error) = attend(place, door, stop).await {
        place.tally.failed(&error);
    }
}

/// A peer that watches.
struct Watching {
    link: Link,
    local: LocalSide,
    peer: String,
    received: Vec<Received>,
}

async fn attend(place: &Place<'_>, door: Door, stop: &CancellationToken) -> anyhow::Result<()> {
    let asked_at = clock::now();
    let mut conversation = enter(place, &door).await?;
    let Watching { mut link, local, peer, received } = watch(place, &mut conversation).await?;
    place.tally.connected();
    let (tells, mut told) = mpsc::channel(LOADGEN_PUSHES_MAX);
    let (faces, mut came) = mpsc::channel(LOADGEN_PUSHES_MAX);
    let mut incoming = Incoming::new(place.tally, place.call_tally, asked_at);
    incoming.agree(received);
    let ended = tokio::select! {
        ended = media::run(&mut link, &mut incoming, &mut told, &faces, stop) => ended,
        ended = talk(place, door, &mut conversation, (&local, &peer), &tells, &mut came) => ended,
    };
    let found = incoming.finish(clock::now());
    let was_alone = !found.has_friends;
    if let Some(the_match) = found.the_match.clone() {
        place.tally.finished(the_match);
    }
    place.call_tally.finished(found);
    conversation.close().await;
    link.close().await;
    ended?;
    ensure!(!was_alone, "in the call, and nobody was seen and heard");
    Ok(())
}

/// The conversation, up to the joined broadcast.
async fn enter(place: &Place<'_>, door: &Door) -> anyhow::Result<Conversation> {
    let account = match door {
        Door::Begins(_) => Some(place.front.sign_up(place.call).await?),
        Door::Follows(_) => None,
    };
    let mut conversation = Conversation::open(place.front, place.call, account.as_deref()).await?;
    let mut join = json!({ "type": "join", "broadcast": place.broadcast });
    if let Some(token) = place.server.token() {
        join["token"] = token.into();
    }
    conversation.ask(join).await?;
    Ok(conversation)
}

async fn watch(place: &Place<'_>, conversation: &mut Conversation) -> anyhow::Result<Watching> {
    let (members, own) = place.turn;
    let socket = Socket::open(place.conditions, (place.call * members + own) as u64).await?;
    let mut local = place.identity.local_side();
    local.candidate = Some(place.server.candidate(socket.local_port()?));
    let answer = conversation.ask(json!({ "type": "offer", "intent": "view", "sdp": offer(&local, None) })).await?;
    let text = answer["sdp"].as_str().context("an answer without SDP")?;
    let remote = sdp::read(text).context("the answer lacks credentials, a UDP candidate or H.264")?;
    place.server.check_media(&remote)?;
    let peer = answer["peer"].as_str().context("an answer without a peer")?.to_owned();
    let link = Link::connect(place.identity, socket, &local, &remote).await?;
    Ok(Watching { link, local, peer, received: received(text) })
}

/// Comes into the call and stays there. Never ends well: that is the media's to do.
async fn talk(
    place: &Place<'_>,
    door: Door,
    conversation: &mut Conversation,
    (local, peer): (&LocalSide, &str),
    tells: &mpsc::Sender<Told>,
    came: &mut mpsc::Receiver<String>,
) -> anyhow::Result<()> {
    let call = |ask: Value| json!({ "type": "call", "ask": ask });
    match door {
        Door::Begins(open) => {
            let entered = conversation.ask(call(json!({ "ask": "start", "ring": [] }))).await.context("beginning a call")?;
            let link = conversation.ask(call(json!({ "ask": "link" }))).await?;
            let text = |value: &Value| value.as_str().map(str::to_owned).context("a link into the call that lacks something");
            let invitation = Invitation { call: text(&entered["call"]["id"])?, secret: text(&link["invitation"])? };
            open.send_replace(Some(invitation));
        }
        Door::Follows(mut opens) => {
            let invitation = opens.wait_for(Option::is_some).await.ok().and_then(|invitation| invitation.clone());
            let Invitation { call: id, secret } = invitation.context("nobody began the call")?;
            tells.send(Told::JoinsCall(clock::now())).await?;
            conversation.ask(call(json!({ "ask": "join", "call": id, "invitation": secret }))).await.context("joining a call")?;
        }
    }
    let camera = Camera::new(clock::now(), place.turn);
    let sdp = offer(local, Some((&camera.own(), place.turn.0 - 1)));
    let answer =
        conversation.ask(json!({ "type": "offer", "intent": "view", "peer": peer, "sdp": sdp })).await.context("offering a camera")?;
    let agreed = received(answer["sdp"].as_str().context("an answer without SDP")?);
    tells.send(Told::Agreed(agreed, Some(Box::new(camera)))).await?;
    conversation.ask(call(json!({ "ask": "present", "microphone": true, "camera": true, "screen": false }))).await?;
    let mut pings = tokio::time::interval(LOADGEN_PING_INTERVAL);
    let mut paces = tokio::time::interval(LOADGEN_CALL_PACE_INTERVAL);
    let pace = json!({ "type": "call_pace", "pace": { "behind_ms": PACE.0, "least_ms": PACE.1 } });
    loop {
        tokio::select! {
            pushed = conversation.next() => {
                if let Some(told) = hear(place, &pushed?)? {
                    tells.send(told).await?;
                }
            }
            Some(mid) = came.recv() => {
                let height = if mid == FIRST_FACE_MID { DRAWN.0 } else { DRAWN.1 };
                conversation.tell(&json!({ "type": "view_size", "peer": peer, "mid": mid, "height": height })).await?;
            }
            _ = pings.tick() => conversation.ping().await?,
            _ = paces.tick() => conversation.tell(&pace).await?,
        }
    }
}

/// What a push means for the media, if anything.
fn hear(place: &Place<'_>, pushed: &Value) -> anyhow::Result<Option<Told>> {
    match pushed["type"].as_str().unwrap_or_default() {
        "slots" => {
            let slots = pushed["slots"].as_array().map_or(&[][..], Vec::as_slice);
            let member = |slot: &Value| -> Option<(String, u64)> {
                let member = slot["source"].as_str()?.strip_prefix("member:")?.parse().ok()?;
                Some((slot["mid"].as_str()?.to_owned(), member))
            };
            let members: HashMap<String, u64> = slots.iter().filter_map(member).collect();
            return Ok(Some(Told::Slots(members)));
        }
        "unwatched" => {
            let rids = pushed["rids"].as_array().map_or(&[][..], Vec::as_slice);
            return Ok(Some(Told::Unwatched(rids.iter().filter_map(|rid| rid.as_str().map(str::to_owned)).collect())));
        }
        "error" => place.call_tally.refused(),
        "call_over" => bail!("out of the call: {}", pushed["reason"].as_str().unwrap_or_default()),
        "bye" => bail!("the server said goodbye: {}", pushed["reason"].as_str().unwrap_or_default()),
        "transport" => bail!("the server has no room: watch by {}", pushed["to"].as_str().unwrap_or_default()),
        "peer_state" if pushed["state"]["state"] == "gone" => {
            bail!("the peer is gone: {}", pushed["state"]["reason"].as_str().unwrap_or_default());
        }
        _ => {}
    }
    Ok(None)
}
