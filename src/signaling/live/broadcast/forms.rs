//! A broadcast as others know it: as the store keeps it, and as clients are shown it.

use super::*;

impl Broadcast {
    /// From the store, after a restart of the server: what was live waits for its publisher to come back.
    pub(crate) fn from_record(now: Now, record: BroadcastRecord) -> Self {
        let mut broadcast = Self::new(now, record.id, record.slug, record.title, record.visibility, record.owner);
        broadcast.created_at_ms = record.created_at_ms as f64;
        broadcast.started_at_ms = record.started_at_ms.map(|at| at as f64);
        broadcast.ended_at_ms = record.ended_at_ms.map(|at| at as f64);
        broadcast.viewers_peak = record.viewers_peak;
        broadcast.peak_kept = record.viewers_peak;
        broadcast.moderators = record.moderators.into_iter().collect();
        // Written by us; a text that cannot be read any more costs the details, not the broadcast.
        broadcast.details = serde_json::from_str(&record.details_json).unwrap_or_default();
        broadcast.phase = match record.state {
            BroadcastState::Idle => {
                let age_ms = (now.unix_ms - broadcast.created_at_ms).max(0.0);
                Phase::Idle { until: now.instant + IDLE_KEPT.saturating_sub(std::time::Duration::from_millis(age_ms as u64)) }
            }
            BroadcastState::Live | BroadcastState::Reconnecting => {
                broadcast.last_publisher = Some(broadcast.details.last_publisher.map_or(Credential::Anonymous, Credential::User));
                Phase::Reconnecting { until: now.instant + PUBLISHER_RETURN_AFTER_RESTART }
            }
            BroadcastState::Ended => Phase::Ended { forget_at: now.instant + ENDED_KEPT },
        };
        broadcast.changed = Changed::default();
        broadcast
    }

    /// As it is written to the store.
    pub(crate) fn to_record(&self) -> BroadcastRecord {
        BroadcastRecord {
            id: self.id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            visibility: self.visibility,
            state: self.state(),
            owner: self.owner,
            moderators: self.moderators.iter().copied().collect(),
            created_at_ms: self.created_at_ms as u64,
            started_at_ms: self.started_at_ms.map(|at| at as u64),
            ended_at_ms: self.ended_at_ms.map(|at| at as u64),
            viewers_peak: self.viewers_peak,
            details_json: serde_json::to_string(&self.details).expect("plain values with text keys always serialize"),
        }
    }

    /// As everybody sees it.
    pub(crate) fn to_view(&self) -> BroadcastView {
        BroadcastView {
            id: self.id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            visibility: self.visibility,
            state: self.state(),
            created_at_ms: self.created_at_ms,
            started_at_ms: self.started_at_ms,
            ended_at_ms: self.ended_at_ms,
            viewers: self.viewers(),
            viewers_peak: self.viewers_peak,
            video_codec: self.video_codec,
            has_audio: self.has_audio,
            poster_version: self.poster_version,
            layers: self.layers.clone(),
            teams: self.details.teams.clone(),
            score: self.details.score,
            clock: self.details.clock.clone(),
            markers: self.details.markers.clone(),
            dvr: self
                .dvr_window_s
                .filter(|_| matches!(self.phase, Phase::Live | Phase::Reconnecting { .. }))
                .map(|window_s| DvrView { window_s }),
            replay: self.has_replay(),
            guest: self.guest.clone(),
        }
    }
}
