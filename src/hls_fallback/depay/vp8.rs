//! VP8 frames from RTP payloads (RFC 7741).

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::Frame;
use crate::hls_fallback::format::Format;
use crate::sfu::codec::vp8::frame_bytes;
use crate::sfu::packet::RtpPacket;

/// The picture of these packets. `None`: it is not whole, or cannot be understood.
pub(super) fn assemble(packets: &[Arc<RtpPacket>]) -> Option<Frame> {
    let first = packets.first()?;
    if !first.info.frame_start {
        return None;
    }
    let mut data = BytesMut::new();
    for packet in packets {
        data.put_slice(frame_bytes(&packet.payload)?);
    }
    let key = first.info.keyframe_start;
    let format = if key {
        let (width, height) = first.info.resolution?;
        Some(Format::Vp8 { width, height })
    } else {
        None
    };
    Some(Frame { key, data: data.freeze(), format })
}
