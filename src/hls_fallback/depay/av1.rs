//! AV1 temporal units from RTP payloads (AV1 RTP payload specification 1.0) as samples of `av01`: every OBU with its size, without temporal
//! delimiters (AV1 ISOBMFF binding section 2.4).

use bytes::{BufMut, Bytes, BytesMut};

use super::Frame;
use crate::hls_fallback::format::{Av1Format, Format};
use crate::limits::HLS_OBUS_MAX;
use crate::sfu::codec::obu::{self, HAS_EXTENSION, HAS_SIZE, SEQUENCE_HEADER, leb128, split_element};

const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// The temporal unit of these payloads. `None`: it is not whole, or cannot be understood.
pub(super) fn assemble<'a>(payloads: impl Iterator<Item = &'a Bytes>) -> Option<Frame> {
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
            let (element, after) = split_element(rest, index == announced)?;
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
        match obu::kind(head[0]) {
            TEMPORAL_DELIMITER | TILE_LIST | PADDING => {}
            kind => {
                let whole = with_size(head, body);
                if kind == SEQUENCE_HEADER {
                    format = Some(read_format(body, &whole)?);
                }
                data.put_slice(&whole);
            }
        }
    }
    Some(Frame { key: format.is_some(), data: data.freeze(), format })
}

fn read_format(body: &[u8], obu: &[u8]) -> Option<Format> {
    let (sequence, colour) = obu::read_sequence_header(body)?;
    Some(Format::Av1(Av1Format { sequence_header: Bytes::copy_from_slice(obu), sequence, colour: colour? }))
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
        let frame = assemble(payloads.iter()).expect("a whole frame");
        assert!(frame.key);
        let expected = [&[head | HAS_SIZE, SEQUENCE.len() as u8][..], SEQUENCE, &[0x32, 4, 1, 2, 3, 4]].concat();
        assert_eq!(&frame.data[..], expected);
        let format = frame.format.expect("a key frame says its format");
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
            assert!(assemble(payloads.iter()).is_none(), "{row:?}");
        }
    }
}
