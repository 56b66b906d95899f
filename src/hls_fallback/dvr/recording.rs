//! One recording as readers see it: the timeline and the texts made of it, each rendered once however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::record::Record;
use super::texts;
use super::timeline::{Gone, Timeline};
use crate::hls_fallback::markers::Marked;
use crate::hls_fallback::playlist::Packed;
use crate::ids::BroadcastId;

/// Which text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Text {
    Master,
    Thumbs,
    Media { rendition: String, is_delta: bool },
}

/// See the file's head.
#[derive(Debug)]
pub(in crate::hls_fallback) struct Recording {
    pub(super) broadcast: BroadcastId,
    /// How far playlists reach back while it goes on, ms.
    window_ms: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    timeline: Timeline,
    markers: Arc<[Marked]>,
    /// Rises with every change.
    revision: u64,
    /// Bounded: a text is rendered only of a rendition that exists.
    rendered: HashMap<Text, (u64, Packed)>,
}

impl Recording {
    pub(super) fn new(broadcast: BroadcastId, window_ms: f64, timeline: Timeline) -> Self {
        let state = State { timeline, markers: Arc::default(), revision: 0, rendered: HashMap::new() };
        Self { broadcast, window_ms, state: Mutex::new(state) }
    }

    /// Takes over what was written; what it removes is returned.
    pub(super) fn apply(&self, records: Vec<Record>) -> Gone {
        let mut state = self.lock();
        state.revision += 1;
        let mut gone = Gone::default();
        for record in records {
            gone.files.append(&mut state.timeline.apply(record).files);
        }
        gone
    }

    pub(super) fn set_markers(&self, markers: Vec<Marked>) {
        let mut state = self.lock();
        if *state.markers != *markers {
            state.markers = markers.into();
            state.revision += 1;
        }
    }

    /// A look at the timeline. Short: the writer waits meanwhile.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Timeline) -> T) -> T {
        look(&self.lock().timeline)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.with(|timeline| timeline.ended_at_ms().is_some())
    }

    /// A text. `None` while there is nothing in it.
    pub(super) fn text(&self, which: &Text) -> Option<Packed> {
        let (revision, text) = {
            let state = self.lock();
            if let Some((revision, packed)) = state.rendered.get(which)
                && *revision == state.revision
            {
                return Some(packed.clone());
            }
            (state.revision, self.render(&state, which)?)
        };
        // Packing is most of the work, and nobody waits for it.
        let packed = Packed::new(text);
        self.lock().rendered.insert(which.clone(), (revision, packed.clone()));
        Some(packed)
    }

    fn render(&self, state: &State, which: &Text) -> Option<String> {
        let timeline = &state.timeline;
        let from = if timeline.ended_at_ms().is_some() { 0 } else { timeline.first_within(self.window_ms) };
        match which {
            Text::Master => texts::master(timeline, from),
            Text::Thumbs => texts::thumbs(timeline, from),
            Text::Media { rendition, is_delta } => texts::media(timeline, rendition, from, *is_delta, &state.markers),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic happens while the lock is held: its sections only move values")
    }
}
