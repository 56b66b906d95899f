//! What a decoder must know before the first frame, and how playlists name it.

use bytes::Bytes;

use crate::sfu::codec::MediaKind;
use crate::sfu::codec::obu::{Colour, Sequence};
use crate::sfu::codec::vp9::KeyFrame;

/// The configuration of one track. Two that are equal share an initialisation segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    H264 {
        /// NAL units with their headers, without start codes.
        sps: Bytes,
        pps: Vec<Bytes>,
        width: u16,
        height: u16,
    },
    /// No player takes it in MP4; a child does, that makes H.264 of it.
    Vp8 {
        width: u16,
        height: u16,
    },
    Vp9(KeyFrame),
    Av1(Av1Format),
    /// 48 kHz, two channels: what RTP carries (RFC 7587).
    Opus,
    /// AAC-LC of two channels at 48 kHz.
    Aac,
}

/// Of an AV1 sequence header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Av1Format {
    /// The OBU with its size field, and what it says.
    pub sequence_header: Bytes,
    pub sequence: Sequence,
    pub colour: Colour,
}

impl Format {
    pub const fn kind(&self) -> MediaKind {
        match self {
            Self::H264 { .. } | Self::Vp8 { .. } | Self::Vp9(_) | Self::Av1(_) => MediaKind::Video,
            Self::Opus | Self::Aac => MediaKind::Audio,
        }
    }

    /// Ticks per second of its media clock.
    pub const fn timescale(&self) -> u32 {
        match self.kind() {
            MediaKind::Video => 90_000,
            MediaKind::Audio => 48_000,
        }
    }

    /// Pixels, of video.
    pub const fn size(&self) -> Option<(u16, u16)> {
        match self {
            Self::H264 { width, height, .. } | Self::Vp8 { width, height } => Some((*width, *height)),
            Self::Vp9(format) => Some((format.width, format.height)),
            Self::Av1(format) => Some((format.sequence.width, format.sequence.height)),
            Self::Opus | Self::Aac => None,
        }
    }

    /// As `CODECS` has it (RFC 6381, the VP9 and AV1 bindings to ISO BMFF).
    pub fn codecs(&self) -> String {
        match self {
            Self::H264 { sps, .. } => match sps.get(1..4) {
                Some([profile, constraints, level]) => format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
                Some(_) | None => "avc1".to_owned(),
            },
            Self::Vp8 { .. } => "vp08.00.41.08".to_owned(),
            Self::Vp9(format) => format!("vp09.{:02}.{:02}.{:02}", format.profile, vp9_level(format), format.bit_depth),
            Self::Av1(format) => {
                let Sequence { profile, level, high_tier, .. } = format.sequence;
                let tier = if high_tier { 'H' } else { 'M' };
                format!("av01.{profile}.{level:02}{tier}.{:02}", format.colour.bit_depth)
            }
            Self::Opus => "opus".to_owned(),
            Self::Aac => "mp4a.40.2".to_owned(),
        }
    }
}

/// Ten times the level that a picture of this size needs at up to 60 Hz; the stream does not tell (VP9 levels, Annex A).
pub const fn vp9_level(format: &KeyFrame) -> u8 {
    match format.width as u32 * format.height as u32 {
        0..=36_864 => 11,
        36_865..=122_880 => 21,
        122_881..=245_760 => 30,
        245_761..=552_960 => 31,
        552_961..=983_040 => 40,
        983_041..=2_228_224 => 41,
        2_228_225..=8_912_896 => 51,
        _ => 61,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_named_as_players_expect() {
        let h264 = Format::H264 { sps: Bytes::from_static(&[0x67, 0x42, 0xe0, 0x1f]), pps: Vec::new(), width: 1280, height: 720 };
        assert_eq!(h264.codecs(), "avc1.42e01f");
        let vp9 = KeyFrame { profile: 0, bit_depth: 8, chroma_subsampling: 1, full_range: false, width: 1280, height: 720 };
        assert_eq!(Format::Vp9(vp9).codecs(), "vp09.00.40.08");
        let av1 = Av1Format {
            sequence_header: Bytes::new(),
            sequence: Sequence { profile: 0, level: 5, high_tier: false, width: 640, height: 360 },
            colour: Colour { bit_depth: 8, monochrome: false, subsampling: (true, true), sample_position: 0 },
        };
        assert_eq!(Format::Av1(av1).codecs(), "av01.0.05M.08");
    }
}
