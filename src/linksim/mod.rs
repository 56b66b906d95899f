//! A bad network, on purpose: a model of one link, and a UDP relay that behaves like it.
//!
//! ```text
//! client ──▶ relay: one socket per media port ──▶ flow: one per client ──▶ server
//!                                                 its own two links, and a socket of its own, as behind a NAT
//! spec  "rate=600k loss=2%" ─▶ script  "at=10s ..." ─▶ model  when does this packet arrive, if it does
//! ```
//! `model`, `in_flight`, `spec` and `script` are pure: the tests on virtual time and the load generator use the same ones. `relay` is the shell.

pub mod in_flight;
pub mod model;
mod relay;
pub mod script;
pub mod spec;

pub use relay::{DirectionCounts, Relay, RelayOptions, Snapshot, run};
