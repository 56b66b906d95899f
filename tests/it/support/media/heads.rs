//! What a packet of each codec begins with: as much of a bit stream as servers look at.

use super::Layer;

/// RFC 7741: descriptor with 15-bit picture id and TL0PICIDX; a key frame begins with its tag, start code and size.
pub(super) fn vp8_head(layer: &Layer, key: bool, first: bool) -> Vec<u8> {
    let mut head = vec![if first { 0x90 } else { 0x80 }, 0xc0, 0x80 | (layer.picture >> 8) as u8, layer.picture as u8, layer.tl0];
    if first && key {
        head.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a]);
        head.extend(layer.width.to_le_bytes());
        head.extend(layer.height.to_le_bytes());
    } else if first {
        head.push(0x11);
    }
    head
}

/// The same with a temporal layer; upper ones refer to lower ones only (Y).
pub(super) fn vp8_layered_head(layer: &Layer, key: bool, first: bool, temporal: u8) -> Vec<u8> {
    let mut head = vp8_head(layer, key, first);
    head[1] = 0xe0;
    head.insert(5, temporal << 6 | if temporal > 0 { 0x20 } else { 0 });
    head
}

/// RFC 9628: non-flexible mode, 15-bit picture id, layer indices with TL0PICIDX; a key frame tells its size.
pub(super) fn vp9_head(layer: &Layer, key: bool, first: bool, last: bool) -> Vec<u8> {
    let flags = 0xa0 | if key { 0 } else { 0x40 } | if first { 0x08 } else { 0 } | if last { 0x04 } else { 0 };
    let scalability = key && first;
    let mut head = vec![flags | u8::from(scalability) << 1, 0x80 | (layer.picture >> 8) as u8, layer.picture as u8, 0, layer.tl0];
    if scalability {
        head.push(0x10);
        head.extend(layer.width.to_be_bytes());
        head.extend(layer.height.to_be_bytes());
    }
    // The frame's own header, where it begins: marker, profile 0, shown, key frame or not.
    head.extend(first.then_some(if key { 0x82 } else { 0x86 }));
    head
}

/// AV1 RTP payload specification, section 4.4: one OBU element a packet; a coded video sequence begins with its sequence header.
pub(super) fn av1_head(key: bool, first: bool) -> Vec<u8> {
    match (key, first) {
        (_, false) => vec![0x90],
        (false, true) => vec![0x10, 0x30],
        (true, true) => vec![0x18, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0x00, 0x00, 0x00, 0x00],
    }
}

/// RFC 6184, packetization mode 1: STAP-A with the parameter sets before a key frame, slices in FU-A.
pub(super) fn h264_head(layer: &Layer, key: bool, packet: usize, last: bool, b_slice: bool) -> Vec<u8> {
    if key && packet == 0 {
        let sps = sps(layer.width, layer.height);
        let mut head = vec![0x78];
        head.extend((sps.len() as u16).to_be_bytes());
        head.extend(sps);
        // The filler that follows is the rest of the picture parameter set.
        head.extend([0xff, 0xff, 0x68, 0xce]);
        return head;
    }
    let (nal, slice) = if key { (5, 0x88) } else { (1, if b_slice { 0x9c } else { 0x98 }) };
    let begins = packet == usize::from(key);
    if begins && last {
        return vec![0x60 | nal, slice, 0x80];
    }
    let mut head = vec![0x7c, nal | if begins { 0x80 } else { 0 } | if last { 0x40 } else { 0 }];
    if begins {
        head.extend([slice, 0x80]);
    }
    head
}

/// A baseline sequence parameter set (ITU-T H.264 section 7.3.2.1.1), cropped to the size.
pub(super) fn sps(width: u16, height: u16) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let ue = |bits: &mut Vec<bool>, value: u32| {
        let coded = value + 1;
        let len = 32 - coded.leading_zeros();
        bits.extend(std::iter::repeat_n(false, len as usize - 1));
        bits.extend((0..len).rev().map(|bit| coded >> bit & 1 == 1));
    };
    let (columns, rows) = (u32::from(width).div_ceil(16), u32::from(height).div_ceil(16));
    for value in [0, 0, 2, 1] {
        ue(&mut bits, value);
    }
    bits.push(false);
    ue(&mut bits, columns - 1);
    ue(&mut bits, rows - 1);
    bits.extend([true, true, true]);
    for crop in [0, (columns * 16 - u32::from(width)) / 2, 0, (rows * 16 - u32::from(height)) / 2] {
        ue(&mut bits, crop);
    }
    bits.extend([false, true]);
    let mut nal = vec![0x67, 66, 0xe0, 31];
    for byte in bits.chunks(8) {
        nal.push(byte.iter().enumerate().fold(0, |value, (place, bit)| value | u8::from(*bit) << (7 - place)));
    }
    nal
}
