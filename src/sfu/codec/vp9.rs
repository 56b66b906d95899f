//! The VP9 payload descriptor and, where the scalability structure is absent, the key frame's own header (RFC 9628 section 4.2).

use super::bits::BitReader;
use super::payload::{PayloadInfo, PictureIds, SPATIAL_MAX};

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

/// What stands behind the descriptor.
pub(super) fn frame_bytes(payload: &[u8]) -> Option<&[u8]> {
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
        resolution: resolution.or_else(|| if keyframe_start { key_frame_resolution(frame) } else { None }),
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

/// From the uncompressed header of a key frame (VP9 bitstream specification section 6.2).
fn key_frame_resolution(frame: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(frame.get(..16).unwrap_or(frame));
    if bits.bits(2)? != 2 {
        return None;
    }
    let profile = u32::from(bits.bit()?) | u32::from(bits.bit()?) << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let shows_existing = bits.bit()?;
    let is_inter = bits.bit()?;
    bits.skip(2)?;
    if shows_existing || is_inter || bits.bits(24)? != 0x49_8342 {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    // Colour space 7 is RGB.
    if bits.bits(3)? == 7 {
        bits.skip(if profile & 1 == 1 { 1 } else { 0 })?;
    } else {
        bits.skip(if profile & 1 == 1 { 4 } else { 1 })?;
    }
    let (width, height) = (bits.bits(16)? + 1, bits.bits(16)? + 1);
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

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
