//! What time brings: packagers for broadcasts on air where those are recorded, the end of recordings, and the moments that people mark.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::MissedTickBehavior;

use super::{Hls, Need, NoChannel};
use crate::ids::BroadcastId;
use crate::limits::DVR_UPKEEP_INTERVAL;

impl Hls {
    /// Until shutdown.
    pub(super) async fn keep_up(self) {
        let mut looks = tokio::time::interval(DVR_UPKEEP_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_full = false;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.shared.stop.cancelled() => return,
            }
            if let Some(dvr) = self.dvr() {
                let on_air = (self.shared.parts.on_air)();
                let refused = on_air
                    .iter()
                    .filter(|one| one.is_live && matches!(self.channel(one.broadcast, Need::Play), Err(NoChannel::Full)))
                    .count();
                if refused > 0 && !is_full {
                    tracing::error!(broadcasts = refused, "as many broadcasts are packaged as may be: these are not recorded");
                }
                is_full = refused > 0;
                // A packager that is still at work has segments to hand over.
                let mut unfinished: HashSet<BroadcastId> = on_air.into_iter().map(|one| one.broadcast).collect();
                unfinished.extend(self.channels().keys());
                dvr.upkeep(&unfinished, unix_ms()).await;
            }
            self.mark();
        }
    }

    fn mark(&self) {
        let channels: Vec<_> = self.channels().iter().map(|(id, channel)| (*id, std::sync::Arc::clone(channel))).collect();
        for (broadcast, channel) in channels {
            channel.store.set_markers(self.markers(broadcast));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the wall clock: replays are kept for a time")]
fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
