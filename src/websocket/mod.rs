//! The server's side of the WebSocket protocol (RFC 6455) and of permessage-deflate (RFC 7692), made for sending one text to thousands.
//!
//! ```text
//! request ─▶ handshake ─▶ Socket ── receive ──▶ Message          decoder.rs: bytes to messages, bounded
//!                           ▲  └──── queue ◀── Frame, shared       frame.rs: header and text once, deflated once
//!                         Wire ◀── Line ◀── Frame, shared          line.rs: past the socket's task, while the client takes it
//! ```
//! Why our own: a server's frames carry no mask, so that the bytes of a frame are the same for everybody, and a text for a whole broadcast is
//! encoded, framed and deflated once; the libraries copy it into a buffer for each connection and know no compression. One task serves a
//! connection, reading and writing, and an idle one holds no buffers. Knows nothing about what the messages say.

mod decoder;
mod deflate;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod handshake;
mod line;
mod socket;
mod wire;

pub use decoder::{Message, ProtocolError};
pub use frame::Frame;
pub use handshake::{HandshakeError, Upgrade};
pub use line::Line;
pub use socket::{QueueFull, Socket, SocketError};
pub use wire::Passed;
