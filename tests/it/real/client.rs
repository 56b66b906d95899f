//! A publisher and a viewer on the `webrtc` crate, by WHIP and WHEP, and the SDP surgery that leads them through a [`Relay`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use courtside::ids::PeerId;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use reqwest::{Method, Response, StatusCode};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability,
    RtpCodecKind,
};
use rtc_rtp::header::Header;
use rtc_rtp::packet::Packet;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription, Registry, SettingEngineBuilder, SrtpProtectionProfile, register_default_interceptors,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, RtpSender};

use super::house::{House, within};
use super::picture::{self, Judged, Received, Sent, begins_keyframe, judge};
use super::relay::Relay;

const VIDEO_PAYLOAD_TYPE: u8 = 102;
const AUDIO_PAYLOAD_TYPE: u8 = 111;
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const H264_FMTP: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// Between two consent checks: what a moved client needs to be found again.
const KEEPALIVE: Duration = Duration::from_millis(400);

/// What a stack reports, out of its callbacks.
struct Watcher {
    states: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    tracks: mpsc::UnboundedSender<Arc<dyn TrackRemote>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Watcher {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.states.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.tracks.send(track);
    }
}

/// A stack and what it reports.
pub(super) struct Stack {
    pub(super) connection: Arc<dyn PeerConnection>,
    states: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
    tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
}

impl Stack {
    async fn new(house: &House) -> Self {
        let mut engine = MediaEngine::default();
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            engine.register_codec(codec(kind), kind).unwrap();
        }
        engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri: MID_URI.to_owned() }, RtpCodecKind::Audio, None).unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let settings = SettingEngineBuilder::new()
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_include_loopback_candidate(true)
            .with_ice_timeouts(None, None, Some(KEEPALIVE))
            .build();
        let (states, states_out) = watch::channel(RTCPeerConnectionState::New);
        let (gathered, gathered_out) = watch::channel(false);
        let (tracks, tracks_out) = mpsc::unbounded_channel();
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Watcher { states, gathered, tracks }))
            .with_udp_addrs(vec![house.client_address()])
            .build()
            .await
            .unwrap();
        Self { connection: Arc::new(connection), states: states_out, gathered: gathered_out, tracks: tracks_out }
    }

    /// Makes and applies an offer; returns it with its candidates.
    pub(super) async fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        within("candidates", self.gathered.wait_for(|done| *done)).await.unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    pub(super) async fn accept(&self, answer: String) {
        self.connection.set_remote_description(RTCSessionDescription::answer(answer).unwrap()).await.unwrap();
    }

    async fn connected(&mut self) {
        let connected = self.states.wait_for(|state| *state == RTCPeerConnectionState::Connected);
        within("ICE and DTLS", connected).await.unwrap();
    }
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

/// A WHIP or WHEP session.
pub(super) struct Resource {
    pub(super) url: String,
    pub(super) etag: String,
    pub(super) answer: String,
    token: Option<String>,
}

impl Resource {
    /// The media address that the answer names.
    pub(super) fn media(&self) -> SocketAddr {
        candidate(&self.answer)
    }

    pub(super) fn peer(&self) -> PeerId {
        self.url.rsplit('/').next().unwrap().parse().unwrap()
    }

    pub(super) async fn delete(&self, house: &House) -> StatusCode {
        request(house, Method::DELETE, &self.url, self.token.as_deref(), None, "").await.status()
    }

    /// An ICE restart: returns the server's fragment.
    pub(super) async fn restart(&self, house: &House, fragment: &str) -> Response {
        let kind = "application/trickle-ice-sdpfrag";
        let mut patch = house.http.patch(house.url(&self.url)).header(CONTENT_TYPE, kind).header(IF_MATCH, "*").body(fragment.to_owned());
        if let Some(token) = &self.token {
            patch = patch.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        within("an ICE restart", patch.send()).await.unwrap()
    }
}

/// One request with the bearer and body it needs.
pub(super) async fn request(
    house: &House,
    method: Method,
    path: &str,
    token: Option<&str>,
    content_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> Response {
    let mut request = house.http.request(method, house.url(path)).body(body);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    within(path, request.send()).await.unwrap()
}

/// The session of a 201.
pub(super) async fn created(response: Response, token: Option<&str>) -> Resource {
    let text = |name| response.headers().get(name).map(|value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned());
    let (status, url, etag) = (response.status(), text(LOCATION), text(ETAG));
    let body = response.text().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{body}");
    Resource { url: url.unwrap(), etag: etag.unwrap(), answer: body, token: token.map(str::to_owned) }
}

/// The address of an answer's candidate.
pub(super) fn candidate(sdp: &str) -> SocketAddr {
    let line = sdp.lines().find_map(|line| line.strip_prefix("a=candidate:")).unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    SocketAddr::new(fields[4].parse().unwrap(), fields[5].parse().unwrap())
}

/// The same SDP with every candidate at `address`.
pub(super) fn led_to(sdp: &str, address: SocketAddr) -> String {
    let led = |line: &str| match line.strip_prefix("a=candidate:") {
        Some(candidate) => {
            let mut fields: Vec<String> = candidate.split(' ').map(str::to_owned).collect();
            fields[4] = address.ip().to_string();
            fields[5] = address.port().to_string();
            format!("a=candidate:{}\r\n", fields.join(" "))
        }
        None => format!("{line}\r\n"),
    };
    sdp.lines().map(led).collect()
}

/// A live publisher: 25 pictures and 50 audio packets a second, all of them known.
pub(super) struct Publisher {
    stack: Stack,
    pub(super) resource: Resource,
    video: Arc<Mutex<Vec<Sent>>>,
    audio: Arc<Mutex<Vec<Sent>>>,
    sending: JoinHandle<()>,
}

impl Publisher {
    /// Publishes under `slug`; `tag` makes its payloads its own.
    pub(super) async fn go_live(house: &House, slug: &str, token: Option<&str>, tag: u8) -> Self {
        Self::go_live_by(house, slug, token, tag, async |answer| answer.to_owned()).await
    }

    /// The same, with the answer as `lead` makes it of the server's.
    pub(super) async fn go_live_by(
        house: &House,
        slug: &str,
        token: Option<&str>,
        tag: u8,
        lead: impl AsyncFnOnce(&str) -> String,
    ) -> Self {
        let mut stack = Stack::new(house).await;
        let (video_out, audio_out) =
            (local_track(RtpCodecKind::Video, 1000 + u32::from(tag)), local_track(RtpCodecKind::Audio, 2000 + u32::from(tag)));
        let video_sender = add(&stack, &video_out).await;
        let audio_sender = add(&stack, &audio_out).await;
        let offer = stack.offer().await;
        let response = request(house, Method::POST, &format!("/whip/{slug}"), token, Some("application/sdp"), offer).await;
        let resource = created(response, token).await;
        stack.accept(lead(&resource.answer).await).await;
        stack.connected().await;
        // Just below the wrap, so that every test passes it.
        let video_stream = Stream::new(video_out, 1000 + u32::from(tag), VIDEO_PAYLOAD_TYPE, 65_400, "0", &video_sender).await;
        let audio_stream = Stream::new(audio_out, 2000 + u32::from(tag), AUDIO_PAYLOAD_TYPE, 65_500, "1", &audio_sender).await;
        let (video, audio) = (Arc::default(), Arc::default());
        let sending = tokio::spawn(send(tag, video_stream, audio_stream, Arc::clone(&video), Arc::clone(&audio)));
        Self { stack, resource, video, audio, sending }
    }

    pub(super) fn sent_video(&self) -> Vec<Sent> {
        self.video.lock().unwrap().clone()
    }

    pub(super) fn sent_audio(&self) -> Vec<Sent> {
        self.audio.lock().unwrap().clone()
    }

    /// Ends without a word to WHIP; DTLS says goodbye.
    pub(super) async fn vanish(self) -> Vec<Sent> {
        self.sending.abort();
        let _ = self.stack.connection.close().await;
        self.sent_video()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

fn local_track(kind: RtpCodecKind, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        active: true,
        codec: codec(kind).rtp_codec,
        ..Default::default()
    };
    let name = format!("track-{ssrc}");
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new("test".to_owned(), name.clone(), name, kind, vec![coding])))
}

async fn add(stack: &Stack, track: &Arc<TrackLocalStaticRTP>) -> Arc<dyn RtpSender> {
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Sendonly, ..Default::default() };
    let transceiver = stack.connection.add_transceiver_from_track(Arc::clone(track) as Arc<dyn TrackLocal>, Some(init)).await.unwrap();
    transceiver.sender().await.unwrap().unwrap()
}

/// One outgoing RTP stream.
struct Stream {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    mid: (u8, Bytes),
}

impl Stream {
    async fn new(
        track: Arc<TrackLocalStaticRTP>,
        ssrc: u32,
        payload_type: u8,
        sequence: u16,
        mid: &'static str,
        sender: &Arc<dyn RtpSender>,
    ) -> Self {
        let parameters = sender.get_parameters().await.unwrap().rtp_parameters;
        let id = parameters.header_extensions.iter().find(|extension| extension.uri == MID_URI).unwrap().id as u8;
        Self { track, ssrc, payload_type, sequence, mid: (id, Bytes::from_static(mid.as_bytes())) }
    }

    async fn send(&mut self, sent: Sent, log: &Mutex<Vec<Sent>>) {
        let mut header = Header {
            version: 2,
            marker: sent.marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: sent.ticks.wrapping_add(4_294_900_000),
            ssrc: self.ssrc,
            ..Header::default()
        };
        header.set_extension(self.mid.0, self.mid.1.clone()).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        let payload = sent.payload.clone();
        log.lock().unwrap().push(sent);
        // The stack may have been closed; then nobody sees the packet.
        let _ = self.track.write_rtp(Packet { header, payload }).await;
    }
}

async fn send(tag: u8, mut video: Stream, mut audio: Stream, video_log: Arc<Mutex<Vec<Sent>>>, audio_log: Arc<Mutex<Vec<Sent>>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for index in 0.. {
        ticks.tick().await;
        audio.send(picture::audio(tag, index), &audio_log).await;
        if index % 2 == 0 {
            for packet in picture::video(tag, index / 2) {
                video.send(packet, &video_log).await;
            }
        }
    }
}

/// What has arrived on one track.
pub(super) type Track = watch::Receiver<Vec<Received>>;

/// A viewer and all that it has received.
pub(super) struct Viewer {
    pub(super) stack: Stack,
    pub(super) video: Track,
    pub(super) audio: Track,
    reading: JoinHandle<()>,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Viewer {
    /// A stack that wants sound and picture, and its offer.
    pub(super) async fn new(house: &House) -> (Self, String) {
        let mut stack = Stack::new(house).await;
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
            stack.connection.add_transceiver_from_kind(kind, Some(init)).await.unwrap();
        }
        let offer = stack.offer().await;
        let (video_in, video) = watch::channel(Vec::new());
        let (audio_in, audio) = watch::channel(Vec::new());
        let (_, none) = mpsc::unbounded_channel();
        let tracks = std::mem::replace(&mut stack.tracks, none);
        let reading = tokio::spawn(read_all(tracks, video_in, audio_in));
        (Self { stack, video, audio, reading }, offer)
    }

    /// By WHEP, straight.
    pub(super) async fn watch(house: &House, slug: &str, token: Option<&str>) -> (Self, Resource) {
        let (mut viewer, offer) = Self::new(house).await;
        let resource = watched(house, slug, token, offer).await;
        viewer.stack.accept(resource.answer.clone()).await;
        viewer.stack.connected().await;
        (viewer, resource)
    }

    /// By WHEP, through a relay.
    pub(super) async fn watch_through_relay(house: &House, slug: &str) -> (Self, Resource, Relay) {
        let (mut viewer, offer) = Self::new(house).await;
        let resource = watched(house, slug, None, offer).await;
        let relay = Relay::to(resource.media()).await;
        viewer.stack.accept(led_to(&resource.answer, relay.address())).await;
        viewer.stack.connected().await;
        (viewer, resource, relay)
    }

    pub(super) async fn connected(&mut self) {
        self.stack.connected().await;
    }

    /// Waits for `count` more pictures' packets than have arrived by now.
    pub(super) async fn goes_on(&mut self, count: usize) {
        let before = self.video.borrow().len();
        within("more packets", self.video.wait_for(|packets| packets.len() >= before + count)).await.unwrap();
    }

    /// Waits until a run of `count` consecutive packets has arrived on `track`, all as `sources` sent them, and judges everything.
    pub(super) async fn sees(track: &mut Track, count: usize, sources: &[&dyn Fn() -> Vec<Sent>]) -> Judged {
        within("a run of consecutive packets", async {
            let mut enough = count;
            loop {
                let received = track.wait_for(|packets| packets.len() >= enough).await.unwrap().clone();
                // What was received was sent before, so the logs are read afterwards.
                let sent: Vec<Vec<Sent>> = sources.iter().map(|log| log()).collect();
                let judged = judge(&received, &sent);
                if judged.run >= count {
                    return judged;
                }
                enough = received.len() + 10;
            }
        })
        .await
    }
}

/// Asks for the session until the broadcast is live: its first packets may still be under way.
pub(super) async fn watched(house: &House, slug: &str, token: Option<&str>, offer: String) -> Resource {
    within("a live broadcast", async {
        let mut tries = tokio::time::interval(Duration::from_millis(50));
        loop {
            tries.tick().await;
            let response = request(house, Method::POST, &format!("/whep/{slug}"), token, Some("application/sdp"), offer.clone()).await;
            if response.status() != StatusCode::CONFLICT {
                return created(response, token).await;
            }
        }
    })
    .await
}

async fn read_all(
    mut tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    video: watch::Sender<Vec<Received>>,
    audio: watch::Sender<Vec<Received>>,
) {
    let mut readers = tokio::task::JoinSet::new();
    while let Some(track) = tracks.recv().await {
        let is_video = track.kind().await == RtpCodecKind::Video;
        let sink = if is_video { video.clone() } else { audio.clone() };
        readers.spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    // A stack may come up after the server's first packets, which are then lost without a trace. A browser asks for the
                    // picture again; here the next key frame is at most 0.4 s away. That the server begins with one, the simulation holds.
                    if is_video && sink.borrow().is_empty() && !begins_keyframe(&packet.payload) {
                        continue;
                    }
                    let Header { ssrc, sequence_number, timestamp, marker, .. } = packet.header;
                    sink.send_modify(|all| all.push(Received { ssrc, seq: sequence_number, timestamp, marker, payload: packet.payload }));
                }
            }
        });
    }
}
