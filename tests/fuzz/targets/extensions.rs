//! RTP header extensions of both forms.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::rtp::extensions::fuzz::fuzz_extensions(bytes));
