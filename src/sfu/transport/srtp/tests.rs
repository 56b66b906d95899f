//! The other side is `rtc-srtp`, written by others from the same RFCs; the key derivation is checked against RFC 3711 appendix B.3.

use super::*;

const PROFILES: [SrtpProfile; 2] = [SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmSha1_80];

fn keys(profile: SrtpProfile) -> SrtpKeys {
    let material: Vec<u8> = (0..profile.keying_material_len()).map(|position| (position * 7 + 3) as u8).collect();
    SrtpKeys::of_server(profile, &material).unwrap()
}

/// A packet with two CSRCs and an extension block whose padding stands before its element, which a re-encoding would move.
fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> (Vec<u8>, usize) {
    let mut packet = vec![0x92, 96];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&77u32.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
    packet.extend_from_slice(&[0xBE, 0xDE, 0, 2, 0, 0, 0, 0x12, 1, 2, 3, 0]);
    let header_len = packet.len();
    packet.extend_from_slice(payload);
    (packet, header_len)
}

fn sealed(sealer: &mut SrtpOutbound, ssrc: u32, index: u64, payload: &[u8]) -> (Vec<u8>, Vec<u8>, usize) {
    let (clear, header_len) = packet(ssrc, index as u16, payload);
    let mut buffer = clear.clone();
    sealer.seal_in_place(&mut buffer, 0, header_len, ssrc, index);
    (buffer, clear, header_len)
}

#[test]
fn key_derivation_gives_the_vectors_of_rfc_3711() {
    let hex = |text: &str| -> Vec<u8> { (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect() };
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    for (label, expected) in [
        (LABEL_RTP_KEY, "C61E7A93744F39EE10734AFE3FF7A087"),
        (LABEL_RTP_SALT, "30CBBC08863D8C85D49DB34A9AE1"),
        (LABEL_RTP_AUTH, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
    ] {
        let mut derived = vec![0; expected.len() / 2];
        derive(&key, &salt, label, &mut derived);
        assert_eq!(derived, hex(expected), "label {label}");
    }
}

#[test]
fn an_independent_receiver_opens_what_we_seal() {
    for profile in PROFILES {
        let keys = keys(profile);
        let mut sealer = SrtpOutbound::new(&keys);
        let mut receiver = inbound_context(&keys.mirrored(), default_provider().unwrap().as_ref());
        for payload in [&b""[..], b"x", &[7; 1100]] {
            // A plain header here: rtc-srtp parses it itself.
            let sequence = 100 + payload.len() as u16;
            let mut buffer = vec![0x80, 96];
            buffer.extend_from_slice(&sequence.to_be_bytes());
            buffer.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 5]);
            buffer.extend_from_slice(payload);
            let clear = buffer.clone();
            sealer.seal_in_place(&mut buffer, 0, 12, 5, u64::from(sequence));
            assert_eq!(buffer.len(), clear.len() + sealer.overhead(), "{profile:?}");
            assert_eq!(receiver.decrypt_rtp(&buffer).unwrap(), clear, "{profile:?}");
        }
    }
}

#[test]
fn we_open_what_we_seal_across_the_roll_over() {
    for profile in PROFILES {
        let keys = keys(profile);
        let mut sealer = SrtpOutbound::new(&keys);
        let mut inbound = SrtpInbound::new(&keys.mirrored());
        for index in 65_000..132_000u64 {
            let (buffer, clear, header_len) = sealed(&mut sealer, 9, index - 65_000 + 30_000, b"payload");
            let plain = inbound.decrypt_rtp(&buffer, header_len, 9, (index - 65_000 + 30_000) as u16);
            assert_eq!(plain.unwrap(), clear, "{profile:?} index {index}");
        }
    }
}

#[test]
fn sealing_within_a_buffer_leaves_the_front_alone_and_does_not_allocate() {
    let mut sealer = SrtpOutbound::new(&keys(SrtpProfile::AeadAes128Gcm));
    let (packet, header_len) = packet(1, 2, &[5; 1000]);
    let mut buffer = Vec::with_capacity(4 + packet.len() + sealer.overhead());
    buffer.extend_from_slice(b"1234");
    buffer.extend_from_slice(&packet);
    let at = buffer.as_ptr();
    sealer.seal_in_place(&mut buffer, 4, header_len, 1, 2);
    assert_eq!((buffer.as_ptr(), &buffer[..4]), (at, &b"1234"[..]));
    assert_eq!(buffer[4..4 + header_len], packet[..header_len]);
    assert_ne!(buffer[4 + header_len..4 + packet.len()], packet[header_len..]);
}

#[test]
fn a_changed_packet_is_not_opened() {
    for profile in PROFILES {
        let keys = keys(profile);
        let (buffer, _, header_len) = sealed(&mut SrtpOutbound::new(&keys), 9, 5, b"payload");
        for at in 0..buffer.len() {
            let mut forged = buffer.clone();
            forged[at] ^= 1;
            // SSRC and sequence number are the caller's reading of the header.
            let ssrc = u32::from_be_bytes(forged[8..12].try_into().unwrap());
            let sequence = u16::from_be_bytes([forged[2], forged[3]]);
            let mut inbound = SrtpInbound::new(&keys.mirrored());
            assert_eq!(inbound.decrypt_rtp(&forged, header_len, ssrc, sequence), Err(SrtpDrop::Unauthenticated), "{profile:?} byte {at}");
        }
    }
}

#[test]
fn a_replayed_packet_is_dropped_and_a_late_one_within_the_window_is_not() {
    for profile in PROFILES {
        let keys = keys(profile);
        let mut sealer = SrtpOutbound::new(&keys);
        let mut inbound = SrtpInbound::new(&keys.mirrored());
        let (late, _, header_len) = sealed(&mut sealer, 9, 1_001, b"late");
        let (old, _, _) = sealed(&mut sealer, 9, 900, b"old");
        for index in [1_000, 1_500, 1_950] {
            let (buffer, _, _) = sealed(&mut sealer, 9, index, b"x");
            assert!(inbound.decrypt_rtp(&buffer, header_len, 9, index as u16).is_ok());
            assert_eq!(inbound.decrypt_rtp(&buffer, header_len, 9, index as u16), Err(SrtpDrop::Replayed), "{profile:?}");
        }
        assert!(inbound.decrypt_rtp(&late, header_len, 9, 1_001).is_ok(), "{profile:?}");
        assert_eq!(inbound.decrypt_rtp(&old, header_len, 9, 900), Err(SrtpDrop::Replayed), "{profile:?}");
    }
}

#[test]
fn a_forged_first_packet_neither_takes_a_place_nor_moves_the_window() {
    let keys = keys(SrtpProfile::AeadAes128Gcm);
    let mut inbound = SrtpInbound::new(&keys.mirrored());
    for ssrc in 0..2 * SRTP_SSRCS_MAX as u32 {
        let (forged, header_len) = packet(ssrc, 40_000, &[0; 40]);
        assert_eq!(inbound.decrypt_rtp(&forged, header_len, ssrc, 40_000), Err(SrtpDrop::Unauthenticated));
    }
    assert!(inbound.streams.is_empty());
    let mut sealer = SrtpOutbound::new(&keys);
    for ssrc in 0..SRTP_SSRCS_MAX as u32 {
        let (buffer, clear, header_len) = sealed(&mut sealer, ssrc, 7, b"true");
        assert_eq!(inbound.decrypt_rtp(&buffer, header_len, ssrc, 7).unwrap(), clear);
    }
    let (buffer, _, header_len) = sealed(&mut sealer, 5_000, 7, b"one too many");
    assert_eq!(inbound.decrypt_rtp(&buffer, header_len, 5_000, 7), Err(SrtpDrop::TooManyStreams));
    // All but one go on.
    for index in 0..SRTP_IDLE_PACKETS {
        let (sealed, _, header_len) = sealed(&mut sealer, 1 + index as u32 % 31, 8 + index / 31, b"more");
        assert!(inbound.decrypt_rtp(&sealed, header_len, 1 + index as u32 % 31, 8 + (index / 31) as u16).is_ok());
    }
    let (forged, forged_len) = packet(6_000, 7, &[0; 40]);
    assert_eq!(inbound.decrypt_rtp(&forged, forged_len, 6_000, 7), Err(SrtpDrop::Unauthenticated));
    assert!(inbound.streams.contains_key(&0), "nothing forged takes a place");
    assert!(inbound.decrypt_rtp(&buffer, header_len, 5_000, 7).is_ok());
    assert!(!inbound.streams.contains_key(&0) && inbound.streams.len() == SRTP_SSRCS_MAX);
}

fn receiver_report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    packet
}

#[test]
fn srtcp_opens_once_and_only_when_encrypted_by_the_peer() {
    for profile in PROFILES {
        let keys = keys(profile);
        let mut outbound = SrtcpOutbound::new(&keys);
        let mut inbound = SrtpInbound::new(&keys.mirrored());
        let clear = receiver_report(4);
        let first = outbound.encrypt_rtcp(&clear).unwrap();
        let second = outbound.encrypt_rtcp(&clear).unwrap();
        assert!(first.len() <= clear.len() + SrtcpOutbound::OVERHEAD);
        assert_eq!(inbound.decrypt_rtcp(&second).unwrap(), clear, "{profile:?}");
        assert_eq!(inbound.decrypt_rtcp(&first).unwrap(), clear, "{profile:?}: out of order");
        assert_eq!(inbound.decrypt_rtcp(&first), Err(SrtpDrop::Replayed), "{profile:?}");
        for at in 0..second.len() {
            let mut forged = second.to_vec();
            forged[at] ^= 0x80;
            let drop = SrtpInbound::new(&keys.mirrored()).decrypt_rtcp(&forged).unwrap_err();
            assert_eq!(drop, SrtpDrop::Unauthenticated, "{profile:?} byte {at}");
        }
        // Plain RTCP with an index whose E bit is clear, which rtc-srtp would hand through under the SHA1 profile.
        let mut plain = clear.clone();
        plain.extend_from_slice(&[0, 0, 0, 9]);
        plain.extend_from_slice(&[0; 16]);
        assert_eq!(inbound.decrypt_rtcp(&plain[..clear.len() + 14]), Err(SrtpDrop::Unauthenticated), "{profile:?}");
    }
}

#[test]
fn forged_srtcp_senders_leave_no_state() {
    let keys = keys(SrtpProfile::Aes128CmSha1_80);
    let mut outbound = SrtcpOutbound::new(&keys);
    let mut inbound = SrtpInbound::new(&keys.mirrored());
    let sealed = outbound.encrypt_rtcp(&receiver_report(1)).unwrap();
    for ssrc in 100..100 + 3 * SRTCP_SSRCS_MAX as u32 {
        let mut forged = sealed.to_vec();
        forged[4..8].copy_from_slice(&ssrc.to_be_bytes());
        assert_eq!(inbound.decrypt_rtcp(&forged), Err(SrtpDrop::Unauthenticated));
    }
    assert!(inbound.control_windows.is_empty() && inbound.control_forged <= SRTCP_SSRCS_MAX);
    assert!(inbound.decrypt_rtcp(&sealed).is_ok());
}

#[test]
fn short_packets_are_malformed_not_a_panic() {
    for profile in PROFILES {
        let mut inbound = SrtpInbound::new(&keys(profile));
        for len in 0..60 {
            let packet = vec![0x80; len];
            assert!(inbound.decrypt_rtp(&packet, 12, 1, 1).is_err());
            assert!(inbound.decrypt_rtp(&packet, 9, 1, 1).is_err());
            assert!(inbound.decrypt_rtp(&packet, 4_000, 1, 1).is_err());
            assert!(inbound.decrypt_rtcp(&packet).is_err());
        }
    }
}

#[test]
fn the_replay_window_takes_each_index_once() {
    let mut window = ReplayWindow::new(10);
    for index in [10, 11, 500, 499, 12, 2_000, 5_000, 4_500, 3_977] {
        assert!(window.is_new(index), "{index}");
        window.accept(index);
        assert!(!window.is_new(index), "{index}");
    }
    assert!(!window.is_new(3_976), "older than the window");
    assert!(window.is_new(3_978) && window.is_new(5_001));
}
