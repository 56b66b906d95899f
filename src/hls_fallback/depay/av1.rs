//! AV1 temporal units from RTP payloads (AV1 RTP payload specification 1.0) as samples of `av01`: every OBU with its size, without temporal
//! delimiters (AV1 ISOBMFF binding section 2.4).

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Frame;
use crate::hls_fallback::format::{Av1Format, Format};
use crate::limits::HLS_OBUS_MAX;
use crate::sfu::codec::bits::BitReader;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;
const HAS_SIZE: u8 = 0x02;
const HAS_EXTENSION: u8 = 0x04;

#[derive(Debug, Default)]
pub(super) struct Assembler {
    format: Option<Arc<Format>>,
}

impl Assembler {
    /// The temporal unit of these payloads. `None`: it is not whole, or cannot be understood.
    pub(super) fn assemble<'a>(&mut self, payloads: impl Iterator<Item = &'a Bytes>) -> Option<Frame> {
        let mut obus: Vec<BytesMut> = Vec::new();
        let mut is_open = false;
        for payload in payloads {
            let aggregation = *payload.first()?;
            let (continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
            if continues != is_open {
                return None;
            }
            let announced = usize::from(aggregation >> 4 & 3);
            let mut rest = payload.get(1..)?;
            let mut index = 0;
            while !rest.is_empty() {
                index += 1;
                let (element, after) = if index == announced {
                    (rest, &[][..])
                } else {
                    let (len, body) = leb128(rest)?;
                    body.split_at_checked(len)?
                };
                if index == 1 && continues {
                    obus.last_mut()?.put_slice(element);
                } else if obus.len() == HLS_OBUS_MAX {
                    return None;
                } else {
                    obus.push(BytesMut::from(element));
                }
                rest = after;
            }
            is_open = goes_on;
        }
        if is_open {
            return None;
        }
        let mut data = BytesMut::new();
        let mut format = None;
        for obu in &obus {
            let (head, body) = split(obu)?;
            match head[0] >> 3 & 0x0f {
                TEMPORAL_DELIMITER | TILE_LIST | PADDING => {}
                kind => {
                    let whole = with_size(head, body);
                    if kind == SEQUENCE_HEADER {
                        format = Some(self.format(body, &whole)?);
                    }
                    data.put_slice(&whole);
                }
            }
        }
        Some(Frame { key: format.is_some(), data: data.freeze(), format })
    }

    fn format(&mut self, body: &[u8], obu: &[u8]) -> Option<Arc<Format>> {
        let format = Format::Av1(Av1Format { sequence_header: Bytes::copy_from_slice(obu), ..read_sequence_header(body)? });
        if self.format.as_deref() != Some(&format) {
            self.format = Some(Arc::new(format));
        }
        self.format.clone()
    }
}

/// Header (with its extension) and payload of an OBU, whether it has a size of its own or not.
fn split(obu: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *obu.first()?;
    let (head, rest) = obu.split_at_checked(if first & HAS_EXTENSION != 0 { 2 } else { 1 })?;
    if first & HAS_SIZE == 0 {
        return Some((head, rest));
    }
    let (len, body) = leb128(rest)?;
    Some((head, body.get(..len)?))
}

fn with_size(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = vec![head[0] | HAS_SIZE];
    out.extend_from_slice(&head[1..]);
    let mut len = body.len();
    while len >= 0x80 {
        out.push(len as u8 & 0x7f | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(body);
    out
}

/// At most four bytes: no OBU here is longer than `limits::HLS_FRAME_BYTES_MAX`.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// AV1 bitstream specification section 5.5, up to the colour configuration.
fn read_sequence_header(body: &[u8]) -> Option<Av1Format> {
    let mut bits = BitReader::new(body);
    let profile = bits.bits(3)? as u8;
    bits.skip(1)?;
    let reduced = bits.bit()?;
    let (level, high_tier) = if reduced { (bits.bits(5)? as u8, false) } else { operating_points(&mut bits)? };
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    if !reduced && bits.bit()? {
        // Lengths of frame ids.
        bits.skip(7)?;
    }
    // Superblocks of 128, filter intra, intra edge filter.
    bits.skip(3)?;
    if !reduced {
        tools(&mut bits)?;
    }
    // Super resolution, CDEF, restoration.
    bits.skip(3)?;
    let (bit_depth, monochrome, subsampling, sample_position) = colour(&mut bits, profile)?;
    Some(Av1Format {
        sequence_header: Bytes::new(),
        profile,
        level,
        high_tier,
        bit_depth,
        monochrome,
        subsampling,
        sample_position,
        width: u16::try_from(width).ok()?,
        height: u16::try_from(height).ok()?,
    })
}

/// Level and tier of the first operating point, which is the whole stream.
fn operating_points(bits: &mut BitReader<'_>) -> Option<(u8, bool)> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
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

fn tools(bits: &mut BitReader<'_>) -> Option<()> {
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

/// Bit depth, monochrome, subsampling in both directions, position of the samples.
fn colour(bits: &mut BitReader<'_>, profile: u8) -> Option<(u8, bool, (bool, bool), u8)> {
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
        return Some((bit_depth, true, (true, true), 0));
    }
    if description == SRGB {
        return Some((bit_depth, false, (false, false), 0));
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
    Some((bit_depth, false, subsampling, sample_position))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The payload of a sequence header by libaom, profile 0, 640 by 360 (from `ffmpeg -c:v libaom-av1`).
    const SEQUENCE: &[u8] = &[0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];

    #[test]
    fn fragments_become_obus_with_sizes() {
        let head = SEQUENCE_HEADER << 3;
        let first = [&[0b0010_1000, SEQUENCE.len() as u8 + 1, head][..], SEQUENCE, &[0x30, 1, 2]].concat();
        let first = [&[first[0] | 0x40][..], &first[1..]].concat();
        let payloads = [Bytes::from(first), Bytes::from_static(&[0b1001_0000, 3, 4])];
        let frame = Assembler::default().assemble(payloads.iter()).unwrap();
        assert!(frame.key);
        let expected = [&[head | HAS_SIZE, SEQUENCE.len() as u8][..], SEQUENCE, &[0x32, 4, 1, 2, 3, 4]].concat();
        assert_eq!(&frame.data[..], expected);
        let format = frame.format.unwrap();
        assert_eq!((format.size(), format.codecs().as_str()), (Some((640, 360)), "av01.0.01M.08"));
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let rows: [&[&[u8]]; 4] = [
            // Goes on, and nothing follows.
            &[&[0x50, 0x30, 1]],
            // Continues what never began.
            &[&[0x90, 3]],
            &[&[0x20, 9, 1]],
            &[&[]],
        ];
        for row in rows {
            let payloads: Vec<Bytes> = row.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
            assert!(Assembler::default().assemble(payloads.iter()).is_none(), "{row:?}");
        }
    }
}
