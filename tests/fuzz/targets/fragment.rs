//! SDP fragments of trickle ICE.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::signaling::fuzz::fuzz_fragment(bytes));
