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
//! did not hold, patience. Only from faces to the broadcast's second layer the budget is moved without one: it is being sent already.

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
        match layer.bitrate_bps {
            // Not measured yet: ten friends who come at once must not be taken for nothing.
            0 if layer.active && !self.is_broadcast() => Self::UNKNOWN_BPS << (2 * rung.min(2)),
            bps => bps,
        }
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
    /// Below this part of what is sent, it is too much.
    const SHORT_OF: f64 = 0.95;
    /// A step down this soon after a step up means that the step up failed.
    const FAILED_CLIMB: Duration = Duration::from_secs(15);
    const PATIENCE_MIN: Duration = Duration::from_secs(3);
    const PATIENCE_MAX: Duration = Duration::from_secs(60);
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
        if self.starved || self.blocked_until.is_some_and(|until| until > now) {
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

    fn step_down(&mut self, now: Instant, audio_bps: u32, pictures: &mut [Picture<'_>], sent: u32, budget: Budget, loss: f32) {
        if budget.estimate_bps >= Self::SHORT_OF * f64::from(sent) {
            (self.short_since, self.starved_since) = (None, None);
            return;
        }
        self.roomy_since = None;
        let since = *self.short_since.get_or_insert(now);
        if now.saturating_duration_since(since) < Self::SHORT_MIN {
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
        let moves = is_behind && f64::from(alone) <= allowed;
        if !grows && !moves {
            self.roomy_since = None;
            return;
        }
        let since = *self.roomy_since.get_or_insert(now);
        let waits = self.blocked_until.is_some_and(|until| until > now);
        // What faces have tried in vain, again and again, is no reason to keep the broadcast below its second layer.
        let has_friends = pictures.iter().any(|picture| picture.rank == Rank::Face);
        let is_owed = is_behind && has_friends && elapsed(now, self.gave_way_at) >= Self::PATIENCE_MIN;
        if (waits && !is_owed) || now.saturating_duration_since(since) < Self::ROOMY_MIN {
            return;
        }
        let least = |picture: &Picture<'_>| picture.rung.filter(|_| picture.is_broadcast() || !moves);
        let most = |picture: &Picture<'_>| {
            if grows && !waits {
                picture.top()
            } else if picture.is_broadcast() {
                picture.second()
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
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;
    use crate::sfu::selection::Limit;

    const LADDER: [Offered; 3] = [
        Offered { layer: 0, limit: Limit::NONE, bitrate_bps: 150_000, active: true },
        Offered { layer: 1, limit: Limit::NONE, bitrate_bps: 500_000, active: true },
        Offered { layer: 2, limit: Limit::NONE, bitrate_bps: 2_500_000, active: true },
    ];
    const AUDIO_BPS: u32 = 40_000;

    /// One viewer over time.
    struct Viewer {
        now: Instant,
        allocator: Allocator,
        rungs: Vec<Option<usize>>,
        demand: Demand,
    }

    impl Viewer {
        fn new(pictures: usize, choice: LayerChoice) -> Self {
            Self { now: Instant::now(), allocator: Allocator::new(choice), rungs: vec![None; pictures], demand: Demand::default() }
        }

        /// Looks every 50 ms for `ms` while the path carries `bps`. Later pictures are of lower rank.
        fn run(&mut self, ms: u64, bps: f64, loss: f32, offered: &[Offered], choice: LayerChoice, drawn: Option<u16>) -> &[Option<usize>] {
            for _ in 0..=ms / 50 {
                self.look(Budget { estimate_bps: bps, proven_bps: bps }, loss, offered, choice, drawn);
            }
            &self.rungs
        }

        fn look(&mut self, budget: Budget, loss: f32, offered: &[Offered], choice: LayerChoice, drawn: Option<u16>) {
            self.now += Duration::from_millis(50);
            let rank = |place| if place == 0 { Rank::Broadcast } else { Rank::Face };
            let picture =
                |place: usize| Picture { place, offered, choice, drawn_height: drawn, rank: rank(place), rung: self.rungs[place] };
            let mut pictures: Vec<Picture<'_>> = (0..self.rungs.len()).rev().map(picture).collect();
            self.demand = self.allocator.allocate(self.now, AUDIO_BPS, &mut pictures, budget, loss);
            for picture in pictures {
                self.rungs[picture.place] = picture.rung;
            }
        }

        fn auto(&mut self, ms: u64, bps: f64) -> &[Option<usize>] {
            self.run(ms, bps, 0.0, &LADDER, LayerChoice::Auto, None)
        }
    }

    #[test]
    fn climbs_with_proof_falls_at_once_and_waits_longer_after_each_failure() {
        let mut viewer = Viewer::new(1, LayerChoice::Auto);
        assert_eq!(viewer.auto(0, 3e6), [Some(0)], "automatic quality begins at the bottom");
        assert_eq!(viewer.demand, Demand { current_bps: 190_000, next_bps: Some(540_000), top_bps: 2_540_000, has_faces: false });
        assert_eq!(viewer.auto(300, 3e6), [Some(2)], "and skips what lies between");
        assert_eq!(viewer.auto(100, 1e6), [Some(1)]);
        assert_eq!(viewer.auto(2500, 3e6), [Some(1)], "not at once again");
        assert_eq!(viewer.auto(1500, 3e6), [Some(2)]);
        viewer.auto(150, 1e6);
        assert_eq!(viewer.auto(5000, 3e6), [Some(1)], "twice as long after a climb that did not hold");
        assert_eq!(viewer.auto(2000, 3e6), [Some(2)]);
        assert_eq!(viewer.auto(5000, 2.45e6), [Some(2)], "a little too little changes nothing");
    }

    #[test]
    fn an_estimate_without_proof_is_no_reason_to_climb() {
        let mut viewer = Viewer::new(1, LayerChoice::Auto);
        viewer.auto(0, 3e6);
        let mut pictures =
            [Picture { place: 0, offered: &LADDER, choice: LayerChoice::Auto, drawn_height: None, rank: Rank::Broadcast, rung: Some(0) }];
        for step in 1..100 {
            let budget = Budget { estimate_bps: 3e6, proven_bps: 400_000.0 };
            viewer.allocator.allocate(viewer.now + Duration::from_millis(step * 50), AUDIO_BPS, &mut pictures, budget, 0.0);
        }
        assert_eq!(pictures[0].rung, Some(0));
    }

    #[test]
    fn a_choice_is_reached_at_once_and_never_exceeded() {
        let mut viewer = Viewer::new(1, LayerChoice::Spatial(2));
        assert_eq!(viewer.run(0, 5e6, 0.0, &LADDER, LayerChoice::Spatial(2), None), [Some(2)]);
        viewer.allocator.handle_choice();
        assert_eq!(viewer.run(3000, 5e6, 0.0, &LADDER, LayerChoice::Spatial(0), None), [Some(0)]);
        assert_eq!(viewer.demand.next_bps, None);
        viewer.allocator.handle_choice();
        assert_eq!(viewer.run(0, 5e6, 0.0, &LADDER, LayerChoice::Spatial(1), None), [Some(1)]);
        assert_eq!(viewer.run(200, 300_000.0, 0.0, &LADDER, LayerChoice::Spatial(1), None), [Some(0)], "the network has the last word");
        assert_eq!(viewer.run(200, 5e6, 0.0, &LADDER, LayerChoice::AudioOnly, None), [None]);
    }

    #[test]
    fn what_is_not_drawn_is_not_sent_and_dead_layers_are_avoided() {
        let mut viewer = Viewer::new(1, LayerChoice::Auto);
        assert_eq!(viewer.run(1000, 5e6, 0.0, &LADDER[..2], LayerChoice::Auto, Some(300)), [Some(1)]);
        assert_eq!(viewer.run(100, 5e6, 0.0, &LADDER[..2], LayerChoice::Auto, Some(0)), [None]);
        let mut ladder = LADDER;
        ladder[1].active = false;
        assert_eq!(viewer.run(0, 1e6, 0.0, &ladder, LayerChoice::Auto, None), [Some(0)]);
        ladder[0].active = false;
        assert_eq!(viewer.run(0, 5e6, 0.0, &ladder, LayerChoice::Auto, None), [Some(2)], "better more than nothing");
        ladder[2].active = false;
        assert_eq!(viewer.run(1000, 5e6, 0.0, &ladder, LayerChoice::Auto, None), [Some(2)], "a still source changes nothing");
    }

    #[test]
    fn who_is_on_air_is_seen_at_once_whatever_is_believed_of_the_path_and_goes_when_it_does_not_fit() {
        let now = Instant::now();
        let mut allocator = Allocator::new(LayerChoice::Auto);
        let picture = |place, rank, rung| Picture { place, offered: &LADDER, choice: LayerChoice::Auto, drawn_height: None, rank, rung };
        let mut pictures = [picture(0, Rank::Broadcast, Some(1)), picture(1, Rank::Guest, None), picture(2, Rank::Face, None)];
        let budget = |bps| Budget { estimate_bps: bps, proven_bps: bps };
        allocator.allocate(now, AUDIO_BPS, &mut pictures, budget(700_000.0), 0.0);
        assert_eq!(pictures.map(|picture| picture.rung), [Some(1), Some(0), None]);
        for ms in (50..400).step_by(50) {
            allocator.allocate(now + Duration::from_millis(ms), AUDIO_BPS, &mut pictures, budget(560_000.0), 0.0);
        }
        assert_eq!(pictures.map(|picture| picture.rung), [Some(0), Some(0), None], "the smallest of both come before more of the match");
        for ms in (400..800).step_by(50) {
            allocator.allocate(now + Duration::from_millis(ms), AUDIO_BPS, &mut pictures, budget(250_000.0), 0.0);
        }
        assert_eq!(pictures.map(|picture| picture.rung), [Some(0), None, None]);
    }

    #[test]
    fn all_pictures_share_one_budget_sound_first_then_the_broadcasts_second_then_faces() {
        let mut viewer = Viewer::new(3, LayerChoice::Auto);
        viewer.auto(0, 480_000.0);
        assert_eq!(viewer.rungs, [Some(0), None, None], "beside the broadcast's second layer they are not believed to fit");
        viewer.auto(500, 480_000.0);
        assert_eq!(viewer.rungs, [Some(0), Some(0), None], "that does not fit, so faces have what there is");
        viewer.auto(500, 1_000_000.0);
        assert_eq!(viewer.rungs, [Some(1), Some(0), Some(0)], "the broadcast climbs first");
        viewer.auto(10_000, 1_500_000.0);
        assert_eq!(viewer.rungs, [Some(1), Some(1), Some(0)]);
        viewer.auto(20_000, 5_000_000.0);
        assert_eq!(viewer.rungs, [Some(2), Some(1), Some(1)]);
        viewer.auto(200, 2_850_000.0);
        assert_eq!(viewer.rungs, [Some(2), Some(0), Some(0)], "and falls last");
    }

    #[test]
    fn the_broadcasts_second_layer_takes_from_faces_what_it_needs_and_they_come_back_with_patience() {
        let mut viewer = Viewer::new(11, LayerChoice::Auto);
        viewer.auto(0, 3e6);
        assert_eq!(viewer.rungs.iter().flatten().count(), 11, "friends begin at once where there is room");
        // Ten faces, sound, and the broadcast: 40 + 11 * 150 kbit/s.
        viewer.rungs[0] = Some(0);
        let budget = Budget { estimate_bps: 1_700_000.0, proven_bps: 1_700_000.0 };
        for _ in 0..10 {
            viewer.look(budget, 0.0, &LADDER, LayerChoice::Auto, None);
        }
        assert_eq!(viewer.rungs[0], Some(1), "nothing more is sent than before, so nothing has to be proved");
        assert_eq!(viewer.rungs.iter().flatten().count(), 1 + 7, "what is left is for those of the highest rank");
        viewer.auto(300, 700_000.0);
        assert_eq!(viewer.rungs.iter().flatten().copied().collect::<Vec<_>>(), [1, 0], "faces go before the broadcast gives way");
        viewer.auto(2_000, 3e6);
        assert_eq!(viewer.rungs.iter().flatten().count(), 2, "not at once again");
        viewer.auto(2_000, 3e6);
        assert_eq!(viewer.rungs.iter().flatten().count(), 11);
        viewer.auto(300, 400_000.0);
        assert_eq!(viewer.rungs.iter().flatten().copied().collect::<Vec<_>>(), [0, 0], "never black for a face");
        viewer.auto(300, 150_000.0);
        assert_eq!(viewer.rungs.iter().flatten().copied().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn faces_that_fail_again_and_again_do_not_keep_the_broadcast_below_its_second_layer() {
        let mut viewer = Viewer::new(4, LayerChoice::Auto);
        viewer.auto(5_000, 1_000_000.0);
        assert_eq!(viewer.rungs[0], Some(1));
        for _ in 0..4 {
            viewer.auto(400, 600_000.0);
            viewer.auto(14_000, 1_000_000.0);
        }
        viewer.auto(400, 300_000.0);
        assert_eq!(viewer.rungs, [Some(0), None, None, None]);
        viewer.auto(2_000, 700_000.0);
        assert_eq!(viewer.rungs[0], Some(0), "not at once again");
        viewer.auto(2_000, 700_000.0);
        assert_eq!(viewer.rungs, [Some(1), None, None, None], "and faces wait");
    }

    #[test]
    fn friends_wait_for_a_proof_where_the_broadcast_does_not_get_all_it_wants() {
        let mut viewer = Viewer::new(3, LayerChoice::Auto);
        viewer.rungs[0] = Some(1);
        let grown = Budget { estimate_bps: 1_200_000.0, proven_bps: 600_000.0 };
        (0..20).for_each(|_| viewer.look(grown, 0.0, &LADDER, LayerChoice::Auto, None));
        assert_eq!(viewer.rungs, [Some(1), None, None], "an estimate grows beyond what a narrow path carries");
        let proven = Budget { estimate_bps: 1_200_000.0, proven_bps: 800_000.0 };
        viewer.look(proven, 0.0, &LADDER, LayerChoice::Auto, None);
        assert_eq!(viewer.rungs, [Some(1), Some(0), None], "as many as the proof is for");
        let mut viewer = Viewer::new(3, LayerChoice::Auto);
        viewer.rungs[0] = Some(2);
        let grown = Budget { estimate_bps: 3_500_000.0, proven_bps: 2_600_000.0 };
        viewer.look(grown, 0.0, &LADDER, LayerChoice::Auto, None);
        assert_eq!(viewer.rungs, [Some(2), Some(0), Some(0)], "nothing speaks against a path that carries the whole broadcast");
    }

    #[test]
    fn a_picture_goes_only_when_its_smallest_layer_cannot_get_through_and_comes_back() {
        let mut viewer = Viewer::new(1, LayerChoice::Auto);
        viewer.auto(0, 300_000.0);
        assert_eq!(viewer.run(20_000, 80_000.0, 0.0, &LADDER, LayerChoice::Auto, None), [Some(0)], "nothing is lost: it gets through");
        assert_eq!(viewer.run(2_000, 80_000.0, 0.4, &LADDER, LayerChoice::Auto, None), [Some(0)], "not for a moment");
        assert_eq!(viewer.run(4_000, 80_000.0, 0.4, &LADDER, LayerChoice::Auto, None), [None]);
        assert_eq!(viewer.demand, Demand { current_bps: AUDIO_BPS, next_bps: Some(190_000), top_bps: 2_540_000, has_faces: false });
        assert_eq!(viewer.auto(4_000, 250_000.0), [Some(0)]);
    }
}
