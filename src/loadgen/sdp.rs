//! The least SDP that a server must understand: our offers, our answers to a server that offers, and what matters of theirs.

use std::net::SocketAddr;

pub(super) const VIDEO_PAYLOAD_TYPE: u8 = 102;
pub(super) const AUDIO_PAYLOAD_TYPE: u8 = 111;
/// Header extension ids of our offers.
pub(super) const EXTENSION_MID: u8 = 1;
pub(super) const EXTENSION_RID: u8 = 2;
pub(super) const EXTENSION_TWCC: u8 = 4;
pub(super) const EXTENSION_LEVEL: u8 = 5;
/// Layer names, lowest first.
pub(super) const RIDS: [&str; 3] = ["l", "m", "h"];

const URI_MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const URI_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const URI_TWCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// What of our side goes into a description.
pub(super) struct LocalSide {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    /// Value of `a=fingerprint`.
    pub(super) fingerprint: String,
    /// For servers that will not wait for our checks.
    pub(super) candidate: Option<SocketAddr>,
}

/// What of the server's description a connection needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteSide {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    pub(super) fingerprint: String,
    /// Of UDP, the most useful first; never empty.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) video: Video,
}

/// How the server numbers what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Video {
    pub(super) payload_type: u8,
    pub(super) rtx_payload_type: Option<u8>,
    pub(super) twcc_extension: Option<u8>,
}

/// Which way media flows.
pub(super) enum Direction {
    /// A viewer, perhaps with sound.
    Receive { audio: bool },
    /// A publisher with these SSRCs, lowest layer first; more than one are simulcast. Perhaps with sound.
    Send { ssrcs: Vec<u32>, audio_ssrc: Option<u32> },
}

/// An offer of one video m-line of H.264, and one of Opus when there is sound.
pub(super) fn offer(local: &LocalSide, direction: &Direction) -> String {
    let has_audio = match direction {
        Direction::Receive { audio } => *audio,
        Direction::Send { audio_ssrc, .. } => audio_ssrc.is_some(),
    };
    let mut sdp = begin(if has_audio { "0 1" } else { "0" });
    offer_video(&mut sdp, local, "0");
    match direction {
        Direction::Receive { .. } => line(&mut sdp, "a=recvonly"),
        Direction::Send { ssrcs, .. } => {
            line(&mut sdp, "a=sendonly\r\na=msid:load video");
            if ssrcs.len() > 1 {
                let rids = &RIDS[..ssrcs.len()];
                rids.iter().for_each(|rid| line(&mut sdp, &format!("a=rid:{rid} send")));
                line(&mut sdp, &format!("a=simulcast:send {}", rids.join(";")));
            } else {
                ssrcs.iter().for_each(|ssrc| line(&mut sdp, &format!("a=ssrc:{ssrc} cname:load")));
            }
        }
    }
    if has_audio {
        offer_audio(&mut sdp, local, "1");
        match direction {
            Direction::Receive { .. } => line(&mut sdp, "a=recvonly"),
            Direction::Send { audio_ssrc, .. } => {
                line(&mut sdp, "a=sendonly\r\na=msid:load audio");
                audio_ssrc.iter().for_each(|ssrc| line(&mut sdp, &format!("a=ssrc:{ssrc} cname:load")));
            }
        }
    }
    sdp
}

/// What an offer of m-lines with these mids begins with.
pub(super) fn begin(mids: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\na=extmap-allow-mixed\r\n")
}

/// An m-line of H.264, but for its direction.
pub(super) fn offer_video(sdp: &mut String, local: &LocalSide, mid: &str) {
    let pt = VIDEO_PAYLOAD_TYPE;
    let rtx = pt + 1;
    line(sdp, &format!("m=video 9 UDP/TLS/RTP/SAVPF {pt} {rtx}"));
    transport(sdp, local, mid);
    line(sdp, &format!("a=extmap:{EXTENSION_RID} {URI_RID}"));
    for text in [
        format!("a=rtpmap:{pt} H264/90000"),
        format!("a=rtcp-fb:{pt} nack"),
        format!("a=rtcp-fb:{pt} nack pli"),
        format!("a=rtcp-fb:{pt} ccm fir"),
        format!("a=rtcp-fb:{pt} transport-cc"),
        format!("a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        format!("a=rtpmap:{rtx} rtx/90000"),
        format!("a=fmtp:{rtx} apt={pt}"),
    ] {
        line(sdp, &text);
    }
}

/// An m-line of Opus, but for its direction.
pub(super) fn offer_audio(sdp: &mut String, local: &LocalSide, mid: &str) {
    line(sdp, &format!("m=audio 9 UDP/TLS/RTP/SAVPF {AUDIO_PAYLOAD_TYPE}"));
    transport(sdp, local, mid);
    line(sdp, &format!("a=rtpmap:{AUDIO_PAYLOAD_TYPE} opus/48000/2"));
    line(sdp, &format!("a=fmtp:{AUDIO_PAYLOAD_TYPE} minptime=10;useinbandfec=1"));
}

/// A viewer's answer to a server that offers one m-line of H.264 video.
pub(super) fn answer(local: &LocalSide, offered: &str, video: Video) -> String {
    let mid = value(offered, "mid").unwrap_or("0");
    let mut sdp = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n");
    let pt = video.payload_type;
    let formats = video.rtx_payload_type.map_or_else(|| pt.to_string(), |rtx| format!("{pt} {rtx}"));
    line(&mut sdp, &format!("m=video 9 UDP/TLS/RTP/SAVPF {formats}"));
    transport(&mut sdp, local, mid);
    line(&mut sdp, &format!("a=rtpmap:{pt} H264/90000\r\na=rtcp-fb:{pt} nack\r\na=rtcp-fb:{pt} nack pli"));
    line(&mut sdp, &format!("a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"));
    if let Some(rtx) = video.rtx_payload_type {
        line(&mut sdp, &format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}"));
    }
    line(&mut sdp, "a=recvonly");
    sdp
}

pub(super) fn line(sdp: &mut String, text: &str) {
    sdp.push_str(text);
    sdp.push_str("\r\n");
}

/// What every m-line repeats. We are the DTLS client, also where we offer (RFC 5763, section 5, lets us choose): many servers would choose
/// the same for themselves.
fn transport(sdp: &mut String, local: &LocalSide, mid: &str) {
    line(sdp, "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0");
    line(sdp, &format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle", local.ufrag, local.pwd));
    line(sdp, &format!("a=fingerprint:{}\r\na=setup:active\r\na=mid:{mid}", local.fingerprint));
    line(sdp, &format!("a=extmap:{EXTENSION_MID} {URI_MID}\r\na=extmap:{EXTENSION_TWCC} {URI_TWCC}"));
    line(sdp, "a=rtcp-mux\r\na=rtcp-rsize");
    if let Some(address) = local.candidate {
        line(sdp, &format!("a=candidate:1 1 udp 2130706431 {} {} typ host\r\na=end-of-candidates", address.ip(), address.port()));
    }
}

/// The first `a=NAME:value`.
fn value<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    attributes(sdp).find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix(':'))
}

fn attributes(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.lines().filter_map(|line| line.trim_end().strip_prefix("a="))
}

/// Reads a server's offer or answer; `None` where something we need is missing.
pub(super) fn read(sdp: &str) -> Option<RemoteSide> {
    let candidates = attributes(sdp).filter_map(|attribute| {
        let fields: Vec<&str> = attribute.strip_prefix("candidate:")?.split(' ').collect();
        (fields.len() >= 8 && fields[1] == "1" && fields[2].eq_ignore_ascii_case("udp")).then_some(())?;
        Some(SocketAddr::new(fields[4].parse().ok()?, fields[5].parse().ok()?))
    });
    let mut addresses: Vec<SocketAddr> = candidates.collect();
    // The load often runs on one machine: its loopback address is the least disturbed way.
    addresses.sort_by_key(|address| (!address.ip().is_loopback(), address.is_ipv6()));
    addresses.dedup();
    (!addresses.is_empty()).then_some(())?;
    Some(RemoteSide {
        ufrag: value(sdp, "ice-ufrag")?.to_owned(),
        pwd: value(sdp, "ice-pwd")?.to_owned(),
        fingerprint: value(sdp, "fingerprint")?.to_owned(),
        addresses,
        video: video(sdp)?,
    })
}

fn video(sdp: &str) -> Option<Video> {
    let (payload_type, _) = rtpmaps(sdp).find(|(_, codec)| codec.to_ascii_uppercase().starts_with("H264/"))?;
    let repairs = format!("apt={payload_type}");
    let fmtp = |pt: u8| attributes(sdp).find_map(|attribute| attribute.strip_prefix("fmtp:")?.strip_prefix(&format!("{pt} ")));
    let rtx = rtpmaps(sdp).filter(|(_, codec)| codec.to_ascii_lowercase().starts_with("rtx/")).map(|(pt, _)| pt);
    let rtx_payload_type = rtx.into_iter().find(|&pt| fmtp(pt).is_some_and(|fmtp| fmtp.split(';').any(|part| part.trim() == repairs)));
    let twcc_extension = attributes(sdp).find_map(|attribute| {
        let (id, uri) = attribute.strip_prefix("extmap:")?.split_once(' ')?;
        (uri.trim() == URI_TWCC).then(|| id.split('/').next()?.parse().ok())?
    });
    Some(Video { payload_type, rtx_payload_type, twcc_extension })
}

fn rtpmaps(sdp: &str) -> impl Iterator<Item = (u8, &str)> {
    attributes(sdp).filter_map(|attribute| {
        let (pt, codec) = attribute.strip_prefix("rtpmap:")?.split_once(' ')?;
        Some((pt.parse().ok()?, codec))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:pass\r\na=fingerprint:sha-256 AA:BB\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
                          a=mid:v\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=extmap:3 \
                          http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
                          a=candidate:1 1 udp 2130706431 192.0.2.4 7000 typ host\r\na=candidate:2 1 udp 1 127.0.0.1 7000 typ host\r\n\
                          a=candidate:3 1 tcp 1 127.0.0.1 7001 typ host tcptype passive\r\n";

    #[test]
    fn a_server_is_read_and_loopback_comes_first() {
        let remote = read(SERVER).expect("complete");
        assert_eq!(remote.addresses, [SocketAddr::from(([127, 0, 0, 1], 7000)), SocketAddr::from(([192, 0, 2, 4], 7000))]);
        assert_eq!((remote.ufrag.as_str(), remote.fingerprint.as_str()), ("abcd", "sha-256 AA:BB"));
        assert_eq!(remote.video, Video { payload_type: 96, rtx_payload_type: Some(97), twcc_extension: Some(3) });
        assert_eq!(read("v=0\r\n"), None);
    }

    #[test]
    fn what_we_write_we_can_read() {
        let local = LocalSide {
            ufrag: "ours".to_owned(),
            pwd: "ours+".to_owned(),
            fingerprint: "sha-256 CC".to_owned(),
            candidate: Some(([192, 0, 2, 9], 5).into()),
        };
        for direction in [Direction::Receive { audio: true }, Direction::Send { ssrcs: vec![1, 2, 3], audio_ssrc: None }] {
            let ours = Video {
                payload_type: VIDEO_PAYLOAD_TYPE,
                rtx_payload_type: Some(VIDEO_PAYLOAD_TYPE + 1),
                twcc_extension: Some(EXTENSION_TWCC),
            };
            assert_eq!(read(&offer(&local, &direction)).expect("complete").video, ours);
        }
        let video = read(SERVER).expect("complete").video;
        let answered = answer(&local, SERVER, video);
        assert!(answered.contains("a=mid:v\r\n") && answered.contains("a=setup:active\r\n"));
        assert_eq!(read(&answered).expect("complete").video.rtx_payload_type, Some(97));
    }
}
