//! Recordings: rewinding a live broadcast, and its replay once it has ended.
//!
//! ```text
//! shelf (closed segments) ─▶ recorder.rs ─try_send─▶ writer.rs ─▶ storage.rs, s3.rs   bytes: a folder or a bucket
//!                               │ key frames             └─────▶ log.rs, record.rs    the index: records behind checksums
//!                               ▼                                      │
//!                            thumbs.rs ─▶ child ─▶ JPEG          recording.rs ◀─ timeline.rs (pure), texts.rs (pure)
//! library.rs: all of them, from the first segment to the last replay      └─▶ http.rs
//! ```
//! Nothing here is waited for by the packager, let alone the SFU: what disk or bucket do not take in time is a gap in the recording, and the
//! alarm says so.

mod alarm;
mod http;
mod library;
mod log;
mod record;
mod recorder;
mod recording;
mod s3;
mod storage;
mod texts;
mod thumbs;
mod timeline;
mod writer;

#[cfg(test)]
mod test_support;

pub use library::{Dvr, DvrError, DvrParts};
pub use storage::{Storage, StorageError};

pub(super) use http::{broadcast_file, rendition_file};
