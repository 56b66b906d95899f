//! Coming and going: sign up, sign in, stay signed in, sign out.
//!
//! A device holds a refresh token that is good once: each use gives the next one (RFC 9700 section 4.14.2). A token that comes again after
//! `limits::REFRESH_GRACE` was copied, so the device is signed out, thief and owner alike. Within the grace it is a second tab, or an
//! answer that was lost on the way, and gets the same next token: it is computed from the old one under the installation's key.

use super::desk::{Accounts, SignedIn};
use super::letters::Letter;
use super::password::Check;
use super::secret::RefreshToken;
use super::values::{ChosenPassword, Email, PersonName};
use super::{AccountError, AccountRefusal, Claims};
use crate::ids::{SignInId, UserId};
use crate::limits::{REFRESH_GRACE, SIGN_IN_TTL};
use crate::store::{AccountRecord, CodePurpose, SignInRecord, UserRecord};
use crate::telemetry::{ACCOUNTS_SIGN_INS, ACCOUNTS_SIGN_UPS, ACCOUNTS_TOKENS_REUSED};

/// Who somebody says they are when they sign up.
#[derive(Debug)]
pub struct NewPerson {
    pub name: String,
    pub email: String,
    pub password: String,
}

impl Accounts {
    /// Makes an account and signs it in. A guest stays the same person: what was theirs is the account's.
    ///
    /// # Errors
    /// `SignUpClosed`, `AccountExists`, `InvalidValue`, `NameTaken`, `EmailTaken`, `Busy`, `Store`.
    pub async fn sign_up(&self, who: Option<&Claims>, new: NewPerson, device: &str, now_ms: u64) -> Result<SignedIn, AccountError> {
        let is_operator = who.is_some_and(|claims| claims.operator);
        if !self.shared.open_sign_up && !is_operator {
            return Err(AccountRefusal::SignUpClosed.into());
        }
        let guest = who.filter(|claims| claims.is_guest_identity());
        if who.is_some_and(|claims| !claims.guest && !claims.operator) {
            return Err(AccountRefusal::AccountExists.into());
        }
        let name = PersonName::parse(&new.name)?.into_string();
        let email = Email::parse(&new.email)?.into_string();
        let password = ChosenPassword::parse("password", new.password, &[&name, &email])?;
        let account = AccountRecord {
            user: UserRecord {
                id: guest.map_or_else(|| UserId::random(&mut rand::rng()), |guest| guest.sub),
                name,
                roles: Vec::new(),
                created_at_ms: now_ms,
            },
            email,
            email_verified_at_ms: None,
            password: self.shared.passwords.hash(password.into_string()).await?,
            claimed_at_ms: guest.map(|_| now_ms),
            picture_version: 0,
            hide_watching: false,
        };
        self.shared.store.add_account(&account).await?;
        if let Some(guest) = guest {
            self.shared.tokens.claim(guest.sub, now_ms);
        }
        metrics::counter!(ACCOUNTS_SIGN_UPS).increment(1);
        tracing::info!(user = %account.user.id, was_guest = guest.is_some(), "account made");
        let code = self.new_code(account.user.id, CodePurpose::VerifyEmail, &account.email, now_ms).await?;
        self.shared.mailer.send(Letter::verify(&account.email, &account.user.name, &self.shared.base_url, &code));
        self.open_sign_in(account, device, now_ms).await
    }

    /// Signs a device in.
    ///
    /// # Errors
    /// `WrongCredentials`, `Busy`, `Store`.
    pub async fn sign_in(&self, email: &str, password: String, device: &str, now_ms: u64) -> Result<SignedIn, AccountError> {
        let account = self.find_by_email(email).await?;
        // Also where there is no account, so that the time says nothing.
        let stored = account.as_ref().map(|account| account.password.as_str());
        let check = self.shared.passwords.check(password.clone(), stored).await?;
        let Some(account) = account.filter(|_| check != Check::Wrong) else {
            metrics::counter!(ACCOUNTS_SIGN_INS, "result" => "wrong").increment(1);
            return Err(AccountRefusal::WrongCredentials.into());
        };
        // When the threads are busy this waits for the next time.
        if check == Check::RightButCheap
            && let Ok(dearer) = self.shared.passwords.hash(password).await
        {
            self.shared.store.change_password(account.user.id, &account.password, &dearer).await?;
        }
        metrics::counter!(ACCOUNTS_SIGN_INS, "result" => "ok").increment(1);
        self.open_sign_in(account, device, now_ms).await
    }

    /// The next tokens of a device that is signed in.
    ///
    /// # Errors
    /// `SignInEnded`, `Store`.
    pub async fn refresh(&self, token: &str, now_ms: u64) -> Result<SignedIn, AccountError> {
        let token = RefreshToken::parse(token).ok_or(AccountRefusal::SignInEnded)?;
        let hash = token.hash();
        let known = self.shared.store.find_sign_in(token.id).await?.filter(|known| known.expires_at_ms > now_ms);
        let known = known.ok_or(AccountRefusal::SignInEnded)?;
        let next = RefreshToken { id: token.id, secret: self.shared.tokens.successor(&token.secret) };
        if known.secret_hash == hash {
            let expires_at_ms = now_ms + SIGN_IN_TTL.as_millis() as u64;
            // When another request of the same token was faster, both are answered alike.
            self.shared.store.rotate_sign_in(token.id, &hash, &next.hash(), now_ms, expires_at_ms).await?;
        } else if !is_in_grace(&known, &hash, now_ms) {
            self.shared.store.end_sign_in(known.user, known.id).await?;
            metrics::counter!(ACCOUNTS_TOKENS_REUSED).increment(1);
            tracing::warn!(user = %known.user, "a refresh token came a second time: the device is signed out");
            return Err(AccountRefusal::SignInEnded.into());
        }
        let account = self.shared.store.find_account(known.user).await?.ok_or(AccountRefusal::SignInEnded)?;
        Ok(self.signed_in(account, &next, now_ms))
    }

    /// Signs the device out that bears this token. One that is not good any more changes nothing.
    ///
    /// # Errors
    /// `Store`.
    pub async fn sign_out(&self, token: &str) -> Result<(), AccountError> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
        let hash = token.hash();
        if let Some(known) = self.shared.store.find_sign_in(token.id).await?
            && (known.secret_hash == hash || known.previous_hash.as_ref() == Some(&hash))
        {
            self.shared.store.end_sign_in(known.user, known.id).await?;
        }
        Ok(())
    }

    /// Signs every device of a person out; how many.
    ///
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn sign_out_everywhere(&self, who: &Claims) -> Result<u64, AccountError> {
        let account = self.account_of(who).await?;
        Ok(self.shared.store.end_sign_ins(account.user.id).await?)
    }

    /// Where a person is signed in, the last used first.
    ///
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn sign_ins(&self, who: &Claims, now_ms: u64) -> Result<Vec<SignInRecord>, AccountError> {
        let account = self.account_of(who).await?;
        Ok(self.shared.store.sign_ins_of(account.user.id, now_ms).await?)
    }

    /// Signs one device out.
    ///
    /// # Errors
    /// `NoAccount`, `NotFound`, `Store`.
    pub async fn end_sign_in(&self, who: &Claims, id: SignInId) -> Result<(), AccountError> {
        let account = self.account_of(who).await?;
        let is_theirs = self.shared.store.end_sign_in(account.user.id, id).await?;
        if is_theirs { Ok(()) } else { Err(AccountError::NotFound("device")) }
    }
}

fn is_in_grace(known: &SignInRecord, hash: &[u8], now_ms: u64) -> bool {
    known.previous_hash.as_deref() == Some(hash) && now_ms < known.rotated_at_ms + REFRESH_GRACE.as_millis() as u64
}
