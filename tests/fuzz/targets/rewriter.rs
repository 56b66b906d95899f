//! Operations on the rewriter of one viewer's numbers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::fuzz::fuzz_rewriter(std::time::Instant::now(), bytes));
