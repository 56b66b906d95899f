//! RTCP compounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::rtp::rtcp::fuzz::fuzz_compound(bytes));
