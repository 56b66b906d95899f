//! Who somebody is and what they may do: users, the tokens that say so, and guests.
//!
//! ```text
//! Authorization: Bearer … / hello.token ─▶ Tokens::verify(now) ─▶ Claims {sub, grants, broadcast, operator, guest}
//! first visit ─▶ new_guest ─▶ Claims ─▶ Tokens::mint ─▶ the browser keeps it
//! ```
//! Knows no HTTP and no WebSocket; takes the time and randomness it needs.

mod grant;
mod guest;
mod tokens;

pub use grant::Grant;
pub use guest::{GUEST_TOKEN_TTL, new_guest};
pub use tokens::{Claims, KeyError, TokenError, Tokens};
