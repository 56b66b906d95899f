//! STUN binding requests and their answers, read and written in place (RFC 8489), and the demultiplexing of one UDP port (RFC 7983).
//!
//! Not a STUN library: it knows what an ICE-lite server meets. Nothing here allocates. HMAC-SHA1 comes from the crypto provider, the
//! CRC of FINGERPRINT from `rtc-stun`.

use std::net::{IpAddr, SocketAddr};

use rtc_dtls::crypto_provider::Mac;
use rtc_stun::fingerprint::fingerprint_value;

const HEADER: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_A442;
const INTEGRITY_LEN: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;

/// Unknown attributes named in one 420 answer. More are not named: one is enough for the client to know.
const UNKNOWN_NAMED_MAX: usize = 4;

/// What a datagram is, by its first byte (RFC 7983 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramKind {
    Stun,
    Dtls,
    /// SRTP or SRTCP; the payload type tells which (RFC 5761 section 4).
    RtpOrRtcp,
    /// ZRTP, TURN channels and garbage.
    Other,
}

/// Classifies a datagram by its first byte.
pub const fn classify(first_byte: u8) -> DatagramKind {
    match first_byte {
        0..=3 => DatagramKind::Stun,
        20..=63 => DatagramKind::Dtls,
        128..=191 => DatagramKind::RtpOrRtcp,
        4..=19 | 64..=127 | 192..=255 => DatagramKind::Other,
    }
}

/// Whether the datagram has the frame of a STUN message: type bits, magic cookie and a length that fits (RFC 8489 section 5).
pub fn is_stun(packet: &[u8]) -> bool {
    packet.len() >= HEADER
        && packet[0] < 4
        && read_u32(packet, 4) == MAGIC_COOKIE
        && packet.len().is_multiple_of(4)
        && usize::from(read_u16(packet, 2)) == packet.len() - HEADER
}

/// Our half of USERNAME, which finds the peer before any address is known. `None` when this is not a STUN message with a USERNAME of
/// two halves.
pub fn local_ufrag(packet: &[u8]) -> Option<&str> {
    if !is_stun(packet) {
        return None;
    }
    let username = attributes(packet).find_map(|attribute| (attribute.kind == USERNAME).then_some(attribute.value))?;
    let colon = username.iter().position(|&byte| byte == b':')?;
    std::str::from_utf8(&username[..colon]).ok()
}

/// Why a message is not a binding request that could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Malformed,
    Indication,
    NotARequest,
    NoUsername,
    NoIntegrity,
    BadFingerprint,
}

/// A binding request whose frame is sound; its integrity is not checked yet.
#[derive(Debug)]
pub(super) struct BindingRequest<'a> {
    packet: &'a [u8],
    pub(super) username: &'a [u8],
    pub(super) use_candidate: bool,
    pub(super) ice_controlled: bool,
    pub(super) unknown: UnknownAttributes,
    integrity_at: usize,
}

/// Comprehension-required attributes that we do not know (RFC 8489 section 6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UnknownAttributes {
    kinds: [u16; UNKNOWN_NAMED_MAX],
    len: usize,
}

impl UnknownAttributes {
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, kind: u16) {
        if let Some(slot) = self.kinds.get_mut(self.len) {
            *slot = kind;
            self.len += 1;
        }
    }
}

impl<'a> BindingRequest<'a> {
    /// Reads a message. Attributes behind MESSAGE-INTEGRITY are ignored but for FINGERPRINT (RFC 8489 section 14.5).
    pub(super) fn read(packet: &'a [u8]) -> Result<Self, Unreadable> {
        if !is_stun(packet) {
            return Err(Unreadable::Malformed);
        }
        match read_u16(packet, 0) {
            BINDING_REQUEST => {}
            BINDING_INDICATION => return Err(Unreadable::Indication),
            _ => return Err(Unreadable::NotARequest),
        }
        let mut request = Self {
            packet,
            username: &[],
            use_candidate: false,
            ice_controlled: false,
            unknown: UnknownAttributes::default(),
            integrity_at: 0,
        };
        let mut end = HEADER;
        for attribute in attributes(packet) {
            end = attribute.end;
            if attribute.kind == FINGERPRINT {
                let sum = <[u8; 4]>::try_from(attribute.value).map_err(|_| Unreadable::Malformed)?;
                // FINGERPRINT is the last attribute, so the length in the header is the one it was computed over.
                if attribute.end != packet.len() || u32::from_be_bytes(sum) != fingerprint_value(&packet[..attribute.at]) {
                    return Err(Unreadable::BadFingerprint);
                }
                continue;
            }
            if request.integrity_at != 0 {
                continue;
            }
            match attribute.kind {
                USERNAME => request.username = attribute.value,
                MESSAGE_INTEGRITY if attribute.value.len() == INTEGRITY_LEN => request.integrity_at = attribute.at,
                MESSAGE_INTEGRITY => return Err(Unreadable::Malformed),
                USE_CANDIDATE => request.use_candidate = true,
                ICE_CONTROLLED => request.ice_controlled = true,
                PRIORITY => {}
                unknown if unknown < 0x8000 => request.unknown.push(unknown),
                _ => {}
            }
        }
        if end != packet.len() {
            return Err(Unreadable::Malformed);
        }
        if request.username.is_empty() {
            return Err(Unreadable::NoUsername);
        }
        if request.integrity_at == 0 {
            return Err(Unreadable::NoIntegrity);
        }
        Ok(request)
    }

    /// Checks MESSAGE-INTEGRITY with a MAC keyed by our password.
    pub(super) fn is_authentic(&self, mac: &mut dyn Mac) -> bool {
        let covered = (self.integrity_at + 4 + INTEGRITY_LEN - HEADER) as u16;
        let value = &self.packet[self.integrity_at + 4..self.integrity_at + 4 + INTEGRITY_LEN];
        mac.verify(&[&self.packet[..2], &covered.to_be_bytes(), &self.packet[4..self.integrity_at]], value).is_ok()
    }

    /// Writes the success answer: XOR-MAPPED-ADDRESS of the source, MESSAGE-INTEGRITY, FINGERPRINT.
    pub(super) fn write_success(&self, source: SocketAddr, mac: &mut dyn Mac, reply: &mut Vec<u8>) {
        self.begin(BINDING_SUCCESS, reply);
        let xor_port = source.port() ^ (MAGIC_COOKIE >> 16) as u16;
        match source.ip().to_canonical() {
            IpAddr::V4(ip) => {
                attribute_header(XOR_MAPPED_ADDRESS, 8, reply);
                reply.extend_from_slice(&[0, 1]);
                reply.extend_from_slice(&xor_port.to_be_bytes());
                reply.extend_from_slice(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes());
            }
            IpAddr::V6(ip) => {
                attribute_header(XOR_MAPPED_ADDRESS, 20, reply);
                reply.extend_from_slice(&[0, 2]);
                reply.extend_from_slice(&xor_port.to_be_bytes());
                // The mask is the cookie and the transaction id, which lie side by side in the header (RFC 8489 section 14.2).
                reply.extend(ip.octets().iter().zip(&self.packet[4..HEADER]).map(|(address, mask)| address ^ mask));
            }
        }
        finish(mac, reply);
    }

    /// Writes 487 Role Conflict (RFC 8445 section 7.3.1.1): we are lite, so the client controls.
    pub(super) fn write_role_conflict(&self, mac: &mut dyn Mac, reply: &mut Vec<u8>) {
        self.begin(BINDING_ERROR, reply);
        error_code(487, b"Role Conflict", reply);
        finish(mac, reply);
    }

    /// Writes 420 Unknown Attribute and names them (RFC 8489 section 6.3.1.1).
    pub(super) fn write_unknown_attributes(&self, mac: &mut dyn Mac, reply: &mut Vec<u8>) {
        self.begin(BINDING_ERROR, reply);
        error_code(420, b"Unknown Attribute", reply);
        let named = &self.unknown.kinds[..self.unknown.len];
        attribute_header(UNKNOWN_ATTRIBUTES, 2 * named.len(), reply);
        reply.extend(named.iter().flat_map(|kind| kind.to_be_bytes()));
        pad(reply);
        finish(mac, reply);
    }

    fn begin(&self, kind: u16, reply: &mut Vec<u8>) {
        reply.clear();
        reply.extend_from_slice(&kind.to_be_bytes());
        reply.extend_from_slice(&[0, 0]);
        reply.extend_from_slice(&self.packet[4..HEADER]);
    }
}

fn error_code(code: u16, reason: &[u8], reply: &mut Vec<u8>) {
    attribute_header(ERROR_CODE, 4 + reason.len(), reply);
    reply.extend_from_slice(&[0, 0, (code / 100) as u8, (code % 100) as u8]);
    reply.extend_from_slice(reason);
    pad(reply);
}

fn attribute_header(kind: u16, len: usize, reply: &mut Vec<u8>) {
    reply.extend_from_slice(&kind.to_be_bytes());
    reply.extend_from_slice(&(len as u16).to_be_bytes());
}

fn pad(reply: &mut Vec<u8>) {
    reply.resize(reply.len().next_multiple_of(4), 0);
}

/// Appends MESSAGE-INTEGRITY and FINGERPRINT, each computed over a header whose length already covers it.
fn finish(mac: &mut dyn Mac, reply: &mut Vec<u8>) {
    write_length(reply, 4 + INTEGRITY_LEN);
    let mut tag = [0; INTEGRITY_LEN];
    mac.sign(&[reply], &mut tag).expect("HMAC-SHA1 has a 20-byte output");
    attribute_header(MESSAGE_INTEGRITY, INTEGRITY_LEN, reply);
    reply.extend_from_slice(&tag);
    write_length(reply, 8);
    let sum = fingerprint_value(reply);
    attribute_header(FINGERPRINT, 4, reply);
    reply.extend_from_slice(&sum.to_be_bytes());
}

fn write_length(reply: &mut [u8], to_come: usize) {
    let length = (reply.len() - HEADER + to_come) as u16;
    reply[2..4].copy_from_slice(&length.to_be_bytes());
}

struct Attribute<'a> {
    kind: u16,
    value: &'a [u8],
    /// Offset of the attribute's header in the message.
    at: usize,
    /// Offset behind its padding.
    end: usize,
}

/// Walks the attributes; stops at the first that does not fit, so that the last `end` differs from the message's length.
fn attributes(packet: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let header = packet.get(at..at + 4)?;
        let len = usize::from(read_u16(header, 2));
        let value = packet.get(at + 4..at + 4 + len)?;
        let end = at + 4 + len.next_multiple_of(4);
        let attribute = Attribute { kind: read_u16(header, 0), value, at, end };
        at = end;
        (end <= packet.len()).then_some(attribute)
    })
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
