//! The small identifiers of RTP and SDP, each its own type (RFC 3550, RFC 8843, RFC 8851).

use std::fmt;

/// Synchronisation source of one RTP stream (RFC 3550 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

impl fmt::Debug for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ssrc({:08x})", self.0)
    }
}

/// RTP payload type, 0 to 127, as negotiated with one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pt(pub u8);

/// Short text identifier of at most 16 bytes, kept inline so that copying one never allocates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortId {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl ShortId {
    /// Longest identifier kept, bytes. The one-byte header extension form carries at most 16 (RFC 8285 section 4.2).
    pub const MAX: usize = 16;

    /// `None` when empty, longer than [`Self::MAX`] or not printable ASCII without blanks.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > Self::MAX || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; Self::MAX];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { len: text.len() as u8, bytes })
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("only printable ASCII is stored")
    }

    /// The identifier as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Media identification of an m-line (RFC 8843 section 14).
pub type Mid = ShortId;

/// Identifier of one simulcast encoding (RFC 8851).
pub type Rid = ShortId;
