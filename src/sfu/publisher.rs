//! What one peer publishes, from decrypted packet to a packet of a layer of a track: binding SSRCs, repairing loss, reading sender
//! reports, and the reports it is owed in return. Who watches is not known here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::limits;
use crate::sfu::codec::dependency::DependencyReader;
use crate::sfu::codec::{self, Codec, MediaKind};
use crate::sfu::ingest::nack::{Arrival, NackGenerator};
use crate::sfu::ingest::reception::Reception;
use crate::sfu::ingest::twcc::TwccRecorder;
use crate::sfu::negotiate::NegotiatedCodec;
use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
use crate::sfu::rtp::extensions::{ExtensionMap, Extensions};
use crate::sfu::rtp::header::RtpHeader;
use crate::sfu::rtp::id::{Mid, Pt, Rid, Ssrc};
use crate::sfu::rtp::seq::{Discontinuity, RtpTime, SeqExtender, SeqNo};
use crate::sfu::rtp::{red, rtcp_build, rtx};
use crate::sfu::stats::DropReason;
use crate::sfu::tap::TrackSlot;
use crate::timeline::{ClockMap, MediaTime, NtpTime};

/// Round trip assumed for repeating a NACK: receivers of media never learn their own.
const NACK_RTT: Duration = Duration::from_millis(50);

/// How long packets of a layer's former SSRC are taken for late ones.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// One sending m-line of the peer.
#[derive(Debug)]
pub struct UpMedia {
    pub mid: Mid,
    pub slot: TrackSlot,
    pub codecs: Vec<NegotiatedCodec>,
    /// Simulcast encodings in offer order; empty: one stream.
    pub rids: Vec<Rid>,
    /// SSRCs (and their retransmission SSRCs) that the SDP declared.
    pub declared: Vec<(Ssrc, Option<Ssrc>)>,
    pub streams: Vec<Option<Stream>>,
}

/// One layer's RTP stream.
#[derive(Debug)]
pub struct Stream {
    pub ssrc: Ssrc,
    pub rid: Option<Rid>,
    codec: Codec,
    extender: SeqExtender,
    nack: NackGenerator,
    reception: Reception,
    dependency: DependencyReader,
    /// From a sender report, not merely from the first packet's arrival.
    clock_is_real: bool,
    refused: bool,
    /// The SSRC that this layer had before, and until when its packets are stragglers rather than a return to it.
    former: Option<(Ssrc, Instant)>,
    /// Unmended loss over the last report interval, 0..1.
    loss: f32,
}

#[derive(Debug, Clone, Copy)]
struct Binding {
    media: usize,
    layer: u8,
    rtx: bool,
}

/// Which m-line and layer an SSRC of the client was found to be. Browsers say so (MID, RID) only until they know that it has been heard: what they send
/// under the same SSRC later, to another publisher of the same peer, is told by this alone.
#[derive(Debug, Clone, Copy)]
pub struct Learned {
    ssrc: Ssrc,
    mid: Mid,
    rid: Option<Rid>,
    rtx: bool,
}

/// Whether what comes continues what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    No,
    /// This layer began anew (other SSRC, or numbers that jumped); its numbers go on above all earlier ones. The other layers are as before.
    Layer,
    /// Another codec: nothing before this packet belongs to the track.
    Track,
}

/// A packet that found its place.
#[derive(Debug)]
pub struct Ingested {
    pub slot: TrackSlot,
    pub layer: u8,
    pub rid: Option<Rid>,
    pub packet: Arc<RtpPacket>,
    /// Those before it that it carries too, oldest first: some were lost, perhaps.
    pub earlier: [Option<Arc<RtpPacket>>; red::BLOCKS_MAX],
    pub restart: Restart,
    /// First packet of the stream: its clock until a sender report comes.
    pub provisional_clock: Option<ClockMap>,
    /// The publisher sends B-frames and has not been told yet.
    pub b_frames: bool,
}

/// A sender report that was understood.
#[derive(Debug, Clone, Copy)]
pub struct ClockUpdate {
    pub slot: TrackSlot,
    pub layer: u8,
    pub clock: ClockMap,
    /// The first real clock of this layer: viewers should hear of it at once.
    pub first: bool,
}

/// The publishing half of a peer.
#[derive(Debug)]
pub struct Publisher {
    media: Vec<UpMedia>,
    extensions: ExtensionMap,
    bindings: HashMap<Ssrc, Binding>,
    twcc: Option<TwccRecorder>,
    clock: SourceClock,
    /// Our SSRC in reports to it.
    reporter: Ssrc,
    report_due: Option<Instant>,
}

impl Publisher {
    /// `transport_cc`: the origin of receive times, when feedback was negotiated. Without it Chromium starves its upper layers.
    pub fn new(media: Vec<UpMedia>, extensions: ExtensionMap, transport_cc: Option<Instant>, reporter: Ssrc) -> Self {
        let twcc = transport_cc.map(TwccRecorder::new);
        Self { media, extensions, bindings: HashMap::new(), twcc, clock: SourceClock::default(), reporter, report_due: None }
    }

    /// What was learned of the client's SSRCs, at most `limits::SSRCS_PER_PEER_MAX`.
    pub fn learned(&self) -> Vec<Learned> {
        let of = |(ssrc, binding): (&Ssrc, &Binding)| {
            let media = self.media.get(binding.media)?;
            Some(Learned { ssrc: *ssrc, mid: media.mid, rid: media.rids.get(usize::from(binding.layer)).copied(), rtx: binding.rtx })
        };
        self.bindings.iter().filter_map(of).collect()
    }

    /// Takes up what an earlier publisher of the peer has learned, as far as it still means something.
    pub fn recall(&mut self, learned: &[Learned]) {
        for Learned { ssrc, mid, rid, rtx } in learned {
            let Some(media) = self.media.iter().position(|media| media.mid == *mid) else { continue };
            let layer = match rid {
                Some(rid) => self.media[media].rids.iter().position(|offered| offered == rid),
                None => Some(0).filter(|_| self.media[media].rids.is_empty()),
            };
            if let Some(layer) = layer {
                self.bindings.insert(*ssrc, Binding { media, layer: layer as u8, rtx: *rtx });
            }
        }
    }

    pub fn media(&self) -> &[UpMedia] {
        &self.media
    }

    /// Takes a decrypted packet.
    ///
    /// # Errors
    /// Why it goes no further.
    pub fn handle_rtp(&mut self, now: Instant, unix_ms: f64, packet: &Bytes, header: &RtpHeader) -> Result<Ingested, DropReason> {
        let extensions = Extensions::parse(packet, header, &self.extensions);
        if let (Some(recorder), Some(seq)) = (&mut self.twcc, extensions.transport_cc) {
            recorder.on_packet(now, seq);
        }
        let range = header.payload_range(packet).map_err(|_| DropReason::Malformed)?;
        let binding = match self.bindings.get(&header.ssrc) {
            Some(binding) => *binding,
            None => self.bind(header, &extensions)?,
        };
        let media = &mut self.media[binding.media];
        let payload = packet.slice(range);
        if binding.rtx {
            return media.handle_rtx(now, binding.layer, header, &extensions, packet, payload);
        }
        let negotiated = media.codecs.iter().find(|codec| codec.pt == header.pt || codec.red_pt == Some(header.pt));
        let &NegotiatedCodec { codec, pt, .. } = negotiated.ok_or(DropReason::UnknownPayloadType)?;
        let red = if pt == header.pt { None } else { Some(red::read(&payload, pt).ok_or(DropReason::Malformed)?) };
        let frame = red.map_or_else(|| payload.clone(), |red| payload.slice_ref(red.primary));
        let mut ingested = media.handle_media(now, unix_ms, binding.layer, codec, header, &extensions, packet, frame)?;
        if let Some(red) = red {
            ingested.earlier = earlier(&ingested.packet, &payload, &red);
        }
        if ingested.restart != Restart::No {
            self.forget_older_bindings(binding);
        }
        Ok(ingested)
    }

    /// A sender report of the peer.
    pub fn handle_sender_report(&mut self, now: Instant, unix_ms: f64, ssrc: Ssrc, ntp: NtpTime, rtp: RtpTime) -> Option<ClockUpdate> {
        let binding = *self.bindings.get(&ssrc)?;
        if binding.rtx {
            return None;
        }
        let media = &mut self.media[binding.media];
        let slot = media.slot;
        let stream = media.streams.get_mut(usize::from(binding.layer))?.as_mut()?;
        stream.reception.on_sender_report(now, ntp);
        let clock = self.clock.map(ntp, rtp, stream.codec.clock_rate_hz(), unix_ms);
        let first = !std::mem::replace(&mut stream.clock_is_real, true);
        Some(ClockUpdate { slot, layer: binding.layer, clock, first })
    }

    /// Writes the next transport-wide feedback that is due, a packet of its own. Call until it returns `false`.
    pub fn poll_transport_feedback(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let first = self.media.iter().flat_map(|media| media.streams.iter().flatten()).map(|stream| stream.ssrc).next();
        match (&mut self.twcc, first) {
            (Some(recorder), Some(media)) => recorder.poll_feedback(now, self.reporter, media, out),
            (Some(_), None) | (None, _) => false,
        }
    }

    /// Appends the NACKs and receiver reports that are due. Returns how many packets were asked for again.
    pub fn poll_feedback(&mut self, now: Instant, out: &mut Vec<u8>) -> u64 {
        let mut asked = 0;
        let mut missing = Vec::new();
        let mut any = false;
        for stream in self.media.iter_mut().flat_map(|media| media.streams.iter_mut().flatten()) {
            any = true;
            missing.clear();
            stream.nack.poll(now, NACK_RTT, &mut missing);
            if !missing.is_empty() {
                asked += missing.len() as u64;
                rtcp_build::nack(out, self.reporter, stream.ssrc, &missing);
            }
        }
        if any && self.report_due.is_none_or(|due| due <= now) {
            self.report_due = Some(now + limits::RECEIVER_REPORT_INTERVAL);
            let streams = self.media.iter_mut().flat_map(|media| media.streams.iter_mut().flatten());
            let blocks: Vec<_> = streams
                .filter_map(|stream| {
                    stream.loss = stream.reception.take_unmended_loss();
                    stream.reception.report(now, stream.ssrc)
                })
                .collect();
            rtcp_build::receiver_report(out, self.reporter, &blocks, "courtside");
        }
        asked
    }

    /// A layer of the video in which a hole was given up on: only a key frame helps.
    pub fn take_damaged_layer(&mut self) -> Option<u8> {
        let mut damaged = None;
        for media in self.media.iter_mut().filter(|media| media.slot == TrackSlot::MainVideo) {
            for (layer, stream) in media.streams.iter_mut().enumerate() {
                if stream.as_mut().is_some_and(|stream| stream.nack.take_needs_keyframe()) {
                    damaged = Some(layer as u8);
                }
            }
        }
        damaged
    }

    /// Appends a picture loss indication for every layer of the video.
    pub fn request_keyframes(&self, out: &mut Vec<u8>) {
        for media in self.media.iter().filter(|media| media.slot == TrackSlot::MainVideo) {
            for stream in media.streams.iter().flatten() {
                rtcp_build::pli(out, self.reporter, stream.ssrc);
            }
        }
    }

    /// Share of packets lost over the last report interval, the worst stream's; 0..1.
    pub fn loss_fraction(&self, slot: TrackSlot) -> f32 {
        let streams = self.media.iter().filter(|media| media.slot == slot).flat_map(|media| media.streams.iter().flatten());
        streams.map(|stream| stream.loss).fold(0.0, f32::max)
    }

    /// A layer began anew: of its SSRCs only the present and the former one stay known, and none of its retransmissions', whose numbers mean
    /// other packets now. One that goes on is bound again by its RRID.
    fn forget_older_bindings(&mut self, place: Binding) {
        let stream = self.media[place.media].streams.get(usize::from(place.layer)).and_then(Option::as_ref);
        let kept = stream.map(|stream| [Some(stream.ssrc), stream.former.map(|(ssrc, _)| ssrc)]).unwrap_or_default();
        self.bindings.retain(|ssrc, binding| {
            (binding.media, binding.layer) != (place.media, place.layer) || (!binding.rtx && kept.contains(&Some(*ssrc)))
        });
    }

    /// Finds the layer of an SSRC seen for the first time (RFC 8843 section 9.2, RFC 8852), and remembers it.
    fn bind(&mut self, header: &RtpHeader, extensions: &Extensions<'_>) -> Result<Binding, DropReason> {
        let declared = self.media.iter().enumerate().find_map(|(media, up)| {
            let (ssrc, _) = up.declared.iter().find(|(ssrc, rtx)| *ssrc == header.ssrc || *rtx == Some(header.ssrc))?;
            Some(Binding { media, layer: 0, rtx: *ssrc != header.ssrc })
        });
        let binding = match declared {
            Some(binding) if self.media[binding.media].rids.is_empty() => binding,
            Some(_) | None => self.bind_by_extensions(header, extensions).ok_or(DropReason::UnknownSsrc)?,
        };
        if self.bindings.len() >= limits::SSRCS_PER_PEER_MAX {
            return Err(DropReason::UnknownSsrc);
        }
        self.bindings.insert(header.ssrc, binding);
        Ok(binding)
    }

    fn bind_by_extensions(&self, header: &RtpHeader, extensions: &Extensions<'_>) -> Option<Binding> {
        let by_mid = extensions.mid.and_then(|mid| self.media.iter().position(|media| media.mid == mid));
        let media = by_mid.or_else(|| {
            let mut carrying = self.media.iter().enumerate().filter(|(_, media)| media.carries(header.pt));
            let (index, _) = carrying.next()?;
            carrying.next().is_none().then_some(index)
        })?;
        let up = &self.media[media];
        if up.rids.is_empty() {
            let rtx = up.codecs.iter().any(|codec| codec.rtx_pt == Some(header.pt));
            return Some(Binding { media, layer: 0, rtx });
        }
        let (rid, rtx) = match (extensions.rid, extensions.repaired_rid) {
            (_, Some(rid)) => (rid, true),
            (Some(rid), None) => (rid, false),
            (None, None) => return None,
        };
        let layer = up.rids.iter().position(|offered| *offered == rid)?;
        Some(Binding { media, layer: layer as u8, rtx })
    }
}

impl UpMedia {
    fn carries(&self, pt: Pt) -> bool {
        self.codecs.iter().any(|codec| codec.pt == pt || codec.rtx_pt == Some(pt) || codec.red_pt == Some(pt))
    }

    #[expect(clippy::too_many_arguments, reason = "the packet in its parsed parts; they exist only for this call")]
    fn handle_media(
        &mut self,
        now: Instant,
        unix_ms: f64,
        layer: u8,
        codec: Codec,
        header: &RtpHeader,
        extensions: &Extensions<'_>,
        packet: &Bytes,
        payload: Bytes,
    ) -> Result<Ingested, DropReason> {
        let index = usize::from(layer);
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        let rid = self.rids.get(index).copied();
        let slot = self.slot;
        let mut restart = Restart::No;
        let mut provisional_clock = None;
        let present = self.streams[index].as_ref();
        if present.is_some_and(|stream| stream.is_straggler(now, header.ssrc)) {
            return Err(DropReason::Late);
        }
        if present.is_none_or(|stream| stream.ssrc != header.ssrc || stream.codec != codec) {
            if payload.is_empty() {
                return Err(DropReason::EmptyPayload);
            }
            let mut stream = Stream::new(header.ssrc, rid, codec);
            if let Some(before) = present {
                restart = if before.codec == codec { Restart::Layer } else { Restart::Track };
                stream.former = (before.ssrc != header.ssrc).then_some((before.ssrc, now + STRAGGLERS));
                stream.extender = before.extender.followed();
            }
            self.streams[index] = Some(stream);
            provisional_clock = Some(ClockMap { rtp0: header.time.0, ntp0_ms: unix_ms, rate_hz: codec.clock_rate_hz() });
        }
        let stream = self.streams[index].as_mut().expect("just made if it was missing");
        let seq = match stream.extender.extend(header.seq) {
            Ok(seq) => seq,
            Err(Discontinuity::Stray) => return Err(DropReason::Late),
            Err(Discontinuity::Restarted(seq)) => {
                restart = Restart::Layer;
                provisional_clock = Some(ClockMap { rtp0: header.time.0, ntp0_ms: unix_ms, rate_hz: codec.clock_rate_hz() });
                stream.clock_is_real = false;
                stream.nack.reset();
                seq
            }
        };
        stream.reception.on_packet(now, seq, header.time);
        if codec.kind() == MediaKind::Video {
            stream.nack.on_packet(now, seq);
        }
        if payload.is_empty() {
            return Err(DropReason::EmptyPayload);
        }
        let (info, descriptor) = stream.inspect(extensions, packet, &payload);
        let b_frames = info.has_b_slice && !std::mem::replace(&mut stream.refused, true);
        if stream.refused && !b_frames {
            return Err(DropReason::Refused);
        }
        let packet = Arc::new(RtpPacket {
            seq,
            time: header.time,
            marker: header.marker,
            codec,
            info,
            received: now,
            recovered: false,
            extensions: forwarded(extensions, descriptor),
            payload,
        });
        Ok(Ingested { slot, layer, rid, packet, earlier: [None, None], restart, provisional_clock, b_frames })
    }

    fn handle_rtx(
        &mut self,
        now: Instant,
        layer: u8,
        header: &RtpHeader,
        extensions: &Extensions<'_>,
        packet: &Bytes,
        payload: Bytes,
    ) -> Result<Ingested, DropReason> {
        // Probes for bandwidth are retransmissions too, or empty.
        let (original, rest) = rtx::unwrap(&payload).ok_or(DropReason::EmptyPayload)?;
        if rest.is_empty() {
            return Err(DropReason::EmptyPayload);
        }
        let stream = self.streams.get_mut(usize::from(layer)).and_then(Option::as_mut).ok_or(DropReason::UnknownSsrc)?;
        if stream.refused {
            return Err(DropReason::Refused);
        }
        let seq = stream.extender.nearest(original).ok_or(DropReason::UnknownSsrc)?;
        if stream.nack.on_packet(now, seq) == Arrival::Filled {
            stream.reception.on_mended();
        }
        let payload = payload.slice(rtx::OSN_LEN..);
        let (info, descriptor) = stream.inspect(extensions, packet, &payload);
        let packet = Arc::new(RtpPacket {
            seq,
            time: header.time,
            marker: header.marker,
            codec: stream.codec,
            info,
            received: now,
            recovered: true,
            extensions: forwarded(extensions, descriptor),
            payload,
        });
        Ok(Ingested {
            slot: self.slot,
            layer,
            rid: stream.rid,
            packet,
            earlier: [None, None],
            restart: Restart::No,
            provisional_clock: None,
            b_frames: false,
        })
    }
}

impl Stream {
    fn new(ssrc: Ssrc, rid: Option<Rid>, codec: Codec) -> Self {
        Self {
            ssrc,
            rid,
            codec,
            extender: SeqExtender::new(),
            nack: NackGenerator::default(),
            reception: Reception::new(codec.clock_rate_hz()),
            dependency: DependencyReader::default(),
            clock_is_real: false,
            refused: false,
            former: None,
            loss: 0.0,
        }
    }

    fn is_straggler(&self, now: Instant, ssrc: Ssrc) -> bool {
        self.former.is_some_and(|(former, until)| former == ssrc && now < until)
    }

    fn inspect(&mut self, extensions: &Extensions<'_>, packet: &Bytes, payload: &Bytes) -> (codec::PayloadInfo, Option<Bytes>) {
        let dependency = extensions.dependency_descriptor.and_then(|bytes| self.dependency.read(bytes));
        let descriptor = extensions.dependency_descriptor.map(|bytes| packet.slice_ref(bytes));
        (codec::inspect(self.codec, payload, dependency.as_ref()), descriptor)
    }
}

/// The packets that a packet carries beside itself, as if they had come by themselves. Each has the number before: senders repeat what they
/// sent last.
fn earlier(packet: &RtpPacket, payload: &Bytes, red: &red::Red<'_>) -> [Option<Arc<RtpPacket>>; red::BLOCKS_MAX] {
    let mut earlier = [None, None];
    for (back, (place, block)) in (1..).zip(earlier.iter_mut().rev().zip(red.earlier)) {
        let (Some(block), Some(seq)) = (block, packet.seq.0.checked_sub(back)) else { continue };
        let payload = payload.slice_ref(block.payload);
        *place = Some(Arc::new(RtpPacket {
            seq: SeqNo(seq),
            time: RtpTime(packet.time.0.wrapping_sub(block.distance)),
            marker: false,
            codec: packet.codec,
            info: codec::inspect(packet.codec, &payload, None),
            received: packet.received,
            recovered: true,
            extensions: ForwardedExtensions::default(),
            payload,
        }));
    }
    earlier
}

fn forwarded(extensions: &Extensions<'_>, dependency_descriptor: Option<Bytes>) -> ForwardedExtensions {
    ForwardedExtensions {
        audio_level: extensions.audio_level,
        abs_capture_time: extensions.abs_capture_time,
        playout_delay: extensions.playout_delay,
        video_orientation: extensions.video_orientation,
        dependency_descriptor,
    }
}

/// Turns a publisher's NTP clock into media time. A clock that is about right is believed (then media time is capture time); one that is
/// off is shifted so that its reports seem to arrive without delay. One shift for all its streams keeps sound and picture together.
#[derive(Debug, Default)]
struct SourceClock {
    shift_ms: Option<f64>,
}

impl SourceClock {
    /// A report that seems this much too early or late belongs to a clock that is off.
    const BELIEVED_TRANSIT_MS: std::ops::RangeInclusive<f64> = -20.0..=500.0;
    /// Beyond this the shift itself is judged wrong (the publisher's clock was set).
    const STALE_TRANSIT_MS: std::ops::RangeInclusive<f64> = -20.0..=1500.0;

    fn map(&mut self, ntp: NtpTime, rtp: RtpTime, rate_hz: u32, arrival_unix_ms: f64) -> ClockMap {
        let MediaTime(claimed) = ntp.to_media_time();
        let transit = arrival_unix_ms - claimed;
        let shift = match self.shift_ms {
            Some(shift) if Self::STALE_TRANSIT_MS.contains(&(transit - shift)) => shift,
            Some(_) | None if Self::BELIEVED_TRANSIT_MS.contains(&transit) => 0.0,
            Some(_) | None => transit,
        };
        self.shift_ms = Some(shift);
        ClockMap { rtp0: rtp.0, ntp0_ms: claimed + shift, rate_hz }
    }
}
