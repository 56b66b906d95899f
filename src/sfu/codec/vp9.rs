//! The VP9 payload descriptor (RFC 9628 section 4.2) and the key frame's own header.

use super::bits::BitReader;
use super::payload::{PayloadInfo, PictureIds, SPATIAL_MAX};

/// What a key frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFrame {
    pub profile: u8,
    pub bit_depth: u8,
    /// As `vpcC` counts: 1 is 4:2:0 with collocated samples, 2 is 4:2:2, 3 is 4:4:4.
    pub chroma_subsampling: u8,
    pub full_range: bool,
    pub width: u16,
    pub height: u16,
}

/// What the descriptor says and where the rewritable numbers lie.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Descriptor {
    pub(super) ids: PictureIds,
    pub(super) picture_id_at: usize,
    pub(super) tl0_at: usize,
    inter_predicted: bool,
    begins_frame: bool,
    ends_frame: bool,
    layer: Option<Layer>,
    sizes: [(u16, u16); SPATIAL_MAX],
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Layer {
    temporal: u8,
    switching_up: bool,
    spatial: u8,
}

impl Descriptor {
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let flags = *payload.first()?;
        let has = |bit: u8| flags >> (7 - bit) & 1 == 1;
        let mut descriptor = Self { inter_predicted: has(1), begins_frame: has(4), ends_frame: has(5), ..Self::default() };
        let flexible = has(3);
        let mut at = 1;
        if has(0) {
            descriptor.picture_id_at = at;
            let high = *payload.get(at)?;
            if high & 0x80 != 0 {
                descriptor.ids.picture_id = Some((u16::from(high & 0x7f) << 8 | u16::from(*payload.get(at + 1)?), true));
                at += 2;
            } else {
                descriptor.ids.picture_id = Some((u16::from(high), false));
                at += 1;
            }
        }
        if has(2) {
            let byte = *payload.get(at)?;
            at += 1;
            descriptor.layer = Some(Layer { temporal: byte >> 5, switching_up: byte & 0x10 != 0, spatial: byte >> 1 & 7 });
            if !flexible {
                descriptor.tl0_at = at;
                descriptor.ids.tl0_pic_idx = Some(*payload.get(at)?);
                at += 1;
            }
        }
        if flexible && descriptor.inter_predicted {
            // At most three reference differences, each saying whether another follows.
            for _ in 0..3 {
                let difference = *payload.get(at)?;
                at += 1;
                if difference & 1 == 0 {
                    break;
                }
            }
        }
        if has(6) {
            (at, descriptor.sizes) = scalability_structure(payload, at)?;
        }
        descriptor.len = at;
        Some(descriptor)
    }
}

/// Returns where it ends and the resolution of each layer, if it tells.
fn scalability_structure(payload: &[u8], mut at: usize) -> Option<(usize, [(u16, u16); SPATIAL_MAX])> {
    let head = *payload.get(at)?;
    at += 1;
    let mut sizes = [(0, 0); SPATIAL_MAX];
    if head & 0x10 != 0 {
        for layer in 0..=usize::from(head >> 5) {
            let size: &[u8; 4] = payload.get(at..)?.first_chunk()?;
            sizes[layer.min(SPATIAL_MAX - 1)] = (u16::from_be_bytes([size[0], size[1]]), u16::from_be_bytes([size[2], size[3]]));
            at += 4;
        }
    }
    if head & 0x08 != 0 {
        let pictures = *payload.get(at)?;
        at += 1;
        for _ in 0..pictures {
            let references = *payload.get(at)? >> 2 & 3;
            at += 1 + usize::from(references);
        }
    }
    Some((at, sizes))
}

/// The part of a frame that a payload carries, behind its descriptor. `None`: there is no descriptor, or nothing behind it.
pub(crate) fn frame_bytes(payload: &[u8]) -> Option<&[u8]> {
    let frame = payload.get(Descriptor::parse(payload)?.len..)?;
    (!frame.is_empty()).then_some(frame)
}

/// Reads one payload.
pub(super) fn inspect(payload: &[u8]) -> PayloadInfo {
    let Some(descriptor) = Descriptor::parse(payload) else { return PayloadInfo::default() };
    let (temporal, switching_up, spatial) = match descriptor.layer {
        Some(layer) => (layer.temporal, layer.switching_up, layer.spatial),
        None => (0, false, 0),
    };
    let frame = &payload[descriptor.len.min(payload.len())..];
    let begins_intra = !descriptor.inter_predicted && descriptor.begins_frame && spatial == 0;
    let keyframe_start = begins_intra && !is_no_key_frame(frame);
    let resolution = descriptor.sizes.iter().rfind(|size| **size != (0, 0)).copied();
    PayloadInfo {
        keyframe_start,
        frame_start: descriptor.begins_frame,
        spatial,
        temporal,
        switching_point: switching_up || keyframe_start,
        layer_end: descriptor.ends_frame,
        resolution: resolution.or_else(|| if keyframe_start { read_key_frame(frame).map(|key| (key.width, key.height)) } else { None }),
        spatial_sizes: descriptor.sizes,
        picture: Some(descriptor.ids),
        ..PayloadInfo::default()
    }
}

/// Whether the frame's own first bits deny a key frame: it is intra-only, which is no place to start, or comes from a sender that never
/// sets P (FFmpeg's packetizer). Bits that are no VP9 frame deny nothing.
fn is_no_key_frame(frame: &[u8]) -> bool {
    let Some(&first) = frame.first() else { return false };
    // Frame marker 2, two bits of profile, then (a reserved bit in profile 3 and) show_existing_frame and frame_type.
    let is_vp9 = first >> 6 == 2;
    let is_profile_3 = first & 0x30 == 0x30;
    let flags = if is_profile_3 { first & 0x06 } else { first & 0x0c };
    is_vp9 && flags != 0
}

/// What a key frame's uncompressed header says (VP9 bitstream specification section 6.2), which begins the frame.
pub(crate) fn read_key_frame(frame: &[u8]) -> Option<KeyFrame> {
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
    if shows_existing || is_inter || bits.bits(24)? != 0x49_8342 {
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
    Some(KeyFrame { profile, bit_depth, chroma_subsampling, full_range, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_tells_its_configuration() {
        // Profile 0, 1280 by 720, as libvpx begins a key frame.
        let frame = [0x82, 0x49, 0x83, 0x42, 0x20, 0x4f, 0xf0, 0x2c, 0xf0, 0x00];
        let expected = KeyFrame { profile: 0, bit_depth: 8, chroma_subsampling: 1, full_range: false, width: 1280, height: 720 };
        assert_eq!(read_key_frame(&frame), Some(expected));
        assert_eq!(read_key_frame(&[0x86, 0, 0]), None, "an inter frame");
        assert_eq!(read_key_frame(&frame[..7]), None);
    }

    #[test]
    fn reads_a_non_flexible_key_frame_with_structure() {
        // I, L, B, V; 15-bit id 0x0102; tid 0 u 1 sid 0; tl0 9; SS of two layers with sizes and one group entry of one reference.
        let payload = [0b1010_1010, 0x81, 0x02, 0x10, 9, 0b0011_1000, 2, 0x80, 1, 0x68, 5, 0, 2, 0xd0, 1, 0b0000_0100, 1, 0xff];
        let info = inspect(&payload);
        assert!(info.keyframe_start && info.frame_start && info.switching_point);
        assert_eq!((info.resolution, info.spatial, info.temporal), (Some((1280, 720)), 0, 0));
        let expected = PictureIds { picture_id: Some((0x0102, true)), tl0_pic_idx: Some(9), key_idx: None };
        assert_eq!(info.picture, Some(expected));
        assert_eq!(Descriptor::parse(&payload).map(|descriptor| descriptor.len), Some(17));
    }

    #[test]
    fn tells_layers_and_references_in_flexible_mode() {
        // I, P, L, F, B; 7-bit id; tid 2 u 0 sid 1; two differences.
        let payload = [0b1111_1000, 0x05, 0b0100_0010, 0x03, 0x04, 0xff];
        let info = inspect(&payload);
        assert!(!info.keyframe_start && info.frame_start && !info.switching_point);
        assert_eq!((info.spatial, info.temporal), (1, 2));
        assert_eq!(info.picture, Some(PictureIds { picture_id: Some((5, false)), ..PictureIds::default() }));
        assert_eq!(Descriptor::parse(&payload).map(|descriptor| descriptor.len), Some(5));
    }

    #[test]
    fn upper_spatial_layers_of_a_key_picture_are_no_place_to_start() {
        assert!(!inspect(&[0b1010_1000, 0x05, 0b0000_0011, 7]).keyframe_start);
        assert!(!inspect(&[0b1000_0000, 0x05]).keyframe_start, "not the beginning");
    }

    #[test]
    fn the_frame_itself_may_deny_a_key_frame() {
        let rows =
            [(0b1000_0010, true), (0b1000_0110, false), (0b1000_1000, false), (0b1011_0001, true), (0b1011_0010, false), (0xff, true)];
        for (first, keyframe) in rows {
            assert_eq!(inspect(&[0b1000_1000, 0x05, first, 0]).keyframe_start, keyframe, "{first:08b}");
        }
    }

    #[test]
    fn reads_the_size_from_the_key_frame_itself() {
        // Frame marker 2, profile 0, no existing frame, key frame, shown; sync code; colour space 1, range 0; 640x360.
        let mut bits = 0u128;
        for (value, width) in [(2, 2), (0, 2), (0, 1), (0, 1), (1, 1), (0, 1), (0x49_8342, 24), (1, 3), (0, 1), (639, 16), (359, 16)] {
            bits = bits << width | value;
        }
        let frame = (bits << (128 - 68)).to_be_bytes();
        let payload = [&[0b1000_1000, 0x05][..], &frame].concat();
        assert_eq!(inspect(&payload).resolution, Some((640, 360)));
    }
}
