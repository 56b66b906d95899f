//! STUN messages, raw and as the attributes of an authentic request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::transport::fuzz::fuzz_stun(std::time::Instant::now(), bytes));
