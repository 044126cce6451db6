//! Drives `retally_fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retally_fuzz::manifest(bytes));
