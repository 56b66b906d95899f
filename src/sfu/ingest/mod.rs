//! What arrives from publishers, and what must be said back to them so that they keep sending well. Pure: `now` comes in, RTCP goes out.
//!
//! ```text
//! packet ─┬─▶ nack::NackGenerator     ─▶ sequence numbers to ask for again, or the need of a key frame
//!         ├─▶ twcc::TwccRecorder      ─▶ transport-wide feedback (one per transport)
//!         └─▶ reception::Reception    ─▶ report block (one per stream)
//! ```

pub mod nack;
pub mod reception;
pub mod twcc;
