//! Stream keys: what an encoder publishes with, over WHIP, for as long as its owner lets it.
//!
//! A person has one. It is shown once and kept as a hash; making another makes it void. It publishes, and does nothing else here.

use super::desk::{Accounts, claims_of};
use super::{AccountError, Claims, secret};
use crate::limits::ACCESS_TOKEN_TTL;
use crate::store::StreamKeyRecord;

/// Tells a stream key from a token at sight, for us and for programs that look for leaked keys.
pub const STREAM_KEY_PREFIX: &str = "csk_";

impl Accounts {
    /// Makes a new key, in place of the old one; this is the only time that it is shown.
    ///
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn new_stream_key(&self, who: &Claims, now_ms: u64) -> Result<(String, StreamKeyRecord), AccountError> {
        let account = self.account_of(who).await?;
        let key = format!("{STREAM_KEY_PREFIX}{}", secret::new_secret());
        let record = StreamKeyRecord { user: account.user.id, hash: secret::hash(&key), created_at_ms: now_ms, used_at_ms: None };
        self.shared.store.save_stream_key(&record).await?;
        tracing::info!(user = %record.user, "stream key made");
        Ok((key, record))
    }

    /// When the key was made and last used.
    ///
    /// # Errors
    /// `NoAccount`, `NotFound`, `Store`.
    pub async fn stream_key(&self, who: &Claims) -> Result<StreamKeyRecord, AccountError> {
        let account = self.account_of(who).await?;
        self.shared.store.stream_key_of(account.user.id).await?.ok_or(AccountError::NotFound("stream key"))
    }

    /// Makes the key void.
    ///
    /// # Errors
    /// `NoAccount`, `NotFound`, `Store`.
    pub async fn drop_stream_key(&self, who: &Claims) -> Result<(), AccountError> {
        let account = self.account_of(who).await?;
        let was_there = self.shared.store.drop_stream_key(account.user.id).await?;
        if was_there { Ok(()) } else { Err(AccountError::NotFound("stream key")) }
    }

    /// Who publishes with this key: its owner, as far as publishing goes.
    ///
    /// # Errors
    /// `NotFound` for a key that is not good (any more), `Store`.
    pub async fn bearer_of_stream_key(&self, key: &str, now_ms: u64) -> Result<Claims, AccountError> {
        let owner = self.shared.store.use_stream_key(&secret::hash(key), now_ms).await?.ok_or(AccountError::NotFound("stream key"))?;
        Ok(claims_of(&owner, now_ms / 1000 + ACCESS_TOKEN_TTL.as_secs()))
    }
}
