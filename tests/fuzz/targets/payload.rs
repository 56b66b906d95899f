//! Payload descriptors of every codec, and their rewriting.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::codec::fuzz::fuzz_payload(bytes));
