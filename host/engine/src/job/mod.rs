//! The job: from what a person wrote (`retally.toml`, the command line) to what will run.
//!
//! [`Authored`] holds what was written, every value optional and with its place; [`Resolved`] what
//! will run, fully typed, nothing optional that decides anything; the table by which the one
//! becomes the other is in settings.rs. Neither looks at the log or the reducer.

mod authored;
mod error;
mod gates;
mod given;
pub mod params;
mod properties;
mod resolved;
mod settings;
mod text;
mod units;
mod written;

#[cfg(test)]
mod tests;

pub use crate::source::Format;
pub use authored::{Authored, Place, Raw, Written};
pub(crate) use authored::{raw, type_of};
pub use error::JobError;
pub(crate) use error::near;
pub use gates::{BoundGates, COUNTED, Gates};
pub use params::{Params, columns};
pub use properties::Property;
pub(crate) use properties::values as properties;
pub(crate) use resolved::KIND;
pub use resolved::{
    Every, Late, Limits, Live, Publish, ReducerFile, Resolved, SchemasAt, Snapshots, Source,
};
pub(crate) use written::READS;

/// The reference of all keys, with their defaults: parsed, not only shown.
pub const DEFAULT_TOML: &str = include_str!("default.toml");
