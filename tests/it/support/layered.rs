//! Streams with layers, as encoders make them: which frames there are, what they refer to, and how VP9 and AV1 say so. By the letter of
//! RFC 9628 and of the AV1 RTP payload specification, not by the code under test.

use std::rc::Rc;

use courtside::sfu::codec::Codec;

use super::ledger::LayerFrame;

/// How a stream is layered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layering {
    /// Temporal layers of the pictures of a period.
    pub pattern: &'static [u8],
    /// Lower spatial layers are referred to at key pictures only (`_KEY`).
    pub key_only: bool,
    /// Spatial layers in one stream; else each layer of the show is a stream.
    pub svc: bool,
}

pub(crate) const T2: &[u8] = &[0, 1];
pub(crate) const T3: &[u8] = &[0, 2, 1, 2];

/// The frames of one layered stream, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    at: usize,
    /// The newest frame by spatial and temporal layer since the last key picture.
    newest: [[Option<u32>; 3]; 4],
    next_id: u32,
}

impl Frames {
    /// `base` keeps the frames of different streams apart.
    pub(crate) fn new(base: u32) -> Self {
        Self { next_id: base, ..Self::default() }
    }

    /// The temporal layer of the next picture.
    pub(crate) fn begin_picture(&mut self, key: bool, pattern: &[u8]) -> u8 {
        if key {
            *self = Self { next_id: self.next_id, ..Self::default() };
        }
        self.at += 1;
        pattern[(self.at - 1) % pattern.len()]
    }

    /// A frame refers to the newest one below its temporal layer (the lowest to its own), and to the spatial layer below.
    pub(crate) fn make(&mut self, key: bool, spatial: u8, temporal: u8, packets: usize, layering: &Layering) -> Rc<LayerFrame> {
        let mut needs = Vec::new();
        if !key {
            let below = if temporal == 0 { 1 } else { usize::from(temporal) };
            needs.extend(self.newest[usize::from(spatial)][..below].iter().flatten().max());
        }
        if spatial > 0 && (key || !layering.key_only) {
            needs.push(self.next_id - 1);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.newest[usize::from(spatial)][usize::from(temporal)] = Some(id);
        if temporal == 0 {
            self.newest[usize::from(spatial)][1..].fill(None);
        }
        Rc::new(LayerFrame { id, spatial, temporal, packets, needs })
    }
}

/// What a packet is of its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub key: bool,
    pub first: bool,
    pub last: bool,
    pub sizes: [(u16, u16); 4],
    /// Spatial layers of the stream.
    pub spatial: usize,
}

/// RFC 9628 section 4.2, non-flexible mode.
pub(crate) fn vp9_head(frame: &LayerFrame, place: Place, picture: u16, tl0: u8, key_only: bool) -> Vec<u8> {
    let structure = place.key && place.first && frame.spatial == 0;
    let flags = 0xa0
        | if place.key { 0 } else { 0x40 }
        | if place.first { 0x08 } else { 0 }
        | if place.last { 0x04 } else { 0 }
        | if structure { 0x02 } else { 0 };
    // Encoders set U where no frame of the same or a higher temporal layer is referred to.
    let switches_up = frame.temporal > 0;
    let depends = frame.spatial > 0 && (place.key || !key_only);
    let layers = frame.temporal << 5 | u8::from(switches_up) << 4 | frame.spatial << 1 | u8::from(depends);
    let mut head = vec![flags, 0x80 | (picture >> 8) as u8, picture as u8, layers, tl0];
    if structure {
        head.push(((place.spatial - 1) as u8) << 5 | 0x10);
        for (width, height) in &place.sizes[..place.spatial] {
            head.extend(width.to_be_bytes());
            head.extend(height.to_be_bytes());
        }
    }
    head.extend(place.first.then_some(if place.key && frame.spatial == 0 { 0x82 } else { 0x86 }));
    head
}

/// AV1 RTP payload specification, appendix A: the descriptor of one packet.
pub(crate) fn dependency_descriptor(frame: &LayerFrame, place: Place, temporal: u8) -> Vec<u8> {
    // Templates by layer: the key picture's (spatial layers only), then the others.
    let per_layer = usize::from(temporal) + 1;
    let within = if place.key { 0 } else { 1 + usize::from(frame.temporal) };
    let template = usize::from(frame.spatial) * per_layer + within;
    let mut fields = vec![(u32::from(place.first), 1), (u32::from(place.last), 1), (template as u32, 6), (frame.id & 0xffff, 16)];
    if place.key && place.first && frame.spatial == 0 {
        fields.extend([(1, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
        write_structure(&mut fields, &place.sizes[..place.spatial], temporal);
    }
    packed(&fields)
}

fn write_structure(fields: &mut Vec<(u32, u32)>, sizes: &[(u16, u16)], temporal: u8) {
    let targets = sizes.len() as u32 * u32::from(temporal);
    fields.extend([(0, 6), (targets - 1, 5)]);
    for spatial in 0..sizes.len() {
        for t in 0..temporal {
            let is_last = t + 1 == temporal;
            fields.extend((t == 0).then_some((0, 2)));
            fields.push((
                if !is_last {
                    1
                } else if spatial + 1 < sizes.len() {
                    2
                } else {
                    3
                },
                2,
            ));
        }
    }
    for spatial in 0..sizes.len() {
        for template in 0..=temporal {
            let (key, own) = (template == 0, template.saturating_sub(1));
            for target_spatial in 0..sizes.len() {
                for target_temporal in 0..temporal {
                    // 0 not present, 1 discardable, 2 switch, 3 required.
                    let indication = if target_spatial < spatial || target_temporal < own {
                        0
                    } else if key || target_spatial == spatial && own + 1 < temporal {
                        2
                    } else if target_spatial == spatial {
                        1
                    } else {
                        3
                    };
                    fields.push((indication, 2));
                }
            }
        }
    }
    // No frame differences, no chains (`ns(targets + 1)` of 0), then the sizes.
    fields.extend(std::iter::repeat_n((0, 1), sizes.len() * (usize::from(temporal) + 1)));
    fields.push((0, (u32::BITS - (targets + 1).leading_zeros()) - 1));
    fields.push((1, 1));
    for &(width, height) in sizes {
        fields.extend([(u32::from(width) - 1, 16), (u32::from(height) - 1, 16)]);
    }
}

fn packed(fields: &[(u32, u32)]) -> Vec<u8> {
    let bits: Vec<bool> = fields.iter().flat_map(|&(value, width)| (0..width).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    bits.chunks(8).map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))).collect()
}

/// Whether packets of this codec carry a descriptor.
pub(crate) const fn has_descriptor(codec: Codec) -> bool {
    matches!(codec, Codec::Av1)
}
