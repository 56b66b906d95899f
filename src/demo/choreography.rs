//! Who runs where: fifty seconds of a football match as pure functions of the frame number, closed so that the last frame leads
//! into the first. Not a physics engine: formations follow a path of play, the nearest players are drawn to the ball, and the
//! ball goes from foot to foot. Invariant: every array is periodic over [`FRAMES`], positions and velocities alike.

use std::f32::consts::TAU;

/// Frames of the loop.
pub const FRAMES: usize = 1500;
/// Frames per second of every layer.
pub const FRAME_RATE: usize = 30;
/// Players and the referee.
pub(super) const PEOPLE: usize = 23;
/// The referee's index.
pub(super) const REFEREE: usize = 22;
/// The goalkeepers' indices: Northgate's and Port Alder's.
pub(super) const KEEPERS: [usize; 2] = [0, 11];

const LOOP_S: f32 = (FRAMES / FRAME_RATE) as f32;

/// One person in one frame, metres and radians.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Person {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Direction of the body, unit vector on the ground.
    pub(super) facing: (f32, f32),
    /// Metres per second.
    pub(super) speed: f32,
    /// Phase of the stride, turns.
    pub(super) stride: f32,
    /// -1 wind-up, 0 contact, 1 follow-through; outside that range no kick.
    pub(super) kick: f32,
    /// 0 standing to 1 stretched out along the ground, with the side it goes to in its sign.
    pub(super) dive: f32,
}

/// The ball in one frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ball {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) z: f32,
}

/// Everything that moves, for every frame of the loop.
pub(super) struct Choreography {
    pub(super) people: Vec<[Person; PEOPLE]>,
    pub(super) ball: Vec<Ball>,
    /// What the camera operator follows.
    pub(super) gaze: Vec<(f32, f32)>,
    /// The crowd's mood, 0 murmur to 1 on its feet.
    pub(super) mood: Vec<f32>,
}

/// The path of play: seconds, metres along, metres across.
const PLAY: [(f32, f32, f32); 19] = [
    (0.0, -14.0, 4.0),
    (3.0, -11.0, -4.0),
    (6.0, -5.0, -11.0),
    (9.0, 4.0, -15.0),
    (12.2, 15.0, -6.0),
    (14.8, 17.0, 4.0),
    (17.0, 10.0, 9.0),
    (20.0, -3.0, 13.0),
    (22.6, -10.0, 7.0),
    (24.5, -8.0, 1.0),
    (27.2, 2.0, 5.0),
    (30.2, 15.0, 15.0),
    (33.6, 29.0, 19.0),
    (35.4, 37.0, 16.5),
    (37.0, 43.0, 2.5),
    (38.4, 47.5, 1.0),
    (42.0, 34.0, -2.0),
    (45.4, 2.0, -8.0),
    (47.6, -8.0, -2.0),
];

/// A touch: seconds of arrival, seconds at the foot, team (0 Northgate, 1 Port Alder), height of the flight that follows, metres.
struct Touch {
    at: f32,
    hold: f32,
    team: usize,
    keeper: bool,
    lift: f32,
}

const fn touch(at: f32, hold: f32, team: usize, lift: f32) -> Touch {
    Touch { at, hold, team, keeper: false, lift }
}

const TOUCHES: [Touch; 17] = [
    touch(0.0, 1.1, 0, 0.0),
    touch(2.9, 1.3, 0, 0.0),
    touch(5.8, 1.2, 0, 0.2),
    touch(8.8, 1.6, 0, 0.0),
    touch(12.0, 1.1, 0, 0.1),
    touch(14.6, 0.9, 0, 0.0),
    touch(17.0, 1.4, 1, 1.2),
    touch(20.0, 1.1, 1, 0.0),
    touch(22.4, 0.9, 1, 0.0),
    touch(24.5, 1.2, 0, 0.0),
    touch(27.2, 1.0, 0, 1.4),
    touch(30.0, 1.7, 0, 0.2),
    touch(33.2, 2.3, 0, 3.4),
    touch(36.9, 0.12, 0, 0.9),
    Touch { at: 37.75, hold: 4.3, team: 1, keeper: true, lift: 13.0 },
    touch(45.3, 0.12, 0, 1.6),
    touch(47.3, 1.2, 0, 0.1),
];

/// Second of the keeper's save.
const SAVE_S: f32 = 37.75;

/// Formation in metres towards the other goal: keeper, four, three, three.
const FORMATION: [(f32, f32); 11] = [
    (-49.0, 0.0),
    (-31.0, 7.5),
    (-31.0, -7.5),
    (-26.0, 21.0),
    (-26.0, -21.0),
    (-16.0, 0.5),
    (-7.0, 11.5),
    (-7.0, -11.5),
    (9.0, 19.0),
    (9.0, -18.0),
    (13.0, 1.0),
];

impl Choreography {
    /// Works the whole loop out; a few milliseconds.
    pub(super) fn new() -> Self {
        let play: Vec<(f32, f32)> = (0..FRAMES).map(|frame| play_at(seconds(frame))).collect();
        let mut spots: Vec<[(f32, f32); PEOPLE]> = (0..FRAMES).map(|frame| formation_at(frame, play[frame])).collect();
        let carriers = carriers(&spots, &play);
        for (frame, spots) in spots.iter_mut().enumerate() {
            draw_to_the_ball(frame, spots, &play, &carriers);
            keep_apart(spots);
        }
        let paths: Vec<Vec<(f32, f32)>> =
            (0..PEOPLE).map(|who| smooth(&spots.iter().map(|spots| spots[who]).collect::<Vec<_>>(), 0.5)).collect();
        let ball = ball(&paths, &carriers);
        let mut people = vec![[Person::default(); PEOPLE]; FRAMES];
        for (who, path) in paths.iter().enumerate() {
            for (frame, person) in animate(who, path, &ball, &carriers).into_iter().enumerate() {
                people[frame][who] = person;
            }
        }
        let followed: Vec<(f32, f32)> =
            ball.iter().zip(&play).map(|(ball, play)| (0.6 * ball.x + 0.4 * play.0, 0.5 * ball.y + 0.3 * play.1)).collect();
        let mood = (0..FRAMES).map(|frame| mood_at(seconds(frame))).collect();
        Self { people, ball, gaze: smooth(&followed, 0.85), mood }
    }
}

fn seconds(frame: usize) -> f32 {
    frame as f32 / FRAME_RATE as f32
}

/// Signed distance from `from` to `to` around the loop, seconds.
fn since(from: f32, to: f32) -> f32 {
    (to - from + LOOP_S / 2.0).rem_euclid(LOOP_S) - LOOP_S / 2.0
}

/// 0 to 1 between two edges, with flat ends.
fn ease(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// 1 between `start` and `end`, easing over `edge` seconds outside them.
fn window(start: f32, end: f32, edge: f32, now: f32) -> f32 {
    let middle = (start + end) / 2.0;
    let away = since(middle, now).abs() - (end - start) / 2.0;
    1.0 - ease(0.0, edge, away)
}

fn play_at(now: f32) -> (f32, f32) {
    let count = PLAY.len();
    let next = PLAY.iter().position(|point| point.0 > now).unwrap_or(count);
    let point = |index: usize| {
        let turn = (index / count) as f32;
        let (at, x, y) = PLAY[index % count];
        (at + turn * LOOP_S, x, y)
    };
    let (a, b, c, d) = (point(next + count - 2), point(next + count - 1), point(next + count), point(next + count + 1));
    let now = now + LOOP_S;
    let t = (now - b.0) / (c.0 - b.0);
    // Hermite with finite-difference tangents: the times between points are unequal.
    let blend = |pick: fn((f32, f32, f32)) -> f32| {
        let slope = |before: (f32, f32, f32), after: (f32, f32, f32)| (pick(after) - pick(before)) / (after.0 - before.0) * (c.0 - b.0);
        let (m0, m1) = (slope(a, c), slope(b, d));
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * pick(b) + (t3 - 2.0 * t2 + t) * m0 + (3.0 * t2 - 2.0 * t3) * pick(c) + (t3 - t2) * m1
    };
    (blend(|point| point.1), blend(|point| point.2))
}

fn formation_at(frame: usize, play: (f32, f32)) -> [(f32, f32); PEOPLE] {
    let turn = frame as f32 / FRAMES as f32 * TAU;
    std::array::from_fn(|who| {
        if who == REFEREE {
            return (play.0 * 0.86 - 5.0, play.1 * 0.55 + 7.5 + 1.5 * (turn * 3.0).sin());
        }
        let (team, role) = (who / 11, who % 11);
        let side = if team == 0 { 1.0 } else { -1.0 };
        let (base_x, base_y) = FORMATION[role];
        if role == 0 {
            let out = ease(10.0, 45.0, (play.0 - side * base_x).abs());
            return (side * (base_x + 9.0 * out), play.1 * 0.12);
        }
        let seed = who as f32 * 1.7;
        let (slow, quick) = ((2 + who % 3) as f32, (5 + who % 4) as f32);
        let wander_x = 1.7 * (turn * slow + seed).sin() + 0.8 * (turn * quick + 2.0 * seed).sin();
        let wander_y = 1.6 * (turn * slow + 2.3 * seed).cos() + 0.7 * (turn * quick + seed).cos();
        let x = side * base_x + play.0 * 0.62 + wander_x;
        let y = base_y * 0.94 + play.1 * 0.28 + wander_y;
        (47.0 * (x / 47.0).clamp(-1.4, 1.4).sin() / 1.4_f32.sin().min(0.99), y.clamp(-31.0, 31.0))
    })
}

/// For each touch the player nearest to the play, never the same twice running.
fn carriers(spots: &[[(f32, f32); PEOPLE]], play: &[(f32, f32)]) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::with_capacity(TOUCHES.len());
    for (index, touch) in TOUCHES.iter().enumerate() {
        if touch.keeper {
            out.push(KEEPERS[touch.team]);
            continue;
        }
        let frame = frame_of(touch.at);
        let first = if index + 1 == TOUCHES.len() { out.first() } else { None };
        let nearest = (touch.team * 11 + 1..touch.team * 11 + 11)
            .filter(|who| out.last() != Some(who) && first != Some(who))
            .min_by(|&a, &b| distance(spots[frame][a], play[frame]).total_cmp(&distance(spots[frame][b], play[frame])))
            .expect("a team has ten field players");
        out.push(nearest);
    }
    out
}

fn frame_of(now: f32) -> usize {
    (now * FRAME_RATE as f32) as usize % FRAMES
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn towards(spot: &mut (f32, f32), target: (f32, f32), share: f32) {
    spot.0 += (target.0 - spot.0) * share;
    spot.1 += (target.1 - spot.1) * share;
}

/// Draws carriers and their nearest opponents to the play around each touch.
fn draw_to_the_ball(frame: usize, spots: &mut [(f32, f32); PEOPLE], play: &[(f32, f32)], carriers: &[usize]) {
    let now = seconds(frame);
    for (touch, &who) in TOUCHES.iter().zip(carriers) {
        let pull = window(touch.at - 0.4, touch.at + touch.hold + 0.2, 2.6, now);
        if pull <= 0.0 {
            continue;
        }
        let focus = play[frame_of(now)];
        if touch.keeper {
            let goal = (48.6, 1.6);
            towards(&mut spots[who], goal, pull);
            let carry = ease(SAVE_S + 1.6, SAVE_S + 4.0, now);
            spots[who].0 -= 6.5 * carry * pull;
            continue;
        }
        towards(&mut spots[who], focus, pull * 0.85);
        let opponents = (1 - touch.team) * 11 + 1..(1 - touch.team) * 11 + 11;
        let mut near: Vec<usize> = opponents.collect();
        near.sort_by(|&a, &b| distance(spots[a], focus).total_cmp(&distance(spots[b], focus)));
        let back = if touch.team == 0 { 1.0 } else { -1.0 };
        // Weights fall smoothly with distance, so that a change of order does not show.
        for &other in &near[..3] {
            let reach = 1.0 - ease(3.0, 13.0, distance(spots[other], focus));
            towards(&mut spots[other], (focus.0 + back * 2.0, focus.1 + 0.8), 0.5 * pull * reach);
        }
    }
}

fn keep_apart(spots: &mut [(f32, f32); PEOPLE]) {
    const SPACE_M: f32 = 1.7;
    for _ in 0..3 {
        for a in 0..PEOPLE {
            for b in a + 1..PEOPLE {
                let (dx, dy) = (spots[b].0 - spots[a].0, spots[b].1 - spots[a].1);
                let gap = dx.hypot(dy).max(0.01);
                if gap < SPACE_M {
                    let push = (SPACE_M - gap) / gap * 0.5;
                    spots[a] = (spots[a].0 - dx * push, spots[a].1 - dy * push);
                    spots[b] = (spots[b].0 + dx * push, spots[b].1 + dy * push);
                }
            }
        }
    }
}

/// A periodic Gaussian blur with a deviation in seconds.
fn smooth(path: &[(f32, f32)], deviation_s: f32) -> Vec<(f32, f32)> {
    let reach = (deviation_s * 3.0 * FRAME_RATE as f32) as isize;
    let weights: Vec<f32> =
        (-reach..=reach).map(|offset| (-0.5 * (offset as f32 / (deviation_s * FRAME_RATE as f32)).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    (0..path.len() as isize)
        .map(|at| {
            weights.iter().zip(-reach..).fold((0.0, 0.0), |sum, (weight, offset)| {
                let (x, y) = path[(at + offset).rem_euclid(path.len() as isize) as usize];
                (sum.0 + x * weight / total, sum.1 + y * weight / total)
            })
        })
        .collect()
}

fn ball(paths: &[Vec<(f32, f32)>], carriers: &[usize]) -> Vec<Ball> {
    let velocity = |who: usize, frame: usize| {
        let (a, b) = (paths[who][(frame + FRAMES - 2) % FRAMES], paths[who][(frame + 2) % FRAMES]);
        ((b.0 - a.0) * FRAME_RATE as f32 / 4.0, (b.1 - a.1) * FRAME_RATE as f32 / 4.0)
    };
    let at_foot = |touch: &Touch, who: usize, frame: usize| {
        let (x, y) = paths[who][frame];
        let (vx, vy) = velocity(who, frame);
        if touch.keeper {
            // In the gloves: at the end of the stretched body, or against the chest.
            let dive = dive_at(seconds(frame));
            return Ball { x: x - 0.34, y: y - 0.12 + 1.85 * dive, z: 1.08 - 0.78 * dive };
        }
        let side = if touch.team == 0 { 1.0 } else { -1.0 };
        Ball { x: x + 0.45 * side + 0.09 * vx, y: y - 0.22 + 0.07 * vy, z: 0.11 }
    };
    (0..FRAMES)
        .map(|frame| {
            let now = seconds(frame);
            let index = TOUCHES.iter().rposition(|touch| touch.at <= now).unwrap_or(TOUCHES.len() - 1);
            let (touch, who) = (&TOUCHES[index], carriers[index]);
            let elapsed = now - touch.at;
            if elapsed <= touch.hold {
                let mut ball = at_foot(touch, who, frame);
                if !touch.keeper {
                    // Small touches ahead of the foot.
                    let push = (elapsed * 2.1 * TAU / 2.0).sin().powi(2) * 0.35;
                    let (vx, vy) = velocity(who, frame);
                    ball.x += push * vx * 0.12;
                    ball.y += push * vy * 0.12;
                }
                return ball;
            }
            let next = (index + 1) % TOUCHES.len();
            let flight_s = since(touch.at + touch.hold, TOUCHES[next].at).max(0.1);
            let t = ((elapsed - touch.hold) / flight_s).clamp(0.0, 1.0);
            let start = at_foot(touch, who, frame_of(touch.at + touch.hold));
            let end = at_foot(&TOUCHES[next], carriers[next], frame_of(TOUCHES[next].at));
            // A pass along the ground slows down; one in the air does not.
            let along = if touch.lift < 0.5 { 1.25 * t - 0.25 * t * t } else { t };
            // The long balls are met in the air.
            let to_z = if touch.lift > 3.0 { 0.9 } else { end.z };
            Ball {
                x: start.x + (end.x - start.x) * along,
                y: start.y + (end.y - start.y) * along,
                z: start.z + (to_z - start.z) * t + 4.0 * touch.lift * t * (1.0 - t),
            }
        })
        .collect()
}

fn animate(who: usize, path: &[(f32, f32)], ball: &[Ball], carriers: &[usize]) -> Vec<Person> {
    let step = |frame: usize| {
        let (a, b) = (path[(frame + FRAMES - 1) % FRAMES], path[(frame + 1) % FRAMES]);
        ((b.0 - a.0) * FRAME_RATE as f32 / 2.0, (b.1 - a.1) * FRAME_RATE as f32 / 2.0)
    };
    let facings: Vec<(f32, f32)> = (0..FRAMES)
        .map(|frame| {
            let (vx, vy) = step(frame);
            let (bx, by) = (ball[frame].x - path[frame].0, ball[frame].y - path[frame].1);
            let gap = bx.hypot(by).max(0.5);
            let looking = (vx + 1.3 * bx / gap, vy + 1.3 * by / gap);
            // The keeper dives sideways: he keeps facing the shooter while the ball is in his gloves.
            let saving = if who == KEEPERS[1] { window(SAVE_S - 0.5, SAVE_S + 2.0, 0.5, seconds(frame)) } else { 0.0 };
            (looking.0 + (-1.5 - looking.0) * saving, looking.1 * (1.0 - saving))
        })
        .collect();
    let facings = smooth(&facings, 0.16);
    let mut stride = 0.0;
    let mut people: Vec<Person> = (0..FRAMES)
        .map(|frame| {
            let (vx, vy) = step(frame);
            let speed = vx.hypot(vy);
            // A walker's cycle is a metre and a half, a sprinter's about four.
            stride += speed / FRAME_RATE as f32 / (1.15 + 0.38 * speed);
            let length = facings[frame].0.hypot(facings[frame].1).max(1e-3);
            let facing = (facings[frame].0 / length, facings[frame].1 / length);
            Person { x: path[frame].0, y: path[frame].1, facing, speed, stride, kick: 9.0, dive: 0.0 }
        })
        .collect();
    // Whole strides over the loop, so that the last frame's legs meet the first's.
    let stretch = stride.round() / stride.max(0.1);
    for (frame, person) in people.iter_mut().enumerate() {
        person.stride *= stretch;
        let now = seconds(frame);
        for (touch, &carrier) in TOUCHES.iter().zip(carriers) {
            let kick = since(touch.at + touch.hold, now) / 0.26;
            if carrier == who && kick.abs() <= 1.0 {
                person.kick = kick;
            }
            if carrier == who && touch.keeper {
                person.dive = dive_at(now);
            }
        }
    }
    people
}

/// How far the keeper is stretched along the ground.
fn dive_at(now: f32) -> f32 {
    window(SAVE_S + 0.02, SAVE_S + 0.75, 0.42, now)
}

/// The mood rises with each attack and peaks at the save.
fn mood_at(now: f32) -> f32 {
    let rise = |start: f32, end: f32, edge: f32, height: f32| height * window(start, end, edge, now);
    (0.12 + rise(12.5, 14.5, 2.5, 0.28) + rise(32.0, 36.6, 4.0, 0.45) + rise(36.8, 39.2, 0.8, 0.45) + rise(24.5, 25.0, 1.0, 0.18)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_closes_without_a_jump() {
        let story = Choreography::new();
        for frame in 0..FRAMES {
            let next = (frame + 1) % FRAMES;
            let step = (story.ball[next].x - story.ball[frame].x).hypot(story.ball[next].y - story.ball[frame].y);
            assert!(step < 1.6, "ball jumps {step} m after frame {frame}");
            for who in 0..PEOPLE {
                let (a, b) = (story.people[frame][who], story.people[next][who]);
                let speed = distance((a.x, a.y), (b.x, b.y)) * FRAME_RATE as f32;
                assert!(speed < 11.0, "person {who} runs {speed} m/s at frame {frame}");
                let stride = (b.stride - a.stride).rem_euclid(1.0);
                assert!(stride < 0.15, "person {who} trips at frame {frame}");
            }
        }
    }

    #[test]
    fn everyone_stays_near_the_pitch() {
        let story = Choreography::new();
        assert!(story.people.iter().flatten().all(|person| person.x.abs() < 54.0 && person.y.abs() < 35.5));
    }
}
