//! The whole program over real sockets: a server in this process, publishers and viewers of the `webrtc` crate, hand-made hostile traffic.
//!
//! No fixed ports, no sleeps: every wait is for an event and has a deadline ([`house::within`]). What arrives is judged by
//! [`picture::judge`], which knows nothing of how the server works.

#![expect(clippy::disallowed_methods, reason = "real time")]

mod accounts;
mod client;
mod dvr;
mod hostile;
mod house;
mod ipv6;
mod load;
mod media;
mod nginx;
mod picture;
mod program;
mod recovery;
mod relay;
mod roaming;
mod signed_paths;
mod socket;
mod statuses;
mod tcp;
