//! The DTLS ClientHello: datagrams, and reassembly from fragments.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::transport::fuzz::fuzz_client_hello(bytes));
