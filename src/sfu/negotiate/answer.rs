//! What we make of an offer: a role per m-line, the codecs and extensions both sides know, and the answer's text.
//!
//! Every m-line is answered at its place (RFC 8829 section 5.3.1); what cannot be served is rejected with port 0 and leaves the BUNDLE
//! group. Payload types, extension ids and codec order are the client's: it is easier for us to rewrite packets than for it to adapt.
//! ICE and DTLS attributes are repeated on each accepted m-line, because some stacks read them only there.

use std::fmt::Write as _;

use super::offer::{Direction, MediaType, Offer, OfferedMedia, OfferedPayload};
use crate::limits::SIMULCAST_LAYERS_MAX;
use crate::sfu::codec::{Codec, MediaKind};
use crate::sfu::handle::{Permissions, SfuError};
use crate::sfu::rtp::extensions::{ExtensionKind, ExtensionMap};
use crate::sfu::rtp::id::{Mid, Pt, Rid, Ssrc};
use crate::sfu::transport::{DtlsRole, Fingerprint, IceCredentials};

/// RTCP canonical name of everything we send: one, so that a client may synchronise any two of our streams.
const CNAME: &str = "courtside";

/// What the answer is built from beside the offer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerPolicy<'a> {
    pub local: &'a IceCredentials,
    pub fingerprint: &'a Fingerprint,
    /// Our side of DTLS: stays what it was in the first answer to a peer.
    pub role: DtlsRole,
    /// Values of `a=candidate` with their name, e.g. `candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host`.
    pub candidates: &'a [String],
    pub permissions: Permissions,
    /// M-lines that may become down-tracks. More: the later ones are rejected.
    pub down_slots_max: usize,
    /// `o=`: the same for all answers to one peer.
    pub session_id: u64,
    /// `o=`: one more with each answer to one peer (RFC 8866 section 5.2).
    pub session_version: u64,
    /// What the peer's previous answer agreed: a mid that stays a down-track keeps its SSRCs. Empty for the first answer.
    pub previous: &'a [NegotiatedMedia],
}

/// The answer and what it says.
#[derive(Debug, Clone)]
pub struct Negotiated {
    pub sdp: String,
    /// One per m-line, in order, rejected ones included.
    pub media: Vec<NegotiatedMedia>,
}

/// What became of one m-line, from our point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaRole {
    /// The client sends.
    Up,
    /// We send.
    Down { ssrc: Ssrc, rtx_ssrc: Option<Ssrc>, fec_ssrc: Option<Ssrc> },
    /// Nobody sends for now; the m-line stays in the session.
    Inactive,
    /// Not served; `reason` in words for the client's developer.
    Rejected { reason: &'static str },
}

/// One m-line as agreed. Rejected ones carry no codecs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedMedia {
    pub mid: Mid,
    /// `None`: neither audio nor video (and rejected).
    pub kind: Option<MediaKind>,
    pub role: MediaRole,
    /// In the client's order of preference.
    pub codecs: Vec<NegotiatedCodec>,
    /// Ids as in the offer.
    pub extensions: ExtensionMap,
    /// Simulcast layers of an up-track in the client's order; empty without simulcast.
    pub rids: Vec<Rid>,
    /// Streams the client announced, each with its RTX stream; empty for a client that leaves that to the MID and RID extensions.
    pub ssrcs: Vec<(Ssrc, Option<Ssrc>)>,
    pub feedback: Feedback,
    /// The payload type of parity packets (`flexfec-03`) beside a down-track of video.
    pub fec_pt: Option<Pt>,
}

/// A codec both sides know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiatedCodec {
    pub codec: Codec,
    pub pt: Pt,
    pub rtx_pt: Option<Pt>,
    /// Opus: the payload type of packets that carry earlier ones too (RFC 2198).
    pub red_pt: Option<Pt>,
    pub profile: NegotiatedProfile,
}

/// What `a=fmtp` says of a codec, as far as it matters to forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiatedProfile {
    /// VP8 has none.
    Unspecified,
    H264 {
        /// profile_idc, profile-iop, level_idc (RFC 6184 section 8.1).
        profile_level_id: [u8; 3],
        packetization_mode: u8,
    },
    Vp9 {
        profile: u8,
    },
    Av1 {
        profile: u8,
    },
    Opus {
        in_band_fec: bool,
        stereo: bool,
    },
}

/// RTCP feedback agreed for an m-line (RFC 4585, RFC 5104).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
    pub remb: bool,
}

impl NegotiatedMedia {
    fn rejected(line: &OfferedMedia, reason: &'static str) -> Self {
        Self {
            mid: line.mid,
            kind: match line.media {
                MediaType::Av(kind) => Some(kind),
                MediaType::Other => None,
            },
            role: MediaRole::Rejected { reason },
            codecs: Vec::new(),
            extensions: ExtensionMap::default(),
            rids: Vec::new(),
            ssrcs: Vec::new(),
            feedback: Feedback::default(),
            fec_pt: None,
        }
    }

    const fn is_accepted(&self) -> bool {
        !matches!(self.role, MediaRole::Rejected { .. })
    }
}

/// Answers an offer. `next_ssrc` draws fresh SSRCs for down-tracks.
///
/// # Errors
/// `Unacceptable` when not one m-line can be served, with the reason of each.
pub fn negotiate(offer: &Offer, policy: &AnswerPolicy<'_>, next_ssrc: &mut dyn FnMut() -> Ssrc) -> Result<Negotiated, SfuError> {
    let mut media: Vec<NegotiatedMedia> = Vec::with_capacity(offer.media.len());
    let mut down_slots = 0;
    for line in &offer.media {
        let agreed = agree(offer, line, policy, policy.down_slots_max - down_slots, next_ssrc);
        if matches!(agreed.role, MediaRole::Down { .. }) {
            down_slots += 1;
        }
        media.push(agreed);
    }
    if !media.iter().any(NegotiatedMedia::is_accepted) {
        return Err(SfuError::Unacceptable { reason: reasons(&media) });
    }
    let sdp = write_answer(offer, policy, &media);
    Ok(Negotiated { sdp, media })
}

fn reasons(media: &[NegotiatedMedia]) -> String {
    let mut text = String::new();
    for line in media {
        if let MediaRole::Rejected { reason } = line.role {
            let separator = if text.is_empty() { "" } else { "; " };
            write!(text, "{separator}mid {}: {reason}", line.mid).expect("a String takes everything");
        }
    }
    text
}

enum Wish {
    Up,
    Down,
    Inactive,
}

fn agree(
    offer: &Offer,
    line: &OfferedMedia,
    policy: &AnswerPolicy<'_>,
    free_down_slots: usize,
    next_ssrc: &mut dyn FnMut() -> Ssrc,
) -> NegotiatedMedia {
    let MediaType::Av(kind) = line.media else { return NegotiatedMedia::rejected(line, "only audio and video over RTP are served") };
    if line.port_zero {
        return NegotiatedMedia::rejected(line, "switched off by the offer");
    }
    if !offer.bundle.is_empty() && !line.bundled {
        return NegotiatedMedia::rejected(line, "outside of the BUNDLE group");
    }
    let wish = match wish(line.direction, policy.permissions) {
        Ok(wish) => wish,
        Err(reason) => return NegotiatedMedia::rejected(line, reason),
    };
    if matches!(wish, Wish::Down) && free_down_slots == 0 {
        return NegotiatedMedia::rejected(line, "more receiving m-lines than are served");
    }
    let codecs = codecs(kind, &line.payloads);
    if codecs.is_empty() {
        return NegotiatedMedia::rejected(line, "no codec in common");
    }
    let is_up = matches!(wish, Wish::Up);
    let mut extensions = ExtensionMap::default();
    for offered in &line.extensions {
        let flows = if is_up { offered.direction.sends() } else { offered.direction.receives() };
        if let Some(kind) = ExtensionKind::from_uri(&offered.uri).filter(|_| flows) {
            extensions.set(offered.id, kind);
        }
    }
    let mut feedback = Feedback::default();
    for payload in accepted_payloads(line, &codecs) {
        for value in answered_feedback(payload, is_up) {
            match value {
                "nack" => feedback.nack = true,
                "nack pli" => feedback.pli = true,
                "ccm fir" => feedback.fir = true,
                "transport-cc" => feedback.transport_cc = true,
                "goog-remb" => feedback.remb = true,
                _ => {}
            }
        }
    }
    let fec_pt = line.payloads.iter().find(|payload| is_parity(payload)).map(|payload| payload.pt).filter(|_| matches!(wish, Wish::Down));
    let role = match wish {
        Wish::Up => MediaRole::Up,
        Wish::Inactive => MediaRole::Inactive,
        Wish::Down => down_role(line.mid, &codecs, fec_pt.is_some(), policy.previous, next_ssrc),
    };
    // Layers are told apart by their RID extension; without it there are none.
    let rids = if is_up && line.simulcast && extensions.id_of(ExtensionKind::Rid).is_some() {
        line.rids.iter().copied().take(SIMULCAST_LAYERS_MAX).collect()
    } else {
        Vec::new()
    };
    let ssrcs = if is_up { line.ssrcs.clone() } else { Vec::new() };
    NegotiatedMedia { mid: line.mid, kind: Some(kind), role, codecs, extensions, rids, ssrcs, feedback, fec_pt }
}

const fn wish(direction: Direction, permissions: Permissions) -> Result<Wish, &'static str> {
    if direction.sends() && permissions.publish {
        Ok(Wish::Up)
    } else if direction.receives() && permissions.view {
        Ok(Wish::Down)
    } else if direction.sends() {
        Err("this client may not publish")
    } else if direction.receives() {
        Err("this client may not view")
    } else {
        Ok(Wish::Inactive)
    }
}

/// Protection of one stream of video as browsers have it.
fn is_parity(payload: &OfferedPayload) -> bool {
    payload.name.eq_ignore_ascii_case("flexfec-03")
}

fn down_role(
    mid: Mid,
    codecs: &[NegotiatedCodec],
    has_fec: bool,
    previous: &[NegotiatedMedia],
    next_ssrc: &mut dyn FnMut() -> Ssrc,
) -> MediaRole {
    let has_rtx = codecs.iter().any(|codec| codec.rtx_pt.is_some());
    let kept = previous.iter().find(|media| media.mid == mid).map(|media| media.role);
    let (kept_ssrc, kept_rtx, kept_fec) = match kept {
        Some(MediaRole::Down { ssrc, rtx_ssrc, fec_ssrc }) => (Some(ssrc), rtx_ssrc, fec_ssrc),
        Some(MediaRole::Up | MediaRole::Inactive | MediaRole::Rejected { .. }) | None => (None, None, None),
    };
    let ssrc = kept_ssrc.unwrap_or_else(&mut *next_ssrc);
    let rtx_ssrc = has_rtx.then(|| kept_rtx.unwrap_or_else(&mut *next_ssrc));
    let fec_ssrc = has_fec.then(|| kept_fec.unwrap_or_else(next_ssrc));
    MediaRole::Down { ssrc, rtx_ssrc, fec_ssrc }
}

/// The offered codecs that we know, in the offer's order, each with the RTX payload type that repairs it.
fn codecs(kind: MediaKind, payloads: &[OfferedPayload]) -> Vec<NegotiatedCodec> {
    payloads
        .iter()
        .filter_map(|payload| {
            let codec = Codec::ALL.into_iter().find(|codec| {
                codec.kind() == kind
                    && codec.clock_rate_hz() == payload.clock_rate_hz
                    && payload.name.eq_ignore_ascii_case(codec.rtpmap_name())
            })?;
            let rtx_pt = payloads.iter().find(|rtx| rtx.repairs() == Some(payload.pt)).map(|rtx| rtx.pt);
            let red_pt = payloads.iter().find(|red| red.makes_redundant(payload)).map(|red| red.pt).filter(|_| codec == Codec::Opus);
            Some(NegotiatedCodec { codec, pt: payload.pt, rtx_pt, red_pt, profile: profile(codec, payload)? })
        })
        .collect()
}

/// `None` when the parameters name something that no one can mean.
fn profile(codec: Codec, payload: &OfferedPayload) -> Option<NegotiatedProfile> {
    let number = |name, default| payload.parameter(name).map_or(Some(default), |value| value.parse().ok());
    Some(match codec {
        Codec::Vp8 => NegotiatedProfile::Unspecified,
        Codec::Vp9 => NegotiatedProfile::Vp9 { profile: number("profile-id", 0)? },
        Codec::Av1 => NegotiatedProfile::Av1 { profile: number("profile", 0)? },
        Codec::Opus => NegotiatedProfile::Opus { in_band_fec: number("useinbandfec", 0)? == 1, stereo: number("stereo", 0)? == 1 },
        Codec::H264 => {
            let packetization_mode = number("packetization-mode", 0)?;
            if packetization_mode > 1 {
                return None;
            }
            // Constrained baseline level 1 is the default of RFC 6184 section 8.1.
            let text = payload.parameter("profile-level-id").unwrap_or("42000a");
            let bits = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 6)?;
            let [_, profile_idc, profile_iop, level_idc] = bits.to_be_bytes();
            NegotiatedProfile::H264 { profile_level_id: [profile_idc, profile_iop, level_idc], packetization_mode }
        }
    })
}

/// The payloads of the accepted codecs, RTX left out.
fn accepted_payloads<'a>(line: &'a OfferedMedia, codecs: &'a [NegotiatedCodec]) -> impl Iterator<Item = &'a OfferedPayload> {
    line.payloads.iter().filter(|payload| codecs.iter().any(|codec| codec.pt == payload.pt))
}

/// The feedback we answer of what is offered. A publisher is told by transport-cc alone when it can be: with both, Chromium follows REMB.
fn answered_feedback(payload: &OfferedPayload, is_up: bool) -> impl Iterator<Item = &str> {
    let has_transport_cc = payload.feedback.iter().any(|value| value == "transport-cc");
    ["nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"]
        .into_iter()
        .filter(|known| payload.feedback.iter().any(|offered| offered == known))
        .filter(move |&value| !(value == "goog-remb" && is_up && has_transport_cc))
}

/// The parameters of an accepted codec that the answer repeats.
fn answered_fmtp(codec: Codec, payload: &OfferedPayload) -> String {
    let kept: &[&str] = match codec {
        Codec::H264 => &["level-asymmetry-allowed", "packetization-mode", "profile-level-id"],
        Codec::Vp8 => &["max-fs", "max-fr"],
        Codec::Vp9 => &["profile-id"],
        Codec::Av1 => &["level-idx", "profile", "tier"],
        Codec::Opus => &["minptime", "useinbandfec", "stereo"],
    };
    let mut text = String::new();
    for name in kept {
        if let Some(value) = payload.parameter(name) {
            let separator = if text.is_empty() { "" } else { ";" };
            write!(text, "{separator}{name}={value}").expect("a String takes everything");
        }
    }
    text
}

/// Lines end with CR LF (RFC 8866 section 5).
struct Lines(String);

impl Lines {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a String takes everything");
        self.0.push_str("\r\n");
    }
}

macro_rules! line {
    ($lines:expr, $($format:tt)*) => { $lines.line(format_args!($($format)*)) };
}

fn write_answer(offer: &Offer, policy: &AnswerPolicy<'_>, media: &[NegotiatedMedia]) -> String {
    let mut out = Lines(String::with_capacity(4096));
    line!(out, "v=0");
    line!(out, "o=- {} {} IN IP4 0.0.0.0", policy.session_id, policy.session_version);
    line!(out, "s=-");
    line!(out, "t=0 0");
    line!(out, "a=ice-lite");
    if !offer.bundle.is_empty() {
        let mut group = String::from("a=group:BUNDLE");
        // The offer's order: its first mid carries the transport (RFC 8843 section 7.3.1).
        for mid in &offer.bundle {
            if media.iter().any(|line| line.mid == *mid && line.is_accepted()) {
                write!(group, " {mid}").expect("a String takes everything");
            }
        }
        line!(out, "{group}");
    }
    if offer.media.iter().all(|line| line.extmap_allow_mixed) {
        line!(out, "a=extmap-allow-mixed");
    }
    line!(out, "a=msid-semantic:WMS *");
    let (mut videos, mut audios) = (0, 0);
    for (offered, agreed) in offer.media.iter().zip(media) {
        let pair = match agreed.kind {
            Some(MediaKind::Video) => &mut videos,
            Some(MediaKind::Audio) | None => &mut audios,
        };
        write_media(&mut out, policy, offered, agreed, *pair);
        if matches!(agreed.role, MediaRole::Down { .. }) {
            *pair += 1;
        }
    }
    out.0
}

/// Of those that we send, the first video and the first audio are the broadcast's, the second its guest's; what comes after them is anybody's.
const PAIRS_IN_STEP: usize = 2;

fn write_media(out: &mut Lines, policy: &AnswerPolicy<'_>, offered: &OfferedMedia, agreed: &NegotiatedMedia, pair: usize) {
    if !agreed.is_accepted() {
        line!(out, "m={} 0 {} {}", offered.media_name, offered.protocol, offered.formats.join(" "));
        line!(out, "c=IN IP4 0.0.0.0");
        line!(out, "a=mid:{}", offered.mid);
        line!(out, "a=inactive");
        return;
    }
    let formats: Vec<String> = formats(agreed).map(|pt| pt.0.to_string()).collect();
    line!(out, "m={} 9 {} {}", offered.media_name, offered.protocol, formats.join(" "));
    line!(out, "c=IN IP4 0.0.0.0");
    line!(out, "a=mid:{}", agreed.mid);
    line!(out, "a=ice-ufrag:{}", policy.local.ufrag);
    line!(out, "a=ice-pwd:{}", policy.local.pwd);
    line!(out, "a=fingerprint:{}", policy.fingerprint);
    line!(out, "a=setup:{}", if policy.role == DtlsRole::Active { "active" } else { "passive" });
    for candidate in policy.candidates {
        line!(out, "a={candidate}");
    }
    line!(out, "a=end-of-candidates");
    for (id, kind) in agreed.extensions.iter() {
        let narrowed = offered.extensions.iter().find(|extension| extension.id == id).map_or("", |extension| match extension.direction {
            Direction::SendOnly => "/recvonly",
            Direction::RecvOnly => "/sendonly",
            Direction::SendRecv | Direction::Inactive => "",
        });
        line!(out, "a=extmap:{id}{narrowed} {}", kind.uri());
    }
    match agreed.role {
        MediaRole::Up => line!(out, "a=recvonly"),
        MediaRole::Down { .. } => line!(out, "a=sendonly"),
        MediaRole::Inactive | MediaRole::Rejected { .. } => line!(out, "a=inactive"),
    }
    line!(out, "a=rtcp-mux");
    if offered.rtcp_rsize {
        line!(out, "a=rtcp-rsize");
    }
    if offered.receiver_rtt && matches!(agreed.role, MediaRole::Down { .. }) {
        line!(out, "a=rtcp-xr:rcvr-rtt=all");
    }
    for codec in &agreed.codecs {
        if let Some(payload) = offered.payloads.iter().find(|payload| payload.pt == codec.pt) {
            write_codec(out, codec, payload, matches!(agreed.role, MediaRole::Up));
        }
    }
    if !agreed.rids.is_empty() {
        for rid in &agreed.rids {
            line!(out, "a=rid:{rid} recv");
        }
        let layers: Vec<&str> = agreed.rids.iter().map(Rid::as_str).collect();
        line!(out, "a=simulcast:recv {}", layers.join(";"));
    }
    if let Some(payload) = offered.payloads.iter().find(|payload| agreed.fec_pt == Some(payload.pt)) {
        let pt = payload.pt.0;
        line!(out, "a=rtpmap:{pt} flexfec-03/{}", payload.clock_rate_hz);
        for value in answered_feedback(payload, false) {
            line!(out, "a=rtcp-fb:{pt} {value}");
        }
        // Microseconds within which a packet and its parity come. Ours come within a frame or two.
        line!(out, "a=fmtp:{pt} repair-window={}", payload.parameter("repair-window").unwrap_or("10000000"));
    }
    if let MediaRole::Down { ssrc, rtx_ssrc, fec_ssrc } = agreed.role {
        // Who shares a stream is kept in step by the client. A friend's voice is not to wait for whatever face is on the m-line of its number.
        let stream = if pair < PAIRS_IN_STEP { pair.to_string() } else { format!("{}-{pair}", offered.media_name) };
        line!(out, "a=msid:{CNAME}-{stream} {}-{}", offered.media_name, agreed.mid);
        if let Some(rtx) = rtx_ssrc {
            line!(out, "a=ssrc-group:FID {} {}", ssrc.0, rtx.0);
        }
        if let Some(fec) = fec_ssrc {
            line!(out, "a=ssrc-group:FEC-FR {} {}", ssrc.0, fec.0);
        }
        for announced in std::iter::once(ssrc).chain(rtx_ssrc).chain(fec_ssrc) {
            line!(out, "a=ssrc:{} cname:{CNAME}", announced.0);
        }
    }
}

/// Payload types in the order of the m-line: each codec and behind it its RTX. A client that can send its sound with redundancy is asked to,
/// by naming that form first: loss on its way to us is everybody's, and sound has no retransmission.
fn formats(agreed: &NegotiatedMedia) -> impl Iterator<Item = Pt> {
    let is_up = matches!(agreed.role, MediaRole::Up);
    agreed
        .codecs
        .iter()
        .flat_map(move |codec| {
            let (first, behind) = if is_up { (codec.red_pt, None) } else { (None, codec.red_pt) };
            first.into_iter().chain([codec.pt]).chain(behind).chain(codec.rtx_pt)
        })
        .chain(agreed.fec_pt)
}

fn write_codec(out: &mut Lines, codec: &NegotiatedCodec, payload: &OfferedPayload, is_up: bool) {
    let (pt, name, rate) = (codec.pt.0, codec.codec.rtpmap_name(), payload.clock_rate_hz);
    match payload.channels {
        Some(channels) => line!(out, "a=rtpmap:{pt} {name}/{rate}/{channels}"),
        None => line!(out, "a=rtpmap:{pt} {name}/{rate}"),
    }
    for value in answered_feedback(payload, is_up) {
        line!(out, "a=rtcp-fb:{pt} {value}");
    }
    let fmtp = answered_fmtp(codec.codec, payload);
    if !fmtp.is_empty() {
        line!(out, "a=fmtp:{pt} {fmtp}");
    }
    if let Some(red) = codec.red_pt {
        line!(out, "a=rtpmap:{} red/{rate}/2", red.0);
        line!(out, "a=fmtp:{} {pt}/{pt}", red.0);
    }
    if let Some(rtx) = codec.rtx_pt {
        line!(out, "a=rtpmap:{} rtx/{rate}", rtx.0);
        line!(out, "a=fmtp:{} apt={pt}", rtx.0);
    }
}
