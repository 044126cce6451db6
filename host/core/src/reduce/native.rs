//! A reducer of plain Rust, for tests of the fold without wasm.
