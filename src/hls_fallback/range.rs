//! Which bytes of a file a request is answered with: all, a range of them, or none because whoever asks has them already.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

/// What of a file is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    len: usize,
    /// `None`: whoever asks has it already.
    range: Option<Range>,
}

impl Plan {
    pub(super) fn new(len: usize, headers: &HeaderMap) -> Self {
        let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag(len).as_bytes());
        let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let range = (!is_known).then(|| asked.map_or(Range::All, |range| Range::parse(range, len)));
        Self { len, range }
    }

    /// The bytes that are sent, if any.
    pub(super) fn range(&self) -> Option<std::ops::Range<usize>> {
        match self.range {
            Some(Range::All) => Some(0..self.len),
            Some(Range::Some { first, last }) => Some(first..last + 1),
            Some(Range::Unsatisfiable) | None => None,
        }
    }

    /// Gives an answer with those bytes the status and the fields that say so.
    pub(super) fn dress(self, response: &mut Response) {
        let len = self.len;
        let (status, content_range) = match self.range {
            None => (StatusCode::NOT_MODIFIED, None),
            Some(Range::All) => (StatusCode::OK, None),
            Some(Range::Some { first, last }) => (StatusCode::PARTIAL_CONTENT, Some(format!("bytes {first}-{last}/{len}"))),
            Some(Range::Unsatisfiable) => (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{len}"))),
        };
        *response.status_mut() = status;
        let head = response.headers_mut();
        if let Some(range) = self.range() {
            head.insert(header::CONTENT_LENGTH, HeaderValue::from(range.len()));
        }
        if let Some(content_range) = content_range {
            head.insert(header::CONTENT_RANGE, HeaderValue::from_str(&content_range).expect("digits and plain ASCII"));
        }
        head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        head.insert(header::ETAG, HeaderValue::from_str(&etag(len)).expect("hexadecimal digits in quotes"));
    }
}

/// Its address never names other bytes, so its length tells them apart well enough from nothing.
fn etag(len: usize) -> String {
    format!("\"{len:x}\"")
}

/// One range of bytes (RFC 9110 section 14.1.2); several are answered with everything, as is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    All,
    Some { first: usize, last: usize },
    Unsatisfiable,
}

impl Range {
    fn parse(field: &str, len: usize) -> Self {
        let Some((first, last)) = field.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else { return Self::All };
        let (first, last) = (first.trim(), last.trim());
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if last < first => Self::All,
            (Ok(first), Ok(last)) if first < len => Self::Some { first, last: last.min(len - 1) },
            (Ok(first), Err(_)) if first < len && last.is_empty() => Self::Some { first, last: len - 1 },
            (Ok(first), Err(_)) if first < len => Self::All,
            (Ok(_), _) => Self::Unsatisfiable,
            (Err(_), Ok(0)) => Self::Unsatisfiable,
            (Err(_), Ok(suffix)) if first.is_empty() && len > 0 => Self::Some { first: len.saturating_sub(suffix), last: len - 1 },
            (Err(_), _) => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        let some = |first, last| Range::Some { first, last };
        for (field, range) in [
            ("bytes=0-3", some(0, 3)),
            ("bytes=8-99", some(8, 9)),
            ("bytes=4-", some(4, 9)),
            ("bytes=-4", some(6, 9)),
            ("bytes=-40", some(0, 9)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=3-1", Range::All),
            ("bytes=0-1,4-5", Range::All),
            ("lines=0-1", Range::All),
        ] {
            assert_eq!(Range::parse(field, 10), range, "{field}");
        }
    }
}
