//! (being built)

mod grant;

pub use grant::Grant;
