//! What is received: bytes to messages. Pure, bounded, and strict where RFC 6455 is (sections 5.2 to 5.5, 7.1, 8.1).

use super::deflate::{InflateError, inflate};
use super::frame::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};

/// Bytes of a control frame (RFC 6455 section 5.5).
const CONTROL_MAX: usize = 125;
const MASK: usize = 4;

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Text(String),
    /// Its bytes are nobody's business here.
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// With the code, when one was given.
    Close(Option<u16>),
}

/// Why a connection cannot go on; [`Self::close_code`] is what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the frames break RFC 6455: {0}")]
    Malformed(&'static str),
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the message is too large")]
    TooLarge,
}

impl ProtocolError {
    /// RFC 6455 section 7.4.1.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Malformed(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Header {
    is_final: bool,
    is_deflated: bool,
    opcode: u8,
    mask: [u8; MASK],
    /// Of the header itself.
    len: usize,
    payload: usize,
}

/// A data message of which frames have come.
#[derive(Debug)]
struct Started {
    opcode: u8,
    is_deflated: bool,
    payload: Vec<u8>,
}

/// One client's bytes. Holds no memory between messages.
#[derive(Debug)]
pub(super) struct Decoder {
    message_max: usize,
    /// permessage-deflate is agreed.
    deflates: bool,
    buffer: Vec<u8>,
    started: Option<Started>,
}

impl Decoder {
    /// Messages of at most so many bytes.
    pub(super) fn new(message_max: usize, deflates: bool) -> Self {
        Self { message_max, deflates, buffer: Vec::new(), started: None }
    }

    /// Takes what arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Message>, ProtocolError> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let end = header.len + header.payload;
            if self.buffer.len() < end {
                return Ok(None);
            }
            let mut payload: Vec<u8> = self.buffer[header.len..end].to_vec();
            payload.iter_mut().zip(header.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if self.buffer.len() == end {
                self.buffer = Vec::new();
            } else {
                self.buffer.drain(..end);
            }
            if let Some(message) = self.frame(header, payload)? {
                return Ok(Some(message));
            }
        }
    }

    fn header(&self) -> Result<Option<Header>, ProtocolError> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(None) };
        let opcode = first & 0x0f;
        let is_control = opcode >= CLOSE;
        let is_final = first & 0x80 != 0;
        let is_deflated = first & 0x40 != 0;
        if first & 0x30 != 0 || (is_deflated && (!self.deflates || is_control || opcode == CONTINUATION)) {
            return Err(ProtocolError::Malformed("a reserved bit is set"));
        }
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return Err(ProtocolError::Malformed("an unknown opcode"));
        }
        if second & 0x80 == 0 {
            return Err(ProtocolError::Malformed("a client's frame without a mask"));
        }
        // With the least that a length of so many bytes may be.
        let (payload, extended, least) = match second & 0x7f {
            126 => {
                let Some((len, _)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*len)), 2, 126)
            }
            127 => {
                let Some((len, _)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                (u64::from_be_bytes(*len), 8, 0x1_0000)
            }
            len => (u64::from(len), 0, 0),
        };
        if payload < least {
            return Err(ProtocolError::Malformed("a length in more bytes than it needs"));
        }
        if is_control && (!is_final || payload > CONTROL_MAX as u64) {
            return Err(ProtocolError::Malformed("a control frame in parts, or too long"));
        }
        let earlier = self.started.as_ref().filter(|_| !is_control).map_or(0, |started| started.payload.len());
        if payload > (self.message_max - earlier) as u64 {
            return Err(ProtocolError::TooLarge);
        }
        let Some(mask) = rest.get(extended..extended + MASK) else { return Ok(None) };
        let mask = mask.try_into().expect("four bytes");
        Ok(Some(Header { is_final, is_deflated, opcode, mask, len: 2 + extended + MASK, payload: payload as usize }))
    }

    fn frame(&mut self, header: Header, payload: Vec<u8>) -> Result<Option<Message>, ProtocolError> {
        match header.opcode {
            CLOSE => return close(&payload).map(Some),
            PING => return Ok(Some(Message::Ping(payload))),
            PONG => return Ok(Some(Message::Pong)),
            CONTINUATION => match &mut self.started {
                Some(started) => started.payload.extend_from_slice(&payload),
                None => return Err(ProtocolError::Malformed("a continuation of nothing")),
            },
            opcode => {
                if self.started.is_some() {
                    return Err(ProtocolError::Malformed("a new message within another"));
                }
                self.started = Some(Started { opcode, is_deflated: header.is_deflated, payload });
            }
        }
        if !header.is_final {
            return Ok(None);
        }
        let Some(Started { opcode, is_deflated, payload }) = self.started.take() else { return Ok(None) };
        let payload = if is_deflated {
            inflate(&payload, self.message_max).map_err(|error| match error {
                InflateError::Malformed => ProtocolError::Malformed("it does not inflate"),
                InflateError::TooLarge => ProtocolError::TooLarge,
            })?
        } else {
            payload
        };
        if opcode == BINARY {
            return Ok(Some(Message::Binary));
        }
        String::from_utf8(payload).map(|text| Some(Message::Text(text))).map_err(|_| ProtocolError::NotUtf8)
    }
}

fn close(payload: &[u8]) -> Result<Message, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(Message::Close(None)) } else { Err(ProtocolError::Malformed("half a close code")) };
    };
    let code = u16::from_be_bytes(*code);
    // Section 7.4: those that may be sent.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ProtocolError::Malformed("a close code that must not be sent"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(ProtocolError::NotUtf8);
    }
    Ok(Message::Close(Some(code)))
}

/// A client's frame, as tests make them.
#[cfg(any(test, fuzzing))]
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::deflate::deflate;
    use super::*;

    fn decode(deflates: bool, bytes: &[u8]) -> Result<Vec<Message>, ProtocolError> {
        let mut decoder = Decoder::new(1000, deflates);
        decoder.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn text(text: &str) -> Message {
        Message::Text(text.to_owned())
    }

    #[test]
    fn the_masked_hello_of_rfc_6455() {
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(decode(false, &bytes), Ok(vec![text("Hello")]));
        assert_eq!(masked(0x81, b"Hello"), bytes);
    }

    #[test]
    fn messages_arrive_whole_however_the_bytes_do() {
        let long = "x".repeat(300);
        let stream = [
            masked(0x01, b"one "),
            masked(0x89, b"are you there"),
            masked(0x00, b"mess"),
            masked(0x80, "age ä".as_bytes()),
            masked(0x82, &[1, 2, 3]),
            masked(0x81, long.as_bytes()),
            masked(0x8a, b""),
            masked(0x88, &[3, 232]),
        ]
        .concat();
        let expected = vec![
            Message::Ping(b"are you there".to_vec()),
            text("one message ä"),
            Message::Binary,
            text(&long),
            Message::Pong,
            Message::Close(Some(1000)),
        ];
        assert_eq!(decode(false, &stream), Ok(expected.clone()));
        let mut decoder = Decoder::new(1000, false);
        let mut messages = Vec::new();
        for byte in stream {
            decoder.push(&[byte]);
            messages.extend(decoder.next().unwrap());
        }
        assert_eq!(messages, expected);
        assert_eq!((decoder.buffer.capacity(), decoder.started.is_none()), (0, true), "nothing is kept in between");
    }

    #[test]
    fn deflated_messages_are_read_when_agreed() {
        let packed = deflate(b"goal goal goal goal");
        let (head, tail) = packed.split_at(packed.len() / 2);
        assert_eq!(decode(true, &masked(0xc1, &packed)), Ok(vec![text("goal goal goal goal")]));
        assert_eq!(decode(true, &[masked(0x41, head), masked(0x80, tail)].concat()), Ok(vec![text("goal goal goal goal")]));
        assert_eq!(decode(true, &masked(0x81, b"plain")), Ok(vec![text("plain")]));
        assert_eq!(decode(true, &masked(0xc1, &deflate(&[b'x'; 5000]))), Err(ProtocolError::TooLarge));
        assert!(matches!(decode(true, &masked(0xc1, &[0xff; 9])), Err(ProtocolError::Malformed(_))));
    }

    #[test]
    fn what_the_rfc_forbids_is_refused_with_its_code() {
        let wrong: [(Vec<u8>, u16); 18] = [
            (masked(0xc1, b"deflated although not agreed"), 1002),
            (masked(0xa1, b""), 1002),
            (masked(0x83, b""), 1002),
            (masked(0x8b, b""), 1002),
            (vec![0x81, 0x05, b'H', b'e', b'l', b'l', b'o'], 1002),
            (masked(0x80, b"of nothing"), 1002),
            ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), 1002),
            (masked(0x09, b"a ping in parts"), 1002),
            (masked(0x89, &[0; 126]), 1002),
            ([&[0x81, 0xfe, 0, 125][..], &[0; 129]].concat(), 1002),
            ([&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 0][..], &[0; 260]].concat(), 1002),
            (masked(0x88, &[3]), 1002),
            (masked(0x88, &1005_u16.to_be_bytes()), 1002),
            (masked(0x88, &[3, 232, 0xff]), 1007),
            (masked(0x81, &[0xc3, 0x28]), 1007),
            (masked(0x81, &[b'x'; 1001]), 1009),
            ([masked(0x01, &[b'x'; 900]), masked(0x00, &[b'x'; 101])].concat(), 1009),
            ([&[0x81, 0xff][..], &[0xff; 8], &[0; 4]].concat(), 1009),
        ];
        for (bytes, code) in wrong {
            assert_eq!(decode(false, &bytes).map_err(ProtocolError::close_code), Err(code), "{bytes:02x?}");
        }
        assert_eq!(decode(false, &masked(0x81, &[b'x'; 1000])).map(|messages| messages.len()), Ok(1));
    }
}
