//! The ledger: what was published, packet by packet, and what of it has come to the server. The judge (`oracle.rs`) looks up in it what leaves.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Instant;

use courtside::sfu::codec::MediaKind;

use super::wire;

/// One SSRC of one publisher.
#[derive(Debug, Clone)]
pub(crate) struct StreamInfo {
    pub ssrc: u32,
    /// `None` for audio.
    pub layer: Option<u8>,
    pub kind: MediaKind,
    pub rate_hz: u32,
    pub time_base: u32,
    /// Wall clock at `time_base`.
    pub origin_unix_ms: f64,
    pub worker: u8,
    pub clock_is_right: bool,
    /// The engine got a packet of it.
    pub arrived: bool,
    /// When the engine first got a sender report of it after that.
    pub reported_at: Option<Instant>,
    /// It is sent, but nobody publishes it: the engine hears nothing of it.
    pub withdrawn: bool,
}

impl StreamInfo {
    /// Media time of a published timestamp, ms since the Unix epoch.
    pub(crate) fn media_ms(&self, time: u32) -> f64 {
        self.origin_unix_ms + f64::from(time.wrapping_sub(self.time_base) as i32) * 1000.0 / f64::from(self.rate_hz)
    }
}

/// One spatial layer of one picture.
#[derive(Debug)]
pub(crate) struct LayerFrame {
    pub id: u32,
    pub spatial: u8,
    pub temporal: u8,
    pub packets: usize,
    /// Frames without which it cannot be decoded.
    pub needs: Vec<u32>,
}

/// A published packet.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub stream: u32,
    #[expect(dead_code, reason = "read in the messages of failures")]
    pub frame: u32,
    pub seq: i64,
    pub time: u32,
    pub marker: bool,
    /// First packet of a key frame.
    pub key_first: bool,
    /// VP8 or VP9 picture id and TL0PICIDX.
    pub picture: Option<(u16, u8)>,
    /// Its frame, where the stream has layers.
    pub layer_frame: Option<Rc<LayerFrame>>,
    /// When the engine got it, by itself or as a retransmission.
    pub arrived: Option<Instant>,
    /// Counts arrivals: packets that came at one instant have an order too.
    pub place: Option<u64>,
}

/// Everything that was ever published.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub streams: Vec<StreamInfo>,
    packets: Vec<Published>,
    by_payload: HashMap<u64, usize>,
    by_wire: HashMap<(u32, u16), usize>,
    by_seq: HashMap<(u32, i64), usize>,
    arrivals: u64,
}

impl Ledger {
    pub(crate) fn add_stream(&mut self, info: StreamInfo) -> u32 {
        self.streams.push(info);
        self.streams.len() as u32 - 1
    }

    pub(crate) fn publish(&mut self, pt: u8, payload: &[u8], published: Published) {
        let index = self.packets.len();
        let ssrc = self.streams[published.stream as usize].ssrc;
        self.by_wire.insert((ssrc, published.seq as u16), index);
        self.by_seq.insert((published.stream, published.seq), index);
        let known = self.by_payload.insert(fingerprint(payload, pt), index);
        assert!(known.is_none(), "published payloads differ");
        self.packets.push(published);
    }

    pub(crate) fn note_rtx(&mut self, rtx_ssrc: u32, rtx_seq: u16, media: u32, seq: u16) {
        if let Some(&index) = self.by_wire.get(&(media, seq)) {
            self.by_wire.insert((rtx_ssrc, rtx_seq), index);
        }
    }

    /// The engine is given this datagram.
    pub(crate) fn note_place(&mut self, datagram: &[u8]) {
        if datagram.len() >= 12 && datagram[0] >> 6 == 2 && !wire::is_rtcp(datagram) {
            let key = (wire::u32_at(datagram, 8), u16::from_be_bytes([datagram[2], datagram[3]]));
            if let Some(&index) = self.by_wire.get(&key) {
                self.arrivals += 1;
                self.packets[index].place.get_or_insert(self.arrivals);
            }
        }
    }

    /// The engine took this datagram.
    pub(crate) fn handle_arrival(&mut self, now: Instant, datagram: &[u8]) {
        if datagram.len() >= 12 && datagram[0] >> 6 == 2 && !wire::is_rtcp(datagram) {
            let key = (wire::u32_at(datagram, 8), u16::from_be_bytes([datagram[2], datagram[3]]));
            if let Some(&index) = self.by_wire.get(&key) {
                self.packets[index].arrived.get_or_insert(now);
                let stream = &mut self.streams[self.packets[index].stream as usize];
                stream.arrived |= !stream.withdrawn;
            }
        }
    }

    pub(crate) fn handle_report_arrival(&mut self, now: Instant, ssrc: u32) {
        // A report on a stream that has not begun cannot be placed.
        for stream in self.streams.iter_mut().filter(|stream| stream.ssrc == ssrc && stream.arrived) {
            stream.reported_at.get_or_insert(now);
        }
    }

    /// What was heard of these streams is forgotten with their publication; also when what is still on its way becomes part of the next one.
    pub(crate) fn handle_withdrawn(&mut self, streams: impl Iterator<Item = u32>) {
        for stream in streams {
            let stream = &mut self.streams[stream as usize];
            (stream.withdrawn, stream.arrived, stream.reported_at) = (true, false, None);
        }
    }

    pub(crate) fn handle_published_again(&mut self, streams: impl Iterator<Item = u32>) {
        for stream in streams {
            self.streams[stream as usize].withdrawn = false;
        }
    }

    /// The published packet with this payload.
    pub(crate) fn find(&self, payload: &[u8], pt: u8) -> Option<&Published> {
        self.by_payload.get(&fingerprint(payload, pt)).map(|&index| &self.packets[index])
    }

    /// The published packet of this stream with this number.
    pub(crate) fn at(&self, stream: u32, seq: i64) -> Option<&Published> {
        self.by_seq.get(&(stream, seq)).map(|&index| &self.packets[index])
    }

    pub(crate) fn stream(&self, id: u32) -> &StreamInfo {
        &self.streams[id as usize]
    }
}

/// Where VP8 and VP9 have picture id (two bytes) and TL0PICIDX, in the publishers' form, by payload type of media or retransmission.
pub(crate) fn numbers_at(pt: u8) -> Option<(usize, usize)> {
    match pt {
        96 | 97 => Some((2, 4)),
        98 | 99 => Some((1, 4)),
        _ => None,
    }
}

/// Hash of a payload, without the numbers that differ between viewers.
fn fingerprint(payload: &[u8], pt: u8) -> u64 {
    let mut head = [0; 5];
    let bytes = payload.len().min(5);
    head[..bytes].copy_from_slice(&payload[..bytes]);
    if let Some((id, tl0)) = numbers_at(pt) {
        head[id..id + 2].fill(0);
        head[tl0] = 0;
    }
    let mut hasher = DefaultHasher::new();
    head.hash(&mut hasher);
    payload[bytes..].hash(&mut hasher);
    hasher.finish()
}

/// Hash of a payload as it is.
pub(crate) fn whole(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}
