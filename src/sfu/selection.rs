//! Which layers within one stream a viewer is sent: down at once, with the next picture; up only where a receiver can follow.
//!
//! | | Down | Up |
//! |---|---|---|
//! | Spatial | next picture: lower layers never refer to higher ones | a key picture, or a frame that a dependency descriptor calls a switch to the wanted layers |
//! | Temporal | next picture | the same, or without a descriptor a frame that takes up the layer right above (VP8 layer sync, VP9 switching up point) |
//!
//! Everything below a limit is sent too. Encoders that use lower spatial layers at key pictures only (`L3T3_KEY`) could spare their
//! viewers those frames, but then nobody could go down before the next key picture.
//!
//! A picture is judged by the limit that held when it began, however late its packets come: its frames are needed whole, or not at all.

use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::RtpTime;

/// The highest layers that are sent of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    pub spatial: u8,
    pub temporal: u8,
}

impl Limit {
    /// The whole stream.
    pub const NONE: Self = Self { spatial: u8::MAX, temporal: u8::MAX };

    const fn admits(self, packet: &RtpPacket) -> bool {
        packet.info.spatial <= self.spatial && packet.info.temporal <= self.temporal
    }
}

/// What a viewer is sent, or is to be sent, of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Index of the stream among the track's layers.
    pub layer: u8,
    pub limit: Limit,
}

impl Target {
    /// A whole stream.
    pub const fn whole(layer: u8) -> Self {
        Self { layer, limit: Limit::NONE }
    }
}

/// The limit that holds for one viewer, picture by picture.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    limit: Limit,
    /// The newest picture, and the first one under the present limit; older ones were under `before`.
    picture: RtpTime,
    since: RtpTime,
    before: Limit,
}

impl Selection {
    /// Everything of the stream from this picture on, up to `limit`.
    pub const fn new(limit: Limit, first: RtpTime) -> Self {
        Self { limit, picture: first, since: first, before: limit }
    }

    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// Whether the packet is sent. The first one of a picture decides how much of it is wanted.
    pub fn admits(&mut self, packet: &RtpPacket, wanted: Limit) -> bool {
        if packet.time.is_newer(self.picture) {
            self.picture = packet.time;
            let next = next_limit(self.limit, wanted, packet);
            if next != self.limit {
                (self.before, self.limit, self.since) = (self.limit, next, packet.time);
            }
        }
        self.limit_of(packet).admits(packet)
    }

    /// Whether the packet was sent, if it came.
    pub fn admitted(&self, packet: &RtpPacket) -> bool {
        self.limit_of(packet).admits(packet)
    }

    /// The marker of a packet that is sent. Spatial layers of one picture share a timestamp and only its last packet has the marker; where
    /// that one is left out, the last packet of the highest layer sent has it.
    pub fn marker(&self, packet: &RtpPacket) -> bool {
        packet.marker || packet.info.layer_end && packet.info.spatial == self.limit_of(packet).spatial
    }

    const fn limit_of(&self, packet: &RtpPacket) -> Limit {
        if self.since.is_newer(packet.time) { self.before } else { self.limit }
    }
}

/// The limit from this picture on, by its first packet.
fn next_limit(limit: Limit, wanted: Limit, packet: &RtpPacket) -> Limit {
    let info = &packet.info;
    if info.keyframe_start {
        return wanted;
    }
    let down = Limit { spatial: limit.spatial.min(wanted.spatial), temporal: limit.temporal.min(wanted.temporal) };
    if down == wanted {
        return down;
    }
    if !info.switches_to.is_empty() {
        // The indications hold for whoever gets this very frame.
        if !down.admits(packet) {
            return down;
        }
        let higher = Limit { temporal: wanted.temporal, ..down };
        return [wanted, higher].into_iter().find(|to| info.switches_to.contains(to.spatial, to.temporal)).unwrap_or(down);
    }
    let takes_up = info.switching_point && info.frame_start && down.temporal.checked_add(1) == Some(info.temporal);
    if takes_up && info.temporal <= wanted.temporal { Limit { temporal: info.temporal, ..down } } else { down }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::sfu::codec::{Codec, PayloadInfo, SwitchSet};
    use crate::sfu::packet::ForwardedExtensions;
    use crate::sfu::rtp::seq::SeqNo;

    const fn limit(spatial: u8, temporal: u8) -> Limit {
        Limit { spatial, temporal }
    }

    fn packet(time: u32, spatial: u8, temporal: u8, info: PayloadInfo) -> RtpPacket {
        RtpPacket {
            seq: SeqNo(1),
            time: RtpTime(time),
            marker: false,
            codec: Codec::Vp9,
            info: PayloadInfo { spatial, temporal, frame_start: true, ..info },
            received: Instant::now(),
            recovered: false,
            extensions: ForwardedExtensions::default(),
            payload: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn down_comes_with_the_next_picture_and_late_packets_belong_to_theirs() {
        let plain = PayloadInfo::default();
        let mut selection = Selection::new(limit(2, 2), RtpTime(100));
        assert!(selection.admits(&packet(200, 2, 1, plain), limit(2, 2)));
        assert!(selection.admits(&packet(200, 2, 1, plain), limit(1, 0)), "this picture has begun");
        assert!(selection.admits(&packet(300, 1, 0, plain), limit(1, 0)));
        assert!(!selection.admits(&packet(300, 2, 0, plain), limit(1, 0)));
        assert!(!selection.admits(&packet(400, 0, 1, plain), limit(1, 0)));
        assert!(selection.admits(&packet(200, 2, 1, plain), limit(1, 0)), "late");
    }

    #[test]
    fn up_waits_for_a_key_picture_or_what_the_descriptor_says() {
        let key = PayloadInfo { keyframe_start: true, ..PayloadInfo::default() };
        let every_layer = PayloadInfo { switches_to: SwitchSet::NONE.with(0, 2).with(1, 2), ..PayloadInfo::default() };
        let temporal_only = PayloadInfo { switches_to: SwitchSet::NONE.with(0, 2), ..PayloadInfo::default() };
        let rows = [
            (PayloadInfo::default(), 0, limit(0, 0)),
            (key, 0, limit(1, 2)),
            (every_layer, 0, limit(1, 2)),
            (temporal_only, 0, limit(0, 2)),
            // A frame that the viewer does not get switches nothing.
            (every_layer, 1, limit(0, 0)),
        ];
        for (info, temporal, expected) in rows {
            let mut selection = Selection::new(limit(0, 0), RtpTime(0));
            selection.admits(&packet(1, 0, temporal, info), limit(1, 2));
            assert_eq!(selection.limit(), expected, "{info:?}");
        }
    }

    #[test]
    fn without_a_descriptor_temporal_layers_are_taken_up_one_by_one() {
        let sync = PayloadInfo { switching_point: true, ..PayloadInfo::default() };
        let mut selection = Selection::new(limit(u8::MAX, 0), RtpTime(0));
        let mut sent = |time, temporal, info| selection.admits(&packet(time, 0, temporal, info), Limit::NONE);
        assert!(!sent(1, 2, sync), "the layer between was never sent");
        assert!(!sent(2, 1, PayloadInfo::default()));
        assert!(sent(3, 1, sync));
        assert!(!sent(4, 2, PayloadInfo::default()));
        assert!(sent(5, 2, sync) && sent(6, 2, PayloadInfo::default()));
    }

    #[test]
    fn the_last_packet_of_the_highest_layer_sent_has_the_marker() {
        let end = PayloadInfo { layer_end: true, ..PayloadInfo::default() };
        let selection = Selection::new(limit(1, 2), RtpTime(0));
        assert!(!selection.marker(&packet(1, 0, 0, end)));
        assert!(!selection.marker(&packet(1, 1, 0, PayloadInfo::default())));
        assert!(selection.marker(&packet(1, 1, 0, end)));
        assert!(!Selection::new(Limit::NONE, RtpTime(0)).marker(&packet(1, 1, 0, end)), "the publisher's marker is right");
    }
}
