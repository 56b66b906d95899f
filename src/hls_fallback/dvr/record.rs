//! One line of a recording's index: what was written, as JSON behind its checksum. Readable by people and by later versions.
//!
//! ```text
//! 5f1c20a7 {"k":"segment","r":"v1","n":1795230007,...}\n
//! ```
//! Invariant: a record is appended only once the bytes that it names are safe, so whatever the index lists can be read, unless it was deleted while
//! the index could not be written.

use serde::{Deserialize, Serialize};

use crate::sfu::codec::MediaKind;

/// Hexadecimal digits of a checksum, and the space behind them.
const HEAD: usize = 9;

/// What happened to a recording. Names are short because there are thousands of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub(super) enum Record {
    /// What is gone before the first record: written when the index is made anew.
    Base { slot: u64, discontinuities: u64 },
    /// A packager begins: its segment `first` is slot `slot`.
    Run { first: u64, slot: u64 },
    /// A rendition that was not there before.
    Rendition {
        #[serde(rename = "r")]
        name: String,
        kind: Kind,
    },
    /// An initialisation segment.
    Init(Init),
    /// A segment of one rendition.
    Segment(Written),
    /// A sheet of preview pictures; it takes the place of an earlier one with the same first picture, which is still had for a while.
    Sprite(Sprite),
    /// Slots before this one are gone.
    Trim { slot: u64 },
    /// Nothing comes any more. Wall clock, ms since the Unix epoch.
    End { at_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Video,
    Audio,
}

impl From<MediaKind> for Kind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Video => Self::Video,
            MediaKind::Audio => Self::Audio,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Init {
    #[serde(rename = "r")]
    pub(super) rendition: String,
    /// That of the first segment which needs it.
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// As `CODECS` has it.
    pub(super) codecs: String,
    /// Pixels, of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<(u16, u16)>,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(rename = "r")]
    pub(super) rendition: String,
    /// The packager's number, by which it is addressed.
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// Media time, ms since the Unix epoch.
    #[serde(rename = "at")]
    pub(super) media_ms: f64,
    #[serde(rename = "s")]
    pub(super) duration_s: f64,
    /// 0: a gap.
    pub(super) bytes: u64,
    /// Of the initialisation segment that it needs.
    pub(super) init: u64,
    /// Pictures a second; 0 of sound and gaps.
    #[serde(default, rename = "fps", skip_serializing_if = "is_zero")]
    pub(super) frames_per_second: f64,
    #[serde(default, rename = "d", skip_serializing_if = "std::ops::Not::not")]
    pub(super) discontinuity: bool,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sprite {
    /// Number of the first picture's segment; with the count of pictures it makes the name.
    #[serde(rename = "n")]
    pub(super) first: u64,
    /// Of one picture, pixels.
    pub(super) size: (u16, u16),
    /// Media time of each picture, ms since the Unix epoch, row by row.
    pub(super) at: Vec<f64>,
    pub(super) bytes: u64,
}

impl Sprite {
    /// Never another content under this name.
    pub(super) fn file(&self) -> String {
        format!("t{}-{}.jpg", self.first, self.at.len())
    }
}

/// A whole line.
pub(super) fn encode(record: &Record) -> String {
    let text = serde_json::to_string(record).expect("plain values with text keys always serialize");
    format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes()))
}

/// What a file's bytes say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    /// Lines in between that are not what was written.
    pub(super) damaged: usize,
    /// Up to here the file is whole; behind it is what a crash left.
    pub(super) good_len: usize,
}

/// Reads what it can: a torn tail is left out, a damaged line is passed over.
pub(super) fn decode(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let mut at = 0;
    let mut doubtful = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        match line.strip_suffix(b"\n").and_then(decode_line) {
            Some(record) => {
                read.records.push(record);
                read.good_len = at;
                read.damaged += std::mem::take(&mut doubtful);
            }
            None => doubtful += 1,
        }
    }
    read
}

fn decode_line(line: &[u8]) -> Option<Record> {
    let (head, text) = line.split_at_checked(HEAD)?;
    let sum = u32::from_str_radix(std::str::from_utf8(head).ok()?.strip_suffix(' ')?, 16).ok()?;
    if crc32fast::hash(text) != sum {
        return None;
    }
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Record> {
        vec![
            Record::Run { first: 7, slot: 7 },
            Record::Rendition { name: "v1".to_owned(), kind: Kind::Video },
            Record::Init(Init { rendition: "v1".into(), number: 7, codecs: "avc1.42e01f".into(), size: Some((1280, 720)), bytes: 700 }),
            Record::Segment(Written {
                rendition: "v1".into(),
                number: 7,
                media_ms: 1_795_230_000_250.125,
                duration_s: 2.0,
                bytes: 1 << 20,
                init: 7,
                frames_per_second: 30.0,
                discontinuity: true,
            }),
            Record::Sprite(Sprite { first: 7, size: (160, 90), at: vec![1.0, 2.5], bytes: 9 }),
            Record::Trim { slot: 8 },
            Record::End { at_ms: 5 },
        ]
    }

    fn file(records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(|record| encode(record).into_bytes()).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = file(&some());
        assert_eq!(decode(&bytes), Read { records: some(), damaged: 0, good_len: bytes.len() });
        assert_eq!(decode(b""), Read::default());
    }

    #[test]
    fn a_file_cut_anywhere_gives_every_whole_record_and_nothing_else() {
        let bytes = file(&some());
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        for cut in 0..bytes.len() {
            let read = decode(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.records, some()[..whole], "cut at {cut}");
            assert_eq!((read.good_len, read.damaged), (whole.checked_sub(1).map_or(0, |last| ends[last]), 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_byte_costs_its_record_alone() {
        let bytes = file(&some());
        let (mut start, mut lines) = (0, Vec::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            lines.push(start..start + line.len());
            start += line.len();
        }
        for at in 0..bytes.len() {
            let hit = lines.iter().position(|line| line.contains(&at)).expect("it is there");
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            let read = decode(&changed);
            // A line feed that is gone joins two lines, of which neither is right.
            let is_feed = bytes[at] == b'\n';
            for (index, record) in some().iter().enumerate() {
                let is_lost = index == hit || is_feed && index == hit + 1;
                // Hexadecimal digits are the same in both cases.
                let is_same_digit = at < lines[hit].start + HEAD - 1 && bytes[at].is_ascii_alphabetic();
                assert_eq!(read.records.contains(record), !is_lost || is_same_digit, "byte {at}, record {index}");
            }
        }
    }
}
