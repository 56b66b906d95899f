//! The VP8 payload descriptor and the first bytes of a key frame (RFC 7741 sections 4.2 and 4.3).

use super::payload::{PayloadInfo, PictureIds};

/// Where the rewritable numbers lie, and what follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Descriptor {
    pub(super) starts_partition: bool,
    partition: u8,
    non_reference: bool,
    pub(super) ids: PictureIds,
    /// Offsets of the numbers in the payload.
    pub(super) picture_id_at: usize,
    pub(super) tl0_at: usize,
    pub(super) key_idx_at: usize,
    temporal: Option<(u8, bool)>,
    len: usize,
}

impl Descriptor {
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut descriptor =
            Self { starts_partition: first & 0x10 != 0, partition: first & 7, non_reference: first & 0x20 != 0, len: 1, ..Self::default() };
        if first & 0x80 == 0 {
            return Some(descriptor);
        }
        let flags = *payload.get(1)?;
        let mut at = 2;
        if flags & 0x80 != 0 {
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
        if flags & 0x40 != 0 {
            descriptor.tl0_at = at;
            descriptor.ids.tl0_pic_idx = Some(*payload.get(at)?);
            at += 1;
        }
        if flags & 0x30 != 0 {
            let byte = *payload.get(at)?;
            if flags & 0x20 != 0 {
                descriptor.temporal = Some((byte >> 6, byte & 0x20 != 0));
            }
            if flags & 0x10 != 0 {
                descriptor.key_idx_at = at;
                descriptor.ids.key_idx = Some(byte & 0x1f);
            }
            at += 1;
        }
        descriptor.len = at;
        Some(descriptor)
    }
}

/// What a packet carries of its frame: everything behind the descriptor. `None`: it is cut off.
pub fn frame_bytes(payload: &[u8]) -> Option<&[u8]> {
    payload.get(Descriptor::parse(payload)?.len..)
}

/// Reads one payload.
pub(super) fn inspect(payload: &[u8]) -> PayloadInfo {
    let Some(descriptor) = Descriptor::parse(payload) else { return PayloadInfo::default() };
    let frame_start = descriptor.starts_partition && descriptor.partition == 0;
    let frame = &payload[descriptor.len.min(payload.len())..];
    // RFC 7741 section 4.3: P, the lowest bit of the frame's first byte, is 0 for a key frame.
    let keyframe_start = frame_start && frame.first().is_some_and(|first| first & 1 == 0);
    let resolution = match frame {
        &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] if keyframe_start => {
            // Two bits of scaling above 14 bits each (RFC 6386 section 9.1).
            Some((u16::from_le_bytes([w0, w1]) & 0x3fff, u16::from_le_bytes([h0, h1]) & 0x3fff))
        }
        _no_key_frame_header => None,
    };
    let (temporal, layer_sync) = descriptor.temporal.unwrap_or((0, false));
    PayloadInfo {
        keyframe_start,
        frame_start,
        temporal,
        discardable: descriptor.non_reference,
        switching_point: layer_sync || keyframe_start,
        resolution,
        picture: Some(descriptor.ids),
        ..PayloadInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_key_frame_with_everything() {
        let payload = [0x90, 0xf0, 0x92, 0x34, 0x56, 0x27, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x42, 0xaa];
        let info = inspect(&payload);
        assert!(info.keyframe_start && info.frame_start && info.switching_point && !info.discardable);
        assert_eq!((info.resolution, info.temporal), (Some((1280, 0x02d0)), 0));
        let expected = PictureIds { picture_id: Some((0x1234, true)), tl0_pic_idx: Some(0x56), key_idx: Some(7) };
        assert_eq!(info.picture, Some(expected));
    }

    #[test]
    fn tells_delta_frames_later_packets_and_layers() {
        let delta = inspect(&[0x90, 0xa0, 0x11, 0x60, 0x01]);
        assert!(delta.frame_start && !delta.keyframe_start && delta.switching_point);
        assert_eq!((delta.temporal, delta.picture.and_then(|ids| ids.picture_id)), (1, Some((0x11, false))));
        assert!(!inspect(&[0x80, 0x80, 0x11, 0x00]).frame_start);
        assert!(!inspect(&[0x11, 0x00]).frame_start, "the second partition");
        assert!(inspect(&[0x10, 0x00]).keyframe_start && inspect(&[0x30, 0x01]).discardable);
        assert_eq!(inspect(&[0x90, 0x80, 0x92]), PayloadInfo::default(), "cut off");
    }
}
