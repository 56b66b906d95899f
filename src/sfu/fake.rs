//! A media plane for tests of the control plane: it answers every command at once and remembers what it was asked. No sockets, no media.

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use super::codec::MediaKind;
use super::handle::{Command, Fill, IceRestarted, LayerChoice, PeerAnswer, PeerGone, PeerStats, SfuError, SfuEvent, SfuEvents, SfuHandle};
use super::pool::{Pool, WorkerSlot};
use super::rtp::id::Mid;
use super::stats::WorkerSnapshot;
use crate::ids::{BroadcastId, PeerId, SourceId};
use crate::limits::{COMMAND_QUEUE, EVENT_QUEUE};

/// What the control plane asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Added {
        peer: PeerId,
        broadcast: BroadcastId,
        publish: bool,
    },
    Renegotiated(PeerId),
    /// With the one or the other: what the peer is a source of from then on.
    Sourced(PeerId, SourceId),
    Restarted(PeerId),
    Removed(PeerId),
    Layer(PeerId, LayerChoice),
    DrawnAt(PeerId, Mid, u16),
    Closed(BroadcastId),
    Withdrawn(PeerId),
    Filled(PeerId, Vec<Fill>),
    ShownGuest(BroadcastId, Option<SourceId>),
    Silenced(SourceId, bool),
}

/// The test's side of it.
#[derive(Debug, Clone)]
pub(crate) struct FakeSfu {
    pub(crate) events: mpsc::Sender<SfuEvent>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeSfu {
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An offer that contains `malformed` or `unacceptable` is refused as such; every other one is answered.
pub(crate) fn start() -> (SfuHandle, SfuEvents, FakeSfu) {
    let (commands, mut queue) = mpsc::channel(COMMAND_QUEUE);
    let (events, receiver) = mpsc::channel(EVENT_QUEUE);
    // The pool only shows the snapshot; a sender that is gone leaves the last one.
    let (_, snapshot) = watch::channel(WorkerSnapshot::default());
    let fake = FakeSfu { events, asked: Arc::default() };
    let worker = fake.clone();
    tokio::spawn(async move {
        let mut homes = std::collections::HashMap::new();
        while let Some(command) = queue.recv().await {
            worker.handle(command, &mut homes).await;
        }
    });
    (SfuHandle { pool: Arc::new(Pool::new(vec![WorkerSlot::new(commands, snapshot)])) }, receiver, fake)
}

impl FakeSfu {
    async fn handle(&self, command: Command, homes: &mut std::collections::HashMap<PeerId, BroadcastId>) {
        match command {
            Command::AddPeer { peer, request, reply, .. } => {
                let answer = answer(peer, &request.offer);
                if answer.is_ok() {
                    homes.insert(peer, request.broadcast);
                    self.note(Asked::Added { peer, broadcast: request.broadcast, publish: request.permissions.publish });
                    request.source.into_iter().for_each(|source| self.note(Asked::Sourced(peer, source)));
                }
                drop(reply.send(answer));
            }
            Command::Renegotiate { peer, offer, source, reply } => {
                self.note(Asked::Renegotiated(peer));
                source.into_iter().for_each(|source| self.note(Asked::Sourced(peer, source)));
                drop(reply.send(answer(peer, &offer)));
            }
            Command::RestartIce { peer, reply, .. } => {
                self.note(Asked::Restarted(peer));
                let candidates = vec!["candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host".to_owned()];
                let mids = vec![Mid::new(b"0").unwrap()];
                drop(reply.send(Ok(IceRestarted { ufrag: "second".to_owned(), pwd: "x".repeat(24), candidates, mids })));
            }
            Command::RemovePeer { peer } => {
                self.note(Asked::Removed(peer));
                if let Some(broadcast) = homes.remove(&peer) {
                    self.events.send(SfuEvent::PeerGone { peer, broadcast, reason: PeerGone::Removed }).await.unwrap();
                }
            }
            Command::ChooseLayer { peer, choice } => self.note(Asked::Layer(peer, choice)),
            Command::DrawnAt { peer, mid, height } => self.note(Asked::DrawnAt(peer, mid, height)),
            Command::Stats { peer, reply } => drop(reply.send(match homes.contains_key(&peer) {
                true => Ok(PeerStats { connected: true, ..PeerStats::default() }),
                false => Err(SfuError::UnknownPeer),
            })),
            Command::Withdraw { peer, .. } => self.note(Asked::Withdrawn(peer)),
            Command::Fill { peer, fills } => self.note(Asked::Filled(peer, fills.into_iter().map(|(fill, _)| fill).collect())),
            Command::ShowGuest { broadcast, guest } => self.note(Asked::ShownGuest(broadcast, guest.map(|(source, _)| source))),
            Command::Silence { source, silenced } => self.note(Asked::Silenced(source, silenced)),
            // No media comes from here: the tap stays open until the test has forgotten it.
            Command::AddTap { .. } | Command::SourceAt { .. } => {}
            Command::CloseBroadcast { broadcast } => {
                self.note(Asked::Closed(broadcast));
                let theirs: Vec<PeerId> = homes.iter().filter(|(_, home)| **home == broadcast).map(|(peer, _)| *peer).collect();
                for peer in theirs {
                    homes.remove(&peer);
                    self.events.send(SfuEvent::PeerGone { peer, broadcast, reason: PeerGone::Removed }).await.unwrap();
                }
            }
        }
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
    }
}

fn answer(peer: PeerId, offer: &str) -> Result<PeerAnswer, SfuError> {
    if offer.contains("malformed") {
        return Err(SfuError::MalformedOffer { reason: "as asked".to_owned() });
    }
    if offer.contains("unacceptable") {
        return Err(SfuError::Unacceptable { reason: "as asked".to_owned() });
    }
    let sdp =
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=sendonly\r\n";
    let [audio, video] = [Mid::new(b"0").unwrap(), Mid::new(b"1").unwrap()];
    let main = vec![(audio, MediaKind::Audio), (video, MediaKind::Video)];
    let ice_ufrag = "first".to_owned();
    // A guest's pair, and two pairs more.
    let free = (2..8_u8)
        .map(|at| (Mid::new(&[b'0' + at]).expect("a digit is a mid"), if at % 2 == 0 { MediaKind::Audio } else { MediaKind::Video }))
        .collect();
    Ok(PeerAnswer { peer, sdp: sdp.to_owned(), ice_ufrag, up_tracks: 0, down_tracks: 2, mids: vec![audio, video], main, free })
}
