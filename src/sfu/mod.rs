//! The media plane. It knows RTP and peers; it knows no JSON, HTTP, Redis or chat.

pub mod codec;
pub mod handle;
pub mod ingest;
pub mod negotiate;
mod pool;
pub mod rtp;
pub mod transport;

pub use handle::{SfuEvent, SfuEvents, SfuHandle};
