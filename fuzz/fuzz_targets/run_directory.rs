//! Drives `retally_fuzz::run_directory`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retally_fuzz::run_directory(bytes));
