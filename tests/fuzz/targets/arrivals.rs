//! Arrivals as the ingest sees them: loss lists, reports, transport feedback.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| courtside::sfu::ingest::fuzz::fuzz_arrivals(std::time::Instant::now(), bytes));
