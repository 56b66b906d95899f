//! When main picture and guest are put together, by which child, and what then fills the renditions. Pure: what arrives and time in, frames for
//! renditions and orders for children out.
//!
//! ```text
//! a guest's picture flows ── key frame of the main picture ──▶ a child begins ── its first frames ──▶ seats aim at it (seat.rs)
//! it stops, or nobody is on air any more ──▶ the child goes on with the main picture alone ──▶ seats aim at their own frames ──▶ the child ends
//! another layout, size or layer ──▶ a second child begins, seats go over to it, the first ends
//! ```

use std::sync::Arc;
use std::time::Instant;

use super::duet::{Order, Why, Word, Work};
use super::format::Format;
use super::guest::Guest;
use super::ladder::Rung;
use super::programme::{Layout, Programme};
use super::retry::Retry;
use super::seat::{Feed, Seat};
use super::segment::TrackId;
use super::track::LineFrame;
use crate::limits::{HLS_LAYER_SILENCE, HLS_LEADER_SILENCE, HLS_PROGRAMME_LAG_MS};

/// Children of one broadcast at once: one, and another that is to replace it.
const CHILDREN_MAX: usize = 2;

/// What renditions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// Of a layer as it came.
    Layer,
    /// Of what the ladder's child makes.
    Ladder,
}

/// A rendition of the picture.
#[derive(Debug)]
struct Rendition {
    track: TrackId,
    made: Made,
    seat: Seat,
    /// Of its own frames.
    size: Option<(u16, u16)>,
    last: Option<Instant>,
}

#[derive(Debug)]
struct Child {
    id: u32,
    layout: Layout,
    /// The stream of the main picture, and what it was when the child began.
    main: usize,
    format: Arc<Format>,
    /// The guest's layer, until it stops.
    guest: Option<usize>,
    guest_format: Option<Arc<Format>>,
    /// What its sizes are for.
    tracks: Vec<TrackId>,
    began: Instant,
    first_ticks: i64,
    fed: Instant,
    fed_ticks: i64,
    made_ticks: Option<i64>,
}

#[derive(Debug)]
struct Main {
    stream: usize,
    pixels: u32,
    last: Instant,
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Composer {
    /// Somebody is on air, laid out so.
    wanted: Option<Layout>,
    renditions: Vec<Rendition>,
    /// Oldest first.
    children: Vec<Child>,
    begun: u32,
    mains: Vec<Main>,
    retry: Retry,
    /// The ladder's child was left out, and begins again with a key frame.
    ladder_rests: bool,
    orders: Vec<Order>,
    out: Vec<(TrackId, LineFrame)>,
}

impl Composer {
    pub(super) fn new() -> Self {
        Self {
            wanted: None,
            renditions: Vec::new(),
            children: Vec::new(),
            begun: 0,
            mains: Vec::new(),
            retry: Retry::default(),
            ladder_rests: false,
            orders: Vec::new(),
            out: Vec::new(),
        }
    }

    pub(super) fn add_rendition(&mut self, track: TrackId, made: Made) {
        self.renditions.push(Rendition { track, made, seat: Seat::new(), size: None, last: None });
    }

    /// Who is on air, or nobody.
    pub(super) fn set_wanted(&mut self, layout: Option<Layout>) {
        if self.wanted.is_none() {
            self.retry = Retry::default();
        }
        self.wanted = layout;
        if layout.is_none() {
            self.part_with_guest(|_| true);
        }
        self.aim();
    }

    /// A frame of any layer of the main picture. A child begins with its key frames.
    pub(super) fn handle_main(&mut self, now: Instant, stream: usize, frame: &LineFrame, guest: &Guest) {
        let place = self.mains.iter().position(|main| main.stream == stream).unwrap_or_else(|| {
            self.mains.push(Main { stream, pixels: 0, last: now });
            self.mains.len() - 1
        });
        self.mains[place].last = now;
        self.check(now, guest);
        if let Some(format) = &frame.format {
            self.mains[place].pixels = format.size().map_or(0, |(width, height)| u32::from(width) * u32::from(height));
            let others: Vec<u32> = self.of_stream(stream).filter(|child| child.format != *format).map(|child| child.id).collect();
            others.into_iter().for_each(|child| self.kill(child, Why::Done));
        }
        for child in self.children.iter_mut().filter(|child| child.main == stream) {
            (child.fed, child.fed_ticks) = (now, frame.ticks);
            self.orders.push(Order::Tell { child: child.id, word: Word::Main(frame.clone()) });
        }
        if let Some(format) = &frame.format
            && frame.key
            && self.leads(now, stream)
        {
            self.begin(now, stream, format, frame, guest);
        }
        self.aim();
    }

    /// A frame of a layer of the guest's picture.
    pub(super) fn handle_guest(&mut self, layer: usize, frame: &LineFrame) {
        // Another size is another child's.
        self.part_with_guest(|child| child.guest == Some(layer) && frame.format.is_some() && frame.format != child.guest_format);
        for child in self.children.iter().filter(|child| child.guest == Some(layer)) {
            self.orders.push(Order::Tell { child: child.id, word: Word::Guest(frame.clone()) });
        }
        self.aim();
    }

    /// A rendition's own frame.
    pub(super) fn handle_own(&mut self, now: Instant, track: TrackId, frame: LineFrame) {
        let Some(place) = self.renditions.iter().position(|rendition| rendition.track == track) else { return };
        let rendition = &mut self.renditions[place];
        rendition.last = Some(now);
        rendition.size = frame.format.as_deref().and_then(Format::size).or(rendition.size);
        self.seat(place, |seat, out| seat.take(now, Feed::Own, frame, out));
    }

    /// A frame that a child made, of its size `rung`.
    pub(super) fn handle_made(&mut self, now: Instant, child: u32, rung: usize, frame: LineFrame) {
        let Some(found) = self.children.iter_mut().find(|found| found.id == child) else { return };
        found.made_ticks = found.made_ticks.max(Some(frame.ticks));
        let Some(track) = found.tracks.get(rung).copied() else { return };
        let Some(place) = self.renditions.iter().position(|rendition| rendition.track == track) else { return };
        self.seat(place, |seat, out| seat.take(now, Feed::Child(child), frame, out));
        self.retire();
    }

    /// A child ended by itself.
    pub(super) fn handle_ended(&mut self, now: Instant, child: u32) {
        let Some(found) = self.children.iter().find(|found| found.id == child) else { return };
        self.retry.handle_end(now, found.began);
        self.remove(child);
        self.aim();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, guest: &Guest) {
        self.check(now, guest);
        for place in 0..self.renditions.len() {
            self.seat(place, |seat, out| seat.handle_timeout(now, out));
        }
        self.aim();
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn wake_at(&self, guest: &Guest) -> Option<Instant> {
        let seats = self.renditions.iter().filter_map(|rendition| rendition.seat.wake_at());
        let silences = self.children.iter().filter_map(|child| guest.silent_at(child.guest?));
        seats.chain(silences).chain(self.children.iter().map(|child| child.fed + HLS_LEADER_SILENCE)).min()
    }

    /// The line begins anew.
    pub(super) fn restart(&mut self) {
        self.orders.extend(self.children.drain(..).map(|child| Order::End { child: child.id, why: Why::Done }));
        for rendition in &mut self.renditions {
            (rendition.seat, rendition.size, rendition.last) = (Seat::new(), None, None);
        }
        self.mains.clear();
        self.out.clear();
        self.ladder_rests = false;
    }

    /// Whether the ladder is to be given this frame of its source: it rests while children make all that it would.
    pub(super) fn feeds_ladder(&mut self, is_key: bool) -> bool {
        let mut of_ladder = self.renditions.iter().filter(|rendition| rendition.made == Made::Ladder).peekable();
        let is_composed = of_ladder.peek().is_some() && of_ladder.all(|rung| !rung.seat.wants(Feed::Own));
        self.ladder_rests = is_composed || self.ladder_rests && !is_key;
        !self.ladder_rests
    }

    /// Frames for renditions since the last call.
    pub(super) fn take_frames(&mut self) -> Vec<(TrackId, LineFrame)> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    fn of_stream(&self, stream: usize) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(move |child| child.main == stream)
    }

    /// Whether the stream is the largest of those that are alive.
    fn leads(&self, now: Instant, stream: usize) -> bool {
        let alive = self.mains.iter().filter(|main| now.saturating_duration_since(main.last) < HLS_LEADER_SILENCE);
        alive.max_by_key(|main| (main.pixels, usize::MAX - main.stream)).is_some_and(|main| main.stream == stream)
    }

    /// Guests that fell silent, and children that are not fed or do not keep up.
    fn check(&mut self, now: Instant, guest: &Guest) {
        self.part_with_guest(|child| child.guest.is_some_and(|layer| !guest.is_flowing(now, layer)));
        let silent = |child: &&Child| now.saturating_duration_since(child.fed) >= HLS_LEADER_SILENCE;
        let silent: Vec<u32> = self.children.iter().filter(silent).map(|child| child.id).collect();
        silent.into_iter().for_each(|child| self.kill(child, Why::Done));
        let lags = |child: &&Child| {
            let lag = child.fed_ticks - child.made_ticks.unwrap_or(child.first_ticks);
            lag as f64 * 1000.0 / f64::from(child.format.timescale()) > HLS_PROGRAMME_LAG_MS
        };
        let late: Vec<u32> = self.children.iter().filter(lags).map(|child| child.id).collect();
        for child in late {
            self.orders.push(Order::End { child, why: Why::Lags });
            self.handle_ended(now, child);
        }
    }

    fn begin(&mut self, now: Instant, stream: usize, format: &Arc<Format>, frame: &LineFrame, guest: &Guest) {
        let (Some(layout), Some(layer)) = (self.wanted, guest.best(now)) else { return };
        let is_alive = |rendition: &&Rendition| {
            let is_composed = self.children.iter().any(|child| rendition.seat.is_settled_on(Feed::Child(child.id)));
            is_composed || rendition.last.is_some_and(|last| now.saturating_duration_since(last) < HLS_LAYER_SILENCE)
        };
        let alive: Vec<(TrackId, (u16, u16))> =
            self.renditions.iter().filter(is_alive).filter_map(|rendition| Some((rendition.track, rendition.size?))).collect();
        let fits = |child: &Child| {
            child.layout == layout
                && child.main == stream
                && child.guest == Some(layer)
                && alive.iter().all(|(track, _)| child.tracks.contains(track))
        };
        if self.children.last().is_some_and(fits) || self.children.len() >= CHILDREN_MAX || !self.retry.is_due(now) || alive.is_empty() {
            return;
        }
        let (Some(size), group) = (format.size(), guest.group(layer)) else { return };
        let Some(guest_format) = group.first().map(|key| key.format.clone()) else { return };
        self.begun += 1;
        let child = self.begun;
        let rungs = alive.iter().map(|(_, (width, height))| Rung::of(*width, *height)).collect();
        let programme = Programme { layout, size, rungs };
        self.orders.push(Order::Begin { child, work: Work::Picture(programme), main: frame.clone(), guest: group });
        self.children.push(Child {
            id: child,
            layout,
            main: stream,
            format: Arc::clone(format),
            guest: Some(layer),
            guest_format,
            tracks: alive.into_iter().map(|(track, _)| track).collect(),
            began: now,
            first_ticks: frame.ticks,
            fed: now,
            fed_ticks: frame.ticks,
            made_ticks: None,
        });
    }

    /// The children of which this is true go on with the main picture alone, at once.
    fn part_with_guest(&mut self, parts: impl Fn(&Child) -> bool) {
        let orders = &mut self.orders;
        for child in self.children.iter_mut().filter(|child| child.guest.is_some()) {
            if parts(child) {
                child.guest = None;
                orders.push(Order::Tell { child: child.id, word: Word::GuestGone });
            }
        }
    }

    fn kill(&mut self, child: u32, why: Why) {
        self.orders.push(Order::End { child, why });
        self.remove(child);
    }

    /// Nothing comes of it any more.
    fn remove(&mut self, child: u32) {
        self.children.retain(|found| found.id != child);
        for place in 0..self.renditions.len() {
            self.seat(place, |seat, out| seat.end(Feed::Child(child), out));
        }
    }

    /// Whose frames there should be.
    fn target(&self) -> Feed {
        let composing = self.children.iter().rev().find(|child| child.guest.is_some() && self.wanted.is_some());
        composing.map_or(Feed::Own, |child| Feed::Child(child.id))
    }

    fn aim(&mut self) {
        let target = self.target();
        let made = self.children.iter().find(|child| Feed::Child(child.id) == target).map(|child| child.tracks.clone()).unwrap_or_default();
        for place in 0..self.renditions.len() {
            let to = if made.contains(&self.renditions[place].track) { target } else { Feed::Own };
            self.seat(place, |seat, out| seat.aim(to, out));
        }
        self.retire();
    }

    /// Ends children that nobody wants.
    fn retire(&mut self) {
        let target = self.target();
        let (renditions, orders) = (&self.renditions, &mut self.orders);
        self.children.retain(|child| {
            let feed = Feed::Child(child.id);
            let is_wanted = feed == target || renditions.iter().any(|rendition| rendition.seat.wants(feed));
            if !is_wanted {
                orders.push(Order::End { child: child.id, why: Why::Done });
            }
            is_wanted
        });
    }

    fn seat(&mut self, place: usize, what: impl FnOnce(&mut Seat, &mut Vec<LineFrame>)) {
        let Rendition { track, seat, .. } = &mut self.renditions[place];
        let mut frames = Vec::new();
        what(seat, &mut frames);
        self.out.extend(frames.into_iter().map(|frame| (*track, frame)));
    }
}
