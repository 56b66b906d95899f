//! The load generator: many real viewers (ICE, DTLS, SRTP, feedback) cheaper than the server they load, and publishers for them to watch.
//!
//! ```text
//! options ─▶ load ─▶ publisher ─ source (synthetic or a film)       floor (seal and send alone)
//!                 ├▶ viewer ─ picture (reception, playback) ─▶ tally ─▶ report
//!                 └▶ call: members who watch, send (outgoing) and receive each other
//! all: signaling (WHIP, WHEP; janus) ─ sdp ─▶ link (ICE, DTLS, SRTP) ─ socket (with a bad network on request)
//! ```
//! Beside it `crowd`: open WebSockets by the thousand.
//!
//! Not a browser: it decodes nothing and decrypts one packet in fifty. Shares no protocol code with the server, so that it can find
//! its mistakes. Invariant: nothing but this machine is contacted unless `--i-know` is given.

mod call;
mod clock;
mod crowd;
mod floor;
mod janus;
mod link;
mod load;
mod options;
mod outgoing;
mod picture;
mod playback;
mod publisher;
mod reception;
mod report;
mod sdp;
mod signaling;
mod socket;
mod source;
mod tally;
mod timeline;
mod viewer;
mod villain;

pub use crowd::{CrowdOptions, Load, run as run_crowd};
pub use load::run;
pub use options::{LoadOptions, Publish, Speaks};
pub use villain::Attack;
