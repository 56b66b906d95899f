//! RTP headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::rtp::header::fuzz::fuzz_header(bytes));
