//! What a decoder could show of the packets that arrived: whole frames, from a key frame on, without a gap; where a stream has layers, only
//! frames whose references it has. Written from RFC 3550's rules alone; it does not know how the server came to send them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::time::Instant;

use super::ledger::{LayerFrame, Published, StreamInfo};

/// A frame on the screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoded {
    pub at: Instant,
    /// Wall clock at capture.
    pub captured_unix_ms: f64,
    pub layer: u8,
    #[expect(dead_code, reason = "read in the messages of failures")]
    pub key: bool,
    /// The highest spatial layer in it, and its temporal layer.
    pub spatial: u8,
    pub temporal: u8,
}

#[derive(Debug, Clone)]
struct Packet {
    layer_frame: Option<Rc<LayerFrame>>,
    time: u32,
    marker: bool,
    key_first: bool,
    captured_unix_ms: f64,
    layer: u8,
}

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    packets: BTreeMap<i64, Packet>,
    /// The number behind the last frame decoded.
    next: Option<i64>,
    newest_time: Option<u32>,
    /// Numbers that came without a packet.
    empty: BTreeSet<i64>,
    /// Layer frames decoded.
    known: HashSet<u32>,
    pub frames: Vec<Decoded>,
}

impl Decoder {
    /// Takes a packet, by itself or repaired.
    pub(crate) fn handle(&mut self, now: Instant, seq: i64, time: u32, marker: bool, published: &Published, stream: &StreamInfo) {
        if self.next.is_some_and(|next| seq < next) {
            return;
        }
        let ticks = published.time.wrapping_sub(stream.time_base) as i32;
        let captured_unix_ms = stream.origin_unix_ms + f64::from(ticks) * 1000.0 / f64::from(stream.rate_hz);
        let layer = stream.layer.expect("video");
        let layer_frame = published.layer_frame.clone();
        self.packets.insert(seq, Packet { layer_frame, time, marker, key_first: published.key_first, captured_unix_ms, layer });
        self.decode(now);
    }

    /// A number that came without a packet.
    pub(crate) fn handle_empty(&mut self, now: Instant, seq: i64) {
        self.empty.insert(seq);
        self.decode(now);
    }

    fn decode(&mut self, now: Instant) {
        while let Some((first, end)) = self.next_frame() {
            let packet = self.packets[&first].clone();
            let (spatial, temporal) = self.take_layer_frames(first, end);
            if let Some(newest) = self.newest_time {
                assert!(
                    packet.time.wrapping_sub(newest) as i32 > 0,
                    "frames come in the order of their timestamps: {newest}, then {packet:?}"
                );
            }
            self.newest_time = Some(packet.time);
            self.next = Some(end + 1);
            self.packets = self.packets.split_off(&(end + 1));
            let Packet { captured_unix_ms, layer, key_first, .. } = packet;
            self.frames.push(Decoded { at: now, captured_unix_ms, layer, key: key_first, spatial, temporal });
        }
    }

    /// Every layer frame of a picture is whole, and has what it refers to. Returns the highest layers.
    fn take_layer_frames(&mut self, first: i64, end: i64) -> (u8, u8) {
        let frames: Vec<Rc<LayerFrame>> = self.packets.range(first..=end).filter_map(|(_, packet)| packet.layer_frame.clone()).collect();
        for frames in frames.chunk_by(|one, next| one.id == next.id) {
            let frame = &frames[0];
            assert_eq!(frames.len(), frame.packets, "a layer is sent whole or not at all: {frame:?}");
            let missing: Vec<_> = frame.needs.iter().filter(|id| !self.known.contains(id)).collect();
            assert!(missing.is_empty(), "{missing:?} were never sent, which {frame:?} refers to");
            self.known.insert(frame.id);
        }
        (frames.iter().map(|frame| frame.spatial).max().unwrap_or(0), frames.iter().map(|frame| frame.temporal).max().unwrap_or(0))
    }

    /// Nothing that came can be decoded, and nothing that may still come would change that: it begins in the middle.
    pub(crate) fn is_blind(&self) -> bool {
        self.next.is_none() && self.packets.first_key_value().is_some_and(|(_, packet)| !packet.key_first)
    }

    fn next_frame(&mut self) -> Option<(i64, i64)> {
        while let Some(next) = self.next.filter(|next| self.empty.contains(next)) {
            self.next = Some(next + 1);
        }
        let follows = self.next.and_then(|next| self.whole(next));
        follows.or_else(|| self.packets.iter().filter(|(_, packet)| packet.key_first).find_map(|(&seq, _)| self.whole(seq)))
    }

    /// The frame that begins here, if it is complete.
    fn whole(&self, first: i64) -> Option<(i64, i64)> {
        let time = self.packets.get(&first)?.time;
        let mut seq = first;
        loop {
            if self.empty.contains(&seq) {
                seq += 1;
                continue;
            }
            let packet = self.packets.get(&seq)?;
            if packet.time != time {
                return None;
            }
            if packet.marker {
                return Some((first, seq));
            }
            seq += 1;
        }
    }
}
