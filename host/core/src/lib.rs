//! The fold: everything that decides a result of Retally, and what says which result it is.
//!
//! Data flows one way: log -> [`decode`] -> [`shard`] -> [`reduce`] -> [`digest`] -> output;
//! [`fold`] puts these steps together. [`manifest`] and [`snapshot`] say of what a result was made,
//! and from where it goes on. This crate knows the middle of that line and neither end: it does no
//! I/O, reads no clock, draws no random number, starts no thread and prints nothing. Whoever embeds
//! it (the engine, later Python or Spark) brings bytes in, calls it from as many threads as it
//! likes, and takes columns out.
#![deny(unsafe_code)]

pub mod apart;
pub mod decode;
pub mod dedup;
pub mod digest;
pub mod fold;
pub mod hash;
pub mod limits;
pub mod listed;
pub mod log;
pub mod manifest;
pub mod portion;
pub mod receipt;
pub mod reduce;
pub mod schema;
pub mod seed;
pub mod shard;
pub mod snapshot;
pub mod state;
pub mod subset;
pub mod times;
