//! Congestion control towards one viewer: what its path carries, found out without filling it. Sans-I/O: sent packets, feedback and time
//! go in; an estimate and orders to probe come out. No allocation once a viewer plays, no timer per viewer.
//!
//! ```text
//! forward.rs ──every packet──▶ history.rs ◀──transport-wide feedback── engine/reports.rs
//!                                  │ when sent, how large
//!                                  ▼
//!                 arrivals.rs ─▶ estimator.rs ◀── probe.rs ◀─▶ shared_path.rs   whose turn it is behind one address
//!                                  │ Budget          ▲ Demand
//!                                  ▼                 │      easing.rs   how fast frames may leave
//!                              allocator.rs ─────────┘ which layers; what would be wanted next
//! ```
//! Held to its aims in simulation (`scenarios.rs`). `engine/rates.rs` feeds it and carries out what it decides.
//!
//! A client that sends no transport-wide feedback is judged by what it does say: REMB, loss in receiver reports (`reported.rs`).

mod allocator;
mod arrivals;
mod controller;
mod easing;
mod estimator;
mod history;
mod probe;
mod reported;
mod shared_path;

#[cfg(test)]
mod scenario;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;

pub use allocator::{Allocator, Picture, Rank};
pub use controller::{Controller, PathReport};
pub use history::SentPackets;
pub use probe::Cluster;
pub use shared_path::{PathKey, SharedPath, SharedPaths};

/// A step up must fit this much better than exactly. More would be wasteful: a probe over a full link measures 0.95 of its rate.
pub const UP_MARGIN: f64 = 1.1;
/// The pacer's rate as a multiple of the layer's: frames are spread, and the queue behind the bottleneck stays empty. Multiples of the
/// estimate would fill it.
pub const PACING_MARGIN: f64 = 1.1;

/// What one viewer is sent and would like to be sent, bits per second on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    pub current_bps: u32,
    /// With the next step up; `None`: nothing more is wanted.
    pub next_bps: Option<u32>,
    /// With everything that is wanted.
    pub top_bps: u32,
    /// Faces are among what is sent: they give way before anything that anybody else watches.
    pub has_faces: bool,
    /// A picture that is wanted is not sent at all.
    pub lacks: bool,
}

/// What may be sent, bits per second on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// More than this does not fit.
    pub estimate_bps: f64,
    /// Up to this it has been shown to fit, lately: steps up stay below.
    pub proven_bps: f64,
    /// A queue or loss spoke against more, lately. Otherwise the estimate may only lag behind what is sent, and that gets through all the same.
    pub is_full: bool,
}
