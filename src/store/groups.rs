//! What the store can do, one trait a group of records. Both databases keep the same promises: `conformance_tests` runs against each.

use async_trait::async_trait;

use super::{
    AccountRecord, BroadcastRecord, CodePurpose, CodeRecord, PictureRecord, Role, SignInRecord, StoreError, StreamKeyRecord, UserRecord,
};
use crate::ids::{BroadcastId, SignInId, UserId};

/// Everything; with what concerns the database itself.
#[async_trait]
pub trait Records: Broadcasts + Users + SignIns + StreamKeys + std::fmt::Debug {
    /// Whether the database answers.
    ///
    /// # Errors
    /// `Database`.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for statements under way and closes the connections.
    async fn close(&self);
}

/// Broadcasts as they survive a restart.
#[async_trait]
pub trait Broadcasts: Send + Sync {
    /// Adds a broadcast, or replaces what is stored of it.
    ///
    /// # Errors
    /// `SlugInUse` when another broadcast that has not ended has the slug; `Database`.
    async fn save_broadcast(&self, broadcast: &BroadcastRecord) -> Result<(), StoreError>;

    /// Every broadcast that has not ended, and those that ended at or after `ended_since_ms`; newest first, at most
    /// `limits::BROADCASTS_LOADED_MAX`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn load_broadcasts(&self, ended_since_ms: u64) -> Result<Vec<BroadcastRecord>, StoreError>;

    /// The broadcast that has this slug now; if none has, the one that had it last.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_broadcast_by_slug(&self, slug: &str) -> Result<Option<BroadcastRecord>, StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRecord>, StoreError>;

    /// Broadcasts of one owner, newest first, at most `limits::BROADCASTS_EXPORTED_MAX`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn broadcasts_of(&self, owner: UserId) -> Result<Vec<BroadcastRecord>, StoreError>;
}

/// Users, those with an account and those without.
#[async_trait]
pub trait Users: Send + Sync {
    /// Adds a user, or gives an existing one this name and these roles.
    ///
    /// # Errors
    /// `Database`.
    async fn save_user(&self, user: &UserRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError>;

    /// Adds an account, for a user that is new or has none yet.
    ///
    /// # Errors
    /// `NameTaken`, `EmailTaken`, `AccountExists`, `Database`.
    async fn add_account(&self, account: &AccountRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_account(&self, id: UserId) -> Result<Option<AccountRecord>, StoreError>;

    /// By address, whatever its case.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_account_by_email(&self, email: &str) -> Result<Option<AccountRecord>, StoreError>;

    /// Gives an account another name; `false`: there is no such account.
    ///
    /// # Errors
    /// `NameTaken`, `Database`.
    async fn rename_account(&self, id: UserId, name: &str) -> Result<bool, StoreError>;

    /// Gives an account this verified address; `false`: there is no such account.
    ///
    /// # Errors
    /// `EmailTaken`, `Database`.
    async fn verify_email(&self, id: UserId, email: &str, at_ms: u64) -> Result<bool, StoreError>;

    /// Replaces the password, unless it is no longer `expected`; `false`: it was not, or there is no such account.
    ///
    /// # Errors
    /// `Database`.
    async fn change_password(&self, id: UserId, expected: &str, password: &str) -> Result<bool, StoreError>;

    /// `false`: there is no such user.
    ///
    /// # Errors
    /// `Database`.
    async fn set_roles(&self, id: UserId, roles: &[Role]) -> Result<bool, StoreError>;

    /// Sets or removes the picture and counts its version up; `None`: there is no such account.
    ///
    /// # Errors
    /// `Database`.
    async fn set_picture(&self, id: UserId, picture: Option<(&str, &[u8])>) -> Result<Option<u32>, StoreError>;

    /// # Errors
    /// `Database`.
    async fn find_picture(&self, id: UserId) -> Result<Option<PictureRecord>, StoreError>;

    /// Removes a user with all that hangs on them: sign-ins, codes, picture, stream key. `false`: there is no such user.
    ///
    /// # Errors
    /// `Database`.
    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError>;

    /// Guests who became accounts at or after `since_ms`, with the time.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn claimed_guests(&self, since_ms: u64) -> Result<Vec<(UserId, u64)>, StoreError>;

    /// Keeps a code, in place of an earlier one of the same user and purpose.
    ///
    /// # Errors
    /// `Database`.
    async fn save_code(&self, code: &CodeRecord) -> Result<(), StoreError>;

    /// Takes a code that is still valid: of several who ask at once, one gets it.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn take_code(&self, hash: &[u8], purpose: CodePurpose, now_ms: u64) -> Result<Option<CodeRecord>, StoreError>;
}

/// Devices that are signed in.
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds one; past `keep` of the same user, those used longest ago end.
    ///
    /// # Errors
    /// `Database`.
    async fn add_sign_in(&self, sign_in: &SignInRecord, keep: u32) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_sign_in(&self, id: SignInId) -> Result<Option<SignInRecord>, StoreError>;

    /// Puts `new_hash` in the place of `old_hash`: of several who ask with the same old one, one is told `true`.
    ///
    /// # Errors
    /// `Database`.
    async fn rotate_sign_in(
        &self,
        id: SignInId,
        old_hash: &[u8],
        new_hash: &[u8],
        now_ms: u64,
        expires_at_ms: u64,
    ) -> Result<bool, StoreError>;

    /// Those of a user that have not expired, the last used first.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn sign_ins_of(&self, user: UserId, now_ms: u64) -> Result<Vec<SignInRecord>, StoreError>;

    /// Ends one of this user's; `false`: they have no such one.
    ///
    /// # Errors
    /// `Database`.
    async fn end_sign_in(&self, user: UserId, id: SignInId) -> Result<bool, StoreError>;

    /// Ends all of a user's; how many there were.
    ///
    /// # Errors
    /// `Database`.
    async fn end_sign_ins(&self, user: UserId) -> Result<u64, StoreError>;

    /// Removes sign-ins and codes that have expired; how many.
    ///
    /// # Errors
    /// `Database`.
    async fn forget_expired(&self, now_ms: u64) -> Result<u64, StoreError>;
}

/// Keys with which encoders publish for a user.
#[async_trait]
pub trait StreamKeys: Send + Sync {
    /// Gives a user this key, in place of an earlier one.
    ///
    /// # Errors
    /// `Database`.
    async fn save_stream_key(&self, key: &StreamKeyRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn stream_key_of(&self, user: UserId) -> Result<Option<StreamKeyRecord>, StoreError>;

    /// Whose key it is; notes that it was used.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn use_stream_key(&self, hash: &[u8], now_ms: u64) -> Result<Option<UserRecord>, StoreError>;

    /// `false`: there was none.
    ///
    /// # Errors
    /// `Database`.
    async fn drop_stream_key(&self, user: UserId) -> Result<bool, StoreError>;
}
