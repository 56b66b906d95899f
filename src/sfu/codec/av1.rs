//! AV1 payloads: the aggregation header and, at the start of a coded video sequence, the sequence header
//! (AV1 RTP payload specification 1.0 section 4).

use super::dependency::DependencyInfo;
use super::obu::{self, HAS_EXTENSION, HAS_SIZE, SEQUENCE_HEADER, leb128, split_element};
use super::payload::PayloadInfo;

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

fn read_element(element: &[u8], info: &mut PayloadInfo) {
    let Some((head, mut body)) = element.split_first() else { return };
    if head & HAS_EXTENSION != 0 {
        let [layers, after @ ..] = body else { return };
        info.temporal = layers >> 5;
        info.spatial = layers >> 3 & 3;
        body = after;
    }
    if head & HAS_SIZE != 0 {
        let Some((_, after)) = leb128(body) else { return };
        body = after;
    }
    if obu::kind(*head) == SEQUENCE_HEADER {
        info.resolution = obu::read_sequence_header(body).map(|(sequence, _)| (sequence.width, sequence.height));
        info.keyframe_start = true;
        info.switching_point = true;
    }
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
