//! The child that puts a guest beside the main picture: two pictures in, the programme out in every size, with the main picture's times and key frames.

use super::ladder::{Rung, encoding};

/// How main picture and guest share the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    SideBySide,
    /// The guest small, above the main picture.
    Inset,
    GuestOnly,
}

/// What a child is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programme {
    pub(super) layout: Layout,
    /// Of the main picture.
    pub(super) size: (u16, u16),
    /// Sizes to make of the programme.
    pub(super) rungs: Vec<Rung>,
}

/// Width of an inset, and its distance from the edges by the height of the picture, percent; it is as wide as high by 16:9.
const INSET_WIDTH: u32 = 26;
const INSET_EDGE: u32 = 4;

impl Programme {
    /// What is between the inputs and the sizes; its last output has no name yet. Where the guest's input ends, all that has it in it ends, and the
    /// main picture is what remains.
    fn graph(&self) -> String {
        let even = |size: u32| (size / 2 * 2).max(2);
        let (width, height) = (even(u32::from(self.size.0)), even(u32::from(self.size.1)));
        let within = |width: u32, height: u32| {
            format!(
                "scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear,format=yuv420p,setsar=1"
            )
        };
        match self.layout {
            Layout::SideBySide => {
                let half = even(width / 2);
                let (fit, below) = (within(half, height), "eof_action=endall[both];[full][both]overlay=x=0:y=0:eof_action=pass");
                format!(
                    "[0:v]split[full][main];[main]{fit},pad={width}:{height}:({half}-iw)/2:(oh-ih)/2[left];\
                     [1:v]{fit},pad={half}:{height}:(ow-iw)/2:(oh-ih)/2[right];[left][right]overlay=x={half}:y=0:{below},"
                )
            }
            Layout::Inset => {
                let inset = even(width * INSET_WIDTH / 100);
                let (lines, edge) = (even(inset * 9 / 16), even(height * INSET_EDGE / 100));
                let (x, y) = (width.saturating_sub(inset + edge), height.saturating_sub(lines + edge));
                format!(
                    "[1:v]scale={inset}:{lines}:force_original_aspect_ratio=increase:flags=bilinear,crop={inset}:{lines},format=yuv420p,setsar=1[guest];\
                     [0:v][guest]overlay=x={x}:y={y}:eof_action=pass,"
                )
            }
            Layout::GuestOnly => {
                let fit = within(width, height);
                format!("[1:v]{fit},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2[guest];[0:v][guest]overlay=x=0:y=0:eof_action=pass,")
            }
        }
    }

    /// Arguments behind both inputs.
    pub(super) fn arguments(&self) -> Vec<String> {
        encoding(&self.graph(), &self.rungs)
    }
}

#[cfg(test)]
#[path = "programme_tests.rs"]
mod tests;
