//! What people change about themselves: name, picture, e-mail address, password; taking everything along, and leaving for good.
//!
//! Whatever would let a stranger at an open screen take the account over (address, password, deletion) asks for the password again.

use super::desk::{Accounts, SignedIn};
use super::letters::Letter;
use super::password::{Check, Cost};
use super::secret;
use super::values::{ChosenPassword, Email, PersonName};
use super::{AccountError, AccountRefusal, Claims};
use crate::ids::{BroadcastId, UserId};
use crate::limits::{MESSAGES_EXPORTED_MAX, RESET_CODE_TTL, VERIFY_CODE_TTL};
use crate::store::{
    AccountRecord, BroadcastRecord, ChatEventRecord, CodePurpose, CodeRecord, PersonRecord, PictureRecord, PrivateMessageRecord, Role,
    SignInRecord, StreamKeyRecord, UserRecord,
};

/// An account that the operator makes for somebody: its address counts as confirmed. Takes as long as a password does.
///
/// # Errors
/// `InvalidValue`.
pub fn account_by_operator(
    name: &str,
    email: &str,
    password: String,
    roles: Vec<Role>,
    now_ms: u64,
) -> Result<AccountRecord, AccountError> {
    let name = PersonName::parse(name)?.into_string();
    let email = Email::parse(email)?.into_string();
    let password = ChosenPassword::parse("password", password, &[&name, &email])?;
    Ok(AccountRecord {
        user: UserRecord { id: UserId::random(&mut rand::rng()), name, roles, created_at_ms: now_ms },
        email,
        email_verified_at_ms: Some(now_ms),
        password: Cost::STANDARD.hash(&password.into_string()),
        claimed_at_ms: None,
        picture_version: 0,
        hide_watching: false,
    })
}

/// Everything that is kept of a person.
#[derive(Debug)]
pub struct Export {
    pub account: AccountRecord,
    pub picture: Option<PictureRecord>,
    pub sign_ins: Vec<SignInRecord>,
    pub stream_key: Option<StreamKeyRecord>,
    pub broadcasts: Vec<BroadcastRecord>,
    /// Friends, requests, and whom they have blocked.
    pub people: Vec<PersonRecord>,
    pub followed: Vec<PersonRecord>,
    pub private_messages: Vec<PrivateMessageRecord>,
    /// What they said in chats, and where.
    pub chat_events: Vec<(BroadcastId, ChatEventRecord)>,
}

impl Accounts {
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn account(&self, who: &Claims) -> Result<AccountRecord, AccountError> {
        self.account_of(who).await
    }

    /// Anybody's name and picture version, by id.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn person(&self, id: UserId) -> Result<(UserRecord, u32), AccountError> {
        match self.shared.store.find_account(id).await? {
            Some(account) => Ok((account.user, account.picture_version)),
            None => Err(AccountError::NotFound("person")),
        }
    }

    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn picture(&self, id: UserId) -> Result<PictureRecord, AccountError> {
        self.shared.store.find_picture(id).await?.ok_or(AccountError::NotFound("picture"))
    }

    /// Others see the new name where tokens are read anew: within `limits::ACCESS_TOKEN_TTL`.
    ///
    /// # Errors
    /// `NoAccount`, `InvalidValue`, `NameTaken`, `Store`.
    pub async fn rename(&self, who: &Claims, name: &str) -> Result<AccountRecord, AccountError> {
        let account = self.account_of(who).await?;
        let name = PersonName::parse(name)?.into_string();
        self.shared.store.rename_account(account.user.id, &name).await?;
        self.find(account.user.id).await
    }

    /// Sets or removes the picture; its new version. The caller has looked at what it is.
    ///
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn set_picture(&self, who: &Claims, picture: Option<(&str, &[u8])>) -> Result<u32, AccountError> {
        let account = self.account_of(who).await?;
        self.shared.store.set_picture(account.user.id, picture).await?.ok_or(AccountRefusal::NoAccount.into())
    }

    /// Asks the new address to confirm itself; until then the old one stays. The old one is told.
    ///
    /// # Errors
    /// `NoAccount`, `WrongCredentials`, `InvalidValue`, `EmailTaken`, `Busy`, `Store`.
    pub async fn change_email(&self, who: &Claims, email: &str, password: String, now_ms: u64) -> Result<(), AccountError> {
        let account = self.confirmed(who, password).await?;
        let email = Email::parse(email)?;
        let holder = self.shared.store.find_account_by_email(email.as_str()).await?;
        if holder.is_some_and(|holder| holder.user.id != account.user.id) {
            return Err(AccountRefusal::EmailTaken.into());
        }
        let (name, base) = (&account.user.name, &self.shared.base_url);
        let code = self.new_code(account.user.id, CodePurpose::VerifyEmail, email.as_str(), now_ms).await?;
        self.shared.mailer.send(Letter::verify(email.as_str(), name, base, &code));
        if !email.as_str().eq_ignore_ascii_case(&account.email) {
            let what = format!("Your account is to get the e-mail address {}.", email.as_str());
            self.shared.mailer.send(Letter::notice(&account.email, name, &what, base));
        }
        Ok(())
    }

    /// Sends the confirmation of the present address again; does nothing when it is confirmed.
    ///
    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn resend_verification(&self, who: &Claims, now_ms: u64) -> Result<(), AccountError> {
        let account = self.account_of(who).await?;
        if account.email_verified_at_ms.is_none() {
            let code = self.new_code(account.user.id, CodePurpose::VerifyEmail, &account.email, now_ms).await?;
            self.shared.mailer.send(Letter::verify(&account.email, &account.user.name, &self.shared.base_url, &code));
        }
        Ok(())
    }

    /// Redeems the code of a confirmation: the address it was sent to is the account's from now on.
    ///
    /// # Errors
    /// `InvalidValue`, `EmailTaken`, `Store`.
    pub async fn verify_email(&self, code: &str, now_ms: u64) -> Result<(), AccountError> {
        let code = self.take_code(code, CodePurpose::VerifyEmail, now_ms).await?;
        let is_there = self.shared.store.verify_email(code.user, &code.email, now_ms).await?;
        if is_there { Ok(()) } else { Err(AccountRefusal::NoAccount.into()) }
    }

    /// Signs out every device and signs this one in anew.
    ///
    /// # Errors
    /// `NoAccount`, `WrongCredentials`, `InvalidValue`, `Busy`, `Store`.
    pub async fn change_password(
        &self,
        who: &Claims,
        current: String,
        chosen: String,
        device: &str,
        now_ms: u64,
    ) -> Result<SignedIn, AccountError> {
        let account = self.confirmed(who, current).await?;
        let account = self.replace_password(account, "new", chosen).await?;
        self.open_sign_in(account, device, now_ms).await
    }

    /// Sends a code for a new password where there is such an account. Says nothing about whether there is.
    ///
    /// # Errors
    /// `Store`.
    pub async fn forgot_password(&self, email: &str, now_ms: u64) -> Result<(), AccountError> {
        if let Some(account) = self.find_by_email(email).await? {
            let code = self.new_code(account.user.id, CodePurpose::ResetPassword, &account.email, now_ms).await?;
            self.shared.mailer.send(Letter::reset(&account.email, &account.user.name, &self.shared.base_url, &code));
        }
        Ok(())
    }

    /// Redeems the code of such a letter: signs out every device, and confirms the address, which has just been read.
    ///
    /// # Errors
    /// `InvalidValue`, `Busy`, `Store`.
    pub async fn reset_password(&self, code: &str, chosen: String, now_ms: u64) -> Result<(), AccountError> {
        // Before the code is spent: a password that is refused must not cost it.
        ChosenPassword::parse("password", chosen.clone(), &[])?;
        let code = self.take_code(code, CodePurpose::ResetPassword, now_ms).await?;
        let account = self.find(code.user).await?;
        if account.email == code.email && account.email_verified_at_ms.is_none() {
            self.shared.store.verify_email(code.user, &code.email, now_ms).await?;
        }
        if let Err(refused) = self.replace_password(account, "password", chosen).await {
            // Another attempt may be better, or later.
            self.shared.store.save_code(&code).await?;
            return Err(refused);
        }
        Ok(())
    }

    /// # Errors
    /// `NoAccount`, `Store`.
    pub async fn export(&self, who: &Claims, now_ms: u64) -> Result<Export, AccountError> {
        let account = self.account_of(who).await?;
        let (id, store) = (account.user.id, &self.shared.store);
        Ok(Export {
            account,
            picture: store.find_picture(id).await?,
            sign_ins: store.sign_ins_of(id, now_ms).await?,
            stream_key: store.stream_key_of(id).await?,
            broadcasts: store.broadcasts_of(id).await?,
            people: store.friends_of(id).await?.into_iter().chain(store.blocked_by(id).await?).collect(),
            followed: store.followed_by(id).await?,
            private_messages: store.private_messages_of(id, MESSAGES_EXPORTED_MAX).await?,
            chat_events: store.chat_events_of(id, MESSAGES_EXPORTED_MAX).await?,
        })
    }

    /// Removes the account and all that hangs on it; whose it was.
    ///
    /// # Errors
    /// `NoAccount`, `WrongCredentials`, `Busy`, `Store`.
    pub async fn delete(&self, who: &Claims, password: String) -> Result<UserId, AccountError> {
        let account = self.confirmed(who, password).await?;
        let id = account.user.id;
        self.shared.store.delete_user(id).await?;
        tracing::info!(user = %id, "account deleted");
        Ok(id)
    }

    /// What `user` may do on this installation from now on; in force when their access token is renewed.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn set_roles(&self, user: UserId, roles: &[Role]) -> Result<(), AccountError> {
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles.dedup();
        let is_there = self.shared.store.set_roles(user, &roles).await?;
        tracing::info!(%user, ?roles, is_there, "roles set");
        if is_there { Ok(()) } else { Err(AccountError::NotFound("person")) }
    }

    /// The account of whoever bears `claims` and knows its password.
    async fn confirmed(&self, who: &Claims, password: String) -> Result<AccountRecord, AccountError> {
        let account = self.account_of(who).await?;
        match self.shared.passwords.check(password, Some(&account.password)).await? {
            Check::Right | Check::RightButCheap => Ok(account),
            Check::Wrong => Err(AccountRefusal::WrongCredentials.into()),
        }
    }

    async fn replace_password(&self, account: AccountRecord, field: &'static str, chosen: String) -> Result<AccountRecord, AccountError> {
        let chosen = ChosenPassword::parse(field, chosen, &[&account.user.name, &account.email])?;
        let password = self.shared.passwords.hash(chosen.into_string()).await?;
        let id = account.user.id;
        if !self.shared.store.change_password(id, &account.password, &password).await? {
            // Somebody else was faster, with another password: theirs is what the person knows, or a thief's; neither is ours to replace.
            return Err(AccountRefusal::WrongCredentials.into());
        }
        self.shared.store.end_sign_ins(id).await?;
        let what = "Your password was changed, and every device was signed out.";
        self.shared.mailer.send(Letter::notice(&account.email, &account.user.name, what, &self.shared.base_url));
        tracing::info!(user = %id, "password changed");
        Ok(AccountRecord { password, ..account })
    }

    /// The account with this address, if it is one: nothing else is asked of the store.
    pub(super) async fn find_by_email(&self, email: &str) -> Result<Option<AccountRecord>, AccountError> {
        match Email::parse(email) {
            Ok(email) => Ok(self.shared.store.find_account_by_email(email.as_str()).await?),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn new_code(&self, user: UserId, purpose: CodePurpose, email: &str, now_ms: u64) -> Result<String, AccountError> {
        let code = secret::new_secret();
        let ttl = match purpose {
            CodePurpose::VerifyEmail => VERIFY_CODE_TTL,
            CodePurpose::ResetPassword => RESET_CODE_TTL,
        };
        let expires_at_ms = now_ms + ttl.as_millis() as u64;
        let record = CodeRecord { hash: secret::hash(&code), user, purpose, email: email.to_owned(), expires_at_ms };
        self.shared.store.save_code(&record).await?;
        Ok(code)
    }

    async fn take_code(&self, code: &str, purpose: CodePurpose, now_ms: u64) -> Result<CodeRecord, AccountError> {
        let rule = "a code from the newest letter that was neither used nor too old";
        let code = self.shared.store.take_code(&secret::hash(code.trim()), purpose, now_ms).await?;
        code.ok_or(AccountError::InvalidValue { field: "code", rule })
    }
}
