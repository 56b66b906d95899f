//! What one viewer received over time: bytes in windows of `limits::LOADGEN_WINDOW`, counted from the beginning of the run, so that those
//! of all viewers lie side by side. Pure, but for the file at the end.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::limits::{LOADGEN_WINDOW, LOADGEN_WINDOWS_MAX};

/// The windows of one viewer, from the one in which its first packet came to the one of its last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Timeline {
    first: Option<usize>,
    bytes: Vec<u32>,
}

impl Timeline {
    /// Takes a packet that came so long after the beginning of the run.
    pub(super) fn take(&mut self, since_begin: Duration, bytes: usize) {
        let window = (since_begin.as_millis() / LOADGEN_WINDOW.as_millis()) as usize;
        let first = *self.first.get_or_insert(window);
        let at = window.saturating_sub(first);
        if at >= LOADGEN_WINDOWS_MAX {
            return;
        }
        if self.bytes.len() <= at {
            self.bytes.resize(at + 1, 0);
        }
        self.bytes[at] = self.bytes[at].saturating_add(bytes as u32);
    }

    fn to_json(&self) -> serde_json::Value {
        let rates: Vec<u64> = self.bytes.iter().map(|bytes| u64::from(*bytes) * 8000 / LOADGEN_WINDOW.as_millis() as u64).collect();
        json!({ "window_ms": LOADGEN_WINDOW.as_millis() as u64, "first": self.first, "bits_per_second": rates })
    }
}

/// Appends one line for each viewer.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write<'a>(path: &Path, timelines: impl Iterator<Item = &'a Timeline>) -> anyhow::Result<()> {
    let describe = || format!("writing {}", path.display());
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).with_context(describe)?;
    for timeline in timelines {
        writeln!(file, "{}", timeline.to_json()).with_context(describe)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_from_the_beginning_of_the_run_and_gaps_are_empty() {
        let mut timeline = Timeline::default();
        for (ms, bytes) in [(1100, 500), (1400, 500), (2600, 250)] {
            timeline.take(Duration::from_millis(ms), bytes);
        }
        assert_eq!(timeline.to_json(), json!({ "window_ms": 500, "first": 2, "bits_per_second": [16000, 0, 0, 4000] }));
        timeline.take(LOADGEN_WINDOW * (LOADGEN_WINDOWS_MAX as u32 + 9), 1);
        assert_eq!(timeline.bytes.len(), 4, "beyond the bound nothing is recorded");
    }
}
