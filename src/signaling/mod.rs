//! (being built)
pub mod protocol;
