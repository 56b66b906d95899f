//! When to ask a publisher for key frames. This file alone decides it; joins, layer switches and packagers only register a need.
//!
//! Browsers make key frames only when asked, so while anyone watches all layers are asked together on a steady cadence; without it
//! neither a quick join nor a segment boundary can exist. Needs merge: however many viewers join at once, the publisher is asked at
//! most once per `limits::KEYFRAME_REQUEST_INTERVAL_MIN`.

use std::time::Instant;

use crate::limits::{KEYFRAME_CADENCE, KEYFRAME_NEED_KEPT, KEYFRAME_REQUEST_INTERVAL_MIN, LAYERS_MAX};

/// One publisher's key-frame schedule.
#[derive(Debug, Default)]
pub struct KeyframeSchedule {
    asked_at: Option<Instant>,
    /// By layer: an encoder may make key frames of one layer alone, at every change of scene.
    arrived_at: [Option<Instant>; LAYERS_MAX],
    /// By layer: a key frame on one layer does not help those who wait for another.
    needs: [Option<Need>; LAYERS_MAX],
}

#[derive(Debug, Clone, Copy)]
struct Need {
    since: Instant,
    /// When it was last registered: those who wait repeat themselves, so a need that falls silent has lost its viewer.
    repeated: Instant,
}

impl KeyframeSchedule {
    /// Someone cannot go on without a key frame of this layer.
    pub fn need(&mut self, now: Instant, layer: u8) {
        if let Some(need) = self.needs.get_mut(usize::from(layer)) {
            need.get_or_insert(Need { since: now, repeated: now }).repeated = now;
        }
    }

    /// A key frame began on a layer. A need of that layer older than it is met.
    pub fn handle_keyframe(&mut self, now: Instant, layer: u8) {
        if let Some(arrived_at) = self.arrived_at.get_mut(usize::from(layer)) {
            *arrived_at = Some(now);
        }
        if let Some(need) = self.needs.get_mut(usize::from(layer)) {
            *need = None;
        }
    }

    /// Whether to ask now. `watched`: the layers that arrive, while at least one viewer or tap is there.
    pub fn poll(&mut self, now: Instant, watched: impl Iterator<Item = u8>) -> bool {
        for need in &mut self.needs {
            *need = need.filter(|need| now.saturating_duration_since(need.repeated) < KEYFRAME_NEED_KEPT);
        }
        let due = self.due_at(watched).is_some_and(|due| due <= now);
        if due {
            self.asked_at = Some(now);
        }
        due
    }

    /// When [`Self::poll`] will next say yes, as things stand.
    fn due_at(&self, watched: impl Iterator<Item = u8>) -> Option<Instant> {
        let earliest = self.asked_at.map(|asked| asked + KEYFRAME_REQUEST_INTERVAL_MIN);
        if let Some(needed) = self.needs.iter().flatten().map(|need| need.since).min() {
            return Some(earliest.map_or(needed, |earliest| earliest.max(needed)));
        }
        // The cadence runs from a layer's last key frame or the last request, whichever is later; encoders that pace all of them are left alone.
        // A layer that never had one is waited for, or needed by somebody.
        let oldest = watched.filter_map(|layer| self.arrived_at.get(usize::from(layer)).copied().flatten()).min()?;
        Some(self.asked_at.max(Some(oldest))? + KEYFRAME_CADENCE)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALL: std::ops::Range<u8> = 0..3;

    #[test]
    fn a_layer_that_makes_its_own_key_frames_keeps_none_from_the_others() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = KeyframeSchedule::default();
        (0..3).for_each(|layer| schedule.handle_keyframe(start, layer));
        let mut asked = Vec::new();
        for ms in (0..5000).step_by(10) {
            if ms % 600 == 0 {
                schedule.handle_keyframe(at(ms), 2);
            }
            if schedule.poll(at(ms), ALL) {
                (0..3).for_each(|layer| schedule.handle_keyframe(at(ms + 50), layer));
                asked.push(ms);
            }
        }
        assert_eq!(asked, [2000, 4050]);
        assert!(!schedule.poll(at(6150), 2..3), "those that are paused are not asked for");
        assert!(schedule.poll(at(6150), ALL));
    }

    #[test]
    fn needs_merge_into_one_request_per_interval() {
        let start = Instant::now();
        let mut schedule = KeyframeSchedule::default();
        let mut asked = 0;
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            schedule.need(now, 0);
            asked += u32::from(schedule.poll(now, ALL));
        }
        assert_eq!(asked, 2, "at 0 and 500 ms");
    }

    #[test]
    fn the_cadence_runs_only_while_watched() {
        let start = Instant::now();
        let mut schedule = KeyframeSchedule::default();
        schedule.handle_keyframe(start, 0);
        let later = start + KEYFRAME_CADENCE;
        assert!(!schedule.poll(later, 0..0));
        assert!(schedule.poll(later, ALL));
        assert!(!schedule.poll(later + Duration::from_millis(1), ALL));
    }

    #[test]
    fn a_key_frame_meets_the_need_and_an_ignored_request_is_repeated() {
        let start = Instant::now();
        let mut schedule = KeyframeSchedule::default();
        schedule.need(start, 1);
        assert!(schedule.poll(start, ALL));
        assert!(schedule.poll(start + KEYFRAME_REQUEST_INTERVAL_MIN, ALL), "still needed, asked again");
        schedule.handle_keyframe(start + Duration::from_millis(600), 0);
        schedule.need(start + Duration::from_millis(900), 1);
        assert!(schedule.poll(start + Duration::from_millis(1000), ALL), "another layer's key frame is no help");
        schedule.handle_keyframe(start + Duration::from_millis(1100), 1);
        assert!(!schedule.poll(start + Duration::from_millis(1600), ALL));
    }

    #[test]
    fn a_need_nobody_repeats_is_forgotten() {
        let start = Instant::now();
        let mut schedule = KeyframeSchedule::default();
        schedule.need(start, 2);
        assert!(schedule.poll(start, ALL));
        assert!(!schedule.poll(start + KEYFRAME_NEED_KEPT, ALL), "its viewer has left");
    }
}
