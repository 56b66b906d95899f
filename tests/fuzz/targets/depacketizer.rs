//! Packets of every codec as the packager of HLS takes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::hls_fallback::depay::fuzz::fuzz_depacketizer(std::time::Instant::now(), bytes));
