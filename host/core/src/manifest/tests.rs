//! Tests of the manifest as a whole.
