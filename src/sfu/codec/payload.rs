//! What one packet's payload tells the forwarder, whatever the codec.

/// Spatial layers told apart within one stream: three is what encoders make. Higher ones count as the highest.
pub const SPATIAL_MAX: usize = 4;
/// Temporal layers told apart.
pub const TEMPORAL_MAX: usize = 4;

/// A set of pairs (highest spatial layer, highest temporal layer). Beyond the highest that the stream has, everything stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SwitchSet(u16);

impl SwitchSet {
    pub const NONE: Self = Self(0);

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, spatial: u8, temporal: u8) -> bool {
        self.0 & Self::bit(spatial, temporal) != 0
    }

    #[must_use]
    pub fn with(self, spatial: u8, temporal: u8) -> Self {
        Self(self.0 | Self::bit(spatial, temporal))
    }

    fn bit(spatial: u8, temporal: u8) -> u16 {
        1 << (usize::from(spatial).min(SPATIAL_MAX - 1) * TEMPORAL_MAX + usize::from(temporal).min(TEMPORAL_MAX - 1))
    }
}

/// Facts read from one payload, without decoding. Everything is `false`, zero or `None` where the codec or the packet does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadInfo {
    /// A decoder can start with this packet: it is the first one of a key frame (of the lowest spatial layer).
    pub keyframe_start: bool,
    /// The first packet of a frame (of a layer frame with SVC).
    pub frame_start: bool,
    /// The last packet of a layer frame, where the codec tells it apart from the picture's last: then the RTP marker moves with the layers.
    pub layer_end: bool,
    /// SVC spatial layer inside this stream, 0 = lowest. Simulcast layers are separate streams and all 0.
    pub spatial: u8,
    /// Temporal layer, 0 = lowest.
    pub temporal: u8,
    /// No other frame refers to this one.
    pub discardable: bool,
    /// From this frame on a receiver of the temporal layers below may take this one too.
    pub switching_point: bool,
    /// What a receiver of this frame may take from here on, by a dependency descriptor.
    pub switches_to: SwitchSet,
    /// Width and height in pixels, where this packet tells: of the largest spatial layer.
    pub resolution: Option<(u16, u16)>,
    /// The same for each spatial layer of a stream that has several; 0 by 0: not told.
    pub spatial_sizes: [(u16, u16); SPATIAL_MAX],
    /// H.264: a B slice starts here, which needs reordering that real-time receivers do not do.
    pub has_b_slice: bool,
    /// VP8 and VP9: the numbers that a viewer must see continuous.
    pub picture: Option<PictureIds>,
}

/// The numbers of a VP8 or VP9 payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureIds {
    /// The picture id and whether it has 15 bits (else 7).
    pub picture_id: Option<(u16, bool)>,
    /// Counts frames of the lowest temporal layer, 8 bits.
    pub tl0_pic_idx: Option<u8>,
    /// VP8 KEYIDX, 5 bits.
    pub key_idx: Option<u8>,
}
