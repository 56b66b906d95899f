//! What stands still: grass, lines, goals, boards and the stand with its crowd (who do not stand still when it matters).
//! Not the players. Dimensions are a real pitch's, 105 by 68 metres.

use std::f32::consts::{PI, TAU};

use super::camera::{Camera, Vec3, at};
use super::canvas::{Canvas, HEIGHT, Ink, WIDTH, ink};
use super::lettering;

const LENGTH: f32 = 52.5;
const BREADTH: f32 = 34.0;
const LINE_M: f32 = 0.14;
const CHALK: Ink = ink(0xf3f7f4).alpha(0.9);

/// One spectator.
struct Seat {
    x: f32,
    y: f32,
    z: f32,
    coat: Ink,
    skin: Ink,
    phase: f32,
    /// 0 calm to 1 first to jump.
    temper: f32,
}

/// The stadium; built once, drawn in every frame.
pub(super) struct Arena {
    seats: Vec<Seat>,
    boards: Vec<(String, Ink, Ink)>,
}

/// A small generator of repeatable noise: the same stadium on every machine.
pub(super) struct Dice(u32);

impl Dice {
    pub(super) const fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// 0 to 1.
    pub(super) fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[((self.roll() * from.len() as f32) as usize).min(from.len() - 1)]
    }
}

const RED: [u32; 4] = [0xa3302b, 0x7c2522, 0xc04a42, 0x8f2b27];
const BLUE: [u32; 4] = [0x2a5596, 0x1d3c6e, 0x3a6cb4, 0x24487f];
const COATS: [u32; 8] = [0x3a444b, 0x2b343a, 0x566068, 0x6d625a, 0x1f272c, 0x8a8580, 0x475a6c, 0x9a948c];
const FACES: [u32; 5] = [0xb98a6c, 0x8a5f45, 0xc9a083, 0x6a4630, 0xd4ae92];

/// Rows of the lower and the upper tier.
const TIERS: [(usize, f32, f32); 2] = [(15, 42.2, 1.9), (22, 59.0, 14.4)];
const RISE_M: f32 = 0.66;
const TREAD_M: f32 = 0.95;
const RIBBON: (f32, f32, f32) = (57.6, 12.5, 13.9);

impl Arena {
    pub(super) fn new() -> Self {
        let mut dice = Dice::new(7);
        let mut seats = Vec::new();
        for (rows, y0, z0) in TIERS {
            for row in (0..rows).rev() {
                let mut x = -92.0 + (row % 2) as f32 * 0.3;
                while x < 92.0 {
                    x += 0.64;
                    // Stairs every 19 metres, and a few empty seats.
                    if (x + 200.0).rem_euclid(19.0) < 1.4 || dice.roll() > 0.94 {
                        continue;
                    }
                    let home = (x * 0.07).sin() + (row as f32 * 0.4 + x * 0.03).sin() * 0.6 > -0.5;
                    let fan = dice.roll() < 0.5;
                    let coat = match (fan, x > 46.0, home) {
                        (true, true, _) => dice.pick(&BLUE),
                        (true, false, true) => dice.pick(&RED),
                        _ => dice.pick(&COATS),
                    };
                    let dim = 0.12 + 0.30 * row as f32 / rows as f32 + if y0 > 50.0 { 0.14 } else { 0.0 };
                    let night = ink(0x0b1116);
                    seats.push(Seat {
                        x: x + (dice.roll() - 0.5) * 0.16,
                        y: y0 + row as f32 * TREAD_M,
                        z: z0 + row as f32 * RISE_M + (dice.roll() - 0.5) * 0.1,
                        coat: ink(coat).mix(night, dim),
                        skin: ink(dice.pick(&FACES)).mix(night, dim + 0.08),
                        phase: dice.roll() * TAU,
                        temper: dice.roll(),
                    });
                }
            }
        }
        let signs: [(&str, u32, u32); 6] = [
            ("COURTSIDE", 0x0f2d52, 0xffffff),
            ("NORTHGATE DOCKS", 0xf2f4f1, 0x12202c),
            ("HARBOUR LEAGUE", 0xa51d1d, 0xffffff),
            ("LINDEN COFFEE", 0x0d4a3f, 0xdff5ea),
            ("KELP & CO", 0x161a1d, 0xffffff),
            ("TRAMLINE", 0xe9b52c, 0x151515),
        ];
        let boards = signs.into_iter().map(|(text, back, front)| (text.to_owned(), ink(back), ink(front))).collect();
        Self { seats, boards }
    }

    /// Everything behind the players.
    pub(super) fn draw(&self, canvas: &mut Canvas, camera: &Camera, turn: f32, mood: f32) {
        canvas.clear(ink(0x070a0d));
        self.stand(canvas, camera, turn, mood);
        grass(canvas, camera);
        markings(canvas, camera);
        self.boards(canvas, camera);
        for side in [-1.0, 1.0] {
            goal(canvas, camera, side);
        }
    }

    fn stand(&self, canvas: &mut Canvas, camera: &Camera, turn: f32, mood: f32) {
        let slab = |canvas: &mut Canvas, y0: f32, z0: f32, y1: f32, z1: f32, colour: u32| {
            let shape = [at(-130.0, y0, z0), at(130.0, y0, z0), at(130.0, y1, z1), at(-130.0, y1, z1)];
            canvas.fill(&camera.polygon(&shape), ink(colour));
        };
        slab(canvas, 59.0, 13.8, 82.0, 30.0, 0x0b1014);
        slab(canvas, 82.0, 30.0, 84.0, 60.0, 0x05080a);
        let (upper, lower): (Vec<&Seat>, Vec<&Seat>) = self.seats.iter().partition(|seat| seat.y > 58.5);
        people(canvas, camera, &upper, turn, mood);
        slab(canvas, 57.6, 10.5, 57.6, 14.2, 0x10171c);
        self.ribbon(canvas, camera, turn);
        slab(canvas, 41.4, 1.4, 57.6, 12.0, 0x0d1318);
        people(canvas, camera, &lower, turn, mood);
        slab(canvas, 41.4, 0.0, 41.4, 2.3, 0x141c21);
        slab(canvas, 41.4, 2.15, 41.4, 2.3, 0x3b4a52);
    }

    /// The light band between the tiers, whose words travel once round per loop.
    fn ribbon(&self, canvas: &mut Canvas, camera: &Camera, turn: f32) {
        const EVERY_M: f32 = 26.0;
        let (y, low, high) = RIBBON;
        let back = [at(-130.0, y, low), at(130.0, y, low), at(130.0, y, high), at(-130.0, y, high)];
        canvas.fill(&camera.polygon(&back), ink(0x0a2233));
        let edge = [at(-130.0, y, high - 0.08), at(130.0, y, high - 0.08), at(130.0, y, high), at(-130.0, y, high)];
        canvas.fill(&camera.polygon(&edge), ink(0x2f86b8).alpha(0.7));
        let words = ["NORTHGATE ROVERS", "HARBOUR LEAGUE"];
        for index in -5..6_i32 {
            let text = words[index.rem_euclid(2) as usize];
            let x = index as f32 * EVERY_M - turn * 4.0 * EVERY_M % (2.0 * EVERY_M);
            sign(canvas, camera, at(x, y - 0.02, low + 0.33), 0.8, text, ink(0x8fd3ff).alpha(0.85));
        }
    }

    fn boards(&self, canvas: &mut Canvas, camera: &Camera) {
        const LONG_M: f32 = 11.0;
        for index in 0..14 {
            let (text, back, front) = &self.boards[index % self.boards.len()];
            let x = -77.0 + index as f32 * LONG_M;
            let (y, high) = (38.4, 1.1);
            let face = [at(x, y, 0.0), at(x + LONG_M - 0.08, y, 0.0), at(x + LONG_M - 0.08, y, high), at(x, y, high)];
            canvas.fill(&camera.polygon(&face), *back);
            let glow = [at(x, y - 2.6, 0.0), at(x + LONG_M, y - 2.6, 0.0), at(x + LONG_M, y, 0.0), at(x, y, 0.0)];
            canvas.fill(&camera.polygon(&glow), back.alpha(0.10));
            let size = (high * 0.56).min((LONG_M - 1.6) / lettering::width(text));
            let start = x + (LONG_M - size * lettering::width(text)) / 2.0;
            sign(canvas, camera, at(start, y, (high - size) / 2.0), size, text, *front);
        }
    }
}

/// Letters standing upright along x, `size` metres high.
fn sign(canvas: &mut Canvas, camera: &Camera, start: Vec3, size: f32, text: &str, ink: Ink) {
    let visible = |point: Vec3| camera.project(point).is_some_and(|spot| spot.x > -400.0 && spot.x < WIDTH + 400.0);
    if !visible(start) && !visible(at(start.x + size * lettering::width(text), start.y, start.z)) {
        return;
    }
    for line in lettering::lines(text) {
        let spots: Vec<_> = line.iter().filter_map(|&(u, v)| camera.project(at(start.x + u * size, start.y, start.z + v * size))).collect();
        let Some(first) = spots.first() else { continue };
        let points: Vec<(f32, f32)> = spots.iter().map(|spot| (spot.x, spot.y)).collect();
        canvas.stroke(&points, first.scale * size * 0.185, ink);
    }
}

fn people(canvas: &mut Canvas, camera: &Camera, seats: &[&Seat], turn: f32, mood: f32) {
    for seat in seats {
        let Some(spot) = camera.project(at(seat.x, seat.y, seat.z)) else { continue };
        if spot.x < -20.0 || spot.x > WIDTH + 20.0 || spot.y < -30.0 || spot.y > HEIGHT {
            continue;
        }
        let excited = ((mood - seat.temper * 0.75) * 3.0).clamp(0.0, 1.0);
        // Whole cycles per loop, so that the crowd closes too.
        let beat = (turn * TAU * (70.0 + (seat.temper * 30.0).floor()) + seat.phase).sin();
        let sway = (turn * TAU * (9.0 + (seat.temper * 8.0).floor()) + seat.phase).sin();
        let x = spot.x + spot.scale * 0.05 * sway;
        let up = spot.scale * (0.34 * excited + 0.22 * excited * beat.abs());
        let y = spot.y - up;
        canvas.splat(x, y, spot.scale * 0.34, seat.coat);
        canvas.splat(x, y - spot.scale * 0.34, spot.scale * 0.16, seat.skin);
        if excited > 0.5 && seat.temper < 0.4 {
            let hand = spot.scale * (0.62 + 0.12 * beat);
            canvas.splat(x - spot.scale * 0.22, y - hand, spot.scale * 0.12, seat.skin);
            canvas.splat(x + spot.scale * 0.22, y - hand, spot.scale * 0.12, seat.skin);
        }
    }
}

fn ground(canvas: &mut Canvas, camera: &Camera, x0: f32, y0: f32, x1: f32, y1: f32, ink: Ink) {
    canvas.fill(&camera.polygon(&[at(x0, y0, 0.0), at(x1, y0, 0.0), at(x1, y1, 0.0), at(x0, y1, 0.0)]), ink);
}

fn grass(canvas: &mut Canvas, camera: &Camera) {
    ground(canvas, camera, -110.0, -62.0, 110.0, 41.4, ink(0x1b4a29));
    for band in 0..20 {
        let x = -LENGTH + band as f32 * 5.25;
        let green = if band % 2 == 0 { ink(0x35803f) } else { ink(0x2c7037) };
        ground(canvas, camera, x, -BREADTH - 2.0, x + 5.3, BREADTH + 2.0, green);
    }
    for band in (1..13).step_by(2) {
        let y = -BREADTH + band as f32 * 5.23;
        ground(canvas, camera, -LENGTH, y, LENGTH, y + 5.23, ink(0x000000).alpha(0.04));
    }
    // Wear in front of the goals and on the halfway line.
    for (x, r) in [(-49.0, 3.2), (49.0, 3.2), (0.0, 2.2), (-41.5, 1.6), (41.5, 1.6)] {
        disc(canvas, camera, x, 0.0, r, ink(0x6f7a3a).alpha(0.10));
        disc(canvas, camera, x, 0.0, r * 0.6, ink(0x7d7a44).alpha(0.10));
    }
}

fn disc(canvas: &mut Canvas, camera: &Camera, x: f32, y: f32, r: f32, ink: Ink) {
    let rim: Vec<Vec3> = (0..28).map(|i| (i as f32 * TAU / 28.0).sin_cos()).map(|(sin, cos)| at(x + r * cos, y + r * sin, 0.0)).collect();
    canvas.fill(&camera.polygon(&rim), ink);
}

fn chalk(canvas: &mut Canvas, camera: &Camera, from: (f32, f32), to: (f32, f32)) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.01);
    let (ex, ey) = (dx / length * LINE_M / 2.0, dy / length * LINE_M / 2.0);
    let shape = [
        at(from.0 - ey - ex, from.1 + ex - ey, 0.0),
        at(to.0 - ey + ex, to.1 + ex + ey, 0.0),
        at(to.0 + ey + ex, to.1 - ex + ey, 0.0),
        at(from.0 + ey - ex, from.1 - ex - ey, 0.0),
    ];
    canvas.fill(&camera.polygon(&shape), CHALK);
}

/// A ring segment as one polygon, so that its joints do not show.
fn arc(canvas: &mut Canvas, camera: &Camera, x: f32, y: f32, r: f32, from: f32, to: f32) {
    let steps = (12.0 * (to - from).abs()).ceil() as usize + 2;
    let side = |radius: f32| {
        (0..=steps)
            .map(move |i| (from + (to - from) * i as f32 / steps as f32).sin_cos())
            .map(move |(sin, cos)| at(x + radius * cos, y + radius * sin, 0.0))
    };
    let mut rim: Vec<Vec3> = side(r + LINE_M / 2.0).collect();
    let inner: Vec<Vec3> = side(r - LINE_M / 2.0).collect();
    rim.extend(inner.into_iter().rev());
    canvas.fill(&camera.polygon(&rim), CHALK);
}

fn markings(canvas: &mut Canvas, camera: &Camera) {
    let mut path = |points: &[(f32, f32)]| points.windows(2).for_each(|pair| chalk(canvas, camera, pair[0], pair[1]));
    let (l, b) = (LENGTH, BREADTH);
    path(&[(-l, -b), (l, -b), (l, b), (-l, b), (-l, -b)]);
    path(&[(0.0, -b), (0.0, b)]);
    for side in [-1.0, 1.0] {
        path(&[(side * l, -20.16), (side * 36.0, -20.16), (side * 36.0, 20.16), (side * l, 20.16)]);
        path(&[(side * l, -9.16), (side * 47.0, -9.16), (side * 47.0, 9.16), (side * l, 9.16)]);
    }
    // Two halves: a closed ring filled as one polygon would fill its inside at the seam.
    arc(canvas, camera, 0.0, 0.0, 9.15, 0.0, PI);
    arc(canvas, camera, 0.0, 0.0, 9.15, PI, TAU);
    disc(canvas, camera, 0.0, 0.0, 0.25, CHALK);
    let reach = (5.5_f32 / 9.15).acos();
    arc(canvas, camera, 41.5, 0.0, 9.15, PI - reach, PI + reach);
    arc(canvas, camera, -41.5, 0.0, 9.15, -reach, reach);
    for side in [-1.0, 1.0] {
        disc(canvas, camera, side * 41.5, 0.0, 0.2, CHALK);
    }
}

fn goal(canvas: &mut Canvas, camera: &Camera, side: f32) {
    const HALF: f32 = 3.66;
    const HIGH: f32 = 2.44;
    let x = side * LENGTH;
    let net = ink(0xffffff).alpha(0.26);
    let mut thread = |points: &[Vec3]| {
        let spots: Vec<(f32, f32)> = points.iter().filter_map(|&point| camera.project(point)).map(|spot| (spot.x, spot.y)).collect();
        if spots.len() == points.len() && spots.iter().any(|spot| spot.0 > -60.0 && spot.0 < WIDTH + 60.0) {
            canvas.stroke(&spots, 1.0, net);
        }
    };
    for i in 0..=18 {
        let y = -HALF + i as f32 * 2.0 * HALF / 18.0;
        thread(&[at(x, y, HIGH), at(x + side * 1.6, y, 2.1), at(x + side * 2.1, y, 0.0)]);
    }
    for i in 0..=7 {
        let share = i as f32 / 7.0;
        let (deep, z) = (x + side * (1.6 + 0.5 * (1.0 - share)), 2.1 * share);
        thread(&[at(x, -HALF, HIGH * share), at(deep, -HALF, z), at(deep, HALF, z), at(x, HALF, HIGH * share)]);
    }
    let frame: Vec<_> = [at(x, -HALF, 0.0), at(x, -HALF, HIGH), at(x, HALF, HIGH), at(x, HALF, 0.0)]
        .into_iter()
        .filter_map(|p| camera.project(p))
        .collect();
    if frame.len() == 4 {
        let points: Vec<(f32, f32)> = frame.iter().map(|spot| (spot.x, spot.y)).collect();
        canvas.stroke(&points, frame[0].scale * 0.15, ink(0xf6f8f6));
    }
}
