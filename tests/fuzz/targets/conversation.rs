//! JSON messages of one client, a line each.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::signaling::fuzz::fuzz_conversation(std::time::Instant::now(), bytes));
