//! Drives `retally_fuzz::component`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retally_fuzz::component(bytes));
