//! Body of the fuzz target: any bytes as packets of every codec, in any order. No panic, and what comes out is bounded by what went in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Depacketizer, TimedFrame};
use crate::sfu::codec::{Codec, inspect};
use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
use crate::sfu::rtp::seq::{RtpTime, SeqNo};

/// Bytes of a packet's head in the input: step of the number, step of the time, marker, length.
const HEAD: usize = 4;

/// Any bytes as a row of packets.
pub fn fuzz_depacketizer(epoch: Instant, bytes: &[u8]) {
    for codec in Codec::ALL {
        let mut depacketizer = Depacketizer::new(codec);
        let (mut rest, mut now, mut seq, mut time, mut taken) = (bytes, epoch, 1_u64 << 16, 0_u32, 0);
        let mut frames: Vec<TimedFrame> = Vec::new();
        while let Some((&[step, ticks, flags, len], after)) = rest.split_first_chunk::<HEAD>() {
            let (payload, after) = after.split_at(usize::from(len).min(after.len()));
            rest = after;
            seq = seq.saturating_add_signed(i64::from(step as i8 / 16)) + 1;
            time = time.wrapping_add(u32::from(ticks) * 90);
            now += Duration::from_millis(u64::from(flags >> 1));
            if payload.is_empty() {
                depacketizer.handle_timeout(now, &mut frames);
                continue;
            }
            taken += payload.len();
            let packet = RtpPacket {
                seq: SeqNo(seq),
                time: RtpTime(time),
                marker: flags & 1 == 1,
                codec,
                info: inspect(codec, payload, None),
                received: now,
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: Bytes::copy_from_slice(payload),
            };
            depacketizer.handle_packet(now, &Arc::new(packet), &mut frames);
        }
        let given: usize = frames.iter().map(|frame| frame.data.len()).sum();
        // A NAL unit of one byte becomes five, an OBU gains a size, a superframe an index.
        assert!(given <= taken * 6 + frames.len() * 40, "{given} bytes out of {taken}");
        assert!(frames.first().is_none_or(|frame| frame.key && frame.format.is_some()), "a decoder must be able to start");
    }
}
