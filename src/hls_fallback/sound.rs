//! AAC for players without Opus, made by a child: `ffmpeg` reads fragments of Opus and writes ADTS.
//!
//! `aresample=async` keeps its samples true to the timestamps, so that frame `n` of a child is exactly 1024 `n` ticks behind its first one.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::process::ChildStdout;
use tokio::sync::mpsc;

use super::child::{self, End, Fed, Recipe};
use super::format::Format;
use super::track::LineFrame;
use crate::limits::HLS_AAC_BPS;

/// Samples of one AAC frame; also what its encoder puts before the first sample that it is given.
const FRAME: i64 = 1024;
/// Bytes of an ADTS header without a checksum.
const ADTS_HEADER: usize = 7;

/// Opus to AAC.
#[derive(Debug)]
pub(super) struct Aac;

impl Recipe for Aac {
    type Made = LineFrame;

    const LABEL: &'static str = "sound";
    const MISSED: &'static str = "players without Opus have no sound until it is back";

    fn arguments(&self, _: &Fed) -> (Vec<String>, Vec<String>) {
        let bit_rate = HLS_AAC_BPS.to_string();
        let sound = ["-vn", "-af", "aresample=async=1:min_hard_comp=0.05:first_pts=0", "-ac", "2", "-ar", "48000"];
        let aac = ["-c:a", "aac", "-b:a", &bit_rate, "-flush_packets", "1", "-f", "adts"];
        (child::AT_ONCE.map(str::to_owned).to_vec(), [&sound[..], &aac].concat().into_iter().map(str::to_owned).collect())
    }

    async fn read(&self, mut output: ChildStdout, first: Fed, out: &mpsc::Sender<(u32, LineFrame)>) -> End {
        let format = Arc::new(Format::Aac);
        let mut bytes = BytesMut::with_capacity(16 * 1024);
        let mut frames = VecDeque::new();
        let mut count = 0;
        loop {
            if let Err(end) = child::read_more(&mut output, &mut bytes).await {
                return end;
            }
            if split_adts(&mut bytes, &mut frames).is_none() {
                return End::Malformed;
            }
            for data in frames.drain(..) {
                // The first frame is what the encoder puts before the sound.
                let ticks = first.frame.ticks + (count - 1) * FRAME;
                count += 1;
                let frame = LineFrame { ticks, key: true, data, format: Some(Arc::clone(&format)), received: child::now() };
                if ticks >= 0 && out.send((first.line, frame)).await.is_err() {
                    return End::Unwanted;
                }
            }
        }
    }
}

/// Takes whole frames off the front (ISO/IEC 13818-7 section 6.2), without their headers. `None`: it is something else.
pub(super) fn split_adts(bytes: &mut BytesMut, frames: &mut VecDeque<Bytes>) -> Option<()> {
    while let Some(header) = bytes.first_chunk::<ADTS_HEADER>() {
        if header[0] != 0xff || header[1] & 0xf6 != 0xf0 {
            return None;
        }
        let has_checksum = header[1] & 1 == 0;
        let len = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
        let head = if has_checksum { ADTS_HEADER + 2 } else { ADTS_HEADER };
        if len <= head {
            return None;
        }
        if bytes.len() < len {
            return Some(());
        }
        let mut frame = bytes.split_to(len);
        frame.advance(head);
        frames.push_back(frame.freeze());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adts(len: usize) -> Vec<u8> {
        let whole = len + ADTS_HEADER;
        let mut out = vec![0xff, 0xf1, 0x4c, 0x80 | (whole >> 11) as u8, (whole >> 3) as u8, (whole << 5) as u8 | 0x1f, 0xfc];
        out.extend(std::iter::repeat_n(len as u8, len));
        out
    }

    #[test]
    fn frames_are_taken_off_as_they_become_whole() {
        let stream = [adts(3), adts(300), adts(1)].concat();
        for step in [1, 2, 7, 100, stream.len()] {
            let (mut bytes, mut frames) = (BytesMut::new(), VecDeque::new());
            for piece in stream.chunks(step) {
                bytes.extend_from_slice(piece);
                split_adts(&mut bytes, &mut frames).expect("they are whole");
            }
            let lengths: Vec<usize> = frames.iter().map(Bytes::len).collect();
            assert_eq!((lengths, bytes.len()), (vec![3, 300, 1], 0), "{step}");
        }
    }

    #[test]
    fn other_streams_are_refused() {
        for bad in [&b"ID3 and then some"[..], &[0xff, 0xf1, 0x4c, 0x80, 0, 0x1f, 0xfc]] {
            assert!(split_adts(&mut BytesMut::from(bad), &mut VecDeque::new()).is_none());
        }
    }
}
