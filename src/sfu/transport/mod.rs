//! One peer's transport below RTP: ICE-lite, DTLS, SRTP. Pure state machines: datagrams and `now` in, datagrams out.
//!
//! ```text
//!                     ┌ Stun ──────▶ ice::IceAgent ──▶ validated addresses, the selected one
//! datagram ─ classify ┼ Dtls ──────▶ dtls::DtlsAssociation ─▶ SrtpKeys, once
//!                     ├ RtpOrRtcp ─▶ srtp::SrtpInbound ─▶ plaintext
//!                     └ Other      (dropped)
//!                                    srtp::{SrtpOutbound, SrtcpOutbound} ─▶ datagram to the selected address
//! ```
//! Only STUN is accepted from any source; DTLS and media only from an address for which [`ice::IceAgent::validated`] holds.

pub mod certificate;
mod client_hello;
pub mod dtls;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod ice;
mod remote;
pub mod srtp;
mod stun;

pub use certificate::{Fingerprint, FingerprintHash, NodeCertificate};
pub use dtls::{DtlsAssociation, DtlsError, DtlsEvent, DtlsRole};
pub use ice::{IceAgent, IceCredentials, IceDrop, IceEvent, IceVerdict};
pub use remote::{ConnectionId, Remote};
pub use srtp::{SrtcpOutbound, SrtpDrop, SrtpInbound, SrtpKeys, SrtpOutbound, SrtpProfile};
pub use stun::{DatagramKind, classify, is_stun, local_ufrag};
