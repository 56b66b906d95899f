//! The one integration binary: whole-program tests, and checks of the house itself. Media-plane scenarios run on virtual time: see
//! `support`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod address;
mod allocation;
mod call_swarm;
mod calls;
mod config_docs;
mod demand;
mod hostile;
mod join;
mod layering;
mod layers;
mod leave;
mod loss;
mod memory;
mod metrics_docs;
mod real;
mod returns;
mod runs;
mod server;
mod support;
mod swarm;
mod switch;
mod tap;
mod workers;
