//! SDP offers, and the answers they get.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::negotiate::fuzz::fuzz_offer(bytes));
