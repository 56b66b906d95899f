//! A viewer's timeline over switches from layer to layer and from source to source.

use std::time::Instant;

use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::RtpTime;
use crate::sfu::up_track::Layer;

/// The viewer's timeline: the newest packet sent on it. Carries it over switches, and into sender reports.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// `None` once its source is gone: then its timestamps mean nothing to the next one.
    pub layer: Option<u8>,
    pub source: RtpTime,
    pub out: RtpTime,
    pub received: Instant,
}

impl Line {
    /// The timestamp of a packet on it: as far from the newest one sent as its media time is.
    pub fn time_of(&self, layer: u8, packet: &RtpPacket, layers: &[Layer]) -> RtpTime {
        if self.layer == Some(layer) {
            return self.out.wrapping_add(packet.time.wrapping_sub(self.source));
        }
        let rate = f64::from(packet.codec.clock_rate_hz());
        let by_arrival = packet.received.saturating_duration_since(self.received).as_secs_f64()
            - self.received.saturating_duration_since(packet.received).as_secs_f64();
        let media_time = |layer: u8, time: RtpTime| Some(layers.get(usize::from(layer))?.clock?.media_time(time.0).0);
        let by_clock = match (media_time(layer, packet.time), self.layer.and_then(|old| media_time(old, self.source))) {
            (Some(new), Some(old)) => Some((new - old) / 1000.0),
            (Some(_), None) | (None, Some(_)) | (None, None) => None,
        };
        // Clocks of different sources may lie; then arrival times are the better guess.
        let seconds = by_clock.filter(|by_clock| (by_clock - by_arrival).abs() < 1.0).unwrap_or(by_arrival);
        self.out.wrapping_add((seconds * rate).round() as i64 as u32)
    }
}
