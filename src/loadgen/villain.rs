//! A viewer that means no good: it joins as others do and then does one thing, as fast as it is told, so that what it costs the others
//! can be measured beside a run without it.

use std::time::Duration;

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::link::Link;
use super::reception::{Arrivals, Header, nack, picture_loss};
use super::sdp::Direction;
use super::viewer::{Seat, join};
use crate::limits::{LOADGEN_CONSENT_INTERVAL, LOADGEN_PAYLOAD_BYTES};

/// What a villain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Asks for sent packets again, a hundred in a message.
    Nack,
    /// Asks for key frames.
    Pli,
    /// Transport feedback about packets that it makes up.
    Feedback,
    /// Sealed media under ten thousand SSRCs.
    Ssrcs,
    /// Noise in the form of every protocol of the port, from its own address and from one that it left.
    Noise,
    /// Sessions that it never connects to.
    Handshakes,
}

const SSRCS: u32 = 10_000;
/// As many requests as fit into one message of a browser.
const NACK_NUMBERS: u16 = 100;
/// Datagrams are sent in bursts, one in so long.
const BURST_EVERY: Duration = Duration::from_millis(5);

/// Does it until `stop`, so many times a second. What goes wrong with a villain is nobody's concern.
pub(super) async fn attack(seat: &Seat<'_>, attack: Attack, per_second: f64, stop: &CancellationToken) {
    let done = match attack {
        Attack::Handshakes => half_open(seat, per_second, stop).await,
        Attack::Nack | Attack::Pli | Attack::Feedback | Attack::Ssrcs | Attack::Noise => storm(seat, attack, per_second, stop).await,
    };
    if let Err(error) = done {
        eprintln!("a villain gave up: {error:#}");
    }
}

/// Asks for sessions and leaves each as it is.
async fn half_open(seat: &Seat<'_>, per_second: f64, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let local = seat.identity.local_side();
        // Refused is as good as taken: either way the server had the work.
        if let Err(error) = seat.server.negotiate(seat.broadcast, &local, &Direction::Receive { audio: false }).await {
            tracing::debug!(%error, "a half-open session");
        }
    }
}

async fn storm(seat: &Seat<'_>, attack: Attack, per_second: f64, stop: &CancellationToken) -> anyhow::Result<()> {
    let (mut link, accepted) = join(seat).await?;
    let (own_ssrc, mut media, mut newest) = (rand::random(), None, 0);
    let stale = tokio::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).await?;
    stale.connect(accepted.remote.addresses[0]).await?;
    let mut bursts = tokio::time::interval(BURST_EVERY);
    let mut consent_at = clock::now() + LOADGEN_CONSENT_INTERVAL;
    let (mut owed, mut sent) = (0.0, 0_u32);
    while !stop.is_cancelled() {
        let (payload_type, twcc) = (accepted.remote.video.payload_type, accepted.remote.video.twcc_extension);
        tokio::select! {
            () = stop.cancelled() => break,
            _ = bursts.tick() => {}
            received = link.socket.receive(|_, datagram| if let Some(header) = Header::read(datagram, twcc)
                && header.payload_type == payload_type
            {
                (media, newest) = (Some(header.ssrc), header.sequence);
            }) => {
                received?;
                continue;
            }
        }
        if clock::now() >= consent_at {
            consent_at = clock::now() + LOADGEN_CONSENT_INTERVAL;
            link.renew_consent().await?;
        }
        let Some(media) = media else { continue };
        owed += per_second * BURST_EVERY.as_secs_f64();
        while owed >= 1.0 {
            owed -= 1.0;
            sent = sent.wrapping_add(1);
            match attack {
                Attack::Nack => {
                    let numbers: Vec<u16> = (0..NACK_NUMBERS).map(|back| newest.wrapping_sub(NACK_NUMBERS - back)).collect();
                    link.send_rtcp(&nack(own_ssrc, media, &numbers)).await?;
                }
                Attack::Pli | Attack::Handshakes => link.send_rtcp(&picture_loss(own_ssrc, media)).await?,
                Attack::Feedback => link.send_rtcp(&made_up_feedback(own_ssrc, media)).await?,
                Attack::Ssrcs => {
                    let sealed = link.outbound.encrypt_rtp(&made_up_media(payload_type, sent))?;
                    link.send(&sealed).await;
                }
                Attack::Noise => noise(&mut link, &stale, sent).await,
            }
        }
    }
    link.close().await;
    seat.server.delete(accepted).await;
    Ok(())
}

fn made_up_feedback(own_ssrc: u32, media: u32) -> Vec<u8> {
    let mut arrivals = Arrivals::default();
    let first: u16 = rand::random();
    let at_us = u64::from(rand::random::<u32>());
    (0..100).for_each(|packet: u16| arrivals.note(first.wrapping_add(packet), at_us + u64::from(packet) * 300));
    arrivals.feedback(own_ssrc, media).unwrap_or_default()
}

fn made_up_media(payload_type: u8, number: u32) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&((number / SSRCS) as u16).to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(&(number % SSRCS + 1).to_be_bytes());
    packet.resize(12 + LOADGEN_PAYLOAD_BYTES, 0x5a);
    packet
}

/// Every second one from an address that the server knows.
async fn noise(link: &mut Link, stale: &tokio::net::UdpSocket, number: u32) {
    let datagram = {
        let mut rng = rand::rng();
        let mut datagram = vec![0; rng.random_range(13..200)];
        rng.fill(&mut datagram[..]);
        datagram[0] = [0, 1, 20, 21, 22, 23, 64, 128, 144, 200][rng.random_range(0..10)];
        datagram
    };
    if number.is_multiple_of(2) {
        link.send(&datagram).await;
    } else if let Err(error) = stale.send(&datagram).await {
        tracing::trace!(%error, "noise");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_media_is_rtp_under_ten_thousand_names() {
        let names: std::collections::BTreeSet<u32> =
            (0..25_000).map(|number| Header::read(&made_up_media(96, number), None).expect("RTP").ssrc).collect();
        assert_eq!(names.len(), SSRCS as usize);
    }

    #[test]
    fn made_up_feedback_is_feedback() {
        use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
        use rtc_shared::marshal::Unmarshal;
        let read = TransportLayerCc::unmarshal(&mut &made_up_feedback(1, 2)[..]).expect("feedback");
        assert_eq!((read.media_ssrc, read.packet_status_count), (2, 100));
    }
}
