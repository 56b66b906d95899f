//! Ogg pages to Opus packets (RFC 3533, RFC 7845). Reads one logical stream that our own encoder wrote; checks structure, not CRCs.
//! Invariant: a packet is returned whole or the reader says where the file broke.

use bytes::{Bytes, BytesMut};

/// Why a file is not what the encoder should have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OggError {
    #[error("no Ogg page at byte {0}")]
    NoPage(usize),
    #[error("the page at byte {0} is cut off")]
    Truncated(usize),
    #[error("the stream does not begin with OpusHead and OpusTags")]
    NotOpus,
}

const HEADER: usize = 27;

/// The audio packets of an Ogg Opus file, in order, headers left out.
pub(crate) fn packets(file: &Bytes) -> Result<Vec<Bytes>, OggError> {
    let mut out = Vec::new();
    let mut partial = BytesMut::new();
    let mut at = 0;
    while at < file.len() {
        if !file[at..].starts_with(b"OggS") {
            return Err(OggError::NoPage(at));
        }
        let count = usize::from(*file.get(at + HEADER - 1).ok_or(OggError::Truncated(at))?);
        let table = file.get(at + HEADER..at + HEADER + count).ok_or(OggError::Truncated(at))?;
        let mut from = at + HEADER + count;
        for &lace in table {
            let to = from + usize::from(lace);
            partial.extend_from_slice(file.get(from..to).ok_or(OggError::Truncated(at))?);
            from = to;
            // A lacing value of 255 says that the packet goes on.
            if lace < 255 {
                out.push(partial.split().freeze());
            }
        }
        at = from;
    }
    let headers = out.len() >= 2 && out[0].starts_with(b"OpusHead") && out[1].starts_with(b"OpusTags");
    if !headers {
        return Err(OggError::NotOpus);
    }
    out.drain(..2);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(laces: &[u8], body: &[u8]) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.extend([0; 22]);
        page.push(laces.len() as u8);
        page.extend(laces);
        page.extend(body);
        page
    }

    fn file() -> Vec<u8> {
        let mut file = page(&[8], b"OpusHead");
        file.extend(page(&[8], b"OpusTags"));
        file.extend(page(&[3, 255], &[[1; 3].to_vec(), vec![2; 255]].concat()));
        file.extend(page(&[5, 1], &[2, 2, 2, 2, 2, 3]));
        file
    }

    #[test]
    fn packets_go_on_across_pages() {
        let packets = packets(&file().into()).expect("a sound file");
        assert_eq!(packets.iter().map(Bytes::len).collect::<Vec<_>>(), [3, 260, 1]);
    }

    #[test]
    fn a_cut_off_file_is_refused() {
        let mut file = file();
        file.truncate(file.len() - 2);
        assert!(matches!(packets(&file.into()), Err(OggError::Truncated(_))));
        assert_eq!(packets(&Bytes::from_static(b"RIFF")), Err(OggError::NoPage(0)));
    }
}
