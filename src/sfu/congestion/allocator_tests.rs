//! Tests of the allocator: one viewer over time.

use super::*;
use crate::sfu::selection::Limit;

const LADDER: [Offered; 3] = [
    Offered { layer: 0, limit: Limit::NONE, bitrate_bps: 150_000, active: true, is_new: false },
    Offered { layer: 1, limit: Limit::NONE, bitrate_bps: 500_000, active: true, is_new: false },
    Offered { layer: 2, limit: Limit::NONE, bitrate_bps: 2_500_000, active: true, is_new: false },
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
            self.look(Budget { estimate_bps: bps, proven_bps: bps, is_full: true }, loss, offered, choice, drawn);
        }
        &self.rungs
    }

    fn look(&mut self, budget: Budget, loss: f32, offered: &[Offered], choice: LayerChoice, drawn: Option<u16>) {
        self.now += Duration::from_millis(50);
        let rank = |place| if place == 0 { Rank::Broadcast } else { Rank::Face };
        let picture = |place: usize| Picture { place, offered, choice, drawn_height: drawn, rank: rank(place), rung: self.rungs[place] };
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
    assert_eq!(viewer.demand, Demand { current_bps: 190_000, next_bps: Some(540_000), top_bps: 2_540_000, has_faces: false, lacks: false });
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
        let budget = Budget { estimate_bps: 3e6, proven_bps: 400_000.0, is_full: true };
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
    let budget = |bps| Budget { estimate_bps: bps, proven_bps: bps, is_full: true };
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
    let budget = Budget { estimate_bps: 1_700_000.0, proven_bps: 1_700_000.0, is_full: true };
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
fn where_no_queue_was_seen_no_face_goes_because_its_rate_became_known() {
    let mut viewer = Viewer::new(5, LayerChoice::Auto);
    let free = |bps| Budget { estimate_bps: bps, proven_bps: bps, is_full: false };
    // The broadcast in its second layer and four faces: 40 + 500 + 4 * 150 kbit/s.
    viewer.rungs = vec![Some(1), Some(0), Some(0), Some(0), Some(0)];
    let mut offered = LADDER;
    (0..10).for_each(|_| viewer.look(free(1_200_000.0), 0.0, &offered, LayerChoice::Spatial(1), None));
    offered[0].bitrate_bps = 250_000;
    (0..15).for_each(|_| viewer.look(free(1_200_000.0), 0.0, &offered, LayerChoice::Spatial(1), None));
    assert_eq!(viewer.rungs, [Some(1), Some(0), Some(0), Some(0), Some(0)], "the estimate follows what is delivered");
    (0..15).for_each(|_| viewer.look(free(1_200_000.0), 0.0, &offered, LayerChoice::Spatial(1), None));
    assert!(viewer.rungs.contains(&None), "but not forever");
}

#[test]
fn where_no_queue_was_seen_faces_stay_until_a_proof_could_have_come_for_the_broadcasts_second_layer() {
    let faces = |viewer: &Viewer| viewer.rungs[1..].iter().flatten().count();
    let budget = |is_full| Budget { estimate_bps: 800_000.0, proven_bps: 800_000.0, is_full };
    let begin = || Viewer { rungs: vec![Some(0), Some(0), Some(0), Some(0), Some(0)], ..Viewer::new(5, LayerChoice::Auto) };
    let mut viewer = begin();
    (0..20).for_each(|_| viewer.look(budget(false), 0.0, &LADDER, LayerChoice::Auto, None));
    assert_eq!((viewer.rungs[0], faces(&viewer)), (Some(0), 4));
    let proven = Budget { estimate_bps: 3e6, proven_bps: 3e6, is_full: false };
    (0..10).for_each(|_| viewer.look(proven, 0.0, &LADDER, LayerChoice::Auto, Some(360)));
    assert!(viewer.rungs[0] >= Some(1) && faces(&viewer) == 4, "{:?}", viewer.rungs);
    let mut viewer = begin();
    (0..50).for_each(|_| viewer.look(budget(false), 0.0, &LADDER, LayerChoice::Auto, None));
    assert_eq!((viewer.rungs[0], faces(&viewer)), (Some(1), 1), "none came");
    let mut viewer = begin();
    (0..10).for_each(|_| viewer.look(budget(true), 0.0, &LADDER, LayerChoice::Auto, None));
    assert_eq!((viewer.rungs[0], faces(&viewer)), (Some(1), 1), "a path that is full brings none");
}

#[test]
fn friends_wait_for_a_proof_where_the_broadcast_does_not_get_all_it_wants() {
    let mut viewer = Viewer::new(3, LayerChoice::Auto);
    viewer.rungs[0] = Some(1);
    let grown = Budget { estimate_bps: 1_200_000.0, proven_bps: 600_000.0, is_full: true };
    (0..20).for_each(|_| viewer.look(grown, 0.0, &LADDER, LayerChoice::Auto, None));
    assert_eq!(viewer.rungs, [Some(1), None, None], "an estimate grows beyond what a narrow path carries");
    let proven = Budget { estimate_bps: 1_200_000.0, proven_bps: 800_000.0, is_full: true };
    viewer.look(proven, 0.0, &LADDER, LayerChoice::Auto, None);
    assert_eq!(viewer.rungs, [Some(1), Some(0), None], "as many as the proof is for");
    let mut viewer = Viewer::new(3, LayerChoice::Auto);
    viewer.rungs[0] = Some(2);
    let grown = Budget { estimate_bps: 3_500_000.0, proven_bps: 2_600_000.0, is_full: true };
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
    assert_eq!(
        viewer.demand,
        Demand { current_bps: AUDIO_BPS, next_bps: Some(190_000), top_bps: 2_540_000, has_faces: false, lacks: true }
    );
    assert_eq!(viewer.auto(4_000, 250_000.0), [Some(0)]);
}

#[test]
fn a_face_that_has_just_begun_is_not_taken_for_as_little_as_it_sends_yet() {
    let rising = LADDER.map(|rung| Offered { bitrate_bps: rung.bitrate_bps / 10, is_new: true, ..rung });
    let mut viewer = Viewer::new(2, LayerChoice::Auto);
    viewer.run(2_000, 900_000.0, 0.0, &rising, LayerChoice::Auto, None);
    let [match_bps, face_bps] = [LADDER[2].bitrate_bps / 10, LADDER[0].bitrate_bps];
    assert_eq!(viewer.rungs, [Some(2), Some(0)], "the broadcast is measured as it is, for nobody else shares what is wrong about it");
    assert_eq!(viewer.demand.current_bps, AUDIO_BPS + match_bps + face_bps);
}

/// A face that was tried again and again on a path that has no room for it, until patience is as long as it gets.
fn after_many_tries_in_vain() -> Viewer {
    let mut viewer = Viewer::new(2, LayerChoice::Auto);
    viewer.auto(5_000, 700_000.0);
    let narrow = 600_000.0;
    for _ in 0..7 {
        while viewer.rungs[1].is_none() {
            viewer.auto(100, 800_000.0);
        }
        viewer.auto(500, narrow);
        assert_eq!(viewer.rungs[1], None, "it does not fit");
    }
    viewer
}

#[test]
fn a_face_comes_back_soon_when_far_more_is_proven_to_fit_than_what_failed() {
    let mut viewer = after_many_tries_in_vain();
    viewer.auto(14_000, 5_000_000.0);
    assert_eq!(viewer.rungs[1], None, "it has been shown before, and did not hold");
    viewer.auto(2_000, 5_000_000.0);
    assert_eq!(viewer.rungs[1], Some(0), "somebody's face, in its smallest layer");
    let broadcast = viewer.rungs[0];
    viewer.auto(20_000, 5_000_000.0);
    assert_eq!(viewer.rungs[0], broadcast, "what is sent already has patience");
    viewer.auto(30_000, 5_000_000.0);
    assert_eq!(viewer.rungs, [Some(2), Some(1)], "and then everything climbs");
}

#[test]
fn a_face_has_patience_where_hardly_more_is_proven_to_fit_than_what_failed() {
    let mut viewer = after_many_tries_in_vain();
    viewer.auto(50_000, 800_000.0);
    assert_eq!(viewer.rungs[1], None);
    viewer.auto(12_000, 800_000.0);
    assert_eq!(viewer.rungs[1], Some(0));
}
