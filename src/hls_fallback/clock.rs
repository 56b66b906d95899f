//! Where each stream's RTP timestamps lie on the broadcast's one line, in ticks of its own media clock since the line's origin.
//!
//! Sender reports give a first estimate. Layers of one picture have random bases whose distances never change, so a layer is then moved, once,
//! to where its key frame and the leading layer's are the same moment to the tick. The line runs at the pace of the picture's RTP clock; sound,
//! whose clock drifts against it, follows one tick a frame. What the line has drifted against media time is kept in [`Line::drift_ms`], so that
//! program date times stay media time (`timeline.rs`).

use crate::limits::{HLS_SNAP_MS, HLS_SOUND_JUMP_MS};
use crate::sfu::rtp::seq::RtpTime;
use crate::timeline::ClockMap;

/// Largest correction of the drift, as a share of the time that passed: above any clock, below what is noticed.
const SLEW: f64 = 0.001;

/// The broadcast's line.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Media time of tick 0, ms since the Unix epoch.
    pub origin_ms: f64,
    /// Media time minus the line's time, ms: what has been found since.
    drift_ms: f64,
    /// Where the drift was last looked at, ms on the line.
    looked_at_ms: Option<f64>,
}

impl Line {
    pub fn new(origin_ms: f64) -> Self {
        Self { origin_ms, drift_ms: 0.0, looked_at_ms: None }
    }

    /// Media time of a place on the line.
    pub fn media_ms(&self, line_ms: f64) -> f64 {
        self.origin_ms + line_ms + self.drift_ms
    }

    /// The place of a media time on the line.
    pub fn line_ms(&self, media_ms: f64) -> f64 {
        media_ms - self.origin_ms - self.drift_ms
    }

    /// A frame of the leading layer: its clock says where the line is in media time.
    pub fn follow(&mut self, line_ms: f64, media_ms: f64) {
        let error = media_ms - self.media_ms(line_ms);
        let passed = self.looked_at_ms.map_or(0.0, |before| (line_ms - before).max(0.0));
        self.looked_at_ms = Some(line_ms);
        self.drift_ms += if error.abs() > HLS_SOUND_JUMP_MS { error } else { error.clamp(-passed * SLEW, passed * SLEW) };
    }
}

/// One stream's place on the line.
#[derive(Debug, Clone, Copy)]
pub struct StreamClock {
    rate_hz: u32,
    /// The newest timestamp, extended over its wraps.
    newest: Option<i64>,
    /// The extended timestamp of tick 0.
    base: Option<i64>,
    /// Its base has been moved to agree with the leading layer's.
    pub is_snapped: bool,
}

impl StreamClock {
    pub const fn new(rate_hz: u32) -> Self {
        Self { rate_hz, newest: None, base: None, is_snapped: false }
    }

    pub const fn is_solved(&self) -> bool {
        self.base.is_some()
    }

    /// The stream begins anew: its base means nothing any more.
    pub const fn restart(&mut self) {
        *self = Self::new(self.rate_hz);
    }

    /// Ticks since the origin. `None` until [`Self::solve`].
    pub fn ticks(&mut self, time: RtpTime) -> Option<i64> {
        let extended = self.extend(time);
        Some(extended - self.base?)
    }

    /// Puts `time` where its clock says.
    pub fn solve(&mut self, line: &Line, clock: &ClockMap, time: RtpTime) {
        let extended = self.extend(time);
        self.base = Some(extended - self.place(line, clock, time));
    }

    /// A key frame at `ticks`, and one of the leading layer at `leading`: the same picture if they are that close.
    pub fn snap(&mut self, ticks: i64, leading: i64) -> bool {
        let distance_ms = (ticks - leading) as f64 * 1000.0 / f64::from(self.rate_hz);
        let Some(base) = &mut self.base else { return false };
        if self.is_snapped || distance_ms.abs() > HLS_SNAP_MS {
            return false;
        }
        *base += ticks - leading;
        self.is_snapped = true;
        true
    }

    /// Sound: a step towards where its clock says that `time` is.
    pub fn follow(&mut self, line: &Line, clock: &ClockMap, time: RtpTime) {
        let place = self.place(line, clock, time);
        let extended = self.extend(time);
        let Some(base) = &mut self.base else { return };
        let error = place - (extended - *base);
        let jump = (HLS_SOUND_JUMP_MS * f64::from(self.rate_hz) / 1000.0) as i64;
        *base -= if error.abs() > jump { error } else { error.signum() };
    }

    fn place(&self, line: &Line, clock: &ClockMap, time: RtpTime) -> i64 {
        (line.line_ms(clock.media_time(time.0).0) * f64::from(self.rate_hz) / 1000.0).round() as i64
    }

    fn extend(&mut self, time: RtpTime) -> i64 {
        let extended = match self.newest {
            None => i64::from(time.0),
            Some(newest) => newest + i64::from(time.signed_sub(RtpTime(newest as u32))),
        };
        self.newest = Some(self.newest.map_or(extended, |newest| newest.max(extended)));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: f64 = 1_764_000_000_000.0;

    fn clock(rtp0: u32, ntp0_ms: f64, rate_hz: u32) -> ClockMap {
        ClockMap { rtp0, ntp0_ms, rate_hz }
    }

    #[test]
    fn layers_with_random_bases_agree_to_the_tick_once_snapped() {
        let line = Line::new(ORIGIN);
        let (mut high, mut low) = (StreamClock::new(90_000), StreamClock::new(90_000));
        high.solve(&line, &clock(u32::MAX - 500, ORIGIN, 90_000), RtpTime(u32::MAX - 500));
        // Its report was 4 ms off.
        low.solve(&line, &clock(77, ORIGIN + 4.0, 90_000), RtpTime(77));
        assert_eq!((high.ticks(RtpTime(u32::MAX - 500)), low.ticks(RtpTime(77))), (Some(0), Some(360)));
        assert!(low.snap(360, 0));
        for frame in 1..2000u32 {
            let ticks = frame * 3003;
            let pair = (high.ticks(RtpTime((u32::MAX - 500).wrapping_add(ticks))), low.ticks(RtpTime(77 + ticks)));
            assert_eq!(pair, (Some(i64::from(ticks)), Some(i64::from(ticks))));
        }
        assert!(!low.snap(6000, 5900), "only once");
    }

    #[test]
    fn key_frames_of_different_pictures_are_not_taken_for_the_same() {
        let line = Line::new(ORIGIN);
        let mut low = StreamClock::new(90_000);
        low.solve(&line, &clock(0, ORIGIN, 90_000), RtpTime(0));
        assert!(!low.snap(3000, 0));
        assert_eq!(low.ticks(RtpTime(3000)), Some(3000));
    }

    #[test]
    fn sound_that_drifts_stays_with_the_picture_and_moves_by_a_tick_at_most() {
        let line = Line::new(ORIGIN);
        let mut sound = StreamClock::new(48_000);
        sound.solve(&line, &clock(0, ORIGIN, 48_000), RtpTime(0));
        let mut before = sound.ticks(RtpTime(0)).unwrap();
        for frame in 1..30_000u32 {
            // 200 ppm fast: after ten minutes its timestamps are 120 ms ahead of media time.
            let rtp = frame * 960;
            let media_ms = f64::from(rtp) / 48.0 / 1.0002;
            sound.follow(&line, &clock(rtp, ORIGIN + media_ms, 48_000), RtpTime(rtp));
            let ticks = sound.ticks(RtpTime(rtp)).unwrap();
            assert!((959..=961).contains(&(ticks - before)), "frame {frame}");
            assert!((ticks as f64 / 48.0 - media_ms).abs() < 1.0, "frame {frame}");
            before = ticks;
        }
    }

    #[test]
    fn program_date_times_follow_media_time_and_the_line_does_not_jump() {
        let mut line = Line::new(ORIGIN);
        for frame in 0..9000 {
            let line_ms = f64::from(frame) * 100.0 / 3.0;
            // The publisher's clock is set 50 ms forward after a minute.
            let step = if frame > 1800 { 50.0 } else { 0.0 };
            line.follow(line_ms, ORIGIN + line_ms + step);
        }
        assert!((line.media_ms(300_000.0) - (ORIGIN + 300_050.0)).abs() < 1.0);
    }
}
