//! A person as a skeleton in three dimensions: joints from the stride's phase, limbs as round strokes, drawn far side first.
//! Not an animation system: one gait from standing to sprinting, a kick and a keeper's dive.

use std::f32::consts::TAU;

use super::camera::{Camera, Vec3, at};
use super::canvas::{Canvas, Ink, ink};
use super::choreography::Person;

/// What someone wears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kit {
    pub(super) shirt: Ink,
    pub(super) shorts: Ink,
    pub(super) socks: Ink,
    pub(super) gloves: bool,
}

const SKIN: [u32; 6] = [0x8d5a3c, 0xc58c66, 0xe0ac86, 0x5d3a28, 0xb97a55, 0xd9a27c];
const HAIR: [u32; 4] = [0x1a1412, 0x2c1c14, 0x4a2e1a, 0x120e0d];
const BOOTS: [u32; 4] = [0x0c0f10, 0xf0f0ec, 0x1b1d20, 0xd8ff3e];

/// The four floodlight masts' shadows, metres from the feet.
const SHADOWS: [(f32, f32); 4] = [(1.7, 0.7), (-1.7, 0.7), (1.25, -0.65), (-1.25, -0.65)];

/// The shadows that a person throws on the grass; drawn for everyone before anyone.
pub(super) fn shadow(canvas: &mut Canvas, camera: &Camera, person: &Person) {
    let (x, y) = (person.x, person.y);
    for (dx, dy) in SHADOWS {
        let (nx, ny) = (-dy * 0.14, dx * 0.14);
        let shape = [
            at(x - nx * 0.7, y - ny * 0.7, 0.0),
            at(x + dx * 0.55 - nx * 1.5, y + dy * 0.55 - ny * 1.5, 0.0),
            at(x + dx, y + dy, 0.0),
            at(x + dx * 0.55 + nx * 1.5, y + dy * 0.55 + ny * 1.5, 0.0),
            at(x + nx * 0.7, y + ny * 0.7, 0.0),
        ];
        canvas.fill(&camera.polygon(&shape), ink(0x04140a).alpha(0.17));
    }
    let contact: Vec<Vec3> = (0..12).map(|i| (i as f32 * TAU / 12.0).sin_cos()).map(|(s, c)| at(x + 0.34 * c, y + 0.22 * s, 0.0)).collect();
    canvas.fill(&camera.polygon(&contact), ink(0x04140a).alpha(0.30));
}

/// A limb: two or more joints, a width in metres and a colour.
struct Limb {
    joints: Vec<Vec3>,
    width_m: f32,
    ink: Ink,
    depth: f32,
}

/// Draws one person; `who` picks skin, hair and boots.
pub(super) fn draw(canvas: &mut Canvas, camera: &Camera, person: &Person, kit: &Kit, who: usize) {
    let Some(feet) = camera.project(at(person.x, person.y, 0.0)) else { return };
    if feet.x < -80.0 || feet.x > super::canvas::WIDTH + 80.0 || feet.y < -40.0 || feet.y > super::canvas::HEIGHT + 140.0 {
        return;
    }
    let body = Body::new(person, who);
    let skin = ink(SKIN[who * 7 % SKIN.len()]);
    let boots = ink(BOOTS[who * 5 % BOOTS.len()]);
    let shade = |colour: Ink| colour.mix(ink(0x0a1410), 0.2);
    let mut limbs = Vec::with_capacity(16);
    let mut limb = |joints: &[Vec3], width_m: f32, ink: Ink| {
        let joints: Vec<Vec3> = joints.iter().map(|&joint| body.place(joint)).collect();
        let depth = joints.iter().map(|&joint| camera.depth(joint)).sum::<f32>() / joints.len() as f32;
        limbs.push(Limb { joints, width_m, ink, depth });
    };
    for side in [0, 1] {
        let [hip, knee, ankle, toe] = body.leg(side);
        let half = mix(hip, knee, 0.62);
        limb(&[hip, knee], 0.165, skin);
        limb(&[mix(knee, ankle, 0.12), ankle], 0.125, kit.socks);
        limb(&[ankle, toe], 0.105, boots);
        limb(&[hip, half], 0.235, if side == 0 { kit.shorts } else { shade(kit.shorts) });
        let [shoulder, elbow, hand] = body.arm(side);
        limb(&[elbow, hand], 0.088, skin);
        limb(&[shoulder, elbow], 0.125, if side == 0 { kit.shirt } else { shade(kit.shirt) });
        if kit.gloves {
            limb(&[hand, hand], 0.15, ink(0xf2f5ef));
        }
    }
    let [pelvis, chest, neck, head] = body.spine();
    limb(&[pelvis, mix(pelvis, chest, 0.45)], 0.33, kit.shirt);
    limb(&[mix(pelvis, chest, 0.35), chest], 0.37, kit.shirt);
    let [left, _, _] = body.arm(0);
    let [right, _, _] = body.arm(1);
    limb(&[mix(left, right, 0.12), mix(left, right, 0.88)], 0.17, kit.shirt);
    limb(&[neck, mix(neck, head, 0.6)], 0.11, skin);
    limbs.sort_by(|a, b| b.depth.total_cmp(&a.depth));
    for limb in &limbs {
        stroke(canvas, camera, limb);
    }
    // Head last: nothing of the body hides it from a camera in the stand.
    if let Some(spot) = camera.project(body.place(head)) {
        let r = spot.scale * 0.125;
        let hair = ink(HAIR[who * 3 % HAIR.len()]);
        canvas.ellipse(spot.x, spot.y - r * 0.12, r * 1.02, r * 1.12, hair);
        let side = person.facing.0 * r * 0.3;
        if person.facing.1 < 0.75 {
            canvas.ellipse(spot.x + side, spot.y + r * 0.22, r * 0.84, r * 0.92, skin);
        }
    }
    // A light from the stand on the upper body.
    if let (Some(a), Some(b)) = (camera.project(body.place(chest)), camera.project(body.place(pelvis))) {
        canvas.stroke(
            &[(a.x - a.scale * 0.08, a.y), (b.x - b.scale * 0.06, b.y - b.scale * 0.12)],
            a.scale * 0.1,
            ink(0xffffff).alpha(0.10),
        );
    }
}

fn stroke(canvas: &mut Canvas, camera: &Camera, limb: &Limb) {
    let spots: Vec<_> = limb.joints.iter().filter_map(|&joint| camera.project(joint)).collect();
    let Some(first) = spots.first() else { return };
    if limb.joints[0] == limb.joints[limb.joints.len() - 1] {
        canvas.ellipse(first.x, first.y, first.scale * limb.width_m / 2.0, first.scale * limb.width_m / 2.0, limb.ink);
        return;
    }
    let points: Vec<(f32, f32)> = spots.iter().map(|spot| (spot.x, spot.y)).collect();
    canvas.stroke(&points, first.scale * limb.width_m, limb.ink);
}

fn mix(a: Vec3, b: Vec3, share: f32) -> Vec3 {
    at(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share, a.z + (b.z - a.z) * share)
}

/// Joints in the body's own frame: x forward, y to the left, z up.
struct Body<'a> {
    person: &'a Person,
    /// 0 standing, 1 sprinting.
    effort: f32,
    lean: f32,
    bob: f32,
    height: f32,
}

impl<'a> Body<'a> {
    fn new(person: &'a Person, who: usize) -> Self {
        let effort = (person.speed / 7.0).clamp(0.0, 1.0);
        // Two bounces a stride, at mid-flight.
        let bob = effort * 0.055 * (person.stride * 2.0 * TAU).cos();
        Self { person, effort, lean: 0.05 + 0.26 * effort, bob, height: 0.97 + 0.07 * ((who * 37 % 11) as f32 / 10.0) }
    }

    /// From the body's frame to the pitch.
    fn place(&self, joint: Vec3) -> Vec3 {
        let (fx, fy) = self.person.facing;
        let (mut y, mut z) = (joint.y, joint.z * self.height + self.bob);
        if self.person.dive > 0.0 {
            let (sin, cos) = (self.person.dive * 1.32).sin_cos();
            (y, z) = (y * cos - z * sin, y * sin + z * cos);
            z = z.max(0.06) + 0.32 * self.person.dive * (1.0 - self.person.dive) * 4.0 * 0.5;
        }
        at(self.person.x + fx * joint.x - fy * y, self.person.y + fy * joint.x + fx * y, z.max(0.03))
    }

    /// Hip, knee, ankle, toe. Side 0 is the left leg.
    fn leg(&self, side: usize) -> [Vec3; 4] {
        let y = if side == 0 { 0.1 } else { -0.1 };
        let phase = (self.person.stride + side as f32 * 0.5) * TAU;
        let swing = 0.10 + 0.82 * self.effort.powf(0.7);
        let mut thigh = swing * phase.sin() * if self.person.speed < 0.4 { 0.4 } else { 1.0 } + 0.10 * self.effort;
        // The knee folds while the leg comes forward.
        let mut fold = 0.12 + (0.35 + 1.45 * self.effort) * (phase.cos().max(0.0)).powf(1.3) * self.effort.max(0.12).powf(0.5);
        if self.person.kick.abs() <= 1.0 && side == 1 {
            let kick = self.person.kick;
            thigh =
                if kick < 0.0 { -0.75 * (1.0 + kick).min(-kick * 1.6 + 0.2) } else { 1.05 * (kick * std::f32::consts::PI).sin().max(0.25) };
            fold = if kick < 0.0 { 1.35 * -kick } else { 0.15 };
        }
        if self.person.dive > 0.0 {
            thigh *= 1.0 - self.person.dive;
            fold = fold * (1.0 - self.person.dive) + 0.5 * side as f32 * self.person.dive;
        }
        let hip = at(0.0, y, 0.93);
        let knee = at(0.44 * thigh.sin(), y * 1.1, 0.93 - 0.44 * thigh.cos());
        let shin = thigh - fold;
        let ankle = at(knee.x + 0.44 * shin.sin(), y, (knee.z - 0.44 * shin.cos()).max(0.05));
        let toe = at(ankle.x + 0.19 * (shin * 0.7).cos(), y, (ankle.z + 0.19 * (shin * 0.7).sin() - 0.03).max(0.03));
        [hip, knee, ankle, toe]
    }

    fn spine(&self) -> [Vec3; 4] {
        let (sin, cos) = self.lean.sin_cos();
        let up = |length: f32| at(length * sin, 0.0, 0.95 + length * cos);
        [up(0.0), up(0.44), up(0.53), up(0.79)]
    }

    /// Shoulder, elbow, hand. Side 0 is the left arm, which swings with the right leg.
    fn arm(&self, side: usize) -> [Vec3; 3] {
        let y = if side == 0 { 0.21 } else { -0.21 };
        let phase = (self.person.stride + side as f32 * 0.5) * TAU;
        let swing = -(0.12 + 0.85 * self.effort) * phase.sin();
        let bend = 0.35 + 1.2 * self.effort;
        let (sin, cos) = self.lean.sin_cos();
        let shoulder = at(0.48 * sin, y, 0.95 + 0.48 * cos);
        if self.person.dive > 0.1 {
            let up = self.person.dive;
            let elbow = at(shoulder.x + 0.12, y * 0.9, shoulder.z + 0.26 * up);
            return [shoulder, elbow, at(elbow.x + 0.14, y * 0.5, elbow.z + 0.24 * up)];
        }
        let out = y.signum() * (0.07 + if self.person.kick.abs() <= 1.0 { 0.16 } else { 0.0 });
        let elbow = at(shoulder.x + 0.29 * swing.sin(), y + out, shoulder.z - 0.29 * swing.cos());
        let fore = swing + bend;
        [shoulder, elbow, at(elbow.x + 0.26 * fore.sin(), y + out * 0.7, elbow.z - 0.26 * fore.cos())]
    }
}
