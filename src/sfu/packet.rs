//! One media packet as the media plane carries it: decrypted and parsed once, then shared by every viewer, tap and cache.

use std::time::Instant;

use bytes::Bytes;

use crate::sfu::codec::{Codec, PayloadInfo};
use crate::sfu::rtp::extensions::{AbsCaptureTime, AudioLevel, PlayoutDelay};
use crate::sfu::rtp::seq::{RtpTime, SeqNo};

/// A packet of one layer of one up-track. Immutable; shared by `Arc`, never copied per viewer.
#[derive(Debug)]
pub struct RtpPacket {
    /// Extended sequence number on the layer's own stream.
    pub seq: SeqNo,
    /// RTP timestamp as the publisher stamped it.
    pub time: RtpTime,
    pub marker: bool,
    pub codec: Codec,
    /// What the codec's payload header told.
    pub info: PayloadInfo,
    /// When it reached this node.
    pub received: Instant,
    /// A hole mended by retransmission: older than packets already forwarded.
    pub recovered: bool,
    pub extensions: ForwardedExtensions,
    /// Without padding, never empty.
    pub payload: Bytes,
}

/// The header extensions that travel from publisher to viewer with the packet.
#[derive(Debug, Clone, Default)]
pub struct ForwardedExtensions {
    pub audio_level: Option<AudioLevel>,
    pub abs_capture_time: Option<AbsCaptureTime>,
    pub playout_delay: Option<PlayoutDelay>,
    pub video_orientation: Option<u8>,
    /// AV1 RTP specification appendix A, verbatim.
    pub dependency_descriptor: Option<Bytes>,
}
