//! The benchmark with its native baseline.
