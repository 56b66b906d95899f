//! AV1 payloads: the aggregation header and, at the start of a coded video sequence, the sequence header
//! (AV1 RTP payload specification 1.0 section 4; AV1 bitstream specification section 5.5).

use super::bits::BitReader;
use super::dependency::DependencyInfo;
use super::payload::PayloadInfo;

const OBU_SEQUENCE_HEADER: u8 = 1;

/// Reads one payload. The dependency descriptor, where there is one, knows frames and layers better than the payload.
pub(super) fn inspect(payload: &[u8], descriptor: Option<&DependencyInfo>) -> PayloadInfo {
    let [aggregation, elements @ ..] = payload else { return PayloadInfo::default() };
    let continues = aggregation & 0x80 != 0;
    let new_sequence = aggregation & 0x08 != 0 && !continues;
    let mut info = PayloadInfo { keyframe_start: new_sequence, frame_start: !continues, ..PayloadInfo::default() };
    info.switching_point = new_sequence;
    if !continues {
        let mut rest = elements;
        let announced = usize::from(aggregation >> 4 & 3);
        // With W = 0 every element has a length; else the last one has none.
        for at in 1..=if announced == 0 { ELEMENTS_MAX } else { announced } {
            let Some((element, next)) = split_element(rest, at == announced) else { break };
            read_element(element, &mut info);
            rest = next;
        }
    }
    if let Some(descriptor) = descriptor {
        info.keyframe_start = descriptor.start_of_frame && descriptor.has_structure && descriptor.spatial == 0;
        info.frame_start = descriptor.start_of_frame;
        info.resolution = descriptor.resolution().or(info.resolution);
    }
    info
}

/// Elements looked at in one packet. A sequence header is among the first two; more are not worth the time.
const ELEMENTS_MAX: usize = 4;

fn split_element(bytes: &[u8], is_last: bool) -> Option<(&[u8], &[u8])> {
    if is_last {
        return (!bytes.is_empty()).then_some((bytes, &[]));
    }
    let (len, after) = leb128(bytes)?;
    after.split_at_checked(len)
}

/// At most four bytes: no element is longer than a packet.
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

fn read_element(element: &[u8], info: &mut PayloadInfo) {
    let Some((head, mut body)) = element.split_first() else { return };
    if head & 0x04 != 0 {
        let [layers, after @ ..] = body else { return };
        info.temporal = layers >> 5;
        info.spatial = layers >> 3 & 3;
        body = after;
    }
    if head & 0x02 != 0 {
        let Some((_, after)) = leb128(body) else { return };
        body = after;
    }
    if head >> 3 & 0x0f == OBU_SEQUENCE_HEADER {
        info.resolution = sequence_resolution(body);
        info.keyframe_start = true;
        info.switching_point = true;
    }
}

/// Largest frame size of a sequence header OBU's payload.
fn sequence_resolution(body: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(body);
    bits.skip(4)?;
    if bits.bit()? {
        bits.skip(5)?;
    } else {
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
        for _ in 0..=bits.bits(5)? {
            bits.skip(12)?;
            if bits.bits(5)? > 7 {
                bits.skip(1)?;
            }
            if let Some(delay_bits) = delay_bits
                && bits.bit()?
            {
                bits.skip(2 * delay_bits + 1)?;
            }
            if has_initial_delay && bits.bit()? {
                bits.skip(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence header of libaom for 352x288 (level 2.0, one operating point).
    const SEQUENCE: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0x00, 0x00, 0x00, 0x00];

    fn sequence_640_360() -> Vec<u8> {
        let mut bits = 0u128;
        // profile, still, reduced, timing, initial delay, points, idc, level, width bits, height bits, width, height.
        for (value, width) in [(0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (5, 5), (9, 4), (8, 4), (639, 10), (359, 9)] {
            bits = bits << width | value;
        }
        [&[0x08][..], &(bits << (128 - 56)).to_be_bytes()].concat()
    }

    #[test]
    fn a_new_sequence_is_a_key_frame_with_its_size() {
        let one = [&[0x18][..], &sequence_640_360()].concat();
        let info = inspect(&one, None);
        assert!(info.keyframe_start && info.frame_start);
        assert_eq!(info.resolution, Some((640, 360)));
        let sequence = sequence_640_360();
        let two = [&[0x28, sequence.len() as u8][..], &sequence, &[0x30, 1, 2]].concat();
        assert_eq!(inspect(&two, None).resolution, Some((640, 360)));
        let counted = [&[0x08, sequence.len() as u8][..], &sequence, &[3, 0x30, 1, 2]].concat();
        assert_eq!(inspect(&counted, None).resolution, Some((640, 360)));
    }

    #[test]
    fn an_obu_with_its_own_size_is_read_too() {
        let payload = [&[0x18][..], SEQUENCE].concat();
        assert!(inspect(&payload, None).keyframe_start);
    }

    #[test]
    fn continuations_and_delta_frames_are_none() {
        let continuation = inspect(&[0x98, 1, 2, 3], None);
        assert!(!continuation.keyframe_start && !continuation.frame_start);
        let layered = inspect(&[0x10, 0x34, 0b0101_0000, 1, 2], None);
        assert!(!layered.keyframe_start && layered.frame_start);
        assert_eq!((layered.temporal, layered.spatial), (2, 2));
    }

    #[test]
    fn the_descriptor_has_the_last_word() {
        let descriptor = DependencyInfo {
            start_of_frame: true,
            has_structure: true,
            sizes: [(320, 180), (0, 0), (0, 0), (0, 0)],
            ..DependencyInfo::default()
        };
        let info = inspect(&[0x10, 0x30, 1], Some(&descriptor));
        assert!(info.keyframe_start);
        assert_eq!(info.resolution, Some((320, 180)));
        let upper = DependencyInfo { start_of_frame: true, spatial: 1, temporal: 2, ..DependencyInfo::default() };
        assert!(!inspect(&[0x18, 0x30, 1], Some(&upper)).keyframe_start);
    }
}
