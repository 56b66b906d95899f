//! The way to one client: what waits to be written to it is bounded, and nothing waits for it for ever.
//!
//! Full means that the client does not read: the session says `bye slow_consumer` and the connection ends. So does a connection that has taken
//! nothing for `limits::WRITE_TIMEOUT` while something waited.

use std::io;
use std::time::Instant;

use metrics::{Counter, counter};
use tokio::time::timeout;

use super::live::text_of;
use super::protocol::{ByeReason, ServerMessage};
use crate::limits::{CHAT_OUTBOX_MAX, FAREWELL_TIMEOUT, RECONNECT_AFTER_MS, WRITE_TIMEOUT};
use crate::telemetry::{SIGNALING_BYES, SIGNALING_MESSAGES_SENT};
use crate::websocket::{Frame, Line, Message, QueueFull, Socket, SocketError};

/// One client's socket.
pub(crate) struct Outbox {
    socket: Socket,
    sent: Counter,
    /// Bytes that had been written when something began to wait, and since when no more were.
    standstill: Option<(u64, Instant)>,
}

impl Outbox {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, sent: counter!(SIGNALING_MESSAGES_SENT), standstill: None }
    }

    /// A message for this client alone.
    ///
    /// # Errors
    /// The client reads too slowly.
    pub(crate) fn send(&mut self, message: &ServerMessage) -> Result<(), QueueFull> {
        self.push(&Frame::text(&text_of(message)))
    }

    /// A frame that others may get too.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub(crate) fn push(&mut self, frame: &Frame) -> Result<(), QueueFull> {
        self.sent.increment(1);
        self.socket.queue(frame)
    }

    /// For those who have the same frame for many.
    pub(crate) fn line(&self) -> Line {
        self.socket.line()
    }

    /// Whether so little waits that what can wait elsewhere (the chat, in its ring) may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.socket.waiting() <= CHAT_OUTBOX_MAX
    }

    /// The next message of the client; `None` when there is room again. What waits is written meanwhile.
    ///
    /// # Errors
    /// The connection is broken, or the client breaks its rules.
    pub(crate) async fn receive(&mut self) -> Result<Option<Message>, SocketError> {
        self.socket.receive(CHAT_OUTBOX_MAX).await
    }

    /// Writes what can be written at once, and watches that it is.
    ///
    /// # Errors
    /// The connection is broken, or has taken nothing for too long.
    pub(crate) async fn write_now(&mut self, clock: impl FnOnce() -> Instant) -> io::Result<()> {
        self.socket.write_now().await?;
        if self.socket.waiting() == 0 {
            self.standstill = None;
            return Ok(());
        }
        let (now, written) = (clock(), self.socket.written());
        match self.standstill {
            Some((before, since)) if before == written => {
                if now >= since + WRITE_TIMEOUT {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            _ => self.standstill = Some((written, now)),
        }
        Ok(())
    }

    /// When [`Self::write_now`] must be called again, whatever happens.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.standstill.map(|(_, since)| since + WRITE_TIMEOUT)
    }

    /// Last words, after what is queued already.
    pub(crate) async fn say_bye(self, reason: ByeReason) {
        counter!(SIGNALING_BYES, "reason" => reason_word(reason)).increment(1);
        self.part(&[Frame::text(&text_of(&bye(reason))), Frame::close(close_code(reason), bye_message(reason))]).await;
    }

    /// Answers a close, or an offence, with this code.
    pub(crate) async fn close(self, code: u16) {
        self.part(&[Frame::close(code, "")]).await;
    }

    async fn part(mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.socket.queue_last(frame));
        // Late or broken: the connection is dropped either way.
        drop(timeout(FAREWELL_TIMEOUT, self.socket.finish()).await);
    }
}

/// Close code of the WebSocket: 1001 is RFC 6455's "going away", those from 4000 are ours. Stable; see docs/protocol.md.
pub(crate) const fn close_code(reason: ByeReason) -> u16 {
    match reason {
        ByeReason::ShuttingDown => 1001,
        ByeReason::ProtocolError => 4000,
        ByeReason::HelloTimeout => 4001,
        ByeReason::PingTimeout => 4002,
        ByeReason::Replaced => 4003,
        ByeReason::SlowConsumer => 4008,
    }
}

const fn reason_word(reason: ByeReason) -> &'static str {
    match reason {
        ByeReason::ShuttingDown => "shutting_down",
        ByeReason::SlowConsumer => "slow_consumer",
        ByeReason::HelloTimeout => "hello_timeout",
        ByeReason::PingTimeout => "ping_timeout",
        ByeReason::ProtocolError => "protocol_error",
        ByeReason::Replaced => "replaced",
    }
}

const fn bye_message(reason: ByeReason) -> &'static str {
    match reason {
        ByeReason::ShuttingDown => "the server is shutting down",
        ByeReason::ProtocolError => "this conversation makes no sense to the server",
        ByeReason::HelloTimeout => "no hello in time",
        ByeReason::PingTimeout => "nothing heard for too long",
        ByeReason::Replaced => "another connection resumed this session",
        ByeReason::SlowConsumer => "messages are not read fast enough",
    }
}

/// The message that precedes the close. Reconnecting makes no sense for a client that speaks wrongly or was replaced.
fn bye(reason: ByeReason) -> ServerMessage {
    let reconnect_after_ms = match reason {
        ByeReason::ShuttingDown | ByeReason::PingTimeout | ByeReason::SlowConsumer | ByeReason::HelloTimeout => Some(RECONNECT_AFTER_MS),
        ByeReason::ProtocolError | ByeReason::Replaced => None,
    };
    ServerMessage::Bye { reason, message: bye_message(reason).to_owned(), reconnect_after_ms }
}
