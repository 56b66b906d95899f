//! SDP offer in, answer and facts out (RFC 8829, RFC 9429, RFC 8843). Only the client offers, so there is no glare and no state here.
//!
//! ```text
//! offer text ─ Offer::parse ─▶ Offer ─ negotiate(&offer, policy) ─▶ Negotiated { sdp: answer text, media: what was agreed }
//!              every rule of form          every choice of ours
//! ```
//! Renegotiation is the same again: the caller compares what was agreed before with what is agreed now.

mod answer;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod offer;

pub use answer::{AnswerPolicy, Feedback, MediaRole, Negotiated, NegotiatedCodec, NegotiatedMedia, NegotiatedProfile, negotiate};
pub use offer::{Direction, MediaType, Offer, OfferedExtension, OfferedMedia, OfferedPayload, Setup};

#[cfg(test)]
mod tests;
