//! Every bound of the system: its unit, its reason, and what happens when it is reached. One file per part of the house; everybody says
//! `limits::NAME`.

mod calls;
mod control;
mod hls;
mod media;
mod people;
mod social;
mod tools;

pub use calls::*;
pub use control::*;
pub use hls::*;
pub use media::*;
pub use people::*;
pub use social::*;
pub use tools::*;
