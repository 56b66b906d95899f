//! H.264 byte streams: Annex B to access units, access units to RTP payloads (RFC 6184, packetization mode 1).
//! Reads what encoders write for real time: parameter sets before each key frame, pictures in the order of display. Not a general demuxer.
//!
//! Invariant: an access unit holds exactly one coded picture; delimiters and SEI are dropped, parameter sets are kept.

use bytes::{BufMut, Bytes, BytesMut};

const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SEI: u8 = 6;
const NAL_SPS: u8 = 7;
const NAL_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// One picture with the parameter sets in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    pub(crate) nals: Vec<Bytes>,
}

impl AccessUnit {
    /// Whether decoding can begin here.
    pub(crate) fn is_key(&self) -> bool {
        self.nals.iter().any(|nal| kind(nal) == NAL_IDR)
    }
}

fn kind(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| byte & 0x1f)
}

/// Splits an Annex B stream into NAL units without their start codes.
fn nals(stream: &Bytes) -> Vec<Bytes> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends = starts.iter().copied().skip(1).chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let mut end = end;
            // The zero of a four-byte start code belongs to the next unit; a NAL unit itself never ends in zero (7.4.1).
            while end > start + 3 && stream[end - 1] == 0 {
                end -= 1;
            }
            stream.slice(start + 3..end)
        })
        .filter(|nal| !nal.is_empty())
        .collect()
}

/// The pictures of an Annex B stream, in order.
pub(crate) fn access_units(stream: &Bytes) -> Vec<AccessUnit> {
    let mut units: Vec<AccessUnit> = Vec::new();
    let mut pending = Vec::new();
    for nal in nals(stream) {
        match kind(&nal) {
            NAL_DELIMITER | NAL_SEI => {}
            NAL_SLICE | NAL_IDR => {
                // A further slice of the same picture: first_mb_in_slice (7.3.3) is not zero, so its first bit is not set.
                let goes_on = pending.is_empty() && nal.get(1).is_some_and(|first| first & 0x80 == 0);
                match units.last_mut() {
                    Some(unit) if goes_on => unit.nals.push(nal),
                    Some(_) | None => {
                        pending.push(nal);
                        units.push(AccessUnit { nals: std::mem::take(&mut pending) });
                    }
                }
            }
            _ => pending.push(nal),
        }
    }
    units
}

/// RTP payloads of one picture, none longer than `payload_max` bytes. The last one carries the marker.
pub(crate) fn payloads(unit: &AccessUnit, payload_max: usize) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut sets: Vec<&Bytes> = Vec::new();
    for nal in &unit.nals {
        if kind(nal) >= NAL_SPS {
            sets.push(nal);
            continue;
        }
        if !sets.is_empty() {
            out.push(aggregate(&std::mem::take(&mut sets)));
        }
        fragment(nal, payload_max, &mut out);
    }
    out
}

/// STAP-A: the parameter sets together, so that none is lost alone (RFC 6184, section 5.7.1).
fn aggregate(sets: &[&Bytes]) -> Bytes {
    let importance = sets.iter().map(|nal| nal[0] & 0x60).max().unwrap_or(0);
    let mut out = BytesMut::with_capacity(sets.iter().map(|nal| nal.len() + 2).sum::<usize>() + 1);
    out.put_u8(importance | STAP_A);
    for nal in sets {
        out.put_u16(nal.len() as u16);
        out.put_slice(nal);
    }
    out.freeze()
}

/// A NAL unit alone, or as FU-A fragments of nearly equal length (RFC 6184, section 5.8).
fn fragment(nal: &Bytes, payload_max: usize, out: &mut Vec<Bytes>) {
    if nal.len() <= payload_max {
        out.push(nal.clone());
        return;
    }
    let body = &nal[1..];
    let pieces = body.len().div_ceil(payload_max - 2);
    for piece in 0..pieces {
        let (start, end) = (body.len() * piece / pieces, body.len() * (piece + 1) / pieces);
        let mut packet = BytesMut::with_capacity(end - start + 2);
        packet.put_u8(nal[0] & 0x60 | FU_A);
        let edge = if piece == 0 {
            0x80
        } else if piece + 1 == pieces {
            0x40
        } else {
            0
        };
        packet.put_u8(edge | nal[0] & 0x1f);
        packet.put_slice(&body[start..end]);
        out.push(packet.freeze());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Bytes {
        let mut bytes = vec![0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 1, 0x68, 4, 0, 0, 1, 6, 5, 5, 0, 0, 1, 0x65];
        bytes.extend((0..3000).map(|i| (i % 251) as u8 + 1));
        // Two slices of one picture.
        bytes.extend([0, 0, 0, 1, 0x41, 0x87, 7, 7, 0, 0, 1, 0x41, 0x47, 8, 8]);
        bytes.into()
    }

    #[test]
    fn pictures_keep_parameter_sets_and_lose_delimiters() {
        let units = access_units(&stream());
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].nals.iter().map(|nal| kind(nal)).collect::<Vec<_>>(), [7, 8, 5]);
        assert!(units[0].is_key() && !units[1].is_key());
        assert_eq!(units[1].nals.iter().map(|nal| &nal[..]).collect::<Vec<_>>(), [[0x41, 0x87, 7, 7], [0x41, 0x47, 8, 8]]);
    }

    #[test]
    fn fragments_put_together_give_the_unit_back() {
        let units = access_units(&stream());
        let packets = payloads(&units[0], 1100);
        assert!(packets.iter().all(|packet| packet.len() <= 1100));
        assert_eq!(packets[0][0] & 0x1f, STAP_A);
        let mut whole = vec![packets[1][0] & 0xe0 | packets[1][1] & 0x1f];
        packets[1..].iter().for_each(|packet| whole.extend_from_slice(&packet[2..]));
        assert_eq!(whole[..], units[0].nals[2][..]);
        assert_eq!(packets[1][1] & 0xc0, 0x80);
        assert_eq!(packets.last().map(|packet| packet[1] & 0xc0), Some(0x40));
    }
}
