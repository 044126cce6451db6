//! What a person or a program reads: text for the first, JSON for the second.

pub(crate) mod audit;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod malformed;
pub(crate) mod reducer;
pub(crate) mod repeated;
pub(crate) mod replay;
pub(crate) mod rows;
pub(crate) mod target;
pub(crate) mod text;
pub(crate) mod verify;
