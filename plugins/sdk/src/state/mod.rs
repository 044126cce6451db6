//! States: what a reducer keeps per key, as bytes that the host stores.
//!
//! The layout is fixed: numbers little-endian in their full width one behind the other, so a state
//! of plain numbers is a straight copy; a byte before an `Option` or an enum; a `u32` count before
//! text, lists, sets and maps. Nothing is said of names or types in the bytes: that is what the
//! *layout* is for, a text that the macro makes and the host compares.

mod codec;
mod layout;

pub use codec::{Bytes, Codec, sum};
pub use layout::Layout;

/// What a reducer keeps per key. Made by `#[derive(State)]`, together with [`Codec`].
///
/// `#[state(version = 2, previous = v1::Account)]` says that the layout was changed and from what
/// `migrate` can come. Without it the version is 1.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state of a reducer",
    note = "write `#[derive(State, Default)]` over a struct"
)]
pub trait State: Codec {
    /// Raised whenever the layout changes.
    const VERSION: u32;
    /// The older version that `migrate` takes, or an enum of several (`#[derive(Previous)]`), or
    /// [`Never`](crate::Never).
    type Previous: Previous;
}

/// Older versions of a state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no older state",
    note = "name a struct with `#[derive(State)]`, or an enum with `#[derive(Previous)]` whose \
            variants hold one such struct each"
)]
pub trait Previous: Sized {
    /// Their versions.
    const VERSIONS: &'static [u32];

    /// Reads a state of version `version`, if it is one of these.
    fn decode(version: u32, bytes: &[u8]) -> Option<Self>;
}

impl<S: State> Previous for S {
    const VERSIONS: &'static [u32] = &[S::VERSION];

    fn decode(version: u32, bytes: &[u8]) -> Option<Self> {
        (version == S::VERSION).then(|| Bytes::whole(bytes))
    }
}

impl Previous for crate::Never {
    const VERSIONS: &'static [u32] = &[];

    fn decode(_version: u32, _bytes: &[u8]) -> Option<Self> {
        None
    }
}

/// Checked while compiling, where a state is declared.
pub const fn versions_are_older(version: u32, older: &[u32]) {
    assert!(version > 0, "versions of a state begin with 1");
    let mut at = 0;
    while at < older.len() {
        assert!(
            older[at] < version,
            "a previous state has the same or a higher version: raise yours"
        );
        at += 1;
    }
}
