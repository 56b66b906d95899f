//! Signals of the operating system.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or SIGINT. Each call waits for a signal of its own.
pub(super) async fn first_signal() {
    let term = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    match (term, interrupt) {
        (Ok(mut term), Ok(mut interrupt)) => {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be received: stop this process with SIGKILL");
            std::future::pending::<()>().await;
        }
    }
}
