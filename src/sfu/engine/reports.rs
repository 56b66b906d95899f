//! RTCP from peers: sender reports of publishers; losses, estimates and wishes of viewers.

use std::time::{Duration, Instant};

use super::Engine;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::forward::Wire;
use crate::sfu::peer::DownRef;
use crate::sfu::protection::PathNews;
use crate::sfu::redundancy;
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::rtp::rtcp::{ReportBlock, RtcpItem, nacked, parse_compound};
use crate::sfu::rtp::rtcp_build;
use crate::sfu::rtp::seq::WireSeq;
use crate::sfu::tap::Handover;
use crate::sfu::up_track::UpTrack;

impl Engine {
    pub(super) fn handle_rtcp(&mut self, now: Instant, key: usize, compound: &[u8], wire: &mut impl Wire) {
        parse_compound(compound, &mut |item| self.handle_rtcp_item(now, key, item, wire));
    }

    fn handle_rtcp_item(&mut self, now: Instant, key: usize, item: RtcpItem<'_>, wire: &mut impl Wire) {
        match item {
            RtcpItem::SenderReport { ssrc, ntp, rtp, .. } => {
                let unix_ms = self.unix_ms(now);
                let peer = &mut self.peers[key];
                let update = peer.publisher.as_mut().and_then(|publisher| publisher.handle_sender_report(now, unix_ms, ssrc, ntp, rtp));
                if let Some(update) = update {
                    let track = self.broadcasts[peer.source].track_mut(update.slot);
                    if let Some(layer) = track.layer_mut(update.layer) {
                        layer.clock = Some(update.clock);
                        layer.clock_is_real = true;
                    }
                    if update.first {
                        track.announce_clock(now);
                    }
                }
            }
            RtcpItem::ReportBlock { block, .. } => self.handle_report_block(now, key, &block),
            RtcpItem::Nack { media, pid, blp } => self.handle_nack(now, key, media, pid, blp, wire),
            RtcpItem::Pli { media } | RtcpItem::Fir { media, .. } => {
                if let Some(reference) = self.down_ref(key, media) {
                    self.handle_wish(now, key, reference);
                }
            }
            RtcpItem::Remb { bitrate_bps } => self.peers[key].controller.handle_remb(now, bitrate_bps),
            RtcpItem::TransportCc(feedback) => self.handle_transport_feedback(now, key, &feedback),
            RtcpItem::ReferenceTime { reporter, ntp } => {
                // Who knows its round trip asks again after one, not after a guess of a tenth of a second.
                let Some(ours) = self.peers[key].downs.first().map(|down| down.ssrc) else { return };
                let mut answer = Vec::new();
                rtcp_build::reference_answer(&mut answer, ours, reporter, ntp);
                self.send_rtcp(key, &answer, wire);
            }
            // A publisher's goodbye is believed only from DTLS or WHIP: a stray BYE must not end a show.
            RtcpItem::Bye { .. } | RtcpItem::Other { .. } => {}
        }
    }

    fn down_ref(&self, key: usize, ssrc: Ssrc) -> Option<DownRef> {
        self.peers[key].downs.iter().find(|down| down.ssrc == ssrc).copied()
    }

    fn handle_report_block(&mut self, now: Instant, key: usize, block: &ReportBlock) {
        let Some(down) = self.down_ref(key, block.ssrc) else { return };
        let peer = &mut self.peers[key];
        let path = peer.controller.report();
        let has_queue = path.standing_queue_ms > limits::FEC_QUEUE_MAX.as_secs_f32() * 1000.0;
        let budget = peer.controller.budget(now);
        let most = redundancy::frames_max(peer.sound_bps, (has_queue || budget.is_full).then_some(budget.estimate_bps));
        // What is lost of the picture would be lost of the sound, and browsers report on the picture five times as often.
        for reference in peer.downs.iter().filter(|reference| reference.slot.kind() == MediaKind::Audio) {
            let track = self.broadcasts[reference.source].track_mut(reference.slot);
            if let Some(sound) = track.downs.get_mut(reference.key) {
                sound.redundancy.handle_report(now, block.fraction_lost, most);
            }
        }
        let track = self.broadcasts[down.source].track_mut(down.slot);
        let UpTrack { downs, layers, .. } = track;
        let Some(down) = downs.get_mut(down.key) else { return };
        down.handle_report();
        let newest = down.report.newest;
        let rtt = newest.filter(|(middle, _)| block.lsr != 0 && *middle == block.lsr).map(|(_, sent)| {
            let held = Duration::from_secs_f64(f64::from(block.dlsr) / 65_536.0);
            now.saturating_duration_since(sent).saturating_sub(held)
        });
        peer.controller.handle_report_block(now, block.fraction_lost, rtt);
        let sent_bps = down.sent_bps(layers);
        if let Some(protection) = &mut down.protection {
            let path = peer.controller.report();
            let round_trip = path.rtt_ms.map(|ms| Duration::from_secs_f32(ms / 1000.0));
            let room = path.estimate_bps.filter(|_| !has_queue).map_or(0.0, |estimate| estimate as f32 / sent_bps as f32);
            protection.handle_report(PathNews { fraction_lost: block.fraction_lost, round_trip, room });
        }
    }

    fn handle_nack(&mut self, now: Instant, key: usize, media: Ssrc, pid: u16, blp: u16, wire: &mut impl Wire) {
        let Some(down) = self.down_ref(key, media) else { return };
        let peer = &mut self.peers[key];
        if let Some(down) = self.broadcasts[down.source].track_mut(down.slot).downs.get_mut(down.key) {
            down.handle_report();
        }
        let round_trip = peer.controller.report().rtt_ms.map_or(Duration::ZERO, |ms| Duration::from_secs_f32(ms / 1000.0));
        for seq in nacked(pid, blp) {
            if let Err(why) = peer.resends.ask(now, media, WireSeq(seq), round_trip, self.egress[key].bytes) {
                self.counters.not_resent[why as usize] += 1;
            }
        }
        self.send_repairs(now, key, wire);
    }

    /// Registers that someone here cannot go on without a key frame of this layer.
    pub(super) fn need_keyframe(&mut self, now: Instant, broadcast: usize, layer: u8) {
        let broadcast = &mut self.broadcasts[broadcast];
        if broadcast.home == self.config.worker {
            broadcast.keyframes.need(now, layer);
        } else {
            self.handovers.push_back((broadcast.home, Handover::NeedKeyframe { broadcast: broadcast.id, layer }));
        }
    }
}
