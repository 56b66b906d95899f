//! The fallback for those whom WebRTC cannot reach: the layers of a broadcast as renditions of low-latency HLS, plain HLS and DASH.
//!
//! ```text
//! sfu tap ─▶ packager.rs (a task a broadcast, while somebody asks)
//!              pipeline.rs    depay/ ─▶ clock.rs ─▶ segmenter.rs, track.rs ─▶ fmp4.rs      pure: frames in, steps out
//!              sound.rs       Opus ─▶ child.rs ─▶ AAC
//!              ladder.rs      VP8, or a lone layer ─▶ child.rs ─▶ H.264 in several sizes
//!              composer.rs    a guest on air (guest.rs): programme.rs ─▶ duet.rs ─▶ frames that take the layers' place (seat.rs)
//!              mixer.rs       their voice: mix.rs ─▶ duet.rs ─▶ frames that take the sounds' place; seamless.rs: no rendition has a hole
//!            shelf.rs         one immutable value, replaced in one step ──closed segments──▶ dvr/ recordings and replays
//!              playlist.rs, dash.rs   its texts, rendered once, packed once
//!            http.rs ─▶ routes, blocking requests, cache headers (asked.rs: by whom, range.rs: which bytes)
//! ```
//! Simulcast layers are the ladder, and are not encoded again. A packager begins with the first request and ends when nobody has asked
//! for anything for `limits::HLS_IDLE`; where broadcasts are recorded it runs as long as they are on air.

pub mod clock;
pub mod dash;
pub mod depay;
pub mod dvr;
pub mod fmp4;
pub mod format;
pub mod markers;
pub mod pipeline;
pub mod playlist;
pub mod segment;
pub mod segmenter;
pub mod shelf;
pub mod track;

mod asked;
mod child;
mod composer;
mod crew;
mod duet;
mod guest;
mod http;
mod keep_up;
mod ladder;
mod mix;
mod mixer;
mod opus;
mod packager;
mod programme;
mod range;
mod retry;
mod seamless;
mod seat;
mod sound;
mod stream;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod guest_tests;
#[cfg(test)]
mod publishing_tests;
#[cfg(test)]
mod segmenter_tests;
#[cfg(test)]
mod test_support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::response::Response;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ids::{BroadcastId, SourceId};
use crate::limits::{HLS_BROADCASTS_MAX, HLS_SEGMENT_MIN_MS, HLS_WAITING_MAX};
use crate::sfu::SfuHandle;
use dvr::Dvr;
use markers::Marked;
use packager::{Channel, Ended};

pub use asked::Asked;
pub use child::EncoderCommand;
pub use programme::Layout;

/// Which broadcast a name is, if whoever asks may watch it and it is as wanted; else the answer that says why not.
pub type Admit = Box<dyn Fn(Asked<'_>, Wanted) -> Result<BroadcastId, Box<Response>> + Send + Sync>;

/// Whether a token opens the broadcast that follows it in an address; else why not. Says nothing of whether there is such a broadcast.
pub type Unlock = Box<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// What a broadcast must be to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    OnAir,
    OnAirOrReplay,
}

/// A broadcast that has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnAir {
    pub broadcast: BroadcastId,
    /// Somebody publishes it now.
    pub is_live: bool,
}

/// Somebody beside the main picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestOnAir {
    pub source: SourceId,
    pub layout: Layout,
}

/// What the fallback is made of.
pub struct HlsParts {
    pub sfu: SfuHandle,
    pub admit: Admit,
    pub unlock: Unlock,
    /// Anybody may watch without a token, so that shared caches may keep answers.
    pub is_open: bool,
    /// Length of a part, ms.
    pub part_ms: u32,
    /// `None`: Opus alone, and no picture of what players do not take.
    pub encoder: Option<EncoderCommand>,
    /// A permit for each broadcast whose picture is encoded at once, as a ladder or with a guest.
    pub pictures: Arc<Semaphore>,
    /// Ladders are made of pictures that have none.
    pub makes_ladders: bool,
    /// What is on air.
    pub on_air: Box<dyn Fn() -> Vec<OnAir> + Send + Sync>,
    /// Who is on air beside a broadcast's main picture.
    pub guest: Box<dyn Fn(BroadcastId) -> Option<GuestOnAir> + Send + Sync>,
    /// The marked moments of a broadcast.
    pub markers: Box<dyn Fn(BroadcastId) -> Vec<Marked> + Send + Sync>,
    /// `None`: nothing is recorded.
    pub dvr: Option<Dvr>,
}

/// All packagers of this node. Cheap to clone.
#[derive(Clone)]
pub struct Hls {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Hls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (packagers, waiting) = self.census();
        f.debug_struct("Hls").field("packagers", &packagers).field("waiting", &waiting).finish_non_exhaustive()
    }
}

struct Shared {
    parts: HlsParts,
    channels: Mutex<HashMap<BroadcastId, Arc<Channel>>>,
    /// The next numbers of broadcasts whose packagers have counted faster than the clock.
    ahead: Mutex<HashMap<BroadcastId, u64>>,
    /// A permit for each request that waits.
    waiting: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What a packager is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Somebody plays it, or records it: all layers of the picture are wanted.
    Play,
    /// It is to be ready for somebody who plays something else now: what is sent anyway is enough.
    Ready,
}

/// Why there is no packager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NoChannel {
    #[error("as many broadcasts are packaged as may be")]
    Full,
    #[error("the server is shutting down")]
    Stopping,
}

impl Hls {
    pub fn new(parts: HlsParts) -> Self {
        let shared = Shared {
            parts,
            channels: Mutex::new(HashMap::new()),
            ahead: Mutex::new(HashMap::new()),
            waiting: Semaphore::new(HLS_WAITING_MAX),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let hls = Self { shared: Arc::new(shared) };
        hls.shared.tasks.spawn(hls.clone().keep_up());
        hls
    }

    /// `/hls/...`.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Broadcasts that are packaged now, and requests that wait.
    pub fn census(&self) -> (usize, usize) {
        (self.channels().len(), HLS_WAITING_MAX - self.shared.waiting.available_permits())
    }

    /// Ends every packager; requests that wait are answered, and what was recorded is written.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Some(dvr) = self.dvr() {
            dvr.shutdown().await;
        }
    }

    pub fn dvr(&self) -> Option<&Dvr> {
        self.shared.parts.dvr.as_ref()
    }

    /// The packager of a broadcast, begun if it does not run.
    fn channel(&self, broadcast: BroadcastId, need: Need) -> Result<Arc<Channel>, NoChannel> {
        if self.shared.stop.is_cancelled() {
            return Err(NoChannel::Stopping);
        }
        let now = now();
        let mut channels = self.channels();
        if let Some(channel) = channels.get(&broadcast) {
            channel.touch(now, need);
            return Ok(Arc::clone(channel));
        }
        if channels.len() >= HLS_BROADCASTS_MAX {
            return Err(NoChannel::Full);
        }
        let channel = Arc::new(Channel::new(self.shared.parts.part_ms, now, need, self.shared.stop.child_token()));
        channels.insert(broadcast, Arc::clone(&channel));
        self.shared.tasks.spawn(self.clone().package(broadcast, Arc::clone(&channel)));
        Ok(channel)
    }

    async fn package(self, broadcast: BroadcastId, channel: Arc<Channel>) {
        tracing::info!(%broadcast, "packaging begins");
        let parts = &self.shared.parts;
        let ended = match parts.sfu.tap(broadcast).await {
            Some(tap) => {
                let (ended, next_msn) = packager::run(broadcast, tap, &channel, parts, self.first_msn(broadcast)).await;
                self.ahead().insert(broadcast, next_msn);
                ended
            }
            None => Ended::Closed,
        };
        // In this order: whoever is told that nothing comes any more and asks again finds another packager.
        self.channels().remove(&broadcast);
        channel.store.close();
        tracing::info!(%broadcast, reason = ?ended, "packaging ended");
    }

    /// Segments are numbered by the second in which their packager began, so that one that begins again never gives an old number to other
    /// bytes: segments are longer than a second. Where a source that jumps has made shorter ones, it goes on from the last. DASH can name such
    /// numbers (32 bits).
    fn first_msn(&self, broadcast: BroadcastId) -> u64 {
        const { assert!(HLS_SEGMENT_MIN_MS > 1000.0, "a packager must not count faster than the clock") };
        let now_s = unix_s();
        let mut ahead = self.ahead();
        ahead.retain(|_, next| *next > now_s);
        ahead.get(&broadcast).copied().unwrap_or(now_s)
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, HashMap<BroadcastId, u64>> {
        self.shared.ahead.lock().expect("no panic happens while the lock is held: its sections only move values")
    }

    fn markers(&self, broadcast: BroadcastId) -> Vec<Marked> {
        (self.shared.parts.markers)(broadcast)
    }

    /// The packager of a broadcast, if one runs.
    fn running(&self, broadcast: BroadcastId) -> Option<Arc<Channel>> {
        self.channels().get(&broadcast).cloned()
    }

    fn channels(&self) -> std::sync::MutexGuard<'_, HashMap<BroadcastId, Arc<Channel>>> {
        self.shared.channels.lock().expect("no panic happens while the lock is held: its sections only move values")
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the wall clock once a packager")]
fn unix_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[expect(clippy::disallowed_methods, reason = "the shell notes when somebody asked")]
fn now() -> Instant {
    Instant::now()
}
