//! Datagrams on a byte stream: two bytes of length before each (RFC 4571, as ICE-TCP uses it, RFC 6544 section 3). Pure.

use bytes::{BufMut, Bytes, BytesMut};

use crate::limits;

/// A length that no datagram of a WebRTC client has: whoever it is speaks something else (`GE` of `GET` is 18,245).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameTooLong;

/// What `contents`, datagrams of `segment` bytes each (the last may be shorter), takes as frames, bytes.
pub(super) const fn framed_len(segment: usize, contents: usize) -> usize {
    contents + 2 * contents.div_ceil(segment)
}

/// Appends `contents`, datagrams of `segment` bytes each (the last may be shorter), as frames. Datagrams have at most 65,535 bytes.
pub(super) fn write_frames(segment: usize, contents: &[u8], out: &mut BytesMut) {
    for datagram in contents.chunks(segment) {
        out.put_u16(datagram.len() as u16);
        out.put_slice(datagram);
    }
}

/// Cuts a stream into whole frames; keeps the beginning of the one that is not.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    partial: BytesMut,
}

impl Deframer {
    /// Takes what was read and returns the frames that are whole by now, for [`datagrams`]; empty when there are none. At most one frame of
    /// `limits::TCP_FRAME_BYTES_MAX` is kept for later.
    ///
    /// # Errors
    /// A frame says that it is longer. The stream cannot be understood from there on.
    pub(super) fn push(&mut self, read: &[u8]) -> Result<Bytes, FrameTooLong> {
        self.partial.extend_from_slice(read);
        let mut end = 0;
        while let Some(length) = length_at(&self.partial[end..]) {
            if length > limits::TCP_FRAME_BYTES_MAX {
                return Err(FrameTooLong);
            }
            if self.partial.len() < end + 2 + length {
                break;
            }
            end += 2 + length;
        }
        let whole = self.partial.split_to(end).freeze();
        if self.partial.is_empty() {
            // An idle connection keeps no buffer.
            self.partial = BytesMut::new();
        }
        Ok(whole)
    }
}

/// The datagrams of whole frames. Empty frames (keep-alives, RFC 4571 section 2) are passed over.
pub(super) fn datagrams(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (datagram, rest) = frames.get(2..)?.split_at_checked(length_at(frames)?)?;
        frames = rest;
        Some(datagram)
    })
    .filter(|datagram| !datagram.is_empty())
}

fn length_at(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(datagrams: &[&[u8]]) -> BytesMut {
        let mut stream = BytesMut::new();
        datagrams.iter().for_each(|datagram| write_frames(datagram.len().max(1), datagram, &mut stream));
        stream
    }

    #[test]
    fn a_burst_is_cut_into_frames_of_a_segment_and_a_shorter_last_one() {
        let mut stream = BytesMut::new();
        write_frames(3, b"aaabbbc", &mut stream);
        assert_eq!(&stream[..], b"\0\x03aaa\0\x03bbb\0\x01c");
        assert_eq!(stream.len(), framed_len(3, 7));
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let longest = vec![7; limits::TCP_FRAME_BYTES_MAX];
        let sent: [&[u8]; 4] = [b"one", &longest, b"3", &[9; 1200]];
        let stream = framed(&sent);
        for cut in [1, 2, 3, 5, 1000, 4099, stream.len()] {
            let mut deframer = Deframer::default();
            let mut received = Vec::new();
            for piece in stream.chunks(cut) {
                received.extend(datagrams(&deframer.push(piece).unwrap()).map(<[u8]>::to_vec));
                assert!(deframer.partial.len() < 2 + limits::TCP_FRAME_BYTES_MAX);
            }
            assert_eq!(received, sent, "cut every {cut} bytes");
            assert!(deframer.partial.is_empty());
        }
    }

    #[test]
    fn an_empty_frame_is_a_sign_of_life_and_no_datagram() {
        let whole = Deframer::default().push(b"\0\0\0\x01x\0\0").unwrap();
        assert_eq!(datagrams(&whole).collect::<Vec<_>>(), [b"x"]);
    }

    #[test]
    fn who_speaks_something_else_is_found_out_with_the_first_two_bytes() {
        for start in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01", b"SSH-2.0", &[0x10, 0x01]] {
            assert_eq!(Deframer::default().push(start), Err(FrameTooLong), "{start:?}");
        }
        let mut deframer = Deframer::default();
        assert_eq!(deframer.push(b"\x10"), Ok(Bytes::new()));
        assert_eq!(deframer.push(b"\x01"), Err(FrameTooLong));
    }
}
