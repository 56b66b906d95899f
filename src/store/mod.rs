//! What survives a restart: users, broadcasts, and small secret files.
//!
//! All SQL is in [`sqlite`]; everybody else sees [`Store`] and plain records. The store knows nobody above it.

mod records;
pub mod secret_file;
mod sqlite;

pub use records::{BroadcastRecord, BroadcastState, Role, UserRecord, Visibility};
pub use sqlite::{Store, StoreError};
