//! Signals of the operating system.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, from now on: one that comes while nobody waits is not lost.
pub(super) struct Signals {
    streams: io::Result<(Signal, Signal)>,
}

impl Signals {
    pub(super) fn new() -> Self {
        let streams = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        if let Err(error) = &streams {
            tracing::error!(%error, "signals cannot be received: stop this process with SIGKILL");
        }
        Self { streams }
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        let Ok((term, interrupt)) = &mut self.streams else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
