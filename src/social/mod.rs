//! The social plane: chat, reactions, presence and moderation of every broadcast, on one node or many.
//!
//! Rules that decide are pure (`room`, `reactions`, `presence`, `moderation`): they take the time and what came in, and give back values. What
//! nodes tell each other goes over the [`bus`]; `plane` is the shell around it all.

pub mod archive;
pub mod bus;
pub mod call;
pub mod chat;
pub mod clock;
pub mod moderation;
pub mod people;
mod plane;
pub mod presence;
pub mod reactions;
mod room;

pub use plane::{Link, Newcomer, Seat, SeatNews, Social, SocialParts};
pub use room::edge::{ChatFrame, ChatView};

/// A message as it is written to sockets: shared by all of them, not copied.
pub type Text = crate::websocket::Frame;
