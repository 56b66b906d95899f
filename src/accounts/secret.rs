//! Random texts that are shown once and kept as a hash: refresh tokens, codes in letters, stream keys.
//!
//! They have 256 bits, so a plain SHA-256 is enough: there is nothing to guess.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;

use crate::ids::SignInId;
use crate::limits::TOKEN_BYTES_MAX;

const SECRET_LEN: usize = 32;

/// A new secret, in characters that URLs and headers take as they are.
pub(crate) fn new_secret() -> String {
    let mut bytes = [0; SECRET_LEN];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is kept of it.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// A refresh token: which sign-in, and the secret that is valid once.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) id: SignInId,
    pub(crate) secret: String,
}

impl RefreshToken {
    pub(crate) fn new(id: SignInId) -> Self {
        Self { id, secret: new_secret() }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('.').filter(|_| text.len() <= TOKEN_BYTES_MAX)?;
        Some(Self { id: id.parse().ok()?, secret: secret.to_owned() })
    }

    pub(crate) fn to_text(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }

    pub(crate) fn hash(&self) -> Vec<u8> {
        hash(&self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_read_back() {
        let token = RefreshToken::new(SignInId::from_bits(7));
        assert!(RefreshToken::parse(&token.to_text()).is_some_and(|read| read == token));
        assert_eq!((token.secret.len(), token.hash().len()), (43, 32));
        for wrong in ["", ".", "x.y", "0000000000007", &format!("0000000000007.{}", "x".repeat(TOKEN_BYTES_MAX))] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn no_secret_comes_twice() {
        assert_ne!(new_secret(), new_secret());
        assert_ne!(hash("a"), hash("b"));
    }
}
