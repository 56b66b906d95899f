//! A second hand on a socket: writes frames without its task, as long as the client takes them.
//!
//! A task that is woken to write one frame costs half as much as the writing. Who has the same frame for thousands writes to one socket after the
//! other instead, and wakes only the tasks of those that are behind.

use std::sync::{Arc, Mutex};

use super::frame::Frame;
use super::wire::{Passed, Wire};

/// See the file's head. It keeps the connection open as long as it lives.
#[derive(Debug, Clone)]
pub struct Line {
    wire: Arc<Mutex<Wire>>,
    deflates: bool,
}

impl Line {
    pub(super) const fn new(wire: Arc<Mutex<Wire>>, deflates: bool) -> Self {
        Self { wire, deflates }
    }

    /// Writes a frame where that needs no waiting, not even for the socket's task.
    pub fn write(&self, frame: &Frame) -> Passed {
        let Ok(mut wire) = self.wire.try_lock() else { return Passed::Refused };
        wire.write_at_once(frame.bytes(self.deflates))
    }
}
