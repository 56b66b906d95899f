//! The lite side of ICE for one peer (RFC 8445 sections 2.5 and 7.3, consent per RFC 7675).
//!
//! It sends nothing on its own: it answers checks and remembers which source addresses passed one. Invariant: `selected` is an address
//! from which a request arrived that was authentic under credentials now valid. Clients are followed wherever they nominate from, now
//! and later (a phone that leaves the Wi-Fi nominates again from its new address). A client whose NAT gave it another address does not
//! know of it and nominates nothing: it is followed when its checks come from elsewhere and the selected address has fallen silent.
//!
//! ```text
//! new ──first valid check──▶ connected ──no valid check for the consent interval──▶ ConsentExpired
//!  └──── none in time ──▶ ConnectTimeout
//! restart: a second generation of credentials is valid beside the first, until a check under it nominates.
//! ```

use std::time::{Duration, Instant};

use rtc_dtls::crypto_provider::{HmacAlgorithm, Mac, default_provider};

use super::remote::Remote;
use super::stun::{BindingRequest, Unreadable};
use crate::limits::{ICE_CONNECT_TIMEOUT, ICE_CONSENT_TIMEOUT, ICE_PASSWORD_LEN, ICE_PATH_SILENCE, ICE_UFRAG_LEN, ICE_VALIDATED_MAX};

/// The alphabet of `ice-char` (RFC 8839 section 5.4): 64 symbols, so each carries six bits.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One side's user fragment and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// At least 4 characters by RFC 8839; ours have `limits::ICE_UFRAG_LEN`.
    pub ufrag: String,
    /// At least 22 characters by RFC 8839; ours have `limits::ICE_PASSWORD_LEN`.
    pub pwd: String,
}

impl IceCredentials {
    /// Draws new credentials. `rng` must be cryptographically secure: the password is what authenticates a check.
    pub fn random(rng: &mut impl rand::Rng) -> Self {
        let mut text = |len| (0..len).map(|_| char::from(ICE_CHARS[rng.random_range(0..ICE_CHARS.len())])).collect();
        Self { ufrag: text(ICE_UFRAG_LEN), pwd: text(ICE_PASSWORD_LEN) }
    }
}

/// Why a STUN message was dropped without an answer. What is not authenticated is never answered: no amplification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceDrop {
    /// Not a well-formed STUN message.
    Malformed,
    /// A binding indication (keep-alive): nothing to answer, and it proves nothing.
    Indication,
    /// A response, or another method than Binding.
    NotARequest,
    /// No USERNAME or no MESSAGE-INTEGRITY.
    MissingCredentials,
    /// USERNAME names credentials that are not (or no longer) ours.
    UnknownUsername,
    /// MESSAGE-INTEGRITY does not match our password.
    BadIntegrity,
    /// FINGERPRINT does not match.
    BadFingerprint,
}

/// What became of a STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceVerdict {
    /// Nothing to send.
    Dropped(IceDrop),
    /// Send the reply to the source.
    Reply,
    /// Send the reply to the source; it is the selected address from now on. `previous` is the one before (`None`: the first). It equals
    /// the source when only the credentials changed: an ICE restart is complete and the old user fragment is no longer valid.
    Nominated { previous: Option<Remote> },
}

/// What time alone brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceEvent {
    /// No valid check since the agent was made, for `limits::ICE_CONNECT_TIMEOUT`.
    ConnectTimeout,
    /// No valid check for `limits::ICE_CONSENT_TIMEOUT`.
    ConsentExpired,
}

/// One pair of credentials with the MAC keyed by our password, which checks requests and signs answers.
struct Generation {
    local: IceCredentials,
    remote: IceCredentials,
    mac: Box<dyn Mac>,
}

impl Generation {
    fn new(local: IceCredentials, remote: IceCredentials) -> Self {
        let mac = default_provider()
            .and_then(|provider| provider.crypto().new_hmac(HmacAlgorithm::Sha1, local.pwd.as_bytes()))
            .expect("the built-in provider has HMAC-SHA1 for keys of any length");
        Self { local, remote, mac }
    }

    /// USERNAME of a request to us is `ours:theirs` (RFC 8445 section 7.2.2).
    fn is_named_by(&self, username: &[u8]) -> bool {
        let (ours, theirs) = (self.local.ufrag.as_bytes(), self.remote.ufrag.as_bytes());
        username.strip_prefix(ours).and_then(|rest| rest.strip_prefix(b":")) == Some(theirs)
    }
}

/// An address that passed a check.
struct Validated {
    remote: Remote,
    /// When the last one passed.
    checked: Instant,
}

/// The lite agent of one peer.
pub struct IceAgent {
    active: Generation,
    /// Credentials of an ICE restart that nothing has nominated yet.
    pending: Option<Generation>,
    selected: Option<Remote>,
    /// When a valid check or media last came from the selected address.
    selected_heard: Instant,
    /// Addresses that passed a check.
    validated: Vec<Validated>,
    connect_by: Instant,
    last_valid_check: Option<Instant>,
    /// The final event has been reported.
    over: bool,
}

impl IceAgent {
    /// An agent that waits for its first check until `now + limits::ICE_CONNECT_TIMEOUT`.
    pub fn new(now: Instant, local: IceCredentials, remote: IceCredentials) -> Self {
        Self {
            active: Generation::new(local, remote),
            pending: None,
            selected: None,
            selected_heard: now,
            validated: Vec::new(),
            connect_by: now + ICE_CONNECT_TIMEOUT,
            last_valid_check: None,
            over: false,
        }
    }

    /// Takes a STUN message. Unless it is dropped, `reply` holds what to send back to `source` (it is overwritten, never appended to).
    pub fn handle(&mut self, now: Instant, source: Remote, packet: &[u8], reply: &mut Vec<u8>) -> IceVerdict {
        let request = match BindingRequest::read(packet) {
            Ok(request) => request,
            Err(problem) => return IceVerdict::Dropped(problem.into()),
        };
        let under_pending = self.pending.as_ref().is_some_and(|generation| generation.is_named_by(request.username));
        let generation = match &mut self.pending {
            Some(pending) if under_pending => pending,
            _ if self.active.is_named_by(request.username) => &mut self.active,
            _ => return IceVerdict::Dropped(IceDrop::UnknownUsername),
        };
        let mac = generation.mac.as_mut();
        if !request.is_authentic(mac) {
            return IceVerdict::Dropped(IceDrop::BadIntegrity);
        }
        if !request.unknown.is_empty() {
            request.write_unknown_attributes(mac, reply);
            return IceVerdict::Reply;
        }
        if request.ice_controlled {
            request.write_role_conflict(mac, reply);
            return IceVerdict::Reply;
        }
        request.write_success(source.address(), mac, reply);
        self.last_valid_check = Some(now);
        let is_chosen = request.use_candidate || self.selected.is_none();
        let nominates = is_chosen || self.is_silent(now);
        // Followed for want of anything better, the client has not decided: what it holds on to stays valid.
        let restarted = is_chosen && under_pending;
        if restarted && let Some(pending) = self.pending.take() {
            self.active = pending;
        }
        let previous = self.selected;
        if nominates {
            self.selected = Some(source);
        }
        self.handle_media(now, source);
        self.remember(now, source);
        if nominates && (restarted || previous != Some(source)) { IceVerdict::Nominated { previous } } else { IceVerdict::Reply }
    }

    /// For how long nothing has come from the selected address.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.selected_heard)
    }

    /// Nothing has come from the selected address for so long that any other will do.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.silent_for(now) >= ICE_PATH_SILENCE
    }

    /// Media came from `source`: while it comes from the selected address, only a nomination moves the peer.
    pub fn handle_media(&mut self, now: Instant, source: Remote) {
        if self.selected == Some(source) {
            self.selected_heard = now;
        }
    }

    /// The path to this address has ended (its connection was closed): nothing is believed from it nor sent to it any more. When it was the
    /// selected one, the address that passed a check last takes its place, if its consent still holds; else the next valid check does.
    pub fn handle_closed(&mut self, now: Instant, remote: Remote) {
        self.validated.retain(|validated| validated.remote != remote);
        if self.selected == Some(remote) {
            let consents = |validated: &&Validated| now.saturating_duration_since(validated.checked) < ICE_CONSENT_TIMEOUT;
            let next = self.validated.iter().filter(consents).max_by_key(|validated| validated.checked);
            self.selected = next.map(|validated| validated.remote);
            self.selected_heard = next.map_or(now, |validated| validated.checked);
        }
    }

    /// Whether DTLS and media from this address are to be believed: a check from it has passed.
    pub fn validated(&self, address: Remote) -> bool {
        self.validated.iter().any(|validated| validated.remote == address)
    }

    /// Where to send.
    pub fn selected(&self) -> Option<Remote> {
        self.selected
    }

    /// Our credentials, after a restart the new ones.
    pub fn local(&self) -> &IceCredentials {
        &self.pending.as_ref().unwrap_or(&self.active).local
    }

    /// The client's credentials, after a restart the new ones.
    pub fn remote(&self) -> &IceCredentials {
        &self.pending.as_ref().unwrap_or(&self.active).remote
    }

    /// Every user fragment of ours that a check may name now: one, or two during a restart, the older first.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.active).chain(&self.pending).map(|generation| generation.local.ufrag.as_str())
    }

    /// Makes second credentials valid. Those in use stay valid until a check under the new ones nominates (RFC 8445 section 9); media is
    /// not interrupted. A restart that nothing has nominated yet is replaced.
    pub fn restart(&mut self, local: IceCredentials, remote: IceCredentials) {
        self.pending = Some(Generation::new(local, remote));
    }

    /// When [`Self::handle_timeout`] has something to say, if no check comes before.
    pub fn wake_at(&self) -> Option<Instant> {
        (!self.over).then(|| self.deadline())
    }

    /// The final event, once; later calls say nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<IceEvent> {
        if self.over || now < self.deadline() {
            return None;
        }
        self.over = true;
        Some(if self.last_valid_check.is_some() { IceEvent::ConsentExpired } else { IceEvent::ConnectTimeout })
    }

    fn deadline(&self) -> Instant {
        self.last_valid_check.map_or(self.connect_by, |last| last + ICE_CONSENT_TIMEOUT)
    }

    fn remember(&mut self, now: Instant, source: Remote) {
        if let Some(known) = self.validated.iter_mut().find(|validated| validated.remote == source) {
            known.checked = now;
            return;
        }
        if self.validated.len() == ICE_VALIDATED_MAX {
            let others = self.validated.iter().enumerate().filter(|(_, validated)| Some(validated.remote) != self.selected);
            let stalest = others.min_by_key(|(_, validated)| validated.checked).map_or(0, |(index, _)| index);
            self.validated.remove(stalest);
        }
        self.validated.push(Validated { remote: source, checked: now });
    }
}

impl From<Unreadable> for IceDrop {
    fn from(problem: Unreadable) -> Self {
        match problem {
            Unreadable::Malformed => Self::Malformed,
            Unreadable::Indication => Self::Indication,
            Unreadable::NotARequest => Self::NotARequest,
            Unreadable::NoUsername | Unreadable::NoIntegrity => Self::MissingCredentials,
            Unreadable::BadFingerprint => Self::BadFingerprint,
        }
    }
}

#[cfg(test)]
mod tests;
