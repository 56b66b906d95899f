//! Writing RTCP: each function appends one packet (or the smallest valid compound) in plain text to a buffer that the caller seals.
//!
//! Reports come with their CNAME, as RFC 3550 section 6.1 wants it; feedback stands alone, as RFC 5506 allows and the answer negotiates.

use super::id::Ssrc;
use super::rtcp::{
    BLOCK_DELAY_SINCE_REFERENCE, FORMAT_APPLICATION, FORMAT_FIR, FORMAT_NACK, FORMAT_PLI, ReportBlock, TYPE_BYE, TYPE_EXTENDED_REPORT,
    TYPE_PAYLOAD_FEEDBACK, TYPE_RECEIVER_REPORT, TYPE_SENDER_REPORT, TYPE_SOURCE_DESCRIPTION, TYPE_TRANSPORT_FEEDBACK,
};
use super::seq::RtpTime;
use crate::timeline::NtpTime;

/// Report blocks in one packet: the count field has five bits. Further ones go into a further packet.
const REPORT_BLOCKS_MAX: usize = 31;

/// What a sender says of its stream (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: Ssrc,
    /// Now, by the clock of the stream.
    pub ntp: NtpTime,
    /// The same moment in RTP ticks.
    pub rtp: RtpTime,
    /// Packets and payload octets sent so far, both wrapping.
    pub packets: u32,
    pub octets: u32,
}

/// A sender report with its CNAME (at most 255 bytes, the rest is cut).
pub fn sender_report(out: &mut Vec<u8>, report: &SenderReport, cname: &str) {
    let start = begin(out, TYPE_SENDER_REPORT, 0);
    out.extend_from_slice(&report.ssrc.0.to_be_bytes());
    out.extend_from_slice(&report.ntp.0.to_be_bytes());
    for word in [report.rtp.0, report.packets, report.octets] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    finish(out, start);
    source_description(out, report.ssrc, cname);
}

/// A receiver report with its CNAME; more than 31 blocks make several packets.
pub fn receiver_report(out: &mut Vec<u8>, sender: Ssrc, blocks: &[ReportBlock], cname: &str) {
    let mut rest = blocks;
    loop {
        let (now, later) = rest.split_at(rest.len().min(REPORT_BLOCKS_MAX));
        let start = begin(out, TYPE_RECEIVER_REPORT, now.len() as u8);
        out.extend_from_slice(&sender.0.to_be_bytes());
        for block in now {
            report_block(out, block);
        }
        finish(out, start);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    source_description(out, sender, cname);
}

/// Answers a receiver that asked for its round trip the moment its reference time came (RFC 3611 section 4.5): `sender` is a stream of ours.
pub fn reference_answer(out: &mut Vec<u8>, sender: Ssrc, reporter: Ssrc, reference: NtpTime) {
    let start = begin(out, TYPE_EXTENDED_REPORT, 0);
    out.extend_from_slice(&sender.0.to_be_bytes());
    out.extend_from_slice(&[BLOCK_DELAY_SINCE_REFERENCE, 0, 0, 3]);
    for word in [reporter.0, reference.middle(), 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    finish(out, start);
}

fn report_block(out: &mut Vec<u8>, block: &ReportBlock) {
    let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
    let losses = u32::from(block.fraction_lost) << 24 | lost;
    for word in [block.ssrc.0, losses, block.highest_seq, block.jitter, block.lsr, block.dlsr] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

fn source_description(out: &mut Vec<u8>, ssrc: Ssrc, cname: &str) {
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    let start = begin(out, TYPE_SOURCE_DESCRIPTION, 1);
    out.extend_from_slice(&ssrc.0.to_be_bytes());
    out.extend_from_slice(&[1, cname.len() as u8]);
    out.extend_from_slice(cname);
    // The list of items ends with at least one zero byte, up to the next word (RFC 3550 section 6.5).
    let end = start + (out.len() - start + 1).next_multiple_of(4);
    out.resize(end, 0);
    finish(out, start);
}

/// A key frame is wanted of `media` (RFC 4585 section 6.3.1).
pub fn pli(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) {
    let start = begin_feedback(out, TYPE_PAYLOAD_FEEDBACK, FORMAT_PLI, sender, media);
    finish(out, start);
}

/// A key frame is wanted of `media`; `seq` grows with every new wish (RFC 5104 section 4.3.1).
pub fn fir(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc, seq: u8) {
    let start = begin_feedback(out, TYPE_PAYLOAD_FEEDBACK, FORMAT_FIR, sender, Ssrc(0));
    out.extend_from_slice(&media.0.to_be_bytes());
    out.extend_from_slice(&[seq, 0, 0, 0]);
    finish(out, start);
}

/// Packets are missing of `media` (RFC 4585 section 6.2.1). `seqs` in ascending order, wrap included; nothing is written for none.
pub fn nack(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc, seqs: &[u16]) {
    if seqs.is_empty() {
        return;
    }
    let start = begin_feedback(out, TYPE_TRANSPORT_FEEDBACK, FORMAT_NACK, sender, media);
    let mut rest = seqs;
    while let [pid, later @ ..] = rest {
        let mut blp = 0u16;
        rest = later;
        while let [seq, later @ ..] = rest {
            match seq.wrapping_sub(*pid) {
                0 => {}
                ahead @ 1..=16 => blp |= 1 << (ahead - 1),
                _beyond_the_mask => break,
            }
            rest = later;
        }
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(&blp.to_be_bytes());
    }
    finish(out, start);
}

/// The receiver's estimate for the streams of `media` (draft-alvestrand-rmcat-remb-03 section 2.2). At most 255 streams.
pub fn remb(out: &mut Vec<u8>, sender: Ssrc, bitrate_bps: u64, media: &[Ssrc]) {
    let media = &media[..media.len().min(255)];
    let start = begin_feedback(out, TYPE_PAYLOAD_FEEDBACK, FORMAT_APPLICATION, sender, Ssrc(0));
    out.extend_from_slice(b"REMB");
    let exponent = (64 - bitrate_bps.leading_zeros()).saturating_sub(18);
    let mantissa = (bitrate_bps >> exponent) as u32;
    let [_, a, b, c] = (exponent << 18 | mantissa).to_be_bytes();
    out.extend_from_slice(&[media.len() as u8, a, b, c]);
    for ssrc in media {
        out.extend_from_slice(&ssrc.0.to_be_bytes());
    }
    finish(out, start);
}

/// The stream ends (RFC 3550 section 6.6).
pub fn bye(out: &mut Vec<u8>, ssrc: Ssrc) {
    let start = begin(out, TYPE_BYE, 1);
    out.extend_from_slice(&ssrc.0.to_be_bytes());
    finish(out, start);
}

/// Begins a packet; returns where it starts. The length follows in [`finish`].
fn begin(out: &mut Vec<u8>, packet_type: u8, count: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
    start
}

/// Begins a feedback packet (RFC 4585 section 6.1).
pub(in crate::sfu) fn begin_feedback(out: &mut Vec<u8>, packet_type: u8, format: u8, sender: Ssrc, media: Ssrc) -> usize {
    let start = begin(out, packet_type, format);
    out.extend_from_slice(&sender.0.to_be_bytes());
    out.extend_from_slice(&media.0.to_be_bytes());
    start
}

/// Writes the length of the packet that began at `start`; its bytes must be whole words by now.
pub(in crate::sfu) fn finish(out: &mut [u8], start: usize) {
    let words = (out.len() - start) / 4 - 1;
    out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
}
