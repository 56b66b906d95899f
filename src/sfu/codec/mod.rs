//! The codecs that are forwarded, and what must be known of a payload to forward it: no decoding, no trait objects.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod av1;
pub(crate) mod bits;
pub mod dependency;
pub mod h264;
pub mod obu;
mod payload;
pub mod picture_id;
pub mod vp8;
pub mod vp9;

pub use dependency::{DependencyInfo, DependencyReader};
pub use payload::{PayloadInfo, PictureIds, SPATIAL_MAX, SwitchSet, TEMPORAL_MAX};
pub use picture_id::{PictureIdRewriter, patch_payload};

/// A codec that is passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// RFC 6184, packetization mode 1 (and 0).
    H264,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// AV1 RTP payload specification 1.0.
    Av1,
    /// RFC 7587.
    Opus,
}

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Audio,
    Video,
}

impl Codec {
    /// Every codec, video in the order in which we prefer it.
    pub const ALL: [Self; 5] = [Self::H264, Self::Vp8, Self::Vp9, Self::Av1, Self::Opus];

    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::H264 | Self::Vp8 | Self::Vp9 | Self::Av1 => MediaKind::Video,
        }
    }

    /// RTP clock rate, Hz.
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::H264 | Self::Vp8 | Self::Vp9 | Self::Av1 => 90_000,
        }
    }

    /// Encoding name as it stands in `a=rtpmap`.
    pub const fn rtpmap_name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::Opus => "opus",
        }
    }
}

/// What a payload tells the forwarder; `descriptor` is what the stream's [`DependencyReader`] made of the packet's header extension.
/// Reads any bytes without panicking. Of Opus every packet is a frame of its own that a decoder can start with.
pub fn inspect(codec: Codec, payload: &[u8], descriptor: Option<&DependencyInfo>) -> PayloadInfo {
    match codec {
        Codec::H264 => layered(h264::inspect(payload), descriptor),
        Codec::Vp8 => layered(vp8::inspect(payload), descriptor),
        Codec::Vp9 => layered(vp9::inspect(payload), descriptor),
        Codec::Av1 => layered(av1::inspect(payload, descriptor), descriptor),
        Codec::Opus => PayloadInfo { keyframe_start: true, frame_start: true, ..PayloadInfo::default() },
    }
}

/// Of layers the descriptor knows more than any payload, whatever the codec; where frames and key frames begin is the payload's to say.
fn layered(info: PayloadInfo, descriptor: Option<&DependencyInfo>) -> PayloadInfo {
    let Some(descriptor) = descriptor else { return info };
    PayloadInfo {
        layer_end: descriptor.end_of_frame,
        spatial: descriptor.spatial,
        temporal: descriptor.temporal,
        discardable: descriptor.discardable,
        switching_point: descriptor.switching_point || info.keyframe_start,
        switches_to: descriptor.switches_to,
        resolution: descriptor.resolution().or(info.resolution),
        spatial_sizes: if descriptor.resolution().is_some() { descriptor.sizes } else { info.spatial_sizes },
        ..info
    }
}

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz {
    use super::{Codec, DependencyReader, PictureIdRewriter, inspect, patch_payload};

    /// Any bytes as the payload of every codec: no panic, and rewritten picture ids read back.
    pub fn fuzz_payload(payload: &[u8]) {
        for codec in Codec::ALL {
            let info = inspect(codec, payload, None);
            let Some(ids) = info.picture else { continue };
            let mut rewriter = PictureIdRewriter::new();
            rewriter.switch(&ids);
            rewriter.rewrite(&ids);
            rewriter.switch(&ids);
            let rewritten = rewriter.rewrite(&ids);
            let mut patched = payload.to_vec();
            patch_payload(codec, &mut patched, &rewritten);
            assert_eq!(inspect(codec, &patched, None).picture, Some(rewritten));
        }
    }

    /// Any bytes as dependency descriptors, several in a row: no panic.
    pub fn fuzz_descriptor(bytes: &[u8]) {
        let mut reader = DependencyReader::new();
        for descriptor in [bytes, &bytes[..bytes.len() / 2], bytes] {
            if let Some(found) = reader.read(descriptor) {
                inspect(Codec::Av1, bytes, Some(&found));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    fn survives_hostile_bytes() {
        let samples: [&[u8]; 6] = [
            &[0x78, 0, 12, 0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 2, 0x68, 0xce, 0, 3, 0x65, 0x88, 0x84],
            &[0x90, 0xf0, 0x92, 0x34, 0x56, 0x27, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x42],
            &[0b1010_1010, 0x81, 0x02, 0x10, 9, 0b0011_1000, 2, 0x80, 1, 0x68, 5, 0, 2, 0xd0, 1, 0b0000_0100, 1, 0xff],
            &[0b1000_1000, 0x05, 0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0, 0, 0, 0, 0, 0],
            &[0x18, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0x00, 0x00, 0x00, 0x00],
            &[0xc0, 0x00, 0x01, 0x80, 0x00, 0x03, 0x0a, 0x5a, 0x5a, 0x5a, 0x5a, 0xff, 0xff, 0x00, 0x11, 0x22],
        ];
        let samples = samples.map(<[u8]>::to_vec);
        bombard(&samples, fuzz::fuzz_payload);
        bombard(&samples, fuzz::fuzz_descriptor);
    }
}
