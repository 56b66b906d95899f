//! What survives a restart: users, sign-ins, broadcasts, and small secret files.
//!
//! ```text
//! everybody above ─▶ Store ─▶ Broadcasts, Users, SignIns, StreamKeys (traits, groups.rs)
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
mod conformance_tests;
#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod upgrade_tests;

pub use backup::{backup, restore};
pub use error::StoreError;
pub use groups::{Broadcasts, Records, SignIns, StreamKeys, Users};
pub use handle::{Database, Store};
pub use records::{
    AccountRecord, BroadcastRecord, BroadcastState, CodePurpose, CodeRecord, PictureRecord, Role, SignInRecord, StreamKeyRecord,
    UserRecord, Visibility,
};
