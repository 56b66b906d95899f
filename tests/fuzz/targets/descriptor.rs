//! AV1 dependency descriptors, with the structure that earlier ones left.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::codec::fuzz::fuzz_descriptor(bytes));
