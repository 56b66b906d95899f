//! Who gets which layer: decided off the packet path, from the layers there are, what the viewer wants to see and what its path carries.
//!
//! All tracks of a viewer share one budget. Sound comes first, then the pictures, in this order as far as it reaches:
//!
//! | | Broadcast | Guest | Faces |
//! |---|---|---|---|
//! | smallest layer | 1st | 2nd | 4th |
//! | second layer | 3rd | | |
//! | as much as fits | 5th | 6th | 7th |
//!
//! Faces go in the order of the size at which they are drawn. What does not fit of guest and faces is not sent at all; the broadcast's picture ends
//! only when not even its smallest layer gets through. Steps down follow the estimate at once; steps up need a proof that they fit, and after one that
//! did not hold, patience; less of it for a picture that is not sent at all, once far more is proven to fit than what failed. Only from faces to the broadcast's second layer the budget is moved without one: it is being sent already.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::estimator::elapsed;
use super::{Budget, Demand, UP_MARGIN};
use crate::limits;
use crate::sfu::handle::LayerChoice;
use crate::sfu::ladder::{Offered, place_of};

/// Of two pictures the one of higher rank is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A friend in a call.
    Face,
    /// The broadcast's guest.
    Guest,
    /// The broadcast itself.
    Broadcast,
}

/// A picture as one viewer wants it. `rung` is its place among the layers offered, smallest first.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Where the caller finds it again: pictures are put in order of rank.
    pub place: usize,
    /// Those layers that are worth sending: none has pixels that nobody sees.
    pub offered: &'a [Offered],
    pub choice: LayerChoice,
    /// Lines at which the client draws it; `None`: not known, 0: not at all.
    pub drawn_height: Option<u16>,
    pub rank: Rank,
    /// What it is sent now, and what the allocator makes of that. `None`: nothing.
    pub rung: Option<usize>,
}

impl Picture<'_> {
    /// Fills unused places of an array.
    pub const NONE: Self =
        Self { place: 0, offered: &[], choice: LayerChoice::AudioOnly, drawn_height: None, rank: Rank::Broadcast, rung: None };

    /// The highest rung that is wanted. `None`: no picture wanted.
    fn ceiling(&self) -> Option<usize> {
        let chosen = match self.choice {
            LayerChoice::AudioOnly => return None,
            LayerChoice::Auto => usize::MAX,
            LayerChoice::Spatial(spatial) => place_of(self.offered, spatial).unwrap_or(usize::MAX),
        };
        let top = self.offered.len().checked_sub(1).filter(|_| self.drawn_height != Some(0))?;
        Some(top.min(chosen))
    }

    fn bps(&self, rung: Option<usize>) -> u32 {
        let Some((rung, layer)) = rung.and_then(|rung| Some((rung, self.offered.get(rung)?))) else { return 0 };
        // Not measured yet, or still rising: ten friends who come at once must not be taken for nothing.
        let is_unknown = !self.is_broadcast() && layer.active && (layer.is_new || layer.bitrate_bps == 0);
        if is_unknown { layer.bitrate_bps.max(Self::UNKNOWN_BPS << (2 * rung.min(2))) } else { layer.bitrate_bps }
    }

    /// A camera's smallest layer, about; each further one is four times as much.
    const UNKNOWN_BPS: u32 = 150_000;

    /// Rungs that can be sent, up to the ceiling; where none of these is alive, the smallest that is above.
    fn usable(&self) -> impl Iterator<Item = usize> + '_ {
        let ceiling = self.ceiling();
        let below = ceiling.map_or(0, |ceiling| ceiling + 1);
        let fallback = (below..self.offered.len()).find(|rung| self.offered[*rung].active);
        let any_below = self.offered[..below].iter().any(|layer| layer.active);
        let fallback = fallback.filter(|_| ceiling.is_some() && !any_below);
        (0..below).filter(|rung| self.offered[*rung].active).chain(fallback)
    }

    fn next_above(&self, rung: Option<usize>) -> Option<usize> {
        self.usable().find(|candidate| rung.is_none_or(|rung| *candidate > rung) && (rung.is_none() || self.bps(Some(*candidate)) > 0))
    }

    fn top(&self) -> Option<usize> {
        self.usable().last()
    }

    /// The second of its sizes, or the only one.
    fn second(&self) -> Option<usize> {
        self.usable().filter(|rung| !self.offered[*rung].is_fall_back()).nth(1).or_else(|| self.top())
    }

    fn is_broadcast(&self) -> bool {
        self.rank == Rank::Broadcast
    }
}

/// One viewer's climb and fall.
#[derive(Debug, Default)]
pub struct Allocator {
    /// The estimate has allowed the next step since.
    roomy_since: Option<Instant>,
    /// The estimate has been too small since.
    short_since: Option<Instant>,
    climbed_at: Option<Instant>,
    blocked_until: Option<Instant>,
    /// What was sent when something of it did not fit, bits per second.
    failed_bps: f64,
    /// Something did not fit and was taken away.
    gave_way_at: Option<Instant>,
    patience: Option<Duration>,
    /// Not even the smallest picture has got through since.
    starved_since: Option<Instant>,
    /// Pictures were taken away.
    starved: bool,
    /// The viewer has just chosen: it gets that at once, or as soon as its publisher sends it again.
    chosen: bool,
    /// When it chose, as long as that is news.
    chosen_at: Option<Instant>,
}

impl Allocator {
    /// For a viewer that starts with this choice.
    pub fn new(choice: LayerChoice) -> Self {
        Self { chosen: matches!(choice, LayerChoice::Spatial(_)), ..Self::default() }
    }

    /// An estimate must stay below what is sent for this long: feedback comes in bursts.
    const SHORT_MIN: Duration = Duration::from_millis(100);
    /// And above what is wanted for this long.
    const ROOMY_MIN: Duration = Duration::from_millis(250);
    /// Where no queue was seen, an estimate that stays below what is sent with faces must do so for this long. What is sent jumps when the rates of faces
    /// become known; what was delivered of it is known half a second later.
    const SHORT_UNSURE_MIN: Duration = Duration::from_secs(1);
    /// Faces are not taken away for the broadcast's second layer before this, where no queue was seen: until then a proof may have come, and there is
    /// room for both.
    const PROOF_MAY_COME: Duration = Duration::from_secs(2);
    /// Below this part of what is sent, it is too much.
    const SHORT_OF: f64 = 0.95;
    /// A step down this soon after a step up means that the step up failed.
    const FAILED_CLIMB: Duration = Duration::from_secs(15);
    const PATIENCE_MIN: Duration = Duration::from_secs(3);
    const PATIENCE_MAX: Duration = Duration::from_secs(60);
    /// A path that is shown to carry so much more than what did not fit is another than it was ...
    const CHANGED: f64 = 1.3;
    /// ... for a picture that is not sent at all, after this part of the patience: what such a proof is worth shows only when it is used.
    const PATIENCE_FOR_LACKING: u32 = 4;
    /// A picture that does not fit is kept this long: a frozen picture is better than none, for a while.
    const STARVED_MIN: Duration = Duration::from_secs(4);
    const STARVED_OF: f64 = 0.7;
    const CHOICE_KEPT: Duration = Duration::from_secs(3);

    /// Moves the rungs of `pictures` to what fits into `budget` beside `audio_bps`, and says what is wanted further.
    pub fn allocate(&mut self, now: Instant, audio_bps: u32, pictures: &mut [Picture<'_>], budget: Budget, loss: f32) -> Demand {
        pictures.sort_by_key(|picture| (Reverse(picture.rank), Reverse(picture.drawn_height), picture.place));
        for picture in pictures.iter_mut() {
            self.settle(picture);
        }
        self.keep_choice(now, pictures);
        self.start(now, audio_bps, pictures, budget);
        let sent = total(audio_bps, pictures, |picture| picture.rung);
        self.step_down(now, audio_bps, pictures, sent, budget, loss);
        self.step_up(now, audio_bps, pictures, budget);
        let current_bps = total(audio_bps, pictures, |picture| picture.rung);
        Demand {
            current_bps,
            next_bps: next_total(current_bps, pictures),
            top_bps: total(audio_bps, pictures, |picture| picture.top().max(picture.rung)),
            has_faces: pictures.iter().any(|picture| picture.rank == Rank::Face && picture.rung.is_some()),
            lacks: pictures.iter().any(|picture| picture.rung.is_none() && picture.next_above(None).is_some()),
        }
    }

    /// The viewer chose for itself: it is judged anew.
    pub fn handle_choice(&mut self) {
        *self = Self { chosen: true, ..Self::default() };
    }

    /// Whether the viewer chose a moment ago: it is given the benefit of the doubt until the rate of what it chose is known.
    pub fn has_just_chosen(&self, now: Instant) -> bool {
        self.chosen_at.map_or(self.chosen, |at| now.saturating_duration_since(at) < Self::CHOICE_KEPT)
    }

    /// What everything wanted amounts to, bits per second.
    pub fn wanted_bps(audio_bps: u32, pictures: &[Picture<'_>]) -> u32 {
        total(audio_bps, pictures, |picture| picture.top())
    }

    /// A layer chosen by hand may be paused, because nobody wanted it: the choice holds until it is there, for a while.
    fn keep_choice(&mut self, now: Instant, pictures: &[Picture<'_>]) {
        let waits = |picture: &Picture<'_>| {
            matches!(picture.choice, LayerChoice::Spatial(_))
                && picture.ceiling().is_some_and(|ceiling| !picture.usable().any(|rung| rung == ceiling))
        };
        if self.chosen {
            self.chosen_at.get_or_insert(now);
        }
        self.chosen &= pictures.iter().any(waits) && self.has_just_chosen(now);
    }

    /// Puts a picture on a rung that exists, is wanted and is alive.
    fn settle(&self, picture: &mut Picture<'_>) {
        let Some(ceiling) = picture.ceiling() else {
            picture.rung = None;
            return;
        };
        let by_hand = matches!(picture.choice, LayerChoice::Spatial(_));
        picture.rung = match picture.rung {
            None if self.starved || !picture.is_broadcast() => None,
            // A choice is reached at once, automatic quality begins at the bottom.
            Some(_) | None if by_hand && self.chosen => Some(ceiling),
            None => picture.usable().next().or(Some(0)),
            Some(rung) => Some(rung.min(ceiling)),
        };
        // A source that is silent altogether (a still screen) changes nothing.
        let rung = picture.rung.unwrap_or(0);
        if picture.rung.is_some() && !picture.usable().any(|usable| usable == rung) {
            let below = picture.usable().take_while(|usable| *usable < rung).last();
            picture.rung = below.or_else(|| picture.usable().next()).or(Some(rung));
        }
    }

    /// A guest who comes begins at once with the smallest layer, as a broadcast does; a face where that is believed to fit beside a broadcast in its
    /// second: a friend is not made to wait for a proof, unless the path is not known to carry all of the broadcast, or had to give way before. There
    /// an estimate may have grown beyond what the path carries, and every face that tries it takes everybody's sound along.
    fn start(&mut self, now: Instant, audio_bps: u32, pictures: &mut [Picture<'_>], budget: Budget) {
        if self.starved || self.is_blocked(now) {
            return;
        }
        let reserved = |picture: &Picture<'_>| if picture.is_broadcast() { picture.rung.max(picture.second()) } else { picture.rung };
        let is_wide = self.patience.is_none() && pictures.iter().all(|picture| !picture.is_broadcast() || picture.rung >= picture.top());
        let believed = if is_wide { budget.estimate_bps } else { budget.estimate_bps.min(budget.proven_bps) };
        let mut sent = f64::from(total(audio_bps, pictures, reserved));
        for picture in pictures.iter_mut().filter(|picture| !picture.is_broadcast() && picture.rung.is_none()) {
            let Some(smallest) = picture.usable().next().filter(|_| picture.ceiling().is_some()) else { continue };
            sent += f64::from(picture.bps(Some(smallest)));
            // Who is on air is part of the show.
            if sent * UP_MARGIN > believed && picture.rank != Rank::Guest {
                break;
            }
            picture.rung = Some(smallest);
            self.climbed_at = Some(now);
        }
    }

    /// Patience after a step up that failed.
    fn is_blocked(&self, now: Instant) -> bool {
        self.blocked_until.is_some_and(|until| until > now)
    }

    /// Whether patience has lost its reason, as far as a picture that is not sent at all is concerned.
    fn has_path_changed(&self, now: Instant, budget: Budget) -> bool {
        let patience = (self.patience.unwrap_or_default() / Self::PATIENCE_FOR_LACKING).max(Self::PATIENCE_MIN);
        let waited = elapsed(now, self.gave_way_at) >= patience;
        waited && !self.starved && budget.estimate_bps.min(budget.proven_bps) >= Self::CHANGED * self.failed_bps
    }

    fn step_down(&mut self, now: Instant, audio_bps: u32, pictures: &mut [Picture<'_>], sent: u32, budget: Budget, loss: f32) {
        if budget.estimate_bps >= Self::SHORT_OF * f64::from(sent) {
            (self.short_since, self.starved_since) = (None, None);
            return;
        }
        self.roomy_since = None;
        let since = *self.short_since.get_or_insert(now);
        let is_unsure = !budget.is_full && pictures.iter().any(|picture| picture.rank == Rank::Face);
        if now.saturating_duration_since(since) < if is_unsure { Self::SHORT_UNSURE_MIN } else { Self::SHORT_MIN } {
            return;
        }
        let before = sent;
        let least = |picture: &Picture<'_>| picture.usable().next().min(picture.rung).filter(|_| picture.is_broadcast());
        fill(audio_bps, pictures, budget.estimate_bps, least, |picture| picture.rung);
        if total(audio_bps, pictures, |picture| picture.rung) < before {
            self.short_since = None;
            let failed = self.climbed_at.is_some_and(|climbed| now.saturating_duration_since(climbed) < Self::FAILED_CLIMB);
            let patience = if failed { (self.patience.unwrap_or_default() * 2).min(Self::PATIENCE_MAX) } else { Self::PATIENCE_MIN };
            let patience = patience.max(Self::PATIENCE_MIN);
            self.patience = Some(patience);
            (self.blocked_until, self.gave_way_at) = (Some(now + patience), Some(now));
            self.failed_bps = f64::from(before);
            return;
        }
        // The broadcast is on its lowest rung, and alone.
        let starving = budget.estimate_bps < Self::STARVED_OF * f64::from(sent) && loss > 0.1;
        let since = *self.starved_since.get_or_insert(now);
        if !starving {
            self.starved_since = None;
        } else if now.saturating_duration_since(since) >= Self::STARVED_MIN {
            self.starved = true;
            fill(audio_bps, pictures, budget.estimate_bps, |_| None, |picture| picture.rung);
            self.blocked_until = Some(now + Self::PATIENCE_MIN);
        }
    }

    fn step_up(&mut self, now: Instant, audio_bps: u32, pictures: &mut [Picture<'_>], budget: Budget) {
        let current = total(audio_bps, pictures, |picture| picture.rung);
        let Some(next) = next_total(current, pictures) else {
            self.roomy_since = None;
            return;
        };
        let proven = budget.estimate_bps.min(budget.proven_bps) / UP_MARGIN;
        let grows = proven >= f64::from(next);
        let allowed = if grows { proven } else { f64::from(current) };
        // What others have is enough for the broadcast's second layer.
        let is_behind = pictures.iter().any(|picture| picture.is_broadcast() && picture.rung < picture.second());
        let alone = total(audio_bps, pictures, |picture| picture.second().filter(|_| picture.is_broadcast()));
        let may_move = is_behind && f64::from(alone) <= allowed;
        if !grows && !may_move {
            self.roomy_since = None;
            return;
        }
        let roomy = now.saturating_duration_since(*self.roomy_since.get_or_insert(now));
        let moves = may_move && (budget.is_full || roomy >= Self::PROOF_MAY_COME);
        let waits = self.is_blocked(now);
        // What faces have tried in vain, again and again, is no reason to keep the broadcast below its second layer.
        let has_friends = pictures.iter().any(|picture| picture.rank == Rank::Face);
        let is_owed = is_behind && has_friends && elapsed(now, self.gave_way_at) >= Self::PATIENCE_MIN;
        // Nor may it keep somebody's face away from a path that is another by now.
        let fetches = waits && grows && self.has_path_changed(now, budget);
        if (waits && !is_owed && !fetches) || roomy < Self::ROOMY_MIN || !(grows || moves) {
            return;
        }
        let least = |picture: &Picture<'_>| picture.rung.filter(|_| picture.is_broadcast() || !moves);
        let most = |picture: &Picture<'_>| {
            if grows && !waits {
                picture.top()
            } else if picture.is_broadcast() && (is_owed || !waits) {
                picture.second()
            } else if fetches && picture.rung.is_none() {
                picture.usable().next()
            } else {
                picture.rung
            }
        };
        fill(audio_bps, pictures, allowed, least, most);
        self.starved &= pictures.iter().any(|picture| picture.is_broadcast() && picture.rung.is_none() && picture.ceiling().is_some());
        self.climbed_at = Some(now);
        self.roomy_since = None;
    }
}

/// How far a picture is raised in one round.
#[derive(Debug, Clone, Copy)]
enum Height {
    Smallest,
    Second,
    Any,
}

/// What is served before what.
const ROUNDS: [(Rank, Height); 7] = [
    (Rank::Broadcast, Height::Smallest),
    (Rank::Guest, Height::Smallest),
    (Rank::Broadcast, Height::Second),
    (Rank::Face, Height::Smallest),
    (Rank::Broadcast, Height::Any),
    (Rank::Guest, Height::Any),
    (Rank::Face, Height::Any),
];

/// Gives every picture its least rung, then, round by round, the highest that the budget allows, up to its most.
fn fill(
    audio_bps: u32,
    pictures: &mut [Picture<'_>],
    budget_bps: f64,
    least: impl Fn(&Picture<'_>) -> Option<usize>,
    most: impl Fn(&Picture<'_>) -> Option<usize>,
) {
    let mut left = budget_bps - f64::from(audio_bps);
    let mut mosts = [None; limits::DOWN_TRACKS_PER_PEER_MAX];
    for (picture, highest) in pictures.iter_mut().zip(&mut mosts) {
        *highest = most(picture);
        picture.rung = least(picture);
        left -= f64::from(picture.bps(picture.rung));
    }
    for (rank, height) in ROUNDS {
        for (picture, most) in pictures.iter_mut().zip(mosts).filter(|(picture, _)| picture.rank == rank) {
            let highest = match height {
                Height::Smallest => picture.usable().next(),
                Height::Second => picture.second(),
                Height::Any => most,
            };
            let present = picture.bps(picture.rung);
            let fits = |rung: &usize| Some(*rung) <= highest.min(most) && f64::from(picture.bps(Some(*rung))) - f64::from(present) <= left;
            let chosen = picture.usable().filter(|rung| picture.rung.is_none_or(|least| *rung > least)).filter(fits).last();
            if let Some(rung) = chosen {
                left -= f64::from(picture.bps(Some(rung))) - f64::from(present);
                picture.rung = Some(rung);
            }
        }
    }
}

fn total(audio_bps: u32, pictures: &[Picture<'_>], rung: impl Fn(&Picture<'_>) -> Option<usize>) -> u32 {
    pictures.iter().fold(audio_bps, |sum, picture| sum.saturating_add(picture.bps(rung(picture))))
}

/// What is sent after the smallest step up that any picture has.
fn next_total(current_bps: u32, pictures: &[Picture<'_>]) -> Option<u32> {
    let steps =
        pictures.iter().filter_map(|picture| Some((picture.bps(picture.rung), picture.bps(Some(picture.next_above(picture.rung)?)))));
    steps.map(|(now, then)| current_bps.saturating_add(then.saturating_sub(now))).min()
}

#[cfg(test)]
#[path = "allocator_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests;
