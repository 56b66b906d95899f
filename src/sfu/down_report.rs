//! What is told about a down-track: to its viewer in sender reports, to the control plane as news. Set on the packet path, read off it.

use std::time::Instant;

use crate::sfu::codec::Codec;

/// What sender reports need.
#[derive(Debug, Default)]
pub struct SendReport {
    pub packets: u32,
    pub octets: u32,
    pub due: Option<Instant>,
    /// Middle 32 bits of the newest report's NTP time, and when it left: a report block that names it gives the round trip.
    pub newest: Option<(u32, Instant)>,
    pub clock_due: Option<Instant>,
}

/// What the control plane should hear about this track. Set on the packet path, read off it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// The first packet ever left.
    pub playing: bool,
    /// A new segment began: layer, and with it the clock.
    pub switched: bool,
    /// The codec is not among those negotiated.
    pub cannot_decode: Option<Codec>,
    /// The clock should be told again.
    pub clock: bool,
}
