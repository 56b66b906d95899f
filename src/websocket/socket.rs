//! One connection: reads messages, writes what is queued, and holds no buffer while nothing happens.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::decoder::{Decoder, Message, ProtocolError};
use super::frame::Frame;
use super::line::Line;
use super::wire::Wire;

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
    /// Locked for single steps, never across a wait.
    wire: Arc<Mutex<Wire>>,
    decoder: Decoder,
    deflates: bool,
    queue_max: usize,
}

impl Socket {
    pub(super) fn new(io: TokioIo<Upgraded>, message_max: usize, queue_max: usize, deflates: bool) -> Self {
        Self { wire: Arc::new(Mutex::new(Wire::new(io))), decoder: Decoder::new(message_max, deflates), deflates, queue_max }
    }

    /// A way to write past this socket's task. See [`Line`].
    pub fn line(&self) -> Line {
        Line::new(Arc::clone(&self.wire), self.deflates)
    }

    /// Frames that wait to be written. One that is half written, or that the connection has sealed and not yet sent, is among them.
    pub fn waiting(&self) -> usize {
        self.wire().waiting()
    }

    /// Bytes written so far: while they stand still the client does not read.
    pub fn written(&self) -> u64 {
        self.wire().written()
    }

    /// Queues a frame. It is written by whatever is awaited next on this socket.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn queue(&mut self, frame: &Frame) -> Result<(), QueueFull> {
        let mut wire = self.wire();
        if wire.waiting() >= self.queue_max {
            return Err(QueueFull);
        }
        wire.queue(frame.bytes(self.deflates).clone());
        Ok(())
    }

    /// Queues a frame beyond the bound: for the few last words before [`Self::finish`].
    pub fn queue_last(&mut self, frame: &Frame) {
        self.wire().queue(frame.bytes(self.deflates).clone());
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
                    Message::Ping(payload) => self.wire().answer_ping(&payload),
                    Message::Pong => {}
                    said => return Ok(Some(said)),
                }
                continue;
            }
            if poll_fn(|cx| self.poll_step(cx, roomy)).await? {
                return Ok(None);
            }
        }
    }

    /// Writes what can be written without waiting.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write_now(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self.wire().poll_write(cx) {
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
    pub async fn finish(self) -> io::Result<()> {
        poll_fn(|cx| self.wire().poll_write(cx)).await?;
        poll_fn(|cx| self.wire().poll_shutdown(cx)).await?;
        while poll_fn(|cx| self.wire().poll_read(cx, &mut [0; READ])).await? > 0 {}
        Ok(())
    }

    /// Writes, then reads. Whether there is room again.
    fn poll_step(&mut self, cx: &mut Context<'_>, roomy: usize) -> Poll<io::Result<bool>> {
        let mut space = [0; READ];
        let mut wire = self.wire();
        let waited = wire.waiting();
        if let Poll::Ready(Err(error)) = wire.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        if waited > roomy && wire.waiting() <= roomy {
            return Poll::Ready(Ok(true));
        }
        let count = ready!(wire.poll_read(cx, &mut space))?;
        drop(wire);
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.decoder.push(&space[..count]);
        Poll::Ready(Ok(false))
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().expect("no panic happens while the lock is held: reading and writing report their errors")
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
