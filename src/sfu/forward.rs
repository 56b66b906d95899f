//! THE HOT PATH. One run of packets (those of one frame that arrived together) to every viewer of its track:
//! select, rewrite, seal, send. Read it with one finger.
//!
//! Runs up to a million times a second: no lock, no await, no hash-map look-up, no allocation and no log line per viewer. Everything a
//! viewer's packet needs lies in its [`DownTrack`] and its peer's [`Egress`], both found by index. The buffer holds one viewer's run at a
//! time, so it stays in the first-level cache; packets of equal size leave in one system call.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::limits;
use crate::sfu::codec::{MediaKind, picture_id};
use crate::sfu::congestion::SentPackets;
use crate::sfu::down_track::DownTrack;
use crate::sfu::pacer::{Pace, TurnQueue};
use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
use crate::sfu::resend::NotResent;
use crate::sfu::rewrite::Rewritten;
use crate::sfu::rtp::extensions::{EgressExtensions, ExtensionKind, write_extensions};
use crate::sfu::rtp::header::{FIXED_HEADER_LEN, FixedHeader, fixed_header_bytes};
use crate::sfu::rtp::id::{Pt, Ssrc};
use crate::sfu::rtp::red::{self, Earlier};
use crate::sfu::rtp::rtx;
use crate::sfu::rtp::seq::{RtpTime, SeqNo, WireSeq};
use crate::sfu::stats::{Counters, DropReason};
use crate::sfu::transport::Remote;
use crate::sfu::transport::srtp::SrtpOutbound;
use crate::sfu::up_track::UpTrack;
use crate::sfu::verdict::Verdict;

/// Bytes of header extensions that a packet may need beside its dependency descriptor, in the longest form of each.
const EXTENSION_ROOM: usize = 96;

/// Where a peer is reached: its selected path and the local address it was reached on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub destination: Remote,
    pub source: Option<IpAddr>,
}

/// Takes datagrams away: the sockets, or the simulated network.
pub trait Wire {
    /// Sends `contents` as datagrams of `segment` bytes each (the last may be shorter). Returns `false` when they
    /// could not be taken; over a connection all of them are taken or none.
    fn send(&mut self, route: Route, segment: usize, contents: &[u8]) -> bool;
}

/// What sending to one peer takes, apart from the rest of the peer so that the packet path touches nothing else.
#[derive(Debug, Default)]
pub struct Egress {
    /// `None` until ICE and DTLS are up.
    pub ready: Option<ReadyEgress>,
    /// Sent packets by transport-wide number.
    pub sent: SentPackets,
    pub pace: Pace,
    pub packets: u64,
    pub bytes: u64,
    pub retransmitted: u64,
}

/// A route with keys.
pub struct ReadyEgress {
    pub route: Route,
    pub sealer: SrtpOutbound,
}

impl std::fmt::Debug for ReadyEgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyEgress").field("route", &self.route).finish_non_exhaustive()
    }
}

/// The moment of sending in the two forms the packet path needs.
#[derive(Debug, Clone, Copy)]
pub struct SendTime {
    pub now: Instant,
    /// For abs-send-time: 24 bits, 6.18 fixed point seconds.
    pub abs_send_time: u32,
}

/// What the packet path sends with.
pub struct Sending<'a, W> {
    pub at: SendTime,
    /// By peer key.
    pub egress: &'a mut [Egress],
    /// Holds one viewer's run at a time.
    pub buffer: &'a mut Vec<u8>,
    pub wire: &'a mut W,
    pub counters: &'a mut Counters,
}

/// Sends a run of packets of `layer` to every down-track of the track. What is too large for a viewer to be sent at once waits for its turn.
pub fn forward_run(up: &mut UpTrack, layer: u8, run: &[Arc<RtpPacket>], turns: &mut TurnQueue, sending: Sending<'_, impl Wire>) {
    let Sending { at, egress, buffer, wire, counters } = sending;
    let padding = Padding::of(run);
    if let Some(layer) = up.layers.get_mut(usize::from(layer)) {
        layer.edge = layer.edge.max(run.iter().map(|packet| packet.seq).max());
    }
    for (_, down) in &mut up.downs {
        let egress = &mut egress[down.peer];
        if egress.ready.is_none() {
            counters.dropped[DropReason::NotConnected as usize] += run.len() as u64;
            continue;
        }
        let mut burst = Burst::new(buffer);
        let mut room = if down.kind == MediaKind::Video { egress.pace.room(at.now) } else { i64::MAX };
        for (index, packet) in run.iter().enumerate() {
            match down.select(layer, packet, &up.layers) {
                Verdict::Drop(reason) => counters.drop(reason),
                Verdict::Queued => {}
                Verdict::Empty(numbers) => {
                    counters.drop(DropReason::NotSelected);
                    let start = burst.begin();
                    write_empty(at, down, egress, numbers, burst.buffer);
                    burst.end(start, egress, wire, counters);
                    egress.packets += 1;
                }
                Verdict::Forward(numbers) => {
                    let start = burst.begin();
                    let form = match down.redundant(packet, &up.layers) {
                        Some((pt, earlier)) => {
                            counters.redundant += 1;
                            Form::Redundant(pt, earlier)
                        }
                        None => Form::Padded(padding.bytes(index)),
                    };
                    write_packet(at, down, egress, packet, numbers, form, burst.buffer);
                    let mut length = burst.end(start, egress, wire, counters);
                    count(down, egress, packet, length);
                    length += send_parity(at, down, egress, numbers.time, &mut burst, wire, counters);
                    egress.pace.spend(at.now, length);
                    room -= length as i64;
                    if room <= 0
                        && index + 1 < run.len()
                        && let Some(due) = down.queue_behind(at.now, &run[..=index], egress.pace.rate_bps())
                    {
                        counters.paced_frames += 1;
                        turns.ask(down.peer, due);
                    }
                }
            }
        }
        burst.flush(egress, wire, counters);
        up.news |= down.news != Default::default();
    }
}

/// Sends the next piece of a down-track's queue: a frame, or as much of one as fits in a run. Returns its bytes on the wire.
pub fn forward_piece(up: &mut UpTrack, down: usize, sending: Sending<'_, impl Wire>) -> usize {
    let Sending { at, egress, buffer, wire, counters } = sending;
    let UpTrack { downs, layers, .. } = up;
    let Some(down) = downs.get_mut(down) else { return 0 };
    let egress = &mut egress[down.peer];
    if !down.begin_piece(at.now, layers) {
        return 0;
    }
    let mut burst = Burst::new(buffer);
    let mut bytes = 0;
    while let Some((packet, numbers)) = down.next_of_piece(layers) {
        let start = burst.begin();
        write_packet(at, down, egress, packet, numbers, Form::Padded(0), burst.buffer);
        let length = burst.end(start, egress, wire, counters);
        count(down, egress, packet, length);
        bytes += length + send_parity(at, down, egress, numbers.time, &mut burst, wire, counters);
    }
    burst.flush(egress, wire, counters);
    down.end_piece(at.now, bytes, layers);
    up.news |= down.news != Default::default();
    bytes
}

/// Answers a NACK: sends a packet of the ring again on the retransmission stream (RFC 4588). Its own SSRC and numbers, because no two
/// different packets may ever be sealed under one (SSRC, index). Returns its bytes when it was sent. A packet that has not come yet is not
/// waited for: when the publisher's repair brings it, it goes to everybody in its place.
pub fn retransmit(up: &mut UpTrack, down: usize, wanted: WireSeq, mut sending: Sending<'_, impl Wire>) -> Option<usize> {
    // A path that has become narrow has no room for what a smaller layer has taken the place of.
    if up.kind == MediaKind::Video && up.downs.get(down)?.rewriter.is_superseded(wanted) {
        sending.counters.not_resent[NotResent::Superseded as usize] += 1;
        return None;
    }
    let bytes = resend(up, down, wanted, &mut sending)?;
    let egress = &mut sending.egress[up.downs.get(down)?.peer];
    egress.pace.spend(sending.at.now, bytes);
    egress.retransmitted += 1;
    sending.counters.retransmitted += 1;
    Some(bytes)
}

/// Fills up a probe with a packet that the viewer has: a retransmission that nobody asked for. Returns its bytes, zero when there is none.
pub fn send_padding(up: &mut UpTrack, down: usize, mut sending: Sending<'_, impl Wire>) -> usize {
    let Some(wanted) = up.downs.get(down).and_then(DownTrack::padding) else { return 0 };
    let bytes = resend(up, down, wanted, &mut sending).unwrap_or(0);
    sending.counters.padding_packets += u64::from(bytes > 0);
    sending.counters.padding_bytes += bytes as u64;
    bytes
}

/// Returns its bytes on the wire, `None` when it cannot be sent.
fn resend(up: &mut UpTrack, down: usize, wanted: WireSeq, sending: &mut Sending<'_, impl Wire>) -> Option<usize> {
    let Sending { at, egress, buffer, wire, counters } = sending;
    let down = up.downs.get_mut(down)?;
    let egress = &mut egress[down.peer];
    let (Some(rtx_ssrc), Some(rtx_pt)) = (down.rtx_ssrc, down.payload_types().rtx) else { return None };
    egress.ready.as_ref()?;
    let (segment, source) = down.rewriter.locate(wanted)?;
    let layer = up.layers.get(usize::from(segment.layer))?;
    let Some(packet) = layer.packet(source) else {
        if layer.ring.is_overwritten(source) {
            counters.retransmit_missed += 1;
        } else {
            counters.not_resent[NotResent::NotReceived as usize] += 1;
        }
        return None;
    };
    // A number that left empty has nothing to send again.
    if !segment.selection.admitted(packet) {
        counters.retransmit_missed += 1;
        return None;
    }
    let packet = Arc::clone(packet);
    let marker = segment.selection.marker(&packet);
    let time = segment.times.out(packet.time).0;
    let picture_ids = packet.info.picture.map(|ids| segment.picture_ids.clone().rewrite(&ids));
    let rtx_seq = SeqNo(down.next_rtx_seq());

    let mut burst = Burst::new(buffer);
    let start = burst.begin();
    let header = Header { ssrc: rtx_ssrc, pt: rtx_pt, seq: rtx_seq, time, marker, has_padding: false };
    let header_len = write_header(*at, down, egress, &packet.extensions, header, burst.buffer, start);
    burst.buffer.extend_from_slice(&rtx::osn_bytes(wanted));
    let payload = burst.buffer.len();
    burst.buffer.extend_from_slice(&packet.payload);
    if let Some(ids) = picture_ids {
        picture_id::patch_payload(packet.codec, &mut burst.buffer[payload..], &ids);
    }
    seal(egress, burst.buffer, start, header_len, rtx_ssrc, rtx_seq);
    let length = burst.end(start, egress, *wire, counters);
    burst.flush(egress, *wire, counters);
    egress.bytes += length as u64;
    egress.packets += 1;
    Some(length)
}

/// What a packet's payload is beside itself.
enum Form<'a> {
    /// With so many bytes of padding behind it (RFC 3550 section 5.1).
    Padded(u8),
    /// With earlier ones, under this payload type (RFC 2198).
    Redundant(Pt, Earlier<'a>),
}

/// Writes and seals one packet at the end of `buffer`.
fn write_packet(
    at: SendTime,
    down: &mut DownTrack,
    egress: &mut Egress,
    packet: &RtpPacket,
    numbers: Rewritten,
    form: Form<'_>,
    buffer: &mut Vec<u8>,
) {
    let Some(frame_pt) = down.payload_types().media else { return };
    let start = buffer.len();
    let (pt, padding) = match form {
        Form::Padded(bytes) => (frame_pt, bytes),
        Form::Redundant(pt, _) => (pt, 0),
    };
    let has_padding = padding > 0;
    let header = Header { ssrc: down.ssrc, pt, seq: numbers.seq, time: numbers.time.0, marker: down.marker(packet), has_padding };
    let header_len = write_header(at, down, egress, &packet.extensions, header, buffer, start);
    let payload = buffer.len();
    match &form {
        Form::Padded(_) => buffer.extend_from_slice(&packet.payload),
        Form::Redundant(_, earlier) => red::write(buffer, frame_pt, &packet.payload, earlier),
    }
    if let Some(ids) = &packet.info.picture {
        let ids = down.rewriter.rewrite_picture_ids(ids);
        picture_id::patch_payload(packet.codec, &mut buffer[payload..], &ids);
    }
    if let Some(last) = padding.checked_sub(1) {
        buffer.resize(buffer.len() + usize::from(last), 0);
        buffer.push(padding);
    }
    if let Some(protection) = down.protection.as_mut().filter(|protection| protection.is_on()) {
        protection.cover(numbers.seq, &buffer[start..], &down.extensions, header.marker);
    }
    seal(egress, buffer, start, header_len, down.ssrc, numbers.seq);
}

/// Behind as many packets as it covers, their parity. Returns its bytes on the wire.
fn send_parity(
    at: SendTime,
    down: &mut DownTrack,
    egress: &mut Egress,
    time: RtpTime,
    burst: &mut Burst<'_>,
    wire: &mut impl Wire,
    counters: &mut Counters,
) -> usize {
    let Some(protection) = &mut down.protection else { return 0 };
    let Some(seq) = protection.due() else { return 0 };
    let (ssrc, pt) = (protection.ssrc, protection.pt);
    let start = burst.begin();
    let header = Header { ssrc, pt, seq, time: time.0, marker: false, has_padding: false };
    let header_len = write_header(at, down, egress, &ForwardedExtensions::default(), header, burst.buffer, start);
    if let Some(protection) = &mut down.protection {
        protection.write(down.ssrc, burst.buffer);
    }
    seal(egress, burst.buffer, start, header_len, ssrc, seq);
    counters.parity_packets += 1;
    egress.packets += 1;
    let length = burst.end(start, egress, wire, counters);
    egress.bytes += length as u64;
    length
}

/// A number without a packet: padding alone, which receivers take as nothing missing.
fn write_empty(at: SendTime, down: &DownTrack, egress: &mut Egress, numbers: Rewritten, buffer: &mut Vec<u8>) {
    let Some(pt) = down.payload_types().media else { return };
    let start = buffer.len();
    let header = Header { ssrc: down.ssrc, pt, seq: numbers.seq, time: numbers.time.0, marker: false, has_padding: true };
    let header_len = write_header(at, down, egress, &ForwardedExtensions::default(), header, buffer, start);
    buffer.push(1);
    seal(egress, buffer, start, header_len, down.ssrc, numbers.seq);
}

#[derive(Clone, Copy)]
struct Header {
    ssrc: Ssrc,
    pt: Pt,
    seq: SeqNo,
    time: u32,
    marker: bool,
    has_padding: bool,
}

/// Returns the header's length, extensions included.
fn write_header(
    at: SendTime,
    down: &DownTrack,
    egress: &mut Egress,
    forwarded: &ForwardedExtensions,
    header: Header,
    buffer: &mut Vec<u8>,
    start: usize,
) -> usize {
    let extensions = EgressExtensions {
        transport_cc: down.extensions.id_of(ExtensionKind::TransportCc).map(|_| egress.sent.next(at.now)),
        abs_send_time: Some(at.abs_send_time),
        mid: None,
        audio_level: forwarded.audio_level,
        abs_capture_time: forwarded.abs_capture_time,
        playout_delay: forwarded.playout_delay,
        video_orientation: forwarded.video_orientation,
        dependency_descriptor: forwarded.dependency_descriptor.as_deref(),
    };
    let room = EXTENSION_ROOM + forwarded.dependency_descriptor.as_ref().map_or(0, |descriptor| descriptor.len());
    buffer.resize(start + FIXED_HEADER_LEN + room, 0);
    let written = write_extensions(&down.extensions, &extensions, &mut buffer[start + FIXED_HEADER_LEN..]);
    buffer.truncate(start + FIXED_HEADER_LEN + written);
    let fixed = FixedHeader {
        marker: header.marker,
        pt: header.pt,
        seq: header.seq.wire(),
        time: RtpTime(header.time),
        ssrc: header.ssrc,
        has_padding: header.has_padding,
        has_extension: written > 0,
    };
    buffer[start..start + FIXED_HEADER_LEN].copy_from_slice(&fixed_header_bytes(&fixed));
    buffer.len() - start
}

fn seal(egress: &mut Egress, buffer: &mut Vec<u8>, start: usize, header_len: usize, ssrc: Ssrc, seq: SeqNo) {
    if let Some(ready) = &mut egress.ready {
        ready.sealer.seal_in_place(buffer, start, header_len, ssrc.0, seq.0);
    }
    egress.sent.set_size(buffer.len() - start);
}

fn count(down: &mut DownTrack, egress: &mut Egress, packet: &RtpPacket, length: usize) {
    down.report.packets = down.report.packets.wrapping_add(1);
    down.report.octets = down.report.octets.wrapping_add(packet.payload.len() as u32);
    egress.packets += 1;
    egress.bytes += length as u64;
}

/// Padding that makes the packets of a frame equal, so that each viewer's copy of the frame is one send. Encoders cut a frame into packets
/// that differ by a few bytes; evening them out costs 0.04 % of the bytes and halves the sends. Worked out once per run, because it
/// depends on the packets alone. The last packet of a frame may stay short, as segmentation offload allows.
struct Padding([u8; limits::RUN_PACKETS_MAX]);

impl Padding {
    fn of(run: &[Arc<RtpPacket>]) -> Self {
        let mut bytes = [0; limits::RUN_PACKETS_MAX];
        let mut start = 0;
        for frame in run.chunk_by(|one, next| one.time == next.time) {
            let longest = frame.iter().map(|packet| length(packet)).max().unwrap_or(0);
            let even = &frame[..frame.len() - 1];
            for (bytes, packet) in bytes[start..].iter_mut().zip(even) {
                // Beyond 255 bytes padding has no form, and the run is split instead.
                *bytes = u8::try_from(longest - length(packet)).unwrap_or(0);
            }
            start += frame.len();
        }
        Self(bytes)
    }

    fn bytes(&self, index: usize) -> u8 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

/// What a packet's length varies by: its payload, and the header extensions that not every packet has.
fn length(packet: &RtpPacket) -> usize {
    let descriptor = packet.extensions.dependency_descriptor.as_ref().map_or(0, |descriptor| 1 + descriptor.len());
    packet.payload.len() + descriptor.next_multiple_of(4)
}

/// Packets to one viewer, gathered while they are of equal size (the last may be shorter) and sent together.
struct Burst<'a> {
    buffer: &'a mut Vec<u8>,
    segment: usize,
    packets: usize,
    /// A shorter packet closed the group: nothing may follow it.
    closed: bool,
}

impl<'a> Burst<'a> {
    fn new(buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        Self { buffer, segment: 0, packets: 0, closed: false }
    }

    fn begin(&self) -> usize {
        self.buffer.len()
    }

    /// The packet at `start` is complete. Sends what is before it if it cannot join. Returns its length.
    fn end(&mut self, start: usize, egress: &Egress, wire: &mut impl Wire, counters: &mut Counters) -> usize {
        let length = self.buffer.len() - start;
        let fits = self.packets < limits::SEND_SEGMENTS_MAX && self.buffer.len() <= limits::SEND_BYTES_MAX;
        if self.packets > 0 && (self.closed || length > self.segment || !fits) {
            self.send(start, egress, wire, counters);
            self.buffer.copy_within(start.., 0);
            self.buffer.truncate(length);
        }
        if self.packets == 0 {
            self.segment = length;
        }
        self.packets += 1;
        self.closed = length < self.segment;
        length
    }

    fn flush(&mut self, egress: &Egress, wire: &mut impl Wire, counters: &mut Counters) {
        let end = self.buffer.len();
        if self.packets > 0 {
            self.send(end, egress, wire, counters);
        }
        self.buffer.clear();
    }

    fn send(&mut self, end: usize, egress: &Egress, wire: &mut impl Wire, counters: &mut Counters) {
        if let Some(ready) = &egress.ready {
            counters.sends += 1;
            if wire.send(ready.route, self.segment, &self.buffer[..end]) {
                counters.packets_forwarded += self.packets as u64;
                counters.bytes_forwarded += end as u64;
            } else {
                counters.dropped[DropReason::SocketFull as usize] += self.packets as u64;
            }
        }
        self.packets = 0;
        self.closed = false;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::{Codec, PayloadInfo};

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn packet(time: u32, bytes: usize) -> Arc<RtpPacket> {
        Arc::new(RtpPacket {
            seq: SeqNo(1),
            time: RtpTime(time),
            marker: false,
            codec: Codec::H264,
            info: PayloadInfo::default(),
            received: Instant::now(),
            recovered: false,
            extensions: ForwardedExtensions::default(),
            payload: Bytes::from(vec![1; bytes]),
        })
    }

    #[test]
    fn all_but_the_last_packet_of_a_frame_are_made_as_long_as_its_longest() {
        let run = [packet(1, 1000), packet(1, 1100), packet(1, 400), packet(2, 90), packet(2, 100), packet(3, 7)];
        let padding = Padding::of(&run);
        assert_eq!((0..7).map(|index| padding.bytes(index)).collect::<Vec<_>>(), [100, 0, 0, 10, 0, 0, 0]);
        let apart = Padding::of(&[packet(1, 500), packet(1, 800), packet(1, 800)]);
        assert_eq!(apart.bytes(0), 0, "more than a padding count can say");
    }
}
