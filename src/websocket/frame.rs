//! What is sent: frames of RFC 6455 section 5.2, complete with their headers.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::deflate::deflate;

const FINAL: u8 = 0x80;
/// RSV1: the message is deflated (RFC 7692 section 6).
const DEFLATED: u8 = 0x40;
pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Longest header without a mask.
const HEADER_MAX: usize = 10;
/// Bytes of a close frame's reason: a control frame has 125, two of them the code.
const REASON_MAX: usize = 123;
/// Shorter texts gain nothing.
const DEFLATE_FROM: usize = 512;

/// One message, framed. Cheap to clone: everybody it goes to shares its bytes.
#[derive(Debug, Clone)]
pub struct Frame {
    plain: Bytes,
    /// Of a frame that many get: deflated when the first of them who takes that asks. `None` within: it gained nothing.
    deflated: Option<Arc<OnceLock<Option<Bytes>>>>,
}

impl Frame {
    /// A text for one client.
    pub fn text(text: &str) -> Self {
        Self { plain: framed(TEXT, text.as_bytes()), deflated: None }
    }

    /// A text for many clients.
    pub fn shared_text(text: &str) -> Self {
        Self { deflated: (text.len() >= DEFLATE_FROM).then(Arc::default), ..Self::text(text) }
    }

    pub(super) fn pong(payload: &[u8]) -> Self {
        Self { plain: framed(PONG, payload), deflated: None }
    }

    /// A close with a code and at most 123 bytes of reason; what is more is cut.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        let end = (0..=reason.len().min(REASON_MAX)).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        payload.extend_from_slice(&reason.as_bytes()[..end]);
        Self { plain: framed(CLOSE, &payload), deflated: None }
    }

    /// The bytes for a client that takes deflated messages, or does not.
    pub(super) fn bytes(&self, takes_deflated: bool) -> &Bytes {
        match &self.deflated {
            Some(deflated) if takes_deflated => deflated.get_or_init(|| self.deflate()).as_ref().unwrap_or(&self.plain),
            _ => &self.plain,
        }
    }

    fn deflate(&self) -> Option<Bytes> {
        let packed = deflate(self.payload());
        (packed.len() < self.payload().len()).then(|| framed(TEXT | DEFLATED, &packed))
    }

    fn payload(&self) -> &[u8] {
        let header = match self.plain[1] {
            126 => 4,
            127 => HEADER_MAX,
            _ => 2,
        };
        &self.plain[header..]
    }

    /// The text within, for tests and for those who look into frames rather than send them.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.payload()).unwrap_or_default()
    }
}

/// Two frames that say the same.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.plain == other.plain
    }
}

fn framed(first: u8, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(HEADER_MAX + payload.len());
    bytes.push(FINAL | first);
    match payload.len() {
        len @ 0..126 => bytes.push(len as u8),
        len @ 126..0x1_0000 => {
            bytes.push(126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::super::deflate::inflate;
    use super::*;

    #[test]
    fn headers_are_those_of_rfc_6455() {
        // Section 5.7: "Hello", 256 bytes, 64 KiB.
        assert_eq!(&Frame::text("Hello").bytes(false)[..], [0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(Frame::text(&"x".repeat(256)).bytes(false)[..4], [0x81, 126, 1, 0]);
        assert_eq!(Frame::text(&"x".repeat(65_536)).bytes(false)[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(&Frame::close(1001, "going").bytes(true)[..], [0x88, 7, 3, 233, b'g', b'o', b'i', b'n', b'g']);
        for len in [0, 125, 126, 65_535, 65_536] {
            assert_eq!(Frame::text(&"x".repeat(len)).as_str().len(), len);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Frame::close(4000, &"ä".repeat(100));
        let frame = frame.bytes(false);
        assert_eq!(frame[1], 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn shared_texts_are_deflated_once_and_only_where_it_gains() {
        let text = "goal! ".repeat(200);
        let frame = Frame::shared_text(&text);
        let packed = frame.bytes(true);
        assert_eq!((packed[0], frame.bytes(false)[0]), (0xc1, 0x81));
        assert!(packed.len() < 100 && packed.as_ptr() == frame.clone().bytes(true).as_ptr(), "the same bytes for everybody");
        assert_eq!(inflate(&packed[2..], 10_000).unwrap(), text.as_bytes());
        assert_eq!(Frame::shared_text("short").bytes(true)[0], 0x81);
        assert_eq!(Frame::text(&text).bytes(true)[0], 0x81, "a text for one is not worth the work");
    }
}
