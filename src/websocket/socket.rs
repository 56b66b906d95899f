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
/// Pongs waiting to be written; more pings are not answered one by one (RFC 6455 section 5.5.3 allows that).
const PONGS_MAX: usize = 2;

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
    pongs: usize,
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
            pongs: 0,
            is_flushed: true,
            written: 0,
        }
    }

    /// Frames that wait to be written.
    pub fn waiting(&self) -> usize {
        self.queue.len()
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
        if self.queue.len() >= self.queue_max {
            return Err(QueueFull);
        }
        self.queue.push_back(frame.bytes(self.deflates));
        Ok(())
    }

    /// Queues a frame beyond the bound: for last words.
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
                    Message::Ping(payload) => self.pong(&payload),
                    Message::Pong => {}
                    said => return Ok(Some(said)),
                }
                continue;
            }
            let has_room = poll_fn(|cx| {
                let waited = self.queue.len();
                if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                    return Poll::Ready(Err(error));
                }
                if waited > roomy && self.queue.len() <= roomy {
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

    /// Writes all that is queued, then says that nothing more will come.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn finish(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await?;
        poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await
    }

    fn pong(&mut self, payload: &[u8]) {
        if self.pongs < PONGS_MAX {
            self.pongs += 1;
            self.queue.push_back(Frame::pong(payload).bytes(false));
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; READ];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.decoder.push(read.filled());
        Poll::Ready(Ok(()))
    }

    /// Ready when nothing waits any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(front) = self.queue.front_mut() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, front))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            self.is_flushed = false;
            front.advance(written);
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
        if !self.is_flushed {
            // TLS keeps what it sealed until it is told to let go.
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_flushed = true;
            self.pongs = 0;
        }
        Poll::Ready(Ok(()))
    }
}
