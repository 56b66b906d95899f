//! What is kept of a chat beside its words, for those who ask without sitting in it: who may not write, which words may not be said, and how much
//! was thrown at the screen when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::home::kept_snapshot;
use super::room::written;
use super::{Social, failed};
use crate::ids::BroadcastId;
use crate::limits::{HEAT_CACHED_MAX, HEAT_KEPT};
use crate::social::bus::{BusError, Lane, Topic};
use crate::social::chat::{DeskBatch, DeskEvent, Restrained};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::reactions::HeatPoint;

/// What moderators have decided about a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// The latest first.
    pub restrained: Vec<Restrained>,
    pub words: Vec<String>,
}

/// Heat lines that were asked for lately: thousands come at once when a match begins.
#[derive(Debug, Default)]
pub(super) struct HeatLines(Mutex<HashMap<BroadcastId, HeatRead>>);

/// A line, and when it was read.
type HeatRead = (UnixMs, Arc<[HeatPoint]>);

impl HeatLines {
    fn get(&self, now: UnixMs, broadcast: BroadcastId) -> Option<Arc<[HeatPoint]>> {
        let lines = self.0.lock().expect("no panic happens while the lock is held: its sections only move values");
        lines.get(&broadcast).filter(|(read_at, _)| read_at.after(HEAT_KEPT) > now).map(|(_, line)| Arc::clone(line))
    }

    fn put(&self, now: UnixMs, broadcast: BroadcastId, line: Arc<[HeatPoint]>) {
        let mut lines = self.0.lock().expect("no panic happens while the lock is held: its sections only move values");
        lines.retain(|_, (read_at, _)| read_at.after(HEAT_KEPT) > now);
        if lines.len() < HEAT_CACHED_MAX {
            lines.insert(broadcast, (now, line));
        }
    }
}

impl Social {
    /// # Errors
    /// [`BusError`] when neither the bus nor the archive can be read.
    pub async fn rules(&self, broadcast: BroadcastId) -> Result<Rules, BusError> {
        let kept = kept_snapshot(&self.shared, broadcast).await?;
        let rules = kept.map(|kept| Rules { restrained: kept.restrained(wall_clock()), words: kept.words().to_vec() });
        Ok(rules.unwrap_or_default())
    }

    /// Reactions over the media time of a broadcast, as they were at most [`HEAT_KEPT`] ago.
    ///
    /// # Errors
    /// [`BusError`] when neither the bus nor the archive can be read.
    pub async fn heat(&self, broadcast: BroadcastId) -> Result<Arc<[HeatPoint]>, BusError> {
        let now = wall_clock();
        if let Some(line) = self.shared.heat.get(now, broadcast) {
            return Ok(line);
        }
        let kept = kept_snapshot(&self.shared, broadcast).await?;
        let line: Arc<[HeatPoint]> = kept.map(|kept| kept.heat()).unwrap_or_default().into();
        self.shared.heat.put(now, broadcast, Arc::clone(&line));
        Ok(line)
    }

    /// Tells those who moderate a chat something, on every node. What is lost they find by REST when they come again.
    pub async fn tell_desk(&self, broadcast: BroadcastId, event: DeskEvent) {
        let topic = Topic::Chat { broadcast, lane: Lane::Out };
        if let Err(error) = self.shared.bus.publish(topic, written(&DeskBatch { desk: vec![event] })).await {
            failed("publish", &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_lines_are_kept_for_a_moment_and_are_bounded() {
        let lines = HeatLines::default();
        let now = UnixMs(1_795_230_000_000);
        let one = BroadcastId::from_bits(1);
        let line: Arc<[HeatPoint]> = vec![HeatPoint { at_ms: 0.0, count: 1 }].into();
        lines.put(now, one, Arc::clone(&line));
        assert_eq!(lines.get(now, one), Some(line));
        assert_eq!(lines.get(now.after(HEAT_KEPT), one), None);
        for bits in 2..=2 * HEAT_CACHED_MAX as u64 {
            lines.put(now, BroadcastId::from_bits(bits), Vec::new().into());
        }
        assert_eq!(lines.0.lock().unwrap().len(), HEAT_CACHED_MAX);
    }
}
