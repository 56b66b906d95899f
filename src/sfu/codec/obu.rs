//! Open bitstream units: what AV1 is made of (AV1 bitstream specification section 5.3), how RTP packs them, and the sequence header.

use super::bits::BitReader;

/// Types of OBU.
pub(crate) const SEQUENCE_HEADER: u8 = 1;
/// Flags of an OBU's first byte.
pub(crate) const HAS_SIZE: u8 = 0x02;
pub(crate) const HAS_EXTENSION: u8 = 0x04;

/// What a coded video sequence is, up to its largest frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    pub profile: u8,
    /// Of the first operating point, which is the whole stream.
    pub level: u8,
    pub high_tier: bool,
    pub width: u16,
    pub height: u16,
}

/// The colour configuration of a coded video sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    pub bit_depth: u8,
    pub monochrome: bool,
    /// Horizontally and vertically.
    pub subsampling: (bool, bool),
    pub sample_position: u8,
}

/// The type that an OBU's first byte names.
pub(crate) const fn kind(first: u8) -> u8 {
    first >> 3 & 0x0f
}

/// The first element of an RTP payload behind its aggregation header (AV1 RTP payload specification 1.0 section 4.3), and what follows. The last
/// of those that the header counts has no length before it.
pub(crate) fn split_element(bytes: &[u8], is_last: bool) -> Option<(&[u8], &[u8])> {
    if is_last {
        return (!bytes.is_empty()).then_some((bytes, &[]));
    }
    let (len, after) = leb128(bytes)?;
    after.split_at_checked(len)
}

/// At most four bytes: no OBU is that long here.
pub(crate) fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// The payload of a sequence header OBU (AV1 bitstream specification section 5.5), up to its colours. They are `None` when it is cut short behind
/// the frame's size.
pub(crate) fn read_sequence_header(body: &[u8]) -> Option<(Sequence, Option<Colour>)> {
    let mut bits = BitReader::new(body);
    let profile = bits.bits(3)? as u8;
    bits.skip(1)?;
    let reduced = bits.bit()?;
    let (level, high_tier) = if reduced { (bits.bits(5)? as u8, false) } else { operating_points(&mut bits)? };
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    let sequence = Sequence { profile, level, high_tier, width: u16::try_from(width).ok()?, height: u16::try_from(height).ok()? };
    let colour = tools(&mut bits, reduced).and_then(|()| colour(&mut bits, profile));
    Some((sequence, colour))
}

fn operating_points(bits: &mut BitReader<'_>) -> Option<(u8, bool)> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            // uvlc() is the same code as ue(v).
            bits.ue()?;
        }
        if bits.bit()? {
            delay_bits = Some(bits.bits(5)? + 1);
            bits.skip(42)?;
        }
    }
    let has_initial_delay = bits.bit()?;
    let mut first = None;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?;
        let level = bits.bits(5)? as u8;
        let high_tier = level > 7 && bits.bit()?;
        first.get_or_insert((level, high_tier));
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_initial_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    first
}

/// The tools that are switched on, which nobody here asks about.
fn tools(bits: &mut BitReader<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.bit()? {
        // Lengths of frame ids.
        bits.skip(7)?;
    }
    // Superblocks of 128, filter intra, intra edge filter.
    bits.skip(3)?;
    if !reduced {
        inter_tools(bits)?;
    }
    // Super resolution, CDEF, restoration.
    bits.skip(3)
}

fn inter_tools(bits: &mut BitReader<'_>) -> Option<()> {
    // Inter-intra, masked, warped, dual filter.
    bits.skip(4)?;
    let has_order_hint = bits.bit()?;
    if has_order_hint {
        bits.skip(2)?;
    }
    let chooses_screen_tools = bits.bit()?;
    let may_use_screen_tools = chooses_screen_tools || bits.bit()?;
    if may_use_screen_tools && !bits.bit()? {
        bits.skip(1)?;
    }
    if has_order_hint {
        bits.skip(3)?;
    }
    Some(())
}

fn colour(bits: &mut BitReader<'_>, profile: u8) -> Option<Colour> {
    /// BT.709 primaries, sRGB transfer, identity matrix.
    const SRGB: (u32, u32, u32) = (1, 13, 0);
    let high = bits.bit()?;
    let bit_depth = match (profile, high) {
        (2, true) => {
            if bits.bit()? {
                12
            } else {
                10
            }
        }
        (_, true) => 10,
        (_, false) => 8,
    };
    let monochrome = profile != 1 && bits.bit()?;
    let description = if bits.bit()? { (bits.bits(8)?, bits.bits(8)?, bits.bits(8)?) } else { (2, 2, 2) };
    if monochrome {
        return Some(Colour { bit_depth, monochrome, subsampling: (true, true), sample_position: 0 });
    }
    if description == SRGB {
        return Some(Colour { bit_depth, monochrome, subsampling: (false, false), sample_position: 0 });
    }
    bits.skip(1)?;
    let subsampling = match (profile, bit_depth) {
        (0, _) => (true, true),
        (1, _) => (false, false),
        (_, 12) => {
            let x = bits.bit()?;
            (x, x && bits.bit()?)
        }
        (_, _) => (true, false),
    };
    let sample_position = if subsampling == (true, true) { bits.bits(2)? as u8 } else { 0 };
    Some(Colour { bit_depth, monochrome, subsampling, sample_position })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By libaom, profile 0, 640 by 360 (from `ffmpeg -c:v libaom-av1`).
    const SEQUENCE: &[u8] = &[0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];

    #[test]
    fn a_sequence_header_tells_size_and_colours() {
        let sequence = Sequence { profile: 0, level: 1, high_tier: false, width: 640, height: 360 };
        let colour = Colour { bit_depth: 8, monochrome: false, subsampling: (true, true), sample_position: 0 };
        assert_eq!(read_sequence_header(SEQUENCE), Some((sequence, Some(colour))));
        assert_eq!(read_sequence_header(&SEQUENCE[..8]), Some((sequence, None)), "cut behind the size");
        assert_eq!(read_sequence_header(&SEQUENCE[..4]), None);
    }

    #[test]
    fn sizes_are_read_up_to_four_bytes() {
        assert_eq!(leb128(&[0x05, 9]), Some((5, &[9][..])));
        assert_eq!(leb128(&[0xe5, 0x8e, 0x26]), Some((624_485, &[][..])));
        assert_eq!(leb128(&[0x80]), None);
        assert_eq!(leb128(&[0x80, 0x80, 0x80, 0x80, 0]), None);
    }
}
