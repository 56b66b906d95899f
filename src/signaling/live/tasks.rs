//! The registry's loops: events of the media plane, deadlines, chores for the media plane, records for the store, how much of the node is in
//! use, and viewers counted over all nodes.

use std::time::Instant;

use super::headroom::Usage;
use super::{Chore, Live};
use crate::limits::{STORE_RETRY, USAGE_INTERVAL};
use crate::sfu::handle::{SfuEvent, SfuEvents};
use crate::signaling::now::Now;
use crate::signaling::session::publisher_problem;
use crate::store::StoreError;

impl Live {
    pub(super) fn spawn_tasks(&self, events: SfuEvents) {
        let tasks = &self.shared.tasks;
        tasks.spawn(self.clone().handle_events(events));
        tasks.spawn(self.clone().handle_deadlines());
        tasks.spawn(self.clone().do_chores());
        tasks.spawn(self.clone().write_records());
        tasks.spawn(self.clone().watch_usage());
        tasks.spawn(self.clone().handle_counts());
        tasks.spawn(self.clone().handle_people_words());
        tasks.spawn(self.clone().watch_links());
    }

    async fn handle_events(self, mut events: SfuEvents) {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.shared.stopping.cancelled() => return,
            };
            let Some(event) = event else { return };
            if let SfuEvent::PublisherRefused { peer, broadcast, reason } = event {
                // WHIP has no words for this: an encoder's operator finds them here.
                tracing::warn!(%broadcast, %peer, "publisher refused: {}", publisher_problem(reason).1);
            }
            self.decide(|now, state| {
                if let SfuEvent::Speaking { peer, speaking, level_dbov, .. } = event {
                    state.handle_speaking(now, peer, speaking, level_dbov);
                }
                state.directory.handle_sfu_event(now, event);
            });
        }
    }

    async fn handle_deadlines(self) {
        loop {
            let wake_at = self.with_state(|state| state.wake_at(Now::read()));
            tokio::select! {
                () = until(wake_at) => {}
                () = self.shared.deadline_moved.notified() => continue,
                () = self.shared.stopping.cancelled() => return,
            }
            self.decide(|now, state| {
                state.directory.handle_timeout(now);
                state.calls.handle_timeout(now.unix());
                state.on_air.handle_timeout(now);
                for session in state.sessions.take_expired(now.instant) {
                    tracing::debug!(%session, "session expired");
                    state.directory.leave(now, session);
                }
            });
        }
    }

    async fn handle_counts(self) {
        loop {
            let (broadcast, counted) = tokio::select! {
                count = self.social().next_count() => count,
                () = self.shared.stopping.cancelled() => return,
            };
            self.decide(|now, state| state.directory.count_viewers(now, broadcast, counted));
        }
    }

    async fn do_chores(self) {
        loop {
            while let Some(chore) = self.with_state(|state| state.chores.pop_front()) {
                match chore {
                    Chore::RemovePeer(peer) => self.shared.sfu.remove_peer(peer).await,
                    Chore::CloseBroadcast(broadcast) => self.shared.sfu.close_broadcast(broadcast).await,
                    Chore::Withdraw(peer, source) => self.shared.sfu.withdraw(peer, source).await,
                    Chore::Fill { peer, fills } => self.shared.sfu.fill(peer, fills).await,
                    Chore::ShowGuest { broadcast, guest } => self.shared.sfu.show_guest(broadcast, guest).await,
                    Chore::Silence { source, silenced } => self.shared.sfu.silence(source, silenced).await,
                }
            }
            tokio::select! {
                () = self.shared.chores_waiting.notified() => {}
                () = self.shared.stopping.cancelled() => {
                    if self.with_state(|state| state.chores.is_empty()) {
                        return;
                    }
                }
            }
        }
    }

    async fn write_records(self) {
        loop {
            while let Some(result) = self.write_next().await {
                if let Err(error) = result {
                    tracing::error!(%error, "a broadcast could not be written to the store; trying again");
                    tokio::select! {
                        () = until_after(STORE_RETRY) => {}
                        () = self.shared.stopping.cancelled() => return,
                    }
                }
            }
            tokio::select! {
                () = self.shared.records_waiting.notified() => {}
                () = self.shared.stopping.cancelled() => {
                    if self.with_state(|state| state.unsaved.is_empty()) {
                        return;
                    }
                }
            }
        }
    }

    async fn watch_usage(self) {
        let mut ticks = tokio::time::interval(USAGE_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut before = self.shared.sfu.snapshots();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.shared.stopping.cancelled() => return,
            }
            let after = self.shared.sfu.snapshots();
            if let Some(usage) = Usage::between(&before, &after) {
                self.decide(|now, state| state.directory.handle_usage(now, usage));
                before = after;
            }
        }
    }

    /// Writes the record that has waited longest; back to the end of the queue when that fails.
    async fn write_next(&self) -> Option<Result<(), StoreError>> {
        let (id, record) = self.with_state(|state| {
            let id = state.unsaved.pop_front()?;
            state.unsaved_set.remove(&id);
            Some((id, state.directory.broadcast(id).map(super::broadcast::Broadcast::to_record)))
        })?;
        let Some(record) = record else { return Some(Ok(())) };
        let result = self.shared.store.save_broadcast(&record).await;
        if result.is_err() {
            self.with_state(|state| {
                if state.unsaved_set.insert(id) {
                    state.unsaved.push_back(id);
                }
            });
        }
        Some(result)
    }
}

/// At `deadline`, or never.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell waits between attempts")]
async fn until_after(wait: std::time::Duration) {
    tokio::time::sleep(wait).await;
}
