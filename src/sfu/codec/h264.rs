//! H.264 payloads (RFC 6184): single NAL units, STAP-A and FU-A, as packetization modes 0 and 1 have them.

use super::bits::BitReader;
use super::payload::PayloadInfo;

const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const SLICE_IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Reads one payload.
pub(super) fn inspect(payload: &[u8]) -> PayloadInfo {
    let mut info = PayloadInfo::default();
    match payload {
        [head, aggregate @ ..] if head & 0x1f == STAP_A => {
            let mut rest = aggregate;
            while let Some((len, after)) = rest.split_first_chunk::<2>()
                && let Some((nal, next)) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))
            {
                if let [nal_head, body @ ..] = nal {
                    inspect_nal(nal_head & 0x1f, nal_head >> 5 & 3, body, &mut info);
                }
                rest = next;
            }
        }
        // Only the first fragment has the beginning of the NAL unit.
        [head, fragment, body @ ..] if head & 0x1f == FU_A && fragment & 0x80 != 0 => {
            inspect_nal(fragment & 0x1f, head >> 5 & 3, body, &mut info);
        }
        [head, ..] if head & 0x1f == FU_A => info.discardable = head >> 5 & 3 == 0,
        [head, body @ ..] => inspect_nal(head & 0x1f, head >> 5 & 3, body, &mut info),
        [] => {}
    }
    info
}

fn inspect_nal(nal_type: u8, reference: u8, body: &[u8], info: &mut PayloadInfo) {
    match nal_type {
        SLICE | SLICE_PARTITION_A | SLICE_IDR => {
            info.discardable = reference == 0;
            let mut bits = BitReader::new_escaped(body.get(..16).unwrap_or(body));
            let first_macroblock = bits.ue();
            let slice_type = bits.ue();
            info.frame_start |= first_macroblock == Some(0);
            info.keyframe_start |= nal_type == SLICE_IDR && first_macroblock == Some(0);
            info.has_b_slice |= matches!(slice_type, Some(1 | 6));
        }
        SPS => {
            info.keyframe_start = true;
            info.frame_start = true;
            info.resolution = sps_resolution(body);
        }
        // Parameter sets of a key frame may come before its SPS in no order; the delimiter is always first.
        PPS | ACCESS_UNIT_DELIMITER => info.frame_start = true,
        _other_nal => {}
    }
}

/// Width and height of a sequence parameter set after cropping (ITU-T H.264 sections 7.3.2.1.1 and 7.4.2.1.1). `sps` begins behind the
/// NAL header.
pub fn sps_resolution(sps: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new_escaped(sps);
    let profile = bits.bits(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        if chroma == 3 && bits.bit()? {
            // Separate colour planes: each is cropped like a monochrome picture.
            chroma = 0;
        }
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
        if bits.bit()? {
            skip_scaling_lists(&mut bits, chroma)?;
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue()?.min(255) {
                bits.se()?;
            }
        }
        _output_order => {}
    }
    bits.ue()?;
    bits.skip(1)?;
    let width = u64::from(bits.ue()?) + 1;
    let height = u64::from(bits.ue()?) + 1;
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let field_factor = if frames_only { 1 } else { 2 };
    let (mut crop_x, mut crop_y) = (0, 0);
    if bits.bit()? {
        let unit_x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma == 1 { 2 } else { 1 } * field_factor;
        crop_x = unit_x * (u64::from(bits.ue()?) + u64::from(bits.ue()?));
        crop_y = unit_y * (u64::from(bits.ue()?) + u64::from(bits.ue()?));
    }
    let width = (width * 16).checked_sub(crop_x)?;
    let height = (height * 16 * field_factor).checked_sub(crop_y)?;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

fn skip_scaling_lists(bits: &mut BitReader<'_>, chroma: u32) -> Option<()> {
    for list in 0..if chroma == 3 { 12 } else { 8 } {
        if !bits.bit()? {
            continue;
        }
        let (mut last, mut next) = (8i32, 8i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = last.wrapping_add(bits.se()?) & 0xff;
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, 1280x720 high profile; and 1920x1080, which is coded as 1088 lines and cropped.
    const SPS_720: &[u8] = &[
        0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1,
        0x83, 0x19, 0x60,
    ];
    const SPS_1080: &[u8] = &[
        0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0,
        0x3c, 0x60, 0xc6, 0x58,
    ];

    #[test]
    fn reads_cropped_resolution() {
        assert_eq!(sps_resolution(SPS_720), Some((1280, 720)));
        assert_eq!(sps_resolution(SPS_1080), Some((1920, 1080)));
        assert_eq!(sps_resolution(&SPS_1080[..6]), None);
    }

    #[test]
    fn finds_key_frames_in_every_packing() {
        let sps = [&[0x67][..], SPS_720].concat();
        let stap = [&[0x78, 0, sps.len() as u8][..], &sps, &[0, 2, 0x68, 0xce, 0, 3, 0x65, 0x88, 0x84]].concat();
        let rows: [(&str, &[u8], bool, bool); 9] = [
            ("SPS alone", &sps, true, true),
            ("STAP-A", &stap, true, true),
            ("IDR", &[0x65, 0x88, 0x84], true, true),
            ("IDR, later slice", &[0x65, 0x01, 0x84], false, false),
            ("FU-A start of IDR", &[0x7c, 0x85, 0x88, 0x84], true, true),
            ("FU-A middle of IDR", &[0x7c, 0x05, 0x88, 0x84], false, false),
            ("P slice", &[0x41, 0x9a, 0x00], false, true),
            ("PPS", &[0x68, 0xce], false, true),
            ("SEI", &[0x06, 0x05], false, false),
        ];
        for (name, payload, keyframe, start) in rows {
            let info = inspect(payload);
            assert_eq!((info.keyframe_start, info.frame_start), (keyframe, start), "{name}");
        }
        assert_eq!(inspect(&stap).resolution, Some((1280, 720)));
    }

    #[test]
    fn tells_b_slices_and_discardable_ones() {
        // first_mb 0 ("1"), slice_type 1 ("010") or 6 ("00111"), 0 ("1"), 5 ("00110").
        assert!(inspect(&[0x01, 0b1010_0000]).has_b_slice);
        assert!(inspect(&[0x1c, 0x81, 0b1001_1100]).has_b_slice);
        assert!(!inspect(&[0x41, 0b1100_0000]).has_b_slice && !inspect(&[0x41, 0b1001_1000]).has_b_slice);
        assert!(inspect(&[0x01, 0b1100_0000]).discardable && !inspect(&[0x41, 0b1100_0000]).discardable);
    }
}
