//! Reads one thing from a DTLS ClientHello before the handshake sees it: which SRTP profiles the client offers (RFC 5764 section 4.1).
//!
//! Not a TLS parser. The message may be fragmented over datagrams and repeated; fragments are put together by their offsets. Everything
//! is bounded by `limits::DTLS_HELLO_*`.

use super::srtp::SrtpProfile;
use crate::limits::DTLS_HELLO_BYTES_MAX;

const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
pub(super) const CONTENT_HANDSHAKE: u8 = 22;
pub(super) const CLIENT_HELLO: u8 = 1;
const EXTENSION_USE_SRTP: u16 = 14;
const AEAD_AES_128_GCM: u16 = 0x0007;

/// Puts the first ClientHello together.
#[derive(Debug, Default)]
pub(super) struct HelloReader {
    /// The body so far; its length is the one that the message header announces.
    body: Vec<u8>,
    /// Byte ranges of `body` that have arrived.
    have: Vec<(usize, usize)>,
}

/// The records of a datagram: content type, epoch and payload. Ends at the first record that does not fit.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = (u8, u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let header = rest.get(..RECORD_HEADER)?;
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let payload = rest.get(RECORD_HEADER..RECORD_HEADER + len)?;
        let record = (header[0], u16::from_be_bytes([header[3], header[4]]), payload);
        rest = &rest[RECORD_HEADER + len..];
        Some(record)
    })
}

impl HelloReader {
    /// Takes a datagram; the profile to configure once the ClientHello is complete.
    pub(super) fn read(&mut self, datagram: &[u8]) -> Option<SrtpProfile> {
        for (content, epoch, payload) in records(datagram) {
            if content == CONTENT_HANDSHAKE && epoch == 0 {
                self.fragment(payload);
            }
        }
        self.is_complete().then(|| choose(&self.body))
    }

    fn fragment(&mut self, payload: &[u8]) {
        let Some((header, data)) = payload.split_at_checked(HANDSHAKE_HEADER) else { return };
        let total = read_u24(&header[1..4]);
        let offset = read_u24(&header[6..9]);
        let len = read_u24(&header[9..12]);
        let Some(data) = data.get(..len) else { return };
        if header[0] != CLIENT_HELLO || total == 0 || total > DTLS_HELLO_BYTES_MAX || offset + len > total {
            return;
        }
        if self.body.len() != total {
            self.body = vec![0; total];
            self.have.clear();
        }
        self.body[offset..offset + len].copy_from_slice(data);
        self.have.push((offset, offset + len));
    }

    fn is_complete(&mut self) -> bool {
        self.have.sort_unstable();
        let reached = self.have.iter().fold(0, |reached, &(from, to)| if from <= reached { reached.max(to) } else { reached });
        !self.body.is_empty() && reached == self.body.len()
    }
}

/// GCM when it is offered, SHA1 otherwise: also when the message cannot be read, so that the handshake itself refuses it.
fn choose(body: &[u8]) -> SrtpProfile {
    if offered_profiles(body).is_some_and(|mut profiles| profiles.any(|profile| profile == AEAD_AES_128_GCM)) {
        SrtpProfile::AeadAes128Gcm
    } else {
        SrtpProfile::Aes128CmSha1_80
    }
}

fn offered_profiles(body: &[u8]) -> Option<impl Iterator<Item = u16>> {
    let mut at = Cursor(body);
    at.take(2 + 32)?;
    let session_id = at.length(1)?;
    at.take(session_id)?;
    let cookie = at.length(1)?;
    at.take(cookie)?;
    let suites = at.length(2)?;
    at.take(suites)?;
    let compression = at.length(1)?;
    at.take(compression)?;
    let extensions = at.length(2)?;
    let mut at = Cursor(at.take(extensions)?);
    loop {
        let kind = at.length(2)?;
        let len = at.length(2)?;
        let value = at.take(len)?;
        if kind == usize::from(EXTENSION_USE_SRTP) {
            let mut at = Cursor(value);
            let profiles = at.length(2)?;
            return Some(at.take(profiles)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
        }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// A big-endian number of `width` bytes.
    fn length(&mut self, width: usize) -> Option<usize> {
        Some(self.take(width)?.iter().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    }
}

fn read_u24(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}
