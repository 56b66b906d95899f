//! permessage-deflate (RFC 7692) without context takeover in either direction: each message stands for itself, so that a deflated frame is the same
//! for everybody and a connection keeps no window, 40 KiB of it otherwise.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What a sync flush ends with, and what is left out on the wire (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Deflates one message.
pub(super) fn deflate(message: &[u8]) -> Vec<u8> {
    // Chat is short and repetitive: the fast level loses a twentieth of the size and is three times as quick.
    let mut compress = Compress::new(Compression::fast(), false);
    let mut packed = Vec::with_capacity(message.len() / 2 + 64);
    loop {
        let done = compress.total_in() as usize;
        // It fails for a wrong state only, which this cannot be in; a message cut short does not inflate, and the connection ends.
        if compress.compress_vec(&message[done..], &mut packed, FlushCompress::Sync).is_err() {
            return packed;
        }
        if compress.total_in() as usize == message.len() && packed.len() < packed.capacity() {
            break;
        }
        packed.reserve(packed.capacity());
    }
    if packed.ends_with(&TAIL) {
        packed.truncate(packed.len() - TAIL.len());
    }
    packed
}

/// A message that does not inflate, or to more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InflateError {
    Malformed,
    TooLarge,
}

/// Inflates one message, to at most `max` bytes. The window, 32 KiB, lives as long as this takes: browsers deflate all they say, and thousands of
/// them are mostly silent.
pub(super) fn inflate(packed: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
    let mut stream = Decompress::new(false);
    let mut message = Vec::with_capacity((packed.len() * 4).clamp(64, max.max(64)));
    for part in [packed, &TAIL] {
        let before = stream.total_in();
        loop {
            let done = (stream.total_in() - before) as usize;
            let (had, room) = (message.len(), message.capacity());
            let status = stream.decompress_vec(&part[done..], &mut message, FlushDecompress::Sync).map_err(|_| InflateError::Malformed)?;
            if message.len() > max {
                return Err(InflateError::TooLarge);
            }
            let is_read = (stream.total_in() - before) as usize == part.len();
            if status == Status::StreamEnd {
                // A final block ends the message, whatever follows (section 7.2.3.3).
                return Ok(message);
            }
            if is_read && message.len() < room {
                break;
            }
            if message.len() == room {
                message.reserve(room.clamp(64, max));
            } else if message.len() == had && !is_read && (stream.total_in() - before) as usize == done {
                return Err(InflateError::Malformed);
            }
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7692() {
        // Section 7.2.3.1 and 7.2.3.3: a compressed block, and one without compression.
        assert_eq!(inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 100).unwrap(), b"Hello");
        assert_eq!(inflate(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], 100).unwrap(), b"Hello");
        // Section 7.2.3.4: with the final bit set.
        assert_eq!(inflate(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], 100).unwrap(), b"Hello");
        assert_eq!(inflate(&[0x00], 100).unwrap(), b"");
    }

    #[test]
    fn what_is_deflated_inflates_to_itself() {
        for len in [0, 1, 100, 5_000, 200_000] {
            let text: Vec<u8> = (0..len).map(|at: usize| (at * at % 251) as u8).collect();
            assert_eq!(inflate(&deflate(&text), len).unwrap(), text, "{len} bytes");
        }
    }

    #[test]
    fn a_bomb_and_garbage_are_refused() {
        let bomb = deflate(&vec![b'x'; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert_eq!(inflate(&bomb, 65_536), Err(InflateError::TooLarge));
        assert_eq!(inflate(&[0xff; 40], 65_536), Err(InflateError::Malformed));
    }
}
