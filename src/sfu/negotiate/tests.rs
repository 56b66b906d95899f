//! Real browsers' offers and the answers they get, kept as files in `tests/golden/sdp` (`UPDATE_GOLDEN=1` writes the answers anew), and
//! what is refused. The checker of an answer's form reads lines, it does not use the code that wrote them.

use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rtc_sdp::description::session::SessionDescription;

use super::*;
use crate::limits::{SDP_BYTES_MAX, SDP_MEDIA_MAX};
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::handle::{Permissions, SfuError};
use crate::sfu::rtp::extensions::ExtensionKind;
use crate::sfu::rtp::id::{Mid, Pt, Ssrc};
use crate::sfu::transport::{DtlsRole, Fingerprint, IceCredentials, SrtpProfile};

const PUBLISHER: Permissions = Permissions { publish: true, view: false };
const VIEWER: Permissions = Permissions { publish: false, view: true };
const GUEST: Permissions = Permissions { publish: true, view: true };

/// Every golden offer and what its client may do.
const GOLDEN: [(&str, Permissions); 7] = [
    ("chromium-publish-simulcast", PUBLISHER),
    ("chromium-publish-h264", PUBLISHER),
    ("chromium-view", VIEWER),
    ("firefox-publish", PUBLISHER),
    ("firefox-view", VIEWER),
    ("safari-publish", PUBLISHER),
    ("safari-view", VIEWER),
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sdp").join(name)
}

fn golden_offer(name: &str) -> String {
    std::fs::read_to_string(path(&format!("{name}.sdp"))).unwrap()
}

fn answer_with(text: &str, permissions: Permissions, previous: &[NegotiatedMedia], first_ssrc: u32) -> Result<Negotiated, SfuError> {
    let local = IceCredentials { ufrag: "ourufrag".into(), pwd: "our-password-of-24-chars".replace('-', "+") };
    let fingerprint = Fingerprint::of_certificate(b"certificate");
    let candidates = ["candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host".to_owned()];
    let offer = Offer::parse(text)?;
    let policy = AnswerPolicy {
        local: &local,
        fingerprint: &fingerprint,
        role: offer.dtls_role(),
        candidates: &candidates,
        permissions,
        down_slots_max: 6,
        session_id: 42,
        session_version: 1,
        previous,
    };
    let mut next = first_ssrc;
    negotiate(&offer, &policy, &mut || {
        next += 1;
        Ssrc(next)
    })
}

fn answer(text: &str, permissions: Permissions) -> Result<Negotiated, SfuError> {
    answer_with(text, permissions, &[], 1000)
}

fn refusal(text: &str, permissions: Permissions) -> String {
    answer(text, permissions).unwrap_err().to_string()
}

/// An answer's sections: the session's lines and each m-line's.
fn sections(sdp: &str) -> Vec<Vec<&str>> {
    let mut sections = vec![Vec::new()];
    for line in sdp.split_terminator("\r\n") {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        sections.last_mut().unwrap().push(line);
    }
    sections
}

/// What RFC 8829 section 5.3.1 and RFC 8843 ask of any answer.
fn check_form(offer: &str, negotiated: &Negotiated) {
    SessionDescription::unmarshal(&mut std::io::Cursor::new(negotiated.sdp.as_bytes())).unwrap();
    assert!(!negotiated.sdp.replace("\r\n", "").contains(['\r', '\n']));
    let sections = sections(&negotiated.sdp);
    assert!(sections[0].contains(&"a=ice-lite"));
    let offered: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(sections.len() - 1, offered.len(), "an m-line for an m-line");
    let group = sections[0].iter().find_map(|line| line.strip_prefix("a=group:BUNDLE "));
    for ((section, offered), media) in sections[1..].iter().zip(&offered).zip(&negotiated.media) {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (section[0].split(' ').collect(), offered.split_whitespace().collect());
        assert_eq!((ours[0], ours[2]), (theirs[0], theirs[2]), "the same kind and protocol");
        assert!(ours[3..].iter().all(|format| theirs[3..].contains(format)), "no format that was not offered");
        assert!(section.contains(&format!("a=mid:{}", media.mid).as_str()));
        let bundled = group.is_none_or(|group| group.split(' ').any(|mid| mid == media.mid.as_str()));
        if ours[1] == "0" {
            assert!(matches!(media.role, MediaRole::Rejected { .. }) && (group.is_none() || !bundled));
            continue;
        }
        assert!(bundled);
        for needed in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 ", "a=candidate:"] {
            assert!(section.iter().any(|line| line.starts_with(needed)), "{needed} on each m-line");
        }
        for needed in ["a=setup:passive", "a=end-of-candidates", "a=rtcp-mux"] {
            assert!(section.contains(&needed), "{needed} on each m-line");
        }
        let direction = match media.role {
            MediaRole::Up => "a=recvonly",
            MediaRole::Down { .. } => "a=sendonly",
            MediaRole::Inactive => "a=inactive",
            MediaRole::Rejected { .. } => unreachable!("its port is 0"),
        };
        assert!(section.contains(&direction));
        for format in &ours[3..] {
            assert!(section.iter().any(|line| line.starts_with(&format!("a=rtpmap:{format} "))), "{format} has an rtpmap");
        }
    }
}

#[test]
fn golden_offers_get_golden_answers() {
    for (name, permissions) in GOLDEN {
        let offer = golden_offer(name);
        let negotiated = answer(&offer, permissions).unwrap_or_else(|error| panic!("{name}: {error}"));
        check_form(&offer, &negotiated);
        let file = path(&format!("{name}.answer.sdp"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &negotiated.sdp).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(negotiated.sdp, golden, "{name}: UPDATE_GOLDEN=1 cargo test --lib negotiate writes the answers anew");
    }
}

fn media(negotiated: &Negotiated, kind: MediaKind) -> &NegotiatedMedia {
    negotiated.media.iter().find(|media| media.kind == Some(kind)).unwrap()
}

#[test]
fn a_chromium_publisher_sends_three_layers_and_hears_transport_cc_alone() {
    let negotiated = answer(&golden_offer("chromium-publish-simulcast"), PUBLISHER).unwrap();
    let video = media(&negotiated, MediaKind::Video);
    assert_eq!(video.role, MediaRole::Up);
    assert_eq!(negotiated.sdp.matches("a=rtcp-rsize").count(), golden_offer("chromium-publish-simulcast").matches("a=rtcp-rsize").count());
    assert_eq!(video.rids.iter().map(|rid| rid.as_str()).collect::<Vec<_>>(), ["l", "m", "h"]);
    assert!(negotiated.sdp.contains("a=rid:l recv\r\na=rid:m recv\r\na=rid:h recv\r\na=simulcast:recv l;m;h\r\n"));
    assert_eq!(video.feedback, Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: false });
    assert_eq!(video.extensions.id_of(ExtensionKind::RepairedRid), Some(11));
    assert_eq!(
        video.codecs[0],
        NegotiatedCodec { codec: Codec::Vp8, pt: Pt(96), rtx_pt: Some(Pt(97)), red_pt: None, profile: NegotiatedProfile::Unspecified }
    );
    for codec in Codec::ALL {
        let known = negotiated.media.iter().flat_map(|media| &media.codecs).any(|negotiated| negotiated.codec == codec);
        assert!(known, "{codec:?}");
    }
    let opus = media(&negotiated, MediaKind::Audio).codecs[0];
    assert!(matches!(opus.profile, NegotiatedProfile::Opus { in_band_fec: true, .. }));
}

#[test]
fn both_packetization_modes_of_h264_are_told_apart() {
    let negotiated = answer(&golden_offer("chromium-publish-h264"), PUBLISHER).unwrap();
    let modes: Vec<(u8, u8)> = media(&negotiated, MediaKind::Video)
        .codecs
        .iter()
        .filter_map(|codec| match codec.profile {
            NegotiatedProfile::H264 { profile_level_id, packetization_mode } => Some((profile_level_id[0], packetization_mode)),
            _ => None,
        })
        .collect();
    assert!(modes.contains(&(0x42, 0)) && modes.contains(&(0x42, 1)), "{modes:?}");
}

#[test]
fn a_firefox_publisher_announces_its_streams_in_pairs() {
    let negotiated = answer(&golden_offer("firefox-publish"), PUBLISHER).unwrap();
    let video = media(&negotiated, MediaKind::Video);
    assert_eq!((video.rids.len(), video.ssrcs.len()), (3, 3));
    assert!(video.ssrcs.iter().all(|(_, rtx)| rtx.is_some()));
    assert!(negotiated.sdp.contains("a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"));
    assert_eq!(video.extensions.id_of(ExtensionKind::PlayoutDelay), None, "it only receives that one");
    let audio = media(&negotiated, MediaKind::Audio);
    assert!(matches!(audio.codecs[0].profile, NegotiatedProfile::Opus { stereo: true, .. }));
}

#[test]
fn a_viewer_gets_streams_that_belong_together() {
    for (name, fec_ssrc, sound) in [("chromium-view", Some(Ssrc(1003)), Ssrc(1004)), ("firefox-view", None, Ssrc(1003))] {
        let negotiated = answer(&golden_offer(name), VIEWER).unwrap();
        let [video, audio] = [MediaKind::Video, MediaKind::Audio].map(|kind| media(&negotiated, kind));
        assert_eq!(video.role, MediaRole::Down { ssrc: Ssrc(1001), rtx_ssrc: Some(Ssrc(1002)), fec_ssrc }, "{name}");
        assert_eq!(audio.role, MediaRole::Down { ssrc: sound, rtx_ssrc: None, fec_ssrc: None }, "{name}");
        assert_eq!(negotiated.sdp.contains("a=ssrc-group:FEC-FR 1001 1003\r\n"), fec_ssrc.is_some(), "{name}");
        assert!(video.feedback.remb && video.feedback.transport_cc, "{name}");
        assert!(negotiated.sdp.contains("a=ssrc-group:FID 1001 1002\r\n"), "{name}");
        let streams: Vec<&str> = negotiated.sdp.lines().filter_map(|line| line.strip_prefix("a=msid:")?.split(' ').next()).collect();
        assert!(streams.len() == 2 && streams[0] == streams[1], "{name}: one stream, so that sound and picture stay in step");
    }
}

#[test]
fn a_match_and_its_guest_are_kept_in_step_and_no_voice_waits_for_somebody_elses_face() {
    let offer = golden_offer("chromium-view");
    let (session, lines) = offer.split_at(offer.find("\r\nm=").expect("it has media") + 2);
    let again = |times: usize| {
        let mids = (0..2 * times).map(|mid| format!(" {mid}")).collect::<String>();
        let session = session.replace("a=group:BUNDLE 0 1", &format!("a=group:BUNDLE{mids}"));
        let media = (0..times)
            .map(|at| lines.replace("a=mid:0\r", &format!("a=mid:{}\r", 2 * at)).replace("a=mid:1\r", &format!("a=mid:{}\r", 2 * at + 1)));
        session + &media.collect::<String>()
    };
    let negotiated = answer(&again(3), VIEWER).unwrap();
    let streams: Vec<&str> = negotiated.sdp.lines().filter_map(|line| line.strip_prefix("a=msid:")?.split(' ').next()).collect();
    assert_eq!(streams.len(), 6);
    for (pair, both) in streams.chunks(2).enumerate() {
        assert_eq!(both[0] == both[1], pair < 2, "{streams:?}");
        assert_eq!(streams.iter().filter(|other| both.contains(other)).count(), 2, "nobody else's: {streams:?}");
    }
}

#[test]
fn what_a_client_may_decides_its_roles() {
    let roles = |text: &str, permissions| answer(text, permissions).map(|negotiated| negotiated.media[0].role);
    let both = golden_offer("chromium-view").replace("a=recvonly", "a=sendrecv");
    assert_eq!(roles(&both, GUEST).unwrap(), MediaRole::Up);
    assert!(matches!(roles(&both, VIEWER).unwrap(), MediaRole::Down { .. }));
    assert!(refusal(&golden_offer("chromium-publish-h264"), VIEWER).contains("mid 0: this client may not publish"));
    assert!(refusal(&golden_offer("chromium-view"), PUBLISHER).contains("mid 1: this client may not view"));
    let still = golden_offer("chromium-view").replace("a=recvonly", "a=inactive");
    assert_eq!(roles(&still, VIEWER).unwrap(), MediaRole::Inactive);
}

#[test]
fn a_further_answer_keeps_the_ssrcs_of_a_down_track() {
    let offer = golden_offer("chromium-view");
    let first = answer(&offer, VIEWER).unwrap();
    let second = answer_with(&offer, VIEWER, &first.media, 9000).unwrap();
    assert_eq!(first.media, second.media);
}

/// A small offer: each line a kind, mid and direction.
fn small_offer(media: &[(&str, &str, &str)]) -> String {
    let mids: Vec<&str> = media.iter().map(|(_, mid, _)| *mid).collect();
    let mut text = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    for (kind, mid, direction) in media {
        let (protocol, format, map) = match *kind {
            "audio" => ("UDP/TLS/RTP/SAVPF", "111", "a=rtpmap:111 opus/48000/2\r\n"),
            "video" => ("UDP/TLS/RTP/SAVPF", "96", "a=rtpmap:96 VP8/90000\r\n"),
            _ => ("UDP/DTLS/SCTP", "webrtc-datachannel", "a=sctp-port:5000\r\n"),
        };
        text.push_str(&format!(
            "m={kind} 9 {protocol} {format}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
             a=fingerprint:{}\r\na=setup:actpass\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n{map}",
            Fingerprint::of_certificate(b"client")
        ));
    }
    text
}

const PAIR: [(&str, &str, &str); 2] = [("video", "0", "recvonly"), ("audio", "1", "recvonly")];

#[test]
fn what_cannot_be_served_is_rejected_in_its_place() {
    let offer = small_offer(&[("application", "d", "sendrecv"), ("video", "v", "recvonly"), ("audio", "a", "sendonly")]);
    let negotiated = answer(&offer, VIEWER).unwrap();
    check_form(&offer, &negotiated);
    let rejected: Vec<bool> = negotiated.media.iter().map(|media| matches!(media.role, MediaRole::Rejected { .. })).collect();
    assert_eq!(rejected, [true, false, true]);
    assert!(negotiated.sdp.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(negotiated.sdp.contains("a=group:BUNDLE v\r\n"));
    assert_eq!(negotiated.media[2].mid, Mid::new(b"a").unwrap());
}

#[test]
fn m_lines_out_of_use_and_outside_of_the_bundle_are_rejected() {
    let off = small_offer(&PAIR).replacen("m=video 9", "m=video 0", 1);
    let negotiated = answer(&off, VIEWER).unwrap();
    check_form(&off, &negotiated);
    assert_eq!(negotiated.media[0].role, MediaRole::Rejected { reason: "switched off by the offer" });
    let waiting = small_offer(&PAIR).replacen("m=video 9", "m=video 0", 1).replacen("a=mid:0", "a=bundle-only\r\na=mid:0", 1);
    assert!(matches!(answer(&waiting, VIEWER).unwrap().media[0].role, MediaRole::Down { .. }));
    let outside = small_offer(&PAIR).replace("BUNDLE 0 1", "BUNDLE 1");
    let negotiated = answer(&outside, VIEWER).unwrap();
    check_form(&outside, &negotiated);
    assert_eq!(negotiated.media[0].role, MediaRole::Rejected { reason: "outside of the BUNDLE group" });
}

#[test]
fn down_slots_beyond_the_bound_are_rejected() {
    let mids = ["0", "1", "2", "3", "4", "5", "6", "7"];
    let offer = small_offer(&mids.map(|mid| ("video", mid, "recvonly")));
    let negotiated = answer(&offer, VIEWER).unwrap();
    check_form(&offer, &negotiated);
    assert_eq!(negotiated.media.iter().filter(|media| matches!(media.role, MediaRole::Down { .. })).count(), 6);
}

#[test]
fn offers_that_lack_what_every_peer_needs_are_refused_in_words() {
    let good = small_offer(&PAIR);
    assert!(answer(&good, VIEWER).is_ok());
    let without = |line: &str| good.lines().filter(|l| !l.starts_with(line)).collect::<Vec<_>>().join("\r\n") + "\r\n";
    let cases: [(String, bool, &str); 13] = [
        (without("a=rtcp-mux"), true, "rtcp-mux"),
        (without("a=group"), true, "BUNDLE"),
        (without("a=fingerprint"), true, "fingerprint"),
        (without("a=ice-ufrag"), false, "ice-ufrag"),
        (without("a=ice-pwd"), false, "ice-pwd"),
        (without("a=setup"), false, "setup"),
        (without("a=mid"), false, "mid"),
        (good[..good.find("m=").unwrap()].to_owned(), false, "m-line"),
        (good.replace("a=mid:1", "a=mid:0"), false, "used twice"),
        (good.replace("VP8", "H261").replace("opus", "PCMU"), true, "no codec in common"),
        (good.replace("sha-256", "sha-1"), false, "fingerprint"),
        (good.replace("a=mid:1", "a=mid:1\ra=mid:2"), false, "control character"),
        ("hello".into(), false, "malformed"),
    ];
    for (text, unacceptable, word) in cases {
        let error = answer(&text, VIEWER).unwrap_err();
        assert_eq!(matches!(error, SfuError::Unacceptable { .. }), unacceptable, "{word}: {error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(answer(&good.replace("actpass", "active"), VIEWER).is_ok());
}

#[test]
fn a_client_that_waits_is_opened_to_and_may_ask_for_gcm_alone() {
    let good = small_offer(&PAIR);
    let waits = good.replace("actpass", "passive");
    let answered = answer(&waits, VIEWER).unwrap().sdp;
    assert!(answered.contains("a=setup:active\r\n") && !answered.contains("a=setup:passive"));
    assert!(answer(&good, VIEWER).unwrap().sdp.contains("a=setup:passive\r\n"));
    let both = [SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80];
    for (names, profiles) in [
        ("", &both[..]),
        ("a=x-srtp-profiles:SRTP_AES128_CM_HMAC_SHA1_80\r\n", &both[..]),
        ("a=x-srtp-profiles:SRTP_AES128_CM_HMAC_SHA1_80 SRTP_AEAD_AES_128_GCM\r\n", &both[..1]),
    ] {
        let offer = Offer::parse(&waits.replace("a=setup:passive\r\n", &format!("a=setup:passive\r\n{names}"))).unwrap();
        assert_eq!((offer.dtls_role(), offer.srtp_profiles().as_slice()), (DtlsRole::Active, profiles));
    }
}

#[test]
fn an_offer_without_end_is_refused() {
    let names: Vec<String> = (0..100).map(|mid| mid.to_string()).collect();
    let many: Vec<_> = names.iter().map(|mid| ("video", mid.as_str(), "recvonly")).collect();
    assert!(refusal(&small_offer(&many), VIEWER).contains(&format!("more than {SDP_MEDIA_MAX}")));
    let long = small_offer(&PAIR) + &"a=x\r\n".repeat(SDP_BYTES_MAX / 5);
    assert!(refusal(&long, VIEWER).contains(&format!("more than {SDP_BYTES_MAX}")));
    let bushy = small_offer(&PAIR) + &"a=x\r\n".repeat(5000);
    assert!(refusal(&bushy, VIEWER).contains("attributes"));
}

#[test]
fn a_changed_offer_never_panics_and_never_makes_a_wrong_answer() {
    let tokens = [
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:0",
        "a=rid:x send",
        "a=simulcast:send ;;,~",
        "a=extmap:300/x y",
        "a=extmap:15 ",
        "a=fmtp:96 profile-level-id=zz",
        "a=rtpmap:96 H264/90000",
        "a=ssrc-group:FID 1",
        "a=ssrc:x",
        "a=group:BUNDLE",
        "a=",
        "=",
        "é",
    ];
    for seed in 0..3000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (name, permissions) = GOLDEN[rng.random_range(0..GOLDEN.len())];
        let mut lines: Vec<String> = golden_offer(name).lines().map(str::to_owned).collect();
        for _ in 0..rng.random_range(1..8) {
            let at = rng.random_range(0..lines.len());
            match rng.random_range(0..5) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, tokens[rng.random_range(0..tokens.len())].to_owned()),
                2 => {
                    let other = rng.random_range(0..lines.len());
                    lines.swap(at, other);
                }
                3 => lines[at] = lines[at].chars().filter(|_| rng.random_bool(0.9)).collect(),
                _ => {
                    let line: Vec<char> = lines[at].chars().map(|c| if rng.random_bool(0.1) { rng.random() } else { c }).collect();
                    lines[at] = line.into_iter().collect();
                }
            }
        }
        let text = lines.join("\r\n") + "\r\n";
        let outcome = std::panic::catch_unwind(|| {
            if let Ok(negotiated) = answer(&text, permissions) {
                check_form(&text, &negotiated);
            }
        });
        assert!(outcome.is_ok(), "seed {seed} of {name}:\n{text}");
    }
}
