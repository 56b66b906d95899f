//! SDP fragments of trickle ICE (RFC 8840), as WHIP and WHEP carry them in PATCH (RFC 9725 section 4.3).

use super::refusal::Refusal;
use crate::sfu::handle::IceRestarted;

/// What a client's fragment says. Candidates are not kept: the server is ICE-lite and learns addresses from checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// User fragment and password, when the fragment carries them.
    pub(crate) credentials: Option<(String, String)>,
}

/// Reads a fragment.
///
/// # Errors
/// `MalformedSdp` when a line is no `type=value`, or credentials are halved or break RFC 8839 section 5.4.
pub(crate) fn parse(text: &str) -> Result<Fragment, Refusal> {
    let malformed = |reason: &str| Refusal::MalformedSdp(reason.to_owned());
    let (mut ufrag, mut pwd) = (None, None);
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let is_line = line.len() >= 2 && line.as_bytes()[0].is_ascii_lowercase() && line.as_bytes()[1] == b'=';
        if !is_line {
            return Err(malformed("a line is not of the form type=value"));
        }
        if let Some(value) = line.strip_prefix("a=ice-ufrag:") {
            ufrag.get_or_insert(value);
        } else if let Some(value) = line.strip_prefix("a=ice-pwd:") {
            pwd.get_or_insert(value);
        }
    }
    match (ufrag, pwd) {
        (None, None) => Ok(Fragment { credentials: None }),
        (Some(ufrag), Some(pwd)) if is_ice_text(ufrag, 4) && is_ice_text(pwd, 22) => {
            Ok(Fragment { credentials: Some((ufrag.to_owned(), pwd.to_owned())) })
        }
        (Some(_), Some(_)) => Err(malformed("ice-ufrag has 4 to 256 and ice-pwd 22 to 256 of A-Z a-z 0-9 + /")),
        (Some(_), None) | (None, Some(_)) => Err(malformed("ice-ufrag and ice-pwd come together")),
    }
}

/// The client's user fragment in an offer: session level or the first m-line's.
pub(crate) fn offered_ufrag(offer: &str) -> String {
    let found = offer.lines().map(str::trim_end).find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    found.unwrap_or("").to_owned()
}

/// The answer to an ICE restart.
pub(crate) fn write(restarted: &IceRestarted) -> String {
    let mids = restarted.mids.iter().map(|mid| mid.as_str()).collect::<Vec<_>>().join(" ");
    let first = restarted.mids.first().map_or("0", |mid| mid.as_str());
    let mut text = format!("a=ice-lite\r\na=ice-options:trickle ice2\r\na=group:BUNDLE {mids}\r\n");
    // RFC 8840 section 9: the m-line is only there to carry the mid.
    text.push_str(&format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{first}\r\n"));
    text.push_str(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", restarted.ufrag, restarted.pwd));
    for candidate in &restarted.candidates {
        text.push_str(&format!("a={candidate}\r\n"));
    }
    text.push_str("a=end-of-candidates\r\n");
    text
}

fn is_ice_text(text: &str, min: usize) -> bool {
    (min..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::id::Mid;

    const PWD: &str = "P2uYro0UCOQ4zxjKXaWCBui1";

    #[test]
    fn reads_the_fragment_of_rfc_9725() {
        let text = format!(
            "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:{PWD}\r\n\
             a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\na=end-of-candidates\r\n"
        );
        assert_eq!(parse(&text), Ok(Fragment { credentials: Some(("EsAw".to_owned(), PWD.to_owned())) }));
        assert_eq!(parse("a=end-of-candidates\r\n"), Ok(Fragment::default()));
        assert_eq!(offered_ufrag("v=0\r\na=ice-ufrag:EsAw\r\n"), "EsAw");
    }

    #[test]
    fn refuses_what_is_no_fragment() {
        for text in ["hello", "a=ice-ufrag:EsAw\r\n", "a=ice-ufrag:E\r\na=ice-pwd:short\r\n", "{}", "a=ice-ufrag:a b!\r\na=ice-pwd:x\r\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_restart_is_answered_with_credentials_and_candidates() {
        let mid = |text: &str| Mid::new(text.as_bytes()).unwrap();
        let restarted = IceRestarted {
            ufrag: "ours".to_owned(),
            pwd: PWD.to_owned(),
            candidates: vec!["candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host".to_owned()],
            mids: vec![mid("a"), mid("b")],
        };
        let text = write(&restarted);
        assert!(text.contains("a=group:BUNDLE a b\r\n") && text.contains("a=mid:a\r\n") && text.contains("a=ice-ufrag:ours\r\n"));
        assert!(text.contains("a=candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host\r\n"));
        assert_eq!(parse(&text).unwrap().credentials.unwrap().0, "ours");
    }
}
