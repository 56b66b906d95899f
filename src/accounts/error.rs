//! Why the account desk refuses something.

use super::letters::MailError;
use super::password::Busy;
use crate::store::StoreError;

/// What whoever asks may not have, in words for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// Only operators make accounts here.
    #[error("accounts are made by the operator here")]
    SignUpClosed,
    /// Which of the two is not said.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The device was signed out, or its token came a second time.
    #[error("you are signed out")]
    SignInEnded,
    #[error("this needs an account")]
    NoAccount,
    #[error("you have an account already")]
    AccountExists,
    #[error("another account has this name")]
    NameTaken,
    #[error("another account has this e-mail address")]
    EmailTaken,
}

/// A variant per thing that the caller does differently.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Refused(#[from] AccountRefusal),
    #[error("`{field}` must be {rule}")]
    InvalidValue { field: &'static str, rule: &'static str },
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NameTaken => Self::Refused(AccountRefusal::NameTaken),
            StoreError::EmailTaken => Self::Refused(AccountRefusal::EmailTaken),
            StoreError::AccountExists => Self::Refused(AccountRefusal::AccountExists),
            other => Self::Store(other),
        }
    }
}

/// Why there is no account desk.
#[derive(Debug, thiserror::Error)]
pub enum AccountsStartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Mail(#[from] MailError),
}
