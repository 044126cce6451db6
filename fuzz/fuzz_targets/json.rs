//! Drives `retally_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retally_fuzz::json(bytes));
