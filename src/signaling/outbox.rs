//! What waits to be written to one client: a bounded queue and the task that empties it.
//!
//! Full means that the client does not read: the session says `bye slow_consumer` and the connection ends. Nothing here waits for a
//! client longer than `limits::WRITE_TIMEOUT`.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures_util::{Sink, SinkExt};
use metrics::counter;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::live::encode;
use super::protocol::{ByeReason, ServerMessage};
use crate::limits::{FAREWELL_TIMEOUT, OUTBOX_MESSAGES, RECONNECT_AFTER_MS, WRITE_TIMEOUT};
use crate::telemetry::{SIGNALING_BYES, SIGNALING_MESSAGES_SENT};

/// The queue's entrance.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Utf8Bytes>,
    taken: Arc<Notify>,
    farewell: oneshot::Sender<ByeReason>,
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The client reads too slowly.
    Full,
    /// The connection is broken.
    Broken,
}

/// The queue's exit, for [`Writer::run`].
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Receiver<Utf8Bytes>,
    taken: Arc<Notify>,
    farewell: oneshot::Receiver<ByeReason>,
}

/// Both ends of a new queue.
pub(crate) fn open() -> (Outbox, Writer) {
    let (queue, waiting) = mpsc::channel(OUTBOX_MESSAGES);
    let (farewell, told) = oneshot::channel();
    let taken = Arc::new(Notify::new());
    (Outbox { queue, taken: Arc::clone(&taken), farewell }, Writer { queue: waiting, taken, farewell: told })
}

impl Outbox {
    pub(crate) fn send(&self, message: &ServerMessage) -> Result<(), PushError> {
        self.push(encode(message))
    }

    /// A text that is encoded already.
    pub(crate) fn push(&self, text: Utf8Bytes) -> Result<(), PushError> {
        self.queue.try_send(text).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PushError::Full,
            mpsc::error::TrySendError::Closed(_) => PushError::Broken,
        })
    }

    /// When at most so many messages wait. One caller at a time; cancelling loses nothing.
    pub(crate) async fn drained_to(&self, most: usize) {
        while self.queue.max_capacity() - self.queue.capacity() > most && !self.queue.is_closed() {
            self.taken.notified().await;
        }
    }

    /// Last words, after what is queued already.
    pub(crate) fn say_bye(self, reason: ByeReason) {
        // A writer that is gone has nobody to say it to.
        let _unheard = self.farewell.send(reason);
    }
}

impl Writer {
    /// Writes until the outbox is dropped, the client is gone, or `bye` is said.
    pub(crate) async fn run(mut self, mut sink: impl Sink<Message> + Unpin) {
        loop {
            let text = tokio::select! {
                biased;
                reason = &mut self.farewell => {
                    if let Ok(reason) = reason {
                        self.part(sink, reason).await;
                    }
                    return;
                }
                text = self.queue.recv() => text,
            };
            let Some(text) = text else { return };
            self.taken.notify_one();
            counter!(SIGNALING_MESSAGES_SENT).increment(1);
            tokio::select! {
                written = timeout(WRITE_TIMEOUT, sink.send(Message::Text(text))) => {
                    if !matches!(written, Ok(Ok(()))) {
                        return;
                    }
                }
                reason = &mut self.farewell => {
                    if let Ok(reason) = reason {
                        self.part(sink, reason).await;
                    }
                    return;
                }
            }
        }
    }

    async fn part(&mut self, mut sink: impl Sink<Message> + Unpin, reason: ByeReason) {
        counter!(SIGNALING_BYES, "reason" => reason_word(reason)).increment(1);
        let part = async {
            while let Ok(text) = self.queue.try_recv() {
                sink.feed(Message::Text(text)).await?;
            }
            sink.feed(Message::Text(encode(&bye(reason)))).await?;
            sink.send(Message::Close(Some(CloseFrame { code: close_code(reason), reason: bye_message(reason).into() }))).await
        };
        // Late or broken: the connection is dropped either way.
        drop(timeout(FAREWELL_TIMEOUT, part).await);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_so_and_a_dropped_writer_is_a_broken_connection() {
        let (outbox, writer) = open();
        assert!((0..OUTBOX_MESSAGES).all(|_| outbox.push("x".into()).is_ok()));
        assert_eq!(outbox.push("x".into()), Err(PushError::Full));
        drop(writer);
        assert_eq!(outbox.push("x".into()), Err(PushError::Broken));
    }

    #[tokio::test]
    async fn who_waits_for_room_goes_on_when_the_client_has_read() {
        let (outbox, writer) = open();
        (0..10).for_each(|_| outbox.push("x".into()).unwrap());
        let (sink, written) = futures_channel();
        tokio::select! {
            () = outbox.drained_to(4) => {}
            () = writer.run(sink) => panic!("the writer goes on"),
        }
        assert!(written.lock().unwrap().len() >= 5);
    }

    #[tokio::test]
    async fn bye_comes_after_what_was_queued_and_before_the_close() {
        let (outbox, writer) = open();
        let (sink, written) = futures_channel();
        outbox.push("first".into()).unwrap();
        outbox.say_bye(ByeReason::ShuttingDown);
        writer.run(sink).await;
        let written = written.lock().unwrap().clone();
        assert!(matches!(&written[0], Message::Text(text) if text.as_str() == "first"));
        assert!(matches!(&written[1], Message::Text(text) if text.contains("shutting_down")));
        assert!(matches!(&written[2], Message::Close(Some(frame)) if frame.code == 1001));
    }

    type Written = Arc<std::sync::Mutex<Vec<Message>>>;

    fn futures_channel() -> (impl Sink<Message, Error = std::convert::Infallible> + Unpin, Written) {
        let written = Written::default();
        let sink = futures_util::sink::unfold(written.clone(), |written, message| {
            written.lock().unwrap().push(message);
            std::future::ready(Ok(written))
        });
        (sink, written)
    }
}
