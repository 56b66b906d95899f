//! What one viewer received: continuity of sequence numbers, and the feedback a browser would send. Pure: packets' headers in,
//! counts and RTCP bytes out. Written without the server's own RTP code, so that it checks it.

use crate::limits::LOADGEN_REORDER_WINDOW;

/// The parts of an RTP header that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) ssrc: u32,
    /// Transport-wide sequence number, when the packet has one.
    pub(super) transport_sequence: Option<u16>,
}

impl Header {
    /// Reads an RTP header (RFC 3550, section 5.1; one-byte extensions of RFC 8285). `None` for RTCP and for what is not RTP.
    pub(super) fn read(packet: &[u8], transport_extension: Option<u8>) -> Option<Self> {
        if packet.len() < 12 || packet[0] >> 6 != 2 || (192..=223).contains(&packet[1]) {
            return None;
        }
        let word = |at: usize| packet.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let mut header =
            Self { payload_type: packet[1] & 0x7f, marker: packet[1] & 0x80 != 0, sequence: word(2)?, ssrc, transport_sequence: None };
        if packet[0] & 0x10 == 0 {
            return Some(header);
        }
        let start = 12 + 4 * usize::from(packet[0] & 0x0f);
        let (profile, length) = (word(start)?, 4 * usize::from(word(start + 2)?));
        let elements = packet.get(start + 4..start + 4 + length)?;
        let two_byte = profile & 0xfff0 == 0x1000;
        if profile != 0xbede && !two_byte {
            return Some(header);
        }
        let mut at = 0;
        while at < elements.len() {
            if elements[at] == 0 {
                at += 1;
                continue;
            }
            let (id, from, size) = if two_byte {
                (elements[at], at + 2, usize::from(*elements.get(at + 1)?))
            } else {
                (elements[at] >> 4, at + 1, usize::from(elements[at] & 0x0f) + 1)
            };
            if Some(id) == transport_extension && size == 2 {
                let value = elements.get(from..from + 2)?;
                header.transport_sequence = Some(u16::from_be_bytes([value[0], value[1]]));
            }
            at = from + size;
        }
        Some(header)
    }
}

/// Continuity of one SSRC.
#[derive(Debug)]
pub(super) struct Continuity {
    first: u64,
    highest: u64,
    received: u64,
    duplicated: u64,
    /// One bit for each of the last sequence numbers, at `extended % window`.
    seen: Vec<bool>,
}

/// Counts of one SSRC since its first packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
}

impl Continuity {
    pub(super) fn new(sequence: u16) -> Self {
        // Above zero, so that a packet from before the first can be numbered.
        let first = u64::from(sequence) + (1 << 16);
        let mut seen = vec![false; LOADGEN_REORDER_WINDOW];
        seen[first as usize % LOADGEN_REORDER_WINDOW] = true;
        Self { first, highest: first, received: 1, duplicated: 0, seen }
    }

    /// A sequence number near the highest, extended.
    pub(super) fn extend(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.saturating_add_signed(i64::from(ahead))
    }

    /// Takes the next packet's sequence number; returns it extended.
    pub(super) fn take(&mut self, sequence: u16) -> u64 {
        let extended = self.extend(sequence);
        if extended > self.highest {
            for gone in self.highest + 1..=extended.min(self.highest + LOADGEN_REORDER_WINDOW as u64) {
                self.seen[gone as usize % LOADGEN_REORDER_WINDOW] = false;
            }
            self.highest = extended;
        } else if self.highest - extended >= LOADGEN_REORDER_WINDOW as u64 || extended < self.first {
            // Too old to tell.
            return extended;
        }
        let slot = &mut self.seen[extended as usize % LOADGEN_REORDER_WINDOW];
        if *slot {
            self.duplicated += 1;
        } else {
            *slot = true;
            self.received += 1;
        }
        extended
    }

    pub(super) fn counts(&self) -> Counts {
        let expected = self.highest - self.first + 1;
        Counts { received: self.received, lost: expected.saturating_sub(self.received), duplicated: self.duplicated }
    }

    /// Highest sequence number with its cycles, as RR has it.
    fn extended_highest(&self) -> u32 {
        (self.highest - (1 << 16)) as u32
    }
}

/// A receiver report about one source (RFC 3550, section 6.4.2), with an empty SDES-free compound as RFC 5506 allows.
pub(super) fn receiver_report(own_ssrc: u32, ssrc: u32, continuity: &Continuity, before: &mut Counts) -> Vec<u8> {
    let now = continuity.counts();
    let (lost, received) = (now.lost.saturating_sub(before.lost), now.received - before.received);
    let fraction = (256 * lost).checked_div(lost + received).unwrap_or(0).min(255) as u8;
    *before = now;
    let mut report = vec![0x81, 201, 0, 7];
    report.extend_from_slice(&own_ssrc.to_be_bytes());
    report.extend_from_slice(&ssrc.to_be_bytes());
    report.push(fraction);
    report.extend_from_slice(&(now.lost.min(0x7f_ffff) as u32).to_be_bytes()[1..]);
    report.extend_from_slice(&continuity.extended_highest().to_be_bytes());
    // Jitter, and no sender report to refer to.
    report.extend_from_slice(&[0; 12]);
    report
}

/// Asks for packets again (RFC 4585, section 6.2.1).
pub(super) fn nack(own_ssrc: u32, ssrc: u32, numbers: &[u16]) -> Vec<u8> {
    let mut items: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match items.last_mut() {
            Some((first, mask)) if (1..=16).contains(&number.wrapping_sub(*first)) => *mask |= 1 << (number.wrapping_sub(*first) - 1),
            Some(_) | None => items.push((number, 0)),
        }
    }
    let mut message = feedback_header(1, 205, 2 + items.len() as u16, own_ssrc, ssrc);
    for (first, mask) in items {
        message.extend_from_slice(&first.to_be_bytes());
        message.extend_from_slice(&mask.to_be_bytes());
    }
    message
}

/// Asks for a key frame (RFC 4585, section 6.3.1).
pub(super) fn picture_loss(own_ssrc: u32, ssrc: u32) -> Vec<u8> {
    feedback_header(1, 206, 2, own_ssrc, ssrc)
}

fn feedback_header(format: u8, kind: u8, words: u16, own_ssrc: u32, ssrc: u32) -> Vec<u8> {
    let mut message = vec![0x80 | format, kind];
    message.extend_from_slice(&words.to_be_bytes());
    message.extend_from_slice(&own_ssrc.to_be_bytes());
    message.extend_from_slice(&ssrc.to_be_bytes());
    message
}

/// Where the payload of a decrypted packet lies, without padding; `None` when it is not RTP or empty.
pub(super) fn payload(packet: &[u8]) -> Option<&[u8]> {
    let mut start = 12 + 4 * usize::from(packet.first()? & 0x0f);
    if packet[0] & 0x10 != 0 {
        start += 4 + 4 * usize::from(u16::from_be_bytes([*packet.get(start + 2)?, *packet.get(start + 3)?]));
    }
    let padding = if packet[0] & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
    packet.get(start..packet.len().checked_sub(padding)?).filter(|payload| !payload.is_empty())
}

/// Arrivals since the last transport-wide feedback.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Transport sequence number and arrival in units of 250 µs.
    list: Vec<(u16, u64)>,
    feedback_count: u8,
}

/// Arrival times travel in units of 250 µs.
const TICK_US: u64 = 250;
/// The reference time travels in units of 64 ms.
const REFERENCE_TICKS: u64 = 256;

impl Arrivals {
    /// Notes an arrival. Full: the packet is reported as lost, which is what a full browser does.
    pub(super) fn note(&mut self, sequence: u16, now_us: u64) {
        if self.list.len() < crate::limits::LOADGEN_FEEDBACK_PACKETS_MAX {
            self.list.push((sequence, now_us / TICK_US));
        }
    }

    /// The feedback message for what arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1), if anything did.
    pub(super) fn feedback(&mut self, own_ssrc: u32, ssrc: u32) -> Option<Vec<u8>> {
        let &(base, first_ticks) = self.list.first()?;
        self.list.sort_unstable_by_key(|&(sequence, _)| sequence.wrapping_sub(base) as i16);
        let (base, _) = self.list[0];
        self.list.dedup_by_key(|&mut (sequence, _)| sequence);
        let last = self.list[self.list.len() - 1].0;
        let count = last.wrapping_sub(base).wrapping_add(1);
        if count > 4096 {
            self.list.clear();
            return None;
        }
        let reference = first_ticks.min(self.list.iter().map(|&(_, ticks)| ticks).min()?) / REFERENCE_TICKS;
        let mut symbols = vec![0_u8; usize::from(count)];
        let mut deltas = Vec::with_capacity(self.list.len());
        let mut before = (reference * REFERENCE_TICKS) as i64;
        for &(sequence, ticks) in &self.list {
            let delta = ticks as i64 - before;
            before = ticks as i64;
            let symbol = &mut symbols[usize::from(sequence.wrapping_sub(base))];
            if let Ok(small) = u8::try_from(delta) {
                *symbol = 1;
                deltas.push(small);
            } else {
                *symbol = 2;
                deltas.extend_from_slice(&(delta.clamp(-32768, 32767) as i16).to_be_bytes());
            }
        }
        let mut message = vec![0x8f, 205, 0, 0];
        message.extend_from_slice(&own_ssrc.to_be_bytes());
        message.extend_from_slice(&ssrc.to_be_bytes());
        message.extend_from_slice(&base.to_be_bytes());
        message.extend_from_slice(&count.to_be_bytes());
        message.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
        message.push(self.feedback_count);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        // Status vectors of seven two-bit symbols.
        for seven in symbols.chunks(7) {
            let bits = seven.iter().enumerate().fold(0xc000_u16, |bits, (at, &symbol)| bits | u16::from(symbol) << (12 - 2 * at));
            message.extend_from_slice(&bits.to_be_bytes());
        }
        message.extend_from_slice(&deltas);
        let padding = message.len().next_multiple_of(4) - message.len();
        if padding > 0 {
            message[0] |= 0x20;
            message.extend((0..padding).map(|at| if at + 1 == padding { padding as u8 } else { 0 }));
        }
        let words = (message.len() / 4 - 1) as u16;
        message[2..4].copy_from_slice(&words.to_be_bytes());
        self.list.clear();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    use rtc_rtcp::receiver_report::ReceiverReport;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{SymbolTypeTcc, TransportLayerCc};
    use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
    use rtc_shared::marshal::Unmarshal;

    fn packet(sequence: u16, extension: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x90, 102, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xbe, 0xde, 0, (extension.len() / 4) as u8];
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(extension);
        packet
    }

    #[test]
    fn headers_give_up_their_transport_sequence() {
        let header = Header::read(&packet(7, &[0x10, b'0', 0, 0x41, 0x12, 0x34, 0, 0]), Some(4)).expect("an RTP packet");
        assert_eq!((header.sequence, header.ssrc, header.transport_sequence), (7, 9, Some(0x1234)));
        assert_eq!(Header::read(&[0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0], Some(4)), None, "RTCP");
        for cut in 0..20 {
            let _ = Header::read(&packet(7, &[0x41, 0x12, 0x34, 0])[..cut], Some(4));
        }
    }

    #[test]
    fn losses_duplicates_and_wraps_are_counted() {
        let mut continuity = Continuity::new(65_534);
        for sequence in [65_535, 0, 2, 2, 1, 5] {
            continuity.take(sequence);
        }
        assert_eq!(continuity.extend(5), (1 << 17) + 5);
        assert_eq!(continuity.counts(), Counts { received: 6, lost: 2, duplicated: 1 });
        assert_eq!(continuity.extended_highest(), 65_536 + 5);
    }

    #[test]
    fn reports_are_read_by_an_independent_parser() {
        let mut continuity = Continuity::new(100);
        [101, 103].into_iter().for_each(|sequence| {
            continuity.take(sequence);
        });
        let bytes = receiver_report(1, 2, &continuity, &mut Counts::default());
        let report = ReceiverReport::unmarshal(&mut &bytes[..]).expect("a receiver report");
        assert_eq!((report.reports[0].total_lost, report.reports[0].last_sequence_number), (1, 103));
        assert_eq!(report.reports[0].fraction_lost, 64);
    }

    #[test]
    fn requests_are_read_by_an_independent_parser() {
        let bytes = nack(1, 2, &[65_534, 65_535, 14, 20, 40]);
        let read = TransportLayerNack::unmarshal(&mut &bytes[..]).expect("a request");
        let numbers: Vec<u16> = read.nacks.iter().flat_map(|pair| pair.packet_list()).collect();
        assert_eq!((read.media_ssrc, numbers), (2, vec![65_534, 65_535, 14, 20, 40]));
        let bytes = picture_loss(1, 2);
        assert_eq!(PictureLossIndication::unmarshal(&mut &bytes[..]).expect("a request").media_ssrc, 2);
    }

    #[test]
    fn payloads_are_found_behind_extensions_and_before_padding() {
        let mut bytes = packet(7, &[0x41, 0x12, 0x34, 0]);
        assert_eq!(payload(&bytes), None, "empty");
        bytes.extend_from_slice(&[9, 8, 0, 2]);
        assert_eq!(payload(&bytes), Some(&[9, 8, 0, 2][..]));
        bytes[0] |= 0x20;
        assert_eq!(payload(&bytes), Some(&[9, 8][..]));
        for cut in 0..bytes.len() {
            let _ = payload(&bytes[..cut]);
        }
    }

    #[test]
    fn feedback_is_read_by_an_independent_parser() {
        let mut arrivals = Arrivals::default();
        for (sequence, at_us) in [(65_535, 1_000_000), (0, 1_000_300), (2, 1_200_000), (1, 1_100_000)] {
            arrivals.note(sequence, at_us);
        }
        let bytes = arrivals.feedback(1, 2).expect("something arrived");
        let feedback = TransportLayerCc::unmarshal(&mut &bytes[..]).expect("feedback");
        assert_eq!((feedback.base_sequence_number, feedback.packet_status_count), (65_535, 4));
        let kinds: Vec<SymbolTypeTcc> = feedback.recv_deltas.iter().map(|delta| delta.type_tcc_packet).collect();
        assert_eq!(kinds.len(), 4);
        let last: i64 = feedback.recv_deltas.iter().map(|delta| delta.delta).sum();
        assert_eq!(i64::from(feedback.reference_time) * 64_000 + last, 1_200_000);
        assert!(arrivals.feedback(1, 2).is_none());
    }
}
