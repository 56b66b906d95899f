//! Metres to pixels: a pinhole camera over a pitch measured in metres (x along it, y away from the camera, z up).
//! It draws nothing. Invariant: what lies behind the camera is clipped, never mirrored.

/// A point or a direction in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vec3 {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) z: f32,
}

/// Shorthand for a point.
pub(super) const fn at(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    fn minus(self, other: Self) -> Self {
        at(self.x - other.x, self.y - other.y, self.z - other.z)
    }

    fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    fn cross(self, other: Self) -> Self {
        at(self.y * other.z - self.z * other.y, self.z * other.x - self.x * other.z, self.x * other.y - self.y * other.x)
    }

    fn unit(self) -> Self {
        let length = self.dot(self).sqrt().max(1e-6);
        at(self.x / length, self.y / length, self.z / length)
    }
}

/// A point on the picture. `scale` is pixels per metre at its distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) scale: f32,
}

/// The camera of one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    position: Vec3,
    forward: Vec3,
    right: Vec3,
    up: Vec3,
    focal_px: f32,
    centre: (f32, f32),
}

/// Nearest visible distance, metres.
const NEAR_M: f32 = 0.5;

impl Camera {
    /// A camera at `position` that looks at `target` with a horizontal field of view in degrees, for a picture of this size.
    pub(super) fn new(position: Vec3, target: Vec3, field_deg: f32, (width, height): (f32, f32)) -> Self {
        let forward = target.minus(position).unit();
        let right = forward.cross(at(0.0, 0.0, 1.0)).unit();
        let focal_px = width / 2.0 / (field_deg.to_radians() / 2.0).tan();
        Self { position, forward, right, up: right.cross(forward), focal_px, centre: (width / 2.0, height / 2.0) }
    }

    fn seen(&self, point: Vec3) -> Vec3 {
        let d = point.minus(self.position);
        at(d.dot(self.right), d.dot(self.up), d.dot(self.forward))
    }

    fn spot(&self, seen: Vec3) -> Spot {
        let scale = self.focal_px / seen.z;
        Spot { x: self.centre.0 + scale * seen.x, y: self.centre.1 - scale * seen.y, scale }
    }

    /// Where a point lies on the picture, or `None` behind the camera.
    pub(super) fn project(&self, point: Vec3) -> Option<Spot> {
        let seen = self.seen(point);
        (seen.z > NEAR_M).then(|| self.spot(seen))
    }

    /// Distance along the line of sight, metres: larger is farther.
    pub(super) fn depth(&self, point: Vec3) -> f32 {
        self.seen(point).z
    }

    /// A polygon on the picture, clipped at the near plane; fewer than three points when nothing is visible.
    pub(super) fn polygon(&self, points: &[Vec3]) -> Vec<(f32, f32)> {
        let seen: Vec<Vec3> = points.iter().map(|&point| self.seen(point)).collect();
        let mut out = Vec::with_capacity(points.len() + 2);
        for (index, &a) in seen.iter().enumerate() {
            let b = seen[(index + 1) % seen.len()];
            if a.z > NEAR_M {
                let spot = self.spot(a);
                out.push((spot.x, spot.y));
            }
            if (a.z > NEAR_M) != (b.z > NEAR_M) {
                let share = (NEAR_M - a.z) / (b.z - a.z);
                let spot = self.spot(at(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share, NEAR_M));
                out.push((spot.x, spot.y));
            }
        }
        out
    }
}
