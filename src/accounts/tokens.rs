//! Tokens: JWTs (RFC 7519) under HS256 with one key per installation, kept in the data directory.
//!
//! A token is both identity (`sub`, `name`) and capability (`grants`, perhaps for one `broadcast` only). Nothing here reads a clock.
//! Invariant: only HS256 is ever accepted, whatever the token's header says.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use super::path_tokens::{AudienceClass, PathToken, PathTokenError, PathTokens};
use crate::accounts::Grant;
use crate::ids::{BroadcastId, UserId};
use crate::limits::{CLAIMED_GUESTS_MAX, TOKEN_BYTES_MAX};
use crate::store::secret_file;

const NEVER_POISONED: &str = "no panic happens while the lock is held";
/// HS256 wants a key at least as long as its hash (RFC 7518 section 3.2).
const KEY_LEN: usize = 32;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who.
    pub sub: UserId,
    /// The name others see.
    pub name: String,
    /// Valid before this second since the Unix epoch.
    pub exp: u64,
    /// The one broadcast (id or slug) that the grants are for; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// May do everything on this installation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
    /// May make broadcasts also where not everybody may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broadcaster: bool,
    /// An identity that nobody has claimed with an account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

impl Claims {
    /// Whether they name a guest and no more: proof of who the guest is, unlike a capability that a guest may have handed on.
    pub fn is_guest_identity(&self) -> bool {
        self.guest && self.grants.is_empty() && self.broadcast.is_none()
    }

    /// Whether they speak for an account, wherever it goes.
    pub const fn is_account(&self) -> bool {
        !self.guest && self.broadcast.is_none()
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this installation, or altered.
    #[error("the token is not valid here")]
    Invalid,
    /// Was valid once.
    #[error("the token has expired")]
    Expired,
}

/// Why the signing key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the token key {path} cannot be read or written: {source}")]
    File { path: String, source: io::Error },
    #[error("the token key {path} has {found} bytes instead of {KEY_LEN}: restore it, or remove it (every token then becomes invalid)")]
    Length { path: String, found: usize },
}

/// Mints and verifies.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// For [`Self::successor`].
    succession: hmac::Key,
    paths: PathTokens,
    /// Guests who have become accounts, and when (ms): their guest tokens are void. At most `limits::CLAIMED_GUESTS_MAX`.
    claimed: Arc<RwLock<HashMap<UserId, u64>>>,
}

impl fmt::Debug for Tokens {
    /// The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// With the key in `path`, which is made (mode 0600) when it does not exist.
    ///
    /// # Errors
    /// [`KeyError`] when the file is not accessible or not a key.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let key = secret_file::load_or_make(path, || {
            let mut key = vec![0; KEY_LEN];
            ring::rand::SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
            Ok(key)
        })
        .map_err(|source| KeyError::File { path: name(), source })?;
        let key = <[u8; KEY_LEN]>::try_from(key.as_slice()).map_err(|_| KeyError::Length { path: name(), found: key.len() })?;
        Ok(Self::with_key(&key))
    }

    /// With exactly this key.
    pub fn with_key(key: &[u8; KEY_LEN]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The caller's `now` decides, in `verify`.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let succession = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            paths: PathTokens::derived(&succession),
            succession,
            claimed: Arc::default(),
        }
    }

    /// Checks a token and reads it.
    ///
    /// # Errors
    /// [`TokenError`]; a token is expired from the second `exp` on.
    pub fn verify(&self, token: &str, now_unix_s: u64) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        if claims.is_guest_identity() && self.claimed.read().expect(NEVER_POISONED).contains_key(&claims.sub) {
            return Err(TokenError::Invalid);
        }
        if now_unix_s >= claims.exp { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Signs `claims`.
    pub fn mint(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("claims are plain JSON and HS256 takes any key: signing cannot fail")
    }

    /// The token with which an address opens a broadcast to everybody of a class.
    pub fn mint_path(&self, broadcast: BroadcastId, class: AudienceClass, now_unix_s: u64) -> PathToken {
        self.paths.mint(broadcast, class, now_unix_s)
    }

    /// Checks the token of an address that names `broadcast`.
    ///
    /// # Errors
    /// [`PathTokenError`]; a slug is never opened, and a token is expired from the second `exp` on.
    pub fn verify_path(&self, token: &str, broadcast: &str, now_unix_s: u64) -> Result<AudienceClass, PathTokenError> {
        self.paths.verify(token, broadcast, now_unix_s)
    }

    /// The one secret that follows another: whoever asks again is given the same, and nobody can compute it without the key.
    pub(super) fn successor(&self, secret: &str) -> String {
        let text = format!("refresh token after {secret}");
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.succession, text.as_bytes()))
    }

    /// A guest has become an account: from now on nobody is that person by a guest token.
    pub(super) fn claim(&self, guest: UserId, at_ms: u64) {
        let mut claimed = self.claimed.write().expect(NEVER_POISONED);
        if claimed.len() >= CLAIMED_GUESTS_MAX as usize {
            forget_oldest_tenth(&mut claimed);
        }
        claimed.insert(guest, at_ms);
    }

    /// Forgets guests whose last token has expired by itself.
    pub(super) fn forget_claims_before(&self, ms: u64) {
        self.claimed.write().expect(NEVER_POISONED).retain(|_, at_ms| *at_ms >= ms);
    }
}

/// A tenth at a time, so that a full table is not searched for each newcomer.
fn forget_oldest_tenth(claimed: &mut HashMap<UserId, u64>) {
    let mut times: Vec<u64> = claimed.values().copied().collect();
    let tenth = times.len() / 10;
    if let Some((_, youngest_forgotten, _)) = times.get(tenth).is_some().then(|| times.select_nth_unstable(tenth)) {
        let youngest_forgotten = *youngest_forgotten;
        claimed.retain(|_, at_ms| *at_ms > youngest_forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_full_table_of_claims_forgets_the_oldest_and_takes_the_newest() {
        let mut claimed: HashMap<UserId, u64> = (0..100).map(|at_ms| (UserId::from_bits(at_ms), at_ms)).collect();
        forget_oldest_tenth(&mut claimed);
        assert_eq!((claimed.len(), claimed.values().min()), (89, Some(&11)));
        let mut nobody = HashMap::new();
        forget_oldest_tenth(&mut nobody);
        assert!(nobody.is_empty());
    }

    fn claims() -> Claims {
        Claims {
            sub: UserId::from_bits(5),
            name: "Ann".to_owned(),
            exp: NOW + 60,
            broadcast: Some("final".to_owned()),
            grants: vec![Grant::View, Grant::Publish],
            operator: false,
            broadcaster: false,
            guest: false,
        }
    }

    #[test]
    fn what_is_minted_is_verified_until_it_expires() {
        let tokens = Tokens::with_key(&[1; 32]);
        let token = tokens.mint(&claims());
        assert_eq!(tokens.verify(&token, NOW), Ok(claims()));
        assert_eq!(tokens.verify(&token, NOW + 60), Err(TokenError::Expired));
    }

    #[test]
    fn another_key_or_an_altered_byte_is_invalid() {
        let tokens = Tokens::with_key(&[1; 32]);
        let token = tokens.mint(&claims());
        assert_eq!(Tokens::with_key(&[2; 32]).verify(&token, NOW), Err(TokenError::Invalid));
        for at in [0, token.len() / 2, token.len() - 3] {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(tokens.verify(&String::from_utf8(altered).unwrap(), NOW), Err(TokenError::Invalid), "byte {at}");
        }
        assert_eq!(tokens.verify("", NOW), Err(TokenError::Invalid));
        assert_eq!(tokens.verify(&"x".repeat(TOKEN_BYTES_MAX + 1), NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn a_guest_who_has_an_account_is_nobody_by_guest_token_and_keeps_capabilities() {
        let tokens = Tokens::with_key(&[1; 32]);
        let identity = Claims { grants: vec![], broadcast: None, guest: true, ..claims() };
        let capability = Claims { guest: true, ..claims() };
        let (identity_token, capability_token) = (tokens.mint(&identity), tokens.mint(&capability));
        assert_eq!(tokens.verify(&identity_token, NOW), Ok(identity.clone()));
        tokens.claim(identity.sub, 1_000);
        assert_eq!(tokens.clone().verify(&identity_token, NOW), Err(TokenError::Invalid));
        assert_eq!(tokens.verify(&capability_token, NOW), Ok(capability));
        tokens.forget_claims_before(1_001);
        assert_eq!(tokens.verify(&identity_token, NOW), Ok(identity));
    }

    #[test]
    fn a_secret_has_one_successor_which_is_not_itself_and_needs_the_key() {
        let tokens = Tokens::with_key(&[1; 32]);
        assert_eq!(tokens.successor("a"), tokens.successor("a"));
        assert_ne!(tokens.successor("a"), "a");
        assert_ne!(tokens.successor("a"), tokens.successor("b"));
        assert_ne!(tokens.successor("a"), Tokens::with_key(&[2; 32]).successor("a"));
    }

    #[test]
    fn an_unsigned_token_and_another_algorithm_are_invalid() {
        let tokens = Tokens::with_key(&[1; 32]);
        // {"alg":"none","typ":"JWT"}
        let payload = tokens.mint(&claims()).split('.').nth(1).unwrap().to_owned();
        assert_eq!(tokens.verify(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."), NOW), Err(TokenError::Invalid));
        let longer = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(&[1; 32])).unwrap();
        assert_eq!(tokens.verify(&longer, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn the_key_persists_and_a_broken_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        let token = Tokens::load_or_make(&path).unwrap().mint(&claims());
        assert_eq!(Tokens::load_or_make(&path).unwrap().verify(&token, NOW), Ok(claims()));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(Tokens::load_or_make(&path), Err(KeyError::Length { found: 5, .. })));
    }
}
