//! Elementary streams in files: what encoders write, ready to be sent. For the demo and the load generator; the server reads none.

pub(crate) mod annexb;
pub(crate) mod ogg;
