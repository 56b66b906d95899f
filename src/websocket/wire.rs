//! The connection below a socket: what waits to be written, in order, and the bytes themselves.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::frame::Frame;

/// See the file's head. Who polls it is woken; only the socket's own task may wait.
#[derive(Debug)]
pub(super) struct Wire {
    io: TokioIo<Upgraded>,
    queue: VecDeque<Bytes>,
    /// Of the frame that is being written, what is left.
    front: Bytes,
    /// The answer to the newest ping; those before it need none (RFC 6455 section 5.5.3).
    pong: Option<Bytes>,
    is_flushed: bool,
    written: u64,
}

/// What became of a frame that was to be written without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    Written,
    /// It is on its way; the socket's task must be woken to write the rest.
    Unfinished,
    /// Others wait before it, or the connection takes nothing just now: nothing of it was taken.
    Refused,
}

impl Wire {
    pub(super) fn new(io: TokioIo<Upgraded>) -> Self {
        Self { io, queue: VecDeque::new(), front: Bytes::new(), pong: None, is_flushed: true, written: 0 }
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + usize::from(!self.front.is_empty() || !self.is_flushed)
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn queue(&mut self, frame: Bytes) {
        self.queue.push_back(frame);
    }

    pub(super) fn answer_ping(&mut self, payload: &[u8]) {
        self.pong = Some(Frame::pong(payload).bytes(false).clone());
    }

    /// Writes a frame if nothing waits, and nobody is woken for what remains: that is left to the caller. A broken connection takes nothing; the
    /// socket's task finds out why.
    pub(super) fn write_at_once(&mut self, frame: &Bytes) -> Passed {
        if self.waiting() > 0 || self.pong.is_some() {
            return Passed::Refused;
        }
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(written @ 1..)) = Pin::new(&mut self.io).poll_write(&mut cx, frame) else { return Passed::Refused };
        self.written += written as u64;
        self.is_flushed = matches!(Pin::new(&mut self.io).poll_flush(&mut cx), Poll::Ready(Ok(())));
        if written < frame.len() {
            self.front = frame.slice(written..);
        }
        if self.waiting() == 0 { Passed::Written } else { Passed::Unfinished }
    }

    /// How many bytes came; 0: no more will.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(read.filled().len()))
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Ready when nothing waits any more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.front.is_empty() {
                let Some(next) = self.pong.take().or_else(|| self.queue.pop_front()) else { break };
                self.front = next;
            }
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.front))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            self.is_flushed = false;
            self.front.advance(written);
        }
        // With nothing left of it, it would still keep its text.
        self.front = Bytes::new();
        if !self.is_flushed {
            // TLS keeps what it sealed until it is told to let go.
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}
