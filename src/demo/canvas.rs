//! A thin hand around `tiny-skia`: the four shapes the picture is made of, in design pixels (1280 x 720) whatever the size
//! that is really drawn. It knows nothing of matches.

use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PixmapPaint, Rect, Stroke, Transform};

/// Design width, pixels.
pub(super) const WIDTH: f32 = 1280.0;
/// Design height, pixels.
pub(super) const HEIGHT: f32 = 720.0;

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    rgb: u32,
    alpha: f32,
}

/// An opaque colour from 0xRRGGBB.
pub(super) const fn ink(rgb: u32) -> Ink {
    Ink { rgb, alpha: 1.0 }
}

impl Ink {
    /// The same colour with another opacity, 0 to 1.
    pub(super) const fn alpha(self, alpha: f32) -> Self {
        Self { rgb: self.rgb, alpha }
    }

    /// Red, green, blue.
    pub(super) const fn bytes(self) -> [u8; 3] {
        [(self.rgb >> 16) as u8, (self.rgb >> 8) as u8, self.rgb as u8]
    }

    /// This colour moved towards another by a share from 0 to 1.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let channel = |index: usize| {
            let (a, b) = (f32::from(self.bytes()[index]), f32::from(other.bytes()[index]));
            (a + (b - a) * share) as u32
        };
        Self { rgb: channel(0) << 16 | channel(1) << 8 | channel(2), alpha: self.alpha }
    }

    fn paint(self) -> Paint<'static> {
        let [r, g, b] = self.bytes();
        let mut paint = Paint::default();
        paint.set_color(Color::from_rgba8(r, g, b, (self.alpha.clamp(0.0, 1.0) * 255.0) as u8));
        paint.anti_alias = true;
        paint
    }
}

/// One frame being drawn.
pub(super) struct Canvas {
    pixmap: Pixmap,
    zoom: f32,
}

impl Canvas {
    /// A black picture of `width` pixels, 16:9.
    pub(super) fn new(width: u32) -> Self {
        let pixmap = Pixmap::new(width, width * 9 / 16).expect("the width is a positive constant");
        Self { pixmap, zoom: width as f32 / WIDTH }
    }

    fn transform(&self) -> Transform {
        Transform::from_scale(self.zoom, self.zoom)
    }

    /// Fills the whole picture.
    pub(super) fn clear(&mut self, ink: Ink) {
        let [r, g, b] = ink.bytes();
        self.pixmap.fill(Color::from_rgba8(r, g, b, 255));
    }

    /// A filled polygon.
    pub(super) fn fill(&mut self, points: &[(f32, f32)], ink: Ink) {
        let Some(path) = path(points, true) else { return };
        self.pixmap.fill_path(&path, &ink.paint(), FillRule::Winding, self.transform(), None);
    }

    /// A line with round ends and corners; `width` in design pixels.
    pub(super) fn stroke(&mut self, points: &[(f32, f32)], width: f32, ink: Ink) {
        let Some(path) = path(points, false) else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixmap.stroke_path(&path, &ink.paint(), &stroke, self.transform(), None);
    }

    /// A filled ellipse.
    pub(super) fn ellipse(&mut self, x: f32, y: f32, rx: f32, ry: f32, ink: Ink) {
        let Some(rect) = Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry) else { return };
        let Some(path) = PathBuilder::from_oval(rect) else { return };
        self.pixmap.fill_path(&path, &ink.paint(), FillRule::Winding, self.transform(), None);
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        let Some(rect) = Rect::from_xywh(x, y, width, height) else { return };
        self.pixmap.fill_rect(rect, &ink.paint(), self.transform(), None);
    }

    /// A soft disc, blended pixel by pixel: cheap enough for thousands of spectators.
    pub(super) fn splat(&mut self, x: f32, y: f32, radius: f32, ink: Ink) {
        let (x, y, radius) = (x * self.zoom, y * self.zoom, radius * self.zoom);
        let (width, height) = (self.pixmap.width() as i32, self.pixmap.height() as i32);
        let (left, right) = (((x - radius).floor() as i32).max(0), ((x + radius).ceil() as i32).min(width - 1));
        let (top, bottom) = (((y - radius).floor() as i32).max(0), ((y + radius).ceil() as i32).min(height - 1));
        let (colour, reach) = (ink.bytes(), 1.0 / (radius * radius));
        let data = self.pixmap.data_mut();
        for row in top..=bottom {
            let dy = row as f32 + 0.5 - y;
            for column in left..=right {
                let dx = column as f32 + 0.5 - x;
                // Flat in the middle, falling to nothing at the rim: the look of a stand slightly out of focus.
                let cover = ((1.0 - (dx * dx + dy * dy) * reach) * 1.8).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let share = (cover * ink.alpha * 256.0) as i32;
                let at = ((row * width + column) * 4) as usize;
                for (pixel, &to) in data[at..at + 3].iter_mut().zip(&colour) {
                    let from = i32::from(*pixel);
                    *pixel = (from + (((i32::from(to) - from) * share) >> 8)) as u8;
                }
            }
        }
    }

    /// Lays another picture of the same size over this one.
    pub(super) fn overlay(&mut self, other: &Pixmap) {
        self.pixmap.draw_pixmap(0, 0, other.as_ref(), &PixmapPaint::default(), Transform::identity(), None);
    }

    /// The pixels, RGBA, row by row.
    pub(super) fn bytes(&self) -> &[u8] {
        self.pixmap.data()
    }
}

fn path(points: &[(f32, f32)], closed: bool) -> Option<tiny_skia::Path> {
    let (&(x, y), rest) = points.split_first()?;
    let mut builder = PathBuilder::with_capacity(points.len() + 1, points.len());
    builder.move_to(x, y);
    for &(x, y) in rest {
        builder.line_to(x, y);
    }
    if closed {
        builder.close();
    }
    builder.finish()
}
