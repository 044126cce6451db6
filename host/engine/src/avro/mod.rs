//! Avro object container files: their header, their blocks, and records as Arrow rows.
//!
//! ```text
//! file    header | block | block | ...            container.rs
//! header  "Obj" 1 | schema, codec (a map) | sync
//! block   records | bytes | the records, packed (codec.rs) | sync
//! ```
//!
//! A reader of our own: what counts here is that nothing passes unseen. A file that was cut, a
//! block that holds other than it says, a value that cannot be what it should: each has its place
//! in the file, its field and its words. The crate `arrow-avro` 60.1 takes a file that was cut
//! inside a block for one that ended, does not hold the number of a block's records against its
//! bytes, and unpacks a block to whatever size it has.
//!
//! Values of records in Kafka are records too, by a schema that stands elsewhere: mixed.rs.
//!
//! What values mean is not decided here: rows go to [`retally_core::decode`], which judges them as
//! the JSON that says the same.

mod codec;
mod columns;
mod container;
mod cursor;
mod error;
mod mixed;
mod plan;
mod records;
mod schema;

#[cfg(test)]
mod tests;

pub(crate) use container::{Container, MAGIC};
pub(crate) use error::AvroError;
pub(crate) use mixed::Mixed;
pub(crate) use records::Records;
pub(crate) use schema::Schema;

use std::sync::Arc;

/// The schema that stands in a text, if it can be read: also each of the fields with these names.
/// Else why not.
pub(crate) fn schema_of(text: &[u8], names: &[String]) -> Result<Arc<Schema>, String> {
    let schema = Schema::parse(text).and_then(|schema| {
        plan::Plan::new(&schema, Some(names))?;
        Ok(Arc::new(schema))
    });
    schema.map_err(|error| match error {
        AvroError::Damaged { problem, .. } => problem,
        other => other.to_string(),
    })
}
