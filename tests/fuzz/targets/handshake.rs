//! A real DTLS handshake whose datagrams are lost, doubled, cut and changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::transport::fuzz::fuzz_handshake(std::time::Instant::now(), bytes));
