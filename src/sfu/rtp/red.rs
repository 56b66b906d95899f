//! Redundant audio (RFC 2198): a packet that carries the ones before it too, each under its distance in time.
//!
//! ```text
//!   1|PT|distance 14 bits|length 10 bits   ... one of these for each earlier frame, oldest first
//!   0|PT                                   the frame itself
//!   earlier frames, oldest first; the frame itself
//! ```

use super::id::Pt;

/// Earlier frames that are read or written at most. More: the oldest are not.
pub const BLOCKS_MAX: usize = 2;
/// Bytes of the header before each earlier frame, and before the frame itself.
const EARLIER_HEADER: usize = 4;
const LAST_HEADER: usize = 1;
/// A distance has 14 bits, a length 10.
const DISTANCE_MAX: u32 = 0x3fff;
const LENGTH_MAX: usize = 0x3ff;

/// A frame within a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Ticks before the packet's own timestamp.
    pub distance: u32,
    pub payload: &'a [u8],
}

/// Earlier frames, newest first.
pub type Earlier<'a> = [Option<Block<'a>>; BLOCKS_MAX];

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Red<'a> {
    /// The frame that the packet's header speaks of.
    pub primary: &'a [u8],
    pub earlier: Earlier<'a>,
}

/// Reads a payload all of whose blocks are of payload type `pt`. `None` when it is none.
pub fn read(payload: &[u8], pt: Pt) -> Option<Red<'_>> {
    let mut headers = payload;
    let mut lengths = 0;
    let mut count = 0;
    loop {
        let (&first, _) = headers.split_first()?;
        if first & 0x7f != pt.0 {
            return None;
        }
        if first & 0x80 == 0 {
            headers = &headers[LAST_HEADER..];
            break;
        }
        let (header, rest) = headers.split_first_chunk::<EARLIER_HEADER>()?;
        lengths += usize::from(header[2] & 3) << 8 | usize::from(header[3]);
        count += 1;
        headers = rest;
    }
    let (mut earlier_payloads, primary) = headers.split_at_checked(lengths)?;
    if primary.is_empty() {
        return None;
    }
    let mut earlier = [None; BLOCKS_MAX];
    for (index, header) in payload.chunks_exact(EARLIER_HEADER).take(count).enumerate() {
        let length = usize::from(header[2] & 3) << 8 | usize::from(header[3]);
        let (block, rest) = earlier_payloads.split_at_checked(length)?;
        earlier_payloads = rest;
        // Oldest first on the wire: only the last ones find a place.
        let distance = u32::from(header[1]) << 6 | u32::from(header[2]) >> 2;
        if let Some(place) = earlier.get_mut(count - 1 - index)
            && !block.is_empty()
        {
            *place = Some(Block { distance, payload: block });
        }
    }
    Some(Red { primary, earlier })
}

/// Whether a frame can be carried as an earlier one.
pub const fn fits(distance: u32, length: usize) -> bool {
    distance > 0 && distance <= DISTANCE_MAX && length > 0 && length <= LENGTH_MAX
}

/// Appends a payload: the frame itself and earlier ones (newest first, each of which [`fits`]), all of payload type `pt`.
pub fn write(out: &mut Vec<u8>, pt: Pt, primary: &[u8], earlier: &Earlier<'_>) {
    for block in earlier.iter().rev().flatten() {
        let word = u32::from(0x80 | pt.0) << 24 | (block.distance & DISTANCE_MAX) << 10 | (block.payload.len() & LENGTH_MAX) as u32;
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.push(pt.0);
    for block in earlier.iter().rev().flatten() {
        out.extend_from_slice(block.payload);
    }
    out.extend_from_slice(primary);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    const OPUS: Pt = Pt(111);

    #[test]
    fn reads_what_rfc_2198_writes() {
        // Two earlier frames, of 3 bytes 1920 ticks before and of 2 bytes 960 ticks before; then the frame itself.
        let packet = [0xef, 0x1e, 0x00, 0x03, 0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3, 4, 5, 6, 7, 8];
        let red = read(&packet, OPUS).expect("well-formed");
        assert_eq!(red.primary, [6, 7, 8]);
        assert_eq!(red.earlier, [Some(Block { distance: 960, payload: &[4, 5] }), Some(Block { distance: 1920, payload: &[1, 2, 3] })]);
        let mut out = Vec::new();
        write(&mut out, OPUS, red.primary, &red.earlier);
        assert_eq!(out, packet);
    }

    #[test]
    fn a_packet_without_redundancy_is_its_frame_and_of_more_the_newest_count() {
        assert_eq!(read(&[0x6f, 9], OPUS), Some(Red { primary: &[9], earlier: [None, None] }));
        let three = [0xef, 0, 0, 1, 0xef, 0, 0, 1, 0xef, 0, 0, 1, 0x6f, 1, 2, 3, 4];
        let red = read(&three, OPUS).expect("well-formed");
        assert_eq!(red.earlier.map(|block| block.map(|block| block.payload[0])), [Some(3), Some(2)]);
    }

    #[test]
    fn refuses_what_is_cut_short_or_of_another_type() {
        for payload in [&[][..], &[0x6f], &[0x6e, 1], &[0xef, 0, 0], &[0xef, 0, 0, 5, 0x6f, 1, 2], &[0xef, 0, 0, 1]] {
            assert_eq!(read(payload, OPUS), None, "{payload:?}");
        }
    }

    #[test]
    fn survives_hostile_bytes() {
        bombard(&[vec![0xef, 0x1e, 0x00, 0x03, 0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3, 4, 5, 6]], |bytes| {
            read(bytes, OPUS);
        });
    }
}
