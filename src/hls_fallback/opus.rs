//! Of Opus (RFC 6716): how long a packet lasts, and packets that are silent. Pure.

use bytes::Bytes;

/// Ticks of a millisecond: the RTP clock of Opus (RFC 7587 section 4.1).
pub(super) const PER_MS: i64 = 48;
/// A packet that does not say how long it is: 20 ms, as browsers send.
pub(super) const USUAL: i64 = 20 * PER_MS;
/// The longest packet (RFC 6716 section 3.2.5).
const TICKS_MAX: i64 = 120 * PER_MS;
/// Silence of one CELT frame behind its first byte.
const SILENT: [u8; 2] = [0xff, 0xfe];
/// Lengths of silence, longest first, with the first byte of a packet of that length: full band, mono, one frame (RFC 6716 section 3.1).
const SILENCES: [(i64, u8); 4] = [(20 * PER_MS, 31 << 3), (10 * PER_MS, 30 << 3), (5 * PER_MS, 29 << 3), (SILENCE_MIN, 28 << 3)];
/// Shorter silence there is not: 2.5 ms.
pub(super) const SILENCE_MIN: i64 = PER_MS * 5 / 2;

/// How long a packet lasts. `None`: it has no sound in it (RFC 6716 section 3.2.1: nothing, or a first byte that stands alone where the sender
/// is silent), or it is none.
pub(super) fn ticks(packet: &[u8]) -> Option<i64> {
    let [toc, rest @ ..] = packet else { return None };
    let (config, code) = (toc >> 3, toc & 3);
    let tenths_ms = match config {
        0..12 => [100, 200, 400, 600][usize::from(config & 3)],
        12..16 => [100, 200][usize::from(config & 1)],
        _ => [25, 50, 100, 200][usize::from(config & 3)],
    };
    let frames = match code {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(rest.first()? & 0x3f),
    };
    let ticks = frames * tenths_ms * PER_MS / 10;
    (!rest.is_empty() && (1..=TICKS_MAX).contains(&ticks)).then_some(ticks)
}

/// The longest silence of at most so many ticks, and how long it is. `None`: there is none so short.
pub(super) fn silence(ticks_max: i64) -> Option<(i64, Bytes)> {
    let (ticks, toc) = SILENCES.into_iter().find(|(ticks, _)| *ticks <= ticks_max)?;
    Some((ticks, Bytes::from([&[toc][..], &SILENT].concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_how_long_it_is() {
        let rows: [(&[u8], Option<i64>); 10] = [
            (&[0xfc, 1, 2], Some(960)),
            (&[0x78, 1, 2], Some(960)),
            (&[0xe0, 1], Some(120)),
            (&[0x18, 1], Some(2880)),
            (&[0xf9, 1, 2], Some(1920)),
            (&[0xfb, 0x03, 1, 2, 3], Some(2880)),
            // Seven frames of 20 ms are more than there may be.
            (&[0xfb, 0x07, 1], None),
            (&[0xfb, 0x00], None),
            (&[0xf8], None),
            (&[], None),
        ];
        for (packet, expected) in rows {
            assert_eq!(ticks(packet), expected, "{packet:?}");
        }
    }

    #[test]
    fn silence_is_as_long_as_it_says() {
        for (most, expected) in [(5000, Some(960)), (959, Some(480)), (479, Some(240)), (239, Some(120)), (119, None), (-5, None)] {
            let made = silence(most);
            assert_eq!(made.as_ref().map(|(length, _)| *length), expected);
            if let Some((length, packet)) = made {
                assert_eq!(ticks(&packet), Some(length));
            }
        }
    }
}
