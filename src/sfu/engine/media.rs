//! From a decrypted packet to every viewer here and every worker elsewhere.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use crate::limits;
use crate::sfu::broadcast::PendingRun;
use crate::sfu::codec::MediaKind;
use crate::sfu::forward::{Sending, Wire, forward_run};
use crate::sfu::handle::{PublisherProblem, SfuEvent};
use crate::sfu::latency::Forwarded;
use crate::sfu::publisher::{Ingested, Restart};
use crate::sfu::rtp::header::{RtpHeader, is_rtcp};
use crate::sfu::stats::DropReason;
use crate::sfu::tap::{Handover, TapRun, TrackSlot};
use crate::timeline::ClockMap;

impl Engine {
    pub(super) fn handle_srtp(&mut self, now: Instant, key: usize, datagram: &[u8], wire: &mut impl Wire) {
        let unix_ms = self.unix_ms(now);
        let peer = &mut self.peers[key];
        let Some(inbound) = &mut peer.inbound else { return self.counters.drop(DropReason::NoKeys) };
        if is_rtcp(datagram) {
            match inbound.decrypt_rtcp(datagram) {
                Ok(compound) => {
                    // Who uses the keys has seen the end of the handshake.
                    peer.dtls.settle(now);
                    self.handle_rtcp(now, key, &compound, wire);
                }
                Err(_) => self.counters.drop(DropReason::Srtp),
            }
            return;
        }
        self.counters.packets_received += 1;
        self.counters.bytes_received += datagram.len() as u64;
        peer.packets_received += 1;
        peer.bytes_received += datagram.len() as u64;
        // A peer that publishes nothing has no business sending media: nothing is decrypted for it.
        let Some(publisher) = &mut peer.publisher else { return self.counters.drop(DropReason::UnknownSsrc) };
        let Ok(header) = RtpHeader::parse(datagram) else { return self.counters.drop(DropReason::Malformed) };
        let Ok(packet) = inbound.decrypt_rtp(datagram, header.header_len, header.ssrc.0, header.seq.0) else {
            return self.counters.drop(DropReason::Srtp);
        };
        peer.dtls.settle(now);
        let packet = packet.freeze();
        match publisher.handle_rtp(now, unix_ms, &packet, &header) {
            Ok(ingested) => self.handle_ingested(now, key, ingested),
            Err(reason) => self.counters.drop(reason),
        }
    }

    fn handle_ingested(&mut self, now: Instant, key: usize, ingested: Ingested) {
        let (peer, broadcast_key) = (self.peers[key].id, self.peers[key].source);
        let broadcast = &mut self.broadcasts[broadcast_key];
        if broadcast.publisher != Some(key) {
            return self.counters.drop(DropReason::UnknownSsrc);
        }
        if ingested.b_frames {
            let event = SfuEvent::PublisherRefused { peer, broadcast: broadcast.id, reason: PublisherProblem::BFrames };
            self.counters.drop(DropReason::Refused);
            return self.emit(event);
        }
        let discarded = match ingested.restart {
            Restart::No => 0,
            Restart::Layer => broadcast.handle_layer_restarted(ingested.slot, ingested.layer),
            Restart::Track => broadcast.handle_source_gone(),
        };
        self.counters.dropped[DropReason::Late as usize] += discarded;
        let keyframe = ingested.slot == TrackSlot::MainVideo && ingested.packet.info.keyframe_start;
        let silenced = broadcast.silenced && ingested.slot == TrackSlot::MainAudio;
        let track = broadcast.track_mut(ingested.slot);
        let first = track.codec.is_none();
        if let Some(layer) = track.layer_mut(ingested.layer) {
            layer.rid = ingested.rid;
            layer.clock = layer.clock.or(ingested.provisional_clock);
        }
        // Only now: what begins anew while nobody hears it has begun anew for those who hear it later.
        if silenced {
            return self.counters.drop(DropReason::Silenced);
        }
        if !track.observe(now, ingested.layer, &ingested.packet) {
            return self.counters.drop(DropReason::Duplicate);
        }
        // Loss upstream is repaired once, here: what was missing goes to everybody in its place.
        let mended = ingested.earlier.map(|packet| packet.filter(|packet| track.observe(now, ingested.layer, packet)));
        if track.kind == MediaKind::Audio
            && let Some(level) = ingested.packet.extensions.audio_level
        {
            track.voice.observe(now, level);
        }
        if keyframe {
            broadcast.keyframes.handle_keyframe(now, ingested.layer);
        }
        if first {
            // Tell at once, so that the broadcast is live with its first packet and not a second later.
            broadcast.report_due = Some(now);
        }
        if !self.pending.contains(&broadcast_key) {
            self.pending.push(broadcast_key);
        }
        for packet in mended.into_iter().flatten() {
            self.counters.mended_by_redundancy += 1;
            broadcast.gather(ingested.slot, ingested.layer, packet);
        }
        broadcast.gather(ingested.slot, ingested.layer, ingested.packet);
    }

    /// The batch of datagrams is read: forwards what it brought, run by run. The beginning of a frame may wait for its end.
    pub fn handle_batch_end(&mut self, now: Instant, wire: &mut impl Wire) {
        if self.pending.is_empty() {
            // What waited was forgotten with its source: nothing is due any more.
            self.run_due = None;
            return;
        }
        let at = self.send_time(now);
        let mut pending = std::mem::take(&mut self.pending);
        self.run_due = None;
        pending.retain(|broadcast_key| {
            let Some(broadcast) = self.broadcasts.get_mut(*broadcast_key) else { return false };
            let (id, home, source) = (broadcast.id, broadcast.home, broadcast.source);
            let mut runs = std::mem::take(&mut broadcast.pending);
            for run in &mut runs {
                let ripe = run.take_ripe(now);
                if ripe.is_empty() {
                    continue;
                }
                let track = broadcast.track_mut(run.slot);
                let layer = track.layers.get(usize::from(run.layer));
                let (clock, clock_is_real, generation) =
                    layer.map_or((None, false, 0), |layer| (layer.clock, layer.clock_is_real, layer.generation));
                let sent = self.counters.packets_forwarded;
                for packets in ripe.chunks(limits::RUN_PACKETS_MAX) {
                    let sending = Sending { at, egress: &mut self.egress, buffer: &mut self.buffer, wire, counters: &mut self.counters };
                    forward_run(track, run.layer, packets, &mut self.turns, sending);
                }
                self.forwarded.push(Forwarded { received: ripe[0].received, packets: self.counters.packets_forwarded - sent });
                if broadcast.subscribers.is_empty() && broadcast.taps.is_empty() {
                    continue;
                }
                let packets: Arc<[_]> = ripe.into();
                let PendingRun { slot, layer, .. } = *run;
                let run = TapRun { broadcast: id, home, slot, layer, source, generation, clock, clock_is_real, packets };
                for tap in &broadcast.taps {
                    self.tapped.push((tap.clone(), run.clone()));
                }
                for (worker, _) in &broadcast.subscribers {
                    self.handovers.push_back((*worker, Handover::Run(run.clone())));
                }
            }
            runs.retain(|run| !run.packets.is_empty());
            let due = runs.iter().filter_map(PendingRun::due).min();
            self.run_due = [self.run_due, due].into_iter().flatten().min();
            let waits = !runs.is_empty();
            broadcast.pending = runs;
            self.publish_news(now, *broadcast_key);
            waits
        });
        self.pending = pending;
    }

    /// Takes what another worker handed over.
    pub fn handle_handover(&mut self, now: Instant, handover: Handover, wire: &mut impl Wire) {
        match handover {
            Handover::Run(run) => self.handle_run(now, &run, wire),
            Handover::Subscribe { broadcast, worker } => {
                let key = self.broadcast_key(now, broadcast, self.config.worker);
                let broadcast = &mut self.broadcasts[key];
                match broadcast.subscribers.iter_mut().find(|(subscriber, _)| *subscriber == worker) {
                    Some((_, seen)) => *seen = now,
                    None => {
                        broadcast.subscribers.push((worker, now));
                        let groups = broadcast.groups(now);
                        self.handovers.extend(groups.into_iter().map(|group| (worker, Handover::Group(group))));
                    }
                }
            }
            Handover::Group(group) => self.handle_group(now, &group),
            Handover::Wanted { broadcast, worker, layers } => {
                if let Some(&key) = self.by_broadcast.get(&broadcast) {
                    self.broadcasts[key].demand.handle_elsewhere(worker, layers);
                    self.broadcasts[key].demand_moved = true;
                }
            }
            Handover::Unsubscribe { broadcast, worker } => {
                if let Some(&key) = self.by_broadcast.get(&broadcast) {
                    self.broadcasts[key].subscribers.retain(|(subscriber, _)| *subscriber != worker);
                    self.forget_if_abandoned(key);
                }
            }
            Handover::NeedKeyframe { broadcast, layer } => {
                if let Some(&key) = self.by_broadcast.get(&broadcast) {
                    self.broadcasts[key].keyframes.need(now, layer);
                }
            }
            Handover::SourceGone { broadcast, home } => {
                if let Some(&key) = self.by_broadcast.get(&broadcast).filter(|key| self.broadcasts[**key].home == home) {
                    self.counters.dropped[DropReason::Late as usize] += self.broadcasts[key].handle_source_gone();
                }
            }
        }
    }

    /// Media of a source whose publisher is on another worker.
    fn handle_run(&mut self, now: Instant, run: &TapRun, wire: &mut impl Wire) {
        let at = self.send_time(now);
        let Some(key) = self.mirror(now, run) else { return };
        let track = self.broadcasts[key].track_mut(run.slot);
        // A run may overlap with the group that was handed over before it, and no packet may be forwarded twice.
        let packets = match track.layer_mut(run.layer) {
            Some(layer) if run.packets.iter().any(|packet| layer.ring.get(packet.seq).is_some()) => {
                let fresh = run.packets.iter().filter(|packet| layer.ring.get(packet.seq).is_none());
                Cow::Owned(fresh.map(Arc::clone).collect::<Vec<_>>())
            }
            Some(_) | None => Cow::Borrowed(&*run.packets),
        };
        for packet in packets.iter() {
            track.observe(now, run.layer, packet);
        }
        let sent = self.counters.packets_forwarded;
        for packets in packets.chunks(limits::RUN_PACKETS_MAX) {
            let sending = Sending { at, egress: &mut self.egress, buffer: &mut self.buffer, wire, counters: &mut self.counters };
            forward_run(track, run.layer, packets, &mut self.turns, sending);
        }
        if let Some(first) = packets.first() {
            self.forwarded.push(Forwarded { received: first.received, packets: self.counters.packets_forwarded - sent });
        }
        self.publish_news(now, key);
    }

    /// The past of a broadcast that we have just subscribed to.
    fn handle_group(&mut self, now: Instant, group: &TapRun) {
        let Some(key) = self.mirror(now, group) else { return };
        let track = self.broadcasts[key].track_mut(group.slot);
        for packet in group.packets.iter() {
            track.remember(now, group.layer, packet);
        }
        if let Some(layer) = track.layer_mut(group.layer) {
            layer.edge = layer.edge.max(group.packets.last().map(|packet| packet.seq));
        }
    }

    /// The mirror that a hand-over is for, made to follow its source and clock. `None`: nobody is here for it, or it comes from where the source was
    /// before it moved.
    fn mirror(&mut self, now: Instant, run: &TapRun) -> Option<usize> {
        let &key = self.by_broadcast.get(&run.broadcast)?;
        let broadcast = &mut self.broadcasts[key];
        if broadcast.home != run.home {
            self.counters.dropped[DropReason::Late as usize] += run.packets.len() as u64;
            return None;
        }
        if broadcast.source != run.source {
            self.counters.dropped[DropReason::Late as usize] += broadcast.handle_source_gone();
            broadcast.source = run.source;
        }
        let track = broadcast.track_mut(run.slot);
        if track.layer_mut(run.layer)?.generation != run.generation {
            track.handle_layer_restarted(run.layer);
        }
        let layer = track.layer_mut(run.layer)?;
        layer.generation = run.generation;
        let clock_is_new = !same_line(layer.clock, run.clock);
        layer.clock = run.clock;
        layer.clock_is_real = run.clock_is_real;
        if clock_is_new {
            track.announce_clock(now);
        }
        Some(key)
    }
}

/// Whether two clocks of a layer tell the same media time, to the millisecond: then nobody needs to hear of the newer one before its turn.
fn same_line(old: Option<ClockMap>, new: Option<ClockMap>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => (old.media_time(new.rtp0).0 - new.ntp0_ms).abs() < 1.0,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::BroadcastId;
    use crate::sfu::codec::{Codec, PayloadInfo};
    use crate::sfu::engine::EngineConfig;
    use crate::sfu::forward::Route;
    use crate::sfu::handle::Command;
    use crate::sfu::packet::{ForwardedExtensions, RtpPacket};
    use crate::sfu::rtp::seq::{RtpTime, SeqNo};
    use crate::sfu::transport::NodeCertificate;

    struct Nowhere;

    impl Wire for Nowhere {
        fn send(&mut self, _: Route, _: usize, _: &[u8]) -> bool {
            true
        }
    }

    /// One packet as it was published on `home`.
    fn run(now: Instant, source: BroadcastId, home: u8, seq: u64) -> TapRun {
        let packet = RtpPacket {
            seq: SeqNo(seq),
            time: RtpTime(0),
            marker: true,
            codec: Codec::Vp8,
            info: PayloadInfo::default(),
            received: now,
            recovered: false,
            extensions: ForwardedExtensions::default(),
            payload: Bytes::from_static(b"x"),
        };
        let (slot, packets) = (TrackSlot::MainVideo, [Arc::new(packet)].into());
        TapRun { broadcast: source, home, slot, layer: 0, source: 1, generation: 0, clock: None, clock_is_real: false, packets }
    }

    #[test]
    fn a_mirror_takes_nothing_from_where_its_source_was_before_it_moved() {
        let now = Instant::now();
        let mut engine = Engine::new(EngineConfig {
            worker: 2,
            certificate: NodeCertificate::generate().expect("the system draws random numbers"),
            candidates: Vec::new(),
            epoch: (now, 0.0),
            seed: [7; 32],
        });
        let source = BroadcastId::from_bits(5);
        let key = engine.broadcast_key(now, source, 0);
        engine.broadcasts[key].holds += 1;
        let newest =
            |engine: &Engine| engine.broadcasts[key].track(TrackSlot::MainVideo).layers.first().and_then(|layer| layer.ring.newest());
        engine.handle_handover(now, Handover::Run(run(now, source, 0, 70_000)), &mut Nowhere);
        assert_eq!(newest(&engine), Some(SeqNo(70_000)));
        engine.handle_command(now, Command::SourceAt { source, home: 1 }, &mut Nowhere);
        engine.handle_handover(now, Handover::Run(run(now, source, 1, 80_000)), &mut Nowhere);
        let (number, before) = (engine.broadcasts[key].source, newest(&engine));
        // What the former home had handed over before it knew.
        engine.handle_handover(now, Handover::Run(run(now, source, 0, 90_001)), &mut Nowhere);
        engine.handle_handover(now, Handover::Group(run(now, source, 0, 90_000)), &mut Nowhere);
        engine.handle_handover(now, Handover::SourceGone { broadcast: source, home: 0 }, &mut Nowhere);
        assert_eq!((engine.broadcasts[key].source, newest(&engine)), (number, before));
        assert_eq!(engine.counters.dropped[DropReason::Late as usize], 2, "counted");
        engine.handle_handover(now, Handover::Run(run(now, source, 1, 80_001)), &mut Nowhere);
        assert_eq!(newest(&engine), Some(SeqNo(80_001)), "its present home goes on");
        engine.handle_handover(now, Handover::SourceGone { broadcast: source, home: 1 }, &mut Nowhere);
        assert_ne!(engine.broadcasts[key].source, number, "and may tell of its end");
    }
}
