//! One WHIP session (RFC 9725) with the `webrtc` crate: offer, answer, then frames on schedule until something ends it.
//! Not the retry policy and not the REST calls. Invariant: whatever ends the session, the peer connection is closed and,
//! where the server still listens, the WHIP resource is deleted.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability,
    RtpCodecKind,
};
use rtc_rtp::header::Header;
use rtc_rtp::packet::Packet;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription, Registry, SettingEngineBuilder, SrtpProtectionProfile, register_default_interceptors,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, RtpSender};

use super::clip::Clip;
use super::encode::LAYERS;
use super::schedule::{Due, Schedule};
use crate::limits::{DEMO_CLOSE_TIMEOUT, DEMO_CONNECT_TIMEOUT};

const VIDEO_PAYLOAD_TYPE: u8 = 102;
const AUDIO_PAYLOAD_TYPE: u8 = 111;
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const H264_FMTP: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

/// Why a session is over.
#[derive(Debug)]
pub(super) enum Ended {
    /// We were asked to stop; the server was told.
    Stopped,
    /// The connection was lost, or never came up.
    Lost(String),
    /// The server refused the offer with this status.
    Refused { status: u16, text: String },
}

/// Forwards the connection's state changes out of the callbacks.
struct Watcher {
    gathered: mpsc::Sender<()>,
    states: mpsc::Sender<RTCPeerConnectionState>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Watcher {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            // Full: it was said already.
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        // Full: nobody listens any more.
        let _ = self.states.try_send(state);
    }
}

/// Where to publish and as whom.
pub(super) struct Target<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) whip_url: &'a reqwest::Url,
    pub(super) token: Option<&'a str>,
}

/// One outgoing RTP stream.
struct Stream {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    first_timestamp: u32,
    /// Header extensions of every packet: id and value.
    extensions: Vec<(u8, Bytes)>,
}

impl Stream {
    async fn send(&mut self, payloads: &[Bytes], ticks: u32) -> anyhow::Result<()> {
        for (index, payload) in payloads.iter().enumerate() {
            let mut header = Header {
                version: 2,
                marker: index + 1 == payloads.len() && self.payload_type == VIDEO_PAYLOAD_TYPE,
                payload_type: self.payload_type,
                sequence_number: self.sequence,
                timestamp: self.first_timestamp.wrapping_add(ticks),
                ssrc: self.ssrc,
                ..Header::default()
            };
            for (id, value) in &self.extensions {
                header.set_extension(*id, value.clone()).context("a one-byte header extension holds a short name")?;
            }
            self.sequence = self.sequence.wrapping_add(1);
            self.track.write_rtp(Packet { header, payload: payload.clone() }).await.context("the peer connection takes no more packets")?;
        }
        Ok(())
    }
}

/// Publishes until `stop`, loss or refusal. `live` is called once media flows, `seam` each time the loop begins.
pub(super) async fn publish(target: Target<'_>, clip: &Clip, stop: &CancellationToken, mut seam: impl FnMut(u32)) -> anyhow::Result<Ended> {
    let (gathered_tx, mut gathered) = mpsc::channel(1);
    let (states_tx, mut states) = mpsc::channel(16);
    let local = local_address(target.whip_url).await?;
    let connection = build(Watcher { gathered: gathered_tx, states: states_tx }, local).await?;
    let outcome = run(&connection, target, clip, stop, &mut gathered, &mut states, &mut seam).await;
    // The server knows already; a goodbye that takes longer is not worth anybody's time at the prompt.
    if tokio::time::timeout(DEMO_CLOSE_TIMEOUT, connection.close()).await.is_err() {
        tracing::debug!("the demo's peer connection was left without a goodbye");
    }
    outcome
}

async fn run(
    connection: &impl PeerConnection,
    target: Target<'_>,
    clip: &Clip,
    stop: &CancellationToken,
    gathered: &mut mpsc::Receiver<()>,
    states: &mut mpsc::Receiver<RTCPeerConnectionState>,
    seam: &mut impl FnMut(u32),
) -> anyhow::Result<Ended> {
    let (video, video_ssrcs) = video_track();
    let video_sender = add(connection, &video).await?;
    let (audio, audio_ssrc) = audio_track();
    let audio_sender = add(connection, &audio).await?;
    let offer = connection.create_offer(None).await.context("cannot make an offer")?;
    connection.set_local_description(offer).await.context("cannot apply our own offer")?;
    // Candidates are of no use to an ICE-lite server that is reached by our checks, but a WHIP server may be another one.
    let _ = tokio::time::timeout(DEMO_CONNECT_TIMEOUT, gathered.recv()).await;
    let offer = connection.local_description().await.context("the offer vanished")?;
    let (answer, resource) = match post(&target, offer.sdp).await? {
        Ok(created) => created,
        Err(ended) => return Ok(ended),
    };
    let ended = async {
        let answer = RTCSessionDescription::answer(answer).context("the server's answer is not SDP")?;
        connection.set_remote_description(answer).await.context("the server's answer does not fit our offer")?;
        if let Some(ended) = connected(states, stop).await {
            return Ok(ended);
        }
        let mut streams = streams(&video, &video_ssrcs, &video_sender).await?;
        streams.push(stream(&audio, audio_ssrc, AUDIO_PAYLOAD_TYPE, None, "1", &audio_sender).await?);
        play(&mut streams, clip, stop, states, seam).await
    }
    .await;
    delete(&target, resource).await;
    ended
}

/// A local address from which the server's host can be reached. A wildcard would leave loopback out.
async fn local_address(url: &reqwest::Url) -> anyhow::Result<String> {
    let host = url.host_str().context("the WHIP address has no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let server = tokio::net::lookup_host((host.as_str(), port)).await.with_context(|| format!("cannot find {host}"))?.next();
    let server = server.with_context(|| format!("{host} has no address"))?;
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    // Connecting a UDP socket sends nothing: it asks the routing table.
    let probe = tokio::net::UdpSocket::bind(any).await?;
    probe.connect(server).await.with_context(|| format!("no route to {server}"))?;
    let mut local = probe.local_addr()?;
    local.set_port(0);
    Ok(local.to_string())
}

async fn build(watcher: Watcher, local: String) -> anyhow::Result<impl PeerConnection> {
    let mut engine = MediaEngine::default();
    engine.register_codec(codec(RtpCodecKind::Video), RtpCodecKind::Video)?;
    engine.register_codec(codec(RtpCodecKind::Audio), RtpCodecKind::Audio)?;
    engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri: MID_URI.to_owned() }, RtpCodecKind::Audio, None)?;
    // NACK responder, sender reports, and the mid, rid and rrid extensions for video.
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let settings = SettingEngineBuilder::new()
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .with_include_loopback_candidate(true)
        .build();
    PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_setting_engine(settings)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(watcher))
        .with_udp_addrs(vec![local])
        .build()
        .await
        .context("cannot set up a peer connection")
}

fn codec(kind: RtpCodecKind) -> RTCRtpCodecParameters {
    let (mime_type, clock_rate, channels, fmtp, payload_type) = match kind {
        RtpCodecKind::Audio => (MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1", AUDIO_PAYLOAD_TYPE),
        _ => (MIME_TYPE_H264, 90_000, 0, H264_FMTP, VIDEO_PAYLOAD_TYPE),
    };
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    let rtcp_feedback = if kind == RtpCodecKind::Video { vec![feedback("nack", ""), feedback("nack", "pli")] } else { Vec::new() };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec { mime_type: mime_type.to_owned(), clock_rate, channels, sdp_fmtp_line: fmtp.to_owned(), rtcp_feedback },
        payload_type,
    }
}

fn track(kind: RtpCodecKind, name: &str, encodings: Vec<(&str, u32)>) -> Arc<TrackLocalStaticRTP> {
    let codings = encodings.into_iter().map(|(rid, ssrc)| RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { rid: rid.to_owned(), ssrc: Some(ssrc), ..Default::default() },
        active: true,
        codec: codec(kind).rtp_codec,
        ..Default::default()
    });
    let track = MediaStreamTrack::new("courtside-demo".to_owned(), name.to_owned(), name.to_owned(), kind, codings.collect());
    Arc::new(TrackLocalStaticRTP::new(track))
}

fn video_track() -> (Arc<TrackLocalStaticRTP>, Vec<u32>) {
    let ssrcs: Vec<u32> = LAYERS.iter().map(|_| rand::random()).collect();
    let encodings = LAYERS.iter().zip(&ssrcs).map(|(layer, &ssrc)| (layer.rid, ssrc)).collect();
    (track(RtpCodecKind::Video, "video", encodings), ssrcs)
}

fn audio_track() -> (Arc<TrackLocalStaticRTP>, u32) {
    let ssrc = rand::random();
    (track(RtpCodecKind::Audio, "audio", vec![("", ssrc)]), ssrc)
}

async fn add(connection: &impl PeerConnection, track: &Arc<TrackLocalStaticRTP>) -> anyhow::Result<Arc<dyn RtpSender>> {
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Sendonly, ..Default::default() };
    let transceiver = connection.add_transceiver_from_track(Arc::clone(track) as Arc<dyn TrackLocal>, Some(init)).await;
    let transceiver = transceiver.context("cannot add a track")?;
    transceiver.sender().await.context("asking for the sender")?.context("a sending transceiver has a sender")
}

async fn streams(track: &Arc<TrackLocalStaticRTP>, ssrcs: &[u32], sender: &Arc<dyn RtpSender>) -> anyhow::Result<Vec<Stream>> {
    let mut out = Vec::new();
    for (layer, &ssrc) in LAYERS.iter().zip(ssrcs) {
        out.push(stream(track, ssrc, VIDEO_PAYLOAD_TYPE, Some(layer.rid), "0", sender).await?);
    }
    Ok(out)
}

/// A stream whose packets name their m-line and layer with the ids that the answer settled on.
async fn stream(
    track: &Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    rid: Option<&'static str>,
    mid: &'static str,
    sender: &Arc<dyn RtpSender>,
) -> anyhow::Result<Stream> {
    let parameters = sender.get_parameters().await.context("asking for the negotiated parameters")?.rtp_parameters;
    let id = |uri: &str| parameters.header_extensions.iter().find(|extension| extension.uri == uri).map(|extension| extension.id as u8);
    let named = [
        id(MID_URI).map(|id| (id, Bytes::from_static(mid.as_bytes()))),
        id(RID_URI).zip(rid.map(|rid| Bytes::from_static(rid.as_bytes()))),
    ];
    if rid.is_some() && id(RID_URI).is_none() {
        bail!("the server does not take simulcast by RID");
    }
    Ok(Stream {
        track: Arc::clone(track),
        ssrc,
        payload_type,
        // Below 2^15, so that a lost first packet cannot confuse the receiver's rollover counter (RFC 3711, section 3.3.1).
        sequence: rand::random::<u16>() >> 1,
        first_timestamp: rand::random(),
        extensions: named.into_iter().flatten().collect(),
    })
}

/// Posts the offer. The inner error is a refusal.
async fn post(target: &Target<'_>, offer: String) -> anyhow::Result<Result<(String, Option<reqwest::Url>), Ended>> {
    let mut request = target.http.post(target.whip_url.clone()).header(CONTENT_TYPE, "application/sdp").body(offer);
    if let Some(token) = target.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Ok(Err(Ended::Lost(format!("the server does not answer ({})", error.without_url())))),
    };
    let status = response.status();
    let resource = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|path| target.whip_url.join(path).ok());
    let text = response.text().await.context("the server's answer broke off")?;
    if status.is_success() {
        return Ok(Ok((text, resource)));
    }
    Ok(Err(Ended::Refused { status: status.as_u16(), text: text.chars().take(300).collect() }))
}

async fn delete(target: &Target<'_>, resource: Option<reqwest::Url>) {
    let Some(resource) = resource else { return };
    let mut request = target.http.delete(resource);
    if let Some(token) = target.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Err(error) = request.send().await {
        tracing::debug!(%error, "deleting the demo's WHIP resource");
    }
}

/// Waits until media may flow; an early end otherwise.
async fn connected(states: &mut mpsc::Receiver<RTCPeerConnectionState>, stop: &CancellationToken) -> Option<Ended> {
    let wait = async {
        while let Some(state) = states.recv().await {
            match state {
                RTCPeerConnectionState::Connected => return None,
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => break,
                _ => {}
            }
        }
        Some(Ended::Lost("the media connection failed".to_owned()))
    };
    tokio::select! {
        () = stop.cancelled() => Some(Ended::Stopped),
        outcome = tokio::time::timeout(DEMO_CONNECT_TIMEOUT, wait) => {
            outcome.unwrap_or_else(|_| Some(Ended::Lost("no media connection: is UDP open between here and the server?".to_owned())))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell: the schedule gets its clock here")]
async fn play(
    streams: &mut [Stream],
    clip: &Clip,
    stop: &CancellationToken,
    states: &mut mpsc::Receiver<RTCPeerConnectionState>,
    seam: &mut impl FnMut(u32),
) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let mut schedule = Schedule::default();
    let mut loops = 0;
    let (audio, video) = streams.split_last_mut().ok_or_else(|| anyhow!("there is always an audio stream"))?;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(Ended::Stopped),
            state = states.recv() => match state {
                Some(RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed) | None => {
                    return Ok(Ended::Lost("the connection was lost".to_owned()));
                }
                Some(_) => {}
            },
            () = tokio::time::sleep_until((started + schedule.wake_at()).into()) => {
                while let Some(due) = schedule.poll(started.elapsed()) {
                    match due {
                        Due::Frame { index, ticks } => {
                            if index == 0 {
                                seam(loops);
                                loops += 1;
                            }
                            // The lowest layer first: it is the one that must arrive.
                            for (stream, frames) in video.iter_mut().zip(&clip.video) {
                                stream.send(&frames[index], ticks).await?;
                            }
                        }
                        Due::Audio { index, ticks } => audio.send(std::slice::from_ref(&clip.audio[index]), ticks).await?,
                    }
                }
            }
        }
    }
}
