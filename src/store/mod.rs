//! What survives a restart: users, sign-ins, who knows whom, broadcasts and their chats, and small secret files.
//!
//! ```text
//! everybody above ─▶ Store ─▶ Broadcasts, Users, SignIns, StreamKeys, Relationships,
//!                                │ PrivateMessages, Chats, Moderation (traits, groups.rs)
//!                                │ written once in the SQL that both speak: sql/
//!                     sqlite.rs ─┴─ postgres.rs      connections, migrations
//! ```
//! All of the program's SQL is here; everybody else sees [`Store`] and plain records. The store knows nobody above it.

mod backup;
mod error;
mod groups;
mod handle;
mod postgres;
mod records;
pub mod secret_file;
mod sql;
mod sqlite;

#[cfg(test)]
mod conformance_people_tests;
#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod upgrade_tests;

pub use backup::{backup, restore};
pub use error::StoreError;
pub use groups::{Broadcasts, Chats, Moderation, PrivateMessages, Records, Relationships, SignIns, StreamKeys, Users};
pub use handle::{Database, Store};
pub use records::{
    AccountRecord, ActionRecord, BroadcastRecord, BroadcastState, ChatEventRecord, ChatPlace, CodePurpose, CodeRecord, ConversationPage,
    ConversationRecord, ModeratorAction, NamedUser, PersonRecord, PictureRecord, PrivateMessageDraft, PrivateMessageRecord, Relation,
    ReportReason, ReportRecord, Role, SignInRecord, StandingRecord, StreamKeyRecord, Ties, UserRecord, Visibility, Wish,
};
