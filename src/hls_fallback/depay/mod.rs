//! From packets of one stream to whole frames with their times. Reads any bytes without panicking, keeps a bounded number of them, and gives
//! out nothing that a decoder could not follow: after a loss it waits for the next key frame.
//!
//! ```text
//! packet ─▶ reorder.rs (waits for retransmission) ─▶ packets of one picture ─▶ h264.rs | vp8.rs | vp9.rs | av1.rs | as it is (Opus) ─▶ TimedFrame
//! ```

mod av1;
mod h264;
mod reorder;
mod vp8;
mod vp9;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::format::Format;
use crate::limits::HLS_FRAME_BYTES_MAX;
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::packet::RtpPacket;
use crate::sfu::rtp::seq::RtpTime;
use reorder::{Released, Reorder};

/// What a codec made of one picture's packets.
#[derive(Debug)]
struct Frame {
    key: bool,
    data: Bytes,
    /// Of key frames.
    format: Option<Format>,
}

/// A whole frame.
#[derive(Debug, Clone)]
pub struct TimedFrame {
    pub time: RtpTime,
    /// When its last packet arrived.
    pub received: Instant,
    pub key: bool,
    pub data: Bytes,
    /// What a decoder must know from here on; with every key frame, and the same value while it stays the same.
    pub format: Option<Arc<Format>>,
}

/// What became of packets and frames that went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Packets that came after they had been given up, or twice.
    pub late: u64,
    /// Holes that nothing filled in time.
    pub gaps: u64,
    /// Frames that were not whole, too large or not understood, and those behind them up to the next key frame.
    pub frames: u64,
}

impl Losses {
    pub const fn and(self, other: Self) -> Self {
        Self { late: self.late + other.late, gaps: self.gaps + other.gaps, frames: self.frames + other.frames }
    }
}

/// One stream.
#[derive(Debug)]
pub struct Depacketizer {
    codec: Codec,
    reorder: Reorder,
    /// Packets of the picture that is arriving.
    open: Vec<Arc<RtpPacket>>,
    open_bytes: usize,
    /// After a gap: everything up to the beginning of a frame belongs to one that is not whole.
    skips_to_frame: bool,
    awaits_key: bool,
    assembler: Assembler,
    /// Of the last key frame.
    format: Option<Arc<Format>>,
    pub losses: Losses,
}

#[derive(Debug)]
enum Assembler {
    H264(h264::Assembler),
    Vp8,
    Vp9,
    Av1,
    Opus,
}

impl Depacketizer {
    pub fn new(codec: Codec) -> Self {
        let assembler = match codec {
            Codec::H264 => Assembler::H264(h264::Assembler::default()),
            Codec::Vp9 => Assembler::Vp9,
            Codec::Av1 => Assembler::Av1,
            Codec::Opus => Assembler::Opus,
            Codec::Vp8 => Assembler::Vp8,
        };
        Self {
            codec,
            reorder: Reorder::default(),
            open: Vec::new(),
            open_bytes: 0,
            skips_to_frame: true,
            awaits_key: true,
            assembler,
            format: None,
            losses: Losses::default(),
        }
    }

    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes a packet and appends the frames that are whole now.
    pub fn handle_packet(&mut self, now: Instant, packet: &Arc<RtpPacket>, frames: &mut Vec<TimedFrame>) {
        if !self.reorder.insert(packet) {
            self.losses.late += 1;
            return;
        }
        self.handle_timeout(now, frames);
    }

    /// Gives up what has been waited for long enough.
    pub fn handle_timeout(&mut self, now: Instant, frames: &mut Vec<TimedFrame>) {
        while let Some(released) = self.reorder.release(now) {
            match released {
                Released::Packet(packet) => self.take(packet, frames),
                Released::Gap => {
                    self.losses.gaps += 1;
                    if self.codec.kind() == MediaKind::Video {
                        self.lose_open();
                        self.skips_to_frame = true;
                    }
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn wake_at(&self) -> Option<Instant> {
        self.reorder.wake_at()
    }

    fn take(&mut self, packet: Arc<RtpPacket>, frames: &mut Vec<TimedFrame>) {
        if self.open.last().is_some_and(|last| last.time != packet.time) {
            // A sender that sets no marker, or one whose marker was on a packet without payload.
            self.finish(frames);
        }
        if self.skips_to_frame {
            if !packet.info.frame_start {
                return;
            }
            self.skips_to_frame = false;
        }
        self.open_bytes += packet.payload.len();
        let ends = packet.marker || self.codec.kind() == MediaKind::Audio;
        self.open.push(packet);
        if self.open_bytes > HLS_FRAME_BYTES_MAX {
            self.lose_open();
            self.skips_to_frame = true;
        } else if ends {
            self.finish(frames);
        }
    }

    fn lose_open(&mut self) {
        self.losses.frames += u64::from(!self.open.is_empty());
        self.open.clear();
        self.open_bytes = 0;
        self.awaits_key = true;
    }

    fn finish(&mut self, frames: &mut Vec<TimedFrame>) {
        let packets = std::mem::take(&mut self.open);
        self.open_bytes = 0;
        let Some(last) = packets.last() else { return };
        let (time, received) = (last.time, last.received);
        let payloads = packets.iter().map(|packet| &packet.payload);
        let frame = match &mut self.assembler {
            Assembler::H264(assembler) => assembler.assemble(payloads),
            Assembler::Vp8 => vp8::assemble(&packets),
            Assembler::Vp9 => vp9::assemble(&packets),
            Assembler::Av1 => av1::assemble(payloads),
            Assembler::Opus => Some(Frame { key: true, data: last.payload.clone(), format: Some(Format::Opus) }),
        };
        match frame {
            // Parameter sets that came by themselves.
            Some(frame) if frame.data.is_empty() => {}
            Some(frame) if frame.key || !self.awaits_key => {
                self.awaits_key = false;
                let format = frame.format.map(|format| self.in_force(format));
                frames.push(TimedFrame { time, received, key: frame.key, data: frame.data, format });
            }
            Some(_) => self.losses.frames += 1,
            None => {
                self.losses.frames += 1;
                self.awaits_key = true;
            }
        }
    }

    fn in_force(&mut self, format: Format) -> Arc<Format> {
        match &self.format {
            Some(known) if **known == format => Arc::clone(known),
            Some(_) | None => Arc::clone(self.format.insert(Arc::new(format))),
        }
    }
}

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz;

#[cfg(test)]
mod tests;
