//! Bodies of the fuzz targets that are sequences of operations. The oracle is a list of all that was sent: it knows nothing of offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;

use crate::limits::{PACKET_RING, REWRITE_HISTORY};
use crate::sfu::codec::{Codec, PayloadInfo};
use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
use crate::sfu::rewrite::{Rewriter, TimeMap};
use crate::sfu::rtp::seq::{RtpTime, SeqNo};
use crate::sfu::selection::Limit;

const LAYERS: usize = 3;

/// A packet that was sent, as the oracle remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    layer: u8,
    source: SeqNo,
    /// Counts switches.
    segment: usize,
    /// Counts sources.
    generation: usize,
    time: RtpTime,
}

/// The open segment, packet by packet.
#[derive(Debug, Default)]
struct Decided {
    first_source: u64,
    first_out: u64,
    sent: BTreeSet<u64>,
    /// Without a number; and with one that left empty.
    left_out: BTreeSet<u64>,
    emptied: BTreeSet<u64>,
}

impl Decided {
    /// Counted one by one: the packets before it in the segment, but those left out.
    fn number(&self, source: u64) -> Option<u64> {
        let behind = source.checked_sub(self.first_source)?;
        Some(self.first_out + behind - self.left_out.range(..source).count() as u64)
    }
}

/// Any bytes as operations of four bytes on a rewriter: forward or leave out (also late and far ahead), switch, close, look up. No number is
/// used twice or without need, numbers and times go on from one segment to the next, and a number names the packet that was sent under it or
/// none.
pub fn fuzz_rewriter(epoch: Instant, bytes: &[u8]) {
    let Some((&[start0, start1], operations)) = bytes.split_first_chunk::<2>() else { return };
    let mut rewriter = Rewriter::new(u16::from_be_bytes([start0, start1]));
    // Extended numbers begin at 2^16, as `SeqExtender` has them.
    let mut heads: [(u64, u32); LAYERS] = [(1 << 16, 0), (70_000, u32::MAX - 4000), ((1 << 17) - 3, 77)];
    let mut sent: BTreeMap<u64, Sent> = BTreeMap::new();
    let (mut segment, mut generation) = (0, 0);
    let mut open: Option<u8> = None;
    let mut decided = Decided::default();
    for &[what, pick, amount, twist] in operations.as_chunks::<4>().0 {
        let layer = pick as usize % LAYERS;
        match what % 8 {
            // Forward on the open layer: in order, with a hole, late, or far ahead.
            0..=3 => {
                let Some(layer) = open else { continue };
                let (head, time) = &mut heads[usize::from(layer)];
                let source = match what % 8 {
                    0 => *head + 1,
                    1 => *head + 1 + u64::from(amount),
                    2 => head.saturating_sub(u64::from(amount)),
                    _ => *head + 1 + 40 * u64::from(amount),
                };
                if source > *head {
                    *head = source;
                    *time = time.wrapping_add(u32::from(twist) * 30);
                }
                let packet = packet(epoch, source, *time);
                let newest = rewriter.newest_time();
                let is_old = *head - source >= (PACKET_RING - 64) as u64 && !decided.left_out.is_empty();
                if twist % 2 == 1 && !decided.sent.contains(&source) && !decided.emptied.contains(&source) {
                    if is_old {
                        continue;
                    }
                    match rewriter.leave_out(&packet) {
                        Some(out) => {
                            assert_eq!(Some(out.seq.0), decided.number(source), "an empty packet under another number");
                            let now = Sent { layer, source: packet.seq, segment, generation, time: out.time };
                            assert_eq!(sent.insert(out.seq.0, now), None, "one number for two packets");
                            decided.emptied.insert(source);
                        }
                        None if source >= decided.first_source => drop(decided.left_out.insert(source)),
                        None => {}
                    }
                    continue;
                }
                if decided.emptied.contains(&source) {
                    continue;
                }
                let Some(out) = rewriter.rewrite(&packet) else {
                    let without = source < decided.first_source || decided.left_out.contains(&source) || is_old;
                    assert!(without, "refused although it has a number");
                    continue;
                };
                assert_eq!(Some(out.seq.0), decided.number(source), "a number is left over, or missing");
                decided.sent.insert(source);
                let now = Sent { layer, source: packet.seq, segment, generation, time: out.time };
                let before = sent.insert(out.seq.0, now);
                if let Some(before) = before {
                    assert_eq!((before.layer, before.source, before.segment), (layer, packet.seq, segment), "one number for two packets");
                }
                assert!(sent.iter().filter(|(_, old)| old.segment < segment).all(|(&seq, _)| seq < out.seq.0), "numbers go back");
                if before.is_none() && sent.last_key_value().is_some_and(|(&highest, _)| highest == out.seq.0) {
                    assert_eq!(rewriter.newest_time(), Some(out.time));
                } else {
                    assert_eq!(rewriter.newest_time(), newest);
                }
            }
            4 => {
                let (head, time) = &mut heads[layer];
                *head += 1 + u64::from(amount);
                let first = packet(epoch, *head, *time);
                let begins_at = RtpTime(u32::from_be_bytes([amount, twist, what, pick]));
                rewriter.switch(layer as u8, &first, TimeMap::shifted(first.time, begins_at), Limit::NONE);
                segment += 1;
                open = Some(layer as u8);
                let out = rewriter.rewrite(&first).expect("a segment begins with its first packet");
                let highest = sent.last_key_value().map_or(u64::from(u16::from_be_bytes([start0, start1]) & 0x7fff), |(&seq, _)| seq);
                assert_eq!((out.seq.0, out.time), (highest + 1, begins_at), "a segment goes on behind the highest number");
                decided = Decided { first_source: first.seq.0, first_out: out.seq.0, ..Decided::default() };
                decided.sent.insert(first.seq.0);
                sent.insert(out.seq.0, Sent { layer: layer as u8, source: first.seq, segment, generation, time: out.time });
            }
            5 => {
                rewriter.close_segment();
                open = None;
            }
            6 if twist < 64 => {
                rewriter.close_source();
                (open, generation) = (None, generation + 1);
            }
            _ => look_up(&rewriter, &sent, &heads, (segment, generation), u16::from_be_bytes([amount, twist])),
        }
        // The oracle's list is bounded too.
        while sent.len() > 2000 {
            sent.pop_first();
        }
    }
}

/// A viewer asks for one of the last 2^15 numbers.
fn look_up(
    rewriter: &Rewriter,
    sent: &BTreeMap<u64, Sent>,
    heads: &[(u64, u32); LAYERS],
    (segment, generation): (usize, usize),
    back: u16,
) {
    let Some((&highest, _)) = sent.last_key_value() else { return };
    let Some(seq) = highest.checked_sub(u64::from(back >> 1)) else { return };
    let found = rewriter.locate(SeqNo(seq).wire());
    match (sent.get(&seq), found) {
        (Some(asked), Some((names, source))) => {
            assert_eq!((names.layer, source), (asked.layer, asked.source), "another packet than was sent");
            assert_eq!(asked.generation, generation, "a packet of a source that is gone");
        }
        (Some(asked), None) => {
            // What is so far behind its layer's newest is in no ring any more, and what was left out around it is forgotten.
            let is_old = heads[usize::from(asked.layer)].0 - asked.source.0 >= (PACKET_RING - 64) as u64;
            let is_gone = asked.generation != generation || is_old;
            assert!(is_gone || segment - asked.segment >= REWRITE_HISTORY, "forgotten too early");
        }
        // Never sent: a hole, or older than the oracle remembers.
        (None, _) => {}
    }
}

fn packet(epoch: Instant, seq: u64, time: u32) -> RtpPacket {
    RtpPacket {
        seq: SeqNo(seq),
        time: RtpTime(time),
        marker: false,
        codec: Codec::H264,
        info: PayloadInfo::default(),
        received: epoch,
        recovered: false,
        extensions: ForwardedExtensions::default(),
        payload: Bytes::from_static(&[0x41, 0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn what_fuzzing_found() {
        // A packet far ahead is left out, one is sent, and another far ahead of that is left out: nobody can ask for the one in between.
        let far_ahead =
            [0x84, 0x84, 0x84, 0x40, 0x31, 0xe3, 0xe3, 0xe3, 0xff, 0xff, 0, 0xe3, 0xe3, 0, 0xe3, 0xde, 0xe3, 0xe3, 0xff, 0xff, 0, 0];
        fuzz_rewriter(Instant::now(), &far_ahead);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
    fn any_sequence_of_operations_keeps_numbers_apart() {
        let epoch = Instant::now();
        let mut orderly = vec![0x7f, 0xf0];
        for round in 0..60_u8 {
            orderly.extend_from_slice(&[
                4,
                round,
                1,
                round,
                0,
                0,
                0,
                100,
                1,
                0,
                3,
                100,
                2,
                0,
                2,
                0,
                7,
                0,
                0,
                9,
                5 + round % 3,
                0,
                0,
                round,
            ]);
        }
        bombard(&[orderly], |bytes| fuzz_rewriter(epoch, bytes));
    }
}
