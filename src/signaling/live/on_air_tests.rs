//! Guests on air on virtual time.

use super::*;

const SHOW: BroadcastId = BroadcastId::from_bits(1);
const STUDIO: SessionId = SessionId::from_bits(1);
const ANN: SessionId = SessionId::from_bits(2);
const SOURCE: SourceId = SourceId::from_bits(9);

fn person(bits: u64) -> UserView {
    UserView { id: UserId::from_bits(bits), name: format!("User {bits}"), guest: true }
}

struct World {
    now: Now,
    on_air: OnAir,
}

impl World {
    fn new() -> Self {
        let mut world = Self { now: Now::read(), on_air: OnAir::default() };
        world.on_air.direct(SHOW, STUDIO);
        world
    }

    /// Ann is asked, and says yes.
    fn with_guest(source: Option<SourceId>) -> Self {
        let mut world = Self::new();
        world.on_air.invite(world.now, SHOW, person(2).id, vec![ANN]).unwrap();
        world.on_air.answer(world.now, SHOW, ANN, &person(2), Some(source)).unwrap();
        world
    }

    fn effects(&mut self) -> Vec<StageEffect> {
        self.on_air.poll_effects()
    }

    fn pass(&mut self, time: std::time::Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.on_air.wake_at().filter(|at| *at <= end.instant) {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            self.on_air.handle_timeout(self.now);
        }
        self.now = end;
    }
}

fn hands_told(effects: &[StageEffect]) -> Vec<usize> {
    let hands = |effect: &StageEffect| match effect {
        StageEffect::Tell { session: STUDIO, message: ServerMessage::Hands { hands } } => Some(hands.len()),
        _ => None,
    };
    effects.iter().filter_map(hands).collect()
}

#[test]
fn hands_are_told_at_most_twice_a_second_and_go_down_when_their_owners_leave() {
    let mut world = World::new();
    world.effects();
    for bits in 2..8 {
        world.on_air.raise(world.now, SHOW, SessionId::from_bits(bits), person(bits), true).unwrap();
    }
    assert_eq!(hands_told(&world.effects()), [1]);
    world.pass(HANDS_INTERVAL);
    assert_eq!(hands_told(&world.effects()), [6]);
    world.on_air.leave(world.now, SHOW, ANN);
    world.pass(HANDS_INTERVAL);
    assert_eq!(hands_told(&world.effects()), [5]);
    for bits in 100..100 + HANDS_MAX as u64 - 5 {
        world.on_air.raise(world.now, SHOW, SessionId::from_bits(bits), person(bits), true).unwrap();
    }
    let refused = world.on_air.raise(world.now, SHOW, ANN, person(2), true);
    assert_eq!(refused, Err(Refusal::Full("raised hands")));
}

#[test]
fn a_guest_is_shown_once_their_source_is_there_and_off_when_it_is_gone_for_a_while() {
    let mut world = World::with_guest(None);
    assert!(!world.effects().iter().any(|effect| matches!(effect, StageEffect::Show { .. })), "nothing to show yet");
    world.on_air.set_source(world.now, ANN, Some(SOURCE));
    assert!(matches!(&world.effects()[..], [StageEffect::Show { guest: Some((view, SOURCE)), .. }] if view.user == person(2).id));
    world.on_air.set_source(world.now, ANN, None);
    assert_eq!(world.effects(), [StageEffect::Show { broadcast: SHOW, guest: None }]);
    world.pass(ON_AIR_LOST_AFTER / 2);
    world.on_air.set_source(world.now, ANN, Some(SOURCE));
    world.pass(ON_AIR_LOST_AFTER * 2);
    assert!(world.on_air.is_guest(ANN), "they came back in time");
    world.on_air.set_source(world.now, ANN, None);
    world.pass(ON_AIR_LOST_AFTER);
    assert!(!world.on_air.is_guest(ANN));
    assert!(world.effects().contains(&StageEffect::Off(ANN)));
}

#[test]
fn one_at_a_time_is_asked_and_not_for_ever() {
    let mut world = World::new();
    assert_eq!(world.on_air.invite(world.now, SHOW, person(2).id, Vec::new()), Err(Refusal::NotFound("viewer")));
    let phone = SessionId::from_bits(20);
    world.on_air.invite(world.now, SHOW, person(2).id, vec![ANN, phone]).unwrap();
    assert_eq!(world.on_air.invite(world.now, SHOW, person(3).id, vec![STUDIO]), Err(Refusal::OnAirTaken));
    assert_eq!(world.on_air.answer(world.now, SHOW, STUDIO, &person(3), Some(None)), Err(Refusal::NotAsked));
    world.effects();
    world.on_air.answer(world.now, SHOW, ANN, &person(2), None).unwrap();
    let over = StageEffect::Tell { session: phone, message: ServerMessage::OnAirOver { ended: false } };
    assert_eq!(world.effects(), [over], "their other device asks no longer");
    world.on_air.invite(world.now, SHOW, person(2).id, vec![ANN]).unwrap();
    world.pass(ON_AIR_INVITED_FOR);
    assert_eq!(world.on_air.answer(world.now, SHOW, ANN, &person(2), Some(None)), Err(Refusal::NotAsked));
}

#[test]
fn the_broadcaster_the_guest_and_the_end_of_the_show_take_a_guest_off() {
    let mut world = World::with_guest(Some(SOURCE));
    world.effects();
    assert_eq!(world.on_air.end(world.now, SHOW, SessionId::from_bits(5), Ends::Viewer), Err(Refusal::NotAsked));
    world.on_air.set_layout(SHOW, OnAirLayout::GuestOnly);
    assert!(matches!(&world.effects()[..], [StageEffect::Show { guest: Some((view, _)), .. }] if view.layout == OnAirLayout::GuestOnly));
    world.on_air.end(world.now, SHOW, STUDIO, Ends::Director).unwrap();
    let over = |ended| StageEffect::Tell { session: ANN, message: ServerMessage::OnAirOver { ended } };
    assert_eq!(world.effects(), [StageEffect::Show { broadcast: SHOW, guest: None }, over(true), StageEffect::Off(ANN)]);
    assert_eq!(world.on_air.end(world.now, SHOW, STUDIO, Ends::Director), Err(Refusal::NobodyOnAir));

    let mut world = World::with_guest(Some(SOURCE));
    world.effects();
    world.on_air.end(world.now, SHOW, ANN, Ends::Viewer).unwrap();
    assert!(world.effects().contains(&over(false)));

    let mut world = World::with_guest(Some(SOURCE));
    world.on_air.close(world.now, SHOW);
    world.on_air.leave(world.now, SHOW, STUDIO);
    assert!(world.effects().contains(&StageEffect::Off(ANN)));
    assert!(world.on_air.stages.is_empty() && world.on_air.waiting.is_empty(), "nothing is left over");
}
