//! One broadcast's chat: a home somewhere, an edge on every node with viewers.
//!
//! ```text
//! seat ─▶ edge (pure) ──in──▶ home (pure): speakers, transcript, sampler ──log──▶ bus
//!   ▲        │ ▲                                │
//!   └─ ring ◀┘ └──────────────out───────────────┘
//! ```

mod desk;
pub(crate) mod edge;
pub(crate) mod held;
pub(crate) mod home;
pub(crate) mod ring;
mod sampler;
pub(crate) mod sight;
pub(crate) mod snapshot;
mod speakers;
mod transcript;

#[cfg(test)]
pub(crate) mod test_support;
