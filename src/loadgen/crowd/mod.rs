//! A crowd with open WebSockets in one chat, on one core: what it costs a server to keep them and to tell all of them the same thing, and what
//! each of them feels when very much is said, thrown at the screen, or read slowly.
//!
//! ```text
//! options ─▶ run ─▶ people (accounts, by REST)
//!               ├─▶ fanout: counts frames          ┐
//!               ├─▶ flood ─ ledger: who heard what │─▶ wire (RFC 6455)
//!               ├─▶ reactions                      │   spread, spoken
//!               └─▶ slow                           ┘
//! ```
//! Its own few lines of RFC 6455, so that a generator on one core outpaces the server on another. Latencies are from one socket's write to
//! another one's read in this process, its own delays included.

mod fanout;
mod flood;
mod ledger;
mod options;
mod people;
mod reactions;
mod run;
mod slow;
mod spoken;
mod spread;
mod wire;

pub use options::{CrowdOptions, Load};
pub use run::run;
