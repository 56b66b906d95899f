//! A live registry on a fake media plane, for tests of handlers and connections.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::live::{Live, LiveParts};
use super::settings::Settings;
use crate::accounts::{Accounts, Claims, Grant, Letter, Tokens};
use crate::ids::{BroadcastId, NodeId, PeerId, UserId};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::fake::{self, FakeSfu};
use crate::sfu::handle::{LayerInfo, SfuEvent, TrackInfo};
use crate::social::archive::kept::{StoreArchive, StoreRelations};
use crate::social::bus::memory::MemoryBus;
use crate::social::{Social, SocialParts};
use crate::store::Store;

pub(crate) const OFFER: &str = "v=0\r\na=ice-ufrag:them\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n";

/// A node without a network.
pub(crate) struct Node {
    pub(crate) live: Live,
    pub(crate) sfu: FakeSfu,
    pub(crate) router: Router,
    /// What people were sent.
    pub(crate) letters: mpsc::Receiver<Letter>,
    store: Store,
    bus: Arc<MemoryBus>,
    dir: Arc<tempfile::TempDir>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's code, after checking that it is one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl Node {
    /// Publishing and viewing open to everybody.
    pub(crate) async fn open() -> Self {
        Self::start(true, true).await
    }

    pub(crate) async fn start(open_publish: bool, open_view: bool) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let store = Store::open_file(&dir.path().join("test.db")).await.unwrap();
        Self::of((store, Arc::default(), dir), NodeId::from_bits(1), open_publish, open_view).await
    }

    /// Another node beside this one: the same store and the same bus.
    pub(crate) async fn second(&self) -> Self {
        Self::of((self.store.clone(), Arc::clone(&self.bus), Arc::clone(&self.dir)), NodeId::from_bits(2), true, true).await
    }

    async fn of(
        (store, bus, dir): (Store, Arc<MemoryBus>, Arc<tempfile::TempDir>),
        node: NodeId,
        open_publish: bool,
        open_view: bool,
    ) -> Self {
        let (handle, events, sfu) = fake::start();
        let settings = Settings {
            open_publish,
            open_view,
            dvr_window_s: None,
            max_viewers: Some(4),
            egress_max_bps: None,
            has_hls: true,
            ice_servers: Default::default(),
            public_base_url: "http://test".to_owned(),
        };
        let tokens = Tokens::with_key(&[9; 32]);
        let (accounts, letters) = Accounts::for_tests(store.clone(), tokens.clone(), true);
        let social = Social::start(SocialParts {
            bus: Arc::clone(&bus) as Arc<dyn crate::social::bus::Bus>,
            node,
            archive: Arc::new(StoreArchive(store.clone())),
            relations: Arc::new(StoreRelations(store.clone())),
            encode: super::encode_chat,
        });
        let parts = LiveParts { sfu: handle, events, tokens, accounts, store: store.clone(), social, settings, recorded: Vec::new() };
        let live = Live::start(parts).await.unwrap();
        let router = super::router(live.clone()).merge(crate::api::router(live.clone()));
        Self { live, sfu, router, letters, store, bus, dir }
    }

    /// A token of user `sub`.
    pub(crate) fn token(&self, sub: u64, grants: &[Grant], operator: bool) -> String {
        self.live.tokens().mint(&Claims {
            sub: UserId::from_bits(sub),
            name: format!("User {sub}"),
            exp: 4_000_000_000,
            broadcast: None,
            grants: grants.to_vec(),
            operator,
            broadcaster: false,
            guest: !operator,
        })
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn post_sdp(&self, path: &str, token: Option<&str>, offer: &str) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut headers = vec![("content-type", "application/sdp")];
        if token.is_some() {
            headers.push(("authorization", &bearer));
        }
        self.ask(Method::POST, path, &headers, offer.to_owned()).await
    }

    pub(crate) async fn ask_json(&self, method: Method, path: &str, token: Option<&str>, body: serde_json::Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut headers = vec![("content-type", "application/json")];
        if token.is_some() {
            headers.push(("authorization", &bearer));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.ask(method, path, &headers, body).await
    }

    /// The media plane reports pictures of `peer`, and the registry has heard it.
    pub(crate) async fn media(&self, peer: PeerId, broadcast: BroadcastId) {
        let layer = LayerInfo { spatial: 0, rid: None, width: 640, height: 360, bitrate_bps: 1, frames_per_second: 30.0, active: true };
        let track = TrackInfo {
            kind: MediaKind::Video,
            codec: Some(Codec::H264),
            layers: vec![layer],
            loss_fraction: 0.0,
            clock: None,
            lag_ms: None,
        };
        self.sfu.events.send(SfuEvent::Tracks { peer, broadcast, tracks: vec![track] }).await.unwrap();
        self.until(|node| node.live.find(&broadcast.to_string()).is_ok_and(|view| view.video_codec.is_some())).await;
    }

    /// Lets the registry's tasks run until something holds; a test that hangs here is ended by the test runner.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            tokio::task::yield_now().await;
        }
    }
}

/// The peer at the end of a `Location`.
pub(crate) fn peer_of(location: &str) -> PeerId {
    location.rsplit('/').next().unwrap().parse().unwrap()
}
