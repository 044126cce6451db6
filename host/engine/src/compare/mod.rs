//! The world around a comparison: what people keep beside it.

pub mod expectations;
