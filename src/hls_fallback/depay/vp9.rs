//! VP9 frames from RTP payloads (RFC 9628).

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Frame;
use crate::hls_fallback::format::Format;
use crate::sfu::codec::vp9::{KeyFrame, frame_bytes, read_key_frame};
use crate::sfu::packet::RtpPacket;

/// Frames of one superframe, as many as its index can name.
const FRAMES_MAX: usize = 8;

/// The picture of these packets, all its spatial layers in one superframe. `None`: it is not whole, or cannot be understood.
pub(super) fn assemble(packets: &[Arc<RtpPacket>]) -> Option<Frame> {
    let first = packets.first()?;
    if !first.info.frame_start {
        return None;
    }
    let mut frames: Vec<BytesMut> = Vec::new();
    for packet in packets {
        if packet.info.frame_start {
            if frames.len() == FRAMES_MAX {
                return None;
            }
            frames.push(BytesMut::new());
        }
        frames.last_mut()?.put_slice(frame_bytes(&packet.payload)?);
    }
    let key = first.info.keyframe_start;
    let format = if key {
        let largest = packets.iter().rev().find_map(|packet| packet.info.resolution);
        Some(read_format(frames.first()?, largest)?)
    } else {
        None
    };
    Some(Frame { key, data: superframe(frames), format })
}

fn read_format(frame: &[u8], largest: Option<(u16, u16)>) -> Option<Format> {
    let header = read_key_frame(frame)?;
    let (width, height) = largest.unwrap_or((header.width, header.height));
    Some(Format::Vp9(KeyFrame { width, height, ..header }))
}

/// One frame as it is; several with an index behind them (VP9 bitstream specification annex B).
fn superframe(frames: Vec<BytesMut>) -> Bytes {
    if frames.len() <= 1 {
        return frames.into_iter().next().unwrap_or_default().freeze();
    }
    let mut out = BytesMut::new();
    // Four bytes a size.
    let marker = 0b1100_0000 | 3 << 3 | (frames.len() as u8 - 1);
    for frame in &frames {
        out.put_slice(frame);
    }
    out.put_u8(marker);
    for frame in &frames {
        out.put_u32_le(frame.len() as u32);
    }
    out.put_u8(marker);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_layers_become_a_superframe() {
        let frames = vec![BytesMut::from(&b"abc"[..]), BytesMut::from(&b"de"[..])];
        let marker = 0b1101_1001;
        let expected = [b"abcde".as_slice(), &[marker, 3, 0, 0, 0, 2, 0, 0, 0, marker]].concat();
        assert_eq!(&superframe(frames)[..], expected);
    }
}
