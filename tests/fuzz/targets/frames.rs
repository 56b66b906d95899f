//! A WebSocket client's bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::websocket::fuzz::fuzz_frames(bytes));
