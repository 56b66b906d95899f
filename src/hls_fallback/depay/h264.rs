//! H.264 access units from RTP payloads (RFC 6184): single NAL units, STAP-A and FU-A in, samples of `avc1` (ISO/IEC 14496-15) out, where
//! parameter sets stand in the initialisation segment and every NAL unit has its length before it.

use bytes::{BufMut, Bytes, BytesMut};

use super::Frame;
use crate::hls_fallback::format::Format;
use crate::limits::HLS_PPS_MAX;
use crate::sfu::codec::bits::BitReader;
use crate::sfu::codec::h264::sps_resolution;

const SLICE_IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// The parameter sets in force.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    sps: Option<Bytes>,
    pps: Vec<Bytes>,
}

impl Assembler {
    /// The access unit of these payloads. `None`: it is not whole, or cannot be understood.
    pub(super) fn assemble<'a>(&mut self, payloads: impl Iterator<Item = &'a Bytes>) -> Option<Frame> {
        let mut unit = Unit::default();
        let mut fragments: Option<BytesMut> = None;
        for payload in payloads {
            let head = *payload.first()?;
            match head & 0x1f {
                STAP_A => {
                    let mut at = 1;
                    while let Some(len) = payload.get(at..at + 2) {
                        let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                        payload.get(at + 2..at + 2 + len)?;
                        self.take(&payload.slice(at + 2..at + 2 + len), &mut unit)?;
                        at += 2 + len;
                    }
                }
                FU_A => {
                    let (fragment, body) = (*payload.get(1)?, payload.get(2..)?);
                    if fragment & 0x80 != 0 {
                        fragments = Some(BytesMut::from(&[head & 0xe0 | fragment & 0x1f][..]));
                    }
                    fragments.as_mut()?.put_slice(body);
                    if fragment & 0x40 != 0 {
                        self.take(&fragments.take()?.freeze(), &mut unit)?;
                    }
                }
                1..=23 => self.take(payload, &mut unit)?,
                _other_packing => return None,
            }
        }
        if fragments.is_some() {
            return None;
        }
        let format = if unit.is_key { Some(self.format()?) } else { None };
        Some(Frame { key: unit.is_key, data: unit.data.freeze(), format })
    }

    fn take(&mut self, nal: &Bytes, unit: &mut Unit) -> Option<()> {
        match nal.first()? & 0x1f {
            SPS => {
                if self.sps.as_ref() != Some(nal) {
                    self.sps = Some(nal.clone());
                    self.pps.clear();
                }
            }
            PPS => {
                let id = pps_id(nal)?;
                match self.pps.iter().position(|known| pps_id(known) == Some(id)) {
                    Some(known) => self.pps[known] = nal.clone(),
                    None if self.pps.len() < HLS_PPS_MAX => self.pps.push(nal.clone()),
                    None => {}
                }
            }
            DELIMITER | FILLER => {}
            kind => {
                unit.is_key |= kind == SLICE_IDR;
                unit.data.put_u32(u32::try_from(nal.len()).ok()?);
                unit.data.put_slice(nal);
            }
        }
        Some(())
    }

    /// What a decoder needs to start here. `None`: a parameter set has not come yet.
    fn format(&self) -> Option<Format> {
        let sps = self.sps.as_ref()?;
        if self.pps.is_empty() {
            return None;
        }
        let (width, height) = sps_resolution(sps.get(1..)?)?;
        Some(Format::H264 { sps: sps.clone(), pps: self.pps.clone(), width, height })
    }
}

#[derive(Debug, Default)]
struct Unit {
    data: BytesMut,
    is_key: bool,
}

fn pps_id(nal: &[u8]) -> Option<u32> {
    BitReader::new_escaped(nal.get(1..)?).ue()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, baseline, 1280 by 720.
    const SPS_720: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc6, 0x0c,
        0xa8,
    ];
    const PPS_0: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];

    fn stap(nals: &[&[u8]]) -> Bytes {
        let mut out = vec![0x78];
        for nal in nals {
            out.extend_from_slice(&(nal.len() as u16).to_be_bytes());
            out.extend_from_slice(nal);
        }
        out.into()
    }

    fn assemble(assembler: &mut Assembler, payloads: &[Bytes]) -> Option<Frame> {
        assembler.assemble(payloads.iter())
    }

    #[test]
    fn fragments_and_aggregates_become_one_sample_without_parameter_sets() {
        let mut assembler = Assembler::default();
        let payloads = [
            stap(&[&[0x09, 0x10], SPS_720, PPS_0]),
            Bytes::from_static(&[0x7c, 0x85, 0x88, 1]),
            Bytes::from_static(&[0x7c, 0x05, 2]),
            Bytes::from_static(&[0x7c, 0x45, 3]),
            Bytes::from_static(&[0x65, 0x01, 9]),
        ];
        let frame = assemble(&mut assembler, &payloads).unwrap();
        assert!(frame.key);
        assert_eq!(&frame.data[..], [0, 0, 0, 5, 0x65, 0x88, 1, 2, 3, 0, 0, 0, 3, 0x65, 0x01, 9]);
        let format = frame.format.unwrap();
        assert_eq!((format.size(), format.codecs()), (Some((1280, 720)), "avc1.42c01f".to_owned()));
        let next = assemble(&mut assembler, &[Bytes::from_static(&[0x65, 0x88, 4])]).unwrap();
        assert_eq!(next.format, Some(format), "parameter sets stay in force");
        let delta = assemble(&mut assembler, &[Bytes::from_static(&[0x41, 0x9a])]).unwrap();
        assert!(!delta.key && delta.format.is_none());
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let rows: [&[&[u8]]; 5] = [
            &[&[0x7c, 0x05, 2], &[0x7c, 0x45, 3]],
            &[&[0x7c, 0x85, 2]],
            &[&[0x78, 0, 9, 0x67]],
            &[&[0x19, 1, 2]],
            // A key frame before any parameter set.
            &[&[0x65, 0x88]],
        ];
        for row in rows {
            let payloads: Vec<Bytes> = row.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
            assert!(assemble(&mut Assembler::default(), &payloads).is_none(), "{row:?}");
        }
    }

    #[test]
    fn a_new_sequence_parameter_set_makes_a_new_format() {
        let mut assembler = Assembler::default();
        let key = |sps: &[u8]| [stap(&[sps, PPS_0]), Bytes::from_static(&[0x65, 0x88])];
        let first = assemble(&mut assembler, &key(SPS_720)).unwrap().format.unwrap();
        let mut other = SPS_720.to_vec();
        other[3] = 0x20;
        let second = assemble(&mut assembler, &key(&other)).unwrap().format.unwrap();
        assert_ne!(first, second);
        let again = assemble(&mut assembler, &key(&other)).unwrap().format.unwrap();
        assert_eq!(second, again);
    }
}
