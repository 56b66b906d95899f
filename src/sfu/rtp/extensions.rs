//! RTP header extensions (RFC 8285): which kind has which id with one peer, reading a packet's elements, writing a viewer's.
//!
//! Ids are negotiated per peer, so nothing is copied through: what a viewer gets is always written anew under the viewer's ids.

use std::ops::Range;

use super::header::{ExtensionBlock, RtpHeader};
use super::id::{Mid, Rid};
use crate::timeline::NtpTime;

/// A header extension we negotiate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtensionKind {
    /// RFC 8843 section 15.
    Mid,
    /// RFC 8852 section 3.1.
    Rid,
    /// RFC 8852 section 3.2.
    RepairedRid,
    /// `abs-send-time` of webrtc.org.
    AbsSendTime,
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    TransportCc,
    /// RFC 6464.
    AudioLevel,
    /// `abs-capture-time` of webrtc.org.
    AbsCaptureTime,
    /// `playout-delay` of webrtc.org.
    PlayoutDelay,
    /// AV1 RTP payload specification 1.0, appendix A.
    DependencyDescriptor,
    /// 3GPP TS 26.114, coordination of video orientation.
    VideoOrientation,
}

impl ExtensionKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportCc,
        Self::AudioLevel,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::DependencyDescriptor,
        Self::VideoOrientation,
    ];

    /// The URI of `a=extmap`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::DependencyDescriptor => "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
        }
    }

    /// The kind an `a=extmap` names, if we know it.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// The ids of one peer, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionMap {
    kinds: [Option<ExtensionKind>; Self::ID_MAX as usize + 1],
    /// 0: not negotiated.
    ids: [u8; ExtensionKind::ALL.len()],
}

impl ExtensionMap {
    /// Highest id of the one-byte form. Higher ones are not accepted, so the one-byte form can always be used.
    pub const ID_MAX: u8 = 14;

    /// Binds an id to a kind; an earlier binding of either is undone. Ids outside `1..=14` are ignored.
    pub fn set(&mut self, id: u8, kind: ExtensionKind) {
        if id == 0 || id > Self::ID_MAX {
            return;
        }
        if let Some(previous_kind) = self.kinds[usize::from(id)] {
            self.ids[previous_kind as usize] = 0;
        }
        let previous_id = std::mem::replace(&mut self.ids[kind as usize], id);
        self.kinds[usize::from(previous_id)] = None;
        self.kinds[usize::from(id)] = Some(kind);
    }

    /// The id a kind has, if negotiated.
    pub const fn id_of(&self, kind: ExtensionKind) -> Option<u8> {
        match self.ids[kind as usize] {
            0 => None,
            id => Some(id),
        }
    }

    /// The kind behind an id, if negotiated.
    pub fn kind_of(&self, id: u8) -> Option<ExtensionKind> {
        self.kinds.get(usize::from(id)).copied().flatten()
    }

    /// Every binding, by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = (u8, ExtensionKind)> + '_ {
        (1..=Self::ID_MAX).filter_map(|id| self.kind_of(id).map(|kind| (id, kind)))
    }
}

/// Loudness of a packet's audio (RFC 6464 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// The sender believes there is voice.
    pub voice: bool,
    /// Below full scale, -dBov: 0 is the loudest, 127 silence.
    pub level_dbov: u8,
}

/// When the picture or sound was captured, by the sender's or capturer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsCaptureTime {
    /// Absolute capture time in the capturer's clock.
    pub ntp: NtpTime,
    /// Capturer's clock minus sender's clock, Q32.32 seconds.
    pub offset: Option<i64>,
}

/// Bounds for a receiver's playout delay, both in units of 10 ms, 12 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutDelay {
    pub min_10ms: u16,
    pub max_10ms: u16,
}

/// The elements of an extension block: their ids, and where in it their values stand. Ends before whatever is broken.
struct Elements<'a> {
    block: &'a [u8],
    form: Option<Form>,
    at: usize,
}

impl<'a> Elements<'a> {
    /// `block`: without its own four bytes. Of an unknown profile there are none.
    fn new(profile: u16, block: &'a [u8]) -> Self {
        let form = match profile {
            0xBEDE => Some(Form::OneByte),
            0x1000..=0x100F => Some(Form::TwoByte),
            _other_profile => None,
        };
        Self { block, form, at: 0 }
    }
}

impl Iterator for Elements<'_> {
    type Item = (u8, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let form = self.form?;
        while self.block.get(self.at) == Some(&0) {
            self.at += 1;
        }
        let head = *self.block.get(self.at)?;
        let (id, len, start) = match form {
            Form::OneByte => (head >> 4, usize::from(head & 0x0f) + 1, self.at + 1),
            Form::TwoByte => (head, usize::from(*self.block.get(self.at + 1)?), self.at + 2),
        };
        // RFC 8285 section 4.2: id 0 with a length, and id 15, end the processing of the one-byte form.
        let is_end = form == Form::OneByte && (id == 0 || id == 15);
        if is_end || start + len > self.block.len() {
            self.form = None;
            return None;
        }
        self.at = start + len;
        Some((id, start..self.at))
    }
}

/// The elements of one received packet that we know. Borrowed from the packet, nothing allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    pub mid: Option<Mid>,
    pub rid: Option<Rid>,
    pub repaired_rid: Option<Rid>,
    pub transport_cc: Option<u16>,
    /// 6.18 fixed point seconds modulo 64 s, 24 bits.
    pub abs_send_time: Option<u32>,
    pub audio_level: Option<AudioLevel>,
    pub abs_capture_time: Option<AbsCaptureTime>,
    pub playout_delay: Option<PlayoutDelay>,
    pub dependency_descriptor: Option<&'a [u8]>,
    pub video_orientation: Option<u8>,
}

impl<'a> Extensions<'a> {
    /// Reads the elements of `packet`. Unknown ids, malformed elements and whatever follows a broken one are left out.
    pub fn parse(packet: &'a [u8], header: &RtpHeader, map: &ExtensionMap) -> Self {
        let mut found = Self::default();
        let Some(ExtensionBlock { profile, start, len }) = header.extension else { return found };
        let Some(block) = packet.get(start..start + len) else { return found };
        for (id, value) in Elements::new(profile, block) {
            found.take(map.kind_of(id), &block[value]);
        }
        found
    }

    fn take(&mut self, kind: Option<ExtensionKind>, value: &'a [u8]) {
        let Some(kind) = kind else { return };
        match (kind, value) {
            (ExtensionKind::Mid, id) => self.mid = Mid::new(id),
            (ExtensionKind::Rid, id) => self.rid = Rid::new(id),
            (ExtensionKind::RepairedRid, id) => self.repaired_rid = Rid::new(id),
            (ExtensionKind::AbsSendTime, &[a, b, c]) => self.abs_send_time = Some(u32::from_be_bytes([0, a, b, c])),
            (ExtensionKind::TransportCc, &[a, b]) => self.transport_cc = Some(u16::from_be_bytes([a, b])),
            // One byte by RFC 6464; the two-byte form may carry a second, padding one.
            (ExtensionKind::AudioLevel, &[level] | &[level, _]) => {
                self.audio_level = Some(AudioLevel { voice: level & 0x80 != 0, level_dbov: level & 0x7f });
            }
            (ExtensionKind::AbsCaptureTime, value) => self.abs_capture_time = read_capture_time(value),
            (ExtensionKind::PlayoutDelay, &[a, b, c]) => {
                let both = u32::from_be_bytes([0, a, b, c]);
                self.playout_delay = Some(PlayoutDelay { min_10ms: (both >> 12) as u16, max_10ms: (both & 0xfff) as u16 });
            }
            (ExtensionKind::DependencyDescriptor, value) => self.dependency_descriptor = Some(value),
            (ExtensionKind::VideoOrientation, &[orientation]) => self.video_orientation = Some(orientation),
            (
                ExtensionKind::AbsSendTime
                | ExtensionKind::TransportCc
                | ExtensionKind::AudioLevel
                | ExtensionKind::PlayoutDelay
                | ExtensionKind::VideoOrientation,
                _wrong_length,
            ) => {}
        }
    }
}

fn read_capture_time(value: &[u8]) -> Option<AbsCaptureTime> {
    let (ntp, rest) = value.split_first_chunk::<8>()?;
    let offset = match rest {
        [] => None,
        rest => Some(i64::from_be_bytes(*rest.first_chunk::<8>()?)),
    };
    Some(AbsCaptureTime { ntp: NtpTime(u64::from_be_bytes(*ntp)), offset })
}

/// What a viewer's packet shall carry; elements the viewer did not negotiate are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EgressExtensions<'a> {
    pub transport_cc: Option<u16>,
    /// See [`abs_send_time_24`].
    pub abs_send_time: Option<u32>,
    pub mid: Option<Mid>,
    pub audio_level: Option<AudioLevel>,
    pub abs_capture_time: Option<AbsCaptureTime>,
    pub playout_delay: Option<PlayoutDelay>,
    pub dependency_descriptor: Option<&'a [u8]>,
    pub video_orientation: Option<u8>,
}

/// Room that [`write_extensions`] never exceeds, bytes: every element in the two-byte form with the longest dependency descriptor.
pub const EGRESS_EXTENSIONS_MAX: usize = 320;

/// Writes a whole extension block with the viewer's ids and returns its length, a multiple of 4; 0 when there is nothing to write, and
/// then the header's extension bit must stay clear. The two-byte form is used only when an element is longer than 16 bytes or empty
/// (RFC 8285 section 4.3). An element that `out` has no room for is left out; [`EGRESS_EXTENSIONS_MAX`] bytes always suffice.
pub fn write_extensions(map: &ExtensionMap, ext: &EgressExtensions<'_>, out: &mut [u8]) -> usize {
    let descriptor = ext.dependency_descriptor.filter(|_| map.id_of(ExtensionKind::DependencyDescriptor).is_some());
    let form = match descriptor.map(<[u8]>::len) {
        Some(0 | 17..) => Form::TwoByte,
        Some(1..=16) | None => Form::OneByte,
    };
    let mut block = BlockWriter { map, form, out, len: BLOCK_HEADER_LEN };
    if let Some(seq) = ext.transport_cc {
        block.element(ExtensionKind::TransportCc, &seq.to_be_bytes());
    }
    if let Some(time) = ext.abs_send_time {
        block.element(ExtensionKind::AbsSendTime, &time.to_be_bytes()[1..]);
    }
    if let Some(mid) = ext.mid {
        block.element(ExtensionKind::Mid, mid.as_bytes());
    }
    if let Some(level) = ext.audio_level {
        block.element(ExtensionKind::AudioLevel, &[u8::from(level.voice) << 7 | level.level_dbov & 0x7f]);
    }
    if let Some(capture) = ext.abs_capture_time {
        let mut value = [0; 16];
        value[..8].copy_from_slice(&capture.ntp.0.to_be_bytes());
        value[8..].copy_from_slice(&capture.offset.unwrap_or(0).to_be_bytes());
        block.element(ExtensionKind::AbsCaptureTime, if capture.offset.is_some() { &value } else { &value[..8] });
    }
    if let Some(delay) = ext.playout_delay {
        let both = u32::from(delay.min_10ms & 0xfff) << 12 | u32::from(delay.max_10ms & 0xfff);
        block.element(ExtensionKind::PlayoutDelay, &both.to_be_bytes()[1..]);
    }
    if let Some(orientation) = ext.video_orientation {
        block.element(ExtensionKind::VideoOrientation, &[orientation]);
    }
    if let Some(descriptor) = descriptor {
        block.element(ExtensionKind::DependencyDescriptor, descriptor);
    }
    block.finish()
}

/// Where behind the fixed header of a packet, which begins with a block written by [`write_extensions`], those values stand that are of the
/// moment of sending. Who recovers a packet cannot know them, so protection counts them as zero, as browsers do.
pub fn sending_values(map: &ExtensionMap, rest: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let (profile, words) = rest.first_chunk().map_or((0, 0), |&[a, b, c, d]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
    let elements = rest.get(BLOCK_HEADER_LEN..BLOCK_HEADER_LEN + usize::from(words) * 4).unwrap_or_default();
    Elements::new(profile, elements)
        .filter(|(id, _)| matches!(map.kind_of(*id), Some(ExtensionKind::TransportCc | ExtensionKind::AbsSendTime)))
        .map(|(_, value)| value.start + BLOCK_HEADER_LEN..value.end + BLOCK_HEADER_LEN)
}

/// The 24 bits of abs-send-time: seconds in 6.18 fixed point, modulo 64 s.
pub const fn abs_send_time_24(now: NtpTime) -> u32 {
    (now.0 >> 14) as u32 & 0x00ff_ffff
}

/// Profile and length.
const BLOCK_HEADER_LEN: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
}

struct BlockWriter<'a> {
    map: &'a ExtensionMap,
    form: Form,
    out: &'a mut [u8],
    /// Bytes used so far, the block's own four included.
    len: usize,
}

impl BlockWriter<'_> {
    fn element(&mut self, kind: ExtensionKind, value: &[u8]) {
        let Some(id) = self.map.id_of(kind) else { return };
        let Ok(value_len) = u8::try_from(value.len()) else { return };
        let head: &[u8] = match self.form {
            Form::OneByte => &[id << 4 | value_len.wrapping_sub(1) & 0x0f],
            Form::TwoByte => &[id, value_len],
        };
        let end = self.len + head.len() + value.len();
        // The block is padded to whole words, which must fit too.
        if end.next_multiple_of(4) > self.out.len() {
            return;
        }
        self.out[self.len..self.len + head.len()].copy_from_slice(head);
        self.out[self.len + head.len()..end].copy_from_slice(value);
        self.len = end;
    }

    fn finish(self) -> usize {
        if self.len == BLOCK_HEADER_LEN {
            return 0;
        }
        let end = self.len.next_multiple_of(4);
        self.out[self.len..end].fill(0);
        let profile: u16 = match self.form {
            Form::OneByte => 0xBEDE,
            Form::TwoByte => 0x1000,
        };
        self.out[..2].copy_from_slice(&profile.to_be_bytes());
        self.out[2..4].copy_from_slice(&((end / 4 - 1) as u16).to_be_bytes());
        end
    }
}

/// Bodies of the fuzz targets.
#[doc(hidden)]
pub mod fuzz {
    use super::{ExtensionKind, ExtensionMap, Extensions};
    use crate::sfu::rtp::header::RtpHeader;

    /// A map that knows every kind.
    pub fn full_map() -> ExtensionMap {
        let mut map = ExtensionMap::default();
        for (id, kind) in (1..).zip(ExtensionKind::ALL) {
            map.set(id, kind);
        }
        map
    }

    /// Any bytes: no panic.
    pub fn fuzz_extensions(packet: &[u8]) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        let found = Extensions::parse(packet, &header, &full_map());
        assert!(found.abs_send_time.is_none_or(|time| time < 1 << 24));
        // A header may be applied to a shorter packet by mistake: still no panic.
        let _none = Extensions::parse(&packet[..packet.len() / 2], &header, &full_map());
    }
}

#[cfg(test)]
mod tests {
    use rtc_shared::marshal::Unmarshal;

    use super::fuzz::full_map;
    use super::*;
    use crate::sfu::rtp::header::{FixedHeader, fixed_header_bytes};
    use crate::sfu::rtp::id::{Pt, Ssrc};
    use crate::sfu::rtp::mutate::bombard;
    use crate::sfu::rtp::seq::{RtpTime, WireSeq};

    const EGRESS: EgressExtensions<'static> = EgressExtensions {
        transport_cc: Some(0xabcd),
        abs_send_time: Some(0x12_3456),
        mid: None,
        audio_level: Some(AudioLevel { voice: true, level_dbov: 42 }),
        abs_capture_time: Some(AbsCaptureTime { ntp: NtpTime(0x0102_0304_0506_0708), offset: Some(-2) }),
        playout_delay: Some(PlayoutDelay { min_10ms: 0, max_10ms: 0xfed }),
        dependency_descriptor: Some(&[0xc0, 0, 1]),
        video_orientation: Some(3),
    };

    fn packet_with(block: &[u8]) -> Vec<u8> {
        let header = FixedHeader {
            marker: false,
            pt: Pt(96),
            seq: WireSeq(1),
            time: RtpTime(2),
            ssrc: Ssrc(3),
            has_extension: !block.is_empty(),
            has_padding: false,
        };
        [&fixed_header_bytes(&header)[..], block, b"payload"].concat()
    }

    fn written(map: &ExtensionMap, ext: &EgressExtensions<'_>) -> Vec<u8> {
        let mut out = [0xee; EGRESS_EXTENSIONS_MAX];
        let len = write_extensions(map, ext, &mut out);
        packet_with(&out[..len])
    }

    fn read<'a>(packet: &'a [u8], map: &ExtensionMap) -> Extensions<'a> {
        Extensions::parse(packet, &RtpHeader::parse(packet).expect("valid"), map)
    }

    #[test]
    fn reads_back_what_was_written_in_both_forms() {
        let long = [7u8; 40];
        for descriptor in [&[0xc0, 0, 1][..], &long] {
            let ext = EgressExtensions { mid: Mid::new(b"mid1"), dependency_descriptor: Some(descriptor), ..EGRESS };
            let packet = written(&full_map(), &ext);
            let found = read(&packet, &full_map());
            assert_eq!((found.transport_cc, found.abs_send_time, found.mid), (ext.transport_cc, ext.abs_send_time, ext.mid));
            assert_eq!((found.audio_level, found.abs_capture_time), (ext.audio_level, ext.abs_capture_time));
            assert_eq!((found.playout_delay, found.video_orientation), (ext.playout_delay, ext.video_orientation));
            assert_eq!(found.dependency_descriptor, Some(descriptor));
        }
    }

    #[test]
    fn an_independent_reader_finds_our_elements_under_the_viewers_ids() {
        let mut map = ExtensionMap::default();
        map.set(4, ExtensionKind::TransportCc);
        map.set(9, ExtensionKind::Mid);
        let ext = EgressExtensions { mid: Mid::new(b"0"), ..EGRESS };
        let packet = written(&map, &ext);
        let read = rtc_rtp::packet::Packet::unmarshal(&mut &packet[..]).expect("valid");
        assert_eq!(read.header.get_extension(4).as_deref(), Some(&[0xab, 0xcd][..]));
        assert_eq!(read.header.get_extension(9).as_deref(), Some(&b"0"[..]));
        assert_eq!(read.header.get_extension_ids(), [4, 9]);
        assert_eq!(&read.payload[..], b"payload");
    }

    #[test]
    fn an_independent_reader_reads_our_two_byte_form() {
        let long = [5u8; 33];
        let packet = written(&full_map(), &EgressExtensions { dependency_descriptor: Some(&long), ..EGRESS });
        let read = rtc_rtp::packet::Packet::unmarshal(&mut &packet[..]).expect("valid");
        let id = full_map().id_of(ExtensionKind::DependencyDescriptor).expect("known");
        assert_eq!((read.header.extension_profile, read.header.get_extension(id).as_deref()), (0x1000, Some(&long[..])));
        assert_eq!(&read.payload[..], b"payload");
    }

    #[test]
    fn nothing_to_write_writes_nothing() {
        let mut out = [0xee; 8];
        assert_eq!(write_extensions(&full_map(), &EgressExtensions::default(), &mut out), 0);
        assert_eq!(write_extensions(&ExtensionMap::default(), &EGRESS, &mut out), 0);
        assert_eq!(write_extensions(&full_map(), &EGRESS, &mut out[..0]), 0);
        assert_eq!(out, [0xee; 8]);
    }

    #[test]
    fn the_longest_block_fits() {
        let ext = EgressExtensions { mid: Mid::new(b"0123456789abcdef"), dependency_descriptor: Some(&[1; 255]), ..EGRESS };
        let packet = written(&full_map(), &ext);
        assert_eq!(read(&packet, &full_map()).dependency_descriptor, Some(&[1; 255][..]));
    }

    #[test]
    fn one_byte_form_stops_where_rfc_8285_says() {
        let mut map = ExtensionMap::default();
        map.set(1, ExtensionKind::VideoOrientation);
        map.set(2, ExtensionKind::TransportCc);
        let rows: [(&[u8], Option<u8>, Option<u16>); 5] = [
            (&[0x10, 7, 0, 0x21, 1, 2, 0, 0], Some(7), Some(0x102)),
            (&[0x10, 7, 0xf0, 1, 0x21, 1, 2, 0], Some(7), None),
            (&[0x10, 7, 0x01, 9, 9, 0x21, 1, 2], Some(7), None),
            (&[0x10, 7, 0x2f, 1], Some(7), None),
            (&[0x10, 7, 0x32, 1, 2, 3, 0x21, 1, 2, 0, 0, 0], Some(7), Some(0x102)),
        ];
        for (elements, orientation, seq) in rows {
            let block = [&[0xbe, 0xde, 0, (elements.len() / 4) as u8], elements].concat();
            let packet = packet_with(&block);
            let found = read(&packet, &map);
            assert_eq!((found.video_orientation, found.transport_cc), (orientation, seq), "{elements:?}");
        }
    }

    #[test]
    fn a_map_is_one_to_one() {
        let mut map = ExtensionMap::default();
        map.set(3, ExtensionKind::Mid);
        map.set(3, ExtensionKind::Rid);
        assert_eq!((map.id_of(ExtensionKind::Mid), map.kind_of(3)), (None, Some(ExtensionKind::Rid)));
        map.set(5, ExtensionKind::Rid);
        assert_eq!((map.kind_of(3), map.id_of(ExtensionKind::Rid)), (None, Some(5)));
        map.set(15, ExtensionKind::Mid);
        map.set(0, ExtensionKind::Mid);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(5, ExtensionKind::Rid)]);
    }

    #[test]
    fn uris_are_known_both_ways() {
        for (at, kind) in ExtensionKind::ALL.into_iter().enumerate() {
            assert_eq!((ExtensionKind::from_uri(kind.uri()), kind as usize), (Some(kind), at));
        }
        assert_eq!(ExtensionKind::from_uri("urn:ietf:params:rtp-hdrext:toffset"), None);
    }

    #[test]
    fn survives_hostile_bytes() {
        let long = written(&full_map(), &EgressExtensions { dependency_descriptor: Some(&[1; 30]), ..EGRESS });
        bombard(&[written(&full_map(), &EGRESS), long], fuzz::fuzz_extensions);
    }
}
