//! The SDP of a member's peer: the match and a guest from the first offer on, then what the member sends, faces and voices.

use crate::loadgen::sdp::{EXTENSION_LEVEL, LocalSide, RIDS, begin, line, offer_audio, offer_video};

const URI_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// M-lines of what a member sends.
pub(super) const OWN_VIDEO_MID: &[u8] = b"4";
pub(super) const OWN_AUDIO_MID: &[u8] = b"5";
pub(super) const FIRST_FACE_MID: &str = "6";
/// That a page receives (`web-client/src/call/call_media.ts`).
const FACES: usize = 4;
const VOICES: [usize; 3] = [4, 8, 11];

/// What a member sends.
pub(super) struct Own {
    /// Lowest layer first.
    pub(super) ssrcs: Vec<u32>,
    pub(super) audio_ssrc: u32,
}

/// An offer to watch; with `call`, what the member sends, and how many others there are, to take part.
pub(super) fn offer(local: &LocalSide, call: Option<(&Own, usize)>) -> String {
    let voices = |others| VOICES.into_iter().find(|voices| *voices >= others).unwrap_or(VOICES[VOICES.len() - 1]);
    let friends = call.map_or(0, |(_, others)| 2 + FACES + voices(others));
    let mids: Vec<String> = (0..4 + friends).map(|mid| mid.to_string()).collect();
    let mut sdp = begin(&mids.join(" "));
    let mut next = mids.iter();
    let mut mid = || next.next().map(String::as_str).unwrap_or_default();
    let receive_video = |sdp: &mut String, mid: &str| {
        offer_video(sdp, local, mid);
        line(sdp, "a=recvonly");
    };
    let receive_audio = |sdp: &mut String, mid: &str| {
        offer_audio(sdp, local, mid);
        line(sdp, &format!("a=extmap:{EXTENSION_LEVEL} {URI_LEVEL}\r\na=recvonly"));
    };
    for _ in 0..2 {
        receive_video(&mut sdp, mid());
        receive_audio(&mut sdp, mid());
    }
    if let Some((own, others)) = call {
        offer_video(&mut sdp, local, mid());
        let rids = &RIDS[..own.ssrcs.len()];
        line(&mut sdp, "a=sendonly\r\na=msid:member video");
        rids.iter().for_each(|rid| line(&mut sdp, &format!("a=rid:{rid} send")));
        line(&mut sdp, &format!("a=simulcast:send {}", rids.join(";")));
        offer_audio(&mut sdp, local, mid());
        line(&mut sdp, &format!("a=extmap:{EXTENSION_LEVEL} {URI_LEVEL}\r\na=sendonly\r\na=msid:member audio"));
        line(&mut sdp, &format!("a=ssrc:{} cname:member", own.audio_ssrc));
        (0..FACES).for_each(|_| receive_video(&mut sdp, mid()));
        (0..voices(others)).for_each(|_| receive_audio(&mut sdp, mid()));
    }
    sdp
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Picture,
    Sound,
}

/// An m-line on which the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) mid: String,
    pub(super) kind: Kind,
    pub(super) ssrc: u32,
    pub(super) rtx_ssrc: Option<u32>,
}

/// Those of an answer.
pub(super) fn received(answer: &str) -> Vec<Received> {
    answer.split("\r\nm=").skip(1).filter_map(section).collect()
}

fn section(text: &str) -> Option<Received> {
    let kind = match text.split(' ').next()? {
        "video" => Kind::Picture,
        "audio" => Kind::Sound,
        _ => return None,
    };
    let value = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix("a=")?.strip_prefix(name));
    value("sendonly")?;
    let mut group = value("ssrc-group:FID ").unwrap_or_default().split(' ').map_while(|ssrc| ssrc.parse().ok());
    let (ssrc, rtx_ssrc) = match group.next() {
        Some(ssrc) => (ssrc, group.next()),
        None => (value("ssrc:")?.split(' ').next()?.parse().ok()?, None),
    };
    Some(Received { mid: value("mid:")?.to_owned(), kind, ssrc, rtx_ssrc })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> LocalSide {
        LocalSide { ufrag: "ours".to_owned(), pwd: "ours+".to_owned(), fingerprint: "sha-256 CC".to_owned(), candidate: None }
    }

    #[test]
    fn an_offer_has_a_guest_from_the_start_and_in_a_call_as_many_voices_as_the_page() {
        let own = Own { ssrcs: vec![1, 2], audio_ssrc: 3 };
        let count = |sdp: &str, text: &str| sdp.matches(text).count();
        let watching = offer(&local(), None);
        assert_eq!((count(&watching, "m=video"), count(&watching, "m=audio"), count(&watching, "a=recvonly")), (2, 2, 4));
        for (others, voices) in [(1, 4), (5, 8), (11, 11)] {
            let sdp = offer(&local(), Some((&own, others)));
            assert_eq!((count(&sdp, "m=video"), count(&sdp, "m=audio"), count(&sdp, "a=recvonly")), (7, 3 + voices, 4 + FACES + voices));
            let sends: Vec<&str> = sdp.split("\r\nm=").filter(|section| section.contains("a=sendonly")).collect();
            assert!(sends[0].contains("a=mid:4\r\n") && sends[0].contains("a=simulcast:send l;m"), "{}", sends[0]);
            assert!(sends[1].contains("a=mid:5\r\n") && sends[1].contains(URI_LEVEL), "{}", sends[1]);
        }
    }

    #[test]
    fn what_is_sent_to_us_is_read_out_of_an_answer() {
        let answer = "v=0\r\na=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 102 103\r\na=mid:0\r\na=sendonly\r\na=ssrc-group:FID 7 8\r\n\
                      a=ssrc:7 cname:x\r\na=ssrc:8 cname:x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendonly\r\na=ssrc:9 cname:x\r\n\
                      m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:4\r\na=recvonly\r\nm=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:6\r\na=inactive\r\n";
        let line = |mid: &str, kind, ssrc, rtx_ssrc| Received { mid: mid.to_owned(), kind, ssrc, rtx_ssrc };
        assert_eq!(received(answer), [line("0", Kind::Picture, 7, Some(8)), line("1", Kind::Sound, 9, None)]);
    }
}
