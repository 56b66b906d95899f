//! What a recording consists of: slots of time, the same in every rendition, and what each rendition has of them. Pure: built from [`Record`]s,
//! whether they were just written or read back.
//!
//! A packager numbers its segments by the clock; one that begins again after a restart leaves a hole in those numbers, which a playlist may not
//! have. Slots count on without holes, and the first slot of each run is a discontinuity. In the first run, slot and number are the same.
//!
//! ```text
//!  number   1000 1001 1002 │ 5000 5001      addresses: s5000.m4s
//!  slot     1000 1001 1002 │ 1003 1004      EXT-X-MEDIA-SEQUENCE
//!  v1        ■    ■    ■   │  ■    ■
//!  aac       ■    gap  ■   │  ■
//! ```

use std::collections::VecDeque;

use super::record::{Init, Kind, Record, Sprite, Written};
use crate::limits::{DVR_GRACE, DVR_HOLES_MAX, DVR_LAG_SLOTS, DVR_RENDITIONS_MAX, HLS_TARGET_DURATION_S};

/// What one rendition has of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) media_ms: f64,
    pub(super) duration_s: f64,
    /// 0: a gap.
    pub(super) bytes: u64,
    pub(super) init: u64,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    number: u64,
    /// `None`: no rendition had anything of it yet.
    time: Option<(f64, f64)>,
    discontinuity: bool,
    entries: Vec<Option<Entry>>,
}

/// A rendition over the whole recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rendition {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) inits: Vec<Init>,
    pub(super) frames_per_second: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u64,
    slot: u64,
}

/// One line of a rendition's playlist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Listed {
    pub(super) slot: u64,
    pub(super) number: u64,
    pub(super) media_ms: f64,
    pub(super) duration_s: f64,
    pub(super) discontinuity: bool,
    /// `None`: a gap.
    pub(super) init: Option<u64>,
    pub(super) bytes: u64,
}

/// What left the recording: its bytes can go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Gone {
    /// Rendition and file.
    pub(super) files: Vec<(String, String)>,
}

/// See the file's head.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Timeline {
    runs: Vec<Run>,
    slots: VecDeque<Slot>,
    first_slot: u64,
    discontinuities_gone: u64,
    renditions: Vec<Rendition>,
    sprites: VecDeque<Sprite>,
    /// Sheets that are not listed any more, for those who have an older list; with the media time of what took their place.
    replaced: VecDeque<(Sprite, f64)>,
    bytes: u64,
    ended_at_ms: Option<u64>,
}

/// The folder of preview pictures among those of renditions.
pub(super) const SPRITES: &str = "thumbs";

pub(super) fn segment_file(number: u64) -> String {
    format!("s{number}.m4s")
}

pub(super) fn init_file(number: u64) -> String {
    format!("init-{number}.mp4")
}

impl Timeline {
    pub(super) fn from_records(records: impl IntoIterator<Item = Record>) -> Self {
        let mut timeline = Self::default();
        for record in records {
            // What left meanwhile has left the disk too, or is an orphan there.
            drop(timeline.apply(record));
        }
        timeline
    }

    /// Takes a record over; what it removes is returned.
    pub(super) fn apply(&mut self, record: Record) -> Gone {
        match record {
            Record::Base { slot, discontinuities } => {
                (self.first_slot, self.discontinuities_gone) = (slot, discontinuities);
                Gone::default()
            }
            Record::Run { first, slot } => {
                if self.runs.is_empty() && self.slots.is_empty() && self.first_slot == 0 {
                    self.first_slot = slot;
                }
                self.runs.push(Run { first, slot });
                Gone::default()
            }
            Record::Rendition { name, kind } => {
                if self.rendition(&name).is_none() && self.renditions.len() < DVR_RENDITIONS_MAX {
                    self.renditions.push(Rendition { name, kind, inits: Vec::new(), frames_per_second: 0.0 });
                }
                Gone::default()
            }
            Record::Init(init) => {
                if let Some(rendition) = self.renditions.iter_mut().find(|rendition| rendition.name == init.rendition) {
                    self.bytes += init.bytes;
                    rendition.inits.push(init);
                }
                Gone::default()
            }
            Record::Segment(written) => {
                self.enter(&written);
                Gone::default()
            }
            Record::Sprite(sprite) => self.take_sprite(sprite),
            Record::Trim { slot } => self.trim(slot),
            Record::End { at_ms } => {
                self.ended_at_ms = Some(at_ms);
                Gone::default()
            }
        }
    }

    /// The records that make this timeline, and no others.
    pub(super) fn to_records(&self) -> Vec<Record> {
        let mut records = vec![Record::Base { slot: self.first_slot, discontinuities: self.discontinuities_gone }];
        records.extend(self.runs.iter().map(|run| Record::Run { first: run.first, slot: run.slot }));
        for rendition in &self.renditions {
            records.push(Record::Rendition { name: rendition.name.clone(), kind: rendition.kind });
            records.extend(rendition.inits.iter().cloned().map(Record::Init));
        }
        for slot in &self.slots {
            for (rendition, entry) in self.renditions.iter().zip(&slot.entries) {
                let Some(entry) = entry else { continue };
                records.push(Record::Segment(Written {
                    rendition: rendition.name.clone(),
                    number: slot.number,
                    media_ms: entry.media_ms,
                    duration_s: entry.duration_s,
                    bytes: entry.bytes,
                    init: entry.init,
                    frames_per_second: rendition.frames_per_second,
                    discontinuity: slot.discontinuity,
                }));
            }
        }
        for sprite in &self.sprites {
            let earlier = self.replaced.iter().map(|(replaced, _)| replaced).filter(|replaced| replaced.first == sprite.first);
            records.extend(earlier.chain([sprite]).cloned().map(Record::Sprite));
        }
        records.extend(self.ended_at_ms.map(|at_ms| Record::End { at_ms }));
        records
    }

    pub(super) fn renditions(&self) -> &[Rendition] {
        &self.renditions
    }

    pub(super) fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| rendition.name == name)
    }

    pub(super) fn sprites(&self) -> impl Iterator<Item = &Sprite> {
        self.sprites.iter()
    }

    /// Bytes of a sheet, also of one that is not listed any more.
    pub(super) fn sprite_bytes(&self, file: &str) -> Option<u64> {
        let all = self.sprites.iter().chain(self.replaced.iter().map(|(sprite, _)| sprite));
        all.filter(|sprite| sprite.file() == file).map(|sprite| sprite.bytes).next()
    }

    /// All that it has stored.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn ended_at_ms(&self) -> Option<u64> {
        self.ended_at_ms
    }

    /// The oldest slot that is kept.
    pub(super) const fn first_slot(&self) -> u64 {
        self.first_slot
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Records that [`Self::to_records`] gives, about.
    pub(super) fn len(&self) -> usize {
        self.slots.len() * self.renditions.len().max(1) + self.sprites.len() + self.replaced.len() + self.runs.len()
    }

    /// Media time of the end of the newest slot.
    pub(super) fn end_ms(&self) -> Option<f64> {
        self.slots.iter().rev().find_map(|slot| slot.time).map(|(at, duration_s)| at + duration_s * 1000.0)
    }

    /// Every segment has a lower number.
    pub(super) fn next_number(&self) -> u64 {
        self.slots.iter().map(|slot| slot.number + 1).max().unwrap_or_default()
    }

    /// Where the next run begins if its first segment has this number.
    pub(super) fn next_slot(&self, first_number: u64) -> u64 {
        if self.runs.is_empty() { first_number } else { self.first_slot + self.slots.len() as u64 }
    }

    /// Bytes of a segment, if it is here and no gap.
    pub(super) fn segment_bytes(&self, rendition: &str, number: u64) -> Option<u64> {
        let index = self.renditions.iter().position(|other| other.name == rendition)?;
        let slot = self.slots.get(self.place(number)?)?;
        let entry = slot.entries.get(index).copied().flatten()?;
        (entry.bytes > 0).then_some(entry.bytes)
    }

    /// Bytes of an initialisation segment.
    pub(super) fn init_bytes(&self, rendition: &str, number: u64) -> Option<u64> {
        Some(self.rendition(rendition)?.inits.iter().find(|init| init.number == number)?.bytes)
    }

    /// Slots that end more than `window_ms` before the newest end: the first one that stays.
    pub(super) fn first_within(&self, window_ms: f64) -> u64 {
        let Some(end_ms) = self.end_ms() else { return self.first_slot };
        let ends = |slot: &Slot| slot.time.map_or(f64::NEG_INFINITY, |(at, duration_s)| at + duration_s * 1000.0);
        let old = self.slots.iter().take_while(|slot| ends(slot) < end_ms - window_ms).count();
        self.first_slot + old as u64
    }

    /// The first slot that stays when the oldest ones of at least so many bytes go.
    pub(super) fn after_oldest(&self, bytes: u64) -> u64 {
        let mut freed = 0;
        let mut is_too_little = |slot: &Slot| {
            let before = freed;
            freed += slot.entries.iter().flatten().map(|entry| entry.bytes).sum::<u64>();
            before < bytes
        };
        self.first_slot + self.slots.iter().take_while(|slot| is_too_little(slot)).count() as u64
    }

    /// Discontinuities before a slot.
    pub(super) fn discontinuities_before(&self, slot: u64) -> u64 {
        let before = self.slots.iter().take(slot.saturating_sub(self.first_slot) as usize);
        self.discontinuities_gone + before.filter(|slot| slot.discontinuity).count() as u64
    }

    /// The lines of a rendition's playlist from slot `from` on: from the first segment that it has to the last one, with gaps in between. While
    /// the recording goes on it may lag behind the others by some slots; beyond that, what it lacks is a gap too.
    pub(super) fn listed(&self, rendition: &str, from: u64) -> Vec<Listed> {
        let Some(index) = self.renditions.iter().position(|other| other.name == rendition) else { return Vec::new() };
        let has = |slot: &Slot| slot.entries.get(index).copied().flatten().is_some_and(|entry| entry.bytes > 0);
        let skipped = from.saturating_sub(self.first_slot) as usize;
        let first = (skipped..self.slots.len()).find(|at| has(&self.slots[*at]));
        let Some(first) = first else { return Vec::new() };
        let known = (first..self.slots.len()).rev().find(|at| self.slots[*at].entries.get(index).copied().flatten().is_some());
        let last = known.unwrap_or(first).max(self.slots.len().saturating_sub(1 + DVR_LAG_SLOTS)).max(first);
        // What ends with gaps has no end for players; so many more or less do not make renditions differ.
        let last = if self.ended_at_ms.is_some() {
            let own = (first..=last).rev().find(|at| has(&self.slots[*at])).unwrap_or(first);
            if last - own <= DVR_LAG_SLOTS { own } else { last }
        } else {
            last
        };
        (first..=last).map(|at| self.line(at, index)).collect()
    }

    fn line(&self, at: usize, rendition: usize) -> Listed {
        let slot = &self.slots[at];
        let entry = slot.entries.get(rendition).copied().flatten();
        let (media_ms, duration_s) = match (entry, slot.time) {
            (Some(entry), _) => (entry.media_ms, entry.duration_s),
            (None, Some(time)) => time,
            (None, None) => self.hole(at),
        };
        Listed {
            slot: self.first_slot + at as u64,
            number: slot.number,
            media_ms,
            duration_s,
            discontinuity: slot.discontinuity,
            init: entry.filter(|entry| entry.bytes > 0).map(|entry| entry.init),
            bytes: entry.map_or(0, |entry| entry.bytes),
        }
    }

    /// A slot of which nobody has anything lies between those that have.
    fn hole(&self, at: usize) -> (f64, f64) {
        let before = self.slots.iter().take(at).rev().find_map(|slot| slot.time).map(|(from, s)| from + s * 1000.0);
        let after = self.slots.iter().skip(at).find_map(|slot| slot.time).map(|(from, _)| from);
        match (before, after) {
            (Some(before), Some(after)) => (before, ((after - before) / 1000.0).clamp(0.0, f64::from(HLS_TARGET_DURATION_S))),
            (Some(only), None) | (None, Some(only)) => (only, 0.0),
            (None, None) => (0.0, 0.0),
        }
    }

    /// Index of the slot of a segment number.
    fn place(&self, number: u64) -> Option<usize> {
        let run = self.runs.iter().rev().find(|run| run.first <= number)?;
        usize::try_from((run.slot + (number - run.first)).checked_sub(self.first_slot)?).ok()
    }

    fn enter(&mut self, written: &Written) {
        let (Some(index), Some(at)) =
            (self.renditions.iter().position(|other| other.name == written.rendition), self.place(written.number))
        else {
            return;
        };
        if at >= self.slots.len() + DVR_HOLES_MAX {
            return;
        }
        while self.slots.len() <= at {
            let slot = self.first_slot + self.slots.len() as u64;
            let run = self.runs.iter().rev().find(|run| run.slot <= slot).copied().unwrap_or(Run { first: slot, slot });
            let begins_run = run.slot == slot && self.runs.first().is_some_and(|first| first.slot < slot);
            let number = run.first + (slot - run.slot);
            self.slots.push_back(Slot { number, time: None, discontinuity: begins_run, entries: Vec::new() });
        }
        let rendition = &mut self.renditions[index];
        if written.frames_per_second > 0.0 {
            rendition.frames_per_second = written.frames_per_second;
        }
        let slot = &mut self.slots[at];
        if slot.entries.len() <= index {
            slot.entries.resize(index + 1, None);
        }
        slot.discontinuity |= written.discontinuity;
        slot.time.get_or_insert((written.media_ms, written.duration_s));
        let entry = Entry { media_ms: written.media_ms, duration_s: written.duration_s, bytes: written.bytes, init: written.init };
        let before = slot.entries[index].replace(entry);
        self.bytes = self.bytes + written.bytes - before.map_or(0, |before| before.bytes);
    }

    fn take_sprite(&mut self, sprite: Sprite) -> Gone {
        let newest_ms = sprite.at.last().copied().unwrap_or_default();
        self.bytes += sprite.bytes;
        match self.sprites.iter_mut().find(|other| other.first == sprite.first) {
            Some(other) => {
                let before = std::mem::replace(other, sprite);
                if before.file() == other.file() {
                    self.bytes -= before.bytes;
                } else {
                    self.replaced.push_back((before, newest_ms));
                }
            }
            None => self.sprites.push_back(sprite),
        }
        let grace_ms = DVR_GRACE.as_secs_f64() * 1000.0;
        self.drop_replaced(|_, replaced_ms| replaced_ms + grace_ms < newest_ms)
    }

    fn drop_replaced(&mut self, is_over: impl Fn(&Sprite, f64) -> bool) -> Gone {
        let mut gone = Gone::default();
        self.replaced.retain(|(sprite, replaced_ms)| {
            let is_over = is_over(sprite, *replaced_ms);
            if is_over {
                self.bytes -= sprite.bytes;
                gone.files.push((SPRITES.to_owned(), sprite.file()));
            }
            !is_over
        });
        gone
    }

    fn trim(&mut self, until: u64) -> Gone {
        let mut gone = Gone::default();
        while self.first_slot < until
            && let Some(slot) = self.slots.pop_front()
        {
            self.first_slot += 1;
            self.discontinuities_gone += u64::from(slot.discontinuity);
            for (rendition, entry) in self.renditions.iter().zip(&slot.entries) {
                if let Some(entry) = entry.filter(|entry| entry.bytes > 0) {
                    self.bytes -= entry.bytes;
                    gone.files.push((rendition.name.clone(), segment_file(slot.number)));
                }
            }
        }
        let last_run = self.runs.iter().rposition(|run| run.slot <= self.first_slot).unwrap_or(0);
        self.runs.drain(..last_run);
        for (index, rendition) in self.renditions.iter_mut().enumerate() {
            let oldest = self.slots.iter().find_map(|slot| slot.entries.get(index).copied().flatten().filter(|entry| entry.bytes > 0));
            // The newest may be for a segment that is on its way.
            while let [first, next, ..] = rendition.inits.as_slice()
                && oldest.is_none_or(|oldest| first.number < oldest.init && next.number <= oldest.init)
            {
                self.bytes -= first.bytes;
                gone.files.push((rendition.name.clone(), init_file(first.number)));
                rendition.inits.remove(0);
            }
        }
        let start_ms = self.slots.iter().find_map(|slot| slot.time).map(|(at, _)| at);
        while let (Some(start_ms), Some(sprite)) = (start_ms, self.sprites.front())
            && sprite.at.last().is_none_or(|last| *last < start_ms)
        {
            self.bytes -= sprite.bytes;
            gone.files.push((SPRITES.to_owned(), sprite.file()));
            let first = sprite.first;
            self.sprites.pop_front();
            gone.files.append(&mut self.drop_replaced(|replaced, _| replaced.first == first).files);
        }
        gone
    }

    /// Every file that it stands for.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, String)> {
        let segments = self.slots.iter().flat_map(|slot| {
            self.renditions.iter().zip(&slot.entries).filter_map(|(rendition, entry)| {
                entry.filter(|entry| entry.bytes > 0).map(|_| (rendition.name.as_str(), segment_file(slot.number)))
            })
        });
        let inits = self.renditions.iter().flat_map(|one| one.inits.iter().map(|init| (one.name.as_str(), init_file(init.number))));
        let sheets = self.sprites.iter().chain(self.replaced.iter().map(|(sprite, _)| sprite)).map(|sprite| (SPRITES, sprite.file()));
        segments.chain(inits).chain(sheets)
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
