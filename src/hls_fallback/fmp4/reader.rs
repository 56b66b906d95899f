//! Reads fragmented MP4 as an encoder writes it: its tracks (H.264, AAC, Opus), then frame after frame. Any bytes without panicking, and a bounded number of them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use mp4_atom::{Codec, Decode, Moof, Moov};

use super::BOX_HEADER;
use crate::hls_fallback::format::Format;
use crate::limits::HLS_FRAME_BYTES_MAX;

/// What it says next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Its tracks, in the order of the file.
    Tracks(Vec<Format>),
    Frame(ReadFrame),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFrame {
    /// The place of its track among the tracks.
    pub track: usize,
    /// Decoding time in ticks of the track.
    pub ticks: i64,
    pub data: Bytes,
}

/// It is not what an encoder of ours writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// See the file's head.
#[derive(Debug, Default)]
pub struct Reader {
    /// Track numbers in the order of the file.
    tracks: Vec<u32>,
    /// Of the fragment whose bytes come next: track, time and size of each sample.
    expected: Vec<(usize, i64, usize)>,
    pieces: VecDeque<Piece>,
}

/// A box with a larger head than this is none of ours.
const BOX_BYTES_MAX: usize = HLS_FRAME_BYTES_MAX * 2;

impl Reader {
    /// Takes whole boxes off the front of `bytes`, and gives out what they say.
    ///
    /// # Errors
    /// Whatever is not a file of such tracks in fragments.
    pub fn read(&mut self, bytes: &mut BytesMut) -> Result<VecDeque<Piece>, Malformed> {
        while let Some(head) = bytes.first_chunk::<BOX_HEADER>() {
            let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let kind = [head[4], head[5], head[6], head[7]];
            if !(BOX_HEADER..=BOX_BYTES_MAX).contains(&size) {
                return Err(Malformed);
            }
            if bytes.len() < size {
                break;
            }
            let whole = bytes.split_to(size).freeze();
            match &kind {
                b"moov" => self.take_tracks(&whole)?,
                b"moof" => self.take_fragment(&whole)?,
                b"mdat" => self.take_data(whole.slice(BOX_HEADER..))?,
                _ => {}
            }
        }
        Ok(std::mem::take(&mut self.pieces))
    }

    fn take_tracks(&mut self, whole: &Bytes) -> Result<(), Malformed> {
        let moov = Moov::decode(&mut &whole[..]).map_err(|_| Malformed)?;
        self.tracks = moov.trak.iter().map(|trak| trak.tkhd.track_id).collect();
        let formats = moov.trak.iter().map(|trak| match trak.mdia.minf.stbl.stsd.codecs.first() {
            Some(Codec::Avc1(avc1)) => Some(Format::H264 {
                sps: Bytes::from(avc1.avcc.sequence_parameter_sets.first()?.clone()),
                pps: avc1.avcc.picture_parameter_sets.iter().cloned().map(Bytes::from).collect(),
                width: avc1.visual.width,
                height: avc1.visual.height,
            }),
            Some(Codec::Mp4a(_)) => Some(Format::Aac),
            Some(Codec::Opus(_)) => Some(Format::Opus),
            Some(_) | None => None,
        });
        let formats: Option<Vec<Format>> = formats.collect();
        self.pieces.push_back(Piece::Tracks(formats.ok_or(Malformed)?));
        Ok(())
    }

    fn take_fragment(&mut self, whole: &Bytes) -> Result<(), Malformed> {
        let moof = Moof::decode(&mut &whole[..]).map_err(|_| Malformed)?;
        self.expected.clear();
        for traf in &moof.traf {
            let track = self.tracks.iter().position(|track| *track == traf.tfhd.track_id).ok_or(Malformed)?;
            let mut ticks = traf.tfdt.as_ref().ok_or(Malformed)?.base_media_decode_time;
            for entry in traf.trun.iter().flat_map(|trun| trun.samples.iter()) {
                if self.expected.len() >= SAMPLES_MAX {
                    return Err(Malformed);
                }
                let size = entry.size.or(traf.tfhd.default_sample_size).ok_or(Malformed)?;
                self.expected.push((track, i64::try_from(ticks).map_err(|_| Malformed)?, size as usize));
                ticks = ticks.saturating_add(u64::from(entry.duration.or(traf.tfhd.default_sample_duration).unwrap_or(0)));
            }
        }
        Ok(())
    }

    fn take_data(&mut self, mut data: Bytes) -> Result<(), Malformed> {
        for (track, ticks, size) in self.expected.drain(..) {
            if size > data.len() {
                return Err(Malformed);
            }
            self.pieces.push_back(Piece::Frame(ReadFrame { track, ticks, data: data.split_to(size) }));
        }
        Ok(())
    }
}

/// Samples of one fragment; encoders of ours make fragments of one.
const SAMPLES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls_fallback::fmp4::{Sample, fragment, init};

    fn h264() -> Format {
        let (sps, pps) = (Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1f, 1]), vec![Bytes::from_static(&[0x68, 2])]);
        Format::H264 { sps, pps, width: 640, height: 360 }
    }

    fn file() -> Vec<u8> {
        let sample = |key, data: &'static [u8]| Sample { duration: 3000, key, data: Bytes::from_static(data) };
        let fragments =
            [fragment(1, 90_000, &[sample(true, b"first")]), fragment(2, 93_000, &[sample(false, b"second"), sample(false, b"3")])];
        [&init(&h264())[..], &fragments[0], &fragments[1]].concat()
    }

    #[test]
    fn what_was_written_is_read_however_it_is_cut() {
        let file = file();
        for step in [1, 3, 64, file.len()] {
            let (mut reader, mut bytes, mut pieces) = (Reader::default(), BytesMut::new(), Vec::new());
            for piece in file.chunks(step) {
                bytes.extend_from_slice(piece);
                pieces.extend(reader.read(&mut bytes).expect("it is well formed"));
            }
            let frame = |ticks, data: &'static [u8]| Piece::Frame(ReadFrame { track: 0, ticks, data: Bytes::from_static(data) });
            let expected = [Piece::Tracks(vec![h264()]), frame(90_000, b"first"), frame(93_000, b"second"), frame(96_000, b"3")];
            assert_eq!((pieces, bytes.len()), (expected.to_vec(), 0), "{step}");
        }
    }

    #[test]
    fn noise_is_refused_or_waited_for_and_never_panics() {
        let file = file();
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = BytesMut::from(&file[..]);
                bytes[at] = value;
                drop(Reader::default().read(&mut bytes));
            }
        }
        assert!(Reader::default().read(&mut BytesMut::from(&[0xff; 64][..])).is_err());
        assert!(Reader::default().read(&mut BytesMut::from(&[0, 0, 0, 2, b'm', b'o', b'o', b'f'][..])).is_err());
    }
}
