//! One frame of the match, from its number to its pixels: camera, stadium, people, ball, light, graphics, frame counter.
//! Pure: the same number gives the same pixels, so frames can be drawn on any thread in any order.

use std::f32::consts::TAU;

use tiny_skia::Pixmap;

use super::arena::Arena;
use super::barcode;
use super::camera::{Camera, at};
use super::canvas::{Canvas, HEIGHT, Ink, WIDTH, ink};
use super::choreography::{Choreography, FRAME_RATE, FRAMES, KEEPERS, PEOPLE, REFEREE};
use super::figure::{self, Kit};
use super::lettering;

/// What the score bug says.
pub(super) const HOME: (&str, &str, u32) = ("Northgate Rovers", "NOR", 0xd5362c);
/// The other side.
pub(super) const AWAY: (&str, &str, u32) = ("Port Alder", "POR", 0x2e6fd0);
/// Goals, home and away.
pub(super) const SCORE: (u32, u32) = (2, 1);
/// The match clock at frame 0, seconds.
pub(super) const CLOCK_START_S: u32 = 67 * 60 + 12;

/// The counter's two colours: far enough apart for the lowest layer, close enough to the grass not to draw the eye.
const COUNTER_LIGHT: Ink = ink(0x9fb8a6);
const COUNTER_DARK: Ink = ink(0x0a1a10);

const PANEL: Ink = ink(0x0b0f12).alpha(0.88);
const PAPER: Ink = ink(0xf4f6f4);

/// Draws frames.
pub(super) struct Studio {
    arena: Arena,
    story: Choreography,
    light: Pixmap,
    width: u32,
}

impl Studio {
    /// A studio for pictures of `width` pixels, 16:9.
    pub(super) fn new(width: u32) -> Self {
        Self { arena: Arena::new(), story: Choreography::new(), light: light(width), width }
    }

    /// How loud the crowd is at a frame, 0 to 1.
    pub(super) fn mood(&self, frame: usize) -> f32 {
        self.story.mood[frame % FRAMES]
    }

    /// The frame with this number in the loop.
    pub(super) fn draw(&self, frame: usize) -> Canvas {
        let frame = frame % FRAMES;
        let mut canvas = Canvas::new(self.width);
        let camera = self.camera(frame);
        self.arena.draw(&mut canvas, &camera, frame as f32 / FRAMES as f32, self.story.mood[frame]);
        self.people(&mut canvas, &camera, frame);
        canvas.overlay(&self.light);
        score_bug(&mut canvas, frame);
        counter(&mut canvas, frame as u32);
        canvas
    }

    fn camera(&self, frame: usize) -> Camera {
        let (x, y) = self.story.gaze[frame];
        let turn = frame as f32 / FRAMES as f32 * TAU;
        let sway = (0.12 * (turn * 7.0).sin(), 0.09 * (turn * 11.0).sin());
        let near_goal = (x.abs() / 46.0).clamp(0.0, 1.0).powi(2);
        let field = 32.5 - 5.0 * near_goal;
        Camera::new(at(x * 0.5, -58.0, 19.5), at(x + sway.0, 2.6 + y * 0.42, 2.1 + sway.1), field, (WIDTH, HEIGHT))
    }

    fn people(&self, canvas: &mut Canvas, camera: &Camera, frame: usize) {
        let people = &self.story.people[frame];
        for person in people {
            figure::shadow(canvas, camera, person);
        }
        let ball = self.story.ball[frame];
        if let Some(spot) = camera.project(at(ball.x, ball.y, 0.0)) {
            let faint = (1.0 - ball.z / 18.0).clamp(0.15, 1.0);
            canvas.ellipse(spot.x, spot.y, spot.scale * 0.2, spot.scale * 0.09, ink(0x04140a).alpha(0.45 * faint));
        }
        let mut order: Vec<usize> = (0..PEOPLE).collect();
        order.sort_by(|&a, &b| people[b].y.total_cmp(&people[a].y));
        let mut ball_due = true;
        for who in order {
            if ball_due && people[who].y < ball.y {
                draw_ball(canvas, camera, ball.x, ball.y, ball.z);
                ball_due = false;
            }
            figure::draw(canvas, camera, &people[who], &kit(who), who);
        }
        if ball_due {
            draw_ball(canvas, camera, ball.x, ball.y, ball.z);
        }
    }
}

fn kit(who: usize) -> Kit {
    let kit = |shirt, shorts, socks, gloves| Kit { shirt: ink(shirt), shorts: ink(shorts), socks: ink(socks), gloves };
    match who {
        REFEREE => kit(0x17191b, 0x17191b, 0x222629, false),
        who if who == KEEPERS[0] => kit(0xf0a63a, 0x30261a, 0xf0a63a, true),
        who if who == KEEPERS[1] => kit(0x3fc48a, 0x16382a, 0x3fc48a, true),
        0..11 => kit(0xd5362c, 0xf1f1ee, 0xd5362c, false),
        _ => kit(0xf4f5f2, 0x1f4fa8, 0xf4f5f2, false),
    }
}

fn draw_ball(canvas: &mut Canvas, camera: &Camera, x: f32, y: f32, z: f32) {
    let Some(spot) = camera.project(at(x, y, z + 0.02)) else { return };
    let r = spot.scale * 0.15;
    canvas.ellipse(spot.x, spot.y, r, r, ink(0xc9cfcb));
    canvas.ellipse(spot.x - r * 0.12, spot.y - r * 0.14, r * 0.86, r * 0.84, ink(0xffffff));
    // A patch that rolls with the way travelled.
    let (sin, cos) = (x * 3.1).sin_cos();
    canvas.ellipse(spot.x + r * 0.42 * sin, spot.y + r * 0.3 * cos, r * 0.26, r * 0.24, ink(0x2a3034).alpha(0.75));
}

/// Pool of light on the pitch, darkness towards the corners; the same in every frame.
fn light(width: u32) -> Pixmap {
    let height = width * 9 / 16;
    let mut pixmap = Pixmap::new(width, height).expect("the width is a positive constant");
    for (index, pixel) in pixmap.data_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = ((index as u32 % width) as f32 / width as f32 - 0.5, (index as u32 / width) as f32 / height as f32);
        let edge = ((x * x * 2.4 + (y - 0.58) * (y - 0.58) * 1.5).sqrt() - 0.36).clamp(0.0, 1.0);
        let top = (0.34 - y).max(0.0) * 0.75;
        let dark = (edge * 0.85 + top).min(0.8);
        let glow = (0.075 - (x * x + (y - 0.6) * (y - 0.6)) * 0.45).max(0.0);
        // Premultiplied: white with weight `glow` over black with weight `dark`.
        let white = (glow * (1.0 - dark) * 255.0) as u8;
        let alpha = (dark + glow * (1.0 - dark)) * 255.0;
        pixel.copy_from_slice(&[white, white, white, alpha as u8]);
    }
    pixmap
}

fn text(canvas: &mut Canvas, x: f32, baseline: f32, size: f32, words: &str, ink: Ink) {
    for line in lettering::lines(words) {
        let points: Vec<(f32, f32)> = line.iter().map(|&(u, v)| (x + u * size, baseline - v * size)).collect();
        canvas.stroke(&points, size * 0.17, ink);
    }
}

fn centred(canvas: &mut Canvas, x: f32, width: f32, baseline: f32, size: f32, words: &str, ink: Ink) {
    text(canvas, x + (width - lettering::width(words) * size) / 2.0, baseline, size, words, ink);
}

/// Teams, score and the running clock. The clock folds away for a second around the seam of the loop, where its time goes back.
fn score_bug(canvas: &mut Canvas, frame: usize) {
    let (x, y, high) = (44.0, 36.0, 44.0);
    let base = y + 30.5;
    let size = 17.0;
    let team = |canvas: &mut Canvas, x: f32, code: &str, colour: u32| {
        canvas.rect(x, y, 92.0, high, PANEL);
        canvas.rect(x, y, 7.0, high, ink(colour));
        centred(canvas, x + 7.0, 85.0, base, size, code, PAPER);
    };
    team(canvas, x, HOME.1, HOME.2);
    canvas.rect(x + 92.0, y, 104.0, high, PAPER);
    centred(canvas, x + 92.0, 52.0, base + 1.5, 20.0, &SCORE.0.to_string(), ink(0x0b0f12));
    canvas.rect(x + 143.0, y + 12.0, 2.0, 20.0, ink(0xb9c0bc));
    centred(canvas, x + 144.0, 52.0, base + 1.5, 20.0, &SCORE.1.to_string(), ink(0x0b0f12));
    team(canvas, x + 196.0, AWAY.1, AWAY.2);
    let from_seam = frame.min(FRAMES - frame) as f32 / FRAME_RATE as f32;
    let open = ((from_seam - 0.35) / 0.3).clamp(0.0, 1.0);
    let open = open * open * (3.0 - 2.0 * open);
    let wide = 112.0 * open;
    if wide > 1.0 {
        canvas.rect(x + 288.0, y, wide, high, ink(0x182025).alpha(0.92));
    }
    if open > 0.99 {
        let now = CLOCK_START_S + (frame / FRAME_RATE) as u32;
        centred(canvas, x + 288.0, 112.0, base, size, &format!("{:02}:{:02}", now / 60, now % 60), PAPER);
    }
    canvas.rect(x, y + high, 288.0 + wide, 3.0, ink(0x3fc48a));
    // The league's mark, top right.
    let words = "HARBOUR LEAGUE";
    text(canvas, WIDTH - 44.0 - lettering::width(words) * 12.0, y + 26.0, 12.0, words, PAPER.alpha(0.75));
}

fn counter(canvas: &mut Canvas, frame: u32) {
    let (wide, high) = (WIDTH / barcode::COLUMNS as f32, HEIGHT / barcode::ROWS as f32);
    for (cell, white) in barcode::cells(frame).into_iter().enumerate() {
        let x = (barcode::FIRST_COLUMN as usize + cell) as f32 * wide;
        canvas.rect(x, HEIGHT - high, wide, high, if white { COUNTER_LIGHT } else { COUNTER_DARK });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_readable_in_a_small_picture() {
        let studio = Studio::new(320);
        let canvas = studio.draw(1234);
        let (width, height) = (320, 180);
        let luma = |x: u32, y: u32| canvas.bytes()[((y * width + x) * 4) as usize];
        assert_eq!(barcode::read(width, height, luma), Some(1234));
    }
}
