//! How `ffmpeg` is run as a child: one thread, MP4 in by a pipe, what it makes out by another, nothing of our environment but the search path. It dies
//! with whoever holds it.

use std::io;
use std::process::Stdio;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Begins one. `before` goes before its input and `after` behind it; the child keeps its standard error.
///
/// # Errors
/// When it cannot be started.
pub(super) fn spawn(program: &str, before: &[&str], after: &[&str]) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut child = Command::new(program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"])
        .args(before)
        .args(["-f", "mp4", "-i", "pipe:0"])
        .args(after)
        .arg("pipe:1")
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok((child, input, output)),
        _ => Err(io::Error::other("it has no standard streams")),
    }
}
