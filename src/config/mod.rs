//! Configuration: raw texts from four places, then one resolved value that cannot be wrong.
//!
//! ```text
//! flags ┐
//! COURTSIDE_* ├─ raw.rs: one text per key, the nearest place wins ─▶ resolve.rs: every key parsed, every problem kept ─▶ Config
//! TOML file ┤
//! defaults (keys.rs) ┘
//! ```
//! [`KEYS`] is the only list of keys: the command line, the file reader and `docs/configuration.md` (by a test) are held to it.

mod keys;
mod parse;
mod raw;
mod resolve;

pub use keys::{KEYS, Key, Kind};
pub use raw::{Origin, Raw};
pub use resolve::{Config, ConfigErrors, DvrConfig, HlsConfig, LogConfig, LogFormat, MailConfig, Problem, Secret, Tls};
