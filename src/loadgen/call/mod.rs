//! Friends' calls on top of a match, as the page makes them: one of each call has an account and begins it, the others come by its link as guests.
//!
//! ```text
//! party ─▶ member ── conversation (WebSocket: hello, join, call, offers) ──▶ what was agreed, who is on which m-line
//!             └───── media: camera (simulcast, voice with levels) ▲▼ link ▼▲ incoming (match, faces, voices) ─▶ found
//! ```
//! Members of a call speak in turns; all microphones are open, as in a browser without DTX.

mod camera;
mod conversation;
mod found;
mod incoming;
mod media;
mod member;
mod offer;
mod party;

pub(super) use party::round;
