//! A client's offer, checked for form: whatever is built from it can rely on what its types say.
//!
//! It makes no choice of ours (codecs, directions, permissions): that is the answerer's. Invariant: ICE credentials, fingerprint and mids
//! are present, unique and of the alphabet that SDP allows, so they can be written into an answer as they are.

use std::io::Cursor;

use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use crate::limits::{SDP_ATTRIBUTES_MAX, SDP_BYTES_MAX, SDP_MEDIA_MAX};
use crate::sfu::codec::MediaKind;
use crate::sfu::handle::SfuError;
use crate::sfu::rtp::id::{Mid, Pt, Rid, Ssrc};
use crate::sfu::transport::{DtlsRole, Fingerprint, IceCredentials, SrtpProfile};

/// DTLS role the client offers (RFC 5763 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    ActPass,
    Active,
    /// The client waits for our ClientHello.
    Passive,
}

/// The attribute by which a client that is passive says which SRTP profiles it takes, by their names of RFC 7714 and RFC 5764. Ours alone: nothing in SDP
/// says it, and a DTLS server follows its own order, which in Chromium puts the costly profile first.
const SRTP_PROFILES: &str = "x-srtp-profiles";
const GCM_NAME: &str = "SRTP_AEAD_AES_128_GCM";

/// Direction from the client's point of view (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];

    /// As it stands in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.name() == name)
    }

    /// The client may send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// The client may receive.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// What an m-line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Av(MediaKind),
    /// A data channel, or something that is neither audio nor video.
    Other,
}

/// One payload type of an m-line, in the offer's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedPayload {
    pub pt: Pt,
    /// Encoding name as written, e.g. `VP8`, `rtx`.
    pub name: String,
    pub clock_rate_hz: u32,
    /// Only audio has it.
    pub channels: Option<u8>,
    /// Value of `a=fmtp` behind the payload type; empty when there is none.
    pub fmtp: String,
    /// Values of `a=rtcp-fb`, those for `*` included.
    pub feedback: Vec<String>,
}

impl OfferedPayload {
    /// A parameter of `fmtp` by its name, which is case-insensitive.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// For redundant audio: whether it is `other`, once for itself and again for those before it (RFC 2198 section 5).
    pub fn makes_redundant(&self, other: &Self) -> bool {
        let mut parts = self.fmtp.split('/').map(|part| part.trim().parse().map(Pt));
        self.name.eq_ignore_ascii_case("red")
            && self.clock_rate_hz == other.clock_rate_hz
            && self.channels == other.channels
            && self.fmtp.contains('/')
            && parts.all(|part| part == Ok(other.pt))
    }

    /// For RTX: the payload type it repairs (RFC 4588 section 8.6).
    pub fn repairs(&self) -> Option<Pt> {
        if !self.name.eq_ignore_ascii_case("rtx") {
            return None;
        }
        self.parameter("apt")?.parse().ok().map(Pt)
    }
}

/// One `a=extmap` (RFC 8285 section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedExtension {
    pub id: u8,
    pub uri: String,
    /// Narrower than the m-line when the client only sends or only receives the element (Firefox says so).
    pub direction: Direction,
}

/// One m-line.
#[derive(Debug, Clone)]
pub struct OfferedMedia {
    pub mid: Mid,
    pub media: MediaType,
    /// `m=` line as its first, third and further fields: what a rejection repeats.
    pub media_name: String,
    pub protocol: String,
    pub formats: Vec<String>,
    /// Port 0 without `a=bundle-only`: the client has taken the m-line out of use.
    pub port_zero: bool,
    pub direction: Direction,
    pub payloads: Vec<OfferedPayload>,
    pub extensions: Vec<OfferedExtension>,
    /// Simulcast layers the client sends, in the order of `a=simulcast` (or of `a=rid` without it).
    pub rids: Vec<Rid>,
    /// `a=simulcast:send` is there.
    pub simulcast: bool,
    /// SSRCs the client announces, with the RTX stream that `FID` binds to each.
    pub ssrcs: Vec<(Ssrc, Option<Ssrc>)>,
    pub cname: Option<String>,
    pub rtcp_mux: bool,
    pub rtcp_rsize: bool,
    /// Asks for its round trip by extended reports (RFC 3611 section 5.1).
    pub receiver_rtt: bool,
    /// In the first BUNDLE group.
    pub bundled: bool,
    /// `a=extmap-allow-mixed`, here or for the session.
    pub extmap_allow_mixed: bool,
}

/// A client's offer.
#[derive(Debug, Clone)]
pub struct Offer {
    pub ice: IceCredentials,
    pub fingerprint: Fingerprint,
    pub setup: Setup,
    /// The client says that it takes AES-GCM ([`SrtpProfile::AeadAes128Gcm`]).
    pub takes_gcm: bool,
    /// Mids of the first BUNDLE group, in its order.
    pub bundle: Vec<Mid>,
    pub media: Vec<OfferedMedia>,
}

fn malformed(reason: impl Into<String>) -> SfuError {
    SfuError::MalformedOffer { reason: reason.into() }
}

fn unacceptable(reason: impl Into<String>) -> SfuError {
    SfuError::Unacceptable { reason: reason.into() }
}

impl Offer {
    /// Our side of DTLS with a client that offers this: active only where it says that it is passive. Of one that would take either, nothing tells
    /// which SRTP profile its DTLS prefers.
    pub fn dtls_role(&self) -> DtlsRole {
        match self.setup {
            Setup::ActPass | Setup::Active => DtlsRole::Passive,
            Setup::Passive => DtlsRole::Active,
        }
    }

    /// The SRTP profiles to offer a client that is passive.
    pub fn srtp_profiles(&self) -> Vec<SrtpProfile> {
        match self.takes_gcm {
            true => vec![SrtpProfile::AeadAes128Gcm],
            false => vec![SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80],
        }
    }

    /// Parses an offer.
    ///
    /// # Errors
    /// `MalformedOffer` when it is not SDP or breaks a rule of form or size, `Unacceptable` when it lacks what every peer of ours needs:
    /// BUNDLE, rtcp-mux, DTLS.
    pub fn parse(text: &str) -> Result<Self, SfuError> {
        if text.len() > SDP_BYTES_MAX {
            return Err(malformed(format!("it has {} bytes, more than {SDP_BYTES_MAX}", text.len())));
        }
        // Counted before parsing, so that a hostile text is not turned into as many objects.
        let media_lines = text.lines().filter(|line| line.starts_with("m=")).count();
        if media_lines > SDP_MEDIA_MAX {
            return Err(malformed(format!("it has {media_lines} m-lines, more than {SDP_MEDIA_MAX}")));
        }
        if text.lines().filter(|line| line.starts_with("a=")).count() > SDP_ATTRIBUTES_MAX {
            return Err(malformed(format!("it has more than {SDP_ATTRIBUTES_MAX} attributes")));
        }
        // A stray control character could make two lines of one where the answer repeats it.
        if text.split('\n').any(|line| line.strip_suffix('\r').unwrap_or(line).chars().any(|character| character.is_control())) {
            return Err(malformed("it has a control character within a line"));
        }
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes())).map_err(|error| malformed(error.to_string()))?;
        if session.media_descriptions.is_empty() {
            return Err(malformed("it has no m-line"));
        }
        let bundle = bundle_group(&session)?;
        let mut media = Vec::with_capacity(session.media_descriptions.len());
        for description in &session.media_descriptions {
            let line = offered_media(&session, description, &bundle)?;
            if media.iter().any(|earlier: &OfferedMedia| earlier.mid == line.mid) {
                return Err(malformed(format!("mid {} is used twice", line.mid)));
            }
            media.push(line);
        }
        let in_use = |line: &&OfferedMedia| !line.port_zero;
        if media.iter().filter(in_use).count() > 1 && bundle.is_empty() {
            return Err(unacceptable("all media must share one transport, but the offer has no BUNDLE group"));
        }
        if let Some(line) = media.iter().filter(in_use).find(|line| matches!(line.media, MediaType::Av(_)) && !line.rtcp_mux) {
            return Err(unacceptable(format!("RTP and RTCP must share one port, but mid {} lacks rtcp-mux", line.mid)));
        }
        // Transport attributes stand on the m-line that carries the bundle, and are the same on every other (RFC 8843 section 7.1.3).
        let carrier = session
            .media_descriptions
            .iter()
            .zip(&media)
            .find(|(_, line)| !line.port_zero && (bundle.is_empty() || line.bundled))
            .map(|(description, _)| description)
            .ok_or_else(|| unacceptable("every m-line is switched off"))?;
        Ok(Self {
            ice: ice_credentials(&session, carrier)?,
            fingerprint: fingerprint(&session, carrier)?,
            setup: setup(&session, carrier)?,
            takes_gcm: attribute(&session, carrier, SRTP_PROFILES).is_some_and(|names| names.split(' ').any(|name| name == GCM_NAME)),
            bundle,
            media,
        })
    }
}

/// The value of an attribute on the m-line, or else of the session.
fn attribute<'a>(session: &'a SessionDescription, media: &'a MediaDescription, key: &str) -> Option<&'a str> {
    media.attribute(key).flatten().or_else(|| session.attribute(key).map(String::as_str))
}

fn values<'a>(media: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    media.attributes.iter().filter(move |attribute| attribute.key == key).filter_map(|attribute| attribute.value.as_deref())
}

fn parse_mid(text: &str) -> Result<Mid, SfuError> {
    Mid::new(text.as_bytes()).ok_or_else(|| malformed(format!("a mid has 1 to {} visible ASCII characters", Mid::MAX)))
}

fn bundle_group(session: &SessionDescription) -> Result<Vec<Mid>, SfuError> {
    let group = session
        .attributes
        .iter()
        .filter(|attribute| attribute.key == "group")
        .filter_map(|attribute| attribute.value.as_deref()?.strip_prefix("BUNDLE"))
        .next()
        .unwrap_or("");
    let mids = group.split_whitespace().map(parse_mid).collect::<Result<Vec<_>, _>>()?;
    if mids.len() > SDP_MEDIA_MAX {
        return Err(malformed("the BUNDLE group names more mids than there may be m-lines"));
    }
    Ok(mids)
}

fn ice_credentials(session: &SessionDescription, media: &MediaDescription) -> Result<IceCredentials, SfuError> {
    let ufrag = attribute(session, media, "ice-ufrag").ok_or_else(|| malformed("ice-ufrag is missing"))?;
    let pwd = attribute(session, media, "ice-pwd").ok_or_else(|| malformed("ice-pwd is missing"))?;
    // RFC 8839 section 5.4.
    let is_ice = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' || byte == b'-');
    if !(4..=256).contains(&ufrag.len()) || !(22..=256).contains(&pwd.len()) || !is_ice(ufrag) || !is_ice(pwd) {
        return Err(malformed("ice-ufrag has 4 to 256 and ice-pwd 22 to 256 characters of letters, digits, + and /"));
    }
    Ok(IceCredentials { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
}

fn fingerprint(session: &SessionDescription, media: &MediaDescription) -> Result<Fingerprint, SfuError> {
    let of_session = session.attributes.iter().filter(|attribute| attribute.key == "fingerprint").filter_map(|a| a.value.as_deref());
    let mut all = values(media, "fingerprint").chain(of_session).peekable();
    if all.peek().is_none() {
        return Err(unacceptable("media must be encrypted with DTLS, but the offer has no fingerprint"));
    }
    // A client may announce one per hash function it knows (RFC 8122 section 5).
    all.find_map(Fingerprint::parse).ok_or_else(|| malformed("no fingerprint is a readable sha-256, sha-384 or sha-512"))
}

fn setup(session: &SessionDescription, media: &MediaDescription) -> Result<Setup, SfuError> {
    match attribute(session, media, "setup") {
        Some("actpass") => Ok(Setup::ActPass),
        Some("active") => Ok(Setup::Active),
        Some("passive") => Ok(Setup::Passive),
        Some(other) => Err(malformed(format!("setup:{} is not known", printable(other)))),
        None => Err(malformed("setup is missing")),
    }
}

/// Foreign text cut to what fits into a message.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(40).collect()
}

fn offered_media(session: &SessionDescription, media: &MediaDescription, bundle: &[Mid]) -> Result<OfferedMedia, SfuError> {
    let mid = parse_mid(media.attribute("mid").flatten().ok_or_else(|| malformed("an m-line has no mid"))?)?;
    let name = &media.media_name;
    let protocol = name.protos.join("/");
    let is_rtp = protocol.ends_with("RTP/SAVPF");
    let kind = match name.media.as_str() {
        "audio" if is_rtp => MediaType::Av(MediaKind::Audio),
        "video" if is_rtp => MediaType::Av(MediaKind::Video),
        _ => MediaType::Other,
    };
    let flag = |key: &str| media.has_attribute(key);
    let (rids, simulcast) = send_rids(media);
    let (ssrcs, cname) = announced_ssrcs(media);
    Ok(OfferedMedia {
        mid,
        media: kind,
        media_name: name.media.clone(),
        protocol,
        formats: name.formats.clone(),
        port_zero: name.port.value == 0 && !flag("bundle-only"),
        direction: direction(session, media),
        payloads: if matches!(kind, MediaType::Av(_)) { payloads(media) } else { Vec::new() },
        extensions: values(media, "extmap").filter_map(extension).collect(),
        rids,
        simulcast,
        ssrcs,
        cname,
        rtcp_mux: flag("rtcp-mux"),
        rtcp_rsize: flag("rtcp-rsize"),
        receiver_rtt: values(media, "rtcp-xr").any(|value| value.split_whitespace().any(|part| part.starts_with("rcvr-rtt="))),
        bundled: bundle.contains(&mid),
        extmap_allow_mixed: flag("extmap-allow-mixed") || session.has_attribute("extmap-allow-mixed"),
    })
}

fn direction(session: &SessionDescription, media: &MediaDescription) -> Direction {
    let of_media = Direction::ALL.into_iter().find(|direction| media.has_attribute(direction.name()));
    let of_session = || Direction::ALL.into_iter().find(|direction| session.has_attribute(direction.name()));
    of_media.or_else(of_session).unwrap_or(Direction::SendRecv)
}

/// Payload types in the order of the m-line. Those without an rtpmap are static ones of RFC 3551, none of which we know.
fn payloads(media: &MediaDescription) -> Vec<OfferedPayload> {
    let mut list: Vec<OfferedPayload> = Vec::with_capacity(media.media_name.formats.len());
    for format in &media.media_name.formats {
        let Some(pt) = format.parse().ok().filter(|pt| *pt < 128).map(Pt) else { continue };
        if list.iter().any(|payload| payload.pt == pt) {
            continue;
        }
        let of_pt = |value: &'_ str| -> Option<String> {
            let (head, rest) = value.split_once(' ')?;
            (head == format).then(|| rest.trim().to_owned())
        };
        let Some(rtpmap) = values(media, "rtpmap").find_map(of_pt) else { continue };
        let mut fields = rtpmap.split('/');
        let (Some(name), Some(Ok(clock_rate_hz))) = (fields.next(), fields.next().map(str::parse)) else { continue };
        list.push(OfferedPayload {
            pt,
            name: name.to_owned(),
            clock_rate_hz,
            channels: fields.next().and_then(|channels| channels.parse().ok()),
            fmtp: values(media, "fmtp").find_map(of_pt).unwrap_or_default(),
            feedback: values(media, "rtcp-fb")
                .filter_map(|value| value.split_once(' ').filter(|(head, _)| head == format || *head == "*"))
                .map(|(_, rest)| rest.trim().to_owned())
                .collect(),
        });
    }
    list
}

/// `<id>[/<direction>] <URI> [..]`.
fn extension(value: &str) -> Option<OfferedExtension> {
    let mut fields = value.split_whitespace();
    let mut head = fields.next()?.split('/');
    let id = head.next()?.parse().ok()?;
    let direction = match head.next() {
        None => Direction::SendRecv,
        Some(name) => Direction::from_name(name)?,
    };
    Some(OfferedExtension { id, uri: fields.next()?.to_owned(), direction })
}

/// The client's simulcast layers (RFC 8853). Alternatives (`a,b`) count as their first, the pause mark `~` is dropped.
fn send_rids(media: &MediaDescription) -> (Vec<Rid>, bool) {
    let declared: Vec<Rid> = values(media, "rid")
        .filter_map(|value| {
            let mut fields = value.split_whitespace();
            let rid = Rid::new(fields.next()?.as_bytes())?;
            (fields.next()? == "send").then_some(rid)
        })
        .collect();
    let send_list = values(media, "simulcast").find_map(|value| {
        let mut fields = value.split_whitespace();
        fields.find(|&field| field == "send")?;
        fields.next()
    });
    let Some(send_list) = send_list else { return (declared, false) };
    let mut ordered = Vec::with_capacity(declared.len());
    for layer in send_list.split(';') {
        let first = layer.split(',').next().unwrap_or(layer);
        if let Some(rid) = Rid::new(first.trim_start_matches('~').as_bytes())
            && declared.contains(&rid)
            && !ordered.contains(&rid)
        {
            ordered.push(rid);
        }
    }
    (ordered, true)
}

type AnnouncedSsrcs = (Vec<(Ssrc, Option<Ssrc>)>, Option<String>);

/// SSRCs in the order of their announcement, RTX streams bound to theirs by `FID` (RFC 5576 section 4.2).
fn announced_ssrcs(media: &MediaDescription) -> AnnouncedSsrcs {
    let repairs: Vec<(Ssrc, Ssrc)> = values(media, "ssrc-group")
        .filter_map(|value| {
            let mut fields = value.strip_prefix("FID ")?.split_whitespace().map(|field| field.parse().map(Ssrc));
            Some((fields.next()?.ok()?, fields.next()?.ok()?))
        })
        .collect();
    let mut list: Vec<(Ssrc, Option<Ssrc>)> = Vec::new();
    let mut cname = None;
    for value in values(media, "ssrc") {
        let mut fields = value.splitn(2, ' ');
        let Some(Ok(ssrc)) = fields.next().map(|field| field.parse().map(Ssrc)) else { continue };
        if let Some(name) = fields.next().and_then(|rest| rest.strip_prefix("cname:")) {
            cname.get_or_insert_with(|| name.to_owned());
        }
        let is_known = list.iter().any(|(known, _)| *known == ssrc) || repairs.iter().any(|(_, rtx)| *rtx == ssrc);
        if !is_known {
            let rtx = repairs.iter().find(|(media, _)| *media == ssrc).map(|(_, rtx)| *rtx);
            list.push((ssrc, rtx));
        }
    }
    (list, cname)
}
