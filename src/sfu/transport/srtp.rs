//! SRTP and SRTCP of one peer (RFC 3711, RFC 7714): `rtc-srtp` opens what arrives and seals SRTCP, the hot path's seal is ours.
//!
//! Ours because a sealed packet per viewer is the cost of the whole server: in place, no allocation, one AES-GCM call of `ring`. The
//! index (roll-over counter and sequence number) is the caller's, so nothing here guesses. Invariant for the caller: never seal
//! different bytes under one (ssrc, index); with GCM that gives the key away.
//!
//! What `rtc-srtp` does with packets that are not authentic yet is kept from harm: it stores state per SSRC before it authenticates and
//! lets the first packet, forged or not, place the replay window, so every SSRC gets a context of its own that lives only from its first
//! authentic packet on; it takes SRTCP without the E bit unauthenticated under the SHA1 profile, so such packets stop here; and it
//! recomputes the length of the RTP header, so it is handed a header of the right length instead.

use std::collections::HashMap;

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use bytes::BytesMut;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rtc_dtls::crypto_provider::{HmacAlgorithm, Mac, RTCCryptoProvider, SecretVec, StreamCipher, StreamCipherAlgorithm, default_provider};
use rtc_shared::error::Error as RtcError;
use rtc_srtp::context::Context;
use rtc_srtp::option::srtp_replay_protection;
use rtc_srtp::protection_profile::ProtectionProfile;

use crate::limits::{SRTCP_SSRCS_MAX, SRTP_IDLE_PACKETS, SRTP_REPLAY_WINDOW, SRTP_SSRCS_MAX};

/// Key derivation labels (RFC 3711 section 4.3.1).
const LABEL_RTP_KEY: u8 = 0;
const LABEL_RTP_AUTH: u8 = 1;
const LABEL_RTP_SALT: u8 = 2;

const KEY_LEN: usize = 16;
const GCM_TAG: usize = 16;
const GCM_SALT: usize = 12;
const SHA1_TAG: usize = 10;
const SHA1_SALT: usize = 14;
const SRTCP_INDEX: usize = 4;
/// The fixed part of an RTCP packet that stays readable: header and sender SSRC.
const RTCP_CLEAR: usize = 8;
const RTP_FIXED_HEADER: usize = 12;

/// The protection profiles that are negotiated (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`, preferred: 4 to 5 times cheaper.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, which everyone has.
    Aes128CmSha1_80,
}

impl SrtpProfile {
    /// Bytes of a master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => GCM_SALT,
            Self::Aes128CmSha1_80 => SHA1_SALT,
        }
    }

    /// Bytes of a master key.
    pub const fn key_len(self) -> usize {
        KEY_LEN
    }

    /// Bytes to export from DTLS: both keys and both salts (RFC 5764 section 4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    const fn of_rtc(self) -> ProtectionProfile {
        match self {
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        }
    }
}

/// The master keys of both directions; wiped from memory when dropped, never printed.
#[derive(Debug, Clone)]
pub struct SrtpKeys {
    pub profile: SrtpProfile,
    /// What we seal with.
    pub local_key: SecretVec,
    pub local_salt: SecretVec,
    /// What the peer seals with.
    pub remote_key: SecretVec,
    pub remote_salt: SecretVec,
}

impl SrtpKeys {
    /// Splits what the DTLS server exported: client key, server key, client salt, server salt (RFC 5764 section 4.2). `None` unless
    /// `material` has exactly [`SrtpProfile::keying_material_len`] bytes.
    pub fn of_server(profile: SrtpProfile, material: &[u8]) -> Option<Self> {
        if material.len() != profile.keying_material_len() {
            return None;
        }
        let (keys, salts) = material.split_at(2 * profile.key_len());
        let (client_key, server_key) = keys.split_at(profile.key_len());
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let secret = |bytes: &[u8]| SecretVec::new(bytes.to_vec());
        Some(Self {
            profile,
            local_key: secret(server_key),
            local_salt: secret(server_salt),
            remote_key: secret(client_key),
            remote_salt: secret(client_salt),
        })
    }

    /// The same keys as the other side names them.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self {
            profile: self.profile,
            local_key: self.remote_key.clone(),
            local_salt: self.remote_salt.clone(),
            remote_key: self.local_key.clone(),
            remote_salt: self.local_salt.clone(),
        }
    }
}

/// Why a packet was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpDrop {
    /// Too short, or a header length that no RTP header has.
    Malformed,
    /// Not sealed by the peer's key.
    Unauthenticated,
    /// Seen before, or older than the replay window.
    Replayed,
    /// A new SSRC while `limits::SRTP_SSRCS_MAX` are in use, or `SRTCP_SSRCS_MAX` known.
    TooManyStreams,
}

impl From<RtcError> for SrtpDrop {
    fn from(error: RtcError) -> Self {
        match error {
            RtcError::SrtpSsrcDuplicated(..) | RtcError::SrtcpSsrcDuplicated(..) => Self::Replayed,
            _ => Self::Unauthenticated,
        }
    }
}

/// Opens what one peer sends.
pub struct SrtpInbound {
    keys: SrtpKeys,
    provider: std::sync::Arc<dyn RTCCryptoProvider>,
    /// By SSRC from which an authentic packet came.
    streams: HashMap<u32, Stream>,
    /// Authentic packets so far.
    opened: u64,
    /// Opens SRTCP of every sender. It keeps no replay state, so it can be made anew at any time.
    control: Context,
    control_windows: HashMap<u32, ReplayWindow>,
    /// Forged SRTCP that `control` may have kept state for.
    control_forged: usize,
    /// Stands in for the header of the packet at hand: only SSRC, sequence number and encoded length are read from it.
    header: rtc_rtp::header::Header,
}

impl SrtpInbound {
    pub fn new(keys: &SrtpKeys) -> Self {
        let provider = default_provider().expect("a provider is built in");
        let control = inbound_context(keys, provider.as_ref());
        Self {
            keys: keys.clone(),
            provider,
            streams: HashMap::new(),
            opened: 0,
            control,
            control_windows: HashMap::new(),
            control_forged: 0,
            header: rtc_rtp::header::Header::default(),
        }
    }

    /// Opens an SRTP packet whose header is `header_len` bytes (extensions included) and names `ssrc` and `sequence`. Returns the whole
    /// packet in clear, without the tag.
    ///
    /// # Errors
    /// The packet is to be dropped and counted.
    pub fn decrypt_rtp(&mut self, packet: &[u8], header_len: usize, ssrc: u32, sequence: u16) -> Result<BytesMut, SrtpDrop> {
        if header_len < RTP_FIXED_HEADER || !header_len.is_multiple_of(4) || packet.len() < header_len + SHA1_TAG {
            return Err(SrtpDrop::Malformed);
        }
        self.header.ssrc = ssrc;
        self.header.sequence_number = sequence;
        self.header.csrc.resize((header_len - RTP_FIXED_HEADER) / 4, 0);
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            let plain = stream.context.decrypt_rtp_with_header(packet, &self.header)?;
            self.opened += 1;
            stream.newest = self.opened;
            return Ok(plain);
        }
        // A client whose camera goes off and on again has other SSRCs each time, and never says that the old ones are gone.
        let idlest = match self.streams.len() {
            0..SRTP_SSRCS_MAX => None,
            _ => Some(self.idlest().ok_or(SrtpDrop::TooManyStreams)?),
        };
        let mut context = inbound_context(&self.keys, self.provider.as_ref());
        let plain = context.decrypt_rtp_with_header(packet, &self.header)?;
        idlest.map(|idlest| self.streams.remove(&idlest));
        self.opened += 1;
        self.streams.insert(ssrc, Stream { context, newest: self.opened });
        Ok(plain)
    }

    /// Opens an SRTCP packet; returns the compound packet in clear.
    ///
    /// # Errors
    /// The packet is to be dropped and counted.
    pub fn decrypt_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpDrop> {
        let behind_index = match self.keys.profile {
            SrtpProfile::AeadAes128Gcm => 0,
            SrtpProfile::Aes128CmSha1_80 => SHA1_TAG,
        };
        let index_at = packet.len().checked_sub(SRTCP_INDEX + behind_index).filter(|&at| at >= RTCP_CLEAR).ok_or(SrtpDrop::Malformed)?;
        let word = u32::from_be_bytes(packet[index_at..index_at + SRTCP_INDEX].try_into().expect("four bytes"));
        let ssrc = u32::from_be_bytes(packet[4..RTCP_CLEAR].try_into().expect("four bytes"));
        if word & 1 << 31 == 0 {
            return Err(SrtpDrop::Unauthenticated);
        }
        let index = u64::from(word & !(1 << 31));
        match self.control_windows.get(&ssrc) {
            Some(window) if !window.is_new(index) => return Err(SrtpDrop::Replayed),
            None if self.control_windows.len() >= SRTCP_SSRCS_MAX => return Err(SrtpDrop::TooManyStreams),
            Some(_) | None => {}
        }
        match self.control.decrypt_rtcp(packet) {
            Ok(plain) => {
                self.control_windows.entry(ssrc).or_insert_with(|| ReplayWindow::new(index)).accept(index);
                Ok(plain)
            }
            Err(error) => {
                self.control_forged += 1;
                if self.control_forged > SRTCP_SSRCS_MAX {
                    self.control = inbound_context(&self.keys, self.provider.as_ref());
                    self.control_forged = 0;
                }
                Err(error.into())
            }
        }
    }

    /// The SSRC that has been silent for the longest, if that is long.
    fn idlest(&self) -> Option<u32> {
        let (ssrc, stream) = self.streams.iter().min_by_key(|(_, stream)| stream.newest)?;
        (self.opened - stream.newest >= SRTP_IDLE_PACKETS).then_some(*ssrc)
    }
}

/// What one SSRC sends.
struct Stream {
    context: Context,
    /// Which of all authentic packets its newest was.
    newest: u64,
}

fn inbound_context(keys: &SrtpKeys, provider: &dyn RTCCryptoProvider) -> Context {
    let replay = Some(srtp_replay_protection(SRTP_REPLAY_WINDOW));
    Context::new(keys.remote_key.as_ref(), keys.remote_salt.as_ref(), keys.profile.of_rtc(), replay, None, provider.crypto())
        .expect("the lengths of key and salt follow from the profile")
}

/// Which of the last `limits::SRTP_REPLAY_WINDOW` SRTCP indices arrived (RFC 3711 section 3.3.2).
struct ReplayWindow {
    newest: u64,
    /// Bit `index % window`, valid for the window that ends at `newest`.
    seen: [u64; SRTP_REPLAY_WINDOW / 64],
}

impl ReplayWindow {
    const WINDOW: u64 = SRTP_REPLAY_WINDOW as u64;

    const fn new(newest: u64) -> Self {
        Self { newest, seen: [0; SRTP_REPLAY_WINDOW / 64] }
    }

    const fn place(index: u64) -> (usize, u64) {
        let bit = index % Self::WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn is_new(&self, index: u64) -> bool {
        let (word, bit) = Self::place(index);
        index > self.newest || (self.newest - index < Self::WINDOW && self.seen[word] & bit == 0)
    }

    fn accept(&mut self, index: u64) {
        if index > self.newest {
            if index - self.newest >= Self::WINDOW {
                self.seen = [0; SRTP_REPLAY_WINDOW / 64];
            } else {
                for skipped in self.newest + 1..index {
                    let (word, bit) = Self::place(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.newest = index;
        }
        let (word, bit) = Self::place(index);
        self.seen[word] |= bit;
    }
}

/// Seals the SRTCP we send to one peer; counts the SRTCP index itself.
pub struct SrtcpOutbound {
    context: Context,
}

impl SrtcpOutbound {
    /// Bytes that sealing adds at most.
    pub const OVERHEAD: usize = GCM_TAG + SRTCP_INDEX;

    pub fn new(keys: &SrtpKeys) -> Self {
        let provider = default_provider().expect("a provider is built in");
        let context = Context::new(keys.local_key.as_ref(), keys.local_salt.as_ref(), keys.profile.of_rtc(), None, None, provider.crypto())
            .expect("the lengths of key and salt follow from the profile");
        Self { context }
    }

    /// Seals a compound packet of ours. `None` when it is not RTCP (shorter than 8 bytes, wrong version), which is a bug of the caller.
    pub fn encrypt_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.context.encrypt_rtcp(packet).ok()
    }
}

/// Seals the RTP we send to one peer.
#[expect(clippy::large_enum_variant, reason = "GCM is the rule and its key is read for every packet: no pointer in between")]
pub enum SrtpOutbound {
    Gcm(GcmSealer),
    Sha1(Box<Sha1Sealer>),
}

impl SrtpOutbound {
    pub fn new(keys: &SrtpKeys) -> Self {
        match keys.profile {
            SrtpProfile::AeadAes128Gcm => Self::Gcm(GcmSealer::new(keys.local_key.as_ref(), keys.local_salt.as_ref())),
            SrtpProfile::Aes128CmSha1_80 => Self::Sha1(Box::new(Sha1Sealer::new(keys.local_key.as_ref(), keys.local_salt.as_ref()))),
        }
    }

    /// Bytes that sealing appends to a packet.
    pub const fn overhead(&self) -> usize {
        match self {
            Self::Gcm(_) => GCM_TAG,
            Self::Sha1(_) => SHA1_TAG,
        }
    }

    /// Seals the packet `buffer[start..]` in place and appends the tag. `index` is the roll-over counter shifted left by 16, or the
    /// sequence number in the header. Reserve [`Self::overhead`] bytes and nothing is allocated.
    ///
    /// # Panics
    /// When `buffer[start..]` is shorter than `header_len`.
    pub fn seal_in_place(&mut self, buffer: &mut Vec<u8>, start: usize, header_len: usize, ssrc: u32, index: u64) {
        match self {
            Self::Gcm(sealer) => sealer.seal_in_place(buffer, start, header_len, ssrc, index),
            Self::Sha1(sealer) => sealer.seal_in_place(buffer, start, header_len, ssrc, index),
        }
    }
}

/// AEAD_AES_128_GCM (RFC 7714 section 8).
pub struct GcmSealer {
    key: LessSafeKey,
    salt: [u8; GCM_SALT],
}

impl GcmSealer {
    fn new(master_key: &[u8], master_salt: &[u8]) -> Self {
        let mut key = [0; KEY_LEN];
        let mut salt = [0; GCM_SALT];
        derive(master_key, master_salt, LABEL_RTP_KEY, &mut key);
        derive(master_key, master_salt, LABEL_RTP_SALT, &mut salt);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("AES-128 takes 16 bytes"));
        Self { key, salt }
    }

    /// As [`SrtpOutbound::seal_in_place`].
    ///
    /// # Panics
    /// When `buffer[start..]` is shorter than `header_len`.
    pub fn seal_in_place(&self, buffer: &mut Vec<u8>, start: usize, header_len: usize, ssrc: u32, index: u64) {
        // 00 00 | SSRC | ROC | SEQ, xor salt (RFC 7714 section 8.1).
        let mut nonce = self.salt;
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        let (header, payload) = buffer[start..].split_at_mut(header_len);
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), payload)
            .expect("a datagram is shorter than the 64 GB that GCM seals");
        buffer.extend_from_slice(tag.as_ref());
    }
}

/// AES_CM_128_HMAC_SHA1_80 (RFC 3711 sections 4.1.1 and 4.2.1).
pub struct Sha1Sealer {
    cipher: Box<dyn StreamCipher>,
    mac: Box<dyn Mac>,
    salt: [u8; SHA1_SALT],
}

impl Sha1Sealer {
    fn new(master_key: &[u8], master_salt: &[u8]) -> Self {
        let (mut key, mut auth, mut salt) = ([0; KEY_LEN], [0; 20], [0; SHA1_SALT]);
        derive(master_key, master_salt, LABEL_RTP_KEY, &mut key);
        derive(master_key, master_salt, LABEL_RTP_AUTH, &mut auth);
        derive(master_key, master_salt, LABEL_RTP_SALT, &mut salt);
        let provider = default_provider().expect("a provider is built in");
        let cipher = provider.crypto().new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &key).expect("AES-128 takes 16 bytes");
        let mac = provider.crypto().new_hmac(HmacAlgorithm::Sha1, &auth).expect("HMAC takes keys of any length");
        Self { cipher, mac, salt }
    }

    fn seal_in_place(&mut self, buffer: &mut Vec<u8>, start: usize, header_len: usize, ssrc: u32, index: u64) {
        let mut counter = [0; 16];
        counter[..SHA1_SALT].copy_from_slice(&self.salt);
        xor(&mut counter[4..8], &ssrc.to_be_bytes());
        xor(&mut counter[8..14], &index.to_be_bytes()[2..]);
        let packet = &mut buffer[start..];
        self.cipher.apply_keystream(&counter, &mut packet[header_len..]).expect("a counter block has 16 bytes");
        let roll_over = ((index >> 16) as u32).to_be_bytes();
        let mut tag = [0; 20];
        self.mac.sign(&[packet, &roll_over], &mut tag).expect("HMAC-SHA1 has a 20-byte output");
        buffer.extend_from_slice(&tag[..SHA1_TAG]);
    }
}

fn xor(target: &mut [u8], mask: &[u8]) {
    for (byte, mask) in target.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// AES-CM key derivation with a key derivation rate of zero (RFC 3711 section 4.3; a 96-bit salt is padded, RFC 7714 section 11).
fn derive(master_key: &[u8], master_salt: &[u8], label: u8, out: &mut [u8]) {
    let cipher = Aes128::new_from_slice(master_key).expect("the master key has 16 bytes");
    let mut x = [0; 16];
    x[..master_salt.len()].copy_from_slice(master_salt);
    x[7] ^= label;
    for (counter, chunk) in out.chunks_mut(16).enumerate() {
        let mut block = x;
        block[14..].copy_from_slice(&(counter as u16).to_be_bytes());
        cipher.encrypt_block((&mut block).into());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests;
