//! What one packet's payload tells the forwarder, whatever the codec.

/// Facts read from one payload, without decoding. Everything is `false`, zero or `None` where the codec or the packet does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadInfo {
    /// A decoder can start with this packet: it is the first one of a key frame (of the lowest spatial layer).
    pub keyframe_start: bool,
    /// The first packet of a frame (of a layer frame with SVC).
    pub frame_start: bool,
    /// SVC spatial layer inside this stream, 0 = lowest. Simulcast layers are separate streams and all 0.
    pub spatial: u8,
    /// Temporal layer, 0 = lowest.
    pub temporal: u8,
    /// No other frame refers to this one.
    pub discardable: bool,
    /// From this frame on a receiver of lower temporal layers may take this one too.
    pub switching_point: bool,
    /// Width and height in pixels, where this packet tells.
    pub resolution: Option<(u16, u16)>,
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
