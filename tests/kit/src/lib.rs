//! What tests of several crates share. It knows the core alone, so that whoever tests with it
//! compiles nothing that he would not compile without.

#![allow(clippy::unwrap_used, reason = "of tests alone, which may end so")]

pub mod avro;
pub mod decode;
pub mod describe;
pub mod faulty;
pub mod log;
pub mod table;
