//! One connection: reads messages, writes what is queued, and holds no buffer while nothing happens.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::decoder::{Decoder, Message, ProtocolError};
use super::frame::Frame;

/// Bytes read at once: most messages are far smaller.
const READ: usize = 2048;

/// Why nothing more can be received.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("the connection is broken")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// As many frames wait as may: the client does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client reads too slowly")]
pub struct QueueFull;

/// A WebSocket after its handshake.
#[derive(Debug)]
pub struct Socket {
    io: TokioIo<Upgraded>,
    decoder: Decoder,
    deflates: bool,
    queue: VecDeque<Bytes>,
    queue_max: usize,
    /// Of the frame that is being written, what is left.
    front: Bytes,
    /// The answer to the newest ping; those before it need none (RFC 6455 section 5.5.3).
    pong: Option<Bytes>,
    is_flushed: bool,
    /// Bytes handed to the connection so far: while it stands still the client does not read.
    written: u64,
}

impl Socket {
    pub(super) fn new(io: TokioIo<Upgraded>, message_max: usize, queue_max: usize, deflates: bool) -> Self {
        Self {
            io,
            decoder: Decoder::new(message_max, deflates),
            deflates,
            queue: VecDeque::new(),
            queue_max,
            front: Bytes::new(),
            pong: None,
            is_flushed: true,
            written: 0,
        }
    }

    /// Frames that wait to be written. One that is half written, or that the connection has sealed and not yet sent, is among them.
    pub fn waiting(&self) -> usize {
        self.queue.len() + usize::from(!self.front.is_empty() || !self.is_flushed)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Queues a frame. It is written by whatever is awaited next on this socket.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn queue(&mut self, frame: &Frame) -> Result<(), QueueFull> {
        if self.waiting() >= self.queue_max {
            return Err(QueueFull);
        }
        self.queue.push_back(frame.bytes(self.deflates));
        Ok(())
    }

    /// Queues a frame beyond the bound: for the few last words before [`Self::finish`].
    pub fn queue_last(&mut self, frame: &Frame) {
        self.queue.push_back(frame.bytes(self.deflates));
    }

    /// The next message, while what is queued is written. `None`: no more than `roomy` frames wait any more, of those that did. Pings are answered
    /// and not returned. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`SocketError`]; an end of the stream is broken too.
    pub async fn receive(&mut self, roomy: usize) -> Result<Option<Message>, SocketError> {
        loop {
            if let Some(message) = self.decoder.next()? {
                match message {
                    Message::Ping(payload) => self.pong = Some(Frame::pong(&payload).bytes(false)),
                    Message::Pong => {}
                    said => return Ok(Some(said)),
                }
                continue;
            }
            let has_room = poll_fn(|cx| {
                let waited = self.waiting();
                if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                    return Poll::Ready(Err(error));
                }
                if waited > roomy && self.waiting() <= roomy {
                    return Poll::Ready(Ok(true));
                }
                self.poll_read(cx).map_ok(|()| false)
            });
            if has_room.await? {
                return Ok(None);
            }
        }
    }

    /// Writes what can be written without waiting.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write_now(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self.poll_write(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Writes all that is queued, says that nothing more will come, and waits until the client has said so too. What it still sends is read and
    /// forgotten: a socket that is closed with bytes unread is reset, and the client loses our last words. The caller bounds the time.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn finish(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await?;
        poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
        while poll_fn(|cx| self.poll_bytes(cx, &mut [0; READ])).await? > 0 {}
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; READ];
        let count = ready!(self.poll_bytes(cx, &mut space))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.decoder.push(&space[..count]);
        Poll::Ready(Ok(()))
    }

    /// How many bytes came; 0: no more will.
    fn poll_bytes(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Ready when nothing waits any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
