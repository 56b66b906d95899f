//! Body of the fuzz target for offers: any text is refused or answered, and what is answered is well-formed and answered again.

use rtc_sdp::description::session::SessionDescription;

use super::{AnswerPolicy, Negotiated, NegotiatedMedia, Offer, negotiate};
use crate::sfu::handle::{Permissions, SfuError};
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::transport::{Fingerprint, IceCredentials};

const ROLES: [Permissions; 3] =
    [Permissions { publish: true, view: false }, Permissions { publish: false, view: true }, Permissions { publish: true, view: true }];

/// Any bytes as an offer from each role: no panic; an answer has a line for each of the offer's m-lines and no line of the client's making.
pub fn fuzz_offer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(offer) = Offer::parse(&text) else { return };
    for permissions in ROLES {
        let Ok(answer) = answer(&offer, permissions, &[]) else { continue };
        assert_eq!(answer.media.len(), offer.media.len());
        assert_eq!(answer.sdp.lines().filter(|line| line.starts_with("m=")).count(), offer.media.len());
        for line in answer.sdp.strip_suffix("\r\n").expect("lines end").split("\r\n") {
            let (kind, _) = line.split_once('=').expect("every line is type=value");
            assert!(kind.len() == 1 && !line.contains(['\r', '\n', '\0']), "{line:?}");
        }
        SessionDescription::unmarshal(&mut std::io::Cursor::new(&answer.sdp)).expect("an independent parser reads the answer");
        let again = self::answer(&offer, permissions, &answer.media).expect("what was agreed can be agreed again");
        assert_eq!(again.media.len(), answer.media.len());
    }
}

fn answer(offer: &Offer, permissions: Permissions, previous: &[NegotiatedMedia]) -> Result<Negotiated, SfuError> {
    let candidates = ["candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host".to_owned()];
    let policy = AnswerPolicy {
        local: &IceCredentials { ufrag: "ourufrag".to_owned(), pwd: "our+password+of+24+chars".to_owned() },
        fingerprint: &Fingerprint::of_certificate(b"certificate"),
        role: offer.dtls_role(),
        candidates: &candidates,
        permissions,
        down_slots_max: 4,
        session_id: 42,
        session_version: 1,
        previous,
    };
    let mut next = 1000;
    negotiate(offer, &policy, &mut || {
        next += 1;
        Ssrc(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::rtp::mutate::bombard;

    #[test]
    fn hostile_offers_are_refused_or_answered() {
        let offer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
                     c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\na=mid:v\r\n\
                     a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n\
                     a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n\
                     a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rid:h send\r\na=rid:l send\r\na=simulcast:send l;h\r\na=sendrecv\r\n";
        assert!(Offer::parse(offer).is_ok());
        bombard(&[offer.as_bytes().to_vec()], fuzz_offer);
    }
}
