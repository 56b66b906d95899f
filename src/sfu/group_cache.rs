//! Where a newcomer can start: the group of pictures of one layer, from its last key frame on. It is an index; the packets themselves lie in
//! the layer's [`PacketRing`], and the key frame's own also here, because it outlives the ring.
//!
//! ```text
//!   ring   … o o [K K K] d d d d · d d d      K key frame, d later frames, · a hole that retransmission may still fill
//!                 ^first           ^hole ^newest
//! ```
//! A group is whole, or it has a hole young enough to be filled in its place, or it is damaged; it ends with the next key frame, or when it
//! is too large. What is left of a group that cannot be replayed is its key frame.

use std::sync::Arc;
use std::time::Instant;

use crate::limits;
use crate::sfu::codec::Codec;
use crate::sfu::packet::RtpPacket;
use crate::sfu::packet_ring::PacketRing;
use crate::sfu::rtp::seq::{RtpTime, SeqNo};

/// The last group of one layer.
#[derive(Debug, Default)]
pub struct GroupCache {
    group: Option<Group>,
}

#[derive(Debug)]
struct Group {
    first: SeqNo,
    newest: SeqNo,
    /// Packets present from `first` to `newest`.
    held: u64,
    bytes: usize,
    began: Instant,
    hole_since: Option<Instant>,
    too_large: bool,
    keyframe: KeyFrame,
}

/// The packets of the key frame, ascending.
#[derive(Debug)]
struct KeyFrame {
    time: RtpTime,
    packets: Vec<Arc<RtpPacket>>,
    /// The last packet, once it is known.
    end: Option<SeqNo>,
}

/// What a newcomer can be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playable {
    /// Everything from this packet on; it began arriving then.
    Group {
        first: SeqNo,
        began: Instant,
    },
    /// Only the key frame that begins with this packet.
    KeyFrame {
        first: SeqNo,
        why: Unfit,
    },
    Nothing,
}

/// Why a group is not replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Unfit {
    TooOld,
    TooLarge,
    /// A hole that was not filled.
    Damaged,
}

impl Unfit {
    pub const ALL: [Self; 3] = [Self::TooOld, Self::TooLarge, Self::Damaged];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
        }
    }
}

/// Whether the packet is the first of its frame: a key frame entered behind its parameter sets cannot be decoded. When the packet before
/// it is missing, only one that tells the picture's size is surely the first; in H.264 it may follow a delimiter.
pub fn begins_frame(packet: &RtpPacket, ring: &PacketRing) -> bool {
    let previous = ring.get(SeqNo(packet.seq.0.saturating_sub(1)));
    let tells_size = packet.info.resolution.is_some();
    previous.map_or(tells_size, |previous| previous.time != packet.time || (tells_size && packet.codec == Codec::H264))
}

impl GroupCache {
    /// Takes note of a packet that has just been put into the ring.
    pub fn observe(&mut self, now: Instant, packet: &Arc<RtpPacket>, ring: &PacketRing) {
        if packet.info.keyframe_start && self.may_begin(packet) && begins_frame(packet, ring) {
            return self.begin(now, packet, ring);
        }
        if let Some(group) = &mut self.group {
            group.add(now, packet);
        }
    }

    /// What a newcomer can be sent at this moment.
    pub fn playable(&self, now: Instant) -> Playable {
        let Some(group) = &self.group else { return Playable::Nothing };
        let age = now.saturating_duration_since(group.began);
        let damaged = group.hole_since.is_some_and(|since| now.saturating_duration_since(since) > limits::GROUP_HOLE_MAX);
        let why = if group.too_large {
            Unfit::TooLarge
        } else if damaged {
            Unfit::Damaged
        } else if age > limits::GROUP_AGE_MAX {
            Unfit::TooOld
        } else if group.key_frame_has_hole() {
            // Without it nothing can be decoded; retransmission brings it within a round trip.
            return Playable::Nothing;
        } else {
            return Playable::Group { first: group.first, began: group.began };
        };
        if age <= limits::KEYFRAME_AGE_MAX && group.keyframe.is_whole(group.first) {
            Playable::KeyFrame { first: group.first, why }
        } else {
            Playable::Nothing
        }
    }

    /// The first packet of the group.
    pub fn first(&self) -> Option<SeqNo> {
        self.group.as_ref().map(|group| group.first)
    }

    /// The packets of the key frame, ascending.
    pub fn keyframe(&self) -> &[Arc<RtpPacket>] {
        self.group.as_ref().map_or(&[], |group| &group.keyframe.packets)
    }

    /// A packet of the key frame that the ring may have lost.
    pub fn get(&self, seq: SeqNo) -> Option<&Arc<RtpPacket>> {
        let packets = self.keyframe();
        packets.binary_search_by_key(&seq, |packet| packet.seq).ok().map(|at| &packets[at])
    }

    /// Bits per second of the group so far: what it takes to replay it in real time. `None` before it has lasted a while.
    pub fn bitrate_bps(&self, now: Instant) -> Option<u32> {
        let group = self.group.as_ref()?;
        let seconds = now.saturating_duration_since(group.began).as_secs_f64();
        (seconds >= 0.2).then(|| (group.bytes as f64 * 8.0 / seconds) as u32)
    }

    /// A key frame begins behind the present one, or is the same and begins earlier than was thought.
    fn may_begin(&self, packet: &RtpPacket) -> bool {
        self.group.as_ref().is_none_or(
            |group| {
                if packet.time == group.keyframe.time { packet.seq < group.first } else { packet.seq > group.first }
            },
        )
    }

    fn begin(&mut self, now: Instant, first: &Arc<RtpPacket>, ring: &PacketRing) {
        // The vector is kept: its capacity is that of the last key frame.
        let mut packets = self.group.take().map_or_else(Vec::new, |group| group.keyframe.packets);
        packets.clear();
        let mut group = Group {
            first: first.seq,
            newest: first.seq,
            held: 0,
            bytes: 0,
            began: first.received,
            hole_since: None,
            too_large: false,
            keyframe: KeyFrame { time: first.time, packets, end: None },
        };
        // Its first packet may have come later than others: a retransmission, or overtaken.
        let newest = ring.newest().unwrap_or(first.seq).0.min(first.seq.0 + limits::PACKET_RING as u64);
        for packet in (first.seq.0..=newest).filter_map(|seq| ring.get(SeqNo(seq))) {
            group.add(now, packet);
        }
        self.group = Some(group);
    }
}

impl Group {
    fn add(&mut self, now: Instant, packet: &Arc<RtpPacket>) {
        if packet.seq < self.first {
            return;
        }
        self.held += 1;
        self.bytes += packet.payload.len();
        self.newest = self.newest.max(packet.seq);
        let span = self.newest.0 - self.first.0 + 1;
        if self.held == span {
            self.hole_since = None;
        } else {
            self.hole_since.get_or_insert(now);
        }
        self.too_large |= self.bytes > limits::GROUP_BYTES_MAX || span > limits::GROUP_PACKETS_MAX as u64;
        self.keyframe.add(packet);
    }

    fn key_frame_has_hole(&self) -> bool {
        let end = self.keyframe.end.unwrap_or(self.newest).0;
        self.keyframe.packets.len() as u64 != (end - self.first.0 + 1).min(limits::KEYFRAME_PACKETS_MAX as u64)
    }
}

impl KeyFrame {
    fn add(&mut self, packet: &Arc<RtpPacket>) {
        if packet.time != self.time {
            // A sender that sets no marker: the frame ended before the next one.
            let follows = self.packets.last().is_some_and(|last| last.seq.next() == packet.seq);
            if follows && self.end.is_none() {
                self.end = self.packets.last().map(|last| last.seq);
            }
            return;
        }
        if packet.marker {
            self.end = self.end.max(Some(packet.seq));
        }
        if self.packets.len() < limits::KEYFRAME_PACKETS_MAX
            && let Err(at) = self.packets.binary_search_by_key(&packet.seq, |packet| packet.seq)
        {
            self.packets.insert(at, Arc::clone(packet));
        }
    }

    fn is_whole(&self, first: SeqNo) -> bool {
        self.end.is_some_and(|end| self.packets.len() as u64 == end.0 - first.0 + 1)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::PayloadInfo;
    use crate::sfu::packet::ForwardedExtensions;

    const FRAME_PACKETS: u64 = 4;
    const FRAME_MS: u64 = 40;

    /// A stream of VP8 frames of four packets each; every `group`th is a key frame.
    struct Stream {
        start: Instant,
        ring: PacketRing,
        cache: GroupCache,
        group: u64,
        bytes: usize,
    }

    impl Stream {
        fn new(group: u64) -> Self {
            Self { start: Instant::now(), ring: PacketRing::default(), cache: GroupCache::default(), group, bytes: 100 }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// Packet number `n` of the stream, received at `ms`.
        fn receive(&mut self, n: u64, ms: u64) {
            let frame = n / FRAME_PACKETS;
            let first = n.is_multiple_of(FRAME_PACKETS);
            let key = frame.is_multiple_of(self.group) && first;
            let info =
                PayloadInfo { keyframe_start: key, frame_start: first, resolution: key.then_some((640, 360)), ..PayloadInfo::default() };
            let packet = Arc::new(RtpPacket {
                seq: SeqNo(1000 + n),
                time: RtpTime((frame * FRAME_MS * 90) as u32),
                marker: n % FRAME_PACKETS == FRAME_PACKETS - 1,
                codec: Codec::Vp8,
                info,
                received: self.at(ms),
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: Bytes::from(vec![0; self.bytes]),
            });
            if self.ring.insert(&packet) {
                self.cache.observe(self.at(ms), &packet, &self.ring);
            }
        }

        fn receive_all(&mut self, range: std::ops::Range<u64>) {
            for n in range {
                self.receive(n, n / FRAME_PACKETS * FRAME_MS);
            }
        }

        fn playable(&self, ms: u64) -> Playable {
            self.cache.playable(self.at(ms))
        }

        fn group(&self, first: u64) -> Playable {
            Playable::Group { first: SeqNo(1000 + first), began: self.at(first / FRAME_PACKETS * FRAME_MS) }
        }

        fn key_frame(&self, first: u64, why: Unfit) -> Playable {
            Playable::KeyFrame { first: SeqNo(1000 + first), why }
        }
    }

    #[test]
    fn a_group_begins_with_every_key_frame_and_is_playable_from_its_first_packet() {
        let mut stream = Stream::new(50);
        stream.receive_all(1..4);
        assert_eq!(stream.playable(0), Playable::Nothing, "nothing before the first key frame's first packet");
        let mut stream = Stream::new(50);
        for n in 0..500 {
            stream.receive(n, n / FRAME_PACKETS * FRAME_MS);
            assert_eq!(stream.playable(n / FRAME_PACKETS * FRAME_MS), stream.group(n / 200 * 200), "{n}");
        }
        assert_eq!(stream.cache.keyframe().len(), 4);
    }

    #[test]
    fn a_hole_may_be_filled_for_half_a_second() {
        let mut stream = Stream::new(1000);
        stream.receive_all(0..10);
        stream.receive_all(11..60);
        assert_eq!(stream.playable(500), stream.group(0));
        assert_eq!(stream.playable(700), stream.key_frame(0, Unfit::Damaged));
        stream.receive(10, 720);
        assert_eq!(stream.playable(720), stream.group(0), "retransmission has filled it");
    }

    #[test]
    fn without_its_whole_key_frame_a_group_is_nothing() {
        let mut stream = Stream::new(1000);
        stream.receive_all(0..2);
        stream.receive_all(3..20);
        assert_eq!(stream.playable(150), Playable::Nothing);
        stream.receive(2, 160);
        assert_eq!(stream.playable(160), stream.group(0));

        // The first packet itself comes last; until then the group before goes on.
        let mut stream = Stream::new(10);
        stream.receive_all(0..40);
        stream.receive_all(41..50);
        assert_eq!(stream.playable(500), stream.group(0));
        stream.receive(40, 510);
        assert_eq!(stream.cache.first(), Some(SeqNo(1040)));
        assert!(matches!(stream.playable(510), Playable::Group { first: SeqNo(1040), .. }));
    }

    #[test]
    fn what_is_too_large_or_too_old_leaves_its_key_frame_for_a_while() {
        let mut stream = Stream::new(1000);
        stream.bytes = 1200;
        stream.receive_all(0..1200);
        assert_eq!(stream.playable(3000), stream.group(0));
        stream.receive_all(1200..1300);
        assert_eq!(stream.playable(3000), stream.key_frame(0, Unfit::TooLarge));
        assert_eq!(stream.playable(10_001), Playable::Nothing, "another scene by now");

        let mut stream = Stream::new(1000);
        stream.receive_all(0..450);
        assert_eq!(stream.playable(4500), stream.group(0));
        assert_eq!(stream.playable(4501), stream.key_frame(0, Unfit::TooOld));
        // The ring forgets it in the end; the key frame is still here.
        stream.receive_all(450..450 + limits::PACKET_RING as u64);
        assert!(stream.ring.get(SeqNo(1000)).is_none());
        assert_eq!(stream.cache.get(SeqNo(1003)).map(|packet| packet.seq), Some(SeqNo(1003)));
    }

    #[test]
    fn packets_out_of_order_make_no_hole() {
        let mut stream = Stream::new(1000);
        for n in [1, 0, 3, 2, 5, 4, 7, 6, 8] {
            stream.receive(n, 0);
        }
        assert_eq!(stream.playable(900), stream.group(0));
    }
}
