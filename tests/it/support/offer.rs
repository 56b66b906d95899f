//! Offers in Chromium's shape, and the little of an answer that a client needs.

use courtside::sfu::codec::Codec;

/// Identifiers that our clients offer.
pub(crate) const EXT_ABS_SEND_TIME: u8 = 2;
pub(crate) const EXT_TRANSPORT_CC: u8 = 4;
pub(crate) const EXT_MID: u8 = 9;
pub(crate) const EXT_AUDIO_LEVEL: u8 = 14;
pub(crate) const EXT_DEPENDENCY: u8 = 13;
pub(crate) const EXT_RID: u8 = 10;
pub(crate) const EXT_REPAIRED_RID: u8 = 11;
pub(crate) const OPUS_PT: u8 = 111;
/// Opus with redundancy.
pub(crate) const RED_PT: u8 = 63;
pub(crate) const FEC_PT: u8 = 49;

/// What the client's transport says of itself.
pub(crate) struct Transport<'a> {
    pub ufrag: &'a str,
    pub pwd: &'a str,
    pub fingerprint: &'a str,
    /// The server is to begin DTLS.
    pub waits: bool,
}

/// Payload type and that of its retransmissions.
pub(crate) const fn payload_types(codec: Codec) -> (u8, u8) {
    match codec {
        Codec::Vp8 => (96, 97),
        Codec::H264 => (102, 103),
        Codec::Vp9 => (98, 99),
        Codec::Av1 => (45, 46),
        Codec::Opus => (OPUS_PT, 0),
    }
}

/// The video a publisher offers to send.
pub(crate) enum Streams {
    /// Told apart by RID.
    Simulcast(Vec<&'static str>),
    /// SSRCs of media and retransmission, declared in the offer.
    Declared(u32, u32),
}

pub(crate) fn publish(transport: &Transport<'_>, codec: Codec, streams: &Streams, audio_ssrc: u32) -> String {
    let mut sdp = session(2);
    send(&mut sdp, transport, codec, streams, audio_ssrc, 0);
    sdp
}

/// The pair that sends, from this m-line on.
fn send(sdp: &mut String, transport: &Transport<'_>, codec: Codec, streams: &Streams, audio_ssrc: u32, mid: usize) {
    video(sdp, transport, "sendonly", &[codec], false, mid);
    match streams {
        Streams::Simulcast(rids) => {
            for rid in rids {
                *sdp += &format!("a=rid:{rid} send\r\n");
            }
            *sdp += &format!("a=simulcast:send {}\r\n", rids.join(";"));
        }
        Streams::Declared(ssrc, rtx) => {
            *sdp += &format!("a=ssrc-group:FID {ssrc} {rtx}\r\na=ssrc:{ssrc} cname:sim\r\na=ssrc:{rtx} cname:sim\r\n");
        }
    }
    audio(sdp, transport, "sendonly", mid + 1);
    *sdp += &format!("a=ssrc:{audio_ssrc} cname:sim\r\n");
}

/// What a client sends beside what it receives.
pub(crate) struct Camera {
    pub codec: Codec,
    pub streams: Streams,
    pub audio_ssrc: u32,
}

/// A viewer with `pairs` of picture and sound to receive: the broadcast's, its guest's and friends'. Its camera, if it has one, comes last.
pub(crate) fn call(transport: &Transport<'_>, codecs: &[Codec], pairs: usize, camera: Option<&Camera>) -> String {
    let mut sdp = session(2 * (pairs + usize::from(camera.is_some())));
    for pair in 0..pairs {
        video(&mut sdp, transport, "recvonly", codecs, true, 2 * pair);
        audio(&mut sdp, transport, "recvonly", 2 * pair + 1);
    }
    if let Some(Camera { codec, streams, audio_ssrc }) = camera {
        send(&mut sdp, transport, *codec, streams, *audio_ssrc, 2 * pairs);
    }
    sdp
}

/// `rtx`: takes retransmissions.
pub(crate) fn view(transport: &Transport<'_>, codecs: &[Codec], rtx: bool, fec: bool) -> String {
    let mut sdp = session(2);
    video(&mut sdp, transport, "recvonly", codecs, fec, 0);
    audio(&mut sdp, transport, "recvonly", 1);
    if !rtx {
        // The payload types stay in the m-line without a meaning.
        sdp = sdp.lines().filter(|line| !line.contains(" rtx/") && !line.contains(" apt=")).map(|line| format!("{line}\r\n")).collect();
    }
    sdp
}

fn session(mids: usize) -> String {
    let bundle: String = (0..mids).map(|mid| format!(" {mid}")).collect();
    format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{bundle}\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n")
}

fn video(sdp: &mut String, transport: &Transport<'_>, direction: &str, codecs: &[Codec], fec: bool, mid: usize) {
    let mut pts: Vec<String> = codecs.iter().map(|codec| payload_types(*codec)).map(|(pt, rtx)| format!("{pt} {rtx}")).collect();
    pts.extend(fec.then(|| FEC_PT.to_string()));
    *sdp += &format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", pts.join(" "));
    head(sdp, transport, mid);
    *sdp += &format!(
        "a=extmap:{EXT_ABS_SEND_TIME} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:{EXT_TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:{EXT_MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:{EXT_RID} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
         a=extmap:{EXT_REPAIRED_RID} urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n\
         a=extmap:{EXT_DEPENDENCY} https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\r\n\
         a={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
    );
    for codec in codecs {
        let (pt, rtx) = payload_types(*codec);
        *sdp += &format!("a=rtpmap:{pt} {}/90000\r\n", codec.rtpmap_name());
        for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
            *sdp += &format!("a=rtcp-fb:{pt} {feedback}\r\n");
        }
        if *codec == Codec::H264 {
            *sdp += &format!("a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n");
        }
        *sdp += &format!("a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n");
    }
    if fec {
        *sdp +=
            &format!("a=rtpmap:{FEC_PT} flexfec-03/90000\r\na=rtcp-fb:{FEC_PT} transport-cc\r\na=fmtp:{FEC_PT} repair-window=10000000\r\n");
    }
}

fn audio(sdp: &mut String, transport: &Transport<'_>, direction: &str, mid: usize) {
    *sdp += &format!("m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PT} {RED_PT}\r\n");
    head(sdp, transport, mid);
    *sdp += &format!(
        "a=extmap:{EXT_AUDIO_LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:{EXT_TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:{EXT_MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:{OPUS_PT} opus/48000/2\r\na=rtcp-fb:{OPUS_PT} transport-cc\r\na=fmtp:{OPUS_PT} minptime=10;useinbandfec=1\r\n\
         a=rtpmap:{RED_PT} red/48000/2\r\na=fmtp:{RED_PT} {OPUS_PT}/{OPUS_PT}\r\n"
    );
}

fn head(sdp: &mut String, transport: &Transport<'_>, mid: usize) {
    let Transport { ufrag, pwd, fingerprint, waits } = transport;
    let setup = if *waits { "passive\r\na=x-srtp-profiles:SRTP_AEAD_AES_128_GCM" } else { "actpass" };
    *sdp += &format!(
        "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=ice-options:trickle\r\n\
         a=fingerprint:{fingerprint}\r\na=setup:{setup}\r\na=mid:{mid}\r\n"
    );
}

/// What a client takes from an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub ufrag: String,
    pub pwd: String,
    pub fingerprint: String,
    /// The server begins DTLS.
    pub opens: bool,
    /// What we are sent: the broadcast's first.
    pub pairs: Vec<Pair>,
}

/// A picture and its sound.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pair {
    /// SSRC and retransmission SSRC.
    pub video: Option<(u32, Option<u32>)>,
    pub audio: Option<u32>,
    /// SSRC of the parity beside the video.
    pub fec: Option<u32>,
}

impl Answer {
    pub(crate) fn parse(sdp: &str) -> Self {
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        let mut answer =
            Self { ufrag: value("a=ice-ufrag:"), pwd: value("a=ice-pwd:"), fingerprint: value("a=fingerprint:"), ..Self::default() };
        assert!(sdp.contains("a=ice-lite"), "we are the controlling side");
        answer.opens = sdp.contains("a=setup:active");
        assert_ne!(answer.opens, sdp.contains("a=setup:passive"));
        let (mut videos, mut audios) = (0, 0);
        for section in sdp.split("m=").skip(1).filter(|section| section.contains("a=sendonly")) {
            let ssrc_of = |line: &str| line.split([' ', ':']).nth(1).and_then(|text| text.parse().ok());
            let mut ssrcs: Vec<u32> = section.lines().filter(|line| line.starts_with("a=ssrc:")).filter_map(ssrc_of).collect();
            ssrcs.dedup();
            let place = if section.starts_with("video") { &mut videos } else { &mut audios };
            answer.pairs.resize_with(answer.pairs.len().max(*place + 1), Pair::default);
            let pair = &mut answer.pairs[*place];
            *place += 1;
            if section.starts_with("video") {
                pair.fec =
                    section.lines().find_map(|line| line.strip_prefix("a=ssrc-group:FEC-FR ")?.split(' ').nth(1)?.trim().parse().ok());
                pair.video = ssrcs.first().map(|first| (*first, ssrcs.get(1).copied()));
            } else if section.starts_with("audio") {
                pair.audio = ssrcs.first().copied();
            }
        }
        answer
    }
}
