//! The account desk: one [`Accounts`] for the whole node. What people do here is in `sign_in`, `profile` and `stream_key`.
//!
//! ```text
//! api, whip ──▶ Accounts ──▶ Passwords (own threads), Limiter, Mailer (own task)
//!                  │  ▲
//!                  ▼  └ Tokens: access tokens out, guest tokens of people who have an account refused
//!                Store
//! ```

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::letters::{MailSettings, Mailer};
use super::password::{Cost, Passwords};
use super::rate::{Asked, Limiter, Quota, RateKey};
use super::secret::RefreshToken;
use super::{AccountError, AccountRefusal, AccountsStartError, Claims, GUEST_TOKEN_TTL, Tokens};
use crate::ids::{SignInId, UserId};
use crate::limits::{ACCESS_TOKEN_TTL, ACCOUNTS_UPKEEP_INTERVAL, DEVICE_CHARS_MAX, SIGN_IN_TTL, SIGN_INS_PER_USER_MAX};
use crate::store::{AccountRecord, Role, SignInRecord, Store, StoreError, UserRecord};
use crate::telemetry::ACCOUNTS_RATE_LIMITED;

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub open_sign_up: bool,
    /// For links in letters, without a slash at the end.
    pub public_base_url: String,
    /// `None`: letters are written to the log.
    pub mail: Option<MailSettings>,
}

/// Somebody on a device that is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub account: AccountRecord,
    /// For `Authorization: Bearer` and `hello`.
    pub access_token: String,
    pub access_expires_at_ms: u64,
    /// The device's next refresh token, good once.
    pub refresh_token: String,
}

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) tokens: Tokens,
    pub(super) passwords: Passwords,
    pub(super) mailer: Mailer,
    pub(super) open_sign_up: bool,
    pub(super) base_url: String,
    limiter: Limiter,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// The desk. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Learns which guests have accounts and starts the password threads and the mail task.
    ///
    /// # Errors
    /// When the store cannot be read or mail cannot be sent as configured.
    pub async fn start(store: Store, tokens: Tokens, settings: AccountSettings, now_ms: u64) -> Result<Self, AccountsStartError> {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let mailer = Mailer::start(settings.mail.as_ref(), &tasks, stopping.clone())?;
        let passwords = Passwords::start(Cost::STANDARD);
        let limiter = Limiter::default();
        let AccountSettings { open_sign_up, public_base_url: base_url, mail: _ } = settings;
        let shared = Shared { store, tokens, passwords, mailer, open_sign_up, base_url, limiter, tasks, stopping };
        let accounts = Self { shared: Arc::new(shared) };
        accounts.learn_claims(now_ms.saturating_sub(GUEST_TOKEN_TTL.as_millis() as u64)).await?;
        Ok(accounts)
    }

    /// Ends the tasks; letters that are not sent yet are given up.
    pub async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Removes what has expired and learns what other nodes have done. To be called every `limits::ACCOUNTS_UPKEEP_INTERVAL`.
    ///
    /// # Errors
    /// When the store does not answer; the next call makes up for it.
    pub async fn upkeep(&self, now_ms: u64) -> Result<(), StoreError> {
        self.shared.store.forget_expired(now_ms).await?;
        self.shared.tokens.forget_claims_before(now_ms.saturating_sub(GUEST_TOKEN_TTL.as_millis() as u64));
        // Twice the interval, so that a call that came late or failed misses nobody.
        self.learn_claims(now_ms.saturating_sub(2 * ACCOUNTS_UPKEEP_INTERVAL.as_millis() as u64)).await
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The quota of whoever has none left; it says when to come back.
    pub fn allow(&self, asked: Asked, keys: &[RateKey], now_ms: u64) -> Result<Quota, Quota> {
        self.shared.limiter.take(asked, keys, now_ms).inspect_err(|_| {
            metrics::counter!(ACCOUNTS_RATE_LIMITED, "kind" => asked.as_str()).increment(1);
        })
    }

    async fn learn_claims(&self, since_ms: u64) -> Result<(), StoreError> {
        for (user, at_ms) in self.shared.store.claimed_guests(since_ms).await? {
            self.shared.tokens.claim(user, at_ms);
        }
        Ok(())
    }

    /// Signs a device in.
    pub(super) async fn open_sign_in(&self, account: AccountRecord, device: &str, now_ms: u64) -> Result<SignedIn, AccountError> {
        let refresh = RefreshToken::new(SignInId::random(&mut rand::rng()));
        let record = SignInRecord {
            id: refresh.id,
            user: account.user.id,
            secret_hash: refresh.hash(),
            previous_hash: None,
            device: device.chars().filter(|symbol| !symbol.is_control()).take(DEVICE_CHARS_MAX).collect(),
            created_at_ms: now_ms,
            rotated_at_ms: now_ms,
            expires_at_ms: now_ms + SIGN_IN_TTL.as_millis() as u64,
        };
        self.shared.store.add_sign_in(&record, SIGN_INS_PER_USER_MAX).await?;
        Ok(self.signed_in(account, &refresh, now_ms))
    }

    pub(super) fn signed_in(&self, account: AccountRecord, refresh: &RefreshToken, now_ms: u64) -> SignedIn {
        let claims = claims_of(&account.user, now_ms / 1000 + ACCESS_TOKEN_TTL.as_secs());
        let access_token = self.shared.tokens.mint(&claims);
        SignedIn { account, access_token, access_expires_at_ms: claims.exp * 1000, refresh_token: refresh.to_text() }
    }

    /// The account of whoever bears `claims`.
    pub(super) async fn account_of(&self, who: &Claims) -> Result<AccountRecord, AccountError> {
        if !who.is_account() {
            return Err(AccountRefusal::NoAccount.into());
        }
        self.find(who.sub).await
    }

    pub(super) async fn find(&self, id: UserId) -> Result<AccountRecord, AccountError> {
        self.shared.store.find_account(id).await?.ok_or(AccountRefusal::NoAccount.into())
    }
}

/// What an access token of a user says.
pub(super) fn claims_of(user: &UserRecord, exp: u64) -> Claims {
    Claims {
        sub: user.id,
        name: user.name.clone(),
        exp,
        broadcast: None,
        grants: Vec::new(),
        operator: user.roles.contains(&Role::Operator),
        broadcaster: user.roles.contains(&Role::Broadcaster),
        guest: false,
    }
}

#[cfg(test)]
impl Accounts {
    /// With cheap passwords; letters come out of the channel.
    pub(crate) fn for_tests(
        store: Store,
        tokens: Tokens,
        open_sign_up: bool,
    ) -> (Self, tokio::sync::mpsc::Receiver<super::letters::Letter>) {
        let (mailer, letters) = Mailer::for_tests();
        let shared = Shared {
            store,
            tokens,
            passwords: Passwords::start(super::password::CHEAP),
            mailer,
            open_sign_up,
            base_url: "http://test".to_owned(),
            limiter: Limiter::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        (Self { shared: Arc::new(shared) }, letters)
    }
}
