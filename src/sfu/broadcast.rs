//! One source on one worker: its tracks, its publisher (on the home worker), its receivers here, and who else wants its packets. A broadcast is
//! one; the camera of a call's member or of a guest is another such, under its own id.

use std::sync::Arc;
use std::time::Instant;

use crate::ids::BroadcastId;
use crate::limits;
use crate::sfu::codec::MediaKind;
use crate::sfu::group_cache::Playable;
use crate::sfu::keyframe::KeyframeSchedule;
use crate::sfu::layer_demand::{LayerDemand, LayerSet};
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::id::Rid;
use crate::sfu::rtp::seq::SeqNo;
use crate::sfu::tap::{TapRun, TapSender, TrackSlot};
use crate::sfu::up_track::UpTrack;

/// A broadcast, or another source, as one worker knows it. On the home worker it is the original, elsewhere a mirror.
#[derive(Debug)]
pub struct Broadcast {
    pub id: BroadcastId,
    /// The worker its publisher is on (or will be).
    pub home: u8,
    /// Key of the publishing peer; only ever set at home.
    pub publisher: Option<usize>,
    tracks: [UpTrack; TrackSlot::ALL.len()],
    /// What holds it here: peers that belong to it, a publisher that belongs elsewhere, free m-lines that it fills.
    pub holds: usize,
    /// Its sound is not forwarded; only used at home.
    pub silenced: bool,
    /// Workers that want its packets, with when each last said so; only used at home.
    pub subscribers: Vec<(u8, Instant)>,
    /// Subscribers in this process; only used at home.
    pub taps: Vec<TapSender>,
    /// One of them wanted every layer when that was last looked at.
    pub taps_want_all: bool,
    pub keyframes: KeyframeSchedule,
    /// Which layers anybody may be sent; only used at home.
    pub demand: LayerDemand,
    /// What the viewers here may be sent is to be looked at anew.
    pub demand_moved: bool,
    /// Rises with every new or restarted source, so that mirrors notice.
    pub source: u32,
    /// When layers and bitrates are next reported.
    pub report_due: Option<Instant>,
    /// What arrived and has not been forwarded yet.
    pub pending: Vec<PendingRun>,
}

/// Packets of one layer that arrive together, in one batch or within `limits::RUN_WAIT`: sent together.
#[derive(Debug)]
pub struct PendingRun {
    pub slot: TrackSlot,
    pub layer: u8,
    pub packets: Vec<Arc<RtpPacket>>,
}

impl PendingRun {
    /// Takes what is ripe: whole frames at once, the beginning of a frame when it has waited long enough. Nobody can show a frame before
    /// its last packet is there, so waiting for it costs no latency, and each viewer one send instead of several. What is not picture,
    /// mended or unexpectedly long goes at once.
    pub fn take_ripe(&mut self, now: Instant) -> Vec<Arc<RtpPacket>> {
        let patient = self.slot.kind() == MediaKind::Video && self.packets.len() < limits::RUN_PACKETS_MAX;
        let waits = |packet: &Arc<RtpPacket>| !packet.recovered && now.saturating_duration_since(packet.received) < limits::RUN_WAIT;
        let frames = self.packets.iter().rposition(|packet| packet.marker).map_or(0, |last| last + 1);
        match self.packets.get(frames) {
            Some(open) if patient && waits(open) => self.packets.drain(..frames).collect(),
            Some(_) | None => std::mem::take(&mut self.packets),
        }
    }

    /// When the beginning of a frame that is held back has waited long enough.
    pub fn due(&self) -> Option<Instant> {
        self.packets.first().map(|packet| packet.received + limits::RUN_WAIT)
    }
}

impl Broadcast {
    pub fn new(id: BroadcastId, home: u8) -> Self {
        Self {
            id,
            home,
            publisher: None,
            tracks: [UpTrack::new(MediaKind::Video), UpTrack::new(MediaKind::Audio)],
            holds: 0,
            silenced: false,
            subscribers: Vec::new(),
            taps: Vec::new(),
            taps_want_all: false,
            keyframes: KeyframeSchedule::default(),
            demand: LayerDemand::default(),
            demand_moved: true,
            source: 0,
            report_due: None,
            pending: Vec::new(),
        }
    }

    pub fn track(&self, slot: TrackSlot) -> &UpTrack {
        &self.tracks[slot.index()]
    }

    pub fn track_mut(&mut self, slot: TrackSlot) -> &mut UpTrack {
        &mut self.tracks[slot.index()]
    }

    pub fn tracks_mut(&mut self) -> impl Iterator<Item = (TrackSlot, &mut UpTrack)> {
        TrackSlot::ALL.into_iter().zip(&mut self.tracks)
    }

    /// Anyone, here or on another worker, would see a key frame.
    pub fn is_watched(&self) -> bool {
        !self.subscribers.is_empty() || !self.taps.is_empty() || self.tracks.iter().any(|track| !track.downs.is_empty())
    }

    /// Takes off the taps that are closed, and sees what the others want.
    pub fn look_at_taps(&mut self) {
        self.taps.retain(|tap| !tap.is_closed());
        let want_all = self.taps.iter().any(TapSender::wants_all);
        self.demand_moved |= want_all != self.taps_want_all;
        self.taps_want_all = want_all;
    }

    /// Whether to ask the publisher for key frames now.
    pub fn poll_keyframes(&mut self, now: Instant) -> bool {
        let is_watched = self.is_watched();
        let arriving = if is_watched { self.tracks[TrackSlot::MainVideo.index()].layers.as_slice() } else { &[] };
        let watched = (0..).zip(arriving).filter(|(_, layer)| layer.is_active(now)).map(|(index, _)| index);
        self.keyframes.poll(now, watched)
    }

    /// Nothing holds it and nobody is subscribed: it can be forgotten.
    pub fn is_abandoned(&self) -> bool {
        self.holds == 0 && self.subscribers.is_empty() && self.taps.is_empty()
    }

    /// The publisher left or its source restarted. Returns how many packets of this batch nobody will get.
    #[must_use]
    pub fn handle_source_gone(&mut self) -> u64 {
        self.source += 1;
        self.demand.handle_source_gone();
        for track in &mut self.tracks {
            track.handle_source_gone();
        }
        self.pending.drain(..).map(|run| run.packets.len() as u64).sum()
    }

    /// One layer began anew under other numbers and another clock. Its viewers wait for its next key frame; nobody else notices. Returns how
    /// many packets of this batch nobody will get.
    #[must_use]
    pub fn handle_layer_restarted(&mut self, slot: TrackSlot, layer: u8) -> u64 {
        self.track_mut(slot).handle_layer_restarted(layer);
        let former = self.pending.extract_if(.., |run| (run.slot, run.layer) == (slot, layer));
        former.map(|run| run.packets.len() as u64).sum()
    }

    /// The group of every layer of the video that can be replayed, for a worker that has just subscribed.
    pub fn groups(&self, now: Instant) -> Vec<TapRun> {
        let slot = TrackSlot::MainVideo;
        let layers = self.track(slot).layers.iter().enumerate();
        layers
            .filter_map(|(index, layer)| {
                let Playable::Group { first, .. } = layer.group.playable(now) else { return None };
                // What is held back comes with the next run.
                let newest = layer.edge?;
                let packets = (first.0..=newest.0).filter_map(|seq| layer.ring.get(SeqNo(seq))).map(Arc::clone).collect();
                Some(self.run(slot, index as u8, packets))
            })
            .collect()
    }

    /// What a new tap needs of the past: the groups, and the sound since the first of them began.
    pub fn past(&self, now: Instant) -> Vec<TapRun> {
        let mut runs = self.groups(now);
        let since = runs.iter().filter_map(|run| run.packets.first()).map(|packet| packet.received).min();
        if let (Some(since), Some(layer)) = (since, self.track(TrackSlot::MainAudio).layers.first())
            && let Some(newest) = layer.edge
        {
            let oldest = newest.0.saturating_sub(limits::GROUP_PACKETS_MAX as u64);
            let packets = (oldest..=newest.0).filter_map(|seq| layer.ring.get(SeqNo(seq))).filter(|packet| packet.received >= since);
            runs.push(self.run(TrackSlot::MainAudio, 0, packets.map(Arc::clone).collect()));
        }
        runs
    }

    /// Packets of one layer as taps and other workers get them.
    fn run(&self, slot: TrackSlot, layer: u8, packets: Arc<[Arc<RtpPacket>]>) -> TapRun {
        let known = self.track(slot).layers.get(usize::from(layer));
        let (clock, clock_is_real, generation) =
            known.map_or((None, false, 0), |layer| (layer.clock, layer.clock_is_real, layer.generation));
        TapRun { broadcast: self.id, home: self.home, slot, layer, source: self.source, generation, clock, clock_is_real, packets }
    }

    /// Takes in which layers the viewers here may be sent. Returns those that nobody may be sent, when they are others than before.
    pub fn weigh_demand(&mut self, now: Instant, here: LayerSet) -> Option<Vec<Rid>> {
        let subscribers = &self.subscribers;
        self.demand.keep_workers(|worker| subscribers.iter().any(|(subscriber, _)| *subscriber == worker));
        self.publisher?;
        let track = &self.tracks[TrackSlot::MainVideo.index()];
        let unwatched = self.demand.poll(now, here, &track.offered)?;
        Some(track.layers.iter().zip(0..).filter(|(_, index)| unwatched.contains(*index)).filter_map(|(layer, _)| layer.rid).collect())
    }

    /// Takes a packet into the batch. Runs of one layer are kept together and in order.
    pub fn gather(&mut self, slot: TrackSlot, layer: u8, packet: Arc<RtpPacket>) {
        let open = self.pending.iter_mut().find(|run| run.slot == slot && run.layer == layer);
        match open {
            Some(run) => run.packets.push(packet),
            None => self.pending.push(PendingRun { slot, layer, packets: vec![packet] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::{Codec, PayloadInfo};
    use crate::sfu::packet::ForwardedExtensions;
    use crate::sfu::rtp::seq::{RtpTime, SeqNo};

    fn run(slot: TrackSlot, start: Instant, packets: &[(u64, bool)]) -> PendingRun {
        let packet = |(at_us, marker): &(u64, bool)| {
            Arc::new(RtpPacket {
                seq: SeqNo(1),
                time: RtpTime(0),
                marker: *marker,
                codec: Codec::H264,
                info: PayloadInfo::default(),
                received: start + Duration::from_micros(*at_us),
                recovered: false,
                extensions: ForwardedExtensions::default(),
                payload: Bytes::from_static(b"x"),
            })
        };
        PendingRun { slot, layer: 0, packets: packets.iter().map(packet).collect() }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn whole_frames_go_and_the_beginning_of_the_next_waits_its_time() {
        let start = Instant::now();
        let mut video = run(TrackSlot::MainVideo, start, &[(0, false), (100, true), (200, false), (300, false)]);
        assert_eq!(video.take_ripe(start + Duration::from_micros(400)).len(), 2);
        assert_eq!(video.due(), Some(start + Duration::from_micros(200) + limits::RUN_WAIT));
        assert_eq!(video.take_ripe(start + Duration::from_micros(500)).len(), 0);
        assert_eq!(video.take_ripe(video.due().expect("it waits")).len(), 2);
        assert_eq!(video.due(), None);
        let mut audio = run(TrackSlot::MainAudio, start, &[(0, false)]);
        assert_eq!(audio.take_ripe(start).len(), 1, "sound never waits");
    }
}
