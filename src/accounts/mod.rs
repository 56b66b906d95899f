//! Who somebody is and what they may do: guests, accounts, and the tokens and keys that say so.
//!
//! ```text
//! Authorization: Bearer … / hello.token ─▶ Tokens::verify(now) ─▶ Claims {sub, grants, broadcast, operator, guest}
//! first visit ─▶ new_guest ─▶ Claims ─▶ Tokens::mint ─▶ the browser keeps it
//! sign up, sign in, refresh ─▶ Accounts (desk) ─▶ a refresh token for the cookie, and Claims ─▶ Tokens::mint, good for minutes
//! /hls/{token}/{broadcast}/… ─▶ Tokens::verify_path(now) ─▶ AudienceClass: may watch this broadcast, and is nobody
//! stream key ─▶ Accounts::bearer_of_stream_key ─▶ Claims
//! ```
//! Knows no HTTP and no WebSocket; takes the time it needs.

mod desk;
mod error;
mod grant;
mod guest;
mod letters;
mod password;
mod path_tokens;
mod profile;
mod rate;
mod secret;
mod sign_in;
mod stream_key;
mod tokens;
mod values;

#[cfg(test)]
mod desk_tests;

pub use desk::{AccountSettings, Accounts, SignedIn};
pub use error::{AccountError, AccountRefusal, AccountsStartError};
pub use grant::Grant;
pub use guest::{GUEST_TOKEN_TTL, new_guest};
#[cfg(test)]
pub(crate) use letters::Letter;
pub use letters::{MailError, MailSettings};
pub use password::{Busy, Cost};
pub use path_tokens::{AudienceClass, PathToken, PathTokenError};
pub use profile::{Export, account_by_operator};
pub use rate::{Allowance, Asked, Quota, RateKey};
pub use sign_in::NewPerson;
pub use stream_key::STREAM_KEY_PREFIX;
pub use tokens::{Claims, KeyError, TokenError, Tokens};
