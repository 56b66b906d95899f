//! What packaging produces, as values: the steps that a rendition takes, in order. Steps that come out together are published together.

use std::sync::Arc;

use bytes::Bytes;

use super::format::Format;

/// Which rendition: an index that never changes while the packager runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub usize);

/// A piece of a segment, playable as soon as it is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// One fragment.
    pub data: Bytes,
    pub duration_s: f64,
    /// Decoding can begin with it.
    pub independent: bool,
    pub frames: u32,
}

/// One step of one rendition.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Segments from here on need this.
    Init {
        format: Arc<Format>,
        data: Bytes,
    },
    /// A segment begins; it has no part yet.
    Open(Opening),
    Part(Part),
    /// The open segment is whole.
    Close {
        duration_s: f64,
    },
    /// A segment of which nothing came.
    Gap {
        opening: Opening,
        duration_s: f64,
    },
}

/// Where a segment begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening {
    /// Media sequence number: the same moment in every rendition.
    pub msn: u64,
    /// Ticks of the rendition's clock.
    pub ticks: i64,
    /// Media time, ms since the Unix epoch.
    pub media_ms: f64,
    /// The timestamps before it belong to another line.
    pub discontinuity: bool,
}
