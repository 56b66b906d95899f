//! The social plane: chat, reactions, presence and moderation, on one node or many.

pub mod bus;
pub mod clock;
