//! Tokens as a part of an address, for those who can send no header and for caches that many share: `{key}.{expiry}.{class}.{mac}`.
//!
//! ```text
//! key     which signing key, 8 hexadecimal digits        class   of whose audience the bearer is
//! expiry  seconds since the Unix epoch, in steps         mac     HMAC-SHA256 over the three and the broadcast's id, base64url
//! ```
//! Invariant: nothing in it is of one viewer. All of one class who ask within one step are given the same text, and so share what a cache keeps.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hmac};

use crate::ids::BroadcastId;
use crate::limits::{PATH_TOKEN_BYTES_MAX, PATH_TOKEN_STEP, PATH_TOKEN_TTL};

/// Keys for different ends are different keys.
const DERIVED_FOR: &[u8] = b"courtside: tokens in paths, 1";
const KEY_NAME_BYTES: usize = 4;

/// Of whose audience somebody is: they see the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceClass {
    /// Who may watch.
    Viewers,
}

impl fmt::Display for AudienceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewers => "v",
        })
    }
}

impl FromStr for AudienceClass {
    type Err = PathTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "v" => Ok(Self::Viewers),
            _ => Err(PathTokenError::Invalid),
        }
    }
}

/// Why an address opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathTokenError {
    /// Not of this installation, altered, or of another broadcast.
    #[error("the token in the path is not valid for this broadcast")]
    Invalid,
    /// Was valid once.
    #[error("the token in the path has expired")]
    Expired,
}

/// A token and the second since the Unix epoch before which it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathToken {
    pub text: String,
    pub exp: u64,
}

/// Mints and verifies.
#[derive(Clone)]
pub(super) struct PathTokens {
    key: hmac::Key,
    key_name: String,
}

impl PathTokens {
    /// With a key of its own, made from the installation's.
    pub(super) fn derived(installation: &hmac::Key) -> Self {
        let secret = hmac::sign(installation, DERIVED_FOR);
        let named = digest::digest(&digest::SHA256, secret.as_ref());
        let key_name = named.as_ref().iter().take(KEY_NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()), key_name }
    }

    /// The one of all who ask within the same step: valid for `PATH_TOKEN_TTL` and what is left of the step.
    pub(super) fn mint(&self, broadcast: BroadcastId, class: AudienceClass, now_unix_s: u64) -> PathToken {
        let step = PATH_TOKEN_STEP.as_secs();
        let exp = (now_unix_s / step + 1) * step + PATH_TOKEN_TTL.as_secs();
        let head = format!("{}.{exp}.{class}", self.key_name);
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &signed(&head, &broadcast.to_string())));
        PathToken { text: format!("{head}.{mac}"), exp }
    }

    /// `broadcast`: as the address has it. Only the id opens: one address for one file.
    pub(super) fn verify(&self, token: &str, broadcast: &str, now_unix_s: u64) -> Result<AudienceClass, PathTokenError> {
        if token.len() + broadcast.len() > PATH_TOKEN_BYTES_MAX {
            return Err(PathTokenError::Invalid);
        }
        let (head, mac) = token.rsplit_once('.').ok_or(PathTokenError::Invalid)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| PathTokenError::Invalid)?;
        // Compares in constant time.
        hmac::verify(&self.key, &signed(head, broadcast), &mac).map_err(|_| PathTokenError::Invalid)?;
        let mut fields = head.split('.').skip(1);
        let exp: u64 = fields.next().and_then(|exp| exp.parse().ok()).ok_or(PathTokenError::Invalid)?;
        let class = fields.next().ok_or(PathTokenError::Invalid)?.parse()?;
        if now_unix_s >= exp { Err(PathTokenError::Expired) } else { Ok(class) }
    }
}

fn signed(head: &str, broadcast: &str) -> Vec<u8> {
    // Neither has a bar, so that no other pair makes the same text.
    format!("{head}|{broadcast}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn tokens(key: u8) -> PathTokens {
        PathTokens::derived(&hmac::Key::new(hmac::HMAC_SHA256, &[key; 32]))
    }

    fn derby() -> BroadcastId {
        BroadcastId::from_bits(77)
    }

    #[test]
    fn what_is_minted_opens_its_broadcast_until_it_expires() {
        let token = tokens(1).mint(derby(), AudienceClass::Viewers, NOW);
        let at = |now| tokens(1).verify(&token.text, &derby().to_string(), now);
        assert_eq!((at(NOW), at(token.exp - 1)), (Ok(AudienceClass::Viewers), Ok(AudienceClass::Viewers)));
        assert_eq!(at(token.exp), Err(PathTokenError::Expired));
        assert!(token.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{}", token.text);
    }

    #[test]
    fn everybody_who_asks_within_a_step_is_given_the_same_and_has_the_whole_life_of_it() {
        let (step, life) = (PATH_TOKEN_STEP.as_secs(), PATH_TOKEN_TTL.as_secs());
        let first = NOW / step * step;
        let minted = |now| tokens(1).mint(derby(), AudienceClass::Viewers, now);
        assert_eq!(minted(first), minted(first + step - 1));
        assert_ne!(minted(first), minted(first + step));
        for now in [first, first + 1, first + step - 1] {
            assert!((life..=life + step).contains(&(minted(now).exp - now)), "{now}");
        }
    }

    #[test]
    fn an_altered_character_another_broadcast_and_another_key_are_invalid() {
        let token = tokens(1).mint(derby(), AudienceClass::Viewers, NOW).text;
        let name = derby().to_string();
        let refused = |token: &str, name: &str| tokens(1).verify(token, name, NOW) == Err(PathTokenError::Invalid);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'1' { b'2' } else { b'1' };
            assert!(refused(&String::from_utf8(altered).expect("it is text"), &name), "character {at}");
        }
        assert!(refused(&token, &BroadcastId::from_bits(78).to_string()));
        assert!(refused(&token, "derby"));
        assert_eq!(tokens(2).verify(&token, &name, NOW), Err(PathTokenError::Invalid));
        for odd in [
            "",
            ".",
            "...",
            "a.b.c.d",
            token.rsplit_once('.').expect("it is text").0,
            &format!("{token}="),
            &"x.".repeat(PATH_TOKEN_BYTES_MAX),
        ] {
            assert!(refused(odd, &name), "{odd}");
        }
    }

    #[test]
    fn a_later_expiry_or_a_moved_boundary_is_invalid() {
        let token = tokens(1).mint(derby(), AudienceClass::Viewers, NOW);
        let later = token.text.replace(&token.exp.to_string(), &(token.exp + 1).to_string());
        assert_eq!(tokens(1).verify(&later, &derby().to_string(), NOW), Err(PathTokenError::Invalid));
        let (head, mac) = token.text.rsplit_once('.').expect("a token has four parts");
        let moved = format!("{head}|{}.{mac}", derby());
        assert_eq!(tokens(1).verify(&moved, "", NOW), Err(PathTokenError::Invalid));
    }
}
