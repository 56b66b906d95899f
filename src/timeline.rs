//! Media time: the one clock that the picture, the playlist, chat and reactions share.
//!
//! Media time is milliseconds since the Unix epoch by the publisher's sender reports (RFC 3550 section 6.4.1). One solve of those
//! reports feeds every transport. Pure arithmetic; nobody reads a clock here.

use serde::{Deserialize, Serialize};

/// Seconds between the NTP epoch (1900) and the Unix epoch (1970).
pub const NTP_UNIX_OFFSET_S: u64 = 2_208_988_800;

/// A moment in media time, milliseconds since the Unix epoch, with fractions.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(pub f64);

/// NTP timestamp in 32.32 fixed point seconds since 1900 (RFC 5905).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Milliseconds since the Unix epoch.
    pub fn to_media_time(self) -> MediaTime {
        let seconds = (self.0 >> 32) as f64 - NTP_UNIX_OFFSET_S as f64;
        let fraction = (self.0 & 0xffff_ffff) as f64 / 4_294_967_296.0;
        MediaTime((seconds + fraction) * 1000.0)
    }

    /// From milliseconds since the Unix epoch.
    pub fn from_media_time(time: MediaTime) -> Self {
        let seconds = time.0 / 1000.0 + NTP_UNIX_OFFSET_S as f64;
        Self((seconds.floor() as u64) << 32 | ((seconds.fract() * 4_294_967_296.0) as u64 & 0xffff_ffff))
    }

    /// The middle 32 bits, as report blocks carry them.
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The line between an RTP clock and media time: `media = ntp0_ms + (rtp - rtp0) / rate_hz`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockMap {
    /// An RTP timestamp.
    pub rtp0: u32,
    /// The media time of `rtp0`, ms since the Unix epoch.
    pub ntp0_ms: f64,
    /// RTP clock rate, Hz.
    pub rate_hz: u32,
}

impl ClockMap {
    /// Media time of an RTP timestamp within 2^31 ticks of `rtp0`.
    pub fn media_time(&self, rtp: u32) -> MediaTime {
        let ticks = f64::from(rtp.wrapping_sub(self.rtp0) as i32);
        MediaTime(self.ntp0_ms + ticks * 1000.0 / f64::from(self.rate_hz))
    }

    /// RTP timestamp of a media time within 2^31 ticks of `ntp0_ms`.
    pub fn rtp_time(&self, time: MediaTime) -> u32 {
        let ticks = (time.0 - self.ntp0_ms) * f64::from(self.rate_hz) / 1000.0;
        self.rtp0.wrapping_add((ticks.round() as i64) as u32)
    }

    /// The same line with every RTP timestamp shifted by `ticks` (a viewer's rewritten timestamps).
    pub const fn shifted(self, ticks: u32) -> Self {
        Self { rtp0: self.rtp0.wrapping_add(ticks), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_and_media_time_invert_each_other_across_the_wrap() {
        let map = ClockMap { rtp0: u32::MAX - 100, ntp0_ms: 1_700_000_000_000.0, rate_hz: 90_000 };
        for ticks in [0u32, 1, 101, 90_000, 0x7fff_0000] {
            let rtp = map.rtp0.wrapping_add(ticks);
            assert_eq!(map.rtp_time(map.media_time(rtp)), rtp);
        }
    }

    #[test]
    fn ntp_round_trips_within_a_microsecond() {
        let time = MediaTime(1_700_000_000_123.456);
        let back = NtpTime::from_media_time(time).to_media_time();
        assert!((back.0 - time.0).abs() < 0.001, "{back:?}");
    }
}
