//! VP9 frames from RTP payloads (RFC 9628) and the configuration in a key frame's header (VP9 bitstream specification section 6.2).

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Frame;
use crate::hls_fallback::format::{Format, Vp9Format};
use crate::sfu::codec::bits::BitReader;
use crate::sfu::codec::vp9_frame_bytes;
use crate::sfu::packet::RtpPacket;

/// Frames of one superframe, as many as its index can name.
const FRAMES_MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Assembler {
    format: Option<Arc<Format>>,
}

impl Assembler {
    /// The picture of these packets, all its spatial layers in one superframe. `None`: it is not whole, or cannot be understood.
    pub(super) fn assemble(&mut self, packets: &[Arc<RtpPacket>]) -> Option<Frame> {
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
            frames.last_mut()?.put_slice(vp9_frame_bytes(&packet.payload)?);
        }
        let key = first.info.keyframe_start;
        let format = if key {
            let largest = packets.iter().rev().find_map(|packet| packet.info.resolution);
            Some(self.format(frames.first()?, largest)?)
        } else {
            None
        };
        Some(Frame { key, data: superframe(frames), format })
    }

    fn format(&mut self, frame: &[u8], largest: Option<(u16, u16)>) -> Option<Arc<Format>> {
        let header = read_key_frame(frame)?;
        let (width, height) = largest.unwrap_or((header.width, header.height));
        let format = Format::Vp9(Vp9Format { width, height, ..header });
        if self.format.as_deref() != Some(&format) {
            self.format = Some(Arc::new(format));
        }
        self.format.clone()
    }
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

fn read_key_frame(frame: &[u8]) -> Option<Vp9Format> {
    const SRGB: u32 = 7;
    let mut bits = BitReader::new(frame);
    if bits.bits(2)? != 2 {
        return None;
    }
    let (low, high) = (bits.bits(1)?, bits.bits(1)?);
    let profile = (high << 1 | low) as u8;
    if profile == 3 {
        bits.skip(1)?;
    }
    let (shows_existing, is_inter) = (bits.bit()?, bits.bit()?);
    bits.skip(2)?;
    if shows_existing || is_inter || bits.bits(24)? != 0x49_83_42 {
        return None;
    }
    let bit_depth = match profile {
        0 | 1 => 8,
        _high_bit_depth => {
            if bits.bit()? {
                12
            } else {
                10
            }
        }
    };
    let (full_range, chroma_subsampling) = if bits.bits(3)? == SRGB {
        if profile & 1 == 1 {
            bits.skip(1)?;
        }
        (true, 3)
    } else {
        let full_range = bits.bit()?;
        let chroma_subsampling = if profile & 1 == 1 {
            let (x, y) = (bits.bit()?, bits.bit()?);
            bits.skip(1)?;
            match (x, y) {
                (true, true) => 1,
                (true, false) => 2,
                (false, true | false) => 3,
            }
        } else {
            1
        };
        (full_range, chroma_subsampling)
    };
    let (width, height) = (bits.bits(16)? + 1, bits.bits(16)? + 1);
    let (width, height) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
    Some(Vp9Format { profile, bit_depth, chroma_subsampling, full_range, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile 0, 1280 by 720, as libvpx begins a key frame.
    const KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0x20, 0x4f, 0xf0, 0x2c, 0xf0, 0x00];

    #[test]
    fn a_key_frame_tells_its_configuration() {
        let expected = Vp9Format { profile: 0, bit_depth: 8, chroma_subsampling: 1, full_range: false, width: 1280, height: 720 };
        assert_eq!(read_key_frame(KEY), Some(expected));
        assert_eq!(read_key_frame(&[0x86, 0, 0]), None, "an inter frame");
        assert_eq!(read_key_frame(&KEY[..7]), None);
    }

    #[test]
    fn several_layers_become_a_superframe() {
        let frames = vec![BytesMut::from(&b"abc"[..]), BytesMut::from(&b"de"[..])];
        let marker = 0b1101_1001;
        let expected = [b"abcde".as_slice(), &[marker, 3, 0, 0, 0, 2, 0, 0, 0, marker]].concat();
        assert_eq!(&superframe(frames)[..], expected);
    }
}
