//! What several tests share. Most of it is a simulated network with simulated WebRTC clients around the media plane's core, on virtual
//! time:
//!
//! ```text
//! client.rs ── link.rs ──▶ engines (code under test) ── oracle.rs: what left is judged here ── link.rs ──▶ client.rs, receiver.rs, decoder.rs
//! media.rs  makes what is published and enters it into the ledger (ledger.rs), in which the oracle looks up what leaves
//! wire.rs   RTP and RTCP in bytes, offer.rs SDP: written independently of the code under test
//! ```

pub(crate) mod client;
pub(crate) mod decoder;
pub(crate) mod docs;
pub(crate) mod flexfec;
pub(crate) mod layered;
pub(crate) mod ledger;
pub(crate) mod link;
pub(crate) mod media;
pub(crate) mod offer;
pub(crate) mod oracle;
pub(crate) mod receiver;
pub(crate) mod screen;
pub(crate) mod seeds;
pub(crate) mod sim;
pub(crate) mod wire;
