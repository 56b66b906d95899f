//! Fragmented MP4 (ISO/IEC 14496-12, CMAF): initialisation segments and fragments of one track. This file and [`reader`] alone name `mp4_atom`.
//!
//! A fragment is one `moof` and one `mdat`; fragments that follow each other may be joined without change, which is why a segment is nothing
//! but its parts.

pub mod reader;

use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig};
use mp4_atom::{
    Audio, Av01, Av1c, Avc1, Avcc, Codec, Dinf, Dops, Dref, DrefEntry, Encode, Esds, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Mfhd, Minf, Moof,
    Moov, Mp4a, Mvex, Mvhd, Opus, Smhd, Stbl, Stco, Stsd, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Url, Visual, Vmhd, Vp08,
    Vp09, VpcC,
};

use super::format::{Av1Format, Format, vp9_level};
use crate::limits::HLS_AAC_BPS;
use crate::sfu::codec::MediaKind;
use crate::sfu::codec::vp9::KeyFrame;

/// The only track.
const TRACK: u32 = 1;
/// `sample_depends_on` 2: an I picture; every sample of sound too (ISO/IEC 14496-12 section 8.8.3.1).
const FLAGS_KEY: u32 = 0x0200_0000;
/// `sample_depends_on` 1 and `sample_is_non_sync_sample`.
const FLAGS_DELTA: u32 = 0x0101_0000;
/// Bytes of an `mdat` header.
const BOX_HEADER: usize = 8;

/// One frame as it stands in a fragment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// In ticks of the track.
    pub duration: u32,
    pub key: bool,
    pub data: Bytes,
}

/// The initialisation segment of a track.
pub fn init(format: &Format) -> Bytes {
    let kind = format.kind();
    let (width, height) = format.size().unwrap_or((0, 0));
    let ftyp = Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands: vec![FourCC::new(b"iso6"), FourCC::new(b"cmfc"), FourCC::new(b"mp41")],
    };
    let moov = Moov {
        mvhd: Mvhd { timescale: 1000, rate: 1.into(), volume: 1.into(), next_track_id: TRACK + 1, ..Mvhd::default() },
        meta: None,
        mvex: Some(Mvex { mehd: None, trex: vec![Trex { track_id: TRACK, default_sample_description_index: 1, ..Trex::default() }] }),
        trak: vec![Trak {
            tkhd: Tkhd {
                track_id: TRACK,
                enabled: true,
                in_movie: true,
                volume: u8::from(kind == MediaKind::Audio).into(),
                width: width.into(),
                height: height.into(),
                ..Tkhd::default()
            },
            mdia: Mdia {
                mdhd: Mdhd { timescale: format.timescale(), language: "und".to_owned(), ..Mdhd::default() },
                hdlr: Hdlr { handler: FourCC::new(if kind == MediaKind::Video { b"vide" } else { b"soun" }), name: "Courtside".to_owned() },
                minf: Minf {
                    vmhd: (kind == MediaKind::Video).then(Vmhd::default),
                    smhd: (kind == MediaKind::Audio).then(Smhd::default),
                    dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
                    stbl: Stbl { stsd: Stsd { codecs: vec![sample_entry(format)] }, stco: Some(Stco::default()), ..Stbl::default() },
                    ..Minf::default()
                },
            },
            ..Trak::default()
        }],
        udta: None,
        ainf: None,
    };
    let mut out = BytesMut::new();
    write(&ftyp, &mut out);
    write(&moov, &mut out);
    out.freeze()
}

/// A fragment whose first sample is decoded (and shown: nothing here reorders) at `base_ticks`.
pub fn fragment(sequence: u32, base_ticks: u64, samples: &[Sample]) -> Bytes {
    let entries = |sample: &Sample| TrunEntry {
        duration: Some(sample.duration),
        size: Some(sample.data.len() as u32),
        flags: Some(if sample.key { FLAGS_KEY } else { FLAGS_DELTA }),
        cts: None,
    };
    let entries: Vec<TrunEntry> = samples.iter().map(entries).collect();
    let moof = |data_offset: i32| Moof {
        mfhd: Mfhd { sequence_number: sequence },
        traf: vec![Traf {
            tfhd: Tfhd { track_id: TRACK, default_base_is_moof: true, ..Tfhd::default() },
            tfdt: Some(Tfdt { base_media_decode_time: base_ticks }),
            trun: vec![Trun { data_offset: Some(data_offset), samples: entries.clone().into() }],
            ..Traf::default()
        }],
    };
    let bytes: usize = samples.iter().map(|sample| sample.data.len()).sum();
    // The offset has the same width whatever it is, so the head is measured with any.
    let mut head = BytesMut::new();
    write(&moof(0), &mut head);
    let offset = head.len() + BOX_HEADER;
    let mut out = BytesMut::with_capacity(offset + bytes);
    write(&moof(offset as i32), &mut out);
    out.put_u32((BOX_HEADER + bytes) as u32);
    out.put_slice(b"mdat");
    for sample in samples {
        out.put_slice(&sample.data);
    }
    out.freeze()
}

fn write(atom: &impl Encode, out: &mut BytesMut) {
    let mut buffer = Vec::new();
    atom.encode(&mut buffer).expect("every length here is bounded far below what its field holds");
    out.put_slice(&buffer);
}

fn sample_entry(format: &Format) -> Codec {
    match format {
        Format::H264 { sps, pps, width, height } => Codec::Avc1(Avc1 {
            visual: visual(*width, *height),
            avcc: Avcc {
                configuration_version: 1,
                avc_profile_indication: sps.get(1).copied().unwrap_or(0),
                profile_compatibility: sps.get(2).copied().unwrap_or(0),
                avc_level_indication: sps.get(3).copied().unwrap_or(0),
                length_size: 4,
                sequence_parameter_sets: vec![sps.to_vec()],
                picture_parameter_sets: pps.iter().map(|pps| pps.to_vec()).collect(),
                // Decoders read the sequence parameter set itself; browsers accept high profile without these bytes.
                ext: None,
            },
            btrt: None,
            colr: None,
            pasp: None,
            taic: None,
            fiel: None,
            spatial: None,
        }),
        Format::Vp8 { width, height } => Codec::Vp08(vp08(*width, *height)),
        Format::Vp9(format) => Codec::Vp09(vp09(format)),
        Format::Av1(format) => Codec::Av01(av01(format)),
        Format::Opus => Codec::Opus(Opus {
            audio: stereo(),
            // RTP starts anywhere in a stream: there are no samples of an encoder's start to leave out.
            dops: Dops { output_channel_count: 2, pre_skip: 0, input_sample_rate: 48_000, output_gain: 0, channel_mapping: None },
            btrt: None,
        }),
        Format::Aac => Codec::Mp4a(Mp4a {
            audio: stereo(),
            esds: Esds {
                es_desc: EsDescriptor {
                    es_id: TRACK as u16,
                    dec_config: DecoderConfig {
                        // ISO/IEC 14496-3, and its stream type: audio.
                        object_type_indication: 0x40,
                        stream_type: 0x05,
                        up_stream: 0,
                        buffer_size_db: Default::default(),
                        max_bitrate: HLS_AAC_BPS,
                        avg_bitrate: HLS_AAC_BPS,
                        // AAC-LC, index 3: 48 kHz, two channels.
                        dec_specific: Some(DecoderSpecific { profile: 2, freq_index: 3, chan_conf: 2, raw: Vec::new() }),
                    },
                    sl_config: SLConfig::default(),
                    depends_on_es_id: None,
                    url: None,
                    ocr_es_id: None,
                    stream_priority: 0,
                },
            },
            btrt: None,
            taic: None,
        }),
    }
}

fn visual(width: u16, height: u16) -> Visual {
    Visual { data_reference_index: 1, width, height, ..Visual::default() }
}

fn stereo() -> Audio {
    Audio { data_reference_index: 1, channel_count: 2, sample_size: 16, sample_rate: 48_000.into() }
}

fn vp08(width: u16, height: u16) -> Vp08 {
    // Eight bits, 4:2:0: VP8 has nothing else (RFC 6386).
    let vpcc = VpcC { level: 41, bit_depth: 8, chroma_subsampling: 1, ..VpcC::default() };
    Vp08 { visual: visual(width, height), vpcc, btrt: None, colr: None, pasp: None, spatial: None }
}

fn vp09(format: &KeyFrame) -> Vp09 {
    Vp09 {
        visual: visual(format.width, format.height),
        vpcc: VpcC {
            profile: format.profile,
            level: vp9_level(format),
            bit_depth: format.bit_depth,
            chroma_subsampling: format.chroma_subsampling,
            video_full_range_flag: format.full_range,
            ..VpcC::default()
        },
        btrt: None,
        colr: None,
        pasp: None,
        spatial: None,
    }
}

fn av01(format: &Av1Format) -> Av01 {
    let Av1Format { sequence_header, sequence, colour } = format;
    Av01 {
        visual: visual(sequence.width, sequence.height),
        av1c: Av1c {
            seq_profile: sequence.profile,
            seq_level_idx_0: sequence.level,
            seq_tier_0: sequence.high_tier,
            high_bitdepth: colour.bit_depth > 8,
            twelve_bit: colour.bit_depth == 12,
            monochrome: colour.monochrome,
            chroma_subsampling_x: colour.subsampling.0,
            chroma_subsampling_y: colour.subsampling.1,
            chroma_sample_position: colour.sample_position,
            initial_presentation_delay: None,
            config_obus: sequence_header.to_vec(),
        },
        btrt: None,
        ccst: None,
        colr: None,
        pasp: None,
        taic: None,
        spatial: None,
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Any, DecodeMaybe};

    use super::*;

    fn atoms(bytes: &[u8]) -> Vec<Any> {
        let mut rest = bytes;
        let mut atoms = Vec::new();
        while let Some(atom) = Any::decode_maybe(&mut rest).unwrap() {
            atoms.push(atom);
        }
        atoms
    }

    #[test]
    fn a_fragment_points_at_its_samples() {
        let sample = |key, data: &'static [u8]| Sample { duration: 3000, key, data: Bytes::from_static(data) };
        let bytes = fragment(7, 1 << 33, &[sample(true, b"first"), sample(false, b"second")]);
        let atoms = atoms(&bytes);
        let [Any::Moof(moof), Any::Mdat(mdat)] = &atoms[..] else { panic!("{atoms:?}") };
        assert_eq!(moof.mfhd.sequence_number, 7);
        assert_eq!(moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time, 1 << 33);
        assert_eq!(mdat.data, b"firstsecond");
        let trun = &moof.traf[0].trun[0];
        let offset = trun.data_offset.unwrap() as usize;
        assert_eq!(&bytes[offset..], b"firstsecond");
        let entries: Vec<_> = trun.samples.iter().map(|entry| (entry.duration, entry.size, entry.flags)).collect();
        assert_eq!(entries, [(Some(3000), Some(5), Some(FLAGS_KEY)), (Some(3000), Some(6), Some(FLAGS_DELTA))]);
    }

    #[test]
    fn an_initialisation_segment_says_what_the_format_says() {
        let h264 = Format::H264 {
            sps: Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1f, 1]),
            pps: vec![Bytes::from_static(&[0x68, 2])],
            width: 640,
            height: 360,
        };
        let atoms = atoms(&init(&h264));
        let [Any::Ftyp(_), Any::Moov(moov)] = &atoms[..] else { panic!("{atoms:?}") };
        let trak = &moov.trak[0];
        assert_eq!((trak.mdia.mdhd.timescale, trak.tkhd.width.integer(), trak.tkhd.height.integer()), (90_000, 640, 360));
        let Codec::Avc1(avc1) = &trak.mdia.minf.stbl.stsd.codecs[0] else { panic!("{trak:?}") };
        assert_eq!((avc1.visual.width, avc1.avcc.avc_level_indication), (640, 0x1f));
        assert_eq!(avc1.avcc.picture_parameter_sets, [[0x68, 2]]);
    }
}
