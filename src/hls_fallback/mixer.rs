//! When a guest's voice is mixed into the main sound, and what then fills the renditions of the sound. Pure: frames and time in, frames for renditions
//! and orders for a child out.
//!
//! ```text
//! a guest's sound flows ── the next frame of the main sound ──▶ a child begins ── it has come as far as what is out ──▶ its frames
//! they go off air, or fall silent ──▶ the child goes on with the main sound alone up to there ──▶ own frames, and the child ends
//! the child dies, or lags ──▶ own frames from where its own end
//! ```
//! A rendition's own frames are kept while the child's take their place: nothing is missing after any change. Where the child lacks something of
//! the guest that may come yet, the main sound waits for it, `HLS_GUEST_SOUND_WAIT` at most; silence stands for what has not come by then.

use std::collections::VecDeque;
use std::time::Instant;

use super::duet::{Order, Why, Word, Work};
use super::mix::{FRAMES, Mix, SOUNDS};
use super::opus::{self, PER_MS, USUAL};
use super::retry::Retry;
use super::seamless::{Seamless, Sound};
use super::segment::TrackId;
use super::track::LineFrame;
use crate::limits::{HLS_CHANGE_WAIT, HLS_FRAMES_WAITING_MAX, HLS_GUEST_SOUND_SILENCE, HLS_GUEST_SOUND_WAIT, HLS_PROGRAMME_LAG_MS};

/// A guest's frame that begins more than this before the end of what there is of them already is too late; where clocks drift, it overlaps by less.
const OVERLAP: i64 = 2 * PER_MS;
/// A main sound that jumps by more is another.
const JUMP: i64 = 2000 * PER_MS;

/// See the file's head.
#[derive(Debug, Default)]
struct Rendition {
    track: Option<TrackId>,
    /// Frames of a child have come: its own wait until those have come as far.
    held_since: Option<Instant>,
    /// Frames of a child come out.
    is_mixed: bool,
    /// Own frames that have not come out.
    kept: VecDeque<LineFrame>,
    /// Of the last frame that came out.
    last_ticks: Option<i64>,
    /// Where an own frame began.
    own_ticks: Option<i64>,
    seamless: Seamless,
}

impl Rendition {
    fn take_own(&mut self, sound: Sound, frame: LineFrame, out: &mut Vec<(TrackId, LineFrame)>) {
        self.own_ticks = Some(frame.ticks);
        if !self.is_mixed && self.held_since.is_none() {
            self.give(sound, frame, out);
            return;
        }
        self.kept.push_back(frame);
        if self.kept.len() > HLS_FRAMES_WAITING_MAX {
            self.release(sound, out);
        }
    }

    fn take_made(&mut self, now: Instant, sound: Sound, mut frame: LineFrame, out: &mut Vec<(TrackId, LineFrame)>) {
        let length = FRAMES[sound.index()];
        // Own frames follow a clock that drifts, and a child counts: it takes the place of the one that it is made of.
        let nearest = self.kept.iter().map(|own| own.ticks).min_by_key(|own| own.abs_diff(frame.ticks));
        if let Some(own) = nearest.filter(|own| own.abs_diff(frame.ticks) <= length.unsigned_abs() / 2) {
            frame.ticks = own;
        }
        if self.last_ticks.is_some_and(|last| frame.ticks <= last) {
            if !self.is_mixed {
                self.held_since.get_or_insert(now);
            }
            return;
        }
        (self.is_mixed, self.held_since) = (true, None);
        self.kept.retain(|own| own.ticks > frame.ticks);
        self.give(sound, frame, out);
    }

    /// Own frames from now on, and those that were kept.
    fn release(&mut self, sound: Sound, out: &mut Vec<(TrackId, LineFrame)>) {
        (self.is_mixed, self.held_since) = (false, None);
        for frame in std::mem::take(&mut self.kept) {
            self.give(sound, frame, out);
        }
    }

    fn give(&mut self, sound: Sound, frame: LineFrame, out: &mut Vec<(TrackId, LineFrame)>) {
        self.last_ticks = self.last_ticks.max(Some(frame.ticks));
        let Some(track) = self.track else { return };
        self.seamless.take(sound, frame, |frame| out.push((track, frame)));
    }

    fn restart(&mut self) {
        let (track, mut seamless) = (self.track, std::mem::take(&mut self.seamless));
        seamless.restart();
        *self = Self { track, seamless, ..Self::default() };
    }
}

#[derive(Debug)]
struct Child {
    id: u32,
    began: Instant,
    /// Of the main sound, with when they came: they wait for the guest.
    waiting: VecDeque<(Instant, LineFrame)>,
    newest_ticks: i64,
    fed_ticks: i64,
    made_ticks: i64,
    /// From where, and up to where, it has been given the guest.
    begins: i64,
    covered: i64,
    /// Nothing of the guest comes any more: where its frames are to end, and how long they are waited for.
    leaving: Option<(i64, Instant)>,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    /// Somebody is on air.
    is_wanted: bool,
    guest: VecDeque<LineFrame>,
    /// When something of them last came.
    heard: Option<Instant>,
    child: Option<Child>,
    begun: u32,
    retry: Retry,
    renditions: [Rendition; SOUNDS],
    orders: Vec<Order>,
    out: Vec<(TrackId, LineFrame)>,
    lost: u64,
}

impl Mixer {
    /// Whether somebody is on air.
    pub(super) fn set_wanted(&mut self, now: Instant, is_wanted: bool) {
        if is_wanted && !self.is_wanted {
            self.retry = Retry::default();
        }
        self.is_wanted = is_wanted;
        if !is_wanted {
            self.heard = None;
            self.part_with_guest(now);
            self.guest.clear();
        }
    }

    /// A frame of the main sound.
    pub(super) fn handle_main(&mut self, now: Instant, frame: &LineFrame) {
        if self.child.as_ref().is_some_and(|child| (frame.ticks - child.newest_ticks).abs() > JUMP) {
            self.end(Why::Done);
        }
        self.check(now);
        let may_begin = self.is_flowing(now) && self.retry.is_due(now);
        match &mut self.child {
            Some(child) => {
                child.newest_ticks = frame.ticks;
                child.waiting.push_back((now, frame.clone()));
                self.pump(now);
            }
            None if may_begin && frame.key && frame.format.is_some() => self.begin(now, frame),
            None => {}
        }
    }

    /// A frame of the guest's sound.
    pub(super) fn handle_guest(&mut self, now: Instant, frame: LineFrame) {
        if !self.is_wanted || opus::ticks(&frame.data).is_none() {
            return;
        }
        self.heard = Some(now);
        if let Some(child) = &mut self.child {
            child.leaving = None;
        }
        if self.guest.len() >= HLS_FRAMES_WAITING_MAX {
            self.guest.pop_front();
            self.lost += u64::from(self.child.is_some());
        }
        self.guest.push_back(frame);
        self.pump(now);
    }

    /// A rendition's own frame.
    pub(super) fn handle_own(&mut self, sound: Sound, track: TrackId, frame: LineFrame) {
        let rendition = &mut self.renditions[sound.index()];
        rendition.track = Some(track);
        rendition.take_own(sound, frame, &mut self.out);
    }

    /// A frame that a child made.
    pub(super) fn handle_made(&mut self, now: Instant, id: u32, sound: Sound, frame: LineFrame) {
        let Some(child) = self.child.as_mut().filter(|child| child.id == id) else { return };
        let rendition = &mut self.renditions[sound.index()];
        child.made_ticks = child.made_ticks.max(frame.ticks);
        match child.leaving {
            Some((end, _)) if frame.ticks >= end || !rendition.is_mixed => {
                rendition.release(sound, &mut self.out);
                self.retire();
            }
            Some(_) | None => rendition.take_made(now, sound, frame, &mut self.out),
        }
    }

    /// A child ended by itself.
    pub(super) fn handle_ended(&mut self, now: Instant, id: u32) {
        let Some(child) = self.child.take_if(|child| child.id == id) else { return };
        self.retry.handle_end(now, child.began);
        self.release();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.check(now);
        self.pump(now);
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let child = self.child.as_ref()?;
        let waits = child.waiting.front().map(|(since, _)| *since + HLS_GUEST_SOUND_WAIT);
        let holds = self.renditions.iter().filter_map(|rendition| Some(rendition.held_since? + HLS_CHANGE_WAIT));
        let silence = self.heard.filter(|_| child.leaving.is_none()).map(|heard| heard + HLS_GUEST_SOUND_SILENCE);
        waits.into_iter().chain(holds).chain(silence).chain(child.leaving.map(|(_, due)| due)).min()
    }

    /// The line begins anew.
    pub(super) fn restart(&mut self) {
        if let Some(child) = self.child.take() {
            self.orders.push(Order::End { child: child.id, why: Why::Done });
        }
        for rendition in &mut self.renditions {
            rendition.restart();
        }
        self.guest.clear();
        self.heard = None;
        self.out.clear();
    }

    /// Frames for renditions since the last call.
    pub(super) fn take_frames(&mut self) -> Vec<(TrackId, LineFrame)> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// Frames of guests that came too late, since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Frames of renditions that lay on what was there.
    pub(super) fn left_out(&self) -> u64 {
        self.renditions.iter().map(|rendition| rendition.seamless.left_out).sum()
    }

    fn is_flowing(&self, now: Instant) -> bool {
        self.is_wanted && self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < HLS_GUEST_SOUND_SILENCE)
    }

    /// A guest who fell silent, and a child that does not keep up or has done what it was for.
    fn check(&mut self, now: Instant) {
        if self.child.is_some() && !self.is_flowing(now) {
            self.part_with_guest(now);
        }
        let Some(child) = &self.child else { return };
        let is_over = child.leaving.is_some_and(|(_, due)| now >= due);
        let is_held =
            |rendition: &Rendition| rendition.held_since.is_some_and(|since| now.saturating_duration_since(since) >= HLS_CHANGE_WAIT);
        let lag_ms = (child.fed_ticks - child.made_ticks) as f64 / PER_MS as f64;
        if is_over {
            self.end(Why::Done);
        } else if self.renditions.iter().any(is_held) || lag_ms > HLS_PROGRAMME_LAG_MS {
            let id = child.id;
            self.orders.push(Order::End { child: id, why: Why::Lags });
            self.handle_ended(now, id);
        }
    }

    fn begin(&mut self, now: Instant, main: &LineFrame) {
        let Some((first, data)) = opus::silence(opus::SILENCE_MIN) else { return };
        self.begun += 1;
        let (child, base) = (self.begun, main.ticks);
        let aac = self.renditions[Sound::Aac.index()].own_ticks.map_or(0, |own| (own - base).rem_euclid(FRAMES[Sound::Aac.index()]));
        let silence = LineFrame { data, ..main.clone() };
        let work = Work::Sound(Mix { aac_skips: aac as u32 });
        self.orders.push(Order::Begin { child, work, main: main.clone(), guest: vec![silence] });
        let covered = base + first;
        self.child = Some(Child {
            id: child,
            began: now,
            waiting: VecDeque::new(),
            newest_ticks: base,
            fed_ticks: base,
            made_ticks: base,
            begins: covered,
            covered,
            leaving: None,
        });
    }

    /// Gives the child what of the main sound need not wait for the guest any longer, and the guest beside it.
    fn pump(&mut self, now: Instant) {
        let Some(child) = &mut self.child else { return };
        while let Some((since, main)) = child.waiting.front() {
            let until = main.ticks + opus::ticks(&main.data).unwrap_or(USUAL);
            let has_guest = self.guest.back().is_some_and(|newest| end_of(newest) >= until) || child.covered >= until;
            let may_wait = child.leaving.is_none() && child.waiting.len() < HLS_FRAMES_WAITING_MAX && now < *since + HLS_GUEST_SOUND_WAIT;
            if !has_guest && may_wait {
                break;
            }
            let Some((_, main)) = child.waiting.pop_front() else { break };
            self.lost += cover(child, &mut self.guest, until, &main, &mut self.orders);
            child.fed_ticks = main.ticks;
            self.orders.push(Order::Tell { child: child.id, word: Word::Main(main) });
        }
    }

    /// Nothing of the guest comes any more.
    fn part_with_guest(&mut self, now: Instant) {
        let Some(child) = self.child.as_mut().filter(|child| child.leaving.is_none()) else { return };
        child.leaving = Some((child.newest_ticks, now + HLS_CHANGE_WAIT));
        self.pump(now);
        self.retire();
    }

    /// Ends a child that nobody wants.
    fn retire(&mut self) {
        let is_leaving = self.child.as_ref().is_some_and(|child| child.leaving.is_some());
        if is_leaving && self.renditions.iter().all(|rendition| !rendition.is_mixed) {
            self.end(Why::Done);
        }
    }

    fn end(&mut self, why: Why) {
        if let Some(child) = self.child.take() {
            self.orders.push(Order::End { child: child.id, why });
            self.release();
        }
    }

    fn release(&mut self) {
        for sound in Sound::ALL {
            self.renditions[sound.index()].release(sound, &mut self.out);
        }
    }
}

fn end_of(frame: &LineFrame) -> i64 {
    frame.ticks + opus::ticks(&frame.data).unwrap_or(USUAL)
}

/// Gives the child the guest up to `until`, and silence where there is nothing. `like`: what its frames look like. Returns the frames that came
/// too late.
fn cover(child: &mut Child, guest: &mut VecDeque<LineFrame>, until: i64, like: &LineFrame, orders: &mut Vec<Order>) -> u64 {
    let mut lost = 0;
    let mut tell = |frame| orders.push(Order::Tell { child: child.id, word: Word::Guest(frame) });
    loop {
        let next = guest.front().map(|frame| frame.ticks).filter(|ticks| *ticks < until);
        while let Some((length, data)) = opus::silence(next.unwrap_or(until) - child.covered) {
            tell(LineFrame { ticks: child.covered, data, ..like.clone() });
            child.covered += length;
        }
        let Some(frame) = next.and_then(|_| guest.pop_front()) else { return lost };
        if frame.ticks + OVERLAP < child.covered {
            // What they said before it began is not missed.
            lost += u64::from(frame.ticks >= child.begins);
            continue;
        }
        child.covered = end_of(&frame);
        tell(frame);
    }
}

#[cfg(test)]
#[path = "mixer_tests.rs"]
mod tests;
