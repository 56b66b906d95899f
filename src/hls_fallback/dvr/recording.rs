//! One recording as readers see it: the timeline and the texts made of it, each rendered once however many ask: the first does it, and who asks
//! for the same one meanwhile waits for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

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
    /// Of what is there now: every change empties it. Bounded: there is a cell only for a rendition that exists.
    rendered: HashMap<Text, Arc<OnceLock<Option<Packed>>>>,
}

impl Recording {
    pub(super) fn new(broadcast: BroadcastId, window_ms: f64, timeline: Timeline) -> Self {
        let state = State { timeline, markers: Arc::default(), rendered: HashMap::new() };
        Self { broadcast, window_ms, state: Mutex::new(state) }
    }

    /// Takes over what was written; what it removes is returned.
    pub(super) fn apply(&self, records: Vec<Record>) -> Gone {
        let mut state = self.lock();
        state.rendered.clear();
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
            state.rendered.clear();
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
        let cell = {
            let mut state = self.lock();
            if let Text::Media { rendition, .. } = which {
                state.timeline.rendition(rendition)?;
            }
            Arc::clone(state.rendered.entry(which.clone()).or_default())
        };
        // A change meanwhile is in the text or not; either way the next to ask finds another cell. Packing is most of the work, and is done
        // without the lock, so that the writer does not wait for it.
        let render = || {
            let text = self.render(&self.lock(), which)?;
            Some(Packed::new(text))
        };
        cell.get_or_init(render).clone()
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;
    use crate::hls_fallback::dvr::record::{Init, Kind, Written};

    const ASKERS: usize = 8;

    fn segment(number: u64) -> Record {
        Record::Segment(Written {
            rendition: "aac".into(),
            number,
            media_ms: number as f64 * 2000.0,
            duration_s: 2.0,
            bytes: 1000,
            init: 0,
            frames_per_second: 0.0,
            discontinuity: false,
        })
    }

    #[test]
    fn a_text_is_rendered_once_for_all_who_ask_until_something_changes() {
        let recording = Recording::new(BroadcastId::from_bits(7), 1e9, Timeline::default());
        let init = Init { rendition: "aac".into(), number: 0, codecs: "mp4a.40.2".into(), size: None, bytes: 700 };
        recording.apply(vec![
            Record::Run { first: 0, slot: 0 },
            Record::Rendition { name: "aac".into(), kind: Kind::Audio },
            Record::Init(init),
        ]);
        let which = Text::Media { rendition: "aac".into(), is_delta: false };
        assert!(recording.text(&which).is_none(), "nothing is in it");
        recording.apply((0..2000).map(segment).collect());
        let together = Barrier::new(ASKERS);
        let ask = || {
            together.wait();
            let packed = recording.text(&which).expect("it has segments");
            (packed.text.as_ptr() as usize, packed.text.len())
        };
        let mut before = 0;
        for round in 0..3 {
            recording.apply(vec![segment(2000 + round)]);
            let answers: HashSet<(usize, usize)> = std::thread::scope(|scope| {
                let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
                askers.into_iter().map(|asker| asker.join().expect("it only asks")).collect()
            });
            assert_eq!(answers.len(), 1, "they have the same bytes in memory");
            let len = answers.into_iter().next().map_or(0, |(_, len)| len);
            assert!(len > before, "what is new is in it");
            before = len;
        }
        assert!(recording.text(&Text::Media { rendition: "v9".into(), is_delta: false }).is_none());
        assert_eq!(recording.lock().rendered.len(), 1, "strangers' names take no room");
    }
}
