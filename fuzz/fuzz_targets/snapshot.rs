//! Drives `retally_fuzz::snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retally_fuzz::snapshot(bytes));
