//! RTP and RTCP on the wire: borrowed views, header extensions, number spaces, reports.
//!
//! ```text
//! datagram ─▶ header::is_rtcp ─┬─▶ header::RtpHeader ─▶ extensions::Extensions ─▶ seq::SeqExtender ─▶ (rtx::unwrap, red::read)
//!                              └─▶ rtcp::parse_compound ─▶ rtcp::RtcpItem
//! ```
//! Every reader takes hostile bytes: it never panics and never allocates.

pub mod extensions;
pub mod flexfec;
pub mod header;
pub mod id;
#[cfg(test)]
pub(crate) mod mutate;
pub mod red;
pub mod rtcp;
pub mod rtcp_build;
#[cfg(test)]
mod rtcp_tests;
pub mod rtx;
pub mod seq;
