//! The control plane towards browsers and encoders: the WebSocket protocol, WHIP, WHEP, and the live registry behind them.
//!
//! ```text
//! browser ── /v1/ws ──▶ ws ─▶ hello ─▶ session (pure) ──commands──▶ live ─▶ sfu::handle
//!    ▲                  │                 ▲ outcomes, news            │
//!    └──── outbox ◀─────┘                 └───────────────────────────┘ announcements, encoded once
//! encoder ── /whip, /whep ──▶ whip, whep ─▶ live
//! ```
//! Knows no RTP and no HLS. Every refusal is a [`refusal::Refusal`], spoken alike over WebSocket and HTTP.

pub mod ice_servers;
pub mod live;
pub mod protocol;
pub mod refusal;
pub mod rest;
pub mod settings;

mod now;
mod rate;
mod session;
mod slots;
#[cfg(test)]
mod typescript;

pub use live::{Live, LiveParts};
pub use settings::Settings;
