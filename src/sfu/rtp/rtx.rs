//! Retransmission payloads: the original sequence number in front of the original payload (RFC 4588 section 4).
//!
//! A retransmission travels on its own SSRC with its own sequence numbers; timestamp and marker are those of the original.

use super::seq::WireSeq;

/// Length of the original sequence number, bytes.
pub const OSN_LEN: usize = 2;

/// The original sequence number and payload. `None` for the padding-only packets that senders probe with on this SSRC.
pub fn unwrap(payload: &[u8]) -> Option<(WireSeq, &[u8])> {
    let (osn, original) = payload.split_first_chunk::<OSN_LEN>()?;
    (!original.is_empty()).then_some((WireSeq(u16::from_be_bytes(*osn)), original))
}

/// The bytes that go between the header and the original payload.
pub const fn osn_bytes(original: WireSeq) -> [u8; OSN_LEN] {
    original.0.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_what_was_wrapped() {
        let payload = [&osn_bytes(WireSeq(0xfffe))[..], b"media"].concat();
        assert_eq!(unwrap(&payload), Some((WireSeq(0xfffe), &b"media"[..])));
    }

    #[test]
    fn probes_and_fragments_carry_nothing() {
        for payload in [&[][..], &[1], &[1, 2]] {
            assert_eq!(unwrap(payload), None, "{payload:?}");
        }
    }
}
